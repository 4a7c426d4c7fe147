# SPDX-License-Identifier: Apache-2.0
"""A session of MariaDB or MySQL behind leasehold is a session: the differential test of tests/fidelity, for the families that
are clean, and the proof that it would notice. Those that are not clean yet are listed in tests/fidelity/README.md."""
import os
import pathlib
import sys

import pytest
from sid import for_tests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fidelity"))

from core.play import compare_runs  # noqa: E402
from core.trial import Trial  # noqa: E402
from mysql.carriers import CARRIERS, OTHERS_ROLE  # noqa: E402
from mysql.dialect import Dialect  # noqa: E402
from mysql.places import Direct, Server, ThroughLeasehold  # noqa: E402

PROGRAMS = 200 if os.environ.get("LEASEHOLD_LONG") else 16


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def server(request):
    if request.param == "mysql":
        server = for_tests("MySQL 9.7", lambda: Server("mysql"))
    else:
        server = Server("mariadb")
    yield server
    server.close()


@pytest.fixture
def through(server):
    """A factory: a daemon with those switches on, in front of the server."""
    started = []

    def start(*switches, **options):
        started.append(ThroughLeasehold(server, switches=("move", *switches), **options))
        return started[-1]

    yield start
    for target in started:
        print(target.daemon.log_text()[-4000:])
        target.close()
    assert not [target.daemon.complaint for target in started if target.daemon.complaint]


@pytest.mark.parametrize("mode", ["random", "two"])
def test_what_a_client_sees_is_what_a_dedicated_connection_shows(server, through, mode):
    two, dialect = mode == "two", Dialect(server.flavour)
    trial = Trial(dialect, Direct(server), through(two=two), two=two, only=dialect.clean(two))
    report = trial.run(1, PROGRAMS)
    print(report.summary())
    assert not report.differences
    assert report.unfit == 0
    # Steps that a correct pooler could not serve at once are left out; what is left must still be a program.
    assert report.steps >= 40 * report.programs
    if PROGRAMS >= 200:
        assert min(report.families[name] for name in dialect.clean(two)) >= 20


def test_a_role_ends_with_the_session_that_chose_it(server, through):
    """No reset of the servers' own takes it back."""
    assert compare_runs(OTHERS_ROLE, Direct(server), through(two=True))[1] is None


@pytest.mark.parametrize("switch", CARRIERS)
def test_without_a_carrier_the_measure_is_red(server, through, switch):
    program = CARRIERS[switch]
    assert compare_runs(program, Direct(server), through())[1] is None
    assert compare_runs(program, Direct(server), through(switch))[1] is not None
