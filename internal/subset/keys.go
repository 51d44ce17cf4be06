package subset

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A key tuple is kept in one of three forms, by its text alone, so that equal
// texts always meet. As a word: a single value that is written as an int64, or
// a pair that is written as two uint32; sets of words are bitmaps of about a
// byte a key. As 16 bytes: a UUID, or a pair of int64. As a string: the rest.
type form int

const (
	isNull form = iota // a value is NULL: the tuple references nothing (MATCH SIMPLE)
	isWord
	isWide
	isLoose
)

type wide = [16]byte

// pack gives the form of the values at columns of a row, and the word or the 16 bytes.
func pack(values *engine.Tuples, row int, columns []int) (f form, word uint64, w wide) {
	for _, c := range columns {
		if _, ok := values.At(row, c); !ok {
			return isNull, 0, w
		}
	}
	first, _ := values.At(row, columns[0])
	switch len(columns) {
	case 1:
		if n, ok := parseInt(first); ok {
			return isWord, uint64(n), w
		}
		if id, ok := schema.ParseUUID(first); ok {
			return isWide, 0, id
		}
	case 2:
		second, _ := values.At(row, columns[1])
		m, okM := parseInt(first)
		n, okN := parseInt(second)
		switch {
		case !okM || !okN:
		case uint64(m) < 1<<32 && uint64(n) < 1<<32:
			return isWord, uint64(m)<<32 | uint64(n), w
		default:
			binary.BigEndian.PutUint64(w[:8], uint64(m))
			binary.BigEndian.PutUint64(w[8:], uint64(n))
			return isWide, 0, w
		}
	}
	return isLoose, 0, w
}

func appendUUID(dst []byte, w wide) []byte {
	for i, b := range w {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte{b})
	}
	return dst
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
	words roaring64.Bitmap
	wide  map[wide]struct{}
	loose map[string]struct{}
}

func (s *keySet) len() int { return int(s.words.GetCardinality()) + len(s.wide) + len(s.loose) }

func (s *keySet) addWide(w wide) (added bool) {
	if _, ok := s.wide[w]; ok {
		return false
	}
	if s.wide == nil {
		s.wide = map[wide]struct{}{}
	}
	s.wide[w] = struct{}{}
	return true
}

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

func (s *keySet) addList(l keyList) {
	s.words.AddMany(l.words)
	for _, w := range l.wide {
		s.addWide(w)
	}
	for _, tuple := range l.loose {
		s.addLoose([]byte(tuple))
	}
}

// with lists the rows whose tuple at columns is in the set; never nil.
func (s *keySet) with(values *engine.Tuples, columns []int) []int {
	rows := []int{}
	var tuple []byte
	for row := range values.Len() {
		in := false
		switch f, word, w := pack(values, row, columns); f {
		case isWord:
			in = s.words.Contains(word)
		case isWide:
			_, in = s.wide[w]
		case isLoose:
			tuple = appendTuple(tuple[:0], values, row, columns)
			_, in = s.loose[string(tuple)]
		}
		if in {
			rows = append(rows, row)
		}
	}
	return rows
}

// list gives the members of a set.
func (s *keySet) list() keyList {
	return keyList{words: s.words.ToArray(), wide: slices.Collect(maps.Keys(s.wide)), loose: slices.Collect(maps.Keys(s.loose))}
}

// keyList is a list of key tuples of one width, by form.
type keyList struct {
	words []uint64
	wide  []wide
	loose []string
}

func (l *keyList) len() int { return len(l.words) + len(l.wide) + len(l.loose) }

// take removes up to n tuples from l. The words come sorted, which keeps the
// server's index reads close together.
func (l *keyList) take(n int) keyList {
	var out keyList
	slices.Sort(l.words)
	out.words, l.words = split(l.words, n)
	out.wide, l.wide = split(l.wide, n-out.len())
	out.loose, l.loose = split(l.loose, n-out.len())
	return out
}

// split cuts the first n, or all; nothing is kept of a list that is used up.
func split[T any](all []T, n int) (first, rest []T) {
	if n >= len(all) {
		return all, nil
	}
	return all[:n:n], all[n:]
}

// slice gives the tuples i to j in the order words, wide, loose, sharing memory with l.
func (l *keyList) slice(i, j int) keyList {
	all := keyList{words: l.words, wide: l.wide, loose: l.loose}
	cut := func(n int) (first keyList) {
		first.words, all.words = split(all.words, n)
		first.wide, all.wide = split(all.wide, n-first.len())
		first.loose, all.loose = split(all.loose, n-first.len())
		return first
	}
	cut(i)
	return cut(j - i)
}

func (l *keyList) append(m keyList) {
	l.words = append(l.words, m.words...)
	l.wide = append(l.wide, m.wide...)
	l.loose = append(l.loose, m.loose...)
}

// tuples writes the list as an engine wants it.
func (l *keyList) tuples(width int) *engine.Tuples {
	t := &engine.Tuples{Width: width}
	var buf [36]byte
	for _, word := range l.words {
		if width == 2 {
			t.Add(strconv.AppendUint(buf[:0], word>>32, 10))
			t.Add(strconv.AppendUint(buf[:0], word&(1<<32-1), 10))
			continue
		}
		t.Add(strconv.AppendInt(buf[:0], int64(word), 10))
	}
	for _, w := range l.wide {
		if width == 2 {
			t.Add(strconv.AppendInt(buf[:0], int64(binary.BigEndian.Uint64(w[:8])), 10))
			t.Add(strconv.AppendInt(buf[:0], int64(binary.BigEndian.Uint64(w[8:])), 10))
			continue
		}
		t.Add(appendUUID(buf[:0], w))
	}
	for _, tuple := range l.loose {
		if width == 1 {
			t.AddString(tuple)
			continue
		}
		for rest := []byte(tuple); len(rest) > 0; {
			n, k := binary.Uvarint(rest)
			t.AddValue(rest[k : k+int(n)])
			rest = rest[k+int(n):]
		}
	}
	return t
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
		f, word, w := pack(values, row, columns)
		if f == isNull {
			continue
		}
		notNull++
		switch f {
		case isWord:
			g.words = append(g.words, word)
		case isWide:
			if set.addWide(w) && fresh != nil {
				fresh.wide = append(fresh.wide, w)
			}
		case isLoose:
			g.tuple = appendTuple(g.tuple[:0], values, row, columns)
			if kept, added := set.addLoose(g.tuple); added && fresh != nil {
				fresh.loose = append(fresh.loose, kept)
			}
		}
	}
	// Sorted words fall into the same container one after the other.
	slices.Sort(g.words)
	g.words = slices.Compact(g.words)
	if fresh == nil {
		set.words.AddMany(g.words)
		return notNull
	}
	for _, word := range g.words {
		if set.words.CheckedAdd(word) {
			fresh.words = append(fresh.words, word)
		}
	}
	return notNull
}

// collect appends the tuples at columns of the given rows to l, duplicates included.
func (g *gatherer) collect(values *engine.Tuples, rows []int, columns []int, l *keyList) {
	for _, row := range rows {
		switch f, word, w := pack(values, row, columns); f {
		case isWord:
			l.words = append(l.words, word)
		case isWide:
			l.wide = append(l.wide, w)
		case isLoose:
			g.tuple = appendTuple(g.tuple[:0], values, row, columns)
			l.loose = append(l.loose, string(g.tuple))
		}
	}
}

// minus gives the members of a that are not in b; it sorts b's words.
func minus(a, b keyList) keyList {
	slices.Sort(b.words)
	return keyList{
		words: slices.DeleteFunc(slices.Clone(a.words), func(word uint64) bool {
			_, found := slices.BinarySearch(b.words, word)
			return found
		}),
		wide:  without(a.wide, b.wide),
		loose: without(a.loose, b.loose),
	}
}

func without[T ~string | wide](a, b []T) []T {
	if len(a) == 0 {
		return nil
	}
	have := make(map[T]struct{}, len(b))
	for _, x := range b {
		have[x] = struct{}{}
	}
	return slices.DeleteFunc(slices.Clone(a), func(x T) bool {
		_, found := have[x]
		return found
	})
}
