# SPDX-License-Identifier: Apache-2.0
"""pgjdbc, PostgreSQL's driver for Java: the cases of tests/clients/java, directly and through leasehold."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import pinning  # noqa: E402
import programs  # noqa: E402
import pytest  # noqa: E402
from clients import USER, sides  # noqa: E402, F401

# What depends on the backend that serves next.
VARIES = {
    "lastval in a session that took no number": "the backend remembers the number of its last session",
    "a prepared statement goes on after its table changed": "another backend parses it anew, and the driver is not told",
}


@pytest.fixture(scope="module")
def server(postgres):
    postgres.query(f"CREATE ROLE reader; GRANT reader TO {USER}")
    return postgres


def test_pgjdbc_does_through_leasehold_what_it_does_directly(sides):  # noqa: F811
    programs.compare(sides, programs.java(), at_least=200, varies=VARIES, pins=pinning.JAVA)
