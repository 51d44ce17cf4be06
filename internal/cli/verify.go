package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"understudy/internal/check"
	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/report"
)

func (a *app) verifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "verify", Short: "Prove a loaded target afresh", Args: none,
		Long:    "Have the database prove every foreign key, unique, NOT NULL and CHECK constraint and every\nsequence of the target afresh, and report what changed since its refresh: constraints that are\ngone, rows, NULLs and, with the refresh's key, masked values.",
		Example: "  understudy verify",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.verify(cmd) },
	}
	return describe(c, fault.Usage, fault.Refused, fault.Integrity, fault.Unavailable, fault.Unmeasured)
}

func (a *app) verify(cmd *cobra.Command) error {
	a.command = "verify"
	ctx := cmd.Context()
	in, err := a.input(ctx, needs{target: true})
	if err != nil {
		return err
	}
	target, err := pipeline.OpenTarget(ctx, in.Engine, in.TargetAt, in.Job)
	if err != nil {
		return err
	}
	defer target.Close()
	// The key is wanted but not needed: without it the digests are not measured.
	var key *mask.Key
	var rows engine.Source
	if text, found := config.LoadKey(ctx, in.Job.Key, a.Getenv); fault.From(found, fault.Usage) == nil {
		k, err := mask.ParseKey(text)
		if err != nil {
			return fault.New(fault.Usage, "key", "make one with `understudy key new`", "%s", err)
		}
		key = &k
		if rows, err = pipeline.OpenSource(ctx, in.Engine, in.TargetAt, in.Job, "target"); err != nil {
			return err
		}
		defer rows.Close()
	}
	verdicts, manifest, err := pipeline.Verify(ctx, target, rows, key, in.Job.TargetSchemas())
	if err != nil {
		return err
	}
	a.payload = map[string]any{"generation": manifest.Generation, "key_fingerprint": manifest.KeyFingerprint, "verification": verdicts}
	a.say("Generation %s, loaded %s\n", manifest.Generation, manifest.Finished.Format("2006-01-02 15:04:05 MST"))
	if !a.json {
		report.Verdicts(a.Stdout, verdicts)
	}
	found := check.Again(verdicts)
	if err := fault.From(found, fault.Integrity); err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Code == int(fault.Unmeasured) }) {
		return &fault.Error{Code: fault.Unmeasured, Findings: found}
	}
	if a.json { // else they stand in the table
		a.notes = append(a.notes, found...)
	}
	return nil
}

func (a *app) parityCommand() *cobra.Command {
	var prove, claim bool
	c := &cobra.Command{
		Use: "parity", Short: "Compare the schemas of source and target", Args: none,
		Long:    "Compare the structure of production and staging: tables, columns, keys, indexes and checks\ntable by table, and every other object by its definition: what differs, what that does,\nsince when, and the SQL that would close it. The report lists what was compared and what\ncould not be seen. The job's gates (parity: minimum, critical, waivers) decide the exit\ncode. No SQL it prints is ever run on the target; --prove tries it on a copy of the target's\nstructure without rows. Where the job names migrations (parity: {migrations: DIR}) and\nstaging is ahead, they are applied to such a copy of production's structure, so that what\nthey bring about is told from what nothing explains.",
		Example: "  understudy parity\n  understudy parity --json | jq '.differences[] | .object'\n  understudy parity --html parity.html --markdown parity.md\n  understudy parity --junit parity.xml --sarif parity.sarif",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.prepare("parity"); err != nil {
				return err
			}
			ctx := cmd.Context()
			in, err := a.input(ctx, needs{source: true, target: true})
			if err != nil {
				return err
			}
			in.Claim = claim
			source, err := pipeline.OpenSource(ctx, in.Engine, in.SourceAt, in.Job, "source")
			if err != nil {
				return err
			}
			defer source.Close()
			job := *in.Job
			job.Load.Mode = "swap" // what is tried is tried beside the target
			target, err := pipeline.OpenTarget(ctx, in.Engine, in.TargetAt, &job)
			if err != nil {
				return err
			}
			defer target.Close()
			if same, err := pipeline.OneDatabase(ctx, in, source, target); err != nil {
				return err
			} else if same != "" {
				a.notes = append(a.notes, finding.Finding{Check: "same-database", Severity: finding.Warning, Message: "source and target are the same database (" + same + "): nothing can differ, and gates pass",
					Hint: "point target at a staging database of its own"})
			}
			r, err := pipeline.Parity(ctx, source, target, in.Job.SourceSchemas(), in.Job.TargetSchemas())
			if err != nil {
				return err
			}
			r.Age(in.Past, in.Now)
			found := r.Judge(in.Standard, in.Now)
			for _, f := range r.Blind() {
				f.Severity, f.Code = finding.Error, int(fault.Unmeasured)
				found = append(found, f)
			}
			a.payload = r
			if err := pipeline.ProveCauses(ctx, in, source, target, r); err != nil {
				return err
			}
			if prove {
				if err := pipeline.ProveClosing(ctx, in, source, target, r); err != nil {
					return err
				}
				found = append(found, r.Proof.Judge()...)
			}
			a.showParity(r)
			a.remember(in, r)
			if err := fault.From(found, fault.Usage); err != nil {
				return err
			}
			a.notes = append(a.notes, found...)
			return nil
		},
	}
	c.Flags().BoolVar(&prove, "prove", false, "try the closing SQL on a copy of the target's structure, and compare again")
	c.Flags().BoolVar(&claim, "claim", false, "make such copies beside a target that holds rows but bears no marker of understudy, this once")
	a.files.register(c, "the comparison")
	a.files.registerCI(c)
	return describe(c, fault.Gate, fault.Usage, fault.Refused, fault.Unavailable, fault.Unmeasured)
}

func (a *app) showParity(r *parity.Report) {
	if !a.json {
		report.Parity(a.Stdout, r)
	}
}
