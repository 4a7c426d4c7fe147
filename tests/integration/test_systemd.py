# SPDX-License-Identifier: Apache-2.0
"""leasehold under a real systemd, as its operators run it: installed from the package, started, reloaded, frozen, stopped,
started by its first client. Each test leaves the service stopped and its drop-ins removed."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import psycopg2
import pytest

from box import box_for_tests
from certificates import Certificates
from package import build_package, later_version
from processes import children, wait_until
from service import PORT, UNIT, YAML, Service

SUPPORT = pathlib.Path(__file__).resolve().parents[1] / "support"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return build_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def machine(package):
    with box_for_tests() as box:
        service = Service(box)
        service.start_database()
        service.install(package)
        yield service


@pytest.fixture
def service(machine):
    """The installed service, configured and not started."""
    machine.configure()
    box = machine.box
    yield machine
    print(machine.journal()[-6000:])
    box.run("systemctl", "kill", "--signal=SIGCONT", UNIT, check=False)
    box.run("systemctl", "stop", "leasehold.socket", check=False)
    box.run("systemctl", "kill", "--signal=SIGKILL", UNIT, check=False)
    box.run("systemctl", "stop", UNIT, check=False)
    box.run("rm", "-rf", f"/run/systemd/system/{UNIT}.d", "/run/systemd/system/leasehold.socket.d")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "reset-failed", check=False)


def test_the_package_enables_it_and_does_not_start_it(service):
    assert service.box.run("systemctl", "is-enabled", UNIT) == "enabled"
    assert service.show("ActiveState") == "inactive"
    assert service.box.fails("systemctl", "is-enabled", "leasehold.socket")[1] == "disabled"


def test_started_means_that_it_listens(service):
    """Ready is said when the listeners are open: whoever comes after `systemctl start` is served, each time."""
    for verb in ("start", "restart", "restart", "restart"):
        service.systemctl(verb)
        assert service.value("SELECT 41 + 1") == 42
    assert service.show("NRestarts") == "0"


def test_it_is_exposed_less_than_the_promised_score(service):
    service.systemctl("start")
    level = service.box.run("systemd-analyze", "security", "--no-pager", UNIT).splitlines()[-1]
    assert float(re.search(r": ([0-9.]+)", level).group(1)) <= 1.5, level


def test_it_runs_as_its_user_without_any_privilege(service):
    service.systemctl("start")
    facts = dict(line.split(":\t", 1) for line in service.box.run("cat", f"/proc/{service.pid}/status").splitlines()
                 if ":\t" in line)
    assert facts["Uid"].split() == [service.box.run("id", "-u", "leasehold")] * 4
    assert {facts[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"


def test_its_status_line_has_the_figures_of_the_pools(service):
    service.systemctl("start")
    with contextlib.closing(service.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        line = wait_until(lambda: re.search(r"\b1\b.*(client|leased|active|in use)", service.show("StatusText")), 20,
                          "a status line that counts the client", 0.2)
    assert line


def test_a_good_file_is_taken_over_by_reload_while_clients_go_on(service):
    service.systemctl("start")
    pid = service.pid
    with contextlib.closing(service.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # in a transaction
        service.configure(pools={"orders": {"url": service.url("orders", database=True), "pool_size": 3, "max_overflow": 0},
                                 "again": {"url": service.url("orders", database=True)}})
        service.systemctl("reload")
        cursor.execute("SELECT 2")
        connection.commit()
        assert cursor.fetchone() == (2,)
    assert service.value("SELECT 3", database="again") == 3
    assert (service.pid, service.show("ActiveState"), service.show("SubState")) == (pid, "active", "running")


def test_a_bad_file_makes_reload_fail_and_say_why_and_changes_nothing(service):
    service.systemctl("start")
    pid, before = service.pid, service.cursor()
    service.configure(pools={"orders": {"url": service.url("orders", database=True), "pool_sise": 3},
                             "again": {"url": "postgresq://nowhere/at_all"}})
    code, output = service.box.fails("systemctl", "reload", UNIT)
    assert code != 0 and "failed" in output
    for complaint in ("pool_sise", "did you mean|pool_size", "pools.again.url"):
        service.wait_for_journal(complaint, since=before)
    assert (service.pid, service.show("ActiveState")) == (pid, "active")
    assert service.value() == 1
    with pytest.raises(psycopg2.OperationalError):
        service.connect("again")
    service.configure()
    service.systemctl("reload")


def test_wrong_configuration_is_not_tried_again_and_again(service):
    service.box.write(YAML, "pools: 7\n")
    before = service.cursor()
    service.box.fails("systemctl", "start", UNIT)
    service.wait_for_journal(r"leasehold.yaml:1.*pools", since=before)
    assert (service.show("ExecMainStatus"), service.show("NRestarts")) == ("78", "0")
    assert service.show("ActiveState") == "failed"


def test_a_frozen_daemon_is_restarted_by_the_watchdog(service):
    service.drop_in("quick", WatchdogSec=2)
    service.systemctl("start")
    pid, before = service.pid, service.cursor()
    time.sleep(3)
    assert service.pid == pid, "it is alive, and says so"
    service.box.run("kill", "-STOP", str(pid))
    wait_until(lambda: service.pid not in (0, pid) and service.show("SubState") == "running", 40, "a restart", 0.2)
    assert service.value() == 1
    assert service.show("NRestarts") == "1"
    service.wait_for_journal("Watchdog timeout", since=before)


def test_a_killed_daemon_is_restarted(service):
    service.systemctl("start")
    pid = service.pid
    service.box.run("kill", "-KILL", str(pid))
    wait_until(lambda: service.pid not in (0, pid) and service.show("SubState") == "running", 40, "a restart", 0.2)
    assert service.value() == 1


def test_stop_lets_a_running_transaction_end(service):
    """Longer than TimeoutStopSec: the daemon asks systemd for the time that drain_timeout gives."""
    service.drop_in("quick", TimeoutStopSec=2)
    service.systemctl("start")
    idle = service.connect(autocommit=True)
    with contextlib.closing(service.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS kept(n int)")
        service.systemctl("stop", "--no-block")
        wait_until(lambda: service.show("ActiveState") == "deactivating", 10, "stopping", 0.1)
        with contextlib.suppress(psycopg2.OperationalError):
            service.connect().close()
            pytest.fail("a new client was let in while draining")
        time.sleep(4)
        assert service.show("ActiveState") == "deactivating"
        assert re.search("drain|stop|shut", service.show("StatusText"), re.IGNORECASE)
        cursor.execute("INSERT INTO kept VALUES (1)")
        connection.commit()
    wait_until(lambda: service.show("ActiveState") == "inactive", 20, "stopped", 0.1)
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")
    assert service.database_query("SELECT 1") == "1"
    with pytest.raises(psycopg2.OperationalError):
        idle.cursor().execute("SELECT 1")
    service.systemctl("start")
    assert service.value("SELECT count(*) FROM kept") == 1


def test_the_first_connection_starts_it_through_the_socket(service):
    """And no connection is refused while it restarts: only whom the old daemon had accepted in its last moment is sent away."""
    service.drop_in("unix", "leasehold.socket", ListenStream="/run/leasehold/.s.PGSQL.6432")
    service.configure(listen=[{"dialect": "postgresql", "address": f"127.0.0.1:{PORT}"},
                              {"dialect": "postgresql", "address": "unix:/run/leasehold/.s.PGSQL.6432", "auth": "scram"},
                              {"dialect": "postgresql", "address": "127.0.0.1:6433"}])
    service.box.run("systemctl", "start", "leasehold.socket")
    assert service.show("ActiveState") == "inactive"
    assert service.value("SELECT 6") == 6
    pid = service.pid
    assert service.value("SELECT 7", host=str(service.box.path("/run/leasehold"))) == 7
    assert service.value("SELECT 8", port=6433) == 8, "a listener that systemd was not told of is opened by the daemon"
    assert service.show("ActiveState") == "active"
    service.box.run("systemctl", "--no-block", "restart", UNIT)
    sent_away = 0
    for _ in range(20):
        try:
            assert service.value() == 1
        except psycopg2.OperationalError as error:
            assert "leasehold is shutting down" in str(error)
            sent_away += 1
    assert sent_away <= 1
    wait_until(lambda: service.pid not in (0, pid), 20, "the restart", 0.1)
    assert service.value("SELECT 9", host=str(service.box.path("/run/leasehold"))) == 9


def test_a_url_with_its_password_may_be_a_credential(service):
    secret = "/etc/leasehold/orders.url"
    service.box.write(secret, service.url("orders", database=True) + "\n")
    service.box.run("chmod", "600", secret)  # root's: the daemon could not read it
    service.drop_in("credential", LoadCredential=f"orders:{secret}")
    service.configure(pools={"orders": {"url": "CREDENTIAL"}})
    service.box.write(YAML, service.box.path(YAML).read_text().replace('"CREDENTIAL"', "!credential orders"))
    service.systemctl("start")
    assert service.value("SELECT current_user") == "app"
    service.systemctl("reload")
    assert service.value("SELECT current_user") == "app"


def test_names_keys_and_log_files_work_within_the_sandbox(service, tmp_path):
    """A server named in /etc/hosts, TLS with a key that only root and systemd may read, and a log in a folder of its own."""
    certificate, key = Certificates(tmp_path).issue("localhost", ips=["127.0.0.1"])
    service.box.copy(certificate, "/etc/leasehold/listener.crt")
    service.box.copy(key, "/etc/leasehold/listener.key")
    service.box.run("chmod", "600", "/etc/leasehold/listener.key")
    service.drop_in("key", LoadCredential="key:/etc/leasehold/listener.key")
    service.configure(
        listen=[{"dialect": "postgresql", "address": f"127.0.0.1:{PORT}",
                 "tls": {"mode": "require", "cert": "/etc/leasehold/listener.crt",
                         "key": f"/run/credentials/{UNIT}/key"}}],
        pools={"orders": {"url": service.url("orders", database=True).replace("@127.0.0.1:", "@localhost:")}},
        log={"target": "/var/log/leasehold/leasehold.log"})
    service.systemctl("start")
    assert service.value("SELECT 12", sslmode="require") == 12
    assert "event=started" in service.box.path("/var/log/leasehold/leasehold.log").read_text()
    assert service.box.run("stat", "-c", "%U %a", "/var/log/leasehold") == "leasehold 750"


def test_a_unix_socket_knows_which_user_is_at_the_other_end(service):
    """The sandbox must not hide users (PrivateUsers would)."""
    service.configure(listen=[{"dialect": "postgresql", "address": f"127.0.0.1:{PORT}"},
                              {"dialect": "postgresql", "address": "unix:/run/leasehold/.s.PGSQL.6432",
                               "map": {"postgres": "app"}}])
    service.systemctl("start")
    query = ("psql", "-XAtqh", "/run/leasehold", "-p", "6432", "-U", "app", "-w", "-d", "orders", "-c", "SELECT 5")
    assert service.box.run(*query, user="postgres") == "5"
    assert "5" != service.box.fails(*query, user="nobody")[1]


def test_the_journal_has_fields_to_search_by(service):
    before = service.cursor()
    service.systemctl("start")
    service.value()
    service.wait_for_journal("started", since=before)
    entries = [entry for entry in service.entries(before) if any(name.startswith("LEASEHOLD_") for name in entry)]
    events = {entry.get("LEASEHOLD_EVENT") for entry in entries}
    assert "started" in events, service.entries(before)
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {"leasehold"}
    assert service.box.run("journalctl", "--output=cat", "LEASEHOLD_EVENT=started")


def test_an_upgrade_restarts_what_runs_and_a_removal_stops_it(service, package, tmp_path):
    service.systemctl("start")
    pid = service.pid
    service.install(later_version(package, tmp_path, "9.1"))
    wait_until(lambda: service.pid not in (0, pid), 20, "the restart", 0.1)
    assert service.value() == 1
    service.box.run("dpkg", "--no-triggers", "--remove", "leasehold")
    assert service.box.fails("systemctl", "is-active", UNIT)[1] in ("inactive", "unknown")
    service.install(package)
    assert service.box.run("systemctl", "is-enabled", UNIT) == "enabled"
    service.systemctl("start")
    assert service.value() == 1


def test_nothing_of_a_box_outlives_a_killed_test(machine):
    """SIGKILL to the process that has it: nobody can clean up, and yet no process and no mount is left."""
    program = f"import sys, time; sys.path.insert(0, {str(SUPPORT)!r}); from box import Box; b = Box(); " \
              "print(b.pid, b.folder, flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid, folder = child.stdout.readline().split()
    outer = children(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    wait_until(lambda: not [p for p in (pid, *outer) if pathlib.Path(f"/proc/{p}").exists()], 20, "the box's end")
    assert folder not in pathlib.Path("/proc/self/mountinfo").read_text()
    pathlib.Path(folder).rmdir()
    pathlib.Path(folder + ".log").unlink()
