package parity_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"understudy/internal/catalog"
	"understudy/internal/parity"
)

func fact(kind, object, table, definition string) catalog.Fact {
	return catalog.Fact{Kind: kind, Object: object, Table: table, Definition: definition}
}

func sides() (source, target []catalog.Fact) {
	source = []catalog.Fact{
		{Kind: "table", Object: "shop.a", Table: "shop.a", Parts: []catalog.Part{{Name: catalog.ColumnOrder, Text: "x\ny\nz"}}},
		{Kind: "column", Object: "shop.a.x", Table: "shop.a", Parts: []catalog.Part{{Name: "type", Text: "varchar(80)"}}},
		fact("view", "shop.v", "", "CREATE VIEW shop.v AS SELECT 1"),
		fact("trigger", "shop.a.t", "shop.a", "CREATE TRIGGER t"),
		fact("trigger", "shop.gone.t", "shop.gone", "CREATE TRIGGER t"),
		fact("table", "shop.gone", "shop.gone", ""),
		fact("function", "shop.f(integer)", "", "one"),
		fact("table", "understudy.manifest", "understudy.manifest", ""),
	}
	target = []catalog.Fact{
		{Kind: "table", Object: "shop.a", Table: "shop.a", Parts: []catalog.Part{{Name: catalog.ColumnOrder, Text: "x\nw\ny\nz"}}},
		{Kind: "column", Object: "shop.a.x", Table: "shop.a", Parts: []catalog.Part{{Name: "type", Text: "varchar(60)"}}},
		fact("trigger", "shop.a.t", "shop.a", "CREATE TRIGGER t"),
		fact("function", "shop.f(integer)", "", "two"),
		fact("function", "shop.f(text)", "", "three"),
		fact("table", "shop.more", "shop.more", ""),
		fact("index", "shop.more.i", "shop.more", ""),
	}
	return source, target
}

func report(t *testing.T, source, target []catalog.Fact, names map[string]string) *parity.Report {
	t.Helper()
	kinds := []string{"policy"}
	r, err := parity.Make(t.Context(), catalog.New(nil, source, append(kinds, "index"), nil),
		catalog.New(nil, target, append(kinds, "view"), []string{"grants: the role may not read them"}), names)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReportIsTheContract holds the JSON's fields and their order against the text that others rely on.
func TestReportIsTheContract(t *testing.T) {
	source, target := sides()
	got, err := json.MarshalIndent(report(t, source, target, nil), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "score": 40,
 "tables": {
  "alike": 0,
  "of": 3
 },
 "differences": [
  {
   "id": "a1bf010c710d4d74",
   "kind": "function",
   "object": "shop.f(integer)",
   "change": "different",
   "detail": "definition: one is two in target",
   "effect": "changes behaviour",
   "why": "the same call gives another result in staging"
  },
  {
   "id": "497570b33f8e8354",
   "kind": "function",
   "object": "shop.f(text)",
   "change": "extra in target",
   "effect": "changes a rehearsal's outcome",
   "why": "a migration that creates it fails in staging and passes in production"
  },
  {
   "id": "d3a7fc6de628a36a",
   "kind": "column",
   "object": "shop.a.x",
   "table": "shop.a",
   "change": "different",
   "detail": "type: varchar(80) is varchar(60) in target",
   "effect": "breaks the load",
   "why": "a value that fits in production may not fit in staging"
  },
  {
   "id": "4b8faa826fc349d1",
   "kind": "table",
   "object": "shop.gone",
   "table": "shop.gone",
   "change": "missing in target",
   "effect": "loses data",
   "why": "its rows have no place in staging, and statements that name it fail there"
  },
  {
   "id": "2d685e0b0ba13056",
   "kind": "table",
   "object": "shop.more",
   "table": "shop.more",
   "change": "extra in target",
   "effect": "changes a rehearsal's outcome",
   "why": "a migration that creates it fails in staging and passes in production"
  },
  {
   "id": "f8604eecc32789e1",
   "kind": "view",
   "object": "shop.v",
   "table": "shop.v",
   "change": "missing in target",
   "effect": "an application would fail",
   "why": "statements that name it fail in staging",
   "sql": "CREATE VIEW shop.v AS SELECT 1"
  }
 ],
 "compared": [
  {
   "kind": "column",
   "source": 1,
   "target": 1
  },
  {
   "kind": "function",
   "source": 1,
   "target": 2
  },
  {
   "kind": "index",
   "source": 0,
   "target": 1
  },
  {
   "kind": "policy",
   "source": 0,
   "target": 0
  },
  {
   "kind": "table",
   "source": 2,
   "target": 2
  },
  {
   "kind": "trigger",
   "source": 2,
   "target": 1
  },
  {
   "kind": "view",
   "source": 1,
   "target": 0
  }
 ],
 "unseen": [
  "target: grants: the role may not read them"
 ]
}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// TestReportOfNothingIsNotNull: an empty list is a list for whoever reads the JSON.
func TestReportOfNothingIsNotNull(t *testing.T) {
	r, err := parity.Make(t.Context(), catalog.New(nil, nil, nil, nil), catalog.New(nil, nil, nil, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(r)
	if err != nil || string(got) != `{"score":100,"tables":{"alike":0,"of":0},"differences":[],"compared":[],"unseen":[]}` {
		t.Errorf("%s, %v", got, err)
	}
}

// TestOrderOfFactsIsNoDifference shuffles both sides: the report stays, and
// each side is equal to itself under another name for its schema.
func TestOrderOfFactsIsNoDifference(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	source, target := sides()
	want := report(t, slices.Clone(source), slices.Clone(target), nil)
	for range 50 {
		a, b := slices.Clone(source), slices.Clone(target)
		random.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
		random.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		if d := cmp.Diff(want, report(t, a, b, nil), cmpopts.IgnoreUnexported(parity.Report{}, parity.Difference{})); d != "" {
			t.Fatal(d)
		}
	}
}

// TestOneSchemaUnderTwoNames: only names of schemas are exchanged, whole words
// before a dot, quoted or not.
func TestOneSchemaUnderTwoNames(t *testing.T) {
	source := []catalog.Fact{
		fact("view", "shop.v", "", `CREATE VIEW shop.v AS SELECT shop.a.x, workshop.y, a.shop, 'shop.z' FROM shop.a, shop.b`),
		fact("schema", "shop.shop", "", ""),
	}
	target := []catalog.Fact{
		fact("view", `"Shop 2".v`, "", `CREATE VIEW "Shop 2".v AS SELECT "Shop 2".a.x, workshop.y, a.shop, '"Shop 2".z' FROM "Shop 2".a, "Shop 2".b`),
		fact("schema", `"Shop 2"."Shop 2"`, "", ""),
	}
	if r := report(t, source, target, map[string]string{"shop": "Shop 2"}); len(r.Differences) > 0 {
		t.Errorf("%+v", r.Differences)
	}
}
