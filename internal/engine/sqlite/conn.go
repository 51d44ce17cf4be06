package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"understudy/internal/engine"
)

// mode says what a connection may do.
type mode int

const (
	readOnly  mode = iota // the file is opened for reading: a source, a kept generation
	queryOnly             // opened for writing, so that SQLite may roll a crashed writer's journal back, but statements may not write
	readWrite

	// lax may be added to the first two: double-quoted texts are taken, as where
	// the SQL of views and checks was written.
	lax mode = 1 << 4
)

// conn is one connection, used by one goroutine at a time. It speaks to the
// driver without the pool of database/sql: the program must know which
// connection holds which moment, and values come by storage class.
type conn struct {
	raw   driver.Conn
	doing string
}

// open connects; an empty path means a database in memory.
func (p *product) open(ctx context.Context, path string, m mode, wait time.Duration) (*conn, error) {
	doing := "open " + path
	if path == "" {
		path, doing = ":memory:", "open a database in memory"
	}
	raw, err := p.driver.Open(dsn(path, m))
	if err != nil {
		return nil, wrap(err, doing)
	}
	c := &conn{raw: raw, doing: doing}
	settings := []string{
		fmt.Sprintf("PRAGMA busy_timeout=%d", wait.Milliseconds()),
		"PRAGMA trusted_schema=OFF", // the file's own schema may not call functions with side effects
	}
	if m != readWrite {
		// Sorting must not leave raw values in temporary files.
		settings = append(settings, "PRAGMA temp_store=MEMORY", "PRAGMA query_only=ON")
	}
	for _, s := range settings {
		if err := c.exec(ctx, s); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// dsn gives the driver's name of a file. Statements of ours write string literals in
// single quotes only; switching off double-quoted ones makes a mistyped column an error.
func dsn(path string, m mode) string {
	if path == ":memory:" {
		return "file::memory:"
	}
	name := "file:" + (&url.URL{Path: path}).EscapedPath()
	switch m {
	case readOnly | lax:
		return name + "?mode=ro"
	case queryOnly | lax:
		return name + "?mode=rw"
	case readOnly:
		return name + "?mode=ro&_dqs=0"
	case queryOnly:
		return name + "?mode=rw&_dqs=0"
	}
	return name + "?mode=rwc"
}

func (c *conn) close() {
	_ = c.raw.Close() // nothing of ours is lost: every write was committed or is to be dropped
}

// exec runs statements without results.
func (c *conn) exec(ctx context.Context, query string, args ...any) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(ctx, query, named(args))
	return c.wrap(ctx, err)
}

// each calls f for every row; the row's slice is reused.
func (c *conn) each(ctx context.Context, query string, args []any, f func(row []driver.Value) error) error {
	rows, err := c.raw.(driver.QueryerContext).QueryContext(ctx, query, named(args))
	if err != nil {
		return c.wrap(ctx, err)
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	for n := 0; ; n++ {
		if n&0xff == 0xff && ctx.Err() != nil {
			return c.wrap(ctx, ctx.Err())
		}
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return c.wrap(ctx, err)
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// integer gives the first column of the first row; 0 if there is none or it is NULL.
func (c *conn) integer(ctx context.Context, query string, args ...any) (int64, error) {
	var out int64
	err := c.each(ctx, query, args, func(row []driver.Value) error {
		out, _ = row[0].(int64)
		return nil
	})
	return out, err
}

// text gives the first column of the first row; "" if there is none or it is NULL.
func (c *conn) text(ctx context.Context, query string, args ...any) (string, error) {
	var out string
	err := c.each(ctx, query, args, func(row []driver.Value) error {
		out = str(row[0])
		return nil
	})
	return out, err
}

// wrap tells what went wrong; a context that ended comes first, because the
// database then only says that it was interrupted.
func (c *conn) wrap(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return wrap(err, c.doing)
}

func discard([]driver.Value) error { return nil }

// str gives a text or a number as text; "" for NULL.
func str(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

func named(args []any) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

// checkReadOnly asks the session itself whether it can write.
func checkReadOnly(ctx context.Context, c *conn) error {
	refused := &engine.Error{Code: engine.Unsupported, Doing: c.doing, Say: "the session is not read-only"}
	on, err := c.integer(ctx, "PRAGMA query_only")
	if err != nil {
		return err
	}
	asker, ok := c.raw.(interface{ IsReadOnly(string) (bool, error) })
	if !ok || on != 1 {
		return refused
	}
	if ro, err := asker.IsReadOnly(mainSchema); err != nil || !ro {
		return refused
	}
	// Reading page 1 finds files that are no database, and hot journals.
	return c.each(ctx, "SELECT count(*) FROM sqlite_schema", nil, discard)
}

// quote writes an identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quotes writes a list of identifiers.
func quotes(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

// literal writes a string literal; only names of objects are written so, never values.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
