package mysql

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
	"sync"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// numbers gives rows whose keys are no integers dense numbers, in the order in
// which they are met. A numbered row costs the bytes of its key and about twenty
// more.
type numbers struct {
	mu     sync.Mutex
	tables map[schema.Name]*numbering
}

// of gives the numbering of a table.
func (n *numbers) of(table schema.Name) *numbering {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.tables[table]
	if t == nil {
		t = &numbering{seed: maphash.MakeSeed()}
		n.tables[table] = t
	}
	return t
}

// A numbering holds keys back to back and finds them by a table of their numbers.
type numbering struct {
	mu   sync.RWMutex
	seed maphash.Seed
	keys []byte
	ends []uint64
	// slots is an open hash table of numbers plus one, at most two thirds full; its
	// size is a power of two.
	slots []uint32
	dense []byte // scratch
}

// number gives the number of a key.
func (n *numbering) number(key []byte) engine.RowID {
	n.mu.Lock()
	defer n.mu.Unlock()
	if 3*(len(n.ends)+1) > 2*len(n.slots) {
		n.grow()
	}
	n.dense = appendDense(n.dense[:0], key)
	slot, id, ok := n.look(n.dense)
	if ok {
		return id
	}
	n.keys = append(n.keys, n.dense...)
	n.ends = append(n.ends, uint64(len(n.keys)))
	n.slots[slot] = uint32(len(n.ends))
	return engine.RowID(len(n.ends) - 1)
}

// known gives the number of a key that has one.
func (n *numbering) known(key []byte) (engine.RowID, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.slots) == 0 {
		return 0, false
	}
	n.dense = appendDense(n.dense[:0], key)
	_, id, ok := n.look(n.dense)
	return id, ok
}

// look finds the slot of a dense key, or the free one where it belongs.
func (n *numbering) look(dense []byte) (slot int, id engine.RowID, ok bool) {
	mask := len(n.slots) - 1
	for slot = int(maphash.Bytes(n.seed, dense)) & mask; ; slot = (slot + 1) & mask {
		s := n.slots[slot]
		if s == 0 {
			return slot, 0, false
		}
		if bytes.Equal(n.entry(int(s-1)), dense) {
			return slot, engine.RowID(s - 1), true
		}
	}
}

func (n *numbering) entry(i int) []byte {
	from := uint64(0)
	if i > 0 {
		from = n.ends[i-1]
	}
	return n.keys[from:n.ends[i]]
}

func (n *numbering) grow() {
	n.slots = make([]uint32, max(1024, 2*len(n.slots)))
	mask := len(n.slots) - 1
	for i := range n.ends {
		slot := int(maphash.Bytes(n.seed, n.entry(i))) & mask
		for n.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		n.slots[slot] = uint32(i + 1)
	}
}

// key appends the key of a number.
func (n *numbering) key(dst []byte, id engine.RowID) ([]byte, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if id >= engine.RowID(len(n.ends)) {
		return dst, false
	}
	return appendSparse(dst, n.entry(int(id))), true
}

// A key is values in the form of rows. In a numbering a uuid in the usual form is
// its sixteen bytes, because keys are often such: a zero length stands before it,
// as a key has no NULL.
const uuidText = 36

func appendDense(dst, key []byte) []byte {
	for len(key) > 0 {
		value, _, rest := decode(key)
		if b, ok := uuidBytes(value); ok {
			dst = append(append(dst, 0), b[:]...)
		} else {
			dst = appendValue(dst, value)
		}
		key = rest
	}
	return dst
}

func appendSparse(dst, dense []byte) []byte {
	for len(dense) > 0 {
		if dense[0] != 0 {
			value, _, rest := decode(dense)
			dst, dense = appendValue(dst, value), rest
			continue
		}
		b := dense[1:17]
		dst = append(dst, uuidText+1)
		for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
			if i > 0 {
				dst = append(dst, '-')
			}
			dst = hex.AppendEncode(dst, part)
		}
		dense = dense[17:]
	}
	return dst
}

// uuidBytes reads a uuid in lower case; other texts stay what they are.
func uuidBytes(text []byte) (out [16]byte, ok bool) {
	if len(text) != uuidText {
		return out, false
	}
	at := 0
	for i := 0; i < uuidText; {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if text[i] != '-' {
				return out, false
			}
			i++
			continue
		}
		high, low := nibble(text[i]), nibble(text[i+1])
		if high > 15 || low > 15 {
			return out, false
		}
		out[at] = high<<4 | low
		at++
		i += 2
	}
	return out, true
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// occurrence makes the key of the nth row among equal ones of a table without a key.
func occurrence(dst, digest []byte, n uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return appendValue(appendValue(dst, digest), b[:])
}
