package postgres

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// Dates are days, times microseconds, since the year 2000 (src/include/datatype/timestamp.h).
const (
	microsADay    = 86400 * microsASecond
	microsASecond = 1000000
	// epochDay is 2000-01-01 in days since 0000-03-01, where civil counts from.
	epochDay = 730425
	// firstDay and lastDay are 4714-11-24 BC and 5874897-12-31.
	firstDay, lastDay = -2451545, 2145031948
	// lastStampDay is 294276-12-31, the last day of timestamps; they begin with firstDay.
	lastStampDay = 106751982
)

func decodeDate(dst, raw []byte) ([]byte, bool) {
	if len(raw) != 4 {
		return dst, false
	}
	switch n := int32(binary.BigEndian.Uint32(raw)); n {
	case math.MaxInt32:
		return append(dst, "infinity"...), true
	case math.MinInt32:
		return append(dst, "-infinity"...), true
	default:
		dst, before := appendDay(dst, int64(n))
		return appendEra(dst, before), true
	}
}

func encodeDate(dst, text []byte) ([]byte, bool) {
	switch string(text) {
	case "infinity":
		return binary.BigEndian.AppendUint32(dst, math.MaxInt32), true
	case "-infinity":
		return binary.BigEndian.AppendUint32(dst, 1<<31), true
	}
	text, before := bytes.CutSuffix(text, []byte(" BC"))
	day, ok := dayOf(text, before)
	if !ok || day < firstDay || day > lastDay {
		return dst, false
	}
	return binary.BigEndian.AppendUint32(dst, uint32(int32(day))), true
}

// appendDay writes a day; before tells that its year is one BC.
func appendDay(dst []byte, day int64) (_ []byte, before bool) {
	year, month, mday := civil(day)
	if before = year <= 0; before {
		year = 1 - year
	}
	if year < 10000 {
		dst = appendFour(dst, uint64(year))
	} else {
		dst = appendUint(dst, uint64(year))
	}
	dst = appendTwo(append(dst, '-'), month)
	return appendTwo(append(dst, '-'), mday), before
}

func appendEra(dst []byte, before bool) []byte {
	if before {
		return append(dst, " BC"...)
	}
	return dst
}

func appendTwo(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// civil gives the date of a day since 2000-01-01, in the Gregorian calendar,
// with a year 0. Years are counted from March, so that the day that some lack is the last.
func civil(day int64) (year, month, mday int64) {
	z := day + epochDay
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	year, month, mday = yoe+era*400, mp+3, doy-(153*mp+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, mday
}

// dayNumber is the inverse of civil.
func dayNumber(year, month, mday int64) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := (153*(month-3)+2)/5 + mday - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - epochDay
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

// dayOf reads a date written as 2024-02-29 with at least four digits for the year.
func dayOf(text []byte, before bool) (day int64, ok bool) {
	n := len(text)
	if n < 10 || n > 13 || text[n-3] != '-' || text[n-6] != '-' {
		return 0, false
	}
	year, ok := digitsOf(text[:n-6])
	month, ok2 := digitsOf(text[n-5 : n-3])
	mday, ok3 := digitsOf(text[n-2:])
	if !ok || !ok2 || !ok3 || year == 0 || month < 1 || month > 12 || mday < 1 {
		return 0, false
	}
	if before {
		year = 1 - year
	}
	day = dayNumber(year, month, mday)
	if y, m, d := civil(day); y != year || m != month || d != mday {
		return 0, false
	}
	return day, true
}

// timestampCodec knows timestamps; zoned ones are written in UTC.
func timestampCodec(oid uint32, zoned bool) *codec {
	return &codec{oid: oid,
		decode: func(dst, raw []byte) ([]byte, bool) {
			if len(raw) != 8 {
				return dst, false
			}
			n := int64(binary.BigEndian.Uint64(raw))
			switch n {
			case math.MaxInt64:
				return append(dst, "infinity"...), true
			case math.MinInt64:
				return append(dst, "-infinity"...), true
			}
			day := floorDiv(n, microsADay)
			dst, before := appendDay(dst, day)
			dst = appendClock(append(dst, ' '), n-day*microsADay)
			if zoned {
				dst = append(dst, "+00"...)
			}
			return appendEra(dst, before), true
		},
		encode: func(dst, text []byte) ([]byte, bool) {
			switch string(text) {
			case "infinity":
				return binary.BigEndian.AppendUint64(dst, math.MaxInt64), true
			case "-infinity":
				return binary.BigEndian.AppendUint64(dst, 1<<63), true
			}
			text, before := bytes.CutSuffix(text, []byte(" BC"))
			date, clock, _ := bytes.Cut(text, []byte{' '})
			if zoned {
				var utc bool
				if clock, utc = bytes.CutSuffix(clock, []byte("+00")); !utc {
					return dst, false
				}
			}
			day, ok := dayOf(date, before)
			micros, ok2 := clockOf(clock)
			if !ok || !ok2 || micros == microsADay || day < firstDay || day > lastStampDay {
				return dst, false
			}
			return binary.BigEndian.AppendUint64(dst, uint64(day*microsADay+micros)), true
		}}
}

// appendClock writes microseconds as 12:34:56.789, without zeros at the end.
func appendClock(dst []byte, micros int64) []byte {
	seconds := micros / microsASecond
	dst = appendTwo(dst, seconds/3600)
	dst = appendTwo(append(dst, ':'), seconds/60%60)
	dst = appendTwo(append(dst, ':'), seconds%60)
	return appendFraction(dst, micros%microsASecond)
}

func appendFraction(dst []byte, micros int64) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(microsASecond / 10); micros > 0; unit /= 10 {
		dst = append(dst, byte('0'+micros/unit))
		micros %= unit
	}
	return dst
}

// clockOf reads what appendClock writes, from 00:00:00 to 24:00:00.
func clockOf(text []byte) (micros int64, ok bool) {
	if len(text) < 8 || text[2] != ':' || text[5] != ':' {
		return 0, false
	}
	hour, ok := digitsOf(text[:2])
	minute, ok2 := digitsOf(text[3:5])
	second, ok3 := digitsOf(text[6:8])
	if !ok || !ok2 || !ok3 || hour > 24 || minute > 59 || second > 59 {
		return 0, false
	}
	if fraction := text[8:]; len(fraction) > 0 {
		if fraction[0] != '.' || len(fraction) > 7 {
			return 0, false
		}
		if micros, ok = digitsOf(fraction[1:]); !ok {
			return 0, false
		}
		for range 7 - len(fraction) {
			micros *= 10
		}
	}
	micros += (hour*3600 + minute*60 + second) * microsASecond
	return micros, micros <= microsADay
}

func decodeTime(dst, raw []byte) ([]byte, bool) {
	if len(raw) != 8 {
		return dst, false
	}
	return appendClock(dst, int64(binary.BigEndian.Uint64(raw))), true
}

func encodeTime(dst, text []byte) ([]byte, bool) {
	micros, ok := clockOf(text)
	if !ok {
		return dst, false
	}
	return binary.BigEndian.AppendUint64(dst, uint64(micros)), true
}

// decodeTimeTZ reads a time and its zone, in seconds west of UTC.
func decodeTimeTZ(dst, raw []byte) ([]byte, bool) {
	if len(raw) != 12 {
		return dst, false
	}
	dst = appendClock(dst, int64(binary.BigEndian.Uint64(raw)))
	zone := -int64(int32(binary.BigEndian.Uint32(raw[8:])))
	if zone < 0 {
		dst, zone = append(dst, '-'), -zone
	} else {
		dst = append(dst, '+')
	}
	dst = appendTwo(dst, zone/3600)
	if zone%3600 != 0 {
		dst = appendTwo(append(dst, ':'), zone/60%60)
	}
	if zone%60 != 0 {
		dst = appendTwo(append(dst, ':'), zone%60)
	}
	return dst, true
}

func encodeTimeTZ(dst, text []byte) ([]byte, bool) {
	i := bytes.IndexAny(text, "+-")
	if i < 0 {
		return dst, false
	}
	micros, ok := clockOf(text[:i])
	zone, ok2 := zoneOf(text[i+1:])
	if !ok || !ok2 {
		return dst, false
	}
	if text[i] == '+' {
		zone = -zone
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(micros))
	return binary.BigEndian.AppendUint32(dst, uint32(int32(zone))), true
}

// zoneOf reads a distance from UTC: hours, perhaps minutes and seconds.
func zoneOf(text []byte) (seconds int64, ok bool) {
	unit := int64(3600)
	for ; unit > 0; unit /= 60 {
		n := int64(0)
		if len(text) < 2 {
			return 0, false
		}
		if n, ok = digitsOf(text[:2]); !ok || unit < 3600 && n > 59 || n > 15 && unit == 3600 {
			return 0, false
		}
		seconds += n * unit
		if text = text[2:]; len(text) == 0 {
			return seconds, true
		}
		if text[0] != ':' {
			return 0, false
		}
		text = text[1:]
	}
	return 0, false
}

// decodeInterval reads microseconds, days and months, and writes them in the
// server's own style (src/backend/utils/adt/datetime.c, EncodeInterval).
func decodeInterval(dst, raw []byte) ([]byte, bool) {
	if len(raw) != 16 {
		return dst, false
	}
	micros, days, months := int64(binary.BigEndian.Uint64(raw)), int64(int32(binary.BigEndian.Uint32(raw[8:]))), int64(int32(binary.BigEndian.Uint32(raw[12:])))
	switch { // since version 17
	case micros == math.MaxInt64 && days == math.MaxInt32 && months == math.MaxInt32:
		return append(dst, "infinity"...), true
	case micros == math.MinInt64 && days == math.MinInt32 && months == math.MinInt32:
		return append(dst, "-infinity"...), true
	}
	start, before := len(dst), false
	for _, part := range [...]struct {
		n    int64
		unit string
	}{{months / 12, "year"}, {months % 12, "mon"}, {days, "day"}} {
		if part.n == 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if before && part.n > 0 {
			dst = append(dst, '+')
		}
		dst = append(append(strconv.AppendInt(dst, part.n, 10), ' '), part.unit...)
		if part.n != 1 {
			dst = append(dst, 's')
		}
		before = part.n < 0 // the next says its sign
	}
	if micros == 0 && len(dst) > start {
		return dst, true
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	size := uint64(micros)
	switch {
	case micros < 0:
		dst, size = append(dst, '-'), -size
	case before:
		dst = append(dst, '+')
	}
	seconds := size / microsASecond
	if hours := seconds / 3600; hours < 10 {
		dst = append(dst, '0', byte('0'+hours))
	} else {
		dst = appendUint(dst, hours)
	}
	dst = appendTwo(append(dst, ':'), int64(seconds/60%60))
	dst = appendTwo(append(dst, ':'), int64(seconds%60))
	return appendFraction(dst, int64(size%microsASecond)), true
}
