# SPDX-License-Identifier: Apache-2.0
"""What cmd/demo has to know of each database: its server, a load, a client that walks away, and how both are looked at."""
import contextlib
import os
import subprocess
import sys

from servers import MariaDB, Postgres, postgres_bin

USER, PASSWORD = "app", "demo-secret"
LAMPS = "SELECT pieces FROM stock WHERE article = 'lamp' FOR UPDATE"


class PostgresSide:
    name, dialect, port_key, scheme, catalog = "PostgreSQL", "postgresql", "port", "postgresql+psycopg2", "pg_stat_activity"
    load_name = "pgbench"
    progress = r"progress: .*?, ([0-9.]+) tps"
    done = r"number of transactions actually processed: (\d+)"
    failed = r"number of failed transactions: (\d+)"
    progress_on_stderr = True
    backend = "SELECT pg_backend_pid()"
    killing = "pg_terminate_backend()"
    pause = 0.01
    walks_away = """
import sys, time, psycopg2
connection = psycopg2.connect(sys.argv[1], application_name="checkout page")
cursor = connection.cursor()
cursor.execute("UPDATE stock SET pieces = pieces - 1 WHERE article = 'lamp'")
print("in transaction", flush=True)
time.sleep(60)
"""

    def __init__(self):
        import psycopg2
        self.error = psycopg2.Error

    @staticmethod
    def server():
        return Postgres()

    @staticmethod
    def prepare(server):
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        subprocess.run([postgres_bin("pgbench"), "-i", "-q", "-s", "4", "-h", server.folder, "-p", str(server.port), "-U",
                        USER, "orders"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=True)
        server.query("CREATE TABLE stock (article text PRIMARY KEY, pieces int);"
                     f"ALTER TABLE stock OWNER TO {USER}; INSERT INTO stock VALUES ('lamp', 10)", database="orders")

    @staticmethod
    def load(daemon, clients, seconds):
        """(command, environment). A thread per client: pgbench prepares statements blocking its thread, and would wait for
        its own other clients."""
        return ([postgres_bin("pgbench"), "-n", "-N", "-M", "prepared", "-c", str(clients), "-j", str(clients), "-T",
                 str(seconds), "-P", "1", "-h", daemon.host, "-p", str(daemon.port), "-U", USER, "orders"],
                {"PGPASSWORD": PASSWORD})

    @staticmethod
    def backends(server):
        """How many connections serve clients: all of the user's but the one by which leasehold asks what the server admits."""
        return server.value("SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
                            " AND application_name <> 'leasehold control'", [USER])

    @staticmethod
    def connections(server):
        return [row["pid"] for row in server.backends("%") if row["usename"] == USER]

    @staticmethod
    def in_transaction(server):
        return [row for row in server.backends("%") if row["usename"] == USER and row["in_transaction"]]

    @staticmethod
    def connect(daemon):
        return daemon.connect("orders", USER, PASSWORD, autocommit=True)

    @staticmethod
    def walker(daemon):
        return [daemon.url("orders", USER, PASSWORD)]

    @staticmethod
    def pieces(cursor):
        cursor.execute("BEGIN; SET LOCAL lock_timeout = '1s'")
        cursor.execute(LAMPS)
        pieces = cursor.fetchone()[0]
        cursor.execute("ROLLBACK")
        return pieces

    @staticmethod
    def how_to_connect(daemon, server):
        url = daemon.url("orders", USER, PASSWORD)
        return [("as an application", "psql " + url),
                ("SQLAlchemy", daemon.url("orders", USER, PASSWORD, scheme="postgresql+psycopg2")),
                ("the console", "psql " + daemon.url("leasehold", "operator", "console-secret") + " -c 'SHOW POOLS'"),
                ("PostgreSQL itself", "psql " + server.url("orders", USER, PASSWORD))]


class MariaDBSide:
    name, dialect, port_key, scheme, catalog = "MariaDB", "mysql", "mysql_port", "mysql+pymysql", "SHOW PROCESSLIST"
    load_name = "sysbench"
    progress = r"\[ \d+s \].*? tps: ([0-9.]+)"
    done = r"transactions:\s+(\d+)"
    failed = r"ignored errors:\s+(\d+)"
    progress_on_stderr = False
    backend = "SELECT 0 + CONNECTION_ID()"  # CONNECTION_ID() alone is the client's own number, which stays
    killing = "KILL"
    pause = 0.15  # InnoDB renews its list of transactions for nobody who asks more often
    walks_away = """
import sys, time, pymysql
connection = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user=sys.argv[2], password=sys.argv[3],
                             database="orders", program_name="checkout page")
cursor = connection.cursor()
cursor.execute("UPDATE stock SET pieces = pieces - 1 WHERE article = 'lamp'")
print("in transaction", flush=True)
time.sleep(60)
"""
    ROWS = 100_000

    def __init__(self):
        import pymysql
        self.error = pymysql.err.MySQLError

    @staticmethod
    def server():
        return MariaDB(settings={"innodb_flush_log_at_trx_commit": 2})

    def _sysbench(self, command, port_or_socket, threads, *more):
        return ["sysbench", "oltp_read_write", "--db-driver=mysql", *port_or_socket, f"--mysql-user={USER}",
                f"--mysql-password={PASSWORD}", "--mysql-db=orders", "--tables=1", f"--table-size={self.ROWS}",
                "--delete_inserts=0", f"--threads={threads}", *more, command]

    def prepare(self, server):
        server.create_user(USER, PASSWORD)
        server.create_database("orders", owner=USER)
        subprocess.run(self._sysbench("prepare", [f"--mysql-socket={server.socket}"], 1), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=True)
        server.query("CREATE TABLE orders.stock (article varchar(20) PRIMARY KEY, pieces int) ENGINE=InnoDB")
        server.query("INSERT INTO orders.stock VALUES ('lamp', 10)")

    def load(self, daemon, clients, seconds):
        return (self._sysbench("run", [f"--mysql-host={daemon.host}", f"--mysql-port={daemon.mysql_port}"], clients,
                               f"--time={seconds}", "--report-interval=1"), {})

    @staticmethod
    def backends(server):
        return len(server.processes(USER))

    @staticmethod
    def connections(server):
        return [row["id"] for row in server.processes(USER)]

    @staticmethod
    def in_transaction(server):
        return server.transactions()

    @staticmethod
    def connect(daemon):
        return daemon.connect_mysql("orders", USER, PASSWORD, autocommit=True)

    @staticmethod
    def walker(daemon):
        return [str(daemon.mysql_port), USER, PASSWORD]

    @staticmethod
    def pieces(cursor):
        cursor.execute("SET innodb_lock_wait_timeout = 1")
        cursor.execute("BEGIN")
        cursor.execute(LAMPS)
        pieces = cursor.fetchone()[0]
        cursor.execute("ROLLBACK")
        return pieces

    @staticmethod
    def how_to_connect(daemon, server):
        def line(port, user, password, database):
            return f"mariadb -h127.0.0.1 -P{port} -u{user} -p{password} {database}"
        return [("as an application", line(daemon.mysql_port, USER, PASSWORD, "orders")),
                ("SQLAlchemy", f"mysql+pymysql://{USER}:{PASSWORD}@127.0.0.1:{daemon.mysql_port}/orders"),
                ("the console", line(daemon.mysql_port, "operator", "console-secret", "leasehold") + " -e 'SHOW POOLS'"),
                ("MariaDB itself", line(server.port, USER, PASSWORD, "orders"))]


def side(mysql):
    return MariaDBSide() if mysql else PostgresSide()


@contextlib.contextmanager
def walking_client(side_, daemon):
    """A process that has begun a transaction and sleeps in it."""
    client = subprocess.Popen([sys.executable, "-c", side_.walks_away, *side_.walker(daemon)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        client.stdout.readline()
        yield client
    finally:
        client.kill()
        client.wait()
        client.stdout.close()
