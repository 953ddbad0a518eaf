"""What an image is made of: the text, Markdown and JSON of `imgopt inspect`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imgopt.inspection.history import shown_command
from imgopt.inspection.places import NAMES, WHATS
from imgopt.light.records import dataclass
from imgopt.report.figures import amount, plural
from imgopt.report.layout import Line, dim, head, line, table, tail, visible, wrapped
from imgopt.report.markdown import code, escaped, listed, markdown_table, prose
from imgopt.report.tree import Branch, branches, inside_of
from imgopt.units import megabytes
from imgopt.users import name_of

if TYPE_CHECKING:
    from imgopt.inspection.filesystem import Wasted
    from imgopt.inspection.image import InspectedJar, InspectedLayer, Inspection

#: Rows of the tables; -v shows all of them.
ROWS = 10
#: Said once where a layer had to be compressed to know what a registry would store.
COMPRESSED_HERE = (
    "compressed sizes: the source holds plain layers; they were compressed here as Docker's Engine does, and "
    "other builders' gzips differ: by up to 5 % on jars, more on classes"
)


@dataclass(frozen=True, slots=True)
class View:
    """How much is shown. ``depth``: of the tree, None for no tree; ``under``: where it starts."""

    width: int
    quiet: bool = False
    verbose: bool = False
    depth: int | None = None
    under: str = "/"


def size(count: int | None) -> str:
    return "unknown" if count is None else megabytes(count)


def percent(share: float) -> str:
    """An efficiency in percent, cut rather than rounded: 99.96 is not yet 100."""
    return f"{int(share * 1000 + 1e-9) / 10:.1f} %"


def text(found: Inspection, view: View) -> list[Line]:
    """Everything `imgopt inspect` says."""
    lines = [line((visible(found.target), "strong"), f"  {found.platform}")]
    lines += wrapped(_headline(found), view.width)
    if view.quiet:
        return lines
    lines += wrapped(_facts(found), view.width, style="dim")
    lines += _layers(found, view)
    if found.contents is not None:
        lines += _waste(found, view)
        lines += _jars(found, view)
    if view.depth is not None and found.contents is not None:
        lines += _tree(found, view)
    notes = [*found.notes, *([COMPRESSED_HERE] if found.compressed_here else [])]
    if found.contents is None:
        notes.append("only the manifest was read; --contents downloads the layers and looks into them")
    if notes:
        lines.append(())
        for note in notes:
            lines += wrapped(note, view.width, style="dim")
    return lines


def _headline(found: Inspection) -> str:
    said = f"{amount(found.compressed)} compressed"
    said += f", {amount(found.uncompressed)} unpacked, {plural(len(found.layers), 'layer')}"
    if found.contents is not None:
        said += f"; {megabytes(found.contents.wasted_bytes)} wasted, efficiency {percent(found.contents.efficiency)}"
    return said


def _facts(found: Inspection) -> str:
    named_root = found.root and name_of(found.user) not in ("", "0", "root")
    facts = [
        f"runs as {visible(found.user) or 'root'}"
        + (" (no USER)" if not found.user else " (which is root)" if named_root else "")
    ]
    if found.contents is not None:
        facts += [
            f"{'JDK' if home.jdk else 'Java runtime'} in {visible(home.path)}"
            for home in found.contents.homes
        ]
    if found.start:
        facts.append("starts " + head(visible(" ".join(found.start)), 60))
    return ", ".join(facts)


def _layers(found: Inspection, view: View) -> list[Line]:
    rows: list[list[Line | str]] = [["", dim("compressed"), dim("unpacked")]]
    room = view.width - 32
    for layer in found.layers:
        label = f"{layer.number:>2} {visible(shown_command(layer.command))}"
        rows.append([head(label, room), size(layer.compressed_bytes), size(layer.uncompressed_bytes)])
    lines: list[Line] = [(), line(("Layers", "strong"))]
    shown = table(rows)
    lines.append(shown[0])
    for layer, row in zip(found.layers, shown[1:], strict=True):
        lines.append(row)
        inside = ", ".join(holds(layer, most=3))
        if inside:
            lines += wrapped(inside, view.width, first=line("     "), indent=5, style="dim")
        if view.verbose:
            files: list[list[Line | str]] = [
                [dim(tail(visible(path), view.width - 24)), dim(megabytes(count))]
                for path, count in layer.largest
                if count
            ]
            lines += table(files, indent=7)
    return lines


def holds(layer: InspectedLayer, most: int | None = None) -> list[str]:
    """``JDK 271.3 MB`` for each sort of thing in a layer that weighs something, most first; what nobody sees last."""
    weighty = [each for each in layer.holds if each.bytes >= 50_000]
    named = [each for each in weighty if each.what != "other"] or weighty
    said = [f"{NAMES[each.what]} {megabytes(each.bytes)}" for each in named[:most]]
    if layer.wasted_bytes:
        said.append(f"{megabytes(layer.wasted_bytes)} wasted")
    return said


def _waste(found: Inspection, view: View) -> list[Line]:
    contents = found.contents
    assert contents is not None
    if not contents.wasted_bytes:
        return [(), line(("Waste", "strong"), ("  none: no file is stored twice or removed later", "dim"))]
    title = f"  {megabytes(contents.wasted_bytes)} (unpacked) are stored and never seen"
    lines: list[Line] = [(), line(("Waste", "strong"), (title, "dim"))]
    count = len(contents.wasted) if view.verbose else ROWS
    rows: list[list[Line | str]] = []
    for each in contents.wasted[:count]:
        told = why(each)
        path = tail(visible(each.path), max(20, view.width - len(told) - 18))
        rows.append([path, dim(told), megabytes(each.bytes)])
    lines += table(rows, left=2)
    if len(contents.wasted) > count:
        rest = sum(each.bytes for each in contents.wasted[count:])
        more = f"and {len(contents.wasted) - count} more, {megabytes(rest)} (-v lists them)"
        lines.append(line("  ", (more, "dim")))
    return lines


def why(each: Wasted) -> str:
    """``layer 2, again in 3``, ``layer 2, removed in 4``."""
    *first, last = [layer + 1 for layer in each.layers]
    before = ", ".join(map(str, first)) or str(last)
    verb = "removed in" if each.removed else "again in"
    files = f" ({each.files} files)" if each.removed and each.files > 1 else ""
    return f"layer {before}, {verb} {last}{files}"


def _jars(found: Inspection, view: View) -> list[Line]:
    assert found.contents is not None
    lines: list[Line] = []
    for each in found.contents.jars:
        lines.append(())
        if each.jar is None:
            lines += wrapped(f"{each.path} is not a readable jar: {each.problem}", view.width)
            continue
        from imgopt.report import jar as report

        shown = report.text(each.jar, width=view.width, quiet=not view.verbose, verbose=False)
        lines += [(*shown[0], (f"  in layer {each.layer + 1}", "dim")), *shown[1:]]
        if not view.verbose:
            lines += wrapped(_largest(each), view.width, style="dim")
    return lines


def _largest(each: InspectedJar) -> str:
    from imgopt.report.jar import largest_libraries

    assert each.jar is not None
    libraries = largest_libraries(each.jar)
    if not libraries:
        return ""
    whole = sum(library.bytes for library in libraries)
    first = ", ".join(f"{library.file} {megabytes(library.bytes)}" for library in libraries[:3])
    return f"{plural(len(libraries), 'library').replace('librarys', 'libraries')}, {megabytes(whole)}: {first}, …"


def _tree(found: Inspection, view: View) -> list[Line]:
    assert found.contents is not None and view.depth is not None
    root = branches(found.contents.files, view.depth, view.under, inside_of(found.contents))
    lines: list[Line] = [(), line(("Files", "strong"), ("  as a container sees them, largest first", "dim"))]
    if root is None:
        return [*lines, *wrapped(f"there is no {view.under} in the image", view.width, first=line("  "))]
    rows: list[list[Line | str]] = []
    for indent, label, branch in tree_rows(root, None if view.verbose else ROWS):
        name = "  " * indent + visible(label)
        if branch is None:
            rows.append([dim(head(name, view.width - 24)), "", ""])
        else:
            rows.append(
                [head(name, view.width - 24), megabytes(branch.bytes), dim(f"layer {branch.layer + 1}")]
            )
    return [*lines, *table(rows)]


def tree_rows(root: Branch, most: int | None) -> Iterator[tuple[int, str, Branch | None]]:
    """Depth, label and branch of each row; a row without a branch says how much is not shown: with ``most``, what
    comes after so many of one directory, and what is less than a two hundredth of the whole."""
    yield 0, root.path, root
    yield from _below(root, 1, most, 0 if most is None else root.bytes // 200)


def _below(
    branch: Branch, depth: int, most: int | None, least: int
) -> Iterator[tuple[int, str, Branch | None]]:
    shown = [each for each in branch.below[:most] if each.bytes >= least]
    for each in shown:
        label = each.path[len(branch.path) :].lstrip("!/") + ("/" if each.directory else "")
        yield depth, label, each
        yield from _below(each, depth + 1, most, least)
    rest = branch.below[len(shown) :]
    held = sum(each.bytes for each in rest)
    if held:
        yield depth, f"{'and ' if shown else ''}{len(rest)} more, {megabytes(held)}", None


def markdown(found: Inspection, view: View) -> str:
    parts = [
        f"### {code(found.target)}: {_headline(found)}",
        escaped(f"{found.platform}, {_facts(found)}"),
        markdown_table(
            ["layer", "compressed", "unpacked", "holds"],
            [
                [
                    f"{layer.number} {code(head(shown_command(layer.command), 80))}",
                    size(layer.compressed_bytes),
                    size(layer.uncompressed_bytes),
                    escaped(", ".join(holds(layer, most=4)) or "nothing of note"),
                ]
                for layer in found.layers
            ],
        ),
    ]
    contents = found.contents
    if contents is not None and contents.wasted_bytes:
        rows = [
            [code(each.path), escaped(why(each)), megabytes(each.bytes)]
            for each in contents.wasted[: None if view.verbose else ROWS]
        ]
        parts.append(markdown_table(["wasted", "why", "unpacked"], rows, left=2))
    if contents is not None:
        jars = [each for each in contents.jars if each.jar is not None]
        told = [f"{code(each.path)} (layer {each.layer + 1}): {escaped(_largest(each))}" for each in jars]
        parts += listed("Jars", told)
    if contents is not None and view.depth is not None:
        root = branches(contents.files, view.depth, view.under, inside_of(contents))
        if root is not None:
            rows = [
                [f"{'&emsp;' * depth}{code(label)}", megabytes(branch.bytes), str(branch.layer + 1)]
                if branch is not None
                else [f"{'&emsp;' * depth}{escaped(label)}", "-", "-"]
                for depth, label, branch in tree_rows(root, ROWS)
            ]
            parts.append(markdown_table(["files", "bytes", "layer"], rows))
    notes = [*found.notes, *([COMPRESSED_HERE] if found.compressed_here else [])]
    parts += [f"<sub>{prose(note)}</sub>" for note in notes]
    return "\n\n".join(part for part in parts if part) + "\n"


def image_object(found: Inspection, view: View | None = None) -> dict[str, Any]:
    """What `imgopt inspect --format json` prints under ``image``."""
    contents = found.contents
    result: dict[str, Any] = {
        "target": found.target,
        "reference": found.reference,
        "id": found.id,
        "platform": found.platform,
        "user": found.user,
        "root": found.root,
        "compressed_bytes": found.compressed.value,
        "uncompressed_bytes": found.uncompressed.value,
        "complete": found.compressed.complete,
        "basis": found.compressed.basis,
        "uncompressed_basis": found.uncompressed.basis,
        "layers": [layer_object(layer) for layer in found.layers],
        "notes": list(found.notes),
        "contents": None,
    }
    if contents is None:
        return result
    from imgopt.report.json import jar_object

    result["contents"] = {
        "wasted_bytes": contents.wasted_bytes,
        "efficiency": round(contents.efficiency, 6),
        "dive": {"efficiency": round(contents.efficiency, 6), "wasted_bytes": contents.dives_wasted_bytes},
        "wasted": [
            {
                "path": each.path,
                "bytes": each.bytes,
                "files": each.files,
                "removed": each.removed,
                "layers": [layer + 1 for layer in each.layers],
            }
            for each in contents.wasted
        ],
        "java": [{"path": home.path, "jdk": home.jdk} for home in contents.homes],
        "stored": {what: contents.stored[what] for what in WHATS if what in contents.stored},
        "jars": [
            {
                "path": each.path,
                "layer": each.layer + 1,
                "bytes": each.bytes,
                "problem": each.problem,
                "jar": None if each.jar is None else jar_object(each.jar),
            }
            for each in contents.jars
        ],
    }
    if view is not None and view.depth is not None:
        root = branches(contents.files, view.depth, view.under, inside_of(contents))
        result["contents"]["tree"] = None if root is None else _branch_object(root)
    return result


def layer_object(layer: InspectedLayer) -> dict[str, Any]:
    return {
        "number": layer.number,
        "instruction": shown_command(layer.command) if layer.command else "",
        "diff_id": layer.diff_id,
        "digest": layer.digest,
        "compressed_bytes": layer.compressed_bytes,
        "uncompressed_bytes": layer.uncompressed_bytes,
        "basis": layer.basis,
        "compressed_here": layer.compressed_here,
        "changes_each_release": layer.changes_each_release,
        "files": layer.files,
        "wasted_bytes": layer.wasted_bytes,
        "holds": [{"what": each.what, "bytes": each.bytes, "files": each.files} for each in layer.holds],
        "largest": [{"path": path, "bytes": count} for path, count in layer.largest],
    }


def _branch_object(branch: Branch) -> dict[str, Any]:
    return {
        "path": branch.path,
        "bytes": branch.bytes,
        "files": branch.files,
        "layer": branch.layer + 1,
        "directory": branch.directory,
        "below": [_branch_object(each) for each in branch.below],
    }
