package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/report"
	"understudy/internal/schema"
)

const (
	// redraw is how often a terminal's lines are drawn anew.
	redraw = 100 * time.Millisecond
	// pause is how long a log stays silent about steps within a stage.
	pause = 2 * time.Second
)

// expected is what a plan will load: rows in total and by table, nought where
// the server has no estimate.
type expected struct {
	rows   int64
	tables map[schema.Name]int64
	// bare: all tables are in one schema, which then needs no mention.
	bare bool
}

func expectedOf(p *plan.Plan) expected {
	e := expected{rows: p.Rows(), tables: map[schema.Name]int64{}}
	schemas := map[string]bool{}
	for _, t := range p.Tables {
		e.tables[t.Table] = max(t.Rows, 0)
		schemas[t.Table.Schema] = true
	}
	e.bare = len(schemas) == 1
	return e
}

// observer tells progress on stderr: lines redrawn on a terminal, plain lines
// elsewhere. A stage is always told; what goes on inside it only when it takes
// its time. The clock runs along, whether or not anything is told.
func (a *app) observer() pipeline.Observer {
	a.clock = &clock{now: a.Now}
	if a.quiet {
		return a.clock.observe
	}
	a.progress = &progress{app: a, tables: map[schema.Name]*moving{}}
	return func(e pipeline.Event) {
		a.clock.observe(e)
		a.progress.observe(e)
	}
}

// progress may be told from any goroutine.
type progress struct {
	app     *app
	mu      sync.Mutex
	stage   pipeline.Stage
	step    string    // within the stage
	entered time.Time // the stage
	tables  map[schema.Name]*moving
	running []*moving // those that began and have not ended, in this order
	total   int64
	told    time.Time // the last line that stays
	drawn   time.Time
	lines   int           // how many lines stand that the next drawing replaces
	ticker  chan struct{} // closed to end the drawing between events; nil: there is none
}

// moving is a table on its way.
type moving struct {
	name  schema.Name
	rows  int64
	began time.Time
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
		p.step = e.Note
		p.draw()
	case p.app.Now().Sub(p.told) > pause:
		p.tell(e.Stage, e.Note)
	}
}

// enter begins a stage, and sums the load up at its end.
func (p *progress) enter(e pipeline.Event) {
	now := p.app.Now()
	if p.stage == pipeline.StageLoad {
		text := report.Number(p.total) + " rows"
		if spent := now.Sub(p.entered); spent > time.Second {
			text += fmt.Sprintf(", %s/s", report.Number(rate(p.total, spent)))
		}
		p.tell(pipeline.StageLoad, text)
	}
	p.stage, p.step, p.entered, p.running = e.Stage, "", now, nil
	if e.Stage == pipeline.StageLoad && p.app.Terminal {
		p.clear()
		return // drawn as soon as there is something to count
	}
	p.tell(e.Stage, e.Note) // a log wants to know when a stage began
	p.tick()
}

// count follows the rows of a table.
func (p *progress) count(e pipeline.Event) {
	m := p.tables[e.Table]
	if m == nil {
		m = &moving{name: e.Table, began: p.app.Now()}
		p.tables[e.Table] = m
		p.running = append(p.running, m)
	}
	p.total += e.Rows - m.rows
	m.rows = e.Rows
	if e.Done {
		for i, other := range p.running {
			if other == m {
				p.running = append(p.running[:i:i], p.running[i+1:]...)
				break
			}
		}
	}
	switch {
	case p.app.Terminal:
		p.draw()
	case p.app.Now().Sub(p.told) > pause:
		p.tell(e.Stage, p.measure()+", "+e.Table.String())
	}
}

// measure tells rows of total, rate and time left, for a log.
func (p *progress) measure() string {
	all, spent := p.app.expected.rows, p.app.Now().Sub(p.entered)
	text := report.Number(p.total)
	if all >= p.total && all > 0 {
		text += " of " + report.Number(all)
	}
	text += fmt.Sprintf(" rows, %s/s", report.Number(rate(p.total, spent)))
	if l, ok := left(p.total, all, spent); ok {
		text += fmt.Sprintf(", %s left", l)
	}
	return text
}

// rate is how many rows a second have moved so far.
func rate(rows int64, spent time.Duration) int64 {
	return int64(float64(rows) / max(spent.Seconds(), 0.001))
}

// left guesses how long the rest takes, once there is something to guess from.
func left(rows, all int64, spent time.Duration) (time.Duration, bool) {
	r := rate(rows, spent)
	if all <= rows || r == 0 || spent < time.Second {
		return 0, false
	}
	return time.Duration((all-rows)/r) * time.Second, true
}

// tell writes a line that stays.
func (p *progress) tell(stage pipeline.Stage, note string) {
	p.clear()
	p.told = p.app.Now()
	fmt.Fprintf(p.app.Stderr, "%-9s %s\n", stage, report.WrapTo(note, p.app.width(), 10))
}

// end takes unfinished lines away before something else is printed.
func (p *progress) end() {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
		if p.ticker != nil {
			close(p.ticker)
			p.ticker = nil
		}
	}
}

// clear is end for those who hold the lock and go on.
func (p *progress) clear() {
	if p.lines > 0 {
		fmt.Fprint(p.app.Stderr, strings.Repeat("\x1b[A", p.lines-1)+"\r\x1b[J")
		p.lines = 0
	}
}
