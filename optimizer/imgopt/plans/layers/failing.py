"""Builds that are said to fail because of their layering, and by what it is known that they failed for that."""

from __future__ import annotations

import re

from imgopt.dockerfile import Instruction
from imgopt.finding import Sentence, say
from imgopt.light.records import dataclass
from imgopt.picture import Picture
from imgopt.plans.layers.missing_stages import missing_stages
from imgopt.plans.layers.unpacking import Shown, broken


@dataclass(frozen=True)
class BuildFailure:
    """``images``: names that the build looks for in a registry, where there are none such."""

    instruction: Instruction
    message: Sentence
    images: tuple[str, ...] = ()
    shows: tuple[Shown, ...] = ()

    def explains(self, *, step: str | None, image: str | None, said: str, output: str) -> bool:
        """Whether a build that ended so failed for this: at ``step`` (None: before the first), because ``image`` could not be
        had, or with ``said`` as the builder's reason behind ``output``."""
        if image is not None:
            return re.sub(r"^(?:docker\.io/)?(?:library/)?|:latest$", "", image.lower()) in self.images
        keyword = step.split(None, 1)[0].upper() if step else None
        unnamed = "/kaniko/" in said  # of a COPY that finds nothing it tells before it names it
        return any(
            (keyword in (None, shown.keyword) or unnamed)
            and (keyword != "RUN" or "jarmode" in (step or ""))
            and re.search(shown.pattern, output if shown.keyword == "RUN" else said) is not None
            for shown in self.shows
        )


def build_failures(picture: Picture) -> tuple[BuildFailure, ...]:
    """What `broken-layering` says of the build, in the order in which it says it."""
    found: list[BuildFailure] = []
    missing = missing_stages(picture)
    if missing is not None:
        found.append(BuildFailure(missing.copies[0], say("{}", missing.message), missing.names))
    for each in broken(picture):
        if each.fault.fails == "build":
            found.append(BuildFailure(each.fault.instruction, each.fault.message, shows=each.fault.shows))
    return tuple(found)


def start_failure(picture: Picture) -> tuple[Instruction, Sentence] | None:
    """The first of what `broken-layering` says of the start."""
    faults = (each.fault for each in broken(picture) if each.fault.fails == "start")
    return next(((fault.instruction, fault.message) for fault in faults), None)
