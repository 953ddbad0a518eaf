"""One self-contained HTML file about an image: layers as bars, files as a treemap, waste as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.inspection.history import shown_command
from imgopt.inspection.places import NAMES, WHATS, What
from imgopt.report.inspect import COMPRESSED_HERE, _facts, _headline, holds, size, why
from imgopt.report.page import bars, document, figure, layer_legend, layer_part, legend, rows, text
from imgopt.report.tree import Box, Branch, boxes, branches, inside_of
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.inspection.image import Contents, Inspection

COLOURS: dict[What, str] = {
    "application": "#c2410c",
    "libraries": "#e9a23b",
    "jdk": "#3b6fb6",
    "jre": "#7fb2e5",
    "build-tools": "#8a4fbf",
    "package-cache": "#c2334d",
    "documentation": "#a3a380",
    "other": "#c3c8cd",
}
_WIDTH, _HEIGHT = 1160, 640
_LEVELS = 9
#: Smaller files of one directory are drawn as one: a page of fifty thousand rectangles opens nowhere.
_MOST_BOXES = 4000


def page(found: Inspection) -> str:
    body = [
        f"<h1>{text(found.target)}</h1>",
        f"<p>{text(_headline(found))}</p>",
        f'<p class="dim">{text(found.platform)}, {text(_facts(found))}</p>',
        "<h2>Layers</h2>",
        *_layer_chart(found),
        _layer_table(found),
    ]
    if found.contents is not None:
        body += ["<h2>Files</h2>", *_files(found.contents), *_waste(found.contents)]
        body += _jars(found.contents)
    notes = [*found.notes, *([COMPRESSED_HERE] if found.compressed_here else [])]
    body += [f'<p class="dim">{text(note)}</p>' for note in notes]
    return document(f"imgopt inspect: {found.target}", body)


def _layer_chart(found: Inspection) -> list[str]:
    parts = [
        layer_part(
            f"layer {layer.number}", layer.compressed_bytes, base=False, changes=layer.changes_each_release
        )
        for layer in found.layers
        if layer.compressed_bytes is not None
    ]
    return [
        figure(
            "Layers, the lowest first, by their compressed bytes",
            bars(parts, sum(count for _, count, _ in parts), "Layers"),
        ),
        layer_legend(parts),
    ]


def _layer_table(found: Inspection) -> str:
    return rows(
        ["layer", "command", "compressed", "unpacked", "holds"],
        [
            [
                str(layer.number),
                f"<code>{text(shown_command(layer.command)[:400])}</code>",
                size(layer.compressed_bytes),
                size(layer.uncompressed_bytes),
                text(", ".join(holds(layer))),
            ]
            for layer in found.layers
        ],
        (2, 3),
        "Layers of the image",
    )


def _files(contents: Contents) -> list[str]:
    root = branches(contents.files, _LEVELS, inside=inside_of(contents))
    if root is None or not root.bytes:
        return ['<p class="dim">The image holds no bytes.</p>']
    drawn = sorted(boxes(root, _WIDTH, _HEIGHT), key=lambda box: -box.branch.bytes)[:_MOST_BOXES]
    drawn.sort(key=lambda box: box.depth)
    shown = "".join(_box(box, contents) for box in drawn)
    label = f"Files by size, {megabytes(root.bytes)} unpacked: the larger a file, the larger its area"
    picture = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" aria-label="{label}">{shown}</svg>'
    )
    sums = sums_by_what(root, contents)
    meanings = [(COLOURS[what], f"{NAMES[what]} {megabytes(sums[what])}") for what in WHATS if sums.get(what)]
    return [
        figure(f"{label}; what is in several layers is drawn as it is seen in the end", picture),
        legend(meanings),
    ]


def sums_by_what(root: Branch, contents: Contents) -> dict[What, int]:
    """Bytes of the files that the map is drawn of, by what it colours them as."""
    sums: dict[What, int] = {}
    stack = [root]
    while stack:
        branch = stack.pop()
        stack += branch.below
        if not branch.below:
            what = _what(branch, contents)
            sums[what] = sums.get(what, 0) + branch.bytes
    return sums


def _what(branch: Branch, contents: Contents) -> What:
    path = branch.path + "/x" if branch.directory else branch.path
    inside = "!/" in path and path.endswith(".jar")
    return "libraries" if inside else contents.places.what(path.partition("!/")[0])


def _box(box: Box, contents: Contents) -> str:
    branch = box.branch
    leaf = not branch.below
    fill = COLOURS[_what(branch, contents)] if leaf else ("#e9edf0", "#f6f8f9")[box.depth % 2]
    title = f"{branch.path}: {megabytes(branch.bytes)}" + (
        f", {branch.files} files" if branch.directory else ""
    )
    drawn = (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{max(0.0, box.width - 1):.1f}" '
        f'height="{max(0.0, box.height - 1):.1f}" fill="{fill}" stroke="#ffffff" stroke-width="0.5">'
        f"<title>{text(title)}, layer {branch.layer + 1}</title></rect>"
    )
    if box.width > 46 and box.height > 15:
        name = branch.path.rpartition("/")[2] or "/"
        label = _fitted(f"{name} {megabytes(branch.bytes)}", box.width)
        colour = (
            "#16191c" if not leaf or fill not in ("#c2410c", "#3b6fb6", "#8a4fbf", "#c2334d") else "#ffffff"
        )
        drawn += (
            f'<text x="{box.x + 4:.1f}" y="{box.y + 12:.1f}" font-size="11" font-family="sans-serif" '
            f'fill="{colour}" pointer-events="none">{text(label)}</text>'
        )
    return drawn


def _fitted(label: str, width: float) -> str:
    room = int((width - 8) / 6.2)
    return label if len(label) <= room else label[: max(1, room - 1)] + "…"


def _waste(contents: Contents) -> list[str]:
    if not contents.wasted_bytes:
        return ["<h2>Waste</h2>", '<p class="dim">None: no file is stored twice or removed later.</p>']
    lines = [
        [f"<code>{text(each.path)}</code>", text(why(each)), megabytes(each.bytes)]
        for each in contents.wasted[:100]
    ]
    return [
        "<h2>Waste</h2>",
        f"<p>{megabytes(contents.wasted_bytes)} (unpacked) are stored and never seen.</p>",
        rows(["path", "why", "bytes"], lines, (2,), "Stored and never seen"),
    ]


def _jars(contents: Contents) -> list[str]:
    from imgopt.report.jar import largest_libraries

    parts = []
    for each in contents.jars:
        if each.jar is None:
            continue
        lines = [
            [f"<code>{text(library.file)}</code>", megabytes(library.bytes)]
            for library in largest_libraries(each.jar)[:15]
        ]
        parts += [
            f"<h2>{text(each.path)}: {megabytes(each.bytes)}, layer {each.layer + 1}</h2>",
            rows(
                [f"largest of {len(each.jar.libraries)} libraries", "in the jar"],
                lines,
                (1,),
                f"Largest libraries of {each.path}",
            ),
        ]
    return parts
