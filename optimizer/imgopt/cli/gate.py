"""``imgopt gate``: images against budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgopt.cli import arguments as a

if TYPE_CHECKING:
    from pathlib import Path

    from imgopt.gate.budgets import Limit
    from imgopt.gate.run import GateReport, Rules

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET...",
        help="Images: tars, OCI layouts, a daemon's, a registry's; NAME=TARGET names one. With --predict: Dockerfiles.",
    ),
]
Format = Annotated[
    Literal["text", "json", "markdown", "html", "sarif", "junit", "github", "gitlab"],
    typer.Option("--format"),
]


def _budget(name: str, metavar: str, help: str) -> object:
    return typer.Option(name, metavar=metavar, help=help)


MaxSize = Annotated[
    str | None, _budget("--max-size", "SIZE", "Compressed bytes: what registry and wire see.")
]
MaxUnpacked = Annotated[str | None, _budget("--max-unpacked", "SIZE", "Bytes on disk.")]
MaxLayer = Annotated[str | None, _budget("--max-layer", "SIZE", "Compressed bytes of the largest layer.")]
MaxFirst = Annotated[
    str | None, _budget("--max-first-push", "SIZE|TIME", "200MB, 5 min, or 5 min at 0.5MB/s.")
]
MaxNext = Annotated[str | None, _budget("--max-next-push", "SIZE|TIME", "What the next release sends.")]
MaxBump = Annotated[
    str | None,
    _budget("--max-bump", "SIZE|TIME", "What a release sends with a patch of Spring Boot, predicted."),
]
MaxLayers = Annotated[str | None, _budget("--max-layers", "N", "Number of layers.")]
MaxWaste = Annotated[
    str | None, _budget("--max-waste", "SIZE|%", "Unpacked bytes that are stored and never seen.")
]
MinEfficiency = Annotated[str | None, _budget("--min-efficiency", "SHARE", "0.95 or 95%, as dive counts it.")]
Forbid = Annotated[
    list[str] | None,
    typer.Option(
        "--forbid",
        metavar="WHAT,...",
        help="jdk, build-tools, package-cache, root-user.",
        autocompletion=a.completed("forbidden"),
    ),
]
MaxGrowth = Annotated[
    list[str] | None,
    typer.Option("--max-growth", metavar="SIZE|%", help='Against the baseline: "5%, 20MB, floor 1MB".'),
]
BaselineFile = Annotated[
    str | None,
    typer.Option("--baseline", metavar="FILE", help="What the images were; kept in the repository."),
]
RttOption = Annotated[
    str | None,
    typer.Option(
        "--rtt", metavar="TIME", help="To the registry and back, as ping shows it: 40ms.  [default: 0]"
    ),
]


def gate(
    target: Targets = None,
    predict: Annotated[
        bool, typer.Option("--predict", help="Judge what Dockerfiles would make, before any build.")
    ] = False,
    max_size: MaxSize = None,
    max_unpacked: MaxUnpacked = None,
    max_layer: MaxLayer = None,
    max_first_push: MaxFirst = None,
    max_next_push: MaxNext = None,
    max_bump: MaxBump = None,
    max_layers: MaxLayers = None,
    max_waste: MaxWaste = None,
    min_efficiency: MinEfficiency = None,
    forbid: Forbid = None,
    max_growth: MaxGrowth = None,
    baseline: BaselineFile = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Record new and smaller images in the baseline.")
    ] = False,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", metavar="IMAGE", help="Let this one grow; needs --reason.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; written down.")] = None,
    context: a.Context = None,
    build_arg: a.BuildArgs = None,
    stage: a.Target = None,
    platform: a.Platform = None,
    spring_boot: a.SpringBoot = None,
    jar_size: a.JarSize = None,
    engine: Annotated[
        Literal["docker", "buildkit", "podman", "kaniko"] | None,
        typer.Option("--engine", help="With --predict: whose gzip makes the layers."),
    ] = None,
    bandwidth: a.BandwidthOption = None,
    rtt: RttOption = None,
    plain_http: a.PlainHttp = False,
    insecure: a.Insecure = False,
    config: a.ConfigFile = None,
    format: Format = "text",
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Hold images against budgets: exit 1 when one is over, 3 when it cannot be measured.

    Each platform of an image is judged; --platform narrows. A push is of all of them, each blob once.
    Budgets are options, or stand under [budgets] in imgopt.toml, for all images or by name. 1 MB is 10^6 bytes.
    Formats: text, json, markdown, html, sarif (2.1.0), junit (Jenkins), github (annotations and the job's summary), gitlab.
    """
    from imgopt.cli.failure import print_errors
    from imgopt.cli.suggest import GZIP
    from imgopt.config import load
    from imgopt.errors import UsageError
    from imgopt.gate.run import Rules, named
    from imgopt.light.records import replace
    from imgopt.report.terminal import waiting
    from imgopt.units import parse_delay

    if not target:
        if not predict:
            raise UsageError(
                "no image is given", "name a tar, an OCI layout, docker:NAME or a registry's image"
            )
        target = ["."]
    given = a.Given(
        context,
        build_arg,
        stage,
        platform,
        None,
        spring_boot,
        bandwidth=bandwidth,
        config=config,
        jar_size=jar_size,
    )
    if jar_size is not None and not predict:
        raise UsageError("--jar-size is for what is not built", "give it with --predict, or leave it away")
    paths = [named(each)[1] for each in target]
    start = paths if predict else ["."]
    options = replace(a.options(start, given), engine=GZIP[engine] if engine else None, foresee=predict)
    if rtt is not None:
        options = replace(options, rtt_s=parse_delay(rtt))
    settings = load(config, start)
    file = baseline or settings.baseline
    if baseline is None and file is not None:
        file = _beside(settings.path, file)
    rules = Rules(
        settings.budgets,
        limits_of(
            {
                "max-size": max_size,
                "max-unpacked": max_unpacked,
                "max-layer": max_layer,
                "max-first-push": max_first_push,
                "max-next-push": max_next_push,
                "max-bump": max_bump,
                "max-layers": max_layers,
                "max-waste": max_waste,
                "min-efficiency": min_efficiency,
                "forbid": ",".join(forbid) if forbid else None,
                "max-growth": max_growth or None,
            }
        ),
        file,
        min(options.bandwidths),
        options.rtt_s,
        options.platform,
        a.registry_access(plain_http=plain_http, insecure=insecure),
        _directory(settings.path),
    )
    accepted = _accepted(accept, reason, file, predict=predict, update=update_baseline)
    record = update_baseline or bool(accepted)
    if len(options.pushed) > 1 and not predict:
        raise UsageError(
            f"{', '.join(options.pushed)} is more than one platform",
            "leave --platform away to judge all that an image has",
        )
    if predict:
        report = _predicted(target, options, rules, quiet=quiet)
    else:
        from imgopt.gate.run import gate_images

        with waiting(quiet) as work_on:
            report = gate_images(target, rules, record=record, progress=work_on)
    if record:
        report = _recorded(report, rules, accepted)
    _print(report, format, settings.path, output_file, no_color=no_color, quiet=quiet, verbose=verbose)
    print_errors(report.errors)
    return report.exit_code


def limits_of(given: dict[str, object]) -> list[Limit]:
    from imgopt.gate.budgets import parse_limit

    return [parse_limit(name, value, f"--{name}") for name, value in given.items() if value is not None]


def _directory(config: str | None) -> Path | None:
    from pathlib import Path

    return Path(config).absolute().parent if config is not None else None


def _beside(config: str | None, file: str) -> str:
    """A path that the configuration names lies beside it."""
    from pathlib import Path

    return str(Path(config).parent / file) if config is not None else file


def _accepted(
    accept: Sequence[str] | None, reason: str | None, file: str | None, *, predict: bool, update: bool
) -> dict[str, str]:
    from imgopt.errors import UsageError
    from imgopt.text.foreign import is_blank

    if (accept or update) and file is None:
        raise UsageError(
            "there is no baseline to write", "give --baseline FILE, or [gate] baseline in imgopt.toml"
        )
    if (accept or update) and predict:
        raise UsageError("a baseline records built images, not predictions", "leave --predict away")
    if not accept:
        if reason is not None:
            raise UsageError("--reason says why --accept lets an image grow", "name the image with --accept")
        return {}
    if reason is None or is_blank(reason):
        raise UsageError("--accept needs a reason", 'give --reason "…"; it is written down with the date')
    return dict.fromkeys(accept, " ".join(reason.split()))


def _predicted(target: Sequence[str], options: object, rules: Rules, *, quiet: bool) -> GateReport:
    from imgopt.cli.suggest import examine
    from imgopt.gate.run import gate_dockerfiles, named

    names = {path: name for name, path in map(named, target)}
    report = examine(list(names), options, quiet=quiet)  # type: ignore[arg-type]
    files = [(names.get(file.path), file) for file in report.files]
    return gate_dockerfiles(files, report.errors, rules)


def _recorded(report: GateReport, rules: Rules, accepted: dict[str, str]) -> GateReport:
    import datetime

    from imgopt.cli.files import update_file
    from imgopt.gate.baseline import content
    from imgopt.gate.run import record

    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    path = rules.baseline
    assert path is not None
    updated = report

    def made(data: bytes | None) -> bytes:
        nonlocal updated
        updated, new = record(report, rules, accepted, today, data)
        return new

    # another job may have recorded its images since this one began to look at its own
    update_file(path, lambda: content(path), made)
    return updated


def _print(
    report: GateReport,
    format: str,
    config: str | None,
    output_file: str | None,
    *,
    no_color: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    from imgopt.cli.output import emit, emit_lines
    from imgopt.report import gate as shown

    if format == "json":
        from imgopt.report import json

        emit(json.rendered(json.envelope(report.errors, **shown.gate_object(report))), output_file)
    elif format == "markdown":
        emit(shown.markdown(report).encode("utf-8", "replace"), output_file)
    elif format == "html":
        from imgopt.report import gate_html

        emit(gate_html.page(report).encode("utf-8", "replace"), output_file)
    elif format != "text":
        from imgopt.cli.remarks import emit_remarks
        from imgopt.report.remarks import of_gate

        emit_remarks(of_gate(report, config), format, output_file, lambda: shown.markdown(report))
    if format == "text" or (output_file is not None and not quiet):
        # a file is for a machine; who reads the job's log is told as well
        from imgopt.report.terminal import width

        lines = shown.text(report, width=width(), quiet=quiet, verbose=verbose)
        emit_lines(lines, output_file if format == "text" else None, no_color=no_color)
