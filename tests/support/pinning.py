# SPDX-License-Identifier: Apache-2.0
"""What the client suites may pin: everything that a client does in them passes without a pin but for these cases, whose
purpose is state that keeps its backend. Each is named with its reasons, as the metric leasehold_pool_pins_total has them."""

TEMPORARY, HELD, LOCK = "temporary object", "cursor WITH HOLD", "session advisory lock"
NUMBER, LARGE = "currval() or lastval()", "prepared statement too large to be carried"
SET = "SET"  # how texts are read; so little time for a statement that carrying it could fail
ENCODING = "client_encoding whose characters the lexer cannot tell apart"

# Tests, by their names without parameters.
TESTS = {
    "test_temporary_tables_advisory_locks_and_reset": {TEMPORARY, LOCK},           # asyncpg
    "test_server_side_cursors_scroll_and_are_held_over_a_commit": {HELD},          # psycopg
    "test_temporary_tables_and_settings_last_as_long_as_the_session": {TEMPORARY},
    "test_named_cursors_scroll_and_are_held": {HELD},
}

# Programs of other languages, case by case.
JAVA = {
    "a cursor WITH HOLD outlives its transaction": {HELD},
    "a statement of 2 MB and one of 30,000 parameters": {LARGE},
    "a temporary table that lives as long as its transaction": {TEMPORARY},        # and one of the session
    "advisory locks of transactions and of sessions": {LOCK},
    "lastval in a session that took no number": {NUMBER},
    "sequences, currval and lastval": {NUMBER},
    "statement_timeout ends a statement and its transaction": {SET},
}
GO = {
    "a connection of the pool keeps what it was told": {TEMPORARY},
}
NODE = {
    "a setting of the session decides what a text means": {SET},
    "a temporary table hides another for texts prepared after it": {TEMPORARY},
    "a temporary table of the session": {TEMPORARY},
    "literals with a backslash under standard_conforming_strings": {SET},
}
PHP = {
    "a temporary table of the session": {TEMPORARY},
    "an encoding whose characters end in a backslash": {ENCODING},
    "the last identifier of a sequence after its transaction": {NUMBER},
    "the last identifier of a sequence in a transaction": {NUMBER},
}
SQLALCHEMYS_OWN_SUITE = {TEMPORARY, NUMBER}  # what it makes to reflect it; sequences
