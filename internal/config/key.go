package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/secret"
)

const (
	checkKey   = "key"
	keyTimeout = 10 * time.Second
	keyBytes   = 4096 // no key is as long
	hintNew    = "`understudy key new` makes a key"
)

// LoadKey fetches the text of the masking key from where the job says: an
// environment variable, a file that nobody else can read, or the output of a
// command that is run without a shell for at most ten seconds. What the text is
// worth, mask.ParseKey says. Findings have exit code 2 and never
// show the text, nor what the command wrote.
func LoadKey(ctx context.Context, from KeySource, getenv func(string) string) (secret.Text, []finding.Finding) {
	var text []byte
	var f *finding.Finding
	switch {
	case from.Env != "":
		text = []byte(getenv(from.Env))
		if len(bytes.TrimSpace(text)) == 0 {
			f = refusal("export "+from.Env+"=...; "+hintNew, "the environment variable %s is not set", from.Env)
		}
	case from.File != "":
		text, f = keyFile(from.File)
	case len(from.Command) > 0:
		text, f = keyCommand(ctx, from.Command)
	default:
		f = refusal("write `key: {env: UNDERSTUDY_KEY}` into the job; "+hintNew, "no key is named")
	}
	if f == nil {
		switch text = bytes.TrimSpace(text); {
		case len(text) == 0:
			f = refusal(hintNew, "the key is empty")
		case len(text) > keyBytes:
			f = refusal(hintNew, "what was given as the key has more than %d bytes", keyBytes)
		}
	}
	if f != nil {
		f.At = from.At
		return secret.Text{}, []finding.Finding{*f}
	}
	return secret.New(string(text)), nil
}

func refusal(hint, format string, args ...any) *finding.Finding {
	return &finding.Finding{Check: checkKey, Severity: finding.Error, Code: int(fault.Usage), Message: fmt.Sprintf(format, args...), Hint: hint}
}

// keyFile reads a key file and refuses one that others may have read.
func keyFile(path string) ([]byte, *finding.Finding) {
	before, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, refusal("make one with `umask 077; understudy key new > "+path+"`", "there is no key file %s", path)
	case err != nil:
		return nil, refusal("check its permissions", "the key file %s cannot be read: %s", path, reason(err))
	case before.Mode()&fs.ModeSymlink != 0:
		return nil, refusal("name the file itself", "the key file %s is a symbolic link", path)
	case !before.Mode().IsRegular():
		return nil, refusal("name a file, or use {command: [...]}", "the key file %s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, refusal("check its permissions", "the key file %s cannot be read: %s", path, reason(err))
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil || !os.SameFile(before, info):
		return nil, refusal("try again", "the key file %s changed while it was opened", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, refusal("chmod 600 "+path, "the key file %s has mode %04o: others than its owner may use it", path, info.Mode().Perm())
	case !owned(info):
		return nil, refusal("chown it to the user that runs understudy", "the key file %s belongs to another user", path)
	}
	if tree := workTree(path); tree != "" {
		return nil, refusal("move it out of the repository; if it was ever committed, make another with `understudy key new`",
			"the key file %s lies inside the git work tree %s", path, tree)
	}
	text, err := io.ReadAll(io.LimitReader(file, keyBytes+64))
	if err != nil {
		return nil, refusal("check the file", "the key file %s cannot be read: %s", path, reason(err))
	}
	return text, nil
}

// workTree gives the git work tree that a file lies in, links in its path followed; "" if none.
func workTree(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// keyCommand runs a command and takes what it writes to its standard output.
// What it writes elsewhere is thrown away: it may be the key as well.
func keyCommand(ctx context.Context, argv []string) ([]byte, *finding.Finding) {
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	var out limited
	cmd.Stdout = &out
	err := cmd.Run()
	name := argv[0]
	hint := "run it by hand: " + name + " must write the key, and nothing else, to standard output"
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out.text, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, refusal(hint, "the key command %s did not end within %s", name, keyTimeout)
	case ctx.Err() != nil:
		return nil, refusal("", "the key command %s was interrupted", name)
	case errors.As(err, &exit):
		return nil, refusal(hint, "the key command %s ended with status %d", name, exit.ExitCode())
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, refusal("install it, or write its full path", "there is no key command %s", name)
	}
	return nil, refusal(hint, "the key command %s cannot be run: %s", name, strings.TrimPrefix(reason(err), "exec: "))
}

// limited keeps the beginning of what is written to it.
type limited struct{ text []byte }

func (l *limited) Write(p []byte) (int, error) {
	if room := keyBytes + 64 - len(l.text); room > 0 {
		l.text = append(l.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}
