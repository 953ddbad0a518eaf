"""What a shell text is read into: words, commands, loops, functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal, TypeAlias

from imgopt.dockerfile import expand
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

#: Written without quotes, they make a word that is no plain value: an array, a process substitution, `$'…'`.
_OPAQUE = regex(r"\((?!\(\Z)|[<>]\(|[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=\(|[^\"']*\$[\"']")
_CONTINUED = regex(r"\\\n|\\.|['\"]", re.DOTALL)


Around = Literal["&", "while"]


@dataclass(frozen=True)
class Word:
    """A shell word as written; ``start`` and ``end`` are offsets into the script."""

    text: str
    start: int
    end: int

    @cached_property  # every rule looks at the same words
    def literal(self) -> str | None:
        """The word without its quotes, or None when its value depends on the environment."""
        text = joined(self.text)
        return None if _dynamic(text) or _OPAQUE.match(text) else expand(text, {}).value

    def value(self, variables: Mapping[str, str | None]) -> str | None:
        """The word expanded with what is known, or None when something in it is not known."""
        text = joined(self.text)
        if "$" not in text and "`" not in text:
            return self.literal
        if "$(" in text or "`" in text or _special(text) or _OPAQUE.match(text):
            return None
        names = set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", _unquoted_single(text)))
        if any(variables.get(name) is None and not _has_default(text, name) for name in names):
            return None
        return expand(text, variables).value


@dataclass(frozen=True)
class Command:
    """A simple command. ``operator`` is what stands before it ("" for the first).

    ``function`` is the function in whose body it stands; ``inner`` says that it stands in a substitution, so that
    what it prints becomes a word of another command. Bash's `[[ … ]]` and `(( … ))` are commands of these names.
    """

    assignments: tuple[Word, ...]
    words: tuple[Word, ...]
    redirects: tuple[tuple[str, Word], ...]
    start: int
    end: int
    operator: str
    follows: str  # the operator after it: "&" means it runs in the background, "|" that it feeds a pipe
    depth: int = 0  # how many blocks (if, for, subshell …) are around it
    function: str | None = None
    inner: bool = False
    #: What lets it run in the background ("&") or again ("while", also `until`), each by its offset, the outermost first.
    around: tuple[tuple[Around, int], ...] = ()

    @cached_property
    def name(self) -> str | None:
        return self.words[0].literal if self.words else None

    @cached_property
    def program(self) -> str | None:
        """The command's name without its directory."""
        return self.name.rsplit("/", 1)[-1] if self.name else None

    @property
    def args(self) -> tuple[Word, ...]:
        return self.words[1:]


@dataclass(frozen=True)
class Loop:
    """``for variable in words; do body; done``; the body's commands follow it in ``Script.commands`` too."""

    variable: str
    words: tuple[Word, ...]
    body: tuple[Command | Loop, ...]
    around: tuple[tuple[Around, int], ...] = ()  # as a command's: what is around the whole loop


@dataclass(frozen=True)
class Block:
    """What is around commands, as it stands: an `if` with its arms, a `case`, a `for`, a `while` or `until`, a group, a
    subshell, the body of a function.

    ``parts`` are (label, nodes): "if", "then", "elif" and "else"; "while" or "until", and "do"; a case's patterns as written;
    "" in the others. ``operator`` and ``follows`` as a command's. ``subject``: a case's word, a function's name, a for's
    variable, and ``words`` what that takes.
    """

    kind: Literal["if", "case", "for", "while", "until", "{", "(", "function"]
    parts: tuple[tuple[str, tuple[Node, ...]], ...]
    start: int
    end: int
    operator: str
    subject: Word | None = None
    follows: str = ""
    around: tuple[tuple[Around, int], ...] = ()  # as a command's: what is around the whole block
    words: tuple[Word, ...] = ()


Node: TypeAlias = "Command | Block"


@dataclass(frozen=True)
class Document:
    """The text of a here-document. ``expanded``: variables in it are replaced."""

    text: str
    expanded: bool


@dataclass(frozen=True)
class Function:
    """A function that a script defines. ``certain``: at the top of the script, where nothing decides whether."""

    name: str
    start: int
    end: int
    certain: bool


@dataclass(frozen=True)
class Script:
    """``inner`` are the commands in substitutions, which `commands` has not. ``tree`` is all of it with its blocks, of
    which `nodes` has only the commands and loops; ``documents``: the here-documents, by where their tags stand."""

    text: str
    nodes: tuple[Command | Loop, ...]
    broken: bool
    functions: tuple[Function, ...] = ()
    inner: tuple[Command, ...] = ()
    tree: tuple[Node, ...] = ()
    documents: Mapping[int, Document] = field(default_factory=dict)

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(flatten(self.nodes))

    @property
    def plain(self) -> bool:
        """Only simple commands, one after the other: nothing conditional, looped, piped or backgrounded."""
        return not self.broken and all(
            isinstance(node, Command)
            and node.depth == 0
            and node.operator in ("", "&&", ";", "\n")
            and node.follows in ("", "&&", ";", "\n")
            for node in self.nodes
        )


def flatten(nodes: Sequence[Command | Loop | Block]) -> Iterator[Command]:
    """The commands of nodes, those in loops once."""
    for node in nodes:
        if isinstance(node, Loop):
            yield from flatten(node.body)
        elif isinstance(node, Block):
            for _, inside in node.parts:
                yield from flatten(inside)
        else:
            yield node


def without_blocks(nodes: Sequence[Node]) -> Iterator[Command | Loop]:
    """The commands and loops of nodes, in their order."""
    for node in nodes:
        if isinstance(node, Command):
            yield node
            continue
        inside = (each for _, part in node.parts for each in without_blocks(part))
        if node.kind == "for" and node.subject is not None:
            yield Loop(node.subject.text, node.words, tuple(inside), node.around)
        else:
            yield from inside


def _unquoted_single(text: str) -> str:
    return re.sub(r"'[^']*'", "", text) if '"' not in text else text


def _special(text: str) -> bool:
    """Positional and special parameters, arithmetic: never known beforehand."""
    return re.search(r"\$[0-9@*#?$!-]|\$\{[0-9@*#?!-]|\$\(\(", _unquoted_single(text)) is not None


def _dynamic(text: str) -> bool:
    bare = _unquoted_single(text)
    return re.search(r"(?<!\\)\$[A-Za-z_{(0-9@*#?$!-]", bare) is not None or "`" in bare


def _has_default(text: str, name: str) -> bool:
    return re.search(r"\$\{" + re.escape(name) + r":?[-+=]", text) is not None


def joined(text: str) -> str:
    """A word without the ends of lines that a backslash takes away, as every shell reads it but between apostrophes."""
    if "\\\n" not in text:
        return text
    parts: list[str] = []
    at, quote = 0, ""
    for match in _CONTINUED.finditer(text):
        sign = match[0]
        if sign in ("'", '"'):
            quote = "" if quote == sign else quote or sign
        elif sign == "\\\n" and quote != "'":
            parts.append(text[at : match.start()])
            at = match.end()
    return "".join((*parts, text[at:]))
