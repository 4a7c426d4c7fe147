# SPDX-License-Identifier: Apache-2.0
"""Plays a program: first on dedicated connections, which decides what of it can be sent without anybody waiting for
anybody, then what was sent again elsewhere, up to the first difference."""
import dataclasses

from core.compare import Difference, difference


class Unfit(Exception):
    """The program waits for something on dedicated connections already: nothing can be said about it."""


@dataclasses.dataclass
class Played:
    step: object
    number: int          # of the step in the program, from 1
    seen: list           # what came back: (aspect, value)
    logged_in: bool = False


class _Sessions:
    """The connections of one run; each is opened by the first step that needs it."""

    def __init__(self, program, place):
        self.program, self.place = program, place
        self.open = {}

    def perform(self, step, like=None):
        """What came back, a login included; `like` is what came back to the same step elsewhere."""
        session = self.open.get(step.session)
        seen, logged_in = [], False
        if session is None:
            session = self.open[step.session] = self.place.open(self.program.starts[step.session])
            seen, logged_in = list(session.greeting), True
        seen += session.perform(step.messages, like)
        if not session.alive:
            del self.open[step.session]
            self.place.gone(session)
        return seen, logged_in

    def holds_transaction(self, number):
        session = self.open.get(number)
        return session is not None and session.in_transaction

    def close(self):
        for session in self.open.values():
            session.drop()


def held_by(step, session):
    """Names of state that keeps a backend from this step on; what is marked by ? does where the session is peculiar."""
    peculiar = session is None or getattr(session, "peculiar", False)
    return tuple(name.removesuffix("?") for name in step.holds if peculiar or not name.endswith("?"))


class _Holdings:
    """Which session has state that keeps a backend, as far as the steps say."""

    def __init__(self):
        self.of = {}
        self.dropped = {}  # in transactions that are still open: a rollback would bring it back
        self.held = {}     # names that are held now, whatever a rollback brings back
        self.unknown = {}  # what the session has drawn before it held it

    def knows(self, step):
        return not any(need.removeprefix("known:") in self.unknown.get(step.session, ()) for need in step.needs)

    def note(self, step, seen, session):
        holds = held_by(step, session)
        mine = self.of.setdefault(step.session, set())
        self._note_draws(step, holds, seen, session)
        dropped = self.dropped.setdefault(step.session, set())
        mine.update(holds)
        dropped.difference_update(holds)
        if not any(aspect == "error" for aspect, _ in seen):
            dropped.update(mine if "*" in step.frees else step.frees)
        if ("tag", "ROLLBACK") in seen:
            dropped.clear()
        if session is None or not session.in_transaction:
            mine.difference_update(dropped)
            dropped.clear()
        if session is None or not mine:
            self.of.pop(step.session, None)

    def _note_draws(self, step, holds, seen, session):
        held, unknown = self.held.setdefault(step.session, set()), self.unknown.setdefault(step.session, set())
        held.update(holds)
        unknown.update(name for name in step.draws if name not in held)
        if not any(aspect == "error" for aspect, _ in seen):
            everything = "*" in step.frees
            unknown.difference_update(unknown.copy() if everything else holds + step.frees)
            held.difference_update(held.copy() if everything else step.frees)
        if session is None:
            held.clear()
            unknown.clear()


def _permitted(program, step, sessions, holdings):
    """Whether a correct pooler can serve the step at once."""
    if not holdings.knows(step):
        return False
    if "within" in step.needs and not sessions.holds_transaction(step.session):
        return False
    if "idle" in step.needs and sessions.holds_transaction(step.session):
        return False
    others = [n for n in range(len(program.starts)) if n != step.session]
    transactions = {n for n in others if sessions.holds_transaction(n)}
    pinned = {n for n in others if n in holdings.of}
    if ("alone" in step.needs and transactions) or ("quiet" in step.needs and (transactions or pinned)):
        return False
    if not program.two:
        return True
    return len(transactions | pinned) <= 1 and not (pinned and held_by(step, sessions.open.get(step.session)))


def lead(program, place):
    """The steps that were sent, with what came back."""
    sessions, holdings, trace = _Sessions(program, place), _Holdings(), []
    try:
        for number, step in enumerate(program.steps, 1):
            if not _permitted(program, step, sessions, holdings):
                continue
            seen, logged_in = sessions.perform(step)
            if any(aspect == "timeout" for aspect, _ in seen):
                raise Unfit(f"step {number} of {program.name} waits on a dedicated connection")
            trace.append(Played(step, number, seen, logged_in))
            holdings.note(step, seen, sessions.open.get(step.session))
        return trace
    finally:
        sessions.close()


def follow(program, trace, place):
    """The first Difference, or None."""
    sessions = _Sessions(program, place)
    try:
        for at, played in enumerate(trace):
            seen, _ = sessions.perform(played.step, played.seen)
            found = difference(played.seen, seen)
            if found:
                aspect, expected, got = found
                return Difference(at, played.step.family, aspect, expected, got)
        return None
    finally:
        sessions.close()


def compare_runs(program, direct, other):
    """Plays the program in both places, each made anew: (trace, the first Difference or None)."""
    with direct.fresh() as place:
        trace = lead(program, place)
    with other.fresh() as place:
        return trace, follow(program, trace, place)
