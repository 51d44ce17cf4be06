package postgres

import (
	"regexp"
	"slices"
	"strings"
)

// An entry is one object in pg_restore's table of contents.
type entry struct {
	id     string   // the archive's number
	kind   string   // "TABLE", "FK CONSTRAINT", "MATERIALIZED VIEW"
	schema string   // "-" becomes empty
	tag    string   // the object's name; "orders orders_fkey" for what belongs to a table
	text   string   // what stands after the numbers
	line   string   // as pg_restore wrote it
	needs  []string // ids of the entries it depends on
	// section is where it belongs: pre-data or post-data. A comment belongs where
	// its object does, which pg_restore knows only while it reads the whole list.
	section string
}

// describe names the entry for people: its kind in small letters and its name.
func (e entry) describe() string {
	name := e.tag
	if e.schema != "" {
		name = e.schema + "." + name
	}
	return strings.ToLower(e.kind) + " " + name
}

var (
	tocLine  = regexp.MustCompile(`^(\d+); \d+ \d+ (.+)$`)
	needLine = regexp.MustCompile(`^;\s+depends on:((?: \d+)+)`)
)

// kinds of more than one word, the longer before what they begin with. A kind
// that is not here is taken to be one word, which only matters for the text of errors.
func longKinds() []string {
	return []string{
		"MATERIALIZED VIEW DATA", "MATERIALIZED VIEW", "FK CONSTRAINT", "CHECK CONSTRAINT", "DEFAULT ACL", "EVENT TRIGGER",
		"FOREIGN DATA WRAPPER", "FOREIGN TABLE", "FOREIGN SERVER", "USER MAPPING", "PUBLICATION TABLES IN SCHEMA", "PUBLICATION TABLE", "SUBSCRIPTION TABLE",
		"ROW SECURITY", "SEQUENCE OWNED BY", "SEQUENCE SET", "SECURITY LABEL", "OPERATOR FAMILY", "OPERATOR CLASS", "ACCESS METHOD",
		"PROCEDURAL LANGUAGE", "SHELL TYPE", "TABLE ATTACH", "INDEX ATTACH", "TABLE DATA", "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY",
		"TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "LARGE OBJECT", "DATABASE PROPERTIES", "STATISTICS DATA",
	}
}

// parseEntry reads what stands after the numbers: kind, schema, name, owner.
// Names hold blanks now and then, so the parts are a guess, good for errors and
// for leaving out kinds, never for finding an object.
func parseEntry(text string) entry {
	var e entry
	for _, kind := range longKinds() {
		if rest, ok := strings.CutPrefix(text, kind+" "); ok {
			e.kind, text = kind, rest
			break
		}
	}
	if e.kind == "" {
		e.kind, text, _ = strings.Cut(text, " ")
	}
	e.schema, text, _ = strings.Cut(text, " ")
	if e.schema == "-" {
		e.schema = ""
	}
	if i := strings.LastIndexByte(text, ' '); i >= 0 {
		text = text[:i] // the owner
	}
	e.tag = text
	return e
}

// parseContents reads a listing of pg_restore --list --verbose.
func parseContents(listing []byte) []entry {
	var out []entry
	for line := range strings.Lines(string(listing)) {
		line = strings.TrimRight(line, "\n")
		if m := needLine.FindStringSubmatch(line); m != nil && len(out) > 0 {
			last := &out[len(out)-1]
			last.needs = append(last.needs, strings.Fields(m[1])...)
			continue
		}
		if m := tocLine.FindStringSubmatch(line); m != nil {
			e := parseEntry(m[2])
			e.id, e.text, e.line = m[1], m[2], line
			out = append(out, e)
		}
	}
	return out
}

// without leaves out the entries that drop names and all that depend on them,
// to any depth: a view over a foreign table cannot be made without it.
func without(contents []entry, drop func(entry) bool) (kept, dropped []entry) {
	gone := map[string]bool{}
	for _, e := range contents {
		if drop(e) {
			gone[e.id] = true
		}
	}
	for again := true; again; {
		again = false
		for _, e := range contents {
			if !gone[e.id] && slices.ContainsFunc(e.needs, func(id string) bool { return gone[id] }) {
				gone[e.id], again = true, true
			}
		}
	}
	for _, e := range contents {
		if gone[e.id] {
			dropped = append(dropped, e)
		} else {
			kept = append(kept, e)
		}
	}
	return kept, dropped
}

// listing writes entries as pg_restore --use-list reads them.
func listing(contents []entry) []byte {
	var b strings.Builder
	for _, e := range contents {
		b.WriteString(e.line)
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
