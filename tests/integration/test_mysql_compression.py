# SPDX-License-Identifier: Apache-2.0
"""Compressed connections end at leasehold, each leg for itself: a client may ask for zlib or zstd whatever the server
knows, a pool's URL may ask the server, and nobody sees a difference. Frames that lie end their own connection only."""
import os
import shutil
import subprocess

import mycompress
import mywire
import pytest
from conftest import PASSWORD, USER
from mycompress import frame, pack
from servers import wait_until

measures_memory = pytest.mark.skipif(bool(os.environ.get("LEASEHOLD_SANITIZED")),
                                     reason="a sanitizer keeps what was freed: its memory says nothing")

ALGORITHMS = ["zlib", "zstd"]
LONG = "x" * 300_000


@pytest.fixture
def pooled(leasehold, mysql_server):
    """A factory of daemons with the pool `shop`; keywords are the URL's options."""
    def start(size=2, pool_timeout="5s", **query):
        url = mysql_server.url("shop", USER, PASSWORD, **query)
        daemon = leasehold(pools={"shop": {"url": url, "pool_size": size, "max_overflow": 0, "pool_timeout": pool_timeout}})
        daemon.database = mysql_server
        return daemon
    return start


def login(daemon, algorithm, **options):
    return mycompress.connect(daemon.mysql_port, USER, PASSWORD, "shop", algorithm=algorithm, **options)


def compresses(session):
    return session.query("SHOW SESSION STATUS LIKE 'Compression'").rows[0][1] == "ON"


def everyday_work(session, local=True):
    """What clients do, in both directions, short and long."""
    assert session.value("SELECT 1") == "1"
    session.ping()
    session.query("DROP TABLE IF EXISTS packed")
    session.query("CREATE TABLE packed (id int, t longtext)")
    session.query(f"INSERT INTO packed VALUES (1, '{LONG}')")
    assert session.query("SELECT t FROM packed").rows == [(LONG,)]
    assert len(session.query("SELECT id, repeat(id, 700) FROM seq").rows) == 3000
    assert session.value(f"SELECT length('{LONG}')") == str(len(LONG))
    with pytest.raises(mywire.ServerError) as wrong:
        session.query("SELEC 1")
    assert wrong.value.code == 1064
    session.query("BEGIN")
    session.query("INSERT INTO packed VALUES (2, 'two')")
    session.query("ROLLBACK")
    assert session.value("SELECT count(*) FROM packed") == "1"
    if local:
        session.command(mywire.COM_QUERY, b"LOAD DATA LOCAL INFILE 'any' INTO TABLE packed (id, t)")
        assert session.read()[0] == 0xFB
        for i in range(600):  # their numbers go round twice
            session.send(b"".join(b"%d\tline\n" % (i * 10 + j) for j in range(10)))
            session.sequence += 1
        session.send(b"")
        assert session.result().affected == 6000
    session.query("DROP TABLE packed")


@pytest.fixture(autouse=True)
def numbers(mysql_server):
    digits = " UNION ALL ".join(f"SELECT {n}" for n in range(10))
    mysql_server.query("DROP TABLE IF EXISTS shop.seq")
    mysql_server.query("CREATE TABLE shop.seq AS SELECT a.`0` + 10 * b.`0` + 100 * c.`0` + 1000 * d.`0` AS id "
                       f"FROM ({digits}) a, ({digits}) b, ({digits}) c, (SELECT 0 UNION ALL SELECT 1 UNION ALL SELECT 2) d")
    mysql_server.query("SET GLOBAL local_infile = 1")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_client_may_compress_whatever_its_server_knows(pooled, algorithm):
    daemon = pooled()
    with login(daemon, algorithm, capabilities=1 << 7) as session:
        assert not compresses(session), "the other leg is not compressed"
        everyday_work(session)
        assert session.socket.packed > 10 and session.socket.stored > 10
    with login(daemon, algorithm, largest=11, capabilities=1 << 7) as session:  # many frames for a packet
        assert session.value("SELECT repeat('a', 100)") == "a" * 100


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_pools_url_may_ask_its_server_to_compress(pooled, algorithm):
    daemon = pooled(compress=algorithm)
    if algorithm == "zstd" and "MariaDB" in daemon.database.query("SELECT version()")[0][0]:
        with pytest.raises(mywire.ServerError):
            mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop").query("SELECT 1")
        wait_until(lambda: "does not offer the compression" in daemon.log_text(), timeout=10)
        return
    with mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", capabilities=1 << 7) as session:
        assert compresses(session)
        everyday_work(session)
    # PyMySQL looks at each packet's number.
    connection = daemon.connect_mysql("shop", USER, PASSWORD, local_infile=True)
    with connection.cursor() as cursor:
        for _ in range(3):
            cursor.execute("SET @a = 1")
            cursor.execute("SELECT %s, id FROM seq", (LONG[:2000],))
            assert len(cursor.fetchall()) == 3000
            cursor.execute("SELECT %s", (LONG,))
            assert cursor.fetchall() == ((LONG,),)
    connection.close()


def test_a_statement_on_a_compressed_backend_is_cancelled_in_time(leasehold, mysql_server):
    url = mysql_server.url("shop", USER, PASSWORD, compress="zlib")
    daemon = leasehold(pools={"shop": {"url": url, "pool_size": 1, "max_overflow": 0, "query_timeout": "300ms"}})
    with login(daemon, "zstd") as session:
        number = session.value("SELECT 0 + connection_id()")
        try:
            assert session.value("SELECT sleep(20)") == "1"  # interrupted
        except mywire.ServerError as interrupted:
            assert interrupted.code == 1317
        assert session.value("SELECT 0 + connection_id()") == number


def test_both_legs_may_be_compressed_each_in_its_own_way(pooled):
    daemon = pooled(compress="zlib", size=1)
    with login(daemon, "zstd", capabilities=1 << 7) as session, login(daemon, "zlib", capabilities=1 << 7) as other:
        for _ in range(3):
            everyday_work(session)
            everyday_work(other)
        assert compresses(session)


def test_compressed_sessions_and_others_share_backends(pooled):
    daemon = pooled(size=1)
    with login(daemon, "zlib") as packed, mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop") as plain:
        number = packed.value("SELECT 0 + connection_id()")
        assert plain.value("SELECT 0 + connection_id()") == number
        assert packed.value("SELECT 0 + connection_id()") == number


def test_a_client_that_sends_ahead_gets_its_replies_in_order(pooled):
    with login(pooled(), "zlib") as session:
        raw = session.socket.socket
        commands = [b"\3SELECT " + str(n).encode() + b", '" + b"y" * 60 + b"'" for n in range(50)]
        for body in commands:
            plain = len(body).to_bytes(3, "little") + b"\0" + body
            raw.sendall(frame(pack(plain, "zlib"), 0, len(plain)))
        for n in range(50):
            session.socket.next = 1
            assert session.result().rows == [(str(n), "y" * 60)]


def test_a_client_may_count_its_packets_on_from_command_to_command(pooled):
    """As MariaDB's Connector/J does: servers look at the numbers of frames alone."""
    with login(pooled(), "zlib") as session:
        for n in range(5):
            session.socket.socket.sendall(frame(b"\x0b\0\0" + bytes([n]) + b"\3SELECT %03d" % n, 0))
            session.socket.next = 1
            assert session.result().rows == [(str(n),)]


@measures_memory
def test_an_idle_compressed_client_costs_no_more_memory_than_another(pooled):
    daemon = pooled()
    def grown(connect):
        before = daemon.rss()
        sessions = [connect() for _ in range(150)]
        for session in sessions:
            assert len(session.value(f"SELECT repeat('z', {len(LONG)})")) == len(LONG)
        after = daemon.rss()
        for session in sessions:
            session.drop()
        return (after - before) / len(sessions)
    plain = grown(lambda: mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop"))
    packed = grown(lambda: login(daemon, "zlib"))
    zstd = grown(lambda: login(daemon, "zstd"))
    assert max(packed, zstd) < plain + 12_000, (plain, packed, zstd)


# --- frames that lie ----------------------------------------------------------------------------------------------

BOMB = pack(b"\0" * 0xFFFFFF, "zlib")
LIES = {
    "a bomb": frame(BOMB, 0, 100),
    "a wrong number": frame(b"\1\0\0\0\x0e", 7),
    "an empty frame": frame(b"", 0),
    "noise": frame(bytes(range(200)), 0, 500),
    "less than it says": frame(pack(b"\x50\0\0\0" + b"x" * 80, "zlib"), 0, 99),
    "cut short": frame(pack(b"\x50\0\0\0" + b"x" * 80, "zlib")[:-1], 0, 84),
    "endless empty frames": frame(b"", 0) * 10_000,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_frame_that_lies_ends_its_own_connection(pooled, lie):
    daemon = pooled()
    with login(daemon, "zlib") as other:
        liar = login(daemon, "zlib")
        liar.socket = liar.socket.socket  # its answers, if there are any, are not read
        liar.socket.sendall(LIES[lie])
        assert liar.closed_by_peer()
        assert other.value("SELECT 1") == "1"


@measures_memory
def test_many_bombs_at_once_cost_little_memory(pooled):
    daemon = pooled(pool_timeout="60s")  # each holds a backend for the half second after which it is given up
    # A statement of 16 MB in 16 KB: each session holds what it may hold of it, and no more.
    plain = (0xFFFFFE).to_bytes(3, "little") + b"\0\3SELECT '" + b"x" * (0xFFFFFE - 11) + b"'"
    whole = pack(plain[:0xFFFFFF], "zlib")
    before = daemon.rss()
    sessions = [login(daemon, "zlib") for _ in range(30)]
    for session in sessions:
        session.socket.socket.sendall(frame(whole[:len(whole) // 2], 0, 0xFFFFFF))
    with login(daemon, "zlib", timeout=90) as other:
        for _ in range(20):
            assert other.value("SELECT 1") == "1"
    assert daemon.rss() - before < 64 << 20
    for session in sessions:
        session.drop()
    wait_until(lambda: login(daemon, "zlib").value("SELECT 1") == "1", timeout=30)


# --- clients of others --------------------------------------------------------------------------------------------

def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


SQL = f"SELECT length('{LONG[:100_000]}'); SELECT length(repeat('ab', 500000)); SELECT count(*) FROM seq a"


def test_mariadbs_command_line_compresses(pooled):
    program = shutil.which("mariadb")
    daemon = pooled(size=1)
    said = run(program, "--no-defaults", "--compress", "-h127.0.0.1", f"-P{daemon.mysql_port}", f"-u{USER}",
               f"-p{PASSWORD}", "-N", "shop", "-e", SQL)
    assert said.split() == ["100000", "1000000", "3000"]


@pytest.mark.parametrize("algorithms", ["zlib", "zstd", "zlib,zstd"])
def test_mysqls_command_line_compresses(pooled, mysql97, algorithms):
    daemon = pooled(size=1)
    said = run(*mysql97.program("mysql"), "--no-defaults", f"--compression-algorithms={algorithms}",
               "--zstd-compression-level=22", "--ssl-mode=DISABLED", "--get-server-public-key",
               f"--plugin-dir={mysql97.root}/usr/lib/mysql/plugin",
               f"--character-sets-dir={mysql97.root}/usr/share/mysql/charsets", "-h127.0.0.1", f"-P{daemon.mysql_port}",
               f"-u{USER}", f"-p{PASSWORD}", "-N", "shop", "-e", SQL)
    assert said.split() == ["100000", "1000000", "3000"]


def test_mysqlclient_compresses(pooled):
    mysqldb = pytest.importorskip("MySQLdb")
    daemon = pooled(size=1)
    connection = mysqldb.connect(host="127.0.0.1", port=daemon.mysql_port, user=USER, passwd=PASSWORD, db="shop",
                                 compress=True)
    cursor = connection.cursor()
    for _ in range(3):
        cursor.execute("SELECT %s, id FROM seq", (LONG[:50_000],))
        assert len(cursor.fetchall()) == 3000
    connection.close()
