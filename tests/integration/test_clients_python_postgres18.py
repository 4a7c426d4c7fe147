# SPDX-License-Identifier: Apache-2.0
"""Debian 12's clients in front of PostgreSQL 18 (sid's), directly and through leasehold: psql, pgbench, and the cases of
psycopg 3 that its protocol could change. asyncpg's are in test_clients_python_postgres18_asyncpg.py."""
import pytest
import test_clients_python_psycopg as cases
from clients import PASSWORD, USER, run, side  # noqa: F401
from servers import postgres_bin
from sid import PostgreSQL18, for_tests
from test_clients_python_psycopg import connect, notes, threshold  # noqa: F401


@pytest.fixture(scope="module")
def server():
    with for_tests("PostgreSQL 18", PostgreSQL18) as started:
        started.create_user(USER, PASSWORD)
        started.create_database("orders", owner=USER)
        yield started


for name in ["transactions_commit_roll_back_and_nest", "statements_prepared_automatically_go_on_over_many_transactions",
             "errors_leave_a_connection_that_works", "values_of_many_types_there_and_back", "a_pipeline_of_many_statements",
             "an_error_in_a_pipeline_aborts_what_follows_up_to_the_sync", "copy_in_and_out_text_and_binary",
             "copies_that_fail_from_either_side", "server_side_cursors_scroll_and_are_held_over_a_commit",
             "a_statement_is_cancelled_from_another_thread", "two_phase_commit", "asyncio_sessions_side_by_side"]:
    globals()[f"test_{name}"] = getattr(cases, f"test_{name}")


def test_the_server_is_the_newer_one(side, connect):
    assert connect().info.server_version >= 180000


def test_psql_runs_a_script(side, notes):
    done = run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=0", side.url()], input="""
BEGIN; INSERT INTO notes (body) VALUES ('kept'); COMMIT;
BEGIN; INSERT INTO notes (body) VALUES ('undone'); SELECT 1/0; ROLLBACK;
COPY notes (body) FROM STDIN;
copied
\\.
SELECT 'several' \\; SELECT 'at once';
\\d notes
""")
    assert done.returncode == 0 and done.stderr.count("ERROR") == 1, done.stderr
    assert "several\nat once" in done.stdout and "notes_id_seq" in done.stdout
    assert notes() == ["kept", "copied"]


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_runs_its_own_transactions(side, mode):
    filled = run([postgres_bin("pgbench"), "-i", "-q", "-s", "1"], env=side.environment())
    assert filled.returncode == 0, filled.stderr
    done = run([postgres_bin("pgbench"), "-n", "-M", mode, "-c", "8", "-j", "8", "-t", "40"], env=side.environment())
    assert done.returncode == 0 and "actually processed: 320/320" in done.stdout, done.stdout + done.stderr
    assert side.query("SELECT sum(abalance) FROM pgbench_accounts") == side.query("SELECT sum(delta) FROM pgbench_history")
