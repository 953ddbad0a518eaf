"""Decides whether and how a final stage is split."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from imgopt.dockerfile import Edit, Instruction, Span, apply_edits, parse
from imgopt.dockerfile.faults import check_stages
from imgopt.errors import DockerfileError
from imgopt.finding import Reason, because, reason_of, told
from imgopt.java import building
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.picture import Picture, once
from imgopt.picture.application import own_references
from imgopt.picture.module_path import risk_of_place
from imgopt.picture.placing import names_archive
from imgopt.plans.splitting import effects
from imgopt.plans.splitting.container import (
    Obstacle,
    java_calls,
    mirror_risk,
    named_user,
    new_image,
    new_user_risk,
    require_known_directory,
    require_no_build_image,
    require_plain,
)
from imgopt.plans.splitting.effects import shown
from imgopt.plans.splitting.project import Project, below
from imgopt.plans.splitting.risks import risk
from imgopt.plans.splitting.stage import Written, new_stage
from imgopt.plans.splitting.text import build_stage_name, split_edits
from imgopt.plans.tied import java_stays
from imgopt.scales import Applicability
from imgopt.shell import all_commands
from imgopt.text.quoting import Unwritable

#: Goals and tasks that run the application.
_RUNS = regex(r"^(?:[\w.:-]*:)?(?:run|bootRun|java|dev|quarkusDev|appRun|bootTestRun)$")


@dataclass(frozen=True)
class SplittingPlan:
    """``edits`` make two stages of one; ``why_not`` says why there are none. Without ``builds`` the final stage only
    stands on a build image (``image`` is the one to stand on). ``starts``: the container starts a Java application,
    so what builds is waste in it; ``started_with``: the build tool's command that does so. ``left`` are files known
    to be in the image that the split leaves out."""

    line: int = 0
    end_line: int = 0
    builds: tuple[Instruction, ...] = ()
    tool: str = ""
    image: str = ""
    edits: tuple[Edit, ...] = ()
    applicability: Applicability = Applicability.MANUAL
    risk: Reason | None = None
    why_not: Reason | None = None
    starts: bool = False
    started_with: str | None = None
    left: frozenset[str] = frozenset()


@once
def plan(picture: Picture) -> SplittingPlan:
    """The split of the final stage, or the reason why it stays as it is. Never raises."""
    builds = tuple(_building(picture))
    started_with = _started_with(picture)
    if not builds and picture.base.kind != "build" and started_with is None:
        return SplittingPlan()
    tool = _tool(picture, builds)
    if tool in building.WEB_TOOLS and not java_calls(picture):
        return SplittingPlan()  # no Java application
    first = builds[0] if builds else picture.final.root.stage.from_
    if started_with is not None:
        first = picture.start_commands[0]
    blank = SplittingPlan(
        line=first.line,
        end_line=first.end_line,
        builds=builds,
        tool=tool,
        starts=started_with is not None or bool(java_calls(picture)),
        started_with=started_with,
    )
    try:
        require_plain(picture)
        stays = java_stays(picture)
        if stays is not None:
            raise Obstacle("{}", stays, kind=stays.kind)
        return _split(picture, blank) if builds else _swap(picture, blank)
    except (Obstacle, Unwritable) as error:
        return replace(blank, why_not=reason_of(error))


def splits_first(picture: Picture) -> bool:
    """Whether the stage that builds is about to be split: its base is then decided for the stage that runs."""
    made = plan(picture)
    level = Applicability.UNSAFE if picture.options.unsafe else Applicability.SAFE
    return bool(made.edits) and made.applicability >= level and picture.active("build-tools", made.line)


def _building(picture: Picture) -> Iterator[Instruction]:
    for instruction in picture.final.instructions():
        if instruction.keyword == "RUN" and _builds(picture.script_of(instruction).text):
            yield instruction


def _builds(text: str) -> bool:
    return any(building.builds(command) for command in all_commands(text))


def _started_with(picture: Picture) -> str | None:
    """The command of a build tool that starts the application in the container."""
    for where, text in picture.start_texts:
        for command in all_commands(text) if isinstance(where, Instruction) else ():
            words = [word.text for word in command.args]
            java = building.program_of(command) in building.JAVA_TOOLS
            if java and any(_RUNS.search(word) for word in words):
                return shown(command)
    return None


def _tool(picture: Picture, instructions: Sequence[Instruction]) -> str:
    """The tool to speak of: the last one that makes Java out of sources, else any."""
    programs = [
        building.program_of(command) or ""
        for instruction in instructions
        for command in all_commands(picture.script_of(instruction).text)
        if building.builds(command)
    ]
    java = [program for program in programs if program in building.JAVA_TOOLS]
    return (java or programs or [""])[-1]


def _with_risk(made: SplittingPlan, what: Reason | None) -> SplittingPlan:
    return replace(made, applicability=Applicability.UNSAFE if what else Applicability.SAFE, risk=what)


def _swap(picture: Picture, blank: SplittingPlan) -> SplittingPlan:
    """A final stage that stands on a build image and builds nothing only needs another image."""
    image, target = new_image(picture)
    root = picture.final.root
    others = picture.used_elsewhere(root) if root is not picture.final else ()
    if others:
        raise Obstacle("stage {} is also the base of stage {}", root.name, ", ".join(others))
    require_known_directory(picture)
    require_no_build_image(picture, target, picture.final.instructions())
    what = mirror_risk(picture, target)
    if what is None and (picture.unread_artifacts or not picture.application_jars):
        what = because(
            "unseen",
            "the application is not available; it may start a program that {} lacks, git or ssh for instance",
            target.name,
        )
    if own_references(picture) & {"java/lang/Process", "java/lang/ProcessBuilder"}:
        what = because(
            "certain",
            "the application starts other programs, and {} has more of them than {}",
            picture.base.name,
            target.name,
        )
    edits = [Edit(root.stage.image.span, image)]
    user = named_user(picture, target, picture.final.instructions())
    if user is not None:
        what = what or new_user_risk(target)
        end = root.stage.from_.span.end
        edits.append(Edit(Span(end, end), picture.document.newline + _in_case(picture, user)))
    return _with_risk(replace(blank, image=image, edits=tuple(edits)), what)


def _in_case(picture: Picture, line: str) -> str:
    """An instruction in the case that the file's keywords have."""
    lower = picture.document.text[picture.final.stage.from_.keyword_span.start].islower()
    keyword, rest = line.split(" ", 1)
    return f"{keyword.lower() if lower else keyword} {rest}"


def _split(picture: Picture, blank: SplittingPlan) -> SplittingPlan:
    image, target = new_image(picture)
    require_known_directory(picture)
    project = Project(picture, blank.builds)
    _require_made_here(project, blank.builds[0])
    name = build_stage_name(picture, project)
    stage = new_stage(project, name)
    repeated = [line.instruction for line in stage.lines if line.instruction is not None]
    own = [line.instruction for line in project.after if line.own]
    require_no_build_image(picture, target, [*repeated, *own])
    user = named_user(picture, target, [*repeated, *own])
    if user is not None:
        stage.lines.insert(0, Written(_in_case(picture, user)))
    edits = tuple(split_edits(picture, project, stage, name, image))
    left = _left(picture, project, edits)
    what = risk(project, stage) or mirror_risk(picture, target)
    if user is not None:
        what = what or new_user_risk(target)
    if stage.handed_on:
        shared = risk_of_place(picture)
        what = what or (told("not-known", shared) if shared is not None else None)
    return _with_risk(replace(blank, image=image, edits=edits, left=left), what)


def _require_made_here(project: Project, built_in: Instruction) -> None:
    """The jar comes from the build, and from nowhere else."""
    jar = project.jar
    for line in project.lines:
        instruction = line.instruction
        if instruction.keyword == "VOLUME" and any(
            below(jar, word.text.rstrip("/")) for word in instruction.words
        ):
            raise Obstacle("{} lies in the volume of {}", jar, line.where)
        if instruction.keyword not in ("COPY", "ADD"):
            continue
        target = project.destination(line)
        archive = bool(instruction.words) and names_archive(instruction.words[0].text)
        named = target == jar or (archive and target == posixpath.dirname(jar))
        if named or (line in project.after and any(file.path == jar for file in project.files(line))):
            raise Obstacle("{} is copied in {}; what {} builds is not what starts", jar, line.where, built_in)
    if project.made_from() is None:
        raise Obstacle("no command here is seen to make {}", jar)


def _left(picture: Picture, project: Project, edits: Sequence[Edit]) -> frozenset[str]:
    """The known files that the split leaves out. Looks at the result as a build would: the container starts the same
    way in the same place, and nothing is missing that is not the build's own."""
    try:
        document = parse(apply_edits(picture.document.text, edits), picture.document.path)
        check_stages(document)
    except (DockerfileError, ValueError) as error:
        raise Obstacle("the result would not be a Dockerfile ({})", str(error)) from error
    after = replace(picture, document=document)
    same = (
        [text for _, text in picture.start_texts] == [text for _, text in after.start_texts]
        and picture.environment == after.environment
        and picture.final.content.workdir == after.final.content.workdir
        and _last_text(picture, "USER") == _last_text(after, "USER")
    )
    if not same or any(_building(after)):
        raise Obstacle("the stage that runs would not start the way it does now")
    missing = set(picture.final.content.files) - set(after.final.content.files)
    handled = {
        path
        for line in project.before
        if line.instruction.keyword == "RUN"
        for call in project.calls(line)
        for path in effects.changes(call) or ()
    }
    lost = sorted(path for path in missing if not project.for_the_build(path) and path not in handled)
    if lost:
        raise Obstacle("the stage that runs would lose {}", lost[0])
    return frozenset(missing)


def _last_text(picture: Picture, keyword: str) -> str | None:
    found = picture.final.last(keyword)
    return found.text if found is not None else None
