# SPDX-License-Identifier: Apache-2.0
"""Prometheus for tests: a strict reader of the text format, what the sources say of each metric, and promtool.

    metrics = scrape(daemon.http_port)                       # over TCP; a path: over a unix socket
    metrics.value("leasehold_pool_waiting", pool="orders")   # one series; total() adds up all that fit
    metrics.families["leasehold_pool_size"].type             # gauge
"""
import glob
import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess

from processes import temp_dir

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')


class Family:
    def __init__(self, name, help_):
        self.name, self.help, self.type, self.samples = name, help_, None, {}


class Metrics:
    """Everything of one scrape. Whatever the format does not allow is an error here."""

    def __init__(self, text):
        assert text.endswith("\n")
        self.families = {}
        family = None
        for line in text.split("\n")[:-1]:
            if line.startswith("# HELP "):
                name, _, help_ = line[7:].partition(" ")
                assert name not in self.families, f"a second family {name}"
                family = self.families[name] = Family(name, help_)
            elif line.startswith("# TYPE "):
                name, type_ = line[7:].split(" ")
                assert name == family.name and family.type is None and not family.samples, line
                assert type_ in ("counter", "gauge", "histogram"), line
                family.type = type_
            else:
                self._sample(line, family)
        for family in self.families.values():
            assert family.type and family.samples, f"{family.name} has no type or no sample"
            if family.type == "histogram":
                _check_histogram(family)
            elif family.type == "counter":
                assert all(value >= 0 for value in family.samples.values()), family.name

    @staticmethod
    def _sample(line, family):
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        suffixes = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
        assert name in [family.name + suffix for suffix in suffixes], f"{line} in {family.name}"
        found, at = [], 0
        while labels and at < len(labels):
            label = LABEL.match(labels, at)
            assert label, f"{line}: at {labels[at:]}"
            found.append((label[1], re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), label[2])))
            at = label.end()
        assert len({key for key, _ in found}) == len(found), line
        key = (name, frozenset(found))
        assert key not in family.samples, f"twice: {line}"
        family.samples[key] = float(value.replace("+Inf", "inf"))

    def series(self, name, **labels):
        """[(labels, value)] of those that have these labels, among others perhaps."""
        family = self.families.get(name) or self.families.get(re.sub("_(bucket|sum|count)$", "", name))
        if family is None:
            return []
        return [(dict(of), value) for (at, of), value in family.samples.items()
                if at == name and set(labels.items()) <= of]

    def value(self, name, **labels):
        found = self.series(name, **labels)
        assert len(found) == 1, f"{name} {labels}: {found}"
        return found[0][1]

    def total(self, name, **labels):
        return sum(value for _, value in self.series(name, **labels))


def _check_histogram(family):
    series = {}
    for (name, labels), value in family.samples.items():
        rest = frozenset(item for item in labels if item[0] != "le")
        series.setdefault(rest, {})[(name[len(family.name):], dict(labels).get("le"))] = value
    for labels, parts in series.items():
        buckets = sorted((float(le.replace("+Inf", "inf")), value) for (part, le), value in parts.items()
                         if part == "_bucket")
        assert buckets[-1][0] == float("inf") and len(buckets) > 2, (family.name, labels)
        assert [value for _, value in buckets] == sorted(value for _, value in buckets), (family.name, labels)
        assert buckets[-1][1] == parts[("_count", None)], (family.name, labels)
        assert parts[("_sum", None)] >= 0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("leasehold", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection(where, timeout=20):
    """Where: a port of the loopback, or a unix socket's path."""
    if isinstance(where, str):
        return _UnixConnection(where, timeout)
    return http.client.HTTPConnection("127.0.0.1", where, timeout=timeout)


def get(where, path, method="GET", body=None, timeout=20):
    """(status, headers, body as text)"""
    asked = connection(where, timeout)
    try:
        asked.request(method, path, body=body)
        response = asked.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        asked.close()


def scrape(where):
    status, headers, text = get(where, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), (status, headers)
    return Metrics(text)


def catalog():
    """{name: (type, {labels})} as the sources describe them."""
    names = dict(re.findall(r'string_view (\w+) = "([a-z_]+)"', (ROOT / "daemon/metrics/names.hpp").read_text()))
    rows = re.findall(r'Metric\{\s*names::(\w+),\s*Type::(\w+),\s*"([^"]*)"', (ROOT / "daemon/metrics/catalog.hpp").read_text())
    assert len(rows) > 40
    return {names[name]: (type_, set(labels.split(", ")) - {""}) for name, type_, labels in rows}


def promtool():
    """Prometheus' own checker: on the PATH, in build/promtool, or out of Debian's package, which is not installed for it.
    None where it cannot be had."""
    kept = ROOT / "build" / "promtool"
    if found := shutil.which("promtool"):
        return found
    if os.access(kept, os.X_OK):
        return str(kept)
    folder = temp_dir("lh-promtool-")
    try:
        subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, check=True, timeout=120, capture_output=True)
        package = glob.glob(f"{folder}/prometheus_*.deb")[0]
        subprocess.run(["dpkg", "-x", package, f"{folder}/root"], check=True, timeout=120, capture_output=True)
        kept.parent.mkdir(exist_ok=True)
        beside = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(f"{folder}/root/usr/bin/promtool", beside)
        os.replace(beside, kept)
        return str(kept)
    except (OSError, IndexError, subprocess.SubprocessError):
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
