# SPDX-License-Identifier: Apache-2.0
"""The fault proxy does what it says: else the other tests here prove nothing."""
import contextlib
import socket
import threading
import time

import pytest
from fault_proxy import FROM_SERVER, TO_SERVER, FaultProxy
from processes import LOOPBACK, wait_until


@pytest.fixture
def echo():
    """A server that says everything twice."""
    listener = socket.create_server((LOOPBACK, 0))

    def serve(connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data * 2)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def proxy(echo):
    with FaultProxy(echo) as proxy:
        yield proxy


@pytest.fixture
def client(proxy):
    with socket.create_connection((LOOPBACK, proxy.port), timeout=5) as client:
        yield client


def read(client, size):
    data = b""
    while len(data) < size and (chunk := client.recv(size - len(data))):
        data += chunk
    return data


def test_bytes_pass_as_they_are(proxy, client):
    proxy.record()
    text = bytes(range(256)) * 4000
    threading.Thread(target=client.sendall, args=(text,)).start()
    assert read(client, 2 * len(text)).count(b"\x07") == 8000
    assert proxy.recorded(TO_SERVER) == text
    assert len(proxy.recorded(FROM_SERVER)) == 2 * len(text)


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_reset_arrives_after_so_many_bytes(proxy, client, after):
    proxy.arm(FROM_SERVER, after)
    client.sendall(b"abc")
    proxy.wait_sprung()
    with pytest.raises(ConnectionResetError):
        assert client.recv(10) == b"abcabc"[:after] and after
        client.recv(10)
    assert proxy.links() == 0


def test_a_fin_ends_both(proxy, client):
    proxy.arm(TO_SERVER, 2, "fin")
    client.sendall(b"abc")
    assert read(client, 100) in (b"", b"abab")
    wait_until(lambda: proxy.links() == 0, 5)


def test_a_half_close_leaves_the_other_direction(proxy, client):
    proxy.arm(TO_SERVER, 2, "half")
    client.sendall(b"abc")
    assert read(client, 100) == b"abab"


def test_a_black_hole_says_nothing(proxy, client):
    proxy.arm(FROM_SERVER, 2, "blackhole")
    client.sendall(b"abc")
    assert read(client, 2) == b"ab"
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert proxy.links() == 1 and proxy.cut_all() == 1


def test_one_byte_is_corrupted_once(proxy, client):
    proxy.arm(TO_SERVER, 1, "corrupt")
    client.sendall(b"abc")
    assert read(client, 6) == b"a\x9dca\x9dc"
    client.sendall(b"abc")
    assert read(client, 6) == b"abcabc"


def test_bytes_may_trickle_and_be_late(proxy, client):
    proxy.trickle, proxy.delay = 1, 0.05
    began = time.monotonic()
    client.sendall(b"a" * 100)
    assert read(client, 200) == b"a" * 200
    # Late both ways, and a hundred bytes go a millisecond apart.
    assert time.monotonic() - began >= 2 * proxy.delay + 0.099


def test_who_is_refused_is_reset_and_who_is_hushed_waits(proxy):
    proxy.refuse = True
    with pytest.raises(ConnectionResetError), socket.create_connection((LOOPBACK, proxy.port), timeout=5) as one:
        one.recv(1)
    proxy.refuse, proxy.hush = False, True
    with socket.create_connection((LOOPBACK, proxy.port), timeout=0.2) as one, pytest.raises(TimeoutError):
        one.sendall(b"abc")
        one.recv(1)
