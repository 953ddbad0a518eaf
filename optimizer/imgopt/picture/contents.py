"""What each stage of a Dockerfile holds, as far as it can be told without building it.

COPY and ADD are followed into the build context and from stage to stage; of RUN only what moves known files
around is understood (``mv``, ``cp``, ``rm``, jar extraction by jarmode, ``jar xf`` or ``unzip``, and setting
modification times). Everything else makes a layer incomplete, never wrong.
"""

from __future__ import annotations

import posixpath
import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from imgopt import shell
from imgopt.dockerfile import Dockerfile, Instruction, expand, expand_body
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.picture.paths import join, normal, seen_from
from imgopt.picture.placing import fills_directory
from imgopt.picture.scripts import body_of, script_of
from imgopt.picture.settings import Setting

if TYPE_CHECKING:
    from imgopt.build_context.tree import Context
    from imgopt.java.archive import Entry
    from imgopt.java.jarmode import Extract
    from imgopt.java.model import Jar

#: Commands that change nothing in the file system worth a byte.
_SILENT = frozenset(
    {
        "cd",
        "true",
        ":",
        "test",
        "[",
        "set",
        "export",
        "mkdir",
        "ls",
        "cat",
        "sleep",
        "pwd",
        "which",
        "umask",
        "exit",
        "unset",
        "shift",
    }
)
#: Commands that write at most a few kilobytes (links, users, small text files).
_SMALL = frozenset(
    {
        "ln",
        "echo",
        "printf",
        "touch",
        "chmod",
        "chown",
        "chgrp",
        "addgroup",
        "adduser",
        "groupadd",
        "useradd",
        "usermod",
        "sed",
    }
)
#: They print their arguments, or read them as another command's.
_SAYING = frozenset({"cd", "echo", "printf", "set", "export", "true", ":", "exit", "umask", "sh", "bash"})
#: They write into the current directory without naming it.
_IN_THE_DIRECTORY = frozenset({"java", "jar", "unzip"})
#: What they leave behind are the files that their arguments name.
_ON_FILES = frozenset({"cp", "mv", "touch", "chmod", "chown", "chgrp", "jar", "unzip", "java", "find"})
#: What following one Dockerfile's instructions may cost: a look through the files of a stage counts as their number,
#: a command, a word and a file written as `_STEP_COST`. Loops in loops, and directories copied into themselves,
#: double with each line.
_MOST_WORK = 5_000_000
_STEP_COST = 200
_MOST_LOOPS = 64
_MOST_SHELLS = 10  # inside each other
#: Bytes of a layer that holds only directory entries or links: one 512-byte tar header each, gzipped.
SMALL_LAYER_BYTES = 150


@dataclass(frozen=True)
class File:
    """A file in a stage. ``steady``: its modification time is fixed, so equal content gives equal bytes.

    At most one of ``origin`` (a file of the build context), ``entry`` (an entry of a jar), ``text`` (what a COPY's
    here-document writes) is set; ``bytes`` is None when the size is not known.
    """

    path: str
    bytes: int | None
    origin: Path | None = None
    entry: tuple[Jar, Entry] | None = None
    releases: bool = True  # the content changes with each release
    steady: bool = False
    text: str | None = None
    made_of: tuple[Jar, str] | None = (
        None  # the archive whose classes it holds, and where it looks for the libraries
    )


@dataclass(frozen=True)
class Layer:
    """A layer above the base image. ``complete`` is False when it may hold more than ``files``.

    ``reowned`` are those of ``files`` that lie in a layer below as well and are stored again only because a command
    changed their owner or mode. ``removed`` are files of layers below that a command deletes or moves away: the
    layers below keep them. ``unseen``: where the rest comes from when it is not complete, in words that an equal place
    has in another text of the file, too: equal words are the same bytes, or a part of them.
    """

    instruction: Instruction
    stage: int
    files: tuple[File, ...]
    complete: bool
    steady: bool = False
    small: bool = False  # nothing but names: directories, links, users
    reowned: tuple[File, ...] = ()
    removed: tuple[File, ...] = ()
    unseen: frozenset[str] = frozenset()


Outcome = Literal["written", "error", "unsupported", "blocked", "not-empty", "started", "unknown"]


@dataclass(frozen=True)
class Unpacking:
    """One ``java -Djarmode=MODE -jar ARCHIVE …`` of a RUN, and what comes of it.

    ``jar`` is the archive where it is known, ``asked`` what it is asked for where that is an ``extract``; ``directory``
    gets the files. ``error``: an option that the mode does not know; ``unsupported``: a mode that this Spring Boot has
    not; ``blocked``: this archive cannot be unpacked so; ``not-empty``: there is something in the directory, and no
    ``--force``; ``started``: the mode stands behind the archive, where it is an argument of the application.
    """

    instruction: Instruction
    mode: str
    archive: str
    jar: Jar | None
    asked: Extract | None
    directory: str | None
    outcome: Outcome


@dataclass
class _Work:
    """What is left of `_MOST_WORK`, for all stages together."""

    left: int = _MOST_WORK

    def spend(self, cost: int) -> bool:
        self.left -= cost
        return self.left >= 0


@dataclass
class StageContent:
    """``directories`` holds those above every file and directory, too. A variable without a value stands in
    ``workdir``, and in the paths of what lies there, as it is written: no path that is known is one of them."""

    files: dict[str, File] = field(default_factory=dict)
    directories: set[str] = field(default_factory=lambda: {"/"})
    layers: list[Layer] = field(default_factory=list)
    workdir: str = "/"
    dark: bool = False  # commands that may have made anything ran here, or too many to follow
    unseen: frozenset[str] = frozenset()  # of its layers
    unpackings: list[Unpacking] = field(default_factory=list)
    work: _Work = field(default_factory=_Work, repr=False, compare=False)

    def copy(self) -> StageContent:
        if not self._may(4 * len(self.files)):
            return StageContent(workdir=self.workdir, dark=True, unseen=self.unseen, work=self.work)
        return StageContent(
            dict(self.files),
            set(self.directories),
            list(self.layers),
            self.workdir,
            self.dark,
            self.unseen,
            list(self.unpackings),
            self.work,
        )

    def _may(self, cost: int) -> bool:
        if self.work.spend(cost):
            return True
        self.dark = True
        return False

    def below(self, path: str) -> list[File]:
        """The file at this path, or all files below it when it is a directory."""
        path = normal(path)
        if path in self.files:
            return [self.files[path]]
        if path not in self.directories or not self._may(len(self.files)):
            return []
        prefix = path.rstrip("/") + "/"
        return [file for name, file in self.files.items() if name.startswith(prefix)]

    def matching(self, pattern: str) -> list[str]:
        """Paths of files and directories that a name, or a pattern as COPY takes it, means."""
        if not re.search(r"[*?\[]", pattern):
            return [pattern] if pattern in self.files or pattern in self.directories else []
        from imgopt.build_context.patterns import BadPattern, glob_match

        names = {*self.files, *self.directories}
        if not self._may(4 * len(names)):
            return []
        try:
            return sorted(name for name in names if glob_match(pattern, name))
        except BadPattern:
            return []

    def is_directory(self, path: str) -> bool:
        return normal(path) in self.directories

    def add(self, file: File) -> None:
        self.files[file.path] = file
        self.add_directory(posixpath.dirname(file.path))

    def add_directory(self, path: str) -> None:
        while path not in self.directories:
            self.directories.add(path)
            path = posixpath.dirname(path)


ReadJar = Callable[[Path], "Jar | None"]


def stage_contents(
    document: Dockerfile,
    context: Context | None,
    scopes: Sequence[Mapping[str, str | None]],
    in_force: Sequence[Setting],
    read_jar: ReadJar,
    supposed: Jar | None = None,
) -> tuple[StageContent, ...]:
    """The content of every stage, in order. ``scopes`` as from `imgopt.dockerfile.scopes`, ``in_force`` as
    from `settings`. ``supposed`` is unpacked where a jar is that cannot be read: then files are names without bytes."""
    contents: list[StageContent] = []
    names: dict[str, int] = {}
    work = _Work()
    for stage in document.stages:
        base = expand(stage.image.text, scopes[stage.from_.number], document.escape).value
        parent = names.get((base or "").lower())
        content = contents[parent].copy() if parent is not None else StageContent(work=work)
        walker = _Walker(
            document, context, contents, names, content, read_jar, stage.index, in_force, supposed
        )
        for instruction in stage.instructions:
            walker.visit(instruction, scopes[instruction.number])
        contents.append(content)
        names[str(stage.index)] = stage.index
        if stage.name:
            names[stage.name.lower()] = stage.index
    return tuple(contents)


@dataclass
class _Walker:
    document: Dockerfile
    context: Context | None
    stages: list[StageContent]
    names: Mapping[str, int]
    content: StageContent
    read_jar: ReadJar
    stage: int
    in_force: Sequence[Setting]
    supposed: Jar | None = None

    def visit(self, instruction: Instruction, scope: Mapping[str, str | None]) -> None:
        if instruction.keyword == "WORKDIR":
            path = self._expanded(instruction.text, scope)
            self.content.workdir = join(self.content.workdir, instruction.text if path is None else path)
            if self.content.workdir not in self.content.directories:
                self.content.add_directory(self.content.workdir)
                self._layer(instruction, (), small=True)
        elif instruction.keyword in ("COPY", "ADD"):
            self._copy(instruction, scope)
        elif instruction.keyword == "RUN":
            self._run(instruction, scope)

    def _expanded(self, text: str, scope: Mapping[str, str | None]) -> str | None:
        return expand(text, scope, self.document.escape).value

    def _layer(
        self,
        instruction: Instruction,
        files: Sequence[File],
        *,
        complete: bool = True,
        small: bool = False,
        steady: bool = False,
        unseen: Iterable[str] = (),
    ) -> None:
        known = complete and all(file.bytes is not None for file in files)
        places = frozenset() if known else frozenset(unseen) or frozenset({instruction.text})
        self.content.unseen |= places
        self.content.layers.append(
            Layer(instruction, self.stage, tuple(files), complete, steady, small, unseen=places)
        )

    # COPY and ADD

    def _copy(self, instruction: Instruction, scope: Mapping[str, str | None]) -> None:
        words = [self._expanded(word.text, scope) for word in instruction.words]
        if len(words) < 2 or words[-1] is None:
            self._layer(instruction, (), complete=False)
            return
        if instruction.heredocs:
            self._place_written(instruction, str(words[-1]), scope)
            return
        sources, target = [word for word in words[:-1] if word], str(words[-1])
        nameless = len(sources) < len(words) - 1  # a variable in it has no value
        base = join(self.content.workdir, target)
        to_directory = fills_directory(target, sources) or base in self.content.directories
        from_ = instruction.flag("from")
        if from_ is not None:
            origin = self._expanded(from_.value or "", scope) or ""
            number = self.names.get(origin.lower())
            if number is None:
                self._layer(instruction, (), complete=False)
                return
            self._place_from_stage(
                instruction, self.stages[number], sources, base, to_directory, complete=not nameless
            )
        else:
            self._place_from_context(instruction, sources, base, to_directory, scope, complete=not nameless)

    def _place_written(self, instruction: Instruction, target: str, scope: Mapping[str, str | None]) -> None:
        """Files that stand in the Dockerfile itself, as here-documents."""
        base = join(self.content.workdir, target)
        alone = len(instruction.words) == 2
        to_directory = fills_directory(target, instruction.words[:-1]) or base in self.content.directories
        written: list[File] = []
        for heredoc in instruction.heredocs:
            text: str | None = body_of(heredoc).text
            if heredoc.expand:
                text = expand_body(text or "", scope).value
            if text is not None:
                where = join(base, heredoc.tag) if to_directory or not alone else base
                written.append(File(where, len(text.encode()), releases=False, text=text))
        self._put(written)
        self._layer(instruction, written, complete=len(written) == len(instruction.words) - 1)

    def _place_from_stage(
        self,
        instruction: Instruction,
        stage: StageContent,
        sources: Sequence[str],
        base: str,
        to_directory: bool,
        *,
        complete: bool,
    ) -> None:
        placed: list[File] = []
        for source in sources:
            matches = stage.matching(normal("/" + source))
            for match in matches:
                if match in stage.files:
                    where = join(base, posixpath.basename(match)) if to_directory else base
                    placed.append(replace(stage.files[match], path=where))
                else:
                    below = stage.below(match)
                    complete = complete and bool(below or match in stage.directories) and not stage.dark
                    placed += [
                        replace(file, path=normal(base + "/" + file.path[len(match.rstrip("/")) :]))
                        for file in below
                    ]
            complete = complete and bool(matches)
        self._put(placed)
        # the destination directory itself gets the time of the build on most builders; only "/" is no entry of the layer
        steady = complete and base == "/" and all(file.steady for file in placed)
        self._layer(instruction, placed, complete=complete, steady=steady, unseen=stage.unseen)

    def _place_from_context(
        self,
        instruction: Instruction,
        sources: Sequence[str],
        base: str,
        to_directory: bool,
        scope: Mapping[str, str | None],
        *,
        complete: bool,
    ) -> None:
        if self.context is None or any(re.match(r"(https?|ftp|git)://|git@", source) for source in sources):
            self._layer(instruction, (), complete=False)
            return
        from imgopt.build_context.tree import resolve, unpacked_by_add

        excludes = [
            self._expanded(flag.value or "", scope) or ""
            for flag in instruction.flags
            if flag.name == "exclude"
        ]
        placed: list[File] = []
        unseen = {word.text for word in instruction.words[:-1]} if not complete else set()
        for source in sources:
            copied = resolve(
                self.context,
                [source],
                excludes,
                parents=instruction.flag("parents") is not None,
                destination=base + "/" if to_directory else base,
            )
            if not copied:
                complete = False
                unseen.add(source)
            for item in copied:
                if item.is_directory:
                    continue
                if instruction.keyword == "ADD" and unpacked_by_add(item.path) is not False:
                    complete = False  # an archive that ADD unpacks
                    unseen.add(source)
                    continue
                where = join(base, item.target) if item.target else base
                placed.append(
                    File(where, item.bytes, origin=item.path, releases=not _is_library(item.source))
                )
        self._put(placed)
        self._layer(instruction, placed, complete=complete, unseen=unseen)

    def _put(self, files: Iterable[File]) -> None:
        for file in files:
            self.content.add(file)

    # RUN

    def _run(self, instruction: Instruction, scope: Mapping[str, str | None]) -> None:
        script = script_of(instruction, self.in_force[instruction.number].shell).script
        variables = ChainMap({}, cast("dict[str, str | None]", scope))
        run = _Run(self.content, variables, self.read_jar, script.text, instruction, self.supposed)
        run.script(script)
        if run.dark or self.content.work.left < 0:
            run.unseen.add(instruction.text)
        run.dark = run.dark or bool(run.unseen) or self.content.work.left < 0
        self.content.dark = self.content.dark or run.dark
        self.content.unseen |= run.unseen
        self._put(run.written.values())
        self.content.layers.append(
            Layer(
                instruction,
                self.stage,
                tuple(run.written.values()),
                complete=not run.dark,
                small=not run.dark and not run.written,
                reowned=tuple(run.written[path] for path in run.reowned if path in run.written),
                removed=tuple(file for path, file in run.removed.items() if path not in run.written),
                unseen=frozenset(run.unseen),
            )
        )


@dataclass(frozen=True)
class OwnerCommand:
    """chown, chgrp or chmod: ``spec`` is the owner, group or mode, None when it is taken from a file."""

    spec: str | None
    paths: tuple[str, ...]
    recursive: bool
    options: tuple[str, ...]


def owner_command(arguments: Sequence[str]) -> OwnerCommand:
    """The arguments of chown, chgrp or chmod, options before and behind the paths."""
    options: list[str] = []
    plain: list[str] = []
    for word in arguments:
        # `chmod -x file`: a mode, no option
        is_option = word.startswith("-") and len(word) > 1 and re.fullmatch(r"-[rwxXst,+=]+", word) is None
        (options if is_option and "--" not in options else plain).append(word)
    referenced = any(word.startswith("--reference") for word in options)
    return OwnerCommand(
        spec=None if referenced or not plain else plain[0],
        paths=tuple(plain if referenced else plain[1:]),
        recursive=any(
            word == "--recursive" or re.fullmatch(r"-[a-zA-Z]*R[a-zA-Z]*", word) for word in options
        ),
        options=tuple(options),
    )


@dataclass
class _Run:
    """Follows one RUN. ``written`` is what its layer holds; ``dark`` when something was not understood; ``unseen`` are
    the sources of what it unpacks without its being there to be read.

    ``reowned`` and ``removed`` as in `Layer`, by path.
    """

    content: StageContent
    scope: ChainMap[str, str | None]
    read_jar: ReadJar
    text: str
    instruction: Instruction
    supposed: Jar | None = None
    written: dict[str, File] = field(default_factory=dict)
    dark: bool = False
    unseen: set[str] = field(default_factory=set)
    reowned: set[str] = field(default_factory=set)
    removed: dict[str, File] = field(default_factory=dict)
    shells: int = 0

    def __post_init__(self) -> None:
        self.cwd: str | None = self.content.workdir
        self.before = dict(self.content.files)  # what the layers below hold
        self.surely = True  # the command at hand runs whatever happens
        self.stampers = set(re.findall(r"\b(\w+)\(\)\s*\{[^{}]*\btouch\b", self.text))

    @property
    def _here(self) -> str:
        return self.cwd or "/"  # where it is not known, only absolute paths come this far

    def _tells_paths(self, name: str, plain: Sequence[str], command: shell.Command) -> bool:
        """Whether a command in a directory that is not known names nothing in it."""
        if name in _IN_THE_DIRECTORY:
            return False
        written = [target.text.strip("\"'") for sign, target in command.redirects if ">" in sign]
        named = written if name in _SAYING else [*plain, *written]
        return all(word.startswith(("/", "&")) or word.isdigit() for word in named)

    def script(self, script: shell.Script) -> None:
        if script.broken or self.shells > _MOST_SHELLS:
            self.dark = True
            return
        self.shells += 1
        self.nodes(script.nodes, self.scope)
        self.shells -= 1

    def nodes(self, nodes: Sequence[shell.Command | shell.Loop], scope: ChainMap[str, str | None]) -> None:
        for node in nodes:
            if not self.content.work.spend(_STEP_COST * (1 + len(node.words))):
                return
            if isinstance(node, shell.Loop):
                self.dark = self.dark or len(node.words) > _MOST_LOOPS
                for value in [word.value(scope) for word in node.words[:_MOST_LOOPS]]:
                    if value is None:
                        self.dark = True
                        continue
                    self.nodes(node.body, scope.new_child({node.variable: value}))
            else:
                self._command(node, scope)

    def _command(self, command: shell.Command, scope: Mapping[str, str | None]) -> None:
        self.surely = command.depth == 0 and command.operator != "||"
        words = [word.value(scope) for word in command.words]
        name = posixpath.basename(words[0] or "") if words else ""
        arguments = [word for word in words[1:] if word is not None]
        plain = [word for word in arguments if not word.startswith("-")]
        if self.cwd is None and not self._tells_paths(name, plain, command):
            self.dark = True
            return
        for operator, target in command.redirects:
            path = target.value(scope)
            if operator.lstrip("0123456789") in (">", ">>", ">|") and path and not path.startswith("/dev/"):
                self._write(File(join(self._here, path), 1_000))
        if None in words[1:] and name in _ON_FILES:
            self.dark = True  # on which, only the build knows
            return
        if not words:
            for assignment in command.assignments:
                name, _, value = assignment.text.partition("=")
                self.scope[name] = shell.Word(value, 0, 0).value(scope) if value else ""
            return
        if name in ("sh", "bash") and "-c" in arguments and len(arguments) > arguments.index("-c") + 1:
            self.script(shell.parse(arguments[arguments.index("-c") + 1]))
        elif name in self.stampers:
            self._stamp(plain)
        elif name == "find" and "touch" in arguments:
            roots = arguments[: next((n for n, word in enumerate(arguments) if word.startswith("-")), 0)]
            self._stamp(roots, steady=_gives_a_time(arguments[arguments.index("touch") :]))
        elif name == "cd":
            to = words[-1] if len(words) > 1 else None  # without one it goes home
            self.cwd = None if to is None or to.startswith(("-", "~")) else seen_from(self.cwd, to)
        elif name == "mkdir":
            for path in plain:
                self.content.add_directory(join(self._here, path))
        elif name == "mv" and len(plain) >= 2:
            self._move(plain[:-1], plain[-1], keep=False)
        elif name == "cp" and len(plain) >= 2:
            self._move(plain[:-1], plain[-1], keep=True)
        elif name == "rm":
            for path in plain:
                for file in self._glob(path):
                    self._forget(file.path)
        elif name == "touch":
            self._rewrite(plain, steady=_gives_a_time(arguments))
        elif name in ("chmod", "chown", "chgrp"):
            self._reown(owner_command(arguments))
        elif name == "java" and any("jarmode" in word for word in arguments):
            self._jarmode(arguments)
        elif name == "jar":
            self._jar_tool(arguments)
        elif name == "unzip":
            self._unzip(arguments)
        elif name == "install":  # which makes directories, or copies files
            self.dark = self.dark or not re.search(
                r"(?:^|\s)(?:-[a-zA-Z]*d|--directory)", " ".join(arguments)
            )
        elif name not in _SILENT and name not in _SMALL:
            self.dark = True

    def _write(self, file: File) -> None:
        if not self.content.work.spend(_STEP_COST):
            return
        self.written[file.path] = file
        self.content.add(file)

    def _forget(self, path: str) -> None:
        """The file is gone from here on; a layer below that holds it keeps it."""
        if self.surely and path in self.before:
            self.removed[path] = self.before[path]
        self.content.files.pop(path, None)
        self.written.pop(path, None)

    def _rewrite(self, paths: Sequence[str], *, steady: bool) -> None:
        """A file whose time, mode or owner changes is stored again, whole, in this layer."""
        for path in paths:
            for match in self.content.matching(join(self._here, path.replace("[!", "[^"))):
                if match in self.content.files:
                    self._write(replace(self.content.files[match], steady=steady))

    def _reown(self, command: OwnerCommand) -> None:
        for path in command.paths:
            for match in self.content.matching(join(self._here, path.replace("[!", "[^"))):
                if match in self.content.files or command.recursive:
                    for file in self.content.below(match):
                        if file.path not in self.written:
                            self.reowned.add(file.path)
                        self._write(replace(file, steady=False))

    def _glob(self, path: str) -> list[File]:
        return [
            file
            for match in self.content.matching(join(self._here, path.replace("[!", "[^")))
            for file in self.content.below(match)
        ]

    def _stamp(self, roots: Sequence[str], *, steady: bool = True) -> None:
        for root in roots:
            for file in self.content.below(join(self._here, root)):
                self._write(replace(file, steady=steady))

    def _move(self, sources: Sequence[str], target: str, *, keep: bool) -> None:
        destination = join(self._here, target)
        into = target.endswith("/") or len(sources) > 1 or self.content.is_directory(destination)
        for source in sources:
            for match in self.content.matching(join(self._here, source.replace("[!", "[^"))):
                base = join(destination, posixpath.basename(match)) if into else destination
                for file in self.content.below(match):
                    suffix = file.path[len(match.rstrip("/")) :]
                    if not keep:
                        self._forget(file.path)
                    self._write(replace(file, path=normal(base + suffix)))
                if match in self.content.directories:
                    self.content.add_directory(base)

    def _jar_at(self, path: str) -> Jar | None:
        found = self._glob(path)
        if len(found) == 1 and found[0].origin is not None:
            return self.read_jar(found[0].origin) or self.supposed
        return self.supposed

    def _jarmode(self, arguments: Sequence[str]) -> None:
        from imgopt.java.jarmode import archive_at, mode_of, modes_of, only_prints, read_extract, refusal
        from imgopt.java.spring_boot import extraction

        at = archive_at(arguments)
        at = at if at is not None else len(arguments)
        asked_mode = mode_of(arguments[:at])
        mode = asked_mode or mode_of(arguments[at:]) or ""
        after = list(arguments[at:])
        jar = self._jar_at(after[0]) if after else None
        if jar is None and after and self.content.unseen and "extract" in after:
            self.unseen |= self.content.unseen  # of this archive, or of something else that is not there
            self._note(mode, after, None, None, None, "unknown")
            return
        if after and asked_mode and only_prints(mode, after[1:]):
            return
        if jar is None or "extract" not in after:
            self.dark = True
            self._note(mode, after, jar, None, None, "unknown")
            return
        found = self._glob(after[0])
        name = posixpath.basename(found[0].path if len(found) == 1 else after[0])
        asked = read_extract(mode, after[1:])
        root = join(self._here, asked.directory(name)) if asked is not None else None
        if asked is not None and asked.fault is None:
            fault = self._odd_place(asked, name, root)
            asked = replace(asked, fault=fault, ends_with_0=fault is None)
        outcome: Outcome = "written"
        if not asked_mode:
            outcome = "started"
        elif jar.spring_boot and mode.lower() not in modes_of(jar):
            outcome = "unsupported"
        elif asked is None:
            outcome = "unknown"
        elif asked.fault is not None:
            outcome = "error"
        elif jar.path and refusal(jar, asked) is not None:
            outcome = "blocked"
        elif root is None or re.search(r"[*?\[]", root):
            outcome = "unknown"  # a name that only the build knows
        elif root == "/" and extraction(jar).not_to_root:
            outcome = "blocked"
        elif not asked.force and self._is_filled(root):
            outcome = "not-empty"
        self._note(mode, after, jar, asked, root, outcome)
        self.dark = self.dark or outcome == "unknown"
        if outcome == "written" and asked is not None and root is not None:
            self._extracted(jar, asked, root, name)

    def _odd_place(self, asked: Extract, name: str, root: str | None) -> str | None:
        """What no jarmode takes for an archive, or for a directory."""
        if not name.lower().endswith((".jar", ".war")) and not re.search(r"[*?\[]", name):
            return f"jarmode {asked.mode} takes no archive but one called .jar or .war, and {name} is not"
        return f"{root} is a file" if root in self.content.files else None

    def _note(
        self,
        mode: str,
        after: Sequence[str],
        jar: Jar | None,
        asked: Extract | None,
        root: str | None,
        outcome: Outcome,
    ) -> None:
        archive = join(self._here, after[0]) if after else ""
        self.content.unpackings.append(Unpacking(self.instruction, mode, archive, jar, asked, root, outcome))

    def _is_filled(self, directory: str) -> bool:
        prefix = directory.rstrip("/") + "/"
        return any(
            name.startswith(prefix)
            for name in (*self.content.files, *self.content.directories)
            if name != "/"
        )

    def _extracted(self, jar: Jar, extract: Extract, root: str, name: str) -> None:
        from imgopt.java.spring_boot import application_layer, layered

        classes, listed = 0, jar.classpath_index
        for layer, entries in layered(jar):
            where = join(root, layer) if extract.layers is not None else root
            taken = extract.layers is None or extract.takes(layer)
            if taken:
                self.content.add_directory(where)
            for entry in entries:
                if extract.launcher:
                    if taken:
                        self._put_entry(jar, join(where, entry.name), entry)
                elif not entry.name.startswith(tuple(jar.lib_prefixes)):
                    classes += entry.compressed_bytes
                elif taken and (listed is None or entry.name in listed):
                    # in the layer's own directory, even with a slash before it
                    library = f"{extract.libraries.lstrip('/')}/{posixpath.basename(entry.name)}"
                    self._put_entry(jar, join(where, library), entry)
        if extract.launcher:
            return
        own = application_layer(jar) if extract.layers is not None else None
        if own is None or extract.takes(own):
            application = join(join(root, own or "."), extract.application or name)
            self._write(File(application, classes, made_of=(jar, extract.libraries)))

    def _put_entry(self, jar: Jar, path: str, entry: Entry) -> None:
        self._write(File(path, entry.bytes, entry=(jar, entry), releases=_releases(jar, entry)))

    def _unpacked(self, jar: Jar | None, directory: str, only: Sequence[str] = ()) -> None:
        from imgopt.java.spring_boot import layered

        if jar is None:
            self.dark = True
            return
        for _, entries in layered(jar):
            for entry in entries:
                if not only or any(
                    entry.name == name or entry.name.startswith(name.rstrip("/") + "/") for name in only
                ):
                    self._put_entry(jar, join(directory, entry.name), entry)

    def _jar_tool(self, arguments: Sequence[str]) -> None:
        mode = arguments[0].lstrip("-") if arguments else ""
        plain = list(arguments[1:])
        if "x" in mode and "f" in mode and plain:
            self._unpacked(self._jar_at(plain[0]), self._here, plain[1:])
        elif "c" in mode and "f" in mode and plain:
            self._write(File(join(self._here, plain[0]), 700, releases=False))
        elif "t" not in mode:
            self.dark = True

    def _unzip(self, arguments: Sequence[str]) -> None:
        plain = [
            word for n, word in enumerate(arguments) if not word.startswith("-") and arguments[n - 1] != "-d"
        ]
        directory = _option(arguments, "-d") or "."
        self._unpacked(self._jar_at(plain[0]) if plain else None, join(self._here, directory))


#: Directories that builds copy an application's libraries to.
_LIBRARY_DIRECTORY = regex(
    r"(?:^|/)(?:libs?|dependency|dependencies|dependency-jars)(?:/[\w.-]+)*/[^/]+\.jar$"
)

_VERSION = regex(r"-v?[0-9].*$")


def _gives_a_time(arguments: Sequence[str]) -> bool:
    """Whether `touch` sets another time than that of the build."""
    return any(word.startswith(("-d", "-t", "--date")) for word in arguments)


def _is_library(path: str) -> bool:
    """Whether a file of the context is a released library, by its place and name: no release of the application
    changes it."""
    return in_library_directory(path) and "SNAPSHOT" not in path and not _is_own(path)


def _is_own(path: str) -> bool:
    """Whether a jar has the name of a directory above it, as the application's own has among its libraries:
    ``build/install/orders/lib/orders-1.4.jar`` of Gradle, ``orders-1.4/lib/orders-1.4.jar`` of a Maven assembly."""
    *above, name = path.split("/")
    return _unversioned(name.removesuffix(".jar")) in map(_unversioned, above)


def _unversioned(name: str) -> str:
    return _VERSION.sub("", name)


def in_library_directory(path: str) -> bool:
    """Whether a jar of the context lies where builds and archives keep an application's libraries."""
    return _LIBRARY_DIRECTORY.search(path) is not None and "build/libs/" not in path


def _releases(jar: Jar, entry: Entry) -> bool:
    """Whether an entry belongs to the application itself, so that a release changes it."""
    return not entry.name.startswith((*jar.lib_prefixes, "org/springframework/boot/loader/"))


def _option(words: Sequence[str], name: str) -> str | None:
    for position, word in enumerate(words):
        if word == name and position + 1 < len(words):
            return words[position + 1]
        if word.startswith(name + "="):
            return word.partition("=")[2]
    return None
