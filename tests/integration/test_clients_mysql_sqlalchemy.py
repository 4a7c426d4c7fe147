# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy 1.4 (Debian's) and 2 (sid's) over PyMySQL and mysqlclient: the cases of clients/mysql/sqlalchemy, and
SQLAlchemy's own test suite for dialects, directly and through leasehold, on both servers."""
import os
import pathlib
import subprocess
import xml.etree.ElementTree

import pytest
from clients import USER, assert_same_outcomes, outcomes, run
from mysql_clients import direct_side, leasehold_side, sides  # noqa: F401
from processes import temp_dir
from sid import for_tests, sqlalchemy2_path

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "clients/mysql/sqlalchemy"
SECONDS = 800
LONG = "LEASEHOLD_LONG" in os.environ
CASES = [("1.4", "pymysql"), ("2.0", "mysqldb")]
ALL_CASES = [(version, driver) for version in ("1.4", "2.0") for driver in ("pymysql", "mysqldb")]
ALL_SUITES = [(server, version, driver) for server in ("mariadb", "mysql97") for version in ("1.4", "2.0")
              for driver in ("pymysql", "mysqldb")]


def path_of(version):
    return "" if version == "1.4" else for_tests("SQLAlchemy 2", sqlalchemy2_path)


@pytest.mark.parametrize("version, driver", ALL_CASES if LONG else CASES)
def test_sqlalchemy_does_through_leasehold_what_it_does_directly(sides, version, driver):  # noqa: F811
    told = []
    for side in sides:
        done = run(["/usr/bin/python3", "-B", "-W", "ignore", FOLDER / "cases.py", side.url(f"mysql+{driver}")],
                   env=side.environment(PYTHONPATH=path_of(version)))
        print(done.stdout[-8000:], done.stderr[-8000:])
        assert done.stdout.startswith(f"SQLAlchemy {version}"), done.stderr
        told.append(outcomes(done))
    assert_same_outcomes(*told, at_least=17)


def suite(side, driver, path, folder):
    """Test → "" or why it failed; what was skipped is left out."""
    report = os.path.join(folder, f"{side.name}.xml")
    command = ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "--tb=line", f"--junitxml={report}",
               "--dburi", side.url(f"mysql+{driver}", charset="utf8mb4"), "test_suite.py"]
    # The suite tries any one of a set of isolation levels: the same one on both sides.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=FOLDER, timeout=SECONDS,
                          check=False, env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"})
    try:
        cases = list(xml.etree.ElementTree.parse(report).iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        pytest.fail(f"{side.name}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    told = {}
    for case in cases:
        if case.find("skipped") is None:
            wrong = [each for each in case if each.tag in ("failure", "error")]
            told[f"{case.get('classname')}::{case.get('name')}"] = (wrong[0].get("message") or "failed")[:300] if wrong else ""
    return told


@pytest.mark.skipif(not LONG, reason="SQLAlchemy's own suite on MySQL and MariaDB: tests/run --long")
@pytest.mark.parametrize("name, version, driver", ALL_SUITES)
def test_what_passes_of_sqlalchemys_suite_directly_passes_through_leasehold(request, leasehold, name, version, driver):
    server, path, folder = request.getfixturevalue(name), path_of(version), temp_dir()
    told = []

    def perform(side):
        server.query("DROP DATABASE IF EXISTS test_schema")
        server.create_database("test_schema", owner=USER)
        told.append(suite(side, driver, path, folder))

    perform(direct_side(server))
    with leasehold_side(server, leasehold, pause=0.02) as through:
        perform(through)
    assert_same_outcomes(*told, at_least=400)
