// SPDX-License-Identifier: Apache-2.0

// Cases for lib/pq and database/sql. This file runs them and prints the outcome of each: `ok NAME` or
// `not ok NAME: WHY`, and `done` at the end. lib/pq reads libpq's environment variables by itself.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

const patience = 30 * time.Second

type testCase struct {
	name    string
	options string // of the connection string
	body    func(*target)
}

var cases []testCase

func add(name string, body func(*target)) { cases = append(cases, testCase{name, "", body}) }

// addEveryWay adds the case for parameters as text and as binary.
func addEveryWay(name string, body func(*target)) {
	add(name, body)
	cases = append(cases, testCase{name + ", binary parameters", "binary_parameters=yes", body})
}

// target opens what a case needs and closes it at its end. What goes wrong ends the case by a panic.
type target struct {
	options string
	mutex   sync.Mutex
	opened  []*sql.DB
}

func (t *target) open(options ...string) *sql.DB {
	all := append([]string{encryption(), t.options}, options...)
	db, err := sql.Open("postgres", strings.Join(all, " "))
	check(err)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.opened = append(t.opened, db)
	return db
}

// encryption: lib/pq would insist on TLS if nobody said otherwise.
func encryption() string {
	if os.Getenv("PGSSLMODE") == "" {
		return "sslmode=disable"
	}
	return ""
}

// one is a single connection of its own.
func (t *target) one(options ...string) *sql.DB {
	db := t.open(options...)
	db.SetMaxOpenConns(1)
	return db
}

func (t *target) close() {
	for _, db := range t.opened {
		db.Close()
	}
}

type executor interface {
	ExecContext(context.Context, string, ...interface{}) (sql.Result, error)
	QueryRowContext(context.Context, string, ...interface{}) *sql.Row
}

func exec(on executor, query string, args ...interface{}) {
	_, err := on.ExecContext(context.Background(), query, args...)
	check(err)
}

// value is the first column of the first row as text.
func value(on executor, query string, args ...interface{}) string {
	var got sql.NullString
	check(on.QueryRowContext(context.Background(), query, args...).Scan(&got))
	return got.String
}

// state is the SQLSTATE of an error, or its text.
func state(err error) string {
	var fromServer *pq.Error
	if errors.As(err, &fromServer) {
		return string(fromServer.Code)
	}
	if err == nil {
		return "none"
	}
	return err.Error()
}

func execState(on executor, query string, args ...interface{}) string {
	_, err := on.ExecContext(context.Background(), query, args...)
	return state(err)
}

var tables int32

// table makes a table of these columns; its name.
func table(on executor, columns string) string {
	name := fmt.Sprintf("g%d", atomic.AddInt32(&tables, 1))
	exec(on, "CREATE TABLE "+name+" ("+columns+")")
	return name
}

func fail(why string) {
	_, _, line, _ := runtime.Caller(2)
	panic(fmt.Sprintf("%s at line %d", why, line))
}

func check(err error) {
	if err != nil {
		fail(err.Error() + " (" + state(err) + ")")
	}
}

func same(expected, got interface{}) {
	if !reflect.DeepEqual(expected, got) {
		fail(fmt.Sprintf("expected <%v>, got <%v>", expected, got))
	}
}

func holds(condition bool, what string) {
	if !condition {
		fail(what)
	}
}

func end(one testCase) string {
	ended := make(chan string, 1)
	go func() {
		t := &target{options: one.options}
		defer func() {
			why := ""
			if problem := recover(); problem != nil {
				why = fmt.Sprint(problem)
			}
			t.close()
			ended <- why
		}()
		one.body(t)
	}()
	select {
	case why := <-ended:
		return why
	case <-time.After(patience):
		return fmt.Sprintf("no end after %v", patience)
	}
}

func main() {
	for _, one := range cases {
		wanted := len(os.Args) == 1
		for _, part := range os.Args[1:] {
			wanted = wanted || strings.Contains(one.name, part)
		}
		if !wanted {
			continue
		}
		from := time.Now()
		if why := strings.ReplaceAll(end(one), "\n", " "); why != "" {
			fmt.Printf("not ok %s: %s\n", one.name, why)
		} else {
			fmt.Printf("ok %s\n", one.name)
		}
		if took := time.Since(from); took > time.Second {
			fmt.Printf("# %s took %v\n", one.name, took)
		}
	}
	fmt.Println("done")
}
