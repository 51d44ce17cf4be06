CREATE SCHEMA "Sales.Dept"; CREATE SCHEMA "q""uote"; CREATE SCHEMA "select"; CREATE SCHEMA "new
line"; CREATE SCHEMA "😀";
CREATE TABLE "Sales.Dept"."Table.With.Dots" ("Id" int PRIMARY KEY, "a.b" text, "select" text, "x""y" text, "new
line" text, "😀col" text, " lead" text, "tab	col" text, "per%cent" text, "$dollar$" text, "back\slash" text, "sq'uote" text, "a,b" text, "{brace}" text, "*" text, "a*" text, "[x]" text, "?" text, "null" text, "true" text, "~" text, "1" text, "#" text, ": x" text, "- y" text);
INSERT INTO "Sales.Dept"."Table.With.Dots" SELECT i, 'a'||i,'b','c','d','e','f','g','h','i','j','k','l','m','n','o','p','q','r','s','t','u','v','w','x' FROM generate_series(1,10) i;
CREATE TABLE "q""uote"."ta""ble" ("i""d" int PRIMARY KEY, "Ref" int NOT NULL REFERENCES "Sales.Dept"."Table.With.Dots");
INSERT INTO "q""uote"."ta""ble" SELECT i, i FROM generate_series(1,10) i;
CREATE TABLE "select"."from" ("where" int PRIMARY KEY, "order" int REFERENCES "q""uote"."ta""ble", "group" text);
INSERT INTO "select"."from" SELECT i, i, 'x' FROM generate_series(1,10) i;
CREATE TABLE "new
line"."new
table" ("c
r" int PRIMARY KEY REFERENCES "select"."from");
INSERT INTO "new
line"."new
table" SELECT generate_series(1,5);
CREATE TABLE "😀"."🎉" ("🔑" int PRIMARY KEY, "v" text);
INSERT INTO "😀"."🎉" VALUES (1,'x'),(2,NULL);
CREATE TABLE abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij123 (abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij123 int PRIMARY KEY);
INSERT INTO abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij123 SELECT generate_series(1,10);
CREATE TABLE "CAPS" ("ID" int PRIMARY KEY, id text, "Id" text); INSERT INTO "CAPS" VALUES (1,'a','b');
CREATE TABLE caps (x int); INSERT INTO caps VALUES (5);
CREATE TABLE "public.caps" (x int); INSERT INTO "public.caps" VALUES (6);
CREATE TABLE "trailing " (x int); INSERT INTO "trailing " VALUES (6);
CREATE TABLE "pg_odd" (x int, ctid_ int, "tableoid_" int); INSERT INTO pg_odd VALUES (6);
CREATE TABLE "user" ("user" text, "current_date" date, "end" int, "array" int[]); INSERT INTO "user" VALUES ('me', '2020-01-01', 3, '{1,2}');
CREATE TABLE "É" ("ß" text PRIMARY KEY, "İ" text); INSERT INTO "É" VALUES ('a','b');
CREATE TABLE "é" ("ß" text REFERENCES "É"); INSERT INTO "é" VALUES ('a');
