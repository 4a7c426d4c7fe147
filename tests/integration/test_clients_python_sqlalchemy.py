# SPDX-License-Identifier: Apache-2.0
"""What applications do with SQLAlchemy 1.4 (Debian's) and 2 (sid's) over psycopg2, psycopg and asyncpg, directly and
through leasehold; the cases are clients/sqlalchemy/cases.py."""
import pathlib

import pytest
from clients import assert_same_outcomes, outcomes, run, server, sides  # noqa: F401
from sid import for_tests, sqlalchemy2_path

CASES = pathlib.Path(__file__).resolve().parents[1] / "clients/sqlalchemy/cases.py"


@pytest.mark.parametrize("version, driver", [("1.4", "psycopg2"), ("1.4", "asyncpg"), ("2.0", "psycopg2"), ("2.0", "psycopg"),
                                             ("2.0", "asyncpg")])
def test_sqlalchemy_does_through_leasehold_what_it_does_directly(sides, version, driver):
    path = "" if version == "1.4" else for_tests("SQLAlchemy 2", sqlalchemy2_path)
    told = []
    for side in sides:
        done = run(["/usr/bin/python3", "-B", "-W", "ignore", CASES, driver, side.url(f"postgresql+{driver}")],
                   env=side.environment(PYTHONPATH=path))
        print(done.stdout[-8000:], done.stderr[-8000:])
        assert done.stdout.startswith(f"SQLAlchemy {version}"), done.stderr
        told.append(outcomes(done))
    assert_same_outcomes(*told, at_least=16)
