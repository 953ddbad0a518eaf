"""A whole repository looked at: modules, their images, the blobs of each, the plan, and what CI does with them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.dockerfile import parse
from imgopt.errors import ImgoptError
from imgopt.fleet import layering, plan_file
from imgopt.fleet.images import Found, Image, build_arguments, find_images
from imgopt.fleet.modules import Module, Repository, find_modules
from imgopt.fleet.plan import MOST_GROUPS, File, Plan, planned
from imgopt.fleet.weighing import Blob, blobs_of
from imgopt.light.records import dataclass, replace
from imgopt.picture import Jars, take_picture
from imgopt.pipelines.platforms import Commands
from imgopt.suggest.dockerfile import open_context_of, read_dockerfile, report_file
from imgopt.suggest.sentence import sentence
from imgopt.weigh.layers import Weigher

if TYPE_CHECKING:
    from imgopt.java.boot_managed import Patch
    from imgopt.java.model import Jar, Library
    from imgopt.options import Options
    from imgopt.pipelines.rule import PipelineRule
    from imgopt.rule import Rule
    from imgopt.suggest.result import FileReport


@dataclass(frozen=True)
class Weighed:
    """An image and what a push of it sends: as its Dockerfile is ``now``, ``after`` the rewrite, and ``planned``: rewritten
    where its archive has the plan's layers, None with the reason in ``unplanned``. ``report_then`` is that rewrite;
    ``libraries`` are all of its archive, weighed."""

    image: Image
    report: FileReport
    now: tuple[Blob, ...]
    after: tuple[Blob, ...]
    jar: Jar | None = None
    libraries: tuple[tuple[Library, File], ...] = ()
    planned: tuple[Blob, ...] | None = None
    unplanned: str | None = None
    report_then: FileReport | None = None
    #: Its Dockerfile copies two layers in a row that it has nothing of, with which the classic builder ends.
    needs_buildkit: bool = False
    breaks: bool = False  # with the plan's archive, and without a Dockerfile that fits

    @property
    def best(self) -> tuple[Blob, ...]:
        return self.planned if self.planned is not None else self.after

    @property
    def complete(self) -> bool:
        return all(each.bytes is not None for each in (*self.now, *self.after, *self.best))


@dataclass(frozen=True)
class Fleet:
    repository: Repository
    found: Found
    images: tuple[Weighed, ...]
    plan: Plan
    plan_path: Path
    held: Mapping[str, Mapping[str, tuple[File, ...]]]  # what the plan places, by module
    pipelines: tuple[FileReport, ...]
    errors: tuple[ImgoptError, ...]
    options: Options

    @property
    def modules(self) -> tuple[Module, ...]:
        return self.repository.modules

    @property
    def unbuilt(self) -> tuple[Weighed, ...]:
        """The images whose archive is not there to be read: what they share is not known."""
        return tuple(each for each in self.images if each.jar is None and each.image.module.archive is None)

    @property
    def unread(self) -> tuple[Weighed, ...]:
        """The same with those whose archive is there and cannot be read."""
        return tuple(each for each in self.images if each.jar is None)


@dataclass
class _Work:
    options: Options
    rules: Sequence[Rule]
    jars: Jars
    weigher: Weigher
    commands: Commands
    sizes: dict[tuple[str, int, int], int | None]

    def options_for(self, image: Image) -> Options:
        options = self.options
        context = options.context or image.context
        built_for = self.commands.built_for(image.dockerfile, context)
        asked = replace(
            options,
            context=context,
            build_args=build_arguments(image, options.build_args),
            target=options.target or image.target,
            built_for=built_for,
            progress=None,
        )
        size = _size_of(image.module.archive)
        return asked if size is None or asked.jar_size is not None else replace(asked, jar_size=size)

    def blobs(
        self, report: FileReport, options: Options, jars: Jars, name: object, *, after: bool
    ) -> list[Blob]:
        """Those of the image as it is, or after the rewrite."""
        weight = report.prediction
        if weight is None:
            return [Blob((name, after), report.path, None, "unknown", False, True, None)]
        text = report.rewrite.text if after and report.rewrite.changed else report.original
        document = parse(text.encode("utf-8", "surrogateescape"), report.path)
        context, _ = open_context_of(document, options)
        picture = take_picture(document, context, options, jars)
        return blobs_of(picture, weight.after if after else weight.before, (name, after))

    def size_of(self, jar: Jar, library: Library) -> int | None:
        """Compressed bytes of a library, each file once."""
        from imgopt.picture.contents import File as Content

        key = (library.file, library.crc32, library.bytes)
        if key not in self.sizes:
            entry = next((each for each in jar.entries if each.name == library.path), None)
            content = (
                Content(f"/{library.file}", entry.bytes, entry=(jar, entry)) if entry is not None else None
            )
            self.sizes[key] = self.weigher.packed((content,)) if content is not None else None
        return self.sizes[key]


def survey(
    directory: Path,
    options: Options,
    rules: Sequence[Rule],
    pipeline_rules: Sequence[PipelineRule] = (),
    *,
    most_groups: int = MOST_GROUPS,
    anew: bool = False,
    only: frozenset[str] | None = None,
) -> Fleet:
    """Everything about the modules below a directory, or of ``only`` these. InputError where there are none, or where the
    plan's file is wrong; one module that cannot be read is an error of the fleet, and the others go on."""
    repository = find_modules(directory)
    jars = Jars()
    work = _Work(options, rules, jars, Weigher(jars, options.engine), Commands(), {})
    found = find_images(repository, work.commands)
    path = directory / plan_file.NAME
    given = None if anew else plan_file.read(path)
    images: list[Weighed] = []
    errors: list[ImgoptError] = [*found.errors]
    for image in found.images:
        if only is not None and image.module.directory not in only:
            continue
        if options.progress is not None:
            options.progress(str(image.dockerfile))
        try:
            images.append(_weighed(work, image))
        except ImgoptError as error:
            errors.append(error)
        except Exception as bug:
            failure = ImgoptError(
                f"a bug in imgopt: {type(bug).__name__}: {bug}",
                "run it alone with --debug and report it",
                path=str(image.dockerfile),
            )
            failure.__cause__ = bug
            errors.append(failure)
    held = _held(images)
    plan = given if given is not None else planned(held, most_groups) if len(held) > 1 else Plan()
    needed = _needed(images, held, plan)
    images = [_with_plan(work, each, plan, needed.get(each.image.dockerfile, frozenset())) for each in images]
    for each in images:
        archive = each.image.module.archive
        if each.jar is None and archive is not None and (problem := jars.problem(archive)) is not None:
            errors.append(problem)
    pipelines = _pipelines(directory, work, pipeline_rules, errors) if pipeline_rules else ()
    return Fleet(repository, found, tuple(images), plan, path, held, pipelines, tuple(errors), options)


def _weighed(work: _Work, image: Image) -> Weighed:
    options = work.options_for(image)
    data = read_dockerfile(image.dockerfile)
    report = report_file(str(image.dockerfile), data, options, work.rules, work.jars, work.weigher)
    name = (image.module.directory, image.dockerfile)
    now = work.blobs(report, options, work.jars, name, after=False)
    after = work.blobs(report, options, work.jars, name, after=True) if report.rewrite.changed else now
    jar = _jar(work, image, report, options)
    libraries: tuple[tuple[Library, File], ...] = ()
    if jar is not None:
        patch = _patch(jar)
        libraries = tuple((each, _file(work, jar, each, patch)) for each in jar.libraries)
    return Weighed(image, report, tuple(now), tuple(after), jar, libraries)


def _jar(work: _Work, image: Image, report: FileReport, options: Options) -> Jar | None:
    """The application's archive: the one that the Dockerfile copies, else the one that the module's build made."""
    document = parse(report.original.encode("utf-8", "surrogateescape"), report.path)
    context, _ = open_context_of(document, options)
    copied = [
        jar for jar in take_picture(document, context, options, work.jars).application_jars if jar.spring_boot
    ]
    if len(copied) == 1:
        return copied[0]
    archive = image.module.archive
    return work.jars(archive) if archive is not None else None


def _size_of(archive: Path | None) -> int | None:
    try:
        return archive.stat().st_size or None if archive is not None else None
    except OSError:  # it is not there any more
        return None


def _patch(jar: Jar) -> Patch | None:
    from imgopt.java.boot_managed import Patch

    return Patch(jar.spring_boot) if jar.spring_boot is not None else None


def _file(work: _Work, jar: Jar, library: Library, patch: Patch | None) -> File:
    from imgopt.java.boot_managed import is_managed

    artifact = library.artifact or library.file
    managed = jar.spring_boot is not None and is_managed(jar.spring_boot, library.artifact, library.group)
    moves = patch is not None and patch.moves([(library.file, library.group)])
    identity = (library.file, library.crc32, library.bytes)
    return File(artifact, identity, work.size_of(jar, library), managed, moves)


def _held(images: Sequence[Weighed]) -> dict[str, dict[str, tuple[File, ...]]]:
    """What a plan may place, by module."""
    held: dict[str, dict[str, tuple[File, ...]]] = {}
    for each in images:
        if each.jar is None or layering.unplannable(each.jar) is not None:
            continue
        files = {library.path: file for library, file in each.libraries}
        held[each.image.module.directory] = {
            artifact: tuple(files[library.path] for library in libraries)
            for artifact, libraries in layering.plannable(each.jar).items()
        }
    return held


def _needed(
    images: Sequence[Weighed], held: Mapping[str, Mapping[str, object]], plan: Plan
) -> dict[Path, frozenset[str]]:
    """By Dockerfiles that several modules share: the groups that one of these has something of."""
    of = plan.group_of
    found: dict[Path, set[str]] = {}
    count: dict[Path, int] = {}
    for each in images:
        path = each.image.dockerfile
        count[path] = count.get(path, 0) + 1
        mine = held.get(each.image.module.directory, {})
        found.setdefault(path, set()).update(of[artifact] for artifact in mine if artifact in of)
    return {path: frozenset(names) for path, names in found.items() if count[path] > 1}


def _with_plan(work: _Work, weighed: Weighed, plan: Plan, needed: frozenset[str]) -> Weighed:
    jar = weighed.jar
    if jar is None:
        archive = weighed.image.module.archive
        problem = work.jars.problem(archive) if archive is not None else None
        said = "its archive is not built yet" if problem is None else f"its archive {problem.message}"
        return replace(weighed, unplanned=said)
    why = layering.unplannable(jar)
    if why is not None:
        return replace(weighed, unplanned=why)
    if not plan.groups:
        return replace(weighed, planned=weighed.after)
    options = replace(work.options_for(weighed.image), needed_layers=needed)
    jars = layering.PlannedJars(work.jars, plan, [Path(jar.path)])
    data = read_dockerfile(weighed.image.dockerfile)
    try:
        report = report_file(weighed.report.path, data, options, work.rules, jars, work.weigher)
        name = (weighed.image.module.directory, "planned")
        blobs = work.blobs(report, options, jars, name, after=True)
    except ImgoptError as error:
        return replace(weighed, unplanned=error.message)
    own = set(layering.plannable(jar))
    wanted = [name for name, artifacts in plan.groups.items() if own & set(artifacts)]
    text = report.rewrite.text
    if all(f"/{name}" in text for name in wanted):
        nothing = [name not in wanted for name in plan.groups if name in needed]
        alone = _in_a_row([*nothing, own <= plan.group_of.keys()])
        return replace(weighed, planned=tuple(blobs), report_then=report, needs_buildkit=alone)
    declined = [
        each for each in report.rewrite.not_applied if each.rule in ("fat-jar-layer", "broken-layering")
    ]
    why = sentence(declined[0].why) if declined else "its Dockerfile keeps the archive whole"
    breaks = any(finding.rule == "broken-layering" for finding, _ in report.findings)
    return replace(weighed, unplanned=why, breaks=breaks)


def _in_a_row(empty: Sequence[bool]) -> bool:
    return any(one and other for one, other in itertools.pairwise(empty))


def _pipelines(
    directory: Path, work: _Work, rules: Sequence[PipelineRule], errors: list[ImgoptError]
) -> tuple[FileReport, ...]:
    """The reports of the CI files, as `suggest` makes them."""
    from imgopt.discover import discover, is_dockerfile_name
    from imgopt.pipelines.kinds import kind_of
    from imgopt.pipelines.report import report_pipeline

    found = []
    for path in discover([directory], pipelines=True):
        if is_dockerfile_name(path.name):
            continue
        try:
            data = read_dockerfile(path)
            kind = kind_of(path, data)
            if kind is None or kind.system not in ("jenkins", "gitlab", "github") or not kind.sure:
                continue
            report = report_pipeline(
                path,
                data,
                kind.system,
                work.options,
                rules,
                work.rules,
                work.jars,
                work.weigher,
                work.commands,
                named=False,
            )
        except ImgoptError as error:
            errors.append(error)
            continue
        if report is not None:
            found.append(report)
    return tuple(found)
