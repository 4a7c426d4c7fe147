# SPDX-License-Identifier: Apache-2.0
"""A raw client of the MySQL protocol for tests, mysql_native_password only: packets, commands, half packets, resets.

See "MySQL Client/Server Protocol" (Connection Phase, Command Phase). It never retries and never reconnects.
"""
import hashlib
import socket
import struct

COM_QUIT, COM_INIT_DB, COM_QUERY, COM_PING = 1, 2, 3, 14

LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB = 1, 2, 4, 8
PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS, PLUGIN_AUTH = 1 << 9, 1 << 13, 1 << 15, 1 << 17, 1 << 19
DEPRECATE_EOF = 1 << 24

STATUS_IN_TRANS, STATUS_AUTOCOMMIT, STATUS_MORE_RESULTS = 1, 2, 8


class Closed(Exception):
    """The peer ended the connection where a packet was expected."""


class ServerError(Exception):
    def __init__(self, body):
        self.code = struct.unpack_from("<H", body, 1)[0]
        self.sqlstate, text = None, body[3:]
        if text[:1] == b"#":
            self.sqlstate, text = text[1:6].decode(), text[6:]
        self.message = text.decode(errors="replace")
        super().__init__(f"{self.code} ({self.sqlstate}): {self.message}")


def lenenc(body, at):
    first = body[at]
    if first < 0xFB:
        return first, at + 1
    if first == 0xFB:
        return None, at + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(body[at + 1:at + 1 + width], "little"), at + 1 + width


def native_password(password, scramble):
    if not password:
        return b""
    stage1 = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(scramble + hashlib.sha1(stage1).digest()).digest()
    return bytes(a ^ b for a, b in zip(stage1, mask))


class Result:
    def __init__(self, status=0, affected=0, insert_id=0):
        self.status, self.affected, self.insert_id = status, affected, insert_id
        self.rows, self.columns = [], 0

    @property
    def in_transaction(self):
        return bool(self.status & STATUS_IN_TRANS)

    @property
    def autocommit(self):
        return bool(self.status & STATUS_AUTOCOMMIT)


class Connection:
    def __init__(self, port, host="127.0.0.1", timeout=10, source=None):
        self.socket = socket.create_connection((host, port), timeout, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.inbox, self.sequence = bytearray(), 0
        self.greeting = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    # packets
    def read_exactly(self, size):
        while len(self.inbox) < size:
            chunk = self.socket.recv(1 << 18)
            if not chunk:
                raise Closed(f"closed after {len(self.inbox)} of {size} bytes")
            self.inbox += chunk
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        return data

    def read(self):
        """One packet's payload."""
        try:
            head = self.read_exactly(4)
            self.sequence = head[3] + 1
            return self.read_exactly(int.from_bytes(head[:3], "little"))
        except ConnectionResetError as error:
            raise Closed("reset by the peer") from error

    def send(self, payload, sequence=None):
        number = self.sequence if sequence is None else sequence
        self.socket.sendall(len(payload).to_bytes(3, "little") + bytes([number & 255]) + payload)

    # conversations
    def greet(self):
        """The server's greeting: version, connection id, capabilities, status, plugin."""
        body = self.read()
        if body[0] == 0xFF:
            raise ServerError(body)
        end = body.index(0, 1)
        at = end + 1
        connection_id = struct.unpack_from("<I", body, at)[0]
        scramble = body[at + 4:at + 12]
        low, charset, status, high, size = struct.unpack_from("<HBHHB", body, at + 13)
        rest = body[at + 13 + 8 + 10:]
        scramble += rest[:max(13, size - 8)][:12]
        plugin = rest[max(13, size - 8):].split(b"\0")[0].decode()
        self.greeting = dict(version=body[1:end].decode(), id=connection_id, scramble=scramble, charset=charset,
                             capabilities=low | high << 16, status=status, plugin=plugin)
        return self.greeting

    def login(self, user, password, database=None, capabilities=0):
        hello = self.greet()
        flags = LONG_PASSWORD | LONG_FLAG | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | MULTI_RESULTS
        flags |= capabilities | (CONNECT_WITH_DB if database else 0)
        answer = native_password(password, hello["scramble"])
        body = struct.pack("<IIB23x", flags, 1 << 24, 45) + user.encode() + b"\0" + bytes([len(answer)]) + answer
        if database:
            body += database.encode() + b"\0"
        self.send(body + b"mysql_native_password\0")
        reply = self.read()
        if reply[0] == 0xFE:  # AuthSwitchRequest
            plugin, data = reply[1:].split(b"\0", 1)
            assert plugin == b"mysql_native_password", plugin
            self.send(native_password(password, data[:20]))
            reply = self.read()
        if reply[0] == 0xFF:
            raise ServerError(reply)
        return self

    def command(self, code, body=b""):
        self.send(bytes([code]) + body, sequence=0)

    def result(self):
        """One result: OK, or rows up to the second EOF. An ERR packet is raised."""
        head = self.read()
        if head[0] == 0xFF:
            raise ServerError(head)
        if head[0] == 0:
            affected, at = lenenc(head, 1)
            insert_id, at = lenenc(head, at)
            return Result(struct.unpack_from("<H", head, at)[0], affected, insert_id)
        result = Result()
        result.columns = lenenc(head, 0)[0]
        for _ in range(result.columns + 1):
            self.read()  # column definitions and EOF
        while True:
            body = self.read()
            if body[0] == 0xFF:
                raise ServerError(body)
            if body[0] == 0xFE and len(body) < 9:
                result.status = struct.unpack_from("<H", body, 3)[0]
                return result
            at, row = 0, []
            for _ in range(result.columns):
                size, at = lenenc(body, at)
                row.append(None if size is None else body[at:at + size].decode(errors="replace"))
                at += size or 0
            result.rows.append(tuple(row))

    def query(self, sql):
        self.command(COM_QUERY, sql.encode())
        return self.result()

    def value(self, sql):
        return self.query(sql).rows[0][0]

    def ping(self):
        self.command(COM_PING)
        return self.result()

    def init_db(self, name):
        self.command(COM_INIT_DB, name.encode())
        return self.result()

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

    # endings
    def quit(self):
        self.command(COM_QUIT)
        self.socket.close()

    def drop(self):
        """FIN without COM_QUIT (a reset if bytes are unread)."""
        self.socket.close()

    def reset(self):
        """RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def connect(port, user, password, database=None, timeout=10, capabilities=0):
    """A logged-in connection."""
    connection = Connection(port, timeout=timeout)
    try:
        return connection.login(user, password, database, capabilities)
    except BaseException:
        connection.drop()
        raise
