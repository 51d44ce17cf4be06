package jsondoc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// A Kind is a scalar's type. null is none: it stays null wherever it stands.
type Kind uint8

const (
	Text Kind = iota
	Number
	Boolean
)

// A Masker appends the fake of a scalar to dst: of a text what it stands for,
// of a number its exact text, of a boolean true or false. Where null is true the
// fake is null. Rule is the number of the rule that says Mask.
type Masker func(rule int, kind Kind, dst, value []byte) (out []byte, null bool, err error)

// A Walker rewrites documents for one goroutine and counts what no path names.
type Walker struct {
	scanner
	tree    *Tree
	mask    Masker
	dst     []byte
	active  []*node // frames of nodes, the innermost last
	unnamed []int64 // by node
	met     []int64 // by node: values that its rule decided
	plain   []byte  // a text, decoded
	fake    []byte
	nameEnd int // of the member's name last read
}

// Walker gives a walker whose scalars mask masks.
func (t *Tree) Walker(mask Masker) *Walker {
	return &Walker{tree: t, mask: mask, unnamed: make([]int64, len(t.nodes)), met: make([]int64, len(t.nodes))}
}

// A Count is how many values stood, unnamed, right under a named path.
type Count struct {
	Under  Path
	Values int64
}

// Met gives how many values the rule of a path has decided since the walker was
// made, those aside that a more specific path took. Containers count as one.
func (w *Walker) Met(p Path) int64 {
	for i, n := range w.tree.nodes {
		if slices.Equal(n.path, p) {
			return w.met[i]
		}
	}
	return 0
}

// Unnamed gives what was counted since the walker was made, by path. Documents
// that Append refused are counted as far as it came.
func (w *Walker) Unnamed() []Count {
	var out []Count
	for i, n := range w.unnamed {
		if n > 0 {
			out = append(out, Count{w.tree.nodes[i].path, n})
		}
	}
	return out
}

// A frame bounds the nodes, in Walker.active, that a value's place leads to: the
// most specific first.
type frame struct{ from, to int }

// A mode is what becomes of values without a rule at some place.
type mode uint8

const (
	byOthers mode = iota
	keeping       // in a container that is kept
	emptying      // in a container that is redacted
)

// Append rewrites a document and appends it to dst. On an error dst is as it
// was: a *SyntaxError where doc is no JSON document, else the masker's, with the
// path. doc must not overlap the free part of dst.
func (w *Walker) Append(dst, doc []byte) ([]byte, error) {
	w.scanner = scanner{src: doc}
	w.dst = dst
	w.active = append(w.active[:0], w.tree.root)
	w.blanks()
	w.dst = append(w.dst, doc[:w.at]...)
	root := frame{0, 1}
	var err error
	if w.drops(root, byOthers) {
		w.unnamed[w.tree.root.number]++
		w.dst = append(w.dst, "null"...)
		err = w.skip()
	} else {
		err = w.value(root, byOthers)
	}
	if err != nil {
		return dst, err
	}
	end := w.at
	if w.blanks(); w.at != len(doc) {
		return dst, w.wrong()
	}
	return append(w.dst, doc[end:]...), nil
}

// ruleOf gives the rule of a frame, the most specific; nil if it has none.
func (w *Walker) ruleOf(f frame) *node {
	for _, n := range w.active[f.from:f.to] {
		if n.fate != Unnamed {
			return n
		}
	}
	return nil
}

// goesOn tells whether longer paths lead through a frame.
func (w *Walker) goesOn(f frame) bool {
	return slices.ContainsFunc(w.active[f.from:f.to], func(n *node) bool { return n.children })
}

// drops tells whether the value in hand is left out.
func (w *Walker) drops(f frame, m mode) bool {
	if m != byOthers || w.tree.others != DropOthers || w.ruleOf(f) != nil {
		return false
	}
	c := w.next()
	return f.from == f.to || c != '{' && c != '[' && c != 'n'
}

// value rewrites the value in hand.
func (w *Walker) value(f frame, m mode) error {
	c := w.next()
	rule := w.ruleOf(f)
	if rule != nil {
		w.met[rule.number]++
	}
	switch {
	case c == 'n':
		return w.copied()
	case c != '{' && c != '[':
		return w.single(f, m, rule)
	case rule == nil:
		switch {
		case w.goesOn(f):
			return w.inside(f, m)
		case m == keeping:
			return w.copied()
		}
		return w.emptied()
	case rule.fate == Nullify:
		w.dst = append(w.dst, "null"...)
		return w.skip()
	case rule.fate == Mask:
		return w.inside(f, byOthers)
	case rule.fate == Keep && w.goesOn(f):
		return w.inside(f, keeping)
	case rule.fate == Keep:
		return w.copied()
	case w.goesOn(f):
		return w.inside(f, emptying)
	}
	return w.emptied()
}

// single rewrites a scalar that is not null.
func (w *Walker) single(f frame, m mode, rule *node) error {
	fate := Redact
	switch {
	case rule != nil:
		fate = rule.fate
	case m == keeping:
		fate = Keep
	case m == byOthers && f.from < f.to:
		// Paths lead through here, and none ends here.
		w.unnamed[w.active[f.from].number]++
	}
	switch fate {
	case Keep:
		return w.copied()
	case Nullify:
		w.dst = append(w.dst, "null"...)
		return w.skip()
	case Mask:
		return w.masked(rule)
	}
	return w.redacted()
}

// copied passes the value in hand on as it is.
func (w *Walker) copied() error {
	from := w.at
	err := w.skip()
	w.dst = append(w.dst, w.src[from:w.at]...)
	return err
}

// emptied writes a container without what is in it.
func (w *Walker) emptied() error {
	w.dst = append(w.dst, w.next(), w.next()+2)
	return w.skip()
}

// redacted writes the neutral value of a scalar's type; the empty text stays.
func (w *Walker) redacted() error {
	from := w.at
	if err := w.scalar(); err != nil {
		return err
	}
	switch c := w.src[from]; {
	case c == '"' && w.at-from == 2:
		w.dst = append(w.dst, `""`...)
	case c == '"':
		w.dst = append(w.dst, `"redacted"`...)
	case c == 't' || c == 'f':
		w.dst = append(w.dst, "false"...)
	default:
		w.dst = append(w.dst, '0')
	}
	return nil
}

// masked writes the fake of a scalar.
func (w *Walker) masked(rule *node) error {
	from := w.at
	if err := w.scalar(); err != nil {
		return err
	}
	kind, value := Number, w.src[from:w.at]
	switch value[0] {
	case '"':
		w.plain = appendDecoded(w.plain[:0], value)
		kind, value = Text, w.plain
	case 't', 'f':
		kind = Boolean
	}
	fake, null, err := w.mask(rule.rule, kind, w.fake[:0], value)
	if err != nil {
		return fmt.Errorf("at %s: %w", rule.path, err)
	}
	w.fake = fake[:0]
	switch {
	case null:
		w.dst = append(w.dst, "null"...)
	case kind == Text:
		w.dst = appendQuoted(w.dst, fake)
	case kind == Number && (len(fake) == 0 || numberAt(fake) != len(fake)),
		kind == Boolean && string(fake) != "true" && string(fake) != "false":
		return fmt.Errorf("at %s: %w", rule.path, errors.New("the fake is not of the value's type"))
	default:
		w.dst = append(w.dst, fake...)
	}
	return nil
}

// inside rewrites what is in the container in hand, one part at a time. Text
// between parts stays; a part that is left out takes its comma with it.
func (w *Walker) inside(f frame, m mode) error {
	open := w.next()
	if err := w.enter(); err != nil {
		return err
	}
	w.dst = append(w.dst, open)
	from := w.at
	if w.blanks(); w.next() == open+2 {
		w.leave()
		w.dst = append(w.dst, w.src[from:w.at]...)
		return nil
	}
	written, renamed := false, 0
	for {
		before := w.src[from:w.at] // white space
		kept := len(w.dst)
		if written {
			w.dst = append(w.dst, ',')
		}
		w.dst = append(w.dst, before...)
		stays, err := w.part(f, m, open == '{', &renamed)
		if err != nil {
			return err
		}
		from = w.at
		w.blanks()
		if stays {
			written = true
			w.dst = append(w.dst, w.src[from:w.at]...)
		} else {
			w.dst = w.dst[:kept]
		}
		if w.next() == open+2 {
			w.leave()
			w.dst = append(w.dst, open+2)
			return nil
		}
		if err := w.take(','); err != nil {
			return err
		}
		from = w.at
		w.blanks()
	}
}

// part rewrites a member or an item; it tells whether that stays.
func (w *Walker) part(f frame, m mode, member bool, renamed *int) (stays bool, err error) {
	from, named := w.at, true
	inner := frame{from: len(w.active)}
	if member {
		if named, err = w.enterMember(f); err != nil {
			return false, err
		}
	} else {
		for i := f.from; i < f.to; i++ {
			if n := w.active[i].items; n != nil {
				w.active = append(w.active, n)
			}
		}
	}
	inner.to = len(w.active)
	defer func() { w.active = w.active[:inner.from] }()
	if inner.from == inner.to && m == byOthers {
		w.unnamed[w.active[f.from].number]++
	}
	if w.drops(inner, m) {
		if inner.from < inner.to {
			w.unnamed[w.active[inner.from].number]++
		}
		return false, w.skip()
	}
	if member {
		name := w.src[from:w.at]
		if !named && m != keeping {
			*renamed++
			w.dst = append(w.dst, '"')
			w.dst = append(w.dst, w.tree.stand...)
			w.dst = strconv.AppendInt(w.dst, int64(*renamed), 10)
			w.dst = append(w.dst, '"')
			name = name[w.nameEnd-from:]
		}
		w.dst = append(w.dst, name...)
	}
	return true, w.value(inner, m)
}

// enterMember moves past a member's name and colon and appends the nodes that
// it leads to, the most specific first. It tells whether a path names the member.
func (w *Walker) enterMember(f frame) (named bool, err error) {
	from := w.at
	if err := w.text(); err != nil {
		return false, err
	}
	w.nameEnd = w.at
	w.plain = appendDecoded(w.plain[:0], w.src[from:w.at])
	if err := w.colon(); err != nil {
		return false, err
	}
	for i := f.from; i < f.to; i++ {
		if n := w.active[i].members[string(w.plain)]; n != nil {
			w.active = append(w.active, n)
			named = true
		}
		if n := w.active[i].any; n != nil {
			w.active = append(w.active, n)
		}
	}
	return named, nil
}
