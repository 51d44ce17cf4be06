package canarytest

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// automaton is the Aho-Corasick machine over the folded patterns: one look at
// each byte, however many canaries there are ("Efficient string matching: an
// aid to bibliographic search", 1975). next is complete, so no state is left
// by failing.
type automaton struct {
	next [][256]int32
	ends [][]int // patterns that end in a state
}

func newAutomaton(patterns []pattern) *automaton {
	a := &automaton{next: make([][256]int32, 1), ends: make([][]int, 1)}
	for i, p := range patterns {
		state := int32(0)
		for _, c := range p.bytes {
			if a.next[state][c] == 0 {
				a.next = append(a.next, [256]int32{})
				a.ends = append(a.ends, nil)
				a.next[state][c] = int32(len(a.next) - 1)
			}
			state = a.next[state][c]
		}
		a.ends[state] = append(a.ends[state], i)
	}
	a.complete()
	return a
}

// complete fills in where a state goes on a byte that does not continue its
// pattern: to the longest suffix that is the beginning of one. Breadth first,
// so that the shorter suffix is complete already.
func (a *automaton) complete() {
	suffix := make([]int32, len(a.next))
	var queue []int32
	for _, s := range a.next[0] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		a.ends[state] = append(a.ends[state], a.ends[suffix[state]]...)
		for c, s := range a.next[state] {
			fallback := a.next[suffix[state]][c]
			if s == 0 {
				a.next[state][c] = fallback
				continue
			}
			suffix[s] = fallback
			queue = append(queue, s)
		}
	}
}

// InText searches a text.
func (l *List) InText(where, text string) []Hit {
	hits, _ := l.InReader(where, strings.NewReader(text)) // reading a string does not fail
	return hits
}

// InReader searches all that r gives, in one pass, however long it is.
func (l *List) InReader(where string, r io.Reader) ([]Hit, error) {
	if l.machine == nil {
		l.machine = newAutomaton(l.patterns)
	}
	var hits []Hit
	state, offset := int32(0), int64(0)
	buffer := make([]byte, 256<<10)
	for {
		n, err := r.Read(buffer)
		for i, c := range buffer[:n] {
			state = l.machine.next[state][fold(c)]
			for _, p := range l.machine.ends[state] {
				found := l.patterns[p]
				hits = append(hits, Hit{Canary: l.names[found.canary], Form: found.form, Where: where, Offset: offset + int64(i) + 1 - int64(len(found.bytes))})
			}
		}
		offset += int64(n)
		if errors.Is(err, io.EOF) {
			return hits, nil
		}
		if err != nil {
			return hits, err
		}
	}
}

// InFiles searches files and folders with all that is in them, their names
// too, and what is compressed with gzip a second time in plain. A file that a
// live server removes meanwhile is no failure; one that cannot be read is.
func (l *List) InFiles(t testing.TB, paths ...string) []Hit {
	t.Helper()
	var hits []Hit
	seen := 0
	for _, top := range paths {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path != top {
				return nil
			}
			if err != nil {
				return err
			}
			hits = append(hits, l.InText("the name of "+path, strings.TrimPrefix(path, top))...)
			if !d.Type().IsRegular() {
				return nil
			}
			seen++
			found, err := l.inFile(path)
			hits = append(hits, found...)
			return err
		})
		if err != nil {
			t.Errorf("search: %v", err)
		}
	}
	if seen == 0 {
		t.Errorf("search: there is no file in %s", strings.Join(paths, ", "))
	}
	return hits
}

func (l *List) inFile(path string) ([]Hit, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hits, err := l.InReader(path, f)
	if err != nil {
		return hits, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return hits, err
	}
	plain, err := gzip.NewReader(f)
	if err != nil {
		return hits, nil // it is not compressed
	}
	inside, err := l.InReader(path+" (gunzipped)", plain)
	return append(hits, inside...), err
}
