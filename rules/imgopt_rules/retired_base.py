"""The base image is no longer built: no security updates, and its layers are shared with nothing current.

## Why it costs
`openjdk`, `java` and `adoptopenjdk` images are frozen. A frozen base keeps old, often larger layers, shares none
with other services that moved on, and `17-alpine` and later `openjdk` tags are early-access builds that were never
released.

## What it does
Changes the image of the final FROM to the maintained counterpart of the same Java version, as small as the other
rules found to be safe. From one image that is no longer built to another is no way out, and not offered.

## Fix safety
Safe under the same conditions as `jdk-runtime` and `glibc-runtime`: same Java version, nothing found that the new
image lacks. A tag that pins a release (`openjdk:11.0.16-jre-slim`) keeps it where Temurin has an image of it. Where the pin
has to be left, the fix needs --unsafe if the newest update is known to behave otherwise: the heap follows the
container's limit from 8u191 on, TLS 1.0 and 1.1 are off from 8u291 and 11.0.11 on, limits count with cgroup v2 from
8u372 and 11.0.16 on. A tag that pins none takes updates, and the fix says what the last one frozen in it did not have;
where that is the heap's limit (`java:8`, or a release that nobody knows), it needs --unsafe.

## Example
    FROM openjdk:11-jre-slim
becomes
    FROM eclipse-temurin:11-jre-jammy
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix
from imgopt.picture import Picture
from imgopt.plans.base import runtime
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "retired-base"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    base = picture.base
    from_ = picture.final.root.stage.from_
    if base.retired is None or base.kind not in ("jdk", "jre"):
        return
    choice = runtime.choose(picture)
    target = choice.target
    why = choice.why_not(ID)
    if why is not None and (solved_by := choice.solved_by(ID)):
        yield Declined(ID, from_.line, why, solved_by)
        return
    message = f"{base.name} is no longer maintained ({base.retired})"
    if target is not None and target.retired is None:
        fix: Fix | None = Fix(
            f"move to {target.name}{choice.note}", choice.applicability, choice.edits, choice.risk
        )
    else:
        fix = Fix(
            choice.obstacle or why or "no maintained counterpart of this Java version is known",
            Applicability.MANUAL,
        )
    yield Finding(ID, Severity.MEDIUM, from_.line, from_.end_line, message, fix)
