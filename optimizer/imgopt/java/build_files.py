"""What a Maven or Gradle build says of the archive it makes, for when no jar is built yet.

Nothing is run and nothing is fetched: only files in the repository are read (`imgopt.java.pom`,
`imgopt.java.gradle`). A fact that they do not tell is None; a fact that a command line option or a profile could
change is what a plain build gives.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from imgopt.errors import ContextError
from imgopt.java.build_facts import BUILD_FILES, BuildFacts

#: What a build of several modules has in the directory above them.
_OF_REACTORS = ("pom.xml", "settings.gradle", "settings.gradle.kts")
_MOST_ABOVE = 8


def read_build_files(
    directory: Path, root: Path, tool: Literal["maven", "gradle"] | None = None
) -> BuildFacts | None:
    """The facts of the module in `directory`; None when it has no build file.

    Parents, settings and catalogues are looked for up to `root`, never outside it, links followed. Where a module
    has both, `tool` chooses; Maven is taken otherwise. Raises ContextError when the module's own file cannot be
    read or understood; a parent that cannot be read tells nothing.
    """
    if tool != "gradle" and (directory / "pom.xml").is_file():
        from imgopt.java.pom import read_pom

        return read_pom(directory / "pom.xml", root)
    if tool != "maven":
        for name in BUILD_FILES:
            if (directory / name).is_file():
                from imgopt.java.gradle import read_gradle

                return read_gradle(directory / name, root)
    return None


def build_call(directory: Path) -> str:
    """The command that builds a module's archive; "" where the files do not tell. A wrapper, the nearest, is taken before
    what has to be installed."""
    try:
        directory = directory.resolve()
        top = repository_of(directory)
        for above in (directory, *directory.parents):
            if (above / "mvnw").is_file():
                return "./mvnw package"
            if (above / "gradlew").is_file():
                return f"./gradlew {_gradle_task(directory, top)}"
            if above == top:
                break
        if (directory / "pom.xml").is_file():
            return "mvn package"
        if any((directory / name).is_file() for name in BUILD_FILES):
            return f"gradle {_gradle_task(directory, top)}"
    except (OSError, RuntimeError):  # a loop of links
        pass
    return ""


def _gradle_task(directory: Path, root: Path) -> str:
    """`build` makes a ``-plain`` archive beside the application's."""
    try:
        facts = read_build_files(directory, root, "gradle")
    except ContextError:
        facts = None
    return "build" if facts is not None and facts.repackaged is False else "bootJar"


def repository_of(directory: Path) -> Path:
    """Up to where the build files of a project are looked for: where its checkout begins, and without one the highest
    directory of those above each other that hold build files."""
    top = directory.resolve()
    for above in (top, *top.parents):
        if os.path.lexists(above / ".git"):
            return above
    for above in top.parents[:_MOST_ABOVE]:
        if not any((above / name).is_file() for name in _OF_REACTORS):
            break
        top = above
    return top
