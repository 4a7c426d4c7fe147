# SPDX-License-Identifier: Apache-2.0
"""Binary prepared statements for mywire's raw connections: COM_STMT_PREPARE, EXECUTE, FETCH, RESET, CLOSE, long data and
binary rows. Parameter types are sent with the first EXECUTE only, as the C client does. "Prepared Statements" of the
manual.
"""
import struct

import mywire

PREPARE, EXECUTE, LONG_DATA, CLOSE, RESET, FETCH, BULK = 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1C, 0xFA
CURSOR_READ_ONLY = 1
CURSOR_EXISTS, LAST_ROW_SENT, METADATA_CHANGED = 0x40, 0x80, 0x400
LAST_PREPARED = 0xFFFFFFFF  # MariaDB: the statement prepared just before
LONGLONG, DOUBLE, STRING, BLOB = 8, 5, 0xFD, 0xFC
_FIXED = {1: "b", 2: "h", 13: "h", 3: "i", 9: "i", 8: "q", 4: "f", 5: "d"}


def lenenc(size):
    if size < 0xFB:
        return bytes([size])
    if size < 1 << 16:
        return b"\xfc" + struct.pack("<H", size)
    return b"\xfd" + size.to_bytes(3, "little") if size < 1 << 24 else b"\xfe" + struct.pack("<Q", size)


class LongData:
    """Stands for a parameter whose value was sent by COM_STMT_SEND_LONG_DATA."""


def kind_of(value):
    if isinstance(value, bool) or isinstance(value, int):
        return LONGLONG
    if isinstance(value, float):
        return DOUBLE
    return BLOB if isinstance(value, (bytes, LongData)) else STRING


def value_of(value):
    if isinstance(value, int):
        return struct.pack("<q", value)
    if isinstance(value, float):
        return struct.pack("<d", value)
    data = value if isinstance(value, bytes) else str(value).encode()
    return lenenc(len(data)) + data


def send_long(connection, payload):
    """A payload of any length, in as many packets as it takes; how many these were."""
    sequence = 0
    while True:
        part = payload[:0xFFFFFF]
        connection.send(part, sequence=sequence)
        if len(part) < 0xFFFFFF:
            return sequence + 1
        payload, sequence = payload[0xFFFFFF:], sequence + 1


def read_long(connection):
    body = part = connection.read()
    while len(part) == 0xFFFFFF:
        part = connection.read()
        body += part
    return body


class Column:
    def __init__(self, definition):
        at, names = 0, []
        for _ in range(6):
            size, at = mywire.lenenc(definition, at)
            names.append(definition[at:at + size].decode())
            at += size
        self.database, self.table, self.name = names[1], names[2], names[4]
        self.charset, self.length, self.type = struct.unpack_from("<HIB", definition, at + 1)


class Statement:
    """One prepared statement of a connection."""

    def __init__(self, connection, sql, check=True):
        self.connection, self.sql, self.sent = connection, sql, None
        self.send_prepare()
        if check:
            self.prepared()

    def send_prepare(self):
        self.connection.command(PREPARE, self.sql if isinstance(self.sql, bytes) else self.sql.encode())

    def prepared(self):
        """Reads the reply to COM_STMT_PREPARE."""
        head = self.connection.read()
        if head[0] == 0xFF:
            raise mywire.ServerError(head)
        self.id, columns, self.parameters, _, self.warnings = struct.unpack_from("<IHHBH", head, 1)
        self._definitions(self.parameters)
        self.columns = self._definitions(columns)
        return self

    def _definitions(self, count):
        columns = [Column(self.connection.read()) for _ in range(count)]
        if count and not self._deprecate_eof():
            assert self.connection.read()[0] == 0xFE
        return columns

    def _deprecate_eof(self):
        return bool(getattr(self.connection, "capabilities", 0) & mywire.DEPRECATE_EOF)

    def packet(self, parameters=(), types=None, cursor=0, number=None):
        """COM_STMT_EXECUTE's payload. `types`: True sends them, False does not; None: as the C client does."""
        body = struct.pack("<BIBI", EXECUTE, self.id if number is None else number, cursor, 1)
        if not parameters:
            return body
        nulls = bytearray((len(parameters) + 7) // 8)
        for n, value in enumerate(parameters):
            if value is None:
                nulls[n // 8] |= 1 << n % 8
        kinds = [6 if value is None else kind_of(value) for value in parameters]
        bound = kinds != self.sent if types is None else types
        self.sent = kinds if bound else self.sent
        body += bytes(nulls) + bytes([bound])
        if bound:
            body += b"".join(bytes([kind, 0]) for kind in kinds)
        return body + b"".join(value_of(v) for v in parameters if v is not None and not isinstance(v, LongData))

    def send(self, *parameters, **options):
        self.packets = send_long(self.connection, self.packet(parameters, **options))

    def execute(self, *parameters, **options):
        self.send(*parameters, **options)
        return self.result()

    def value(self, *parameters, **options):
        return self.execute(*parameters, **options).rows[0][0]

    def result(self):
        head = self.connection.read()
        assert self.connection.sequence == self.packets + 1, "packets out of order"
        if head[0] == 0xFF:
            raise mywire.ServerError(head)
        if head[0] == 0:
            affected, at = mywire.lenenc(head, 1)
            insert_id, at = mywire.lenenc(head, at)
            return mywire.Result(struct.unpack_from("<H", head, at)[0], affected, insert_id)
        result = mywire.Result()
        count = mywire.lenenc(head, 0)[0]
        self.columns = result.columns = [Column(self.connection.read()) for _ in range(count)]
        if not self._deprecate_eof():
            end = self.connection.read()
            assert end[0] == 0xFE
            result.status = struct.unpack_from("<H", end, 3)[0]
            if result.status & CURSOR_EXISTS:
                return result
        return self._rows(result)

    def _rows(self, result):
        while True:
            body = read_long(self.connection)
            if body[0] == 0xFF:
                raise mywire.ServerError(body)
            if body[0] == 0xFE and len(body) < 9:
                at = 3
                if self._deprecate_eof():
                    _, at = mywire.lenenc(body, 1)
                    _, at = mywire.lenenc(body, at)
                result.status = struct.unpack_from("<H", body, at)[0]
                return result
            result.rows.append(self._row(body))

    def _row(self, body):
        count = len(self.columns)
        nulls, at, row = body[1:1 + (count + 9) // 8], 1 + (count + 9) // 8, []
        for n, column in enumerate(self.columns):
            if nulls[(n + 2) // 8] & 1 << (n + 2) % 8:
                row.append(None)
            elif column.type in _FIXED:
                row.append(struct.unpack_from("<" + _FIXED[column.type], body, at)[0])
                at += struct.calcsize(_FIXED[column.type])
            else:
                size, at = mywire.lenenc(body, at)
                row.append(body[at:at + size] if column.charset == 63 else body[at:at + size].decode())
                at += size
        return tuple(row)

    def fetch(self, count):
        self.connection.command(FETCH, struct.pack("<II", self.id, count))
        return self._rows(mywire.Result())

    def long_data(self, parameter, data):
        send_long(self.connection, struct.pack("<BIH", LONG_DATA, self.id, parameter) + data)

    def reset(self):
        self.connection.command(RESET, struct.pack("<I", self.id))
        return self.connection.result()

    def close(self):
        self.connection.command(CLOSE, struct.pack("<I", self.id))
