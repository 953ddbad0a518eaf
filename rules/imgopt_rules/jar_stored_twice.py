"""A RUN changes the jar after it was copied, so a second layer holds the whole jar once more.

## Why it costs
Layers are immutable: `touch`, `chmod`, `chown` or `mv` on a 60 MB jar writes 60 MB into a new layer, and both
layers are pushed.

## What it does
Removes a RUN that does nothing but `touch` the jar: COPY gives it a time already. For the others the layered form
of `fat-jar-layer` is the cure, because what they then change is a jar of a few hundred bytes. Where the jar cannot be
layered, its owner or mode moves into the COPY, as `recursive-chown` does it for directories.

## Fix safety
Safe: a jar's modification time is not part of what a Spring Boot application does, and no other command is removed.
An owner moves under the conditions of `recursive-chown`.

## Example
    COPY target/app.jar app.jar
    RUN sh -c 'touch /app.jar'
loses its second line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imgopt.finding import Declined, Finding, Fix, Waste
from imgopt.picture import Picture
from imgopt.picture.contents import File
from imgopt.plans.layers import layering
from imgopt.plans.waste import ownership
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "jar-stored-twice"

#: A second copy of less than this is not worth a line.
SMALLEST_BYTES = 100_000


@rule(ID, of="RUN")
def check(picture: Picture) -> Iterator[Finding | Declined]:
    if layering.plan(picture).layered:
        return
    for instruction in picture.final.stage.instructions:
        if instruction.keyword != "RUN":
            continue
        layer = picture.layer_of(instruction)
        jars = (
            [file for file in layer.files if file.path.endswith((".jar", ".war")) and file.entry is None]
            if layer
            else []
        )
        reowning = ownership.reowning(picture, instruction)
        if reowning is not None and not reowning.of_one_jar:
            jars = [file for file in jars if file not in reowning.files]  # told by recursive-chown
        stored = sum(file.bytes or 0 for file in jars)
        only_touches = instruction in picture.touches
        unread = reowning is not None and reowning.of_one_jar and bool(reowning.unread)
        if not (
            stored >= SMALLEST_BYTES or unread or (only_touches and picture.artifact is not None and not jars)
        ):
            continue
        name = _named(picture, jars)
        size = f" ({stored / 1e6:.1f} MB)" if stored else ""
        if only_touches:
            fix = Fix(
                "remove the RUN: COPY gives the jar a time already",
                Applicability.SAFE,
                (picture.removal(instruction),),
            )
        elif reowning is not None and reowning.of_one_jar and not layering.layers_the_jar(picture):
            advice = reowning.why_not or "give the jar its owner in the COPY"
            fix = Fix(advice, reowning.applicability, reowning.edits)
        else:
            fix = Fix(
                "set owner and mode in the COPY itself (--chown, --chmod), and copy to the final path",
                Applicability.MANUAL,
            )
        yield Finding(
            rule=ID,
            severity=Severity.HIGH,
            line=instruction.line,
            end_line=instruction.end_line,
            message=f"this RUN writes {name} a second time{size}: both copies are pushed",
            fix=fix,
            solved_by=None if fix.applies else "fat-jar-layer",
            waste=Waste(
                None, None, "unknown", "what the RUN stores again", tuple(jars), stored_by=instruction
            ),
        )


def _named(picture: Picture, jars: Sequence[File]) -> str:
    if jars:
        return jars[0].path if len(jars) == 1 else f"{jars[0].path} and {len(jars) - 1} more"
    artifact = picture.artifact
    return artifact.path if artifact is not None and artifact.path else "the jar"
