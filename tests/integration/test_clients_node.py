# SPDX-License-Identifier: Apache-2.0
"""node-postgres with its cursors, streams and COPY: the cases of tests/clients/node, directly and through leasehold."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import pinning  # noqa: E402
import programs  # noqa: E402
import pytest  # noqa: E402
from clients import USER, sides  # noqa: E402, F401


@pytest.fixture(scope="module")
def server(postgres):
    postgres.query(f"CREATE ROLE reader; GRANT reader TO {USER}")
    return postgres


def test_node_postgres_does_through_leasehold_what_it_does_directly(sides):  # noqa: F811
    programs.compare(sides, programs.node(), at_least=55, pins=pinning.NODE)
