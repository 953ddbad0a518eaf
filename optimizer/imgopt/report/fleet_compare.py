"""What `imgopt fleet compare` built and started: a row for each module, and all images together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from imgopt.errors import ImgoptError, MeasureError
from imgopt.light.records import dataclass
from imgopt.report.figures import plural
from imgopt.report.json import Object, envelope, error_object
from imgopt.report.layout import Line, Style, line, table, visible, wrapped
from imgopt.report.markdown import code, escaped, markdown_table
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.comparison.compare import Comparison
    from imgopt.comparison.measure import MeasuredImage
    from imgopt.comparison.mended import Mended

Verdict = Literal["alike", "differs", "not seen", "mended", "nothing to compare", "failed"]
_STYLES: dict[Verdict, Style] = {
    "alike": "good",
    "mended": "good",
    "differs": "bad",
    "failed": "bad",
    "not seen": "warn",
    "nothing to compare": "dim",
}


@dataclass(frozen=True)
class Compared:
    """One module: what was built and started of it; without that and without an error there is no safe fix to compare."""

    module: str
    dockerfile: str
    found: Comparison | Mended | None = None
    error: ImgoptError | None = None

    @property
    def comparison(self) -> Comparison | None:
        """Where both were built."""
        from imgopt.comparison.compare import Comparison

        return self.found if isinstance(self.found, Comparison) else None

    @property
    def verdict(self) -> Verdict:
        if self.error is not None:
            return "failed"
        if self.found is None:
            return "nothing to compare"
        if self.comparison is None:
            return "mended" if self.exit_code == 0 else "not seen"
        return (
            "not seen" if self.comparison.alike is None else "alike" if self.comparison.alike else "differs"
        )

    @property
    def exit_code(self) -> int:
        from imgopt.comparison.mended import Mended

        if self.error is not None:
            return self.error.exit_code
        if isinstance(self.found, Mended):
            return self.found.exit_code
        if self.comparison is None:
            return 0
        return MeasureError.exit_code if self.comparison.alike is None else 0 if self.comparison.alike else 1


def _once(images: Sequence[MeasuredImage]) -> int | None:
    """Compressed bytes of all images' layers, each once; None where one is not known, or where there is no image."""
    layers = {layer.diff_id: layer.compressed_bytes for image in images for layer in image.layers}
    sizes = list(layers.values())
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def _together(found: Sequence[Compared]) -> tuple[int | None, int | None]:
    both = [each.comparison for each in found if each.comparison is not None]
    return _once([each.before for each in both]), _once([each.after for each in both])


def _later(each: Comparison) -> tuple[int | None, int | None]:
    """What a registry with the first release needs of the next one."""
    release = each.next_release
    if release is None or release.before is None or release.after is None:
        return None, None
    return release.before.compressed_bytes, release.after.compressed_bytes


def _bytes(value: int | None) -> str:
    return "unknown" if value is None else megabytes(value)


def _rows(found: Sequence[Compared]) -> list[list[str]]:
    rows = []
    for each in found:
        sizes: tuple[int | None, ...] = (None, None, None, None)
        if each.comparison is not None:
            of = each.comparison
            sizes = (of.before.compressed.value, of.after.compressed.value, *_later(of))
        rows.append([each.module, *map(_bytes, sizes), each.verdict])
    return rows


_HEADS = ["module", "image", "rewritten", "next release", "rewritten", "behaviour"]


def _with_next(found: Sequence[Compared]) -> bool:
    return any(each.comparison is not None and each.comparison.next_release is not None for each in found)


def _shown(found: Sequence[Compared]) -> tuple[list[str], list[list[str]]]:
    keep = [0, 1, 2, *([3, 4] if _with_next(found) else []), 5]
    return [_HEADS[at] for at in keep], [[row[at] for at in keep] for row in _rows(found)]


def _headline(found: Sequence[Compared]) -> str:
    if not found:
        return "no image is made anew"
    counts = [(verdict, sum(each.verdict == verdict for each in found)) for verdict in _STYLES]
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    return f"{plural(len(found), 'image')}: {told}"


def _sums(found: Sequence[Compared]) -> str:
    before, after = _together(found)
    if before is None or after is None:
        return ""
    both = sum(each.comparison is not None for each in found)
    return f"{both} together, each layer once: {megabytes(before)} before, {megabytes(after)} rewritten (measured)"


def text(found: Sequence[Compared]) -> list[Line]:
    heads, rows = _shown(found)
    lines: list[Line] = []
    if rows:
        styled: list[list[Line | str]] = [[visible(cell) for cell in heads]]
        for each, row in zip(found, rows, strict=True):
            styled.append([*map(visible, row[:-1]), line((row[-1], _STYLES[each.verdict]))])
        lines += [*table(styled, indent=0), ()]
    if sums := _sums(found):
        lines += wrapped(sums, 100)
    for each in found:
        if each.error is not None:
            lines += wrapped(f"{each.module}: {each.error.message}", 100, indent=2)
    bad = any(each.exit_code for each in found)
    return [*lines, line((_headline(found), "bad" if bad else "good"))]


def markdown(found: Sequence[Compared]) -> str:
    heads, rows = _shown(found)
    parts = ["<!-- imgopt: fleet compare -->", f"### imgopt fleet: {escaped(_headline(found))}"]
    if rows:
        cells = [[code(row[0]), *map(escaped, row[1:])] for row in rows]
        parts.append(markdown_table(heads, cells, left=1))
    if sums := _sums(found):
        parts.append(escaped(sums))
    failed = [
        f"- {code(each.module)}: {escaped(each.error.message)}" for each in found if each.error is not None
    ]
    return "\n\n".join([*parts, *(["\n".join(failed)] if failed else [])]) + "\n"


def compared_object(found: Sequence[Compared]) -> Object:
    from imgopt.comparison.mended import Mended
    from imgopt.report.comparison_json import comparison_object
    from imgopt.report.mended import json_object

    before, after = _together(found)
    modules = []
    for each in found:
        told: Object | None = None
        if each.comparison is not None:
            told = comparison_object(each.comparison)
        elif isinstance(each.found, Mended):
            told = json_object(each.found)
        modules.append(
            {
                "module": each.module,
                "dockerfile": each.dockerfile,
                "verdict": each.verdict,
                "error": None if each.error is None else error_object(each.error),
                "comparison": told,
            }
        )
    errors = [each.error for each in found if each.error is not None]
    return envelope(
        errors,
        modules=modules,
        together={
            "first_push_bytes": {
                "before": before,
                "after": after,
                "basis": "measured" if before is not None else "unknown",
            }
        },
    )
