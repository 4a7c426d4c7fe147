# SPDX-License-Identifier: Apache-2.0
"""Runs the cases and prints the outcome of each: `ok NAME` or `not ok NAME: WHY`, and `done` at the end."""
import contextlib
import os
import sys
import time
import traceback

import suite
import transactions  # noqa: F401
import results  # noqa: F401
import state  # noqa: F401
import connections  # noqa: F401

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = {"same", "fails", "run", "value", "table", "main"}


def main():
    for name, body in suite.CASES.items():
        if sys.argv[2:] and not any(word in name for word in sys.argv[2:]):
            continue
        try:
            began = time.monotonic()
            body()
            print(f"ok {name}", flush=True)
            print(f"{time.monotonic() - began:.2f} {name}", file=sys.stderr)
        except Exception as error:  # of any kind: it is the outcome
            frame = traceback.extract_tb(error.__traceback__)
            where = [f"{os.path.basename(each.filename)} {each.lineno}" for each in frame
                     if each.filename.startswith(HERE) and each.name not in SHARED][-1:]
            print(f"not ok {name}: {where}: {type(error).__name__} {error}".replace("\n", " ")[:400], flush=True)
        for connection in suite.opened:
            with contextlib.suppress(Exception):
                connection.close()
        suite.opened.clear()
    print("done")


main()
