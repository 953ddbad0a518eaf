"""Makes layers that a file unpacks already keep their digest on a builder without a cache.

The COPY lines of the Spring Boot manual make new digests on every uncached build: jarmode leaves directories at the
time of the build, and builders stamp the directory that a COPY names. Measured on five builders, arranging each layer
as a whole tree, fixing its times in the extracting stage and copying it to ``/`` keeps them.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgopt.contents import join
from imgopt.dockerfile import Edit, Instruction, Span
from imgopt.layering import FIXED_TIME, stamp_command
from imgopt.rule import Applicability

if TYPE_CHECKING:
    from imgopt.jarmode import JarmodeCall
    from imgopt.picture import Picture, StagePicture

#: Directories that every image has as root's with mode 0755: a tree may bring them again without changing them.
_ORDINARY = frozenset({"/", "/opt", "/srv", "/usr", "/usr/src", "/usr/local", "/usr/share", "/usr/lib"})


@dataclass(frozen=True)
class SteadyingPlan:
    """``copies`` are the unsteady COPY instructions; empty when there is nothing to say."""

    copies: tuple[Instruction, ...] = ()
    edits: tuple[Edit, ...] = ()
    applicability: Applicability = Applicability.MANUAL
    risk: str | None = None
    why_not: str | None = None


@dataclass(frozen=True)
class _Copy:
    instruction: Instruction
    source: str  # absolute, in the extracting stage
    layer: str
    target: str  # absolute, in the final stage


class _No(Exception):
    """Carries the reason why the layers stay as they are."""


def plan(picture: Picture) -> SteadyingPlan:
    """The steady form of layers that the file unpacks with jarmode. Never raises."""
    for call, index in picture.extractions:
        stage = picture.stages[index]
        copies = _copies(picture, call, stage)
        if not copies or all(_is_steady(copy) for copy in copies):
            continue
        instructions = tuple(copy.instruction for copy in copies)
        try:
            edits = _edits(picture, call, stage, copies)
            risk = _risk(copies)
            level = Applicability.UNSAFE if risk else Applicability.SAFE
            return SteadyingPlan(instructions, edits, level, risk)
        except _No as reason:
            return SteadyingPlan(instructions, why_not=str(reason))
    return SteadyingPlan()


def _risk(copies: list[_Copy]) -> str | None:
    for copy in copies:
        owner = copy.instruction.flag("chown")
        if owner is not None:
            return f"{copy.target} itself would belong to {owner.value}, not only the files in it"
    return None


def _is_steady(copy: _Copy) -> bool:
    """A tree copied to ``/`` from where its times were fixed; the application's own layer need not be."""
    return copy.target == "/" or copy.layer == "application"


def _copies(picture: Picture, call: JarmodeCall, stage: StagePicture) -> list[_Copy]:
    """COPY lines of the final stage that take a layer as jarmode wrote it."""
    root = call.destination
    if root is None or stage is picture.final:
        return []
    found: list[_Copy] = []
    workdir = "/"
    for instruction in picture.final.instructions():
        if instruction.keyword == "WORKDIR":
            workdir = join(workdir, picture.expand(instruction, instruction.text) or ".")
        flag = instruction.flag("from") if instruction.keyword in ("COPY", "ADD") else None
        if (
            flag is None
            or (flag.value or "").lower() not in (stage.name.lower(), str(stage.index))
            or len(instruction.words) != 2
        ):
            continue
        source = picture.expand(instruction, instruction.words[0].text)
        target = picture.expand(instruction, instruction.words[1].text)
        if source is None or target is None:
            continue
        path = join("/", source)
        if posixpath.dirname(path) == root.rstrip("/") or (root == "/" and posixpath.dirname(path) == "/"):
            found.append(_Copy(instruction, path, posixpath.basename(path), join(workdir, target)))
    return found


def _edits(picture: Picture, call: JarmodeCall, stage: StagePicture, copies: list[_Copy]) -> tuple[Edit, ...]:
    document = picture.document
    if call.instruction not in stage.stage.instructions:
        raise _No("the stage that unpacks the jar is built on another one that does")
    if any(copy.instruction not in picture.final.stage.instructions for copy in copies):
        raise _No("the layers are copied in a stage below the last one")
    if len({copy.target for copy in copies}) > 1:
        raise _No("the layers are copied into different directories")
    target = copies[0].target
    if target == "/" or posixpath.dirname(target) not in _ORDINARY:
        raise _No(
            f"{posixpath.dirname(target)} may have an owner or mode of its own, which copying whole trees would change"
        )
    names = [copy.layer for copy in copies]
    if len(set(names)) < len(names):
        raise _No("a layer is copied twice")
    if picture.base_of(stage).user not in (None, "root", "0") or stage.last("USER") is not None:
        raise _No(f"stage {stage.name} does not unpack as root, which making /layers takes")
    if call.conditional:
        raise _No(f"line {call.instruction.line} unpacks the jar under a condition")
    others = [
        instruction
        for other in picture.stages
        for instruction in other.stage.instructions
        if instruction not in [copy.instruction for copy in copies]
        and (
            instruction.flag("from") is not None
            and re.search(rf"(?:^|[/\s])(?:{'|'.join(map(re.escape, names))})/?(?:\s|$)", instruction.text)
        )
    ]
    if others:
        raise _No(f"line {others[0].line} copies a layer as well")
    for instruction in picture.final.stage.instructions:
        if (
            instruction.keyword in ("RUN", "COPY", "ADD")
            and instruction.line < copies[0].instruction.line
            and re.search(
                rf"{re.escape(target)}(?![\w-])|{re.escape(posixpath.basename(target))}(?![\w.-])",
                instruction.text,
            )
        ):
            raise _No(
                f"line {instruction.line} prepares {target}, whose owner or mode copying whole trees would change"
            )

    fixed = [copy.layer for copy in copies if copy.layer != "application"]
    parent = posixpath.dirname(target).strip("/")
    steps = []
    for copy in copies:
        tree = f"/layers/{copy.layer}/{parent}".rstrip("/")
        steps.append(f"mkdir -p {tree} && mv {copy.source} {tree}/{posixpath.basename(target)}")
    steps.append(stamp_command([f"/layers/{name}" for name in fixed], has_find=_has_find(picture, stage)))
    newline = document.newline
    keyword = "run" if document.text[call.instruction.keyword_span.start].islower() else "RUN"
    lines = [
        f"# One tree per layer, at a fixed time (@{FIXED_TIME}): what does not change keeps its digest",
        f"{keyword} " + f" {document.escape}\n && ".join(steps),
    ]
    end = call.instruction.span.end
    text = newline + newline.join("\n".join(lines).split("\n"))
    edits = [Edit(Span(end, end), text)]
    for copy in copies:
        source, destination = copy.instruction.words
        json = copy.instruction.json is not None
        path = f"/layers/{copy.layer}/"
        edits.append(Edit(source.span, f'"{path}"' if json else path))
        edits.append(Edit(destination.span, '"/"' if json else "/"))
    return tuple(edits)


def _has_find(picture: Picture, stage: StagePicture) -> bool:
    return "find" in picture.base_of(stage).has
