package sqlite

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A column of one unit is read in that unit, whatever its values near 1970 look
// like, and a text written back is the number it came from.
func TestClockReadsAndWritesEveryUnit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]int64{1, 1e3, 1e6, 1e9}).Draw(t, "units in a second")
		at := time.Unix(rapid.Int64Range(-9e8, 8e9).Draw(t, "seconds"), rapid.Int64Range(0, unit-1).Draw(t, "fraction")*(1e9/unit)).UTC()
		value := at.Unix()*unit + int64(at.Nanosecond())/(1e9/unit)
		modern := int64(1.7e9) * unit // another row's, which tells the unit
		c := clockOf(span{least: float64(min(value, modern)), most: float64(max(value, modern))})
		raw := appendInteger(nil, value)
		text, ok := c.text(nil, raw)
		if want := at.Format("2006-01-02 15:04:05.999999999"); !ok || trimZeros(string(text)) != want {
			t.Fatalf("%d reads as %s, want %s", value, text, want)
		}
		back, ok := c.moved(nil, text, appendInteger(nil, modern))
		if got, _ := decode(back); !ok || got != value {
			t.Fatalf("%s is written as %v, want %d", text, got, value)
		}
	})
}

func trimZeros(s string) string {
	if len(s) <= len("2006-01-02 15:04:05") {
		return s
	}
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	return s
}

// A shift moves a number by whole days, in its storage class; the time of day
// stays as near as the number can hold it.
func TestClockMovesByDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(-400, 400).Draw(t, "days")
		check := func(c clock, raw []byte, perDay, slack float64) {
			text, ok := c.text(nil, raw)
			if !ok {
				t.Fatalf("%x has no text", raw)
			}
			at, ok := isoTime(text)
			if !ok {
				t.Fatalf("%s is not read back", text)
			}
			there := at.AddDate(0, 0, days).Format("2006-01-02") + string(text[10:])
			moved, ok := c.moved(nil, []byte(there), raw)
			if !ok || moved[0] != raw[0] || math.Abs(amount(moved)-amount(raw)-float64(days)*perDay) > slack {
				t.Fatalf("%s to %s: %x becomes %x", text, there, raw, moved)
			}
		}
		julian := rapid.Float64Range(1722000, 5373000).Draw(t, "julian day")
		check(clockOf(span{least: julian, most: julian, reals: true}), appendReal(nil, julian), 1, 1e-8)
		check(clockOf(span{least: 1721425.5, most: julian, reals: true}), appendInteger(nil, int64(julian)), 1, 0)
		seconds := rapid.Float64Range(1e9, 4e9).Draw(t, "seconds")
		check(clockOf(span{least: seconds, most: seconds, reals: true}), appendReal(nil, seconds), 86400, 1e-5)
	})
}

// What is no time of the years 1 to 9999 stays a number, for a mask to refuse.
func TestClockRefusesFarYears(t *testing.T) {
	for _, v := range []int64{math.MinInt64, 99999999999999, -99999999999} {
		c := clockOf(span{least: 0, most: 1})
		if text, ok := c.text(nil, appendInteger(nil, v)); ok {
			t.Errorf("%d seconds read as %s", v, text)
		}
	}
	if _, ok := clockOf(span{least: 0, most: 1}).moved(nil, []byte("soon"), appendInteger(nil, 1)); ok {
		t.Error("a word is taken for a time")
	}
}

func TestTruthKeepsItsSpelling(t *testing.T) {
	for old, want := range map[string]string{"t": "f", "F": "F", "true": "false", "FALSE": "FALSE", "True": "False"} {
		if got := string(truthLike(false, []byte(old))); got != want {
			t.Errorf("false like %s: %s, want %s", old, got, want)
		}
	}
}
