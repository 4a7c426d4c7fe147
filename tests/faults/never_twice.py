# SPDX-License-Identifier: Apache-2.0
"""Never twice, of both dialects: a backend is killed some microseconds before or after a request was sent to it, again and
again; each request's rows are counted, and each claim about it is held against them."""
import collections
import os
import random
import time

KILLS = 10_000 if os.environ.get("LEASEHOLD_LONG") else 1_000
EARLIEST, LATEST = -1500, 2500  # microseconds: the kill's, as seen from the request


class Duel:
    """A session, its only backend, and who kills that. A dialect has: ways (name → what sends INSERTs of one number and reads
    the reply), aim() → what kills the backend when it is called, missed() (waits until the killer is done), UNKNOWN, LOST."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.told = {}
        self.counted = collections.Counter()

    def fight(self, kills):
        for number in range(1, kills + 1):
            kill = self.aim()
            send, read = self.ways[number % len(self.ways)]
            moment = self.dice.randint(EARLIEST, LATEST) / 1e6
            first, second = (kill, lambda: send(number)) if moment < 0 else (lambda: send(number), kill)
            first()
            wanted = time.perf_counter() + abs(moment)
            while time.perf_counter() < wanted:
                pass
            second()
            self.told[number] = read()
            self.counted[self.told[number] or "done"] += 1
            self.missed()

    def wrong(self, rows):
        """What was told and is not so. `rows`: number → how many there are."""
        allowed = {None: (1,), self.LOST: (0,), self.UNKNOWN: (0, 1)}
        found = [f"{number}: told {code or 'success'}, and it is there {rows.get(number, 0)} times"
                 for number, code in self.told.items() if rows.get(number, 0) not in allowed.get(code, ())]
        print(dict(self.counted))
        return found + [f"{number} is there, and nobody asked for it" for number in rows if number not in self.told]
