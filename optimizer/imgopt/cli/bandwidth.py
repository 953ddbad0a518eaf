"""``imgopt bandwidth``: the real upload rate to a registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from imgopt.cli import arguments as a

if TYPE_CHECKING:
    from imgopt.registry.result import Bandwidth, Mounts


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
    sibling: Annotated[
        str | None,
        typer.Option(
            "--sibling",
            metavar="REPO",
            help="A second repository of the registry: does it get a blob of 1 kB from the first without its being sent?"
            "  [default: REPO-imgopt-mounts]",
            show_default=False,
        ),
    ] = None,
    mounts: Annotated[
        bool,
        typer.Option("--mounts/--no-mounts", help="Try whether the registry mounts, with a blob of 1 kB."),
    ] = True,
    plain_http: a.PlainHttp = False,
    insecure: a.Insecure = False,
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Measure how fast this machine uploads to a registry, and try whether it mounts layers across repositories.

    The upload that is measured is cancelled. The 1 kB with which mounts are tried are removed from both repositories; what
    the registry does not let be removed is said. --no-mounts stores nothing.
    """
    from imgopt.cli.output import emit, emit_lines
    from imgopt.errors import UsageError
    from imgopt.registry.bandwidth import measure_bandwidth
    from imgopt.registry.client import Access
    from imgopt.registry.mounts import sibling_of, try_mounts
    from imgopt.registry.outlive import outliving
    from imgopt.registry.target import parse_target
    from imgopt.report import push as report
    from imgopt.report.progress import shown
    from imgopt.units import parse_size

    count = parse_size(size) if size is not None else None
    if count is not None and count < 100_000:
        raise UsageError(f"--size {size} tells nothing", "100kB at least")
    sibling_of(parse_target(target), sibling)
    if sibling is not None and not mounts:
        raise UsageError("--sibling and --no-mounts contradict each other", "give one of them")

    def work(stopped: Callable[[], bool]) -> tuple[Bandwidth, Mounts | None]:
        access = Access(plain_http=plain_http, insecure=insecure, tries=3, stopped=stopped)
        with shown(quiet=quiet, no_color=no_color) as progress:
            progress.doing("sending")
            progress.plan(count or 0)
            found = measure_bandwidth(target, access, size=count, moved=lambda n: progress.moved("", n))
            if not mounts:
                return found, None
            progress.doing("trying mounts")
            return found, try_mounts(target, sibling, access)

    found, tried = outliving(work)
    if format == "json":
        from imgopt.report import json

        emit(json.rendered(json.envelope((), bandwidth=report.bandwidth_object(found, tried))), output_file)
    elif format == "markdown":
        emit(report.bandwidth_markdown(found, tried).encode(), output_file)
    else:
        from imgopt.report.terminal import width

        lines = report.bandwidth_text(found, tried, width=width())
        emit_lines(lines, output_file, no_color=no_color)
    return 0
