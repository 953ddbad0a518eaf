"""Finds COPY lines that take a whole project, or all that a build made, out of a build stage."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from imgopt.dockerfile import Instruction, writing
from imgopt.java import building
from imgopt.light.records import dataclass
from imgopt.picture import Picture, StagePicture, once
from imgopt.picture.paths import join
from imgopt.plans.splitting.container import Obstacle, started_jar
from imgopt.plans.splitting.project import below
from imgopt.shell import all_commands
from imgopt.text.quoting import Unwritable


@dataclass(frozen=True)
class CarriedBuild:
    """A COPY that brings a project or its output directory into the final stage, and the jar that is started out of
    it: ``jar`` in the stage copied from, ``target`` in the final stage. ``sources``: the whole project comes along."""

    instruction: Instruction
    stage: str
    directory: str
    jar: str
    target: str
    sources: bool

    @property
    def line(self) -> str | None:
        """The COPY of the jar alone; None when none can be written."""
        try:
            flags = (writing.flag("from", self.stage),)
            return writing.copy("COPY", flags, (writing.source(self.jar), writing.word(self.target)))
        except Unwritable:
            return None


@once
def carried_builds(picture: Picture) -> tuple[CarriedBuild, ...]:
    """Directories of build stages that the final stage copies whole though it starts one jar in them."""
    return tuple(_carried(picture))


def _carried(picture: Picture) -> Iterator[CarriedBuild]:
    if not picture.start_commands:
        return
    facts = picture.build_facts
    if facts is not None and facts.repackaged is False:
        return  # the jar may need the libraries beside it
    try:
        jar = started_jar(picture)
    except Obstacle:
        return
    for instruction in picture.final.instructions():
        flag = instruction.flag("from") if instruction.keyword == "COPY" else None
        if flag is None or len(instruction.words) != 2:
            continue
        source, into = picture.expand(instruction, instruction.words[0].text), picture.target_of(instruction)
        stage = next(
            (
                stage
                for stage in picture.stages
                if stage is not picture.final
                and (flag.value or "").lower() in (stage.name.lower(), str(stage.index))
            ),
            None,
        )
        if stage is None or source is None or into is None or re.search(r"[*?\[]", source):
            continue
        directory = join("/", source)
        if not below(jar, into) or jar == into or directory.endswith((".jar", ".war")):
            continue
        homes = set(_homes(picture, stage))
        whole = directory in homes or (directory != "/" and any(below(home, directory) for home in homes))
        output = (
            posixpath.basename(directory) in ("target", "build") and posixpath.dirname(directory) in homes
        )
        if whole or output:
            path = join(directory, jar[len(into.rstrip("/")) + 1 :])
            yield CarriedBuild(instruction, flag.value or "", directory, path, jar, whole)


def _homes(picture: Picture, stage: StagePicture) -> Iterator[str]:
    """The directories in which a stage runs a build."""
    for instruction in stage.instructions():
        workdir = picture.workdir_at(instruction)
        if instruction.keyword == "RUN" and workdir is not None:
            for command in all_commands(picture.script_of(instruction).text):
                if building.builds(command) and building.program_of(command) in building.JAVA_TOOLS:
                    yield workdir
