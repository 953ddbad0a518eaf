"""The build context holds much that nothing uses: it is sent to the builder with each build.

## Why it costs
Docker's classic builder is sent the whole context before it starts, and so are kaniko and buildah where they run
elsewhere: `.git`, `node_modules` and old build output travel for nothing. BuildKit asks only for what COPY names, but
`COPY . .` names everything; then any change in it also runs all lines below anew. Nothing of this is pushed with the
image, so it counts in no push.

## What it does
Measures what no COPY uses, and says the lines for `.dockerignore` that leave it out.

## Fix safety
Advice only: the fix is another file, and other builds may use the same context. `.git` is not counted where the build
asks it for the commit.

## Example
    .git
    node_modules
    target/*
    !target/app.jar
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imgopt.finding import Declined, Finding, Fix
from imgopt.picture import Picture
from imgopt.plans.waste.context_use import IdleContext, idle_context
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

if TYPE_CHECKING:
    from imgopt.dockerfile import Instruction

ID = "unused-context"

#: Sending less than this is not felt.
SMALLEST_BYTES = 5_000_000


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    idle = idle_context(picture)
    if idle is None or idle.bytes < SMALLEST_BYTES:
        return
    at = idle.taken_by or _first_copy(picture) or picture.final.stage.from_
    yield Finding(
        rule=ID,
        severity=Severity.MEDIUM if idle.bytes > 100_000_000 else Severity.LOW,
        line=at.line,
        end_line=at.end_line,
        message=_message(idle),
        fix=Fix(_advice(idle), Applicability.MANUAL),
    )


def _message(idle: IdleContext) -> str:
    large = [part for part in idle.parts if part.bytes >= 50_000][:4]
    shown = ", ".join(
        f"{part.path} {'' if part.complete else 'at least '}{part.bytes / 1e6:.1f} MB" for part in large
    )
    if sum(part.bytes for part in idle.parts) - sum(part.bytes for part in large) >= 50_000:
        shown += ", ..."
    known = idle.complete and all(part.complete for part in idle.parts)
    amount = f"{'' if known else 'at least '}{idle.bytes / 1e6:.1f} MB"
    if idle.taken_by is not None:
        return (
            f"{amount} of what is copied here for the build do not belong to it ({shown}): "
            "sent to the builder with each build, though not part of the image"
        )
    return (
        f"{amount} of the build context are used by no COPY ({shown}): not part of the image, and not asked for by "
        "BuildKit, but sent with each build to docker's classic builder, and to kaniko and buildah where they run elsewhere"
    )


def _advice(idle: IdleContext) -> str:
    if not idle.lines:
        return f"leave it out in {idle.ignore_file}"
    verb = "add to" if idle.ignore_file_exists else "write"
    return f"{verb} {idle.ignore_file}, a line each: {'  '.join(idle.lines)}"


def _first_copy(picture: Picture) -> Instruction | None:
    return next(
        (
            instruction
            for instruction in picture.document.instructions
            if instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is None
        ),
        None,
    )
