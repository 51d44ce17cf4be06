package mysql

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"understudy/internal/engine"
)

// sided is what source and target have in common for this engine.
type sided interface {
	self() *side
	meant() []string // the databases that are read, or replaced
}

func (s *side) self() *side { return s }

// Apart tells whether source and target have no database in common, of those that the
// job covers. A lock with a random
// name is taken on the target and looked for from the source: only sessions of
// one running server see each other's locks, whatever the host names say.
func (mysql) Apart(ctx context.Context, from engine.Source, to engine.Target) (engine.Distance, error) {
	source, ok := from.(sided)
	target, also := to.(sided)
	if !ok || !also {
		return engine.Distance{}, &engine.Error{Code: engine.Failed, Doing: "compare source and target", Say: "one of them belongs to another engine"}
	}
	var folds string
	var here, there identity
	one := false
	err := onBothSides(ctx, source.self(), target.self(), func(s, t *conn, together bool) (err error) {
		one = together
		if there, err = identify(ctx, t); err != nil {
			return err
		}
		if here, err = identify(ctx, s); err != nil {
			return err
		}
		folds, err = s.value(ctx, "ask how names compare", "SELECT @@GLOBAL.lower_case_table_names")
		return err
	})
	if err != nil {
		return engine.Distance{}, err
	}
	same := slices.ContainsFunc(target.meant(), func(to string) bool {
		return slices.ContainsFunc(source.meant(), func(from string) bool { return from == to || folds != "0" && strings.EqualFold(from, to) })
	})
	return weigh(one, same, here, there), nil
}

// onBothSides does something with a session of either side, and knows whether both are of
// one running server.
func onBothSides(ctx context.Context, source, target *side, do func(s, t *conn, together bool) error) error {
	name := literal("understudy " + rand.Text())
	return target.with(ctx, func(t *conn) error {
		held, err := t.value(ctx, "take a lock on the target", "SELECT GET_LOCK("+name+", 5)")
		if err != nil {
			return err
		}
		if held != "1" {
			return &engine.Error{Code: engine.Failed, Doing: "take a lock on the target", Say: "the server did not give it"}
		}
		defer func() {
			_ = t.exec(context.WithoutCancel(ctx), "free the lock on the target", "DO RELEASE_LOCK("+name+")")
		}() // it ends with the session in any case
		return source.with(ctx, func(s *conn) error {
			seen, err := s.value(ctx, "look for the lock from the source", "SELECT IS_USED_LOCK("+name+")")
			if err != nil {
				return err
			}
			return do(s, t, seen != "")
		})
	})
}

// An identity is what a copy of a server's files carries along, and what a
// replica has of its origin.
type identity struct {
	server  string // MySQL: server_uuid
	applied string // MySQL: gtid_executed, which names the servers whose changes stand here
}

func identify(ctx context.Context, c *conn) (identity, error) {
	if c.maria {
		return identity{}, nil
	}
	row, err := c.row(ctx, "identify the server", "SELECT @@GLOBAL.server_uuid, @@GLOBAL.gtid_executed")
	if err != nil {
		return identity{}, err
	}
	return identity{server: row[0], applied: row[1]}, nil
}

// weigh judges what was found.
func weigh(oneServer, sameName bool, source, target identity) engine.Distance {
	switch {
	case oneServer && sameName:
		return engine.Distance{Same: true, Why: "a lock taken on the target was seen from the source, and a database has one name on both sides: it is one database"}
	case oneServer:
		return engine.Distance{Why: "they are two databases of one server"}
	case source.server == "" || target.server == "":
		return engine.Distance{Why: "a lock taken on the target was not seen from the source"}
	case source.server == target.server:
		return engine.Distance{Kin: true, Why: "both servers have the same server_uuid: one is a copy of the other's files"}
	case sameName && strings.Contains(strings.ToLower(target.applied), strings.ToLower(source.server)):
		return engine.Distance{Kin: true, Why: "changes of the source's server stand in the target's history: it is a replica, or a copy of one"}
	}
	return engine.Distance{Why: "a lock taken on the target was not seen from the source, and their server_uuids differ"}
}
