package mask

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"understudy/internal/schema"
)

// Numbers that their schemes publish as valid, with the national checks that
// this package knows.
func accounts() []string {
	return []string{"DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606", "ES9121000418450200051332",
		"IT60X0542811101000000123456", "BE68539007547034", "NL91ABNA0417164300", "PT50000201231234567890154", "SI56263300012039086",
		"BA391290079401028494", "ME25505000012345678951", "MK07250120000058984", "RS35260005601001611379", "XK051212012345678906",
		"MC5811222000010123456789030", "SM86U0322509800000000270100", "NO9386011117947", "CH9300762011623852957", "PL61109010140000071219812874", "MT84MALT011000012345MTLCAST001S"}
}

func validAccount(compact string) bool {
	iban := []byte(compact)
	if int(iban[2]-'0')*10+int(iban[3]-'0') != ibanCheck(iban) {
		return false
	}
	for _, c := range nationalChecks(iban) {
		if c.read(iban) != c.right(iban[ibanHead:])%c.size {
			return false
		}
	}
	return true
}

func TestChecksAgreeWithPublishedNumbers(t *testing.T) {
	national := 0
	for _, a := range accounts() {
		if !validAccount(a) {
			t.Errorf("%s: not valid", a)
		}
		national += len(nationalChecks([]byte(a)))
	}
	if national != 14 {
		t.Errorf("%d national checks looked at, want 14", national)
	}
	for _, c := range []string{"4111111111111111", "378282246310005", "30569309025904", "6011111111111117", "3530111333300000", "5555555555554444", "2223000048400011", "046454286"} {
		var payload []byte
		for _, d := range []byte(c[:len(c)-1]) {
			payload = append(payload, d-'0')
		}
		if luhn(payload) != c[len(c)-1]-'0' {
			t.Errorf("%s: not valid", c)
		}
	}
	if verhoeff([]byte("236")) != '3' || verhoeff([]byte("12345")) != '1' {
		t.Error("Verhoeff's examples do not come out")
	}
}

func TestAccountsStayAccounts(t *testing.T) {
	for _, bank := range []string{"fictional", "permute"} {
		m := makeMask(t, "iban", Limits{Kind: schema.Text}, "bank", bank)
		w := m.Worker()
		for _, a := range accounts() {
			f := fake(t, w, a)
			if f == a || f[:2] != a[:2] || shapeOf(f) != shapeOf(a) || !validAccount(f) {
				t.Errorf("%s: %s becomes %s", bank, a, f)
			}
			if at := bankCode([]byte(f)); bank == "fictional" && strings.Trim(f[at:at+2], "9Z") != "" {
				t.Errorf("%s becomes %s, whose bank may be a real one", a, f)
			}
			spaced := strings.ToLower(a[:4]) + " " + a[4:8] + " " + a[8:]
			if g := fake(t, w, spaced); strings.ReplaceAll(strings.ToUpper(g), " ", "") != f || shapeOf(g) != shapeOf(spaced) {
				t.Errorf("%s: %s becomes %s, %s becomes %s", bank, a, f, spaced, g)
			}
			wrong := []byte(a)
			wrong[len(wrong)-1] = following(wrong[len(wrong)-1])
			if g := fake(t, w, string(wrong)); validAccount(g) {
				t.Errorf("%s: an invalid number becomes %s, which is valid", bank, g)
			}
			if g := fake(t, w, f); g == f {
				t.Errorf("%s: %s becomes itself", bank, f)
			}
		}
		for _, v := range []string{"unknown", "DE12", "1234567890", "12-34-56 12345678"} {
			if f := fake(t, w, v); f == v || shapeOf(f) != shapeOf(v) {
				t.Errorf("%s: %s becomes %s", bank, v, f)
			}
		}
		if f := fake(t, w, "--"); f != "--" || !m.Keeps([]byte("--")) {
			t.Errorf("a dash becomes %s", f)
		}
	}
}

func TestCardsStayCards(t *testing.T) {
	brands := map[string]string{
		"4929123412341234": "411111", "4929123412341": "422222", "5105105105105100": "555555", "2720990000000007": "222300", "371449635398431": "378282",
		"30011122233344": "305693", "36006666333344": "385200", "3589123412341234": "353011", "6511123412341234": "601111", "6234123412341234": "620000",
		"6759123412341234567": "675964", "9999123412341234": "999999", "1234567890123": "999999",
	}
	test := makeMask(t, "credit_card", Limits{Kind: schema.Text})
	permuted := makeMask(t, "credit_card", Limits{Kind: schema.Text, Unique: true}, "bin", "permute")
	number := makeMask(t, "credit_card", Limits{Kind: schema.Integer, Max: 1<<63 - 1}).Worker()
	distance := func(card string) int {
		var w Worker
		if !w.cardDigits([]byte(card)) {
			t.Fatalf("%s is no card", card)
		}
		n := len(w.figures)
		return (int(w.figures[n-1]) + 10 - int(luhn(w.figures[:n-1]))) % 10
	}
	for card, issuer := range brands {
		f := fake(t, test.Worker(), card)
		if len(f) != len(card) || !strings.HasPrefix(f, issuer) || distance(f) != distance(card) {
			t.Errorf("%s becomes %s, want one of %s", card, f, issuer)
		}
		written := card[:4] + "-" + card[4:8] + " " + card[8:]
		if g := fake(t, test.Worker(), written); strings.NewReplacer("-", "", " ", "").Replace(g) != f || shapeOf(g) != shapeOf(written) {
			t.Errorf("%s becomes %s, but %s", written, g, f)
		}
		if g := fake(t, number, card); g != f && g == card {
			t.Errorf("%s stays itself as a number", card)
		}
		if g := fake(t, permuted.Worker(), card); g == card || distance(g) != distance(card) || len(g) != len(card) {
			t.Errorf("%s is permuted to %s", card, g)
		}
		if g := fake(t, test.Worker(), f); g == f || !strings.HasPrefix(g, issuer[:1]) {
			t.Errorf("the test number %s becomes %s", f, g)
		}
	}
	for _, v := range []string{"1234", "xxxx-xxxx-xxxx-1234", "n/a", "41111111111111111111"} {
		if f := fake(t, test.Worker(), v); f == v || shapeOf(f) != shapeOf(v) {
			t.Errorf("%s becomes %s", v, f)
		}
	}
}

// Every text has another image, cards, accounts and all else among each other.
func TestPermutedNumbersAreInjective(t *testing.T) {
	for _, c := range []struct{ name, param, pattern string }{
		{"credit_card", "bin", `[0-9]{11,13}|[0-9]{4} [0-9]{8}|[a-z]{0,3}[0-9]{1,2}`},
		{"iban", "bank", `(ES|BE|be|XX)[0-9]{2}[0-9]{12}|IT[0-9]{2}[A-Z][0-9]{22}|[A-Z]{0,2}[0-9]{1,2}`},
	} {
		m := makeMask(t, c.name, Limits{Kind: schema.Text, Unique: true}, c.param, "permute")
		rapid.Check(t, func(t *rapid.T) {
			w, seen := m.Worker(), map[string]string{}
			for _, v := range rapid.SliceOfNDistinct(rapid.StringMatching(c.pattern), 50, 100, func(s string) string { return s }).Draw(t, "values") {
				f := fake(through(t), w, v)
				if before, ok := seen[f]; ok {
					t.Fatalf("%s: %s and %s both become %s", c.name, before, v, f)
				}
				seen[f] = v
			}
		})
	}
	// All numbers that differ in the last digits: the check digit included.
	w, seen := makeMask(t, "credit_card", Limits{Kind: schema.Text, Unique: true}, "bin", "permute").Worker(), map[string]bool{}
	for i := range 20000 {
		f := fake(t, w, fmt.Sprintf("41111111111%05d", i))
		if seen[f] {
			t.Fatal("a number came twice")
		}
		seen[f] = true
	}
}

func TestNationalIDsAreNeverGivenOut(t *testing.T) {
	digits := func(s string) string { return strings.Map(keepDigits, s) }
	for _, c := range []struct {
		scheme, value string
		good          func(string) bool
	}{
		{"us_ssn", "123-45-6789", func(f string) bool {
			return f[0] == '9' && f[4:6] >= "01" && f[4:6] <= "49" && f[7:] != "0000"
		}},
		{"ca_sin", "123 456 782", func(f string) bool { d := digits(f); return d[0] == '0' && luhnValid(d) }},
		{"gb_nhs", "943 476 5919", func(f string) bool {
			d, sum := digits(f), 0
			for i := range 9 {
				sum += int(d[i]-'0') * (10 - i)
			}
			return d[:3] == "999" && (sum+int(d[9]-'0'))%11 == 0
		}},
		{"gb_nino", "AB 12 34 56 C", func(f string) bool { return f[:2] == "QQ" && f[12] >= 'A' && f[12] <= 'D' }},
		{"de_tax_id", "86 095 742 719", func(f string) bool { return digits(f)[0] == '0' && taxIDValid(digits(f)) }},
		{"in_aadhaar", "2341 2341 2346", func(f string) bool {
			d := digits(f)
			return d[0] <= '1' && verhoeff([]byte(d[:11])) == d[11]
		}},
	} {
		m := makeMask(t, "national_id", Limits{Kind: schema.Text}, "scheme", c.scheme)
		w, v := m.Worker(), c.value
		for range 3000 {
			f := fake(t, w, v)
			if shapeOf(f) != shapeOf(c.value) || !c.good(f) || f == v {
				t.Fatalf("%s: %s becomes %s", c.scheme, v, f)
			}
			v = f
		}
		if f := fake(t, w, "AB-1"); f == "AB-1" || shapeOf(f) != "AA-0" {
			t.Errorf("%s: another form becomes %s", c.scheme, f)
		}
	}
	if !taxIDValid("86095742719") || !taxIDValid("02476291358") {
		t.Error("the test of tax numbers refuses published ones")
	}
}

func keepDigits(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}

func luhnValid(d string) bool {
	sum := 0
	for i := range d {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			n = n*2/10 + n*2%10
		}
		sum += n
	}
	return sum%10 == 0
}

func taxIDValid(d string) bool {
	counts := map[rune]int{}
	p := 10
	for _, c := range d[:10] {
		counts[c]++
		s := (int(c-'0') + p) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	twice := 0
	for _, n := range counts {
		if n == 2 || n == 3 {
			twice++
		}
	}
	return twice == 1 && (p+int(d[10]-'0'))%10 == 1
}

func TestReservedSpaceRefusesUniqueness(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]string
		limits Limits
		want   string
	}{
		{"credit_card", nil, Limits{Kind: schema.Text, Unique: true, Rows: 5000}, "9 free digits: 29 bits; 5000 rows need 44"},
		{"credit_card", map[string]string{"bin": "permute"}, Limits{Kind: schema.Integer, Unique: true}, "text columns only"},
		{"iban", nil, Limits{Kind: schema.Text, Unique: true, Rows: 5000}, "8 free digits: 26 bits"},
		{"ip", nil, Limits{Kind: schema.Net, Type: "inet", Unique: true, Rows: 5000}, "240.0.0.0/4 has few addresses: 28 bits; 5000 rows need 44"},
		{"ip", nil, Limits{Kind: schema.Net, Type: "cidr", Unique: true, Rows: 5000}, "networks of one length are too few"},
		{"ip", nil, Limits{Kind: schema.Net, Type: "macaddr"}, "hardware addresses"},
		{"ip", nil, Limits{Kind: schema.Text, Length: 14}, "too short"},
		{"mac", nil, Limits{Kind: schema.Net, Type: "inet"}, "network addresses"},
		{"mac", nil, Limits{Kind: schema.Net, Type: "macaddr", Unique: true, Rows: 1000000}, "46 bits; 1000000 rows need 59"},
		{"national_id", map[string]string{"scheme": "us_snn"}, Limits{Kind: schema.Text}, "did you mean us_ssn?"},
		{"national_id", map[string]string{"scheme": "us_ssn"}, Limits{Kind: schema.Text, Unique: true, Rows: 10}, "areas 900 to 999"},
		{"job_title", nil, Limits{Kind: schema.Text, Unique: true, Rows: 10}, "job titles), and the column is unique"},
	} {
		_, err := New(testKey(t, 1), Spec{Mask: c.name, Domain: "d", Params: c.params}, c.limits)
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want) || refusal.Hint == "" {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
