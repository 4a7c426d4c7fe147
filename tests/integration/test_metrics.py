# SPDX-License-Identifier: Apache-2.0
"""What a Prometheus sees: every number agrees with what happened, with the console, and with the one table of metrics."""
import json
import os
import re
import subprocess
import threading
import time

import pgwire
import psycopg2
import pytest
from conftest import PASSWORD, USER, login
from prometheus import ROOT, Metrics, catalog, get, promtool, scrape
from servers import wait_until
from skips import skip_loudly


@pytest.fixture
def start(leasehold, postgres):
    """Starts a daemon with HTTP and a pool `orders` that has these keys."""
    def start(sections=None, **keys):
        pool = {"url": postgres.url("orders", USER, PASSWORD), "pool_size": 2, "max_overflow": 1, **keys}
        return leasehold(pools={"orders": pool}, http=True, **(sections or {}))
    return start


def ours(metrics, name, **labels):
    return metrics.value(name, pool="orders", user=USER, **labels)


# --- the numbers ------------------------------------------------------------------------------------------------------

def test_counters_agree_with_what_was_done(start):
    daemon = start()
    before = scrape(daemon.http_port)
    with login(daemon) as session:
        for _ in range(7):
            session.ok("BEGIN")
            session.ok("SELECT 1")
            session.ok("COMMIT")
        for _ in range(5):
            session.ok("SELECT 1")
    with pytest.raises(psycopg2.OperationalError):
        daemon.connect("orders", USER, "wrong")
    metrics = wait_until(lambda: (m := scrape(daemon.http_port)).total("leasehold_client_ends_total") == 1 and m, 10)

    def grew(name, **labels):
        return metrics.total(name, **labels) - before.total(name, **labels)

    assert grew("leasehold_pool_transactions_total", pool="orders") == 12
    assert grew("leasehold_pool_transaction_seconds_count", pool="orders") == 12
    assert grew("leasehold_pool_queries_total", pool="orders") == 26
    assert grew("leasehold_pool_checkouts_total", pool="orders") == grew("leasehold_pool_checkins_total", pool="orders")
    assert grew("leasehold_pool_lease_seconds_count", pool="orders") == grew("leasehold_pool_checkins_total", pool="orders")
    assert grew("leasehold_pool_connects_total", pool="orders") == grew("leasehold_pool_dial_seconds_count", pool="orders") == 1
    assert grew("leasehold_login_failures_total") == 1
    assert grew("leasehold_client_errors_total", **{"class": "28"}) == 1
    assert grew("leasehold_client_errors_total") == 1
    assert grew("leasehold_client_ends_total", reason="closed") + grew("leasehold_client_ends_total", reason="client_gone") == 1
    assert grew("leasehold_pool_sent_bytes_total", pool="orders") > 26 * 10


def test_gauges_agree_with_the_console(start):
    daemon = start()
    sessions = [login(daemon) for _ in range(5)]
    for session in sessions[:3]:
        session.ok("BEGIN")
    sessions[3].send(pgwire.query("SELECT 1"))
    metrics = wait_until(lambda: (m := scrape(daemon.http_port)).total("leasehold_pool_waiting") == 1 and m, 10)
    row = next(row for row in daemon.console("SHOW POOLS") if (row["database"], row["user"]) == ("orders", USER))
    for metric, column in (("size", "size"), ("checked_in", "checkedin"), ("checked_out", "checkedout"),
                           ("overflow", "overflow"), ("waiting", "waiting"), ("quarantined", "quarantined")):
        assert ours(metrics, f"leasehold_pool_{metric}") == row[column], metric
    assert ours(metrics, "leasehold_pool_limit") == ours(metrics, "leasehold_pool_open") == 3
    assert {state: ours(metrics, "leasehold_pool_clients", state=state) for state in ("active", "waiting", "idle")} == \
        {"active": 3, "waiting": 1, "idle": 1}
    assert {labels["state"]: value for labels, value in metrics.series("leasehold_clients") if value} == \
        {"active": 3, "waiting": 1, "idle": 1}
    wait_until(lambda: ours(scrape(daemon.http_port), "leasehold_pool_oldest_wait_seconds") > 0.2, 10)
    assert ours(scrape(daemon.http_port), "leasehold_pool_oldest_transaction_seconds") >= 0.2
    for session in sessions:
        session.drop()
    wait_until(lambda: scrape(daemon.http_port).total("leasehold_clients") == 0, 10)
    wait_until(lambda: ours(scrape(daemon.http_port), "leasehold_pool_checked_out") == 0, 10)
    assert scrape(daemon.http_port).series("leasehold_pool_pinned") == []


def test_pins_are_counted_by_reason_and_never_by_what_a_client_chose(start):
    daemon = start()
    sessions = [login(daemon) for _ in range(3)]
    sessions[0].ok("CREATE TEMPORARY TABLE secret_name (n int)")
    sessions[1].ok("SELECT pg_advisory_lock(4711)")
    sessions[2].ok("SET app.chosen_by_a_client = $$chosen$$")
    metrics = scrape(daemon.http_port)
    reasons = {labels["reason"]: value for labels, value in metrics.series("leasehold_pool_pinned")}
    assert reasons["temporary object"] == 1 and reasons["session advisory lock"] == 1
    status, _, text = get(daemon.http_port, "/metrics")
    assert status == 200 and "secret_name" not in text and "chosen" not in text and PASSWORD not in text


def test_timeouts_and_quarantines_are_counted_with_their_reasons(start):
    daemon = start(pool_size=1, max_overflow=0, pool_timeout="200ms", transaction_idle_timeout="300ms")
    with login(daemon) as holder, login(daemon) as waiting:
        holder.ok("BEGIN")
        assert waiting.query("SELECT 1").sqlstate == "53300"
        metrics = wait_until(lambda: (m := scrape(daemon.http_port)).total(
            "leasehold_pool_quarantine_outcomes_total", pool="orders", outcome="readmitted") == 1 and m, 10)
    assert metrics.value("leasehold_pool_timeouts_total", pool="orders") == 1
    assert metrics.value("leasehold_client_errors_total", **{"class": "53"}) == 1
    assert {labels["reason"]: value for labels, value in metrics.series("leasehold_pool_quarantines_total") if value} == \
        {"transaction_idle_timeout": 1}
    assert metrics.value("leasehold_leases_lost_total", kind="transaction_idle_timeout") == 1
    assert metrics.value("leasehold_pool_quarantine_seconds_count", pool="orders") == 1


def test_a_server_that_is_away_shows_as_failing(start, postgres):
    daemon = start(url=postgres.url("nowhere", USER, PASSWORD), pool_timeout="500ms")
    for _ in range(2):
        with pytest.raises(psycopg2.OperationalError):
            daemon.connect("orders", USER, PASSWORD)
    metrics = scrape(daemon.http_port)
    assert ours(metrics, "leasehold_pool_failing") == 1
    assert metrics.total("leasehold_pool_connect_failures_total", pool="orders") >= 1
    assert metrics.value("leasehold_pool_connects_total", pool="orders") == 0


def test_the_process_tells_of_itself(start):
    daemon = start()
    metrics = scrape(daemon.http_port)
    assert abs(metrics.value("process_start_time_seconds") - time.time()) < 60
    assert metrics.value("process_start_time_seconds") == scrape(daemon.http_port).value("process_start_time_seconds")
    assert abs(metrics.value("process_resident_memory_bytes") - daemon.rss()) < 64 << 20
    assert abs(metrics.value("process_open_fds") - daemon.descriptors()) <= 2
    assert 0 < metrics.value("process_cpu_seconds_total") <= daemon.cpu() + 0.1
    assert metrics.value("leasehold_config_last_reload_successful") == 1
    assert abs(metrics.value("leasehold_config_last_reload_success_timestamp_seconds") - time.time()) < 60
    assert metrics.value("leasehold_clients_limit") == 10000
    assert [labels["version"] for labels, _ in metrics.series("leasehold_build_info")][0].startswith("0.")


# --- under load -------------------------------------------------------------------------------------------------------

def test_parallel_scrapes_under_load_are_whole_and_disturb_nobody(start):
    daemon = start()
    end, done, failures = time.monotonic() + 2, [0] * 4, []

    def work(index):
        with login(daemon) as session:
            while time.monotonic() < end:
                session.ok("SELECT 1")
                done[index] += 1

    def scrapes():
        try:
            for _ in range(4):
                assert scrape(daemon.http_port).value("leasehold_scrape_incomplete") == 0
        except Exception as problem:  # noqa: BLE001 - told below, with its type
            failures.append(repr(problem))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)] + \
        [threading.Thread(target=scrapes) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert scrape(daemon.http_port).value("leasehold_pool_transactions_total", pool="orders") == sum(done)


def test_a_hundred_pools_cost_little(leasehold, postgres):
    url = postgres.url("orders", USER, PASSWORD)
    daemon = leasehold(pools={f"pool{i}": {"url": url} for i in range(100)}, http=True)
    metrics = scrape(daemon.http_port)
    assert len(metrics.series("leasehold_pool_size", user=USER)) == 100
    before, rounds = daemon.cpu(), 20
    for _ in range(rounds):
        assert get(daemon.http_port, "/metrics")[0] == 200
    spent = (daemon.cpu() - before) / rounds
    assert spent < 0.05 * (20 if "LEASEHOLD_SANITIZED" in os.environ else 1), f"{spent * 1000:.1f} ms of CPU for a scrape"


def test_pools_of_the_template_come_and_go_with_their_series(leasehold, postgres):
    daemon = leasehold(pools={"*": {"url": postgres.url("unused", USER, PASSWORD), "idle_timeout": "200ms"}}, http=True)
    with login(daemon) as session:
        session.ok("SELECT 1")
        assert scrape(daemon.http_port).value("leasehold_pool_size", pool="orders") == 5
        assert scrape(daemon.http_port).value("leasehold_pool_checkouts_total", pool="orders") >= 1
    wait_until(lambda: not scrape(daemon.http_port).series("leasehold_pool_size", pool="orders"), 20)
    wait_until(lambda: not scrape(daemon.http_port).series("leasehold_pool_checkouts_total", pool="orders"), 20)


# --- the names --------------------------------------------------------------------------------------------------------

def names_in(expression):
    """The metrics and labels of a PromQL expression."""
    text = re.sub(r'"[^"]*"', '""', expression)
    names = set(re.findall(r"\b((?:leasehold|process)_[a-z_]+)\b", text))
    labels = {label for part in re.findall(r"\{([^}]*)\}", text) for label in re.findall(r"(\w+)\s*(?:=|!)", part)}
    labels |= {label for part in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", text) for label in re.findall(r"\w+", part)}
    return names, labels


def expressions():
    """[(where, expression)] of the alert rules and the dashboard, found without a YAML reader."""
    rules = (ROOT / "monitoring/alerts.yaml").read_text()
    found = []
    for block in re.split(r"\n\s*- alert: ", rules)[1:]:
        name = block.split("\n")[0]
        expression = re.search(r"expr: (?:>-\n)?(.*?)\n\s+(?:for|labels):", block, re.DOTALL)[1]
        found.append((name, expression))
    dashboard = json.loads((ROOT / "monitoring/dashboard.json").read_text())
    for panel in dashboard["panels"]:
        found += [(panel["title"], target["expr"]) for target in panel.get("targets", [])]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            found.append((variable["name"], f"sum by ({label}) ({metric})"))
    return found


def test_what_is_shown_is_what_the_table_describes(start):
    daemon = start()
    with login(daemon) as session:
        session.ok("DO $$ BEGIN SET work_mem = '5MB'; END $$")
        session.ok("CREATE TEMPORARY TABLE t (n int)")
        metrics = wait_until(lambda: (m := scrape(daemon.http_port)).series("leasehold_pool_pins_total") and m, 10)
    table = catalog()
    assert {name: family.type for name, family in metrics.families.items()} == \
        {name: type_ for name, (type_, _) in table.items()}
    for name, family in metrics.families.items():
        for (_, labels), _ in family.samples.items():
            assert {key for key, _ in labels} - {"le"} == table[name][1], name


def test_the_dashboard_and_the_alerts_use_no_other_names():
    table, used = catalog(), set()
    found = expressions()
    assert len(found) > 40
    for where, expression in found:
        names, labels = names_in(expression)
        families = {re.sub("_(bucket|sum|count)$", "", name) if name not in table else name for name in names}
        unknown = families - set(table)
        assert not unknown, f"{where}: {unknown}"
        allowed = {"instance", "job", "le"}.union(*(table[name][1] for name in families))
        assert labels <= allowed, f"{where}: {labels - allowed}"
        used |= families
    assert len(used) > 30


def test_what_the_alerts_select_by_is_really_there(start):
    metrics = scrape(start().http_port)
    for where, expression in expressions():
        for name, selector in re.findall(r"(leasehold_\w+)\{([^}]*)\}", expression):
            for label, value in re.findall(r'(\w+)="(\w+)"', selector):
                if label != "job":
                    assert metrics.series(name, **{label: value}), f"{where}: {name} {label}={value}"


def test_prometheus_own_checker_finds_nothing(start):
    tool = promtool()
    if tool is None:
        skip_loudly("the alert rules by promtool", "Debian's prometheus package cannot be had here")
    done = subprocess.run([tool, "check", "rules", ROOT / "monitoring/alerts.yaml"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = get(start().http_port, "/metrics")[2]
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_the_reader_of_these_tests_is_strict():
    good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\\\"\\n\"} 1\n"
    assert Metrics(good).value("a_total", b='c"\n') == 1
    for wrong in (good + "a_total{b=\"c\\\"\\n\"} 2\n", good + "other 1\n", good.replace(" 1\n", " 1"),
                  good.replace("counter", "thing"), good.replace('c\\"', 'c"'), good + "# HELP a_total x\n",
                  good.replace("} 1", "} -1"), "# HELP b x\n# TYPE b histogram\nb_bucket{le=\"1\"} 1\nb_sum 1\nb_count 1\n"):
        with pytest.raises((AssertionError, AttributeError, ValueError)):
            Metrics(wrong)
