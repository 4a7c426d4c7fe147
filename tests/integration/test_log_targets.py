# SPDX-License-Identifier: Apache-2.0
"""Where the log goes: files that are rotated, and the journal, which may hang."""
import contextlib
import os
import pathlib
import shutil
import socket
import struct
import time

import psycopg2
import pytest
from conftest import PASSWORD, USER
from leasehold import Leasehold, program, run_program
from processes import temp_dir
from servers import wait_until
from skips import skip_loudly


def test_a_moved_file_is_begun_anew(leasehold, postgres):
    folder = temp_dir("lh-logs-")
    path = os.path.join(folder, "leasehold.log")
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, log={"target": path})
    daemon.connect("orders", USER, PASSWORD).close()
    wait_until(lambda: "event=logout" in pathlib.Path(path).read_text())
    assert os.stat(path).st_mode & 0o137 == 0
    os.rename(path, path + ".1")
    daemon.connect("orders", USER, PASSWORD).close()
    wait_until(lambda: os.path.exists(path) and "event=logout" in pathlib.Path(path).read_text())
    assert pathlib.Path(path + ".1").read_text().count("event=login ") == 1
    daemon.stop()
    assert "event=stopped" in pathlib.Path(path).read_text()
    shutil.rmtree(folder)


def test_logrotate_itself_needs_no_signal(leasehold, postgres):
    logrotate = shutil.which("logrotate") or "/usr/sbin/logrotate"
    if not os.path.exists(logrotate):
        skip_loudly("logrotate", "it is not installed")
    folder = temp_dir("lh-logs-")
    path = os.path.join(folder, "leasehold.log")
    os.chmod(folder, 0o755)
    with open(os.path.join(folder, "conf"), "w") as file:
        file.write(f"{path} {{\n  rotate 3\n  create 0640\n  missingok\n}}\n")
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, log={"target": path})
    for generation in range(3):
        daemon.connect("orders", USER, PASSWORD).close()
        wait_until(lambda: pathlib.Path(path).read_text().count("event=logout") == 1, 10, f"a line of its own {generation}")
        assert os.system(f"{logrotate} -f -s {folder}/state {folder}/conf") == 0
    assert pathlib.Path(path + ".3").read_text().count("event=logout") == 1
    shutil.rmtree(folder)


def test_a_file_that_cannot_be_written_is_said_at_the_start(postgres):
    daemon = Leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}},
                       log={"target": "/nowhere/leasehold.log"}, start=False)
    made = run_program("run", "--config", daemon.config_file, "--allow-root")
    daemon.close()
    assert made.returncode == 78
    assert "cannot write the log to /nowhere/leasehold.log: No such file or directory" in made.stderr


class Journal:
    """A journal of our own: what takes entries at /run/systemd/journal/socket, within the daemon's mount namespace."""

    def __init__(self):
        self.folder = temp_dir("lh-journal-")
        os.chmod(self.folder, 0o755)
        self.path = os.path.join(self.folder, "socket")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.entries = []

    def program(self, stream=False):
        """A program that is leasehold in that namespace; `stream`: with its stderr said to be the journal's."""
        wrapper = os.path.join(self.folder, "leasehold")
        tell = "export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)\n" if stream else ""
        script = (f'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && ln -s {self.path} '
                  f'/run/systemd/journal/socket && exec {program()} "$@"')
        with open(wrapper, "w") as file:
            file.write(f"#!/bin/sh\n{tell}exec unshare -m --propagation private sh -c '{script}' sh \"$@\"\n")
        os.chmod(wrapper, 0o755)
        return wrapper

    def read(self):
        """Takes what is there. See "Native Journal Protocol": NAME=value, or NAME, a length of 8 bytes and the value."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                data, entry = self.socket.recv(1 << 20), {}
                while data:
                    name, _, rest = data.partition(b"\n")
                    if b"=" in name:
                        key, _, value = name.partition(b"=")
                    else:
                        key, size = name, struct.unpack_from("<Q", rest)[0]
                        value, rest = rest[8:8 + size], rest[9 + size:]
                    entry[key.decode()] = value
                    data = rest
                self.entries.append(entry)
        return self.entries

    def find(self, **fields):
        wanted = {key: value.encode() for key, value in fields.items()}
        return [entry for entry in self.read() if wanted.items() <= entry.items()]


@pytest.fixture
def journal(monkeypatch):
    if os.geteuid() != 0 or os.system("unshare -m --propagation private true 2>/dev/null") != 0:
        skip_loudly("the journal", "mount namespaces are not permitted here")
    made = Journal()
    yield made
    made.socket.close()
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.mark.parametrize("target", ["auto", "journal"])
def test_the_journal_gets_each_field(journal, monkeypatch, leasehold, postgres, target):
    monkeypatch.setenv("LEASEHOLD_BIN", journal.program(stream=target == "auto"))
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "echo": True}},
                       log={"target": target})
    connection = daemon.connect("orders", USER, PASSWORD, application_name="evil\nPRIORITY=0", autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'x'")
    connection.close()
    logout = wait_until(lambda: journal.find(LEASEHOLD_EVENT="logout", LEASEHOLD_POOL="orders"))[0]
    assert logout["SYSLOG_IDENTIFIER"] == b"leasehold" and logout["PRIORITY"] == b"6"
    assert logout["LEASEHOLD_REASON"] == b"closed" and logout["LEASEHOLD_USER"] == USER.encode()
    assert logout["MESSAGE"].startswith(b"event=logout session=")
    login = journal.find(LEASEHOLD_EVENT="login", LEASEHOLD_SESSION=logout["LEASEHOLD_SESSION"].decode())[0]
    assert login["PRIORITY"] == b"6" and login["LEASEHOLD_APPLICATION"].startswith(b"evil")
    assert journal.find(LEASEHOLD_EVENT="statement")[0]["LEASEHOLD_STATEMENT"] == b"SELECT ?"
    assert daemon.log_text() == ""
    with contextlib.suppress(psycopg2.OperationalError):
        daemon.connect("orders", USER, "wrong")
    wait_until(lambda: journal.find(LEASEHOLD_EVENT="login_failed"))


def test_a_journal_that_hangs_holds_nobody_up(journal, monkeypatch, leasehold, postgres):
    monkeypatch.setenv("LEASEHOLD_BIN", journal.program())
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "echo": True}},
                       log={"target": "journal"})
    connection = daemon.connect("orders", USER, PASSWORD, autocommit=True)
    with connection.cursor() as cursor:  # nobody reads: the socket is full after a few entries
        begun = time.monotonic()
        for _ in range(10000):
            cursor.execute("SELECT 1")
    assert time.monotonic() - begun < 60
    connection.close()

    def overrun():
        journal.read()
        return journal.find(LEASEHOLD_EVENT="log_overrun")
    told = wait_until(overrun, 20, "a word about what was dropped")[0]
    assert int(told["LEASEHOLD_DROPPED"]) > 0 and told["PRIORITY"] == b"4"
    wait_until(lambda: journal.find(LEASEHOLD_EVENT="logout"))


def test_a_journal_that_is_insisted_on_must_be_there(postgres):
    if os.path.exists("/run/systemd/journal/socket"):
        skip_loudly("the journal's absence", "there is one here")
    daemon = Leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, log={"target": "journal"},
                       start=False)
    made = run_program("run", "--config", daemon.config_file, "--allow-root")
    daemon.close()
    assert made.returncode == 78
    assert "log.target is journal" in made.stderr and "/run/systemd/journal/socket" in made.stderr
