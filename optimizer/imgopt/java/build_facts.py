"""What a build file tells of the archive that its build makes, and how its values are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from imgopt.errors import ContextError
from imgopt.files.opening import read_file
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

FILE_LIMIT = 4 * 1024 * 1024  # bytes of one build file; a larger one was not written by a person
LINE_LIMIT = 4096  # characters of one line, each of which is looked at from many places
#: What a module that Gradle builds has.
BUILD_FILES = ("build.gradle", "build.gradle.kts")
_PLAIN_VERSION = regex(r"\d+\.\d+(?:\.\d+)?(?:[.-][0-9A-Za-z]+)*")
_JAVA = regex(r"(?:1\.)?(\d{1,2})(?:\.0)?")


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """One module's build. None everywhere: the files do not tell.

    ``path``: its build file; ``artifact``: what the build makes, relative to the module
    (``target/app-1.0.jar``); ``java_major``: level of the class files; ``layered``: whether the archive has a layer
    index; ``executable``: whether a launch script stands in front of it; ``libraries``: the module's own
    dependencies that end up in the archive, ``group:artifact`` or ``group:artifact:version``; ``loader``:
    "classic" where the old launcher was asked for; ``modules``: folders of the modules below it; ``layout``: as
    Maven names it ("ZIP": PropertiesLauncher); ``repackaged``: whether Spring Boot's plugin makes the archive;
    ``plain``: whether Gradle makes a ``-plain`` archive beside it; ``name``: Maven's artifactId, Gradle's ``rootProject.name`` or the name of the subproject.
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
    plain: bool | None = None
    name: str | None = None


def read_bounded(path: Path, root: Path, limit: int = FILE_LIMIT) -> bytes | None:
    """The bytes of a build file inside `root`; None when it is not there, leads out or is no file.

    Raises ContextError when it cannot be read or is larger than `limit` bytes.
    """
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root.resolve()) or not real.is_file():
            return None
        data = read_file(real, limit + 1)
    except (FileNotFoundError, NotADirectoryError, RuntimeError, ValueError):
        return None
    except OSError as error:
        raise ContextError(
            f"cannot be read: {error.strerror}", "change its permissions", path=str(path)
        ) from error
    if len(data) > limit:
        raise ContextError(f"larger than {limit:,} bytes", "no build file is that large", path=str(path))
    return data


def first_long_line(text: str) -> int | None:
    """The number of the first line that is longer than `LINE_LIMIT`."""
    lines = text.split("\n")
    return next((number for number, line in enumerate(lines, 1) if len(line) > LINE_LIMIT), None)


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
