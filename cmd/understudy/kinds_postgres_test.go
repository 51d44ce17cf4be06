package main

import (
	"os"
	"strings"
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// Tables of every kind, and what is none, under one refresh: own rows are copied
// once and masked, rows of other servers and large objects stay away, aloud.
func TestKindsOfTables(t *testing.T) {
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{})
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, prod, `CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'CANARY7731');
		CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres', password 'CANARY7731');
		CREATE FOREIGN TABLE elsewhere (id int, name text) SERVER far OPTIONS (table_name 'people');
		CREATE TABLE near (id int PRIMARY KEY, name text); INSERT INTO near VALUES (1, 'private near');
		CREATE TABLE parted (id int, name text) PARTITION BY LIST (id);
		CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1); INSERT INTO parted VALUES (1, 'private one');
		CREATE FOREIGN TABLE parted_2 PARTITION OF parted FOR VALUES IN (2) SERVER far OPTIONS (table_name 'people');
		CREATE TABLE base (id int PRIMARY KEY, name text); CREATE TABLE heir (extra int, PRIMARY KEY (id)) INHERITS (base); CREATE TABLE grandchild () INHERITS (heir);
		INSERT INTO base VALUES (1, 'private base'); INSERT INTO heir VALUES (2, 'private heir', 5), (1, 'private twin', 6); INSERT INTO grandchild VALUES (3, 'private grandchild', 7);
		CREATE FOREIGN TABLE heir_far (extra int) INHERITS (base) SERVER far OPTIONS (table_name 'people');
		CREATE TABLE uses (id int PRIMARY KEY, base_id int REFERENCES base, heir_id int REFERENCES heir); INSERT INTO uses VALUES (1, 1, 2), (2, 1, NULL);
		CREATE UNLOGGED TABLE fast (id int PRIMARY KEY, name text); INSERT INTO fast VALUES (1, 'private fast');
		CREATE TEMPORARY TABLE passing (id int, name text);
		CREATE VIEW look AS SELECT * FROM near; CREATE MATERIALIZED VIEW mat AS SELECT name FROM near UNION ALL SELECT name FROM ONLY base;
		SELECT lo_from_bytea(0, 'CANARY7731');`)
	rules := `version: 1
tables:
  near: {columns: {id: {keep: "a number"}, name: full_name}}
  base: {columns: {id: {keep: "a number"}, name: full_name}}
  heir: {columns: {extra: {keep: "a number"}}}
  uses: {columns: {id: {keep: "a number"}}}
  fast: {columns: {id: {keep: "a number"}, name: full_name}}
  parted: {columns: {id: {keep: "a number"}, name: full_name}}
`
	e := newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"r.yaml": rules})
	s := e.run(t, 4, "refresh")
	s.wants(t, "source: rows of a partition lie in another server", "public.parted", "detach the foreign partition", "subset.tables: public.parted: none")
	if strings.Contains(s.all(), "snapshot ") {
		t.Errorf("it was not refused in the plan:\n%s", s.all())
	}
	e.write(t, "understudy.yaml", plainJob(keepNone, "subset: {unreached: all, tables: {parted: none}}"))
	e.run(t, 0, "plan")
	scratchtest.SQL(t, prod, "ALTER TABLE parted DETACH PARTITION parted_2")
	e.write(t, "understudy.yaml", plainJob(keepNone))
	s = e.run(t, 0, "refresh")
	s.wants(t, "public.elsewhere, public.heir_far, public.parted_2: a foreign table holds no", "large objects (1) are not copied")
	wantQuery(t, "rows of their own", staging, `SELECT (SELECT count(*) FROM ONLY base), (SELECT count(*) FROM ONLY heir), (SELECT count(*) FROM grandchild), (SELECT count(*) FROM base), (SELECT count(*) FROM parted), (SELECT count(*) FROM mat), (SELECT count(*) FROM look)`, "1|2|1|4|1|2|1")
	wantQuery(t, "kinds", staging, `SELECT string_agg(relname || relkind::text || relpersistence::text, ' ' ORDER BY relname) FROM pg_class WHERE relname IN ('fast', 'look', 'mat', 'elsewhere', 'heir_far', 'passing')`, "fastru lookvp matmp")
	dump := sortedDump(t, staging)
	for _, private := range []string{"private", "CANARY7731"} {
		if strings.Contains(dump, private) {
			t.Errorf("%s is in staging:\n%s", private, dump)
		}
	}
	wantQuery(t, "large objects", staging, "SELECT count(*) FROM pg_largeobject_metadata", "0")

	// A subset reaches the rows that a key names: those of that very table.
	e.write(t, "understudy.yaml", plainJob(keepNone, `subset: {seeds: [{table: uses, where: "id = 1"}], unreached: empty}`))
	e.run(t, 0, "refresh")
	wantQuery(t, "the subset", staging, `SELECT (SELECT string_agg(id::text, ',') FROM ONLY base), (SELECT string_agg(id::text, ',') FROM ONLY heir), (SELECT count(*) FROM grandchild)`, "1|2|0")
}

// What a standby does not have, and what policies of a table or of its partitions
// hide, is refused in the plan, by name; a table's owner reads all of it.
func TestRowsThatAreWithheld(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	_, _, prod, replica := replicated(t, nil, people+peopleRows+`
		CREATE UNLOGGED TABLE fast (id int PRIMARY KEY, name text); INSERT INTO fast VALUES (1, 'private fast');
		CREATE TABLE parted (id int PRIMARY KEY, name text) PARTITION BY LIST (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
		CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2); INSERT INTO parted VALUES (1, 'private one'), (2, 'private two');
		ALTER TABLE parted_2 ENABLE ROW LEVEL SECURITY; CREATE POLICY nothing ON parted_2 USING (false);`)
	staging := scratchtest.Database(t)
	more := "  fast: {columns: {id: {keep: \"a number\"}, name: full_name}}\n  parted: {columns: {id: {keep: \"a number\"}, name: full_name}}\n"
	e := newErrand(t, replica, staging, plainJob(keepNone), map[string]string{"people.yaml": peopleRules + more})
	e.run(t, 4, "refresh").wants(t, "source: the table is unlogged, and a standby has no rows of it", "public.fast", "read from the primary")
	e.write(t, "understudy.yaml", plainJob(keepNone, "subset: {unreached: all, tables: {fast: none}}"))
	e.run(t, 0, "refresh")
	wantQuery(t, "the unlogged table", staging, "SELECT count(*) FROM fast", "0")

	// Policies of a partition do not hold for who reads its table, by the whole or by rows.
	reader := scratchtest.Role(t, prod)
	e.env["PROD_URL"] = reader
	for _, job := range []string{plainJob(keepNone), plainJob(keepNone, `subset: {seeds: [{table: parted, where: "id > 0"}, {table: people, limit: 3}], unreached: empty}`)} {
		e.write(t, "understudy.yaml", job)
		e.run(t, 0, "refresh")
		wantQuery(t, "the partitioned table", staging, "SELECT count(*) FROM parted", "2")
	}
	scratchtest.SQL(t, prod, "ALTER TABLE parted ENABLE ROW LEVEL SECURITY; CREATE POLICY something ON parted USING (id = 1)")
	e.refuses(t, staging, 4).wants(t, "row-level security would hide rows", "public.parted", "BYPASSRLS")
	e.env["PROD_URL"] = prod
	e.run(t, 0, "refresh")
}

// Whatever takes a table's name between the plan and the moment is not read in
// its place: a view, another server's table, a table of another shape.
func TestWhatIsSwappedInIsNotRead(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{})
	for name, swap := range map[string]string{
		"view":              "CREATE VIEW visits AS SELECT id, id AS person_id, 'CANARY7731'::varchar(40) AS note, 1::bigint AS score, 1::bigint AS friend_id FROM people",
		"materialized view": "CREATE MATERIALIZED VIEW visits AS SELECT id, id AS person_id, 'CANARY7731'::varchar(40) AS note, 1::bigint AS score, 1::bigint AS friend_id FROM people",
		"foreign table":     "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE visits (id bigint NOT NULL, person_id bigint NOT NULL, note varchar(40) NOT NULL, score bigint, friend_id bigint) SERVER files OPTIONS (filename '/etc/passwd', delimiter E'\\x01')",
		"table":             "CREATE TABLE visits (id bigint PRIMARY KEY, person_id bigint NOT NULL, note text, score bigint, friend_id bigint); INSERT INTO visits VALUES (1, 1, 'CANARY7731', 1, 1)",
	} {
		t.Run(name, func(t *testing.T) {
			prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
			scratchtest.SQL(t, prod, people+peopleRows)
			scratchtest.SQL(t, staging, people)
			e := newErrand(t, prod, staging, plainJob(keepNone, "limits: {retries: 0}"), map[string]string{"people.yaml": peopleRules})
			e.run(t, 0, "refresh")
			before := scratchtest.Digest(t, staging)
			code, told := e.atStage(t, "snapshot", func() { scratchtest.SQL(t, prod, "ALTER TABLE visits RENAME TO visits_before; "+swap) }, "refresh")
			if code != 6 || !strings.Contains(told, "public.visits") {
				t.Errorf("exit %d\n%s", code, told)
			}
			// The next run plans with what stands there now, and reads it no more than before.
			if code, s := e.start(t, nil, "refresh"); code == 0 {
				t.Errorf("exit 0\n%s", s.all())
			}
			same(t, "staging", before, scratchtest.Digest(t, staging))
		})
	}
	log, err := os.ReadFile(server.LogFile())
	if err != nil || strings.Contains(string(log), "PANIC") {
		t.Errorf("the server: %v", err)
	}
}

// A declared reference may lead from a text to a type that compares texts without
// regard to case: what is equal is the referenced column's to say.
func TestReferencesToTextsThatFold(t *testing.T) {
	t.Parallel()
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	for _, address := range []string{source, target} {
		scratchtest.SQL(t, address, "CREATE EXTENSION citext; CREATE TABLE people (id int PRIMARY KEY, email citext UNIQUE); CREATE TABLE orders (id int PRIMARY KEY, email text)")
	}
	scratchtest.SQL(t, source, "INSERT INTO people VALUES (1, 'A@private.test'), (2, 'b@private.test'); INSERT INTO orders VALUES (1, 'a@private.test'), (2, 'b@private.test'), (3, NULL)")
	rules := map[string]string{"r.yaml": "version: 1\ntables:\n  people: {columns: {id: {keep: \"a number\"}, email: email}}\n  orders: {columns: {id: {keep: \"a number\"}}}\n"}
	e := newErrand(t, source, target, plainJob("references: [{from: orders.email, to: people.email}]"), rules)
	e.run(t, 0, "refresh", "--claim")
	if got := scratchtest.Query(t, target, "SELECT count(*), count(DISTINCT o.email) FROM orders o JOIN people p ON p.email = o.email::citext AND p.email::text NOT LIKE '%private%'"); got != "2\t2" {
		t.Errorf("orders with their people: %s", got)
	}
	scratchtest.SQL(t, source, "INSERT INTO orders VALUES (4, 'nobody@private.test')")
	e.run(t, 5, "plan").wants(t, "orders", "email")
}
