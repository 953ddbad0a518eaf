"""What the answer would need and nobody knows here, each with what would make it known.

A rule that cannot tell stays silent, so its silence is no all-clear: what it could not see is said here, once, for every
format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.dockerfile import expand
from imgopt.dockerfile.faults import first_fault
from imgopt.errors import ContextError
from imgopt.finding import Reason, because
from imgopt.java.build_files import build_call
from imgopt.java.building import BUILD_FILES, is_output
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.picture import once
from imgopt.picture.paths import join, normal
from imgopt.picture.placing import fills_directory
from imgopt.picture.runs import runs_of
from imgopt.plans.base.java_version import java_needed

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.build_context.tree import Context, Copied
    from imgopt.dockerfile import Instruction
    from imgopt.java.build_facts import BuildFacts
    from imgopt.picture import Picture
    from imgopt.picture.picture import StagePicture

#: Sources that a sentence names.
_MOST_NAMED = 3
#: Modules below a project that are looked at.
_MOST_MODULES = 50
_OUTPUT = frozenset({"target", "build", "out", "dist"})
#: Java versions that vendors keep for long.
_RELEASES = (8, 11, 17, 21, 25)
_ARCHIVES = (".jar", ".war")
_ADDRESS = regex(r"(https?|ftp|git)://|git@")
#: Build options that change neither the archive's name nor its place.
_HARMLESS_OPTION = regex(
    r"-D(?:skip\w+|maven\.test\.skip|maven\.javadoc\.skip|spring\.profiles\.\w+)(?:=\w*)?"
)


@once
def unknowns(picture: Picture) -> tuple[Reason, ...]:
    """In the order of the report: the base image, what COPY takes, the application's archive."""
    if picture.ignored is not None:
        return ()
    found = [*_base(picture)]
    copies = [copy for stage in picture.stages for copy in _copies(picture, stage)]
    for copy in copies:
        found += _without_value(copy)
    found += _missing(picture, copies)
    for copy in copies:
        found += _several(picture, copy)
    named = {place.instruction for reason in found for place in reason.places}
    found += _archive(picture, named)
    return tuple(dict.fromkeys(found))


# the base image


def _base(picture: Picture) -> Iterator[Reason]:
    root = picture.final.root
    from_, base = root.stage.from_, picture.base
    if root.image is None:
        if root.missing:
            yield because(
                "not-known",
                "{} takes the base image from {}, which has no value here; give it with --build-arg {}=VALUE",
                from_,
                root.stage.image.text,
                root.missing[0],
            )
        return
    if base.kind != "unknown" or base.declared or root.image.lower() == "scratch":
        return
    fault = first_fault(picture.document, picture.options.build_args)
    if fault is not None and fault.instruction is from_:
        return  # it names no image
    note = f" ({base.note})" if base.note else ""
    what = f"{base.name}, an image that is not known here{note}"
    if not (picture.artifacts or picture.calls or re.search(r"jdk|jre|java", base.name)):
        yield because(
            "not-known", "{} runs on {}: what it holds and weighs cannot be determined", from_, what
        )
        return
    yield because(
        "not-known",
        "{} runs on {}: whether a smaller one would do, and what it weighs, cannot be determined; say in imgopt.toml what it is "
        "like: [bases.{}] with like = {}, for example",
        from_,
        what,
        json.dumps(base.name),
        json.dumps(f"eclipse-temurin:{_java_of(picture, base)}-{'jre' if 'jre' in base.name else 'jdk'}"),
    )


def _java_of(picture: Picture, base: Base) -> int:
    """What its name says, unless the application needs a later one."""
    needed = java_needed(picture)
    oldest = next((major for major in _RELEASES if needed is not None and major >= needed.major), 0)
    return max(base.hint_major or 0, oldest) or 17


# what COPY takes


@dataclass(frozen=True)
class _Copy:
    """A COPY or ADD with what it names. ``sources``: as they are written and with variables filled in, None where one
    has no value; ``missing``: those variables. ``origin``: the stage that it takes from."""

    instruction: Instruction
    stage: StagePicture
    sources: tuple[tuple[str, str | None], ...]
    missing: tuple[str, ...]
    target: str | None
    origin: StagePicture | None
    from_context: bool


def _copies(picture: Picture, stage: StagePicture) -> Iterator[_Copy]:
    for instruction in stage.stage.instructions:
        words = instruction.words
        if instruction.keyword not in ("COPY", "ADD") or len(words) < 2 or instruction.heredocs:
            continue
        scope, escape = picture.scope(instruction), picture.document.escape
        expanded = [expand(word.text, scope, escape) for word in words]
        from_ = instruction.flag("from")
        name = picture.expand(instruction, from_.value or "") if from_ is not None else None
        yield _Copy(
            instruction,
            stage,
            tuple((word.text, each.value) for word, each in zip(words[:-1], expanded, strict=False)),
            tuple(dict.fromkeys(name for each in expanded[:-1] for name in each.missing)),
            expanded[-1].value,
            _stage_called(picture, name, stage) if name else None,
            from_ is None,
        )


def _stage_called(picture: Picture, name: str, before: StagePicture) -> StagePicture | None:
    for stage in picture.stages[: before.index]:
        if name.lower() in (stage.name.lower(), str(stage.index)):
            return stage
    return None


def _without_value(copy: _Copy) -> Iterator[Reason]:
    if copy.missing:
        named = next(text for text, value in copy.sources if value is None)
        yield because(
            "not-known",
            "{} copies {}, and {} has no value here: what it takes is not known; give it with --build-arg {}=VALUE",
            copy.instruction,
            named,
            copy.missing[0],
            copy.missing[0],
        )


def _missing(picture: Picture, copies: Sequence[_Copy]) -> Iterator[Reason]:
    """Sources that are not in the build context, or not where the build of another stage puts them."""
    from imgopt.build_context.tree import is_there

    context = picture.context
    plain: list[tuple[_Copy, str]] = []
    unbuilt: dict[str, list[tuple[_Copy, str]]] = {}
    for copy in copies:
        for _, source in copy.sources:
            if source is None or _ADDRESS.match(source):
                continue
            elsewhere = _elsewhere(picture, copy, source)
            if elsewhere is not None:
                yield _told_elsewhere(copy, source, elsewhere)
            elif copy.from_context and context is not None and not is_there(context, source):
                module = _module_of(source)
                if module is not None:
                    unbuilt.setdefault(build_call(context.root / module), []).append((copy, source))
                elif not _may_be_missing(context, copy, source):
                    plain.append((copy, source))
    for command, group in unbuilt.items():
        yield because(
            "not-known",
            "{} copies {}, which is not built yet, so what it holds{} is not known; build it first{}{}",
            group[0][0].instruction,
            _some(group),
            "" if picture.options.jar_size else " and weighs",
            f" ({command})" if command else "",
            "" if picture.options.jar_size else ", or give --jar-size for the figures",
        )
    if not plain or context is None:
        return
    open_ = replace(context, ignore=type(context.ignore)())
    left_out = [(copy, source) for copy, source in plain if is_there(open_, source)]
    absent = [each for each in plain if each not in left_out]
    for group, why, what in (
        (
            left_out,
            f"which {context.ignore.file or '.dockerignore'} leaves out",
            "take it back there with a line that begins with !",
        ),
        (absent, "which the build context does not hold", "--context DIR names another"),
    ):
        if group:
            yield because(
                "not-known",
                "{} copies {}, {}, so what the image holds is not known; {}",
                group[0][0].instruction,
                _some(group),
                why,
                what,
            )


def _told_elsewhere(copy: _Copy, source: str, elsewhere: _Elsewhere) -> Reason:
    if elsewhere.by is None:
        return because(
            "not-known",
            "{} copies {}, which is not there; {} is: name that one",
            copy.instruction,
            source,
            elsewhere.named,
        )
    return because(
        "not-known",
        "{} copies {}{}, where the build puts no archive: {} makes {}; name that one",
        copy.instruction,
        source,
        f" from stage {copy.origin.name}" if copy.origin is not None else "",
        elsewhere.by,
        elsewhere.named,
    )


def _some(group: Sequence[tuple[_Copy, str]]) -> str:
    names = list(dict.fromkeys(source for _, source in group))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _may_be_missing(context: Context, copy: _Copy, source: str) -> bool:
    """``COPY pom.xml .mvn* ./``: no builder misses a pattern that takes nothing beside what takes something."""
    from imgopt.build_context.tree import is_there

    return re.search(r"[*?\[]", source) is not None and any(
        other is not None and other != source and is_there(context, other) for _, other in copy.sources
    )


def _taken(context: Context, copy: _Copy, source: str) -> tuple[Copied, ...]:
    """The files and directories that a source names."""
    from imgopt.build_context.tree import resolve

    try:
        return resolve(
            context, [source], parents=copy.instruction.flag("parents") is not None, destination="./"
        )
    except ContextError:
        return ()


# archives that a build makes


@dataclass(frozen=True)
class _Project:
    """A module: ``path`` where COPY sees it, "" for the context's root; ``directory`` on this machine."""

    path: str
    directory: Path

    @property
    def facts(self) -> BuildFacts | None:
        from imgopt.java.build_files import read_build_files, repository_of

        try:
            return read_build_files(self.directory, repository_of(self.directory))
        except ContextError:
            return None

    def makes(self, facts: BuildFacts) -> str:
        """The archive, or the pattern of its place where the name is not known."""
        # a checkout's directory, which names a project of Gradle's that does not, is another one in the image
        named = facts.tool == "maven" or facts.name is not None or not self.path.startswith("/")
        place = (facts.artifact if named else None) or (
            "target/*" if facts.tool == "maven" else "build/libs/*"
        ) + f".{facts.packaging}"
        return (
            join(self.path, place) if self.path.startswith("/") else normal("/" + self.path + "/" + place)[1:]
        )


def _module_of(source: str) -> str | None:
    """The module whose build writes a source; None where it lies where no build writes."""
    parts = normal("/" + source)[1:].split("/")
    at = next((at for at, part in enumerate(parts[:-1]) if part in _OUTPUT), None)
    return None if at is None else "/".join(parts[:at])


@dataclass(frozen=True)
class _Elsewhere:
    """Where a build leaves the archive: ``places`` are there, or come there as the build file ``by`` says."""

    places: tuple[str, ...]
    by: str | None

    @property
    def named(self) -> str:
        return " and ".join(self.places[:_MOST_NAMED])


@once
def misnamed(picture: Picture) -> Mapping[tuple[Instruction, str], str]:
    """COPY sources that name a place where the build puts no archive, by their instruction, and where it puts it."""
    found = {}
    for stage in picture.stages:
        for copy in _copies(picture, stage):
            for _, source in copy.sources:
                place = _elsewhere(picture, copy, source) if source is not None else None
                if place is not None and source is not None:
                    found[copy.instruction, source] = place.named
    return found


def _elsewhere(picture: Picture, copy: _Copy, source: str) -> _Elsewhere | None:
    from imgopt.build_context.tree import is_there

    if _ADDRESS.match(source):
        return None
    if copy.origin is not None:
        return _misplaced(copy.origin, source)
    context = picture.context
    if not copy.from_context or context is None or is_there(context, source) or _module_of(source) is None:
        return None
    return _unbuilt(context, copy, source)


def _unbuilt(context: Context, copy: _Copy, source: str) -> _Elsewhere | None:
    """What a build on this machine would make, where it lies or comes to elsewhere."""
    if not is_output(normal("/" + source)):
        return None
    module = _module_of(source) or ""
    project = _Project(module, context.root / module)
    facts = project.facts if project.directory.is_dir() else None
    if facts is not None and facts.packaging == "pom":
        modules = _modules_that_run(project, facts)
        if modules:
            return _Elsewhere(tuple(modules), Path(facts.path).name)
    beside = _others_there(context, copy, module)
    if beside:
        return _Elsewhere((beside,), None)
    if facts is not None and facts.packaging != "pom" and not _same_place(source, project.makes(facts)):
        return _Elsewhere((project.makes(facts),), Path(facts.path).name)
    return None


def _modules_that_run(project: _Project, facts: BuildFacts) -> list[str]:
    """The applications that the modules below a project make."""
    made = []
    for name in facts.modules[:_MOST_MODULES]:
        module = _Project(normal(f"/{project.path}/{name}")[1:], project.directory / name)
        own = module.facts if module.directory.is_dir() else None
        if own is not None and own.repackaged:
            made.append(module.makes(own))
    return made


def _others_there(context: Context, copy: _Copy, module: str) -> str | None:
    """The one archive that a build left in the module, under another name or in another place."""
    prefix = f"{module}/" if module else ""
    there = [
        item.source
        for place in ("target", "build/libs")
        for suffix in _ARCHIVES
        for item in _taken(context, copy, f"{prefix}{place}/*{suffix}")
        if not re.search(r"-(?:plain|sources|javadoc|tests)\.jar$", item.source)
    ]
    return there[0] if len(there) == 1 else None


def _same_place(source: str, made: str) -> bool:
    """Whether a COPY's source may mean what a build makes; the name counts only where both say it."""
    from imgopt.build_context.patterns import BadPattern, glob_match

    source, made = normal("/" + source), normal("/" + made)
    if "*" in made:
        return source.rpartition("/")[0] == made.rpartition("/")[0] or "*" in source.rpartition("/")[0]
    try:
        return glob_match(source, made)
    except BadPattern:
        return True


def _projects_in(stage: StagePicture) -> list[_Project]:
    """The modules whose build files a stage has from the build context."""
    found: dict[str, _Project] = {}
    for path, file in stage.content.files.items():
        directory, _, name = path.rpartition("/")
        if name in BUILD_FILES and not name.startswith("settings") and file.origin is not None:
            found.setdefault(directory or "/", _Project(directory or "/", file.origin.parent))
    return list(found.values())


def _misplaced(stage: StagePicture, source: str) -> _Elsewhere | None:
    """Where the build of a stage puts the archive, when a COPY from there names another place."""
    path = normal("/" + source)
    if not is_output(path) or stage.content.matching(path):
        return None
    made = _made_in(stage)
    if made is None or _same_place(path, made[0].makes(made[1])):
        return None
    return _Elsewhere((made[0].makes(made[1]),), Path(made[1].path).name)


def _made_in(stage: StagePicture) -> tuple[_Project, BuildFacts] | None:
    """The one module of a stage that makes an application, where nothing moves what the build makes."""
    calls = [command for run in runs_of(stage) for command in run.commands]
    if any(command.program in ("cp", "mv", "ln", "install", "rsync", "jar", "find") for command in calls):
        return None
    options = [word.text for command in calls for word in command.words if word.text.startswith(("-D", "-P"))]
    if not all(_HARMLESS_OPTION.fullmatch(option) for option in options):
        return None
    made = [
        (project, facts)
        for project in _projects_in(stage)
        if (facts := project.facts) is not None and facts.packaging != "pom" and facts.repackaged
    ]
    return made[0] if len(made) == 1 else None


# one source, several files


def _several(picture: Picture, copy: _Copy) -> Iterator[Reason]:
    """A source that means several archives, and a target that takes one."""
    context = picture.context
    sources = [source for _, source in copy.sources]
    if copy.target is None or None in sources or fills_directory(copy.target, [s for s in sources if s]):
        return
    if len(sources) != 1 or not (source := sources[0]) or not re.search(r"[*?\[]", source):
        return
    advice = "name the application's own"
    if copy.from_context and context is not None:
        names = [item.target for item in _taken(context, copy, source) if not item.is_directory]
        if any(name.endswith("-plain.jar") for name in names):
            advice = _NO_PLAIN
    elif copy.origin is not None:
        names, advice = _made_besides(copy.origin, source), _NO_PLAIN
    else:
        return
    if len(names) < 2 or not all(name.endswith(_ARCHIVES) for name in names):
        return
    place = picture.target_of(copy.instruction)
    if place is not None and place in copy.stage.content.directories:
        yield because(
            "not-known",
            "{} copies {}, which are {} archives ({}), to the directory {}: docker's classic builder refuses that unless it "
            "ends with a slash; end it with a slash",
            copy.instruction,
            source,
            len(names),
            ", ".join(names[:_MOST_NAMED]),
            copy.target,
        )
        return
    yield because(
        "not-known",
        "{} copies {}, which are {} archives ({}), to {}: docker's classic builder and kaniko refuse that, and BuildKit "
        "leaves the last of them there; {}",
        copy.instruction,
        source,
        len(names),
        ", ".join(names[:_MOST_NAMED]),
        copy.target,
        advice,
    )


_NO_PLAIN = "run bootJar instead of build or assemble, or write jar { enabled = false } in the Gradle file"


def _made_besides(stage: StagePicture, source: str) -> list[str]:
    """What Gradle's build of a stage makes where a pattern looks: the plain archive beside the application's."""
    made = _made_in(stage)
    if made is None:
        return []
    project, facts = made
    if facts.tool != "gradle" or not facts.plain or not _makes_all(stage):
        return []
    names = [project.makes(facts)] if facts.artifact else [join(project.path, "build/libs/*.jar")]
    names.append(re.sub(r"\.(?:jar|war)$", "-plain.jar", names[0]))
    return [name.rpartition("/")[2] for name in names if _same_place(source, name)]


def _makes_all(stage: StagePicture) -> bool:
    """Whether Gradle is asked for all that the project makes."""
    return any(
        word.text.rpartition(":")[2] in ("build", "assemble", "jar", "buildNeeded")
        for run in runs_of(stage)
        for command in run.commands
        if (command.program or command.words[0].text.rpartition("/")[2] if command.words else "")
        in ("gradle", "gradlew")
        for word in command.args
    )


# the application's archive


def _archive(picture: Picture, named: set[Instruction]) -> Iterator[Reason]:
    """An archive of the image that was not read, unless that was said of its COPY already."""
    artifact = picture.artifact
    if artifact is None or artifact.jar is not None or artifact.instruction in named:
        return
    name = " ".join(artifact.sources)
    if artifact.file is not None:
        return  # it is told why it cannot be read
    if artifact.from_stage is None:
        if any(_ADDRESS.match(source) for source in artifact.sources):
            yield because(
                "not-known", "{} fetches {}, and what that holds is not known", artifact.instruction, name
            )
        return  # else that it is not there, or is several, was told
    command = build_call(_directory_of(picture, picture.context.root)) if picture.context is not None else ""
    yield because(
        "not-known",
        "{} copies {}, which the image builds, so what it holds and weighs is not known; build it here, too{}, and it is read",
        artifact.instruction,
        name,
        f" ({command})" if command else "",
    )


def _directory_of(picture: Picture, root: Path) -> Path:
    facts = picture.build_facts
    return Path(facts.path).parent if facts is not None else root
