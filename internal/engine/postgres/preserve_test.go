package postgres

import (
	"errors"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// TestSwitchGivesWayToLateWrites writes to a preserved table after its rows were
// copied: the switch must not lose the row, and one that nobody wrote to goes through.
func TestSwitchGivesWayToLateWrites(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `CREATE TABLE flags (name text PRIMARY KEY); INSERT INTO flags VALUES ('a'); CREATE TABLE orders (id int)`)
	e := New()
	at, err := e.Parse(secret.New(url))
	if err != nil {
		t.Fatal(err)
	}
	for i, late := range []bool{true, false} {
		target, err := e.Target(t.Context(), at, engine.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		load, err := target.Begin(t.Context(), engine.Spec{RunID: "2026112300000" + string(rune('0'+i)) + "late", Writers: 1, Step: func(string) {},
			Preserve: []schema.Name{{Schema: "public", Table: "flags"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := load.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if late {
			scratchtest.SQL(t, url, `INSERT INTO flags VALUES ('late')`)
		}
		err = load.Switch(t.Context(), []byte(`{"made": "`+time.Now().Format(time.RFC3339)+`"}`))
		var changed *engine.Error
		if late && (!errors.As(err, &changed) || changed.Code != engine.Changed || changed.Table.Table != "flags" || errors.Is(err, engine.ErrSwitched)) {
			t.Errorf("a late write: %v", err)
		}
		if !late && err != nil {
			t.Errorf("no late write: %v", err)
		}
		if err := errors.Join(load.Abort(t.Context()), target.Close()); err != nil {
			t.Error(err)
		}
		if got := scratchtest.Query(t, url, `SELECT count(*) FROM flags`); got != "2" {
			t.Errorf("%s flags stand in the target, want 2", got)
		}
	}
}
