"""A RUN changes owner or mode of files after they were copied, so a second layer holds all of them once more.

## Why it costs
Layers are immutable: `chown -R` or `chmod -R` over a directory writes every file in it into a new layer, and both
layers are pushed. After a layered COPY it undoes the layering: the new layer holds all libraries and changes with each
release.

## What it does
Gives the files their owner (and with BuildKit their mode) in the COPY, and leaves the command to change what costs
nothing: the directories by name, which an application may want to write into. A single jar is the matter of
`jar-stored-twice`.

## Fix safety
Safe when the directory is the application's own and holds nothing but what the COPY lines bring, the command runs as
root, and user and group are numbers or exist above the first COPY. `--chown` is understood by every builder; `--chmod`
is only written into a file that needs BuildKit already, for modes in numbers. Otherwise the advice says what stands
against it.

## Example
    RUN useradd app
    COPY lib /app/lib
    RUN chown -R app:app /app
becomes
    RUN useradd app
    COPY --chown=app:app lib /app/lib
    RUN chown app:app /app /app/lib
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, Waste
from imgopt.picture import Picture
from imgopt.plans.layers import layering
from imgopt.plans.waste.ownership import reownings
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "recursive-chown"


@rule(ID, of="RUN")
def check(picture: Picture) -> Iterator[Finding | Declined]:
    for found in reownings(picture):
        if found.of_one_jar and not layering.plan(picture).layered:
            continue
        amount = f"{found.bytes / 1e6:.1f} MB" if found.files else "of unknown size"
        if found.files and found.unread:
            amount = f"at least {amount}"
        if found.edits:
            fix = Fix("give owner and mode in the COPY", Applicability.SAFE, found.edits)
        else:
            fix = Fix(found.why_not or "give owner and mode in the COPY", Applicability.MANUAL)
        yield Finding(
            rule=ID,
            severity=Severity.of(found.bytes, complete=not found.unread),
            line=found.instruction.line,
            end_line=found.instruction.end_line,
            message=f"`{found.command}` stores a second time what was copied ({amount}): both copies are pushed",
            fix=fix,
            waste=Waste(
                None, None, "unknown", "what the RUN stores again", found.files, stored_by=found.instruction
            ),
        )
