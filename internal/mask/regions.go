package mask

import "fmt"

// A coded picks a name where the value is a name, and a code where it is a code
// of two or three letters, in its case. Columns too short for names get codes.
type coded struct{ names, two, three *wordList }

func (c *coded) append(w *Worker, dst, value []byte) ([]byte, error) {
	list, small := c.names, false
	if upper, letters := code(value); letters && (len(value) == 2 || len(value) == 3) {
		list, small = c.two, !upper
		if len(value) == 3 && c.three != nil {
			list = c.three
		}
	}
	if list == nil {
		list = c.two
	}
	at := len(dst)
	dst, err := list.pick(w, dst, value, small)
	if small {
		for i := at; i < len(dst); i++ {
			dst[i] = lower(dst[i])
		}
	}
	return dst, err
}

// code tells whether a text is letters of one case only, and which.
func code(value []byte) (upper, letters bool) {
	small := false
	for _, c := range value {
		switch {
		case c-'A' < 26:
			upper = true
		case c-'a' < 26:
			small = true
		default:
			return false, false
		}
	}
	return upper, upper != small
}

// buildCoded serves a column from names, unless it is too short for them, and
// from codes.
func buildCoded(what string, names, two, three func() []string) func(*draft) (recipe, *Refusal) {
	return func(d *draft) (recipe, *Refusal) {
		if d.length() < 2 {
			return nil, d.narrow(2)
		}
		c := &coded{two: &wordList{two()}}
		d.text = fmt.Sprintf("one of %d codes of %s", len(two()), what)
		if three != nil && d.length() >= 3 {
			c.three = &wordList{three()}
		}
		if fit := fitting(names(), d.length()); len(fit) >= fewest {
			c.names = &wordList{fit}
			d.text = fmt.Sprintf("one of %d %s, a code for a code", len(fit), what)
		}
		return c, nil
	}
}
