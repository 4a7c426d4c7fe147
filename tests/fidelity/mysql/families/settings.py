# SPDX-License-Identifier: Apache-2.0
"""What a session sets: variables of every kind, character sets, the current database, user variables, roles."""
from mysql.weave import family

ISOLATION = {"mariadb": "tx_isolation", "mysql": "transaction_isolation"}
READ_ONLY = {"mariadb": "tx_read_only", "mysql": "transaction_read_only"}
LOOK = ("SELECT @@time_zone, @@sql_mode, @@lock_wait_timeout", "SELECT 1/3, @@div_precision_increment",
        "SELECT @@foreign_key_checks, @@unique_checks, @@sql_safe_updates", "SHOW VARIABLES LIKE 'group_concat_max_len'",
        "SELECT MONTHNAME('2026-01-01'), @@lc_time_names",
        "SELECT @@max_heap_table_size, @@long_query_time, @@wait_timeout",
        "SELECT 'a' || 'b', \"quoted\"", "SELECT LENGTH('a\\\\b')", "SELECT CAST('2024-02-30' AS DATE)")
LOOK_CHARSET = ("SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection",
                "SELECT word FROM items WHERE id = 1", "SELECT 'text', CHARSET('text'), COLLATION('text')",
                "SHOW VARIABLES LIKE 'character_set_c%'")


@family("logins")
def letters_after_a_login(draw):
    return [draw.run("SELECT word FROM main_0000.items WHERE id = 1")]


@family("logins")
def look_after_a_login(draw):
    return [draw.run(draw.choice(["SELECT DATABASE()", "SELECT CURRENT_USER(), USER() LIKE 'app@%'",
                                  "SELECT @@collation_connection"]))]


# --- variables --------------------------------------------------------------------------------------------------------


@family("settings")
def one(draw):
    n = draw.randint(2, 9)
    sql = draw.choice([
        f"SET time_zone = '+0{n}:00'", f"SET SESSION lock_wait_timeout = {n}", f"SET @@session.time_zone = '+0{n}:30'",
        f"SET @@time_zone := '-0{n}:00'", f"SET LOCAL group_concat_max_len = {n * 100}", "SET time_zone = DEFAULT",
        "SET sql_mode = ''", "SET sql_mode = 'ANSI'", "SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')",
        "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", "SET sql_mode = 'STRICT_ALL_TABLES'",
                       "SET sql_mode = DEFAULT",
        "SET foreign_key_checks = 0", "SET unique_checks = OFF", "SET sql_safe_updates = ON",
                       "SET foreign_key_checks = DEFAULT",
        f"SET div_precision_increment = {n}", "SET lc_time_names = 'de_DE'",
                       f"SET max_heap_table_size = {n} * 1024 * 1024",
        f"SET long_query_time = {n}.5", f"SET wait_timeout = {n}000", "SET foreign_key_checks = NOT @@unique_checks",
        f"SET lock_wait_timeout = (SELECT {n})", "SET time_zone = 'nowhere'", "SET no_such_variable = 1",
        "SET SESSION time_zone = @@global.time_zone", f"SET /* of a comment */ time_zone = '+1{n - 2}:00' -- and more",
        f"/*!50000 SET time_zone = '+0{n}:15' */", f"SET time_zone = CONCAT('+0', {n}, ':00')", "SET sql_big_selects = 1",
        f"SET max_statement_time = {n}00" if draw.mariadb else f"SET max_execution_time = {n}0000",
        "SET sql_mode = 65536", "SET sql_auto_is_null = 0", f"SET sql_select_limit = {n}",
                       "SET sql_select_limit = DEFAULT",
        "SET completion_type = DEFAULT", f"SET timestamp = 100000000{n}", "SET timestamp = DEFAULT"])
    return [draw.run(sql), draw.run(draw.choice(LOOK))]


@family("settings")
def at_a_time(draw):
    n = draw.randint(2, 9)
    # In one step: where the first is left out the second would tell the time.
    return [draw.step(("query", draw.choice([f"SET timestamp = 100000000{n}", f"SET @@session.timestamp = 1{n}00000000.5"])),
                      ("query", draw.choice(["SELECT NOW(), @@time_zone", "SELECT UNIX_TIMESTAMP(), CURDATE()"]))),
            draw.run("SET timestamp = DEFAULT")]


@family("settings")
def what_ends(draw):
    """No other backend can be given these: one goes with the next row, the other when it is taken back."""
    n = draw.randint(100, 200)
    if draw.chance(0.5):
        holds = ("insert id",)
        return [draw.run(f"SET insert_id = {n}", holds=holds), draw.run(draw.choice(["SELECT @@insert_id", LOOK[0]])),
                draw.run(f"REPLACE INTO {draw.own} (amount) VALUES ({n})", frees=holds),
                draw.run(f"SELECT id, amount FROM {draw.own} WHERE id = {n}")]
    holds = ("is null",)
    return [draw.run("SET SESSION TRANSACTION READ WRITE"), draw.run("SET sql_auto_is_null = 1", holds=holds),
            draw.run(f"INSERT INTO {draw.own} (amount) VALUES (3)"),
            draw.run(f"SELECT amount FROM {draw.own} WHERE id IS NULL"),
            draw.run(draw.choice(["SET sql_auto_is_null = 0", "SET sql_auto_is_null = DEFAULT"]), frees=holds)]


@family("settings")
def several(draw):
    n = draw.randint(2, 9)
    return [draw.run(draw.choice([
        f"SET time_zone = '+0{n}:00', lock_wait_timeout = {n}, sql_mode = ''",
        f"SET time_zone = '+0{n}:00', no_such_variable = 3", f"SET time_zone = '+0{n}:00', lock_wait_timeout = 'abc'",
        f"SET SESSION time_zone = '+0{n}:00', GLOBAL slow_launch_time = 3, @b = {n}",
        f"SET @b = {n}, time_zone = '+0{n}:00', sql_mode = DEFAULT"])), draw.run(draw.choice(LOOK))]


@family("settings")
def together(draw):
    n = draw.randint(2, 9)
    return draw.mixed([f"SET time_zone = '+0{n}:00'", draw.choice(["SELECT 1", "SET no_such_variable = 1",
                                                                   "SELECT * FROM gone"]),
                       f"SET lock_wait_timeout = {n}"]) + [draw.run(LOOK[0])]


@family("settings")
def look(draw):
    return [draw.run(draw.choice(LOOK))]


@family("settings")
def isolation(draw):
    name, read_only = ISOLATION[draw.flavour], READ_ONLY[draw.flavour]
    sql = draw.choice(["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET SESSION TRANSACTION READ ONLY",
                       "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
                       "SET SESSION TRANSACTION READ WRITE",
                       f"SET SESSION {name} = 'REPEATABLE-READ'", f"SET {name} = 'READ-UNCOMMITTED'",
                       f"SET {read_only} = 1",
                       f"SET {name} = DEFAULT", f"SET SESSION {read_only} = 0"])
    return [draw.run(sql), draw.run(f"SELECT @@{name}, @@{read_only}"),
            draw.run(f"INSERT INTO {draw.own} (amount) VALUES (1)")]


@family("one_shot", outside=True)
def next_transaction(draw):
    sql = draw.choice(["SET TRANSACTION READ ONLY", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                       "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"])
    steps = [draw.run(sql, holds=("one shot",))] + [draw.run("SELECT 1")] * draw.randint(0, 1)
    write = f"INSERT INTO {draw.own} (amount) VALUES (2)"
    if draw.chance(0.5):
        steps += [draw.simple("BEGIN"), draw.run(write), draw.simple("COMMIT", frees=("one shot",))]
    steps.append(draw.run(write, frees=("one shot",)))
    return steps


# --- character sets ---------------------------------------------------------------------------------------------------

@family("charsets")
def names(draw):
    sql = draw.choice(["SET NAMES latin1", "SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET NAMES DEFAULT",
                       "SET NAMES 'utf8mb3'",
                       "SET CHARACTER SET latin1", "SET CHARACTER SET DEFAULT", "SET character_set_results = NULL",
                       "SET collation_connection = 'utf8mb4_unicode_ci'", "SET character_set_client = latin1",
                       "SET character_set_connection = 'utf8mb4'", "SET NAMES nonsense", "SET NAMES binary",
                       "SET CHARSET utf8mb4",
                       "SET NAMES latin1 COLLATE latin1_german1_ci", "SET NAMES utf8mb4, time_zone = '+05:00'"])
    return [draw.run(sql), draw.run(draw.choice(LOOK_CHARSET))]


@family("charsets")
def letters(draw):
    return [draw.run("SELECT 'äöü €', HEX('ä'), LENGTH('ä')"), draw.run(draw.choice(LOOK_CHARSET))]


@family("charsets")
def look_at_charsets(draw):
    return [draw.run(draw.choice(LOOK_CHARSET))]


# --- the current database ---------------------------------------------------------------------------------------------

LOOK_DATABASE = ("SELECT DATABASE(), SCHEMA()", "SELECT word FROM items WHERE id = 2", "SHOW TABLES LIKE 'item%'",
                 "SELECT @@character_set_database, DATABASE()")


@family("database")
def change(draw):
    name = draw.choice(("next_0000", "main_0000", "nowhere"))
    way = draw.choice([draw.simple(f"USE {name}"), draw.step(("init_db", name)), draw.simple(f"USE `{name}`"),
                       draw.run("SELECT 1") if not draw.several else draw.simple(f"USE {name}", "SELECT DATABASE()")])
    return [way, draw.run(draw.choice(LOOK_DATABASE))]


@family("database")
def look_around(draw):
    return [draw.run(draw.choice(LOOK_DATABASE))]


@family("database", outside=True)
def dropped(draw):
    """The current database is dropped: there is none then."""
    name = f"next_0000_{draw.session}"
    return [draw.simple(f"CREATE DATABASE {name}"), draw.step(("init_db", name)), draw.run("SELECT DATABASE()"),
            draw.simple(f"DROP DATABASE {name}"), draw.run("SELECT DATABASE()"), draw.run("SELECT * FROM items"),
            draw.step(("init_db", "main_0000"))]


# --- user variables ---------------------------------------------------------------------------------------------------

LOOK_USER = ("SELECT @a, @b", "SELECT @a + 1, CONCAT(@b, 'x')", "SELECT @`a b`, @A", "SELECT COLLATION(@b), @nothing",
             "SELECT word FROM items WHERE id = @a")


@family("user_variables", outside=True)
def from_literals(draw):
    n = draw.randint(1, 9)
    sql = draw.choice([f"SET @a = {n}", f"SET @b = 'of {draw.session}'", f"SET @a := {n}, @b = 'both {n}'",
                       "SET @a = NULL",
                       f"SET @a = {n}.5", f"SET @b = X'4142{n}0'", f"SET @`a b` = {n}", f"SET @a = -{n}",
                       f"SET @a = {n}e3",
                       "SET @b = _utf8mb4'ä' COLLATE utf8mb4_bin", f"SET @a = TRUE, @b = DATE '2026-01-0{n}'"])
    return [draw.run(sql), draw.run(draw.choice(LOOK_USER))]


@family("user_variables", outside=True)
def from_expressions(draw):
    n = draw.randint(1, 9)
    sql = draw.choice([f"SET @a = {n} + 1", f"SET @b = CONCAT('x', {n})",
                       "SET @a = (SELECT MAX(id) FROM main_0000.items)",
                       "SET @a = @a + 1", "SET @b = @a", f"SET @a = {n}, time_zone = '+0{n}:00'",
                       "SET @b = REPEAT('y', 3)"])
    return [draw.run(sql, holds=("user variables",)), draw.run(draw.choice(LOOK_USER))]


@family("user_variables", outside=True)
def in_select(draw):
    n = draw.randint(1, 9)
    sql = draw.choice([f"SELECT @a := {n}", f"SELECT {n} INTO @a",
                       f"SELECT id, word INTO @a, @b FROM main_0000.items WHERE id = {n}",
                       "SELECT @a := @a + 1 FROM main_0000.items WHERE id < 4", f"DO @a := {n}"])
    return [draw.run(sql, holds=("user variables",)), draw.run(draw.choice(LOOK_USER))]


@family("user_variables", outside=True)
def look_at_user_variables(draw):
    return [draw.run(draw.choice(LOOK_USER))]


@family("variables_within", outside=True)
def within(draw):
    """In a transaction, whose backend cannot be reset first."""
    body = draw.choice([from_literals, from_expressions, in_select, look_at_user_variables])(draw)
    return [draw.simple("BEGIN"), *body, draw.run("SELECT @a + 1, @nothing + 1"), draw.simple("COMMIT")]


# --- roles ------------------------------------------------------------------------------------------------------------

@family("roles")
def roles(draw):
    sql = draw.choice(["SET ROLE reader", "SET ROLE NONE", "SET ROLE writer", "SET ROLE nobody"]
                      + ([] if draw.mariadb else ["SET ROLE ALL", "SET ROLE DEFAULT", "SET ROLE reader, writer"]))
    return [draw.run(sql), draw.run("SELECT CURRENT_ROLE(), CURRENT_USER()")]
