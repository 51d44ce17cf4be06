package parity

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"understudy/internal/catalog"
	"understudy/internal/document"
	"understudy/internal/fault"
	"understudy/internal/finding"
)

// A Waiver lets differences pass until a day, with a reason and somebody who answers for it.
type Waiver struct {
	At                    finding.At
	Match                 Match
	Reason, Owner, Ticket string
	Expires               time.Time // the last day on which it holds, midnight UTC
}

// A Match tells which differences a waiver is about. Empty fields match all.
type Match struct {
	ID string
	// Object is the object's name as reports write it; a star stands for any
	// text within one part of it.
	Object string
	Kinds  []string
	Change string
}

// A Waived is what became of a waiver. Its JSON is part of the contract.
type Waived struct {
	At      finding.At `json:"at"`
	Object  string     `json:"object,omitempty"`
	ID      string     `json:"id,omitempty"`
	Reason  string     `json:"reason"`
	Owner   string     `json:"owner"`
	Ticket  string     `json:"ticket"`
	Expires string     `json:"expires"`
	// Outcome is used, unused or expired; Differences it let pass.
	Outcome     string `json:"outcome"`
	Differences int    `json:"differences"`
}

const (
	// longest is how far ahead a waiver may expire unless the file says otherwise.
	longest = 90 * 24 * time.Hour
	day     = "2006-01-02"
)

// ReadWaivers reads a file of waivers; path is what findings call it. Today
// decides which dates are too far ahead.
func ReadWaivers(path string, data []byte, today time.Time) ([]Waiver, []finding.Finding) {
	root, r := document.Parse(path, data)
	var out []Waiver
	if !root.Missing() {
		p := &waiverParser{r: r, today: today, longest: longest}
		out = p.file(root)
	}
	fs := r.Findings()
	for i := range fs {
		if fs[i].Severity == finding.Error {
			fs[i].Code = int(fault.Usage)
		}
	}
	return out, fs
}

type waiverParser struct {
	r       *document.Reader
	today   time.Time
	longest time.Duration
}

func (p *waiverParser) file(root document.Value) (out []Waiver) {
	m, ok := root.Called("the file of waivers").Known("version", "longest", "waivers")
	if !ok {
		return nil
	}
	if v := m.Need("version", "write `version: 1` as the first line"); !v.Missing() {
		v.Int(1, 1)
	}
	if v := m.Get("longest"); !v.Missing() {
		if d, ok := v.Duration(); ok {
			p.longest = d
		}
	}
	v := m.Need("waivers", "write `waivers: []` if nothing is waived")
	if v.Missing() {
		return nil
	}
	items, _ := v.List()
	for _, item := range items {
		w, ok := p.waiver(item.Called("the waiver"))
		if !ok {
			continue
		}
		same := func(have Waiver) bool {
			return have.Match.ID == w.Match.ID && have.Match.Object == w.Match.Object && have.Match.Change == w.Match.Change && slices.Equal(have.Match.Kinds, w.Match.Kinds)
		}
		if i := slices.IndexFunc(out, same); i >= 0 {
			item.Fail("keep the one that holds", "the waiver in line %d is about the same differences", out[i].At.Line)
			continue
		}
		out = append(out, w)
	}
	return out
}

func (p *waiverParser) waiver(v document.Value) (w Waiver, ok bool) {
	m, ok := v.Known("match", "reason", "owner", "ticket", "expires")
	if !ok {
		return w, false
	}
	w.At = v.At()
	text := func(key, hint string) string {
		v := m.Need(key, hint)
		if v.Missing() {
			ok = false
			return ""
		}
		s, good := v.Scalar()
		if s = strings.TrimSpace(s); good && s == "" {
			v.Fail(hint, "%s is empty", key)
			good = false
		}
		ok = ok && good
		return s
	}
	w.Reason = text("reason", "say why the difference may stay")
	w.Owner = text("owner", "name who answers for it")
	w.Ticket = text("ticket", "name where its end is planned")
	until := text("expires", "write the last day on which it holds: expires: "+p.today.Add(30*24*time.Hour).Format(day))
	if until != "" {
		v := m.Get("expires")
		d, err := time.Parse(day, until)
		switch {
		case err != nil:
			v.Fail("write it as "+p.today.Add(30*24*time.Hour).Format(day), "expires is no day")
			ok = false
		case d.Sub(p.today) > p.longest:
			v.Fail("choose a day up to "+p.today.Add(p.longest).Format(day)+", or write `longest: 180d` at the top of the file", "expires is more than %d days ahead", int(p.longest.Hours()/24))
			ok = false
		}
		w.Expires = d
	}
	match := m.Need("match", "write `match: {object: public.orders.note, kind: column}`")
	if match.Missing() {
		return w, false
	}
	return w, p.match(match, &w.Match) && ok
}

func (p *waiverParser) match(v document.Value, out *Match) bool {
	m, ok := v.Known("id", "object", "kind", "change")
	if !ok {
		return false
	}
	text := func(key string) string {
		v := m.Get(key)
		if v.Missing() {
			return ""
		}
		s, good := v.Scalar()
		ok = ok && good
		return strings.TrimSpace(s)
	}
	out.ID, out.Object = text("id"), text("object")
	if v := m.Get("change"); !v.Missing() {
		s, good := v.Word(catalog.Missing, catalog.Extra, catalog.Different)
		out.Change, ok = s, ok && good
	}
	if v := m.Get("kind"); !v.Missing() {
		items, good := v.OneOrMany()
		ok = ok && good
		for _, item := range items {
			s, good := item.Text()
			if _, known := manners[s]; good && !known {
				item.Fail("write a kind as `understudy parity` prints it", "no object is of the kind %q", s)
				good = false
			}
			out.Kinds, ok = append(out.Kinds, s), ok && good
		}
	}
	switch {
	case !ok:
		return false
	case out.ID == "" && out.Object == "":
		v.Fail("name what it is about: object: public.orders.note", "a waiver that names no object is too broad")
		return false
	case out.Object != "" && tooBroad(out.Object, out.Kinds):
		m.Get("object").Fail("write the name of a table or an object, or at least three letters of it before a star; of all that belongs to a table, the kind", "%s is too broad: it would hide differences that nobody has seen yet", out.Object)
		return false
	}
	return true
}

// tooBroad tells whether a pattern names nothing below its schema: it needs a part
// without a star, or one with three letters beside it. All that belongs to a table
// needs a kind beside it.
func tooBroad(pattern string, kinds []string) bool {
	parts := nameParts(pattern)
	if len(parts) > 1 {
		parts = parts[1:]
	}
	narrow := func(p string) bool {
		return !strings.Contains(p, "*") || utf8.RuneCountInString(strings.Trim(strings.ReplaceAll(p, "*", ""), `"`)) >= 3
	}
	return !slices.ContainsFunc(parts, narrow) || len(kinds) == 0 && !narrow(parts[len(parts)-1])
}

// nameParts splits a name at the dots that stand outside quotes and parentheses.
func nameParts(name string) []string {
	var out []string
	start, depth, quoted := 0, 0, false
	for i, c := range name {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '.' && depth == 0:
			out = append(out, name[start:i])
			start = i + 1
		}
	}
	return append(out, name[start:])
}

// matches tells whether a waiver is about a difference.
func (m Match) matches(d Difference) bool {
	switch {
	case m.ID != "" && m.ID != d.ID, m.Change != "" && m.Change != d.Change, len(m.Kinds) > 0 && !slices.Contains(m.Kinds, d.Kind):
		return false
	case m.Object == "":
		return true
	}
	pattern, name := nameParts(m.Object), nameParts(d.Object)
	if len(pattern) != len(name) {
		return false
	}
	for i := range pattern {
		if !like(pattern[i], name[i]) {
			return false
		}
	}
	return true
}

// like matches a text with a pattern in which stars stand for any text.
func like(pattern, text string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, pieces[0]) {
		return false
	}
	text = text[len(pieces[0]):]
	last := pieces[len(pieces)-1]
	for _, p := range pieces[1 : len(pieces)-1] {
		at := strings.Index(text, p)
		if at < 0 {
			return false
		}
		text = text[at+len(p):]
	}
	return strings.HasSuffix(text, last)
}

// waive lets differences pass and gives what became of each waiver. A waiver
// that expired lets nothing pass.
func (r *Report) waive(list []Waiver, now time.Time) {
	today := now.UTC().Truncate(24 * time.Hour)
	for _, w := range list {
		state := Waived{At: w.At, Object: w.Match.Object, ID: w.Match.ID, Reason: w.Reason, Owner: w.Owner, Ticket: w.Ticket, Expires: w.Expires.Format(day), Outcome: "unused"}
		expired := today.After(w.Expires)
		for i := range r.Differences {
			d := &r.Differences[i]
			if !w.Match.matches(*d) {
				continue
			}
			state.Differences++
			if !expired && d.Waived == "" {
				d.Waived = fmt.Sprintf("%s (%s, %s, until %s)", w.Reason, w.Owner, w.Ticket, state.Expires)
			}
		}
		switch {
		case expired:
			state.Outcome = "expired"
		case state.Differences > 0:
			state.Outcome = "used"
		}
		r.Waivers = append(r.Waivers, state)
	}
}
