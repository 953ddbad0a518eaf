"""The final stage runs on a glibc JRE, though the application runs on musl (Alpine) just as well.

## Why it costs
The operating system below the JRE: Temurin 17 is 94 MB compressed on Ubuntu noble and 68 MB on Alpine.

## What it does
Changes the image of the final FROM to the Alpine JRE of the same Java version, and what the RUN lines install with
it: `apt-get install`, `yum install` and `dnf install` become `apk add --no-cache` by a table of known names,
`useradd` and `groupadd` become `adduser` and `addgroup` with the same numbers. A package that only Alpine lacks
(bash for a script, libstdc++ for a native library, fonts) joins an install that is there.

## Fix safety
Safe only when the jar was read and nothing in it or in the final stage is made for glibc: native libraries
without a musl build (from their ELF headers), native agents, programs copied or downloaded, commands and options that
busybox does not have, package names that are not in the table, versions pinned, mirrors edited, users without a
number, locales other than UTF-8. Anything that cannot be read counts as made for glibc; `not_applied` says what it
was: jars and agents among them that come at run time (`loader.path`, a class path on a volume). A build that reaches
no package server today is not made to reach one, unless `--runtime alpine` asks for it.

## Example
    FROM eclipse-temurin:21-jre
becomes
    FROM eclipse-temurin:21-jre-alpine
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix
from imgopt.picture import Picture
from imgopt.plans.base import runtime
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "glibc-runtime"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    base = picture.base
    from_ = picture.final.root.stage.from_
    choice = runtime.choose(picture)
    target = choice.target
    if base.kind == "jre" and base.libc == "glibc" and target is not None and target.libc == "musl":
        brings = "a glibc beside Alpine's own C library"
        if base.os != "alpine":
            brings = f"a whole {(base.os or 'glibc').capitalize()}"
        safe = choice.applicability is Applicability.SAFE
        more = "nothing here needs more than" if safe else "the application may need no more than"
        yield Finding(
            rule=ID,
            severity=Severity.MEDIUM,
            line=from_.line,
            end_line=from_.end_line,
            message=f"{base.name} brings {brings}; {more} {target.name}",
            fix=Fix(f"run on {target.name}{choice.note}", choice.applicability, choice.edits, choice.risk),
        )
    elif why := choice.why_not(ID):
        yield Declined(ID, from_.line, why, choice.solved_by(ID))
