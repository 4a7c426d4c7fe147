# SPDX-License-Identifier: Apache-2.0
"""The command line: what each command prints, how it exits, and that every refusal says what to do."""
import json
import os
import resource
import socket
import subprocess
import time

import pgwire
import pytest
from conftest import PASSWORD, USER
from leasehold import Leasehold, check, program, run_program
from servers import free_port, temp_dir

USAGE, UNAVAILABLE, CONFIGURATION = 64, 69, 78


def text_of(done):
    return done.stdout + done.stderr


def file_with(text):
    path = os.path.join(temp_dir("lh-cli-"), "leasehold.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path


def minimal(port, url="postgresql://app:secret@127.0.0.1:5432/orders"):
    return (f"listen:\n  - {{dialect: postgresql, address: 127.0.0.1:{port}}}\npools:\n  orders:\n    url: {url}\n"
            "admin: {http: off}\n")


def run_daemon(path, seconds=10, **options):
    """`leasehold run` of something that must end by itself; the code and all that it printed."""
    root = ["--allow-root"] if os.geteuid() == 0 and options.pop("allow_root", True) else []
    options.pop("allow_root", None)
    return run_program("run", "--config", path, *root, timeout=seconds, **options)


# --- help and usage -----------------------------------------------------------------------------------------------

def test_the_program_alone_prints_its_help():
    done = run_program()
    assert done.returncode in (0, USAGE)
    for word in ("run", "check", "--version"):
        assert word in text_of(done)


def test_version_and_help():
    done = run_program("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "leasehold")
    assert done.stdout.split()[1][0].isdigit()
    done = run_program("--help")
    assert done.returncode == 0 and "check" in done.stdout
    assert run_program("run", "--help").returncode == 0


@pytest.mark.parametrize("arguments", [["dance"], ["check", "--nonsense"], ["run", "--config"]])
def test_a_wrong_command_line_is_a_usage_error(arguments):
    done = run_program(*arguments)
    assert done.returncode == USAGE
    assert done.stderr and not done.stdout


# --- check --------------------------------------------------------------------------------------------------------

def test_check_of_a_good_file_says_so():
    done = check(minimal(6432))
    assert done.returncode == 0, text_of(done)
    assert "secret" not in text_of(done)


def test_check_prints_every_problem_with_its_line_and_key():
    done = check("""\
listen:
  - {dialect: postgresql, adress: 127.0.0.1:6432}
  - {dialect: oracle, address: 127.0.0.1:6433}
pools:
  orders:
    url: postgresql://app:p@ss@db/orders
    mode: transactions
    pool_size: "false"
    pool_timeout: 5x
    pool_size: 7
  other:
    pool_pre_ping: true
limits: {max_clients: -1}
wrokers: 2
""")
    assert done.returncode == CONFIGURATION
    found = text_of(done)
    for line, key, hint in ((2, "adress", "address"), (3, "dialect", "postgresql"), (6, "url", "%40"),
                            (7, "mode", "transaction"), (8, "pool_size", ""), (9, "pool_timeout", ""),
                            (10, "pool_size", "twice"), (13, "max_clients", ""), (14, "wrokers", "workers")):
        lines = [row for row in found.splitlines() if f"leasehold.yaml:{line}:" in row and key in row]
        assert lines, f"line {line}, {key}:\n{found}"
        if hint and hint != "twice":
            assert any(hint in row for row in lines), f"{hint} for line {line}:\n{found}"
    assert "pools.other" in found and "url" in found
    assert "p@ss" not in found


def test_check_of_a_file_that_is_no_yaml_or_not_there_names_it():
    done = check("listen: [unclosed\npools: {")
    assert done.returncode == CONFIGURATION and "leasehold.yaml:" in text_of(done)
    done = run_program("check", "--config", "/nonexistent/leasehold.yaml")
    assert done.returncode == CONFIGURATION and "/nonexistent/leasehold.yaml" in text_of(done)
    folder = temp_dir("lh-cli-")
    assert run_program("check", "--config", folder).returncode == CONFIGURATION


def test_a_missing_secret_is_an_error_that_names_it_and_a_present_one_is_never_printed():
    text = minimal(6432, "postgresql://app:${LEASEHOLD_TEST_SECRET}@127.0.0.1:5432/orders")
    path = file_with(text)
    done = run_program("check", "--config", path, env={**os.environ})
    assert done.returncode == CONFIGURATION and "LEASEHOLD_TEST_SECRET" in text_of(done)
    done = run_program("check", "--config", path, env={**os.environ, "LEASEHOLD_TEST_SECRET": "tell-nobody"})
    assert done.returncode == 0 and "tell-nobody" not in text_of(done)


def test_keys_whose_function_comes_later_are_accepted_with_a_warning():
    done = check(minimal(6432).replace("admin:", "    soft_hold: 1s\nadmin:"))
    assert done.returncode == 0, text_of(done)
    assert [line for line in text_of(done).splitlines() if "soft_hold" in line and "warning" in line.lower()]


def test_check_for_programs_is_one_object():
    done = check(minimal(6432).replace("orders:\n", "orders:\n    pool_sise: 3\n"), "--json")
    assert done.returncode == CONFIGURATION and not done.stderr
    told = json.loads(done.stdout)
    assert told["valid"] is False and told["file"].endswith("leasehold.yaml")
    errors = [problem for problem in told["problems"] if problem["severity"] == "error"]
    assert [(p["line"], p["key"]) for p in errors] == [(5, "pools.orders.pool_sise")] and "pool_size" in errors[0]["suggestion"]
    done = check(minimal(6432), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["valid"] is True
    done = run_program("check", "--json", "--config", "/nonexistent.yaml")
    assert done.returncode == CONFIGURATION and json.loads(done.stdout)["problems"]
    assert check(minimal(6432), "--json", "--connect").returncode == USAGE


def test_a_file_with_a_password_that_others_can_read_is_warned_about():
    done = check(minimal(6432))
    assert done.returncode == 0 and "chmod 0640" in done.stderr and "chown root:leasehold" in done.stderr, text_of(done)
    path = file_with(minimal(6432))
    os.chmod(path, 0o640)
    assert "chmod" not in text_of(run_program("check", "--config", path))


def test_check_connect_reports_what_it_found(postgres, mysql_server):
    done = check({"listen": [{"dialect": "postgresql", "address": "127.0.0.1:6432"},
                             {"dialect": "mysql", "address": "127.0.0.1:6033"}],
                  "pools": {"orders": {"url": postgres.url("orders", USER, PASSWORD)},
                            "shop": {"url": mysql_server.url("shop", USER, PASSWORD)}}}, "--connect")
    found = text_of(done)
    assert done.returncode == 0, found
    for word in ("orders", "15.", "shop", mysql_server.version.split("-")[0], "TLS", "ms"):
        assert word in found, found
    assert PASSWORD not in found


def test_check_connect_tries_no_hash_and_says_which_of_them_cannot_log_in(mysql97):
    """A hash tried as a password would be a failed login, of which a server may admit few."""
    listen = [{"dialect": "mysql", "address": "127.0.0.1:6033"}]
    stored = "*" + "81F5E21E35407D884A6CD4A731AEBFB6AF209E1B"
    before = mysql97.value("SELECT variable_value FROM performance_schema.global_status WHERE variable_name = 'Aborted_connects'")
    done = check({"listen": listen, "pools": {"shop": {"url": mysql97.url("shop", USER, stored)}}}, "--connect")
    assert done.returncode == 0 and "not asked: the URL's password is a MySQL hash" in text_of(done), text_of(done)
    assert "0 of 1 server reached, 1 not asked" in text_of(done) and stored not in text_of(done)
    after = mysql97.value("SELECT variable_value FROM performance_schema.global_status WHERE variable_name = 'Aborted_connects'")
    assert before == after
    done = check({"listen": listen, "pools": {"shop": {"url": mysql97.url("shop", USER, PASSWORD), "alias": ["store"]}},
                  "users": [{"name": "old", "password": stored, "pools": ["store"]},
                            {"name": "guest", "password": stored, "as": "pool"}]}, "--connect")
    assert "misfit: users[0].password of old is a mysql_native_password hash" in text_of(done), text_of(done)
    assert "users[1]" not in text_of(done) and stored not in text_of(done)


def test_check_connect_says_which_backends_the_server_closes_first(mysql_server):
    def said(**pool):
        url = mysql_server.url("shop", USER, PASSWORD)
        return text_of(check({"listen": [{"dialect": "mysql", "address": "127.0.0.1:6033"}],
                              "pools": {"shop": {"url": url, **pool}}}, "--connect"))
    assert "misfit" not in said()
    assert "misfit: idle_timeout is 9h, the server closes idle connections after 8h" in said(idle_timeout="9h")
    assert "misfit: idle_timeout is never" in said(idle_timeout=0)


def test_check_connect_names_misfits_and_unreachable_servers(postgres):
    listen = [{"dialect": "postgresql", "address": "127.0.0.1:6432"}]
    done = check({"listen": listen, "pools": {"orders": {"url": postgres.url("orders", USER, PASSWORD),
                                                         "pool_size": 500, "max_overflow": 0}}}, "--connect")
    assert "500" in text_of(done) and "97" in text_of(done), text_of(done)  # 100 less the 3 reserved
    dead = f"postgresql://app:secret@127.0.0.1:{free_port()}/orders"
    done = check({"listen": listen, "pools": {"orders": {"url": dead}}}, "--connect")
    assert done.returncode == UNAVAILABLE
    assert "orders" in text_of(done) and "refused" in text_of(done) and "secret" not in text_of(done)
    wrong = postgres.url("orders", USER, "not the password")
    done = check({"listen": listen, "pools": {"orders": {"url": wrong}}}, "--connect")
    assert done.returncode == UNAVAILABLE
    assert "password authentication failed" in text_of(done) and "not the password" not in text_of(done)


# --- run ----------------------------------------------------------------------------------------------------------

def test_run_refuses_a_wrong_file_like_check_does():
    done = run_daemon(file_with(minimal(6432).replace("orders:\n", "orders:\n    pool_sise: 3\n")))
    assert done.returncode == CONFIGURATION and "pool_sise" in text_of(done)
    assert run_daemon("/nonexistent/leasehold.yaml").returncode == CONFIGURATION


def test_run_with_a_port_in_use_names_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_daemon(file_with(minimal(port)))
    assert done.returncode == UNAVAILABLE
    assert f"127.0.0.1:{port}" in text_of(done) and "in use" in text_of(done)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run it as root")
def test_run_as_root_is_refused_and_says_what_to_do():
    done = run_daemon(file_with(minimal(free_port())), allow_root=False)
    assert done.returncode == USAGE
    assert "root" in text_of(done) and "--allow-root" in text_of(done)


def test_run_with_too_few_open_files_for_max_clients_says_what_to_do():
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    root = ["--allow-root"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program(), "run", "--config", file_with(minimal(free_port())), *root],
                               preexec_fn=few_files, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        found, _ = process.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        process.terminate()
        found, _ = process.communicate()
    assert "max_clients" in found and "256" in found, found


def test_an_unreachable_server_is_no_error_at_the_start(leasehold):
    daemon = leasehold(pools={"orders": {"url": f"postgresql://app:secret@127.0.0.1:{free_port()}/orders",
                                         "pool_timeout": "300ms"}})
    with pytest.raises(pgwire.ServerError) as refused:
        pgwire.connect(daemon.port, "app", "orders", "secret")
    assert refused.value.sqlstate == "57P03"
    assert daemon.running() and "secret" not in daemon.log_text()


def test_sigterm_ends_it_in_order(leasehold, postgres):
    daemon = leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}}, drain_timeout="300ms")
    idle, inside = (pgwire.connect(daemon.port, USER, "orders", PASSWORD) for _ in range(2))
    idle.ok("SELECT 1")
    inside.ok("BEGIN")
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 5
    for session in (idle, inside):
        reply = session.reply()
        assert reply.status is None and reply.sqlstate in (None, "57P01"), reply
    assert not [b for b in postgres.backends("%") if b["usename"] == USER and b["in_transaction"]]


def test_two_daemons_stand_side_by_side(postgres):
    pool = {"orders": {"url": postgres.url("orders", USER, PASSWORD)}}
    with Leasehold(pools=pool) as one, Leasehold(pools=pool) as two:
        for daemon in (one, two):
            with pgwire.connect(daemon.port, USER, "orders", PASSWORD) as session:
                assert session.value("SELECT 1") == "1"
