"""The projects that a settings file of Gradle includes: names, lists, and blocks that are run for each entry of a list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imgopt.light.patterns import regex

#: A literal of either kind: its text is the first group or the second.
STRING = r"""(?:"([^"\n]*)"|'([^'\n]*)')"""


def text_of(match: re.Match[str], first: int = 1) -> str:
    return match[first] if match[first] is not None else match[first + 1] or ""


_STRINGS = rf"\s*{STRING}(?:\s*,\s*{STRING})*\s*,?\s*"
#: Of a block without blocks in it.
_BODY = r"(?P<body>(?:[^{}$]|\$\{\w+\}|\$){0,1000})"
#: A list whose entries a block is run for: its strings, the name that they have there, and the block's body.
_FOR_EACH = regex(
    rf"(?:\[|\b(?:listOf|setOf|arrayOf|List\.of)\s*\()(?P<list>{_STRINGS})[\])](?:\s*as\s+[\w\[\]]+)?"
    r"\s*\.\s*(?:each|forEach)\s*\{\s*(?:(?P<name>\w+)\s*->)?" + _BODY + r"\}"
)
_LIST_OF = regex(
    rf"\b(?:def|val|var|String\[\]|List<String>)\s+(?P<name>\w+)\s*=\s*(?:\[|(?:listOf|arrayOf|setOf)\s*\()(?P<list>{_STRINGS})[\])]"
)
_EACH_OF = regex(r"\b(?P<list>\w+)\s*\.\s*(?:each|forEach)\s*\{\s*(?:(?P<name>\w+)\s*->)?" + _BODY + r"\}")
_INCLUDE = regex(
    rf"\binclude\b\s*\(?\s*(?:(?:listOf|arrayOf)\s*\(|\[|\*\s*arrayOf\s*\()?(?P<list>{_STRINGS})"
)
_PLACED = regex(
    r"project\s*\(\s*[\"']([^\"']+)[\"']\s*\)\s*\.\s*projectDir\s*=\s*(?:new\s+)?[Ff]ile\s*\(\s*(?:\w+\s*,\s*)?[\"']([^\"']+)[\"']"
)
_MOST_PROJECTS = 10_000


def projects_in(settings: str) -> dict[str, str]:
    """The projects that a settings file includes: paths (``:services:orders``) to folders, as far as they stand there."""
    text = settings + "\n" + "\n".join(_unrolled(settings))
    folders = {
        path if path.startswith(":") else f":{path}": re.sub(
            r"^(?:\$\{?(?:rootDir|settingsDir|rootProject\.projectDir)\}?/|\./)+", "", folder
        )
        for path, folder in _PLACED.findall(text)
    }
    found: dict[str, str] = {}
    for statement in _INCLUDE.finditer(text):
        for match in re.finditer(STRING, statement["list"]):
            name = text_of(match)
            if "$" in name or len(found) >= _MOST_PROJECTS:
                continue
            path = name if name.startswith(":") else f":{name}"
            found.setdefault(path, folders.get(path) or path.strip(":").replace(":", "/"))
    return found


def _unrolled(settings: str) -> Iterator[str]:
    """The bodies of blocks that are run for each entry of a list, once for each."""
    lists = {match["name"]: match["list"] for match in _LIST_OF.finditer(settings)}
    for match in (*_FOR_EACH.finditer(settings), *_EACH_OF.finditer(settings)):
        entries = lists.get(match["list"], match["list"])
        name = match["name"] or "it"
        for entry in re.finditer(STRING, entries):
            word = text_of(entry)
            body = re.sub(rf"\$\{{{name}\}}|\${name}\b", word.replace("\\", r"\\"), match["body"])
            quoted = f'"{word}"'.replace("\\", r"\\")
            yield re.sub(rf"(?<=[\s(]){name}(?=[\s);]|$)", quoted, body)
