# SPDX-License-Identifier: Apache-2.0
"""The commands that look at a running daemon and steer it: what they print, how they find it, how they exit. Errors that
a daemon does not make on demand come from a small server of this file's own."""
import contextlib
import fcntl
import json
import os
import pty
import pwd
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest
from conftest import PASSWORD, USER
from control import http, refusal, server, table
from leasehold import program, run_program
from servers import temp_dir, wait_until

REFUSED, USAGE, UNAVAILABLE, OUTPUT, PERMISSION, CONFIGURATION = 1, 64, 69, 74, 77, 78
ESCAPE = "\x1b[31mred\u202e\x07"
NAMES = table({"name": "text", "id": "integer", "error": "text"}, [["orders", 5, None], [ESCAPE, 12345, "žluť 漢"]])


@pytest.fixture
def daemon(leasehold, postgres):
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}})


# --- tables -----------------------------------------------------------------------------------------------------------

def test_a_table_of_the_daemon_is_shown(daemon):
    with daemon.connect("orders", USER, PASSWORD, application_name="checkout page") as session:
        session.cursor().execute("SELECT 1")
        done = run_program("show", "clients", "--socket", daemon.control_socket)
        assert (done.returncode, done.stderr) == (0, "")
        header, row = done.stdout.splitlines()
        assert header.index("application_name") == row.index("checkout page")
        for word in (USER, "orders", "active"):
            assert word in row
        rows = json.loads(run_program("show", "clients", "--json", "--socket", daemon.control_socket).stdout)
        assert [r["application_name"] for r in rows] == ["checkout page"]
        assert isinstance(rows[0]["id"], int) and rows[0]["pin"] is None


def test_tables_tells_what_can_be_shown(daemon):
    done = run_program("tables", "--socket", daemon.control_socket)
    assert done.returncode == 0
    for name in ("pools", "clients", "servers"):
        assert any(line.startswith(name + " ") for line in done.stdout.splitlines()), done.stdout
    assert {"POOLS", "CLIENTS"} <= {row["name"] for row in json.loads(run_program("tables", "--json", "--socket", daemon.control_socket).stdout)}


def test_what_is_no_table_is_refused_with_those_that_are(daemon):
    done = run_program("show", "poolz", "--socket", daemon.control_socket)
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert "poolz" in done.stderr and "POOLS" in done.stderr


def test_status_says_that_it_is_up_and_who_waits(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 1, "max_overflow": 0}})
    path = daemon.control_socket
    done = run_program("status", "--socket", path)
    assert done.returncode == 0 and "ready" in done.stdout and "Nobody waits" in done.stdout, done.stdout
    with daemon.connect("orders", USER, PASSWORD) as holder:
        holder.cursor().execute("SELECT 1")
        with daemon.connect("orders", USER, PASSWORD, autocommit=True, application_name="the waiter") as waiter:
            thread = threading.Thread(target=lambda: waiter.cursor().execute("SELECT 1"))
            thread.start()
            try:
                def waits():
                    return "the waiter" in run_program("status", "--socket", path).stdout
                wait_until(waits, 20, "the waiter in the status")
                found = json.loads(run_program("status", "--json", "--socket", path).stdout)
                assert found["readiness"] == "ready" and len(found["waiting"]) == 1
                assert "orders" in {pool["database"] for pool in found["pools"]}
            finally:
                holder.rollback()
                thread.join()


def test_names_from_clients_reach_neither_terminal_nor_json_raw():
    with server(lambda _: NAMES) as (path, _):
        for arguments in ([], ["--json"]):
            done = run_program("show", "x", "--socket", path, *arguments)
            assert done.returncode == 0
            assert not [c for c in done.stdout if (ord(c) < 32 and c != "\n") or c == "\u202e"], done.stdout
            assert "red" in done.stdout
        assert json.loads(done.stdout)[1]["name"] == ESCAPE
    with server(lambda _: refusal("400 Bad Request", message="no " + ESCAPE, hint=ESCAPE)) as (path, _):
        assert "\x1b" not in run_program("show", "x", "--socket", path).stderr


def on_a_terminal(arguments, columns, rows, until, environment=None):
    """What the program writes to a terminal of that size, until it ends or `until` of what it wrote is true; its code."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen([program(), *arguments], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                               env={**os.environ, **(environment or {})})
    os.close(terminal)
    text, deadline = b"", time.monotonic() + 30
    with contextlib.suppress(OSError):  # the terminal's end
        while time.monotonic() < deadline and not until(text.decode(errors="replace")):
            if select.select([controller], [], [], 0.2)[0]:
                text += os.read(controller, 65536)
    process.send_signal(signal.SIGINT)
    code = process.wait(10)
    os.close(controller)
    return text.decode(errors="replace").replace("\r\n", "\n"), code


def test_on_a_terminal_a_table_is_not_wider_than_it():
    wide = table({"name": "text", "error": "text"}, [["orders", "x" * 200]])
    with server(lambda _: wide) as (path, _):
        text, code = on_a_terminal(["show", "x", "--socket", path], 60, 20, lambda _: False)
        assert code == 0 and max(map(len, text.splitlines())) <= 60
        assert "x" * 200 in run_program("show", "x", "--socket", path).stdout


def test_watch_clears_a_terminal_and_ends_by_ctrl_c():
    with server(lambda _: table({"n": "integer"}, [[i] for i in range(100)])) as (path, seen):
        text, code = on_a_terminal(["show", "x", "--watch", "100ms", "--socket", path], 60, 20,
                                   lambda text: text.count("\x1b[2J") >= 3)
        assert code == 0 and "more lines" in text and "Ctrl-C" in text
        assert max(len(page.splitlines()) for page in text.split("\x1b[2J")) <= 20
        assert len(seen) >= 3


def test_watch_into_a_pipe_is_a_line_of_json_each_time():
    with server(lambda _: NAMES) as (path, _):
        process = subprocess.Popen([program(), "show", "x", "--json", "--watch", "100ms", "--socket", path],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=10)
        assert (process.returncode, complaint) == (0, "")
        assert all(json.loads(line)[0]["name"] == "orders" for line in lines)
        assert "\x1b" not in "".join(lines)


def test_watch_goes_on_when_the_daemon_is_started_again(daemon):
    process = subprocess.Popen([program(), "show", "version", "--json", "--watch", "100ms", "--socket", daemon.control_socket],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline()
        daemon.stop()
        assert "no daemon" in process.stderr.readline()
        daemon.start()
        for line in process.stdout:
            if select.select([process.stderr], [], [], 0.5)[0]:
                process.stderr.readline()
                continue
            assert "leasehold" in line
            break
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def test_a_reader_that_has_gone_is_no_error():
    long = table({"n": "text"}, [["x" * 100]] * 5000)
    with server(lambda _: long) as (path, _):
        for ignore in (signal.SIG_IGN, signal.SIG_DFL):
            process = subprocess.Popen([program(), "show", "x", "--socket", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, preexec_fn=lambda how=ignore: signal.signal(signal.SIGPIPE, how),
                                       restore_signals=False)
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
            process.stderr.close()
            assert process.wait(10) in (0, -signal.SIGPIPE)
        with open("/dev/full", "w") as full:
            done = subprocess.run([program(), "show", "x", "--socket", path], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == OUTPUT and "No space" in done.stderr


# --- commands ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, sent", [
    (["pause"], "PAUSE"), (["pause", "orders"], 'PAUSE "orders"'), (["pause", "orders", "--timeout", "30s"], 'PAUSE "orders" TIMEOUT 30s'),
    (["pause", "--timeout", "1.5s"], "PAUSE TIMEOUT 1500ms"), (["resume", "orders"], 'RESUME "orders"'), (["resume"], "RESUME"),
    (["reconnect", 'we"ird; SHUTDOWN'], 'RECONNECT "we""ird; SHUTDOWN"'), (["wait-close", "orders"], 'WAIT_CLOSE "orders"'),
    (["kill", "orders"], 'KILL "orders"'), (["kill", "--all"], "KILL"), (["kill-client", "17"], "KILL_CLIENT 17"),
    (["disable", "orders"], 'DISABLE "orders"'), (["enable", "orders"], 'ENABLE "orders"'), (["reload"], "RELOAD"),
    (["shutdown"], "SHUTDOWN"), (["shutdown", "--now"], "SHUTDOWN NOW"),
    (["shutdown", "--wait-for-clients"], "SHUTDOWN WAIT_FOR_CLIENTS"), (["shutdown", "--wait-for-servers"], "SHUTDOWN WAIT_FOR_SERVERS")])
def test_a_command_is_sent_in_the_consoles_words(arguments, sent):
    with server(lambda text: http({"columns": [], "rows": [], "tag": text.split()[0], "notices": ["so it is"]})) as (path, seen):
        done = run_program(*arguments, "--socket", path)
        assert (done.returncode, done.stdout) == (0, sent.split()[0] + "\n"), done.stderr
        assert seen == ["POST /console HTTP/1.1 " + sent]
        assert done.stderr == "leasehold: so it is\n"


@pytest.mark.parametrize("arguments", [
    ["kill"], ["kill", "orders", "--all"], ["kill-client"], ["kill-client", "all"], ["disable"], ["pause", "orders", "other"],
    ["pause", "--timeout", "soon"], ["show"], ["show", "pools", "--watch", "x"], ["shutdown", "--now", "--wait-for-clients"],
    ["show", "pools", "--socket", "/x", "--config", "/y"], ["completion"], ["completion", "tcsh"], ["help", "dance"]])
def test_a_wrong_use_is_said_before_anything_is_asked(arguments):
    done = run_program(*arguments)
    assert (done.returncode, done.stdout) == (USAGE, ""), done.stdout
    assert done.stderr


def test_a_refusal_has_its_sqlstate_hint_and_detail():
    refused = refusal("400 Bad Request", sqlstate="3D000", message="there is no pool ordes", hint="did you mean orders?", detail="3 pools")
    with server(lambda _: refused) as (path, _):
        done = run_program("pause", "ordes", "--socket", path)
        assert (done.returncode, done.stdout) == (REFUSED, "")
        assert done.stderr == ("leasehold: there is no pool ordes (3D000)\n  detail: 3 pools\n  hint: did you mean orders?\n")


def test_who_may_not_is_told_who_may():
    with server(lambda _: refusal("403 Forbidden", sqlstate="42501", message="PAUSE needs more")) as (path, _):
        done = run_program("pause", "--socket", path)
        assert done.returncode == PERMISSION and "sudo" in done.stderr and "42501" in done.stderr


def test_help_of_a_command():
    done = run_program("help", "pause")
    assert done.returncode == 0 and "--timeout" in done.stdout
    assert "Exit codes" in run_program("help").stdout


# --- where the daemon is ----------------------------------------------------------------------------------------------

def without_socket(**more):
    return {**{k: v for k, v in os.environ.items() if k not in ("LEASEHOLD_SOCKET", "RUNTIME_DIRECTORY")}, **more}


def config_file(text):
    path = os.path.join(temp_dir("lh-ctl-"), "leasehold.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path


def test_the_socket_is_found_by_option_environment_file_and_default():
    with server(lambda _: NAMES) as (path, _):
        file = config_file(f"listen: broken, but this is there\npools: {{a: {{url: !credential nobody-has-it}}}}\nadmin:\n  socket: {path}\n")
        for arguments, environment in ((["--socket", path], {}), ([], {"LEASEHOLD_SOCKET": path}), (["--config", file], {}),
                                       (["--config", file], {"LEASEHOLD_SOCKET": "/nonexistent"}),
                                       ([], {"RUNTIME_DIRECTORY": os.path.dirname(path)})):
            done = run_program("show", "x", *arguments, env=without_socket(**environment))
            assert done.returncode == 0, (arguments, environment, done.stderr)


@pytest.mark.parametrize("given, environment, source", [
    (["--socket", "/nonexistent/c.sock"], {}, "--socket"), ([], {"LEASEHOLD_SOCKET": "/nonexistent/c.sock"}, "LEASEHOLD_SOCKET"),
    (["--config", "FILE"], {}, "admin.socket of"), ([], {"RUNTIME_DIRECTORY": "/nonexistent"}, "default")])
def test_no_daemon_is_said_with_the_socket_and_where_its_name_comes_from(given, environment, source):
    file = config_file("admin: {socket: /nonexistent/c.sock}\n")
    done = run_program("status", *[file if word == "FILE" else word for word in given], env=without_socket(**environment))
    assert (done.returncode, done.stdout) == (UNAVAILABLE, "")
    assert "/nonexistent/c" in done.stderr and source in done.stderr and "is it running" in done.stderr


def test_a_file_that_says_off_or_cannot_be_used_is_named():
    file = config_file("admin: {socket: off}\n")
    done = run_program("status", "--config", file)
    assert done.returncode == CONFIGURATION and "off" in done.stderr and file in done.stderr
    done = run_program("status", "--config", "/nonexistent.yaml")
    assert done.returncode == CONFIGURATION and "/nonexistent.yaml" in done.stderr
    done = run_program("status", "--config", config_file("a: [b"))
    assert done.returncode == CONFIGURATION and "YAML" in done.stderr


def test_a_socket_that_nobody_serves_any_more():
    path = os.path.join(temp_dir("lh-ctl-"), "left.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    done = run_program("status", "--socket", path)
    assert done.returncode == UNAVAILABLE and "has ended" in done.stderr
    done = run_program("status", "--socket", "/" + "x" * 200)
    assert done.returncode == UNAVAILABLE and "too long" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_socket_that_may_not_be_used_names_its_group():
    with server(lambda _: NAMES) as (path, _):
        os.chmod(os.path.dirname(path), 0o755)
        nobody = pwd.getpwnam("nobody")
        done = subprocess.run([program(), "status", "--socket", path], capture_output=True, text=True, check=False,
                              user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
        assert done.returncode == PERMISSION, done.stderr
        assert "group root" in done.stderr and "usermod -aG root nobody" in done.stderr


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"SSH-2.0-OpenSSH\r\n",
                                   b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"])
def test_what_answers_wrongly_is_an_error_and_nothing_worse(reply):
    with server(lambda _: reply) as (path, _):
        done = run_program("show", "x", "--socket", path)
        assert (done.returncode, done.stdout) == (UNAVAILABLE, "")
        assert path in done.stderr


def test_a_daemon_that_does_not_answer_is_given_up():
    with server(lambda _: None) as (path, _):
        began = time.monotonic()
        done = run_program("show", "x", "--socket", path, timeout=30)
        assert done.returncode == UNAVAILABLE and "10s" in done.stderr
        assert time.monotonic() - began < 20


def test_a_pool_is_paused_resumed_and_its_session_ended_on_a_running_daemon(daemon):
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD, autocommit=True)) as session:
        session.cursor().execute("SELECT 1")
        for arguments in (["pause", "orders", "--timeout", "5s"], ["resume", "orders"], ["disable", "orders"], ["enable", "orders"],
                          ["reconnect"], ["reload"]):
            done = run_program(*arguments, "--socket", daemon.control_socket)
            assert done.returncode == 0 and done.stdout, (arguments, done.stderr)
        done = run_program("pause", "ordes", "--socket", daemon.control_socket)
        assert done.returncode == REFUSED and "ordes" in done.stderr
        done = run_program("resume", "orders", "--socket", daemon.control_socket)
        assert done.returncode == 0 and "nothing was paused" in done.stderr, done.stderr
        clients = json.loads(run_program("show", "clients", "--json", "--socket", daemon.control_socket).stdout)
        assert run_program("kill-client", clients[0]["id"], "--socket", daemon.control_socket).returncode == 0
    assert run_program("shutdown", "--socket", daemon.control_socket).returncode == 0
    wait_until(lambda: not daemon.running(), 30, "the daemon's end")
