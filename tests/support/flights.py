# SPDX-License-Identifier: Apache-2.0
"""A relay of bytes in front of a server that counts how often the server's side was asked: a flight is what a client sends
between two answers, in however many packets."""
import select
import socket
import threading

from processes import LOOPBACK


class Flights:
    """with Flights(port) as flights: a client connects to flights.port; flights.count is the sum over all connections."""

    def __init__(self, port):
        self.server, self.count = port, 0
        self.listener = socket.create_server((LOOPBACK, 0))
        self.port = self.listener.getsockname()[1]
        self.listener.settimeout(0.2)
        self.over = False
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join(5)
        self.listener.close()

    def _accept(self):
        while not self.over:
            try:
                client = self.listener.accept()[0]
            except TimeoutError:
                continue
            self.threads.append(threading.Thread(target=self._relay, args=[client], daemon=True))
            self.threads[-1].start()

    def _relay(self, client):
        answered = True
        with client, socket.create_connection((LOOPBACK, self.server)) as server:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self.over:
                for one in select.select([client, server], [], [], 0.2)[0]:
                    data = one.recv(1 << 16)
                    if not data:
                        return
                    if one is client:
                        self.count += answered
                        answered = False
                        server.sendall(data)
                    else:
                        answered = True
                        client.sendall(data)
