# SPDX-License-Identifier: Apache-2.0
"""Settings that the server does not report: SET by one session, they follow it and reach nobody else."""
import random

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER, login

VALUES = {
    "work_mem": ("'7MB'", "7MB", "4MB"),
    "statement_timeout": ("'90s'", "90s", "0"),
    "lock_timeout": ("5000", "5s", "0"),
    "extra_float_digits": ("-3", "-3", "1"),
    "default_transaction_read_only": ("on", "on", "off"),
    "default_transaction_isolation": ("serializable", "serializable", "read committed"),
    "default_statistics_target": ("123", "123", "100"),
    "seq_page_cost": ("2.50", "2.5", "1"),
    "bytea_output": ("ESCAPE", "escape", "hex"),
    "jit": ("FALSE", "off", "on"),
    "row_security": ("'off'", "off", "on"),
}


@pytest.fixture
def single(leasehold, postgres):
    """A factory of daemons whose pool has one backend, or as many as asked for."""
    def start(**keys):
        pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0, "pool_timeout": "5s"}
        return leasehold(pools={"orders": {**pool, **keys}})
    return start


def simple(session, sql):
    return session.query(sql)


def unnamed(session, sql):
    return session.extended(sql)


def described(session, sql):
    session.send(pgwire.parse("", sql), pgwire.describe("S"), pgwire.SYNC)
    assert session.reply().sqlstate is None
    session.send(pgwire.bind(""), pgwire.describe("P"), pgwire.execute(), pgwire.close("P"), pgwire.SYNC)
    return session.reply()


def named(session, sql):
    session.send(pgwire.parse("of the driver", sql), pgwire.SYNC)
    assert session.reply().sqlstate is None
    session.send(pgwire.bind("of the driver"), pgwire.execute(), pgwire.SYNC)
    reply = session.reply()
    session.send(pgwire.close("S", "of the driver"), pgwire.SYNC)
    session.reply()
    return reply


WAYS = [simple, unnamed, described, named]


def kill_backend(daemon, postgres, session):
    """Ends the backend that served the session last, and waits until leasehold knows."""
    pid = session.value("SELECT pg_backend_pid()")
    postgres.terminate(int(pid))
    daemon.lost(pid)
    return pid


def pins(daemon):
    return [row["pin"] for row in daemon.console("SHOW CLIENTS") if row.get("pin")]


@pytest.mark.parametrize("way", WAYS)
def test_a_setting_follows_its_session_and_reaches_nobody_else(single, way):
    daemon = single()
    owner, other = login(daemon), login(daemon)
    for name, (value, shown, usual) in VALUES.items():
        assert other.value(f"SHOW {name}") == usual
        assert way(owner, f"SET {name} = {value}").tags == ["SET"]
    assert not pins(daemon)
    for _ in range(2):
        for name, (value, shown, usual) in VALUES.items():
            assert other.value(f"SHOW {name}") == usual
            assert owner.value(f"SHOW {name}") == shown
    for name, (value, shown, usual) in VALUES.items():
        assert way(owner, f"RESET {name}").tags == ["RESET"]
        assert owner.value(f"SHOW {name}") == usual
    assert not pins(daemon)
    owner.ok("SET work_mem = '9MB'")
    owner.terminate()
    assert other.value("SHOW work_mem") == "4MB"
    with login(daemon) as third:
        assert third.value("SHOW work_mem") == "4MB"


def test_a_custom_setting_follows_its_session(single):
    daemon = single()
    owner, other = login(daemon), login(daemon)
    owner.ok("SET SESSION app.tenant TO 'it''s; a -- name'")
    assert not other.value("SELECT current_setting('app.tenant', true)")
    assert owner.value("SHOW app.tenant") == "it's; a -- name"
    other.ok("SET app.tenant = 7.50")
    assert owner.value("SHOW app.tenant") == "it's; a -- name"
    assert other.value("SHOW app.tenant") == "7.50"
    assert not pins(daemon)


@pytest.mark.parametrize("way", WAYS)
def test_a_setting_that_the_server_refuses_changes_nothing(single, way):
    daemon = single()
    session = login(daemon)
    session.ok("SET work_mem = '7MB'")
    for sql, state in (("SET work_mem = 'much'", "22023"), ("SET no_such_setting = 1", "42704"),
                       ("SET work_mem = 1", "22023")):
        assert way(session, sql).sqlstate == state
    assert not pins(daemon)
    with login(daemon) as other:
        assert other.value("SHOW work_mem") == "4MB"
    assert session.value("SHOW work_mem") == "7MB"


def test_in_a_transaction_a_setting_is_as_on_a_dedicated_connection(single):
    daemon = single(pool_size=2)
    session, other = login(daemon), login(daemon)
    session.ok("SET work_mem = '7MB'")
    session.ok("BEGIN")
    session.ok("SET work_mem = '9MB'")
    assert session.value("SHOW work_mem") == "9MB"
    session.ok("ROLLBACK")
    for _ in range(2):
        assert session.value("SHOW work_mem") == "7MB"
        assert other.value("SHOW work_mem") == "4MB"
    session.ok("BEGIN; SET work_mem = '9MB'; COMMIT")
    for _ in range(2):
        assert session.value("SHOW work_mem") == "9MB"
        assert other.value("SHOW work_mem") == "4MB"
    assert not pins(daemon)
    session.ok("DISCARD ALL")
    assert session.value("SHOW work_mem") == "4MB"
    assert not pins(daemon)
    session.ok("SET work_mem = '8MB'")
    session.ok("BEGIN; SET LOCAL work_mem = '9MB'; COMMIT")
    assert [session.value("SHOW work_mem"), other.value("SHOW work_mem")] == ["8MB", "4MB"]


@pytest.mark.parametrize("way", WAYS)
def test_in_a_pinned_session_too_reset_goes_to_where_it_began(single, way):
    daemon = single()
    with login(daemon, application_name="mine", options="-c work_mem=6MB") as session:
        session.ok("BEGIN")
        session.ok("SAVEPOINT sp")
        session.ok("SELECT set_config('standard_conforming_strings', 'on', true)")  # and what follows is not undone here
        session.ok("SET work_mem = '7MB'")
        reset = way(session, "RESET ALL")
        assert reset.tags == ["RESET"] and not reset.parameters
        assert (session.value("SHOW work_mem"), session.value("SHOW application_name")) == ("6MB", "mine")
        ended = session.query("ROLLBACK")
        assert ended.tags == ["ROLLBACK"] and not ended.parameters
        assert (session.value("SHOW work_mem"), session.value("SHOW application_name")) == ("6MB", "mine")


@pytest.mark.parametrize("sql", ["SET temp_buffers = 800", "SET transaction_isolation = serializable",
                                 "SET array_nulls = off", "SET work_mem = $$5MB$$", "SET statement_timeout = '150ms'",
                                 "SET local.a = 1", "SET transaction.a = 1", "SET names.a = 1", "SET schema.a = 1"])
def test_what_is_not_certain_to_mean_the_same_elsewhere_pins(single, sql):
    daemon = single()
    session = login(daemon)
    session.ok(sql)
    assert [pin.startswith("SET ") for pin in pins(daemon)] == [True]
    session.terminate()
    with login(daemon) as other:
        assert other.value("SHOW work_mem") == "4MB"


def test_more_settings_than_are_carried_pin(leasehold, postgres):
    pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}
    daemon = leasehold(pools={"orders": pool}, limits={"max_settings_per_session": 3})
    session = login(daemon)
    for name in "abc":
        session.ok(f"SET app.{name} = 1")
    assert not pins(daemon)
    session.ok("SET app.d = 1")
    assert pins(daemon) == ["SET app.d"]
    assert [session.value(f"SHOW app.{name}") for name in "abcd"] == ["1"] * 4


def test_a_new_backend_has_the_settings_of_its_session(single, postgres):
    daemon = single()
    session = login(daemon)
    session.ok("SET work_mem = '7MB'")
    session.ok("SET app.tenant = acme")
    for _ in range(3):
        pid = kill_backend(daemon, postgres, session)
        assert session.value("SHOW work_mem") == "7MB"
        assert session.value("SHOW app.tenant") == "acme"
        assert session.value("SELECT pg_backend_pid()") != pid


@pytest.mark.parametrize("backends", [1, 2])
def test_many_sessions_each_see_their_own(single, postgres, backends):
    daemon = single(pool_size=backends)
    dice = random.Random(20260116)
    names = {"work_mem": ("64kB", "4MB"), "lock_timeout": ("1ms", "0"), "app.tenant": ("x", ""),
             "default_statistics_target": ("1", "100")}

    def values(name):
        number = dice.randrange(100, 900)
        return {"work_mem": (f"'{number}kB'", f"{number}kB"), "lock_timeout": (f"{number}", f"{number}ms"),
                "app.tenant": (f"'t''{number}'", f"t'{number}"),
                "default_statistics_target": (str(number), str(number))}[name]

    sessions = [(login(daemon), {}) for _ in range(6)]
    for turn in range(200):
        session, known = dice.choice(sessions)
        name = dice.choice(list(names))
        deed = dice.randrange(8)
        if deed < 3:
            text, shown = values(name)
            assert dice.choice(WAYS)(session, f"SET {name} = {text}").tags == ["SET"]
            known[name] = shown
        elif deed == 3 and name in known:
            assert dice.choice(WAYS)(session, f"RESET {name}").tags == ["RESET"]
            del known[name]
        elif deed == 4 and name != "app.tenant":
            assert dice.choice(WAYS)(session, f"SET {name} = 'no way'").sqlstate == "22023"
        elif deed == 5 and turn % 5 == 0:
            session.ok("DISCARD ALL")
            known.clear()
        elif deed == 6 and turn % 10 == 0:
            kill_backend(daemon, postgres, session)
        for name, (_, usual) in names.items():
            seen = session.value(f"SELECT current_setting('{name}', true)")
            assert (seen or "") == known.get(name, usual), (turn, name)
    assert {session.value("SELECT 1") for session, _ in sessions} == {"1"}


def test_drivers_that_begin_with_a_set_share_few_backends(single):
    """pgjdbc sends SET extra_float_digits = 3 after each login: three of its connections starved a pool of three."""
    daemon = single(pool_size=3)
    sessions = [login(daemon) for _ in range(12)]
    for session in sessions:
        assert unnamed(session, "SET extra_float_digits = 3").tags == ["SET"]
    for session in sessions:
        assert session.value("SHOW extra_float_digits") == "3"
    assert not pins(daemon)


def test_psycopg2_shares_a_backend(single):
    daemon = single()
    connections = [daemon.connect("orders", USER, PASSWORD) for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET work_mem = %s", (f"{number + 5}MB",))
            with pytest.raises(psycopg2.errors.InvalidParameterValue):
                cursor.execute("SET work_mem = %s", ("none",))
    for number, connection in enumerate(connections):
        with connection.cursor() as cursor:
            cursor.execute("SHOW work_mem")
            assert cursor.fetchone() == (f"{number + 5}MB",)
        connection.close()
