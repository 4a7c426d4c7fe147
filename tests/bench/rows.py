# SPDX-License-Identifier: Apache-2.0
"""A table of proxies: every proxy once per round, in rotating order; medians, and ratios that are paired by round, because
absolute times do not carry over to another machine."""
import argparse
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

RELEASE = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/leasehold"


def options(description, peers, servers=()):
    """The command line that all benchmarks have. `servers`: which can be chosen, the usual one first."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="one round of two seconds, fewer cases")
    parser.add_argument("--leasehold", help="the program; by default LEASEHOLD_BIN or that of the release build",
                        default=os.environ.get("LEASEHOLD_BIN", str(RELEASE)))
    parser.add_argument("--peers", default=peers)
    parser.add_argument("--only", default="", help="part of the labels of the rows wanted")
    if servers:
        parser.add_argument("--server", choices=servers, default=servers[0])
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds = 1, 2
    return chosen


def check_programs(kinds):
    for kind in kinds:
        if not shutil.which(str(kind.binary)):
            sys.exit(f"{kind.binary} is missing: " + (
                "cmake --preset release && cmake --build --preset release" if kind.name == "leasehold"
                else "tests/support/install bench"))


def machine():
    return f"{platform.machine()}, {os.cpu_count()} cores"


class Table:
    """Rows as they are measured, in markdown. `base`: the proxy that the ratios are to."""

    def __init__(self, peers, rounds, base):
        self.peers, self.rounds, self.base = peers, rounds, base
        self.failed = []  # rows in which leasehold has no figure
        print("| case, clients | unit | " + " | ".join(peer.name for peer in peers) + " |")
        print("|---|---" + "|---" * len(peers) + "|", flush=True)

    def measure(self, label, unit, function, digits=1, rounds=None):
        """One row; `function` is given a proxy and says a figure, or None where it cannot."""
        peers, values = self.peers, {peer.name: [] for peer in self.peers}
        for number in range(rounds or self.rounds):
            for peer in peers[number % len(peers):] + peers[:number % len(peers)]:
                if None not in values[peer.name]:
                    values[peer.name].append(function(peer))
        base = values.get(self.base) or []
        cells = []
        for peer in peers:
            mine = values[peer.name]
            if not mine or None in mine:
                self.failed.extend([label] if peer.name == "leasehold" else [])
                cells.append("–")
                continue
            cell = f"{statistics.median(mine):.{digits}f} ({min(mine):.{digits}f}–{max(mine):.{digits}f})"
            if peer.name != self.base and base and None not in base and min(base) > 0:
                cell += f" **{statistics.median(a / b for a, b in zip(mine, base)):.2f}×**"
            cells.append(cell)
        print(f"| {label} | {unit} | " + " | ".join(cells) + " |", flush=True)

    def end(self):
        if self.failed:
            sys.exit("leasehold failed in: " + ", ".join(self.failed))


def system_calls(peer, load):
    """System calls of the proxy per piece of work that `load()` counts, by strace in a run of its own (its CPU figures mean
    nothing)."""
    tracers = [subprocess.Popen(["strace", "-c", "-f", "-p", str(pid)], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True) for pid in peer.pids]
    time.sleep(0.5)
    count = load()
    total = 0
    for tracer in tracers:
        tracer.send_signal(2)
        for line in tracer.communicate()[1].splitlines():
            if line.endswith(" total"):
                total += int(line.split()[3])
    return total / count if count and total else None
