"""``imgopt jar``: the X-ray of one jar or war."""

from __future__ import annotations

from typing import Annotated

import typer

from imgopt.cli import arguments as a


def jar(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A jar or war.", show_default=False)],
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Show what a jar is made of: its kind, layers, libraries, native code. Nothing is unpacked."""
    from imgopt.cli.output import emit, emit_lines
    from imgopt.java.jar import read_jar
    from imgopt.report import jar as report
    from imgopt.report.terminal import waiting, width

    with waiting(quiet) as work_on:
        if work_on is not None:
            work_on(file)
        found = read_jar(file)
    if format == "json":
        from imgopt.report import json

        emit(json.rendered(json.envelope((), jar=json.jar_object(found))), output_file)
    elif format == "markdown":
        emit(report.markdown(found).encode("utf-8", "replace"), output_file)
    else:
        lines = report.text(found, width=width(), quiet=quiet, verbose=verbose)
        emit_lines(lines, output_file, no_color=no_color)
    return 0
