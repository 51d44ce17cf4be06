package postgres

import (
	"strings"
	"testing"

	"understudy/internal/schema"
)

func TestPassesKeepApartWhatLocksPartitions(t *testing.T) {
	contents := parseContents([]byte(`1; 1259 1 TABLE public whole owner
2; 1259 2 TABLE public part owner
3; 1259 3 TABLE public plain owner
4; 0 0 TABLE ATTACH public part owner
;	depends on: 2 1
5; 2606 5 CONSTRAINT public whole whole_pkey owner
;	depends on: 1
6; 2606 6 CONSTRAINT public part part_pkey owner
;	depends on: 2
7; 2606 7 CONSTRAINT public plain plain_pkey owner
;	depends on: 3
8; 0 0 INDEX ATTACH public part_pkey owner
;	depends on: 5 6 1 2
9; 2606 9 FK CONSTRAINT public plain plain_whole_fkey owner
;	depends on: 3 5
10; 2606 10 FK CONSTRAINT public plain plain_self_fkey owner
;	depends on: 3 7
11; 2620 11 TRIGGER public plain watch owner
;	depends on: 3
12; 1259 12 INDEX public late_index owner
;	depends on: 11
`))
	var got []string
	for _, p := range inPasses(contents, contents, 4, nil) {
		var ids []string
		for _, e := range p.contents {
			ids = append(ids, e.id)
		}
		got = append(got, strings.Join(ids, " "))
	}
	if text := strings.Join(got, " | "); text != "1 2 3 4 5 6 7 | 8 | 10 | 9 | 11 12" {
		t.Errorf("passes are %s", text)
	}
	if n := len(inPasses(contents, contents, 1, nil)); n != 1 {
		t.Errorf("one job makes %d passes", n)
	}
}

// TestKeysThatMeetComeFirst: of two lanes neither is left alone with keys that
// lock one table, and tables with partitions wait for nobody.
func TestKeysThatMeetComeFirst(t *testing.T) {
	tables := []entry{{id: "1", tag: "users"}, {id: "2", tag: "orders"}, {id: "3", tag: "events"}, {id: "4", tag: "wide"}, {id: "5", tag: "names"}, {id: "6", tag: "events_1"}}
	sizes := map[schema.Name]int64{}
	for i := range tables {
		tables[i].kind, tables[i].schema = "TABLE", "public"
		sizes[schema.Name{Schema: "public", Table: tables[i].tag}] = []int64{2, 5, 0, 7, 1, 6}[i]
	}
	key := func(id, tag string, needs ...string) entry {
		return entry{id: id, kind: "FK CONSTRAINT", schema: "public", tag: tag, needs: needs}
	}
	order := func(keys ...entry) string {
		contents := append(append([]entry{{id: "7", kind: "TABLE ATTACH", schema: "public", tag: "events_1", needs: []string{"6", "3"}}}, tables...), keys...)
		var out []string
		for _, p := range inPasses(contents, contents, 2, sizes) {
			text := ""
			for _, e := range p.contents {
				if e.kind == "FK CONSTRAINT" {
					text += e.id
				}
			}
			if text != "" {
				out = append(out, text)
			}
		}
		return strings.Join(out, " ")
	}
	all := []entry{key("a", "wide names", "4", "5"), key("b", "orders user", "2", "1"), key("c", "events user", "3", "1"), key("d", "users name", "1", "5")}
	if got := order(all...); got != "dcba" {
		t.Errorf("order %s, want dcba", got)
	}
	// A partition with a key of its own meets those of its table, which name only that.
	if got := order(append(all, key("e", "events_1 order", "6", "2"))...); got != "adb ce" {
		t.Errorf("order %s, want those that meet in a partition apart", got)
	}
}
