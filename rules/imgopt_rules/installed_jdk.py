"""The final stage brings its own JDK, though the application only needs a JRE.

## Why it costs
A JDK package on a plain Debian, Alpine or Red Hat image brings the compiler and the jmods with it: 72 to 93 MB more
than the JRE of the same version on Debian 11 to 13 (amd64, Java 11 to 25, the packages as published), and 9 MB for
Java 8 on Ubuntu. They travel again with every release that is built without a cache.

## What it does
Changes the package in the install command to the JRE of the same version: a headless JDK to the headless JRE, a full
one to the full JRE, so that AWT and fonts stay as they are. A tree copied from a Temurin JDK image (COPY --from) is
copied from the JRE image of the same tag. For a JDK that comes as an archive the advice is the JRE archive of the
same release, or a maintained JRE image to copy from.

## Fix safety
Safe while nothing found here needs the JDK: a JDK tool (jcmd, jstack, jar, javac ...) in a RUN, HEALTHCHECK, start
command or script, a build tool, tools.jar, a native build, or a reference from the application's own classes to the
compiler or the tools API. JRE packages also lack jfr and jrunscript. Paths must stay: on Red Hat systems
/usr/lib/jvm/java-17-openjdk goes with the JDK (the JRE is jre-17-openjdk), and Adoptium's packages use a directory
each; a file or script that names one of them keeps its JDK. `not_applied` says what it was. Unsafe where a start
script, or a script that a RUN calls, is not available.

## Example
    RUN apt-get update && apt-get install -y openjdk-17-jdk
becomes
    RUN apt-get update && apt-get install -y openjdk-17-jre
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix
from imgopt.picture import Picture
from imgopt.plans.base.installed_java import jre_instead
from imgopt.plans.splitting import splits_first
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "installed-jdk"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    plan = jre_instead(picture)
    jdk = plan.jdk
    if jdk is None:
        return
    line, end_line = jdk.instruction.line, jdk.instruction.end_line
    if plan.why_not is not None:
        yield Declined(ID, line, plan.why_not, "build-tools" if splits_first(picture) else None)
        return
    size = f" of {jdk.bytes / 1e6:.1f} MB" if jdk.bytes else ""
    cost = ""
    if plan.waste is not None and plan.waste.first_push_bytes is not None:
        cost = f" ({plan.waste.first_push_bytes / 1e6:.1f} MB less by {plan.waste.source})"
    if plan.edits:
        plural = " and " in (plan.instead or "")
        enough = (
            f"{'are' if plural else 'is'} enough"
            if plan.applicability is Applicability.SAFE
            else "may be enough"
        )
        message = f"{jdk.name} is a full JDK; {plan.instead} {enough} to run the application{cost}"
        verb = "copy from" if jdk.how == "copied" else "install"
        fix = Fix(f"{verb} {plan.instead}", plan.applicability, plan.edits, plan.risk)
    else:
        message = f"{jdk.name} is a full JDK{size}; a JRE may be enough to run the application"
        fix = Fix(plan.advice or "install a JRE of the same version", Applicability.MANUAL)
    yield Finding(
        rule=ID,
        severity=Severity.MEDIUM if jdk.major == 8 else Severity.HIGH,
        line=line,
        end_line=end_line,
        message=message,
        fix=fix,
        waste=plan.waste,
    )
