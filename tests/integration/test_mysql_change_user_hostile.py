# SPDX-License-Identifier: Apache-2.0
"""COM_CHANGE_USER from clients that mean no good, or have bad luck: cut, pipelined, too long, very often; and what happens
around it meanwhile: a full pool, a reload, a KILL, the end of leasehold."""
import os
import struct

import mycompress
import mywire
import pytest
from conftest import PASSWORD, USER
from hostile import SANITIZED
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import wait_until

PING = b"\1\0\0\0\x0e"
OTHER = "teller"
LONG = os.environ.get("LEASEHOLD_LONG")


@pytest.fixture
def daemon(leasehold, mysql_server):
    def start(size=2, **sections):
        pool = {"url": mysql_server.url("shop", USER, PASSWORD), "pool_size": size, "max_overflow": 0, "pool_timeout": 60}
        return leasehold(pools={"shop": pool}, workers=2, **sections)
    return start


def login(here, **options):
    return mywire.connect(here.mysql_port, USER, PASSWORD, "shop", timeout=30, **options)


def request(user=USER, database="shop", plugin="mysql_native_password"):
    body = b"\x11" + user.encode() + b"\0\0" + database.encode() + b"\0" + struct.pack("<H", 45) + plugin.encode() + b"\0"
    return len(body).to_bytes(3, "little") + b"\0" + body


def asked(session):
    """The question for an answer: (plugin, salt)."""
    reply = session.read()
    assert reply[0] == 0xFE, reply
    plugin, salt = reply[1:].split(b"\0", 1)
    return plugin.decode(), salt[:20]


def to_the_question(here):
    session = login(here)
    session.socket.sendall(request())
    return session, *asked(session)


def answer(session, plugin, salt, password=PASSWORD):
    session.send(mywire.ANSWERS[plugin](password, salt), sequence=2)
    while True:
        reply = session.read()
        if reply[0] == 0xFF:
            raise mywire.ServerError(reply)
        if reply[0] == 0:
            return


def clients(here):
    return [row for row in here.console("SHOW CLIENTS") if row["user"] != CONSOLE_USER]


def gone(here):
    wait_until(lambda: not clients(here), 20, "no client any more")


# --- what is sent ---------------------------------------------------------------------------------------------------

def test_one_that_is_cut_anywhere_and_never_goes_on(daemon):
    here = daemon()
    whole = request()
    for size in range(1, len(whole)):
        with login(here) as session:
            session.socket.sendall(whole[:size])
    gone(here)
    for size in range(25):
        session, plugin, salt = to_the_question(here)
        said = mywire.ANSWERS[plugin](PASSWORD, salt)
        session.socket.sendall((len(said).to_bytes(3, "little") + b"\2" + said)[:size])
        (session.drop if size % 2 else session.reset)()
    gone(here)
    with login(here) as session:
        assert session.value("SELECT 1") == "1"


def test_in_pieces_it_is_what_it_is_whole(daemon):
    session = login(daemon())
    for byte in request():
        session.socket.sendall(bytes([byte]))
    plugin, salt = asked(session)
    answer(session, plugin, salt)
    assert session.value("SELECT database()") == "shop"


@pytest.mark.parametrize("body, code, lives", [
    (b"", 1047, True), (b"\0", 1047, True), (b"app", 1047, True), (b"app\0\xff" + b"x" * 20, 1047, True),
    (b"app\0\x14short\0", 1047, True), (b"app\0\0no end", 1047, True), (b"x" * 200_000, 1153, False)],
    ids=["empty", "nobody", "name", "lying", "short", "database", "long"])
def test_a_malformed_one_is_an_error(daemon, body, code, lives):
    session = login(daemon())
    session.command(mywire.COM_CHANGE_USER, body)
    with pytest.raises(mywire.ServerError) as refused:
        session.result()
    assert refused.value.code == code
    if lives:
        assert session.value("SELECT 1") == "1"
    else:
        assert session.closed_by_peer()


def test_lengths_of_attributes_that_lie_spoil_nothing(daemon):
    session = login(daemon(), attributes={"program_name": "till"})
    for tail in (b"\xfe" + b"\xff" * 8, b"\xfc\xff\xff", b"\x05\x03abc\xff", b"\xff", b"\x02\x01"):
        body = request()[4:] + tail
        session.socket.sendall(len(body).to_bytes(3, "little") + b"\0" + body)
        plugin, salt = asked(session)
        answer(session, plugin, salt)
        assert session.value("SELECT 1") == "1"


def test_a_name_of_64_kib_is_nobodys(daemon):
    session = login(daemon())
    with pytest.raises(mywire.ServerError) as refused:
        session.change_user("x" * 65_000, PASSWORD, "shop")
    assert refused.value.code == 1045 and len(refused.value.message) < 512
    assert session.closed_by_peer()


def test_behind_other_commands_it_waits_its_turn(daemon):
    here = daemon()
    session = login(here)
    query = b"\x03SELECT SLEEP(0.2), 7"
    session.socket.sendall(PING + len(query).to_bytes(3, "little") + b"\0" + query + request())
    session.result()
    assert session.result().rows == [("0", "7")]
    plugin, salt = asked(session)
    answer(session, plugin, salt)
    assert session.value("SELECT 1") == "1"


def test_what_follows_it_unasked_is_no_answer(daemon):
    session = login(daemon())
    session.socket.sendall(request() + PING * 3)
    asked(session)
    with pytest.raises(mywire.ServerError):
        session.result()
    assert session.closed_by_peer()


def test_an_answer_to_another_question_or_of_any_length_is_refused(daemon):
    here = daemon()
    for said in (b"", b"\0", b"x" * 19, b"x" * 20, b"x" * 32, b"x" * 1000):
        session, _, _ = to_the_question(here)
        session.send(said, sequence=2)
        with pytest.raises(mywire.ServerError) as refused:
            session.result()
        assert refused.value.code == 1045, said
        assert session.closed_by_peer()
    session, plugin, salt = to_the_question(here)
    session.socket.sendall(b"\xff\xff\xff\2")  # a packet of 16 MB
    with pytest.raises(mywire.ServerError):
        session.result()
    assert session.closed_by_peer()


def test_very_many_in_a_row_cost_nothing_that_stays(daemon):
    here = daemon()
    session = login(here)
    number = session.greeting["id"]
    for _ in range(200):
        session.change_user(USER, PASSWORD, "shop")
    before, descriptors = here.rss(), here.descriptors()
    for turn in range(10_000 if LONG else 1_500):
        session.change_user(USER, PASSWORD, "shop")
        if turn % 100 == 0:
            session.query("SET @mine = 1")
    if not SANITIZED:  # a sanitizer keeps what was freed
        assert here.rss() - before < 4 << 20
    assert here.descriptors() <= descriptors + 1
    assert session.value("SELECT CONNECTION_ID()") == str(number)
    assert len(clients(here)) == 1


@pytest.mark.parametrize("algorithm, flag", [("zlib", mywire.COMPRESS), ("zstd", mywire.ZSTD)])
def test_in_compressed_frames(daemon, algorithm, flag):
    session = mycompress.connect(daemon().mysql_port, USER, PASSWORD, "shop", algorithm=algorithm)
    for _ in range(3):
        session.change_user(USER, PASSWORD, "shop")
        assert session.value("SELECT REPEAT('x', 1000)") == "x" * 1000
        assert session.value("SELECT database()") == "shop"


# --- what happens meanwhile -------------------------------------------------------------------------------------------

def test_behind_a_request_that_waits_for_a_backend(daemon):
    here = daemon(size=1)
    holder, session = login(here), login(here)
    holder.query("BEGIN")
    holder.query("SELECT 1")
    query = b"\x03SELECT 5"
    session.socket.sendall(len(query).to_bytes(3, "little") + b"\0" + query + request())
    wait_until(lambda: here.console("SHOW POOLS")[0]["cl_waiting"] == 1, 10, "it waits")
    holder.query("ROLLBACK")
    assert session.result().rows == [("5",)]
    plugin, salt = asked(session)
    answer(session, plugin, salt)
    assert session.value("SELECT 6") == "6"


def test_it_needs_no_backend_itself(daemon):
    here = daemon(size=1)
    holder, session = login(here), login(here)
    holder.query("BEGIN")
    holder.query("SELECT 1")
    session.change_user(USER, PASSWORD, "shop")
    holder.query("ROLLBACK")
    assert session.value("SELECT 6") == "6"


def test_a_kill_at_the_question_ends_it(daemon):
    here = daemon()
    session, plugin, salt = to_the_question(here)
    number = clients(here)[0]["id"]
    here.console(f"KILL_CLIENT {number}")
    assert session.closed_by_peer()
    gone(here)


def test_a_reload_that_changes_nothing_for_it(daemon):
    here = daemon()
    session, plugin, salt = to_the_question(here)
    here.set_pool("shop", pool_timeout=30)
    here.reload()
    answer(session, plugin, salt)
    assert session.value("SELECT 1") == "1"


def test_a_reload_that_takes_its_pool_away(daemon, mysql_server):
    here = daemon()
    session, plugin, salt = to_the_question(here)
    here.config["pools"]["store"] = here.config["pools"].pop("shop")
    here.write_config()
    here.reload()
    with pytest.raises(mywire.ServerError) as refused:
        answer(session, plugin, salt)
    assert refused.value.code in (1049, 1053), refused.value
    assert session.closed_by_peer()


def test_the_end_of_leasehold_waits_for_nobody_who_says_nothing(daemon):
    here = daemon()
    silent, _, _ = to_the_question(here)
    last, plugin, salt = to_the_question(here)
    here.stop()
    assert silent.closed_by_peer()
    assert last.closed_by_peer()


def test_a_closed_pool_takes_nobody_back(daemon):
    here = daemon()
    session = login(here)
    here.console("DISABLE shop")
    with pytest.raises(mywire.ServerError) as refused:
        session.change_user(USER, PASSWORD, "shop")
    assert "is disabled" in refused.value.message
    assert session.closed_by_peer()


def test_at_the_console_it_is_refused_and_the_console_goes_on(daemon):
    here = daemon()
    session = mywire.connect(here.mysql_port, CONSOLE_USER, CONSOLE_PASSWORD, "leasehold")
    session.socket.sendall(request())
    with pytest.raises(mywire.ServerError) as refused:
        session.result()
    assert refused.value.code == 1235
    assert session.query("SHOW POOLS").rows
