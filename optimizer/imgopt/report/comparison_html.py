"""What `imgopt compare` measured as one self-contained HTML file: both images, what differs, the change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.report.comparison import (
    VERDICTS,
    figures_of,
    marked,
    notes_of_comparison,
    pushed_rows,
    saved_with_share,
)
from imgopt.report.diff import unified
from imgopt.report.page import VERDICTS as COLOURS
from imgopt.report.page import bars, document, figure, layer_legend, layer_part, rows, text
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.comparison.compare import Comparison
    from imgopt.comparison.measure import MeasuredImage
    from imgopt.report.page import Part


def page(found: Comparison) -> str:
    colour = COLOURS[found.alike]
    body = [
        f"<h1>imgopt compare: {text(found.file.path)}</h1>",
        f"<p>Built with {text(found.engine_description)} for {text(found.before.platform)}; original and rewrite "
        f'<strong style="color:{colour}">{text(VERDICTS[found.behaviour.verdict].replace("**", ""))}</strong>.</p>',
        *_sizes(found),
    ]
    bases = [f"<code>{text(image.base)}</code>" for image in (found.before, found.after)]
    lines = [["base image", *bases, "-"]]
    lines += [
        [each.label, each.row.before, each.row.after, saved_with_share(each)] for each in figures_of(found)
    ]
    body.append(rows(["", "before", "after", "saved"], lines, (1, 2, 3), "Measured"))
    body += _checks(found)
    if found.pushed is not None:
        titles = ["push", "sent", "predicted", "took", "predicted", "at"]
        caption = f"Pushed to {found.pushed.repository}"
        lines = [[text(cell) for cell in row] for row in pushed_rows(found)]
        body += ["<h2>Pushes</h2>", rows(titles, lines, range(1, 6), caption)]
    if notes := notes_of_comparison(found):
        entries = "".join(f"<li>{text(each)}</li>" for each in notes)
        body.append(f"<h2>Notes on these figures</h2>\n<ul>{entries}</ul>")
    shown = unified(found.file.original, found.file.rewrite.text, found.file.path)
    change = "\n".join(text(row) for row in shown.split("\n"))
    body.append(f'<h2>The change</h2>\n<pre tabindex="0" aria-label="The change of the file">{change}</pre>')
    return document(f"imgopt compare: {found.file.path}", body)


def _sizes(found: Comparison) -> list[str]:
    sides = [("before", found.before, _parts(found.before)), ("after", found.after, _parts(found.after))]
    widest = max(sum(count for _, count, _ in parts) for _, _, parts in sides)
    drawn = []
    for name, image, parts in sides:
        whole = image.compressed
        said = "unknown" if whole.value is None else megabytes(whole.value)
        caption = f"<strong>{name}</strong>: {'' if whole.complete else 'at least '}{said}"
        drawn.append(figure(caption, bars(parts, widest, f"Layers {name}")))
    return [*drawn, layer_legend([part for _, _, parts in sides for part in parts])]


def _parts(image: MeasuredImage) -> list[Part]:
    return [
        layer_part(
            layer.instruction or layer.diff_id,
            layer.compressed_bytes,
            base=layer.from_base,
            changes=False if layer.from_base else layer.changes,
        )
        for layer in image.layers
        if layer.compressed_bytes is not None
    ]


def _checks(found: Comparison) -> list[str]:
    lines = [[text(cell) for cell in marked(each)] for each in found.behaviour.checks]
    if not lines:
        return []
    order = ("differs", "unknown")
    lines.sort(key=lambda cells: order.index(cells[1]) if cells[1] in order else len(order))
    titles = ["check", "verdict", "before", "after", "why"]
    return ["<h2>Behaviour</h2>", rows(titles, lines, (), "What was compared")]
