"""Groovy tokens as blocks and statements: enough of a tree to see what stands in what.

A statement is a list of tokens in which each ``{…}`` is one `Block`. Made without recursion, so that depth costs
nothing; whoever walks the tree bounds its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from imgopt.light.records import dataclass, field
from imgopt.pipelines.tokens import Token

_CONTINUES = frozenset({",", "=", "+", ":", "?", "&", "|", ".", "->", "<"})
_LOOK_BACK = 400  # tokens of a header
_LONGEST_CALL = 4_000  # tokens


@dataclass(eq=False)
class Block:
    """``{ … }`` with what stands before it: ``name`` is the last part of what is called (``inside`` of
    ``docker.image('x').inside``), ``args`` its parenthesis, ``label`` the key where it is a value of a map."""

    name: str = ""
    args: list[Item] = field(default_factory=list)
    label: str | None = None
    before: list[Item] = field(
        default_factory=list
    )  # the statement it stands in, and how much of it is in front
    at: int = 0
    params: tuple[str, ...] = ()
    defaults: dict[str, list[Item]] = field(default_factory=dict)  # of the parameters that have one
    statements: list[list[Item]] = field(default_factory=list)
    line: int = 0
    end_line: int = 0

    @property
    def header(self) -> list[Item]:
        """What stands in front of it in its statement, the last of it where that is long."""
        return self.before[max(0, self.at - _LOOK_BACK) : self.at]

    @property
    def blocks(self) -> list[Block]:
        """The blocks that stand directly in it."""
        return [item for statement in self.statements for item in statement if isinstance(item, Block)]


Item = Token | Block


@dataclass
class _Frame:
    block: Block
    statement: list[Item] = field(default_factory=list)
    depth: int = 0

    def flush(self) -> None:
        if self.statement:
            self.block.statements.append(self.statement)
        self.statement, self.depth = [], 0


def blocks(found: list[Token]) -> Block:
    """The whole file as one block."""
    root = Block(line=1)
    stack = [_Frame(root)]
    for index, token in enumerate(found):
        frame = stack[-1]
        text = token.text if token.kind == "punct" else ""
        if token.kind == "newline":
            if frame.depth <= 0 and frame.statement and not _goes_on(frame.statement[-1], found, index):
                frame.flush()
        elif text == ";" and frame.depth <= 0:
            frame.flush()
        elif text == "{":
            block = _block(frame.statement, token.line)
            frame.statement.append(block)
            stack.append(_Frame(block))
        elif text == "}":
            frame.flush()
            frame.block.end_line = token.line
            if len(stack) > 1:
                stack.pop()
        elif text == "->" and not frame.block.statements and not frame.block.params:
            declare(frame.block, frame.statement)
            frame.statement, frame.depth = [], 0
        else:
            frame.depth += 1 if text in ("(", "[") else -1 if text in (")", "]") else 0
            frame.statement.append(token)
    last = found[-1].end_line if found else 1
    while stack:
        frame = stack.pop()
        frame.flush()
        frame.block.end_line = last
    return root


def _goes_on(last: Item, found: list[Token], index: int) -> bool:
    if isinstance(last, Token) and last.kind == "punct" and last.text in _CONTINUES:
        return True
    following = found[index + 1] if index + 1 < len(found) else None
    return following is not None and following.kind == "punct" and following.text in (".", "?")


def _block(statement: list[Item], line: int) -> Block:
    at = len(statement) - 1
    block = Block(before=statement, at=at + 1, line=line)
    if at < 0:
        return block
    if is_punct(statement[at], ":"):
        block.label = _label(statement[at - 1]) if at else ""
        return block
    if is_punct(statement[at], ")"):
        opens = opening(statement, at)
        if opens is None:
            return block
        block.args = statement[opens + 1 : at]
        at = opens - 1
    elif is_punct(statement[at], ",") or is_punct(statement[at], "("):
        block.label = ""
        return block
    if at >= 0 and isinstance(name := statement[at], Token) and name.kind == "name":
        block.name = name.text
    return block


def _label(item: Item) -> str:
    return item.text if isinstance(item, Token) else ""


def declare(block: Block, items: list[Item]) -> None:
    """Gives a block its parameters, ``String module, Map<String, String> more = [:]``."""
    parts: list[list[Item]] = [[]]
    depth = 0
    for item in items:
        if isinstance(item, Token) and item.kind == "punct":
            depth += (item.text in ("(", "[", "<")) - (item.text in (")", "]", ">"))
            if item.text == "," and depth <= 0:
                parts.append([])
                continue
        parts[-1].append(item)
    names: list[str] = []
    for part in parts:
        equals = next((at for at, item in enumerate(part) if is_punct(item, "=")), len(part))
        name = part[equals - 1] if equals else None
        if isinstance(name, Token) and name.kind == "name":
            names.append(name.text)
            if equals + 1 < len(part):
                block.defaults[name.text] = part[equals + 1 :]
    block.params = tuple(names)


def opening(header: list[Item], closing: int) -> int | None:
    """Where the parenthesis or bracket that closes at ``closing`` opens."""
    depth = 0
    for index in range(closing, max(-1, closing - _LOOK_BACK), -1):
        item = header[index]
        if is_punct(item, ")") or is_punct(item, "]"):
            depth += 1
        elif is_punct(item, "(") or is_punct(item, "["):
            depth -= 1
            if not depth:
                return index
    return None


def is_punct(item: Item, text: str) -> bool:
    return isinstance(item, Token) and item.kind == "punct" and item.text == text


def is_name(item: Item, text: str | None = None) -> bool:
    return isinstance(item, Token) and item.kind == "name" and (text is None or item.text == text)


def arguments(items: list[Item]) -> tuple[list[list[Item]], dict[str, list[Item]]]:
    """Positional and named arguments, divided at the commas of the outermost level."""
    parts: list[list[Item]] = [[]]
    depth = 0
    for item in items:
        if isinstance(item, Token) and item.kind == "punct":
            depth += 1 if item.text in "([" else -1 if item.text in ")]" else 0
            if item.text == "," and not depth:
                parts.append([])
                continue
        parts[-1].append(item)
    positional: list[list[Item]] = []
    named: dict[str, list[Item]] = {}
    for part in parts:
        if len(part) > 2 and is_punct(part[1], ":") and isinstance(part[0], Token):
            named[part[0].text] = part[2:]
        elif part:
            positional.append(part)
    return positional, named


def first_string(items: Sequence[Item]) -> str:
    return next((item.text for item in items if isinstance(item, Token) and item.kind == "string"), "")


def call_arguments(statement: list[Item], at: int) -> list[Item]:
    """What is given to the call whose name stands at ``at``: its parenthesis, or the rest of the statement."""
    following = at + 1
    if following < len(statement) and is_punct(statement[following], "("):
        depth = 0
        end = min(len(statement), following + _LONGEST_CALL)
        for index in range(following, end):
            item = statement[index]
            if is_punct(item, "(") or is_punct(item, "["):
                depth += 1
            elif is_punct(item, ")") or is_punct(item, "]"):
                depth -= 1
                if not depth:
                    return statement[following + 1 : index]
        return statement[following + 1 : end]
    return statement[following : following + _LONGEST_CALL]
