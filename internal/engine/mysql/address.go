package mysql

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/engine/network"
	"understudy/internal/secret"
)

// An address is a parsed URL: everything a connection needs. Nothing comes from
// the environment or from option files, so that a job file means the same
// database on every machine.
type address struct {
	scheme   string // mysql or mariadb, as it was written; the server tells what it is
	host     string // a name or an IP address; empty with a socket
	port     uint16
	socket   string // the path of a unix socket
	database string
	user     string
	password secret.Text
	tls      network.TLS
	timeout  time.Duration
	// globalLock allows the source a short FLUSH TABLES WITH READ LOCK, so that
	// several readers see one moment where nothing else can tell that they do.
	globalLock bool
}

// parameters are what a URL may say after the question mark, in the words of
// the products' own clients.
func parameters() []string {
	return []string{"user", "password", "socket", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "connect-timeout", "global-lock"}
}

// parseAddress reads a URL. Its errors quote names of parameters only, because
// a misplaced character can make any part of a URL a piece of its password.
func parseAddress(text secret.Text) (*address, error) {
	raw := text.Reveal()
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok || scheme != "mysql" && scheme != "mariadb" {
		return nil, fmt.Errorf("the URL does not begin with mysql:// or mariadb://")
	}
	if strings.Contains(raw, "@tcp(") || strings.Contains(raw, "@unix(") {
		return nil, fmt.Errorf("the URL has a driver's form: write mysql://user@host:3306/database, or mysql://user@localhost/database?socket=/run/mysqld/mysqld.sock")
	}
	u, query, err := network.ParseURL(raw, parameters(), misplaced)
	if err != nil {
		return nil, err
	}
	a := &address{scheme: scheme, port: 3306, timeout: 10 * time.Second}
	if err := a.place(u, query); err != nil {
		return nil, err
	}
	if err := a.options(query); err != nil {
		return nil, err
	}
	a.tls, err = words().TLS(query, a.local())
	return a, err
}

// words are what a user of the products' own clients calls things.
func words() network.Words {
	return network.Words{Mode: "ssl-mode", CA: "ssl-ca", Cert: "ssl-cert", Key: "ssl-key",
		Off: "disabled", Unverified: "required", Authority: "verify_ca", Full: "verify_identity", Fallback: []string{"preferred"}}
}

// misplaced gives the reason against a parameter that drivers know.
func misplaced(parameter string) string {
	switch parameter {
	case "charset", "collation", "parseTime", "loc", "sql_mode", "time_zone", "multiStatements", "interpolateParams", "allowAllFiles", "clientFoundRows":
		return ", which would change what values or statements mean: leave it out"
	case "tls", "sslmode", "sslMode", "useSSL":
		return ": write ssl-mode=disabled, required, verify_ca or verify_identity"
	}
	return ""
}

// place reads where the database is and who connects.
func (a *address) place(u *url.URL, query url.Values) error {
	a.host, a.user, a.socket = u.Hostname(), u.User.Username(), query.Get("socket")
	password, _ := u.User.Password()
	for _, p := range []struct {
		name string
		to   *string
	}{{"user", &a.user}, {"password", &password}} {
		if v := query.Get(p.name); v != "" {
			if *p.to != "" {
				return fmt.Errorf("the URL gives the %s twice", p.name)
			}
			*p.to = v
		}
	}
	a.password = secret.New(password)
	a.database = strings.TrimPrefix(u.Path, "/")
	switch {
	case a.database == "":
		return fmt.Errorf("the URL names no database: mysql://user@host:3306/DATABASE")
	case strings.Contains(strings.TrimPrefix(u.EscapedPath(), "/"), "/"):
		return fmt.Errorf("the URL's path has more than one part: mysql://user@host:3306/DATABASE (a / in the name is %%2F)")
	case strings.Contains(u.Host, ","):
		return fmt.Errorf("the URL names several hosts: a run needs one server, because its moment belongs to that server; name one")
	case a.user == "":
		return fmt.Errorf("the URL names no user: mysql://USER@host:3306/database")
	case strings.ContainsRune(a.database+a.user+a.host+a.socket+password, 0):
		return fmt.Errorf("the URL holds a zero byte")
	case serverDatabase(a.database):
		return fmt.Errorf("the URL names a database of the server's own: name the application's")
	}
	if a.socket != "" {
		if !strings.HasPrefix(a.socket, "/") {
			return fmt.Errorf("the URL's socket is not an absolute path")
		}
		if a.host != "" && a.host != "localhost" || u.Port() != "" {
			return fmt.Errorf("the URL gives a host or port together with a socket: mysql://user@localhost/database?socket=/run/mysqld/mysqld.sock")
		}
		a.host = ""
		return nil
	}
	if a.host == "" {
		return fmt.Errorf("the URL names no host: mysql://user@HOST:3306/database, or ?socket=/run/mysqld/mysqld.sock")
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("the URL's port is not a number from 1 to 65535")
		}
		a.port = uint16(n)
	}
	return nil
}

func (a *address) options(query url.Values) error {
	if v := query.Get("connect-timeout"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 3600 {
			return fmt.Errorf("the URL's connect-timeout is not a number of seconds from 1 to 3600")
		}
		a.timeout = time.Duration(n) * time.Second
	}
	switch query.Get("global-lock") {
	case "", "no":
	case "yes":
		a.globalLock = true
	default:
		return fmt.Errorf("the URL's global-lock is neither yes nor no")
	}
	return nil
}

// local tells whether the bytes stay on this machine.
func (a *address) local() bool {
	return a.socket != "" || network.Loopback(a.host)
}

// hostPort is where a TCP connection goes.
func (a *address) hostPort() string { return net.JoinHostPort(a.host, strconv.Itoa(int(a.port))) }

// String gives the address without its password.
func (a *address) String() string {
	user := url.User(a.user).String()
	if a.socket != "" {
		return fmt.Sprintf("%s://%s@localhost/%s?socket=%s", a.scheme, user, url.PathEscape(a.database), url.QueryEscape(a.socket))
	}
	return fmt.Sprintf("%s://%s@%s/%s", a.scheme, user, a.hostPort(), url.PathEscape(a.database))
}

// Schema is the database that an unqualified name means.
func (a *address) Schema() string { return a.database }

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
