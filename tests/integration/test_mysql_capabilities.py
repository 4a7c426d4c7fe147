# SPDX-License-Identifier: Apache-2.0
"""A client gets through leasehold, byte for byte, what the server itself would have sent it, whatever its capabilities
are; the backends behind it are logged in with capabilities of leasehold's own choice."""
import contextlib
import itertools
import os
import socket
import struct

import mywire
import pytest
from conftest import PASSWORD, USER
from olderserver import Older

FOUND_ROWS, LOCAL_FILES, IGNORE_SPACE, INTERACTIVE = 1 << 1, 1 << 7, 1 << 8, 1 << 10
MULTI_STATEMENTS, PS_MULTI_RESULTS, SESSION_TRACK, DEPRECATE_EOF = 1 << 16, 1 << 18, 1 << 23, 1 << 24
QUERY_ATTRIBUTES = 1 << 27
VARIANTS = [FOUND_ROWS, LOCAL_FILES, IGNORE_SPACE, INTERACTIVE]
CONVERTED = [MULTI_STATEMENTS, SESSION_TRACK, DEPRECATE_EOF]
PROGRESS, BULK, EXTENDED_TYPES, CACHE_METADATA = 1, 4, 8, 16  # of MariaDB's further word
MORE_RESULTS, CURSOR_EXISTS, OUT_PARAMS = 0x0008, 0x0040, 0x1000
LONG = bool(os.environ.get("LEASEHOLD_LONG"))
QUERY, FIELD_LIST, PING, PREPARE, EXECUTE, CLOSE, RESET_STATEMENT, SET_OPTION, FETCH, RESET, BULK_EXECUTE = (
    3, 4, 14, 22, 23, 25, 26, 27, 28, 31, 250)


class Raw(mywire.Connection):
    """Keeps the packets of each reply with their numbers; finds a reply's end by the client's own capabilities."""

    def login_with(self, flags, further=0, user=USER, password=PASSWORD, database="shop"):
        self.flags = flags
        hello = self.greet_raw()
        plugin = hello["plugin"] if hello["plugin"] in mywire.ANSWERS else "mysql_native_password"
        base = mywire.LONG_FLAG | mywire.PROTOCOL_41 | mywire.TRANSACTIONS | mywire.SECURE_CONNECTION
        base |= mywire.PLUGIN_AUTH | mywire.MULTI_RESULTS | mywire.CONNECT_WITH_DB | PS_MULTI_RESULTS
        base |= 0 if further else mywire.LONG_PASSWORD
        answer = mywire.ANSWERS[plugin](password, hello["scramble"])
        self.send(struct.pack("<IIB19xI", base | flags, 1 << 30, 45, further) + user.encode() + b"\0"
                  + bytes([len(answer)]) + answer + database.encode() + b"\0" + plugin.encode() + b"\0")
        self._authenticate(plugin, password, hello["scramble"])
        return self

    def greet_raw(self):
        """As greet(), and keeps MariaDB's further word."""
        head = self.read_exactly(4)
        body = self.read_exactly(int.from_bytes(head[:3], "little"))
        at = body.index(0, 1) + 1 + 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1
        self.further = struct.unpack_from("<I", body, at + 6)[0]
        self.inbox[:0] = head + body
        return self.greet()

    def packet(self):
        head = self.read_exactly(4)
        self.sequence = head[3] + 1
        self.kept.append((head[3], self.read_exactly(int.from_bytes(head[:3], "little"))))
        return self.kept[-1][1]

    def skip(self, count):
        for _ in range(count):
            self.packet()
        if count and not self.flags & DEPRECATE_EOF:
            return struct.unpack_from("<H", self.packet(), 3)[0]
        return 0

    def end(self, body):
        """The status of an OK or EOF, else None; an ERR ends everything."""
        if body[0] == 0xFF:
            return 0
        if body[0] == 0xFE and len(body) == 5:
            return struct.unpack_from("<H", body, 3)[0]
        if body[0] in (0, 0xFE):
            return struct.unpack_from("<H", body, mywire.lenenc(body, mywire.lenenc(body, 1)[1])[1])[0]
        return None

    def rows(self):
        while True:
            body = self.packet()
            if body[0] == 0xFF or (body[0] == 0xFE and len(body) < 0xFFFFFF):
                return self.end(body)

    def results(self, file=b""):
        while True:
            body = self.packet()
            if body[0] == 0xFB:
                for part in (file, b"") if file else (b"",):
                    self.send(part)
                    self.sequence += 1
                status = self.end(self.packet())
            elif body[0] in (0, 0xFF):
                status = self.end(body)
            else:
                front = self.skip(mywire.lenenc(body, 0)[0])
                if front & CURSOR_EXISTS:
                    return
                # MySQL's EOF behind the values of OUT parameters forgets to say that an OK follows.
                status = self.rows() | (MORE_RESULTS if front & OUT_PARAMS else 0)
            if not status & MORE_RESULTS:
                return

    def ask(self, code, body=b"", read=None):
        self.kept = []
        if code == QUERY and self.flags & QUERY_ATTRIBUTES:
            body = self.attributes + body
        self.command(code, body)
        (read or self.results)()
        return self.kept

    def prepare(self, text):
        def read():
            body = self.packet()
            if body[0] == 0:
                self.statement, columns, parameters = struct.unpack_from("<IHH", body, 1)
                self.skip(parameters)
                self.skip(columns)
        kept = self.ask(PREPARE, text.encode(), read)
        return [(number, body[:1] + b"(id)" + body[5:] if at == 0 and body[0] == 0 else body)
                for at, (number, body) in enumerate(kept)]

    # In front of a text: one attribute, a="b".
    attributes = b"\x01\x01\0\x01\xfd\0\x01a\x01b"

    def execute(self, values=(), cursor=0):
        count = len(values)
        numbers = b"".join(struct.pack("<i", value) for value in values)
        if self.flags & QUERY_ATTRIBUTES:
            # ... and behind the parameters.
            types = b"\x03\0\0" * count + b"\xfd\0\x01a"
            return self.ask(EXECUTE, struct.pack("<IBI", self.statement, cursor | 8, 1) + bytes([count + 1])
                            + b"\0\x01" + types + numbers + b"\x01b")
        return self.ask(EXECUTE, struct.pack("<IBI", self.statement, cursor, 1)
                        + (b"\0\x01" + b"\x03\0" * count + numbers if count else b""))


def conversation(client):
    """Everyday commands of all shapes; yields what each was and its reply."""
    def query(text, file=b""):
        return text, client.ask(QUERY, text.encode(), lambda: client.results(file))

    def command(what, code, body=b"", read=None):
        return what, client.ask(code, body, read or client.packet)
    for text in ["SELECT id, name FROM caps ORDER BY id", "SELECT id FROM caps WHERE id=99", "SELECT count (*) FROM caps",
                 "UPDATE caps SET name='one' WHERE id=1", "SELECT @@interactive_timeout=@@wait_timeout", "USE shop",
                 "BEGIN", "SELECT name FROM caps WHERE id=2", "UPDATE caps SET name='zwei' WHERE id=2", "ROLLBACK",
                 "SET NAMES latin1", "SET NAMES utf8mb4", "SET sql_mode='ANSI'", "SET sql_mode=DEFAULT",
                 "SELECT 1; SELECT 2", "SELECT id FROM caps; UPDATE caps SET name='x' WHERE id=99; SELECT 2; nonsense",
                 "SELECT nothing FROM caps", "CALL caps_two()", "SELECT 1/0 FROM caps",
                 "SELECT id, (SELECT r.id FROM caps r WHERE r.id>=3-o.id) FROM caps o ORDER BY id",
                 "SET time_zone='+01:00'", "SET @x=1", "CREATE TEMPORARY TABLE caps_t(a int)", "DROP TABLE caps_t"]:
        yield query(text)
    yield query("LOAD DATA LOCAL INFILE 'f' INTO TABLE caps_load", b"1\n2\n")
    yield query("SELECT 5; LOAD DATA LOCAL INFILE 'f' INTO TABLE caps_load; SELECT 6", b"1\n2\n")
    yield "prepare", client.prepare("SELECT id, ?, name FROM caps WHERE id<=?")
    yield "execute", client.execute([1, 2])
    yield "cursor", client.execute([1, 2], 1)
    yield command("fetch", FETCH, struct.pack("<II", client.statement, 1), client.rows)
    yield command("fetch on", FETCH, struct.pack("<II", client.statement, 9), client.rows)
    yield command("reset of the statement", RESET_STATEMENT, struct.pack("<I", client.statement))
    client.command(CLOSE, struct.pack("<I", client.statement))
    yield "prepare without a result", client.prepare("DO ?")
    yield "prepare without parameters", client.prepare("SELECT 1")
    yield "execute without parameters", client.execute()
    yield "prepare what is wrong", client.prepare("SELECT ? FROM nowhere")
    yield "prepare a procedure", client.prepare("CALL caps_out(?)")
    yield "OUT parameters", client.execute([1])
    yield command("columns of a table", FIELD_LIST, b"caps\0", lambda: [None for _ in iter(
        lambda: client.packet()[0] in (0xFE, 0xFF), True)])
    for option in (0, 1):
        yield command(f"option {option}", SET_OPTION, struct.pack("<H", option))
        yield query("SELECT 3; SELECT 4")
    yield command("ping", PING)
    yield command("reset", RESET)
    yield query("SELECT id FROM caps WHERE id=1")


def sorted_changes(packet):
    """The entries of session state in an OK, sorted: the server's own order is one of addresses."""
    number, body = packet
    if body[0] not in (0, 0xFE) or len(body) < 8:
        return packet
    at = mywire.lenenc(body, mywire.lenenc(body, 1)[1])[1]
    if not struct.unpack_from("<H", body, at)[0] & 0x4000:
        return packet
    size, at = mywire.lenenc(body, at + 4)
    size, at = mywire.lenenc(body, at + size)
    entries, front = [], body[:at]
    while at < len(body):
        size, value = mywire.lenenc(body, at + 1)
        entries.append(body[at:value + size])
        at = value + size
    return number, front, sorted(entries)


def without_what_cannot_be(packets, what, flags, mysql):
    """MySQL's EOF behind the values of OUT parameters lacks two bits that leasehold says: an OK follows. And what the
    statement's status will be is not known in front of rows that end with an error."""
    if flags & DEPRECATE_EOF:
        return packets
    if what == "OUT parameters" and mysql:
        return [(number, body) if body[:1] != b"\xFE" else (number, b"EOF") for number, body in packets]
    if packets[-1][1][0] == 0xFF:
        return [(number, body) if body[:1] != b"\xFE" else (number, body[:3] + bytes([body[3] & 3, body[4]]))
                for number, body in packets]
    return packets


@pytest.fixture
def caps(mysql_server):
    for text in ["DROP TABLE IF EXISTS caps", "DROP TABLE IF EXISTS caps_load",
                 "CREATE TABLE caps(id int PRIMARY KEY, name varchar(20))", "CREATE TABLE caps_load(a int)",
                 "INSERT INTO caps VALUES(1,'one'),(2,NULL),(3,'three')", "DROP PROCEDURE IF EXISTS caps_two",
                 "CREATE PROCEDURE caps_two() BEGIN SELECT 7; SELECT id FROM caps; END",
                 "DROP PROCEDURE IF EXISTS caps_out", "CREATE PROCEDURE caps_out(OUT x int) BEGIN SELECT 7; SET x=5; END",
                 "SET GLOBAL local_infile=1", "SET GLOBAL interactive_timeout=7777"]:
        mysql_server.query(text, database="shop")
    yield mysql_server
    mysql_server.query("SET GLOBAL interactive_timeout=28800")


def combinations(bits):
    return [sum(chosen) for size in range(len(bits) + 1) for chosen in itertools.combinations(bits, size)]


@pytest.fixture
def daemon(leasehold, caps):
    return leasehold(pools={"shop": {"url": caps.url("shop", USER, PASSWORD), "pool_size": 2, "max_overflow": 0}})


def test_every_combination_of_capabilities_is_served_as_the_server_would(daemon, caps):
    mysql = "MariaDB" not in caps.version
    bits = CONVERTED + ([QUERY_ATTRIBUTES] if mysql else [])
    some = [*VARIANTS, sum(VARIANTS)]
    for variant, converted in itertools.product(combinations(VARIANTS), combinations(bits)):
        # Each with none and all of the others, and all of what is converted; the rest under LEASEHOLD_LONG.
        if not LONG and variant and (variant not in some or converted not in (0, sum(bits))):
            continue
        flags = variant | converted
        with Raw(caps.port) as direct, Raw(daemon.mysql_port) as through:
            direct.login_with(flags)
            through.login_with(flags)
            # One behind the other: both take the same locks.
            for (what, expected), (_, got) in zip(list(conversation(direct)), list(conversation(through))):
                expected, got = (without_what_cannot_be(p, what, flags, mysql) for p in (expected, got))
                assert list(map(sorted_changes, got)) == list(map(sorted_changes, expected)), (what, hex(flags))


def test_clients_of_all_kinds_share_one_backend(leasehold, caps):
    daemon = leasehold(pools={"shop": {"url": caps.url("shop", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})
    backends = set()
    for converted in combinations(CONVERTED):
        with Raw(daemon.mysql_port) as client:
            client.login_with(converted)
            packets = client.ask(QUERY, b"SELECT CONNECTION_ID()+0")
            backends.add(next(body for _, body in packets if body[:1].isdigit() or 0 < body[0] < 20 and len(body) > 1
                              and body[1:].isdigit()))
    assert len(backends) == 1


def test_multi_statements_are_on_only_for_who_asked(leasehold, caps):
    daemon = leasehold(pools={"shop": {"url": caps.url("shop", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})
    injected = b"SELECT 1; DELETE FROM caps"

    def refused(client):
        kept = client.ask(QUERY, injected)
        return kept[-1][1][:3] == b"\xFF" + struct.pack("<H", 1064)
    with Raw(daemon.mysql_port) as asked, Raw(daemon.mysql_port) as plain, Raw(daemon.mysql_port) as later:
        asked.login_with(MULTI_STATEMENTS)
        plain.login_with(0)
        later.login_with(0)
        for _ in range(3):
            assert len(asked.ask(QUERY, b"SELECT 1; SELECT 2")) == 10
            assert refused(plain)
            assert refused(later)
        later.ask(SET_OPTION, struct.pack("<H", 0), later.packet)
        assert len(later.ask(QUERY, b"SELECT 1; SELECT 2")) == 10
        assert refused(plain)
        later.ask(SET_OPTION, struct.pack("<H", 1), later.packet)
        assert refused(later)
        # Gone without a word in the middle of a transaction: the next lessee has what it asked for, all the same.
        asked.ask(QUERY, b"BEGIN; SELECT 1")
        asked.reset()
        assert refused(plain)
    assert caps.value("SELECT count(*) FROM shop.caps") == 3


def test_what_a_handshake_sets_is_there_after_a_reset(leasehold, caps):
    daemon = leasehold(pools={"shop": {"url": caps.url("shop", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})
    for _ in range(3):
        with Raw(daemon.mysql_port) as client:
            client.login_with(INTERACTIVE | IGNORE_SPACE)
            kept = client.ask(QUERY, b"SELECT @@wait_timeout, @@sql_mode LIKE '%IGNORE_SPACE%'")
            assert kept[-2][1] == b"\x047777\x011"
            # State that nobody else may meet: the backend is reset.
            client.ask(QUERY, b"SET @mine=1, SESSION wait_timeout=100")


def mariadb_only(server):
    if "MariaDB" not in server.version:
        pytest.skip("MySQL has no such capabilities")


def test_mariadbs_further_capabilities_arrive_as_they_do_directly(daemon, caps):
    mariadb_only(caps)
    caps.query("CREATE OR REPLACE TABLE caps_json(j JSON, p POINT, u INET6, i UUID)", database="shop")
    caps.query("""INSERT INTO caps_json VALUES('{"a": 1}', POINT(1, 2), '::1', '123e4567-e89b-12d3-a456-426655440000')""",
               database="shop")
    for further in (BULK, EXTENDED_TYPES, BULK | EXTENDED_TYPES):
        with Raw(caps.port) as direct, Raw(daemon.mysql_port) as through:
            direct.login_with(DEPRECATE_EOF, further)
            through.login_with(DEPRECATE_EOF, further)
            assert through.further == direct.further & (BULK | EXTENDED_TYPES)
            for text in (b"SELECT * FROM caps_json", b"SELECT 1"):
                assert through.ask(QUERY, text) == direct.ask(QUERY, text)
            assert through.prepare("SELECT * FROM caps_json") == direct.prepare("SELECT * FROM caps_json")


def test_bulk_execute_inserts_many_rows_at_once(daemon, caps):
    mariadb_only(caps)
    caps.query("CREATE OR REPLACE TABLE caps_bulk(a int, b varchar(20))", database="shop")
    with Raw(daemon.mysql_port) as client:
        client.login_with(DEPRECATE_EOF, BULK)
        client.prepare("INSERT INTO caps_bulk VALUES(?, ?)")
        rows = b"".join(b"\0" + struct.pack("<i", n) + b"\0\x03row" for n in range(1000))
        kept = client.ask(BULK_EXECUTE, struct.pack("<IH", client.statement, 128) + b"\x03\0\xfd\0" + rows)
        assert kept[0][1][:4] == b"\0\xfc" + struct.pack("<H", 1000)
    assert caps.value("SELECT sum(a) FROM shop.caps_bulk") == sum(range(1000))


def test_a_long_result_is_the_same_with_and_without_eof(daemon, caps):
    text = b"SELECT REPEAT('x', 300), a.id FROM caps a, caps b, caps c, caps d, caps e, caps f"
    seen = []
    for flags in (0, DEPRECATE_EOF):
        with contextlib.closing(Raw(daemon.mysql_port)) as client:
            client.socket.settimeout(20)
            client.close = client.drop
            client.login_with(flags)
            seen.append(client.ask(QUERY, text))
    plain, deprecated = ([body for _, body in kept if body[0] != 0xFE] for kept in seen)
    assert plain == deprecated and len(plain) == 3 + 729
    for kept in seen:
        assert [number for number, _ in kept] == [(at + 1) % 256 for at in range(len(kept))]


def without_flag(packets):
    """An EOF has the flag of a change but no room to say which; no client looks at it there."""
    return [(number, body[:3] + bytes([body[3], body[4] & 0xBF]) if body[0] == 0xFE and len(body) == 5 else body)
            for number, body in packets]


def test_a_session_is_told_of_the_changes_that_it_asked_for_and_of_no_others(daemon, caps):
    texts = ["SET autocommit=0", "SET autocommit=1", "SET @x=1", "USE shop", "SET sql_mode='ANSI'", "BEGIN", "COMMIT",
             "SET session_track_state_change=1", "SET @x=2", "CREATE TEMPORARY TABLE caps_s(a int)", "DROP TABLE caps_s",
             "SET session_track_system_variables='sql_mode,time_zone'", "SET sql_mode=DEFAULT", "SET autocommit=0",
             "SET autocommit=1", "SET time_zone='+01:00', @x=3", "SET session_track_schema=0", "USE shop",
             "SET session_track_transaction_info='CHARACTERISTICS'", "BEGIN", "SELECT * FROM caps",
             "UPDATE caps SET name='tracked' WHERE id=1", "ROLLBACK", "SET session_track_transaction_info='STATE'",
             "BEGIN", "SELECT * FROM caps", "ROLLBACK", "SET session_track_state_change=0", "SET @x=4"]
    for flags in (SESSION_TRACK, SESSION_TRACK | DEPRECATE_EOF):
        told = []
        for port in (caps.port, daemon.mysql_port):
            with Raw(port) as client:
                client.login_with(flags)
                told.append([(text, client.ask(QUERY, text.encode())) for text in texts])
        for (text, expected), (_, got) in zip(*told):
            # From the next statement on.
            if not text.startswith("SET session_track"):
                assert without_flag(got) == without_flag(expected), (text, hex(flags))


def test_a_server_without_deprecate_eof_and_session_track_serves_everybody(leasehold, caps):
    # MySQL 5.6, say; and clients that were greeted while a newer one stood there.
    with contextlib.closing(Older(caps)) as older:
        url = caps.url("shop", USER, PASSWORD).replace(f":{caps.port}/", f":{older.port}/")
        daemon = leasehold(pools={"shop": {"url": url, "pool_size": 1, "max_overflow": 0}})
        with Raw(daemon.mysql_port) as client:
            client.login_with(DEPRECATE_EOF | SESSION_TRACK)
            assert client.greeting["capabilities"] & DEPRECATE_EOF
            older.without = DEPRECATE_EOF | SESSION_TRACK
            for each in older.sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            for flags in (DEPRECATE_EOF | MULTI_STATEMENTS, MULTI_STATEMENTS):
                with Raw(caps.port) as direct, Raw(daemon.mysql_port) as through:
                    direct.login_with(flags)
                    through.login_with(flags)
                    for (what, expected), (_, got) in zip(list(conversation(direct)), list(conversation(through))):
                        if what == "OUT parameters" and "MariaDB" not in caps.version and not flags & DEPRECATE_EOF:
                            continue
                        expected, got = (without_what_cannot_be(p, what, 0, False) for p in (expected, got))
                        assert got == expected, (what, hex(flags))
            assert client.ask(QUERY, b"SELECT 7")[2:] == [(3, b"\x017"), (4, b"\xFE\0\0\x02\0\0\0")]
