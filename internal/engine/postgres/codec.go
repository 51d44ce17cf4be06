package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// A codec knows a built-in type's binary form. Its texts are the canonical
// ones, byte for byte what the text form gives, so that a value has one fake
// and one digest whichever way its row travels.
type codec struct {
	oid      uint32
	verbatim bool // the bytes are the canonical text, and every text is taken
	// decode appends the canonical text of a value; ok is false if its bytes are not of the type.
	decode func(dst, raw []byte) (_ []byte, ok bool)
	// encode appends the value of a text; ok is false where the server has to be
	// asked: it reads more ways of writing than the canonical one, and knows the ranges.
	encode func(dst, text []byte) (_ []byte, ok bool)
}

// codecOf gives the codec of a type that wireOf knows; nil if there is none.
func codecOf(oid uint32) *codec {
	switch oid {
	case 17, 25, 114, 1043, anyEnum: // bytea, text, json, varchar
		return &codec{oid: oid, verbatim: true}
	case 1042:
		return &codec{oid, false, decodePadded, encodeText}
	case 3802:
		return &codec{oid, false, decodeJSONB, encodeJSONB}
	case 16:
		return &codec{oid, false, decodeBool, encodeBool}
	case 21:
		return integerCodec(oid, 2)
	case 23:
		return integerCodec(oid, 4)
	case 20:
		return integerCodec(oid, 8)
	case 26:
		return &codec{oid, false, decodeOID, encodeOID}
	case 700:
		return floatCodec(oid, 32)
	case 701:
		return floatCodec(oid, 64)
	case 1700:
		return &codec{oid, false, decodeNumeric, encodeNumeric}
	case 2950:
		return &codec{oid, false, decodeUUID, encodeUUID}
	case 1082:
		return &codec{oid, false, decodeDate, encodeDate}
	case 1083:
		return &codec{oid, false, decodeTime, encodeTime}
	case 1266:
		return &codec{oid, false, decodeTimeTZ, encodeTimeTZ}
	case 1114:
		return timestampCodec(oid, false)
	case 1184:
		return timestampCodec(oid, true)
	case 1186:
		return &codec{oid, false, decodeInterval, encodeNothing}
	case 650:
		return networkCodec(oid, false)
	case 869:
		return networkCodec(oid, true)
	case 829:
		return hardwareCodec(oid, 6)
	case 774:
		return hardwareCodec(oid, 8)
	}
	return nil
}

// encodeNothing leaves every text to the server.
func encodeNothing(dst, _ []byte) ([]byte, bool) { return dst, false }

func encodeText(dst, text []byte) ([]byte, bool) { return append(dst, text...), true }

// decodePadded reads char(n), whose trailing spaces have no meaning.
func decodePadded(dst, raw []byte) ([]byte, bool) {
	return append(dst, bytes.TrimRight(raw, " ")...), true
}

// decodeJSONB reads jsonb: a version, then the text.
func decodeJSONB(dst, raw []byte) ([]byte, bool) {
	if len(raw) < 1 || raw[0] != 1 {
		return dst, false
	}
	return append(dst, raw[1:]...), true
}

func encodeJSONB(dst, text []byte) ([]byte, bool) { return append(append(dst, 1), text...), true }

func decodeBool(dst, raw []byte) ([]byte, bool) {
	if len(raw) != 1 {
		return dst, false
	}
	return strconv.AppendBool(dst, raw[0] != 0), true
}

func encodeBool(dst, text []byte) ([]byte, bool) {
	switch string(text) {
	case "true", "t":
		return append(dst, 1), true
	case "false", "f":
		return append(dst, 0), true
	}
	return dst, false
}

func decodeUUID(dst, raw []byte) ([]byte, bool) {
	if len(raw) != 16 {
		return dst, false
	}
	at := 0
	for _, n := range [...]int{4, 2, 2, 2, 6} {
		if at > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, raw[at:at+n])
		at += n
	}
	return dst, true
}

func encodeUUID(dst, text []byte) ([]byte, bool) {
	if len(text) != 36 {
		return dst, false
	}
	at := 0
	for _, n := range [...]int{8, 4, 4, 4, 12} {
		if at > 0 {
			if text[at] != '-' {
				return dst, false
			}
			at++
		}
		var err error
		if dst, err = hex.AppendDecode(dst, text[at:at+n]); err != nil {
			return dst, false
		}
		at += n
	}
	return dst, true
}

func decodeOID(dst, raw []byte) ([]byte, bool) {
	if len(raw) != 4 {
		return dst, false
	}
	return appendUint(dst, uint64(binary.BigEndian.Uint32(raw))), true
}

func encodeOID(dst, text []byte) ([]byte, bool) {
	n, ok := digitsOf(text)
	if !ok || n > 1<<32-1 {
		return dst, false
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n)), true
}

// digitsOf reads 1 to 18 decimal digits and nothing else.
func digitsOf(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 18 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
