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

import pgwire
import pytest
from conftest import PASSWORD, USER
from servers import wait_until

PROGRAMS, SESSIONS, BACKENDS = 6000 if os.environ.get("LEASEHOLD_LONG") else 300, 16, 5
SEED = int(os.environ.get("LEASEHOLD_SEED", random.SystemRandom().randrange(10**9)))


class Program:
    """One client's life: what it will do, how it ends, and which rows must be there afterwards."""

    def __init__(self, seed):
        self.seed = seed
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
                yield choose(["SELECT count(*) FROM p", "SELECT repeat('x', 20000)", "SELECT 1; SELECT 2"]), None
            elif kind == "fail":
                yield choose(["SELECT 1/0", "SELECT * FROM nowhere", "syntax error"]), None
            elif kind == "savepoint":
                yield "SAVEPOINT s", None
                row = self.row()
                yield f"INSERT INTO p VALUES ({row})", row
                yield choose(["ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s"]), None
            elif kind == "lock":
                yield f"SELECT * FROM locked WHERE id = {choose(range(50))} FOR UPDATE SKIP LOCKED", None
            else:
                yield "SELECT pg_sleep(0.005)", None


def ask(program, session, sql):
    return session.query(sql) if program.random.random() < 0.5 or ";" in sql else session.extended(sql)


def run_wire(program, port):
    """Runs a program over a session of its own up to its ending, which comes anywhere."""
    session = pgwire.connect(port, USER, "orders", PASSWORD, timeout=30, application_name=f"program {program.seed}")
    cut = program.random.randint(1, program.steps * 3) if program.ending != "terminate" else None
    number = 0

    def step(sql):
        nonlocal number
        number += 1
        if number == cut:
            style = program.random.random()
            data = pgwire.query(sql if style < 0.5 else "SELECT pg_sleep(30)")
            session.send(data if style < 0.9 else data[:program.random.randint(1, len(data) - 1)])
            if style < 0.3:
                time.sleep(program.random.random() * 0.01)
            return None
        reply = ask(program, session, sql)
        assert reply.status is not None, f"the session of program {program.seed} was closed during {sql}"
        return reply

    def cut_off():
        return session.drop() if program.ending == "drop" else session.reset()

    for _ in range(program.steps):
        if program.random.random() < 0.3:  # outside a transaction
            row = program.row()
            reply = step(f"INSERT INTO p VALUES ({row})")
            if reply is None:
                program.uncertain.append(row)
                return cut_off()
            program.committed.append(row)
            continue
        if step("BEGIN") is None:
            return cut_off()
        rows = [[]]  # of the transaction, and of each savepoint in it
        for sql, row in program.statements():
            reply = step(sql)
            if reply is None:
                return cut_off()
            if reply.errors:
                assert reply.status == "E", reply
            elif row is not None:
                rows[-1].append(row)
            elif sql.startswith("SAVEPOINT"):
                rows.append([])
            elif sql.startswith("ROLLBACK TO"):
                rows[-1] = []
            elif sql.startswith("RELEASE"):
                released = rows.pop()
                rows[-1] += released
        end = program.random.choice(["COMMIT", "COMMIT", "ROLLBACK"])
        reply = step(end)
        if reply is None:
            program.uncertain += sum(rows, []) if end == "COMMIT" else []
            return cut_off()
        assert reply.status == "I" and not reply.errors, reply
        if reply.tags == ["COMMIT"]:
            program.committed += sum(rows, [])
    return session.terminate() if program.ending == "terminate" else cut_off()


def run_killed(program, url):
    """A psql in an open transaction, ended by kill -9 in the middle of whatever it does."""
    row = program.row()
    last = program.random.choice(["SELECT pg_sleep(60);\n", "", "SAVEPOINT s; SELECT 1/0;\n",
                                  "SELECT repeat('x', 1000) FROM generate_series(1, 3000000);\n"])
    client = subprocess.Popen(["psql", "-X", "-q", url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, text=True)
    client.stdin.write(f"BEGIN;\nINSERT INTO p VALUES ({row});\n{last}")
    client.stdin.flush()
    time.sleep(0.05 + program.random.random() * 0.1)
    client.send_signal(signal.SIGKILL)
    client.wait()


def left_behind(postgres):
    return postgres.query("SELECT pid, state, application_name, left(query, 60) FROM pg_stat_activity"
                          " WHERE usename = %s AND (xact_start IS NOT NULL OR state <> 'idle')", [USER])


def locks(postgres):
    return postgres.query("SELECT pid, locktype, mode FROM pg_locks WHERE pid IN (SELECT pid FROM pg_stat_activity"
                          " WHERE usename = %s)", [USER])


@pytest.fixture
def stage(leasehold, postgres):
    postgres.query("DROP TABLE IF EXISTS p, locked; CREATE TABLE p (id bigint PRIMARY KEY);"
                   " CREATE TABLE locked (id int); INSERT INTO locked SELECT generate_series(0, 49);"
                   " GRANT ALL ON p, locked TO app", database="orders")
    yield leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD), "pool_size": BACKENDS,
                                      "max_overflow": 0, "pool_timeout": "30s"}})
    postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [USER])


def test_random_programs_leave_nothing_unfinished_behind(stage, postgres):
    print(f"LEASEHOLD_SEED={SEED}")
    programs = [Program(SEED + n) for n in range(PROGRAMS)]
    cut_short = [program for program in programs if program.ending != "terminate"]
    assert len(cut_short) >= 0.3 * PROGRAMS
    waiting, failures = list(reversed(programs)), []
    url = stage.url("orders", USER, PASSWORD)

    def work():
        while waiting and not failures:
            try:
                program = waiting.pop()
                if program.ending == "kill":
                    run_killed(program, url)
                else:
                    run_wire(program, stage.port)
            except Exception as error:  # of any kind: the test names the seed
                failures.append(f"program {program.seed} ({program.ending}): {type(error).__name__} {error}")

    threads = [threading.Thread(target=work) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30 + PROGRAMS)
    assert not failures, failures[:5]
    try:
        wait_until(lambda: not left_behind(postgres), 1, "everything ended", 0.05)
    except TimeoutError:
        pytest.fail(f"after one second there is still {left_behind(postgres)}")
    assert not locks(postgres)
    present = {row[0] for row in postgres.query("SELECT id FROM p", database="orders")}
    committed = {row for program in programs for row in program.committed}
    uncertain = {row for program in programs for row in program.uncertain}
    assert committed <= present, f"lost: {sorted(committed - present)[:10]}"
    assert present <= committed | uncertain, f"unfinished but visible: {sorted(present - committed - uncertain)[:10]}"
    with pgwire.connect(stage.port, USER, "orders", PASSWORD) as session:
        assert session.value("SELECT 1") == "1"
