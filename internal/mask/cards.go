package mask

import (
	"crypto/cipher"
	"fmt"

	"understudy/internal/schema"
)

// Numbers of payment cards have 12 to 19 digits, of which six name the issuer
// (here) and the last is Luhn's check digit.
const (
	shortestCard = 12
	longestCard  = 19
	issuerDigits = 6
)

// A card becomes a card of test numbers: brand and length stay, the issuer is
// one whose numbers the brand has published for tests, what follows is drawn from
// the digits. The check digit is as right or as wrong as it was: it keeps its
// distance from the right one. Separators stay. What is no card number keeps its
// shape as a postcode does.
type card struct{ number *postNumber } // number: what serves integer columns where the value is no card

func (c *card) append(w *Worker, dst, value []byte) ([]byte, error) {
	if !w.cardDigits(value) {
		if c.number != nil {
			return c.number.append(w, dst, value)
		}
		hi, lo := w.draw(value)
		return appendAlike(dst, value, hi, lo), nil
	}
	digits, n := w.figures, len(w.figures)
	w.shape = append(w.shape[:0], digits...)
	off := digits[n-1] + 10 - luhn(digits[:n-1])
	issuer := testIssuer(digits)
	hi, lo := w.mask.mac.sum(&w.scratch, w.shape)
	d := &dice{word: hi, next: lo}
	for i := range digits[:n-1] {
		if i < issuerDigits {
			digits[i] = issuer[i] - '0'
		} else {
			digits[i] = d.roll(10)
		}
	}
	digits[n-1] = (luhn(digits[:n-1]) + off) % 10
	if string(digits) == string(w.shape) { // a test number already
		digits[n-2] = (digits[n-2] + 1) % 10
		digits[n-1] = (luhn(digits[:n-1]) + off) % 10
	}
	return dress(dst, value, digits, false), nil
}

func (c *card) keeps(value []byte) bool {
	if c.number != nil {
		return !(&Worker{}).cardDigits(value) && c.number.keeps(value)
	}
	return !hasSubstance(value)
}

// cardDigits puts the digits of a card number into w.figures; it tells whether
// the value is one by its shape.
func (w *Worker) cardDigits(value []byte) bool {
	w.figures = w.figures[:0]
	for _, c := range value {
		switch {
		case c-'0' < 10:
			w.figures = append(w.figures, c-'0')
		case c != ' ' && c != '-' && c != '.':
			return false
		}
	}
	return len(w.figures) >= shortestCard && len(w.figures) <= longestCard
}

// luhn is the check digit that belongs after a payload (ISO/IEC 7812-1, annex B).
func luhn(payload []byte) byte {
	sum := 0
	for i := range payload {
		d := int(payload[len(payload)-1-i])
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte((10 - sum%10) % 10)
}

// testIssuer gives the issuer of a brand's published test numbers. Where the
// brand is not known it is 999999: numbers that begin with 9 are left to national
// bodies, and no country has the code 999.
func testIssuer(digits []byte) string {
	lead := 0
	for _, d := range digits[:4] {
		lead = lead*10 + int(d)
	}
	switch two := lead / 100; {
	case two/10 == 4 && len(digits) == 13:
		return "422222" // Visa
	case two/10 == 4:
		return "411111"
	case two >= 51 && two <= 55:
		return "555555" // Mastercard
	case lead >= 2221 && lead <= 2720:
		return "222300"
	case two == 34, two == 37:
		return "378282" // American Express
	case lead >= 3000 && lead <= 3059:
		return "305693" // Diners Club
	case two == 36, two == 38, two == 39:
		return "385200"
	case lead >= 3528 && lead <= 3589:
		return "353011" // JCB
	case lead == 6011, two == 64, two == 65:
		return "601111" // Discover
	case two == 62, two == 81:
		return "620000" // UnionPay
	case two == 50, two >= 56 && two <= 69:
		return "675964" // Maestro
	}
	return "999999"
}

// A cardPermutation permutes the digits before the check digit among themselves
// (FF1) and keeps the check digit's distance from the right one, so different
// numbers stay different and invalid ones invalid. What is no card number is
// permuted as fpe does.
type cardPermutation struct {
	nets [longestCard + 1]*network // by length
	rest *format
}

func newCardPermutation(d *draft, c cipher.Block) *cardPermutation {
	p := &cardPermutation{rest: newFormat(d, "card", false)}
	for n := shortestCard; n <= longestCard; n++ {
		u := (n - 1) / 2
		p.nets[n] = newNetwork(c, 10, u, n-1-u, [2]uint64{tens(u), tens(n - 1 - u)}, []byte("card"))
	}
	return p
}

// tens is a power of ten below 2^63.
func tens(n int) uint64 {
	x := uint64(1)
	for range n {
		x *= 10
	}
	return x
}

func (p *cardPermutation) append(w *Worker, dst, value []byte) ([]byte, error) {
	if !w.cardDigits(value) {
		return p.rest.append(w, dst, value)
	}
	digits, n := w.figures, len(w.figures)
	off := digits[n-1] + 10 - luhn(digits[:n-1])
	u := (n - 1) / 2
	a, b := decimalOf(digits[:u]), decimalOf(digits[u:n-1])
	a, b = p.nets[n].permute(&w.scratch, a, b)
	spellDecimal(digits[:u], a)
	spellDecimal(digits[u:n-1], b)
	digits[n-1] = (luhn(digits[:n-1]) + off) % 10
	return dress(dst, value, digits, false), nil
}

func decimalOf(digits []byte) uint64 {
	var x uint64
	for _, d := range digits {
		x = x*10 + uint64(d)
	}
	return x
}

func spellDecimal(digits []byte, x uint64) {
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i], x = byte(x%10), x/10
	}
}

func (p *cardPermutation) keeps(value []byte) bool { return !hasSubstance(value) }

func (p *cardPermutation) chanceOf(value []byte) float64 {
	w := &Worker{}
	if !w.cardDigits(value) {
		return p.rest.chanceOf(value)
	}
	return oneIn(float64(tens(len(w.figures) - 1)))
}

func readCard(o *options) string { return o.choice("bin", "test", "test", "permute") }

func buildCard(d *draft) (recipe, *Refusal) {
	if readCard(&d.options) == "permute" {
		if d.limits.Kind == schema.Integer {
			return nil, &Refusal{Reason: "bin: permute takes text columns only", Hint: "use fpe, or bin: test where the column is not unique"}
		}
		sub := d.key.subkey(purposeFormat, d.spec.Domain, "card")
		d.chance = oneIn(10)
		d.text = "permutation of the card numbers of one length, check digit as right as it was"
		return newCardPermutation(d, newCipher(sub[:])), nil
	}
	if d.limits.Unique && d.limits.Rows != 1 {
		free := longestCard - 3 - issuerDigits - 1 // of the usual sixteen
		return nil, d.fewReserved(fmt.Sprintf("the test numbers of a brand have %d free digits", free), int(float64(free)*bitsPerDigit),
			"bin: permute keeps it unique; its numbers may be ones that a bank has issued")
	}
	d.text = "test number of the same brand and length, check digit as right as it was"
	if d.limits.Kind == schema.Integer {
		return &card{&postNumber{d.limits}}, nil
	}
	return &card{}, nil
}

// fewReserved is the refusal of a unique column whose fakes come from reserved
// space that is too small.
func (d *draft) fewReserved(space string, has int, hint string) *Refusal {
	rows := "an unknown number of rows needs"
	if d.limits.Rows > 0 {
		rows = fmt.Sprintf("%d rows need", d.limits.Rows)
	}
	return &Refusal{Reason: fmt.Sprintf("the column is unique, and %s: %d bits; %s %d", space, has, rows, bitsNeeded(d.limits.Rows)), Hint: hint}
}
