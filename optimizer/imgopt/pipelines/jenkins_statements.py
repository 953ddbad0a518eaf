"""The shapes of a Jenkinsfile's statements: what is called, assigned, changed, looped over, and the arms of a `switch`."""

from __future__ import annotations

from collections.abc import Sequence

from imgopt.light.records import dataclass, field
from imgopt.pipelines.blocks import Block, Item, is_name, is_punct, opening
from imgopt.pipelines.tokens import Token

#: Closures that only say what a value is.
PURE = frozenset(
    "findAll find any every sort groupBy inject grep removeIf findResult max min sum unique toSorted".split()
)
#: They end a case of a switch.
_LEAVES = ("break", "return", "throw", "error")
_CHANGES = frozenset("add addAll put putAll putAt push remove removeAll leftShift removeIf".split())
LOOK_BACK = 400  # tokens in front of a call
#: Names of what begins a statement and is no call of a method.
_NO_CALLS = frozenset(
    "return def if else for while switch case default try catch finally throw new in assert import".split()
)
#: What stands in front of an expression, and is none of it.
_IN_FRONT = frozenset("return parallel in def assert else echo case".split())


@dataclass
class Case:
    """A branch of a ``switch``: what it is for, and its statements; one that does not leave it has the next one's too."""

    labels: list[list[Item]] = field(default_factory=list)
    default: bool = False
    statements: list[list[Item]] = field(default_factory=list)


def cases(block: Block) -> list[Case]:
    found = [Case()]
    left = False
    for statement in block.statements:
        labelled = is_name(statement[0], "case") or is_name(statement[0], "default")
        if labelled and left:
            found.append(Case())
            left = False
        behind = statement
        while behind and (is_name(behind[0], "case") or is_name(behind[0], "default")):
            colon = next((at for at, item in enumerate(behind) if is_punct(item, ":")), len(behind))
            found[-1].labels.append(behind[1:colon])
            found[-1].default = found[-1].default or is_name(behind[0], "default")
            behind = behind[colon + 1 :]
        if behind:
            found[-1].statements.append(behind)
            left = left or any(is_name(behind[0], word) for word in _LEAVES)
    return found


def argues(statement: list[Item]) -> bool:
    """Whether a statement is a call without parentheses: ``buildImage 'a', path``, ``buildImage name: 'a'``."""
    first, second = statement[0], statement[1]
    if not isinstance(first, Token) or first.text in _NO_CALLS or not isinstance(second, Token):
        return False
    if second.kind == "name":  # and no declaration: String x = …
        return len(statement) == 2 or any(is_punct(statement[2], each) for each in (".", ",", ":", "["))
    return second.kind in ("string", "number")


def is_named(block: Block, statement: list[Item]) -> bool:
    """A closure with a name, which runs where it is called: ``def build = { … }``"""
    return (
        block is statement[-1]
        and 2 < len(statement) < 8
        and is_punct(statement[-2], "=")
        and is_name(statement[-3])
    )


def calls_closure(statement: list[Item], at: int) -> bool:
    """``closure.call(``"""
    return (
        at + 3 < len(statement)
        and is_punct(statement[at + 1], ".")
        and is_name(statement[at + 2], "call")
        and is_punct(statement[at + 3], "(")
    )


def worth(statement: Sequence[Item]) -> bool:
    """Whether a statement's value may be worked out behind its run: no closure in it does anything a second time."""
    return all(
        not isinstance(item, Block) or item.name in (*PURE, "collect", "collectEntries", "collectMany", "")
        for item in statement
    )


def assignable(items: Sequence[Item]) -> bool:
    return all(
        not isinstance(item, Block) or item.name not in ("each", "eachWithIndex", "node", "stage")
        for item in items
    )


def assignment(statement: list[Item]) -> int | None:
    """Where the ``=`` of an assignment stands."""
    depth = 0
    for at, item in enumerate(statement[:40]):
        if isinstance(item, Block):
            return None
        if item.kind != "punct":
            continue
        depth += (item.text in ("(", "[")) - (item.text in (")", "]"))
        if item.text == "=" and not depth:
            beside = [statement[index] for index in (at - 1, at + 1) if 0 <= index < len(statement)]
            if any(is_punct(each, text) for each in beside for text in ("=", "!", "~")) or not at:
                return None
            if is_punct(statement[at - 1], ">") and at > 1 and isinstance(statement[at - 2], Token):
                return None  # >=
            return at
        if item.text in ("?", "{", ":") and not depth:
            return None
    return None


def is_label(target: list[Item]) -> bool:
    return is_punct(target[-2], ":")


def changes(statement: list[Item]) -> bool:
    """Whether a statement puts something into a list or map."""
    first = statement[0]
    if not isinstance(first, Token) or first.kind != "name":
        return False
    for at in range(len(statement) - 1):
        one, two = statement[at : at + 2]
        if is_punct(one, "<") and is_punct(two, "<"):
            return True
        if is_punct(one, ".") and isinstance(two, Token) and two.text in _CHANGES:
            return True
    return False


def else_in_front(block: Block) -> bool:
    """Whether an `if` is one behind an `else`, its own."""
    at = block.at - len(block.args) - 4  # if ( … )
    return at >= 0 and is_name(block.before[at], "else")


def receiver_at(items: list[Item], at: int) -> list[Item]:
    """The expression whose method's name stands at ``at``."""
    at -= 1
    end = at
    if end < 1 or not is_punct(items[end], "."):
        return []
    if is_punct(items[end - 1], "?") or is_punct(items[end - 1], "*"):
        end -= 1
    at = start = end
    least = max(0, end - LOOK_BACK)
    while at > least:
        item = items[at - 1]
        if isinstance(item, Block):
            at -= 1
        elif is_punct(item, ")") or is_punct(item, "]"):
            opens = opening(items[:at], at - 1)
            if opens is None:
                break
            at = start = opens
            before = items[at - 1] if at else None
            joins = isinstance(before, Block) or (
                isinstance(before, Token)
                and ((before.kind == "name" and before.text not in _IN_FRONT) or before.text in (")", "]"))
            )
            if joins:
                continue
        elif item.kind in ("name", "string", "number"):
            if item.text in _IN_FRONT and item.kind == "name":
                break
            at = start = at - 1
        else:
            break
        if at and is_punct(items[at - 1], "."):
            at -= 1
            if at and (is_punct(items[at - 1], "?") or is_punct(items[at - 1], "*")):
                at -= 1
            continue
        if not isinstance(item, Block):
            break
    return items[start:end]


def receiver_of(block: Block) -> list[Item]:
    """The expression whose method gets a closure."""
    at = block.at - 1
    if at >= 0 and is_punct(block.before[at], ")"):
        opens = opening(block.before[: at + 1], at)
        at = opens - 1 if opens is not None else 0
    return receiver_at(block.before, at) if at > 0 else []


def receiver_text(block: Block) -> str:
    """What a loop goes over, as it is written."""
    if block.name != "for":
        return written(receiver_of(block))
    at = next((n for n, item in enumerate(block.args) if is_name(item, "in") or is_punct(item, ":")), -1)
    return written(block.args[at + 1 :])


def written(items: Sequence[Item]) -> str:
    text = "".join("{…}" if isinstance(item, Block) else item.text for item in items[:12])
    return text[:60] or "a list"


def makes_branch(block: Block) -> bool:
    """Whether a closure is a value of a map: ``name: {…}``, ``[name, {…}]`` or ``map[name] = {…}``."""
    return block.label is not None or bool(block.header and is_punct(block.header[-1], "="))


def last_argument(before: list[Item]) -> list[Item]:
    """The last argument, or entry of a list, in a call or list that is still open behind it."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        item = before[at]
        depth += _is_one_of(item, ")", "]") - _is_one_of(item, "(", "[")
        if depth < 0 or (not depth and is_punct(item, ",")):
            return before[at + 1 :]
    return []


def fills_map(statement: list[Item], at: int) -> bool:
    """Whether what stands behind the name of a map puts something into it: ``[…] =``, ``=``, ``+=``, ``<<``, ``.put(``."""
    words = [item.text for item in statement[at : at + 2] if isinstance(item, Token)]
    return words[:1] in (["["], ["="]) or words in (
        ["+", "="],
        ["<", "<"],
        [".", "put"],
        [".", "putAll"],
        [".", "putAt"],
    )


def gives_closure(method: Block) -> bool:
    """Whether what a method returns is a closure: its last statement, or a ``return {…}``."""
    for statement in method.statements:
        if len(statement) == 2 and is_name(statement[0], "return") and isinstance(statement[1], Block):
            return True
    return bool(method.statements) and isinstance(method.statements[-1][0], Block)


def _is_one_of(item: Item, *texts: str) -> bool:
    return any(is_punct(item, text) for text in texts)
