"""Groovy expressions worked out from what stands in the file, straight from their tokens.

Precedence climbing over the items of a statement. Nothing raises: what is no expression, or is not followed, is an
`Unknown` that says what it is. Work is counted (`Machine.fuel`), so that no file is worked on for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from imgopt.light.records import dataclass, field, replace
from imgopt.pipelines.blocks import Block, Item, blocks, is_punct
from imgopt.pipelines.groovy_files import READERS, value_of
from imgopt.pipelines.groovy_methods import called, element, member
from imgopt.pipelines.groovy_values import (
    LONGEST_TEXT,
    MOST_VALUES,
    Closure,
    Either,
    Scope,
    Unknown,
    Value,
    fitting,
    in_text,
    joined,
    lifted,
    picked,
    shown,
    truth,
)
from imgopt.pipelines.tokens import Token, tokens
from imgopt.pipelines.tools import HERE

MAX_DEPTH = 40  # of parentheses, closures and calls in each other
_UNREAD = Unknown("is written in a way that is not read")
_SPENT = Unknown("is more than is worked out here")
#: Binary operators, the loosest first; those of two characters are two tokens.
_LEVELS: dict[str, int] = {
    "||": 2,
    "&&": 3,
    "==": 5,
    "!=": 5,
    "=~": 5,
    "==~": 5,
    "in": 6,
    "instanceof": 6,
    "as": 6,
    "<=": 6,
    ">=": 6,
    "<": 6,
    ">": 6,
    "<<": 7,
    "..": 7,
    "..<": 7,
    "+": 8,
    "-": 8,
    "*": 9,
    "/": 9,
    "%": 9,
}
_LONG_FIRST = sorted((each for each in _LEVELS if not each.isalpha()), key=len, reverse=True)
#: What calls of Jenkins give, and never the file.
_READ_BY = frozenset(
    "readCSV readMavenPom readManifest findFiles libraryResource httpRequest input "
    "unstash tool credentials usernamePassword params".split()
)


class Caller(Protocol):
    """Who runs methods and closures, and reads the files beside the file."""

    def file(self, path: str) -> str | None: ...
    def load(self, path: str) -> Value: ...
    def loaded(self, value: dict[str, Value], name: str) -> Closure | None: ...
    def invoke(self, what: Closure, given: Sequence[Value], machine: Machine) -> Value: ...
    def method(self, name: str) -> Closure | None: ...


@dataclass(eq=False)
class Machine:
    """What is shared by all expressions of a file. ``results``: what calls gave that have run already, by the token of
    their name; ``environment`` and ``parameters`` are those of the build."""

    caller: Caller
    fuel: int = 150_000
    depth: int = 0
    choices: int = 0
    parameters: dict[str, Value] = field(default_factory=dict)
    results: dict[int, Value] = field(default_factory=dict)

    def choice(self) -> int:
        """A number for an `Either`; far from those of groups."""
        self.choices += 1
        return 1_000_000 + self.choices

    def spend(self, amount: int = 1) -> bool:
        self.fuel -= amount
        return self.fuel > 0


@dataclass(frozen=True)
class Names:
    """Where an expression stands: the file's names, and the environment (None: set, to what is not known)."""

    scope: Scope
    environment: Mapping[str, Value]


def worked_out(items: Sequence[Item], names: Names, machine: Machine) -> Value:
    """The value of an expression that these items are."""
    if not items:
        return None
    return _Expression(items, names, machine).whole()


def filled(token: Token, names: Names, machine: Machine) -> tuple[Value, list[Unknown]]:
    """A string with its interpolations, as `Either` where one of them is; what is not known stays as it is written."""
    if not token.inner:
        return token.text, []
    parts: list[Value] = []
    lacking: list[Unknown] = []
    at = 0
    for start, end, expression in token.inner:
        parts.append(token.text[at:start])
        value = interpolated(expression, names, machine)
        text = in_text(value)
        if isinstance(text, Unknown):
            lacking.append(text)
            text = text.written or token.text[start:end]
        parts.append(text)
        at = end
    parts.append(token.text[at:])

    def whole(*pieces: str) -> Value:
        text = "".join(pieces)
        return text if len(text) <= LONGEST_TEXT else Unknown("is a very long text")

    machine.spend(sum(len(part) for part in parts if isinstance(part, str)) // 200)
    return lifted(whole, *parts), lacking


def interpolated(expression: str, names: Names, machine: Machine) -> Value:
    items = _items(expression)
    value = worked_out(items, names, machine)
    return value.named(" ".join(expression.split())[:60]) if isinstance(value, Unknown) else value


@lru_cache(maxsize=2_000)
def _items(expression: str) -> tuple[Item, ...]:
    statements = blocks(tokens(expression)).statements
    return tuple(statements[-1]) if statements else ()


def _partly_known(left: Value, right: Value) -> Unknown | None:
    """The sum of two texts of which one is not known, or only in parts."""
    unknown = next((each for each in (left, right) if isinstance(each, Unknown)), None)
    texts = [_written(each) for each in (left, right)]
    if unknown is None or not all(texts) or sum(map(len, texts)) > LONGEST_TEXT:
        return None
    return replace(unknown, written="".join(texts))


def _written(value: Value) -> str:
    """A text, or what stands for one that is not known; "" where nothing does."""
    if isinstance(value, Unknown):
        name = value.subject.rpartition(".")[2]
        return value.written or (f"${{{name}}}" if name.isidentifier() else "")
    return value if isinstance(value, str) else ""


class _Expression:
    def __init__(self, items: Sequence[Item], names: Names, machine: Machine) -> None:
        self.items = items
        self.names = names
        self.machine = machine
        self.at = 0

    def whole(self) -> Value:
        machine = self.machine
        if machine.depth > MAX_DEPTH or not machine.spend():
            return _SPENT
        machine.depth += 1
        try:
            return self._ternary()
        finally:
            machine.depth -= 1

    # what stands here

    def _peek(self, text: str, ahead: int = 0) -> bool:
        at = self.at + ahead
        return at < len(self.items) and is_punct(self.items[at], text)

    def _name(self, ahead: int = 0) -> str | None:
        at = self.at + ahead
        item = self.items[at] if at < len(self.items) else None
        return item.text if isinstance(item, Token) and item.kind == "name" else None

    def _take(self, text: str) -> bool:
        if self._peek(text):
            self.at += 1
            return True
        return False

    def _operator(self) -> str | None:
        name = self._name()
        if name in ("in", "instanceof", "as"):
            return name
        item = self.items[self.at] if self.at < len(self.items) else None
        if not isinstance(item, Token) or item.kind != "punct":
            return None
        written = "".join(
            each.text if isinstance(each, Token) and each.kind == "punct" else " "
            for each in self.items[self.at : self.at + 3]
        )
        return next((each for each in _LONG_FIRST if written.startswith(each)), None)

    # operators

    def _ternary(self) -> Value:
        value = self._binary(0)
        if not self._peek("?"):
            return value
        self.at += 1
        if self._take(":"):
            other = self._nested(self._ternary)
            return self._either_way(value, value, other, default=True)
        one = self._nested(self._ternary)
        other = self._nested(self._ternary) if self._take(":") else None
        return self._either_way(value, one, other)

    def _either_way(self, condition: Value, one: Value, other: Value, *, default: bool = False) -> Value:
        holds = truth(condition)
        if holds is None and default:
            if isinstance(condition, Unknown):
                return other if condition.given else condition
            assert isinstance(condition, Either)
            kept = tuple(each for each in condition.options if truth(each))
            return (
                joined(Either(kept, condition.which, condition.open), other, condition.which)
                if kept
                else other
            )
        if holds is None:
            which = condition.which if isinstance(condition, Either) and not condition.open else 0
            if isinstance(condition, Either) and which:  # each choice has its arm
                arms = [
                    picked(one if truth(each) else other, which, n)
                    for n, each in enumerate(condition.options)
                ]
                if not any(isinstance(each, Unknown | list | dict | Closure | Either) for each in arms):
                    return Either(tuple(arms), which)
            return joined(one, other, self.machine.choice())
        return one if holds else other

    def _nested(self, read: Callable[[], Value]) -> Value:
        machine = self.machine
        if machine.depth > MAX_DEPTH:
            self.at = len(self.items)
            return _SPENT
        machine.depth += 1
        try:
            return read()
        finally:
            machine.depth -= 1

    def _binary(self, least: int) -> Value:
        left = self._nested(self._unary)
        while (operator := self._operator()) is not None and _LEVELS[operator] > least:
            self.at += 1 if operator.isalpha() else len(operator)
            if operator in ("as", "instanceof"):
                self._type()
                left = left if operator == "as" else Unknown("is asked for its type")
                continue
            level = _LEVELS[operator]
            right = self._nested(lambda level=level: self._binary(level))  # type: ignore[misc]
            left = self._worked(operator, left, right)
        return left

    def _type(self) -> None:
        while self._name() is not None or self._peek(".") or self._peek("[") or self._peek("]"):
            self.at += 1

    def _worked(self, operator: str, left: Value, right: Value) -> Value:
        self.machine.spend()
        if operator in ("||", "&&"):
            known = (truth(left), truth(right))
            decided = operator == "||"
            if decided in known:
                return decided
            return not decided if None not in known else Unknown("is a condition that is not known")
        if operator in ("==", "!="):
            same = _same(left, right)
            if isinstance(same, bool) and operator == "!=":
                return not same
            return _negated(same) if operator == "!=" else same
        if operator == "in":
            if isinstance(right, list) and not any(
                isinstance(each, Unknown | Either) for each in (left, *right)
            ):
                return left in right
            return Unknown("is a condition that is not known")
        if operator == "<<" and isinstance(left, list):
            if len(left) < MOST_VALUES:
                left.append(fitting(left, right))
            return left
        if operator == "+" and (sum_ := _partly_known(left, right)) is not None:
            return sum_
        return lifted(lambda a, b: _computed(operator, a, b), left, right)

    def _unary(self) -> Value:
        if self._peek("!"):
            self.at += 1
            value = self._nested(self._unary)
            return _negated(value)
        if self._peek("-"):
            self.at += 1
            value = self._nested(self._unary)
            return -value if isinstance(value, int) and not isinstance(value, bool) else _UNREAD
        if self._peek("(") and self._name(1) is not None and self._peek(")", 2):
            following = self.items[self.at + 3] if self.at + 3 < len(self.items) else None
            if isinstance(following, Token) and following.kind in ("string", "name"):
                self.at += 0 if following.text in ("in", "as", "instanceof") else 3  # a cast
        return self._postfix(self._primary())

    # primaries

    def _primary(self) -> Value:
        if not self.machine.spend() or self.at >= len(self.items):
            return _SPENT if self.at < len(self.items) else _UNREAD
        item = self.items[self.at]
        self.at += 1
        if isinstance(item, Block):
            return Closure(item, self.names.scope)
        if item.kind == "string":
            return self._string(item)
        if item.kind == "number":
            digits = item.text.replace("_", "").rstrip("lLgGiI")
            return int(digits) if digits.isdigit() and len(digits) < 12 else item.text
        if item.text == "[":
            return self._list()
        if item.text == "(":
            value = self._nested(self._ternary)
            self._skip_to(")")
            return value
        if item.kind == "name":
            return self._named(item)
        return _UNREAD

    def _string(self, token: Token) -> Value:
        text, lacking = filled(token, self.names, self.machine)
        return replace(lacking[0], written=text if isinstance(text, str) else "") if lacking else text

    def _skip_to(self, closing: str) -> None:
        """Behind the bracket that closes here, whatever stands in front of it."""
        depth = 0
        while self.at < len(self.items):
            item = self.items[self.at]
            self.at += 1
            if isinstance(item, Token) and item.kind == "punct":
                if item.text in ("(", "["):
                    depth += 1
                elif item.text in (")", "]"):
                    if not depth and item.text == closing:
                        return
                    depth -= 1

    def _list(self) -> Value:
        if self._peek(":") and self._peek("]", 1):
            self.at += 2
            return {}
        values, named = self._entries("]")
        return named if named and not values else values

    def _entries(self, closing: str) -> tuple[list[Value], dict[str, Value]]:
        """What stands between brackets, behind the opening one: values, and those that have a name."""
        values: list[Value] = []
        named: dict[str, Value] = {}
        while self.at < len(self.items) and not self._peek(closing):
            before = self.at
            key = self._key()
            if self._take("*"):
                spread = self._nested(self._ternary)
                values += spread if isinstance(spread, list) else [_UNREAD]
            else:
                value = self._nested(self._ternary)
                if key is not None and len(named) < MOST_VALUES:
                    named[key] = fitting(named, value)
                elif key is None and len(values) < MOST_VALUES:
                    values.append(fitting(values, value))
            while self.at < len(self.items) and not self._peek(",") and not self._peek(closing):
                self.at += 1  # what was not read
                self.machine.spend()
                if is_punct(self.items[self.at - 1], "[") or is_punct(self.items[self.at - 1], "("):
                    self._skip_to("]" if is_punct(self.items[self.at - 1], "[") else ")")
            self._take(",")
            if self.at == before or not self.machine.spend():
                break
        self._take(closing)
        return values, named

    def _key(self) -> str | None:
        """The name in front of a colon."""
        item = self.items[self.at]
        if isinstance(item, Token) and item.kind in ("name", "string", "number") and self._peek(":", 1):
            self.at += 2
            text = self._string(item) if item.kind == "string" else item.text
            return text if isinstance(text, str) else "?"
        if is_punct(item, "("):
            depth = 0
            for ahead in range(self.at, min(len(self.items), self.at + 200)):
                each = self.items[ahead]
                depth += is_punct(each, "(") - is_punct(each, ")")
                if not depth:
                    if ahead + 1 < len(self.items) and is_punct(self.items[ahead + 1], ":"):
                        value = worked_out(self.items[self.at + 1 : ahead], self.names, self.machine)
                        self.at = ahead + 2
                        text = shown(value)
                        return text if isinstance(text, str) else "?"
                    return None
        return None

    def _named(self, token: Token) -> Value:
        name = token.text
        if name in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[name]
        if name == "new":
            return self._new()
        if id(token) in self.machine.results and (self._peek("(") or self._begins_argument()):
            if self._peek("("):
                self.at += 1
                self._skip_to(")")
            else:
                self.at = len(self.items)
            return self.machine.results[id(token)]
        if self._peek("("):
            self.at += 1
            return self._call(name, *self._entries(")"))
        following = self.items[self.at] if self.at < len(self.items) else None
        if isinstance(following, Block) and self.names.scope.holder(name) is None:
            self.at += 1
            return self._call(name, [Closure(following, self.names.scope)], {})
        if self._begins_argument() and name not in ("env", "params"):
            given = self._entries("\0")
            return self._call(name, *given)
        return self._variable(name)

    def _begins_argument(self) -> bool:
        """Whether a call without parentheses begins: a name with an argument right behind it."""
        item = self.items[self.at] if self.at < len(self.items) else None
        if not isinstance(item, Token):
            return False
        return item.kind in ("string", "number") or (
            item.kind == "name" and item.text not in ("in", "instanceof", "as")
        )

    def _new(self) -> Value:
        kind = ""
        while self._name() is not None or self._peek("."):
            kind = self._name() or kind
            self.at += 1
        values: list[Value] = []
        if self._take("("):
            values, _ = self._entries(")")
        if kind in ("ArrayList", "LinkedList", "HashSet", "LinkedHashSet", "TreeSet"):
            return list(values[0]) if values and isinstance(values[0], list) else []
        if kind in ("HashMap", "LinkedHashMap", "TreeMap", "ConcurrentHashMap"):
            return {}
        return Unknown(f"is a new {kind}, which is not followed")

    def _variable(self, name: str) -> Value:
        holder = self.names.scope.holder(name)
        if holder is not None:
            return holder.names[name]
        if name in self.names.environment:
            return self.names.environment[name]
        if name in self.machine.parameters:
            return self.machine.parameters[name]
        if name == "env":
            return {"\0env": True}
        if name == "params":
            return {"\0params": True}
        method = self.machine.caller.method(name)
        if method is not None:
            return method
        return Unknown("is set outside of this file", name, given=True)

    def _call(self, name: str, values: list[Value], named: dict[str, Value]) -> Value:
        if self._closure_follows():
            values = [*values, self._closure()]
        if name == "pwd":
            return HERE
        if name in ("sh", "bat", "powershell", "pwsh"):
            return Unknown("is what a command prints")
        if name in READERS or name in ("load", "fileExists"):
            return self._of_file(name, values, named)
        if name in _READ_BY:
            return Unknown(f"is read from {name}, which is not followed")
        if name in ("string", "text") and named:
            return Unknown("is not followed")
        holder = self.names.scope.holder(name)
        closure = holder.names[name] if holder is not None else self.machine.caller.method(name)
        if isinstance(closure, Closure):
            return self.machine.caller.invoke(closure, [named, *values] if named else values, self.machine)
        if name in (
            "script",
            "stage",
            "node",
            "container",
            "timeout",
            "dir",
            "withEnv",
            "retry",
            "withCredentials",
        ):
            body = values[-1] if values else None
            if isinstance(body, Closure):
                return self.machine.caller.invoke(body, [], self.machine)
        return Unknown(f"is what {name} gives, which is not in this file", given=False)

    def _of_file(self, name: str, values: list[Value], named: dict[str, Value]) -> Value:
        """What a step reads from a file of the repository, or from a text."""
        if "text" in named:
            return _mapped(
                lambda text: self._read(name, text) if isinstance(text, str) else _UNREAD, named["text"]
            )
        path = named.get("file", values[0] if values else None)
        if not isinstance(path, str):
            return Unknown(f"is read by {name} from a file whose name is not known here")
        if name == "load":
            return self.machine.caller.load(path)
        text = self.machine.caller.file(path)
        if name == "fileExists":
            return True if text is not None else Unknown("is a condition that is not known")
        if text is None:
            return Unknown(f"is read by {name} from {path[:100]}, which is not in this repository")
        return self._read(name, text)

    def _read(self, reader: str, text: str) -> Value:
        if not self.machine.spend(1 + len(text) // (10 if reader == "readYaml" else 100)):
            return _UNREAD
        return value_of(reader, text)

    def _closure_follows(self) -> bool:
        return self.at < len(self.items) and isinstance(self.items[self.at], Block)

    def _closure(self) -> Closure:
        block = self.items[self.at]
        assert isinstance(block, Block)
        self.at += 1
        return Closure(block, self.names.scope)

    # what is asked of a value

    def _postfix(self, value: Value) -> Value:
        while self.machine.spend():
            if self._peek("*") and self._peek(".", 1):
                self.at += 2
                value = self._spread(value)
            elif self._peek("?") and self._peek(".", 1):
                self.at += 2
                value = self._member(value)
            elif self._peek(".") and self.at + 1 < len(self.items) and not self._peek(".", 1):
                self.at += 1
                value = self._member(value)
            elif self._peek("["):
                value = self._element(value)
            elif self._peek("(") and isinstance(value, Closure):
                self.at += 1
                values, named = self._entries(")")
                value = self.machine.caller.invoke(value, [named, *values] if named else values, self.machine)
            else:
                return value
        return _SPENT

    def _element(self, value: Value) -> Value:
        self.at += 1
        index, _ = self._entries("]")
        if not index:
            return _UNREAD
        if isinstance(value, dict) and ("\0env" in value or "\0params" in value):
            return self._outside(value, shown(index[0]))
        return _mapped(lambda each: element(each, index[0]), value)

    def _spread(self, value: Value) -> Value:
        if not isinstance(value, list):
            return value if isinstance(value, Unknown) else _UNREAD
        start = self.at
        found: list[Value] = []
        for each in value[:MOST_VALUES]:
            self.at = start
            found.append(self._member(each))
        if not value:
            self._member(Unknown("is of an empty list"))
        return found

    def _member(self, value: Value) -> Value:
        if self.at >= len(self.items):
            return _UNREAD
        item = self.items[self.at]
        self.at += 1
        if isinstance(item, Block) or item.kind not in ("name", "string"):
            return _UNREAD
        name = item.text
        if isinstance(value, Unknown) and value.written and name not in ("trim", "toString"):
            value = replace(value, written="")
        if self._peek("(") or self._closure_follows():
            values: list[Value] = []
            if self._take("("):
                values, named = self._entries(")")
                if named:
                    values.insert(0, named)
            if self._closure_follows():
                values.append(self._closure())
            return self._method(value, name, values)
        if isinstance(value, dict) and ("\0env" in value or "\0params" in value):
            return self._outside(value, name)
        return _mapped(lambda each: member(each, name), value)

    def _outside(self, value: dict[str, Value], name: str | Unknown) -> Value:
        """``env.NAME`` and ``params.NAME``"""
        if isinstance(name, Unknown):
            return name
        if "\0params" in value:
            given = Unknown("is given when the build is started", f"params.{name}", given=True)
            return self.machine.parameters.get(name, given)
        if name in self.names.environment:
            return self.names.environment[name]
        given = Unknown("is set outside of this file", f"env.{name}", given=True)
        return self.machine.parameters.get(name, given)

    def _method(self, value: Value, name: str, values: list[Value]) -> Value:
        if isinstance(value, dict) and ("\0env" in value or "\0params" in value):
            return self._outside(value, shown(values[0]) if values else _UNREAD)
        if isinstance(value, dict) and "\0loaded" in value:
            method = self.machine.caller.loaded(value, name)
            return _UNREAD if method is None else self.machine.caller.invoke(method, values, self.machine)
        if name == "call" and isinstance(value, Closure):
            return self.machine.caller.invoke(value, values, self.machine)

        def run(closure: Value, *given: Value) -> Value:
            if not isinstance(closure, Closure):
                return _UNREAD
            return self.machine.caller.invoke(closure, given, self.machine)

        if isinstance(value, Unknown):
            return value
        if isinstance(value, Either) and not any(isinstance(each, Closure) for each in values):
            return lifted(
                lambda *each: called(each[0], name, list(each[1:]), run, self.machine.choice), value, *values
            )
        if isinstance(value, Either):
            value = value.options[0] if value.options else None
        return called(value, name, values, run, self.machine.choice)


def _mapped(work: Callable[[Value], Value], value: Value) -> Value:
    """`lifted` for work whose results may be lists."""
    if isinstance(value, Either):
        return lifted(work, value)
    return value if isinstance(value, Unknown) else work(value)


def _negated(value: Value) -> Value:
    holds = truth(value)
    if holds is not None:
        return not holds
    if isinstance(value, Either) and not value.open:
        return Either(tuple(not truth(each) for each in value.options), value.which)
    return Unknown("is a condition that is not known")


def _same(left: Value, right: Value) -> Value:
    for each in (left, right):
        if isinstance(each, Unknown):
            return each
        if isinstance(each, Either) and each.open:
            return Unknown("is a condition that is not known")
    return lifted(lambda a, b: a == b, left, right)


def _computed(operator: str, left: Value, right: Value) -> Value:
    if operator == "+":
        return _added(left, right)
    if operator == "-" and isinstance(left, list):
        gone = right if isinstance(right, list) else [right]
        return [each for each in left if each not in gone]
    if operator == "-" and isinstance(left, str):
        text = shown(right)
        return left.replace(text, "", 1) if isinstance(text, str) else text
    if operator in ("=~", "==~"):
        return Unknown("is a condition that is not known")
    numbers = [each for each in (left, right) if isinstance(each, int)]
    if len(numbers) < 2:
        return Unknown("is reckoned with, which is not followed")
    a, b = numbers
    if operator in ("..", "..<"):
        end = b if operator == ".." else b - 1
        steps = range(a, end + 1) if a <= end else range(a, end - 1, -1)
        return [*steps[:MOST_VALUES]]
    if operator in ("/", "%") and not b:
        return _UNREAD
    results: dict[str, Callable[[], Value]] = {
        "-": lambda: a - b,
        "*": lambda: a * b if abs(a) < 1 << 40 and abs(b) < 1 << 20 else _SPENT,
        "/": lambda: a // b,
        "%": lambda: a % b,
        "<": lambda: a < b,
        ">": lambda: a > b,
        "<=": lambda: a <= b,
        ">=": lambda: a >= b,
    }
    return results[operator]() if operator in results else _UNREAD


def _added(left: Value, right: Value) -> Value:
    if isinstance(left, list):
        return [*left, *(right if isinstance(right, list) else [right])][:MOST_VALUES]
    if isinstance(left, dict) and isinstance(right, dict):
        return {**left, **right}
    if isinstance(left, int) and isinstance(right, int) and not isinstance(left, bool):
        return left + right
    texts = [shown(left), shown(right)]
    unknown = next((each for each in texts if isinstance(each, Unknown)), None)
    text = "".join(map(str, texts))
    return unknown or (text if len(text) <= LONGEST_TEXT else _SPENT)
