"""Sources, documentation, tests, debug symbols or headers are shipped, which running the application does not need.

## Why it costs
`COPY target/*.jar` takes `-sources.jar` and `-javadoc.jar` along where the build makes them: as many bytes again as the
classes. A JDK's src.zip, demo and man, and packages named -doc, -dbg or -dev, are there for somebody who reads or builds.

## What it does
Copies the application's jar by its name where the start command names that jar anyway. Otherwise it says what to leave
out.

## Fix safety
Safe when `java -jar` starts exactly the one jar that is kept, and neither the start command nor the jar's manifest, a
script or a later line names one of the others. Headers are not reported in a stage that compiles something, nor where a
library is loaded by a name that only its -dev package has.

## Example
    COPY target/*.jar /app/
    CMD ["java", "-jar", "/app/app-1.0.jar"]
copies
    COPY target/app-1.0.jar /app/
where target also holds app-1.0-sources.jar.
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Declined, Finding, Fix, Waste
from imgopt.picture import Picture
from imgopt.rule import rule
from imgopt.scales import Severity

ID = "developer-files"
#: Less than this is not worth a line.
SMALLEST_BYTES = 100_000


@rule(ID)
def check(picture: Picture) -> Iterator[Finding | Declined]:
    from imgopt.plans.waste.developer_files import developer_files
    from imgopt.units import megabytes

    for found in developer_files(picture):
        size = found.bytes
        if size is not None and size < SMALLEST_BYTES:
            continue
        how = "" if found.basis == "measured" else f" {found.source}"
        what = f" ({megabytes(size)}{how})" if size is not None else ""
        known = size if found.basis != "unknown" else None
        basis = found.basis if known is not None else "unknown"
        yield Finding(
            rule=ID,
            severity=Severity.of(size),
            line=found.instruction.line,
            end_line=found.instruction.end_line,
            message=f"this line ships {found.what}{what}, which only developers need",
            fix=Fix(found.description, found.applicability, found.edits, leaves_out=found.leaves_out),
            waste=Waste(known, known, basis, found.source, found.files, stored_by=found.instruction),
        )
