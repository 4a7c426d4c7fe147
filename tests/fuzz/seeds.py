#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the hand-made part of the fuzzers' corpus: whole conversations of both dialects, for the fuzzers to break, and
the inputs of attacks that other poolers fell for. `tests/fuzz/seeds.py` makes corpus/<target>/seed-* anew."""
import base64
import hashlib
import hmac
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import pgwire  # noqa: E402
import seeds_mysql  # noqa: E402
from pgwire import FLUSH, SYNC, TERMINATE, bind, cstr, describe, execute, message, parse, query, startup_packet  # noqa: E402
from seeds_common import (BYTE_BY_BYTE, CLIENT, GRANT, HERE, LONG, RAW_CLIENT, RAW_SERVER, REFUSE, SERVER, WAIT,  # noqa: E402
                          lose, policy, seed, turns)

NONCE = base64.b64encode(b"\x2a" * 18).decode()  # what the fixed randomness gives


# --- PostgreSQL: the client's side ------------------------------------------------------------------------------------

def startup(**parameters):
    body = b"".join(cstr(k) + cstr(v) for k, v in parameters.items())
    return startup_packet(pgwire.PROTOCOL_3, body + b"\0")


def postgres_startup():
    ssl, gss = startup_packet(pgwire.SSL_REQUEST), startup_packet(pgwire.GSSENC_REQUEST)
    plain = startup(user="app", database="orders", application_name="psql")
    rich = startup(user="app", options="-c work_mem=64MB --search_path=a\\ b -B 16", replication="database",
                   client_encoding="UTF8")
    seeds = {"plain": [plain], "ssl": [ssl, plain], "gss-ssl": [gss, ssl, rich], "both-at-once": [ssl + plain],
             "cancel": [startup_packet(pgwire.CANCEL_REQUEST, struct.pack("!ii", 42, 7))],
             "3.2": [startup_packet(196610, cstr("user") + cstr("a") + cstr("_pq_.x") + cstr("1") + b"\0")],
             "2.0": [startup_packet(131072, b"\0" * 288)], "no-user": [startup(database="x")],
             "unended": [startup_packet(pgwire.PROTOCOL_3, b"user\0app")], "gone": []}
    # A length whose sum with anything overflows (PgBouncer, CVE-2026-6664), and names as long as they come (6665).
    for length in (0, 3, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC):
        seeds[f"length-{length:x}"] = [struct.pack("!II", length, pgwire.PROTOCOL_3) + b"user\0app\0\0"]
    seeds["hello"] = [b"\x16\x03\x01\0\x05hello", plain]
    seeds["long-names"] = [startup(user="u" * 4000, database="d" * 4000)]
    for name, parts in seeds.items():
        for tls in (0, 1, 3):
            if tls == 0 or name in ("ssl", "plain", "hello", "both-at-once", "cancel"):
                seed("postgres_startup", f"{name}-{tls}", turns(*parts, choices=bytes([tls])))


def scram_final(first_bare, server_first, password, binding="biws"):
    parts = dict(p.split("=", 1) for p in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(parts["s"]), int(parts["i"]))
    without = f"c={binding},r={parts['r']}"
    auth = f"{first_bare},{server_first},{without}".encode()
    key = hmac.digest(salted, b"Client Key", "sha256")
    proof = bytes(a ^ b for a, b in zip(key, hmac.digest(hashlib.sha256(key).digest(), auth, "sha256")))
    signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), auth, "sha256")
    return f"{without},p={base64.b64encode(proof).decode()}".encode(), base64.b64encode(signature).decode()


def postgres_authentication():
    def sasl_first(text, mechanism="SCRAM-SHA-256"):
        return message(b"p", cstr(mechanism) + struct.pack("!i", len(text)) + text.encode())

    bare = "n=,r=clientnonce"
    first = f"r=clientnonce{NONCE},s={base64.b64encode(b'saltsaltsaltsalt').decode()},i=4096"
    final, _ = scram_final(bare, first, b"secret")
    password, trust, none = 0, 1, 2
    automatic, scram, md5, clear = range(4)
    plain, verifier, hashed, empty = range(4)

    def choose(kind, method, secret, channel=0):
        return bytes([kind + 3 * method + 12 * secret, channel])

    digest = hashlib.md5((hashlib.md5(b"secretapp").hexdigest()).encode() + b"\x2a" * 4).hexdigest()
    answers = {
        "scram": (choose(password, scram, verifier), [sasl_first("n,," + bare), message(b"p", final)]),
        "scram-wrong": (choose(password, scram, plain), [sasl_first("n,," + bare), message(b"p", final)]),
        "scram-nobody": (choose(none, scram, plain), [sasl_first("n,," + bare), message(b"p", final)]),
        "scram-y": (choose(password, automatic, verifier), [sasl_first("y,," + bare), message(b"p", final)]),
        "scram-plus-offered": (choose(password, scram, verifier, 5), [sasl_first("p=tls-server-end-point,," + bare, "SCRAM-SHA-256-PLUS"),
                               message(b"p", scram_final(bare, first, b"secret", base64.b64encode(
                                   b"p=tls-server-end-point,," + b"\x42" * 32).decode())[0])]),
        "scram-downgraded": (choose(password, scram, verifier, 5), [sasl_first("y,," + bare), message(b"p", final)]),
        "scram-plus": (choose(password, scram, verifier),
                       [sasl_first("p=tls-server-end-point,," + bare, "SCRAM-SHA-256-PLUS")]),
        "scram-name": (choose(password, scram, verifier), [sasl_first("n,a=other," + bare)]),
        "md5": (choose(password, md5, hashed), [message(b"p", cstr("md5" + digest))]),
        "clear": (choose(password, clear, plain), [message(b"p", cstr("secret"))]),
        "clear-verifier": (choose(password, clear, verifier), [message(b"p", cstr("secret"))]),
        "clear-empty": (choose(password, clear, empty), [message(b"p", cstr(""))]),
        "trust": (choose(trust, automatic, empty), []),
        "terminate": (choose(password, clear, plain), [TERMINATE]),
        "query": (choose(password, clear, plain), [query("SELECT 1")]),
    }
    for length in (0, 3, 0x7FFFFFFF, 0xFFFFFFFF, 70000):
        answers[f"length-{length:x}"] = (choose(password, clear, plain), [b"p" + struct.pack("!I", length) + b"secret\0"])
        sized = cstr("SCRAM-SHA-256") + struct.pack("!I", length) + b"n,," + bare.encode()
        answers[f"sasl-length-{length:x}"] = (choose(password, scram, verifier), [message(b"p", sized)])
    for name, (choice, parts) in answers.items():
        seed("postgres_authentication", name, turns(*parts, choices=choice))


# --- PostgreSQL: the server's side ------------------------------------------------------------------------------------

def auth(code, data=b""):
    return message(b"R", struct.pack("!i", code) + data)


def status(name, value):
    return message(b"S", cstr(name) + cstr(value))


def error(state="42601", text="syntax error", severity="ERROR", kind=b"E"):
    fields = cstr("S" + severity) + cstr("V" + severity)
    if state is not None:
        fields += cstr("C" + state)
    return message(kind, fields + cstr("M" + text) + b"\0")


def ready(state="I"):
    return message(b"Z", state.encode())


def complete(tag):
    return message(b"C", cstr(tag))


def row(*values):
    body = struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", len(value)) + value.encode()
    return message(b"D", body)


def fields(*names):
    return message(b"T", struct.pack("!h", len(names)) +
                   b"".join(cstr(n) + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0) for n in names))


ADMITTED = auth(0) + status("server_version", "15.6") + status("TimeZone", "UTC") + message(b"K", struct.pack("!ii", 42, 7)) + ready()
# An error without a SQLSTATE (PgBouncer, CVE-2026-6666), without any field, without an end.
BAD_ERRORS = {"no-sqlstate": error(None), "no-field": message(b"E", b"\0"), "nothing": message(b"E"),
              "unended": message(b"E", b"SERROR"), "short-sqlstate": error("4"), "no-message": message(b"E", cstr("C42601") + b"\0")}


def postgres_login():
    trust, password, empty, keys = range(4)
    first = f"r={NONCE}servernonce,s={base64.b64encode(b'saltsaltsaltsalt').decode()},i=4096"
    _, signature = scram_final(f"n=,r={NONCE}", first, b"secret")
    scram = [auth(10, cstr("SCRAM-SHA-256") + b"\0"), auth(11, first.encode()), auth(12, b"v=" + signature.encode())]
    server = {
        "trust": (trust, [ADMITTED]), "clear": (password, [auth(3), ADMITTED]), "md5": (password, [auth(5, b"abcd"), ADMITTED]),
        "scram": (password, [*scram[:2], scram[2] + ADMITTED]), "scram-broken-off": (password, [*scram[:2], ADMITTED]),
        "scram-wrong": (password, [*scram[:2], auth(12, b"v=" + base64.b64encode(b"x" * 32))]),
        "scram-refused": (password, [*scram[:2], auth(12, b"e=invalid-proof")]),
        "scram-plus-only": (password, [auth(10, cstr("SCRAM-SHA-256-PLUS") + b"\0")]),
        "scram-plus": (password + 0x34, [auth(10, cstr("SCRAM-SHA-256") + cstr("SCRAM-SHA-256-PLUS") + b"\0"), *scram[1:]]),
        "scram-plus-required": (password + 8, [scram[0]]), "long-key": (trust + 64, [auth(0) + message(b"K", b"\0\0\0\1" + b"k" * 32) + ready()]),
        "version-3.0": (trust + 64, [message(b"v", struct.pack("!ii", 196608, 0)) + ADMITTED]),
        "scram-again": (password, [scram[0] + scram[0]]), "scram-keys": (keys, scram),
        "gss": (password, [auth(7)]), "unknown": (password, [auth(99)]),
        "saturated": (password, [error("53300", "too many clients", "FATAL")]),
        "starting": (password, [error("57P03", "starting up", "FATAL")]),
        "notice": (trust, [error("00000", "hello", "NOTICE", b"N") + ADMITTED]),
        "version": (trust, [message(b"v", struct.pack("!ii", 0, 0)) + ADMITTED]),
        "parameters-first": (trust, [status("a", "b") + ADMITTED]), "ready-first": (trust, [ready()]),
        "in-transaction": (trust, [auth(0) + ready("T")]), "empty-password": (empty, [auth(3), ADMITTED]),
        "key-long": (trust, [auth(0) + message(b"K", b"x" * 260) + ready()]),
    }
    for count in ("0", "1", "-1", "2147483648", "4294967295", "99999999999999999999", "", "4096x"):
        server[f"iterations-{count}"] = (password, [scram[0], auth(11, f"r={NONCE}x,s=c2FsdA==,i={count}".encode())])
    for length in (0, 3, 0x7FFFFFFF, 0xFFFFFFFF):
        server[f"length-{length:x}"] = (password, [b"R" + struct.pack("!I", length) + b"\0\0\0\0"])
    for name, data in BAD_ERRORS.items():
        server[f"error-{name}"] = (password, [data])
    for name, (choice, parts) in server.items():
        seed("postgres_login", name, turns(*parts, choices=bytes([choice])))


def postgres_rounds():
    common = {"gone": [], "fatal": [error("57P01", "terminating", "FATAL")], "failed": [error() + ready()],
              "in-transaction": [message(b"I") + ready("T")], "copy": [message(b"G", b"\0\0\0")],
              "notices": [error("00000", "x", "NOTICE", b"N") * 3 + message(b"A", struct.pack("!i", 1) + b"c\0p\0")],
              "2gb": [b"D" + struct.pack("!I", 0x7FFFFFFF) + b"xx"], "3": [b"D" + struct.pack("!I", 3)],
              **{f"error-{name}": [data + ready()] for name, data in BAD_ERRORS.items()}}
    answers = {
        "postgres_ping": (b"", {"good": [message(b"I") + ready()], "late": [complete("SELECT 1") + ready()]}),
        "postgres_reset": (b"", {"good": [status("TimeZone", "UTC") + complete("DISCARD ALL") + ready()]}),
        "postgres_finish": (b"\0", {"good": [complete("COMMIT") + ready()], "rolled-back": [complete("ROLLBACK") + ready()]}),
        "postgres_align": (b"", {"good": [status("search_path", "a, b") + fields("set_config") + row("a, b") +
                                          complete("SELECT 1") + complete("RESET") + ready()]}),
        "postgres_ask_role": (b"\0", {"on": [fields("x") + row("on") + complete("SHOW") + ready()],
                                      "off": [fields("x") + row("off") + complete("SHOW") + ready()],
                                      "t": [fields("x") + row("t") + complete("SELECT 1") + ready()]}),
        "postgres_drain": (b"\x08", {"good": [fields("x") + row("1") + complete("SELECT 1") + ready()],
                                     "copy-in": [message(b"G", b"\0\0\0"), error() + ready()]}),
    }
    for target, (choice, own) in answers.items():
        for name, parts in {**common, **own}.items():
            seed(target, name, turns(*parts, choices=choice))
    for choice in (1, 2, 3, 7, 10, 11, 0x2A, 0x28, 0x1D):
        left = b"\x04" if choice & 4 else b""
        seed("postgres_drain", f"choice-{choice}", turns(b"abcd" + ready() if left else ready(), ready("E"), error() + ready(),
                                                         choices=bytes([choice]) + left))
    for answer in (b"S", b"N", b"E", b"SS", b"", b"Serror"):
        for direct in (0, 1):
            seed("postgres_encrypt", f"{answer.decode()}-{direct}", turns(answer, b"x", choices=bytes([direct])))
    seed("postgres_cancel", "gone", turns())
    seed("postgres_cancel", "answer", turns(b"N"))


# --- the trackers: programs of steps ----------------------------------------------------------------------------------

def pg_step(op, data):
    """Whole messages of one side as steps."""
    steps = b""
    while data:
        size = struct.unpack("!I", data[1:5])[0] + 1
        body, kind, data = data[5:size], data[:1], data[size:]
        head = bytes([op]) + kind + bytes([len(body)]) if len(body) < 256 else bytes([op | 8]) + kind + struct.pack("<H", len(body))
        steps += head + body
    return steps


def c(*data):
    return pg_step(CLIENT, b"".join(data))


def s(*data):
    return pg_step(SERVER, b"".join(data))


def postgres_tracker():
    one = fields("x") + row("1") + complete("SELECT 1")
    prepared = parse("a", "SELECT $1") + describe("S", "a") + SYNC
    described = message(b"1") + message(b"t", struct.pack("!hi", 1, 25)) + fields("x") + ready()
    use = bind("a", values=["1"]) + execute() + SYNC
    used = message(b"2") + row("1") + complete("SELECT 1") + ready()
    begin = c(query("BEGIN")) + s(complete("BEGIN") + ready("T"))
    programs = {
        "query": c(query("SELECT 1")) + s(one + ready()),
        "two-queries": c(query("SELECT 1"), query("SELECT 2")) + s(one + ready() + one + ready()),
        "transaction": begin + c(query("INSERT INTO t VALUES (1)")) + s(complete("INSERT 0 1") + ready("T")) +
                       c(query("COMMIT")) + s(complete("COMMIT") + ready()),
        "prepared": c(prepared) + s(described) + c(use) + s(used) + policy(GRANT, 3) + c(use) + s(message(b"1") + used),
        "pipeline": c(prepared, use, use, use) + s(described, used, used, used),
        "flush": c(parse("", "SELECT 1"), FLUSH) + s(message(b"1")) + c(bind(), execute(), SYNC) + s(used),
        "unnamed": c(parse("", "SELECT 1"), SYNC) + s(message(b"1") + ready()) + policy(GRANT, 2) + c(bind(), execute(), SYNC) +
                   s(message(b"3") + message(b"1") + used),
        "error": c(parse("a", "SELEC"), bind("a"), execute(), SYNC) + s(error("42601") + ready()) + c(query("SELECT 1")) +
                 s(one + ready()),
        "deallocate": c(prepared) + s(described) + c(query("DEALLOCATE a")) + c(use) + s(error("26000", "lh_0") + ready()),
        "discard": c(prepared) + s(described) + c(query("DISCARD ALL")) + s(complete("DISCARD ALL") + ready()) + c(query("SELECT 1")),
        "close": c(prepared) + s(described) + c(pgwire.close("S", "a"), SYNC) + c(pgwire.close("P", "p"), SYNC),
        "settings": c(query("SET search_path = a")) + s(complete("SET") + status("search_path", "a") + ready()) +
                    c(query("SET work_mem = '1MB'")) + s(complete("SET") + ready()),
        "copy-in": c(query("COPY t FROM STDIN")) + s(message(b"G", b"\0\0\0")) + c(pgwire.copy_data(b"1\n"), pgwire.COPY_DONE) +
                   s(complete("COPY 1") + ready()),
        "copy-fail": c(query("COPY t FROM STDIN")) + s(message(b"G", b"\0\0\0")) + c(pgwire.copy_fail("no")) +
                     s(error("57014") + ready()),
        "copy-out": c(query("COPY t TO STDOUT")) + s(message(b"H", b"\0\0\0") + message(b"d", b"1\n") + message(b"c") +
                                                     complete("COPY 1") + ready()),
        "copy-extended": c(parse("", "COPY t FROM STDIN"), bind(), execute(), SYNC) +
                         s(message(b"1") + message(b"2") + message(b"G", b"\0\0\0")) +
                         c(pgwire.copy_data(b"1"), pgwire.COPY_DONE, SYNC) + s(complete("COPY 1") + ready()),
        "function": c(message(b"F", struct.pack("!ihhh", 1, 0, 0, 0))) + s(message(b"V", struct.pack("!i", -1)) + ready()),
        "lost-idle": begin + lose() + c(query("SELECT 1"), query("SELECT 2"), query("ROLLBACK"), query("SELECT 3")),
        "lost-commit": begin + c(query("COMMIT")) + lose() + c(query("SELECT 1")),
        "lost-unwritten": c(query("INSERT")) + lose(0, True) + c(query("SELECT 1")),
        "lost-pipeline": c(prepared, use, use) + s(described) + lose() + c(use),
        "lost-extended": begin + lose(1) + c(parse("", "ROLLBACK"), bind(), describe("P"), execute(), SYNC),
        "lost-half": c(query("SELECT 1")) + s(fields("x")) + bytes([RAW_SERVER, 7]) + b"D\0\0\0\x20\0\1" + lose(),
        "lost-half-request": bytes([RAW_CLIENT, 9]) + b"Q\0\0\0\x40SELE" + lose() + bytes([RAW_CLIENT, 4]) + b"CT 1",
        "farewell": c(query("SELECT 1")) + s(error("57P01", "bye", "FATAL")) + c(query("SELECT 1")),
        "ended": begin + b"\xfd",
        "refused": policy(REFUSE) + c(query("SELECT 1")) + c(use) + policy(GRANT) + c(query("SELECT 1")),
        "waits": policy(WAIT) + c(query("SELECT 1")) + c(query("SELECT 2")) + policy(GRANT) + s(one + ready() + one + ready()),
        "pinned": c(query("LISTEN x")) + s(complete("LISTEN") + ready()) + s(message(b"A", struct.pack("!i", 1) + b"x\0\0")) + lose(),
        "zone": c(query("SET TimeZone = 'Asia/Tokyo'")) + s(complete("SET") + status("TimeZone", "Asia/Tokyo") + ready()) +
                policy(GRANT, 4) + c(use) + s(used),
        "terminate": c(query("SELECT 1"), TERMINATE),
        "answer-unasked": c(query("SELECT 1")) + s(one + ready() + ready()),
        "noise-unasked": c(query("SELECT 1")) + s(one + ready() + row("2")),
        "notice-behind": c(query("SELECT 1")) + s(one + ready() + error("00000", "x", "NOTICE", b"N")),
        "long-query": c(query("BEGIN")) + s(complete("BEGIN") + ready("T")) + bytes([LONG]) + b"Q" + bytes([80, 8]) + b"SELECT '" +
                      b"x" + bytes([10]) + b"'; COMMIT\0" + s(one + complete("COMMIT") + ready()),
        "long-parse": bytes([LONG]) + b"P" + bytes([255, 10]) + b"\0SELECT '\xc3\xa9" + b"x" + bytes([4]) + b"'\0\0\0" + c(use),
        "long-bind": bytes([LONG]) + b"B" + bytes([70, 4]) + b"\0a\0\0" + b"\0" + bytes([0]) + c(SYNC),
        "long-error": c(query("SELECT 1")) + bytes([LONG | 8]) + b"E" + bytes([70, 7]) + b"SERROR\0" + b"M" + bytes([2]) + b"\0\0" + s(ready()),
        "long-row": c(query("SELECT 1")) + s(fields("x")) + bytes([LONG | 8]) + b"D" + bytes([70, 0]) + b"x" + bytes([0]) + s(complete("SELECT 1") + ready()),
        "too-long": bytes([RAW_CLIENT, 5]) + b"Q\x7f\xff\xff\xff",
        "length-3": bytes([RAW_CLIENT, 5]) + b"P\0\0\0\3", "length-0": bytes([RAW_CLIENT, 5]) + b"B\0\0\0\0",
        "length-negative": bytes([RAW_CLIENT, 5]) + b"d\xff\xff\xff\xfc",
        "server-2gb": c(query("SELECT 1")) + bytes([RAW_SERVER, 5]) + b"D\x7f\xff\xff\xff",
        "server-3": c(query("SELECT 1")) + bytes([RAW_SERVER, 5]) + b"D\0\0\0\3",
        "long-name": c(parse("n" * 300, "SELECT 1"), bind("n" * 300), execute(), SYNC) + s(message(b"1") + used),
        "sql-prepared": c(query("PREPARE q AS SELECT 1")) + s(complete("PREPARE") + ready()) + c(query("EXECUTE q")) + s(one + ready()) +
                        policy(GRANT, 3) + c(query("EXECUTE q; DEALLOCATE q")) + s(one + complete("DEALLOCATE") + ready()),
        "executes-another": c(parse("a", "EXECUTE b"), SYNC) + s(message(b"1") + ready()) +
                            c(query("PREPARE b AS SELECT pg_advisory_lock(1)")) + s(complete("PREPARE") + ready()) + c(query("EXECUTE a")) +
                            s(one + ready()) + c(use) + s(used),
        "executes-itself": c(parse("a", "EXECUTE a"), parse("b", "EXECUTE c"), parse("c", "EXPLAIN EXECUTE b"), SYNC) +
                           s(message(b"1") * 3 + ready()) + c(query("EXECUTE a; EXECUTE b")) + c(bind("c"), execute(), SYNC),
        "behind-a-failure": c(query("PREPARE q AS SELECT 1")) + s(complete("PREPARE") + ready()) + begin + c(query("ERR")) +
                            s(error("42601") + ready("E")) + policy(GRANT, 2) + c(query("ROLLBACK"), query("EXECUTE q"), query("DEALLOCATE q")) +
                            s(complete("ROLLBACK") + ready()) + s(one + ready()),
        "function-then-lost": c(query("SELECT s.f()")) + s(one + ready()) + lose() + c(query("SELECT 1")),
        "numbers": c(query("SELECT nextval('s')")) + s(one + ready()) + c(query("SELECT lastval()")) + s(one + ready()),
        "bind-garbage": c(message(b"B", b"\0\0\x7f\xff\x7f\xff\xff\xff"), SYNC),
    }
    for name, data in BAD_ERRORS.items():
        programs[f"error-{name}"] = c(query("SELECT 1")) + s(data + ready()) + c(query("SELECT 2"))
        programs[f"error-extended-{name}"] = c(prepared, use) + s(data + ready()) + s(data + ready())
    for name, steps in programs.items():
        seed("postgres_tracker", name, bytes([0, BYTE_BY_BYTE]) + steps)
    for choice in (1, 2, 9, 128):
        seed("postgres_tracker", f"mode-{choice}", bytes([choice, 3]) + programs["transaction"] + programs["prepared"])


# --- texts ------------------------------------------------------------------------------------------------------------

SQL = ["BEGIN; SELECT 1; COMMIT", "SELECT E'\\' ; x', 'a\\', \"b;\"\"c\", $a$;$b$;$a$ /* ; /* ; */ */ -- ;\n; ROLLBACK AND CHAIN",
       "SET LOCAL search_path TO 'a', b; RESET ALL; SET TIME ZONE 'x'", "DEALLOCATE \"A\"; DEALLOCATE ALL; DISCARD ALL",
       "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN 1 THEN 2 END; END; SELECT 2", "SELECT U&'\\0041' UESCAPE '!'",
       "PREPARE TRANSACTION 'a'; COMMIT PREPARED 'a'", "SELECT pg_advisory_lock(1), nextval('s'), set_config('a','b',false)",
       "DECLARE c CURSOR WITH HOLD FOR SELECT 1; CREATE TEMP TABLE t(); SELECT 1 INTO TEMP x", "INSERT INTO t VALUES ('a''b', 1.5e3)",
       "SET a = b; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "$1", "", ";", "'"]
MYSQL = ["SET NAMES utf8mb4 COLLATE utf8mb4_bin, @@session.sql_mode='ANSI', SESSION time_zone = '+00:00', autocommit=0",
         "/*!50000 SET sql_mode='' */; USE `a``b`; /*M!100000 x */", "SELECT 'a\\'b', \"c\"\"d\", 0x41, _utf8'x', N'y' # c\n; -- d\nCOMMIT",
         "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SET SESSION TRANSACTION READ ONLY", "SELECT GET_LOCK('a', 1), LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()",
         "SET @a = 1, @@global.x = 2, PERSIST y = 3", "XA PREPARE 'a'; XA COMMIT 'a'; LOCK TABLES t WRITE", "CREATE TEMPORARY TABLE t (a int)",
         "KILL QUERY 7", "SAVEPOINT a; ROLLBACK TO a; RELEASE SAVEPOINT a", "CALL p(); DO 1; HANDLER t OPEN", "ROLLBACK AND CHAIN", "", "'"]
URLS = ["postgresql+psycopg2://app:kx%25jj5%2Fg@db.internal:5432/orders?sslmode=verify-full", "mysql+pymysql://u@[::1]/d", "mariadb://",
        "postgresql://a:b@h1:1,h2:2,h3/d?target_session_attrs=read-write", "postgresql:///d?host=/run/postgresql&port=5433", "postgres://u:p:/?@h/d",
        "postgresql://u@h:99999/d", "sqlite://", "postgresql://u:%zz@h/d", "mysql://u:@h/d?ssl_mode=REQUIRED&charset=utf8mb4", ""]

SETTINGS = ["SET work_mem = '4MB'; RESET ALL; SET LOCAL a.b TO DEFAULT", "/* app:x */ SET search_path TO a, \"B c\", 'user', \"$user\" -- end",
            "SELECT set_config('a.b', 'it''s', false) AS x, pg_catalog.set_config('role'::text, NULL, 'true');", "SET ROLE none; RESET ROLE",
            "SET SESSION AUTHORIZATION 'A b'; SET SESSION AUTHORIZATION DEFAULT; RESET SESSION AUTHORIZATION",
            "BEGIN; SAVEPOINT a; SET TIME ZONE LOCAL; ROLLBACK WORK TO SAVEPOINT a; RELEASE a; COMMIT",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ", "SET statement_timeout = '1min'",
            "SET temp_buffers = 800; SET xmloption = content", "SET/**/a.b=--5\n1", "SET SCHEMA 's1'; SET x = -1.5; DO ''"]


def texts():
    for i, sql in enumerate(SQL):
        seed("postgres_statements", str(i), b"\0\0" + sql.encode())
        seed("postgres_lexer", str(i), sql.encode())
    for i, sql in enumerate(SQL[:3] + ["SET standard_conforming_strings = off; SELECT '\\'; DISCARD ALL"]):
        seed("postgres_statements", f"escapes-{i}", b"\1\2" + sql.encode())
    for i, sql in enumerate(SETTINGS):
        seed("postgres_setting_steps", str(i), b"\0" + sql.encode())
    for i, sql in enumerate(MYSQL):
        for mode in range(4):
            if mode in (0, i % 4):
                seed("mysql_statements", f"{i}-{mode}", bytes([mode, 0]) + sql.encode())
    for i, url in enumerate(URLS):
        seed("config_url", str(i), url.encode())
    example = (HERE.parent.parent / "systemd" / "leasehold.yaml").read_text()
    seed("config_yaml", "example", example.encode())
    for i, text in enumerate(["pools:\n  a: {url: 'postgresql://u:${P}@h/d'}\n", "pools: {a: {url: !file /x, pool_size: -1}}\nlisten: []\n",
                              "a: &x [*x]\n", "users:\n  - {name: a, password: !credential b, pools: [a]}\n  - {name: a}\n", "limits: {max_clients: 1e9}\n",
                              "pools:\n  a: 1\n  a: 2\n", "listen:\n  - {dialect: postgresql, address: 'unix:/x', auth: peer, map: {a: b}}\n", "\t", "%YAML 9\n---\n",
                              "servers: {'h:1': {max_connections: 80}}\ndrain_timeout: 1h\nworkers: auto\n"]):
        seed("config_yaml", str(i), text.encode())
    seed("postgres_settings", "options", b"-c work_mem=64MB --search-path=a\\ b -cx=y -B 16 --z")
    pair = b"\x09TimeZone\0\x03U'C" + b"\x0bsearch_path\x06a\\', b"
    seed("postgres_settings", "pairs", b"\2" + pair + b"\1" + b"\x08a.b\"c;--\x05'\\x$$" + b"it's \\ $$ ; /* \xc3\xa9")


if __name__ == "__main__":
    for make in (postgres_startup, postgres_authentication, postgres_login, postgres_rounds, postgres_tracker, texts,
                 seeds_mysql.mysql_compression, seeds_mysql.mysql_replies, seeds_mysql.mysql_logins, seeds_mysql.mysql_rounds, seeds_mysql.mysql_tracker):
        make()
