# SPDX-License-Identifier: Apache-2.0
"""What the shells offer, asked of the shells themselves."""
import os
import shutil
import subprocess
import time

import pytest
from conftest import PASSWORD, USER
from control import server, table
from leasehold import program, run_program
from servers import temp_dir
from skips import skip_loudly


@pytest.fixture
def daemon(leasehold, postgres):
    return leasehold(pools={"orders": {"url": postgres.url("orders", USER, PASSWORD)}})


COMPLETE = """
source <("$LEASEHOLD" completion bash)
complete -p leasehold >/dev/null || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
_leasehold leasehold "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words):
    """What bash offers for the last of these words of a command line."""
    done = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", program(), *words], capture_output=True, text=True,
                          check=False, env={**os.environ, "LEASEHOLD": program()}, timeout=30)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return [line for line in done.stdout.splitlines() if line]


def test_bash_completes_commands_options_and_words():
    assert {"show", "status", "pause", "run", "check"} <= set(completed(""))
    assert completed("sho") == ["show"]
    assert completed("--v") == ["--version"]
    assert completed("show", "--js") == ["--json"]
    assert completed("completion", "") == ["bash", "zsh", "fish"]
    assert completed("reference", "--format", "ma") == ["markdown"]
    assert completed("reference", "--format", "=", "sc") == ["schema"]
    assert completed("help", "pau") == ["pause"]
    assert "/etc/passwd" in completed("run", "--config", "/etc/pass")


def test_every_command_of_the_help_is_completed():
    told = {line.split()[0] for line in run_program("--help").stdout.partition("Subcommands:")[2].splitlines()
            if line.startswith("  ") and line.strip()}
    assert told and told == set(completed(""))


def test_bash_completes_the_running_daemons_tables_and_pools(daemon):
    with daemon.connect("orders", USER, PASSWORD):
        assert completed("show", "--socket", daemon.control_socket, "po") == ["pools"]
        assert completed("pause", "--socket", daemon.control_socket, "") == ["orders"]
        assert completed("pause", "--socket", daemon.control_socket, "--timeout", "5s", "o") == ["orders"]
        assert completed("pause", "--socket", daemon.control_socket, "orders", "") == []
    assert completed("show", "--socket", "/nonexistent", "") == []


def test_a_pool_whose_name_a_shell_would_run_is_not_offered():
    pools = table({"database": "text"}, [["orders"], ["$(touch /tmp/owned)"], ["`id`"], ["a b"], ["-x"], ["\x1b[31mred"]])
    with server(lambda _: pools) as (path, _):
        assert completed("pause", "--socket", path, "") == ["orders"]


def test_a_daemon_that_hangs_does_not_hold_the_shell_up():
    with server(lambda _: None) as (path, _):
        began = time.monotonic()
        assert completed("pause", "--socket", path, "") == []
        assert time.monotonic() - began < 5


def test_fish_completes_commands_and_words():
    if not shutil.which("fish"):
        skip_loudly("completion in fish", "it is not installed (tests/support/install clients)")
    script = run_program("completion", "fish").stdout

    def offered(line):
        done = subprocess.run(["fish", "--no-config", "-c", f"{script}\ncomplete -C '{line}'"], capture_output=True, text=True,
                              check=False, env={**os.environ, "HOME": temp_dir("lh-fish-")})
        assert done.returncode == 0, done.stderr
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    assert offered("leasehold sho") == ["show"]
    assert set(offered("leasehold completion ")) == {"bash", "zsh", "fish"}
    assert offered("leasehold show --js") == ["--json"]


ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -D -u; source $1; bindkey '^I' list-choices; setopt nolistbeep; print READY"
for i in {1..100}; do zpty -r -t shell line && text+=$line; [[ $text == *READY$'\\r'* ]] && break; sleep 0.05; done
text=
zpty -w -n shell "$2"$'\\t'
for i in {1..40}; do zpty -r -t shell line && text+=$line; sleep 0.05; done
print -r -- $text
"""


def test_zsh_completes_commands():
    if not shutil.which("zsh"):
        skip_loudly("completion in zsh", "it is not installed (tests/support/install clients)")
    path = os.path.join(temp_dir("lh-zsh-"), "_leasehold")
    with open(path, "w") as file:
        file.write(run_program("completion", "zsh").stdout)
    assert subprocess.run(["zsh", "-f", "-n", path], capture_output=True, check=False).stderr == b""
    done = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", path, "leasehold kill"], capture_output=True, text=True, check=False,
                          timeout=60, env={**os.environ, "HOME": os.path.dirname(path), "TERM": "xterm"})
    assert "kill-client" in done.stdout, done.stdout + done.stderr
