package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	client "github.com/go-sql-driver/mysql"

	"understudy/internal/engine"
)

// The oldest versions that are supported, as major*100+minor.
const (
	oldestMySQL   = 800
	oldestMariaDB = 1006
)

// What sql_mode a session has. Neither writes zeros into what was refused, and
// both keep backslash escapes on, as literal needs it.
const (
	// plainMode is the mode of statements of ours: names stand in backticks, a 0
	// in an AUTO_INCREMENT column stays 0, and zero dates are dates.
	plainMode = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
	// structureMode is that of statements that make tables again which are somewhere.
	structureMode = "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
	// fragmentMode is the mode of statements with a piece of SQL from a file: there
	// a double quote begins a name, as elsewhere, so that a mistyped one is an
	// error and not a comparison of two texts.
	fragmentMode = plainMode + ",ANSI_QUOTES"
)

// A session describes a connection to be made.
type session struct {
	// name tells whose the connection is, in the connection's attributes: "understudy <name>".
	name string
	// readOnly makes every transaction read-only; the server is asked whether it agrees.
	readOnly bool
	// nowhere opens it without a present database.
	nowhere bool
	// mode is the sql_mode; empty means plainMode.
	mode   string
	limits engine.Limits
	// set adds settings, as SET writes them, or overrides the pinned ones.
	set map[string]string
}

// A conn is one connection with pinned settings. It serves one goroutine at a
// time. It speaks to the driver without the pool of database/sql: the program
// must know which connection holds which moment.
type conn struct {
	raw     driver.Conn
	net     *wire
	at      *address
	id      string // the server's number of the connection
	maria   bool   // MariaDB, else MySQL
	version int    // major*100+minor
	release string // as the server says it
	packet  int    // bytes of the longest statement that the server takes
	limits  engine.Limits
	broken  bool
}

// wire gives access to the socket below the driver, to end what no longer answers.
type wire struct {
	mu   sync.Mutex
	conn net.Conn
}

// hurry bounds what may still be written and read.
func (w *wire) hurry(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.SetDeadline(time.Now().Add(d)) // fails on a closed one only
	}
}

// patient takes the bound away that connecting has.
func (w *wire) patient() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.SetDeadline(time.Time{}) // fails on a closed one only
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.Close() // it is given up
	}
}

// connect opens a connection. The caller closes it with hangUp.
func connect(ctx context.Context, at *address, s session) (*conn, error) {
	doing := "connect to " + at.String()
	config, w, err := at.config(s)
	if err != nil {
		return nil, &engine.Error{Code: engine.Failed, Doing: doing, Say: err.Error(), Hint: "check the files that the URL names, and that this user may read them"}
	}
	connector, err := client.NewConnector(config)
	if err != nil { // its text may hold pieces of the configuration
		return nil, &engine.Error{Code: engine.Failed, Doing: doing, Say: "the driver does not take this configuration"}
	}
	raw, err := connector.Connect(ctx)
	if err != nil {
		err = wrap(ctx, err, doing)
		var e *engine.Error
		if errors.As(err, &e) && numberOf(err) == errNoAccess {
			e.Hint = "GRANT SELECT ON " + quote(pattern(at.database)) + ".* to the user, and run again: what else it lacks is told then; or check the database name in the URL"
		}
		return nil, err
	}
	w.patient()
	c := &conn{raw: raw, net: w, at: at, limits: s.limits.WithDefaults()}
	if err := c.greet(ctx, s); err != nil {
		c.hangUp()
		return nil, wrap(ctx, err, doing)
	}
	return c, nil
}

// greet learns about the server and pins the settings.
func (c *conn) greet(ctx context.Context, s session) error {
	row, err := c.row(ctx, "greet the server", "SELECT CONNECTION_ID(), VERSION(), @@max_allowed_packet")
	if err != nil {
		return err
	}
	c.id, c.release = row[0], row[1]
	c.packet, _ = strconv.Atoi(row[2]) // 0 takes any statement
	c.maria = strings.Contains(strings.ToLower(c.release), "mariadb")
	c.version = versionOf(c.release)
	c.release, _, _ = strings.Cut(strings.TrimPrefix(c.release, "5.5.5-"), "-")
	oldest := oldestMySQL
	if c.maria {
		oldest = oldestMariaDB
	}
	switch {
	case strings.Contains(row[1], "TiDB") || strings.Contains(row[1], "Vitess"):
		return &engine.Error{Code: engine.Unsupported, Doing: "connect", Say: "the server speaks the protocol but is neither MySQL nor MariaDB"}
	case c.version < oldest:
		return &engine.Error{Code: engine.Unsupported, Doing: "connect", Say: fmt.Sprintf("the server's version is older than %d.%d", oldest/100, oldest%100),
			Hint: "upgrade the server"}
	}
	if err := c.exec(ctx, "pin the session's character set", "SET NAMES utf8mb4"); err != nil {
		return err
	}
	var settings []string
	for name, value := range c.pinned(s) {
		settings = append(settings, "SESSION "+name+" = "+value)
	}
	if err := c.exec(ctx, "pin the session's settings", "SET "+strings.Join(settings, ", ")); err != nil {
		return err
	}
	if s.readOnly {
		return c.exec(ctx, "make the session read-only", "SET SESSION TRANSACTION READ ONLY")
	}
	return c.exec(ctx, "let the session write", "SET SESSION TRANSACTION READ WRITE") // the server may be set up otherwise
}

// versionOf reads the major and minor number of a version such as
// 10.11.6-MariaDB-1 or 8.4.3, with the prefix some servers put before it.
func versionOf(text string) int {
	parts := strings.SplitN(strings.TrimPrefix(text, "5.5.5-"), ".", 3)
	if len(parts) < 2 {
		return 0
	}
	major, _ := strconv.Atoi(parts[0]) // 0 is too old
	minor, _ := strconv.Atoi(parts[1])
	return major*100 + minor
}

// pinned are the settings of every session, so that a value has one text on
// both sides and neither a server nor a slow reader is hurt.
func (c *conn) pinned(s session) map[string]string {
	mode := s.mode
	if mode == "" {
		mode = plainMode
	}
	wait := strconv.FormatInt(max(1, int64(c.limits.LockWait/time.Second)), 10)
	out := map[string]string{
		"sql_mode":                 literal(mode),
		"time_zone":                "'+00:00'",
		"autocommit":               "1",
		"completion_type":          "0",
		"sql_auto_is_null":         "0",
		"sql_safe_updates":         "0",
		"sql_big_selects":          "1",
		"sql_select_limit":         "18446744073709551615", // DEFAULT is what the server is set to
		"sql_quote_show_create":    "1",
		"lock_wait_timeout":        wait,
		"innodb_lock_wait_timeout": wait,
		"net_write_timeout":        "3600", // a reader may wait for a slow target
		"net_read_timeout":         "3600",
		"wait_timeout":             "28800",
		"lc_messages":              "'en_US'", // names are taken from known places of messages
	}
	if c.maria {
		out["max_statement_time"] = strconv.FormatFloat(c.limits.Statement.Seconds(), 'f', 3, 64)
		out["idle_transaction_timeout"], out["idle_readonly_transaction_timeout"], out["idle_write_transaction_timeout"] = "0", "0", "0"
		out["tx_isolation"] = "'REPEATABLE-READ'"
		out["system_versioning_asof"] = "DEFAULT"
	} else {
		out["max_execution_time"] = strconv.FormatInt(max(1, c.limits.Statement.Milliseconds()), 10)
		out["transaction_isolation"] = "'REPEATABLE-READ'"
		out["information_schema_stats_expiry"] = "0" // sizes and next numbers as they are, not as they were a day ago
	}
	for k, v := range s.set {
		out[k] = v
	}
	return out
}

// checkReadOnly asks the server whether the session will only be read.
func (c *conn) checkReadOnly(ctx context.Context) error {
	name := "transaction_read_only"
	if c.maria {
		name = "tx_read_only"
	}
	on, err := c.value(ctx, "ask whether the session is read-only", "SELECT @@SESSION."+name)
	if err == nil && on != "1" {
		return &engine.Error{Code: engine.Unsupported, Doing: "open the source read-only", Say: "the server does not keep the session read-only",
			Hint: "connect to the server itself, not to a proxy that drops settings"}
	}
	return err
}

// hangUp ends the connection.
func (c *conn) hangUp() {
	c.broken = true
	c.net.hurry(2 * time.Second)
	_ = c.raw.Close() // the connection is gone either way
	c.net.cut()
}

// exec runs one statement without a result.
func (c *conn) exec(ctx context.Context, doing, sql string) error {
	_, err := c.change(ctx, doing, sql)
	return err
}

// change runs one statement and tells how many rows it changed.
func (c *conn) change(ctx context.Context, doing, sql string) (rows int64, err error) {
	rows, err = c.attempt(ctx, sql)
	return rows, wrap(ctx, err, doing)
}

// attempt is change with the driver's error, which may hold values, for wrapTable.
func (c *conn) attempt(ctx context.Context, sql string) (rows int64, err error) {
	err = c.run(ctx, func() error {
		result, err := c.raw.(driver.ExecerContext).ExecContext(context.WithoutCancel(ctx), sql, nil)
		if err == nil {
			rows, err = result.RowsAffected()
		}
		return err
	})
	return rows, err
}

// each runs one statement and calls f for every row as it comes. The row, and
// the bytes in it, hold until f returns. When f fails, the server is told to
// stop, so that what is left need not come.
func (c *conn) each(ctx context.Context, doing, sql string, f func(row []driver.Value) error) error {
	var own error
	err := c.run(ctx, func() error {
		rows, err := c.raw.(driver.QueryerContext).QueryContext(context.WithoutCancel(ctx), sql, nil)
		if err != nil {
			return err
		}
		row := make([]driver.Value, len(rows.Columns()))
		for {
			switch err := rows.Next(row); {
			case errors.Is(err, io.EOF):
				return rows.Close()
			case err != nil:
				_ = rows.Close() // the reading failed already
				return err
			}
			if own = f(row); own != nil {
				c.stop(nil)
				_ = rows.Close() // reads what was under way; that it was stopped is known
				return nil
			}
		}
	})
	if own != nil {
		return own
	}
	return wrap(ctx, err, doing)
}

// rows gives all rows of a statement as texts; a NULL is an empty text.
func (c *conn) rows(ctx context.Context, doing, sql string) ([][]string, error) {
	var out [][]string
	err := c.each(ctx, doing, sql, func(row []driver.Value) error {
		texts := make([]string, len(row))
		for i, v := range row {
			texts[i] = str(v)
		}
		out = append(out, texts)
		return nil
	})
	return out, err
}

// row gives the first row of a statement; it fails where there is none.
func (c *conn) row(ctx context.Context, doing, sql string) ([]string, error) {
	all, err := c.rows(ctx, doing, sql)
	if err == nil && len(all) == 0 {
		err = &engine.Error{Code: engine.Failed, Doing: doing, Say: "the server gave no answer"}
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// value gives the first value of a statement; "" for NULL and for no row.
func (c *conn) value(ctx context.Context, doing, sql string) (string, error) {
	all, err := c.rows(ctx, doing, sql)
	if err != nil || len(all) == 0 || len(all[0]) == 0 {
		return "", err
	}
	return all[0][0], nil
}

// str gives a value of the driver as text; "" for NULL.
func str(v driver.Value) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case string:
		return v
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// run runs statements that do not know of the context, and when it ends has the
// server stop them: closing the connection would not, and would lose the moment.
func (c *conn) run(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		defer close(stopped)
		c.stop(done)
	})
	err := do()
	close(done)
	if !release() {
		<-stopped
		if err == nil {
			err = ctx.Err()
		}
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, client.ErrInvalidConn) || errors.Is(err, net.ErrClosed) {
		c.broken = true
	}
	return err
}

// stop ends the statement that runs on c, by a connection of its own, and if the
// server does not answer or the statement does not end, the connection. done
// closes when the statement has ended; nil means that nobody says so.
func (c *conn) stop(done <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // undoing: the run's context is over
	defer cancel()
	if c.id == "" || !c.kill(ctx) {
		c.net.cut()
		return
	}
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
		c.net.cut()
	}
}

// kill asks the server to stop the statement that runs on c.
func (c *conn) kill(ctx context.Context) bool {
	config, _, err := c.at.config(session{name: "stop", nowhere: true})
	if err != nil {
		return false
	}
	connector, err := client.NewConnector(config)
	if err != nil {
		return false
	}
	raw, err := connector.Connect(ctx)
	if err != nil {
		return false
	}
	defer raw.Close()
	_, err = raw.(driver.ExecerContext).ExecContext(ctx, "KILL QUERY "+c.id, nil)
	return err == nil
}

// config makes the driver's configuration.
func (a *address) config(s session) (*client.Config, *wire, error) {
	config := client.NewConfig()
	config.User, config.Passwd = a.user, a.password.Reveal()
	config.Net, config.Addr = "tcp", a.hostPort()
	if a.socket != "" {
		config.Net, config.Addr = "unix", a.socket
	}
	if !s.nowhere {
		config.DBName = a.database
	}
	config.Timeout = a.timeout
	config.CheckConnLiveness = false
	config.Logger = &client.NopLogger{} // its texts can hold pieces of rows
	config.MaxAllowedPacket = 0         // ask the server
	config.ConnectionAttributes = "program_name:understudy " + s.name
	w := &wire{}
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{Timeout: a.timeout, KeepAlive: 30 * time.Second}).DialContext(ctx, network, addr)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.conn = c
		if err == nil { // a server that takes the connection may say nothing on it
			err = c.SetDeadline(time.Now().Add(a.timeout))
		}
		return c, err
	}
	var err error
	if a.socket == "" {
		config.TLS, err = a.tls.Config(a.host)
	}
	return config, w, err
}
