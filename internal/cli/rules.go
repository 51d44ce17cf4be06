package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/report"
	"understudy/internal/rules"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

func (a *app) rulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rules", Short: "Check, list and explain masking rules", Args: none,
		Long:    "The reviewer's commands. With schema.lock.json beside the job file they need no\ndatabase.",
		Example: "  understudy rules check\n  understudy rules list\n  understudy rules explain customers.email",
		RunE:    func(cmd *cobra.Command, _ []string) error { a.command = "rules"; return cmd.Help() },
	}
	c.AddCommand(a.rulesCheck(), a.rulesList(), a.rulesExplain())
	return c
}

// bound reads the job, its rules and the structure they are bound to: the lock
// file's when there is one, else the source's.
func (a *app) bound(ctx context.Context) (*rules.Binding, *schema.Schema, []finding.Finding, error) {
	// A reviewer has no access to the databases: variables of URLs need no value here.
	job, found := config.Read(a.jobFile, func(name string) string { return cmp.Or(a.Getenv(name), "unset") })
	a.job = job
	files, fs := readRules(job)
	found = append(found, fs...)
	if slices.ContainsFunc(files, func(f *rules.File) bool { return f.Broken }) {
		return nil, nil, nil, fault.From(found, fault.Usage) // every column of it would seem undecided
	}
	source, err := a.structure(ctx, job)
	if err != nil {
		return nil, nil, nil, joined(err, found)
	}
	a.source = source
	b, scope, fs := bind(job, files, source)
	return b, scope, further(found, fs), nil
}

// bind binds the job's rules to the structure of the tables that take part.
func bind(job *config.Job, files []*rules.File, source *schema.Schema) (*rules.Binding, *schema.Schema, []finding.Finding) {
	scope := plan.Scope(job, source)
	declared, found := plan.Declare(job.References, scope, source)
	scope.References = append(scope.References, declared...)
	scope.Sort()
	b, fs := plan.Bind(files, source, scope)
	for i := range fs {
		if fs[i].Check == rules.UnknownName && hasLock(job) {
			fs[i].Hint += "; if production has it by now: `understudy init --lock-only`, for this looks at " + lockName
		}
	}
	return b, scope, append(found, fs...)
}

// hasLock tells whether the structure comes from a lock file.
func hasLock(job *config.Job) bool {
	_, err := os.Stat(filepath.Join(job.Dir, lockName))
	return err == nil
}

// joined adds findings to an error's own, so that nothing found is lost.
func joined(err error, found []finding.Finding) error {
	bad := fault.From(found, fault.Usage)
	if bad == nil {
		return err
	}
	all := fault.FindingsOf(bad)
	all = further(all, fault.FindingsOf(err)) // which may come of reading the same job
	return &fault.Error{Code: fault.Worse(fault.CodeOf(err), fault.CodeOf(bad)), Cause: err, Findings: all}
}

// structure reads the lock file, or inspects the source where there is none.
func (a *app) structure(ctx context.Context, job *config.Job) (*schema.Schema, error) {
	path := filepath.Join(job.Dir, lockName)
	data, err := os.ReadFile(path)
	if err == nil {
		s, err := rules.ReadLock(data)
		if err != nil {
			return nil, fault.New(fault.Usage, "lock-file", "write it anew with `understudy init --lock-only`", "%s: %s", path, err)
		}
		return s.Within(job.SourceSchemas()), nil
	}
	if !os.IsNotExist(err) {
		return nil, fault.New(fault.Usage, "lock-file", "", "%s cannot be read", path)
	}
	in, err := a.input(ctx, needs{source: true})
	if err != nil {
		return nil, err
	}
	source, err := pipeline.OpenSource(ctx, in.Engine, in.SourceAt, in.Job, "source")
	if err != nil {
		return nil, err
	}
	defer source.Close()
	s, err := source.Inspect(ctx, job.SourceSchemas())
	return s, pipeline.Explain(err, "source")
}

func (a *app) rulesCheck() *cobra.Command {
	return describe(&cobra.Command{
		Use: "check", Short: "Check the rule files, every mistake at once", Args: none,
		Long:    "Parse the job's rule files and bind them to the structure: every column must have one\ndecision with a reason, every mask must fit its column. The names in the job's subset and the\nfiles that it names are looked at as well; its SQL is read by `understudy plan`.\nEvery mistake is told at once, with its place.",
		Example: "  understudy rules check\n  understudy rules check --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.command = "rules check"
			b, s, found, err := a.bound(cmd.Context())
			if err != nil {
				return err
			}
			_, proposal := rules.UndecidedColumns(b, s)
			masks := plan.Masks(b, s)
			a.payload = map[string]any{"undecided": plan.OpenColumns(masks), "columns": len(masks)}
			found = a.judged(b, s, found)
			for _, f := range rules.Doubts(b, s, a.Now()) {
				if f.Check == rules.Overdue { // the others are for whoever reads a plan
					found = append(found, f)
				}
			}
			err = fault.From(found, fault.Usage)
			if fault.CodeOf(err) == fault.Undecided { // else mistakes in the files may be why columns are open
				a.propose(proposal)
			}
			if err != nil {
				return err
			}
			a.notes = append(a.notes, found...)
			a.say("%d columns, every one decided\n", len(masks))
			return nil
		},
	}, fault.Usage, fault.Undecided)
}

// judged adds to what was found in binding all else that shows without a database.
func (a *app) judged(b *rules.Binding, s *schema.Schema, found []finding.Finding) []finding.Finding {
	open, _ := rules.UndecidedColumns(b, s)
	found = append(found, open...)
	return further(slices.Concat(found, unfit(b, found)), a.named(s))
}

// further adds what else was found, but for places where a mistake is told already,
// and for what has no place and is told already.
func further(found, more []finding.Finding) []finding.Finding {
	told := map[finding.At]bool{}
	for _, f := range finding.Errors(found) {
		told[f.At] = f.At.Line > 0
	}
	return append(found, slices.DeleteFunc(more, func(f finding.Finding) bool {
		return told[f.At] || slices.ContainsFunc(found, func(have finding.Finding) bool { return have.At == f.At && have.Message == f.Message })
	})...)
}

// foretold ends a run whose files have mistakes, so that no database is opened. It tells
// what else is wrong with them as far as the lock file shows it: whoever mends the first
// should not meet the next only then.
func (a *app) foretold(in pipeline.Input, found []finding.Finding) error {
	rest := finding.Finding{Check: "not-looked-at", Severity: finding.Note,
		Message: "no database was opened: what the files say of tables, columns and rows is looked at when these mistakes are mended"}
	source, err := rules.ReadLock(in.Lock)
	switch {
	case len(in.Rules) == 0 || slices.ContainsFunc(in.Rules, func(f *rules.File) bool { return f.Broken }): // every column would seem undecided
	case in.Lock == nil:
		rest.Hint = "with a lock file (`understudy init --lock-only`) names are looked at beside them"
	case err == nil:
		a.source = source.Within(in.Job.SourceSchemas())
		b, scope, fs := bind(in.Job, in.Rules, a.source)
		found = a.judged(b, scope, further(found, fs))
		rest.Message = "no database was opened: names were looked for in " + lockName + "; SQL is looked at when these mistakes are mended"
		if len(in.Job.Load.Preserve)+len(in.Job.Load.Discard)+len(in.Job.Parity.Critical) > 0 {
			rest.Message += ", and so are names of tables that may be staging's own"
		}
	}
	if len(in.Job.Rules) == 0 { // nothing of the job could be read, and its own mistakes say so
		return fault.From(found, fault.Usage)
	}
	bad := fault.From(found, fault.Usage)
	return &fault.Error{Code: fault.CodeOf(bad), Findings: append(fault.FindingsOf(bad), rest)}
}

// named finds what is wrong with the names that the job's subset gives, and with
// its waivers, as far as the structure tells without a database.
func (a *app) named(s *schema.Schema) []finding.Finding {
	_, found := subset.Resolve(a.job.Subset, s)
	var known []string
	for _, t := range a.source.Tables {
		known = append(known, t.Name.Table)
	}
	for _, list := range [][]config.Text{a.job.Load.Preserve, a.job.Load.Discard, a.job.Parity.Critical} {
		for _, c := range list { // most are staging's own; one that almost is production's is a slip
			parts, err := schema.ParseName(c.Value)
			if _, missing := a.source.Resolve(c.Value); err != nil || missing == nil {
				continue
			}
			if near := schema.Nearest(parts[len(parts)-1], known); near != "" {
				found = append(found, finding.Finding{Check: "own-table", Severity: finding.Warning, At: c.At, Message: fmt.Sprintf("production has no table %s; did you mean %s?", c.Value, schema.Ident(near)), Hint: "if it is staging's own, it is right as it is"})
			}
		}
	}
	_, _, fs := config.ReadAfter(a.job)
	found = append(found, fs...)
	file, text, fs := config.ReadWaivers(a.job)
	if file != "" && len(fs) == 0 {
		_, fs = parity.ReadWaivers(file, []byte(text), a.Now().UTC())
	}
	return append(found, fs...)
}

// unfit tries to make every mask, with a throwaway key: whether a mask fits its
// column does not depend on the key. Columns and lines that are complained of already are left out.
func unfit(b *rules.Binding, known []finding.Finding) []finding.Finding {
	key, _, err := mask.NewKey()
	if err != nil {
		return nil
	}
	var out []finding.Finding
	for _, d := range b.Decisions {
		if !slices.ContainsFunc(known, func(f finding.Finding) bool {
			return f.Severity == finding.Error && (f.Table == d.Table.String() && f.Column == d.Column || f.At.Line > 0 && f.At.File == d.At.File && f.At.Line == d.At.Line)
		}) {
			if d.Limits.Rows == 0 { // nobody counted them: the plan does, and looks whether there are fakes enough for more than two
				d.Limits.Rows = 2
			}
			out = append(out, pipeline.Fits(key, d)...)
		}
	}
	return out
}

func (a *app) rulesList() *cobra.Command {
	c := &cobra.Command{
		Use: "list [masks]", Short: "List every column's decision, or the masks there are", Args: cobra.MaximumNArgs(1), ValidArgs: []string{"masks"},
		Long:    "List every column with its decision, its reason and the place of the rule. `list masks`\nlists the masks, what they accept and what they keep.",
		Example: "  understudy rules list\n  understudy rules list masks",
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		a.command = "rules list"
		if len(args) == 1 && args[0] == "masks" {
			kinds := mask.Kinds()
			a.payload = map[string]any{"masks": maskLines(kinds)}
			if !a.json {
				report.MaskKinds(a.Stdout, kinds)
			}
			return nil
		}
		if len(args) == 1 {
			return fault.New(fault.Usage, "usage", "understudy rules list, or understudy rules list masks", "there is no list %q", args[0])
		}
		b, s, found, err := a.bound(cmd.Context())
		if err != nil {
			return err
		}
		masks := plan.Masks(b, s)
		a.payload = map[string]any{"masks": masks, "undecided": plan.OpenColumns(masks)}
		if !a.json {
			report.Decisions(a.Stdout, masks)
		}
		if open, _ := rules.UndecidedColumns(b, s); len(open) > 0 {
			found = append(found, open...)
		}
		return fault.From(found, fault.Usage)
	}
	return describe(c, fault.Usage, fault.Undecided)
}

// maskLine is a mask in a document.
type maskLine struct {
	Mask       string        `json:"mask"`
	Family     string        `json:"family"`
	Class      string        `json:"class,omitempty"`
	About      string        `json:"about"`
	Accepts    []schema.Kind `json:"accepts"`
	Parameters []paramLine   `json:"parameters"`
	Injective  bool          `json:"injective"`
	Strength   string        `json:"strength"`
	Reversible bool          `json:"reversible"`
}

type paramLine struct {
	Name     string `json:"name"`
	About    string `json:"about"`
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required"`
}

func maskLines(kinds []mask.Kind) []maskLine {
	var out []maskLine
	for _, k := range kinds {
		l := maskLine{Mask: k.Name, Family: k.Family, Class: k.Class, About: k.Doc, Accepts: k.Accepts, Parameters: []paramLine{},
			Injective: k.Injective, Strength: k.Strength, Reversible: k.Reversible}
		for _, p := range k.Params {
			l.Parameters = append(l.Parameters, paramLine{p.Name, p.Doc, p.Default, p.Required})
		}
		out = append(out, l)
	}
	return out
}

func (a *app) rulesExplain() *cobra.Command {
	return describe(&cobra.Command{
		Use: "explain TABLE.COLUMN", Short: "Tell how a column's decision came about", Args: exactly(1, "rules explain TABLE.COLUMN"), ValidArgsFunction: a.columns,
		Long:    "Tell which rule decides a column, along which foreign keys the decision came, and what\nthe mask promises.",
		Example: "  understudy rules explain orders.customer_email",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.command = "rules explain"
			b, s, found, err := a.bound(cmd.Context())
			if err != nil {
				return err
			}
			t, c, err := s.ResolveColumn(args[0])
			if err != nil {
				return fault.New(fault.Usage, "usage", "understudy rules list shows every column", "%s", err)
			}
			text := rules.Explain(b, t.Name, c.Name)
			a.payload = map[string]any{"table": t.Name, "column": c.Name, "explanation": strings.Split(strings.TrimSpace(text), "\n")}
			for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
				words := strings.TrimLeft(line, " ")
				indent := len(line) - len(words)
				a.say("%s%s\n", line[:indent], report.Wrap(words, indent+2))
			}
			var own []finding.Finding
			for _, f := range found {
				same := f.Table == t.Name.String() || f.Table == t.Name.Table // as a file writes it
				if f.Table == "" || same && (f.Column == "" || f.Column == c.Name || strings.Contains(f.Column, c.Name)) {
					own = append(own, f)
				}
			}
			return fault.From(own, fault.Usage)
		},
	}, fault.Usage, fault.Undecided)
}
