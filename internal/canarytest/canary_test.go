package canarytest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"understudy/internal/canarytest"
)

// noise has every byte and none of the canaries.
func noise(n int) string {
	r := rand.New(rand.NewPCG(7, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func TestEveryFormIsFound(t *testing.T) {
	l := canarytest.New()
	word := l.Text(t, "name", 12)
	other := l.Plant(t, "street", "Zum Grünen Tor 7/b")
	number := l.Number(t, "account", 12)
	forms := map[string]func(v string) string{
		"plain":       func(v string) string { return v },
		"upper":       strings.ToUpper,
		"lower":       strings.ToLower,
		"hex":         func(v string) string { return hex.EncodeToString([]byte(v)) },
		"hex upper":   func(v string) string { return strings.ToUpper(hex.EncodeToString([]byte(v))) },
		"base64":      func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) },
		"base64 +1":   func(v string) string { return base64.StdEncoding.EncodeToString([]byte("x" + v + "yz")) },
		"base64 +2":   func(v string) string { return base64.URLEncoding.EncodeToString([]byte("xy" + v + "z")) },
		"utf-16le":    func(v string) string { return wide(v, binary.LittleEndian) },
		"utf-16be":    func(v string) string { return wide(v, binary.BigEndian) },
		"percent":     url.QueryEscape,
		"json-quoted": strconv.QuoteToASCII,
	}
	for form, encode := range forms {
		for name, value := range map[string]string{"name": word, "street": other, "account": strconv.FormatInt(number, 10)} {
			if name == "street" && (form == "upper" || form == "lower") {
				continue // folding knows ASCII only
			}
			hits := l.InText("text", noise(1000)+encode(value)+noise(1000))
			if !slices.ContainsFunc(hits, func(h canarytest.Hit) bool { return h.Canary == name }) {
				t.Errorf("%s is not found as %s", name, form)
			}
		}
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		if hits := l.InText("text", noise(99)+string(order.AppendUint64(nil, uint64(number)))); len(hits) != 1 {
			t.Errorf("a binary integer gives %d hits", len(hits))
		}
	}
}

func wide(v string, order binary.AppendByteOrder) string {
	var out []byte
	for _, u := range utf16.Encode([]rune(v)) {
		out = order.AppendUint16(out, u)
	}
	return string(out)
}

func TestNothingIsFoundInNoise(t *testing.T) {
	l := canarytest.New()
	for i := range 50 {
		l.Text(t, "text"+strconv.Itoa(i), 8)
		l.Number(t, "number"+strconv.Itoa(i), 9)
	}
	if hits := l.InText("noise", noise(4<<20)); len(hits) > 0 {
		t.Errorf("found %v", hits)
	}
}

func TestHitsTellThePlaceAndNotTheValue(t *testing.T) {
	l := canarytest.New()
	v := l.Text(t, "public.customer.email", 10)
	hits, err := l.InReader("a.log", iotest.OneByteReader(strings.NewReader("0123456789"+v)))
	if err != nil || len(hits) != 1 || hits[0].Offset != 10 {
		t.Fatalf("%v, %v", hits, err)
	}
	if s := hits[0].String(); strings.Contains(s, v) || !strings.Contains(s, "public.customer.email") || !strings.Contains(s, "a.log") {
		t.Errorf("told as %q", s)
	}
}

func TestOverlappingCanariesAreAllFound(t *testing.T) {
	l := canarytest.New()
	l.Plant(t, "long", "abcdefghij")
	l.Plant(t, "inside", "cdefgh")
	l.Plant(t, "tail", "efghij")
	l.Plant(t, "across", "hijklm")
	l.MissingNone(t, "overlapping", l.InText("text", "xabcdefghijklmx"))
}

func TestFilesFoldersAndArchivesAreSearched(t *testing.T) {
	l := canarytest.New()
	plain, packed, named := l.Text(t, "plain", 12), l.Text(t, "packed", 12), l.Text(t, "named", 12)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := gzip.NewWriter(&archive)
	_, _ = w.Write([]byte(noise(5000) + packed))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"a/plain.txt": []byte(plain), "a/b/dump.sql.gz": archive.Bytes(), "a/" + named: nil} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.MissingNone(t, "the folder", l.InFiles(t, dir))
}
