package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"understudy/internal/scratch/scratchtest"
	"understudy/schemas"
)

// killVariable, set to "later", leaves the tests that kill to another run.
const killVariable = "UNDERSTUDY_KILL"

// killing begins a test that kills.
func killing(t *testing.T) {
	t.Helper()
	if os.Getenv(killVariable) == "later" {
		t.Skip(killVariable + "=later: the kill stage of .ci/test runs this")
	}
	t.Parallel() // each has servers or files of its own
}

// newRandom gives a source of delays whose seed is printed.
func newRandom(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// A staging is a target that is refreshed over and over, with two keys in turn:
// each generation holds other values than the one before it, and what it must
// hold is known from the beginning.
type staging struct {
	dir     string   // of the job
	env     []string // source and target
	content [2]string
	present int // which of both contents stands there
	lasts   map[string]time.Duration

	job     func(text string) string  // changes the job; nil leaves it
	rules   func(text string) string  // changes the rules; nil leaves them
	look    func(t testing.TB) string // the content, by checksum
	settle  func(t testing.TB)        // waits until nothing of a dead run is alive
	trash   func(t testing.TB) string // what a finished run should not have left; empty is right
	patient int                       // how many next runs had to wait for the server to end a dead one's session
}

// keys for tests. They guard nothing.
func killKeys() [2]string {
	return [2]string{testKey, "usk1_0fJxq3uQ7y6C9m1bXnTjRzWvLkHdGsEaPoIiUuYyTtI"}
}

// prepare writes the shop's job, all of its customers in it, and loads both
// generations once, so that their contents and the time of each stage are known.
func (s *staging) prepare(t testing.TB, source, target string) {
	t.Helper()
	s.dir = t.TempDir()
	for name, text := range schemas.Files() {
		path := filepath.Join(s.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		text = strings.Replace(text, "percent: 10}", "percent: 100}", 1)
		if s.job != nil && name == "understudy.yaml" {
			text = s.job(text)
		}
		if s.rules != nil && strings.HasPrefix(name, "rules/") {
			text = s.rules(text)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.lasts = map[string]time.Duration{}
	s.env = []string{"PROD_URL=" + source, "STAGING_URL=" + target}
	for i := range s.content {
		p := s.start(t, i, "--claim")
		if code, told := p.wait(); code != 0 {
			t.Fatalf("a refresh that nobody disturbs: exit %d\n%s", code, told)
		}
		s.content[i], s.present = s.look(t), i
		for stage, d := range p.durations() {
			s.lasts[stage] = max(s.lasts[stage], d)
		}
	}
	if s.content[0] == s.content[1] {
		t.Fatal("both generations hold the same, so that nothing could be told apart")
	}
	t.Logf("a whole run: %v", s.lasts)
}

// start starts a refresh with one of the keys.
func (s *staging) start(t testing.TB, key int, flags ...string) *program {
	t.Helper()
	return start(t, s.dir, append(s.env, "UNDERSTUDY_KEY="+killKeys()[key]), append([]string{"refresh"}, flags...)...)
}

// begin starts the refresh that would bring the other content.
func (s *staging) begin(t testing.TB) *program {
	t.Helper()
	return s.start(t, 1-s.present)
}

// within gives a random moment of a stage, measured from its beginning.
func (s *staging) within(r *rand.Rand, stage string) time.Duration {
	return time.Duration(r.Int64N(int64(s.lasts[stage]) + 1))
}

// whole asserts that staging is the old generation or the new one and notes
// which; it tells whether it is the new one.
func (s *staging) whole(t testing.TB, when string) (switched bool) {
	t.Helper()
	now := s.look(t)
	switch now {
	case s.content[s.present]:
		return false
	case s.content[1-s.present]:
		s.present = 1 - s.present
		return true
	}
	t.Fatalf("%s: staging is neither the old generation nor the new one; beside the old one\n%s\nbeside the new one\n%s", when, cmp.Diff(s.content[s.present], now), cmp.Diff(s.content[1-s.present], now))
	return false
}

// next asserts that the run after a death needs no hand work: the same command
// again brings the other content and leaves nothing of the dead one. The server
// may take a moment to see that a process is dead and hold its lock until then;
// how often that was so is counted.
func (s *staging) next(t testing.TB, when string) {
	t.Helper()
	p := s.begin(t)
	code, told := p.wait()
	if code == 4 && strings.Contains(told, "another run holds it") {
		s.patient++
		s.settle(t)
		p = s.begin(t)
		code, told = p.wait()
	}
	if code != 0 {
		t.Fatalf("%s: the next run: exit %d\n%s", when, code, told)
	}
	if !s.whole(t, "after the run after "+when) {
		t.Fatalf("%s: the next run changed nothing", when)
	}
	s.settle(t)
	if left := s.trash(t); left != "" {
		t.Errorf("%s: left behind after the next run: %s", when, left)
	}
}

// A histogram counts deaths by stage.
type histogram map[string]int

// rarest gives a stage that has fewer than want; empty if all have enough.
func (h histogram) rarest(want int) string {
	best := ""
	for _, s := range stages() {
		if h[s] < want && (best == "" || h[s] < h[best]) {
			best = s
		}
	}
	return best
}

func (h histogram) String() string {
	var b strings.Builder
	for _, s := range append([]string{"start"}, append(stages(), "not at all")...) {
		if h[s] > 0 {
			fmt.Fprintf(&b, "\n  %-10s %3d %s", s, h[s], strings.Repeat("#", h[s]))
		}
	}
	return b.String()
}

// killInEveryStage kills a refresh at random moments until every stage saw
// enough deaths. A kill that came too late for its stage counts for the stage
// in which it came. One dead run in four is followed by another that dies, which
// finds what the first left, before a run is let through.
func killInEveryStage(t *testing.T, s *staging, want int) {
	random, deaths := newRandom(t), histogram{}
	switched, tries := 0, 0
	s.patient = 0
	for stage := deaths.rarest(want); stage != ""; stage = deaths.rarest(want) {
		if tries++; tries > 12*len(stages())*want {
			t.Fatalf("too few deaths in %s:%v", stage, deaths)
		}
		p := s.begin(t)
		if p.in(stage) {
			p.after(s.within(random, stage))
		}
		p.kill()
		died := p.death()
		if died == "" {
			died = "not at all"
		}
		deaths[died]++
		if died != stage {
			s.lasts[stage] /= 2 // it is over sooner than was thought
		}
		if s.whole(t, "killed in "+died) {
			switched++
			if died != "switch" && died != "report" && died != "not at all" {
				t.Errorf("killed in %s: staging is the new generation already", died)
			}
		}
		if random.IntN(4) > 0 || deaths.rarest(want) == "" {
			s.next(t, "killed in "+died)
		}
	}
	t.Logf("deaths by stage, %d in all, %d of them after the switch took place, %d next runs met the dead one's lock:%v", tries, switched, s.patient, deaths)
}

// A crashing is a server that a test kills and starts again.
type crashing interface {
	Kill()
	Restart(ctx context.Context, settings map[string]string) error
}

// killServer kills the target's server in stages at random: the program ends with 6, or
// after the switch as one that is done, staging is one generation, and the next run needs
// no hand work. again is called when the server is back.
func killServer(t *testing.T, s *staging, server crashing, target string, again func()) {
	random, deaths := newRandom(t), histogram{}
	var slowest time.Duration
	codes := map[int]int{}
	for _, aim := range random.Perm(len(stages()))[:scratchtest.Few(10, 2)] {
		p := s.begin(t)
		if p.in(stages()[aim]) {
			p.after(s.within(random, stages()[aim]))
		}
		stage := p.now()
		server.Kill()
		crash := time.Now()
		code, told := p.wait()
		slowest = max(slowest, time.Since(crash))
		codes[code]++
		if err := server.Restart(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		again()
		deaths[stage]++
		when := "the server killed in " + stage
		switched := s.whole(t, when)
		// 6: unavailable. 8: new, but a later step failed. 0: it was done already.
		if code != 6 && !(switched && (code == 8 || code == 0)) {
			t.Errorf("%s: exit %d, new generation: %t\n%s", when, code, switched, told)
		}
		if strings.Contains(told, password(t, target)) {
			t.Errorf("%s: the password is in the complaint", when)
		}
		s.next(t, when)
	}
	t.Logf("server's deaths by stage; the program's exit codes %v, at most %v after the crash:%v", codes, slowest.Round(time.Millisecond), deaths)
}

func password(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the server's address is not a URL")
	}
	p, _ := u.User.Password()
	return p
}
