# SPDX-License-Identifier: Apache-2.0
"""What tests of attacks need: a server in an attacker's hands, a bystander that notices, and the daemon's memory.

    fake = FakeServer(lambda peer: peer.send(b"garbage"))      # each connection in a thread of its own
    with Unharmed(daemon, bystander): ...                      # memory and other clients' times while the block runs

The one server here that is not real is the attacker: the programs under attack are the real ones. Run as a program this
file is the bystander: a process of its own, as a thread of the attacker's would wait for the attacker.
"""
import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time

import pgwire
from pgwire import cstr, message

MB = 1 << 20
# Sanitizers keep freed memory, and everything takes longer.
SANITIZED = bool(os.environ.get("LEASEHOLD_SANITIZED"))


def status(name, value):
    return message(b"S", cstr(name) + cstr(value))


def error(sqlstate="XX000", text="no", severity="ERROR", kind=b"E"):
    return message(kind, cstr("S" + severity) + (cstr("C" + sqlstate) if sqlstate else b"") + cstr("M" + text) + b"\0")


READY = message(b"Z", b"I")
KEY = message(b"K", struct.pack("!ii", 4711, 42))
AUTHENTICATED = message(b"R", struct.pack("!i", 0))
WELCOME = AUTHENTICATED + status("server_version", "15.6") + status("client_encoding", "UTF8") + KEY + READY


class Peer:
    """The daemon, as the attacker's server sees it."""

    def __init__(self, connection):
        self.socket, self.inbox, self.parameters = connection, bytearray(), {}

    def read_exactly(self, size):
        while len(self.inbox) < size:
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                raise pgwire.Closed("the daemon left")
            self.inbox += chunk
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        return data

    def startup(self):
        """The startup packet; encryption is declined. A cancel request, and the daemon's own look at the server, end here."""
        while True:
            size, code = struct.unpack("!ii", self.read_exactly(8))
            body = self.read_exactly(size - 8)
            if code in (pgwire.SSL_REQUEST, pgwire.GSSENC_REQUEST):
                self.send(b"N")
                continue
            words = body.split(b"\0")
            self.parameters = dict(zip(words[::2], words[1::2]))
            if code == pgwire.CANCEL_REQUEST or b"control" in self.parameters.get(b"application_name", b""):
                raise pgwire.Closed("not one of the pool's")
            return self

    def login(self):
        self.startup().send(WELCOME)
        return self

    def read(self):
        head = self.read_exactly(5)
        return chr(head[0]), self.read_exactly(struct.unpack("!i", head[1:])[0] - 4)

    def serve(self):
        """Answers queries as an idle server would, until something else comes than a query."""
        while self.read()[0] == "Q":
            self.send(message(b"I") + READY)

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def flood(self, chunk, most=256 * MB, seconds=3):
        """Sends the same again and again."""
        until = time.monotonic() + seconds
        chunk *= max(1, 65536 // len(chunk))
        for _ in range(most // len(chunk)):
            self.send(chunk)
            if time.monotonic() > until:
                return

    def wait(self):
        """Says nothing more until the daemon leaves."""
        with contextlib.suppress(OSError):
            while self.socket.recv(1 << 16):
                pass


class FakeServer:
    """Listens on a port of 127.0.0.1; `behave(peer)` plays each connection, which ends with it."""

    def __init__(self, behave):
        self.behave, self.closing = behave, False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            threading.Thread(target=self.play, args=[connection], daemon=True).start()

    def play(self, connection):
        with connection, contextlib.suppress(OSError, pgwire.Closed, struct.error):
            self.behave(Peer(connection))

    def close(self):
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def url(self, database, user, password):
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}?sslmode=disable"


class Bystander:
    """Another client, asking SELECT 1 all the time in a process of its own. `port`: a PostgreSQL listener's, or with
    `mysql` one of MySQL's."""

    def __init__(self, port, user, database, password, mysql=False):
        command = [sys.executable, os.path.abspath(__file__), str(port), user, database, password, *(["mysql"] if mysql else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def p99(self):
        """In seconds, of what was asked since the last call; and how many there were."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        number, value = self.process.stdout.readline().split()
        return float(value), int(number)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


class Unharmed:
    """While the block runs the daemon's memory grows by less than `limit`, and the bystander's p99 at most doubles."""
    floor = 0.25 if SANITIZED else 0.1  # seconds: on a machine that others use too, less says nothing

    def __init__(self, daemon, bystander, limit=64 * MB, floor=floor):
        self.floor = floor
        self.daemon, self.bystander, self.limit = daemon, bystander, limit * (6 if SANITIZED else 1)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        while not self.done.wait(0.01):
            with contextlib.suppress(OSError, StopIteration):
                self.most = max(self.most, self.daemon.rss())

    def __enter__(self):
        self.usual, _ = self.bystander.p99()
        self.before = self.most = self.daemon.rss()
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        if kind is None:  # long enough to be noticed
            time.sleep(max(0.0, self.began + 0.25 - time.monotonic()))
        self.done.set()
        self.thread.join()
        if kind is not None:
            return
        assert self.daemon.running(), "the daemon died"
        slowest, asked = self.bystander.p99()
        assert self.most - self.before < self.limit, f"memory grew by {(self.most - self.before) / MB:.1f} MB"
        assert asked > 0, "the bystander was not answered at all"
        assert slowest <= max(2 * self.usual, self.floor), (
            f"the bystander's p99 rose from {self.usual * 1000:.1f} ms to {slowest * 1000:.1f} ms")


def stand_by(port, user, database, password, protocol="postgresql"):
    times, lock = [], threading.Lock()

    def connect():
        if protocol == "mysql":
            import mywire
            return mywire.connect(int(port), user, password, database, timeout=30)
        return pgwire.connect(int(port), user, database, password, timeout=30)

    def ask():
        session = connect()
        while True:
            began = time.monotonic()
            assert session.value("SELECT 1") == "1"
            with lock:
                times.append(time.monotonic() - began)
            time.sleep(0.001)

    def ask_or_end():
        try:
            ask()
        finally:
            os._exit(1)

    threading.Thread(target=ask_or_end, daemon=True).start()
    for _ in sys.stdin:
        with lock:
            seen, times[:] = sorted(times), []
        print(len(seen), seen[int(len(seen) * 0.99)] if seen else 0.0, flush=True)


if __name__ == "__main__":
    stand_by(*sys.argv[1:])
