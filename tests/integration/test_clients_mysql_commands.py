# SPDX-License-Identifier: Apache-2.0
"""Command lines of MariaDB and MySQL and sysbench, directly and through leasehold with three busy sessions beside them, on
both servers."""
import contextlib
import os
import re

import pytest
from clients import run
from mysql_clients import connect, sides  # noqa: F401
from processes import temp_dir
from sid import MySQL97, for_tests

SCRIPT = """
CREATE TABLE notes (id int AUTO_INCREMENT PRIMARY KEY, body text) ENGINE=InnoDB;
BEGIN; INSERT INTO notes (body) VALUES ('kept'); COMMIT;
BEGIN; INSERT INTO notes (body) VALUES ('undone'); ROLLBACK;
SELECT * FROM nowhere;
SET @x = 5; SET SESSION group_concat_max_len = 4321; CREATE TEMPORARY TABLE mine (a int);
INSERT INTO mine VALUES (@x);
SELECT a, @x, @@group_concat_max_len FROM mine;
DELIMITER //
CREATE PROCEDURE twice (IN a int, OUT b int) BEGIN SELECT a; SET b = a * 2; END//
DELIMITER ;
CALL twice(21, @y); SELECT @y;
USE annex;
SELECT database();
USE shop;
LOAD DATA LOCAL INFILE '{lines}' INTO TABLE notes (body);
SELECT count(*), max(body) FROM notes;
PREPARE s FROM 'SELECT ? + 1'; SET @a = 41; EXECUTE s USING @a; DEALLOCATE PREPARE s;
XA START 'x'; INSERT INTO notes (body) VALUES ('in two phases'); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x';
SELECT body FROM notes ORDER BY id DESC LIMIT 1;
"""


def mariadb(side, program="mariadb"):
    return [program, "--no-defaults", f"-h{side.host}", f"-P{side.port}", f"-u{side.user}", f"--password={side.password}",
            "--skip-ssl"]


def mysql(side, program="mysql"):
    server = for_tests("MySQL's command line", lambda: MySQL97(start=False))
    server.close()
    return [*server.program(program), "--no-defaults", f"--plugin-dir={server.root}/usr/lib/mysql/plugin",
            f"--character-sets-dir={server.root}/usr/share/mysql/charsets", f"-h{side.host}", f"-P{side.port}",
            f"-u{side.user}", f"--password={side.password}", "--ssl-mode=DISABLED", "--get-server-public-key"]


@pytest.mark.parametrize("client", [mariadb, mysql], ids=lambda client: client.__name__)
def test_a_command_line_runs_a_script_the_same(sides, client):  # noqa: F811
    lines = os.path.join(temp_dir(), "lines")
    with open(lines, "w") as file:
        file.writelines(f"line {i:05}\n" for i in range(3000))
    told = []
    for side in sides:
        done = run([*client(side), "--force", "--local-infile=1", "-t", "shop"], input=SCRIPT.replace("{lines}", lines))
        errors = re.sub(r"^.*\[Warning\].*\n", "", done.stderr, flags=re.MULTILINE)
        told.append((done.stdout, errors, side.query("SELECT count(*) FROM notes")))
    assert told[0] == told[1]
    assert "ERROR 1146" in told[0][1] and told[0][1].count("ERROR") == 1, told[0][1]
    assert "in two phases" in told[0][0] and told[0][2] == [(3002,)]


def test_a_dump_is_the_same_and_can_be_read_in(sides):  # noqa: F811
    dumps = []
    for side in sides:
        side.query("CREATE TABLE many (id int AUTO_INCREMENT PRIMARY KEY, v varchar(100), b blob) ENGINE=InnoDB")
        side.query("INSERT INTO many (v, b) VALUES ('Grüße 🎉', x'00ff27'), (NULL, ''), ('it''s', 'b')")
        for _ in range(10):
            side.query("INSERT INTO many (v, b) SELECT v, b FROM many")
        with contextlib.closing(connect(side)) as owner, owner.cursor() as cursor:
            cursor.execute("CREATE VIEW some AS SELECT id FROM many WHERE v IS NULL")
        for options in (["--single-transaction", "--quick"], ["--lock-tables", "--skip-extended-insert"]):
            done = run([*mariadb(side, "mariadb-dump"), *options, "--hex-blob", "--skip-dump-date", "--no-tablespaces",
                        "shop"])
            assert done.returncode == 0, done.stderr
            dumps.append(re.sub(r"^-- .*$", "", done.stdout, flags=re.MULTILINE))
        again = run([*mariadb(side), "shop"], input="USE annex;\n" + dumps[-2])
        assert again.returncode == 0, again.stderr
        assert side.query("SELECT count(*), count(v), hex(max(b)) FROM annex.many") == [(3072, 2048, "62")]
    assert dumps[:2] == dumps[2:]


def test_the_administrators_program_asks_the_server(sides):  # noqa: F811
    for side in sides:
        for words, wanted in ((["ping"], "mysqld is alive"), (["status"], "Uptime"), (["version"], "Server version"),
                              (["processlist"], "app"), (["variables"], "max_allowed_packet")):
            done = run([*mariadb(side, "mariadb-admin"), *words])
            assert done.returncode == 0 and wanted in done.stdout, (side.name, words, done.stdout[-500:], done.stderr)


def test_compressed_command_lines(sides):  # noqa: F811
    for side in sides:
        commands = [[*mariadb(side), "--compress"], [*mysql(side), "--compression-algorithms=zlib"]]
        if side.name == "leasehold" or side.kind == "mysql":  # leasehold has it before MariaDB too
            commands.append([*mysql(side), "--compression-algorithms=zstd"])
        for command in commands:
            done = run([*command, "-N", "-B", "-e", "SELECT length(repeat('x', 1000000)), repeat('y', 2000)", "shop"])
            assert (done.returncode, done.stdout) == (0, f"1000000\t{'y' * 2000}\n"), (side.name, done.stderr)


@pytest.mark.parametrize("prepared", ["disable", "auto"])
def test_sysbench_runs_without_an_error(sides, prepared):  # noqa: F811
    for side in sides:
        common = ["sysbench", "--db-driver=mysql", f"--mysql-host={side.host}", f"--mysql-port={side.port}",
                  f"--mysql-user={side.user}", f"--mysql-password={side.password}", "--mysql-db=shop", "--tables=2",
                  "--table-size=500", f"--db-ps-mode={prepared}", "--threads=6", "--time=100"]  # a limit: the events count
        for test, words in (("oltp_read_write", ["prepare"]), ("oltp_point_select", ["--events=3000", "run"]),
                            ("oltp_read_write", ["--events=150", "--mysql-ignore-errors=1213,1020", "run"]),
                            ("oltp_read_write", ["cleanup"])):
            done = run([*common, test, *words])
            assert done.returncode == 0 and "FATAL" not in done.stdout, (side.name, test, done.stdout[-2000:], done.stderr)
            events = re.search(r"total number of events: +(\d+)", done.stdout)
            assert words[-1] != "run" or int(events[1]) >= int(words[0].split("=")[1]), done.stdout
