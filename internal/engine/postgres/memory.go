package postgres

import (
	"context"
	"math"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A memory says which rows stand in a table at a moment, by transactions: every
// row stands there that one before from wrote and that is visible, rows in all,
// and whoever writes later is one from from on. It travels as a word, and holds
// as long as transactions are numbered by the same run of the same server.
type memory struct {
	life      string // of the server and its database, see lifeOf
	structure string // of the table, see structureOf
	from      uint64
	rows      int64
	writes    int64 // to the table until then, by the server's statistics (see writesTo); of a target only
}

// The first field of a word is its version.
func (m memory) String() string {
	return strings.Join([]string{"2", m.life, m.structure, strconv.FormatUint(m.from, 10), strconv.FormatInt(m.rows, 10), strconv.FormatInt(m.writes, 10)}, " ")
}

func readMemory(word string) (m memory, ok bool) {
	f := strings.Split(word, " ")
	if len(f) != 6 || f[0] != "2" || f[1] == "" || f[2] == "" {
		return m, false
	}
	from, err := strconv.ParseUint(f[3], 10, 64)
	rows, bad := strconv.ParseInt(f[4], 10, 64)
	writes, ill := strconv.ParseInt(f[5], 10, 64)
	return memory{f[1], f[2], from, rows, writes}, err == nil && bad == nil && ill == nil
}

// An age is what a session knows of its server's transactions: the run of the
// server, and the moment's place among transaction numbers.
type age struct {
	life     string
	from, to uint64 // see looker
}

// lifeOf tells one run of a server from every other. A server that was restored,
// promoted or rewound was started again; one that lost commits in a crash has new
// processes of its own, those without a user or a database. Empty on a standby:
// its server may be exchanged behind it.
const lifeOf = `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN '' ELSE pg_catalog.md5(pg_catalog.pg_postmaster_start_time()::text || ' ' ||
	(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) || ' ' ||
	coalesce((SELECT pg_catalog.string_agg(pid::text, ' ' ORDER BY pid) FROM pg_catalog.pg_stat_activity WHERE datid IS NULL AND usesysid IS NULL), '-')) END,
	pg_catalog.txid_snapshot_xmin(s), pg_catalog.txid_snapshot_xmax(s) FROM pg_catalog.txid_current_snapshot() s`

// ageLooks is how often age looks at most, for two looks alike: a session that is
// just coming in has, from version 18 on, no user and no database for a moment.
const ageLooks = 5

func (c *conn) age(ctx context.Context) (now age, err error) {
	for range ageLooks {
		rows, err := c.query(ctx, "look at the server's age", lifeOf)
		if err != nil {
			return age{}, err
		}
		last := now.life
		if now = (age{string(rows[0][0]), uint64(number(rows[0][1])), uint64(number(rows[0][2]))}); now.life == last {
			break
		}
	}
	return now, nil
}

// holds tells whether transactions after the memory's moment can be told from
// those before it: numbers repeat after 2^32 of them.
func (a age) holds(m memory) bool {
	return a.life != "" && a.life == m.life && m.from <= a.to && a.to-m.from < math.MaxInt32
}

// structureOf gives one word for all that says how the rows in the tables of $1 are
// read; with the constraints and indexes, in a target, also for what they were proved
// to hold. The version of a row of the catalog tells its changes.
func structureOf(ctx context.Context, c *conn, oids []byte, proved bool) (string, error) {
	sql := `
		SELECT 'a' || a.attrelid || ' ' || a.attnum || ' ' || a.xmin AS w FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class t ON t.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
			WHERE a.attnum > 0 AND (a.attrelid = ANY ($1::oid[]) OR t.relkind = 'c' AND NOT ` + serverSchemas + `)
		UNION ALL SELECT 'd' || oid || ' ' || xmin FROM pg_catalog.pg_attrdef WHERE adrelid = ANY ($1::oid[])
		UNION ALL SELECT 'r' || t.oid || ' ' || t.relkind::text || t.relrowsecurity::text || coalesce(m.amname::text, '') || ' ' || coalesce(pg_catalog.pg_relation_filenode(t.oid), 0)
			FROM pg_catalog.pg_class t LEFT JOIN pg_catalog.pg_am m ON m.oid = t.relam WHERE t.oid = ANY ($1::oid[])
		UNION ALL SELECT 't' || t.oid || ' ' || t.xmin FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype NOT IN ('b', 'c', 'p') AND NOT ` + serverSchemas + `
		UNION ALL SELECT 'e' || oid || ' ' || xmin FROM pg_catalog.pg_enum
		UNION ALL SELECT 'p' || p.oid || ' ' || p.xmin FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE NOT ` + serverSchemas
	if proved {
		sql += `
		UNION ALL SELECT 'k' || oid || ' ' || xmin FROM pg_catalog.pg_constraint WHERE conrelid = ANY ($1::oid[]) OR confrelid = ANY ($1::oid[]) OR contypid <> 0
		UNION ALL SELECT 'i' || indexrelid || ' ' || xmin FROM pg_catalog.pg_index WHERE indrelid = ANY ($1::oid[])`
	}
	return c.value(ctx, "look at a table's structure", `SELECT pg_catalog.md5(coalesce(pg_catalog.string_agg(w, ',' ORDER BY w COLLATE "C"), '')) FROM (`+sql+`) x`, oids)
}

// plainTables tells whether the tables of $1 keep rows as versions, each with the
// transaction that wrote it, show every role the same ones, and hold no values of
// which the text depends on something else, as a table's name does.
func plainTables(ctx context.Context, c *conn, oids []byte) (bool, error) {
	answer, err := c.value(ctx, "look at a table's storage", `
		WITH RECURSIVE used (t) AS (
			SELECT atttypid FROM pg_catalog.pg_attribute WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped
			UNION SELECT x.t FROM used u, LATERAL (
				SELECT typbasetype FROM pg_catalog.pg_type WHERE oid = u.t UNION SELECT typelem FROM pg_catalog.pg_type WHERE oid = u.t
				UNION SELECT a.atttypid FROM pg_catalog.pg_type y JOIN pg_catalog.pg_attribute a ON a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped WHERE y.oid = u.t) x (t)
			WHERE x.t <> 0)
		SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_class t LEFT JOIN pg_catalog.pg_am m ON m.oid = t.relam
				WHERE t.oid = ANY ($1::oid[]) AND (t.relrowsecurity OR t.relkind NOT IN ('r', 'p') OR t.relkind = 'r' AND m.amname IS DISTINCT FROM 'heap'))
			AND NOT EXISTS (SELECT FROM used JOIN pg_catalog.pg_type y ON y.oid = used.t WHERE y.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND y.typname ~ '^reg')`, oids)
	return answer == "t", err
}

// whole lists the numbers of a table and of its partitions, as an array.
func (f *tableFacts) whole() []byte {
	out := append([]byte{'{'}, parameter(f.oid)...)
	for _, l := range f.leaves {
		out = appendElement(out, parameter(l.oid))
	}
	return append(out, '}')
}

// writesTo sums up the rows ever inserted, changed and deleted in the tables of $1, by
// the server's statistics; those of the transaction that asks count, those of others as
// soon as their sessions tell, which may be a minute later (PostgreSQL's manual, The
// Cumulative Statistics System). Who has the right may switch them off or set them back.
func writesTo(ctx context.Context, c *conn, oids []byte) (int64, error) {
	n, err := c.value(ctx, "look at the statistics", `SELECT coalesce(sum(pg_catalog.pg_stat_get_tuples_inserted(o) + pg_catalog.pg_stat_get_tuples_updated(o) + pg_catalog.pg_stat_get_tuples_deleted(o)
		+ pg_catalog.pg_stat_get_xact_tuples_inserted(o) + pg_catalog.pg_stat_get_xact_tuples_updated(o) + pg_catalog.pg_stat_get_xact_tuples_deleted(o)), 0) FROM unnest($1::oid[]) o`, oids)
	return number([]byte(n)), err
}

// counted tells whether the server keeps statistics of everybody's writes.
func counted(ctx context.Context, c *conn) (bool, error) {
	on, err := c.value(ctx, "look at the statistics", `SELECT pg_catalog.current_setting('track_counts') = 'on'
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting, unnest(setconfig) s WHERE s LIKE 'track\_counts=%')`)
	return on == "t", err
}

// after is the condition for versions of rows by transactions from from on. The
// server compares numbers of 32 bits, so that very old ones may be taken in as well. The
// subquery has it reckon the age of from once, not for each row.
func after(from uint64) string {
	return afterAge("pg_catalog.age(xmin)", from)
}

// afterAge is the condition for a row's age.
func afterAge(age string, from uint64) string {
	return age + " <= (SELECT pg_catalog.age('" + strconv.FormatUint(uint64(uint32(from)), 10) + "'::pg_catalog.xid))"
}

var _ engine.Remembering = (*snapshot)(nil)

// Remember gives the word of a table at the snapshot's moment.
func (s *snapshot) Remember(ctx context.Context, table *schema.Table) (word string, err error) {
	ctx, stop := s.bounded(ctx)
	defer stop()
	facts, err := s.facts(table, nil)
	if err != nil || facts.foreign {
		return "", err
	}
	err = s.withReader(ctx, func(c *conn) error {
		plain, err := plainTables(ctx, c, facts.whole())
		if err != nil || !plain {
			return err
		}
		now, err := c.age(ctx)
		if err != nil || now.life == "" {
			return err
		}
		m := memory{life: now.life, from: now.from}
		if m.structure, err = structureOf(ctx, c, facts.whole(), false); err == nil {
			word = m.String()
		}
		return err
	})
	return word, s.because(err, table.Name)
}

// Since compares the word with what there is now.
func (s *snapshot) Since(ctx context.Context, table *schema.Table, word string) (rows int64, ok bool, err error) {
	m, readable := readMemory(word)
	if !readable {
		return 0, false, nil
	}
	now, err := s.Remember(ctx, table)
	if err != nil || now == "" {
		return 0, false, err
	}
	ctx, stop := s.bounded(ctx)
	defer stop()
	facts, err := s.facts(table, nil)
	if err != nil {
		return 0, false, err
	}
	err = s.withReader(ctx, func(c *conn) error {
		at, err := c.age(ctx)
		if err != nil {
			return err
		}
		if then, _ := readMemory(now); !at.holds(m) || then.structure != m.structure {
			return nil
		}
		ok = true
		n, err := c.value(ctx, "count "+table.Name.String(), countRows+rangeOf(facts, table))
		rows = number([]byte(n))
		return err
	})
	return rows, ok && err == nil, s.because(err, table.Name)
}
