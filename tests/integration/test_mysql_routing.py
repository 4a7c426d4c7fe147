# SPDX-License-Identifier: Apache-2.0
"""Which pool a MySQL client gets: by the database it names, else by who it is, else the listener's default; and what
becomes of the session's current database. On MariaDB and on MySQL."""
import os

import mywire
import pytest
from conftest import PASSWORD, USER


@pytest.fixture(scope="module", autouse=True)
def databases(mysql_server):
    for name in ("north", "south"):
        mysql_server.query(f"CREATE DATABASE IF NOT EXISTS {name}")
        mysql_server.query(f"GRANT ALL ON {name}.* TO `{USER}`@`%`")


@pytest.fixture
def start(leasehold, mysql_server):
    """A factory of daemons: start({pool: database or keys}, listener's keys, sections)."""
    def made(pools, listen=None, **sections):
        described = {}
        for name, what in pools.items():
            keys = what if isinstance(what, dict) else {"url": mysql_server.url(what, USER, PASSWORD)}
            described[name] = {"pool_size": 2, "max_overflow": 0, "pool_timeout": 5, **keys}
        daemon = leasehold(pools=described, start=False, **sections)
        daemon.config["listen"][1].update(listen or {})
        daemon.write_config()
        daemon.start()
        return daemon
    return made


def enter(daemon, database=None, user=USER, password=PASSWORD, **options):
    return mywire.connect(daemon.mysql_port, user, password, database, **options)


def database(daemon, *arguments, **options):
    with enter(daemon, *arguments, **options) as session:
        return session.value("SELECT database()")


def refusal(daemon, *arguments, **options):
    with pytest.raises(mywire.ServerError) as refused:
        enter(daemon, *arguments, **options)
    return refused.value.code, refused.value.sqlstate, refused.value.message


def pools(daemon):
    return {row["database"] for row in daemon.console("SHOW POOLS") if row["user"] == USER}


# --- the pool ---------------------------------------------------------------------------------------------------------

def test_the_database_that_is_named_is_the_pool(start):
    daemon = start({"one": "north", "two": "south"})
    assert database(daemon, "one") == "north"
    assert database(daemon, "two") == "south"


def test_an_alias_is_a_name_like_the_pools_own(start, mysql_server):
    daemon = start({"one": {"url": mysql_server.url("north", USER, PASSWORD), "alias": ["uno", "eins"]}})
    assert [database(daemon, name) for name in ("one", "uno", "eins")] == ["north"] * 3


def test_who_names_none_gets_the_only_pool_and_starts_in_its_database(start):
    daemon = start({"one": "north"})
    assert database(daemon) == "north"
    with enter(daemon) as session:
        session.query("USE south")
        assert session.value("SELECT database()") == "south"
        session.init_db("north")
        assert session.value("SELECT database()") == "north"
    assert pools(daemon) == {"one"}, "USE changes the database, never the pool"


def test_a_pool_whose_url_names_no_database_starts_a_session_in_none(start, mysql_server):
    daemon = start({"any": {"url": mysql_server.url("", USER, PASSWORD).rstrip("/")}})
    with enter(daemon) as session:
        assert session.value("SELECT database()") is None
        session.init_db("south")
        assert session.value("SELECT database()") == "south"


def test_who_has_a_choice_and_names_none_gets_the_default_or_is_told_the_choice(start):
    both = {"one": "north", "two": "south"}
    assert database(start(both, {"default_pool": "two"})) == "south"
    daemon = start(both)
    code, sqlstate, message = refusal(daemon)
    assert (code, sqlstate) == (1046, "3D000")
    assert '"one", "two"' in message
    for user, password in ((USER, "wrong"), ("nobody", PASSWORD)):
        code, sqlstate, message = refusal(daemon, None, user, password)
        assert (code, sqlstate) == (1045, "28000") and "one" not in message, "strangers learn nothing"


def test_a_users_only_pool_comes_before_the_default(start):
    people = [{"name": "clerk", "password": "cl", "pools": ["one"], "as": "pool"},
              {"name": "guest", "password": "gu", "pools": ["one", "two"], "as": "pool"}]
    daemon = start({"one": "north", "two": "south"}, {"default_pool": "two"}, users=people)
    assert database(daemon, None, "clerk", "cl") == "north"
    assert database(daemon, None, "guest", "gu") == "south"
    assert refusal(daemon, "two", "clerk", "cl")[0] in (1044, 1045)


def test_an_unknown_database_is_1049_and_names_the_nearest_pool_to_users_alone(start):
    daemon = start({"orders": "north", "stock": "south"})
    code, sqlstate, message = refusal(daemon, "ordres")
    assert (code, sqlstate) == (1049, "42000")
    assert '"orders"' in message
    assert refusal(daemon, "zzzzzzzz")[0] == 1049
    code, sqlstate, message = refusal(daemon, "ordres", USER, "wrong")
    assert (code, sqlstate) == (1045, "28000") and "orders" not in message


def test_pools_that_the_listener_does_not_serve_are_not_there(start):
    daemon = start({"one": "north", "two": "south"}, {"pools": ["one"]})
    assert database(daemon) == "north", "the only one that is served here"
    code, _, message = refusal(daemon, "two")
    assert code == 1049 and "two" not in message.partition("did you mean")[2]


# --- the template -----------------------------------------------------------------------------------------------------

def test_the_template_serves_every_other_database(start, mysql_server):
    daemon = start({"*": "north", "own": "south"})
    assert database(daemon, "north") == "north"
    assert database(daemon, "south") == "south"
    assert database(daemon, "own") == "south"
    assert pools(daemon) == {"north", "south", "own"}
    code, sqlstate, message = refusal(daemon, "nowhere")
    # The user has no right to see whether that database is there: MySQL's servers say 1044 then.
    assert (code, sqlstate) in ((1044, "42000"), (1049, "42000")), message
    mysql_server.query(f"GRANT ALL ON `away%`.* TO `{USER}`@`%`")
    try:
        code, sqlstate, message = refusal(daemon, "awayday")
        assert (code, sqlstate) == (1049, "42000")
        assert "awayday" in message
    finally:
        mysql_server.query(f"REVOKE ALL ON `away%`.* FROM `{USER}`@`%`")


def test_a_template_alone_greets_with_its_servers_version(start, mysql_server):
    daemon = start({"*": "north"})
    with enter(daemon, "south") as session:
        assert mysql_server.version.split("-")[0] in session.greeting["version"]


# --- unix sockets -----------------------------------------------------------------------------------------------------

def test_both_legs_may_be_unix_sockets(leasehold, mysql_server):
    query = f"unix_socket={mysql_server.socket}"
    daemon = leasehold(pools={"shop": {"url": f"mysql://{USER}:{PASSWORD}@localhost/shop?{query}"}}, start=False)
    path = f"{daemon.folder}/mysqld.sock"
    daemon.config["listen"].append({"dialect": "mysql", "address": f"unix:{path}"})
    daemon.write_config()
    daemon.start()
    with mywire.Connection(0, path) as session:
        session.login(USER, PASSWORD, "shop")
        assert session.value("SELECT database()") == "shop"
        host = session.value("SELECT host FROM information_schema.processlist WHERE id = connection_id()")
        assert host == "localhost"
    assert database(daemon, "shop") == "shop"
    assert {row["addr"] for row in daemon.console("SHOW SERVERS")} == {mysql_server.socket}


def test_a_folder_holds_the_socket_by_its_usual_name(leasehold, mysql_server):
    usual = os.path.join(os.path.dirname(mysql_server.socket), "mysqld.sock")
    os.symlink(mysql_server.socket, usual)
    try:
        daemon = leasehold(pools={"shop": {"url": f"mysql://{USER}:{PASSWORD}@/shop?host={os.path.dirname(usual)}"}})
        assert database(daemon, "shop") == "shop"
    finally:
        os.unlink(usual)
