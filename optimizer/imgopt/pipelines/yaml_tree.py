"""YAML with its lines: a tree made from the parser's events, without recursion and without expanding aliases."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from imgopt.errors import InputError
from imgopt.light.records import dataclass, field

#: Real files nest a dozen levels.
_MAX_DEPTH = 100
_MAX_NODES = 200_000
_MAX_MERGES = 50


class TooMuch(InputError):
    """YAML beyond the limits."""


@dataclass(eq=False)
class Node:
    """``kind``: scalar, sequence or mapping. ``line`` is where it begins, ``end_line`` the last one it covers."""

    kind: str
    line: int
    end_line: int
    value: str = ""
    style: str = ""
    tag: str = ""
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    moved: bool = False  # its lines are those of the place that uses its file

    def get(self, key: str) -> Node | None:
        """The value of a key, looked for in what is merged with ``<<`` as well."""
        todo, seen = [self], 0
        while todo and seen < _MAX_MERGES:
            node = todo.pop(0)
            seen += 1
            merged: list[Node] = []
            found = node.index.get(key)
            if found is not None:
                return found
            value = node.index.get("<<")
            if value is not None:
                merged = value.items if value.kind == "sequence" else [value]
            todo += merged[:_MAX_MERGES]
        return None

    @cached_property
    def index(self) -> dict[str, Node]:
        """The values by their keys; of two with one key the first."""
        found: dict[str, Node] = {}
        for name, value in self.pairs:
            if name.kind == "scalar":
                found.setdefault(name.value, value)
        return found

    def entries(self) -> Iterator[tuple[str, Node, Node]]:
        """(key, key node, value), what is merged with ``<<`` last and only where nothing else says it."""
        said: set[str] = set()
        todo, seen = [self], 0
        while todo and seen < _MAX_MERGES:
            node = todo.pop(0)
            seen += 1
            for name, value in node.pairs:
                if name.value == "<<":
                    todo += value.items[:_MAX_MERGES] if value.kind == "sequence" else [value]
                elif name.kind == "scalar" and name.value not in said:
                    said.add(name.value)
                    yield name.value, name, value

    def text(self, key: str) -> str | None:
        """The value of a key where it is a scalar."""
        node = self.get(key)
        return node.value if node is not None and node.kind == "scalar" else None


def documents(text: str, path: str) -> list[Node]:
    """The documents of a file. InputError with the line where it is no YAML, or nests without end."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    roots: list[Node] = []
    anchors: dict[str, Node] = {}
    stack: list[Node] = []
    keys: list[Node | None] = []
    count = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                stack.pop().end_line = max(1, _line(event) - 1)
                keys.pop()
                continue
            if isinstance(event, yaml.DocumentStartEvent):
                anchors = {}
            if not isinstance(event, yaml.NodeEvent):
                continue
            count += 1
            if count > _MAX_NODES or len(stack) > _MAX_DEPTH:
                raise TooMuch("nests deeper or holds more than any pipeline does", path=path)
            node = _node(event, anchors)
            if stack:
                _put(stack[-1], keys, node)
            else:
                roots.append(node)
            if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                stack.append(node)
                keys.append(None)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        line = mark.line + 1 if mark is not None else None
        raise InputError(f"is not YAML: {problem}", "fix it first", path=path, line=line) from error
    return roots


def _node(event: object, anchors: dict[str, Node]) -> Node:
    import yaml

    if isinstance(event, yaml.AliasEvent):
        return anchors.get(event.anchor or "") or Node("scalar", _line(event), _line(event))
    assert isinstance(event, yaml.NodeEvent)
    line = _line(event)
    tag = str(getattr(event, "tag", None) or "")
    if isinstance(event, yaml.ScalarEvent):
        last = _line(event, end=True)
        node = Node("scalar", line, max(line, last), str(event.value), event.style or "", tag)
    else:
        kind = "sequence" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
        node = Node(kind, line, line, tag=tag)
    if event.anchor:
        anchors[event.anchor] = node
    return node


def _line(event: object, *, end: bool = False) -> int:
    """Where an event begins; with `end` the last line that it covers."""
    mark = getattr(event, "end_mark" if end else "start_mark")
    return int(mark.line) + (0 if end and not mark.column else 1)


def _put(parent: Node, keys: list[Node | None], node: Node) -> None:
    if parent.kind == "sequence":
        parent.items.append(node)
        return
    key = keys[-1]
    if key is None:
        keys[-1] = node
    else:
        parent.pairs.append((key, node))
        keys[-1] = None


def scalars(root: Node) -> Iterator[Node]:
    """Every scalar value of a tree, each node once."""
    todo, seen = [root], {id(root)}
    while todo:
        node = todo.pop()
        if node.kind == "scalar":
            yield node
        for child in (*node.items, *(value for _, value in node.pairs)):
            if id(child) not in seen:
                seen.add(id(child))
                todo.append(child)
