package postgres

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever rows come and stand, in whatever order, each is paired with at most
// one that is the same, none is lost, and nothing that has a pair is left while
// all are remembered.
func TestPairing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SampledFrom([]int{3, 50, 5000}).Draw(t, "kinds")
		stood := rapid.SliceOfN(rapid.IntRange(0, kinds), 0, 600).Draw(t, "stood")
		came := rapid.SliceOfN(rapid.IntRange(0, kinds), 0, 600).Draw(t, "came")
		if rapid.Bool().Draw(t, "alike") { // as after a night: some go, some come, some move
			came = slices.Clone(stood)
			for range rapid.IntRange(0, 20).Draw(t, "changes") {
				if at := rapid.IntRange(0, len(came)).Draw(t, "at"); at < len(came) {
					came = slices.Delete(came, at, min(len(came), at+rapid.IntRange(1, 300).Draw(t, "gone")))
				}
				came = append(came, rapid.IntRange(0, kinds).Draw(t, "new"))
			}
		}
		row := func(n int) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(n)), '\n') }
		at := 0
		p := pairing{more: func() (out []standingRow, _ error) {
			for ; at < len(stood) && len(out) < 20; at++ {
				out = append(out, standingRow{digestOf(row(stood[at])), place{7, uint32(stood[at]), uint16(at)}})
			}
			return out, nil
		}}
		forgetful := rapid.Bool().Draw(t, "forgetful")
		want, left, rest := map[int]int{}, map[int]int{}, map[int]int{}
		empty := func() {
			raw, n := p.rest()
			for ; len(raw) > 0; raw = raw[5:] {
				rest[int(binary.BigEndian.Uint32(raw))]++
				n--
			}
			raw, m := p.left()
			for ; len(raw) > 0; raw = raw[placeBytes:] {
				left[int(binary.BigEndian.Uint32(raw[14:]))]++
				m--
			}
			if n != 0 || m != 0 {
				t.Fatalf("the numbers of rows are off by %d and %d", n, m)
			}
		}
		for i, n := range came {
			if err := p.come(row(n), 0); err != nil {
				t.Fatal(err)
			}
			want[n]++
			switch {
			case forgetful && i%40 == 39:
				empty()
			case i%30 == 29:
				p.tidy()
				p.standing.pack()
			}
		}
		if err := p.pass(1 << 62); err != nil {
			t.Fatal(err)
		}
		empty()
		for _, n := range stood {
			want[n]--
		}
		pairs := int64(len(came))
		for n := range kinds + 1 {
			pairs -= int64(rest[n])
			if rest[n]-left[n] != want[n] {
				t.Errorf("row %d: %d more came than stood, and %d more without a pair", n, want[n], rest[n]-left[n])
			}
			if !forgetful && min(rest[n], left[n]) > 0 {
				t.Errorf("row %d: %d came and %d stood without finding each other", n, rest[n], left[n])
			}
		}
		if p.pairs != pairs {
			t.Errorf("%d pairs, counted %d", pairs, p.pairs)
		}
	})
}

// Rows are told apart in both forms as COPY writes them.
func TestRowEnds(t *testing.T) {
	tuple := []byte{0, 2, 0, 0, 0, 1, 'x', 0xff, 0xff, 0xff, 0xff}
	if n := rowEnd(append(bytes.Clone(tuple), tuple...), true); n != len(tuple) {
		t.Errorf("the end of a tuple: %d", n)
	}
	for n := range tuple {
		if end := rowEnd(tuple[:n], true); end != 0 {
			t.Errorf("the end of %d bytes of a tuple: %d", n, end)
		}
	}
	if n := rowEnd([]byte("a\\n\tb\nc\n"), false); n != 6 {
		t.Errorf("the end of a line: %d", n)
	}
	if r, ok := standingLine([]byte("16400\t(70000,12)\ta\tb\n")); !ok || r.place != (place{16400, 70000, 12}) || r.digest != digestOf([]byte("a\tb\n")) {
		t.Errorf("a line with its place: %+v, %v", r, ok)
	}
}
