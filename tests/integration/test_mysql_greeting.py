# SPDX-License-Identifier: Apache-2.0
"""What MySQL clients are greeted with before anybody knows which server will serve them: what is true of all of them, over
a restart too; and what they are told when no server has ever answered."""
import contextlib
import os
import stat
import time

import mywire
import pytest
from conftest import PASSWORD, USER
from leasehold import check
from processes import LOOPBACK, Port, wait_until
from servers import MariaDB


LOCAL_FILES, IGNORE_SPACE, INTERACTIVE = 1 << 7, 1 << 8, 1 << 10


def greeting(daemon):
    with mywire.Connection(daemon.mysql_port) as client:
        return client.greet()


def bare(hello):
    return {key: hello[key] for key in ("version", "capabilities", "charset", "status")}


@pytest.fixture
def state(tmp_path):
    """The environment of a service with a state directory, and the file in it."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return {"STATE_DIRECTORY": str(folder)}, folder / "servers"


@pytest.fixture
def behind(leasehold):
    """A factory: behind([server, ...]) is a daemon with a pool for each, p0, p1, ..."""
    def start(servers, **options):
        pools = {f"p{i}": {"url": server if isinstance(server, str) else server.url("shop", USER, PASSWORD), "pool_size": 2,
                           "pool_timeout": 2, "dial_timeout": 1} for i, server in enumerate(servers)}
        return leasehold(pools=pools, **options)
    return start


@contextlib.contextmanager
def away():
    """The URL of a server that is not there."""
    with contextlib.closing(Port()) as port:
        yield f"mysql://{USER}:{PASSWORD}@{LOOPBACK}:{port.number}/shop"


def direct(server):
    with mywire.Connection(server.port) as client:
        return client.greet()


def test_the_greeting_is_the_servers_own(behind, mysql_server):
    daemon = behind([mysql_server])
    hello, own = greeting(daemon), direct(mysql_server)
    assert (hello["version"], hello["charset"]) == (own["version"], own["charset"])
    passed_on = mywire.FOUND_ROWS | LOCAL_FILES | IGNORE_SPACE | INTERACTIVE
    assert hello["capabilities"] & passed_on == own["capabilities"] & passed_on, "what leasehold cannot do in its place"


def test_of_several_servers_the_lowest_version_greets(behind, mariadb):
    with MariaDB(settings={"version": "10.6.99-MariaDB-old", "character-set-server": "latin1",
                           "collation-server": "latin1_swedish_ci"}) as old:
        old.create_user(USER, PASSWORD)
        old.create_database("shop", owner=USER)
        for servers in ([mariadb, old], [old, mariadb]):
            hello = greeting(behind(servers))
            own = direct(old)
            assert "10.6.99" in own["version"]
            assert (hello["version"], hello["charset"]) == (own["version"], own["charset"])


def test_two_families_on_one_listener_are_reported(behind, mariadb, mysql97):
    daemon = behind([mysql97, mariadb])
    assert greeting(daemon)["version"] == direct(mysql97)["version"]
    wait_until(lambda: "event=families_mixed" in daemon.log_text(), 10, "the line in the log")
    greeting(daemon)
    config = daemon.config_text()
    said = check(config, "--connect")
    assert said.returncode != 0
    assert "MariaDB and MySQL" in said.stdout, said.stdout
    assert daemon.log_text().count("event=families_mixed") == 1


def test_one_server_that_is_away_delays_the_first_client_alone(behind, mysql_server):
    with away() as nowhere:
        daemon = behind([nowhere, mysql_server])
        assert greeting(daemon)["version"] == direct(mysql_server)["version"]
        began = time.monotonic()
        for _ in range(5):
            greeting(daemon)
        assert time.monotonic() - began < 4


def test_when_no_server_has_ever_answered_an_error_takes_the_greetings_place(behind):
    with away() as nowhere:
        daemon = behind([nowhere])
        began = time.monotonic()
        with mywire.Connection(daemon.mysql_port, timeout=20) as client, pytest.raises(mywire.ServerError) as refused:
            client.greet()
        assert time.monotonic() - began < 10
        assert (refused.value.code, refused.value.sqlstate, client.sequence) == (1429, None, 1)
        assert nowhere.split("@")[1].split("/")[0] not in refused.value.message, "nobody has logged in"
        wait_until(lambda: "event=greeting_impossible" in daemon.log_text(), 10, "the line in the log")
        assert daemon.console("SHOW POOLS"), "the console is there by the other listeners"


def test_a_server_that_comes_later_greets_from_then_on(behind):
    with MariaDB(start=False) as server:
        daemon = behind([server])
        with mywire.Connection(daemon.mysql_port, timeout=20) as client, pytest.raises(mywire.ServerError):
            client.greet()
        server.start()
        server.create_user(USER, PASSWORD)
        server.create_database("shop", owner=USER)

        def greeted():
            try:
                return "MariaDB" in greeting(daemon)["version"]
            except mywire.ServerError:
                return False
        wait_until(greeted, 30, "a greeting")


# --- over a restart ---------------------------------------------------------------------------------------------------

def test_after_a_restart_clients_are_greeted_before_any_server_has_answered(behind, mysql_server, state):
    environment, file = state
    daemon = behind([mysql_server], environment=environment)
    before = bare(greeting(daemon))
    wait_until(file.exists, 10, "the facts")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()
    mysql_server.pause()
    try:
        daemon.restart()
        began = time.monotonic()
        assert bare(greeting(daemon)) == before
        assert time.monotonic() - began < 3
    finally:
        mysql_server.resume()
    with mywire.connect(daemon.mysql_port, USER, PASSWORD, "p0", timeout=20) as client:
        assert client.value("SELECT 1") == "1"


@pytest.mark.parametrize("content", ["", "leasehold servers 9\nsum 1\n", "\0\xff" * 100])
def test_a_broken_or_foreign_file_is_left_alone_with_a_warning(behind, mysql_server, state, content):
    environment, file = state
    file.write_text(content, encoding="latin1")
    daemon = behind([mysql_server], environment=environment)
    assert greeting(daemon)["version"] == direct(mysql_server)["version"]
    wait_until(lambda: "event=servers_forgotten" in daemon.log_text(), 10, "the warning")
    wait_until(lambda: file.read_text(encoding="latin1").startswith("leasehold servers 1\n"), 10, "a new file")
    assert set(os.listdir(file.parent)) <= {"servers", "backends"}  # and nothing half written


def test_an_upgraded_server_greets_anew_with_its_next_backend(behind, state):
    environment, file = state
    with MariaDB(settings={"version": "10.6.1-MariaDB"}) as server:
        server.create_user(USER, PASSWORD)
        server.create_database("shop", owner=USER)
        daemon = behind([server], environment=environment)
        assert "10.6.1" in greeting(daemon)["version"]
        wait_until(lambda: file.exists() and "10.6.1" in file.read_text(), 10, "the facts")
        server.options["version"] = "10.11.1-MariaDB"
        server.restart()

        def served():
            try:
                with mywire.connect(daemon.mysql_port, USER, PASSWORD, "p0", timeout=20) as client:
                    return client.value("SELECT 1") == "1"
            except (mywire.ServerError, mywire.Closed):
                return False
        wait_until(served, 20, "a new backend")
        assert "10.11.1" in greeting(daemon)["version"]
        wait_until(lambda: "10.11.1" in file.read_text(), 10, "the new facts")
