"""``imgopt push``: what the registry lacks, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from imgopt.cli import arguments as a

if TYPE_CHECKING:
    from imgopt.registry.result import PushResult

Tries = Annotated[
    int,
    typer.Option("--tries", metavar="N", min=1, max=100, help="Tries of one request, with growing pauses."),
]


def push(
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE",
            help="A daemon's image (NAME or docker:NAME), a tar (docker save, kaniko, OCI), an OCI layout"
            " (DIR or oci:DIR:TAG).",
            show_default=False,
        ),
    ],
    target: Annotated[
        str, typer.Argument(metavar="REGISTRY/REPO:TAG", help="Where it goes.", show_default=False)
    ],
    platform: Annotated[
        str | None,
        typer.Option("--platform", metavar="OS/ARCH", help="Of several.  [default: this machine's]"),
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known",
            metavar="TAG",
            help="With --verify or --trust-tags: a tag with layers in common.  [default: the target's, the newest few]",
        ),
    ] = None,
    mount_from: Annotated[
        list[str] | None,
        typer.Option(
            "--mount-from",
            metavar="REPO",
            help="A repository of the same registry that may have layers, e.g. the base's.",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            metavar="REPO@DIGEST",
            help="The base image as FROM pins it, in the same registry: its manifest names its layers, which are not compressed here.",
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Read blobs that tags name for layers, and use those that are these layers."
        ),
    ] = False,
    trust_tags: Annotated[
        bool,
        typer.Option(
            "--trust-tags",
            help="Believe tags about layers: whoever may push a tag there can put other content into this image.",
        ),
    ] = False,
    chunk_size: Annotated[
        str | None,
        typer.Option(
            "--chunk-size",
            metavar="SIZE",
            help="What a cut costs at worst.  [default: 5MB, then 10 s' worth]",
        ),
    ] = None,
    parallel: Annotated[int, typer.Option("--parallel", metavar="N", help="Layers at a time.")] = 1,
    plain_http: a.PlainHttp = False,
    insecure: a.Insecure = False,
    tries: Tries = 7,
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Push an image: send only what the registry lacks, go on where an earlier push was cut.

    Layers are compressed here, always to the same bytes, and the registry is asked for each. What its tags say about
    layers that other tools compressed is not believed: such layers are sent once, unless --verify reads and compares
    the registry's blobs, or --trust-tags takes the tags' word.
    Run it again after a cut, a timeout or Ctrl-C: what was sent is not sent again.
    """
    from imgopt.cli.output import emit, emit_lines
    from imgopt.errors import UsageError
    from imgopt.options import platform_name
    from imgopt.registry.client import Access
    from imgopt.registry.outlive import outliving
    from imgopt.registry.push import PushOptions, check_parallel, push_image
    from imgopt.registry.target import parse_target
    from imgopt.report.progress import shown
    from imgopt.units import parse_size

    chunk_bytes = parse_size(chunk_size) if chunk_size is not None else None
    if chunk_bytes is not None and chunk_bytes < 100_000:
        raise UsageError(f"--chunk-size {chunk_size} is too small", "100kB at least")
    parse_target(target)
    wanted = platform_name(platform) if platform is not None else None
    check_parallel(parallel)
    if verify and trust_tags:
        raise UsageError("--verify and --trust-tags contradict each other", "give one of them")

    def work(stopped: Callable[[], bool]) -> PushResult:
        from imgopt.sources import open_image

        access = Access(plain_http=plain_http, insecure=insecure, tries=tries, stopped=stopped)
        options = PushOptions(
            known=tuple(known or ()),
            mount_from=tuple(mount_from or ()),
            chunk_bytes=chunk_bytes,
            parallel=parallel,
            access=access,
            verify=verify,
            trust_tags=trust_tags,
            base=base,
        )
        with shown(quiet=quiet, no_color=no_color) as progress:
            progress.doing("reading the image")
            with open_image(image, wanted) as opened:
                return push_image(opened, target, options, progress)

    result = outliving(work)
    from imgopt.report import push as report

    if format == "json":
        from imgopt.report import json

        emit(json.rendered(json.envelope((), push=report.push_object(result))), output_file)
    elif format == "markdown":
        emit(report.markdown(result).encode("utf-8", "replace"), output_file)
    else:
        from imgopt.report.terminal import width

        emit_lines(report.text(result, width=width(), quiet=quiet), output_file, no_color=no_color)
    return 0
