# SPDX-License-Identifier: Apache-2.0
"""The proxies that are compared: each started alone in front of one server, configured alike, on a free port."""
import os
import pathlib
import shutil
import subprocess

import pgwire
from servers import end_process, free_port, spawn, wait_until

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """User and system time of the processes, all threads."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_bytes(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def first_line(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


class Peer:
    """One proxy. `auth`: trust or scram on the client leg, or default. The server's user, password and database are its own."""
    name, binary, pools, prepared, user_of_process = "", "", True, True, None

    def __init__(self, server, folder, pool, auth, database, user, password):
        self.server, self.pool, self.auth = server, pool, auth
        self.database, self.user, self.password = database, user, password
        self.port = free_port()
        self.folder = pathlib.Path(folder) / f"{self.name}-{auth}"
        self.folder.mkdir(mode=0o755)
        if self.user_of_process and os.geteuid() == 0:
            shutil.chown(self.folder, self.user_of_process)
        self.process = spawn(self.command(), self.folder / "output", user=self.user_of_process)
        wait_until(self.answers, 20, f"{self.name} ({self.folder}/output)", 0.05)

    @property
    def pids(self):
        return [self.process.pid]

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended:\n" + (self.folder / "output").read_text())
        try:
            with pgwire.connect(self.port, self.user, self.database, self.password) as connection:
                return connection.value("SELECT 1") == "1"
        except (OSError, pgwire.Closed, pgwire.ServerError):
            return False

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    def stop(self):
        end_process(self.process)


class Leasehold(Peer):
    name = "leasehold"
    binary = "leasehold"
    dialect = "postgresql"
    options = ""  # of the URL

    def command(self):
        url = self.server.url(self.database, self.user, self.password)
        method = "" if self.auth == "default" else f", auth: {self.auth}"
        config = self.write("leasehold.yaml", f"""\
listen:
  - {{dialect: {self.dialect}, address: 127.0.0.1:{self.port}{method}}}
pools:
  {self.database}: {{url: '{url}{self.options}', pool_size: {self.pool}, max_overflow: 0, pool_timeout: 60}}
admin: {{http: off, socket: off}}
log: {{level: warn, target: stderr}}
""")
        return [self.binary, "run", "--config", config] + (["--allow-root"] if os.geteuid() == 0 else [])

    def version(self):
        return first_line([self.binary, "--version"])


class Pgbouncer(Peer):
    name = "pgbouncer"
    binary = "/usr/sbin/pgbouncer"
    prepared = False  # not before 1.21 in transaction mode
    user_of_process = "postgres"  # it refuses to run as root

    def command(self):
        users = self.write("users", f'"{self.user}" "{self.password}"\n')
        method = "scram-sha-256" if self.auth == "scram" else self.auth
        config = self.write("pgbouncer.ini", f"""\
[databases]
{self.database} = host=127.0.0.1 port={self.server.port} dbname={self.database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = {method}
auth_file = {users}
pool_mode = transaction
default_pool_size = {self.pool}
max_client_conn = 4000
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
""")
        return [self.binary, config]

    def version(self):
        return first_line([self.binary, "--version"]).replace("PgBouncer", "pgbouncer")


class Haproxy(Peer):
    name = "haproxy"
    binary = "/usr/sbin/haproxy"
    pools = False

    def command(self):
        config = self.write("haproxy.cfg", f"""\
global
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen database
    bind 127.0.0.1:{self.port}
    server one 127.0.0.1:{self.server.port}
""")
        return [self.binary, "-db", "-f", config]

    def version(self):
        return "haproxy " + first_line([self.binary, "-v"]).split()[2]
