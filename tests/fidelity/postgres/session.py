# SPDX-License-Identifier: Apache-2.0
"""One connection of a run: sends a step, reads the whole reply, and turns it into a list of what is compared.

Not compared: pids and keys, the place of ParameterStatus among other messages (but every value after each step), where in
the server's source an error arose, object ids beyond those of the system (but which of them are the same)."""
import contextlib
import hashlib
import re
import struct
import time

import pgwire
from postgres.messages import encode, replies

PATIENCE = 12.0          # for a reply
NOTIFICATIONS = 5.0      # for notifications that came on a dedicated connection
FIRST_OID = 16384
MANY = 40                # rows: more are compared by a digest

PLAIN = {"1": "parsed", "2": "bound", "3": "closed", "n": "no data", "s": "suspended", "I": "empty", "c": "copied",
         "W": "copy both"}
UNTOLD = ("F", "L", "R")  # of an error: file, line, routine
# A backend keeps its temporary schema once it had one, empty as it may be: another error for what is not in it.
NOT_IN_PG_TEMP = re.compile(r'schema "pg_temp" does not exist|could not find a function named "pg_temp\..*|'
                            r'(function|type) "?pg_temp\..* does not exist|(table|view|sequence) "\w+" does not exist')


class Names:
    """What differs between two databases of the same making: object ids in the order in which they are met."""

    def __init__(self):
        self.oids = {}

    def oid(self, number):
        return number if number < FIRST_OID else f"object {self.oids.setdefault(number, len(self.oids) + 1)}"

    @staticmethod
    def text(value):
        return re.sub(r"pg_(toast_)?temp_\d+", r"pg_\1temp_N", value) if value and "temp_" in value else value


class Session:
    """`greeting` is what came back to the login."""

    def __init__(self, port, user, database, password, start, names):
        self.names, self.alive, self.status = names, True, b"I"
        self.rows, self.notifications = [], []
        self.greeting = []
        self.connection = pgwire.Connection(port, timeout=PATIENCE)
        self.address = self.connection.socket.getsockname()
        try:
            self.connection.login(user, database, password, **{"application_name": "fidelity", **dict(start)})
            self.greeting.append(("parameters", dict(self.connection.parameters)))
        except pgwire.ServerError as error:
            self._refused(("error", self._fields(error.fields)))
        except (pgwire.Closed, OSError) as error:
            self._refused(("closed", str(error)))
        self.parameters = dict(self.connection.parameters)
        self.pid = self.connection.key[0] if self.connection.key else None

    def _refused(self, why):
        self.greeting.append(why)
        self.alive = False
        self.connection.drop()

    @property
    def in_transaction(self):
        return self.status != b"I"

    @property
    def peculiar(self):
        """It reads and writes in another encoding than the server, in which nobody else can listen for it."""
        return self.parameters.get("client_encoding") != self.parameters.get("server_encoding")

    def drop(self):
        self.alive = False
        self.connection.drop()

    # --- a step -------------------------------------------------------------------------------------------------------

    def perform(self, messages, like=None):
        if not self.alive:
            return []
        if messages[0][0] == "leave":
            return self._leave(messages[0][1], messages[1:])
        if messages[0][0] == "drain":
            return self._drain(like)
        before, seen = dict(self.parameters), []
        self._converse(encode(messages), replies(messages), seen)
        changed = {name: value for name, value in self.parameters.items() if before.get(name) != value}
        if changed:
            seen.append(("parameters", changed))
        return seen

    def _converse(self, data, due, seen):
        try:
            self.connection.send(data)
            while due:
                kind, body = self.connection.read()
                self._take(kind, body, seen)
                due -= kind == "Z"
        except TimeoutError:
            self.drop()
            seen.append(("timeout", f"no reply within {PATIENCE:g} s"))
        except (pgwire.Closed, OSError):
            self.drop()
            seen.append(("closed", "the connection"))
        self._tell_rows(seen)

    def _leave(self, how, last):
        """In one of the ways to leave; `last`: messages that are sent before, and not waited for."""
        seen = []
        self.alive = False
        self.connection.send(encode(last))
        if how == "goodbye":  # what was sent before is to be carried out, and answered
            self.connection.send(pgwire.TERMINATE)
            self._hear_out(seen if replies(last) else [])
        elif how == "terminate":
            self.connection.terminate()
        elif how == "reset":
            self.connection.reset()
        elif how == "half":
            self.connection.send(pgwire.query("SELECT 'never sent whole'")[:9])
        self.connection.drop()
        return seen

    def _hear_out(self, seen):
        with contextlib.suppress(pgwire.Closed, OSError):
            while True:
                self._take(*self.connection.read(), seen)
        self._tell_rows(seen)

    def _drain(self, like):
        """Notifications since the last time. A dedicated connection has them all after a round trip; elsewhere they may
        come later, and as many are waited for as came there."""
        seen = []
        self._converse(pgwire.query("SELECT 'drain'"), 1, seen)
        due = next((len(value) for aspect, value in like or [] if aspect == "notifications"), 0)
        until = time.monotonic() + NOTIFICATIONS
        while self.alive and len(self.notifications) < due and time.monotonic() < until:
            self.connection.socket.settimeout(0.05)
            try:
                self._take(*self.connection.read(), seen)
            except TimeoutError:
                pass
            except (pgwire.Closed, OSError):
                self.drop()
                seen.append(("closed", "the connection"))
        if self.alive:
            self.connection.socket.settimeout(PATIENCE)
        seen.append(("notifications", tuple(self.notifications)))
        self.notifications = []
        return seen

    # --- what came back -----------------------------------------------------------------------------------------------

    def _take(self, kind, body, seen):
        if kind == "D":
            self.rows.append(body)
            return
        if kind == "S":
            name, value = body.split(b"\0")[:2]
            self.parameters[name.decode()] = value.decode()
            return
        if kind == "A":
            channel, payload = body[4:].split(b"\0")[:2]
            self.notifications.append((channel.decode(), payload.decode()))
            return
        self._tell_rows(seen)
        if kind == "Z":
            self.status = body
            seen.append(("status", body.decode()))
        elif kind in "EN":
            seen.append(("error" if kind == "E" else "notice", self._fields(pgwire.fields_of(body))))
        elif kind == "C":
            seen.append(("tag", body[:-1].decode()))
        elif kind == "T":
            seen.append(("columns", self._columns(body)))
        elif kind == "t":
            count = struct.unpack_from("!h", body)[0]
            seen.append(("types", [self.names.oid(oid) for oid in struct.unpack_from(f"!{count}I", body, 2)]))
        elif kind in PLAIN:
            seen.append(("message", PLAIN[kind]))
        elif kind == "d":
            self.rows.append(b"copied " + body)
        else:  # CopyIn, CopyOut and FunctionCall responses, and what nobody expects
            seen.append(("message", (kind, body)))

    def _tell_rows(self, seen):
        rows, self.rows = self.rows, []
        if len(rows) > MANY or sum(map(len, rows)) > 20000:
            seen.append(("rows", (len(rows), hashlib.sha256(b"".join(rows)).hexdigest()[:16])))
        elif rows:
            seen.append(("rows", [self._row(row) for row in rows]))

    def _row(self, body):
        if body.startswith(b"copied "):
            return self.names.text(body[7:].decode(errors="backslashreplace"))
        return tuple(self.names.text(value) for value in pgwire.row_of(body))

    def _fields(self, fields):
        told = {key: self.names.text(value) for key, value in fields.items() if key not in UNTOLD}
        return {"C": "nothing of that name in pg_temp"} if NOT_IN_PG_TEMP.fullmatch(told.get("M", "")) else told

    def _columns(self, body):
        columns, at = [], 2
        for _ in range(struct.unpack_from("!h", body)[0]):
            end = body.index(0, at)
            table, number, kind, size, modifier, form = struct.unpack_from("!IhIhih", body, end + 1)
            columns.append((body[at:end].decode(errors="backslashreplace"), self.names.oid(table), number,
                            self.names.oid(kind), size, modifier, form))
            at = end + 19
        return columns
