"""``imgopt fleet gate``: budgets of all modules together, and of each, in one report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgopt.cli import arguments as a
from imgopt.cli.fleet import Directory

if TYPE_CHECKING:
    from imgopt.config import Config
    from imgopt.fleet.figures import Release
    from imgopt.fleet.survey import Fleet
    from imgopt.gate.budgets import Limit
    from imgopt.gate.judge import Judged, Verdict
    from imgopt.gate.run import GateReport

_MEANS: dict[str, Release] = {"max-first-push": "first", "max-bump": "bump", "max-next-push": "next"}


def _budget(name: str, what: str) -> object:
    return typer.Option(f"--{name}", metavar="LIMIT", help=f"{what}: 500MB, 20 min, 20 min at 0.5MB/s.")


MaxFirst = Annotated[str | None, _budget("max-first-push", "What a first push of all images sends at most")]
MaxBump = Annotated[str | None, _budget("max-bump", "The same for a patch of Spring Boot")]
MaxNext = Annotated[
    str | None, _budget("max-next-push", "The same for a release of which only classes changed")
]


def fleet_gate(
    directory: Directory = ".",
    max_first_push: MaxFirst = None,
    max_bump: MaxBump = None,
    max_next_push: MaxNext = None,
    format: Annotated[Literal["text", "json", "markdown", "junit"], typer.Option("--format")] = "text",
    build_arg: a.BuildArgs = None,
    platform: a.Platform = None,
    bandwidth: a.BandwidthOption = None,
    config: a.ConfigFile = None,
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Hold all modules of a repository against budgets, before anything is built into images.

    Budgets of all images together stand in [fleet] of imgopt.toml, or on the command line; each blob counts once, as
    imgopt fleet push sends it. [budgets] holds for each image. Exit code 1: a budget is broken; 3: one could not be measured
    (an archive is not built); 2: an input is wrong. One module that fails does not stop the others. Formats: text, json,
    markdown, junit (one file for all).
    """
    from imgopt.cli.failure import print_errors
    from imgopt.cli.fleet import looked_at
    from imgopt.cli.gate import limits_of
    from imgopt.config import load
    from imgopt.errors import UsageError

    given = a.Given(None, build_arg, None, platform, bandwidth=bandwidth, config=config)
    options = a.options([directory], given)
    settings = load(config, [directory])
    told = {"max-first-push": max_first_push, "max-bump": max_bump, "max-next-push": max_next_push}
    limits = {limit.name: limit for limit in (*settings.fleet, *limits_of(dict(told)))}
    if not limits and not settings.budgets:
        raise UsageError(
            "there is no budget to hold the modules against",
            "give one (--max-first-push 500MB), or write [fleet] in imgopt.toml",
        )
    found = looked_at(directory, options, quiet=quiet, pipelines=False)
    together = [_judged(found, limit) for limit in limits.values()]
    each = _of_modules(found, settings)
    _print(together, each, settings, format, output_file, no_color=no_color, quiet=quiet, verbose=verbose)
    print_errors(each.errors)
    codes = [each.exit_code, *(0 if one.passed else 1 if one.passed is False else 3 for one in together)]
    return max(codes)


def _judged(found: Fleet, limit: Limit) -> Judged:
    """A budget of all images together. What is not known may only add to it."""
    from imgopt.fleet.figures import sent_once
    from imgopt.gate.judge import Judged
    from imgopt.report.figures import amount
    from imgopt.units import duration, megabytes, rate

    size = sent_once(found, _MEANS[limit.name])
    slowest = limit.rate or min(found.options.bandwidths)
    actual: float | None = size.value
    if actual is not None and limit.unit == "seconds":
        actual = actual / slowest
    value = float(limit.value) if isinstance(limit.value, (int, float)) else 0.0
    what = f"{amount(size)}, each blob once"
    if limit.unit == "seconds" and actual is not None:
        what = f"{duration(actual)} at {rate(slowest)} ({what})"
    if actual is not None and actual > value:
        over = duration(actual - value) if limit.unit == "seconds" else megabytes(int(actual - value))
        return Judged(limit, actual, False, size.basis, f"{what}; {over} over")
    if actual is None or not size.complete or _is_lacking(found):
        return Judged(limit, actual, None, size.basis, f"{what}; {_why_not(found)}")
    return Judged(limit, actual, True, size.basis, what)


def _is_lacking(found: Fleet) -> bool:
    """Whether a module's image is not among those that were weighed."""
    return bool(found.errors) or not found.images


def _why_not(found: Fleet) -> str:
    unbuilt = [
        each.image.module.name for each in found.images if not all(b.bytes is not None for b in each.now)
    ]
    if unbuilt:
        more = f" and {len(unbuilt) - 3} more" if len(unbuilt) > 3 else ""
        return f"what {', '.join(unbuilt[:3])}{more} weighs is not known; build the archives first"
    if found.errors:
        return f"{found.errors[0].path or 'a module'} could not be looked at"
    return "no image was found" if not found.images else "a part of it is not known"


def _of_modules(found: Fleet, settings: Config) -> GateReport:
    """Each image against the budgets that apply to it."""
    from imgopt.errors import ImgoptError, UsageError
    from imgopt.gate.run import GateReport, Rules, gate_dockerfiles

    options = found.options
    rules = Rules(
        settings.budgets, [], None, min(options.bandwidths), options.rtt_s, options.platform, None, None
    )
    verdicts: list[Verdict] = []
    errors: list[ImgoptError] = [*found.errors]
    for each in found.images if settings.budgets else ():
        try:
            report = gate_dockerfiles([(each.image.module.name, each.report)], [], rules)
        except UsageError:
            continue  # no budget applies to it
        verdicts += report.verdicts
        errors += [error for error in report.errors if error.path is None or "imgopt.toml" not in error.path]
    return GateReport(tuple(verdicts), tuple(errors))


def _print(
    together: list[Judged],
    each: GateReport,
    settings: Config,
    format: str,
    output_file: str | None,
    *,
    no_color: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    from imgopt.cli.output import emit, emit_lines
    from imgopt.report import fleet_gate as shown

    if format == "json":
        from imgopt.report import json

        emit(json.rendered(shown.gate_object(together, each)), output_file)
    elif format == "markdown":
        emit(shown.markdown(together, each).encode("utf-8", "replace"), output_file)
    elif format == "junit":
        from imgopt.report import junit

        emit(junit.rendered(shown.remarks(together, each, settings.path)), output_file)
    if format == "text" or (output_file is not None and not quiet):
        from imgopt.report.terminal import width

        lines = shown.text(together, each, width=width(), quiet=quiet, verbose=verbose)
        emit_lines(lines, output_file if format == "text" else None, no_color=no_color)
