"""The templates for CI run shells with values that a pipeline gives them: a branch, a tag, a file of a pull request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile import NAMES, UNSEEN, names, run_in
from hypothesis import HealthCheck, given, settings

ROOT = Path(__file__).parents[2]


class _Gitlab(yaml.SafeLoader):
    """With ``!reference [job, key]``, as GitLab fills it in."""


_Gitlab.add_constructor("!reference", lambda loader, node: tuple(loader.construct_sequence(node)))
GITLAB = yaml.load((ROOT / "ci" / "gitlab.yml").read_text(), _Gitlab)
ACTION = {step["name"]: step for step in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]}
SHELLS = ("/bin/dash", "/bin/bash")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """`imgopt`, `python3` and kaniko's executor are noted down; each call is a line of words that a NUL ends."""
    for place in ("bin", "imgopt/bin"):
        (tmp_path / place).mkdir(parents=True)
        for name in ("imgopt", "python3", "executor"):
            program = tmp_path / place / name
            program.write_text(
                '#!/bin/sh\nprintf \'%s\\0\' "$@" >> "$NOTES"\n'
                'for last; do :; done; if [ "$last" = - ]; then cat >> "$NOTES"; printf \'\\0\' >> "$NOTES"; fi\n'
                "printf '\\036\\0' >> \"$NOTES\"\n"
                'while [ $# -gt 1 ]; do if [ "$1" = --tar-path ]; then : > "$2"; fi; shift; done\n'
            )
            program.chmod(0o755)
    (tmp_path / "work").mkdir()
    return tmp_path


def calls(machine: Path, shell: str, script: str, **variables: str) -> list[list[str]]:
    notes, work = machine / "notes", machine / "work"
    notes.write_bytes(b"")
    path = f"{machine}/bin:/usr/bin:/bin"
    done = run_in(
        shell,
        script,
        work,
        PATH=path,
        NOTES=str(notes),
        RUNNER_TEMP=str(machine),
        HOME=str(machine / "home"),
        **variables,
    )
    assert done.returncode == 0, done
    assert [*work.rglob("PWNED*")] == []
    noted = os.fsdecode(notes.read_bytes()).split("\x1e\0")[:-1]
    return [each.split("\0")[:-1] for each in noted]


def steps_of(job: str, key: str) -> list[str]:
    """The lines of a job's script, those of the job that it extends where it has none."""
    lines: list[Any] = GITLAB[job].get(key) or steps_of(GITLAB[job]["extends"], key)
    return [step for each in lines for step in (steps_of(*each) if isinstance(each, tuple) else (str(each),))]


def gitlab(machine: Path, job: str, shell: str, **variables: str) -> list[list[str]]:
    before = ".imgopt" if job == ".imgopt-build" else job  # kaniko's own image has no Python
    steps = [*steps_of(before, "before_script"), *steps_of(job, "script")]
    defaults = {name: str(value) for name, value in GITLAB["variables"].items()}
    given = {
        "CI_PROJECT_DIR": str(machine / "work"), "CI_REGISTRY": "registry.example", "CI_REGISTRY_IMAGE": "registry.example/team",
        "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p", "CI_COMMIT_SHORT_SHA": "abc1234",
    }  # fmt: skip
    script = "\n".join(["set -e", *steps]).replace("/kaniko/executor", "executor")
    return calls(machine, shell, script, **{**defaults, **given, **variables})


def check(machine: Path, name: str) -> None:
    """A colon or an at sign begins what a name may not have: a tag, a digest."""
    name = name.replace(":", ";").replace("@", "&")
    project = str(machine / "work")
    values = {
        "IMGOPT_NAME": name,
        "IMGOPT_CONTEXT": name,
        "CI_REGISTRY_IMAGE": f"r/{name}",
        "CI_REGISTRY_PASSWORD": name,
    }
    for shell in SHELLS:
        built = gitlab(machine, ".imgopt-build", shell, **values)[-1]
        assert built[-1] == f"r/{name}/{name}:abc1234" and f"{project}/{name}.tar" in built
        assert f"dir://{project}/{name}" in built
        gated = gitlab(machine, ".imgopt-gate", shell, **values, IMGOPT_GATE_OPTIONS="--max-size 2MB")[-1]
        assert gated[-4:] == ["--max-size", "2MB", "--", f"{name}={name}.tar"]
        pushed = gitlab(machine, ".imgopt-push", shell, **values)[-1]
        assert pushed == ["push", "--", f"{name}.tar", f"r/{name}/{name}:abc1234"]
        several = {"IMGOPT_NAMES": name, "IMGOPT_SIBLINGS": name, "CI_REGISTRY_IMAGE": "r/team"}
        together = gitlab(machine, ".imgopt-push-all", shell, **values | several)[-1]
        assert together[:2] == ["push", "--all"] and together[-2:] == ["--", "imgopt-push.txt"]
        assert all(word.startswith("--mount-from=r/team/") for word in together[2:-2])


@pytest.mark.parametrize("name", ["".join(NAMES[at : at + 8]) for at in range(0, len(NAMES), 8)])
def test_gitlab_jobs_take_names_for_names(name: str, machine: Path) -> None:
    check(machine, name)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=names(slash=True).filter(lambda name: max(name) < "\ud800"))
def test_gitlab_jobs_take_any_name(name: str, machine: Path) -> None:
    (machine / "home").mkdir(exist_ok=True)
    check(machine, name)


@pytest.mark.parametrize(
    "name", [*NAMES, *(each for each in UNSEEN if "\n" not in each and "\udcff" not in each)]
)
def test_the_actions_inputs_are_words(name: str, machine: Path) -> None:
    if not name.strip():
        return
    bash = "/bin/bash"
    found = calls(machine, bash, ACTION["Suggest"]["run"], PATHS=f"{name}\n\nb", FAIL_ON=name)
    assert found == [["suggest", "--format", "github", f"--fail-on={name}", "--", name, "b"]]
    outputs = {"GITHUB_OUTPUT": "/dev/null"}
    found = calls(machine, bash, ACTION["Gate"]["run"], TARGETS=name, OPTIONS=f"--max-size={name}", **outputs)
    assert found == [["gate", "--format", "github", f"--max-size={name}", "--", name]]
    image = name.replace(" ", "").replace("\t", "")
    lines = f"{image} r/{image}:1"
    found = calls(machine, bash, ACTION["Push"]["run"], PUSHES=lines, SIBLINGS=f"\n{image}\n")
    assert found == [
        ["push", "--all", *([f"--mount-from={image}"] if image else []), "--", "-", f"{lines}\n"]
    ]
