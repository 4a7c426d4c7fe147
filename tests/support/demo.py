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

from demo_sides import PASSWORD, USER, side, walking_client
from leasehold import Leasehold
from processes import tail, wait_until
from servers import ServerFailed

CLIENTS, BACKENDS, LOAD_SECONDS = 100, 5, 6
CONFIG = """\
listen:
  - {{dialect: {dialect}, address: 127.0.0.1:{{{port}}}}}
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


# --- the three shows --------------------------------------------------------------------------------------------------

def many_clients(it, daemon, server, verdicts):
    title(f"1  {CLIENTS} clients, {BACKENDS} backends")
    line(f"{it.load_name} with {CLIENTS} connections runs read-write transactions through leasehold for {LOAD_SECONDS} seconds.")
    command, environment = it.load(daemon, CLIENTS, LOAD_SECONDS)
    load = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    rates, noise, output = [], [], []

    def listen(stream, progress, rest):
        for text in stream:
            match = re.match(it.progress, text) if progress else None
            (rates if match else rest).append(match[1] if match else text)

    listeners = [threading.Thread(target=listen, args=arguments, daemon=True) for arguments in
                 [(load.stderr, it.progress_on_stderr, noise), (load.stdout, not it.progress_on_stderr, output)]]
    for listener in listeners:
        listener.start()
    most_backends = most_clients = 0
    try:
        while load.poll() is None:
            backends = it.backends(server)
            clients = sum(1 for row in daemon.console("SHOW CLIENTS") if row.get("database") == "orders")
            most_backends, most_clients = max(most_backends, backends), max(most_clients, clients)
            rate = f"{float(rates[-1]):7.0f} transactions/s" if rates else ""
            live(f"clients {clients:4d}   backends {backends:3d}   {rate}")
            time.sleep(0.2)
    finally:
        load.kill()
    for listener in listeners:
        listener.join()
    said = "".join(output)
    done, failed = re.search(it.done, said), re.search(it.failed, said)
    settled(f"clients {most_clients:4d}   backends {most_backends:3d}   {done[1] if done else 'no'} transactions")
    verdicts.claim(most_clients >= CLIENTS, f"{CLIENTS} clients were connected at once (SHOW CLIENTS)")
    verdicts.claim(1 <= most_backends <= BACKENDS, f"{it.name} never saw more than {BACKENDS} connections for them"
                                                   f" ({it.catalog})")
    if not verdicts.claim(load.returncode == 0 and bool(done) and int(done[1]) > 0 and not (failed and int(failed[1])),
                          f"every transaction succeeded ({it.load_name})"):
        line("".join(noise + output).strip())


def walking_away(it, daemon, server, verdicts):
    title("2  A client walks away in the middle of its transaction")
    with walking_client(it, daemon) as client:
        held = it.in_transaction(server)
        verdicts.claim(len(held) == 1, "it began a transaction, took one lamp off the stock and holds the row's lock")
        client.kill()  # SIGKILL: it says goodbye to nobody
        client.wait()
    killed = time.monotonic()
    line("kill -9 ...")
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not it.in_transaction(server), 5, "rolled back", it.pause)
    took = time.monotonic() - killed
    verdicts.claim(took < 1, f"rolled back after {took * 1000:.0f} ms")
    with contextlib.closing(it.connect(daemon)) as other, other.cursor() as cursor:
        pieces = it.pieces(cursor)
    verdicts.claim(pieces == 10, f"the next client sees all {pieces} lamps, and the lock is free")

    def recorded():
        return [row for row in daemon.console("SHOW QUARANTINE") if row.get("application_name") == "checkout page"]

    with contextlib.suppress(TimeoutError):
        wait_until(lambda: any(row.get("outcome") not in (None, "", "on the ladder") for row in recorded()), 5, "recorded")
    rows = recorded()
    if verdicts.claim(bool(rows) and "UPDATE stock" in str(rows[0].get("statements")),
                      "who it was and what it did is on record (SHOW QUARANTINE):"):
        table(rows, {"application_name": 16, "reason": 30, "statements": 60, "outcome": 20, "took_ms": 7})


def dying_backend(it, daemon, server, verdicts):
    title("3  A backend is killed under an idle client")
    with contextlib.closing(it.connect(daemon)) as client, client.cursor() as cursor:
        cursor.execute(it.backend)
        before = cursor.fetchone()[0]
        line(f"the client was served by backend {before}; {it.killing} for all of leasehold's backends ...")
        for backend in it.connections(server):
            with contextlib.suppress(it.error):
                server.terminate(backend)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: before not in it.connections(server), 5, "gone")
        try:
            cursor.execute(it.backend)
            after = cursor.fetchone()[0]
            verdicts.claim(after != before, f"the same client connection goes on, now with backend {after}; no error was raised")
        except it.error as error:
            verdicts.claim(False, f"the same client connection goes on: {str(error).strip()}")


# --- the whole --------------------------------------------------------------------------------------------------------

def stay(it, daemon, server, keep):
    title("Yours until Ctrl-C")
    for what, how in it.how_to_connect(daemon, server):
        line(f"{what:<20} {how}")
    line(f"{'the log':<20} {daemon.log}")
    if not keep:
        line("All of it is removed at the end.")
    try:
        while daemon.running() and server.running():
            time.sleep(0.5)
    except KeyboardInterrupt:
        print()
        return True
    line(f"leasehold or {it.name} has ended:\n" + tail(daemon.log))
    return False


def show(it, arguments):
    verdicts = Verdicts()
    line(f"starting a throw-away {it.name} ...")
    with it.server() as server:
        it.prepare(server)
        url = server.url("orders", USER, PASSWORD)
        text = CONFIG.format(url=url, size=BACKENDS, dialect=it.dialect, port=it.port_key)
        with Leasehold(text=text) as daemon:
            try:
                title(f"leasehold.yaml ({daemon.config_file})")
                for text in daemon.config_text().splitlines():
                    line(styled("2", text))
                for part in (many_clients, walking_away, dying_backend):
                    part(it, daemon, server, verdicts)
                title("All of it was so." if not verdicts.failed else f"{len(verdicts.failed)} of it was not so:")
                for text in verdicts.failed:
                    line(text)
                if verdicts.failed:
                    line("The end of leasehold's log:\n" + tail(daemon.log))
                fine = not verdicts.failed
                return (arguments.once or stay(it, daemon, server, arguments.keep)) and fine
            finally:
                if arguments.keep:
                    kept = tempfile.mkdtemp(prefix="leasehold-demo-")
                    shutil.copy(daemon.config_file, kept)
                    shutil.copy(daemon.log, os.path.join(kept, "leasehold.log"))
                    shutil.copy(server.log, os.path.join(kept, "server.log"))
                    line(f"kept: {kept}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mysql", action="store_true")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it for us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    it = side(arguments.mysql)
    try:
        return 0 if show(it, arguments) else 1
    except KeyboardInterrupt:
        print("\n  interrupted")
        return 130
    except (ServerFailed, TimeoutError, it.error, subprocess.CalledProcessError) as error:
        print(f"\n  {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
