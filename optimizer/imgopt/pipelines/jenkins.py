"""A Jenkinsfile, declarative or scripted, or a step of a shared library, as steps.

What is read: ``sh`` in all its forms, ``timeout``, ``parallel``, ``matrix``, loops over lists that the file makes,
methods of the file and closures with a name, ``dir``, ``withEnv``, ``environment``, ``parameters``, ``lock``, agents with
their pods and containers, and the Docker plugin's ``docker.build`` and ``push``. Statements run in their order, values are
worked out as they go (`groovy_expressions`); what cannot be told (a list that a command makes) is kept as unknown, with the
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
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
from imgopt.pipelines.checkout import resolved
from imgopt.pipelines.groovy_expressions import filled
from imgopt.pipelines.groovy_values import Closure, Scope, Unknown, Value, joined, text_or_none
from imgopt.pipelines.jenkins_loops import LOOPS, Loops, Round
from imgopt.pipelines.jenkins_sections import Sections
from imgopt.pipelines.jenkins_statements import (
    LOOK_BACK,
    PURE,
    argues,
    calls_closure,
    cases,
    else_in_front,
    fills_map,
    gives_closure,
    is_named,
    last_argument,
    makes_branch,
    receiver_at,
    receiver_text,
    worth,
    written,
)
from imgopt.pipelines.jenkins_steps import Steps
from imgopt.pipelines.jenkins_survey import Reading, survey
from imgopt.pipelines.jenkins_values import MAX_DEPTH, MAX_STEPS, MAX_VALUES, Frame, Here, If, Loaded
from imgopt.pipelines.model import Action, Branch, ImageUse, Step, Text
from imgopt.pipelines.tokens import Token, tokens

#: Declared for the whole block they stand in; walked as such, not as code.
_SECTIONS = frozenset(
    "options environment agent parameters triggers tools when input axes excludes libraries axis exclude".split()
)
_SHELLS = ("sh", "bat", "powershell", "pwsh")
#: What looks as if it built or pushed, in the name of a step that is not in the file.
_TELLING = regex(r"(?i)docker|image|kaniko|buildah|podman|publish|push")
_KNOWN = frozenset(
    "docker withDockerRegistry dockerNode dockerFingerprintFrom publishHTML publishChecks pushImageToNothing dockerfile image "
    "withRegistry containerTemplate publishers".split()
)
_MAX_CALLS = 50  # of sh in one statement
_MAX_LIBRARY = 100_000
_MAX_LOADED = 20  # files
_IMAGE = regex(r"[\w.:/@-]*kaniko-project/executor[\w.:@-]*")
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
    walk.block(root, Here(scope=walk.root), 0)
    for name, method in list(reading.methods.items()):
        if name not in reading.called:  # a library's step: its callers are elsewhere
            given: list[Value] = [Unknown("is given by whoever calls it", given=True) for _ in method.params]
            walk.method_body(name, method, given, Here(scope=walk.root, container=f"method {name}"), 1)
    images = [
        ImageUse(match[0], _line(token, match.start()))
        for token in found
        if token.kind == "string" and "kaniko-project/executor" in token.text
        for match in _IMAGE.finditer(token.text)
    ]
    return Read(reading.steps, images, walk.spent, tuple(reading.lacking))


def _line(token: Token, offset: int) -> int:
    return Text(token.text, token.breaks).line(offset)


@dataclass
class _Walk(Sections, Loops, Steps):
    """Runs a file's statements."""

    def block(self, block: Block, place: Here, depth: int, *, wanted: bool = False) -> Value:
        """Runs a block; its last statement's value where it is ``wanted``."""
        if depth > MAX_DEPTH or self.reading.walked >= MAX_STEPS or not self.machine.spend():
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
            if wanted and number == len(block.statements) - 1 and worth(statement):
                result = self.value(statement, place)
        return result

    def _switch(self, block: Block, place: Here, depth: int) -> None:
        asked = self.value(block.args, place)
        for number, case in enumerate(cases(block)):
            labels = [self.value(label, place) for label in case.labels]
            holds: bool | None = None
            if isinstance(asked, str) and labels and all(isinstance(label, str) for label in labels):
                holds = asked in labels

            def run(inside: Here, statements: list[list[Item]] = case.statements) -> None:
                for statement in statements:
                    if not (self.frames and self.frames[-1].left):
                        self._statement(statement, inside, depth + 1, 0)

            self._arm(holds, bool(number), place, depth, run, last=case.default)

    def method_body(self, name: str, method: Block, given: Sequence[Value], place: Here, depth: int) -> Value:
        self.at = place
        self.reading.called.add(name)
        return self._result(method, replace(place, scope=self._bound(method, given, self.root)), depth)

    def _statement(self, statement: list[Item], place: Here, depth: int, group: int) -> None:
        if not self.machine.spend(1 + len(statement) // 50):
            return
        self.now = statement[0].line
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
                    or is_named(item, statement)
                ):
                    continue
                if not self.machine.spend(1 + min(item.at, LOOK_BACK) // 10):
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
            elif item.text in LOOPS and at and is_punct(statement[at - 1], "."):
                self._each(statement, at, place, depth, parallel)
            elif at + 1 < len(statement) and (
                is_punct(statement[at + 1], "(")
                or (not at and argues(statement))
                or calls_closure(statement, at)
            ):
                self._parameter(statement, at, place)
                self._call(statement, at, place, depth, parallel)
        if not self.silent:
            self._docker_plugin(statement, place)
        if is_name(statement[0], "return"):
            self._returned(statement[1:], place)
            return
        self._assigned(statement, place)

    def _returned(self, items: list[Item], place: Here) -> None:
        if not self.frames:
            return
        self.frames[-1].returned.append(self.value(items, place) if items and worth(items) else None)
        self.frames[-1].left = True

    def _inline(self, statement: list[Item], place: Here, depth: int, group: int) -> bool:
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
        if self.machine.depth > MAX_DEPTH:
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
        place: Here,
        depth: int,
        run: Callable[[Here], None],
        *,
        last: bool = False,
    ) -> None:
        """One branch of an `if` or `switch`; ``behind`` another one, ``last``: where none of those holds."""
        chain = self.ifs.get(depth) if behind else None
        if chain is None:
            chain = If(self.reading.group())
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

    def _nested(
        self, block: Block, statement: list[Item], place: Here, depth: int, group: int, parallel: int
    ) -> None:
        if block.name in PURE and any(is_punct(item, ".") for item in block.header):
            return
        if group and block.name == "stage":
            place = replace(
                place, branches=(*place.branches, Branch(group, self.text(block.args, place) or ""))
            )
        elif parallel and makes_branch(block):
            place = self._branch(place, parallel, block.header)
        if block.name in ("if", "else"):
            condition = list(block.args) if block.name == "if" else None
            behind = block.name == "else" or else_in_front(block)
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

    def _rounds(self, block: Block, place: Here, depth: int, parallel: int) -> None:
        rounds = self._loop(block, place)
        if rounds is None:
            self._walk(block, place, depth, parallel)
            return
        names = self._variables(block)
        if isinstance(rounds, Unknown) or not rounds:
            why = rounds.named(receiver_text(block)) if isinstance(rounds, Unknown) else None
            sentence = why.sentence if why is not None else f"{receiver_text(block)} is filled elsewhere"
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
        for number, each in enumerate(rounds[:MAX_VALUES]):
            values = dict(zip(names, each, strict=False))
            values.update(dict.fromkeys(names[len(each) :]))
            inside = replace(place, scope=Scope(place.scope, values))
            if parallel:
                inside = replace(inside, job=f"{place.job}#{number}")
            self._walk(block, inside, depth, parallel)
            if self.frames and self.frames[-1].left and block.name != "for":
                self.frames[-1].left = False

    def _branch(self, place: Here, group: int, before: list[Item]) -> Here:
        """Inside the value of a map for `parallel`; ``before`` stands in front of it. One whose key is not known is
        a branch of its own each time."""
        name = self._key(before, place) or f"?{self.reading.group()}"
        return replace(
            place, branches=(*place.branches, Branch(group, name, of_unknown="?" in place.variables))
        )

    def _key(self, before: list[Item], place: Here) -> str | None:
        """The key of a value of a map, where it is known: ``name:``, ``(name):``, ``map[name] =``, ``put(name,``."""
        if len(before) < 2:
            return None
        last, key = before[-1], before[-2]
        if is_punct(last, ","):
            return self.text(last_argument(before[:-1]), place)
        if is_punct(key, "]") or is_punct(key, ")"):
            opens = opening(before, len(before) - 2)
            return None if opens is None else self.text(before[opens + 1 : -2], place)
        if isinstance(key, Block) or key.kind not in ("name", "string"):
            return None
        if key.kind == "name":
            return key.text if is_punct(last, ":") else None  # in front of a colon it is a text
        value, lacking = filled(key, self.names(place), self.machine)
        return None if lacking else text_or_none(value)

    def _walk(self, block: Block, place: Here, depth: int, parallel: int) -> None:
        if not parallel:
            self.block(block, place, depth + 1)
            return
        # a closure that makes the map for `parallel`: what is labelled in it is a branch
        if depth > MAX_DEPTH or self.reading.walked >= MAX_STEPS or not self.machine.spend():
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
            if at < 3 and item.text in self.reading.branched and fills_map(statement, at + 1):
                return self.reading.branched[item.text]
        return 0

    def _matrix(self, block: Block, place: Here, depth: int) -> None:
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
            if number >= MAX_VALUES:
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

    def _call(self, statement: list[Item], at: int, place: Here, depth: int, parallel: int) -> None:
        """A method of the file: its body runs here, or as a branch where it gives `parallel` a closure."""
        name = statement[at]
        assert isinstance(name, Token)
        if name.text == "load" and not (at and is_punct(statement[at - 1], ".")):
            self.value(statement[at:], place)
            return
        method = self._of_loaded(statement, at, place)
        elsewhere = method is not None
        dotted = at > 0 and is_punct(statement[at - 1], ".")
        if method is None and dotted and not (at > 1 and is_name(statement[at - 2], "this")):
            return
        if method is None:
            method = self.reading.methods.get(name.text)
            elsewhere = method is None
        if method is None and not self.silent:
            method = self._of_library(name.text, statement, at)
        if method is None or method in statement:
            return
        if calls_closure(statement, at):
            at += 2
        self.reading.called.add(name.text)
        positional, named = arguments(call_arguments(statement, at))
        values = [self.value(part, place) for part in positional]
        if named:
            values.insert(0, {key: self.value(part, place) for key, part in named.items()})
        if parallel and gives_closure(method):
            place = self._branch(place, parallel, statement[max(0, at - LOOK_BACK) : at])
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

    def _each(self, statement: list[Item], at: int, place: Here, depth: int, parallel: int) -> None:
        """``list.each(push)``, ``list.each(this.&push)``: a method or closure with a name, once for each element."""
        given = call_arguments(statement, at)
        name = given[-1] if given and is_punct(statement[at + 1], "(") else None
        if not isinstance(name, Token) or name.text not in self.reading.methods or len(given) > 4:
            return
        method = self.reading.methods[name.text]
        elements = self._elements(self.value(receiver_at(statement, at), place), method)
        rounds: list[Round] = [(elements,)] if isinstance(elements, Unknown) else elements
        for each in rounds[:MAX_VALUES]:
            inside = place
            if isinstance(elements, Unknown):
                sentence = elements.named(written(receiver_at(statement, at))).sentence
                inside = replace(place, loop=self.reading.group(), unknown=(*place.unknown, sentence))
            self.method_body(name.text, method, each, inside, depth + 1)

    def load(self, path: str) -> Value:
        """Runs a file of the repository, which hands over its methods and names; one that is not there is said."""
        where = resolved(path, self.at.directory) or path
        if where in self.files:
            return self.files[where].value
        text = self.file(path) if len(self.files) < _MAX_LOADED else None
        if text is None:
            self._lacks((0, 0), f"{path[:100]}, which is loaded, is not in this repository")
            return Unknown(f"is loaded from {path[:100]}, which is not in this repository")
        root = blocks(tokens(text[:_MAX_LIBRARY]))
        other = Reading(self.reading.read)
        survey(other, root)
        value: dict[str, Value] = {"\0loaded": where}
        self.files[where] = Loaded(other.methods, value)
        for each, block in other.methods.items():
            if self.reading.methods.setdefault(each, block) is block:
                self.reading.called.add(each)
        known, at, ifs, line = {*self.root.names}, self.at, self.ifs, self.line
        self.ifs, self.line = {}, line or self.now
        self.frames.append(Frame())
        scope = Scope(self.root)
        self.block(root, replace(at, scope=scope), 0)
        frame = self.frames.pop()
        self.at, self.ifs, self.line = at, ifs, line
        given = frame.returned[-1] if frame.returned else None
        if isinstance(given, dict | list | str | Closure):
            self.files[where].value = given
        shared = {name: each for name, each in self.root.names.items() if name not in known}
        value.update({**shared, **scope.names})
        return self.files[where].value

    def _of_loaded(self, statement: list[Item], at: int, place: Here) -> Block | None:
        """The method that ``name.method(`` is of a file that was loaded under that name."""
        if at < 2 or not is_punct(statement[at - 1], "."):
            return None
        holder, method = statement[at - 2], statement[at]
        if not isinstance(holder, Token) or holder.kind != "name" or not isinstance(method, Token):
            return None
        found = place.scope.holder(holder.text)
        value = found.names[holder.text] if found is not None else None
        closure = self.loaded(value, method.text) if isinstance(value, dict) else None
        return closure.block if closure is not None else None

    def _of_library(self, name: str, statement: list[Item], at: int) -> Block | None:
        """A step of the repository's own library, ``vars/NAME.groovy``; one that is nowhere is said."""
        if at and not is_punct(statement[at - 1], "="):
            return None
        if name not in self.library and len(self.library) < MAX_VALUES:
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
