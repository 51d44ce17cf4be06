package postgres

import "testing"

func TestBlankCounts(t *testing.T) {
	for text, want := range map[string]string{
		"ALTER TABLE ONLY public.z ALTER COLUMN a SET (pg_attver=11759771688);\nx":                                 "                                                                     \nx",
		`ALTER TABLE ONLY public."z;" ALTER COLUMN a SET (n_distinct=5, pg_attver=7);`:                             `ALTER TABLE ONLY public."z;" ALTER COLUMN a SET (n_distinct=5             );`,
		"ALTER TABLE ONLY z ALTER COLUMN a SET (pg_attver=7, n_distinct=5);":                                       "ALTER TABLE ONLY z ALTER COLUMN a SET (             n_distinct=5);",
		"ALTER TABLE ONLY z ALTER COLUMN a SET (n_distinct=5);":                                                    "ALTER TABLE ONLY z ALTER COLUMN a SET (n_distinct=5);",
		"CREATE TABLE z (a text DEFAULT 'pg_attver=1');\nALTER TABLE ONLY z ALTER COLUMN a SET (pg_attver=''1'');": "CREATE TABLE z (a text DEFAULT 'pg_attver=1');\n                                                        ",
	} {
		got := []byte(text)
		blankCounts(got)
		if string(got) != want {
			t.Errorf("%q\n became %q\n want   %q", text, got, want)
		}
	}
}
