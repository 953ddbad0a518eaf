"""Puts the new final stage together: what of the lines before the split it repeats, and what it takes from the build.

A line is left to the build, repeated, or neither can be told; then nothing is split.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from imgopt.dockerfile import Edit, Instruction, Span, apply_edits, assignments, writing
from imgopt.java import building
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.os_packages import commands as packages
from imgopt.picture import Picture
from imgopt.picture.contents import File
from imgopt.picture.module_path import place_of
from imgopt.picture.paths import join
from imgopt.picture.placing import names_archive
from imgopt.plans.splitting import effects
from imgopt.plans.splitting.container import Obstacle, run_time_texts
from imgopt.plans.splitting.effects import Call, shown
from imgopt.plans.splitting.project import Line, Project, below
from imgopt.text.quoting import Unwritable
from imgopt.users import ROOT_NAMES

#: Instructions that make no difference to a build: they move to the stage that runs.
_FOR_RUNNING = frozenset(
    {"EXPOSE", "LABEL", "VOLUME", "HEALTHCHECK", "STOPSIGNAL", "CMD", "ENTRYPOINT", "MAINTAINER"}
)
#: Where a command may leave or remove what nothing at run time reads.
_CACHES = regex(r"/tmp(?:/|$)|/var/(?:lib/apt/lists|cache)(?:/|$)|/usr/share/(?:doc|man)(?:/|$)")
#: Files that are read, and places that are written to.
_FILE_NAME = regex(r"\.(?:jar|war|xml|ya?ml|properties|conf|json|p12|jks|pem|crt|key|sh|so|policy)$")
_WRITTEN_TO = regex(
    r"log|dump|te?mp|gc|heap|error|jfr|pid|upload|data|cache|storage|\bout\b|\bdb\b", re.IGNORECASE
)
#: Settings whose value is where to read from, be it a bare name.
_READ_FROM = regex(
    r"(?i)(?:loader[._]path|config[._](?:additional[._-]?)?location|logging[._]config)=([^\s\"']+)"
)
_ADDRESS = regex(r"(?<!\w)\w+://[^\s\"']*|(?<![\w.-])[\w.-]+:\d+[^\s\"']*")
#: Variables for the build tools alone.
_TOOL_VARIABLES = regex(r"M2|MAVEN|MVN|GRADLE|NODE|NPM|YARN|PATH$|JAVA_HOME$")


@dataclass(frozen=True)
class Written:
    """A line of the new stage, and the instruction that it repeats."""

    text: str
    instruction: Instruction | None = None


@dataclass
class Stage:
    """The new stage up to where the author's own lines go on. ``moved``: the instructions that it takes over from
    the build stage. ``unseen``: the line that brings a whole project which is not there to be read. ``handed_on``: the
    directories that it takes whole, and where the build stage lays them out for it."""

    lines: list[Written] = field(default_factory=list)
    moved: list[Instruction] = field(default_factory=list)
    unseen: Line | None = None
    handed_on: dict[str, str] = field(default_factory=dict)
    _there: set[str] = field(default_factory=set)
    _whole: set[str] = field(default_factory=set)  # there with all that was in them; patterns, too

    def has(self, path: str) -> bool:
        if any(below(path, each) or fnmatchcase(path, each) for each in self._whole):
            return True
        if re.search(r"[*?\[]", path):
            return any(fnmatchcase(name, path) for name in self._there)
        return path in self._there

    def add(self, path: str, *, whole: bool = False) -> None:
        if whole:
            self._whole.add(path)
        while path != "/" and path not in self._there:
            self._there.add(path)
            path = posixpath.dirname(path)


def new_stage(project: Project, build_stage: str) -> Stage:
    """The stage that runs, its files copied from ``build_stage``. Raises Obstacle."""
    return _Builder(project, build_stage).build()


@dataclass
class _Builder:
    project: Project
    build_stage: str
    stage: Stage = field(default_factory=Stage)

    def build(self) -> Stage:
        project, stage = self.project, self.stage
        for line in project.before:
            keyword = line.instruction.keyword
            if keyword in ("COPY", "ADD"):
                self._carry_files(line)
            elif keyword == "RUN":
                self._carry_run(line)
            else:
                if keyword == "WORKDIR":
                    stage.add(self._entered(line))
                self._repeat(line)
                if keyword in _FOR_RUNNING and line.own:
                    stage.moved.append(line.instruction)
        self._copy((), project.jar, into=project.jar)
        stage.add(project.jar)
        for line in project.after:
            keyword = line.instruction.keyword
            if keyword == "RUN":
                self._require_possible(line)
            elif keyword in ("COPY", "ADD"):
                self._note_copied(line)
            elif keyword == "WORKDIR":
                stage.add(self._entered(line))
            if not line.own:
                self._repeat(line)
        stage.lines = self._without_idle(stage.lines)
        self._require_unnamed()
        return stage

    def _entered(self, line: Line) -> str:
        path = self.project.picture.expand(line.instruction, line.instruction.text)
        return join(line.workdir, path or ".")

    def _word(self, keyword: str) -> str:
        picture = self.project.picture
        first = picture.document.text[picture.final.stage.from_.keyword_span.start]
        return keyword.lower() if first.islower() else keyword

    def _write(self, text: str, instruction: Instruction | None = None) -> None:
        self.stage.lines.append(Written(text, instruction))

    def _repeat(self, line: Line, text: str | None = None) -> None:
        span = line.instruction.span
        source = self.project.picture.document.text[span.start : span.end]
        self._write(source if text is None else text, line.instruction)

    def _without_idle(self, lines: Sequence[Written]) -> list[Written]:
        """Without what the next line of its kind replaces before anything used it, ARGs that nothing uses any more,
        and directories that WORKDIR makes by itself."""
        project = self.project
        later = [line.instruction for line in lines if line.instruction is not None]
        later += [line.instruction for line in project.after if line.own]
        runs = any(instruction.keyword == "RUN" for instruction in later)
        texts = [instruction.text for instruction in later]
        # BuildKit gives to the user what a WORKDIR below USER makes
        entered = {
            self._entered(line)
            for line in project.lines
            if line.instruction.keyword == "WORKDIR" and line.user in ROOT_NAMES
        }
        kept: list[Written] = []
        installs = [self._installs(instruction) for instruction in later]
        for number, line in enumerate(lines):
            instruction = line.instruction
            following = lines[number + 1].instruction if number + 1 < len(lines) else None
            if instruction is not None:
                replaced = following is not None and following.keyword == instruction.keyword
                if instruction.keyword == "USER" and replaced:
                    continue
                if (
                    instruction.keyword == "WORKDIR"
                    and replaced
                    and following
                    and following.text.startswith("/")
                ):
                    continue
                # a RUN may use an ARG without naming it (DEBIAN_FRONTEND)
                if instruction.keyword == "ARG" and not runs and not _is_used(instruction, texts):
                    continue
                if instruction.keyword == "RUN" and self._only_makes(instruction, entered):
                    continue
                if self._installs(instruction) == {"refresh"} and not any(
                    "install" in each for each in installs
                ):
                    continue
            kept.append(line)
        return kept

    def _installs(self, instruction: Instruction) -> set[str]:
        """What a RUN does with packages, when that is all it does."""
        if instruction.keyword != "RUN":
            return set()
        line = next(line for line in self.project.lines if line.instruction is instruction)
        return {
            call.installs.action if call.installs is not None else "" for call in self.project.calls(line)
        }

    def _only_makes(self, instruction: Instruction, entered: set[str]) -> bool:
        """Whether a RUN makes nothing but directories that WORKDIR makes with the same owner and mode."""
        line = next(line for line in self.project.lines if line.instruction is instruction)
        return line.user in ROOT_NAMES and all(
            call.program == "mkdir"
            and not any(word.startswith(("-m", "--mode")) for word in call.words)
            and all(any(below(directory, path) for directory in entered) for path in call.paths)
            for call in self.project.calls(line)
        )

    # files

    def _carry_files(self, line: Line) -> None:
        """A COPY or ADD before the split: left to the build, repeated, or what no build needs taken from its stage."""
        layer = self.project.layer(line)
        if line.instruction.flag("from") is not None or layer is None or not layer.complete:
            self._carry_by_name(line)
            return
        others = [file for file in layer.files if file.path in self.project.carried]
        if not any(self.project.for_the_build(file.path) for file in layer.files):
            self._repeat(line)
            self._note_copied(line)
        elif others:
            self._carry_from_build(line, others)

    def _carry_by_name(self, line: Line) -> None:
        """A COPY whose files are not known: its names tell whether it serves the build."""
        project = self.project
        target = project.destination(line)
        sources = [word.text for word in line.instruction.words[:-1]]
        if target is None:
            raise Obstacle("{} copies to a path that is not known beforehand", line.where, kind="not-known")
        from_stage = line.instruction.flag("from") is not None
        if project.for_the_build(target):
            return
        if not from_stage and (
            building.fetches_tools(sources)
            or all(self._is_input_by_name(source, target) for source in sources)
        ):
            return
        if not from_stage and project.inside(target) and any(_is_everything(source) for source in sources):
            self.stage.unseen = self.stage.unseen or line
            return
        self._repeat(line)
        self._note_copied(line)

    def _is_input_by_name(self, source: str, target: str) -> bool:
        name = posixpath.basename(source.rstrip("/"))
        stem = name.rstrip("*")
        return self.project.inside(target) and (
            any(building.is_input(each) for each in (name, stem, f"{stem}/x"))
            or self.project.for_the_build(join(target, name))
        )

    def _carry_from_build(self, line: Line, files: Sequence[File]) -> None:
        """Files that were copied along with sources: a directory where nothing in it is the build's, else by name."""
        project = self.project
        base = project.destination(line) or "/"
        builds = {project.jar, *project.homes, *(file.path for file in project.sources)}
        occupied = {directory for path in builds for directory in _above(path)} | set(project.homes)
        directories: list[str] = []
        single: dict[str, list[str]] = {}
        for file in sorted(files, key=lambda file: file.path):
            whole = self._whole_directory(file.path, base, occupied)
            if whole is None:
                single.setdefault(posixpath.dirname(file.path), []).append(file.path)
            elif whole not in directories:
                directories.append(whole)
            self.stage.add(file.path)
        owner = line.instruction.flag("chown")
        flags: tuple[str, ...] = ()
        if owner is not None and not _runs_as_root(project):
            flags = (project.picture.document.text[owner.span.start : owner.span.end],)
        for parent, paths in single.items():
            self._copy(flags, *paths, into=parent.rstrip("/") + "/")
        for directory in directories:
            self.stage.add(directory, whole=True)
            # a path of the module's own: kaniko keeps what it finds at the same path of another module's build
            there = f"/handed-on/{place_of(project.picture)}/out{directory}"
            self.stage.handed_on[directory] = there
            self._copy(flags, f"{there}/", into=f"{directory}/")

    def _copy(self, flags: Sequence[str], *sources: str, into: str) -> None:
        """Writes a COPY from the build stage."""
        try:
            words = [*map(writing.source, sources), writing.word(into)]
            from_ = writing.flag("from", self.build_stage)
        except Unwritable as reason:
            raise Obstacle("COPY cannot name what is in the build stage: {}", str(reason)) from reason
        self._write(writing.copy(self._word("COPY"), (from_, *flags), words))

    def _whole_directory(self, path: str, base: str, occupied: set[str]) -> str | None:
        """The outermost directory of the project below ``base`` that holds the file and nothing of the build's."""
        found = None
        for directory in _above(path):
            if not below(directory, base) or directory == base or directory in occupied:
                break
            if self.project.inside(directory):
                found = directory
        return found

    def _note_copied(self, line: Line) -> None:
        layer = self.project.layer(line)
        for file in self.project.files(line):
            self.stage.add(file.path)
        target = self.project.destination(line)
        if target is None or (layer is not None and layer.complete):
            return
        if not self._is_around_the_project(target):
            self.stage.add(target, whole=True)
            return
        for word in line.instruction.words[:-1]:
            self.stage.add(join(target, posixpath.basename(word.text.rstrip("/"))), whole=True)

    def _is_around_the_project(self, path: str) -> bool:
        return any(below(home, path) for home in self.project.homes)

    # commands

    def _carry_run(self, line: Line) -> None:
        """A RUN before the split: left to the build, or repeated for what it prepares."""
        project = self.project
        calls = project.calls(line)
        handles = line.number > project.first and any(project.handles(call) for call in calls)
        if handles or any(building.builds(call.command) for call in calls):
            self._require_only_build(line, calls)
            return
        if any(call.program in ("curl", "wget") and project.fetches_tools(call) for call in calls):
            self._require_only_tools(line, calls)
            return
        kinds = {self._kind(line, call) for call in calls}
        if "prepare" not in kinds and "some packages" not in kinds:
            if "build" not in kinds and "refresh" in kinds:
                self._repeat(line)  # a list of packages that a later RUN uses
            return
        if "build" in kinds:
            raise Obstacle("{} serves both the build and what runs; give each its own RUN", line.where)
        self._require_possible(line)
        self._repeat(line, self._without_tools(line, calls))

    def _kind(self, line: Line, call: Call) -> str:
        """What a command is for: "build", "prepare", "some packages", "refresh" or "nothing"."""
        project = self.project
        found = call.installs
        if found is not None:
            if found.action == "install" and found.names:
                wanted = len(project.wanted(found))
                return "build" if not wanted else "prepare" if wanted == len(found.names) else "some packages"
            if found.action == "remove":
                if not project.fetches_tools(call) and not all(
                    (name or "").startswith(".") for name in found.names
                ):
                    raise Obstacle(
                        "{} removes packages, and whether the stage that runs has them is not known",
                        line.where,
                        kind="not-known",
                    )
                return "build"
            return {"refresh": "refresh", "clean": "nothing"}.get(found.action, "prepare")
        if call.program == "git" or call.program in building.TOOLS:
            self._note_sources(line, call)
            return "build"
        changed = effects.changes(call)
        if changed is None:
            raise Obstacle(
                "{} runs `{}`, and whether the application needs what that does is not known",
                line.where,
                shown(call.command),
                kind="not-known",
            )
        if call.program in effects.SETTING_UP:
            return "prepare"
        if all(self._is_cache(path) for path in changed):
            return "nothing"
        own = [
            project.for_the_build(path)
            or (call.program == "rm" and project.inside(path) and not self.stage.has(path))
            for path in changed
        ]
        if all(mine or path in project.carried for mine, path in zip(own, changed, strict=True)):
            return "build"
        if any(own):
            raise Obstacle("{} changes files of the build and others with one command", line.where)
        return "prepare"

    def _note_sources(self, line: Line, call: Call) -> None:
        """Sources that come from a repository are not there to be read."""
        if (
            call.program == "git"
            and call.plain[:1]
            and call.plain[0] not in ("config", "init", "status", "log")
        ):
            self.stage.unseen = self.stage.unseen or line

    def _is_cache(self, path: str) -> bool:
        return _CACHES.match(path) is not None and not self.project.inside(path)

    def _require_only_build(self, line: Line, calls: Sequence[Call]) -> None:
        """All that a RUN does besides building is the build's own affair, or puts the jar where it is started."""
        project = self.project
        for call in calls:
            self._note_sources(line, call)
            if building.builds(call.command) or call.program == "git" or project.fetches_tools(call):
                continue
            found = call.installs
            if found is not None:
                if found.action in ("refresh", "clean", "remove"):
                    continue
                what = next(iter(project.wanted(found)), "packages")
                raise Obstacle(
                    "{} installs {} in the same RUN as it builds; give that its own RUN",
                    line.where,
                    what,
                )
            changed = effects.changes(call)
            if changed is None or call.program in effects.SETTING_UP:
                raise Obstacle(
                    "{} runs `{}` along with the build, and whether the application needs what that does is not known",
                    line.where,
                    shown(call.command),
                    kind="not-known",
                )
            for path in changed:
                if project.for_the_build(path) or path in project.carried or self._is_cache(path):
                    continue
                if self._is_about_the_jar(call, path) or (call.program == "rm" and project.inside(path)):
                    continue
                raise Obstacle(
                    "{} changes {} in the same RUN as it builds; give that its own RUN", line.where, path
                )

    def _is_about_the_jar(self, call: Call, path: str) -> bool:
        """The jar itself, or the directory that a command makes or fills for it."""
        jar = self.project.jar
        if path == jar or (call.program == "mkdir" and below(jar, path)):
            return True
        if call.program not in ("mv", "cp", "install"):
            return False
        *sources, target = call.paths
        if path != target:
            return self.project.inside(path)  # what is moved away
        return below(jar, path) and all(names_archive(source) for source in sources)

    def _require_only_tools(self, line: Line, calls: Sequence[Call]) -> None:
        """A RUN that downloads a build tool does nothing else that outlives it."""
        project = self.project
        for call in calls:
            found = call.installs
            if found is not None and found.action == "install":
                needed = [
                    name
                    for name in project.wanted(found)
                    if packages.commands_of(name, found.manager) & project.started
                    or not packages.commands_of(name, found.manager)
                ]
                if needed:
                    raise Obstacle(
                        "{} installs {} along with a build tool; give each its own RUN",
                        line.where,
                        needed[0],
                    )
            elif call.program in ("curl", "wget") and not project.fetches_tools(call):
                raise Obstacle("{} downloads more than a build tool; give that its own RUN", line.where)
            elif found is None and (effects.changes(call) is None or call.program in effects.SETTING_UP):
                raise Obstacle(
                    "{} runs `{}` along with the download of a build tool", line.where, shown(call.command)
                )

    def _require_possible(self, line: Line) -> None:
        """A RUN of the new stage is understood, and what it needs is there."""
        project, stage = self.project, self.stage
        for call in project.calls(line):
            changed = effects.changes(call)
            if changed is None or call.program == "git":
                raise Obstacle(
                    "{} runs `{}`, and whether that needs what stays in the build stage is not known",
                    line.where,
                    shown(call.command),
                    kind="not-known",
                )
            for path in effects.needs(call):
                if path.startswith("$") and not re.match(r"\$\{?JAVA_HOME\b", path):
                    raise Obstacle(
                        "{} needs {}, which is not known beforehand", line.where, path, kind="not-known"
                    )
                if not stage.has(path) and (project.inside(path) or project.for_the_build(path)):
                    raise Obstacle("{} needs {}, which stays in the build stage", line.where, path)
            for path in changed:
                stage.add(
                    path, whole=call.program in ("tar", "unzip") and not self._is_around_the_project(path)
                )
            if call.program in ("cp", "mv", "install", "ln") and len(call.paths) > 1:
                *sources, target = call.paths
                for source in sources:
                    stage.add(join(target, posixpath.basename(source)), whole=True)

    def _without_tools(self, line: Line, calls: Sequence[Call]) -> str | None:
        """The RUN without the packages that only the build needs; None when it installs none."""
        instruction = line.instruction
        cuts: list[Edit] = []
        for call in calls:
            found = call.installs
            if found is None or found.action != "install":
                continue
            wanted = self.project.wanted(found)
            if len(wanted) == len(found.names):
                continue
            if instruction.json is not None or call.command not in _own_commands(
                self.project.picture, instruction
            ):
                raise Obstacle("{} installs build tools among other packages", line.where)
            words = call.command.words
            for word, name in zip(found.packages, found.names, strict=True):
                if (name or "") not in wanted:
                    previous = words[words.index(word) - 1]
                    start = instruction.source_span(previous.start, previous.end).end
                    cuts.append(Edit(Span(start, instruction.source_span(word.start, word.end).end), ""))
        if not cuts:
            return None
        text, begin = self.project.picture.document.text, instruction.span.start
        moved = [Edit(Span(cut.span.start - begin, cut.span.end - begin), "") for cut in cuts]
        return apply_edits(text[begin : instruction.span.end], moved)

    # names of what stays behind

    def _require_unnamed(self) -> None:
        """Neither the start command nor a script or a variable that the application may read names what stays behind."""
        project = self.project
        texts = [(where, text, True) for where, text in run_time_texts(project.picture)]
        for line in project.lines:
            if line.instruction.keyword == "ENV":
                for assignment in assignments(line.instruction):
                    value = project.picture.expand(line.instruction, assignment.value or "") or ""
                    if not _TOOL_VARIABLES.match(assignment.name):
                        texts.append((line.where, f"{assignment.name}={value}", False))
        for where, text, runs in texts:
            text = re.sub(r"classpath\*?:[^\s\"',;]*", " ", text)
            paths = {
                re.sub(r"^(?:optional:)?(?:file:)?", "", word)
                for value in _READ_FROM.findall(text)
                for word in re.split(r"[,;]", value)
            } - {""}
            for word in re.findall(r"[\w./@%+~-]+", _ADDRESS.sub(" ", text)):
                # a variable may also hold what only looks like a path: a time zone, a media type
                is_path = "/" in word and (runs or word.startswith(("/", ".", "~")) or word.endswith("/"))
                if is_path or _FILE_NAME.search(word):
                    paths.add(word)
            for word in sorted(paths):
                if self._is_missed(word):
                    raise Obstacle("{} names {}, which stays in the build stage", where, word)

    def _is_missed(self, word: str) -> bool:
        """Whether a path leads into the project and the new stage has it not. What only says where to write (logs,
        dumps) is made when it is written, or was not there before."""
        project, stage = self.project, self.stage
        path = join(project.workdir, re.sub(r"^~", "/root", word))
        if path == project.jar or stage.has(path):
            return False
        if project.for_the_build(path):
            return True
        if not project.inside(path) or _WRITTEN_TO.search(word):
            return False
        return _FILE_NAME.search(word) is not None or "/" not in project.homes


def _own_commands(picture: Picture, instruction: Instruction) -> tuple[object, ...]:
    """The commands whose offsets count in the instruction's own text, not in a script inside it."""
    read = picture.script_of(instruction)
    return read.script.commands if read.place is not None and read.heredoc is None else ()


def _is_used(argument: Instruction, texts: Sequence[str]) -> bool:
    names = [assignment.name for assignment in assignments(argument)]
    return any(re.search(rf"\$\{{?{re.escape(name)}\b", text) for name in names for text in texts)


def _is_everything(source: str) -> bool:
    return source.rstrip("/").removeprefix("./") in ("", ".", "*")


def _runs_as_root(project: Project) -> bool:
    return run_time_user(project) in ROOT_NAMES


def run_time_user(project: Project) -> str:
    """The user that the container runs as; "" for a base image's root."""
    picture = project.picture
    last = picture.final.last("USER")
    if last is None:
        return picture.base.user or ""
    return (picture.expand(last, last.text) or last.text).partition(":")[0]


def _above(path: str) -> list[str]:
    """The directories around a path, innermost first, without the root."""
    found = []
    while (path := posixpath.dirname(path)) != "/":
        found.append(path)
    return found
