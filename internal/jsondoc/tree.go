package jsondoc

import "strings"

// A Fate is what becomes of the values of a path.
type Fate uint8

const (
	Unnamed Fate = iota // no rule: the fate of the nearest container that has one, else Others
	Keep                // copied; of a container, with all in it that no longer path names
	Redact              // the neutral value of its type; a container is emptied
	Nullify             // null, whatever it is
	Mask                // scalars are masked; what is inside a container is unnamed
)

// Others is what becomes of values that no path names.
type Others uint8

const (
	RedactOthers Others = iota // neutral values, and neutral names for the members that hold them
	DropOthers                 // left out
	StopOthers                 // counted, for the caller to stop; redacted meanwhile
)

// A Rule is the fate of one path. Number is the caller's, for Mask.
type Rule struct {
	Path   Path
	Fate   Fate
	Number int
}

// A Tree holds the rules of one column by their steps. It never changes and may
// be shared.
type Tree struct {
	root   *node
	others Others
	nodes  []*node // every node, parents before children
	// stand begins the names that replace unnamed ones.
	stand string
}

// A node stands for a path that is named or leads to one.
type node struct {
	number   int // in Tree.nodes
	path     Path
	fate     Fate
	rule     int
	members  map[string]*node
	any      *node // Members
	items    *node
	children bool
}

// NewTree makes a tree. Paths differ from each other.
func NewTree(rules []Rule, others Others) *Tree {
	t := &Tree{others: others}
	t.root = t.add(Path{})
	for _, r := range rules {
		n := t.root
		for i, s := range r.Path {
			n = t.child(n, s, r.Path[:i+1])
		}
		n.fate, n.rule = r.Fate, r.Number
	}
	t.stand = t.standIn()
	return t
}

func (t *Tree) add(path Path) *node {
	n := &node{number: len(t.nodes), path: path, members: map[string]*node{}}
	t.nodes = append(t.nodes, n)
	return n
}

func (t *Tree) child(n *node, s Step, path Path) *node {
	n.children = true
	switch s.Kind {
	case Members:
		if n.any == nil {
			n.any = t.add(path)
		}
		return n.any
	case Items:
		if n.items == nil {
			n.items = t.add(path)
		}
		return n.items
	}
	c := n.members[s.Name]
	if c == nil {
		c = t.add(path)
		n.members[s.Name] = c
	}
	return c
}

// standIn finds a beginning that no named member has, so that no name that
// replaces another meets a named one.
func (t *Tree) standIn() string {
	stand := "redacted_"
	for t.begins(stand) {
		stand = "_" + stand
	}
	return stand
}

func (t *Tree) begins(stand string) bool {
	for _, n := range t.nodes {
		for name := range n.members {
			if strings.HasPrefix(name, stand) {
				return true
			}
		}
	}
	return false
}
