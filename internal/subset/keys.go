package subset

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"understudy/internal/engine"
)

// A key tuple is kept in one of two forms. Packed: a single value that is
// written as an int64, or a pair of values that are written as uint32, in one
// word; sets of these are bitmaps of about a byte a key. Loose: anything else,
// as a string. The form depends on the text alone, so equal texts always meet.

// packTuple gives the packed form of the values at columns of a row. null tells
// that a value is NULL: such a tuple references nothing (MATCH SIMPLE).
func packTuple(values *engine.Tuples, row int, columns []int) (word uint64, packed, null bool) {
	switch len(columns) {
	case 1:
		v, ok := values.At(row, columns[0])
		if !ok {
			return 0, false, true
		}
		n, ok := parseInt(v)
		return uint64(n), ok, false
	case 2:
		a, okA := values.At(row, columns[0])
		b, okB := values.At(row, columns[1])
		if !okA || !okB {
			return 0, false, true
		}
		m, okA := parseInt(a)
		n, okB := parseInt(b)
		if !okA || !okB || m < 0 || n < 0 || m > 1<<32-1 || n > 1<<32-1 {
			return 0, false, false
		}
		return uint64(m)<<32 | uint64(n), true, false
	}
	for _, c := range columns {
		if _, ok := values.At(row, c); !ok {
			return 0, false, true
		}
	}
	return 0, false, false
}

// parseInt reads an int64 that is written the one way strconv writes it.
func parseInt(text []byte) (int64, bool) {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	// Up to 18 digits cannot overflow; longer ones are kept as text.
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(text) > 1 {
		return 0, false
	}
	var n int64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int64(d-'0')
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

// appendTuple writes the loose form: the value itself, or each value of a
// composite after its length, so that no two tuples are written alike.
func appendTuple(dst []byte, values *engine.Tuples, row int, columns []int) []byte {
	for _, c := range columns {
		v, _ := values.At(row, c)
		if len(columns) > 1 {
			dst = binary.AppendUvarint(dst, uint64(len(v)))
		}
		dst = append(dst, v...)
	}
	return dst
}

// A keySet is a set of key tuples of one width. The zero value is empty.
type keySet struct {
	packed roaring64.Bitmap
	loose  map[string]struct{}
}

func (s *keySet) len() int { return int(s.packed.GetCardinality()) + len(s.loose) }

// addLoose adds a tuple. Where it was new it gives the string that the set keeps.
func (s *keySet) addLoose(tuple []byte) (kept string, added bool) {
	if _, ok := s.loose[string(tuple)]; ok {
		return "", false
	}
	if s.loose == nil {
		s.loose = map[string]struct{}{}
	}
	kept = string(tuple)
	s.loose[kept] = struct{}{}
	return kept, true
}

// keyList is a list of key tuples of one width, in both forms.
type keyList struct {
	packed []uint64
	loose  []string
}

func (l *keyList) len() int { return len(l.packed) + len(l.loose) }

// take removes up to n tuples from l. The packed ones come sorted, which keeps
// the server's index reads close together.
func (l *keyList) take(n int) keyList {
	var out keyList
	if k := min(n, len(l.packed)); k > 0 {
		slices.Sort(l.packed)
		out.packed, l.packed = l.packed[:k:k], l.packed[k:]
		n -= k
	}
	if len(l.packed) == 0 {
		l.packed = nil
	}
	if k := min(n, len(l.loose)); k > 0 {
		out.loose, l.loose = l.loose[:k:k], l.loose[k:]
	}
	if len(l.loose) == 0 {
		l.loose = nil
	}
	return out
}

// slice gives the tuples i to j, packed ones first, sharing memory with l.
func (l *keyList) slice(i, j int) keyList {
	p := len(l.packed)
	return keyList{packed: l.packed[min(i, p):min(j, p)], loose: l.loose[max(i-p, 0):max(j-p, 0)]}
}

// tuples writes the list as an engine wants it.
func (l *keyList) tuples(width int) *engine.Tuples {
	t := &engine.Tuples{Width: width}
	var buf [20]byte
	for _, word := range l.packed {
		if width == 2 {
			t.Add(strconv.AppendUint(buf[:0], word>>32, 10))
			t.Add(strconv.AppendUint(buf[:0], word&(1<<32-1), 10))
			continue
		}
		t.Add(strconv.AppendInt(buf[:0], int64(word), 10))
	}
	for _, tuple := range l.loose {
		if width == 1 {
			t.AddString(tuple)
			continue
		}
		for rest := []byte(tuple); len(rest) > 0; {
			n, k := binary.Uvarint(rest)
			t.AddString(string(rest[k : k+int(n)]))
			rest = rest[k+int(n):]
		}
	}
	return t
}

// list gives the members of a set.
func (s *keySet) list() keyList {
	out := keyList{packed: s.packed.ToArray()}
	for tuple := range s.loose {
		out.loose = append(out.loose, tuple)
	}
	slices.Sort(out.loose)
	return out
}

func (s *keySet) addList(l keyList) {
	s.packed.AddMany(l.packed)
	for _, tuple := range l.loose {
		s.addLoose([]byte(tuple))
	}
}

// A gatherer collects the key tuples of many rows into sets. It reuses its
// memory and belongs to one goroutine.
type gatherer struct {
	words []uint64
	tuple []byte
}

// gather adds the tuples at columns of the given rows to set, appends those that
// were new to fresh where that is not nil, and counts the rows whose tuple is not null.
func (g *gatherer) gather(values *engine.Tuples, rows []int, columns []int, set *keySet, fresh *keyList) (notNull int64) {
	g.words = g.words[:0]
	for _, row := range rows {
		word, packed, null := packTuple(values, row, columns)
		if null {
			continue
		}
		notNull++
		if packed {
			g.words = append(g.words, word)
			continue
		}
		g.tuple = appendTuple(g.tuple[:0], values, row, columns)
		if kept, added := set.addLoose(g.tuple); added && fresh != nil {
			fresh.loose = append(fresh.loose, kept)
		}
	}
	// Sorted words fall into the same container one after the other.
	slices.Sort(g.words)
	g.words = slices.Compact(g.words)
	if fresh == nil {
		set.packed.AddMany(g.words)
		return notNull
	}
	for _, word := range g.words {
		if set.packed.CheckedAdd(word) {
			fresh.packed = append(fresh.packed, word)
		}
	}
	return notNull
}

// collect appends the tuples at columns of the given rows to l, duplicates included.
func (g *gatherer) collect(values *engine.Tuples, rows []int, columns []int, l *keyList) {
	for _, row := range rows {
		word, packed, null := packTuple(values, row, columns)
		switch {
		case null:
		case packed:
			l.packed = append(l.packed, word)
		default:
			l.loose = append(l.loose, string(appendTuple(nil, values, row, columns)))
		}
	}
}

// minus gives the members of a that are not in b; it sorts b.
func minus(a, b keyList) keyList {
	var out keyList
	slices.Sort(b.packed)
	for _, word := range a.packed {
		if _, found := slices.BinarySearch(b.packed, word); !found {
			out.packed = append(out.packed, word)
		}
	}
	if len(a.loose) > 0 {
		have := make(map[string]struct{}, len(b.loose))
		for _, tuple := range b.loose {
			have[tuple] = struct{}{}
		}
		for _, tuple := range a.loose {
			if _, found := have[tuple]; !found {
				out.loose = append(out.loose, tuple)
			}
		}
	}
	return out
}
