"""The whole application is one layer: every release pushes all libraries again because one class changed.

## Why it costs
A Spring Boot jar is 1 % application and 99 % libraries, in one file and so in one layer. Measured with a 72 MB
jar on a builder without a cache: 65.6 MB travel for a one-class change; in the form this fix makes, its own classes (10 kB
of that application with the thin layout, 6 kB with the launcher's).

## What it does
Adds a stage that unpacks the jar into one tree per layer, as its own layers.idx says, and copies the trees one by
one. The form matters: the four COPY lines of the Spring Boot manual push everything again on a fresh build agent,
because the times of directories differ. Here each tree is copied whole to `/`, and the times of what does not
belong to a release are fixed. The jars of the project's own modules, which layers.idx keeps beside the classes, get
their own tree: a release that changes none of them does not send them, as long as the build
makes the same bytes of the same sources (Maven: project.build.outputTimestamp; Gradle 9, or preserveFileTimestamps
= false).

A patch of Spring Boot comes every month and moves a part of the libraries. Those that it does not manage get a tree of their
own, from 4 MB on, below the others; where those that few patches move come to 4 MB as well, what most of them move (spring-*,
tomcat-*, netty-*, …) gets one above. The file names them by what their names begin with, without versions; a library that it
does not name lies with those that may move. Measured with ten applications and their last three patches: 1.44 times the
bytes of the new files in the median, 2.06 times with one layer.

From Spring Boot 3.3 on the jar's own tools write the thin layout: where the fat jar stood stands the application's jar,
which lists its libraries. Any Java does that, so the final base itself unpacks. Where the application could tell the
difference the archive's own layout stays, with its launcher: a jar of a few hundred bytes takes the fat jar's place and
points at the unpacked tree. That is so
- before 3.3, and where the jar is not available;
- for wars, signed jars, versions of classes (Multi-Release) and files at the root of the archive;
- for PropertiesLauncher and what is said to it, with a Java agent, spring-boot-devtools, JSP or JSF;
- where classes or settings speak of BOOT-INF, of nested URLs or of the loader, ask for their CodeSource, for the URLs of
  the class loader or for resources of the ServletContext, or search `classpath*:**/` with Spring Framework before 6.2;
- where a library offers the JDK what it looks for on the system class path (a FileSystemProvider, a LoggerFinder).
In both, the start command, scripts, health checks and `command:` overrides stay as they are.

Spring Boot serves files to browsers with the time of the jar that they lie in. Layers with such files that another
release has under the same name (classes, modules of the project, snapshots) keep the time of the build.

The trees lie below a path that is the module's own (where its Dockerfile lies in the repository, with the argument
that chooses the module where several share the file). kaniko keeps what a stage hands on when it builds the next
image in the same container: measured, with one path for all, the second of two modules got 5 jars and 5 classes of
the first. Two versions of one module built in the same container still mix; `imgopt explain reused-kaniko` tells
what helps there.

What unpacks the jar is an image that the build pulls anyway, where one of them can and is still maintained: the final
base itself, or that of another stage. The launcher's layout needs a JDK. Otherwise it is an image from where the base
comes from, and the fix says what a fresh agent pulls for it.

An archive that is unpacked already and copied whole, in one line with its libraries, is one layer as well: that is told, and
how the libraries get a line of their own.

## Fix safety
Safe for executable Spring Boot archives that `java -jar` starts, unpacked by their own jarmode where it works and
by path otherwise; the class path keeps its order. Unsafe when the application asks for its own location
(CodeSource; ApplicationHome, unless it gets the thin layout), when the image that unpacks it has to come from a registry that is not
known to have it (a base of your own says nothing of that; so does a mirror), or when other modules may share the Dockerfile and the path of the trees cannot tell
them apart. Not done when anything looks into the jar (unzip, -javaagent), where a
CDS archive or an AOT cache is made or given (it takes jars on its class path and no directories: the training run would
end with exit code 1), where the Java of the image is older than the application needs, for shaded jars, for
layers with names that are no plain ones, for names beyond ASCII where no UTF-8 locale is set, or when neither the
jar nor a build file states the Spring Boot version.

## Example
    COPY target/app.jar app.jar
becomes
    COPY --from=extract /extract/orders/out/dependencies/ /
    COPY --from=extract /extract/orders/out/snapshot-dependencies/ /extract/orders/out/application/ /
    COPY --from=extract /extract/orders/app.jar app.jar
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix
from imgopt.picture import Picture
from imgopt.plans.layers import layering
from imgopt.plans.layers.layering import LayeringPlan
from imgopt.plans.layers.mixed import mixed
from imgopt.plans.layers.own_modules import WHEN, about
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "fat-jar-layer"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    yield from _of_the_jar(picture)
    for layer in mixed(picture):
        yield Finding(
            rule=ID,
            severity=Severity.of(layer.libraries),
            line=layer.instruction.line,
            end_line=layer.instruction.end_line,
            message=f"the application is one layer of {layer.bytes / 1e6:.1f} MB, {100 * layer.libraries / layer.bytes:.0f} % of "
            "it libraries; every release pushes all of it",
            fix=Fix(layer.way_out, Applicability.MANUAL),
        )


def _of_the_jar(picture: Picture) -> Iterator[Finding | Declined]:
    plan = layering.plan(picture)
    artifact = picture.artifact
    if plan.layered or artifact is None:
        if plan.why_not:
            yield Declined(ID, plan.line, plan.why_not)
        return
    jar = artifact.jar
    if plan.edits:
        share = ""
        if jar is not None and jar.bytes:
            libraries = sum(library.bytes for library in jar.libraries)
            share = f" of {jar.bytes / 1e6:.1f} MB, {100 * libraries / jar.bytes:.0f} % of it libraries"
        yield Finding(
            rule=ID,
            severity=Severity.HIGH,
            line=plan.line,
            end_line=plan.end_line,
            message=f"the application is one layer{share}; every release pushes all of it",
            fix=Fix(
                f"split the jar into layers whose digests stay the same between releases{_about_modules(plan)}{_about_patches(plan)}{_about_pulls(plan)}",
                plan.applicability,
                plan.edits,
                plan.risk,
            ),
        )
    elif plan.why_not and jar is not None:
        yield Finding(
            rule=ID,
            severity=Severity.of(jar.bytes),
            line=plan.line,
            end_line=plan.end_line,
            message=f"the application is one layer of {jar.bytes / 1e6:.1f} MB; every release pushes all of it",
            fix=Fix(plan.why_not, Applicability.MANUAL),
        )
    elif plan.why_not:
        yield Declined(ID, plan.line, plan.why_not)


def _about_modules(plan: LayeringPlan) -> str:
    if plan.modules is None:
        return ""
    return f"; {about(plan.modules)} get one that stays {WHEN}"


def _about_patches(plan: LayeringPlan) -> str:
    split = plan.apart
    if split is None:
        return ""
    count, size = "two layers" if split.often else "one layer", split.bytes / 1e6
    return (
        f"; {split.count} libraries that Spring Boot does not manage ({size:.1f} MB) stay in the registry when a patch of it "
        f"comes, which costs {count} more"
    )


def _about_pulls(plan: LayeringPlan) -> str:
    return f"; a fresh agent pulls {plan.pulled} to unpack it" if plan.pulled is not None else ""
