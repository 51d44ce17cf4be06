package cli

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"understudy/internal/engine"
	"understudy/internal/engines"
	"understudy/internal/fault"
	"understudy/internal/pipeline"
	"understudy/internal/report"
	"understudy/internal/secret"
	"understudy/schemas"
)

func (a *app) demoCommand() *cobra.Command {
	var name, dir string
	var serve bool
	c := &cobra.Command{
		Use: "demo", Short: "See it work: a production, a drifted staging, a whole refresh", Args: none,
		Long:    "Make a small shop's production database and a staging that drifted from it, and run the\nwhole refresh: plan, progress, proofs, parity, five rows before and after. It needs no\nserver, no root and no network; with --engine postgres or mysql it starts servers of its own\nfrom installed programs and stops them at the end.",
		Example: "  understudy demo\n  understudy demo --engine postgres\n  understudy demo --engine mysql",
	}
	c.Flags().StringVar(&name, "engine", "sqlite", "the `ENGINE`: sqlite (embedded), postgres or mysql (started from installed programs; mysql means MariaDB too)")
	c.Flags().StringVar(&dir, "dir", "", "the `DIR` for the demo's files (default: a new temporary one)")
	c.Flags().BoolVar(&serve, "keep-servers", false, "leave started servers running until interrupted")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		a.command = "demo"
		return a.demo(cmd.Context(), name, dir, serve)
	}
	return describe(c, fault.Usage, fault.Unavailable)
}

func (a *app) demo(ctx context.Context, name, dir string, serve bool) error {
	entry, err := engines.Named(name)
	if err != nil {
		return fault.New(fault.Usage, "usage", "understudy demo --engine sqlite, --engine postgres or --engine mysql", "%s", err)
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "understudy-demo-"); err != nil {
			return fault.New(fault.Unavailable, "demo", "set TMPDIR to a directory you may write to", "no temporary directory can be made")
		}
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.New(fault.Usage, "demo", "choose a directory you may write to", "%s cannot be made", dir)
	}
	if err := a.demoFree(dir); err != nil {
		return err
	}
	a.say("A small shop's production, and a staging that drifted from it, in\n%s\n", dir)
	stage, err := entry.Stage(ctx, dir)
	if known := (*fault.Error)(nil); errors.As(err, &known) {
		return err
	}
	if err != nil {
		return fault.New(fault.Unavailable, "demo", "", "%s", err).Because(err)
	}
	defer stage.Stop(a.undo)
	if err := a.fill(ctx, entry, stage); err != nil {
		return err
	}
	a.jobFile = filepath.Join(dir, "understudy.yaml")
	if err := a.demoFiles(dir); err != nil {
		return err
	}
	key := demoKey()
	a.Getenv = func(v string) string {
		switch v {
		case "PROD_URL":
			return stage.Production.Reveal()
		case "STAGING_URL":
			return stage.Staging.Reveal()
		case "UNDERSTUDY_KEY":
			return key.Reveal()
		}
		return ""
	}
	err = a.demoRun(ctx, dir, entry, name, stage, key)
	if err == nil && serve {
		a.complain("servers run until you interrupt; PROD_URL=%s STAGING_URL=%s\n", stage.Production.Reveal(), stage.Staging.Reveal())
		<-ctx.Done()
	}
	return err
}

// demoFree makes sure that the demo writes over nothing but a demo's own files.
func (a *app) demoFree(dir string) error {
	for name, text := range schemas.Files() {
		path := filepath.Join(dir, name)
		if there, err := os.ReadFile(path); !os.IsNotExist(err) && (err != nil || string(there) != text) {
			return fault.New(fault.Usage, "demo", "name another directory with `--dir`", "%s is there already and is not the demo's", path)
		}
	}
	return nil
}

// demoFiles writes the job and the rules, as a user would have them.
func (a *app) demoFiles(dir string) error {
	for name, text := range schemas.Files() {
		if err := writeFile(filepath.Join(dir, name), []byte(text), true); err != nil {
			return err
		}
	}
	return nil
}

// fill makes both databases.
func (a *app) fill(ctx context.Context, entry engines.Entry, stage *engines.Stage) error {
	production, staging := schemas.Shop(entry.Name)
	for _, side := range []struct {
		url        secret.Text
		statements []string
	}{{stage.Production, production}, {stage.Staging, staging}} {
		_, _, at, err := engines.Open(side.url, "demo")
		if err != nil {
			return err
		}
		if err := entry.Execute(ctx, at, side.statements); err != nil {
			return pipeline.Explain(err, "demo")
		}
	}
	return nil
}

// demoRun is the refresh command itself, with a look at some rows around it.
func (a *app) demoRun(ctx context.Context, dir string, entry engines.Entry, asked string, stage *engines.Stage, key secret.Text) error {
	session, err := a.open(ctx, runFlags{claim: true})
	if err != nil {
		return err
	}
	defer session.Close()
	if err := a.showPlan(ctx, session, report.Outline); err != nil {
		return err
	}
	a.say("\n")
	r, err := session.Run(ctx, a.undo)
	a.payload = r
	a.progress.end()
	if err != nil {
		return err
	}
	if !a.json {
		report.Run(a.Stdout, r)
	}
	if err := a.keepReport(nil); err != nil {
		return err
	}
	if a.json {
		return nil
	}
	if err := a.beforeAfter(ctx, stage); err != nil {
		return err
	}
	a.goOn(dir, entry, asked, key)
	return nil
}

// beforeAfter shows the same five customers on both sides. They are invented:
// this is the only place where the program shows rows.
func (a *app) beforeAfter(ctx context.Context, stage *engines.Stage) error {
	columns := []string{"id", "full_name", "email", "phone"}
	after, err := peek(ctx, stage.Staging, "customers", columns, nil, 5)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, r := range after {
		ids[r[0]] = true
	}
	before, err := peek(ctx, stage.Production, "customers", columns, ids, 5)
	if err != nil {
		return err
	}
	a.say("\nFive customers in production (invented; only the demo ever shows rows)\n")
	report.Rows(a.Stdout, columns, before)
	a.say("The same five in staging\n")
	report.Rows(a.Stdout, columns, after)
	return nil
}

// peek reads a few rows of a table, those with the given ids where there are any.
func peek(ctx context.Context, url secret.Text, table string, columns []string, ids map[string]bool, n int) ([][]string, error) {
	_, eng, at, err := engines.Open(url, "demo")
	if err != nil {
		return nil, err
	}
	src, err := eng.Source(ctx, at, engine.Limits{}.WithDefaults())
	if err != nil {
		return nil, pipeline.Explain(err, "demo")
	}
	defer src.Close()
	s, err := src.Inspect(ctx, nil)
	if err != nil {
		return nil, pipeline.Explain(err, "demo")
	}
	t, err := s.Resolve(table)
	if err != nil {
		return nil, err
	}
	snap, err := src.Snapshot(ctx, s)
	if err != nil {
		return nil, pipeline.Explain(err, "demo")
	}
	defer snap.Close()
	read := engine.Read{Table: t, Columns: columns}
	for i := range columns {
		read.Look = append(read.Look, i)
	}
	var out [][]string
	for b, err := range snap.Read(ctx, read) {
		if err != nil {
			return nil, pipeline.Explain(err, "demo")
		}
		for row := 0; row < b.Rows && len(out) < n; row++ {
			var cells []string
			for i, c := range b.Cells[row*len(columns) : (row+1)*len(columns)] {
				if c.Null {
					cells = append(cells, "NULL")
				} else {
					cells = append(cells, string(b.Form.Value(nil, b.Raw[c.Start:c.End], i)))
				}
			}
			if ids == nil || ids[cells[0]] {
				out = append(out, cells)
			}
		}
		b.Release()
		if len(out) == n {
			break
		}
	}
	return out, nil
}

// goOn tells where things lie and what to try next. The engine is named as it was asked for.
func (a *app) goOn(dir string, entry engines.Entry, asked string, key secret.Text) {
	var b strings.Builder
	b.WriteString("\nThe job is understudy.yaml; the rules, with a reason for every column,\nare rules/shop.yaml; the full plan and report lie in reports/, the .html\none for a browser.\n")
	if entry.Name != "sqlite" {
		fmt.Fprintf(&b, "The servers are stopped now: understudy demo --engine %s --keep-servers\nleaves them up.\n", asked)
		a.say("%s", b.String())
		return
	}
	fmt.Fprintf(&b, "\nGo on with it (this key is the demo's; `understudy key new` makes yours):\n  cd %s\n", dir)
	fmt.Fprintf(&b, "  export PROD_URL=sqlite:production.db STAGING_URL=sqlite:staging.db\n  export UNDERSTUDY_KEY=%s\n", key.Reveal())
	g := [][2]string{
		{"understudy why order_items 11,1", "why a row came along"},
		{"understudy rules explain newsletter.email", "why a column is masked as it is"},
		{"understudy parity", "the drift and the SQL to close it"},
		{"understudy verify", "prove staging again"},
		{"understudy rollback", "the staging from before"},
	}
	for _, l := range g {
		fmt.Fprintf(&b, "  %-42s # %s\n", l[0], l[1])
	}
	b.WriteString("  sqlite3 production.db 'alter table customers add column passport text'\n  understudy refresh                         # stops: nobody decided the column\n")
	a.say("%s", b.String())
}

// demoKey is the demo's own key: the same on every machine, so that its fakes
// are, and public, for the shop is invented.
func demoKey() secret.Text {
	sum := sha256.Sum256([]byte("the key of the demo's shop"))
	return secret.New("usk1_" + base64.RawURLEncoding.EncodeToString(sum[:]))
}
