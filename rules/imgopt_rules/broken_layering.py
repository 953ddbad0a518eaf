"""What the file unpacks, what it copies of it and what it starts do not agree, or not with this Spring Boot version.

## Why it costs
Nothing is saved by a build that fails, or by an image that does not start. `-Djarmode=layertools` is gone since Spring
Boot 4.1 and `-Djarmode=tools` exists since 3.3; the launcher's class moved to another package in 3.2; `tools` unpacks
without a launcher unless it is asked for one, into a directory named after the jar, and into none that holds something;
an option that the mode does not know (`--destination=out`, too) makes it write nothing and end with 0. A `COPY --from` of
a stage that is not in the file looks for an image of that name in a registry.

## What it does
Follows the stages: what is unpacked and to where, with the jar at hand or, where there is none, with one as Spring Boot's
plugins make it; what the COPY lines take of it; what the start command needs, in all its forms, in variables,
here-documents and scripts at hand. Where they do not agree it changes the one that fixes all, and what the other rules say
is said of the fixed file. Where nothing is known that fixes it, the other rules wait.

## Fix safety
Safe when the jar itself was read, or the build files name the version, and the fixed file has no such fault any more;
unsafe when nothing names the version. A script of the build context is not changed: what to write there is told. Of a
stage that is not in the file nothing is made up where several things could be meant.

## Example
    RUN java -Djarmode=layertools -jar app.jar extract
becomes, for Spring Boot 4.1,
    RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --force --destination .
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, because, say
from imgopt.picture import Picture
from imgopt.plans.layers.missing_stages import missing_stages
from imgopt.plans.layers.unpacking import broken
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "broken-layering"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    yield from _missing_stages(picture)
    yield from _faults(picture)


def _missing_stages(picture: Picture) -> Iterator[Finding]:
    missing = missing_stages(picture)
    if missing is None:
        return
    if missing.edits and missing.added is not None:
        level = Applicability.SAFE if missing.risk is None else Applicability.UNSAFE
        fix = Fix(missing.added, level, missing.edits, missing.risk)
    else:
        advice = f"add a stage `FROM ... AS {missing.names[0]}` above"
        fix = Fix(
            say("{}: {}", advice, missing.why_not) if missing.why_not is not None else advice,
            Applicability.MANUAL,
        )
    yield Finding(
        rule=ID,
        severity=Severity.HIGH,
        line=missing.copies[0].line,
        end_line=missing.copies[0].end_line,
        message=missing.message,
        fix=fix,
    )


def _faults(picture: Picture) -> Iterator[Finding]:
    for each in broken(picture):
        fault, mend = each.fault, each.mend
        level = Applicability.MANUAL
        if mend is not None:
            level = Applicability.SAFE if each.source is not None else Applicability.UNSAFE
        risk = None
        if level is Applicability.UNSAFE:
            risk = because(
                "not-known",
                "the jar is not at hand and nothing names the version of Spring Boot; its default layers are assumed",
            )
        yield Finding(
            rule=ID,
            severity=Severity.HIGH,
            line=fault.instruction.line,
            end_line=each.last.end_line,
            message=fault.message,
            fix=Fix(
                mend.what if mend else fault.advice,
                level,
                mend.edits if mend else (),
                risk,
                each.leaves_out,
            ),
        )
