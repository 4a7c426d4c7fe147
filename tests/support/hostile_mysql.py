# SPDX-License-Identifier: Apache-2.0
"""A MySQL server in an attacker's hands: it greets and lets in as MariaDB does, and then does as it is told.

    with FakeMySQL(answers(packet(b"garbage", 1))) as fake: ...
    with FakeMySQL(behave, certificate=(cert, key), compresses=True) as fake: ...   # behind login() in TLS, in frames of zlib
"""
import contextlib
import socket
import ssl
import struct
import threading

import mycompress
import mywire

VERSION = b"5.5.5-10.11.6-MariaDB"
CAPABILITIES = 0x81FFF7FE & ~mywire.SSL & ~mywire.COMPRESS


def packet(payload, number):
    return len(payload).to_bytes(3, "little") + bytes([number & 255]) + payload


def ok(status=2, head=0):
    return bytes([head, 0, 0]) + struct.pack("<HH", status, 0)


def eof(status=2):
    return b"\xfe" + struct.pack("<HH", 0, status)


def err(code, state="HY000", text="no"):
    return b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + text.encode()


COLUMN = b"\x03def\0\0\0\x01c\0\x0c\x21\0\x04\0\0\0\xfd\0\0\0\0\0"


def rows(value=b"1", deprecate=True):
    """A whole reply of one row."""
    parts = [b"\1", COLUMN, bytes([len(value)]) + value, ok(head=0xFE)] if deprecate else \
        [b"\1", COLUMN, eof(), bytes([len(value)]) + value, eof()]
    return b"".join(packet(part, number + 1) for number, part in enumerate(parts))


def greeting(version=VERSION, capabilities=CAPABILITIES, salt=b"s" * 20, plugin=b"mysql_native_password"):
    return (b"\x0a" + version + b"\0" + struct.pack("<I", 42) + salt[:8] + b"\0" + struct.pack("<H", capabilities & 0xFFFF) +
            b"\x2d\2\0" + struct.pack("<H", capabilities >> 16) + b"\x15" + bytes(10) + salt[8:] + b"\0" + plugin + b"\0")


class ServersFrames(mycompress.Frames):
    """Numbers that go on from the client's."""

    def starts(self, data):
        pass

    def follows(self, number):
        pass


class Peer:
    """The daemon, as this server sees it."""

    def __init__(self, connection, certificate=None, compresses=False):
        self.socket, self.inbox = connection, bytearray()
        self.certificate, self.compresses = certificate, compresses

    def read(self):
        """(sequence, payload)"""
        head = self._exactly(4)
        return head[3], self._exactly(int.from_bytes(head[:3], "little"))

    def _exactly(self, size):
        while len(self.inbox) < size:
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                raise mywire.Closed("the daemon left")
            self.inbox += chunk
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        return data

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def login(self):
        offered = (mywire.SSL if self.certificate else 0) | (mywire.COMPRESS if self.compresses else 0)
        self.send(packet(greeting(capabilities=CAPABILITIES | offered), 0))
        if self.certificate:
            request = self.socket.recv(36, socket.MSG_WAITALL)  # and no more: the handshake may stand behind it
            assert len(request) == 36 and request[0] == 32, "no request for TLS"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        number, response = self.read()
        flags = struct.unpack_from("<I", response)[0]
        self.deprecate_eof = bool(flags & mywire.DEPRECATE_EOF)
        self.send(packet(ok(), number + 1))
        if self.compresses:
            assert flags & mywire.COMPRESS, "no compression asked for"
            self.socket = ServersFrames(self.socket, "zlib")
        return self

    def answer(self, command):
        """As an idle server would."""
        if command[:1] == b"\x1b":
            self.send(packet(ok(head=0xFE) if self.deprecate_eof else eof(), 1))
        elif command[:1] == b"\3" and command[1:7].upper() == b"SELECT":
            self.send(rows(b"", self.deprecate_eof) if b"sql_mode" in command else rows(b"1", self.deprecate_eof))
        elif command[:1] not in (b"\x19", b"\x18"):
            self.send(packet(ok(), 1))

    def serve(self, until=None):
        """Up to the command that contains `until`, which is returned unanswered."""
        while True:
            _, command = self.read()
            if command[:1] == b"\1":
                raise mywire.Closed("goodbye")
            if until is not None and until in command:
                return command
            self.answer(command)

    def wait(self):
        with contextlib.suppress(OSError):
            while self.socket.recv(1 << 16):
                pass

    def flood(self, chunk, most=256 << 20):
        chunk *= max(1, 65536 // len(chunk))
        for _ in range(most // len(chunk)):
            self.send(chunk)


class FakeMySQL:
    """Listens on a port of 127.0.0.1; `behave(peer)` plays each connection, which ends with it."""

    def __init__(self, behave, **layers):
        self.behave, self.layers, self.connections = behave, layers, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            threading.Thread(target=self._play, args=[connection], daemon=True).start()

    def _play(self, connection):
        with connection, contextlib.suppress(OSError, mywire.Closed, struct.error, IndexError, AssertionError):
            self.behave(Peer(connection, **self.layers))

    def url(self, database, user, password):
        words = ["ssl_mode=REQUIRED"] * bool(self.layers.get("certificate")) + ["compress=zlib"] * bool(self.layers.get("compresses"))
        return f"mysql://{user}:{password}@127.0.0.1:{self.port}/{database}" + ("?" + "&".join(words) if words else "")
