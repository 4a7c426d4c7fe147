// SPDX-License-Identifier: Apache-2.0

package main

// Connections: pools of them, their settings, and being refused.

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lib/pq"
)

func init() {
	addEveryWay("a pool of twenty answers four hundred queries", pool)
	add("transactions of twenty goroutines wait for their turn", turns)
	add("a pool that keeps no idle connection", noIdle)
	add("a connection of the pool keeps what it was told", heldConnection)
	add("settings with the connection", settings)
	add("options with the connection", options)
	add("refused settings, passwords and databases", refused)
	add("time zones of two connections are kept apart", zones)
	add("statement_timeout of the connection", statementTimeout)
	add("a listener hears what others notify", listen)
}

// together runs the body in so many goroutines and fails with the first of their problems.
func together(count int, body func(number int) error) {
	problems := make(chan error, count)
	var group sync.WaitGroup
	for i := 0; i < count; i++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			if err := body(number); err != nil {
				problems <- err
			}
		}(i)
	}
	group.Wait()
	close(problems)
	check(<-problems)
}

func pool(t *target) {
	db := t.open()
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	together(20, func(number int) error {
		for i := 0; i < 20; i++ {
			var got int
			if err := db.QueryRow("SELECT $1::int + $2::int", number, i).Scan(&got); err != nil || got != number+i {
				return fmt.Errorf("%d: %w", got, err)
			}
		}
		return nil
	})
}

func turns(t *target) {
	db := t.open()
	db.SetMaxIdleConns(20)
	name := table(db, "id int")
	together(20, func(number int) error {
		for i := 0; i < 5; i++ {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			if _, err = tx.Exec("INSERT INTO "+name+" VALUES ($1)", number); err != nil {
				return err
			}
			if _, err = tx.Exec("SELECT pg_sleep(0.005)"); err != nil {
				return err
			}
			if err = tx.Commit(); err != nil {
				return err
			}
		}
		return nil
	})
	same("100", value(db, "SELECT count(*) FROM "+name))
}

func noIdle(t *target) {
	db := t.open()
	db.SetMaxIdleConns(-1)
	for i := 0; i < 30; i++ {
		same(fmt.Sprint(i), value(db, "SELECT $1::int", i))
	}
}

func heldConnection(t *target) {
	db := t.open()
	conn, err := db.Conn(context.Background())
	check(err)
	defer conn.Close()
	exec(conn, "SET work_mem = '9MB'")
	exec(conn, "CREATE TEMP TABLE scratch (id int)")
	for i := 1; i < 6; i++ {
		exec(conn, "INSERT INTO scratch VALUES ($1)", i)
		same(fmt.Sprint(i), value(conn, "SELECT count(*) FROM scratch"))
		same("9MB", value(conn, "SHOW work_mem"))
		same("4MB", value(db, "SHOW work_mem"))
	}
}

func settings(t *target) {
	one, two := t.one("application_name=first", "work_mem=7MB", "search_path=one"), t.one("fallback_application_name=second")
	for i := 0; i < 4; i++ {
		same("first", value(one, "SHOW application_name"))
		same("7MB", value(one, "SHOW work_mem"))
		same("one", value(one, "SHOW search_path"))
		same("second", value(two, "SHOW application_name"))
		same("4MB", value(two, "SHOW work_mem"))
	}
}

func options(t *target) {
	db := t.one("options='-c work_mem=6MB --lock_timeout=7s -c statement_timeout=5min'")
	for i := 0; i < 3; i++ {
		same("6MB", value(db, "SHOW work_mem"))
		same("7s", value(db, "SHOW lock_timeout"))
		same("5min", value(db, "SHOW statement_timeout"))
	}
}

func refused(t *target) {
	same("28P01", state(t.one("password=wrong").Ping()))
	same("28P01", state(t.one("user=nobody").Ping()))
	same("3D000", state(t.one("dbname=nowhere").Ping()))
	same("22023", state(t.one("work_mem=lots").Ping()))
	same("42704", state(t.one("nothing_such=1").Ping()))
	same("55P02", state(t.one("options='-c fsync=off'").Ping()))
	check(t.one().Ping())
}

func zones(t *target) {
	tokyo, lima := t.one("TimeZone=Asia/Tokyo"), t.one("TimeZone=America/Lima")
	for i := 0; i < 4; i++ {
		same("21:00", value(tokyo, "SELECT to_char('2024-01-01 12:00+00'::timestamptz, $1)", "HH24:MI"))
		same("07:00", value(lima, "SELECT to_char('2024-01-01 12:00+00'::timestamptz, $1)", "HH24:MI"))
	}
}

func statementTimeout(t *target) {
	db := t.one("statement_timeout=150")
	for i := 0; i < 3; i++ {
		same("57014", execState(db, "SELECT pg_sleep(20)"))
		same("150ms", value(db, "SHOW statement_timeout"))
	}
}

func listen(t *target) {
	db := t.open()
	listener := pq.NewListener(encryption(), 100*time.Millisecond, time.Second, nil)
	defer listener.Close()
	check(listener.Listen("go_news"))
	for i := 0; i < 3; i++ {
		exec(db, "SELECT pg_notify('go_news', $1)", fmt.Sprint(i))
		select {
		case heard := <-listener.Notify:
			same("go_news "+fmt.Sprint(i), heard.Channel+" "+heard.Extra)
		case <-time.After(5 * time.Second):
			fail("nothing heard")
		}
	}
	check(listener.Ping())
	check(listener.Unlisten("go_news"))
}
