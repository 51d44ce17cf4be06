package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"understudy/internal/config"
	"understudy/internal/document"
	"understudy/internal/report"
)

// propose prints a rules file that would decide what nothing decides, and says
// where it goes so that the job reads it.
func (a *app) propose(text string) {
	name, listed := newRules(a.job)
	path := report.Clean(beside(a.job, name))
	then := ""
	if hasLock(a.job) {
		then = "Then write " + lockName + " anew, that `rules check` knows of them too:\n\nunderstudy init --lock-only\n\n"
	}
	if listed {
		a.say("To decide them, review these lines and save them as a new file, which the\njob's `rules` take in:\n\n%s\n\n%s%s\n", path, then, report.Clean(text))
		return
	}
	var list []string
	for _, r := range a.job.Rules {
		list = append(list, document.Quoted(r.Value))
	}
	list = append(list, document.Quoted(filepath.ToSlash(name)))
	a.say("To decide them, review these lines and save them as a new file:\n\n%s\n\nand name it in %s:\n\nrules: [%s]\n\n%s%s\n", path, report.Clean(a.job.Path), strings.Join(list, ", "), then, report.Clean(text))
}

// newRules names a rules file that does not exist yet, as the job would name it,
// and tells whether a pattern of the job's takes it in.
func newRules(job *config.Job) (name string, listed bool) {
	dir := "rules"
	for i, r := range job.Rules {
		pattern := r.Value
		if i == 0 && !strings.ContainsAny(filepath.Dir(pattern), `*?[\`) {
			dir = filepath.Dir(pattern)
		}
		if !strings.ContainsAny(pattern, "*?[") {
			continue
		}
		folder := filepath.Dir(pattern)
		if strings.ContainsAny(folder, `*?[\`) {
			if folder = existing(job, pattern); folder == "" {
				continue
			}
		}
		for n := range 100 {
			base := strings.Replace(filepath.Base(pattern), "*", numbered(n), 1)
			base = strings.ReplaceAll(base, "*", "")
			name := filepath.Join(folder, base)
			if ok, err := filepath.Match(pattern, name); err == nil && ok && free(job, name) {
				return name, true
			}
		}
	}
	for n := 0; ; n++ {
		if name = filepath.Join(dir, numbered(n)+".yaml"); free(job, name) || n == 100 {
			return name, false
		}
	}
}

// numbered is the name of the nth file of decisions, without its ending.
func numbered(n int) string {
	if n == 0 {
		return "decided"
	}
	return fmt.Sprintf("decided-%d", n+1)
}

// existing is the folder of the first file that a pattern matches, written as
// the pattern is: relative to the job file or absolute.
func existing(job *config.Job, pattern string) string {
	files, err := filepath.Glob(beside(job, pattern))
	if err != nil || len(files) == 0 {
		return ""
	}
	folder := filepath.Dir(files[0])
	if filepath.IsAbs(pattern) {
		return folder
	}
	relative, err := filepath.Rel(job.Dir, folder)
	if err != nil {
		return ""
	}
	return relative
}

// beside is a name of the job's, which is relative to the job file.
func beside(job *config.Job, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(job.Dir, name)
}

// free tells whether no file has the name yet.
func free(job *config.Job, name string) bool {
	_, err := os.Lstat(beside(job, name))
	return os.IsNotExist(err)
}
