package subset_test

import (
	"strings"
	"testing"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

func at(line int) finding.At { return finding.At{File: "understudy.yaml", Line: line, Col: 5} }

func text(value string, line int) config.Text { return config.Text{Value: value, At: at(line)} }

func TestResolveFindsEveryMistakeAtOnceWithItsPlace(t *testing.T) {
	_, s := shop()
	job := &config.Subset{At: at(1),
		Seeds: []config.Seed{
			{Table: text("custmers", 2), At: at(2)},
			{Table: text("log", 6), At: at(6), Percent: 2},
			{Table: text("audit", 7), At: at(7)},
			{Table: text("products", 8), At: at(8)},
		},
		Tables: []config.TableRows{
			{Table: text("audit", 20), Rows: "none"},
			{Table: text("products", 21), Rows: "all"},
			{Table: text("orders", 22), Rows: "all"},
			{Table: text("reviews", 23), PerParent: 5, By: text("id", 33)},
			{Table: text("nowhere", 25), Rows: "all"},
			{Table: text("public.orders", 26), Rows: "none"},
		},
		Follow: []config.Text{text("orders.id", 40), text("orders.custmer_id", 41), text("audit.id", 42), text("orders", 43), text("orders.(customer_id, nix)", 44)},
	}
	_, found := subset.Resolve(job, s)
	want := []string{
		`2:5: seed: there is no table "custmers" (did you mean "customers"?)`,
		`6:5: percent and limit need a unique key without NULL, and public.log has none`,
		`7:5: public.audit is a seed here and none at understudy.yaml:20:5`,
		`8:5: public.products is a seed here and all at understudy.yaml:21:5`,
		`33:5: by: id is not the columns of a reference of public.reviews`,
		`25:5: there is no table "nowhere"`,
		`26:5: public.orders already stands at understudy.yaml:22:5`,
		`40:5: follow: orders.id is not part of a reference`,
		`41:5: follow: public.orders has no column "custmer_id" (did you mean "customer_id"?)`,
		`42:5: follow: audit.id is not part of a reference; public.audit references nothing`,
		`43:5: follow: "orders" is not table.column or schema.table.column`,
		`44:5: follow: public.orders has no column "nix"`,
	}
	var all []string
	for _, f := range found {
		all = append(all, f.String())
		if f.Severity == finding.Error && f.Code != int(fault.Usage) {
			t.Errorf("%s: code %d", f, f.Code)
		}
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(all, "\n"), "understudy.yaml:"+w) {
			t.Errorf("%q not found among\n%s", w, strings.Join(all, "\n"))
		}
	}
	if len(found) != len(want) {
		t.Errorf("%d findings, want %d:\n%s", len(found), len(want), strings.Join(all, "\n"))
	}
}

func TestResolveSaysNothingOfWhatTheReaderTold(t *testing.T) {
	_, s := shop()
	job := &config.Subset{At: at(1), Seeds: []config.Seed{{At: at(2)}},
		Tables: []config.TableRows{{Table: text("orders", 3), Where: text("id < 3", 3), Order: text("id", 3)}, {Table: text("reviews", 4), Order: text("id", 4)}}}
	if _, found := subset.Resolve(job, s); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

func TestResolveTurnsNamesIntoTablesAndReferences(t *testing.T) {
	_, s := shop()
	job := &config.Subset{At: at(1), Budget: 7, Seeds: []config.Seed{{Table: text("customers", 2), At: at(2), Where: text("id < 3", 3), Limit: 4, Order: text("id", 5)}},
		Tables: []config.TableRows{{Table: text("orders", 6), Where: text("id < 9", 7), PerParent: 3, Order: text("id desc", 11), By: text("(customer_id)", 12)}, {Table: text("audit", 8), Rows: "none"}},
		Follow: []config.Text{text("public.reviews.product_id", 9), text("reviews.(product_id)", 10)}}
	spec, found := subset.Resolve(job, s)
	if len(found) != 0 {
		t.Fatalf("findings: %v", found)
	}
	if spec.Unreached != subset.Small || spec.Budget != 7 || len(spec.Follow) != 2 || spec.Follow[0].Name != "reviews_product_id" {
		t.Errorf("got %+v", spec)
	}
	if spec.Rules[0].Table.Name != public("audit") || spec.Rules[0].Rows != subset.NoneAtAll || spec.Rules[1].Where != "id < 9" {
		t.Errorf("rules %+v", spec.Rules)
	}
	fragments := subset.Fragments(spec, true)
	if len(fragments) != 4 {
		t.Fatalf("fragments %+v, want four", fragments)
	}
	if r := spec.Rules[1]; r.PerParent != 3 || len(r.By) != 1 || r.By[0].Name != "orders_customer_id" {
		t.Errorf("per_parent %+v", r)
	}
	for i, want := range []struct {
		text  string
		order bool
		line  int
	}{{"id < 3", false, 3}, {"id", true, 5}, {"id < 9", false, 7}, {"id desc", true, 11}} {
		f := fragments[i]
		if f.Text != want.text || f.Order != want.order || f.At != at(want.line) || !f.Subqueries {
			t.Errorf("fragment %d: %+v, want %+v", i, f, want)
		}
	}
	if whole, found := subset.Resolve(nil, s); !whole.Whole || len(found) != 0 || len(subset.Fragments(whole, false)) != 0 {
		t.Errorf("no subset: %+v, %v", whole, found)
	}
}

func TestResolveRefusesWhatWouldQuietlyDoNothing(t *testing.T) {
	_, s := shop()
	for _, c := range []struct {
		job  config.Subset
		want string
	}{
		{config.Subset{Seeds: []config.Seed{{Table: text("orders", 2), At: at(2)}}, Tables: []config.TableRows{{Table: text("reviews", 3), Where: text("id < 3", 3)}}},
			"where holds for rows reached downward, and no edge leads down to public.reviews from the seeds"},
		{config.Subset{Seeds: []config.Seed{{Table: text("orders", 2), At: at(2)}}, Tables: []config.TableRows{{Table: text("reviews", 3), PerParent: 2}}},
			"per_parent holds for rows reached downward, and no edge leads down to public.reviews from the seeds"},
		{config.Subset{Seeds: []config.Seed{{Table: text("customers", 2), At: at(2)}}, Tables: []config.TableRows{{Table: text("orders", 3), PerParent: 2, By: text("product_id", 3)}}},
			"per_parent holds for rows reached downward, and no edge leads down to public.orders from the seeds"},
		{config.Subset{Seeds: []config.Seed{{Table: text("audit", 2), At: at(2)}}, Tables: []config.TableRows{{Table: text("audit", 3), PerParent: 2}}},
			"per_parent counts the rows of each parent, and public.audit references nothing"},
		{config.Subset{Seeds: []config.Seed{{Table: text("log", 2), At: at(2)}}, Tables: []config.TableRows{{Table: text("log", 3), PerParent: 2, Where: text("at < 3", 3)}}},
			"per_parent needs a unique key without NULL, so that each run keeps the same rows, and public.log has none"},
	} {
		_, found := subset.Resolve(&c.job, s)
		if len(found) != 1 || found[0].Message != c.want || found[0].Severity != finding.Error {
			t.Errorf("got %v, want %q", found, c.want)
		}
	}
	spec, found := subset.Resolve(&config.Subset{Unreached: "all", Tables: []config.TableRows{{Table: text("audit", 2), Rows: "none"}}}, s)
	if len(found) != 0 || spec.Unreached != subset.All {
		t.Errorf("unreached: all without seeds: %+v, %v", spec, found)
	}
}

// TestKeysOfTypesThatAreWrittenInSeveralWays: 1e15 of a double precision is a bigint's
// 1000000000000000, and noon's date is not that of a timestamp at noon.
func TestKeysOfTypesThatAreWrittenInSeveralWays(t *testing.T) {
	for _, c := range []struct {
		child, parent string // their spellings
		rows          string // of the parent's table
		wrong         int
	}{
		{"", "double", "", 1},
		{"single", "double", "", 1},
		{"double", "", "", 1},
		{"date", "timestamp", "", 1},
		{"date", "timestamp", "all", 0},
		{"double", "double", "", 0},
		{"", "", "", 0},
	} {
		_, s := shop()
		s.Table(public("orders")).Columns[2].Spelling, s.Table(public("products")).Columns[0].Spelling = c.child, c.parent
		job := &config.Subset{Seeds: []config.Seed{{Table: text("orders", 1), At: at(1)}}, Tables: []config.TableRows{{Table: text("reviews", 2), Rows: "none"}}}
		if c.rows != "" {
			job.Tables = append(job.Tables, config.TableRows{Table: text("products", 3), Rows: c.rows})
		}
		_, found := subset.Resolve(job, s)
		if errs := finding.Errors(found); len(errs) != c.wrong || c.wrong > 0 && errs[0].Check != "subset-types" {
			t.Errorf("%+v: %v", c, found)
		}
		if whole, found := subset.Resolve(&config.Subset{Unreached: "all"}, s); len(finding.Errors(found)) > 0 {
			t.Errorf("%+v, nothing cut: %v, %+v", c, found, whole)
		}
	}
}

func TestFollowNamesOneOfSeveralCompositeReferences(t *testing.T) {
	_, s := shop()
	orders := s.Table(public("orders"))
	s.References = append(s.References,
		schema.Reference{Name: "x", From: orders.Name, Columns: []string{"id", "product_id"}, To: orders.Name, ToColumns: []string{"id", "product_id"}},
		schema.Reference{Name: "y", From: orders.Name, Columns: []string{"id", "customer_id"}, To: orders.Name, ToColumns: []string{"id", "customer_id"}})
	s.Sort()
	for follow, want := range map[string]string{"orders.product_id": "orders_product_id", "orders.(product_id, id)": "x", "orders.id": ""} {
		spec, found := subset.Resolve(&config.Subset{Seeds: []config.Seed{{Table: text("customers", 1)}}, Follow: []config.Text{text(follow, 2)}}, s)
		if want == "" {
			if len(found) != 1 || !strings.Contains(found[0].Message, "part of several references: public.orders.(id, product_id); public.orders.(id, customer_id)") {
				t.Errorf("%s: %v", follow, found)
			}
			continue
		}
		if len(found) != 0 || len(spec.Follow) != 1 || spec.Follow[0].Name != want {
			t.Errorf("%s: %+v, %v; want %s", follow, spec.Follow, found, want)
		}
	}
}
