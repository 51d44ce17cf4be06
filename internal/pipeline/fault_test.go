package pipeline_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/engine/faulty"
	"understudy/internal/engine/sqlite"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/pipeline"
	"understudy/internal/rules"
	"understudy/internal/secret"
	"understudy/schemas"
)

// shop is the demo's production and staging in a directory of the test.
type shop struct {
	dir, staging string
	job          *config.Job
	rules        []*rules.File
	key          mask.Key
	after        *pipeline.After
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{dir: t.TempDir()}
	production := filepath.Join(s.dir, "production.db")
	s.staging = filepath.Join(s.dir, "staging.db")
	from, to := schemas.Shop("sqlite")
	for path, statements := range map[string][]string{production: from, s.staging: to} {
		at, err := sqlite.New().Parse(secret.New("sqlite:" + path))
		if err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Execute(t.Context(), at, statements); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range schemas.Files() {
		path := filepath.Join(s.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	key, text, err := mask.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	s.key = key
	var found []finding.Finding
	s.job, found = config.Read(filepath.Join(s.dir, "understudy.yaml"), func(name string) string {
		return map[string]string{"PROD_URL": "sqlite:" + production, "STAGING_URL": "sqlite:" + s.staging, "UNDERSTUDY_KEY": text.Reveal()}[name]
	})
	data, err := os.ReadFile(filepath.Join(s.dir, "rules/shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file, more := rules.Parse("rules/shop.yaml", data)
	if err := fault.From(append(found, more...), fault.Usage); err != nil {
		t.Fatal(err)
	}
	s.rules = []*rules.File{file}
	return s
}

// refresh runs a whole refresh through the given engine.
func (s *shop) refresh(t *testing.T, e engine.Engine, run string) error {
	t.Helper()
	source, err := e.Parse(s.job.Source)
	if err != nil {
		t.Fatal(err)
	}
	target, err := e.Parse(s.job.Target)
	if err != nil {
		t.Fatal(err)
	}
	session, err := pipeline.Open(t.Context(), pipeline.Input{Job: s.job, Rules: s.rules, Key: s.key, Engine: e, SourceAt: source, TargetAt: target,
		RunID: run, Now: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), Claim: true, BatchBytes: 4096, After: s.after})
	if err != nil {
		return err
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	if _, err := session.Plan(t.Context()); err != nil {
		return err
	}
	_, err = session.Run(t.Context(), context.WithoutCancel(t.Context()))
	return err
}

// content is a digest of every row of every table of staging but understudy's own.
func (s *shop) content(t *testing.T) string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.staging+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var lines []string
	for _, table := range column(t, db, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'understudy%' AND name NOT LIKE 'sqlite%'`) {
		var parts []string
		for _, c := range column(t, db, `SELECT name FROM pragma_table_xinfo('`+table+`')`) {
			parts = append(parts, `quote("`+c+`")`)
		}
		for _, row := range column(t, db, `SELECT `+strings.Join(parts, ` || ',' || `)+` FROM "`+table+`"`) {
			lines = append(lines, table+": "+row)
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// leftovers lists files beside staging that are neither the databases nor their kept generations.
func (s *shop) leftovers(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.dir, ".*next*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// settled waits until no more goroutines run than before: what was started has ended.
func settled(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

// TestAnyFailureLeavesTheTargetAsItWas lets every call across the line fail in
// turn. In every case: the target is the old generation, or, after the switch,
// the new one; nothing runs on; the next run succeeds without help.
func TestAnyFailureLeavesTheTargetAsItWas(t *testing.T) {
	s := newShop(t)
	old := s.content(t)
	runs := 0
	next := func() string { runs++; return fmt.Sprintf("20261123%06dabcd", runs) }
	cases, want, codes := 0, 60, []engine.Code{engine.Failed, engine.Unreachable, engine.Full}
	if testing.Short() {
		want, codes = 15, codes[2:]
	}
	for _, point := range faulty.Points() {
		for _, n := range nths(point) {
			for _, code := range codes {
				before := runtime.NumGoroutine()
				e := faulty.New(sqlite.New(), faulty.Fault{At: point, Nth: n, Code: code})
				err := s.refresh(t, e, next())
				name := fmt.Sprintf("%s, call %d, %s", point, n, code)
				if e.Struck() == 0 {
					if err != nil {
						t.Fatalf("%s: did not happen, and yet: %v", name, err)
					}
					old = s.content(t)
					break
				}
				cases++
				settled(t, before)
				now := s.content(t)
				switch point {
				case faulty.SwitchAfter, faulty.Abort:
					if got := fault.CodeOf(err); got != fault.LaterFailed {
						t.Errorf("%s: code %d (%v), want %d", name, got, err, fault.LaterFailed)
					}
					old = now
				default:
					if err == nil {
						t.Errorf("%s: the run succeeded", name)
					}
					if now != old {
						t.Errorf("%s: the target changed", name)
					}
					if code == engine.Full && fault.CodeOf(err) != fault.Unavailable {
						t.Errorf("%s: code %d (%v), want %d", name, fault.CodeOf(err), err, fault.Unavailable)
					}
				}
				if left := s.leftovers(t); len(left) > 0 && point != faulty.Abort {
					t.Errorf("%s: left behind %v", name, left)
				}
			}
		}
	}
	if cases < want {
		t.Errorf("only %d failures were tried", cases)
	}
	t.Logf("%d failures tried", cases)
	if err := s.refresh(t, sqlite.New(), next()); err != nil {
		t.Errorf("the next run: %v", err)
	}
	if left := s.leftovers(t); len(left) > 0 {
		t.Errorf("the next run left behind %v", left)
	}
}

// nths are the calls of a point that are let fail: the first ones and some later ones.
func nths(p faulty.Point) []int {
	switch p {
	case faulty.Find, faulty.FindBatch, faulty.Read, faulty.ReadBatch, faulty.Write, faulty.WriteBatch, faulty.Count:
		if testing.Short() {
			return []int{1, 5}
		}
		return []int{1, 2, 5, 9, 14}
	}
	return []int{1}
}

// TestInterruptedRunStops cancels runs at each stage.
func TestInterruptedRunStops(t *testing.T) {
	s := newShop(t)
	old := s.content(t)
	for i, stage := range []pipeline.Stage{pipeline.StageInspect, pipeline.StageSnapshot, pipeline.StageSelect, pipeline.StageTry, pipeline.StageBegin,
		pipeline.StageLoad, pipeline.StageFinish, pipeline.StageProve} {
		before := runtime.NumGoroutine()
		ctx, cancel := context.WithCancel(t.Context())
		e := sqlite.New()
		source, _ := e.Parse(s.job.Source)
		target, _ := e.Parse(s.job.Target)
		session, err := pipeline.Open(ctx, pipeline.Input{Job: s.job, Rules: s.rules, Key: s.key, Engine: e, SourceAt: source, TargetAt: target,
			RunID: fmt.Sprintf("20261123%06dffff", i), Now: time.Now(), Claim: true, Observer: func(ev pipeline.Event) {
				if ev.Stage == stage {
					cancel()
				}
			}})
		if err == nil {
			if _, err = session.Plan(ctx); err == nil {
				_, err = session.Run(ctx, context.WithoutCancel(ctx))
			}
			if cerr := session.Close(); cerr != nil {
				t.Errorf("%s: close: %v", stage, cerr)
			}
		}
		cancel()
		if err == nil {
			t.Errorf("%s: the run went on to the end", stage)
		}
		if got := fault.CodeOf(err); got != fault.Interrupted {
			t.Errorf("%s: code %d (%v), want %d", stage, got, err, fault.Interrupted)
		}
		settled(t, before)
		if s.content(t) != old {
			t.Errorf("%s: the target changed", stage)
		}
		if left := s.leftovers(t); len(left) > 0 {
			t.Errorf("%s: left behind %v", stage, left)
		}
	}
}

// TestNotKnown: where nobody knows whether the switch took place, nothing says that the
// target is unchanged, and the way to find out stands there.
func TestNotKnown(t *testing.T) {
	broke := &engine.Error{Code: engine.Unreachable, Doing: "commit the switch", Say: "the connection broke"}
	for _, c := range []struct {
		err  error
		code fault.Code
	}{
		{errors.Join(engine.ErrUnknown, broke), fault.Unavailable},
		{errors.Join(engine.ErrUnknown, broke, context.Canceled), fault.Interrupted},
	} {
		err := pipeline.Explain(c.err, "target")
		f := fault.FindingsOf(err)
		if fault.CodeOf(err) != c.code || len(f) != 1 || strings.Contains(f[0].Message+f[0].Hint, "unchanged") || !strings.Contains(f[0].Hint, "understudy verify") || !errors.Is(err, engine.ErrUnknown) {
			t.Errorf("%v: %d %+v", c.err, fault.CodeOf(err), f)
		}
	}
}
