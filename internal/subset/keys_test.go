package subset

import (
	"slices"
	"testing"

	"understudy/internal/engine"
)

// Every key comes back from every form as the text that went in, and only once.
func TestKeysComeBackAsTheyWentIn(t *testing.T) {
	const uuid = "01234567-89ab-cdef-0123-456789abcdef"
	values := []string{"", "0", "-0", "00", "1", "-1", "+1", " 1", "1.0", "4294967295", "4294967296", "-4294967296", "999999999999999999", "-999999999999999999",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "-", "--1", "1e3", "é", "\x00", "a\x00b",
		uuid, "01234567-89AB-CDEF-0123-456789ABCDEF", "0123456789abcdef0123456789abcdef", uuid + " ", "g" + uuid[1:], "01234567-89ab-cdef-0123-456789abcde-"}
	for width := 1; width <= 3; width++ {
		in := &engine.Tuples{Width: width}
		var want []string
		for i := range values {
			for j := range values {
				if width == 1 && j > 0 {
					continue
				}
				tuple := []string{values[i], values[j], values[(i+j)%len(values)]}[:width]
				for range 2 {
					for _, v := range tuple {
						in.AddString(v)
					}
				}
				want = append(want, quoted(tuple))
			}
		}
		columns := upTo(width)
		var g gatherer
		var set keySet
		var fresh keyList
		rows := upTo(in.Len())
		if n := g.gather(in, rows, columns, &set, &fresh); n != int64(in.Len()) {
			t.Errorf("width %d: %d tuples without NULL, want %d", width, n, in.Len())
		}
		listed := set.list()
		for name, list := range map[string]keyList{"fresh": fresh, "list": listed, "parts": parts(listed)} {
			if got := written(list.tuples(width)); !slices.Equal(got, sorted(want)) {
				t.Errorf("width %d, %s: %q, want %q", width, name, got, sorted(want))
			}
		}
		if rest := minus(listed, fresh); rest.len() != 0 || set.len() != len(want) {
			t.Errorf("width %d: %d keys, %d of them not among the fresh; want %d and 0", width, set.len(), rest.len(), len(want))
		}
	}
}

func TestATupleWithANullIsNoKey(t *testing.T) {
	in := &engine.Tuples{Width: 3}
	for null := range 3 {
		for c := range 3 {
			if c == null {
				in.AddNull()
			} else {
				in.AddString("1")
			}
		}
	}
	var g gatherer
	var set keySet
	if n := g.gather(in, upTo(3), []int{0, 1, 2}, &set, nil); n != 0 || set.len() != 0 {
		t.Errorf("%d keys of half-null tuples", n)
	}
	if n := g.gather(in, upTo(3), []int{0, 1}, &set, nil); n != 1 || set.len() != 1 {
		t.Errorf("%d keys over two columns, want 1", n)
	}
}

// parts takes a list apart and joins it again.
func parts(l keyList) keyList {
	var out keyList
	for i := 0; i < l.len(); i += 7 {
		part := l.slice(i, min(i+7, l.len()))
		for part.len() > 0 {
			out.append(part.take(3))
		}
	}
	return out
}

func quoted(tuple []string) string {
	var out []byte
	for _, v := range tuple {
		out = append(append(out, v...), 0xff)
	}
	return string(out)
}

func written(t *engine.Tuples) []string {
	var out []string
	for row := range t.Len() {
		tuple := make([]string, t.Width)
		for c := range tuple {
			v, ok := t.At(row, c)
			if !ok {
				return []string{"a key became null"}
			}
			tuple[c] = string(v)
		}
		out = append(out, quoted(tuple))
	}
	return sorted(out)
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
