# SPDX-License-Identifier: Apache-2.0
"""A box: the machine's root under an overlay, in namespaces of its own, where a test may install packages as root and boot
a systemd; nothing of the machine changes and nothing outlives the test, even a killed one.

    with Box() as box:                         # systemd is PID 1 in it; of the machine's services none is started
        box.install("leasehold_0.1.0_amd64.deb")
        box.run("systemctl", "start", "leasehold")             # the output; raises Failed with it
        box.write("/etc/leasehold/leasehold.yaml", text)
        with box.network():                    # this thread's new sockets are in the box: 127.0.0.1 is the box's
            psycopg2.connect(...)
    with Box(boot=False) as box: ...           # the same without systemd
    with Box(boot=False, lower=folder): ...    # over another root

The box has mount, PID, IPC, UTS, network and cgroup namespaces of its own. Unavailable says why there can be none here.
"""
import atexit
import contextlib
import ctypes
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import threading

from processes import children, spawn, tail, temp_dir, wait_until
from skips import skip_loudly

INIT = pathlib.Path(__file__).with_name("box.init")
CLONE_NEWNET = 0x40000000
_count = itertools.count()

# Removes the cgroups of boxes whose test is gone, and of the one that is named.
SWEEP = """
mount --make-rprivate / && mount -t cgroup2 cgroup2 "$1" || exit 0
for box in "$1"/leasehold-box-*; do
  pid=${box##*-}
  if [ -d "$box" ] && { [ "${box##*/}" = "$2" ] || ! kill -0 "$pid"; }; then find "$box" -depth -type d -exec rmdir {} +; fi
done
"""


class Unavailable(RuntimeError):
    """This machine does not permit a box; the message says what it refused."""


class Failed(RuntimeError):
    """A command in the box ended with an error; the message holds its output."""

    def __init__(self, command, code, output):
        super().__init__(f"{' '.join(command)} ended with {code}:\n{output}")
        self.code, self.output = code, output


class Box:
    def __init__(self, boot=True, lower="/", keep_alive=("sleep", "infinity")):
        if os.geteuid() != 0:
            raise Unavailable("a box needs root")
        self.folder = temp_dir("lh-box-")
        self.log = self.folder + ".log"
        self.boots = boot
        self.name = f"leasehold-box-{next(_count)}-{os.getpid()}"
        self.process = self.pid = self._console = None
        atexit.register(self.close)
        try:
            self._start(boot, str(lower), keep_alive)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self, boot, lower, keep_alive):
        command, console = list(keep_alive), ""
        if boot:
            if not os.access("/lib/systemd/systemd", os.X_OK):
                raise Unavailable("systemd is not installed")
            command = ["/lib/systemd/systemd", "--system", "--unit=box.target", "--log-level=info", "--show-status=no"]
            self._sweep()
            console = self._open_console()
        self.process = spawn(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--ipc", "--uts", "--net", "--",
             "bash", INIT, "first", self.folder, lower, self.name, console, *command],
            self.log, death_signal=signal.SIGKILL)

        def inside():
            if self.process.poll() is not None:
                said = [line for line in tail(self.log).splitlines() if line.strip()]
                raise Unavailable("; ".join(said[-2:]) or f"unshare ended with {self.process.returncode}")
            for pid in children(self.process.pid):
                with contextlib.suppress(OSError):
                    if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == pathlib.Path(command[0]).name[:15]:
                        self.pid = pid
            return self.pid

        wait_until(inside, 60, "the box")
        if boot:
            try:
                wait_until(lambda: self.succeeds("systemctl", "is-active", "--quiet", "box.target"), 60, "boot", 0.1)
            except TimeoutError as error:
                jobs = self.run("systemctl", "list-jobs", check=False)
                raise Unavailable(f"systemd does not boot here: {tail(self.log)} {self._said} {jobs}") from error

    def _open_console(self):
        """A terminal for PID 1, read so that it never blocks; what it said is for the message of a boot that failed."""
        self._said = bytearray()
        self._console, slave = os.openpty()

        def read(descriptor=self._console, said=self._said):
            with contextlib.suppress(OSError):
                while True:
                    said += os.read(descriptor, 4096)

        threading.Thread(target=read, daemon=True).start()
        self._slave = slave  # kept open: without it the reader would end before PID 1 comes
        return os.ttyname(slave)

    def close(self):
        """Ends all that runs in the box; may be called twice."""
        if self.process:
            if self.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)  # and with it everything in its PID namespace
            if self.process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
                self.process.kill()
            self.process.wait()
            self.process = self.pid = None
            if self.boots:
                self._sweep()
        if self._console is not None:
            os.close(self._slave)
            os.close(self._console)
            self._console = None
        shutil.rmtree(self.folder, ignore_errors=True)
        pathlib.Path(self.log).unlink(missing_ok=True)

    def _sweep(self):
        subprocess.run(["unshare", "--mount", "--", "sh", "-c", SWEEP, "sweep", self.folder, self.name],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    # --- commands and files -------------------------------------------------------------------------------------------

    def command(self, *words, user=None):
        """The command line that runs `words` in the box, for subprocess."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--ipc", "--uts", "--net", "--root"]
        if self.boots:
            enter.append("--cgroup")
        clean = ["env", "-i", "-C", "/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root", "TERM=dumb",
                 "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", "PYTHONDONTWRITEBYTECODE=1"]
        become = ["runuser", "-u", user, "--"] if user else []
        return [*enter, "--", *clean, *become, *(str(word) for word in words)]

    def run(self, *words, user=None, check=True, timeout=60, text=None):
        """Runs a command; returns what it wrote to both outputs, stripped. `text` is its standard input."""
        done = subprocess.run(self.command(*words, user=user), input=text, stdout=subprocess.PIPE,
                              **({} if text is not None else {"stdin": subprocess.DEVNULL}),
                              stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
        output = done.stdout.strip()
        if check and done.returncode:
            raise Failed([str(word) for word in words], done.returncode, output)
        return output

    def fails(self, *words, **options):
        """Runs a command that has to fail; returns (exit code, output)."""
        try:
            output = self.run(*words, **options)
        except Failed as failure:
            return failure.code, failure.output
        raise AssertionError(f"{' '.join(words)} did not fail:\n{output}")

    def succeeds(self, *words, **options):
        with contextlib.suppress(Failed):
            self.run(*words, **options)
            return True
        return False

    def path(self, inside):
        """The path by which this process reaches a file of the box."""
        return pathlib.Path(f"/proc/{self.pid}/root/{str(inside).lstrip('/')}")

    def write(self, inside, text):
        """Writes a file; one that exists keeps its owner and mode."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def copy(self, outside, inside):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(outside, path)
        return inside

    def install(self, package, *options):
        """dpkg -i, as apt would after it has fetched what the package depends on. Returns dpkg's output."""
        inside = self.copy(package, f"/tmp/{pathlib.Path(package).name}")
        return self.run("dpkg", "--force-unsafe-io", "--no-triggers", *options, "--install", inside, timeout=120)

    @contextlib.contextmanager
    def network(self):
        """Within, this thread's new sockets belong to the box; those that were opened stay there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as before, open(f"/proc/{self.pid}/ns/net") as box:
            if libc.setns(box.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(before.fileno(), CLONE_NEWNET)

    # --- systemd ------------------------------------------------------------------------------------------------------

    def show(self, name, unit="leasehold.service"):
        return self.run("systemctl", "show", "--value", "--property", name, unit)

    def journal(self, *options):
        return self.run("journalctl", "--no-pager", "--output=cat", *options)


def box_for_tests(**options):
    """A box, or a test that is skipped loudly."""
    try:
        return Box(**options)
    except Unavailable as error:
        return skip_loudly("systemd and the package, in a box of namespaces", str(error), "LEASEHOLD_REQUIRE_BOX")
