package postgres

import "testing"

// Texts of the server in their first and their second print.
func TestRespelled(t *testing.T) {
	for text, want := range map[string]string{
		`CHECK (((s)::text = ANY ((ARRAY['new'::character varying, 'it''s, ]'::character varying])::text[])))`: `CHECK (((s)::text = ANY (ARRAY[('new'::character varying)::text, ('it''s, ]'::character varying)::text])))`,
		`((a = ANY ((ARRAY[f(b, 1), (c || 'x'::text)])::"My type"[])) AND true)`:                               `((a = ANY (ARRAY[(f(b, 1))::"My type", ((c || 'x'::text))::"My type"])) AND true)`,
		`(ARRAY['a'::character varying, 'b'::character varying]::text[])`:                                      `(ARRAY['a'::character varying::text, 'b'::character varying::text])`,
		`(ARRAY[1.5])::numeric(10,2)[]`:              `ARRAY[(1.5)::numeric(10,2)]`,
		`(ARRAY['x'::text])::s.t[]`:                  `ARRAY[('x'::text)::s.t]`,
		`(ARRAY[a, b])`:                              `(ARRAY[a, b])`,
		`'(ARRAY[1])::text[]'::text`:                 `'(ARRAY[1])::text[]'::text`,
		`((ARRAY[a])[1])::text`:                      `((ARRAY[a])[1])::text`,
		`(ARRAY[now()])::timestamp with time zone[]`: `ARRAY[(now())::timestamp with time zone]`,
	} {
		if got := respelled(text); got != want {
			t.Errorf("%s\n  became %s\n  want   %s", text, got, want)
		}
		if got := respelled(want); got != want {
			t.Errorf("%s is not its own second print: %s", want, got)
		}
	}
}
