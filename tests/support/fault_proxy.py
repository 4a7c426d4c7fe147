# SPDX-License-Identifier: Apache-2.0
"""Stands between two peers and does to their bytes what networks and machines do.

    proxy = FaultProxy(server.port)                  # listens on proxy.port of the loopback, in a thread of its own
    proxy.arm(FROM_SERVER, after=17, how="reset")    # the 18th byte from now on does not arrive: RST to both
    proxy.arm(TO_SERVER, after=0, how="fin")         # FIN to both;  half: FIN to the receiver alone, the other way goes on
    proxy.arm(TO_SERVER, after=5, how="blackhole")   # nothing more passes either way, nobody is told
    proxy.arm(FROM_SERVER, after=5, how="corrupt")   # that byte arrives changed, all others as they are
    proxy.wait_sprung(); proxy.disarm()
    proxy.record(); ...; proxy.recorded(FROM_SERVER) # what passed meanwhile, of all connections together
    proxy.delay = 0.02; proxy.trickle = 1            # each chunk that much later; so many bytes at a time
    proxy.refuse = True; proxy.hush = True           # new connections: RST; or accepted, and nothing passes
    proxy.cut_all("reset"); proxy.links()            # those that are open
    proxy.strike("half"); proxy.end_holes()          # any link, now (False: there is none); the end of black holes
    proxy.spare = (b"leasehold control",)            # what no counting sees: links that begin with a packet which has this

Byte counts begin with arm(), so a test that knows its connection to be quiet knows which byte of which message it means.
"""
import collections
import contextlib
import random
import selectors
import socket
import struct
import threading
import time

from processes import LOOPBACK, wait_until

TO_SERVER, FROM_SERVER = "to_server", "from_server"
CHUNK = 1 << 16
BACKLOG_LIMIT = 1 << 18  # unsent bytes at which the sender is read no more


class _Pipe:
    """One direction of a link: bytes on their way from `source` to `sink`, and when each chunk may go."""

    def __init__(self, name, source, sink):
        self.name, self.source, self.sink = name, source, sink
        self.waiting = collections.deque()  # (due, bytes)
        self.size = 0
        self.ended = False    # the source said its last word
        self.closing = None   # what to do when the last byte is out

    def push(self, data, due):
        self.waiting.append((due, data))
        self.size += len(data)


class _Link:
    def __init__(self, client, server):
        self.client, self.server = client, server
        self.pipes = {client: _Pipe(TO_SERVER, client, server), server: _Pipe(FROM_SERVER, server, client)}
        self.open = True
        self.blackhole = False
        self.spared = None  # not known before the first packet


class FaultProxy:
    def __init__(self, port, host=LOOPBACK):
        self.target = (host, port)
        self.delay = self.trickle = 0
        self.refuse = self.hush = False
        self.spare = ()
        self._lock = threading.Lock()  # for what both threads touch: armed, records
        self._armed, self._sprung, self._records = None, threading.Event(), None
        self._links, self._tasks = set(), collections.deque()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._listener = socket.create_server((LOOPBACK, 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        for quiet in (self._listener, self._woken):
            quiet.setblocking(False)
            self._selector.register(quiet, selectors.EVENT_READ)
        self._over = False
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- what tests say ----------------------------------------------------------------------------------------------

    def arm(self, direction, after=0, how="reset"):
        """The next `after` bytes in that direction, of all links together, arrive; then it happens, once, to that link."""
        assert how in ("reset", "fin", "half", "blackhole", "corrupt")
        with self._lock:
            self._sprung.clear()
            self._armed = [direction, after, how]

    def disarm(self):
        with self._lock:
            self._armed = None

    def wait_sprung(self, seconds=10):
        assert self._sprung.wait(seconds), f"the bytes that were waited for did not come: {self._armed}"

    @property
    def sprung(self):
        return self._sprung.is_set()

    def record(self):
        with self._lock:
            self._records = {TO_SERVER: bytearray(), FROM_SERVER: bytearray()}

    def recorded(self, direction):
        with self._lock:
            return bytes(self._records[direction])

    def links(self):
        return self._call(lambda: len(self._links))

    def cut_all(self, how="reset"):
        """Ends all links now; how many there were."""
        return self._call(lambda: [self._end(link, how) for link in list(self._links)].__len__())

    def strike(self, how, dice=random):
        """Does it to any one of the links that count, now. False: there is none."""
        def task():
            links = [link for link in self._links if link.spared is False and not link.blackhole]
            if links:
                link = dice.choice(sorted(links, key=id))
                self._break(link, link.pipes[dice.choice([link.client, link.server])], how)
            return bool(links)
        return self._call(task)

    def end_holes(self):
        """The peers of black holes learn of it, by RST; how many links these were."""
        return self._call(lambda: [self._end(link, "reset") for link in list(self._links) if link.blackhole].__len__())

    def settle(self):
        """Until everything read has been passed on."""
        wait_until(lambda: self._call(lambda: all(not pipe.size for link in self._links for pipe in link.pipes.values())), 10,
                   "the proxy's last byte")

    def close(self):
        if self._over:
            return
        self._over = True
        self._wake.send(b"x")
        self._thread.join(10)
        for link in list(self._links):
            self._end(link, "reset")
        for one in (self._listener, self._wake, self._woken, self._selector):
            one.close()

    def _call(self, function):
        done, result = threading.Event(), []

        def task():
            result.append(function())
            done.set()
        self._tasks.append(task)
        self._wake.send(b"x")
        assert done.wait(10), "the proxy does not answer"
        return result[0]

    # --- its thread --------------------------------------------------------------------------------------------------

    def _run(self):
        while not self._over:
            for key, _ in self._selector.select(self._next_due()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                elif key.data.open:
                    self._read(key.data, key.fileobj)
            while self._tasks:
                self._tasks.popleft()()
            for link in list(self._links):
                for pipe in list(link.pipes.values()):
                    if link.open:
                        self._write(link, pipe)

    def _next_due(self):
        dues = [pipe.waiting[0][0] for link in self._links for pipe in link.pipes.values() if pipe.waiting and not link.blackhole]
        # A sink that takes nothing is tried again a little later.
        return max(0.001, min(dues) - time.monotonic()) if dues else None

    def _accept(self):
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            if self.refuse:
                return _reset(client)
            if self.hush:
                link = _Link(client, client)
                link.blackhole = True
                return self._links.add(link)
            try:
                server = socket.create_connection(self.target, timeout=5)
            except OSError:
                return _reset(client)
            link = _Link(client, server)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.setblocking(False)
                self._selector.register(one, selectors.EVENT_READ, link)
            self._links.add(link)

    def _read(self, link, source):
        pipe = link.pipes[source]
        if link.blackhole or pipe.size > BACKLOG_LIMIT:
            return time.sleep(0.0005)
        try:
            data = source.recv(CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            return self._end(link, "reset")
        if not data:
            self._selector.unregister(source)
            pipe.ended, pipe.closing = True, "half"
            return None
        return self._take(link, pipe, data)

    def _take(self, link, pipe, data):
        how = None
        if link.spared is None and pipe.name == TO_SERVER:
            link.spared = any(word in data for word in self.spare)
        with self._lock:
            if self._armed and self._armed[0] == pipe.name and link.spared is False:
                if len(data) > self._armed[1]:
                    at, how = self._armed[1:]
                    self._armed = None
                    data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:] if how == "corrupt" else data[:at]
                else:
                    self._armed[1] -= len(data)
            if self._records and link.spared is False:
                self._records[pipe.name] += data
        due = time.monotonic() + self.delay
        step = self.trickle or CHUNK
        for at in range(0, len(data), step):
            pipe.push(data[at:at + step], due)
            due += 0.001 if self.trickle else 0
        if how and how != "corrupt":
            self._break(link, pipe, how)
        if how:
            self._sprung.set()

    def _break(self, link, pipe, how):
        """Behind what is on its way."""
        if how == "blackhole":
            self._write(link, pipe)
            link.blackhole = True
            for one in (link.client, link.server):
                with contextlib.suppress(KeyError):
                    self._selector.unregister(one)
        else:
            pipe.ended, pipe.closing = True, how
            with contextlib.suppress(KeyError):
                self._selector.unregister(pipe.source)

    def _write(self, link, pipe):
        now = time.monotonic()
        while pipe.waiting and pipe.waiting[0][0] <= now and not link.blackhole:
            due, data = pipe.waiting[0]
            try:
                sent = pipe.sink.send(data)
            except BlockingIOError:
                return
            except OSError:
                self._end(link, "reset")
                return
            pipe.size -= sent
            if sent < len(data):
                pipe.waiting[0] = (due, data[sent:])
                return
            pipe.waiting.popleft()
        if pipe.closing and not pipe.waiting:
            how, pipe.closing = pipe.closing, None
            if how != "half":
                self._end(link, how)
                return
            with contextlib.suppress(OSError):
                pipe.sink.shutdown(socket.SHUT_WR)
            if all(one.ended and not one.closing for one in link.pipes.values()):
                self._end(link, "fin")

    def _end(self, link, how):
        link.open = False
        self._links.discard(link)
        for one in {link.client, link.server}:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(one)
            _reset(one) if how == "reset" else one.close()


def _reset(one):
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
