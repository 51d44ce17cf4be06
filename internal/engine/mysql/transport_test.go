package mysql

import (
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// TLS is verified, never silently weakened, on either product.
func TestTransport(t *testing.T) {
	for name, maria := range map[string]bool{"MariaDB": true, "MySQL": false} {
		t.Run(name, func(t *testing.T) {
			server := scratchtest.OwnMySQL(t, maria, nil)
			roots, key, cert := scratchtest.Certificates(t, "db.example")
			strangers, _, _ := scratchtest.Certificates(t, "db.example")
			dir := t.TempDir()
			home := filepath.Dir(server.DataDir())
			for path, content := range map[string][]byte{filepath.Join(dir, "ca.pem"): roots, filepath.Join(dir, "other.pem"): strangers,
				filepath.Join(home, "ca.pem"): roots, filepath.Join(home, "key.pem"): key, filepath.Join(home, "cert.pem"): cert} {
				scratchtest.WriteLike(t, path, content, server.DataDir())
			}
			plain := map[bool]string{true: "ssl", false: "tls_version"}[maria] // what takes TLS away
			if err := server.Restart(t.Context(), map[string]string{plain: map[bool]string{true: "0", false: ""}[maria]}); err != nil {
				t.Fatal(err)
			}
			try := func(mode, ca, host string) error {
				at, err := parseAddress(secret.New(server.URL("mysql2")))
				if err != nil {
					t.Fatal(err)
				}
				at.tls.Mode, at.host = mode, host
				if ca != "" {
					at.tls.CA = filepath.Join(dir, ca)
				}
				c, err := connect(t.Context(), at, session{name: "test", nowhere: true})
				if err != nil {
					return err
				}
				defer c.hangUp()
				cipher, err := c.row(t.Context(), "ask", "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
				if err != nil {
					t.Fatal(err)
				}
				if (cipher[1] != "") != (mode != "disabled") {
					t.Errorf("%s: the cipher is %q", mode, cipher[1])
				}
				return nil
			}
			if err := try("required", "", "127.0.0.1"); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
				t.Errorf("a server without TLS: %v", err)
			}
			on := map[string]string{"ssl_ca": filepath.Join(home, "ca.pem"), "ssl_key": filepath.Join(home, "key.pem"), "ssl_cert": filepath.Join(home, "cert.pem")}
			on[plain] = map[bool]string{true: "1", false: "TLSv1.2,TLSv1.3"}[maria]
			if err := server.Restart(t.Context(), on); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct{ mode, ca, host, want string }{
				{"verify_identity", "ca.pem", "localhost", "another host name"},
				{"verify_identity", "ca.pem", "127.0.0.1", ""},
				{"verify_ca", "ca.pem", "localhost", ""},
				{"verify_identity", "other.pem", "127.0.0.1", "not trusted"},
				{"verify_ca", "other.pem", "127.0.0.1", "not trusted"},
				{"verify_identity", "", "127.0.0.1", "not "},
				{"required", "", "127.0.0.1", ""},
				{"disabled", "", "127.0.0.1", ""},
			} {
				err := try(c.mode, c.ca, c.host)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("%s with %q: %v", c.mode, c.ca, err)
				}
			}
		})
	}
}
