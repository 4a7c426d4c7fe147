// SPDX-License-Identifier: Apache-2.0

// Runs the cases of go-sql-driver/mysql and prints the outcome of each: `ok NAME` or `not ok NAME: WHY`, and `done` at the
// end. Words on the command line are parts of names: only cases that contain one are run then.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

type target struct{ opened []io.Closer }

func (t *target) config() *mysql.Config {
	config := mysql.NewConfig()
	config.User, config.Passwd = os.Getenv("CLIENT_USER"), os.Getenv("CLIENT_PASSWORD")
	config.Net, config.Addr = "tcp", os.Getenv("CLIENT_HOST")+":"+os.Getenv("CLIENT_PORT")
	config.DBName = os.Getenv("CLIENT_DATABASE")
	config.Params = map[string]string{"charset": "utf8mb4"}
	return config
}

// A pool of connections; change may alter what each begins with.
func (t *target) open(change func(*mysql.Config)) *sql.DB {
	config := t.config()
	if change != nil {
		change(config)
	}
	db, err := sql.Open("mysql", config.FormatDSN())
	must(err)
	t.opened = append(t.opened, db)
	return db
}

// One connection of a pool of its own.
func (t *target) one() *sql.Conn {
	connection, err := t.open(nil).Conn(context.Background())
	must(err)
	t.opened = append([]io.Closer{connection}, t.opened...) // before its pool
	return connection
}

type runner interface {
	ExecContext(context.Context, string, ...interface{}) (sql.Result, error)
	QueryRowContext(context.Context, string, ...interface{}) *sql.Row
}

var nothing = context.Background()

func run(on runner, text string, args ...interface{}) sql.Result {
	result, err := on.ExecContext(nothing, text, args...)
	must(err)
	return result
}

func value(on runner, text string, args ...interface{}) string {
	var got sql.NullString
	must(on.QueryRowContext(nothing, text, args...).Scan(&got))
	if !got.Valid {
		return "NULL"
	}
	return got.String
}

func affected(result sql.Result) int64 {
	count, err := result.RowsAffected()
	must(err)
	return count
}

var tables = 0

func table(on runner, columns string) string {
	tables++
	name := fmt.Sprintf("g%d", tables)
	run(on, "DROP TABLE IF EXISTS "+name)
	run(on, "CREATE TABLE "+name+" ("+columns+") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")
	return name
}

const plain = "id int PRIMARY KEY AUTO_INCREMENT, v varchar(200)"

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func same(got, wanted interface{}) {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		panic(fmt.Errorf("%v is not %v", got, wanted))
	}
}

// The number of the server's error, 0 without one.
func code(err error) uint16 {
	var told *mysql.MySQLError
	if err == nil {
		return 0
	}
	if errors.As(err, &told) {
		return told.Number
	}
	panic(err)
}

func perform(body func(*target)) (why string) {
	t := &target{}
	outcome := make(chan string, 1)
	go func() {
		defer func() {
			if trouble := recover(); trouble != nil {
				outcome <- strings.ReplaceAll(fmt.Sprint(trouble), "\n", " ") + " "
			}
		}()
		body(t)
		outcome <- ""
	}()
	select {
	case why = <-outcome:
	case <-time.After(30 * time.Second):
		why = "no end after 30 s"
	}
	for _, each := range t.opened {
		each.Close()
	}
	return why
}

func main() {
	mysql.SetLogger(quiet{})
	for _, each := range cases {
		wanted := len(os.Args) == 1
		for _, word := range os.Args[1:] {
			wanted = wanted || strings.Contains(each.name, word)
		}
		if !wanted {
			continue
		}
		if why := perform(each.body); why != "" {
			fmt.Printf("not ok %s: %s\n", each.name, why)
		} else {
			fmt.Printf("ok %s\n", each.name)
		}
	}
	fmt.Println("done")
}

type quiet struct{}

func (quiet) Print(...interface{}) {}
