package postgres

import (
	"regexp"
	"strings"

	"understudy/internal/catalog"
)

// respell writes the expressions of a fact anew, where it has any: what is compared, not
// the statements.
func respell(f *catalog.Fact) {
	if f.Kind == "comment" {
		return
	}
	f.Definition = respelled(f.Definition)
	for i := range f.Parts {
		f.Parts[i].Text = respelled(f.Parts[i].Text)
	}
}

// respelled writes an expression as the server prints it once it has read its own print.
// It prints `status IN ('a', 'b')` of a varchar as a cast of the whole array, and where it
// reads that it casts each element (src/backend/parser/parse_expr.c, transformTypeCast):
// what was restored from a dump reads otherwise than what was dumped.
func respelled(text string) string {
	const head = "ARRAY["
	if !strings.Contains(text, head) {
		return text
	}
	b := make([]byte, 0, len(text))
	for at := 0; at < len(text); {
		if strings.HasPrefix(text[at:], head) {
			// Some expressions are printed without the parentheses that are not needed.
			elements, end := bracketed(text, at+len(head))
			tight := end > 0 && len(b) > 0 && b[len(b)-1] == '(' && strings.HasPrefix(text[end:], "])::")
			before, after, rest := "", "::", end+1
			if tight {
				before, after, rest = "(", ")::", end+2
			}
			if cast := arrayCast.FindStringSubmatch(text[min(rest, len(text)):]); end > 0 && cast != nil {
				if tight {
					b = b[:len(b)-1]
				}
				b = append(b, head...)
				for i, e := range elements {
					if i > 0 {
						b = append(b, ", "...)
					}
					b = append(b, before+respelled(e)+after+cast[1]...)
				}
				b = append(b, ']')
				at = rest + len(cast[0])
				continue
			}
		}
		end := next(text, at)
		b = append(b, text[at:end]...)
		at = end
	}
	return string(b)
}

// arrayCast is a cast to an array of a type, whose name is the first group.
var arrayCast = regexp.MustCompile(`^::((?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)(?:\.(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*))?(?: [a-z]+)*(?:\([0-9]+(?:,-?[0-9]+)?\)(?: [a-z ]+)?)?)\[\]`)

// bracketed parts at its commas what stands from a place on inside a bracket, and gives
// the place of the bracket that closes it; 0 if none does.
func bracketed(text string, from int) (parts []string, end int) {
	depth, start := 0, from
	for at := from; at < len(text); {
		switch c := text[at]; {
		case depth == 0 && c == ']':
			return append(parts, text[start:at]), at
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case depth == 0 && c == ',':
			parts = append(parts, text[start:at])
			start = at + 1
			if strings.HasPrefix(text[start:], " ") {
				start++
			}
		}
		at = next(text, at)
	}
	return nil, 0
}

// next gives the place behind the literal, the quoted name or else the byte at a place.
func next(text string, at int) int {
	if c := text[at]; c == '\'' || c == '"' {
		end, _ := quotedEnd(text, at)
		return end
	}
	return at + 1
}
