# SPDX-License-Identifier: Apache-2.0
"""The client programs of other languages: built once for each state of their sources, then run on both sides.

A program reads libpq's environment variables, runs its cases one after the other and prints `ok NAME` or
`not ok NAME: WHY` for each, and `done` at the end; words on its command line are parts of names, and only cases that
contain one are run then. No case keeps more than two backends for long: the other sessions need the third.
"""
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import tempfile

from clients import assert_same_outcomes, outcomes, run
from skips import skip_loudly

SOURCES = pathlib.Path(__file__).resolve().parent
BUILT = SOURCES.parents[1] / "build" / "clients"
PGJDBC = "/usr/share/java/postgresql.jar"
MARIADB_JDBC = "/usr/share/java/mariadb-java-client.jar"


def cached(name, sources, make):
    """The folder that make(folder) filled from these files; made once for each state of them."""
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    folder = BUILT / f"{name}-{digest.hexdigest()[:16]}"
    if not folder.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.mkdtemp(dir=BUILT)
        try:
            os.chmod(scratch, 0o755)
            make(pathlib.Path(scratch))
            with contextlib.suppress(OSError):  # another run was faster
                os.rename(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def done_well(command, **options):
    """Runs a tool that must end well."""
    done = run(command, timeout=300, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


# --- the programs: each a command and what its environment needs ------------------------------------------------------

def java(folder="java", jar=PGJDBC):
    sources = sorted([*(SOURCES / folder).glob("*.java"), *(SOURCES / "java/common").glob("*.java")])
    classes = cached("java", sources, lambda scratch: done_well(
        ["javac", "-Xlint:all", "-Werror", "-proc:none", "-d", scratch, "-cp", jar, *sources]))
    # One compiler, one collector: there are two processors, and two servers beside it.
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx768m", "-cp", f"{jar}:{classes}", "Suite"], {}


def go(folder="go"):
    """Built from Debian's sources of the drivers, which lie in a GOPATH."""
    sources = sorted((SOURCES / folder).glob("*.go"))
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOTOOLCHAIN": "local",
                   "GOCACHE": str(BUILT / "go-cache")}
    built = cached("go", sources, lambda scratch: done_well(
        ["go", "build", "-o", scratch / "suite", *sources], env=environment))
    return [built / "suite"], {}


def php(folder="php"):
    return ["php", "-d", "memory_limit=256M", "-d", "mysqli.allow_local_infile=1", SOURCES / folder / "suite.php"], {}


def c(source, *libraries):
    """A program of one file, with the flags of its libraries' pkg-config."""
    flags = run(["pkg-config", "--cflags", "--libs", *libraries]).stdout.split()
    built = cached("c", [SOURCES / source], lambda scratch: done_well(
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-g1", "-Wall", "-Wextra", "-Werror", "-o", scratch / "suite", SOURCES / source,
         *flags]))
    return [built / "suite"], {}


NO_REGISTRY = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|EIDLETIMEOUT"
                         r"|E40[13]\b|E429\b|E5\d\d\b")


def node(sources=SOURCES / "node", what="node-postgres"):
    """With exactly what package-lock.json names, from the registry that npm is set up for."""
    def install(folder):
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(sources / name, folder)
        done = run(["npm", "ci", "--omit=dev", "--ignore-scripts", "--fetch-retries=2",
                    "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=4000", "--fetch-timeout=30000"],
                   timeout=240, cwd=folder)
        if done.returncode and NO_REGISTRY.search(done.stderr):
            skip_loudly(what, f"npm's registry does not answer ({NO_REGISTRY.search(done.stderr)[0]})",
                        "LEASEHOLD_REQUIRE_SID")
        assert done.returncode == 0, done.stderr[-3000:]

    modules = cached("node", [sources / "package-lock.json"], install) / "node_modules"
    return ["node", sources / "suite.js"], {"NODE_PATH": str(modules)}


# --- both sides -------------------------------------------------------------------------------------------------------

def compare(sides, program, at_least, differs=(), varies=(), only=(), pins=None, **environment):
    """Runs the program on both sides. Every case must pass directly: one that does not is a bad case. `pins`: the cases
    that may pin, and why; these come last through leasehold, and none of the others has pinned."""
    command, needed = program
    pins = pins or {}
    told = []
    for side in sides:
        def cases(*names, side=side):
            done = run([*command, *names], timeout=300, env=side.environment(**needed, **environment))
            print(f"--- {side.name}\n{done.stdout[-20000:]}{done.stderr[-5000:]}")
            return outcomes(done)
        if side.name == "direct":
            told.append(cases(*only))
            bad = {name: why for name, why in told[0].items() if why}
            assert not bad, "fail without leasehold too:\n" + "\n".join(f"  {name}: {why}" for name, why in bad.items())
            assert only or set(pins) <= set(told[0]), f"no such cases: {set(pins) - set(told[0])}"
            continue
        harmless = [name for name in told[0] if name not in pins]
        told.append(cases(*(harmless if pins else only)))
        if side.daemon.http_port:
            side.assert_pins()
        if len(harmless) < len(told[0]):
            for name in pins:
                side.may_pin.update(pins[name])
            side.query(f"DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION {side.user}")  # names begin anew
            told[1].update(cases(*(name for name in told[0] if name in pins)))
    assert_same_outcomes(*told, at_least, differs, varies)
