package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// Behind a pooler whose sessions are not sessions nothing is read and nothing is
// set: the server's sessions serve others afterwards, with settings of their own.
func TestPoolersThatShareSessionsAreRefused(t *testing.T) {
	server := scratchtest.Own(t, scratch.Options{})
	shop := scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, shop, "CREATE TABLE a (id int PRIMARY KEY)")
	for _, c := range []struct {
		mode string
		size int
	}{{"transaction", 20}, {"transaction", 1}, {"statement", 20}, {"statement", 1}} {
		t.Run(c.mode, func(t *testing.T) {
			address := scratchtest.Pooled(t, server, shop, c.mode, c.size)
			at, err := New().Parse(secret.New(address))
			if err != nil {
				t.Fatal(err)
			}
			for side, open := range map[string]func(context.Context) error{
				"source": func(ctx context.Context) error { _, err := New().Source(ctx, at, engine.Limits{}); return err },
				"target": func(ctx context.Context) error { _, err := New().Target(ctx, at, engine.Limits{}); return err },
			} {
				err := open(t.Context())
				var e *engine.Error
				if !errors.As(err, &e) || e.Code != engine.Unsupported || !strings.Contains(e.Say, c.mode+" mode") || !strings.Contains(e.Hint, "session mode") {
					t.Errorf("%s: got %v", side, err)
				}
			}
			got, err := asClientWaiting(t, address, "SELECT current_setting('default_transaction_read_only'), current_setting('search_path'), current_setting('lock_timeout')")
			if err != nil || strings.Join(got, "") != `off|"$user", public|0` {
				t.Errorf("the next user of a session finds %q, %v", got, err)
			}
		})
	}
}

// A pooler's session mode serves as well as the server itself, as far as it
// passes on what pg_restore asks for; what it does not is said before the load.
func TestPoolersInSessionModeServe(t *testing.T) {
	production, staging := pair(t)
	source := scratchtest.Pooled(t, scratchtest.Postgres(t), production, "session", 20)
	target := scratchtest.Pooled(t, scratchtest.Postgres(t), staging, "session", 20)

	// Its structure and rows for a target that has none.
	empty := scratchtest.Database(t)
	mustRefresh(t, openSource(t, source), openTarget(t, empty), quietSpec("from"), true)
	same(t, "what came through the pooler", contents(t, production), contents(t, empty))

	tg := openTarget(t, target)
	state, err := tg.State(t.Context())
	if err != nil || !strings.Contains(strings.Join(state.Obstacles, ""), "the pooler before the target") {
		t.Errorf("obstacles %q, %v", state.Obstacles, err)
	}
	if _, err := refresh(t.Context(), openSource(t, source), tg.InPlace(), quietSpec("inplace"), false); err != nil {
		t.Fatal(err)
	}
	same(t, "staging", contents(t, production), contents(t, staging))
	got, err := asClientWaiting(t, source, "SELECT current_setting('default_transaction_read_only'), current_setting('search_path')")
	if err != nil || strings.Join(got, "") != `off|"$user", public` {
		t.Errorf("the next user of a session finds %q, %v", got, err)
	}
}

// A pool that is too small for a run says so, soon.
func TestPoolOfOneSession(t *testing.T) {
	address := scratchtest.Pooled(t, scratchtest.Postgres(t), scratchtest.Database(t), "session", 1)
	at, err := New().Parse(secret.New(address + "&connect_timeout=1"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = New().Source(t.Context(), at, engine.Limits{})
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Unreachable || !strings.Contains(e.Hint, "default_pool_size") {
		t.Errorf("got %v", err)
	}
}
