package mask

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"understudy/internal/schema"
)

// The calendar agrees with package time over ten thousand years.
func TestCalendar(t *testing.T) {
	base := daysOf(1, 1, 1)
	day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range int64(3652059) {
		if i%97 == 0 {
			d := day.AddDate(0, 0, int(i))
			y, m, dom := dateOf(base + i)
			if int(y) != d.Year() || m != int(d.Month()) || dom != d.Day() || daysOf(y, m, dom) != base+i {
				t.Fatalf("day %d is %d-%d-%d, want %s", i, y, m, dom, d)
			}
		}
	}
	for i := int64(-2000000); i < 110000000; i += 997 {
		if y, m, d := dateOf(i); daysOf(y, m, d) != i {
			t.Fatalf("day %d does not come back", i)
		}
	}
}

func TestDateShift(t *testing.T) {
	m := makeMask(t, "date_shift", Limits{Kind: schema.Timestamp}, "within", "30d")
	w := m.Worker()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(rapid.IntRange(1, 9999).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"),
			rapid.IntRange(0, 23).Draw(t, "hour"), 5, 6, 789000000, time.UTC)
		rest := at.Format(rapid.SampledFrom([]string{"", " 15:04:05", " 15:04:05.000000", "T15:04:05Z", " 15:04:05+00", " 15:04:05.123-04:56:02"}).Draw(t, "rest"))
		text := at.Format("2006-01-02")
		f := fake(through(t), w, text+rest)
		moved, err := time.Parse("2006-01-02", f[:10])
		if err != nil || f[10:] != rest {
			t.Fatalf("%s%s becomes %s", text, rest, f)
		}
		days := moved.Sub(at.Truncate(24*time.Hour)).Hours() / 24
		if days == 0 || days > 30 || days < -30 {
			t.Fatalf("%s moved by %g days", text, days)
		}
		if fake(through(t), w, text) != f[:10] {
			t.Fatal("the time of day has an influence on the shift")
		}
	})
}

// What stands behind a date is copied, so it must be a time and nothing else.
func TestNothingHidesBehindADate(t *testing.T) {
	for _, name := range []string{"date_shift", "date_truncate"} {
		m := makeMask(t, name, Limits{Kind: schema.Text})
		for _, rest := range []string{" Jane Doe", " Jane Doe, 078-05-1120", " 10:00:00 Jane", " 10:00 +1 555 0100", " 12345678", "T1", " 10:00:00.1234567890", " 10:00:00+00:00:00:00", " BC Jane BC", "\n10:00"} {
			for _, day := range []string{"1980-05-05", "0000-00-00"} {
				if f, _, err := m.Worker().Append(nil, []byte(day+rest)); err == nil || m.Keeps([]byte(day+rest)) {
					t.Errorf("%s takes what stands behind a date: %q", name, f)
				}
			}
		}
		for _, rest := range []string{"", " 10", "T10:11", " 10:11:12", "T10:11:12Z", " 10:11:12.123456", " 10:11:12.5+02", " 10:11:12 +0200", " 10:11:12 UTC", " 10:11:12-04:56:02", " 10:11:12+00 BC"} {
			if _, _, err := m.Worker().Append(nil, []byte("1980-05-05"+rest)); err != nil {
				if !strings.HasSuffix(rest, "BC") { // 1980 BC is as good
					t.Errorf("%s refuses %q: %v", name, rest, err)
				}
			}
		}
	}
}

func TestDateEdges(t *testing.T) {
	m := makeMask(t, "date_shift", Limits{Kind: schema.Timestamp}, "within", "10y")
	w := m.Worker()
	for _, v := range []string{"infinity", "-infinity", "0000-00-00", "0000-00-00 00:00:00", ""} {
		if f := fake(t, w, v); f != v || !m.Keeps([]byte(v)) {
			t.Errorf("%s becomes %s", v, f)
		}
	}
	for _, v := range []string{"0001-01-01", "9999-12-31 23:59:59.999999", "0001-06-15 00:00:00", "9998-03-01"} {
		f := fake(t, w, v)
		if len(f) != len(v) || strings.HasSuffix(f, "BC") || f == v {
			t.Errorf("%s becomes %s: out of the years 1 to 9999", v, f)
		}
	}
	for _, v := range []string{"0044-03-15 BC", "0044-03-15 12:00:00 BC", "4713-01-01 BC", "12024-05-06", "294276-12-31 23:59:59", "5874897-12-31"} {
		f := fake(t, w, v)
		if f == v || strings.HasSuffix(f, "BC") != strings.HasSuffix(v, "BC") {
			t.Errorf("%s becomes %s", v, f)
		}
		if _, ok := parseDate([]byte(f)); !ok {
			t.Errorf("%s becomes %s, which is no date", v, f)
		}
	}
	one := makeMask(t, "date_shift", Limits{Kind: schema.Date}, "within", "1d").Worker()
	back, forth := 0, 0
	for i := range 1000 {
		switch v := time.Date(2000, 1, 1+i, 0, 0, 0, 0, time.UTC); fake(t, one, v.Format(time.DateOnly)) {
		case v.AddDate(0, 0, 1).Format(time.DateOnly):
			forth++
		case v.AddDate(0, 0, -1).Format(time.DateOnly):
			back++
		}
	}
	if back+forth != 1000 || back < 400 || forth < 400 {
		t.Errorf("%d back, %d forth of 1000", back, forth)
	}
}

func FuzzDateShift(f *testing.F) {
	for _, s := range []string{"", "2024-02-29", "2023-02-29", "0001-01-01 BC", "infinity", "2024-02-29 24:00:00", "2024-02-29T10:11:12.5+02:00", "99999999-01-01", "2024-1-1", "0000-01-01", "20240229", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		m := makeMask(t, "date_shift", Limits{Kind: schema.Timestamp})
		out, null, err := m.Worker().Append(nil, []byte(value))
		if err != nil {
			return
		}
		if m.Keeps([]byte(value)) != (string(out) == value) || null {
			t.Fatalf("%q becomes %q", value, out)
		}
		if _, ok := parseDate(out); !ok && !m.Keeps(out) {
			t.Fatalf("%q becomes %q, which is no date", value, out)
		}
	})
}
