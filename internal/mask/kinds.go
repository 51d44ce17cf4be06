package mask

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// An entry is a row of the table of masks: what is said about a mask and how it
// is made.
type entry struct {
	Kind
	read  func(*options) // reads the parameters and notes what is wrong with them; nil for none
	build func(*draft) (recipe, *Refusal)
}

// table is the one list of masks. It is a function, so that nobody can change it.
func table() []entry {
	textOnly := []schema.Kind{schema.Text}
	numeric := []schema.Kind{schema.Text, schema.Integer}
	people := func(name, doc, what string, pool func() []string) entry {
		return entry{Kind: Kind{Name: name, Family: "people", Class: name, Accepts: textOnly, Strength: "linkable", Doc: doc},
			build: buildList(what, pool, true)}
	}
	return []entry{
		{Kind: Kind{Name: "full_name", Family: "people", Class: "full_name", Accepts: textOnly, Strength: "linkable",
			Doc: "a made-up first and last name"}, build: buildFullName},
		people("first_name", "a first name", "first names", firstNames),
		people("last_name", "a last name, known or made up", "last names", lastNames),
		{Kind: Kind{Name: "username", Family: "people", Class: "username", Accepts: textOnly, Injective: true, Strength: "linkable",
			Doc: "a user name that begins with a tag of 80 bits or more"}, build: buildUsername},
		{Kind: Kind{Name: "email", Family: "people", Class: "email", Accepts: textOnly, Injective: true, Strength: "linkable",
			Params: []Param{{Name: "at", Doc: "a reserved domain for all addresses", Default: "example.com, example.net, example.org"}},
			Doc:    "an address at a reserved domain that begins with a tag of 80 bits"},
			read: func(o *options) { readEmail(o) }, build: buildEmail},
		{Kind: Kind{Name: "phone", Family: "people", Class: "phone", Accepts: numeric, Injective: true, Strength: "linkable",
			Params: []Param{{Name: "format", Doc: "auto (as the value), digits, e164 or separated", Default: "auto"}},
			Doc:    "a number kept for fiction; where it must be unique, one in an unassigned country code"},
			read: func(o *options) { readPhone(o) }, build: buildPhone},
		{Kind: Kind{Name: "job_title", Family: "people", Class: "job_title", Accepts: textOnly, Strength: "linkable",
			Doc: "a job title"}, build: buildList("job titles", jobs, false)},
		{Kind: Kind{Name: "company", Family: "people", Class: "company", Accepts: textOnly, Strength: "linkable",
			Doc: "a made-up company of two surnames"}, build: buildList("companies", firms, false)},
		{Kind: Kind{Name: "street", Family: "places", Class: "street", Accepts: textOnly, Strength: "linkable",
			Doc: "a house number and a made-up street"}, build: buildStreet},
		{Kind: Kind{Name: "city", Family: "places", Class: "city", Accepts: textOnly, Strength: "linkable",
			Doc: "a made-up city"}, build: buildList("cities", cities, false)},
		{Kind: Kind{Name: "postcode", Family: "places", Class: "postcode", Accepts: numeric, Strength: "linkable",
			Doc: "digits for digits and letters for letters, the rest in place"}, build: buildPostcode},
		{Kind: Kind{Name: "region", Family: "places", Class: "region", Accepts: textOnly, Strength: "linkable",
			Doc: "a made-up region; a code of two letters for a code"}, build: buildCoded("regions", regions, regionCodes, nil)},
		{Kind: Kind{Name: "country", Family: "places", Class: "country", Accepts: textOnly, Strength: "linkable",
			Doc: "another country: its name, or its ISO code of two or three letters for such a code"},
			build: buildCoded("countries", countries, countryCodes, countryCodes3)},
		{Kind: Kind{Name: "fpe", Family: "ids", Accepts: []schema.Kind{schema.Text, schema.Integer, schema.Decimal},
			Injective: true, Strength: "linkable", Reversible: true,
			Params: []Param{{Name: "others", Doc: "characters beyond ASCII: stop the run, or keep them in place (where they are not most of a value)", Default: "stop"},
				{Name: "letters", Doc: "permute them, or keep them in place, where a code has fixed ones", Default: "permute"}},
			Doc: "format-preserving permutation (FF1, AES-256): length, punctuation and uniqueness stay"},
			read: func(o *options) { readFormat(o) }, build: buildFormat},
		{Kind: Kind{Name: "int", Family: "ids", Accepts: []schema.Kind{schema.Integer}, Injective: true, Strength: "linkable", Reversible: true,
			Params: []Param{{Name: "min", Doc: "the least value", Default: "that of the column"}, {Name: "max", Doc: "the greatest value", Default: "that of the column"}},
			Doc:    "permutation of a range of integers; sign and zero stay"},
			read: func(o *options) { readIntegers(o) }, build: buildIntegers},
		{Kind: Kind{Name: "uuid", Family: "ids", Accepts: []schema.Kind{schema.UUID, schema.Text, schema.Bytes}, Injective: true,
			Strength: "linkable", Reversible: true, Doc: "permutation of the uuids of the same version"}, build: buildUUID},
		{Kind: Kind{Name: "hash", Family: "ids", Accepts: []schema.Kind{schema.Text, schema.Bytes}, Injective: true, Strength: "linkable",
			Params: []Param{{Name: "length", Doc: "characters", Default: "32, base32 16, less where the column is shorter"},
				{Name: "encoding", Doc: "hex or base32", Default: "hex"}},
			Doc: "a keyed hash"}, read: func(o *options) { readHash(o) }, build: buildHash},
		{Kind: Kind{Name: "national_id", Family: "ids", Class: "national_id", Accepts: textOnly, Strength: "linkable",
			Params: []Param{{Name: "scheme", Doc: "us_ssn, ca_sin, gb_nhs, gb_nino, de_tax_id or in_aadhaar", Required: true}},
			Doc:    "a number that the scheme never gives out, with its check digits; other forms keep their shape"},
			read: func(o *options) { readNational(o) }, build: buildNational},
		{Kind: Kind{Name: "credit_card", Family: "money", Class: "credit_card", Accepts: numeric, Injective: true, Strength: "linkable", Reversible: true,
			Params: []Param{{Name: "bin", Doc: "test: a brand's test numbers; permute: any number, as unique text columns need", Default: "test"}},
			Doc:    "a test number of the same brand and length, with separators and a check digit as right as it was"},
			read: func(o *options) { readCard(o) }, build: buildCard},
		{Kind: Kind{Name: "iban", Family: "money", Class: "bank_account", Accepts: textOnly, Injective: true, Strength: "linkable", Reversible: true,
			Params: []Param{{Name: "bank", Doc: "fictional: a bank code from 99 or ZZ on; permute: any, as unique columns need", Default: "fictional"}},
			Doc:    "an account of the same country and length, check digits as right as they were; national ones for BA, BE, ES, FR, IT, MC, ME, MK, PT, RS, SI, SM and XK, modulo 97 only elsewhere"},
			read: func(o *options) { readAccount(o) }, build: buildAccount},
		{Kind: Kind{Name: "ip", Family: "net", Class: "network", Accepts: []schema.Kind{schema.Net, schema.Text}, Injective: true, Strength: "linkable",
			Params: []Param{{Name: "family", Doc: "keep the version, or v6 for all, as unique columns need", Default: "keep"}},
			Doc:    "an address kept for documentation (networks: for benchmarks, future or local use), with the mask's length; other text becomes an address"},
			read: func(o *options) { readIP(o) }, build: buildIP},
		{Kind: Kind{Name: "mac", Family: "net", Class: "network", Accepts: []schema.Kind{schema.Net, schema.Text}, Injective: true, Strength: "linkable",
			Doc: "a locally administered hardware address of the same length; other text becomes one"}, build: buildMAC},
		{Kind: Kind{Name: "url", Family: "net", Class: "url", Accepts: textOnly, Injective: true, Strength: "linkable",
			Params: []Param{{Name: "at", Doc: "a reserved domain for all addresses", Default: "example.com, example.net, example.org"}},
			Doc:    "an address at a reserved domain whose path is a tag; the scheme stays"},
			read: func(o *options) { readURL(o) }, build: buildURL},
		{Kind: Kind{Name: "hostname", Family: "net", Class: "network", Accepts: textOnly, Injective: true, Strength: "linkable",
			Params: []Param{{Name: "at", Doc: "a reserved domain for all names", Default: "example.com, example.net, example.org"}},
			Doc:    "a tag below a reserved domain"},
			read: func(o *options) { readURL(o) }, build: buildHostname},
		{Kind: Kind{Name: "user_agent", Family: "net", Class: "network", Accepts: textOnly, Strength: "linkable",
			Doc: "what some browser sends"}, build: buildList("user agents", agents, false)},
		{Kind: Kind{Name: "date_shift", Family: "time", Accepts: []schema.Kind{schema.Date, schema.Timestamp, schema.Text},
			Strength: "weak", Reversible: true,
			Params: []Param{{Name: "within", Doc: "the longest shift, in days (30d), weeks (6w) or years (1y)", Default: "30d"}},
			Doc:    "the date moved by some days, never by none; the time of day stays"},
			read: func(o *options) { readShift(o) }, build: buildShift},
		{Kind: Kind{Name: "date_truncate", Family: "time", Accepts: []schema.Kind{schema.Date, schema.Timestamp, schema.Text}, Strength: "weak",
			Params: []Param{{Name: "to", Doc: "year, quarter, month, week, day or hour", Default: "month"}},
			Doc:    "the beginning of the date's span; what is one stays"},
			read: func(o *options) { readTruncate(o) }, build: buildTruncate},
		{Kind: Kind{Name: "noise", Family: "time", Accepts: []schema.Kind{schema.Integer, schema.Decimal}, Strength: "weak",
			Params: []Param{{Name: "percent", Doc: "the farthest move, in per cent of the number", Default: "10"},
				{Name: "by", Doc: "the farthest move, as an amount", Default: "none"},
				{Name: "min", Doc: "the least fake", Default: "what the column and the digits allow"},
				{Name: "max", Doc: "the greatest fake", Default: "what the column and the digits allow"}},
			Doc: "the number moved, exactly and in decimals, never by nothing; order and size survive; zero under percent, NaN and infinities stay"},
			read: func(o *options) { readNoise(o) }, build: buildNoise},
		{Kind: Kind{Name: "bucket", Family: "time", Accepts: []schema.Kind{schema.Integer, schema.Decimal}, Strength: "weak",
			Params: []Param{{Name: "width", Doc: "of buckets from zero on", Default: "none"}, {Name: "bounds", Doc: "ends of buckets, as 0, 18, 65", Default: "none", List: true}},
			Doc:    "the lower end of the number's bucket; what is one stays, as NaN and infinities do"},
			read: func(o *options) { readBucket(o) }, build: buildBucket},
		{Kind: Kind{Name: "lorem", Family: "text", Class: "free_text", Accepts: textOnly, Strength: "linkable",
			Doc: "Latin words, of a length between the same powers of two"}, build: buildLorem},
		{Kind: Kind{Name: "regex", Family: "text", Accepts: textOnly, Injective: true, Strength: "linkable",
			Params: []Param{{Name: "pattern", Doc: "a regular expression (RE2) with a longest text", Required: true}},
			Doc:    "a text of printable ASCII that the pattern matches, each as likely as any other"},
			read: func(o *options) { readPattern(o) }, build: buildPattern},
		{Kind: Kind{Name: "template", Family: "text", Accepts: textOnly, Injective: true, Strength: "linkable",
			Params: []Param{{Name: "format", Doc: "text with {first_name} {last_name} {job_title} {company} {city} {street} {country} {word}, each with :lower or :upper, {digits:6} {letters:3} {hex:8} {tag:16}; {{ and }} for braces", Required: true}},
			Doc:    "a text filled in from parts; unique where a tag is among them"},
			read: func(o *options) { readTemplate(o) }, build: buildTemplate},
		{Kind: Kind{Name: "redact", Family: "shape", Strength: "strong", Accepts: without(schema.Geo, schema.Other),
			Doc: "the neutral value of the type"}, build: buildRedact},
		{Kind: Kind{Name: "nullify", Family: "shape", Strength: "strong", Accepts: schema.Kinds,
			Doc: "NULL"}, build: buildNullify},
		{Kind: Kind{Name: "constant", Family: "shape", Strength: "strong", Accepts: schema.Kinds,
			Params: []Param{{Name: "value", Doc: "the value, as text", Required: true}},
			Doc:    "one value for all"}, read: func(o *options) { readConstant(o) }, build: buildConstant},
		{Kind: Kind{Name: "choice", Family: "shape", Strength: "linkable",
			Accepts: []schema.Kind{schema.Text, schema.Integer, schema.Decimal, schema.Boolean, schema.Date, schema.UUID, schema.Enum},
			Params: []Param{{Name: "values", Doc: "a list of two values or more", Required: true, List: true},
				{Name: "weights", Doc: "a list of numbers, one for each value", Default: "all alike", List: true}},
			Doc: "one of a list of values, by the key and the value"}, read: func(o *options) { readChoice(o) }, build: buildChoice},
	}
}

func without(some ...schema.Kind) []schema.Kind {
	return slices.DeleteFunc(slices.Clone(schema.Kinds), func(k schema.Kind) bool { return slices.Contains(some, k) })
}

// Kinds lists all masks, by family. The caller owns the list.
func Kinds() []Kind {
	var out []Kind
	for _, e := range table() {
		e.Accepts = slices.Clone(e.Accepts)
		out = append(out, e.Kind)
	}
	return out
}

// Lookup finds a mask by name.
func Lookup(name string) (Kind, bool) {
	e, ok := find(name)
	return e.Kind, ok
}

// Accepting lists the names of the masks that take columns of a kind.
func Accepting(kind schema.Kind) []string {
	var out []string
	for _, e := range table() {
		if slices.Contains(e.Accepts, kind) {
			out = append(out, e.Name)
		}
	}
	return out
}

func find(name string) (entry, bool) {
	for _, e := range table() {
		if e.Name == name {
			return e, true
		}
	}
	return entry{}, false
}

// Awaited tells the names of masks that are promised and not there yet.
func Awaited(name string) bool { return slices.Contains([]string{"geo", "scrub", "shuffle"}, name) }

func names() []string {
	var out []string
	for _, e := range table() {
		out = append(out, e.Name)
	}
	return out
}

// Check lists what is wrong with the parameters of a rule, in the order of their
// names: unknown ones with the nearest known name, missing and impossible ones.
// Parameters stand in rule files, so messages may repeat them.
func (k Kind) Check(params map[string]string) []string {
	e, ok := find(k.Name)
	if !ok {
		return []string{fmt.Sprintf("there is no mask %q", k.Name)}
	}
	known := make([]string, len(e.Params))
	for i, p := range e.Params {
		known[i] = p.Name
	}
	o := &options{given: params}
	given := make([]string, 0, len(params))
	for name := range params {
		given = append(given, name)
	}
	slices.Sort(given)
	for _, name := range given {
		if slices.Contains(known, name) {
			continue
		}
		switch near := schema.Nearest(name, known); {
		case near != "":
			o.problem("%s has no parameter %q; did you mean %s?", k.Name, name, near)
		case len(known) == 0:
			o.problem("%s has no parameter %q, it takes none", k.Name, name)
		default:
			o.problem("%s has no parameter %q, only %s", k.Name, name, strings.Join(known, ", "))
		}
	}
	if e.read != nil {
		e.read(o)
	}
	return o.problems
}

// usage lists a mask's parameters for a hint.
func (k Kind) usage() string {
	out := k.Name + " takes"
	for i, p := range k.Params {
		if i > 0 {
			out += ";"
		}
		out += " " + p.Name + ": " + p.Doc
	}
	if len(k.Params) == 0 {
		out += " no parameters"
	}
	return out
}

// options reads parameters and gathers what is wrong with them.
type options struct {
	given    map[string]string
	problems []string
}

func (o *options) problem(format string, args ...any) {
	o.problems = append(o.problems, fmt.Sprintf(format, args...))
}

func (o *options) text(name, otherwise string) string {
	if v, ok := o.given[name]; ok {
		return v
	}
	return otherwise
}

func (o *options) required(name string) string {
	v, ok := o.given[name]
	if !ok {
		o.problem("parameter %s is missing", name)
	}
	return v
}

func (o *options) choice(name, otherwise string, allowed ...string) string {
	v := o.text(name, otherwise)
	if slices.Contains(allowed, v) {
		return v
	}
	hint := strings.Join(allowed, ", ")
	if near := schema.Nearest(v, allowed); near != "" {
		hint += "; did you mean " + near + "?"
	}
	o.problem("%s %q is not one of %s", name, v, hint)
	return otherwise
}

func (o *options) number(name string, otherwise int64) int64 {
	v, ok := o.given[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		o.problem("%s %q is not a whole number", name, v)
		return otherwise
	}
	return n
}
