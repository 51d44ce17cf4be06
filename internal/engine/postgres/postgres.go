// Package postgres is the engine for PostgreSQL and servers that speak as it
// does. Rows are carried in the text form of COPY and keep every type as it is;
// structure is read from pg_catalog, which a role with SELECT alone can see.
//
// The one idea of the source half: one connection locks the tables against
// change, takes a moment of the database and exports it; the others join it.
// Of the target half: a new database is built beside the present one and two
// renames in one transaction put it in its place; or, in place, rows wait in
// side tables and one transaction exchanges those that differ.
//
// No error of this package holds a value: see errors.go.
package postgres

import (
	"context"

	"understudy/internal/engine"
	"understudy/internal/secret"
)

// New gives the engine.
func New() engine.Engine { return postgres{} }

type postgres struct{}

// Parse reads a postgres:// URL; see address.go for what it may say.
func (postgres) Parse(url secret.Text) (engine.Address, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, err // not a: a nil *address would be an Address that is not nil
	}
	return a, nil
}

// Source opens a database to read from.
func (postgres) Source(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Source, error) {
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
func (postgres) Target(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Target, error) {
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
