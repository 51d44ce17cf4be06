package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible makes text fit to be shown: what a reader could not see, or what would
// turn the text around it, becomes its code, as in a\u{202e}b, so that two
// names that differ look different. multiline keeps line ends and tabs.
func visible(s string, multiline bool) string {
	var b strings.Builder
	var last rune
	for i, r := range s {
		switch {
		case r == utf8.RuneError && strings.HasPrefix(s[i:], "\uFFFD"), multiline && (r == '\n' || r == '\t'), joins(last, r):
			b.WriteRune(r)
		case r == utf8.RuneError:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case !unicode.IsGraphic(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// joins tells whether r is the joiner inside a picture that several make up.
func joins(last, r rune) bool {
	const joiner, picture = '\u200D', '\uFE0F'
	return r == joiner && (last == picture || last > 0x2000 && unicode.In(last, unicode.So, unicode.Sk))
}
