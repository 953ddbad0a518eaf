"""`apt-get install` brings packages that are only recommended by those the file asks for.

## Why it costs
Debian and Ubuntu install recommendations unless told otherwise. Nobody in the file asked for them, and they are often
larger than what was asked for: on Debian 12, openjdk-17-jre alone brings an accessibility bridge, a message bus and
system services along.

## What it does
Adds --no-install-recommends, and names ca-certificates in the install where it came as a recommendation, so that HTTPS
goes on working; also packages whose commands the file calls.

## Fix safety
Never safe, because a recommendation may be what makes a feature work (fonts, time zones, login sessions). The risk names
what goes missing. Which packages those are was computed by apt on Debian 11, 12 and 13; a package that was not looked up
there counts as one without recommendations.

## Example
    RUN apt-get update && apt-get install -y curl
becomes, with --unsafe,
    RUN apt-get update && apt-get install --no-install-recommends -y curl ca-certificates
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, Waste, because
from imgopt.picture import Picture
from imgopt.rule import rule
from imgopt.scales import Applicability, Severity

ID = "recommended-packages"
#: Less than this is not worth a line.
SMALLEST_BYTES = 100_000
#: So many names are printed; the others are counted.
SHOWN = 5


@rule(ID, of="RUN")
def check(picture: Picture) -> Iterator[Finding | Declined]:
    from imgopt.os_packages.apt_figures import ASKED
    from imgopt.plans.waste.recommended import recommended
    from imgopt.units import megabytes

    for found in recommended(picture):
        size = found.deb_bytes
        if size < SMALLEST_BYTES:
            continue
        debian = f"Debian {found.figures.version}"
        several = len(found.names) > 1
        count = f"{len(found.names)} packages" if several else "a package"
        weight = f"{megabytes(size)} as {debian} packages, {ASKED}"
        if found.here:
            message = f"brings {count} that {'are' if several else 'is'} only recommended ({weight}): {_listed(found.names)}"
        else:
            message = f"brings what is only recommended; on {debian} that is {count} ({weight}): {_listed(found.names)}"
        exact = found.here and picture.platform == "linux/amd64"
        description = "install without recommendations"
        if found.kept:
            description += f", and name {' '.join(found.kept)}, which the file needs"
        yield Finding(
            rule=ID,
            severity=Severity.of(size),
            line=found.run.line,
            end_line=found.run.instruction.end_line,
            message=message,
            fix=Fix(
                description,
                Applicability.UNSAFE if found.edits else Applicability.MANUAL,
                found.edits,
                because(
                    "certain",
                    "these no longer come along{}: {}",
                    "" if found.here else f", on {debian}",
                    _listed(found.names),
                ),
            ),
            waste=Waste(
                size if exact else None,
                size if exact else None,
                "catalogue" if exact else "unknown",
                weight,
            ),
        )


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
