// SPDX-License-Identifier: Apache-2.0

// The cases: queries, transactions, prepared statements, state, time-outs, pools.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

type named struct {
	name string
	body func(*target)
}

var interpolated = func(config *mysql.Config) { config.InterpolateParams = true }

var cases = []named{
	{"queries, counts and generated ids", func(t *target) {
		db := t.open(nil)
		name := table(db, plain)
		result := run(db, "INSERT INTO "+name+" (v) VALUES (?), (?)", "a", "b")
		id, err := result.LastInsertId()
		must(err)
		same([]int64{affected(result), id}, []int64{2, 1})
		same(value(db, "SELECT group_concat(v ORDER BY id) FROM "+name), "a,b")
	}},
	{"transactions commit and roll back", func(t *target) {
		db := t.open(nil)
		name := table(db, plain)
		for i := 0; i < 6; i++ {
			tx, err := db.Begin()
			must(err)
			run(tx, "INSERT INTO "+name+" (v) VALUES (?)", i)
			if i%2 == 0 {
				must(tx.Commit())
			} else {
				must(tx.Rollback())
			}
		}
		same(value(db, "SELECT count(*) FROM "+name), 3)
	}},
	{"isolation levels and read-only transactions", func(t *target) {
		db := t.open(nil)
		name := table(db, plain)
		for _, level := range []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelSerializable, sql.LevelRepeatableRead} {
			tx, err := db.BeginTx(nothing, &sql.TxOptions{Isolation: level})
			must(err)
			run(tx, "INSERT INTO "+name+" (v) VALUES ('x')")
			must(tx.Commit())
		}
		tx, err := db.BeginTx(nothing, &sql.TxOptions{ReadOnly: true})
		must(err)
		_, err = tx.Exec("INSERT INTO " + name + " (v) VALUES ('x')")
		same(code(err), 1792)
		must(tx.Rollback())
		same(value(db, "SELECT count(*) FROM "+name), 3)
	}},
	{"errors have their numbers", func(t *target) {
		db := t.open(nil)
		name := table(db, plain)
		_, err := db.Exec("SELEC 1")
		same(code(err), 1064)
		_, err = db.Exec("SELECT * FROM nowhere WHERE a = ?", 1)
		same(code(err), 1146)
		run(db, "INSERT INTO "+name+" VALUES (1, 'a')")
		_, err = db.Exec("INSERT INTO "+name+" VALUES (?, ?)", 1, "a")
		same(code(err), 1062)
		same(value(db, "SELECT 1"), 1)
	}},
	{"an error within a transaction leaves it open", func(t *target) {
		db := t.open(nil)
		name := table(db, plain)
		tx, err := db.Begin()
		must(err)
		run(tx, "INSERT INTO "+name+" VALUES (1, 'a')")
		_, err = tx.Exec("INSERT INTO "+name+" VALUES (?, ?)", 1, "a")
		same(code(err), 1062)
		run(tx, "INSERT INTO "+name+" VALUES (2, 'b')")
		must(tx.Commit())
		same(value(db, "SELECT count(*) FROM "+name), 2)
	}},
	{"a prepared statement serves many goroutines", func(t *target) {
		db := t.open(nil)
		db.SetMaxOpenConns(2)
		statement, err := db.Prepare("SELECT ? + 1")
		must(err)
		defer statement.Close()
		var group sync.WaitGroup
		wrong := make(chan error, 200)
		for i := 0; i < 100; i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				var got int
				if err := statement.QueryRow(i).Scan(&got); err != nil || got != i+1 {
					wrong <- fmt.Errorf("%d: %v, %v", i, got, err)
				}
			}(i)
		}
		group.Wait()
		if len(wrong) > 0 {
			panic(<-wrong)
		}
	}},
	{"prepared statements on eight connections", func(t *target) {
		db := t.open(nil)
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
		statement, err := db.Prepare("SELECT ? * 2")
		must(err)
		defer statement.Close()
		var group sync.WaitGroup
		wrong := make(chan error, 400)
		for i := 0; i < 160; i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				var got int
				if err := statement.QueryRow(i).Scan(&got); err != nil || got != i*2 {
					wrong <- fmt.Errorf("%d: %v, %v", i, got, err)
				}
			}(i)
		}
		group.Wait()
		if len(wrong) > 0 {
			panic(<-wrong)
		}
	}},
	{"a prepared statement within transactions", func(t *target) {
		db := t.open(nil)
		db.SetMaxOpenConns(2)
		name := table(db, plain)
		insert, err := db.Prepare("INSERT INTO " + name + " (v) VALUES (?)")
		must(err)
		defer insert.Close()
		for i := 0; i < 10; i++ {
			tx, err := db.Begin()
			must(err)
			_, err = tx.Stmt(insert).Exec(i)
			must(err)
			must(tx.Commit())
		}
		same(value(db, "SELECT count(*) FROM "+name), 10)
	}},
	{"values of every kind, prepared", func(t *target) { everyKind(t, nil) }},
	{"values of every kind, interpolated", func(t *target) { everyKind(t, interpolated) }},
	{"rows are read one by one", func(t *target) {
		db := t.open(nil)
		name := table(db, "n int PRIMARY KEY, pad varchar(300)")
		run(db, "INSERT INTO "+name+" VALUES (0, repeat('x', 250))")
		for size := 1; size < 4096; size *= 2 {
			run(db, fmt.Sprintf("INSERT INTO %s SELECT n + %d, pad FROM %s", name, size, name))
		}
		for _, args := range [][]interface{}{{}, {-1}} {
			text := "SELECT n, pad FROM " + name
			if len(args) > 0 {
				text += " WHERE n > ?"
			}
			rows, err := db.Query(text+" ORDER BY n", args...)
			must(err)
			next := 0
			for rows.Next() {
				var n int
				var pad string
				must(rows.Scan(&n, &pad))
				same(n, next)
				next++
			}
			must(rows.Err())
			same(next, 4096)
		}
	}},
	{"rows that are not read to their end", func(t *target) {
		connection := t.one()
		for i := 0; i < 3; i++ {
			rows, err := connection.QueryContext(nothing, "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3")
			must(err)
			rows.Next()
			must(rows.Close())
			same(value(connection, "SELECT 4"), 4)
		}
	}},
	{"several statements and several results", func(t *target) {
		db := t.open(func(config *mysql.Config) { config.MultiStatements = true })
		rows, err := db.Query("SELECT 1; SELECT 2; SELECT 3")
		must(err)
		got := []int{}
		for {
			for rows.Next() {
				var n int
				must(rows.Scan(&n))
				got = append(got, n)
			}
			if !rows.NextResultSet() {
				break
			}
		}
		must(rows.Err())
		same(got, []int{1, 2, 3})
		_, err = t.open(nil).Query("SELECT 1; SELECT 2")
		same(code(err), 1064)
	}},
	{"a procedure's results", func(t *target) {
		db := t.open(nil)
		run(db, "DROP PROCEDURE IF EXISTS gp")
		run(db, "CREATE PROCEDURE gp (IN a int) BEGIN SELECT a; SELECT a + 1; END")
		for i := 0; i < 3; i++ {
			rows, err := db.Query("CALL gp(?)", i)
			must(err)
			for set := 0; set < 2; set++ {
				var got int
				same(rows.Next(), true)
				must(rows.Scan(&got))
				same(got, i+set)
				for rows.Next() {
				}
				rows.NextResultSet()
			}
			must(rows.Close())
		}
	}},
	{"found rows, where the client asked for them", func(t *target) {
		changed, found := t.open(nil), t.open(func(config *mysql.Config) { config.ClientFoundRows = true })
		name := table(changed, plain)
		run(changed, "INSERT INTO "+name+" VALUES (1, 'same')")
		for i := 0; i < 4; i++ {
			same(affected(run(changed, "UPDATE "+name+" SET v = 'same'")), 0)
			same(affected(run(found, "UPDATE "+name+" SET v = 'same'")), 1)
		}
	}},
	{"a local file from a reader", func(t *target) {
		db := t.open(nil)
		name := table(db, "a int, b text")
		mysql.RegisterReaderHandler("lines", func() io.Reader {
			lines := &strings.Builder{}
			for i := 0; i < 5000; i++ {
				fmt.Fprintf(lines, "%d\tline %d\n", i, i)
			}
			return strings.NewReader(lines.String())
		})
		same(affected(run(db, "LOAD DATA LOCAL INFILE 'Reader::lines' INTO TABLE "+name)), 5000)
		same(value(db, "SELECT count(*) FROM "+name+" WHERE b = concat('line ', a)"), 5000)
	}},
	{"values over 16 MB", func(t *target) {
		db := t.open(func(config *mysql.Config) { config.MaxAllowedPacket = 64 << 20 })
		name := table(db, "v longblob")
		blob := bytes.Repeat([]byte("leasehold"), 2<<20)
		run(db, "INSERT INTO "+name+" VALUES (?)", blob)
		var got []byte
		must(db.QueryRow("SELECT v FROM " + name).Scan(&got))
		same(bytes.Equal(got, blob), true)
	}},
	{"settings named in the address", func(t *target) {
		db := t.open(func(config *mysql.Config) {
			config.Params["time_zone"], config.Params["group_concat_max_len"] = "'+05:00'", "4321"
			config.Collation = "utf8mb4_unicode_ci"
		})
		for i := 0; i < 3; i++ {
			same(value(db, "SELECT concat(@@time_zone, @@group_concat_max_len)"), "+05:004321")
		}
	}},
	{"settings of each connection are its own", func(t *target) {
		connections := []*sql.Conn{t.one(), t.one(), t.one(), t.one()}
		for i, each := range connections {
			run(each, fmt.Sprintf("SET time_zone = '+0%d:00'", i))
		}
		for round := 0; round < 3; round++ {
			for i, each := range connections {
				same(value(each, "SELECT @@time_zone"), fmt.Sprintf("+0%d:00", i))
			}
		}
	}},
	{"temporary tables and user variables stay with their connection", func(t *target) {
		one, two := t.one(), t.one()
		run(one, "CREATE TEMPORARY TABLE mine (a int)")
		run(one, "SET @x = 5")
		_, err := two.ExecContext(nothing, "SELECT * FROM mine")
		same(code(err), 1146)
		same(value(one, "SELECT count(*) + @x FROM mine"), 5)
		same(value(two, "SELECT @x"), "NULL")
	}},
	{"a query whose context ends", func(t *target) {
		db := t.open(nil)
		limited, cancel := context.WithTimeout(nothing, 200*time.Millisecond)
		defer cancel()
		_, err := db.ExecContext(limited, "SELECT sleep(20)")
		same(err, context.DeadlineExceeded)
		same(value(db, "SELECT 1"), 1)
	}},
	{"a transaction whose context ends is rolled back", func(t *target) {
		db := t.open(nil)
		name := table(db, plain)
		limited, cancel := context.WithCancel(nothing)
		tx, err := db.BeginTx(limited, nil)
		must(err)
		run(tx, "INSERT INTO "+name+" VALUES (1, 'x')")
		cancel()
		run(db, "INSERT INTO "+name+" VALUES (1, 'y')")
		same(value(db, "SELECT v FROM "+name), "y")
	}},
	{"a lock wait ends in 1205", func(t *target) {
		one, two := t.one(), t.one()
		name := table(one, plain)
		run(one, "INSERT INTO "+name+" VALUES (1, 'a')")
		run(one, "BEGIN")
		run(one, "UPDATE "+name+" SET v = 'b'")
		run(two, "SET innodb_lock_wait_timeout = 1")
		_, err := two.ExecContext(nothing, "UPDATE "+name+" SET v = 'c'")
		same(code(err), 1205)
		run(one, "COMMIT")
		run(two, "UPDATE "+name+" SET v = 'c'")
	}},
	{"a pool of ten under thirty transactions", func(t *target) {
		db := t.open(nil)
		db.SetMaxOpenConns(10)
		name := table(db, plain)
		run(db, "INSERT INTO "+name+" VALUES (1, '0')")
		var group sync.WaitGroup
		wrong := make(chan error, 30)
		for i := 0; i < 30; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				tx, err := db.Begin()
				if err == nil {
					_, err = tx.Exec("UPDATE " + name + " SET v = v + 1 WHERE id = 1")
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					wrong <- err
				}
			}()
		}
		group.Wait()
		if len(wrong) > 0 {
			panic(<-wrong)
		}
		same(value(db, "SELECT v FROM "+name), "30")
	}},
	{"connections come and go", func(t *target) {
		db := t.open(nil)
		db.SetMaxIdleConns(0)
		for i := 0; i < 30; i++ {
			same(value(db, "SELECT ?", i), i)
		}
	}},
	{"connections are renewed by their age", func(t *target) {
		db := t.open(nil)
		db.SetConnMaxLifetime(5 * time.Millisecond)
		for i := 0; i < 30; i++ {
			same(value(db, "SELECT ?", i), i)
			time.Sleep(time.Millisecond)
		}
		must(db.Ping())
	}},
	{"a wrong password and an unknown user are refused", func(t *target) {
		same(code(t.open(func(config *mysql.Config) { config.Passwd = "wrong" }).Ping()), 1045)
		same(code(t.open(func(config *mysql.Config) { config.User = "nobody" }).Ping()), 1045)
	}},
	{"column types are told", func(t *target) {
		db := t.open(nil)
		name := table(db, "a bigint unsigned NOT NULL, b decimal(10,3), c varchar(20), d datetime(3), e json")
		rows, err := db.Query("SELECT * FROM "+name+" WHERE a > ?", 0)
		must(err)
		defer rows.Close()
		types, err := rows.ColumnTypes()
		must(err)
		told := []string{}
		for _, each := range types {
			nullable, _ := each.Nullable()
			told = append(told, fmt.Sprint(each.DatabaseTypeName(), " ", nullable))
		}
		same(told[:4], "[BIGINT false DECIMAL true VARCHAR true DATETIME true]")
	}},
}

func everyKind(t *target, change func(*mysql.Config)) {
	db := t.open(func(config *mysql.Config) {
		config.ParseTime = true
		if change != nil {
			change(config)
		}
	})
	name := table(db, "d decimal(20,5), f double, dt datetime(6), b varbinary(20), u bigint unsigned, n int, s text, i tinyint")
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	run(db, "INSERT INTO "+name+" VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		"12345.67890", 1.5, at, []byte{0, 255, 39}, uint64(1<<63), nil, "日本 🎉", -128)
	for i := 0; i < 3; i++ {
		var d, s string
		var f float64
		var dt time.Time
		var b []byte
		var u uint64
		var n sql.NullInt64
		var tiny int8
		must(db.QueryRow("SELECT * FROM "+name+" WHERE f > ?", 1).Scan(&d, &f, &dt, &b, &u, &n, &s, &tiny))
		same(fmt.Sprint(d, f, dt.Equal(at), b, u, n.Valid, s, tiny),
			fmt.Sprint("12345.67890", 1.5, true, []byte{0, 255, 39}, uint64(1<<63), false, "日本 🎉", -128))
	}
}
