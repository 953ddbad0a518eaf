"""Looks through an application's sources for what it reads from the project it was built in.

An application that runs where it was built finds the project around it: ``src/main/resources`` beside the jar, the
``pom.xml``, the working directory as such. Nothing is parsed; a mention counts, be it in a comment. So an answer of
None is a fact about the sources, and any other answer may be a false alarm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from imgopt.files.opening import read_file
from imgopt.light.patterns import regex

#: Sources of more files or bytes than these are not looked through; a service has hundreds of files.
MOST_FILES = 5_000
MOST_BYTES = 64 * 1024 * 1024
MOST_BYTES_OF_A_FILE = 4 * 1024 * 1024
#: A larger file of these kinds holds data, not settings.
_MOST_BYTES_OF_SETTINGS = 1024 * 1024

_CODE = (".java", ".kt", ".kts", ".groovy", ".scala")
_SETTINGS = (".properties", ".yml", ".yaml", ".xml", ".conf")
_TESTS = regex(r"(?:^|/)src/(?:test|it|integrationTest|integration-test|testFixtures)/")

#: What tells that code cares where it runs, and what to say of it.
_PLACES: tuple[tuple[re.Pattern[str], str], ...] = (
    (regex(r"src[/\\]+(?:main|test)(?![\w.-])"), "names src/main or src/test"),
    (regex(r"\buser\.dir\b"), "asks for the working directory (user.dir)"),
    (
        regex(r"""(?:\bFile|\bPath\.of|\bPaths\.get|\bPath|\bFileSystemResource)\s*\(\s*"\.?/?"\s*[,)]"""),
        "lists the working directory",
    ),
    (regex(r'"\./"'), "puts together paths in the working directory"),
    (
        regex(r"\bProcessBuilder\b|\bgetRuntime\s*\(\s*\)\s*\.\s*exec\b|\bRuntime\b[^;\n]{0,80}\.exec\s*\("),
        "starts other programs",
    ),
)


def is_code(path: str) -> bool:
    return path.endswith(_CODE) and _TESTS.search(path) is None


def reads_its_project(
    files: Iterable[tuple[str, Path]], homes: Sequence[str], names: Iterable[str]
) -> str | None:
    """The first mention of what a project has beside its jar, as the beginning of a sentence, or None.

    ``files`` are the paths in the image and where the bytes lie; ``homes`` the project's directories in the image;
    ``names`` what stands in those (``src``, ``pom.xml``).
    """
    looked_at = total = 0
    mention = _mention(homes, names)
    for name, path in files:
        code = name.endswith(_CODE)
        if not (code or name.endswith(_SETTINGS)) or _TESTS.search(name):
            continue
        try:
            data = read_file(path, MOST_BYTES_OF_A_FILE + 1)
        except OSError:
            return f"{name} cannot be read"
        if not code and len(data) > _MOST_BYTES_OF_SETTINGS:
            continue
        looked_at += 1
        total += len(data)
        if looked_at > MOST_FILES or total > MOST_BYTES or len(data) > MOST_BYTES_OF_A_FILE:
            return "there are more sources than are looked through"
        text = data.decode("utf-8", "replace")
        for pattern, what in _PLACES:
            if pattern.search(text):
                return f"{name} {what}"
        found = mention[code].search(text)
        if found:
            return f"{name} names {found['name']}"
    return None


def _mention(homes: Sequence[str], names: Iterable[str]) -> dict[bool, re.Pattern[str]]:
    """A path that begins with one of the names, relative or below a home: in code as a string, in settings as a
    value. Directories count with what follows them, because "build" alone is also a word."""
    listed = sorted(set(names), key=len, reverse=True)
    files = "|".join(re.escape(name) for name in listed if "." in name.lstrip("."))
    directories = "|".join(re.escape(name) for name in listed if "." not in name.lstrip("."))
    name = (
        "(?P<name>"
        + "|".join(
            part
            for part in (
                rf"(?:{directories})/" if directories else "",
                rf"(?:{files})(?![\w/])" if files else "",
            )
            if part
        )
        + ")"
    )
    below = "|".join(re.escape(home.rstrip("/") + "/") for home in homes)
    start = rf"(?:file:/{{0,3}})?(?:\./|{below})?"
    return {
        True: re.compile(rf'"(?:[\w+.-]+:)*{start}{name}'),
        False: re.compile(rf"(?:^|[=:\s\"',>(]){start}{name}", re.MULTILINE),
    }
