package parity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/catalog"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func waivers(t *testing.T, text string) []parity.Waiver {
	t.Helper()
	list, found := parity.ReadWaivers("w.yaml", []byte(text), now)
	if len(found) > 0 {
		t.Fatalf("%+v", found)
	}
	return list
}

func codes(found []finding.Finding) (out []string) {
	for _, f := range found {
		out = append(out, fmt.Sprintf("%s %d %s", f.Check, f.Code, f.Message))
	}
	return out
}

// compare makes a report of sides that both looked for tables and columns.
func compare(t *testing.T, source, target []catalog.Fact) *parity.Report {
	t.Helper()
	kinds := []string{"table", "column"}
	r, err := parity.Make(t.Context(), catalog.New(nil, source, kinds, nil), catalog.New(nil, target, kinds, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestScore follows the documented arithmetic, and reaches 100 only when nothing open differs.
func TestScore(t *testing.T) {
	var source, target []catalog.Fact
	for i := range 1000 {
		f := fact("table", fmt.Sprintf("s.t%d", i), fmt.Sprintf("s.t%d", i), "")
		source, target = append(source, f), append(target, f)
	}
	if r := compare(t, source, target); r.Score != 100 || r.Tables != (parity.Share{Alike: 1000, Of: 1000}) {
		t.Errorf("equal: %v %v", r.Score, r.Tables)
	}
	target[0].Parts = []catalog.Part{{Name: "comment", Text: "x"}}
	if r := compare(t, source, target); r.Score != 99.9 || r.Tables.Alike != 999 {
		t.Errorf("one comment in a thousand objects: %v %v", r.Score, r.Tables)
	}
	// A table that is gone stands for all that belongs to it: 1 + 3 of 1,003 objects.
	for i := range 3 {
		source = append(source, fact("column", fmt.Sprintf("s.t1.c%d", i), "s.t1", ""))
	}
	target = append(target[:1:1], target[2:]...)
	target[0].Parts = nil
	if r := compare(t, source, target); r.Score != 99.6 || len(r.Differences) != 1 {
		t.Errorf("a table of four objects: %v %+v", r.Score, r.Differences)
	}
	if r := compare(t, source, nil); r.Score != 0 {
		t.Errorf("nothing alike: %v", r.Score)
	}
}

func TestGates(t *testing.T) {
	source, target := sides()
	judge := func(s parity.Standard) (*parity.Report, []finding.Finding) {
		r := report(t, source, target, nil)
		return r, r.Judge(s, now)
	}
	least := func(f float64) *float64 { return &f }
	if _, found := judge(parity.Standard{}); len(found) > 0 {
		t.Errorf("no gate, yet %v", codes(found))
	}
	if _, found := judge(parity.Standard{Minimum: least(40)}); len(found) > 0 {
		t.Errorf("the score is reached, yet %v", codes(found))
	}
	if _, found := judge(parity.Standard{Minimum: least(40.1)}); fault.CodeOf(fault.From(found, fault.Usage)) != fault.Gate {
		t.Errorf("the score is not reached: %v", codes(found))
	}
	for _, c := range []struct {
		standard parity.Standard
		unseen   []string
		blind    int
	}{
		{parity.Standard{Minimum: least(40)}, []string{"target: trigger: the user may not see any"}, 1},
		{parity.Standard{Minimum: least(40)}, nil, 0},
		{parity.Standard{}, []string{"target: trigger"}, 0},             // nothing was asked for
		{parity.Standard{Minimum: least(41)}, []string{"target: x"}, 0}, // which says no anyway
	} {
		r := report(t, source, target, nil)
		r.Unseen = c.unseen
		r.Judge(c.standard, now)
		if found := r.Blind(); len(found) != c.blind {
			t.Errorf("%v, unseen %v: %v", c.standard, c.unseen, found)
		}
	}
	for table, want := range map[string]fault.Code{"a": fault.Gate, "shop.a": fault.Gate, "b": fault.Usage, "shop.gone": fault.Gate, "more": fault.Gate} {
		if _, found := judge(parity.Standard{Critical: []parity.Critical{{Table: table}}}); fault.CodeOf(fault.From(found, fault.Done)) != want {
			t.Errorf("critical %s: %v", table, codes(found))
		}
	}
	all := waivers(t, `
version: 1
waivers:
- {match: {object: shop.a.*, kind: [column, index, trigger]}, reason: narrower on purpose, owner: ann, ticket: T-1, expires: 2026-06-01}
- {match: {object: "shop.f(*)", kind: function}, reason: r, owner: o, ticket: 7, expires: 2026-08-30}
- {match: {object: shop.gone, change: missing in target}, reason: r, owner: o, ticket: t, expires: 2026-06-02}
- {match: {object: shop.mor*}, reason: r, owner: o, ticket: t, expires: 2026-06-02}
- {match: {object: shop.v, kind: [view, table]}, reason: r, owner: o, ticket: t, expires: 2026-06-02}
`)
	r, found := judge(parity.Standard{Minimum: least(100), Critical: []parity.Critical{{Table: "a"}}, Waivers: all})
	if len(found) > 0 || r.Score != 100 || r.WaivedDifferences() != 6 || len(r.Groups()) > 0 || r.Find("d3a7fc6de628a36a").Waived != "narrower on purpose (ann, T-1, until 2026-06-01)" {
		t.Errorf("all waived: %v %v %+v", r.Score, codes(found), r.Differences)
	}
	// The day after, the first one lets nothing pass and fails by itself.
	r = report(t, source, target, nil)
	found = r.Judge(parity.Standard{Waivers: all[:1]}, now.Add(24*time.Hour))
	if fault.CodeOf(fault.From(found, fault.Usage)) != fault.Gate || r.WaivedDifferences() > 0 || r.Waivers[0].Outcome != "expired" {
		t.Errorf("expired: %v %+v", codes(found), r.Waivers)
	}
	r = report(t, source, target, nil)
	found = r.Judge(parity.Standard{Waivers: waivers(t, "version: 1\nwaivers: [{match: {object: shop.other}, reason: r, owner: o, ticket: t, expires: 2026-06-02}]")}, now)
	if len(found) != 1 || found[0].Severity != finding.Warning || found[0].At.Line != 2 {
		t.Errorf("unused: %v", found)
	}
}

// TestWaiversAreStrict: every mistake in the file is told with its place, all at once.
func TestWaiversAreStrict(t *testing.T) {
	const good = "reason: r, owner: o, ticket: t, expires: 2026-06-02"
	for text, want := range map[string]string{
		"{match: {object: s.t.c}, owner: o, ticket: t, expires: 2026-06-02}":            "lacks reason",
		"{match: {object: s.t.c}, reason: r, ticket: t, expires: 2026-06-02}":           "lacks owner",
		"{match: {object: s.t.c}, reason: r, owner: o, expires: 2026-06-02}":            "lacks ticket",
		"{match: {object: s.t.c}, reason: r, owner: o, ticket: t}":                      "lacks expires",
		"{match: {object: s.t.c}, reason: r, owner: o, ticket: t, expires: soon}":       "expires is no day",
		"{match: {object: s.t.c}, reason: r, owner: o, ticket: t, expires: 2026-08-31}": "more than 90 days ahead",
		"{match: {}, " + good + "}":                            "too broad",
		"{match: {kind: column}, " + good + "}":                "too broad",
		`{match: {object: "*"}, ` + good + "}":                 "too broad",
		"{match: {object: s.*}, " + good + "}":                 "too broad",
		`{match: {object: "s.*.*"}, ` + good + "}":             "too broad",
		"{match: {object: s.ab*}, " + good + "}":               "too broad",
		"{match: {object: s.pay.*}, " + good + "}":             "too broad",
		"{match: {object: s.t.c, kind: colum}, " + good + "}":  "no object is of the kind",
		"{match: {object: s.t.c, change: gone}, " + good + "}": "change must be one of",
		"{match: {object: s.t.c}, why: x, " + good + "}":       "unknown key",
	} {
		_, found := parity.ReadWaivers("w.yaml", []byte("version: 1\nwaivers:\n- "+text+"\n"), now)
		if len(found) == 0 || !strings.Contains(found[0].Message, want) || found[0].At.Line != 3 || found[0].Code != int(fault.Usage) {
			t.Errorf("%s: %+v, want %q", text, found, want)
		}
	}
	twice := "- {match: {object: s.t.c, kind: column}, " + good + "}\n"
	if _, found := parity.ReadWaivers("w.yaml", []byte("version: 1\nwaivers:\n"+twice+twice), now); len(found) != 1 || found[0].At.Line != 4 || !strings.Contains(found[0].Message, "line 3") {
		t.Errorf("a waiver twice: %+v", found)
	}
	if _, found := parity.ReadWaivers("w.yaml", []byte("version: 1\nlongest: 180d\nwaivers: [{match: {object: s.t.c}, reason: r, owner: o, ticket: t, expires: 2026-11-28}]"), now); len(found) > 0 {
		t.Errorf("longest lets it: %+v", found)
	}
}

// TestAge: what is new, gone and still there is told against the comparison before.
func TestAge(t *testing.T) {
	source, target := sides()
	r := report(t, source, target, nil)
	r.Age(nil, now)
	for _, d := range r.Differences {
		if d.New || !d.Since.Equal(now) {
			t.Errorf("the first comparison: %+v", d)
		}
	}
	m := r.Remember("a", "b", now)
	less := func(facts []catalog.Fact) []catalog.Fact {
		return slices.DeleteFunc(slices.Clone(facts), func(f catalog.Fact) bool { return f.Table == "shop.gone" || f.Table == "shop.more" })
	}
	r = report(t, less(source), less(target), nil)
	later := now.Add(48 * time.Hour)
	r.Age(m, later)
	var gone []string
	for _, p := range r.Gone {
		gone = append(gone, p.Object)
	}
	if strings.Join(gone, " ") != "shop.gone shop.more" || !r.Oldest().Equal(now) {
		t.Errorf("gone: %v, oldest %v", gone, r.Oldest())
	}
	source, target = sides() // the catalogs took the others over
	target[1].Parts[0].Text = "varchar(50)"
	r = report(t, source, target, nil)
	r.Age(m, later)
	fresh := 0
	for _, d := range r.Differences {
		if d.New {
			fresh++
			if d.Object != "shop.a.x" || !d.Since.Equal(later) {
				t.Errorf("new: %+v", d)
			}
		}
	}
	if fresh != 1 {
		t.Errorf("%d are new", fresh)
	}
	if parity.Recall([]byte(`{"format":1,"source":"a","target":"c","taken":"2026-06-01T00:00:00Z"}`), "a", "b") != nil {
		t.Error("another target's memory was taken")
	}
}
