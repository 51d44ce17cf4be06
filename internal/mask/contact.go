package mask

import (
	"fmt"
	"math"
	"strings"

	"understudy/internal/schema"
)

// An email is a tag, where there is room a first name, and a domain that RFC 2606
// and RFC 6761 reserve, so no message to it reaches anybody. The tag stands first
// so that indexes over a prefix stay unique.
type email struct {
	chars   int
	names   []string // nil where there is no room
	domains []string // with the @
}

func (e *email) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	dst = appendTag(dst, hi, lo, e.chars)
	if e.names != nil {
		dst = append(dst, '.')
		dst = append(dst, e.names[pick(lo<<32, len(e.names))]...)
	}
	return append(dst, e.domains[pick(lo<<48, len(e.domains))]...), nil
}

// shortDomain is the shortest reserved domain in use.
const shortDomain = "@a.test"

func readEmail(o *options) []string {
	domains := readReserved(o, "example.com", "example.net", "example.org")
	for i, d := range domains {
		domains[i] = "@" + d
	}
	return domains
}

// readReserved reads the parameter at: a domain that nobody can own, in place of
// the usual ones.
func readReserved(o *options, usual ...string) []string {
	domain := strings.ToLower(o.text("at", ""))
	if domain == "" {
		return usual
	}
	if !reservedDomain(domain) {
		o.problem("at: %q is not reserved: take example.com, example.net, example.org, a name below one of them, or one that ends in .example, .test or .invalid", domain)
	}
	return []string{domain}
}

// reservedDomain tells whether nobody can ever own a domain.
func reservedDomain(domain string) bool {
	for _, label := range strings.Split(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	for _, end := range []string{"example.com", "example.net", "example.org", "example", "test", "invalid"} {
		if strings.HasSuffix("."+domain, "."+end) {
			return len(domain) <= 100 && (domain != end || strings.Contains(end, "."))
		}
	}
	return false
}

func buildEmail(d *draft) (recipe, *Refusal) {
	e := &email{chars: d.tagLength(), domains: readEmail(&d.options)}
	room := d.length() - len(e.domains[0])
	if room < e.chars && d.given["at"] == "" {
		e.domains = []string{shortDomain}
		room = d.length() - len(shortDomain)
	}
	if room > e.chars+longest(handles()) {
		e.names = handles()
	}
	e.chars = min(e.chars, room)
	has := 5 * e.chars
	switch {
	case e.chars < 1:
		return nil, d.narrow(len(e.domains[0]) + 1)
	case d.limits.Unique && has < bitsNeeded(d.limits.Rows):
		return nil, d.crowded(has)
	}
	d.chance = math.Exp2(float64(-has))
	d.text = fmt.Sprintf("address with a tag of %d bits at reserved domains", has)
	return e, nil
}

// A phone number comes from numbers that are kept for fiction: 555-0100 to
// 555-0199 in any North American area. Its form follows the value's: digits only,
// a plus and digits, or with separators.
type phone struct {
	forms [3]string // N and X stand for the digits of the area and of the line
}

const (
	plainDigits = iota
	plusDigits
	separated
)

// phoneForms lists the forms for a way of writing, longest first.
func phoneForms(writing int) []string {
	switch writing {
	case plainDigits:
		return []string{"1NNN55501XX", "NNN55501XX", "55501XX"}
	case plusDigits:
		return []string{"+1NNN55501XX", "1NNN55501XX", "NNN55501XX", "55501XX"}
	}
	return []string{"+1-NNN-555-01XX", "NNN-555-01XX", "555-01XX", "55501XX"}
}

// areas is how many area codes are used: 200 to 999 without those that end in 11
// (services) and those with a nine in the middle (kept for expansion).
const areas = 8*9*10 - 8

func (p *phone) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	form := p.forms[writing(value)]
	at, area, line := len(dst), pick(hi, areas), pick(lo, 100)
	dst = dial(dst, form, area, line)
	if w.own(dst[at:]) {
		dst = dial(dst[:at], form, area, (line+1+int(hi%99))%100)
	}
	return dst, nil
}

// writing tells how a number is written.
func writing(value []byte) int {
	style := plainDigits
	for i, b := range value {
		switch {
		case b-'0' < 10:
		case b == '+' && i == 0:
			style = plusDigits
		default:
			return separated
		}
	}
	return style
}

// dial fills a form in.
func dial(dst []byte, form string, area, line int) []byte {
	// Of each hundred 89 middle and last digits are in use: all but 11 and 90-99.
	rest := area % 89
	if rest >= 11 {
		rest++
	}
	code := [3]byte{byte('2' + area/89), byte('0' + rest/10), byte('0' + rest%10)}
	xx := [2]byte{byte('0' + line/10), byte('0' + line%10)}
	n, x := 0, 0
	for i := range len(form) {
		switch c := form[i]; c {
		case 'N':
			dst = append(dst, code[n])
			n++
		case 'X':
			dst = append(dst, xx[x])
			x++
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// A lonePhone keeps unique columns unique: the country code 999, which is not
// assigned, and a tag of digits.
type lonePhone struct {
	digits int
	plus   bool
}

const (
	lonePrefix    = "999"
	leastLone     = 12 // digits of a tag, so that short numbers do not look odd
	mostLone      = 30 // digits that 128 bits can spell evenly
	bitsPerDigit  = 3.321928094887362
	digitsPerWord = 15
)

func (p *lonePhone) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	if p.plus && writing(value) != plainDigits {
		dst = append(dst, '+')
	}
	dst = append(dst, lonePrefix...)
	dst = appendDigits(dst, hi, min(p.digits, digitsPerWord))
	return appendDigits(dst, lo, p.digits-digitsPerWord), nil
}

// appendDigits spells the leading decimal digits of word as a fraction of 2^64.
func appendDigits(dst []byte, word uint64, digits int) []byte {
	for range digits {
		var d byte
		d, word = nextDigit(word, 10)
		dst = append(dst, '0'+d)
	}
	return dst
}

func readPhone(o *options) string {
	return o.choice("format", "auto", "auto", "digits", "e164", "separated")
}

func buildPhone(d *draft) (recipe, *Refusal) {
	style := readPhone(&d.options)
	if d.limits.Unique {
		return buildLonePhone(d)
	}
	p := &phone{}
	for i := range p.forms {
		use := i
		switch style {
		case "digits":
			use = plainDigits
		case "e164":
			use = plusDigits
		case "separated":
			use = separated
		}
		if d.limits.Kind == schema.Integer {
			use = plainDigits
		}
		for _, form := range phoneForms(use) {
			if len(form) <= d.length() {
				p.forms[i] = form
				break
			}
		}
		if p.forms[i] == "" {
			return nil, d.narrow(len("55501XX"))
		}
	}
	d.text = "fictional number (555-0100 to 555-0199)"
	return p, nil
}

func buildLonePhone(d *draft) (recipe, *Refusal) {
	p := &lonePhone{plus: d.limits.Kind != schema.Integer && readPhone(&d.options) != "digits"}
	room := d.length() - len(lonePrefix)
	if p.plus {
		room--
	}
	need := bitsNeeded(d.limits.Rows)
	p.digits = min(mostLone, room, max(leastLone, int(math.Ceil(float64(need)/bitsPerDigit))))
	has := int(float64(max(p.digits, 0)) * bitsPerDigit)
	if p.digits < 1 || has < need {
		return nil, d.crowded(has)
	}
	d.chance = math.Exp2(float64(-has))
	d.text = fmt.Sprintf("number in the unassigned country code %s with %d digits", lonePrefix, p.digits)
	return p, nil
}
