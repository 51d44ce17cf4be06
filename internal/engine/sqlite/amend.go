package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/script"
)

var (
	_ engine.Scripted  = (*target)(nil)
	_ engine.Amendable = (*load)(nil)
	_ engine.Alterable = (*load)(nil)
	_ engine.Tryable   = (*target)(nil)
)

// Admit refuses what opens or writes another file than the copy.
func (t *target) Admit(_ context.Context, texts, _ []string) (refused []error, err error) {
	refused = make([]error, len(texts))
	for i, text := range texts {
		all, _ := script.Outline(text, script.Dialect{Brackets: true, Ticks: true})
		for _, o := range all {
			if len(o.Words) > 0 && (o.Words[0] == "ATTACH" || o.Words[0] == "VACUUM" && slices.Contains(o.Words, "INTO")) {
				refused[i] = &engine.Error{Code: engine.Syntax, Doing: fmt.Sprintf("try the statement in line %d", o.Line), Say: "it opens or writes another file"}
				break
			}
		}
	}
	return refused, nil
}

// Alter runs statements on the finished file. The file is built without a
// journal, which rolling back needs.
func (l *load) Alter(ctx context.Context, statements string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return err
	}
	l.conn.doing = "run the statement"
	if err := l.conn.each(ctx, "PRAGMA main.journal_mode=MEMORY", nil, discard); err != nil {
		return err
	}
	for _, sql := range []string{"BEGIN", statements, "COMMIT"} {
		if err := l.conn.exec(ctx, sql); err != nil {
			return errors.Join(err, l.conn.exec(context.WithoutCancel(ctx), "ROLLBACK"))
		}
	}
	return nil
}

// Catalog reads the new file as a target is read.
func (l *load) Catalog(ctx context.Context, schemas []string) (*catalog.Catalog, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return nil, err
	}
	return l.target.readCatalog(ctx, l.conn, schemas)
}

// Statements takes a script apart.
func (t *target) Statements(text string) ([]script.Statement, []script.Mistake) {
	return script.Parse(text, script.Dialect{Brackets: true, Ticks: true})
}

// Amend runs the statements on the finished file, with foreign keys enforced. A
// statement that fails leaves the file as it is by then: it is never switched in.
func (l *load) Amend(ctx context.Context, statements []script.Statement) (failed int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return 0, err
	}
	l.conn.doing = "run the statement"
	for _, sql := range []string{"PRAGMA foreign_keys=ON", "BEGIN"} {
		if err := l.conn.exec(ctx, sql); err != nil {
			return 0, err
		}
	}
	for i, s := range statements {
		if err := l.conn.each(ctx, s.Text, nil, discard); err != nil {
			return i, err
		}
	}
	l.conn.doing = "check what was deferred"
	for _, sql := range []string{"COMMIT", "PRAGMA foreign_keys=OFF"} {
		if err := l.conn.exec(ctx, sql); err != nil {
			return len(statements), err
		}
	}
	return len(statements), fillFullText(ctx, l.conn, l.shapes)
}
