"""What a Groovy expression can be: a text, a number, a list, a map, a closure, one of several, or what is not known and why.

Python's own ``str``, ``int``, ``bool``, ``list``, ``dict`` and ``None`` stand for Groovy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imgopt.light.records import dataclass, field, replace
from imgopt.pipelines.blocks import Block

LONGEST_TEXT = 20_000  # characters of a value that is kept
MOST_VALUES = 500  # of a list
_MOST_OPTIONS = 64
_DEEPEST = 12  # lists and maps in each other


@dataclass(frozen=True)
class Unknown:
    """What cannot be told from the file. ``reason`` goes on from a name: "modules" "is read by readYaml, which is not
    followed". ``given``: it comes from whoever starts the build or calls the file, so that a default may stand in.
    ``written``: a text of which a part is not known, with that part as ``${name}``: it tells one image from another."""

    reason: str
    subject: str = ""
    given: bool = False
    written: str = ""

    def named(self, name: str) -> Unknown:
        """The same, of the first name that it was given."""
        return self if self.subject else replace(self, subject=name)

    @property
    def sentence(self) -> str:
        return f"{self.subject or 'a value'} {self.reason}"


@dataclass(frozen=True)
class Either:
    """One of several values: the choices of a parameter, the arms of a condition that is not known. Two with the same
    ``which`` are decided together. ``open``: another value may be given."""

    options: tuple[Value, ...]
    which: int
    open: bool = False


@dataclass(frozen=True, eq=False)
class Closure:
    """``{ … }`` with the names around it, or a method of the file (`parameters` and their defaults are the block's)."""

    block: Block
    scope: Scope


Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"] | Closure | Either | Unknown


@dataclass(eq=False)
class Scope:
    """Names and what they hold, in what is around them."""

    around: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)

    def holder(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.around
        return scope

    def assign(self, name: str, value: Value) -> None:
        """Where it was declared, or for the whole file."""
        scope = self.holder(name) or self.outermost
        scope.names[name] = value

    @property
    def outermost(self) -> Scope:
        scope = self
        while scope.around is not None:
            scope = scope.around
        return scope


def joined(one: Value, other: Value, which: int) -> Value:
    """What holds behind two arms of which one runs: the larger of two lists, one of two texts."""
    if one is None or one == other:
        return other
    if other is None:
        return one
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        if isinstance(one, list | dict) and isinstance(other, list | dict):
            return one if len(one) >= len(other) else other
        return one if isinstance(one, list | dict) else other
    for each in (one, other):
        if isinstance(each, Unknown | Closure):
            return each
    options: list[Value] = []
    for option in (*_options(one), *_options(other)):
        if option not in options:
            options.append(option)
    is_open = any(isinstance(each, Either) and each.open for each in (one, other))
    return Either(tuple(options[:_MOST_OPTIONS]), which, is_open)


def _options(value: Value) -> tuple[Value, ...]:
    return value.options if isinstance(value, Either) else (value,)


def lifted(work: Callable[..., Value], *values: Value) -> Value:
    """``work`` on each of several possible values; the first unknown one where there is one."""
    for value in values:
        if isinstance(value, Unknown):
            return replace(value, written="") if value.written else value
    several = [value for value in values if isinstance(value, Either)]
    if not several:
        return work(*values)
    chosen = max(several, key=lambda each: len(each.options))
    options: list[Value] = []
    for number in range(len(chosen.options)):
        result = work(*(picked(value, chosen.which, number) for value in values))
        if isinstance(result, Unknown):
            return result
        options.append(result.options[0] if isinstance(result, Either) else result)
    if all(each == options[0] for each in options) and not chosen.open:
        return options[0]
    return Either(tuple(options), chosen.which, any(each.open for each in several))


def in_text(value: Value) -> Value:
    """What stands in a string where the value is put into it, of each that it may be."""
    return value if isinstance(value, Unknown) else lifted(shown, value)


def picked(value: Value, which: int, number: int) -> Value:
    """A value where a choice fell on one of its options; of another choice the first."""
    if not isinstance(value, Either):
        return value
    return value.options[number if value.which == which and number < len(value.options) else 0]


def truth(value: Value) -> bool | None:
    """As Groovy sees it; None where that is not known."""
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Either):
        each = {truth(option) for option in value.options}
        return each.pop() if len(each) == 1 and not value.open else None
    return bool(value) if not isinstance(value, Closure) else True


def shown(value: Value) -> str | Unknown:
    """As a text of Groovy: what stands in a string where the value is put into it."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:  # Groovy writes null; what nobody set here is set elsewhere
        return Unknown("is not set where it is used")
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list):
        parts = [shown(each) for each in value]
        unknown = next((each for each in parts if isinstance(each, Unknown)), None)
        return unknown or f"[{', '.join(map(str, parts))}]"
    return Unknown("is put into a text, which is not followed")


def text_or_none(value: Value) -> str | None:
    """A value as text, None where it is not known or empty of meaning; of several the first."""
    if isinstance(value, Either):
        value = value.options[0] if value.options else None
    if value is None:
        return None
    found = shown(value)
    return found if isinstance(found, str) and len(found) <= LONGEST_TEXT else None


def unknowns(value: Value) -> Iterator[Unknown]:
    """What is not known in a value."""
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, list):
        for each in value[:MOST_VALUES]:
            if isinstance(each, Unknown):
                yield each


def fitting(holder: Value, value: Value) -> Value:
    """A value that is put into a list or map; not one that holds the map itself, or is nested beyond what is read."""
    todo: list[tuple[Value, int]] = [(value, 0)]
    for _ in range(2 * MOST_VALUES):
        if not todo:
            return value
        each, depth = todo.pop()
        if isinstance(each, list | dict):
            if each is holder or depth > _DEEPEST:
                return Unknown("holds itself, which is not followed")
            todo += [(inner, depth + 1) for inner in (each.values() if isinstance(each, dict) else each)]
    return (
        value
        if not isinstance(value, list | dict) or not todo
        else Unknown("is more than is worked out here")
    )
