package mask

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"regexp/syntax"
	"slices"
)

// An automaton spells the texts that a pattern matches, each as likely as any
// other. It is deterministic, so however a pattern is written, a text is counted
// once: how many there are is exact.
type automaton struct {
	states  []spelling
	size    *big.Int // how many texts
	longest int
}

// A spelling is a state: what may come next. until divides the words among the
// options, each by the number of texts that it leads to.
type spelling struct {
	options []option
	until   []uint64
}

// An option is a character and the state after it; the end has no character.
type option struct {
	char byte
	to   int // -1 for the end
}

const (
	longestPattern = 1000 // characters of a pattern, and of its texts
	mostProgram    = 5000 // instructions
	mostStates     = 4000
	mostSteps      = 1000000 // instructions looked at for all states
	firstPrintable = ' '
	lastPrintable  = '~'
)

// compilePattern makes the automaton of a pattern, or says why it cannot be.
func compilePattern(pattern string) (*automaton, string) {
	if len(pattern) > longestPattern {
		return nil, fmt.Sprintf("is longer than %d characters", longestPattern)
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, "is not a regular expression (RE2)"
	}
	re = inner(re)
	if why := unusable(re); why != "" {
		return nil, why
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil || len(prog.Inst) > mostProgram {
		return nil, "is too large"
	}
	c := &compiler{prog: prog, known: map[string]int{}}
	if c.state([]uint32{uint32(prog.Start)}); c.many {
		return nil, fmt.Sprintf("branches too much: it needs more than %d states", mostStates)
	}
	return c.automaton()
}

// inner leaves out the anchors at both ends of a pattern: it is the whole text anyhow.
func inner(re *syntax.Regexp) *syntax.Regexp {
	switch re.Op {
	case syntax.OpBeginText, syntax.OpBeginLine, syntax.OpEndText, syntax.OpEndLine:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case syntax.OpConcat:
		subs := re.Sub
		for len(subs) > 0 && (subs[0].Op == syntax.OpBeginText || subs[0].Op == syntax.OpBeginLine) {
			subs = subs[1:]
		}
		for n := len(subs); n > 0 && (subs[n-1].Op == syntax.OpEndText || subs[n-1].Op == syntax.OpEndLine); n-- {
			subs = subs[:n-1]
		}
		if len(subs) == 0 {
			return &syntax.Regexp{Op: syntax.OpEmptyMatch}
		}
		out := *re
		out.Sub = subs
		return &out
	}
	return re
}

func unusable(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus:
		return "has no longest text: write {1,8} in place of * or +"
	case syntax.OpRepeat:
		if re.Max < 0 {
			return "has no longest text: give a repetition a most, as {2,8}"
		}
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return "has an anchor or a word boundary inside"
	}
	for _, sub := range re.Sub {
		if why := unusable(sub); why != "" {
			return why
		}
	}
	return ""
}

// A compiler makes states out of sets of instructions.
type compiler struct {
	prog   *syntax.Prog
	known  map[string]int // by set of instructions
	states []spelling
	steps  int // taken so far
	many   bool
}

// state gives the number of the state for instructions, making it and what
// follows it. A pattern without unbounded repetition leads into no circle.
func (c *compiler) state(from []uint32) int {
	set, end := c.closure(from)
	name := make([]byte, 0, 4*len(set)+1)
	for _, pc := range set {
		name = binary.LittleEndian.AppendUint32(name, pc)
	}
	if end {
		name = append(name, 1)
	}
	if i, ok := c.known[string(name)]; ok {
		return i
	}
	i := len(c.states)
	c.known[string(name)] = i
	c.states = append(c.states, spelling{})
	if c.many = c.many || len(c.states) > mostStates || c.steps > mostSteps; c.many {
		return i
	}
	var options []option
	if end {
		options = append(options, option{to: -1})
	}
	states := map[string]int{} // by what the characters lead to
	for r := firstPrintable; r <= lastPrintable && !c.many; r++ {
		var next []uint32
		name = name[:0]
		for _, pc := range set {
			if in := &c.prog.Inst[pc]; in.MatchRune(r) {
				next = append(next, in.Out)
				name = binary.LittleEndian.AppendUint32(name, in.Out)
			}
		}
		if len(next) == 0 {
			continue
		}
		to, ok := states[string(name)]
		if !ok {
			to = c.state(next)
			states[string(name)] = to
		}
		options = append(options, option{byte(r), to})
	}
	c.states[i].options = options
	return i
}

// closure follows what consumes no character; end tells whether the text may end here.
func (c *compiler) closure(from []uint32) (set []uint32, end bool) {
	seen := map[uint32]bool{}
	for todo := slices.Clone(from); len(todo) > 0; {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		c.steps++
		switch in := &c.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
			todo = append(todo, in.Out)
		case syntax.InstMatch:
			end = true
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			set = append(set, pc)
		}
	}
	slices.Sort(set)
	return set, end
}

// automaton counts the texts behind each state and divides the words by that.
func (c *compiler) automaton() (*automaton, string) {
	counts, depths := make([]*big.Int, len(c.states)), make([]int, len(c.states))
	var count func(i int) *big.Int
	count = func(i int) *big.Int {
		if counts[i] != nil {
			return counts[i]
		}
		sum := new(big.Int)
		s := &c.states[i]
		s.options = slices.DeleteFunc(s.options, func(o option) bool { return o.to >= 0 && count(o.to).Sign() == 0 })
		var sums []*big.Int
		for _, o := range s.options {
			if o.to < 0 {
				sum.Add(sum, big.NewInt(1))
			} else {
				sum.Add(sum, count(o.to))
				depths[i] = max(depths[i], depths[o.to]+1)
			}
			sums = append(sums, new(big.Int).Set(sum))
		}
		for k, part := range sums {
			until := ^uint64(0)
			if k < len(sums)-1 {
				// Of numbers beyond 128 bits the leading ones decide.
				beyond := uint(max(0, sum.BitLen()-128))
				part.Lsh(part.Rsh(part, beyond), 64)
				until = part.Quo(part, new(big.Int).Rsh(sum, beyond)).Uint64()
			}
			s.until = append(s.until, until)
		}
		counts[i] = sum
		return sum
	}
	a := &automaton{size: count(0), states: c.states}
	switch a.longest = depths[0]; {
	case a.size.Sign() == 0 || a.longest == 0:
		return nil, "matches no text of printable ASCII"
	case a.longest > longestPattern:
		return nil, fmt.Sprintf("has texts of more than %d characters", longestPattern)
	}
	return a, ""
}

// bits is how many bits a text of the pattern holds, rounded down.
func (a *automaton) bits() int { return a.size.BitLen() - 1 }

// spell appends the text that a stream's words choose.
func (a *automaton) spell(dst []byte, s *stream) []byte {
	for state := 0; state >= 0; {
		at := &a.states[state]
		o := at.options[0]
		if len(at.options) > 1 {
			o = at.options[share(at.until, s.next())]
		}
		if state = o.to; state >= 0 {
			dst = append(dst, o.char)
		}
	}
	return dst
}

// matches tells whether the pattern has a text.
func (a *automaton) matches(text []byte) bool {
	state := 0
	for _, c := range text {
		i := slices.IndexFunc(a.states[state].options, func(o option) bool { return o.to >= 0 && o.char == c })
		if i < 0 {
			return false
		}
		state = a.states[state].options[i].to
	}
	return slices.ContainsFunc(a.states[state].options, func(o option) bool { return o.to < 0 })
}
