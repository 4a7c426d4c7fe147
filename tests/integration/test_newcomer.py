# SPDX-License-Identifier: Apache-2.0
"""A newcomer's path, by the README's words alone: install the package on a bare machine, edit the file, start, point an
application at it, look, change, reload, make a mistake, and stop it all under load. One story, told in order."""
import contextlib
import pathlib
import re
import signal
import subprocess
import time

import psycopg2
import pytest

from box import box_for_tests
from package import build_package
from processes import wait_until
from service import PASSWORD, UNIT, YAML, Service

README = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()
SECRET = PASSWORD.replace("%", "%25").replace("/", "%2F")

# An application as people write them: SQLAlchemy's own pool in front, a transaction per unit of work, no retries.
APPLICATION = """
import sys, time, sqlalchemy
engine = sqlalchemy.create_engine(sys.argv[1], connect_args={"application_name": "the shop"})
with engine.begin() as connection:
    connection.execute(sqlalchemy.text("CREATE TABLE visits (n serial, at timestamptz DEFAULT now())"))
done = 0
while True:
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO visits DEFAULT VALUES"))
    done += 1
    print(done, flush=True)
    time.sleep(0.02)
"""
LOAD = "BEGIN;\nINSERT INTO ledger (client) VALUES (:client_id);\nSELECT pg_sleep(0.01);\nCOMMIT;\n"


def readme(command):
    """A command of the README's; one that it does not name is nothing that a newcomer could know."""
    assert command in README, f"the README does not say: {command}"
    return command.split()


class Application:
    """The application, running in the box; `done` is how many transactions it has committed."""

    def __init__(self, service, log):
        self.log = log
        url = service.url("orders", scheme="postgresql+psycopg2")
        with open(log, "w") as output:
            self.process = subprocess.Popen(service.box.command("/usr/bin/python3", "-c", APPLICATION, url),
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    @property
    def done(self):
        words = self.log.read_text().split()
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return int(words[-1]) if words and words[-1].isdigit() else 0

    def goes_on(self):
        """Twenty more transactions, none of which failed: it would have ended with the error."""
        before = self.done
        wait_until(lambda: self.done >= before + 20, 60, "the application's transactions", 0.05)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A bare machine with a database."""
    package = build_package(tmp_path_factory.mktemp("package"))
    with box_for_tests() as box:
        made = Service(box)
        made.start_database()
        made.package = package
        yield made


@pytest.fixture(scope="module")
def application(service, tmp_path_factory):
    started = []

    def start():
        if not started:
            started.append(Application(service, tmp_path_factory.mktemp("application") / "log"))
        return started[0]

    yield start
    for one in started:
        one.end()


def edit(service, old, new):
    """What the newcomer does in the editor."""
    text = service.box.path(YAML).read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the file"
    service.box.write(YAML, text.replace(old, new))


def test_1_it_is_installed_and_says_what_to_do_next(service):
    said = service.install(service.package)
    assert "apt install ./leasehold_*_amd64.deb" in README
    assert re.search(f"edit {YAML}.*leasehold check.*systemctl start leasehold", said), said
    assert service.show("ActiveState") == "inactive"


def test_2_the_check_names_the_password_that_is_still_wrong(service):
    code, output = service.box.fails(*readme("leasehold check --connect"))
    assert code == 69 and "pool orders" in output and "password authentication failed" in output


def test_3_the_file_is_edited_checked_and_started(service):
    edit(service, "url: postgresql://app:change-me@127.0.0.1:5432/orders", f"url: {service.url('orders', database=True)}")
    edit(service, "#admin:", "admin:")
    edit(service, "#users: []                       # who may use the console", "users: [app]  # who may use the console")
    output = service.box.run(*readme("leasehold check --connect"))
    assert "0 errors" in output and "1 of 1 server reached" in output
    service.box.run(*readme("systemctl start leasehold"))
    assert service.box.run("systemctl", "is-active", UNIT) == "active"


def test_4_an_application_is_pointed_at_it_and_seen_in_the_console(service, application):
    application().goes_on()
    url = service.url("leasehold")
    shown = service.box.run("psql", "-X", url, "-c", "SHOW CLIENTS")
    assert "the shop" in shown and "orders" in shown
    assert "orders" in service.box.run("psql", "-X", url, "-c", "SHOW POOLS")
    assert "the shop" in service.cli("show", "clients")
    assert "orders" in service.box.run("systemctl", "status", "--no-pager", UNIT) or service.show("StatusText")


def test_5_the_pool_is_resized_by_a_reload(service, application):
    pid = service.pid
    edit(service, "#pool_size: 5 ", "pool_size: 8 ")
    service.box.run(*readme("systemctl reload leasehold"))
    row = next(row for row in service.console("SHOW DATABASES") if row["name"] == "orders")
    assert int(row["pool_size"]) == 8
    application().goes_on()
    assert service.pid == pid


def test_6_a_file_with_mistakes_changes_nothing_and_says_why(service, application):
    before = service.cursor()
    edit(service, "pool_size: 8 ", "pool_sice: 9 ")
    edit(service, "#drain_timeout: 30s", "drain_timeout: soon")
    code, output = service.box.fails(*readme("systemctl reload leasehold"))
    assert code != 0 and "journalctl" in output
    for complaint in (r"pool_sice.*pool_size", r"drain_timeout"):
        service.wait_for_journal(complaint, since=before)
    application().goes_on()
    edit(service, "pool_sice: 9 ", "pool_size: 8 ")
    edit(service, "drain_timeout: soon", "drain_timeout: 4s")
    service.box.run(*readme("systemctl reload leasehold"))
    application().goes_on()


def test_7_stopped_under_load_it_ends_no_transaction_but_the_one_that_outlasts_the_drain(service, application):
    application().end()
    service.value("SELECT 1")
    with contextlib.closing(service.connect(autocommit=True)) as connection:
        connection.cursor().execute("CREATE TABLE ledger (n serial, client int)")
    service.box.write("/tmp/load.sql", LOAD)
    before = service.cursor()
    load = subprocess.Popen(service.box.command("pgbench", "--no-vacuum", "--file=/tmp/load.sql", "--client=12", "--time=60",
                                                service.url()), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    with contextlib.closing(service.connect()) as slow, slow.cursor() as cursor:
        cursor.execute("INSERT INTO ledger (client) VALUES (-1)")  # and never commits
        wait_until(lambda: int(service.value("SELECT count(*) FROM ledger")) > 200, 60, "load", 0.1)
        began = time.monotonic()
        service.box.run(*readme("systemctl stop leasehold"))
        took = time.monotonic() - began
        with pytest.raises(psycopg2.Error):
            slow.commit()
    said, _ = load.communicate(timeout=60)
    assert 3 < took < 30, took
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")

    # Each client of the load was turned away at the begin of a transaction, none within one, and what was committed is there.
    ended = re.findall(r"client \d+ (?:script \d+ )?aborted in command (\d+)", said)
    assert ended and set(ended) == {"0"}, said
    committed = int(re.search(r"number of transactions actually processed: (\d+)", said).group(1))
    rows = service.box.run("psql", "-XAtqh", "/tmp", "-U", "postgres", "-d", "orders", "-c",
                           "SELECT count(*) FILTER (WHERE client >= 0), count(*) FILTER (WHERE client < 0) FROM ledger",
                           user="postgres")
    assert rows == f"{committed}|0"
    assert service.wait_for_journal("drain", since=before)
