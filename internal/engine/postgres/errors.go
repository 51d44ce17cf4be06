package postgres

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"understudy/internal/engine"
	"understudy/internal/engine/network"
	"understudy/internal/schema"
)

// wrap turns an error of the driver into one that holds no value: the server's
// message, detail and context quote rows and statements, so only its code and
// its names of objects are taken. The driver's error is not kept, not even as a
// cause. nil stays nil; an *engine.Error stays as it is.
func wrap(ctx context.Context, err error, doing string) error {
	if err == nil {
		return nil
	}
	var done *engine.Error
	if errors.As(err, &done) {
		return done
	}
	if e := network.Interrupted(ctx, doing); e != nil {
		return e
	}
	e := &engine.Error{Code: engine.Failed, Doing: doing}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		fill(e, pg)
		return e
	}
	if refusedTLS(err) {
		e.Code, e.Say, e.Hint = words().NoTLS()
		return e
	}
	e.Code, e.Say, e.Hint = words().Failure(err)
	if network.Broken(err) {
		e.Err = io.ErrUnexpectedEOF
	}
	return e
}

// fill takes from a server's error what cannot hold a value.
func fill(e *engine.Error, pg *pgconn.PgError) {
	e.State = pg.Code
	e.Table = schema.Name{Schema: pg.SchemaName, Table: pg.TableName}
	e.Column = pg.ColumnName
	e.Constraint = pg.ConstraintName
	e.Code = codeOf(pg.Code)
	e.Say, e.Hint = meaning(pg.Code)
	e.Again = pg.Code == "40001"                                // only a standby says this to a session that reads
	if pg.Code == "42501" && pg.Routine == "check_enable_rls" { // the refusal that row_security = off asks for
		e.Say, e.Hint = rowsHidden, rowsHiddenHint
	}
	if e.Code == engine.Syntax && strings.HasPrefix(pg.Where, "COPY ") { // of a value, as regoper says that + is several operators
		e.Code, e.Say, e.Hint = engine.Constraint, "a value does not have its type's form", typeHint
	}
	if strings.Contains(pg.Hint, "max_locks_per_transaction") {
		e.Say, e.Hint = locksFull, locksFullHint
	}
}

// What a server says that is set up for fewer tables than it holds.
const (
	locksFull     = "the server has no room for a lock on each of so many tables"
	locksFullHint = "raise max_locks_per_transaction there to about the number of tables and partitions divided by max_connections, twice that to be sure, and restart it; or leave schemas out: `schemas`"
)

// What mends rows that the target does not take.
const (
	typeHint       = "let the target's column take what production's takes (`understudy parity` tells where they differ), or choose a mask whose fakes fit"
	constraintHint = "mend the rows that break it, or the masks of its columns, or loosen it in the target"
)

// lockMissed says that somebody else's lock stood in the way for too long.
const lockMissed = "a lock was not to be had in time"

// What a standby does to whoever reads what it has to change.
const (
	conflict     = "the standby ended the reading, because it had to replay a change that our moment stands in the way of (conflict with recovery)"
	conflictHint = "run again at a quieter hour, raise max_standby_streaming_delay or turn hot_standby_feedback on at the standby, or read from the primary"
)

// What row-level security does to a role that is neither exempt nor the table's owner.
const (
	rowsHidden     = "row-level security would hide rows from this role"
	rowsHiddenHint = "ALTER ROLE ... BYPASSRLS, or connect as the table's owner"
)

// codeOf sorts SQLSTATEs (PostgreSQL, appendix A) into the codes callers branch on.
func codeOf(state string) engine.Code {
	switch state {
	case "57014", "55P03":
		return engine.Timeout
	case "25P03", "25P04", "57P01", "57P02", "57P03", "57P04", "57P05", "40001", "40P01", "72000":
		return engine.Stopped
	case "53100", "53200", "53400", "54000":
		return engine.Full
	case "42501", "25006":
		return engine.Denied
	case "3D000", "53300":
		return engine.Unreachable
	case "42601", "42602", "42622", "42703", "42P01", "42883", "42804", "42702", "42725", "42704", "42803", "42P20", "42846", "42809", "42P18", "42P02", "42712", "42P10", "42P21", "42P22", "0A000", "42P09", "42P08", "42P13", "42P19":
		return engine.Syntax
	}
	if len(state) < 2 {
		return engine.Failed
	}
	switch state[:2] {
	case "08":
		return engine.Unreachable
	case "22", "23":
		return engine.Constraint
	case "28":
		return engine.Denied
	}
	return engine.Failed
}

// meaning says a SQLSTATE in our words, with a remedy where there is one.
func meaning(state string) (say, hint string) {
	switch state {
	case "08000", "08003", "08006", "08001", "08004":
		return "the connection failed", ""
	case "08P01": // PgBouncer's only state
		return "the server, or a pooler before it, refused the connection", "behind a pooler: is the URL's database among its databases, and the user among its users? Its log says which it lacks"
	case "0A000":
		return "the server does not support this", ""
	case "22001":
		return "a value is too long for its column", typeHint
	case "22003":
		return "a number is out of its type's range", typeHint
	case "22007", "22008":
		return "a value is not a date or time", typeHint
	case "22012":
		return "division by zero", "mend the expression that divides: of a check, an index, a generated column, a statement"
	case "22021", "22P05":
		return "a character does not exist in the database's encoding", "give both databases one encoding, UTF8"
	case "22023":
		return "a parameter's value is not allowed", ""
	case "22P02":
		return "a value does not have its type's form", typeHint
	case "22P03":
		return "a binary value does not have its type's form", ""
	case "22P04":
		return "rows do not fit the columns", ""
	case "23502":
		return "a value is missing where the column requires one", constraintHint
	case "23503":
		return "a foreign key finds no row", "mend the rows that point nowhere, or the statement that made them, or drop the foreign key in the target"
	case "23505":
		return "a value is there twice where it must be unique", constraintHint
	case "23514":
		return "a row breaks a check", constraintHint
	case "23P01":
		return "a row breaks an exclusion constraint", constraintHint
	case "25006":
		return "the session is read-only", "name the primary in the target's URL, not a standby, and let no default_transaction_read_only hold for its role or database"
	case "25P02":
		return "the transaction had failed before", ""
	case "25P03", "25P04", "57P05":
		return "the server ended the session because it was idle or old", ""
	case "28000":
		return "the server does not let this user in", "check the user name and the server's pg_hba.conf"
	case "28P01":
		return "the password is wrong, missing or no longer valid", "check the user name and password in the URL, and in pg_roles until when it holds (rolvaliduntil)"
	case "3D000":
		return "there is no such database", "check the database name in the URL"
	case "3F000":
		return "there is no such schema", "check `schemas` in the job"
	case "40001":
		return conflict, conflictHint
	case "40P01":
		return "the server ended a deadlock", "start again, when fewer sessions change the structure or lock whole tables"
	case "42501":
		return "the role lacks a privilege", "grant it, or use another role"
	case "42601":
		return "syntax error", ""
	case "42622":
		return "a name is too long", ""
	case "42703":
		return "there is no such column", ""
	case "42704":
		return "there is no such object", ""
	case "42702":
		return "a column name could mean several columns", ""
	case "42803":
		return "an aggregate function stands where none may", ""
	case "42P20":
		return "a window function stands where none may", ""
	case "42804", "42846":
		return "the types do not fit", ""
	case "42883":
		return "there is no such function or operator for these types", ""
	case "42710", "42P04", "42P07", "42P06", "42723":
		return "an object of this name exists", ""
	case "42P01":
		return "there is no such table", ""
	case "42809":
		return "the object is of another kind", ""
	case "42P17":
		return "the definition is not allowed", ""
	case "42P18":
		return "a type cannot be told", ""
	case "53100":
		return "the server's disk is full", "free space on the server"
	case "53200":
		return "the server is out of memory", "give it more, or lower work_mem and maintenance_work_mem there"
	case "53300":
		return "the server has no free connection", "raise max_connections, or lower limits.readers"
	case "53400", "54000":
		return "a limit of the server is reached", "the server's log names the limit: raise it"
	case "55000":
		return "the object is not in a state for this", "the server's log names the object and what it lacks"
	case "55006":
		return "the object is in use", "end the sessions that use it, and start again"
	case "55P03":
		return lockMissed, "try again later, or raise limits.lock_wait"
	case "57014":
		return "the statement took too long, or was cancelled", "raise limits.statement"
	case "57P01", "57P02":
		return "the server or an administrator ended the session", ""
	case "57P03":
		return "the server is starting or stopping", "start again when it is up"
	case "57P04":
		return "the database was dropped or renamed", "start again when it stands where the URL says"
	case "58030", "58P01":
		return "the server could not read or write a file", "look at the server's disk and log"
	case "72000":
		return "the snapshot is too old for the server", "raise old_snapshot_threshold, or read faster"
	case "XX000", "XX001", "XX002":
		return "the server reports an internal error or damaged data", "look at the server's log; pg_amcheck finds what is damaged"
	}
	return classMeaning(state), classHint(state)
}

func classHint(state string) string {
	if len(state) < 2 {
		return ""
	}
	switch state[:2] {
	case "22":
		return typeHint
	case "23":
		return constraintHint
	case "38", "39", "P0":
		return "the server's log tells why: mend the function, or the trigger, check, index or column that calls it"
	case "58", "XX":
		return "look at the server's log"
	}
	return ""
}

func classMeaning(state string) string {
	if len(state) < 2 {
		return "the server reports an error"
	}
	switch state[:2] {
	case "08":
		return "the connection failed"
	case "22":
		return "a value does not fit"
	case "23":
		return "a constraint is broken"
	case "28":
		return "the server does not let this user in"
	case "38", "39", "P0":
		return "a function in the database failed"
	case "42":
		return "the statement is not understood or not allowed"
	case "53", "54":
		return "a resource or limit of the server is exhausted"
	case "58", "XX":
		return "the server had an internal failure"
	}
	return "the server reports an error"
}

// refusedTLS recognizes the driver's plain error for a server without TLS.
func refusedTLS(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == "server refused TLS connection" {
			return true
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				if refusedTLS(e) {
					return true
				}
			}
			return false
		}
	}
	return false
}
