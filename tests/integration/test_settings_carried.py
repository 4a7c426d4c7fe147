# SPDX-License-Identifier: Apache-2.0
"""Settings of every kind follow their session from backend to backend, as the server itself would keep them: through
transactions, savepoints, errors, pipelines and resets. The same random programs run on a dedicated connection."""
import os
import random

import pgwire
import pytest
from conftest import PASSWORD, USER

LONG = bool(os.environ.get("LEASEHOLD_LONG"))
START = {"application_name": "shop", "extra_float_digits": "2",
         "options": "-c work_mem=8MB -c search_path=s1,public -c TimeZone=Asia/Tokyo"}
NAMES = ["work_mem", "statement_timeout", "search_path", "role", "app.tenant", "default_transaction_isolation",
         "application_name", "TimeZone", "DateStyle", "extra_float_digits", "lock_timeout"]
VALUES = {
    "work_mem": ["'5MB'", "'6MB'", "7168", "lots"],
    "statement_timeout": ["'70s'", "80000", "0"],
    "search_path": ["s2", "s1, public", "'A b', \"$user\"", "''", "\"user\", s2"],
    "role": ["reader", "'writer'", "NONE", "nobody_at_all"],
    "app.tenant": ["acme", "'it''s'", "7.50", "''"],
    "default_transaction_isolation": ["serializable", "'repeatable read'", "sometimes"],
    "application_name": ["till", "'back office'"],
    "TimeZone": ["UTC", "'Europe/Berlin'", "'Nowhere'"],
    "DateStyle": ["German", "'SQL, DMY'", "ISO"],
    "extra_float_digits": ["0", "-1", "99"],
    "lock_timeout": ["1000", "'3s'"],
}
SHOW = ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in NAMES)


@pytest.fixture
def servers(leasehold, postgres):
    for role in ("reader", "writer"):
        postgres.query(f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END $$")
        postgres.query(f"GRANT {role} TO {USER}")
    pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 0, "pool_timeout": "5s"}
    return leasehold(pools={"orders": pool}), postgres


class Both:
    """A session through leasehold, which changes backends whenever it can, and one on a connection of its own."""

    def __init__(self, daemon, postgres, start):
        def login(port):
            return pgwire.connect(port, USER, "orders", PASSWORD, **start)
        self.daemon, self.carried, self.own = daemon, login(daemon.port), login(postgres.port)
        self.held, self.free = login(daemon.port), login(daemon.port)
        self.held.ok("SET work_mem = '99MB'; SET app.tenant = other")
        self.free.ok("SET search_path = elsewhere; SET ROLE writer")
        self.held.ok("BEGIN")
        self.status, self.told = "I", [dict(self.own.parameters), dict(self.carried.parameters)]
        self.record = []

    def move(self):
        """Only while the session has no backend: the one that it had is taken, the other one given back."""
        self.free.ok("BEGIN")
        self.held.ok("ROLLBACK")
        self.free, self.held = self.held, self.free

    def send(self, words, *parts):
        self.record.append(words)
        replies = []
        for number, session in enumerate((self.own, self.carried)):
            session.send(*parts)
            reply = session.reply()
            self.told[number].update(reply.parameters)
            replies.append((reply.tags, reply.sqlstate, reply.rows, reply.status))
        assert replies[1] == replies[0], self.story()
        self.status = replies[0][3]

    def compare(self):
        if self.status == "E":
            return
        self.send("show", pgwire.query(f"SELECT {SHOW}"))
        for name in ("application_name", "TimeZone", "DateStyle"):
            assert self.told[1][name] == self.told[0][name], f"{name}\n{self.story()}"
        if self.status == "I":
            self.move()

    def story(self):
        return "\n".join(["leasehold differs after:", *self.record])

    def close(self):
        for session in (self.carried, self.own, self.held, self.free):
            session.drop()


def assignment(dice):
    name = dice.choice(NAMES)
    value = dice.choice(VALUES[name])
    deed = dice.randrange(12)
    if name == "role" and deed < 4:
        return f"SET ROLE {value}"
    if deed < 4:
        return f"SET {dice.choice(['', 'SESSION '])}{name} {dice.choice(['=', 'TO'])} {value}"
    if deed < 6:
        return f"SET LOCAL {name} = {value}"
    if deed == 6:
        return f"RESET {name}"
    if deed == 7:
        return f"SET {name} TO DEFAULT"
    if deed == 8:
        return "RESET ALL"
    if deed == 9 and name == "default_transaction_isolation":
        return "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    local = dice.choice(["false", "true"])
    plain = {"search_path": "s2, public", "role": "reader", "app.tenant": "of set_config"}.get(name, VALUES[name][0].strip("'"))
    other = f", set_config('app.tenant', 'x{dice.randrange(9)}', {local})" if dice.randrange(3) == 0 else ""
    return f"SELECT set_config('{name}', '{plain}', {local}){other}"


def statement(dice):
    deed = dice.randrange(20)
    if deed < 10:
        return assignment(dice)
    return dice.choice(["BEGIN", "BEGIN", "COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "SELECT 1",
                        "SELECT 1/0", "SAVEPOINT a", "SAVEPOINT b", "SAVEPOINT a", "ROLLBACK TO a",
                        "ROLLBACK TO SAVEPOINT b", "RELEASE a", "RELEASE SAVEPOINT b"])


def step(dice, both):
    deed = dice.randrange(10)
    if deed < 5:
        sql = statement(dice)
        both.send(sql, pgwire.query(sql))
    elif deed < 7:
        sql = "; ".join(statement(dice) for _ in range(dice.randrange(2, 6)))
        both.send(sql, pgwire.query(sql))
    elif deed < 9:
        texts = [statement(dice) for _ in range(dice.choice([1, 1, 2, 4]))]
        both.send("pipeline: " + " | ".join(texts), *[pgwire.run(sql) for sql in texts], pgwire.SYNC)
    elif dice.randrange(2):
        both.send("DISCARD ALL", pgwire.query("DISCARD ALL"))
    else:
        texts = ["DISCARD ALL", assignment(dice)]
        both.send("pipeline: " + " | ".join(texts), *[pgwire.run(sql) for sql in texts], pgwire.SYNC)


@pytest.mark.parametrize("seed", range(200 if LONG else 16))
def test_random_programs_are_as_on_a_dedicated_connection(servers, seed):
    dice = random.Random(f"settings {seed}")
    both = Both(*servers, START if seed % 2 else {"application_name": "shop"})
    try:
        for _ in range(70):
            step(dice, both)
            both.compare()
        pins = [row["pin"] for row in both.daemon.console("SHOW CLIENTS") if row.get("pin")]
        assert not pins, both.story()
    finally:
        both.close()


def test_a_role_that_is_gone_can_be_given_up(servers):
    daemon, postgres = servers
    for role in ("leaver", "heir"):
        postgres.query(f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END $$")
        postgres.query(f"GRANT {role} TO {USER}")

    def login():
        return pgwire.connect(daemon.port, USER, "orders", PASSWORD)

    def unnamed(sql):
        return pgwire.parse("", sql), pgwire.bind(), pgwire.execute(), pgwire.SYNC

    who = "SELECT current_user"
    with login() as session, login() as other, login() as held:
        held.ok("BEGIN")  # the other backend of the two
        for extended in (False, True):
            for give_up, becomes in (("RESET ROLE", USER), ("SET ROLE heir", "heir"), ("/* x */ SET ROLE NONE", USER),
                                     ("RESET SESSION AUTHORIZATION", USER), ("DISCARD ALL", USER)):
                postgres.query("DO $$ BEGIN CREATE ROLE leaver; EXCEPTION WHEN duplicate_object THEN END $$")
                postgres.query(f"GRANT leaver TO {USER}")
                session.ok("SET ROLE leaver")
                other.ok(who)  # its backend is another's in between: nobody's role is left there
                postgres.query("DROP ROLE leaver")
                for sql in (who, "SET ROLE nobody_at_all", who):
                    reply = session.query(sql)
                    assert reply.sqlstate == "22023" and reply.status == "I", (sql, reply)
                    missing = "nobody_at_all" if "nobody" in sql else "leaver"
                    assert f'"{missing}" does not exist' in reply.errors[0].fields["M"]
                # What fails leaves the session who it was, also to what was sent behind it.
                session.send(pgwire.query("SET ROLE nobody_at_all") + pgwire.query(who))
                assert [session.reply().sqlstate for _ in range(2)] == ["22023", "22023"]
                if extended:
                    session.send(*unnamed(give_up))
                    assert not session.reply().errors
                else:
                    session.ok(give_up)
                assert session.value(who) == becomes
                session.ok("RESET ROLE")
