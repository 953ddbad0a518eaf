"""``imgopt suggest``: findings, the proposed rewrite, and what it saves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from imgopt.cli import arguments as a
from imgopt.options import Options
from imgopt.scales import Severity
from imgopt.suggest.result import Report

FailOn = Annotated[
    Literal["low", "medium", "high"] | None,
    typer.Option("--fail-on", help="Exit with 1 when there is a finding of this severity or a higher one."),
]

RttOption = Annotated[
    str | None,
    typer.Option(
        "--rtt", metavar="TIME", help="To the registry and back, as ping shows it: 40ms.  [default: 0]"
    ),
]
RootOption = Annotated[
    str | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Where the Dockerfiles and contexts are that a CI file names.  [default: the checkout that the CI file is in]",
    ),
]
AsFound = Annotated[
    bool,
    typer.Option(
        "--as-found",
        help="Look at files as a search of their directory would: pass over what neither builds nor pushes an image.",
    ),
]
EngineOption = Annotated[
    Literal["docker", "buildkit", "podman", "kaniko"] | None,
    typer.Option(
        "--engine",
        help="Predict sizes for what this engine's gzip makes of the layers.  [default: sizes as compressed here]",
    ),
]
#: What an engine's gzip is called where blobs are predicted.
GZIP = {"docker": "docker", "buildkit": "buildkit", "podman": "buildah", "kaniko": "kaniko"}
Format = Annotated[
    Literal["text", "json", "markdown", "html", "sarif", "junit", "github", "gitlab"],
    typer.Option("--format"),
]


def suggest(
    path: a.Paths = None,
    format: Format = "text",
    fail_on: FailOn = None,
    context: a.Context = None,
    root: RootOption = None,
    as_found: AsFound = False,
    build_arg: a.BuildArgs = None,
    target: a.Target = None,
    platform: a.Platform = None,
    runtime: a.RuntimeOption = None,
    spring_boot: a.SpringBoot = None,
    jar_size: a.JarSize = None,
    unsafe: a.Unsafe = None,
    select: a.Select = None,
    ignore: a.Ignore = None,
    bandwidth: a.BandwidthOption = None,
    rtt: RttOption = None,
    engine: EngineOption = None,
    config: a.ConfigFile = None,
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Say what is wasted, what it costs in bytes and push minutes, and what would fix it.

    Looks at Dockerfiles and at CI files (Jenkinsfile, .gitlab-ci.yml, GitHub workflows). Nothing is changed and
    nothing is built. Formats: text, json, markdown (for a pull-request comment), html, sarif (2.1.0), junit
    (Jenkins), github (annotations and the job's summary), gitlab (code quality).
    """
    from imgopt.light.records import replace
    from imgopt.units import parse_delay

    paths = path or ["."]
    given = a.Given(
        context,
        build_arg,
        target,
        platform,
        runtime,
        spring_boot,
        unsafe,
        select,
        ignore,
        bandwidth,
        config,
        fail_on,
        jar_size,
    )
    options = replace(
        a.options(paths, given),
        engine=GZIP[engine] if engine else None,
        root=a.directory(root, "the root", "give the directory that the Dockerfiles' paths start from"),
    )
    if rtt is not None:
        source = f"{options.bandwidth_source}, round trip {rtt.strip()}"
        options = replace(options, rtt_s=parse_delay(rtt), bandwidth_source=source)
    report = examine(paths, options, quiet=quiet, pipelines=True, as_found=as_found)
    if as_found and format == "text" and not report.files and not report.errors:
        return 0
    view_again = replace(given, unsafe=None) if options.unsafe and not given.unsafe else given
    _print(
        report,
        options,
        format,
        view_again.repeated(paths),
        output_file,
        no_color=no_color,
        quiet=quiet,
        verbose=verbose,
    )
    if report.errors:
        from imgopt.cli.failure import print_errors

        print_errors(report.errors)
    return max(exit_code(report), _verdict(report, options.fail_on))


def examine(
    paths: Sequence[str], options: Options, *, quiet: bool, pipelines: bool = False, as_found: bool = False
) -> Report:
    """The engine's report on every Dockerfile that the paths stand for, and with `pipelines` on CI files."""
    from imgopt.examine import report_on
    from imgopt.light.records import replace
    from imgopt.report.terminal import waiting
    from imgopt.suggest.dockerfile import MAX_DOCKERFILE_BYTES
    from imgopt_rules import ALL_RULES, pipeline_rules

    stdin = a.read_standard_input(MAX_DOCKERFILE_BYTES) if "-" in paths else None
    with waiting(quiet) as work_on:
        return report_on(
            paths,
            replace(options, progress=work_on),
            stdin,
            rules=ALL_RULES,
            pipeline_rules=pipeline_rules if pipelines else (),
            as_found=as_found,
        )


def exit_code(report: Report) -> int:
    """Every input is processed; the highest code wins."""
    return max((error.exit_code for error in report.errors), default=0)


def _verdict(report: Report, fail_on: Severity | None) -> int:
    if fail_on is None:
        return 0
    found = (finding.severity.rank for file in report.files for finding, _ in file.findings)
    return int(any(rank >= fail_on.rank for rank in found))


def _print(
    report: Report,
    options: Options,
    format: str,
    again: tuple[str, ...],
    output_file: str | None,
    *,
    no_color: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    from imgopt.cli.output import emit, emit_lines

    if format == "json":
        from imgopt.report import json

        emit(json.rendered(json.suggestions(report)), output_file)
    elif format == "markdown":
        from imgopt.report import markdown

        emit(markdown.suggestions(report).encode("utf-8", "replace"), output_file)
    elif format == "html":
        from imgopt.report import suggest_html

        emit(suggest_html.page(report).encode("utf-8", "replace"), output_file)
    elif format != "text":
        from imgopt.cli.remarks import emit_remarks
        from imgopt.report import markdown
        from imgopt.report.remarks import of_suggest
        from imgopt_rules import EVERY_RULE, PIPELINE_RULES

        asked = {
            rule.id: rule.summary
            for rule in EVERY_RULE
            if (not options.select or rule.id in options.select) and rule.id not in options.ignore
        }
        documentation = {rule.id: rule.documentation for rule in EVERY_RULE} if format == "sarif" else {}
        pipeline_rules = {rule.id for rule in PIPELINE_RULES}
        remarks = of_suggest(report, options.fail_on, asked, pipeline_rules, documentation)
        emit_remarks(remarks, format, output_file, lambda: markdown.suggestions(report))
    else:
        from imgopt.report import terminal, text

        view = text.View(terminal.width(), quiet=quiet, verbose=verbose, again=again)
        emit_lines(text.suggestions(report, view), output_file, no_color=no_color)
