"""A RUN removes what a layer below has stored: it is gone from sight, but stays in the image.

## Why it costs
A layer is never changed by the ones above it. `rm` of an archive of 50 MB that was copied, or `apt-get purge` of a
compiler that an earlier RUN installed, adds a layer with a mark; the 50 MB are pushed and pulled all the same.

## What it does
Says where the bytes lie and which form keeps them out: `ADD` of a tar, `RUN --mount=type=bind`, a stage before, or
removing in the RUN that makes them.

## Fix safety
Advice only: what else needs the file between the two lines is the author's to say.

## Example
    COPY dist.zip /tmp/
    RUN unzip /tmp/dist.zip -d /opt && rm /tmp/dist.zip
is, with BuildKit,
    RUN --mount=type=bind,source=dist.zip,target=/tmp/dist.zip unzip /tmp/dist.zip -d /opt
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, Waste, say
from imgopt.picture import Picture
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "deleted-later"


@rule(ID, of="RUN")
def check(picture: Picture) -> Iterator[Finding | Declined]:
    from imgopt.plans.waste import removals

    for removal in removals.removals(picture):
        names = ", ".join(removal.names[:3]) + (
            f" and {len(removal.names) - 3} more" if len(removal.names) > 3 else ""
        )
        size = removal.bytes
        amount = f"{size / 1e6:.1f} MB" if size is not None else "of unknown size"
        verb = "moves" if removal.moved else "removes"
        yield Finding(
            rule=ID,
            severity=Severity.of(size),
            line=removal.instruction.line,
            end_line=removal.instruction.end_line,
            message=say(
                "this RUN {} {} ({}), which stays in the layer of {} and is pushed all the same",
                verb,
                names,
                amount,
                removal.stored_by,
            ),
            fix=Fix(removals.advice(picture, removal), Applicability.MANUAL),
            waste=Waste(
                None,
                None,
                "unknown",
                "the layer that stores them",
                removal.files,
                not removal.steady,
                removal.stored_by,
            ),
        )
