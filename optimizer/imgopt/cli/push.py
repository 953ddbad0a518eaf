"""``imgopt push``: what the registry lacks, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgopt.cli import arguments as a
from imgopt.config import Config
from imgopt.light.records import dataclass, replace

if TYPE_CHECKING:
    from imgopt.errors import ImgoptError
    from imgopt.registry.push import PushOptions
    from imgopt.registry.result import PushedAll, PushResult
    from imgopt.registry.target import Place
    from imgopt.report.layout import Line

Tries = Annotated[
    int,
    typer.Option("--tries", metavar="N", min=1, max=100, help="Tries of one request, with growing pauses."),
]


def push(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE REGISTRY/REPO:TAG",
            help="A daemon's image (NAME or docker:NAME), a tar (docker save, kaniko, OCI), an OCI layout"
            " (DIR or oci:DIR:TAG); and where it goes. With --all: lists, archives or directories.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Several images: FILE or DIR instead of IMAGE. A list has a line IMAGE REGISTRY/REPO:TAG for each (# begins a"
            " comment, - is standard input); an archive goes where its own name says; a directory holds archives.",
        ),
    ] = False,
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
    only_to: Annotated[
        list[str] | None,
        typer.Option(
            "--only-to",
            metavar="REGISTRY/NAMESPACE",
            help="Where images may go: nothing is pushed when one of them would go elsewhere. Archives choose their own targets.",
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
    config: a.ConfigFile = None,
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Push an image: send only what the registry lacks, resume where an earlier push was interrupted.

    Layers are compressed here, always to the same bytes, and the registry is asked for each. What its tags say about
    layers that other tools compressed is not believed: such layers are sent once, unless --verify reads and compares
    the registry's blobs, or --trust-tags takes the tags' word.
    Resumes after an interruption, a timeout or Ctrl-C: what was sent is not sent again.
    """
    from imgopt.errors import UsageError
    from imgopt.options import platform_name
    from imgopt.registry.push import check_parallel
    from imgopt.registry.target import parse_place
    from imgopt.units import parse_size

    given = places or []
    if every and not given:
        raise UsageError(
            "--all names no image", "give a list (IMAGE REGISTRY/REPO:TAG a line), archives or a directory"
        )
    if not every and len(given) != 2:
        raise UsageError(
            f"push takes an image and its target, not {len(given)} arguments",
            "imgopt push IMAGE REGISTRY/REPO:TAG; --all pushes several images",
        )
    chunk_bytes = parse_size(chunk_size) if chunk_size is not None else None
    if chunk_bytes is not None and chunk_bytes < 100_000:
        raise UsageError(f"--chunk-size {chunk_size} is too small", "100kB at least")
    wanted = platform_name(platform) if platform is not None else None
    check_parallel(parallel)
    if verify and trust_tags:
        raise UsageError("--verify and --trust-tags contradict each other", "give one of them")

    places_let = [parse_place(each) for each in only_to or ()]
    settings = a.configuration(config, given[:1])
    siblings = (*settings.mount_from, *_of_baseline(settings))

    def options(stopped: Callable[[], bool]) -> PushOptions:
        from imgopt.registry.client import Access
        from imgopt.registry.push import PushOptions

        return PushOptions(
            known=tuple(known or ()),
            mount_from=tuple(mount_from or ()),
            siblings=siblings,
            chunk_bytes=chunk_bytes,
            parallel=parallel,
            access=Access(plain_http=plain_http, insecure=insecure, tries=tries, stopped=stopped),
            verify=verify,
            trust_tags=trust_tags,
            base=base,
        )

    shown = Shown(format, output_file, no_color, quiet)
    if every:
        return _push_all(given, wanted, options, shown, places_let)
    return _push_one(given[0], given[1], wanted, options, shown, places_let)


@dataclass(frozen=True, slots=True)
class Shown:
    """How the result is shown."""

    format: str
    output_file: str | None
    no_color: bool
    quiet: bool


def _of_baseline(settings: Config) -> tuple[str, ...]:
    """The images that the baseline has, by their repositories; it is no matter of a push that it cannot be read."""
    if settings.baseline is None or settings.path is None:
        return ()
    from imgopt.errors import InputError
    from imgopt.gate.baseline import load as load_baseline

    try:
        found = load_baseline(str(Path(settings.path).parent / settings.baseline))
    except InputError:
        return ()
    return tuple(dict.fromkeys(name.partition(" ")[0] for name in found))


def _push_one(
    image: str,
    target: str,
    platform: str | None,
    options: Callable[[Callable[[], bool]], PushOptions],
    shown: Shown,
    only_to: Sequence[Place],
) -> int:
    from imgopt.registry.outlive import outliving
    from imgopt.registry.target import check_place, parse_target

    place = parse_target(target, default_tag="latest")
    check_place(place, only_to)

    def work(stopped: Callable[[], bool]) -> PushResult:
        from imgopt.registry.push import push_image
        from imgopt.registry.remembered import remember, remembered
        from imgopt.report.progress import shown as showing
        from imgopt.sources import open_image

        chosen = options(stopped)
        chosen = replace(chosen, siblings=(*chosen.siblings, *remembered(place)))
        with showing(quiet=shown.quiet, no_color=shown.no_color) as progress:
            progress.doing("reading the image")
            with open_image(image, platform) as opened:
                result = push_image(opened, target, chosen, progress)
        remember([place])
        return result

    result = outliving(work)
    from imgopt.report import push as report

    _emit(
        shown,
        lambda: ((), {"push": report.push_object(result)}),
        lambda: report.markdown(result),
        lambda width: report.text(result, width=width, quiet=shown.quiet),
    )
    return 0


def _push_all(
    places: Sequence[str],
    platform: str | None,
    options: Callable[[Callable[[], bool]], PushOptions],
    shown: Shown,
    only_to: Sequence[Place],
) -> int:
    from imgopt.cli.failure import print_errors
    from imgopt.errors import Bug
    from imgopt.registry.outlive import Told, outliving
    from imgopt.sources.wanted import MOST_LIST_BYTES, Opening, WrongLines, wanted

    data = a.read_standard_input(MOST_LIST_BYTES) if "-" in places else None
    try:
        images = wanted(places, data, only_to)
    except WrongLines as wrong:
        errors = wrong.errors
        print_errors(errors)
        if shown.format == "json":
            _emit(shown, lambda: (errors, {}), str, lambda width: [])
        return wrong.exit_code

    def work(stopped: Callable[[], bool]) -> PushedAll:
        from imgopt.registry.remembered import remember, remembered
        from imgopt.registry.several import Order, push_all
        from imgopt.registry.target import parse_target
        from imgopt.report.progress import shown as showing

        opening = Opening(images, platform)
        orders = [Order(each.image, each.target, partial(opening.open, each), each.spools) for each in images]
        targets = {each.target: parse_target(each.target, default_tag="latest") for each in images}
        registries = {target.name: target for target in targets.values()}
        known = [name for target in registries.values() for name in remembered(target)]
        chosen = options(stopped)
        chosen = replace(chosen, siblings=(*chosen.siblings, *known))
        with closing(opening), showing(quiet=shown.quiet, no_color=shown.no_color) as progress:
            found = push_all(orders, chosen, progress)
        remember([targets[each.target] for each in found.outcomes if each.result is not None])
        return found

    found = outliving(work)
    from imgopt.report import push_all as report

    _emit(
        shown,
        lambda: (found.errors, report.all_object(found)),
        lambda: report.markdown(found),
        lambda width: report.text(found, width=width, quiet=shown.quiet),
    )
    print_errors(found.errors)
    for error in found.errors:
        if isinstance(error, Bug):
            error.told = True
            raise error from Told(error.trace)
    return found.exit_code


def _emit(
    shown: Shown,
    document: Callable[[], tuple[Sequence[ImgoptError], dict[str, object]]],
    markdown: Callable[[], str],
    text: Callable[[int], list[Line]],
) -> None:
    from imgopt.cli.output import emit, emit_lines

    if shown.format == "json":
        from imgopt.report import json

        errors, content = document()
        emit(json.rendered(json.envelope(errors, **content)), shown.output_file)
    elif shown.format == "markdown":
        emit(markdown().encode("utf-8", "replace"), shown.output_file)
    else:
        from imgopt.report.terminal import width

        emit_lines(text(width()), shown.output_file, no_color=shown.no_color)
