package mysql

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"understudy/internal/schema"
)

// refuses tells why a strict session would not store canonical text in the
// column as it is; empty if it would. It says nothing of the value.
func (f *formColumn) refuses(value []byte) string {
	text := string(value)
	switch base := f.facts.base; base {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit":
		return f.refusesInteger(text)
	case "decimal":
		return f.refusesDecimal(text)
	case "float", "double":
		n, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil && n == 0 || strings.ContainsAny(strings.ToLower(text), "nx_p"): // no NaN, infinity or hexadecimal
			return "not a number"
		case err != nil:
			return "out of range"
		case f.facts.unsigned && n < 0:
			return "negative in an unsigned column"
		case base == "float" && math.Abs(n) > math.MaxFloat32:
			return "out of range"
		case base == "float" && coarser(n):
			return keepsLess
		}
		return ""
	case "date", "datetime", "timestamp", "time":
		return f.refusesTime(text)
	case "json":
		if !json.Valid(value) {
			return "not JSON"
		}
		return ""
	case "uuid":
		if plain := strings.ReplaceAll(text, "-", ""); len(plain) != 32 || strings.Trim(strings.ToLower(plain), "0123456789abcdef") != "" {
			return "not a uuid"
		}
		return ""
	case "inet4", "inet6":
		if a, err := netip.ParseAddr(text); err != nil || a.Zone() != "" || (base == "inet4") != a.Is4() {
			return "not an address"
		}
		return ""
	case "enum":
		if text != "" && !f.label(f.Labels, text) {
			return "not one of the column's labels"
		}
		return ""
	case "set":
		for _, one := range strings.Split(text, ",") {
			if text != "" && !f.label(labelsOf(f.Type), one) {
				return "not one of the column's labels"
			}
		}
		return ""
	}
	return f.refusesText(value)
}

func (f *formColumn) label(labels []string, text string) bool {
	return slices.ContainsFunc(labels, func(l string) bool { return l == text || folds(f.facts.collation) && strings.EqualFold(l, text) })
}

func (f *formColumn) refusesInteger(text string) string {
	if f.Kind == schema.Boolean && (text == "true" || text == "false") {
		return ""
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || strings.HasPrefix(text, "+") {
		return "not an integer"
	}
	low, high := new(big.Int), new(big.Int)
	bits := map[string]uint{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}[f.facts.base]
	switch {
	case f.facts.base == "year":
		if n.Sign() == 0 {
			return ""
		}
		low.SetInt64(1901)
		high.SetInt64(2155)
	case f.facts.base == "bit":
		high.Sub(high.Lsh(big.NewInt(1), uint(f.facts.bits)), big.NewInt(1))
	case f.facts.unsigned:
		high.Sub(high.Lsh(big.NewInt(1), bits), big.NewInt(1))
	default:
		high.Sub(high.Lsh(big.NewInt(1), bits-1), big.NewInt(1))
		low.Sub(low.Neg(high), big.NewInt(1))
	}
	if n.Cmp(low) < 0 || n.Cmp(high) > 0 {
		return "out of range"
	}
	return ""
}

// precision reads the digits of decimal(p,s).
func (f *formColumn) precision() (precision, scale int) {
	_, rest, _ := strings.Cut(f.Type, "(")
	rest, _, _ = strings.Cut(rest, ")")
	p, s, _ := strings.Cut(rest, ",")
	precision, _ = strconv.Atoi(strings.TrimSpace(p)) // the server always writes it
	scale, _ = strconv.Atoi(strings.TrimSpace(s))
	return max(precision, 1), scale
}

func (f *formColumn) refusesDecimal(text string) string {
	figures, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(figures, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "not a number"
	}
	precision, scale := f.precision()
	switch {
	case negative && f.facts.unsigned && strings.Trim(whole+fraction, "0") != "":
		return "negative in an unsigned column"
	case len(strings.TrimLeft(whole, "0")) > precision-scale:
		return "out of range"
	case len(strings.TrimRight(fraction, "0")) > scale:
		return "more decimals than the column holds"
	}
	return ""
}

func (f *formColumn) refusesTime(text string) string {
	day, clock := text, ""
	var date [3]int
	if f.facts.base != "date" {
		day, clock, _ = strings.Cut(strings.Replace(text, "T", " ", 1), " ")
	}
	if f.facts.base == "time" {
		day, clock = "", strings.TrimPrefix(text, "-")
	}
	if day != "" || f.facts.base != "time" {
		n, ok := fieldsOf(day, "-", 3)
		if !ok || n[0] > 9999 || n[1] > 12 || n[2] > 31 {
			return "not a date"
		}
		date = [3]int(n)
	}
	if clock == "" && f.facts.base != "time" {
		clock = "00:00:00"
	}
	whole, fraction, _ := strings.Cut(clock, ".")
	n, ok := fieldsOf(whole, ":", 3)
	hours := 23
	if f.facts.base == "time" {
		hours = 838
	}
	if !ok || n[1] > 59 || n[2] > 59 || strings.Trim(fraction, "0123456789") != "" {
		return "not a time"
	}
	if n[0] > hours || f.facts.base == "timestamp" && date != [3]int{} && f.facts.beyondTimestamp(date, [3]int(n)) {
		return "out of range"
	}
	_, digits, _ := strings.Cut(f.Type, "(")
	digits, _, _ = strings.Cut(digits, ")")
	kept, _ := strconv.Atoi(digits) // none are written as such
	if f.facts.base != "date" && len(strings.TrimRight(fraction, "0")) > kept {
		return keepsParts
	}
	return ""
}

// What a column would take, but not keep as it is.
const (
	keepsLess  = "the type float would keep less of the value"
	keepsParts = "parts of a second that the column does not hold"
)

// lossy tells such a reason from those for which a value is refused.
func lossy(reason string) bool { return reason == keepsLess || reason == keepsParts }

// coarser tells whether four bytes hold another number, which is not shown as this one either.
func coarser(n float64) bool {
	if float64(float32(n)) == n {
		return false
	}
	shown, err := strconv.ParseFloat(strconv.FormatFloat(n, 'g', -1, 32), 64)
	return err != nil || shown != n
}

// beyondTimestamp tells a moment of UTC that a TIMESTAMP cannot hold (MySQL 8.4
// manual, section 13.2.2; MariaDB's on TIMESTAMP): 32 bits of seconds, 0 not among them.
func (f *columnFacts) beyondTimestamp(day, clock [3]int) bool {
	moment := fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", day[0], day[1], day[2], clock[0], clock[1], clock[2])
	latest := "2038-01-19 03:14:07"
	if f.late {
		latest = "2106-02-07 06:28:15"
	}
	return day[1] == 0 || day[2] == 0 || moment < "1970-01-01 00:00:01" || moment > latest
}

// fieldsOf reads so many numbers between separators.
func fieldsOf(text, separator string, count int) ([]int, bool) {
	fields := strings.Split(text, separator)
	out := make([]int, count)
	if len(fields) != count {
		return out, false
	}
	for i, s := range fields {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return out, false
		}
		out[i] = int(n)
	}
	return out, true
}

// refusesText judges texts and bytes by their length and their characters.
func (f *formColumn) refusesText(value []byte) string {
	limit := map[string]int{"tinytext": 255, "text": 1<<16 - 1, "mediumtext": 1<<24 - 1, "tinyblob": 255, "blob": 1<<16 - 1, "mediumblob": 1<<24 - 1}[f.facts.base]
	switch {
	case f.raw():
		if f.Length > 0 && len(value) > f.Length || limit > 0 && len(value) > limit {
			return "too long"
		}
		return ""
	case !utf8.Valid(value):
		return "not text"
	}
	length, bytes := 0, 0
	for _, r := range string(value) {
		length++
		bytes += utf8.RuneLen(r)
		if r > 0xffff && (f.facts.charset == "utf8mb3" || f.facts.charset == "utf8" || f.facts.charset == "ucs2") || r > 0x7f && f.facts.charset == "ascii" {
			return "a character that the column's character set lacks"
		}
	}
	if widest(f.facts.charset) == 1 {
		bytes = length
	}
	if limit > 0 && bytes > limit || limit == 0 && f.Length > 0 && length > f.Length {
		return "too long"
	}
	return ""
}
