package mask

import (
	"crypto/aes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The examples of RFC 4493 (AES-128) and of NIST SP 800-38B (AES-256).
func TestCMACVectors(t *testing.T) {
	const message = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
	for _, v := range []struct {
		key    string
		length int
		tag    string
	}{
		{"2b7e151628aed2a6abf7158809cf4f3c", 0, "bb1d6929e95937287fa37d129b756746"},
		{"2b7e151628aed2a6abf7158809cf4f3c", 16, "070a16b46b4d4144f79bdd9dd04a287c"},
		{"2b7e151628aed2a6abf7158809cf4f3c", 40, "dfa66747de9ae63030ca32611497c827"},
		{"2b7e151628aed2a6abf7158809cf4f3c", 64, "51f0bebf7e3b9d92fc49741779363cfe"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 0, "028962f61b7bf89efc6b551f4667d983"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 16, "28a7023f452e8f82bd4bf28d8c37c35c"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 20, "156727dc0878944a023c1fe03bad6d93"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 40, "aaf3d8f1de5640c232f5b169b9c911e6"},
		{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 64, "e1992190549f6ed5696a2c056c315410"},
	} {
		m := macOf(newCipher(unhex(t, v.key)))
		var x block
		m.sum(&x, unhex(t, message)[:v.length])
		if got := hex.EncodeToString(x[:]); got != v.tag {
			t.Errorf("key of %d bytes, message of %d: tag %s, want %s", len(v.key)/2, v.length, got, v.tag)
		}
	}
}

// The nine FF1 samples that NIST publishes with SP 800-38G, through both the fast
// network and the long arithmetic.
func TestFF1Samples(t *testing.T) {
	const (
		key    = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
		ten    = "0123456789"
		letter = "0123456789abcdefghi"
		tweak2 = "39383736353433323130"
		tweak3 = "3737373770717273373737"
		spells = "0123456789abcdefghijklmnopqrstuvwxyz"
	)
	for i, v := range []struct {
		bytes, radix       int
		tweak, plain, want string
	}{
		{16, 10, "", ten, "2433477484"}, {16, 10, tweak2, ten, "6124200773"}, {16, 36, tweak3, letter, "a9tv40mll9kdu509eum"},
		{24, 10, "", ten, "2830668132"}, {24, 10, tweak2, ten, "2496655549"}, {24, 36, tweak3, letter, "xbj3kv35jrawxv32ysr"},
		{32, 10, "", ten, "6657667009"}, {32, 10, tweak2, ten, "1001623463"}, {32, 36, tweak3, letter, "xs8a0azh2avyalyzuwd"},
	} {
		c, err := aes.NewCipher(unhex(t, key)[:v.bytes])
		if err != nil {
			t.Fatal(err)
		}
		n := len(v.plain)
		radixes, numerals := slices.Repeat([]int{v.radix}, n), make([]byte, n)
		for j := range n {
			numerals[j] = byte(strings.IndexByte(spells, v.plain[j]))
		}
		u := n / 2
		a, b := number(radixes[:u], numerals[:u]), number(radixes[u:], numerals[u:])
		sizes := [2]uint64{product(radixes[:u]).Uint64(), product(radixes[u:]).Uint64()}
		var x block
		net := newNetwork(c, v.radix, u, n-u, sizes, unhex(t, v.tweak))
		fastA, fastB := net.permute(&x, a.Uint64(), b.Uint64())
		permuteLong(c, radixes, numerals, unhex(t, v.tweak))
		var got strings.Builder
		for _, d := range numerals {
			got.WriteByte(spells[d])
		}
		if got.String() != v.want {
			t.Errorf("sample %d, long: %s, want %s", i+1, got.String(), v.want)
		}
		if number(radixes[:u], numerals[:u]).Uint64() != fastA || number(radixes[u:], numerals[u:]).Uint64() != fastB {
			t.Errorf("sample %d: the network gives another image than %s", i+1, v.want)
		}
	}
}

// Mixed radixes, every half length that fits: both ways of computing agree.
func TestNetworkAgreesWithLongArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		radixes := rapid.SliceOfN(rapid.SampledFrom([]int{10, 26}), 2, 26).Draw(t, "radixes")
		n := len(radixes)
		u := n / 2
		sizes := [2]uint64{product(radixes[:u]).Uint64(), product(radixes[u:]).Uint64()}
		if product(radixes[:u]).BitLen() > 63 || product(radixes[u:]).BitLen() > 63 {
			t.Skip("a half does not fit a word")
		}
		numerals := make([]byte, n)
		for i, r := range radixes {
			numerals[i] = byte(rapid.IntRange(0, r-1).Draw(t, "numeral"))
		}
		tweak := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "tweak")
		c := newCipher(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		var x block
		a, b := newNetwork(c, common(radixes), u, n-u, sizes, tweak).
			permute(&x, number(radixes[:u], numerals[:u]).Uint64(), number(radixes[u:], numerals[u:]).Uint64())
		permuteLong(c, radixes, numerals, tweak)
		if number(radixes[:u], numerals[:u]).Uint64() != a || number(radixes[u:], numerals[u:]).Uint64() != b {
			t.Fatal("the images differ")
		}
	})
}

// Every span of a small or an odd size is a permutation, table or network.
func TestSpansAreBijections(t *testing.T) {
	key := testKey(t, 1)
	for _, size := range []uint64{1, 2, 3, 10, 26, 1000, 1 << 16, tableLimit - 1, tableLimit, tableLimit + 1, 1500001} {
		s := newSpan(key, size, "bijection")
		seen := make([]bool, size)
		var x block
		for v := range size {
			y := s.at(&x, v)
			if y >= size || seen[y] {
				t.Fatalf("size %d: %d is hit twice or is outside", size, y)
			}
			seen[y] = true
		}
	}
}

func TestRoot(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 5, 1 << 20, 1<<20 + 1, 1<<62 - 1, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		r := root(n)
		below := r - 1
		if r < 1<<32 && r*r < n || below*below >= n {
			t.Errorf("root(%d) = %d", n, r)
		}
	}
}
