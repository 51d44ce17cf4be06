package mask

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"understudy/internal/secret"
)

const (
	keyPrefix = "usk1_"
	keySize   = 32
	keyHint   = "make one with: understudy key new"
	hiddenKey = "[key]"
)

// Purposes of subkeys. Two subkeys of different purposes or domains say nothing
// of each other, so what is learnt of one column never helps with another.
const (
	purposeFake   = "prf"    // picks fakes
	purposeFormat = "fpe"    // format-preserving permutations
	purposeTable  = "perm"   // permutation tables and networks over ranges
	purposeVerify = "verify" // digests of masked rows
	purposeSample = "sample" // keyed samples of rows
	purposeID     = "key-id" // the fingerprint
)

// A Key is a masking key: 256 uniform bits. It never prints, whatever verb or
// encoder meets it. The zero Key is no key; New refuses it. Values may be
// copied and used from any goroutine.
type Key struct{ prk [sha256.Size]byte }

// NewKey makes a key from the system's randomness, and its text to store, which
// ParseKey reads.
func NewKey() (Key, secret.Text, error) {
	raw := make([]byte, keySize)
	if _, err := rand.Read(raw); err != nil {
		return Key{}, secret.Text{}, fmt.Errorf("randomness for a masking key: %w", err)
	}
	text := secret.New(keyPrefix + base64.RawURLEncoding.EncodeToString(raw))
	key, err := ParseKey(text)
	return key, text, err
}

// ParseKey reads a key as NewKey writes it: usk1_ and 43 characters of
// base64url; blanks and line ends around it are ignored. It refuses what cannot
// have come from randomness. Its errors never hold any part of the text.
func ParseKey(text secret.Text) (Key, error) {
	s := strings.TrimSpace(text.Reveal())
	if s == "" {
		return Key{}, errors.New("masking key is empty")
	}
	body, ok := strings.CutPrefix(s, keyPrefix)
	if !ok {
		return Key{}, errors.New("masking key does not begin with " + keyPrefix)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return Key{}, errors.New("masking key is not base64url after " + keyPrefix)
	}
	if len(raw) != keySize {
		return Key{}, fmt.Errorf("masking key has %d bytes, not %d", len(raw), keySize)
	}
	if why := predictable(raw); why != "" {
		return Key{}, errors.New("masking key " + why + ", so it can be guessed")
	}
	prk, err := hkdf.Extract(sha256.New, raw, []byte("understudy/v1/extract"))
	clear(raw)
	if err != nil {
		return Key{}, fmt.Errorf("masking key: %w", err)
	}
	return Key{prk: [sha256.Size]byte(prk)}, nil
}

// predictable says why bytes cannot have been drawn at random; "" if they can.
// A random key is refused with a probability below 2^-40.
func predictable(raw []byte) string {
	var seen [256]bool
	distinct, printable := 0, 0
	for _, b := range raw {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
		if b >= 0x20 && b < 0x7f {
			printable++
		}
	}
	switch {
	case distinct == 1 && raw[0] == 0:
		return "is all zeros"
	case distinct == 1:
		return "repeats one byte"
	case periodic(raw, len(raw)/2):
		return "repeats a pattern"
	case stepped(raw):
		return "counts upward or downward"
	case distinct < 16:
		return fmt.Sprintf("has %d different bytes among %d", distinct, len(raw))
	case printable == len(raw):
		return "is readable text"
	}
	return ""
}

func periodic(raw []byte, longest int) bool {
next:
	for p := 1; p <= longest; p++ {
		for i := p; i < len(raw); i++ {
			if raw[i] != raw[i-p] {
				continue next
			}
		}
		return true
	}
	return false
}

func stepped(raw []byte) bool {
	step := raw[1] - raw[0]
	for i := 2; i < len(raw); i++ {
		if raw[i]-raw[i-1] != step {
			return false
		}
	}
	return true
}

// Fingerprint names the key without revealing it: sixteen lower-case letters
// and digits (base32 of 80 bits), safe to print because the key is uniform.
func (k Key) Fingerprint() string {
	sub := k.subkey(purposeID)
	return strings.ToLower(base32.StdEncoding.EncodeToString(sub[:10]))
}

// subkey derives 32 bytes (HKDF-Expand, RFC 5869) for a purpose and a list of
// names. Each name carries its length, so that no two lists run together.
func (k Key) subkey(purpose string, names ...string) [32]byte {
	info := []byte("understudy/v1")
	for _, name := range append([]string{purpose}, names...) {
		info = binary.BigEndian.AppendUint32(info, uint32(len(name)))
		info = append(info, name...)
	}
	out, err := hkdf.Expand(sha256.New, k.prk[:], string(info), 32)
	if err != nil {
		panic("mask: hkdf cannot give 32 bytes") // only past 255 blocks
	}
	return [32]byte(out)
}

func (k Key) empty() bool { return k.prk == [sha256.Size]byte{} }

// String, GoString, Format, MarshalText, MarshalJSON and LogValue hide the key.
func (k Key) String() string { return hiddenKey }

// GoString answers %#v.
func (k Key) GoString() string { return hiddenKey }

// Format answers every verb, %x among them.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenKey) }

// MarshalText answers text encoders.
func (k Key) MarshalText() ([]byte, error) { return []byte(hiddenKey), nil }

// MarshalJSON answers JSON encoders.
func (k Key) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenKey + `"`), nil }

// LogValue answers slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(hiddenKey) }

// A Sampler hashes row keys, so that a sample is the same rows every night. It
// keeps scratch space: one for each goroutine.
type Sampler struct {
	mac     mac
	scratch block
}

// Sampler gives the sampler of a domain, usually the name of the table sampled.
func (k Key) Sampler(domain string) *Sampler {
	return &Sampler{mac: newMAC(k.subkey(purposeSample, domain))}
}

// Hash maps the canonical text of a row's key to a number that is uniform over
// uint64 and stable under the masking key. A composite key is handed over as one
// value in which each part carries its length; see AppendPart.
func (s *Sampler) Hash(value []byte) uint64 {
	hi, _ := s.mac.sum(&s.scratch, value)
	return hi
}

// AppendPart appends one part of a composite value with its length before it,
// so that ("ab", "c") and ("a", "bc") stay apart. NULL is told by null.
func AppendPart(dst, part []byte, null bool) []byte {
	if null {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
	return append(dst, part...)
}
