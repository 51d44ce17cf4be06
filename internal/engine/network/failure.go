package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"

	"understudy/internal/engine"
)

// Interrupted gives the error of something that ended because ctx did, or
// because its cause is an *engine.Error, as that of a session that was given up
// on purpose; nil if ctx still lives.
func Interrupted(ctx context.Context, doing string) *engine.Error {
	cause := ctx.Err()
	if cause == nil {
		return nil
	}
	var done *engine.Error
	if errors.As(context.Cause(ctx), &done) {
		why := *done
		why.Doing = doing
		return &why
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return &engine.Error{Code: engine.Timeout, Doing: doing, Say: "it took too long", Err: cause}
	}
	return &engine.Error{Code: engine.Stopped, Doing: doing, Say: "interrupted", Err: cause}
}

// Failure sorts an error that did not come from the server. Its text names
// hosts and files, which is why only its kind is told.
func (w Words) Failure(err error) (code engine.Code, say, hint string) {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &dns):
		return engine.Unreachable, "the host name is not known", "check the host in the URL"
	case errors.Is(err, syscall.ECONNREFUSED):
		return engine.Unreachable, "the connection was refused", "check host and port in the URL, and that the server runs"
	case errors.Is(err, syscall.ENOENT):
		return engine.Unreachable, "there is no such socket", "check the socket in the URL, and that the server runs"
	case errors.As(err, &authority):
		return engine.Unreachable, "the server's certificate is signed by an authority that is not trusted", "name the authority's file with " + w.CA
	case errors.As(err, &name):
		return engine.Unreachable, "the server's certificate is for another host name", "use the name in the certificate, or " + w.Mode + "=" + w.Authority + " with " + w.CA
	case errors.As(err, &invalid), errors.As(err, &verify):
		return engine.Unreachable, "the server's certificate is not valid", "renew it, or name the authority that signed it with " + w.CA
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return engine.Unreachable, "the server did not answer in time", "check host and port in the URL"
	}
	return engine.Unreachable, "the connection broke", ""
}

// NoTLS is what Failure would say of a server that does not speak TLS, which
// each driver tells in its own way.
func (w Words) NoTLS() (code engine.Code, say, hint string) {
	return engine.Unreachable, "the server does not speak TLS", "turn it on there, or say " + w.Mode + "=" + w.Off + " in the URL if the network is trusted"
}

// Broken tells whether err means that the connection is gone.
func Broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
