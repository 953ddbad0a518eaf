"""``imgopt rules``: every rule in one line."""

from __future__ import annotations

from imgopt.cli import arguments as a


def rules(
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    no_color: a.NoColor = False,
) -> int:
    """List the rules, each with the waste that it finds."""
    from imgopt.cli.output import emit, emit_lines
    from imgopt.report import rules as report
    from imgopt.report.terminal import width
    from imgopt_rules import EVERY_RULE

    if format == "json":
        from imgopt.report import json

        objects = [json.rule_object(rule) for rule in EVERY_RULE]
        emit(json.rendered(json.envelope((), rules=objects)), output_file)
    elif format == "markdown":
        emit(report.listed_markdown(EVERY_RULE).encode(), output_file)
    else:
        emit_lines(report.listed(EVERY_RULE, width()), output_file, no_color=no_color)
    return 0
