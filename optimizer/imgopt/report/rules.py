"""The rules' own documentation, for `imgopt rules` and `imgopt explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgopt.report.layout import Line, line, visible, wrapped
from imgopt.report.markdown import markdown_table, prose

if TYPE_CHECKING:
    from imgopt.rule import Documented


def listed(rules: Sequence[Documented], width: int) -> list[Line]:
    """Every rule with the first line of its documentation."""
    indent = 4 + max((len(rule.id) for rule in rules), default=0)
    lines: list[Line] = []
    for rule in rules:
        first = line("  ", (f"{rule.id:<{indent - 2}}", "strong"))
        lines += wrapped(rule.summary, width, first=first, indent=indent)
    return [*lines, (), line("  imgopt explain RULE says more")]


def explained(rule: Documented, width: int) -> list[Line]:
    """A rule's documentation: paragraphs filled to the width, headings marked, examples as they stand."""
    lines: list[Line] = [line((rule.id, "strong")), ()]
    paragraph: list[str] = []
    fenced = False

    def flush() -> None:
        if paragraph:
            bullet = paragraph[0].startswith(("- ", "* "))
            lines.extend(wrapped(" ".join(paragraph), width, indent=2 if bullet else 0))
            paragraph.clear()

    for row in rule.documentation.split("\n"):
        if row.startswith("```"):
            flush()
            fenced = not fenced
        elif fenced or row.startswith("    "):
            flush()
            lines.append(line((f"  {visible(row)}" if fenced else visible(row), "name")))
        elif row.startswith("#"):
            flush()
            lines.append(line((visible(row.lstrip("# ")), "strong")))
        elif not row.strip():
            flush()
            lines.append(())
        else:
            if row.startswith(("- ", "* ")):
                flush()
            paragraph.append(row.strip())
    flush()
    return lines


def listed_markdown(rules: Sequence[Documented]) -> str:
    return markdown_table(["rule", "finds"], [[f"`{rule.id}`", prose(rule.summary)] for rule in rules]) + "\n"


def explained_markdown(rule: Documented) -> str:
    """The documentation is Markdown already; its headings go below the rule's own."""
    rows = [f"#{row}" if row.startswith("##") else row for row in rule.documentation.split("\n")]
    return "\n".join([f"## {rule.id}", "", *rows]) + "\n"
