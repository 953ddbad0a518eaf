"""One self-contained HTML file about an image: layers as bars, files as a treemap, waste as a table.

Colours stand in attributes of SVG and nothing is scripted: Jenkins shows artifacts without styles and scripts.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from imgopt.inspection.history import shown_command
from imgopt.inspection.places import NAMES, WHATS, What
from imgopt.report.inspect import COMPRESSED_HERE, _facts, _headline, holds, size, why
from imgopt.report.layout import visible
from imgopt.report.tree import Box, boxes, branches, inside_of
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.inspection.image import Contents, Inspection

COLOURS: dict[What, str] = {
    "application": "#d9480f",
    "libraries": "#e9a23b",
    "jdk": "#3b6fb6",
    "jre": "#7fb2e5",
    "build-tools": "#8a4fbf",
    "package-cache": "#c2334d",
    "documentation": "#a3a380",
    "other": "#a9bab0",
}
_WIDTH, _HEIGHT = 1160, 640
_LEVELS = 9
#: Smaller files of one directory are drawn as one: a page of fifty thousand rectangles opens nowhere.
_MOST_BOXES = 4000
#: Should a text ever come through as a tag: nothing is run, and nothing is fetched from anywhere.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
)
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1160px;padding:0 1em;color:#1c2126;background:#fff}
h1{font-size:1.35em;margin:0 0 .2em}h2{font-size:1.1em;margin:1.8em 0 .5em}
p{margin:.3em 0}.dim{color:#5c6670}
table{border-collapse:collapse;width:100%}td,th{padding:.25em .6em;border-bottom:1px solid #e3e7ea;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}td code{word-break:break-all}td code.k{word-break:normal;white-space:nowrap}
svg{width:100%;height:auto;display:block}
@media(prefers-color-scheme:dark){body{background:#14181b;color:#e6eaed}.dim{color:#9aa5ae}td,th{border-color:#2c343a}}
"""


def page(found: Inspection) -> str:
    body = [
        f"<h1>{_text(found.target)}</h1>",
        f"<p>{_text(_headline(found))}</p>",
        f'<p class="dim">{_text(found.platform)}, {_text(_facts(found))}</p>',
        "<h2>Layers</h2>",
        _layer_chart(found),
        _layer_table(found),
    ]
    if found.contents is not None:
        body += ["<h2>Files</h2>", _legend(found.contents), _treemap(found.contents), *_waste(found.contents)]
        body += _jars(found.contents)
    notes = [*found.notes, *([COMPRESSED_HERE] if found.compressed_here else [])]
    body += [f'<p class="dim">{_text(note)}</p>' for note in notes]
    return document(f"imgopt inspect: {found.target}", body)


def document(title: str, body: Iterable[str]) -> str:
    """A whole page: nothing is loaded from anywhere."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width">{_POLICY}<style>{_STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def rows(titles: Sequence[str], lines: Iterable[Sequence[str]], numbers: Sequence[int]) -> str:
    """A table; cells are HTML already, those of the columns ``numbers`` flush right."""

    def row(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f'<{tag} class="n">{cell}</{tag}>' if column in numbers else f"<{tag}>{cell}</{tag}>"
            for column, cell in enumerate(cells)
        )

    shown = "\n".join(f"<tr>{row(cells, 'td')}</tr>" for cells in lines)
    return f"<table><tr>{row(titles, 'th')}</tr>\n{shown}</table>"


def bars(parts: Sequence[tuple[str, int, str]], whole: int, width: int = _WIDTH) -> str:
    """One bar of parts side by side: label (as a tooltip), bytes, colour."""
    drawn = []
    at = 0.0
    for label, count, colour in parts:
        long = width * count / whole if whole else 0.0
        drawn.append(
            f'<rect x="{at:.1f}" y="0" width="{max(0.0, long - 1):.1f}" height="26" fill="{colour}">'
            f"<title>{_text(label)}</title></rect>"
        )
        if long > 80:
            drawn.append(
                f'<text x="{at + 6:.1f}" y="18" font-size="12" fill="#fff">{_text(_fitted(label, long))}</text>'
            )
        at += long
    return f'<svg viewBox="0 0 {width} 26" role="img">{"".join(drawn)}</svg>'


def _layer_chart(found: Inspection) -> str:
    shades = ("#2f5d8c", "#4a7fb5", "#6b8f3c", "#8fae57", "#b5762f", "#7a5195")
    parts = [
        (
            f"{layer.number}: {megabytes(layer.compressed_bytes)}",
            layer.compressed_bytes,
            shades[at % len(shades)],
        )
        for at, layer in enumerate(found.layers)
        if layer.compressed_bytes is not None
    ]
    return bars(parts, sum(count for _, count, _ in parts))


def _layer_table(found: Inspection) -> str:
    return rows(
        ["", "command", "compressed", "unpacked", "holds"],
        [
            [
                str(layer.number),
                f"<code>{_text(shown_command(layer.command)[:400])}</code>",
                size(layer.compressed_bytes),
                size(layer.uncompressed_bytes),
                _text(", ".join(holds(layer))),
            ]
            for layer in found.layers
        ],
        (2, 3),
    )


def _legend(contents: Contents) -> str:
    used = [what for what in WHATS if contents.stored.get(what)]
    parts = []
    at = 0
    for what in used:
        label = f"{NAMES[what]} {megabytes(contents.stored[what])}"
        parts.append(
            f'<rect x="{at}" y="3" width="13" height="13" fill="{COLOURS[what]}"/>'
            f'<text x="{at + 18}" y="14" font-size="12" fill="#7a858e">{_text(label)}</text>'
        )
        at += 40 + 7 * len(label)
    return f'<svg viewBox="0 0 {max(_WIDTH, at)} 20">{"".join(parts)}</svg>'


def _treemap(contents: Contents) -> str:
    root = branches(contents.files, _LEVELS, inside=inside_of(contents))
    if root is None or not root.bytes:
        return '<p class="dim">The image holds no bytes.</p>'
    drawn = sorted(boxes(root, _WIDTH, _HEIGHT), key=lambda box: -box.branch.bytes)[:_MOST_BOXES]
    drawn.sort(key=lambda box: box.depth)
    shown = "".join(_box(box, contents) for box in drawn)
    label = "Files by size; the area of each is in proportion to its bytes"
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{shown}</svg>'


def _box(box: Box, contents: Contents) -> str:
    branch = box.branch
    leaf = not branch.below
    path = branch.path + "/x" if branch.directory else branch.path
    inside = "!/" in path and path.endswith(".jar")
    fill = (
        COLOURS["libraries" if inside else contents.places.what(path.partition("!/")[0])]
        if leaf
        else ("#e9edf0", "#f6f8f9")[box.depth % 2]
    )
    title = f"{branch.path}: {megabytes(branch.bytes)}" + (
        f", {branch.files} files" if branch.directory else ""
    )
    drawn = (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{max(0.0, box.width - 1):.1f}" '
        f'height="{max(0.0, box.height - 1):.1f}" fill="{fill}" stroke="#ffffff" stroke-width="0.5">'
        f"<title>{_text(title)}, layer {branch.layer + 1}</title></rect>"
    )
    if box.width > 46 and box.height > 15:
        name = branch.path.rpartition("/")[2] or "/"
        label = _fitted(f"{name} {megabytes(branch.bytes)}", box.width)
        colour = (
            "#16191c" if not leaf or fill not in ("#d9480f", "#3b6fb6", "#8a4fbf", "#c2334d") else "#ffffff"
        )
        drawn += (
            f'<text x="{box.x + 4:.1f}" y="{box.y + 12:.1f}" font-size="11" font-family="sans-serif" '
            f'fill="{colour}" pointer-events="none">{_text(label)}</text>'
        )
    return drawn


def _fitted(label: str, width: float) -> str:
    room = int((width - 8) / 6.2)
    return label if len(label) <= room else label[: max(1, room - 1)] + "…"


def _waste(contents: Contents) -> list[str]:
    if not contents.wasted_bytes:
        return ["<h2>Waste</h2>", '<p class="dim">None: no file is stored twice or removed later.</p>']
    lines = [
        [f"<code>{_text(each.path)}</code>", _text(why(each)), megabytes(each.bytes)]
        for each in contents.wasted[:100]
    ]
    return [
        "<h2>Waste</h2>",
        f"<p>{megabytes(contents.wasted_bytes)} (unpacked) are stored and never seen.</p>",
        rows(["path", "", "bytes"], lines, (2,)),
    ]


def _jars(contents: Contents) -> list[str]:
    from imgopt.report.jar import largest_libraries

    parts = []
    for each in contents.jars:
        if each.jar is None:
            continue
        lines = [
            [f"<code>{_text(library.file)}</code>", megabytes(library.bytes)]
            for library in largest_libraries(each.jar)[:15]
        ]
        parts += [
            f"<h2>{_text(each.path)}: {megabytes(each.bytes)}, layer {each.layer + 1}</h2>",
            rows([f"largest of {len(each.jar.libraries)} libraries", "in the jar"], lines, (1,)),
        ]
    return parts


def _text(text: str) -> str:
    return html.escape(visible(text))
