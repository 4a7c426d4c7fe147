# SPDX-License-Identifier: Apache-2.0
"""A MySQL or MariaDB server made older: its greeting lacks capabilities."""
import contextlib
import socket
import struct
import threading


class Older:
    """Stands in front of a server and says in its greeting that it cannot do what older ones could not."""

    def __init__(self, server):
        self.server, self.without = server, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()
        self.sockets = []

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.server.port))
                self.sockets += [client, server]
                greeting = bytearray(server.recv(65536))
                if self.without and greeting[4] == 10:
                    at = greeting.index(0, 5) + 1 + 4 + 8 + 1 + 2 + 1 + 2
                    high = struct.unpack_from("<H", greeting, at)[0] & ~(self.without >> 16)
                    struct.pack_into("<H", greeting, at, high)
                client.sendall(greeting)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    @staticmethod
    def _copy(source, target):
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self):
        for each in [self.listener, *self.sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
