# SPDX-License-Identifier: Apache-2.0
"""The HTTP side of the daemon: health, the status page and the console over the control socket; peers that mean no good,
addresses that are taken, and the end of the daemon."""
import contextlib
import json
import os
import re
import socket
import stat
import subprocess
import threading
import time

import pytest
from conftest import PASSWORD, USER, login
from prometheus import connection, get, scrape
from servers import ServerFailed, wait_until


@pytest.fixture
def daemon(leasehold, postgres):
    pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 0}
    return started(leasehold(pools={"orders": pool}, http=True))


def started(daemon):
    """The control socket is the last that listens."""
    wait_until(lambda: "event=started" in daemon.log_text(), 20)
    return daemon


def refuses_to_start(leasehold, **options):
    """It ends with 69; the first of its listeners may have accepted by then."""
    try:
        code = leasehold(**options).process.wait(20)
    except ServerFailed as failure:
        assert "ended with 69" in str(failure)
    else:
        assert code == 69


def console(daemon, command):
    """(status, what was answered) of POST /console."""
    status, headers, body = get(daemon.control_socket, "/console", "POST", command)
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)


def table(daemon, name):
    status, answer = console(daemon, f"SHOW {name}")
    assert status == 200, answer
    return [dict(zip([column["name"] for column in answer["columns"]], row)) for row in answer["rows"]]


# --- what is there ----------------------------------------------------------------------------------------------------

def test_health_and_readiness_have_statuses_for_programs_and_a_word_for_people(daemon):
    for where in (daemon.http_port, daemon.control_socket):
        assert get(where, "/healthz")[::2] == (200, "ok\n")
        assert get(where, "/readyz")[::2] == (200, "ready\n")
        assert get(where, "/readyz", "HEAD")[::2] == (200, "")


def test_the_status_page_says_who_holds_what_and_runs_nothing_of_a_clients(daemon):
    with login(daemon, application_name="<script>alert(1)</script>") as session:
        session.ok("BEGIN")
        status, headers, page = get(daemon.http_port, "/")
        assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "orders" in page and "leasehold 0." in page
        assert "<script" not in page and PASSWORD not in page and "kx%25jj5" not in page
        shown = json.loads(get(daemon.http_port, "/status.json")[2])
        assert [row["checkedout"] for row in shown["pools"] if (row["database"], row["user"]) == ("orders", USER)] == [1]
        assert shown["clients"] == 1 and shown["workers"] >= 1 and not shown["draining"]


def test_one_connection_serves_many_requests(daemon):
    kept = connection(daemon.http_port)
    with contextlib.closing(kept):
        for path, status in (("/readyz", 200), ("/nothing", 404), ("/metrics", 200), ("/", 200), ("/healthz", 200)) * 3:
            kept.request("GET", path)
            response = kept.getresponse()
            assert (response.status, len(response.read()) > 0) == (status, True), path


# --- the console over the control socket ------------------------------------------------------------------------------

def test_the_control_socket_answers_commands_as_json(daemon):
    status, answer = console(daemon, "SHOW POOLS")
    assert (status, answer["tag"]) == (200, "SHOW")
    assert {"name": "database", "type": "text"} in answer["columns"]
    row = next(row for row in table(daemon, "POOLS") if (row["database"], row["user"]) == ("orders", USER))
    assert row["size"] == 2 and row["last_error"] is None
    assert {name: str(value) for name, value in row.items() if value is not None} == \
        {name: str(value) for name, value in next(
            row for row in daemon.console("SHOW POOLS")
            if (row["database"], row["user"]) == ("orders", USER)).items() if value is not None}


def test_wrong_commands_are_errors_with_a_reason(daemon):
    for command in ("FROB", "SHOW NOTHING", "SHOW POOLS; SHOW POOLS", "'", "\x00\xff"):
        status, answer = console(daemon, command.encode("latin-1"))
        assert status == 400 and answer["error"]["sqlstate"] == "42601" and answer["error"]["message"], command
    assert console(daemon, "")[0] == 200
    status, headers, _ = get(daemon.control_socket, "/console")
    assert status == 405 and headers["Allow"] == "POST"


def test_the_console_is_not_to_be_had_over_tcp(daemon):
    assert get(daemon.http_port, "/console", "POST", "SHOW POOLS")[0] == 404


def test_the_socket_is_for_its_owner_and_group_and_goes_with_the_daemon(daemon):
    mode = os.stat(daemon.control_socket)
    assert stat.S_ISSOCK(mode.st_mode) and stat.S_IMODE(mode.st_mode) == 0o660
    assert daemon.stop() == 0
    assert not os.path.exists(daemon.control_socket)


def test_others_whom_the_group_lets_in_read_and_do_no_more(daemon):
    """Runs curl's part as nobody, who is let in by the mode of a folder and a socket that this test widens."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    os.chmod(daemon.folder, 0o755)
    os.chmod(daemon.control_socket, 0o666)

    def as_nobody(command):
        program = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); b=sys.argv[2].encode();"
                   "s.sendall(b'POST /console HTTP/1.1\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%b' % (len(b), b));"
                   "print(s.makefile().read())")
        return subprocess.run(["/usr/bin/python3", "-c", program, daemon.control_socket, command], user="nobody",
                              capture_output=True, text=True, timeout=20, check=True).stdout

    assert "HTTP/1.1 200" in as_nobody("SHOW POOLS")
    for command in ("RELOAD", "PAUSE orders", "SHUTDOWN"):
        known = console(daemon, "SHOW HELP")[1]
        if any(row[0].split()[0] == command.split()[0] for row in known["rows"]):
            assert "HTTP/1.1 403" in as_nobody(command), command
    assert daemon.running()


def test_a_client_that_goes_away_during_a_command_leaves_nothing_behind(daemon):
    if not any(row[0].startswith("PAUSE") for row in console(daemon, "SHOW HELP")[1]["rows"]):
        pytest.skip("there is no PAUSE yet")
    session = login(daemon)
    session.ok("BEGIN")
    files = daemon.descriptors()
    for _ in range(3):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(daemon.control_socket)
        peer.sendall(b"POST /console HTTP/1.1\r\nContent-Length: 12\r\n\r\nPAUSE orders")
        time.sleep(0.05)
        peer.close()
    wait_until(lambda: daemon.descriptors() <= files, 10)
    session.ok("COMMIT")
    session.drop()
    wait_until(lambda: console(daemon, "RESUME orders")[0] in (200, 400), 10)
    wait_until(lambda: scrape(daemon.http_port).total("leasehold_pool_paused") == 0, 10)
    with login(daemon) as session:
        assert session.value("SELECT 1") == "1"


# --- peers that mean no good ------------------------------------------------------------------------------------------

def peer(daemon, data=b"", timeout=20):
    opened = socket.create_connection(("127.0.0.1", daemon.http_port), timeout)
    with contextlib.suppress(OSError):
        opened.sendall(data)
    return opened


def answer(opened):
    data = b""
    with contextlib.closing(opened), contextlib.suppress(ConnectionError):
        while part := opened.recv(65536):
            data += part
    return data


def test_what_is_no_request_is_refused_and_harms_nobody(daemon):
    junk = (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500) + b"\r\n\r\n", os.urandom(4096) + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET\r\n\r\n", b"\r\n" * 50 + b"x\r\n\r\n",
            b"POST /console HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"BREW /coffee HTCPCP/1.0\r\n\r\n")
    for data in junk:
        reply = answer(peer(daemon, data + b"GET"))
        assert reply[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b""), (data[:40], reply[:80])
    assert answer(peer(daemon, b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20)))[:12] == b"HTTP/1.1 431"
    assert answer(peer(daemon, b"BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))[:12] == b"HTTP/1.1 405"
    assert get(daemon.http_port, "/readyz")[0] == 200


def test_pipelined_requests_are_answered_in_their_order(daemon):
    paths = ("/readyz", "/nothing", "/healthz", "/metrics", "/readyz") * 3
    requests = b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths)
    opened = peer(daemon, requests + b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", answer(opened))
    assert statuses == [b"404" if path == "/nothing" else b"200" for path in paths] + [b"200"]


def test_two_hundred_that_say_nothing_keep_nobody_out(daemon):
    files = daemon.descriptors()
    silent = [peer(daemon) for _ in range(150)] + [peer(daemon, b"GET /metrics HT") for _ in range(50)]
    try:
        assert get(daemon.http_port, "/metrics", timeout=20)[0] == 200
        assert daemon.descriptors() < files + 60
        assert get(daemon.control_socket, "/readyz")[0] == 200
        with login(daemon) as session:
            assert session.value("SELECT 1") == "1"
    finally:
        for opened in silent:
            opened.close()


def test_slow_readers_are_kept_apart_from_the_others(leasehold, postgres):
    url = postgres.url("orders", USER, PASSWORD)
    daemon = leasehold(pools={f"p{i}": {"url": url} for i in range(30)}, http=True)
    memory = daemon.rss()
    slow = []
    for _ in range(20):
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect(("127.0.0.1", daemon.http_port))
        opened.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        slow.append(opened)
    started = time.monotonic()
    for _ in range(5):
        assert get(daemon.http_port, "/metrics")[0] == 200
    assert time.monotonic() - started < 5
    assert daemon.rss() - memory < (150 << 20)
    for opened in slow:
        opened.close()


# --- addresses --------------------------------------------------------------------------------------------------------

def test_an_address_that_the_file_names_must_be_had(leasehold):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        refuses_to_start(leasehold, pools={"a": {"url": "postgresql://u:p@127.0.0.1:1/a"}},
                         admin={"http": f"127.0.0.1:{other.getsockname()[1]}"})


def test_the_default_address_taken_by_somebody_is_a_warning(leasehold):
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # then somebody has it already
            other.bind(("127.0.0.1", 9187))
            other.listen()
        daemon = leasehold(text="listen: [{dialect: postgresql, address: \"127.0.0.1:{port}\"}]\n"
                                "pools: {a: {url: \"postgresql://u:p@127.0.0.1:1/a\"}}\nadmin: {socket: off}\n")
        wait_until(lambda: "warn event=listen_failed" in daemon.log_text(), 5)
        wait_until(lambda: "127.0.0.1:9187" in daemon.log_text() and "there are no metrics" in daemon.log_text(), 10)


def test_a_living_control_socket_is_not_taken_over_and_a_stale_one_is(leasehold, daemon):
    admin = {"socket": daemon.control_socket}
    pools = {"a": {"url": "postgresql://u:p@127.0.0.1:1/a"}}
    refuses_to_start(leasehold, pools=pools, admin=admin)
    assert get(daemon.control_socket, "/readyz")[0] == 200
    path = os.path.join(daemon.folder, "stale.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    started(leasehold(pools=pools, admin={"socket": path}))
    assert get(path, "/readyz")[0] == 200


def test_auto_is_the_services_runtime_directory(leasehold, daemon):
    folder = os.path.join(daemon.folder, "run")
    os.mkdir(folder)
    other = leasehold(pools={"a": {"url": "postgresql://u:p@127.0.0.1:1/a"}}, admin={"socket": "auto"},
                      environment={"RUNTIME_DIRECTORY": folder})
    wait_until(lambda: "event=started" in other.log_text(), 10)
    assert get(f"{folder}/control.sock", "/readyz")[0] == 200
    assert other.stop() == 0


def test_off_is_off(leasehold):
    daemon = leasehold(pools={"a": {"url": "postgresql://u:p@127.0.0.1:1/a"}}, admin={"http": "off", "socket": "off"})
    assert "serves=" not in daemon.log_text() and not os.path.exists(daemon.control_socket)


# --- the end ----------------------------------------------------------------------------------------------------------

def test_during_a_drain_it_serves_on_and_is_not_ready(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, http=True, drain_timeout="20s")
    session = login(daemon)
    session.ok("BEGIN")
    kept = connection(daemon.http_port)
    kept.request("GET", "/readyz")
    assert kept.getresponse().read() == b"ready\n"
    stopping = threading.Thread(target=daemon.stop)
    process = daemon.process
    stopping.start()
    try:
        wait_until(lambda: get(daemon.http_port, "/readyz")[::2] == (503, "draining\n"), 10)
        assert get(daemon.http_port, "/healthz")[0] == 200
        metrics = scrape(daemon.http_port)
        assert metrics.value("leasehold_draining") == 1
        assert metrics.value("leasehold_pool_checked_out", pool="orders", user=USER) == 1
        assert get(daemon.control_socket, "/console", "POST", "SHOW POOLS")[0] == 200
        session.ok("COMMIT")
    finally:
        session.drop()
        stopping.join()
    assert process.returncode == 0
    kept.close()


def test_connections_do_not_keep_the_daemon_from_ending(daemon):
    opened = [peer(daemon), peer(daemon, b"GET / HT"), peer(daemon, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")]
    started = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - started < 10
    for one in opened:
        one.close()
