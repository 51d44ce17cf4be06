package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"time"

	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/engines"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/rules"
)

// lockName is the lock file's name, beside the job file.
const lockName = "schema.lock.json"

// needs says what of a job a command uses.
type needs struct {
	source, target, rules, key bool
}

// input reads everything a run is made of before any connection is opened, and
// complains about all of it at once.
func (a *app) input(ctx context.Context, n needs) (pipeline.Input, error) {
	in := pipeline.Input{Now: a.Now().UTC(), RunID: runID(a.Now()), Observer: a.observer()}
	job, found := config.Read(a.jobFile, a.Getenv)
	in.Job, a.job = job, job
	in.Anew = a.anew || job.Limits.Retries == 0
	found = slices.DeleteFunc(found, func(f finding.Finding) bool {
		return !n.source && f.At == job.SourceAt && f.At.Line > 0 || !n.target && f.At == job.TargetAt && f.At.Line > 0
	})
	if n.rules {
		files, fs := readRules(job)
		in.Rules = files
		found = append(found, fs...)
	}
	if n.key && job.Key.At.Line > 0 { // else the job file's mistakes tell of it already
		text, fs := config.LoadKey(ctx, job.Key, a.Getenv)
		found = append(found, fs...)
		if len(finding.Errors(fs)) == 0 {
			key, err := mask.ParseKey(text)
			if err != nil {
				found = append(found, finding.Finding{Check: "key", Severity: finding.Error, At: job.Key.At, Code: int(fault.Usage), Message: err.Error(), Hint: "make one with `understudy key new`"})
			}
			in.Key = key
		}
	}
	if n.source && n.target && job.Load.After.Value != "" {
		file, text, fs := config.ReadAfter(job)
		in.After = &pipeline.After{File: file, Text: text, At: job.Load.After.At}
		found = append(found, fs...)
	}
	if n.source && n.target {
		found = append(found, a.standard(&in)...)
	}
	found = append(found, a.addresses(&in, n)...)
	switch lock, err := os.ReadFile(filepath.Join(job.Dir, lockName)); {
	case err == nil:
		in.Lock = lock
	case !os.IsNotExist(err): // what it guards must not go unguarded
		found = append(found, finding.Finding{Check: "lock-file", Severity: finding.Error, At: finding.At{File: filepath.Join(job.Dir, lockName)}, Code: int(fault.Usage),
			Message: "cannot be read", Hint: "check its permissions, or write it anew with `understudy init --lock-only`"})
	}
	if err := fault.From(found, fault.Usage); err != nil {
		if n.rules {
			err = a.foretold(in, found)
		}
		return in, err
	}
	a.notes = append(a.notes, found...)
	if n.source && n.target {
		in.Past = a.recall(in)
	}
	return in, nil
}

// standard reads what the job demands of parity, and what the last comparison left.
func (a *app) standard(in *pipeline.Input) []finding.Finding {
	p := in.Job.Parity
	in.Standard = parity.Standard{Minimum: p.Minimum, MinimumAt: p.MinimumAt, WaiversAt: p.Waivers.At}
	for _, t := range p.Critical {
		in.Standard.Critical = append(in.Standard.Critical, parity.Critical{Table: t.Value, At: t.At})
	}
	file, text, found := config.ReadWaivers(in.Job)
	if file != "" && len(found) == 0 {
		in.Standard.Waivers, found = parity.ReadWaivers(file, []byte(text), in.Now)
	}
	return found
}

// addresses parses the URLs the command needs; both must be served by one engine.
func (a *app) addresses(in *pipeline.Input, n needs) []finding.Finding {
	var found []finding.Finding
	parse := func(which string) (entry engines.Entry, at engine.Address) {
		url, place := in.Job.Source, in.Job.SourceAt
		if which == "target" {
			url, place = in.Job.Target, in.Job.TargetAt
		}
		if url.Empty() {
			return // config complained already
		}
		entry, eng, at, err := engines.Open(url, which)
		for _, f := range fault.FindingsOf(err) {
			f.At = place
			found = append(found, f)
		}
		if err == nil {
			in.Engine = eng
		}
		return entry, at
	}
	var from, to engines.Entry
	if n.source {
		from, in.SourceAt = parse("source")
	}
	if n.target {
		to, in.TargetAt = parse("target")
	}
	if n.source && n.target && in.SourceAt != nil && in.TargetAt != nil && from.Name != to.Name {
		found = append(found, finding.Finding{Check: "engines", Severity: finding.Error, At: in.Job.TargetAt, Code: int(fault.Usage),
			Message: "the source is " + from.Name + " and the target is " + to.Name + ": both must be one product", Hint: "a stand-in must behave as production does"})
	}
	if in.SourceAt != nil && in.TargetAt != nil && len(in.Job.Schemas) == 0 && in.SourceAt.Schema() != in.TargetAt.Schema() {
		// Where a URL means one schema of its server, the two URLs say which goes where.
		in.Job.Schemas = []config.Schema{{Source: in.SourceAt.Schema(), Target: in.TargetAt.Schema(), At: in.Job.TargetAt}}
	}
	return found
}

// readRules reads every rule file of the job.
func readRules(job *config.Job) ([]*rules.File, []finding.Finding) {
	paths, found := config.ExpandRules(job)
	var files []*rules.File
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			found = append(found, finding.Finding{Check: "rules-file", Severity: finding.Error, At: finding.At{File: p}, Code: int(fault.Usage), Message: "cannot be read", Hint: "check the path and its permissions"})
			continue
		}
		file, fs := rules.Parse(p, data)
		found = append(found, fs...)
		if file != nil {
			files = append(files, file)
		}
	}
	return files, found
}

// runID names a run: its time, and four random hex digits so that two runs in
// one second differ. It is part of database and file names: lower-case letters and digits only.
func runID(now time.Time) string {
	var b [2]byte
	rand.Read(b[:])
	return now.UTC().Format("20060102150405") + hex.EncodeToString(b[:])
}
