"""``imgopt explain``: what one rule finds, why it matters, how safe its fix is."""

from __future__ import annotations

from typing import Annotated

import typer

from imgopt.cli import arguments as a
from imgopt.errors import UsageError


def explain(
    rule: Annotated[
        str,
        typer.Argument(
            metavar="RULE", help="A rule's name.", show_default=False, autocompletion=a.completed("rules")
        ),
    ],
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    no_color: a.NoColor = False,
) -> int:
    """Explain a rule: what it finds, why that costs, how far its fix can be trusted."""
    from imgopt.cli.output import emit, emit_lines
    from imgopt.report import rules as report
    from imgopt.report.terminal import width
    from imgopt.text.spelling import choose_from
    from imgopt_rules import EVERY_RULE

    found = next((each for each in EVERY_RULE if each.id == rule), None)
    if found is None:
        raise UsageError(f"there is no rule {rule!r}", choose_from(rule, [each.id for each in EVERY_RULE]))
    if format == "json":
        from imgopt.report import json

        emit(json.rendered(json.envelope((), rule=json.rule_object(found))), output_file)
    elif format == "markdown":
        emit(report.explained_markdown(found).encode(), output_file)
    else:
        emit_lines(report.explained(found, width()), output_file, no_color=no_color)
    return 0
