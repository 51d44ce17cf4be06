package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// markSchema is the schema that makes a database claimed. It holds one table,
// with one row about the generation that the database is.
const markSchema = "understudy"

// nameLimit is the longest name a server keeps, in bytes (NAMEDATALEN - 1).
const nameLimit = 63

// A mark is written as the comment of a database beside the target, so that
// whoever comes next, on whatever machine, knows what the database is. It is
// all the journal there is: a database without a mark is never dropped, unless
// it is empty and bears the name of one of ours.
type mark struct {
	Kind    string    `json:"kind"`              // next: being built; kept: an earlier generation; sides: a schema of side tables
	Of      string    `json:"of"`                // the target's name
	Run     string    `json:"run"`               // the generation's id: that of the run that made its content
	Made    time.Time `json:"made"`              // when the content was made, or when it was displaced if nobody knows
	By      string    `json:"by,omitempty"`      // kept: the run that displaced it
	At      time.Time `json:"at,omitzero"`       // kept: when it was displaced
	Pending bool      `json:"pending,omitempty"` // kept: the run that displaced it has not finished its clean-up
	Comment string    `json:"comment,omitempty"` // kept: the comment the database had as the target
}

const (
	markNext   = "next"
	markKept   = "kept"
	markSides  = "sides"
	markPrefix = "understudy: "
)

// String is the mark as a comment.
func (m mark) String() string {
	text, _ := json.Marshal(m) // strings and times always encode
	return markPrefix + string(text)
}

// readMark reads a comment; ok is false if it is none of ours.
func readMark(comment string) (m mark, ok bool) {
	text, ok := strings.CutPrefix(comment, markPrefix)
	if !ok || json.Unmarshal([]byte(text), &m) != nil {
		return mark{}, false
	}
	return m, m.Kind == markNext || m.Kind == markKept || m.Kind == markSides
}

// beside makes the name of a database beside the target: target_next_run or
// target_prev_run. A name that would be too long keeps its end and gets a
// digest in place of the middle, so that different names stay different.
func beside(target, kind, run string) string {
	tail := "_" + kind + "_" + run
	if len(target)+len(tail) <= nameLimit {
		return target + tail
	}
	sum := sha256.Sum256([]byte(target + tail))
	digest := "_" + hex.EncodeToString(sum[:5])
	tail = "_" + kind + digest
	return clip(target, nameLimit-len(tail)) + tail
}

// clip cuts s to at most n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// A neighbour is a database beside the target that is understudy's.
type neighbour struct {
	oid    uint32
	name   string
	mark   mark
	marked bool // false: it only has the name of one that was being made
}

// neighbours lists understudy's databases beside the target: the generations
// being built or left over, and the kept ones, newest first.
func neighbours(ctx context.Context, c *conn, target string) (next, kept []neighbour, err error) {
	rows, err := c.query(ctx, "list the databases", `
		SELECT d.oid, d.datname, pg_catalog.shobj_description(d.oid, 'pg_database')
		FROM pg_catalog.pg_database d ORDER BY d.datname`)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		n := neighbour{oid: parseUint(r[0]), name: string(r[1])}
		n.mark, n.marked = readMark(string(r[2]))
		switch {
		case n.marked && n.mark.Of != target:
		case n.marked && n.mark.Kind == markKept:
			kept = append(kept, n)
		case n.marked && n.mark.Kind == markNext:
			next = append(next, n)
		case strings.HasPrefix(n.name, beside(target, "next", "")) && r[2] == nil:
			next = append(next, n)
		}
	}
	slices.SortStableFunc(kept, func(a, b neighbour) int { return b.mark.At.Compare(a.mark.At) })
	return next, kept, nil
}
