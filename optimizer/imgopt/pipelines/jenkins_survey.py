"""What holds for a whole Jenkinsfile, wherever it stands in it: its methods, and which maps `parallel` runs."""

from __future__ import annotations

from collections.abc import Callable

from imgopt.light.records import dataclass, field
from imgopt.pipelines.blocks import Block, Item, declare, is_name, is_punct
from imgopt.pipelines.model import Action, Step
from imgopt.pipelines.tokens import Token

_TYPES = frozenset(
    "def void private public static final String List Map Boolean boolean int Integer Object Closure".split()
)


@dataclass
class Reading:
    """``lacking``: what is not known of the steps in these lines, as sentences; lines (0, 0) are the whole file's."""

    read: Callable[[str], bytes | None]
    steps: list[Step | Action] = field(default_factory=list)
    lacking: dict[tuple[tuple[int, int], str], None] = field(default_factory=dict)
    methods: dict[str, Block] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    branched: dict[str, int] = field(default_factory=dict)  # maps of closures that `parallel` runs: group
    groups: int = 0
    walked: int = 0
    text: int = 0

    def group(self) -> int:
        self.groups += 1
        return self.groups


def survey(reading: Reading, root: Block) -> None:
    """Finds methods, closures with a name, and the maps that `parallel` gets."""
    todo = [root]
    while todo:
        block = todo.pop()
        for statement in block.statements:
            _survey_statement(reading, statement)
            todo += [item for item in statement if isinstance(item, Block)]


def _survey_statement(reading: Reading, statement: list[Item]) -> None:
    for at, item in enumerate(statement):
        if not isinstance(item, Token) or item.text != "parallel" or at + 1 == len(statement):
            continue
        following = statement[at + 1]
        given = statement[at + 2] if is_punct(following, "(") and at + 2 < len(statement) else following
        if is_name(given) and not isinstance(given, Block):
            reading.branched.setdefault(given.text, reading.group())
    last = statement[-1]
    if not isinstance(last, Block):
        return
    if last.name and _declares(statement, last):
        declare(last, last.args)
        reading.methods[last.name] = last
    elif len(statement) > 2 and is_punct(statement[-2], "=") and is_name(statement[-3]):
        name = statement[-3]  # def build = { module -> … }
        if isinstance(name, Token) and len(statement) < 8:
            reading.methods[name.text] = last


def _declares(statement: list[Item], last: Block) -> bool:
    """Whether a statement is a method: a type, a name, parameters and the body, and no value of a variable:
    ``def m = list.collectEntries {…}``."""
    first = statement[0]
    if not isinstance(first, Token):
        return False
    if first.text == "@":  # an annotation in front of it
        return len(statement) > 3 and _declares(statement[2:], last)
    if first.text not in _TYPES or any(is_punct(item, "=") for item in statement[:3]):
        return False
    depth = 0
    for item in statement[1:-1]:  # between the type and the parameters nothing but names
        if not isinstance(item, Token):
            return False
        if item.text == "(" and item.kind == "punct":
            depth += 1
        elif item.text == ")" and item.kind == "punct":
            depth -= 1
        elif not depth and (item.text in ("=", "->") or (item.text == "." and item.kind == "punct")):
            return False
    return bool(last.args) or is_punct(statement[-2], ")")
