// SPDX-License-Identifier: Apache-2.0

package main

// Statements: with parameters, prepared and moved between connections, their types, errors and notices.

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
)

func init() {
	addEveryWay("queries with and without parameters", queries)
	addEveryWay("a prepared statement is used again over transactions", preparedAgain)
	addEveryWay("a prepared statement is used by many goroutines", preparedByMany)
	addEveryWay("a statement of the pool is taken into a transaction", takenIntoTransaction)
	addEveryWay("types go there and back", types)
	addEveryWay("arrays go there and back", arrays)
	addEveryWay("bytea of 5 MB", largeBytes)
	add("rows are left in the middle", rowsLeft)
	add("several statements in one text give several results", severalResults)
	add("an empty query", emptyQuery)
	add("a server's error comes with all its fields", fields)
	add("an error in a prepared statement leaves it usable", preparedAfterError)
	add("notices are heard", notices)
	add("fifty statements are prepared and closed", manyPrepared)
	add("columns of a result are described", described)
}

func queries(t *target) {
	db := t.open()
	for i := 0; i < 20; i++ {
		same(fmt.Sprint(i+1), value(db, "SELECT $1::int + 1", i))
		same(fmt.Sprint(i), value(db, fmt.Sprintf("SELECT %d", i)))
		same("", value(db, "SELECT $1::text", nil))
	}
}

func preparedAgain(t *target) {
	db := t.one()
	name := table(db, "id int, body text")
	insert, err := db.Prepare("INSERT INTO " + name + " VALUES ($1, $2)")
	check(err)
	defer insert.Close()
	for i := 0; i < 30; i++ {
		if i%3 == 0 {
			_, err = insert.Exec(i, "alone")
			check(err)
			continue
		}
		tx, err := db.Begin()
		check(err)
		_, err = tx.Stmt(insert).Exec(i, nil)
		check(err)
		if i%3 == 1 {
			check(tx.Commit())
		} else {
			check(tx.Rollback())
		}
	}
	same("20", value(db, "SELECT count(*) FROM "+name))
}

func preparedByMany(t *target) {
	db := t.open()
	db.SetMaxOpenConns(12)
	double, err := db.Prepare("SELECT $1::int * 2")
	check(err)
	defer double.Close()
	problems := make(chan string, 1000)
	var group sync.WaitGroup
	for worker := 0; worker < 12; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for i := 0; i < 30; i++ {
				var got int
				if err := double.QueryRow(worker * i).Scan(&got); err != nil || got != 2*worker*i {
					problems <- fmt.Sprint(got, err)
				}
			}
		}(worker)
	}
	group.Wait()
	close(problems)
	for problem := range problems {
		fail(problem)
	}
}

func takenIntoTransaction(t *target) {
	db := t.open()
	name := table(db, "id int")
	insert, err := db.Prepare("INSERT INTO " + name + " VALUES ($1) RETURNING id")
	check(err)
	defer insert.Close()
	for i := 0; i < 6; i++ {
		tx, err := db.Begin()
		check(err)
		var got int
		check(tx.Stmt(insert).QueryRow(i).Scan(&got))
		same(i, got)
		same(fmt.Sprint(i+1), value(tx, "SELECT count(*) FROM "+name))
		check(tx.Commit())
	}
}

func types(t *target) {
	db := t.one()
	moment := time.Date(2024, 2, 29, 12, 34, 56, 789000, time.UTC)
	for i := 0; i < 3; i++ {
		var (
			integer int64
			real    float64
			text    string
			truth   bool
			at      time.Time
			raw     []byte
			nothing sql.NullString
		)
		row := db.QueryRow("SELECT $1::int8, $2::float8, $3::text, $4::bool, $5::timestamptz, $6::bytea, $7::text",
			int64(-1<<63), 0.1, "ä ' \" \\ 😀", true, moment, []byte{0, 255, 92}, nil)
		check(row.Scan(&integer, &real, &text, &truth, &at, &raw, &nothing))
		same(int64(-1<<63), integer)
		same(0.1, real)
		same("ä ' \" \\ 😀", text)
		holds(truth && !nothing.Valid && at.Equal(moment), "bool, NULL and time")
		same([]byte{0, 255, 92}, raw)
		same(`{"a": 1}`, value(db, "SELECT $1::jsonb", `{"a":1}`))
		same("0f8fad5b-d9cb-469f-a165-70867728950e", value(db, "SELECT $1::uuid", "0f8fad5b-d9cb-469f-a165-70867728950e"))
		same("12345678901234567890.123", value(db, "SELECT $1::numeric", "12345678901234567890.123"))
	}
}

func arrays(t *target) {
	db := t.one()
	for i := 0; i < 3; i++ {
		var numbers []int64
		var texts []string
		row := db.QueryRow("SELECT $1::int8[], $2::text[]", pq.Array([]int64{1, -2, 3}), pq.Array([]string{"a,b", `"q"`, "", "NULL"}))
		check(row.Scan(pq.Array(&numbers), pq.Array(&texts)))
		same([]int64{1, -2, 3}, numbers)
		same([]string{"a,b", `"q"`, "", "NULL"}, texts)
		same("true", value(db, "SELECT 2 = ANY ($1)", pq.Array([]int64{1, 2})))
	}
}

func largeBytes(t *target) {
	db := t.one()
	name := table(db, "body bytea")
	body := bytes.Repeat([]byte("\x00leasehold\xff"), 500_000)
	exec(db, "INSERT INTO "+name+" VALUES ($1)", body)
	var got []byte
	check(db.QueryRow("SELECT body FROM " + name).Scan(&got))
	holds(bytes.Equal(body, got), "the same bytes")
}

func rowsLeft(t *target) {
	db := t.one()
	for i := 0; i < 10; i++ {
		rows, err := db.Query("SELECT generate_series(1, $1::int)", 20000)
		check(err)
		for n := 0; n < 5; n++ {
			holds(rows.Next(), "a row")
		}
		check(rows.Close())
		same("1", value(db, "SELECT 1"))
	}
}

func severalResults(t *target) {
	db := t.one()
	rows, err := db.Query("SELECT 1; SELECT 2, 3; CREATE TEMP TABLE several (id int) ON COMMIT DROP; SELECT 'four'")
	check(err)
	defer rows.Close()
	var seen []string
	for {
		columns, err := rows.Columns()
		check(err)
		for rows.Next() {
			seen = append(seen, fmt.Sprint(len(columns)))
		}
		if !rows.NextResultSet() {
			break
		}
	}
	check(rows.Err())
	same("1 2 1", strings.Join(seen, " "))
	check(rows.Close())
	same("42601", execState(db, "SELECT 1; SELECT $1::int", 2))
}

func emptyQuery(t *target) {
	db := t.one()
	for _, text := range []string{"", ";", "-- nothing"} {
		exec(db, text)
		check(db.Ping())
	}
}

func fields(t *target) {
	db := t.one()
	name := table(db, "id int CONSTRAINT positive CHECK (id > 0)")
	_, err := db.Exec("INSERT INTO "+name+" VALUES ($1)", -1)
	var problem *pq.Error
	holds(errors.As(err, &problem), "a server's error")
	same("23514 check_violation positive "+name, fmt.Sprint(problem.Code, " ", problem.Code.Name(), " ", problem.Constraint, " ", problem.Table))
	_, err = db.Exec("SELECT 1 FORM x")
	holds(errors.As(err, &problem), "a server's error")
	same("42601 15", fmt.Sprint(problem.Code, " ", problem.Position))
	check(db.Ping())
}

func preparedAfterError(t *target) {
	db := t.one()
	divide, err := db.Prepare("SELECT 10 / $1::int")
	check(err)
	defer divide.Close()
	for i := 0; i < 5; i++ {
		var got int
		check(divide.QueryRow(2).Scan(&got))
		same(5, got)
		same("22012", state(divide.QueryRow(0).Scan(&got)))
		_, err = db.Prepare("SELECT * FROM nowhere")
		same("42P01", state(err))
	}
}

func notices(t *target) {
	connector, err := pq.NewConnector(encryption())
	check(err)
	var heard []string
	db := sql.OpenDB(pq.ConnectorWithNoticeHandler(connector, func(notice *pq.Error) { heard = append(heard, notice.Message) }))
	defer db.Close()
	db.SetMaxOpenConns(1)
	for i := 0; i < 3; i++ {
		exec(db, fmt.Sprintf("DO $$ BEGIN RAISE NOTICE 'number %d'; END $$", i))
	}
	same("number 0, number 1, number 2", strings.Join(heard, ", "))
}

func manyPrepared(t *target) {
	db := t.open()
	db.SetMaxOpenConns(2)
	for i := 0; i < 50; i++ {
		statement, err := db.PrepareContext(context.Background(), fmt.Sprintf("SELECT $1::int + %d", i%10))
		check(err)
		var got int
		check(statement.QueryRow(1).Scan(&got))
		same(1+i%10, got)
		check(statement.Close())
	}
}

func described(t *target) {
	db := t.one()
	name := table(db, "id int, body varchar(20), n numeric(8, 2)")
	rows, err := db.Query("SELECT * FROM " + name)
	check(err)
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	check(err)
	length, _ := columns[1].Length()
	precision, scale, _ := columns[2].DecimalSize()
	same("INT4 VARCHAR 20 NUMERIC 8 2", fmt.Sprint(columns[0].DatabaseTypeName(), " ", columns[1].DatabaseTypeName(), " ",
		length, " ", columns[2].DatabaseTypeName(), " ", precision, " ", scale))
}
