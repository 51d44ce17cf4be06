package sqlite

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"understudy/internal/schema"
)

// SQLite has no type for times: a date column holds ISO texts, Julian day
// numbers (REAL) or seconds since 1970 (INTEGER), and applications also write
// milliseconds, microseconds or nanoseconds. Which of the numbers a column holds
// is told by all of them together, not by each: a few milliseconds after 1970
// look like seconds.

// clock is how a column's numbers count time; the zero clock is not known.
type clock struct {
	perDay float64 // units in a day
	epoch  float64 // day 0 of the count, in days since 1970-01-01
}

const (
	julianOf1970 = 2440587.5
	lastJulian   = 5373484.5 // the end of the year 9999
	secondsDay   = 86400
)

// span is what a column's numbers are between.
type span struct {
	least, most float64
	reals       bool // some are REAL
}

// clockOf reads the numbers of a column. Where some are fractions and all are
// Julian days of the years to 9999, so are those that are whole. Otherwise they
// count from 1970, in the unit in which the one farthest away lies before the
// year 5138 (in nanoseconds: before 2262).
func clockOf(s span) clock {
	if s.reals && s.least >= 0 && s.most < lastJulian {
		return clock{perDay: 1, epoch: -julianOf1970}
	}
	far := max(math.Abs(s.least), math.Abs(s.most))
	unit := 1.0
	for limit := 1e11; far >= limit && unit < 1e9; limit *= 1000 {
		unit *= 1000
	}
	return clock{perDay: secondsDay * unit}
}

func (c clock) known() bool { return c.perDay != 0 }

// word names the clock, for clockNamed; empty for one that is not known.
func (c clock) word() string {
	switch {
	case !c.known():
		return ""
	case c.epoch != 0:
		return "julian"
	}
	return "unix/" + strconv.FormatFloat(c.perDay/secondsDay, 'f', -1, 64)
}

func clockNamed(word string) (clock, bool) {
	for _, c := range []clock{{perDay: 1, epoch: -julianOf1970}, {perDay: secondsDay}, {perDay: secondsDay * 1e3}, {perDay: secondsDay * 1e6}, {perDay: secondsDay * 1e9}} {
		if c.word() == word {
			return c, true
		}
	}
	return clock{}, false
}

// digits is how many decimals of a second the clock's texts have.
func (c clock) digits() int {
	switch c.perDay / secondsDay {
	case 1:
		return 0
	case 1e6:
		return 6
	case 1e9:
		return 9
	}
	return 3
}

// text gives the ISO text of an encoded number, without a fraction that is zero;
// ok is false where it lies outside the years 1 to 9999.
func (c clock) text(scratch, raw []byte) (out []byte, ok bool) {
	days, nanos := c.split(raw)
	at := time.Unix(days*secondsDay, 0).Add(time.Duration(nanos)).UTC()
	if y := at.Year(); days < -719162 || days > 2932896 || y < 1 || y > 9999 {
		return nil, false
	}
	out = at.AppendFormat(scratch[:0], "2006-01-02 15:04:05")
	if at.Nanosecond() != 0 {
		out = at.AppendFormat(out, ".000000000"[:1+max(c.digits(), 3)])
	}
	return out, true
}

// split gives the days since 1970 and the nanoseconds of the day, rounded to the text's digits.
func (c clock) split(raw []byte) (days, nanos int64) {
	const daily = int64(24 * time.Hour)
	if v, _ := decode(raw); raw[0] == tagInteger && c.epoch == 0 {
		n, per := v.(int64), int64(c.perDay)
		days = n / per
		if n%per < 0 {
			days--
		}
		return days, (n - days*per) * (daily / per)
	}
	whole := amount(raw)/c.perDay + c.epoch
	days = int64(math.Floor(whole))
	step := math.Pow10(9 - max(c.digits(), 3))
	nanos = int64(math.Round((whole-math.Floor(whole))*float64(daily)/step) * step)
	if c.epoch == 0 { // fractions of a second keep more digits when the days are taken off first
		rest := amount(raw) - float64(days)*c.perDay
		nanos = int64(math.Round(rest/c.perDay*float64(daily)/step) * step)
	}
	if nanos >= daily {
		days, nanos = days+1, nanos-daily
	}
	return days, nanos
}

func amount(raw []byte) float64 {
	switch v, _ := decode(raw); v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// moved encodes an ISO text as a number of the clock, in the storage class of
// old. Where only the date differs from old's, old is moved by whole days, so
// that the time of day stays to the last bit. ok is false for what is no ISO text.
func (c clock) moved(dst, value, old []byte) (out []byte, ok bool) {
	at, ok := isoTime(value)
	if !ok {
		return dst, false
	}
	days := floorDay(at.Unix())
	was, _ := c.text(nil, old)
	oldDays, oldNanos := c.split(old)
	seconds := at.Unix() - days*secondsDay
	sameTime := was != nil && seconds*int64(time.Second)+int64(at.Nanosecond()) == oldNanos
	switch v, _ := decode(old); v := v.(type) {
	case int64:
		if c.epoch != 0 { // a whole Julian day becomes one, or a fraction
			if sameTime {
				return appendInteger(dst, v+days-oldDays), true
			}
			return appendReal(dst, c.fraction(days, seconds, at)), true
		}
		per := int64(c.perDay)
		if sameTime {
			return appendInteger(dst, v+(days-oldDays)*per), true
		}
		return appendInteger(dst, days*per+seconds*(per/secondsDay)+int64(at.Nanosecond())/(int64(time.Second)/(per/secondsDay))), true
	case float64:
		if sameTime {
			return appendReal(dst, v+float64(days-oldDays)*c.perDay), true
		}
	}
	return appendReal(dst, c.fraction(days, seconds, at)), true
}

func (c clock) fraction(days, seconds int64, at time.Time) float64 {
	return (float64(days)-c.epoch)*c.perDay + (float64(seconds)+float64(at.Nanosecond())/1e9)/secondsDay*c.perDay
}

func floorDay(seconds int64) int64 {
	d := seconds / secondsDay
	if seconds%secondsDay < 0 {
		d--
	}
	return d
}

// isoTime reads a date with or without a time of day, as SQLite's functions do.
func isoTime(value []byte) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.Parse(layout, string(value)); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// truth reads a text in a BOOLEAN column.
func truth(text []byte) (value, ok bool) {
	switch string(bytes.ToLower(text)) {
	case "t", "true":
		return true, true
	case "f", "false":
		return false, true
	}
	return false, false
}

// truthLike writes a truth as old does: in one letter or as a word, in capitals or not.
func truthLike(value bool, old []byte) []byte {
	out := strconv.AppendBool(nil, value)
	if len(old) == 1 {
		out = out[:1]
	}
	if len(old) > 0 && old[len(old)-1] < 'a' {
		out = bytes.ToUpper(out)
	} else if len(old) > 1 && old[0] < 'a' {
		out[0] -= 'a' - 'A'
	}
	return out
}

// timed tells the kinds whose numbers are times with a date.
func timed(k schema.Kind) bool { return k == schema.Date || k == schema.Timestamp }
