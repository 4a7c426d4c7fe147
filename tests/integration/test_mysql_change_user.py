# SPDX-License-Identifier: Apache-2.0
"""COM_CHANGE_USER and COM_RESET_CONNECTION of clients: a login anew on the same connection, and a session as after its
login, both without a backend's help."""
import struct

import mywire
import pytest
from conftest import PASSWORD, USER
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import wait_until

OTHER = "teller"


@pytest.fixture(scope="module")
def server(mysql_server):
    """With a second user and a second database."""
    mysql_server.query(f"DROP USER IF EXISTS `{OTHER}`@`%`")
    mysql_server.create_user(OTHER, PASSWORD)
    mysql_server.query("CREATE DATABASE IF NOT EXISTS annex")
    for user in (USER, OTHER):
        for database in ("shop", "annex"):
            mysql_server.query(f"GRANT ALL ON {database}.* TO `{user}`@`%`")
    mysql_server.query("DROP TABLE IF EXISTS shop.t")
    mysql_server.query("CREATE TABLE shop.t (id int PRIMARY KEY, v int) ENGINE=InnoDB")
    mysql_server.query("INSERT INTO shop.t VALUES (1, 0)")
    return mysql_server


@pytest.fixture
def daemon(leasehold, server):
    def start(size=2, **sections):
        return leasehold(pools={name: {"url": server.url(name, USER, PASSWORD), "pool_size": size, "max_overflow": 0}
                                for name in ("shop", "annex")},
                         workers=2, users=[{"name": OTHER, "password": PASSWORD}], **sections)
    return start


def login(here, user=USER, database="shop", **options):
    return mywire.connect(here.mysql_port, user, PASSWORD, database, **options)


def at_rest(server):
    wait_until(lambda: not server.transactions(), 20, "rolled back", 0.25)


# --- COM_CHANGE_USER ----------------------------------------------------------------------------------------------

def test_another_user_and_another_pool_on_the_same_connection(daemon):
    here = daemon()
    session = login(here)
    number = session.greeting["id"]
    assert session.value("SELECT current_user()").startswith(USER + "@")
    for user, database in [(OTHER, "shop"), (OTHER, "annex"), (USER, "annex"), (USER, "shop")] * 2:
        session.change_user(user, PASSWORD, database)
        assert session.value("SELECT current_user()").startswith(user + "@")
        assert session.value("SELECT database()") == database
        assert session.value("SELECT connection_id()") == str(number)
        shown = [row for row in here.console("SHOW CLIENTS") if str(row.get("id")) == str(number)]
        assert shown and (shown[0]["user"], shown[0]["database"]) == (user, database)


def test_the_session_before_it_is_over_with_its_transaction_and_its_state(daemon, server):
    here = daemon(size=1)
    session = login(here)
    session.query("SET @mine = 5")
    session.query("SET sort_buffer_size = 65536")
    session.query("BEGIN")
    session.query("UPDATE t SET v = 7")
    session.change_user(USER, PASSWORD, "shop")
    at_rest(server)
    assert not session.ping().in_transaction
    assert session.query("SELECT @@sort_buffer_size = 65536, (SELECT v FROM t)").rows == [("0", "0")]
    with login(here) as other:  # there is one backend: nothing pins it
        assert other.query("SELECT @mine, v FROM t").rows == [(None, "0")]
    assert session.value("SELECT @mine") is None


@pytest.mark.parametrize("user, password, database, number", [
    (OTHER, "wrong", "shop", 1045), ("nobody", PASSWORD, "shop", 1045), (USER, "", "shop", 1045),
    (USER, PASSWORD, "nowhere", 1049)])
def test_who_is_refused_has_no_connection_any_more(daemon, user, password, database, number):
    session = login(daemon())
    with pytest.raises(mywire.ServerError) as refused:
        session.change_user(user, password, database)
    assert refused.value.code == number
    assert session.closed_by_peer()


def test_a_name_is_suggested_to_those_who_have_logged_in(daemon):
    session = login(daemon())
    with pytest.raises(mywire.ServerError) as refused:
        session.change_user(USER, PASSWORD, "shopp")
    assert refused.value.code == 1049 and '"shop"' in refused.value.message


def test_limits_per_user_count_whom_it_became(daemon):
    here = daemon(limits={"max_clients_per_user": 1})
    first, second = login(here), login(here, OTHER)
    with pytest.raises(mywire.ServerError) as refused:
        second.change_user(USER, PASSWORD, "shop")
    assert refused.value.code == 1226
    second.drop()
    first.change_user(OTHER, PASSWORD, "shop")
    assert first.value("SELECT 1") == "1"
    third = login(here)  # its place is free again
    assert third.value("SELECT 1") == "1"
    first.change_user(OTHER, PASSWORD, "annex")  # one's own place stays one's own
    assert first.value("SELECT database()") == "annex"


def test_the_console_by_a_login_anew(daemon):
    here = daemon()
    session = login(here)
    session.change_user(CONSOLE_USER, CONSOLE_PASSWORD, "leasehold")
    assert any(str(session.greeting["id"]) in row for row in session.query("SHOW CLIENTS").rows)


def test_a_malformed_one_is_an_unknown_command(daemon):
    session = login(daemon())
    session.command(mywire.COM_CHANGE_USER, b"no end")
    with pytest.raises(mywire.ServerError) as refused:
        session.result()
    assert refused.value.code == 1047
    assert session.value("SELECT 1") == "1"


def test_a_kill_finds_the_session_under_its_number(daemon):
    here = daemon()
    victim, killer = login(here), login(here, OTHER)
    victim.change_user(OTHER, PASSWORD, "annex")
    with pytest.raises(mywire.ServerError) as refused:
        killer.query(f"KILL {victim.greeting['id']}")  # of another pool now
    assert refused.value.code == 1095
    victim.change_user(OTHER, PASSWORD, "shop")
    killer.query(f"KILL {victim.greeting['id']}")
    assert victim.closed_by_peer()


# --- COM_RESET_CONNECTION -----------------------------------------------------------------------------------------

def test_a_reset_needs_no_backend(daemon):
    here = daemon(size=1)
    holder, idle = login(here), login(here)
    idle.query("SET sort_buffer_size = 65536")
    holder.query("BEGIN")
    assert not idle.reset_connection().in_transaction  # while there is none to be had
    holder.query("ROLLBACK")
    assert idle.value("SELECT @@sort_buffer_size = 65536") == "0"


def test_a_reset_ends_transaction_state_and_pins_and_keeps_the_database(daemon, server):
    here = daemon(size=1)
    session, other = login(here), login(here)
    session.init_db("annex")
    session.query("SET @mine = 5")
    session.query("CREATE TEMPORARY TABLE mine (id int)")
    session.query("BEGIN")
    session.query("UPDATE shop.t SET v = 9")
    session.command(0x16, b"SELECT 1")
    head = session.read()
    statement, = struct.unpack_from("<I", head, 1)
    for _ in range(2):
        session.read()
    assert not session.reset_connection().in_transaction
    assert other.query("SELECT @mine, v FROM t").rows == [(None, "0")]  # the one backend is free, and clean
    other.drop()
    assert session.query("SELECT database(), @mine").rows == [("annex", None)]
    with pytest.raises(mywire.ServerError) as gone:
        session.query("SELECT * FROM mine")
    assert gone.value.code == 1146
    session.command(0x17, struct.pack("<IBI", statement, 0, 1))
    with pytest.raises(mywire.ServerError) as unknown:
        session.result()
    assert unknown.value.code == 1243
    at_rest(server)


# --- drivers ------------------------------------------------------------------------------------------------------

def test_mysqlclient_changes_the_user(daemon):
    mysqldb = pytest.importorskip("MySQLdb")
    here = daemon()
    connection = mysqldb.connect(host="127.0.0.1", port=here.mysql_port, user=USER, passwd=PASSWORD, db="shop")
    for user, database in [(OTHER, "annex"), (USER, "shop")]:
        connection.change_user(user, PASSWORD, database)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user(), database()")
            name, current = cursor.fetchone()
        assert name.startswith(user + "@") and current == database
    with pytest.raises(mysqldb.OperationalError) as refused:
        connection.change_user(OTHER, "wrong", "shop")
    assert refused.value.args[0] == 1045
