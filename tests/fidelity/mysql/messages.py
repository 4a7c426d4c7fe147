# SPDX-License-Identifier: Apache-2.0
"""The messages that steps are made of, as tuples: which of them are answered, how they read, and steps of fewer of them.

("query", sql) ("init_db", name) ("ping",) ("set_option", number) ("reset_connection",) ("change_user", database)
("field_list", table) ("infile", sql, data) ("prepare", name, sql) ("execute", name, values, cursor, how)
("long", name, parameter, data) ("reset", name) ("close", name) ("fetch", name, count); alone in a step: ("leave", how),
followed by what is sent before. Names of statements are the session's own; `how` is "types", "again" (without the types,
as drivers send a statement the second time) or "bulk"."""

UNANSWERED = ("long", "close")


def _clip(value):
    shown = repr(value)
    return shown if len(shown) < 300 else f"{shown[:120]}... ({len(shown)} characters)"


def text(messages):
    """One line: query 'SELECT 1'; prepare 'a' 'SELECT ?'; ..."""
    return "; ".join(" ".join([kind, *(_clip(item) for item in rest)]) for kind, *rest in messages)


def smaller(messages):
    """Fewer messages that still are a step: without one of them, or one statement less in a text."""
    if messages[0][0] == "leave":
        return
    for at, message in enumerate(messages):
        if message[0] == "query" and "; " in message[1] and "BEGIN NOT ATOMIC" not in message[1]:
            parts = message[1].split("; ")
            for leave_out in range(len(parts)):
                left = "; ".join(parts[:leave_out] + parts[leave_out + 1:])
                yield [*messages[:at], ("query", left), *messages[at + 1:]]
        if len(messages) > 1:
            yield [*messages[:at], *messages[at + 1:]]
