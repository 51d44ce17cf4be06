package document

import (
	"bytes"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const hintGlob = `put the text in double quotes: "*name*"`

// parserLine finds the line in the parser's error; the rest of the error is not shown, since it may quote the file.
var parserLine = regexp.MustCompile(`line (\d+)`)

// mendGlob looks for the unquoted glob that err is about (`{column: *email*}`
// is an alias to YAML). It reports the glob, replaces its stars in text by
// letters so that places stay the same, and remembers what was written.
func (r *Reader) mendGlob(text []byte, err error) bool {
	msg := err.Error()
	if !strings.Contains(msg, "anchor") && !strings.Contains(msg, "alphabetic or numeric") {
		return false
	}
	from, to := globNear(text, errorLine(msg))
	if from < 0 {
		return false
	}
	at := place{1 + bytes.Count(text[:from], []byte("\n")), 0}
	start := bytes.LastIndexByte(text[:from], '\n') + 1
	at.col = len([]rune(string(text[start:from]))) + 1
	r.written[at] = string(text[from:to])
	r.Report(r.at(at.line, at.col), CheckYAML, hintGlob, "YAML takes a word that begins with an unquoted * for an alias")
	for i := from; i < to; i++ {
		if text[i] == '*' {
			text[i] = 'x'
		}
	}
	return true
}

func errorLine(msg string) int {
	if m := parserLine.FindStringSubmatch(msg); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return n
		}
	}
	return 1
}

// globNear gives the first unquoted word that begins with * and stands where a
// value may begin, at line or one of its neighbours, else anywhere after it.
func globNear(text []byte, line int) (from, to int) {
	offset := 0
	for i, l := range bytes.SplitAfter(text, []byte("\n")) {
		if i+1 >= line-1 {
			if f, t := globIn(l); f >= 0 {
				return offset + f, offset + t
			}
		}
		offset += len(l)
	}
	return -1, -1
}

// globIn looks through one line, past quoted text and up to a comment.
func globIn(line []byte) (from, to int) {
	begins := true // a value may begin here
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case (c == '"' || c == '\'') && begins:
			if i = closing(line, i); i < 0 {
				return -1, -1
			}
			begins = false
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return -1, -1
		case c == '*' && begins:
			end := bytes.IndexAny(line[i:], ",]}: \t\r\n")
			if end < 0 {
				end = len(line) - i
			}
			return i, i + end
		case c == ' ' || c == '\t':
		case c == '{' || c == '[' || c == ',':
			begins = true
		case c == ':' || c == '-':
			begins = i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '\t')
		default:
			begins = false
		}
	}
	return -1, -1
}

// closing gives the index of the quote that ends the text begun at i; -1 if it does not end on this line.
func closing(line []byte, i int) int {
	quote := line[i]
	for i++; i < len(line); i++ {
		switch {
		case line[i] == '\\' && quote == '"':
			i++
		case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == quote:
			i++
		case line[i] == quote:
			return i
		}
	}
	return -1
}

// syntax reports what the parser stumbled over. The parser's own line is often
// that of the surrounding block, so the place is the end of the shortest run of
// lines that provokes the same error; for a quote that is not closed, the line
// where it opens.
func (r *Reader) syntax(text []byte, err error) {
	lines := bytes.SplitAfter(text, []byte("\n"))
	if last := len(lines) - 1; last > 0 && len(lines[last]) == 0 {
		lines = lines[:last]
	}
	ends := make([]int, len(lines))
	sum := 0
	for i, l := range lines {
		sum += len(l)
		ends[i] = sum
	}
	i := sort.Search(len(lines), func(i int) bool { return sameError(text[:ends[i]], err) })
	if i == len(lines) {
		i--
	}
	line := lines[i]
	indent := len(line) - len(bytes.TrimLeft(line, " \t"))
	message, hint := explain(err.Error(), line[:indent])
	r.Report(r.at(i+1, indent+1), CheckYAML, hint, "%s", message)
}

func sameError(text []byte, want error) bool {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for range 2 {
		var n yaml.Node
		if err := safely(func() error { return dec.Decode(&n) }); err != nil {
			const unclosed = "unexpected end of stream"
			return err.Error() == want.Error() || strings.Contains(err.Error(), unclosed) && strings.Contains(want.Error(), unclosed)
		}
	}
	return false
}

// explain puts the parser's error into words of our own, because the parser's may quote the file.
func explain(parser string, indent []byte) (message, hint string) {
	has := func(s string) bool { return strings.Contains(parser, s) }
	switch {
	case bytes.ContainsRune(indent, '\t'):
		return "the line is indented with a tab", "indent with spaces"
	case has("mapping values are not allowed"):
		return "a colon where no key can stand", "put a text that contains a colon in double quotes; check the indentation"
	case has("unexpected end of stream"):
		return "a quote is not closed", "close the quote"
	case has("did not find expected ',' or ']'"):
		return "a list in square brackets is not closed, or a comma is missing", "close it with ]"
	case has("did not find expected ',' or '}'"):
		return "a mapping in braces is not closed, or a comma is missing", "close it with }"
	case has("did not find expected key"), has("could not find expected ':'"):
		return "a key with a colon was expected here", "check the indentation, and put a text with a colon, a quote or a comma in double quotes"
	case has("did not find expected '-' indicator"):
		return "a list item was expected here", "begin each item with `- `, all in the same column"
	case has("cannot start any token"):
		return "a character that no value can begin with", "put the text in double quotes"
	case has("exceeded max depth"):
		return "nested too deep", "a file nests at most 64 deep"
	case has("escape"):
		return "an escape that YAML does not know", "double the backslash, or put the text in single quotes"
	case has("block scalar"), has("comment or line break"):
		return "a block of text that does not begin as YAML wants", "write the text on one line, in double quotes"
	case has("document start"):
		return "something stands here that belongs to nothing", "a bracket or a line too many?"
	case has("directive"), has("incompatible YAML"):
		return "a YAML directive; they are not accepted", "leave it out"
	case has("tag"):
		return "a YAML tag; tags are not accepted", "put a text that begins with ! in double quotes"
	case has("anchor"), has("alphabetic or numeric"):
		return "an anchor or an alias; they are not accepted", hintGlob
	}
	return "this is not YAML", "check indentation, quotes and brackets on this line and the one before"
}
