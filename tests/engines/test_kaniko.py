"""kaniko's flags: what imgopt sets for the fork that is maintained, what it refuses, and what it says.

The fork's module cannot be had from the Go proxy that the tests use, so a small program stands for its executor: it says the
fork's version, notes its arguments and environment, and fails. What the real fork makes of them was measured by hand
(its source of August 2026, after 1.28.3); everything else about kaniko is tested with the real, archived executor.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import tools
from builders import project

from imgopt.engines import BuildError, BuildRequest, EngineError, open_engine
from imgopt.engines.kaniko_version import PRESERVE
from imgopt.errors import UsageError

FORK = f"""\
#!/bin/sh
# reads {PRESERVE}
if [ "$1" = version ]; then echo "Kaniko version :  v1.28.3"; exit; fi
echo "arguments: $*"
env | grep KANIKO
exit 1
"""


@pytest.fixture
def fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(PRESERVE, raising=False)
    program = tmp_path / "executor"
    program.write_text(FORK)
    program.chmod(0o755)
    return program


def asked(executor: Path, tmp_path: Path, *flags: str) -> str:
    """What the executor was told. Its chroot has no shell: the program is asked where it runs, without one."""
    from imgopt.engines import kaniko, kaniko_root

    told: list[str] = []
    with (
        pytest.MonkeyPatch.context() as patch,
        open_engine("kaniko", kaniko=str(executor), kaniko_flags=flags) as engine,
    ):
        patch.setattr(kaniko_root, "_ENTER", 'executor=$2; shift 4; exec "$executor" "$@"')
        context = project(tmp_path / "app", "FROM scratch\n")
        assert isinstance(engine, kaniko.KanikoEngine)
        with pytest.raises(BuildError):
            engine.build(BuildRequest(context, context / "Dockerfile", line=told.append), "one")
    return "\n".join(told)


def test_the_fork_is_told_to_keep_digests_and_the_base(fork: Path, tmp_path: Path) -> None:
    told = asked(fork, tmp_path)
    assert " --reproducible" in told
    assert f"{PRESERVE}=true" in told
    with open_engine("kaniko", kaniko=str(fork)) as engine:
        assert engine.steady is None
        assert [each.partition(":")[0] for each in engine.sets] == ["--reproducible", f"{PRESERVE}=true"]
        assert engine.description == "kaniko 1.28.3 in a chroot --reproducible"


def test_who_does_not_want_it_gets_it_said(fork: Path, tmp_path: Path) -> None:
    told = asked(fork, tmp_path, "--reproducible=false")
    assert " --reproducible=false" in told
    assert PRESERVE not in told
    with open_engine("kaniko", kaniko=str(fork), kaniko_flags=["--reproducible=false"]) as engine:
        assert engine.steady
        assert engine.sets == ()


def test_the_archived_kaniko_says_what_its_way_round_costs(kaniko: object) -> None:
    executor = str(tools.tool("executor"))
    with open_engine("kaniko", kaniko=executor) as engine:
        assert engine.description == "kaniko 1.24.0 in a chroot"
        assert engine.steady is not None
        assert "--kaniko-flag=--reproducible" in engine.steady
        assert "rewrites the base's layers" in engine.steady
        assert engine.sets == ()
    with open_engine("kaniko", kaniko=executor, kaniko_flags=["--reproducible"]) as engine:
        assert engine.steady is None
        assert engine.description.endswith("--reproducible (rewrites the base's layers too)")


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--single-snapshot", "it puts all instructions into one layer, which changes with every release"),
        (
            "--single-snapshot=true",
            "it puts all instructions into one layer, which changes with every release",
        ),
        ("--destination=example.org/app:1", "nothing is pushed while imgopt measures"),
        ("--tar-path=/image.tar", "imgopt reads the image from an OCI layout"),
        ("--no-push=false", "imgopt sets it: nothing is pushed while it measures"),
    ],
)
def test_flags_that_would_undo_it_are_refused(flag: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_engine("kaniko", kaniko="/no/matter", kaniko_flags=["--cache-copy-layers", flag])
    assert refused.value.exit_code == 2
    assert str(refused.value) == f"kaniko's {flag.partition('=')[0]} is refused: {said}; leave it out"


def test_a_value_apart_from_its_flag() -> None:
    with pytest.raises(UsageError, match="write a flag and its value in one"):
        open_engine("kaniko", kaniko_flags=["--verbosity", "debug"])


def test_an_executor_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as failed:
        open_engine("kaniko", kaniko=f"{tmp_path}/executor")
    assert str(failed.value) == f"there is no kaniko executor {tmp_path}/executor; correct --kaniko"


def test_a_program_that_is_no_executor(tmp_path: Path) -> None:
    program = tmp_path / "executor"
    program.write_text("#!/bin/sh\necho what >&2\nexit 9\n")
    program.chmod(0o755)
    with pytest.raises(EngineError, match="failed: what"):
        open_engine("kaniko", kaniko=str(program))
