package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Accept judges fragments: first by their tokens, then by the server, which
// prepares each alone, bare and in parentheses, in a read-only session. Nothing
// is executed.
func (s *source) Accept(ctx context.Context, fragments []engine.Fragment) []error {
	out := make([]error, len(fragments))
	var left []int
	for i, f := range fragments {
		if out[i] = guard(f); out[i] == nil {
			left = append(left, i)
		}
	}
	if len(left) == 0 {
		return out
	}
	c, err := connect(ctx, s.at, session{name: "source fragments", readOnly: true, mode: fragmentMode, limits: s.limits})
	if err == nil {
		defer c.hangUp()
		err = c.checkReadOnly(ctx)
	}
	var own map[string]bool
	if err == nil {
		own, err = routines(ctx, c)
	}
	for _, i := range left {
		if out[i] = err; err == nil {
			out[i] = c.acceptable(ctx, fragments[i], own)
		}
	}
	return out
}

// refused makes the error for a fragment that is not let through.
func refused(why, hint string) error {
	return &engine.Error{Code: engine.Syntax, Doing: "accept the fragment", Say: why, Hint: hint}
}

// routines lists the stored functions that the user may call, in lower case: what
// one of them does, nobody knows.
func routines(ctx context.Context, c *conn) (map[string]bool, error) {
	rows, err := c.rows(ctx, "look for stored functions", "SELECT routine_name FROM information_schema.routines WHERE routine_type = 'FUNCTION' AND routine_schema = DATABASE()")
	out := map[string]bool{}
	for _, r := range rows {
		out[strings.ToLower(r[0])] = true
	}
	return out, err
}

// acceptable lets the server understand a fragment in every place in which it is spliced.
func (c *conn) acceptable(ctx context.Context, f engine.Fragment, own map[string]bool) error {
	all := tokens(f.Text)
	for i, t := range all {
		if name, ok := t.name(); ok && i+1 < len(all) && all[i+1].mark("(") && own[strings.ToLower(name)] {
			return refused(fmt.Sprintf("it calls %s, a function stored in the database", schema.Ident(name)), "write what it computes")
		}
	}
	from := "SELECT 1 FROM " + quoteName(f.Table.Name)
	trials := []string{from + " WHERE " + f.Text, from + " WHERE true AND (" + f.Text + ")", "SELECT (" + f.Text + ") IS TRUE FROM " + quoteName(f.Table.Name)}
	if f.Order {
		trials = []string{from + " ORDER BY " + f.Text, from + " WHERE true ORDER BY " + f.Text + ", 1",
			"SELECT row_number() OVER (ORDER BY " + f.Text + ", 1 + 0) FROM " + quoteName(f.Table.Name)}
	}
	for _, sql := range trials {
		parameters := 0
		err := c.run(ctx, func() error {
			statement, err := c.raw.(driver.ConnPrepareContext).PrepareContext(context.WithoutCancel(ctx), sql)
			if err == nil {
				parameters = statement.NumInput()
				err = statement.Close()
			}
			return err
		})
		if err != nil {
			var e *engine.Error
			if err = wrap(ctx, err, "accept the fragment"); errors.As(err, &e) && e.Code == engine.Syntax {
				e.Hint = "a column's name stands bare, in backticks or in double quotes, a text in single quotes"
			}
			return err
		}
		if parameters != 0 {
			return refused("it holds a parameter", "")
		}
	}
	return nil
}

// guard refuses what an expression does not need.
func guard(f engine.Fragment) error {
	switch {
	case strings.TrimSpace(f.Text) == "":
		return refused("it is empty", "leave the line out")
	case len(f.Text) > 10000:
		return refused("it is longer than 10,000 bytes", "")
	case !utf8.ValidString(f.Text) || strings.ContainsRune(f.Text, 0):
		return refused("it is not valid UTF-8 text", "")
	}
	all := tokens(f.Text)
	depth := 0
	for i, t := range all {
		switch {
		case t.mark("("):
			depth++
		case t.mark(")"):
			if depth--; depth < 0 {
				return refused("its parentheses are not balanced", "a fragment is one expression")
			}
		default:
			if err := judge(f, all, i, depth); err != nil {
				return err
			}
		}
	}
	if depth != 0 {
		return refused("its parentheses are not balanced", "a fragment is one expression")
	}
	return nil
}

// judge refuses one token by what it is and where it stands.
func judge(f engine.Fragment, all []token, i, depth int) error {
	t := all[i]
	called := i+1 < len(all) && all[i+1].mark("(")
	member := i > 0 && all[i-1].mark(".")
	switch {
	case t.kind == broken:
		return refused("a quote is not closed, or a character is not SQL's", "")
	case t.kind == comment:
		return refused("it holds a comment", "comments belong into the job file, behind #")
	case t.kind == variable:
		return refused("it holds a parameter or a variable", "")
	case t.mark(";"):
		return refused("it holds a semicolon", "a fragment is one expression")
	case t.mark("{"), t.mark("}"):
		return refused("it holds a brace", "")
	case t.kind == quoted && strings.Contains(t.text, `\`):
		return refused("a quoted name holds a backslash", "a text stands in single quotes")
	case t.kind == quoted && called:
		return refused("it calls a function by a quoted name", "")
	case t.kind == stringLit && i > 0 && all[i-1].kind == word && strings.HasPrefix(all[i-1].text, "_"):
		return refused("it gives a text a character set of its own", "write the text alone")
	case t.kind != word || t.text[0] >= '0' && t.text[0] <= '9' || t.text[0] == '.':
		return nil
	case strings.Contains(t.text, "$"):
		return refused("it holds a dollar sign outside quotes", "quote the name")
	}
	name := strings.ToLower(t.text)
	switch {
	case member && called:
		return refused("it calls a function of a database", "write what it computes")
	case member:
		return nil
	case !f.Subqueries && slices.Contains([]string{"select", "with", "table", "exists"}, name), !f.Subqueries && name == "values":
		return refused(fmt.Sprintf("it holds the word %s, as a subquery would", name), "allow_subqueries: true in the job file allows subqueries")
	case slices.Contains(effects(), name) && !called:
		return refused("it holds the word "+name, "a fragment is one expression; if it is a column, put it in double quotes")
	case depth == 0 && slices.Contains(clauses(), name):
		return refused("it holds the word "+name, "a fragment is one expression; if it is a column, put it in double quotes")
	case name == "sysdate" || name == "sql_no_cache":
		return refused("it holds the word "+name, "now() is the run's instant")
	case called && f.Order && slices.Contains(aggregates(), name):
		return refused("it orders by "+name+", which makes one row of all", "")
	case called && !mayCall(f, name):
		return refused(fmt.Sprintf("it calls %s, which is none of the functions that only compute from their arguments", schema.Ident(name)), "write it with others")
	}
	return nil
}

// effects are words of statements that change or lock something or write files.
func effects() []string {
	return []string{"into", "outfile", "dumpfile", "procedure", "insert", "update", "delete", "replace", "call", "do", "execute", "prepare", "handler", "load",
		"lock", "unlock", "returning", "truncate", "set", "use", "create", "drop", "alter", "grant", "revoke", "commit", "rollback", "savepoint", "begin"}
}

// clauses are words that end a condition or a list to order by.
func clauses() []string {
	return []string{"union", "intersect", "except", "minus", "limit", "offset", "fetch", "group", "having", "window", "over", "order", "from", "where", "join", "for", "partition", "straight_join"}
}

// aggregates make one value of many rows.
func aggregates() []string {
	return []string{"count", "sum", "avg", "min", "max", "group_concat", "std", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp", "bit_and", "bit_or", "bit_xor", "json_arrayagg", "json_objectagg"}
}

// mayCall tells words before a parenthesis that are no functions, and functions
// that only compute from their arguments, the same each time. Others may sleep,
// lock, read files or another server, or be loaded from a library.
func mayCall(f engine.Fragment, name string) bool {
	const keywords = "and or not xor in is like rlike regexp between case when then else all any some distinct div mod binary interval against as on using collate sounds escape member of values"
	const queries = "select from where having by union intersect except join limit exists over partition order group with table rows range lateral"
	const functions = `abs acos adddate addtime ascii asin atan atan2 bin bin_to_uuid bit_count bit_length cast ceil ceiling char char_length character_length chr coalesce concat concat_ws
		conv convert convert_tz cos cot crc32 curdate current_date current_time current_timestamp curtime date date_add date_format date_sub datediff day dayname dayofmonth dayofweek
		dayofyear degrees elt exp export_set extract extractvalue field find_in_set floor format format_bytes from_base64 from_days from_unixtime get_format greatest hex hour if ifnull inet_aton
		inet_ntoa inet6_aton inet6_ntoa insert instr is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid isnull json_array json_contains json_contains_path json_depth json_extract json_exists
		json_keys json_length json_object json_overlaps json_query json_quote json_search json_type json_unquote json_valid json_value last_day lcase least left length ln localtime localtimestamp
		locate log log10 log2 lower lpad ltrim make_set makedate maketime match md5 microsecond mid minute mod month monthname now nullif nvl nvl2 oct octet_length ord period_add period_diff pi
		position pow power quarter quote radians regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right round rpad rtrim sec_to_time second sha sha1 sha2 sign sin
		soundex space sqrt st_area st_astext st_contains st_distance st_distance_sphere st_equals st_geometrytype st_geomfromtext st_intersects st_isempty st_latitude st_length st_longitude
		st_srid st_within st_x st_y str_to_date strcmp subdate substr substring substring_index subtime tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64
		to_char to_days to_seconds trim truncate ucase unhex unix_timestamp upper utc_date utc_time utc_timestamp uuid_to_bin week weekday weekofyear weight_string year yearweek point`
	has := func(list string) bool { return slices.Contains(strings.Fields(list), name) }
	return has(keywords) || has(functions) || f.Subqueries && (has(queries) || slices.Contains(aggregates(), name))
}
