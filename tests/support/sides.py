# SPDX-License-Identifier: Apache-2.0
"""The same verbs over both protocols, so that a rule which holds for both databases is one test.

    side = Side.of(server)                    # PostgreSQL, MariaDB or MySQL
    session = side.login(daemon, application="checkout")
    session.ok(sql); session.value(sql); session.ask(sql).code; session.backend(); session.silent(0.2)
    side.LOST, side.UNKNOWN, side.TIMEOUT     # the codes of leasehold's errors there
    side.terminate(session.backend()); side.open_transactions(); side.sleep(5)
"""
import contextlib

import mybinary
import mywire
import pgwire

USER, PASSWORD = "app", "kx%jj5/g"


class Answer:
    """To one request: `code` of its error (None: none), `rows`, and what the status says of a transaction."""

    def __init__(self, code, rows, in_transaction, message=""):
        self.code, self.rows, self.in_transaction, self.message = code, rows, in_transaction, message

    def __repr__(self):
        return f"{self.code or 'ok'} {self.message} {self.rows[:3]} {'in a transaction' if self.in_transaction else ''}"


class Session:
    """One client. `send` and `read` are the halves of `ask`."""

    def ask(self, sql):
        self.send(sql)
        return self.read()

    def ok(self, sql):
        answer = self.ask(sql)
        assert answer.code is None, f"{sql}: {answer}"
        return answer.rows

    def value(self, sql):
        return self.ok(sql)[0][0]

    def backend(self):
        """The server's number of the connection that serves it now."""
        return int(self.value(self.BACKEND))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.drop()

    def drop(self):
        self.wire.drop()

    def reset(self):
        self.wire.reset()


class PostgresSession(Session):
    BACKEND = "SELECT pg_backend_pid()"

    def __init__(self, daemon, database, application, timeout):
        self.daemon = daemon
        options = {"application_name": application} if application else {}
        self.wire = pgwire.connect(daemon.port, USER, database, PASSWORD, timeout=timeout, **options)

    @staticmethod
    def bytes_of(sql):
        return pgwire.query(sql)

    def send(self, sql):
        self.wire.send(self.bytes_of(sql))

    def send_bytes(self, data):
        self.wire.send(data)

    def read(self):
        reply = self.wire.reply()
        return Answer(reply.sqlstate, reply.rows, reply.status != "I", reply.error.message if reply.errors else "")

    def prepared(self, sql):
        """The same by the extended query protocol."""
        reply = self.wire.extended(sql)
        return Answer(reply.sqlstate, reply.rows, reply.status != "I", reply.error.message if reply.errors else "")

    def silent(self, seconds):
        return self.wire.silent(seconds)

    def terminate(self):
        self.wire.terminate()

    def begin_reading(self):
        self.wire.read()


class MysqlSession(Session):
    BACKEND = "SELECT 0 + connection_id()"  # alone it would be answered with leasehold's own number

    def __init__(self, daemon, database, application, timeout):
        self.daemon = daemon
        attributes = {"program_name": application} if application else None
        self.wire = mywire.connect(daemon.mysql_port, USER, PASSWORD, database, timeout=timeout, attributes=attributes)
        self.in_transaction = False

    @staticmethod
    def bytes_of(sql):
        payload = bytes([mywire.COM_QUERY]) + sql.encode()
        return len(payload).to_bytes(3, "little") + b"\0" + payload

    def send(self, sql):
        self.wire.command(mywire.COM_QUERY, sql.encode())

    def send_bytes(self, data):
        self.wire.socket.sendall(data)

    def read(self):
        """The whole reply, all its results."""
        rows = []
        try:
            while True:
                result = self.wire.result()
                rows += result.rows
                self.in_transaction = result.in_transaction
                if not result.status & mywire.STATUS_MORE_RESULTS:
                    return Answer(None, rows, self.in_transaction)
        except mywire.ServerError as error:
            # An error has no status: COM_PING says what became of the transaction.
            self.in_transaction = self.wire.ping().in_transaction
            return Answer(error.code, rows, self.in_transaction, error.message)

    def prepared(self, sql):
        """The same by a binary prepared statement, where MySQL can prepare it."""
        if not sql.startswith(("INSERT", "SELECT", "COMMIT")):
            return self.ask(sql)
        statement = None
        try:
            statement = mybinary.Statement(self.wire, sql)
            result = statement.execute()
            self.in_transaction = result.in_transaction
            return Answer(None, result.rows, self.in_transaction)
        except mywire.ServerError as error:
            self.in_transaction = self.wire.ping().in_transaction
            return Answer(error.code, [], self.in_transaction, error.message)
        finally:
            if statement:
                statement.close()

    def silent(self, seconds):
        """Nothing comes within that time, and the connection stays open."""
        self.wire.socket.settimeout(seconds)
        try:
            said = self.wire.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.wire.socket.settimeout(30)
        self.wire.inbox += said
        return False

    def terminate(self):
        self.wire.quit()

    def begin_reading(self):
        self.wire.read()


class Side:
    """One server and the words of its protocol."""

    def __init__(self, server):
        self.server = server

    @staticmethod
    def of(server):
        return PostgresSide(server) if hasattr(server, "backends") else MysqlSide(server)

    def login(self, daemon, application=None, timeout=20):
        return self.Session(daemon, self.database, application, timeout)

    def pool(self, **keys):
        """The configuration of a pool in front of it."""
        return {self.database: {"url": self.server.url(self.database, USER, PASSWORD), "max_overflow": 0, **keys}}

    def terminate(self, backend):
        with contextlib.suppress(Exception):  # it may have gone by itself
            self.server.terminate(backend)

    def query(self, sql):
        return self.server.query(sql, database=self.database)

    def table(self, name, columns):
        self.query(f"DROP TABLE IF EXISTS {name}")
        self.query(f"CREATE TABLE {name} ({columns}){self.ENGINE}")
        for grant in self.GRANTS:
            self.query(grant.format(name))

    def rows(self, name):
        return self.query(f"SELECT count(*) FROM {name}")[0][0]

    def nothing_left(self):
        """No transaction of the application is open, and no statement of it runs."""
        return not self.left_behind()


class PostgresSide(Side):
    name, database, scheme, Session = "postgresql", "orders", "postgresql+psycopg2", PostgresSession
    LOST, UNKNOWN, TIMEOUT, CANCELLED, BEGIN_REFUSED = "40001", "40003", "53300", "57014", "25001"
    BEGIN, ENGINE, GRANTS = "BEGIN", "", ("GRANT ALL ON {} TO app",)
    SEVERAL, ERRORS_FAIL_TRANSACTIONS = ["SELECT 1; SELECT 2"], True
    GREETS = 0  # backends that it takes to greet the first client
    GLANCE = 0.05  # seconds between two looks at what is going on there

    def sleep(self, seconds):
        return f"SELECT pg_sleep({seconds})"

    def slow_insert(self, table, seconds):
        return f"INSERT INTO {table} SELECT 1 FROM pg_sleep({seconds})"

    def prepare_many_rows(self):
        """What many_rows() reads."""

    def many_rows(self, count, width):
        return f"SELECT 'not yours', repeat('x', {width}) FROM generate_series(1, {count})"

    def connections(self):
        """leasehold's backends, but for the one connection that asks the server for its limits."""
        return [b for b in self.server.backends("%")
                if b["usename"] == USER and b["application_name"] != "leasehold control"]

    def backends(self):
        return [b["pid"] for b in self.connections()]

    @contextlib.contextmanager
    def insert_whose_commit_hangs(self, session, table):
        """A transaction with a row, which takes 20 s to commit."""
        self.query("CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$BEGIN PERFORM pg_sleep(20); RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON"
                   f" {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()")
        session.ok("BEGIN")
        session.ok(f"INSERT INTO {table} (id) VALUES (1)")
        yield

    def numbered_table(self, name, columns):
        self.table(name, f"id serial, {columns}")
        self.query(f"GRANT ALL ON SEQUENCE {name}_id_seq TO app")

    def running(self, text):
        return [b["pid"] for b in self.server.backends("%")
                if b["usename"] == USER and b["state"] == "active" and text in b["query"]]

    def locks(self):
        return self.query(f"SELECT pid, locktype, mode FROM pg_locks WHERE pid IN (SELECT pid FROM pg_stat_activity"
                          f" WHERE usename = '{USER}')")

    def left_behind(self):
        return [b for b in self.server.backends("%") if b["usename"] == USER
                and (b["in_transaction"] or b["state"] == "active")]

    def client(self, daemon):
        """The command line client's words."""
        return ["psql", "-X", "-q", daemon.url(self.database, USER, PASSWORD)]


class MysqlSide(Side):
    name, database, scheme, Session = "mysql", "shop", "mysql+pymysql", MysqlSession
    LOST, UNKNOWN, TIMEOUT, CANCELLED, BEGIN_REFUSED = 1213, 1180, 1203, 1317, 1179
    BEGIN, ENGINE, GRANTS = "BEGIN", " ENGINE=InnoDB", ()
    SEVERAL, ERRORS_FAIL_TRANSACTIONS = [], False
    GREETS = 1
    GLANCE = 0.15  # InnoDB's list of transactions is kept for 0.1 s, and longer while it is read

    def query(self, sql):
        """A lock that a session still has is an error soon, and no test that never ends."""
        with contextlib.closing(self.server.connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute("SET lock_wait_timeout = 10")
            cursor.execute(sql)
            return list(cursor.fetchall())

    def sleep(self, seconds):
        # Alone in its statement sleep() answers a KILL QUERY with a row; so it is the statement that is interrupted.
        return f"SELECT 1 FROM information_schema.character_sets WHERE sleep({seconds}) = 0 LIMIT 1"

    def slow_insert(self, table, seconds):
        return f"INSERT INTO {table} (id) SELECT 1 + sleep({seconds})"

    def many_rows(self, count, width):
        return (f"SELECT 'not yours', repeat('x', {width}) FROM digits a, digits b, digits c, digits d, digits e, digits f, digits g"
                f" LIMIT {count}")

    def prepare_many_rows(self):
        self.query("CREATE TABLE IF NOT EXISTS digits (n int PRIMARY KEY) ENGINE=InnoDB")
        self.query("INSERT IGNORE INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)")

    def connections(self):
        control = set(self._control())
        return [p for p in self.server.processes(USER) if p["id"] not in control]

    def _control(self):
        """Connections on which leasehold asks the server: they say so in their attributes, which need performance_schema;
        without it they are those that are not in a pool's database."""
        return [p["id"] for p in self.server.processes(USER) if p["db"] is None]

    def backends(self):
        return [p["id"] for p in self.connections()]

    @contextlib.contextmanager
    def insert_whose_commit_hangs(self, session, table):
        """A transaction with a row, and a lock that keeps every transaction from its end."""
        session.ok("BEGIN")
        session.ok(f"INSERT INTO {table} (id) VALUES (1)")
        with contextlib.closing(self.server.connect()) as connection:
            connection.query("SET lock_wait_timeout = 10")
            connection.query("FLUSH TABLES WITH READ LOCK")
            yield

    def numbered_table(self, name, columns):
        self.table(name, f"id int AUTO_INCREMENT PRIMARY KEY, {columns}")

    def running(self, text):
        return [p["id"] for p in self.server.processes(USER) if p["command"] != "Sleep" and text in (p["info"] or "")]

    def locks(self):
        return self.server.transactions()  # InnoDB's locks are transactions'

    def left_behind(self):
        open_ones = set(self.server.transactions())
        return [p for p in self.server.processes(USER) if p["command"] not in ("Sleep", "Connect") or p["id"] in open_ones]

    def client(self, daemon):
        return ["mariadb", "--no-defaults", "--skip-ssl", "-n", "-q", "-N", "-B", "-h127.0.0.1", f"-P{daemon.mysql_port}",
                f"-u{USER}", f"-p{PASSWORD}", self.database]
