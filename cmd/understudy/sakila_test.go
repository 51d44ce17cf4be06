package main

import (
	"fmt"
	"strconv"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// sakila makes a database of the sample in its PostgreSQL form: a store and its
// manager that need each other (NOT NULL both ways), payments in tables that
// inherit, and foreign keys on the heirs.
func sakila(t *testing.T) string {
	t.Helper()
	files := []string{"sakila/sakila-pg-schema.sql.gz", "sakila/sakila-pg-data.sql.gz"}
	for i, f := range files {
		files[i] = scratchtest.SampleDatabase(t, f)
	}
	db := scratchtest.Database(t)
	for _, f := range files {
		scratchtest.Load(t, db, f)
	}
	for month := 1; month <= 6; month++ { // the dump leaves the heirs empty
		scratchtest.SQL(t, db, fmt.Sprintf(`WITH moved AS (DELETE FROM ONLY payment WHERE payment_id %% 12 = %[1]d RETURNING *)
			INSERT INTO payment_p2007_0%[1]d SELECT payment_id, customer_id, staff_id, rental_id, amount, date '2007-0%[1]d-01' + (payment_id %% 28) * interval '1 day 1 hour' FROM moved`, month))
	}
	return db
}

func TestSakilaTenth(t *testing.T) {
	t.Parallel()
	for _, into := range []string{"staging with its schema", "empty target"} {
		t.Run(into, func(t *testing.T) {
			t.Parallel()
			prod, staging := sakila(t), scratchtest.Database(t)
			if into != "empty target" {
				copyStructure(t, prod, staging)
			}
			e := sampleErrand(t, "sakila", prod, staging)
			e.run(t, 0, "refresh")
			wantWhole(t, prod, staging)
			customers, err := strconv.Atoi(scratchtest.Query(t, staging, "SELECT count(*) FROM customer"))
			if err != nil || customers < 25 || customers > 110 {
				t.Errorf("%d customers of 599 came along (%v)", customers, err)
			}
			wantSakilaMembers(t, prod, staging)
			wantNoneOf(t, prod, staging, "customer", "customer_id", "email", "first_name", "last_name")
			first := sortedDump(t, staging)
			wantRepeatable(t, e, staging, first)
			wantSequencesAhead(t, staging)
		})
	}
}

// wantSakilaMembers wants each payment of the customers who came in the same
// member of its family as in production, and every rental's inventory there.
func wantSakilaMembers(t *testing.T, prod, staging string) {
	t.Helper()
	ids := seeded(t, prod, staging)
	q := "SELECT tableoid::regclass, count(*), sum(payment_id), sum(amount) FROM payment WHERE customer_id IN (" + ids + ") GROUP BY tableoid::regclass::text, tableoid ORDER BY tableoid::regclass::text"
	same(t, "payments by member", scratchtest.Query(t, prod, q), scratchtest.Query(t, staging, q))
	q = "SELECT count(*), sum(rental_id) FROM rental WHERE customer_id IN (" + ids + ")"
	same(t, "rentals", scratchtest.Query(t, prod, q), scratchtest.Query(t, staging, q))
}

func TestSakilaWhole(t *testing.T) {
	t.Parallel()
	prod, staging := sakila(t), scratchtest.Database(t)
	copyStructure(t, prod, staging)
	e := sampleErrand(t, "sakila", prod, staging)
	e.wholeOf(t, "sakila")
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
	wantAllRows(t, prod, staging)
	wantSakilaMembers(t, prod, staging)
	wantSequencesAhead(t, staging)
}
