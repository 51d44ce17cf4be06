package mask

import (
	"encoding/binary"
	"math"
	"strings"

	"understudy/internal/schema"
)

// A mac becomes a locally administered address of one station, which no maker of
// cards has been given: 46 of 48 bits, or 62 of 64, are drawn from the value.
// Separators, case and length stay. Text that is no such address becomes one.
type hardwareMask struct {
	length       int
	text, unique bool
}

// hardware reads six or eight bytes with one kind of separator, or none; as
// hex digits in pairs, or in fours with dots.
func hardware(value []byte, out *[8]byte) (size int, ok bool) {
	digits, separator := 0, byte(0)
	for _, c := range value {
		switch c = lower(c); {
		case c-'0' < 10 || c-'a' < 6:
			if c >= 'a' {
				c -= 'a' - '0' - 10
			}
			if digits == 16 {
				return 0, false
			}
			out[digits/2] = out[digits/2]<<4 | (c - '0')
			digits++
		case c != ':' && c != '-' && c != '.' || separator != 0 && c != separator || digits == 0 || digits%2 != 0:
			return 0, false
		default:
			separator = c
		}
	}
	return digits / 2, digits == 12 || digits == 16
}

func (m *hardwareMask) append(w *Worker, dst, value []byte) ([]byte, error) {
	var own, made [8]byte
	size, ok := hardware(value, &own)
	if !ok && !m.text {
		return dst, w.refuse("it is not a hardware address")
	}
	form := value
	if !ok {
		size = 6
		if form = []byte("00:00:00:00:00:00"); m.length > 0 && m.length < len(form) {
			form = form[:12]
			for i := range form {
				form[i] = '0'
			}
		}
	}
	var hi uint64
	if ok && !m.unique { // one address written in two ways has one fake
		hi, _ = w.mask.mac.sum(&w.scratch, own[:size])
	} else {
		hi, _ = w.draw(value)
	}
	binary.BigEndian.PutUint64(made[:], hi)
	made[0] = made[0]&^1 | 2
	if ok && string(made[:size]) == string(own[:size]) {
		made[size-1] ^= 1
	}
	upper := false
	for _, c := range value {
		upper = upper || c-'A' < 6
	}
	digits := "0123456789abcdef"
	if upper && ok {
		digits = "0123456789ABCDEF"
	}
	i := 0
	for _, c := range form {
		if c == ':' || c == '-' || c == '.' {
			dst = append(dst, c)
			continue
		}
		b := made[i/2]
		if i%2 == 0 {
			b >>= 4
		}
		dst = append(dst, digits[b&15])
		i++
	}
	return dst, nil
}

func buildMAC(d *draft) (recipe, *Refusal) {
	typ := strings.ToLower(d.limits.Type)
	text := d.limits.Kind == schema.Text
	has := 46
	if !text && strings.HasPrefix(typ, "macaddr8") {
		has = 62
	}
	switch {
	case strings.HasPrefix(typ, "inet"), strings.HasPrefix(typ, "cidr"):
		return nil, &Refusal{Reason: "the column holds network addresses", Hint: "use ip"}
	case d.length() < 12:
		return nil, d.narrow(12)
	case d.limits.Unique && has < bitsNeeded(d.limits.Rows):
		return nil, d.fewReserved("locally administered addresses are few", has, uniqueHint)
	}
	d.chance = math.Exp2(-46)
	d.text = "locally administered address"
	return &hardwareMask{d.limits.Length, text, d.limits.Unique}, nil
}

const uniqueHint = "keep with a reason, or leave the table out"
