# SPDX-License-Identifier: Apache-2.0
"""The MySQL half of seeds.py: logins, replies, and sessions."""
import hashlib
import struct
import zlib

from seeds_common import CLIENT, GRANT, LONG, RAW_CLIENT, RAW_SERVER, REFUSE, SERVER, WAIT, BYTE_BY_BYTE, lose, policy, seed, turns


def packet(payload, sequence):
    return struct.pack("<I", len(payload))[:3] + bytes([sequence]) + payload


def ok(status_=2, insert=0, warnings=0, head=0):
    return bytes([head, 0, insert]) + struct.pack("<HH", status_, warnings)


def eof(status_=2, warnings=0):
    return b"\xfe" + struct.pack("<HH", warnings, status_)


def err(number, state="HY000", text="no"):
    return b"\xff" + struct.pack("<H", number) + b"#" + state.encode() + text.encode()


COLUMN = b"\x03def\0\0\0\x01c\0\x0c" + b"\0" * 12


def rows(value="1", end=None, deprecate=False):
    parts = [b"\x01", COLUMN, bytes([len(value)]) + value.encode(), ok(head=0xFE) if deprecate else eof()]
    if not deprecate:
        parts.insert(2, eof())
    return parts


def greeting(plugin=b"mysql_native_password", version=b"5.5.5-10.11.6-MariaDB"):
    return (b"\x0a" + version + b"\0" + struct.pack("<I", 42) + b"\x2a" * 8 + b"\0" + b"\xfe\xf7" + b"\x08" + b"\2\0" +
            b"\xff\x81" + b"\x15" + b"\0" * 10 + b"\x2a" * 12 + b"\0" + plugin + b"\0")


def native(password):
    one = hashlib.sha1(password).digest()
    mask = hashlib.sha1(b"\x2a" * 20 + hashlib.sha1(one).digest()).digest()
    return bytes(a ^ b for a, b in zip(one, mask))


def response(password=b"secret", plugin=b"mysql_native_password", user=b"app", database=b"shop", capabilities=0x81FFF7DF & ~0x800):
    answer = native(password)
    return (struct.pack("<IIB", capabilities, 1 << 24, 45) + b"\0" * 23 + user + b"\0" + bytes([len(answer)]) + answer +
            database + b"\0" + plugin + b"\0" + b"\x12\x0cprogram_name\x04test")


# Any server's public key.
RSA = b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqWlUC+/RmknPob6PEfGf
COZAjmyLse1V1SQnrHFY6i2tCM3kMl7tgfEjqaTzPSnV1IyJg3tRAJNqcT62CKgZ
X3tRm7soWIjSlGUP6bB3PcbTzYtzvothyUKuskz5V60VqW617NlOmSZB6cKy22P6
Bq73bj4PAh6lUjBh9iWXoO6BxJLNjqWtH+2IL4BUnJl7iiB6/FRUz6tym3C0kJeH
kHUvitL61fwAdQDpCvd3l66MYs0swiTTkzmEKNpml6TNMVGRDfT/U1IO6DHQOhuM
NStNmBjbezWO5Glf4ZivhxSRaQfWFVnV57pC8JDZV1+KvZPoGCpCz2weK3hbGVhj
CwIDAQAB
-----END PUBLIC KEY-----
"""


def mysql_compression():
    def frame(plain, number, packed=None, size=None):
        body = plain if packed is None else packed
        return struct.pack("<I", len(body))[:3] + bytes([number]) + struct.pack("<I", 0 if packed is None else size or len(plain))[:3] + body

    ask = packet(b"\3SELECT '" + b"x" * 90 + b"'", 0)
    for option, name in ((3, "server"), (2, "client")):
        reply = ask if option & 1 else packet(b"\1", 1) + packet(COLUMN, 2) + packet(eof(), 3)
        number = 1 - (option & 1)
        for kind, frames in {"stored": frame(reply, number), "packed": frame(reply, number, zlib.compress(reply)),
                             "two": frame(reply[:9], number) + frame(reply[9:], number + 1), "number": frame(reply, 9),
                             "bomb": frame(b"", number, zlib.compress(b"\0" * 100_000), 99),
                             "short": frame(reply, number, zlib.compress(reply)[:-1]), "empty": frame(b"", number)}.items():
            seed("mysql_compression", f"{name}-{kind}", bytes([option, BYTE_BY_BYTE]) + frames)
    seed("mysql_compression", "turns", bytes([7, 3]) + b"\x60\3" + b"a" * 0x5F + b"\x70" + b"b" * 0x70 + b"\5\x19\1\0\0\0\2\3x\1y")
    seed("mysql_compression", "turns-zstd", bytes([5, 3]) + b"\x60\3" + b"a" * 0x5F + b"\x70" + b"b" * 0x70)


def mysql_replies():
    replies = {"rows": rows(), "rows-ok": rows(deprecate=True), "ok": [ok()], "error": [err(1064)], "farewell": [err(1053)],
               "infile": [b"\xfbx", ok()], "multi": rows()[:-1] + [eof(10)] + rows(), "prepare": [b"\0\1\0\0\0\1\0\1\0\0\0\0", COLUMN, eof(), COLUMN, eof()],
               "fields": [COLUMN, eof()], "statistics": [b"Uptime: 1"], "bad": [b"\xfe\xff"]}
    for name, parts in replies.items():
        for shape in (0, 1, {"prepare": 2, "fields": 3, "statistics": 4}.get(name, 5)):
            data = b"".join(packet(part, number + 1) for number, part in enumerate(parts))
            seed("mysql_replies", f"{name}-{shape}", bytes([3, 6 | ("ok" in name), shape]) + data)


def mysql_logins():
    good = packet(response(), 1)
    answers = {"good": [good], "bare": [packet(response(capabilities=0x8200), 1)], "gone": [],
               "switch": [packet(response(plugin=b"caching_sha2_password"), 1), packet(native(b"secret"), 3)],
               "switch-wrong": [packet(response(plugin=b"caching_sha2_password"), 1), packet(b"x" * 20, 3)],
               "switch-sequence": [packet(response(plugin=b"x"), 1), packet(native(b"secret"), 1)],
               "sequence": [packet(response(), 2)], "ssl": [packet(struct.pack("<IIB", 0xA0A, 1, 45) + b"\0" * 23, 1)],
               "old": [packet(b"\0\0\0\0\0app\0", 1)], "long-names": [packet(response(user=b"u" * 3000, database=b"d" * 3000), 1)],
               "sha2": [packet(response(plugin=b"caching_sha2_password"), 1), packet(b"x" * 32, 3), packet(b"secret\0", 5)],
               "sha2-key": [packet(response(plugin=b"caching_sha2_password"), 1), packet(b"x" * 32, 3), packet(b"\2", 5), packet(b"k" * 256, 7)],
               "sha2-first": [packet(response(plugin=b"caching_sha2_password"), 1), packet(b"\2", 3), packet(b"k" * 256, 5)],
               "clear": [packet(response(plugin=b"mysql_clear_password"), 1), packet(b"secret\0", 3)],
               "tls": [packet(response()[:32], 1), packet(response(capabilities=0x81FFF7DF), 2)],
               "tls-sha2": [packet(response()[:32], 1), packet(response(plugin=b"caching_sha2_password", capabilities=0x81FFF7DF), 2), packet(b"secret\0", 4)],
               "empty": [b"\0\0\0\1"], "16mb": [b"\xff\xff\xff\x01xx"], "cut": [good[:60]]}
    for name, parts in answers.items():
        seed("mysql_greeting", name, turns(*parts, choices=b"\0"))
        seed("mysql_greeting", f"{name}-plain", turns(*parts, choices=b"\6"))
        for kind in (0, 2, 3, 4, 6, 54, 99, 102):
            if kind in (0, 3) or name in ("good", "switch", "sha2", "sha2-key", "sha2-first", "tls-sha2"):
                seed("mysql_authentication", f"{name}-{kind}", turns(*parts, choices=bytes([kind])))
    hello = packet(greeting(), 0)
    sha2 = packet(greeting(b"caching_sha2_password", b"9.7.4"), 0)
    switch = packet(b"\xfemysql_native_password\0" + b"\x2a" * 20 + b"\0", 2)
    served = {"good": [hello, packet(ok(), 2)], "switch": [hello, switch, packet(ok(), 4)],
              "sha2": [packet(greeting(b"caching_sha2_password", b"8.0.36"), 0), packet(b"\x01\x04", 2)],
              "sha2-fast": [sha2, packet(b"\x01\x03", 2) + packet(ok(), 3)],
              "sha2-key": [sha2, packet(b"\x01\x04", 2), packet(b"\x01" + RSA, 4), packet(ok(), 6)],
              "sha2-no-key": [sha2, packet(b"\x01\x04", 2), packet(b"\x01x", 4)], "sha2-switch": [hello, packet(b"\xfecaching_sha2_password\0" + b"x" * 20 + b"\0", 2), packet(b"\x01\x04", 4), packet(b"\x01" + RSA, 6), packet(ok(), 8)],
              "ed25519": [hello, packet(b"\xfeclient_ed25519\0" + b"n" * 32, 2), packet(ok(), 4)],
              "clear": [hello, packet(b"\xfemysql_clear_password\0", 2), packet(ok(), 4)],
              "other-plugin": [hello, packet(b"\xfecaching_sha2_password\0" + b"x" * 20, 2)], "old-switch": [hello, packet(b"\xfe", 2)],
              "many-switches": [hello, switch, switch, switch, switch], "refused": [hello, packet(err(1045, "28000"), 2)],
              "saturated": [packet(b"\xff" + struct.pack("<H", 1040) + b"Too many connections", 0)],
              "error-short": [packet(b"\xff\x10", 0)], "error-no-state": [hello, packet(b"\xff\x15\x04denied", 2)],
              "cut": [packet(greeting()[:30], 0)], "version-9": [packet(b"\x09old\0", 0)], "gone": [],
              "empty": [b"\0\0\0\0"], "16mb": [b"\xff\xff\xff\0xx"], "ok-cut": [hello, packet(b"\0", 2)]}
    kill = {"killed": [hello, packet(ok(), 2), packet(ok(), 1)], "no-thread": [hello, packet(ok(), 2), packet(err(1094), 1)],
            "not-allowed": [hello, packet(ok(), 2), packet(err(1095), 1)]}
    for name, parts in served.items():
        seed("mysql_login", name, turns(*parts, choices=b"\0"))
        for choice in (8, 32, 40, 48, 96) if name in ("good", "sha2", "sha2-fast", "sha2-key", "clear", "ed25519") else ():
            seed("mysql_login", f"{name}-{choice}", turns(*parts, choices=bytes([choice])))
    for name, parts in {**served, **kill}.items():
        seed("mysql_cancel", name, turns(*parts))
    seed("mysql_login", "database", turns(hello, packet(ok(), 2), choices=b"\6"))
    for name, parts in {"good": [packet(ok(), 1)], "switch": [switch, packet(ok(), 3)], "refused": [packet(err(1045), 1)], "gone": [],
                        "other": [packet(b"\xfesha256_password\0x", 1)], "many": [switch] * 5}.items():
        seed("mysql_change_user", name, turns(*parts))
    returning = b"app\0\0shop\0\x2d\0mysql_native_password\0\x12\x0cprogram_name\x04test"
    for name, request in {"good": returning, "answered": b"app\0\x14" + native(b"secret") + returning[5:], "old": returning[:10],
                          "cut": returning[:8], "lying": b"app\0\xff" + returning[5:]}.items():
        for choice in (0, 1, 5, 9, 17):
            seed("mysql_returning", f"{name}-{choice}", turns(packet(native(b"secret"), 2),
                                                              choices=bytes([choice]) + struct.pack("<H", len(request)) + request))


def numbered(payloads, first=1):
    return b"".join(packet(p, (first + i) & 255) for i, p in enumerate(payloads))


def mysql_rounds():
    good = packet(ok(), 1)
    parts = {"ok": [good], "three": [good * 3], "in-transaction": [packet(ok(3), 1)], "rows": [numbered(rows())],
             "rows-eof": [numbered(rows(deprecate=True))], "error": [packet(err(1064, "42000"), 1)], "error-then-ok": [packet(err(1064), 1) + good],
             "error-cut": [packet(b"\xff\x28\x04", 1)], "farewell": [packet(err(1053, "08S01"), 1)], "infile": [packet(b"\xfb/etc/passwd", 1)],
             "more-results": [packet(ok(0x0A), 1) + packet(ok(), 2)], "gone": [], "empty": [packet(b"", 1)], "16mb": [b"\xff\xff\xff\x01" + b"x" * 9],
             "columns": [packet(b"\xfd\xff\xff\xff", 1)], "unasked": [good + packet(err(1927), 0)]}
    for name, data in parts.items():
        for deprecate in (0, 1):
            for target in ("mysql_ping", "mysql_reset"):
                seed(target, f"{name}-{deprecate}", turns(*data, choices=bytes([deprecate])))
            seed("mysql_finish", f"{name}-{deprecate}", turns(*data, choices=bytes([deprecate, deprecate])))
            seed("mysql_align", f"{name}-{deprecate}", turns(*data, choices=bytes([deprecate, 5])))
            for shape in range(6):
                if shape in (0, 1) or deprecate:
                    seed("mysql_drain", f"{name}-{deprecate}-{shape}", turns(*data, choices=bytes([deprecate, 2, shape, 0, 0])))


def mysql_tracker():
    def step(op, sequence, payload):
        size = bytes([op, *([sequence] if op & 7 == SERVER else []), len(payload)]) if len(payload) < 256 else \
            bytes([op | 8, *([sequence] if op & 7 == SERVER else [])]) + struct.pack("<H", len(payload))
        return size + payload

    def q(sql, command=3):
        return step(CLIENT, 0, bytes([command]) + (sql if isinstance(sql, bytes) else sql.encode()))

    def srv(*payloads, first=1):
        return b"".join(step(SERVER, first + i, p) for i, p in enumerate(payloads))

    begin = q("BEGIN") + srv(ok(3))
    prepare = q("SELECT ?", 0x16) + srv(b"\0\1\0\0\0\1\0\1\0\0\0\0", COLUMN, eof(), COLUMN, eof())
    programs = {
        "query": q("SELECT 1") + srv(*rows()), "ok": q("INSERT INTO t VALUES (1)") + srv(ok(2, 7)) + srv(*rows("7")),
        "transaction": begin + q("INSERT") + srv(ok(3)) + q("COMMIT") + srv(ok()),
        "local": q("COMMIT") + q("", 0x0E) + q("", 0x1F) + q("ROLLBACK"), "quit": q("", 1),
        "error": q("SELEC") + srv(err(1064, "42000")), "error-in-transaction": begin + q("x") + srv(err(1213, "40001")) + srv(ok()),
        "prepared": prepare + q(b"\1\0\0\0\0\1\0\0\0", 0x17) + srv(*rows()) + q(b"\1\0\0\0", 0x19) + q("SELECT 1") + srv(*rows()),
        "fetch": prepare + q(b"\1\0\0\0\1\1\0\0\0", 0x17) + srv(b"\1", COLUMN, eof(0x42)) + q(b"\1\0\0\0\5\0\0\0", 0x1C) + srv(b"\0\0\1", eof(0x82)),
        "long-data": prepare + q(b"\1\0\0\0\0\0abc", 0x18) + q(b"\1\0\0\0", 0x1A) + srv(ok()),
        "infile": q("LOAD DATA LOCAL INFILE 'x' INTO TABLE t") + srv(b"\xfbx") + bytes([CLIENT | 0x10, 2, 3]) + b"a,b" +
                  bytes([CLIENT | 0x10, 3, 0]) + srv(ok(), first=4),
        "multi": q("SELECT 1; SELECT 2") + srv(*rows()[:-1], eof(0x0A)) + srv(*rows()),
        "settings": q("SET NAMES utf8mb4") + srv(ok()) + q("SET @@session.sql_mode='ANSI'") + srv(ok()) + policy(GRANT, 1) +
                    q("SELECT 1") + srv(*rows()),
        "use": q("shop", 2) + srv(ok()) + q("USE other") + srv(ok()), "autocommit": q("SET autocommit=0") + srv(ok(0)) + q("SELECT 1") + srv(*rows()),
        "set-option": q(b"\1\0", 0x1B) + q("SELECT 1") + srv(*rows()), "field-list": q("t\0", 4) + srv(COLUMN, eof()),
        "statistics": q("", 9) + srv(b"Uptime: 1"), "change-user": q("app\0", 0x11), "register-replica": q(b"\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0x15) + srv(ok()),
        "binlog-dump": q(b"\4\0\0\0\0\0\7\0\0\0log.1", 0x12) + q("SELECT 1") + srv(*rows()),
 "kill": q("KILL 7"), "unknown": q("x", 0x77),
        "lost-idle": begin + lose() + q("SELECT 1") + q("SELECT 2") + srv(*rows()), "lost-running": begin + q("COMMIT") + lose() + q("SELECT 1"),
        "lost-half": q("SELECT 1") + srv(b"\1") + bytes([RAW_SERVER, 6]) + b"\x20\0\0\2de" + lose(),
        "lost-rollback": begin + lose(1) + q("ROLLBACK"), "lost-prepared": prepare + lose() + q("SELECT 1"),
        "lost-half-request": bytes([RAW_CLIENT, 8]) + b"\x20\0\0\0\3SEL" + lose() + bytes([RAW_CLIENT, 3]) + b"ECT",
        "refused": policy(REFUSE) + q("SELECT 1") + policy(GRANT) + q("SELECT 1") + srv(*rows()),
        "waits": policy(WAIT) + q("SELECT 1") + q("SELECT 2") + policy(GRANT) + srv(*rows()),
        "pinned": q("SELECT GET_LOCK('a',1)") + srv(*rows()) + lose() + q("SELECT 1"), "farewell": q("SELECT 1") + srv(err(1053, "08S01")),
        "unasked": q("SELECT 1") + srv(*rows()) + srv(err(1927), first=0), "answer-twice": q("SELECT 1") + srv(*rows()) + srv(*rows()),
        "out-of-order": bytes([CLIENT | 0x10, 5, 2]) + b"\3x", "empty": bytes([CLIENT, 0]),
        "16mb": bytes([RAW_CLIENT, 5]) + b"\xff\xff\xff\0\3", "server-16mb": q("SELECT 1") + bytes([RAW_SERVER, 5]) + b"\xff\xff\xff\1x",
        "long-query": begin + bytes([LONG, 0, 80, 9]) + b"\3SELECT '" + b"x" + bytes([10]) + b"'; COMMIT " + srv(*rows()),
        "long-answered": bytes([LONG, 0, 80, 1]) + b"\x77" + b"x" + bytes([0]) + q("SELECT 1"), "ended": begin + b"\xfd",
    }
    for name, steps in programs.items():
        seed("mysql_tracker", name, bytes([0, BYTE_BY_BYTE]) + steps)
    for choice in (1, 2, 9, 16, 32, 64, 128):
        seed("mysql_tracker", f"mode-{choice}", bytes([choice, 3]) + programs["transaction"] + programs["settings"] + programs["infile"])
