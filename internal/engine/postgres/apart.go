package postgres

import (
	"context"
	"crypto/rand"
	"encoding/binary"

	"understudy/internal/engine"
)

// sided is what source and target have in common for this engine.
type sided interface{ self() *side }

func (s *side) self() *side { return s }

// Apart tells whether source and target are two databases. A lock with a random
// key is taken on the target and looked for from the source: only sessions of
// one running server see each other's locks, whatever the host names say. A
// standby or a copy of the files does not see them, but it has its origin's
// identifier.
func (postgres) Apart(ctx context.Context, from engine.Source, to engine.Target) (engine.Distance, error) {
	source, ok := from.(sided)
	target, also := to.(sided)
	if !ok || !also {
		return engine.Distance{}, &engine.Error{Code: engine.Failed, Doing: "compare source and target", Say: "one of them belongs to another engine"}
	}
	var seed [8]byte
	rand.Read(seed[:]) // never fails
	high, low := binary.BigEndian.Uint32(seed[:4]), binary.BigEndian.Uint32(seed[4:])
	key := int64(binary.BigEndian.Uint64(seed[:]))

	var seen string
	var here, there identity
	err := target.self().with(ctx, func(t *conn) error {
		if err := t.exec(ctx, "take a lock on the target", `BEGIN`); err != nil {
			return err
		}
		defer t.rollback()
		if _, err := t.query(ctx, "take a lock on the target", `SELECT pg_catalog.pg_advisory_xact_lock($1)`, key); err != nil {
			return err
		}
		var err error
		if there, err = identify(ctx, t); err != nil {
			return err
		}
		return source.self().with(ctx, func(s *conn) error {
			if here, err = identify(ctx, s); err != nil {
				return err
			}
			seen, err = s.value(ctx, "look for the lock from the source", `
SELECT bool_or(database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND classid = $1 AND objid = $2`, high, low)
			return err
		})
	})
	if err != nil {
		return engine.Distance{}, err
	}
	return weigh(seen, here, there), nil
}

// An identity is what a copy of a database's files carries along.
type identity struct{ system, database string }

func identify(ctx context.Context, c *conn) (identity, error) {
	rows, err := c.query(ctx, "identify the database", `SELECT oid, has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') FROM pg_catalog.pg_database WHERE datname = current_database()`)
	if err != nil {
		return identity{}, err
	}
	id := identity{database: string(rows[0][0])}
	if isTrue(rows[0][1]) {
		id.system, err = c.value(ctx, "identify the server", `SELECT system_identifier FROM pg_catalog.pg_control_system()`)
	}
	return id, err
}

// weigh judges what was found: seen is "t" when the lock was seen in the
// source's own database, "f" when in another one, "" when nowhere.
func weigh(seen string, source, target identity) engine.Distance {
	switch {
	case seen == "t":
		return engine.Distance{Same: true, Why: "a lock taken on the target was seen in the source: they are one database"}
	case source.system == "" || target.system == "":
		return engine.Distance{Why: "a lock taken on the target was not seen in the source; the servers' identifiers could not be read"}
	case seen == "f":
		return engine.Distance{Why: "they are two databases of one server"}
	case source == target:
		return engine.Distance{Kin: true, Why: "both have the same system identifier and database number: one is a standby or a copy of the other"}
	}
	return engine.Distance{Why: "a lock taken on the target was not seen in the source, and their identifiers differ"}
}
