package mysql

import (
	"crypto/sha256"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// How a table's rows are told apart within a snapshot. A key of integers that
// fit into 64 bits together is the row's number itself and costs no memory. Other
// keys are numbered as they are met. Rows of a table without a key are told apart
// by a digest of all their columns: equal rows are counted, since a condition
// that holds for one of them holds for all.
type telling int

const (
	packed   telling = iota // integers that fit into 64 bits
	numbered                // other keys
	content                 // no key
)

// rowKey is how one table's rows are told apart.
type rowKey struct {
	how     telling
	columns []*schema.Column // of the key; of a table without one all that are not computed
	widths  []int            // packed: bits of each column
	signed  []bool
}

// keyOf chooses: a key that packs before one that must be numbered.
func keyOf(t *schema.Table, f *tableFacts) *rowKey {
	var first *schema.Key
	for i := range t.Keys {
		k := &t.Keys[i]
		if !k.Identifies() {
			continue
		}
		if first == nil {
			first = k
		}
		if out := packing(t, f, k); out != nil {
			return out
		}
	}
	out := &rowKey{how: content}
	if first == nil {
		for i := range t.Columns {
			if !t.Columns[i].Generated {
				out.columns = append(out.columns, &t.Columns[i])
			}
		}
		return out
	}
	out.how = numbered
	for _, name := range first.Columns {
		out.columns = append(out.columns, t.Column(name))
	}
	return out
}

// packing gives the way in which a key packs; nil where it does not.
func packing(t *schema.Table, f *tableFacts, k *schema.Key) *rowKey {
	out := &rowKey{how: packed}
	total := 0
	for _, name := range k.Columns {
		facts := f.columns[name]
		bits, ok := map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64, "year": 16}[facts.base]
		if !ok {
			return nil
		}
		total += bits
		out.columns = append(out.columns, t.Column(name))
		out.widths = append(out.widths, bits)
		out.signed = append(out.signed, !facts.unsigned && facts.base != "year")
	}
	if total > 64 {
		return nil
	}
	return out
}

// pack makes the number of a key given in the form of rows. Numbers are in the
// order of the keys, so that rows that lie together are read together.
func (k *rowKey) pack(key []byte) (engine.RowID, bool) {
	var out uint64
	for i, bits := range k.widths {
		value, null, rest := decode(key)
		if null {
			return 0, false
		}
		var n uint64
		if k.signed[i] {
			v, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return 0, false
			}
			n = uint64(v) + 1<<(bits-1) // the least is zero
		} else {
			var err error
			if n, err = strconv.ParseUint(string(value), 10, 64); err != nil {
				return 0, false
			}
		}
		if bits == 64 {
			out = n
		} else {
			out = out<<bits | n&(1<<bits-1)
		}
		key = rest
	}
	return out, true
}

// unpack appends the key's values as SQL literals.
func (k *rowKey) unpack(id engine.RowID) []string {
	out := make([]string, len(k.widths))
	for i := len(k.widths) - 1; i >= 0; i-- {
		bits := k.widths[i]
		n := id
		if bits < 64 {
			n = id & (1<<bits - 1)
			id >>= bits
		}
		if k.signed[i] {
			out[i] = strconv.FormatInt(int64(n-1<<(bits-1)), 10)
		} else {
			out[i] = strconv.FormatUint(n, 10)
		}
	}
	return out
}

// names writes the key's columns.
func (k *rowKey) names() []string {
	out := make([]string, len(k.columns))
	for i, c := range k.columns {
		out[i] = quote(c.Name)
	}
	return out
}

// together is a condition over the numbers of a packed key of one column:
// runs of numbers are ranges.
func (k *rowKey) together(rows []engine.RowID) string {
	name := quote(k.columns[0].Name)
	var list, ranges []string
	for i := 0; i < len(rows); {
		j := i + 1
		for j < len(rows) && rows[j] == rows[j-1]+1 {
			j++
		}
		if j-i >= 4 {
			ranges = append(ranges, name+" BETWEEN "+k.unpack(rows[i])[0]+" AND "+k.unpack(rows[j-1])[0])
		} else {
			for ; i < j; i++ {
				list = append(list, k.unpack(rows[i])[0])
			}
		}
		i = j
	}
	if len(list) > 0 {
		ranges = append(ranges, name+" IN ("+strings.Join(list, ",")+")")
	}
	return strings.Join(ranges, " OR ")
}

// digest is what tells rows without a key apart.
func digest(row []byte) []byte {
	sum := sha256.Sum256(row)
	return sum[:16]
}
