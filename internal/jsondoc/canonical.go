package jsondoc

import (
	"bytes"
	"math/big"
	"slices"
)

// AppendCanonical appends a document in a form that is the same however a
// database writes it: members sorted by name, the last of several of one name,
// no white space, one spelling for each text and number. A text that is no
// document is appended as it is.
func AppendCanonical(dst, doc []byte) []byte {
	s := scanner{src: doc}
	s.blanks()
	out, err := s.canonical(dst)
	if s.blanks(); err != nil || s.at != len(doc) {
		return append(dst, doc...)
	}
	return out
}

func (s *scanner) canonical(dst []byte) ([]byte, error) {
	from := s.at
	switch c := s.next(); {
	case c == '{':
		return s.sorted(dst)
	case c == '[':
		return s.listed(dst)
	case c == '"':
		if err := s.text(); err != nil {
			return dst, err
		}
		return appendQuoted(dst, appendDecoded(nil, s.src[from:s.at])), nil
	default:
		if err := s.scalar(); err != nil {
			return dst, err
		}
		if c == '-' || c-'0' < 10 {
			return appendNumber(dst, s.src[from:s.at]), nil
		}
		return append(dst, s.src[from:s.at]...), nil
	}
}

// parts calls each at every member or item of the container in hand.
func (s *scanner) parts(each func() error) error {
	closing := s.next() + 2
	if err := s.enter(); err != nil {
		return err
	}
	if s.blanks(); s.next() == closing {
		s.leave()
		return nil
	}
	for {
		s.blanks()
		if err := each(); err != nil {
			return err
		}
		if s.blanks(); s.next() == closing {
			s.leave()
			return nil
		}
		if err := s.take(','); err != nil {
			return err
		}
	}
}

func (s *scanner) listed(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	first := len(dst)
	err := s.parts(func() (err error) {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst, err = s.canonical(dst)
		return err
	})
	return append(dst, ']'), err
}

func (s *scanner) sorted(dst []byte) ([]byte, error) {
	type member struct{ name, value []byte }
	var members []member
	err := s.parts(func() error {
		from := s.at
		if err := s.text(); err != nil {
			return err
		}
		m := member{name: appendQuoted(nil, appendDecoded(nil, s.src[from:s.at]))}
		if err := s.colon(); err != nil {
			return err
		}
		var err error
		m.value, err = s.canonical(nil)
		members = append(members, m)
		return err
	})
	slices.SortStableFunc(members, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	dst = append(dst, '{')
	first := true
	for i, m := range members {
		if i+1 < len(members) && bytes.Equal(m.name, members[i+1].name) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, m.name...), ':'), m.value...)
	}
	return append(dst, '}'), err
}

// appendNumber writes a number as its digits and a power of ten, without zeros
// at either end: 1.50 and 15e-1 are 15e-1, every zero is 0.
func appendNumber(dst, text []byte) []byte {
	mantissa, exponent, _ := bytes.Cut(bytes.ToLower(text), []byte("e"))
	negative := mantissa[0] == '-'
	whole, fraction, _ := bytes.Cut(bytes.TrimPrefix(mantissa, []byte("-")), []byte("."))
	digits := slices.Concat(whole, fraction)
	power := big.NewInt(0)
	if len(exponent) > 0 {
		power.SetString(string(bytes.TrimPrefix(exponent, []byte("+"))), 10)
	}
	trimmed := bytes.TrimRight(digits, "0")
	power.Add(power, big.NewInt(int64(len(digits)-len(trimmed)-len(fraction))))
	trimmed = bytes.TrimLeft(trimmed, "0")
	if len(trimmed) == 0 {
		return append(dst, '0')
	}
	if negative {
		dst = append(dst, '-')
	}
	dst = append(append(dst, trimmed...), 'e')
	return power.Append(dst, 10)
}
