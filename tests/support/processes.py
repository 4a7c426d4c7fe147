# SPDX-License-Identifier: Apache-2.0
"""What every throw-away process needs: a folder, a port nobody else gets, a start as another user, a certain end."""
import atexit
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

LOOPBACK = "127.0.0.1"


_folders = []


def temp_dir(prefix="lh-"):
    """A short 0755 folder, removed at exit. LEASEHOLD_TMP names the parent (tests/run removes that one as a whole)."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("LEASEHOLD_TMP", "/tmp"))
    os.chmod(folder, 0o755)
    if not _folders:
        atexit.register(lambda: [shutil.rmtree(f, ignore_errors=True) for f in _folders])
    _folders.append(folder)
    return folder


class Port:
    """A free port on 127.0.0.1, got by bind(0). The bound socket is kept, not listening, with SO_REUSEADDR: the server
    may bind the same port, nobody else gets it by bind(0) or as the near end of a connection, restarts included."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((LOOPBACK, 0))
        self.number = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()


_ports = []


def free_port():
    """The number of a Port that stays reserved until this process ends."""
    _ports.append(Port())
    return _ports[-1].number


def wait_until(condition, timeout=10.0, what="the condition", interval=0.01):
    """Polls until condition() is true and returns its value; raises TimeoutError that names `what`."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(interval)


def tail(path, lines=20):
    with contextlib.suppress(OSError), open(path, errors="replace") as file:
        return "".join(file.readlines()[-lines:])
    return ""


def end_process(process, first=signal.SIGTERM, timeout=10.0):
    """Ends one process that we started, by its pid; SIGKILL when it does not listen. Returns the exit code."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(first)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def spawn(command, log, user=None, death_signal=signal.SIGTERM, **options):
    """Popen with output to the file `log`, in a session of its own (Ctrl-C is ours), as `user` when we are root. From the
    main thread the process also gets `death_signal` when we die."""
    prefix = ["setpriv"]
    if threading.current_thread() is threading.main_thread():
        prefix += ["--pdeathsig", signal.Signals(death_signal).name[3:]]
    if user and os.geteuid() == 0:
        prefix += [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups"]
    if len(prefix) == 1:
        prefix = []
    with open(log, "ab") as output:
        return subprocess.Popen(prefix + [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT, start_new_session=True, **options)


def children(pid):
    """Pids of the direct children of a process."""
    found = []
    for stat in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError), open(stat) as file:
            fields = file.read().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.split("/")[2]))
    return found
