"""What `fleet` says of a repository: one screen of text, Markdown, HTML and JSON."""

from __future__ import annotations

import html
from typing import Any

from imgopt.fleet.figures import (
    COLUMNS,
    RELEASES,
    Action,
    Column,
    Figures,
    Release,
    Row,
    per_image,
)
from imgopt.fleet.survey import Fleet, Weighed
from imgopt.fleet.weighing import Blob, once
from imgopt.java.build_files import build_call
from imgopt.light.records import dataclass
from imgopt.report.figures import amount, plural, time
from imgopt.report.json import Object, envelope
from imgopt.report.layout import Line, dim, line, table, tail, visible, wrapped
from imgopt.report.markdown import code, escaped, markdown_table
from imgopt.scales import Sum
from imgopt.suggest.result import ReleaseLimit
from imgopt.suggest.sentence import sentence
from imgopt.units import duration, megabytes, rate

#: By which the comment is found again.
MARKER = "<!-- imgopt: fleet -->"
RELEASE_NAMES: dict[Release, str] = {"first": "first push", "bump": "Boot patch", "next": "classes only"}
COLUMN_NAMES: dict[Column, str] = {
    "now": "now",
    "after": "after rewrite",
    "planned": "after plan",
    "best": "at best",
}
#: Less is not worth a word.
_LEAST_BYTES = 10_000
_MOST_ROWS, _MOST_LEFT, _MOST_DRIFT = 15, 4, 3
_KEYS: dict[Release, str] = {"first": "first_push", "bump": "bump_push", "next": "next_push"}


@dataclass(frozen=True)
class View:
    width: int
    quiet: bool = False
    verbose: bool = False
    directory: str = "."
    budgets: dict[str, str] | None = None  # a module's verdict, by its directory; None: there are no budgets


def text(fleet: Fleet, figures: Figures, view: View) -> list[Line]:
    """One screen; `verbose` shows all rows and what was left out."""
    lines: list[Line] = [line((_headline(fleet), "strong"))]
    if fleet.images:
        lines += ((), *_sums(fleet, figures))
    if not view.quiet and fleet.images:
        lines += ((), *_rows(figures, fleet, view))
    if actions := _actions(fleet, figures, view):
        lines += ((), *actions)
    lines += _remarks(fleet, figures, view)
    return lines


def _headline(fleet: Fleet) -> str:
    rates = fleet.options.bandwidths
    speed = (
        rate(rates[0]) if len(rates) == 1 else f"{rate(min(rates)).removesuffix(' MB/s')}-{rate(max(rates))}"
    )
    parts = [
        plural(len(fleet.modules), "module"),
        plural(len(fleet.images), "image"),
        *(visible(_below(fleet, each.path)) for each in fleet.pipelines[:2]),
        f"{visible(fleet.options.bandwidth_source)} {speed}" if fleet.options.bandwidth_source else speed,
    ]
    return ", ".join(parts)


def _below(fleet: Fleet, path: str) -> str:
    return path.removeprefix(f"{fleet.repository.root}/")


def columns(fleet: Fleet) -> tuple[Column, ...]:
    """The plan has one where there is a plan."""
    return tuple(each for each in COLUMNS if each != "planned" or fleet.plan.groups)


def _sums(fleet: Fleet, figures: Figures) -> list[Line]:
    slowest = min(fleet.options.bandwidths)
    rows: list[list[Line | str]] = [["", *(RELEASE_NAMES[release] for release in RELEASES)]]
    for column in columns(fleet):
        cells: list[Line | str] = [line((COLUMN_NAMES[column], "strong"))]
        cells += [_told(figures.sums[release, column], slowest) for release in RELEASES]
        rows.append(cells)
    used = sorted({each.basis for each in figures.sums.values() if each.value is not None})
    note = f"minutes at {rate(slowest)}; {', '.join(used) or 'unknown'}; at best: each file once"
    if figures.shares_base_now:
        note += "; now: one daemon pushes one by one and has the base mounted"
    return [*table(rows), dim(f"  {note}")]


def _told(size: Sum, slowest: int) -> str:
    if size.told is None:
        return "unknown"
    return f"{time(size.value / slowest if size.value is not None else None, size)}  {amount(size)}"


def _rows(figures: Figures, fleet: Fleet, view: View) -> list[Line]:
    head: list[Line | str] = ["module", "Dockerfile", "archive", "shared", "own"]
    if view.budgets is not None:
        head.append("budget")
    rows: list[list[Line | str]] = [head]
    shown = figures.rows if view.verbose else figures.rows[:_MOST_ROWS]
    for row in shown:
        weighed = row.weighed
        cells: list[Line | str] = [
            line((visible(weighed.image.module.name), "name")),
            tail(visible(_dockerfile(fleet, weighed)), 44),
            _size(row.archive, "not built"),
            _size(row.shared),
            _size(row.own),
        ]
        if view.budgets is not None:
            cells.append(view.budgets.get(weighed.image.module.directory, "-"))
        rows.append(cells)
    lines = table(rows, left=2)
    if len(shown) < len(figures.rows):
        lines.append(dim(f"  ... {len(figures.rows) - len(shown)} more (-v)"))
    return lines


def _dockerfile(fleet: Fleet, weighed: Weighed) -> str:
    args = " ".join(f"{name}={value}" for name, value in weighed.image.args[:2])
    target = f" --target {weighed.image.target}" if weighed.image.target else ""
    name = _below(fleet, str(weighed.image.dockerfile))
    return f"{name}{target}" + (f" ({args})" if args else "")


def _size(size: int | None, unknown: str = "unknown") -> str:
    return unknown if size is None else megabytes(size)


def said_of(action: Action, fleet: Fleet, directory: str) -> tuple[str, str]:
    """What to do, and the command for it."""
    where = "" if directory == "." else f" {directory}"
    if action.name == "mount":
        return (
            "push all images in one call, which mounts what they have in common",
            f"imgopt fleet push{where}",
        )
    if action.name == "rewrite":
        return f"rewrite {plural(action.images, 'Dockerfile')}", f"imgopt fleet write{where}"
    count = len(fleet.plan.groups)
    return (
        f"{plural(count, 'shared layer')} of libraries",
        f"imgopt fleet write{where} (layers and Dockerfiles)",
    )


def saved_by(action: Action) -> str:
    parts = []
    for value, when in ((action.first, "on a first push"), (action.bump, "on a Boot patch")):
        if value and abs(value) >= _LEAST_BYTES:
            parts.append(f"{'-' if value > 0 else '+'}{megabytes(abs(value))} {when}")
    bound = "" if action.complete else "of what is known: "
    return bound + (", ".join(parts) or "unknown")


def _actions(fleet: Fleet, figures: Figures, view: View) -> list[Line]:
    lines: list[Line] = []
    for number, action in enumerate(figures.actions, 1):
        what, command = said_of(action, fleet, view.directory)
        lines += wrapped(
            f"{what}: {saved_by(action)} ({action.basis}); {command}",
            view.width,
            first=line((f"  {number}  ", "strong")),
            indent=5,
        )
    return lines


def limit_said(path: str, limit: ReleaseLimit) -> str:
    first = limit.first
    said = f"{path}:{limit.line}: {limit.text} ends after {duration(limit.seconds)}"
    if first[0] is None:
        return f"{said}; how long a first push of its {plural(limit.images, 'image')} takes is not known"
    over = "ends" if first[0] >= limit.seconds else "leaves room for"
    return f"{said} and {over} a first push of its {plural(limit.images, 'image')} now ({duration(first[0])})"


def caveats(fleet: Fleet, figures: Figures) -> list[str]:
    """What a reader of the figures has to know, the most important first."""
    found: list[str] = []
    if not fleet.images:
        found.append("no image: no Dockerfile here ships the archive of a module")
    if fleet.unbuilt:
        how = build_call(fleet.repository.root)
        what = plural(len(fleet.unbuilt), "archive")
        found.append(f"{what} not built: build first{f' ({how})' if how else ''}, and ask again")
    tight = [each for each in figures.limits if not each[1].long_enough]
    found += [limit_said(_below(fleet, path), limit) for path, limit in tight[:2]]
    for report in fleet.pipelines:
        high = [finding for finding, _ in report.findings if finding.severity.value == "high"]
        found += [f"{_below(fleet, report.path)}:{each.line}: {sentence(each.message)}" for each in high[:2]]
    unplanned = [each for each in fleet.images if each.unplanned is not None and each.jar is not None]
    for why in dict.fromkeys(each.unplanned or "" for each in unplanned):
        names = [each.image.module.name for each in unplanned if each.unplanned == why]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        found.append(f"{', '.join(names[:3])}{more}: no part of the plan, since {why}")
    if (said := _apart(fleet)) is not None:
        found.append(said)
    distance = figures.distance["bump"]
    if fleet.plan.groups and distance is not None and distance > 1.5:
        found.append(
            f"a Boot patch sends {distance:.1f} times its new files with this plan; more than 1.5 is far"
        )
    if figures.bases is not None:
        said = ", ".join(f"{name} ({count})" for name, count in figures.bases.names[:3])
        price = (
            ""
            if figures.bases.bytes is None
            else f": {megabytes(figures.bases.bytes)} more than the largest alone"
        )
        found.append(f"{plural(len(figures.bases.names), 'base')}: {said}{price}")
    if figures.drift:
        drifting = sum(each.bytes for each in figures.drift)
        named = ", ".join(
            f"{each.artifact} {'/'.join(version for version, _ in each.versions)}"
            for each in figures.drift[:_MOST_DRIFT]
        )
        more = f" (+{len(figures.drift) - _MOST_DRIFT}, -v)" if len(figures.drift) > _MOST_DRIFT else ""
        found.append(f"in several versions, {megabytes(drifting)}: {named}{more}")
    return found


def _apart(fleet: Fleet) -> str | None:
    """That libraries lie in different directories, so that no layer is the same; None where they do not."""
    places: dict[str, list[str]] = {}
    for each in fleet.images if fleet.plan.groups else ():
        there = {place for blob in each.best for place in blob.places} if each.planned is not None else set()
        for place in there:
            places.setdefault(place, []).append(each.image.module.name)
    if len(places) < 2:
        return None
    ordered = sorted(places.items(), key=lambda each: (-len(each[1]), each[0]))
    told = ", ".join(f"{place} ({plural(len(names), 'image')})" for place, names in ordered[:3])
    return f"libraries lie in different directories, and only images with the same one share layers: {told}"


def _remarks(fleet: Fleet, figures: Figures, view: View) -> list[Line]:
    lines: list[Line] = []
    for each in caveats(fleet, figures):
        lines += wrapped(each, view.width, first=line(("  !  ", "warn")), indent=5)
    if view.quiet:
        return lines
    left = fleet.found.left_out
    shown = left if view.verbose else left[:_MOST_LEFT]
    for out in shown:
        lines += wrapped(
            f"not counted: {out.what}: {out.why}", view.width, first=line("  "), indent=4, style="dim"
        )
    if len(shown) < len(left):
        lines.append(dim(f"  not counted: {len(left) - len(shown)} more (-v)"))
    for remark in fleet.repository.remarks:
        lines += wrapped(remark, view.width, first=line("  "), indent=4, style="dim")
    if view.verbose:
        for drift in figures.drift:
            told = ", ".join(f"{version} in {plural(count, 'module')}" for version, count in drift.versions)
            lines += wrapped(
                f"{drift.artifact}: {told}: {megabytes(drift.bytes)}", view.width, first=line("  "), indent=4
            )
    return lines


# Markdown and HTML


def markdown(fleet: Fleet, figures: Figures, view: View) -> str:
    slowest = min(fleet.options.bandwidths)
    parts = [MARKER, f"### imgopt fleet: {escaped(_headline(fleet))}"]
    if fleet.images:
        rows = [
            [COLUMN_NAMES[column], *(_told(figures.sums[release, column], slowest) for release in RELEASES)]
            for column in columns(fleet)
        ]
        parts.append(markdown_table(["", *(RELEASE_NAMES[release] for release in RELEASES)], rows))
        parts.append(_markdown_rows(fleet, figures, view))
    said = []
    for number, action in enumerate(figures.actions, 1):
        what, command = said_of(action, fleet, view.directory)
        said.append(
            f"{number}. {escaped(what)}: {escaped(saved_by(action))} ({action.basis}); {code(command)}"
        )
    parts.append("\n".join(said))
    parts.append("\n".join(f"- {escaped(each)}" for each in caveats(fleet, figures)))
    out = [f"- {code(each.what)}: {escaped(each.why)}" for each in fleet.found.left_out]
    if out:
        parts.append(
            f"<details><summary>not counted: {len(out)}</summary>\n\n" + "\n".join(out) + "\n\n</details>"
        )
    parts += [f"- {escaped(each)}" for each in fleet.repository.remarks]
    parts += [f"- **error** {escaped(str(error))}" for error in fleet.errors]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_rows(fleet: Fleet, figures: Figures, view: View) -> str:
    titles = ["module", "Dockerfile", "archive", "shared", "own"]
    if view.budgets is not None:
        titles.append("budget")
    rows = []
    for row in figures.rows:
        cells = [code(row.weighed.image.module.name), code(_dockerfile(fleet, row.weighed))]
        cells += [_size(row.archive, "not built"), _size(row.shared), _size(row.own)]
        if view.budgets is not None:
            cells.append(view.budgets.get(row.weighed.image.module.directory, "-"))
        rows.append(cells)
    return markdown_table(titles, rows, left=2)


def page(fleet: Fleet, figures: Figures, view: View) -> str:
    """One self-contained file, with which layers lie in which images."""
    from imgopt.report.page import document, rows

    slowest = min(fleet.options.bandwidths)
    body = [f"<h1>imgopt fleet: {_text(_headline(fleet))}</h1>"]
    sums = [
        [COLUMN_NAMES[column], *(_told(figures.sums[release, column], slowest) for release in RELEASES)]
        for column in columns(fleet)
    ]
    body.append(rows(["", *(RELEASE_NAMES[release] for release in RELEASES)], sums, (1, 2, 3)))
    cells = [
        [
            _text(row.weighed.image.module.name),
            f"<code>{_text(_dockerfile(fleet, row.weighed))}</code>",
            _size(row.archive, "not built"),
            _size(row.shared),
            _size(row.own),
        ]
        for row in figures.rows
    ]
    body += ["<h2>Modules</h2>", rows(["module", "Dockerfile", "archive", "shared", "own"], cells, (2, 3, 4))]
    for number, action in enumerate(figures.actions, 1):
        what, command = said_of(action, fleet, view.directory)
        body.append(
            f"<p>{number}. {_text(what)}: {_text(saved_by(action))}; <code>{_text(command)}</code></p>"
        )
    body += [f"<p>! {_text(each)}</p>" for each in caveats(fleet, figures)]
    body += ["<h2>Which layers lie in which images</h2>", _layers_table(fleet)]
    body += [
        f'<p class="dim">not counted: {_text(each.what)}: {_text(each.why)}</p>'
        for each in fleet.found.left_out
    ]
    body += [f"<p><strong>error</strong> {_text(str(error))}</p>" for error in fleet.errors]
    return document("imgopt fleet", body)


def _layers_table(fleet: Fleet) -> str:
    from imgopt.report.page import rows

    images = fleet.images
    told = []
    for layer in sorted(_layers(fleet), key=lambda layer: -(layer["bytes"] or 0))[:200]:
        there = ["x" if each.image.module.directory in layer["modules"] else "" for each in images]
        told.append([f"<code>{_text(layer['instruction'])}</code>", _size(layer["bytes"]), *there])
    names = [_text(each.image.module.name) for each in images]
    return rows(["layer", "bytes", *names], told, (1,))


def _text(text: str) -> str:
    return html.escape(visible(text))


# JSON


def fleet_object(fleet: Fleet, figures: Figures, view: View) -> Object:
    """What `imgopt fleet --format json` prints."""
    root = fleet.repository.root
    return envelope(
        fleet.errors,
        directory=str(root),
        modules=[_module(fleet, figures, module.directory, view) for module in fleet.modules],
        **{f"{_KEYS[release]}_bytes": _by_column(figures, release) for release in RELEASES},
        push=[_seconds(figures, each) for each in sorted(fleet.options.bandwidths)],
        shares_base_now=figures.shares_base_now,
        actions=[
            {
                "name": action.name,
                "command": said_of(action, fleet, view.directory)[1],
                "images": action.images,
                "first_push_bytes": action.first,
                "bump_push_bytes": action.bump,
                "basis": action.basis,
                "complete": action.complete,
            }
            for action in figures.actions
        ],
        plan={
            "file": str(fleet.plan_path),
            "kept": fleet.plan.kept,
            "groups": {name: list(artifacts) for name, artifacts in fleet.plan.groups.items()},
            "distance": {_KEYS[release]: _rounded(figures.distance[release]) for release in RELEASES},
        },
        layers=_layers(fleet),
        drift=[
            {
                "artifact": each.artifact,
                "versions": dict(each.versions),
                "bytes": each.bytes,
            }
            for each in figures.drift
        ],
        bases=None
        if figures.bases is None
        else {"images": dict(figures.bases.names), "more_bytes": figures.bases.bytes},
        limits=[
            {
                "path": path,
                "line": limit.line,
                "text": limit.text,
                "seconds": limit.seconds,
                "images": limit.images,
                "first_push_s": _rounded(limit.first[0]),
                "long_enough": limit.long_enough,
            }
            for path, limit in figures.limits
        ],
        left_out=[
            {"what": each.what, "why": each.why, "module": each.module} for each in fleet.found.left_out
        ],
        warnings=[*caveats(fleet, figures), *fleet.repository.remarks],
        bandwidth_source=fleet.options.bandwidth_source,
    )


def _layers(fleet: Fleet) -> list[Object]:
    """The blobs of all images, as the plan or else the rewrite has them, each once with the modules that have it."""
    there: dict[Any, tuple[Blob, list[str]]] = {}
    for weighed in fleet.images:
        for blob in once(weighed.best):
            there.setdefault(blob.key, (blob, []))[1].append(weighed.image.module.directory)
    return [
        {
            "instruction": blob.instruction,
            "bytes": blob.bytes,
            "basis": blob.basis,
            "from_base": blob.from_base,
            "modules": modules,
        }
        for blob, modules in there.values()
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _by_column(figures: Figures, release: Release) -> Object:
    return {column: sum_object(figures.sums[release, column]) for column in COLUMNS}


def sum_object(each: Sum) -> Object:
    return {"bytes": each.value, "basis": each.basis, "complete": each.complete}


def _seconds(figures: Figures, bandwidth: int) -> Object:
    found: dict[str, Any] = {"bandwidth_bytes_per_s": bandwidth}
    for release in RELEASES:
        sums = {column: figures.sums[release, column].value for column in COLUMNS}
        found[f"{_KEYS[release]}_s"] = {
            column: None if value is None else round(value / bandwidth, 1) for column, value in sums.items()
        }
    return found


def _module(fleet: Fleet, figures: Figures, directory: str, view: View) -> Object:
    module = fleet.repository.by_directory(directory)
    assert module is not None
    row = next((each for each in figures.rows if each.weighed.image.module.directory == directory), None)
    return {
        "name": module.name,
        "directory": module.directory,
        "build_file": module.build_file,
        "tool": module.tool,
        "profile": module.profile,
        "problem": module.problem,
        "needs": sorted(module.needs),
        "image": None if row is None else _image(fleet, row),
        "budget": (view.budgets or {}).get(directory),
    }


def _image(fleet: Fleet, row: Row) -> Object:
    weighed = row.weighed
    image, jar = weighed.image, weighed.jar
    told = per_image(weighed)
    steps: tuple[Column, ...] = ("now", "after", "planned")
    return {
        "dockerfile": str(image.dockerfile),
        "context": weighed.report.context,
        "build_args": dict(image.args),
        "target": image.target,
        "names": list(image.names),
        "source": image.source,
        "by": image.by,
        "platforms": list(weighed.report.platforms or (weighed.report.platform,)),
        "archive": None
        if jar is None
        else {
            "path": jar.path,
            "bytes": jar.bytes,
            "spring_boot": jar.spring_boot,
            "libraries": len(jar.libraries),
        },
        "shared_bytes": row.shared,
        "own_bytes": row.own,
        "findings": len(weighed.report.findings),
        "rewritten": weighed.report.rewrite.changed,
        "unplanned": weighed.unplanned,
        **{
            f"{_KEYS[release]}_bytes": {column: sum_object(told(release, column)) for column in steps}
            for release in RELEASES
        },
    }
