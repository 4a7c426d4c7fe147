# SPDX-License-Identifier: Apache-2.0
"""The whole daemon with several workers under ThreadSanitizer: everything that crosses threads, all at once.

ThreadSanitizer ends a process that it has reported on with code 66, so that the daemon's exit code is the verdict."""
import contextlib
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time

import psycopg2

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from leasehold import Leasehold  # noqa: E402
from servers import Postgres, postgres_bin  # noqa: E402

USER, PASSWORD, WORKERS = "app", "secret", 4
SECONDS = 60 if os.environ.get("LEASEHOLD_LONG") else 6


def worker_load(daemon, pool, mode):
    return subprocess.Popen([postgres_bin("pgbench"), "-n", "-S", "-M", mode, "-c", "12", "-j", "1", "-T", str(SECONDS),
                             "-h", daemon.host, "-p", str(daemon.port), "-U", USER, pool],
                            env={**os.environ, "PGPASSWORD": PASSWORD}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def come_and_go(daemon, end, failures, seed):
    """Clients that log in, work, cancel, fail, and leave in every way there is."""
    chance = random.Random(seed)
    while time.monotonic() < end:
        try:
            with contextlib.closing(daemon.connect(f"p{chance.randrange(3)}", USER, PASSWORD)) as session:
                cursor = session.cursor()
                cursor.execute("SET application_name = 'guest'")
                way = chance.randrange(5)
                if way == 0:
                    cursor.execute("SELECT 1 / (random() < 2)::int")
                    session.commit()
                elif way == 1:  # in the middle of a transaction, without a word
                    cursor.execute("CREATE TEMP TABLE t (a int)")
                    with socket.socket(fileno=os.dup(session.fileno())) as ours:
                        ours.shutdown(socket.SHUT_RDWR)
                elif way == 2:
                    timer = threading.Timer(0.05, session.cancel)
                    timer.start()
                    with contextlib.suppress(psycopg2.extensions.QueryCanceledError):
                        cursor.execute("SELECT pg_sleep(0.2)")
                    timer.join()
                elif way == 3:
                    with contextlib.suppress(psycopg2.errors.UndefinedTable):
                        cursor.execute("SELECT * FROM nowhere")
                # 4: nothing; every way ends by closing
        except psycopg2.Error as error:
            failures.append(error)


def look(daemon, end):
    while time.monotonic() < end:
        for command in ("SHOW POOLS", "SHOW CLIENTS", "SHOW SERVERS", "SHOW QUARANTINE", "SHOW VERSION"):
            daemon.console(command)


def reload(daemon, end):
    """Pools come, go, grow, and log in anew, while everybody works."""
    turn = 0
    while time.monotonic() < end:
        turn += 1
        daemon.set_pool(f"p{turn % 3}", pool_size=3 + turn % 3, prepared_per_backend=100 + turn)
        if turn % 2:
            daemon.set_pool("extra", url=daemon.config["pools"]["p0"]["url"])
        else:
            daemon.config["pools"].pop("extra", None)
            daemon.write_config()
        assert daemon.reload() == []
        time.sleep(0.1)


def test_several_workers_share_nothing_unguarded():
    seed = int(os.environ.get("SEED", time.time_ns() % 100000))
    print("seed", seed)
    with Postgres(max_connections=60) as postgres:
        postgres.create_user(USER, PASSWORD)
        pools = {}
        for number in range(3):
            name = f"p{number}"
            postgres.create_database(name, owner=USER)
            pools[name] = {"url": postgres.url(name, USER, PASSWORD), "pool_size": 4, "max_overflow": 2, "min_idle": 1}
            subprocess.run([postgres_bin("pgbench"), "-i", "-q", "-h", postgres.folder, "-p", str(postgres.port), "-U", USER,
                            name], check=True, capture_output=True)
        servers = {f"127.0.0.1:{postgres.port}": {"max_connections": 10}}  # pools of several workers wait for each other
        with Leasehold(pools=pools, workers=WORKERS, servers=servers, drain_timeout="2s") as daemon:
            failures, end = [], time.monotonic() + SECONDS
            loads = [worker_load(daemon, f"p{n}", mode) for n, mode in enumerate(("simple", "extended", "prepared"))]
            guests = [threading.Thread(target=come_and_go, args=(daemon, end, failures, seed + n)) for n in range(4)]
            guests.append(threading.Thread(target=look, args=(daemon, end)))
            guests.append(threading.Thread(target=reload, args=(daemon, end)))
            for guest in guests:
                guest.start()
            for guest in guests:
                guest.join()
            for load in loads:
                output = load.communicate(timeout=60)[0]
                assert load.returncode == 0, output
            assert not failures, failures[:3]
            log = daemon.log
            code = daemon.stop()
            with open(log, errors="replace") as file:
                text = file.read()
            assert "ThreadSanitizer" not in text, text[-20000:]
            assert code == 0, text[-4000:]
