"""The text that a step of a Groovy file hands to a shell, with the file's lines, in each of the forms that it may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.pipelines.blocks import Block, Item, is_name, is_punct
from imgopt.pipelines.groovy_expressions import Machine, Names, interpolated, worked_out
from imgopt.pipelines.groovy_values import Either, Unknown, Value, in_text, picked
from imgopt.pipelines.model import Text
from imgopt.pipelines.tokens import Token

_MOST_FORMS = 16
#: What is called on a text without changing what a shell makes of it.
_HARMLESS = frozenset({"trim", "stripIndent", "stripMargin", "toString", "strip"})
#: A word behind one of these, or that begins with one, is a name or a note: which one it is tells no Dockerfile.
_NAMED_BY = frozenset(
    "-t --tag --destination -d --build-arg --label -e --env push tag pull login echo -u -p".split()
)
_NAMES = regex(r"--?(?:destination|tag|build-arg|label|env|cache-repo|image-name\S*|registry-\S*|t|d)=")


@dataclass
class _Piece:
    value: Value
    breaks: tuple[tuple[int, int], ...]  # in the value, where it is a text


@dataclass
class Script:
    """``forms``: the texts that it may be, each with the option of the choice that makes it; () where nothing of it is
    known. ``which``: that choice, 0 where there is only one form. ``lacking``: what in it is not known."""

    forms: list[Text] = field(default_factory=list)
    which: int = 0
    lacking: list[Unknown] = field(default_factory=list)


def script_of(items: Sequence[Item], names: Names, machine: Machine) -> Script:
    """What an argument of ``sh`` is: strings, what is added to them, and what is not known as ``${expression}``."""
    script = Script()
    if not items:
        return script
    pieces = list(_pieces(items, names, machine, script))
    if not any(isinstance(piece.value, str | Either) for piece in pieces):
        return script
    choices = {piece.value.which: piece.value for piece in pieces if isinstance(piece.value, Either)}
    for which, choice in sorted(choices.items(), key=lambda each: -len(each[1].options)):
        forms = [_assembled(pieces, which, number) for number in range(min(len(choice.options), _MOST_FORMS))]
        if any(_differ(forms[0].text, form.text) for form in forms[1:]):
            script.forms, script.which = forms, which
            return script
    script.forms = [_assembled(pieces, 0, 0)]
    return script


def _assembled(pieces: Sequence[_Piece], which: int, number: int) -> Text:
    parts: list[str] = []
    breaks: list[tuple[int, int]] = []
    size = 0
    for piece in pieces:
        value = picked(piece.value, which, number)
        text = value if isinstance(value, str) else ""
        breaks += [(size + offset, line) for offset, line in piece.breaks]
        parts.append(text)
        size += len(text)
    return Text("".join(parts), tuple(breaks))


def _pieces(items: Sequence[Item], names: Names, machine: Machine, script: Script) -> Iterator[_Piece]:
    for part in _added(items):
        first = part[0]
        line = first.line
        if isinstance(first, Token) and first.kind == "string" and _plain(part):
            yield from _string(first, names, machine, script)
            continue
        value = in_text(worked_out(part, names, machine))
        if isinstance(value, Unknown):
            name = part[-1].text if isinstance(part[-1], Token) and part[-1].kind == "name" else "expression"
            script.lacking.append(value.named(_written(part)))
            # alone it is no text; among others it is a word that nobody knows
            word = value.written or (f"${{{name}}}" if len(part) < len(items) else None)
            yield _Piece(word, ((0, line),))
        else:
            yield _Piece(value, ((0, line),))


def _written(part: Sequence[Item]) -> str:
    """An expression as it is written, shortly."""
    return "".join("{…}" if isinstance(item, Block) else item.text for item in part[:12])[:60]


def _plain(part: Sequence[Item]) -> bool:
    """Whether nothing changes the string that a part begins with."""
    behind = [
        item for item in part[1:] if not (is_punct(item, ".") or is_punct(item, "(") or is_punct(item, ")"))
    ]
    return all(isinstance(item, Token) and is_name(item) and item.text in _HARMLESS for item in behind)


def _string(token: Token, names: Names, machine: Machine, script: Script) -> Iterator[_Piece]:
    at = 0
    for start, end, expression in token.inner:
        yield _literal(token, at, start)
        value = in_text(interpolated(expression, names, machine))
        line = Text(token.text, token.breaks).line(start)
        if isinstance(value, Unknown):
            script.lacking.append(value)
            value = value.written or token.text[start:end]
        yield _Piece(value, ((0, line),))
        at = end
    yield _literal(token, at, len(token.text))


def _literal(token: Token, start: int, end: int) -> _Piece:
    line = Text(token.text, token.breaks).line(start)
    inside = [(offset - start, line) for offset, line in token.breaks if start < offset <= end]
    return _Piece(token.text[start:end], ((0, line), *inside))


def _added(items: Sequence[Item]) -> list[Sequence[Item]]:
    """The parts of a sum; one where it is something else."""
    parts: list[Sequence[Item]] = []
    depth = start = 0
    for at, item in enumerate(items):
        if not isinstance(item, Token) or item.kind != "punct":
            continue
        depth += (item.text in ("(", "[")) - (item.text in (")", "]"))
        if not depth and item.text in ("?", "=", "|", "&", "<", ">"):
            return [items]
        if not depth and item.text == "+":
            parts.append(items[start:at])
            start = at + 1
    parts.append(items[start:])
    return [part for part in parts if part]


def _differ(one: str, other: str) -> bool:
    """Whether two forms of a script may build from other files, and not only under other names."""
    lines, others = one.split("\n"), other.split("\n")
    if len(lines) != len(others):
        return True
    for line, again in zip(lines, others, strict=True):
        words, instead = line.split(), again.split()
        if line == again or words[:1] == ["echo"]:
            continue
        if len(words) != len(instead):
            return True
        for at, (word, another) in enumerate(zip(words, instead, strict=True)):
            named = (
                (at and words[at - 1] in _NAMED_BY)
                or _NAMES.match(word)
                or ":" in word.removeprefix("dir://")
            )
            if word != another and not named:
                return True
    return False
