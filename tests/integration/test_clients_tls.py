# SPDX-License-Identifier: Apache-2.0
"""Clients of other languages inside TLS, which they verify: directly, and through leasehold, which verifies the server."""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import clients  # noqa: E402
import programs  # noqa: E402
import pytest  # noqa: E402
from certificates import Certificates  # noqa: E402
from processes import LOOPBACK, temp_dir  # noqa: E402
from servers import Postgres  # noqa: E402

# Parts of the names of cases: bulk both ways, many connections, cancel requests, errors at login.
CASES = {
    "java": ["over many transactions, binary", "takes rows in and gives them out, rew", "bytea of 1 MB, rew", "by another thread",
             "twenty connections at a time, rew", "are refused"],
    "node": ["COPY", "5 MB", "cancelled", "pool of twenty", "are refused", "a stream of", "a pipeline"],
    "go": ["COPY", "bytea of 5 MB", "a context cancels", "a pool of twenty", "refused"],
    "php": ["COPY", "bytea", "large objects", "cancelled", "twenty connections", "are refused", "asynchronous"],
}


@pytest.fixture(scope="module")
def certificates():
    folder = temp_dir("lh-ca-")
    yield Certificates(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(certificates):
    """A PostgreSQL that refuses whoever comes without TLS."""
    cert, key = certificates.issue("localhost", ips=[LOOPBACK], owner="postgres")
    with Postgres(settings={"ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key},
                  hba=[f"hostnossl all all {LOOPBACK}/32 reject"]) as made:
        made.create_user(clients.USER, clients.PASSWORD)
        made.create_database(clients.DATABASE, owner=clients.USER)
        yield made


@pytest.fixture
def tls_sides(server, leasehold, certificates):
    """As clients.sides, with TLS on every leg."""
    cert, key = certificates.issue("localhost", ips=[LOOPBACK])

    def both():
        yield clients.direct_side(server)
        clients.fresh_database(server)
        url = server.url(clients.DATABASE, clients.USER, clients.PASSWORD, sslmode="verify-full", sslrootcert=certificates.ca)
        daemon = leasehold(pools={clients.DATABASE: {"url": url, **clients.POOL}}, start=False)
        daemon.config["listen"][0]["tls"] = {"mode": "require", "cert": cert, "key": key}
        daemon.write_config()
        daemon.start()
        with clients.busy(lambda: daemon.connect(clients.DATABASE, clients.USER, clients.PASSWORD), table="elsewhere.busy"):
            yield clients.Side("leasehold", daemon.port, server, daemon)

    return both()


@pytest.mark.parametrize("language", CASES)
def test_clients_verify_leasehold_and_leasehold_the_server(tls_sides, certificates, language):
    programs.compare(tls_sides, getattr(programs, language)(), at_least=6, only=CASES[language], PGSSLMODE="verify-full",
                     PGSSLROOTCERT=certificates.ca, NODE_EXTRA_CA_CERTS=certificates.ca)
