# SPDX-License-Identifier: Apache-2.0
"""Settings of every kind, set (settings) and reset (resets) on every path; each is read back later, and by the sessions
beside."""
from postgres.weave import family

VALUES = {
    "work_mem": ("'1MB'", "'2345kB'", "4096", "'nonsense'"),
    "statement_timeout": ("'61s'", "0", "90000", "'1 fortnight'"),
    "lock_timeout": ("'30s'", "45000"),
    "search_path": ("s1", "s2, public", "public", "''", "s1, s2"),
    "a.b": ("'one'", "'two, three'", "''", "4"),
    "app.user_id": ("'17'", "18", "'it''s'"),
    "DateStyle": ("'German'", "'SQL, DMY'", "ISO"),
    "IntervalStyle": ("'sql_standard'", "'iso_8601'"),
    "TimeZone": ("'Asia/Tokyo'", "'UTC'", "'nowhere'"),
    "application_name": ("'one'", "'a longer name'"),
    "client_encoding": ("'LATIN1'", "'UTF8'"),
    "extra_float_digits": ("0", "3", "99"),
    "bytea_output": ("'escape'", "'hex'"),
    "enable_seqscan": ("off", "on", "perhaps"),
    "row_security": ("off", "on"),
    "default_transaction_isolation": ("'repeatable read'", "'read committed'"),
    "default_transaction_read_only": ("on", "off"),
    "client_min_messages": ("'warning'", "'notice'"),
    "standard_conforming_strings": ("on", "off"),
    "session_replication_role": ("replica", "origin"),
    "idle_in_transaction_session_timeout": ("'5min'", "0"),
    "no_such_setting": ("1",),
}
READ = ("work_mem", "search_path", "a.b", "DateStyle", "TimeZone", "statement_timeout", "application_name")


def probe(draw, name=None):
    """Reads a setting by one of the ways."""
    name = name or draw.choice(list(VALUES))
    custom = "." in name or name == "no_such_setting"
    ways = [f"SELECT current_setting('{name}', true)", f"SHOW {name}",
            f"SELECT name, setting FROM pg_settings WHERE name IN ('{name}', 'work_mem', 'search_path') ORDER BY 1",
            "SELECT " + ", ".join(f"current_setting('{n}', true)" for n in READ)]
    return draw.run(draw.choice(ways[:1] + ways[2:] if custom and draw.chance(0.6) else ways))


def effect(draw):
    """What a setting decides."""
    return draw.run(draw.choice([
        "SELECT word FROM items WHERE id = 3", "SELECT current_schema(), current_schemas(false)",
        "SELECT DATE '2024-02-13', INTERVAL '1 day 2 hours', TIMESTAMPTZ '2024-02-13 12:00+00'",
        "SELECT '\\x41ff'::bytea, 0.1::float8 + 0.2::float8", "SELECT word FROM secrets ORDER BY word",
        "SELECT current_user, session_user", "SELECT length('a\\tb')", f"INSERT INTO own_{draw.session} DEFAULT VALUES"]))


def assignment(draw):
    """A setting's name, and a statement that sets it."""
    name = draw.choice(list(VALUES))
    value = draw.choice(VALUES[name])
    if draw.chance(0.7):
        return name, f"SET {draw.choice(['', '', 'SESSION ', 'LOCAL '])}{name} {draw.choice(['=', 'TO'])} {value}"
    quoted = value if value.startswith("'") else f"'{value}'"
    return name, f"SELECT set_config('{name}', {quoted}, {draw.choice(['false', 'false', 'true'])})"


@family("settings")
def set_and_read(draw):
    name, sql = assignment(draw)
    steps = draw.mixed([sql] + ([assignment(draw)[1]] if draw.chance(0.3) else []))
    return [*steps, probe(draw, name), effect(draw)][:draw.randint(2, 4)]


@family("settings")
def read(draw):
    return [probe(draw), effect(draw)]


@family("resets")
def set_and_reset(draw):
    name, sql = assignment(draw)
    back = draw.choice([f"RESET {name}", f"RESET {name}", f"SET {name} TO DEFAULT", f"SET LOCAL {name} TO DEFAULT", "RESET ALL",
                        "SET TIME ZONE LOCAL", "SET SESSION AUTHORIZATION DEFAULT"])
    steps = [draw.run(sql), probe(draw, name)][:draw.randint(0, 2)]
    return [*steps, draw.run(back), probe(draw, name), *([effect(draw)] if draw.chance(0.3) else [])]


@family("resets")
def reset_in_a_string(draw):
    name, sql = assignment(draw)
    return [draw.simple(*draw.sample([sql, f"RESET {name}", "RESET ALL", assignment(draw)[1]], 3)), probe(draw, name)]


@family("resets")
def discard(draw):
    end = draw.choice(["DISCARD ALL", "DISCARD ALL", "DISCARD PLANS", "DISCARD TEMP", "DISCARD SEQUENCES", "RESET ALL"])
    return [draw.run(end, frees={"DISCARD ALL": ("*",), "DISCARD SEQUENCES": ("sequence",)}.get(end, ())), probe(draw), effect(draw)]


@family("settings")
def special_words(draw):
    sql = draw.choice([
        "SET TIME ZONE 'Europe/Berlin'", "SET NAMES 'LATIN1'", "SET NAMES 'UTF8'", "SET SCHEMA 's1'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET XML OPTION DOCUMENT", "SET work_mem = '1MB', '2MB'", "SET LOCAL a.b TO 'local'", "SET SEED TO 0.5",
        "/* a comment */ SET a.b = 'in front'", "-- a line\nSET work_mem -- and\n = '4MB'"])
    kept = [name for word, name in (("SEED", "seed"), ("XML", "xmloption")) if word in sql]  # pins: README of the dialect
    return [draw.run(sql, holds=kept), probe(draw), effect(draw)]


@family("settings")
def roles(draw):
    on = draw.choice([["SET ROLE reader", "RESET ROLE"], ["SET ROLE 'writer'", "SET ROLE NONE"], ["SET LOCAL ROLE reader"],
                      ["SET SESSION AUTHORIZATION writer", "RESET SESSION AUTHORIZATION"], ["SET ROLE nobody_at_all"],
                      ["SET SESSION AUTHORIZATION reader", "SET SESSION AUTHORIZATION DEFAULT"],
                      ["SET session_authorization = 'writer'", "SET ROLE NONE", "RESET SESSION AUTHORIZATION"],
                      ["SELECT set_config('session_authorization', 'reader', false)", "SET SESSION AUTHORIZATION nobody_at_all",
                       "SELECT set_config('session_authorization', 'app', false)", "RESET ALL",
                       "SET LOCAL SESSION AUTHORIZATION writer", "SET SESSION AUTHORIZATION DEFAULT"],
                      ["SET ROLE reader", "SET SESSION AUTHORIZATION writer", "SET ROLE reader", "RESET ROLE",
                       "RESET SESSION AUTHORIZATION"]])
    steps = [draw.run(on[0]), effect(draw), draw.run("SELECT current_user, session_user")]
    return steps + [draw.run(sql) for sql in on[1:]] + [effect(draw)]


@family("settings")
def several_in_a_string(draw):
    inside = [assignment(draw)[1] for _ in range(draw.randint(1, 3))]
    how = draw.random()
    if how < 0.3:
        inside = ["BEGIN", *inside, draw.choice(["COMMIT", "ROLLBACK"])]
    elif how < 0.45:
        inside = [*inside, "SELECT 1 / 0"]
    elif how < 0.6:
        inside.insert(draw.randint(0, len(inside)), "SELECT word FROM items WHERE id = 1")
    return [draw.simple(*inside), probe(draw), effect(draw)]


@family("settings")
def from_an_expression(draw):
    value = draw.choice(["(SELECT max(id)::text || 'MB' FROM public.items)", "3 + 4 || 'MB'"])
    return [draw.run(f"SELECT set_config('work_mem', {value}, false)", holds=("expression",)), probe(draw, "work_mem")]
