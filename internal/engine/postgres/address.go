package postgres

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/engine/network"
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
	tls      network.TLS
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
	u, query, err := network.ParseURL(raw, parameters(), misplaced)
	if err != nil {
		return nil, err
	}
	a := &address{port: 5432, session: "any", timeout: 10 * time.Second}
	if err := a.place(u, query); err != nil {
		return nil, err
	}
	if err := a.options(query); err != nil {
		return nil, err
	}
	a.tls, err = words().TLS(query, a.local())
	return a, err
}

// words are what a user of PostgreSQL calls things.
func words() network.Words {
	return network.Words{Mode: "sslmode", CA: "sslrootcert", Cert: "sslcert", Key: "sslkey", SystemCA: "system",
		Off: "disable", Unverified: "require", Authority: "verify-ca", Full: "verify-full", Fallback: []string{"allow", "prefer"}}
}

// misplaced gives the reason against a parameter that other clients know.
func misplaced(parameter string) string {
	switch parameter {
	case "options", "search_path":
		return ", which would change what statements mean: leave it out (schemas stand in the job file)"
	case "service", "passfile":
		return ": write host, database and user in the URL itself"
	}
	return ""
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

func (a *address) socket() bool { return strings.HasPrefix(a.host, "/") }

// local tells whether the bytes stay on this machine.
func (a *address) local() bool {
	return a.socket() || network.Loopback(a.host)
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
	return !a.local() && !a.tls.Verified()
}

// ours takes back an address that Parse gave out.
func ours(at engine.Address) (*address, error) {
	a, ok := at.(*address)
	if !ok {
		return nil, &engine.Error{Code: engine.Failed, Doing: "open the database", Say: "the address belongs to another engine"}
	}
	return a, nil
}
