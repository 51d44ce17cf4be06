package cli

import (
	"fmt"
	"sync"
	"time"

	"understudy/internal/pipeline"
	"understudy/internal/report"
)

// redraw is how often a terminal's line is drawn anew.
const redraw = 100 * time.Millisecond

// observer tells progress on stderr: one line redrawn on a terminal, plain
// lines elsewhere (stages, and each table when it is done).
func (a *app) observer() pipeline.Observer {
	if a.quiet {
		return nil
	}
	p := &progress{app: a, rows: map[string]int64{}}
	return p.observe
}

// progress may be told from any goroutine.
type progress struct {
	app   *app
	mu    sync.Mutex
	rows  map[string]int64
	total int64
	began time.Time
	drawn time.Time
	open  bool // a redrawn line stands unfinished
}

func (p *progress) observe(e pipeline.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Note != "" {
		p.end()
		fmt.Fprintf(p.app.Stderr, "%-9s %s\n", e.Stage, report.Clean(e.Note))
		if e.Stage == pipeline.StageLoad {
			p.began = time.Now()
		}
		return
	}
	name := e.Table.String()
	p.total += e.Rows - p.rows[name]
	p.rows[name] = e.Rows
	switch {
	case !p.app.Terminal:
		if e.Done {
			fmt.Fprintf(p.app.Stderr, "%-9s %s: %s rows\n", e.Stage, report.Clean(name), report.Number(e.Rows))
		}
	case time.Since(p.drawn) > redraw:
		p.drawn, p.open = time.Now(), true
		rate := float64(p.total) / max(time.Since(p.began).Seconds(), 0.001)
		text := fmt.Sprintf("%-9s %s rows, %s/s, %s", e.Stage, report.Number(p.total), report.Number(int64(rate)), report.Clean(name))
		if len(text) > 79 {
			text = text[:79]
		}
		fmt.Fprintf(p.app.Stderr, "\r%-79s", text)
	}
}

// end closes a line that is being redrawn.
func (p *progress) end() {
	if p.open {
		fmt.Fprintf(p.app.Stderr, "\r%-79s\r%-9s %s rows\n", "", pipeline.StageLoad, report.Number(p.total))
		p.open = false
	}
}
