# SPDX-License-Identifier: Apache-2.0
"""Packages of Debian sid beside the host's own, which they leave alone: an apt with its own lists, an empty status and
its own cache fetches them once, into a folder that git ignores (LEASEHOLD_SID, or build/sid).

    with PostgreSQL18() as server: ...       # the verbs of servers.Postgres; raises Unavailable
    with MySQL97() as server: ...            # Oracle's MySQL with the verbs of servers.MariaDB
    environment = {"PYTHONPATH": sqlalchemy2_path()}
    for_tests("PostgreSQL 18", PostgreSQL18) # the same, but skips the test loudly where it cannot be had

By hand, to have them before the tests: /usr/bin/python3 tests/support/sid.py
"""
import contextlib
import fcntl
import glob
import os
import pathlib
import platform
import pwd
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from servers import MySQLServer, Postgres, ServerFailed

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
UPDATE_SECONDS, FETCH_SECONDS, LOCK_SECONDS = 120, 240, 400
TRY_AGAIN_SECONDS = 600  # a mirror that did not answer is not asked again by every test of a run

# Set → (packages, with all that they depend on?)
SETS = {
    "postgresql": (["postgresql-18", "dash", "coreutils", "util-linux"], True),
    "sqlalchemy": (["python3-sqlalchemy", "python3-typing-extensions"], False),
    "mysql": (["mysql-server-core", "mysql-client-core", "mysql-router"], True),
}

APT_CONF = """\
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::Lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Debug::NoLocking "true";
APT::Sandbox::User "{user}";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "1";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
"""


class Unavailable(RuntimeError):
    """Something of sid cannot be had here; the message is the reason."""


def for_tests(what, make):
    """make(), or a loud skip (a failure under --require-sid) with the reason why it cannot be had."""
    from skips import skip_loudly
    try:
        return make()
    except Unavailable as reason:
        return skip_loudly(f"{what} of Debian sid", str(reason), required="LEASEHOLD_REQUIRE_SID")


# --- fetching ---------------------------------------------------------------------------------------------------------

def folder():
    return pathlib.Path(os.environ.get("LEASEHOLD_SID", ROOT / "build/sid")).resolve()


def tree(name):
    """The folder into which the packages of a set are unpacked; fetches them the first time. Its `versions` tells which."""
    done = folder() / name
    if (done / "versions").exists():
        return done
    with _locked():
        if not (done / "versions").exists():
            _fetch_unless_just_failed(name, done)
    return done


def versions(name):
    """Package → version, of the packages asked for."""
    lines = (tree(name) / "versions").read_text().split("\n")
    return dict(line.split() for line in lines if line)


@contextlib.contextmanager
def _locked():
    try:
        folder().mkdir(parents=True, exist_ok=True)
        lock = open(folder() / "lock", "a")
    except OSError as error:
        raise Unavailable(f"its cache cannot be written: {error}") from error
    with lock:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Unavailable(f"another run has been fetching it for {LOCK_SECONDS} s") from None
                time.sleep(0.2)
        yield


def _fetch_unless_just_failed(name, done):
    failed = folder() / f"{name}.failed"
    with contextlib.suppress(OSError):
        if time.time() - failed.stat().st_mtime < TRY_AGAIN_SECONDS:
            raise Unavailable(failed.read_text())
    try:
        _fetch(name, done)
        failed.unlink(missing_ok=True)
    except (Unavailable, OSError) as reason:
        failed.write_text(str(reason))
        raise Unavailable(str(reason)) from reason


def _fetch(name, done):
    packages, closure = SETS[name]
    apt = _prepare_apt()
    if not glob.glob(str(folder() / "apt/lists/*_Packages*")):
        _run(["apt-get", *apt, "-q", "-o", "APT::Update::Error-Mode=any", "update"], UPDATE_SECONDS)
    downloads = folder() / f"{name}.debs"
    downloads.mkdir(exist_ok=True)
    if closure:
        command = ["-y", "-q", "--download-only", "-o", f"Dir::Cache::archives={downloads}", "install"]
        (downloads / "partial").mkdir(exist_ok=True)
    else:
        command = ["-q", "download"]
    try:
        _run(["apt-get", *apt, *command, *packages], FETCH_SECONDS, cwd=downloads)
    except Unavailable:
        shutil.rmtree(folder() / "apt/lists")  # they may name versions that are gone: the next run renews them
        raise
    unpacked = folder() / f"{name}.part"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    (unpacked / "root").mkdir()
    found = {}
    for deb in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "-x", deb, unpacked / "root"], 60)
        package, version = deb.name.split("_")[:2]
        if package in packages:
            found[package] = version.replace("%3a", ":")
    if set(found) != set(packages):
        raise Unavailable(f"apt ended without an error, but without {sorted(set(packages) - set(found))}")
    (unpacked / "versions").write_text("".join(f"{key} {value}\n" for key, value in sorted(found.items())))
    shutil.rmtree(done, ignore_errors=True)
    unpacked.rename(done)


def _prepare_apt():
    """The options of an apt of our own; its mirror is the one that the host's own Debian comes from."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Unavailable("this host has no apt-get")
    work = folder() / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (work / part).mkdir(parents=True, exist_ok=True)
    (work / "status").write_text("")
    signed = f"[signed-by={KEYRING}] " if os.path.exists(KEYRING) else ""
    (work / "sources.list").write_text(f"deb {signed}{_mirror()} sid main\n")
    (work / "apt.conf").write_text(APT_CONF.format(work=work, user=pwd.getpwuid(os.geteuid()).pw_name))
    return ["-c", str(work / "apt.conf")]


def _mirror():
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"],
                             capture_output=True, text=True, timeout=30, check=False).stdout
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME")
    for line in targets.splitlines():
        release, _, uri = line.partition(" ")
        if release == codename or (release.startswith("$") and uri.rstrip("/").endswith("/debian")):
            return uri
    raise Unavailable("apt's sources name no mirror of Debian")


def _run(command, seconds, **options):
    """A command to its end; Unavailable with its last words, also if it takes longer than that."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True,
                               env={**os.environ, "LC_ALL": "C.UTF-8"}, **options)
    try:
        output, _ = process.communicate(timeout=seconds)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Unavailable(f"{command[0]} did not end within {seconds} s") from None
        raise
    if process.returncode:
        words = [line for line in output.splitlines() if line.startswith(("E:", "Err:", "W:"))] or output.splitlines()
        text = re.sub(r"\S+://\S+", "(mirror)", " ".join(words[-2:]))
        raise Unavailable(f"{command[0]} ended with {process.returncode}: {text}")


# --- what tests use ---------------------------------------------------------------------------------------------------

def sqlalchemy2_path():
    """A folder for PYTHONPATH of Debian 12's Python: SQLAlchemy 2 with the typing_extensions that it asks for. Drivers and
    greenlet (compiled for one Python) are the host's own."""
    return str(tree("sqlalchemy") / "root/usr/lib/python3/dist-packages")


class PostgreSQL18(Postgres):
    """sid's PostgreSQL with the verbs of servers.Postgres, in a chroot of sid's own libraries and a mount namespace of its
    own. Its network, /tmp and user are the host's: ports, sockets and files (certificates) are where the test put them."""

    def __init__(self, *arguments, **options):
        self.root = self._chroot()
        super().__init__(*arguments, **options)

    @staticmethod
    def _chroot():
        if os.geteuid() != 0:
            raise Unavailable("its chroot needs root")
        probe = subprocess.run(["unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"],
                               capture_output=True, text=True, check=False)
        if probe.returncode:
            raise Unavailable(f"no mount namespace may be made here: {probe.stderr.strip()}")
        try:
            account = pwd.getpwnam(Postgres.user)
        except KeyError:
            raise Unavailable("there is no user postgres: tests/support/install test") from None
        root = tree("postgresql") / "root"
        with _locked():
            if not (root / "etc/passwd").exists():
                _complete(root, account)
        return str(root)

    def program(self, name):
        return f"/usr/lib/postgresql/18/bin/{name}"

    def _enter(self, command):
        """The command inside; every word execs the next, so the process that was started is the server in the end."""
        main = threading.current_thread() is threading.main_thread()
        account = pwd.getpwnam(self.user)
        death = ["--pdeathsig", signal.Signals(self.stop_signal).name[3:]] if main else []
        return ["unshare", "-m", "--propagation", "private", "sh", "-ec",
                'root=$1 folder=$2; shift 2;'
                ' mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc" || true; mount --rbind /tmp "$root/tmp";'
                ' case $folder in /tmp/*) ;; *)'
                ' mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder" ;; esac;'
                ' exec chroot "$root" "$@"', "sh", self.root, self.folder, "/usr/bin/setpriv",
                f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", *death,
                *[str(word) for word in command]]

    def _run(self, command, what):
        super()._run(self._enter(command), what)

    def _command(self):
        return self._enter(super()._command())

    def _as_user(self):
        return []  # setpriv comes after the chroot

    def _starts_as(self):
        return None


def _complete(root, account):
    """What is no package's file: the links of a merged /usr, a shell, the users, the mount points."""
    for name in ("bin", "lib", "lib64", "sbin"):
        if not os.path.lexists(root / name):
            (root / name).symlink_to(f"usr/{name}")
    if not os.path.lexists(root / "usr/bin/sh"):
        (root / "usr/bin/sh").symlink_to("dash")
    for name in ("proc", "dev", "run", "tmp", "etc"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/group").write_text(f"root:x:0:\npostgres:x:{account.pw_gid}:\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    temporary = root / "etc/passwd.part"
    temporary.write_text(f"root:x:0:0::/root:/bin/sh\npostgres:x:{account.pw_uid}:{account.pw_gid}::/tmp:/bin/sh\n")
    temporary.rename(root / "etc/passwd")


class MySQL97(MySQLServer):
    """sid's MySQL with the verbs of servers.MariaDB, started by sid's own loader. `settings`: further options of mysqld,
    without the dashes. Users have caching_sha2_password: it knows no other plugin for passwords. The server's data folder
    has TLS certificates of its own making (`certificate()`) and its RSA keys."""

    FIXED = ["--no-defaults", "--mysqlx=OFF", "--skip-log-bin", "--performance-schema=OFF", "--innodb-doublewrite=OFF",
             "--innodb-redo-log-capacity=8M", "--local-infile=ON"]

    def __init__(self, settings=None, max_connections=151, start=True):
        self.root = tree("mysql") / "root"
        template = self._template()
        super().__init__()
        self._prepare(settings, max_connections)
        self._copy(template, self.data, self.user)
        if start:
            self.start()

    @staticmethod
    def _copy(source, target, owner=None):
        subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{owner or 'root'}:", target], check=True)

    def _template(self):
        """An initialised data folder with its certificates, made once and copied for each server."""
        done = folder() / f"mysql-data-{versions('mysql')['mysql-server-core']}"
        if done.exists():
            return done
        with _locked():
            if not done.exists():
                part = folder() / "mysql-data.part"
                shutil.rmtree(part, ignore_errors=True)
                _FirstMySQL(self.root).initialise(part)
                part.rename(done)
        return done

    def program(self, name):
        """The words that start one of sid's programs (mysqld, mysql, mysqlrouter, ...)."""
        path = next(path for path in (self.root / "usr/sbin" / name, self.root / "usr/bin" / name) if path.exists())
        libraries = next((self.root / "usr/lib").glob("*-linux-gnu/ld-linux-*.so.*")).parent
        loader = next(libraries.glob("ld-linux-*.so.*"))
        return [str(loader), "--library-path", f"{libraries}:{self.root}/usr/lib/mysql-router", str(path)]

    def _starts_as(self):
        """The user mysql, unless a folder above the packages is closed to it."""
        if os.geteuid() != 0:
            return None
        account = pwd.getpwnam(self.user)
        probe = subprocess.run(["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
                                "test", "-x", self.root / "usr/sbin/mysqld"], check=False)
        return None if probe.returncode else self.user

    def _command(self):
        share = self.root / "usr/share/mysql"
        user = ["--user=root"] if os.geteuid() == 0 and not self._starts_as() else []
        return [*self.program("mysqld"), *self.FIXED, *user, f"--basedir={self.root}/usr", f"--lc-messages-dir={share}",
                f"--character-sets-dir={share}/charsets", f"--plugin-dir={self.root}/usr/lib/mysql/plugin",
                "--skip-name-resolve", *self._options(secure_file_priv=self.temp)]

    def close(self):
        self.kill()  # an orderly end takes it seconds
        super().close()

    def create_user(self, name, password, plugin="caching_sha2_password"):
        self.query(f"CREATE USER `{name}`@`%%` IDENTIFIED WITH {plugin} BY %s", [password])

    def certificate(self, name="ca.pem"):
        """Path of a file of the server's TLS: ca.pem, server-cert.pem, client-cert.pem, client-key.pem, public_key.pem."""
        return os.path.join(self.data, name)


class _FirstMySQL(MySQL97):
    """The server whose data folder becomes the template of all others."""

    def __init__(self, root):
        self.root = root
        MySQLServer.__init__(self)
        self._prepare(None, 10)

    def initialise(self, target):
        with contextlib.closing(self):
            try:
                self._run([*self._command(), "--initialize-insecure"], "mysqld --initialize-insecure")
                self.start()  # makes certificates and keys
                self.stop()
            except (ServerFailed, TimeoutError) as error:
                raise Unavailable(str(error)) from error
            os.unlink(os.path.join(self.data, "auto.cnf"))  # each server gets an identity of its own
            self._copy(self.data, target)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or SETS:
        try:
            print(wanted, versions(wanted))
        except Unavailable as why:
            sys.exit(f"{wanted}: {why}")
