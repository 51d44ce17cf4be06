// Package canarytest plants values that can be told from chance in a database
// and searches files, texts and folders for them, in every form in which a
// value tends to escape: as it is, in either case, in hexadecimal, in base64,
// in UTF-16, percent-encoded, as a binary integer, inside gzip.
//
// A search that finds nothing proves something only beside a search that finds
// everything: MissingNone on the source is the control for FoundNone on the
// target. Only test files import the package.
package canarytest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// shortest is the length in bytes under which a pattern would be met by chance:
// six bytes turn up once in 2^48 places, and a data directory has some 2^30.
const shortest = 6

// List is a set of canaries. Plant all of them before the first search; a List
// is then safe to use from several goroutines.
type List struct {
	names    []string
	patterns []pattern
	machine  *automaton // made at the first search, dropped by Plant
}

// pattern is one form of one canary.
type pattern struct {
	canary int
	form   string
	bytes  []byte
}

// New gives an empty list.
func New() *List { return &List{} }

// Text makes and plants a canary of n letters and digits (at least 6): put it
// into the column that name names. Letters are upper case.
func (l *List) Text(t testing.TB, name string, n int) string {
	t.Helper()
	text := rand.Text()
	for len(text) < n {
		text += rand.Text()
	}
	return l.Plant(t, name, text[:n])
}

// Email plants the local part of an address that it makes under example.org:
// a mask may keep the domain.
func (l *List) Email(t testing.TB, name string) string {
	t.Helper()
	return strings.ToLower(l.Text(t, name, 14)) + "@example.org"
}

// Number makes and plants a canary of n decimal digits, 9 to 18, the first not
// zero. It is also searched for as a binary integer of eight bytes.
func (l *List) Number(t testing.TB, name string, n int) int64 {
	t.Helper()
	if n < 9 || n > 18 {
		t.Fatalf("canary %s: %d digits; 9 to 18 can be told from chance and fit", name, n)
	}
	low := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n-1)), nil)
	span := new(big.Int).Mul(low, big.NewInt(9))
	r, err := rand.Int(rand.Reader, span)
	if err != nil {
		t.Fatal(err)
	}
	v := r.Add(r, low).Int64()
	l.Plant(t, name, strconv.FormatInt(v, 10))
	var big, little [8]byte
	binary.BigEndian.PutUint64(big[:], uint64(v))
	binary.LittleEndian.PutUint64(little[:], uint64(v))
	if v > 1<<32 { // fewer bytes are mostly zeros, and those are everywhere
		l.add("big-endian integer", big[:])
		l.add("little-endian integer", little[:])
	}
	return v
}

// Plant adds a value of the caller's making and gives it back.
func (l *List) Plant(t testing.TB, name, value string) string {
	t.Helper()
	if len(value) < shortest {
		t.Fatalf("canary %s: %d bytes cannot be told from chance; give it at least %d", name, len(value), shortest)
	}
	l.names = append(l.names, name)
	raw := []byte(value)
	l.add("plain", raw)
	l.add("hexadecimal", []byte(hex.EncodeToString(raw)))
	for shift := range 3 {
		l.add("base64", inBase64(base64.StdEncoding, raw, shift))
		l.add("base64", inBase64(base64.URLEncoding, raw, shift))
	}
	l.add("UTF-16LE", inUTF16(value, binary.LittleEndian))
	l.add("UTF-16BE", inUTF16(value, binary.BigEndian))
	l.add("percent-encoded", []byte(url.QueryEscape(value)))
	l.add("quoted", []byte(strings.Trim(strconv.QuoteToASCII(value), `"`)))
	return value
}

// add adds a form of the newest canary unless an equal one is there.
func (l *List) add(form string, b []byte) {
	canary := len(l.names) - 1
	b = lower(b)
	if slices.ContainsFunc(l.patterns, func(p pattern) bool { return p.canary == canary && bytes.Equal(p.bytes, b) }) {
		return
	}
	l.patterns = append(l.patterns, pattern{canary: canary, form: form, bytes: b})
	l.machine = nil
}

// inBase64 gives the characters that encode raw when it begins shift bytes
// after a multiple of three, without those that its neighbours have a part in.
func inBase64(e *base64.Encoding, raw []byte, shift int) []byte {
	padded := append(make([]byte, shift), raw...)
	text := e.WithPadding(base64.NoPadding).EncodeToString(padded)
	from, to := (8*shift+5)/6, 8*len(padded)/6
	return []byte(text[from:to])
}

func inUTF16(value string, order binary.AppendByteOrder) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(value)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

// lower folds ASCII letters, so that a search meets a value in either case.
func lower(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = fold(c)
	}
	return out
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Hit is one place where a canary was met.
type Hit struct {
	Canary string // its name, never its value
	Form   string // the encoding it was met in
	Where  string // the file or the text
	Offset int64  // of its first byte; within the uncompressed content where Where ends in " (gunzipped)"
}

// String tells the hit in a line.
func (h Hit) String() string {
	return fmt.Sprintf("%s, %s, at byte %d of %s", h.Canary, h.Form, h.Offset, h.Where)
}

// FoundNone fails the test if a canary was met. What says what was searched.
func (l *List) FoundNone(t testing.TB, what string, hits []Hit) {
	t.Helper()
	for i, h := range hits {
		if i == 20 {
			t.Errorf("%s: and %d more", what, len(hits)-i)
			break
		}
		t.Errorf("%s: found %s", what, h)
	}
}

// MissingNone fails the test if a canary was not met: the control that shows
// that the search can find what is there.
func (l *List) MissingNone(t testing.TB, what string, hits []Hit) {
	t.Helper()
	if len(l.names) == 0 {
		t.Errorf("%s: no canary was planted", what)
	}
	met := map[string]bool{}
	for _, h := range hits {
		met[h.Canary] = true
	}
	for _, name := range l.names {
		if !met[name] {
			t.Errorf("%s: canary %s was not found", what, name)
		}
	}
}
