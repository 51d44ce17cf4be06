package mask

import (
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// A lorem replaces a text by Latin words, about as long: the number of characters
// is drawn from the same power of two to the next, so the exact length is hidden.
type lorem struct {
	length int
	words  []string
}

// leastLorem is the shortest column that holds a word with its full stop.
const leastLorem = 8

func (l *lorem) append(w *Worker, dst, value []byte) ([]byte, error) {
	s := w.stream(value)
	n := max(utf8.RuneCount(value), 4)
	class := 1 << (bits.Len(uint(n)) - 1)
	room := min(class+pick(s.next(), class), l.length)
	at := len(dst)
	for {
		i := pick(s.next(), len(l.words))
		word := l.words[i]
		if len(dst) == at {
			for w.first(word) || len(word) >= room { // a word that fits, and that is not the value's own beginning
				i = (i + 1) % len(l.words)
				word = l.words[i]
			}
			dst = append(dst, word[0]-'a'+'A')
			dst = append(dst, word[1:]...)
			continue
		}
		if len(dst)-at+1+len(word)+1 > room {
			break
		}
		dst = append(append(dst, ' '), word...)
	}
	return append(dst, '.'), nil
}

// first tells whether the value last drawn for begins with a word, whatever its case.
func (w *Worker) first(word string) bool {
	if len(w.last) < len(word) {
		return false
	}
	for i := range len(word) {
		if lower(w.last[i]) != word[i] {
			return false
		}
	}
	return len(w.last) == len(word) || lower(w.last[len(word)])-'a' > 25
}

func buildLorem(d *draft) (recipe, *Refusal) {
	if d.length() < leastLorem {
		return nil, d.narrow(leastLorem)
	}
	d.text = fmt.Sprintf("Latin text of about the same length, out of %d words", len(latin()))
	return &lorem{d.length(), latin()}, nil
}
