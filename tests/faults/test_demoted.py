# SPDX-License-Identifier: Apache-2.0
"""A server that loses the role that its pool's URL asks for, and lives on: its backends go between transactions."""
import mywire
from conftest import PASSWORD, USER, login, made, two
from processes import wait_until
from servers import MariaDB, Postgres


def test_a_postgres_that_is_made_read_only_gives_up_its_backends_between_transactions(leasehold):
    with Postgres() as first, Postgres() as second:
        for server in (first, second):
            made(server, "orders")
        daemon = two(leasehold, "orders", first, second, "target_session_attrs=read-write")
        port = "SELECT current_setting('port')"
        inside, idle = login(daemon, timeout=40), login(daemon, timeout=40)
        inside.ok("BEGIN")
        assert inside.value(port) == str(first.port)
        assert idle.value(port) == str(first.port)
        first.query("ALTER SYSTEM SET default_transaction_read_only = on")
        first.reload()
        wait_until(lambda: idle.value(port) == str(second.port), 20, "the other server", 0.1)
        assert inside.value(port) == str(first.port), "a transaction ends where it began"
        inside.ok("COMMIT")
        assert inside.value(port) == str(second.port)
        wait_until(lambda: not first.backends("leasehold orders%"), 10, "the last backend's end")


def test_a_mariadb_that_is_made_read_only_gives_up_its_backends_between_transactions(leasehold):
    with MariaDB() as first, MariaDB(settings={"read-only": 1}) as second:
        for server in (first, second):
            made(server, "shop")
        daemon = two(leasehold, "shop", first, second, "role=primary")
        inside, idle = [mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=40) for _ in range(2)]
        inside.query("BEGIN")
        assert inside.value("SELECT @@port") == str(first.port)
        assert idle.value("SELECT @@port") == str(first.port)
        first.query("SET GLOBAL read_only = 1")
        second.query("SET GLOBAL read_only = 0")
        wait_until(lambda: idle.value("SELECT @@port") == str(second.port), 20, "the other server", 0.1)
        assert inside.value("SELECT @@port") == str(first.port), "a transaction ends where it began"
        inside.query("COMMIT")
        assert inside.value("SELECT @@port") == str(second.port)
