"""The HTML that reports are made of: a page, tables, bars, legends. One self-contained file each.

Colours stand in attributes of SVG and nothing is scripted: Jenkins shows artifacts without styles and scripts. A colour
means the same on every page, and nothing is said by a colour alone.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Sequence

from imgopt.report.layout import visible
from imgopt.units import megabytes

#: What becomes of a layer at a push; white text can be read on each of them.
BASE, SENT, STAYS, UNTOLD = "#55646f", "#c2410c", "#2f7a45", "#6b6f76"
LAYERS = {
    BASE: "base image: sent once",
    SENT: "sent with each release",
    STAYS: "keeps its digest: sent once",
    UNTOLD: "not known whether it changes",
}
#: Verdicts, on white and on black.
VERDICTS = {True: "#2b8a4b", False: "#da4654", None: "#a86c28"}

#: Should a text ever come through as a tag: nothing is run, and nothing is fetched from anywhere.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
)
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:1.5em auto;max-width:1160px;padding:0 1em;color:#1c2126;background:#fff}
h1{font-size:1.35em;margin:0 0 .2em}h2{font-size:1.15em;margin:1.8em 0 .5em}h3{font-size:1em;margin:1.2em 0 .3em}
h1,h2,h3,p,li,dd,caption,figcaption{overflow-wrap:anywhere}
p{margin:.3em 0}.dim{color:#545e67}.n,td.n,th.n{text-align:right;white-space:nowrap}
table{border-collapse:collapse;width:100%}caption{text-align:left;color:#545e67;padding:.25em 0}
td,th{padding:.25em .6em;border-bottom:1px solid #e3e7ea;text-align:left;vertical-align:top;font-weight:400}
thead th{font-weight:600}td code{word-break:break-all}td code.k,th code.k{word-break:normal;white-space:nowrap}
.wide{overflow-x:auto}pre{overflow-x:auto;font-size:13px}figure{margin:.4em 0}figcaption{margin:.3em 0 .1em}
ul.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1em 1.2em;margin:.4em 0;padding:0;font-size:13px}
ul.found{list-style:none;padding:0}ul.found>li{border-top:1px solid #e3e7ea;padding:.5em 0}
svg{display:block}ul.legend svg{display:inline-block;vertical-align:-1px;margin-right:.4em}
@media(max-width:600px){body{padding:0 .6em}td,th{padding:.25em .3em;font-size:13px}}
@media(prefers-color-scheme:dark){body{background:#14181b;color:#e6eaed}.dim,caption{color:#a3adb6}td,th,ul.found>li{border-color:#2c343a}}
"""


def text(words: str) -> str:
    return html.escape(visible(words))


def document(title: str, body: Iterable[str]) -> str:
    """A whole page: nothing is loaded from anywhere."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"{_POLICY}<style>{_STYLE}</style></head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body></html>\n"
    )


def rows(
    titles: Sequence[str],
    lines: Iterable[Sequence[str]],
    numbers: Collection[int],
    caption: str = "",
    named: int | None = 0,
) -> str:
    """A table; cells are HTML already, those of the columns ``numbers`` flush right. ``caption``: its name, as text;
    ``named``: the column that says what a row is about. What is wider than the window scrolls by itself."""

    def cell(words: str, column: int, scope: str) -> str:
        kind = ' class="n"' if column in numbers else ""
        if scope == "row" and column != named:
            return f"<td{kind}>{words}</td>"
        return f'<th scope="{scope}"{kind}>{words}</th>'

    head = "".join(
        cell(title, column, "col") if title else "<td></td>" for column, title in enumerate(titles)
    )
    body = "\n".join(
        f"<tr>{''.join(cell(words, column, 'row') for column, words in enumerate(line))}</tr>"
        for line in lines
    )
    name = f"<caption>{text(caption)}</caption>" if caption else ""
    label = f' role="region" aria-label="{text(caption)}" tabindex="0"' if caption else ""
    return f'<div class="wide"{label}><table>{name}<thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'


Part = tuple[str, int, str]


def bars(parts: Sequence[Part], whole: int, title: str) -> str:
    """One bar of parts side by side: label, bytes, colour. ``whole``: the bytes of the full width, the same for bars that
    are compared; ``title``: what the bar is of. At any width the lengths are in proportion."""
    drawn = []
    at = 0
    for label, count, colour in parts:
        if whole and count:
            drawn.append(
                f'<svg x="{100 * at / whole:.3f}%" y="0" width="{100 * count / whole:.3f}%" height="26">'
                f'<title>{text(label)}</title><rect width="100%" height="26" fill="{colour}" stroke="#ffffff" stroke-width="1"/>'
                f'<text x="6" y="18" font-size="12" font-family="sans-serif" fill="#ffffff">{text(label[:120])}</text></svg>'
            )
        at += count
    said = text(f"{title}: {'; '.join(label for label, _, _ in parts) or 'nothing known'}")
    return f'<svg width="100%" height="26" role="img" aria-label="{said}">{"".join(drawn)}</svg>'


def figure(caption: str, drawn: str) -> str:
    """``caption`` is HTML already."""
    return f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>"


def legend(colours: Iterable[tuple[str, str]], title: str = "What the colours mean") -> str:
    """Colour and what it means."""
    entries = "".join(
        f'<li><svg width="13" height="13" aria-hidden="true"><rect width="13" height="13" fill="{colour}"/></svg>{text(meaning)}</li>'
        for colour, meaning in colours
    )
    return f'<ul class="legend" aria-label="{text(title)}">{entries}</ul>' if entries else ""


def layer_legend(parts: Iterable[Part]) -> str:
    """Of the colours that bars of layers have."""
    used = {colour for _, _, colour in parts}
    return legend((colour, meaning) for colour, meaning in LAYERS.items() if colour in used)


def layer_part(command: str, count: int, *, base: bool, changes: bool | None) -> Part:
    """A layer in a bar."""
    colour = UNTOLD if changes is None else SENT if changes else BASE if base else STAYS
    return f"{megabytes(count)} {command}", count, colour


def plain(title: str, lines: Iterable[str]) -> str:
    """A page of a few sentences."""
    return document(
        title, [f"<h1>{text(title)}</h1>", *(f"<p>{text(each)}</p>" for each in lines if each.strip())]
    )
