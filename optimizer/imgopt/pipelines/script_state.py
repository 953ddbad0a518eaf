"""Where a script stands while it runs: its directory, variables, arguments, jobs, loops and arms; and what a shell does itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from imgopt import shell
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.pipelines.checkout import resolved
from imgopt.pipelines.commands import Reading
from imgopt.pipelines.model import Branch, Place, Text
from imgopt.pipelines.printed import Printer, expanded, holds
from imgopt.pipelines.tools import HERE, ROOT, Arg, Line, is_kaniko
from imgopt.pipelines.words import Scope, Words

MAX_LOOP = 64  # values of a loop that are looked at
_IDS = 10_000_000  # numbers for choices and loops of one script
#: A test for what kaniko leaves.
LOOKS_THERE = regex(r"/kaniko/?[\d*?\[\s\]\"')]")
#: What a command has in it that may build or push: only such a text is said to be not followed.
MATTERS = regex(
    r"\b(?:docker|podman|buildah|nerdctl|kaniko|executor|skopeo|crane|buildctl|img|jib\w*|bootBuildImage|build-image)\b"
)
#: What of these only looks at images and containers, or clears them away.
_HARMLESS = regex(
    r"(?:sudo\s+)?(?:\S*/)?(?:docker|podman|nerdctl)\s+(?:(?:image|container|volume|network|system|builder)\s+)?"
    r"(?:rmi?|stop|kill|start|restart|inspect|ps|logs|images|ls|pull|prune|run|exec|network|volume)\b"
)
#: Signs that have the file behind them written.
_WRITE = frozenset({">", ">>", ">|", "<>", "&>", "&>>", ">&"})
#: A background job in others, each by a number of its own.
Jobs = tuple[int, ...]


def matters(text: str) -> bool:
    """Whether a command may build or push, as far as its first words tell."""
    return MATTERS.search(text) is not None and (_HARMLESS.match(text) is None or "kaniko" in text)


@dataclass(frozen=True)
class Round:
    """One of a loop: how many jobs are around the whole loop, whether it stands for rounds that are not known, and whether
    it ends when all that it began has."""

    depth: int
    unknown: bool
    waits: bool


@dataclass(frozen=True)
class Function:
    block: shell.Block
    script: Text
    parsed: shell.Script
    offset: int


@dataclass(frozen=True)
class Choice:
    which: int
    arm: int
    asks: bool  # whether there is something of kaniko's to remove


@dataclass
class Standing:
    """One script as it runs: where it stands, what is set."""

    reading: Reading
    script: Text
    place: Place
    scope: Scope
    directory: str | None
    nested: int
    number: int  # of the script
    offset: int = 0
    parsed: shell.Script = field(default_factory=lambda: shell.parse(""))
    functions: dict[str, Function] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    stack: list[str | None] = field(default_factory=list)  # directories of pushd
    counted: int = 0  # choices, loops, jobs so far
    choices: list[Choice] = field(default_factory=list)
    chain: int = 0  # of commands joined by && and ||, where it stands on a test: its number
    tested: bool = False  # the last command is one that asks
    rounds: list[Round] = field(default_factory=list)  # of the loops around
    path: list[tuple[int, bool]] = field(
        default_factory=list
    )  # the jobs around, and whether one stands for several
    waited: Counter[Jobs] = field(default_factory=Counter)  # how often what runs there waited
    groups: dict[tuple[Jobs, int], int] = field(default_factory=dict)  # of what runs at the same time
    line: int = 1  # of the command that is read
    whole_lines: bool = False  # the recipes' lines are those of the file that is looked at

    def _new(self) -> int:
        self.counted += 1
        return -(self.number * _IDS + self.counted)

    def printer(self) -> Printer:
        return Printer(self.reading.repository, self.scope, self.directory)

    def words(self) -> Words:
        """What stands for words here; substitutions that build something do so."""
        printer = self.printer()

        def printed(text: str) -> Arg | None:
            known = printer.printed(text)
            if known is None and matters(text):
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
        raise NotImplementedError

    def _jobs(self) -> Jobs:
        return tuple(job for job, _ in self.path)

    def _group(self, path: Jobs, *, new: bool) -> int:
        """Of what runs there until it waits for the next time; 0 where nothing was put into the background since."""
        key = (path, self.waited[path])
        if new and key not in self.groups:
            self.groups[key] = self._new()
        return self.groups.get(key, 0)

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

    def _writes(self, redirects: Sequence[tuple[str, shell.Word]]) -> None:
        """Keeps in mind that a file is written, which an image may be made of."""
        self.reading.changes += any(
            sign.lstrip("0123456789") in _WRITE and not re.fullmatch(r"/dev/\w+|\d+|-", target.text)
            for sign, target in redirects
        )

    def _read(self, reads: shell.Command, line: Arg) -> None:
        """``read a b``: the line in its variables."""
        assigned = [word.text.partition("=")[2] for word in reads.assignments if word.text.startswith("IFS=")]
        by = self.words().value(assigned[-1]).text if assigned else " "
        names = read_names(reads) or ["REPLY"]
        if by.strip():
            pieces = line.text.split(by[0], len(names) - 1)
        elif assigned and not by:
            pieces = [line.text]
        else:
            pieces = line.text.split(None, len(names) - 1)
        for number, name in enumerate(names):
            piece = (pieces[number] if number < len(pieces) else "").strip(" \t" if not assigned else "")
            self.scope.set(name, Arg(piece, piece if line.value is not None or "$" not in piece else None))

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
                self.directory = entered(self.directory, plain[0] if plain else None)
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
                for each in read_names(command):
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
        return None if before is None else entered(self.directory, before)

    def _assigned(self, command: shell.Command) -> None:
        """``A=b``; behind a test with ``&&`` or ``||`` only where that says so."""
        before = self.scope
        asks = command.operator in ("&&", "||") and (self.tested or command.operator == "||")
        told = self._surely(command) if asks else True
        if asks:
            earlier = [each for each in self.parsed.commands if each.end <= command.start][-1:]
            if not told and earlier and holds(earlier, self.printer(), self.parsed.text) is not None:
                return  # it says no
            self.scope = before if told else before.copy()
        for word in command.assignments:
            self._assign(word)
        if not told:
            self.scope = merged(before, [before, self.scope])

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

    def _chained(self, command: shell.Command, program: str) -> None:
        """Keeps in mind whether a command runs only when another one says so: ``[ … ] && rm``, ``… || rm``."""
        if command.operator not in ("&&", "||"):
            self.chain = 0
        elif not self.chain and (self.tested or command.operator == "||"):
            self.chain = self._new()
        text = self.script.text[self.offset + command.start : self.offset + command.end]
        self.tested = program in ("[", "[[", "test", "grep", "git") and not LOOKS_THERE.search(text)

    def _say(self, node: shell.Node, what: str, why: str) -> None:
        """Names what is not followed, where there may be a build or a push in it."""
        start = node.start
        if isinstance(node, shell.Command) or any(
            matters(" ".join(word.text for word in each.words[:4])) for each in shell.flatten((node,))
        ):
            self.reading.not_followed(what, self.script.line(self.offset + start), why)


def read_names(reads: shell.Command) -> list[str]:
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


def entered(directory: str | None, word: Arg | None) -> str | None:
    if word is None or word.value is None or word.value == "-":
        return None
    if not word.value:
        return directory
    found = resolved(word.value, directory)
    return found if found is None or found != "." else ""


def merged(before: Scope, scopes: Sequence[Scope]) -> Scope:
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
