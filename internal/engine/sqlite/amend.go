package sqlite

import (
	"context"

	"understudy/internal/engine"
	"understudy/internal/script"
)

var (
	_ engine.Scripted  = (*target)(nil)
	_ engine.Amendable = (*load)(nil)
)

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
	return len(statements), l.rebuild(ctx)
}
