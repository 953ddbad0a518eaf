"""What a Maven or Gradle build says of the archive it makes, for when no jar is built yet.

Nothing is run and nothing is fetched: only files in the repository are read (`imgopt.java.pom`,
`imgopt.java.gradle`). A fact that they do not tell is None; a fact that a command line option or a profile could
change is what a plain build gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename, dirname
from typing import Literal

from imgopt.errors import ContextError

FILE_LIMIT = 4 * 1024 * 1024  # bytes of one build file; a larger one was not written by a person
_PLAIN_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?(?:[.-][0-9A-Za-z]+)*")
_JAVA = re.compile(r"(?:1\.)?(\d{1,2})(?:\.0)?")


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """One module's build. None everywhere: the files do not tell.

    ``path``: its build file; ``artifact``: what the build makes, relative to the module
    (``target/app-1.0.jar``); ``java_major``: level of the class files; ``layered``: whether the archive has a layer
    index; ``executable``: whether a launch script stands in front of it; ``libraries``: the module's own
    dependencies that end up in the archive, ``group:artifact`` or ``group:artifact:version``; ``loader``:
    "classic" where the old launcher was asked for; ``modules``: folders of the modules below it; ``layout``: as
    Maven names it ("ZIP": PropertiesLauncher); ``repackaged``: whether Spring Boot's plugin makes the archive;
    ``name``: Maven's artifactId, Gradle's ``rootProject.name`` or the name of the subproject.
    """

    path: str
    tool: Literal["maven", "gradle"]
    spring_boot: str | None = None
    java_major: int | None = None
    artifact: str | None = None
    packaging: Literal["jar", "war", "pom"] = "jar"
    layered: bool | None = None
    executable: bool | None = None
    libraries: tuple[str, ...] = ()
    loader: Literal["classic"] | None = None
    modules: tuple[str, ...] = ()
    layout: str | None = None
    main_class: str | None = None
    repackaged: bool | None = None
    name: str | None = None


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


def read_bounded(path: Path, root: Path, limit: int = FILE_LIMIT) -> bytes | None:
    """The bytes of a build file inside `root`; None when it is not there, leads out or is no file.

    Raises ContextError when it cannot be read or is larger than `limit` bytes.
    """
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root.resolve()) or not real.is_file():
            return None
        with real.open("rb") as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError, RuntimeError, ValueError):
        return None
    except OSError as error:
        raise ContextError(
            f"cannot be read: {error.strerror}", "change its permissions", path=str(path)
        ) from error
    if len(data) > limit:
        raise ContextError(
            f"larger than {limit // 1024**2} MiB", "no build file is that large", path=str(path)
        )
    return data


def plain_version(text: str | None) -> str | None:
    """A version that says exactly one release, or None (ranges, ``latest``, variables left)."""
    text = (text or "").strip()
    return text if _PLAIN_VERSION.fullmatch(text) else None


def java_level(text: str | None) -> int | None:
    """``1.8``, ``8``, ``17`` or ``17.0`` as a number."""
    match = _JAVA.fullmatch((text or "").strip())
    return int(match[1]) if match else None


def layered_by_default(spring_boot: str | None, packaging: str) -> bool | None:
    """Whether the plugin of this version writes a layer index unasked: jars since 2.4, wars since 2.5."""
    match = re.match(r"(\d+)\.(\d+)", spring_boot or "")
    if match is None:
        return None
    return (int(match[1]), int(match[2])) >= ((2, 5) if packaging == "war" else (2, 4))


def as_bool(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get((text or "").strip().lower())
