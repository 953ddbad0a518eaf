"""The scripts of a pipeline as they would run: directories, variables, loops, functions, and the commands in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from imgopt import shell
from imgopt.pipelines import makefiles
from imgopt.pipelines.checkout import resolved
from imgopt.pipelines.commands import NOT_SAID, Reading, Repository, emptied, limit_of, read_command
from imgopt.pipelines.model import Action, Branch, Build, Place, Push, Rules, Step, Text, Unfollowed
from imgopt.pipelines.printed import Printer, expanded, fits, holds
from imgopt.pipelines.tools import (
    HERE,
    ROOT,
    ROOTS,
    Arg,
    Line,
    Repeated,
    is_kaniko,
    make_call,
    repeated_for,
    unwrapped,
)
from imgopt.pipelines.words import GLOB, Scope, Words

_MAX_LOOP = 64  # values of a loop that are looked at
_MAX_SCRIPT = 200_000  # characters
_MAX_NESTED = 6  # scripts and functions that call others
#: A test for what kaniko leaves.
_LOOKS_THERE = re.compile(r"/kaniko/?[\d*?\[\s\]\"')]")
_IDS = 10_000_000  # numbers for choices and loops of one script
_SHELLS = ("sh", "bash", "ash", "dash", "zsh", "ksh")
#: What a command has in it that may build or push: only such a text is said to be not followed.
_MATTERS = re.compile(
    r"\b(?:docker|podman|buildah|nerdctl|kaniko|executor|skopeo|crane|buildctl|img|jib\w*|bootBuildImage|build-image)\b"
)
#: What a script or a target is called that may make or push images; others test and lint.
_ABOUT_IMAGES = re.compile(
    r"image|docker|push|publish|release|deploy|container|kaniko|podman|jib", re.IGNORECASE
)
_COUNTING = re.compile(
    r"\s*(\w+)\s*=\s*(\d+)\s*;\s*\1\s*(<=?)\s*(.{1,100}?)\s*;\s*(?:\+\+\1|\1\+\+|\1\s*\+=\s*1)\s*", re.DOTALL
)


@dataclass(frozen=True)
class Found:
    """All builds and pushes of steps, in order. ``emptied``: the builds in loops whose container is emptied for each round;
    ``cut``: there was more than could be looked at; ``unfollowed``: what else may build or push, and why it is not known."""

    builds: tuple[Build, ...]
    pushes: tuple[Push, ...]
    emptied: frozenset[Build]
    cut: bool
    unfollowed: tuple[Unfollowed, ...]


def find(
    steps: Sequence[Step | Action | Rules], repository_: Repository, *, keeps_base: bool = False
) -> Found:
    """``keeps_base``: what makes kaniko leave the base alone is set for the whole file."""
    reading = Reading(repository_, keeps_base)
    for step in steps:
        if reading.left <= 0:
            break
        if isinstance(step, Rules):
            _rules(reading, step)
        elif isinstance(step, Action):
            words = [Arg(word, None if "$" in word else word) for word in step.words]
            line, end = step.spans[0]
            read_command(
                reading,
                Line(tuple(words), (), step.place.variables),
                (line, end),
                step.place,
                step.place.directory,
            )
        else:
            _script(reading, step.script, step.place, zero=step.zero)
    cut = reading.cut or reading.left <= 0
    unfollowed = tuple(dict.fromkeys(reading.unfollowed))
    return Found(tuple(reading.builds), _matched(reading), emptied(reading), cut, unfollowed)


def _matched(reading: Reading) -> tuple[Push, ...]:
    """A push whose image nothing here builds by that name is that of the only Dockerfile that is built."""
    recipes = {build.recipe.path: build for build in reading.builds}
    if len(recipes) != 1:
        return tuple(reading.pushes)
    only = next(iter(recipes.values()))
    return tuple(
        push
        if push.build is not None or push.recipe.why != NOT_SAID
        else replace(push, build=only, recipe=only.recipe)
        for push in reading.pushes
    )


# shell text


def _script(
    reading: Reading,
    script: Text,
    place: Place,
    nested: int = 0,
    *,
    zero: Arg | None = None,
    arguments: Sequence[Arg] | None = None,
) -> None:
    """``zero``: what `$0` is; ``arguments``: None where they are not known."""
    if len(script.text) > _MAX_SCRIPT or nested > _MAX_NESTED:
        reading.cut = True
        return
    known = {**dict.fromkeys(ROOTS, ROOT), **place.variables}
    variables = {name: Arg(f"${name}" if value is None else value, value) for name, value in known.items()}
    scope = Scope(variables, {}, None if arguments is None else list(arguments), zero or Arg("$0", None))
    reading.scripts += 1
    run = _Run(reading, script, place, scope, place.directory, nested, reading.scripts)
    before = len(reading.builds), len(reading.pushes)
    parsed = shell.parse(script.text)
    if not parsed.broken:
        run.text(parsed)
    else:
        for start, text in _logical_lines(script.text):  # what can be read of a script that cannot
            part = shell.parse(text)
            if not part.broken:
                run.offset = start
                run.text(part)
    if before == (len(reading.builds), len(reading.pushes)):
        run.uncalled()


def _rules(reading: Reading, step: Rules) -> None:
    """A Makefile that somebody runs: one of the targets that no other one needs. Of two that push the same only one is
    kept."""
    place = step.place
    reading.scripts += 1
    scope = Scope({name: Arg(value or f"${name}", value) for name, value in place.variables.items()})
    run = _Run(reading, step.script, place, scope, place.directory, 0, reading.scripts)
    made = makefiles.read(run.printer(), step.path, step.script.text, {}, place.variables)
    which = run._new()
    known: set[object] = set()
    does: set[object]
    for number, name in enumerate(made.roots()[:_MAX_LOOP]):
        builds, pushes = len(reading.builds), len(reading.pushes)
        target = made.target(name, set())
        if target is None:
            continue
        arm = replace(place, choices=(*place.choices, (which, number)))
        run.whole_lines = True
        run._target(target, arm, 1)
        does = {(push.line, push.target, push.recipe.path) for push in reading.pushes[pushes:]}
        does |= {(build.line, build.names, build.recipe.path) for build in reading.builds[builds:]}
        if does <= known:
            del reading.builds[builds:], reading.pushes[pushes:]
        known |= does


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for match in re.finditer(r"(?<!\\)\n|\Z", text):
        if match.start() > start:
            yield start, text[start : match.start()]
        start = match.end()


#: A background job in others, each by a number of its own.
_Path = tuple[int, ...]


@dataclass(frozen=True)
class _Round:
    """One of a loop: how many jobs are around the whole loop, whether it stands for rounds that are not known, and whether
    it ends when all that it began has."""

    depth: int
    unknown: bool
    waits: bool


@dataclass(frozen=True)
class _Function:
    block: shell.Block
    script: Text
    parsed: shell.Script
    offset: int


@dataclass(frozen=True)
class _Choice:
    which: int
    arm: int
    asks: bool  # whether there is something of kaniko's to remove


#: Behind an arm: what is set, the directory, and how the script leaves there.
_Arm = tuple[Scope, str | None, str]


@dataclass
class _Run:
    """One script as it would run: where it stands, what is set."""

    reading: Reading
    script: Text
    place: Place
    scope: Scope
    directory: str | None
    nested: int
    number: int  # of the script
    offset: int = 0
    parsed: shell.Script = field(default_factory=lambda: shell.parse(""))
    functions: dict[str, _Function] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    stack: list[str | None] = field(default_factory=list)  # directories of pushd
    counted: int = 0  # choices, loops, jobs so far
    choices: list[_Choice] = field(default_factory=list)
    chain: int = 0  # of commands joined by && and ||, where it stands on a test: its number
    tested: bool = False  # the last command is one that asks
    rounds: list[_Round] = field(default_factory=list)  # of the loops around
    path: list[tuple[int, bool]] = field(
        default_factory=list
    )  # the jobs around, and whether one stands for several
    waited: Counter[_Path] = field(default_factory=Counter)  # how often what runs there waited
    groups: dict[tuple[_Path, int], int] = field(default_factory=dict)  # of what runs at the same time

    def _new(self) -> int:
        self.counted += 1
        return -(self.number * _IDS + self.counted)

    # values

    def printer(self) -> Printer:
        return Printer(self.reading.repository, self.scope, self.directory)

    def words(self) -> Words:
        """What stands for words here; substitutions that build something do so."""
        printer = self.printer()

        def printed(text: str) -> Arg | None:
            known = printer.printed(text)
            if known is None and _MATTERS.search(text):
                self._inside(text)
            return known

        self.scope.variables.setdefault("PWD", self._here())
        self.scope.variables["PWD"] = self._here()
        return Words(self.scope, printed, printer.files)

    def _here(self) -> Arg:
        where = HERE if self.directory is None else f"{ROOT}/{self.directory}".rstrip("/")
        return Arg(where, where)

    def _inside(self, text: str) -> None:
        """The commands of a text that runs here, in the lines of the command that it stands in."""
        if self.nested >= _MAX_NESTED:
            return
        parsed = shell.parse(text)
        outer, directory = (self.parsed, self.script, self.offset), self.directory
        self.script = Text(text, ((0, self.line),))
        self.parsed, self.offset = parsed, 0
        self.nested += 1
        self.nodes(parsed.tree, 0)
        self.nested -= 1
        (self.parsed, self.script, self.offset), self.directory = outer, directory

    line: int = 1  # of the command that is read
    whole_lines: bool = False  # the recipes' lines are those of the file that is looked at

    # lists

    def text(self, parsed: shell.Script) -> None:
        self.parsed = parsed
        self.nodes(parsed.tree, 0)

    def uncalled(self) -> None:
        """The functions of a script that only defines them, or calls one by an argument: one of them, or each by another
        script."""
        which = self._new()
        for number, name in enumerate([name for name in self.functions if name not in self.called]):
            self.choices.append(_Choice(which, number, False))
            self._call(name, None)
            self.choices.pop()

    def nodes(self, nodes: Sequence[shell.Node], known: int) -> str:
        """Runs a list. ``known``: what is around all of it. "break", "continue", "return" or "exit" where the script surely
        leaves there."""
        at = 0
        while at < len(nodes):
            if self.reading.left <= 0:
                return "exit"
            job = _job(nodes[at], known)
            if job is not None:
                end = at
                while end < len(nodes) and _job(nodes[end], known) == job:
                    end += 1
                self._in_background(nodes[at:end], known)
                at = end
                continue
            end = _pipe_end(nodes, at)
            if end > at:
                self._piped(nodes[at : end + 1])
                at = end + 1
                continue
            node = nodes[at]
            at += 1
            redirects: tuple[tuple[str, shell.Word], ...] = ()
            if not isinstance(node, shell.Command) and at < len(nodes) and _only_redirects(nodes[at]):
                redirects = nodes[at].redirects  # type: ignore[union-attr]
                at += 1
            counting = nodes[at] if at < len(nodes) and _counts(node) else None
            if isinstance(counting, shell.Block):
                at += 1
                left = self._counting(node, counting)
            else:
                left = self.node(node, redirects)
            if left:
                return left
        return ""

    def _in_background(self, nodes: Sequence[shell.Node], known: int) -> None:
        outside = [each for each in self.rounds if each.depth <= len(self.path)]
        unknown = any(each.unknown and not each.waits for each in outside)
        self._group(self._jobs(), new=True)
        self.path.append((self._new(), unknown))
        directory, scope = self.directory, self.scope
        self.scope = scope.copy()
        self.nodes(nodes, known + 1)
        self.directory, self.scope = directory, scope
        self.path.pop()

    def _jobs(self) -> _Path:
        return tuple(job for job, _ in self.path)

    def _piped(self, nodes: Sequence[shell.Node]) -> None:
        """``a | b``: the last one may read what the others print."""
        last = nodes[-1]
        feeds = isinstance(last, shell.Block) and last.kind in ("while", "until")
        if isinstance(last, shell.Command) and last.words:
            feeds = last.program in ("xargs", "parallel")
        if not feeds:
            self._piped_on(nodes)
            return
        before = nodes[-2]
        if isinstance(before, shell.Command):
            before = replace(before, follows="")
        fed = self.printer().output([*nodes[:-2], before], self.parsed)
        if fed is None:
            self._piped_on(nodes[:-1])
        if isinstance(last, shell.Command):
            self.command(last, fed=fed)
        elif isinstance(last, shell.Block):
            scope = self.scope
            self.scope = scope.copy()
            self._while(last, fed, read=True)
            self.scope = scope

    def _piped_on(self, nodes: Sequence[shell.Node]) -> None:
        """The parts of a pipe of which nothing is known but that they run, each in a shell of its own."""
        for node in nodes:
            directory, scope = self.directory, self.scope
            self.scope = scope.copy()
            self.node(node, ())
            self.directory, self.scope = directory, scope

    def node(self, node: shell.Node, redirects: Sequence[tuple[str, shell.Word]]) -> str:
        self.reading.left -= 1
        if isinstance(node, shell.Command):
            return self.command(node)
        if node.kind == "for":
            return self._for(node)
        if node.kind == "function":
            name = node.subject.text if node.subject is not None else ""
            self.functions[name] = _Function(node, self.script, self.parsed, self.offset)
            return ""
        if node.kind == "if":
            return self._if(node)
        if node.kind == "case":
            return self._case(node)
        if node.kind in ("while", "until"):
            return self._while(node, self._fed(redirects), read=bool(redirects))
        directory, scope = self.directory, self.scope
        if node.kind == "(":
            self.scope = scope.copy()
        left = self.nodes(node.parts[0][1], len(node.around))
        if node.kind == "(":
            self.directory, self.scope = directory, scope
            left = ""
        return left

    # loops

    def _for(self, node: shell.Block) -> str:
        words = self.words()
        variable = node.subject.text if node.subject is not None else "_"
        if not node.words:
            listed = [*self.scope.positional] if self.scope.positional is not None else [Arg("$@", None)]
        else:
            listed = [arg for word in node.words for arg in words.fields(word.text)]
        listed = [
            Arg(arg.text, None) if arg.value is not None and GLOB.search(arg.value) else arg for arg in listed
        ]
        return self._rounds(node, variable, listed, [word.text for word in node.words])

    def _rounds(self, node: shell.Block, variable: str, listed: list[Arg], written: list[str]) -> str:
        if len(listed) > _MAX_LOOP:
            self.reading.cut = True
        unknown = not listed or any(arg.value is None for arg in listed)
        outside, place = self.scope.variables.get(variable), self.place
        if unknown:
            self.place = replace(place, loop=self._new())
            self._say(
                node, f"for {variable} in {' '.join(written)[:60]}", "which words these are is not known here"
            )
        waits = any(_waits(each) for each in shell.flatten(node.parts[0][1]))
        left = ""
        one = Arg(f"${variable}", None)
        for arg in listed[:_MAX_LOOP] if len(listed) > 1 or not unknown else [one]:
            self.scope.set(variable, arg)
            self.rounds.append(_Round(len(self.path), unknown and arg.value is None, waits))
            left = self.nodes(node.parts[0][1], len(node.around))
            self.rounds.pop()
            if left in ("break", "return", "exit"):
                break
        if outside is not None:
            self.scope.variables[variable] = outside
        self.place = place
        return left if left in ("return", "exit") else ""

    def _counting(self, head: shell.Node, node: shell.Block) -> str:
        """``for ((i = 0; i < n; i++))``."""
        text = head.words[1].text if isinstance(head, shell.Command) and len(head.words) > 1 else ""
        match = _COUNTING.fullmatch(text)
        listed: list[Arg] = []
        if match is not None:
            end = self.words().value(
                match[4] if "$" in match[4] else f"${{{match[4]}}}" if match[4].isidentifier() else match[4]
            )
            if end.value is not None and re.fullmatch(r"\d{1,6}", end.value):
                last = int(end.value) + (match[3] == "<=")
                listed = [Arg(str(n), str(n)) for n in range(int(match[2][:6]), min(last, _MAX_LOOP + 1))]
        return self._rounds(node, match[1] if match is not None else "_", listed, [f"(({text}))"])

    def _fed(self, redirects: Sequence[tuple[str, shell.Word]]) -> Arg | None:
        """What a command or block reads from ``< file``, a here-document, ``<<< words`` or ``< <(…)``."""
        for sign, target in redirects:
            bare = sign.lstrip("0")
            if bare == "<<<":
                return self.words().value(target.text)
            document = self.parsed.documents.get(target.start)
            if bare in ("<<", "<<-") and document is not None:
                return expanded(document, self.words())
            if bare == "<" and target.text.startswith("<("):
                return self.printer().printed(target.text[2:-1])
            if bare == "<":
                name = self.words().value(target.text).value
                text = self.reading.repository.script(name, self.directory) if name else None
                return None if text is None else Arg(text, text)
        return None

    def _while(self, node: shell.Block, fed: Arg | None, *, read: bool) -> str:
        """A loop: over the lines that `read` takes where they are known, else one round for all of them."""
        condition, body = node.parts[0][1], node.parts[1][1] if len(node.parts) > 1 else ()
        known = len(node.around) + 1
        reads = next((each for each in shell.flatten(condition) if each.program == "read"), None)
        waits = any(_waits(each) for each in shell.flatten((*condition, *body)))
        place = self.place
        if (
            reads is not None
            and fed is not None
            and fed.text.strip()
            and (fed.value is not None or "\n" in fed.text)
        ):
            lines = [line for line in fed.text.rstrip("\n").split("\n") if line.strip()]
            if len(lines) > _MAX_LOOP:
                self.reading.cut = True
            left = ""
            for line in lines[:_MAX_LOOP]:
                self._read(reads, Arg(line, line if fed.value is not None else None))
                self.rounds.append(_Round(len(self.path), False, waits))
                left = self.nodes(body, known)
                self.rounds.pop()
                if left in ("break", "return", "exit"):
                    break
            return left if left in ("return", "exit") else ""
        if reads is not None:
            self.place = replace(place, loop=self._new())
            self._say(node, "while read", "the lines that it reads are not known here")
            for name in _read_names(reads):
                self.scope.set(name, Arg(f"${name}", None))
        self.rounds.append(_Round(len(self.path), True, waits))
        before = self.scope.copy()
        self.nodes(condition, known)
        self.nodes(body, known)
        self.scope = _merged(before, [before, self.scope])
        self.rounds.pop()
        self.place = place
        return ""

    def _read(self, reads: shell.Command, line: Arg) -> None:
        """``read a b``: the line in its variables."""
        assigned = [word.text.partition("=")[2] for word in reads.assignments if word.text.startswith("IFS=")]
        by = self.words().value(assigned[-1]).text if assigned else " "
        names = _read_names(reads) or ["REPLY"]
        if by.strip():
            pieces = line.text.split(by[0], len(names) - 1)
        elif assigned and not by:
            pieces = [line.text]
        else:
            pieces = line.text.split(None, len(names) - 1)
        for number, name in enumerate(names):
            piece = (pieces[number] if number < len(pieces) else "").strip(" \t" if not assigned else "")
            self.scope.set(name, Arg(piece, piece if line.value is not None or "$" not in piece else None))

    # arms

    def _if(self, node: shell.Block) -> str:
        which, before = self._new(), self.scope
        arms: list[_Arm] = []
        directory, number = self.directory, 0
        told: bool | None = None
        asks, complete = False, False
        for label, nodes in node.parts:
            if label in ("if", "elif"):
                self.nodes(nodes, len(node.around))
                told = holds(nodes, self.printer(), self.parsed.text)
                text = self.parsed.text[nodes[0].start : nodes[-1].end] if nodes else ""
                asks = _LOOKS_THERE.search(text + " ") is not None
                continue
            if label == "then" and told is False:
                continue
            if label == "then" and told is True and not arms:
                return self.nodes(nodes, len(node.around))
            if label == "else" and not arms:
                return self.nodes(nodes, len(node.around))
            complete = complete or label == "else" or told is True
            self._arm(nodes, _Choice(which, number, asks), arms, before, len(node.around))
            number += 1
            if told is True:
                break
        self._after(before, directory, arms, complete=complete)
        return ""

    def _case(self, node: shell.Block) -> str:
        words = self.words()
        subject = words.value(node.subject.text) if node.subject is not None else Arg("", None)
        sure = subject.value is not None and not words.unsure
        which, before, directory = self._new(), self.scope, self.directory
        arms: list[_Arm] = []
        complete = False
        for number, (pattern, nodes) in enumerate(node.parts):
            written = [self.words().value(each.strip()) for each in pattern.split("|")]
            any_other = any(each.value == "*" for each in written)
            if sure and all(each.value is not None for each in written):
                if any(fits(subject.value or "", each.value or "") for each in written) and not arms:
                    return self.nodes(nodes, len(node.around))
                continue
            complete = complete or any_other
            self._arm(nodes, _Choice(which, number, False), arms, before, len(node.around))
        self._after(before, directory, arms, complete=complete)
        return ""

    def _arm(
        self,
        nodes: Sequence[shell.Node],
        choice: _Choice,
        arms: list[_Arm],
        before: Scope,
        known: int,
    ) -> None:
        directory = self.directory
        self.scope = before.copy()
        self.choices.append(choice)
        left = self.nodes(nodes, known)
        self.choices.pop()
        arms.append((self.scope, self.directory, left))
        self.scope, self.directory = before, directory

    def _after(
        self,
        before: Scope,
        directory: str | None,
        arms: list[_Arm],
        *,
        complete: bool,
    ) -> None:
        """What is set behind arms of which one runs: those that leave the script do not come here."""
        staying = [(scope, where) for scope, where, left in arms if not left]
        scopes = [scope for scope, _ in staying]
        directories = {where for _, where in staying}
        if not complete or not staying:
            scopes.append(before)
            directories.add(directory)
        self.scope = _merged(before, scopes)
        self.directory = directories.pop() if len(directories) == 1 else None

    # commands

    def command(self, command: shell.Command, fed: Arg | None = None) -> str:
        self.line = self.script.line(self.offset + command.start)
        if not command.words:
            for word in command.assignments:
                self._assign(word)
            return ""
        words = self.words()
        args = [arg for word in command.words for arg in words.fields(word.text)]
        if not args:
            return ""
        line = unwrapped(args, {})
        name = line.words[0].value if line.words else None
        left = self._builtin(command, name, list(line.words[1:]))
        if left is not None:
            return left
        variables = self.scope.known()
        for word in command.assignments:
            key, _, _ = word.text.partition("=")
            variables[key] = self.words().value(word.text).value
            variables[key] = None if variables[key] is None else str(variables[key]).partition("=")[2]
        line = replace(line, variables={**variables, **line.variables})
        self._run(command, line, fed)
        return ""

    def _run(self, command: shell.Command, line: Line, fed: Arg | None) -> None:
        if not line.words:
            return
        name = line.words[0].value
        end = max(self.line, self.script.line(self.offset + max(command.start, command.end - 1)))
        here = self._place(command, line)
        if name in self.functions:
            self._limited(line, lambda: self._call(name or "", list(line.words[1:])))
            return
        repeated = repeated_for(line.words, fed if fed is not None else self._fed(command.redirects))
        if repeated is not None:
            self._limited(line, lambda: self._each(command, line, repeated))
            return
        if name is not None and name.rsplit("/", 1)[-1] in ("make", "gmake"):
            self._made(line, here)
            return
        if self._script_called(line, here):
            return
        if name is None:
            self._unknown_program(command, line)
            return
        program = name.rsplit("/", 1)[-1]
        if program == "find" and any(word.text.startswith("-exec") for word in line.words):
            self._say(command, "find -exec", "which files it finds is not followed")
        read_command(self.reading, line, (self.line, end), here, self.directory)

    def _unknown_program(self, command: shell.Command, line: Line) -> None:
        """``"$1"``, ``$cmd``: one of the functions where an argument says which, else something that is not known."""
        first = line.words[0].text
        if re.fullmatch(r"\$[1@*]", first) and self.functions:
            before = len(self.reading.pushes), len(self.reading.builds)
            self.uncalled()
            if before != (len(self.reading.pushes), len(self.reading.builds)):
                return
        text = " ".join(word.text for word in line.words)
        if _MATTERS.search(text) or re.search(r"\b(?:build|push)\b", text):
            self._say(command, text[:60], f"what {first[:40]} is is not known here")

    def _each(self, command: shell.Command, line: Line, repeated: Repeated) -> None:
        """``xargs`` and ``parallel``: the same command for each, ``at_once`` of them at the same time."""
        text = " ".join(word.text for word in line.words)
        unknown = repeated.why is not None
        place = self.place
        if unknown:
            if not _MATTERS.search(text):
                return
            self._say(command, text[:60], repeated.why or "")
            self.place = replace(place, loop=self._new())
        if len(repeated.lines) > _MAX_LOOP:
            self.reading.cut = True
        beside = (repeated.at_once > 1 and len(repeated.lines) > 1) or (unknown and repeated.at_once > 1)
        for number, words in enumerate(repeated.lines[:_MAX_LOOP]):
            if beside:
                if number % repeated.at_once == 0:
                    self.waited[self._jobs()] += 1
                self._group(self._jobs(), new=True)
                self.path.append((self._new(), unknown))
            self._run(command, unwrapped(words, line.variables), None)
            if beside:
                self.path.pop()
        if beside:
            self.waited[self._jobs()] += 1
        self.place = place

    def _builtin(self, command: shell.Command, name: str | None, rest: list[Arg]) -> str | None:
        """What the shell does itself; None for a program."""
        if name in ("cd", "pushd"):
            if name == "pushd":
                self.stack.append(self.directory)
            plain = [word for word in rest if not re.fullmatch(r"-[LPe]+|--", word.text)]
            if plain and plain[0].value == "-":
                self.directory, self.scope.variables["OLDPWD"] = self._entered_back(), self._here()
            else:
                outer = self._here()
                self.directory = _entered(self.directory, plain[0] if plain else None)
                self.scope.variables["OLDPWD"] = outer
        elif name == "popd":
            self.directory = self.stack.pop() if self.stack else None
        elif name in ("export", "local", "readonly", "declare", "typeset"):
            for word in command.words[1:]:
                self._assign(word)
        elif name == "unset":
            for gone in rest:
                self.scope.variables.pop(gone.text, None)
                self.scope.arrays.pop(gone.text, None)
        elif name == "set":
            if any(word.text == "--" for word in rest):
                at = next(number for number, word in enumerate(rest) if word.text == "--")
                self.scope.positional = rest[at + 1 :]
        elif name == "shift":
            count = rest[0].value if rest else "1"
            if self.scope.positional is not None and count is not None and count.isdigit():
                self.scope.positional = self.scope.positional[int(count[:3]) :]
        elif name == "read":
            given = self._fed(command.redirects)
            if given is not None and given.text.strip():
                self._read(command, Arg(given.text.strip().split("\n")[0], given.value))
            else:
                for each in _read_names(command):
                    self.scope.set(each, Arg(f"${each}", None))
        elif name in ("mapfile", "readarray"):
            given = self._fed(command.redirects)
            target = rest[-1].text if rest and not rest[-1].text.startswith("-") else "MAPFILE"
            if given is not None and given.value is not None:
                self.scope.set_array(
                    target, _numbered([Arg(e, e) for e in given.value.rstrip("\n").split("\n")])
                )
            else:
                self.scope.set(target, Arg(f"${target}", None))
        elif name == "eval":
            self._inside(" ".join(word.text for word in rest))
        elif name == "wait":
            if [word.text for word in rest[:1]] != ["-n"]:
                self.waited[self._jobs()] += 1
        elif name in ("break", "continue", "return", "exit"):
            chained = command.operator in ("&&", "||")
            return "" if chained and not self._surely(command) else name
        elif name in ("[", "[[", "test", ":", "true", "false", "((", "trap", "alias"):
            self._chained(command, name or "")
        else:
            return None
        return ""

    def _surely(self, command: shell.Command) -> bool:
        """Whether ``test && continue`` or ``test || continue`` is reached for certain."""
        earlier = [each for each in self.parsed.commands if each.end <= command.start][-1:]
        if not earlier or earlier[0].operator in ("&&", "||"):
            return False
        told = holds(earlier, self.printer(), self.parsed.text)
        return told is not None and told == (command.operator == "&&")

    def _entered_back(self) -> str | None:
        before = self.scope.variables.get("OLDPWD")
        return None if before is None else _entered(self.directory, before)

    def _assign(self, word: shell.Word) -> None:
        match = re.match(r"([A-Za-z_]\w*)(?:\[([^\]]*)\])?(\+?)=", word.text)
        if match is None:
            return
        name, index, adds = match[1], match[2], bool(match[3])
        words = self.words()
        given = word.text[match.end() :]
        if given.startswith("(") and given.endswith(")"):
            array = _array(given[1:-1], words)
            before = self.scope.arrays.get(name, {}) if adds else {}
            if array is None:
                self.scope.set(name, Arg(f"${name}", None))
            elif before:
                self.scope.set_array(name, _numbered([*before.values(), *array.values()]))
            else:
                self.scope.set_array(name, array)
            return
        value = words.value(given)
        if index is not None:
            key = words.value(index).value
            if key is not None:
                self.scope.set_array(name, {**self.scope.arrays.get(name, {}), key: value})
            return
        if adds and name in self.scope.variables:
            before_ = self.scope.variables[name]
            known = before_.value is not None and value.value is not None
            text = before_.text + value.text
            value = Arg(text, text if known else None)
        if value.value is None and value.text.startswith("$(") and len(value.text) > 40:
            value = Arg(f"${name}", None)
        self.scope.set(name, value, assumed=words.unsure)

    # functions and scripts

    def _call(self, name: str, arguments: list[Arg] | None) -> None:
        function = self.functions[name]
        self.called.add(name)
        if self.nested >= _MAX_NESTED:
            self.reading.cut = True
            return
        outer = (self.script, self.parsed, self.offset, self.scope.positional, self.line)
        locals_ = _locals(function.block)
        shadowed = {each: self.scope.variables.get(each) for each in locals_}
        self.script, self.parsed, self.offset = function.script, function.parsed, function.offset
        self.scope.positional = arguments
        self.nested += 1
        self.nodes(function.block.parts[0][1], len(function.block.around))
        self.nested -= 1
        self.script, self.parsed, self.offset, self.scope.positional, self.line = outer
        for each, value in shadowed.items():
            self.scope.variables.pop(each, None)
            if value is not None:
                self.scope.variables[each] = value

    def _limited(self, line: Line, run: Callable[[], None]) -> None:
        """Runs what a `timeout` may be in front of."""
        place = self.place
        limits = tuple(limit_of(limit, self.line) for limit in line.limits)
        self.place = replace(place, timeouts=(*place.timeouts, *limits))
        run()
        self.place = place

    def _script_called(self, line: Line, here: Place) -> bool:
        """``sh -c '…'`` and a script of the repository: the text runs here, in the lines of the call."""
        name = line.words[0].value or ""
        words = list(line.words[1:])
        sourced = name in (".", "source")
        text: str | None = None
        zero: Arg | None = None
        if name.rsplit("/", 1)[-1] in _SHELLS or sourced:
            at = next((n for n, word in enumerate(words) if re.fullmatch(r"-[a-z]*c", word.text)), None)
            if at is not None and not sourced:
                text = words[at + 1].known if at + 1 < len(words) else ""
                zero = words[at + 2] if at + 2 < len(words) else None
                name, words = "", words[at + 3 :]
            else:
                while words and words[0].text.startswith("-"):
                    words.pop(0)
                name = (words[0].value or "") if words else ""
                words = words[1:]
        elif not name.endswith((".sh", ".bash")) and ("/" not in name or not self._is_script(name)):
            return False
        if text is None:
            text = self.reading.repository.script(name, self.directory)
            if text is None:
                shown = name or " ".join(word.text for word in line.words)[:60]
                if not sourced and _ABOUT_IMAGES.search(shown):
                    self.reading.not_followed(shown, self.line, "it is not in this repository")
                return True
        path = resolved(name, self.directory) if name else None
        if sourced:
            self._sourced(text, words)
            return True
        limits = tuple(limit_of(limit, self.line) for limit in line.limits)
        place = replace(
            here,
            timeouts=(*here.timeouts, *limits),
            variables=line.variables,
            directory=self.directory,
        )
        if path is not None:
            zero = Arg(f"{ROOT}/{path}", f"{ROOT}/{path}")
        script = Text(text, ((0, self.line),))
        arguments = words if zero is not None else None
        _script(self.reading, script, place, self.nested + 1, zero=zero, arguments=arguments)
        return True

    def _made(self, line: Line, here: Place) -> None:
        """``make target``: the rules of the Makefile at hand run here, in the lines of the call."""
        call = make_call(line.words[1:])
        directory = self.directory
        for each in call.directories:
            directory = _entered(directory, each)
        printer = replace(self.printer(), directory=directory)
        found = makefiles.at_hand(printer, call.file)
        shown = " ".join(word.text for word in line.words)
        if found is None or self.nested >= _MAX_NESTED:
            if _ABOUT_IMAGES.search(shown):
                self.reading.not_followed(shown, self.line, "its Makefile is not in this repository")
            return
        overrides = line.variables.get("MAKEOVERRIDES") or ""
        inherited = dict(each.partition("=")[::2] for each in overrides.split("\x1f") if each)
        given = {**inherited, **call.variables}
        made = makefiles.read(printer, *found, given, line.variables)
        place = replace(
            here,
            timeouts=(*here.timeouts, *(limit_of(limit, self.line) for limit in line.limits)),
            directory=directory,
            variables={
                **line.variables,
                "MAKEOVERRIDES": "\x1f".join(f"{name}={value}" for name, value in given.items()),
            },
        )
        seen: set[str] = set()
        for name in call.targets or ([made.first] if made.first else []):
            target = made.target(name, seen)
            if target is None and not _ABOUT_IMAGES.search(name):
                continue
            if target is None:
                self.reading.not_followed(shown, self.line, f"{found[0]} has no rule for {name}")
            else:
                self._target(target, place, call.at_once)

    def _target(self, target: makefiles.Target, place: Place, at_once: int) -> None:
        group = self._new()
        for number, each in enumerate(target.prerequisites):
            beside = place
            if at_once > 1 and len(target.prerequisites) > 1:
                wave = Branch(group - number // at_once * 1_000, each.name)
                beside = replace(place, branches=(*place.branches, wave))
            self._target(each, beside, at_once)
        for line in target.lines:
            text = line if self.whole_lines else Text(line.text, ((0, self.line),))
            _script(self.reading, text, place, self.nested + 1, arguments=[])

    def _is_script(self, name: str) -> bool:
        """Whether a file without the usual ending is a script; those that fetch a build tool are its programs."""
        if (
            name.rsplit("/", 1)[-1] in ("mvnw", "gradlew", "executor")
            or resolved(name, self.directory) is None
        ):
            return False
        text = self.reading.repository.script(name, self.directory)
        return text is not None and re.match(r"#!\s*\S*/(?:env\s+)?\w*sh\b", text) is not None

    def _sourced(self, text: str, arguments: list[Arg]) -> None:
        """What a sourced script sets stays set."""
        parsed = shell.parse(text[:_MAX_SCRIPT])
        if self.nested >= _MAX_NESTED or parsed.broken:
            self.reading.cut = True
            return
        outer = (self.script, self.parsed, self.offset, self.scope.positional)
        self.script, self.parsed, self.offset = Text(text, ((0, self.line),)), parsed, 0
        if arguments:
            self.scope.positional = arguments
        self.nested += 1
        self.nodes(parsed.tree, 0)
        self.nested -= 1
        self.script, self.parsed, self.offset, self.scope.positional = outer

    # places

    def _place(self, command: shell.Command, line: Line) -> Place:
        program = (line.words[0].value or "").rsplit("/", 1)[-1]
        self._chained(command, program)
        emptying = program in ("rm", "find")
        place = self.place
        if command.follows == "&" and (emptying or is_kaniko(line.words)):
            place = replace(place, background=True)
        choices = [(each.which, each.arm) for each in self.choices if not (emptying and each.asks)]
        if self.chain and (emptying or is_kaniko(line.words)):
            choices.append((self.chain, 0))
        branches: list[Branch] = []
        jobs = self._jobs()
        for depth, (job, unknown) in enumerate(self.path):
            group = self.groups.get((jobs[:depth], self.waited[jobs[:depth]]), 0)
            branches.append(Branch(group, f"& {job}", of_unknown=unknown))
        if group := self._group(jobs, new=False):
            branches.append(Branch(group, ""))
        if not branches and not choices:
            return place
        return replace(place, branches=(*place.branches, *branches), choices=(*place.choices, *choices))

    def _group(self, path: _Path, *, new: bool) -> int:
        """Of what runs there until it waits for the next time; 0 where nothing was put into the background since."""
        key = (path, self.waited[path])
        if new and key not in self.groups:
            self.groups[key] = self._new()
        return self.groups.get(key, 0)

    def _chained(self, command: shell.Command, program: str) -> None:
        """Keeps in mind whether a command runs only when another one says so: ``[ … ] && rm``, ``… || rm``."""
        if command.operator not in ("&&", "||"):
            self.chain = 0
        elif not self.chain and (self.tested or command.operator == "||"):
            self.chain = self._new()
        text = self.script.text[self.offset + command.start : self.offset + command.end]
        self.tested = program in ("[", "[[", "test", "grep", "git") and not _LOOKS_THERE.search(text)

    def _say(self, node: shell.Node, what: str, why: str) -> None:
        """Names what is not followed, where there may be a build or a push in it."""
        start = node.start
        if isinstance(node, shell.Command) or any(
            _MATTERS.search(word.text) for each in shell.flatten((node,)) for word in each.words[:3]
        ):
            self.reading.not_followed(what, self.script.line(self.offset + start), why)


def _job(node: shell.Node, known: int) -> int | None:
    """The "&" that puts a node of a list into the background, by where it stands."""
    own = node.around[known : known + 1]
    return own[0][1] if own and own[0][0] == "&" else None


_PIPES = ("|", "|&")


def _pipe_end(nodes: Sequence[shell.Node], at: int) -> int:
    """The last of a pipe that begins there."""
    while at + 1 < len(nodes) and (nodes[at].follows in _PIPES or nodes[at + 1].operator in _PIPES):
        at += 1
    return at


def _only_redirects(node: shell.Node) -> bool:
    return isinstance(node, shell.Command) and not node.words and not node.assignments and not node.operator


def _counts(node: shell.Node) -> bool:
    return isinstance(node, shell.Command) and bool(node.words) and node.words[0].text == "(("


def _waits(command: shell.Command) -> bool:
    """Whether it waits for all that runs in the background: for one job of several, too, since scripts name them all."""
    words = [word.text for word in command.words[:2]]
    return words[:1] == ["wait"] and words[1:] != ["-n"]


def _read_names(reads: shell.Command) -> list[str]:
    names: list[str] = []
    skip = False
    for word in reads.words[1:]:
        if skip:
            skip = False
        elif word.text.startswith("-"):
            skip = word.text in ("-p", "-d", "-n", "-t", "-u", "-N", "-i")
        elif word.text.isidentifier():
            names.append(word.text)
    return names


def _locals(function: shell.Block) -> set[str]:
    return {
        word.text.partition("=")[0]
        for each in shell.flatten(function.parts[0][1])
        if each.words and each.words[0].text in ("local", "declare", "typeset")
        for word in each.words[1:]
        if not word.text.startswith("-")
    }


def _array(inside: str, words: Words) -> dict[str, Arg] | None:
    """The ``a b c`` or ``[x]=1 [y]=2`` of an array; None where what stands in it is not known to be a list."""
    parsed = shell.parse("_ " + re.sub(r"(?m)(?<!\S)#[^\n]*", "", inside).replace("\n", " "))
    commands = parsed.commands
    if parsed.broken or len(commands) != 1:
        return None
    found: dict[str, Arg] = {}
    for word in commands[0].words[1:]:
        keyed = re.match(r"\[([^\]]+)\]=", word.text)
        if keyed is not None:
            found[words.value(keyed[1]).text] = words.value(word.text[keyed.end() :])
            continue
        for arg in words.fields(word.text):
            if arg.value is None and arg.text.startswith("$"):
                return None
            found[str(len(found))] = arg
    return found


def _numbered(values: Sequence[Arg]) -> dict[str, Arg]:
    return {str(number): value for number, value in enumerate(values)}


def _merged(before: Scope, scopes: Sequence[Scope]) -> Scope:
    """What is known behind several ways through a script, of which one is taken: a value that they agree in; of lists the
    longest, so that what is counted is the larger count; the value from before where the others depend on the caller."""
    if len(scopes) == 1:
        return scopes[0]
    found = before.copy()
    first = scopes[0]
    found.positional = first.positional if all(e.positional == first.positional for e in scopes) else None
    for name in {name for scope in scopes for name in scope.variables}:
        values = [scope.variables.get(name) for scope in scopes]
        if all(value == values[0] for value in values):
            if values[0] is not None:
                found.set(name, values[0], assumed=any(name in scope.assumed for scope in scopes))
            continue
        known = list(
            dict.fromkeys(value for value in values if value is not None and value.value is not None)
        )
        lists = [value for value in known if len((value.value or "").split()) > 1]
        if len(known) == 1:
            found.set(name, known[0], assumed=True)
        elif lists:
            found.set(name, max(lists, key=lambda value: len((value.value or "").split())), assumed=True)
        else:
            found.set(name, Arg(f"${name}", None))
    for name in {name for scope in scopes for name in scope.arrays}:
        arrays = [scope.arrays[name] for scope in scopes if name in scope.arrays]
        found.set_array(name, max(arrays, key=len))
        found.assumed.add(name)
    return found


def _entered(directory: str | None, word: Arg | None) -> str | None:
    if word is None or word.value is None or word.value == "-":
        return None
    if not word.value:
        return directory
    found = resolved(word.value, directory)
    return found if found is None or found != "." else ""
