"""A Jenkinsfile, declarative or scripted, or a step of a shared library, as steps.

What is read: ``sh`` in all its forms, ``timeout``, ``parallel``, ``matrix``, loops over lists that stand in the file,
methods of the file, ``dir``, ``withEnv``, ``environment``, ``lock``, agents with their pods and containers, and the
Docker plugin's ``docker.build`` and ``push``. What cannot be told (a list that a command makes) is kept as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from imgopt.pipelines.blocks import Block, Item, arguments, blocks, call_arguments, is_name, is_punct, opening
from imgopt.pipelines.groovy_values import (
    Values,
    filled,
    first_string,
    joined,
    limited,
    list_of,
    text_of,
    value_of,
    with_env,
)
from imgopt.pipelines.jenkins_agents import agent_of, container, pod_of
from imgopt.pipelines.jenkins_conditions import conditions_of
from imgopt.pipelines.jenkins_survey import MAX_VARIABLES, Reading, compares, constants, survey
from imgopt.pipelines.model import Action, Branch, ImageUse, Place, Step, Text
from imgopt.pipelines.tokens import Token, element_name, tokens

_LOOPS = frozenset({"each", "collect", "collectEntries", "eachWithIndex", "eachParallel"})
#: Declared for the whole block they stand in; walked as such, not as code.
_SECTIONS = frozenset(
    "options environment agent parameters triggers tools when input axes excludes libraries axis exclude".split()
)
#: They end a case of a switch.
_LEAVES = ("break", "return", "throw", "error")
_MAX_DEPTH = 60
_LOOK_BACK = 400  # tokens in front of a call
_MAX_STEPS = 3_000
_MAX_VALUES = 64
_MAX_CALLS = 50  # of sh in one statement
_MAX_TEXT = 2_000_000  # characters of all scripts
_IMAGE = re.compile(r"[\w.:/@-]*kaniko-project/executor[\w.:@-]*")


def read(text: str, file: Callable[[str], bytes | None]) -> tuple[list[Step | Action], list[ImageUse], bool]:
    """Steps, images that are named, and whether there was more than is looked at. ``file`` reads from the
    repository (``yamlFile``), None where there is no such file."""
    found = tokens(text)
    root = blocks(found)
    reading = Reading(file)
    survey(reading, root)
    _Walk(reading).block(root, Place(variables=constants(reading)), 0)
    for name, method in reading.methods.items():
        if name not in reading.called:  # a library's step: its callers are elsewhere
            place = Place(variables=dict.fromkeys(method.params), container=f"method {name}")
            _Walk(reading).block(method, place, 1)
    images = [
        ImageUse(match[0], _line(token, match.start()))
        for token in found
        if token.kind == "string" and "kaniko-project/executor" in token.text
        for match in _IMAGE.finditer(token.text)
    ]
    return reading.steps, images, reading.walked >= _MAX_STEPS


def _line(token: Token, offset: int) -> int:
    return Text(token.text, token.breaks).line(offset)


@dataclass
class _Cases:
    """The branches of a ``switch``: a case that does not leave it goes on with the next one's."""

    which: int
    around: tuple[tuple[int, int], ...]
    branch: int = 0
    left: bool = False

    def entered(self, statement: list[Item]) -> tuple[tuple[int, int], ...]:
        """The choices around a statement of the block."""
        first = statement[0]
        if self.left and (is_name(first, "case") or is_name(first, "default")):
            self.branch += 1
            self.left = False
        behind = max((at for at, item in enumerate(statement) if is_punct(item, ":")), default=-1) + 1
        if behind < len(statement) and any(is_name(statement[behind], word) for word in _LEAVES):
            self.left = True
        return (*self.around, (self.which, self.branch))


@dataclass
class _Walk:
    reading: Reading
    ifs: dict[int, tuple[int, int]] = field(
        default_factory=dict
    )  # by depth: the last one, and its branches so far

    def block(self, block: Block, place: Place, depth: int) -> None:
        if depth > _MAX_DEPTH or self.reading.walked >= _MAX_STEPS:
            return
        self.reading.walked += 1
        place = self._sections(block, place)
        if block.name == "matrix":
            self._matrix(block, place, depth)
            return
        branches = block.name == "parallel"
        group = self.reading.group() if branches else 0
        case = _Cases(self.reading.group(), place.choices) if block.name == "switch" else None
        for statement in block.statements:
            if case is not None:
                place = replace(place, choices=case.entered(statement))
            place = self._statement(statement, place, depth, group)

    def _sections(self, block: Block, place: Place) -> Place:
        """What ``agent``, ``environment`` and ``options`` say for all of a block, wherever they stand in it."""
        for statement in block.statements:
            if not statement or not is_name(statement[0]) or isinstance(statement[0], Block):
                continue
            name = statement[0].text
            section = next((item for item in statement if isinstance(item, Block)), None)
            if name == "agent":
                place = replace(place, agent=agent_of(statement, section, place.agent, self.reading.read))
                place = self._other_container(place)
            elif section is None:
                continue
            elif name == "when":
                place = replace(place, conditions=(*place.conditions, *conditions_of(section)))
            elif name == "environment":
                place = replace(place, variables={**place.variables, **self._environment(section, place)})
            elif name == "options":
                for option in section.statements:
                    place = self._option(option, place)
        return place

    def _other_container(self, place: Place) -> Place:
        return replace(place, container=f"agent {self.reading.group()}", loop=0)

    def _environment(self, section: Block, place: Place) -> dict[str, str | None]:
        known: dict[str, str | None] = {}
        for statement in section.statements[:MAX_VARIABLES]:
            if len(statement) > 2 and is_punct(statement[1], "=") and isinstance(statement[0], Token):
                known[statement[0].text] = value_of(statement[2:], {**place.variables, **known})
        return known

    def _option(self, option: list[Item], place: Place) -> Place:
        if option and isinstance(option[0], Token):
            if option[0].text == "timeout":
                return limited(place, call_arguments(option, 0), option[0].line)
            if option[0].text == "lock":
                return replace(place, lock=_lock(call_arguments(option, 0), place) or place.lock)
        return place

    def _statement(self, statement: list[Item], place: Place, depth: int, group: int) -> Place:
        """One statement; the place for those after it, in which a variable may be known that was not."""
        parallel = self._parallel_group(statement)
        calls = 0
        for at, item in enumerate(statement):
            if isinstance(item, Block):
                if item in self.reading.methods.values() or item.name in _SECTIONS:
                    continue
                self._nested(item, statement, place, depth, group, parallel)
            elif item.kind == "name" and item.text in ("sh", "bat", "powershell", "pwsh"):
                calls += 1
                if calls <= _MAX_CALLS:
                    self._shell(statement, at, place)
            elif item.kind == "name" and at + 1 < len(statement) and is_punct(statement[at + 1], "("):
                self._call(statement, at, place, depth, parallel)
        self._docker_plugin(statement, place)
        return self._assigned(statement, place)

    def _assigned(self, statement: list[Item], place: Place) -> Place:
        at = next((n for n, item in enumerate(statement[:5]) if is_punct(item, "=")), None)
        if at is None or not at or compares(statement, at) or len(place.variables) > MAX_VARIABLES:
            return place
        name = statement[at - 1]
        if isinstance(name, Block) or name.kind != "name":
            return place
        value = value_of(statement[at + 1 :], place.variables)
        if self.reading.assigned[name.text] > 1:
            value = None  # which of its values holds where is not followed
        return replace(place, variables={**place.variables, name.text: value})

    # blocks in a statement

    def _nested(
        self, block: Block, statement: list[Item], place: Place, depth: int, group: int, parallel: int
    ) -> None:
        if group and block.name == "stage":
            place = replace(place, branches=(*place.branches, Branch(group, first_string(block.args))))
        elif parallel and _is_branch(block):
            place = self._branch(place, parallel, block.header)
        place = self._chosen(block, self._entered(block, place), depth)
        values = self._loop(block)
        if values is None:
            self._walk(block, place, depth, parallel)
            return
        names = self._variables(block)
        for number, value in enumerate(values[:_MAX_VALUES] or [()]):
            bound: dict[str, str | None] = dict.fromkeys(names)
            bound.update(zip(names, value, strict=False))
            inside = replace(place, variables={**place.variables, **bound, **({} if value else {"?": None})})
            if not value:
                inside = replace(inside, loop=self.reading.group())
            if parallel and number >= 0:
                inside = replace(inside, job=f"{place.job}#{number}")
            self._walk(block, inside, depth, parallel)

    def _branch(self, place: Place, group: int, before: list[Item]) -> Place:
        """Inside the value of a map for `parallel`; ``before`` stands in front of it. One whose key is not known is
        a branch of its own each time."""
        name = _key(before, place.variables) or f"?{self.reading.group()}"
        return replace(
            place, branches=(*place.branches, Branch(group, name, of_unknown="?" in place.variables))
        )

    def _chosen(self, block: Block, place: Place, depth: int) -> Place:
        """Which branch of an ``if`` a block is."""
        if block.name not in ("if", "else"):
            return place
        which, branch = self.ifs.get(depth, (0, 0))
        header = [item for item in block.header if not isinstance(item, Block)]
        if block.name == "else" or any(is_name(item, "else") for item in header[-400:]):
            branch += 1
        else:
            which, branch = self.reading.group(), 0
        self.ifs[depth] = (which, branch)
        return replace(place, choices=(*place.choices, (which, branch)))

    def _walk(self, block: Block, place: Place, depth: int, parallel: int) -> None:
        if not parallel:
            self.block(block, place, depth + 1)
            return
        # a closure that makes the map for `parallel`: what is labelled in it is a branch
        if depth > _MAX_DEPTH or self.reading.walked >= _MAX_STEPS:
            return
        self.reading.walked += 1
        is_branch = bool(place.branches) and place.branches[-1].group == parallel
        for statement in block.statements:
            for item in statement:
                if isinstance(item, Block) and not is_branch:
                    self._nested(item, statement, place, depth + 1, 0, parallel)
            if not is_branch:
                for at in range(len(statement) - 1):
                    if is_name(statement[at]) and is_punct(statement[at + 1], "("):
                        self._call(statement, at, place, depth, parallel)
            if is_branch:
                place = self._statement(statement, place, depth + 1, 0)
            else:
                place = self._assigned(statement, place)

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

    def _entered(self, block: Block, place: Place) -> Place:
        """What the call in front of a block means for what stands in it."""
        positional, named = arguments(block.args)
        first = value_of(positional[0], place.variables) if positional else None
        if block.name == "timeout":
            return limited(place, block.args, block.line)
        if block.name in ("stage", "node") and first:
            if block.name == "stage":
                return replace(place, job=f"{place.job}/{first}")
            return self._other_container(place)
        if block.name == "dir":
            return replace(place, directory=joined(place.directory, first))
        if block.name == "withEnv":
            return replace(place, variables={**place.variables, **with_env(block.args, place.variables)})
        if block.name == "lock":
            return replace(place, lock=_lock(block.args, place) or place.lock)
        if block.name == "container":
            name = first or value_of(named.get("name", []), place.variables)
            image = place.agent.containers.get(name or "")
            inside = f"{place.container.partition('/')[0]}/{name or f'?{self.reading.group()}'}"
            return replace(place, agent=replace(place.agent, image=image), container=inside)
        if block.name == "podTemplate":
            return self._other_container(replace(place, agent=pod_of(block, place.agent)))
        if block.name == "inside":
            image = next(
                (item.text for item in block.header if isinstance(item, Token) and item.kind == "string"),
                None,
            )
            mounted = "docker.sock" in (first or "")
            return self._other_container(replace(place, agent=container(image, first or "", mounted)))
        return place

    # loops and branches

    def _loop(self, block: Block) -> Values | None:
        """The values of a loop; none (an empty list) where they are not known, None where it is no loop."""
        if block.name == "for":
            words = [item for item in block.args if isinstance(item, Token)]
            counted = _counted(words)
            if counted is not None:
                return self._values([counted[0]]) or []
            at = next((n for n, word in enumerate(words) if word.text in ("in", ":")), None)
            return [] if at is None else self._values(words[at + 1 :]) or []
        if block.name not in _LOOPS:
            return None
        header = [item for item in block.header if not isinstance(item, Block)]
        while header and not (header[-1].kind == "name" and header[-1].text == block.name):
            header.pop()
        header = header[:-2]  # the name and its dot
        if header and header[-1].text == ")":  # LIST.split(',')
            start = max(
                (n for n, item in enumerate(header[:-3]) if item.text in ("split", "tokenize")), default=1
            )
            while start > 1 and header[start - 1].text == ".":
                start -= 2
            return self._values(header[start:]) or []
        if header and header[-1].text == "]":
            opening = max((n for n, item in enumerate(header) if item.text == "["), default=0)
            return list_of(header[opening:]) or []
        return self._values(header[-1:]) or []

    def _values(self, items: Sequence[Item], depth: int = 0) -> Values | None:
        """A list that stands there, has a name, or is made of a text with a name: ``env.MODULES.split(',')``."""
        names = [item for item in items if isinstance(item, Token) and item.text not in ("env", "params")]
        while names and names[0].text == ".":
            names.pop(0)
        if not names or depth > 3:
            return None
        first = names[0]
        if first.kind == "string" or first.text == "[":
            return list_of(items[items.index(first) :])
        if first.kind != "name" or self.reading.assigned[first.text] != 1:
            return None
        if len(names) == 1:
            known = self.reading.lists.get(first.text)
            return known if known is not None else self._values(self.reading.said[first.text], depth + 1)
        text = self.reading.said[first.text]
        if text and isinstance(text[0], Token) and text[0].kind == "string":
            return list_of([text[0], *names[1:]])
        return None

    def _variables(self, block: Block) -> tuple[str, ...]:
        if block.name == "for":
            counted = _counted([item for item in block.args if isinstance(item, Token)])
            if counted is not None:
                return (element_name(counted[0].text, counted[1].text),)
            names = [item.text for item in block.args if isinstance(item, Token) and item.kind == "name"]
            before = names[: names.index("in")] if "in" in names else names[:2]
            return (before[-1],) if before else ()
        return block.params or ("it",)

    def _matrix(self, block: Block, place: Place, depth: int) -> None:
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
            bound = dict(zip((name for name, _ in axes), values_, strict=True))
            branch = Branch(group, " ".join(values_))
            if any(statement and is_name(statement[0], "agent") for statement in block.statements):
                place = self._other_container(place)  # each cell has its own
            inside = replace(
                place,
                job=f"{place.job}#{number}",
                branches=(*place.branches, branch),
                variables={**place.variables, **bound},
            )
            for stage in stages:
                self.block(stage, inside, depth + 1)

    # steps

    def _shell(self, statement: list[Item], at: int, place: Place) -> None:
        given = call_arguments(statement, at)
        if not given or (at and is_punct(statement[at - 1], ".")):
            return
        positional, named = arguments(given)
        part = named.get("script") or (positional[0] if positional and not named else None)
        text = text_of(part or [])
        if text is None:
            return
        token = statement[at]
        assert isinstance(token, Token)
        last = max((item.end_line for item in given), default=token.line)
        self._add(Step(text, ((token.line, last),), place))

    def _add(self, step: Step | Action) -> None:
        self.reading.walked += 1
        if isinstance(step, Step):
            self.reading.text += len(step.script.text)
            if self.reading.text > _MAX_TEXT:
                self.reading.walked = _MAX_STEPS
        if self.reading.walked < _MAX_STEPS:
            self.reading.steps.append(step)

    def _call(self, statement: list[Item], at: int, place: Place, depth: int, parallel: int) -> None:
        """A method of the file: its body runs here, or as a branch where it gives `parallel` a closure."""
        name = statement[at]
        assert isinstance(name, Token)
        method = self.reading.methods.get(name.text)
        if method is None or method in statement:
            return
        self.reading.called.add(name.text)
        positional, _ = arguments(call_arguments(statement, at))
        bound: dict[str, str | None] = dict.fromkeys(method.params)
        for param, part in zip(method.params, positional, strict=False):
            bound[param] = value_of(part, place.variables)
        if parallel and _gives_closure(method):
            place = self._branch(place, parallel, statement[max(0, at - _LOOK_BACK) : at])
        self.block(method, replace(place, variables={**place.variables, **bound}), depth + 1)

    def _docker_plugin(self, statement: list[Item], place: Place) -> None:
        """``def app = docker.build('name', '-f x .')`` and ``app.push('tag')``."""
        for at in range(len(statement) - 2):
            one, dot, two = statement[at : at + 3]
            if not (is_name(one) and is_punct(dot, ".") and is_name(two)):
                continue
            assert isinstance(one, Token) and isinstance(two, Token)
            if two.text not in ("build", "push", "image"):
                continue
            positional, _ = arguments(call_arguments(statement, at + 2))
            if one.text == "docker" and two.text == "build":
                words = [text_of(part) for part in positional[:2]]
                name = words[0].text if words and words[0] is not None else "image"
                rest = words[1].text.split() if len(words) > 1 and words[1] is not None else ["."]
                target = statement[at - 2] if at > 1 and is_punct(statement[at - 1], "=") else None
                tags = ["-t", name, *(["-t", f"plugin/{target.text}"] if isinstance(target, Token) else [])]
                self._add(Action(("docker", "build", *tags, *rest), ((one.line, two.line),), place))
                if any(is_name(item, "push") for item in statement[at + 3 : at + 60]):
                    self._add(Action(("docker", "push", name), ((one.line, two.line),), place))
            elif one.text == "docker" and two.text == "image" and len(positional) == 1:
                image = text_of(positional[0])
                if image is not None and any(is_name(item, "push") for item in statement[at + 3 : at + 60]):
                    self._add(Action(("docker", "push", image.text), ((one.line, two.line),), place))
            elif two.text == "push" and one.text != "docker" and len(positional) <= 1:
                called = at + 3 < len(statement) and is_punct(statement[at + 3], "(")
                if called and not (at and isinstance(statement[at - 1], Block)):
                    name = f"plugin/{one.text}"
                    self._add(Action(("docker", "push", name), ((one.line, two.line),), place))


def _counted(words: list[Token]) -> tuple[Token, Token] | None:
    """The list and the index of ``int i = 0; i < modules.size(); i++``."""
    for at in range(len(words) - 4):
        index, less, listed, dot, size = words[at : at + 5]
        if less.text == "<" and dot.text == "." and size.text in ("size", "length") and index.kind == "name":
            return listed, index
    return None


def _lock(given: list[Item], place: Place) -> str:
    """The name of a lock, "" where it is not known: it may be another one for each."""
    positional, named = arguments(given)
    part = named.get("resource") or named.get("label") or (positional[0] if positional else [])
    return value_of(part, place.variables) or ""


def _is_branch(block: Block) -> bool:
    """Whether a closure is a value of a map: ``name: {…}``, ``[name, {…}]`` or ``map[name] = {…}``."""
    return block.label is not None or bool(block.header and is_punct(block.header[-1], "="))


def _key(before: list[Item], variables: Mapping[str, str | None]) -> str | None:
    """The key of a value of a map, where it is known: ``name:``, ``(name):``, ``map[name] =``, ``put(name,``."""
    if len(before) < 2:
        return None
    last, key = before[-1], before[-2]
    if is_punct(last, ","):
        return value_of(_argument(before[:-1]), variables)
    if is_punct(key, "]") or is_punct(key, ")"):
        opens = opening(before, len(before) - 2)
        return None if opens is None else value_of(before[opens + 1 : -2], variables)
    if isinstance(key, Block) or key.kind not in ("name", "string"):
        return None
    name = filled(key.text, variables)  # a name in front of a colon is a text
    return None if "$" in name else name


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
