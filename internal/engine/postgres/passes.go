package postgres

import (
	"cmp"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// What comes after rows is built by several sessions at once. pg_restore keeps
// apart those statements that it knows to lock the same tables; it does not know
// that a statement about a partitioned table or index locks the partitions too.
// A database with partitions is therefore built in passes, so that no two
// statements that could wait for each other stand in one pass.

// A pass is a part of an archive's contents, restored before the next pass begins.
type pass struct {
	contents   []entry
	jobs       int
	references bool // it holds foreign keys alone
}

// The passes' order: whatever an entry needs stands in its own pass or before it.
const (
	passIndexes     = iota // indexes and keys of single tables, side by side
	passAttach             // partitions' indexes become parts of their table's: quick
	passReferences         // foreign keys, side by side
	passPartitioned        // foreign keys that meet partitions of each other's tables
	passRest               // triggers, rules, policies, publications, comments: quick
	passes
)

// inPasses divides contents, a part of all, for the given number of parallel
// jobs; one pass without parallel jobs.
//
// Sizes, in bytes by table, weigh foreign keys: an archive without rows does not
// know them.
func inPasses(contents, all []entry, jobs int, sizes map[schema.Name]int64) []pass {
	if jobs <= 1 {
		return []pass{{contents: contents, jobs: jobs}}
	}
	weights, trees := tableSizes(all, sizes), treesIn(all)
	trees.findShared(contents)
	at := make(map[string]int, len(contents))
	out := make([]pass, passes)
	for _, e := range contents { // an entry stands behind what it needs
		n := passOf(e, trees)
		for _, id := range e.needs {
			n = max(n, at[id])
		}
		at[e.id] = n
		out[n].contents, out[n].jobs = append(out[n].contents, e), 1
	}
	out[passIndexes].jobs, out[passReferences].jobs = jobs, jobs
	out[passReferences].contents = crowdedFirst(out[passReferences].contents, weights, trees)
	out[passReferences].references = !slices.ContainsFunc(out[passReferences].contents, func(e entry) bool { return e.kind != "FK CONSTRAINT" })
	return slices.DeleteFunc(out, func(p pass) bool { return len(p.contents) == 0 })
}

// tableSizes gives each entry the size of the largest table it needs, a foreign
// key that of the table that has it. Partitions count for their table.
func tableSizes(contents []entry, sizes map[schema.Name]int64) map[string]int64 {
	tables, out, trees := map[string]int64{}, map[string]int64{}, treesIn(contents)
	for _, e := range contents {
		if e.kind != "TABLE" {
			continue
		}
		size := sizes[schema.Name{Schema: e.schema, Table: e.tag}]
		tables[e.id] += size
		if root := trees.root[e.id]; root != "" && root != e.id {
			tables[root] += size
		}
	}
	for _, e := range contents {
		for _, id := range e.needs {
			if e.kind != "FK CONSTRAINT" || trees.has(id, e) {
				out[e.id] = max(out[e.id], tables[id])
			}
		}
	}
	return out
}

// crowdedFirst orders foreign keys by what meets in their tables, then by weight,
// and leaves everything else where it stands. Indexes are left as they are:
// parallel sessions of pg_restore begin them in the order of the archive, whatever
// the list says.
func crowdedFirst(contents []entry, weights map[string]int64, t trees) []entry {
	out, crowd := slices.Clone(contents), t.crowds(contents, weights)
	var places []int
	var ordered []entry
	for i, e := range contents {
		if e.kind == "FK CONSTRAINT" {
			places, ordered = append(places, i), append(ordered, e)
		}
	}
	slices.SortStableFunc(ordered, func(a, b entry) int {
		return cmp.Or(cmp.Compare(crowd[b.id], crowd[a.id]), cmp.Compare(weights[b.id], weights[a.id]))
	})
	for i, at := range places {
		out[at] = ordered[i]
	}
	return out
}

// crowds gives each foreign key the weight of all that meet it in a table. Two
// that meet are not added at once, so those of the tables that most of the work
// meets in come first: else they are left over at the end, one after the other.
func (t trees) crowds(contents []entry, weights map[string]int64) map[string]int64 {
	met, out := map[string]int64{}, map[string]int64{}
	each := func(do func(e entry, id string)) {
		for _, e := range contents {
			if e.kind != "FK CONSTRAINT" {
				continue
			}
			for i, id := range e.needs {
				if _, table := t.names[id]; table && !slices.Contains(e.needs[:i], id) {
					do(e, id)
				}
			}
		}
	}
	each(func(e entry, id string) { met[id] += weights[e.id] })
	each(func(e entry, id string) { out[e.id] += met[id] })
	return out
}

// passOf is the first pass that an entry may stand in for its own sake.
func passOf(e entry, t trees) int {
	switch e.kind {
	case "INDEX ATTACH":
		return passAttach
	case "FK CONSTRAINT":
		if t.apart(e) {
			return passReferences
		}
		return passPartitioned
	case "TRIGGER", "RULE", "POLICY", "ROW SECURITY", "EVENT TRIGGER", "PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "COMMENT", "SECURITY LABEL":
		return passRest
	}
	return passIndexes
}

// trees are the tables with partitions, to any depth, by the ids of entries.
type trees struct {
	names map[string]entry  // of all tables
	root  map[string]string // of a partition, a table with partitions, or a key on one: the table that is no partition
	// shared are the roots of whose partitions some have foreign keys by themselves.
	shared map[string]bool
}

func treesIn(contents []entry) trees {
	t := trees{names: map[string]entry{}, root: map[string]string{}, shared: map[string]bool{}}
	for _, e := range contents {
		if e.kind == "TABLE" {
			t.names[e.id] = e
		}
	}
	above := map[string]string{}
	for _, e := range contents {
		if e.kind != "TABLE ATTACH" {
			continue
		}
		part, whole := "", ""
		for _, id := range e.needs {
			if n, ok := t.names[id]; ok && n.schema == e.schema && n.tag == e.tag {
				part = id
			} else if ok {
				whole = id
			}
		}
		if part != "" && whole != "" {
			above[part] = whole
		}
	}
	for part, whole := range above {
		for above[whole] != "" {
			whole = above[whole]
		}
		t.root[part], t.root[whole] = whole, whole
	}
	for _, e := range contents {
		if e.kind == "CONSTRAINT" || e.kind == "INDEX" {
			for _, id := range e.needs {
				if t.root[id] != "" {
					t.root[e.id] = t.root[id]
				}
			}
		}
	}
	return t
}

// has tells whether a foreign key's entry is of the table with an id.
func (t trees) has(id string, e entry) bool {
	n, ok := t.names[id]
	return ok && n.schema == e.schema && strings.HasPrefix(e.tag, n.tag+" ")
}

// findShared notes which tables foreign keys meet by their partitions.
func (t trees) findShared(contents []entry) {
	for _, e := range contents {
		if e.kind != "FK CONSTRAINT" {
			continue
		}
		for _, id := range e.needs {
			if root := t.root[id]; root != "" && (root != id && t.names[id].id != "" || !slices.Contains(e.needs, root)) {
				t.shared[root] = true
			}
		}
	}
}

// apart tells whether what a foreign key locks beyond the tables it names, their
// partitions, is locked by no other one.
func (t trees) apart(e entry) bool {
	return !slices.ContainsFunc(e.needs, func(id string) bool { return t.shared[t.root[id]] })
}
