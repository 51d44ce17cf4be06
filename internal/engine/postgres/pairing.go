package postgres

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// A digest stands for a row as it travels, in either form. No two rows that
// differ are found with one digest: it is half of a SHA-256.
type digest [16]byte

func digestOf(row []byte) digest {
	sum := sha256.Sum256(row)
	return digest(sum[:])
}

// A place tells a row of a table: its partition, or the table itself, and where
// it stands there (ctid).
type place struct {
	rel, block uint32
	offset     uint16
}

// A standingRow is a row of the target.
type standingRow struct {
	digest
	place
}

const (
	// lookahead is how many of the target's rows are looked at for one that came
	// before they are set apart.
	lookahead = 32
	// strayed is how many rows in a row may find no pair before the other side is
	// thought to be elsewhere.
	strayed = 256
)

// A pairing finds, of rows that come and rows that stand in the target, the pairs
// that are the same, each row in one pair at most. Both sides usually come in
// nearly the same order, so little is remembered: the rows that found no pair yet.
type pairing struct {
	more  func() ([]standingRow, error) // the next rows of the target; none at their end
	queue []standingRow                 // read and not yet looked at
	ended bool

	standing bag[place] // set apart: rows of the target
	coming   bag[span]  // and rows that came, in held
	held     []byte
	misses   int // in a row
	stride   int

	pairs int64
}

// A span is a row within the bytes that are held.
type span struct{ start, end int }

// come takes a row that came; what is hashed of it begins at from.
func (p *pairing) come(row []byte, from int) error {
	d := digestOf(row[from:])
	if err := p.fill(); err != nil {
		return err
	}
	for i := range min(lookahead, len(p.queue)) {
		if p.queue[i].digest == d {
			p.setApart(i)
			p.queue = p.queue[1:]
			p.paired()
			return nil
		}
		if i == 0 {
			if _, ok := p.standing.take(d); ok {
				p.paired()
				return nil
			}
		}
	}
	if len(p.queue) == 0 {
		if _, ok := p.standing.take(d); ok {
			p.paired()
			return nil
		}
	}
	start := len(p.held)
	p.held = append(p.held, row...)
	p.coming.add(d, span{start, len(p.held)})
	if p.misses++; p.misses%strayed == 0 {
		p.stride = max(1024, 2*p.stride)
		return p.pass(p.stride)
	}
	return nil
}

func (p *pairing) paired() { p.pairs, p.misses, p.stride = p.pairs+1, 0, 0 }

// fill sees to it that there is something to look ahead at.
func (p *pairing) fill() error {
	for len(p.queue) < lookahead && !p.ended {
		rows, err := p.more()
		if err != nil {
			return err
		}
		p.ended = len(rows) == 0
		if len(p.queue) == 0 {
			p.queue = rows
		} else {
			p.queue = append(append(make([]standingRow, 0, len(p.queue)+len(rows)), p.queue...), rows...)
		}
	}
	return nil
}

// setApart moves rows of the target from the queue to those that wait for their
// pair, unless it came already.
func (p *pairing) setApart(n int) {
	for _, r := range p.queue[:n] {
		if _, ok := p.coming.take(r.digest); ok {
			p.pairs++
		} else {
			p.standing.add(r.digest, r.place)
		}
	}
	p.queue = p.queue[n:]
}

// pass sets the next rows of the target apart, so many or all that there are.
func (p *pairing) pass(n int) error {
	for n > 0 {
		if err := p.fill(); err != nil {
			return err
		}
		k := min(n, len(p.queue))
		if k == 0 {
			return nil
		}
		p.setApart(k)
		n -= k
	}
	return nil
}

// exhausted: every row of the target has its pair, so what comes now has none.
func (p *pairing) exhausted() bool { return p.ended && len(p.queue) == 0 && p.standing.live == 0 }

// tidy forgets the bytes of rows that found their pair.
func (p *pairing) tidy() {
	held := make([]byte, 0, len(p.held)/2)
	old := p.coming
	p.coming = bag[span]{}
	for _, it := range old.items {
		if !it.gone {
			start := len(held)
			held = append(held, p.held[it.value.start:it.value.end]...)
			p.coming.add(it.digest, span{start, len(held)})
		}
	}
	p.held = held
}

// rest gives the bytes of the rows that found no pair, and how many they are.
func (p *pairing) rest() ([]byte, int) {
	p.tidy()
	raw, n := p.held, p.coming.live
	p.held, p.coming = nil, bag[span]{}
	return raw, n
}

// left gives the target's rows that found no pair, as the rows of a binary COPY.
func (p *pairing) left() ([]byte, int) {
	n := p.standing.live
	out := make([]byte, 0, 20*n)
	for _, it := range p.standing.items {
		if !it.gone {
			out = append(out, 0, 2, 0, 0, 0, 4)
			out = binary.BigEndian.AppendUint32(out, it.value.rel)
			out = append(out, 0, 0, 0, 6)
			out = binary.BigEndian.AppendUint32(out, it.value.block)
			out = binary.BigEndian.AppendUint16(out, it.value.offset)
		}
	}
	p.standing = bag[place]{}
	return out, n
}

// A bag holds values by digest, some perhaps with the same. The zero value is empty.
type bag[V any] struct {
	heads map[digest]int32 // the latest item, plus one
	items []item[V]
	live  int
}

type item[V any] struct {
	digest
	value V
	next  int32 // the item before with the same digest, plus one
	gone  bool
}

func (b *bag[V]) add(d digest, v V) {
	if b.heads == nil {
		b.heads = map[digest]int32{}
	}
	b.items = append(b.items, item[V]{digest: d, value: v, next: b.heads[d]})
	b.heads[d] = int32(len(b.items))
	b.live++
}

// take removes one value with the digest.
func (b *bag[V]) take(d digest) (v V, ok bool) {
	if b.live == 0 {
		return v, false
	}
	head := b.heads[d]
	if head == 0 {
		return v, false
	}
	it := &b.items[head-1]
	it.gone = true
	if it.next == 0 {
		delete(b.heads, d)
	} else {
		b.heads[d] = it.next
	}
	if b.live--; b.live == 0 {
		b.items = b.items[:0]
	}
	return it.value, true
}

// pack forgets the places of values that were taken.
func (b *bag[V]) pack() {
	old := *b
	*b = bag[V]{}
	for _, it := range old.items {
		if !it.gone {
			b.add(it.digest, it.value)
		}
	}
}

// rowEnd finds where the first row of raw ends; 0 if it does not.
func rowEnd(raw []byte, binaryForm bool) int {
	if !binaryForm {
		return bytes.IndexByte(raw, '\n') + 1 // within values it is escaped
	}
	if len(raw) < 2 {
		return 0
	}
	at := 2
	for range binary.BigEndian.Uint16(raw) {
		at = fieldEnd(raw, at)
		if at == 0 {
			return 0
		}
	}
	return at
}

// fieldEnd finds where the field of a binary row that begins at at ends; 0 if it does not.
func fieldEnd(raw []byte, at int) int {
	if at+4 > len(raw) {
		return 0
	}
	end := at + 4
	if n := int32(binary.BigEndian.Uint32(raw[at:])); n > 0 {
		end += int(n)
	}
	if end > len(raw) {
		return 0
	}
	return end
}
