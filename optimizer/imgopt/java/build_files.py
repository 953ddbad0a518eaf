"""What a Maven or Gradle build says of the archive it makes, for when no jar is built yet.

Nothing is run and nothing is fetched: only files in the repository are read (`imgopt.java.pom`,
`imgopt.java.gradle`). A fact that they do not tell is None; a fact that a command line option or a profile could
change is what a plain build gives.
"""

from __future__ import annotations

from pathlib import Path
from posixpath import basename, dirname
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


def jar_path_matches(facts: BuildFacts, source: str) -> bool:
    """Whether a COPY source, perhaps a glob, names the archive that this build makes.

    The context may be the module, a folder above it or the output folder, so only the end of the path is compared:
    the file's name, the output folder and the module's folder, as far as the source has them. A file copied
    elsewhere by a script (``jar/app.jar``) counts when its name is exactly the archive's.
    """
    from imgopt.build_context.patterns import BadPattern, glob_match, has_wildcard

    if facts.packaging == "pom":
        return False
    source = source.rstrip("/").removeprefix("./").lstrip("/")
    *folders, name = source.split("/")
    output = (dirname(facts.artifact) if facts.artifact else _output_of(facts)).split("/")
    module = Path(facts.path).parent.name
    expected = [part for part in (module, *output) if part not in ("", ".", "..")]

    def match(pattern: str, text: str) -> bool:
        try:
            return glob_match(pattern, text)
        except BadPattern:
            return False

    placed = all(
        match(folder, part) for folder, part in zip(reversed(folders), reversed(expected), strict=False)
    )
    if facts.artifact is None:
        suffix = f".{facts.packaging}"
        return placed and bool(folders) and has_wildcard(name) and match(name, f"any-1.0{suffix}")
    file = basename(facts.artifact)
    if not match(name, file):
        return False
    return placed or name == file


def _output_of(facts: BuildFacts) -> str:
    return "target" if facts.tool == "maven" else "build/libs"


# --- shared by the two readers ---------------------------------------------------------------------------------
