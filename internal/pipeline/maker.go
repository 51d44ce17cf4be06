package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/jsondoc"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// A maker makes the fakes of one column for one goroutine, and judges them.
type maker interface {
	// fake appends what stands for a value, given as canonical text.
	fake(dst, value []byte, form engine.Form) (out []byte, null bool, err error)
	// told gives what the digest takes of the fake last made.
	told(fake []byte) []byte
	// judged gives what was counted of the values of each mask.
	judged() []*judgement
}

// maker gives the maker that a column needs; nil where only orphans lose values.
func (c *maskedColumn) maker() maker {
	switch {
	case c.mask == nil && c.document == nil:
		return nil
	case c.document != nil && c.each:
		return &arrayMaker{maker: c.document.maker(), column: c.index}
	case c.document != nil:
		return c.document.maker()
	case c.each:
		return &arrayMaker{maker: newValueMaker(c.mask, elementOf(c.there)), column: c.index}
	}
	return newValueMaker(c.mask, c.there)
}

// blind tells a column whose fakes do not depend on the values, so that nothing
// in them is looked into.
func (c *maskedColumn) blind() bool { return c.document == nil && (c.mask == nil || blind(c.mask)) }

// unlooked tells a column of which it does not matter what its values are: each becomes
// the same, or NULL.
func (c *maskedColumn) unlooked() bool {
	return c.blind() || c.document == nil && c.mask != nil && c.mask.Kind().Name == "nullify"
}

// telling tells a column whose fakes the digest takes in: those that stand in the
// target as they were sent.
func (c *maskedColumn) telling() bool { return !c.rounded && (!c.blind() || c.steady()) }

// steady tells a constant that a database gives back as it was sent, or as another
// number of the same worth. Of other kinds a rule may write it as no database does.
func (c *maskedColumn) steady() bool {
	if c.mask == nil || c.there == nil || c.each {
		return false
	}
	kind := c.there.Kind
	value, null, err := c.mask.Worker().Append(nil, []byte("x"))
	if null || err != nil {
		return false
	}
	typ := strings.ToLower(c.there.Type)
	called := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(typ, n) })
	}
	switch kind {
	case schema.Text:
		return called("text", "char", "varchar", "nvarchar", "clob")
	case schema.Decimal:
		return called("numeric", "decimal")
	case schema.Integer, schema.Boolean, schema.Enum:
		return true
	case schema.UUID:
		return len(value) == len("00000000-0000-0000-0000-000000000000") && bytes.Equal(value, bytes.ToLower(value))
	case schema.Date:
		_, err := time.Parse(time.DateOnly, string(value))
		return err == nil
	}
	return false
}

// blind tells a mask whose fake does not depend on the value: constants.
func blind(m *mask.Mask) bool { return m.Chance() >= 1 }

// A judgement counts what became of the values of one mask. All rows of one
// value share its fate, so equality of fake and original is judged over values
// seen for the first time; a bitmap of hashes makes that a sample of up to
// 65,536 of them.
type judgement struct {
	path     string  // in documents
	Distinct int64   // values judged
	Same     int64   // of these, fakes that equal their original
	Expected float64 // of these, as many as chance alone makes equal, on average
	Left     int64   // values that are not judged, for the mask leaves them as they are
	blind    bool
	seen     [1 << 16 / 64]uint64
}

// judge takes a value and its fake in.
func (j *judgement) judge(m *mask.Mask, value, fake []byte) {
	if !j.first(value) {
		return
	}
	if m.Keeps(value) {
		j.Left++
		return
	}
	j.Distinct++
	j.Expected += m.ChanceOf(value)
	if bytes.Equal(fake, value) {
		j.Same++
	}
}

// first tells whether a value is seen for the first time. Values whose hashes
// meet count as one.
func (j *judgement) first(value []byte) bool {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range value {
		h = (h ^ uint64(b)) * 1099511628211
	}
	h ^= h >> 32
	bit := uint64(1) << (h & 63)
	word := &j.seen[h>>6&(1<<10-1)]
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// A valueMaker masks values as a whole.
type valueMaker struct {
	mask   *mask.Mask
	worker *mask.Worker
	there  *schema.Column // as the target stores the values
	normal []byte
	met    *meeting // in a trial, of masks whose parameters say what they write
	judgement
}

// A meeting holds the values and the fakes of a trial, to tell whether fakes are values
// that production has in other rows.
type meeting struct{ values, fakes map[string]struct{} }

// shared counts the fakes that are values too.
func (m *meeting) shared() (n int) {
	for f := range m.fakes {
		if _, ok := m.values[f]; ok {
			n++
		}
	}
	return n
}

func newValueMaker(m *mask.Mask, there *schema.Column) *valueMaker {
	return &valueMaker{mask: m, worker: m.Worker(), there: there, judgement: judgement{blind: blind(m)}}
}

func (m *valueMaker) fake(dst, value []byte, _ engine.Form) (out []byte, null bool, err error) {
	out, null, err = m.worker.Append(dst, value)
	if err == nil && !null {
		m.judge(m.mask, value, out[len(dst):])
		if m.met != nil {
			m.met.values[string(value)], m.met.fakes[string(out[len(dst):])] = struct{}{}, struct{}{}
		}
	}
	return out, null, err
}

func (m *valueMaker) told(fake []byte) []byte {
	if len(fake) >= engine.HugeBytes && !numeric(m.there) {
		return spaceless(fake)
	}
	m.normal = digestible(m.normal[:0], fake, m.there)
	return m.normal
}

func (m *valueMaker) judged() []*judgement { return []*judgement{&m.judgement} }

// An arrayMaker masks the elements of arrays, one by one.
type arrayMaker struct {
	maker    // of the elements
	column   int
	elements []byte // the fakes, for the digest
}

func (m *arrayMaker) fake(dst, value []byte, form engine.Form) (out []byte, null bool, err error) {
	m.elements = m.elements[:0]
	out, err = appendArray(dst, value, form, m.column, func(dst, element []byte) ([]byte, bool, error) {
		out, null, err := m.maker.fake(dst, element, form)
		if err == nil {
			m.elements = mask.AppendPart(m.elements, m.maker.told(out[len(dst):]), null)
		}
		return out, null, err
	})
	return out, false, err
}

func (m *arrayMaker) told([]byte) []byte { return m.elements }

func appendArray(dst, value []byte, form engine.Form, column int, element engine.Element) ([]byte, error) {
	arrays, ok := form.(engine.Arrays)
	if !ok {
		return dst, errors.New("the engine gave arrays and does not know their form")
	}
	return arrays.AppendArray(dst, value, column, element)
}

// arrayTold gives what the digest takes of an array: its elements, each as tell
// appends it.
func arrayTold(dst, value []byte, form engine.Form, column int, tell func(dst, element []byte) []byte) ([]byte, error) {
	var normal []byte
	_, err := appendArray(nil, value, form, column, func(out, text []byte) ([]byte, bool, error) {
		normal = tell(normal[:0], text)
		dst = mask.AppendPart(dst, normal, false)
		return out, false, nil
	})
	return dst, err
}

// elementOf describes the elements of a column of arrays; nil for nil.
func elementOf(c *schema.Column) *schema.Column {
	if c == nil {
		return nil
	}
	return &schema.Column{Name: c.Name, Kind: c.Element, Type: strings.TrimSuffix(c.Type, "[]")}
}

// digestible appends a value as a digest takes it: without trailing spaces, which
// fixed-length text columns add and drop; numbers in normal form, since
// databases write 1e+06 or 1000000.00 for 1000000.
func digestible(dst, value []byte, c *schema.Column) []byte {
	switch {
	case !numeric(c):
		return append(dst, spaceless(value)...)
	case c.Kind == schema.Decimal:
		return mask.AppendStored(dst, value, c.Type)
	}
	return mask.AppendNormal(dst, value)
}

func numeric(c *schema.Column) bool {
	return c != nil && (c.Kind == schema.Decimal || c.Kind == schema.Integer)
}

func spaceless(value []byte) []byte { return bytes.TrimRight(value, " ") }

// A documentMask is what becomes of the documents of one column. It never
// changes and may be shared.
type documentMask struct {
	tree  *jsondoc.Tree
	stop  bool // what no path names stops the run
	limit int  // in characters; 0 for none
	paths []pathMask
}

// A pathMask masks the scalars of one path; nil where the mask does not take a type.
type pathMask struct {
	path                   string
	name                   string // of the mask
	text, integer, boolean *mask.Mask
	decimal                []*mask.Mask // by the number of decimals
}

// all lists the masks of a path.
func (p *pathMask) all() []*mask.Mask {
	var out []*mask.Mask
	for _, m := range append([]*mask.Mask{p.text, p.integer, p.boolean}, p.decimal...) {
		if m != nil {
			out = append(out, m)
		}
	}
	return out
}

// documentMakerOf gives the maker of a column's documents, those in arrays too; nil
// where the column has none.
func documentMakerOf(m maker) *documentMaker {
	if a, ok := m.(*arrayMaker); ok {
		m = a.maker
	}
	d, _ := m.(*documentMaker)
	return d
}

// A documentMaker masks documents by path.
type documentMaker struct {
	*documentMask
	walker     *jsondoc.Walker
	workers    map[*mask.Mask]*mask.Worker
	judgements []*judgement // by path
	documents  int64
	lenient    bool // what no path names is counted, and does not stop
	canonizer  jsondoc.Canonizer
	canonical  []byte
}

func (d *documentMask) maker() *documentMaker {
	m := &documentMaker{documentMask: d, workers: map[*mask.Mask]*mask.Worker{}}
	for i := range d.paths {
		j := &judgement{path: d.paths[i].path, blind: true}
		for _, x := range d.paths[i].all() {
			j.blind = j.blind && blind(x)
		}
		m.judgements = append(m.judgements, j)
	}
	m.walker = d.tree.Walker(m.scalar)
	return m
}

// errUnnamed is the error of a document with a value that no path names, where
// that stops the run.
var errUnnamed = errors.New("a value that no path names")

func (m *documentMaker) fake(dst, value []byte, _ engine.Form) (out []byte, null bool, err error) {
	if len(value) == 0 {
		return dst, false, nil // the empty text of a text column
	}
	m.documents++
	if out, err = m.walker.Append(dst, value); err != nil {
		return dst, false, err
	}
	if m.stop && !m.lenient && len(m.walker.Unnamed()) > 0 {
		return dst, false, errUnnamed
	}
	if m.limit > 0 && longer(out[len(dst):], m.limit) {
		return dst, false, &mask.ValueError{Mask: "json", Reason: fmt.Sprintf("the masked document is longer than the column's %d characters", m.limit)}
	}
	return out, false, nil
}

// longer tells whether a text has more characters than the limit.
func longer(text []byte, limit int) bool {
	if len(text) <= limit {
		return false
	}
	n := 0
	for _, b := range text {
		if b&0xc0 != 0x80 { // no byte that goes on with a character
			n++
		}
	}
	return n > limit
}

// scalar masks one value of a path.
func (m *documentMaker) scalar(rule int, kind jsondoc.Kind, dst, value []byte) (out []byte, null bool, err error) {
	p := &m.paths[rule]
	chosen, what := p.text, "a text"
	switch kind {
	case jsondoc.Number:
		chosen, what = p.number(value), "a number"
	case jsondoc.Boolean:
		chosen, what = p.boolean, "a boolean"
	}
	if chosen == nil {
		return dst, false, &mask.ValueError{Mask: p.name, Reason: "it is " + what + ", which this mask does not take"}
	}
	w := m.workers[chosen]
	if w == nil {
		w = chosen.Worker()
		m.workers[chosen] = w
	}
	out, null, err = w.Append(dst, value)
	if err == nil && !null && !blind(chosen) {
		m.judgements[rule].judge(chosen, value, out[len(dst):])
	}
	return out, null, err
}

// number gives the mask for a number: that for integers where it is written as
// one, else that for decimals of as many places.
func (p *pathMask) number(text []byte) *mask.Mask {
	point := bytes.IndexByte(text, '.')
	if point < 0 && p.integer != nil && !bytes.ContainsAny(text, "eE") && (len(p.decimal) == 0 || isInt64(text)) {
		return p.integer
	}
	if len(p.decimal) == 0 {
		return nil
	}
	places := 0
	if point >= 0 {
		for places = 0; point+1+places < len(text) && text[point+1+places]-'0' < 10; places++ {
		}
	}
	return p.decimal[min(places, len(p.decimal)-1)]
}

// isInt64 tells whether a whole number fits the integers that masks know.
func isInt64(text []byte) bool {
	_, err := strconv.ParseInt(string(text), 10, 64)
	return err == nil
}

func (m *documentMaker) told(fake []byte) []byte {
	m.canonical = m.canonizer.Append(m.canonical[:0], fake)
	return m.canonical
}

func (m *documentMaker) judged() []*judgement {
	if len(m.judgements) == 0 {
		return []*judgement{{blind: true}}
	}
	return m.judgements
}
