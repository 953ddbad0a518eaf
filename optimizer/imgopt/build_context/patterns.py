"""Docker's two pattern languages: Go globs (COPY sources) and ignore rules (.dockerignore, COPY --exclude).

They are not fnmatch and not gitignore. A COPY source is a Go ``filepath.Match`` glob, matched one path
component at a time: ``*`` stops at ``/``, ``**`` is no more than ``*``, ``[^a]`` negates and ``[!a]`` does not.
An ignore rule is anchored at the context's root, also matches everything below a directory it matches, and the
last rule that matches wins, ``!`` taking a path back. Docker turns a rule into a regular expression without
caring for what stands between brackets; what follows from that (``[[:alpha:]]`` is a POSIX class,
``target\\classes`` an error) is kept here, because the builder decides by it.

The facts come from builds: every case of tests/context/cases.json was built by BuildKit 0.34, and by the
classic builder 20.10 where the two agree. Where they differ BuildKit is followed: the classic builder does not
look into an ignored directory for an exception that has a wildcard (``*`` with ``!**/*.jar``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from posixpath import normpath

from imgopt.errors import ContextError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.text.quoting import require_visible

_LINE_LIMIT = 64 * 1024  # Docker reads .dockerignore line by line with a buffer of this many bytes
# what Go's TrimSpace takes off; Python's strip() also takes U+001C..U+001F
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_BAD_PATTERN = "syntax error in pattern"
_PYTHON_CLASS_SPECIAL = regex(r"[\\\]\[^\-&|~]")
_NOTHING = "(?!)"
_ANYTHING = r"[\s\S]"
_NOT_SLASH = "[^/]"
# beyond this many repetitions a backtracking regular expression may take forever on a hostile pattern
_FEW_REPEATS = 3
#: What one path may cost, in patterns that are tried one after the other; paths without wildcards are looked up. People
#: write some dozens.
MOST_WORK = 2_000
#: Characters; a longer pattern costs as much as several.
_PLAIN_LENGTH = 100
#: One with many wildcards is matched character by character.
_WORK_OF_A_TOKEN = 5
#: Patterns of one file; each has to be understood.
MOST_RULES = 100_000
_WILDCARD = regex(r"[*?\[\]\\]")


class BadPattern(ValueError):
    """A pattern that Docker refuses."""


# --- one pattern as a list of tokens --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _One:
    """Exactly one character that ``regex`` (a literal or a class) matches."""

    regex: str


@dataclass(frozen=True, slots=True)
class _Many:
    """Any number of characters that ``regex`` matches."""

    regex: str


@dataclass(frozen=True, slots=True)
class _Folders:
    """Nothing, or anything that ends with a slash: ``**/``."""


_Token = _One | _Many | _Folders


class _Matcher:
    """Matches a whole text against tokens in time linear in the text, whatever the tokens."""

    __slots__ = ("_accepts", "_regex", "tokens")

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self.tokens = tuple(tokens)
        self._accepts: dict[tuple[str, str], bool] = {}
        repeats = sum(not isinstance(token, _One) for token in tokens)
        self._regex = re.compile(self.regex()) if repeats <= _FEW_REPEATS else None

    @property
    def is_simple(self) -> bool:
        return self._regex is not None

    def regex(self) -> str:
        parts = []
        for token in self.tokens:
            if isinstance(token, _One):
                parts.append(token.regex)
            elif isinstance(token, _Many):
                parts.append(token.regex + "*")
            else:
                parts.append("(?:.*/)?")
        return "".join(parts)

    def matches(self, text: str) -> bool:
        if self._regex is not None:
            return self._regex.fullmatch(text) is not None
        return self.matches_by_states(text)

    def matches_by_states(self, text: str) -> bool:
        # state 2i stands before token i, state 2i+1 inside the folders of token i
        last = 2 * len(self.tokens)
        states = self._closure({0})
        for character in text:
            after: set[int] = set()
            for state in states:
                if state == last:
                    continue
                token = self.tokens[state // 2]
                if isinstance(token, _Folders):
                    if state % 2:
                        if character != "\n":
                            after.add(state)
                        if character == "/":
                            after.add(state + 1)
                elif self._accept(token.regex, character):
                    after.add(state + 2 if isinstance(token, _One) else state)
            if not after:
                return False
            states = self._closure(after)
        return last in states

    def _closure(self, states: set[int]) -> set[int]:
        waiting = list(states)
        reached = set(states)
        while waiting:
            state = waiting.pop()
            if state % 2 or state == 2 * len(self.tokens):
                continue
            token = self.tokens[state // 2]
            free: tuple[int, ...] = ()
            if isinstance(token, _Many):
                free = (state + 2,)
            elif isinstance(token, _Folders):
                free = (state + 1, state + 2)
            for next_state in free:
                if next_state not in reached:
                    reached.add(next_state)
                    waiting.append(next_state)
        return reached

    def _accept(self, regex: str, character: str) -> bool:
        key = (regex, character)
        known = self._accepts.get(key)
        if known is None:
            known = self._accepts[key] = re.fullmatch(regex, character) is not None
        return known


def _class(ranges: Iterable[tuple[str, str]], negated: bool, also: str = "") -> str:
    """A Python character class for the ranges; ``also`` holds classes such as ``\\d`` as they are."""
    items = []
    for low, high in ranges:
        if low > high:
            continue
        low, high = (_PYTHON_CLASS_SPECIAL.sub(r"\\\g<0>", end) for end in (low, high))
        items.append(low if low == high else f"{low}-{high}")
    body = "".join(items) + also
    if not body:
        return _ANYTHING if negated else _NOTHING
    return f"[^{body}]" if negated else f"[{body}]"


# --- Go's filepath.Match ----------------------------------------------------------------------------


def has_wildcard(component: str) -> bool:
    """Whether Docker takes a path component of a COPY source as a glob."""
    escaped = False
    for character in component:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "*?[":
            return True
    return False


def _glob_class(pattern: str, at: int) -> tuple[str, int]:
    """Reads the class whose ``[`` stands before `at`; returns it for Python, and where the pattern goes on."""
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[tuple[str, str]] = []

    def character(at: int) -> tuple[str, int]:
        if at >= len(pattern) or pattern[at] in "-]":
            raise BadPattern(_BAD_PATTERN)
        if pattern[at] == "\\":
            at += 1
        if at + 1 >= len(pattern):  # nothing is left to close the class
            raise BadPattern(_BAD_PATTERN)
        return pattern[at], at + 1

    while not (ranges and pattern[at] == "]"):
        low, at = character(at)
        high = low
        if pattern[at] == "-":
            high, at = character(at + 1)
        ranges.append((low, high))
    return _class(ranges, negated), at + 1


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> _Matcher:
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if not tokens or tokens[-1] != _Many(_NOT_SLASH):
                tokens.append(_Many(_NOT_SLASH))
        elif character == "?":
            tokens.append(_One(_NOT_SLASH))
        elif character == "[":
            regex, at = _glob_class(pattern, at)
            tokens.append(_One(regex))
        else:
            if character == "\\":
                if at == len(pattern):
                    raise BadPattern(_BAD_PATTERN)
                character = pattern[at]
                at += 1
            tokens.append(_One(re.escape(character)))
    return _Matcher(tokens)


def glob_match(pattern: str, name: str) -> bool:
    """Go's ``filepath.Match`` on Linux: the whole name must match.

    Raises BadPattern, for a malformed pattern also where an earlier part of it does not match.
    """
    return _glob(pattern).matches(name)


# --- ignore rules -------------------------------------------------------------------------------------

_CONTROL = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PERL_CLASS = {"d": "0-9", "s": r"\t\n\f\r ", "w": "0-9A-Za-z_"}  # ASCII only in Go
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}


# legal in Go, but no use in a path: assertions, characters by number, Unicode classes
_POINTLESS_ESCAPE = regex(r"[AbBzQ0]|x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]+\})|[pP](?:[CLMNPSZ]|\{\^?\w+\})")


def _escape(text: str, at: int) -> str | None:
    """What a backslash and the character at `at` stand for in Go's regular expressions: a regex for Python.

    None: legal, but taken here as matching nothing.
    """
    following = text[at]
    if following in _CONTROL:
        return re.escape(_CONTROL[following])
    if following.lower() in _PERL_CLASS:
        negated = "^" if following.isupper() else ""
        return f"[{negated}{_PERL_CLASS[following.lower()]}]"
    if _POINTLESS_ESCAPE.match(text, at):
        return None
    if not following.isascii() or following.isalnum():
        raise BadPattern(_BAD_PATTERN)
    return re.escape(following)


def _rule_class(text: str, at: int) -> tuple[str, int]:
    """Reads a class as Go's regular expressions do; `at` stands after its ``[``."""
    negated = text.startswith("^", at)
    at += negated
    ranges: list[tuple[str, str]] = []
    also = ""
    first = True

    def end_of_range(at: int) -> tuple[str | None, int]:
        if at >= len(text):
            raise BadPattern(_BAD_PATTERN)
        if text[at] != "\\":
            return text[at], at + 1
        if at + 1 >= len(text):
            raise BadPattern(_BAD_PATTERN)
        following = text[at + 1]
        if following in _CONTROL:
            return _CONTROL[following], at + 2
        if _escape(text, at + 1) is None:
            return None, at + 2
        return following, at + 2

    while first or not text.startswith("]", at):
        first = False
        if text.startswith("[:", at):
            close = text.find(":]", at + 2)
            if close >= 0:
                name = text[at + 2 : close]
                if name not in _POSIX:
                    raise BadPattern(_BAD_PATTERN)
                also += _POSIX[name]
                at = close + 2
                continue
        if text.startswith("\\", at) and text[at + 1 : at + 2] in tuple("dsw"):
            also += _PERL_CLASS[text[at + 1]]
            at += 2
            continue
        low, at = end_of_range(at)
        high = low
        if text.startswith("-", at) and not text.startswith("-]", at):
            high, at = end_of_range(at + 1)
        if low is None or high is None:
            continue
        if low > high:
            raise BadPattern(_BAD_PATTERN)
        ranges.append((low, high))
    return _class(ranges, negated, also), at + 1


def _alternatives(text: str) -> list[list[_Token]]:
    """The tokens of the regular expression that Docker made of a rule (see `Rule.compile`).

    Docker does not escape ``|``, so ``a?|*b`` means: starts as ``a?`` says, or ends as ``*b`` says.
    """
    tokens: list[_Token] = []
    found = [tokens]
    at = 0
    while at < len(text):
        if text.startswith("(.*/)?", at):
            if not tokens or not isinstance(tokens[-1], _Folders):
                tokens.append(_Folders())
            at += 6
            continue
        character = text[at]
        at += 1
        regex: str | None
        if character == "|":
            tokens.append(_Many(_ANYTHING))
            tokens = [_Many(_ANYTHING)]
            found.append(tokens)
            continue
        if character == "[":
            regex, at = _rule_class(text, at)
        elif character == "\\":
            if at == len(text):
                raise BadPattern(_BAD_PATTERN)
            regex = _escape(text, at)
            at += 1
        elif character == ".":
            regex = "."
        elif character == "^":
            regex = None  # an assertion that does not hold in the middle
            if not tokens or (len(found) > 1 and len(tokens) == 1):
                tokens.clear()
                continue
        else:
            regex = re.escape(character)
        token = _Many if text.startswith("*", at) else _One
        at += token is _Many
        tokens.append(token(regex or _NOTHING))
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """One ignore rule. ``text``: cleaned, without ``!``; ``line``: 1-based in its file, 0 when from none."""

    text: str
    exception: bool
    line: int = 0

    @property
    def literal_prefix(self) -> str | None:
        """The path below which alone this rule can match; None when a wildcard stands in the way."""
        text = self.text.removesuffix("/**").removesuffix("/*")
        return None if any(character in "*[]?^\\" for character in text) else text

    def compile(self) -> tuple[str, str, list[_Matcher]]:
        """(kind, literal, matchers): kind "exact", "prefix", "suffix" or "pattern".

        Docker compares without a regular expression where ``**`` only stands at the start or the end.
        """
        text = self.text
        if _WILDCARD.search(text) is None:
            return "exact", text, []
        kind = "exact"
        regex = []
        at = 0
        while at < len(text):
            start = at
            character = text[at]
            at += 1
            if character == "*" and text.startswith("*", at):
                at += 1
                at += text.startswith("/", at)
                if at == len(text):
                    if kind == "exact":
                        kind = "prefix"
                    else:
                        regex.append(".*")
                        kind = "pattern"
                else:
                    regex.append("(.*/)?")
                    kind = "pattern"
                if start == 0:
                    kind = "suffix"
            elif character in "*?":
                regex.append("[^/]*" if character == "*" else "[^/]")
                kind = "pattern"
            elif character in ".+()$":  # Docker means to escape |{} too and does not
                regex.append("\\" + character)
            elif character == "\\":
                if at < len(text):
                    character += text[at]
                    at += 1
                    kind = "pattern"
                regex.append(character)
            else:
                if character in "[]":
                    kind = "pattern"
                regex.append(character)
        if kind == "pattern":
            return kind, "", [_Matcher(tokens) for tokens in _alternatives("".join(regex))]
        literal = {"exact": text, "prefix": text[:-2], "suffix": text[2:]}[kind]
        return kind, literal, []


def _name_tokens(tokens: tuple[_Token, ...]) -> tuple[_Token, ...] | None:
    """What ``**/name*`` asks of a path's last component; None when a pattern asks for more than that."""
    rest = tokens[1:]
    if not tokens or not isinstance(tokens[0], _Folders):
        return None
    if any(isinstance(token, _Folders) or re.fullmatch(token.regex, "/") for token in rest):
        return None
    return rest


class _Group:
    """Neighbouring rules of one sort, which decide alike: one look instead of one for each."""

    __slots__ = ("_exact", "_matchers", "_names", "_prefixes", "_regex", "_suffixes", "exception")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.exception = rules[0].exception
        self._exact: set[str] = set()
        self._matchers: list[_Matcher] = []
        prefixes: list[str] = []
        suffixes: list[str] = []
        names: list[str] = []
        regexes: list[str] = []
        for rule in rules:
            kind, literal, matchers = rule.compile()
            if kind == "exact":
                self._exact.add(literal)
            elif kind == "prefix":
                prefixes.append(literal)
            elif kind == "suffix":
                suffixes.append(literal)
                if literal.startswith("/"):
                    self._exact.add(literal[1:])
            for matcher in matchers:
                name = _name_tokens(matcher.tokens)
                if not matcher.is_simple:
                    self._matchers.append(matcher)
                elif name is not None:
                    names.append(_Matcher(name).regex())
                else:
                    regexes.append(matcher.regex())
        self._prefixes = tuple(prefixes)
        self._suffixes = tuple(suffixes)
        self._names = _any_of(names)
        self._regex = _any_of(regexes)

    def matches(self, path: str) -> bool:
        return (
            path in self._exact
            or path.startswith(self._prefixes)
            or path.endswith(self._suffixes)
            or (self._names is not None and self._names(path, path.rfind("/") + 1) is not None)
            or (self._regex is not None and self._regex(path) is not None)
            or any(matcher.matches(path) for matcher in self._matchers)
        )


def _any_of(regexes: Sequence[str]) -> Callable[..., re.Match[str] | None] | None:
    return re.compile("|".join(f"(?:{regex})" for regex in regexes)).fullmatch if regexes else None


def _neighbours(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    group: list[Rule] = []
    for rule in rules:
        if group and group[-1].exception != rule.exception:
            yield group
            group = []
        group.append(rule)
    if group:
        yield group


class IgnoreRules:
    """Rules in order, ready to be asked while a tree is walked from its root downwards.

    ``file``: the path of the file they stand in, slash form, relative to the context's root; None when there is
    none. ``rules``: as Docker reads them.
    """

    __slots__ = ("_groups", "_prefixes", "file", "rules")

    def __init__(self, rules: Sequence[Rule] = (), file: str | None = None) -> None:
        self.rules = tuple(rules)
        self.file = file
        self._groups = [_Group(group) for group in _neighbours(self.rules)]
        prefixes = [rule.literal_prefix for rule in self.rules if rule.exception]
        # None: an exception may lie anywhere
        self._prefixes = None if None in prefixes else sorted(f"{prefix}/" for prefix in prefixes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IgnoreRules):
            return NotImplemented
        return (self.rules, self.file) == (other.rules, other.file)

    def __hash__(self) -> int:
        return hash((self.rules, self.file))

    def __repr__(self) -> str:
        return f"IgnoreRules({[('!' if rule.exception else '') + rule.text for rule in self.rules]}, {self.file!r})"

    def __bool__(self) -> bool:
        return bool(self.rules)

    def step(self, path: str, parent: int = 0) -> tuple[bool, int]:
        """(matched, state) of a path, given its directory's state (0 at the root).

        A rule that matched a directory goes on to hold below it. As in Docker a rule is not even tried where it
        could change nothing, so it does not hold below such a directory either.
        """
        matched = False
        state = 0
        for index, group in enumerate(self._groups):
            bit = 1 << index
            if parent & bit or (group.exception == matched and group.matches(path)):
                state |= bit
                matched = not group.exception
        return matched, state

    def state(self, path: str) -> tuple[bool, int]:
        """`step` from the root down to a path; ("" is the root and never matched)."""
        matched, state, at = False, 0, 0
        while path and at >= 0:
            at = path.find("/", at + 1)
            matched, state = self.step(path if at < 0 else path[:at], state)
        return matched, state

    def may_take_back_below(self, directory: str) -> bool:
        """Whether an exception could match something below this directory, which is matched itself."""
        if self._prefixes is None:
            return True
        below = directory + "/"
        at = bisect_left(self._prefixes, below)
        return at < len(self._prefixes) and self._prefixes[at].startswith(below)


def _clean(path: str) -> str:
    # Go's Clean makes one slash of two at the start, normpath keeps them
    return normpath("/" + path.lstrip("/")) if path.startswith("/") else normpath(path)


def rules_from(patterns: Iterable[str], lines: Iterable[int] = ()) -> tuple[Rule, ...]:
    """Patterns as `COPY --exclude` and the builder take them (no comments, no anchoring ``/``).

    Raises BadPattern, its text naming the pattern.
    """
    rules: list[Rule] = []
    line_of = iter(lines)
    work = 0
    for pattern in patterns:
        line = next(line_of, 0)
        text = pattern.strip(_SPACE)
        if not text:
            continue
        text = _clean(text)
        exception = text.startswith("!")
        text = text.removeprefix("!")
        rule = Rule(text, exception, line)
        work += not rules or rules[-1].exception != exception  # neighbours of one sort are looked up together
        try:
            if not text:
                raise BadPattern("nothing follows the !")
            if _WILDCARD.search(text) is not None:
                _glob(text)
                _, _, matchers = rule.compile()
                work += 1 + len(text) // _PLAIN_LENGTH
                work += sum(_WORK_OF_A_TOKEN * len(each.tokens) for each in matchers if not each.is_simple)
            if work > MOST_WORK:
                raise _TooMuch
        except _TooMuch:
            raise _BadRule(_TOO_MUCH, line, "name whole directories instead") from None
        except BadPattern as error:
            raise _BadRule(f"{error}: {pattern[:200]}", line) from error
        rules.append(rule)
    return tuple(rules)


def written(path: str) -> str:
    """The line of an ignore file that matches this path, and what lies below it, and no other.

    Raises `Unwritable` for a path that no line can hold.
    """
    require_visible(path)
    text = re.sub(r"[\\*?\[\]{}|^]", r"\\\g<0>", path)
    text = re.sub(r" $", "[ ]", text)
    return f"\\{text}" if text.startswith(("!", "#", " ")) else text


class _TooMuch(BadPattern):
    pass


_TOO_MUCH = f"more than {MOST_WORK:,} patterns with wildcards, or turns from patterns to exceptions"


class _BadRule(BadPattern):
    def __init__(
        self, message: str, line: int, hint: str = "Docker refuses this file; folders are divided by /"
    ) -> None:
        super().__init__(message)
        self.line, self.hint = line, hint


def read_ignore_file(data: bytes, file: str, path: str | None = None) -> IgnoreRules:
    """The rules of a ``.dockerignore``; `file` names it in the context, `path` in an error.

    Raises ContextError with the line, for what makes Docker refuse the file.
    """
    where = path or file
    patterns: list[str] = []
    lines: list[int] = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if len(raw) >= _LINE_LIMIT:
            raise ContextError(
                f"a line of {len(raw)} bytes", "Docker reads at most 65535 in a line", path=where, line=number
            )
        # Docker skips comments before it trims: " # x" is a pattern
        if raw.startswith(b"#"):
            continue
        pattern = raw.decode("utf-8", "surrogateescape").strip(_SPACE)
        if not pattern:
            continue
        exception = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip(_SPACE)
        if pattern:
            pattern = _clean(pattern)
            if len(pattern) > 1:
                pattern = pattern.removeprefix("/")
        patterns.append("!" + pattern if exception else pattern)
        lines.append(number)
        if len(lines) > MOST_RULES:
            raise ContextError(
                f"more than {MOST_RULES:,} patterns", "name directories, not files", path=where, line=number
            )
    try:
        return IgnoreRules(rules_from(patterns, lines), file)
    except _BadRule as error:
        raise ContextError(str(error), error.hint, path=where, line=error.line) from error
