package postgres

import (
	"bytes"
	"encoding/hex"
	"net/netip"
)

// An address is its family, the bits of its network, whether it is a cidr, the
// count of its bytes, and these (src/backend/utils/adt/network.c, network_send).
const (
	familyFour = 2
	familySix  = 3
)

// networkCodec knows inet, whose bits are not written where they are all, and cidr.
func networkCodec(oid uint32, inet bool) *codec {
	return &codec{oid: oid,
		decode: func(dst, raw []byte) ([]byte, bool) {
			if len(raw) != 8 && len(raw) != 20 || raw[3] != byte(len(raw)-4) {
				return dst, false
			}
			address, all := raw[4:], byte(len(raw)-4)*8
			switch {
			case raw[0] == familyFour && all == 32:
				dst = appendIPv4(dst, address)
			case raw[0] == familySix && all == 128:
				dst = appendIPv6(dst, address)
			default:
				return dst, false
			}
			if inet && raw[1] == all {
				return dst, true
			}
			return appendUint(append(dst, '/'), uint64(raw[1])), true
		},
		encode: func(dst, text []byte) ([]byte, bool) {
			address, length, cut := bytes.Cut(text, []byte{'/'})
			ip, err := netip.ParseAddr(string(address))
			if err != nil || ip.Zone() != "" || !cut && !inet {
				return dst, false
			}
			most, family, isCIDR := int64(ip.BitLen()), byte(familySix), byte(1)
			if ip.Is4() {
				family = familyFour
			}
			if inet {
				isCIDR = 0
			}
			bits, ok := most, true
			if cut {
				bits, ok = digitsOf(length)
			}
			if !ok || bits > most {
				return dst, false
			}
			if network, err := ip.Prefix(int(bits)); err != nil || !inet && network.Addr() != ip {
				return dst, false
			}
			dst = append(dst, family, byte(bits), isCIDR, byte(most/8))
			return append(dst, ip.AsSlice()...), true
		}}
}

func appendIPv4(dst, address []byte) []byte {
	for i, b := range address {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = appendUint(dst, uint64(b))
	}
	return dst
}

// appendIPv6 writes an address as the server does: the longest run of two or
// more zero words, the first of equals, is left out, and an address that holds
// one of version 4 shows it (src/port/inet_net_ntop.c).
func appendIPv6(dst, address []byte) []byte {
	var words [8]uint16
	for i := range words {
		words[i] = uint16(address[2*i])<<8 | uint16(address[2*i+1])
	}
	base, length := -1, 1
	for i := 0; i < 8; i++ {
		n := 0
		for i+n < 8 && words[i+n] == 0 {
			n++
		}
		if n > length {
			base, length = i, n
		}
		i += n
	}
	for i := 0; i < 8; i++ {
		if base >= 0 && i >= base && i < base+length {
			if i == base {
				dst = append(dst, ':')
			}
			continue
		}
		if i > 0 {
			dst = append(dst, ':')
		}
		if i == 6 && base == 0 && (length == 6 || length == 7 && words[7] != 1 || length == 5 && words[5] == 0xffff) {
			return appendIPv4(dst, address[12:])
		}
		const letters = "0123456789abcdef"
		w, begun := words[i], false
		for shift := 12; shift >= 0; shift -= 4 {
			if c := w >> shift & 15; c != 0 || begun || shift == 0 {
				dst, begun = append(dst, letters[c]), true
			}
		}
	}
	if base >= 0 && base+length == 8 {
		dst = append(dst, ':')
	}
	return dst
}

// hardwareCodec knows addresses of so many bytes, written as 08:00:2b:01:02:03.
func hardwareCodec(oid uint32, size int) *codec {
	return &codec{oid: oid,
		decode: func(dst, raw []byte) ([]byte, bool) {
			if len(raw) != size {
				return dst, false
			}
			for i := range raw {
				if i > 0 {
					dst = append(dst, ':')
				}
				dst = hex.AppendEncode(dst, raw[i:i+1])
			}
			return dst, true
		},
		encode: func(dst, text []byte) ([]byte, bool) {
			if len(text) != 3*size-1 {
				return dst, false
			}
			for i := 0; i < len(text); i += 3 {
				if i > 0 && text[i-1] != ':' {
					return dst, false
				}
				var err error
				if dst, err = hex.AppendDecode(dst, text[i:i+2]); err != nil {
					return dst, false
				}
			}
			return dst, true
		}}
}
