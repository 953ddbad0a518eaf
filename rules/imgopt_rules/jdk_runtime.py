"""The final stage runs on a JDK, though the application only needs a JRE.

## Why it costs
The compiler, the jmods and the debugging tools travel with every push and every pull: 100 MB and more of a
compressed image (Temurin 17 on Alpine: 170 MB as JDK, 68 MB as JRE), and a larger attack surface.

## What it does
Changes the image of the final FROM to the smallest JRE of the same Java version that everything found allows:
Alpine where nothing needs glibc, otherwise the JRE of the same family of systems. Build stages keep their JDK.
Of an image that nobody published (`registry.corp.io/jdk17`) nothing is known but its name: a warning says so, and
`[bases]` in imgopt.toml says what it is like.

## Fix safety
Safe while nothing found here needs the JDK: a JDK tool (jcmd, jstack, jar, javac ...) in a RUN, HEALTHCHECK,
start command or script, tools.jar, Arthas, libraries that attach to their own JVM or compile Java while they run, or
a reference from the application's own classes (in its jar, or open in a tree; those of libraries are not asked) to the
compiler or the tools API. Any of them keeps the JDK, and `not_applied` names it. Unsafe when neither the jar nor a build
file of it is available, when the start script is not, or when another registry has to have the new image. A pinned
release stays pinned where an image of it is known (`amazoncorretto:17.0.11-alpine3.19` becomes
`eclipse-temurin:17.0.11_9-jre-alpine`); else the fix says that the pin is gone, and needs --unsafe where a later update
is known to behave otherwise. Without the jar's bytes nobody can promise that musl will do: then the JRE keeps its C library, unless
`--runtime alpine` asks for more. A CDS archive, an AOT cache or a checkpoint loads only in the very Java that made it: where
another stage trains one, its FROM changes together with the last one or none does, and one from elsewhere keeps the base.
Nothing is changed for an application that needs a later Java than the base has.

## Example
    FROM eclipse-temurin:17-jdk
becomes
    FROM eclipse-temurin:17-jre-alpine
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix
from imgopt.picture import Picture
from imgopt.plans.base import runtime
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "jdk-runtime"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    base = picture.base
    from_ = picture.final.root.stage.from_
    if base.kind != "jdk":
        return
    choice = runtime.choose(picture)
    target = choice.target
    if target is not None and target.kind == "jre":
        enough = "is enough" if choice.applicability is Applicability.SAFE else "may be enough"
        yield Finding(
            rule=ID,
            severity=Severity.HIGH,
            line=from_.line,
            end_line=from_.end_line,
            message=f"{base.name} is a full JDK; {target.name} {enough} to run the application",
            fix=Fix(f"run on {target.name}{choice.note}", choice.applicability, choice.edits, choice.risk),
        )
    elif choice.obstacle:
        yield Finding(
            rule=ID,
            severity=Severity.HIGH,
            line=from_.line,
            end_line=from_.end_line,
            message=f"{base.name} is a full JDK; a JRE may be enough to run the application",
            fix=Fix(choice.obstacle, Applicability.MANUAL),
        )
    elif why := choice.why_not(ID):
        yield Declined(ID, from_.line, why, choice.solved_by(ID))
