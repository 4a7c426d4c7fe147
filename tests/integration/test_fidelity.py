# SPDX-License-Identifier: Apache-2.0
"""A session behind leasehold is a session: the differential test of tests/fidelity, for the families that are clean, and
the proof that it would notice. The families that are not clean yet are listed in tests/fidelity/README.md."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fidelity"))

from core.play import compare_runs  # noqa: E402
from core.trial import Trial  # noqa: E402
from postgres import dialect  # noqa: E402
from postgres.carriers import CARRIERS  # noqa: E402
from postgres.places import Direct, Server, ThroughLeasehold, ThroughPgbouncer  # noqa: E402

PROGRAMS = 200 if os.environ.get("LEASEHOLD_LONG") else 20
WITHOUT = ("settings", "prepared", "temp", "advisory", "listen")  # what pgbouncer does not carry


@pytest.fixture(scope="module")
def server():
    server = Server()
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
    two = mode == "two"
    trial = Trial(dialect, Direct(server), through(two=two), two=two, only=dialect.clean(two))
    report = trial.run(1, PROGRAMS)
    print(report.summary())
    assert not report.differences
    assert report.unfit == 0
    # Steps that a correct pooler could not serve at once are left out; what is left must still be a program.
    assert report.steps >= 40 * report.programs
    if PROGRAMS >= 200:
        assert min(report.families[name] for name in dialect.clean(two)) >= 20


@pytest.mark.parametrize("switch", CARRIERS)
def test_without_a_carrier_the_measure_is_red(server, through, switch):
    program = CARRIERS[switch]
    assert compare_runs(program, Direct(server), through())[1] is None
    # What an audit finds is carried though its own carrier is off.
    off = (switch, "no_audit") if switch.startswith("no_pin") else (switch,)
    assert compare_runs(program, Direct(server), through(*off))[1] is not None


@pytest.fixture(scope="module")
def pgbouncer(server):
    target = ThroughPgbouncer(server)
    yield target
    target.close()


@pytest.mark.parametrize("family", WITHOUT)
def test_before_pgbouncer_in_transaction_mode_the_measure_is_red(server, pgbouncer, family):
    trial = Trial(dialect, Direct(server), pgbouncer, only=[family], shrink=0, plain=True)
    assert any(red(trial, seed) for seed in range(1, 41))


def red(trial, seed):
    try:
        found = trial.one(seed)
    except TimeoutError:  # a lock that it left on a backend: for ever in somebody's way
        return True
    return found is not None and found.aspect != "parameters"
