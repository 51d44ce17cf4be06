package scratch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"

	"understudy/internal/fault"
)

// Standby copies the running server with pg_basebackup and starts the copy as
// its hot standby: it follows the first and only reads. The standby has the
// first server's roles and passwords, an address and a directory of its own,
// and is stopped by its caller, before the first.
func (p *Postgres) Standby(ctx context.Context, settings map[string]string) (*Postgres, error) {
	dir, err := newDirectory(p.as)
	if err != nil {
		return nil, err
	}
	s := newPostgres(p.bin, p.as, dir, p.password)
	err = s.copyOf(ctx, p)
	if err == nil {
		all := map[string]string{"unix_socket_directories": s.socketDir(), "hot_standby": "on"}
		maps.Copy(all, settings)
		err = s.configure(all)
	}
	if err == nil {
		err = s.startOnFreePort(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	return s, nil
}

// copyOf fills the data directory from a running server, with the settings
// that make it a standby.
func (p *Postgres) copyOf(ctx context.Context, first *Postgres) error {
	shown, password := withoutPassword(first.URL(superuser))
	cmd := p.command(ctx, filepath.Join(p.bin, "pg_basebackup"), "-D", p.DataDir(), "-d", shown, "-X", "stream", "-c", "fast", "-R", "--no-sync")
	cmd.Env = append(cmd.Env, "PGPASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fault.New(fault.Unavailable, "scratch-server", fmt.Sprintf("is pg_basebackup in %s?", filepath.Clean(p.bin)),
			"pg_basebackup: %v: %s", err, lastLine(out)).Because(err)
	}
	return nil
}
