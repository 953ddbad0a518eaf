"""What the package manager downloaded to look packages up stays in the image.

## Why it costs
`apt-get update` leaves the lists of all packages there are in /var/lib/apt/lists: measured on Debian 12, 15.3 MB of
every push. `apt-get clean` does not remove them, and a RUN that comes later only hides them: their layer keeps the
bytes. yum and dnf leave the repositories' metadata, `apk add` the index of packages. Nothing reads them at run time.

## What it does
Removes them in the RUN that brings them: `rm -rf /var/lib/apt/lists/*` behind the last call of apt, `clean all` behind
the last one of yum, dnf or microdnf, `--no-cache` for apk instead of `--update` and `apk update`. RUN lines that follow
each other and live on the same lists become one.

## Fix safety
Safe when nothing afterwards looks into the lists without fetching them again: a later install, in this stage, in one
built on it or when the container starts. Unsafe when a script that was not read runs afterwards. Calls under a
condition or in a pipe are only reported, and cache mounts keep everything out of the layer already. A start script that
is not available is taken not to install packages.

## Example
    RUN apt-get update && apt-get install -y --no-install-recommends curl
becomes
    RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imgopt.finding import Declined, Finding, Fix, Waste, listed, say
from imgopt.picture import Picture
from imgopt.rule import rule
from imgopt.scales import Severity

if TYPE_CHECKING:
    from imgopt.plans.waste.package_cache import Leftover

ID = "package-cache"
_WHAT = {
    "apt": "apt's package lists stay",
    "rpm": "what {program} downloaded stays",
    "apk": "apk's package index stays",
}


@rule(ID, of="RUN")
def check(picture: Picture) -> Iterator[Finding | Declined]:
    from imgopt.plans.waste.package_cache import leftovers

    for leftover in leftovers(picture, ID):
        waste, size = _waste(picture, leftover)
        runs = [run.instruction for run in leftover.runs]
        where = "in this layer" if len(runs) == 1 else say("in the layers of {}", listed(runs))
        message = say("{} {}{}", _WHAT[leftover.manager].format(program=leftover.program), where, size)
        if leftover.too_late is not None:
            late = leftover.too_late.instruction
            message = say("{}; {} removes it too late, in its own layer", message, late)
        first = leftover.runs[0].instruction
        yield Finding(
            rule=ID,
            severity=Severity.of(waste.first_push_bytes),
            line=first.line,
            end_line=first.end_line,
            message=message,
            fix=Fix(leftover.description, leftover.applicability, leftover.edits, leftover.risk),
            waste=waste,
        )


def _waste(picture: Picture, leftover: Leftover) -> tuple[Waste, str]:
    """The bytes where they were measured, and what the message says of them."""
    from imgopt.os_packages.apt_figures import lists_of
    from imgopt.units import megabytes

    base = picture.base
    lists = lists_of(base, picture.platform) if leftover.manager == "apt" else None
    if lists is None:
        waste = Waste(None, None, "unknown", "not measured for this system")
        debian = lists_of(picture.identify("debian:12"), "linux/amd64")
        if leftover.manager != "apt" or debian is None:
            return waste, ""
        system = f"{base.os.capitalize()} {base.os_version or ''}".strip() if base.os else "this base"
        return (
            waste,
            f" (not measured for {system}; Debian 12's are {megabytes(debian.compressed_bytes)} compressed)",
        )
    size = lists.compressed_bytes
    source = f"measured on Debian {base.os_version}, {picture.platform}, {lists.measured}"
    return Waste(size, size, "catalogue", source), f", {megabytes(size)} compressed ({source})"
