package mysql

import (
	"strings"
	"testing"

	"understudy/internal/secret"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		url, shown, schema string
		insecure           bool
	}{
		{"mysql://app:s3cr%40t@db.example.com/shop", "mysql://app@db.example.com:3306/shop", "shop", false},
		{"mariadb://app@127.0.0.1:3307/shop", "mariadb://app@127.0.0.1:3307/shop", "shop", false},
		{"mysql://app:x@[::1]:3307/shop%20two", "mysql://app@[::1]:3307/shop%20two", "shop two", false},
		{"mysql://app:x@db/odd%2Fname", "mysql://app@db:3306/odd%2Fname", "odd/name", false},
		{"mysql://app:x@localhost/shop?socket=/run/mysqld/mysqld.sock", "mysql://app@localhost/shop?socket=%2Frun%2Fmysqld%2Fmysqld.sock", "shop", false},
		{"mysql:///shop?socket=/run/my.sock&user=app&password=x", "mysql://app@localhost/shop?socket=%2Frun%2Fmy.sock", "shop", false},
		{"mysql://app:x@db/shop?ssl-mode=required", "mysql://app@db:3306/shop", "shop", true},
		{"mysql://app:x@db/shop?ssl-mode=DISABLED", "mysql://app@db:3306/shop", "shop", true},
		{"mysql://app:x@db/shop?ssl-mode=VERIFY_CA&ssl-ca=/etc/ca.pem&connect-timeout=3&global-lock=yes", "mysql://app@db:3306/shop", "shop", false},
	} {
		at, err := New().Parse(secret.New(c.url))
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if at.String() != c.shown || at.Schema() != c.schema || at.Insecure() != c.insecure {
			t.Errorf("%s: %s, schema %s, insecure %v", c.url, at, at.Schema(), at.Insecure())
		}
	}
}

func TestBadAddresses(t *testing.T) {
	const password = "hunter2"
	for url, want := range map[string]string{
		"":                                                         "does not begin",
		"postgres://a:hunter2@h/db":                                "does not begin",
		"mysql:a:hunter2@h/db":                                     "does not begin",
		"mysql://a:hunter2@h":                                      "no database",
		"mysql://a:hunter2@h/":                                     "no database",
		"mysql://a:hunter2@/db":                                    "no host",
		"mysql://:hunter2@h/db":                                    "no user",
		"mysql://h/db":                                             "no user",
		"mysql://a:hunter2@h/db/more":                              "more than one part",
		"mysql://a:hunter2@h1,h2/db":                               "several hosts",
		"mysql://a:hunter2@h:0/db":                                 "port",
		"mysql://a:hunter2@h:99999/db":                             "port",
		"mysql://a:hun#ter2@h/db":                                  "percent-encode",
		"mysql://a:hun%zzter2@h/db":                                "percent-encode",
		"mysql://a:hunter2@h/db#part":                              "percent-encode",
		"a:hunter2@tcp(h:3306)/db":                                 "does not begin",
		"mysql://a:hunter2@tcp(h:3306)/db":                         "driver's form",
		"mysql://a:hunter2@unix(/run/s)/db":                        "driver's form",
		"mysql://a:hunter2@h/db?parseTime=true":                    "leave it out",
		"mysql://a:hunter2@h/db?charset=latin1":                    "leave it out",
		"mysql://a:hunter2@h/db?multiStatements=true":              "leave it out",
		"mysql://a:hunter2@h/db?allowAllFiles=true":                "leave it out",
		"mysql://a:hunter2@h/db?tls=skip-verify":                   "ssl-mode",
		"mysql://a:hunter2@h/db?useSSL=false":                      "ssl-mode",
		"mysql://a:hunter2@h/db?ssl-mode=preferred":                "plaintext",
		"mysql://a:hunter2@h/db?ssl-mode=hunter2":                  "not one of",
		"mysql://a:hunter2@h/db?ssl_mode=required":                 `did you mean "ssl-mode"`,
		"mysql://a:hunter2@h/db?ssl-cert=/c":                       "needs both",
		"mysql://a:hunter2@h/db?ssl-mode=disabled&ssl-ca=/c":       "together with",
		"mysql://a:hunter2@h/db?socket=/s":                         "together with a socket",
		"mysql://a:hunter2@localhost/db?socket=s":                  "absolute",
		"mysql://a:hunter2@localhost:3306/db?socket=/s":            "together with a socket",
		"mysql://a:hunter2@h/db?user=b":                            "twice",
		"mysql://a:hunter2@h/db?password=hunter2":                  "twice",
		"mysql://a:hunter2@h/db?socket=/a&socket=/b":               "twice",
		"mysql://a:hunter2@h/db?connect-timeout=soon":              "connect-timeout",
		"mysql://a:hunter2@h/db?global-lock=perhaps":               "global-lock",
		"mysql://a:hunter2@h/db?HUNTER2=1":                         "not known",
		"mysql://a:hunter2@h/mysql":                                "of the server's own",
		"mysql://a:hunter2@h/db%00":                                "zero byte",
		"mysql://a:hunter2@h/performance_schema?ssl-mode=disabled": "of the server's own",
	} {
		_, err := New().Parse(secret.New(url))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(strings.ToLower(err.Error()), password) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}
