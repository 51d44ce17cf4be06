package script

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestStatementsAreToldApart(t *testing.T) {
	all := Dialect{Dollar: true, Escapes: true, Nested: true}
	for _, c := range []struct {
		text string
		d    Dialect
		want string // line:text, joined with |
	}{
		{"", all, ""},
		{";;\n ; -- nothing\n/* /* ; */ ; */", all, ""},
		{"SELECT 1", all, "1:SELECT 1"},
		{"-- first\nUPDATE a SET b = 'x;''y';\n\nDELETE FROM \"c;d\" ;", all, `2:UPDATE a SET b = 'x;''y'|4:DELETE FROM "c;d"`},
		{"insert into a values (E'\\';', $$;$$, $t$ ; $$ ; $t$, a$b$c); select 2", all, "1:insert into a values (E'\\';', $$;$$, $t$ ; $$ ; $t$, a$b$c)|1:select 2"},
		{"SELECT '\\'; SELECT 2", all, "1:SELECT '\\'|1:SELECT 2"},
		{"SELECT [a;b], `c;d`; VALUES (1)", Dialect{Brackets: true, Ticks: true}, "1:SELECT [a;b], `c;d`|1:VALUES (1)"},
		{"# it's; one\nINSERT IGNORE INTO a VALUES ('\\';', \"\\\";\"); SELECT 2", Dialect{Ticks: true, Backslash: true, Hash: true, Modifiers: true}, "2:INSERT IGNORE INTO a VALUES ('\\';', \"\\\";\")|2:SELECT 2"},
		{"SELECT 1 /* ; /* */; SELECT 2", Dialect{}, "1:SELECT 1 /* ; /* */|1:SELECT 2"},
		{"\ufeffSELECT 1 -- ;\n + 1;", all, "1:SELECT 1 -- ;\n + 1"},
		{"WITH x AS (SELECT 1)\nSELECT * FROM x;\nMERGE INTO a", all, "1:WITH x AS (SELECT 1)\nSELECT * FROM x|3:MERGE INTO a"},
	} {
		statements, mistakes := Parse(c.text, c.d)
		var got []string
		for _, s := range statements {
			got = append(got, string(rune('0'+s.Line))+":"+s.Text)
		}
		if strings.Join(got, "|") != c.want || len(mistakes) > 0 {
			t.Errorf("%q: %q, %v", c.text, got, mistakes)
		}
	}
}

func TestWhatIsRefusedIsToldAtOnce(t *testing.T) {
	text := "SELECT 1;\nBEGIN;\n\\copy a from b\nUPDATE a SET b = 1;\ncommit; CREATE TABLE x ();\nDO $$ BEGIN NULL; END $$;\n(SELECT 1);\nTRUNCATE a;\nSELECT 'open"
	_, mistakes := Parse(text, Dialect{Dollar: true})
	var got []string
	for _, m := range mistakes {
		if m.Hint == "" {
			t.Errorf("no hint: %+v", m)
		}
		got = append(got, string(rune('0'+m.Line))+" "+m.Say)
	}
	want := "2 it controls the transaction|3 it holds a command of psql's own|5 it controls the transaction|5 it is not about rows|6 it is not about rows|7 it begins with a bracket|8 it is not about rows|9 a quote is not closed"
	if strings.Join(got, "|") != want {
		t.Errorf("%q", got)
	}
	for text, made := range map[string]bool{"SELECT * INTO new FROM a": true, "WITH x AS (SELECT 1) SELECT 1 AS b\ninto temp t": true, "INSERT INTO a SELECT 'into', \"into\" -- into": false,
		"INSERT OR IGNORE INTO a VALUES (1)": false, "REPLACE /* into */ INTO a VALUES (1)": false, "MERGE INTO a USING b ON true": false} {
		if _, mistakes := Parse(text, Dialect{}); (len(mistakes) > 0) != made {
			t.Errorf("%q: %v", text, mistakes)
		}
	}
	for _, text := range []string{"/*!50000 DROP TABLE x */", "SELECT 1; /*M! DROP TABLE x */", "# a word\n/*!SELECT 1*/"} {
		if _, mistakes := Parse(text, Dialect{Hash: true}); len(mistakes) != 1 || !strings.Contains(mistakes[0].Say, "executes") {
			t.Errorf("%q: %v", text, mistakes)
		}
	}
	for _, text := range []string{"SELECT 1 /* x", "SELECT $a$ x", "SELECT \"x"} {
		if _, mistakes := Parse(text, Dialect{Dollar: true}); len(mistakes) != 1 {
			t.Errorf("%q: %v", text, mistakes)
		}
	}
}

// Whatever stands in a file, parsing ends, and what is let through begins with a
// word about rows.
func TestAnyText(t *testing.T) {
	pieces := []string{"SELECT ", "#", "commit", ";", "'", `"`, "$", "$a$", "\\", "E'", "/*", "*/", "--", "\n", "[", "]", "`", " ", "x", "é", "1"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "text"), "")
		d := Dialect{rapid.Bool().Draw(t, "dollar"), rapid.Bool().Draw(t, "escapes"), rapid.Bool().Draw(t, "nested"), rapid.Bool().Draw(t, "brackets"), rapid.Bool().Draw(t, "ticks"), rapid.Bool().Draw(t, "backslash"), rapid.Bool().Draw(t, "hash"), rapid.Bool().Draw(t, "modifiers")}
		statements, mistakes := Parse(text, d)
		if len(statements) > 0 && len(mistakes) > 0 {
			t.Fatal("statements of a script that is refused")
		}
		for _, s := range statements {
			if !strings.HasPrefix(s.Text, "SELECT") || strings.Count(text[:strings.Index(text, s.Text)], "\n") >= s.Line {
				t.Fatalf("statement %+v", s)
			}
		}
		for _, m := range mistakes {
			if m.Line < 1 || m.Line > 1+strings.Count(text, "\n") {
				t.Fatalf("mistake %+v", m)
			}
		}
	})
}
