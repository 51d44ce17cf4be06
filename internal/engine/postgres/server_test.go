package postgres

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// A hot standby serves as a source, and is seen to be kin of its primary.
func TestStandbySource(t *testing.T) {
	primary := scratchtest.Own(t, scratch.Options{})
	shop, other := scratchtest.DatabaseOn(t, primary.URL("postgres")), scratchtest.DatabaseOn(t, primary.URL("postgres"))
	scratchtest.SQL(t, shop, hardSchema)
	standby := scratchtest.Standby(t, primary, nil)
	u, err := url.Parse(shop)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	src := sourceAt(t, standby.URL(name), engine.Limits{Readers: 2})
	s, err := src.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := src.Snapshot(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	people := mustTable(t, s, "people")
	ids, _ := findAll(t, snap, engine.Find{Table: people, Where: "id <= 50"})
	if len(ids) != 50 || strings.Count(collect(t, snap, engine.Read{Table: people, Columns: []string{"id"}}), "\n") != 100 {
		t.Errorf("the standby gave %d rows", len(ids))
	}
	for _, c := range []struct {
		what, target string
		source       *source
		want         string
	}{
		{"its primary's database", shop, src, "kin"}, {"another database of its primary", other, src, "apart"},
		{"itself by its socket", primary.SocketURL(name), sourceAt(t, shop, engine.Limits{}), "same"}, {"two databases of one server", other, sourceAt(t, shop, engine.Limits{}), "apart"},
	} {
		d, err := New().Apart(t.Context(), c.source, openTarget(t, c.target))
		got := map[bool]string{true: "same"}[d.Same] + map[bool]string{true: "kin"}[d.Kin]
		if got == "" {
			got = "apart"
		}
		if err != nil || got != c.want || d.Why == "" {
			t.Errorf("%s: %s (%s), %v", c.what, got, d.Why, err)
		}
	}
}

// TLS is verified, never silently weakened.
func TestTransport(t *testing.T) {
	server := scratchtest.Own(t, scratch.Options{})
	roots, key, cert := scratchtest.Certificates(t, "db.example")
	dir := t.TempDir()
	strangers, _, _ := scratchtest.Certificates(t, "db.example")
	scratchtest.WriteLike(t, filepath.Join(dir, "ca.pem"), roots, server.DataDir())
	scratchtest.WriteLike(t, filepath.Join(dir, "other.pem"), strangers, server.DataDir())
	scratchtest.WriteLike(t, filepath.Join(server.DataDir(), "server.key"), key, server.DataDir())
	scratchtest.WriteLike(t, filepath.Join(server.DataDir(), "server.crt"), cert, server.DataDir())
	if err := server.Restart(t.Context(), map[string]string{"ssl": "on"}); err != nil {
		t.Fatal(err)
	}
	at, err := parseAddress(secretOf(server.URL("postgres")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ mode, roots, host, want string }{
		{"verify-full", "ca.pem", "localhost", "another host name"},
		{"verify-full", "ca.pem", "127.0.0.1", ""},
		{"verify-ca", "ca.pem", "localhost", ""},
		{"verify-full", "other.pem", "127.0.0.1", "not trusted"},
		{"verify-ca", "other.pem", "127.0.0.1", "not trusted"},
		{"verify-full", "", "127.0.0.1", "not "},
		{"require", "", "127.0.0.1", ""},
		{"disable", "", "127.0.0.1", ""},
	} {
		changed := *at
		changed.tls.Mode, changed.host = c.mode, c.host
		if c.roots != "" {
			changed.tls.CA = filepath.Join(dir, c.roots)
		}
		conn, err := connect(t.Context(), &changed, session{name: "test"})
		if err == nil {
			on, asked := conn.value(t.Context(), "ask", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
			if asked != nil || (on == "t") != (c.mode != "disable") {
				t.Errorf("%s: ssl is %s, %v", c.mode, on, asked)
			}
			conn.hangUp()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s with %q: %v", c.mode, c.roots, err)
		}
	}
	if err := server.Restart(t.Context(), map[string]string{"ssl": "off"}); err != nil {
		t.Fatal(err)
	}
	changed := *at
	changed.tls.Mode = "require"
	if conn, err := connect(t.Context(), &changed, session{name: "test"}); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		if err == nil {
			conn.hangUp()
		}
		t.Errorf("a server without TLS: %v", err)
	}
}

// What a standby had to replay, and could not while we read, ends the reading
// with words that say so, whether a statement was under way or none.
func TestStandbyConflict(t *testing.T) {
	primary := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"autovacuum": "off"}})
	shop := scratchtest.DatabaseOn(t, primary.URL("postgres"))
	scratchtest.SQL(t, shop, "CREATE TABLE a (id int PRIMARY KEY, t text); INSERT INTO a SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i; CREATE TABLE b (id int)")
	standby := scratchtest.Standby(t, primary, map[string]string{"max_standby_streaming_delay": "0", "hot_standby_feedback": "off"})
	u, err := url.Parse(shop)
	if err != nil {
		t.Fatal(err)
	}
	replica := standby.URL(strings.TrimPrefix(u.Path, "/"))
	for name, change := range map[string]string{
		"rows are removed": "DELETE FROM a WHERE id % 2 = 0; VACUUM a", "structure changes": "ALTER TABLE b ADD COLUMN c int",
	} {
		src := sourceAt(t, replica, engine.Limits{Readers: 2, LockWait: 20 * time.Second})
		s, err := src.Inspect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		snap, err := src.Snapshot(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(change, "; ") {
			scratchtest.SQL(t, shop, statement)
		}
		var last error
		for deadline := time.Now().Add(30 * time.Second); last == nil && time.Now().Before(deadline); {
			for b, err := range snap.Read(t.Context(), engine.Read{Table: mustTable(t, s, "a"), Columns: []string{"id", "t"}}) {
				if last = err; err == nil {
					b.Release()
				}
			}
		}
		if code := engine.CodeOf(last); code != engine.Stopped || !strings.Contains(fmt.Sprint(last), "conflict with recovery") && !strings.Contains(fmt.Sprint(last), "gave way") {
			t.Errorf("%s: got %v", name, last)
		}
		// The standby ends each session when it comes to it, one perhaps only now.
		if err := snap.Close(); err != nil && engine.CodeOf(err) != engine.Stopped {
			t.Error(err)
		}
	}
}
