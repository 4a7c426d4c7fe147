# SPDX-License-Identifier: Apache-2.0
"""What a session may ask about the statement before: LAST_INSERT_ID(), FOUND_ROWS() and ROW_COUNT(), warnings, errors; and
answers of several parts."""
from mysql.weave import family

# --- LAST_INSERT_ID() -------------------------------------------------------------------------------------------------

ASK = ("SELECT LAST_INSERT_ID()", "SELECT LAST_INSERT_ID() + 1", "SELECT @@last_insert_id", "SELECT @@identity",
       "SELECT COUNT(*) FROM main_0000.items WHERE id = LAST_INSERT_ID()")


@family("last_insert_id")
def generated(draw):
    n = draw.randint(1, 200)
    sql = draw.choice([f"INSERT INTO {draw.own} (amount) VALUES ({n})",
                       f"INSERT INTO {draw.own} (amount) VALUES ({n}), (2), (3)",
                       f"INSERT INTO main_0000.counted (word) VALUES ('of {draw.session}')",
                       f"INSERT INTO {draw.own} (id, amount) VALUES ({n + 1000 + draw.randint(1, 9999)}, 1)",
                       f"INSERT IGNORE INTO {draw.own} (word) VALUES ('same')",
                       f"REPLACE INTO {draw.own} (word) VALUES ('same')",
                       f"INSERT INTO {draw.own} (word) VALUES ('same') ON DUPLICATE KEY UPDATE amount = 1, id = LAST_INSERT_ID(id)",
                       f"INSERT INTO {draw.own} (amount) SELECT id FROM main_0000.items WHERE id < 4",
                       f"INSERT INTO {draw.own} (word) VALUES ('same')"])
    return [draw.run(sql), draw.run(draw.choice(ASK))]


@family("last_insert_id")
def given(draw):
    n = draw.randint(100, 999)
    return [draw.run(draw.choice([f"SELECT LAST_INSERT_ID({n})", f"DO LAST_INSERT_ID({n})", f"SET last_insert_id = {n}",
                                  f"UPDATE {draw.own} SET amount = LAST_INSERT_ID({n % 200})"])),
            draw.run(draw.choice(ASK))]


@family("last_insert_id")
def chosen(draw):
    n, holds = draw.randint(100, 999), ("insert id",)
    return [draw.run(f"SET insert_id = {n}", holds=holds), draw.run(draw.choice(ASK)),
            draw.run(f"REPLACE INTO {draw.own} (amount) VALUES (1)", frees=holds), draw.run(draw.choice(ASK))]


@family("last_insert_id")
def used(draw):
    return [draw.run(f"INSERT INTO {draw.own} (amount) VALUES (9)"),
            draw.run(f"INSERT INTO {draw.own} (amount) VALUES (LAST_INSERT_ID() % 100)"),
            draw.run(f"SELECT id, amount FROM {draw.own} ORDER BY id DESC LIMIT 2")]


@family("last_insert_id")
def ask(draw):
    return [draw.run(draw.choice(ASK))]


# --- FOUND_ROWS() and ROW_COUNT() -------------------------------------------------------------------------------------

COUNTS = ("SELECT FOUND_ROWS()", "SELECT ROW_COUNT()", "SELECT ROW_COUNT(), FOUND_ROWS()", "SELECT FOUND_ROWS() AS found",
          "DO FOUND_ROWS()")


@family("found")
def found(draw):
    n = draw.randint(1, 9)
    sql = draw.choice([f"SELECT SQL_CALC_FOUND_ROWS id FROM main_0000.items ORDER BY id LIMIT {n}",
                       f"SELECT id FROM main_0000.items WHERE id <= {n} ORDER BY id", "SELECT 1",
                       "SHOW TABLES LIKE 'none'",
                       f"SELECT SQL_CALC_FOUND_ROWS word FROM main_0000.items WHERE id > {n} ORDER BY id LIMIT 1"])
    return [draw.run(sql), draw.run(draw.choice(COUNTS))]


@family("found")
def changed(draw):
    n = draw.randint(1, 9)
    sql = draw.choice([f"INSERT INTO {draw.own} (amount) VALUES ({n}), ({n})", f"UPDATE {draw.own} SET amount = {n}",
                       f"DELETE FROM {draw.own} WHERE amount = {n}", f"UPDATE {draw.own} SET amount = amount",
                       "SET @x = 1",
                       f"REPLACE INTO {draw.own} (id, word) VALUES (1, 'again')", "SELECT * FROM no_such_table",
                       f"INSERT INTO {draw.own} (id, word) VALUES (1, 'w') ON DUPLICATE KEY UPDATE word = 'other {n}'"])
    return [draw.run(sql), draw.run(draw.choice(COUNTS))]


@family("found")
def count(draw):
    return [draw.run(draw.choice(COUNTS))]


# --- warnings ---------------------------------------------------------------------------------------------------------

ASK_WARNINGS = ("SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "SHOW COUNT(*) ERRORS",
                "SELECT @@warning_count",
                "SELECT @@error_count", "SELECT @@warning_count, @@error_count", "SHOW WARNINGS LIMIT 1")


@family("warnings")
def warn(draw):
    n = draw.randint(1, 9)
    sql = draw.choice([f"SELECT CAST('{n}x' AS SIGNED)", f"DROP TABLE IF EXISTS main_0000.gone_{n}", "SELECT 1/0, 2/0",
                       f"INSERT IGNORE INTO {draw.own} (amount) VALUES (70{n})", "SELECT * FROM no_such_table", "SELEC 1",
                       f"INSERT INTO {draw.own} (amount) VALUES (80{n})", f"CREATE DATABASE IF NOT EXISTS next_0000",
                       "SELECT 1",
                       f"SELECT id FROM main_0000.items WHERE id = {n}", "SET sql_mode = 'NO_ZERO_DATE'",
                       "DO CAST('z' AS SIGNED)",
                       f"INSERT INTO {draw.own} (id, amount) VALUES (1, {n})"])
    return [draw.run(sql), *(draw.simple(draw.choice(ASK_WARNINGS)) for _ in range(draw.randint(1, 2)))]


@family("warnings")
def diagnostics(draw):
    begin = draw.choice(["SELECT * FROM no_such_table", "SELECT 1/0", "DROP TABLE IF EXISTS main_0000.gone"])
    return [draw.simple(begin), draw.simple("GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT", holds=("user variables",)),
            draw.run("SELECT @n, @r")]


@family("warnings")
def ask_warnings(draw):
    return [draw.run(draw.choice(ASK_WARNINGS))]


@family("warnings")
def of_a_file(draw):
    sql = f"LOAD DATA LOCAL INFILE 'x' IGNORE INTO TABLE {draw.own} (word, amount)"
    return [draw.step(("infile", sql, b"cut\n")), draw.simple("SHOW WARNINGS")]


@family("warnings")
def counting(draw):
    return [draw.run(draw.choice(["SET max_error_count = 0", "SET max_error_count = DEFAULT", "SET sql_warnings = 1",
                                  "SET sql_notes = 0", "SET sql_notes = 1"])), *warn(draw)]


# --- errors -----------------------------------------------------------------------------------------------------------

@family("errors")
def wrong(draw):
    n = draw.randint(1, 9)
    sql = draw.choice(["SELEC 1", "SELECT * FROM no_such_table", "SELECT no_such_column FROM items", "SELECT 1 FROM", "",
                       ";",
                       f"INSERT INTO {draw.own} (id) VALUES (1), (1)", "CALL nowhere()", "SELECT f_unknown()",
                       "-- nothing",
                       f"INSERT INTO {draw.own} (amount) VALUES (99{n})", "SELECT (SELECT id FROM main_0000.items)",
                       "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'signalled'", "SELECT 'unterminated",
                       "SHOW GRANTS FOR nobody", "GRANT SELECT ON nothing TO nobody", "SELECT 1;;",
                       "SELECT POW(10, 1000)", "SELECT JSON_EXTRACT('{', '$.a')", "/* nothing */", "SELECT 1 /* end"])
    way = draw.choice([draw.simple(sql), draw.simple(sql), draw.binary(sql), draw.run(sql)])
    return [way, draw.run("SELECT 'lives'")]


@family("errors")
def wrong_numbers(draw):
    return [draw.step(*draw.choice([
        (("execute", "never made", (), 0, "types"),), (("reset", "never made"),), (("close", "never made"),),
        (("fetch", "never made", 2),), (("set_option", 7),), (("init_db", ""),), (("init_db", "nowhere"),),
        (("prepare", "", "SELECT ?"), ("fetch", "", 2))])), draw.run("SELECT 'lives'")]


# --- several statements, several results ------------------------------------------------------------------------------

@family("multi", outside=True)
def texts(draw):
    n = draw.randint(1, 9)
    many = ["SELECT 1", f"SELECT id FROM main_0000.items WHERE id < {n} ORDER BY id", f"SET time_zone = '+0{n}:00'",
            f"INSERT INTO {draw.own} (amount) VALUES ({n})", "SELECT LAST_INSERT_ID()", "BEGIN", "COMMIT",
            f"SET @a = {n}",
            "SELECT * FROM no_such_table", "SELECT ROW_COUNT()", "USE next_0000", "USE main_0000", "SELECT DATABASE()",
            "SELECT ';', \"a;b\", 'it''s; \\'; '", "/* a; b */ SELECT 2", "SHOW WARNINGS", f"SET NAMES latin1",
            "CALL main_0000.two_results(2)", "", "SELECT @@time_zone", "-- a; b\nSELECT 3", "SELECT 1/0"]
    return [draw.simple(*draw.sample(many, draw.randint(2, 4))), draw.run("SELECT @@time_zone, DATABASE()"),
            draw.simple("ROLLBACK")]


@family("multi")
def option(draw):
    return [draw.step(("set_option", draw.choice([0, 1]))), draw.simple("SELECT 1", "SELECT 2")]


@family("multi")
def results(draw):
    return [draw.run(f"CALL main_0000.two_results({draw.randint(0, 4)})"), draw.step(("ping",))]
