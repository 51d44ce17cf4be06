-- What SQLite allows: storage classes, affinities, names, keys, objects.
PRAGMA user_version = -77;
PRAGMA application_id = 252006673;

CREATE TABLE classes (id INTEGER PRIMARY KEY, i INTEGER, t TEXT, b BLOB, r REAL, n NUMERIC, x, a ANY, f FLOAT, c CHARACTER(3), d DECIMAL(10, 2), z "odd type (7)", bo BOOLEAN, dt DATETIME, da DATE, ti TIME, u UUID, j JSON, iv INTERVAL, po POINT, big BIGINT UNSIGNED, fp "FLOATING POINT", iv2 INTEGERISH);
INSERT INTO classes (id) VALUES (-9223372036854775808), (9223372036854775807), (0);
WITH v(v) AS (VALUES (NULL), (0), (1), (-1), (9223372036854775807), (-9223372036854775808), (9007199254740993), (0.1), (-0.0), (1.0), (1e308), (5e-324), (9e999), (-9e999), (123456789012345678.0), (1.5e15), ('' ),
  ('abc'), ('12'), ('1.0'), ('0x1F'), ('1e5'), (' 7'), ('9223372036854775808'), ('12345678901234567890.123'), ('NaN'), ('Infinity'), (cast(x'610062' AS TEXT)), (cast(x'ff00fe80' AS TEXT)), ('日本 🦆'), (char(0)), (char(10, 13, 9, 27, 39, 34)),
  (x''), (x'00'), (x'ff00fe'), (x'616263'), (zeroblob(70000)), (replace(hex(zeroblob(40000)), '00', 'ab')))
INSERT INTO classes (x, a, b, z, c, j, po, u) SELECT v, v, v, v, v, v, v, v FROM v;
WITH v(v) AS (VALUES (0), (1), (9223372036854775807), (-9223372036854775808), (0.5), (9e999), (-9e999), (5e-324), (1.0), (-0.0), (123456789012345678.0))
INSERT INTO classes (i, n, r, f, d, big, fp, iv2, t) SELECT v, v, v, v, v, v, v, v, v FROM v;
INSERT INTO classes (bo, dt, da, ti, iv) VALUES (1, '2024-02-29 12:34:56.789', '2024-02-29', '12:34', 'P1D'), (0, 1709210096, 1709210096, 5, 7), ('t', 2460369.5, 2460369.5, 0.5, '1 day'), ('FALSE', 1709210096789, -1, '24:00', ''), (NULL, '', 'yesterday', '', NULL);

CREATE TABLE strict_all (i INT, n INTEGER, r REAL, t TEXT, b BLOB, a ANY, PRIMARY KEY (i, t)) STRICT;
INSERT INTO strict_all VALUES (1, 2, 3, 'x', x'', '0012'), (1, -9223372036854775808, 9e999, 'X', x'00', 12), (2, NULL, 5, '', NULL, 12.0), (3, NULL, NULL, 'x', NULL, x'3132'), (3, NULL, -0.0, cast(x'00ff' AS TEXT), NULL, NULL);
CREATE TABLE strict_flat (k ANY PRIMARY KEY, v ANY NOT NULL DEFAULT 'd') STRICT, WITHOUT ROWID;
INSERT INTO strict_flat VALUES (1, 1), ('1', '1'), (x'31', 1.5), (1.5, x''), ('', char(0));
CREATE TABLE flat (a TEXT COLLATE NOCASE, b INTEGER, c REAL, v, PRIMARY KEY (b DESC, a, c)) WITHOUT ROWID;
INSERT INTO flat VALUES ('A', 1, 1, 1), ('B', 1, 0.5, NULL), ('', -5, 9e999, x'00'), ('a', 2, 1, 'a');
CREATE TABLE quirk (id INTEGER PRIMARY KEY DESC, v TEXT);
INSERT INTO quirk VALUES (1, 'a'), (NULL, 'b'), (NULL, 'c'), (7, NULL);
CREATE TABLE nullable (k TEXT PRIMARY KEY, u INT UNIQUE, v);
INSERT INTO nullable VALUES (NULL, NULL, 1), (NULL, NULL, 1), ('k', 1, 2), ('K', 2, NULL), ('k ', 3, '');
CREATE TABLE no_key (a, b);
INSERT INTO no_key VALUES (1, 1), (1, 1), (1, 1.0), ('1', x'31'), (NULL, NULL), (NULL, NULL);
CREATE TABLE emptied (a TEXT, b INT);
CREATE TABLE lonely (a DEFAULT 5);
INSERT INTO lonely DEFAULT VALUES;

CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
INSERT INTO counted VALUES (5, 'a'), (900, 'gone'), (7, 'b');
DELETE FROM counted WHERE id = 900;
CREATE TABLE "counted out" (id INTEGER PRIMARY KEY AUTOINCREMENT);
INSERT INTO "counted out" VALUES (41);
DELETE FROM "counted out";
CREATE TABLE counted_last (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
INSERT INTO counted_last VALUES (9223372036854775807, 'last'), (-3, 'first');

CREATE TABLE computed (id INTEGER PRIMARY KEY, a TEXT NOT NULL, v AS (a || '!' || id), s TEXT GENERATED ALWAYS AS (upper(a)) STORED UNIQUE, n INT AS (length(v)) VIRTUAL, "g ""q" REAL AS (id / 2.0) STORED, CHECK (n > 0));
INSERT INTO computed (id, a) VALUES (1, 'x'), (2, 'y'), (-3, '');
CREATE INDEX computed_n ON computed (n, v);
CREATE UNIQUE INDEX computed_e ON computed (lower(v), id % 2) WHERE n > 1;

CREATE TABLE "Odd ""tab'le`[]" ("a""b" TEXT, "c'd" TEXT, "e]f" TEXT, "g`h" TEXT, "new
line" TEXT, "tab	x" TEXT, " lead" TEXT, "trail " TEXT, "," TEXT, ";--" TEXT, "/*" TEXT, "%s%d" TEXT, "${HOME}" TEXT, "日本🦆" TEXT, "." TEXT, "select" TEXT, "a.b" TEXT, "NULL" TEXT, "$.x" TEXT, "*" TEXT, "1" TEXT, "é" TEXT, "É" TEXT, "<script>" TEXT, PRIMARY KEY ("a""b", "c'd"));
INSERT INTO "Odd ""tab'le`[]" VALUES ('1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16','17','18','19','20','21','22','23','24');
CREATE TABLE "Odd ""child" ("p""1" TEXT, "p'2" TEXT, FOREIGN KEY ("p""1", "p'2") REFERENCES "Odd ""tab'le`[]" ("a""b", "c'd") DEFERRABLE INITIALLY DEFERRED);
INSERT INTO "Odd ""child" VALUES ('1', '2'), (NULL, '2'), ('no', NULL);
CREATE TABLE "É" ("é" TEXT UNIQUE, "É" INT);
INSERT INTO "É" VALUES ('small', 1);
CREATE TABLE "é" ("É" TEXT REFERENCES "É" ("é"), "é" INT);
INSERT INTO "é" VALUES ('small', 2), (NULL, 3);
CREATE TABLE "select" ("from" INTEGER PRIMARY KEY, "where" TEXT DEFAULT 'x,)''"', "group" TEXT DEFAULT (hex(randomblob(4))), "table" DEFAULT CURRENT_TIMESTAMP);
INSERT INTO "select" VALUES (1, 'w', 'g', 't');
CREATE TABLE [brackets ] ([a b] TEXT, `c d` TEXT, 'e f' TEXT);
INSERT INTO [brackets ] VALUES ('1', '2', '3');
CREATE TABLE "a.b" ("c.d" INTEGER PRIMARY KEY, e TEXT);
INSERT INTO "a.b" VALUES (1, 'dotted');
CREATE TABLE sqlitex (v TEXT); INSERT INTO sqlitex VALUES ('not the server''s');
CREATE TABLE understudy_notes (v TEXT); INSERT INTO understudy_notes VALUES ('the application''s own');
CREATE TABLE main (main TEXT); INSERT INTO main VALUES ('main');
CREATE TABLE rowids ("rowid" TEXT, "oid" INT, "_rowid_" BLOB); INSERT INTO rowids VALUES ('r', 1, x'01'), ('r', 1, x'01');
CREATE TABLE rowid_key ("rowid" TEXT, oid TEXT, _rowid_ INTEGER PRIMARY KEY); INSERT INTO rowid_key VALUES ('a', 'b', 7);

CREATE TABLE grown (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO grown VALUES (1, 'before');
ALTER TABLE grown ADD COLUMN b TEXT NOT NULL DEFAULT 'later'; ALTER TABLE grown ADD COLUMN c INT DEFAULT NULL REFERENCES grown (id); ALTER TABLE grown RENAME COLUMN a TO "new name"; ALTER TABLE grown ADD COLUMN d AS (b || c);
INSERT INTO grown ("new name", c) VALUES ('after', 1); ALTER TABLE grown RENAME TO "grown up";
CREATE TABLE made_as AS SELECT id, t, x FROM classes WHERE id BETWEEN 0 AND 5;

CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT NOT NULL COLLATE NOCASE UNIQUE ON CONFLICT IGNORE, boss INTEGER REFERENCES people ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, best INTEGER REFERENCES pets (id));
CREATE TABLE pets (id INTEGER PRIMARY KEY ON CONFLICT REPLACE, owner INTEGER NOT NULL REFERENCES people (id) ON UPDATE CASCADE MATCH FULL, mail TEXT REFERENCES people (mail), name TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'nobody', UNIQUE (owner, name COLLATE RTRIM) ON CONFLICT ROLLBACK, CONSTRAINT "ch,eck" CHECK (name <> 'x)' /* ) */ AND length(name) < 100));
INSERT INTO people VALUES (1, 'A@x.test', 2, 1), (2, 'b@x.test', 1, 2), (3, 'c@x.test', 3, NULL);
INSERT INTO pets VALUES (1, 1, 'a@X.test', 'rex'), (2, 2, 'B@x.test', 'tom '), (3, 2, NULL, 'ann');
CREATE TABLE pairs (a, b TEXT, c TEXT, PRIMARY KEY (a, b), UNIQUE (c, a)); INSERT INTO pairs VALUES (1, 'x', 'y'), ('1', 'x', 'y'), (x'31', '', NULL);
CREATE TABLE pair_kids (id INTEGER PRIMARY KEY, pa, pb TEXT, qc TEXT, FOREIGN KEY (pa, pb) REFERENCES pairs, FOREIGN KEY (qc, pa) REFERENCES pairs (c, a));
INSERT INTO pair_kids VALUES (1, 1, 'x', 'y'), (2, '1', 'x', NULL), (3, x'31', '', 'y'), (4, NULL, 'lost', 'y'), (5, 9, NULL, NULL);
DELETE FROM pair_kids WHERE id = 3;
CREATE TABLE log (at INTEGER PRIMARY KEY, what TEXT);

CREATE UNIQUE INDEX "people ""some" ON people (lower(mail)) WHERE boss IS NOT NULL;
CREATE INDEX pets_desc ON pets (name COLLATE NOCASE DESC, owner ASC);
CREATE UNIQUE INDEX no_key_part ON no_key (a) WHERE a = 'never';
CREATE INDEX classes_expr ON classes (typeof(x), coalesce(length(b), -1), json_valid(j));
CREATE VIEW "v ""iew" AS SELECT p.id, p.mail AS "m'ail", (SELECT count(*) FROM pets WHERE owner = p.id) AS n FROM people p;
CREATE VIEW upon (a, b) AS SELECT "m'ail", n FROM "v ""iew" WHERE n > 0;
CREATE VIEW before_its_table AS SELECT id FROM late;
CREATE TABLE late (id INTEGER PRIMARY KEY); INSERT INTO late VALUES (3);
CREATE TRIGGER "tr ""in" INSTEAD OF INSERT ON upon BEGIN INSERT INTO log (what) VALUES (new.a || ';'); INSERT INTO people (mail) VALUES (new.a); END;
CREATE TRIGGER people_log AFTER INSERT ON people WHEN new.id > 0 BEGIN INSERT INTO log (what) VALUES ('fired'); UPDATE pets SET name = 'spoilt' WHERE owner = new.id; END;
CREATE TRIGGER pets_stop BEFORE INSERT ON pets BEGIN SELECT raise(ABORT, 'never'); END;
CREATE TRIGGER pets_gone BEFORE DELETE ON pets BEGIN SELECT raise(IGNORE); END;
CREATE TRIGGER classes_all AFTER UPDATE OF t, x ON classes FOR EACH ROW BEGIN DELETE FROM log; END;

CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
INSERT INTO posts VALUES (2, 'One', 'a body of text'), (40, 'Two', 'another body'), (1000000, NULL, '日本');
CREATE VIRTUAL TABLE own_text USING fts5(title, body UNINDEXED, tokenize = 'porter unicode61', prefix = '2 3');
INSERT INTO own_text (rowid, title, body) VALUES (3, 'running words', 'x'), (70, 'more words', x'00ff'), (-8, 12, NULL);
INSERT INTO own_text (own_text, rank) VALUES ('rank', 'bm25(10.0, 5.0)'), ('automerge', 8);
CREATE VIRTUAL TABLE "post ""text" USING fts5(title, body, content='posts', content_rowid='id');
INSERT INTO "post ""text"("post ""text") VALUES ('rebuild');
CREATE VIRTUAL TABLE vocabulary USING fts5vocab('own_text', 'row');
CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1, +label TEXT, +extra);
INSERT INTO boxes VALUES (1, 0.1, 0.2, -1e30, 1e30, 'box', x'00'), (-5, 1, 2, 3, 4, NULL, 7), (9223372036854775807, 0, 0, 0, 0, '', 1.5);
CREATE VIRTUAL TABLE grid USING rtree_i32(id, x0, x1);
INSERT INTO grid VALUES (1, -2147483648, 2147483647), (2, 0, 0);
CREATE VIRTUAL TABLE shapes USING geopoly(name);
INSERT INTO shapes (_shape, name) VALUES ('[[0,0],[1,0],[0.5,1],[0,0]]', 'tri'), ('[[0,0],[2,0],[2,2],[0,2],[0,0]]', 'square');
