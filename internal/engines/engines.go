// Package engines is the list of engines, and with the engines' own folders the
// only place that names a product.
package engines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/engine/mysql"
	"understudy/internal/engine/postgres"
	"understudy/internal/engine/sqlite"
	"understudy/internal/fault"
	"understudy/internal/schema"
	"understudy/internal/secret"
)

// An Entry is one engine and the URL schemes that mean it.
type Entry struct {
	Name    string
	Schemes []string
	New     func() engine.Engine
	// Stage gives two empty databases for the demo; dir is where files may go.
	Stage func(ctx context.Context, dir string) (*Stage, error)
	// Execute runs statements in a database of the demo.
	Execute func(ctx context.Context, at engine.Address, statements []string) error
}

// List gives every engine.
func List() []Entry {
	return []Entry{
		{"postgres", []string{"postgres", "postgresql"}, postgres.New, postgresStage, postgres.Execute},
		{"mysql", []string{"mysql", "mariadb"}, mysql.New, mysqlStage, mysql.Execute},
		{"sqlite", []string{"sqlite"}, sqlite.New, embeddedStage, sqlite.Execute},
	}
}

// Open finds the engine that a URL means and parses it, without connecting.
// which is source or target, for messages; nothing of the URL but its scheme is shown.
func Open(url secret.Text, which string) (Entry, engine.Engine, engine.Address, error) {
	text := url.Reveal()
	scheme, _, ok := strings.Cut(text, ":")
	var known []string
	for _, e := range List() {
		known = append(known, e.Schemes...)
		for _, s := range e.Schemes {
			if ok && s == scheme {
				eng := e.New()
				at, err := eng.Parse(url)
				if err != nil {
					hint := example(e.Name)
					if bad := (*engine.Error)(nil); errors.As(err, &bad) && bad.Hint != "" {
						hint = bad.Hint
					}
					return e, nil, nil, fault.New(fault.Usage, "url", hint, "%s: %s", which, err)
				}
				return e, eng, at, nil
			}
		}
	}
	hint := "a URL begins with postgres://, mysql://, mariadb:// or sqlite:"
	if !ok || strings.ContainsAny(scheme, "@/ \t") || len(scheme) > 20 {
		return Entry{}, nil, nil, fault.New(fault.Usage, "url", hint, "%s: not a URL: it has no scheme", which)
	}
	return Entry{}, nil, nil, fault.New(fault.Usage, "url", hint, "%s: no engine serves the scheme %q%s", which, scheme, schema.DidYouMean(scheme, known))
}

// example is a URL of an engine, for hints.
func example(name string) string {
	switch name {
	case "mysql":
		return "mysql://user@host:3306/database"
	case "sqlite":
		return "sqlite:path/to/file.db"
	}
	return "postgres://user@host:5432/database"
}

// Named finds an engine by its name.
func Named(name string) (Entry, error) {
	var known []string
	for _, e := range List() {
		if e.Name == name || slices.Contains(e.Schemes, name) {
			return e, nil
		}
		known = append(known, e.Name)
	}
	return Entry{}, fmt.Errorf("no engine is called %q%s; there are %s", name, schema.DidYouMean(name, known), strings.Join(known, ", "))
}
