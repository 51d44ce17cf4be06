// Package mysql is the engine for MariaDB and MySQL. Which of the two a server
// is, and its version, the session finds out. Values travel as the server's
// text protocol writes them; structure is read from information_schema and from
// SHOW CREATE TABLE, which shows keys also to a user who may only SELECT.
//
// The one idea of the source half: one session keeps every table from being
// changed, and others read one moment where the server can prove that they do;
// else one reader remains. TYPES.md says how values are carried.
//
// No error of this package holds a value: see errors.go.
package mysql

import (
	"context"

	"understudy/internal/engine"
	"understudy/internal/secret"
)

// New gives the engine.
func New() engine.Engine { return mysql{} }

type mysql struct{}

// Parse reads a mysql:// or mariadb:// URL; see address.go for what it may say.
func (mysql) Parse(url secret.Text) (engine.Address, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, err // not a: a nil *address would be an Address that is not nil
	}
	return a, nil
}

// Source opens a database to read from.
func (mysql) Source(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Source, error) {
	a, err := ours(at)
	if err != nil {
		return nil, err
	}
	s, err := newSource(ctx, a, limits)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Target opens a database to replace.
func (mysql) Target(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Target, error) {
	a, err := ours(at)
	if err != nil {
		return nil, err
	}
	t, err := newTarget(ctx, a, limits)
	if err != nil {
		return nil, err
	}
	return t, nil
}
