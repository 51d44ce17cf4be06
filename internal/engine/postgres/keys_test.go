package postgres

import (
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestRoster draws chores and has several hands do them: each is done once, and
// none while another one has what it locks.
func TestRoster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var chores []chore
		for range rapid.IntRange(0, 12).Draw(t, "chores") {
			locks := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 2, rapid.ID).Draw(t, "locks")
			chores = append(chores, chore{locks: locks, shared: rapid.Bool().Draw(t, "shared")})
		}
		r := newRoster(slices.Clone(chores))
		var mu sync.Mutex
		var doing []*chore
		met, done := false, 0
		var hands sync.WaitGroup
		for range rapid.IntRange(1, 4).Draw(t, "hands") {
			hands.Go(func() {
				for c := r.take(); c != nil; c = r.take() {
					mu.Lock()
					for _, other := range doing {
						both := slices.ContainsFunc(c.locks, func(name string) bool { return slices.Contains(other.locks, name) })
						met = met || both && !(c.shared && other.shared)
					}
					doing = append(doing, c)
					mu.Unlock()
					mu.Lock()
					doing = slices.DeleteFunc(doing, func(other *chore) bool { return other == c })
					done++
					mu.Unlock()
					r.give(c)
				}
			})
		}
		hands.Wait()
		if met || done != len(chores) {
			t.Fatalf("%d of %d done, two that lock one table at once: %v", done, len(chores), met)
		}
	})
}

// TestStatementsOfKeys: pg_restore's text is parted by its own comments only.
func TestStatementsOfKeys(t *testing.T) {
	const text = "SET x = 1;\n\n--\n-- TOC entry 7 (class 2606 OID 1)\n-- Dependencies: 1\n--\n\nALTER TABLE a ADD b;\n\n\n--\n-- TOC entry 12 (class 2606 OID 2)\n--\n\nALTER TABLE c ADD d;\n\n"
	seven, twelve := entry{id: "7"}, entry{id: "12"}
	begin, by := parted(text, []entry{twelve, seven})
	if begin != "SET x = 1;\n\n--\n" || by["7"] != "-- Dependencies: 1\n--\n\nALTER TABLE a ADD b;\n\n\n--\n" || by["12"] != "--\n\nALTER TABLE c ADD d;\n\n" {
		t.Errorf("%q, %q", begin, by)
	}
	for _, entries := range [][]entry{{seven}, {seven, {id: "8"}}, {seven, twelve, {id: "13"}}} {
		if _, by := parted(text, entries); by != nil {
			t.Errorf("%v are taken to have %q", entries, by)
		}
	}
}
