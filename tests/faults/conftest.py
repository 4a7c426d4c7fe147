# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the fault tests: those over real servers, and proxies that break what passes."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from fault_proxy import FaultProxy  # noqa: E402
from fixtures import *  # noqa: E402, F403
from fixtures import PASSWORD, USER  # noqa: E402
from processes import LOOPBACK  # noqa: E402


@pytest.fixture(scope="module")
def behind():
    """A factory: behind(server) is a fault proxy in front of it."""
    proxies = []

    def make(server):
        proxies.append(FaultProxy(server.port))
        proxies[-1].spare = (b"leasehold control",)  # it may look at the server at any time
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


def url_through(proxy, server, database, **query):
    """The server's URL by way of the proxy."""
    return server.url(database, USER, PASSWORD, **query).replace(f":{server.port}", f":{proxy.port}")


def made(server, database):
    """A fresh server with the tests' user and database."""
    server.create_user(USER, PASSWORD)
    server.create_database(database, owner=USER)
    return server


def two(leasehold, database, first, second, wanted):
    """A daemon whose pool has both servers, of which those with the wanted role will do."""
    url = first.url(database, USER, PASSWORD).replace(f"{LOOPBACK}:{first.port}",
                                                      f"{LOOPBACK}:{first.port},{LOOPBACK}:{second.port}")
    return leasehold(pools={database: {"url": f"{url}?{wanted}", "pool_size": 2, "max_overflow": 0, "pool_timeout": "30s"}})
