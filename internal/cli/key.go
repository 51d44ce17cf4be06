package cli

import (
	"github.com/spf13/cobra"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Make a masking key, or print a key's fingerprint", Args: none,
		Long:    "A masking key is 32 random bytes, written as usk1_ and letters. Whoever has it\ncan test guesses against the fakes and reverse permutations: keep it away from\neveryone who reads staging, and give each environment its own.",
		Example: "  umask 077; understudy key new > staging.key\n  understudy key fingerprint --file staging.key",
		RunE:    func(cmd *cobra.Command, _ []string) error { a.command = "key"; return cmd.Help() },
	}
	c.AddCommand(a.keyNew(), a.keyFingerprint())
	return c
}

func (a *app) keyNew() *cobra.Command {
	return describe(&cobra.Command{
		Use: "new", Short: "Print a new key", Args: none,
		Long:    "Print a new random key on stdout, and its fingerprint on stderr.",
		Example: "  umask 077; understudy key new > staging.key",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.command = "key new"
			if a.json {
				return fault.New(fault.Usage, "usage", "understudy key new > FILE", "a key is not printed as JSON: reports are kept and shown around")
			}
			key, text, err := mask.NewKey()
			if err != nil {
				return err
			}
			a.say("%s\n", text.Reveal())
			a.complain("key %s\n", key.Fingerprint())
			return nil
		},
	}, fault.Usage)
}

func (a *app) keyFingerprint() *cobra.Command {
	var file, env string
	c := &cobra.Command{
		Use: "fingerprint", Short: "Print the fingerprint of the job's key, or of another", Args: none,
		Long:    "Print a key's fingerprint: a one-way name that may stand in reports. Two keys with the\nsame fingerprint make the same fakes.",
		Example: "  understudy key fingerprint\n  understudy key fingerprint --file staging.key",
	}
	c.Flags().StringVar(&file, "file", "", "a `FILE` that holds the key")
	c.Flags().StringVar(&env, "env", "", "the environment `VARIABLE` that holds the key")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		a.command = "key fingerprint"
		source := config.KeySource{File: file, Env: env}
		if file != "" && env != "" {
			return fault.New(fault.Usage, "usage", "give --file or --env", "both --file and --env are given")
		}
		if file == "" && env == "" {
			job, found := config.Read(a.jobFile, a.Getenv)
			if job.Key.At.Line == 0 {
				return fault.From(found, fault.Usage)
			}
			source = job.Key
		}
		text, found := config.LoadKey(cmd.Context(), source, a.Getenv)
		if err := fault.From(found, fault.Usage); err != nil {
			return err
		}
		a.notes = append(a.notes, found...)
		key, err := mask.ParseKey(text)
		if err != nil {
			return fault.New(fault.Usage, "key", "make one with `understudy key new`", "%s", err)
		}
		a.payload = map[string]string{"key_fingerprint": key.Fingerprint()}
		a.say("%s\n", key.Fingerprint())
		return nil
	}
	return describe(c, fault.Usage)
}

// warningsOf gives the findings that JSON readers get in the envelope; for
// people they stand in the plan.
func warningsOf(fs []finding.Finding, json bool) []finding.Finding {
	var out []finding.Finding
	if json {
		for _, f := range fs {
			if f.Severity != finding.Error {
				out = append(out, f)
			}
		}
	}
	return out
}
