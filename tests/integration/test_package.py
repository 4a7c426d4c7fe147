# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what it brings, to whom it belongs, and that an upgrade and a purge treat it as Debian does. Installed
by dpkg into a private overlay of this machine's root."""
import gzip
import pathlib
import re
import subprocess

import pytest

from box import Box, Unavailable, box_for_tests
from package import build_package, later_version

YAML = "/etc/leasehold/leasehold.yaml"
ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return build_package(tmp_path_factory.mktemp("package"))


@pytest.fixture
def bare():
    """A box without systemd, and without leasehold."""
    with box_for_tests(boot=False) as box:
        yield box


@pytest.fixture(scope="module")
def installed(package):
    """A box without systemd where the package was installed; tests do not change it."""
    with box_for_tests(boot=False) as box:
        box.install(package)
        yield box


def owner_and_mode(box, path):
    return box.run("stat", "-c", "%U:%G %a", path)


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def test_its_name_its_version_and_the_program_s_are_one(package, installed):
    version = field(package, "Version")
    assert package.name == f"leasehold_{version}_{field(package, 'Architecture')}.deb"
    assert installed.run("leasehold", "--version") == f"leasehold {version}"
    with gzip.open(installed.path("/usr/share/doc/leasehold/changelog.gz"), "rt") as changelog:
        assert changelog.readline().startswith(f"leasehold ({version}) ")


@pytest.mark.parametrize("path, expected", [
    ("/usr/bin/leasehold", "root:root 755"),
    ("/etc/leasehold", "root:leasehold 750"),
    (YAML, "root:leasehold 640"),
    ("/lib/systemd/system/leasehold.service", "root:root 644"),
    ("/lib/systemd/system/leasehold.socket", "root:root 644"),
    ("/usr/lib/sysusers.d/leasehold.conf", "root:root 644"),
    ("/usr/lib/tmpfiles.d/leasehold.conf", "root:root 644"),
    ("/usr/share/doc/leasehold/copyright", "root:root 644"),
    ("/usr/share/doc/leasehold/examples/leasehold.yaml", "root:root 644"),
])
def test_files_belong_to_whom_they_should(installed, path, expected):
    assert owner_and_mode(installed, path) == expected


def test_nothing_else_in_it_is_writable_or_private(package):
    listed = subprocess.run(["dpkg-deb", "--contents", package], stdout=subprocess.PIPE, text=True, check=True).stdout
    odd = [line for line in listed.splitlines()
           if not re.match(r"(d|-)rw[-x]r-[-x]r-[-x] root/root ", line) and "./etc/leasehold/" not in line]
    assert odd == []


def test_the_user_has_no_shell_and_no_password(installed):
    name, secret, uid, _, _, home, shell = installed.run("getent", "passwd", "leasehold").split(":")
    assert (name, secret, home) == ("leasehold", "x", "/var/lib/leasehold") and int(uid) < 1000
    assert shell.endswith("/nologin")
    assert installed.run("getent", "shadow", "leasehold").split(":")[1].startswith("!")


def test_the_file_that_comes_with_it_is_valid_and_its_user_may_read_it(installed):
    for user in (None, "leasehold"):
        output = installed.run("leasehold", "check", user=user)
        assert "0 errors, 0 warnings; 1 listener, 1 pool" in output
    code, output = installed.fails("leasehold", "check", user="nobody")
    assert code == 78 and YAML in output


def test_the_configuration_is_a_conffile(installed):
    assert [line.split()[0] for line in installed.run("dpkg-query", "-W", "-f", "${Conffiles}", "leasehold").splitlines()
            if line.strip()] == [YAML]


def test_systemd_finds_no_mistake_in_the_units(installed):
    assert installed.run("systemd-analyze", "verify", "--man=no", "/lib/systemd/system/leasehold.service",
                         "/lib/systemd/system/leasehold.socket") == ""


def test_the_program_is_stripped_and_finds_its_libraries(installed):
    assert ", stripped" in installed.run("file", "/usr/bin/leasehold")
    assert "not found" not in installed.run("ldd", "/usr/bin/leasehold")


def test_it_depends_on_what_the_program_is_linked_with(package, installed):
    depends = field(package, "Depends")
    for library in ("libc6", "libssl3", "libyaml-cpp0.7", "libpq5", "libmariadb3"):
        assert re.search(rf"(^|, ){re.escape(library)}( |,|$)", depends), depends


def test_an_upgrade_keeps_what_was_edited(package, bare, tmp_path):
    bare.install(package)
    edited = bare.path(YAML).read_text() + "\ndrain_timeout: 7s\n"
    bare.write(YAML, edited)
    bare.run("chmod", "600", YAML)  # the administrator's choice as well

    def add_a_line(root):
        with open(root / YAML[1:], "a") as file:
            file.write("# a new key that this version has\n")

    bare.install(later_version(package, tmp_path, "9.1", add_a_line), "--force-confdef", "--force-confold")
    assert bare.run("dpkg-query", "-W", "-f", "${Version}", "leasehold") == "9.1"
    assert bare.path(YAML).read_text() == edited
    assert owner_and_mode(bare, YAML) == "root:leasehold 600"
    assert "a new key" in bare.path(YAML + ".dpkg-dist").read_text()
    assert owner_and_mode(bare, YAML + ".dpkg-dist").endswith(" 600")  # it may hold what the edited one holds


def test_an_upgrade_brings_the_new_file_where_nothing_was_edited(package, bare, tmp_path):
    bare.install(package)

    def add_a_line(root):
        with open(root / YAML[1:], "a") as file:
            file.write("# a new key that this version has\n")

    bare.install(later_version(package, tmp_path, "9.1", add_a_line))
    assert "a new key" in bare.path(YAML).read_text()
    assert owner_and_mode(bare, YAML) == "root:leasehold 640"
    assert owner_and_mode(bare, "/etc/leasehold") == "root:leasehold 750"


def test_a_removal_keeps_the_configuration_and_a_purge_leaves_nothing(package, bare):
    def files():
        """Whatever bears its name, and all that is known about units."""
        listed = bare.run("find", "/etc", "/usr", "/var", "-xdev", "-path", "*leasehold*", "-o",
                          "-path", "/etc/systemd/*", "-o", "-path", "/var/lib/systemd/*").splitlines()
        return set(listed)

    bare.run("mkdir", "-p", "/etc/systemd/system/multi-user.target.wants", "/var/lib/systemd/deb-systemd-helper-enabled")
    before = files()
    bare.install(package)
    assert len(files() - before) > 15
    for folder in ("lib", "log"):
        bare.write(f"/var/{folder}/leasehold/file", "kept by the daemon")
    bare.run("dpkg", "--no-triggers", "--remove", "leasehold")
    assert bare.path(YAML).exists() and not bare.path("/usr/bin/leasehold").exists()
    bare.run("dpkg", "--no-triggers", "--purge", "leasehold")
    left = {path for path in files() - before if "leasehold" in path or not bare.path(path).is_dir()}
    assert left == set()
    assert before - files() == set()
    assert bare.succeeds("getent", "passwd", "leasehold"), "its number must not become somebody else's"


def test_a_box_leaves_nothing_behind():
    """No process, no mount, no folder and no cgroup."""
    try:
        with Box(boot=False) as box:
            folder, pid, outer = box.folder, box.pid, box.process.pid
    except Unavailable:
        pytest.skip("said above")
    assert not pathlib.Path(folder).exists()
    for process in (pid, outer):
        assert not pathlib.Path(f"/proc/{process}").exists()
    assert folder not in pathlib.Path("/proc/self/mountinfo").read_text()


def test_the_manual_pages_come_with_it(installed):
    for page in ("man1/leasehold.1.gz", "man5/leasehold.yaml.5.gz"):
        assert owner_and_mode(installed, f"/usr/share/man/{page}") == "root:root 644"
        with gzip.open(installed.path(f"/usr/share/man/{page}"), "rt") as text:
            assert ".TH" in text.read(2000)


def test_what_monitors_it_comes_with_it(installed):
    for path in ("share/leasehold/leasehold.schema.json", "share/doc/leasehold/reference.md"):
        assert owner_and_mode(installed, f"/usr/{path}") == "root:root 644"
    for file in (ROOT / "monitoring").iterdir():
        assert installed.path(f"/usr/share/leasehold/monitoring/{file.name}").read_bytes() == file.read_bytes()


def test_shells_complete_its_words(installed):
    script = "source /usr/share/bash-completion/completions/leasehold; complete -p leasehold"
    assert "leasehold" in installed.run("bash", "-c", script)
    for path in ("zsh/vendor-completions/_leasehold", "fish/vendor_completions.d/leasehold.fish"):
        assert "reload" in installed.path(f"/usr/share/{path}").read_text()
