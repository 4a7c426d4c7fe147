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


def _no_pin(reason):
    return f"no_pin:{reason}"


LONG = "long_" * 13  # longer than a name may be, which is said
BIND = (("bind", "p", "", (), False), ("execute", "", 0), ("sync",))

# By switch: what must differ once it is on.
CARRIERS = {
    "no_settings": _program(
        "settings", (0, "SET DateStyle = 'German'"), (1, "SELECT 1"), (0, "SELECT DATE '2024-02-13'"),
        (0, "SET work_mem = '1MB'"), (0, "SELECT current_setting('work_mem')")),
    "no_replay": _program(
        "settings", (0, "SET TimeZone = 'Asia/Tokyo'"), (0, "SET work_mem = '1MB'"), (1, "SELECT 1"), (0, "SHOW work_mem"),
        (0, "SHOW TimeZone")),
    "no_restate": _program(
        "resets", (0, "SET application_name = 'changed'"), (1, "SELECT 1"), (0, "RESET ALL")),
    "no_prepared": _program(
        "prepared", (0, ("parse", "p", "SELECT 'of 0'"), ("sync",)), (1, "SELECT 1"), (0, *BIND), (0, *BIND)),
    _no_pin("temporary object"): _program(
        "temp", (0, "CREATE TEMP TABLE t (id int)"), (1, "SELECT 1"), (0, "SELECT * FROM t"), (1, "SELECT * FROM t")),
    _no_pin("session advisory lock"): _program(
        "advisory", (0, "SELECT pg_advisory_lock(1)"), (1, "SELECT 1"), (0, "SELECT pg_advisory_unlock(1)"),
        (0, "SELECT pg_advisory_unlock(1)")),
    _no_pin("cursor WITH HOLD"): _program(
        "cursors", (0, "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM items"), (1, "SELECT 1"), (0, "FETCH 2 FROM c")),
    "no_listen": _program(
        "listen", (0, "LISTEN news"), (1, "SELECT 1"), (0, "SELECT 1"), (1, "NOTIFY news, 'heard'"), (0, ("drain",))),
    "no_along": _program(
        "listen", (0, "LISTEN news"), (0, "BEGIN"), (1, "NOTIFY other, 'before'"), (0, "LISTEN other"), (0, "COMMIT"),
        (0, ("drain",))),
    _no_pin("LISTEN"): _program(  # to a name beyond ASCII
        "listen", (0, 'LISTEN "n\u00e9ws"'), (1, "SELECT 1"), (0, "SELECT 1"), (1, 'NOTIFY "n\u00e9ws", \'heard\''),
        (0, ("drain",))),
    "no_sql_prepared": _program(
        "sql_prepared", (0, "PREPARE q AS SELECT 1"), (1, "SELECT 1"), (0, "EXECUTE q"), (0, "DEALLOCATE q")),
    _no_pin("PREPARE"): _program(
        "sql_prepared", (0, f"PREPARE {LONG} AS SELECT 1"), (1, "SELECT 1"), (0, f"EXECUTE {LONG}"),
        (0, f"DEALLOCATE {LONG}")),
    _no_pin("set_config()"): _program(
        "settings", (0, "SELECT set_config('work_mem', '1' || 'MB', false)"), (1, "SELECT 1"), (0, "SHOW work_mem")),
    _no_pin("SET"): _program(
        "settings", (0, "SET temp_buffers = '1MB'"), (1, "SELECT 1"), (0, "SHOW temp_buffers")),
    "no_audit": _program(
        "hidden", (0, "SELECT hidden_set('work_mem', '5MB')"), (1, "SHOW work_mem"), (0, "SHOW work_mem")),
    _no_pin("currval() or lastval()"): _program(
        "sequences", (0, "SELECT nextval('counter')"), (1, "SELECT 1"), (0, "SELECT currval('counter')")),
    "no_reset": _program(
        "departures", (0, "SELECT pg_advisory_lock(5)"), (0, ("leave", "terminate")),
        (1, "SELECT pg_try_advisory_xact_lock(5)"), (1, "SELECT pg_try_advisory_xact_lock(5)")),
}
