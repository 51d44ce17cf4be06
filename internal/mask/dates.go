package mask

import (
	"encoding/binary"
	"fmt"
	"time"
)

// A dateShift moves a date by a number of days that the key and the date decide,
// between one and within in either direction, never none. What stands behind the
// date (time of day, offset) stays as it is, byte by byte. A year 1 to 9999 does not
// leave that range: the shift is turned round instead.
type dateShift struct{ within int }

func (s *dateShift) append(w *Worker, dst, value []byte) ([]byte, error) {
	if s.keeps(value) {
		return append(dst, value...), nil
	}
	d, ok := parseDate(value)
	if !ok {
		return dst, w.refuse("it is not a date in ISO form")
	}
	var number [8]byte
	day := daysOf(d.year, d.month, d.day)
	binary.BigEndian.PutUint64(number[:], uint64(day))
	w.shape = append(w.shape[:0], number[:]...)
	hi, _ := w.mask.mac.sum(&w.scratch, w.shape)
	moved := s.shift(day, hi)
	year, month, dom := dateOf(moved)
	return d.write(dst, year, month, dom, value), nil
}

// The first and last days that fakes may reach from inside, for the eras of
// which one must not be left: 0001 to 9999, which every database has, then the
// ends of what some have (4713 BC; the year 294276 for times, 5874897 for dates).
func (s *dateShift) shift(day int64, word uint64) int64 {
	by := int64(1 + pick(word<<1, s.within))
	if word>>63 == 1 {
		by = -by
	}
	eras := [3][2]int64{
		{daysOf(1, 1, 1), daysOf(9999, 12, 31)},
		{daysOf(-4712, 1, 1), daysOf(294276, 12, 31)},
		{daysOf(-4712, 1, 1), daysOf(5874897, 12, 31)},
	}
	for _, era := range eras {
		if day >= era[0] && day <= era[1] {
			if day+by < era[0] || day+by > era[1] {
				by = -by
			}
			break
		}
	}
	return day + by
}

// keeps tells the values that are no dates: the infinite ones, and the zero date
// that some databases allow.
func (s *dateShift) keeps(value []byte) bool {
	text := string(value)
	return text == "infinity" || text == "-infinity" || len(text) >= 10 && text[:10] == "0000-00-00" && clock(value[10:])
}

// A date is a date in a text: year in astronomical count (1 BC is 0), and where
// the part after it begins.
type date struct {
	year       int64
	month, day int
	end        int
	bc         bool
}

// parseDate reads YYYY-MM-DD with four to seven digits of year, an optional rest
// after a blank or T, and an optional era at the end.
func parseDate(value []byte) (date, bool) {
	var d date
	i := 0
	for ; i < len(value) && value[i]-'0' < 10; i++ {
		if d.year = d.year*10 + int64(value[i]-'0'); i >= 7 {
			return d, false
		}
	}
	if i < 4 || len(value) < i+6 || value[i] != '-' || value[i+3] != '-' {
		return d, false
	}
	var okMonth, okDay bool
	d.month, okMonth = twoDigits(value[i+1:])
	d.day, okDay = twoDigits(value[i+4:])
	d.end = i + 6
	if rest := string(value[d.end:]); len(rest) >= 3 && rest[len(rest)-3:] == " BC" {
		d.bc, d.year = true, 1-d.year
	}
	if !okMonth || !okDay || !d.bc && d.year < 1 || d.bc && d.year > 0 {
		return d, false
	}
	rest := value[d.end:]
	if d.bc {
		rest = rest[:len(rest)-3]
	}
	if !clock(rest) { // it would be copied as it is, whatever it says
		return d, false
	}
	return d, d.month >= 1 && d.month <= 12 && d.day >= 1 && d.day <= daysIn(d.year, d.month)
}

// clock tells whether what stands behind a date is nothing, or a time of day
// behind a blank or T: HH[:MM[:SS[.fraction]]], and then perhaps a zone, which is
// Z, UTC, GMT or an offset.
func clock(rest []byte) bool {
	if len(rest) == 0 {
		return true
	}
	if rest[0] != ' ' && rest[0] != 'T' && rest[0] != 't' || len(rest) < 3 {
		return false
	}
	if _, ok := twoDigits(rest[1:]); !ok {
		return false
	}
	rest = rest[3:]
	for range 2 {
		if len(rest) >= 3 && rest[0] == ':' {
			if _, ok := twoDigits(rest[1:]); !ok {
				return false
			}
			rest = rest[3:]
		}
	}
	if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') {
		n := 1
		for n < len(rest) && n <= 9 && rest[n]-'0' < 10 {
			n++
		}
		rest = rest[n:]
	}
	if len(rest) > 1 && rest[0] == ' ' {
		rest = rest[1:]
	}
	switch string(rest) {
	case "", "Z", "z", "UTC", "GMT":
		return true
	}
	if rest[0] != '+' && rest[0] != '-' || len(rest) > len("+00:00:00") {
		return false
	}
	for _, b := range rest[1:] {
		if b-'0' > 9 && b != ':' {
			return false
		}
	}
	return true
}

func twoDigits(b []byte) (int, bool) {
	return int(b[0]-'0')*10 + int(b[1]-'0'), b[0]-'0' < 10 && b[1]-'0' < 10
}

func daysIn(year int64, month int) int {
	switch {
	case month == 2 && (year%4 != 0 || year%100 == 0 && year%400 != 0):
		return 28
	case month == 2:
		return 29
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// write replaces the date in value, and the era if that changes.
func (d *date) write(dst []byte, year int64, month, day int, value []byte) []byte {
	rest := value[d.end:]
	if d.bc {
		rest = rest[:len(rest)-3]
	}
	bc := year < 1
	if bc {
		year = 1 - year
	}
	for least := int64(1000); least > year && least > 1; least /= 10 {
		dst = append(dst, '0')
	}
	dst = appendNumber(dst, uint64(year))
	dst = append(dst, '-', byte('0'+month/10), byte('0'+month%10), '-', byte('0'+day/10), byte('0'+day%10))
	dst = append(dst, rest...)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// daysOf counts days of the proleptic Gregorian calendar from 1 March of year 0;
// dateOf is its inverse. Years begin in March, so that the leap day is the last,
// and the months' lengths follow (153m+2)/5 (Hinnant, "chrono-compatible low-level
// date algorithms").
func daysOf(year int64, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	inEra := year - era*400
	inYear := int64((153*((month+9)%12)+2)/5 + day - 1)
	return era*146097 + inEra*365 + inEra/4 - inEra/100 + inYear
}

func dateOf(days int64) (year int64, month, day int) {
	era := floorDiv(days, 146097)
	inEra := days - era*146097
	years := (inEra - inEra/1460 + inEra/36524 - inEra/146096) / 365
	inYear := inEra - (365*years + years/4 - years/100)
	m := (5*inYear + 2) / 153
	day = int(inYear-(153*m+2)/5) + 1
	month = int(m+2)%12 + 1
	year = years + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

const (
	defaultShift = 30
	longestShift = 36500
)

func readShift(o *options) int {
	text := o.text("within", fmt.Sprintf("%dd", defaultShift))
	var n int
	var unit string
	if _, err := fmt.Sscanf(text, "%d%s", &n, &unit); err != nil || fmt.Sprintf("%d%s", n, unit) != text {
		unit = ""
	}
	days := map[string]int{"d": 1, "w": 7, "m": 30, "y": 365}[unit] * n
	if n < 1 || n > longestShift || days < 1 || days > longestShift {
		o.problem("within %q is not a span from 1d to %dd, such as 30d, 6w or 1y", text, longestShift)
		return defaultShift
	}
	return days
}

func buildShift(d *draft) (recipe, *Refusal) {
	s := &dateShift{readShift(&d.options)}
	d.text = fmt.Sprintf("moved by 1 to %d days either way, time of day kept", s.within)
	return s, nil
}

// isoTime tells whether a text is a time of day, with or without a fraction.
func isoTime(text string) bool {
	_, err := time.Parse("15:04:05", text)
	return err == nil
}
