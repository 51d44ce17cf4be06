package postgres

import (
	"cmp"
	"slices"

	"understudy/internal/schema"
)

// What comes after rows is built by several sessions at once. pg_restore keeps
// apart those statements that it knows to lock the same tables; it does not know
// that a statement about a partitioned table or index locks the partitions too.
// A database with partitions is therefore built in passes, so that no two
// statements that could wait for each other stand in one pass.

// A pass is a part of an archive's contents, restored before the next pass begins.
type pass struct {
	contents []entry
	jobs     int
}

// The passes' order: whatever an entry needs stands in its own pass or before it.
const (
	passIndexes     = iota // indexes and keys of single tables, side by side
	passAttach             // partitions' indexes become parts of their table's: quick
	passReferences         // foreign keys between tables without partitions, side by side
	passPartitioned        // foreign keys from or to tables with partitions
	passRest               // triggers, rules, policies, publications, comments: quick
	passes
)

// inPasses divides contents, a part of all, for the given number of parallel
// jobs. Without parallel jobs or without partitions it is one pass.
//
// Sizes, in bytes by table, put the largest first, so that no long build begins
// when the other sessions have ended: an archive without rows does not know them.
func inPasses(contents, all []entry, jobs int, sizes map[schema.Name]int64) []pass {
	if jobs <= 1 {
		return []pass{{contents, jobs}}
	}
	weights, partitioned := tableSizes(all, sizes), partitionsIn(all)
	if len(partitioned) == 0 {
		return []pass{{largestFirst(contents, weights), jobs}}
	}
	at := make(map[string]int, len(contents))
	out := make([]pass, passes)
	for _, e := range contents { // an entry stands behind what it needs
		n := passOf(e, partitioned)
		for _, id := range e.needs {
			n = max(n, at[id])
		}
		at[e.id] = n
		out[n].contents, out[n].jobs = append(out[n].contents, e), 1
	}
	for _, n := range []int{passIndexes, passReferences} {
		out[n] = pass{largestFirst(out[n].contents, weights), jobs}
	}
	return slices.DeleteFunc(out, func(p pass) bool { return len(p.contents) == 0 })
}

// tableSizes gives each entry the size of the largest table it needs.
func tableSizes(contents []entry, sizes map[schema.Name]int64) map[string]int64 {
	tables, out := map[string]int64{}, map[string]int64{}
	for _, e := range contents {
		if e.kind == "TABLE" {
			tables[e.id] = sizes[schema.Name{Schema: e.schema, Table: e.tag}]
		}
	}
	for _, e := range contents {
		for _, id := range e.needs {
			out[e.id] = max(out[e.id], tables[id])
		}
	}
	return out
}

// largestFirst orders indexes and keys, and after them foreign keys, by weight,
// and leaves everything else where it stands. Parallel sessions of pg_restore
// begin what is ready in this order, and nothing before what it needs.
func largestFirst(contents []entry, weights map[string]int64) []entry {
	out := slices.Clone(contents)
	for _, kinds := range [][]string{{"INDEX", "CONSTRAINT"}, {"FK CONSTRAINT"}} {
		var places []int
		var ordered []entry
		for i, e := range contents {
			if slices.Contains(kinds, e.kind) {
				places, ordered = append(places, i), append(ordered, e)
			}
		}
		slices.SortStableFunc(ordered, func(a, b entry) int { return cmp.Compare(weights[b.id], weights[a.id]) })
		for i, at := range places {
			out[at] = ordered[i]
		}
	}
	return out
}

// passOf is the first pass that an entry may stand in for its own sake.
func passOf(e entry, partitioned map[string]bool) int {
	switch e.kind {
	case "INDEX ATTACH":
		return passAttach
	case "FK CONSTRAINT":
		if slices.ContainsFunc(e.needs, func(id string) bool { return partitioned[id] }) {
			return passPartitioned
		}
		return passReferences
	case "TRIGGER", "RULE", "POLICY", "ROW SECURITY", "EVENT TRIGGER", "PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "COMMENT", "SECURITY LABEL":
		return passRest
	}
	return passIndexes
}

// partitionsIn gives the ids of partitioned tables, of partitions, and of the
// keys on them.
func partitionsIn(contents []entry) map[string]bool {
	tables := map[string]bool{}
	for _, e := range contents {
		if e.kind == "TABLE" {
			tables[e.id] = true
		}
	}
	out := map[string]bool{}
	for _, e := range contents {
		if e.kind != "TABLE ATTACH" {
			continue
		}
		for _, id := range e.needs {
			if tables[id] {
				out[id] = true
			}
		}
	}
	for _, e := range contents {
		if (e.kind == "CONSTRAINT" || e.kind == "INDEX") && slices.ContainsFunc(e.needs, func(id string) bool { return out[id] }) {
			out[e.id] = true
		}
	}
	return out
}
