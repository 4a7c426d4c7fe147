# SPDX-License-Identifier: Apache-2.0
"""The Debian package of the build that is tested, made by cpack; and a version of it that comes later."""
import os
import pathlib
import shutil
import subprocess

from leasehold import program
from skips import skip_loudly


def _run(*words):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def build_folder():
    """The build folder of LEASEHOLD_BIN."""
    return pathlib.Path(program()).resolve().parents[1]


def build_package(folder):
    """leasehold_<version>_amd64.deb in `folder`. A sanitizer's build is nothing to ship: the test is skipped."""
    build = build_folder()
    cache = build / "CMakeCache.txt"
    if "LEASEHOLD_SANITIZE:STRING=\n" not in cache.read_text():
        skip_loudly("the Debian package", f"{build} is built with sanitizers")
    for tool in ("cpack", "dpkg-deb", "dpkg-shlibdeps", "file"):
        if not shutil.which(tool):
            skip_loudly("the Debian package", f"{tool} is missing: tests/support/install test")
    _run("cpack", "--config", build / "CPackConfig.cmake", "-G", "DEB", "-B", folder)
    return next(pathlib.Path(folder).glob("leasehold_*.deb"))


def later_version(package, folder, version, edit=lambda root: None):
    """The same package as `version`, after edit(root) has changed its files."""
    root = pathlib.Path(folder) / version
    _run("dpkg-deb", "--raw-extract", package, root)
    edit(root)
    control = root / "DEBIAN" / "control"
    lines = [f"Version: {version}" if line.startswith("Version:") else line for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    (root / "DEBIAN" / "md5sums").unlink()
    target = pathlib.Path(folder) / f"leasehold_{version}.deb"
    _run("dpkg-deb", "--root-owner-group", "--build", "-Zgzip", root, target)
    return target
