# SPDX-License-Identifier: Apache-2.0
"""What a statement makes of its session, statement by statement, on MariaDB and on MySQL: it is kept while the session moves
from backend to backend, or keeps the session where it is, exactly as on a connection of one's own; and nobody else sees it."""
import contextlib

import console
import mywire
import pytest
from conftest import PASSWORD, USER
from leasehold import Leasehold
from servers import wait_until

STRICT = "@@sql_mode LIKE '%STRICT_TRANS%'"
NAMES = "CONCAT_WS(' ', @@character_set_client, @@collation_connection, @@character_set_results)"
ISOLATION = {"mariadb": "@@tx_isolation", "mysql": "@@transaction_isolation"}
READ_ONLY = {"mariadb": "@@tx_read_only", "mysql": "@@transaction_read_only"}

# (statements, what shows their effect, carried | pins | none). None for what has no effect that a query could show.
CASES = [
    ("SET time_zone='+03:00'", "@@time_zone", "carried"),
    ("SET SESSION time_zone := '+03:30'", "@@time_zone", "carried"),
    ("SET @@session.time_zone='+04:00', lock_wait_timeout=77", "CONCAT(@@time_zone, @@lock_wait_timeout)", "carried"),
    ("SET time_zone=CONCAT('+', '05:00')", "@@time_zone", "carried"),
    ("SET time_zone=DEFAULT", "@@time_zone", "carried"),
    ("SET time_zone='nowhere'", "@@time_zone", "none"),
    ("SET no_such_variable=1", "@@time_zone", "none"),
    ("SET sql_mode=''", STRICT, "carried"),
    ("SET sql_mode='ANSI,NO_BACKSLASH_ESCAPES'", "LENGTH('a\\\\b')", "carried"),
    ("SET sql_mode=CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')", "'a' || 'b'", "carried"),
    ("SET autocommit=1, session_track_system_variables='lc_messages' , sql_mode=concat(@@sql_mode,',STRICT_ALL_TABLES')",
     "@@sql_mode", "carried"),  # MariaDB's Connector/J with rewriteBatchedStatements
    ("SET autocommit=1, session_track_schema=1, sql_mode=concat(@@sql_mode,',STRICT_ALL_TABLES')", "@@sql_mode", "carried"),
    ("SET sql_mode=65536", STRICT, "carried"),
    ("SET NAMES latin1", NAMES, "carried"),
    ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", NAMES, "carried"),
    ("SET NAMES DEFAULT", NAMES, "carried"),
    ("SET CHARACTER SET latin1", NAMES, "carried"),
    ("SET character_set_results=NULL", "@@character_set_results IS NULL", "carried"),
    ("SET collation_connection='utf8mb4_unicode_ci'", NAMES, "carried"),
    ("SET NAMES gbk", NAMES, "pins"),
    ("SET autocommit=0", "@@autocommit", "carried"),
    ("SET autocommit=OFF; SET autocommit=ON", "@@autocommit", "carried"),
    ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", ISOLATION, "carried"),
    ("SET SESSION TRANSACTION READ ONLY", READ_ONLY, "carried"),
    ("SET SESSION {isolation}='SERIALIZABLE'", ISOLATION, "carried"),
    ("SET SESSION {isolation}=@@global.{isolation}", ISOLATION, "carried"),
    ("SET foreign_key_checks=0", "@@foreign_key_checks", "carried"),
    ("SET foreign_key_checks=NOT @@unique_checks", "@@foreign_key_checks", "carried"),
    ("SET long_query_time=0.5, max_heap_table_size=32*1024*1024", "CONCAT(@@long_query_time, @@max_heap_table_size)",
     "carried"),
    ("SET lock_wait_timeout=(SELECT 88)", "@@lock_wait_timeout", "carried"),
    ("SET div_precision_increment=7", "1/3", "carried"),
    ("SET group_concat_max_len=5", "@@group_concat_max_len", "carried"),
    ("SET lc_time_names=de_DE", "MONTHNAME('2026-01-01')", "carried"),
    ("SET wait_timeout=12345", "@@wait_timeout", "carried"),
    ("SET completion_type=CHAIN", "@@completion_type", "carried"),
    ("SET timestamp=1000000000", "UNIX_TIMESTAMP() < 1100000000", "carried"),
    ("SET session_track_schema=0", "@@session_track_schema", "carried"),
    ("USE annex", "DATABASE()", "carried"),
    ("COM_INIT_DB annex", "DATABASE()", "carried"),
    ("SET @a=5", "@a", "carried"),
    ("SELECT @a:=6", "@a", "carried"),
    ("SELECT 7 INTO @a", "@a", "carried"),
    ("SELECT sets_a()", "@a", "carried"),
    ("DO sets_a()", "@a", "carried"),
    ("INSERT INTO triggers VALUES (1)", "@a", "pins"),
    ("SELECT sets_zone()", "@@time_zone", "carried"),
    ("CALL sets_a_too()", "@a", "carried"),
    ("CALL makes_table()", "(SELECT COUNT(*) FROM made)", "pins"),
    ("CREATE TEMPORARY TABLE tt (a INT)", "(SELECT COUNT(*) FROM tt)", "pins"),
    ("CREATE TEMPORARY TABLE tt (a INT) -- then\nDROP TEMPORARY TABLE tt", None, "none"),
    ("CREATE TEMPORARY TABLE seen_t SELECT 99 AS a", "(SELECT MAX(a) FROM seen_t)", "pins"),
    ("DROP TEMPORARY TABLE IF EXISTS nothing", None, "none"),
    ("PREPARE p FROM 'SELECT 1'", None, "none"),
    ("SET @q = 'SELECT 1' -- then\nPREPARE p FROM @q", None, "pins"),
    ("DO GET_LOCK('mine', 1)", "IS_USED_LOCK('mine') <=> CONNECTION_ID()", "pins"),
    ("DO GET_LOCK('mine', 1) -- then\nDO RELEASE_LOCK('mine')", "IS_USED_LOCK('mine') <=> CONNECTION_ID()", "none"),
    ("PREPARE p FROM 'SELECT 1' -- then\nEXECUTE p -- then\nDEALLOCATE PREPARE p", None, "none"),
    ("HANDLER seen_t OPEN -- then\nHANDLER seen_t READ FIRST -- then\nHANDLER seen_t CLOSE", None, "none"),
    ("LOCK TABLES seen_t READ", None, "pins"),
    ("LOCK TABLES seen_t READ; UNLOCK TABLES", None, "pins"),
    ("LOCK TABLES seen_t READ -- then\nUNLOCK TABLES", None, "none"),
    ("LOCK TABLES seen_t WRITE -- then\nBEGIN -- then\nCOMMIT", None, "none"),
    ("HANDLER seen_t OPEN", None, "pins"),
    ("BEGIN -- then\nINSERT INTO seen_t VALUES (3) -- then\nCOMMIT", None, "none"),
    ("BEGIN -- then\nSELECT * FROM seen_t", None, "transaction"),
    ("START TRANSACTION READ ONLY", None, "transaction"),
    ("BEGIN -- then\nSAVEPOINT a -- then\nROLLBACK TO a", None, "transaction"),
    ("BEGIN -- then\nCOMMIT AND CHAIN", None, "transaction"),
    ("BEGIN -- then\nCREATE TABLE IF NOT EXISTS gone (a INT) -- then\nDROP TABLE gone", None, "none"),
    ("SET autocommit=0 -- then\nSELECT 1 -- then\nSELECT * FROM seen_t", None, "transaction"),
    ("XA START 'x'", None, "transaction"),
    ("XA START 'y' -- then\nXA END 'y' -- then\nXA COMMIT 'y' ONE PHASE", None, "none"),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", None, "pins"),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE -- then\nSELECT * FROM seen_t", None, "none"),
    ("SET GLOBAL slow_launch_time=3", None, "none"),
    ("SET ROLE NONE", None, "none"),
    ("SET ROLE chosen", "CURRENT_ROLE()", "carried"),
    ("SET ROLE chosen -- then\nSET ROLE NONE", "CURRENT_ROLE()", "carried"),
    ("PREPARE p FROM 'SET ROLE chosen' -- then\nEXECUTE p -- then\nDEALLOCATE PREPARE p", "CURRENT_ROLE()", "carried"),
    ("CALL takes_role()", "CURRENT_ROLE()", "pins"),
    ("SET ROLE nobody_has_it", "CURRENT_ROLE()", "none"),
    ("SET CHARACTER SET latin1 -- then\nUSE annex", NAMES, "carried"),
    ("SET lock_wait_timeout=66; SET time_zone='+06:00'", "CONCAT(@@time_zone, @@lock_wait_timeout)", "carried"),
    ("SELECT 1; SET time_zone='+06:00'", "@@time_zone", "carried"),
    ("SELECT LAST_INSERT_ID(41)", "LAST_INSERT_ID()", "carried"),
    ("INSERT INTO counted VALUES (DEFAULT)", "LAST_INSERT_ID() > 0", "carried"),
    ("FLUSH TABLES WITH READ LOCK -- then\nUNLOCK TABLES", None, "none"),
]
IDS = [statement.replace("\n", " ")[:60] for statement, _, _ in CASES]


@pytest.fixture(scope="module", params=["mariadb", "mysql97"])
def server(request):
    """One of the two with what the cases use; and the user may do everything."""
    made = request.getfixturevalue(request.param)
    made.flavour = "mariadb" if request.param == "mariadb" else "mysql"
    for sql in ["CREATE DATABASE IF NOT EXISTS annex", "CREATE TABLE shop.seen_t (a INT)", "INSERT INTO shop.seen_t VALUES (1)",
                "CREATE TABLE shop.triggers (a INT)", "CREATE TABLE shop.counted (a INT AUTO_INCREMENT PRIMARY KEY)",
                "CREATE TABLE shop.uniques (a INT PRIMARY KEY)", f"GRANT ALL ON *.* TO `{USER}`@`%`",
                "CREATE FUNCTION shop.sets_a() RETURNS INT NO SQL BEGIN SET @a = 8; RETURN 1; END",
                "CREATE FUNCTION shop.sets_zone() RETURNS INT NO SQL BEGIN SET time_zone = '+07:00'; RETURN 1; END",
                "CREATE FUNCTION shop.hides_a() RETURNS INT NO SQL BEGIN SELECT 12 INTO @a; RETURN 1; END",
                "CREATE PROCEDURE shop.sets_a_too() SET @a = 9",
                "CREATE ROLE chosen", f"GRANT chosen TO `{USER}`@`%`", "CREATE PROCEDURE shop.takes_role() SET ROLE chosen",
                "CREATE PROCEDURE shop.makes_table() CREATE TEMPORARY TABLE made (a INT)",
                "CREATE TRIGGER shop.sets_it BEFORE INSERT ON shop.triggers FOR EACH ROW SET @a = 10",
                "CREATE TRIGGER shop.sets_too BEFORE INSERT ON shop.uniques FOR EACH ROW SET @a = 11"]:
        made.query(sql)
    return made


@pytest.fixture(scope="module")
def pool(server):
    """A daemon with two backends, for all cases: what one leaves behind, the next ones stumble over."""
    keys = {"url": server.url("shop", USER, PASSWORD), "pool_size": 2, "max_overflow": 0, "pool_timeout": "20s"}
    with Leasehold(pools={"shop": keys}) as daemon:
        yield daemon
        print(daemon.log_text()[-4000:])
    assert not daemon.complaint


def login(daemon, **options):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", **options)


def run(session, statements, flavour):
    """The statements, whose errors are part of what is compared."""
    seen = []
    for statement in statements.split(" -- then\n"):
        name = ISOLATION[flavour][2:]
        statement = statement.replace("{isolation}", name)
        try:
            if statement.startswith("COM_INIT_DB "):
                session.init_db(statement.split()[1])
            else:
                result = session.query(statement)
                while result.status & mywire.STATUS_MORE_RESULTS:
                    result = session.result()
                seen.append(result.in_transaction)
        except mywire.ServerError as error:
            seen.append(error.code)
    return seen


def shown(session, expression, flavour):
    if expression is None:
        return None
    expression = expression[flavour] if isinstance(expression, dict) else expression
    try:
        return session.value("SELECT " + expression)
    except mywire.ServerError as error:
        return error.code


def held(daemon):
    return console.pool(daemon, "shop")["sv_active"]


def to_others(daemon, expression, flavour):
    """What two sessions that have just come see, one on each backend (or the one that is to be had)."""
    seen = set()
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(login(daemon)) for _ in range(1 if held(daemon) else 2)]
        for other in others:
            other.query("BEGIN")
            seen.add(shown(other, expression, flavour))
        for other in others:
            other.query("ROLLBACK")
            other.quit()
    wait_until(lambda: held(daemon) <= 1, 10, "the others' backends to be back")
    return seen


@pytest.mark.parametrize("statements, expression, kind", CASES, ids=IDS)
def test_state_is_kept_and_nobody_else_sees_it(pool, server, statements, expression, kind):
    flavour = server.flavour
    with mywire.connect(server.port, USER, PASSWORD, "shop", capabilities=1 << 16) as direct:
        before = {shown(direct, expression, flavour)}
        wanted = run(direct, statements, flavour)
        direct_shows = shown(direct, expression, flavour)
    gone = ("SELECT 1 FROM information_schema.processlist WHERE id = %s", [direct.greeting["id"]])
    wait_until(lambda: not server.query(*gone), 10, "its end: until then its XA transaction has its name")
    holds = kind in ("pins", "transaction")
    with login(pool, capabilities=1 << 16) as session:
        assert run(session, statements, flavour) == wanted
        assert shown(session, expression, flavour) == direct_shows
        wait_until(lambda: held(pool) == holds, 5, f"a lease held: {holds}")
        with login(pool) as one, login(pool) as two:
            # Neighbours take one backend, then the other: where the session is not bound it has to move.
            one.query("BEGIN")
            if not holds:
                two.query("BEGIN")
                for neighbour in (one, two):
                    neighbour.query("ROLLBACK")
                    assert shown(session, expression, flavour) == direct_shows
                    neighbour.query("BEGIN")
                two.query("ROLLBACK")
            assert shown(session, expression, flavour) == direct_shows
        wait_until(lambda: held(pool) == holds, 10, f"a lease held: {holds}")
        assert to_others(pool, expression, flavour) == before
    wait_until(lambda: held(pool) == 0, 10, "the backend to be back")
    assert to_others(pool, expression, flavour) == before
    wait_until(lambda: held(pool) == 0, 10, "the backends to be back")


# --- the handshake's character set ------------------------------------------------------------------------------------

# latin1, latin2, utf8mb3, utf8mb4 (four collations, one of MySQL only), binary, koi8r, and numbers that nobody has.
COLLATIONS = [8, 9, 33, 45, 46, 224, 255, 63, 7, 192, 0, 200]


def test_every_handshakes_character_set_is_had_on_any_backend(pool, server):
    def names(session):
        return session.value(f"SELECT CONCAT_WS(' ', {NAMES}, @@character_set_connection, HEX('\u00e9'))")

    wanted = {}
    for number in COLLATIONS:
        with mywire.connect(server.port, USER, PASSWORD, "shop", charset=number) as direct:
            wanted[number] = names(direct)
    with mywire.connect(server.port, USER, PASSWORD, "shop", charset=8) as direct:
        direct.query("SET NAMES utf8mb4")
        named = names(direct)
    assert len(set(wanted.values())) > 6
    with contextlib.ExitStack() as stack:
        sessions = {number: stack.enter_context(login(pool, charset=number)) for number in COLLATIONS}
        for _ in range(2):
            for number, session in sessions.items():
                assert names(session) == wanted[number], number
        some = sessions[8]
        some.query("SET NAMES utf8mb4")
        assert names(sessions[9]) == wanted[9]
        assert names(some) == named


def test_a_reset_by_the_client_leaves_the_character_sets_that_the_server_would(pool, server):
    def after_reset(session):
        session.query("SET NAMES koi8r")
        session.command(0x1F)
        session.result()
        return session.value(f"SELECT {NAMES}")

    with mywire.connect(server.port, USER, PASSWORD, "shop", charset=8) as direct, login(pool, charset=8) as session:
        assert after_reset(session) == after_reset(direct)
        with login(pool) as other:
            other.query("BEGIN")
            assert session.value(f"SELECT {NAMES}") == after_reset(direct)


# --- errors -----------------------------------------------------------------------------------------------------------

def failing(session, sql):
    with pytest.raises(mywire.ServerError) as refused:
        session.query(sql)
    return refused.value.code


def test_after_an_error_the_backend_comes_back_without_a_word_of_the_client(pool):
    with login(pool) as session:
        session.query("REPLACE INTO counted VALUES (1000)")
        assert failing(session, "INSERT INTO counted VALUES (1000)") == 1062
        wait_until(lambda: held(pool) == 0, 5, "the backend to be back")
        session.query("BEGIN")
        assert failing(session, "INSERT INTO counted VALUES (1000)") == 1062
        assert session.value("SELECT ROW_COUNT()") == "-1"
        assert failing(session, "INSERT INTO counted VALUES (1000)") == 1062
        assert held(pool) == 1
        assert session.query("INSERT INTO counted VALUES (1001)").in_transaction
        assert failing(session, "SELECT * FROM nowhere") == 1146
        session.query("ROLLBACK")
        wait_until(lambda: held(pool) == 0, 5, "the backend to be back")
        assert session.value("SELECT COUNT(*) FROM counted WHERE a = 1001") == "0"


def test_a_waiter_gets_the_backend_of_a_session_whose_transaction_an_error_has_ended(leasehold, server):
    keys = {"url": server.url("shop", USER, PASSWORD), "pool_size": 1, "max_overflow": 0, "pool_timeout": "20s"}
    daemon = leasehold(pools={"shop": keys})
    with login(daemon) as session, login(daemon) as waiter:
        with mywire.connect(server.port, USER, PASSWORD, "shop") as direct:
            direct.query("REPLACE INTO uniques VALUES (1), (2)")
            direct.query("BEGIN")
            direct.query("UPDATE uniques SET a = a WHERE a = 1")
            session.query("BEGIN")
            session.query("UPDATE uniques SET a = a WHERE a = 2")
            waiter.command(mywire.COM_QUERY, b"SELECT 1")
            direct.command(mywire.COM_QUERY, b"UPDATE uniques SET a = a WHERE a = 2")
            wait_until(lambda: any("a = 2" in str(p["info"]) for p in server.processes(USER)), 10, "a wait for a lock")
            # One of the two is the deadlock's victim; the other's wait ends.
            try:
                session.query("UPDATE uniques SET a = a WHERE a = 1")
                session.query("ROLLBACK")
            except mywire.ServerError as error:
                assert error.code == 1213
        assert waiter.result().rows == [("1",)]
        assert session.value("SELECT 2") == "2"


def test_what_a_function_left_behind_the_servers_back_is_nobody_elses(pool):
    with login(pool) as session:
        assert session.value("SELECT hides_a()") == "1"
        wait_until(lambda: held(pool) == 0, 10, "the backend to be back")
        with login(pool) as one, login(pool) as two:
            assert [other.value("SELECT @a") for other in (one, two)] == [None, None]
    wait_until(lambda: held(pool) == 0, 10, "the backends to be back")


def test_what_a_trigger_of_a_failed_statement_left_is_nobody_elses(pool, server):
    with login(pool) as session:
        session.query("DELETE FROM uniques")
        session.query("INSERT INTO uniques VALUES (1)")
    wait_until(lambda: held(pool) == 0, 10, "the backend to be back")
    with login(pool) as session:
        assert failing(session, "INSERT INTO uniques VALUES (1)") == 1062
        if server.flavour == "mysql":
            wait_until(lambda: "stored code" in str(pool.console("SHOW LEASES")), 5, "the pin")
            assert session.value("SELECT @a") == "11"
        assert to_others(pool, "@a", server.flavour) == {None}
    wait_until(lambda: held(pool) == 0, 10, "the backend to be back")
    assert to_others(pool, "@a", server.flavour) == {None}


# --- farewells --------------------------------------------------------------------------------------------------------

def silent(session):
    session.socket.setblocking(False)
    try:
        return session.socket.recv(1)
    except BlockingIOError:
        return None
    finally:
        session.socket.setblocking(True)
        session.socket.settimeout(10)


@pytest.mark.parametrize("end", ["wait_timeout", "kill"])
def test_a_servers_farewell_to_an_idle_backend_reaches_nobody(leasehold, server, end):
    seconds = server.value("SELECT @@global.wait_timeout")
    others = {p["id"] for p in server.processes(USER)}  # of other daemons
    if end == "wait_timeout":
        server.query("SET GLOBAL wait_timeout=1")
    try:
        daemon = leasehold(pools={"shop": {"url": server.url("shop", USER, PASSWORD), "pool_size": 2, "max_overflow": 0}})

        def ours():
            return [p["id"] for p in server.processes(USER) if p["command"] == "Sleep" and p["id"] not in others]

        idle = login(daemon)
        assert idle.value("SELECT 1") == "1"
        with login(daemon) as one, login(daemon) as two:
            one.query("BEGIN")
            two.query("BEGIN")
            two.query("ROLLBACK")
            one.query("ROLLBACK")
        before = ours()
        assert before
        if end == "kill":
            for number in before:
                server.terminate(number)
        wait_until(lambda: not set(ours()) & set(before), 20, "the server to end the connections")
        daemon.lost(*before)
        assert silent(idle) is None
        for _ in range(3):
            assert idle.value("SELECT 2") == "2"
        with login(daemon) as other:
            assert other.value("SELECT 3") == "3"
        idle.quit()
    finally:
        server.query(f"SET GLOBAL wait_timeout={seconds}")
