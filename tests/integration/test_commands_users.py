# SPDX-License-Identifier: Apache-2.0
"""Who may do what at the console, by every command and table there is; and the extended protocol, which only asks first."""
import asyncio

import mywire
import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER, login
from console import console, id_of, pool, tell
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import wait_until

LOOKER, LOOKER_PASSWORD = "looker", "looker-secret"


def my_console(daemon, user=CONSOLE_USER, password=CONSOLE_PASSWORD):
    return mywire.connect(daemon.mysql_port, user, password, "leasehold", timeout=30)


# --- who may --------------------------------------------------------------------------------------------------------

@pytest.fixture
def looked_at(leasehold, postgres):
    """A daemon with a user who may only look, and a session in a transaction."""
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}},
                       users=[{"name": LOOKER, "password": LOOKER_PASSWORD}], admin={"stats_users": [LOOKER]})
    session = login(daemon, application_name="billing")
    session.ok("BEGIN")
    session.ok("SELECT 1")
    return daemon, session


def test_who_may_only_look_cannot_end_a_clients_session(looked_at):
    """Symptom: a user who was let in to read statistics sent KILL_CLIENT with an id from the client list, and that
    client's transaction was gone (PgBouncer's CVE-2026-6667 is of this kind). Proof: refused here, and the transaction
    goes on."""
    daemon, session = looked_at
    reply = tell(daemon, f"KILL_CLIENT {id_of(daemon, 'billing')}", LOOKER, LOOKER_PASSWORD)
    assert reply.sqlstate == "42501" and "admin.users" in reply.error.message, reply
    assert session.value("SELECT 'still here'") == "still here"
    session.ok("COMMIT")
    wait_until(lambda: "event=command_refused" in daemon.log_text() and f"by={LOOKER}" in daemon.log_text(), 10)


def test_every_command_and_table_keeps_to_who_may_use_it(looked_at):
    daemon, session = looked_at
    help_ = daemon.console("SHOW HELP")
    assert {row["permission"] for row in help_} == {"read", "administer"}
    before = [{k: row[k] for k in ("database", "status", "checkedout")} for row in daemon.console("SHOW POOLS")]
    with console(daemon, LOOKER, LOOKER_PASSWORD) as looker:
        for row in help_:
            words = row["command"].split()
            if row["permission"] == "read":
                assert row["command"].startswith("SHOW "), row
                assert looker.query(row["command"]).tags == ["SHOW"], row
                continue
            for text in {words[0], f"{words[0]} orders", f"{words[0]} {id_of(daemon, 'billing')}", f"{words[0]} NOW"}:
                for ask in (looker.query, looker.extended):
                    reply = ask(text)
                    assert reply.sqlstate == "42501", (text, reply)
    assert session.value("SELECT 1") == "1"
    assert before == [{k: row[k] for k in ("database", "status", "checkedout")} for row in daemon.console("SHOW POOLS")]
    daemon.connect("orders", USER, PASSWORD).close()


def test_users_who_are_not_named_cannot_tell_the_console_from_a_missing_user(looked_at):
    daemon, _ = looked_at
    said = set()
    for user, password in ((USER, PASSWORD), (USER, "wrong"), ("nobody", "x"), (LOOKER, "wrong")):
        with pytest.raises(psycopg2.OperationalError) as refused:
            daemon.console("SHOW POOLS", user, password)
        said.add(str(refused.value).split("FATAL:")[1].split("\n")[0].replace(user, "?"))
    assert len(said) == 1, said


# --- the extended protocol ------------------------------------------------------------------------------------------

def test_describing_a_command_does_not_carry_it_out(busy):
    daemon, holder = busy
    with console(daemon) as session:
        session.send(pgwire.parse("s", "PAUSE orders 0"), pgwire.describe("S", "s"), pgwire.SYNC)
        reply = session.reply()
        assert reply.kinds == "1tnZ", reply
        assert pool(daemon)["status"] == "ok"
        reply = session.extended(f"KILL_CLIENT {id_of(daemon, 'billing')}")
        assert reply.tags == ["KILL_CLIENT"], reply
    assert holder.reply().sqlstate == "57P01"


def test_numbers_come_in_binary_where_they_are_asked_for(orders):
    with console(orders) as session:
        session.send(pgwire.parse("", "SHOW POOLS"), pgwire.bind(results=(1,)), pgwire.describe("P"), pgwire.execute(),
                     pgwire.SYNC)
        replies = dict(reversed(list(iter(session.read, ("Z", b"I")))))
        columns = columns_of(replies["T"])
        cells = cells_of(replies["D"])
        assert cells[columns.index(("size", 1))] == (5).to_bytes(8, "big")
        assert cells[columns.index(("database", 1))] == b"orders"
        assert session.extended("SHOW POOLS", values=("1",)).sqlstate == "55000"


def columns_of(body):
    """Name and format of each, from a RowDescription."""
    at, columns = 2, []
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(b"\0", at)
        columns.append((body[at:end].decode(), int.from_bytes(body[end + 17:end + 19], "big")))
        at = end + 19
    return columns


def cells_of(body):
    at, cells = 2, []
    for _ in range(int.from_bytes(body[:2], "big")):
        size = int.from_bytes(body[at:at + 4], "big", signed=True)
        cells.append(None if size < 0 else body[at + 4:at + 4 + size])
        at += 4 + max(size, 0)
    return cells


def test_a_mysql_user_who_may_only_look_is_refused_with_1227(leasehold, mysql_server):
    daemon = leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD)}},
                       users=[{"name": LOOKER, "password": LOOKER_PASSWORD}], admin={"stats_users": [LOOKER]})
    with my_console(daemon, LOOKER, LOOKER_PASSWORD) as looker:
        assert looker.query("SHOW POOLS").rows
        for row in daemon.console("SHOW HELP"):
            if row["permission"] == "administer":
                with pytest.raises(mywire.ServerError) as refused:
                    looker.query(row["command"].split()[0])
                assert (refused.value.code, refused.value.sqlstate) == (1227, "42501"), row


def test_asyncpg_reads_tables_gives_commands_and_pools_console_sessions(orders):
    asyncpg = pytest.importorskip("asyncpg")

    async def talk():
        where = {"host": "127.0.0.1", "port": orders.port, "user": CONSOLE_USER, "password": CONSOLE_PASSWORD,
                 "database": "leasehold"}
        async with asyncpg.create_pool(min_size=1, max_size=1, **where) as connections:
            for _ in range(2):  # it tidies up with several statements at once
                rows = await connections.fetch("SHOW POOLS")
                assert (rows[0]["database"], rows[0]["size"]) == ("orders", 5)
            assert await connections.execute("PAUSE orders 0") == "PAUSE"
            assert pool(orders)["status"] == "paused"
            await connections.fetch("RESUME")
            with pytest.raises(asyncpg.InvalidParameterValueError):
                await connections.fetch("KILL_CLIENT 999999")

    asyncio.run(talk())
