# SPDX-License-Identifier: Apache-2.0
"""node-postgres with its cursors, streams and COPY: the cases of tests/clients/node, directly and through leasehold."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import programs  # noqa: E402
import pytest  # noqa: E402
from clients import USER, sides  # noqa: E402, F401

UNSEEN = "statements are shared by text and by the settings that the server reports; this one it does not"
ANEW = "a text prepared anew is given the backend's statement of the same text, made before the table was"
# What does not pass through leasehold, and why.
DIFFERENCES = {
    "a setting of the session decides what a text means": UNSEEN,
    "a setting of the transaction decides what a text means": UNSEEN,
    "a setting of one session's transaction decides nothing for another": UNSEEN,
    "a temporary table hides another for texts prepared after it": ANEW,
    "a table that comes first in the search_path hides another": ANEW,
}


@pytest.fixture(scope="module")
def server(postgres):
    postgres.query(f"CREATE ROLE reader; GRANT reader TO {USER}")
    return postgres


def test_node_postgres_does_through_leasehold_what_it_does_directly(sides):  # noqa: F811
    programs.compare(sides, programs.node(), at_least=55, differs=DIFFERENCES)
