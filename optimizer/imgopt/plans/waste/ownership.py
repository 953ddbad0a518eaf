"""Finds RUNs that store copied files again by changing their owner or mode, and says it in the COPY instead.

``chown -R app:app /app`` becomes ``COPY --chown=app:app`` and ``chown app:app /app``: the directory itself keeps the
owner it had, because an application may write into it, and a directory costs nothing. Measured with Docker 20.10: the
classic builder gives the directory that a COPY makes to the owner of ``--chown``, BuildKit its new parents as well,
neither one that was there before; both keep the owners of files that come from another stage without ``--chown``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.dockerfile import Edit, Instruction, Span
from imgopt.finding import Reason, Refused
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture import Picture, once
from imgopt.picture.contents import File, OwnerCommand, owner_command
from imgopt.picture.paths import join, normal
from imgopt.picture.placing import fills_directory, names_archive
from imgopt.picture.reach import contains, is_own_place, reach_of, reach_of_commands, related
from imgopt.scales import Applicability

if TYPE_CHECKING:
    from imgopt.picture.contents import Layer

#: Storing less than this again is not worth a line: a start script is made executable for some kilobytes.
SMALLEST_BYTES = 100_000

_JARS = (".jar", ".war")
_CHANGES = regex(r"\bch(own|grp|mod)\b")
_PROGRAMS = ("chown", "chgrp", "chmod")
_USER_TOOLS = ("useradd", "adduser", "groupadd", "addgroup", "usermod", "groupmod", "passwd", "chpasswd")
#: What a build writes: of unknown size before it, but not small.
_BUILT = regex(r"(?:^|/)(?:target|build|dist|out|libs?|dependency|dependencies|node_modules)(?:/|$)")
#: Directories that every image has.
_EVERYWHERE = frozenset({"/", "/opt", "/srv"})


@dataclass(frozen=True)
class Reowning:
    """One RUN of the final image and what it stores again: known ``files``, and what ``unread`` COPY lines bring, which
    is not there to be read. ``edits`` say it in the COPY; without them ``why_not`` says what stands against it.
    """

    instruction: Instruction
    command: str
    files: tuple[File, ...]
    unread: tuple[Instruction, ...]
    edits: tuple[Edit, ...] = ()
    why_not: Reason | None = None

    @property
    def bytes(self) -> int:
        return sum(file.bytes or 0 for file in self.files)

    @cached_property
    def of_one_jar(self) -> bool:
        """Whether a single jar is what weighs: that is told of the jar (`jar-stored-twice`)."""
        jars = [file for file in self.files if file.path.endswith(_JARS) and file.entry is None]
        if self.unread:
            return self.bytes < SMALLEST_BYTES and len(self.unread) == 1 and _brings_a_jar(self.unread[0])
        return len(jars) == 1 and self.bytes - (jars[0].bytes or 0) < SMALLEST_BYTES

    @property
    def applicability(self) -> Applicability:
        return Applicability.SAFE if self.edits else Applicability.MANUAL


class _No(Refused):
    """Carries the reason why the RUN stays as it is."""


@once
def reownings(picture: Picture) -> tuple[Reowning, ...]:
    """Every RUN that stores at least `SMALLEST_BYTES` again, or an unknown amount. Never raises."""
    found: list[Reowning] = []
    for layer in picture.layers:
        if layer.instruction.keyword != "RUN" or not _CHANGES.search(
            picture.script_of(layer.instruction).text
        ):
            continue
        commands = _commands(picture, layer.instruction)
        if not commands and not layer.reowned:
            continue
        unread = {
            copy.number: copy
            for command in commands
            for copy in _copies_below(picture, layer.instruction, command)
            if _is_unread(picture, copy)
        }
        size = sum(file.bytes or 0 for file in layer.reowned)
        if size < SMALLEST_BYTES and not unread:
            continue
        storing = [command for command in commands if _stores(picture, layer, command)]
        text = " && ".join(command.text for command in storing or commands) or "chown"
        edits: tuple[Edit, ...] = ()
        why_not: Reason | None = None
        try:
            edits = _edits(picture, layer.instruction, storing)
        except _No as error:
            why_not = error.reason
        copies = tuple(unread.values())
        found.append(Reowning(layer.instruction, text, layer.reowned, copies, edits, why_not))
    return tuple(found)


def reowning(picture: Picture, instruction: Instruction) -> Reowning | None:
    return next((found for found in reownings(picture) if found.instruction is instruction), None)


def stored_again_by(picture: Picture, directory: str) -> Instruction | None:
    """A RUN of the final image that changes owner or mode of everything in a directory that it may not name:
    ``chown -R app /app*``."""
    for instruction in picture.final.instructions():
        if instruction.keyword == "RUN" and _CHANGES.search(picture.script_of(instruction).text):
            for command in _commands(picture, instruction):
                if command.parsed.recursive and any(
                    target is not None and (contains(target, directory) or fnmatchcase(directory, target))
                    for target in command.targets
                ):
                    return instruction
    return None


def reowned_by(picture: Picture, run: Instruction, directory: str) -> bool:
    """Whether a RUN may change owner or mode of the directory itself."""
    if not _CHANGES.search(picture.script_of(run).text):
        return False
    return any(
        target is None
        or fnmatchcase(directory, target)
        or (command.parsed.recursive and contains(target, directory))
        for command in _commands(picture, run)
        for target in command.targets
    )


def names_directory(picture: Picture, run: Instruction, directory: str) -> bool:
    """Whether a RUN names the directory, or by its last name something that may be it; users and groups are none."""
    read = picture.script_of(run)
    wanted = re.compile(
        rf"{re.escape(directory)}(?![\w-])|(?<![\w.-]){re.escape(posixpath.basename(directory))}(?![\w.-])"
    )
    if read.unread is not None or read.script.broken or not read.script.nodes:
        return wanted.search(run.text) is not None
    for node in read.script.commands:
        words = [word.text for word in (*node.words[1:], *node.assignments)]
        words += [target.text for _, target in node.redirects]
        if node.program in _USER_TOOLS:
            words = [word for word in words if "/" in word]
        elif node.program in ("chown", "chgrp"):
            plain = next((word for word in words if not word.startswith("-")), "")
            words = [word for word in words if word != plain]
        if any(wanted.search(word) for word in words):
            return True
    return False


@dataclass(frozen=True)
class _Command:
    """A chown, chgrp or chmod of a RUN. ``targets`` are absolute paths, None where one cannot be told."""

    program: str
    parsed: OwnerCommand
    targets: tuple[str | None, ...]
    node: shell.Command
    text: str


def _commands(picture: Picture, instruction: Instruction) -> tuple[_Command, ...]:
    script = picture.script_of(instruction).script
    found: list[_Command] = []
    scope = dict(picture.scope(instruction))
    cwd = picture.workdir_at(instruction)
    for node in script.commands:
        words = [word.value(scope) for word in node.words]
        for assignment in node.assignments:
            scope[assignment.text.partition("=")[0]] = None
        if node.program == "cd" and node.depth == 0:
            cwd = (
                join(cwd or "/", words[1])
                if len(words) > 1 and words[1] and (cwd or words[1][0] == "/")
                else None
            )
        elif node.program in _PROGRAMS:
            parsed = owner_command([word if word is not None else "\0" for word in words[1:]])
            targets = tuple(
                None if "\0" in path or not (cwd or path.startswith("/")) else join(cwd or "/", path)
                for path in parsed.paths
            )
            found.append(
                _Command(
                    node.program, parsed, targets, node, " ".join(script.text[node.start : node.end].split())
                )
            )
    return tuple(found)


def _stores(picture: Picture, layer: Layer, command: _Command) -> bool:
    """Whether the command stores much again: known files, or those of a COPY that are not there to be read."""
    known = sum(
        file.bytes or 0
        for file in layer.reowned
        if any(target is None or _covers(command, target, file.path) for target in command.targets)
    )
    return known >= SMALLEST_BYTES or any(
        _is_unread(picture, copy) for copy in _copies_below(picture, layer.instruction, command)
    )


def _covers(command: _Command, target: str, path: str) -> bool:
    if re.search(r"[*?\[]", target):
        return contains(posixpath.dirname(re.split(r"[*?\[]", target)[0] + "x"), path)
    return contains(target, path) if command.parsed.recursive else target == path


def _copies_below(picture: Picture, run: Instruction, command: _Command) -> Iterator[Instruction]:
    """COPY and ADD lines before the RUN that bring something below a directory which the command changes wholly, or
    the jar that it names."""
    jar = picture.artifact
    for instruction in picture.final.instructions():
        if instruction is run:
            return
        if instruction.keyword in ("COPY", "ADD"):
            place = picture.target_of(instruction)
            recursive = command.parsed.recursive and place is not None
            named = jar is not None and jar.instruction is instruction and jar.path in command.targets
            if named or (
                recursive and any(target and contains(target, place or "/") for target in command.targets)
            ):
                yield instruction


def _is_unread(picture: Picture, instruction: Instruction) -> bool:
    """Whether a COPY brings much of unknown size: the jar that is started, a directory that another stage or the build
    makes."""
    layer = picture.layer_of(instruction)
    if layer is None or layer.complete:
        return False
    if _brings_a_jar(instruction):
        jar = picture.artifact
        return jar is not None and jar.instruction is instruction and jar.started and jar.jar is None
    sources = [word.text for word in instruction.words[:-1]]
    if any(source.strip("\"'").endswith((".sh", ".yml", ".yaml", ".properties")) for source in sources):
        return False
    return instruction.flag("from") is not None or any(_BUILT.search(source) for source in sources)


def _brings_a_jar(copy: Instruction) -> bool:
    return any(names_archive(word.text) for word in copy.words[:-1])


# the change


def _edits(picture: Picture, run: Instruction, commands: Sequence[_Command]) -> tuple[Edit, ...]:
    """Every command that stores files again moves into the COPY lines; it makes no sense to move only some."""
    if run not in picture.final.stage.instructions:
        raise _No("the RUN stands in a stage below the last one; give the owner in its COPY lines (--chown)")
    if picture.final is not picture.stages[-1]:
        raise _No("the stage asked for with --target is not the last one")
    if not commands:
        raise _No("give owner and mode in the COPY lines (--chown, --chmod)")
    script = shell.parse(run.text)
    if run.heredocs or run.json is not None or not script.plain:
        raise _No("the RUN is more than one command after the other; give owner and mode in the COPY lines")
    if picture.base.kind not in ("jdk", "jre", "os"):
        name = picture.final.root.image or "the base image"
        raise _No(
            "what {} holds is not known; if nothing of it is changed here, {}",
            name,
            _advice(commands),
            kind="not-known",
        )
    user = picture.base.user
    for other in _before(picture, run):
        if other.keyword == "USER":
            user = picture.expand(other, other.text)
    if user not in (None, "root", "0", "root:root", "0:0"):
        raise _No("the RUN does not run as root; {}", _advice(commands))

    if any(other.keyword == "SHELL" for other in _before(picture, run)):
        raise _No("another shell reads the RUN; {}", _advice(commands))

    flags: dict[int, dict[str, str]] = {}
    copies: dict[int, Instruction] = {}
    edits: list[Edit] = []
    for command in commands:
        name, value = _flag(picture, command)
        covered, rest, directories = _covered(picture, run, command, [other.node for other in commands])
        for copy in covered:
            if "$" in value and picture.expand(copy, value) != picture.expand(run, value):
                raise _No("{} is not the same at {}; {}", value, copy, _advice(commands))
            copies[copy.number] = copy
            wanted = flags.setdefault(copy.number, {})
            wanted[name] = _value(copy, command, value, wanted.get(name))
        if name == "chown":
            _require_names(picture, run, command, picture.expand(run, value) or "", covered)
        edits.append(_shorter(picture, run, script, command, rest, directories))
    for key, wanted in flags.items():
        edits += _copy_edits(picture, copies[key], wanted)
    return tuple(edits)


def _advice(commands: Sequence[_Command]) -> str:
    owner = next((command for command in commands if command.program != "chmod"), None)
    if owner is not None and owner.parsed.spec and "\0" not in owner.parsed.spec:
        return f"give the owner in the COPY (--chown={_spec(owner)})"
    return "give the mode in the COPY (--chmod, with BuildKit)"


def _spec(command: _Command) -> str:
    spec = command.parsed.spec or ""
    return f"0:{spec}" if command.program == "chgrp" else spec


def _before(picture: Picture, instruction: Instruction) -> Iterator[Instruction]:
    for other in picture.final.instructions():
        if other is instruction:
            return
        yield other


def _flag(picture: Picture, command: _Command) -> tuple[str, str]:
    """The flag of COPY that says the same, with its value as far as the command gives it (``app:``, ``:app``)."""
    spec = command.parsed.spec
    strange = [word for word in command.parsed.options if not re.fullmatch(r"-[Rvcf]+|--recursive", word)]
    if spec is None or "\0" in spec or strange:
        raise _No(
            "`{}` says more than a COPY can; give owner and mode there as far as possible", command.text
        )
    if command.program == "chmod":
        if not re.fullmatch(r"0?[0-7]{3}", spec):
            raise _No(
                "COPY --chmod takes a mode in numbers and gives it to every file, not {}; copy the files with the mode they need",
                spec,
            )
        if not _uses_buildkit(picture):
            raise _No("with BuildKit, COPY --chmod={} gives the mode without a second copy", spec)
        return "chmod", spec
    written = next(word.text for word in command.node.args if not word.text.startswith("-")).replace('"', "")
    if "$" in written:
        # a build argument may be given another value: the variable stays
        written = re.sub(r"\$(\w+)", r"${\1}", written)
        if not re.fullmatch(r"(\$\{\w+\}|[\w-])+(:(\$\{\w+\}|[\w-])+)?", written):
            raise _No("{} is more than a name; {}", written, _advice([command]))
    if command.program == "chgrp":
        return "chown", f":{written if '$' in written else spec}"
    if re.fullmatch(r"[\w-]+(:[\w-]+)?", spec) and "$" in written:
        return "chown", written
    if not re.fullmatch(r"[\w-]+(:[\w-]+)?|:[\w-]+", spec):
        raise _No(
            "which group {} means is decided by the image; give both in the COPY (--chown=USER:GROUP)", spec
        )
    return "chown", spec


def _uses_buildkit(picture: Picture) -> bool:
    """Whether only BuildKit reads this file already."""
    if "syntax" in picture.document.directives:
        return True
    for instruction in picture.document.instructions:
        names = {flag.name for flag in instruction.flags}
        if instruction.heredocs or (instruction.keyword == "RUN" and "mount" in names):
            return True
        if instruction.keyword in ("COPY", "ADD") and names & {
            "link",
            "chmod",
            "exclude",
            "parents",
            "checksum",
        }:
            return True
    return False


def _value(copy: Instruction, command: _Command, value: str, so_far: str | None) -> str:
    """The whole value of the flag for one COPY: what the command leaves open stays what it was."""
    if command.program == "chmod" or re.fullmatch(r"[^:]+:[^:]+", value):
        return value
    flag = copy.flag("chown")
    present = so_far or (flag.value if flag is not None else None)
    if present is None and copy.flag("from") is not None:
        raise _No("{} keeps the owners of another stage; give user and group (--chown=USER:GROUP)", copy)
    owner, _, group = ("0:0" if present is None else present).partition(":")
    if not group or not re.fullmatch(r"[\w-]+", owner):
        raise _No(
            "which group the files of {} have is not known; give user and group there", copy, kind="not-known"
        )
    return f"{value}:{group}" if not value.startswith(":") else owner + value


def _covered(
    picture: Picture, run: Instruction, command: _Command, moving: Sequence[shell.Command]
) -> tuple[list[Instruction], list[str], list[str]]:
    """The COPY lines whose files the command changes, the words of targets without any, and the directories that
    keep their owner by name. Raises unless the targets hold what these lines bring and nothing else."""
    covered: list[Instruction] = []
    rest: list[str] = []
    directories: list[str] = []
    plain = [word for word in command.node.args if not word.text.startswith("-")]
    words = plain[1:]
    if len(words) != len(command.targets) or command.node.assignments or command.node.redirects:
        raise _No("`{}` could not be read; {}", command.text, _advice([command]), kind="not-known")
    for word, target in zip(words, command.targets, strict=True):
        if target is None or re.search(r"[*?\[{~]", target):
            raise _No("what {} is cannot be determined; {}", word.text, _advice([command]), kind="not-known")
        found, inner = _holders(picture, run, command, target, moving)
        if not found:
            rest.append(word.text)
            continue
        covered += [copy for copy in found if copy not in covered]
        if command.parsed.recursive:
            directories += [word.text, *(path for path in inner if path != target)]
    return covered, rest, directories


def _holders(
    picture: Picture, run: Instruction, command: _Command, target: str, moving: Sequence[shell.Command]
) -> tuple[list[Instruction], list[str]]:
    """COPY lines that fill the target, and directories in it that no COPY brings as part of a tree."""
    if not is_own_place(target):
        if not any(_covers(command, target, file.path) for file in _reowned(picture, run)) and not any(
            related(target, picture.target_of(other) or "/")
            for other in _before(picture, run)
            if other.keyword in ("COPY", "ADD")
        ):
            return [], []
        raise _No("{} may hold files of the base image; {}", target, _advice([command]))
    found: list[Instruction] = []
    made: dict[str, None] = {}

    def make(path: str) -> None:
        steps = []
        while contains(target, path) and path != target:
            steps.append(path)
            path = posixpath.dirname(path)
        made.update(dict.fromkeys(reversed(steps)))

    parents = set(_EVERYWHERE)
    for other in _before(picture, run):
        if other.keyword == "WORKDIR":
            path = picture.workdir_at(other)
            value = picture.expand(other, other.text)
            if path is None or value is None:
                raise _No("where {} leads is not known; {}", other, _advice([command]), kind="not-known")
            path = join(path, value)
            if contains(target, path):
                make(path)
            parents.update(_ancestors(path))
        elif other.keyword in ("COPY", "ADD"):
            place = picture.target_of(other)
            if place is None:
                raise _No("where {} copies to is not known; {}", other, _advice([command]), kind="not-known")
            bringing = _brings(picture, other, place, target, command)
            if bringing is None:
                continue
            if not found and posixpath.dirname(target) not in parents and place != "/":
                raise _No(
                    "{} makes {}, which BuildKit would give to the same owner; make it with WORKDIR first, and {}",
                    other,
                    posixpath.dirname(target),
                    _advice([command]),
                )
            found.append(other)
            for path in bringing:
                make(path)
        elif other.keyword == "RUN":
            _require_only_makes(picture, other, picture.script_of(other).script, target, make, command)
        elif other.keyword == "VOLUME":
            paths = other.json or tuple(word.text for word in other.words)
            if any(related(normal("/" + path), target) for path in paths):
                raise _No("{} makes it a volume, where builders treat changes differently", other)
    if found:
        script = picture.script_of(run).script
        starts = {node.start for node in moving}
        earlier = [
            node for node in script.commands if node.start < command.node.start and node.start not in starts
        ]
        before = shell.Script(script.text, tuple(earlier), script.broken)
        _require_only_makes(picture, run, before, target, make, command)
    return found, list(made)


def _reowned(picture: Picture, run: Instruction) -> tuple[File, ...]:
    layer = picture.layer_of(run)
    return layer.reowned if layer is not None else ()


def _ancestors(path: str) -> Iterator[str]:
    while True:
        yield path
        if path == "/":
            return
        path = posixpath.dirname(path)


def _brings(
    picture: Picture, copy: Instruction, place: str, target: str, command: _Command
) -> tuple[str, ...] | None:
    """The directories a COPY makes by naming them, when all it brings lies in the target; None when nothing does."""
    layer = picture.layer_of(copy)
    files = layer.files if layer is not None else ()
    known = layer is not None and layer.complete
    inside = [file for file in files if _covers(command, target, file.path)]
    if not related(place, target) or (known and files and not inside):
        return None
    directories_alone = known and not files and not contains(target, place)  # an empty layer of the jar
    if directories_alone and not any(contains(target, path) for path in _tree(picture, copy, place)):
        return None
    if not known and place != target and contains(place, target) and _names_files(copy):
        return None  # files beside the target
    if not known and not command.parsed.recursive and place != target and contains(target, place):
        return None  # the directory alone changes
    if known and len(inside) < len(files):
        raise _No("{} brings more than {}; give it its own COPY ({})", copy, target, _flag_of(command))
    if copy not in picture.final.stage.instructions:
        raise _No("{} copies in a stage below the last one; {}", copy, _advice([command]))
    if copy.heredocs or copy.flag("chmod" if command.program == "chmod" else "") is not None:
        raise _No("{} says more than a plain COPY; {}", copy, _advice([command]))
    if copy.keyword == "ADD" and not known:
        raise _No("{} may unpack or download; {}", copy, _advice([command]))
    if copy.flag("link") is not None and not re.fullmatch(r"[\d:]+", command.parsed.spec or ""):
        raise _No("{} copies with --link, which takes owners by number only", copy)
    if not known and not command.parsed.recursive:
        raise _No("what {} brings is not known; {}", copy, _advice([command]), kind="not-known")
    if not command.parsed.recursive:
        return ()
    if contains(target, place):
        if files and [file.path for file in files] == [place]:
            return (posixpath.dirname(place),)
        is_file = _names_files(copy) and place not in picture.final.content.directories
        if not known and is_file and not fills_directory(copy.words[-1].text, copy.words[:-1]):
            return (posixpath.dirname(place),) if place != target else ()
        if not known and place != target and not fills_directory(copy.words[-1].text, copy.words[:-1]):
            raise _No(
                "whether {} of {} is a directory is not known; {}",
                place,
                copy,
                _advice([command]),
                kind="not-known",
            )
        return (place,)
    if not known:
        raise _No("{} may bring other files as well; {}", copy, _advice([command]))
    # a tree whose top is above the target: with the flag its upper directories would change owner, too
    outside = [path for path in _tree(picture, copy, place) if not contains(target, path)]
    if outside:
        raise _No(
            "{} brings {} as well, which would change its owner; {}", copy, outside[0], _advice([command])
        )
    return ()


def _tree(picture: Picture, copy: Instruction, place: str) -> list[str]:
    """The directories below ``place`` that a COPY of whole trees brings; ``place`` itself where that is not known."""
    flag = copy.flag("from")
    stage = picture.document.stage(flag.value or "") if flag is not None else None
    if stage is None:
        return [place]
    found: list[str] = []
    for word in copy.words[:-1]:
        source = picture.expand(copy, word.text)
        if source is None or re.search(r"[*?\[]", source):
            return [place]
        top = normal("/" + source)
        found += [
            normal(place + "/" + path[len(top.rstrip("/")) :])
            for path in picture.contents[stage.index].directories
            if contains(top, path) and path != top
        ]
    return sorted(found)


def _flag_of(command: _Command) -> str:
    return f"--chmod={command.parsed.spec}" if command.program == "chmod" else f"--chown={_spec(command)}"


def _names_files(copy: Instruction) -> bool:
    """Whether every source is a file by its name: `*.jar`, `start.sh`."""
    return all(re.search(r"\.\w{1,10}[\"']?$", word.text) for word in copy.words[:-1])


def _require_only_makes(
    picture: Picture,
    run: Instruction,
    script: shell.Script,
    target: str,
    make: Callable[[str], None],
    command: _Command,
) -> None:
    """No command may write below the target but mkdir, whose directories are given to ``make``."""
    if script.broken:
        raise _No("{} could not be read; {}", run, _advice([command]), kind="not-known")
    others: list[shell.Command] = []
    scope = dict(picture.scope(run))
    cwd = picture.workdir_at(run)
    for node in script.commands:
        words = [word.value(scope) for word in node.args]
        scope.update({assignment.text.partition("=")[0]: None for assignment in node.assignments})
        if node.program in ("cd", "export", "read"):
            cwd = None  # or a variable is not what it was; what follows is looked at as a whole
            scope = {}
        if node.program == "mkdir" and not node.redirects:
            made = _made(words, cwd)
            if made is not None:
                for path in made:
                    if contains(target, path):
                        make(path)
                continue
        if node.program in _PROGRAMS and (
            _is_other_kind(node.program, words, command) or not _may_change(words, cwd, target)
        ):
            continue
        others.append(node)
    mounts = any(flag.name == "mount" for flag in run.flags)
    reach = reach_of(picture, run) if mounts else reach_of_commands(picture, run, others)
    if reach.meets(target):
        raise _No("{} may write into {} as well; {}", run, target, _advice([command]))


def _made(arguments: Sequence[str | None], cwd: str | None) -> list[str] | None:
    """The directories of a plain `mkdir`; None when they cannot be told."""
    paths: list[str] = []
    for word in arguments:
        if word is None or re.search(r"[*?\[{~]", word) or re.match(r"-\w*m|--mode|--context|-\w*Z", word):
            return None
        if word.startswith("-"):
            continue
        if not (cwd or word.startswith("/")):
            return None
        paths.append(join(cwd or "/", word))
    return paths


def _is_other_kind(program: str | None, arguments: Sequence[str | None], command: _Command) -> bool:
    """Whether it changes modes where the command changes owners, or the other way round: the order is all one then,
    but for the bits that chown takes away."""
    modes = program == "chmod"
    if modes == (command.program == "chmod"):
        return False
    spec = owner_command([word or "" for word in arguments]).spec or "s" if modes else ""
    return re.fullmatch(r"0?[0-7]{3}|[ugoa]*[+=-][rwxX,=+ugoa-]*|", spec) is not None


def _may_change(arguments: Sequence[str | None], cwd: str | None, target: str) -> bool:
    """Whether a chown or chmod may change something at or below the target."""
    if None in arguments:
        return True
    parsed = owner_command([word or "" for word in arguments])
    for path in parsed.paths:
        if not (cwd or path.startswith("/")) or re.search(r"[*?\[{~]", path):
            return True
        where = join(cwd or "/", path)
        if contains(target, where) or (parsed.recursive and contains(where, target)):
            return True
    return False


def _require_names(
    picture: Picture, run: Instruction, command: _Command, value: str, covered: Sequence[Instruction]
) -> None:
    """Owners given by name must exist where the first COPY stands, with the same numbers."""
    user, _, group = value.partition(":")
    named = {
        name
        for name, makes in ((user, _makes_user), (group, makes_group))
        if name
        and not name.isdigit()
        and name != "root"
        and not any(
            makes(picture, other, name) for other in _before(picture, covered[0]) if other.keyword == "RUN"
        )
    }
    if all(name.isdigit() or name in ("", "root") for name in (user, group)):
        return
    between = [
        other for other in _before(picture, run) if other.keyword == "RUN" and other.line > covered[0].line
    ]
    earlier = [node for node in picture.script_of(run).script.commands if node.start < command.node.start]
    reaches = [*(reach_of(picture, other) for other in between), reach_of_commands(picture, run, earlier)]
    for reach, where in zip(reaches, [*between, run], strict=True):
        if reach.anything or reach.changed_users or (reach.new_users and named):
            who = " and ".join(sorted(named)) or value
            raise _No(
                "{} may not exist above {}; make the user above {}, and {}",
                who,
                where,
                covered[0],
                _advice([command]),
            )


def _makes_user(picture: Picture, run: Instruction, name: str) -> bool:
    return any(
        node.program in ("useradd", "adduser") and any(word.literal == name for word in node.args)
        for node in picture.script_of(run).script.commands
    )


def makes_group(picture: Picture, run: Instruction, name: str) -> bool:
    """A group of its own, or the one that comes with a user: not with a system user of `adduser`."""
    for node in picture.script_of(run).script.commands:
        words = [word.literal for word in node.args]
        if not words or words[-1] != name:
            continue
        if node.program in ("groupadd", "addgroup"):
            return True
        options = [word for word in words[:-1] if word and word.startswith("-")]
        other = any(re.match(r"-[gGN]|--(gid|ingroup|nogroup|no-user-group)", option) for option in options)
        system = node.program == "adduser" and any(re.match(r"-\w*S|--system", word) for word in options)
        if node.program in ("useradd", "adduser") and (("--group" in options) or not (other or system)):
            return True
    return False


def group_of(picture: Picture, run: Instruction, user: str) -> str | None:
    """The group that a RUN gives to a user whom it makes without one of the same name; None where it cannot be told."""
    for node in picture.script_of(run).script.commands:
        words = [word.literal for word in node.args]
        if node.program not in ("useradd", "adduser") or not words or words[-1] != user:
            continue
        options = "g" if node.program == "useradd" else "G"
        named = rf"(?:-\w*{options}|--(?:gid|ingroup))"
        for at, word in enumerate(words[:-2]):
            if word is not None and re.fullmatch(named, word):
                return words[at + 1]
        for word in words:
            match = re.fullmatch(rf"(?:--(?:gid|ingroup)=|-{options})([\w-]+)", word or "")
            if match:
                return match[1]
        if node.program == "adduser" and any(
            re.fullmatch(r"-\w*S\w*|--system", word or "") for word in words
        ):
            return "nogroup"
    return None


def _shorter(
    picture: Picture,
    run: Instruction,
    script: shell.Script,
    command: _Command,
    rest: list[str],
    directories: list[str],
) -> Edit:
    """The command without what the COPY lines say now; the whole RUN goes when nothing is left."""
    parts = []
    words = [word.text for word in command.node.words]
    spec = next(word.text for word in command.node.args if not word.text.startswith("-"))
    options = [word for word in words[1:] if word.startswith("-")]
    if directories:
        kept = [re.sub(r"^-(\w*)R(\w*)$", r"-\1\2", option) for option in options]
        kept = [option for option in kept if option not in ("-", "--recursive")]
        parts.append(" ".join([words[0], *kept, spec, *directories]))
    if rest:
        # behind the directories, which exist: chown goes on after a path that does not, `&&` would not
        parts.append(" ".join([words[0], *options, spec, *rest]))
    text = picture.document.text
    node = command.node
    if parts:
        return Edit(run.source_span(node.start, node.end), " && ".join(parts))
    nodes = list(script.commands)
    at = nodes.index(node)
    if len(nodes) == 1:
        return picture.removal(run)
    span = (
        run.source_span(node.start, nodes[1].start)
        if at == 0
        else run.source_span(nodes[at - 1].end, node.end)
    )
    if re.search(r"(?m)^\s*#", text[span.start : span.end]):
        raise _No("give owner and mode in the COPY lines; a comment stands inside the RUN of {}", run)
    return Edit(span, "")


def _copy_edits(picture: Picture, copy: Instruction, wanted: dict[str, str]) -> Iterator[Edit]:
    """One edit from the first flag to the last word, so that no other rule changes the same line unseen."""
    text = picture.document.text
    start, end = copy.keyword_span.end, copy.words[-1].span.end
    new = text[start:end]
    for name, value in sorted(wanted.items()):
        present = copy.flag(name)
        if present is not None and present.value == value:
            continue
        if present is not None:
            old = text[present.span.start : present.span.end]
            new = new.replace(old, f"--{name}={value}", 1)
        else:
            new = f" --{name}={value}{new}"
    if new != text[start:end]:
        yield Edit(Span(start, end), new)
