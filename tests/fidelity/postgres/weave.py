# SPDX-License-Identifier: Apache-2.0
"""Weaves a program of a seed: several sessions, each with pieces of the families drawn for it, interleaved step by step.

A piece is a list of steps; `@family(name)` registers a function that draws one from a Draw. Pieces are put into
transactions and savepoints here, which commit or roll back, so that every family is tried in them."""
import collections
import random
import re

from core.program import Program, Step

FAMILIES = {}
DRAW = ("INSERT", "COPY", "EXECUTE", "hidden_next", "note_twice", "nextval", "setval")  # numbers of sequences, maybe
NAMES = ("nextval(", "setval(", "currval(", "lastval(")
READING = re.compile(r"(SET|SESSION|LOCAL) standard_conforming|set_config\('standard_conforming")  # pins: README of the dialect
WITHIN = 0.35     # of the pieces are in a transaction
LENGTH = 64       # steps that are drawn; some are left out when they are played,
LENGTH_TWO = 110  # more where a session often has to wait for others
STARTS = (("application_name", ("fidelity", "other")), ("options", ("-c work_mem=3MB", "-c a.b=began -c search_path=s1")),
          ("DateStyle", ("German", "SQL, DMY")), ("TimeZone", ("Asia/Tokyo",)), ("search_path", ("s2, public",)))


def family(name, outside=False):
    """Registers a family; `outside`: its pieces manage transactions themselves."""
    def register(draws):
        FAMILIES.setdefault(name, []).append((draws, outside))
        return draws
    return register


class Draw:
    """What a family draws with: chance, and the steps of one session. `memory` lives as long as the program."""

    def __init__(self, rng, session, sessions):
        self.rng, self.session, self.sessions = rng, session, sessions
        self.choice, self.random, self.randint, self.sample = rng.choice, rng.random, rng.randint, rng.sample
        self.memory = collections.defaultdict(list)
        self.name = ""

    def chance(self, part):
        return self.random() < part

    def step(self, *messages, needs=(), holds=(), frees=(), draws=()):
        # A statement prepared earlier may be an INSERT.
        draw = any(word in str(message) for message in messages for word in DRAW) or any(
            message[0] == "bind" and message[2] for message in messages)
        # Whoever names them keeps its backend for their numbers.
        names = any(word in str(message) for message in messages for word in NAMES)
        reads = any(READING.search(str(message).replace("\\", "")) for message in messages)
        holds = tuple(dict.fromkeys((*holds, *(("sequence",) if names else ()), *(("reading",) if reads else ()))))
        return Step(self.session, self.name, tuple(messages), frozenset(needs), holds, tuple(frees),
                    (*draws, "sequence") if draw else tuple(draws))

    def simple(self, *statements, **more):
        """One Query, of several statements perhaps."""
        return self.step(("query", "; ".join(statements)), **more)

    def extended(self, sql, values=(), binary=False, **more):
        """The unnamed statement, executed at once or after a boundary."""
        start = [("parse", "", sql)] + ([("describe", "S", ""), ("sync",)] if self.chance(0.2) else [])
        return self.step(*start, ("bind", "", "", tuple(values), binary), ("describe", "P", ""), ("execute", "", 0),
                         ("sync",), **more)

    def run(self, sql, **more):
        """By any path of the protocol."""
        way = self.random()
        if way < 0.45:
            return self.simple(sql, **more)
        if way < 0.8:
            return self.extended(sql, **more)
        if way < 0.9:
            return self.step(("parse", "", sql), ("bind", "", "", (), False), ("execute", "", 0), ("parse", "", "SELECT 1"),
                             ("bind", "", "", (), False), ("execute", "", 0), ("sync",), **more)
        return self.simple("SELECT 'first'", sql, **more)

    def mixed(self, statements, **more):
        """Statements that belong together: in one string, or one after the other."""
        if self.chance(0.25):
            return [self.simple(*statements, **more)]
        return [self.run(sql, **more) for sql in statements]


def _within(draw, steps):
    """The steps in a transaction, with a savepoint or an error perhaps."""
    begin = draw.choice(["BEGIN", "START TRANSACTION", "BEGIN ISOLATION LEVEL REPEATABLE READ"])
    body = list(steps)
    if draw.chance(0.35):
        back = draw.choice(["ROLLBACK TO SAVEPOINT sp", "ROLLBACK TO sp", "RELEASE SAVEPOINT sp"])
        at = draw.randint(0, len(body))
        body = [*body[:at], draw.run("SAVEPOINT sp"), *body[at:], draw.run(back)]
        again = [step for step in steps if not step.holds]  # a lock taken once more would outlast its piece
        if again and draw.chance(0.5):
            body.append(draw.choice(again))
    if draw.chance(0.12):
        body.append(draw.run("SELECT 1 / 0"))
    end = draw.choice(["COMMIT", "COMMIT", "COMMIT", "END", "ROLLBACK", "ROLLBACK", "ABORT"])
    return [draw.run(begin), *body, draw.run(end)]


def _piece(draw, names):
    draw.name = draw.choice(names)
    draws, outside = draw.choice(FAMILIES[draw.name])
    steps = draws(draw)
    if not outside and draw.chance(WITHIN):
        return _within(draw, steps)
    return steps


def _starts(rng, sessions, plain):
    starts = []
    for _ in range(sessions):
        start = []
        if not plain and rng.random() < 0.5:
            start = [(name, rng.choice(values)) for name, values in rng.sample(STARTS, rng.choice([1, 1, 2]))]
        starts.append(tuple(start))
    return tuple(starts)


def generate(seed, two=False, only=None, plain=False):
    """The program of a seed. `only`: the families to draw from. `plain`: no session brings parameters of its own."""
    rng = random.Random(f"{seed} {'two' if two else 'random'}")
    names = sorted(only or FAMILIES)
    chosen = rng.sample(names, min(len(names), rng.choice([3, 4, 5])))
    sessions = rng.randint(3, 5) if two else rng.randint(3, 6)
    draws = [Draw(rng, n, sessions) for n in range(sessions)]
    waiting = [collections.deque() for _ in range(sessions)]
    steps, busy, length = [], set(), LENGTH_TWO if two else LENGTH
    while len(steps) < length or any(waiting):
        drawing = len(steps) < length
        able = [n for n in range(sessions) if drawing or waiting[n]]
        if two and len(busy) >= 2:
            able = [n for n in able if n in busy] or able
        number = rng.choice(able)
        if not waiting[number]:
            waiting[number].extend(_piece(draws[number], chosen))
        steps.append(waiting[number].popleft())
        (busy.add if waiting[number] else busy.discard)(number)
    steps += _closing(draws, chosen)
    start = _starts(rng, sessions, plain or not {"settings", "resets"} & set(chosen))
    return Program(f"seed {seed}", start, tuple(steps), two)


def _closing(draws, chosen):
    """What every session has at the end; a listener's last notifications."""
    steps = []
    for draw in draws:
        draw.name = "transactions" if "transactions" in chosen else chosen[0]
        steps.append(draw.simple("ROLLBACK"))
        steps.append(draw.simple("SELECT current_setting('search_path'), current_user, current_setting('work_mem')"))
        if "listen" in chosen:
            draw.name = "listen"
            steps.append(draw.step(("drain",), needs=("idle",)))
    return steps
