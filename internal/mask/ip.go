package mask

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// An ip becomes an address that nobody can have. Hosts come from the ranges kept
// for documentation (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, RFC 5737;
// 2001:db8::/32, RFC 3849). Those of version 4 in unique columns need more room
// and come from 240.0.0.0/4, which is reserved (RFC 1112). Networks, that is
// addresses without host bits before a shorter mask, stay such: they come from
// 198.18.0.0/15 (benchmarks, RFC 2544) or 240.0.0.0/4, and from 2001:db8::/32 or
// fc00::/7 (RFC 4193), as their length allows. The version and the mask's length
// stay, unless family: v6 asks for version 6 throughout. Networks wider than any
// such range name nobody and stay. Text that is no address becomes one.
type ip struct {
	unique, text bool
	six          bool // version 6 for all
	length       int  // of a text column
	groups       int  // of a version 6 address after 2001:db8
}

// shortestIPColumn holds any address of version 4.
const shortestIPColumn = 15

// The lengths of masks up to which networks stay.
const (
	widestFour = 4
	widestSix  = 7
)

// An addressText is an address with its mask, as it is written.
type addressText struct {
	addr   netip.Addr
	bits   int  // of the mask; all where none is written
	masked bool // a mask is written
}

func parseAddress(value []byte) (addressText, bool) {
	a := addressText{}
	host := value
	for i, c := range value {
		if c == '/' {
			host, a.masked = value[:i], true
			break
		}
	}
	if !parseFour(host, &a.addr) {
		var err error
		if len(host) > 45 || len(host) < 2 {
			return a, false
		}
		if a.addr, err = netip.ParseAddr(string(host)); err != nil || a.addr.Is4() || a.addr.Zone() != "" {
			return a, false
		}
	}
	a.bits = a.addr.BitLen()
	if a.masked {
		n, negative, ok := parseInteger(value[len(host)+1:])
		if !ok || negative || n > uint64(a.bits) || len(value)-len(host) > 4 {
			return a, false
		}
		a.bits = int(n)
	}
	return a, true
}

// parseFour reads an address of version 4 without an allocation.
func parseFour(host []byte, out *netip.Addr) bool {
	var b [4]byte
	part, n, digits := 0, 0, 0
	for _, c := range host {
		switch {
		case c-'0' < 10 && digits < 3:
			n = n*10 + int(c-'0')
			digits++
		case c == '.' && digits > 0 && n < 256 && part < 3:
			b[part] = byte(n)
			part, n, digits = part+1, 0, 0
		default:
			return false
		}
	}
	if part != 3 || digits == 0 || n > 255 {
		return false
	}
	b[3] = byte(n)
	*out = netip.AddrFrom4(b)
	return true
}

// network tells an address without host bits before a mask that has some.
func (a addressText) network() bool {
	if a.bits == a.addr.BitLen() {
		return false
	}
	p, err := a.addr.Prefix(a.bits)
	return err == nil && p.Addr() == a.addr
}

// wide tells the networks that stay as they are.
func (a addressText) wide() bool {
	return a.network() && (a.addr.Is4() && a.bits <= widestFour || !a.addr.Is4() && a.bits <= widestSix)
}

func (p *ip) append(w *Worker, dst, value []byte) ([]byte, error) {
	a, ok := parseAddress(value)
	if ok && a.wide() {
		return append(dst, value...), nil
	}
	hi, lo := p.draw(w, a, ok, value)
	at := len(dst)
	switch {
	case !ok && !p.six:
		a.addr, a.bits, a.masked = p.four(hi, lo, netip.Addr{}), 32, false
	case !ok:
		a.addr, a.bits, a.masked = p.host6(hi, lo, netip.Addr{}, p.groups), 128, false
	case p.six && a.addr.Is4():
		network := a.network() && !p.unique
		a.bits += 96
		a.addr = p.host6(hi, lo, netip.Addr{}, p.groups)
		if network {
			a.addr = masked(a.addr, a.bits)
		}
	case a.network() && !p.unique:
		a.addr = networkLike(hi, lo, a)
	case a.addr.Is4():
		a.addr = p.four(hi, lo, a.addr)
	default:
		a.addr = p.host6(hi, lo, a.addr, p.groups)
	}
	dst = a.write(dst)
	if p.text && p.length > 0 && len(dst)-at > p.length { // only networks can be too long
		if a.addr.Is4() {
			a.addr = netip.AddrFrom4([4]byte{240})
		} else {
			a.addr = p.host6(hi, lo, netip.Addr{}, 1)
			a.bits = min(a.bits, 128)
		}
		dst = a.write(dst[:at])
	}
	return dst, nil
}

// draw is keyed by the address, so that one address with two masks has one fake;
// in unique columns by the whole value.
func (p *ip) draw(w *Worker, a addressText, ok bool, value []byte) (hi, lo uint64) {
	if !ok || p.unique {
		return w.draw(value)
	}
	w.shape = a.addr.AppendTo(w.shape[:0])
	return w.mask.mac.sum(&w.scratch, w.shape)
}

func (a addressText) write(dst []byte) []byte {
	dst = a.addr.AppendTo(dst)
	if a.masked {
		dst = strconv.AppendInt(append(dst, '/'), int64(a.bits), 10)
	}
	return dst
}

// documented hosts: 1 to 254 in each of three ranges.
const documented = 3 * 254

func (p *ip) four(hi, lo uint64, own netip.Addr) netip.Addr {
	if p.unique {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 0xf0000000|uint32(hi>>36))
		if b == [4]byte{255, 255, 255, 255} || netip.AddrFrom4(b) == own {
			b[3] ^= 1
		}
		return netip.AddrFrom4(b)
	}
	i := pick(hi, documented)
	a := documentation(i)
	if a == own {
		a = documentation((i + 1 + pick(lo, documented-1)) % documented)
	}
	return a
}

func documentation(i int) netip.Addr {
	b := [3][4]byte{{192, 0, 2}, {198, 51, 100}, {203, 0, 113}}[i/254]
	b[3] = byte(1 + i%254)
	return netip.AddrFrom4(b)
}

// host6 has so many groups that are not zero at its end, which gives it one
// spelling only.
func (p *ip) host6(hi, lo uint64, own netip.Addr, groups int) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[4:], hi)
	binary.BigEndian.PutUint32(b[12:], uint32(lo>>32))
	for i := 4; i < 16; i += 2 {
		switch {
		case i < 16-2*groups:
			b[i], b[i+1] = 0, 0
		case b[i] == 0 && b[i+1] == 0:
			b[i+1] = 1
		}
	}
	b[0], b[1], b[2], b[3] = 0x20, 0x01, 0x0d, 0xb8
	if p.length > 0 && groups == 1 && p.length < len("2001:db8::ffff/128") {
		b[14], b[15] = 0, b[15]&15|1
	}
	if netip.AddrFrom16(b) == own {
		b[15] ^= 2
	}
	return netip.AddrFrom16(b)
}

// networkLike gives a network of the same length.
func networkLike(hi, lo uint64, a addressText) netip.Addr {
	if a.addr.Is4() {
		x := uint32(hi >> 32)
		if a.bits >= 23 {
			x = 198<<24 | 18<<16 | x>>15
		} else {
			x = 0xf0000000 | x>>4
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], x)
		return other(masked(netip.AddrFrom4(b), a.bits), a)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	if a.bits >= 40 {
		b[0], b[1], b[2], b[3] = 0x20, 0x01, 0x0d, 0xb8
		for i := 4; i < 16; i += 2 {
			if b[i] == 0 && b[i+1] == 0 {
				b[i+1] = 1
			}
		}
	} else {
		b[0] = 0xfc | b[0]&1
	}
	return other(masked(netip.AddrFrom16(b), a.bits), a)
}

// other turns the last bit of a network that is the original.
func other(made netip.Addr, a addressText) netip.Addr {
	if made != a.addr {
		return made
	}
	b := made.AsSlice()
	b[(a.bits-1)/8] ^= 0x80 >> ((a.bits - 1) % 8)
	out, _ := netip.AddrFromSlice(b)
	return out
}

func masked(a netip.Addr, bits int) netip.Addr {
	p, err := a.Prefix(bits)
	if err != nil {
		return a
	}
	return p.Addr()
}

func (p *ip) keeps(value []byte) bool {
	a, ok := parseAddress(value)
	return ok && a.wide()
}

func readIP(o *options) bool { return o.choice("family", "keep", "keep", "v6") == "v6" }

func buildIP(d *draft) (recipe, *Refusal) {
	p := &ip{unique: d.limits.Unique && d.limits.Rows != 1, six: readIP(&d.options), text: d.limits.Kind == schema.Text, length: d.limits.Length, groups: 6}
	typ := strings.ToLower(d.limits.Type)
	has := 28
	switch {
	case strings.HasPrefix(typ, "mac"):
		return nil, &Refusal{Reason: "the column holds hardware addresses", Hint: "use mac"}
	case p.text && d.length() < shortestIPColumn:
		return nil, d.narrow(shortestIPColumn)
	case p.unique && strings.HasPrefix(typ, "cidr"):
		return nil, &Refusal{Reason: "the column is unique, and networks of one length are too few to stay apart in reserved space", Hint: "keep with a reason, or nullify"}
	}
	if p.text && p.length > 0 {
		p.groups = max(1, min(6, (p.length-len("2001:db8::/128")+1)/5))
	}
	if p.six {
		has = 15 * p.groups // a little less than sixteen bits, since none is zero
	}
	if p.unique && has < bitsNeeded(d.limits.Rows) {
		if p.six {
			return nil, d.crowded(has)
		}
		return nil, d.fewReserved("240.0.0.0/4 has few addresses", has, "family: v6 keeps it unique, with addresses of 2001:db8::/32")
	}
	d.text = "address kept for documentation"
	if p.unique {
		d.text = "reserved address with a tag of " + strconv.Itoa(has) + " bits"
	}
	return p, nil
}
