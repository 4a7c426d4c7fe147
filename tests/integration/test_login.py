# SPDX-License-Identifier: Apache-2.0
"""Who gets in and how: the methods on both legs, refusals, and what a client is told about its server at login."""
import time

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER
from servers import Postgres

METHODS = {"scram": "scram-sha-256", "md5": "md5", "cleartext": "password", "trust": "trust"}


@pytest.fixture
def listening(leasehold, postgres):
    """A factory of daemons whose listener demands one method."""
    def start(**listener):
        daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, start=False)
        daemon.config["listen"][0].update(listener)
        daemon.write_config()
        return daemon.start()
    return start


# --- the client's leg ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["scram", "md5", "trust"])
def test_clients_log_in_by_the_listeners_method(listening, method):
    daemon = listening(auth=method)
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
        assert session.auth_methods == ([] if method == "trust" else [method])
        assert session.value("SELECT current_user") == USER
    assert daemon.connect("orders", USER, PASSWORD).get_parameter_status("server_version").startswith("15")


@pytest.mark.parametrize("method", ["scram", "md5"])
@pytest.mark.parametrize("user, password", [(USER, "wrong"), (USER, ""), ("nobody", PASSWORD)])
def test_a_wrong_password_and_an_unknown_user_look_the_same(listening, method, user, password):
    daemon = listening(auth=method)
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(daemon.port, user, "orders", password)
    assert (refused.value.severity, refused.value.sqlstate) == ("FATAL", "28P01")
    assert PASSWORD not in daemon.log_text()
    with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
        assert session.value("SELECT 1") == "1"


def test_scram_is_what_a_listener_demands_by_itself(orders):
    with pgwire.connect(orders.port, USER, "orders", PASSWORD) as session:
        assert session.auth_methods == ["scram"]


def test_an_unknown_pool_is_an_unknown_database(orders):
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(orders.port, USER, "nowhere", PASSWORD)
    assert (refused.value.severity, refused.value.sqlstate) == ("FATAL", "3D000")
    assert "nowhere" in refused.value.message


def test_a_user_without_the_console_is_not_let_into_it(orders):
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(orders.port, USER, "leasehold", PASSWORD)
    assert refused.value.severity == "FATAL"


def test_a_second_user_logs_in_to_the_server_as_itself(leasehold, postgres):
    postgres.query("DROP ROLE IF EXISTS reports")
    postgres.create_user("reports", "reporting")
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}},
                       users=[{"name": "reports", "password": "reporting", "pools": ["orders"]}])
    for user, password in ((USER, PASSWORD), ("reports", "reporting")):
        with pgwire.connect(daemon.port, user, "orders", password) as session:
            assert session.value("SELECT session_user") == user


def test_encryption_requests_are_declined_and_the_login_goes_on(orders):
    for code in (pgwire.SSL_REQUEST, pgwire.GSSENC_REQUEST):
        session = pgwire.Connection(orders.port)
        session.send(pgwire.startup_packet(code))
        assert session.read_exactly(1) == b"N"
        with session.login(USER, "orders", PASSWORD):
            assert session.value("SELECT 1") == "1"
    session = pgwire.Connection(orders.port)
    session.send(pgwire.startup_packet(pgwire.GSSENC_REQUEST))
    assert session.read_exactly(1) == b"N"
    session.send(pgwire.startup_packet(pgwire.SSL_REQUEST))
    assert session.read_exactly(1) == b"N"
    session.login(USER, "orders", PASSWORD).terminate()
    with pytest.raises(psycopg2.OperationalError):
        orders.connect("orders", USER, PASSWORD, sslmode="require")


def test_a_newer_minor_protocol_is_negotiated_down(orders):
    session = pgwire.Connection(orders.port)
    body = b"".join(pgwire.cstr(word) for word in ("user", USER, "database", "orders", "_pq_.future", "on")) + b"\0"
    session.send(pgwire.startup_packet(pgwire.PROTOCOL_3 + 2, body))
    kind, body = session.read()
    assert kind == "v" and b"_pq_.future\0" in body
    session.drop()


# --- what the login tells -----------------------------------------------------------------------------------------

def test_a_client_is_told_the_servers_parameters_and_its_own(orders, postgres):
    direct = pgwire.connect(postgres.port, USER, "orders", PASSWORD, application_name="mine", DateStyle="German, DMY")
    through = pgwire.connect(orders.port, USER, "orders", PASSWORD, application_name="mine", DateStyle="German, DMY")
    assert through.parameters == direct.parameters
    assert through.key is not None
    assert through.value("SHOW application_name") == "mine"


def test_startup_settings_that_clients_really_send_are_taken(orders):
    with pgwire.connect(orders.port, USER, "orders", PASSWORD, extra_float_digits="2", client_encoding="LATIN1",
                        options="-c statement_timeout=4321 -c search_path=pg_catalog") as session:
        assert session.value("SHOW extra_float_digits") == "2"
        assert session.value("SHOW client_encoding") == "LATIN1"
        assert session.value("SHOW statement_timeout") == "4321ms"
        assert session.value("SHOW search_path") == "pg_catalog"
    with pgwire.connect(orders.port, USER, "orders", PASSWORD) as session:
        assert session.value("SHOW statement_timeout") == "0"
        assert session.value("SHOW client_encoding") == "UTF8"


def test_a_cancel_request_with_a_wrong_key_does_nothing(orders):
    session = pgwire.connect(orders.port, USER, "orders", PASSWORD)
    session.send(pgwire.query("SELECT 'finished' FROM pg_sleep(0.4)"))
    pgwire.cancel(orders.port, (session.key[0], session.key[1] ^ 1))
    assert session.reply().value() == "finished"


def test_a_cancel_request_ends_the_statement_and_no_other(orders):
    session, other = (pgwire.connect(orders.port, USER, "orders", PASSWORD) for _ in range(2))
    session.send(pgwire.query("SELECT pg_sleep(20)"))
    other.send(pgwire.query("SELECT 'finished' FROM pg_sleep(0.6)"))
    time.sleep(0.2)
    pgwire.cancel(orders.port, session.key)
    assert session.reply().sqlstate == "57014"
    assert other.reply().value() == "finished"
    for _ in range(20):  # one that comes too late hits nobody
        pgwire.cancel(orders.port, session.key)
        assert other.value("SELECT 1") == "1"


def test_a_client_that_says_nothing_is_closed_after_the_handshake_timeout(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}},
                       limits={"handshake_timeout": "300ms"})
    silent, halfway = pgwire.Connection(daemon.port), pgwire.Connection(daemon.port)
    halfway.send(pgwire.startup_packet(body=b"user\0app\0database\0orders\0\0"))
    began = time.monotonic()
    assert silent.closed_by_peer(3) and halfway.closed_by_peer(3)
    assert 0.2 < time.monotonic() - began < 2
    logged_in = pgwire.connect(daemon.port, USER, "orders", PASSWORD)
    time.sleep(0.5)
    assert logged_in.value("SELECT 1") == "1"


def test_a_client_beyond_max_clients_is_refused_and_the_others_stay(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, limits={"max_clients": 3})
    inside = [pgwire.connect(daemon.port, USER, "orders", PASSWORD) for _ in range(3)]
    with pytest.raises((pgwire.ServerError, pgwire.Closed)) as refused:
        pgwire.connect(daemon.port, USER, "orders", PASSWORD)
    assert getattr(refused.value, "sqlstate", "53300") == "53300"
    assert [session.value("SELECT 1") for session in inside] == ["1"] * 3


# --- the backend's leg --------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def every_method():
    """A server that demands from each of its users another method."""
    with Postgres(hba=[f"host all by_{name} 127.0.0.1/32 {method}" for name, method in METHODS.items()]) as server:
        for name in METHODS:
            server.create_user(f"by_{name}", "pass word", encryption="md5" if name == "md5" else "scram-sha-256")
        server.create_database("orders")
        yield server


@pytest.mark.parametrize("method", METHODS)
def test_backends_log_in_by_the_servers_method(leasehold, every_method, method):
    user = f"by_{method}"
    daemon = leasehold(pools={"orders": {"url": every_method.url("orders", user, "pass word")}})
    with pgwire.connect(daemon.port, user, "orders", "pass word") as session:
        assert session.value("SELECT current_user") == user


def test_a_url_without_a_password_admits_nobody_unless_the_listener_trusts(leasehold, every_method):
    daemon = leasehold(pools={"orders": {"url": every_method.url("orders", "by_trust")}})
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(daemon.port, "by_trust", "orders", "")
    assert refused.value.sqlstate == "28P01"
    trusting = leasehold(pools={"orders": {"url": every_method.url("orders", "by_trust")}}, start=False)
    trusting.config["listen"][0]["auth"] = "trust"
    trusting.write_config()
    trusting.start()
    with pgwire.connect(trusting.port, "by_trust", "orders") as session:
        assert session.value("SELECT 1") == "1"
