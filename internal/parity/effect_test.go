package parity

import (
	"strings"
	"testing"

	"understudy/internal/catalog"
)

// TestEffects: what a difference does is told by what differs, in which direction.
func TestEffects(t *testing.T) {
	const missing, extra, different = catalog.Missing, catalog.Extra, catalog.Different
	one := func(name, source, target string) []catalog.Piece {
		return []catalog.Piece{{Name: name, Source: source, Target: target}}
	}
	fk := func(tail string) string { return "FOREIGN KEY (a) REFERENCES t(id)" + tail }
	for _, c := range []struct {
		kind, change string
		pieces       []catalog.Piece
		want         Effect
	}{
		{"table", missing, nil, LosesData},
		{"table", extra, nil, ChangesRehearsal},
		{"table", different, one("comment", "a", "b"), Cosmetic},
		{"table", different, one("persistence", "", "unlogged"), ChangesBehaviour},
		{"column", missing, nil, LosesData},
		{"column", extra, one("type", "", "text"), ChangesRehearsal},
		{"column", extra, []catalog.Piece{{Name: "type", Target: "text"}, {Name: "null", Target: "NOT NULL"}}, BreaksLoad},
		{"column", extra, []catalog.Piece{{Name: "null", Target: "NOT NULL"}, {Name: "default", Target: "''"}}, ChangesRehearsal},
		{"column", extra, []catalog.Piece{{Name: "null", Target: "NOT NULL"}, {Name: "identity", Target: "always"}}, ChangesRehearsal},
		{"column", different, one("type", "character varying(80)", "character varying(60)"), BreaksLoad},
		{"column", different, one("type", "character varying(80)", "text"), ChangesRehearsal},
		{"column", different, one("type", "text", "character varying(80)"), BreaksLoad},
		{"column", different, one("type", "integer", "bigint"), ChangesRehearsal},
		{"column", different, one("type", "bigint", "integer"), BreaksLoad},
		{"column", different, one("type", "int(11) unsigned", "int(11)"), BreaksLoad},
		{"column", different, one("type", "numeric(10,2)", "numeric(10,3)"), BreaksLoad},
		{"column", different, one("type", "numeric(10,2)", "numeric(11,3)"), ChangesRehearsal},
		{"column", different, one("type", "numeric", "numeric(30,10)"), BreaksLoad},
		{"column", different, one("type", "timestamp(0) without time zone", "timestamp without time zone"), ChangesRehearsal},
		{"column", different, one("type", "timestamp without time zone", "timestamp with time zone"), BreaksLoad},
		{"column", different, one("type", "text[]", "text"), BreaksLoad},
		{"column", different, one("type", "jsonb", "text"), BreaksLoad},
		{"column", different, one("type", "enum('a','b')", "enum('a')"), BreaksLoad},
		{"column", different, one("type", "enum('a')", "enum('a','b')"), ChangesRehearsal},
		{"column", different, one("null", "NOT NULL", ""), ChangesRehearsal},
		{"column", different, one("null", "", "NOT NULL"), BreaksLoad},
		{"column", different, one("default", "1", "2"), ChangesBehaviour},
		{"column", different, one("generated", "", "s (a + 1)"), LosesData},
		{"column", different, one("collation", "", "de"), ChangesBehaviour},
		{"column", different, []catalog.Piece{{Name: "comment", Source: "a"}, {Name: "null", Target: "NOT NULL"}, {Name: "default", Source: "1"}}, BreaksLoad},
		{"unique", missing, nil, ChangesRehearsal},
		{"check", extra, nil, BreaksLoad},
		{"check", different, one("definition", "CHECK (a > 0)", "CHECK (a > 1)"), BreaksLoad},
		{"check", different, one("definition", "check (a in ('x', 'y'))", "check (a in ('x', 'y', 'z'))"), ChangesRehearsal},
		{"check", different, one("definition", "CHECK ((a = ANY (ARRAY['x'::text, 'y'::text])))", "CHECK ((a = ANY (ARRAY['x'::text, 'z'::text])))"), BreaksLoad},
		{"check", different, one("definition", "CHECK ((a = 'x'::text))", "CHECK ((b = 'x'::text))"), BreaksLoad},
		{"check", different, one("definition", "CHECK (a > 0)", "CHECK (a > 0) NOT VALID"), ChangesRehearsal},
		{"check", different, one("definition", "CHECK (a > 0) NOT VALID", "CHECK (a > 0)"), BreaksLoad},
		{"foreign key", different, one("definition", fk(""), fk(" ON DELETE CASCADE")), ChangesBehaviour},
		{"foreign key", different, one("definition", fk(""), fk(" DEFERRABLE INITIALLY DEFERRED")), ChangesBehaviour},
		{"foreign key", different, one("definition", fk(""), "FOREIGN KEY (a) REFERENCES u(id)"), BreaksLoad},
		{"foreign key", different, one("name", "a", "b"), ChangesRehearsal},
		{"index", missing, one("definition", "CREATE INDEX ON t (a)", ""), ChangesBehaviour},
		{"index", missing, one("definition", "CREATE UNIQUE INDEX ON t (a)", ""), ChangesRehearsal},
		{"index", extra, one("definition", "", "CREATE UNIQUE INDEX ON t (a)"), BreaksLoad},
		{"index", different, one("definition", "CREATE UNIQUE INDEX ON t (a)", "CREATE INDEX ON t (a)"), ChangesRehearsal},
		{"enum", different, one("labels", "'a', 'b'", "'a'"), BreaksLoad},
		{"enum", different, one("labels", "'a'", "'a', 'b'"), ChangesRehearsal},
		{"enum", different, one("labels", "'a', 'b'", "'b', 'a'"), ChangesBehaviour},
		{"view", missing, nil, ApplicationFails},
		{"view", different, one("definition", "a", "b"), ChangesBehaviour},
		{"partition", missing, nil, BreaksLoad},
		{"grant", different, one("definition", "a", "b"), ChangesBehaviour},
		{"something that nobody knows", missing, nil, ApplicationFails},
	} {
		if got := judge(catalog.Difference{Kind: c.kind, Change: c.change, Pieces: c.pieces}, false); got.effect != c.want || got.why == "" {
			t.Errorf("%s %s %+v: %s (%s), want %s", c.kind, c.change, c.pieces, got.effect, got.why, c.want)
		}
	}
	if got := judge(catalog.Difference{Kind: "column", Change: different, Pieces: one("type", "varchar(80)", "varchar(60)")}, true); got.effect != ChangesBehaviour {
		t.Errorf("a declared type that refuses nothing: %s", got.effect)
	}
}

// A statement that gives a column production's narrower type is marked: it may
// round, cut or refuse what stands there.
func TestNarrowingIsMarked(t *testing.T) {
	for _, c := range []struct {
		source, target string
		want           bool
	}{
		{"numeric(6,0)", "numeric", true}, {"date", "timestamp without time zone", true}, {"real", "double precision", true},
		{"varchar(10)", "varchar(20)", true}, {"datetime", "datetime(3)", true}, {"integer", "text", true},
		{"bigint", "integer", false}, {"text", "character varying(80)", false}, {"numeric(11,3)", "numeric(10,2)", false},
	} {
		d := catalog.Difference{Kind: "column", Change: catalog.Different, Pieces: []catalog.Piece{{Name: "type", Source: c.source, Target: c.target}}}
		if got := cuts(d, false); got != c.want {
			t.Errorf("%s in production, %s in staging: marked %v, want %v", c.source, c.target, got, c.want)
		}
	}
}

// A constraint against an index over the same columns refuses and accepts the same rows.
func TestOneRuleOfTwoKinds(t *testing.T) {
	all := []catalog.Difference{
		{Kind: "unique", Object: "s.t.k", Change: catalog.Missing, Pieces: []catalog.Piece{{Name: catalog.WholeDefinition, Source: "UNIQUE (a)"}}},
		{Kind: "index", Object: "s.t.k", Change: catalog.Extra, Pieces: []catalog.Piece{{Name: catalog.WholeDefinition, Target: "CREATE UNIQUE INDEX ON s.t USING btree (a)"}}},
	}
	if !sameRule(all[0], all) || !sameRule(all[1], all) {
		t.Error("they are told apart")
	}
	all[1].Pieces[0].Target += " WHERE (a > 0)"
	if sameRule(all[0], all) || sameRule(all[1], all) {
		t.Error("an index over a part of the rows is taken for the constraint")
	}
}

// A column that comes or goes narrows nothing.
func TestAddingIsNotMarked(t *testing.T) {
	d := catalog.Difference{Kind: "column", Change: catalog.Missing, Pieces: []catalog.Piece{{Name: "type", Source: "integer"}}}
	if cuts(d, false) {
		t.Error("a column that is added is marked")
	}
}

// A statement that failed on the copy is a comment to its end, and the others are one
// transaction but for what cannot be in it.
func TestScriptIsOneTransaction(t *testing.T) {
	r := &Report{within: [2]string{"BEGIN", "COMMIT"}, apart: func(sql string) bool { return sql == "label" }, Proof: &Proof{Failed: []Unapplied{{ID: "2", Reason: "no"}}}, Differences: []Difference{
		{ID: "1", Kind: "enum", Object: "e", SQL: "label"}, {ID: "2", Kind: "function", Object: "f", SQL: "CREATE a\nDROP b\r\\! echo\r\nDROP c"}, {ID: "3", Kind: "table", Object: "t", SQL: "CREATE t"}}}
	var live []string
	for _, line := range strings.FieldsFunc(r.Script(), func(r rune) bool { return r == '\n' || r == '\r' }) {
		if !strings.HasPrefix(line, "--") {
			live = append(live, line)
		}
	}
	if got := strings.Join(live, " "); got != "label; BEGIN; CREATE t; COMMIT;" {
		t.Errorf("what would run is %q", got)
	}
}

// The script's statements keep every byte, its comments no letter that ends a line
// or steers a terminal.
func TestScriptKeepsStatements(t *testing.T) {
	const statement = "CREATE FUNCTION f() AS $$\n\treturn '\u0645\u06cc\u200c\u062e\x1b\r\n';\n$$"
	r := &Report{Differences: []Difference{{Kind: "function", Object: "f\x1b[31m\nDROP TABLE t", Change: catalog.Missing, SQL: statement}}}
	text := r.Script()
	if !strings.Contains(text, "\n"+statement+";\n") {
		t.Errorf("the statement is not there as it is: %q", text)
	}
	if strings.Contains(strings.ReplaceAll(text, statement, ""), "\x1b") || strings.Contains(text, "\nDROP TABLE") {
		t.Errorf("a comment holds more than a line of text: %q", text)
	}
}
