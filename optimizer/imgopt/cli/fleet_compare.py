"""``imgopt fleet compare``: every module's image and its rewrite, built, measured and started, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgopt.cli import arguments as a
from imgopt.cli.compare import (
    Builder,
    BuildkitAddress,
    BuildTimeout,
    EngineName,
    Kaniko,
    KanikoFlags,
    Memory,
    NoCache,
    NoRun,
    PidsLimit,
    StartTimeout,
    StopTimeout,
)
from imgopt.cli.fleet import Directory, Since

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgopt.comparison.compare import Settings
    from imgopt.engines.engine import Engine
    from imgopt.fleet.images import Image
    from imgopt.report.fleet_compare import Compared

NextRelease = Annotated[
    Literal["classes", "boot-patch"] | None,
    typer.Option(
        "--next-release",
        help="Change one class, or take the next patch of Spring Boot where the Dockerfile builds the module, build all again "
        "without a cache, count what a registry still needs. [without a value: classes]",
    ),
]


def fleet_compare(
    directory: Directory = ".",
    since: Since = None,
    engine: EngineName = "auto",
    builder: Builder = None,
    buildkit_addr: BuildkitAddress = None,
    kaniko: Kaniko = None,
    kaniko_flag: KanikoFlags = None,
    no_run: NoRun = False,
    memory: Memory = "4GB",
    pids_limit: PidsLimit = 4096,
    next_release: NextRelease = None,
    build_timeout: BuildTimeout = 1800,
    start_timeout: StartTimeout = 180,
    stop_timeout: StopTimeout = 10,
    no_cache: NoCache = False,
    build_arg: a.BuildArgs = None,
    platform: a.Platform = None,
    runtime: a.RuntimeOption = None,
    unsafe: a.Unsafe = None,
    select: a.Select = None,
    ignore: a.Ignore = None,
    config: a.ConfigFile = None,
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Build every module's image and its rewrite, measure both, start both, and show that they behave alike.

    It is imgopt compare for each image of the fleet, one after the other, on one engine; --since takes only those that changes
    make anew. A module that cannot be built or read does not stop the others. All images together count each layer once.
    Exit code 1: one behaves differently; 2: an input is wrong; 3: one could not be built or measured, or nothing showed how
    it behaves. Formats: text, json, markdown.
    """
    from pathlib import Path

    from imgopt.cli.compare import run_options
    from imgopt.cli.failure import print_errors
    from imgopt.comparison.compare import Settings
    from imgopt.engines.opening import open_engine
    from imgopt.errors import InputError
    from imgopt.fleet.images import find_images
    from imgopt.fleet.modules import find_modules
    from imgopt.fleet.since import touched_since
    from imgopt.pipelines.platforms import Commands
    from imgopt.report.terminal import working

    given = a.Given(None, build_arg, None, platform, runtime, None, unsafe, select, ignore, config=config)
    a.options([directory], given)  # what is wrong with these is told before anything is built
    limits = (memory, pids_limit, False)
    settings = Settings(
        run=None if no_run else run_options(None, None, None, 1, start_timeout, stop_timeout, limits),
        next_release=next_release is not None,
        patch=next_release == "boot-patch",
        build_seconds=build_timeout,
        cache=not no_cache,
    )
    repository = find_modules(Path(directory))
    found = find_images(repository, Commands())
    images = list(found.images)
    if since is not None:
        images = [each.image for each in touched_since(repository, found, since).touched]
    elif not images:
        raise InputError(
            "no Dockerfile here ships an archive of a module", "see imgopt fleet -v", path=directory
        )
    compared: list[Compared] = []
    if images:
        with (
            working(quiet, verbose) as tell,
            open_engine(
                engine,
                builder=builder,
                buildkit_addr=buildkit_addr,
                kaniko=kaniko,
                kaniko_flags=tuple(kaniko_flag or ()),
            ) as opened,
        ):
            for image in images:
                compared.append(_compared(image, given, settings, opened, tell))
    _print(compared, format, output_file, no_color=no_color)
    print_errors([*found.errors, *(each.error for each in compared if each.error is not None)])
    return max(
        (*(each.exit_code for each in compared), *(error.exit_code for error in found.errors)), default=0
    )


def _compared(
    image: Image, given: a.Given, settings: Settings, engine: Engine, tell: Callable[[str], None]
) -> Compared:
    """One image; what it fails of is kept, not raised."""
    from imgopt.comparison.compare import NothingToCompare, compare
    from imgopt.errors import ImgoptError
    from imgopt.light.records import replace
    from imgopt.report.fleet_compare import Compared
    from imgopt_rules import ALL_RULES

    arguments = [f"{name}={value}" for name, value in image.args]
    own = replace(
        given,
        context=None if image.context is None else str(image.context),
        build_arg=[*arguments, *(given.build_arg or ())],
        target=image.target,
    )
    dockerfile = str(image.dockerfile)
    try:
        options = a.options([dockerfile], own)
        found = compare(
            dockerfile,
            options,
            settings,
            engine,
            ALL_RULES,
            lambda text: tell(f"{image.module.name}: {text}"),
        )
    except NothingToCompare:
        return Compared(image.module.name, dockerfile)
    except ImgoptError as error:
        error.path = error.path or dockerfile
        return Compared(image.module.name, dockerfile, error=error)
    return Compared(image.module.name, dockerfile, found)


def _print(found: list[Compared], format: str, output_file: str | None, *, no_color: bool) -> None:
    from imgopt.cli.output import emit, emit_lines
    from imgopt.report import fleet_compare as shown

    if format == "json":
        from imgopt.report import json

        emit(json.rendered(shown.compared_object(found)), output_file)
    elif format == "markdown":
        emit(shown.markdown(found).encode("utf-8", "replace"), output_file)
    else:
        emit_lines(shown.text(found), output_file, no_color=no_color)
