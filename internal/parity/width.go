package parity

import (
	"slices"
	"strconv"
	"strings"

	"understudy/internal/catalog"
)

// judgeType compares two declared types as engines write them.
func judgeType(p catalog.Piece, loose bool) judgement {
	a, b := readType(p.Source), readType(p.Target)
	switch {
	case loose:
		return judgement{ChangesBehaviour, "values are stored and compared otherwise in staging"}
	case len(a.labels) > 0 && len(b.labels) > 0:
		return judgeLabels(p)
	case a.family != b.family || a.suffix != b.suffix:
		return judgement{BreaksLoad, "a value of one type need not be one of the other"}
	}
	wider, narrower := false, false
	for i := range a.size {
		wider, narrower = wider || b.size[i] > a.size[i], narrower || b.size[i] < a.size[i]
	}
	switch {
	case narrower:
		return judgement{BreaksLoad, "a value that fits in production may not fit in staging"}
	case wider:
		return judgement{ChangesRehearsal, "staging accepts values that are too long or too large for production"}
	}
	return worksElse
}

// cuts tells whether a column's closing statement may change values or refuse them:
// where one that fits in staging's type need not fit in production's.
func cuts(d catalog.Difference, loose bool) bool {
	return d.Kind == "column" && d.Change == catalog.Different && slices.ContainsFunc(d.Pieces, func(p catalog.Piece) bool {
		return p.Name == "type" && judgeType(catalog.Piece{Name: p.Name, Source: p.Target, Target: p.Source}, loose).effect == BreaksLoad
	})
}

// A declaredType is a type by what it holds and how much of it.
type declaredType struct {
	family string // types of one family hold the same things, more or fewer of them
	// size bounds the values, larger is more: bytes of an integer; letters of a
	// text; digits before and behind the point.
	size   [2]int64
	suffix string // array brackets, unsigned, a time zone
	labels []string
}

const unbounded = 1 << 40

// families of types by the names that PostgreSQL, MySQL, MariaDB and SQL know
// them by, with the size of those that have no argument.
var families = map[string]struct {
	family string
	size   int64
}{
	"tinyint": {"integer", 1}, "smallint": {"integer", 2}, "mediumint": {"integer", 3}, "int": {"integer", 4}, "integer": {"integer", 4}, "bigint": {"integer", 8},
	"smallserial": {"integer", 2}, "serial": {"integer", 4}, "bigserial": {"integer", 8}, "int2": {"integer", 2}, "int4": {"integer", 4}, "int8": {"integer", 8},
	"varchar": {"text", unbounded}, "character varying": {"text", unbounded}, "text": {"text", unbounded}, "mediumtext": {"text", unbounded + 1}, "longtext": {"text", unbounded + 2}, "tinytext": {"text", 255},
	"char": {"padded text", 1}, "character": {"padded text", 1}, "bpchar": {"padded text", unbounded},
	"numeric": {"decimal", unbounded}, "decimal": {"decimal", unbounded},
	"real": {"float", 4}, "float": {"float", 4}, "double precision": {"float", 8}, "double": {"float", 8}, "float4": {"float", 4}, "float8": {"float", 8},
	"varbinary": {"bytes", unbounded}, "blob": {"bytes", unbounded}, "tinyblob": {"bytes", 255}, "mediumblob": {"bytes", unbounded + 1}, "longblob": {"bytes", unbounded + 2},
	"bit": {"bits", 1}, "bit varying": {"bits", unbounded},
	"time": {"time", 6}, "timestamp": {"timestamp", 6}, "datetime": {"datetime", 0}, "interval": {"interval", 6},
}

func readType(text string) declaredType {
	rest := strings.ToLower(strings.Join(strings.Fields(text), " "))
	name, args, after := rest, "", ""
	if open := strings.IndexByte(rest, '('); open >= 0 {
		name = strings.TrimSpace(rest[:open])
		if end := strings.LastIndexByte(rest, ')'); end > open {
			args, after = rest[open+1:end], strings.TrimSpace(rest[end+1:])
		}
	}
	for _, tail := range []string{"[]", " zerofill", " unsigned", " with time zone", " without time zone"} {
		for strings.HasSuffix(name, tail) {
			name, after = strings.TrimSuffix(name, tail), strings.TrimSpace(tail+" "+after)
		}
	}
	after = strings.TrimSpace(strings.ReplaceAll(after, "zerofill", "")) // how a number is shown; beside it stands unsigned
	t := declaredType{family: name, suffix: after}
	if name == "enum" || name == "set" {
		t.labels = quotedTexts(args)
		return t
	}
	known, ok := families[name]
	if !ok {
		if args != "" {
			t.suffix = "(" + args + ") " + after
		}
		return t
	}
	t.family, t.size[0] = known.family, known.size
	var numbers []int64
	for _, a := range strings.Split(args, ",") {
		if n, err := strconv.ParseInt(strings.TrimSpace(a), 10, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	switch {
	case t.family == "integer" || t.family == "float": // an argument is for display
	case t.family == "decimal" && len(numbers) == 0:
		t.size[1] = unbounded
	case t.family == "decimal":
		numbers = append(numbers, 0)
		t.size = [2]int64{numbers[0] - numbers[1], numbers[1]}
	case len(numbers) > 0:
		t.size[0] = numbers[0]
	}
	return t
}

// whole gives the definitions of a difference.
func whole(d catalog.Difference) catalog.Piece { return piece(d, catalog.WholeDefinition) }

// piece finds a piece by its name; the zero one has no text on either side.
func piece(d catalog.Difference, name string) catalog.Piece {
	if i := slices.IndexFunc(d.Pieces, func(p catalog.Piece) bool { return p.Name == name }); i >= 0 {
		return d.Pieces[i]
	}
	return catalog.Piece{}
}
