# SPDX-License-Identifier: Apache-2.0
"""What a reply says, taken apart into what is compared: OK with all its numbers, flags, text and what the session tracker
reports; columns with all that describes them; rows; the end of rows; errors.

The databases of a run end in its number, of four digits; what comes back has 0000 in its place."""
import hashlib
import re
import struct

import mywire

SESSION_TRACK = 1 << 23
STATE_CHANGED = 1 << 14
OUT_PARAMETERS = 1 << 12
PLAN = 0x30  # NO_GOOD_INDEX_USED, NO_INDEX_USED
UNKNOWN_COMMAND, MALFORMED = 1047, 1835
MOST_LONG, BLOBS = 65532, (250, 251, 253)  # of a user variable that no number was given to
MANY = 40  # rows: more are compared by a digest

FLAGS = {1: "in transaction", 2: "autocommit", 8: "more results", 0x10: "no good index", 0x20: "no index", 0x40: "cursor",
         0x80: "last row", 0x100: "database dropped", 0x200: "no backslash escapes", 0x400: "metadata changed",
         0x800: "slow", 0x1000: "OUT parameters", 0x2000: "read only", 0x4000: "state changed", 0x8000: "ANSI quotes"}
KINDS = {0: "variable", 1: "database", 2: "state", 3: "GTIDs", 4: "characteristics", 5: "transaction"}
NUMBERED = re.compile(rb"(main|next)_[0-9]{4}")
NUMBERS = re.compile(r"(?<=statement )\(\d+\)|(?<=handler )\(\d+\)|(?<= given to )\w+")
OF_A_ROW = re.compile(r" at row [01]$")  # of a routine's argument it is left from the statement before in MariaDB
SIGNED = re.compile(r" \(leasehold session \d+\)\.?")


def plain(data):
    """The same in every run."""
    return NUMBERED.sub(rb"\1_0000", data) if b"_" in data else data


def told(data):
    return plain(data).decode(errors="backslashreplace")


def flags(status):
    return ", ".join(name for bit, name in FLAGS.items() if status & bit)


def _string(body, at):
    size, at = mywire.lenenc(body, at)
    return body[at:at + (size or 0)], at + (size or 0)


def _tracked(data):
    """Entries as (kind, value...); of variables the name and the value."""
    entries, at = [], 0
    while at < len(data):
        kind = data[at]
        inner, at = _string(data, at + 1)
        values, within = [], 0
        if kind in (0, 1, 2, 4, 5):
            while within < len(inner):
                value, within = _string(inner, within)
                values.append(told(value))
        else:
            values.append(told(inner))
        entries.append((KINDS.get(kind, kind), *values))
    return sorted(entries, key=repr)


def ok(body, capabilities):
    """(what is compared, status) of an OK, or of the OK that ends rows."""
    affected, at = mywire.lenenc(body, 1)
    insert_id, at = mywire.lenenc(body, at)
    status, warnings = struct.unpack_from("<HH", body, at)
    at += 4
    told_of = status if capabilities & SESSION_TRACK else status & ~STATE_CHANGED
    seen = {"affected": affected, "insert id": insert_id, "status": flags(told_of), "warnings": warnings}
    if capabilities & SESSION_TRACK:
        info, at = _string(body, at) if at < len(body) else (b"", at)
        if status & STATE_CHANGED and at < len(body):
            seen["tracked"] = _tracked(_string(body, at)[0])
    else:
        info = body[at:]
    if info:
        seen["info"] = told(info)
    return seen, status


def message(failed):
    """Without the numbers of statements and of leasehold's sessions, and the server's function that refused."""
    return SIGNED.sub("", NUMBERS.sub("(n)", told(failed.message.encode()))).rstrip(".")


def error(body):
    failed = mywire.ServerError(body)
    if failed.code == MALFORMED or failed.message.startswith("Incorrect arguments to mysqld_stmt_execute"):
        return {"code": MALFORMED}  # MariaDB has a word of its own for an EXECUTE without its values
    state = None if failed.code == UNKNOWN_COMMAND else failed.sqlstate  # pools throw a connection away for 08S01
    return {"code": failed.code, "state": state, "message": OF_A_ROW.sub("", message(failed))}


def column(body):
    """Catalog, database, table, its own name, name, its own name; character set, length, type, flags, decimals."""
    texts, at = [], 0
    for _ in range(6):
        value, at = _string(body, at)
        texts.append(told(value))
    numbers = struct.unpack_from("<HIBHB", body, at + 1)
    if texts[4].startswith("@") and numbers[1] >= MOST_LONG and numbers[2] in BLOBS:
        return (*texts[1:], "a text, or no value")  # MySQL knows a variable that any text has named
    return (*texts[1:], *numbers)


def row(body, binary):
    if binary:
        return plain(body)
    values, at = [], 0
    while at < len(body):
        size, at = mywire.lenenc(body, at)
        values.append(None if size is None else told(body[at:at + size]))
        at += size or 0
    return tuple(values)


def rows(bodies, binary):
    """The rows, or how many they are and a digest."""
    if len(bodies) > MANY or sum(map(len, bodies)) > 20000:
        return len(bodies), hashlib.sha256(b"".join(plain(body) for body in bodies)).hexdigest()[:16]
    return [row(body, binary) for body in bodies]
