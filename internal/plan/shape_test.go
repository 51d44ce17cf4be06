package plan

import (
	"slices"
	"strings"
	"testing"

	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

func table(name string, columns ...schema.Column) schema.Table {
	return schema.Table{Name: schema.Name{Schema: "public", Table: name}, Columns: columns}
}

func column(name string) schema.Column {
	return schema.Column{Name: name, Kind: schema.Text, Type: "text"}
}

func schemaOf(tables ...schema.Table) *schema.Schema {
	s := &schema.Schema{Tables: tables}
	s.Sort()
	return s
}

func public(name string) schema.Name { return schema.Name{Schema: "public", Table: name} }

// checks lists a fit's errors as check@table, sorted.
func checks(fs []finding.Finding, severity finding.Severity) []string {
	var out []string
	for _, f := range fs {
		if f.Severity == severity {
			out = append(out, f.Check+"@"+f.Table)
		}
	}
	slices.Sort(out)
	return out
}

func TestFitMatchesColumnsByName(t *testing.T) {
	generated := column("total")
	generated.Generated = true
	filled := column("tier")
	filled.NotNull, filled.Default = true, "'none'"
	source := schemaOf(table("orders", column("id"), column("note"), generated))
	target := schemaOf(table("orders", filled, column("id"), generated))
	shape, fs := Fit(&config.Job{}, source, target, &engine.State{})
	if got := shape.Table(public("orders")).Columns; !slices.Equal(got, []string{"id"}) {
		t.Errorf("loaded columns %v", got)
	}
	if e := checks(fs, finding.Error); len(e) != 0 {
		t.Errorf("errors %v", e)
	}
	if w := checks(fs, finding.Warning); !slices.Equal(w, []string{"column-missing@public.orders"}) {
		t.Errorf("warnings %v", w)
	}
}

func TestFitFindsWhatCannotBeLoaded(t *testing.T) {
	unfilled := column("tier")
	unfilled.NotNull = true
	_, fs := Fit(&config.Job{}, schemaOf(table("orders", column("id"))), schemaOf(table("orders", column("id"), unfilled)), &engine.State{})
	if e := checks(fs, finding.Error); !slices.Equal(e, []string{"column-unfilled@public.orders"}) {
		t.Fatalf("errors %v", e)
	}
	if fault.CodeOf(fault.From(fs, fault.Usage)) != fault.Usage {
		t.Errorf("code %d", fault.CodeOf(fault.From(fs, fault.Usage)))
	}
}

func TestFitGuardsStagingsOwnRows(t *testing.T) {
	source := schemaOf(table("orders", column("id")))
	target := schemaOf(table("flags", column("id")), table("orders", column("id")), table("empty", column("id")))
	elsewhere := schema.Name{Schema: "other", Table: "things"}
	state := &engine.State{Rows: []schema.Name{elsewhere, public("flags"), public("orders")}}
	text := func(s string) []config.Text { return []config.Text{{Value: s}} }

	_, fs := Fit(&config.Job{}, source, target, state)
	if e := checks(fs, finding.Error); !slices.Equal(e, []string{"rows-lost@other.things", "rows-lost@public.flags"}) {
		t.Errorf("errors %v", e)
	}
	if code := fault.CodeOf(fault.From(fs, fault.Usage)); code != fault.Refused {
		t.Errorf("code %d", code)
	}

	shape, fs := Fit(&config.Job{Load: config.Load{Preserve: text("flags"), Discard: text("other.things")}}, source, target, state)
	if e := checks(fs, finding.Error); len(e) != 0 {
		t.Errorf("errors %v", e)
	}
	if !slices.Equal(shape.Preserve, []schema.Name{public("flags")}) {
		t.Errorf("preserved %v", shape.Preserve)
	}
	if f := shape.Table(public("empty")).Fate; f != Emptied {
		t.Errorf("a table of the target without rows: %s", f)
	}

	_, fs = Fit(&config.Job{Load: config.Load{Preserve: text("flagz")}}, source, target, state)
	if e := checks(fs, finding.Error); !slices.Contains(e, "preserve@") {
		t.Errorf("a typo in preserve: %v", e)
	}
	if !strings.Contains(fs[0].Message, "flags") {
		t.Errorf("no nearest name in %q", fs[0].Message)
	}
}

func TestMigrationTablesFollowTheStructure(t *testing.T) {
	history := table("schema_migrations", column("version"))
	source := schemaOf(table("orders", column("id")), history)
	shape, _ := Fit(&config.Job{}, source, schemaOf(), &engine.State{})
	if h := shape.Table(history.Name); !shape.FromSource || h.Fate != History || len(h.Columns) != 1 || len(shape.Preserve) != 0 {
		t.Errorf("structure from the source: %+v", h)
	}
	shape, _ = Fit(&config.Job{}, source, schemaOf(table("orders", column("id")), history), &engine.State{Rows: []schema.Name{history.Name}})
	if h := shape.Table(history.Name); h.Fate != History || len(h.Columns) != 0 || !slices.Equal(shape.Preserve, []schema.Name{history.Name}) {
		t.Errorf("structure from the target: %+v, preserved %v", h, shape.Preserve)
	}
	if shape.Scope.Table(history.Name) != nil {
		t.Error("a migration table needs no decisions")
	}
}

func TestDeclareResolvesBothEnds(t *testing.T) {
	s := schemaOf(table("customers", column("email"), column("shop")), table("news", column("email"), column("shop")))
	at := func(text string) config.Text { return config.Text{Value: text, At: finding.At{File: "job", Line: 3}} }
	refs, fs := Declare([]config.Reference{{From: at("news.(email, shop)"), To: at("customers.(email, shop)")}, {From: at("news.email"), To: at("customers.email")}}, s, s)
	if len(fs) != 0 || len(refs) != 2 || len(refs[0].Columns) != 2 || !refs[1].Declared {
		t.Fatalf("%v %v", refs, fs)
	}
	_, fs = Declare([]config.Reference{{From: at("news.emial"), To: at("custmers.email")}, {From: at("news.(email, shop)"), To: at("customers.email")}}, s, s)
	if len(fs) != 3 {
		t.Fatalf("%d findings: %v", len(fs), fs)
	}
	for _, f := range fs {
		if f.At.Line != 3 || f.Hint == "" {
			t.Errorf("no place or hint: %+v", f)
		}
	}
	without := &schema.Schema{Tables: slices.DeleteFunc(slices.Clone(s.Tables), func(t schema.Table) bool { return t.Name.Table == "customers" })}
	if _, fs = Declare([]config.Reference{{From: at("news.email"), To: at("customers.email")}}, without, s); len(fs) != 1 || !strings.Contains(fs[0].Message, "preserved") {
		t.Errorf("a table that gives no rows is called one that is not there: %v", fs)
	}
}

// What the refusal tells to write can be pasted: one list of all tables, in YAML,
// whatever they are called.
func TestTheRemedyForRowsOfStagingsOwnCanBePasted(t *testing.T) {
	source := schemaOf(table("orders", column("id")))
	names := []schema.Name{public("flags"), public(`t'; drop table "x`), {Schema: `Weird "S.x`, Table: "tab\tor\nline"}, public("null"), public("a, b: [c] # d"), public("kept")}
	state := &engine.State{Rows: names}
	target := schemaOf(table("orders", column("id")), table("kept", column("id")))
	const head = "version: 1\nsource: sqlite:a.db\ntarget: sqlite:b.db\nkey: {env: K}\nrules: [r.yaml]\nload:\n  "
	parse := func(line string) *config.Job {
		job, bad := config.Parse("understudy.yaml", []byte(head+line+"\n"), func(string) string { return "x" })
		if len(bad) > 0 {
			t.Fatalf("%s: %v", line, bad)
		}
		return job
	}
	_, fs := Fit(parse("preserve: [kept]"), source, target, state)
	if len(fs) != len(names)-1 {
		t.Fatalf("%d findings, want one for each of %d tables", len(fs), len(names)-1)
	}
	lines := strings.Split(fs[0].Hint, "\n")
	for _, f := range fs {
		if f.Hint != fs[0].Hint {
			t.Errorf("%q and %q", f.Hint, fs[0].Hint)
		}
	}
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "preserve: [kept, ") || !strings.HasPrefix(lines[2], "discard: [") {
		t.Fatalf("%q", fs[0].Hint)
	}
	for i, both := range []string{lines[1], lines[2] + "\n  preserve: [kept]"} {
		shape, fs := Fit(parse(both), source, target, state)
		if e := checks(fs, finding.Error); len(e) != 0 {
			t.Errorf("%s: %v", both, e)
		}
		if want := []int{len(names), 1}[i]; len(shape.Preserve) != want {
			t.Errorf("%d tables preserved, want %d", len(shape.Preserve), want)
		}
	}
}
