package mask

import "understudy/internal/schema"

// A dateTruncate takes a date back to the beginning of its year, quarter, month,
// week (Monday), day or hour, in the zone that it is written in. Infinite and zero
// dates stay.
type dateTruncate struct {
	to   string
	text bool // a fraction of a second stays, as zeros
}

func (t *dateTruncate) append(w *Worker, dst, value []byte) ([]byte, error) {
	if (&dateShift{}).keeps(value) {
		return append(dst, value...), nil
	}
	d, ok := parseDate(value)
	if !ok {
		return dst, w.refuse("it is not a date in ISO form")
	}
	return t.truncate(dst, d, value), nil
}

// earliest is the first day that every database with years before Christ has.
func earliest() int64 { return daysOf(-4713, 11, 24) }

func (t *dateTruncate) truncate(dst []byte, d date, value []byte) []byte {
	year, month, day := d.year, d.month, d.day
	switch t.to {
	case "year":
		month, day = 1, 1
	case "quarter":
		month, day = month-(month-1)%3, 1
	case "month":
		day = 1
	case "week":
		n := daysOf(year, month, day)
		// Day 0, 1 March of year 0, was a Wednesday.
		year, month, day = dateOf(n - (n + 2 - 7*floorDiv(n+2, 7)))
	}
	if daysOf(year, month, day) < earliest() {
		year, month, day = dateOf(max(earliest(), min(daysOf(d.year, d.month, d.day), earliest())))
	}
	at := len(dst)
	dst = d.write(dst, year, month, day, value)
	return t.clock(dst, at)
}

// clock sets the time of day behind the date in dst[from:] to its beginning, for
// hours to that of the hour. What follows the time, a zone or an era, stays.
func (t *dateTruncate) clock(dst []byte, from int) []byte {
	i := from
	for i < len(dst) && dst[i] != ' ' && dst[i] != 'T' && dst[i] != 't' {
		i++
	}
	i++
	if i+2 > len(dst) || dst[i]-'0' > 9 { // no time, or an era at once
		return dst
	}
	if t.to != "hour" {
		dst[i], dst[i+1] = '0', '0'
	}
	i += 2
	fraction := -1
	for ; i < len(dst); i++ {
		c := dst[i]
		if c == '.' || c == ',' {
			fraction = i
		} else if c-'0' < 10 {
			dst[i] = '0'
		} else if c != ':' {
			break
		}
	}
	if fraction >= 0 && !t.text {
		dst = append(dst[:fraction], dst[i:]...)
	}
	return dst
}

// keeps tells what is the beginning of its span already.
func (t *dateTruncate) keeps(value []byte) bool {
	if (&dateShift{}).keeps(value) {
		return true
	}
	d, ok := parseDate(value)
	return ok && string(t.truncate(nil, d, value)) == string(value)
}

func readTruncate(o *options) string {
	to := o.choice("to", "month", "year", "quarter", "month", "week", "day", "hour")
	return to
}

func buildTruncate(d *draft) (recipe, *Refusal) {
	t := &dateTruncate{readTruncate(&d.options), d.limits.Kind == schema.Text}
	if d.limits.Kind == schema.Date && (t.to == "day" || t.to == "hour") {
		return nil, &Refusal{Reason: "a date has no time of day, so to: " + t.to + " changes nothing", Hint: "use to: week, month, quarter or year"}
	}
	d.text = "taken back to the beginning of its " + t.to
	return t, nil
}
