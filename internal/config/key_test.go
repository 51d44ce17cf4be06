package config_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"understudy/internal/config"
	"understudy/internal/finding"
)

const key = "usk1_CanaryValue7CanaryValue7CanaryValue7Canary"

// script writes a program that the key command can run.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fetch")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func keyFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "understudy-key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeySources(t *testing.T) {
	tests := map[string]config.KeySource{
		"env":     {Env: "K"},
		"file":    {File: keyFile(t, key+"\n", 0o400)},
		"command": {Command: []string{script(t, "echo "+key)}},
		// An argument is one argument: no shell looks at it.
		"arguments": {Command: []string{script(t, `[ "$1" = '$(false); x' ] && echo `+key), "$(false); x"}},
	}
	for name, from := range tests {
		got, fs := config.LoadKey(t.Context(), from, func(string) string { return " " + key + "\n" })
		if len(fs) > 0 || got.Reveal() != key {
			t.Errorf("%s: %s", name, lines(fs))
		}
	}
}

func TestBadKeys(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(keyFile(t, key, 0o600), link); err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	if err := os.MkdirAll(filepath.Join(tree, ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(tree, "a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	inTree := filepath.Join(tree, "a/b/key")
	if err := os.WriteFile(inTree, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name          string
		from          config.KeySource
		message, hint string
	}{
		{"nothing named", config.KeySource{}, "no key is named", "understudy key new"},
		{"unset", config.KeySource{Env: "NOPE"}, "the environment variable NOPE is not set", "export NOPE="},
		{"blank", config.KeySource{Env: "BLANK"}, "BLANK is not set", "understudy key new"},
		{"no file", config.KeySource{File: "/nowhere/key"}, "there is no key file /nowhere/key", "understudy key new"},
		{"directory", config.KeySource{File: t.TempDir()}, "is not a regular file", "command"},
		{"link", config.KeySource{File: link}, "is a symbolic link", "the file itself"},
		{"group", config.KeySource{File: keyFile(t, key, 0o640)}, "has mode 0640", "chmod 600"},
		{"world", config.KeySource{File: keyFile(t, key, 0o604)}, "has mode 0604", "chmod 600"},
		{"work tree", config.KeySource{File: inTree}, "inside the git work tree", "move it out"},
		{"empty file", config.KeySource{File: keyFile(t, "\n", 0o600)}, "the key is empty", "understudy key new"},
		{"large file", config.KeySource{File: keyFile(t, strings.Repeat(key, 200), 0o600)}, "more than 4096 bytes", ""},
		{"no command", config.KeySource{Command: []string{"/nowhere/pass"}}, "there is no key command /nowhere/pass", "full path"},
		{"not found", config.KeySource{Command: []string{"no-such-program-here"}}, "there is no key command", ""},
		{"failing", config.KeySource{Command: []string{script(t, "echo "+key+"; echo "+key+" >&2; exit 3")}}, "ended with status 3", "by hand"},
		{"silent", config.KeySource{Command: []string{script(t, "true")}}, "the key is empty", ""},
		{"endless", config.KeySource{Command: []string{script(t, "yes "+key+" | head -c 1000000")}}, "more than 4096 bytes", ""},
	}
	getenv := func(name string) string { return map[string]string{"BLANK": " \n"}[name] }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.from.At = finding.At{File: "u.yaml", Line: 4, Col: 6}
			got, fs := config.LoadKey(t.Context(), tt.from, getenv)
			if !got.Empty() || len(fs) != 1 || fs[0].Code != 2 || fs[0].At.String() != "u.yaml:4:6" ||
				!strings.Contains(fs[0].Message, tt.message) || !strings.Contains(fs[0].Hint, tt.hint) {
				t.Errorf("want %s | %s, have\n%s", tt.message, tt.hint, lines(fs))
			}
			if strings.Contains(lines(fs), "Canary") {
				t.Errorf("a finding shows the key: %s", lines(fs))
			}
		})
	}
}

func TestKeyCommandEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, fs := config.LoadKey(ctx, config.KeySource{Command: []string{script(t, "exec sleep 60")}}, env)
	if len(fs) != 1 || !strings.Contains(fs[0].Message, "did not end") {
		t.Error(lines(fs))
	}
}
