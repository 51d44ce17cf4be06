package mysql

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"understudy/internal/engine"
)

const (
	// generationTable stands in the target and makes it claimed. It takes part in
	// the switch as the tables of rows do, so that it always tells what stands there.
	generationTable = "understudy_generation"
	// markTable stands in each database beside the target, and in the target
	// itself while side tables do.
	markTable = "understudy_mark"
	// nameLimit is the longest name a server keeps, in characters; bytes are counted.
	nameLimit = 64
)

// withoutOwn leaves understudy's own tables out of rows that begin with a database
// and a table. A table that is only named like a side table is somebody's.
func withoutOwn(rows [][]string) [][]string {
	marked := map[string]bool{}
	for _, r := range rows {
		marked[r[0]] = marked[r[0]] || r[1] == markTable
	}
	return slices.DeleteFunc(rows, func(r []string) bool {
		return r[1] == generationTable || r[1] == markTable || marked[r[0]] && sideName(r[1])
	})
}

// A journal is written into each database beside the target, so that whoever comes
// next, on whatever machine, knows what the database is. It is all the journal
// there is: a database without a mark is never dropped, unless it is empty and
// bears the name of one of ours.
type journal struct {
	Kind string    `json:"kind"` // next: being built; kept: an earlier generation; sides: the target itself, with side tables
	Of   string    `json:"of"`   // the target's name
	Run  string    `json:"run"`  // the generation's id
	Made time.Time `json:"made"`
	By   string    `json:"by,omitempty"` // kept: the run that displaced it
	At   time.Time `json:"at,omitzero"`
	// Pending, of a kept one: the switch that displaces it is under way, or its
	// clean-up. Incoming is then the database whose tables take the place, and
	// Takes the generation they are.
	Pending  bool   `json:"pending,omitempty"`
	Incoming string `json:"incoming,omitempty"`
	Takes    string `json:"takes,omitempty"`
	// Triggers, of a kept one: those its tables had as the target, which do not
	// move between databases.
	Triggers []object `json:"triggers,omitempty"`
	// After are what is made in the target once the tables are in place.
	After []object `json:"after,omitempty"`
}

const (
	markNext  = "next"
	markKept  = "kept"
	markSides = "sides"
)

// beside makes the name of a database beside the target: target_next_run or
// target_prev_run. A name that would be too long gets a digest in place of its middle.
func beside(target, kind, run string) string {
	tail := "_" + kind + "_" + strings.ToLower(run)
	if len(target)+len(tail) <= nameLimit {
		return target + tail
	}
	sum := sha256.Sum256([]byte(target + tail))
	tail = "_" + kind + "_" + hex.EncodeToString(sum[:5])
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

// write puts the mark into a database, in one transaction.
func (m journal) write(ctx context.Context, c *conn, database string) error {
	doing := "mark the database " + quote(database)
	text, err := json.Marshal(m)
	if err != nil {
		return &engine.Error{Code: engine.Failed, Doing: doing, Say: "the mark cannot be written"}
	}
	table := quote(database) + "." + quote(markTable)
	for _, sql := range []string{
		"CREATE TABLE IF NOT EXISTS " + table + " (id INT NOT NULL PRIMARY KEY, note LONGTEXT NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
		"REPLACE INTO " + table + " VALUES (1, " + literal(string(text)) + ")",
	} {
		if err := c.exec(ctx, doing, sql); err != nil {
			return err
		}
	}
	return nil
}

// A neighbour is a database beside the target that is understudy's.
type neighbour struct {
	name   string
	mark   journal
	marked bool // false: it only has the name of one that was being made
	tables int  // beside its mark
}

// neighbours lists understudy's databases beside a target: those being built or
// left over, and the kept generations, the one put away last first.
func neighbours(ctx context.Context, c *conn, target string) (next, kept []neighbour, err error) {
	rows, err := c.rows(ctx, "list the databases", `SELECT s.schema_name,
		(SELECT count(*) FROM information_schema.tables t WHERE t.table_schema = s.schema_name),
		(SELECT count(*) FROM information_schema.tables t WHERE t.table_schema = s.schema_name AND t.table_name = `+literal(markTable)+`)
		FROM information_schema.schemata s WHERE s.schema_name LIKE `+literal(pattern(clip(target, nameLimit-16))+`%`)+` ORDER BY s.schema_name`)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		n := neighbour{name: r[0], tables: int(number(r[1]))}
		if number(r[2]) > 0 {
			n.tables--
			if n.mark, n.marked, err = readMark(ctx, c, n.name); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case n.marked && n.mark.Of != target:
		case n.marked && n.mark.Kind == markKept:
			kept = append(kept, n)
		case n.marked && n.mark.Kind == markNext:
			next = append(next, n)
		case !n.marked && n.tables == 0 && (strings.HasPrefix(n.name, beside(target, "next", "")) || strings.HasPrefix(n.name, beside(target, "prev", ""))):
			next = append(next, n)
		}
	}
	slices.SortStableFunc(kept, func(a, b neighbour) int {
		return cmp.Or(b.mark.At.Compare(a.mark.At), b.mark.Made.Compare(a.mark.Made), cmp.Compare(a.name, b.name))
	})
	return next, kept, nil
}

// pattern writes a name so that LIKE finds it alone.
func pattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(name)
}

// readMark reads a database's mark; ok is false where there is none that is whole.
func readMark(ctx context.Context, c *conn, database string) (m journal, ok bool, err error) {
	text, err := c.value(ctx, "read the mark of "+quote(database), "SELECT note FROM "+quote(database)+"."+quote(markTable)+" WHERE id = 1")
	if err != nil {
		if engine.CodeOf(err) == engine.Syntax { // it went meanwhile, or is none of ours
			err = nil
		}
		return m, false, err
	}
	if text == "" {
		return m, false, nil
	}
	if json.Unmarshal([]byte(text), &m) != nil {
		return journal{}, false, nil
	}
	return m, m.Kind == markNext || m.Kind == markKept || m.Kind == markSides, nil
}

// readClaim reads the generation that stands in a database; nil if it is not claimed.
func readClaim(ctx context.Context, c *conn, database string) (*engine.Generation, []byte, error) {
	n, err := c.value(ctx, "look for the claim", "SELECT count(*) FROM information_schema.tables WHERE table_schema = "+literal(database)+" AND table_name = "+literal(generationTable))
	if err != nil || n == "0" {
		return nil, nil, err
	}
	rows, err := c.rows(ctx, "read the claim", "SELECT run, made, coalesce(manifest, '') FROM "+quote(database)+"."+quote(generationTable)+" LIMIT 1")
	if err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	made, _ := time.Parse(time.RFC3339Nano, rows[0][1]) // the zero time if somebody changed it
	var manifest []byte
	if rows[0][2] != "" {
		manifest = []byte(rows[0][2])
	}
	return &engine.Generation{ID: rows[0][0], Made: made, Present: true}, manifest, nil
}

// writeClaim puts the table that claims a target into a database. A nil manifest
// is that of a generation which understudy did not load.
func writeClaim(ctx context.Context, c *conn, database, run string, made time.Time, manifest []byte) error {
	if err := c.exec(ctx, "leave the manifest", "DROP TABLE IF EXISTS "+quote(database)+"."+quote(generationTable)); err != nil {
		return err
	}
	if err := makeClaimTable(ctx, c, database); err != nil {
		return err
	}
	return writeClaimRow(ctx, c, database, run, made, manifest)
}

// makeClaimTable makes the table that claims a target, where there is none. Empty
// it claims nothing.
func makeClaimTable(ctx context.Context, c *conn, database string) error {
	return c.exec(ctx, "leave the manifest", "CREATE TABLE IF NOT EXISTS "+quote(database)+"."+quote(generationTable)+
		" (run VARCHAR(200) NOT NULL PRIMARY KEY, made VARCHAR(40) NOT NULL, manifest LONGTEXT) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='that understudy may replace this database, and what it loaded into it'")
}

// writeClaimRow puts a generation into the table in place of the one there.
func writeClaimRow(ctx context.Context, c *conn, database, run string, made time.Time, manifest []byte) error {
	table, text := quote(database)+"."+quote(generationTable), "NULL"
	if manifest != nil {
		text = literal(string(manifest))
	}
	for _, sql := range []string{
		"DELETE FROM " + table,
		"INSERT INTO " + table + " VALUES (" + literal(run) + ", " + literal(made.UTC().Format(time.RFC3339Nano)) + ", " + text + ")",
	} {
		if err := c.exec(ctx, "leave the manifest", sql); err != nil {
			return err
		}
	}
	return nil
}
