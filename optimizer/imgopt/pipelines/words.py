"""Shell words by what is known: variables, defaults, arrays, patterns, positional parameters.

What is not known stays in the text as ``$NAME`` or ``$(command)``, so that the same unknown is the same text twice.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.pipelines.tools import Arg

_MAX_FIELDS = 200
_MAX_VALUE = 2_000  # characters of one value
_MAX_DEPTH = 12
_PARAMETER = regex(r"\$(\w+|[@*#?$!-])")
_BRACED = regex(r"([!#]?)([A-Za-z_]\w*|\d+|[@*#?$!-])(?:\[([^\]]{0,200})\])?")
_NAME = regex(r"[A-Za-z_]\w*")
_BRACES = regex(r"(?<![$\\])\{([^{}\s\"'$`]{0,500}(?:,|\.\.)[^{}\s\"'$`]{0,500})\}")
_RANGE = regex(r"(-?\d{1,6})\.\.(-?\d{1,6})")
_PLAIN = regex(r"[^\\'\"`$*?\[]+")
_IN_QUOTES = regex(r"[^\\\"`$]+")
GLOB = regex(r"[*?\[]")
_NOTHING = Arg("", "")


@dataclass
class Scope:
    """What is set where a command runs. ``positional``: None where the arguments are not known. ``assumed``: variables that
    somebody else may set: their value is the default that stands in the file."""

    variables: dict[str, Arg] = field(default_factory=dict)
    arrays: dict[str, dict[str, Arg]] = field(default_factory=dict)
    positional: list[Arg] | None = None
    script: Arg = field(default_factory=lambda: Arg("$0", None))  # what `$0` says
    assumed: set[str] = field(default_factory=set)

    def copy(self) -> Scope:
        arrays = {name: dict(of) for name, of in self.arrays.items()}
        return Scope(dict(self.variables), arrays, self.positional, self.script, set(self.assumed))

    def set(self, name: str, value: Arg, *, assumed: bool = False) -> None:
        self.variables[name] = Arg(value.text[:_MAX_VALUE], value.value and value.value[:_MAX_VALUE])
        self.arrays.pop(name, None)
        (self.assumed.add if assumed else self.assumed.discard)(name)

    def set_array(self, name: str, values: dict[str, Arg]) -> None:
        self.arrays[name] = dict(islice(values.items(), _MAX_FIELDS))
        self.variables.pop(name, None)
        self.assumed.discard(name)

    def known(self) -> dict[str, str | None]:
        """The variables as programs see them."""
        return {name: arg.value for name, arg in self.variables.items()}


#: What the commands of a ``$( … )`` print, None where that is not known.
Printed = Callable[[str], Arg | None]
#: The files of the repository that a pattern stands for, None where there are none.
Files = Callable[[str], "list[str] | None"]


@dataclass
class Words:
    """Expands words in a scope. ``unsure`` is set when a default was taken, or a variable that holds one."""

    scope: Scope
    printed: Printed
    files: Files
    unsure: bool = False

    def fields(self, text: str) -> list[Arg]:
        """The words that a word stands for."""
        found: list[Arg] = []
        for each in _alternatives(text):
            found += self._fields(each)
        return found[:_MAX_FIELDS]

    def value(self, text: str) -> Arg:
        """A word as one, as in an assignment."""
        reader = _Reader(self, text, 0)
        return reader.joined()

    def _fields(self, text: str) -> list[Arg]:
        if not re.search(r"[\\'\"`$*?\[]", text):
            return [Arg(text, text)]
        reader = _Reader(self, text, 0)
        found: list[Arg] = []
        for arg, pattern in reader.fields():
            files = self.files(arg.value) if pattern and arg.value is not None else None
            found += [Arg(each, each) for each in files] if files else [arg]
        return found

    # parameters

    def parameter(self, name: str) -> Arg:
        scope = self.scope
        if name == "0" or (name == "BASH_SOURCE" and name not in scope.arrays):
            return scope.script
        if name.isdigit():
            if scope.positional is None:
                return Arg(f"${name}", None)
            at = int(name) - 1
            return scope.positional[at] if at < len(scope.positional) else _NOTHING
        if name in ("@", "*"):
            return _joined(scope.positional) if scope.positional is not None else Arg("$@", None)
        if name == "#":
            count = len(scope.positional) if scope.positional is not None else None
            return Arg("$#", None) if count is None else Arg(str(count), str(count))
        if name in scope.arrays:
            return next(iter(scope.arrays[name].values()), _NOTHING)
        if name in scope.assumed:
            self.unsure = True
        return scope.variables.get(name) or Arg(f"${name}", None)

    def is_set(self, name: str) -> bool:
        scope = self.scope
        if name.isdigit():
            return scope.positional is not None and int(name) <= len(scope.positional)
        if name in ("@", "*"):
            return scope.positional is not None
        return name in scope.variables or name in scope.arrays or name == "BASH_SOURCE"

    def braced(self, inside: str, depth: int) -> tuple[list[Arg], bool]:
        """What ``${inside}`` stands for, and whether it is several words even in quotes."""
        unknown = [Arg("${" + inside + "}", None)]
        head = _BRACED.match(inside)
        if head is None:
            return unknown, False
        sign, name, index = head.groups()
        rest = inside[head.end() :]
        values, several = self._named(name, index, depth)
        if sign == "#" and not rest:
            return [self._length(name, index, values)], False
        if sign == "!":
            if index in ("@", "*") and name in self.scope.arrays:
                return [Arg(key, key) for key in self.scope.arrays[name]], index == "@"
            target = values[0].value if values else None
            if target is None or not _NAME.fullmatch(target):
                return unknown, False
            values, several = [self.parameter(target)], False
        if not rest:
            return values, several
        return self._operated(name, values, several, rest, depth, unknown)

    def _named(self, name: str, index: str | None, depth: int) -> tuple[list[Arg], bool]:
        scope = self.scope
        if name in ("@", "*") and scope.positional is not None:
            return list(scope.positional), name == "@"
        if index is None:
            known = self.parameter(name)
            as_written = Arg(f"${{{name}}}", None)
            return [as_written if known == Arg(f"${name}", None) else known], False
        array = scope.arrays.get(name)
        if array is None:
            if name == "BASH_SOURCE" and index == "0":
                return [scope.script], False
            if index in ("@", "*", "0") and name in scope.variables:
                return [scope.variables[name]], False
            return [Arg(f"${name}", None)], False
        if index in ("@", "*"):
            return list(array.values()), index == "@"
        key = self._index(index, depth)
        return [array.get(key, _NOTHING) if key is not None else Arg(f"${name}[{index}]", None)], False

    def _index(self, index: str, depth: int) -> str | None:
        if depth > _MAX_DEPTH:
            return None
        if _NAME.fullmatch(index) and index in self.scope.variables:
            return self.scope.variables[index].value
        return _Reader(self, index, depth + 1).joined().value

    def _length(self, name: str, index: str | None, values: list[Arg]) -> Arg:
        if index in ("@", "*") or name in ("@", "*"):
            counted = name in self.scope.arrays or (name in ("@", "*") and self.scope.positional is not None)
            length = len(values) if counted else None
        else:
            length = len(values[0].value) if values and values[0].value is not None else None
        return Arg(f"${{#{name}}}", None) if length is None else Arg(str(length), str(length))

    def _operated(
        self, name: str, values: list[Arg], several: bool, rest: str, depth: int, unknown: list[Arg]
    ) -> tuple[list[Arg], bool]:
        colon = rest.startswith(":")
        sign = rest[colon : colon + 1]
        if sign in ("-", "=", "+", "?") and sign:
            word = rest[colon + 1 :]
            known_empty = bool(values) and all(each.value == "" for each in values)
            there = self.is_set(name) and not (colon and known_empty) and bool(values)
            if sign == "+":
                if not there or all(each.value is None for each in values):
                    return [_NOTHING], False
                return [_Reader(self, word, depth + 1).joined()], False
            if there or sign == "?":
                return values, several
            self.unsure = True
            given = _Reader(self, word, depth + 1).joined() if depth < _MAX_DEPTH else unknown[0]
            if sign == "=":
                self.scope.set(name, given, assumed=True)
            return [given], False
        if any(each.value is None for each in values):
            shown = [Arg(each.text if each.value is None else each.value, None) for each in values]
            if len(shown) == 1 and shown[0].text == f"${{{name}}}" and not rest.startswith("["):
                return unknown, several
            return ([Arg(f"{shown[0].text}{_shown(rest)}", None)] if len(shown) == 1 else shown), several
        change = self._change(rest, depth)
        if change is None:
            return unknown, False
        changed = [change(each.value or "") for each in values]
        return [Arg(each, each) for each in changed], several

    def _change(self, rest: str, depth: int) -> Callable[[str], str] | None:
        if depth > _MAX_DEPTH:
            return None

        def pattern(text: str) -> str | None:
            return _Reader(self, text, depth + 1).joined().value

        if rest[0] in "%#":
            longest = rest[:2] in ("%%", "##")
            taken = pattern(rest[1 + longest :])
            if taken is None:
                return None
            return partial(_without, pattern=taken, end=rest[0] == "%", longest=longest)
        if rest[0] == "/":
            everywhere = rest.startswith("//")
            old, _, new = rest[1 + everywhere :].partition("/")
            if old.endswith("\\"):
                old, new = old[:-1] + "/", new.partition("/")[2]
            wanted, given = pattern(old), pattern(new)
            if wanted is None or given is None or GLOB.search(wanted):
                return None
            return lambda value: (
                value.replace(wanted, given) if everywhere else value.replace(wanted, given, 1)
            )
        if rest in ("^^", ",,", "^", ","):
            change = str.upper if rest[0] == "^" else str.lower
            return change if len(rest) > 1 else lambda value: change(value[:1]) + value[1:]
        cut = re.fullmatch(r":\s*(-?\d{1,4})(?::(-?\d{1,4}))?", rest)
        if cut is None:
            return None
        start, length = int(cut[1]), cut[2]
        if length is None:
            return lambda value: value[start:]
        size = int(length)
        return lambda value: value[start : start + size] if size >= 0 else value[start:size]


def _shown(rest: str) -> str:
    return "" if rest.startswith("[") else f"{{{rest[:20]}}}"


def _joined(args: Sequence[Arg]) -> Arg:
    text = " ".join(arg.text for arg in args)
    return Arg(text, None if any(arg.value is None for arg in args) else text)


def _without(value: str, pattern: str, *, end: bool, longest: bool) -> str:
    """The value without what a pattern takes at its end or its beginning."""
    if not GLOB.search(pattern):
        return value.removesuffix(pattern) if end else value.removeprefix(pattern)
    if len(value) > 500 or len(pattern) > 100:
        return value
    fits = re.compile(fnmatch.translate(pattern), re.DOTALL).match
    cuts = range(len(value), -1, -1) if end else range(len(value) + 1)
    for cut in reversed(cuts) if longest else cuts:
        if fits(value[cut:] if end else value[:cut]):
            return value[:cut] if end else value[cut:]
    return value


def _alternatives(text: str) -> list[str]:
    """``{a,b}`` and ``{1..3}``, as a shell writes them out before everything else."""
    found = [text]
    for _ in range(3):
        more: list[str] = []
        for each in found:
            match = _BRACES.search(each)
            if match is None or "'" in each[: match.start()] or '"' in each[: match.start()]:
                more.append(each)
                continue
            numbers = _RANGE.fullmatch(match[1])
            if numbers is not None:
                first, last = int(numbers[1]), int(numbers[2])
                step = 1 if last >= first else -1
                items = [str(n) for n in islice(range(first, last + step, step), _MAX_FIELDS)]
            elif "," in match[1]:
                items = match[1].split(",")
            else:
                more.append(each)
                continue
            more += [each[: match.start()] + item + each[match.end() :] for item in items]
        if more == found or len(more) > _MAX_FIELDS:
            break
        found = more
    return found[:_MAX_FIELDS]


class _Reader:
    """One word, from left to right."""

    def __init__(self, words: Words, text: str, depth: int) -> None:
        self.words = words
        self.text = text[: 4 * _MAX_VALUE]
        self.depth = depth
        self.found: list[tuple[Arg, bool]] = []
        self.parts: list[str] = []
        self.sure = True  # of the field that is read: all of it is known
        self.begun = False
        self.pattern = False

    def joined(self) -> Arg:
        found = [arg for arg, _ in self.fields(split=False)]
        return _joined(found) if len(found) != 1 else found[0]

    def fields(self, *, split: bool = True) -> list[tuple[Arg, bool]]:
        if self.depth > _MAX_DEPTH:
            return [(Arg(self.text, None), False)]
        text, at = self.text, 0
        while at < len(text):
            char = text[at]
            if char == "'":
                end = text.find("'", at + 1)
                end = len(text) if end < 0 else end
                self._add(text[at + 1 : end])
                at = end + 1
            elif char == '"':
                at = self._quoted(at + 1)
            elif char == "\\":
                self._add(text[at + 1 : at + 2])
                at += 2
            elif char in "$`":
                values, several, at = self._expansion(at)
                self._insert(values, several, quoted=not split)
            elif char in "*?[":
                self.pattern = True
                self._add(char)
                at += 1
            else:
                plain = _PLAIN.match(text, at)
                at = plain.end() if plain is not None else at + 1
                self._add(plain[0] if plain is not None else char)
        self._end()
        return self.found or ([(_NOTHING, False)] if not split else [])

    def _add(self, text: str, *, sure: bool = True) -> None:
        self.parts.append(text)
        self.begun = True
        self.sure = self.sure and sure

    def _end(self) -> None:
        if self.begun:
            text = "".join(self.parts)
            self.found.append((Arg(text, text if self.sure else None), self.pattern))
        self.parts, self.sure, self.begun, self.pattern = [], True, False, False

    def _insert(self, values: list[Arg], several: bool, *, quoted: bool) -> None:
        if quoted and not several:
            whole = values[0] if len(values) == 1 else _joined(values)
            self._add(whole.text, sure=whole.value is not None)
            return
        pieces: list[tuple[str, bool]] = []
        for value in values:
            if quoted or value.value is None:
                pieces.append((value.text, value.value is not None))
            else:
                split = value.value.split()
                pieces += [(each, True) for each in split]
                if value.value[:1].isspace() and self.begun and split:
                    self._end()
        for number, (piece, sure) in enumerate(pieces[:_MAX_FIELDS]):
            if number:
                self._end()
            self._add(piece, sure=sure)
            self.pattern = self.pattern or (not quoted and GLOB.search(piece) is not None)

    def _quoted(self, at: int) -> int:
        text = self.text
        self.begun = True
        while at < len(text) and text[at] != '"':
            char = text[at]
            if char == "\\":
                following = text[at + 1 : at + 2]
                self._add(
                    following if following in '"\\$`' else "" if following == "\n" else char + following
                )
                at += 2
            elif char in "$`":
                values, several, at = self._expansion(at)
                if several and not values:
                    continue
                self._insert(values, several, quoted=True)
            else:
                plain = _IN_QUOTES.match(text, at)
                at = plain.end() if plain is not None else at + 1
                self._add(plain[0] if plain is not None else char)
        return at + 1

    def _expansion(self, at: int) -> tuple[list[Arg], bool, int]:
        """What begins at a ``$`` or a backquote; whether it is several words; where it ends."""
        text = self.text
        if text[at] == "`":
            end = text.find("`", at + 1)
            end = len(text) if end < 0 else end
            return [self._printed(text[at + 1 : end])], False, end + 1
        if text.startswith("$((", at):
            end = closing(text, at + 1)
            return [self._number(text[at + 3 : end - 2])], False, end
        if text.startswith("$(", at):
            end = closing(text, at + 1)
            return [self._printed(text[at + 2 : end - 1])], False, end
        if text.startswith("${", at):
            end = closing(text, at + 1)
            values, several = self.words.braced(text[at + 2 : end - 1], self.depth)
            return values, several, end
        if text.startswith("$'", at):
            end = text.find("'", at + 2)
            end = len(text) if end < 0 else end
            inside = text[at + 2 : end].replace("\\n", "\n").replace("\\t", "\t")
            return [Arg(inside, inside)], False, end + 1
        match = _PARAMETER.match(text, at)
        if match is None:
            return [Arg("$", "$")], False, at + 1
        name = match[1]
        if name[0].isdigit():
            name = name[0]
        if name == "@" and self.words.scope.positional is not None:
            return list(self.words.scope.positional), True, at + 2
        return [self.words.parameter(name)], False, at + 1 + len(name)

    def _printed(self, inside: str) -> Arg:
        known = self.words.printed(inside) if self.depth < 4 else None
        return known if known is not None else Arg(f"$({' '.join(inside.split())[:60]})", None)

    def _number(self, inside: str) -> Arg:
        match = re.fullmatch(r"\s*\$?(\w+)\s*(?:([-+*])\s*\$?(\w+)\s*)?", inside)
        values = []
        for each in (match[1], match[3]) if match else ():
            found = each if each is None or each.isdigit() else self.words.parameter(each).value
            values.append(int(found) if found is not None and re.fullmatch(r"-?\d{1,9}", found) else None)
        unknown = Arg(f"$(({inside[:40]}))", None)
        if match is None or values[0] is None or (match[3] and values[1] is None):
            return unknown
        one, other = values[0], values[1] or 0
        number = {"+": one + other, "-": one - other, "*": one * other}.get(match[2] or "+", one)
        return Arg(str(number), str(number))


def closing(text: str, at: int) -> int:
    """Behind the parenthesis or brace that closes the one here, quotes looked at; the text's end where none does."""
    opening = text[at]
    sign = {"(": ")", "{": "}"}[opening]
    depth = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "'" and opening == "(":
            end = text.find("'", at + 1)
            at = len(text) if end < 0 else end
        elif char == opening:
            depth += 1
        elif char == sign:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return len(text)
