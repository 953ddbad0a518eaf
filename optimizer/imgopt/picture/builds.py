"""Which RUN of a stage builds the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.dockerfile import Instruction
from imgopt.java.building import BUILD_TOOLS, JAVA_TOOLS

if TYPE_CHECKING:
    from imgopt.picture.picture import Picture

_OTHER_TOOLS = frozenset(
    {
        "cargo",
        "cmake",
        "dotnet",
        "go",
        "lerna",
        "make",
        "npm",
        "npx",
        "nx",
        "pip",
        "pip3",
        "pnpm",
        "poetry",
        "yarn",
    }
)


def build_command(picture: Picture) -> Instruction | None:
    """The first RUN of the final stage's lineage that calls a build tool."""
    return next(
        (
            instruction
            for instruction, text in picture.commands()
            if isinstance(instruction, Instruction) and instruction.keyword == "RUN" and builds(text)
        ),
        None,
    )


def builds(text: str) -> bool:
    """Whether shell text calls a build tool."""
    return any(program in BUILD_TOOLS or program in _OTHER_TOOLS for program in _programs(text))


def builds_java(text: str) -> bool:
    """Whether shell text calls Maven, Gradle or the like, or a compiler."""
    return any(program in JAVA_TOOLS for program in _programs(text))


def _programs(text: str) -> list[str]:
    found: list[str] = []
    for command in shell.parse(text).commands:
        if command.program is None:
            continue
        found.append(command.program)
        if command.program in ("sh", "bash") and command.args:
            # `sh gradlew build`, `sh -c "mvn package"`
            first = command.args[0].literal or ""
            if first.startswith("-") and len(command.args) > 1:
                found += _programs(command.args[-1].literal or "")
            else:
                found.append(first.rsplit("/", 1)[-1])
        elif command.program in ("env", "sudo", "time", "exec"):
            found += [(word.literal or "").rsplit("/", 1)[-1] for word in command.args]
    return found
