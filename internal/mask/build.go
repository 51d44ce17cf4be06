package mask

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// A Refusal says why a mask cannot serve a column, with the numbers, before a
// row is read. It carries names and limits only.
type Refusal struct {
	Mask   string
	Reason string // "varchar(12) leaves 25 bits; 8000000 rows need 65"
	Hint   string // what to write instead
}

// Error gives mask and reason.
func (r *Refusal) Error() string { return "mask " + r.Mask + ": " + r.Reason }

// A ValueError says that a mask cannot take a value of the source. It never
// carries the value.
type ValueError struct {
	Mask   string
	Reason string
}

// Error gives mask and reason.
func (e *ValueError) Error() string { return "mask " + e.Mask + " cannot take a value: " + e.Reason }

// A Mask turns values of one domain into fakes. It is made by New, never changes
// afterwards and may be shared; each goroutine works through a Worker of its own.
type Mask struct {
	kind    Kind
	spec    Spec
	limits  Limits
	recipe  recipe
	mac     mac
	chance  float64
	text    string // for Describe
	nullify bool
	// whole: the empty text is masked as well.
	whole bool
	// What the recipe can tell of single values; nil where it cannot.
	keeper keeper
	teller teller
}

// A keeper leaves some values as they are, by rule.
type keeper interface{ keeps(value []byte) bool }

// A teller knows the chance of a value to become itself.
type teller interface{ chanceOf(value []byte) float64 }

// A recipe is the part of a mask that differs from kind to kind. It is called by
// several workers at a time and keeps what changes in the worker it is given.
type recipe interface {
	// append adds the fake of a value to dst. Errors are *ValueError.
	append(w *Worker, dst, value []byte) ([]byte, error)
}

// A draft is a mask while New makes it: what recipes are built from.
type draft struct {
	key    Key
	spec   Spec
	limits Limits
	options
	text   string
	chance float64
	whole  bool
}

// New makes the mask that a spec asks for, within limits. Whatever can be refused
// without seeing a value is refused here: parameters, kinds of columns, too
// little room for fakes or for their uniqueness. The error is a *Refusal.
func New(key Key, spec Spec, limits Limits) (*Mask, error) {
	e, ok := find(spec.Mask)
	switch {
	case !ok:
		return nil, unknown(spec.Mask)
	case key.empty():
		return nil, &Refusal{spec.Mask, "there is no masking key", keyHint}
	case !slices.Contains(e.Accepts, limits.Kind):
		return nil, &Refusal{spec.Mask, fmt.Sprintf("does not take %s columns, only %s", limits.Kind, list(e.Accepts)),
			"masks for this type: " + strings.Join(Accepting(limits.Kind), " ")}
	case limits.Overlap && spec.Mask != "nullify":
		return nil, &Refusal{spec.Mask, "an exclusion constraint compares the column's values by more than equality, and no fake is sure to satisfy it",
			map[bool]string{true: "keep it with a reason: it may not be NULL either", false: "use nullify, or keep with a reason"}[limits.NotNull]}
	case limits.Unique && limits.NullsEqual && limits.Rows != 1 && spec.Mask == "nullify":
		return nil, &Refusal{spec.Mask, "the column is unique and NULL is a value like others there (NULLS NOT DISTINCT)", "use " + uniqueFor(limits.Kind)}
	case limits.Unique && !e.Injective && limits.Rows != 1 && spec.Mask != "nullify": // NULLs do not repeat
		return nil, &Refusal{spec.Mask, e.repeats(key, spec, limits) + ", and the column is unique", "use " + uniqueFor(limits.Kind)}
	}
	if bad := e.Check(spec.Params); len(bad) > 0 {
		return nil, &Refusal{spec.Mask, strings.Join(bad, "; "), e.usage()}
	}
	if limits.Min == 0 && limits.Max == 0 {
		limits.Min, limits.Max = math.MinInt64, math.MaxInt64
	}
	d := &draft{key: key, spec: spec, limits: limits, options: options{given: spec.Params}}
	made, refusal := e.build(d)
	if refusal != nil {
		refusal.Mask = spec.Mask
		return nil, refusal
	}
	m := &Mask{
		kind: e.Kind, spec: spec, limits: limits, recipe: made, chance: d.chance, text: d.text, whole: d.whole,
		mac: newMAC(key.subkey(purposeFake, spec.Domain, spec.Mask)), nullify: made == nil,
	}
	m.keeper, _ = made.(keeper)
	m.teller, _ = made.(teller)
	return m, nil
}

// repeats says that fakes repeat, and among how many if the mask knows.
func (e entry) repeats(key Key, spec Spec, limits Limits) string {
	limits.Unique = false
	if m, err := New(key, spec, limits); err == nil && m.text != "" {
		return "its fakes repeat (" + m.text + ")"
	}
	return "its fakes repeat"
}

func unknown(name string) *Refusal {
	if Awaited(name) {
		return &Refusal{name, "is not there yet", "use redact, nullify or constant for now"}
	}
	hint := "masks: " + strings.Join(names(), " ")
	if near := schema.Nearest(name, names()); near != "" {
		hint = "did you mean " + near + "?"
	}
	return &Refusal{name, "there is no mask of this name", hint}
}

// uniqueFor proposes masks that keep a column unique, whatever it holds of its kind.
func uniqueFor(kind schema.Kind) string {
	var out []string
	for _, e := range table() {
		if e.Injective && slices.Contains(e.Accepts, kind) && (kind == schema.Net || e.Family == "people" || e.Family == "ids") {
			out = append(out, e.Name)
		}
	}
	if len(out) == 0 {
		return "keep with a reason, or leave the table out"
	}
	return strings.Join(out, ", ")
}

func list(kinds []schema.Kind) string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return strings.Join(out, ", ")
}

// bitsNeeded is how many bits a tag must have so that n random tags collide with
// a chance of at most one in a million: n^2 / 2^(b+1) <= 10^-6. An unknown n
// (zero) asks for 80 bits, good for 1.5 billion rows.
func bitsNeeded(n int64) int {
	if n <= 0 {
		return tagBits
	}
	return max(0, int(math.Ceil(2*math.Log2(float64(n))+math.Log2(1e6)-1)))
}

// crowded is the refusal of a unique column whose fakes have too few bits.
func (d *draft) crowded(has int) *Refusal {
	rows := "an unknown number of rows needs"
	if d.limits.Rows > 0 {
		rows = fmt.Sprintf("%d rows need", d.limits.Rows)
	}
	return &Refusal{Reason: fmt.Sprintf("the column is unique, %s leaves %d bits; %s %d", d.room(), has, rows, bitsNeeded(d.limits.Rows)),
		Hint: "fpe keeps length and uniqueness; or widen the column"}
}

// narrow is the refusal of a column too short for any fake.
func (d *draft) narrow(least int) *Refusal {
	return &Refusal{Reason: fmt.Sprintf("%s is too short, the shortest fake has %d characters", d.room(), least),
		Hint: "use fpe, hash, redact or constant"}
}

func (d *draft) room() string {
	switch {
	case d.limits.Kind == schema.Integer:
		return fmt.Sprintf("a maximum of %d", d.limits.Max)
	case d.limits.Length > 0:
		return fmt.Sprintf("a length of %d", d.limits.Length)
	}
	return "the format"
}

// length is the number of characters that fakes may have; a large number where
// the column has no limit. For integers it is the number of digits that are safe
// whatever they are.
func (d *draft) length() int {
	if d.limits.Kind == schema.Integer {
		return len(fmt.Sprint(max(d.limits.Max, 0))) - 1
	}
	if d.limits.Length > 0 {
		return d.limits.Length
	}
	return unlimited
}

const unlimited = 1 << 30

// Merges tells whether values that differ in case only share a fake: the domain
// folds case, and the mask picks or draws by what is left. A permutation keeps
// such values apart.
func (m *Mask) Merges() bool { return m.spec.Fold && !m.nullify && !permutes(m.recipe) && !m.whole }

// Injective tells whether different values have different fakes: by a
// permutation, or by a tag long enough for the expected rows (see Limits.Rows).
func (m *Mask) Injective() bool { return m.kind.Injective && m.limits.Unique || permutes(m.recipe) }

// permutes tells the recipes that are injective whatever the limits say.
func permutes(r recipe) bool {
	switch r := r.(type) {
	case *format, *digits, *integers, *uuids, *cardPermutation:
		return true
	case *account:
		return r.permuted != nil
	}
	return false
}

// Chance bounds the probability, over keys, that a value becomes itself; values
// for which Keeps is true are not counted. For 1 (constant, redact) equality
// proves nothing. All rows of one value share its fate, so whoever compares a
// column with its source should count distinct values. ChanceOf is sharper for
// masks whose fakes depend on the value's shape.
func (m *Mask) Chance() float64 { return m.chance }

// ChanceOf is Chance for one value, given as canonical text.
func (m *Mask) ChanceOf(value []byte) float64 {
	if m.teller != nil {
		return m.teller.chanceOf(value)
	}
	return m.chance
}

// Keeps tells whether the mask leaves a value as it is by rule: the empty text,
// infinite dates, the number zero under a permutation, text without any letter
// or digit under fpe and postcode. Comparisons of fakes with originals skip these.
func (m *Mask) Keeps(value []byte) bool {
	if len(value) == 0 {
		return !m.whole
	}
	return m.keeper != nil && m.keeper.keeps(value)
}

// Describe says in one line what the mask does, for plans.
func (m *Mask) Describe() string {
	if m.text == "" {
		return m.kind.Doc
	}
	return m.text
}

// Kind gives the mask's entry in the table of kinds.
func (m *Mask) Kind() Kind { return m.kind }

// oneIn is the chance of one among n.
func oneIn(n float64) float64 { return 1 / max(n, 1) }

// pick maps a uniform word to 0..n-1 by multiply and shift; the bias is below
// n/2^64.
func pick(word uint64, n int) int {
	hi, _ := bits.Mul64(word, uint64(n))
	return int(hi)
}
