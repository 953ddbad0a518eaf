"""An archive stays in the image beside what was unpacked from it.

## Why it costs
The archive of a JDK, an agent or an application is about as large as its unpacked form is in the compressed layer: the
same content is pushed twice.

## What it does
Removes the archive in the RUN that downloads and unpacks it. An archive that COPY or ADD brings is in a layer of its
own, from which no RUN can take it: there it says how to unpack without keeping it.

## Fix safety
Safe where download, unpacking and removal are in one RUN, the archive's path is written out there, and no later command,
stage or start script names it. Unsafe when a script that was not read runs afterwards.

## Example
    RUN curl -fsSLO https://example.com/agent.tgz && tar xzf agent.tgz
becomes
    RUN curl -fsSLO https://example.com/agent.tgz && tar xzf agent.tgz && rm agent.tgz
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, Waste, say
from imgopt.picture import Picture
from imgopt.rule import rule
from imgopt.scales import Severity

ID = "archive-kept"
#: An archive of less than this is not worth a line.
SMALLEST_BYTES = 100_000


@rule(ID, of="RUN")
def check(picture: Picture) -> Iterator[Finding | Declined]:
    from imgopt.plans.waste.archives import kept_archives
    from imgopt.units import megabytes

    for archive in kept_archives(picture):
        file = archive.file
        size = file.bytes if file is not None else None
        if size is not None and size < SMALLEST_BYTES:
            continue
        assert archive.unpacked is not None
        here = archive.brought is archive.unpacked.instruction
        what = f" of {megabytes(size)}" if size is not None else ""
        where = "" if here else say(", which {} unpacks,", archive.unpacked.instruction)
        yield Finding(
            rule=ID,
            severity=Severity.of(size),
            line=archive.brought.line,
            end_line=archive.brought.end_line,
            message=say(
                "the archive {}{}{} stays in this layer beside its unpacked form", archive.name, what, where
            ),
            fix=Fix(
                archive.description,
                archive.applicability,
                archive.edits,
                archive.risk,
                frozenset({archive.path}),
            ),
            waste=Waste(
                None,
                None,
                "unknown",
                "the archive in the context",
                (file,) if file is not None else (),
                stored_by=archive.brought,
            ),
        )
