"""``imgopt bandwidth``: the real upload rate to a registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from imgopt.cli import arguments as a

if TYPE_CHECKING:
    from imgopt.registry.result import Bandwidth


def bandwidth(
    target: Annotated[
        str, typer.Argument(metavar="REGISTRY/REPO", help="A repository you may push to.", show_default=False)
    ],
    size: Annotated[
        str | None,
        typer.Option(
            "--size", metavar="SIZE", help="Bytes to send.  [default: 4MB; more on a fast link, for 2 s]"
        ),
    ] = None,
    plain_http: a.PlainHttp = False,
    insecure: a.Insecure = False,
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Measure how fast this machine uploads to a registry. Nothing is left there: the upload is cancelled."""
    from imgopt.cli.output import emit, emit_lines
    from imgopt.errors import UsageError
    from imgopt.registry.bandwidth import measure_bandwidth
    from imgopt.registry.client import Access
    from imgopt.registry.outlive import outliving
    from imgopt.report import push as report
    from imgopt.report.progress import shown
    from imgopt.units import parse_size

    count = parse_size(size) if size is not None else None
    if count is not None and count < 100_000:
        raise UsageError(f"--size {size} tells nothing", "100kB at least")

    def work(stopped: Callable[[], bool]) -> Bandwidth:
        access = Access(plain_http=plain_http, insecure=insecure, tries=3, stopped=stopped)
        with shown(quiet=quiet, no_color=no_color) as progress:
            progress.doing("sending")
            progress.plan(count or 0)
            return measure_bandwidth(target, access, size=count, moved=lambda n: progress.moved("", n))

    found = outliving(work)
    if format == "json":
        from imgopt.report import json

        emit(json.rendered(json.envelope((), bandwidth=report.bandwidth_object(found))), output_file)
    elif format == "markdown":
        emit(report.bandwidth_markdown(found).encode(), output_file)
    else:
        emit_lines(report.bandwidth_text(found), output_file, no_color=no_color)
    return 0
