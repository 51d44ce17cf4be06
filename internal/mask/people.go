package mask

import (
	"fmt"
	"math"
)

// fewest entries that a list must have left under a column's length.
const fewest = 20

// A list picks one entry for a value, another one where the first is the value
// itself, so a name never stays.
type wordList struct{ words []string }

func (l *wordList) append(w *Worker, dst, value []byte) ([]byte, error) {
	return l.pick(w, dst, value, false)
}

// pick takes an entry for a value; small says that the caller will write it in
// small letters.
func (l *wordList) pick(w *Worker, dst, value []byte, small bool) ([]byte, error) {
	hi, lo := w.draw(value)
	at := len(dst)
	i := pick(hi, len(l.words))
	dst = append(dst, l.words[i]...)
	if w.own(dst[at:]) || small && w.ownSmall(dst[at:]) {
		i = (i + 1 + pick(lo, len(l.words)-1)) % len(l.words)
		dst = append(dst[:at], l.words[i]...)
	}
	return dst, nil
}

// buildList serves a column from the entries that fit it, or from single letters
// where hardly any does and the data are names (a middle initial).
func buildList(what string, words func() []string, short bool) func(*draft) (recipe, *Refusal) {
	return func(d *draft) (recipe, *Refusal) {
		fit := fitting(words(), d.length())
		if len(fit) < fewest && short {
			fit = initials()
		}
		if len(fit) < fewest {
			return nil, d.narrow(shortest(words()) + 2)
		}
		d.text = fmt.Sprintf("one of %d %s", len(fit), what)
		return &wordList{fit}, nil
	}
}

// A pairList joins an entry of each of two lists by a blank.
type pairList struct{ first, second []string }

func (l *pairList) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	at := len(dst)
	i, j := pick(hi, len(l.first)), pick(lo, len(l.second))
	dst = l.join(dst, i, j)
	if w.own(dst[at:]) {
		dst = l.join(dst[:at], i, (j+1+int(hi%uint64(len(l.second)-1)))%len(l.second))
	}
	return dst, nil
}

func (l *pairList) join(dst []byte, i, j int) []byte {
	dst = append(dst, l.first[i]...)
	dst = append(dst, ' ')
	return append(dst, l.second[j]...)
}

// buildFullName takes first and last names whose longest pair fits; short columns
// get an initial before the last name, shorter ones a single word.
func buildFullName(d *draft) (recipe, *Refusal) {
	room := d.length()
	first, second := bestPair(firstNames(), lastNames(), room-1)
	if len(first)*len(second) < 1000 {
		first, second = initials(), fitting(lastNames(), room-2)
	}
	if len(second) < fewest {
		return buildList("names", lastNames, true)(d)
	}
	d.text = fmt.Sprintf("one of %d names", len(first)*len(second))
	return &pairList{first, second}, nil
}

// bestPair shares room between two lists so that the pairs are the most.
func bestPair(a, b []string, room int) (fa, fb []string) {
	best := 0
	countsA, countsB := countByLength(a), countByLength(b)
	split := -1
	for la := range countsA {
		lb := min(room-la, len(countsB)-1)
		if lb < 0 {
			break
		}
		if n := countsA[la] * countsB[lb]; n > best {
			best, split = n, la
		}
	}
	if split < 0 {
		return nil, nil
	}
	return fitting(a, split), fitting(b, room-split)
}

// countByLength gives, for each length, how many entries are at most that long.
func countByLength(list []string) []int {
	counts := make([]int, longest(list)+1)
	for _, s := range list {
		counts[len(s)]++
	}
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
	return counts
}

// tagAlphabet has 32 lower-case letters and digits that are hard to confuse; the
// first 24 are letters. Lower case and ASCII only, so that no collation takes two
// tags for one.
const tagAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

const (
	tagBits  = 80 // of a tag when there is room
	tagChars = tagBits / 5
	mostTag  = 128 / 5 // characters that one draw can spell
)

// tagLength is the number of tag characters wanted: 16, more for more rows than
// 80 bits are good for.
func (d *draft) tagLength() int {
	return max(tagChars, min(mostTag, (bitsNeeded(d.limits.Rows)+4)/5))
}

// appendTag spells the leading 5*chars bits of hi and lo; at most mostTag characters.
func appendTag(dst []byte, hi, lo uint64, chars int) []byte {
	var tag [mostTag]byte
	for i := range tag[:chars] {
		tag[i] = tagAlphabet[hi>>59]
		hi, lo = hi<<5|lo>>59, lo<<5
	}
	return append(dst, tag[:chars]...)
}

// A username is a letter, a tag and, where there is room, a first name. The tag
// stands first so that indexes over a prefix stay unique and selective.
type username struct {
	chars int
	names []string // nil where there is no room
}

func (u *username) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	dst = append(dst, tagAlphabet[lo>>60]) // of the first sixteen, so a letter
	dst = appendTag(dst, hi, lo<<4, u.chars)
	if u.names != nil {
		dst = append(dst, '_')
		dst = append(dst, u.names[pick(lo<<32, len(u.names))]...)
	}
	return dst, nil
}

func buildUsername(d *draft) (recipe, *Refusal) {
	u := &username{chars: min(d.tagLength(), mostTag-1)}
	room := d.length() - 1
	if room < u.chars {
		u.chars = room
	} else if room > u.chars+longest(handles()) {
		u.names = handles()
	}
	has := 4 + 5*u.chars
	switch {
	case u.chars < 1:
		return nil, d.narrow(2)
	case d.limits.Unique && has < bitsNeeded(d.limits.Rows):
		return nil, d.crowded(has)
	}
	d.chance = math.Exp2(float64(-has))
	d.text = fmt.Sprintf("user name with a tag of %d bits", has)
	return u, nil
}
