package mysql

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"understudy/internal/schema"
)

// TestTypesPageIsTrue holds TYPES.md to the code: each type that it names has the
// kind that it tells, and no kind is left out.
func TestTypesPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("TYPES.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([A-Z0-9]+)(\\([^)]*\\))?`")
	told := map[schema.Kind]bool{}
	types := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 3 {
			continue
		}
		kinds := strings.Split(cells[1], "; ")
		for i, group := range strings.Split(cells[0], "; ") {
			want := kinds[min(i, len(kinds)-1)]
			if strings.Contains(group, "all else") {
				group += " `SERIAL9`" // a type that no version has
			}
			for _, m := range named.FindAllStringSubmatch(group, -1) {
				base, args := strings.ToLower(m[1]), m[2]
				if base == "unsigned" || base == "zerofill" {
					continue
				}
				if base == "boolean" {
					base, args = "tinyint", "(1)"
				}
				c := schema.Column{Type: base + args}
				precision := 8
				if args == "(1)" {
					precision = 1
				}
				describe(&c, &columnFacts{base: base}, 20, precision, 2)
				told[c.Kind] = true
				types++
				if string(c.Kind) != want {
					t.Errorf("%s%s: the page says %q, the code %q", m[1], m[2], want, c.Kind)
				}
			}
		}
	}
	if types < 30 {
		t.Errorf("%d types were found on the page", types)
	}
	for _, k := range []schema.Kind{schema.Integer, schema.Boolean, schema.Decimal, schema.Text, schema.Bytes, schema.Date, schema.Timestamp, schema.Time, schema.Enum, schema.JSON, schema.UUID, schema.Net, schema.Geo, schema.Other} {
		if !told[k] {
			t.Errorf("the page does not tell of kind %s", k)
		}
	}
}
