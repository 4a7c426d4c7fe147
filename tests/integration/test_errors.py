# SPDX-License-Identifier: Apache-2.0
"""Every error that leasehold itself gives at a login or for want of a backend: its SQLSTATE, what to do about it, and an
id that stands in the log; and never a password."""
import re
import socket
import struct

import pgwire
import pymysql
import pytest
from conftest import PASSWORD, USER
from processes import Port
from servers import wait_until


def refused(daemon, user=USER, database="orders", password=PASSWORD, **parameters):
    with pgwire.Connection(daemon.port, timeout=20) as client, pytest.raises(pgwire.ServerError) as error:
        client.login(user, database, password, **parameters)
    return error.value


def session_of(fields):
    """The id in an error's detail."""
    found = re.fullmatch(r"leasehold session (\d+)", fields.get("D", ""))
    assert found, fields
    return found[1]


def log_lines(daemon, session):
    return [line for line in daemon.log_text().splitlines() if f" session={session} " in line + " "]


def check(daemon, error, sqlstate, says, severity="FATAL"):
    assert (error.fields["S"], error.fields["C"]) == (severity, sqlstate), error.fields
    assert re.search(says, error.fields["M"]), error.fields["M"]
    assert error.fields.get("H"), error.fields
    wait_until(lambda: sqlstate in " ".join(log_lines(daemon, session_of(error.fields))), 10,
               "the error's id and its code in the log")
    for text in (str(error.fields), daemon.log_text()):
        assert PASSWORD not in text


def test_a_wrong_password_is_28P01(orders):
    check(orders, refused(orders, password="wrong"), "28P01", 'password authentication failed for user "app"')


def test_an_unknown_user_gets_what_a_wrong_password_gets(orders):
    known, unknown = refused(orders, password="wrong"), refused(orders, user="nobody", password="wrong")
    check(orders, unknown, "28P01", 'password authentication failed for user "nobody"')
    assert {k: v for k, v in known.fields.items() if k not in "MD"} == \
           {k: v for k, v in unknown.fields.items() if k not in "MD"}


def test_an_unknown_pool_is_3D000_and_the_nearest_name_is_for_those_who_may_know_it(orders):
    error = refused(orders, database="order")
    check(orders, error, "3D000", 'no pool "order".*did you mean "orders"')
    for user, password in ((USER, "wrong"), ("nobody", PASSWORD)):
        error = refused(orders, user=user, database="order", password=password)
        check(orders, error, "28P01", "password authentication failed")
        assert "orders" not in str(error.fields)


def test_too_many_clients_is_53300(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, limits={"max_clients": 1})
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD):
        check(daemon, refused(daemon), "53300", "too many clients")


def test_a_queue_that_timed_out_is_53300_and_the_session_lives(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0,
                                         "pool_timeout": 0.3}})
    holder, waiter = (pgwire.connect(daemon.port, USER, "orders", PASSWORD) for _ in range(2))
    holder.ok("BEGIN")
    reply = waiter.query("SELECT 1")
    check(daemon, reply.error, "53300", "1 in transactions", severity="ERROR")
    holder.ok("COMMIT")
    assert waiter.value("SELECT 1") == "1"


def test_a_server_that_cannot_be_reached_is_57P03_and_logged_once(leasehold):
    where = f"127.0.0.1:{Port().number}"  # nobody listens there
    url = f"postgresql://app:kx%25jj5%2Fg@{where}/orders"
    daemon = leasehold(pools={"orders": {"url": url, "pool_timeout": 1.5}})
    for _ in range(2):
        check(daemon, refused(daemon), "57P03", f"{re.escape(where)}.*[Cc]onnection refused")
    warnings = wait_until(lambda: [line for line in daemon.log_text().splitlines() if " warn " in line and where in line], 10,
                          "a warning in the log")
    assert len(warnings) == 1, warnings
    assert "refused" in warnings[0]


def test_what_is_no_postgresql_is_08P01_and_told_what_is_spoken_here(orders):
    with socket.create_connection(("127.0.0.1", orders.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = client.makefile("rb").read()
    assert answer[:1] == b"E"
    fields = pgwire.fields_of(answer[5:])
    check(orders, pgwire.ServerError(fields), "08P01", "startup packet")
    assert "PostgreSQL" in fields["H"]


def test_another_protocol_version_is_0A000(orders):
    with socket.create_connection(("127.0.0.1", orders.port), timeout=10) as client:
        client.sendall(struct.pack("!ii", 8, 2 << 16))
        answer = client.makefile("rb").read()
    check(orders, pgwire.ServerError(pgwire.fields_of(answer[5:])), "0A000", "2.0.*3.0 to 3.2")


def test_a_login_without_a_user_is_28000(orders):
    with pgwire.Connection(orders.port) as client:
        client.send(pgwire.startup_packet(pgwire.PROTOCOL_3, b"database\0orders\0\0"))
        kind, body = client.read()
    assert kind == "E"
    fields = pgwire.fields_of(body)
    assert fields["C"] == "28000"
    session_of(fields)


def test_a_message_that_breaks_the_protocol_is_08P01_and_names_the_session(orders):
    with pgwire.connect(orders.port, USER, "orders", PASSWORD) as client:
        client.send(b"\x01\x00\x00\x00\x04")
        kind, body = client.read()
        fields = pgwire.fields_of(body)
        assert (kind, fields["S"], fields["C"]) == ("E", "FATAL", "08P01")
        wait_until(lambda: log_lines(orders, session_of(fields)), 3)


def test_mysqls_errors_carry_the_id_too(shop):
    with pytest.raises(pymysql.MySQLError) as refused:
        shop.connect_mysql("shop", USER, "wrong")
    number, text = refused.value.args
    found = re.search(r" \(leasehold session (\d+)\)", text)
    assert number == 1045 and found, text
    wait_until(lambda: log_lines(shop, found[1]), 3, "the error's id in the log")
    assert PASSWORD not in shop.log_text()
