// Package cli is the command line: one file for each command, and the only
// package that talks to the terminal. A command gathers its input, calls one
// function below and prints; it decides nothing about data.
//
// What people read goes to stdout when it is the answer and to stderr when it is
// progress or a complaint. With --json one document goes to stdout on every
// exit, and nothing else. Complaints name what is wrong and how to mend it, all
// at once.
package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/report"
	"understudy/internal/schema"
)

// Version is the program's version, told in manifests and reports.
const Version = "0.1.0"

// A World is what a command may touch of its surroundings.
type World struct {
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Terminal: stderr is a terminal, so progress may redraw lines.
	Terminal bool
	// Columns tells how wide that terminal is at present; nil: not known.
	Columns func() int
	// Colour: that terminal may show colours. Unicode: it shows more than ASCII.
	Colour, Unicode bool
	Now             func() time.Time
}

// Process is the world of the real process.
func Process() World {
	stderr := int(os.Stderr.Fd())
	w := World{Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Now: time.Now,
		Terminal: term.IsTerminal(stderr) && os.Getenv("TERM") != "dumb"}
	w.Columns = func() int {
		width, _, err := term.GetSize(stderr)
		if err != nil {
			return 0
		}
		return width
	}
	locale := strings.ToLower(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")))
	w.Unicode = strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
	w.Colour = w.Terminal && os.Getenv("NO_COLOR") == ""
	return w
}

// width is how many columns a line on stderr may fill: never the last one, where
// some terminals begin a new line; 0 where it is no terminal, so that a log's lines
// stay whole.
func (w World) width() int {
	if !w.Terminal {
		return 0
	}
	if w.Columns != nil {
		if n := w.Columns(); n > 0 {
			return max(n-1, 1)
		}
	}
	return report.Width - 1
}

// app is one invocation.
type app struct {
	World
	undo    context.Context // outlives the run's context, for cleaning up
	json    bool
	quiet   bool
	jobFile string
	job     *config.Job    // once read
	anew    bool           // the run gave way before and begins once more
	source  *schema.Schema // that rules were bound to, once they were without a run
	command string
	payload any // what --json adds to the envelope
	// expected is what the plan will load, for the progress.
	expected expected
	progress *progress
	notes    []finding.Finding
	answer   *answer
	files    files
	former   *report.Former // what the metrics of earlier runs tell, once read
	began    time.Time      // of a command that writes files
	clock    *clock
}

// An answer is stdout, which remembers that a write failed. A reader that closed
// the pipe (| head) has what it wanted: the run goes on without it.
type answer struct {
	w   io.Writer
	err error
}

func (o *answer) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		return len(p), nil
	}
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// Run runs one command line and gives the exit code. undo outlives ctx.
func Run(ctx, undo context.Context, args []string, w World) (code int) {
	a := &app{World: w, undo: undo, json: slices.Contains(args, "--json") && !completing(args), answer: &answer{w: w.Stdout}}
	a.Stdout = a.answer
	defer func() {
		if r := recover(); r != nil {
			code = a.finish(fault.Panicked())
		}
	}()
	root := a.root()
	root.SetArgs(args)
	var help bytes.Buffer
	root.SetOut(a.Stdout)
	if a.json {
		root.SetOut(&help) // help and the version become part of the document
	}
	root.SetErr(w.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if completing(args) {
		return int(fault.CodeOf(err)) // what was printed is for the shell
	}
	err = a.coded(err)
	if cmd != nil && a.command == "" {
		a.command = strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "understudy"), " ")
	}
	if a.payload == nil && help.Len() > 0 {
		a.payload = map[string]string{"text": help.String()}
	}
	// Those two codes come after the switch: an interrupt was too late to change it.
	if code := fault.CodeOf(err); err != nil && ctx.Err() != nil && code != fault.LaterFailed && code != fault.Unmeasured && !errors.Is(err, engine.ErrUnknown) {
		err = fault.New(fault.Interrupted, "interrupted", "run it again when it suits; the next run clears what this one began", "interrupted; the target is unchanged").Because(err)
	}
	return a.finish(err)
}

// coded gives an error without a code one where it is known what it means: before
// a command began it is cobra's complaint about usage, afterwards a plain file error.
func (a *app) coded(err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) || fault.CodeOf(err) != fault.Bug {
		return err
	}
	var path *fs.PathError
	var link *os.LinkError
	if a.command == "" || errors.As(err, &path) || errors.As(err, &link) {
		return fault.New(fault.Usage, "usage", "understudy "+strings.TrimSpace(a.command+" --help"), "%s", err)
	}
	return err
}

// finish prints what is left to print and gives the exit code.
func (a *app) finish(err error) int {
	a.progress.end()
	err = a.writeFiles(err)
	code := fault.CodeOf(err)
	fs := a.told(err)
	if a.json {
		a.writeJSON(code, fs)
	} else {
		report.Findings(a.Stderr, fs, a.width())
	}
	if a.answer.err != nil && code == fault.Done {
		code = fault.Unavailable
		if a.command == "refresh" || a.command == "rollback" {
			code = fault.LaterFailed
		}
		report.Findings(a.Stderr, fault.FindingsOf(fault.New(code, "stdout", "is the disk full that stdout goes to?", "the answer could not be written to stdout")), a.width())
		if a.files.metrics != "" {
			a.writeMetrics(a.files.metrics, code) // which said Done; if that fails as well, it is as it was
		}
	}
	return int(code)
}

// root builds the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "understudy",
		Short:         "Give staging a masked stand-in for production",
		Long:          "understudy gives staging a masked stand-in for production: the same shape, the\nsame rare cases, nobody's real data. It reads production, never writes to it,\nand replaces staging as a whole or not at all.",
		Example:       "  understudy demo                 see it work, without a server\n  understudy init                 draft the job and the rules from a source\n  understudy plan                 all that a refresh would do, nothing done\n  understudy refresh              do it",
		SilenceErrors: true, SilenceUsage: true,
		Version: Version,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fault.New(fault.Usage, "usage", "understudy --help lists the commands", "there is no command %q%s", args[0], suggestion(args[0], children(cmd)))
			}
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(flagFault)
	root.PersistentFlags().BoolVar(&a.json, "json", a.json, "print one JSON document on stdout")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress")
	root.PersistentFlags().StringVarP(&a.jobFile, "job", "f", "understudy.yaml", "the job `FILE`")
	root.AddCommand(a.demoCommand(), a.initCommand(), a.planCommand(), a.refreshCommand(), a.rollbackCommand(), a.parityCommand(),
		a.verifyCommand(), a.whyCommand(), a.rulesCommand(), a.keyCommand(), a.completionCommand(), a.manCommand())
	a.completeFlags(root)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", report.Width)))
	return root
}

// hang is how far the meanings of exit codes stand from the edge.
const hang = 7

// describe finishes a command: its exit codes stand in its help, which is as wide
// as a page, and its arguments are checked with a hint.
func describe(c *cobra.Command, codes ...fault.Code) *cobra.Command {
	var b strings.Builder
	b.WriteString(report.Wrap(strings.ReplaceAll(c.Long, "\n", " "), 0))
	b.WriteString(exitsHeading)
	for _, code := range slices.Concat([]fault.Code{fault.Done}, codes, []fault.Code{fault.Bug}) {
		fmt.Fprintf(&b, "\n  %3d  %s", int(code), report.Wrap(meaning(code), hang))
	}
	c.Long = b.String()
	return c
}

// meaning tells an exit code in the words of the contract.
func meaning(c fault.Code) string {
	switch c {
	case fault.Done:
		return "done, every gate passed"
	case fault.Gate:
		return "a gate said no"
	case fault.Usage:
		return "usage, configuration or rules wrong; a column its mask cannot keep, or that cannot take production's rows"
	case fault.Undecided:
		return "a column, a table or a changed type without a decision"
	case fault.Refused:
		return "refused for safety: wrong or unclaimed target, another run, budget, rows that would be lost"
	case fault.Integrity:
		return "a leak or an integrity failure found before the switch"
	case fault.Unavailable:
		return "source or target unavailable, changed underneath, timed out, out of space"
	case fault.Unmeasured:
		return "done, but something asked for was not measured"
	case fault.LaterFailed:
		return "done (new generation), but a later step failed"
	case fault.Bug:
		return "a bug in understudy"
	}
	return c.Outcome()
}
