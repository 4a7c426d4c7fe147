# SPDX-License-Identifier: Apache-2.0
"""An operator at leasehold's console, for tests: commands that are answered, and such that wait."""
import pgwire
from leasehold import CONSOLE_PASSWORD, CONSOLE_USER
from processes import wait_until

USER = "app"  # whose pools and server connections are looked at


def console(daemon, user=CONSOLE_USER, password=CONSOLE_PASSWORD):
    return pgwire.connect(daemon.port, user, "leasehold", password, timeout=30)


def tell(daemon, command, user=CONSOLE_USER, password=CONSOLE_PASSWORD):
    """The reply to one command: its tags, or its sqlstate; .said are the notices' texts."""
    with console(daemon, user, password) as session:
        reply = session.query(command)
        reply.said = [notice["M"] for notice in reply.notices]
        return reply


class Waiting:
    """A command that is not answered yet."""

    def __init__(self, daemon, command):
        self.session = console(daemon)
        self.session.send(pgwire.query(command))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.drop()

    def waits(self):
        return self.session.silent(0.15)

    def reply(self):
        return self.session.reply()


def pool(daemon, name="orders"):
    return next(row for row in daemon.console("SHOW POOLS") if (row["database"], row["user"]) == (name, USER))


def none_is_open(postgres):
    """The daemon has closed its connections; the server's processes end a little later."""
    wait_until(lambda: not backends(postgres), 5, "the server's processes gone", 0.01)


def backends(postgres):
    """pid → state of the connections that the application's user has, whatever they call themselves by now."""
    return dict(postgres.query("SELECT pid, state FROM pg_stat_activity WHERE backend_type = 'client backend' AND"
                               " usename = %s AND application_name <> 'leasehold control'", [USER]))


def id_of(daemon, application):
    return next((row["id"] for row in daemon.console("SHOW CLIENTS") if row["application_name"] == application), None)
