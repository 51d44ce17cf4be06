package postgres

import (
	"strings"
	"testing"
)

func TestWhatIsTriedStaysInTheCopy(t *testing.T) {
	for _, text := range []string{
		"CREATE ROLE app", "create user app", "DROP ROLE IF EXISTS app", `ALTER ROLE "app" SET work_mem = '1MB'`, "CREATE DATABASE x", "ALTER DATABASE x SET a = b", "CREATE TABLESPACE x LOCATION '/x'",
		"ALTER SYSTEM SET work_mem = '1MB'", "DROP OWNED BY app", "REASSIGN OWNED BY a TO b", "COMMENT ON DATABASE x IS 'y'", "COMMENT ON ROLE x IS 'y'", "GRANT CONNECT ON DATABASE x TO y", "REVOKE ALL ON TABLESPACE x FROM y",
		"GRANT a TO b", `GRANT "a" TO "b"`, `REVOKE ADMIN OPTION FOR a FROM b`, "GRANT SET ON PARAMETER work_mem TO a", "COPY t FROM '/etc/passwd'", "COPY t TO PROGRAM 'sh'", "COPY (SELECT 1) TO '/tmp/x'", "LOAD 'x'",
		"CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "SELECT dblink_exec('x', 'y')", "SELECT pg_catalog.pg_terminate_backend(1)", "SELECT pg_reload_conf()", "SELECT lo_export(1, '/x')", "SELECT pg_create_logical_replication_slot('a', 'b')",
		"CREATE TABLE t (a int);\n/* ; */ create\n role x", "DO $$ BEGIN CREATE ROLE app; EXCEPTION WHEN duplicate_object THEN NULL; END $$", "DO $$ BEGIN EXECUTE 'CREATE ' || 'x'; EXECUTE 'ALTER DATABASE ' || current_database() || ' SET a = 1'; END $$",
		"SELECT 'not closed", "\\connect other",
	} {
		if beyond(text) == nil {
			t.Errorf("let through: %s", text)
		}
	}
	for _, text := range []string{
		"CREATE TABLE role (database text, \"user\" int)", "COMMENT ON COLUMN t.a IS 'the database''s role'", "GRANT SELECT, INSERT (a) ON t TO app WITH GRANT OPTION", `REVOKE GRANT OPTION FOR SELECT ON "t" FROM "a"`,
		"ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT ON TABLES TO other", "CREATE USER MAPPING FOR app SERVER s", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE ROLE later; END $$",
		"CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()", "DO $$ BEGIN ALTER TABLE t ADD COLUMN b int; END $$", "ALTER TABLE t OWNER TO app", "SET ROLE app", "-- CREATE ROLE app\nSELECT 1", "ALTER TABLE t DROP COLUMN owned",
		"CREATE POLICY p ON t TO app USING (a = 'GRANT a TO b')", "INSERT INTO t VALUES ('CREATE DATABASE x')", "COPY t FROM STDIN",
	} {
		if err := beyond(text); err != nil {
			t.Errorf("refused: %s: %v", text, err)
		}
	}
	if err := beyond("SELECT 1;\n\nALTER SYSTEM SET a = 'secret'"); err == nil || !strings.Contains(err.Error(), "line 3") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}
