# SPDX-License-Identifier: Apache-2.0
"""The console by both protocols: the same tables, the same commands, the same words in errors; and clients of both, with all
that they say by themselves when they connect."""
import contextlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import mywire  # noqa: E402
import pgwire  # noqa: E402
import programs  # noqa: E402
import psycopg2  # noqa: E402
import pymysql  # noqa: E402
import pytest  # noqa: E402
from clients import run  # noqa: E402
from conftest import PASSWORD, USER  # noqa: E402
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER  # noqa: E402
from processes import wait_until  # noqa: E402
from sid import MySQL97, for_tests  # noqa: E402

WATCHER = "watcher"


@pytest.fixture
def both(leasehold, postgres, mysql_server):
    """A daemon with a pool of each database."""
    return leasehold(pools={
        "orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 0},
        "shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 3, "max_overflow": 0}},
        users=[{"name": WATCHER, "password": PASSWORD}], admin={"stats_users": [WATCHER]})


class Postgres:
    errors = psycopg2.Error

    def __init__(self, daemon, user=CONSOLE_USER, password=CONSOLE_PASSWORD):
        self.connection = psycopg2.connect(host="127.0.0.1", port=daemon.port, user=user, password=password, dbname="leasehold")
        self.connection.autocommit = True

    @staticmethod
    def said(error):
        return error.diag.message_primary

    def close(self):
        self.connection.close()


class MySQL:
    errors = pymysql.err.MySQLError

    def __init__(self, daemon, user=CONSOLE_USER, password=CONSOLE_PASSWORD):
        self.connection = pymysql.connect(host="127.0.0.1", port=daemon.mysql_port, user=user, password=password,
                                          database="leasehold", autocommit=True)

    @staticmethod
    def said(error):
        return error.args[1]

    def close(self):
        self.connection.close()


def text(cell):
    """Numbers with a fraction have as many digits as the protocol's clients give them."""
    if cell is None:
        return None
    return f"{float(cell):.6g}" if isinstance(cell, (int, float)) else str(cell)


def asked(side, command):
    """(columns, rows, None), or (None, None, what the error says)."""
    with side.connection.cursor() as cursor:
        try:
            cursor.execute(command)
        except side.errors as error:
            return None, None, side.said(error)
        rows = cursor.fetchall() if cursor.description else ()
        return [column[0] for column in cursor.description or ()], [[text(cell) for cell in row] for row in rows], None


@contextlib.contextmanager
def consoles(daemon, *login):
    with contextlib.closing(Postgres(daemon, *login)) as one, contextlib.closing(MySQL(daemon, *login)) as other:
        yield one, other


def test_every_table_is_the_same_by_both_protocols(both):
    """Cells that change from one look to the next are looked at again."""
    with consoles(both) as (one, other):
        tables = [row[0] for row in asked(one, "SHOW TABLES")[1]]
        assert len(tables) > 15
        for table in tables:
            def same():
                first = asked(one, f"SHOW {table}")
                between = asked(other, f"show {table.lower()};")
                last = asked(one, f"SHOW {table}")
                assert first[2] is None and between[2] is None, table
                assert first[0] == between[0], f"the columns of {table}"
                assert len(between[0]) > 0
                if len(first[1]) != len(last[1]):
                    return False
                moving = [[a != b for a, b in zip(*rows)] for rows in zip(first[1], last[1])]
                if len(between[1]) != len(first[1]):
                    return False
                return all(there or a == b for row in zip(first[1], between[1], moving) for a, b, there in zip(*row))
            wait_until(same, 10, f"SHOW {table} the same by both", 0.05)


# Each is told to the console, on both sides, and what follows it takes it back.
COMMANDS = [
    "PAUSE orders", "RESUME orders", "PAUSE shop 5s", "RESUME shop", "PAUSE", "RESUME", "KILL shop", "RESUME shop", "RECONNECT shop",
    "RECONNECT", "WAIT_CLOSE shop", "WAIT_CLOSE", "DISABLE shop", "ENABLE shop", "RELOAD", "pause orders;", "resume orders;",
    # refused
    "PAUSE ordres", "PAUSE orders 5 apples", "PAUSE my-pool", "DISABLE", "ENABLE", "RESUME a b", "RELOAD all", "SUSPEND", "KILL nobody",
    "KILL_CLIENT", "KILL_CLIENT abc", "KILL_CLIENT 999999999", "SHUTDOWN PLEASE", "SHOW", "SHOW NOTHING", "SHOW POOLS now", "DROP POOL orders",
    "SELECT * FROM nowhere", "PAUSE 'open", "WAIT_CLOSE nowhere", "RECONNECT nowhere", "SHOW POOLS; PAUSE orders",
]


def test_every_command_is_the_same_by_both_protocols(both):
    with consoles(both) as (one, other):
        known = {row[0].split()[0] for row in asked(one, "SHOW HELP")[1]}
        assert known == {command.split()[0].upper() for command in COMMANDS + ["SHUTDOWN"] if command.split()[0].upper() in known}
        for command in COMMANDS:
            by_one = asked(one, command)
            if command.split()[0] in ("PAUSE", "KILL", "DISABLE") and by_one[2] is None:
                undo = "ENABLE" if command.startswith("DISABLE") else "RESUME"
                asked(one, " ".join([undo, *command.split()[1:2]]))
            by_other = asked(other, command)
            said = re.sub(r" \(leasehold session \d+\)", "", by_other[2] or "")
            assert (by_one[0], by_one[1]) == (by_other[0], by_other[1]), command
            assert said.startswith((by_one[2] or "")[:400]), f"{command}: {by_one[2]} | {said}"
            assert (by_one[2] is None) == (by_other[2] is None), command


def test_whoever_may_only_look_is_told_so_alike(both):
    with consoles(both, WATCHER, PASSWORD) as (one, other):
        commands = [row[0].split()[0] for row in asked(one, "SHOW HELP")[1] if row[1] == "administer"]
        assert {"PAUSE", "RESUME", "KILL_CLIENT", "RELOAD", "SHUTDOWN"} <= set(commands)
        for command in (c for c in commands if c != "SHOW"):
            refused = asked(one, command)[2]
            assert refused and asked(other, command)[2].startswith(refused), command


def test_commands_act_by_mysqls_protocol(both):
    client = mywire.connect(both.mysql_port, USER, PASSWORD, "shop")
    with contextlib.closing(MySQL(both)) as console:
        asked(console, "PAUSE shop")
        assert {row["status"] for row in both.console("SHOW POOLS") if row["database"] == "shop"} == {"paused"}
        asked(console, "RESUME shop")
        assert client.value("SELECT 1") == "1"
        asked(console, f"KILL_CLIENT {client.greeting['id']}")
        assert client.closed_by_peer()
        other = mywire.connect(both.mysql_port, USER, PASSWORD, "shop")
        console.connection.kill(other.greeting["id"])  # COM_PROCESS_KILL
        assert other.closed_by_peer()


@pytest.mark.parametrize("side", [Postgres, MySQL], ids=["postgres", "mysql"])
def test_the_end_of_leasehold_by_either(both, side):
    console = side(both)
    assert asked(console, "SHUTDOWN")[2] is None
    wait_until(lambda: not both.running(), 20, "it has ended")


# --- what is no command -------------------------------------------------------------------------------------------

CHATTER = [
    ("SET NAMES utf8mb4", None),
    ("SET autocommit=1, sql_mode=concat(@@sql_mode,',STRICT_TRANS_TABLES')", None),
    ("/* mysql-connector-j-9.1.0 */SELECT  @@session.auto_increment_increment AS auto_increment_increment, "
     "@@character_set_client AS character_set_client, @@max_allowed_packet AS max_allowed_packet", 3),
    ("SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment", 4),
    ("select @@version_comment limit 1", 1), ("SELECT VERSION()", 1), ("SELECT DATABASE()", 1), ("SELECT USER()", 1),
    ("SELECT @@version, @@nobody_knows_it", 2), ("SELECT 1", 1), ("SELECT 'x' AS a, 2 b", 2), ("SELECT CONNECTION_ID()", 1),
    ("SELECT DATABASE(), USER() limit 1", 2), ("select current_user()", 1), ("SELECT 'a b'", 1), ("SELECT @@session.tx_isolation", 1),
    ("SHOW VARIABLES", 2), ("SHOW SESSION VARIABLES LIKE 'sql_mode'", 2),
    ("SHOW VARIABLES WHERE Variable_name in ('max_allowed_packet','system_time_zone')", 2),
    ("SHOW GLOBAL STATUS", 2), ("SHOW WARNINGS", 3), ("SHOW COLLATION", 6), ("SHOW CHARACTER SET", 4), ("SHOW ENGINES", 6),
    ("SHOW FULL TABLES", 2), ("SHOW PROCESSLIST", 8),
    ("START TRANSACTION", None), ("ROLLBACK", None), ("COMMIT", None),
]


def test_what_mysqls_clients_say_by_themselves_is_answered(both):
    connection = MySQL(both).connection
    with connection.cursor() as cursor:
        for said, columns in CHATTER:
            cursor.execute(said)
            assert (len(cursor.description) if cursor.description else None) == columns, said
        cursor.execute("SHOW VARIABLES LIKE 'max\\_allowed%'")
        assert cursor.fetchall() == (("max_allowed_packet", "16777216"),)
        cursor.execute("SELECT @@max_allowed_packet AS most, CONNECTION_ID() id")
        assert [c[0] for c in cursor.description] == ["most", "id"]
        assert cursor.fetchone() == ("16777216", connection.thread_id())
        for said in ("SELECT count(*) FROM t", "SELECT sleep(1)", "SELECT", "SELECT ,", "SELECT 'open", "SELECT (((", "SELECT )),"):
            with pytest.raises(pymysql.err.MySQLError) as refused:
                cursor.execute(said)
            assert refused.value.args[0] == 1064, said
        connection.ping(False)
        connection.select_db("leasehold")


@pytest.mark.parametrize("code, body, number", [
    (0x16, b"SHOW POOLS", 1295), (0x17, b"\1\0\0\0\0\1\0\0\0", 1047), (0x1A, b"\1\0\0\0", 1047), (0x1C, b"\1\0\0\0\1\0\0\0", 1047),
    (0x11, b"app\0\0shop\0", 1235), (0x12, b"\0" * 10, 1047), (0x15, b"\0" * 18, 1047), (0x0D, b"", 1047), (0xFE, b"", 1047),
    (0x05, b"x", 1047)], ids=lambda value: f"{value:#x}" if isinstance(value, int) else None)
def test_commands_of_the_protocol_that_a_console_has_not_are_clear_errors(both, code, body, number):
    console = mywire.connect(both.mysql_port, CONSOLE_USER, CONSOLE_PASSWORD, "leasehold")
    console.command(code, body)
    with pytest.raises(mywire.ServerError) as refused:
        console.result()
    assert refused.value.code == number
    assert console.query("SHOW POOLS").rows


def test_what_has_no_reply_or_an_empty_one(both):
    console = mywire.connect(both.mysql_port, CONSOLE_USER, CONSOLE_PASSWORD, "leasehold")
    console.command(0x18, b"\1\0\0\0\0\0long data")
    console.command(0x19, b"\1\0\0\0")
    assert console.query("SHOW VERSION").rows
    console.command(0x04, b"pools\0")  # COM_FIELD_LIST, as the command line sends it for each table
    assert console.read()[0] == 0xFE
    console.command(0x09)
    assert b"leasehold" in console.read()
    assert console.reset_connection().autocommit and console.init_db("leasehold").autocommit
    console.command(0x1B, b"\0\0")
    assert console.read()[0] == 0xFE


def test_postgresqls_prepared_statements_are_served(both):
    """What the other protocol refuses by 1295: here every driver of note would be lost without them."""
    with pgwire.connect(both.port, CONSOLE_USER, "leasehold", CONSOLE_PASSWORD) as console:
        assert {row[0] for row in console.extended("SHOW POOLS").rows} >= {"orders", "shop"}
        for wrong in ("LISTEN x", "COPY pools TO STDOUT", "DECLARE c CURSOR FOR SELECT 1", "FETCH c"):
            assert console.query(wrong).sqlstate == "42601", wrong
        assert console.query("SHOW POOLS").tags == ["SHOW"]


# --- clients ------------------------------------------------------------------------------------------------------

def shown(said):
    """Both pools are in it, with their sizes."""
    return "orders 2" in said and "shop 3" in said


def environment(daemon, mysql=True):
    return {"CLIENT_PORT": str(daemon.mysql_port if mysql else daemon.port), "CLIENT_USER": CONSOLE_USER,
            "CLIENT_PASSWORD": CONSOLE_PASSWORD}


def done_well(command, **options):
    done = run(command, timeout=120, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("more", [["-e", "SHOW POOLS"], ["-t", "-e", "SHOW POOLS; SHOW WARNINGS"], ["--auto-rehash", "-e", "SELECT DATABASE(), USER(); SHOW POOLS"]],
                         ids=["plain", "table", "rehash"])
@pytest.mark.parametrize("client", ["mariadb", "mysql"])
def test_the_command_lines_of_mysql(both, client, more):
    place = ["-h127.0.0.1", f"-P{both.mysql_port}", f"-u{CONSOLE_USER}", f"--password={CONSOLE_PASSWORD}", "leasehold", *more]
    if client == "mariadb":
        said = done_well(["mariadb", "--no-defaults", "--skip-ssl", *place])
    else:
        server = for_tests("MySQL's command line", lambda: MySQL97(start=False))
        server.close()
        said = done_well([*server.program("mysql"), "--no-defaults", f"--plugin-dir={server.root}/usr/lib/mysql/plugin",
                          f"--character-sets-dir={server.root}/usr/share/mysql/charsets", "--ssl-mode=DISABLED",
                          "--get-server-public-key", *place])
    assert "orders" in said and "shop" in said


def test_mysqlclient_and_sqlalchemy(both):
    import MySQLdb
    import sqlalchemy
    connection = MySQLdb.connect(host="127.0.0.1", port=both.mysql_port, user=CONSOLE_USER, passwd=CONSOLE_PASSWORD, db="leasehold")
    with connection.cursor() as cursor:
        cursor.execute("SHOW POOLS")
        assert {row[0] for row in cursor.fetchall()} >= {"orders", "shop"}
    connection.close()
    for driver in ("pymysql", "mysqldb"):
        url = f"mysql+{driver}://{CONSOLE_USER}:{CONSOLE_PASSWORD}@127.0.0.1:{both.mysql_port}/leasehold"
        engine = sqlalchemy.create_engine(url, pool_pre_ping=True)
        for _ in range(2):
            with engine.connect() as connected:
                assert {row[0] for row in connected.exec_driver_sql("SHOW POOLS")} >= {"orders", "shop"}
        engine.dispose()


@pytest.mark.parametrize("driver", ["mysql2", "mariadb"])
def test_node(both, driver):
    _, modules = programs.node(programs.SOURCES / "mysql/node", "node's mysql2 and mariadb")
    said = done_well(["node", programs.SOURCES / "console/suite.js", driver], env={**programs.os.environ, **modules, **environment(both)})
    assert shown(said) and (driver == "mariadb" or "1295" in said), said


def test_php(both):
    command, _ = programs.php("console")
    said = done_well(command, env={**programs.os.environ, **environment(both)})
    assert shown(said) and "1295" in said, said


def test_jdbc(both):
    login = {**programs.os.environ, **environment(both)}
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", programs.MARIADB_JDBC, programs.SOURCES / "console/Console.java"]
    place = f"jdbc:mariadb://127.0.0.1:{both.mysql_port}/leasehold?allowPublicKeyRetrieval=true"
    said = done_well([*command, place, place + "&useServerPrepStmts=true"], env=login)
    assert shown(said) and said.count("\nvalid") == 2, said
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", programs.PGJDBC, programs.SOURCES / "console/Console.java"]
    said = done_well([*command, f"jdbc:postgresql://127.0.0.1:{both.port}/leasehold"], env=login)
    assert shown(said) and said.count("\nvalid") == 1, said


def test_psql_and_asyncpg(both):
    import asyncio

    import asyncpg
    url = both.url("leasehold", CONSOLE_USER, CONSOLE_PASSWORD)
    said = done_well(["psql", "-X", "-A", "-c", "SHOW POOLS", url])
    assert "orders|" in said and "shop|" in said

    async def ask():
        connection = await asyncpg.connect(url, timeout=20)
        rows = await connection.fetch("SHOW POOLS")
        await connection.close()
        return {row["database"] for row in rows}
    assert asyncio.run(ask()) >= {"orders", "shop"}
