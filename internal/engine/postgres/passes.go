package postgres

import "slices"

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

// inPasses divides contents for the given number of parallel jobs. Without
// parallel jobs or without partitions it is one pass.
func inPasses(contents []entry, jobs int) []pass {
	partitioned := partitionsIn(contents)
	if jobs <= 1 || len(partitioned) == 0 {
		return []pass{{contents, jobs}}
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
	out[passIndexes].jobs, out[passReferences].jobs = jobs, jobs
	return slices.DeleteFunc(out, func(p pass) bool { return len(p.contents) == 0 })
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
