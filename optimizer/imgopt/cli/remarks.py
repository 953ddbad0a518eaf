"""The formats of CI systems, which `suggest` and `gate` share."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from imgopt.cli.output import emit

if TYPE_CHECKING:
    from imgopt.report.remarks import Remarks


def emit_remarks(remarks: Remarks, format: str, output_file: str | None, markdown: Callable[[], str]) -> None:
    """``format`` is the name of a module of `imgopt.report`. In a job of GitHub's, its summary gets the Markdown."""
    module = import_module(f"imgopt.report.{format}")
    emit(module.rendered(remarks), output_file, getattr(module, "COMMANDS", ()))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if format == "github" and summary:
        from imgopt.report.github import write_summary

        write_summary(markdown(), summary)
