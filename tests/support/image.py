# SPDX-License-Identifier: Apache-2.0
"""The Dockerfile without an engine: its steps laid out into root file systems of folders, and what it would run, run there
in a chroot. As root only.

    dockerfile = Dockerfile()                        # read: dockerfile.stages[-1].steps, .settings
    root = dockerfile.lay_out(folder)                # every step, from debootstrap to the last: minutes, and the network
    root = final_stage(folder, package)              # seconds: the package and the libraries of this machine
    process = dockerfile.run(root, log, "run", "--config", "/etc/leasehold/leasehold.yaml")
"""
import glob
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

from processes import spawn

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = {"debian:bookworm-slim": "bookworm"}
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A step sees its root, /proc, the devices that programs need, and what is bound in for it; its mounts end with it.
STEP = """
set -e
mount --make-rprivate /
mount -t proc proc "$1/proc"
for file in null zero full random urandom; do
  [ -e "$1/dev/$file" ] || : >"$1/dev/$file"
  mount --bind "/dev/$file" "$1/dev/$file"
done
root=$1 folder=$2 command=$3
shift 3
while [ $# -gt 0 ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2; done
exec chroot "$root" /bin/sh -c "cd '$folder' && $command"
"""


class Stage:
    def __init__(self, base, name):
        self.base, self.name, self.steps, self.settings = base, name, [], {}


class Dockerfile:
    def __init__(self, path=ROOT / "Dockerfile"):
        self.stages = []
        text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE)
        for line in re.sub(r"\\\n", " ", text).splitlines():
            if line.strip():
                self._read(*line.split(None, 1))

    def _read(self, word, rest):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            self.stages.append(Stage(base.strip(), name.strip()))
        elif word in ("RUN", "COPY", "WORKDIR"):
            self.stages[-1].steps.append((word, rest.strip()))
        elif word in ("USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD", "HEALTHCHECK"):
            self.stages[-1].settings[word] = rest.strip()
        else:
            raise AssertionError(f"Dockerfile: {word} is not known to {__file__}")

    def setting(self, word):
        """A setting of the image; a list where it is written as one."""
        value = self.stages[-1].settings[word].removeprefix("CMD ")
        return json.loads(value) if value.startswith("[") else value

    # --- what the image runs ------------------------------------------------------------------------------------------

    def _as_user(self, root):
        name, _, uid, gid, *_ = next(line.split(":") for line in (root / "etc/passwd").read_text().splitlines()
                                     if line.startswith(self.setting("USER") + ":"))
        assert uid != "0", f"{name} is root"
        return ["chroot", f"--userspec={uid}:{gid}", "--groups=", str(root)]

    def run(self, root, log, *arguments):
        """The container's process: the entry point with its arguments, or with others, as the image's user."""
        words = [*self.setting("ENTRYPOINT"), *(arguments or self.setting("CMD"))]
        return spawn([*self._as_user(root), *words], log, env={"PATH": PATH[5:]}, cwd="/")

    def exec(self, root, *words):
        return subprocess.run([*self._as_user(root), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env={"PATH": PATH[5:]}, cwd="/", check=False)

    # --- every step ---------------------------------------------------------------------------------------------------

    def lay_out(self, folder, log, extra_binds=()):
        """Runs all steps; returns the last stage's root. Output goes to the file `log`."""
        base = pathlib.Path(folder) / "base"
        roots = {}
        for index, stage in enumerate(self.stages):
            if not base.exists():
                _logged(["debootstrap", "--variant=minbase", BASE[stage.base], base, *_mirror()], log)
                _borrow_apt(base)
            root = roots[stage.name] = pathlib.Path(folder) / f"stage{index}"
            _logged(["cp", "-a", base, root], log)
            directory = "/"
            for word, rest in stage.steps:
                if word == "WORKDIR":
                    directory = rest
                elif word == "COPY":
                    _copy(rest, root, log)
                else:
                    self._step(rest, root, directory, roots, log, extra_binds)
        return root

    @staticmethod
    def _step(command, root, directory, roots, log, extra_binds):
        binds = [str(word) for word in extra_binds]
        while found := re.match(r"--mount=(\S+)\s+", command):
            options = dict(option.split("=", 1) for option in found.group(1).split(","))
            assert options["type"] == "bind", options
            binds += [str(roots[options["from"]]) + options["source"], options["target"]]
            command = command[found.end():]
        _logged(["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c", STEP, "step", root,
                 directory, command, *binds], log, env={"PATH": PATH[5:], "DEBIAN_FRONTEND": "noninteractive", **{
                     name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}})


def final_stage(folder, package):
    """A root with the package's files, its user, and the libraries that the program is linked with here."""
    root = pathlib.Path(folder) / "root"
    subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    linked = subprocess.run(["ldd", root / "usr/bin/leasehold"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for library in re.findall(r"(/\S+) \(0x", linked) + glob.glob("/lib/*-linux-gnu/libnss_files.so.2"):
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(library), target)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nleasehold:x:990:990::/var/lib/leasehold:/usr/sbin/nologin\n")
    (root / "etc/group").write_text("root:x:0:\nleasehold:x:990:\n")
    for directory in ("run/leasehold", "var/lib/leasehold"):
        (root / directory).mkdir(parents=True)
        os.chown(root / directory, 990, 990)
    os.chown(root / "etc/leasehold", 0, 990)
    return root


def _logged(words, log, **options):
    with open(log, "ab") as output:
        done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode:
        with open(log, errors="replace") as file:
            raise AssertionError(f"{' '.join(map(str, words[-3:]))} ended with {done.returncode}:\n{file.read()[-4000:]}")


def _copy(rest, root, log):
    """COPY within the context: git's files stand for what .dockerignore leaves."""
    source, target = shlex.split(rest)
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", source],
                            stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        file = root / target.lstrip("/") / (name if source == "." else "")
        if (ROOT / name).is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, file)


def _mirror():
    """Where this machine's own apt gets Debian from."""
    printed = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"], stdout=subprocess.PIPE, text=True,
                             check=False).stdout.split()
    return [site for site in printed if "security" not in site][:1]


def _borrow_apt(base):
    """This machine's sources and proxies, and its resolver."""
    shutil.copytree("/etc/apt", base / "etc/apt", dirs_exist_ok=True, symlinks=True)
    shutil.copy(os.path.realpath("/etc/resolv.conf"), base / "etc/resolv.conf")
