# SPDX-License-Identifier: Apache-2.0
"""The showing part of cmd/demo: three things that leasehold does, seen from both of its sides, each one checked."""
import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psycopg2

from leasehold import Leasehold
from processes import tail, wait_until
from servers import Postgres, ServerFailed, postgres_bin

USER, PASSWORD = "app", "demo-secret"
CLIENTS, BACKENDS, LOAD_SECONDS = 100, 5, 6
CONFIG = """\
listen:
  - {{dialect: postgresql, address: 127.0.0.1:{{port}}}}
pools:
  orders:
    url: {url}
    pool_size: {size}
    max_overflow: 0
users:
  - {{name: operator, password: console-secret}}
admin: {{users: [operator], http: off}}
"""


# --- the terminal -----------------------------------------------------------------------------------------------------

LIVE = sys.stdout.isatty()
COLOURS = LIVE and "NO_COLOR" not in os.environ


def styled(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOURS else text


def title(text):
    print("\n" + styled("1", text))


def line(text=""):
    print("  " + text, flush=True)


def live(text):
    """A line that is written over by the next one; only a terminal sees it."""
    if LIVE:
        print(f"\r\033[K  {text}", end="", flush=True)


def settled(text):
    """The last state of a live line."""
    print(("\r\033[K  " if LIVE else "  ") + text, flush=True)


class Verdicts:
    """What was claimed, and whether it was so."""

    def __init__(self):
        self.failed = []

    def claim(self, true, text):
        print("  " + (styled("32", "yes") if true else styled("31", "NO ")) + "  " + text, flush=True)
        if not true:
            self.failed.append(text)
        return true


def table(rows, columns):
    """Rows of dicts as an aligned table; `columns`: name → width at most."""
    cells = [list(columns)] + [[str(row.get(name) if row.get(name) is not None else "") for name in columns] for row in rows]
    cells = [[text if len(text) <= most else text[:most - 3] + "..." for text, most in zip(row, columns.values())]
             for row in cells]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for number, row in enumerate(cells):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        line("  " + (styled("2", text) if number == 0 else text))


def connections(postgres):
    """The connections of the application's user: all of them are leasehold's. (Their application_name is the client's.)"""
    return [row for row in postgres.backends("%") if row["usename"] == USER]


def in_transaction(postgres):
    return [row for row in connections(postgres) if row["in_transaction"]]


# --- the three shows --------------------------------------------------------------------------------------------------

def many_clients(daemon, postgres, verdicts):
    title(f"1  {CLIENTS} clients, {BACKENDS} backends")
    line(f"pgbench with {CLIENTS} connections runs read-write transactions through leasehold for {LOAD_SECONDS} seconds.")
    # A thread per client: pgbench prepares statements blocking its thread, and would wait for its own other clients.
    load = subprocess.Popen(
        [postgres_bin("pgbench"), "-n", "-N", "-M", "prepared", "-c", str(CLIENTS), "-j", str(CLIENTS), "-T", str(LOAD_SECONDS),
         "-P", "1", "-h", daemon.host, "-p", str(daemon.port), "-U", USER, "orders"],
        env={**os.environ, "PGPASSWORD": PASSWORD}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    rates, noise = [], []

    def listen():
        for text in load.stderr:
            match = re.match(r"progress: .*?, ([0-9.]+) tps", text)
            (rates if match else noise).append(match[1] if match else text)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    most_backends = most_clients = 0
    try:
        with contextlib.closing(postgres.connect()) as observer, observer.cursor() as cursor:
            while load.poll() is None:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
                               " AND application_name <> 'leasehold control'", [USER])  # which asks once what the server admits
                backends = cursor.fetchone()[0]
                clients = sum(1 for row in daemon.console("SHOW CLIENTS") if row.get("database") == "orders")
                most_backends, most_clients = max(most_backends, backends), max(most_clients, clients)
                rate = f"{float(rates[-1]):7.0f} transactions/s" if rates else ""
                live(f"clients {clients:4d}   backends {backends:3d}   {rate}")
                time.sleep(0.2)
    finally:
        load.kill()
    listener.join()
    output = load.stdout.read()
    done = re.search(r"number of transactions actually processed: (\d+)", output)
    failed = re.search(r"number of failed transactions: (\d+)", output)
    settled(f"clients {most_clients:4d}   backends {most_backends:3d}   {done[1] if done else 'no'} transactions")
    verdicts.claim(most_clients >= CLIENTS, f"{CLIENTS} clients were connected at once (SHOW CLIENTS)")
    verdicts.claim(1 <= most_backends <= BACKENDS, f"PostgreSQL never saw more than {BACKENDS} connections for them"
                                                   " (pg_stat_activity)")
    if not verdicts.claim(load.returncode == 0 and bool(done) and int(done[1]) > 0 and not (failed and int(failed[1])),
                          "every transaction succeeded (pgbench)"):
        line("".join(noise + [output]).strip())


WALKS_AWAY = """
import sys, time, psycopg2
connection = psycopg2.connect(sys.argv[1], application_name="checkout page")
cursor = connection.cursor()
cursor.execute("UPDATE stock SET pieces = pieces - 1 WHERE article = 'lamp'")
print("in transaction", flush=True)
time.sleep(60)
"""


def walking_away(daemon, postgres, verdicts):
    title("2  A client walks away in the middle of its transaction")
    client = subprocess.Popen([sys.executable, "-c", WALKS_AWAY, daemon.url("orders", USER, PASSWORD)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        client.stdout.readline()
        held = in_transaction(postgres)
        verdicts.claim(len(held) == 1, "it began a transaction, took one lamp off the stock and holds the row's lock")
    finally:
        client.kill()  # SIGKILL: it says goodbye to nobody
        client.wait()
    killed = time.monotonic()
    line("kill -9 ...")
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not in_transaction(postgres), 5, "rolled back")
    took = time.monotonic() - killed
    verdicts.claim(took < 1, f"rolled back after {took * 1000:.0f} ms")
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD, autocommit=True)) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; SET LOCAL lock_timeout = '1s'")
        cursor.execute("SELECT pieces FROM stock WHERE article = 'lamp' FOR UPDATE")
        pieces = cursor.fetchone()[0]
        cursor.execute("ROLLBACK")
    verdicts.claim(pieces == 10, f"the next client sees all {pieces} lamps, and the lock is free")

    def recorded():
        return [row for row in daemon.console("SHOW QUARANTINE") if row.get("application_name") == "checkout page"]

    with contextlib.suppress(TimeoutError):
        wait_until(lambda: any(row.get("outcome") not in (None, "", "on the ladder") for row in recorded()), 5, "recorded")
    rows = recorded()
    if verdicts.claim(bool(rows) and "UPDATE stock" in str(rows[0].get("statements")),
                      "who it was and what it did is on record (SHOW QUARANTINE):"):
        table(rows, {"application_name": 16, "reason": 30, "statements": 60, "outcome": 20, "took_ms": 7})


def dying_backend(daemon, postgres, verdicts):
    title("3  A backend is killed under an idle client")
    with contextlib.closing(daemon.connect("orders", USER, PASSWORD, autocommit=True)) as client, client.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        before = cursor.fetchone()[0]
        line(f"the client was served by backend {before}; pg_terminate_backend() for all of leasehold's backends ...")
        for backend in connections(postgres):
            postgres.terminate(backend["pid"])
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: before not in [row["pid"] for row in connections(postgres)], 5, "gone")
        try:
            cursor.execute("SELECT pg_backend_pid()")
            after = cursor.fetchone()[0]
            verdicts.claim(after != before, f"the same client connection goes on, now with backend {after}; no error was raised")
        except psycopg2.Error as error:
            verdicts.claim(False, f"the same client connection goes on: {str(error).strip()}")


# --- the whole --------------------------------------------------------------------------------------------------------

def prepare(postgres):
    postgres.create_user(USER, PASSWORD)
    postgres.create_database("orders", owner=USER)
    subprocess.run([postgres_bin("pgbench"), "-i", "-q", "-s", "4", "-h", postgres.folder, "-p", str(postgres.port), "-U",
                    USER, "orders"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    postgres.query("CREATE TABLE stock (article text PRIMARY KEY, pieces int);"
                   f"ALTER TABLE stock OWNER TO {USER}; INSERT INTO stock VALUES ('lamp', 10)", database="orders")


def stay(daemon, postgres, keep):
    title("Yours until Ctrl-C")
    line("as an application    psql " + daemon.url("orders", USER, PASSWORD))
    line("SQLAlchemy           " + daemon.url("orders", USER, PASSWORD, scheme="postgresql+psycopg2"))
    line("the console          psql " + daemon.url("leasehold", "operator", "console-secret") + " -c 'SHOW POOLS'")
    line("PostgreSQL itself    psql " + postgres.url("orders", USER, PASSWORD))
    line(f"the log              {daemon.log}")
    if not keep:
        line("All of it is removed at the end.")
    try:
        while daemon.running() and postgres.running():
            time.sleep(0.5)
    except KeyboardInterrupt:
        print()
        return True
    line("leasehold or PostgreSQL has ended:\n" + tail(daemon.log))
    return False


def show(arguments):
    verdicts = Verdicts()
    line("starting a throw-away PostgreSQL ...")
    with Postgres() as postgres:
        prepare(postgres)
        url = postgres.url("orders", USER, PASSWORD)
        with Leasehold(text=CONFIG.format(url=url, size=BACKENDS)) as daemon:
            try:
                title(f"leasehold.yaml ({daemon.config_file})")
                for text in daemon.config_text().splitlines():
                    line(styled("2", text))
                for part in (many_clients, walking_away, dying_backend):
                    part(daemon, postgres, verdicts)
                title("All of it was so." if not verdicts.failed else f"{len(verdicts.failed)} of it was not so:")
                for text in verdicts.failed:
                    line(text)
                if verdicts.failed:
                    line("The end of leasehold's log:\n" + tail(daemon.log))
                fine = not verdicts.failed
                return (arguments.once or stay(daemon, postgres, arguments.keep)) and fine
            finally:
                if arguments.keep:
                    kept = tempfile.mkdtemp(prefix="leasehold-demo-")
                    shutil.copy(daemon.config_file, kept)
                    shutil.copy(daemon.log, os.path.join(kept, "leasehold.log"))
                    shutil.copy(postgres.log, os.path.join(kept, "postgres.log"))
                    line(f"kept: {kept}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it for us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        return 0 if show(arguments) else 1
    except KeyboardInterrupt:
        print("\n  interrupted")
        return 130
    except (ServerFailed, TimeoutError, psycopg2.Error, subprocess.CalledProcessError) as error:
        print(f"\n  {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
