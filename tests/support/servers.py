# SPDX-License-Identifier: Apache-2.0
"""Throw-away PostgreSQL and MariaDB servers for the tests, the demo and the benchmarks.

    with Postgres() as server:                     # initdb, start; everything is gone at the end
        server.create_user("app", "secret")
        server.create_database("orders", owner="app")
        server.query("SELECT count(*) FROM pg_stat_activity")        # superuser, unix socket, list of tuples
        server.backends("leasehold%")              # pg_stat_activity as dicts, by application_name
        server.url("orders", "app", "secret")      # postgresql://app:secret@127.0.0.1:PORT/orders
        server.stop(); server.start(); server.restart(); server.kill()   # the port stays the same
        server.pause(); server.resume()            # SIGSTOP/SIGCONT for all its processes: a peer that stops answering

    with MariaDB() as server: ...                  # the same verbs; processes() instead of backends(); sid.MySQL97 likewise

Servers listen on 127.0.0.1, on ports that stay reserved for as long as the object lives, and on a unix socket in a short
0755 folder. As root they run as `postgres` or `mysql`, else as the caller. They are ended by pid at exit, and die with
the process that started them even if that is killed.
"""
import atexit
import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import time
import urllib.parse

from processes import (LOOPBACK, Port, children, end_process, free_port, spawn, tail, temp_dir,  # noqa: F401
                       wait_until)


class ServerFailed(RuntimeError):
    """A server did not start; the message ends with the last lines of its log."""


class _Server:
    """What both servers share: folder, port, process, the verbs of life and death."""
    user = None        # the system user that it runs as when we are root
    stop_signal = signal.SIGTERM

    def __init__(self):
        self.folder = temp_dir(f"lh-{type(self).__name__[:2].lower()}-")
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "log")
        self.reserved = Port()
        self.port = self.reserved.number
        self.host = LOOPBACK
        self.process = None
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def _command(self):
        raise NotImplementedError

    def _answers(self):
        raise NotImplementedError

    def start(self, timeout=60):
        """Starts the server and waits until it answers."""
        assert not self.running(), "already started"
        self.process = spawn(self._command(), self.log, user=self._starts_as(), death_signal=self.stop_signal,
                             cwd=self.folder)

        def ready():
            if self.process.poll() is not None:
                raise ServerFailed(f"{type(self).__name__} ended with {self.process.returncode}:\n{tail(self.log)}")
            return self._answers()

        wait_until(ready, timeout, f"{type(self).__name__} answering on port {self.port}", 0.03)
        return self

    def stop(self):
        """An orderly shutdown that does not wait for clients."""
        if self.process:
            end_process(self.process, self.stop_signal, 30)
            self.process = None

    def kill(self):
        """SIGKILL to the server and all its processes: nobody says goodbye."""
        if self.process:
            pids = [self.process.pid, *children(self.process.pid)]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def pause(self):
        """The server stops answering without closing anything."""
        for pid in [self.process.pid, *children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in [self.process.pid, *children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def close(self):
        """Ends the server and removes its folder; may be called twice."""
        if self.running():
            self.resume()
        self.stop()
        self.reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command, what):
        done = subprocess.run([str(word) for word in self._as_user() + command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder, check=False)
        if done.returncode:
            raise ServerFailed(f"{what} ended with {done.returncode}:\n{done.stdout}")

    def _starts_as(self):
        return self.user

    def _as_user(self):
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={self.user}", f"--regid={pwd.getpwnam(self.user).pw_gid}", "--init-groups"]

    def _url(self, scheme, database, user, password, query):
        secret = "" if password is None else ":" + urllib.parse.quote(password, safe="")
        tail_ = "?" + urllib.parse.urlencode(query) if query else ""
        return f"{scheme}://{urllib.parse.quote(user, safe='')}{secret}@{self.host}:{self.port}/{database}{tail_}"


# --- PostgreSQL -------------------------------------------------------------------------------------------------------

def postgres_bin(name):
    """Path of one of PostgreSQL's programs: Debian keeps the server's off PATH."""
    for folder in ["/usr/lib/postgresql/15/bin",
                   *sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda f: -float(f.split("/")[4]))]:
        if os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    found = shutil.which(name)
    if not found:
        raise ServerFailed(f"{name} not found: tests/support/install test")
    return found


class Postgres(_Server):
    """A PostgreSQL server. `auth`: pg_hba's method for TCP (scram-sha-256, md5, password, trust); `hba`: lines put before
    it; `settings`: further lines of postgresql.conf. The unix socket trusts everybody; the superuser is `postgres`."""
    user = "postgres"
    stop_signal = signal.SIGINT  # "fast": open sessions are told 57P01

    def __init__(self, auth="scram-sha-256", hba=(), settings=None, max_connections=100, start=True):
        super().__init__()
        self._run([self.program("initdb"), "--pgdata", self.data, "--username=postgres", "--auth=trust",
                   "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"], "initdb")
        self.set_hba(auth, hba)
        lines = {
            "listen_addresses": LOOPBACK, "port": self.port, "unix_socket_directories": self.folder,
            "max_connections": max_connections, "shared_buffers": "32MB", "fsync": "off", "full_page_writes": "off",
            "synchronous_commit": "off", "max_prepared_transactions": 20, "wal_level": "logical",
            "password_encryption": "md5" if auth == "md5" else "scram-sha-256", "timezone": "UTC",
            "log_line_prefix": "%m [%p] %a ", **(settings or {})}
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in lines.items())
        if start:
            self.start()

    def program(self, name):
        return postgres_bin(name)

    def set_hba(self, auth, hba=()):
        """Writes pg_hba.conf; call reload() if the server runs."""
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as file:
            file.writelines(line + "\n" for line in [
                "local all all trust", *hba, f"host all all {LOOPBACK}/32 {auth}",
                f"host replication all {LOOPBACK}/32 {auth}"])

    def _command(self):
        return [self.program("postgres"), "-D", self.data]

    def _answers(self):
        import psycopg2
        try:
            self.connect().close()
            return True
        except psycopg2.OperationalError:
            return False

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def connect(self, database="postgres", **options):
        """A psycopg2 connection of the superuser by the unix socket, in autocommit."""
        import psycopg2
        connection = psycopg2.connect(**{"host": self.folder, "port": self.port, "user": "postgres", "dbname": database,
                                         "application_name": "observer", "connect_timeout": 10, **options})
        connection.autocommit = True
        return connection

    def query(self, sql, args=None, database="postgres"):
        """Runs one statement as superuser on a connection of its own; a list of tuples, or [] without a result."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql, args=None, database="postgres"):
        return self.query(sql, args, database)[0][0]

    def backends(self, application="leasehold%"):
        """Client backends whose application_name is LIKE `application`, as dicts."""
        columns = ["pid", "usename", "datname", "application_name", "state", "query", "in_transaction", "seconds"]
        rows = self.query("SELECT pid, usename, datname, application_name, state, query, xact_start IS NOT NULL,"
                          " extract(epoch FROM clock_timestamp() - state_change)::float FROM pg_stat_activity"
                          " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                          " AND application_name LIKE %s ORDER BY pid", [application])
        return [dict(zip(columns, row)) for row in rows]

    def terminate(self, pid):
        return self.value("SELECT pg_terminate_backend(%s)", [pid])

    def create_user(self, name, password, encryption="scram-sha-256", options="LOGIN"):
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET password_encryption = '{encryption}'")
            cursor.execute(f'CREATE ROLE "{name}" {options} PASSWORD %s', [password])

    def create_database(self, name, owner="postgres"):
        self.query(f'CREATE DATABASE "{name}" OWNER "{owner}"')

    def url(self, database, user, password=None, scheme="postgresql", **query):
        return self._url(scheme, database, user, password, query)


# --- MariaDB and MySQL -------------------------------------------------------------------------------------------------

class MySQLServer(_Server):
    """What MariaDB and Oracle's MySQL (sid.MySQL97) share. The superuser is `root`, without a password, by the unix socket
    only. `version` is what SELECT version() says."""
    user = "mysql"
    processlist_seconds = "time"
    looked_at = 0.0

    def _prepare(self, settings, max_connections):
        self.socket = os.path.join(self.folder, "sock")
        self.options = {"max-connections": max_connections, **(settings or {})}
        self.temp = os.path.join(self.folder, "tmp")
        os.mkdir(self.temp)
        if os.geteuid() == 0:
            shutil.chown(self.temp, self.user)

    def _options(self, **fixed):
        fixed = {"datadir": self.data, "tmpdir": self.temp, "socket": self.socket, "port": self.port,
                 "bind-address": LOOPBACK, "pid-file": os.path.join(self.folder, "pid"), "innodb-buffer-pool-size": "32M",
                 "innodb-flush-log-at-trx-commit": 0, "character-set-server": "utf8mb4", "default-time-zone": "+00:00",
                 **fixed}
        options = {key.replace("_", "-"): value for key, value in {**fixed, **self.options}.items()}
        return [f"--{key}" if value is True else f"--{key}={value}" for key, value in options.items()]

    def _answers(self):
        import pymysql
        try:
            self.connect().close()
            return True
        except pymysql.err.OperationalError:
            return False

    def connect(self, database=None, **options):
        """A PyMySQL connection of root by the unix socket, in autocommit."""
        import pymysql
        return pymysql.connect(**{"unix_socket": self.socket, "user": "root", "database": database, "autocommit": True,
                                  "connect_timeout": 10, **options})

    def query(self, sql, args=None, database=None):
        """Runs one statement as root on a connection of its own; a list of tuples."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, args)
            return list(cursor.fetchall())

    def value(self, sql, args=None, database=None):
        return self.query(sql, args, database)[0][0]

    def processes(self, user="%"):
        """Client threads of users LIKE `user` without our own, as dicts."""
        columns = ["id", "user", "host", "db", "command", "seconds", "state", "info"]
        rows = self.query(f"SELECT id, user, host, db, command, {self.processlist_seconds}, state, info FROM"
                          " information_schema.processlist WHERE id <> connection_id() AND user LIKE %s"
                          " AND user NOT IN ('system user', 'event_scheduler') ORDER BY id", [user])
        return [dict(zip(columns, row)) for row in rows]

    def transactions(self):
        """Thread ids that have an InnoDB transaction open."""
        # InnoDB renews the list only where nobody has read it for 0.1 s.
        time.sleep(max(0.0, self.looked_at + 0.15 - time.monotonic()))
        self.looked_at = time.monotonic()
        return [row[0] for row in self.query("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx")]

    def terminate(self, pid):
        self.query(f"KILL {int(pid)}")

    def create_database(self, name, owner=None):
        self.query(f"CREATE DATABASE `{name}`")
        if owner:
            self.query(f"GRANT ALL ON `{name}`.* TO `{owner}`@`%`")

    def url(self, database, user, password=None, scheme="mysql", **query):
        return self._url(scheme, database, user, password, query)

    @property
    def version(self):
        return self.value("SELECT version()")


class MariaDB(MySQLServer):
    """A MariaDB server. `settings`: further options of mariadbd, without the dashes."""
    processlist_seconds = "time_ms / 1000"

    def __init__(self, settings=None, max_connections=151, start=True):
        super().__init__()
        self._prepare(settings, max_connections)
        install = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db")
        if not install:
            raise ServerFailed("mariadb-install-db not found: tests/support/install test")
        self._run([install, "--no-defaults", f"--datadir={self.data}", f"--tmpdir={self.temp}", "--skip-test-db",
                   "--auth-root-authentication-method=normal", "--innodb-flush-log-at-trx-commit=0",
                   "--innodb-log-file-size=8M"], "mariadb-install-db")
        if start:
            self.start()

    def _command(self):
        program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        return [program, "--no-defaults", "--skip-name-resolve", *self._options(innodb_log_file_size="8M")]

    def create_user(self, name, password, plugin="mysql_native_password"):
        self.query(f"CREATE USER `{name}`@`%%` IDENTIFIED VIA {plugin} USING PASSWORD(%s)", [password])
