# SPDX-License-Identifier: Apache-2.0
"""Advisory locks and notifications: what sessions do to each other. Locks that another session may hold are only tried."""
from postgres.weave import family

LOCKS = tuple(f"{name}{shared}" for shared in ("", "_shared") for name in
              [f"tried {n}" for n in (1, 2, 3)] + [f"lock {1000 + n * 10 + k}" for n in range(8) for k in (0, 1)])

# --- advisory locks -----------------------------------------------------------------------------------------------------

LOOK = ("SELECT mode, objid, count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
        "WHERE datname = current_database()) GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT mode, objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1, 2")


@family("advisory")
def of_its_own(draw):
    key = 1000 + draw.session * 10 + draw.randint(0, 1)
    shared = draw.choice(["", "_shared"])
    times = draw.randint(1, 2)
    holds = (f"lock {key}{shared}",)
    steps = [draw.run(f"SELECT pg_advisory_lock{shared}({key})", holds=holds) for _ in range(times)]
    steps.append(draw.run(draw.choice(LOOK)))
    steps += [draw.run(f"SELECT pg_advisory_unlock{shared}({key})", frees=holds if n == times - 1 else ())
              for n in range(times)]
    if draw.chance(0.2):
        steps.append(draw.run(f"SELECT pg_advisory_unlock{shared}({key})", frees=holds))
    return steps


@family("advisory")
def tried(draw):
    key = draw.randint(1, 3)
    shared = draw.choice(["", "", "_shared"])
    holds = (f"tried {key}{shared}",)
    arguments = draw.choice([f"{key}", f"{key}", f"7, {key}"])
    steps = [draw.run(f"SELECT pg_try_advisory_lock{shared}({arguments})", holds=holds), draw.run(draw.choice(LOOK))]
    if draw.chance(0.8):
        end = draw.choice([f"SELECT pg_advisory_unlock{shared}({arguments})", "SELECT pg_advisory_unlock_all()"])
        steps.append(draw.run(end, frees=LOCKS if "all" in end else holds))
    return steps


@family("advisory")
def of_a_transaction(draw):
    return [draw.run("BEGIN"), draw.run(f"SELECT pg_try_advisory_xact_lock({draw.randint(1, 3)})"), draw.run(draw.choice(LOOK)),
            draw.run(draw.choice(["COMMIT", "ROLLBACK"]))]


@family("advisory")
def look(draw):
    if draw.chance(0.3):
        end = draw.choice(["SELECT pg_advisory_unlock_all()", "SELECT pg_advisory_unlock(2)"])
        return [draw.simple(end, frees=() if end.endswith("(2)") else LOCKS)]
    return [draw.run(draw.choice(LOOK))]


# --- LISTEN and NOTIFY ----------------------------------------------------------------------------------------------------

CHANNELS = ("news", "other", '"Quoted Channel"')


@family("listen")
def listen(draw):
    channel = draw.choice(CHANNELS)
    steps = [draw.run(f"LISTEN {channel}", holds=("listen?",))]
    if draw.chance(0.4):
        steps.append(draw.run(f"NOTIFY {channel}, 'to itself {draw.session}'"))
    steps.append(draw.step(("drain",), needs=("idle",)))
    if draw.chance(0.4):
        steps.append(draw.choice([draw.run(f"UNLISTEN {channel}"), draw.run("UNLISTEN *", frees=("listen",))]))
    return steps


@family("listen")
def notify(draw):
    channel, word = draw.choice(("news", "other", "Quoted Channel")), f"{draw.session} {draw.randint(1, 999)}"
    quoted = f'"{channel}"' if " " in channel else channel
    steps = [draw.run(draw.choice([f"NOTIFY {quoted}, '{word}'", f"SELECT pg_notify('{channel}', '{word}')",
                                   f"NOTIFY {quoted}"])) for _ in range(draw.randint(1, 3))]
    return steps


@family("listen")
def hear(draw):
    return [draw.step(("drain",), needs=("idle",))]


@family("listen")
def registered(draw):
    return [draw.choice([draw.run("SELECT pg_listening_channels() ORDER BY 1"), draw.run("UNLISTEN *", frees=("listen",)),
                         draw.run("UNLISTEN news"), draw.run("LISTEN news", holds=("listen?",))])]
