# SPDX-License-Identifier: Apache-2.0
"""For each carrier the smallest programs that need it: they are clean through leasehold, and differ as soon as the switch
that turns the carrier off is turned. By these the measure itself is measured."""
from core.program import Program, Step


def _program(name, *steps):
    made = []
    for session, *messages in steps:
        sent = tuple(("query", m) if isinstance(m, str) else m for m in messages)
        made.append(Step(session, name, sent))
    return Program(name, ((), (), ()), tuple(made))


def _no_pin(reason, too="state made by stored code"):
    """Nor what the server's own tracker says of it."""
    return f"no_pin:{reason},no_pin:{too}"


# By switch: what must differ once it is on.
CARRIERS = {
    "no_settings": _program("settings", (0, "SET time_zone = '+03:00'"), (1, "SELECT 1"), (0, "SELECT @@time_zone")),
    "no_prepared": _program(
        "prepared", (0, ("prepare", "p", "SELECT 'of 0', ?")), (1, "SELECT 1"), (0, ("execute", "p", (7,), 0, "types")),
        (1, "SELECT 1"), (0, ("execute", "p", (8,), 0, "again"))),
    "no_reading": _program(
        "prepared", (0, "SET sql_mode = 'PIPES_AS_CONCAT'"), (0, ("prepare", "p", "SELECT 'a' || 'b'")),
                           (0, "SET sql_mode = ''"),
        *[(0, ("execute", "p", (), 0, "types"))] * 3),
    "no_insert_id": _program(
        "last_insert_id", (0, "INSERT INTO main_0000.own_0 (amount) VALUES (1)"),
                             (1, "INSERT INTO main_0000.own_1 (amount) VALUES (1), (2)"),
        (0, "SELECT LAST_INSERT_ID()"), (1, "SELECT LAST_INSERT_ID()"), (2, "SELECT LAST_INSERT_ID()"),
                             (0, "SELECT LAST_INSERT_ID()")),
    "no_pins": _program(
        "locks", (0, "LOCK TABLES main_0000.own_0 WRITE"), (1, "SELECT 1"),
                        (0, "SELECT id FROM main_0000.items WHERE id = 1")),
    _no_pin("temporary table"): _program(
        "temp", (0, "CREATE TEMPORARY TABLE t (id INT)"), (1, "SELECT 1"), (0, "SELECT * FROM t"),
                                         (1, "SELECT * FROM t")),
    "no_user_variables": _program("user_variables", (0, "SET @a = 5"), (1, "SELECT 1"), (0, "SELECT @a"),
                                       (1, "SELECT @a")),
    _no_pin("GET_LOCK"): _program(
        "get_lock", (0, "SELECT GET_LOCK('l', 0)"), (1, "SELECT 1"), (0, "SELECT RELEASE_LOCK('l')"),
                                  (0, "SELECT RELEASE_LOCK('l')")),
    _no_pin("HANDLER"): _program(
        "handler", (0, "HANDLER main_0000.items OPEN AS h"), (1, "SELECT 1"), (0, "HANDLER h READ FIRST")),
    _no_pin("SQL PREPARE"): _program(
        "sql_prepared", (0, "SET @q = 'SELECT 1'"), (0, "PREPARE q FROM @q"), (1, "SELECT 1"), (0, "EXECUTE q"),
                                     (0, "EXECUTE q")),
    "no_sql_prepared": _program(
        "sql_prepared", (0, "PREPARE q FROM 'SELECT 1'"), (1, "SELECT 1"), (0, "EXECUTE q"), (0, "EXECUTE q")),
    "no_reset": _program(
        "departures", (0, "CREATE TEMPORARY TABLE t (id INT)"), (0, ("leave", "quit")), *[(1, "SELECT * FROM t")] * 3),
}

# What no reset of the servers' own takes back.
OTHERS_ROLE = _program(
    "departures", (0, "SET ROLE reader"), (0, ("leave", "quit")), (1, "SELECT CURRENT_ROLE()"), (1, "SELECT CURRENT_ROLE()"),
    (2, "SET ROLE writer"), (2, ("reset_connection",)), (2, ("leave", "reset")), (1, "SELECT CURRENT_ROLE()"),
    (1, "SELECT CURRENT_ROLE()"))
