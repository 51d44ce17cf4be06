package mask

import (
	"bytes"
	"fmt"
	"math"
)

// A url becomes one at a reserved domain (RFC 2606) whose path is a tag. The
// scheme stays where it is a usual one; what has no scheme gets none, and a bare
// path stays a bare path.
type url struct {
	chars   int
	domains []string
}

// schemes that stay, with what follows them; the last is the longest.
func schemes() [6]string {
	return [6]string{"http://", "ws://", "wss://", "ftp://", "sftp://", "https://"}
}

func (u *url) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	if value[0] != '/' || bytes.HasPrefix(value, []byte("//")) {
		dst = append(dst, scheme(value)...)
		dst = append(dst, u.domains[pick(lo<<48, len(u.domains))]...)
	}
	return appendTag(append(dst, '/'), hi, lo, u.chars), nil
}

func scheme(value []byte) string {
	for _, s := range schemes() {
		if len(value) >= len(s) && bytes.EqualFold(value[:len(s)], []byte(s)) {
			return s
		}
	}
	if bytes.Contains(value, []byte("://")) {
		return "https://"
	}
	return ""
}

// shortHost is the shortest reserved domain in use.
const shortHost = "a.test"

func readURL(o *options) []string {
	return readReserved(o, "example.com", "example.net", "example.org")
}

func buildURL(d *draft) (recipe, *Refusal) {
	u := &url{chars: d.tagLength(), domains: readURL(&d.options)}
	longestScheme := len(schemes()[5])
	room := d.length() - longestScheme - len(u.domains[0]) - 1
	if room < u.chars && d.given["at"] == "" {
		u.domains = []string{shortHost}
		room = d.length() - longestScheme - len(shortHost) - 1
	}
	u.chars = min(u.chars, room)
	has := 5 * u.chars
	switch {
	case u.chars < 1:
		return nil, d.narrow(longestScheme + len(u.domains[0]) + 2)
	case d.limits.Unique && has < bitsNeeded(d.limits.Rows):
		return nil, d.crowded(has)
	}
	d.chance = math.Exp2(float64(-has))
	d.text = fmt.Sprintf("address at reserved domains with a tag of %d bits", has)
	return u, nil
}

// A hostname is a letter and a tag below a reserved domain.
type hostname struct {
	chars   int
	domains []string
}

func (h *hostname) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	dst = append(dst, tagAlphabet[lo>>60]) // of the first sixteen, so a letter
	dst = appendTag(dst, hi, lo<<4, h.chars)
	dst = append(dst, '.')
	return append(dst, h.domains[pick(lo<<52, len(h.domains))]...), nil
}

func buildHostname(d *draft) (recipe, *Refusal) {
	h := &hostname{chars: min(d.tagLength(), mostTag-1), domains: readURL(&d.options)}
	room := d.length() - len(h.domains[0]) - 2
	if room < h.chars && d.given["at"] == "" {
		h.domains = []string{shortHost}
		room = d.length() - len(shortHost) - 2
	}
	h.chars = min(h.chars, room)
	has := 4 + 5*h.chars
	switch {
	case h.chars < 1:
		return nil, d.narrow(len(h.domains[0]) + 3)
	case d.limits.Unique && has < bitsNeeded(d.limits.Rows):
		return nil, d.crowded(has)
	}
	d.chance = math.Exp2(float64(-has))
	d.text = fmt.Sprintf("name below reserved domains with a tag of %d bits", has)
	return h, nil
}

// makeAgents lists texts that browsers send. They are of no one browser in
// particular, and old enough that nobody is known by one.
func makeAgents() []string {
	var out []string
	for v := range 40 {
		version := 80 + v
		for _, system := range []string{"Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64", "Linux; Android 10; K"} {
			out = append(out,
				fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", system, version),
				fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36 Edg/%d.0.0.0", system, version, version),
				fmt.Sprintf("Mozilla/5.0 (%s; rv:%d.0) Gecko/20100101 Firefox/%d.0", system, version, version))
		}
		out = append(out, fmt.Sprintf("Chrome/%d", version), fmt.Sprintf("Firefox/%d", version), fmt.Sprintf("curl/7.%d.0", version-20))
	}
	return tidy(out)
}
