package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"understudy/internal/engine"
)

// oldest is the oldest server version that is supported: the catalogs read
// here have their columns since then.
const oldest = 120000

// A session describes a connection to be made.
type session struct {
	// name tells whose the connection is, in pg_stat_activity: "understudy <name>".
	name string
	// readOnly makes every transaction read-only; the server is asked whether it agrees.
	readOnly bool
	// database instead of the address's own; empty for that.
	database string
	limits   engine.Limits
	// set adds settings or overrides the pinned ones.
	set map[string]string
	// options are passed as PGOPTIONS would be; empty for none.
	options string
}

// A conn is one connection with pinned settings. Like a pgconn.PgConn, which
// its users may reach for, it serves one goroutine at a time.
type conn struct {
	*pgconn.PgConn
	version int    // as server_version_num
	backend uint32 // the server's process; see PID
	path    string // the search_path that the server gave before ours
	user    string
	limits  engine.Limits
}

// pinned are the settings of every session, so that a value has one text on
// both sides and a server is not hurt. Settings a server does not know are left out.
func (s session) pinned() map[string]string {
	l := s.limits.WithDefaults()
	out := map[string]string{
		"DateStyle":                           "ISO, YMD",
		"IntervalStyle":                       "postgres",
		"TimeZone":                            "UTC",
		"extra_float_digits":                  "3",
		"array_nulls":                         "on",
		"quote_all_identifiers":               "off",
		"bytea_output":                        "hex",
		"lc_monetary":                         "C",
		"xmloption":                           "content",
		"standard_conforming_strings":         "on",
		"client_min_messages":                 "error",
		"row_security":                        "off",
		"search_path":                         "",
		"lock_timeout":                        milliseconds(l.LockWait),
		"statement_timeout":                   milliseconds(l.Statement),
		"idle_in_transaction_session_timeout": "0",
		"idle_session_timeout":                "0",
		"transaction_timeout":                 "0",
		"jit":                                 "off",
		"synchronize_seqscans":                "off",
		"default_transaction_isolation":       "read committed",
		"default_transaction_deferrable":      "off",
		"default_transaction_read_only":       "off",
	}
	if s.readOnly {
		out["default_transaction_read_only"] = "on"
	}
	for k, v := range s.set {
		out[k] = v
	}
	return out
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(1, d.Milliseconds()), 10) }

// connect opens a connection. The caller closes it with hangUp.
func connect(ctx context.Context, at *address, s session) (*conn, error) {
	doing := "connect to " + at.String()
	config, err := at.config(s)
	if err != nil {
		return nil, &engine.Error{Code: engine.Failed, Doing: doing, Say: err.Error(), Hint: "check the files that the URL names and that this user may read them, and the environment"}
	}
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, wrap(ctx, err, doing)
	}
	c := &conn{PgConn: pg, user: at.user, limits: s.limits}
	if err := c.greet(ctx, s); err != nil {
		c.hangUp()
		return nil, wrap(ctx, err, doing)
	}
	return c, nil
}

// greet learns about the server and pins the settings, in two round trips.
func (c *conn) greet(ctx context.Context, s session) error {
	rows, err := c.query(ctx, "greet the server", `SELECT current_setting('server_version_num'), current_setting('search_path'), current_setting('server_encoding'), pg_catalog.pg_backend_pid()`)
	if err != nil {
		return err
	}
	c.backend = parseUint(rows[0][3])
	c.version, _ = strconv.Atoi(string(rows[0][0])) // always a number
	c.path = string(rows[0][1])
	if c.version < oldest {
		return &engine.Error{Code: engine.Unsupported, Doing: "connect", Say: fmt.Sprintf("the server's version is older than %d", oldest/10000),
			Hint: "upgrade the server"}
	}
	if string(rows[0][2]) == "SQL_ASCII" {
		return &engine.Error{Code: engine.Unsupported, Doing: "connect", Say: "the database's encoding is SQL_ASCII, so the characters of its values are not known",
			Hint: "convert the database to UTF8"}
	}
	var values []string
	for name, value := range s.pinned() {
		values = append(values, "("+literal(name)+", "+literal(value)+")")
	}
	// In one statement, and only what this server has: a setting that is not
	// there in this version must not fail the session.
	return c.exec(ctx, "pin the session's settings", `SELECT set_config(s.name, v.value, false) FROM (VALUES `+strings.Join(values, ", ")+
		`) AS v (name, value) JOIN pg_catalog.pg_settings s ON lower(s.name) = lower(v.name)`)
}

// PID is the process that serves this session. A pooler tells a number of its
// own when a connection begins, so the server itself was asked.
func (c *conn) PID() uint32 { return c.backend }

// pooled tells that something stands between this session and its server.
func (c *conn) pooled() bool { return c.backend != 0 && c.backend != c.PgConn.PID() }

// hangUp ends the connection, politely if the server answers.
func (c *conn) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // undoing: the run's context may be over
	defer cancel()
	if c.pooled() && !c.IsClosed() && !c.IsBusy() && c.TxStatus() == 'I' {
		// A pooler may hand the server's session to somebody else, who must not
		// find it read-only because we wanted it so.
		_, _ = c.PgConn.Exec(ctx, "DISCARD ALL").ReadAll()
	}
	_ = c.PgConn.Close(ctx) // the connection is gone either way
}

// exec runs statements without parameters and without a result. On failure
// inside an implicit transaction none of them took place.
func (c *conn) exec(ctx context.Context, doing, sql string) error {
	_, err := c.PgConn.Exec(ctx, sql).ReadAll()
	return wrap(ctx, err, doing)
}

// query runs one statement with parameters ($1 ...) and gives all rows as text;
// a NULL is nil. A parameter is a string, a []string (a text array), an
// integer, a bool, raw text as []byte, or nil.
func (c *conn) query(ctx context.Context, doing, sql string, args ...any) ([][][]byte, error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = parameter(a)
	}
	result := c.PgConn.ExecParams(ctx, sql, params, nil, nil, nil).Read()
	return result.Rows, wrap(ctx, result.Err, doing)
}

// value is query for one value; "" for NULL and for no row.
func (c *conn) value(ctx context.Context, doing, sql string, args ...any) (string, error) {
	rows, err := c.query(ctx, doing, sql, args...)
	if err != nil || len(rows) == 0 || len(rows[0]) == 0 {
		return "", err
	}
	return string(rows[0][0]), nil
}

func parameter(a any) []byte {
	switch a := a.(type) {
	case nil:
		return nil
	case []byte:
		return a
	case string:
		return []byte(a)
	case []string:
		return array(a)
	case bool:
		return strconv.AppendBool(nil, a)
	}
	return fmt.Append(nil, a)
}

// transaction runs do inside a transaction that begin starts, commits it, and
// rolls back when do fails.
func (c *conn) transaction(ctx context.Context, begin string, do func() error) error {
	if err := c.exec(ctx, "begin a transaction", begin); err != nil {
		return err
	}
	if err := do(); err != nil {
		c.rollback()
		return err
	}
	return c.exec(ctx, "commit", "COMMIT")
}

// rollback ends a transaction whose context may be over.
func (c *conn) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // undoing
	defer cancel()
	if c.exec(ctx, "roll back", "ROLLBACK") != nil {
		c.hangUp()
	}
}

// neutral is a configuration that leaves nothing for the driver to look up in the environment.
const neutral = "host=127.0.0.1 port=5432 user=nobody dbname=nothing password=none sslmode=disable connect_timeout=10 target_session_attrs=any " +
	"sslcertmode=allow sslnegotiation=postgres sslsni=1 min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer require_auth='' " +
	"sslcert='' sslkey='' sslrootcert='' sslpassword='' passfile='' options='' krbsrvname='' krbspn=''"

// config makes the driver's configuration. The driver insists on parsing a
// string, and while it does so reads the environment; the string answers all it
// would ask there, and what remains is overwritten.
func (a *address) config(s session) (*pgconn.Config, error) {
	if os.Getenv("PGSERVICE") != "" {
		return nil, errors.New("PGSERVICE is set in the environment and would change where this connects: unset it")
	}
	config, err := pgconn.ParseConfig(neutral)
	if err != nil {
		return nil, errors.New("the driver's configuration could not be made")
	}
	var secured *tls.Config // none on a socket
	if !a.socket() {
		if secured, err = a.tls.Config(a.host); err != nil {
			return nil, err
		}
	}
	config.Host, config.Port, config.User, config.Database = a.host, a.port, a.user, a.database
	if s.database != "" {
		config.Database = s.database
	}
	config.Password = a.password.Reveal()
	config.TLSConfig = secured
	config.Fallbacks = nil
	config.KerberosSrvName, config.KerberosSpn = "", ""
	config.RuntimeParams = map[string]string{"client_encoding": "UTF8", "application_name": applicationName(s.name)}
	if s.options != "" {
		config.RuntimeParams["options"] = s.options
	}
	config.ConnectTimeout = a.timeout
	config.DialFunc = (&net.Dialer{Timeout: a.timeout, KeepAlive: 30 * time.Second}).DialContext
	config.ValidateConnect = a.validator()
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {} // notices can quote rows
	config.BuildContextWatcherHandler = func(pg *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: pg, DeadlineDelay: 5 * time.Second}
	}
	return config, nil
}

// applicationName is how the server shows our sessions; it keeps 63 bytes.
func applicationName(name string) string {
	name = "understudy " + name
	return name[:min(len(name), 63)]
}

func (a *address) validator() pgconn.ValidateConnectFunc {
	switch a.session {
	case "read-write":
		return pgconn.ValidateConnectTargetSessionAttrsReadWrite
	case "read-only":
		return pgconn.ValidateConnectTargetSessionAttrsReadOnly
	case "primary":
		return pgconn.ValidateConnectTargetSessionAttrsPrimary
	case "standby":
		return pgconn.ValidateConnectTargetSessionAttrsStandby
	}
	return nil
}
