# SPDX-License-Identifier: Apache-2.0
"""The template pool '*': every database that no pool is named after gets a pool of its own when its first client has
logged in; an idle one vanishes, and their number is limited."""
import threading

import pgwire
import psycopg2
import pymysql
import pytest
from conftest import PASSWORD, USER
from servers import wait_until

NAMES = ("north", "south", "east")


@pytest.fixture(scope="module", autouse=True)
def databases(postgres):
    for name in NAMES:
        postgres.create_database(name, owner=USER)


@pytest.fixture
def pattern(postgres):
    return {"url": postgres.url("unused", USER, PASSWORD), "pool_size": 2, "max_overflow": 0}


def pools(daemon):
    return {row["database"]: row for row in daemon.console("SHOW POOLS") if row["user"] == USER}


def current(daemon, name, **options):
    with daemon.connect(name, USER, PASSWORD, **options) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        return cursor.fetchone()[0]


def test_every_database_gets_a_pool_of_its_own_with_the_templates_limits(leasehold, pattern):
    daemon = leasehold(pools={"*": pattern})
    assert "*" not in pools(daemon)
    for name in NAMES:
        assert current(daemon, name) == name
    shown = pools(daemon)
    assert set(shown) == set(NAMES)
    assert {row["size"] for row in shown.values()} == {2}
    held = [pgwire.connect(daemon.port, USER, "north", PASSWORD) for _ in range(2)]
    for session in held:
        session.ok("BEGIN")
    assert current(daemon, "south") == "south"  # the limits are each pool's own
    assert pools(daemon)["north"]["checkedout"] == 2
    for session in held:
        session.drop()


def test_a_pool_of_that_name_comes_before_the_template(leasehold, postgres, pattern):
    daemon = leasehold(pools={"*": pattern, "sales": {"url": postgres.url("east", USER, PASSWORD), "pool_size": 4}})
    assert current(daemon, "sales") == "east"
    assert current(daemon, "east") == "east"
    assert {name: row["size"] for name, row in pools(daemon).items()} == {"sales": 4, "east": 2}


def test_a_database_that_does_not_exist_is_the_servers_own_error(leasehold, pattern):
    daemon = leasehold(pools={"*": {**pattern, "idle_timeout": 1}})
    with pytest.raises(psycopg2.OperationalError, match='database "nowhere" does not exist'):
        daemon.connect("nowhere", USER, PASSWORD)
    wait_until(lambda: "nowhere" not in pools(daemon), 10)


def test_who_may_not_log_in_makes_no_pool(leasehold, pattern):
    daemon = leasehold(pools={"*": pattern})
    for user, password in ((USER, "wrong"), ("nobody", PASSWORD)):
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            daemon.connect("north", user, password)
    assert pools(daemon) == {}


def test_an_idle_pool_vanishes_and_comes_back(leasehold, pattern):
    daemon = leasehold(pools={"*": {**pattern, "idle_timeout": 1}})
    session = pgwire.connect(daemon.port, USER, "north", PASSWORD)
    session.ok("SELECT 1")
    assert current(daemon, "south") == "south"
    wait_until(lambda: set(pools(daemon)) == {"north"}, 15)  # a session, though idle, keeps its pool
    session.ok("SELECT 1")
    session.drop()
    wait_until(lambda: pools(daemon) == {}, 15)
    assert current(daemon, "north") == "north"
    wait_until(lambda: "pool_retired" in daemon.log_text(), 5, "the end of a pool in the log")


def test_one_that_keeps_backends_ahead_of_need_vanishes_too(leasehold, pattern):
    daemon = leasehold(pools={"*": {**pattern, "min_idle": 1, "idle_timeout": 1}}, limits={"max_template_pools": 1})
    assert current(daemon, "north") == "north"
    wait_until(lambda: pools(daemon) == {}, 15)
    assert current(daemon, "south") == "south"


def test_their_number_is_limited(leasehold, pattern):
    daemon = leasehold(pools={"*": pattern}, limits={"max_template_pools": 2})
    assert [current(daemon, name) for name in NAMES[:2]] == list(NAMES[:2])
    with pytest.raises(psycopg2.OperationalError, match="max_template_pools"):
        daemon.connect(NAMES[2], USER, PASSWORD)
    assert current(daemon, NAMES[0]) == NAMES[0]


def test_a_user_of_its_own_gets_a_pool_of_its_own(leasehold, postgres, pattern):
    postgres.query("DROP ROLE IF EXISTS reports; CREATE ROLE reports LOGIN PASSWORD 'r'")
    daemon = leasehold(pools={"*": pattern}, users=[{"name": "reports", "password": "r"},
                                                     {"name": "guest", "password": "g", "as": "pool"}])
    for user, password, role in (("reports", "r", "reports"), ("guest", "g", USER), (USER, PASSWORD, USER)):
        with daemon.connect("north", user, password) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_user, current_database()")
            assert cursor.fetchone() == (role, "north")
    assert {row["user"] for row in daemon.console("SHOW POOLS") if row["database"] == "north"} == {"reports", USER}


def test_many_first_clients_at_once_make_one_pool(leasehold, pattern):
    daemon = leasehold(pools={"*": pattern}, workers=4)
    errors = []

    def visit(name):
        try:
            assert current(daemon, name) == name
        except Exception as error:  # the test reports it
            errors.append(error)

    threads = [threading.Thread(target=visit, args=[NAMES[i % 3]]) for i in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    rows = [row for row in daemon.console("SHOW POOLS") if row["user"] == USER]
    assert sorted(row["database"] for row in rows) == sorted(NAMES)
    wait_until(lambda: daemon.log_text().count("pool_made") >= 3, 5, "three pools in the log")
    assert daemon.log_text().count("pool_made") == 3


def test_mysql_clients_get_theirs_likewise(leasehold, mysql_server):
    for name in NAMES:
        mysql_server.create_database(name, owner=USER)
    url = mysql_server.url("unused", USER, PASSWORD)
    daemon = leasehold(pools={"first": {"url": mysql_server.url("east", USER, PASSWORD)}, "*": {"url": url, "pool_size": 2}})
    for name in ("north", "south"):
        connection = daemon.connect_mysql(name, USER, PASSWORD)
        with connection.cursor() as cursor:
            cursor.execute("SELECT DATABASE()")
            assert cursor.fetchone()[0] == name
        connection.close()
    assert set(pools(daemon)) == {"first", "north", "south"}
    with pytest.raises(pymysql.MySQLError):
        daemon.connect_mysql("nowhere", USER, PASSWORD)
