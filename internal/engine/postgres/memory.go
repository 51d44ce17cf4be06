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

// members gives tables, each with its partitions, as two arrays: the table's place in
// the list, and the number. ofMembers reads them as a table p (g, o).
func members(tables []*tableFacts) (places, numbers []byte) {
	places, numbers = []byte{'{'}, []byte{'{'}
	for i, f := range tables {
		places, numbers = appendElement(places, parameter(i)), appendElement(numbers, parameter(f.oid))
		for _, l := range f.leaves {
			places, numbers = appendElement(places, parameter(i)), appendElement(numbers, parameter(l.oid))
		}
	}
	return append(places, '}'), append(numbers, '}')
}

const ofMembers = `p AS MATERIALIZED (SELECT * FROM unnest($1::int[], $2::oid[]) x (g, o))`

// ofEach asks one question of several tables at once, which costs little more than of
// one. The answer's rows are the table's place in the list and what is asked.
func ofEach(ctx context.Context, c *conn, doing, sql string, tables []*tableFacts) ([]string, error) {
	out := make([]string, len(tables))
	if len(tables) == 0 {
		return out, nil
	}
	places, numbers := members(tables)
	rows, err := c.query(ctx, doing, sql, places, numbers)
	for _, r := range rows {
		out[number(r[0])] = string(r[1])
	}
	return out, err
}

// structuresOf gives, of each table, one word for all that says how its rows are
// read; with the constraints and indexes, in a target, also for what they were proved
// to hold. The version of a row of the catalog tells its changes. The word is empty for a
// table that is no more.
func structuresOf(ctx context.Context, c *conn, tables []*tableFacts, proved bool) ([]string, error) {
	own := `
		SELECT g, 'a' || attrelid || ' ' || attnum || ' ' || a.xmin AS w FROM pg_catalog.pg_attribute a JOIN p ON attrelid = o WHERE attnum > 0
		UNION ALL SELECT g, 'd' || oid || ' ' || d.xmin FROM pg_catalog.pg_attrdef d JOIN p ON adrelid = o
		UNION ALL SELECT g, 'r' || t.oid || ' ' || t.relkind::text || t.relrowsecurity::text || coalesce(m.amname::text, '') || ' ' || coalesce(pg_catalog.pg_relation_filenode(t.oid), 0)
			FROM pg_catalog.pg_class t JOIN p ON t.oid = o LEFT JOIN pg_catalog.pg_am m ON m.oid = t.relam`
	common := `
		SELECT 'c' || a.attrelid || ' ' || a.attnum || ' ' || a.xmin AS w FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class t ON t.oid = a.attrelid AND t.relkind = 'c'
			JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE a.attnum > 0 AND NOT ` + serverSchemas + `
		UNION ALL SELECT 't' || t.oid || ' ' || t.xmin FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype NOT IN ('b', 'c', 'p') AND NOT ` + serverSchemas + `
		UNION ALL SELECT 'e' || oid || ' ' || xmin FROM pg_catalog.pg_enum
		UNION ALL SELECT 'p' || p.oid || ' ' || p.xmin FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE NOT ` + serverSchemas
	if proved {
		own += `
		UNION ALL SELECT g, 'k' || oid || ' ' || k.xmin FROM pg_catalog.pg_constraint k JOIN p ON conrelid = o
		UNION ALL SELECT g, 'f' || oid || ' ' || k.xmin FROM pg_catalog.pg_constraint k JOIN p ON confrelid = o
		UNION ALL SELECT g, 'i' || indexrelid || ' ' || i.xmin FROM pg_catalog.pg_index i JOIN p ON indrelid = o`
		common += `
		UNION ALL SELECT 'k' || oid || ' ' || xmin FROM pg_catalog.pg_constraint WHERE contypid <> 0`
	}
	return ofEach(ctx, c, "look at the tables' structure", `WITH `+ofMembers+`
		SELECT g, pg_catalog.md5(pg_catalog.string_agg(w, ',' ORDER BY w COLLATE "C") || ' ' || (
			SELECT pg_catalog.md5(coalesce(pg_catalog.string_agg(w, ',' ORDER BY w COLLATE "C"), '')) FROM (`+common+`) x))
		FROM (`+own+`) x GROUP BY g`, tables)
}

// plainTables tells of each table whether it and its partitions keep rows as versions,
// each with the transaction that wrote it, show every role the same ones, and hold no
// values of which the text depends on something else, as a table's name does.
func plainTables(ctx context.Context, c *conn, tables []*tableFacts) ([]bool, error) {
	answers, err := ofEach(ctx, c, "look at the tables' storage", `
		WITH RECURSIVE `+ofMembers+`, held AS MATERIALIZED (
			SELECT DISTINCT g, atttypid AS t FROM pg_catalog.pg_attribute JOIN p ON attrelid = o WHERE attnum > 0 AND NOT attisdropped),
		used (root, t) AS (
			SELECT DISTINCT t, t FROM held
			UNION SELECT u.root, x.t FROM used u, LATERAL (
				SELECT typbasetype FROM pg_catalog.pg_type WHERE oid = u.t UNION SELECT typelem FROM pg_catalog.pg_type WHERE oid = u.t
				UNION SELECT a.atttypid FROM pg_catalog.pg_type y JOIN pg_catalog.pg_attribute a ON a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped WHERE y.oid = u.t) x (t)
			WHERE x.t <> 0),
		named AS MATERIALIZED (SELECT DISTINCT root FROM used JOIN pg_catalog.pg_type y ON y.oid = used.t WHERE y.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND y.typname ~ '^reg')
		SELECT p.g, NOT bool_or(t.relrowsecurity OR t.relkind NOT IN ('r', 'p') OR t.relkind = 'r' AND m.amname IS DISTINCT FROM 'heap')
			AND NOT EXISTS (SELECT FROM held JOIN named ON root = held.t WHERE held.g = p.g)
			FROM p JOIN pg_catalog.pg_class t ON t.oid = p.o LEFT JOIN pg_catalog.pg_am m ON m.oid = t.relam GROUP BY p.g`, tables)
	plain := make([]bool, len(answers))
	for i, a := range answers {
		plain[i] = a == "t"
	}
	return plain, err
}

// writesTo sums up, of each table, the rows ever inserted, changed and deleted in it, by
// the server's statistics; those of the transaction that asks count, those of others as
// soon as their sessions tell, which may be a minute later (PostgreSQL's manual, The
// Cumulative Statistics System). Who has the right may switch them off or set them back.
func writesTo(ctx context.Context, c *conn, tables []*tableFacts) ([]int64, error) {
	answers, err := ofEach(ctx, c, "look at the statistics", `WITH `+ofMembers+`
		SELECT g, sum(pg_catalog.pg_stat_get_tuples_inserted(o) + pg_catalog.pg_stat_get_tuples_updated(o) + pg_catalog.pg_stat_get_tuples_deleted(o)
			+ pg_catalog.pg_stat_get_xact_tuples_inserted(o) + pg_catalog.pg_stat_get_xact_tuples_updated(o) + pg_catalog.pg_stat_get_xact_tuples_deleted(o))::bigint FROM p GROUP BY g`, tables)
	writes := make([]int64, len(answers))
	for i, a := range answers {
		writes[i] = number([]byte(a))
	}
	return writes, err
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

// words gives the word of each table at the snapshot's moment, without its rows; of one
// that has none, and of all where transactions cannot be told apart, it is missing. The
// moment stays what it is, so that it is asked for once.
func (s *snapshot) words(ctx context.Context, c *conn) (map[schema.Name]memory, error) {
	s.recalling.Lock()
	defer s.recalling.Unlock()
	if s.recalled != nil {
		return s.recalled, nil
	}
	out := map[schema.Name]memory{}
	now, err := c.age(ctx)
	if err != nil {
		return nil, err
	}
	if now.life != "" {
		var names []schema.Name
		var tables []*tableFacts
		for name, f := range s.inv.tables {
			if !f.foreign {
				names, tables = append(names, name), append(tables, f)
			}
		}
		plain, err := plainTables(ctx, c, tables)
		if err != nil {
			return nil, err
		}
		structures, err := structuresOf(ctx, c, tables, false)
		if err != nil {
			return nil, err
		}
		for i, name := range names {
			if plain[i] && structures[i] != "" {
				out[name] = memory{life: now.life, from: now.from, structure: structures[i]}
			}
		}
	}
	s.recalled, s.aged = out, now
	return out, nil
}

// Remember gives the word of a table at the snapshot's moment.
func (s *snapshot) Remember(ctx context.Context, table *schema.Table) (word string, err error) {
	ctx, stop := s.bounded(ctx)
	defer stop()
	facts, err := s.facts(table, nil)
	if err != nil || facts.foreign {
		return "", err
	}
	err = s.withReader(ctx, func(c *conn) error {
		words, err := s.words(ctx, c)
		if m, ok := words[table.Name]; ok {
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
	ctx, stop := s.bounded(ctx)
	defer stop()
	facts, err := s.facts(table, nil)
	if err != nil || facts.foreign {
		return 0, false, err
	}
	err = s.withReader(ctx, func(c *conn) error {
		words, err := s.words(ctx, c)
		if err != nil {
			return err
		}
		if then, known := words[table.Name]; !known || !s.aged.holds(m) || then.structure != m.structure {
			return nil
		}
		ok = true
		n, err := c.value(ctx, "count "+table.Name.String(), countRows+rangeOf(facts, table))
		rows = number([]byte(n))
		return err
	})
	return rows, ok && err == nil, s.because(err, table.Name)
}
