# SPDX-License-Identifier: Apache-2.0
"""Random programs of statements, failures and savepoints over 16 sessions at a time; a third of them is cut off by FIN,
RST or kill -9. Afterwards nothing of an unfinished transaction may be left. A failure names its seed: rerun with
LEASEHOLD_SEED=n."""
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from servers import wait_until
from sides import Side

PROGRAMS, SESSIONS, BACKENDS = 6000 if os.environ.get("LEASEHOLD_LONG") else 300, 16, 5
SEED = int(os.environ.get("LEASEHOLD_SEED", random.SystemRandom().randrange(10**9)))


class Program:
    """One client's life: what it will do, how it ends, and which rows must be there afterwards."""

    def __init__(self, seed, side):
        self.seed, self.side = seed, side
        self.random = random.Random(seed)
        self.ending = self.random.choices(["terminate", "drop", "reset", "kill"], [55, 18, 18, 9])[0]
        self.committed, self.uncertain, self.serial = [], [], 0
        self.steps = self.random.randint(1, 12)

    def row(self):
        self.serial += 1
        return self.seed * 1000 + self.serial

    def statements(self):
        """A transaction as (SQL, row that it adds or None); the model of what commits is kept by `run`."""
        choose = self.random.choice
        for _ in range(self.random.randint(1, 5)):
            kind = choose(["insert", "insert", "select", "fail", "savepoint", "lock", "sleep"])
            if kind == "insert":
                row = self.row()
                yield f"INSERT INTO p VALUES ({row})", row
            elif kind == "select":
                yield choose(["SELECT count(*) FROM p", "SELECT repeat('x', 20000)", *self.side.SEVERAL]), None
            elif kind == "fail":
                yield choose(["SELECT nothing(0)", "SELECT * FROM nowhere", "syntax error"]), None
            elif kind == "savepoint":
                yield "SAVEPOINT s", None
                row = self.row()
                yield f"INSERT INTO p VALUES ({row})", row
                yield choose(["ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s"]), None
            elif kind == "lock":
                yield f"SELECT * FROM locked WHERE id = {choose(range(50))} FOR UPDATE SKIP LOCKED", None
            else:
                yield self.side.sleep(0.005), None


def ask(program, session, sql):
    return session.ask(sql) if program.random.random() < 0.5 or ";" in sql else session.prepared(sql)


def run_wire(program, daemon):
    """Runs a program over a session of its own up to its ending, which comes anywhere."""
    session = program.side.login(daemon, application=f"program {program.seed}", timeout=30)
    cut = program.random.randint(1, program.steps * 3) if program.ending != "terminate" else None
    number = 0

    def step(sql):
        nonlocal number
        number += 1
        if number == cut:
            style = program.random.random()
            data = session.bytes_of(sql if style < 0.5 else program.side.sleep(30))
            session.send_bytes(data if style < 0.9 else data[:program.random.randint(1, len(data) - 1)])
            if style < 0.3:
                time.sleep(program.random.random() * 0.01)
            return None
        return ask(program, session, sql)

    def cut_off():
        return session.drop() if program.ending == "drop" else session.reset()

    for _ in range(program.steps):
        if program.random.random() < 0.3:  # outside a transaction
            row = program.row()
            reply = step(f"INSERT INTO p VALUES ({row})")
            if reply is None:
                program.uncertain.append(row)
                return cut_off()
            assert reply.code is None, reply
            program.committed.append(row)
            continue
        if step("BEGIN") is None:
            return cut_off()
        rows, failed = [[]], False  # of the transaction, and of each savepoint in it
        for sql, row in program.statements():
            reply = step(sql)
            if reply is None:
                return cut_off()
            assert reply.in_transaction, reply
            if reply.code is not None:
                failed = failed or program.side.ERRORS_FAIL_TRANSACTIONS
            elif row is not None:
                rows[-1].append(row)
            elif sql.startswith("SAVEPOINT"):
                rows.append([])
            elif sql.startswith("ROLLBACK TO"):
                rows[-1], failed = [], False
            elif sql.startswith("RELEASE"):
                released = rows.pop()
                rows[-1] += released
        end = program.random.choice(["COMMIT", "COMMIT", "ROLLBACK"])
        reply = step(end)
        if reply is None:
            program.uncertain += sum(rows, []) if end == "COMMIT" else []
            return cut_off()
        assert not reply.in_transaction and reply.code is None, reply
        if end == "COMMIT" and not failed:
            program.committed += sum(rows, [])
    return session.terminate() if program.ending == "terminate" else cut_off()


def run_killed(program, daemon):
    """A command line client in an open transaction, ended by kill -9 in the middle of whatever it does."""
    row = program.row()
    last = program.random.choice([program.side.sleep(60) + ";\n", "", "SAVEPOINT s; SELECT nothing(0);\n",
                                  program.side.many_rows(3000000, 1000) + ";\n"])
    client = subprocess.Popen(program.side.client(daemon), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, text=True)
    client.stdin.write(f"BEGIN;\nINSERT INTO p VALUES ({row});\n{last}")
    client.stdin.flush()
    time.sleep(0.05 + program.random.random() * 0.1)
    client.send_signal(signal.SIGKILL)
    client.wait()


@pytest.fixture(params=["postgres", "mariadb", "mysql97"])
def side(request):
    return Side.of(request.getfixturevalue(request.param))


@pytest.fixture
def stage(leasehold, side):
    side.table("p", "id bigint PRIMARY KEY")
    side.table("locked", "id int PRIMARY KEY")
    side.query("INSERT INTO locked VALUES " + ", ".join(f"({n})" for n in range(50)))
    side.prepare_many_rows()
    yield leasehold(pools=side.pool(pool_size=BACKENDS, pool_timeout="30s"))
    for backend in side.backends():
        side.terminate(backend)


def test_random_programs_leave_nothing_unfinished_behind(stage, side):
    print(f"LEASEHOLD_SEED={SEED}")
    programs = [Program(SEED + n, side) for n in range(PROGRAMS)]
    cut_short = [program for program in programs if program.ending != "terminate"]
    assert len(cut_short) >= 0.3 * PROGRAMS
    waiting, failures = list(reversed(programs)), []

    def work():
        while waiting and not failures:
            try:
                program = waiting.pop()
                if program.ending == "kill":
                    run_killed(program, stage)
                else:
                    run_wire(program, stage)
            except Exception as error:  # of any kind: the test names the seed
                failures.append(f"program {program.seed} ({program.ending}): {type(error).__name__} {error}")

    threads = [threading.Thread(target=work) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30 + PROGRAMS)
    assert not failures, failures[:5]
    try:
        wait_until(side.nothing_left, 1, "everything ended", side.GLANCE)
    except TimeoutError:
        pytest.fail(f"after one second there is still {side.left_behind()}")
    assert not side.locks()
    present = {row[0] for row in side.query("SELECT id FROM p")}
    committed = {row for program in programs for row in program.committed}
    uncertain = {row for program in programs for row in program.uncertain}
    assert committed <= present, f"lost: {sorted(committed - present)[:10]}"
    assert present <= committed | uncertain, f"unfinished but visible: {sorted(present - committed - uncertain)[:10]}"
    with side.login(stage) as session:
        assert session.value("SELECT 1") == "1"
