# SPDX-License-Identifier: Apache-2.0
"""leasehold as a service: a box with systemd, the installed package and a PostgreSQL of its own, for tests of what an
operator does with systemctl.

    service = Service(box); service.install(package)
    service.configure(pools={"orders": {"url": service.url("orders"), "pool_size": 5}}); service.systemctl("start")
    with service.connect() as connection: ...
    service.console("SHOW POOLS"); service.journal(); service.show("StatusText")
"""
import contextlib
import json
import re

from processes import wait_until
from servers import postgres_bin

USER, PASSWORD = "app", "kx%jj5/g"
PORT, DATABASE_PORT = 6432, 5432
YAML = "/etc/leasehold/leasehold.yaml"
UNIT = "leasehold.service"

# In the box's own /tmp and network; nothing of it is the machine's.
DATABASE = """\
[Unit]
Description=the tests' PostgreSQL
DefaultDependencies=no
[Service]
Type=notify
User=postgres
ExecStart={postgres} -D /tmp/database
KillSignal=SIGINT
"""
SETTINGS = ("listen_addresses=127.0.0.1", f"port={DATABASE_PORT}", "unix_socket_directories=/tmp", "fsync=off",
            "shared_buffers=32MB", "max_connections=60", "synchronous_commit=off", "logging_collector=off")


class Service:
    def __init__(self, box):
        self.box = box

    def install(self, package):
        return self.box.install(package)

    def start_database(self):
        """PostgreSQL on 127.0.0.1:5432 with the user app and its database orders."""
        box = self.box
        box.write("/tmp/password", PASSWORD)
        box.run(postgres_bin("initdb"), "--pgdata=/tmp/database", "--username=postgres", "--auth=scram-sha-256",
                "--auth-local=trust", "--pwfile=/tmp/password", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
                "--no-instructions", user="postgres")
        with open(box.path("/tmp/database/postgresql.conf"), "a") as file:
            file.writelines("{} = '{}'\n".format(*setting.split("=", 1)) for setting in SETTINGS)
        box.write("/run/systemd/system/database.service", DATABASE.format(postgres=postgres_bin("postgres")))
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", "database.service")
        self.database_query(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        self.database_query(f"CREATE DATABASE orders OWNER {USER}")

    def database_query(self, statement):
        """As the superuser, beside leasehold."""
        return self.box.run("psql", "-XAtqh", "/tmp", "-p", DATABASE_PORT, "-U", "postgres", "-d", "postgres",
                            "-v", "ON_ERROR_STOP=1", "-c", statement, user="postgres")

    # --- what an operator does ----------------------------------------------------------------------------------------

    def configure(self, **settings):
        """Writes leasehold.yaml (JSON is YAML); what is not given is a listener, the pool orders and the console."""
        whole = {
            "listen": [{"dialect": "postgresql", "address": f"127.0.0.1:{PORT}"}],
            "pools": {"orders": {"url": self.url("orders", database=True), "pool_size": 5, "max_overflow": 0}},
            "admin": {"users": [USER]}, "drain_timeout": "20s", **settings}
        self.box.write(YAML, json.dumps(whole, indent=1))

    def drop_in(self, name, unit=UNIT, **settings):
        """What `systemctl edit` would write; returns the path. A value may be a list."""
        section = "Socket" if unit.endswith(".socket") else "Service"
        lines = [f"{key}={one}" for key, value in settings.items() for one in (value if isinstance(value, list) else [value])]
        path = f"/run/systemd/system/{unit}.d/{name}.conf"
        self.box.write(path, f"[{section}]\n" + "\n".join(lines) + "\n")
        self.box.run("systemctl", "daemon-reload")
        return path

    def systemctl(self, verb, *options):
        return self.box.run("systemctl", verb, UNIT, *options)

    def show(self, name, unit=UNIT):
        return self.box.show(name, unit)

    @property
    def pid(self):
        return int(self.show("MainPID"))

    def journal(self, since=None):
        """The unit's lines, its own and systemd's about it; `since` is a cursor()."""
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.entries(since))

    def entries(self, since=None):
        """The unit's journal entries as dicts of fields."""
        # Not with --unit: where the cursor's own entry is another unit's, journalctl skips the first one behind it.
        lines = self.box.run("journalctl", "--no-pager", "--output=json", *(["--after-cursor", since] if since else []))
        found = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
        return [entry for entry in found if UNIT in (entry.get("_SYSTEMD_UNIT"), entry.get("UNIT"))]

    def cursor(self):
        self.box.run("journalctl", "--sync")
        return re.search(r"-- cursor: (\S+)", self.box.run("journalctl", "-n", "0", "--show-cursor")).group(1)

    def wait_for_journal(self, text, since=None, timeout=20):
        return wait_until(lambda: [line for line in self.journal(since).splitlines() if re.search(text, line)], timeout,
                          f"{text!r} in the journal", 0.1)

    def cli(self, *words):
        """`leasehold WORDS` as root in the box."""
        return self.box.run("leasehold", *words)

    # --- its clients --------------------------------------------------------------------------------------------------

    def url(self, database_name="orders", database=False, scheme="postgresql"):
        """Through leasehold, or with `database` directly."""
        secret = PASSWORD.replace("%", "%25").replace("/", "%2F")
        return f"{scheme}://{USER}:{secret}@127.0.0.1:{DATABASE_PORT if database else PORT}/{database_name}"

    def connect(self, database="orders", autocommit=False, **options):
        import psycopg2
        with self.box.network():
            connection = psycopg2.connect(**{"host": "127.0.0.1", "port": PORT, "dbname": database, "user": USER,
                                             "password": PASSWORD, "connect_timeout": 20, **options})
        connection.autocommit = autocommit
        return connection

    def value(self, statement="SELECT 1", **options):
        """The single value of one statement on a connection of its own."""
        with contextlib.closing(self.connect(autocommit=True, **options)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0]

    def console(self, command):
        with contextlib.closing(self.connect("leasehold", autocommit=True)) as connection, connection.cursor() as cursor:
            cursor.execute(command)
            if not cursor.description:
                return []
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]
