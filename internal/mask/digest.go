package mask

import (
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// A Digester sums up rows without regard to their order, so that a table read
// in any order, by any number of workers, has one digest. Each row becomes 128
// keyed bits: GHASH (by GCM with an empty text and a fixed nonce) makes it short,
// one more AES block makes it unpredictable (Carter and Wegman's hash-then-PRF).
// It keeps scratch space: one for each goroutine, whose sums are added at the end.
type Digester struct {
	hash  cipher.AEAD
	prf   cipher.Block
	nonce [12]byte
	tag   []byte
	sum   Digest
}

// A Digest is the sum of rows modulo 2^128, with their count. Digests of parts
// of a table add up to the digest of the table.
type Digest struct {
	Rows   int64
	hi, lo uint64
}

// Digester gives the digester of a domain, usually the name of a table.
func (k Key) Digester(domain string) *Digester {
	hashKey, prfKey := k.subkey(purposeVerify, "hash", domain), k.subkey(purposeVerify, "prf", domain)
	hash, err := cipher.NewGCM(newCipher(hashKey[:]))
	if err != nil {
		panic("mask: gcm refuses aes")
	}
	return &Digester{hash: hash, prf: newCipher(prfKey[:]), tag: make([]byte, 0, 16)}
}

// AddRow adds one row, given as one byte string; where a row has several values
// the caller joins them with AppendPart.
func (d *Digester) AddRow(row []byte) {
	tag := d.hash.Seal(d.tag[:0], d.nonce[:], nil, row)
	d.prf.Encrypt(tag, tag)
	d.sum = d.sum.Add(Digest{1, binary.BigEndian.Uint64(tag), binary.BigEndian.Uint64(tag[8:])})
}

// Sum gives the digest of the rows added so far.
func (d *Digester) Sum() Digest { return d.sum }

// Add gives the digest of the rows of both.
func (d Digest) Add(o Digest) Digest {
	lo, carry := bits.Add64(d.lo, o.lo, 0)
	hi, _ := bits.Add64(d.hi, o.hi, carry)
	return Digest{d.Rows + o.Rows, hi, lo}
}

// Sub gives the digest of rows of which some are taken away: d.Add(o).Sub(o) is d.
func (d Digest) Sub(o Digest) Digest {
	lo, borrow := bits.Sub64(d.lo, o.lo, 0)
	hi, _ := bits.Sub64(d.hi, o.hi, borrow)
	return Digest{d.Rows - o.Rows, hi, lo}
}

// ParseDigest reads what String wrote.
func ParseDigest(text string) (d Digest, ok bool) {
	rows, sum, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(rows, 10, 64)
	b, bad := hex.DecodeString(sum)
	if err != nil || bad != nil || len(b) != 16 || n < 0 {
		return Digest{}, false
	}
	return Digest{n, binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, true
}

// String gives the digest as rows:hex. It discloses nothing of the rows to
// whoever lacks the key.
func (d Digest) String() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], d.hi)
	binary.BigEndian.PutUint64(b[8:], d.lo)
	return fmt.Sprintf("%d:%s", d.Rows, hex.EncodeToString(b[:]))
}

// MarshalText writes the digest as String does.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
