"""What `imgopt jar` says about native libraries on musl."""

from __future__ import annotations

from imgopt.java.natives import NativeLibrary
from imgopt.report.jar import OnMusl, _on_musl_cell, _verdict, on_musl


def native(
    path: str,
    verdict: str,
    *,
    library: str | None = "x-1.jar",
    libc: str = "glibc",
    packages: tuple[str, ...] = (),
    undefined: tuple[str, ...] = (),
    reason: str = "",
    twin: str | None = None,
) -> NativeLibrary:
    return NativeLibrary(
        path, library, "elf", "linux", "amd64", libc, (), undefined, None, 1,  # type: ignore[arg-type]
        verdict, packages, reason, twin,  # type: ignore[arg-type]
    )  # fmt: skip


def row(*natives: NativeLibrary) -> OnMusl:
    (only,) = on_musl(natives)
    return only


def words(*natives: NativeLibrary) -> tuple[str, str, tuple[str, ...]]:
    """The cell of the text, that of the markdown, and the reasons below the table."""
    found = row(*natives)
    return "".join(text for text, _ in _on_musl_cell(found)), _verdict(found), found.reasons


def test_what_loads_needs_no_reason() -> None:
    assert words(native("a.so", "loads", reason="loads on musl as it is")) == ("glibc, loads", "loads", ())


def test_open_symbols_are_not_passed_over() -> None:
    """The rules do not take such a library for safe: the table must not either."""
    lacking = native("a.so", "loads", undefined=("__strdup",), reason="would crash")
    assert words(lacking) == ("glibc, may crash", "loads, may crash", ("would crash",))
    fine = native("b.so", "loads", reason="loads on musl as it is")
    assert words(fine, lacking)[0] == "glibc, may crash"


def test_packages_are_named_below_the_table() -> None:
    needs = native("a.so", "needs", packages=("libgcc", "libstdc++"), reason="needs the packages")
    assert words(needs) == ("glibc, needs packages", "needs libgcc libstdc++", ("needs the packages",))
    lacking = native("b.so", "loads", undefined=("__strdup",), reason="would crash")
    assert words(needs, lacking)[1:] == (
        "needs libgcc libstdc++, may crash",
        ("needs the packages", "would crash"),
    )


def test_the_worst_file_counts_unless_musl_has_its_own() -> None:
    fails = native("a.so", "fails", undefined=("__strdup",), reason="needs ld-linux")
    assert words(native("b.so", "loads"), fails) == ("glibc, fails", "fails", ("needs ld-linux",))
    twin = native("musl/a.so", "loads", libc="musl")
    has_twin = native("a.so", "fails", reason="needs ld-linux", twin=twin.path)
    assert words(has_twin, twin) == ("glibc+musl, loads", "loads", ())


def test_a_jar_s_own_files_are_one_row_with_their_twins() -> None:
    twin = native("libx-linux64-musl.so", "needs", library=None, libc="musl", packages=("libstdc++",))
    glibc = native("libx-linux64.so", "fails", library=None, twin=twin.path)
    found = row(twin, glibc)
    assert (found.library, found.inside, found.libc, found.verdict) == (
        "libx-linux64.so",
        False,
        "glibc+musl",
        "needs",
    )
