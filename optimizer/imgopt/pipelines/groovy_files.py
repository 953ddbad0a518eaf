"""Values that a Jenkinsfile reads from files of its repository: `readYaml`, `readJSON`, `readProperties` and `readFile`."""

from __future__ import annotations

import re

from imgopt.errors import ImgoptError
from imgopt.files.documents import parsed_json
from imgopt.pipelines.groovy_values import LONGEST_TEXT, MOST_VALUES, Unknown, Value
from imgopt.pipelines.yaml_tree import Node, documents

READERS = frozenset({"readYaml", "readJSON", "readProperties", "readFile"})
_DEEPEST = 12
_MOST_NODES = 5_000
_TOO_MUCH = Unknown("holds more than is looked at")
_PLAIN = {"true": True, "false": False, "null": None, "~": None, "": None}


def value_of(reader: str, text: str) -> Value:
    """What a reader makes of a text; an `Unknown` where that is no file of its kind, or too much."""
    text = text.removeprefix("\ufeff")
    if reader == "readFile":
        return text if len(text) <= LONGEST_TEXT else _TOO_MUCH
    if reader == "readProperties":
        return _properties(text)
    left = [_MOST_NODES]
    try:
        if reader == "readJSON":
            return _of_json(parsed_json(text), left, 0)
        found = [_of_yaml(root, left, 0) for root in documents(text, "")]
    except (ImgoptError, ValueError, RecursionError):
        return Unknown(f"is no file that {reader} reads")
    return found[0] if len(found) == 1 else list(found)


def _properties(text: str) -> Value:
    found: dict[str, Value] = {}
    for line in text.splitlines():
        match = re.match(r"(?![#!])([^\s=:]{1,200})\s*[=:]?(.*)", line.strip())
        if match is not None and len(found) < MOST_VALUES:
            found[match[1]] = match[2].strip()
    return found


def _of_json(read: object, left: list[int], depth: int) -> Value:
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        return _TOO_MUCH
    if isinstance(read, dict):
        return {str(key): _of_json(each, left, depth + 1) for key, each in read.items()}
    if isinstance(read, list):
        return [_of_json(each, left, depth + 1) for each in read] if len(read) <= MOST_VALUES else _TOO_MUCH
    return read if isinstance(read, str | bool | int | float) else None


def _of_yaml(node: Node, left: list[int], depth: int) -> Value:
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        return _TOO_MUCH
    if node.kind == "mapping":
        return {key: _of_yaml(value, left, depth + 1) for key, _, value in node.entries()}
    if node.kind == "sequence":
        if len(node.items) > MOST_VALUES:
            return _TOO_MUCH
        return [_of_yaml(each, left, depth + 1) for each in node.items]
    if node.style or node.tag:
        return node.value
    if node.value.lower() in _PLAIN:
        return _PLAIN[node.value.lower()]
    return int(node.value) if re.fullmatch(r"-?(?:0|[1-9]\d{0,15})", node.value) else node.value
