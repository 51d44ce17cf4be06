package cli

import (
	"errors"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"understudy/internal/fault"
)

// none wants no arguments. What was given is not repeated unless it stands
// where a command's name does, for it may be a password.
func none(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasSubCommands():
		return fault.New(fault.Usage, "usage", c.CommandPath()+" --help lists the commands", "%s has no command %q%s", c.CommandPath(), args[0], suggestion(args[0], children(c)))
	}
	return fault.New(fault.Usage, "usage", c.CommandPath()+" --help", "%s takes no arguments", c.CommandPath())
}

// exactly wants n arguments and says how the command is written, and more of it.
func exactly(n int, form string, more ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return fault.New(fault.Usage, "usage", "understudy "+form+strings.Join(more, ""), "%s: %d arguments are needed, %d given", form, n, len(args))
		}
		return nil
	}
}

// children lists the names of a command's commands.
func children(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

var flagOf = regexp.MustCompile(`for "(?:-., )?--([a-z-]+)" flag`)

// flagFault tells what is wrong with a flag, without its value.
func flagFault(c *cobra.Command, err error) error {
	hint := c.CommandPath() + " --help lists the flags"
	wrong := func(format string, args ...any) error { return fault.New(fault.Usage, "usage", hint, format, args...) }
	var given interface{ GetValue() string }
	var unknown interface {
		GetSpecifiedName() string
		GetSpecifiedShortnames() string
	}
	text := err.Error()
	switch {
	case errors.As(err, &given):
		if m := flagOf.FindStringSubmatch(text); m != nil {
			if f := c.Flags().Lookup(m[1]); f != nil {
				return wrong("--%s has a value that it cannot have: it wants %s", m[1], wanted(f.Value.Type()))
			}
		}
		return wrong("a flag has a value that it cannot have")
	case errors.As(err, &unknown) && strings.HasPrefix(text, "unknown"):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return wrong("there is no flag -%s", name)
		}
		return wrong("there is no flag --%s%s", name, suggestion("--"+name, flags(c)))
	case strings.HasPrefix(text, "bad flag syntax"):
		return wrong("a flag cannot be read")
	}
	return wrong("%s", text)
}

func wanted(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	}
	return "a text"
}

// flags lists the flags a command takes, each as it is written.
func flags(c *cobra.Command) []string {
	var names []string
	for _, word := range strings.Fields(c.Flags().FlagUsages()) {
		if strings.HasPrefix(word, "--") {
			names = append(names, word)
		}
	}
	return names
}
