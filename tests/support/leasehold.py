# SPDX-License-Identifier: Apache-2.0
"""A leasehold daemon in front of throw-away servers.

    daemon = Leasehold(pools={"orders": {"url": postgres.url("orders", "app", "secret"), "pool_size": 5}})
    daemon.port, daemon.mysql_port, daemon.http_port      # of its listeners (mysql: if a pool needs it; http: if asked)
    daemon.control_socket                                 # HTTP over a unix socket: POST /console, and what http has
    daemon.connect("orders", "app", "secret")             # psycopg2 through leasehold; further words go to psycopg2
    daemon.connect_mysql("shop", "app", "secret")         # PyMySQL through leasehold
    daemon.url("orders", "app", "secret")                 # for SQLAlchemy, psql, pgbench; scheme="mysql+pymysql" likewise
    daemon.console("SHOW POOLS")                          # list of dicts from the database `leasehold`
    daemon.set_pool("orders", pool_size=7); daemon.reload()   # [] when it is in force, else the problems
    daemon.log_text(); daemon.rss(); daemon.cpu(); daemon.stop(); daemon.kill(); daemon.close()

The program is LEASEHOLD_BIN, or build/release/bin/leasehold. The configuration is a dict written as YAML (values of type
Raw stay as they are: Raw("!file /run/secret")), or a whole file's text.
"""
import atexit
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import urllib.parse

from processes import LOOPBACK, Port, end_process, spawn, tail, temp_dir, wait_until
from servers import ServerFailed

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSOLE_USER, CONSOLE_PASSWORD = "operator", "console-secret"


# Sanitizers keep freed memory and surround each allocation: limits on memory are this much wider under them.
MEMORY_FACTOR = 6 if os.environ.get("LEASEHOLD_SANITIZED") else 1


def program():
    """The daemon's program; an absolute path."""
    path = pathlib.Path(os.environ.get("LEASEHOLD_BIN", ROOT / "build/release/bin/leasehold")).resolve()
    if not os.access(path, os.X_OK):
        raise ServerFailed(f"{path} is not there: build it, or set LEASEHOLD_BIN")
    return str(path)


class Raw(str):
    """A YAML value that is written as it is."""


def _scalar(value):
    if isinstance(value, Raw):
        return str(value)
    if value is None:
        return ""
    return json.dumps(value)  # a JSON scalar is a YAML scalar


def to_yaml(value, indent=0):
    """Block style for dicts, flow style for lists' items: what a person would write."""
    def plain(key):
        return key if key.replace("_", "").isalnum() else json.dumps(key)

    def flow(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{plain(k)}: {flow(v)}" for k, v in item.items()) + "}"
        if isinstance(item, (list, tuple)):
            return "[" + ", ".join(flow(v) for v in item) + "]"
        return _scalar(item)

    lines = []
    for key, item in value.items():
        name = " " * indent + plain(key) + ":"
        if isinstance(item, dict) and item:
            lines += [name, to_yaml(item, indent + 2)]
        elif isinstance(item, (list, tuple)) and item and isinstance(item[0], dict):
            lines += [name, *(" " * indent + "  - " + flow(entry) for entry in item)]
        else:
            lines.append(f"{name} {flow(item)}".rstrip())
    return "\n".join(lines)


def run_program(*arguments, timeout=60, **options):
    """Runs `leasehold ARGUMENTS...` to its end; CompletedProcess with text in stdout and stderr."""
    return subprocess.run([program(), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, **options)


def check(config, *arguments):
    """`leasehold check --config` of a text or dict; CompletedProcess."""
    folder = temp_dir("lh-check-")
    path = os.path.join(folder, "leasehold.yaml")
    with open(path, "w") as file:
        file.write(config if isinstance(config, str) else to_yaml(config) + "\n")
    return run_program("check", "--config", path, *arguments)


class Leasehold:
    """`pools`: name → keys of the pool, `url` among them. `sections`: further top-level keys (users, limits, servers,
    log, workers, drain_timeout...); `listen`: replaces the listeners made here; `text`: replaces the whole file, with
    {port} and {mysql_port} filled in. `start=False` only writes the file. `prefix`: a program that becomes the daemon (prlimit ...);
    `binary`: another program than LEASEHOLD_BIN."""

    def __init__(self, pools=None, listen=None, admin=None, text=None, http=False, start=True, environment=None, prefix=(), binary=None,
                 **sections):
        self.folder = temp_dir("lh-d-")
        self.config_file = os.path.join(self.folder, "leasehold.yaml")
        self.log = os.path.join(self.folder, "log")
        self.host = LOOPBACK
        self.environment = environment or {}
        self.prefix = list(prefix)
        self.binary = binary
        self.process = None
        self.complaint = ""
        schemes = {urllib.parse.urlsplit(str(pool["url"])).scheme.partition("+")[0] for pool in (pools or {}).values()
                   if "url" in pool}
        self._reserved = [Port(), Port(), Port()]
        self.port = self._reserved[0].number
        wants_mysql = bool(schemes & {"mysql", "mariadb"}) or (text is not None and "{mysql_port}" in text)
        self.mysql_port = self._reserved[1].number if wants_mysql else None
        self.http_port = self._reserved[2].number if http else None
        self.control_socket = os.path.join(self.folder, "control.sock")
        if text is not None:
            self.config = text.replace("{port}", str(self.port)).replace("{mysql_port}", str(self.mysql_port))
            if self.mysql_port and "{port}" not in text:
                self.port = None  # there is no listener for PostgreSQL
        else:
            self.config = self._config(pools or {}, listen, admin, sections)
        self.write_config()
        atexit.register(self.close)
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _config(self, pools, listen, admin, sections):
        if listen is None:
            listen = [{"dialect": "postgresql", "address": f"{LOOPBACK}:{self.port}"}]
            if self.mysql_port:
                listen.append({"dialect": "mysql", "address": f"{LOOPBACK}:{self.mysql_port}"})
        users = list(sections.pop("users", [])) + [{"name": CONSOLE_USER, "password": CONSOLE_PASSWORD}]
        admin = {"users": [CONSOLE_USER], "http": f"{LOOPBACK}:{self.http_port}" if self.http_port else Raw("off"),
                 "socket": self.control_socket, **(admin or {})}
        return {"listen": listen, "pools": {name: dict(pool) for name, pool in pools.items()}, "users": users,
                "admin": admin, **sections}

    # --- its file -----------------------------------------------------------------------------------------------------

    def config_text(self):
        return self.config if isinstance(self.config, str) else to_yaml(self.config) + "\n"

    def write_config(self):
        with open(self.config_file, "w") as file:
            file.write(self.config_text())
        os.chmod(self.config_file, 0o600)

    def set_pool(self, pool, **keys):
        """Changes keys of a pool in the file; reload() makes them count."""
        self.config["pools"].setdefault(pool, {}).update(keys)
        self.write_config()

    # --- life and death -----------------------------------------------------------------------------------------------

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, timeout=30):
        """Starts the daemon and waits until its listeners accept."""
        assert not self.running(), "already started"
        command = [*self.prefix, self.binary or program(), "run", "--config", self.config_file]
        if os.geteuid() == 0:
            command.append("--allow-root")
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_USEC")}
        self.process = spawn(command, self.log, env={**environment, **self.environment}, cwd=self.folder)

        def listens():
            if self.process.poll() is not None:
                raise ServerFailed(f"leasehold ended with {self.process.returncode}:\n{tail(self.log, 40)}")
            return all(_accepts(port) for port in (self.port, self.mysql_port, self.http_port) if port) and self._controls()

        wait_until(listens, timeout, "leasehold listening", 0.02)
        return self

    def _controls(self):
        """Its control socket, which opens after the listeners, answers; or the file names another, or none."""
        admin = self.config.get("admin", {}) if isinstance(self.config, dict) else {}
        if admin.get("socket") != self.control_socket:
            return True
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(self.control_socket)
            return True
        return False

    def stop(self, timeout=40):
        """SIGTERM: it drains and ends. Returns the exit code (a sanitizer's report makes it other than 0)."""
        if self.process is None:
            return None
        code = end_process(self.process, signal.SIGTERM, timeout)
        self.process = None
        return code

    def kill(self):
        """SIGKILL: it cannot say goodbye to anybody."""
        if self.process:
            end_process(self.process, signal.SIGKILL)
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def reload(self, timeout=30, wait=True):
        """SIGHUP, and waits until the log tells the outcome: [] when the file is in force, else its problems."""
        before = self._reloads()[0]
        os.kill(self.pid, signal.SIGHUP)
        if not wait:
            return None
        wait_until(lambda: self._reloads()[0] > before, timeout, "the end of a reload", 0.01)
        return self._reloads()[1]

    def _reloads(self):
        """The number of the last reload that has ended, and its problems."""
        ended, problems = 0, {}
        for line in self.log_text().splitlines():
            number = re.search(r"event=(?:reloaded|reload_failed) reload=(\d+)", line)
            if not number:
                continue
            failed = re.search(r"problem=(\d+) of=(\d+) message=(.*)", line)
            if failed:
                text = failed[3].strip()
                text = json.JSONDecoder().raw_decode(text)[0] if text.startswith('"') else text.partition(" ")[0]
                problems.setdefault(int(number[1]), []).append(text)
            if not failed or failed[1] == failed[2]:
                ended = int(number[1])
        return ended, problems.get(ended, [])

    def close(self):
        """Ends the daemon and removes its folder; may be called twice. SIGINT, again after a second (then it does not wait
        for its clients). `complaint` then says how it crashed or what a sanitizer reported; it is empty when all is well."""
        if self.process:
            died = self.process.poll()
            for patience in (1, 20):
                if self.running():
                    self.process.send_signal(signal.SIGINT)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.process.wait(patience)
            code = end_process(self.process, signal.SIGKILL)
            self.process = None
            if code < 0:
                self.complaint = f"leasehold {'died of' if died is not None else 'did not end and got'} signal {-code}"
        if os.path.exists(self.log) and re.search(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:", self.log_text()):
            self.complaint = "a sanitizer reported:\n" + self.log_text()[-20000:]
        for port in self._reserved:
            port.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- its clients --------------------------------------------------------------------------------------------------

    def connect(self, database, user, password=None, autocommit=False, **options):
        """A psycopg2 connection through leasehold."""
        import psycopg2
        connection = psycopg2.connect(**{"host": self.host, "port": self.port, "dbname": database, "user": user,
                                         "password": password or "", "connect_timeout": 20, **options})
        connection.autocommit = autocommit
        return connection

    def connect_mysql(self, database, user, password=None, **options):
        """A PyMySQL connection through leasehold."""
        import pymysql
        return pymysql.connect(**{"host": self.host, "port": self.mysql_port, "user": user, "password": password or "",
                                  "database": database, "connect_timeout": 20, **options})

    def url(self, database, user, password=None, scheme="postgresql", **query):
        secret = "" if password is None else ":" + urllib.parse.quote(password, safe="")
        port = self.mysql_port if scheme.startswith(("mysql", "mariadb")) else self.port
        tail_ = "?" + urllib.parse.urlencode(query) if query else ""
        return f"{scheme}://{urllib.parse.quote(user, safe='')}{secret}@{self.host}:{port}/{database}{tail_}"

    def raw(self, mysql=False, timeout=10):
        """A TCP socket to the listener, nothing said yet."""
        return socket.create_connection((self.host, self.mysql_port if mysql else self.port), timeout)

    def lost(self, *backends, within=20):
        """Waits until it knows that these server connections are gone: before, a request may still be sent to one of them."""
        wanted = {int(backend) for backend in backends}
        wait_until(lambda: not wanted & {row["remote_pid"] for row in self.console("SHOW SERVERS")}, within, "the loss")

    def console(self, command, user=CONSOLE_USER, password=CONSOLE_PASSWORD):
        """Runs a console command over the simple query protocol, or MySQL's where there is no other; rows as dicts."""
        connect = self.connect if self.port else self.connect_mysql
        with contextlib.closing(connect("leasehold", user, password, autocommit=True)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(command)
                if not cursor.description:
                    return []
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row)) for row in cursor.fetchall()]

    # --- what can be read about it ------------------------------------------------------------------------------------

    def log_text(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def rss(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))

    def cpu(self):
        """CPU seconds used so far, user and system."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))


def _accepts(port):
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
        return True
    return False
