package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"understudy/internal/scratch/scratchtest"
)

// interruptInEveryStage interrupts a refresh in every stage, by both signals in
// turn: it ends within five seconds and leaves staging and its surroundings as
// they were. trash lists what stands there and should not.
func interruptInEveryStage(t *testing.T, s *staging, trash func() string) {
	random, ends := newRandom(t), histogram{}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	var slowest time.Duration
	turn := 0
	for range scratchtest.Few(2, 1) {
		for _, stage := range stages() {
			if stage == "report" { // staging is new by then, and the run as good as over
				continue
			}
			sent := signals[turn%2]
			turn++
			p := s.begin(t)
			if p.in(stage) {
				p.after(s.within(random, stage))
			}
			met := p.now()
			p.signal(sent)
			at := time.Now()
			code, told := p.wait()
			slowest = max(slowest, p.ended.Sub(at))
			switched := s.whole(t, "interrupted in "+stage)
			switch {
			case code == 130 && !switched && strings.Contains(told, "the target is unchanged"):
				ends[met]++
			case switched && (code == 0 || code == 8): // the switch took place before the signal came
				ends["not at all"]++
			default:
				t.Errorf("%v in %s: exit %d, new generation: %t\n%s", sent, stage, code, switched, told)
			}
			if took := p.ended.Sub(at); took > 5*time.Second {
				t.Errorf("%v in %s: it took %v to end", sent, stage, took)
			}
			if code == 8 { // it says that it did not get to clean up; the next run does
				s.next(t, "interrupted after the switch")
			} else if left := trash(); left != "" {
				t.Errorf("%v in %s: left behind: %s", sent, stage, left)
			}
		}
	}
	t.Logf("interrupted by stage, ended within %v:%v", slowest.Round(time.Millisecond), ends)
}

// twentyStarts starts the same refresh twenty times at once. hold, called when
// the first loads, keeps its switch from ending until release: one that waited
// for its turn in place of giving up would not end meanwhile.
func twentyStarts(t *testing.T, s *staging, hold func() (release func())) {
	const many = 20
	loading := make(chan int, many)
	var programs []*program
	for range many {
		programs = append(programs, s.begin(t))
	}
	for i, p := range programs {
		go func() {
			if p.in("load") {
				loading <- i
			}
		}()
	}
	var winner int
	select {
	case winner = <-loading:
	case <-time.After(2 * time.Minute):
		t.Fatal("nobody loads")
	}
	release := hold()
	for i, p := range programs {
		if i == winner {
			continue
		}
		code, told := p.wait()
		if code != 4 || !strings.Contains(told, "another run holds") {
			t.Errorf("start %d: exit %d\n%s", i, code, told)
		}
	}
	select {
	case <-programs[winner].done:
		t.Error("the winner ended before the others, so nothing was tried")
	default:
	}
	release()
	if code, told := programs[winner].wait(); code != 0 {
		t.Errorf("the winner: exit %d\n%s", code, told)
	}
	if !s.whole(t, "after twenty starts") {
		t.Error("staging is the old generation")
	}
	s.settle(t)
	if left := s.trash(t); left != "" {
		t.Errorf("left behind: %s", left)
	}
}
