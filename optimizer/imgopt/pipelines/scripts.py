"""The scripts of a pipeline as they would run: commands, functions, and the scripts and Makefiles that they call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from imgopt import shell
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.pipelines import makefiles
from imgopt.pipelines.checkout import resolved
from imgopt.pipelines.commands import NOT_SAID, Reading, Repository, emptied, read_command, within
from imgopt.pipelines.elsewhere import FED, SHELLS, given_away
from imgopt.pipelines.model import Action, Branch, Build, Place, Push, Rules, Step, Text, Unfollowed
from imgopt.pipelines.script_flow import Flow
from imgopt.pipelines.script_state import MATTERS, MAX_LOOP, Choice, entered, matters
from imgopt.pipelines.tools import ROOT, ROOTS, Arg, Line, Ran, Repeated, make_call, repeated_for, unwrapped
from imgopt.pipelines.words import Scope

_MAX_SCRIPT = 200_000  # characters
_MAX_NESTED = 6  # scripts and functions that call others
_SHELLS = ("sh", "bash", "ash", "dash", "zsh", "ksh")
#: What a script or a target is called that may make or push images; others test and lint.
_ABOUT_IMAGES = regex(r"image|docker|push|publish|release|deploy|container|kaniko|podman|jib", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """All builds and pushes of steps, in order. ``emptied``: the builds in loops whose container is emptied for each round;
    ``cut``: there was more than could be looked at; ``unfollowed``: what else may build or push, and why it is not known;
    ``ran``: what is run in containers."""

    builds: tuple[Build, ...]
    pushes: tuple[Push, ...]
    emptied: frozenset[Build]
    cut: bool
    unfollowed: tuple[Unfollowed, ...]
    ran: tuple[Ran, ...] = ()


def find(
    steps: Sequence[Step | Action | Rules], repository_: Repository, *, keeps_base: bool = False
) -> Found:
    """``keeps_base``: what makes kaniko leave the base alone is set for the whole file."""
    reading = Reading(repository_, keeps_base)
    for step in steps:
        if reading.left <= 0:
            break
        reading.step += 1
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
    perhaps = () if reading.pushes else reading.perhaps
    unfollowed = tuple(dict.fromkeys((*reading.unfollowed, *perhaps)))
    return Found(
        tuple(reading.builds), _matched(reading), emptied(reading), cut, unfollowed, tuple(reading.ran)
    )


def _matched(reading: Reading) -> tuple[Push, ...]:
    """A push whose image nothing here builds by that name is that of the only Dockerfile that is built, unless it is seen
    to be another image."""
    recipes = {build.recipe.path: build for build in reading.builds}
    if len(recipes) != 1:
        return tuple(reading.pushes)
    only = next(iter(recipes.values()))
    return tuple(
        push
        if push.build is not None or push.recipe.why != NOT_SAID or _is_another(push, reading.builds)
        else replace(push, build=only, recipe=only.recipe)
        for push in reading.pushes
    )


def _is_another(push: Push, builds: Sequence[Build]) -> bool:
    """Whether an image comes out of a tar, or has a name that none of the builds gives, where all names are known."""
    if push.loaded:
        return True
    names = [_last_name(name) for build in builds for name in build.names]
    own = _last_name(push.target) if push.target is not None else None
    return own is not None and all(build.names for build in builds) and None not in names and own not in names


def _last_name(image: str) -> str | None:
    """``orders`` of ``reg.example/shop/orders:1``; None where a variable stands in it."""
    last = image.partition("@")[0].rsplit("/", 1)[-1].partition(":")[0]
    return None if "$" in last or not last else last


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
    for number, name in enumerate(made.roots()[:MAX_LOOP]):
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


@dataclass
class _Run(Flow):
    """One script: its commands, functions, and what it calls."""

    def text(self, parsed: shell.Script) -> None:
        self.parsed = parsed
        self.nodes(parsed.tree, 0)

    def uncalled(self) -> None:
        """The functions of a script that only defines them, or calls one by an argument: one of them, or each by another
        script."""
        which = self._new()
        for number, name in enumerate([name for name in self.functions if name not in self.called]):
            self.choices.append(Choice(which, number, False))
            self._call(name, None)
            self.choices.pop()

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

    def command(self, command: shell.Command, fed: Arg | None = None) -> str:
        self.line = self.script.line(self.offset + command.start)
        self._writes(command.redirects)
        if not command.words:
            self._assigned(command)
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
        program = (name or "").rsplit("/", 1)[-1]
        given = fed if fed is not None else self._fed(command.redirects) if program in FED else None
        repeated = repeated_for(line.words, given)
        if repeated is not None:
            self._limited(line, lambda: self._each(command, line, repeated))
            return
        if program in ("make", "gmake"):
            self._made(line, here)
            return
        away = given_away(program, (), given) if given is not None and program in SHELLS else None
        if away is not None:
            self.reading.not_followed(away[0], self.line, away[1])
            return
        if self._script_called(line, here):
            return
        if name is None:
            self._unknown_program(command, line)
            return
        if program == "find" and any(word.text.startswith("-exec") for word in line.words):
            self._say(command, "find -exec", "which files it finds is not followed")
        read_command(self.reading, line, (self.line, end), here, self.directory, given)

    def _unknown_program(self, command: shell.Command, line: Line) -> None:
        """``"$1"``, ``$cmd``: one of the functions where an argument says which, else something that is not known."""
        self.reading.changes += 1
        first = line.words[0].text
        if re.fullmatch(r"\$[1@*]", first) and self.functions:
            before = len(self.reading.pushes), len(self.reading.builds)
            self.uncalled()
            if before != (len(self.reading.pushes), len(self.reading.builds)):
                return
        text = " ".join(word.text for word in line.words)
        if MATTERS.search(text) or re.search(r"\b(?:build|push)\b", text):
            self._say(command, text[:60], f"{first[:40]} is not known here")

    def _each(self, command: shell.Command, line: Line, repeated: Repeated) -> None:
        """``xargs`` and ``parallel``: the same command for each, ``at_once`` of them at the same time."""
        text = " ".join(word.text for word in line.words)
        unknown = repeated.why is not None
        place = self.place
        if unknown:
            if not matters(" ".join(word.text for word in _without_options(line.words))):
                return
            self._say(command, text[:60], repeated.why or "")
            self.place = replace(place, loop=self._new())
        if len(repeated.lines) > MAX_LOOP:
            self.reading.cut = True
        beside = (repeated.at_once > 1 and len(repeated.lines) > 1) or (unknown and repeated.at_once > 1)
        for number, words in enumerate(repeated.lines[:MAX_LOOP]):
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
        self.place = within(place, line, self.line)
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
                self.reading.changes += 1
                shown = name or " ".join(word.text for word in line.words)[:60]
                if not sourced and _ABOUT_IMAGES.search(shown):
                    self.reading.not_followed(shown, self.line, "it is not in this repository")
                return True
        path = resolved(name, self.directory) if name else None
        if sourced:
            self._sourced(text, words)
            return True
        inside = within(here, line, self.line)
        place = replace(inside, variables=line.variables, directory=self.directory)
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
            directory = entered(directory, each)
        printer = replace(self.printer(), directory=directory)
        found = makefiles.at_hand(printer, call.file)
        shown = " ".join(word.text for word in line.words)
        if found is None or self.nested >= _MAX_NESTED:
            self.reading.changes += 1
            if _ABOUT_IMAGES.search(shown):
                self.reading.not_followed(shown, self.line, "its Makefile is not in this repository")
            return
        overrides = line.variables.get("MAKEOVERRIDES") or ""
        inherited = dict(each.partition("=")[::2] for each in overrides.split("\x1f") if each)
        given = {**inherited, **call.variables}
        made = makefiles.read(printer, *found, given, line.variables)
        place = replace(
            within(here, line, self.line),
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


def _locals(function: shell.Block) -> set[str]:
    return {
        word.text.partition("=")[0]
        for each in shell.flatten(function.parts[0][1])
        if each.words and each.words[0].text in ("local", "declare", "typeset")
        for word in each.words[1:]
        if not word.text.startswith("-")
    }


def _without_options(words: Sequence[Arg]) -> list[Arg]:
    """What ``xargs`` and ``parallel`` run, without their own options."""
    at = next((n for n, word in enumerate(words) if n and MATTERS.search(word.text)), 0)
    return list(words[at:])
