"""``imgopt fleet write``: the plan into the builds, and the Dockerfiles' rewrites with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from imgopt.cli import arguments as a
from imgopt.cli.fleet import Anew, Directory, Groups

if TYPE_CHECKING:
    from imgopt.errors import ImgoptError
    from imgopt.fleet.writing import Change


def fleet_write(
    directory: Directory = ".",
    diff: Annotated[bool, typer.Option("--diff", help="Print a patch; the default.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if something would change.")
    ] = False,
    in_place: Annotated[bool, typer.Option("--in-place", help="Write the files.")] = False,
    layers: Groups = None,
    anew: Anew = False,
    build_arg: a.BuildArgs = None,
    platform: a.Platform = None,
    runtime: a.RuntimeOption = None,
    unsafe: a.Unsafe = None,
    select: a.Select = None,
    ignore: a.Ignore = None,
    config: a.ConfigFile = None,
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
) -> int:
    """Write the shared layers into the builds, and rewrite the Dockerfiles of all modules.

    Maven gets .mvn/layers.xml and one change of a pom, Gradle gradle/imgopt-layers.gradle and the line that applies it;
    imgopt-fleet.toml keeps the plan. The Dockerfiles are rewritten as imgopt rewrite does it, for archives with these
    layers: build the archives again before the images. Where an image would lack a layer, the builds stay as they are, and why
    is said.
    """
    from imgopt.cli.failure import print_errors
    from imgopt.cli.fleet import looked_at
    from imgopt.cli.fleet_plan import not_built
    from imgopt.errors import UsageError
    from imgopt.fleet.writing import changes
    from imgopt.report.terminal import note

    modes = [
        name for name, given in (("--diff", diff), ("--check", check), ("--in-place", in_place)) if given
    ]
    if len(modes) > 1:
        raise UsageError(f"{' and '.join(modes)} do not go together", "choose one")
    given = a.Given(None, build_arg, None, platform, runtime, None, unsafe, select, ignore, config=config)
    options = a.options([directory], given)
    found = looked_at(directory, options, layers, anew=anew, quiet=quiet, pipelines=False)
    writing = changes(found)
    errors: list[ImgoptError] = [*found.errors]
    if check:
        errors += not_built(found)
        _print_check(writing.changes, output_file)
    elif in_place:
        errors += _write(writing.changes, quiet=quiet)
    else:
        errors += _print_diff(writing.changes, output_file, no_color=no_color)
    if not quiet:
        for problem in writing.problems:
            note(f"not written: {problem}")
        for each in writing.notes if writing.changes else ():
            note(f"warning: {each}")
        if not writing.changes and not errors:
            note("nothing to change")
        if in_place and any(
            each.path.endswith(("layers.xml", "imgopt-layers.gradle")) for each in writing.changes
        ):
            note("build the archives again before the images: the Dockerfiles copy their new layers")
    print_errors(errors)
    code = max((error.exit_code for error in errors), default=0)
    return max(code, int(check and bool(writing.changes)))


def _write(files: Sequence[Change], *, quiet: bool) -> list[ImgoptError]:
    """Each file, one by one; the errors of those that could not be written."""
    from pathlib import Path

    from imgopt.cli.files import ABSENT, write_file
    from imgopt.errors import ImgoptError, InputError
    from imgopt.report.terminal import note

    errors: list[ImgoptError] = []
    for each in files:
        try:
            try:
                Path(each.path).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                what = f"its directory cannot be made: {error.strerror or error}"
                raise InputError(what, "check it", path=each.path) from error
            write_file(each.path, each.new, expected=ABSENT if each.old is None else each.old)
        except ImgoptError as error:
            errors.append(error)
            continue
        if not quiet:
            note(f"wrote {each.path}: {each.what}")
    return errors


def _print_check(files: Sequence[Change], output_file: str | None) -> None:
    from imgopt.cli.output import emit_lines
    from imgopt.report.layout import line, visible

    lines = [line(f"{visible(each.path)} would change: {each.what}") for each in files]
    if lines or output_file is not None:
        emit_lines(lines, output_file, no_color=True)


def _print_diff(files: Sequence[Change], output_file: str | None, *, no_color: bool) -> list[ImgoptError]:
    import sys

    from imgopt.cli.output import emit_exactly, emit_lines, is_read_as_it_comes
    from imgopt.errors import InputError
    from imgopt.report.diff import coloured, unified
    from imgopt.report.terminal import is_terminal, wants_colour
    from imgopt.text.foreign import acting

    errors: list[ImgoptError] = []
    parts = []
    for each in files:
        old = (each.old or b"").decode("utf-8", "surrogateescape")
        text = unified(old, each.new.decode("utf-8", "surrogateescape"), each.path)
        if each.old is None:
            text = "--- /dev/null\n" + text.partition("\n")[2]
        if is_read_as_it_comes(output_file) and (what := acting(text)) is not None:
            said = f"it holds {what.what}, on which a terminal or a CI job's log would act, so it is not printed there"
            errors.append(InputError(said, "write it: --in-place, or --output-file FILE", path=each.path))
            continue
        parts.append(text)
    if output_file is None and is_terminal(sys.stdout) and wants_colour(sys.stdout, no_color):
        for text in parts:
            emit_lines(coloured(text), None, no_color=no_color)
        return errors
    emit_exactly("".join(parts).encode("utf-8", "surrogateescape"), output_file)
    return errors
