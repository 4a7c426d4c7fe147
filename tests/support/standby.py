# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server that follows another one by streaming replication, and can take its place."""
import contextlib
import os

from processes import LOOPBACK
from servers import Postgres

REPLICATION = ["local replication all trust", f"host replication all {LOOPBACK}/32 trust"]


class Standby(Postgres):
    """Follows a primary by streaming replication, from a copy of it."""

    def __init__(self, primary):
        super(Postgres, self).__init__()
        self._run([self.program("pg_basebackup"), "-h", primary.folder, "-p", primary.port, "-U", "postgres", "-D", self.data,
                   "-R", "-X", "stream", "-c", "fast", "--no-sync"], "pg_basebackup")
        os.chmod(self.data, 0o700)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write(f"port = {self.port}\nunix_socket_directories = '{self.folder}'\nhot_standby = on\n")
        self.start()

    def promote(self):
        self.query("SELECT pg_promote(true, 20)")


@contextlib.contextmanager
def primary_and_standby(user, password):
    with Postgres(hba=REPLICATION) as primary:
        primary.create_user(user, password)
        primary.create_database("orders", owner=user)
        with Standby(primary) as standby:
            yield primary, standby
