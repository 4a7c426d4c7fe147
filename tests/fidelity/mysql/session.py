# SPDX-License-Identifier: Apache-2.0
"""One connection of a run: sends the messages of a step one by one, reads each reply whole, and turns it into a list of
what is compared.

Not compared: numbers of connections and of prepared statements, and what servers and leasehold offer in their greeting."""
import contextlib
import struct

import mybinary
import mywire
from mysql import replies

PATIENCE = 12.0  # for a reply
CAPABILITIES = {"found_rows": mywire.FOUND_ROWS, "multi": 1 << 16, "deprecate_eof": mywire.DEPRECATE_EOF,
                "session_track": replies.SESSION_TRACK}
ALWAYS = mywire.MULTI_RESULTS | 1 << 18 | 1 << 7  # PS_MULTI_RESULTS, LOCAL_FILES
CURSOR_EXISTS = 0x40


class _Raw(mywire.Connection):
    """Whose packets are whole payloads, in order."""

    def payload(self):
        return mybinary.read_long(self)

    def _authenticate(self, plugin, password, scramble):
        """As its own, but the last OK is kept."""
        super()._authenticate(plugin, password, scramble)
        self.welcome = self.last

    def send(self, payload, sequence=None):
        super().send(payload, sequence)
        self.sequence = (self.sequence if sequence is None else sequence) + 1

    def read(self):
        expected = self.sequence
        self.last = super().read()
        if (self.sequence - 1) & 255 != expected & 255:
            raise mywire.Closed(f"a packet's number is {self.sequence - 1} in place of {expected}")
        return self.last


class Session:
    """`greeting` is what came back to the login. `start`: pairs of names and values, of CAPABILITIES (anything but 0),
    `database`, `charset`, `all_told` (what the tracker says of the login is compared)."""

    def __init__(self, port, user, password, number, start=()):
        start = dict(start)
        self.user, self.password, self.number = user, password, number
        self.alive, self.status, self.id = True, 0, None
        self.statements, self.greeting = {}, []
        self.capabilities = ALWAYS | sum(bit for name, bit in CAPABILITIES.items() if start.get(name))
        self.eof = not self.capabilities & mywire.DEPRECATE_EOF
        self.charset = start.get("charset", 45)
        self.database = start.get("database", "main_0000")  # as far as the tracker has said
        self.connection = _Raw(port, timeout=PATIENCE)
        self.connection.capabilities = self.capabilities
        self.address = self.connection.socket.getsockname()
        try:
            self.connection.login(user, password, self._own(self.database) or None, self.capabilities,
                                  charset=self.charset)
            self.id = self.connection.greeting["id"]
            seen, self.status = replies.ok(self.connection.welcome, self.capabilities)
            del seen["warnings"]  # MariaDB has a number there that is left from somebody else
            if not start.get("all_told"):
                seen.pop("tracked", None)
                seen["status"] = replies.flags(self.status & ~replies.STATE_CHANGED)
            self.greeting.append(("login", seen))
            # As are warnings, FOUND_ROWS() and ROW_COUNT() before a statement with a table.
            self._converse(("query", "SELECT word FROM main_0000.items WHERE id = 1"), self.greeting)
        except mywire.ServerError as error:
            self._refused(("error", {"code": error.code, "message": replies.message(error)}))
        except (mywire.Closed, OSError) as error:
            self._refused(("closed", str(error)))

    def _refused(self, why):
        self.greeting.append(why)
        self.drop()

    def _own(self, text):
        """In the databases of this run."""
        return text.replace("main_0000", f"main_{self.number:04}").replace("next_0000", f"next_{self.number:04}")

    @property
    def in_transaction(self):
        return bool(self.status & mywire.STATUS_IN_TRANS)

    def drop(self):
        self.alive = False
        self.connection.drop()

    # --- a step -------------------------------------------------------------------------------------------------------

    def perform(self, messages, _like=None):
        if not self.alive:
            return []
        if messages[0][0] == "leave":
            return self._leave(messages[0][1], messages[1:])
        seen = []
        for message in messages:
            try:
                self._converse(message, seen)
            except TimeoutError:
                self.drop()
                seen.append(("timeout", f"no reply within {PATIENCE:g} s"))
            except mywire.Closed as why:
                self.drop()
                seen.append(("closed", "the connection" if "closed after 0" in str(why) else str(why)))
            except OSError:
                self.drop()
                seen.append(("closed", "the connection"))
            if not self.alive:
                break
            if self.connection.inbox:
                seen.append(("message", ("more than the reply", bytes(self.connection.inbox[:40]))))
        return seen

    def _converse(self, message, seen):
        kind, *rest = message
        if kind in ("prepare", "execute", "long", "reset", "close", "fetch"):
            getattr(self, f"_{kind}")(seen, *rest)
            return
        self._send(message)
        if kind == "change_user":
            self._change(seen)
        elif kind == "field_list":
            self._fields(seen)
        elif kind == "set_option":
            self._option(seen)
        else:
            self._result(seen, data=rest[1] if kind == "infile" else b"")
        if kind in ("init_db", "set_option") and seen[-1][0] == "ok":
            seen[-1][1].pop("warnings", None)  # MySQL's are of the statement before

    def _send(self, message):
        kind, *rest = message
        texts = {"query": mywire.COM_QUERY, "infile": mywire.COM_QUERY, "init_db": mywire.COM_INIT_DB, "field_list": 4}
        if kind in texts:
            tail = b"\0" if kind == "field_list" else b""
            mybinary.send_long(self.connection, bytes([texts[kind]]) + self._own(rest[0]).encode() + tail)
        elif kind == "ping":
            self._command(mywire.COM_PING)
        elif kind == "set_option":
            self._command(0x1B, struct.pack("<H", rest[0]))
        elif kind == "reset_connection":
            self._command(mywire.COM_RESET_CONNECTION)
            self.statements.clear()
        elif kind == "change_user":
            plugin = self.connection.plugin
            self._command(mywire.COM_CHANGE_USER, self.user.encode() + b"\0\0" + self._own(rest[0]).encode() + b"\0"
                          + struct.pack("<H", self.charset) + plugin.encode() + b"\0")
            self.statements.clear()

    def _command(self, code, body=b""):
        mybinary.send_long(self.connection, bytes([code]) + body)

    def _leave(self, how, last):
        """In one of the ways to leave; `last`: messages that are sent before, and not waited for."""
        self.alive = False
        with contextlib.suppress(OSError):
            for message in last:
                self._send(message)
            if how == "quit":
                self.connection.command(mywire.COM_QUIT)
            elif how == "half":
                self.connection.socket.sendall(b"\x20\0\0\0\3SELECT 'never sent")
            elif how == "patient":  # waits for the answer, of which it reads nothing
                self.connection.socket.settimeout(2)
                self.connection.socket.recv(1)
            if how == "reset":
                self.connection.reset()
        self.connection.drop()
        return []

    # --- replies ------------------------------------------------------------------------------------------------------

    def _result(self, seen, binary=False, data=b""):
        """All results of a command."""
        while True:
            head = self.connection.payload()
            if head[0] == 0xFF:
                seen.append(("error", replies.error(head)))
                return
            if head[0] == 0xFB and len(head) > 1:
                seen.append(("infile", replies.told(head[1:])))
                self._upload(data)
                continue
            if head[0] == 0:
                self._ok(seen, "ok", head)
            elif not self._rows_of(seen, mywire.lenenc(head, 0)[0], binary):
                return
            if not self.status & mywire.STATUS_MORE_RESULTS:
                return

    def _ok(self, seen, aspect, body):
        told, self.status = replies.ok(body, self.capabilities)
        self._without_news(told)
        seen.append((aspect, told))

    def _without_news(self, told):
        """A server goes to the database of a routine or of a prepared statement and back again: no news to anybody."""
        if "tracked" not in told:
            return
        told["tracked"] = [entry for entry in told["tracked"] if entry != ("database", self.database)]
        self.database = next((entry[1] for entry in told["tracked"] if entry[0] == "database"), self.database)
        if not told["tracked"]:
            del told["tracked"]
            told["status"] = replies.flags(self.status & ~replies.STATE_CHANGED)

    def _end(self, seen, aspect, body):
        """EOF, or what stands in its place."""
        if self.eof:
            warnings, self.status = struct.unpack_from("<HH", body, 1)
            # An EOF has no room for what was changed; in front of rows leasehold knows nothing of their plan and warnings.
            early = aspect == "columns' end"
            hidden = replies.STATE_CHANGED | (replies.PLAN | mywire.STATUS_MORE_RESULTS if early else 0)
            if not early and self.status & replies.OUT_PARAMETERS:  # MySQL has this only in front of the row
                hidden |= replies.OUT_PARAMETERS | mywire.STATUS_MORE_RESULTS
            told = {"status": replies.flags(self.status & ~hidden)}
            seen.append((aspect, told if early else {**told, "warnings": warnings}))
        else:
            self._ok(seen, aspect, body)

    def _definitions(self, seen, count, prepared=False):
        """Of rows, or of a statement that was prepared: such a reply has no status, whatever stands in its EOF."""
        seen.append(("columns", [replies.column(self.connection.payload()) for _ in range(count)]))
        if self.eof and count:
            body = self.connection.payload()
            if not prepared:
                self._end(seen, "columns' end", body)

    def _rows_of(self, seen, count, binary):
        """False: an error ended them."""
        self._definitions(seen, count)
        before = self.status if self.eof else 0
        if binary and before & CURSOR_EXISTS:
            return True
        whole = self._rows(seen, binary)
        if before & replies.OUT_PARAMETERS:  # MySQL says only in front of them that an OK follows
            self.status |= mywire.STATUS_MORE_RESULTS
        return whole

    def _rows(self, seen, binary):
        bodies = []
        while True:
            body = self.connection.payload()
            failed = body[0] == 0xFF
            if failed or (body[0] == 0xFE and len(body) < (9 if self.eof else 0xFFFFFF)):
                break
            bodies.append(body)
        if bodies:
            seen.append(("rows", replies.rows(bodies, binary)))
        if failed:
            seen.append(("error", replies.error(body)))
        else:
            self._end(seen, "end", body)
        return not failed

    def _upload(self, data):
        if data:
            self.connection.send(data)
        self.connection.send(b"")

    def _fields(self, seen):
        columns = []
        while True:
            body = self.connection.payload()
            if body[0] == 0xFF:
                seen.append(("error", replies.error(body)))
                return
            if body[0] == 0xFE:
                seen.append(("columns", columns))
                self._end(seen, "end", body)
                return
            columns.append(replies.column(body))

    def _option(self, seen):
        body = self.connection.payload()
        if body[0] == 0xFF:
            seen.append(("error", replies.error(body)))
        else:
            self._end(seen, "ok", body) if body[0] == 0xFE else self._ok(seen, "ok", body)

    def _change(self, seen):
        try:
            self.connection._authenticate(self.connection.plugin, self.password, b"")
            self._ok(seen, "ok", self.connection.welcome)
        except mywire.ServerError as error:
            seen.append(("error", {"code": error.code, "message": replies.message(error)}))

    # --- prepared statements ------------------------------------------------------------------------------------------

    def _prepare(self, seen, name, sql):
        statement = self.statements.pop(name, None)
        if statement:
            self._command(mybinary.CLOSE, struct.pack("<I", statement["id"]))
        self._command(mybinary.PREPARE, self._own(sql).encode())
        head = self.connection.payload()
        if head[0] == 0xFF:
            seen.append(("error", replies.error(head)))
            return
        number, columns, parameters, _, warnings = struct.unpack_from("<IHHBH", head, 1)
        seen.append(("prepared", {"columns": columns, "parameters": parameters, "warnings": warnings}))
        for count in filter(None, (parameters, columns)):
            self._definitions(seen, count, prepared=True)
        self.statements[name] = {"id": number, "long": set()}

    def _number(self, name):
        """Of a statement that is not there: one that no server has given."""
        return self.statements[name]["id"] if name in self.statements else 0x7FFFFFF0

    def _execute(self, seen, name, values=(), cursor=0, how="types"):
        body = struct.pack("<IBI", self._number(name), cursor, 1)
        if values:
            nulls = bytearray((len(values) + 7) // 8)
            long = self.statements[name]["long"] if name in self.statements else set()
            for n, value in enumerate(values):
                if value is None and n not in long:
                    nulls[n // 8] |= 1 << n % 8
            body += bytes(nulls) + bytes([how == "types"])
            kinds = [mybinary.BLOB if n in long else 6 if value is None else mybinary.kind_of(value)
                     for n, value in enumerate(values)]
            if how == "types":
                body += b"".join(bytes([kind, 0]) for kind in kinds)
            body += b"".join(mybinary.value_of(self._value(value)) for n, value in enumerate(values)
                             if value is not None and n not in long)
            long.clear()
        self._command(mybinary.EXECUTE, body)
        self._result(seen, binary=True)

    def _value(self, value):
        return self._own(value) if isinstance(value, str) else value

    def _long(self, _seen, name, parameter, data):
        if name in self.statements:
            self.statements[name]["long"].add(parameter)
        self._command(mybinary.LONG_DATA, struct.pack("<IH", self._number(name), parameter) + data)

    def _reset(self, seen, name):
        if name in self.statements:
            self.statements[name]["long"].clear()
        self._command(mybinary.RESET, struct.pack("<I", self._number(name)))
        self._result(seen)

    def _close(self, _seen, name):
        self._command(mybinary.CLOSE, struct.pack("<I", self._number(name)))
        self.statements.pop(name, None)

    def _fetch(self, seen, name, count):
        self._command(mybinary.FETCH, struct.pack("<II", self._number(name), count))
        head = self.connection.payload()
        if head[0] == 0xFF:
            seen.append(("error", replies.error(head)))
            return
        bodies = []
        while head[0] == 0:
            bodies.append(head)
            head = self.connection.payload()
        if bodies:
            seen.append(("rows", replies.rows(bodies, True)))
        if head[0] == 0xFF:
            seen.append(("error", replies.error(head)))
        else:
            self._end(seen, "end", head)
