// SPDX-License-Identifier: Apache-2.0

package main

// Transactions and COPY: ended, failed, left, and cancelled by a context.

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/lib/pq"
)

func init() {
	addEveryWay("commit is seen by another connection and rollback is not", commits)
	add("savepoints and an error in a transaction", savepoints)
	add("COMMIT of a failed transaction is an error of the driver", failedCommit)
	add("isolation levels and read only transactions", isolation)
	addEveryWay("COPY in by the driver's statement", copyIn)
	add("COPY in with its schema and 100,000 rows", copyLarge)
	add("COPY in of a bad row fails alone", copyBadRow)
	add("COPY in is left by rollback", copyLeft)
	add("a context cancels a statement", cancelStatement)
	add("a context cancels a statement in a transaction", cancelInTransaction)
	add("a context's deadline ends a transaction that waits", deadline)
	add("a context cancels while rows are read", cancelRows)
	add("a connection closed in a transaction has rolled it back", leftOpen)
	add("advisory locks of a transaction", advisory)
}

func commits(t *target) {
	db, other := t.one(), t.one()
	name := table(db, "id int")
	for i := 0; i < 10; i++ {
		tx, err := db.Begin()
		check(err)
		exec(tx, "INSERT INTO "+name+" VALUES ($1)", i)
		same(fmt.Sprint((i+1)/2), value(other, "SELECT count(*) FROM "+name))
		if i%2 == 0 {
			check(tx.Commit())
		} else {
			check(tx.Rollback())
		}
	}
}

func savepoints(t *target) {
	db := t.one()
	name := table(db, "id int PRIMARY KEY")
	tx, err := db.Begin()
	check(err)
	exec(tx, "INSERT INTO "+name+" VALUES (1)")
	exec(tx, "SAVEPOINT one")
	same("23505", execState(tx, "INSERT INTO "+name+" VALUES ($1)", 1))
	same("25P02", execState(tx, "SELECT 1"))
	exec(tx, "ROLLBACK TO one")
	exec(tx, "INSERT INTO "+name+" VALUES ($1)", 2)
	check(tx.Commit())
	same("2", value(db, "SELECT count(*) FROM "+name))
}

func failedCommit(t *target) {
	db := t.one()
	for i := 0; i < 3; i++ {
		tx, err := db.Begin()
		check(err)
		same("22012", execState(tx, "SELECT 1 / 0"))
		same("pq: Could not complete operation in a failed transaction", state(tx.Commit()))
		same("1", value(db, "SELECT 1"))
	}
}

func isolation(t *target) {
	db := t.one()
	levels := map[sql.IsolationLevel]string{
		sql.LevelDefault: "read committed", sql.LevelRepeatableRead: "repeatable read", sql.LevelSerializable: "serializable"}
	for level, shown := range levels {
		tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: level, ReadOnly: true})
		check(err)
		same(shown, value(tx, "SHOW transaction_isolation"))
		same("25006", execState(tx, "CREATE TABLE never (id int)"))
		check(tx.Rollback())
		same("off", value(db, "SHOW transaction_read_only"))
	}
}

func copyRows(tx *sql.Tx, name string, rows ...interface{}) error {
	statement, err := tx.Prepare(pq.CopyIn(name, "id", "body"))
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err = statement.Exec(row, "a\tb\\\n"); err != nil {
			return err
		}
	}
	if _, err = statement.Exec(); err != nil {
		return err
	}
	return statement.Close()
}

func copyIn(t *target) {
	db := t.one()
	name := table(db, "id int, body text")
	for i := 0; i < 4; i++ {
		tx, err := db.Begin()
		check(err)
		check(copyRows(tx, name, 1, 2, nil))
		same(fmt.Sprint(3*((i+1)/2)+3), value(tx, "SELECT count(*) FROM "+name+" WHERE body = $1", "a\tb\\\n"))
		if i%2 == 0 {
			check(tx.Commit())
		} else {
			check(tx.Rollback())
		}
	}
	same("6", value(db, "SELECT count(*) FROM "+name))
}

func copyLarge(t *target) {
	db := t.one()
	name := table(db, "id int, body text")
	tx, err := db.Begin()
	check(err)
	statement, err := tx.Prepare(pq.CopyInSchema("public", name, "id", "body"))
	check(err)
	for i := 0; i < 100_000; i++ {
		_, err = statement.Exec(i, "a row of no great length")
		check(err)
	}
	_, err = statement.Exec()
	check(err)
	check(statement.Close())
	check(tx.Commit())
	same("100000", value(db, "SELECT count(*) FROM "+name))
}

func copyBadRow(t *target) {
	db := t.one()
	name := table(db, "id int, body text")
	for i := 0; i < 3; i++ {
		tx, err := db.Begin()
		check(err)
		same("22P02", state(copyRows(tx, name, 1, "none", 3)))
		check(tx.Rollback())
		same("0", value(db, "SELECT count(*) FROM "+name))
	}
	tx, err := db.Begin()
	check(err)
	same("42P01", state(copyRows(tx, "nowhere", 1)))
	check(tx.Rollback())
}

func copyLeft(t *target) {
	db := t.one()
	name := table(db, "id int, body text")
	for i := 0; i < 3; i++ {
		tx, err := db.Begin()
		check(err)
		statement, err := tx.Prepare(pq.CopyIn(name, "id", "body"))
		check(err)
		_, err = statement.Exec(1, "one")
		check(err)
		check(statement.Close())
		check(tx.Rollback())
		same("0", value(db, "SELECT count(*) FROM "+name))
	}
}

func soon(after time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), after)
}

func cancelStatement(t *target) {
	db := t.open()
	for i := 0; i < 4; i++ {
		ctx, cancel := soon(150 * time.Millisecond)
		_, err := db.ExecContext(ctx, "SELECT pg_sleep($1)", 20)
		cancel()
		holds(err != nil, "an error")
		same("1", value(db, "SELECT 1"))
	}
	for left := 1; left > 0; time.Sleep(10 * time.Millisecond) {
		left = 0
		check(db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep($1)%' AND state = 'active'").Scan(&left))
	}
}

func cancelInTransaction(t *target) {
	db := t.open()
	name := table(db, "id int")
	for i := 0; i < 4; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		tx, err := db.BeginTx(ctx, nil)
		check(err)
		exec(tx, "INSERT INTO "+name+" VALUES (1)")
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err = tx.ExecContext(ctx, "SELECT pg_sleep(20)")
		holds(err != nil, "an error")
		holds(tx.Commit() != nil, "no commit")
		cancel()
	}
	exec(db, "LOCK TABLE "+name+"; SELECT 1")
	same("0", value(db, "SELECT count(*) FROM "+name))
}

func deadline(t *target) {
	one, two := t.one(), t.one()
	name := table(one, "id int")
	tx, err := one.Begin()
	check(err)
	exec(tx, "LOCK TABLE "+name)
	ctx, cancel := soon(200 * time.Millisecond)
	defer cancel()
	waiter, err := two.BeginTx(ctx, nil)
	check(err)
	_, err = waiter.ExecContext(ctx, "SELECT * FROM "+name)
	holds(err != nil, "an error")
	check(tx.Commit())
	same("0", value(two, "SELECT count(*) FROM "+name))
}

func cancelRows(t *target) {
	db := t.open()
	for i := 0; i < 4; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		rows, err := db.QueryContext(ctx, "SELECT generate_series(1, 10000000)")
		check(err)
		for n := 0; n < 10; n++ {
			holds(rows.Next(), "a row")
		}
		cancel()
		for rows.Next() {
		}
		holds(rows.Err() != nil, "an error")
		rows.Close()
		same("1", value(db, "SELECT 1"))
	}
}

func leftOpen(t *target) {
	db := t.one()
	name := table(db, "id int")
	for i := 0; i < 5; i++ {
		conn, err := db.Driver().Open(encryption())
		check(err)
		_, err = conn.(driver.ExecerContext).ExecContext(context.Background(),
			"BEGIN; LOCK TABLE "+name+"; INSERT INTO "+name+" VALUES (1)", nil)
		check(err)
		check(conn.Close())
	}
	exec(db, "SET lock_timeout = '10s'")
	same("0", value(db, "SELECT count(*) FROM "+name))
}

func advisory(t *target) {
	one, two := t.one(), t.one()
	tx, err := one.Begin()
	check(err)
	exec(tx, "SELECT pg_advisory_xact_lock(99)")
	same("false", value(two, "SELECT pg_try_advisory_xact_lock(99)"))
	check(tx.Commit())
	same("true", value(two, "SELECT pg_try_advisory_xact_lock(99)"))
}
