"""Stages whose base moves together with the final one's: those that train an archive that its virtual machine is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.finding import Reason, because
from imgopt.light.records import replace
from imgopt.picture import Picture, once
from imgopt.picture.class_archives import class_archives
from imgopt.plans.base.adapting import adapt
from imgopt.plans.base.hazards import base_needs, jdk_needs
from imgopt.plans.tied import java_stays

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.picture import StagePicture


def why_not_together(picture: Picture) -> Reason | None:
    """Why the final stage keeps its base: what it is tied to cannot move with it. None where it can, or is tied to
    nothing."""
    if not _trainers(picture):
        return java_stays(picture)
    root = picture.final.root
    for stage in _trainers(picture):
        flags = [each.stage.platform for each in (root, stage.root)]
        platforms = [flag.value if flag is not None else None for flag in flags]
        if stage.root.image != root.image or platforms[0] != platforms[1]:
            return java_stays(picture)
        for other in picture.stages:
            if stage.root in other.lineage and other not in stage.lineage and stage not in other.lineage:
                return because(
                    "certain",
                    "stage {}, which trains an archive, stands on stage {} as stage {} does",
                    stage.name,
                    stage.root.name,
                    other.name,
                )
    return None


@once
def companions(picture: Picture) -> tuple[Picture, ...]:
    """The stages that move along, each as the final stage of a picture of its own; () where nothing is tied."""
    if why_not_together(picture) is not None:
        return ()
    return tuple(
        replace(picture, options=replace(picture.options, target=stage.name)) for stage in _trainers(picture)
    )


def _trainers(picture: Picture) -> tuple[StagePicture, ...]:
    """() also where an archive comes from elsewhere, so that nothing may move."""
    foreign = [archive for archive in class_archives(picture) if not archive.here]
    stages = [archive.trained for archive in foreign if archive.trained is not None]
    if len(stages) < len(foreign):
        return ()
    return tuple({stage.index: stage for stage in stages if stage.root is not picture.final.root}.values())


def jdk_needs_of_companions(picture: Picture) -> tuple[Reason, ...]:
    """Why the stages that would move along need a JDK."""
    return tuple(
        because(
            need.kind, "stage {}, which trains the archive, would have to move along, and needs the JDK", name
        )
        for companion in companions(picture)
        for name, need in ((companion.final.name, next(jdk_needs(companion, starts=False), None)),)
        if need is not None
    )


def need_of_companions(picture: Picture, target: Base) -> Reason | None:
    """What a stage that would move along needs of another base than ``target``."""
    return next(
        (
            need
            for companion in companions(picture)
            for need in base_needs(companion, target, adapt(companion, target))
        ),
        None,
    )
