"""``imgopt inspect``: what an image is made of."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from imgopt.cli import arguments as a

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="An image: a tar (docker save, kaniko, OCI), an OCI layout, a daemon's image, a registry reference.",
        show_default=False,
    ),
]
Format = Annotated[Literal["text", "json", "markdown", "html"], typer.Option("--format")]
Depth = Annotated[int, typer.Option("--depth", metavar="N", min=1, max=50, help="Levels of --tree.")]


def inspect(
    target: Target,
    tree: Annotated[bool, typer.Option("--tree", help="Show the files too, largest first.")] = False,
    depth: Depth = 3,
    under: Annotated[str, typer.Option("--under", metavar="PATH", help="Where --tree starts.")] = "/",
    contents: Annotated[
        bool, typer.Option("--contents", help="Download the layers of a registry's image to look into them.")
    ] = False,
    platform: a.Platform = None,
    plain_http: a.PlainHttp = False,
    insecure: a.Insecure = False,
    format: Format = "text",
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Show the layers of an image: what each holds, bytes hidden by later layers, the jars inside.

    Nothing is unpacked. Formats: text, json, markdown, html (one file with a treemap).
    """
    from imgopt.cli.output import emit, emit_lines
    from imgopt.inspection.target import look_at
    from imgopt.options import platform_name
    from imgopt.report import inspect as report
    from imgopt.report.terminal import waiting, width

    with waiting(quiet) as work_on:
        found = look_at(
            target,
            platform_name(platform) if platform is not None else None,
            download=contents,
            access=a.registry_access(plain_http=plain_http, insecure=insecure),
            progress=work_on,
        )
    wants_tree = tree or under != "/"
    view = report.View(width(), quiet, verbose, depth if wants_tree else None, under)
    if format == "json":
        from imgopt.report import json

        emit(json.rendered(json.envelope((), image=report.image_object(found, view))), output_file)
    elif format == "markdown":
        emit(report.markdown(found, view).encode("utf-8", "replace"), output_file)
    elif format == "html":
        from imgopt.report import inspect_html

        emit(inspect_html.page(found).encode("utf-8", "replace"), output_file)
    else:
        emit_lines(report.text(found, view), output_file, no_color=no_color)
    return 0
