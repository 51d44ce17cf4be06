package mask

import "slices"

// A nationalID becomes a number that a country's scheme never gives out, in the
// form of the scheme, with its check digits. Separators and case stay. A value
// that does not have the scheme's form keeps its own, as a postcode does.
type nationalID struct{ scheme idScheme }

// An idScheme is a country's numbering of people.
type idScheme struct {
	name, doc string
	form      string // 9 for a digit, A for a letter
	fill      func(id []byte, d *dice)
}

// idSchemes are those whose unused numbers are known.
func idSchemes() []idScheme {
	return []idScheme{
		{"us_ssn", "areas 900 to 999 with groups 01 to 49, which are neither social security numbers nor ITINs", "999999999", fillSSN},
		{"ca_sin", "numbers that begin with 0, which are kept for fiction", "999999999", fillSIN},
		{"gb_nhs", "numbers that begin with 999, which are kept for tests", "9999999999", fillNHS},
		{"gb_nino", "the prefix QQ, which is not given out", "AA999999A", fillNINO},
		{"de_tax_id", "numbers that begin with 0, which are kept for tests", "99999999999", fillTaxID},
		{"in_aadhaar", "numbers that begin with 0 or 1, which are not given out", "999999999999", fillAadhaar},
	}
}

func (n *nationalID) append(w *Worker, dst, value []byte) ([]byte, error) {
	if !w.inForm(value, n.scheme.form) {
		hi, lo := w.draw(value)
		return appendAlike(dst, value, hi, lo), nil
	}
	hi, lo := w.mask.mac.sum(&w.scratch, w.compact)
	w.dice = dice{word: hi, next: lo}
	w.made = append(w.made[:0], w.compact...)
	for range tries {
		if n.scheme.fill(w.made, &w.dice); string(w.made) != string(w.compact) {
			break
		}
	}
	return redress(dst, value, w.made), nil
}

// inForm puts letters, in capitals, and digits into w.compact; it tells whether
// they have a form and nothing but the usual separators stands between them.
func (w *Worker) inForm(value []byte, form string) bool {
	w.compact = w.compact[:0]
	for _, c := range value {
		var class byte
		switch {
		case c-'0' < 10:
			class = '9'
		case lower(c)-'a' < 26:
			class, c = 'A', lower(c)-'a'+'A'
		case c == ' ' || c == '-' || c == '.' || c == '/':
			continue
		}
		if i := len(w.compact); class == 0 || i == len(form) || form[i] != class {
			return false
		}
		w.compact = append(w.compact, c)
	}
	return len(w.compact) == len(form)
}

func (n *nationalID) keeps(value []byte) bool { return !hasSubstance(value) }

func roll(id []byte, d *dice) {
	for i := range id {
		id[i] = '0' + d.roll(10)
	}
}

func fillSSN(id []byte, d *dice) {
	id[0] = '9'
	roll(id[1:3], d)
	group := 1 + d.roll(49)
	id[3], id[4] = '0'+group/10, '0'+group%10
	if roll(id[5:], d); string(id[5:]) == "0000" {
		id[8] = '1'
	}
}

func fillSIN(id []byte, d *dice) {
	id[0] = '0'
	roll(id[1:8], d)
	var payload [8]byte
	for i := range payload {
		payload[i] = id[i] - '0'
	}
	id[8] = '0' + luhn(payload[:])
}

func fillNHS(id []byte, d *dice) {
	copy(id, "999")
	roll(id[3:9], d)
	for {
		sum := 0
		for i, c := range id[:9] {
			sum += int(c-'0') * (10 - i)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			id[9] = byte('0' + check)
			return
		}
		id[8] = following(id[8]) // a remainder that has no digit
	}
}

func fillNINO(id []byte, d *dice) {
	copy(id, "QQ")
	roll(id[2:8], d)
	id[8] = 'A' + d.roll(4)
}

// fillTaxID gives ten digits of which one comes twice and one not at all, as the
// scheme asks, and a check digit by ISO 7064, modulo 11,10.
func fillTaxID(id []byte, d *dice) {
	copy(id, "0123456789")
	for i := 9; i > 1; i-- {
		j := 1 + int(d.roll(uint64(i)))
		id[i], id[j] = id[j], id[i]
	}
	from, to := d.roll(9), d.roll(8)
	id[1+(from+1+to)%9] = id[1+from]
	product := 10
	for _, c := range id[:10] {
		sum := (int(c-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	id[10] = byte('0' + (11-product)%10)
}

func fillAadhaar(id []byte, d *dice) {
	id[0] = '0' + d.roll(2)
	roll(id[1:11], d)
	id[11] = verhoeff(id[:11])
}

// verhoeff is the check digit of Verhoeff's scheme, over the dihedral group of
// ten elements.
func verhoeff(digits []byte) byte {
	shift := [8][10]byte{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}}
	for i := 2; i < 8; i++ {
		for k := range 10 {
			shift[i][k] = shift[1][shift[i-1][k]]
		}
	}
	c := byte(0)
	for i := range digits {
		c = dihedral(c, shift[(i+1)%8][digits[len(digits)-1-i]-'0'])
	}
	if c > 0 && c < 5 {
		c = 5 - c // its inverse
	}
	return '0' + c
}

// dihedral multiplies rotations (0 to 4) and reflections (5 to 9) of a pentagon.
func dihedral(a, b byte) byte {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-b)%5
	}
	return (a - b + 5) % 5
}

func readNational(o *options) idScheme {
	var names []string
	for _, s := range idSchemes() {
		names = append(names, s.name)
	}
	if o.required("scheme"); o.given["scheme"] == "" {
		return idScheme{}
	}
	name := o.choice("scheme", names[0], names...)
	i := slices.IndexFunc(idSchemes(), func(s idScheme) bool { return s.name == name })
	return idSchemes()[i]
}

func buildNational(d *draft) (recipe, *Refusal) {
	s := readNational(&d.options)
	if s.name == "" {
		return nil, &Refusal{Reason: "the scheme is empty", Hint: "use fpe, which needs none"}
	}
	d.text = s.doc
	return &nationalID{s}, nil
}
