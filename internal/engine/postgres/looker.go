package postgres

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"understudy/internal/engine"
)

// A looker is a session that reads the target's rows while others come, all at
// one moment, which it keeps: what stood in a table then can be read again. It
// keeps no lock on the tables between.
type looker struct {
	*conn
	from, to uint64 // transactions that began before from had ended at the moment, and none had begun from to on
}

// openLooker begins the moment. Rows have to come in the order in which they
// stand, so they are not read in parallel.
func openLooker(ctx context.Context, at *address, s session) (*looker, error) {
	c, err := connect(ctx, at, s)
	if err != nil {
		return nil, err
	}
	err = c.exec(ctx, "begin to read the target", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL max_parallel_workers_per_gather = 0")
	if err == nil {
		var rows [][][]byte
		rows, err = c.query(ctx, "begin to read the target", `SELECT pg_catalog.txid_snapshot_xmin(s), pg_catalog.txid_snapshot_xmax(s) FROM pg_catalog.txid_current_snapshot() s`)
		if err == nil {
			return &looker{c, uint64(number(rows[0][0])), uint64(number(rows[0][1]))}, nil
		}
	}
	c.hangUp()
	return nil, err
}

// A look is what a looker saw of a table.
type look struct {
	by      *looker
	columns []string
	binary  bool
	files   string // of the table or its partitions
	rows    int64
	state   string // see stateOf
}

// look runs do while nobody can change the table's structure.
func (l *looker) look(ctx context.Context, e *exchanged, do func(files string) error) error {
	doing := "read " + e.name.String()
	if err := l.exec(ctx, doing, "SAVEPOINT look; LOCK TABLE "+e.from()+" IN ACCESS SHARE MODE"); err != nil {
		return err
	}
	files, err := e.files(ctx, l.conn)
	if err == nil {
		err = do(files)
	}
	if l.IsClosed() {
		return err
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchDeadline) // ctx may be over because the rest is not wanted
	defer cancel()
	if back := l.exec(undo, doing, "ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look"); err == nil {
		err = back
	}
	return err
}

// statement reads the table's rows, each after its place.
func (k *look) statement(e *exchanged) string {
	sql := "COPY (SELECT tableoid, ctid, " + quoteList(k.columns) + " FROM " + e.from() + ") TO STDOUT"
	if k.binary {
		sql += " WITH (FORMAT binary)"
	}
	return sql
}

// A sight is what a looker sees of a table while it looks.
type sight struct {
	rows   chan []standingRow
	err    error // once rows is closed
	cancel context.CancelFunc
}

// begin looks at the table, beside what the caller does.
func (k *look) begin(ctx context.Context, e *exchanged) *sight {
	ctx, cancel := context.WithCancel(ctx)
	s := &sight{rows: make(chan []standingRow, 4), cancel: cancel}
	go func() {
		defer close(s.rows)
		s.err = k.read(ctx, e, func(rows []standingRow) bool {
			select {
			case s.rows <- rows:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	return s
}

// next gives the next rows; none at the end.
func (s *sight) next() ([]standingRow, error) {
	rows, ok := <-s.rows
	if !ok {
		return nil, s.err
	}
	return rows, nil
}

// end looks no longer, and waits until that is so.
func (s *sight) end() {
	s.cancel()
	for range s.rows {
	}
}

// read gives the table's rows to take, until it wants no more.
func (k *look) read(ctx context.Context, e *exchanged, take func([]standingRow) bool) error {
	return k.by.look(ctx, e, func(files string) error {
		k.files = files
		if k.by.from < k.by.to {
			var err error
			if k.state, err = e.stateOf(ctx, k.by.conn, k.by.from, k.by.to); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		d := &digester{binary: k.binary, take: take, stop: cancel}
		tag, err := k.by.CopyTo(ctx, d, k.statement(e))
		if d.stopped {
			return nil
		}
		if err == nil && (d.bad || tag.RowsAffected() != d.rows) {
			return &engine.Error{Code: engine.Failed, Doing: "read " + e.name.String(), Table: e.name, Say: "the server's count of rows is not the count that arrived"}
		}
		d.flush()
		k.rows = d.rows
		if k.by.from == k.by.to {
			k.state = strconv.FormatInt(d.rows, 10) + " 0"
		}
		return wrap(ctx, err, "read "+e.name.String())
	})
}

// A digester takes rows as COPY writes them, each in one Write.
type digester struct {
	binary bool
	begun  bool
	take   func([]standingRow) bool
	stop   context.CancelFunc

	batch        []standingRow
	rows         int64
	bad, stopped bool
}

// lookBatch is how many rows a looker hands over at once.
const lookBatch = 1024

// Write takes one row. It never fails: see packer.Write.
func (d *digester) Write(message []byte) (int, error) {
	if d.stopped {
		return len(message), nil
	}
	var row standingRow
	ok := false
	if d.binary {
		at := message
		if !d.begun {
			if at, ok = withoutHead(message); !ok {
				d.bad = true
				return len(message), nil
			}
			d.begun = true
		}
		if len(at) < 2 || string(at[:2]) == binaryTail {
			return len(message), nil
		}
		row, ok = standingTuple(at)
	} else {
		row, ok = standingLine(message)
	}
	if !ok {
		d.bad = true
		return len(message), nil
	}
	d.rows++
	if d.batch = append(d.batch, row); len(d.batch) == lookBatch {
		d.flush()
	}
	return len(message), nil
}

func (d *digester) flush() {
	if len(d.batch) > 0 && !d.stopped && !d.take(d.batch) {
		d.stopped = true
		d.stop()
	}
	d.batch = make([]standingRow, 0, lookBatch)
}

// placeBytes is what stands before the columns of a row in binary: the count of
// fields, a partition's number, a place in it.
const placeBytes = 2 + 4 + 4 + 4 + 6

func standingTuple(row []byte) (standingRow, bool) {
	if len(row) < placeBytes || binary.BigEndian.Uint32(row[2:]) != 4 || binary.BigEndian.Uint32(row[10:]) != 6 {
		return standingRow{}, false
	}
	return standingRow{digestOf(row[placeBytes:]), place{binary.BigEndian.Uint32(row[6:]), binary.BigEndian.Uint32(row[14:]), binary.BigEndian.Uint16(row[18:])}}, true
}

// standingLine reads a row that begins with its place, as 16400 and (0,1).
func standingLine(line []byte) (standingRow, bool) {
	rel, rest, ok := bytes.Cut(line, []byte{'\t'})
	at, rest, also := bytes.Cut(rest, []byte{'\t'})
	block, offset, and := bytes.Cut(bytes.Trim(at, "()"), []byte{','})
	if !ok || !also || !and {
		return standingRow{}, false
	}
	return standingRow{digestOf(rest), place{parseUint(rel), parseUint(block), uint16(parseUint(offset))}}, true
}

// files names the files in which the table's rows are; other files hold other rows.
func (e *exchanged) files(ctx context.Context, c *conn) (string, error) {
	return c.value(ctx, "look at "+e.name.String(), `SELECT pg_catalog.string_agg(o || ' ' || coalesce(pg_catalog.pg_relation_filenode(o::pg_catalog.regclass), 0), ',' ORDER BY o) FROM pg_catalog.unnest($1::pg_catalog.oid[]) o`, e.parts())
}

// stateOf tells which versions of rows stand in a table, so that two equal
// answers, the first as of a moment, mean the same ones: those by transactions
// before from, of which some may have gone and none can have come, are counted;
// later ones, of which there should be few, are told by their places.
func (e *exchanged) stateOf(ctx context.Context, c *conn, from, to uint64) (string, error) {
	const late = "x >= 0 AND x < "
	span := strconv.FormatUint(to-from, 10)
	return c.value(ctx, "look for late writes to "+e.name.String(), fmt.Sprintf(`
		SELECT count(*) FILTER (WHERE NOT (%[1]s)) || ' ' || coalesce(pg_catalog.sum(pg_catalog.hashtextextended(rel::pg_catalog.text || ' ' || at || ' ' || by, 0)) FILTER (WHERE %[1]s), 0)
		FROM (SELECT tableoid AS rel, ctid AS at, xmin AS by, pg_catalog.age('%[2]d'::pg_catalog.xid)::bigint - pg_catalog.age(xmin) AS x FROM %[3]s) t`, late+span, uint32(from), e.from()))
}

// again writes what stood in the table at the moment into a table of the side
// schema, and gives how many rows that were.
func (k *look) again(ctx context.Context, e *exchanged, to *conn) error {
	changed := &engine.Error{Code: engine.Changed, Doing: "exchange rows", Table: e.name, Say: "the table was emptied or rewritten while rows were loaded",
		Hint: "run the refresh again when nobody migrates the target"}
	return k.by.look(ctx, e, func(files string) error {
		if files != k.files {
			return changed
		}
		in, out := io.Pipe()
		result := make(chan error, 1)
		go func() {
			many := bufio.NewWriterSize(out, 256<<10)
			_, err := k.by.CopyTo(ctx, many, k.statement(e))
			if err == nil {
				err = many.Flush()
			}
			out.CloseWithError(err)
			result <- wrap(ctx, err, "read "+e.name.String())
		}()
		sql := "COPY " + quoteName(e.kept()) + " FROM STDIN"
		if k.binary {
			sql += " WITH (FORMAT binary)"
		}
		tag, err := to.PgConn.CopyFrom(ctx, in, sql)
		_ = in.Close() // so that the reader ends
		if read := <-result; read != nil && err == nil {
			err = read
		}
		if err != nil {
			return wrap(ctx, err, "write "+e.name.String())
		}
		if tag.RowsAffected() != k.rows {
			return changed
		}
		return nil
	})
}
