# SPDX-License-Identifier: Apache-2.0
"""lib/pq with Go's database/sql: the cases of tests/clients/go, directly and through leasehold."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import pinning  # noqa: E402
import programs  # noqa: E402
from clients import server, sides  # noqa: E402, F401


def test_lib_pq_does_through_leasehold_what_it_does_directly(sides):  # noqa: F811
    programs.compare(sides, programs.go(), at_least=45, pins=pinning.GO)
