# SPDX-License-Identifier: Apache-2.0
"""A reload that points a pool at another server: clients that are idle do not notice, transactions end where they began, and
none fails under load; and reloads that come often, late, or in the middle of a login."""
import contextlib
import os
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from processes import wait_until
from reloading import Load, applied, connect, enter, farewell, second, start, used, value  # noqa: F401


# --- another server -----------------------------------------------------------------------------------------------------

def test_a_pool_is_pointed_at_another_server_and_idle_clients_do_not_notice(start, postgres, second):
    daemon = start()
    client, plain = enter(daemon), connect(daemon)
    client.ok("SET TIME ZONE 'Europe/Berlin'")
    client.send(pgwire.parse("one", "SELECT inet_server_port()"), pgwire.SYNC)
    assert not client.reply().errors
    assert value(plain) == postgres.port
    daemon.set_pool("orders", url=second.url("orders", USER, PASSWORD))
    applied(daemon)
    assert value(plain) == second.port
    assert client.value("SELECT inet_server_port()") == str(second.port)
    assert client.value("SHOW TIME ZONE") == "Europe/Berlin", "its settings go with it"
    client.send(pgwire.bind("one"), pgwire.execute(), pgwire.SYNC)
    assert client.reply().rows[0][0] == str(second.port), "so do its prepared statements"
    wait_until(lambda: used(postgres) == 0, 10, "nothing left on the old server")


def test_a_transaction_ends_on_the_server_it_began_on(start, postgres, second):
    daemon = start()
    client = connect(daemon)
    client.autocommit = False
    assert value(client) == postgres.port
    daemon.set_pool("orders", url=second.url("orders", USER, PASSWORD))
    applied(daemon)
    assert value(client) == postgres.port
    client.commit()
    assert value(client) == second.port
    client.commit()


def test_who_stays_on_the_old_server_is_told_when_the_time_is_over(start, postgres, second):
    daemon = start(sections={"drain_timeout": "1s"})
    client = enter(daemon)
    client.ok("BEGIN")
    assert client.value("SELECT inet_server_port()") == str(postgres.port)
    daemon.set_pool("orders", url=second.url("orders", USER, PASSWORD))
    applied(daemon)
    wait_until(lambda: used(postgres) == 0, 15, "the end of its backend")
    assert "another server" in farewell(client)
    assert value(connect(daemon)) == second.port


def test_session_mode_moves_with_the_next_session(start, postgres, second):
    daemon = start(sections={"drain_timeout": "1s"}, mode="session")
    old = enter(daemon)
    assert old.value("SELECT inet_server_port()") == str(postgres.port)
    daemon.set_pool("orders", url=second.url("orders", USER, PASSWORD))
    applied(daemon)
    assert value(connect(daemon)) == second.port
    wait_until(lambda: used(postgres) == 0, 15, "the end of the old session")
    assert "another server" in farewell(old)


def test_no_transaction_fails_while_a_pool_moves_to_and_fro_under_load(start, postgres, second):
    daemon = start(pool_size=4)
    load = Load(daemon).begun()
    for server in (second, postgres, second, postgres, second):
        daemon.set_pool("orders", url=server.url("orders", USER, PASSWORD))
        applied(daemon)
        wait_until(lambda s=server: used(s) > 1, 10, "load on the new server")
        time.sleep(0.2)
    assert load.stop() == []


# --- often, late, and in the middle of things -----------------------------------------------------------------------------------

def test_fifty_reloads_under_load_cost_nobody_anything(start, postgres):
    daemon = start(pool_size=4)
    load = Load(daemon).begun()
    with contextlib.closing(connect(daemon)) as idle:
        for turn in range(50):
            if turn == 10:
                memory, descriptors = daemon.rss(), daemon.descriptors()
            daemon.set_pool("orders", pool_size=4 + turn % 3, query_timeout=f"{30 + turn}s")
            if turn % 2:
                daemon.set_pool("extra", url=postgres.url("orders", USER, PASSWORD))
            else:
                daemon.config["pools"].pop("extra", None)
            applied(daemon)
        assert value(idle, "SELECT 1") == 1
    assert load.stop() == []
    assert daemon.descriptors() <= descriptors + 8
    assert daemon.rss() <= memory + (64 if os.environ.get("LEASEHOLD_SANITIZED") else 4) * 1024 * 1024


def test_a_reload_during_a_drain_is_refused(start):
    daemon = start(sections={"drain_timeout": "20s"})
    client = connect(daemon)
    client.autocommit = False
    value(client, "SELECT 1")
    os.kill(daemon.pid, 15)
    wait_until(lambda: "event=draining" in daemon.log_text(), 10, "the drain")
    problems = daemon.reload()
    assert len(problems) == 1 and "shutting down" in problems[0]
    assert value(client, "SELECT 2") == 2
    client.commit()
    assert daemon.process.wait(20) == 0


class Slow(pgwire.Connection):
    """A client that does something else between the server's question and its own answer."""

    def between(self):
        pass

    def authenticate(self, body, user, password, scram):
        if body[:4] == (10).to_bytes(4, "big"):
            self.between()
        return super().authenticate(body, user, password, scram)


@pytest.mark.parametrize("removed", [False, True], ids=["still there", "removed"])
def test_a_login_that_a_reload_meets_is_held_against_the_new_file(start, postgres, removed):
    if not postgres.query("SELECT 1 FROM pg_roles WHERE rolname = 'late'"):
        postgres.create_user("late", "one")
    daemon = start()
    daemon.config["users"].append({"name": "late", "password": "one"})
    applied(daemon)
    client = Slow(daemon.port)

    def meanwhile():
        if removed:
            daemon.config["users"].pop()
        daemon.set_pool("orders", pool_size=6)
        applied(daemon)

    client.between = meanwhile
    if removed:
        with pytest.raises(pgwire.ServerError) as caught:
            client.login("late", "orders", "one")
        assert "configuration changed during this login" in caught.value.message
    else:
        client.login("late", "orders", "one")
        assert client.value("SELECT current_user") == "late"
