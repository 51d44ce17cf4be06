package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"understudy/internal/config"
	"understudy/internal/engines"
	"understudy/internal/fault"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// shells are those that a script is written for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func (a *app) completionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Print a script that completes commands in your shell",
		Long: "Print a script that lets your shell complete commands, flags and their values, and, where\nschema.lock.json lies beside the job file, the names of tables and columns.",
		Example: "  source <(understudy completion bash)        this shell; needs bash-completion\n" +
			"  understudy completion bash > /etc/bash_completion.d/understudy\n" +
			"  understudy completion zsh > \"${fpath[1]}/_understudy\"\n" +
			"  understudy completion fish > ~/.config/fish/completions/understudy.fish\n" +
			"  understudy completion powershell | Out-String | Invoke-Expression",
		ValidArgs: shells, Args: exactly(1, "completion "+strings.Join(shells, "|")),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.command = "completion"
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return fault.New(fault.Usage, "usage", "understudy completion "+strings.Join(shells, "|"), "there is no script for the shell %q%s", args[0], suggestion(args[0], shells))
		},
	}
	return describe(c, fault.Usage)
}

// completing tells whether a shell asks for completions: then --json among the
// words is one of them and no wish.
func completing(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// completeFlags says for every flag that takes a value what may stand there.
func (a *app) completeFlags(c *cobra.Command) {
	files := func(endings ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(endings, cobra.ShellCompDirectiveFilterFileExt)
	}
	nothing := cobra.FixedCompletions(nil, cobra.ShellCompDirectiveNoFileComp)
	var names []string
	for _, e := range engines.List() {
		names = append(names, e.Name)
	}
	for flag, values := range map[string]cobra.CompletionFunc{
		"job": files("yaml", "yml"), "engine": cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp), "dir": directories,
		"html": files("html"), "markdown": files("md"), "metrics": files("prom"),
		"batch-bytes": nothing, "to": nothing, "source": nothing, "target": nothing,
	} {
		if c.Flags().Lookup(flag) != nil || c.PersistentFlags().Lookup(flag) != nil {
			c.RegisterFlagCompletionFunc(flag, values) // fails for a flag that is not there alone
		}
	}
	for _, sub := range c.Commands() {
		a.completeFlags(sub)
	}
}

// tables completes the first argument with the lock file's tables.
func (a *app) tables(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	var out []string
	if s := a.locked(); s != nil && len(args) == 0 {
		for _, t := range s.Tables {
			out = append(out, spellings(s, t.Name, typed)...)
		}
	}
	return beginning(typed, out), cobra.ShellCompDirectiveNoFileComp
}

// columns completes the first argument with the lock file's columns.
func (a *app) columns(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	var out []string
	if s := a.locked(); s != nil && len(args) == 0 {
		for _, t := range s.Tables {
			for _, table := range spellings(s, t.Name, typed) {
				for _, c := range t.Columns {
					out = append(out, table+"."+schema.Ident(c.Name))
				}
			}
		}
	}
	return beginning(typed, out), cobra.ShellCompDirectiveNoFileComp
}

// beginning keeps the names that begin with what was typed, and that a shell can show
// and cut into lines.
func beginning(typed string, names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, typed) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
	})
}

// spellings are the names that a table is completed to: as it is called, and,
// once something is typed, without its schema where no other table has the name.
func spellings(s *schema.Schema, n schema.Name, typed string) []string {
	full, bare := called(s, n), schema.Ident(n.Table)
	same := 0
	for _, t := range s.Tables {
		if t.Name.Table == n.Table {
			same++
		}
	}
	if typed == "" || full == bare || same > 1 {
		return []string{full}
	}
	return []string{full, bare}
}

// called is how a table is written: with its schema where there are several.
func called(s *schema.Schema, n schema.Name) string {
	for _, t := range s.Tables {
		if t.Name.Schema != n.Schema {
			return n.String()
		}
	}
	return schema.Ident(n.Table)
}

// locked reads the lock file beside the job; nil if there is none to read. It
// opens no database: completion must be quick and never ask for a password.
func (a *app) locked() *schema.Schema {
	job, _ := config.Read(a.jobFile, func(string) string { return "unset" })
	data, err := os.ReadFile(filepath.Join(job.Dir, lockName))
	if err != nil {
		return nil
	}
	s, err := rules.ReadLock(data)
	if err != nil {
		return nil
	}
	return s
}
