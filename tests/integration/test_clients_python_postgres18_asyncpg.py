# SPDX-License-Identifier: Apache-2.0
"""Debian 12's asyncpg in front of PostgreSQL 18 (sid's), directly and through leasehold."""
import test_clients_python_asyncpg as cases
from clients import side  # noqa: F401
from test_clients_python_asyncpg import notes, play  # noqa: F401
from test_clients_python_postgres18 import server  # noqa: F401

for name in ["the_statement_cache_serves_many_texts_over_many_backends", "statements_that_are_prepared_by_hand",
             "errors_leave_a_connection_that_works", "values_of_many_types_there_and_back", "executemany_is_all_or_nothing",
             "transactions_nest_commit_and_roll_back", "cursors_are_read_in_portions",
             "a_statement_is_cancelled_and_times_out", "copies_of_records_tables_and_queries",
             "settings_at_the_start_and_by_set"]:
    globals()[f"test_{name}"] = getattr(cases, f"test_{name}")
