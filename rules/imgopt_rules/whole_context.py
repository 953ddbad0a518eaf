"""A COPY brings the whole project into the final image: sources, build output, version control.

## Why it costs
Only the application runs. `COPY . .` also stores `.git` with every version of every file, the sources, compiled
classes beside the jar that holds them, and caches of tools; all of it is pushed with each release, because something
in it always changed.

## What it does
Says what the COPY brings for nothing, measured after `.dockerignore`, and the COPY line that the started jar needs.

## Fix safety
Advice only: which files the application reads from its directory is the author's to say.

## Example
    COPY . /app
    CMD ["java", "-jar", "/app/target/app.jar"]
needs no more than
    COPY target/app.jar /app/target/app.jar
    CMD ["java", "-jar", "/app/target/app.jar"]
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, Waste
from imgopt.picture import Picture
from imgopt.plans.waste.context_use import whole_copies
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "whole-context"

#: Sources of less than this are not worth a line.
SMALLEST_BYTES = 100_000


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    for copy in whole_copies(picture):
        idle = sum(part.bytes for part in copy.parts)
        if idle < SMALLEST_BYTES:
            continue
        large = [part for part in copy.parts if part.bytes >= 50_000][:5]
        shown = ", ".join(f"{part.path} {part.bytes / 1e6:.1f} MB" for part in large)
        rest = idle - sum(part.bytes for part in large)
        if rest >= 50_000:
            shown += f", others {rest / 1e6:.1f} MB"
        advice = (
            f"copy what it runs ({copy.needed}) and the files it reads"
            if copy.needed
            else "copy only what the application runs and reads, or list the rest in .dockerignore"
        )
        yield Finding(
            rule=ID,
            severity=Severity.of(idle),
            line=copy.instruction.line,
            end_line=copy.instruction.end_line,
            message=f"{idle / 1e6:.1f} of the {copy.total_bytes / 1e6:.1f} MB copied here are nothing that runs: {shown}",
            fix=Fix(advice, Applicability.MANUAL),
            waste=Waste(
                None, None, "unknown", "files of the build context", copy.files, stored_by=copy.instruction
            ),
        )
