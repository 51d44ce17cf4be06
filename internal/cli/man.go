package cli

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"understudy/internal/fault"
)

// exitsHeading stands in a command's help before its exit codes.
const exitsHeading = "\n\nExit codes:"

func (a *app) manCommand() *cobra.Command {
	return describe(&cobra.Command{
		Use: "man DIR", Short: "Write the manual pages", Args: exactly(1, "man DIR"),
		Long:              "Write a manual page for every command, with its flags, examples and exit codes, to a\ndirectory. The same version writes the same pages on every day.",
		Example:           "  understudy man /usr/local/share/man/man1\n  understudy man . && man ./understudy-refresh.1",
		ValidArgsFunction: directories,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.command = "man"
			var files []string
			for _, c := range documented(a.fresh()) {
				page, err := manPage(c)
				if err != nil {
					return err
				}
				path := filepath.Join(args[0], strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
				if err := writeFile(path, page, true); err != nil {
					return err
				}
				files = append(files, path)
			}
			a.payload = map[string]any{"files": files}
			a.say("%d pages written to %s\n", len(files), args[0])
			return nil
		},
	}, fault.Usage)
}

// fresh builds the commands again, for pages are made from a tree that is not at
// work. The program's own page tells all exit codes.
func (a *app) fresh() *cobra.Command {
	other := &app{World: a.World}
	root := other.root()
	root.InitDefaultHelpCmd()
	return describe(root, fault.Gate, fault.Usage, fault.Undecided, fault.Refused, fault.Integrity, fault.Unavailable, fault.Unmeasured,
		fault.LaterFailed, fault.Bug, fault.Interrupted)
}

// documented lists a command and all below it that help shows.
func documented(c *cobra.Command) []*cobra.Command {
	c.DisableAutoGenTag = true // it would bear today's date
	out := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			out = append(out, documented(sub)...)
		}
	}
	return out
}

// manPage writes one command's page. The exit codes become a part of their own, before
// the references, as manual pages have it.
func manPage(c *cobra.Command) ([]byte, error) {
	long, exits, _ := strings.Cut(c.Long, exitsHeading)
	c.Long = long
	c.InitDefaultHelpFlag()
	var page bytes.Buffer
	// Pages bear a month where this one bears none: the version tells the age.
	if err := doc.GenMan(c, &doc.GenManHeader{Section: "1", Date: &time.Time{}, Source: "understudy " + Version, Manual: "understudy"}, &page); err != nil {
		return nil, fmt.Errorf("manual page of %s: %w", c.CommandPath(), err)
	}
	text := asTyped(strings.Replace(page.String(), `"Jan 0001"`, `""`, 1), c)
	if exits == "" {
		return []byte(text), nil
	}
	var b strings.Builder
	b.WriteString(".SH EXIT STATUS\n")
	exits = strings.ReplaceAll(exits, "\n"+strings.Repeat(" ", hang), " ") // as wide as the reader's page
	for line := range strings.Lines(strings.TrimSpace(exits)) {
		code, meaning, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", code, strings.ReplaceAll(strings.TrimSpace(meaning), `-`, `\-`))
	}
	before, after, found := strings.Cut(text, ".SH SEE ALSO\n")
	if found {
		after = ".SH SEE ALSO\n" + after
	}
	return []byte(strings.TrimRight(before, "\n") + "\n\n" + b.String() + "\n" + after), nil
}

// asTyped writes the flags of a page as they are typed: with the name of the value
// they want, which stands between backquotes in what they say of themselves, and
// with a default where it says something.
func asTyped(page string, c *cobra.Command) string {
	for _, name := range flags(c) {
		f, form := c.Flag(strings.TrimPrefix(name, "--")), `\fB`+name+`\fP`
		before, after, found := strings.Cut(page, form)
		if !found {
			continue
		}
		_, after, _ = strings.Cut(after, "\n") // the default, as the library writes it
		_, after, _ = strings.Cut(after, "\n")
		usage := strings.ReplaceAll(f.Usage, "`", "")
		if _, named, ok := strings.Cut(f.Usage, "`"); ok {
			named, _, _ = strings.Cut(named, "`")
			form += `=\fI` + named + `\fP`
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			usage += " (default " + f.DefValue + ")"
		}
		page = before + form + "\n\t" + usage + "\n" + after
	}
	return page
}

// directories completes an argument or a flag with directories.
func directories(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
