"""`imgopt completion`, in the shells that it is for: what follows a TAB."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imgopt.bandwidths import PROFILES
from imgopt.cli.app import COMMANDS
from imgopt_rules import EVERY_RULE

ROOT = Path(__file__).resolve().parents[2]
#: What is typed, and what all of its completions are: the same in every shell.
TYPED = {
    "imgopt sug": {"suggest"},
    "imgopt ": set(COMMANDS),
    "imgopt explain jdk": {"jdk-runtime"},
    "imgopt explain ": {rule.id for rule in EVERY_RULE},
    "imgopt suggest --form": {"--format"},
    "imgopt suggest --format j": {"json", "junit"},
    "imgopt suggest --select jdk-runtime,fat": {"jdk-runtime,fat-jar-layer"},
    "imgopt suggest --bandwidth ": {profile.name for profile in PROFILES},
    "imgopt gate --forbid jdk,root": {"jdk,root-user"},
    "imgopt fleet ga": {"gate"},
    "imgopt fleet push --tag 8 --fr": {"--from"},
    "imgopt fleet gate --max-f": {"--max-first-push"},
    "imgopt completion ": {"bash", "zsh", "fish"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with `imgopt` in its bin, and the scripts of all shells."""
    home = tmp_path_factory.mktemp("home")
    (home / "bin").mkdir()
    paths = os.pathsep.join(str(ROOT / each) for each in ("optimizer", "rules"))
    (home / "bin" / "imgopt").write_text(
        f'#!/bin/sh\nPYTHONPATH={paths} exec {sys.executable} -m imgopt "$@"\n'
    )
    (home / "bin" / "imgopt").chmod(0o755)
    (home / "zfunc").mkdir()
    for shell, path in (("bash", "imgopt.bash"), ("zsh", "zfunc/_imgopt"), ("fish", "imgopt.fish")):
        script = subprocess.check_output([home / "bin" / "imgopt", "completion", shell])
        (home / path).write_bytes(script)
    (home / "Dockerfile.one").write_text("FROM x\n")
    return home


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "TERM": "dumb", "LANG": "C.UTF-8"}


def _needs(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed (tests/prepare.sh)")
    return found


def run(home: Path, *command: str) -> str:
    return subprocess.run(
        command, cwd=home, env=environment(home), check=True, capture_output=True, text=True
    ).stdout


def in_bash(home: Path, typed: str) -> set[str]:
    """The function that the script binds to imgopt is asked as readline asks it."""
    words = typed.split(" ")
    script = f"""
        source {home}/imgopt.bash
        complete -p imgopt | grep -q -- '-o default' || exit 1
        COMP_WORDS=({" ".join(word or "''" for word in words)}) COMP_CWORD={len(words) - 1}
        $(complete -p imgopt | sed 's/.*-F \\([^ ]*\\).*/\\1/') imgopt
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return set(run(home, _needs("bash"), "--norc", "-c", script).split())


def in_fish(home: Path, typed: str) -> set[str]:
    lines = run(
        home, _needs("fish"), "--no-config", "-c", f"source {home}/imgopt.fish; complete -C '{typed}'"
    )
    return {line.partition("\t")[0] for line in lines.splitlines()}


def in_zsh(home: Path, typed: str) -> set[str]:
    """zsh completes nothing without a terminal: it gets one, and lists what compadd is given."""
    zsh = _needs("zsh")
    (home / ".zshrc").write_text(
        f"fpath=({home}/zfunc $fpath)\nautoload -U compinit; compinit -u -d {home}/.zcompdump\n"
        # what would be offered is printed, and the line is left as it is
        'compadd() { local -a found; builtin compadd -O found "$@"; builtin compadd "$@"; print -rl -- "OFFER:${^found[@]}" >&3 }\n'
        "bindkey '^I' complete-word; PROMPT=READY\n"
    )
    offers = home / "offers"
    offers.write_text("")
    leader, follower = pty.openpty()
    shell = subprocess.Popen(
        ["sh", "-c", f"exec {zsh} -i 3>>{offers}"],
        cwd=home,
        env={**environment(home), "TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    try:
        _read_until(leader, b"READY")
        os.write(leader, typed.encode() + b"\t")
        # zsh takes keys in turn: it has completed when it shows what is typed after the TAB
        os.write(leader, b"\x15echo DO''NE; exit\n")
        _read_until(leader, b"DONE")
    finally:
        os.close(leader)
        shell.wait()
    lines = offers.read_text().splitlines()
    return {line.removeprefix("OFFER:") for line in lines if line.removeprefix("OFFER:")}


def _read_until(leader: int, sign: bytes) -> None:
    """What the terminal shows, to the sign; a shell that never shows it fails the test."""
    seen = b""
    while sign not in seen:
        ready, _, _ = select.select([leader], [], [], 120)
        assert ready, seen
        seen += os.read(leader, 65536)


@pytest.mark.parametrize("complete", [in_bash, in_fish, in_zsh], ids=lambda function: function.__name__)
@pytest.mark.parametrize("typed", TYPED)
def test_what_follows_a_tab(typed: str, complete: Callable[[Path, str], set[str]], home: Path) -> None:
    assert complete(home, typed) == TYPED[typed]


def test_a_path_is_completed_by_the_shell(home: Path) -> None:
    """Where imgopt has nothing to offer the shell offers files: bash by `-o default`, fish and zsh when asked."""
    assert in_bash(home, "imgopt suggest Dockerfile.o") == set()
    assert in_fish(home, "imgopt suggest Dockerfile.o") == {"Dockerfile.one"}
    assert in_zsh(home, "imgopt suggest Dockerfile.o") == {"Dockerfile.one"}


def test_what_is_no_command_has_no_completion_and_no_error(home: Path) -> None:
    done = subprocess.run(
        [home / "bin" / "imgopt"],
        env={
            **environment(home),
            "_IMGOPT_COMPLETE": "complete_bash",
            "COMP_WORDS": "imgopt nosuch x",
            "COMP_CWORD": "2",
        },
        capture_output=True,
    )
    assert done.stdout.strip() == b"" and b"Traceback" not in done.stderr
