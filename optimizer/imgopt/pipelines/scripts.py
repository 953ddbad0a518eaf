"""The scripts of a pipeline as they would run: directories, variables, loops, and the commands in them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from imgopt import shell
from imgopt.pipelines.commands import Reading, Repository, emptied, limit_of, read_command
from imgopt.pipelines.model import Action, Branch, Build, Place, Push, Step, Text
from imgopt.pipelines.tools import HERE, ROOT, ROOTS, Arg, Line, is_kaniko, unwrapped

_MAX_LOOP = 64  # values of a loop that are looked at
_MAX_SCRIPT = 200_000  # characters
_LOOKED_BACK = 20_000  # characters
#: The words that make branches.
_BRANCHES = re.compile(r"(?<![\w$/.\-])(if|elif|else|fi|case|esac)(?![\w=/.\-])|;;")
#: A loop over lines; the beginning of a function.
_FUNCTION = re.compile(r"(?m)(?:^|[;&|])[ \t]*(?:function[ \t]+)?([A-Za-z_][\w-]*)[ \t]*\(\)\s*\{")
#: A test for what kaniko leaves.
_LOOKS_THERE = re.compile(r"/kaniko/?[\d*?\[\s\]\"')]")
_IDS = 10_000_000  # numbers for choices and loops of one script
_READING = re.compile(r"(?:^|[\s;|&])while\s+(?:IFS=\S*\s+)?read\b")


def find(
    steps: Sequence[Step | Action], repository_: Repository, *, keeps_base: bool = False
) -> tuple[tuple[Build, ...], tuple[Push, ...], frozenset[Build], bool]:
    """All builds and pushes, in order, the builds in loops whose container is emptied for each round, and whether
    there was more than could be looked at. ``keeps_base``: what makes kaniko leave the base alone is set for the whole
    file."""
    reading = Reading(repository_, keeps_base)
    for step in steps:
        if reading.left <= 0:
            break
        if isinstance(step, Action):
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
            _script(reading, step.script, step.place, 0)
    cut = reading.cut or reading.left <= 0
    return tuple(reading.builds), _matched(reading), emptied(reading), cut


def _matched(reading: Reading) -> tuple[Push, ...]:
    """A push whose image nothing here builds by that name is that of the only Dockerfile that is built."""
    recipes = {build.recipe.path: build for build in reading.builds}
    if len(recipes) != 1:
        return tuple(reading.pushes)
    only = next(iter(recipes.values()))
    return tuple(
        push if push.build is not None else replace(push, build=only, recipe=only.recipe)
        for push in reading.pushes
    )


# shell text


def _script(reading: Reading, script: Text, place: Place, nested: int) -> None:
    if len(script.text) > _MAX_SCRIPT or nested > 3:
        reading.cut = True
        return
    known = {"PWD": HERE, **dict.fromkeys(ROOTS, ROOT), **place.variables}
    reading.scripts += 1
    run = _Run(reading, script, place, known, place.directory, nested, reading.scripts)
    parsed = shell.parse(script.text)
    if not parsed.broken:
        run.waiting = {
            at for each in parsed.commands if _waits(each) for what, at in each.around if what == "while"
        }
        run.nodes(parsed.nodes)
        return
    for start, text in _logical_lines(script.text):  # what can be read of a script that cannot
        part = shell.parse(text)
        if not part.broken:
            run.offset = start
            run.nodes(part.nodes)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for match in re.finditer(r"(?<!\\)\n|\Z", text):
        if match.start() > start:
            yield start, text[start : match.start()]
        start = match.end()


#: A background job in others: each by its "&" and the rounds of the loops around it.
_Path = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class _Round:
    """One of a `for`: how much is around the whole loop, the number of the round, and whether it stands for rounds that are
    not known."""

    depth: int
    number: int
    unknown: bool


@dataclass
class _Run:
    """One script as it would run: where it stands, what is set."""

    reading: Reading
    script: Text
    place: Place
    variables: dict[str, str | None]
    directory: str | None
    nested: int
    number: int  # of the script
    offset: int = 0
    before: list[tuple[int, str | None]] = field(default_factory=list)  # directories around subshells
    loops: int = 0
    chain: int = 0  # of commands joined by && and ||, where it stands on a test: its number
    chains: int = 0
    tested: bool = False  # the last command is one that asks
    calls: dict[str, int] = field(default_factory=dict)  # of the functions of the script
    rounds: list[_Round] = field(default_factory=list)  # of the loops around
    counted: int = 0  # rounds so far
    waiting: set[int] = field(
        default_factory=set
    )  # the `while` loops that wait in each round for what they began
    waited: Counter[_Path] = field(
        default_factory=Counter
    )  # how often what runs there waited for its background
    groups: dict[tuple[_Path, int], int] = field(default_factory=dict)  # of what runs at the same time

    def nodes(self, nodes: Sequence[shell.Command | shell.Loop]) -> None:
        for node in nodes:
            if self.reading.left <= 0:
                return
            self.reading.left -= 1
            if isinstance(node, shell.Command):
                self.command(node)
                continue
            values = [word.value(self.variables) for word in node.words]
            listed: list[str | None] = []
            for value in values:
                listed += value.split() if value is not None else [None]
            outside, place = self.variables.get(node.variable), self.place
            if None in (listed or [None]):
                self.loops += 1
                self.place = replace(place, loop=-(self.number * _IDS + self.loops))
            for value in listed[:_MAX_LOOP] or [None]:
                self.variables[node.variable] = value
                self.counted += 1
                unknown = value is None and not any(_waits(each) for each in shell.flatten(node.body))
                self.rounds.append(_Round(len(node.around), self.counted, unknown))
                self.nodes(node.body)
                self.rounds.pop()
            self.variables[node.variable], self.place = outside, place

    def command(self, command: shell.Command) -> None:
        while self.before and self.before[-1][0] > command.depth:
            self.directory = self.before.pop()[1]
        for word in command.assignments:
            if not command.words:
                self._assign(word)
        if not command.words:
            return
        words = [arg for word in command.words for arg in _args(word, self.variables)]
        name = words[0].value
        if name == "cd":
            if command.depth and not (self.before and self.before[-1][0] == command.depth):
                self.before.append((command.depth, self.directory))
            self.directory = _entered(self.directory, words[1] if len(words) > 1 else None)
            return
        if name in ("export", "local", "readonly", "declare"):
            for word in command.words[1:]:
                self._assign(word)
            return
        variables = dict(self.variables)
        for word in command.assignments:
            key, _, _ = word.text.partition("=")
            variables[key] = _value_of(word, self.variables)
        line = unwrapped(words, variables)
        here = self._beside(command)
        start = self.script.line(self.offset + command.start)
        end = max(start, self.script.line(self.offset + max(command.start, command.end - 1)))
        if line.words and self._script_called(line, start, here):
            return
        program = (line.words[0].value or "").rsplit("/", 1)[-1] if line.words else ""
        self._chained(command, program)
        matters = program in ("rm", "find") or is_kaniko(line.words)
        place = replace(
            self._place_of(command, emptying=program in ("rm", "find")) if matters else here,
            branches=here.branches,
        )
        read_command(self.reading, line, (start, end), place, self.directory)

    def _beside(self, command: shell.Command) -> Place:
        """The place of a command, with what runs beside it: what the shell puts into the background runs at the same time
        as what follows, until it waits."""
        path: list[tuple[int, ...]] = []
        branches: list[Branch] = []
        endless = False
        for depth, (what, offset) in enumerate(command.around):
            if what == "while":
                endless = endless or offset not in self.waiting
                continue
            inside = [each for each in self.rounds if each.depth <= depth]
            job = (offset, *(each.number for each in inside))
            group = self._group(tuple(path), new=True)
            unknown = endless or any(each.unknown for each in inside)
            branches.append(Branch(group, f"& {job}", of_unknown=unknown))
            path.append(job)
        if _waits(command):
            self.waited[tuple(path)] += 1
        elif group := self._group(tuple(path), new=False):
            branches.append(Branch(group, ""))
        if not branches:
            return self.place
        before = self.script.text[: self.offset + command.start]
        choices = _choices(before, self.number, emptying=False) if command.depth else []
        return replace(
            self.place,
            branches=(*self.place.branches, *branches),
            choices=(*self.place.choices, *choices),
        )

    def _group(self, path: _Path, *, new: bool) -> int:
        """Of what runs there until it waits for the next time; 0 where nothing was put into the background since."""
        key = (path, self.waited[path])
        if new and key not in self.groups:
            self.groups[key] = -(self.number * _IDS + 5_000_000 + len(self.groups))
        return self.groups.get(key, 0)

    def _chained(self, command: shell.Command, program: str) -> None:
        """Keeps in mind whether a command runs only when another one says so: ``[ … ] && rm``, ``… || rm``."""
        if command.operator not in ("&&", "||"):
            self.chain = 0
        elif not self.chain and (self.tested or command.operator == "||"):
            self.chains += 1
            self.chain = self.chains
        text = self.script.text[self.offset + command.start : self.offset + command.end]
        self.tested = program in ("[", "[[", "test", "grep", "git") and not _LOOKS_THERE.search(text)

    def _place_of(self, command: shell.Command, *, emptying: bool) -> Place:
        """What the shell text around a command says of when it runs."""
        place = self.place
        if command.follows == "&":
            place = replace(place, background=True)
        if self.chain:
            choice = (-(self.number * _IDS + 2_000_000 + self.chain), 0)
            place = replace(place, choices=(*place.choices, choice))
        if command.depth:
            before = self.script.text[: self.offset + command.start]
            place = replace(place, choices=(*place.choices, *_choices(before, self.number, emptying)))
            start = max(0, len(before) - _LOOKED_BACK)
            begins = [match.start() for match in _READING.finditer(before, start)]
            begins += self._called_again(before)
            if begins:
                place = replace(place, loop=-(self.number * _IDS + 1_000_000 + max(begins)))
        return place

    def _called_again(self, before: str) -> list[int]:
        """Where the last function begins there, if it is called more than once: its text is read once."""
        defined = list(_FUNCTION.finditer(before, max(0, len(before) - _LOOKED_BACK)))
        if not defined:
            return []
        name = defined[-1][1]
        if name not in self.calls:
            called = re.compile(rf"(?m)(?:^|[;&|]|\bdo\b|\bthen\b)[ \t]*{re.escape(name)}(?![\w(-])(?!\s*\()")
            self.calls[name] = len(called.findall(self.script.text))
        return [defined[-1].start()] if self.calls[name] > 1 else []

    def _assign(self, word: shell.Word) -> None:
        key, equals, _ = word.text.partition("=")
        if equals and key.isidentifier():
            self.variables[key] = _value_of(word, self.variables)

    def _script_called(self, line: Line, start: int, here: Place) -> bool:
        """``sh -c '…'`` and a script of the repository: the text runs here, in the lines of the call."""
        name = line.words[0].value or ""
        words = line.words[1:]
        text: str | None = None
        if name.rsplit("/", 1)[-1] in ("sh", "bash", "ash", "dash", ".", "source"):
            at = next((n for n, word in enumerate(words) if re.fullmatch(r"-[a-z]*c", word.text)), None)
            if at is not None:
                text = words[at + 1].known if at + 1 < len(words) else ""
            else:
                name = next((word.value or "" for word in words if not word.text.startswith("-")), "")
        elif not name.endswith((".sh", ".bash")):
            return False
        if text is None:
            text = self.reading.repository.script(name, self.directory) or ""
        limits = tuple(limit_of(limit, start) for limit in line.limits)
        place = replace(
            here,
            timeouts=(*here.timeouts, *limits),
            variables=line.variables,
            directory=self.directory,
        )
        _script(self.reading, Text(text, ((0, start),)), place, self.nested + 1)
        return True


def _waits(command: shell.Command) -> bool:
    """Whether it waits for all that runs in the background: for one job of several, too, since scripts name them all."""
    words = [word.text for word in command.words[:2]]
    return words[:1] == ["wait"] and words[1:] != ["-n"]


def _choices(before: str, script: int, emptying: bool) -> list[tuple[int, int]]:
    """The branches of `if` and `case` that are open behind a text: which of them, and its how-manieth branch.
    ``emptying``: without an `if` that asks whether there is something to remove."""
    opened: list[tuple[int, int]] = []
    asking: set[int] = set()
    for number, word in enumerate(_BRANCHES.finditer(before)):
        if word[0] in ("if", "case"):
            opened.append((-(script * _IDS + number), 0))  # Groovy's are positive
            condition = re.compile(r"[^\n;]*").match(before, word.end())
            if emptying and condition and _LOOKS_THERE.search(condition[0]):
                asking.add(opened[-1][0])
        elif opened and word[0] in ("fi", "esac"):
            opened.pop()
        elif opened:
            opened[-1] = (opened[-1][0], opened[-1][1] + 1)
    return [choice for choice in opened if choice[0] not in asking]


def _entered(directory: str | None, word: Arg | None) -> str | None:
    if word is None or word.value is None:
        return None
    if word.value.startswith(ROOT):
        return word.value.removeprefix(ROOT).strip("/")
    path = word.value.removeprefix(HERE).lstrip("/") if word.value.startswith(HERE) else word.value
    if path.startswith("/") or directory is None or path == "-":
        return None
    return posixpath.normpath(posixpath.join(directory, path)).removeprefix("./") if path else directory


def _args(word: shell.Word, variables: Mapping[str, str | None]) -> list[Arg]:
    """A word; one that is nothing but a variable without quotes is the words that the variable holds."""
    arg = _arg(word, variables)
    if arg.value is None or word.text[:1] != "$" or not re.fullmatch(r"\$\w+|\$\{\w+\}", word.text):
        return [arg]
    return [Arg(each, each) for each in arg.value.split()[:200]]


def _arg(word: shell.Word, variables: Mapping[str, str | None]) -> Arg:
    text = word.text.replace("`pwd`", "${PWD}").replace("$(pwd)", "${PWD}")
    value = shell.Word(text, word.start, word.end).value(variables)
    return Arg(text.strip("\"'") if text[:1] in "\"'" else text, value)


def _value_of(word: shell.Word, variables: Mapping[str, str | None]) -> str | None:
    value = _arg(word, variables).value
    return None if value is None else value.partition("=")[2]
