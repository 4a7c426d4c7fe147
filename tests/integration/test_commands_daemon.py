# SPDX-License-Identifier: Apache-2.0
"""RELOAD and SHUTDOWN from the console, and what a reload leaves of PAUSE and DISABLE."""
import contextlib
import time

import psycopg2
import pytest
from conftest import PASSWORD, USER
from console import console, pool, tell
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from servers import wait_until


def test_reload_says_what_it_changed_and_all_that_is_wrong_with_a_file(orders):
    orders.set_pool("orders", pool_size=7)
    reply = tell(orders, "RELOAD")
    assert reply.tags == ["RELOAD"] and "pool_size" in " ".join(reply.said), reply.said
    wait_until(lambda: pool(orders)["size"] == 7, 5)
    orders.set_pool("orders", pool_size="many", max_overflow="more")
    reply = tell(orders, "RELOAD")
    assert reply.sqlstate == "F0000" and "2 problems" in reply.error.message, reply
    assert "pool_size" in reply.error.fields["D"] and "max_overflow" in reply.error.fields["D"], reply.error.fields
    assert pool(orders)["size"] == 7


def test_what_is_paused_or_disabled_stays_so_over_a_reload_and_new_pools_are_neither(leasehold, postgres):
    url = postgres.url("orders", USER, PASSWORD)
    daemon = leasehold(pools={"orders": {"url": url}, "stock": {"url": url}})
    tell(daemon, "PAUSE orders")
    tell(daemon, "DISABLE stock")
    daemon.set_pool("orders", pool_size=9)
    daemon.set_pool("fresh", url=url)
    assert tell(daemon, "RELOAD").tags == ["RELOAD"]
    assert (pool(daemon)["size"], pool(daemon)["status"]) == (9, "paused")
    with pytest.raises(psycopg2.OperationalError, match="is disabled"):
        daemon.connect("stock", USER, PASSWORD)
    assert pool(daemon, "fresh")["status"] == "ok"
    disabled = {row["name"]: row["disabled"] for row in daemon.console("SHOW DATABASES")}
    assert (disabled["stock"], disabled["orders"]) == (1, 0)
    # One that was taken out of the file begins anew when it is named again.
    gone = {name: daemon.config["pools"].pop(name) for name in ("orders", "stock")}
    daemon.write_config()
    assert tell(daemon, "RELOAD").tags == ["RELOAD"]
    daemon.config["pools"].update(gone)
    daemon.write_config()
    assert tell(daemon, "RELOAD").tags == ["RELOAD"]
    assert pool(daemon)["status"] == "ok"
    daemon.connect("stock", USER, PASSWORD).close()


def test_a_pause_ends_when_a_reload_removes_its_pool_and_the_last_lease_is_back(leasehold, postgres):
    url = postgres.url("orders", USER, PASSWORD)
    daemon = leasehold(pools={"orders": {"url": url}, "stock": {"url": url}})
    with contextlib.closing(daemon.connect("stock", USER, PASSWORD)) as holder:
        holder.cursor().execute("SELECT 1")
        with console(daemon) as session:
            session.send(b"Q" + (16).to_bytes(4, "big") + b"PAUSE stock\0")
            wait_until(lambda: pool(daemon, "stock")["status"] == "paused", 5)
            del daemon.config["pools"]["stock"]
            daemon.write_config()
            assert tell(daemon, "RELOAD").tags == ["RELOAD"]
            with contextlib.suppress(psycopg2.Error):
                holder.commit()
            assert session.reply().tags == ["PAUSE"]


@pytest.mark.parametrize("how, seconds", [("SHUTDOWN", 20), ("SHUTDOWN NOW", 5), ("SHUTDOWN WAIT_FOR_SERVERS", 20)])
def test_shutdown_is_answered_and_the_daemon_ends_in_order(orders, how, seconds):
    orders.connect("orders", USER, PASSWORD).close()
    with console(orders, CONSOLE_USER, CONSOLE_PASSWORD) as session:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            reply = session.query(how)
            assert reply.tags == ["SHUTDOWN"] or how == "SHUTDOWN NOW", reply
    assert orders.process.wait(seconds) == 0
    assert time.monotonic() - began < seconds
