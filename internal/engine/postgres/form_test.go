package postgres

import (
	"bytes"
	"testing"
)

// FuzzForm: what is written is read back, and never breaks out of its field.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "a", "\\", "\\N", "\t\n\r\b\f\v", "\\.", "\x00\xff", "\\x00", "true", "t"} {
		f.Add([]byte(s))
	}
	fm := &form{columns: []translation{asIs, hexed}}
	f.Fuzz(func(t *testing.T, value []byte) {
		for column := range fm.columns {
			encoded := fm.Append(nil, value, column)
			if bytes.ContainsAny(encoded, "\t\n\r") || string(encoded) == `\N` {
				t.Errorf("column %d: %q is written as %q", column, value, encoded)
			}
			if got := fm.Value(nil, bytes.Clone(encoded), column); !bytes.Equal(got, value) {
				t.Errorf("column %d: %q came back as %q", column, value, got)
			}
		}
	})
}

func FuzzUnescape(f *testing.F) {
	f.Add([]byte(`a\tb\x41\101\q\`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got := appendUnescaped(nil, raw); len(got) > len(raw) {
			t.Errorf("%q grew to %q", raw, got)
		}
	})
}

func TestUnescapeAsTheServerDoes(t *testing.T) {
	for raw, want := range map[string]string{`a\tb`: "a\tb", `\x41\x4a\x4`: "AJ\x04", `\101\60\8`: "A08", `\\N`: `\N`, `\q`: "q", `\xg`: "xg", `\`: `\`} {
		if got := appendUnescaped(nil, []byte(raw)); string(got) != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func BenchmarkEscape(b *testing.B) {
	value := bytes.Repeat([]byte("an ordinary text of some length, "), 4)
	dst := make([]byte, 0, 1024)
	for b.Loop() {
		dst = appendEscaped(dst[:0], value)
	}
	b.SetBytes(int64(len(value)))
}
