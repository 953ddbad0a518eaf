"""The file layers its jar in a way that this Spring Boot version does not understand.

## Why it costs
Nothing is saved by a build that fails, or by an image that does not start: `-Djarmode=layertools` is gone since
Spring Boot 4.1, `-Djarmode=tools` exists since 3.3, the launcher's class moved to another package in 3.2, and a
`COPY --from` of a stage that is not in the file looks for an image of that name in a registry.

## What it does
Puts the jarmode and the launcher's name right for the version at hand.

## Fix safety
Safe when the jar itself was read, or the build files name the version: `layertools extract` and
`tools extract --layers --launcher --force --destination .` write the same files. A missing stage is only
reported: what it should hold is the author's to say.

## Example
    RUN java -Djarmode=layertools -jar app.jar extract
becomes, for Spring Boot 4.1,
    RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --force --destination .
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from imgopt.dockerfile import Edit
from imgopt.finding import Declined, Finding, Fix
from imgopt.picture import Picture
from imgopt.plans.layers.jarmode import LayeredJar, extractions, layered_jar
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "broken-layering"
_LAUNCHER = re.compile(
    r"org\.springframework\.boot\.loader\.(?:launch\.)?(?:JarLauncher|WarLauncher|PropertiesLauncher)"
)


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    yield from _missing_stages(picture)
    jar = layered_jar(picture)
    if jar is not None:
        yield from _wrong_mode(picture, jar)
        yield from _wrong_launcher(picture, jar)


def _missing_stages(picture: Picture) -> Iterator[Finding]:
    names: set[str] = set()
    reported: set[str] = set()
    for stage in picture.stages:
        for instruction in stage.stage.instructions:
            flag = instruction.flag("from") if instruction.keyword in ("COPY", "ADD") else None
            if flag is None or not flag.value or "$" in flag.value:
                continue
            name = flag.value.lower()
            known = name in names or (name.isdigit() and int(name) < stage.index)
            if known or name in reported:
                continue
            if re.search(r"dependencies|spring-boot-loader|application", instruction.text) and re.fullmatch(
                r"[a-z][\w-]*|\d+", name
            ):
                reported.add(name)
                later = any(name in (other.name.lower(), str(other.index)) for other in picture.stages)
                what = "comes later in the file" if later else "is not in the file"
                yield Finding(
                    rule=ID,
                    severity=Severity.HIGH,
                    line=instruction.line,
                    end_line=instruction.end_line,
                    message=f"stage {flag.value} {what}, so the build looks for an image of that name",
                    fix=Fix(
                        f"add a stage `FROM ... AS {flag.value}` above that unpacks the jar "
                        "(`imgopt rewrite` writes one for a file that copies the jar itself)",
                        Applicability.MANUAL,
                    ),
                )
        names |= {stage.name.lower()}


def _wrong_mode(picture: Picture, jar: LayeredJar) -> Iterator[Finding]:
    for call, _ in extractions(picture):
        right = jar.jarmodes
        if call.mode in right or not right:
            continue
        level = Applicability.SAFE if call.edits_to(right[0]) else Applicability.MANUAL
        yield Finding(
            rule=ID,
            severity=Severity.HIGH,
            line=call.instruction.line,
            end_line=call.instruction.end_line,
            message=f"jarmode {call.mode} does not exist in Spring Boot {jar.spring_boot}; it is called {right[0]} there",
            fix=Fix(f"use jarmode {right[0]}", level, call.edits_to(right[0])),
        )


def _wrong_launcher(picture: Picture, jar: LayeredJar) -> Iterator[Finding]:
    if jar.launcher is None:
        return
    for instruction in picture.start_commands:
        for match in _LAUNCHER.finditer(instruction.text):
            simple = match.group().rsplit(".", 1)[-1]
            if match.group() == jar.launcher or simple != jar.launcher.rsplit(".", 1)[-1]:
                continue
            yield Finding(
                rule=ID,
                severity=Severity.HIGH,
                line=instruction.line,
                end_line=instruction.end_line,
                message=f"{match.group()} is not in Spring Boot {jar.spring_boot}; its launcher is {jar.launcher}",
                fix=Fix(
                    f"start {jar.launcher}",
                    Applicability.SAFE,
                    (Edit(instruction.source_span(match.start(), match.end()), jar.launcher),),
                ),
            )
