"""The final stage builds the application, and ships the build tools, the sources and the local repository with it.

## Why it costs
A build leaves in the image what nothing at run time reads: Maven or Gradle, the JDK's compiler, the sources, all
downloaded plugins and libraries once more beside the jar that already holds them. And every change of a source
makes all of these layers anew.

## What it does
Splits the final stage in two. Everything up to the last command that handles the build's results stays as it is, in
its own stage. A new final stage stands on the same JDK, without the build tool, repeats what the container
needs (packages, users, directories, variables, ports) and copies the jar from the build stage to the very path it
had. The start command is not touched. `jdk-runtime` and `fat-jar-layer` then do what they do for any file of two
stages. A stage that only stands on a Maven or Gradle image, and builds nothing, gets the JDK image below it.

The build itself stays as the author wrote it; where directories go along, a last RUN lays them out below a path of
the module's own, because kaniko mixes what modules that it builds in one container hand on under the same path. Copying the build files first, or a cache mount, would shorten builds
and not images, and it resolves dependencies in another way than the build that is known to work.

## Fix safety
Safe when the sources are at hand and show that the application reads nothing of the project around it: no path into
src/, target/ or to a build file, no user.dir, no other program started. Files beside the sources that no build needs
(config/, keystores, scripts) go along. Unsafe when the sources are not available, when the application runs
as a user who may own what the build left or whom only the build image has (gradle, who is made anew), when the jar may need files beside it, or when whole directories go along
and other modules may share the Dockerfile. Not done when a command is not understood, when which jar starts cannot be determined, or when the container runs the build tool itself
(`spring-boot:run`, `bootRun`).

A COPY that takes a whole project or its output directory out of a build stage is reported with the jar to copy.

## Example
    FROM maven:3.9-eclipse-temurin-21
    WORKDIR /app
    COPY . .
    RUN mvn package
    CMD ["java", "-jar", "target/app.jar"]
becomes
    FROM maven:3.9-eclipse-temurin-21 AS build
    WORKDIR /app
    COPY . .
    RUN mvn package

    FROM eclipse-temurin:21-jdk
    WORKDIR /app
    COPY --from=build /app/target/app.jar /app/target/app.jar
    CMD ["java", "-jar", "target/app.jar"]
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, because
from imgopt.picture import Picture
from imgopt.plans import splitting
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "build-tools"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    yield from _carried(picture)
    plan = splitting.plan(picture)
    if not plan.line:
        return
    if not plan.edits and not plan.starts:
        yield Declined(
            ID, plan.line, plan.why_not or because("not-known", "what runs in the image cannot be determined")
        )
        return
    if plan.started_with is not None:
        message = f"the container builds the application whenever it starts, with `{plan.started_with}`"
        advice = "build the jar in its own stage, copy it, and start it with java -jar"
        fix = Fix(advice, Applicability.MANUAL)
        yield Finding(ID, Severity.HIGH, plan.line, plan.end_line, message, fix)
        return
    if plan.builds:
        message = (
            f"the image is built with `{plan.tool}` and ships what that needs: tools, sources, downloads"
        )
        description = f"build in its own stage, and run on {plan.image}"
    else:
        message = f"{picture.base.name} is an image to build with, and nothing is built in this stage"
        description = f"run on {plan.image}, the JDK in it"
    if plan.edits:
        fix = Fix(description, plan.applicability, plan.edits, plan.risk, plan.left)
    else:
        fix = Fix(plan.why_not or "no split is known", Applicability.MANUAL)
    yield Finding(ID, Severity.HIGH, plan.line, plan.end_line, message, fix)


def _carried(picture: Picture) -> Iterator[Finding]:
    for found in splitting.carried_builds(picture):
        what = "the sources and all that the build made" if found.sources else "all that the build made"
        yield Finding(
            rule=ID,
            severity=Severity.MEDIUM,
            line=found.instruction.line,
            end_line=found.instruction.end_line,
            message=f"this COPY takes {found.directory} as a whole: {what}, though one jar of it is started",
            fix=Fix(
                f"copy the jar alone: {found.line}" if found.line else "copy the jar alone",
                Applicability.MANUAL,
            ),
        )
