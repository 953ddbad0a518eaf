"""The conditions of a Jenkins stage, as far as they can be compared: which of them never hold at once."""

from __future__ import annotations

from collections.abc import Sequence

from imgopt.light.patterns import regex
from imgopt.light.records import replace
from imgopt.pipelines.blocks import Block, Item, arguments, first_string
from imgopt.pipelines.model import Condition
from imgopt.pipelines.tokens import Token

_MOST_WORDS = 100  # of a condition
_MAX_DEPTH = 20
#: A build is of one of these: a branch, a change request, a tag.
_BUILT = "what is built"
_PATTERN = regex(r"[*?,\\$\[({|]")


def conditions_of(section: Block, depth: int = 0) -> tuple[Condition, ...]:
    """What a ``when { … }`` or ``allOf { … }`` asks for; all of it has to hold."""
    found: list[Condition] = []
    for statement in section.statements[:_MOST_WORDS]:
        inner = next((item for item in statement if isinstance(item, Block)), None)
        name = statement[0].text if isinstance(statement[0], Token) else getattr(inner, "name", "")
        if name == "allOf" and inner is not None and depth < _MAX_DEPTH:
            found += conditions_of(inner, depth + 1)
        elif name == "not" and inner is not None and depth < _MAX_DEPTH:
            asked = conditions_of(inner, depth + 1)
            if len(asked) == 1:  # not (A and B) is neither not A nor not B
                found.append(replace(asked[0], negated=not asked[0].negated))
        elif name == "expression" and inner is not None:
            if len(inner.statements) == 1:
                found += _expression(inner.statements[0])
        else:
            found.append(_named(name, statement))
    return tuple(found)


def _named(name: str, statement: Sequence[Item]) -> Condition:
    positional, named = arguments(list(statement[1:]))
    if name == "branch" and len(statement) == 2 and not _PATTERN.search(first_string(statement)):
        return Condition(_BUILT, f"branch {first_string(statement)}")
    if name == "changeRequest" and not "".join(_words(statement[1:])).strip("()"):
        return Condition(_BUILT, name)
    if name == "buildingTag":
        return Condition(_BUILT, name)
    if name == "environment" and not positional and {*named} == {"name", "value"}:
        return Condition(first_string(named["name"]), first_string(named["value"]))
    return Condition(" ".join(_words(statement)), "true")


def _expression(statement: Sequence[Item]) -> list[Condition]:
    words = _words(statement)
    if words[:1] == ["return"]:
        words = words[1:]
    if any(word in ("|", "?", ":", "->") for word in words):
        return [Condition(" ".join(words), "true")]
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "&":
            parts.append([])
        else:
            parts[-1].append(word)
    if any(part.count("(") != part.count(")") for part in parts):
        return [Condition(" ".join(words), "true")]
    return [_compared(part) for part in parts if part]


def _compared(words: list[str]) -> Condition:
    negated = words[0] == "!"
    if negated:
        words = words[1:]
    while words[:1] == ["("] and words[-1:] == [")"] and "(" not in words[1:-1]:
        words = words[1:-1]
    if words[:2] == ["env", "."]:
        words = words[2:]
    operator = words[-3:-1]
    literal = words[-1:] and (words[-1][:1] == "'" or words[-1] in ("true", "false") or words[-1].isdigit())
    if len(words) > 3 and literal and operator in (["=", "="], ["!", "="]) and not {"=", "!"} & {*words[:-3]}:
        return Condition(" ".join(words[:-3]), words[-1].strip("'"), negated != (operator[0] == "!"))
    return Condition(" ".join(words), "true", negated)


def _words(items: Sequence[Item]) -> list[str]:
    """The words of a condition and of the blocks in it; a string keeps a quote in front."""
    found: list[str] = []
    todo: list[Item] = list(reversed(items))
    while todo and len(found) < _MOST_WORDS:
        item = todo.pop()
        if isinstance(item, Block):
            found.append("{")
            todo += [each for statement in item.statements[::-1] for each in statement[::-1]]
        else:
            found.append(f"'{item.text}" if item.kind == "string" else item.text)
    return found
