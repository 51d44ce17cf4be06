package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	driver "modernc.org/sqlite"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// The primary result codes that are told apart (https://www.sqlite.org/rescode.html).
const (
	codeError, codePerm, codeBusy, codeLocked, codeNoMem    = 1, 3, 5, 6, 7
	codeReadOnly, codeInterrupt, codeIO, codeCorrupt        = 8, 9, 10, 11
	codeFull, codeCantOpen, codeSchema, codeTooBig          = 13, 14, 17, 18
	codeConstraint, codeMismatch, codeAuth, codeNotDatabase = 19, 20, 23, 26
	constraintCheck, constraintForeignKey                   = 275, 787
	constraintNotNull, constraintPrimaryKey                 = 1299, 1555
	constraintTrigger, constraintUnique, constraintRowid    = 1811, 2067, 2579
	constraintDatatype, readOnlyRollback, readOnlyRecovery  = 3091, 776, 264
	readOnlyCantLock, readOnlyCantInit, readOnlyDirectory   = 520, 1288, 1544
)

// constraintHint is what mends rows that the target does not take.
const constraintHint = "mend the rows that break it, or the masks of its columns, or loosen it in the target"

// meaning says what a result code means, in our words.
type meaning struct {
	code engine.Code
	say  string
	hint string
}

func meaningOf(code int) meaning {
	switch code {
	case constraintCheck:
		return meaning{engine.Constraint, "a row breaks a check", constraintHint}
	case constraintForeignKey:
		return meaning{engine.Constraint, "a row breaks a foreign key", "mend the rows that point nowhere, or drop the foreign key in the target"}
	case constraintNotNull:
		return meaning{engine.Constraint, "a NULL stands where none may", constraintHint}
	case constraintPrimaryKey, constraintUnique, constraintRowid:
		return meaning{engine.Constraint, "two rows have the same unique value", constraintHint}
	case constraintTrigger:
		return meaning{engine.Constraint, "a trigger refused a row", "mend the trigger, or the statement that wakes it"}
	case constraintDatatype:
		return meaning{engine.Constraint, "a value has not the column's type", "let the target's column take what production's takes (`understudy parity` tells where they differ), or mend the values"}
	case readOnlyRollback, readOnlyRecovery:
		return meaning{engine.Unreachable, "a writer crashed and left a journal that a reader may not apply",
			"open the database once with the application, or with `sqlite3 FILE 'PRAGMA schema_version'`"}
	case readOnlyCantLock, readOnlyCantInit, readOnlyDirectory:
		return meaning{engine.Denied, "the database is in WAL mode, and the -shm file that its readers share can neither be made nor used",
			"give this user write permission on the database's directory, or on the -shm file that a running application has made there; or read a copy: `sqlite3 FILE \".backup COPY\"`"}
	}
	switch code & 0xff {
	case codeBusy, codeLocked:
		return meaning{engine.Timeout, "another connection holds a lock on the database", "raise limits.lock_wait, or run when nobody writes for long"}
	case codePerm, codeAuth:
		return meaning{engine.Denied, "access was denied", "the user that runs this must be able to read the file, and to write a target and its directory"}
	case codeReadOnly:
		return meaning{engine.Denied, "the database may only be read", "the user that runs this must be able to write the file and its directory"}
	case codeInterrupt:
		return meaning{engine.Stopped, "the statement was interrupted", ""}
	case codeNoMem:
		return meaning{engine.Full, "out of memory", "give the process more memory"}
	case codeFull:
		return meaning{engine.Full, "the disk is full", ""}
	case codeIO:
		return meaning{engine.Unreachable, "reading or writing the file failed", "look at the disk, and at the system's log"}
	case codeCorrupt:
		return meaning{engine.Unreachable, "the file is damaged", "PRAGMA integrity_check says more"}
	case codeCantOpen:
		return meaning{engine.Unreachable, "the file cannot be opened", "the file and its directory must be readable; a WAL database needs its directory writable for readers too"}
	case codeNotDatabase:
		return meaning{engine.Unreachable, "the file is not a SQLite database, or is encrypted", "is the path of the URL that of the database file itself?"}
	case codeSchema:
		return meaning{engine.Changed, "the structure changed", ""}
	case codeTooBig:
		return meaning{engine.Constraint, "a value is too long for the database", ""}
	case codeConstraint:
		return meaning{engine.Constraint, "a row breaks a constraint", constraintHint}
	case codeMismatch:
		return meaning{engine.Constraint, "a value has not the column's type", "let the target's column take what production's takes (`understudy parity` tells where they differ), or mend the values"}
	case codeError:
		return meaning{engine.Syntax, "the database does not understand the statement", ""}
	}
	return meaning{engine.Failed, "", ""}
}

// wrap makes an error of the driver one of the line. The driver's text is
// dropped: it may quote values, as a trigger's RAISE does.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	var known *engine.Error
	if errors.As(err, &known) {
		return err
	}
	out := &engine.Error{Code: engine.Failed, Doing: doing, Err: err}
	var e *driver.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		out.Code, out.Say = engine.Timeout, "it took too long"
	case errors.Is(err, context.Canceled):
		out.Code, out.Say = engine.Stopped, "interrupted"
	case errors.As(err, &e):
		m := meaningOf(e.Code())
		out.Code, out.Say, out.Hint, out.State = m.code, m.say, m.hint, "SQLITE "+strconv.Itoa(e.Code())
		if m.code == engine.Failed && out.Say == "" {
			out.Say = "the database reports a failure"
		}
	}
	return out
}

// wrapTable is wrap with the table and, for a broken constraint, what the
// message names of it: names of columns and constraints that are known, nothing else.
func wrapTable(err error, doing string, table schema.Name, known *shape) error {
	wrapped := wrap(err, doing)
	var out *engine.Error
	if !errors.As(wrapped, &out) {
		return wrapped
	}
	out.Table = table
	var e *driver.Error
	if known == nil || !errors.As(err, &e) || e.Code()&0xff != codeConstraint {
		return wrapped
	}
	message := e.Error()
	for _, c := range known.checks {
		if strings.Contains(message, "CHECK constraint failed: "+c.Name) {
			out.Constraint = c.Name
		}
	}
	for name := range known.columns {
		if e.Code() != constraintCheck && strings.Contains(message, table.Table+"."+name) && len(name) > len(out.Column) {
			out.Column = name
		}
	}
	return wrapped
}

// codeOf gives SQLite's result code; 0 if the error is another's.
func codeOf(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// fileError tells an error of the file system, with the path that doing holds.
func fileError(doing string, err error) error {
	out := &engine.Error{Code: engine.Unreachable, Doing: doing, Say: "the file system refused", Hint: "look at the path, its permissions and the disk", Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		out.Say, out.Hint = "there is no such file", "a relative path of a URL counts from the directory that understudy is called in"
	case errors.Is(err, fs.ErrPermission):
		out.Code, out.Say, out.Hint = engine.Denied, "access was denied", "the user that runs this must be able to read the file, and to write a target and its directory"
	case errors.Is(err, syscall.ENOSPC):
		out.Code, out.Say = engine.Full, "the disk is full"
	}
	return out
}
