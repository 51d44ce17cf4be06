package mysql

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// TestOneMomentWithoutBinaryLog: where the server writes no binary log, or leaves the
// database out of it, InnoDB tells
// whether several readers see one moment, while others write; a user who may not ask
// it reads with one session and is told why.
func TestOneMomentWithoutBinaryLog(t *testing.T) {
	for name, c := range map[string]struct {
		maria   bool
		setting string
		log     string
	}{
		"MariaDB": {true, "skip_log_bin", "0"}, "MySQL": {false, "skip_log_bin", "0"},
		"MariaDB, one that leaves the database out": {true, "binlog_do_db", "1"}, "MySQL, one that leaves the database out": {false, "binlog_do_db", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			server := scratchtest.OwnMySQL(t, c.maria, map[string]string{c.setting: "1"})
			url := freshDatabase(t, server)
			db := application(t, url)
			must(t, db, "CREATE TABLE accounts (id int PRIMARY KEY, amount int)", "INSERT INTO accounts VALUES (1, 0), (2, 0), (3, 0)")
			if on, err := query(t.Context(), db, "SELECT @@GLOBAL.log_bin"); err != nil || on[0] != c.log {
				t.Fatalf("the binary log: %q, %v", on, err)
			}
			o := open(t, url, engine.Limits{Readers: 3})
			if moment := o.snap.(engine.Momentary).Moment(); !strings.HasPrefix(moment, "3 sessions") {
				t.Errorf("the moment: %s", moment)
			}
			blind := open(t, user(t, db, url, "GRANT SELECT ON "+databaseOf(url)+".* TO %s", "GRANT REPLICATION CLIENT ON *.* TO %s"), engine.Limits{Readers: 3})
			if moment := blind.snap.(engine.Momentary).Moment(); !strings.HasPrefix(moment, "one session") || !strings.Contains(moment, "PROCESS") {
				t.Errorf("the moment of a user without PROCESS: %s", moment)
			}

			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			ctx, stop := context.WithCancel(t.Context())
			var writers sync.WaitGroup
			for id := 1; id <= 3; id++ {
				random := rand.New(rand.NewPCG(seed, uint64(id)))
				writers.Go(func() {
					for ctx.Err() == nil {
						tx, err := db.BeginTx(ctx, nil)
						if err != nil {
							return
						}
						_, _ = tx.ExecContext(ctx, "UPDATE accounts SET amount = amount + 1 WHERE id = ?", id)
						_ = tx.Commit()
						select { // what there is to see has to change between readers, and to rest now and then
						case <-time.After(time.Duration(random.IntN(3000)) * time.Microsecond):
						case <-ctx.Done():
						}
					}
				})
			}
			src := o.Source.(*source)
			conns, err := src.open(t.Context(), 3)
			if err != nil {
				t.Fatal(err)
			}
			defer hangUpAll(conns)
			known, unknown := 0, 0
			err = src.with(t.Context(), func(c *conn) error {
				for end := time.Now().Add(time.Minute); known < 100 && time.Now().Before(end); {
					way, reason, err := byEngine(t.Context(), c, conns)
					if err != nil || reason != "" {
						t.Fatalf("%s, %v", reason, err)
					}
					if way == "" {
						unknown++
						continue
					}
					known++
					first := ""
					for i, r := range conns {
						got, err := r.value(t.Context(), "look", "SELECT GROUP_CONCAT(amount ORDER BY id) FROM "+quote(databaseOf(url))+".accounts")
						if err != nil {
							return err
						}
						if i > 0 && got != first {
							t.Fatalf("readers of one moment saw %s and %s", first, got)
						}
						first = got
					}
				}
				return nil
			})
			stop()
			writers.Wait()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d moments were known to be one, %d were not", known, unknown)
			if known < 100 || unknown == 0 {
				t.Errorf("%d moments were known to be one, %d were not: both must happen", known, unknown)
			}
		})
	}
}

// TestStatusOfMySQL: a transaction that writes, and a list that was cut off, tell nothing.
func TestStatusOfMySQL(t *testing.T) {
	const head = "Trx id counter 1546\nLIST OF TRANSACTIONS FOR EACH SESSION:\n---TRANSACTION 37, not started\n0 lock struct(s)\n"
	for status, want := range map[string]string{
		head + "--------\nFILE I/O\n": "1546",
		head:                          "",
		head + "---TRANSACTION 1545, ACTIVE 2 sec\n--------\nFILE I/O\n":       "",
		head + "---TRANSACTION 1545, ACTIVE (PREPARED) 2 sec\n---\nFILE I/O\n": "",
		"FILE I/O\n": "",
		head + "... truncated...\n--------\nFILE I/O\n":                                       "",
		"UPDATE x SET a = '\nTrx id counter 1\nFILE I/O\n'\n" + head + "--------\nFILE I/O\n": "",
	} {
		if got := unwritten(status); got != want {
			t.Errorf("%q for %q", got, status)
		}
	}
}

// TestViewsOfAStatus: a statement's text in InnoDB's status is taken for nobody's view.
func TestViewsOfAStatus(t *testing.T) {
	const mine = "---TRANSACTION 421, ACTIVE 1 sec\n0 lock struct(s)\nMariaDB thread id 7, OS thread handle 1, query id 9 localhost u\nTrx read view will not see trx with id >= 20, sees < 18\n"
	const forged = "---TRANSACTION 99, ACTIVE 1 sec\nMariaDB thread id 8, OS thread handle 2, query id 3 localhost u\nSELECT '\nMariaDB thread id 7,\nTrx read view will not see trx with id >= 20, sees < 20\n'\n"
	if got := viewsIn(mine); len(got) != 1 || got["7"] != (view{"18", "20"}) {
		t.Errorf("views %v", got)
	}
	for _, status := range []string{mine + forged, forged + mine} {
		if got := viewsIn(status); got["7"] != (view{}) {
			t.Errorf("a forged view: %v", got)
		}
	}
}
