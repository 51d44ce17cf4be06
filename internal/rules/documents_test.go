package rules_test

import (
	"strings"
	"testing"

	"understudy/internal/finding"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

const documentRules = `version: 1
tables:
  p.a:
    columns:
      id: {keep: "a number of ours"}
      email: email
      profile:
        json:
          $.contact.phone: {mask: phone}
          $.contact.email: email
          $.ssn:           {mask: fpe, class: national_id, domain: ssn, reviewed_by: dpo, review_by: 2027-06-30}
          $.code:          fpe
          $.tags[*]:       {keep: "fixed vocabulary"}
        others: stop
        reviewed_by: data-protection
`

const documentSchema = `
p.a 500: id int pk surrogate, email varchar(60), profile jsonb, ssn varchar(11)
p.b: profile jsonb
inherits p.b p.a
`

func TestPathsOfDocuments(t *testing.T) {
	s := build(t, documentSchema)
	file := parse(t, "r.yaml", documentRules+"      ssn: {mask: fpe, domain: ssn, class: national_id}\n")
	b, bad := rules.Bind([]*rules.File{file}, s)
	if len(finding.Errors(bad)) > 0 {
		t.Fatal(lines(bad))
	}
	for _, column := range []string{"p.a.profile", "p.b.profile"} {
		d := decision(t, b, column)
		if d.Outcome != rules.ByPath || d.Documents.Others != rules.StopOthers || len(d.Documents.Paths) != 5 || d.ReviewedBy != "data-protection" {
			t.Fatalf("%s: %+v", column, d)
		}
		want := []struct{ path, mask, class, domain, kinds string }{
			{"$.contact.phone", "phone", "phone", "phone", "text integer"},
			{"$.contact.email", "email", "email", "email", "text"},
			{"$.ssn", "fpe", "national_id", "ssn", "text integer decimal"},
			{"$.code", "fpe", "", "a.profile$.code", "text integer decimal"},
			{"$.tags[*]", "", "", "", ""},
		}
		for i, w := range want {
			p := d.Documents.Paths[i]
			var kinds []string
			for _, l := range p.Limits {
				kinds = append(kinds, string(l.Kind))
			}
			if p.Path.String() != w.path || p.Spec.Mask != w.mask || p.Spec.Class != w.class || p.Spec.Domain != w.domain || strings.Join(kinds, " ") != w.kinds {
				t.Errorf("%s: %+v, want %+v", column, p, w)
			}
		}
		// One e-mail has one fake in the column and in the documents: within the limits of both.
		if l := d.Documents.Paths[1].Limits[0]; l.Length != 60 {
			t.Errorf("%s: the e-mails of the document have limits %+v", column, l)
		}
		if l := d.Documents.Paths[2].Limits[0]; l.Length != 11 {
			t.Errorf("%s: the numbers of the document have limits %+v", column, l)
		}
	}
	text := rules.Explain(b, schema.Name{Schema: "p", Table: "b"}, "profile")
	for _, line := range []string{
		"p.b.profile: documents, decided by path\n", "because p.b.profile inherits from p.a.profile\n", "because p.a.profile has its own line at r.yaml:8:9\n",
		"  $.contact.phone: masked by phone [r.yaml:9:35]\n", "    domain: email, shared with p.a.email, p.a.profile $.contact.email\n",
		"  $.tags[*]: kept [r.yaml:13:35]\n    reason: fixed vocabulary\n", "    reviewed by dpo, to be reviewed again by 2027-06-30\n", "  paths not named: the run stops\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the explanation lacks %q:\n%s", line, text)
		}
	}
}

func TestDocumentsAgainstSchema(t *testing.T) {
	s := build(t, "p.a: id int pk, doc jsonb unique, n int, name text -> p.b.name, words text\np.b: name text unique, doc jsonb\np.c: doc jsonb\ninherits p.c p.b\n")
	for _, tt := range []struct{ table, column, mask, message string }{
		{"p.a", "n", "email", "paths lead into documents, and p.a.n is int (integer)"},
		{"p.a", "doc", "email", "p.a.doc must stay unique"},
		{"p.b", "name", "email", "p.b.name is part of a reference"},
	} {
		text := "version: 1\ntables:\n  " + tt.table + ":\n    columns:\n      " + tt.column + ": {json: {$: {mask: " + tt.mask + "}}, others: drop}\n"
		_, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", text)}, s)
		if errs := finding.Errors(bad); len(errs) == 0 || !strings.Contains(errs[0].Message, tt.message) || errs[0].Code != 2 || errs[0].At.Line != 5 {
			t.Errorf("%s.%s: %s", tt.table, tt.column, lines(bad))
		}
	}
	b, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\ntables:\n  p.a: {columns: {words: {json: {$: email}, others: drop}}}\n")}, s)
	if d := decision(t, b, "p.a.words"); len(finding.Errors(bad)) > 0 || d.Outcome != rules.ByPath {
		t.Errorf("a text of documents: %+v\n%s", d, lines(bad))
	}
	_, bad = rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\ntables:\n  p.b: {columns: {doc: {json: {$: email}, others: drop}}}\n  p.c: {columns: {doc: redact}}\n")}, s)
	if len(bad) != 1 || !strings.Contains(bad[0].Message, "p.c.doc contradicts what it inherits from") {
		t.Error(lines(bad))
	}
}

func TestElementsOfArrays(t *testing.T) {
	s := build(t, "p.a 100: id int pk, mail varchar(50), mails array, old array, key array unique\n")
	for i := range s.Tables[0].Columns {
		if c := &s.Tables[0].Columns[i]; c.Name == "mails" || c.Name == "key" {
			c.Element, c.Length, c.Type = schema.Text, 40, "varchar(40)[]"
		}
	}
	b := bind(t, s, "tables: {p.a: {columns: {mail: email, mails: email, key: {mask: hash}, old: redact}}}\n")
	d := decision(t, b, "p.a.mails")
	if !d.Each || d.Spec.Domain != "email" || d.Limits.Kind != schema.Text || d.Limits.Length != 40 {
		t.Errorf("mails: %+v", d)
	}
	if mail := decision(t, b, "p.a.mail"); mail.Each || mail.Limits.Length != 40 {
		t.Errorf("mail does not share the limits of the elements: %+v", mail)
	}
	if key := decision(t, b, "p.a.key"); !key.Limits.Unique || key.Limits.Rows < 1e9 {
		t.Errorf("the elements of a unique column are counted by its rows: %+v", key)
	}
	if old := decision(t, b, "p.a.old"); old.Each || old.Limits.Kind != schema.Array {
		t.Errorf("old: %+v", old)
	}
	if text := rules.Explain(b, s.Tables[0].Name, "mails"); !strings.Contains(text, "each element masked by email") {
		t.Error(text)
	}
	_, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\ntables: {p.a: {columns: {old: email, mails: int}}}\n")}, s)
	errs := finding.Errors(bad)
	if len(errs) != 2 || !strings.Contains(errs[1].Message, "p.a.mails is varchar(40)[] (array of text)") || !strings.Contains(errs[1].Hint, "email") {
		t.Error(lines(bad))
	}
	locked, err := rules.ReadLock(rules.Lock(s))
	if err != nil || locked.Tables[0].Column("mails").Element != schema.Text {
		t.Errorf("the lock file forgets the kind of elements: %v", err)
	}
}
