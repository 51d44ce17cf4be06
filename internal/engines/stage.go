package engines

import (
	"context"
	"os"
	"path/filepath"

	"understudy/internal/engine/mysql"
	"understudy/internal/fault"
	"understudy/internal/scratch"
	"understudy/internal/secret"
)

// A Stage is two empty databases for the demo.
type Stage struct {
	Production, Staging secret.Text
	stop                func(context.Context)
}

// Stop ends what was started for the stage.
func (s *Stage) Stop(ctx context.Context) {
	if s.stop != nil {
		s.stop(ctx)
	}
}

// embeddedStage is two files, which must not be there yet.
func embeddedStage(_ context.Context, dir string) (*Stage, error) {
	for _, name := range []string{"production.db", "staging.db"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return nil, fault.New(fault.Usage, "demo", "go on with the demo that is there, or name another directory with `--dir`", "%s is there already", filepath.Join(dir, name))
		}
	}
	return &Stage{
		Production: secret.New("sqlite:" + filepath.Join(dir, "production.db")),
		Staging:    secret.New("sqlite:" + filepath.Join(dir, "staging.db")),
	}, nil
}

// postgresStage is two databases of a server started from installed programs.
func postgresStage(ctx context.Context, _ string) (*Stage, error) {
	server, err := scratch.StartPostgres(ctx, scratch.Options{})
	if err != nil {
		return nil, err
	}
	stop := func(ctx context.Context) { _ = server.Stop(ctx) } // its files go with it; nothing can be done about a failure
	for _, name := range []string{"shop_production", "shop_staging"} {
		if err := server.CreateDatabase(ctx, name); err != nil {
			stop(ctx)
			return nil, err
		}
	}
	return &Stage{Production: secret.New(server.URL("shop_production")), Staging: secret.New(server.URL("shop_staging")), stop: stop}, nil
}

// mysqlStage is two databases of a MariaDB or MySQL server started from installed programs.
func mysqlStage(ctx context.Context, _ string) (*Stage, error) {
	server, err := scratch.StartMySQL(ctx, scratch.MySQLOptions{})
	if err != nil {
		return nil, err
	}
	stop := func(ctx context.Context) { _ = server.Stop(ctx) } // its files go with it; nothing can be done about a failure
	stage := &Stage{Production: secret.New(server.URL("shop_production")), Staging: secret.New(server.URL("shop_staging")), stop: stop}
	for _, url := range []secret.Text{stage.Production, stage.Staging} {
		at, err := mysql.New().Parse(url)
		if err == nil {
			err = mysql.Create(ctx, at)
		}
		if err != nil {
			stop(ctx)
			return nil, err
		}
	}
	return stage, nil
}
