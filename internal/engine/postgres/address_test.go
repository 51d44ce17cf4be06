package postgres

import (
	"strings"
	"testing"

	"understudy/internal/secret"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		url, shown, mode string
		insecure         bool
	}{
		{"postgres://u:p@db.example/shop", "postgres://u@db.example:5432/shop", "verify-full", false},
		{"postgresql://u@127.0.0.1:6543/shop", "postgres://u@127.0.0.1:6543/shop", "disable", false},
		{"postgres://u@[::1]/shop", "postgres://u@[::1]:5432/shop", "disable", false},
		{"postgres://u@localhost/shop?sslmode=verify-full", "postgres://u@localhost:5432/shop", "verify-full", false},
		{"postgres://u@db.example/shop?sslmode=disable", "postgres://u@db.example:5432/shop", "disable", true},
		{"postgres://u@db.example/shop?sslmode=require", "postgres://u@db.example:5432/shop", "require", true},
		{"postgres://u@db.example/shop?sslmode=verify-ca&sslrootcert=/ca.pem", "postgres://u@db.example:5432/shop", "verify-ca", false},
		{"postgres:///shop?host=/var/run/postgresql&user=u", "postgres://u@/shop?host=%2Fvar%2Frun%2Fpostgresql&port=5432", "disable", false},
		{"postgres://u:p%40%2F%23@h/my%20shop?connect_timeout=3&application_name=x", "postgres://u@h:5432/my%20shop", "verify-full", false},
	} {
		a, err := parseAddress(secret.New(c.url))
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if a.String() != c.shown || a.tls.Mode != c.mode || a.Insecure() != c.insecure {
			t.Errorf("%s: %s %s insecure=%t", c.url, a, a.tls.Mode, a.Insecure())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const canary = "s3cretCANARY"
	for _, c := range []struct{ url, says string }{
		{"", "does not begin"}, {"mysql://u:" + canary + "@h/d", "does not begin"}, {canary, "does not begin"},
		{"postgres://u:" + canary + "@h", "no database"}, {"postgres://u:" + canary + "@h/", "no database"}, {"postgres://u:" + canary + "@/d", "no host"}, {"postgres://h/d", "no user"},
		{"postgres://u:" + canary + "%zz@h/d", "percent-encode"}, {"postgres://u:" + canary + "#@h/d", "percent-encode"}, {"postgres://u:a/" + canary + "@h/d", ""}, {"postgres://u:p@h:" + canary + "/d", "percent-encode"},
		{"postgres://u:" + canary + "@h:99999/d", "port"}, {"postgres://u@h/d?port=x" + canary, "port"}, {"postgres://u@h:1/d?port=2", "twice"}, {"postgres://u@h/d?host=x", "twice"},
		{"postgres://u:" + canary + "@a,b/d", ""}, {"postgres://u@a:1,b:2/d", ""}, {"postgres://u@/d?host=a,b", "several hosts"},
		{"postgres://u@h/d?options=-c%20x", "options"}, {"postgres://u@h/d?search_path=x", "search_path"}, {"postgres://u@h/d?sslmod=require", `did you mean "sslmode"`}, {"postgres://u@h/d?" + canary + "=1", "not known"},
		{"postgres://u@h/d?sslmode=prefer", "plaintext"}, {"postgres://u@h/d?sslmode=allow", "plaintext"}, {"postgres://u@h/d?sslmode=" + canary, "sslmode"}, {"postgres://u@h/d?sslcert=/x", "sslkey"}, {"postgres://u@h/d?sslmode=disable&sslrootcert=/x", "disable"},
		{"postgres://u@h/d?sslmode=require&sslmode=disable", "twice"}, {"postgres://u@h/d?connect_timeout=" + canary, "connect_timeout"}, {"postgres://u@h/d?target_session_attrs=prefer-standby", "target_session_attrs"}, {"postgres://u@h/d?service=x", "service"}, {"postgres://u@h/d?passfile=x", "passfile"},
		{"postgres://u@h/d?;" + canary, "parameters"}, {"postgres:u@h/d", "does not begin"},
	} {
		a, err := parseAddress(secret.New(c.url))
		if err == nil {
			t.Errorf("%s parsed as %s", c.url, a)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", c.url, err)
		}
	}
	if at, err := New().Parse(secret.New("x")); at != nil || err == nil {
		t.Errorf("Parse gave %v, %v", at, err)
	}
}

// The environment that other programs obey changes nothing here.
func TestEnvironmentIsIgnored(t *testing.T) {
	for k, v := range map[string]string{"PGHOST": "elsewhere", "PGPORT": "1", "PGUSER": "x", "PGPASSWORD": "y", "PGDATABASE": "z", "PGOPTIONS": "-c a=b", "PGSSLMODE": "disable", "PGAPPNAME": "n", "PGTZ": "Asia/Tokyo", "PGSSLROOTCERT": "/nosuch", "PGCONNECT_TIMEOUT": "x", "PGTARGETSESSIONATTRS": "standby"} {
		t.Setenv(k, v)
	}
	a, err := parseAddress(secret.New("postgres://u@db.example/shop"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.config(session{name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "db.example" || c.Port != 5432 || c.User != "u" || c.Password != "" || c.Database != "shop" || c.TLSConfig == nil || c.TLSConfig.ServerName != "db.example" || len(c.Fallbacks) != 0 || len(c.RuntimeParams) != 2 || c.ValidateConnect != nil {
		t.Errorf("the environment got in")
	}
	t.Setenv("PGSERVICE", "x")
	if _, err := a.config(session{}); err == nil {
		t.Error("PGSERVICE was taken silently")
	}
}
