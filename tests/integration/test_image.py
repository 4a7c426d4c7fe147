# SPDX-License-Identifier: Apache-2.0
"""The container image, where no engine runs: the Dockerfile's last stage laid out into a folder and its process run in a
chroot of it, as the user that it names; under --long every step of the Dockerfile, in roots made by debootstrap."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import time
import urllib.request

import psycopg2
import pytest

from image import Dockerfile, final_stage
from package import build_package
from processes import end_process, free_port, wait_until
from skips import skip_loudly

CONSOLE = {"users": ["app"]}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    if os.geteuid() != 0:
        skip_loudly("the image", "chroot needs root")
    folder = tmp_path_factory.mktemp("image")
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == 0 and str(parent).startswith(("/tmp/", str(os.environ.get("LEASEHOLD_TMP", "/tmp/")))):
            parent.chmod(0o755)  # the image's user must get in
    yield final_stage(folder, build_package(folder))
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def container(root, postgres, app):
    """The image's own process, with a file as its documentation says."""
    port, http = free_port(), free_port()
    file = root / "etc/leasehold/leasehold.yaml"
    file.write_text(json.dumps({
        "listen": [{"dialect": "postgresql", "address": f"127.0.0.1:{port}"}],
        "pools": {"orders": {"url": postgres.url("orders", *app)}}, "admin": {**CONSOLE, "http": f"127.0.0.1:{http}"}}))
    os.chown(file, 0, next(entry.stat().st_gid for entry in [root / "etc/leasehold"]))
    log = root / "log"
    process = Dockerfile().run(root, log)
    try:
        def serves():
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(psycopg2.OperationalError):
                return psycopg2.connect(host="127.0.0.1", port=port, dbname="orders", user=app[0], password=app[1])
            return None

        with contextlib.closing(wait_until(serves, 30, "the container serving", 0.05)) as connection:
            yield process, connection, http
    finally:
        end_process(process, signal.SIGTERM, 30)
        print(log.read_text()[-4000:])


def test_the_image_runs_as_its_user_and_serves_a_client(root, postgres, app):
    with container(root, postgres, app) as (process, connection, http):
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_database()")
            assert cursor.fetchone() == ("orders",)
        connection.commit()
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t0" not in status and "CapEff:\t0000000000000000" in status
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/healthz", timeout=20) as answer:
            assert answer.status == 200


def test_its_health_check_asks_the_daemon(root, postgres, app):
    dockerfile = Dockerfile()
    with container(root, postgres, app) as (process, _, _):
        done = dockerfile.exec(root, *dockerfile.setting("HEALTHCHECK"))
        assert done.returncode == 0, done.stdout
        end_process(process)
    assert dockerfile.exec(root, *dockerfile.setting("HEALTHCHECK")).returncode != 0


def test_its_stop_signal_drains(root, postgres, app):
    with container(root, postgres, app) as (process, connection, _):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            process.send_signal(signal.Signals[Dockerfile().setting("STOPSIGNAL")])
            time.sleep(0.3)
            assert process.poll() is None
            cursor.execute("SELECT 2")
            connection.commit()
        assert process.wait(30) == 0


@pytest.mark.skipif("LEASEHOLD_LONG" not in os.environ, reason="every step of the Dockerfile: tests/run --long")
def test_every_step_of_the_dockerfile(tmp_path, postgres, app):
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        skip_loudly("the Dockerfile's steps", "they need root and debootstrap (tests/support/install image)")
    tmp_path.parent.parent.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    tmp_path.chmod(0o755)
    try:
        root = Dockerfile().lay_out(tmp_path, tmp_path / "log")
        base = {path.relative_to(tmp_path / "base") for path in (tmp_path / "base").rglob("*")}
        added = [path for path in root.rglob("*") if path.relative_to(root) not in base and not path.is_symlink()]
        assert sum(path.stat().st_size for path in added if path.is_file()) < 40e6, "it is no small image any more"
        assert not (root / "usr/bin/g++").exists() and not (root / "source").exists()
        with container(root, postgres, app) as (_, connection, _), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            done = Dockerfile().exec(root, "/usr/bin/leasehold", "--version")
            assert done.returncode == 0 and done.stdout.startswith("leasehold ")
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)
