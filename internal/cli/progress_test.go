package cli

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/schema"
)

// screen is a terminal so wide, as far as progress uses one.
type screen struct {
	t        *testing.T
	mu       sync.Mutex
	width    int
	lines    []string
	row, col int
}

// Write draws. A line that fills the last column fails the test, for some terminals wrap there.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(p)
	for text != "" {
		for len(s.lines) <= s.row {
			s.lines = append(s.lines, "")
		}
		switch {
		case strings.HasPrefix(text, "\x1b[A"):
			s.row, text = s.row-1, text[3:]
			if s.row < 0 {
				s.t.Fatal("the cursor leaves the screen")
			}
			continue
		case strings.HasPrefix(text, "\x1b[K"):
			s.lines[s.row], text = cut(s.lines[s.row], s.col), text[3:]
			continue
		case strings.HasPrefix(text, "\x1b[J"):
			s.lines[s.row] = cut(s.lines[s.row], s.col)
			s.lines, text = s.lines[:s.row+1], text[3:]
			continue
		case strings.HasPrefix(text, "\x1b["):
			if !s.colour(&text) {
				s.t.Fatalf("an escape that nobody expects: %q", text[:min(8, len(text))])
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		switch r {
		case '\n':
			s.row, s.col = s.row+1, 0
		case '\r':
			s.col = 0
		default:
			line := []rune(s.lines[s.row])
			for len(line) <= s.col {
				line = append(line, ' ')
			}
			line[s.col] = r
			s.lines[s.row] = string(line)
			if s.col++; s.col >= s.width {
				s.t.Fatalf("too wide: %q", s.lines[s.row])
			}
		}
	}
	return len(p), nil
}

func (s *screen) colour(text *string) bool {
	for _, c := range []string{"\x1b[36m", "\x1b[2m", "\x1b[0m"} {
		if rest, ok := strings.CutPrefix(*text, c); ok {
			*text = rest
			return true
		}
	}
	return false
}

func cut(line string, col int) string {
	if r := []rune(line); len(r) > col {
		return string(r[:col])
	}
	return line
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimRight(strings.Join(s.lines, "\n"), "\n")
}

// loading is an app that loads tables of a plan. It runs in a bubble of synctest,
// whose clock moves when the test sleeps.
func loading(w World) (*app, pipeline.Observer) {
	w.Now = time.Now
	a := &app{World: w}
	observe := a.observer()
	p := &plan.Plan{}
	for i, name := range []string{"orders", "客户名单的一个非常长的名字", "q"} {
		p.Tables = append(p.Tables, plan.Table{Table: schema.Name{Schema: "shop", Table: name}, Rows: 1_000_000 * int64(i+1), Fate: plan.Copied})
	}
	a.expected = expectedOf(p)
	return a, observe
}

// wait lets time pass and everything that is due be drawn.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func moved(table string, rows int64, done bool) pipeline.Event {
	return pipeline.Event{Stage: pipeline.StageLoad, Table: schema.Name{Schema: "shop", Table: table}, Rows: rows, Done: done}
}

// TestBarsOnATerminal follows a load on terminals of many widths: every table on
// its way has a line with rows, rate and time left, one line sums them up, and at
// the end nothing of it is left.
func TestBarsOnATerminal(t *testing.T) {
	for _, width := range []int{20, 40, 60, 80, 200} {
		for _, colour := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s := &screen{t: t, width: width}
				a, observe := loading(World{Stderr: s, Terminal: true, Colour: colour, Unicode: true, Columns: func() int { return width }})
				observe(pipeline.Event{Stage: pipeline.StageLoad, Note: "loading"})
				observe(moved("orders", 1, false))
				wait(5 * time.Second)
				observe(moved("客户名单的一个非常长的名字", 500_000, false))
				wait(5 * time.Second)
				observe(moved("orders", 250_000, false))
				wait(2 * redraw)
				if width >= 80 {
					want := "  orders           ━━━─────────  25%   250,000 of 1.00M  24,509/s    0:30 left\n" +
						"  \"客户名单的一个… ━━━─────────  25%   500,000 of 2.00M  96,153/s    0:15 left\n" +
						"load               ━───────────  12%   750,000 of 6.00M  73,529/s    1:11 left"
					if s.String() != want {
						t.Errorf("at %d columns:\n%s\nwant\n%s", width, s, want)
					}
				}
				wait(time.Second)
				observe(moved("orders", 1_000_000, true))
				wait(2 * redraw)
				if lines := strings.Count(s.String(), "\n") + 1; lines != 2 || strings.Contains(s.String(), "orders") {
					t.Errorf("a table that is done is still shown:\n%s", s)
				}
				a.progress.end()
				if s.String() != "" {
					t.Errorf("this is left behind: %q", s)
				}
			})
		}
	}
}

// TestManyTablesAtOnce shows a few and counts the others.
func TestManyTablesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t, width: 80}
		a, observe := loading(World{Stderr: s, Terminal: true, Columns: func() int { return 80 }})
		observe(pipeline.Event{Stage: pipeline.StageLoad, Note: "loading"})
		for i := range 20 {
			wait(time.Second)
			observe(moved(fmt.Sprint("t", i), 10, false))
		}
		wait(2 * redraw)
		if lines := strings.Split(s.String(), "\n"); len(lines) != barsShown+2 || !strings.Contains(lines[barsShown], "and 12 more") {
			t.Errorf("shown:\n%s", s)
		}
		a.progress.end()
		if s.String() != "" {
			t.Errorf("this is left behind: %q", s)
		}
	})
}

// TestStagesStay: the lines of stages stay, steps within a stage are replaced, and
// a long one shows its time.
func TestStagesStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t, width: 80}
		a, observe := loading(World{Stderr: s, Terminal: true})
		observe(pipeline.Event{Stage: pipeline.StageFinish, Note: "building"})
		wait(time.Minute)
		observe(pipeline.Event{Stage: pipeline.StageFinish, Note: "index \x1b[31m" + strings.Repeat("x", 100)})
		wait(2 * redraw)
		if lines := strings.Split(s.String(), "\n"); len(lines) != 2 || lines[0] != "finish    building" || !strings.HasPrefix(lines[1], `finish    index \u{1b}[31mxxx`) {
			t.Errorf("shown:\n%s", s)
		}
		wait(time.Minute)
		observe(pipeline.Event{Stage: pipeline.StageFinish, Note: "index b"})
		observe(pipeline.Event{Stage: pipeline.StageProve, Note: "proving"})
		a.progress.end()
		if s.String() != "finish    building\nprove     proving" {
			t.Errorf("left:\n%s", s)
		}
	})
}

// TestPlainLinesElsewhere: a log gets whole lines, no escape, and not too many.
func TestPlainLinesElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		a, observe := loading(World{Stderr: &b, Colour: true, Unicode: true})
		observe(pipeline.Event{Stage: pipeline.StageLoad, Note: "loading"})
		for i := range 100 {
			wait(100 * time.Millisecond)
			observe(moved("orders", int64(i)*10_000, false))
		}
		observe(pipeline.Event{Stage: pipeline.StageFinish, Note: "building"})
		a.progress.end()
		if text := b.String(); strings.ContainsAny(text, "\x1b\r") || !strings.HasPrefix(text, "load      loading\n") || !strings.HasSuffix(text, "load      990,000 rows, 99,000/s\nfinish    building\n") ||
			strings.Count(text, "\n") != 7 || !strings.Contains(text, "load      200,000 of 6,000,000 rows, 95,238/s, 1m0s left, shop.orders\n") {
			t.Errorf("the log reads\n%s", text)
		}
	})
}

// TestShortNumbers fits every number into seven letters.
func TestShortNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999_999: "999,999", 1_000_000: "1.00M", 12_345_678: "12.3M", 999_999_999: "999M", 1_234_567_890: "1.23G", 5e12: "5.00T"} {
		if got := short(n); got != want {
			t.Errorf("short(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{7 * time.Second: "0:07", 750 * time.Second: "12:30", 3723 * time.Second: "1:02:03"} {
		if got := clockTime(d); got != want {
			t.Errorf("clockTime(%s) = %q, want %q", d, got, want)
		}
	}
}
