# SPDX-License-Identifier: Apache-2.0
"""The messages that steps are made of, as tuples: their bytes, how many replies they have, how they read.

("query", sql) ("parse", name, sql) ("bind", statement, portal, values, binary) ("describe", "S" or "P", name)
("execute", portal, limit) ("close", "S" or "P", name) ("flush",) ("sync",) ("call", oid, values) ("copy", data)
("copy done",) ("copy fail", reason); alone in a step: ("drain",), and ("leave", how) followed by what is sent before."""
import struct

import pgwire

ANSWERED = ("query", "sync", "call")  # by a ReadyForQuery


def _call(oid, values):
    body = struct.pack("!Ihh", oid, 0, len(values))
    for value in values:
        raw = str(value).encode()
        body += struct.pack("!i", len(raw)) + raw
    return pgwire.message(b"F", body + struct.pack("!h", 0))


ENCODERS = {
    "query": pgwire.query,
    "parse": pgwire.parse,
    "bind": lambda statement, portal, values, binary: pgwire.bind(statement, portal, values, (), (1,) if binary else ()),
    "describe": pgwire.describe,
    "execute": pgwire.execute,
    "close": pgwire.close,
    "flush": lambda: pgwire.FLUSH,
    "sync": lambda: pgwire.SYNC,
    "call": _call,
    "copy": pgwire.copy_data,
    "copy done": lambda: pgwire.COPY_DONE,
    "copy fail": pgwire.copy_fail,
}


def encode(messages):
    return b"".join(ENCODERS[kind](*rest) for kind, *rest in messages)


def replies(messages):
    return sum(message[0] in ANSWERED for message in messages)


def _clip(value):
    shown = repr(value)
    return shown if len(shown) < 300 else f"{shown[:120]}... ({len(shown)} characters)"


def text(messages):
    """One line: Q 'SELECT 1'; P 'a' 'SELECT $1'; ..."""
    short = {"query": "Query", "parse": "Parse", "bind": "Bind", "describe": "Describe", "execute": "Execute",
             "close": "Close", "sync": "Sync", "flush": "Flush", "call": "FunctionCall"}
    return "; ".join(" ".join([short.get(kind, kind), *(_clip(item) for item in rest)]) for kind, *rest in messages)


def smaller(messages):
    """Fewer messages that still are a step: without one of them, or one statement less in a string."""
    for at, message in enumerate(messages):
        if messages[0][0] == "leave":
            return
        if message[0] == "query" and "; " in message[1]:
            parts = message[1].split("; ")
            for leave_out in range(len(parts)):
                left = "; ".join(parts[:leave_out] + parts[leave_out + 1:])
                yield [*messages[:at], ("query", left), *messages[at + 1:]]
        rest = [*messages[:at], *messages[at + 1:]]
        ended = not rest or rest[-1][0] in (*ANSWERED, "copy done", "copy fail")
        if len(messages) > 1 and ended and replies(rest):
            yield rest
