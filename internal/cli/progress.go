package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"understudy/internal/pipeline"
	"understudy/internal/report"
)

const (
	// redraw is how often a terminal's line is drawn anew.
	redraw = 100 * time.Millisecond
	// pause is how long a log stays silent about steps within a stage.
	pause = 2 * time.Second
	// barWidth is the width of the bar in columns.
	barWidth = 10
)

// observer tells progress on stderr: one line redrawn on a terminal, plain
// lines elsewhere. A stage is always told; what goes on inside it only when it
// takes its time.
func (a *app) observer() pipeline.Observer {
	if a.quiet {
		return nil
	}
	a.progress = &progress{app: a, rows: map[string]int64{}}
	return a.progress.observe
}

// progress may be told from any goroutine.
type progress struct {
	app   *app
	mu    sync.Mutex
	stage pipeline.Stage
	rows  map[string]int64
	total int64
	began time.Time // of the load
	told  time.Time // the last line that stays
	drawn time.Time
	open  bool // a redrawn line stands unfinished
}

func (p *progress) observe(e pipeline.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case e.Note == "":
		p.count(e)
	case e.Stage != p.stage:
		p.enter(e)
	case p.app.Terminal:
		p.draw(fmt.Sprintf("%-9s %s", e.Stage, e.Note))
	case time.Since(p.told) > pause:
		p.tell(e.Stage, e.Note)
	}
}

// enter begins a stage, and sums the load up at its end.
func (p *progress) enter(e pipeline.Event) {
	if p.stage == pipeline.StageLoad {
		text := report.Number(p.total) + " rows"
		if time.Since(p.began) > time.Second {
			text += fmt.Sprintf(", %s/s", report.Number(p.rate()))
		}
		p.tell(pipeline.StageLoad, text)
	}
	p.stage = e.Stage
	if e.Stage == pipeline.StageLoad {
		p.began, p.told = time.Now(), time.Now()
		p.clear()
		if p.app.Terminal {
			return // drawn as soon as there is something to count
		}
	}
	p.tell(e.Stage, e.Note) // a log wants to know when a stage began
}

// count follows the rows of a table.
func (p *progress) count(e pipeline.Event) {
	name := e.Table.String()
	p.total += e.Rows - p.rows[name]
	p.rows[name] = e.Rows
	switch {
	case p.app.Terminal:
		p.draw(p.line(name))
	case time.Since(p.told) > pause:
		p.tell(e.Stage, p.measure()+", "+name)
	}
}

// line is the load's line on a terminal: a bar, what is done, how fast, how long still.
func (p *progress) line(table string) string {
	bar := ""
	if all := p.app.expected; all > 0 {
		full := int(min(p.total, all) * barWidth / all)
		bar = "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] "
	}
	return fmt.Sprintf("%-9s %s%s  %s", pipeline.StageLoad, bar, p.measure(), table)
}

// rate is how many rows a second the load has moved so far.
func (p *progress) rate() int64 {
	return int64(float64(p.total) / max(time.Since(p.began).Seconds(), 0.001))
}

// measure tells rows of total, rate and time left.
func (p *progress) measure() string {
	rate := p.rate()
	text := report.Number(p.total)
	if all := p.app.expected; all >= p.total && all > 0 {
		text += " of " + report.Number(all)
	}
	text += fmt.Sprintf(" rows, %s/s", report.Number(rate))
	if left := p.app.expected - p.total; left > 0 && rate > 0 && time.Since(p.began) > time.Second {
		text += fmt.Sprintf(", %s left", time.Duration(left/rate)*time.Second)
	}
	return text
}

// draw shows a line that the next one replaces.
func (p *progress) draw(text string) {
	if time.Since(p.drawn) < redraw {
		return
	}
	p.drawn, p.open = time.Now(), true
	fmt.Fprintf(p.app.Stderr, "\r\x1b[K%s", report.Fit(text, report.Width-1))
}

// tell writes a line that stays.
func (p *progress) tell(stage pipeline.Stage, note string) {
	p.clear()
	p.told = time.Now()
	fmt.Fprintf(p.app.Stderr, "%-9s %s\n", stage, report.Clean(note))
}

// end takes an unfinished line away before something else is printed.
func (p *progress) end() {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
	}
}

// clear is end for those who hold the lock.
func (p *progress) clear() {
	if p.open {
		fmt.Fprint(p.app.Stderr, "\r\x1b[K")
		p.open = false
	}
}
