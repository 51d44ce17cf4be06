package mask

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"understudy/internal/schema"
)

// A uuids permutes UUIDs: the 122 free bits through a network of two halves of
// 61 bits, while version and variant stay, so a version 4 stays one. Text keeps
// its form: with or without hyphens, lower or upper case.
type uuids struct {
	net    *network
	binary bool // sixteen raw bytes instead of text
}

const halfUUID = 1 << 61

func (u *uuids) append(w *Worker, dst, value []byte) ([]byte, error) {
	if u.binary {
		if len(value) != 16 {
			return dst, w.refuse("it does not have sixteen bytes")
		}
		hi, lo := u.permute(&w.scratch, binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:]))
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, hi), lo), nil
	}
	hi, lo, upper, ok := parseUUID(value)
	if !ok {
		return dst, w.refuse("it is not a uuid in lower or in upper case")
	}
	hi, lo = u.permute(&w.scratch, hi, lo)
	return appendUUID(dst, hi, lo, upper, len(value) == 36), nil
}

// permute leaves out bits 12-15 of hi, the version, and the leading two of lo,
// the variant.
func (u *uuids) permute(x *block, hi, lo uint64) (uint64, uint64) {
	free := hi>>16<<12 | hi&0xfff // 60 bits
	a, b := u.net.permute(x, free<<1|lo>>61&1, lo&(halfUUID-1))
	free = a >> 1
	return free>>12<<16 | hi&0xf000 | free&0xfff, lo&(3<<62) | a&1<<61 | b
}

// parseUUID reads 32 hex digits with all four hyphens or none.
func parseUUID(value []byte) (hi, lo uint64, upper, ok bool) {
	if len(value) != 36 && len(value) != 32 {
		return 0, 0, false, false
	}
	var met uint8
	for i, c := range value {
		d := hexDigits[c]
		if d == 0 {
			if hyphen := i == 8 || i == 13 || i == 18 || i == 23; len(value) != 36 || !hyphen || c != '-' {
				return 0, 0, false, false
			}
			continue
		}
		met |= d
		hi, lo = hi<<4|lo>>60, lo<<4|uint64(d&0xf)
	}
	if len(value) == 36 && (value[8] != '-' || value[13] != '-' || value[18] != '-' || value[23] != '-') {
		return 0, 0, false, false
	}
	return hi, lo, met&hexUpper != 0, met&(hexUpper|hexLower) != hexUpper|hexLower
}

// What a byte is as a hexadecimal digit: its value, and which letters it belongs to; 0
// for none. A table, because no processor foresees which digits are letters.
const hexPlain, hexLower, hexUpper = 0x10, 0x20, 0x40

var hexDigits = [256]uint8{
	'0': hexPlain, '1': hexPlain | 1, '2': hexPlain | 2, '3': hexPlain | 3, '4': hexPlain | 4, '5': hexPlain | 5, '6': hexPlain | 6, '7': hexPlain | 7, '8': hexPlain | 8, '9': hexPlain | 9,
	'a': hexLower | 10, 'b': hexLower | 11, 'c': hexLower | 12, 'd': hexLower | 13, 'e': hexLower | 14, 'f': hexLower | 15,
	'A': hexUpper | 10, 'B': hexUpper | 11, 'C': hexUpper | 12, 'D': hexUpper | 13, 'E': hexUpper | 14, 'F': hexUpper | 15,
}

func appendUUID(dst []byte, hi, lo uint64, upper, hyphens bool) []byte {
	digits := "0123456789abcdef"
	if upper {
		digits = "0123456789ABCDEF"
	}
	for i := range 32 {
		if hyphens && (i == 8 || i == 12 || i == 16 || i == 20) {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[hi>>60])
		hi, lo = hi<<4|lo>>60, lo<<4
	}
	return dst
}

func buildUUID(d *draft) (recipe, *Refusal) {
	if n := d.limits.Length; d.limits.Kind == schema.Text && n > 0 && n < 32 || d.limits.Kind == schema.Bytes && n > 0 && n < 16 {
		return nil, &Refusal{Reason: fmt.Sprintf("a length of %d cannot hold a uuid", n), Hint: "use fpe or hash"}
	}
	sub := d.key.subkey(purposeTable, d.spec.Domain, "uuid")
	d.chance = math.Exp2(-122)
	d.text = "permutation of the uuids of the same version"
	return &uuids{newNetwork(newCipher(sub[:]), 0, 0, 0, [2]uint64{halfUUID, halfUUID}, []byte("uuid")), d.limits.Kind == schema.Bytes}, nil
}

// A hash spells a keyed hash (AES-CMAC) of the value: without the key it can
// neither be computed nor tested against guesses.
type hash struct {
	chars int
	base  int // 16, 32, or 256 for raw bytes
}

func (h *hash) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	if h.base == 32 {
		return appendTag(dst, hi, lo, h.chars), nil
	}
	var raw [32]byte
	binary.BigEndian.PutUint64(raw[:], hi)
	binary.BigEndian.PutUint64(raw[8:], lo)
	if h.chars > len(raw) || h.base == 256 && h.chars > 16 {
		// The second half is the tag of the first: no new bits, but the wanted length.
		w.shape = append(w.shape[:0], raw[:16]...)
		hi, lo = w.mask.mac.sum(&w.scratch, w.shape)
		binary.BigEndian.PutUint64(raw[16:], hi)
		binary.BigEndian.PutUint64(raw[24:], lo)
	}
	if h.base == 256 {
		return append(dst, raw[:h.chars]...), nil
	}
	var text [64]byte
	hex.Encode(text[:], raw[:])
	return append(dst, text[:h.chars]...), nil
}

func readHash(o *options) (length int, base int) {
	base = 16
	if o.choice("encoding", "hex", "hex", "base32") == "base32" {
		base = 32
	}
	most := int64(64)
	if base == 32 {
		most = 25
	}
	problems := len(o.problems)
	n := o.number("length", 0)
	if o.given["length"] != "" && len(o.problems) == problems && (n < 1 || n > most) {
		o.problem("length %q is not between 1 and %d", o.given["length"], most)
	}
	return int(n), base
}

func buildHash(d *draft) (recipe, *Refusal) {
	n, base := readHash(&d.options)
	h := &hash{chars: n, base: base}
	per := 4
	switch {
	case d.limits.Kind == schema.Bytes:
		h.base, per = 256, 8
		h.chars = min(h.chars, 32)
	case base == 32:
		per = 5
	}
	if n == 0 {
		h.chars = min(map[int]int{16: 32, 32: 16, 256: 16}[h.base], d.length())
	}
	if h.chars > d.length() {
		return nil, &Refusal{Reason: fmt.Sprintf("its length of %d does not fit %s", h.chars, d.room()), Hint: "give a smaller length"}
	}
	has := min(128, per*h.chars)
	if d.limits.Unique && has < bitsNeeded(d.limits.Rows) {
		return nil, d.crowded(has)
	}
	d.chance = math.Exp2(float64(-has))
	d.text = fmt.Sprintf("keyed hash of %d bits", has)
	return h, nil
}
