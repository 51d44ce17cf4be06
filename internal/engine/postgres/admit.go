package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/script"
)

// Admit refuses what would reach beyond a copy: roles, databases and settings
// belong to the whole server, files and other programs to its machine. A statement
// that is written as a text and then executed is looked through as well.
func (t *target) Admit(_ context.Context, texts, _ []string) (refused []error, err error) {
	refused = make([]error, len(texts))
	for i, text := range texts {
		refused[i] = beyond(text)
	}
	return refused, nil
}

// beyond gives the first statement of a text that would reach beyond its database.
func beyond(text string) error {
	all, mistakes := script.Outline(text, quoting())
	if len(mistakes) > 0 {
		return untried(mistakes[0].Line, mistakes[0].Say, mistakes[0].Hint)
	}
	for _, o := range all {
		words := o.Words
		if len(words) > 0 && (words[0] == "DO" || slices.Contains(words, "EXECUTE")) {
			words = strings.FieldsFunc(strings.ToUpper(o.Text), func(r rune) bool { return !isWordRune(r) }) // also what is quoted
		}
		if what := reaches(words); what != "" {
			return untried(o.Line, what, "run it by hand where it belongs; what staging's copy needs of it has to be there already")
		}
	}
	return nil
}

func isWordRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 0x80
}

func untried(line int, say, hint string) error {
	return &engine.Error{Code: engine.Syntax, Doing: fmt.Sprintf("try the statement in line %d", line), Say: say, Hint: hint}
}

// outward are functions that act on the server, its files or other databases.
var outward = regexp.MustCompile(`^(DBLINK\w*|PG_TERMINATE_BACKEND|PG_CANCEL_BACKEND|PG_RELOAD_CONF|PG_ROTATE_LOGFILE\w*|PG_(CREATE|DROP|COPY)_\w*REPLICATION_SLOT|PG_REPLICATION_\w+|PG_LOGICAL_\w+|PG_SWITCH_WAL|PG_PROMOTE|PG_CREATE_RESTORE_POINT|PG_BACKUP_\w+|PG_START_BACKUP|PG_STOP_BACKUP|PG_FILE_\w+|PG_WAL_REPLAY_\w+|PG_STAT_RESET_SHARED|LO_EXPORT|LO_IMPORT)$`)

// reaches tells what in the words of a statement reaches beyond its database; empty
// where nothing does. What only looks like it in a body that is executed is refused too.
func reaches(words []string) string {
	at := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	shared := func(w string) bool {
		return slices.Contains([]string{"ROLE", "USER", "GROUP", "DATABASE", "TABLESPACE", "SUBSCRIPTION"}, w)
	}
	for i, w := range words {
		switch next := at(i + 1); {
		case (w == "CREATE" || w == "ALTER" || w == "DROP") && shared(next) && !(next == "USER" && at(i+2) == "MAPPING"):
			return "it changes what all databases of the server share: " + w + " " + next
		case w == "ALTER" && next == "SYSTEM":
			return "it changes the server's settings"
		case (w == "DROP" || w == "REASSIGN") && next == "OWNED":
			return "it changes what a role has in all databases"
		case w == "ON" && shared(next) && (slices.Contains(words, "COMMENT") || slices.Contains(words, "LABEL") || slices.Contains(words, "GRANT") || slices.Contains(words, "REVOKE")), w == "ON" && next == "PARAMETER":
			return "it changes what all databases of the server share: ON " + next
		case (w == "GRANT" || w == "REVOKE") && !granted(words[i:]):
			return "it changes who belongs to a role"
		case w == "COPY" && (i == 0 || slices.Contains(words, "EXECUTE")) && !slices.Contains(words, "STDIN") && !slices.Contains(words, "STDOUT"):
			return "it reads or writes a file of the server"
		case w == "LOAD" && i == 0, w == "PROGRAM" && slices.Contains(words, "COPY"):
			return "it runs what is not SQL on the server"
		case outward.MatchString(w):
			return "it calls " + strings.ToLower(w) + ", which acts on more than this database"
		}
	}
	return ""
}

// granted tells whether GRANT or REVOKE is about an object: ON stands before the
// grantee, who may be quoted and so be no word.
func granted(words []string) bool {
	for _, w := range words[1:] {
		switch w {
		case "ON":
			return true
		case "TO", "FROM":
			return false
		}
	}
	return true // WITH GRANT OPTION
}
