"""The lines of a final image that builds, and the places of the project that is built in it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from imgopt.dockerfile import Instruction
from imgopt.java import building
from imgopt.light.records import dataclass
from imgopt.os_packages import commands as packages
from imgopt.picture.contents import File, Layer
from imgopt.picture.paths import join
from imgopt.picture.placing import names_archive
from imgopt.plans.splitting import effects
from imgopt.plans.splitting.container import Obstacle, run_time_texts, started_jar
from imgopt.plans.splitting.effects import Call
from imgopt.shell import all_commands
from imgopt.users import ROOT_NAMES

if TYPE_CHECKING:
    from imgopt.picture import Picture

#: Top-level directories of the system: what stands in them belongs to no project, not even to one in ``/``.
_SYSTEM = frozenset(
    (
        "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var"
    ).split()
)


@dataclass(frozen=True)
class Line:
    """An instruction of the final image. ``own``: it stands in the final stage itself, not in one below it."""

    number: int
    instruction: Instruction
    stage: str
    own: bool
    workdir: str
    user: str

    @property
    def where(self) -> Instruction:
        return self.instruction


def below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _lines(picture: Picture) -> Iterator[Line]:
    workdir, user, number = "/", "", 0
    for stage in picture.final.lineage:
        for instruction in stage.stage.instructions:
            yield Line(number, instruction, stage.name, stage is picture.final, workdir, user)
            number += 1
            if instruction.keyword == "WORKDIR":
                path = picture.expand(instruction, instruction.text)
                if path is None:
                    raise Obstacle(
                        "{} sets a working directory that is not known beforehand",
                        instruction,
                        kind="not-known",
                    )
                workdir = join(workdir, path or ".")
            elif instruction.keyword == "USER":
                user = (picture.expand(instruction, instruction.text) or instruction.text).partition(":")[0]


class Project:
    """Where the build takes place and what belongs to it. ``before`` are the lines up to the last that has to do
    with the build or its results, ``after`` the others; ``jar`` is what the container starts.

    Raises Obstacle when a RUN line cannot be read, or when it cannot be told which jar is started.
    """

    def __init__(self, picture: Picture, builds: tuple[Instruction, ...]) -> None:
        self.picture = picture
        self.lines = tuple(_lines(picture))
        self.workdir = picture.final.content.workdir
        self.jar = started_jar(picture)
        self._calls: dict[int, tuple[Call, ...]] = {}
        self._named: set[str] = set()  # files that build commands name: settings, other build files
        numbers = [line.number for line in self.lines if line.instruction in builds]
        self.first, self._last_build = min(numbers), max(numbers)
        self.homes = tuple(dict.fromkeys(self._homes()))
        self.last = self._last_handling()
        self.before, self.after = self.lines[: self.last + 1], self.lines[self.last + 1 :]

    # what lines bring and do

    def layer(self, line: Line) -> Layer | None:
        return (
            self.picture.layer_of(line.instruction) if line.instruction.keyword in ("COPY", "ADD") else None
        )

    def files(self, line: Line) -> tuple[File, ...]:
        """What a COPY or ADD is known to bring."""
        layer = self.layer(line)
        return layer.files if layer is not None else ()

    def destination(self, line: Line) -> str | None:
        """Where a COPY puts what it names; of a directory, that directory. Nothing of a COPY without arguments."""
        instruction = line.instruction
        if not instruction.words:
            return None
        return self.picture.target_of(instruction)

    def calls(self, line: Line) -> tuple[Call, ...]:
        """The commands of a RUN."""
        if line.number not in self._calls:
            home = "/root" if line.user in ROOT_NAMES else f"/home/{line.user}"
            variables = self.picture.scope(line.instruction)
            try:
                found = effects.calls(
                    self.picture.script_of(line.instruction).text, line.workdir, home, variables
                )
            except effects.Unclear as reason:
                raise Obstacle("{} {}", line.where, reason.reason, kind=reason.reason.kind) from reason
            self._calls[line.number] = found
        return self._calls[line.number]

    @cached_property
    def sources(self) -> tuple[File, ...]:
        """Every file that a line before the split brings and only the build needs."""
        return tuple(
            file for line in self.before for file in self.files(line) if self.for_the_build(file.path)
        )

    @cached_property
    def carried(self) -> frozenset[str]:
        """Files that came along with sources in one COPY and that no build needs: the new stage gets them from the
        build stage, as that has them in the end."""
        found: set[str] = set()
        for line in self.before:
            layer = self.layer(line)
            if layer is None or not layer.complete or line.instruction.flag("from") is not None:
                continue
            others = {file.path for file in layer.files if not self.for_the_build(file.path)}
            if len(others) < len(layer.files):
                found |= {path for path in others - {self.jar} if not self._is_removed(path, line)}
        return frozenset(found)

    def _is_removed(self, path: str, copied: Line) -> bool:
        """Whether a later line of the build takes away what a COPY brought."""
        for line in self.before[copied.number + 1 :]:
            for call in self.calls(line) if line.instruction.keyword == "RUN" else ():
                gone = {"rm": call.paths, "mv": call.paths[:-1]}.get(call.program, ())
                if not any(below(path, each) or fnmatchcase(path, each) for each in gone):
                    continue
                if call.program == "mv" or call.command.depth or call.command.operator == "||":
                    raise Obstacle("{} moves {}, or removes it under a condition", line.where, path)
                return True
        return False

    # places

    def _homes(self) -> Iterator[str]:
        """The directories of what is built: where build commands run, and what holds a build file."""
        for line in self.lines[: self._last_build + 1]:
            if line.instruction.keyword == "RUN":
                for call in self.calls(line):
                    if building.builds(call.command):
                        yield self._project(call)
            found = [
                posixpath.dirname(file.path)
                for file in self.files(line)
                if posixpath.basename(file.path) in building.BUILD_FILES
            ]
            yield from found
            target = self.destination(line) if found else None
            if target is not None and all(below(home, target) for home in found):
                yield target  # what is copied around modules

    def _project(self, call: Call) -> str:
        """The directory that a build command works in."""
        for option in ("-s", "--settings", "-gs", "--global-settings", "-t", "-I", "--init-script", "-c"):
            if value := call.option(option):
                self._named.add(call.path(value))
        file = call.option("-f", "--file", "-b", "--build-file")
        if file:
            path = call.path(file)
            self._named.add(path)
            return posixpath.dirname(path) if posixpath.splitext(path)[1] else path
        folder = None
        if call.program.startswith("gradle"):
            folder = call.option("-p", "--project-dir")
        elif call.program in building.WEB_TOOLS:
            folder = call.option("--prefix", "-C", "--cwd")
        return call.path(folder) if folder else call.cwd

    def inside(self, path: str) -> bool:
        """Whether a path lies in a project: where the build may have needed or made it."""
        return any(
            below(path, home) if home != "/" else path.split("/")[1] not in _SYSTEM for home in self.homes
        )

    def for_the_build(self, path: str) -> bool:
        """Whether a path is the build's own: its inputs, its output, its tools and what those download."""
        if path in self._named or posixpath.basename(path) in building.WRAPPERS:
            return True
        if building.TOOL_DIRECTORIES.search(path):
            return True
        if not self.inside(path) or path in self.homes:
            return False
        if below(path, join(self.workdir, "src/main/webapp")):
            return False  # an embedded server takes it for its document root when it stands in the working directory
        return any(below(path, home) for home in self.web_homes) or building.is_input(self.relative(path))

    def relative(self, path: str) -> str:
        """A path as the innermost project or module around it sees it."""
        home = max((home for home in self.homes if below(path, home)), key=len, default="/")
        return path[len(home.rstrip("/")) + 1 :]

    @cached_property
    def web_homes(self) -> tuple[str, ...]:
        """Web projects beside the Java one: all in them is source, unless the application runs in there."""
        files = [file.path for line in self.lines[: self._last_build + 1] for file in self.files(line)]
        java = {posixpath.dirname(path) for path in files if posixpath.basename(path) in building.BUILD_FILES}
        web = {
            posixpath.dirname(path) for path in files if posixpath.basename(path) == building.WEB_BUILD_FILE
        }
        return tuple(
            home
            for home in web
            if not any(below(other, home) for other in java) and not below(self.workdir, home)
        )

    # the build and what becomes of it

    def _last_handling(self) -> int:
        """The last line that has to do with what was built: it, too, stays in the build stage."""
        last = self._last_build
        for line in self.lines[last + 1 :]:
            if line.instruction.keyword == "RUN" and any(self.handles(call) for call in self.calls(line)):
                last = line.number
        return last

    def handles(self, call: Call) -> bool:
        """Whether a command has to do with the build's files or with making the jar out of them."""
        paths = [path for word, path in zip(call.plain, call.paths, strict=True) if "://" not in word]
        if call.program in ("mv", "cp", "ln", "install") and len(paths) > 1:
            archives = any(names_archive(source) for source in paths[:-1])
            if self.jar in paths or (archives and paths[-1] == posixpath.dirname(self.jar)):
                return True
        if call.installs is not None or call.program in effects.SETTING_UP or call.program == "echo":
            return False
        return any(path != self.jar and self.for_the_build(path) for path in paths)

    def made_from(self) -> str | None:
        """The path that the build gives the jar: the jar's own, or what a command moved or copied there."""
        if building.is_output(self.jar) and self.inside(self.jar):
            return self.jar
        for line in self.lines[self.first : self.last + 1]:
            for call in self.calls(line):
                if call.program not in ("mv", "cp", "ln", "install") or len(call.paths) < 2:
                    continue
                *sources, target = call.paths
                for source in sources:
                    if not names_archive(source):
                        continue
                    into = join(target, posixpath.basename(source))
                    if self.jar in (target, into) or (
                        "*" in posixpath.basename(source) and target == posixpath.dirname(self.jar)
                    ):
                        return source
        return None

    # packages

    def fetches_tools(self, call: Call) -> bool:
        """Whether a command only installs, removes or downloads what a build needs."""
        found = call.installs
        if found is not None:
            return found.action in ("install", "remove") and bool(found.names) and not self.wanted(found)
        return call.program in ("curl", "wget") and building.fetches_tools(call.words)

    def wanted(self, call: packages.PackageCommand) -> list[str]:
        """The packages of a call that are not only a build's."""
        return [
            name or ""
            for name in call.names
            if re.split(r"[=~<>]", name or "")[0] not in building.TOOL_PACKAGES
            or packages.commands_of(name or "", call.manager) & self.started
        ]

    @cached_property
    def started(self) -> frozenset[str]:
        """Every program that the container is seen to start."""
        return frozenset(
            building.program_of(command) or ""
            for _, text in run_time_texts(self.picture)
            for command in all_commands(text)
        )
