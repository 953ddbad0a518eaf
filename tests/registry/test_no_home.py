"""A container's numeric user has no entry in /etc/passwd, and often no HOME: nothing that is needed lies there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from push_command import Command
from registries import Registry
from test_push import pulled

WITHOUT_ENTRY = """
import pwd, sys

def getpwuid(number):
    raise KeyError(number)

pwd.getpwuid = getpwuid
from imgopt.cli import main
sys.exit(main())
"""


def test_a_user_without_a_home(
    release: Callable[..., Path],
    imgopt: Command,
    shared_registry: Registry,
    repository: str,
    tmp_path: Path,
) -> None:
    removed = ("HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG")
    environment = {key: value for key, value in imgopt.environment.items() if key not in removed}
    directory = tmp_path / "work"
    directory.mkdir()
    target = f"{shared_registry.name}/{repository}"
    for arguments in (("push", str(release(1)), f"{target}:1"), ("bandwidth", target, "--size", "200kB")):
        run = subprocess.run(
            [sys.executable, "-c", WITHOUT_ENTRY, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            cwd=directory,
        )
        assert run.returncode == 0, run.stderr
    pulled(shared_registry.name, repository, "1")
    assert not list(directory.iterdir())  # no directory called ~
