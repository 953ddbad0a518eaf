"""Reads shell text (RUN, CMD and ENTRYPOINT in shell form, `sh -c` scripts, start scripts) into commands.

A POSIX subset, read to be understood rather than run: simple commands with their words, the operators
between them, and the blocks around them. What it cannot read is reported (``Script.broken``), and callers
then decline instead of guessing. Offsets count characters of the text that was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from imgopt.dockerfile import expand

_OPERATOR = re.compile(r"&&|\|\||;;|\|&|[;&|()\n]")
_REDIRECT = re.compile(r"\d*(?:<<<|<<-|<<|>>|>\||<>|<&|>&|&>>|&>|<|>)")
_BACKQUOTED = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_OPENERS = {
    "if": "fi",
    "while": "done",
    "until": "done",
    "for": "done",
    "case": "esac",
    "{": "}",
    "select": "done",
}
_MAX_DEPTH = 60  # of blocks, and of quotes and substitutions inside each other
Around = Literal["&", "while"]
_SEPARATING = frozenset({"then", "else", "elif", "do", "!"})


@dataclass(frozen=True)
class Word:
    """A shell word as written; ``start`` and ``end`` are offsets into the script."""

    text: str
    start: int
    end: int

    @property
    def literal(self) -> str | None:
        """The word without its quotes, or None when its value depends on the environment."""
        return _literal(self.text)

    def value(self, variables: Mapping[str, str | None]) -> str | None:
        """The word expanded with what is known, or None when something in it is not known."""
        if "$(" in self.text or "`" in self.text or _special(self.text):
            return None
        names = set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", _unquoted_single(self.text)))
        if any(variables.get(name) is None and not _has_default(self.text, name) for name in names):
            return None
        return expand(self.text, variables).value


@dataclass(frozen=True)
class Command:
    """A simple command. ``operator`` is what stands before it ("" for the first)."""

    assignments: tuple[Word, ...]
    words: tuple[Word, ...]
    redirects: tuple[tuple[str, Word], ...]
    start: int
    end: int
    operator: str
    follows: str  # the operator after it: "&" means it runs in the background, "|" that it feeds a pipe
    depth: int = 0  # how many blocks (if, for, subshell …) are around it
    #: What lets it run in the background ("&") or again ("while", also `until`), each by its offset, the outermost first.
    around: tuple[tuple[Around, int], ...] = ()

    @property
    def name(self) -> str | None:
        return self.words[0].literal if self.words else None

    @property
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
class Script:
    text: str
    nodes: tuple[Command | Loop, ...]
    broken: bool

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(flat(self.nodes))

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


def flat(nodes: tuple[Command | Loop, ...]) -> Iterator[Command]:
    """The commands of nodes, those in loops once."""
    for node in nodes:
        if isinstance(node, Loop):
            yield from flat(node.body)
        else:
            yield node


@lru_cache(maxsize=8192)
def _literal(text: str) -> str | None:
    """Asked again and again: every rule looks at the same words."""
    return None if _dynamic(text) else expand(text, {}).value


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


class _Broken(Exception):
    pass


@lru_cache(maxsize=32)  # the pictures of a file before and after, and the rules, read the same scripts
def parse(text: str) -> Script:
    """Splits shell text into commands. Never raises: unreadable text gives ``broken``."""
    try:
        return Script(text, _nodes(_tokens(text)), False)
    except _Broken:
        return Script(text, (), True)


@dataclass(frozen=True)
class _Token:
    kind: str  # "word", "operator", "redirect"
    text: str
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position, length = 0, len(text)
    pending: list[tuple[str, bool]] = []  # here-documents that begin at the next line
    while position < length:
        char = text[position]
        if char == "\\" and text[position + 1 : position + 2] == "\n":
            position += 2
        elif char in " \t\r":
            position += 1
        elif char == "#" and (position == 0 or text[position - 1] in " \t\n;&|("):
            newline = text.find("\n", position)
            position = length if newline < 0 else newline
        elif match := _REDIRECT.match(text, position):
            tokens.append(_Token("redirect", match.group(), position, match.end()))
            position = match.end()
        elif match := _OPERATOR.match(text, position):
            tokens.append(_Token("operator", match.group(), position, match.end()))
            position = match.end()
            if match.group() == "\n" and pending:
                position = _skip_heredocs(text, position, pending)
                pending = []
        else:
            end = _word_end(text, position)
            word = text[position:end]
            if (
                tokens
                and tokens[-1].kind == "redirect"
                and tokens[-1].text.lstrip("0123456789") in ("<<", "<<-")
            ):
                pending.append((re.sub(r"[\"'\\]", "", word), tokens[-1].text.endswith("-")))
            tokens.append(_Token("word", word, position, end))
            position = end
    if pending:
        raise _Broken
    return tokens


def _skip_heredocs(text: str, position: int, pending: list[tuple[str, bool]]) -> int:
    for tag, strip in pending:
        while True:
            if position >= len(text):
                raise _Broken
            newline = text.find("\n", position)
            end = len(text) if newline < 0 else newline
            line = text[position:end]
            position = min(end + 1, len(text))
            if (line.lstrip("\t") if strip else line) == tag:
                break
    return position


def _word_end(text: str, start: int) -> int:
    position, length = start, len(text)
    while position < length:
        char = text[position]
        if char == "\\":
            position += 2
        elif char == "'":
            end = text.find("'", position + 1)
            if end < 0:
                raise _Broken
            position = end + 1
        elif char == '"':
            position = _double_quoted_end(text, position, 0)
        elif char == "`":
            position = _backquoted_end(text, position)
        elif char == "$" and text[position + 1 : position + 2] in ("(", "{"):
            position = _balanced_end(text, position + 1, 0)
        elif char in " \t\r\n;&|()<>":
            break
        else:
            position += 1
    return min(position, length)


def _double_quoted_end(text: str, start: int, depth: int) -> int:
    if depth > _MAX_DEPTH:
        raise _Broken
    position = start + 1
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 2
        elif char == '"':
            return position + 1
        elif char == "`":
            position = _backquoted_end(text, position)
        elif char == "$" and text[position + 1 : position + 2] in ("(", "{"):
            position = _balanced_end(text, position + 1, depth + 1)
        else:
            position += 1
    raise _Broken


def _backquoted_end(text: str, start: int) -> int:
    end = _BACKQUOTED.match(text, start)
    if end is None:
        raise _Broken
    return end.end()


def _balanced_end(text: str, start: int, depth: int) -> int:
    closing = {"(": ")", "{": "}"}
    stack = [closing[text[start]]]
    position = start + 1
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 1
        elif char == "'" and "}" not in stack:
            end = text.find("'", position + 1)
            if end < 0:
                raise _Broken
            position = end
        elif char == '"':
            position = _double_quoted_end(text, position, depth) - 1
        elif char == stack[-1]:
            stack.pop()
            if not stack:
                return position + 1
        elif char in closing and (char == "(" or text[position - 1] == "$"):
            stack.append(closing[char])
        position += 1
    raise _Broken


@dataclass
class _Cursor:
    tokens: list[_Token]
    at: int = 0


def _nodes(tokens: list[_Token]) -> tuple[Command | Loop, ...]:
    cursor = _Cursor(tokens)
    nodes = _list(cursor, None, 0)
    if cursor.at < len(tokens):
        raise _Broken
    return nodes


def _list(cursor: _Cursor, closing: str | None, depth: int) -> tuple[Command | Loop, ...]:
    if depth > _MAX_DEPTH:
        raise _Broken
    found: list[Command | Loop] = []
    operator = ""
    tokens = cursor.tokens
    first = 0  # of the commands that the next "&" puts into the background
    while cursor.at < len(tokens):
        token = tokens[cursor.at]
        if token.kind == "operator":
            if token.text == "&":
                found[first:] = [_inside(node, "&", token.start) for node in found[first:]]
            if token.text in ("&", ";", "\n", ";;"):
                first = len(found)
            if token.text == ")" and closing == ")":
                cursor.at += 1
                return tuple(found)
            if token.text == "(":
                cursor.at += 1
                found.extend(_list(cursor, ")", depth + 1))
                continue
            if token.text == ")":
                raise _Broken
            operator = token.text
            cursor.at += 1
            if operator == ";;" and closing == "esac":
                _skip_pattern(cursor)
            continue
        if token.kind == "word":
            if token.text == closing:
                cursor.at += 1
                return tuple(found)
            if token.text in _SEPARATING:
                cursor.at += 1
                operator = ""
                first = len(found) if token.text != "!" else first
                continue
            if token.text == "for":
                found.append(_for(cursor, depth))
                continue
            if token.text == "case":
                _skip_to(cursor, "in")
                _skip_pattern(cursor)
                found.extend(_list(cursor, "esac", depth + 1))
                continue
            if token.text in _OPENERS:
                cursor.at += 1
                inside = _list(cursor, _OPENERS[token.text], depth + 1)
                if token.text in ("while", "until"):
                    inside = tuple(_inside(node, "while", token.start) for node in inside)
                found.extend(inside)
                continue
            if _is_function(tokens, cursor.at):
                cursor.at += 3
                continue
        found.append(_simple(cursor, operator, depth))
        operator = ""
    if closing is not None:
        raise _Broken
    return tuple(found)


def _inside(node: Command | Loop, what: Around, offset: int) -> Command | Loop:
    """The command, or the loop with all that is in it, with one more around it."""
    around = ((what, offset), *node.around)
    if isinstance(node, Loop):
        return replace(node, body=tuple(_inside(each, what, offset) for each in node.body), around=around)
    return replace(node, around=around)


def _is_function(tokens: list[_Token], at: int) -> bool:
    return [token.text for token in tokens[at + 1 : at + 3]] == ["(", ")"]


def _skip_pattern(cursor: _Cursor) -> None:
    """Past the ``pattern)`` of a case, if another one follows."""
    at = cursor.at
    while at < len(cursor.tokens) and cursor.tokens[at].text in ("\n", ";"):
        at += 1
    if at < len(cursor.tokens) and cursor.tokens[at].text != "esac":
        cursor.at = at
        _skip_to(cursor, ")")


def _skip_to(cursor: _Cursor, word: str) -> None:
    while cursor.at < len(cursor.tokens):
        cursor.at += 1
        if cursor.tokens[cursor.at - 1].text == word:
            return
    raise _Broken


def _for(cursor: _Cursor, depth: int) -> Loop:
    tokens = cursor.tokens
    cursor.at += 1
    if cursor.at >= len(tokens):
        raise _Broken
    variable = tokens[cursor.at].text
    cursor.at += 1
    words: list[Word] = []
    if cursor.at < len(tokens) and tokens[cursor.at].text == "in":
        cursor.at += 1
        while cursor.at < len(tokens) and tokens[cursor.at].kind == "word":
            words.append(_word(tokens[cursor.at]))
            cursor.at += 1
    _skip_to(cursor, "do")
    return Loop(variable, tuple(words), _list(cursor, "done", depth + 1))


def _word(token: _Token) -> Word:
    return Word(token.text, token.start, token.end)


def _simple(cursor: _Cursor, operator: str, depth: int) -> Command:
    tokens = cursor.tokens
    assignments: list[Word] = []
    words: list[Word] = []
    redirects: list[tuple[str, Word]] = []
    start = tokens[cursor.at].start
    end = start
    while cursor.at < len(tokens) and tokens[cursor.at].kind != "operator":
        token = tokens[cursor.at]
        cursor.at += 1
        end = token.end
        if token.kind == "redirect":
            if cursor.at >= len(tokens) or tokens[cursor.at].kind != "word":
                raise _Broken
            redirects.append((token.text, _word(tokens[cursor.at])))
            end = tokens[cursor.at].end
            cursor.at += 1
        elif not words and _ASSIGNMENT.match(token.text):
            assignments.append(_word(token))
        else:
            words.append(_word(token))
    follows = tokens[cursor.at].text if cursor.at < len(tokens) else ""
    return Command(tuple(assignments), tuple(words), tuple(redirects), start, end, operator, follows, depth)


def all_commands(text: str) -> tuple[Command, ...]:
    """Commands of a shell text, those inside `sh -c` and behind `exec`, `nohup` … included."""
    found: list[Command] = []
    for command in parse(text).commands:
        found.append(command)
        if command.program in ("sh", "bash", "ash") and len(command.words) > 2:
            inner = command.words[-1].literal
            if inner:
                found.extend(parse(inner).commands)
        elif (
            command.program
            in ("exec", "nohup", "env", "time", "sudo", "xargs", "tini", "dumb-init", "gosu", "su-exec")
            and command.args
        ):
            rest = [word for word in command.args if not word.text.startswith("-") and "=" not in word.text]
            if rest:
                found.append(
                    Command(
                        (),
                        tuple(rest),
                        (),
                        rest[0].start,
                        command.end,
                        command.operator,
                        command.follows,
                        command.depth,
                    )
                )
    return tuple(found)


SHELLS = frozenset({"sh", "bash", "ash", "dash"})


def shell_script(argv: Sequence[str]) -> str | None:
    """The script of ``sh -c SCRIPT`` (also ``-ec``, ``-ce``, ``-o pipefail -c``), or None."""
    if not argv or argv[0].rsplit("/", 1)[-1] not in SHELLS:
        return None
    position, commanded = 1, False
    while position < len(argv) and argv[position][:1] in ("-", "+"):
        word = argv[position]
        position += 1
        if word in ("-", "--"):
            break
        if word.startswith("--"):
            continue
        commanded = commanded or (word[0] == "-" and "c" in word)
        position += sum(letter in "oO" for letter in word)  # each takes a word
    return argv[position] if commanded and position < len(argv) else None
