# SPDX-License-Identifier: Apache-2.0
"""Every command and every length of packet through leasehold, compared byte by byte with the server itself: what a client
reads is what it would have read there, sequences included."""
import hashlib
import os
import struct

import mywire
import pytest
from conftest import PASSWORD, USER
from leasehold import Leasehold
from servers import wait_until

FIELD_LIST, STATISTICS, PROCESS_INFO, DEBUG, SET_OPTION, RESET = 0x04, 0x09, 0x0A, 0x0D, 0x1B, 0x1F
LOCAL_FILES, MULTI_STATEMENTS, PS_MULTI, SESSION_TRACK = 1 << 7, 1 << 16, 1 << 18, 1 << 23
WHOLE = 0xFFFFFF
SENTINEL = "end of what was asked"




@pytest.fixture(scope="module")
def started(mysql_server):
    mysql_server.query("SET GLOBAL local_infile = 1")
    mysql_server.query("SET GLOBAL max_allowed_packet = 67108864")
    with Leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 2, "max_overflow": 0,
                                   "pool_timeout": "20s"}}) as daemon:
        mysql_server.query("CREATE TABLE shop.framed (id int PRIMARY KEY AUTO_INCREMENT, t varchar(40) NOT NULL DEFAULT"
                           " 'none', d decimal(10, 3), b blob)")
        mysql_server.query("CREATE PROCEDURE shop.three(IN n int, OUT doubled int) BEGIN SET doubled = 2 * n; SELECT n;"
                           " SELECT t FROM framed ORDER BY id; UPDATE framed SET d = d + 0; END")
        yield daemon
        mysql_server.query("DROP TABLE shop.framed")
        mysql_server.query("DROP PROCEDURE shop.three")
    assert not daemon.complaint


@pytest.fixture
def both(started, mysql_server):
    """Two ways to connect: to leasehold, and to the server."""
    mysql_server.query("DELETE FROM shop.framed")
    mysql_server.query("INSERT INTO shop.framed VALUES (1, 'one', 1.5, x'00ff'), (2, 'two', NULL, NULL)")

    def to(port):
        return lambda **options: mywire.connect(port, USER, PASSWORD, "shop", timeout=30, **options)
    through, directly = to(started.mysql_port), to(mysql_server.port)
    through.daemon = started
    return through, directly


def packet(session):
    """(sequence, payload)"""
    head = session.read_exactly(4)
    return head[3], session.read_exactly(int.from_bytes(head[:3], "little"))


def send_long(session, payload):
    """One message in as many packets as it takes."""
    number, at = 0, 0
    while True:
        piece = payload[at:at + WHOLE]
        session.socket.sendall(len(piece).to_bytes(3, "little") + bytes([number & 255]) + piece)
        at, number = at + WHOLE, number + 1
        if len(piece) < WHOLE:
            return number


def replies(session, commands):
    """What is read for them, up to the reply of a last statement that says so."""
    for body in commands:
        session.command(body[0], body[1:])
    session.command(mywire.COM_QUERY, f"SELECT '{SENTINEL}' AS s".encode())
    read = []
    while not read or bytes([len(SENTINEL)]) + SENTINEL.encode() != read[-1][1]:
        read.append(packet(session))
    packet(session)
    return read


def query(sql):
    return bytes([mywire.COM_QUERY]) + sql.encode()


COMMANDS = {
    "rows": [query("SELECT id, t, d, b, NULL FROM framed ORDER BY id")],
    "no rows": [query("SELECT id FROM framed WHERE id > 9")],
    "changes": [query("INSERT INTO framed (t) VALUES ('a'), ('b')"), query("UPDATE framed SET t = t"),
                query("DELETE FROM framed WHERE id > 2")],
    "errors": [query("SELEC 1"), query(""), query("SELECT * FROM nowhere"), query("SELECT 1/0, CAST('x' AS signed)")],
    "a command without a length": [b"\x03"],
    "ping": [bytes([mywire.COM_PING])],
    "current database": [bytes([mywire.COM_INIT_DB]) + b"shop", bytes([mywire.COM_INIT_DB]) + b"nowhere",
                         query("SELECT database()")],
    "columns of a table": [bytes([FIELD_LIST]) + b"framed\0", bytes([FIELD_LIST]) + b"framed\0t%",
                           bytes([FIELD_LIST]) + b"nowhere\0"],
    "multi-statements off": [query("SELECT 1; SELECT 2")],
    "multi-statements on": [bytes([SET_OPTION, 0, 0]), query("SELECT 1; SELECT 2; DO 3"), query("SELECT 1; SELEC; SELECT 3"),
                            bytes([SET_OPTION, 1, 0]), query("SELECT 1; SELECT 2")],
    "a procedure": [query("CALL three(21, @d)"), query("SELECT @d"), query("CALL three()")],
    "a transaction": [query("BEGIN"), query("UPDATE framed SET t = 'x' WHERE id = 1"), query("ROLLBACK"),
                      query("SELECT t FROM framed WHERE id = 1")],
    "reset": [query("SET @a = 1"), bytes([RESET]), query("SELECT @a")],
    "prepared": [b"\x16SELECT id, t FROM framed WHERE id = ?", b"\x16SELEC"],
}
FLAGS = {"plain": 0, "deprecate_eof": mywire.DEPRECATE_EOF, "track": SESSION_TRACK | mywire.DEPRECATE_EOF,
         "multi": MULTI_STATEMENTS | PS_MULTI}
if not os.environ.get("LEASEHOLD_LONG"):
    FLAGS = {name: FLAGS[name] for name in ("plain", "track")}


COLLATIONS = (b"\x0c\x2d\x00", b"\x0c\xff\x00")


def comparable(name, read):
    # MySQL names in a column's definition the collation that a handshake asked for, or, behind SET NAMES, the character
    # set's own; clients look at the character set only.
    read = [(number, body.replace(COLLATIONS[1], COLLATIONS[0]) if body[:4] == b"\3def" else body) for number, body in read]
    if name == "changes":  # generated ids go on
        return [(number, body[:2] + body[3:] if body[0] == 0 else body) for number, body in read]
    if name == "prepared":  # the numbers of statements are leasehold's own
        return [(number, body[:1] + body[5:] if len(body) == 12 and body[0] == 0 else body) for number, body in read]
    return read


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_reply_is_the_servers_own(both, name, flags):
    through, directly = both
    if name == "multi-statements off" and flags == "multi":
        return
    with through(capabilities=FLAGS[flags]) as session, directly(capabilities=FLAGS[flags]) as server:
        expected = comparable(name, replies(server, COMMANDS[name]))
        for _ in range(2):
            assert comparable(name, replies(session, COMMANDS[name])) == expected


def test_what_a_server_tells_of_itself_is_told(both):
    through, directly = both
    with through() as session, directly() as server:
        assert replies(session, [bytes([STATISTICS])])[0][1].startswith(b"Uptime: ")
        asked = [side for side in (replies(session, [bytes([PROCESS_INFO])]), replies(server, [bytes([PROCESS_INFO])]))]
        assert asked[0][0] == asked[1][0]


@pytest.mark.parametrize("number", [0x00, 0x05, 0x06, 0x07, 0x08, 0x0B, 0x0F, 0x10, 0x13, 0x14, 0x1D, 0x20, 0x77, 0xFE])
def test_an_unknown_command_is_unknown_and_costs_nobody_the_connection(both, number):
    through, _ = both
    with through() as session:
        for body in (b"", b"x" * 40):
            session.command(number, body)
            with pytest.raises(mywire.ServerError) as unknown:
                session.result()
            assert unknown.value.code in (1047, 1235), unknown.value
        assert session.value("SELECT 1") == "1"


# --- lengths ------------------------------------------------------------------------------------------------------

LENGTHS = [WHOLE, 2 * WHOLE] + ([WHOLE - 1, WHOLE + 1, 2 * WHOLE - 1] if os.environ.get("LEASEHOLD_LONG") else [])


@pytest.mark.parametrize("length", LENGTHS)
def test_a_message_of_any_length_arrives_whole(both, length):
    through, directly = both
    text = b"SELECT sha2('" + b"x" * (length - 21) + b"', 256)"
    assert len(text) + 1 == length
    digest = hashlib.sha256(b"x" * (length - 21)).hexdigest()
    with through() as session:
        for _ in range(2):
            count = send_long(session, bytes([mywire.COM_QUERY]) + text)
            first = packet(session)
            assert first == (count, b"\1")
            while (read := packet(session))[1][1:] != digest.encode():
                assert read[1][0] != 0xFF
            packet(session)
        assert session.value("SELECT 1") == "1"


@pytest.mark.parametrize("length", LENGTHS)
def test_a_row_of_any_length_arrives_whole(both, length):
    through, directly = both

    def row(connect):
        with connect() as session:
            session.query("SELECT 1")
            session.command(mywire.COM_QUERY, f"SELECT repeat('y', {length - 4})".encode())
            shapes = []
            digest = hashlib.md5()
            while True:
                number, body = packet(session)
                shapes.append((number, len(body)))
                digest.update(comparable("", [(number, body)])[0][1])
                if body[:1] == b"\xfe" and len(body) < 9 and len(shapes) > 4:
                    assert session.value("SELECT 1") == "1"
                    return shapes, digest.hexdigest()
    assert row(through) == row(directly)


def test_a_message_longer_than_the_server_takes_gets_its_error_and_the_session_goes_on(leasehold, both, mysql_server):
    mysql_server.query("SET GLOBAL max_allowed_packet = 1048576")
    daemon = leasehold(pools={"shop": {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})
    too_long = query("SELECT '" + "x" * (3 << 20) + "'")

    def refused(session):
        send_long(session, too_long)
        with pytest.raises(mywire.ServerError) as error:
            session.result()
        return error.value.code
    try:
        with mywire.connect(daemon.mysql_port, USER, PASSWORD, "shop", timeout=30) as session:
            assert session.value("SELECT 1") == "1"
            assert refused(session) == 1153
            for _ in range(5):  # the server closes behind it: nothing of that is anybody's business
                assert session.value("SELECT 2") == "2"
                assert refused(session) == 1153
            assert session.value("SELECT 2") == "2"
            session.query("BEGIN")
            session.query("INSERT INTO framed (t) VALUES ('lost with it')")
            assert refused(session) == 1153
            with pytest.raises(mywire.ServerError) as lost:  # the server has closed the connection, and the transaction
                session.query("SELECT 3")
            assert lost.value.code == 1213
            assert not session.ping().in_transaction
            assert session.value("SELECT 4") == "4"
    finally:
        mysql_server.query("SET GLOBAL max_allowed_packet = 67108864")
    assert mysql_server.value("SELECT count(*) FROM shop.framed WHERE t = 'lost with it'") == 0


def test_a_client_that_does_not_read_stops_its_server_and_costs_no_memory(both):
    through, _ = both
    with through() as lazy, through() as other:
        before = through.daemon.rss()
        lazy.command(mywire.COM_QUERY, b"SELECT repeat('z', 16000000) FROM framed a, framed b, framed c")
        first = packet(lazy)
        assert first[1] == b"\1"
        for _ in range(50):
            assert other.value("SELECT 1") == "1"
        assert through.daemon.rss() - before < 16 << 20
        size = 0
        while True:
            number, body = packet(lazy)
            size += len(body)
            if body[:1] == b"\xfe" and len(body) < 9 and size > 1000:
                break
        assert size > 8 * 16_000_000
        assert lazy.value("SELECT 1") == "1"


# --- LOCAL INFILE -------------------------------------------------------------------------------------------------

LOAD = b"LOAD DATA LOCAL INFILE 'any' INTO TABLE framed (t)"


def ask_for_file(session):
    session.command(mywire.COM_QUERY, LOAD)
    number, body = packet(session)
    assert (number, body) == (1, b"\xfbany")
    session.sequence = 2


def send_lines(session, lines):
    session.send(lines)
    session.sequence += 1


def test_a_large_file_goes_through_byte_for_byte(both, mysql_server):
    through, _ = both
    with through(capabilities=LOCAL_FILES) as session:
        ask_for_file(session)
        line = "".join(chr(97 + i % 26) for i in range(39)) + "\n"
        for _ in range(400):
            send_lines(session, (line * 100).encode())
        send_lines(session, b"")
        assert session.result().affected == 40_000
        assert session.value(f"SELECT count(*) FROM framed WHERE t = '{line[:-1]}'") == "40000"
        ask_for_file(session)
        send_lines(session, b"")  # nothing at all
        assert session.result().affected == 0


def test_a_file_that_the_server_refuses_early_leaves_a_session_that_goes_on(both):
    through, directly = both
    for connect in (directly, through):
        with connect(capabilities=LOCAL_FILES) as session:
            session.command(mywire.COM_QUERY, b"LOAD DATA LOCAL INFILE 'any' INTO TABLE nowhere (t)")
            with pytest.raises(mywire.ServerError) as refused:
                session.sequence = 1
                body = session.read()
                if body[0] == 0xFB:
                    send_lines(session, b"line\n")
                    send_lines(session, b"")
                    session.result()
                raise mywire.ServerError(body)
            assert refused.value.code == 1146
            assert session.value("SELECT 1") == "1"


def test_a_duplicate_in_the_middle_of_a_file_is_one_error(both):
    through, _ = both
    with through(capabilities=LOCAL_FILES) as session:
        session.command(mywire.COM_QUERY, b"LOAD DATA LOCAL INFILE 'any' INTO TABLE framed (id, t)")
        session.read()
        for i in range(200):
            send_lines(session, b"".join(b"%d\tx\n" % (i * 1000 + j + 1000) for j in range(1000)))
        send_lines(session, b"")
        assert session.result().affected == 200_000
        assert session.value("SELECT 1") == "1"


def test_a_client_that_dies_in_the_middle_of_its_file_leaves_nothing(both, mysql_server):
    through, _ = both
    session = through(capabilities=LOCAL_FILES)
    ask_for_file(session)
    send_lines(session, b"half of it\n" * 10_000)
    session.reset()
    def left():
        """Rows, transactions, and who runs something."""
        return (mysql_server.value("SELECT count(*) FROM shop.framed WHERE t = 'half of it'"), mysql_server.transactions(),
                [p for p in mysql_server.processes(USER) if p["command"] == "Query"])
    try:
        wait_until(lambda: left() == (0, [], []), timeout=20)
    except TimeoutError:
        raise AssertionError(left()) from None
    with through() as other:
        assert other.value("SELECT 1") == "1"


def test_out_parameters_and_results_of_a_prepared_call(both):
    through, directly = both

    def call(connect):
        with connect(capabilities=MULTI_STATEMENTS | PS_MULTI) as session:
            session.command(0x16, b"CALL three(?, ?)")
            number, head = packet(session)
            statement = head[1:5]
            for _ in range(struct.unpack_from("<H", head, 7)[0] + 1):
                packet(session)
            body = statement + struct.pack("<BI", 0, 1) + b"\0" + b"\1" + b"\3\0\3\0" + struct.pack("<ii", 21, 0)
            read = comparable("", replies(session, [b"\x17" + body, b"\x19" + statement]))
            # MySQL tells clients with EOF packets of the parameters in front of them, and forgets it behind them.
            return [(number, body[:3] if len(body) == 5 and body[0] == 0xFE else body) for number, body in read]
    assert call(through) == call(directly)
