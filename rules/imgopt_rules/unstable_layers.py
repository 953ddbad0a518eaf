"""Libraries have layers of their own, but their digests change on every build without a cache.

## Why it costs
The registry knows layers by digest, and a digest covers the times of files and directories. The four COPY lines of
the Spring Boot manual, built twice on fresh agents from a jar in which one class changed, push 65.5 of 65.5 MB again:
measured with Docker's classic builder, BuildKit, buildah and kaniko. The older form of `jar -xf` and three COPY lines
does the same, and so does a `lib/` directory beside a thin jar. The layering gains nothing there.

## What it does
Arranges each layer as a whole tree at the end of the extracting stage, or in an added one for a directory of the build context,
fixes the times of all but the application's own, and copies each tree to `/`. The files, their places and the start
command stay the same. A tree brings the directory that it fills, as root's: where that was another user's (a WORKDIR below
USER, which BuildKit gives to the user), one more COPY gives the empty directory back, and never a jar. The trees lie below the module's own path in the repository, because kaniko, building several
modules in one container, mixes what their stages hand on under the same path.

## Fix safety
Safe when the layers are copied unchanged into one directory that the base image does not have; directories that a RUN
prepares (owner, mode) are left alone, and so are layers that another stage uses or a link may lead to, or that belong to a CDS
archive of another stage, which knows its jars by their times; `not_applied` says so. Unsafe where the base image is not known, whose user may own the directory, and where other modules may share
the Dockerfile and the path cannot tell them apart. The classic builder, Podman and kaniko leave to root what a WORKDIR
below USER makes: built by them, the user may write there after the rewrite, as BuildKit lets it before.

## Example
    COPY --from=builder /builder/extracted/dependencies/ ./
becomes
    COPY --from=builder /layers/orders/out/dependencies/ /
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix
from imgopt.picture import Picture
from imgopt.plans.layers import steadying
from imgopt.plans.layers.own_modules import WHEN, about
from imgopt.plans.layers.steadying import SteadyingPlan
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "unstable-layers"


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    for plan in steadying.plans(picture):
        first, last = plan.copies[0], plan.copies[-1]
        if plan.edits:
            fix = Fix(_what(plan), plan.applicability, plan.edits, plan.risk)
        else:
            fix = Fix(plan.why_not or "no safe form is known", Applicability.MANUAL)
        if plan.modules is not None and plan.steady:
            yield Finding(
                rule=ID,
                severity=Severity.of(plan.modules.bytes),
                line=first.line,
                end_line=last.end_line,
                message=f"{about(plan.modules)} lie in one layer with the classes; every release sends them again",
                fix=fix,
            )
            continue
        what = (
            f"the {len(plan.copies)} layers copied here get"
            if len(plan.copies) > 1
            else "the libraries copied here get"
        )
        yield Finding(
            rule=ID,
            severity=Severity.HIGH,
            line=first.line,
            end_line=last.end_line,
            message=f"{what} {'new digests' if len(plan.copies) > 1 else 'a new digest'} on every build without a cache",
            fix=fix,
        )


def _what(plan: SteadyingPlan) -> str:
    if plan.modules is None:
        return "copy whole trees with fixed times"
    if plan.steady:
        return f"give them their own layer, which stays {WHEN}"
    return f"copy whole trees with fixed times; {about(plan.modules)} get one that stays {WHEN}"
