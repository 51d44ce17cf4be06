package cli

import (
	"sync"
	"time"

	"understudy/internal/pipeline"
)

// clock measures the stages of a command by its progress, so that a run that
// failed tells as well where its time went. It may be told from any goroutine.
type clock struct {
	now   func() time.Time
	mu    sync.Mutex
	stage pipeline.Stage
	since time.Time
	done  []pipeline.Timing
}

// observe notes when one stage ends and the next begins.
func (c *clock) observe(e pipeline.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Stage == c.stage {
		return
	}
	c.close()
	c.stage, c.since = e.Stage, c.now()
}

// close ends the present stage, for those who hold the lock.
func (c *clock) close() {
	if c.stage == "" {
		return
	}
	spent := c.now().Sub(c.since).Seconds()
	for i := range c.done {
		if c.done[i].Stage == c.stage { // it was left and came back
			c.done[i].Seconds += spent
			return
		}
	}
	c.done = append(c.done, pipeline.Timing{Stage: c.stage, Seconds: spent})
}

// laps gives the stages so far, and ends the present one.
func (c *clock) laps() []pipeline.Timing {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
	c.stage = ""
	return c.done
}
