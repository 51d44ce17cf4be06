package mask

import "fmt"

// An account becomes an IBAN of the same country, length and classes of
// characters. Its bank code begins with 99 or ZZ, which countries leave unused;
// the rest is drawn from the number. Check digits, the national ones of Belgium,
// France, Italy, Monaco, Portugal, San Marino, Slovenia, Spain and the western
// Balkans among them, keep their distance from the right ones, so a valid number
// stays valid and an invalid one invalid. Elsewhere a fake is valid as far as
// modulo 97 goes. Blanks and case stay. What is no IBAN keeps its shape as a
// postcode does.
//
// Where the column is unique, the characters are permuted instead (FF1).
type account struct{ permuted *format }

const (
	shortestIBAN = 15
	longestIBAN  = 34
	ibanHead     = 4 // country and check digits
)

func (a *account) append(w *Worker, dst, value []byte) ([]byte, error) {
	if !w.iban(value) {
		if a.permuted != nil {
			return a.permuted.append(w, dst, value)
		}
		hi, lo := w.draw(value)
		return appendAlike(dst, value, hi, lo), nil
	}
	original := w.compact
	w.made = append(w.made[:0], original...)
	made := w.made
	checks := nationalChecks(original)
	if a.permuted != nil {
		if err := a.permute(w, checks); err != nil {
			return dst, err
		}
	} else {
		hi, lo := w.mask.mac.sum(&w.scratch, original)
		d := &dice{word: hi, next: lo}
		from := bankCode(original)
		for i := ibanHead; i < len(made); i++ {
			made[i], _ = d.like(rune(made[i]))
		}
		for _, i := range []int{from, from + 1} {
			made[i] = map[bool]byte{true: '9', false: 'Z'}[original[i]-'0' < 10]
		}
	}
	complete(made, original, checks)
	if a.permuted == nil && string(made) == string(original) {
		i := len(made) - 1
		for ; isCheck(i, checks); i-- {
		}
		made[i] = following(made[i])
		complete(made, original, checks)
	}
	return redress(dst, value, made), nil
}

// permute puts the permutation of what is neither country nor check digit into w.made.
func (a *account) permute(w *Worker, checks []nationalCheck) error {
	w.payload = w.payload[:0]
	for i := ibanHead; i < len(w.made); i++ {
		if !isCheck(i, checks) {
			w.payload = append(w.payload, w.made[i])
		}
	}
	n := len(w.payload)
	out, err := a.permuted.append(w, w.payload, w.payload)
	if err != nil {
		return err
	}
	w.payload = out
	for i, k := ibanHead, n; i < len(w.made); i++ {
		if !isCheck(i, checks) {
			w.made[i], k = out[k], k+1
		}
	}
	return nil
}

// iban puts the characters of an IBAN, in capitals and without blanks, into
// w.compact; it tells whether the value is one by its shape.
func (w *Worker) iban(value []byte) bool {
	c := w.compact[:0]
	for _, b := range value {
		switch {
		case b-'0' < 10, b-'A' < 26:
			c = append(c, b)
		case b-'a' < 26:
			c = append(c, b-'a'+'A')
		case b != ' ':
			return false
		}
	}
	w.compact = c
	return len(c) >= shortestIBAN && len(c) <= longestIBAN && c[0] >= 'A' && c[1] >= 'A' && c[2] <= '9' && c[3] <= '9'
}

// bankCode is where the bank code begins.
func bankCode(iban []byte) int {
	if c := string(iban[:2]); c == "IT" || c == "SM" {
		return ibanHead + 1
	}
	return ibanHead
}

// redress puts the characters back where the value had some, in its case.
func redress(dst, value, made []byte) []byte {
	i := 0
	for _, c := range value {
		switch {
		case c-'a' < 26:
			dst = append(dst, lower(made[i]))
		case c-'A' < 26 || c-'0' < 10:
			dst = append(dst, made[i])
		default:
			dst = append(dst, c)
			continue
		}
		i++
	}
	return dst
}

// complete writes check digits that are as far from the right ones as those of
// the original are.
func complete(made, original []byte, checks []nationalCheck) {
	for _, c := range checks {
		off := c.read(original) - c.right(original[ibanHead:])
		c.write(made, c.right(made[ibanHead:])+off)
	}
	off := int(original[2]-'0')*10 + int(original[3]-'0') - ibanCheck(original)
	n := (ibanCheck(made) + off + 100) % 100
	made[2], made[3] = byte('0'+n/10), byte('0'+n%10)
}

// ibanCheck is the pair of digits that make an IBAN valid (ISO 13616).
func ibanCheck(iban []byte) int {
	rest := remainder(0, iban[ibanHead:])
	rest = remainder(rest, iban[:2])
	return 98 - rest*100%97
}

// remainder goes on dividing by 97; letters count as 10 to 35.
func remainder(rest int, text []byte) int {
	for _, c := range text {
		if c <= '9' {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return rest
}

// A nationalCheck is a check inside a country's own account number.
type nationalCheck struct {
	at, width int // in the IBAN
	size      int // how many values its characters can have: 10, 100, or 26 for a letter
	right     func(account []byte) int
}

func (c nationalCheck) read(iban []byte) int {
	if c.size == 26 {
		return int(iban[c.at] - 'A')
	}
	return decimals(iban[c.at : c.at+c.width])
}

func (c nationalCheck) write(iban []byte, n int) {
	n = (n%c.size + c.size) % c.size
	if c.size == 26 {
		iban[c.at] = byte('A' + n)
		return
	}
	for i := c.at + c.width - 1; i >= c.at; i-- {
		iban[i], n = byte('0'+n%10), n/10
	}
}

func isCheck(i int, checks []nationalCheck) bool {
	for _, c := range checks {
		if i >= c.at && i < c.at+c.width {
			return true
		}
	}
	return false
}

func decimals(digits []byte) int {
	n := 0
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}

// nationalChecks gives the checks of a country's account numbers; none where
// the number does not have the country's form.
func nationalChecks(iban []byte) []nationalCheck {
	country, account := string(iban[:2]), iban[ibanHead:]
	n := len(account)
	plain := true
	for _, c := range account {
		plain = plain && c <= '9'
	}
	last := nationalCheck{at: ibanHead + n - 2, width: 2, size: 100}
	pair := account[n-2] <= '9' && account[n-1] <= '9'
	switch country {
	case "BE":
		last.right = belgian
		if plain && n == 12 {
			return []nationalCheck{last}
		}
	case "FR", "MC":
		last.right = french
		if pair && n == 23 {
			return []nationalCheck{last}
		}
	case "ES":
		if plain && n == 20 {
			return []nationalCheck{{ibanHead + 8, 1, 10, spanishBank}, {ibanHead + 9, 1, 10, spanishAccount}}
		}
	case "IT", "SM":
		if n == 23 && account[0] >= 'A' {
			return []nationalCheck{{ibanHead, 1, 26, italian}}
		}
	case "PT", "SI", "BA", "ME", "MK", "RS", "XK":
		last.right = closing
		if pair && n == map[string]int{"PT": 21, "SI": 15, "BA": 16, "ME": 18, "MK": 15, "RS": 18, "XK": 16}[country] {
			return []nationalCheck{last}
		}
	}
	return nil
}

// closing is the pair of digits that leaves 1 when the whole is divided by 97.
func closing(account []byte) int { return 98 - remainder(0, account[:len(account)-2])*100%97 }

func belgian(account []byte) int {
	if n := remainder(0, account[:10]); n > 0 {
		return n
	}
	return 97
}

// french is the key of a relevé d'identité bancaire: letters stand for the digits
// 1 to 9, three alphabets' worth.
func french(account []byte) int {
	value := func(part []byte) int {
		rest := 0
		for _, c := range part {
			d := int(c - '0')
			if c >= 'A' {
				if d = int(c-'A') + 1; d > 18 {
					d -= 17 // S is 2
				} else if d > 9 {
					d -= 9
				}
			}
			rest = (rest*10 + d) % 97
		}
		return rest
	}
	return 97 - (89*value(account[:5])+15*value(account[5:10])+3*value(account[10:21]))%97
}

func spanishBank(account []byte) int    { return spanish(account[:8], 2) }
func spanishAccount(account []byte) int { return spanish(account[10:], 0) }

func spanish(digits []byte, from int) int {
	sum := 0
	for i, c := range digits {
		sum += int(c-'0') * [10]int{1, 2, 4, 8, 5, 10, 9, 7, 3, 6}[from+i]
	}
	switch n := 11 - sum%11; n {
	case 10:
		return 1
	case 11:
		return 0
	default:
		return n
	}
}

// italian is the CIN, a letter: characters at odd places count by a table.
func italian(account []byte) int {
	odd := [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i, c := range account[1:] {
		n := int(c - '0')
		if c >= 'A' {
			n = int(c - 'A')
		}
		if i%2 == 0 {
			n = odd[n]
		}
		sum += n
	}
	return sum % 26
}

func (a *account) keeps(value []byte) bool { return !hasSubstance(value) }

func (a *account) chanceOf(value []byte) float64 {
	if a.permuted == nil {
		return 0
	}
	w := &Worker{}
	if !w.iban(value) {
		return a.permuted.chanceOf(value)
	}
	checks := nationalChecks(w.compact)
	for i := ibanHead; i < len(w.compact); i++ {
		if !isCheck(i, checks) {
			w.payload = append(w.payload, w.compact[i])
		}
	}
	return a.permuted.chanceOf(w.payload)
}

func readAccount(o *options) string { return o.choice("bank", "fictional", "fictional", "permute") }

func buildAccount(d *draft) (recipe, *Refusal) {
	if readAccount(&d.options) == "permute" {
		d.chance = oneIn(10)
		d.text = "permutation of the account numbers of a country, check digits as right as they were"
		return &account{newFormat(d, "iban", false)}, nil
	}
	if d.limits.Unique && d.limits.Rows != 1 {
		const free = 8 // of a Belgian number; they differ from country to country
		return nil, d.fewReserved(fmt.Sprintf("fictional account numbers have as few as %d free digits", free), free*33/10,
			"bank: permute keeps it unique; its bank codes may be real ones")
	}
	d.text = "account of a fictional bank in the same country, check digits as right as they were"
	return &account{}, nil
}
