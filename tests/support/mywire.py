# SPDX-License-Identifier: Apache-2.0
"""A raw client of the MySQL protocol for tests: packets, commands, half packets, resets. It logs in by
mysql_native_password or caching_sha2_password (fast; in full by TLS, a unix socket or RSA), with TLS if it is asked for.

See "MySQL Client/Server Protocol" (Connection Phase, Command Phase). It never retries and never reconnects.
"""
import hashlib
import socket
import ssl
import struct

COM_QUIT, COM_INIT_DB, COM_QUERY, COM_PING = 1, 2, 3, 14

COM_CHANGE_USER, COM_RESET_CONNECTION = 17, 31

LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB = 1, 2, 4, 8
PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS, PLUGIN_AUTH = 1 << 9, 1 << 13, 1 << 15, 1 << 17, 1 << 19
DEPRECATE_EOF, SSL, CONNECT_ATTRS = 1 << 24, 1 << 11, 1 << 20
COMPRESS, ZSTD = 1 << 5, 1 << 26  # the frames are mycompress.py's

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


def sha2_password(password, scramble):
    """caching_sha2_password's fast answer."""
    if not password:
        return b""
    first = hashlib.sha256(password.encode()).digest()
    mask = hashlib.sha256(hashlib.sha256(first).digest() + scramble).digest()
    return bytes(a ^ b for a, b in zip(first, mask))


def rsa_encrypted(password, scramble, pem):
    """The password as caching_sha2_password wants it without TLS: masked by the scramble, by the server's public key."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding
    text = password.encode() + b"\0"
    masked = bytes(byte ^ scramble[at % len(scramble)] for at, byte in enumerate(text))
    return serialization.load_pem_public_key(pem).encrypt(
        masked, padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None))


ANSWERS = {"mysql_native_password": native_password, "caching_sha2_password": sha2_password}


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
        """`host` may be the path of a unix socket."""
        if host.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(host)
        else:
            self.socket = socket.create_connection((host, port), timeout, (source, 0) if source else None)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.secure = host.startswith("/")
        self.inbox, self.sequence = bytearray(), 0
        self.greeting = None
        self.plugin = None  # with which the login succeeded; `full`: by the whole password
        self.full = False

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

    def login(self, user, password, database=None, capabilities=0, plugin=None, tls=None, attributes=None,
              charset=45):
        """`plugin`: the one to begin with, the greeting's by default. `tls`: an ssl.SSLContext, or True for one that
        checks nothing. `attributes`: of the connection, a dict. `charset`: its collation's number."""
        hello = self.greet()
        plugin = plugin or (hello["plugin"] if hello["plugin"] in ANSWERS else "mysql_native_password")
        flags = LONG_PASSWORD | LONG_FLAG | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | MULTI_RESULTS
        flags |= capabilities | (CONNECT_WITH_DB if database else 0) | (SSL if tls else 0)
        flags |= CONNECT_ATTRS if attributes else 0
        head = struct.pack("<IIB23x", flags, 1 << 24, charset)
        if tls:
            self.start_tls(head, tls)
        answer = ANSWERS[plugin](password, hello["scramble"])
        body = head + user.encode() + b"\0" + bytes([len(answer)]) + answer
        if database:
            body += database.encode() + b"\0"
        body += plugin.encode() + b"\0"
        if attributes:
            pairs = b"".join(bytes([len(text)]) + text.encode() for pair in attributes.items() for text in pair)
            body += bytes([len(pairs)]) + pairs
        self.send(body + (b"\3" if flags & ZSTD else b""))  # its level
        self._authenticate(plugin, password, hello["scramble"])
        return self

    def start_tls(self, head, context):
        """SSLRequest and the handshake. `head`: the first 32 bytes of the login."""
        self.send(head)
        if context is True:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sequence += 1
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.secure = True

    def _authenticate(self, plugin, password, scramble):
        """From the answer to the greeting to OK; an ERR is raised."""
        while True:
            reply = self.read()
            if reply[0] == 0xFF:
                raise ServerError(reply)
            if reply[0] == 0x00:
                self.plugin = plugin
                return
            if reply[0] == 0xFE:  # AuthSwitchRequest
                name, scramble = reply[1:].split(b"\0", 1)
                plugin, scramble = name.decode(), scramble[:20]
                assert plugin in ANSWERS, plugin
                self.send(ANSWERS[plugin](password, scramble))
            elif reply == b"\1\4":  # in full
                self.full = True
                self._send_password(password, scramble)
            else:
                assert reply == b"\1\3", reply  # the fast answer was right: OK follows

    def _send_password(self, password, scramble):
        if self.secure:
            self.send(password.encode() + b"\0")
            return
        self.send(b"\2")
        key = self.read()
        if key[0] == 0xFF:
            raise ServerError(key)
        assert key[0] == 1, key
        self.send(rsa_encrypted(password, scramble, key[1:]))

    def change_user(self, user, password, database="", plugin=None, charset=45):
        """COM_CHANGE_USER: a login anew on this connection, by the answer to a new salt."""
        plugin = plugin or self.plugin
        body = user.encode() + b"\0\0" + database.encode() + b"\0" + struct.pack("<H", charset)
        self.command(COM_CHANGE_USER, body + plugin.encode() + b"\0")
        self._authenticate(plugin, password, b"")

    def reset_connection(self):
        self.command(COM_RESET_CONNECTION)
        return self.result()

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


def connect(port, user, password, database=None, timeout=10, capabilities=0, host="127.0.0.1", **login):
    """A logged-in connection."""
    connection = Connection(port, host=host, timeout=timeout)
    try:
        return connection.login(user, password, database, capabilities, **login)
    except BaseException:
        connection.drop()
        raise
