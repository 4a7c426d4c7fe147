# SPDX-License-Identifier: Apache-2.0
"""PHP's PDO and its pgsql functions: the cases of tests/clients/php, directly and through leasehold."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import pinning  # noqa: E402
import programs  # noqa: E402
from clients import server, sides  # noqa: E402, F401

# What does not pass through leasehold, and why.
DIFFERENCES = {}
# What depends on the backend that serves next.
VARIES = {
    "the last identifier of a sequence after its transaction":
        "the number stays with the backend that took it, until the session has asked for one: 55000 before",
}


def test_php_does_through_leasehold_what_it_does_directly(sides):  # noqa: F811
    programs.compare(sides, programs.php(), at_least=55, differs=DIFFERENCES, varies=VARIES, pins=pinning.PHP)
