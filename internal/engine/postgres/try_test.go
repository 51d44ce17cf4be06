package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

func TestTry(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN plz AS varchar(5) NOT NULL CONSTRAINT plz_form CHECK (VALUE ~ '^[0-9]+$'); CREATE EXTENSION citext;
CREATE FUNCTION local_part(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT split_part($1, ''@'', 1)';
CREATE TABLE p (id int PRIMARY KEY, v varchar(4), c char(3), n numeric(4,2), d date, m mood, z plz, b bytea, f bool, vs varchar(2)[], e text, ci citext, j jsonb,
	CONSTRAINT e_form CHECK (local_part(e) <> ''), CONSTRAINT id_pos CHECK (id > 0), CONSTRAINT both_ok CHECK (id < 100 OR e LIKE 'x%'), CONSTRAINT boom CHECK (id / (id - 7) < 1000))`)
	s := sourceAt(t, scratchtest.Role(t, url), engine.Limits{})
	structure, err := s.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := mustTable(t, structure, "p")
	for _, c := range []struct {
		columns []string
		rows    *engine.Tuples
		want    string
	}{
		{[]string{"id", "v", "e"}, tuples(3, "1", "abcd", "x@y", "2", "äöüß", "z@y"), ""},
		{[]string{"v"}, tuples(1, "abcde", "ab     ", "abcd", "abcdef"), "v//longer than 4 characters/2"},
		{[]string{"c"}, tuples(1, "abcd", "a"), "c//longer than 3 characters/1"},
		{[]string{"id"}, tuples(1, "x", "1", "2", "y"), "id//not an integer/2"},
		{[]string{"id"}, tuples(1, "99999999999"), "id//out of the type's range/1"},
		{[]string{"n"}, tuples(1, "123.4", "12.345"), "n//out of the type's range/1"},
		{[]string{"d"}, tuples(1, "2020-02-30", "2020-02-28", "hello"), "d//no such date or time/2;d//not a date/2"},
		{[]string{"m"}, tuples(1, "sad", "angry"), "m//not one of the enumeration's labels/1"},
		{[]string{"z"}, tuples(1, "12345", "1234a", "123456"), "z//longer than 5 characters/1;z/plz_form/breaks the check/1"},
		{[]string{"b", "f"}, tuples(2, "\x00\xff\\", "true"), ""},
		{[]string{"vs"}, tuples(1, "{ab,abc}", "{a}", "no array"), "vs//not an array/1"},
		{[]string{"vs"}, tuples(1, "{ab,abc}", "{a}"), "vs//longer than 2 characters/1"},
		{[]string{"e"}, tuples(1, "@x", "a@x"), "e/e_form/breaks the check/1"},
		{[]string{"id"}, tuples(1, "-1", "5"), "id/id_pos/breaks the check/1"},
		{[]string{"id"}, tuples(1, "7", "5"), "id/boom/the check itself fails: division by zero/2"},
		{[]string{"id", "e"}, tuples(2, "500", "abc", "500", "xyz"), "/both_ok/breaks the check/1"},
		{[]string{"j"}, tuples(1, `{"a":1}`, `{`), "j//not a JSON text/1"},
		{[]string{"ci"}, tuples(1, "any"), ""},
		{[]string{"z"}, func() *engine.Tuples { k := tuples(1, "1"); k.AddNull(); return k }(), "z//missing where the column requires a value/1"},
	} {
		got, err := s.Try(t.Context(), p, c.columns, c.rows)
		if err != nil {
			t.Errorf("%v: %v", c.columns, err)
			continue
		}
		var said []string
		for _, r := range got {
			said = append(said, fmt.Sprintf("%s/%s/%s/%d", r.Column, r.Check, r.Reason, r.Rows))
		}
		slices.Sort(said)
		if text := strings.Join(said, ";"); text != c.want && !slices.Contains(strings.Split(c.want, ";"), text) {
			t.Errorf("%v: got %s, want %s", c.columns, text, c.want)
		}
	}
}
