package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"understudy/internal/secret"
)

func TestNewKeyRoundTrip(t *testing.T) {
	k, text, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseKey(secret.New("  " + text.Reveal() + "\n"))
	if err != nil || again != k {
		t.Fatalf("the key does not read back: %v", err)
	}
	if !strings.HasPrefix(text.Reveal(), keyPrefix) || len(text.Reveal()) != 48 {
		t.Error("the text is not usk1_ and 43 characters")
	}
	if f := k.Fingerprint(); len(f) != 16 || f != again.Fingerprint() || f == testKey(t, 1).Fingerprint() {
		t.Errorf("fingerprint %q", f)
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	text := func(raw []byte) string { return keyPrefix + base64.RawURLEncoding.EncodeToString(raw) }
	count := make([]byte, 32)
	for i := range count {
		count[i] = byte(200 - 3*i)
	}
	good := make([]byte, 32)
	if _, err := rand.NewChaCha8([32]byte{9}).Read(good); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty": "", "blank": " \n", "no prefix": strings.TrimPrefix(text(good), keyPrefix), "other prefix": "usk2_" + text(good)[5:],
		"upper prefix": "USK1_" + text(good)[5:], "prefix only": keyPrefix, "31 bytes": text(good[:31]), "33 bytes": text(append(bytes.Clone(good), 1)),
		"zero": text(make([]byte, 32)), "one byte": text(bytes.Repeat([]byte{0xa5}, 32)), "two bytes": text(bytes.Repeat([]byte{1, 0xfe}, 16)),
		"half twice": text(append(bytes.Clone(good[:16]), good[:16]...)), "counting": text(count), "few bytes": text(append(make([]byte, 20), good[:12]...)),
		"readable": text([]byte("correct horse battery staple 123")), "hex": keyPrefix + fmt.Sprintf("%x", good), "padding": text(good) + "=",
		"inner blank": text(good)[:20] + " " + text(good)[20:], "plus": keyPrefix + strings.Repeat("+/", 21) + "A", "loose bits": text(good)[:47] + "B",
	} {
		_, err := ParseKey(secret.New(bad))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if body := strings.TrimPrefix(strings.TrimSpace(bad), keyPrefix); len(body) > 8 && strings.Contains(err.Error(), body[:8]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestKeyDoesNotPrint(t *testing.T) {
	k := testKey(t, 1)
	holder := struct{ K Key }{k}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k, "in", holder)
	out, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(out)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b"} {
		all += fmt.Sprintf(verb, k) + fmt.Sprintf(verb, &k) + fmt.Sprintf(verb, holder)
	}
	for _, form := range []string{"%x", "%X", "%d", "%v", "%s", "%08b"} {
		inner := strings.Trim(fmt.Sprintf(form, k.prk), "[]")
		if strings.Contains(all, inner[:8]) {
			t.Errorf("the key shows in the form of %s", form)
		}
	}
	if !strings.Contains(all, hiddenKey) {
		t.Error("nothing was printed at all")
	}
}

func TestSubkeysAreApart(t *testing.T) {
	k := testKey(t, 1)
	seen := map[[32]byte]string{}
	for _, names := range [][]string{{"prf"}, {"prf", ""}, {"prf", "a"}, {"prf", "a", "b"}, {"prf", "ab"}, {"prfa"}, {"fpe", "a"}, {"fpe", "a", "b"}, {"prf", "b", "a"}} {
		sub := k.subkey(names[0], names[1:]...)
		if other, twice := seen[sub]; twice {
			t.Errorf("%q and %s have one subkey", names, other)
		}
		seen[sub] = fmt.Sprint(names)
	}
}

// A sample is stable, differs between tables and has the share that was asked for.
func TestSampler(t *testing.T) {
	k := testKey(t, 1)
	one, again, other := k.Sampler("public.users"), k.Sampler("public.users"), k.Sampler("public.orders")
	for _, percent := range []float64{0.1, 2, 50} {
		bound := uint64(math.Ldexp(percent/100, 64))
		const n = 200000
		in, both := 0, 0
		for i := range n {
			id := appendNumber(nil, uint64(i))
			h := one.Hash(id)
			if h != again.Hash(id) {
				t.Fatal("two samplers of one table differ")
			}
			if h < bound {
				in++
				if other.Hash(id) < bound {
					both++
				}
			}
		}
		want := n * percent / 100
		if math.Abs(float64(in)-want) > 5*math.Sqrt(want) {
			t.Errorf("%g percent of %d: %d", percent, n, in)
		}
		if want = want * percent / 100; math.Abs(float64(both)-want) > 5*math.Sqrt(want)+5 {
			t.Errorf("%d rows are in the samples of both tables, want about %g", both, want)
		}
	}
	pair := func(a, b string) string {
		return string(AppendPart(AppendPart(nil, []byte(a), false), []byte(b), false))
	}
	if pair("ab", "c") == pair("a", "bc") || string(AppendPart(nil, nil, true)) == string(AppendPart(nil, nil, false)) {
		t.Error("parts run together")
	}
}

// A digest does not depend on order or on how rows are shared out, and notices
// every small change.
func TestDigester(t *testing.T) {
	k := testKey(t, 1)
	rows := make([][]byte, 1000)
	for i := range rows {
		rows[i] = fmt.Appendf(nil, "row %d of some length %s", i, strings.Repeat("x", i%100))
	}
	sum := func(k Key, table string, rows [][]byte) Digest {
		d := k.Digester(table)
		for _, r := range rows {
			d.AddRow(r)
		}
		return d.Sum()
	}
	whole := sum(k, "t", rows)
	shuffled := append([][]byte{}, rows...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if parts := sum(k, "t", shuffled[:300]).Add(sum(k, "t", shuffled[300:])); parts != whole {
		t.Errorf("shuffled and shared out: %s, want %s", parts, whole)
	}
	changed := append([][]byte{}, rows...)
	changed[7] = append(bytes.Clone(rows[7]), ' ')
	twice := append(append([][]byte{}, rows[1:]...), rows[1])
	for name, d := range map[string]Digest{
		"one byte more": sum(k, "t", changed), "one row less": sum(k, "t", rows[1:]), "a row for another": sum(k, "t", twice),
		"another table": sum(k, "u", rows), "another key": sum(testKey(t, 2), "t", rows),
	} {
		if d.hi == whole.hi || d.lo == whole.lo {
			t.Errorf("%s: the digest is the same", name)
		}
	}
	if text, err := whole.MarshalText(); err != nil || string(text) != whole.String() || !strings.HasPrefix(whole.String(), "1000:") {
		t.Errorf("digest %s", whole)
	}
}
