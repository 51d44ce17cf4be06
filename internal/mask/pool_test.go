package mask

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"understudy/internal/schema"
)

var update = flag.Bool("update", false, "write testdata/fakes.golden anew")

// Fakes are the same for ever, unless PoolVersion changes: who updates this file
// changes every stand-in that anybody has made.
func TestFakesArePinned(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "pools %s %s\nkey %s\n", PoolVersion, PoolHash(), testKey(t, 1).Fingerprint())
	line := func(name string, w *Worker, value string) {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", name, value, fake(t, w, value))
	}
	for _, k := range Kinds() {
		if k.Name == "nullify" {
			continue
		}
		w := makeMask(t, k.Name, Limits{Kind: kindFor(k.Name), Scale: -1}, paramsFor(k.Name)...).Worker()
		for i := range 12 {
			line(k.Name, w, typical(k.Name, i*1234567))
		}
	}
	for _, length := range []int{1, 5, 9, 12, 20, 30} {
		for _, name := range []string{"full_name", "email", "username", "phone", "street", "city", "company", "hash", "redact"} {
			if m, err := New(testKey(t, 1), Spec{Mask: name, Domain: "d"}, Limits{Kind: schema.Text, Length: length}); err == nil {
				line(fmt.Sprintf("%s(%d)", name, length), m.Worker(), "original")
			}
		}
	}
	unique := makeMask(t, "phone", Limits{Kind: schema.Text, Unique: true, Length: 20, Rows: 1000}).Worker()
	line("phone unique", unique, "+49 30 1234567")
	line("phone unique", unique, "0301234567")
	fpe := makeMask(t, "fpe", Limits{Kind: schema.Text}).Worker()
	for _, v := range []string{"7", "x", "ab-1234", "AB-1234", "4111111111111111", "DE89 3704 0044 0532 0130 00", strings.Repeat("Long1", 20)} {
		line("fpe", fpe, v)
	}
	numbers := makeMask(t, "fpe", Limits{Kind: schema.Integer, Min: -1 << 31, Max: 1<<31 - 1}).Worker()
	for _, v := range []string{"0", "7", "-7", "12345", "2147483647", "-2147483648"} {
		line("fpe integer", numbers, v)
	}
	decimals := makeMask(t, "fpe", Limits{Kind: schema.Decimal, Scale: 2}).Worker()
	for _, v := range []string{"0.00", "0.05", "19.9", "-1234.56"} {
		line("fpe decimal", decimals, v)
	}
	path := filepath.Join("testdata", "fakes.golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() == string(want) {
		return
	}
	got, old := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(got), len(old)) {
		if got[i] != old[i] {
			t.Fatalf("line %d: fakes changed\n got %s\nwant %s", i+1, got[i], old[i])
		}
	}
	t.Fatalf("%d lines, want %d", len(got), len(old))
}

func TestPools(t *testing.T) {
	for name, p := range map[string]struct {
		list  []string
		least int
	}{
		"first names": {firstNames(), 1500}, "last names": {lastNames(), 2000}, "cities": {cities(), 5000},
		"streets": {streetNames(), 5000}, "companies": {firms(), 8000}, "handles": {handles(), 1500},
	} {
		if len(p.list) < p.least {
			t.Errorf("%s: only %d", name, len(p.list))
		}
		if !slices.IsSorted(p.list) || len(slices.Compact(slices.Clone(p.list))) != len(p.list) {
			t.Errorf("%s: not sorted or not distinct", name)
		}
		for _, s := range p.list {
			if strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ") != "" || strings.TrimSpace(s) != s {
				t.Errorf("%s: %q has other characters than letters and inner blanks", name, s)
			}
		}
	}
}

// A million fakes of what could reach somebody: all inside space that nobody can
// own.
func TestReservedSpaceOnly(t *testing.T) {
	n := 1000000
	if testing.Short() {
		n = 100000
	}
	addresses := regexp.MustCompile(`^[a-z0-9]+(\.[a-z]+)?@(example\.(com|net|org)|a\.test)$`)
	fiction := regexp.MustCompile(`^(\+?1)?-?([2-9][0-8][0-9]-?)?555-?01[0-9][0-9]$`)
	service := regexp.MustCompile(`[2-9]11-?555`)
	unassigned := regexp.MustCompile(`^\+?999[0-9]{12,}$`)
	scan := func(name string, m *Mask, n int, value func(i int) string, good func(fake string) bool) {
		w := m.Worker()
		for i := range n {
			if f := fake(t, w, value(i)); !good(f) {
				t.Fatalf("%s: %q is outside reserved space", name, f)
			}
		}
	}
	forms := []string{"+49 30 %d", "+4930%d", "030%d", "(030) %d", "%d"}
	number := func(i int) string { return fmt.Sprintf(forms[i%len(forms)], i) }
	address := func(i int) string { return typical("email", i) }
	fictional := func(f string) bool { return fiction.MatchString(f) && !service.MatchString(f) }
	scan("email", makeMask(t, "email", Limits{Kind: schema.Text}), n, address, addresses.MatchString)
	scan("phone", makeMask(t, "phone", Limits{Kind: schema.Text}), n, number, fictional)
	scan("phone unique", makeMask(t, "phone", Limits{Kind: schema.Text, Unique: true}), n/10, number, unassigned.MatchString)
	for length := 7; length <= 60; length++ {
		limits := Limits{Kind: schema.Text, Length: length}
		scan("phone", makeMask(t, "phone", limits), 200, number, fictional)
		if m, err := New(testKey(t, 1), Spec{Mask: "email", Domain: "d"}, limits); err == nil {
			scan("email", m, 200, address, addresses.MatchString)
		}
	}
	for _, c := range []struct {
		domain string
		good   bool
	}{
		{"example.com", true}, {"staging.shop.example.org", true}, {"shop.test", true}, {"mail.shop.invalid", true}, {"a.example", true},
		{"test", false}, {"example", false}, {"myexample.com", false}, {"test.com", false}, {"", false}, {"a..test", false}, {"-a.test", false}, {"a b.test", false},
	} {
		if reservedDomain(c.domain) != c.good {
			t.Errorf("domain %q: reserved is %t", c.domain, !c.good)
		}
	}
}

func TestAreaCodes(t *testing.T) {
	seen := map[string]bool{}
	for area := range areas {
		code := string(dial(nil, "NNN", area, 0))
		if seen[code] || code[1] == '9' || code[1:] == "11" || code[0] < '2' {
			t.Errorf("area %d has code %s", area, code)
		}
		seen[code] = true
	}
}
