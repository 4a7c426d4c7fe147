# SPDX-License-Identifier: Apache-2.0
"""The proxies that are compared in front of MySQL and MariaDB: leasehold, haproxy (TCP), and MySQL Router with its connection
sharing, where Debian sid's packages can be had."""
import contextlib

import pymysql

import peers
import sid


class MysqlPeer(peers.Peer):
    def connect(self, **options):
        return pymysql.connect(host="127.0.0.1", port=self.port, user=self.user, password=self.password,
                               database=self.database, autocommit=True, read_timeout=60, **options)

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended:\n" + (self.folder / "output").read_text())
        with contextlib.suppress(pymysql.err.Error, OSError), contextlib.closing(self.connect()) as connection:
            return bool(connection)
        return False


class Leasehold(MysqlPeer, peers.Leasehold):
    dialect = "mysql"
    options = "?ssl_mode=DISABLED"  # as its neighbours have it: MySQL's servers offer TLS unasked


class Haproxy(MysqlPeer, peers.Haproxy):
    pass


class Router(MysqlPeer):
    """Connection sharing on, which is what pools; its worker threads are its own choice."""
    name = "router"

    @staticmethod
    def program():
        """The words that start it; raises sid.Unavailable."""
        class Packages:
            root = sid.tree("mysql") / "root"
        return Packages.root, sid.MySQL97.program(Packages, "mysqlrouter")

    def command(self):
        root, program = self.program()
        config = self.write("router.conf", f"""\
[DEFAULT]
max_total_connections = 4000
plugin_folder = {next(root.glob("usr/lib/mysqlrouter/plugin"))}
logging_folder = {self.folder}
runtime_folder = {self.folder}
data_folder = {self.folder}
config_folder = {self.folder}
[logger]
level = WARNING
[routing:one]
bind_address = 127.0.0.1
bind_port = {self.port}
protocol = classic
destinations = 127.0.0.1:{self.server.port}
routing_strategy = first-available
client_ssl_mode = DISABLED
server_ssl_mode = DISABLED
connection_sharing = 1
connection_sharing_delay = 0
max_connections = 4000
[connection_pool]
max_idle_server_connections = {self.pool}
""")
        return [*program, "--config", config]

    def version(self):
        return "router " + sid.versions("mysql")["mysql-router"]
