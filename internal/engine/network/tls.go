// Package network is what the engines of servers share about the way to a
// server: reading its URL, securing the connection, telling what failed on it.
// Each engine brings the words its product's users know.
package network

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Words are the names that a product's URLs have for the same things.
type Words struct {
	// Mode, CA, Cert and Key are parameters: how much TLS is asked for, the file
	// of the trusted authorities, the client's certificate and its key.
	Mode, CA, Cert, Key string
	// Off to Full are the values of Mode: plaintext; encrypted, to whomever; to a
	// server that an authority signed; to a server that it signed for this host.
	Off, Unverified, Authority, Full string
	// Fallback are values of Mode that may end in plaintext: refused.
	Fallback []string
	// SystemCA, if not empty, is a value of CA that means the machine's authorities.
	SystemCA string
}

// TLS is how a connection is secured.
type TLS struct {
	Words         Words
	Mode          string // one of the four values of Words
	CA, Cert, Key string // paths; empty for none
}

// TLS decides from a URL's parameters: verified unless the server is this
// machine (local) or the URL says otherwise. No mode falls back to plaintext.
func (w Words) TLS(query url.Values, local bool) (TLS, error) {
	t := TLS{Words: w, CA: query.Get(w.CA), Cert: query.Get(w.Cert), Key: query.Get(w.Key), Mode: strings.ToLower(query.Get(w.Mode))}
	switch {
	case slices.Contains([]string{w.Off, w.Unverified, w.Authority, w.Full}, t.Mode):
	case slices.Contains(w.Fallback, t.Mode):
		return t, fmt.Errorf("the URL's %s=%s may fall back to plaintext: use %s, %s, %s or %s", w.Mode, t.Mode, w.Full, w.Authority, w.Unverified, w.Off)
	case t.Mode != "":
		return t, fmt.Errorf("the URL's %s is not one of %s, %s, %s, %s", w.Mode, w.Off, w.Unverified, w.Authority, w.Full)
	case local && t.CA == "" && t.Cert == "":
		t.Mode = w.Off
	default:
		t.Mode = w.Full
	}
	if (t.Cert == "") != (t.Key == "") {
		return t, fmt.Errorf("the URL gives one of %s and %s: a client certificate needs both", w.Cert, w.Key)
	}
	if t.Mode == w.Off && (t.CA != "" || t.Cert != "") {
		return t, fmt.Errorf("the URL gives certificates together with %s=%s", w.Mode, w.Off)
	}
	return t, nil
}

// Verified tells whether the connection is known to end at the server.
func (t TLS) Verified() bool { return t.Mode == t.Words.Authority || t.Mode == t.Words.Full }

// Config makes the transport's configuration for a host; nil means plaintext.
func (t TLS) Config(host string) (*tls.Config, error) {
	w := t.Words
	if t.Mode == w.Off {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.CA != "" && (w.SystemCA == "" || t.CA != w.SystemCA) {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("the file of %s cannot be read", w.CA)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the file of %s holds no certificate", w.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("the files of %s and %s cannot be read as a certificate and its key", w.Cert, w.Key)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	switch t.Mode {
	case w.Unverified:
		config.InsecureSkipVerify = true // as the URL says; an address tells the user so
	case w.Authority:
		config.InsecureSkipVerify = true // the chain is verified below, the name is not
		config.VerifyConnection = chainVerifier(config.RootCAs)
	}
	return config, nil
}

// chainVerifier verifies who signed the server's certificate, not its name.
func chainVerifier(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server shows no certificate")
		}
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}

// Loopback tells whether a host is this machine.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
