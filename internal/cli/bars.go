package cli

import (
	"fmt"
	"math"
	"strings"
	"time"

	"understudy/internal/fault"
	"understudy/internal/pipeline"
	"understudy/internal/report"
	"understudy/internal/schema"
)

const (
	// barWidth is the width of a bar in columns.
	barWidth = 12
	// nameWidth is the width of a table's name before its bar.
	nameWidth = 18
	// barsShown is how many tables on their way are shown at once.
	barsShown = 8
	// patience is how long a step lasts before its time is shown.
	patience = 2 * time.Second
)

// tick draws between events as well, so that a long step shows that time goes on.
func (p *progress) tick() {
	if !p.app.Terminal || p.ticker != nil {
		return
	}
	stop := make(chan struct{})
	p.ticker = stop
	go func() {
		var err error
		defer fault.Guard(&err) // progress that cannot be shown ends no run
		t := time.NewTicker(2 * redraw)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C:
				p.mu.Lock()
				if p.ticker == stop {
					p.draw()
				}
				p.mu.Unlock()
			}
		}
	}()
}

// draw shows lines that the next drawing replaces: a bar for each table on its
// way and one for them all, or the step that takes its time. The cursor is left at
// the beginning of the last line, where an interrupt's ^C does no harm.
func (p *progress) draw() {
	now := p.app.Now()
	if now.Sub(p.drawn) < redraw {
		return
	}
	p.drawn = now
	p.tick()
	lines := p.stepLine(now)
	if p.stage == pipeline.StageLoad {
		lines = p.bars(now)
	}
	if len(lines) == 0 {
		return
	}
	var b strings.Builder
	if p.lines > 0 {
		b.WriteString(strings.Repeat("\x1b[A", p.lines-1) + "\r")
	}
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(l + "\x1b[K")
	}
	b.WriteString("\x1b[J\r")
	p.lines = len(lines)
	fmt.Fprint(p.app.Stderr, b.String())
}

// stepLine is what goes on within a stage, and for how long.
func (p *progress) stepLine(now time.Time) []string {
	text := p.step
	if spent := now.Sub(p.entered); spent > patience {
		if text != "" {
			text += ", "
		}
		text += clockTime(spent)
	}
	if text == "" {
		return nil
	}
	return []string{report.Fit(fmt.Sprintf("%-9s %s", p.stage, text), p.width())}
}

// bars are the load's lines.
func (p *progress) bars(now time.Time) []string {
	var out []string
	for i, m := range p.running {
		if i == barsShown {
			out = append(out, report.Fit(fmt.Sprintf("  and %d more", len(p.running)-barsShown), p.width()))
			break
		}
		name := m.name.String()
		if p.app.expected.bare {
			name = schema.Ident(m.name.Table)
		}
		out = append(out, p.bar("  "+name, m.rows, p.app.expected.tables[m.name], now.Sub(m.began)))
	}
	return append(out, p.bar(string(pipeline.StageLoad), p.total, p.app.expected.rows, now.Sub(p.entered)))
}

// bar is one line: a name, a bar, what is done, how fast, how long still. Its
// parts have fixed widths, so that they stand under each other; on a narrow
// terminal the last ones give way.
func (p *progress) bar(name string, rows, all int64, spent time.Duration) string {
	name = report.Pad(name, nameWidth)
	percent, count := "", short(rows)
	full := 0
	if all > 0 && rows <= all {
		full = int(rows * barWidth / all)
		percent = fmt.Sprintf("%d%%", rows*100/all)
		count += " of " + short(all)
	}
	eta := ""
	if l, ok := left(rows, all, spent); ok {
		eta = clockTime(l) + " left"
	}
	width := p.width()
	rest := strings.TrimRight(fmt.Sprintf(" %4s %18s %9s %12s", percent, count, short(rate(rows, spent))+"/s", eta), " ")
	if room := width - nameWidth - 1 - barWidth; room < len(rest) {
		return report.Fit(name+rest, width) // no room for the bar
	}
	done, todo := "#", "."
	if p.app.Unicode {
		done, todo = "━", "─"
	}
	done, todo = strings.Repeat(done, full), strings.Repeat(todo, barWidth-full)
	if p.app.Colour {
		done, todo = "\x1b[36m"+done+"\x1b[0m", "\x1b[2m"+todo+"\x1b[0m"
	}
	return name + " " + done + todo + rest
}

// width is how many columns a line that is drawn over may fill.
func (p *progress) width() int { return min(report.Width-1, p.app.width()) }

// short writes a number in at most seven letters.
func short(n int64) string {
	for _, u := range []struct {
		size   float64
		letter string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}} {
		if float64(n) >= u.size {
			text := fmt.Sprintf("%.3f", math.Floor(float64(n)/u.size*1000)/1000)
			return strings.TrimSuffix(text[:4], ".") + u.letter
		}
	}
	return report.Number(n)
}

// clockTime writes a duration as a clock does: 0:07, 12:30, 1:02:03.
func clockTime(d time.Duration) string {
	s := int64(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
