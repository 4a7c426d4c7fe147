# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the fault tests: those over real servers, and proxies that break what passes."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from fault_proxy import FaultProxy  # noqa: E402
from fixtures import *  # noqa: E402, F403
from fixtures import PASSWORD, USER  # noqa: E402


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
