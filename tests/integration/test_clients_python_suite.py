# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy's own test suite for dialects (clients/sqlalchemy), directly and through leasehold at the same time: what
passes directly passes through, while three other sessions keep the pool busy."""
import os
import pathlib
import subprocess
import xml.etree.ElementTree

import pinning
import pytest
from clients import USER, assert_same_outcomes, direct_side, leasehold_side
from processes import temp_dir
from sid import for_tests, sqlalchemy2_path

SUITE = pathlib.Path(__file__).resolve().parents[1] / "clients/sqlalchemy"
SECONDS = 800
IN_EVERY_RUN = [("1.4", "psycopg2", 580), ("1.4", "asyncpg", 580), ("2.0", "psycopg", 1400)]
IN_LONG_RUNS = [("2.0", "psycopg2", 1400), ("2.0", "asyncpg", 1400)]


def start(side, driver, path, folder):
    report = os.path.join(folder, f"{side.name}.xml")
    command = ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "--tb=line", f"--junitxml={report}",
               "--dburi", side.url(f"postgresql+{driver}"), "test_suite.py"]
    # The suite tries any one of a set of isolation levels: the same one on both sides.
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
    with open(os.path.join(folder, side.name), "wb") as output:
        return report, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=SUITE,
                                        env=environment)


def read(report):
    """Test → "" or why it failed; what was skipped is left out."""
    told = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        if case.find("skipped") is None:
            wrong = [each for each in case if each.tag in ("failure", "error")]
            told[f"{case.get('classname')}::{case.get('name')}"] = (wrong[0].get("message") or "failed")[:300] if wrong else ""
    return told


def databases(server, name):
    for database in (f"{name}_direct", f"{name}_through"):
        server.create_database(database, owner=USER)
        server.query(f"CREATE SCHEMA test_schema AUTHORIZATION {USER}; CREATE EXTENSION hstore", database=database)
        yield database


@pytest.mark.parametrize("version, driver, at_least", IN_EVERY_RUN + (IN_LONG_RUNS if "LEASEHOLD_LONG" in os.environ else []),
                         ids=lambda value: str(value))
def test_what_passes_directly_passes_through_leasehold(postgres, leasehold, version, driver, at_least):
    path = "" if version == "1.4" else for_tests("SQLAlchemy 2", sqlalchemy2_path)
    folder = temp_dir()
    one, two = databases(postgres, f"suite{version[0]}_{driver}")
    with leasehold_side(postgres, leasehold, database=two, pause=0.02) as through:
        through.may_pin.update(pinning.SQLALCHEMYS_OWN_SUITE)
        runs = [start(side, driver, path, folder) for side in (direct_side(postgres, one), through)]
        try:
            for _, process in runs:
                process.wait(SECONDS)
        finally:
            for _, process in runs:
                process.kill()
                process.wait()
    try:
        direct, passed_on = (read(report) for report, _ in runs)
    except (OSError, xml.etree.ElementTree.ParseError):
        pytest.fail("\n".join(pathlib.Path(folder, name).read_text()[-3000:] for name in ("direct", "leasehold")))
    assert_same_outcomes(direct, passed_on, at_least)
