"""What the names of a Jenkinsfile hold while it runs: values of expressions, of methods and closures, and assignments."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence

from imgopt.light.records import dataclass, field, replace
from imgopt.pipelines.blocks import Block, Item, arguments, is_name, is_punct, opening
from imgopt.pipelines.checkout import resolved
from imgopt.pipelines.groovy_expressions import Machine, Names, worked_out
from imgopt.pipelines.groovy_values import (
    Closure,
    Scope,
    Unknown,
    Value,
    fitting,
    joined,
    text_or_none,
    truth,
)
from imgopt.pipelines.jenkins_statements import assignable, assignment, changes, is_label, worth
from imgopt.pipelines.jenkins_survey import Reading
from imgopt.pipelines.model import Place
from imgopt.pipelines.tokens import Token
from imgopt.pipelines.tools import ROOT

MAX_DEPTH = 40
MAX_STEPS = 3_000
MAX_VALUES = 64
MAX_VARIABLES = 500


@dataclass(frozen=True)
class Here(Place):
    """A place, with the names that hold in it. ``declared``: what `environment` and `withEnv` around it set;
    ``unknown``: why the loops around it are not known; ``registry``: the host that the Docker plugin pushes to, "" for
    its usual one."""

    scope: Scope = field(default_factory=Scope)
    declared: Mapping[str, Value] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    registry: str = ""


@dataclass
class Frame:
    """A method or closure that runs: what it has returned so far, and whether it is left."""

    returned: list[Value] = field(default_factory=list)
    left: bool = False


@dataclass
class If:
    """The branches of an `if` so far. ``settled``: one of them runs, as far as is known. ``before``: what the names that
    a branch changed held in front of it; ``behind``: what they hold behind one of the ``arms`` branches so far."""

    which: int
    branch: int = 0
    settled: bool = False
    last: bool = False
    before: dict[tuple[Scope, str], Value] = field(default_factory=dict)
    behind: dict[tuple[Scope, str], Value] = field(default_factory=dict)
    arms: int = 0


@dataclass
class Loaded:
    """A file that `load` ran: its methods, and what the call gives."""

    methods: dict[str, Block]
    value: Value


@dataclass
class Values:
    """What the names of a file hold while its statements run. ``silent``: only what they are worth is asked for."""

    reading: Reading
    ifs: dict[int, If] = field(default_factory=dict)  # by depth: the last one
    root: Scope = field(default_factory=Scope)
    environment: Scope = field(
        default_factory=lambda: Scope(names={"WORKSPACE": ROOT})
    )  # what `env.X = …` sets
    frames: list[Frame] = field(default_factory=list)
    journal: list[dict[tuple[Scope, str], Value]] = field(default_factory=list)  # of the branches around
    silent: int = 0
    line: int = 0  # of the call, inside of another file's method
    now: int = 1  # the line of the statement that runs
    at: Here = field(default_factory=lambda: Here())
    library: dict[str, Block | None] = field(default_factory=dict)
    files: dict[str, Loaded] = field(default_factory=dict)  # that `load` ran, by path

    def __post_init__(self) -> None:
        self.machine = Machine(self)

    @property
    def spent(self) -> bool:
        """Whether there is more in the file than is looked at."""
        return self.reading.walked >= MAX_STEPS or self.machine.fuel <= 0

    def names(self, place: Here) -> Names:
        return Names(place.scope, ChainMap(dict(place.declared), self.environment.names))

    def value(self, items: Sequence[Item], place: Here) -> Value:
        self.at = place
        return worked_out(items, self.names(place), self.machine)

    def text(self, items: Sequence[Item], place: Here) -> str | None:
        return text_or_none(self.value(items, place)) if items else None

    def method(self, name: str) -> Closure | None:
        block = self.reading.methods.get(name)
        return Closure(block, self.root) if block is not None else None

    def file(self, path: str) -> str | None:
        """A text of the repository, as a step names it where it stands."""
        found = resolved(path, self.at.directory)
        data = self.reading.read(found) if found is not None else None
        return None if data is None else data.decode("utf-8", "replace").replace("\r\n", "\n")

    def load(self, path: str) -> Value:
        """What ``load 'path'`` gives."""
        raise NotImplementedError

    def loaded(self, value: dict[str, Value], name: str) -> Closure | None:
        """A method of a file that was loaded."""
        path = value.get("\0loaded")
        file = self.files.get(path) if isinstance(path, str) else None
        block = file.methods.get(name) if file is not None else None
        return Closure(block, self.root) if block is not None else None

    def invoke(self, what: Closure, given: Sequence[Value], machine: Machine) -> Value:
        """The value of a closure or method; what it runs beside that is not looked at here."""
        if machine.depth > MAX_DEPTH or not machine.spend(5):
            return Unknown("is more than is worked out here")
        place, ifs = self.at, self.ifs
        self.silent += 1
        machine.depth += 1
        self.ifs = {}
        try:
            inside = replace(place, scope=self._bound(what.block, given, what.scope))
            return self._result(what.block, inside, machine.depth)
        finally:
            self.silent -= 1
            machine.depth -= 1
            self.at, self.ifs = place, ifs

    def _bound(self, block: Block, given: Sequence[Value], around: Scope) -> Scope:
        """The names of a method's or closure's parameters."""
        scope = Scope(around)
        params = block.params or (("it",) if not block.args else ())
        for number, name in enumerate(params):
            value: Value = given[number] if number < len(given) else None
            if number >= len(given) and name in block.defaults:
                value = worked_out(
                    block.defaults[name], Names(scope, self.names(self.at).environment), self.machine
                )
            scope.names[name] = value.named(name) if isinstance(value, Unknown) else value
        return scope

    def _result(self, block: Block, place: Here, depth: int) -> Value:
        """Runs a method or closure; what it returns, the last statement's value where nothing else is."""
        frame = Frame()
        self.frames.append(frame)
        try:
            last = self.block(block, place, depth + 1, wanted=True)
        finally:
            self.frames.pop()
        results = [*frame.returned, *([] if frame.left else [last])]
        value = results[0] if results else None
        for other in results[1:]:
            value = joined(value, other, self.machine.choice())
        return value

    def block(self, block: Block, place: Here, depth: int, *, wanted: bool = False) -> Value:
        """Runs a block; its last statement's value where it is ``wanted``."""
        raise NotImplementedError

    def _holds(self, condition: list[Item] | None, place: Here) -> bool | None:
        return None if condition is None else truth(self.value(condition, place))

    def _set(self, scope: Scope, name: str, value: Value) -> None:
        for changed in self.journal[-1:]:
            changed.setdefault((scope, name), scope.names.get(name))
        if name in scope.names or len(scope.names) < MAX_VARIABLES:
            scope.names[name] = value

    def _assigned(self, statement: list[Item], place: Here) -> None:
        """``def x = …``, ``x = …``, ``x += …``, ``x << …``, ``env.X = …``, ``x[key] = …``, ``def (a, b) = …``."""
        at = assignment(statement)
        if at is None:
            if changes(statement) and worth(statement):
                self.value(statement, place)
            return
        adds = at > 1 and is_punct(statement[at - 1], "+")
        target = statement[: at - 1] if adds else statement[:at]
        value = self.value(statement[at + 1 :], place) if assignable(statement[at + 1 :]) else None
        if isinstance(value, Closure):
            return
        if not target:
            return
        name = target[-1]
        if is_punct(name, ")"):
            self._parts(target, value, place)
            return
        if is_punct(name, "]"):
            self._element(target, value, place)
            return
        if not isinstance(name, Token) or name.kind not in ("name", "string"):
            return
        dotted = len(target) > 2 and is_punct(target[-2], ".")
        if adds:
            value = self.value(
                [*target, Token("punct", "+", name.line, name.line), *statement[at + 1 :]], place
            )
        if isinstance(value, Unknown):
            value = value.named(name.text)
        if name.text in self.reading.branched and value == {}:
            self.reading.branched[name.text] = self.reading.group()  # another map, run by another `parallel`
        if dotted and is_name(target[-3], "env"):
            self._set(self.environment, name.text, value)
        elif dotted:
            self._field(target, name.text, value, place)
        elif len(target) > 1 and not adds and not is_label(target):
            place.scope.names[name.text] = value
        else:
            holder = place.scope.holder(name.text) or self.root
            self._set(holder, name.text, value)

    def _field(self, target: list[Item], name: str, value: Value, place: Here) -> None:
        holder = self.value(target[:-2], place)
        if isinstance(holder, dict) and len(holder) < MAX_VARIABLES:
            holder[name] = fitting(holder, value)
        elif name == "delegate" and isinstance(value, dict) is not None:
            # a step that is configured by the closure it gets: what is in the map comes from there
            for scope in (place.scope.around, place.scope):
                for each, held in scope.names.items() if scope is not None else ():
                    if held is value and isinstance(value, dict):
                        scope.names[each] = Unknown("is given by whoever calls it", each, given=True)  # type: ignore[union-attr]
                        return

    def _element(self, target: list[Item], value: Value, place: Here) -> None:
        opens = opening(target, len(target) - 1)
        if opens is None:
            return
        holder = self.value(target[:opens], place)
        key = self.value(target[opens + 1 : -1], place)
        if (
            isinstance(holder, dict)
            and (text := text_or_none(key)) is not None
            and len(holder) < MAX_VARIABLES
        ):
            if "\0env" in holder:
                self._set(self.environment, text, value)
            else:
                holder[text] = fitting(holder, value)
        elif isinstance(holder, list) and isinstance(key, int) and 0 <= key <= len(holder) < MAX_VARIABLES:
            holder[key : key + 1] = [fitting(holder, value)]

    def _parts(self, target: list[Item], value: Value, place: Here) -> None:
        opens = opening(target, len(target) - 1)
        for number, part in enumerate(arguments(target[opens + 1 : -1])[0] if opens is not None else []):
            name = part[-1]
            if isinstance(name, Token) and name.kind == "name":
                each: Value = value if isinstance(value, Unknown) else None
                if isinstance(value, list) and number < len(value):
                    each = value[number]
                place.scope.names[name.text] = each
