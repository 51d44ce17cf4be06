package postgres

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
)

// relay streams the rows of a COPY TO into a COPY FROM and gives the numbers of
// rows read and taken. The bytes are not looked at.
func relay(ctx context.Context, from, to *conn, out, in, doing string) (sent, got int64, err error) {
	r, w := io.Pipe()
	type answer struct {
		tag pgconn.CommandTag
		err error
	}
	read := make(chan answer, 1)
	go func() {
		// The driver writes once a row; without the buffer each would cross the pipe alone.
		buffer := bufio.NewWriterSize(w, 256<<10)
		tag, err := from.PgConn.CopyTo(ctx, buffer, out)
		if err == nil {
			err = buffer.Flush()
		}
		if err != nil {
			_ = w.CloseWithError(errRowsEnded) // its text reaches the other server
		} else {
			_ = w.Close()
		}
		read <- answer{tag, err}
	}()
	taken, writeErr := to.PgConn.CopyFrom(ctx, r, in)
	_ = r.CloseWithError(errRowsEnded) // the reader ends if the writer did
	a := <-read
	var server *pgconn.PgError
	switch {
	case errors.As(writeErr, &server) && server.Code != "57014": // 57014 answers our own giving up
		return 0, 0, wrap(ctx, writeErr, doing)
	case a.err != nil:
		return 0, 0, wrap(ctx, a.err, doing)
	case writeErr != nil:
		return 0, 0, wrap(ctx, writeErr, doing)
	}
	return a.tag.RowsAffected(), taken.RowsAffected(), nil
}
