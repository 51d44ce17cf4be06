package sqlite

import (
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

func TestParse(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:shop.db": "shop.db", "sqlite:./file:x.db": "./file:x.db", "sqlite:file%3Ax.db": "file:x.db", "sqlite:///srv/shop.db": "/srv/shop.db", "sqlite:/srv/a%20b%23.db": "/srv/a b#.db", "sqlite:./x/../y.db": "./x/../y.db",
	} {
		got, err := parse(url)
		if err != nil || got.path != want || got.Schema() != "main" || got.Insecure() {
			t.Errorf("%s: %v %v", url, got, err)
			continue
		}
		if back, err := parse(got.String()); err != nil || back.path != want {
			t.Errorf("%s shows as %s, which reads as %v %v", url, got, back, err)
		}
	}
	for _, url := range []string{"", "sqlite:", "sqlite://host/x.db", "sqlite:x.db?mode=ro", "sqlite:x.db#f", "sqlite:a%zz", "sqlite::memory:", "sqlite:dir/", "file:x.db", "sqlite:file:x.db", "sqlite:file:/srv/x.db", "sqlite:a%00b"} {
		if _, err := parse(url); engine.CodeOf(err) != engine.Syntax {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestInstant(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	const now = "'2024-05-06 07:08:09'"
	for text, want := range map[string]string{
		"at > datetime('now', '-30 days')":           "at > datetime(" + now + ", '-30 days')",
		"at > date('NOW') or status = 'now'":         "at > date(" + now + ") or status = 'now'",
		"at > now()":                                 "at > " + now,
		"at > datetime(now(), '-1 day')":             "at > datetime(" + now + ", '-1 day')",
		"at < current_timestamp and d=CURRENT_DATE":  "at < " + now + " and d='2024-05-06'",
		"julianday() - julianday(at) < 5":            "julianday(" + now + ") - julianday(at) < 5",
		"strftime('%Y', 'now') = strftime('%Y', at)": "strftime('%Y', " + now + ") = strftime('%Y', at)",
		"strftime('%Y') = y":                         "strftime('%Y', " + now + ") = y",
		"coalesce(x, 'now') = 'now'":                 "coalesce(x, 'now') = 'now'",
		`"now" = 'it''s now()'`:                      `"now" = 'it''s now()'`,
	} {
		if got := instant(text, at); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// FuzzForm: canonical text that is written back reads as the same text.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "0", "-0", "1.50", "1e5", "true", "NULL", "\x00", "9223372036854775808", "A0EE", "12345678901234567890.12"} {
		for k := range schema.Kinds {
			f.Add(s, k)
		}
	}
	f.Fuzz(func(t *testing.T, text string, k int) {
		kind := schema.Kinds[uint(k)%uint(len(schema.Kinds))]
		x := newForm([]schema.Column{{Kind: kind, Scale: -1, Type: "TEXT"}})
		once := x.Append(nil, []byte(text), 0)
		read := append([]byte{}, x.Value(nil, once, 0)...)
		again := x.Value(nil, x.Append(nil, read, 0), 0)
		if string(read) != string(again) {
			t.Errorf("%s %q reads as %q, then as %q", kind, text, read, again)
		}
		if (kind == schema.Text || kind == schema.Bytes || kind == schema.JSON) && string(read) != text {
			t.Errorf("%s %q reads as %q", kind, text, read)
		}
		if _, rest := decode(once); len(rest) != 0 {
			t.Errorf("%s %q leaves %d bytes", kind, text, len(rest))
		}
	})
}

// FuzzTokens: tokens cover the text, in order, and never panic.
func FuzzTokens(f *testing.F) {
	for _, s := range []string{"a 'b''c' \"d\" [e] `f` x'00' 1.5e-3 /* g */ -- h\n ?1 :i @j", "'", "\"", "[", "/*", "x'", "0x", "1e", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		at := 0
		for _, x := range tokens(sql) {
			if x.start < at || x.text == "" || sql[x.start:x.start+len(x.text)] != x.text || strings.Trim(sql[at:x.start], " \t\n\r\f") != "" {
				t.Fatalf("token %+v after %d", x, at)
			}
			at = x.start + len(x.text)
		}
		if strings.Trim(sql[at:], " \t\n\r\f") != "" {
			t.Fatalf("the end %q is in no token", sql[at:])
		}
		_ = parseTable("t", sql)
		_ = instant(sql, time.Unix(0, 0))
	})
}
