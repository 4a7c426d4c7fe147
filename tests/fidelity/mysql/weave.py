# SPDX-License-Identifier: Apache-2.0
"""Weaves a program of a seed: several sessions, each with pieces of the families drawn for it, interleaved step by step.

A piece is a list of steps; `@family(name)` registers a function that draws one from a Draw. Pieces are put into
transactions and savepoints here, which commit or roll back, so that every family is tried in them."""
import collections
import random

from core.program import Program, Step

FAMILIES = {}
WITHIN = 0.3      # of the pieces are in a transaction
LENGTH = 64       # steps that are drawn; some are left out when they are played,
LENGTH_TWO = 110  # more where a session often has to wait for others
STARTS = (("found_rows", (1,)), ("multi", (1,)), ("deprecate_eof", (1,)), ("session_track", (1,)))
SELDOM = (("database", ("next_0000",)), ("charset", (8, 33)))


def family(name, outside=False, flavour=None):
    """Registers a family; `outside`: its pieces manage transactions themselves; `flavour`: of that server alone."""
    def register(draws):
        FAMILIES.setdefault(name, []).append((draws, outside, flavour))
        return draws
    return register


class Draw:
    """What a family draws with: chance, and the steps of one session."""

    def __init__(self, rng, session, start, flavour, several=True):
        self.rng, self.session, self.start, self.flavour = rng, session, dict(start), flavour
        self.mariadb = flavour == "mariadb"
        self.choice, self.random, self.randint, self.sample = rng.choice, rng.random, rng.randint, rng.sample
        self.several = several and bool(self.start.get("multi"))  # statements in one text
        self.own = f"main_0000.own_{session}"
        self.name = ""

    def chance(self, part):
        return self.random() < part

    def step(self, *messages, needs=(), holds=(), frees=()):
        return Step(self.session, self.name, tuple(messages), frozenset(needs), tuple(holds), tuple(frees))

    def simple(self, *statements, **more):
        """COM_QUERY, of several statements perhaps."""
        return self.step(("query", "; ".join(statements)), **more)

    def binary(self, sql, values=(), **more):
        """Prepared, executed and closed at once."""
        return self.step(("prepare", "at once", sql), ("execute", "at once", tuple(values)), ("close", "at once"), **more)

    def run(self, sql, **more):
        """By any path of the protocol."""
        way = self.random()
        if way < 0.55:
            return self.simple(sql, **more)
        if way < 0.8:
            return self.binary(sql, **more)
        if self.several:
            return self.simple(*self.choice([("SELECT 'first'", sql), (sql, "SELECT 'last'")]), **more)
        return self.simple(sql, **more)

    def mixed(self, statements, **more):
        """Statements that belong together: in one text if the client may, or one after the other."""
        if self.several and self.chance(0.4):
            return [self.simple(*statements, **more)]
        return [self.run(sql, **more) for sql in statements]


def _within(draw, steps):
    """The steps in a transaction, with a savepoint or an error perhaps."""
    begin = draw.choice(["BEGIN", "START TRANSACTION", "START TRANSACTION WITH CONSISTENT SNAPSHOT", "BEGIN WORK"])
    body = list(steps)
    if draw.chance(0.3):
        back = draw.choice(["ROLLBACK TO SAVEPOINT sp", "ROLLBACK TO sp", "RELEASE SAVEPOINT sp"])
        at = draw.randint(0, len(body))
        body = [*body[:at], draw.simple("SAVEPOINT sp"), *body[at:], draw.simple(back)]
    if draw.chance(0.12):
        body.append(draw.run("SELECT * FROM no_such_table"))
    end = draw.choice(["COMMIT", "COMMIT", "COMMIT", "COMMIT WORK", "ROLLBACK", "ROLLBACK"])
    return [draw.simple(begin), *body, draw.simple(end)]


def _piece(draw, names):
    fitting = {name: [one for one in FAMILIES[name] if one[2] in (None, draw.flavour)] for name in names}
    draw.name = draw.choice([name for name in names if fitting[name]])
    draws, outside, _ = draw.choice(fitting[draw.name])
    steps = draws(draw)
    if not outside and draw.chance(WITHIN):
        return _within(draw, steps)
    return steps


def _start(rng, plain):
    if plain:
        return ()
    start = [(name, rng.choice(values)) for name, values in STARTS if rng.random() < 0.5]
    return tuple(start + [(name, rng.choice(values)) for name, values in SELDOM if rng.random() < 0.1])


def generate(flavour, seed, two=False, only=None, plain=False):
    """The program of a seed. `only`: the families to draw from. `plain`: no session logs in in its own way."""
    rng = random.Random(f"{seed} {'two' if two else 'random'}")
    names = sorted(only or FAMILIES)
    chosen = rng.sample(names, min(len(names), rng.choice([3, 4, 5])))
    sessions = rng.randint(3, 5) if two else rng.randint(3, 6)
    starts = tuple(_start(rng, plain) + ((("all_told", 1), ("charset", 224)) if "logins" in chosen else ()) for _ in range(sessions))
    several = not two or "multi" in chosen  # SET and USE among others pin
    draws = [Draw(rng, n, starts[n], flavour, several) for n in range(sessions)]
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
    return Program(f"seed {seed}", starts, tuple(steps + _closing(draws, chosen)), two)


def _closing(draws, chosen):
    """What every session has at the end."""
    steps = []
    for draw in draws:
        draw.name = "transactions" if "transactions" in chosen else chosen[0]
        steps += [draw.simple("ROLLBACK"), draw.simple("SELECT DATABASE(), @@time_zone, @@sql_mode, @@autocommit")]
    return steps
