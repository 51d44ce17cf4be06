package mysql

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	client "github.com/go-sql-driver/mysql"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

const (
	insertRows  = 1000
	insertBytes = 512 << 10
	// chunkBytes is how much a LOAD DATA takes, and how much one transaction holds.
	chunkBytes = 32 << 20
	// pieceBytes is how much of a long value is written out at a time.
	pieceBytes = 64 << 10
	// looseMode is strict about nothing: an ENUM may hold the empty value that it
	// has where a wrong one was once written.
	looseMode = "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES"
	// writeMode takes every date that the source can hold.
	writeMode = plainMode + ",ALLOW_INVALID_DATES"
)

// Write loads rows: by LOAD DATA LOCAL where the server takes it, else by INSERTs
// of many rows. No trigger exists and no foreign key yet. What the server says of
// each statement is read: a value that it changed is an error.
func (l *load) Write(ctx context.Context, table schema.Name, columns []string, rows iter.Seq2[*engine.Batch, error]) (int64, error) {
	to, database, err := l.find(table, "load "+table.String())
	if err != nil {
		return 0, err
	}
	w, err := newWriter(table, to, schema.Name{Schema: database, Table: table.Table}, columns)
	if err != nil {
		return 0, err
	}
	err = l.with(ctx, func(c *conn) error { return w.write(ctx, c, &l.local, rows) })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[table] += w.sent
	return w.sent, err
}

// newWriter prepares to write rows of a table into the table at place, which is made like it.
func newWriter(table schema.Name, like *creation, place schema.Name, columns []string) (*writer, error) {
	w := &writer{doing: "load " + table.String(), table: table, columns: columns, into: quoteName(place)}
	shape := *like.shape // with the name that messages mean
	shape.Name = place
	w.shape = &shape
	for _, name := range columns {
		c := shape.Column(name)
		if c == nil {
			return nil, &engine.Error{Code: engine.Changed, Doing: w.doing, Table: table, Column: name, Say: "the new generation has no such column"}
		}
		w.fields = append(w.fields, field{formColumn: formColumn{Column: *c, facts: like.facts.columns[name], srid: sridOf(like.facts, name)}})
		w.fields[len(w.fields)-1].prepare()
	}
	return w, nil
}

// write writes all rows through a session.
func (w *writer) write(ctx context.Context, c *conn, local *locality, rows iter.Seq2[*engine.Batch, error]) error {
	w.c, w.most = c, insertBytes
	if c.packet > 0 {
		w.most = min(insertBytes, c.packet/2)
	}
	takes, err := local.ask(ctx, c)
	if err != nil {
		return err
	}
	w.local = takes && len(w.columns) > 0 && !slices.ContainsFunc(w.fields, func(f field) bool {
		return f.Kind == schema.Geo || f.facts.base == "vector" // LOAD DATA sets such a column to nothing before it computes it
	})
	if err := c.exec(ctx, w.doing, "SET SESSION sql_mode = "+literal(writeMode)); err != nil {
		return err
	}
	err = w.all(ctx, rows)
	if err != nil && !c.broken {
		_ = c.exec(context.WithoutCancel(ctx), w.doing, "ROLLBACK") // the generation goes in any case
	}
	return err
}

// A locality tells whether the server takes LOAD DATA LOCAL, which is asked once.
type locality struct {
	never bool // by a test: rows travel by INSERT
	mu    sync.Mutex
	takes *bool
}

func (l *locality) ask(ctx context.Context, c *conn) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takes == nil {
		on, err := c.value(ctx, "ask for LOAD DATA LOCAL", "SELECT @@GLOBAL.local_infile")
		if err != nil {
			return false, err
		}
		takes := on == "1" && !l.never
		l.takes = &takes
	}
	return *l.takes, nil
}

// A field is a column that is written.
type field struct {
	formColumn
	bytes bool // it holds bytes that are no text
	// hollow: an ENUM that has the empty value of a wrong one beside its labels.
	hollow bool
}

func (f *field) prepare() {
	f.bytes = f.raw()
	f.hollow = f.facts.base == "enum" && !slices.Contains(f.Labels, "")
}

// written gives the text that means the value where it is written: the year 0 is
// 2000 in short.
func (f *field) written(value []byte) []byte {
	if f.facts.base == "year" && string(value) == "0" {
		return []byte("0000")
	}
	return value
}

// A writer carries out one Write.
type writer struct {
	c       *conn
	doing   string
	table   schema.Name
	shape   *schema.Table
	into    string
	columns []string
	fields  []field
	local   bool
	sent    int64

	buf     []byte // rows as SQL or as lines
	rows    int64  // in buf
	loose   []byte // rows with a hollow value, as SQL
	looses  int64
	written int // bytes since the transaction began
	most    int // bytes after which rows are inserted
}

func (w *writer) all(ctx context.Context, rows iter.Seq2[*engine.Batch, error]) error {
	if err := w.c.exec(ctx, w.doing, "START TRANSACTION"); err != nil {
		return err
	}
	var err error
	if w.local {
		err = w.stream(ctx, rows)
	} else {
		err = w.inserts(ctx, rows)
	}
	if err == nil {
		err = w.flushLoose(ctx)
	}
	if err == nil {
		err = w.c.exec(ctx, w.doing, "COMMIT")
	}
	return err
}

// inserts writes everything by INSERT.
func (w *writer) inserts(ctx context.Context, rows iter.Seq2[*engine.Batch, error]) error {
	for batch, err := range rows {
		if err != nil {
			return err
		}
		raw := batch.Raw
		for range batch.Rows {
			raw = w.row(raw)
			if w.rows+w.looses >= insertRows || len(w.buf)+len(w.loose) > w.most {
				if err := w.flush(ctx); err != nil {
					batch.Release()
					return err
				}
			}
		}
		batch.Release()
	}
	return w.flush(ctx)
}

// row appends a row as (v, v) to what is inserted next, and gives what follows it.
func (w *writer) row(raw []byte) []byte {
	if w.hollow(raw) {
		w.loose, raw = w.tuple(w.loose, raw, w.looses > 0)
		w.looses++
		return raw
	}
	w.buf, raw = w.tuple(w.buf, raw, w.rows > 0)
	w.rows++
	return raw
}

// hollow tells whether the row has an ENUM's empty value.
func (w *writer) hollow(raw []byte) bool {
	for i := range w.fields {
		value, null, rest := decode(raw)
		if w.fields[i].hollow && !null && len(value) == 0 {
			return true
		}
		raw = rest
	}
	return false
}

func (w *writer) tuple(dst, raw []byte, more bool) (out, rest []byte) {
	if more {
		dst = append(dst, ',')
	}
	dst = append(dst, '(')
	for i := range w.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		var value []byte
		var null bool
		value, null, raw = decode(raw)
		switch {
		case null:
			dst = append(dst, "NULL"...)
		case w.fields[i].Kind == schema.Geo && !geometry(value):
			dst = append(dst, w.fields[i].drawn(value)...)
		case w.fields[i].bytes:
			dst = appendHex(dst, value)
		default:
			dst = appendLiteral(dst, w.fields[i].written(value))
		}
	}
	return append(dst, ')'), raw
}

// sridOf gives the SRID that a column demands; empty for none.
func sridOf(f *tableFacts, column string) string {
	if d := f.ddl.columns[column]; d != nil {
		return d.srid
	}
	return ""
}

// geometry tells the form in which the server keeps a geometry, which is no text:
// its SRID, its byte order, its type.
func geometry(value []byte) bool {
	return len(value) >= 9 && value[4] <= 1 && (value[4] == 1 && value[5] <= 7 || value[4] == 0 && value[8] <= 7)
}

// drawn writes a geometry that is given as text: as WKT, or a point as (x,y).
func (f *formColumn) drawn(text []byte) string {
	srid := "0"
	if f.srid != "" {
		srid = f.srid
	}
	wkt := string(text)
	if x, y, ok := strings.Cut(strings.Trim(wkt, "()"), ","); ok && strings.HasPrefix(wkt, "(") {
		wkt = "POINT(" + x + " " + y + ")"
	}
	return "ST_GeomFromText(" + literal(wkt) + ", " + srid + ")"
}

// appendLiteral appends a text as a string literal.
func appendLiteral(dst, value []byte) []byte {
	dst = append(dst, '\'')
	from := 0
	for i, b := range value {
		if b != '\'' && b != '\\' && b != 0 {
			continue
		}
		dst = append(dst, value[from:i]...)
		from = i + 1
		if b == 0 {
			b = '0'
		}
		dst = append(dst, '\\', b)
	}
	return append(append(dst, value[from:]...), '\'')
}

// flush inserts what has been gathered.
func (w *writer) flush(ctx context.Context) error {
	if err := w.flushLoose(ctx); err != nil || w.rows == 0 {
		return err
	}
	if err := w.insert(ctx, w.buf, w.rows); err != nil {
		return err
	}
	w.written += len(w.buf)
	w.buf, w.rows = w.buf[:0], 0
	if cap(w.buf) >= engine.HugeBytes {
		w.buf = nil
	}
	if w.written < chunkBytes {
		return nil
	}
	w.written = 0
	for _, sql := range []string{"COMMIT", "START TRANSACTION"} {
		if err := w.c.exec(ctx, w.doing, sql); err != nil {
			return err
		}
	}
	return nil
}

// insert runs one INSERT and compares what the server did with what was sent.
func (w *writer) insert(ctx context.Context, tuples []byte, rows int64) error {
	taken, err := w.run(ctx, "INSERT INTO "+w.into+" ("+quotes(w.columns)+") VALUES "+string(tuples))
	if err != nil {
		return err
	}
	if err := w.warned(ctx); err != nil {
		return err
	}
	return w.took(rows, taken)
}

func (w *writer) took(sent, taken int64) error {
	w.sent += taken
	if sent != taken {
		return &engine.Error{Code: engine.Failed, Doing: w.doing, Table: w.table, Say: fmt.Sprintf("%d rows were sent and %d taken", sent, taken)}
	}
	return nil
}

// flushLoose inserts the rows that a strict session would not take: those with an
// ENUM's empty value. Nothing else about them may be remarkable.
func (w *writer) flushLoose(ctx context.Context) error {
	if w.looses == 0 {
		return nil
	}
	if err := w.c.exec(ctx, w.doing, "SET SESSION sql_mode = "+literal(looseMode)); err != nil {
		return err
	}
	taken, err := w.run(ctx, "INSERT INTO "+w.into+" ("+quotes(w.columns)+") VALUES "+string(w.loose))
	if err != nil {
		return err
	}
	said, err := w.warnings(ctx)
	if err != nil {
		return err
	}
	for _, m := range said {
		column, _ := namedIn(m.Message, w.shape)
		if f := slices.Index(w.columns, column); m.Number != 1265 || f < 0 || !w.fields[f].hollow {
			return w.wrap(ctx, m)
		}
	}
	if err := w.took(w.looses, taken); err != nil {
		return err
	}
	w.loose, w.looses = w.loose[:0], 0
	return w.c.exec(ctx, w.doing, "SET SESSION sql_mode = "+literal(writeMode))
}

// run runs a statement and tells how many rows it took.
func (w *writer) run(ctx context.Context, sql string) (rows int64, err error) {
	err = w.c.run(ctx, func() error {
		result, err := w.c.raw.(driver.ExecerContext).ExecContext(context.WithoutCancel(ctx), sql, nil)
		if err == nil {
			rows, err = result.RowsAffected()
		}
		return err
	})
	return rows, w.wrap(ctx, err)
}

// wrap names the column or key, and the table as the target has it.
func (w *writer) wrap(ctx context.Context, err error) error {
	var e *engine.Error
	if wrapped := wrapTable(ctx, err, w.doing, w.shape); wrapped == nil {
		return nil
	} else if errors.As(wrapped, &e) && e.Table == w.shape.Name {
		named := *e
		named.Table = w.table
		return &named
	} else {
		return wrapped
	}
}

// warned fails if the server had anything to say of the last statement's values.
func (w *writer) warned(ctx context.Context) error {
	said, err := w.warnings(ctx)
	if err != nil || len(said) == 0 {
		return err
	}
	return w.wrap(ctx, said[0])
}

// warnings reads what the server said of the last statement's values. That a
// number was rounded or spaces were cut is only a note to it, and not to us.
func (w *writer) warnings(ctx context.Context) ([]*client.MySQLError, error) {
	rows, err := w.c.rows(ctx, w.doing, "SHOW WARNINGS")
	var out []*client.MySQLError
	for _, r := range rows {
		if m := (&client.MySQLError{Number: uint16(number(r[1])), Message: r[2]}); r[0] != "Note" || m.Number == 1265 {
			out = append(out, m)
		}
	}
	return out, err
}

// stream writes everything by LOAD DATA LOCAL, a chunk for each statement.
func (w *writer) stream(ctx context.Context, rows iter.Seq2[*engine.Batch, error]) error {
	next, stop := iter.Pull2(rows)
	defer stop()
	f := &feed{w: w, next: next}
	defer f.release()
	name := "understudy-" + rand.Text() // the driver knows streams by name, in the whole process
	client.RegisterReaderHandler(name, func() io.Reader { return f })
	defer client.DeregisterReaderHandler(name)
	sql := w.loadStatement(name)
	for more := true; more; {
		f.chunk, f.rows = 0, 0
		taken, err := w.run(ctx, sql)
		switch {
		case f.failure != nil:
			return f.failure
		case err != nil:
			return err
		}
		if err := w.warned(ctx); err != nil {
			return err
		}
		if err := w.took(f.rows, taken); err != nil {
			return err
		}
		if err := w.flushLoose(ctx); err != nil {
			return err
		}
		if more = !f.done; more {
			for _, sql := range []string{"COMMIT", "START TRANSACTION"} {
				if err := w.c.exec(ctx, w.doing, sql); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// loadStatement writes LOAD DATA. Columns of bytes travel in hexadecimal. Beside columns
// that are computed so, MariaDB gives the next number in place of a 0 that comes for
// AUTO_INCREMENT, whatever sql_mode says; it takes one that is set.
func (w *writer) loadStatement(name string) string {
	var list, set []string
	computed := slices.ContainsFunc(w.fields, func(f field) bool { return f.bytes })
	for i, c := range w.columns {
		v := fmt.Sprintf("@v%d", i)
		switch f := w.fields[i]; {
		case f.bytes:
			set = append(set, quote(c)+" = UNHEX("+v+")")
		case f.Identity && computed:
			set = append(set, quote(c)+" = "+v)
		default:
			v = quote(c)
		}
		list = append(list, v)
	}
	sql := "LOAD DATA LOCAL INFILE 'Reader::" + name + "' INTO TABLE " + w.into + ` CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (` + strings.Join(list, ", ") + ")"
	if len(set) > 0 {
		sql += " SET " + strings.Join(set, ", ")
	}
	return sql
}

// A feed is batches as the lines of a file, which the driver reads; it says that
// the file ends after each chunk.
type feed struct {
	w       *writer
	next    func() (*engine.Batch, error, bool)
	batch   *engine.Batch
	raw     []byte // of batch, what has not been written
	left    int    // rows in raw
	field   int    // of the row in hand, the next to be written
	rest    []byte // of its value, what has not been written
	line    []byte // what the driver has not taken
	at      int
	chunk   int
	rows    int64
	done    bool
	failure error // of whoever gives the rows
}

// errRowsEnded ends a file whose rows cannot be read to their end.
var errRowsEnded = errors.New("the rows ended early")

// Read gives lines.
func (f *feed) Read(p []byte) (int, error) {
	if f.at == len(f.line) {
		if amid := f.field > 0 || len(f.rest) > 0; f.done || f.chunk >= chunkBytes && !amid {
			return 0, io.EOF
		}
		f.line, f.at = f.line[:0], 0
		for len(f.line) < len(p) && !f.done {
			if err := f.fill(len(p)); err != nil {
				return 0, err
			}
		}
		if len(f.line) == 0 {
			return 0, io.EOF
		}
		f.chunk += len(f.line)
	}
	n := copy(p, f.line[f.at:])
	f.at += n
	return n, nil
}

// fill appends lines of the present batch until there are so many bytes, or takes
// the next batch.
func (f *feed) fill(most int) error {
	for f.left > 0 && len(f.line) < most {
		if f.field == 0 && len(f.rest) == 0 && f.w.hollow(f.raw) {
			f.w.loose, f.raw = f.w.tuple(f.w.loose, f.raw, f.w.looses > 0)
			f.w.looses++
			f.left--
			continue
		}
		if f.row() {
			f.left--
			f.rows++
		}
	}
	if f.left > 0 {
		return nil
	}
	f.release()
	batch, err, ok := f.next()
	switch {
	case !ok:
		f.done = true
	case err != nil:
		f.done, f.failure = true, err
		return errRowsEnded
	default:
		f.batch, f.raw, f.left = batch, batch.Raw, batch.Rows
	}
	return nil
}

func (f *feed) release() {
	if f.batch != nil {
		f.batch.Release()
		f.batch = nil
	}
}

// row appends a row as LOAD DATA reads it, or the next piece of one with a long value;
// done where it has come to the row's end.
func (f *feed) row() (done bool) {
	w, dst := f.w, f.line
	for {
		if n := min(len(f.rest), pieceBytes); n > 0 {
			dst = w.fields[f.field].appendTo(dst, f.rest[:n])
			if f.rest = f.rest[n:]; len(f.rest) > 0 {
				f.line = dst
				return false
			}
			f.field++
		}
		for ; f.field < len(w.fields); f.field++ {
			if f.field > 0 {
				dst = append(dst, '\t')
			}
			var value []byte
			var null bool
			value, null, f.raw = decode(f.raw)
			if null {
				dst = append(dst, `\N`...)
				continue
			}
			if len(value) > pieceBytes {
				f.rest = value
				break
			}
			dst = w.fields[f.field].appendTo(dst, value)
		}
		if len(f.rest) == 0 {
			f.line, f.field = append(dst, '\n'), 0
			return true
		}
	}
}

// appendTo appends a value, or a piece of a long one, as LOAD DATA reads it.
func (f *field) appendTo(dst, value []byte) []byte {
	if f.bytes {
		return hex.AppendEncode(dst, value)
	}
	return appendField(dst, f.written(value))
}

// appendField appends a text with what means something in the file escaped.
func appendField(dst, value []byte) []byte {
	from := 0
	for i, b := range value {
		if b > '\n' && b != '\\' || b != '\\' && b != '\t' && b != '\n' && b != 0 {
			continue
		}
		dst = append(dst, value[from:i]...)
		from = i + 1
		switch b {
		case '\t':
			b = 't'
		case '\n':
			b = 'n'
		case 0:
			b = '0'
		}
		dst = append(dst, '\\', b)
	}
	return append(dst, value[from:]...)
}
