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

// TestLargestTablesComeFirst orders what is built by its table's size; what is
// neither index nor key keeps its place.
func TestLargestTablesComeFirst(t *testing.T) {
	contents := []entry{
		{id: "1", kind: "TABLE", schema: "public", tag: "small"}, {id: "2", kind: "TABLE", schema: "public", tag: "large"},
		{id: "3", kind: "CONSTRAINT", needs: []string{"1"}}, {id: "4", kind: "TRIGGER", needs: []string{"1"}}, {id: "5", kind: "INDEX", needs: []string{"2"}},
		{id: "6", kind: "FK CONSTRAINT", needs: []string{"1", "3"}}, {id: "7", kind: "FK CONSTRAINT", needs: []string{"2", "3"}},
	}
	sizes := map[schema.Name]int64{{Schema: "public", Table: "small"}: 1, {Schema: "public", Table: "large"}: 9}
	var got string
	for _, p := range inPasses(contents, contents, 2, sizes) {
		for _, e := range p.contents {
			got += e.id
		}
	}
	if got != "1254376" {
		t.Errorf("order %s, want 1254376", got)
	}
}
