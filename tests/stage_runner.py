"""Carries out what a rewrite added, without a builder: the stage that unpacks the jar, in a directory of its own.

Instructions are split by BuildKit's own parser, words expanded as BuildKit does, RUN lines run by a real shell with
the real `jar` and `java`. Enough for stages that copy files in and run commands with relative paths.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import dockerfile as buildkit

from imgopt.dockerfile import expand, parse

PROGRAMS = "/usr/local/bin:/usr/bin:/bin"


def stage_of(text: str, name: str) -> list[buildkit.Command]:
    """The instructions of a stage behind its FROM."""
    found: list[buildkit.Command] = []
    inside = False
    for command in buildkit.parse_string(text):
        if command.cmd.upper() == "FROM":
            inside = command.value[-1] == name
        elif inside:
            found.append(command)
    return found


def words_of(command: buildkit.Command, text: str, variables: Mapping[str, str] | None = None) -> list[str]:
    """The arguments of a COPY, variables filled in and quotes removed."""
    escape = parse(text).escape
    words = [expand(word, variables or {}, escape).value for word in command.value]
    assert None not in words
    return [word or "" for word in words]


def carry_out(
    text: str, stage: str, context: Path, root: Path, shell: str, path: str = PROGRAMS
) -> subprocess.CompletedProcess[str] | None:
    """Copies and runs what the stage says below ``root``, which stands for its working directory. The result of the
    first RUN that fails, or of the last."""
    result = None
    variables: dict[str, str] = {}
    for command in stage_of(text, stage):
        keyword = command.cmd.upper()
        if keyword == "ARG":
            name, _, value = command.value[0].partition("=")
            variables[name] = expand(value, variables).value or ""
        elif keyword == "COPY":
            source, target = words_of(command, text, variables)
            shutil.copy(context / source, root / target)
        elif keyword == "RUN":
            (script,) = command.value
            assert not command.json and not command.heredocs
            environment = {"PATH": path, "LANG": "C.UTF-8", "HOME": str(root)} | variables
            result = subprocess.run(
                [shell, "-c", script], cwd=root, env=environment, capture_output=True, text=True, timeout=120
            )
            if result.returncode:
                return result
        else:
            assert keyword in ("WORKDIR", "USER"), keyword
    return result
