package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"understudy/internal/cli"
)

// fullDisk is a stdout that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestMetricsWhateverHappens runs refreshes that end by an interrupt, with a
// stdout that cannot be written to, and with a metrics file that turns out to be
// unreadable: the figures say how each ended, and remember the last success.
func TestMetricsWhateverHappens(t *testing.T) {
	dir := t.TempDir()
	text := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	ctx := context.Background()
	run := func(ctx context.Context, stdout io.Writer, args ...string) (int, string) {
		var stderr bytes.Buffer
		w := cli.World{Stdout: stdout, Stderr: &stderr, Now: time.Now, Getenv: func(name string) string {
			return map[string]string{"PROD_URL": "sqlite:" + dir + "/production.db", "STAGING_URL": "sqlite:" + dir + "/staging.db", "UNDERSTUDY_KEY": testKey}[name]
		}}
		return cli.Run(ctx, context.Background(), args, w), stderr.String()
	}
	if code, told := run(ctx, io.Discard, "demo", "-q", "--dir", dir); code != 0 {
		t.Fatalf("demo: exit %d\n%s", code, told)
	}
	file, job := filepath.Join(dir, "m.prom"), filepath.Join(dir, "understudy.yaml")
	figure := func(name string) string {
		for line := range strings.Lines(text(file)) {
			if rest, ok := strings.CutPrefix(line, "understudy_"+name+"{"); ok {
				return strings.TrimSpace(rest[strings.LastIndex(rest, " "):])
			}
		}
		return "none"
	}
	refresh := func(ctx context.Context, stdout io.Writer, want int, more ...string) {
		t.Helper()
		code, told := run(ctx, stdout, append([]string{"refresh", "-q", "-f", job, "--metrics", file}, more...)...)
		if code != want || figure("last_run_exit_code") != fmt.Sprint(want) {
			t.Errorf("exit %d, the figures say %s, want %d\n%s", code, figure("last_run_exit_code"), want, told)
		}
	}
	refresh(ctx, io.Discard, 0)
	success, generation := figure("last_success_timestamp_seconds"), figure("last_generation_timestamp_seconds")
	if success == "0" || success != generation {
		t.Fatalf("success %s, generation %s", success, generation)
	}
	interrupted, cancel := context.WithCancel(ctx)
	cancel()
	refresh(interrupted, io.Discard, 130)
	for _, flags := range [][]string{nil, {"--json"}} {
		refresh(ctx, fullDisk{}, 8, flags...)
		if figure("last_success_timestamp_seconds") != success || figure("last_generation_timestamp_seconds") == generation {
			t.Errorf("after a run whose answer was lost: success %s, generation %s", figure("last_success_timestamp_seconds"), figure("last_generation_timestamp_seconds"))
		}
	}
	if err := os.WriteFile(file, []byte("\x00 somebody else's\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	refresh(interrupted, io.Discard, 130)
	if figure("last_success_timestamp_seconds") != "0" {
		t.Error("a success out of nowhere")
	}
}
