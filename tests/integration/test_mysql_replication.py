# SPDX-License-Identifier: Apache-2.0
"""Binary logs through leasehold: mysqlbinlog and replicas read them as from the server, each on a connection of its own
that is counted at the server and not in the pool; everybody else's work goes on."""
import shutil
import struct
import subprocess

import mycompress
import mywire
import pytest
from conftest import PASSWORD, USER
from servers import MariaDB, wait_until
from sid import MySQL97, for_tests

REGISTER, DUMP = 0x15, 0x12


@pytest.fixture(scope="module", params=["mariadb", "mysql97"])
def source(request):
    settings = {"server-id": 1, "binlog-format": "ROW", "log-bin": "log"}
    started = MariaDB(settings) if request.param == "mariadb" else None
    with started or for_tests("MySQL 9.7", lambda: MySQL97(settings)) as server:
        server.kind = request.param
        server.create_user(USER, PASSWORD)
        server.query(f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `{USER}`@`%`")
        server.create_database("shop", owner=USER)
        server.query("CREATE TABLE shop.t (id int PRIMARY KEY, name varchar(200))")
        yield server


@pytest.fixture
def pooled(leasehold, source):
    def start(max_replication=2, **query):
        url = source.url("shop", USER, PASSWORD, **query)
        return leasehold(pools={"shop": {"url": url, "pool_size": 1, "max_overflow": 0, "pool_timeout": "5s",
                                         "max_replication": max_replication}})
    return start


def login(daemon, **options):
    return mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", **options)


def log_file(source):
    return source.query("SHOW BINARY LOGS")[-1][0]


def dump(session, source, server_id=77, nonblocking=True):
    """Prepares the connection as replicas do and asks for the whole of the last log."""
    name = "master" if source.kind == "mariadb" else "source"
    session.query(f"SET @{name}_binlog_checksum = 'NONE'")
    if source.kind == "mariadb":
        session.query("SET @mariadb_slave_capability = 4")
    session.command(REGISTER, struct.pack("<I", server_id) + bytes(3) + struct.pack("<HII", 0, 0, 0))
    session.result()
    file = log_file(source)
    session.command(DUMP, struct.pack("<IHI", 4, 1 if nonblocking else 0, server_id) + file.encode())


def events(session):
    """Until the end of the log."""
    found = []
    while True:
        body = session.read()
        if body[0] == 0xFE and len(body) < 9:
            return found
        if body[0] == 0xFF:
            raise mywire.ServerError(body)
        found.append(body[1:])


@pytest.mark.parametrize("compressed", [False, True])
def test_a_log_is_read_as_from_the_server(pooled, source, compressed):
    daemon = pooled()
    source.query("REPLACE INTO shop.t VALUES (1, repeat('a', 150)), (2, 'b')")
    direct = mywire.connect(source.port, USER, PASSWORD, "shop")
    dump(direct, source)
    expected = events(direct)
    session = mycompress.connect(daemon.mysql_port, USER, PASSWORD, "shop") if compressed else login(daemon)
    with session:
        dump(session, source)
        assert [event[4:] for event in events(session)][2:] == [event[4:] for event in expected][2:]
        assert len(expected) > 4
        assert session.closed_by_peer(), "the server ends it behind such a dump"
    direct.drop()


def test_a_dump_takes_no_place_in_the_pool_and_is_counted_as_what_it_is(pooled, source):
    daemon = pooled()
    with login(daemon) as reader:
        dump(reader, source, nonblocking=False)
        reader.read()
        with login(daemon) as other:
            assert other.value("SELECT 1") == "1"
            assert reader.read()
            clients = daemon.console("SHOW CLIENTS")
            assert [row["state"] for row in clients if row["database"] == "shop"].count("replication") == 1
            for n in range(100, 110):
                other.query(f"REPLACE INTO t VALUES ({n}, 'seen at once')")
        wait_until(lambda: b"seen at once" in reader.read())

    def ended():
        source.query("REPLACE INTO shop.t VALUES (99, uuid())")  # a server notices when it writes
        return not [p for p in source.processes(USER) if "Binlog" in p["command"]]
    wait_until(ended, timeout=20)


def test_no_more_than_max_replication_are_admitted_and_the_refused_session_goes_on(pooled, source):
    daemon = pooled(max_replication=0)
    with login(daemon) as session:
        with pytest.raises(mywire.ServerError) as refused:
            dump(session, source)
            session.result()
        assert "max_replication is 0" in refused.value.message
        assert session.value("SELECT 1") == "1"


def test_a_dump_ends_with_leasehold_and_with_its_server_connection(pooled, source):
    daemon = pooled()
    reader = login(daemon)
    dump(reader, source, nonblocking=False)
    reader.read()
    wait_until(lambda: [p for p in source.processes(USER) if "Binlog" in p["command"]], timeout=10)
    thread = [p for p in source.processes(USER) if "Binlog" in p["command"]][0]
    source.terminate(thread["id"])
    assert reader.closed_by_peer()
    other = login(daemon)
    dump(other, source, nonblocking=False)
    other.read()
    daemon.stop()
    assert other.closed_by_peer()


def test_mysqlbinlog_reads_through_leasehold(pooled, source, request):
    daemon = pooled(compress="zlib")
    source.query("REPLACE INTO shop.t VALUES (55, 'for the program')")
    if source.kind == "mariadb":
        command = [shutil.which("mariadb-binlog"), "--no-defaults"]
    else:
        command = [*source.program("mysqlbinlog"), "--no-defaults", "--ssl-mode=DISABLED", "--get-server-public-key",
                   f"--plugin-dir={source.root}/usr/lib/mysql/plugin",
                   f"--character-sets-dir={source.root}/usr/share/mysql/charsets"]
    done = subprocess.run([*command, "--read-from-remote-server", "-h127.0.0.1", f"-P{daemon.mysql_port}", f"-u{USER}",
                           f"-p{PASSWORD}", "-v", log_file(source)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "for the program" in done.stdout


def test_a_replica_follows_its_source_through_leasehold(pooled, source):
    daemon = pooled()
    settings = {"server-id": 2, "skip-slave-start" if source.kind == "mariadb" else "skip-replica-start": True}
    started = MariaDB(settings) if source.kind == "mariadb" else MySQL97(settings)
    with started as replica:
        replica.query("CREATE DATABASE shop")
        replica.query("CREATE TABLE shop.t (id int PRIMARY KEY, name varchar(200))")
        file, position = source.query("SHOW MASTER STATUS" if source.kind == "mariadb" else "SHOW BINARY LOG STATUS")[0][:2]
        if source.kind == "mariadb":
            replica.query(f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={daemon.mysql_port}, MASTER_USER='{USER}',"
                          f" MASTER_PASSWORD='{PASSWORD}', MASTER_LOG_FILE='{file}', MASTER_LOG_POS={position},"
                          " MASTER_CONNECT_RETRY=1")
            replica.query("START SLAVE")
        else:
            replica.query(f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={daemon.mysql_port},"
                          f" SOURCE_USER='{USER}', SOURCE_PASSWORD='{PASSWORD}', SOURCE_LOG_FILE='{file}',"
                          f" SOURCE_LOG_POS={position}, SOURCE_CONNECT_RETRY=1, SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1,"
                          " SOURCE_COMPRESSION_ALGORITHMS='zstd'")
            replica.query("START REPLICA")
        with login(daemon) as session:
            for n in range(200, 220):
                session.query(f"REPLACE INTO t VALUES ({n}, 'followed')")
        try:
            wait_until(lambda: replica.value("SELECT count(*) FROM shop.t WHERE name = 'followed'") == 20, timeout=30)
        except TimeoutError:
            print(replica.query("SHOW SLAVE STATUS" if source.kind == "mariadb" else "SHOW REPLICA STATUS"))
            raise
        # And again from where it was, when leasehold has begun anew.
        daemon.restart()
        source.query("REPLACE INTO shop.t VALUES (300, 'behind a restart')")
        wait_until(lambda: replica.value("SELECT count(*) FROM shop.t WHERE id = 300") == 1, timeout=60)
