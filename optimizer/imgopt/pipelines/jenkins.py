"""A Jenkinsfile, declarative or scripted, or a step of a shared library, as steps.

What is read: ``sh`` in all its forms, ``timeout``, ``parallel``, ``matrix``, loops over lists that the file makes,
methods of the file and closures with a name, ``dir``, ``withEnv``, ``environment``, ``parameters``, ``lock``, agents with
their pods and containers, and the Docker plugin's ``docker.build`` and ``push``. Statements run in their order, values are
worked out as they go (`groovy_expressions`); what cannot be told (a list that a command makes) is kept as unknown, with the
reason.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product

from imgopt.pipelines.blocks import (
    Block,
    Item,
    arguments,
    blocks,
    call_arguments,
    first_string,
    is_name,
    is_punct,
    opening,
)
from imgopt.pipelines.groovy_expressions import Machine, Names, filled, worked_out
from imgopt.pipelines.groovy_methods import bound, of_element
from imgopt.pipelines.groovy_text import Script, script_of
from imgopt.pipelines.groovy_values import (
    Closure,
    Either,
    Scope,
    Unknown,
    Value,
    fitting,
    joined,
    text_or_none,
    truth,
)
from imgopt.pipelines.jenkins_agents import agent_of, container, pod_of
from imgopt.pipelines.jenkins_conditions import conditions_of
from imgopt.pipelines.jenkins_survey import Reading, survey
from imgopt.pipelines.model import Action, Branch, ImageUse, Place, Step, Text, Timeout
from imgopt.pipelines.tokens import Token, tokens
from imgopt.pipelines.tools import ROOT

#: Loops by method: their closures run once for each element.
_LOOPS = frozenset(
    "each collect collectEntries collectMany eachWithIndex eachParallel reverseEach times upto".split()
)
#: Closures that only say what a value is.
_PURE = frozenset(
    "findAll find any every sort groupBy inject grep removeIf findResult max min sum unique toSorted".split()
)
#: Declared for the whole block they stand in; walked as such, not as code.
_SECTIONS = frozenset(
    "options environment agent parameters triggers tools when input axes excludes libraries axis exclude".split()
)
#: They end a case of a switch.
_LEAVES = ("break", "return", "throw", "error")
_SHELLS = ("sh", "bat", "powershell", "pwsh")
_PARAMETERS = frozenset(
    "string choice booleanParam text extendedChoice password activeChoice editableChoice".split()
)
_CHANGES = frozenset("add addAll put putAll putAt push remove removeAll leftShift removeIf".split())
#: What looks as if it built or pushed, in the name of a step that is not in the file.
_TELLING = re.compile(r"(?i)docker|image|kaniko|buildah|podman|publish|push")
_KNOWN = frozenset(
    "docker withDockerRegistry dockerNode dockerFingerprintFrom publishHTML publishChecks pushImageToNothing dockerfile image "
    "withRegistry containerTemplate publishers".split()
)
_MAX_DEPTH = 40
_LOOK_BACK = 400  # tokens in front of a call
_MAX_STEPS = 3_000
_MAX_VALUES = 64
_MAX_CALLS = 50  # of sh in one statement
_MAX_TEXT = 2_000_000  # characters of all scripts
_MAX_VARIABLES = 500
_MAX_LIBRARY = 100_000
_IMAGE = re.compile(r"[\w.:/@-]*kaniko-project/executor[\w.:@-]*")
_TIMES = {
    "NANOSECONDS": 1e-9,
    "MICROSECONDS": 1e-6,
    "MILLISECONDS": 1e-3,
    "SECONDS": 1.0,
    "MINUTES": 60.0,
    "HOURS": 3600.0,
    "DAYS": 86400.0,
}
#: What runs in one round of a loop: the values of its closure's parameters.
_Round = tuple[Value, ...]
Lacking = tuple[tuple[int, int], str]


@dataclass(frozen=True)
class Read:
    """What a file says: its steps, the images it names, whether there was more than is looked at, and what is not known
    of the steps in some lines ((0, 0): of the whole file)."""

    steps: list[Step | Action]
    images: list[ImageUse]
    cut: bool
    lacking: tuple[Lacking, ...]


def read(text: str, file: Callable[[str], bytes | None]) -> Read:
    """Reads a Jenkinsfile or a step of a library. ``file`` reads from the repository (``yamlFile``, ``vars/x.groovy``),
    None where there is no such file."""
    found = tokens(text)
    root = blocks(found)
    reading = Reading(file)
    survey(reading, root)
    walk = _Walk(reading)
    walk.block(root, _Here(scope=walk.root), 0)
    for name, method in list(reading.methods.items()):
        if name not in reading.called:  # a library's step: its callers are elsewhere
            given: list[Value] = [Unknown("is given by whoever calls it", given=True) for _ in method.params]
            walk.method_body(name, method, given, _Here(scope=walk.root, container=f"method {name}"), 1)
    images = [
        ImageUse(match[0], _line(token, match.start()))
        for token in found
        if token.kind == "string" and "kaniko-project/executor" in token.text
        for match in _IMAGE.finditer(token.text)
    ]
    return Read(reading.steps, images, walk.spent, tuple(reading.lacking))


def _line(token: Token, offset: int) -> int:
    return Text(token.text, token.breaks).line(offset)


@dataclass(frozen=True)
class _Here(Place):
    """A place, with the names that hold in it. ``declared``: what `environment` and `withEnv` around it set;
    ``unknown``: why the loops around it are not known."""

    scope: Scope = field(default_factory=Scope)
    declared: Mapping[str, Value] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


@dataclass
class _Frame:
    """A method or closure that runs: what it has returned so far, and whether it is left."""

    returned: list[Value] = field(default_factory=list)
    left: bool = False


@dataclass
class _If:
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
class _Case:
    """A branch of a ``switch``: what it is for, and its statements; one that does not leave it has the next one's too."""

    labels: list[list[Item]] = field(default_factory=list)
    default: bool = False
    statements: list[list[Item]] = field(default_factory=list)


def _cases(block: Block) -> list[_Case]:
    found = [_Case()]
    left = False
    for statement in block.statements:
        labelled = is_name(statement[0], "case") or is_name(statement[0], "default")
        if labelled and left:
            found.append(_Case())
            left = False
        behind = statement
        while behind and (is_name(behind[0], "case") or is_name(behind[0], "default")):
            colon = next((at for at, item in enumerate(behind) if is_punct(item, ":")), len(behind))
            found[-1].labels.append(behind[1:colon])
            found[-1].default = found[-1].default or is_name(behind[0], "default")
            behind = behind[colon + 1 :]
        if behind:
            found[-1].statements.append(behind)
            left = left or any(is_name(behind[0], word) for word in _LEAVES)
    return found


@dataclass
class _Walk:
    """Runs a file's statements. ``silent``: only what they are worth is asked for."""

    reading: Reading
    ifs: dict[int, _If] = field(default_factory=dict)  # by depth: the last one
    root: Scope = field(default_factory=Scope)
    environment: Scope = field(
        default_factory=lambda: Scope(names={"WORKSPACE": ROOT})
    )  # what `env.X = …` sets
    frames: list[_Frame] = field(default_factory=list)
    journal: list[dict[tuple[Scope, str], Value]] = field(default_factory=list)  # of the branches around
    silent: int = 0
    line: int = 0  # of the call, inside of another file's method
    at: _Here = field(default_factory=lambda: _Here())
    library: dict[str, Block | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.machine = Machine(self)

    @property
    def spent(self) -> bool:
        """Whether there is more in the file than is looked at."""
        return self.reading.walked >= _MAX_STEPS or self.machine.fuel <= 0

    # values

    def names(self, place: _Here) -> Names:
        return Names(place.scope, ChainMap(dict(place.declared), self.environment.names))

    def value(self, items: Sequence[Item], place: _Here) -> Value:
        self.at = place
        return worked_out(items, self.names(place), self.machine)

    def text(self, items: Sequence[Item], place: _Here) -> str | None:
        return text_or_none(self.value(items, place)) if items else None

    def method(self, name: str) -> Closure | None:
        block = self.reading.methods.get(name)
        return Closure(block, self.root) if block is not None else None

    def invoke(self, what: Closure, given: Sequence[Value], machine: Machine) -> Value:
        """The value of a closure or method; what it runs beside that is not looked at here."""
        if machine.depth > _MAX_DEPTH or not machine.spend(5):
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

    def _result(self, block: Block, place: _Here, depth: int) -> Value:
        """Runs a method or closure; what it returns, the last statement's value where nothing else is."""
        frame = _Frame()
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

    # blocks

    def block(self, block: Block, place: _Here, depth: int, *, wanted: bool = False) -> Value:
        """Runs a block; its last statement's value where it is ``wanted``."""
        if depth > _MAX_DEPTH or self.reading.walked >= _MAX_STEPS or not self.machine.spend():
            return None
        self.reading.walked += not self.silent
        place = self._sections(block, replace(place, scope=Scope(place.scope)) if depth else place)
        if block.name == "matrix":
            self._matrix(block, place, depth)
            return None
        branches = block.name == "parallel"
        group = self.reading.group() if branches else 0
        if block.name == "switch":
            self._switch(block, place, depth)
            return None
        result: Value = None
        for number, statement in enumerate(block.statements):
            self._statement(statement, place, depth, group)
            if self.frames and self.frames[-1].left:
                break
            if wanted and number == len(block.statements) - 1 and _worth(statement):
                result = self.value(statement, place)
        return result

    def _switch(self, block: Block, place: _Here, depth: int) -> None:
        asked = self.value(block.args, place)
        for number, case in enumerate(_cases(block)):
            labels = [self.value(label, place) for label in case.labels]
            holds: bool | None = None
            if isinstance(asked, str) and labels and all(isinstance(label, str) for label in labels):
                holds = asked in labels

            def run(inside: _Here, statements: list[list[Item]] = case.statements) -> None:
                for statement in statements:
                    if not (self.frames and self.frames[-1].left):
                        self._statement(statement, inside, depth + 1, 0)

            self._arm(holds, bool(number), place, depth, run, last=case.default)

    def method_body(
        self, name: str, method: Block, given: Sequence[Value], place: _Here, depth: int
    ) -> Value:
        self.at = place
        self.reading.called.add(name)
        return self._result(method, replace(place, scope=self._bound(method, given, self.root)), depth)

    def _sections(self, block: Block, place: _Here) -> _Here:
        """What ``agent``, ``environment`` and ``options`` say for all of a block, wherever they stand in it."""
        for statement in block.statements:
            if not statement or not is_name(statement[0]) or isinstance(statement[0], Block):
                continue
            name = statement[0].text
            section = next((item for item in statement if isinstance(item, Block)), None)
            if name == "agent":
                here = place

                def said(items: Sequence[Item], here: _Here = here) -> str:
                    return self.text(items, here) or first_string(items)

                place = replace(
                    place, agent=agent_of(statement, section, place.agent, self.reading.read, said)
                )
                place = self._other_container(place)
            elif section is None:
                continue
            elif name == "when":
                place = replace(place, conditions=(*place.conditions, *conditions_of(section)))
            elif name == "environment":
                place = replace(place, declared={**place.declared, **self._environment(section, place)})
            elif name == "parameters":
                for parameter in section.statements:
                    self._parameter(parameter, 0, place)
            elif name == "options":
                for option in section.statements:
                    place = self._option(option, place)
        return place

    def _other_container(self, place: _Here) -> _Here:
        return replace(place, container=f"agent {self.reading.group()}", loop=0)

    def _environment(self, section: Block, place: _Here) -> dict[str, Value]:
        known: dict[str, Value] = {}
        for statement in section.statements[:_MAX_VARIABLES]:
            if len(statement) > 2 and is_punct(statement[1], "=") and isinstance(statement[0], Token):
                inside = replace(place, declared={**place.declared, **known})
                value = self.value(statement[2:], inside)
                known[statement[0].text] = (
                    value.named(statement[0].text) if isinstance(value, Unknown) else value
                )
        return known

    def _parameter(self, statement: list[Item], at: int, place: _Here) -> None:
        """``choice(name: 'MODULE', choices: ['a', 'b'])`` and its like: the choices, or what is given usually."""
        kind = statement[at]
        if not isinstance(kind, Token) or kind.text not in _PARAMETERS or not self.machine.spend(100):
            return
        _, named = arguments(call_arguments(statement, at))
        name = self.text(named.get("name", []), place)
        if not name or len(self.machine.parameters) > _MAX_VARIABLES:
            return
        usual = self.value(named["defaultValue"], place) if "defaultValue" in named else None
        choices = self.value(named["choices"], place) if "choices" in named else None
        if isinstance(choices, str):
            choices = [each.strip() for each in choices.split("\n") if each.strip()]
        which = self.machine.choice()
        value: Value = Unknown("is given when the build is started", f"params.{name}", given=True)
        if isinstance(choices, list) and choices and not any(isinstance(each, Unknown) for each in choices):
            value = Either(tuple(choices[:_MAX_VALUES]), which)
        elif isinstance(usual, bool):
            value = Either((usual, not usual), which)
        elif isinstance(usual, str | int):
            value = Either((usual,), which, open=True)
        self.machine.parameters[name] = value

    def _option(self, option: list[Item], place: _Here) -> _Here:
        if option and isinstance(option[0], Token):
            if option[0].text == "timeout":
                return self._limited(place, call_arguments(option, 0), option[0].line)
            if option[0].text == "lock":
                return replace(place, lock=self._lock(call_arguments(option, 0), place) or place.lock)
        return place

    def _limited(self, place: _Here, given: list[Item], line: int) -> _Here:
        positional, named = arguments(given)
        number = (self.text(named.get("time") or (positional[0] if positional else []), place) or "").replace(
            "_", ""
        )
        unit = self.text(named.get("unit", []), place) or "MINUTES"
        activity = any(is_name(item, "true") for item in named.get("activity", []))
        if activity or not re.fullmatch(r"\d{1,9}", number) or unit.upper() not in _TIMES:
            return place
        shown = f"timeout(time: {number}, unit: '{unit}')"
        seconds = int(number) * _TIMES[unit.upper()]
        limit = Timeout(seconds, self.line or line, shown, "jenkins")
        return replace(place, timeouts=(*place.timeouts, limit)) if seconds > 0 else place

    def _lock(self, given: list[Item], place: _Here) -> str:
        """The name of a lock, "" where it is not known: it may be another one for each."""
        positional, named = arguments(given)
        part = named.get("resource") or named.get("label") or (positional[0] if positional else [])
        return self.text(part, place) or ""

    # statements

    def _statement(self, statement: list[Item], place: _Here, depth: int, group: int) -> None:
        if not self.machine.spend(1 + len(statement) // 50):
            return
        inline = self._inline(statement, place, depth, group)
        if inline:
            return
        parallel = self._parallel_group(statement)
        calls = 0
        for at, item in enumerate(statement):
            if isinstance(item, Block):
                if (
                    item.name in _SECTIONS
                    or self.reading.methods.get(item.name) is item
                    or _is_named(item, statement)
                ):
                    continue
                if not self.machine.spend(1 + min(item.at, _LOOK_BACK) // 10):
                    return
                self._nested(item, statement, place, depth, group, parallel)
                if self.frames and self.frames[-1].left:
                    return
            elif item.kind != "name":
                continue
            elif item.text in _SHELLS:
                calls += 1
                if calls <= _MAX_CALLS and not self.silent:
                    self._shell(statement, at, place)
            elif item.text in _LOOPS and at and is_punct(statement[at - 1], "."):
                self._each(statement, at, place, depth, parallel)
            elif at + 1 < len(statement) and (
                is_punct(statement[at + 1], "(") or (not at and _argues(statement)) or _called(statement, at)
            ):
                self._parameter(statement, at, place)
                self._call(statement, at, place, depth, parallel)
        if not self.silent:
            self._docker_plugin(statement, place)
        if is_name(statement[0], "return"):
            self._returned(statement[1:], place)
            return
        self._assigned(statement, place)

    def _returned(self, items: list[Item], place: _Here) -> None:
        if not self.frames:
            return
        self.frames[-1].returned.append(self.value(items, place) if items and _worth(items) else None)
        self.frames[-1].left = True

    def _inline(self, statement: list[Item], place: _Here, depth: int, group: int) -> bool:
        """``if (…) statement``, ``else statement``: without braces."""
        at = 0
        if is_name(statement[0], "else"):
            at = 1
        name = statement[at] if at < len(statement) else None
        if (
            isinstance(name, Token)
            and is_name(name, "if")
            and at + 1 < len(statement)
            and is_punct(statement[at + 1], "(")
        ):
            condition: list[Item] | None = call_arguments(statement, at)
            at += len(condition or []) + 3
        elif at:
            condition = None
        else:
            return False
        if at >= len(statement) or isinstance(statement[at], Block):
            return False
        if self.machine.depth > _MAX_DEPTH:
            return True
        other = next(
            (n for n in range(at + 1, len(statement)) if is_name(statement[n], "else")), len(statement)
        )
        behind = is_name(statement[0], "else")
        self._arm(
            self._holds(condition, place),
            behind,
            place,
            depth,
            lambda inside: self._statement(statement[at:other], inside, depth, group),
            last=condition is None,
        )
        if other < len(statement):
            self.machine.depth += 1
            self._statement(statement[other:], place, depth, group)
            self.machine.depth -= 1
        return True

    def _arm(
        self,
        holds: bool | None,
        behind: bool,
        place: _Here,
        depth: int,
        run: Callable[[_Here], None],
        *,
        last: bool = False,
    ) -> None:
        """One branch of an `if` or `switch`; ``behind`` another one, ``last``: where none of those holds."""
        chain = self.ifs.get(depth) if behind else None
        if chain is None:
            chain = _If(self.reading.group())
            self.ifs[depth] = chain
        else:
            chain.branch += 1
        if chain.settled or holds is False:
            return
        chain.settled = holds is True
        chain.last = chain.last or last or holds is True
        if (holds or last) and not chain.arms:
            run(place)  # it is the one that runs
            return
        frame = self.frames[-1] if self.frames else None
        for (scope, name), held in chain.before.items():
            scope.names[name] = held
        self.journal.append({})
        run(replace(place, choices=(*place.choices, (chain.which, chain.branch)), scope=Scope(place.scope)))
        changed = self.journal.pop()
        if frame is not None:
            frame.left = False  # another branch may not have left it
        choice = self.machine.choice()
        for key, old in changed.items():
            if key not in chain.before:
                chain.before[key] = chain.behind[key] = old
                if not chain.arms:
                    del chain.behind[key]
        chain.arms += 1
        for key, old in chain.before.items():
            arm = key[0].names.get(key[1]) if key in changed else old
            chain.behind[key] = joined(chain.behind.get(key, arm), arm, choice)
            self._set(*key, chain.behind[key] if chain.last else joined(old, chain.behind[key], choice))
            self.machine.spend()

    def _holds(self, condition: list[Item] | None, place: _Here) -> bool | None:
        return None if condition is None else truth(self.value(condition, place))

    def _set(self, scope: Scope, name: str, value: Value) -> None:
        for changed in self.journal[-1:]:
            changed.setdefault((scope, name), scope.names.get(name))
        if name in scope.names or len(scope.names) < _MAX_VARIABLES:
            scope.names[name] = value

    def _assigned(self, statement: list[Item], place: _Here) -> None:
        """``def x = …``, ``x = …``, ``x += …``, ``x << …``, ``env.X = …``, ``x[key] = …``, ``def (a, b) = …``."""
        at = _assignment(statement)
        if at is None:
            if _changes(statement) and _worth(statement):
                self.value(statement, place)
            return
        adds = at > 1 and is_punct(statement[at - 1], "+")
        target = statement[: at - 1] if adds else statement[:at]
        value = self.value(statement[at + 1 :], place) if _assignable(statement[at + 1 :]) else None
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
        elif len(target) > 1 and not adds and not _is_label(target):
            place.scope.names[name.text] = value
        else:
            holder = place.scope.holder(name.text) or self.root
            self._set(holder, name.text, value)

    def _field(self, target: list[Item], name: str, value: Value, place: _Here) -> None:
        holder = self.value(target[:-2], place)
        if isinstance(holder, dict) and len(holder) < _MAX_VARIABLES:
            holder[name] = fitting(holder, value)
        elif name == "delegate" and isinstance(value, dict) is not None:
            # a step that is configured by the closure it gets: what is in the map comes from there
            for scope in (place.scope.around, place.scope):
                for each, held in scope.names.items() if scope is not None else ():
                    if held is value and isinstance(value, dict):
                        scope.names[each] = Unknown("is given by whoever calls it", each, given=True)  # type: ignore[union-attr]
                        return

    def _element(self, target: list[Item], value: Value, place: _Here) -> None:
        opens = opening(target, len(target) - 1)
        if opens is None:
            return
        holder = self.value(target[:opens], place)
        key = self.value(target[opens + 1 : -1], place)
        if (
            isinstance(holder, dict)
            and (text := text_or_none(key)) is not None
            and len(holder) < _MAX_VARIABLES
        ):
            if "\0env" in holder:
                self._set(self.environment, text, value)
            else:
                holder[text] = fitting(holder, value)
        elif isinstance(holder, list) and isinstance(key, int) and 0 <= key <= len(holder) < _MAX_VARIABLES:
            holder[key : key + 1] = [fitting(holder, value)]

    def _parts(self, target: list[Item], value: Value, place: _Here) -> None:
        opens = opening(target, len(target) - 1)
        for number, part in enumerate(arguments(target[opens + 1 : -1])[0] if opens is not None else []):
            name = part[-1]
            if isinstance(name, Token) and name.kind == "name":
                each: Value = value if isinstance(value, Unknown) else None
                if isinstance(value, list) and number < len(value):
                    each = value[number]
                place.scope.names[name.text] = each

    # blocks in a statement

    def _nested(
        self, block: Block, statement: list[Item], place: _Here, depth: int, group: int, parallel: int
    ) -> None:
        if block.name in _PURE and any(is_punct(item, ".") for item in block.header):
            return
        if group and block.name == "stage":
            place = replace(
                place, branches=(*place.branches, Branch(group, self.text(block.args, place) or ""))
            )
        elif parallel and _is_branch(block):
            place = self._branch(place, parallel, block.header)
        if block.name in ("if", "else"):
            condition = list(block.args) if block.name == "if" else None
            behind = block.name == "else" or _else_in_front(block)
            self._arm(
                self._holds(condition, place),
                behind,
                place,
                depth,
                lambda inside: self._walk(block, inside, depth, parallel),
                last=condition is None,
            )
            return
        for inside in self._entered(block, place):
            self._rounds(block, inside, depth, parallel)

    def _rounds(self, block: Block, place: _Here, depth: int, parallel: int) -> None:
        rounds = self._loop(block, place)
        if rounds is None:
            self._walk(block, place, depth, parallel)
            return
        names = self._variables(block)
        if isinstance(rounds, Unknown) or not rounds:
            why = rounds.named(_receiver_text(block)) if isinstance(rounds, Unknown) else None
            sentence = why.sentence if why is not None else f"{_receiver_text(block)} is filled elsewhere"
            unknown = why or Unknown("is of a list that is not known", given=False)
            scope = Scope(place.scope, dict.fromkeys(names, unknown))
            inside = replace(
                place,
                scope=scope,
                loop=self.reading.group(),
                unknown=(*place.unknown, sentence),
                variables={**place.variables, "?": None},
            )
            self._walk(block, replace(inside, job=f"{place.job}#0") if parallel else inside, depth, parallel)
            return
        for number, each in enumerate(rounds[:_MAX_VALUES]):
            values = dict(zip(names, each, strict=False))
            values.update(dict.fromkeys(names[len(each) :]))
            inside = replace(place, scope=Scope(place.scope, values))
            if parallel:
                inside = replace(inside, job=f"{place.job}#{number}")
            self._walk(block, inside, depth, parallel)
            if self.frames and self.frames[-1].left and block.name != "for":
                self.frames[-1].left = False

    def _branch(self, place: _Here, group: int, before: list[Item]) -> _Here:
        """Inside the value of a map for `parallel`; ``before`` stands in front of it. One whose key is not known is
        a branch of its own each time."""
        name = self._key(before, place) or f"?{self.reading.group()}"
        return replace(
            place, branches=(*place.branches, Branch(group, name, of_unknown="?" in place.variables))
        )

    def _key(self, before: list[Item], place: _Here) -> str | None:
        """The key of a value of a map, where it is known: ``name:``, ``(name):``, ``map[name] =``, ``put(name,``."""
        if len(before) < 2:
            return None
        last, key = before[-1], before[-2]
        if is_punct(last, ","):
            return self.text(_argument(before[:-1]), place)
        if is_punct(key, "]") or is_punct(key, ")"):
            opens = opening(before, len(before) - 2)
            return None if opens is None else self.text(before[opens + 1 : -2], place)
        if isinstance(key, Block) or key.kind not in ("name", "string"):
            return None
        if key.kind == "name":
            return key.text if is_punct(last, ":") else None  # in front of a colon it is a text
        value, lacking = filled(key, self.names(place), self.machine)
        return None if lacking else text_or_none(value)

    def _walk(self, block: Block, place: _Here, depth: int, parallel: int) -> None:
        if not parallel:
            self.block(block, place, depth + 1)
            return
        # a closure that makes the map for `parallel`: what is labelled in it is a branch
        if depth > _MAX_DEPTH or self.reading.walked >= _MAX_STEPS or not self.machine.spend():
            return
        self.reading.walked += not self.silent
        is_branch = bool(place.branches) and place.branches[-1].group == parallel
        place = replace(place, scope=Scope(place.scope))
        for statement in block.statements:
            if is_branch:
                self._statement(statement, place, depth + 1, 0)
                continue
            for item in statement:
                if isinstance(item, Block):
                    self._nested(item, statement, place, depth + 1, 0, parallel)
            for at in range(len(statement) - 1):
                if is_name(statement[at]) and is_punct(statement[at + 1], "("):
                    self._call(statement, at, place, depth, parallel)
            self._assigned(statement, place)

    def _parallel_group(self, statement: list[Item]) -> int:
        """The group that the closures of a statement belong to, 0 where they do not run at once."""
        for at, item in enumerate(statement):
            if not isinstance(item, Token) or item.kind != "name":
                continue
            if item.text == "parallel" and at + 1 < len(statement):
                following = statement[at + 1]
                if isinstance(following, Block):
                    return 0  # declarative: its stages are the branches
                given = (
                    statement[at + 2] if is_punct(following, "(") and at + 2 < len(statement) else following
                )
                if (
                    at + 3 >= len(statement)
                    and isinstance(given, Token)
                    and given.text in self.reading.branched
                ):
                    return 0
                return self.reading.group()
            if at < 3 and item.text in self.reading.branched and _adds(statement, at + 1):
                return self.reading.branched[item.text]
        return 0

    def _entered(self, block: Block, place: _Here) -> Iterator[_Here]:
        """What the call in front of a block means for what stands in it; once for each of several directories."""
        positional, named = arguments(block.args)
        first = self.value(positional[0], place) if positional else None
        text = text_or_none(first)
        if block.name == "timeout":
            yield self._limited(place, block.args, block.line)
        elif block.name == "stage" and text:
            yield replace(place, job=f"{place.job}/{text}")
        elif block.name == "node" and text:
            yield self._other_container(place)
        elif block.name == "dir":
            if isinstance(first, Unknown):
                place = replace(place, unknown=(*place.unknown, first.sentence))
            options = first.options if isinstance(first, Either) and not self.silent else (first,)
            for number, option in enumerate(options):
                which = first.which if isinstance(first, Either) and len(options) > 1 else 0
                choices = (*place.choices, *([(which, number)] if which else []))
                yield replace(place, directory=_below(place.directory, text_or_none(option)), choices=choices)
        elif block.name == "withEnv":
            yield replace(place, declared={**place.declared, **self._with_env(block.args, place)})
        elif block.name == "lock":
            yield replace(place, lock=self._lock(block.args, place) or place.lock)
        elif block.name == "container":
            name = text or self.text(named.get("name", []), place)
            image = place.agent.containers.get(name or "")
            inside = f"{place.container.partition('/')[0]}/{name or f'?{self.reading.group()}'}"
            yield replace(place, agent=replace(place.agent, image=image), container=inside)
        elif block.name == "podTemplate":
            yield self._other_container(replace(place, agent=pod_of(block, place.agent)))
        elif block.name == "inside":
            image = next(
                (
                    text_or_none(filled(item, self.names(place), self.machine)[0])
                    for item in block.header
                    if isinstance(item, Token) and item.kind == "string"
                ),
                None,
            )
            mounted = "docker.sock" in (text or "")
            yield self._other_container(replace(place, agent=container(image, text or "", mounted)))
        else:
            yield place

    def _with_env(self, items: Sequence[Item], place: _Here) -> dict[str, Value]:
        found: dict[str, Value] = {}
        value = self.value(items, place)
        for each in value if isinstance(value, list) else []:
            if isinstance(text := text_or_none(each), str) and "=" in text:
                name, _, known = text.partition("=")
                found[name] = known
        for item in items:  # those whose values are not known
            if isinstance(item, Token) and item.kind == "string" and "=" in item.text:
                name = item.text.partition("=")[0]
                found.setdefault(name, Unknown("is set to what is not known", name))
        return found

    # loops and branches

    def _loop(self, block: Block, place: _Here) -> list[_Round] | Unknown | None:
        """The rounds of a loop; none (an empty list) where its list is empty so far, None where it is no loop."""
        if block.name == "for":
            return self._for(block, place)
        if block.name not in _LOOPS:
            return None
        receiver = _receiver_of(block)
        if not receiver:
            return None
        value = self.value(receiver, place)
        if block.name in ("times", "upto"):
            end = self.value(block.args, place) if block.args else None
            if isinstance(value, int) and block.name == "times":
                return [(number,) for number in range(min(value, _MAX_VALUES))]
            if isinstance(value, int) and isinstance(end, int):
                return [(number,) for number in range(value, min(end + 1, value + _MAX_VALUES))]
            return Unknown("is a number that is not known")
        rounds = self._elements(value, block)
        if block.name == "eachWithIndex" and isinstance(rounds, list):
            return [(*each, number) for number, each in enumerate(rounds)]
        return rounds

    def _elements(self, value: Value, block: Block | None) -> list[_Round] | Unknown:
        if isinstance(value, Either):
            value = max(
                value.options,
                key=lambda each: len(each) if isinstance(each, list | dict) else 0,
                default=None,
            )
        closure = Closure(block, self.root) if block is not None else None
        if isinstance(value, dict) and not {"\0env", "\0params"} & {*value}:
            return [bound(closure, key, each) for key, each in value.items()]
        if isinstance(value, list):
            if closure is not None and block is not None and block.name != "eachWithIndex":
                return [of_element(closure, each) for each in value]
            return [(each,) for each in value]
        return value if isinstance(value, Unknown) else Unknown("is no list that is known here")

    def _for(self, block: Block, place: _Here) -> list[_Round] | Unknown:
        """``for (x in list)``, ``for (String x : list)``, ``for (int i = 0; i < list.size(); i++)``"""
        words = block.args
        parts = [at for at, item in enumerate(words) if is_punct(item, ";")]
        if len(parts) == 2:
            begins, condition = words[: parts[0]], words[parts[0] + 1 : parts[1]]
            equals = next((at for at, item in enumerate(begins) if is_punct(item, "=")), None)
            less = next((at for at, item in enumerate(condition) if is_punct(item, "<")), None)
            if equals is None or less is None:
                return Unknown("is counted in a way that is not followed", "a loop")
            inclusive = less + 1 < len(condition) and is_punct(condition[less + 1], "=")
            start = self.value(begins[equals + 1 :], place)
            end = self.value(condition[less + 1 + inclusive :], place)
            if isinstance(end, Either):
                end = max((each for each in end.options if isinstance(each, int)), default=None)
            if isinstance(start, int) and isinstance(end, int):
                return [(number,) for number in range(start, min(end + inclusive, start + _MAX_VALUES))]
            return (
                end
                if isinstance(end, Unknown)
                else Unknown("is counted to an end that is not known", "a loop")
            )
        at = next((n for n, item in enumerate(words) if is_name(item, "in") or is_punct(item, ":")), None)
        if at is None:
            return Unknown("is written in a way that is not read", "a loop")
        return self._elements(self.value(words[at + 1 :], place), None)

    def _variables(self, block: Block) -> tuple[str, ...]:
        if block.name != "for":
            return block.params or ("it",)
        names: list[str] = []
        for item in block.args:
            if is_name(item, "in") or any(is_punct(item, each) for each in (":", "=", ";")):
                break
            if isinstance(item, Token) and item.kind == "name":
                names.append(item.text)
        return (names[-1],) if names else ()

    def _matrix(self, block: Block, place: _Here, depth: int) -> None:
        """``matrix { axes { axis { name 'M'; values 'a', 'b' } } stages { … } }``"""
        axes: list[tuple[str, list[str]]] = []
        for section in block.blocks:
            for axis in section.blocks if section.name == "axes" else []:
                said = {s[0].text: s[1:] for s in axis.statements if s and isinstance(s[0], Token)}
                name = first_string(said.get("name", []))
                values = [
                    item.text
                    for item in said.get("values", [])
                    if isinstance(item, Token) and item.kind == "string"
                ]
                if name and values:
                    axes.append((name, values))
        group = self.reading.group()
        stages = [section for section in block.blocks if section.name == "stages"]
        for number, values_ in enumerate(product(*(values for _, values in axes))):
            if number >= _MAX_VALUES:
                break
            cell: dict[str, Value] = dict(zip((name for name, _ in axes), values_, strict=True))
            branch = Branch(group, " ".join(values_))
            if any(statement and is_name(statement[0], "agent") for statement in block.statements):
                place = self._other_container(place)  # each cell has its own
            inside = replace(
                place,
                job=f"{place.job}#{number}",
                branches=(*place.branches, branch),
                declared={**place.declared, **cell},
            )
            for stage in stages:
                self.block(stage, inside, depth + 1)

    # steps

    def _shell(self, statement: list[Item], at: int, place: _Here) -> None:
        given = call_arguments(statement, at)
        if not given or (at and is_punct(statement[at - 1], ".")):
            return
        positional, named = arguments(given)
        part = named.get("script") or (positional[0] if positional and not named else None)
        if not part or (at + 1 < len(statement) and is_punct(statement[at + 1], "=")):
            return
        token = statement[at]
        assert isinstance(token, Token)
        self.at = place
        script = script_of(part, self.names(place), self.machine)
        last = max((item.end_line for item in given), default=token.line)
        span = (self.line, self.line) if self.line else (token.line, last)
        self._add_script(script, span, place)

    def _add_script(self, script: Script, span: tuple[int, int], place: _Here) -> None:
        for unknown in script.lacking:
            self._lacks(span, unknown.sentence)
        if not script.forms:
            for unknown in script.lacking:
                self._lacks((0, 0), f"what sh runs in line {span[0]} is not known: {unknown.sentence}")
            return
        for number, text in enumerate(script.forms):
            choices = (*place.choices, *([(script.which, number)] if script.which else []))
            said = Text(text.text, ((0, self.line),)) if self.line else text
            self._add(Step(said, (span,), replace(place, choices=choices)))

    def _lacks(self, span: tuple[int, int], sentence: str) -> None:
        if len(self.reading.lacking) < _MAX_VARIABLES:
            self.reading.lacking[span, sentence] = None

    def _add(self, step: Step | Action) -> None:
        if self.silent:
            return
        self.reading.walked += 1
        if isinstance(step, Step):
            self.reading.text += len(step.script.text)
            if self.reading.text > _MAX_TEXT:
                self.reading.walked = _MAX_STEPS
        if self.reading.walked < _MAX_STEPS:
            place = step.place
            assert isinstance(place, _Here)
            for sentence in place.unknown:
                self._lacks(step.spans[0], sentence)
            self.reading.steps.append(replace(step, place=self._plain(place)))

    def _plain(self, place: _Here) -> Place:
        """With the environment that a shell gets there."""
        known = {name: each for name, each in self.environment.names.items() if name != "WORKSPACE"}
        values = {**self.machine.parameters, **known, **place.declared}
        variables = {**place.variables, **{name: text_or_none(each) for name, each in values.items()}}
        own = {each.name: getattr(place, each.name) for each in fields(Place)}
        return Place(**{**own, "variables": variables})

    def _call(self, statement: list[Item], at: int, place: _Here, depth: int, parallel: int) -> None:
        """A method of the file: its body runs here, or as a branch where it gives `parallel` a closure."""
        name = statement[at]
        assert isinstance(name, Token)
        if at and is_punct(statement[at - 1], ".") and not (at > 1 and is_name(statement[at - 2], "this")):
            return
        method = self.reading.methods.get(name.text)
        elsewhere = method is None
        if method is None and not self.silent:
            method = self._of_library(name.text, statement, at)
        if method is None or method in statement:
            return
        if _called(statement, at):
            at += 2
        self.reading.called.add(name.text)
        positional, named = arguments(call_arguments(statement, at))
        values = [self.value(part, place) for part in positional]
        if named:
            values.insert(0, {key: self.value(part, place) for key, part in named.items()})
        if parallel and _gives_closure(method):
            place = self._branch(place, parallel, statement[max(0, at - _LOOK_BACK) : at])
            body = next((each for each in reversed(method.blocks)), None)
            if body is not None:
                self.at = place
                inside = replace(place, scope=self._bound(method, values, self.root))
                self.block(method, inside, depth + 1)
                return
        before, line, ifs = self.at, self.line, self.ifs
        if elsewhere and not self.line:
            self.line = name.line
        self.ifs = {}
        self.machine.results[id(name)] = self.method_body(name.text, method, values, place, depth + 1)
        self.at, self.line, self.ifs = before, line, ifs

    def _each(self, statement: list[Item], at: int, place: _Here, depth: int, parallel: int) -> None:
        """``list.each(push)``, ``list.each(this.&push)``: a method or closure with a name, once for each element."""
        given = call_arguments(statement, at)
        name = given[-1] if given and is_punct(statement[at + 1], "(") else None
        if not isinstance(name, Token) or name.text not in self.reading.methods or len(given) > 4:
            return
        method = self.reading.methods[name.text]
        elements = self._elements(self.value(_receiver(statement, at), place), method)
        rounds: list[_Round] = [(elements,)] if isinstance(elements, Unknown) else elements
        for each in rounds[:_MAX_VALUES]:
            inside = place
            if isinstance(elements, Unknown):
                sentence = elements.named(_written(_receiver(statement, at))).sentence
                inside = replace(place, loop=self.reading.group(), unknown=(*place.unknown, sentence))
            self.method_body(name.text, method, each, inside, depth + 1)

    def _of_library(self, name: str, statement: list[Item], at: int) -> Block | None:
        """A step of the repository's own library, ``vars/NAME.groovy``; one that is nowhere is said."""
        if at and not is_punct(statement[at - 1], "="):
            return None
        if name not in self.library and len(self.library) < _MAX_VALUES:
            self.library[name] = None
            data = self.reading.read(f"vars/{name}.groovy") if name.isidentifier() else None
            if data is not None:
                other = Reading(self.reading.read)
                survey(other, blocks(tokens(data[:_MAX_LIBRARY].decode("utf-8", "replace"))))
                self.library[name] = other.methods.pop("call", None)
                for each, block in other.methods.items():
                    if self.reading.methods.setdefault(each, block) is block:
                        self.reading.called.add(each)
            if self.library[name] is None and _TELLING.search(name) and name not in _KNOWN:
                self._lacks((0, 0), f"{name} is a step that is not in this file, nor in vars/ beside it")
        return self.library.get(name)

    def _docker_plugin(self, statement: list[Item], place: _Here) -> None:
        """``def app = docker.build('name', '-f x .')`` and ``app.push('tag')``."""
        for at in range(len(statement) - 2):
            one, dot, two = statement[at : at + 3]
            if not (is_name(one) and is_punct(dot, ".") and is_name(two)):
                continue
            assert isinstance(one, Token) and isinstance(two, Token)
            if two.text not in ("build", "push", "image"):
                continue
            positional, _ = arguments(call_arguments(statement, at + 2))
            span = (self.line or one.line, self.line or two.line)
            if one.text == "docker" and two.text == "build":
                words = [self._argument_text(part, span, place) for part in positional[:2]]
                name = (words[0] if words else None) or "image"
                rest = words[1].split() if len(words) > 1 and words[1] is not None else ["."]
                target = statement[at - 2] if at > 1 and is_punct(statement[at - 1], "=") else None
                tags = ["-t", name, *(["-t", f"plugin/{target.text}"] if isinstance(target, Token) else [])]
                self._add(Action(("docker", "build", *tags, *rest), (span,), place))
                if any(is_name(item, "push") for item in statement[at + 3 : at + 60]):
                    self._add(Action(("docker", "push", name), (span,), place))
            elif one.text == "docker" and two.text == "image" and len(positional) == 1:
                image = self._argument_text(positional[0], span, place)
                if image is not None and any(is_name(item, "push") for item in statement[at + 3 : at + 60]):
                    self._add(Action(("docker", "push", image), (span,), place))
            elif two.text == "push" and one.text != "docker" and len(positional) <= 1:
                called = at + 3 < len(statement) and is_punct(statement[at + 3], "(")
                if called and not (at and isinstance(statement[at - 1], Block)):
                    self._add(Action(("docker", "push", f"plugin/{one.text}"), (span,), place))

    def _argument_text(self, part: list[Item], span: tuple[int, int], place: _Here) -> str | None:
        self.at = place
        script = script_of(part, self.names(place), self.machine)
        for unknown in script.lacking:
            self._lacks(span, unknown.sentence)
        return script.forms[0].text if script.forms else None


#: Names of what begins a statement and is no call of a method.
_NO_CALLS = frozenset(
    "return def if else for while switch case default try catch finally throw new in assert import".split()
)
#: What stands in front of an expression, and is none of it.
_IN_FRONT = frozenset("return parallel in def assert else echo case".split())


def _argues(statement: list[Item]) -> bool:
    """Whether a statement is a call without parentheses: ``buildImage 'a', path``, ``buildImage name: 'a'``."""
    first, second = statement[0], statement[1]
    if not isinstance(first, Token) or first.text in _NO_CALLS or not isinstance(second, Token):
        return False
    if second.kind == "name":  # and no declaration: String x = …
        return len(statement) == 2 or any(is_punct(statement[2], each) for each in (".", ",", ":", "["))
    return second.kind in ("string", "number")


def _is_named(block: Block, statement: list[Item]) -> bool:
    """A closure with a name, which runs where it is called: ``def build = { … }``"""
    return (
        block is statement[-1]
        and 2 < len(statement) < 8
        and is_punct(statement[-2], "=")
        and is_name(statement[-3])
    )


def _called(statement: list[Item], at: int) -> bool:
    """``closure.call(``"""
    return (
        at + 3 < len(statement)
        and is_punct(statement[at + 1], ".")
        and is_name(statement[at + 2], "call")
        and is_punct(statement[at + 3], "(")
    )


def _worth(statement: Sequence[Item]) -> bool:
    """Whether a statement's value may be worked out behind its run: no closure in it does anything a second time."""
    return all(
        not isinstance(item, Block) or item.name in (*_PURE, "collect", "collectEntries", "collectMany", "")
        for item in statement
    )


def _assignable(items: Sequence[Item]) -> bool:
    return all(
        not isinstance(item, Block) or item.name not in ("each", "eachWithIndex", "node", "stage")
        for item in items
    )


def _assignment(statement: list[Item]) -> int | None:
    """Where the ``=`` of an assignment stands."""
    depth = 0
    for at, item in enumerate(statement[:40]):
        if isinstance(item, Block):
            return None
        if item.kind != "punct":
            continue
        depth += (item.text in ("(", "[")) - (item.text in (")", "]"))
        if item.text == "=" and not depth:
            beside = [statement[index] for index in (at - 1, at + 1) if 0 <= index < len(statement)]
            if any(is_punct(each, text) for each in beside for text in ("=", "!", "~")) or not at:
                return None
            if is_punct(statement[at - 1], ">") and at > 1 and isinstance(statement[at - 2], Token):
                return None  # >=
            return at
        if item.text in ("?", "{", ":") and not depth:
            return None
    return None


def _is_label(target: list[Item]) -> bool:
    return is_punct(target[-2], ":")


def _changes(statement: list[Item]) -> bool:
    """Whether a statement puts something into a list or map."""
    first = statement[0]
    if not isinstance(first, Token) or first.kind != "name":
        return False
    for at in range(len(statement) - 1):
        one, two = statement[at : at + 2]
        if is_punct(one, "<") and is_punct(two, "<"):
            return True
        if is_punct(one, ".") and isinstance(two, Token) and two.text in _CHANGES:
            return True
    return False


def _else_in_front(block: Block) -> bool:
    """Whether an `if` is one behind an `else`, its own."""
    at = block.at - len(block.args) - 4  # if ( … )
    return at >= 0 and is_name(block.before[at], "else")


def _receiver(items: list[Item], at: int) -> list[Item]:
    """The expression whose method's name stands at ``at``."""
    at -= 1
    end = at
    if end < 1 or not is_punct(items[end], "."):
        return []
    if is_punct(items[end - 1], "?") or is_punct(items[end - 1], "*"):
        end -= 1
    at = start = end
    least = max(0, end - _LOOK_BACK)
    while at > least:
        item = items[at - 1]
        if isinstance(item, Block):
            at -= 1
        elif is_punct(item, ")") or is_punct(item, "]"):
            opens = opening(items[:at], at - 1)
            if opens is None:
                break
            at = start = opens
            before = items[at - 1] if at else None
            joins = isinstance(before, Block) or (
                isinstance(before, Token)
                and ((before.kind == "name" and before.text not in _IN_FRONT) or before.text in (")", "]"))
            )
            if joins:
                continue
        elif item.kind in ("name", "string", "number"):
            if item.text in _IN_FRONT and item.kind == "name":
                break
            at = start = at - 1
        else:
            break
        if at and is_punct(items[at - 1], "."):
            at -= 1
            if at and (is_punct(items[at - 1], "?") or is_punct(items[at - 1], "*")):
                at -= 1
            continue
        if not isinstance(item, Block):
            break
    return items[start:end]


def _receiver_of(block: Block) -> list[Item]:
    """The expression whose method gets a closure."""
    at = block.at - 1
    if at >= 0 and is_punct(block.before[at], ")"):
        opens = opening(block.before[: at + 1], at)
        at = opens - 1 if opens is not None else 0
    return _receiver(block.before, at) if at > 0 else []


def _receiver_text(block: Block) -> str:
    """What a loop goes over, as it is written."""
    if block.name != "for":
        return _written(_receiver_of(block))
    at = next((n for n, item in enumerate(block.args) if is_name(item, "in") or is_punct(item, ":")), -1)
    return _written(block.args[at + 1 :])


def _written(items: Sequence[Item]) -> str:
    text = "".join("{…}" if isinstance(item, Block) else item.text for item in items[:12])
    return text[:60] or "a list"


def _below(directory: str | None, path: str | None) -> str | None:
    if path is not None and path.startswith(ROOT):
        return path.removeprefix(ROOT).strip("/")
    if directory is None or not path or path.startswith("/") or "$" in path:
        return None
    return f"{directory}/{path}".strip("/") if path != "." else directory


def _is_branch(block: Block) -> bool:
    """Whether a closure is a value of a map: ``name: {…}``, ``[name, {…}]`` or ``map[name] = {…}``."""
    return block.label is not None or bool(block.header and is_punct(block.header[-1], "="))


def _argument(before: list[Item]) -> list[Item]:
    """The last argument, or entry of a list, in a call or list that is still open behind it."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        item = before[at]
        depth += _is_one_of(item, ")", "]") - _is_one_of(item, "(", "[")
        if depth < 0 or (not depth and is_punct(item, ",")):
            return before[at + 1 :]
    return []


def _adds(statement: list[Item], at: int) -> bool:
    """Whether what stands behind the name of a map puts something into it: ``[…] =``, ``=``, ``+=``, ``<<``, ``.put(``."""
    words = [item.text for item in statement[at : at + 2] if isinstance(item, Token)]
    return words[:1] in (["["], ["="]) or words in (
        ["+", "="],
        ["<", "<"],
        [".", "put"],
        [".", "putAll"],
        [".", "putAt"],
    )


def _gives_closure(method: Block) -> bool:
    """Whether what a method returns is a closure: its last statement, or a ``return {…}``."""
    for statement in method.statements:
        if len(statement) == 2 and is_name(statement[0], "return") and isinstance(statement[1], Block):
            return True
    return bool(method.statements) and isinstance(method.statements[-1][0], Block)


def _is_one_of(item: Item, *texts: str) -> bool:
    return any(is_punct(item, text) for text in texts)
