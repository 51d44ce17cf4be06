package catalog

import "testing"

// What the reading role is granted in production hides nothing, and what was
// revoked from everybody there is told, whoever reads.
func TestForgivingTheReader(t *testing.T) {
	for _, c := range []struct {
		name           string
		kind           string
		source, target string // "-" for what a list is when nobody granted or revoked anything
		told           bool
	}{
		{"the reader's own SELECT", "grant", "SELECT TO reader", "-", false},
		{"beside another's", "grant", "SELECT TO app, SELECT TO reader", "SELECT TO app", false},
		{"and another's, which is gone", "grant", "SELECT TO app, SELECT TO reader", "-", true},
		{"a function taken from everybody", "grant on a function", "", "-", true},
		{"a function taken from everybody but the reader", "grant on a function", "EXECUTE TO reader", "-", true},
		{"a function given to the reader as well", "grant on a function", "EXECUTE TO PUBLIC, EXECUTE TO reader", "-", false},
		{"a type taken from everybody", "grant on a type", "", "-", true},
		{"a type given to the reader as well", "grant on a type", "USAGE TO PUBLIC, USAGE TO reader", "-", false},
		{"a language taken from everybody", "grant on a language", "", "-", true},
		{"a schema given to the reader", "grant on a schema", "USAGE TO reader", "-", false},
	} {
		side := func(list string) *Catalog {
			if list == "-" {
				return New(nil, nil, []string{c.kind}, nil)
			}
			return New(nil, []Fact{{Kind: c.kind, Object: "s.o", Definition: list}}, []string{c.kind}, nil)
		}
		source := side(c.source)
		source.Reader = "reader"
		got, err := Compare(t.Context(), source, side(c.target), nil)
		if err != nil {
			t.Fatal(err)
		}
		if told := len(got.Differences) > 0; told != c.told {
			t.Errorf("%s: told %v, want %v: %+v", c.name, told, c.told, got.Differences)
		}
	}
}
