package mask

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// A template joins literal text and parts that are drawn from the value, each
// by itself:
//
//	{first_name} {last_name} {job_title} {company} {city} {street} {country} {word}
//	{digits:6} {letters:3} {hex:8}     so many characters
//	{tag:16}                           so many, none like another: what unique columns need
//
// A name may end in :lower or :upper. {{ and }} stand for braces.
type template struct{ parts []part }

// A part is a literal text, words to choose from, or characters of an alphabet.
type part struct {
	literal  string
	words    []string
	letters  byte // 'l' for lower, 'u' for upper case; 0 as they are
	alphabet string
	count    int
	tag      bool
}

// tries is how often a template is filled in again when the value comes out.
const tries = 8

func (t *template) append(w *Worker, dst, value []byte) ([]byte, error) {
	s := w.stream(value)
	at := len(dst)
	for range tries {
		dst = t.fill(dst[:at], &s)
		if !w.own(dst[at:]) {
			break
		}
	}
	return dst, nil
}

func (t *template) fill(dst []byte, s *stream) []byte {
	for i := range t.parts {
		switch p := &t.parts[i]; {
		case p.words != nil:
			from := len(dst)
			dst = append(dst, p.words[pick(s.next(), len(p.words))]...)
			for k := from; k < len(dst); k++ {
				switch {
				case p.letters == 'l':
					dst[k] = lower(dst[k])
				case p.letters == 'u' && dst[k]-'a' < 26:
					dst[k] -= 'a' - 'A'
				}
			}
		case p.alphabet != "":
			var word uint64
			for k := range p.count {
				if k%8 == 0 { // forty bits of a word are even enough
					word = s.next()
				}
				var c byte
				c, word = nextDigit(word, uint64(len(p.alphabet)))
				dst = append(dst, p.alphabet[c])
			}
		default:
			dst = append(dst, p.literal...)
		}
	}
	return dst
}

// parseTemplate reads a template, or says what is wrong with it.
func parseTemplate(text string) (*template, string) {
	t := &template{}
	var literal strings.Builder
	end := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, part{literal: literal.String()})
			literal.Reset()
		}
	}
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			literal.WriteByte(rest[0])
			rest = rest[2:]
		case rest[0] == '}':
			return nil, "has a } without its {; write }} for a brace"
		case rest[0] == '{':
			body, after, ok := strings.Cut(rest[1:], "}")
			if !ok {
				return nil, "has a { without its }; write {{ for a brace"
			}
			p, why := parsePart(body)
			if why != "" {
				return nil, why
			}
			end()
			t.parts = append(t.parts, p)
			rest = after
		default:
			literal.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	end()
	return t, ""
}

// wordLists are the parts that are words.
func wordLists() []struct {
	name string
	list func() []string
} {
	return []struct {
		name string
		list func() []string
	}{{"first_name", firstNames}, {"last_name", lastNames}, {"job_title", jobs}, {"company", firms}, {"city", cities}, {"street", streetNames}, {"country", countries}, {"word", latin}}
}

// alphabets are the parts that are characters.
func alphabets() []struct{ name, alphabet string } {
	return []struct{ name, alphabet string }{{"digits", "0123456789"}, {"letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, {"hex", "0123456789abcdef"}, {"tag", tagAlphabet}}
}

// mostCharacters of one part.
const mostCharacters = 64

func parsePart(body string) (part, string) {
	name, arg, has := strings.Cut(body, ":")
	var known []string
	for _, w := range wordLists() {
		known = append(known, w.name)
		if w.name != name {
			continue
		}
		p := part{words: w.list()}
		switch {
		case arg == "lower", arg == "upper":
			p.letters = arg[0]
		case has:
			return p, fmt.Sprintf("has {%s:...}, which takes lower or upper", name)
		}
		return p, ""
	}
	for _, a := range alphabets() {
		known = append(known, a.name)
		if a.name != name {
			continue
		}
		n, err := strconv.Atoi(arg)
		if !has && name == "tag" {
			n, err = tagChars, nil
		}
		if err != nil || n < 1 || n > mostCharacters {
			return part{}, fmt.Sprintf("has {%s:...}, which takes a number of characters from 1 to %d", name, mostCharacters)
		}
		return part{alphabet: a.alphabet, count: n, tag: name == "tag"}, ""
	}
	why := "has a part that there is not; parts: " + strings.Join(known, ", ")
	if near := schema.Nearest(name, known); near != "" {
		why = "has a part that there is not; did you mean {" + near + "}?"
	}
	return part{}, why
}

// reach says how a template could reach somebody: by an address or a host that
// is not under a reserved domain.
func (t *template) reach() string {
	var sample strings.Builder
	for _, p := range t.parts {
		if p.words != nil || p.alphabet != "" {
			sample.WriteByte('x')
		} else {
			sample.WriteString(strings.ToLower(p.literal))
		}
	}
	for _, mark := range []string{"@", "://"} {
		for rest := sample.String(); ; {
			_, after, ok := strings.Cut(rest, mark)
			if !ok {
				break
			}
			host := after
			if i := strings.IndexAny(after, " /:?#,;<>()\"'@"); i >= 0 {
				host = after[:i]
			}
			if (mark == "://" || strings.Contains(host, ".")) && !reservedDomain(host) {
				return "has an address that is not at a reserved domain: take example.com, example.net, example.org, a name below one of them, or one that ends in .example, .test or .invalid"
			}
			rest = after
		}
	}
	return ""
}

func readTemplate(o *options) *template {
	text := o.required("format")
	if text == "" {
		return nil
	}
	t, why := parseTemplate(text)
	if why == "" {
		why = t.reach()
	}
	if why == "" && t.texts() < 10 {
		why = "has no part that is drawn, such as {digits:6} or {last_name}, or one that is too small"
	}
	if why != "" {
		o.problem("format %q %s", text, why)
	}
	return t
}

// texts is how many texts there are at most.
func (t *template) texts() float64 {
	n := 1.0
	for _, p := range t.parts {
		switch {
		case p.words != nil:
			n *= float64(len(p.words))
		case p.alphabet != "":
			n *= math.Pow(float64(len(p.alphabet)), float64(p.count))
		}
	}
	return n
}

func buildTemplate(d *draft) (recipe, *Refusal) {
	t := readTemplate(&d.options)
	if t == nil {
		return nil, &Refusal{Reason: "the format is empty", Hint: "use constant"}
	}
	most, tag := 0, 0
	for _, p := range t.parts {
		most += len([]rune(p.literal)) + p.count
		if p.words != nil {
			most += longest(p.words)
		}
		if p.tag {
			tag += 5 * p.count
		}
	}
	tag = min(tag, 128)
	switch {
	case most > d.length():
		return nil, &Refusal{Reason: fmt.Sprintf("the format has texts of up to %d characters, the column takes %d", most, d.length()), Hint: "shorten it, or leave a part out"}
	case d.limits.Unique && d.limits.Rows != 1 && tag < bitsNeeded(d.limits.Rows):
		return nil, d.fewReserved("the tags of the format are short", tag, fmt.Sprintf("put {tag:%d} into the format", (bitsNeeded(d.limits.Rows)+4)/5))
	}
	// A value that comes out is drawn for again, so it stands only if it comes every time.
	d.chance = math.Pow(oneIn(t.texts()), tries)
	d.text = fmt.Sprintf("filled in from %d parts", len(t.parts))
	return t, nil
}
