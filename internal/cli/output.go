package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// envelope is what every JSON document begins with.
type envelope struct {
	Version  int               `json:"version"`
	Command  string            `json:"command"`
	Exit     int               `json:"exit"`
	Outcome  string            `json:"outcome"`
	Findings []finding.Finding `json:"findings"`
}

// writeJSON prints the envelope and, in the same object, the command's payload.
func (a *app) writeJSON(code fault.Code, fs []finding.Finding) {
	if fs == nil {
		fs = []finding.Finding{}
	}
	doc, err := enveloped(a.command, code, fs, a.payload)
	if err != nil {
		doc, _ = enveloped(a.command, fault.Bug, []finding.Finding{{Check: "json", Severity: finding.Error, Message: "the outcome could not be written as JSON"}}, nil)
	}
	a.Stdout.Write(doc)
}

func enveloped(command string, code fault.Code, fs []finding.Finding, payload any) ([]byte, error) {
	head, err := json.Marshal(envelope{1, command, int(code), code.Outcome(), fs})
	if err != nil {
		return nil, err
	}
	if payload != nil {
		body, err := json.Marshal(payload)
		if err != nil {
			return nil, err
		}
		if len(body) > 2 && body[0] == '{' {
			head = append(append(head[:len(head)-1], ','), body[1:]...)
		}
	}
	var out bytes.Buffer
	if err := json.Indent(&out, head, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// say prints the answer for people; with --json stdout belongs to the document.
func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.Stdout, format, args...)
	}
}

func suggestion(word string, known []string) string { return schema.DidYouMean(word, known) }

// writeFile writes a file that did not exist, or replaces one when told to, by
// way of a temporary name, so that no half file is ever seen.
func writeFile(path string, data []byte, replace bool) error {
	if _, err := os.Lstat(path); err == nil && !replace {
		return fault.New(fault.Usage, "file-exists", "remove it, or use --force", "%s exists already", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fault.New(fault.Usage, "file", "", "%s cannot be written: its directory cannot be made", path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fault.New(fault.Usage, "file", "choose a directory you may write to", "%s cannot be written", path)
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fault.New(fault.Usage, "file", "is there space on the disk?", "%s cannot be written", path)
	}
	return nil
}

// complain prints on stderr, for people.
func (a *app) complain(format string, args ...any) { fmt.Fprintf(a.Stderr, format, args...) }
