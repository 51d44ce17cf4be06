package mask

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// A block is one AES block of scratch space. It lives inside a worker, on the
// heap, because a block cipher is called through an interface and a local array
// would be allocated at each call.
type block [aes.BlockSize]byte

// A mac is AES-256-CMAC (RFC 4493, NIST SP 800-38B): a pseudo-random function of
// byte strings of any length. It holds no state between calls, so goroutines may
// share it as long as each brings its own scratch block.
type mac struct {
	cipher cipher.Block
	k1, k2 [2]uint64 // the subkeys for a whole and for a padded last block
}

func newMAC(key [32]byte) mac { return macOf(newCipher(key[:])) }

func newCipher(key []byte) cipher.Block {
	c, err := aes.NewCipher(key)
	if err != nil {
		panic("mask: an aes key of a wrong length")
	}
	return c
}

func macOf(c cipher.Block) mac {
	m := mac{cipher: c}
	var l block
	c.Encrypt(l[:], l[:])
	m.k1 = double([2]uint64{binary.BigEndian.Uint64(l[:]), binary.BigEndian.Uint64(l[8:])})
	m.k2 = double(m.k1)
	return m
}

// double multiplies by x in GF(2^128), as RFC 4493 makes its subkeys.
func double(v [2]uint64) [2]uint64 {
	carry := v[0] >> 63
	return [2]uint64{v[0]<<1 | v[1]>>63, v[1]<<1 ^ carry*0x87}
}

// sum gives the tag of msg as two words, the first eight bytes and the last.
func (m *mac) sum(x *block, msg []byte) (hi, lo uint64) {
	clear(x[:])
	for len(msg) > aes.BlockSize {
		xorWords(x, binary.BigEndian.Uint64(msg), binary.BigEndian.Uint64(msg[8:]))
		m.cipher.Encrypt(x[:], x[:])
		msg = msg[aes.BlockSize:]
	}
	var last block
	k := &m.k1
	if n := copy(last[:], msg); n < len(last) {
		last[n] = 0x80
		k = &m.k2
	}
	xorWords(x, binary.BigEndian.Uint64(last[:])^k[0], binary.BigEndian.Uint64(last[8:])^k[1])
	m.cipher.Encrypt(x[:], x[:])
	return binary.BigEndian.Uint64(x[:]), binary.BigEndian.Uint64(x[8:])
}

func xorWords(x *block, hi, lo uint64) {
	binary.BigEndian.PutUint64(x[:], binary.BigEndian.Uint64(x[:])^hi)
	binary.BigEndian.PutUint64(x[8:], binary.BigEndian.Uint64(x[8:])^lo)
}
