package rules_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/finding"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// kindOf gives the kind of the types that the tests use.
func kindOf(typ string) schema.Kind {
	base, _, _ := strings.Cut(typ, "(")
	switch base {
	case "text", "varchar", "char", "citext":
		return schema.Text
	case "int", "bigint", "smallint":
		return schema.Integer
	case "numeric":
		return schema.Decimal
	case "timestamptz":
		return schema.Timestamp
	case "point":
		return schema.Geo
	case "tsvector":
		return schema.Other
	case "jsonb":
		return schema.JSON
	case "bytea":
		return schema.Bytes
	}
	return schema.Kind(base)
}

// build makes a schema from lines such as
//
//	public.users 1000: id int pk surrogate, email varchar(80) unique notnull, boss int -> public.users.id
//	unique public.users(tenant, name)
//	ref public.a(x, y) -> public.b(x, y)
//	inherits public.child public.parent
//	partition public.events public.events_2026
func build(t testing.TB, text string) *schema.Schema {
	t.Helper()
	s := &schema.Schema{}
	table := func(name string) *schema.Table {
		for i := range s.Tables {
			if s.Tables[i].Name.String() == name {
				return &s.Tables[i]
			}
		}
		t.Fatalf("no table %q", name)
		return nil
	}
	name := func(text string) (n schema.Name) {
		if err := n.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	side := func(text string) (schema.Name, []string) {
		n, columns, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(text), ")"), "(")
		return name(n), strings.Split(columns, ", ")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "":
		case "unique":
			n, columns := side(rest)
			tab := table(n.String())
			tab.Keys = append(tab.Keys, schema.Key{Name: rest, Columns: columns, NotNull: true})
		case "ref", "declared":
			from, to, _ := strings.Cut(rest, " -> ")
			r := schema.Reference{Name: rest, Declared: word == "declared"}
			r.From, r.Columns = side(from)
			r.To, r.ToColumns = side(to)
			s.References = append(s.References, r)
		case "inherits":
			child, parent, _ := strings.Cut(rest, " ")
			table(child).Inherits = append(table(child).Inherits, name(parent))
		case "partition":
			parent, part, _ := strings.Cut(rest, " ")
			table(parent).Partitions = append(table(parent).Partitions, name(part))
		default:
			head, columns, _ := strings.Cut(line, ": ")
			n, rows, _ := strings.Cut(head, " ")
			tab := schema.Table{Name: name(n), Rows: -1}
			if rows != "" {
				tab.Rows, _ = strconv.ParseInt(rows, 10, 64)
			}
			for _, c := range strings.Split(columns, ", ") {
				words := strings.Fields(c)
				col := schema.Column{Name: words[0], Type: words[1], Kind: kindOf(words[1]), Scale: -1, FoldCase: words[1] == "citext"}
				if _, l, ok := strings.Cut(words[1], "("); ok {
					col.Length, _ = strconv.Atoi(strings.TrimSuffix(l, ")"))
				}
				if words[1] == "int" {
					col.Min, col.Max = -1<<31, 1<<31-1
				}
				for i, w := range words[2:] {
					switch w {
					case "pk", "unique":
						tab.Keys = append(tab.Keys, schema.Key{Name: c, Columns: []string{col.Name}, Primary: w == "pk", NotNull: true})
						col.NotNull = true
					case "surrogate":
						col.Surrogate = true
					case "notnull":
						col.NotNull = true
					case "generated":
						col.Generated = true
					case "->":
						to, column := words[i+3], ""
						dot := strings.LastIndexByte(to, '.')
						to, column = to[:dot], to[dot+1:]
						s.References = append(s.References, schema.Reference{Name: c, From: tab.Name, Columns: []string{col.Name}, To: name(to), ToColumns: []string{column}})
					}
				}
				tab.Columns = append(tab.Columns, col)
			}
			s.Tables = append(s.Tables, tab)
		}
	}
	s.Sort()
	return s
}

const shop = `
public.customers 5000: id int pk surrogate, email varchar(120) unique, full_name text notnull, ssn text unique, birth_date date, notes text, plan text, created_at timestamptz, locale text, active boolean, label text generated, boss_id int -> public.customers.id
public.logins 9000: id int pk surrogate, email varchar(60) -> public.customers.email, at timestamptz
public.orders 20000: tenant int notnull, no int notnull, customer_id int -> public.customers.id, total numeric, placed_at timestamptz
unique public.orders(tenant, no)
public.order_items 60000: tenant int notnull, order_no int notnull, line int notnull, sku text
unique public.order_items(tenant, order_no, line)
ref public.order_items(tenant, order_no) -> public.orders(tenant, no)
public.events 100000: id int pk surrogate, kind text, payload jsonb
partition public.events public.events_2026
crm.customers 10: id int pk surrogate, name text
public.base: id int pk surrogate, title text
public.special: id int, title text, extra text
inherits public.special public.base
`

// parse reads rules that must be well formed.
func parse(t testing.TB, name, text string) *rules.File {
	t.Helper()
	f, bad := rules.Parse(name, []byte(text))
	if len(bad) > 0 {
		t.Fatalf("%s: %v", name, bad)
	}
	return f
}

func decision(t testing.TB, b *rules.Binding, name string) rules.Decision {
	t.Helper()
	for _, d := range b.Decisions {
		if d.Table.String()+"."+d.Column == name {
			return d
		}
	}
	t.Fatalf("no decision for %s", name)
	return rules.Decision{}
}

func lines(fs []finding.Finding) string {
	var out strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&out, "%s %s [%s %d] | %s\n", f.Severity, f, f.Check, f.Code, f.Hint)
	}
	return out.String()
}

const designRules = `version: 1
defaults:                                                  # the first that matches, and whose mask accepts the type, decides
  - {match: {column: "*email*"},                           mask: email}
  - {match: {key: surrogate},                              keep: "generated number, identifies no one outside"}
  - {match: {type: boolean},                               keep: "two values"}
  - {match: {type: timestamp, column: "*_at"},             keep: "event time"}
tables:
  public.customers:
    columns:
      full_name:  full_name                                # short for {mask: full_name}
      email:      {mask: email}
      ssn:        {mask: fpe, class: national_id}          # format-preserving permutation: unique stays unique
      birth_date: {mask: date_shift, within: 30d}
      notes:      {mask: redact, class: free_text}
      plan:       {keep: "product name", reviewed_by: data-protection, review_by: 2027-06-30}
      "id, created_at, locale": {keep: "no personal data"}  # one decision for several columns
`

func TestDesignSample(t *testing.T) {
	s := build(t, shop)
	b, bad := rules.Bind([]*rules.File{parse(t, "shop.yaml", designRules)}, s)
	if len(bad) > 0 {
		t.Fatal(lines(bad))
	}
	tests := []struct {
		column  string
		outcome rules.Outcome
		by      rules.Source
		via     string
		mask    string
		domain  string
		class   string
	}{
		{"public.customers.id", rules.Keep, rules.ByLine, "", "", "", ""},
		{"public.customers.boss_id", rules.Keep, rules.ByReference, "public.customers.id", "", "", ""},
		{"public.customers.full_name", rules.Mask, rules.ByLine, "", "full_name", "full_name", "full_name"},
		{"public.customers.email", rules.Mask, rules.ByLine, "", "email", "customers.email", "email"},
		{"public.logins.email", rules.Mask, rules.ByReference, "public.customers.email", "email", "customers.email", "email"},
		{"public.customers.ssn", rules.Mask, rules.ByLine, "", "fpe", "national_id", "national_id"},
		{"public.customers.birth_date", rules.Mask, rules.ByLine, "", "date_shift", "customers.birth_date", ""},
		{"public.customers.active", rules.Keep, rules.ByDefault, "", "", "", ""},
		{"public.customers.label", rules.Derived, "", "", "", "", ""},
		{"public.orders.customer_id", rules.Keep, rules.ByReference, "public.customers.id", "", "", ""},
		{"public.orders.placed_at", rules.Keep, rules.ByDefault, "", "", "", ""},
		{"public.events.id", rules.Keep, rules.ByDefault, "", "", "", ""},
		{"public.events.kind", rules.Undecided, "", "", "", "", ""},
		{"public.logins.at", rules.Undecided, "", "", "", "", ""},
		{"public.order_items.tenant", rules.Undecided, rules.ByReference, "public.orders.tenant", "", "", ""},
		{"public.special.id", rules.Keep, rules.ByParent, "public.base.id", "", "", ""},
	}
	for _, tt := range tests {
		d := decision(t, b, tt.column)
		if d.Outcome != tt.outcome || d.By != tt.by || d.Via != tt.via || d.Spec.Mask != tt.mask || d.Spec.Domain != tt.domain || d.Spec.Class != tt.class {
			t.Errorf("%s: %+v", tt.column, d)
		}
	}
	if d := decision(t, b, "public.customers.plan"); d.ReviewedBy != "data-protection" || d.ReviewBy != "2027-06-30" || d.Reason != "product name" {
		t.Errorf("plan: %+v", d)
	}
	for _, name := range []string{"public.customers.email", "public.logins.email"} {
		l := decision(t, b, name).Limits
		if l.Length != 60 || !l.Unique || !l.NotNull || l.Rows != 9000 {
			t.Errorf("%s: limits %+v are not the intersection", name, l)
		}
	}
	if d := decision(t, b, "public.customers.birth_date"); d.Spec.Params["within"] != "30d" {
		t.Errorf("birth_date: %+v", d.Spec)
	}
}

func TestBadRulesFile(t *testing.T) {
	const c = "CanaryValue7"
	head := "version: 1\ntables:\n  t:\n    columns:\n"
	tests := []struct{ name, data, at, message, hint string }{
		{"no version", "tables: {}\n", "r.yaml:1:1", "lacks version", "version: 1"},
		{"version", "version: 3\n", "r.yaml:1:10", "version must be", ""},
		{"unknown top key", "version: 1\ntabels: {}\n", "r.yaml:2:1", `unknown key "tabels"`, "tables"},
		{"glob", "version: 1\ndefaults:\n  - {match: {column: *email*}, mask: email}\n", "r.yaml:3:22", "unquoted *", `"*name*"`},
		{"glob as anchor", "version: 1\ndefaults:\n  - {match: {column: *_email}, mask: email}\n", "r.yaml:3:22", "unquoted *", `"*name*"`},
		{"comma", head + "      plan: {keep: a product name, no person " + c + "}\n", "r.yaml:5:36", "ends at its comma", "double quotes"},
		{"no reason", head + "      plan: {keep: }\n", "r.yaml:5:20", "keep needs a value", "write why"},
		{"empty reason", head + "      plan: {keep: ''}\n", "r.yaml:5:20", "keep is empty", "write why"},
		{"keep true", head + "      plan: {keep: true}\n", "r.yaml:5:20", "keep must be text", "quotes"},
		{"keep yes", head + "      plan: {keep: yes}\n", "r.yaml:5:20", "a sentence", "write why"},
		{"unknown mask", head + "      plan: " + c + "\n", "r.yaml:5:13", "no mask of this name", "known masks"},
		{"near mask", head + "      plan: {mask: emial}\n", "r.yaml:5:20", "no mask of this name", "did you mean email?"},
		{"both", head + "      plan: {mask: email, keep: \"" + c + "\"}\n", "r.yaml:5:13", "either masks or keeps", ""},
		{"neither", head + "      plan: {class: email}\n", "r.yaml:5:13", "neither masks nor keeps", "redact"},
		{"unknown parameter", head + "      b: {mask: date_shift, witin: 30d}\n", "r.yaml:5:29", `unknown key "witin"`, "within"},
		{"parameter of another mask", head + "      b: {mask: email, within: 30d}\n", "r.yaml:5:24", "unknown key", "known here"},
		{"bad parameter", head + "      b: {mask: date_shift, within: soon}\n", "r.yaml:5:37", "mask date_shift: ", ""},
		{"parameter value", head + "      b: {mask: date_shift, within: " + c + "}\n", "r.yaml:5:37", "mask date_shift: within", ""},
		{"phone format", head + "      b: {mask: phone, format: " + c + "}\n", "r.yaml:5:32", "mask phone: format", ""},
		{"pattern", head + "      b: {mask: regex, pattern: '" + c + "+'}\n", "r.yaml:5:33", "no longest text", ""},
		{"template", head + "      b: {mask: template, format: '" + c + "@shop.com'}\n", "r.yaml:5:35", "mask template: format", ""},
		{"list of one", head + "      b: {mask: choice, values: [" + c + "]}\n", "r.yaml:5:33", "two values or more", ""},
		{"list for a value", head + "      b: {mask: regex, pattern: [" + c + ", x]}\n", "r.yaml:5:33", "one value", ""},
		{"list with a mapping", head + "      b: {mask: choice, values: [{a: " + c + "}, x]}\n", "r.yaml:5:34", "one value", ""},
		{"awaited mask", head + "      b: shuffle\n", "r.yaml:5:10", "not there yet", "redact"},
		{"class of words", head + "      b: {mask: redact, class: " + c + " free text}\n", "r.yaml:5:32", "class must be one word", "free_text"},
		{"missing parameter", head + "      b: constant\n", "r.yaml:5:10", "value is missing", ""},
		{"json without others", head + "      b:\n        json:\n          $.a: {mask: phone}\n", "r.yaml:6:9", "the rule lacks others", "others: stop"},
		{"others without json", head + "      b: {mask: redact, others: stop}\n", "r.yaml:5:25", "unknown key", "json"},
		{"others", head + "      b:\n        json:\n          $.a: {mask: phone}\n        others: keep\n", "r.yaml:8:17", "others must be one of redact, drop, stop", ""},
		{"json and mask", head + "      b: {mask: redact, json: {$: redact}, others: stop}\n", "r.yaml:5:10", "or goes by the paths", "leave one"},
		{"path", head + "      b:\n        json:\n          $.a[0]." + c + ": {mask: phone}\n        others: stop\n", "r.yaml:7:11", "this is no path: brackets hold", "$.tags[*]"},
		{"path twice", head + "      b:\n        json:\n          $.a: {mask: phone}\n          $['a']: {mask: email}\n        others: stop\n", "r.yaml:8:11", "decided twice: here and at r.yaml:7:11", "one of the two"},
		{"path's mask", head + "      b:\n        json:\n          $.a: {mask: phoen}\n        others: stop\n", "r.yaml:7:23", "no mask of this name", "did you mean phone?"},
		{"path's key", head + "      b:\n        json:\n          $.a: {mask: phone, clas: x}\n        others: stop\n", "r.yaml:7:30", `unknown key "clas"`, "class"},
		{"json in json", head + "      b:\n        json:\n          $.a: {json: {$.b: redact}, others: stop}\n        others: stop\n", "r.yaml:7:17", "holds no json of its own", "longer paths"},
		{"container", head + "      b:\n        json:\n          $.a: {mask: email}\n          $.a.b: {mask: email}\n        others: stop\n", "r.yaml:7:23", "the path at r.yaml:8:11 leads through this one", "mask: redact"},
		{"no path", head + "      b: {json: {}, others: stop}\n", "r.yaml:5:17", "json names no path", "mask: redact"},
		{"json as a list", head + "      b: {json: [$.a], others: stop}\n", "r.yaml:5:17", "json must be a mapping", ""},
		{"class of json", head + "      b: {json: {$: redact}, others: stop, class: x}\n", "r.yaml:5:44", "goes by path", "with the path"},
		{"json in a default", "version: 1\ndefaults:\n  - {match: {type: json}, json: {$: redact}, others: redact}\n", "r.yaml:3:27", "a default masks or keeps", "mask: redact"},
		{"rule is a list", head + "      b: [email]\n", "r.yaml:5:10", "must be a mapping", ""},
		{"date", head + "      b: {mask: redact, review_by: June}\n", "r.yaml:5:36", "review_by must be a date", "2027-06-30"},
		{"fold", head + "      b: {mask: email, fold: maybe}\n", "r.yaml:5:30", "fold must be true or false", ""},
		{"domain of keep", head + "      b: {keep: \"a product\", domain: x}\n", "r.yaml:5:30", "this rule keeps", "leave it out"},
		{"column name", head + "      \"a b\": redact\n", "r.yaml:5:7", "not the name of a column", "double quotes"},
		{"table name", "version: 1\ntables:\n  a.b.c:\n    columns: {}\n", "r.yaml:3:3", "not the name of a table", "schema.table"},
		{"no columns", "version: 1\ntables:\n  t: {colums: {}}\n", "r.yaml:3:7", "unknown key", "columns"},
		{"default keeps text", "version: 1\ndefaults:\n  - {match: {column: \"*code*\"}, keep: \"codes\"}\n", "r.yaml:3:39", "a default keeps only", "own lines"},
		{"default keeps timestamps", "version: 1\ndefaults:\n  - {match: {type: timestamp}, keep: \"times\"}\n", "r.yaml:3:38", "a default keeps only", ""},
		{"default keeps by star", "version: 1\ndefaults:\n  - {match: {type: timestamp, column: \"*\"}, keep: \"times\"}\n", "r.yaml:3:51", "a default keeps only", ""},
		{"unknown type", "version: 1\ndefaults:\n  - {match: {type: varchar}, mask: redact}\n", "r.yaml:3:20", "type must be one of", ""},
		{"unknown key word", "version: 1\ndefaults:\n  - {match: {key: primry}, mask: redact}\n", "r.yaml:3:19", "key must be one of", "primary"},
		{"empty match", "version: 1\ndefaults:\n  - {match: {}, mask: redact}\n", "r.yaml:3:13", "the match is empty", ""},
		{"no match", "version: 1\ndefaults:\n  - {mask: redact}\n", "r.yaml:3:5", "lacks match", "match:"},
		{"twice in a file", head + "      a: redact\n      a: email\n", "r.yaml:6:7", "already at line 5", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, fs := rules.Parse("r.yaml", []byte(tt.data))
			found := false
			for _, f := range fs {
				found = found || f.At.String() == tt.at && strings.Contains(f.Message, tt.message) && strings.Contains(f.Hint, tt.hint) && f.Code == 2
			}
			if !found || len(fs) > 2 || len(fs) == 2 && tt.name != "no columns" {
				t.Errorf("want %s: %s | %s, have\n%s", tt.at, tt.message, tt.hint, lines(fs))
			}
			if strings.Contains(lines(fs), c) {
				t.Errorf("a finding quotes the file: %s", lines(fs))
			}
		})
	}
}

func TestRulesAgainstSchema(t *testing.T) {
	one := func(table, columns string) string {
		return "version: 1\ntables:\n  " + table + ":\n    columns:\n      " + columns + "\n"
	}
	tests := []struct{ name, rules, at, message, hint string }{
		{"unknown table", one("public.custmers", "id: redact"), "r.yaml:3:3", `no table "public.custmers"`, "correct its name"},
		{"nearest table", one("public.custmers", "id: redact"), "r.yaml:3:3", `did you mean "public.customers"`, ""},
		{"ambiguous table", one("customers", "email: email"), "r.yaml:3:3", "write one of crm.customers, public.customers", ""},
		{"case of a table", one("public.Orders", "total: redact"), "r.yaml:3:3", `did you mean "public.orders"`, ""},
		{"unknown column", one("public.customers", "emial: email"), "r.yaml:5:7", `public.customers has no column "emial" (did you mean "email"?)`, "correct its name"},
		{"unknown among several", one("public.customers", `"plan, locals": redact`), "r.yaml:5:7", `no column "locals" (did you mean "locale"?)`, ""},
		{"generated", one("public.customers", "label: redact"), "r.yaml:5:7", "public.customers.label is generated", "computed from"},
		{"partition", one("public.events_2026", "kind: redact"), "r.yaml:3:3", "public.events_2026 is a partition", "public.events"},
		{"twice in one line", one("public.customers", `"plan, plan": redact`), "r.yaml:5:7", "decided twice: here and at r.yaml:5:21", "keep one"},
		{"twice over names", one("public.orders", "total: redact") + "  orders:\n    columns:\n      total: redact\n", "r.yaml:8:7", "public.orders.total is decided twice: here and at r.yaml:5:14", "keep one"},
		{"type", one("public.customers", "birth_date: email"), "r.yaml:5:19", "mask email takes text, and public.customers.birth_date is date", "masks for date: date_shift"},
		{"type of json", one("public.events", "payload: full_name"), "r.yaml:5:16", "public.events.payload is jsonb (json)", "masks for json: redact"},
		{"against a foreign key", one("public.customers", `id: {keep: "generated"}`+"\n      boss_id: int"), "r.yaml:6:16", "public.customers.boss_id contradicts what it references: public.customers.id at r.yaml:5:18 (mask here, keep there)", "remove this line"},
		{"keep against a mask", one("public.customers", "email: email") + "  logins:\n    columns:\n      email: {keep: \"a copy\"}\n", "r.yaml:8:21", "public.logins.email contradicts what it references: public.customers.email at r.yaml:5:14 (keep here, mask there)", ""},
		{"another mask", one("public.customers", "email: email") + "  logins:\n    columns:\n      email: hash\n", "r.yaml:8:14", "mask hash here, email there", ""},
		{"another domain", one("public.customers", "email: email") + "  logins:\n    columns:\n      email: {mask: email, domain: logins}\n", "r.yaml:8:21", "another domain", ""},
		{"another parameter", one("public.customers", "email: {mask: hash, length: 40}") + "  logins:\n    columns:\n      email: {mask: hash, length: 50}\n", "r.yaml:8:21", "another length", ""},
		{"against a default", "version: 1\ndefaults:\n  - {match: {column: email}, mask: email}\ntables:\n  logins:\n    columns:\n      email: hash\n", "r.yaml:7:14", "public.customers.email at r.yaml:3:36", ""},
		{"against a composite key", one("public.orders", `tenant: {keep: "our own number"}`) + "  order_items:\n    columns:\n      tenant: int\n", "r.yaml:8:15", "public.order_items.tenant contradicts what it references: public.orders.tenant", ""},
		{"against a parent", one("public.base", "title: redact") + "  special:\n    columns:\n      title: {keep: \"a title\"}\n", "r.yaml:8:21", "public.special.title contradicts what it inherits from: public.base.title", ""},
		{"unused default", "version: 1\ndefaults:\n  - {match: {column: \"*emial*\"}, mask: email}\n", "r.yaml:3:5", "matches no column", "email"},
	}
	s := build(t, shop)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, fs := rules.Bind([]*rules.File{parse(t, "r.yaml", tt.rules)}, s)
			if len(fs) != 1 || fs[0].At.String() != tt.at || !strings.Contains(fs[0].Message, tt.message) || !strings.Contains(fs[0].Hint, tt.hint) {
				t.Errorf("want %s: %s | %s, have\n%s", tt.at, tt.message, tt.hint, lines(fs))
			}
			if wantCode := map[bool]int{true: 2, false: 0}[fs[0].Severity == finding.Error]; fs[0].Code != wantCode {
				t.Errorf("code %d", fs[0].Code)
			}
		})
	}
}

func TestTenMistakesInOneFile(t *testing.T) {
	const text = `version: 1
ownr: me
defaults:
  - {match: {column: *email*}, mask: email}
  - {match: {type: text}, keep: "all text"}
tables:
  public.customers:
    columns:
      emial: email
      plan: {keep: a name, not a person}
      notes: lorm
      label: redact
      birth_date: phone
  public.oders:
    columns: {total: redact}
  public.events:
    columns:
      payload: {json: {$.a: redact}}
`
	f, fs := rules.Parse("r.yaml", []byte(text))
	_, more := rules.Bind([]*rules.File{f}, build(t, shop))
	fs = append(fs, more...)
	want := []string{":2:1:", ":4:22:", ":5:33:", ":9:7:", ":10:28:", ":11:14:", ":12:7:", ":13:19:", ":14:3:", ":18:16:"}
	finding.Sort(fs)
	if len(fs) != len(want) {
		t.Fatalf("%d findings, want %d:\n%s", len(fs), len(want), lines(fs))
	}
	for i, w := range want {
		if !strings.Contains(fs[i].String(), "r.yaml"+w) {
			t.Errorf("finding %d is not at %s: %s", i+1, w, fs[i])
		}
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte(designRules))
	f.Add([]byte("version: 1\ndefaults:\n- {match: {key: *x}, keep: a, b}\ntables: {public.orders: {columns: {\"a, b\": {mask: fpe, json: {}}}}}"))
	s := build(f, shop)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, fs := rules.Parse("r", data)
		b, more := rules.Bind([]*rules.File{file}, s)
		for _, x := range append(fs, more...) {
			if x.Message == "" || x.Severity == "" {
				t.Fatalf("a finding without message: %+v", x)
			}
		}
		for _, d := range b.Decisions {
			if d.Outcome == rules.Mask && (d.Spec.Domain == "" || d.Limits.Kind == "") {
				t.Fatalf("a mask without domain or limits: %+v", d)
			}
		}
	})
}

// A parameter's mistake is told without the value, which the place shows.
func TestParameterMistakes(t *testing.T) {
	for rule, want := range map[string]string{
		"{mask: hash, length: 5000}":           "mask hash: length is not between 1 and 64",
		"{mask: hash, length: many}":           "mask hash: length is not a whole number",
		"{mask: int, min: 123456, max: 12345}": "mask int: min is above max",
	} {
		_, found := rules.Parse("r.yaml", []byte("version: 1\ntables: {a: {columns: {b: "+rule+"}}}\n"))
		if len(found) != 1 || found[0].Message != want || found[0].At.Line != 2 {
			t.Errorf("%s: %v, want %q", rule, found, want)
		}
	}
}
