"""What holds for a whole Jenkinsfile, wherever it stands in it: lists by name, methods, what is assigned only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from imgopt.pipelines.blocks import Block, Item, arguments, is_name, is_punct
from imgopt.pipelines.groovy_values import Values, list_of, value_of
from imgopt.pipelines.model import Action, Step
from imgopt.pipelines.tokens import Token

MAX_VARIABLES = 500
_KEPT = 12  # tokens of an assignment that are kept
_LONGEST_LIST = 2_000  # tokens


@dataclass
class Reading:
    read: Callable[[str], bytes | None]
    steps: list[Step | Action] = field(default_factory=list)
    lists: dict[str, Values] = field(default_factory=dict)
    said: dict[str, list[Item]] = field(default_factory=dict)  # the beginning of what a name is assigned
    methods: dict[str, Block] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    branched: dict[str, int] = field(default_factory=dict)  # maps of closures that `parallel` runs: group
    assigned: Counter[str] = field(default_factory=Counter)
    groups: int = 0
    walked: int = 0
    text: int = 0

    def group(self) -> int:
        self.groups += 1
        return self.groups


def constants(reading: Reading) -> dict[str, str | None]:
    """What has one value in the whole file, wherever it gets it: a script block's ``env.X = …`` holds behind it."""
    known: dict[str, str | None] = {}
    for _ in range(3):  # one that is made of others
        for name, said in list(reading.said.items())[:MAX_VARIABLES]:
            if reading.assigned[name] == 1 and len(said) < _KEPT and name not in known:
                value = value_of(said, known)
                if value is not None:
                    known[name] = value
    return known


def survey(reading: Reading, root: Block) -> None:
    """Lists by name, methods, how often a name is assigned, and which maps `parallel` gets."""
    todo = [root]
    while todo:
        block = todo.pop()
        for statement in block.statements:
            _survey_statement(reading, statement)
            todo += [item for item in statement if isinstance(item, Block)]


def _survey_statement(reading: Reading, statement: list[Item]) -> None:
    for at, item in enumerate(statement):
        if not isinstance(item, Token) or item.kind != "name":
            continue
        following = statement[at + 1] if at + 1 < len(statement) else None
        if item.text == "parallel" and following is not None:
            given = statement[at + 2] if is_punct(following, "(") and at + 2 < len(statement) else following
            if is_name(given) and not isinstance(given, Block):
                reading.branched.setdefault(given.text, reading.group())
        if following is None or not is_punct(following, "=") or compares(statement, at + 1):
            continue
        reading.assigned[item.text] += 1
        values = list_of(statement[at + 2 : at + _LONGEST_LIST])
        if values is not None:
            reading.lists[item.text] = values
        reading.said[item.text] = statement[at + 2 : at + 2 + _KEPT]
    last = statement[-1]
    names = [item.text for item in statement[:2] if isinstance(item, Token) and item.kind == "name"]
    declares = names[:1] in (["def"], ["void"], ["private"], ["String"]) and not any(
        is_punct(item, "=") for item in statement[:3]
    )  # and no variable: def m = list.collectEntries {…}
    if isinstance(last, Block) and last.name and declares:
        positional, _ = arguments(last.args)
        params = tuple(part[-1].text for part in positional if part and isinstance(part[-1], Token))
        defaults = tuple(_parameter(part) for part in positional)
        last.params = defaults if len(defaults) == len(params) else params
        reading.methods[last.name] = last


def _parameter(part: list[Item]) -> str:
    """The name of ``String module`` or ``tag = 'latest'``."""
    named = [item.text for item in part if isinstance(item, Token)]
    if "=" in named:
        named = named[: named.index("=")]
    return named[-1] if named else ""


def compares(statement: list[Item], at: int) -> bool:
    return any(
        0 <= index < len(statement) and is_punct(statement[index], "=") for index in (at - 1, at + 1)
    ) or (at + 1 < len(statement) and is_punct(statement[at + 1], "~"))
