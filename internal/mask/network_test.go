package mask

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"understudy/internal/schema"
)

func within(t *testing.T, a netip.Addr, ranges ...string) bool {
	t.Helper()
	for _, r := range ranges {
		if netip.MustParsePrefix(r).Contains(a) {
			return true
		}
	}
	return false
}

// Hosts and networks of both versions: reserved, of the same version and mask,
// networks without host bits, never themselves, in the one spelling that
// databases use.
func TestAddresses(t *testing.T) {
	m := makeMask(t, "ip", Limits{Kind: schema.Net, Type: "inet"})
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.SampledFrom([]int{4, 16}).Draw(r, "size")
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(r, "address"))
		bits := rapid.IntRange(0, a.BitLen()).Draw(r, "bits")
		if rapid.Bool().Draw(r, "network") {
			a = masked(a, bits)
		}
		value := netip.PrefixFrom(a, bits).String()
		if bits == a.BitLen() && rapid.Bool().Draw(r, "bare") {
			value = a.String()
		}
		if a.Is4In6() {
			value = strings.Replace(value, a.String(), a.StringExpanded(), 1)
		}
		f := fake(through(r), m.Worker(), value)
		if m.Keeps([]byte(value)) {
			if f != value || bits > widestSix {
				r.Fatalf("%s is said to stay and becomes %s", value, f)
			}
			return
		}
		made, err := netip.ParsePrefix(f)
		if !strings.Contains(value, "/") {
			var host netip.Addr
			host, err = netip.ParseAddr(f)
			made = netip.PrefixFrom(host, bits)
		}
		if err != nil || made.Bits() != bits || made.Addr().Is4() != a.Is4() || made.Addr() == a {
			r.Fatalf("%s becomes %s", value, f)
		}
		isNetwork := bits < a.BitLen() && masked(a, bits) == a
		switch {
		case isNetwork && made.Masked() != made:
			r.Fatalf("the network %s becomes %s", value, f)
		case isNetwork && !within(t, made.Addr(), "198.18.0.0/15", "240.0.0.0/4", "2001:db8::/32", "fc00::/7"),
			!isNetwork && !within(t, made.Addr(), "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"):
			r.Fatalf("%s becomes %s, which is not reserved", value, f)
		}
	})
}

func TestAddressesInText(t *testing.T) {
	for _, length := range []int{15, 18, 39, 45, 0} {
		w := makeMask(t, "ip", Limits{Kind: schema.Text, Length: length}).Worker()
		for _, v := range []string{"8.8.8.8", "10.0.0.0/8", "10.1.0.0/16", "255.255.255.255", "::1", "2a00::/12", "2a00:1:2::/48", "unknown", "1.2.3.4:80", "fe80::1%eth0", "1.2.3", "1.2.3.4/33", "1.2.3.256", "é"} {
			f := fake(t, w, v)
			p, err := netip.ParseAddr(strings.Split(f, "/")[0])
			if err != nil || f == v || length > 0 && len(f) > length {
				t.Errorf("length %d: %s becomes %s", length, v, f)
			}
			if !within(t, p, "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "240.0.0.0/4", "fc00::/7", "198.18.0.0/15") {
				t.Errorf("%s becomes %s, which is not reserved", v, f)
			}
		}
	}
	six := makeMask(t, "ip", Limits{Kind: schema.Net, Type: "inet", Unique: true}, "family", "v6").Worker()
	for v, end := range map[string]string{"8.8.8.8": "", "10.1.2.3/24": "/120", "2a00::1/64": "/64"} {
		f := fake(t, six, v)
		if p, err := netip.ParseAddr(strings.TrimSuffix(f, end)); err != nil || !within(t, p, "2001:db8::/32") {
			t.Errorf("%s becomes %s", v, f)
		}
	}
}

func TestHardwareAddresses(t *testing.T) {
	w := makeMask(t, "mac", Limits{Kind: schema.Text}).Worker()
	digits := ""
	for _, v := range []string{"08:00:2b:01:02:03", "08-00-2B-01-02-03", "0800.2b01.0203", "08002b010203", "08:00:2b:01:02:03:04:05"} {
		f := fake(t, w, v)
		if f == v || len(f) != len(v) || !strings.ContainsAny(f[1:2], "26aeAE") {
			t.Errorf("%s becomes %s", v, f)
		}
		plain := strings.ToLower(strings.NewReplacer(":", "", "-", "", ".", "").Replace(f))
		if digits != "" && len(v) < 20 && plain != digits {
			t.Errorf("%s becomes %s, in another spelling %s", v, f, digits)
		}
		if digits == "" {
			digits = plain
		}
	}
	for _, v := range []string{"none", "08:00", "08:00:2b:01:02:0g", "08:00-2b:01:02:03"} {
		if f := fake(t, w, v); len(f) != 17 || strings.Count(f, ":") != 5 {
			t.Errorf("%s becomes %s", v, f)
		}
	}
}

// A hundred thousand of each kind of name: all at domains that nobody can own.
func TestHostsAreReserved(t *testing.T) {
	urls, hosts := makeMask(t, "url", Limits{Kind: schema.Text}).Worker(), makeMask(t, "hostname", Limits{Kind: schema.Text}).Worker()
	for i := range 100000 {
		u := fake(t, urls, typical("url", i))
		host, _, _ := strings.Cut(strings.TrimPrefix(u, "https://"), "/")
		if !reservedDomain(host) || !reservedDomain(fake(t, hosts, typical("hostname", i))) {
			t.Fatalf("%s is not reserved", u)
		}
	}
	card, bank := makeMask(t, "credit_card", Limits{Kind: schema.Text}).Worker(), makeMask(t, "iban", Limits{Kind: schema.Text}).Worker()
	card4, bankDE := regexp.MustCompile(`^4111 11[0-9]{2} [0-9]{4} [0-9]{4}$`), regexp.MustCompile(`^DE[0-9]{2} 99[0-9]{2}( [0-9]{4}){3} [0-9]{2}$`)
	address, device := makeMask(t, "ip", Limits{Kind: schema.Net}).Worker(), makeMask(t, "mac", Limits{Kind: schema.Net}).Worker()
	for i := range 100000 {
		if c, b := fake(t, card, typical("credit_card", i)), fake(t, bank, typical("iban", i)); !card4.MatchString(c) || !bankDE.MatchString(b) {
			t.Fatalf("%s or %s is not reserved", c, b)
		}
		a, d := fake(t, address, typical("ip", i)), fake(t, device, typical("mac", i))
		if !strings.HasPrefix(a, "192.0.2.") && !strings.HasPrefix(a, "198.51.100.") && !strings.HasPrefix(a, "203.0.113.") || !strings.ContainsAny(d[1:2], "26ae") {
			t.Fatalf("%s or %s is not reserved", a, d)
		}
	}
	for v, want := range map[string]string{"HTTP://a/b": "http://example.", "/cart?id=1": "/", "www.shop.com/x": "example.", "//cdn.com/x": "example.", "gopher://x": "https://example.", "wss://a": "wss://example."} {
		if f := fake(t, urls, v); !strings.HasPrefix(f, want) {
			t.Errorf("%s becomes %s, want %s...", v, f, want)
		}
	}
	own := makeMask(t, "url", Limits{Kind: schema.Text, Length: 60}, "at", "shop.staging.test").Worker()
	if f := fake(t, own, "http://x.com/"); !strings.HasPrefix(f, "http://shop.staging.test/") {
		t.Errorf("the domain asked for gives %s", f)
	}
	if _, err := New(testKey(t, 1), Spec{Mask: "hostname", Domain: "d", Params: map[string]string{"at": "shop.com"}}, Limits{Kind: schema.Text}); err == nil {
		t.Error("a domain that somebody owns is taken")
	}
}
