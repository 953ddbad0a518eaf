"""BuildKit's shell lexer: quotes, escapes and variables in one argument, and here-document tags in a line.

It follows BuildKit 0.34 (frontend/dockerfile/shell), oddities included: no bracket expressions in patterns,
``${X:0:3}`` and ``${X^^}`` refused, a backslash as the patterns' escape whatever the file's is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Literal

from imgopt.dockerfile.split import WHITE_SPACE
from imgopt.light.patterns import regex

MAX_VALUE = 128 * 1024  # characters; Linux takes no longer environment variable
_MAX_DEPTH = 50  # of ${A:-${B:-...}}
_MAX_WORK = 4_000_000  # characters looked at in one call
_TOKEN_WORK = 8  # what a quote or a variable costs, in characters of plain text

_SPECIAL_NAMES = "@*#?-$!"
_HEREDOC = regex(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)")
_WHITE_SPACE = regex(f"[{WHITE_SPACE}]")
_PATTERN_SIGN = regex(r"\\.|.", re.DOTALL)
_TEMPLATE = regex(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def printable(text: str, limit: int = 160) -> str:
    """The text for a message: cut to ``limit`` characters, and with what a terminal would act on, or cannot
    show, written as an escape.
    """
    cut = text if len(text) <= limit else f"{text[: limit - 3]}..."
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in cut)


class ShellError(ValueError):
    """BuildKit refuses the text. The message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ShellLimitError(ShellError):
    """BuildKit might accept the text, but it grows beyond any use."""


@lru_cache(maxsize=2)
def _plain(escape: str) -> dict[str, re.Pattern[str]]:
    """What means nothing special, by the character that ends it; for double quotes the quote itself."""
    sign = re.escape(escape)
    patterns = {stop: re.compile(rf"[^$<'\"{sign}{stop}]+") for stop in ("", "}", "/")}
    return patterns | {'"': re.compile(rf'[^"${sign}]+')}


class Lexer:
    """One pass over one text.

    ``variables`` maps names to values; None says that no value is known. Such a name reads as empty, or takes
    its default, unless the mapping has a method ``hides`` that says it is set all the same; `missing` has those
    that the result depends on. With ``keep_unset``, references to names outside ``variables`` stay as they are;
    ``raw`` keeps quotes, or quotes and escapes, too. For a "body", that of a here-document which COPY writes, quotes are
    characters like others, and names that the variables may hide stay as they are.
    """

    def __init__(
        self,
        text: str,
        variables: Mapping[str, str | None],
        escape: str = "\\",
        *,
        keep_unset: bool = False,
        raw: Literal["", "quotes", "quotes and escapes", "body"] = "",
    ) -> None:
        self.text = text.removeprefix("\ufeff")
        self.variables = variables
        self.escape = escape
        self.keep_unset = keep_unset
        self.missing: list[str] = []
        self.used: list[str] = []
        self.work = len(text)
        self._hides: Callable[[str], bool] = getattr(variables, "hides", lambda name: False)
        self._body = raw == "body"
        self._raw_quotes = raw in ("quotes", "quotes and escapes")
        self._raw_escapes = raw == "quotes and escapes"
        self._plain = _plain(escape)
        self._position = 0
        self._depth = 0

    def word(self) -> str:
        """The text expanded as one word. ShellError where BuildKit refuses it."""
        return self._until("", self._raw_escapes, False)

    def words(self) -> list[str]:
        """The text expanded, then split at the white space that was not quoted."""
        words: list[str] = []
        current: list[str] = []

        def finish() -> None:
            if word := "".join(current):
                words.append(word)
            current.clear()

        for part, whole in self._parts("", self._raw_escapes, False):
            if whole:
                current.append(part)
                continue
            first, *others = _WHITE_SPACE.split(part)
            current.append(first)
            for other in others:
                finish()
                current.append(other)
        finish()
        return words

    def _until(self, stop: str, raw_escapes: bool, pattern: bool) -> str:
        return "".join([part for part, _ in self._parts(stop, raw_escapes, pattern)])

    def _parts(self, stop: str, raw_escapes: bool, pattern: bool) -> list[tuple[str, bool]]:
        """What comes before the character ``stop`` (or the end): pieces, each with whether it stays whole
        when words are split.
        """
        text, plain = self.text, self._plain[stop]
        parts: list[tuple[str, bool]] = []
        size = 0
        before, self._raw_escapes = self._raw_escapes, raw_escapes
        while self._position < len(text):
            match = plain.match(text, self._position)
            if match:
                self._position = match.end()
                parts.append((match[0], False))
            else:
                self._spend(_TOKEN_WORK)
                sign = text[self._position]
                if sign == stop:
                    break
                if sign == "$":
                    parts.append((self._dollar(), False))
                elif self._body and sign in "'\"<":
                    self._position += 1
                    parts.append((sign, False))
                elif sign == "'":
                    parts.append((self._single_quotes(pattern), True))
                elif sign == '"':
                    parts.append((self._double_quotes(pattern), True))
                elif sign == "<":
                    parts.append((self._less_than(), True))
                else:
                    escaped = text[self._position + 1 : self._position + 2]
                    self._position += 1 + len(escaped)
                    parts.append((sign + escaped if raw_escapes else escaped, True))
            size += len(parts[-1][0])
            if size > MAX_VALUE and not self.keep_unset:
                raise ShellLimitError(f"the value is longer than {MAX_VALUE // 1024} KiB")
        if stop and self._next() != stop:
            raise ShellError(f"a ${{ is not closed: its {stop} is missing")
        self._raw_escapes = before
        return parts

    def _single_quotes(self, pattern: bool) -> str:
        end = self.text.find("'", self._position + 1)
        if end < 0:
            raise ShellError("a single quote is not closed")
        quoted = self.text[self._position + 1 : end]
        self._position = end + 1
        if pattern:
            quoted = quoted.replace(self.escape, self.escape * 2)
        return f"'{quoted}'" if self._raw_quotes else quoted

    def _double_quotes(self, pattern: bool) -> str:
        text, escape, plain = self.text, self.escape, self._plain['"']
        quote = '"' if self._raw_quotes else ""
        parts = [quote]
        self._position += 1
        while self._position < len(text):
            match = plain.match(text, self._position)
            if match:
                self._position = match.end()
                parts.append(match[0])
                continue
            self._spend(_TOKEN_WORK)
            sign = text[self._position]
            if sign == "$":
                parts.append(self._dollar())
                continue
            self._position += 1
            if sign == '"':
                return "".join([*parts, quote])
            if text.startswith(('"', "$", escape), self._position):
                parts.append((sign if self._raw_escapes else "") + self._next())
            else:
                twice = self._raw_escapes and (pattern or not self._raw_quotes)
                parts.append(sign * 2 if twice else sign)
        raise ShellError("a double quote is not closed")

    def _less_than(self) -> str:
        """``<``, or ``<<`` with the white space that may stand between it and a tag."""
        start = self._position
        self._position += 1
        if self.text.startswith("<", self._position):
            self._position += 1
            while self.text.startswith(("\t", "\r", " "), self._position):
                self._position += 1
        return self.text[start : self._position]

    def _dollar(self) -> str:
        self._position += 1
        if not self.text.startswith("{", self._position):
            name = self._name()
            if not name:
                return "$"
            return f"${name}" if self._kept(name) else self._value(name)
        self._position += 1
        if self._position == len(self.text) or self.text.startswith(("{", "}", ":"), self._position):
            raise ShellError("a ${ without a variable's name")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ShellLimitError("too many ${ inside each other")
        name = self._name()
        modifier = self._next()
        if modifier == "}":
            value = f"${{{name}}}" if self._kept(name) else self._value(name)
        elif modifier == "/":
            value = self._replaced(name)
        elif modifier and modifier in ":+-?#%":
            value = self._modified(name, modifier)
        else:
            raise ShellError(f"${{{name}{modifier}...}} is not a substitution that a Dockerfile knows")
        self._depth -= 1
        return value

    def _next(self) -> str:
        """The next character, read; empty at the end."""
        sign = self.text[self._position : self._position + 1]
        self._position += len(sign)
        return sign

    def _name(self) -> str:
        """A name, a run of digits or one special parameter; empty where none of them begins."""
        text, start = self.text, self._position
        if text[start : start + 1].isdecimal():
            while text[self._position : self._position + 1].isdecimal():
                self._position += 1
        elif text.startswith(tuple(_SPECIAL_NAMES), start):
            self._position += 1
        else:
            while (
                (sign := text[self._position : self._position + 1]).isalpha()
                or sign.isdecimal()
                or sign == "_"
            ):
                self._position += 1
        name = text[start : self._position]
        if name:
            self.used.append(name)
        return name

    def _kept(self, name: str) -> bool:
        if self._body:
            return name not in self.variables and name.isidentifier() and self._hides(name)
        return self.keep_unset and name not in self.variables

    def _lookup(self, name: str) -> str | Literal[False] | None:
        """The value; None when it is not known, False when there is none."""
        if name in self.variables:
            return self.variables[name]
        return None if self._hides(name) else False

    def _value(self, name: str) -> str:
        value = self._lookup(name)
        if value is None:
            self.missing.append(name)
        self._spend(len(value or ""))
        return value or ""

    def _spend(self, characters: int) -> None:
        self.work += characters
        if self.work > _MAX_WORK:
            raise ShellLimitError("it is too long to expand")

    def _modified(self, name: str, modifier: str) -> str:
        colon = ":" if modifier == ":" else ""
        if colon:
            modifier = self._next()
        trims = modifier in ("#", "%")
        unknown = ShellError(f"${{{name}{colon}{modifier}...}} is not a substitution that a Dockerfile knows")
        if colon and trims:
            raise unknown
        missing = len(self.missing)
        operand = self._until("}", trims, trims)
        needed = self.missing[missing:]
        del self.missing[missing:]
        if self._kept(name):
            return f"${{{name}{colon}{modifier}{operand}}}"

        if trims:
            self.missing += needed
            longest = operand.startswith(modifier)
            return self._trimmed(self._value(name), operand[longest:], longest, modifier == "%")
        value = self._lookup(name)
        if value is None and modifier in ("-", "+", "?") and self._hides(name):
            return self._value(name)
        usable = isinstance(value, str) and not (colon and not value)
        if (modifier == "-" and not usable) or (modifier == "+" and usable):
            self.missing += needed
            return operand
        if modifier == "-" or (modifier == "?" and (usable or value is None)):
            return self._value(name)
        if modifier == "+":
            return ""
        if modifier == "?":
            raise ShellError(f"{name}: {operand or 'must be set'}")
        raise unknown

    def _trimmed(self, value: str, pattern: str, longest: bool, at_end: bool) -> str:
        glob = Glob(pattern, backwards=at_end)
        self._spend(glob.cost(value))
        ends = glob.ends(value[::-1] if at_end else value)
        cut = 0 if not ends else ends[-1] if longest else ends[0]
        return value[: len(value) - cut] if at_end else value[cut:]

    def _replaced(self, name: str) -> str:
        everywhere = self.text.startswith("/", self._position)
        self._position += everywhere
        pattern = self._until("/", True, True)
        replacement = self._until("}", True, False)
        if self._kept(name):
            return f"${{{name}/{pattern}/{replacement}}}"
        value = self._value(name)
        self._spend(3 * Glob(pattern).cost(value))
        result: list[str] = []
        copied = size = 0
        for start, end in matches(pattern, value):
            new = _filled(replacement, value[start:end]) if everywhere else replacement
            result += [value[copied:start], new]
            copied = end
            size += len(new)
            if not everywhere:
                break
            if size > MAX_VALUE:
                raise ShellLimitError(f"the value is longer than {MAX_VALUE // 1024} KiB")
        return "".join([*result, value[copied:]])


def _filled(template: str, match: str) -> str:
    """What Go's Regexp.ReplaceAllString makes of a replacement: it knows no group but the whole match."""

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        return match if (found[2] or found[3]) == "0" else ""

    return _TEMPLATE.sub(value, template)


class Glob:
    """A pattern of ``*``, ``?`` and characters; matching takes time linear in the value's length."""

    def __init__(self, pattern: str, *, backwards: bool = False) -> None:
        if backwards:
            pattern = "".join(reversed(_PATTERN_SIGN.findall(pattern)))
        tokens: list[str] = []  # "*", "?", or a backslash with a literal character
        signs = iter(pattern.removeprefix("\ufeff"))
        for sign in signs:
            if sign == "\\":
                sign = next(signs, "")
                if not sign or sign not in "*?\\}/":
                    raise ShellError(f"\\{sign} means nothing in the pattern {pattern}")
                tokens.append(f"\\{sign}")
            else:
                tokens.append(sign if sign in "*?" else f"\\{sign}")
        # one bit for each place between two tokens: a set of places is a number
        self._takes: dict[str, int] = {}
        self._takes_any = self._stays = 0
        place = 1
        for token in tokens:
            if token == "*":
                self._stays |= place
                continue
            if token == "?":
                self._takes_any |= place
            else:
                self._takes[token[1]] = self._takes.get(token[1], 0) | place
            place <<= 1
        self._done = place

    def cost(self, value: str) -> int:
        """The work of one pass over ``value``, in characters."""
        return len(value) * (1 + self._done.bit_length() // 64)

    def ends(self, value: str, start: int = 0, *, anywhere: bool = False) -> list[int]:
        """Where a match can end that begins at ``start``; with ``anywhere``, at ``start`` or behind it."""
        ends = []
        places = 1
        for at in range(start, len(value) + 1):
            if places & self._done:
                ends.append(at)
            if not places or at == len(value):
                break
            sign = value[at]
            taken = places & self._takes.get(sign, 0)
            if sign != "\n":  # no wildcard takes a line feed
                taken |= places & self._takes_any
                places = taken << 1 | places & self._stays
            else:
                places = taken << 1
            places |= anywhere
        return ends


def matches(pattern: str, value: str) -> Iterator[tuple[int, int]]:
    """The matches from left to right, each the longest at its place, as Go's regexp package finds them."""
    glob = Glob(pattern)
    # matched from the back, the ends are the places where a match begins
    starts = [len(value) - end for end in Glob(pattern, backwards=True).ends(value[::-1], anywhere=True)][
        ::-1
    ]
    position, last = 0, -1
    while (index := bisect_left(starts, position)) < len(starts):
        start = starts[index]
        end = glob.ends(value, start)[-1]
        position = max(end, start + 1)
        if end > start or start != last:  # an empty match right behind another one does not count
            yield start, end
            last = end


def heredoc_tag(word: str) -> tuple[str, bool, bool] | None:
    """Tag, whether tabs are stripped and whether the body is expanded, if ``word`` begins a here-document."""
    match = _HEREDOC.fullmatch(word)
    if not match or not match[3]:
        return None
    tags = Lexer(match[3], {}, keep_unset=True).words()
    if len(tags) != 1:
        return None
    raw = Lexer(match[3], {}, keep_unset=True, raw="quotes").words()
    if len(raw) != 1:
        raise ShellError(f"<<{match[3]} is not a tag")
    # if a quote went, the tag was quoted
    expand = sum(map(tags[0].count, "'\"")) == sum(map(raw[0].count, "'\""))
    return tags[0], match[2] == "-", expand


def heredoc_tags(line: str) -> list[tuple[str, bool, bool]]:
    """The here-documents a logical line announces, in order; none when BuildKit cannot split the line.

    ShellError when a tag itself is broken: BuildKit refuses that.
    """
    try:
        words = Lexer(line, {}, keep_unset=True, raw="quotes and escapes").words()
    except ShellLimitError:
        raise
    except ShellError:
        return []
    return [tag for tag in map(heredoc_tag, words) if tag]
