package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

// maskAll is by kind what masks a column, keys first: what is unique stays so.
const maskAll = `version: 1
defaults:
  - {match: {type: text, key: primary}, mask: hash, class: key}
  - {match: {type: text, key: unique}, mask: hash, class: key}
  - {match: {type: text, key: foreign}, mask: hash, class: key}
  - {match: {type: integer, key: primary}, mask: int, class: key}
  - {match: {type: integer, key: unique}, mask: int, class: key}
  - {match: {type: integer, key: foreign}, mask: int, class: key}
  - {match: {type: uuid}, mask: uuid, class: key}
  - {match: {type: bytes, key: unique}, mask: hash, class: key}
  - {match: {type: bytes, key: primary}, mask: hash, class: key}
  - {match: {type: net, key: primary}, mask: mac}
  - {match: {column: "*", type: geo}, mask: nullify}
  - {match: {column: "*", type: other}, mask: nullify}
  - {match: {column: "*"}, mask: redact}
`

// maskEverything writes rules that mask every column that can be, and keep those
// of which the plan says that it cannot. It gives the columns that are masked
// and those that are kept.
func (e *errand) maskEverything(t *testing.T) (masked, kept int) {
	t.Helper()
	keep := map[string]map[string]any{}
	for range 12 {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(keep); err != nil {
			t.Fatal(err)
		}
		rules := maskAll
		if len(keep) > 0 {
			rules += "tables: " + strings.ReplaceAll(text.String(), "\u0085", `\u0085`)
		}
		e.write(t, "rules/all.yaml", rules)
		code, s := e.start(t, nil, "plan", "--json")
		var plan struct {
			Masks    []struct{ Table, Column, Decision string }
			Findings []struct{ Severity, Table, Column, Message string }
		}
		if err := json.Unmarshal([]byte(s.out), &plan); err != nil {
			t.Fatalf("%v\n%s", err, s.all())
		}
		if code == 0 {
			for _, m := range plan.Masks {
				switch m.Decision {
				case "mask":
					masked++
				case "keep":
					kept++
				}
			}
			return masked, kept
		}
		grown := false
		add := func(table, column string) {
			if keep[table] == nil {
				keep[table] = map[string]any{"columns": map[string]any{}}
			}
			columns := keep[table]["columns"].(map[string]any)
			grown = grown || columns[schema.Ident(column)] == nil
			columns[schema.Ident(column)] = map[string]string{"keep": "no mask fits"}
		}
		wrong := map[string]bool{}
		for _, f := range plan.Findings {
			if f.Severity == "error" && f.Column != "" {
				add(f.Table, f.Column)
				wrong[f.Column] = true
			}
			if _, rest, ok := strings.Cut(f.Message, " contradicts what it references: "); ok && f.Severity == "error" {
				parts, err := schema.ParseName(rest[:strings.LastIndex(rest, " at ")])
				if err != nil {
					t.Fatal(err)
				}
				add(schema.Name{Schema: parts[0], Table: parts[1]}.String(), parts[2])
			}
		}
		if !grown { // a child's column follows its parent's, which has the same name
			for _, m := range plan.Masks {
				if wrong[m.Column] {
					add(m.Table, m.Column)
				}
			}
		}
		if !grown {
			t.Fatalf("the plan is refused for no column's sake:\n%s", s.all())
		}
	}
	t.Fatal("there is no end of columns that cannot be masked")
	return 0, 0
}

// verifies wants that nothing changed.
func (e *errand) verifies(t *testing.T) {
	t.Helper()
	e.run(t, 0, "verify")
}

// TestTortureMasked masks whatever can be masked of every type: all is loaded,
// constraints hold, and no value that was masked away is left.
func TestTortureMasked(t *testing.T) {
	for _, name := range []string{"types", "everything"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := tortured(t, name), scratchtest.Database(t)
			e := newErrand(t, source, target, plainJob(keepNone), nil)
			masked, kept := e.maskEverything(t)
			if masked < 4*kept {
				t.Errorf("%d columns are masked, and %d are kept", masked, kept)
			}
			e.run(t, 0, "refresh")
			wantWhole(t, source, target)
			e.run(t, 0, "verify").wants(t, "refresh left no digest of them") // of constants that the server may write in another way
		})
	}
}

// TestUniqueInOtherWays refuses in the plan what an exclusion constraint, or a
// key to which NULL is a value, would refuse in the load.
func TestUniqueInOtherWays(t *testing.T) {
	t.Parallel()
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, source, `CREATE EXTENSION btree_gist;
		CREATE TABLE stays (room int, during daterange, net inet, badge text UNIQUE NULLS NOT DISTINCT, EXCLUDE USING gist (room WITH =, during WITH &&), EXCLUDE USING gist (net inet_ops WITH &&));
		INSERT INTO stays SELECT n, '[2020-01-01,2020-02-01)', '10.0.0.0'::inet + n, 'b' || n FROM generate_series(1, 40) n`)
	e := newErrand(t, source, target, plainJob(keepNone), nil)
	fine := map[string]string{"room": "int", "during": "nullify", "net": "nullify", "badge": "hash"}
	for _, c := range []struct {
		column, mask string
		exit         int
		says         string
	}{
		{"room", "redact", 2, "the column is unique"},
		{"during", `{mask: constant, value: "empty"}`, 2, "by more than equality"},
		{"net", "ip", 2, "by more than equality"},
		{"badge", "nullify", 2, "NULLS NOT DISTINCT"},
		{"badge", "fpe", 0, ""},
	} {
		rules := "version: 1\ntables:\n  stays:\n    columns:\n"
		for column, mask := range fine {
			if column == c.column {
				mask = c.mask
			}
			rules += "      " + column + ": " + mask + "\n"
		}
		e.write(t, "rules/all.yaml", rules)
		e.run(t, c.exit, "refresh").wants(t, c.says)
	}
	e.run(t, 0, "verify")
}
