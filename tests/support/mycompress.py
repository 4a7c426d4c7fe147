# SPDX-License-Identifier: Apache-2.0
"""MySQL's compressed protocol for mywire's connections: a socket that speaks in frames, as strict with their numbers as
client libraries are.

    session = connect(port, "app", "secret", "shop", algorithm="zstd")
"""
import ctypes
import ctypes.util
import zlib

import mywire

_zstd = None


def _library():
    global _zstd
    if _zstd is None:
        _zstd = ctypes.CDLL(ctypes.util.find_library("zstd"))
        for name in ("ZSTD_compress", "ZSTD_decompress", "ZSTD_compressBound", "ZSTD_isError"):
            getattr(_zstd, name).restype = ctypes.c_size_t
        _zstd.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
        _zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
        _zstd.ZSTD_compressBound.argtypes = _zstd.ZSTD_isError.argtypes = [ctypes.c_size_t]
    return _zstd


def pack(data, algorithm):
    if algorithm == "zlib":
        return zlib.compress(data)
    library = _library()
    room = ctypes.create_string_buffer(library.ZSTD_compressBound(len(data)))
    size = library.ZSTD_compress(room, len(room), data, len(data), 3)
    assert not library.ZSTD_isError(size)
    return room.raw[:size]


def unpack(data, size, algorithm):
    if algorithm == "zlib":
        plain = zlib.decompress(data)
    else:
        library = _library()
        room = ctypes.create_string_buffer(size + 1)
        got = library.ZSTD_decompress(room, size + 1, data, len(data))
        assert not library.ZSTD_isError(got)
        plain = room.raw[:got]
    assert len(plain) == size
    return plain


def frame(payload, number, unpacked=0):
    return len(payload).to_bytes(3, "little") + bytes([number & 255]) + unpacked.to_bytes(3, "little") + payload


class Frames:
    """What a socket is to mywire. `packed` and `stored` count the frames that were read."""

    def __init__(self, socket, algorithm, largest=16 * 1024):
        self.socket, self.algorithm, self.largest = socket, algorithm, largest
        self.next = 0
        self.packed = self.stored = 0

    def __getattr__(self, name):
        return getattr(self.socket, name)

    def starts(self, data):
        """A client's numbers begin again with each command."""
        if data[3] == 0:
            self.next = 0

    def follows(self, number):
        assert number == self.next, f"frame {number} where {self.next} was due"

    def sendall(self, data):
        self.starts(data)
        for at in range(0, len(data), self.largest):
            plain = data[at:at + self.largest]
            if len(plain) < 50:
                self.socket.sendall(frame(plain, self.next))
            else:
                self.socket.sendall(frame(pack(plain, self.algorithm), self.next, len(plain)))
            self.next = (self.next + 1) & 255

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise mywire.Closed(f"closed after {len(data)} of {size} bytes")
            data += piece
        return data

    def recv(self, _):
        first = self.socket.recv(1)
        if not first:
            return b""
        head = first + self._exactly(6)
        size, number, unpacked = int.from_bytes(head[:3], "little"), head[3], int.from_bytes(head[4:], "little")
        self.follows(number)
        self.next = (number + 1) & 255
        payload = self._exactly(size)
        if unpacked == 0:
            self.stored += 1
            return payload
        self.packed += 1
        return unpack(payload, unpacked, self.algorithm)


def connect(port, user, password, database=None, algorithm="zlib", capabilities=0, largest=16 * 1024, **options):
    """A logged-in connection that is compressed from then on."""
    asked = mywire.COMPRESS if algorithm == "zlib" else mywire.ZSTD
    connection = mywire.connect(port, user, password, database, capabilities=capabilities | asked, **options)
    assert connection.greeting["capabilities"] & asked
    assert not connection.inbox
    connection.socket = Frames(connection.socket, algorithm, largest)
    return connection
