package sqlite

import (
	"net/url"
	"strings"

	"understudy/internal/engine"
)

// address is a path.
type address struct{ path string }

// String shows the path as a URL.
func (a *address) String() string {
	path := (&url.URL{Path: a.path}).EscapedPath()
	if rest, ok := strings.CutPrefix(path, uriScheme); ok {
		path = strings.TrimSuffix(uriScheme, ":") + "%3A" + rest
	}
	return "sqlite:" + path
}

// uriScheme begins SQLite's own URIs, which are taken for no path.
const uriScheme = "file:"

// Schema is main.
func (a *address) Schema() string { return mainSchema }

// Insecure is false: nothing travels.
func (a *address) Insecure() bool { return false }

func parse(text string) (*address, error) {
	wrong := func(say, hint string) error {
		return &engine.Error{Code: engine.Syntax, Doing: "read a sqlite URL", Say: say, Hint: hint}
	}
	const form = "write sqlite:shop.db, or sqlite:///srv/shop.db"
	rest, ok := strings.CutPrefix(text, "sqlite:")
	if !ok {
		return nil, wrong("it does not begin with sqlite:", form)
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return nil, wrong("it names a host, but the engine reads files", form)
		}
		rest = after
	}
	if strings.HasPrefix(rest, uriScheme) {
		return nil, wrong("the path begins with file:, as SQLite's own URIs do", "write the path alone, as in sqlite:shop.db; a file of that name is sqlite:./file:...")
	}
	if _, _, found := strings.Cut(rest, "#"); found {
		return nil, wrong("it has a fragment (#)", "write %23 for a # in the path")
	}
	rest, query, found := strings.Cut(rest, "?")
	if found {
		name, _, _ := strings.Cut(query, "=")
		if !plainWord(name) {
			name = "a parameter"
		}
		return nil, wrong("it takes no parameters, but has "+name, "limits stand in the job file; write %3F for a ? in the path")
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		return nil, wrong("a % is not followed by two hexadecimal digits", "write %25 for a % in the path")
	}
	switch {
	case path == "":
		return nil, wrong("it has no path", form)
	case strings.ContainsRune(path, 0):
		return nil, wrong("the path has a zero byte", form)
	case path == ":memory:":
		return nil, wrong("a database in memory belongs to one program", form)
	case strings.HasSuffix(path, "/"):
		return nil, wrong("the path is a directory", form)
	}
	return &address{path: path}, nil
}

func plainWord(s string) bool {
	for _, r := range s {
		if !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') {
			return false
		}
	}
	return s != ""
}
