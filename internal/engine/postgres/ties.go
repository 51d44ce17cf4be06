package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// What ties tables together or acts when rows change: foreign keys, triggers,
// rules. An owner may silence triggers and rules; the triggers of foreign keys
// only a superuser may, so foreign keys stay in force unless one is in the way.
// Then it is dropped and added again inside the transaction, which proves it.

// A tie is a foreign key.
type tie struct {
	name                string
	child, parent       schema.Name // the tables it is declared on
	childKind           tableKind
	childRoot, toRoot   schema.Name // the same, or the partitioned tables they are partitions of
	columns, referenced []string    // quoted
	matches             []string    // p.a OPERATOR c.b
	acts                bool        // ON DELETE does something to the child's rows
	definition, comment string
	indexed             bool // the child's rows are found by an index
	dropped             bool
}

// on names the table for ALTER TABLE.
func (k *tie) on() string { return "ALTER TABLE " + quoteName(k.child) }

func (k *tie) String() string { return "the foreign key " + schema.Ident(k.name) }

// readTies lists the foreign keys of the database, one of a partitioned table as one.
func readTies(ctx context.Context, c *conn) ([]*tie, error) {
	rows, err := c.query(ctx, "list the foreign keys", `
		SELECT o.conname, n.nspname, t.relname, pn.nspname, pt.relname, rn.nspname, r.relname, prn.nspname, pr.relname,
			(SELECT pg_catalog.array_to_json(pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) ORDER BY k.i)) FROM unnest(o.conkey) WITH ORDINALITY k (num, i)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.num),
			(SELECT pg_catalog.array_to_json(pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) ORDER BY k.i)) FROM unnest(o.confkey) WITH ORDINALITY k (num, i)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.num),
			(SELECT pg_catalog.array_to_json(pg_catalog.array_agg('p.' || pg_catalog.quote_ident(a.attname) || ' OPERATOR(' || pg_catalog.quote_ident(opn.nspname) || '.' || op.oprname || ') c.' || pg_catalog.quote_ident(ca.attname) ORDER BY k.i))
				FROM unnest(o.confkey, o.conkey, o.conpfeqop) WITH ORDINALITY k (pnum, num, op, i)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.pnum
				JOIN pg_catalog.pg_attribute ca ON ca.attrelid = o.conrelid AND ca.attnum = k.num
				JOIN pg_catalog.pg_operator op ON op.oid = k.op JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace),
			o.confdeltype <> 'a', pg_catalog.pg_get_constraintdef(o.oid), coalesce(pg_catalog.obj_description(o.oid, 'pg_constraint'), ''),
			EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid = o.conrelid AND x.indisvalid AND x.indpred IS NULL
				AND (SELECT array_agg(v ORDER BY i) FROM unnest(x.indkey::int2[]) WITH ORDINALITY u (v, i) WHERE i <= cardinality(o.conkey)) @> o.conkey), t.relkind
		FROM pg_catalog.pg_constraint o
		JOIN pg_catalog.pg_class t ON t.oid = o.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
		JOIN pg_catalog.pg_class pt ON pt.oid = o.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = pt.relnamespace
		JOIN pg_catalog.pg_class r ON r.oid = CASE WHEN t.relispartition THEN pg_catalog.pg_partition_root(t.oid)::oid ELSE t.oid END JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
		JOIN pg_catalog.pg_class pr ON pr.oid = CASE WHEN pt.relispartition THEN pg_catalog.pg_partition_root(pt.oid)::oid ELSE pt.oid END JOIN pg_catalog.pg_namespace prn ON prn.oid = pr.relnamespace
		WHERE o.contype = 'f' AND o.conparentid = 0 AND NOT `+serverSchemas+` ORDER BY 2, 3, 1`)
	if err != nil {
		return nil, err
	}
	var out []*tie
	for _, r := range rows {
		at := func(i int) schema.Name { return schema.Name{Schema: string(r[i]), Table: string(r[i+1])} }
		out = append(out, &tie{name: string(r[0]), child: at(1), parent: at(3), childRoot: at(5), toRoot: at(7), columns: names(r[9]), referenced: names(r[10]), matches: names(r[11]),
			acts: isTrue(r[12]), definition: string(r[13]), comment: string(r[14]), indexed: isTrue(r[15]), childKind: tableKind{partitioned: letter(r[16]) == 'p'}})
	}
	return out, nil
}

// drop takes the key away until putBack. Readers of both tables wait from here on.
func (k *tie) drop(ctx context.Context, c *conn) error {
	k.dropped = true
	return c.exec(ctx, "set "+k.String()+" aside", k.on()+" DROP CONSTRAINT "+quote(k.name))
}

// putBack adds the key again, as it was, and has the server prove it for every row.
func (k *tie) putBack(ctx context.Context, c *conn) error {
	sql := k.on() + " ADD CONSTRAINT " + quote(k.name) + " " + k.definition
	if k.comment != "" {
		sql += "; COMMENT ON CONSTRAINT " + quote(k.name) + " ON " + quoteName(k.child) + " IS " + literal(k.comment)
	}
	return c.exec(ctx, "prove "+k.String(), sql)
}

// manyLooks is how many bytes the server may look through, about, to find the
// children of deleted rows one by one, before the key is rather set aside.
const manyLooks = 4 << 30

// inTheWay tells whether the key cannot stay in force while rows are exchanged:
// because what it refers to changes under a row that stays, which its ON UPDATE
// would pass on, or because each deleted row would cost a look through the whole child.
// changes keeps the answers, which several keys share.
func (k *tie) inTheWay(ctx context.Context, c *conn, tables map[schema.Name]*exchanged, changes map[string]bool) (bool, error) {
	parent := tables[k.toRoot]
	if parent == nil {
		return false, nil
	}
	if child := tables[k.childRoot]; !k.indexed && child != nil && parent.gone > 0 && child.bytes > manyLooks/parent.gone {
		return true, nil
	}
	if parent.changed == 0 {
		return false, nil
	}
	from, on := parent.from()+" t", "t.ctid = d.at AND t.tableoid = d.rel"
	met := parent.met > 0 && parent.met == parent.sent
	if met {
		from, on = quoteName(parent.metCopy())+" t", "t.at = d.at AND t.rel = d.rel"
	}
	var now, then []string
	for _, r := range k.referenced {
		column, err := dumpedObject(r)
		if err != nil || !slices.Contains(parent.columns, column.Table) {
			return true, nil // a generated column: it may change with those it is made of
		}
		stands := r
		if met {
			stands = parent.place(column.Table)
		}
		now, then = append(now, "t."+stands), append(then, "d."+parent.place(column.Table))
	}
	query := "SELECT EXISTS (SELECT FROM " + quoteName(parent.delta()) + " d JOIN " + from + " ON " + on + " WHERE " + string(shareChanged) +
		" AND ROW(" + strings.Join(now, ", ") + ")::record OPERATOR(pg_catalog.*<>) ROW(" + strings.Join(then, ", ") + ")::record)"
	if known, ok := changes[query]; ok {
		return known, nil
	}
	answer, err := c.value(ctx, "look at "+k.String(), query)
	changes[query] = answer == "t"
	return answer == "t", err
}

// guard makes sure that deleting what goes from the parent does nothing to rows
// that stay: ON DELETE CASCADE or SET NULL would change them without a word.
func (k *tie) guard(ctx context.Context, c *conn, tables map[schema.Name]*exchanged) error {
	parent, child := tables[k.toRoot], tables[k.childRoot]
	if k.dropped || !k.acts || parent == nil || parent.gone == 0 {
		return nil
	}
	stays := ""
	if child != nil && child.gone > 0 {
		stays = " AND NOT EXISTS (SELECT FROM " + quoteName(child.delta()) + " x WHERE x.at = c.ctid AND x.rel = c.tableoid AND NOT x.here)"
	}
	found, err := c.value(ctx, "look at "+k.String(), "SELECT EXISTS (SELECT FROM "+quoteName(parent.delta())+" d JOIN "+parent.from()+" p ON p.ctid = d.at AND p.tableoid = d.rel JOIN "+k.childKind.from(k.child)+" c ON "+
		strings.Join(k.matches, " AND ")+" WHERE "+string(shareGone)+stays+")")
	if err != nil || found != "t" {
		return err
	}
	return &engine.Error{Code: engine.Constraint, Doing: "exchange the rows of " + k.parent.String(), Table: k.child, Constraint: k.name, State: "23503",
		Say: "a row that stays refers to one that goes"}
}

// A silenced trigger or rule fires again when awake is run. To silence a rule keeps
// readers away.
type silenced struct {
	asleep, awake string
	rule          bool
}

// firing is how triggers and rules are enabled that fire in this session and not in any:
// a database or a role may have its sessions be replicas.
const firing = `CASE pg_catalog.current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END`

// findLoud lists the triggers and rules that would act while the tables' rows
// are exchanged, those of partitions too.
func findLoud(ctx context.Context, c *conn, tables []uint32) ([]silenced, error) {
	rows, err := c.query(ctx, "list the triggers", `
		SELECT n.nspname, c.relname, 'TRIGGER', g.tgname, g.tgenabled FROM pg_catalog.pg_trigger g
		JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE NOT g.tgisinternal AND g.tgenabled IN ('A', `+firing+`)
			AND (c.oid = ANY ($1::oid[]) OR c.relispartition AND pg_catalog.pg_partition_root(c.oid)::oid = ANY ($1::oid[]))
		UNION ALL
		SELECT n.nspname, c.relname, 'RULE', r.rulename, r.ev_enabled FROM pg_catalog.pg_rewrite r
		JOIN pg_catalog.pg_class c ON c.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = ANY ($1::oid[]) AND r.ev_type <> '1' AND r.ev_enabled IN ('A', `+firing+`)
		ORDER BY 1, 2, 3, 4`, oids(tables))
	if err != nil {
		return nil, err
	}
	only := ""
	if c.version >= 150000 { // before, a partition's copy of a trigger follows its original alone
		only = "ONLY "
	}
	var out []silenced
	for _, r := range rows {
		alter := "ALTER TABLE " + only + quoteName(schema.Name{Schema: string(r[0]), Table: string(r[1])})
		what := string(r[2]) + " " + quote(string(r[3]))
		enable := map[byte]string{'O': " ENABLE ", 'A': " ENABLE ALWAYS ", 'R': " ENABLE REPLICA "}[letter(r[4])]
		out = append(out, silenced{alter + " DISABLE " + what, alter + enable + what, string(r[2]) == "RULE"})
	}
	return out, nil
}

// oids writes an array of oids.
func oids(list []uint32) string {
	out := make([]string, len(list))
	for i, o := range list {
		out[i] = fmt.Sprint(o)
	}
	return "{" + strings.Join(out, ",") + "}"
}
