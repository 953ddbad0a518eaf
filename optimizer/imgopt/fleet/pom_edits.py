"""One change of a pom: Spring Boot's plugin reads its layers from a file. Everything else stays byte for byte."""

from __future__ import annotations

import re
from pathlib import Path

from imgopt.errors import InputError
from imgopt.fleet.layer_files import MAVEN_PLACE
from imgopt.java.pom import parse_xml
from imgopt.light.records import dataclass, field

_PLUGIN = "spring-boot-maven-plugin"
_GROUP = "org.springframework.boot"
_MANAGED = ("project", "build", "pluginManagement", "plugins")
_USED = ("project", "build", "plugins")


@dataclass
class _Element:
    """``start``: of its start tag; ``inside``: behind that; ``close``: of its end tag; equal where it closes itself."""

    name: str
    start: int
    inside: int = 0
    close: int = 0
    text: str = ""
    children: list[_Element] = field(default_factory=list)

    def child(self, name: str) -> _Element | None:
        return next((each for each in self.children if each.name == name), None)

    def at(self, path: tuple[str, ...]) -> _Element | None:
        found: _Element | None = self
        for name in path:
            found = found.child(name) if found is not None else None
        return found


def with_layers(data: bytes, shown: str) -> bytes:
    """The pom, its plugin configured; the same bytes where it is already. InputError where its plugin has layers of its own, or
    where it cannot be changed in place."""
    parse_xml(data, Path(shown))
    root = _tree(data, shown)
    for path in (_MANAGED, _USED):
        plugins = root.at(path[1:])
        for plugin in plugins.children if plugins is not None else ():
            if _is_boot(plugin):
                layers = plugin.at(("configuration", "layers"))
                if layers is None:
                    return _into_plugin(data, plugin)
                told = layers.child("configuration")
                if told is not None and told.text.strip() == MAVEN_PLACE:
                    return data
                raise InputError(
                    "Spring Boot's plugin has layers of its own there", "merge them by hand", path=shown
                )
    return _as_managed(data, root)


def _is_boot(plugin: _Element) -> bool:
    artifact, group = plugin.child("artifactId"), plugin.child("groupId")
    return (
        artifact is not None
        and artifact.text.strip() == _PLUGIN
        and (group is None or group.text.strip() == _GROUP)
    )


def _configured() -> list[str]:
    return [
        "<layers>",
        "  <enabled>true</enabled>",
        f"  <configuration>{MAVEN_PLACE}</configuration>",
        "</layers>",
    ]


def _within(name: str, lines: list[str]) -> list[str]:
    return [f"<{name}>", *(f"  {each}" for each in lines), f"</{name}>"]


def _into_plugin(data: bytes, plugin: _Element) -> bytes:
    configuration = plugin.child("configuration")
    if configuration is not None:
        return _inserted(data, configuration, _configured())
    return _inserted(data, plugin, _within("configuration", _configured()))


def _as_managed(data: bytes, root: _Element) -> bytes:
    plugin = [
        f"<groupId>{_GROUP}</groupId>",
        f"<artifactId>{_PLUGIN}</artifactId>",
        *_within("configuration", _configured()),
    ]
    lines = _within("plugin", plugin)
    for name, place in (
        ("plugins", root.at(_MANAGED[1:])),
        ("pluginManagement", root.at(_MANAGED[1:3])),
        ("build", root.at(_MANAGED[1:2])),
        ("", root),
    ):
        if place is not None:
            return _inserted(data, place, lines)
        lines = _within(name, lines)
    raise AssertionError


def _inserted(data: bytes, place: _Element, lines: list[str]) -> bytes:
    """The lines as the last children of an element, in the file's own newlines and indentation."""
    newline = b"\r\n" if b"\r\n" in data else b"\n"
    indent = _indent(data, place.start)
    step = b"\t" if indent.startswith(b"\t") or b"\n\t<" in data else b"    "
    if b"\n  <" in data:
        step = b"  "
    text = b"".join(newline + indent + step + _indented(each, step) for each in lines)
    if place.close < place.inside:  # <build/>
        tag = data[place.start : place.inside].rstrip(b">").rstrip(b"/").rstrip()
        name = re.match(rb"<([^\s/>]+)", tag)
        assert name is not None
        whole = tag + b">" + text + newline + indent + b"</" + name[1] + b">"
        return data[: place.start] + whole + data[place.inside :]
    before = data[: place.close]
    stripped = before.rstrip(b" \t\r\n")
    return stripped + text + newline + indent + data[place.close :]


def _indented(each: str, step: bytes) -> bytes:
    depth = (len(each) - len(each.lstrip(" "))) // 2
    return step * depth + each.lstrip(" ").encode()


def _indent(data: bytes, start: int) -> bytes:
    line = data[data.rfind(b"\n", 0, start) + 1 : start]
    return line if not line.strip() else line[: len(line) - len(line.lstrip())]


def _tree(data: bytes, shown: str) -> _Element:
    from xml.parsers import expat

    declared = re.match(
        rb"""\s*<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)""", data.removeprefix(b"\xef\xbb\xbf")
    )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (
        declared and declared[1].lower() not in (b"utf-8", b"us-ascii")
    ):
        raise InputError("is not written in UTF-8", "add the plugin's <layers> by hand", path=shown)
    parser = expat.ParserCreate()
    top = _Element("", 0)
    stack = [top]

    def start(name: str, _: object) -> None:
        at = parser.CurrentByteIndex
        element = _Element(name.rpartition(":")[2], at)
        element.inside = _end_of_tag(data, at)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        element = stack.pop()
        closes_itself = data[element.inside - 2 : element.inside] == b"/>"
        element.close = element.start if closes_itself else parser.CurrentByteIndex

    def text(characters: str) -> None:
        stack[-1].text += characters

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.Parse(data, True)
    return top.children[0]


def _end_of_tag(data: bytes, at: int) -> int:
    quote = 0
    for number in range(at, len(data)):
        sign = data[number]
        if quote:
            quote = 0 if sign == quote else quote
        elif sign in b"\"'":
            quote = sign
        elif sign == 0x3E:
            return number + 1
    return len(data)
