package config

import (
	"path/filepath"
	"regexp"
	"strings"

	"understudy/internal/document"
	"understudy/internal/finding"
	"understudy/internal/secret"
)

var (
	// wholeVariable is a value that is nothing but one variable.
	wholeVariable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)
	// literalPassword is a password written out in a URL, by either way of writing it.
	literalPassword = regexp.MustCompile(`(?i)^[a-z0-9+]+://[^/@\s]*:[^/\s]+@|[?&\s](password|sslpassword|_auth_pass)=[^&\s]|^password\s*=`)
)

func hasVariable(s string) bool { return strings.Contains(s, "${") }

// expand reads text that may be ${NAME} as a whole. Name is the variable's, if it is one.
func (p *parser) expand(v document.Value) (value, name string, ok bool) {
	s, ok := v.Text()
	if !ok {
		return "", "", false
	}
	m := wholeVariable.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		if hasVariable(s) {
			v.Fail("put the whole value into one variable", "${NAME} is expanded only as the whole of source, target or key")
			return "", "", false
		}
		return s, "", true
	}
	value = p.getenv(m[1])
	if value == "" {
		v.Fail("export "+m[1]+"=...", "the environment variable %s is not set", m[1])
		return "", m[1], false
	}
	return value, m[1], true
}

// url reads a database's URL. It may hold a password and is never shown.
func (p *parser) url(v document.Value) (secret.Text, finding.At) {
	if v.Missing() {
		return secret.Text{}, finding.At{}
	}
	value, name, ok := p.expand(v)
	if !ok {
		return secret.Text{}, v.At()
	}
	if name == "" && literalPassword.MatchString(value) {
		p.r.Warn(v.At(), checkJob, "put the URL into an environment variable and write `"+v.What()+": ${NAME}`; then change the password",
			"%s has a password written out in the file", v.What())
	}
	return secret.New(value), v.At()
}

// key reads where the masking key comes from.
func (p *parser) key(v document.Value) KeySource {
	k := KeySource{At: v.At()}
	const hint = "write {env: UNDERSTUDY_KEY}, {file: /run/secrets/understudy-key} or {command: [pass, show, understudy]}"
	switch {
	case v.Missing():
		return k
	case v.IsText():
		s, _ := v.Text()
		if m := wholeVariable.FindStringSubmatch(strings.TrimSpace(s)); m != nil {
			k.Env = m[1]
			return k
		}
		v.Fail(hint+"; if a key stood here, it is spent: make another with `understudy key new`", "key says where the key is, never the key itself")
		return k
	}
	m, ok := v.Known("env", "file", "command")
	if !ok {
		return k
	}
	if len(m.Entries) != 1 {
		v.Fail(hint, "key names exactly one of env, file, command")
		return k
	}
	if v := m.Get("env"); !v.Missing() {
		if s, ok := p.text(v); ok {
			if !wholeVariable.MatchString("${" + s + "}") {
				v.Fail("write {env: UNDERSTUDY_KEY}; if a key stood here, it is spent: make another with `understudy key new`",
					"env is the name of a variable: letters, digits and underscores")
				return k
			}
			k.Env = s
		}
	}
	if v := m.Get("file"); !v.Missing() {
		k.File, _, _ = p.expand(v)
		if k.File != "" && !filepath.IsAbs(k.File) {
			k.File = filepath.Join(p.dir, k.File)
		}
	}
	if v := m.Get("command"); !v.Missing() {
		items, ok := v.List()
		if ok && len(items) == 0 {
			v.Fail(hint, "command is an empty list")
		}
		for _, item := range items {
			if s, ok := p.text(item); ok {
				k.Command = append(k.Command, s)
			}
		}
	}
	return k
}
