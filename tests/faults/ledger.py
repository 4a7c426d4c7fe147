# SPDX-License-Identifier: Apache-2.0
"""The ledger test of both dialects: clients move money between accounts while everything breaks, several times a second; then
each transfer is held against what its client was told."""
import collections
import contextlib
import os
import pathlib
import random
import subprocess
import sys
import time

from conftest import PASSWORD, USER, url_through
from fault_proxy import FROM_SERVER, TO_SERVER
from processes import temp_dir, wait_until

CLIENTS, PROGRAMS, ACCOUNTS, BALANCE = 32, 4, 400, 1000
COMMITS, UNKNOWNS = 5000, 50
LONG = bool(os.environ.get("LEASEHOLD_LONG"))
SECONDS = 120 if LONG else 20
PATIENCE = 150 if LONG else 100  # until there are so many, on a machine that is busy with other things
SEEDS = range(100) if LONG else range(5)
STUCK = 1.0  # seconds until the peers of a black hole, and who waits for a stopped process, hear of it


class Ledger:
    """A server with its daemon, clients and faults. A dialect has NAME, DATABASE, CLIENT, KINDS (fault → its share), create(),
    victims() → backends' ids, connections() → those of the pool, transactions(), locks(), and a method per fault."""

    def __init__(self, leasehold, server, proxy, seed):
        self.server, self.proxy, self.seed = server, proxy, seed
        self.dice = random.Random(seed)
        self.faults, self.told = collections.Counter(), {}
        self.strange = []
        self.create()
        self.daemon = leasehold(pools={self.DATABASE: {
            "url": url_through(proxy, server, self.DATABASE, **self.QUERY), "pool_size": 12, "max_overflow": 4,
            "pool_timeout": "30s", "transaction_timeout": "3s", "quarantine_timeout": "2s", "dial_timeout": "2s"}})

    # --- clients ------------------------------------------------------------------------------------------------------

    def play(self):
        """Clients and faults, until there are enough outcomes of each kind."""
        self.warm()
        folder = pathlib.Path(temp_dir("lh-ledger-"))
        outputs = [folder / str(n) for n in range(PROGRAMS)]
        program = pathlib.Path(__file__).with_name("ledger_clients.py")
        each = CLIENTS // PROGRAMS
        with contextlib.ExitStack() as stack:
            programs = []
            for n, path in enumerate(outputs):
                words = [self.NAME, self.port(), USER, PASSWORD, self.DATABASE, self.seed, 1 + n * each, each, ACCOUNTS]
                programs.append(subprocess.Popen([sys.executable, program, *map(str, words)], stdin=subprocess.PIPE,
                                                 stdout=stack.enter_context(open(path, "w"))))
            try:
                began = time.monotonic()
                while time.monotonic() < began + SECONDS or not self.enough(outputs):
                    if time.monotonic() > began + PATIENCE:
                        break
                    self.fault()
                    time.sleep(self.dice.uniform(0, 0.2))
                self.lasted = time.monotonic() - began
                self.proxy.disarm()
                self.proxy.end_holes()
            finally:
                for one in programs:
                    one.stdin.close()
                for one in programs:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        one.wait(60)
                codes = [one.poll() for one in programs]
                for one in programs:
                    one.kill()
                    one.wait()
        assert codes == [0] * PROGRAMS, f"a client hangs or fell over: {codes}"
        for path in outputs:
            for line in path.read_text().splitlines():
                number, way, outcome, *why = line.split(" ", 3)
                why = "".join(why)
                if why.startswith("!"):
                    self.strange.append(line)
                if number != "0":  # of no transfer
                    self.told.setdefault(int(number), (outcome, way, why))

    def warm(self):
        """One transfer of each kind before the first fault: what a function does is asked when it is called for the first time,
        and a backend that dies between these two takes its session along."""
        said = lambda number, way, outcome, why: self.told.update({number: (outcome, way, why)})  # noqa: E731
        first = self.CLIENT((self.port(), USER, PASSWORD, self.DATABASE), 0, self.dice, ACCOUNTS, said)
        first.session = first.connect()
        for way in first.ways:
            if way != "walk_away":
                getattr(first, way)()
        first.session.drop()

    def enough(self, outputs):
        text = "".join(path.read_text() for path in outputs)
        return text.count(" committed ") >= COMMITS and text.count(" unknown ") >= UNKNOWNS

    # --- faults -------------------------------------------------------------------------------------------------------

    def fault(self):
        kind = self.dice.choices(list(self.KINDS), self.KINDS.values())[0]
        # Each at least once in a run, the rare ones too.
        missing = [one for one in self.KINDS if not self.faults[one]]
        if missing and self.dice.random() < 0.1:
            kind = missing[0]
        if getattr(self, kind)() is not False:
            self.faults[kind] += 1

    def reset(self):
        return self.proxy.strike("reset", self.dice)

    def half(self):
        return self.proxy.strike("half", self.dice)

    def blackhole(self):
        struck = self.proxy.strike("blackhole", self.dice)
        time.sleep(self.dice.uniform(0, STUCK))
        self.proxy.end_holes()
        return struck

    def cut(self):
        """Some bytes later, mostly within a message of one that is at work. Half of a login is to PostgreSQL a wrong password,
        which it still says to a peer that has closed but one half."""
        way = self.dice.choice([TO_SERVER, FROM_SERVER])
        self.proxy.arm(way, self.dice.randrange(3000), self.dice.choice(["reset", "fin"] + ["half"] * (way == FROM_SERVER)))
        with contextlib.suppress(AssertionError):
            self.proxy.wait_sprung(0.5)
        return self.proxy.sprung

    def terminate(self):
        victims = self.victims()
        if not victims:
            return False
        with contextlib.suppress(*self.GONE):
            self.server.terminate(self.dice.choice(victims))
        return True

    def restart(self):
        self.server.stop()
        time.sleep(self.dice.uniform(0, 0.5))
        self.server.start()

    # --- the end ------------------------------------------------------------------------------------------------------

    def judge(self):
        """What was told is true; what is left on the server; in words."""
        outcomes = collections.Counter(outcome for outcome, _, _ in self.told.values())
        codes = collections.Counter(f"{outcome} {why.split(' ')[0]}".strip() for outcome, _, why in self.told.values())
        print(f"seed {self.seed}, {self.lasted:.0f} s: {dict(codes)}; faults: {dict(self.faults)}")
        wrong = [f"what no client should meet: {line}" for line in self.strange]
        there = collections.Counter(row[0] for row in self.rows("SELECT id FROM transfers"))
        for number, (outcome, way, why) in self.told.items():
            allowed = {"committed": (1,), "failed": (0,), "unknown": (0, 1)}[outcome]
            if there[number] not in allowed:
                wrong.append(f"{number} ({way}) is there {there[number]} times; its client was told: {outcome} {why}")
        wrong += [f"{number} is there, and nobody made it" for number in there if number not in self.told]
        wrong += self.accounts()
        for what, least in (("committed", COMMITS), ("unknown", UNKNOWNS)):
            if outcomes[what] < least:
                wrong.append(f"only {outcomes[what]} are {what}: this run shows nothing")
        if sum(self.faults.values()) < self.lasted or not all(self.faults[kind] for kind in self.KINDS):
            wrong.append(f"too few faults: {dict(self.faults)}")
        return wrong + self.leftovers()

    def accounts(self):
        """Each has what its transfers left it, and all have what they had together."""
        balances = dict.fromkeys(range(ACCOUNTS), BALANCE)
        for source, target, amount in self.rows("SELECT source, target, amount FROM transfers"):
            balances[source] -= int(amount)
            balances[target] += int(amount)
        found = {number: int(balance) for number, balance in self.rows("SELECT id, balance FROM accounts")}
        assert sum(balances.values()) == ACCOUNTS * BALANCE
        return [f"account {number} has {found.get(number)} where its transfers left {balance}"
                for number, balance in balances.items() if found.get(number) != balance]

    def leftovers(self):
        left = []
        for what, none in (("transactions", self.transactions), ("locks", self.locks)):
            try:
                wait_until(lambda none=none: not none(), 10, what)
            except TimeoutError:
                left.append(f"{what} left on the server: {none()}")
        try:
            wait_until(lambda: self.daemon.console("SHOW LEASES") == [] and self.counted() == self.connections(), 10, "the pool")
        except TimeoutError:
            left.append(f"the pool says {self.counted()}, the server {self.connections()}; {self.daemon.console('SHOW LEASES')}")
        return left

    def counted(self):
        """Backends of the pool by their server's ids, where the pool's own figures agree with its list."""
        servers = sorted(int(row["remote_pid"]) for row in self.daemon.console("SHOW SERVERS"))
        pools = [row for row in self.daemon.console("SHOW POOLS") if row["database"] == self.DATABASE]
        figures = sum(int(row[name]) for row in pools for name in ("sv_active", "sv_idle", "sv_tested", "sv_login"))
        return servers if figures == len(servers) else f"{figures}: {servers}"


def run(ledger):
    ledger.play()
    wrong = ledger.judge()
    assert not wrong, "\n".join([f"{len(wrong)} are wrong; the first of them:", *wrong[:40]])
