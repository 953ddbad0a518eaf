"""What a jar is made of: the text and Markdown of `imgopt jar`, and the figures that JSON shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from imgopt.light.records import dataclass
from imgopt.report.layout import Line, Style, dim, head, line, table, tail, visible, width_of, wrapped
from imgopt.report.markdown import code, escaped, listed, markdown_table, prose
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.java.model import Jar, Library
    from imgopt.java.natives import NativeLibrary

_KINDS = {
    "spring-boot": "Spring Boot jar",
    "spring-boot-war": "Spring Boot war",
    "shaded": "shaded jar: its libraries are merged into it",
    "quarkus-fast": "Quarkus fast jar",
    "quarkus-uber": "Quarkus uber jar",
    "thin": "thin jar: its libraries lie beside it",
    "war": "war for a servlet container",
    "library": "plain jar",
}
_VERDICTS = ("loads", "needs", "unknown", "fails")
_STYLES: dict[str, Style] = {"loads": "good", "needs": "warn", "unknown": "warn", "fails": "bad"}


@dataclass(frozen=True, slots=True)
class LayerSize:
    """``bytes`` as they lie in the jar, ``uncompressed_bytes`` as extracted."""

    name: str
    files: int
    bytes: int
    uncompressed_bytes: int


def layer_sizes(jar: Jar) -> tuple[LayerSize, ...]:
    """The layers in order, as extraction would write them; none for what is no Spring Boot archive."""
    if jar.kind not in ("spring-boot", "spring-boot-war"):
        return ()
    from imgopt.java.spring_boot import layered

    return tuple(
        LayerSize(
            name,
            len(entries),
            sum(entry.compressed_bytes for entry in entries),
            sum(entry.bytes for entry in entries),
        )
        for name, entries in layered(jar)
    )


def largest_libraries(jar: Jar) -> list[Library]:
    return sorted(jar.libraries, key=lambda library: (-library.bytes, library.path))


@dataclass(frozen=True, slots=True)
class OnMusl:
    """Whether the natives that one library has for one architecture load on musl (Alpine)."""

    library: str
    """The jar that holds them; for those that no jar inside holds: the file's name."""
    inside: bool
    """In a jar inside."""
    arch: str
    libc: str
    verdict: str
    packages: tuple[str, ...]
    may_crash: bool
    """It loads, but refers to symbols that musl does not have."""
    reasons: tuple[str, ...]
    """Why not all is well; none when it loads."""


def on_musl(natives: Iterable[NativeLibrary]) -> Iterator[OnMusl]:
    """One row for each library and architecture of Linux: the worst verdict of the files that musl would load."""
    groups: dict[tuple[str, str], list[NativeLibrary]] = {}
    of_linux = [native for native in natives if native.os == "linux" and native.musl_verdict is not None]
    glibc_file = {native.musl_twin: native for native in of_linux if native.musl_twin is not None}
    for native in of_linux:
        name = native.library or glibc_file.get(native.path, native).path.rpartition("/")[2]
        groups.setdefault((name, native.arch), []).append(native)
    for (name, arch), group in sorted(groups.items()):
        # a file for glibc whose musl twin lies beside it is not the one that Alpine loads
        loaded = [native for native in group if native.musl_twin is None] or group
        worst = max(loaded, key=lambda native: _VERDICTS.index(native.musl_verdict or "unknown"))
        libcs = "+".join(sorted({native.libc or "unknown" for native in group}))
        packages = tuple(dict.fromkeys(package for native in loaded for package in native.musl_packages))
        verdict = worst.musl_verdict or "unknown"
        bad = verdict in ("fails", "unknown")
        telling = [worst] if bad else [each for each in loaded if each.musl_packages or each.undefined]
        yield OnMusl(
            name,
            bool(group[0].library),
            arch,
            libcs,
            verdict,
            packages,
            may_crash=not bad and any(native.undefined for native in loaded),
            reasons=tuple(dict.fromkeys(native.musl_reason for native in telling)),
        )


def text(jar: Jar, *, width: int, quiet: bool, verbose: bool) -> list[Line]:
    """Everything `imgopt jar` says; ``verbose`` lists every library, ``quiet`` only the first lines."""
    lines = [line((visible(jar.path), "strong"), f"  {megabytes(jar.bytes)}")]
    lines += wrapped(", ".join(_facts(jar)), width)
    if quiet:
        return lines
    details = _details(jar)
    if details:
        lines += wrapped(", ".join(details), width, style="dim")
    layers = layer_sizes(jar)
    if layers:
        by = "as layers.idx says" if jar.layers_index is not None else "by path, it has no layers.idx"
        rows: list[list[Line | str]] = [["", dim("files"), dim("in the jar"), dim("unpacked")]]
        rows += [
            [
                visible(layer.name),
                str(layer.files),
                megabytes(layer.bytes),
                megabytes(layer.uncompressed_bytes),
            ]
            for layer in layers
        ]
        lines += [(), line(("Layers", "strong"), (f"  {by}", "dim")), *table(rows)]
    lines += _libraries(jar, width, 10 if not verbose else len(jar.libraries))
    lines += _duplicates(jar, width)
    lines += _natives(jar, width)
    notes = _problems(jar)
    if notes:
        lines += [(), line(("Problems", "warn"))]
        for note in notes:
            lines += wrapped(note, width, first=line("  "), indent=4)
    return lines


def _problems(jar: Jar) -> list[str]:
    return [*jar.problems, *(f"the entry name {name!r} leads out of the jar" for name in jar.unsafe_names)]


def _facts(jar: Jar) -> list[str]:
    from imgopt.java.spring_boot import java_needed

    facts = [_KINDS.get(jar.kind, jar.kind)]
    if jar.spring_boot:
        facts[0] = facts[0].replace("Spring Boot", f"Spring Boot {jar.spring_boot}")
        if "Spring Boot" not in facts[0]:
            facts.append(f"Spring Boot {jar.spring_boot}")
    needed = java_needed(jar)
    if needed is not None and needed[0] > (jar.java_major or 0):
        facts.append(f"needs Java {needed[0]} ({needed[1]})")
    elif jar.java_major:
        facts.append(f"Java {jar.java_major}")
    elif jar.java_hint:
        facts.append(f"Java {jar.java_hint} (by its manifest)")
    start = jar.start_class or jar.main_class
    if start:
        facts.append(start)
    return facts


def _details(jar: Jar) -> list[str]:
    details = []
    if jar.launcher:
        details.append(f"launcher {jar.launcher}")
    if jar.kind in ("spring-boot", "spring-boot-war"):
        details.append(f"jar mode {jar.jarmode}" if jar.jarmode else "no jar mode")
    if jar.launch_script:
        details.append("a start script in front")
    if jar.multi_release:
        details.append("multi-release")
    if jar.class_path:
        details.append(f"{len(jar.class_path)} files on its Class-Path")
    return details


def _libraries(jar: Jar, width: int, count: int) -> list[Line]:
    libraries = largest_libraries(jar)
    if not libraries:
        return []
    whole = sum(library.bytes for library in libraries)
    title = f"  {len(libraries)} in all" + (f", {megabytes(whole)}" if whole else "")
    lines: list[Line] = [(), line(("Largest libraries", "strong"), (title, "dim"))]
    rows: list[list[Line | str]] = []
    for library in libraries[:count]:
        size = megabytes(library.bytes) if library.bytes else ""
        rows.append([tail(visible(library.file), width - 14), size])
    lines += table(rows)
    if len(libraries) > count:
        rest = sum(library.bytes for library in libraries[count:])
        lines.append(
            line("  ", (f"and {len(libraries) - count} more, {megabytes(rest)} (-v lists them)", "dim"))
        )
    return lines


def _duplicates(jar: Jar, width: int) -> list[Line]:
    if not jar.duplicates:
        return []
    lines: list[Line] = [(), line(("Duplicates", "strong"))]
    for group in jar.duplicates:
        lines += wrapped(", ".join(library.file for library in group), width, first=line("  "), indent=4)
    return lines


#: The platforms that images are built for; what is there for others is only named.
_ARCHITECTURES = ("amd64", "arm64")


def _natives(jar: Jar, width: int) -> list[Line]:
    """A row for each library, with libc and verdict for each platform that images are built for."""
    if not jar.natives:
        return []
    rows = [row for row in on_musl(jar.natives) if row.arch in _ARCHITECTURES]
    lines: list[Line] = [
        (),
        line(("Native libraries", "strong"), ("  whether they load on musl (Alpine)", "dim")),
    ]
    cells_ = {(row.library, row.arch): row for row in rows}
    columns = [arch for arch in _ARCHITECTURES if any(row.arch == arch for row in rows)]
    figures: list[list[Line | str]] = [[dim(f"linux/{arch}") for arch in columns]]
    libraries = list(dict.fromkeys(row.library for row in rows))
    for library in libraries:
        figures.append([_on_musl_cell(cells_.get((library, arch))) for arch in columns])
    if rows:
        room = max(20, width - width_of(table(figures, left=3)[0]) - 2)
        # files of one jar often differ at the end of their names only
        inside = {row.library for row in rows if row.inside}
        labels: list[Line | str] = [
            "",
            *((head if library in inside else tail)(visible(library), room) for library in libraries),
        ]
        lines += table([[label, *row] for label, row in zip(labels, figures, strict=True)], left=3)
    reasons = {(row.library, reason) for row in rows for reason in row.reasons if reason}
    for library, reason in sorted(reasons):
        lines += wrapped(f"{library}: {reason}", width, first=line("  "), indent=4, style="dim")
    others = sorted(
        {f"{native.os}/{native.arch}" for native in jar.natives} - {f"linux/{arch}" for arch in columns}
    )
    if others:
        lines += wrapped(f"and for {', '.join(others)}", width, first=line("  "), indent=4, style="dim")
    return lines


def _on_musl_cell(row: OnMusl | None) -> Line:
    if row is None:
        return dim("-")
    if row.verdict == "needs":
        verdict = "needs packages"
    elif row.may_crash:
        verdict = "may crash"
    else:
        verdict = row.verdict
    return (f"{row.libc}, ", ""), (verdict, "warn" if row.may_crash else _STYLES[row.verdict])


def _verdict(row: OnMusl) -> str:
    verdict = f"needs {' '.join(row.packages)}" if row.verdict == "needs" else row.verdict
    return f"{verdict}, may crash" if row.may_crash else verdict


def markdown(jar: Jar) -> str:
    parts = [
        f"### {code(jar.path)}: {megabytes(jar.bytes)}",
        escaped(", ".join([*_facts(jar), *_details(jar)])),
    ]
    layers = layer_sizes(jar)
    if layers:
        rows = [
            [code(layer.name), str(layer.files), megabytes(layer.bytes), megabytes(layer.uncompressed_bytes)]
            for layer in layers
        ]
        parts.append(markdown_table(["layer", "files", "in the jar", "unpacked"], rows))
    libraries = largest_libraries(jar)
    if libraries:
        rows = [[code(library.file), megabytes(library.bytes)] for library in libraries[:10]]
        parts.append(markdown_table([f"largest of {len(libraries)} libraries", "in the jar"], rows))
    natives = [row for row in on_musl(jar.natives) if row.arch in _ARCHITECTURES]
    if natives:
        rows = [[code(row.library), row.arch, row.libc, escaped(_verdict(row))] for row in natives]
        parts.append(markdown_table(["native library", "arch", "libc", "on musl (Alpine)"], rows))
    parts += listed(
        "Duplicates", [", ".join(code(library.file) for library in group) for group in jar.duplicates]
    )
    parts += listed("Problems", [prose(problem) for problem in _problems(jar)])
    return "\n\n".join(parts) + "\n"
