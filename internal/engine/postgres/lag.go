package postgres

import (
	"context"
	"strconv"
	"time"

	"understudy/internal/engine"
)

var (
	_ engine.Followed = (*source)(nil)
	_ engine.Followed = (*target)(nil)
)

// Lag asks a server for its replicas: a primary for what its senders know, which
// a role without the right to it sees as NULL; a standby for how old the last
// transaction is that it replayed, unless it has replayed all that it got.
func (s *side) Lag(ctx context.Context) (engine.Lag, error) {
	var lag engine.Lag
	err := s.with(ctx, func(c *conn) error {
		rows, err := c.query(ctx, "ask how far the replicas are behind", `
			SELECT pg_catalog.pg_is_in_recovery(), CASE WHEN pg_catalog.pg_is_in_recovery() THEN CASE
					WHEN pg_catalog.pg_last_wal_receive_lsn() IS DISTINCT FROM pg_catalog.pg_last_wal_replay_lsn()
					THEN extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) END
				ELSE (SELECT max(extract(epoch FROM replay_lag)) FROM pg_catalog.pg_stat_replication WHERE state IN ('streaming', 'catchup')) END,
				(SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE state IS NULL)`)
		if err != nil {
			return err
		}
		if string(rows[0][2]) != "0" {
			return &engine.Error{Code: engine.Denied, Doing: "ask how far the replicas are behind", Say: "the role may not see it",
				Hint: "GRANT pg_monitor TO " + quote(c.user) + ", or leave limits.replica_lag out"}
		}
		lag.Itself = isTrue(rows[0][0])
		if seconds, err := strconv.ParseFloat(string(rows[0][1]), 64); err == nil { // NULL where nothing is behind
			lag.Behind = max(0, time.Duration(seconds*float64(time.Second)))
		}
		return nil
	})
	return lag, err
}
