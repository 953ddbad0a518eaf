"""``imgopt fleet plan``: which libraries get layers that several modules share, kept in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.cli import arguments as a
from imgopt.cli.fleet import Anew, Directory, Groups

if TYPE_CHECKING:
    from imgopt.errors import MeasureError
    from imgopt.fleet.survey import Fleet


def fleet_plan(
    directory: Directory = ".",
    layers: Groups = None,
    anew: Anew = False,
    format: a.Format = "text",
    build_arg: a.BuildArgs = None,
    platform: a.Platform = None,
    config: a.ConfigFile = None,
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
) -> int:
    """Choose the libraries that get layers which several modules share, and keep the choice in imgopt-fleet.toml.

    A group is what the same modules have in the same files, and Spring Boot's BOM moves together. The file says each
    artifact's group, without versions, and is obeyed from then on, so that a bump reshuffles no layers. All archives have
    to be built. Formats: text, json, markdown.
    """
    from imgopt.cli.failure import print_errors
    from imgopt.cli.files import ABSENT, write_file
    from imgopt.cli.fleet import looked_at
    from imgopt.cli.output import emit, emit_lines
    from imgopt.fleet import plan_file
    from imgopt.fleet.writing import require_inside
    from imgopt.report import fleet_plan as shown
    from imgopt.report.terminal import note

    options = a.options([directory], a.Given(None, build_arg, None, platform, config=config))
    found = looked_at(directory, options, layers, anew=anew, quiet=quiet, pipelines=False)
    errors = [*found.errors, *not_built(found)]
    if format == "json":
        from imgopt.report import json

        emit(json.rendered(shown.plan_object(found, errors)), output_file)
    elif format == "markdown":
        emit(shown.markdown(found).encode("utf-8", "replace"), output_file)
    else:
        emit_lines(shown.text(found), output_file, no_color=no_color)
    print_errors(errors)
    if not errors and found.plan.groups:
        require_inside(found.repository.root, found.plan_path)
        new = plan_file.rendered(found.plan).encode()
        old = plan_file.content(found.plan_path) if found.plan_path.exists() else None
        if new != old:
            write_file(str(found.plan_path), new, expected=ABSENT if old is None else old)
            if not quiet:
                note(f"wrote {found.plan_path}")
    return max((error.exit_code for error in errors), default=0)


def not_built(found: Fleet) -> list[MeasureError]:
    """What a plan cannot be made without."""
    from imgopt.errors import MeasureError
    from imgopt.java.build_files import build_call

    if not found.unbuilt:
        return []
    names = [each.image.module.name for each in found.unbuilt]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    how = build_call(found.repository.root)
    hint = f"build them first{f' ({how})' if how else ''}, then ask again"
    what = f"what {', '.join(names[:3])}{more} would share is not known: no archive is built"
    return [MeasureError(what, hint)]
