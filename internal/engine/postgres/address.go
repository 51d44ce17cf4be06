package postgres

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/secret"
)

// An address is a parsed URL: everything a connection needs. Nothing comes from
// the environment (PGHOST, PGSERVICE, ~/.pgpass and their kin), so that a job
// file means the same database on every machine.
type address struct {
	host     string // a name, an IP address, or the directory of a unix socket
	port     uint16
	database string
	user     string
	password secret.Text
	sslmode  string // disable, require, verify-ca, verify-full; chosen in parse when not given
	rootCert string
	cert     string
	key      string
	session  string // target_session_attrs: any, read-write, read-only, primary, standby
	timeout  time.Duration
}

// parameters are what a URL may say after the question mark.
func parameters() []string {
	return []string{"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey",
		"application_name", "connect_timeout", "target_session_attrs"}
}

// parseAddress reads a URL. Its errors quote names of parameters only, because
// a misplaced character can make any part of a URL a piece of its password.
func parseAddress(text secret.Text) (*address, error) {
	raw := text.Reveal()
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok || scheme != "postgres" && scheme != "postgresql" {
		return nil, fmt.Errorf("the URL does not begin with postgres:// or postgresql://")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Fragment != "" || strings.Contains(raw, "#") {
		return nil, fmt.Errorf("the URL cannot be read: percent-encode special characters in the user name and password (@ is %%40, / is %%2F, # is %%23, %% is %%25)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the URL's parameters after ? cannot be read: write name=value, joined by &")
	}
	if err := allowed(query); err != nil {
		return nil, err
	}
	a := &address{port: 5432, session: "any", timeout: 10 * time.Second}
	if err := a.place(u, query); err != nil {
		return nil, err
	}
	if err := a.options(query); err != nil {
		return nil, err
	}
	return a, a.transport(query)
}

func allowed(query url.Values) error {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case name == "options" || name == "search_path":
			return fmt.Errorf("the URL sets %q, which would change what statements mean: leave it out (schemas stand in the job file)", name)
		case name == "service" || name == "passfile":
			return fmt.Errorf("the URL names %q: write host, database and user in the URL itself", name)
		case !slices.Contains(parameters(), name):
			return fmt.Errorf("the URL's parameter %s is not known%s; allowed are %s", shortName(name), schema.DidYouMean(name, parameters()), strings.Join(parameters(), ", "))
		case len(query[name]) > 1:
			return fmt.Errorf("the URL's parameter %q is given twice", name)
		}
	}
	return nil
}

// shortName quotes a parameter's name unless it may be a piece of a password.
func shortName(name string) string {
	for _, r := range name {
		if r != '_' && (r < 'a' || r > 'z') {
			return "(a name that is no plain word)"
		}
	}
	if len(name) > 30 {
		return "(a long name)"
	}
	return strconv.Quote(name)
}

// place reads where the database is and who connects.
func (a *address) place(u *url.URL, query url.Values) error {
	a.host, a.user = u.Hostname(), u.User.Username()
	password, _ := u.User.Password()
	port := u.Port()
	for _, p := range []struct {
		name string
		to   *string
	}{{"host", &a.host}, {"port", &port}, {"user", &a.user}, {"password", &password}} {
		if v := query.Get(p.name); v != "" {
			if *p.to != "" {
				return fmt.Errorf("the URL gives the %s twice", p.name)
			}
			*p.to = v
		}
	}
	a.password = secret.New(password)
	a.database = strings.TrimPrefix(u.Path, "/")
	if v := query.Get("dbname"); v != "" && a.database == "" {
		a.database = v
	}
	switch {
	case a.database == "":
		return fmt.Errorf("the URL names no database: postgres://user@host:5432/DATABASE")
	case a.host == "":
		return fmt.Errorf("the URL names no host: postgres://user@HOST:5432/database, or ?host=/var/run/postgresql for a socket")
	case strings.Contains(a.host, ",") || strings.Contains(u.Host, ","):
		return fmt.Errorf("the URL names several hosts: a run needs one server, because its snapshot belongs to that server; name one")
	case a.user == "":
		return fmt.Errorf("the URL names no user: postgres://USER@host:5432/database")
	case strings.ContainsRune(a.database+a.user+a.host+password, 0):
		return fmt.Errorf("the URL holds a zero byte")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("the URL's port is not a number from 1 to 65535")
		}
		a.port = uint16(n)
	}
	return nil
}

func (a *address) options(query url.Values) error {
	if v := query.Get("connect_timeout"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 3600 {
			return fmt.Errorf("the URL's connect_timeout is not a number of seconds from 1 to 3600")
		}
		a.timeout = time.Duration(n) * time.Second
	}
	if v := query.Get("target_session_attrs"); v != "" {
		known := []string{"any", "read-write", "read-only", "primary", "standby"}
		if !slices.Contains(known, v) {
			return fmt.Errorf("the URL's target_session_attrs is not one of %s", strings.Join(known, ", "))
		}
		a.session = v
	}
	return nil
}

// transport decides about TLS: verified unless the server is this machine or
// the URL says otherwise. There is no mode that falls back to plaintext.
func (a *address) transport(query url.Values) error {
	a.rootCert, a.cert, a.key = query.Get("sslrootcert"), query.Get("sslcert"), query.Get("sslkey")
	mode := query.Get("sslmode")
	switch mode {
	case "disable", "require", "verify-ca", "verify-full":
	case "allow", "prefer":
		return fmt.Errorf("the URL's sslmode=%s may fall back to plaintext: use verify-full, verify-ca, require or disable", mode)
	case "":
		mode = "verify-full"
		if a.local() && a.rootCert == "" && a.cert == "" {
			mode = "disable"
		}
	default:
		return fmt.Errorf("the URL's sslmode is not one of disable, require, verify-ca, verify-full")
	}
	if (a.cert == "") != (a.key == "") {
		return fmt.Errorf("the URL gives one of sslcert and sslkey: a client certificate needs both")
	}
	if mode == "disable" && (a.rootCert != "" || a.cert != "") {
		return fmt.Errorf("the URL gives certificates together with sslmode=disable")
	}
	a.sslmode = mode
	return nil
}

func (a *address) socket() bool { return strings.HasPrefix(a.host, "/") }

// local tells whether the bytes stay on this machine.
func (a *address) local() bool {
	if a.socket() || a.host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(a.host)
	return err == nil && ip.IsLoopback()
}

// String gives the address without its password.
func (a *address) String() string {
	user := url.User(a.user).String()
	if a.socket() {
		return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d", user, url.PathEscape(a.database), url.QueryEscape(a.host), a.port)
	}
	return fmt.Sprintf("postgres://%s@%s/%s", user, net.JoinHostPort(a.host, strconv.Itoa(int(a.port))), url.PathEscape(a.database))
}

// Schema is the schema an unqualified name means.
func (a *address) Schema() string { return "public" }

// Insecure tells that rows would cross a network that is not verified to end at the server.
func (a *address) Insecure() bool {
	return !a.local() && (a.sslmode == "disable" || a.sslmode == "require")
}

// ours takes back an address that Parse gave out.
func ours(at engine.Address) (*address, error) {
	a, ok := at.(*address)
	if !ok {
		return nil, &engine.Error{Code: engine.Failed, Doing: "open the database", Say: "the address belongs to another engine"}
	}
	return a, nil
}
