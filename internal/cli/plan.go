package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/report"
)

// runFlags are the flags plan and refresh share: a refresh is a plan plus the last step.
type runFlags struct {
	claim bool
	batch int
	look  bool // nothing will follow the plan
}

func (f *runFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&f.claim, "claim", false, "take over a target that holds rows but bears no marker of understudy")
	c.Flags().IntVar(&f.batch, "batch-bytes", 0, "size of a batch of rows in `BYTES` (default 262144)")
}

func (a *app) planCommand() *cobra.Command {
	var flags runFlags
	c := &cobra.Command{
		Use: "plan", Short: "Show all that a refresh would do, and do nothing", Args: none,
		Long:    "Show all that `understudy refresh` would do, by the same code, without doing it: rows by\ntable and why, masks by column, drift between the schemas, and everything that stands\nagainst it. Nothing is written on either side.",
		Example: "  understudy plan\n  understudy plan --json | jq '.tables[] | {table, rows, reason}'\n  understudy plan --html plan.html --markdown plan.md",
	}
	flags.register(c)
	a.files.register(c, "the plan")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		flags.look = true
		if err := a.prepare("plan"); err != nil {
			return err
		}
		return a.again(cmd.Context(), func() error {
			session, err := a.open(cmd.Context(), flags)
			if err != nil {
				return err
			}
			defer session.Close()
			return a.showPlan(cmd.Context(), session, report.Plan)
		})
	}
	return describe(c, fault.Gate, fault.Usage, fault.Undecided, fault.Refused, fault.Integrity, fault.Unavailable)
}

// open gathers the input and connects.
func (a *app) open(ctx context.Context, flags runFlags) (*pipeline.Session, error) {
	if flags.batch != 0 && (flags.batch < 1024 || flags.batch > 64<<20) {
		return nil, fault.New(fault.Usage, "usage", "give a number of bytes from 1024 to 67108864", "--batch-bytes %d is out of range", flags.batch)
	}
	in, err := a.input(ctx, needs{source: true, target: true, rules: true, key: true})
	if err != nil {
		return nil, err
	}
	in.Claim, in.BatchBytes, in.Look = flags.claim, flags.batch, flags.look
	return pipeline.Open(ctx, in)
}

// showPlan makes the plan and prints it as far as it came. A column without a
// decision brings a rules file to review and save.
func (a *app) showPlan(ctx context.Context, session *pipeline.Session, show func(io.Writer, *plan.Plan)) error {
	p, err := session.Plan(ctx)
	a.payload, a.expected = p, expectedOf(p)
	a.progress.end()
	a.notes = append(a.notes, warningsOf(p.Findings, a.json)...)
	if !a.json && p != nil && len(p.Tables) > 0 {
		show(a.Stdout, p)
	}
	if proposal := session.Proposal(); proposal != "" && fault.CodeOf(err) == fault.Undecided {
		a.propose(proposal)
	}
	return err
}

func (a *app) refreshCommand() *cobra.Command {
	var flags runFlags
	c := &cobra.Command{
		Use: "refresh", Short: "Replace the target with a masked subset of the source", Args: none,
		Long:    "Inspect, compare, select, mask, load, prove, switch, report. The target is the old\ngeneration until the last step and the new one after it, whatever is killed in between;\na crashed run is cleaned up by the next one. The run's report goes to the directory that\nthe job names (report: {dir: reports}) as JSON, text and one HTML page.",
		Example: "  understudy refresh --claim      the first time, on a target that holds rows\n  understudy refresh              every night\n  understudy refresh --metrics /var/lib/node_exporter/understudy.prom",
	}
	flags.register(c)
	a.files.register(c, "the run")
	c.Flags().StringVar(&a.files.metrics, "metrics", "", "write the run's figures for Prometheus to this `FILE`, on every exit")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.prepare("refresh"); err != nil {
			return err
		}
		return a.again(cmd.Context(), func() error { return a.refresh(cmd.Context(), flags) })
	}
	return describe(c, fault.Gate, fault.Usage, fault.Undecided, fault.Refused, fault.Integrity, fault.Unavailable, fault.Unmeasured, fault.LaterFailed, fault.Interrupted)
}

// refresh is one attempt at it.
func (a *app) refresh(ctx context.Context, flags runFlags) error {
	session, err := a.open(ctx, flags)
	if err != nil {
		return err
	}
	defer session.Close()
	err = a.showPlan(ctx, session, report.Plan)
	if p, ok := a.payload.(*plan.Plan); ok && p != nil && (err == nil || fault.CodeOf(err) == fault.Gate) {
		a.remember(session.Input(), p.Parity)
	}
	if err != nil {
		return a.keepReport(err)
	}
	if err := a.reportable(); err != nil {
		return err
	}
	r, err := session.Run(ctx, a.undo)
	a.payload = r
	a.notes = append(a.notes, r.Missed...)
	a.progress.end()
	if code := fault.CodeOf(err); err == nil || code == fault.Unmeasured || code == fault.LaterFailed || code == fault.Integrity {
		if !a.json {
			report.Run(a.Stdout, r)
		}
	}
	return a.keepReport(err)
}

func (a *app) rollbackCommand() *cobra.Command {
	var list bool
	var to string
	c := &cobra.Command{
		Use: "rollback", Short: "Put a kept generation back", Args: none,
		Long:    "Put a kept generation of the target back in place of the present one, which is kept\ninstead. Without --to it is the newest kept one.",
		Example: "  understudy rollback --list\n  understudy rollback",
	}
	c.Flags().BoolVar(&list, "list", false, "list the generations and do nothing")
	c.Flags().StringVar(&to, "to", "", "the `GENERATION` to put back")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		a.command = "rollback"
		in, err := a.input(cmd.Context(), needs{target: true})
		if err != nil {
			return err
		}
		target, err := pipeline.OpenTarget(cmd.Context(), in.Engine, in.TargetAt, in.Job)
		if err != nil {
			return err
		}
		defer target.Close()
		return a.rollback(cmd.Context(), target, list, to, keeping(in.Job.Load.Mode))
	}
	return describe(c, fault.Usage, fault.Refused, fault.Unavailable, fault.LaterFailed)
}

// keeping says what makes a refresh keep the generation before it.
func keeping(mode string) string {
	if mode == "replace" {
		return "`load: {mode: replace}` exchanges rows where they stand and keeps none; `load: {mode: swap}` does"
	}
	return "load.keep in the job says how many a refresh leaves behind"
}

func (a *app) rollback(ctx context.Context, target engine.Target, list bool, to, hint string) error {
	state, err := target.State(ctx)
	if err != nil {
		return pipeline.Explain(err, "target")
	}
	payload := struct {
		Generations []engine.Generation `json:"generations"`
		Generation  string              `json:"generation,omitempty"`
	}{Generations: append([]engine.Generation{}, state.Generations...)}
	a.payload = &payload
	if list {
		if !a.json {
			report.Generations(a.Stdout, state.Generations)
		}
		if len(state.Generations) == 0 {
			a.say("no generation: the target was not loaded by understudy\n")
		}
		return nil
	}
	for _, g := range state.Generations {
		if !g.Present && (to == "" || g.ID == to) {
			if err := target.Rollback(ctx, g.ID); err != nil {
				return pipeline.Explain(err, "target")
			}
			payload.Generation = g.ID
			a.say("generation %s is back in place\n", g.ID)
			return nil
		}
	}
	if to != "" {
		return fault.New(fault.Usage, "generation", "understudy rollback --list", "the target keeps no generation %q", to)
	}
	return fault.New(fault.Refused, "generation", hint, "the target keeps no earlier generation")
}

func (a *app) whyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "why TABLE KEY", Short: "Tell how a row came into the subset, or what left it out", Args: exactly(2, "why TABLE KEY", "; the columns of a KEY stand in one word, with commas, as in 4711,2"), ValidArgsFunction: a.tables,
		Long:    "Tell the chain of foreign keys that brings a row of the source into the subset, from a\nseed on, or the edge that leaves it out. KEY is the row's primary key; the parts of a\ncomposite key are separated by commas. Only tables, edges and your key are printed.",
		Example: "  understudy why orders 4711\n  understudy why order_items 4711,2",
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		a.command = "why"
		in, err := a.input(cmd.Context(), needs{source: true, target: true, rules: true, key: true})
		if err != nil {
			return err
		}
		in.Look = true
		session, err := pipeline.Open(cmd.Context(), in)
		if err != nil {
			return err
		}
		defer session.Close()
		answer, err := session.Why(cmd.Context(), args[0], args[1])
		if err != nil {
			return err
		}
		a.payload = answer
		a.progress.end()
		if !a.json {
			report.Why(a.Stdout, answer)
		}
		return nil
	}
	return describe(c, fault.Usage, fault.Undecided, fault.Refused, fault.Unavailable)
}
