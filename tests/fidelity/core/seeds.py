# SPDX-License-Identifier: Apache-2.0
"""Where seeds come from: given, or made of the commit, so that each commit tries others and everybody can repeat them."""
import hashlib
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]


def commit():
    """The commit's id, or nothing where there is no repository."""
    done = subprocess.run(["git", "-C", ROOT, "-c", f"safe.directory={ROOT}", "rev-parse", "HEAD"], capture_output=True,
                          text=True, check=False) if (ROOT / ".git").exists() else None
    return done.stdout.strip() if done and done.returncode == 0 else ""


def seeds(first=None):
    """Without end: from the number given, or from one that the commit decides, the same for all without one."""
    if first is None:
        first = int(hashlib.sha256(commit().encode()).hexdigest()[:6], 16)
    while True:
        yield first
        first += 1
