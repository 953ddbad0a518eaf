"""``imgopt rewrite``: the Dockerfile that fixes what ``suggest`` finds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from imgopt.cli import arguments as a
from imgopt.errors import ImgoptError, InputError, MeasureError, UsageError
from imgopt.suggest.result import FileReport, Report

Diff = Annotated[bool, typer.Option("--diff", help="Print a unified diff instead.")]
InPlace = Annotated[bool, typer.Option("--in-place", "-i", help="Rewrite the files themselves.")]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the rewritten Dockerfile there.")
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Write nothing; exit with 1 when a file would change, with 3 when a jar that decides it is not built yet.",
    ),
]
Format = Annotated[Literal["text", "json"], typer.Option("--format", help="What is printed.")]


def rewrite(
    path: a.Paths = None,
    diff: Diff = False,
    in_place: InPlace = False,
    output: Output = None,
    check: Check = False,
    format: Format = "text",
    context: a.Context = None,
    build_arg: a.BuildArgs = None,
    target: a.Target = None,
    platform: a.Platform = None,
    runtime: a.RuntimeOption = None,
    spring_boot: a.SpringBoot = None,
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
    """Write the Dockerfile that fixes what suggest finds; the application behaves the same.

    To standard output unless --diff, --in-place, --output or --check says otherwise.
    """
    from imgopt.cli.suggest import examine, exit_code

    paths = path or ["."]
    _check_usage(paths, diff=diff, in_place=in_place, output=output, check=check, as_json=format == "json")
    given = a.Given(
        context, build_arg, target, platform, runtime, spring_boot, unsafe, select, ignore, bandwidth, config
    )
    options = a.options(paths, given)
    report = examine(paths, options, quiet=quiet)
    if not (diff or in_place or check or format == "json"):
        _check_single(report, "" if output is None else "--output writes one file")

    errors: list[ImgoptError] = _undecided(report) if check else []
    if in_place:
        errors = _write_in_place(report, quiet=quiet)
    elif output is not None:
        errors = _write_to(report, output)
    if format == "json":
        _print_json(report, errors, output_file)
    elif diff:
        errors += _print_diff(report, output_file, no_color=no_color)
    elif check:
        _print_check(report, output_file)
    elif not in_place and output is None:
        errors = _print_text(report, output_file)
    if not quiet:
        _print_notes(report, applied=verbose and not in_place)
    if report.errors or errors:
        from imgopt.cli.failure import print_errors

        print_errors([*report.errors, *errors])
    would_change = check and any(file.rewrite.changed and not file.rewrite.undecided for file in report.files)
    return max(exit_code(report), int(would_change), *(error.exit_code for error in errors))


def _check_usage(
    paths: Sequence[str], *, diff: bool, in_place: bool, output: str | None, check: bool, as_json: bool
) -> None:
    modes = [
        name
        for name, given in (("--in-place", in_place), ("--output", output is not None), ("--check", check))
        if given
    ]
    if len(modes) > 1 or (diff and modes and modes != ["--check"]):
        both = [*(["--diff"] if diff else []), *modes]
        raise UsageError(f"{' and '.join(both)} do not go together", "choose one")
    if diff and as_json:
        raise UsageError("--diff is not JSON", "leave out --diff: rewrite.text has the new Dockerfile")
    if in_place and "-" in paths:
        raise UsageError(
            "standard input cannot be rewritten in place", "leave out --in-place to print the rewrite"
        )


def _check_single(report: Report, why: str) -> None:
    """Several Dockerfiles on one stream could not be told apart again."""
    count = len(report.files) + sum(error.path is not None for error in report.errors)
    if count > 1:
        raise UsageError(
            why or f"{count} Dockerfiles cannot be printed one after the other",
            "give one file, or --diff, --in-place or --check",
        )


def new_bytes(file: FileReport) -> bytes:
    return file.rewrite.text.encode("utf-8", "surrogateescape")


def old_bytes(file: FileReport) -> bytes:
    return file.original.encode("utf-8", "surrogateescape")


def _write_in_place(report: Report, *, quiet: bool) -> list[ImgoptError]:
    """Each changed file, one by one; the errors of those that could not be written."""
    import os

    from imgopt.cli.files import write_file
    from imgopt.report.figures import NOT_KNOWN
    from imgopt.report.terminal import note

    errors: list[ImgoptError] = []
    written: set[str] = set()
    for file in report.files:
        target = os.path.realpath(file.path)
        if not file.rewrite.changed or target in written:
            continue
        try:
            write_file(file.path, new_bytes(file), expected=old_bytes(file))
        except ImgoptError as error:
            errors.append(error)
            continue
        written.add(target)
        if not quiet:
            note(f"rewrote {file.path}: {', '.join(file.rewrite.applied)}")
    if not quiet and not written and not errors:
        clear = all(file.clear for file in report.files)
        note("nothing to change" if clear else f"nothing to change; {NOT_KNOWN}")
    return errors


def _write_to(report: Report, output: str) -> list[ImgoptError]:
    from imgopt.cli.files import write_file

    for file in report.files:
        try:
            _check_printable(file, file.rewrite.text, output)
            write_file(output, new_bytes(file))
        except ImgoptError as error:
            return [error]
    return []


def _print_text(report: Report, output_file: str | None) -> list[ImgoptError]:
    from imgopt.cli.output import emit_exactly

    for file in report.files:
        try:
            _check_printable(file, file.rewrite.text, output_file)
        except InputError as error:
            return [error]
        emit_exactly(new_bytes(file), output_file)
    return []


def _print_diff(report: Report, output_file: str | None, *, no_color: bool) -> list[ImgoptError]:
    from imgopt.cli.output import emit_exactly, emit_lines
    from imgopt.report.diff import coloured, unified
    from imgopt.report.terminal import is_terminal, wants_colour
    from imgopt.text.foreign import acting

    differences = [(file, unified(file.original, file.rewrite.text, file.path)) for file in report.files]
    shown = wants_colour(sys.stdout, no_color) or any(
        acting(_lines_of(text)) is not None for _, text in differences
    )
    if output_file is None and is_terminal(sys.stdout) and shown:
        for _, difference in differences:
            if difference:
                emit_lines(coloured(difference), None, no_color=no_color)
        return []
    errors: list[ImgoptError] = []
    printed = []
    for file, difference in differences:
        try:
            _check_printable(file, _lines_of(difference), output_file)
            printed.append(difference)
        except InputError as error:
            errors.append(error)
    emit_exactly("".join(printed).encode("utf-8", "surrogateescape"), output_file)
    return errors


def _lines_of(difference: str) -> str:
    """A diff without the byte order mark that may begin the file, before and after."""
    for sign in "-+ ":
        difference = difference.replace(f"\n{sign}\ufeff", f"\n{sign}", 1)
    return difference


def _check_printable(file: FileReport, text: str, output: str | None) -> None:
    """InputError for a text that must not be changed, where a terminal or the runner of a CI job would act on it."""
    from imgopt.cli.output import is_read_as_it_comes
    from imgopt.text.foreign import acting

    if not is_read_as_it_comes(output):
        return
    found = acting(text)
    if found is None:
        return
    at = acting(file.original)
    raise InputError(
        f"it holds {found.what}, on which a terminal or a CI job's log would act, so it is not printed there",
        "write it to a file: --in-place, --output FILE, or > FILE",
        path=file.path,
        line=at.line if at is not None else None,
    )


def _undecided(report: Report) -> list[ImgoptError]:
    """The files of which nobody can say whether they would change: what decides it is not there yet."""
    errors: list[ImgoptError] = []
    for file in report.files:
        missing = file.rewrite.undecided
        if not missing:
            continue
        unbuilt = [fact for fact in missing if fact.instead is None]
        fact = (unbuilt or missing)[0]
        if fact.instead is not None:
            why = f"{fact.what}, where the build puts no archive"
            hint = f"name {fact.instead} in its place, then ask again"
        else:
            why = f"{', '.join(each.what for each in unbuilt)}, which {'is' if len(unbuilt) == 1 else 'are'} not built yet"
            how = next((f" ({each.how})" for each in unbuilt if each.how is not None), "")
            hint = f"build the jar first{how}, then ask again"
        errors.append(MeasureError(f"whether it would change depends on {why}", hint, path=file.path))
    return errors


def _print_check(report: Report, output_file: str | None) -> None:
    from imgopt.cli.output import emit_lines
    from imgopt.report.layout import line, visible

    changed = [file for file in report.files if file.rewrite.changed and not file.rewrite.undecided]
    lines = [
        line(f"{visible(file.path)} would change: {', '.join(file.rewrite.applied)}") for file in changed
    ]
    if lines or output_file is not None:
        emit_lines(lines, output_file, no_color=True)


def _print_json(report: Report, errors: Sequence[ImgoptError], output_file: str | None) -> None:
    from imgopt.cli.output import emit
    from imgopt.light.records import replace
    from imgopt.report import json

    emit(json.rendered(json.suggestions(replace(report, errors=(*report.errors, *errors)))), output_file)


def _print_notes(report: Report, *, applied: bool) -> None:
    """What was not done (and what was, when asked) is said beside the result rather than in it."""
    from imgopt.report.figures import held_back, rests_on, told_apart
    from imgopt.report.terminal import note
    from imgopt.suggest.sentence import sentence

    for file in report.files:
        if applied and file.rewrite.changed:
            note(f"applied: {file.path}: {', '.join(file.rewrite.applied)} ({file.rewrite.applicability})")
        if file.rewrite.changed and (said := rests_on(file)):
            note(f"{file.path}: {said}")
        for each in told_apart(file):
            place = f":{each.line}" if each.line else ""
            note(f"not applied: {file.path}{place}: {each.rule}: {sentence(each.why)}")
        for reason in file.unknown:
            note(f"not known: {file.path}: {sentence(reason)}")
        waiting = held_back(file)
        if waiting:
            count = "1 fix needs" if len(waiting) == 1 else f"{len(waiting)} fixes need"
            note(f"{file.path}: {count} --unsafe: {', '.join(waiting)}")
