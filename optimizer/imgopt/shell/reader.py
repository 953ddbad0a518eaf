"""From shell text to commands, by the shell's own grammar: one pass, from left to right.

Bash's words are read where they stand (`[[ … ]]`, `(( … ))`, arrays, `<( … )`, `function`): no sh gives another sense to
them that somebody would use. What stands inside `$( … )` is read by the same grammar, for only so is its end known.

No parser of others: of the scripts of a Debian system bashlex refuses two in five and tree-sitter-bash one in thirty
that are right, and the latter takes minutes or all memory for some texts of half a megabyte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, cast

from imgopt.light.patterns import regex
from imgopt.light.records import replace
from imgopt.shell.model import (
    Around,
    Block,
    Command,
    Document,
    Function,
    Node,
    Script,
    Word,
    flatten,
    without_blocks,
)

_OPERATOR = regex(r"&&|\|\||;;&|;;|;&|\|&|[;&|()\n]")
_REDIRECT = regex(r"(?:\{\w+\}(?=[<>]))?(\d*(?:<<<|<<-|<<|>>|>\||<>|<&|>&|&>>|&>|<|>))")
_RESERVED = regex(r"[a-z]+(?=[\s;&|()<>]|\Z)|[{}!](?=[\s;&|()<>]|\Z)|\}")
_FUNCTION = regex(r"([^\s;&|()<>$`\"'\\#=]+)[ \t]*\([ \t]*\)")
_FUNCTION_WORD = regex(r"function[ \t]+([^\s;&|()<>$`\"'\\]+)(?:[ \t]*\([ \t]*\))?")
_INDEX = r"(?:\[(?:\"[^\"\n]*\"|'[^'\n]*'|[^\]\"'\n])*\])?"
_ASSIGNMENT = regex(rf"[A-Za-z_][A-Za-z0-9_]*{_INDEX}\+?=")
_ARRAY = regex(rf"[A-Za-z_][A-Za-z0-9_]*{_INDEX}\+?=\Z")
_TEST = regex(r"\[\[(?=\s)")
_PLAIN = regex(r"[^\s\\'\"`$;&|()<>]+")
_BLANKS = regex(r"(?:[ \t\r]|\\\n)+")
_NO_SUBSTITUTION = regex(r"[^\\`$]+")
_IN_QUOTES = regex(r"[^\\\"`$]+")
_IN_BRACES = regex(r"[^\\'\"`$}]+")
_IN_PARENTHESES = regex(r"[^\\'\"`$()\n]+")
_BACKQUOTED = regex(r"`((?:[^`\\]|\\.)*)`", re.DOTALL)
_PARAMETER = regex(r"\$\{[!#]?(?:\w+(?:\[[^\]]*\])?|[@*#?$!-])?:?([#%/+=?-]|)")
_IN_DOLLAR_QUOTES = regex(r"(?:[^'\\]|\\.)*'", re.DOTALL)
_CLOSES = {"if": "fi", "while": "done", "until": "done", "{": "}"}
_SEPARATING = frozenset({"then", "else", "elif", "do", "!"})
_MAX_DEPTH = 60  # of blocks, quotes and substitutions inside each other


class _Broken(Exception):
    pass


@lru_cache(maxsize=32)  # the pictures of a file before and after, and the rules, read the same scripts
def parse(text: str) -> Script:
    """Splits shell text into commands. Never raises: unreadable text gives ``broken``."""
    reader = _Reader(text)
    try:
        tree = reader.everything()
    except _Broken:
        return Script(text, (), True)
    functions, inner = tuple(reader.functions), tuple(reader.inner)
    return Script(text, tuple(without_blocks(tree)), False, functions, inner, tree, reader.documents)


class _Reader:
    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.at = 0
        self.nested = depth
        self.functions: list[Function] = []
        self.inner: list[Command] = []
        self.within: str | None = None  # the function whose body is read
        self.substitutions = 0  # that are open
        #: Here-documents that begin at the next line: tag, whether tabs go and variables are replaced, where the tag stands.
        self.pending: list[tuple[str, bool, bool, int]] = []
        self.documents: dict[int, Document] = {}

    def everything(self) -> tuple[Node, ...]:
        nodes = self._list((), 0)
        if self.pending:
            raise _Broken
        return nodes

    # lists and blocks

    def _list(self, closing: Sequence[str], depth: int) -> tuple[Node, ...]:
        """Commands up to one of these words or operators, which is taken, or to the end of the text."""
        return tuple(node for _, nodes in self._parts(closing, depth) for node in nodes)

    def _parts(
        self, closing: Sequence[str], depth: int, label: str = ""
    ) -> tuple[tuple[str, tuple[Node, ...]], ...]:
        """The same in the parts of a block, each by the word that begins it or the pattern of a case."""
        self._deeper()
        parts: list[tuple[str, list[Node]]] = [(label, [])]
        found = parts[0][1]
        operator = ""
        first = 0  # of the commands that the next "&" puts into the background
        while True:
            self._blanks()
            if self.at >= len(self.text):
                if closing:
                    raise _Broken
                break
            char = self.text[self.at]
            if char == ")":
                if ")" not in closing:
                    raise _Broken
                self.at += 1
                break
            if char == "(" and not self._arithmetic():
                start = self.at
                self.at += 1
                inside = self._parts((")",), depth + 1)
                found.append(Block("(", inside, start, self.at, operator))
                continue
            sign = None if char == "(" or self._redirect() else _OPERATOR.match(self.text, self.at)
            if sign is not None:
                operator = sign[0]
                self.at = sign.end()
                if found and isinstance(found[-1], Block) and not found[-1].follows:
                    found[-1] = replace(found[-1], follows=operator)
                if operator == "&":
                    found[first:] = [_inside(node, "&", sign.start()) for node in found[first:]]
                if operator not in ("&&", "||", "|", "|&"):
                    first = len(found)
                if operator == "\n":
                    self._documents()
                elif operator in (";;", ";&", ";;&") and "esac" in closing:
                    found, first = [], 0
                    parts.append((self._pattern(), found))
                continue
            word = _RESERVED.match(self.text, self.at)
            if word is not None and word[0] in closing:
                self.at = word.end()
                break
            if word is not None and word[0] in _SEPARATING:
                self.at = word.end()
                operator = ""
                if word[0] != "!":
                    found, first = [], 0
                    parts.append((word[0], found))
                continue
            if word is not None and word[0] in _CLOSES:
                self.at = word.end()
                inside = self._parts((_CLOSES[word[0]],), depth + 1, word[0])
                if word[0] in ("while", "until"):
                    inside = tuple(
                        (name, tuple(_inside(node, "while", word.start()) for node in nodes))
                        for name, nodes in inside
                    )
                kind = cast("Literal['if', 'while', 'until', '{']", word[0])
                found.append(Block(kind, inside, word.start(), self.at, operator))
                continue
            if word is not None and word[0] in ("for", "select"):
                found += self._for(word.end(), depth, operator)
                continue
            if word is not None and word[0] == "case":
                self.at = word.end()
                self._blanks()
                subject = self._word()
                self._expect("in")
                pattern = self._pattern()
                inside = self._parts(("esac",), depth + 1, pattern)
                found.append(Block("case", inside, word.start(), self.at, operator, subject))
                continue
            named = _FUNCTION_WORD.match(self.text, self.at) or _FUNCTION.match(self.text, self.at)
            if named is not None:
                found.append(self._function(named, operator, depth))
                continue
            found.append(self._simple(operator, depth))
            operator = ""
        self.nested -= 1
        return tuple((name, tuple(nodes)) for name, nodes in parts)

    def _function(self, named: re.Match[str], operator: str, depth: int) -> Block:
        start, outer = self.at, self.within
        self.at = named.end()
        while self.at < len(self.text):  # the body may begin on the next line
            self._blanks()
            if self.text[self.at : self.at + 1] != "\n":
                break
            self.at += 1
            self._documents()
        self.within = named[1]
        closing = _RESERVED.match(self.text, self.at)
        if closing is not None and closing[0] in _CLOSES:
            opened = self.at
            self.at = closing.end()
            body = self._parts((_CLOSES[closing[0]],), depth + 1, closing[0])
            if closing[0] != "{":
                kind = cast("Literal['if', 'while', 'until']", closing[0])
                body = (("", (Block(kind, body, opened, self.at, ""),)),)
        elif self.text[self.at : self.at + 1] == "(" and not self._arithmetic():
            self.at += 1
            body = self._parts((")",), depth + 1)
        else:
            raise _Broken  # another kind of body, which nobody writes
        certain = depth == 0 and outer is None and operator in ("", ";", "\n") and not self.substitutions
        self.functions.append(Function(named[1], start, self.at, certain))
        self.within = outer
        name = Word(named[1], named.start(1), named.end(1))
        return Block("function", body, start, self.at, operator, name)

    def _for(self, at: int, depth: int, operator: str) -> tuple[Node, ...]:
        start = self.at
        self.at = at
        self._blanks()
        if self.text.startswith("((", self.at):
            head = self._simple("", depth)
            body = self._body(depth)
            return (head, Block("for", (("", body),), start, self.at, "", Word("_", start, start)))
        variable = _PLAIN.match(self.text, self.at)
        if variable is None:
            raise _Broken
        name = Word(variable[0], self.at, variable.end())
        self.at = variable.end()
        self._lines()
        words: list[Word] = []
        word = _RESERVED.match(self.text, self.at)
        if word is not None and word[0] == "in":
            self.at = word.end()
            self._blanks()
            while self.at < len(self.text) and not _OPERATOR.match(self.text, self.at):
                words.append(self._word())
                self._blanks()
        body = self._body(depth)
        return (Block("for", (("", body),), start, self.at, operator, name, words=tuple(words)),)

    def _body(self, depth: int) -> tuple[Node, ...]:
        self._blanks()
        while self.text[self.at : self.at + 1] in (";", "\n"):
            self.at += 1
            if self.text[self.at - 1] == "\n":
                self._documents()
            self._blanks()
        word = _RESERVED.match(self.text, self.at)
        if word is None or word[0] not in ("do", "{"):
            raise _Broken
        self.at = word.end()
        return self._list(("done" if word[0] == "do" else "}",), depth + 1)

    def _expect(self, wanted: str) -> None:
        self._lines()
        word = _RESERVED.match(self.text, self.at)
        if word is None or word[0] != wanted:
            raise _Broken
        self.at = word.end()

    def _pattern(self) -> str:
        """Past the ``pattern)`` of a case, if another one follows: as written, with its ``|``."""
        self._lines()
        word = _RESERVED.match(self.text, self.at)
        if word is not None and word[0] == "esac":
            return ""
        if self.text[self.at : self.at + 1] == "(":
            self.at += 1
        start = self.at
        while True:
            self._blanks()
            self._word()
            self._blanks()
            sign = self.text[self.at : self.at + 1]
            self.at += 1
            if sign == ")":
                return self.text[start : self.at - 1]
            if sign != "|":
                raise _Broken

    def _lines(self) -> None:
        """Past blanks and line ends."""
        self._blanks()
        while self.text[self.at : self.at + 1] == "\n":
            self.at += 1
            self._documents()
            self._blanks()

    # commands

    def _simple(self, operator: str, depth: int) -> Command:
        assignments: list[Word] = []
        words: list[Word] = []
        redirects: list[tuple[str, Word]] = []
        start = end = self.at
        while True:
            self._blanks()
            if self.at >= len(self.text):
                break
            redirect = self._redirect()
            if redirect is not None:
                self.at = redirect.end()
                self._blanks()
                target = self._word()
                redirects.append((redirect[1], target))
                sign = redirect[1].lstrip("0123456789")
                if sign in ("<<", "<<-"):
                    tag = re.sub(r"[\"'\\]", "", target.text)
                    self.pending.append((tag, sign == "<<-", tag == target.text, target.start))
            elif not words and self.text.startswith("((", self.at):
                words += self._double(self._arithmetic(), "((", "))")
            elif not words and _TEST.match(self.text, self.at):
                words += self._test()
            elif _OPERATOR.match(self.text, self.at):
                break
            else:
                word = self._word(array=True)
                (words if words or not _ASSIGNMENT.match(word.text) else assignments).append(word)
            end = self.at
        sign = _OPERATOR.match(self.text, self.at)
        if start == end:
            raise _Broken
        return Command(
            tuple(assignments),
            tuple(words),
            tuple(redirects),
            start,
            end,
            operator,
            sign[0] if sign is not None else "",
            depth,
            self.within,
            self.substitutions > 0,
        )

    def _redirect(self) -> re.Match[str] | None:
        found = _REDIRECT.match(self.text, self.at)
        # `<(` and `>(` begin a word
        return found if found is None or self.text[found.end() : found.end() + 1] != "(" else None

    def _test(self) -> list[Word]:
        """`[[ … ]]`: what is an operator elsewhere is none in it."""
        words = [Word("[[", self.at, self.at + 2)]
        self.at += 2
        while True:
            self._blanks(comments=False)
            start = self.at
            if start >= len(self.text):
                raise _Broken
            if self.text[start] == "\n":
                self.at += 1
                continue
            while self.at < len(self.text) and self.text[self.at] not in " \t\r\n":
                if self.text[self.at] in ";&|()<>":
                    self.at += 1
                else:
                    self._piece()
            word = self.text[start : self.at]
            if word == "]]" or (word.startswith("]]") and word[2] in ";&|)"):
                self.at = start + 2
                words.append(Word("]]", start, self.at))
                return words
            words.append(Word(word, start, self.at))

    def _double(self, end: int, opening: str, closing: str) -> list[Word]:
        """`(( … ))` as three words."""
        start = self.at
        if not end:
            raise _Broken
        self._inside(start + 2, end - 2)
        self.at = end
        return [
            Word(opening, start, start + 2),
            Word(self.text[start + 2 : end - 2], start + 2, end - 2),
            Word(closing, end - 2, end),
        ]

    def _arithmetic(self, at: int | None = None) -> int:
        """Where the `(( … ))` ends that begins here; 0 where it is a subshell in a subshell."""
        at = self.at if at is None else at
        if not self.text.startswith("((", at):
            return 0
        level = 2
        at += 2
        while at < len(self.text):
            char = self.text[at]
            if char == "\\":
                at += 1
            elif char == "(":
                level += 1
            elif char == ")":
                level -= 1
                if level == 1:
                    return at + 2 if self.text.startswith("))", at) else 0
            elif char in "'\"`":
                found = self.text.find(char, at + 1)
                if found < 0:
                    return 0
                at = found
            at += 1
        return 0

    def _inside(self, start: int, end: int) -> None:
        """The substitutions in a text that is no command: arithmetic, a here-document."""
        self._deeper()
        outer, self.at = self.at, start
        while self.at < end:
            plain = _NO_SUBSTITUTION.match(self.text, self.at, end)
            if plain is not None:
                self.at = plain.end()
            elif self.text[self.at] == "\\":
                self.at += 2
            elif self.text[self.at] == "`" or self.text.startswith("$(", self.at):
                self._piece()
            elif self.text.startswith("${", self.at):
                self._parameter(quoted=True)
            else:
                self.at += 1
        if self.at > end:
            raise _Broken
        self.nested -= 1
        self.at = outer

    # words

    def _word(self, *, array: bool = False) -> Word:
        start = self.at
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\r\n;&|":
                break
            if char in "<>":
                if not self.text.startswith("(", self.at + 1):
                    break
                self.at += 1
                self._substitution()
            elif char == ")":
                break
            elif char == "(":
                before = self.text[start : self.at]
                if array and _ARRAY.match(before):
                    self._array()
                elif before and before[-1] in "?*@+!" and before != "!":
                    self.at += 1
                    self._alternatives()
                else:
                    break
            else:
                self._piece()
        if self.at == start:
            raise _Broken
        return Word(self.text[start : self.at], start, self.at)

    def _piece(self) -> None:
        """Past one part of a word: plain characters, something quoted, a substitution."""
        text, at = self.text, self.at
        char = text[at]
        if char == "\\":
            self.at = min(at + 2, len(text))
        elif char == "'":
            self.at = self._behind("'", at + 1)
        elif char == '"':
            self._quoted()
        elif char == "`":
            self._backquoted()
        elif char == "$":
            following = text[at + 1 : at + 2]
            if following == "(":
                end = self._arithmetic(at + 1)
                if end:
                    self._inside(at + 3, end - 2)
                    self.at = end
                else:
                    self.at += 1
                    self._substitution()
            elif following == "{":
                self._parameter(quoted=False)
            elif following == "'":
                match = _IN_DOLLAR_QUOTES.match(text, at + 2)
                if match is None:
                    raise _Broken
                self.at = match.end()
            else:
                self.at += 1
        else:
            plain = _PLAIN.match(text, at)
            self.at = plain.end() if plain is not None else at + 1

    def _behind(self, sign: str, at: int) -> int:
        found = self.text.find(sign, at)
        if found < 0:
            raise _Broken
        return found + 1

    def _quoted(self) -> None:
        self._deeper()
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                self.nested -= 1
                return
            if char == "\\":
                self.at += 2
            elif char == "`":
                self._backquoted()
            elif char == "$" and self.text.startswith("(", self.at + 1):
                self._piece()
            elif char == "$" and self.text.startswith("{", self.at + 1):
                self._parameter(quoted=True)
            elif char == "$":
                self.at += 1
            else:
                plain = _IN_QUOTES.match(self.text, self.at)
                self.at = plain.end() if plain is not None else self.at + 1
        raise _Broken

    def _parameter(self, *, quoted: bool) -> None:
        """`${ … }`. In double quotes an apostrophe is one, except in a pattern."""
        self._deeper()
        head = _PARAMETER.match(self.text, self.at)
        if head is None:
            raise _Broken
        quoting = not quoted or head[1] in ("#", "%", "/")
        self.at = head.end()
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "}":
                self.at += 1
                self.nested -= 1
                return
            if char == "'" and not quoting:
                self.at += 1
            elif self.text.startswith("${", self.at):
                self._parameter(quoted=quoted)
            elif char in "\\'\"`$":
                self._piece()
            else:
                plain = _IN_BRACES.match(self.text, self.at)
                self.at = plain.end() if plain is not None else self.at + 1
        raise _Broken

    def _array(self) -> None:
        """Past the ``(a b c)`` of an array."""
        self.at += 1
        while True:
            self._blanks()
            char = self.text[self.at : self.at + 1]
            if char == ")":
                self.at += 1
                return
            if char == "\n":
                self.at += 1
            else:
                self._word()

    def _alternatives(self) -> None:
        """Past the rest of an ``@(one|other)``."""
        self._deeper()
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == ")":
                self.at += 1
                self.nested -= 1
                return
            if char == "(":
                self.at += 1
                self._alternatives()
            elif char in "\\'\"`$":
                self._piece()
            elif char == "\n":
                break
            else:
                plain = _IN_PARENTHESES.match(self.text, self.at)
                self.at = plain.end() if plain is not None else self.at + 1
        raise _Broken

    def _substitution(self) -> None:
        """Past ``( … )`` whose commands print a word."""
        self.at += 1
        outer, self.pending = self.pending, []
        self.substitutions += 1
        self.inner += flatten(self._list((")",), 0))
        self.substitutions -= 1
        if self.pending:
            raise _Broken
        self.pending = outer

    def _backquoted(self) -> None:
        match = _BACKQUOTED.match(self.text, self.at)
        if match is None:
            raise _Broken
        self._deeper()
        inside = re.sub(r"\\([$`\\])", r"\1", match[1])
        reader = _Reader(inside, self.nested)
        reader.substitutions, reader.within = 1, self.within
        nodes = reader.everything()
        start = match.start() + 1 if inside == match[1] else None
        self.inner += [_moved(command, start, match) for command in (*flatten(nodes), *reader.inner)]
        self.nested -= 1
        self.at = match.end()

    # between words

    def _blanks(self, *, comments: bool = True) -> None:
        """Past blanks, joined lines and a comment."""
        match = _BLANKS.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        if (
            comments
            and self.text.startswith("#", self.at)
            and (self.at == 0 or self.text[self.at - 1] in " \t\r\n;&|()`")
        ):
            newline = self.text.find("\n", self.at)
            self.at = len(self.text) if newline < 0 else newline

    def _documents(self) -> None:
        """Past the here-documents that begin on this line."""
        for tag, strip, expanded, place in self.pending:
            start = self.at
            while True:
                if self.at >= len(self.text):
                    raise _Broken
                newline = self.text.find("\n", self.at)
                end = len(self.text) if newline < 0 else newline
                line = self.text[self.at : end]
                body = self.at
                self.at = min(end + 1, len(self.text))
                if (line.lstrip("\t") if strip else line) == tag:
                    break
            if expanded:
                self._document(start, body)
            text = self.text[start:body]
            self.documents[place] = Document(re.sub(r"(?m)^\t+", "", text) if strip else text, expanded)
        self.pending = []

    def _document(self, start: int, end: int) -> None:
        pending, self.pending = self.pending, []
        self._inside(start, end)
        self.pending = pending

    def _deeper(self) -> None:
        self.nested += 1
        if self.nested > _MAX_DEPTH:
            raise _Broken


def _inside(node: Node, what: Around, offset: int) -> Node:
    """The command, or the block with all that is in it, with one more around it."""
    around = ((what, offset), *node.around)
    if isinstance(node, Block):
        parts = tuple(
            (name, tuple(_inside(each, what, offset) for each in nodes)) for name, nodes in node.parts
        )
        return replace(node, parts=parts, around=around)
    return replace(node, around=around)


def _moved(command: Command, start: int | None, outside: re.Match[str]) -> Command:
    """A command of a text of its own, where that stands; all of it at one place where it has other characters there."""

    def place(word: Word) -> Word:
        if start is None:
            return Word(word.text, outside.start(), outside.end())
        return Word(word.text, start + word.start, start + word.end)

    return replace(
        command,
        assignments=tuple(map(place, command.assignments)),
        words=tuple(map(place, command.words)),
        redirects=tuple((operator, place(word)) for operator, word in command.redirects),
        start=outside.start() if start is None else start + command.start,
        end=outside.end() if start is None else start + command.end,
    )
