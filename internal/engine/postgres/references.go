package postgres

import (
	"cmp"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// references lists the foreign keys, those of partitions folded into the root.
// The server copies a partitioned table's foreign keys to every partition, and
// makes one more for every partition of a referenced table; these copies name
// their origin and are left out, so that no phantom appears.
func (r *reading) references(leaves map[uint32][]leaf) []schema.Reference {
	var out []schema.Reference
	for _, k := range r.foreignKeys {
		from, to := r.relations[k.from], r.relations[k.to]
		if k.copied || from == nil || to == nil {
			continue
		}
		root, toRoot := r.relations[r.root(k.from)], r.relations[r.root(k.to)]
		if root == nil || toRoot == nil || !r.wanted(root.name.Schema) {
			continue
		}
		out = append(out, schema.Reference{
			Name: k.name, From: root.name, Columns: r.columnNames(k.from, k.key), To: toRoot.name, ToColumns: r.columnNames(k.to, k.toKey),
			Valid: k.valid, Part: from.partition, Full: k.full, Indexed: r.indexed(k, leaves[k.from]),
		})
	}
	return dedupe(out)
}

func (r *reading) columnNames(table uint32, key []int) []string {
	out := make([]string, len(key))
	for i, n := range key {
		for _, c := range r.columns[table] {
			if c.num == n {
				out[i] = c.name
			}
		}
	}
	return out
}

// indexed tells whether an index leads with a foreign key's columns, on the
// table itself or on all its partitions.
func (r *reading) indexed(k foreignKeyRow, leaves []leaf) bool {
	if r.leads(k.from, k.key) {
		return true
	}
	names := r.columnNames(k.from, k.key)
	for _, l := range leaves {
		key := make([]int, 0, len(names))
		for _, c := range r.columns[l.oid] { // a partition may number its columns otherwise
			if slices.Contains(names, c.name) {
				key = append(key, c.num)
			}
		}
		if !r.leads(l.oid, key) {
			return false
		}
	}
	return len(leaves) > 0
}

func (r *reading) leads(table uint32, key []int) bool {
	want := slices.Sorted(slices.Values(key))
	return slices.ContainsFunc(r.indexes[table], func(i indexRow) bool {
		if !i.valid || len(i.key) < len(want) || i.method != "btree" && (i.method != "hash" || len(want) > 1) {
			return false
		}
		if i.predicate != "" && !(len(want) == 1 && strings.HasSuffix(i.predicate, " IS NOT NULL)") && !strings.Contains(i.predicate, " AND ") &&
			strings.Trim(strings.TrimSuffix(strings.TrimPrefix(i.predicate, "("), " IS NOT NULL)"), `"`) == r.columnNames(table, want)[0]) {
			return false // a partial index serves only where its predicate is implied; that the key is not null is
		}
		return slices.Equal(slices.Sorted(slices.Values(i.key[:len(want)])), want)
	})
}

// dedupe leaves one reference for each pair of column lists: the root's own if
// it has one, else one for all partitions that declare it.
func dedupe(in []schema.Reference) []schema.Reference {
	slices.SortStableFunc(in, func(a, b schema.Reference) int {
		if a.Part != b.Part {
			if b.Part {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	var out []schema.Reference
	for _, r := range in {
		i := -1
		if r.Part {
			i = slices.IndexFunc(out, func(o schema.Reference) bool {
				return o.From == r.From && o.To == r.To && slices.Equal(o.Columns, r.Columns) && slices.Equal(o.ToColumns, r.ToColumns)
			})
		}
		switch {
		case i < 0:
			out = append(out, r)
		case out[i].Part:
			out[i].Valid = out[i].Valid && r.Valid
			out[i].Indexed = out[i].Indexed && r.Indexed
		}
	}
	return out
}
