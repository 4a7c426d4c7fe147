# SPDX-License-Identifier: Apache-2.0
"""Clients of the ledger test, as a program: threads that move money through leasehold until they are told to stop.

    ledger_clients.py postgres|mysql PORT USER PASSWORD DATABASE SEED FIRST COUNT ACCOUNTS

Its output has a line per transfer: its id, the way it was made, what its client was told (committed, failed, unknown) and by
which error. Its input ends the run. A transfer's id is its client's number times a million and more, so no two are equal.
"""
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import mybinary  # noqa: E402
import mywire  # noqa: E402
import pgwire  # noqa: E402

COMMITTED, FAILED, UNKNOWN = "committed", "failed", "unknown"
PATIENCE = 40  # seconds for a reply: more than leasehold's own limits


def post(number, source, target, amount):
    """What a transfer consists of, where its client does it itself."""
    return (f"UPDATE accounts SET balance = balance + CASE id WHEN {source} THEN -{amount} ELSE {amount} END"
            f" WHERE id IN ({source}, {target})",
            f"INSERT INTO transfers VALUES ({number}, {source}, {target}, {amount})")


class Strange(Exception):
    """Leasehold said what no client of it should hear."""


class Client:
    """One session and its transfers. A dialect has connect(), ways (name → method), ask(sql) → what was told;
    `unknown`: the error of an outcome that nobody knows; `never`: those of ended sessions, and of queues longer than the run."""

    def __init__(self, connect_to, number, dice, accounts, say):
        self.connect_to, self.dice, self.accounts, self.say = connect_to, dice, accounts, say
        self.next = number * 1_000_000
        self.session = None

    def transfer(self):
        self.next += 1
        source, target = self.dice.sample(range(self.accounts), 2)
        return self.next, source, target, self.dice.randint(1, 100)

    def run(self, stop):
        while not stop.is_set():
            way = self.dice.choices(list(self.ways), self.ways.values())[0]
            before = self.next
            try:
                if self.session is None:
                    self.session = self.connect()
                getattr(self, way)()
            except (pgwire.Closed, mywire.Closed, OSError, pgwire.ServerError, mywire.ServerError, Strange) as error:
                # Nobody's session may end here: each is a fault of leasehold, and its transfers are unknown.
                for number in range(before + 1, self.next + 1):
                    self.say(number, way, UNKNOWN, f"!{type(error).__name__} {error}")
                if before == self.next:
                    self.say(0, way, FAILED, f"!{type(error).__name__} {error}")
                    time.sleep(0.1)
                self.session = None

    def heard(self, code, message):
        """An error's code; its message is told with the transfer, for people."""
        self.message = code and f"{code} {message}"
        if code in self.never:
            raise Strange(self.message)
        return code

    def outcome(self, code, committed):
        """What a reply says of its transfer."""
        if code is None and not committed:
            raise Strange("no error and no commit")
        if code is not None and committed:
            return COMMITTED
        return COMMITTED if code is None else UNKNOWN if code == self.unknown else FAILED

    def walk_away(self):
        """It leaves in the middle of a transaction."""
        number, *what = self.transfer()
        code = self.ask("BEGIN")
        for sql in post(number, *what):
            code = code or self.ask(sql)
        self.say(number, "walk_away", FAILED, self.message or "")
        self.session.drop() if self.dice.random() < 0.5 else self.session.reset()
        self.session = None

    def steps(self):
        """Statement by statement. COMMIT alone may have an outcome that nobody knows."""
        number, *what = self.transfer()
        for sql in ("BEGIN", *post(number, *what)):
            code = self.ask(sql)
            if code is not None:
                if code == self.unknown:
                    raise Strange(f"{self.message} of {sql.split()[0]}, which commits nothing")
                self.say(number, "steps", FAILED, self.message)
                return self.clear()
        code = self.ask("COMMIT")
        self.say(number, "steps", self.outcome(code, code is None), self.message or "")
        return self.clear() if code else None

    def clear(self):
        code = self.ask("ROLLBACK")
        if code is not None:
            raise Strange(f"{self.message} of ROLLBACK")
        return None


class Postgres(Client):
    unknown, never = "40003", ("53300", "57P01", "42P05")
    ways = {"steps": 4, "text": 2, "pipeline": 3, "alone": 3, "prepared": 3, "twins": 2, "walk_away": 0.2}
    # No function: what one may leave behind could end its session.
    at_once = ("WITH moved AS (UPDATE accounts SET balance = balance + CASE id WHEN {1} THEN -{3} ELSE {3} END"
               " WHERE id IN ({1}, {2})) INSERT INTO transfers VALUES ({0}, {1}, {2}, {3})")
    prepare = at_once.format("$1::bigint", "$2::int", "$3::int", "$4::int")

    def connect(self):
        port, user, password, database = self.connect_to
        session = pgwire.connect(port, user, database, password, timeout=PATIENCE)
        kinds = ""
        while "1" not in kinds:
            session.send(pgwire.parse("move", self.prepare), pgwire.SYNC)
            reply = session.reply()
            kinds = reply.kinds
            if reply.sqlstate not in (None, "40001"):
                raise Strange(f"{reply.error} of Parse, which executes nothing")
        return session

    def reply(self):
        reply = self.session.reply()
        if reply.status is None:
            raise pgwire.Closed(f"the session ended: {reply.errors}")
        return reply

    def ask(self, sql):
        self.session.send(pgwire.query(sql))
        return self.code_of(self.reply())

    def code_of(self, reply):
        return self.heard(reply.sqlstate, reply.errors and reply.error.message)

    def told(self, number, way, commit):
        """The reply to what is one transfer and all of it."""
        reply = self.reply()
        code = self.code_of(reply)
        self.say(number, way, self.outcome(code, commit in reply.tags), self.message or "")
        if reply.status != "I":
            self.clear()

    def text(self):
        number, *what = self.transfer()
        self.session.send(pgwire.query("; ".join(["BEGIN", *post(number, *what), "COMMIT"])))
        self.told(number, "text", "COMMIT")

    def pipeline(self):
        number, *what = self.transfer()
        parts = [pgwire.run(sql) for sql in ("BEGIN", *post(number, *what), "COMMIT")]
        self.session.send(*parts, pgwire.SYNC)
        self.told(number, "pipeline", "COMMIT")

    def alone(self):
        transfer = self.transfer()
        self.session.send(pgwire.query(self.at_once.format(*transfer)))
        self.told(transfer[0], "alone", "INSERT 0 1")

    def prepared(self):
        transfer = self.transfer()
        self.session.send(pgwire.bind("move", values=transfer), pgwire.execute(), pgwire.SYNC)
        self.told(transfer[0], "prepared", "INSERT 0 1")

    def twins(self):
        """Two at once, each a transaction of its own."""
        both = [self.transfer(), self.transfer()]
        self.session.send(*[pgwire.bind("move", values=one) + pgwire.execute() + pgwire.SYNC for one in both])
        for one in both:
            self.told(one[0], "twins", "INSERT 0 1")


class Mysql(Client):
    unknown, never = "1180", ("1040", "1203", "1927")
    ways = {"steps": 4, "text": 3, "alone": 4, "prepared": 4, "walk_away": 0.2}
    multi_statements = 1 << 16

    def connect(self):
        port, user, password, database = self.connect_to
        session = mywire.connect(port, user, password, database, timeout=PATIENCE,
                                 capabilities=mywire.MULTI_RESULTS | self.multi_statements)
        self.statement = mybinary.Statement(session, "INSERT INTO moves VALUES (?, ?, ?, ?)")
        return session

    def told(self):
        """The error of a reply, all its results read."""
        try:
            while self.session.result().status & mywire.STATUS_MORE_RESULTS:
                pass
            return self.heard(None, None)
        except mywire.ServerError as error:
            return self.heard(str(error.code), error.message)

    def ask(self, sql):
        self.session.command(mywire.COM_QUERY, sql.encode())
        return self.told()

    def at_once(self, number, way, code):
        self.say(number, way, self.outcome(code, code is None), self.message or "")

    def text(self):
        number, *what = self.transfer()
        code = self.ask("; ".join(["BEGIN", *post(number, *what), "COMMIT"]))
        self.at_once(number, "text", code)
        if code:
            self.clear()

    def alone(self):
        transfer = self.transfer()
        self.at_once(transfer[0], "alone", self.ask(f"INSERT INTO moves VALUES {transfer}"))

    def prepared(self):
        transfer = self.transfer()
        self.session.send(self.statement.packet(transfer), sequence=0)
        self.at_once(transfer[0], "prepared", self.told())


def main():
    dialect, port, user, password, database, seed, first, count, accounts = sys.argv[1:]
    stop, lock = threading.Event(), threading.Lock()

    def say(number, way, outcome, why):
        with lock:
            print(number, way, outcome, " ".join(why.split()), flush=True)

    make = {"postgres": Postgres, "mysql": Mysql}[dialect]
    clients = [make((int(port), user, password, database), number, random.Random(f"{seed} {number}"), int(accounts), say)
               for number in range(int(first), int(first) + int(count))]
    threads = [threading.Thread(target=client.run, args=[stop]) for client in clients]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    for client in clients:
        if client.session:
            client.session.drop()


if __name__ == "__main__":
    main()
