package cli

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"understudy/internal/config"
	"understudy/internal/document"
	"understudy/internal/engines"
	"understudy/internal/fault"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
	"understudy/internal/secret"
)

// initFlags say where the source is and where the drafts go.
type initFlags struct {
	source, target string // as they will stand in the job: ${NAME}, or a URL without a password
	dir            string
	force, lock    bool
}

func (a *app) initCommand() *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use: "init", Short: "Draft the job, the rules and the lock file from a source", Args: none,
		Long:    "Read a source's structure and write understudy.yaml, a rules file in which every column has\na proposal to review, and schema.lock.json (structure, keys, types; no values) to commit.\nNo row is read.",
		Example: "  export PROD_URL=postgres://reader@db.internal/shop\n  export STAGING_URL=postgres://owner@staging/shop\n  understudy init\n  understudy init --source sqlite:prod.db --target sqlite:staging.db",
	}
	c.Flags().StringVar(&f.source, "source", "${PROD_URL}", "the source: ${NAME} of an environment variable, or a `URL` without a password")
	c.Flags().StringVar(&f.target, "target", "${STAGING_URL}", "the target's `URL`, likewise; it is not opened")
	c.Flags().StringVar(&f.dir, "dir", ".", "the `DIR` to write to")
	c.Flags().BoolVar(&f.force, "force", false, "replace files that exist")
	c.Flags().BoolVar(&f.lock, "lock-only", false, "write schema.lock.json alone, from the job's source")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		a.command = "init"
		if f.lock {
			return a.relock(cmd.Context())
		}
		if cmd.Flags().Changed("job") {
			return fault.New(fault.Usage, "usage", "leave -f out, or add --lock-only; --dir says where the new job goes. Where it has several schemas, write them there: `understudy plan` then names every column without a rule",
				"init writes a new job and reads none, so -f would say nothing")
		}
		return a.draft(cmd.Context(), f)
	}
	return describe(c, fault.Usage, fault.Unavailable)
}

// relock writes the lock file anew, after a reviewed change of the schema.
func (a *app) relock(ctx context.Context) error {
	in, err := a.input(ctx, needs{source: true})
	if err != nil {
		return err
	}
	source, err := pipeline.OpenSource(ctx, in.Engine, in.SourceAt, in.Job, "source")
	if err != nil {
		return err
	}
	defer source.Close()
	s, err := source.Inspect(ctx, in.Job.SourceSchemas())
	if err != nil {
		return pipeline.Explain(err, "source")
	}
	path := filepath.Join(in.Job.Dir, lockName)
	if err := writeFile(path, rules.Lock(s), true); err != nil {
		return err
	}
	a.payload = map[string]any{"files": []string{path}}
	a.say("%s written: %d tables\n", path, len(s.Tables))
	return nil
}

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// location expands a flag's ${NAME}; a literal URL must hold no password, for
// command lines are seen by everyone on the machine.
func (a *app) location(flag, text string) (secret.Text, error) {
	if m := variable.FindStringSubmatch(text); m != nil {
		value := a.Getenv(m[1])
		if value == "" {
			return secret.Text{}, fault.New(fault.Usage, "environment", fmt.Sprintf("export %s=postgres://user@host/database, or give --%s", m[1], flag), "the environment variable %s is not set", m[1])
		}
		return secret.New(value), nil
	}
	if u, err := url.Parse(text); err == nil {
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			return secret.Text{}, fault.New(fault.Usage, "password", fmt.Sprintf("put the URL into an environment variable and write --%s '${NAME}'", flag), "--%s holds a password, and a command line is no secret", flag)
		}
	}
	return secret.New(text), nil
}

func (a *app) draft(ctx context.Context, f initFlags) error {
	from, err := a.location("source", f.source)
	if err != nil {
		return err
	}
	if !variable.MatchString(f.target) {
		if _, err := a.location("target", f.target); err != nil {
			return err
		}
	}
	_, eng, at, err := engines.Open(from, "source")
	if err != nil {
		return err
	}
	name := filepath.Join(f.dir, "rules", "rules.yaml")
	files := []string{filepath.Join(f.dir, "understudy.yaml"), name, filepath.Join(f.dir, lockName)}
	if !f.force {
		for _, path := range files {
			if _, err := os.Lstat(path); err == nil {
				return fault.New(fault.Usage, "file-exists", "remove it, choose another --dir, or use --force", "%s exists already; nothing was written", path)
			}
		}
	}
	source, err := pipeline.OpenSource(ctx, eng, at, &config.Job{}, "source")
	if err != nil {
		return err
	}
	defer source.Close()
	s, err := source.Inspect(ctx, nil)
	if err != nil {
		return pipeline.Explain(err, "source")
	}
	if len(s.Tables) == 0 {
		return fault.New(fault.Usage, "empty-source", "check the URL's database and the role's privileges", "the source has no table that this role can see")
	}
	scope := plan.Scope(&config.Job{}, s)
	told, err := pipeline.Beforehand(ctx, source, scope)
	if err != nil {
		return err
	}
	contents := [][]byte{draftJob(f, scope, drafted(f.dir)), rules.Propose(scope, told), rules.Lock(s)}
	for i, path := range files {
		if err := writeFile(path, contents[i], f.force); err != nil {
			return err
		}
	}
	a.payload = map[string]any{"files": files, "tables": len(scope.Tables)}
	tables := "tables"
	if len(s.Tables) == 1 {
		tables = "table"
	}
	a.say("%d %s read, no row. Written:\n", len(s.Tables), tables)
	for _, path := range files {
		a.say("  %s\n", path)
	}
	job := ""
	if f.dir != "." {
		job = " -f " + files[0]
	}
	steps := []string{"review " + name + ": every decision in it is a proposal", "understudy rules check" + job}
	if a.Getenv(keyVariable) == "" {
		steps = append(steps, "(umask 077; understudy key new > ~/staging.key)\n     export "+keyVariable+"=\"$(cat ~/staging.key)\"\n     the same key every night; keep it where staging's readers cannot get at it")
	}
	steps = append(steps, "understudy plan --claim"+job, "understudy refresh --claim"+job)
	a.say("\nNext:\n")
	for i, step := range steps {
		a.say("  %d. %s\n", i+1, step)
	}
	return nil
}

// keyVariable is where a drafted job looks for the key.
const keyVariable = "UNDERSTUDY_KEY"

// drafted is how a drafted job names its rules: all files of the folder, so that
// decisions to come may stand in files of their own; the one file where others lie
// beside it, for those are somebody else's.
func drafted(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "rules", "*.yaml"))
	if err != nil || len(files) > 1 || len(files) == 1 && filepath.Base(files[0]) != "rules.yaml" {
		return "rules/rules.yaml"
	}
	return "rules/*.yaml"
}

// draftJob writes a job that copies everything, with a subset to uncomment.
func draftJob(f initFlags, s *schema.Schema, rules string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nsource: %s\ntarget: %s\nkey: {env: %s}\nrules: [%s]\n", quoted(f.source), quoted(f.target), keyVariable, rules)
	if seed := seedFor(s); seed != nil {
		fmt.Fprintf(&b, "# Everything is copied until a subset is chosen. The rows that reference a seed come along,\n# and all rows that they need.\n# subset:\n#   seeds:\n#     - {table: %s, percent: 5}\n", document.Name(seed.Name.String()))
	}
	b.WriteString("load: {keep: 1}\nreport: {dir: reports, keep: 30}\n")
	return []byte(b.String())
}

func quoted(text string) string {
	if variable.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// seedNames are what the table is usually called whose rows a company's data hangs on.
var seedNames = regexp.MustCompile(`(?i)(^|_)(customer|user|account|client|member|patient|tenant|organi[sz]ation|company|person)(s|ies|e?s)?$`)

// seedFor proposes a table to begin a subset with: one that others reference
// most, and before all others one whose name says that everything hangs on it.
func seedFor(s *schema.Schema) *schema.Table {
	weight := map[schema.Name]int{}
	for _, r := range s.References {
		if r.From != r.To {
			weight[r.To]++
		}
	}
	var best *schema.Table
	for i := range s.Tables {
		t := &s.Tables[i]
		if t.Identity() == nil || weight[t.Name] == 0 {
			continue
		}
		if seedNames.MatchString(t.Name.Table) {
			weight[t.Name] += len(s.References)
		}
		if best == nil || weight[t.Name] > weight[best.Name] {
			best = t
		}
	}
	return best
}
