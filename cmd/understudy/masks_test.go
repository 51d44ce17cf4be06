package main

import (
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

const visits = `CREATE TABLE visits (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	host inet NOT NULL, net cidr NOT NULL, card macaddr NOT NULL, long_card macaddr8 NOT NULL, forwarded varchar(45),
	page text NOT NULL, server varchar(60) NOT NULL UNIQUE, agent varchar(200),
	pan varchar(23) NOT NULL, account varchar(40) NOT NULL UNIQUE, ssn char(11) NOT NULL,
	amount numeric(8,2) NOT NULL, free numeric, ratio double precision, share real, points smallint NOT NULL CHECK (points BETWEEN 0 AND 100),
	age integer NOT NULL, at timestamptz NOT NULL, born date NOT NULL,
	country char(2) NOT NULL, region text, job varchar(40), story text, level text NOT NULL CHECK (level IN ('gold', 'silver', 'tin')),
	code char(7) NOT NULL CHECK (code ~ '^[A-Z]{3}-[0-9]{3}$'), badge varchar(40) NOT NULL UNIQUE
)`

const visitRows = `INSERT INTO visits (host, net, card, long_card, forwarded, page, server, agent, pan, account, ssn, amount, free, ratio, share, points, age, at, born, country, region, job, story, level, code, badge)
SELECT CASE i % 3 WHEN 0 THEN ('2a02:8071::' || to_hex(i + 1))::inet WHEN 1 THEN ('84.17.' || i % 250 || '.' || (i * 7) % 256)::inet ELSE ('10.9.8.' || i % 256 || '/24')::inet END,
	CASE i % 3 WHEN 0 THEN ('2a02:' || to_hex(i + 1) || '::/32')::cidr WHEN 1 THEN ('84.' || i % 250 || '.0.0/16')::cidr ELSE ('84.17.' || i % 250 || '.7/32')::cidr END,
	('08:00:2b:' || to_hex(16 + i % 200) || ':' || to_hex(16 + i / 200) || ':01')::macaddr, ('08:00:2b:ff:fe:' || to_hex(16 + i % 200) || ':' || to_hex(16 + i / 200) || ':01')::macaddr8,
	CASE WHEN i % 10 > 0 THEN '84.17.1.' || i % 256 END, 'https://shop.com/p/' || i, 'db' || i || '.prod.shop.com', 'Real/' || i,
	'4929 ' || lpad(i::text, 4, '0') || ' 1234 5678', 'DE89 3704 0044 0532 ' || lpad(i::text, 4, '0') || ' 00', '123-45-' || lpad(i::text, 4, '0'),
	i * 9.99, CASE i % 50 WHEN 7 THEN 'NaN' ELSE i * 1234567890123456789.123456789 END, CASE i % 50 WHEN 8 THEN 'Infinity' ELSE exp(i / 3.0 - 60) END, CASE i % 50 WHEN 9 THEN '-Infinity' ELSE exp(i / 9.0 - 20) END,
	i % 101, i % 90, timestamptz '2020-01-01 00:00:00.5+00' + i * interval '7 hours 3 minutes', date '1940-01-01' + i * 31,
	(ARRAY['DE','FR','US'])[1 + i % 3], 'Region ' || i, 'Job ' || i, repeat('secret story ' || i || ' ', i % 30 + 1), (ARRAY['gold','silver','tin'])[1 + i % 3],
	'ABC-' || lpad((i % 1000)::text, 3, '0'), 'Badge ' || i
FROM generate_series(0, 399) i`

const visitRules = `version: 1
tables:
  public.visits:
    columns:
      id: {keep: "a number of ours"}
      host: ip
      net: ip
      card: mac
      long_card: mac
      forwarded: ip
      page: url
      server: hostname
      agent: user_agent
      pan: credit_card
      account: {mask: iban, bank: permute}
      ssn: {mask: national_id, scheme: us_ssn}
      amount: {mask: noise, percent: 5}
      free: {mask: noise, percent: 5}
      ratio: {mask: noise, percent: 5}
      share: {mask: noise, percent: 5}
      points: {mask: noise, by: 9, min: 0, max: 100}
      age: {mask: bucket, bounds: [0, 18, 65]}
      at: {mask: date_truncate, to: day}
      born: {mask: date_truncate, to: quarter}
      country: country
      region: region
      job: job_title
      story: lorem
      level: {mask: choice, values: [gold, silver, tin], weights: [1, 5, 94]}
      code: {mask: regex, pattern: "[A-Z]{3}-[0-9]{3}"}
      badge: {mask: template, format: "{tag}-{first_name:lower}"}
`

// Every mask on columns of the types it is for: the load, the proofs and the
// comparison afterwards agree, and what comes out is of the kind that was promised.
func TestMasksOnRealTypes(t *testing.T) {
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, source, visits+";"+visitRows+";")
	copyStructure(t, source, target)
	e := newErrand(t, source, target, plainJob(), map[string]string{"r.yaml": visitRules})
	e.run(t, 0, "plan", "--claim")
	e.run(t, 0, "refresh", "--claim")
	e.run(t, 0, "verify").wants(t, "all passed")
	for what, broken := range map[string]string{
		"addresses":     `NOT (host <<= '192.0.2.0/24' OR host <<= '198.51.100.0/24' OR host <<= '203.0.113.0/24' OR host << '2001:db8::/32')`,
		"networks":      `NOT (net << '198.18.0.0/15' OR net << '240.0.0.0/4' OR net << 'fc00::/7' OR net << '192.0.2.0/24' OR net << '198.51.100.0/24' OR net << '203.0.113.0/24')`,
		"text address":  `NOT (forwarded::inet << '192.0.2.0/24' OR forwarded::inet << '198.51.100.0/24' OR forwarded::inet << '203.0.113.0/24')`,
		"makers":        `substr(card::text, 2, 1) NOT IN ('2', '6', 'a', 'e') OR substr(long_card::text, 2, 1) NOT IN ('2', '6', 'a', 'e')`,
		"pages":         `page !~ '^https://example\.(com|net|org)/[a-z0-9]{16}$'`,
		"servers":       `server !~ '^[a-z0-9]+\.example\.(com|net|org)$'`,
		"cards":         `pan !~ '^4111 11[0-9]{2} [0-9]{4} [0-9]{4}$'`,
		"accounts":      `account !~ '^DE[0-9]{2}( [0-9]{4}){4} [0-9]{2}$'`,
		"ssn":           `ssn !~ '^9[0-9]{2}-[0-4][0-9]-[0-9]{4}$'`,
		"points":        `points NOT BETWEEN 0 AND 100`,
		"ages":          `age NOT IN (0, 18, 65)`,
		"days":          `at <> date_trunc('day', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'`,
		"quarters":      `born <> date_trunc('quarter', born)`,
		"stories":       `story LIKE '%secret%'`,
		"badges":        `badge LIKE 'Badge%'`,
		"special":       `(id - 1) % 50 = 7 AND free <> 'NaN' OR (id - 1) % 50 = 8 AND ratio <> 'Infinity' OR (id - 1) % 50 = 9 AND share <> '-Infinity'`,
		"zero":          `id = 1 AND (amount <> 0 OR free <> 0)`,
		"distance":      `id > 1 AND (abs(amount - (id - 1) * 9.99) > (id - 1) * 0.51 OR (id - 1) % 50 <> 8 AND abs(ratio / exp((id - 1) / 3.0 - 60) - 1) > 0.0501)`,
		"never nothing": `id > 1 AND amount = (id - 1) * 9.99`,
	} {
		if n := strings.TrimSpace(scratchtest.Query(t, target, "SELECT count(*) FROM visits WHERE "+broken)); n != "0" {
			t.Errorf("%s: %s rows are not as promised", what, n)
		}
	}
	for _, kept := range []string{"family(host)", "masklen(host)", "family(net)", "masklen(net)"} {
		q := "SELECT string_agg((" + kept + ")::text, ' ' ORDER BY id) FROM visits"
		same(t, kept, scratchtest.Query(t, source, q), scratchtest.Query(t, target, q))
	}
	// The one who wrote a value outside is found out.
	scratchtest.SQL(t, target, "UPDATE visits SET ratio = ratio + 1 WHERE id = 5")
	e.run(t, 5, "verify").wants(t, "masked values changed")
}

// A domain that folds case gives values that differ in case only one fake: a
// key that would break is found in the plan; permutations keep them apart.
func TestFoldingAgainstKeys(t *testing.T) {
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	const tables = `CREATE EXTENSION citext; CREATE TABLE people (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, nick text NOT NULL, realm integer NOT NULL, mail citext NOT NULL, UNIQUE (nick, realm))`
	scratchtest.SQL(t, source, tables+`; INSERT INTO people (nick, realm, mail) VALUES ('Anna', 1, 'Anna@shop.com'), ('anna', 2, 'anna@SHOP.com'), ('Bo', 1, 'bo@shop.com'), ('BO', 2, 'x@shop.com')`)
	copyStructure(t, source, target)
	rules := func(nick string) map[string]string {
		return map[string]string{"r.yaml": "version: 1\ntables:\n  people:\n    columns:\n      \"id, realm\": {keep: \"a number of ours\"}\n      nick: " + nick + "\n      mail: {mask: email}\n"}
	}
	e := newErrand(t, source, target, plainJob(), rules("{mask: username, fold: true}"))
	e.run(t, 0, "refresh", "--claim")
	if got := strings.TrimSpace(scratchtest.Query(t, target, "SELECT count(DISTINCT nick) || ' ' || count(DISTINCT mail::text) FROM people")); got != "2 3" {
		t.Errorf("%s different names and addresses, want 2 3: case is not folded", got)
	}
	before := dumped(t, target)

	scratchtest.SQL(t, source, "INSERT INTO people (nick, realm, mail) VALUES ('ANNA', 1, 'y@shop.com'), ('aNNa', 2, 'z@shop.com')")
	for _, command := range []string{"plan", "refresh"} {
		said := e.run(t, 2, command)
		said.wants(t, "folds case, and 2 rows differ from another only by that", "nick, realm", "hint: ")
		if strings.Contains(said.all(), "aNNa") || strings.Contains(said.all(), "ANNA") {
			t.Error("a value is shown")
		}
	}
	same(t, "staging after a refusal", string(before), string(dumped(t, target)))

	for name, text := range rules("{mask: fpe, fold: true}") {
		e.write(t, "rules/"+name, text)
	}
	e.run(t, 0, "refresh")
	if got := strings.TrimSpace(scratchtest.Query(t, target, "SELECT count(DISTINCT nick) FROM people")); got != "6" {
		t.Errorf("%s different names under a permutation, want 6", got)
	}
}
