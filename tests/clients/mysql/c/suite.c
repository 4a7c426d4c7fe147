// SPDX-License-Identifier: Apache-2.0
// MariaDB Connector/C: prepared statements with cursors, bulk execution, long data, pipelined calls, and what its texts do.
// Prints `ok NAME` or `not ok NAME: WHY` for each case, and `done` at the end.
#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysql.h>

static jmp_buf failed;
static char why[512];
static MYSQL* opened[64];
static int openings;

static void fail(const char* text, int line) {
    snprintf(why, sizeof why, "line %d: %s", line, text);
    longjmp(failed, 1);
}

#define HOLDS(condition)                                \
    do {                                                \
        if (!(condition)) fail(#condition, __LINE__);   \
    } while (0)
#define WELL(connection, call)                                               \
    do {                                                                     \
        if (call) fail(mysql_error(connection), __LINE__);                   \
    } while (0)
#define STMT_WELL(statement, call)                                           \
    do {                                                                     \
        if (call) fail(mysql_stmt_error(statement), __LINE__);               \
    } while (0)

static MYSQL* begin(void) {
    MYSQL* connection = mysql_init(NULL);
    opened[openings++] = connection;
    return connection;
}

static bool is_mariadb(void) { return strcmp(getenv("CLIENT_SERVER"), "mariadb") == 0; }

static MYSQL* enter(MYSQL* connection, unsigned long flags) {
    if (!mysql_real_connect(connection, getenv("CLIENT_HOST"), getenv("CLIENT_USER"), getenv("CLIENT_PASSWORD"),
                            getenv("CLIENT_DATABASE"), (unsigned)atoi(getenv("CLIENT_PORT")), NULL, flags))
        fail(mysql_error(connection), __LINE__);
    return connection;
}

static MYSQL* open_flags(unsigned long flags) { return enter(begin(), flags); }
static MYSQL* open_one(void) { return open_flags(0); }

static void run(MYSQL* connection, const char* text) {
    if (mysql_query(connection, text)) fail(mysql_error(connection), __LINE__);
    MYSQL_RES* rows = mysql_store_result(connection);
    if (rows) mysql_free_result(rows);
}

// The first column of the first row as a number; -1 for NULL.
static long long value(MYSQL* connection, const char* text) {
    if (mysql_query(connection, text)) fail(mysql_error(connection), __LINE__);
    MYSQL_RES* rows = mysql_store_result(connection);
    if (!rows) fail(mysql_error(connection), __LINE__);
    MYSQL_ROW row = mysql_fetch_row(rows);
    long long got = row && row[0] ? atoll(row[0]) : -1;
    mysql_free_result(rows);
    return got;
}

static MYSQL_STMT* prepare(MYSQL* connection, const char* text) {
    MYSQL_STMT* statement = mysql_stmt_init(connection);
    if (mysql_stmt_prepare(statement, text, strlen(text))) fail(mysql_stmt_error(statement), __LINE__);
    return statement;
}

static void numbers(MYSQL* connection, const char* name) {
    char text[200];
    snprintf(text, sizeof text, "DROP TABLE IF EXISTS %s", name);
    run(connection, text);
    snprintf(text, sizeof text, "CREATE TABLE %s (n int PRIMARY KEY, pad varchar(300)) ENGINE=InnoDB", name);
    run(connection, text);
    snprintf(text, sizeof text, "INSERT INTO %s VALUES (0, repeat('x', 250))", name);
    run(connection, text);
    for (int size = 1; size < 4096; size *= 2) {
        snprintf(text, sizeof text, "INSERT INTO %s SELECT n + %d, pad FROM %s", name, size, name);
        run(connection, text);
    }
}

static MYSQL_BIND number_bind(int* number) {
    MYSQL_BIND bind;
    memset(&bind, 0, sizeof bind);
    bind.buffer_type = MYSQL_TYPE_LONG;
    bind.buffer = number;
    return bind;
}

static void cursor_of(MYSQL* connection, const char* table, unsigned long rows, int stop_after) {
    char text[200];
    snprintf(text, sizeof text, "SELECT n FROM %s WHERE n >= ? ORDER BY n", table);
    MYSQL_STMT* statement = prepare(connection, text);
    unsigned long type = CURSOR_TYPE_READ_ONLY;
    mysql_stmt_attr_set(statement, STMT_ATTR_CURSOR_TYPE, &type);
    mysql_stmt_attr_set(statement, STMT_ATTR_PREFETCH_ROWS, &rows);
    int from = 96, got = 0;
    MYSQL_BIND in = number_bind(&from), out = number_bind(&got);
    mysql_stmt_bind_param(statement, &in);
    STMT_WELL(statement, mysql_stmt_execute(statement));
    STMT_WELL(statement, mysql_stmt_bind_result(statement, &out));
    int next = 96, status = 0;
    while (next - 96 < stop_after && !(status = mysql_stmt_fetch(statement))) {
        HOLDS(got == next);
        next++;
    }
    HOLDS(status == 0 || status == MYSQL_NO_DATA);
    HOLDS(next == (stop_after < 4000 ? 96 + stop_after : 4096));
    STMT_WELL(statement, mysql_stmt_close(statement));
}

static void cursors(void) {
    MYSQL* connection = open_one();
    numbers(connection, "c_cursor");
    cursor_of(connection, "c_cursor", 7, 1 << 30);
    cursor_of(connection, "c_cursor", 1000, 1 << 30);
    HOLDS(value(connection, "SELECT 1") == 1);
}

static void cursors_in_a_transaction(void) {
    MYSQL* connection = open_one();
    numbers(connection, "c_cursor_t");
    WELL(connection, mysql_autocommit(connection, 0));
    cursor_of(connection, "c_cursor_t", 100, 1 << 30);
    run(connection, "UPDATE c_cursor_t SET pad = ''");
    cursor_of(connection, "c_cursor_t", 100, 1 << 30);
    WELL(connection, mysql_rollback(connection));
    HOLDS(value(connection, "SELECT count(*) FROM c_cursor_t WHERE pad = ''") == 0);
}

static void half_read_cursors(void) {
    MYSQL* connection = open_one();
    numbers(connection, "c_cursor_h");
    for (int i = 0; i < 3; i++) {
        cursor_of(connection, "c_cursor_h", 10, 25);
        HOLDS(value(connection, "SELECT 1") == 1);
    }
}

static void two_cursors(void) {
    MYSQL* connection = open_one();
    numbers(connection, "c_cursor_2");
    MYSQL_STMT* both[2];
    int got[2], next[2] = {0, 0};
    unsigned long type = CURSOR_TYPE_READ_ONLY, rows = 5;
    for (int i = 0; i < 2; i++) {
        both[i] = prepare(connection, "SELECT n FROM c_cursor_2 ORDER BY n");
        mysql_stmt_attr_set(both[i], STMT_ATTR_CURSOR_TYPE, &type);
        mysql_stmt_attr_set(both[i], STMT_ATTR_PREFETCH_ROWS, &rows);
        STMT_WELL(both[i], mysql_stmt_execute(both[i]));
        MYSQL_BIND out = number_bind(&got[i]);
        STMT_WELL(both[i], mysql_stmt_bind_result(both[i], &out));
    }
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 2; i++) {
            HOLDS(mysql_stmt_fetch(both[i]) == 0);
            HOLDS(got[i] == next[i]);
            next[i]++;
        }
    }
    for (int i = 0; i < 2; i++) STMT_WELL(both[i], mysql_stmt_close(both[i]));
    HOLDS(value(connection, "SELECT 1") == 1);
}

static void bulk(void) {
    MYSQL* connection = open_one();
    run(connection, "DROP TABLE IF EXISTS c_bulk");
    run(connection, "CREATE TABLE c_bulk (id int PRIMARY KEY, v varchar(20)) ENGINE=InnoDB");
    enum { COUNT = 500 };
    static int ids[COUNT];
    static char texts[COUNT][20];
    static char* pointers[COUNT];
    static unsigned long lengths[COUNT];
    static char indicators[COUNT];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            ids[i] = round * COUNT + i;
            lengths[i] = (unsigned long)snprintf(texts[i], sizeof texts[i], "row %d", i);
            pointers[i] = texts[i];
            indicators[i] = i % 10 ? STMT_INDICATOR_NONE : STMT_INDICATOR_NULL;
        }
        MYSQL_STMT* statement = mysql_stmt_init(connection);
        unsigned int size = is_mariadb() ? COUNT : 1;
        const char* text = "INSERT INTO c_bulk VALUES (?, ?)";
        STMT_WELL(statement, mysql_stmt_prepare(statement, text, strlen(text)));
        for (int from = 0; from < COUNT; from += (int)size) {
            MYSQL_BIND binds[2];
            memset(binds, 0, sizeof binds);
            binds[0].buffer_type = MYSQL_TYPE_LONG;
            binds[0].buffer = ids + from;
            binds[1].buffer_type = MYSQL_TYPE_STRING;
            my_bool null = indicators[from] == STMT_INDICATOR_NULL;
            if (is_mariadb()) {
                binds[1].buffer = pointers;
                binds[1].length = lengths;
                binds[1].u.indicator = indicators;
                mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &size);
            } else {
                binds[1].buffer = texts[from];
                binds[1].length = lengths + from;
                binds[1].is_null = &null;
            }
            STMT_WELL(statement, mysql_stmt_bind_param(statement, binds));
            STMT_WELL(statement, mysql_stmt_execute(statement));
        }
        STMT_WELL(statement, mysql_stmt_close(statement));
    }
    HOLDS(value(connection, "SELECT count(*) FROM c_bulk") == 3 * COUNT);
    HOLDS(value(connection, "SELECT count(*) FROM c_bulk WHERE v IS NULL") == 3 * COUNT / 10);
}

static void bulk_with_an_error(void) {
    if (!is_mariadb()) return;
    MYSQL* connection = open_one();
    run(connection, "DROP TABLE IF EXISTS c_bulk_e");
    run(connection, "CREATE TABLE c_bulk_e (id int PRIMARY KEY) ENGINE=InnoDB");
    int ids[4] = {1, 2, 2, 3};
    unsigned int size = 4;
    run(connection, "BEGIN");
    MYSQL_STMT* statement = prepare(connection, "INSERT INTO c_bulk_e VALUES (?)");
    MYSQL_BIND bind = number_bind(ids);
    mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &size);
    STMT_WELL(statement, mysql_stmt_bind_param(statement, &bind));
    HOLDS(mysql_stmt_execute(statement) && mysql_stmt_errno(statement) == 1062);
    ids[2] = 4;
    run(connection, "ROLLBACK");
    STMT_WELL(statement, mysql_stmt_execute(statement));
    HOLDS(value(connection, "SELECT count(*) FROM c_bulk_e") == 4);
    mysql_stmt_close(statement);
}

static void direct_execution(void) {  // PREPARE and EXECUTE in one go, by the number 0xFFFFFFFF
    if (!is_mariadb()) return;
    MYSQL* connection = open_one();
    for (int i = 0; i < 5; i++) {
        MYSQL_STMT* statement = mysql_stmt_init(connection);
        int number = i, got = -1;
        unsigned int count = 1;
        MYSQL_BIND in = number_bind(&number), out = number_bind(&got);
        mysql_stmt_attr_set(statement, STMT_ATTR_PREBIND_PARAMS, &count);
        mysql_stmt_bind_param(statement, &in);
        const char* text = "SELECT ? + 1";
        STMT_WELL(statement, mariadb_stmt_execute_direct(statement, text, strlen(text)));
        STMT_WELL(statement, mysql_stmt_bind_result(statement, &out));
        HOLDS(mysql_stmt_fetch(statement) == 0);
        HOLDS(got == i + 1);
        mysql_stmt_close(statement);
    }
}

static void long_data(void) {
    MYSQL* connection = open_one();
    run(connection, "DROP TABLE IF EXISTS c_long");
    run(connection, "CREATE TABLE c_long (a longblob, b int) ENGINE=InnoDB");
    MYSQL_STMT* statement = prepare(connection, "INSERT INTO c_long VALUES (?, ?)");
    static char piece[100000];
    memset(piece, 'x', sizeof piece);
    int number = 7;
    MYSQL_BIND binds[2];
    memset(binds, 0, sizeof binds);
    binds[0].buffer_type = MYSQL_TYPE_LONG_BLOB;
    binds[1] = number_bind(&number);
    STMT_WELL(statement, mysql_stmt_bind_param(statement, binds));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 30; i++) STMT_WELL(statement, mysql_stmt_send_long_data(statement, 0, piece, sizeof piece));
        STMT_WELL(statement, mysql_stmt_execute(statement));
    }
    HOLDS(value(connection, "SELECT sum(length(a)) FROM c_long WHERE b = 7") == 6000000);
    STMT_WELL(statement, mysql_stmt_reset(statement));
    mysql_stmt_close(statement);
}

static void procedures(void) {
    MYSQL* connection = open_one();
    run(connection, "DROP PROCEDURE IF EXISTS cp");
    run(connection, "CREATE PROCEDURE cp (IN a int, OUT b int) BEGIN SELECT a; SET b = a * 2; END");
    MYSQL_STMT* statement = prepare(connection, "CALL cp(?, ?)");
    for (int number = 0; number < 3; number++) {
        int ignored = 0, got = -1, sets = 0, values[2] = {-1, -1};
        MYSQL_BIND in[2] = {number_bind(&number), number_bind(&ignored)}, out = number_bind(&got);
        mysql_stmt_bind_param(statement, in);
        STMT_WELL(statement, mysql_stmt_execute(statement));
        do {
            if (mysql_stmt_field_count(statement)) {
                STMT_WELL(statement, mysql_stmt_bind_result(statement, &out));
                HOLDS(mysql_stmt_fetch(statement) == 0 && sets < 2);
                values[sets++] = got;
                while (!mysql_stmt_fetch(statement)) continue;
            }
        } while (!mysql_stmt_next_result(statement));
        HOLDS(values[0] == number && values[1] == number * 2);
    }
    mysql_stmt_close(statement);
}

static void commands(void) {
    MYSQL* connection = open_one();
    WELL(connection, mysql_ping(connection));
    HOLDS(strstr(mysql_stat(connection), "Uptime") != NULL);
    WELL(connection, mysql_select_db(connection, "annex"));
    HOLDS(value(connection, "SELECT database() = 'annex'") == 1);
    WELL(connection, mysql_select_db(connection, getenv("CLIENT_DATABASE")));
    run(connection, "CREATE TABLE IF NOT EXISTS c_fields (a int, b text)");
    MYSQL_RES* fields = mysql_list_fields(connection, "c_fields", "%");
    HOLDS(fields && mysql_num_fields(fields) == 2);
    mysql_free_result(fields);
    HOLDS(mysql_query(connection, "SELECT 1; SELECT 2") && mysql_errno(connection) == 1064);
    WELL(connection, mysql_set_server_option(connection, MYSQL_OPTION_MULTI_STATEMENTS_ON));
    for (int i = 0; i < 3; i++) {
        WELL(connection, mysql_query(connection, "SELECT 1; SELECT 2"));
        int sets = 0;
        do {
            mysql_free_result(mysql_store_result(connection));
            sets++;
        } while (!mysql_next_result(connection));
        HOLDS(sets == 2);
    }
    WELL(connection, mysql_set_server_option(connection, MYSQL_OPTION_MULTI_STATEMENTS_OFF));
    HOLDS(mysql_query(connection, "SELECT 1; SELECT 2") && mysql_errno(connection) == 1064);
}

static void reset_connection(void) {
    MYSQL* connection = open_one();
    run(connection, "SET @x = 1");
    MYSQL_STMT* statement = prepare(connection, "SELECT 1");
    WELL(connection, mysql_reset_connection(connection));
    HOLDS(value(connection, "SELECT @x") == -1);
    mysql_stmt_close(statement);
    WELL(connection, mysql_change_user(connection, getenv("CLIENT_USER"), getenv("CLIENT_PASSWORD"), "annex"));
    HOLDS(value(connection, "SELECT database() = 'annex'") == 1);
}

static void session_tracking(void) {
    MYSQL* connection = open_flags(CLIENT_SESSION_TRACKING);
    for (int i = 0; i < 3; i++) {
        run(connection, "USE annex");
        const char* data;
        size_t length;
        HOLDS(mysql_session_track_get_first(connection, SESSION_TRACK_SCHEMA, &data, &length) == 0);
        HOLDS(length == 5 && memcmp(data, "annex", 5) == 0);
        run(connection, "SET time_zone = '+03:00'");
        HOLDS(mysql_session_track_get_first(connection, SESSION_TRACK_SYSTEM_VARIABLES, &data, &length) == 0);
        HOLDS(length == 9 && memcmp(data, "time_zone", 9) == 0);
    }
}

static void no_schema_and_found_rows(void) {
    MYSQL* found = open_flags(CLIENT_FOUND_ROWS);
    MYSQL* changed = open_flags(CLIENT_IGNORE_SPACE);
    run(found, "DROP TABLE IF EXISTS c_rows");
    run(found, "CREATE TABLE c_rows (a int) ENGINE=InnoDB");
    run(found, "INSERT INTO c_rows VALUES (1)");
    for (int i = 0; i < 4; i++) {
        run(found, "UPDATE c_rows SET a = 1");
        HOLDS(mysql_affected_rows(found) == 1);
        run(changed, "UPDATE c_rows SET a = 1");
        HOLDS(mysql_affected_rows(changed) == 0);
        HOLDS(value(changed, "SELECT count (*) FROM c_rows") == 1);
    }
}

static void compressed(void) {
    MYSQL* connection = begin();
    mysql_options(connection, MYSQL_OPT_COMPRESS, NULL);
    enter(connection, CLIENT_COMPRESS);
    numbers(connection, "c_compressed");
    cursor_of(connection, "c_compressed", 100, 1 << 30);
    HOLDS(value(connection, "SELECT length(repeat('x', 1000000))") == 1000000);
}

static void interactive(void) {
    MYSQL* one = open_flags(CLIENT_INTERACTIVE);
    MYSQL* two = open_one();
    run(one, "SET interactive_timeout = 1234");
    HOLDS(value(one, "SELECT @@interactive_timeout") == 1234);
    HOLDS(value(two, "SELECT @@interactive_timeout") != 1234);
}

static void sent_ahead(void) {
    MYSQL* connection = open_one();
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 10; i++) {
            char text[40];
            int size = snprintf(text, sizeof text, "SELECT %d", i);
            WELL(connection, mysql_send_query(connection, text, (unsigned long)size));
        }
        for (int i = 0; i < 10; i++) {
            WELL(connection, mysql_read_query_result(connection));
            MYSQL_RES* rows = mysql_store_result(connection);
            HOLDS(rows && atoi(mysql_fetch_row(rows)[0]) == i);
            mysql_free_result(rows);
        }
    }
}

static const struct {
    const char* name;
    void (*body)(void);
} cases[] = {
    {"cursors", cursors},
    {"cursors in a transaction", cursors_in_a_transaction},
    {"cursors that are not read to their end", half_read_cursors},
    {"two cursors by turns", two_cursors},
    {"bulk execution", bulk},
    {"bulk execution with an error", bulk_with_an_error},
    {"a statement executed without being prepared first", direct_execution},
    {"long data in pieces", long_data},
    {"procedures with results and parameters, prepared", procedures},
    {"the commands of the protocol", commands},
    {"a connection is reset, and changes its user", reset_connection},
    {"the session's changes are told", session_tracking},
    {"found rows and spaces before parentheses", no_schema_and_found_rows},
    {"compression", compressed},
    {"interactive clients", interactive},
    {"queries sent ahead", sent_ahead},
};

static void perform(const char* name, void (*body)(void)) {
    openings = 0;
    if (setjmp(failed) == 0) {
        body();
        printf("ok %s\n", name);
    } else {
        printf("not ok %s: %s\n", name, why);
    }
    for (int each = 0; each < openings; each++) mysql_close(opened[each]);
}

int main(int count, char** words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (count == 1 || strstr(cases[i].name, words[1])) perform(cases[i].name, cases[i].body);
    }
    puts("done");
    return 0;
}
