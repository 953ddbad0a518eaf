"""``imgopt fleet``: all modules of a repository on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgopt.cli import arguments as a

if TYPE_CHECKING:
    from imgopt.fleet.survey import Fleet
    from imgopt.options import Options

Directory = Annotated[
    str,
    typer.Argument(
        metavar="[DIR]",
        help="The repository's directory.",
        show_default=True,
        autocompletion=a.completed("fleet"),
    ),
]
Groups = Annotated[
    int | None,
    typer.Option("--layers", metavar="N", help="Shared layers of libraries at most.  [default: 12]"),
]
Anew = Annotated[
    bool, typer.Option("--anew", help="Make the groups anew, whatever imgopt-fleet.toml says of them.")
]


Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="REV",
        help="Only the images that the changes since this commit make anew: a line each.",
    ),
]
Emit = Annotated[
    Literal["bake", "jenkins"] | None,
    typer.Option(
        "--emit",
        help="Write a docker-bake.hcl or a Jenkinsfile of the images, or with --since of those that change.",
    ),
]
Format = Annotated[
    Literal["text", "json", "markdown", "html", "github-matrix", "gitlab-matrix"], typer.Option("--format")
]


def fleet(
    directory: Directory = ".",
    format: Format = "text",
    since: Since = None,
    emit: Emit = None,
    layers: Groups = None,
    anew: Anew = False,
    build_arg: a.BuildArgs = None,
    platform: a.Platform = None,
    runtime: a.RuntimeOption = None,
    unsafe: a.Unsafe = None,
    select: a.Select = None,
    ignore: a.Ignore = None,
    bandwidth: a.BandwidthOption = None,
    config: a.ConfigFile = None,
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Say what all modules of a repository push together, now, rewritten, with shared layers, and at best.

    Finds the modules of Maven and Gradle, the Dockerfile that ships each, and what CI builds. Nothing is changed and
    nothing is built. Formats: text, json, markdown, html.

    With --since only the images are named that changes make anew: those of changed modules and of modules that are made of them,
    all of them for a root pom, settings.gradle or a script that they share. Nothing is exit code 0 and no line. Formats:
    text, json, github-matrix and gitlab-matrix (both also without --since, for all images).

    Further: imgopt fleet plan (which libraries get shared layers), fleet write (layers.xml, Gradle's layered block, the
    Dockerfiles), fleet compare (all of them built and started), fleet gate (budgets of all together), fleet push (all images in
    one call).
    """
    if since is not None or emit is not None or format.endswith("-matrix"):
        return _changed(directory, since, emit or format, output_file, no_color=no_color)
    given = a.Given(None, build_arg, None, platform, runtime, None, unsafe, select, ignore, bandwidth, config)
    options = a.options([directory], given)
    found = looked_at(directory, options, layers, anew=anew, quiet=quiet)
    _print(found, directory, config, format, output_file, no_color=no_color, quiet=quiet, verbose=verbose)
    if found.errors:
        from imgopt.cli.failure import print_errors

        print_errors(found.errors)
    return max((error.exit_code for error in found.errors), default=0)


def _changed(
    directory: str, since: str | None, format: str, output_file: str | None, *, no_color: bool
) -> int:
    from pathlib import Path

    from imgopt.cli.output import emit, emit_lines
    from imgopt.errors import UsageError
    from imgopt.fleet.images import find_images
    from imgopt.fleet.modules import find_modules
    from imgopt.fleet.since import touched_since
    from imgopt.pipelines.platforms import Commands
    from imgopt.report import fleet_since as shown

    if format in ("markdown", "html"):
        raise UsageError(f"--since has no {format}", "choose text, json, github-matrix or gitlab-matrix")
    repository = find_modules(Path(directory))
    found = find_images(repository, Commands())
    change = touched_since(repository, found, since) if since is not None else None
    images = found.images if change is None else [each.image for each in change.touched]
    if format == "bake":
        from imgopt.report.fleet_bake import bake

        emit(bake(images, repository), output_file)
    elif format == "jenkins":
        from imgopt.report.fleet_bake import names_of
        from imgopt.report.fleet_jenkins import jenkinsfile

        emit(jenkinsfile(images, repository, names_of(images)), output_file)
    elif format == "github-matrix":
        emit(shown.github_matrix(images, repository), output_file)
    elif format == "gitlab-matrix":
        emit(shown.gitlab_matrix(images, repository), output_file)
    elif change is not None and format == "json":
        from imgopt.report import json

        emit(json.rendered(shown.change_object(change, repository)), output_file)
    elif change is not None:
        emit_lines(shown.text(change, repository), output_file, no_color=no_color)
    return 0


def looked_at(
    directory: str,
    options: Options,
    layers: int | None = None,
    *,
    anew: bool = False,
    quiet: bool = False,
    only: frozenset[str] | None = None,
    pipelines: bool = True,
) -> Fleet:
    """The fleet below a directory. UsageError where ``layers`` is not a number of layers."""
    from pathlib import Path

    from imgopt.errors import UsageError
    from imgopt.fleet.plan import MOST_GROUPS
    from imgopt.fleet.survey import survey
    from imgopt.light.records import replace
    from imgopt.report.terminal import waiting
    from imgopt_rules import ALL_RULES, PIPELINE_RULES

    if layers is not None and not 0 <= layers <= 100:
        raise UsageError(
            f"--layers {layers} is not a number of layers", "give one from 0 to 100; 12 is usual"
        )
    most = MOST_GROUPS if layers is None else layers
    with waiting(quiet) as work_on:
        return survey(
            Path(directory),
            replace(options, progress=work_on),
            ALL_RULES,
            PIPELINE_RULES if pipelines else (),
            most_groups=most,
            anew=anew,
            only=only,
        )


def _print(
    found: Fleet,
    directory: str,
    config: str | None,
    format: str,
    output_file: str | None,
    *,
    no_color: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    from imgopt.cli.output import emit, emit_lines
    from imgopt.fleet.figures import figures
    from imgopt.report import fleet as shown
    from imgopt.report import terminal

    numbers = figures(found)
    budgets = _verdicts(found, directory, config)
    view = shown.View(terminal.width(), quiet=quiet, verbose=verbose, directory=directory, budgets=budgets)
    if format == "json":
        from imgopt.report import json

        emit(json.rendered(shown.fleet_object(found, numbers, view)), output_file)
    elif format == "markdown":
        emit(shown.markdown(found, numbers, view).encode("utf-8", "replace"), output_file)
    elif format == "html":
        emit(shown.page(found, numbers, view).encode("utf-8", "replace"), output_file)
    else:
        emit_lines(shown.text(found, numbers, view), output_file, no_color=no_color)


def _verdicts(found: Fleet, directory: str, config: str | None) -> dict[str, str] | None:
    """What the budgets of imgopt.toml say of each module's image as it is now; None without budgets."""
    from imgopt.config import load

    settings = load(config, [directory])
    if not settings.budgets:
        return None
    from imgopt.gate.run import Rules, gate_dockerfiles
    from imgopt.report.gate import outcome

    options = found.options
    rules = Rules(
        settings.budgets, [], None, min(options.bandwidths), options.rtt_s, options.platform, None, None
    )
    told = {}
    for each in found.images:
        report = gate_dockerfiles([(None, each.report)], [], rules)
        passed = [judged.passed for verdict in report.verdicts for judged in verdict.budgets]
        worst = False if False in passed else None if None in passed or not passed else True
        told[each.image.module.directory] = outcome(worst) if passed else "-"
    return told
