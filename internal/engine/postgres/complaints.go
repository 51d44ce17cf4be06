package postgres

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// What pg_dump and pg_restore write when they fail, and what is taken from it.

// tail keeps what a child complains about, from shortly before its first error
// on: what it did until then is of no use, and what it quotes after it may be long.
type tail struct {
	text   []byte
	limit  int
	failed bool // the first error is in text
}

func (t *tail) Write(p []byte) (int, error) {
	if t.failed {
		if room := 2*t.limit - len(t.text); room > 0 {
			t.text = append(t.text, p[:min(room, len(p))]...)
		}
		return len(p), nil
	}
	line := bytes.LastIndexByte(t.text, '\n') + 1 // what was looked at before it is not looked at again
	t.text = append(t.text, p...)
	at := errorLine.FindIndex(t.text[line:])
	t.failed = at != nil
	if t.failed {
		t.text = t.text[max(0, line+at[0]-t.limit):]
	} else if len(t.text) > 2*t.limit {
		t.text = append(t.text[:0], t.text[len(t.text)-t.limit:]...)
	}
	return len(p), nil
}

var (
	entryLine  = regexp.MustCompile(`(?m)^pg_restore: from TOC entry (\d+); `)
	inFunction = regexp.MustCompile(`(?m)^(?:CONTEXT:  )?(?:PL/\w+|SQL) function `)
	errorLine  = regexp.MustCompile(`(?m)^pg_(?:dump|restore): error: (.*)$`)
	// The beginning of the statement that failed: what it makes, and where.
	constraintMade = regexp.MustCompile(`(?m)^Command was: ALTER TABLE (?:ONLY )?(` + dumpedName + `)\s+ADD CONSTRAINT (` + dumpedPart + `)`)
	indexMade      = regexp.MustCompile(`(?m)^Command was: CREATE (?:UNIQUE )?INDEX (` + dumpedPart + `) ON (?:ONLY )?(` + dumpedName + `)`)
	objectMade     = regexp.MustCompile(`(?m)^Command was: (?:CREATE|ALTER|COMMENT ON|GRANT|REVOKE)[A-Z ]*? (?:IF NOT EXISTS )?(` + dumpedName + `)`)
)

// How pg_dump writes names.
const (
	dumpedPart = `(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)`
	dumpedName = dumpedPart + `(?:\.` + dumpedPart + `)?`
)

// A complaint is a kind of message and what it means.
type complaint struct {
	has, say, hint string
	code           engine.Code
	begins         string // the server's message begins so; empty for any
	again          bool   // as engine.Error.Again
}

// callsHint stands where the remedy depends on the structure's search_path.
const callsHint = "set a search_path for the functions that it calls"

// complaints lists pieces of messages as libpq's programs write them in
// English; the first that is found decides. Text of a message itself is never
// passed on: it quotes rows and definitions.
func complaints() []complaint {
	return []complaint{
		{has: "does not exist", begins: `role "`, say: "a role that it names does not exist on this server", hint: "make it there: CREATE ROLE ... NOLOGIN", code: engine.Failed},
		{has: "query would be affected by row-level security", say: rowsHidden, hint: rowsHiddenHint, code: engine.Denied},
		{has: "violates foreign key constraint", say: "a foreign key finds no row", code: engine.Constraint},
		{has: "could not create unique index", say: "a value is there twice where it must be unique", code: engine.Constraint},
		{has: "could not create exclusion constraint", say: "a row breaks an exclusion constraint", code: engine.Constraint},
		{has: "is violated by some row", say: "a row breaks a check", code: engine.Constraint},
		{has: "contains null values", say: "a value is missing where the column requires one", code: engine.Constraint},
		{has: "permission denied to create extension", say: "only a superuser may create this extension", hint: "connect as a superuser", code: engine.Denied},
		{has: "permission denied for language", say: "only a superuser may make functions in this language", hint: "connect as a superuser", code: engine.Denied},
		{has: "permission denied", say: "the role lacks a privilege", hint: "grant it, or use another role", code: engine.Denied},
		{has: "must be owner of", say: "the role does not own the object", code: engine.Denied},
		{has: "must be member of role", say: "the role is no member of the object's owner", code: engine.Denied},
		{has: "must be able to SET ROLE", say: "the role is no member of the object's owner", code: engine.Denied},
		{has: "must be superuser", say: "only a superuser may do this", code: engine.Denied},
		{has: "No space left on device", say: "the server's disk is full", hint: "free space on the server", code: engine.Full},
		{has: "Check free disk space", say: "the server's disk is full", hint: "free space on the server", code: engine.Full}, // where the last piece was written short
		{has: "max_locks_per_transaction", say: locksFull, hint: locksFullHint, code: engine.Full},
		{has: "conflict with recovery", say: conflict, hint: conflictHint, code: engine.Stopped, again: true},
		{has: "password authentication failed", say: "the password is wrong", hint: "check the user name and password in the URL", code: engine.Denied},
		{has: "could not connect", say: "no connection", code: engine.Unreachable},
		{has: "connection to server", say: "no connection", code: engine.Unreachable},
		{has: "server closed the connection", say: "the connection broke", code: engine.Unreachable},
		{has: "terminating connection", say: "the server or an administrator ended the session", code: engine.Stopped},
		{has: "canceling statement due to lock timeout", say: lockMissed, hint: "try again later, or raise limits.lock_wait", code: engine.Timeout},
		{has: "Query was: LOCK TABLE", say: lockMissed, hint: "try again later, or raise limits.lock_wait", code: engine.Timeout},
		{has: "canceling statement", say: "the statement took too long, or was cancelled", hint: "raise limits.statement", code: engine.Timeout},
		{has: "is not available", say: "an extension is not installed on the server", hint: "install it there", code: engine.Unsupported},
		{has: "server version mismatch", say: "the program is older than the server", hint: "install newer client programs", code: engine.Unsupported},
		{has: "does not exist", begins: `schema "`, say: "a schema that it names does not exist", hint: "name the schema under schemas in the job as well", code: engine.Failed},
		{has: "does not exist", begins: `relation "`, say: "a table or view that it names does not exist", code: engine.Failed},
		{has: "does not exist", begins: `function `, say: "a function that it calls does not exist", code: engine.Failed},
		{has: "does not exist", begins: `type "`, say: "a type that it names does not exist", code: engine.Failed},
		{has: "does not exist", begins: `collation "`, say: "a collation that it names does not exist on this server", hint: "install the locale there, or the same version of ICU", code: engine.Failed},
		{has: "does not exist", begins: `text search `, say: "a text search configuration or dictionary that it names does not exist on this server", hint: "install it there", code: engine.Failed},
		{has: "does not exist", say: "something it needs does not exist", code: engine.Failed},
		{has: "already exists", say: "an object of this name exists", code: engine.Failed},
	}
}

// complaintError makes an error of what pg_dump or pg_restore wrote. The object
// that was being made is named only if it is one of those that were to be made,
// because anything may stand in a message. Words that are not known make an
// untoldError, if the entry is known.
func complaintError(doing string, text []byte, builds []entry) error {
	e := &engine.Error{Code: engine.Failed, Doing: doing, Say: "the program failed", Hint: "the server's log tells more"}
	made, ok := madeObject(text, builds)
	if ok {
		e.Table, e.Constraint = made.table, made.constraint
	}
	failed, found := failedEntry(text, builds)
	if found {
		made.entry, ok = failed, true
	}
	if ok {
		e.Doing += ", " + made.entry.describe()
	}
	line := errorLine.FindSubmatch(text)
	fits := func(c complaint) bool { return line != nil && c.fits(line[1], text) }
	all := complaints()
	i := slices.IndexFunc(all, fits)
	if i < 0 { // parallel sessions of pg_restore write into each other's lines
		i = slices.IndexFunc(all, func(c complaint) bool {
			return c.code != engine.Failed && c.begins == "" && bytes.Contains(text, []byte(c.has))
		})
	}
	if i >= 0 {
		e.Code, e.Say, e.Hint, e.Again = all[i].code, all[i].say, all[i].hint, all[i].again
	}
	if inFunction.Match(text) && line != nil && bytes.Contains(line[1], []byte("does not exist")) {
		e.Say, e.Hint = "a function that it calls does not find what it names, as when it counts on a search_path", callsHint
		return e
	}
	if i < 0 && found && line != nil {
		return &untoldError{e, failed}
	}
	return e
}

// An untoldError is a failure of pg_restore at an entry, in words that are not
// known: of another language, or about an expression.
type untoldError struct {
	err   *engine.Error
	entry entry
}

// Error is that of the program.
func (u *untoldError) Error() string { return u.err.Error() }

// Unwrap gives the program's error.
func (u *untoldError) Unwrap() error { return u.err }

// fits tells whether a line of an error, or the whole text about it, is of this kind.
func (c complaint) fits(line, text []byte) bool {
	if strings.HasPrefix(c.has, "Query was") {
		return bytes.Contains(text, []byte(c.has))
	}
	_, message, _ := bytes.Cut(line, []byte("ERROR:  "))
	return bytes.Contains(line, []byte(c.has)) && bytes.HasPrefix(message, []byte(c.begins))
}

// failedEntry finds the entry that pg_restore says it was at.
func failedEntry(text []byte, builds []entry) (entry, bool) {
	if at := errorLine.FindIndex(text); at != nil {
		text = text[:at[0]]
	}
	found := entryLine.FindAllSubmatch(text, -1)
	if len(found) == 0 {
		return entry{}, false
	}
	id := string(found[len(found)-1][1])
	i := slices.IndexFunc(builds, func(e entry) bool { return e.id == id })
	if i < 0 {
		return entry{}, false
	}
	return builds[i], true
}

// A made is the object whose making failed.
type made struct {
	entry      entry
	table      schema.Name // of a constraint
	constraint string
}

// madeObject finds the entry whose statement failed; ok is false if it cannot be told.
func madeObject(text []byte, builds []entry) (m made, ok bool) {
	var object, table string
	ofTable := false // the object has a name of its own beside the table's
	if found := constraintMade.FindSubmatch(text); found != nil {
		table, object = string(found[1]), string(found[2])
	} else if found := indexMade.FindSubmatch(text); found != nil {
		object, table, ofTable = string(found[1]), string(found[2]), true
	} else if found := objectMade.FindSubmatch(text); found != nil {
		object = string(found[1])
	}
	name, err := dumpedObject(object)
	if err != nil {
		return m, false
	}
	if table != "" {
		if m.table, err = dumpedObject(table); err != nil {
			return m, false
		}
		if ofTable { // an index, which is no constraint
			name.Schema = m.table.Schema
		} else {
			m.constraint = name.Table
			name = schema.Name{Schema: m.table.Schema, Table: m.table.Table + " " + name.Table}
		}
	}
	space := name.Schema
	if space == "" {
		space = "-"
	}
	for _, e := range builds {
		rest, ok := strings.CutPrefix(e.text, e.kind+" "+space+" "+name.Table)
		if ok && (rest == "" || rest[0] == ' ' || rest[0] == '(') { // "(": a function's arguments
			m.entry = entry{kind: e.kind, schema: name.Schema, tag: name.Table}
			return m, true
		}
	}
	return m, false
}

// dumpedObject reads a name that pg_dump wrote, with a schema or without.
func dumpedObject(text string) (schema.Name, error) {
	var n schema.Name
	err := n.UnmarshalText([]byte(text))
	return n, err
}
