"""The application changes with each release, but lies below layers that do not: they are fetched and built again.

## Why it costs
Engines find a layer by what lies below it. Behind a changed layer a pull fetches every layer again, and a builder's
cache ends: `apt-get install` above the jar runs anew for each release, and what it installs is pushed anew. Measured:
behind one changed layer of 106 bytes a pull fetched 65 MB of unchanged layers. On a builder without a cache RUNs are
new with each build whatever the order; there the gain is in pulls of copied and layered files.

## What it does
Moves the COPY of the application down, behind the last RUN or COPY of some weight that does not need it. Comments
right above it move along.

## Fix safety
Safe when nothing between the old place and the new one depends on it: no RUN that may read or write its directory (one
whose commands are not known may), no COPY to the same path, no change of user, of the directory that a relative target
is in, or of a variable that it uses. It moves as far as that holds; otherwise the advice names the line in the way.

## Example
    COPY target/app.jar /app.jar
    RUN apt-get update && apt-get install -y fontconfig
becomes
    RUN apt-get update && apt-get install -y fontconfig
    COPY target/app.jar /app.jar
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, Reason, Sentence, because, listed, say
from imgopt.picture import Picture
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "layer-order"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    stored = [each for each in picture.final.stage.instructions if each.keyword in ("COPY", "ADD", "RUN")]
    if len(stored) < 2:
        return
    from imgopt.plans.layers import ordering

    plan = ordering.plan(picture)
    if not plan.moved:
        return
    where = listed(plan.above)
    size = f"{plan.bytes / 1e6:.1f} MB" if plan.files else "of unknown size"
    if plan.files and plan.unknown:
        size = f"at least {size}"
    if plan.edits:
        fix = Fix(say("move it behind {}", where), Applicability.SAFE, plan.edits)
    else:
        fix = Fix(_held(where, plan.why_not), Applicability.MANUAL)
    yield Finding(
        rule=ID,
        severity=Severity.of(plan.bytes, complete=bool(plan.files) and not plan.unknown),
        line=plan.moved[0].line,
        end_line=plan.moved[0].end_line,
        message=say(
            "this changes with each release, and what lies above it need not ({}, {}): "
            "a pull fetches that again each time, and a build with a cache makes and pushes it again",
            where,
            size,
        ),
        fix=fix,
    )


def _held(where: Sentence, why: Reason | None) -> Sentence:
    if why is None:
        return say("move it behind {}", where)
    return because(why.kind, "move it behind {}: {}", where, why)
