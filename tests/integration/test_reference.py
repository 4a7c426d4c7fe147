# SPDX-License-Identifier: Apache-2.0
"""What is printed from the tables of keys and commands: committed texts are up to date, manual pages are valid, and an
editor's schema takes the files that `leasehold check` takes, and refuses those that it refuses."""
import json
import pathlib
import re
import shutil
import subprocess

import pytest
from leasehold import ROOT, check, run_program
from skips import skip_loudly

COMMITTED = {"markdown": "docs/reference.md", "schema": "docs/leasehold.schema.json", "example": "systemd/leasehold.yaml"}
PAGES = ("leasehold.1", "leasehold.yaml.5")


def reference(form):
    done = run_program("reference", "--format", form)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


# --- committed texts, manual pages --------------------------------------------------------------------------------

@pytest.mark.parametrize("form, path", COMMITTED.items())
def test_what_is_committed_is_what_the_program_prints(form, path):
    committed = (ROOT / path).read_text()
    assert reference(form) == committed, f"{path} is not up to date: cmake --build --preset release --target reference"


@pytest.mark.parametrize("page", PAGES)
def test_a_manual_page_is_valid_and_reads_well(page, tmp_path):
    path = tmp_path / page
    path.write_text(reference(page))
    for tool in ("mandoc", "man"):
        if not shutil.which(tool):
            skip_loudly("manual pages", f"{tool} is not installed (tests/support/install clients)")
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "error", path], capture_output=True, text=True, check=False)
    assert lint.returncode == 0 and not lint.stdout, lint.stdout
    read = subprocess.run(["man", "--warnings", "-l", path], capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
    assert read.returncode == 0 and not read.stderr, read.stderr
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"):
        assert re.search(f"^{heading}$", read.stdout, re.M), heading


def test_an_unknown_form_is_a_usage_error():
    done = run_program("reference", "--format", "pdf")
    assert done.returncode == 64 and "markdown" in done.stderr


def test_a_file_that_cannot_be_written_is_named():
    done = run_program("reference", "--output", "/nonexistent/reference.md")
    assert done.returncode == 74 and "/nonexistent/reference.md" in done.stderr


# --- the schema ---------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def schema():
    try:
        import jsonschema
        import yaml
    except ImportError as missing:
        skip_loudly("the schema for editors", f"{missing} (tests/support/install clients)")

    class Loader(yaml.SafeLoader):  # words and numbers as in YAML 1.2, which editors and the daemon read
        yaml_implicit_resolvers = {}

    for tag, pattern, first in (("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]), ("bool", r"^(true|false)$", "tf"),
                                ("int", r"^-?(0|[1-9][0-9]*)$", "-0123456789"), ("float", r"^-?[0-9]+\.[0-9]+$", "-0123456789")):
        Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), list(first))
    for tag in ("!file", "!credential"):
        Loader.add_constructor(tag, lambda loader, node: "${SECRET}")
    parsed = json.loads(reference("schema"))
    jsonschema.Draft7Validator.check_schema(parsed)
    validator = jsonschema.Draft7Validator(parsed)
    return lambda text: [error.message for error in validator.iter_errors(yaml.load(text, Loader))]


def with_pool(*lines, rest=""):
    return ("listen:\n  - {dialect: postgresql, address: 127.0.0.1:6432}\npools:\n  orders:\n"
            "    url: postgresql://app:secret@127.0.0.1/orders\n" + "".join(f"    {line}\n" for line in lines) + rest)


def uncommented():
    return re.sub(r"(^|\n)( *)#(?=[^# \n])", r"\1\2", (ROOT / "systemd/leasehold.yaml").read_text())


LISTEN = "listen:\n  - {%s}\npools:\n  orders: {url: 'postgresql://app:secret@127.0.0.1/orders'}\n"

GOOD = {
    "the example": (ROOT / "systemd/leasehold.yaml").read_text(),
    "the least": with_pool(),
    "times": with_pool("pool_timeout: 0", "pool_recycle: -1", "idle_timeout: 1.5h", "dial_timeout: 250ms", 'soft_hold: "1s"'),
    "counts": with_pool("pool_size: 0", "min_idle: 0", "prepared_per_client: 1000000", rest="workers: auto\n"),
    "no overflow limit": with_pool("max_overflow: -1"),
    "shares": with_pool("audit: all"),
    "a level in small letters": with_pool("isolation_level: read_committed"),
    "a level that is not given": with_pool("isolation_level:"),
    "booleans": with_pool("pool_pre_ping: false", "echo: false"),
    "from the environment": with_pool('pool_size: "${PATH_LENGTH}"', "alias: [a, b]"),
    "listeners": LISTEN % "dialect: postgres, address: 'unix:/run/leasehold/.s.PGSQL.6432', auth: peer, map: {www: app}",
    "an IPv6 address": LISTEN % "dialect: postgresql, address: '[::1]:6432'",
    "all of TLS": LISTEN % "dialect: postgresql, address: 127.0.0.1:6432, tls: {mode: disable, cert: /c, key: /k}",
    "users": with_pool(rest="users:\n  - {name: reports, password: 12345, pools: [orders]}\n  - {name: b, password: x, as: pool}\n"),
    "the small parts": with_pool(rest="admin: {http: off, socket: /run/x.sock}\nlog: {target: /var/log/l.log, level: warn}\n"
                                      "limits: {max_startup_bytes: 1024, max_statement_cache_bytes: 1GiB}\ndrain_timeout: 5m\n"
                                      "servers: {\"127.0.0.1:5432\": {max_connections: 80}}\n"),
    "parts that say nothing": with_pool(rest="users:\nadmin:\nlog:\nlimits:\nservers:\n"),
}

BAD = {
    "no pools": "listen:\n  - {dialect: postgresql, address: 127.0.0.1:6432}\n",
    "no listeners": "listen: []\npools:\n  a: {url: 'postgresql://u:p@h/a'}\n",
    "no url": "listen:\n  - {dialect: postgresql, address: 127.0.0.1:6432}\npools:\n  a: {pool_size: 3}\n",
    "a pool that is nothing": "listen:\n  - {dialect: postgresql, address: 127.0.0.1:6432}\npools:\n  a:\n",
    "an unknown key": with_pool("pool_sise: 3"),
    "an unknown key at the top": with_pool(rest="wrokers: 3\n"),
    "an unknown part of TLS": LISTEN % "dialect: postgresql, address: 127.0.0.1:6432, tls: {certificate: /c}",
    "a word that is none": with_pool("mode: transactions"),
    "a boolean that is a number": with_pool("echo: 1"),
    "a boolean in quotation marks": with_pool('echo: "false"'),
    "a number in quotation marks": with_pool('pool_size: "5"'),
    "a duration in quotation marks": with_pool('pool_timeout: "5"'),
    "a unit that is none": with_pool("pool_timeout: 5x"),
    "a duration below nought": with_pool("pool_timeout: -1"),
    "a duration that must not be nought": with_pool("dial_timeout: 0"),
    "nought with a unit": with_pool("ping_timeout: 0s"),
    "too few": with_pool("dial_parallel: 0"),
    "too many": with_pool("pool_size: 1000001"),
    "half a backend": with_pool("pool_size: 1.5"),
    "too many threads": with_pool(rest="workers: 2000\n"),
    "a share above all": with_pool("audit: 101%"),
    "a share without its sign": with_pool("audit: 1"),
    "a size that is none": with_pool(rest="limits: {max_startup_bytes: 10KB}\n"),
    "a size too small": with_pool(rest="limits: {max_startup_bytes: 100}\n"),
    "an unknown level": with_pool("isolation_level: dirty"),
    "a dialect that is none": LISTEN % "dialect: oracle, address: 127.0.0.1:6432",
    "an address without a port": LISTEN % "dialect: postgresql, address: 127.0.0.1",
    "an address that is a name": LISTEN % "dialect: postgresql, address: 'db.internal:6432'",
    "no address": LISTEN % "dialect: postgresql",
    "a relative socket": with_pool(rest="admin: {socket: control.sock}\n"),
    "a relative log": with_pool(rest="log: {target: leasehold.log}\n"),
    "a user without a name": with_pool(rest="users: [{password: x}]\n"),
    "a name twice": with_pool("alias: [a, a]"),
    "a list that is a word": with_pool("alias: a"),
    "a list that is a map": with_pool(rest="users: {name: a}\n"),
    "a value that is missing": with_pool("pool_size:"),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_schema_and_check_take(schema, name, monkeypatch):
    monkeypatch.setenv("PATH_LENGTH", "7")
    assert schema(GOOD[name]) == []
    done = check(GOOD[name])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", BAD)
def test_the_schema_and_check_refuse(schema, name):
    assert schema(BAD[name])
    assert check(BAD[name]).returncode == 78


def test_the_schema_takes_every_key_of_the_example(schema):
    assert schema(uncommented()) == []


def test_the_schema_takes_what_the_readme_shows(schema):
    shown = re.findall(r"```yaml\n(.*?)```", pathlib.Path(ROOT / "README.md").read_text(), re.S)
    assert shown
    for text in shown:
        assert schema(text) == [], text


# --- what a running daemon knows --------------------------------------------------------------------------------------

def test_the_reference_has_the_tables_and_commands_of_a_running_daemon(orders):
    text = reference("markdown")
    console = text.partition("\n## Console\n")[2].partition("\n## ")[0]
    tables = dict(re.findall(r"^\| `([A-Z_]+)` \| \w+ \| [^|]* \| ([^|]*) \|$", console.partition("### Tables")[2], re.M))
    assert tables == {row["name"]: row["columns"] for row in orders.console("SHOW TABLES")}
    commands = set(re.findall(r"^\| `([A-Z_]+)\b", console.partition("### Tables")[0], re.M))
    told = {row["command"].split()[0] for row in orders.console("SHOW HELP")} - {"SHOW"}
    assert commands == told


def test_the_reference_describes_metrics():
    metrics = reference("markdown").partition("\n## Metrics\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \| [^|]* \| [^|]+ \|$", metrics, re.M)
    assert len(rows) == metrics.count("\n| `") > 40
