package mysql

import (
	"slices"
	"strings"
)

// A head is what a statement is by its first words.
type head struct {
	verb   string // in upper case
	object string // TABLE, VIEW: of CREATE, ALTER and DROP, the first word elsewhere
	// after is the place behind the object's kind.
	after int
	// definer is the place of DEFINER = somebody, and what follows it; 0 for none.
	definer, defined int
}

// readHead reads the first words of a statement.
func readHead(all []token) head {
	h := head{verb: strings.ToUpper(all[0].text)}
	word := func(i int) string {
		if i < len(all) && all[i].kind == word {
			return strings.ToUpper(all[i].text)
		}
		return ""
	}
	i := 1
	if !slices.Contains([]string{"CREATE", "ALTER", "DROP"}, h.verb) {
		h.object, h.after = word(1), 2
		return h
	}
	for ; i < len(all); i++ {
		switch word(i) {
		case "OR", "REPLACE", "TEMPORARY", "ONLINE", "OFFLINE", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR", "AGGREGATE", "IGNORE":
		case "ALGORITHM", "SQL": // ALGORITHM = MERGE, SQL SECURITY INVOKER
			i += 2
		case "DEFINER":
			h.definer = i
			for i += 3; i < len(all) && !oneOf(all[i], "SQL VIEW FUNCTION PROCEDURE EVENT TRIGGER AGGREGATE"); i++ { // whom it names is not looked at
			}
			h.defined = min(i, len(all)-1)
			i--
		default:
			h.object, h.after = word(i), i+1
			return h
		}
	}
	return h
}

// judge refuses a statement that does more than change the copy, by its words;
// those of database names are looked at elsewhere. It tells what is written
// otherwise, and fills in what is known of the statement.
func (b *bounds) judge(all []token, h head, s *tried) (edits []edit, say, hint string) {
	const beyond = "it does more than change the database's tables, rows and objects"
	has := func(words string) bool {
		return slices.ContainsFunc(all, func(t token) bool { return oneOf(t, words) })
	}
	if h.definer > 0 {
		edits = append(edits, edit{all[h.definer].start, all[h.defined].start, ""})
	}
	switch h.verb {
	case "CREATE", "ALTER", "DROP":
		return b.judgeDDL(all, h, s, edits)
	case "RENAME":
		if h.object == "TABLE" || h.object == "TABLES" {
			return edits, "", ""
		}
	case "ANALYZE", "OPTIMIZE", "CHECK", "REPAIR":
		if oneOf(all[min(h.after, len(all)-1)], "TABLE TABLES") || oneOf(all[min(1, len(all)-1)], "TABLE TABLES") { // MariaDB's ANALYZE runs a query as well
			return edits, "", ""
		}
	case "TRUNCATE":
		return edits, "", ""
	case "LOCK", "UNLOCK":
		if h.object == "TABLE" || h.object == "TABLES" {
			s.sets = true
			return edits, "", ""
		}
	case "START":
		if h.object == "TRANSACTION" {
			return edits, "", ""
		}
	case "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE":
		return edits, "", ""
	case "INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "WITH", "VALUES", "TABLE", "DO", "CALL", "(":
		s.rows = true
		if !has("OUTFILE DUMPFILE") {
			return edits, "", ""
		}
		return nil, "it writes a file on the server", "leave it out"
	case "SET":
		s.sets, s.rows = true, slices.ContainsFunc(all, func(t token) bool { return t.mark("(") })
		return edits, setting(all), "set what belongs to the session: SET SESSION ..., SET NAMES utf8mb4"
	case "USE":
		if name, ok := all[min(1, len(all)-1)].name(); ok && len(all) == 2 && slices.Contains(b.own, name) { // it is the present database
			s.skip = true
			return nil, "", ""
		}
		return nil, "it turns to another database", "name the one that it belongs to in the URL, and leave USE out"
	}
	return nil, beyond, "leave it out: statements are tried on a copy, and the server around it stays as it is"
}

// setting tells what speaks against a SET; empty for nothing.
func setting(all []token) string {
	for i, t := range all[1:] {
		name := strings.ToLower(strings.TrimLeft(t.text, "@"))
		switch {
		case t.kind != word && t.kind != variable && t.kind != quoted:
		case slices.Contains([]string{"global", "persist", "persist_only", "password", "role", "resource", "statement"}, strings.Trim(name, "`\"")):
			return "it changes more than the session"
		case strings.Contains(name, "storage_engine"):
			return "tables could be made whose rows stand elsewhere"
		case strings.Contains(name, "character_set_client"):
			if rest := all[1+i+1:]; len(rest) < 2 || !rest[0].mark("=") || !safeCharset(rest[1]) {
				return "in that character set texts may end elsewhere"
			}
		case t.is("NAMES") || t.is("CHARSET") || t.is("CHARACTER"):
			rest := all[1+i+1:]
			if t.is("CHARACTER") && len(rest) > 0 {
				rest = rest[1:]
			}
			if len(rest) > 0 && !safeCharset(rest[0]) {
				return "in that character set texts may end elsewhere"
			}
		}
	}
	return ""
}

// safeCharset tells character sets in which no byte of a longer character is a
// quote or a backslash.
func safeCharset(t token) bool {
	return slices.Contains([]string{"utf8mb4", "utf8mb3", "utf8", "latin1", "latin2", "ascii", "binary"}, strings.ToLower(strings.Trim(t.text, "'\"`")))
}

// remote tells storage engines whose tables have their rows elsewhere, written in
// whatever quotes.
func remote(t token) bool {
	name := strings.ToUpper(strings.Trim(t.text, "'\"`"))
	return slices.Contains(strings.Fields("FEDERATED FEDERATEDX CONNECT SPIDER S3 SPHINX OQGRAPH MROONGA NDB NDBCLUSTER MRG_MYISAM MERGE"), name)
}

func (b *bounds) judgeDDL(all []token, h head, s *tried, edits []edit) ([]edit, string, string) {
	if !slices.Contains([]string{"TABLE", "INDEX", "VIEW", "FUNCTION", "PROCEDURE", "TRIGGER", "EVENT", "SEQUENCE", "DATABASE", "SCHEMA"}, h.object) {
		return nil, "it does more than change the database's tables, rows and objects", "leave it out: statements are tried on a copy, and the server around it stays as it is"
	}
	switch h.object {
	case "DATABASE", "SCHEMA":
		// These words are reserved, so that none is the name of a database.
		if h.verb != "ALTER" || h.after >= len(all) || !oneOf(all[h.after], "CHARACTER DEFAULT COLLATE") {
			return nil, "it is about a whole database", "ALTER DATABASE changes the present one when it names none"
		}
	case "TABLE":
		for i, t := range all {
			if rest := all[i+1:]; t.is("ENGINE") && (len(rest) > 0 && remote(rest[0]) || len(rest) > 1 && rest[0].mark("=") && remote(rest[1])) {
				return nil, "its storage engine keeps rows elsewhere", "leave it out"
			}
			reads := t.is("SELECT") || t.is("VALUES") && !partitioned(all[:i]) || t.is("TABLE") && i >= h.after
			s.rows = s.rows || h.verb == "CREATE" && reads
		}
	case "VIEW", "FUNCTION", "PROCEDURE", "TRIGGER", "EVENT":
		if slices.ContainsFunc(all, func(t token) bool { return t.is("SONAME") }) {
			return nil, "it loads a library into the server", "leave it out"
		}
		s.loose = h.verb == "CREATE" && h.object != "VIEW" && loose(all)
		if at := nameAt(all, h); at < len(all) && h.verb == "CREATE" {
			s.kind = h.object
			s.name, _ = all[at].name()
		}
		if h.verb == "DROP" && h.object == "FUNCTION" { // without a database it may be one that a library holds, for all databases
			at := h.after
			if at+1 < len(all) && all[at].is("IF") {
				at += 2
			}
			if at < len(all) && (at+1 == len(all) || !all[at+1].mark(".")) {
				edits = append(edits, edit{all[at].start, all[at].start, quote(b.next) + "."})
			}
		}
		if h.object == "EVENT" {
			return b.event(all, h, s, edits)
		}
	}
	return edits, "", ""
}

// partitioned tells whether what was read so far is about partitions, whose VALUES are no query.
func partitioned(all []token) bool {
	return slices.ContainsFunc(all, func(t token) bool { return t.is("PARTITION") })
}

// loose tells whether the body of a routine, trigger or event may do what cannot
// be told from its names: run a text, write a file, change the server.
func loose(all []token) bool {
	for i, t := range all {
		global := t.kind == variable && oneOf(token{kind: word, text: strings.TrimLeft(t.text, "@")}, "GLOBAL PERSIST PERSIST_ONLY")
		if global || oneOf(t, "PREPARE EXECUTE OUTFILE DUMPFILE GLOBAL PERSIST PERSIST_ONLY PASSWORD GRANT REVOKE FLUSH KILL SHUTDOWN RESET PURGE INSTALL UNINSTALL SONAME LOAD") {
			return true
		}
		if i > 0 && oneOf(all[i-1], "CREATE ALTER DROP RENAME SET") && oneOf(t, "USER ROLE DATABASE SCHEMA SERVER TABLESPACE LOGFILE INSTANCE RESOURCE") {
			return true
		}
	}
	return false
}

// nameAt gives the place of the name of what a statement makes, changes or drops.
func nameAt(all []token, h head) int {
	at := h.after
	for at < len(all) && oneOf(all[at], "IF NOT EXISTS") {
		at++
	}
	for at+2 < len(all) && all[at+1].mark(".") {
		at += 2
	}
	return at
}

// event writes a statement about an event so that the event does not run.
func (b *bounds) event(all []token, h head, s *tried, edits []edit) ([]edit, string, string) {
	at := nameAt(all, h)
	if at >= len(all) {
		return nil, "it names no event", ""
	}
	s.event, _ = all[at].name()
	if h.verb == "DROP" {
		s.enabled = "no"
		return edits, "", ""
	}
	end := slices.IndexFunc(all, func(t token) bool { return t.is("DO") })
	if end < 0 {
		end = len(all)
	}
	place := -1
	for i := at + 1; i < end; i++ {
		switch t := all[i]; {
		case t.is("RENAME"):
			return nil, "it gives an event another name", "drop the event and create it anew"
		case t.is("DISABLE"):
			s.enabled = "no"
		case t.is("ENABLE"):
			s.enabled = "yes"
			edits = append(edits, edit{t.start, t.end(), "DISABLE"})
		case t.is("COMMENT"):
			place = t.start
		}
	}
	if h.verb == "CREATE" && s.enabled == "" && end < len(all) {
		if place < 0 {
			place = all[end].start
		}
		s.enabled = "yes"
		edits = append(edits, edit{place, place, "DISABLE "})
	}
	return edits, "", ""
}
