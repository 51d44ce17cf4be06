package document_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"understudy/internal/document"
	"understudy/internal/finding"
)

const canary = "usk1_CanaryValue7"

// read walks a document as a caller would, so that structure is checked as well.
func read(data string) []finding.Finding {
	root, r := document.Parse("f.yaml", []byte(data))
	m, ok := root.Known("version", "name", "list", "map", "when", "rate", "count", "on")
	if !ok {
		return r.Findings()
	}
	if v := m.Get("version"); !v.Missing() {
		v.Int(1, 1)
	}
	m.Get("name").Text()
	m.Get("list").List()
	if v := m.Get("map"); !v.Missing() {
		v.Known("keep", "mask")
	}
	m.Get("when").Duration()
	m.Get("rate").Float(0, 100)
	m.Get("count").Int(1, 10)
	m.Get("on").Bool()
	return r.Findings()
}

func TestBadInput(t *testing.T) {
	deep := "list: " + strings.Repeat("[", 80) + strings.Repeat("]", 80)
	bomb := "list: " + strings.Repeat("[", 20000)
	tests := []struct{ name, data, at, message string }{
		{"empty", "", "f.yaml:1:1", "the file is empty"},
		{"only comments", "# nothing\n# here\n", "f.yaml:1:1", "the file is empty"},
		{"byte order mark", "\xef\xbb\xbfversion: 1\n", "f.yaml:1:1", "byte order mark"},
		{"utf-16", "\xff\xfev\x00", "f.yaml:1:1", "UTF-16"},
		{"nul", "version: 1\nname: a\x00b\n", "f.yaml:2:8", "NUL"},
		{"control", "version: 1\nname: \x1b[31m\n", "f.yaml:2:7", "control character"},
		{"invalid utf-8", "version: 1\nname: \xff\n", "f.yaml:2:7", "not valid UTF-8"},
		{"too large", "# " + strings.Repeat("x", document.MaxBytes), "f.yaml", "more than 1048576"},
		{"too deep", deep, "f.yaml:1:70", "nested more than 64 deep"},
		{"bomb", bomb, "f.yaml:1:1", "nested too deep"},
		{"tab", "version: 1\nmap:\n\tkeep: " + canary + "\n", "f.yaml:3:2", "indented with a tab"},
		{"unclosed quote", "version: 1\nname: \"" + canary + "\nlist: []\n", "f.yaml:2:1", "a quote is not closed"},
		{"unclosed list", "version: 1\nlist: [" + canary + "\n", "f.yaml:2:1", "square brackets"},
		{"unclosed mapping", "version: 1\nmap: {keep: " + canary + "\nname: a\n", "f.yaml:2:1", "braces"},
		{"colon", "version: 1\nname: a: " + canary + "\n", "f.yaml:2:1", "colon"},
		{"second document", "version: 1\n---\nname: " + canary + "\n", "f.yaml:2:1", "second document"},
		{"alias", "version: 1\nname: *" + canary + "\n", "f.yaml:2:7", "alias"},
		{"glob", "version: 1\nmap: {keep: *email*}\n", "f.yaml:2:13", "unquoted *"},
		{"anchor", "version: 1\nname: &a " + canary + "\n", "f.yaml:2:7", "anchor"},
		{"merge", "version: 1\nmap:\n  <<: {keep: " + canary + "}\n", "f.yaml:3:3", "merge"},
		{"tag", "version: 1\nname: !!binary " + canary + "\n", "f.yaml:2:7", "tag"},
		{"own tag", "version: 1\nname: !secret " + canary + "\n", "f.yaml:2:7", "tag"},
		{"duplicate key", "version: 1\nname: a\nname: " + canary + "\n", "f.yaml:3:1", "already at line 2"},
		{"nested duplicate", "map: {keep: a, keep: " + canary + "}\n", "f.yaml:1:16", "already at line 1"},
		{"number as key", "version: 1\n12: a\n", "f.yaml:2:1", "not text"},
		{"mapping as key", "version: 1\n? {a: b}\n: c\n", "f.yaml:2:3", "not text"},
		{"unknown key", "version: 1\nnme: " + canary + "\n", "f.yaml:2:1", `unknown key "nme"`},
		{"far unknown key", "version: 1\n" + canary + ": 1\n", "f.yaml:2:1", "unknown key in the file"},
		{"comma", "version: 1\nmap: {keep: one, " + canary + "}\n", "f.yaml:2:18", "an unquoted text ends at its comma"},
		{"list for text", "name: [" + canary + "]\n", "f.yaml:1:7", "name must be text, not a list"},
		{"number for text", "name: 5551234\n", "f.yaml:1:7", "name must be text, not a whole number"},
		{"nothing for text", "name:\n", "f.yaml:1:6", "name needs a value"},
		{"blank text", "name: '  '\n", "f.yaml:1:7", "name is empty"},
		{"text for number", "count: " + canary + "\n", "f.yaml:1:8", "count must be a whole number, not text"},
		{"out of range", "count: 11\n", "f.yaml:1:8", "from 1 to 10"},
		{"huge number", "count: 99999999999999999999\n", "f.yaml:1:8", "count must be a"},
		{"rate", "rate: .nan\n", "f.yaml:1:7", "rate must be a number above 0"},
		{"duration", "when: 10 minutes\n", "f.yaml:1:7", "such as 30s"},
		{"negative duration", "when: -5s\n", "f.yaml:1:7", "such as 30s"},
		{"norway", "on: no\n", "f.yaml:1:5", "true or false, not text"},
		{"quote over lines", "version: 1\nname: \"" + canary + "\n\n\nlist: a\n", "f.yaml:2:1", "a quote is not closed"},
		{"list and key", "list:\n  - a\n  b: " + canary + "\n", "f.yaml:3:3", "a list item was expected"},
		{"escape", "version: 1\nname: \"a\\q" + canary + "\"\n", "f.yaml:2:1", "an escape"},
		{"at sign", "version: 1\nname: @" + canary + "\n", "f.yaml:2:1", "no value can begin with"},
		{"block", "version: 1\nname: |" + canary + "\n  a\n", "f.yaml:2:1", "a block of text"},
		{"indentation", "map:\n  keep: a\n mask: " + canary + "\n", "f.yaml:3:2", "a key with a colon"},
		{"bracket too many", "{name: a}}\n", "f.yaml:1:1", "belongs to nothing"},
		{"after the end", "name: a\n...\n" + canary + "\n", "f.yaml:3:1", "belongs to nothing"},
		{"directive", "%YAML 9.9\n---\nname: a\n", "f.yaml:1:1", "directive"},
		{"star alone", "version: 1\nname: * " + canary + "\n", "f.yaml:2:7", "unquoted *"},
		{"escaped control", "name: \"a\\e[31m" + canary + "\"\n", "f.yaml:1:7", "control character"},
		{"root", "- " + canary + "\n", "f.yaml:1:1", "the file must be a mapping, not a list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := read(tt.data)
			if len(fs) != 1 {
				t.Fatalf("%d findings: %v", len(fs), fs)
			}
			if got := fs[0].At.String(); got != tt.at {
				t.Errorf("at %s, want %s", got, tt.at)
			}
			if !strings.Contains(fs[0].Message, tt.message) {
				t.Errorf("message %q lacks %q", fs[0].Message, tt.message)
			}
			if text := fmt.Sprint(fs); strings.Contains(text, "Canary") {
				t.Errorf("a finding quotes the file: %s", text)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	fs := read("version: 2\nname: *glob*\nlist: x\nmap: {kep: a, *_at: b}\nwhen: soon\nrate: 101\ncount: x\non: 1\nextra: 1\nname: again\n")
	var lines []string
	for _, f := range fs {
		lines = append(lines, f.String())
	}
	if len(fs) != 11 {
		t.Fatalf("%d findings, want 11:\n%s", len(fs), strings.Join(lines, "\n"))
	}
}

func TestGlobKeepsItsText(t *testing.T) {
	root, r := document.Parse("f.yaml", []byte("äö: {a: *email*, b: [*_at, \"*x*\"]}\n"))
	m, _ := root.Map()
	inner, _ := m.Entries[0].Value.Map()
	if s, _ := inner.Get("a").Text(); s != "*email*" {
		t.Errorf("a is %q", s)
	}
	items, _ := inner.Get("b").List()
	for i, want := range []string{"*_at", "*x*"} {
		if s, _ := items[i].Text(); s != want {
			t.Errorf("item %d is %q, want %q", i, s, want)
		}
	}
	if n := len(r.Findings()); n != 2 {
		t.Errorf("%d findings, want 2: %v", n, r.Findings())
	}
}

func TestGoodInput(t *testing.T) {
	if fs := read("version: 1\r\nname: \"a: b # c\"\r\nlist: [1, two]\r\nmap: {keep: x}\r\nwhen: 30d\r\nrate: 0.5\r\ncount: 10\r\non: true\r\n"); len(fs) > 0 {
		t.Fatal(fs)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"version: 1\nname: *a*\n", "a: {b: *, c: *x}\n", "a: |\n  *x*\n", "? [a]\n: b\n", "a: &x b\n---\nc", "\"a\": 'b", "a:\n\tb: c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, r := document.Parse("f", data)
		for _, x := range r.Findings() {
			if x.Message == "" || x.At.File != "f" {
				t.Fatalf("a finding without message or place: %+v", x)
			}
		}
	})
}

// A key that stands in the wrong part of a file is told where it belongs, and one
// that resembles a key of this part what it was meant for.
func TestHomes(t *testing.T) {
	root, r := document.Parse("f.yaml", []byte("seeds: []\nlimit:\n  preserve: [a]\nlimits:\n  keep: 1\n  nowhere: 2\n"))
	r.Homes(map[string]string{"seeds": "under subset", "preserve": "under load", "keep": "under load or under report", "limit": "in a seed"})
	m, _ := root.Called("the job").Known("version", "limits")
	if v := m.Get("limits"); !v.Missing() {
		v.Called("limits").Known("readers")
	}
	var got []string
	for _, f := range r.Findings() {
		got = append(got, f.String()+" -- "+f.Hint)
	}
	want := []string{
		"f.yaml:1:1: seeds does not belong in the job -- write it under subset",
		"f.yaml:2:1: unknown key \"limit\" -- did you mean limits?",
		"f.yaml:5:3: keep does not belong in limits -- write it under load or under report",
		"f.yaml:6:3: unknown key in limits -- known here: readers",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
