package jsondoc

import (
	"bytes"
	"math/big"
	"slices"
	"strconv"
)

// A Canonizer writes documents in a form that is the same however a database
// writes them: members sorted by name, the last of several of one name, no white
// space, one spelling for each text and number. It serves one goroutine and keeps
// its memory from one document to the next; its zero value is ready.
type Canonizer struct {
	scanner
	members []member // of the objects that are open, the innermost last
	plain   []byte   // a text with escapes, decoded
	sorted  []byte
}

// A member is where one stands in the text that is being written.
type member struct{ name, value, end int }

// AppendCanonical is Append by a Canonizer that serves one document.
func AppendCanonical(dst, doc []byte) []byte {
	var c Canonizer
	return c.Append(dst, doc)
}

// Append appends a document. A text that is no document is appended as it is.
func (c *Canonizer) Append(dst, doc []byte) []byte {
	c.scanner, c.members = scanner{src: doc}, c.members[:0]
	c.blanks()
	out, err := c.value(dst)
	if c.blanks(); err != nil || c.at != len(doc) {
		return append(dst, doc...)
	}
	return out
}

func (c *Canonizer) value(dst []byte) ([]byte, error) {
	from := c.at
	switch first := c.next(); {
	case first == '{':
		return c.object(dst)
	case first == '[':
		return c.array(dst)
	case first == '"':
		return c.quoted(dst)
	default:
		if err := c.scalar(); err != nil {
			return dst, err
		}
		if first == '-' || first-'0' < 10 {
			return appendNumber(dst, c.src[from:c.at]), nil
		}
		return append(dst, c.src[from:c.at]...), nil
	}
}

// quoted writes the text in hand. Without escapes it has its one spelling already.
func (c *Canonizer) quoted(dst []byte) ([]byte, error) {
	from := c.at
	if err := c.text(); err != nil {
		return dst, err
	}
	text := c.src[from:c.at]
	if bytes.IndexByte(text, '\\') < 0 {
		return append(dst, text...), nil
	}
	c.plain = appendDecoded(c.plain[:0], text)
	return appendQuoted(dst, c.plain), nil
}

// first moves into the container in hand; it tells whether there is nothing in it.
func (c *Canonizer) first() (empty bool, err error) {
	closing := c.next() + 2 // } and ] stand two after { and [
	if err := c.enter(); err != nil {
		return false, err
	}
	if c.blanks(); c.next() != closing {
		return false, nil
	}
	c.leave()
	return true, nil
}

// more moves past what stands after a member or an item; it tells whether
// another one follows.
func (c *Canonizer) more(closing byte) (bool, error) {
	if c.blanks(); c.next() == closing {
		c.leave()
		return false, nil
	}
	if err := c.take(','); err != nil {
		return false, err
	}
	c.blanks()
	return true, nil
}

func (c *Canonizer) array(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	empty, err := c.first()
	for more := !empty; more && err == nil; {
		if dst, err = c.value(dst); err != nil {
			break
		}
		if more, err = c.more(']'); more {
			dst = append(dst, ',')
		}
	}
	return append(dst, ']'), err
}

// object writes the members as they stand, and then in order if they are not.
func (c *Canonizer) object(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	outer := len(c.members)
	empty, err := c.first()
	for more := !empty; more && err == nil; {
		if dst, err = c.member(dst); err != nil {
			break
		}
		if more, err = c.more('}'); more {
			dst = append(dst, ',')
		}
	}
	if err == nil {
		dst = c.inOrder(dst, c.members[outer:])
	}
	c.members = c.members[:outer]
	return append(dst, '}'), err
}

func (c *Canonizer) member(dst []byte) ([]byte, error) {
	m := member{name: len(dst)}
	dst, err := c.quoted(dst)
	if err != nil {
		return dst, err
	}
	if err := c.colon(); err != nil {
		return dst, err
	}
	m.value = len(dst)
	dst, err = c.value(append(dst, ':'))
	m.end = len(dst)
	c.members = append(c.members, m)
	return dst, err
}

// inOrder sorts the members that dst ends with.
func (c *Canonizer) inOrder(dst []byte, members []member) []byte {
	compare := func(a, b member) int { return bytes.Compare(dst[a.name:a.value], dst[b.name:b.value]) }
	ordered := true
	for i := 1; i < len(members) && ordered; i++ {
		ordered = compare(members[i-1], members[i]) < 0
	}
	if ordered {
		return dst
	}
	from := members[0].name
	slices.SortStableFunc(members, compare)
	c.sorted = c.sorted[:0]
	for i, m := range members {
		if i+1 < len(members) && compare(m, members[i+1]) == 0 {
			continue // the last of several of one name
		}
		if len(c.sorted) > 0 {
			c.sorted = append(c.sorted, ',')
		}
		c.sorted = append(c.sorted, dst[m.name:m.end]...)
	}
	return append(dst[:from], c.sorted...)
}

// appendNumber writes a number as its digits and a power of ten, without zeros
// at either end: 1.50 and 15e-1 are 15e-1, every zero is 0.
func appendNumber(dst, text []byte) []byte {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	mantissa, exponent := text, []byte(nil)
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	start := len(dst)
	if negative {
		dst = append(dst, '-')
	}
	digits := len(dst)
	dst = append(append(dst, whole...), fraction...)
	trimmed := bytes.TrimRight(dst[digits:], "0")
	shift := int64(len(dst)-digits-len(trimmed)) - int64(len(fraction))
	trimmed = bytes.TrimLeft(trimmed, "0")
	if len(trimmed) == 0 {
		return append(dst[:start], '0')
	}
	dst = append(append(dst[:digits], trimmed...), 'e')
	if len(exponent) == 0 {
		return strconv.AppendInt(dst, shift, 10)
	}
	exponent = bytes.TrimPrefix(exponent, []byte("+"))
	power, _ := new(big.Int).SetString(string(exponent), 10)
	return power.Add(power, big.NewInt(shift)).Append(dst, 10)
}
