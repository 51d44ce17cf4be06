package mask

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"understudy/internal/schema"
)

// A Worker applies a mask in one goroutine; its scratch space makes a fake cost
// no allocation.
type Worker struct {
	mask    *Mask
	scratch block
	canon   []byte // the canonical form, where it differs from the value
	last    []byte // the canonical form of the value in hand
	folded  []byte
	shape   []byte      // classes of the characters of a value
	figures []byte      // numerals of a value
	compact []byte      // a value without what only divides it
	made    []byte      // its fake in the making
	payload []byte      // the part of it that is permuted
	numbers *arithmetic // of masks that calculate
	dice    dice
	layouts map[string]*layout // by shape
	spans   map[uint64]*span   // by class
}

// Worker gives a new worker. Workers of one mask make the same fakes.
func (m *Mask) Worker() *Worker { return &Worker{mask: m} }

// Append adds the fake of a value, given as canonical text, to dst. Where null is
// true the fake is NULL and nothing was added. NULL has no fake: callers keep it.
// On an error, a *ValueError, dst is as it was. value must not overlap the free
// part of dst; it is not kept.
func (w *Worker) Append(dst, value []byte) (out []byte, null bool, err error) {
	m := w.mask
	if m.nullify {
		return dst, true, nil
	}
	if len(value) == 0 && !m.whole {
		return dst, false, nil
	}
	out, err = m.recipe.append(w, dst, value)
	if err != nil {
		return dst, false, err
	}
	return out, false, nil
}

// draw gives 128 keyed bits of a value's canonical form.
func (w *Worker) draw(value []byte) (hi, lo uint64) {
	w.last = w.canonical(value)
	return w.mask.mac.sum(&w.scratch, w.last)
}

// canonical is the form under which values are the same: the value itself, as
// databases compare it; where the domain folds, lower case, and in Unicode NFC
// where it folds all letters, so that two spellings of one letter agree. The result
// holds until the next call.
func (w *Worker) canonical(value []byte) []byte {
	if !w.mask.spec.Fold || w.mask.limits.Kind == schema.Bytes {
		return value
	}
	upper, plain := false, true
	for _, b := range value {
		plain = plain && b < utf8.RuneSelf
		upper = upper || b-'A' < 26
	}
	if plain && !upper {
		return value
	}
	plain = plain || w.mask.spec.Folding == schema.FoldASCII
	if !plain && !norm.NFC.IsNormal(value) {
		w.canon = norm.NFC.Append(w.canon[:0], value...)
		value = w.canon
	}
	w.folded = w.mask.spec.Folding.Append(w.folded[:0], value)
	if !plain && !norm.NFC.IsNormal(w.folded) {
		w.canon = norm.NFC.Append(w.canon[:0], w.folded...)
		return w.canon
	}
	return w.folded
}

func lower(b byte) byte {
	if b-'A' < 26 {
		b += 'a' - 'A'
	}
	return b
}

// own tells whether a fake is the value last drawn for, as the domain compares.
// Masks that pick from a list pick again then: the answer depends on the value's
// canonical form only, so it is the same everywhere.
func (w *Worker) own(fake []byte) bool { return w.same(fake, w.mask.spec.Fold) }

// ownSmall is own for a fake that will be written in small letters.
func (w *Worker) ownSmall(fake []byte) bool { return w.same(fake, true) }

func (w *Worker) same(fake []byte, small bool) bool {
	if len(fake) != len(w.last) {
		return false
	}
	for i, b := range fake {
		if small {
			b = lower(b)
		}
		if b != w.last[i] {
			return false
		}
	}
	return true
}

// refuse is the error for a value the mask cannot take.
func (w *Worker) refuse(reason string) error { return &ValueError{w.mask.spec.Mask, reason} }
