# SPDX-License-Identifier: Apache-2.0
"""A raw client of PostgreSQL's protocol 3.0 for tests: whole messages, half messages, pipelines, resets.

It never retries, never reconnects and never hides a message: a test says byte by byte what it sends and sees
message by message what came back. See "Frontend/Backend Protocol" in the manual.
"""
import base64
import hashlib
import hmac
import os
import socket
import struct

PROTOCOL_3 = 196608
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102


class Closed(Exception):
    """The peer ended the connection where a message was expected."""


class ServerError(Exception):
    """An ErrorResponse where the test asked for success; `fields` by their one-letter codes."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('S')} {fields.get('C')}: {fields.get('M')}")
        self.fields = fields
        self.sqlstate = fields.get("C")
        self.severity = fields.get("S")
        self.message = fields.get("M")


# --- messages to the server -----------------------------------------------------------------------------------

def cstr(text):
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def startup_packet(code=PROTOCOL_3, body=b""):
    return struct.pack("!ii", len(body) + 8, code) + body


def query(sql):
    return message(b"Q", cstr(sql))


def parse(name, sql, types=()):
    return message(b"P", cstr(name) + cstr(sql) + struct.pack(f"!h{len(types)}I", len(types), *types))


def bind(statement="", portal="", values=(), formats=(), results=()):
    body = cstr(portal) + cstr(statement) + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!h", len(values))
    for value in values:
        raw = value if value is None or isinstance(value, bytes) else str(value).encode()
        body += struct.pack("!i", -1) if raw is None else struct.pack("!i", len(raw)) + raw
    return message(b"B", body + struct.pack(f"!h{len(results)}h", len(results), *results))


def describe(kind, name=""):
    return message(b"D", kind.encode() + cstr(name))


def execute(portal="", limit=0):
    return message(b"E", cstr(portal) + struct.pack("!i", limit))


def close(kind, name=""):
    return message(b"C", kind.encode() + cstr(name))


SYNC = message(b"S")
FLUSH = message(b"H")
TERMINATE = message(b"X")
COPY_DONE = message(b"c")


def copy_data(data):
    return message(b"d", data)


def copy_fail(reason):
    return message(b"f", cstr(reason))


def run(sql, values=(), statement=""):
    """Parse, Bind, Describe, Execute of one statement, without Sync."""
    return parse(statement, sql) + bind(statement, values=values) + describe("P") + execute()


# --- messages from the server ---------------------------------------------------------------------------------

def fields_of(body):
    fields = {}
    for part in body.split(b"\0"):
        if part:
            fields[chr(part[0])] = part[1:].decode(errors="replace")
    return fields


def row_of(body):
    count, at, row = struct.unpack_from("!h", body)[0], 2, []
    for _ in range(count):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        row.append(None if size < 0 else body[at:at + size].decode(errors="replace"))
        at += max(size, 0)
    return tuple(row)


class Reply:
    """Everything up to and including one ReadyForQuery (or the end of the connection: status None)."""

    def __init__(self):
        self.kinds = ""      # one letter a message, in order
        self.rows, self.tags, self.errors, self.notices = [], [], [], []
        self.parameters, self.notifications = {}, []
        self.status = None   # I, T or E

    def add(self, kind, body):
        self.kinds += kind
        if kind == "D":
            self.rows.append(row_of(body))
        elif kind == "C":
            self.tags.append(body[:-1].decode())
        elif kind == "E":
            self.errors.append(ServerError(fields_of(body)))
        elif kind == "N":
            self.notices.append(fields_of(body))
        elif kind == "S":
            name, value = body.split(b"\0")[:2]
            self.parameters[name.decode()] = value.decode()
        elif kind == "A":
            self.notifications.append(body[4:].split(b"\0")[0].decode())
        elif kind == "Z":
            self.status = body.decode()

    @property
    def error(self):
        return self.errors[0] if self.errors else None

    @property
    def sqlstate(self):
        return self.errors[0].sqlstate if self.errors else None

    def value(self):
        """The first column of the first row; raises the error if there was one."""
        if self.errors:
            raise self.errors[0]
        return self.rows[0][0]

    def __repr__(self):
        return f"Reply({self.kinds} tags={self.tags} errors={[str(e) for e in self.errors]} status={self.status})"


# --- SCRAM-SHA-256, RFC 5802 and 7677 -------------------------------------------------------------------------

class Scram:
    def __init__(self, password):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n=,r={self.nonce}"

    def first(self):
        data = ("n,," + self.bare).encode()
        return cstr("SCRAM-SHA-256") + struct.pack("!i", len(data)) + data

    def final(self, server_first):
        parts = dict(p.split("=", 1) for p in server_first.decode().split(","))
        assert parts["r"].startswith(self.nonce), "the server's nonce does not begin with ours"
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(parts["s"]), int(parts["i"]))
        without_proof = f"c=biws,r={parts['r']}"
        auth = f"{self.bare},{server_first.decode()},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), auth, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), auth, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final):
        assert server_final == b"v=" + base64.b64encode(self.expected), "the server does not know the password"


# --- the connection -------------------------------------------------------------------------------------------

class Connection:
    """A socket to a server; `login` brings it to ReadyForQuery. Every wait ends after `timeout` seconds."""

    def __init__(self, port, host="127.0.0.1", timeout=10, receive_buffer=None, source=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port, self.host = port, host
        self.inbox = bytearray()
        self.parameters, self.key, self.auth_methods = {}, None, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    # sending
    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    # receiving
    def read_exactly(self, size):
        while len(self.inbox) < size:
            chunk = self.socket.recv(1 << 18)
            if not chunk:
                raise Closed(f"closed after {len(self.inbox)} of {size} bytes: {bytes(self.inbox[:60])!r}")
            self.inbox += chunk
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        return data

    def read(self):
        """One message as (kind, body); raises Closed at the end of the connection."""
        try:
            head = self.read_exactly(5)
            return chr(head[0]), self.read_exactly(struct.unpack("!i", head[1:])[0] - 4)
        except ConnectionResetError as error:
            raise Closed("reset by the peer") from error

    def reply(self):
        """Reads up to and including ReadyForQuery; at the end of the connection the reply's status is None."""
        reply = Reply()
        while True:
            try:
                kind, body = self.read()
            except Closed:
                return reply
            reply.add(kind, body)
            if kind == "Z":
                return reply

    def closed_by_peer(self, seconds=5):
        """True if the peer ends the connection within that time, whatever it says before."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(1 << 16):
                pass
            return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def silent(self, seconds=0.2):
        """True if nothing arrives within that time and the connection stays open."""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            chunk = self.socket.recv(1 << 16)
            self.inbox += chunk
            return False
        except TimeoutError:
            return not self.inbox
        except ConnectionResetError:
            return False
        finally:
            self.socket.settimeout(before)

    # conversations
    def login(self, user, database, password=None, **parameters):
        body = b"".join(cstr(k) + cstr(v) for k, v in {"user": user, "database": database, **parameters}.items())
        self.send(startup_packet(PROTOCOL_3, body + b"\0"))
        scram = Scram(password or "")
        while True:
            kind, body = self.read()
            if kind == "E":
                raise ServerError(fields_of(body))
            if kind == "R":
                self.authenticate(body, user, password, scram)
            elif kind == "S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == "K":
                self.key = struct.unpack("!ii", body[:8])
            elif kind == "Z":
                assert body == b"I", body
                return self

    def authenticate(self, body, user, password, scram):
        method = struct.unpack_from("!i", body)[0]
        if method == 3:
            self.auth_methods.append("cleartext")
            self.send(message(b"p", cstr(password)))
        elif method == 5:
            self.auth_methods.append("md5")
            inner = hashlib.md5((password + user).encode()).hexdigest().encode()
            self.send(message(b"p", cstr(b"md5" + hashlib.md5(inner + body[4:8]).hexdigest().encode())))
        elif method == 10:
            self.auth_methods.append("scram")
            assert b"SCRAM-SHA-256" in body[4:].split(b"\0"), body
            self.send(message(b"p", scram.first()))
        elif method == 11:
            self.send(message(b"p", scram.final(body[4:])))
        elif method == 12:
            scram.verify(body[4:])
        elif method != 0:
            raise AssertionError(f"authentication method {method} is unknown")

    def query(self, sql):
        self.send(query(sql))
        return self.reply()

    def extended(self, sql, values=(), statement=""):
        self.send(run(sql, values, statement), SYNC)
        return self.reply()

    def ok(self, sql):
        """The rows of a simple query that must succeed."""
        reply = self.query(sql)
        if reply.errors:
            raise reply.errors[0]
        if reply.status is None:
            raise Closed(f"the connection ended during {sql!r}")
        return reply.rows

    def value(self, sql):
        return self.ok(sql)[0][0]

    # endings
    def terminate(self):
        self.send(TERMINATE)
        self.socket.close()

    def drop(self):
        """FIN without Terminate (a reset if bytes are unread)."""
        self.socket.close()

    def reset(self):
        """RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def connect(port, user, database, password=None, timeout=10, **parameters):
    """A logged-in connection."""
    connection = Connection(port, timeout=timeout)
    try:
        return connection.login(user, database, password, **parameters)
    except BaseException:
        connection.drop()
        raise


def cancel(port, key, host="127.0.0.1"):
    """Sends a CancelRequest on a connection of its own and waits for its end."""
    with Connection(port, host) as connection:
        connection.send(startup_packet(CANCEL_REQUEST, struct.pack("!ii", *key)))
        connection.closed_by_peer()
