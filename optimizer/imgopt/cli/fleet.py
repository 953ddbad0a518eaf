"""``imgopt fleet``: all modules of a repository on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgopt.cli import arguments as a

if TYPE_CHECKING:
    from imgopt.fleet.survey import Fleet
    from imgopt.options import Options

Directory = Annotated[
    str, typer.Argument(metavar="[DIR]", help="The repository's directory.", show_default=True)
]
Groups = Annotated[
    int | None,
    typer.Option("--layers", metavar="N", help="Shared layers of libraries at most.  [default: 12]"),
]
Anew = Annotated[
    bool, typer.Option("--anew", help="Make the groups anew, whatever imgopt-fleet.toml says of them.")
]


def fleet(
    directory: Directory = ".",
    format: Annotated[Literal["text", "json", "markdown", "html"], typer.Option("--format")] = "text",
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
    """
    given = a.Given(None, build_arg, None, platform, runtime, None, unsafe, select, ignore, bandwidth, config)
    options = a.options([directory], given)
    found = looked_at(directory, options, layers, anew=anew, quiet=quiet)
    _print(found, directory, config, format, output_file, no_color=no_color, quiet=quiet, verbose=verbose)
    if found.errors:
        from imgopt.cli.failure import print_errors

        print_errors(found.errors)
    return max((error.exit_code for error in found.errors), default=0)


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
    """The fleet below a directory. UsageError where ``layers`` is no number of layers."""
    from dataclasses import replace
    from pathlib import Path

    from imgopt.errors import UsageError
    from imgopt.fleet.plan import MOST_GROUPS
    from imgopt.fleet.survey import survey
    from imgopt.report.terminal import waiting
    from imgopt_rules import ALL_RULES, PIPELINE_RULES

    if layers is not None and not 0 <= layers <= 100:
        raise UsageError(f"--layers {layers} is no number of layers", "give one from 0 to 100; 12 is usual")
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
