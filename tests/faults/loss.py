# SPDX-License-Identifier: Apache-2.0
"""What both loss tables share: a request is played once whole to see its messages, and then once for each place where it
can be cut; what the client was told is held against what the server has."""
import dataclasses
import itertools
import os
from typing import Callable

from fault_proxy import FROM_SERVER, TO_SERVER
from processes import wait_until

EVERY_BYTE = bool(os.environ.get("LEASEHOLD_LONG"))
# What a part may be told beside success: that its transaction is lost; that nobody knows; nothing, for it is done anyway.
LOST, UNKNOWN, NEVER = "lost", "unknown", "never"
NUMBERS = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Part:
    """What one answer of the server is for. `rows`: so many are there for good once it has succeeded."""

    kind: str = LOST
    rows: int = 0


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    request: Callable        # (a row's number, the session) -> bytes
    parts: tuple = (Part(),)
    before: tuple = ()       # statements in front of it, whose replies are read

    def __str__(self):
        return self.name


@dataclasses.dataclass(frozen=True)
class Told:
    """One answer: `code` of its error, if it was one; whether a transaction is open behind it; None: the connection ended."""

    code: object
    in_transaction: object


def places(stream, split):
    """Where a stream of messages is cut: before each, within its head, in its middle and before its last byte."""
    if EVERY_BYTE:
        return list(range(len(stream)))
    cuts, at = set(), 0
    for size in split(stream):
        cuts |= {at, at + 1, at + size // 2, at + size - 1} if size > 2 else {at, at + size - 1}
        at += size
    return sorted(cuts)


class Table:
    """A server, a proxy, a daemon with one backend, a session; and a look at the truth. A dialect has: LOST and UNKNOWN,
    FAILED_STAYS (a transaction that was lost has to be rolled back), LOSS_IS_HEARD_LATER (what was lost behind a whole
    reply is told to the next request, and nothing says so before), BACKEND, split(stream), login(), value(sql), run(sql), send(bytes), told() -> Told, rows(number), serves(pid), and what of
    a whole conversation is the client's: theirs(to_server, from_server, scenario)."""

    def whole(self, scenario):
        """Plays it undisturbed: what passed in both directions, behind the statements before it."""
        number, _ = self.begin(scenario)
        request = scenario.request(number, self.session)
        self.proxy.settle()
        self.proxy.record()
        self.send(request)
        told = [self.told() for _ in scenario.parts]
        passed = self.theirs(self.proxy.recorded(TO_SERVER), self.proxy.recorded(FROM_SERVER), request, scenario)
        if told[-1].in_transaction:
            self.run("ROLLBACK")
        assert self.rows(number) == sum(part.rows for part in scenario.parts), (scenario.name, told)
        return passed

    def begin(self, scenario):
        """The number of a row that nobody used, and of the backend that will be cut."""
        number, backend = next(NUMBERS), self.value(self.BACKEND)
        for sql in scenario.before:
            self.run(sql.format(number))
        return number, backend

    def cut(self, scenario, direction, after, how):
        number, backend = self.begin(scenario)
        request = scenario.request(number, self.session)
        self.proxy.arm(direction, after, how)
        self.send(request)
        told = []
        while len(told) < len(scenario.parts) and (not told or told[-1].in_transaction is not None):
            told.append(self.told())
        self.proxy.wait_sprung()
        # What the server did until it noticed is all it will do.
        wait_until(lambda: not self.serves(backend), 10, "the backend's end")
        possible = self.judge(scenario, how, told)
        if told[-1].in_transaction or self.LOSS_IS_HEARD_LATER:
            self.run("ROLLBACK")
        assert self.rows(number) in possible, (self.rows(number), told)
        assert self.value("SELECT 1") == "1"
        assert not self.daemon.console("SHOW LEASES")

    def judge(self, scenario, how, told):
        """Every part is answered, once, by success or by what its kind may be told. The numbers of rows that may be there."""
        assert len(told) == len(scenario.parts) and told[-1].in_transaction is not None, f"the session did not live: {told}"
        least = most = 0
        lost = False
        for part, one in zip(scenario.parts, told):
            allowed = {LOST: {self.LOST}, UNKNOWN: {self.UNKNOWN}, NEVER: set()}[part.kind]
            assert one.code is None or one.code in allowed | self.servers_own(scenario, how, lost), told
            if one.code in (self.LOST, self.UNKNOWN):
                lost = True
                assert one.in_transaction == (one.code == self.LOST and self.FAILED_STAYS), told
            least += 0 if one.code else part.rows
            most += 0 if one.code == self.LOST else part.rows
        return range(least, most + 1)

    def all_cuts(self, scenario):
        """Each place, one after the other; what was not as promised, in words."""
        streams = dict(zip((TO_SERVER, FROM_SERVER), self.whole(scenario)))
        self.session = self.login()  # what the request left there is no matter of this table
        hows, wrong = itertools.cycle(["reset", "fin", "half"]), []
        for direction, stream in streams.items():
            for after in places(stream, self.split):
                how = next(hows)
                try:
                    self.cut(scenario, direction, after, how)
                except (AssertionError, EOFError, OSError, *self.ERRORS) as error:
                    wrong.append(f"{how} after {after} of {len(stream)} bytes {direction}: {type(error).__name__}:"
                                 f" {str(error)[:300]}")
                    self.session = self.login()
        return wrong
