"""Variables: what they are at each instruction, and what an argument is once they are filled in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress

from imgopt.dockerfile.document import Dockerfile, Instruction, Span, Stage, Word
from imgopt.dockerfile.lexer import Lexer, ShellError
from imgopt.light.records import dataclass, field

# What BuildKit passes on to RUN without an ARG, when it is a build argument
PROXY_ARGS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAX_WORK = 20_000_000  # characters expanded for one document
_FLATTEN_AFTER = 32  # stages built on each other


@dataclass(frozen=True, slots=True)
class Expansion:
    """``value`` is None when it depends on variables whose value is not known (``missing``, in order) or when
    BuildKit refuses the text (``error`` says why).
    """

    value: str | None
    missing: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """``name=value`` as written, quotes and variables kept; ``value`` is None for an ARG without default.

    ``value_span`` is None where the value is; ``word`` covers name and value, in the old form
    ``ENV name value``, too.
    """

    name: str
    value: str | None
    word: Word
    value_span: Span | None


def expand(text: str, variables: Mapping[str, str | None], escape: str = "\\") -> Expansion:
    """The text as BuildKit hands it on: variables filled in, quotes and escapes removed.

    A name mapped to None is declared but has no known value: ``$X`` is missing, ``${X:-default}`` is the
    default, as in a build that gives it no value. A name not in the mapping is unset and expands to nothing.
    What a Scope ``hides`` is missing either way.
    """
    return _expansion(Lexer(text, variables, escape))


def expand_body(text: str, variables: Mapping[str, str | None]) -> Expansion:
    """The body of a here-document as COPY and ADD write it: variables filled in, backslashes gone (that at the end of a
    line, too), quotes as they are. What only the base image may set stays as it is written: ``$JAVA_HOME``.
    """
    return _expansion(Lexer(text, variables, raw="body"))


def _expansion(lexer: Lexer) -> Expansion:
    try:
        value = lexer.word()
    except ShellError as error:
        return Expansion(None, tuple(dict.fromkeys(lexer.missing)), str(error))
    missing = tuple(dict.fromkeys(lexer.missing))
    return Expansion(None if missing else value, missing)


def variables_used(text: str, escape: str = "\\") -> tuple[str, ...]:
    """The names the text refers to, each once, in order; those in defaults and patterns, too.

    Read as BuildKit reads it: nothing inside single quotes. In text that BuildKit refuses (a shell's
    ``${a[0]}``), the names up to there.
    """
    lexer = Lexer(text, {}, escape, keep_unset=True)
    with suppress(ShellError):
        lexer.word()
    return tuple(dict.fromkeys(name for name in lexer.used if name[0].isalpha() or name[0] == "_"))


def assignments(instruction: Instruction) -> tuple[Assignment, ...]:
    """What an ENV, ARG or LABEL sets; () for any other instruction."""
    if instruction.keyword not in ("ENV", "ARG", "LABEL"):
        return ()
    words = instruction.words
    if instruction._old_form:
        whole = Word(instruction.text, instruction.text_span)
        return (Assignment(words[0].text, words[1].text, whole, words[1].span),)
    found = []
    at = 0  # the words follow each other in the text
    for word in words:
        at = instruction.text.index(word.text, at)
        name, sign, value = word.text.partition("=")
        end = at + len(word.text)
        span = instruction.source_span(at + len(name) + 1, end) if sign else None
        found.append(Assignment(name, value if sign else None, word, span))
        at = end
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Variable:
    """``env`` is what ENV alone last set it to, if it did (``is_env``): a stage built on this one begins with that.
    ``unset``: an ARG without a value.
    """

    value: str | None
    env: str | None = None
    is_env: bool = False
    unset: bool = False


@dataclass(slots=True)
class _History:
    """The values a stage's variables take: for each name, from which instruction on, and what.

    ``open`` as in Scope. ``before`` is the stage this one is built on, and the last instruction of that.
    """

    open: bool
    start: Mapping[str, _Variable]
    before: tuple[_History, int] | None = None
    depth: int = 0
    changes: dict[str, tuple[list[int], list[_Variable]]] = field(default_factory=dict)

    def set(self, name: str, at: int, variable: _Variable) -> None:
        positions, variables = self.changes.setdefault(name, ([], []))
        positions.append(at)
        variables.append(variable)

    def find(self, name: str, at: int) -> _Variable | None:
        history, inherited = self, False
        while True:
            positions, variables = history.changes.get(name, ((), ()))
            index = bisect_right(positions, at)
            found = variables[index - 1] if index else history.start.get(name)
            if found:
                return _Variable(found.env, found.env, True) if inherited and found.is_env else found
            if not history.before:
                return None
            (history, at), inherited = history.before, True

    def names(self, at: int) -> Iterator[str]:
        """The names that have been set, some of them more than once."""
        history = self
        while True:
            yield from history.start
            yield from (name for name, (positions, _) in history.changes.items() if positions[0] <= at)
            if not history.before:
                return
            history, at = history.before


class Scope(Mapping[str, "str | None"]):
    """The variables one instruction sees; None for a declared one without a known value.

    ``open``: names that are not here may be set by the base image. In a closed scope they are unset.
    """

    __slots__ = ("_at", "_history", "_passed", "open")

    def __init__(self, history: _History, at: int, passed: Mapping[str, str] | None = None) -> None:
        self._history = history
        self._at = at
        self._passed = passed or {}
        self.open = history.open

    def __getitem__(self, name: str) -> str | None:
        found = self._history.find(name, self._at)
        return found.value if found else self._passed[name]

    def hides(self, name: str) -> bool:
        """Whether the variable has, or may have, a value that is not known. An ARG without a value has none."""
        found = self._history.find(name, self._at)
        if found:
            return found.value is None and not found.unset
        return self.open and name not in self._passed

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._history.names(self._at), *self._passed]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Scope({dict(self)!r}, open={self.open})"


def scopes(
    document: Dockerfile,
    build_args: Mapping[str, str],
    platform: str = "linux/amd64",
    base_env: Mapping[int, Mapping[str, str]] | None = None,
) -> tuple[Scope, ...]:
    """For each of ``document.instructions``, the variables visible to it, as BuildKit sets them.

    An ARG before the first FROM is seen by FROM and by other such ARGs only, until a stage declares it again.
    In a stage, ARG and ENV set the same variable, and the later one counts. A stage built on another one
    begins with what that one ended with: its ARGs, too, but the value of ENV where both set a variable.
    Build arguments count for declared names only; RUN alone sees the proxy ones (`PROXY_ARGS`) anyway.
    TARGETPLATFORM and its like are known to FROM, and to a stage that declares them; the builder is taken to
    run on ``platform``. An instruction does not see what it sets itself, except from one ARG to the next.
    ``base_env`` has, by stage index, variables known to come from a stage's base image. There may be more, so
    every stage not built from scratch is open.
    """
    return _Scoping(document, build_args, platform, base_env or {}).run()


class _Scoping:
    def __init__(
        self,
        document: Dockerfile,
        build_args: Mapping[str, str],
        platform: str,
        base_env: Mapping[int, Mapping[str, str]],
    ) -> None:
        self.document = document
        self.build_args = build_args
        self.base_env = base_env
        self.proxies = {name: build_args[name] for name in PROXY_ARGS & build_args.keys()}
        self.work = 0
        predefined = _platform_args(platform, document.stages[-1].name or "default")
        given = {name: _Variable(build_args.get(name, value)) for name, value in predefined.items()}
        self.globals = _History(False, given)

    def run(self) -> tuple[Scope, ...]:
        found: list[Scope] = []
        named: dict[str, tuple[Stage, _History, int]] = {}  # how each named stage ended
        stages = iter(self.document.stages)
        stage, history = None, self.globals
        for at, instruction in enumerate(self.document.instructions):
            if instruction.keyword == "FROM":
                if stage and stage.name:
                    named[stage.name] = (stage, history, at - 1)
                stage = next(stages)
                found.append(Scope(self.globals, at))
                history = self._begin(stage, named, found[-1], at)
            else:
                passed = self.proxies if instruction.keyword == "RUN" else None
                found.append(Scope(history, at - 1, passed))
                self._run(instruction, history, at)
        return tuple(found)

    def _begin(
        self, stage: Stage, named: Mapping[str, tuple[Stage, _History, int]], scope: Scope, at: int
    ) -> _History:
        image = self._expanded(stage.image.text, scope)
        if image is None or image.lower() not in named:
            # every image has a PATH; BuildKit gives it this one if its base has none
            env = {"PATH": _PATH} if image == "scratch" else self.base_env.get(stage.index, {})
            return _History(
                image != "scratch", {name: _Variable(value, value, True) for name, value in env.items()}
            )
        base, before, end = named[image.lower()]
        history = _History(before.open, {}, (before, end), before.depth + 1)
        if history.depth % _FLATTEN_AFTER == 0:
            known = {name: history.find(name, end) for name in history.names(end)}
            history.start = {name: variable for name, variable in known.items() if variable}
            history.before = None
        for instruction in base.instructions:
            if instruction.trigger:
                self._run(instruction.trigger, history, at)
        return history

    def _run(self, instruction: Instruction, history: _History, at: int) -> None:
        if instruction.keyword == "ENV":
            scope = Scope(history, at)
            pairs = [
                (self._expanded(assignment.name, scope), self._expanded(assignment.value or "", scope))
                for assignment in assignments(instruction)
            ]
            for name, value in pairs:
                if name is not None:
                    history.set(name, at, _Variable(value, value, True))
        elif instruction.keyword == "ARG":
            for assignment in assignments(instruction):
                self._declare(assignment, history, at)

    def _declare(self, assignment: Assignment, history: _History, at: int) -> None:
        name = assignment.name
        now = history.find(name, at)
        outside = None if history is self.globals else self.globals.find(name, at)
        value: str | None = None
        unset = False
        if name in self.build_args:
            value = self.build_args[name]
        elif assignment.value is not None:
            value = self._expanded(assignment.value, Scope(history, at))
        elif outside and outside.value is not None:
            value = outside.value
        elif now:
            return  # declared again without a value: it keeps the one it has
        else:
            unset = True
        before = now or _Variable(None)
        history.set(name, at, _Variable(value, before.env, before.is_env, unset))

    def _expanded(self, text: str, scope: Scope) -> str | None:
        if not any(sign in text for sign in ("$", "'", '"', "\ufeff", self.document.escape)):
            return text
        if self.work > _MAX_WORK:
            return None
        lexer = Lexer(text, scope, self.document.escape)
        try:
            value = lexer.word()
        except ShellError:
            return None
        finally:
            self.work += lexer.work
        return None if lexer.missing else value


def _platform_args(platform: str, target_stage: str) -> dict[str, str]:
    """The predefined arguments of the global scope, with the names containerd normalizes to."""
    system, _, machine = platform.lower().partition("/")
    machine, _, variant = machine.partition("/")
    machine, variant = {
        ("x86_64", ""): ("amd64", ""),
        ("x86-64", ""): ("amd64", ""),
        ("amd64", "v1"): ("amd64", ""),
        ("aarch64", ""): ("arm64", ""),
        ("aarch64", "v8"): ("arm64", ""),
        ("arm64", "v8"): ("arm64", ""),
        ("arm64", "8"): ("arm64", ""),
        ("arm", ""): ("arm", "v7"),
        ("armhf", ""): ("arm", "v7"),
        ("armel", ""): ("arm", "v6"),
        ("i386", ""): ("386", ""),
    }.get((machine, variant), (machine, variant))
    whole = "/".join(part for part in (system, machine, variant) if part)
    args: dict[str, str] = {}
    for prefix in ("BUILD", "TARGET"):
        args |= {
            f"{prefix}PLATFORM": whole,
            f"{prefix}OS": system,
            f"{prefix}OSVERSION": "",
            f"{prefix}ARCH": machine,
            f"{prefix}VARIANT": variant,
        }
    return args | {"TARGETSTAGE": target_stage}
