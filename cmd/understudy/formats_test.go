package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"understudy/internal/config"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/rules"
	"understudy/schemas"
)

// formats are the JSON Schemas of the two files, which editors complete and check by.
type formats struct{ job, rules *jsonschema.Schema }

func readFormats(t *testing.T) formats {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compile := func(name string) *jsonschema.Schema {
		s, err := compiler.Compile(filepath.Join("..", "..", "schemas", name))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return formats{compile("job.schema.json"), compile("rules.schema.json")}
}

// accepts tells whether a schema accepts a YAML text.
func accepts(t *testing.T, s *jsonschema.Schema, text string) (bool, error) {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return false, err
	}
	err := s.Validate(plain(v))
	return err == nil, err
}

// plain gives a value as JSON would hold it: dates are text.
func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.DateOnly)
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
		return v
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		return v
	}
	return v
}

func parses(name, text string) (bool, []finding.Finding) {
	var found []finding.Finding
	if name == "understudy.yaml" {
		_, found = config.Parse(name, []byte(text), func(string) string { return "set" })
	} else {
		_, found = rules.Parse(name, []byte(text))
	}
	return len(finding.Errors(found)) == 0, found
}

// TestFormats holds the schemas to the parsers: what one accepts the other
// accepts, on files that are good, on every bad file of TestInputs, and on more.
func TestFormats(t *testing.T) {
	f := readFormats(t)
	// beyond says why a schema cannot see a mistake that a parser sees.
	beyond := map[string]string{
		"structure table name":              "names have a grammar of their own",
		"structure preserved and discarded": "two places",
		"structure schema twice":            "two places",
		"structure mask parameter":          "the mask judges its parameters",
		"yaml not utf-8":                    "the YAML library replaces what is not UTF-8",
		"yaml anchor":                       "the YAML library expands it",
		"yaml two documents":                "the YAML library reads the first",
		"yaml tag":                          "the YAML library decodes it",
		"yaml control character":            "the reason is text to a schema",
	}
	for _, b := range badFiles() {
		if len(b.edit) != 3 || beyond[b.name] != "" {
			continue
		}
		text := map[string]string{"understudy.yaml": goodJob, "rules/rules.yaml": goodRules}[b.edit[0]]
		agree(t, f, b.name, b.edit[0], strings.Replace(text, b.edit[1], b.edit[2], 1))
	}
	for name, text := range schemas.Files() {
		mustAccept(t, f, name, text)
	}
	for _, pattern := range []string{"*.yaml", "examples/*.yaml"} {
		paths, err := filepath.Glob(filepath.Join("..", "..", "rules", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no examples: %v", err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(path)
			if strings.HasSuffix(name, "-job.yaml") {
				name = "understudy.yaml"
			}
			mustAccept(t, f, name, string(data))
		}
	}
	for _, change := range []string{
		"key: {file: /run/k}", "key: {command: [pass, show]}", "key: {command: []}", "key: ${K}", "key: {}", "key: 5", "key: {env: a-b}",
		"rules: a.yaml", "rules: []", "rules: [5]",
		"schemas: public", "schemas: [public, {source: a, target: b}]", "schemas: {source: a}",
		"references: [{from: a.b, to: c.d}]", "references: [{from: a.b}]", "references: [{from: a.b, to: c.d, when: x}]", "references: [{from: a.b, to: c.d, when: 5}]", "references: {from: a.b, to: c.d}",
		"orphans: fail", "orphans: drop", "orphans: nullify", "orphans: keep", "load: {keep: 0}", "load: {keep: 101}", "load: {mode: replace}", "load: {mode: replace, keep: 0}", "load: {mode: replace, keep: 1}", "load: {mode: swap, keep: 1}", "load: {mode: both}", "load: {preserve: []}", "load: {after: x.sql}", "load: {after: [x.sql]}", "load: {after: ''}",
		"limits: {lock_wait: 2s, snapshot_age: 1h30m, statement: 2d}", "limits: {lock_wait: 2}", "limits: {readers: 65}", "limits: {replica_lag: 30s}", "limits: {replica_lag: yes}", "limits: {retries: 0}", "limits: {retries: 21}", "limits: {reader: 2}",
		"report: {dir: x, keep: 1}", "report: {keep: 0}", "target_is_a_clone: because", "target_is_a_clone: true", "allow_subqueries: true", "allow_subqueries: maybe",
		"subset: {unreached: all}", "subset: {unreached: some}", "subset: {seeds: []}", "subset: {seeds: [{table: a, percent: 0}]}", "subset: {seeds: [{table: a, limit: 3, order: b}]}",
		"subset: {seeds: [{table: a}], tables: {b: none, c: all, d: {where: x}}}", "subset: {seeds: [{table: a}], tables: {b: some}}", "subset: {seeds: [{table: a}], tables: {b: {per_parent: 3}}}",
		"subset: {seeds: [{table: a}], tables: {b: {where: x, per_parent: 3, order: y desc, by: c}}}", "subset: {seeds: [{table: a}], tables: {b: {per_parent: 0}}}",
		"subset: {seeds: [{table: a}], tables: {b: {where: x, order: y}}}", "subset: {seeds: [{table: a}], tables: {b: {where: x, by: c}}}", "subset: {seeds: [{table: a}], tables: {b: {}}}",
		"subset: {budget: {rows: 5}}", "subset: {tables: {b: none}}", "subset: {tables: {b: none}, unreached: small}", "subset: {budget: {rows: 5}, seeds: []}", "subset: {follow: [a.b]}", "subset: {}",
		"subset: {seeds: [{table: a}], budget: {rows: 0}}", "subset: {seeds: [{table: a}], follow: [a.b]}", "version: 2", "version: one",
	} {
		agree(t, f, change, "understudy.yaml", replaceLine(goodJob, change))
	}
	for _, rule := range []string{
		"email", "nonsense", "keep", "constant", "{mask: constant, value: x}", "{mask: constant}", "{mask: date_shift, within: 30d}", "{mask: email, within: 30d}",
		"{keep: product name}", "{keep: no}", "{keep: product name, domain: x}", "{mask: email, domain: mail, class: email, fold: true}", "{mask: email, fold: 1}",
		"{keep: product name, reviewed_by: dpo, review_by: 2027-06-30}", "{keep: product name, review_by: soon}", "{class: email}", "{mask: email, class: two words}", "5", "[email]",
		`{json: {"$.a": redact}, others: stop}`, `{json: {"$.a": redact}}`, `{json: {}, others: stop}`, `{json: {a: redact}, others: stop}`, `{json: {"$": redact}, others: keep}`,
		`{json: {"$.a[*].b": {mask: email, class: mail}, "$['odd \\'name']": {keep: vocabulary}, "$.people.*": phone}, others: drop, reviewed_by: dpo}`,
		`{json: {"$.a[0]": redact}, others: stop}`, `{json: {"$..a": redact}, others: stop}`, `{json: {"$.a b": redact}, others: stop}`, `{json: {"$['a": redact}, others: stop}`,
		`{json: {"$.a": redact}, others: stop, mask: email}`, `{json: {"$.a": redact}, others: stop, class: x}`, `{json: {"$.a": {json: {"$": redact}, others: stop}}, others: stop}`,
		`{json: {"$.a": {keep: no}}, others: stop}`, `{mask: fpe, others: keep}`,
		"credit_card", "{mask: credit_card, bin: permute}", "{mask: credit_card, bin: real}", "{mask: iban, bank: permute}", "{mask: ip, family: v6}", "{mask: ip, family: v4}",
		"bucket", "{mask: bucket, width: 10}", "{mask: bucket, bounds: [0, 18, 65]}", "{mask: bucket, width: 10, bounds: [0, 18]}", "noise", "{mask: noise, by: 5}", "{mask: noise, by: 5, percent: 3}",
		"choice", "{mask: choice, values: [gold, silver], weights: [1, 2.5]}", "{mask: choice, values: \"gold, silver\"}", "{mask: choice, values: [gold]}", "{mask: choice, values: {a: b}}",
		"regex", "{mask: regex, pattern: \"[A-Z]{3}\"}", "template", "{mask: template, format: \"EMP-{digits:6}\"}", "national_id", "{mask: national_id, scheme: us_ssn}", "{mask: national_id, scheme: uk}",
		"date_truncate", "{mask: date_truncate, to: week}", "{mask: date_truncate, to: [week]}", "{mask: mac}", "lorem", "{mask: lorem, length: 5}",
	} {
		agree(t, f, rule, "r.yaml", "version: 1\ntables:\n  a:\n    columns:\n      b: "+rule+"\n")
	}
	for _, match := range []string{
		"match: {column: \"*mail*\"}, mask: email", "match: {}, mask: email", "mask: email", "match: {type: text}, mask: redact", "match: {type: varchar}, mask: redact",
		"match: {type: boolean}, keep: two values", "match: {type: timestamp}, keep: event time", "match: {type: timestamp, column: \"*_at\"}, keep: event time",
		"match: {key: primary}, keep: a number", `match: {type: json}, json: {"$": redact}, others: stop`, "match: {key: surrogate}, keep: a number", "match: {colum: x}, mask: email",
	} {
		agree(t, f, match, "r.yaml", "version: 1\ndefaults:\n  - {"+match+"}\n")
	}
}

func replaceLine(text, line string) string {
	key, _, _ := strings.Cut(line, ":")
	var out []string
	skip := false
	for l := range strings.Lines(text) {
		if !strings.HasPrefix(l, " ") {
			skip = strings.HasPrefix(l, key+":")
		}
		if !skip {
			out = append(out, l)
		}
	}
	return strings.Join(out, "") + line + "\n"
}

func (f formats) of(name string) *jsonschema.Schema {
	if name == "understudy.yaml" {
		return f.job
	}
	return f.rules
}

func agree(t *testing.T, f formats, what, name, text string) {
	t.Helper()
	byParser, found := parses(name, text)
	bySchema, err := accepts(t, f.of(name), text)
	if byParser != bySchema {
		t.Errorf("%s: the parser says %v, the schema %v\n%v\n%v", what, byParser, bySchema, found, err)
	}
}

func mustAccept(t *testing.T, f formats, name, text string) {
	t.Helper()
	if ok, err := accepts(t, f.of(name), text); !ok {
		t.Errorf("the schema refuses %s: %v", name, err)
	}
	if ok, found := parses(name, text); !ok {
		t.Errorf("the parser refuses %s: %v", name, found)
	}
}

// TestFormatKnowsTheMasks holds the rules' schema to the masks there are and
// their parameters.
func TestFormatKnowsTheMasks(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "schemas", "rules.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Defs struct {
			Mask struct {
				OneOf []struct {
					Raw map[string]json.RawMessage `json:"properties"`
				} `json:"oneOf"`
			} `json:"mask"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for _, branch := range doc.Defs.Mask.OneOf {
		var name struct {
			Const string
			Enum  []string
		}
		if err := json.Unmarshal(branch.Raw["mask"], &name); err != nil {
			t.Fatal(err)
		}
		names := name.Enum
		if name.Const != "" {
			names = append(names, name.Const)
		}
		for _, n := range names {
			known[n] = []string{}
			for p := range branch.Raw {
				known[n] = append(known[n], p)
			}
		}
	}
	for _, k := range mask.Kinds() {
		params, ok := known[k.Name]
		if !ok {
			t.Errorf("the schema does not know the mask %s", k.Name)
		}
		for _, p := range k.Params {
			if !slices.Contains(params, p.Name) {
				t.Errorf("the schema does not know %s of the mask %s", p.Name, k.Name)
			}
		}
		delete(known, k.Name)
	}
	for name := range known {
		t.Errorf("the schema knows a mask %s, and there is none", name)
	}
}
