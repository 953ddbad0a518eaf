"""What a Maven or Gradle build says of the archive it makes, for when no jar is built yet.

Nothing is run and nothing is fetched: only files in the repository are read (`imgopt.java.pom`,
`imgopt.java.gradle`). A fact that they do not tell is None; a fact that a command line option or a profile could
change is what a plain build gives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from imgopt.java.build_facts import BuildFacts


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
        from imgopt.java.gradle import BUILD_FILES, read_gradle

        for name in BUILD_FILES:
            if (directory / name).is_file():
                return read_gradle(directory / name, root)
    return None


# --- shared by the two readers ---------------------------------------------------------------------------------
