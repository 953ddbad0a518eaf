from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jar_samples import class_file, elf, fat_macho, macho, pe

from imgopt.java.natives import (
    NativeLibrary,
    Platform,
    examine,
    musl_exports,
    musl_twins,
    platform,
    with_companions,
)

GETPID = ("getpid", "global")


def look(data: bytes, beside: tuple[str, ...] = (), path: str = "x.jar!/lib/libx.so") -> NativeLibrary:
    found = examine(lambda at, size: data[at : at + size], path, "x.jar", len(data), beside)
    assert found is not None
    return found


def kind_of(data: bytes) -> Platform | None:
    return platform(lambda at, size: data[at : at + size])


SAMPLE = elf(
    needed=["libstdc++.so.6", "libc.so.6"],
    undefined=[("__strdup", "global"), ("_ZSt4cout", "global")],
    plt=[(1, 7)],
    relocations=[(2, 6)],
    versions={"__strdup": ("libc.so.6", "GLIBC_2.2.5"), "_ZSt4cout": ("libstdc++.so.6", "GLIBCXX_3.4")},
    interpreter="/lib64/ld-linux-x86-64.so.2",
    note=("GNU", 1, b"\0" * 16),
    tls=True,
    flags=0x10,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (elf(), Platform("elf", "linux", "amd64")),
        (elf(machine=183), Platform("elf", "linux", "arm64")),
        (elf(machine=3, wide=False), Platform("elf", "linux", "386")),
        (elf(machine=40, wide=False), Platform("elf", "linux", "arm")),
        (elf(machine=22, big=True), Platform("elf", "linux", "s390x")),
        (elf(machine=21), Platform("elf", "linux", "ppc64le")),
        (elf(machine=21, big=True), Platform("elf", "linux", "ppc64")),
        (elf(machine=8, wide=False, big=True), Platform("elf", "linux", "mips")),
        (elf(machine=243), Platform("elf", "linux", "riscv64")),
        (elf(machine=9999), Platform("elf", "linux", "elf-9999")),
        (elf(abi=9), Platform("elf", "freebsd", "amd64")),
        (elf(abi=6), Platform("elf", "solaris", "amd64")),
        (elf(note=("Android", 1, b"\x15\0\0\0")), Platform("elf", "android", "amd64")),
        (elf(note=("OpenBSD", 1, b"\0\0\0\0")), Platform("elf", "openbsd", "amd64")),
        (elf(note=("GNU", 1, b"\0" * 16)), Platform("elf", "linux", "amd64")),
        (pe(), Platform("pe", "windows", "amd64")),
        (pe(0xAA64), Platform("pe", "windows", "arm64")),
        (pe(0x14C), Platform("pe", "windows", "386")),
        (macho(), Platform("macho", "macos", "arm64")),
        (macho(0x01000007), Platform("macho", "macos", "amd64")),
        (fat_macho(0x01000007, 0x0100000C), Platform("macho", "macos", "amd64+arm64")),
        (class_file(), None),
        (b"MZ" + b"\0" * 200, None),
        (b"MZ" + b"\xff" * 200, None),
        (b"\x7fELF", None),
        (SAMPLE[:32] + b"\xff" * 8 + SAMPLE[40:], None),  # program headers far outside
        (b"#!/bin/sh\n", None),
        (b"", None),
    ],
)
def test_the_header_tells_the_platform(data: bytes, expected: Platform | None) -> None:
    assert kind_of(data) == expected


def test_only_linux_libraries_get_a_verdict() -> None:
    assert look(pe()).musl_verdict is None
    assert look(macho()).musl_verdict is None
    assert look(elf(needed=["libc.so.7"])).os == "freebsd"
    assert look(elf(needed=["libm.so.2", "libstdc++.so.6"])).os == "solaris"
    assert look(elf(needed=["libc.so", "libm.so", "libdl.so"])).os == "android"
    assert look(elf(needed=["libc.so.8"])).os == "dragonfly"
    assert look(elf(needed=[], undefined=[("errno", "global")])).os == "dragonfly"
    old = elf(undefined=[("errno", "global")], versions={"errno": ("libc.so.6", "GLIBC_2.0")})
    assert look(old).os == "linux"


def test_musl_answers_the_parts_of_glibc_itself() -> None:
    names = ["libc.so.6", "libm.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2", "libutil.so.1"]
    found = look(elf(needed=names, undefined=[GETPID, ("pthread_create", "global"), ("__xstat64", "global")]))
    assert (found.libc, found.musl_verdict, found.undefined) == ("glibc", "loads", ())


@pytest.mark.parametrize(
    "loader",
    ["ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-linux.so.2", "ld64.so.2", "ld-linux-armhf.so.3"],
)
def test_a_library_that_names_glibc_s_loader_fails(loader: str) -> None:
    found = look(elf(needed=["libc.so.6", loader]))
    assert found.musl_verdict == "fails"
    assert loader in found.musl_reason


def test_packages_of_alpine_are_named() -> None:
    found = look(elf(needed=["libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "libc.so.6"]))
    assert (found.musl_verdict, found.musl_packages) == ("needs", ("libgcc", "libstdc++", "zlib"))


def test_an_unknown_library_leaves_the_verdict_open() -> None:
    found = look(elf(needed=["libhcnetsdk.so.1", "libc.so.6"]))
    assert found.musl_verdict == "unknown"
    assert "libhcnetsdk.so.1" in found.musl_reason


@pytest.mark.parametrize(
    ("run_path", "beside", "verdict"),
    [
        ("$ORIGIN", "libbase.so.1", "loads"),
        ("/usr/lib:${ORIGIN}/", "libbase.so.1", "loads"),
        ("$ORIGIN", "libbase.so", "unknown"),
        ("$ORIGIN/../lib", "libbase.so.1", "fails"),
        ("$ORIGIN:$LIB", "libbase.so.1", "fails"),
        ("/usr/lib", "libbase.so.1", "fails"),
        (None, "libbase.so.1", "fails"),
        (None, "libbase.so", "fails"),
        ("$ORIGIN", "libother.so", "unknown"),
    ],
)
def test_a_library_of_the_same_archive_is_found_on_the_run_path_only(
    run_path: str | None, beside: str, verdict: str
) -> None:
    found = look(elf(needed=["libbase.so.1", "libc.so.6"], run_path=run_path), beside=(beside,))
    assert found.musl_verdict == verdict
    assert "libbase.so.1" in found.musl_reason


def test_what_lies_beside_comes_before_the_package() -> None:
    needed = ["libgcc_s.so.1", "libc.so.6"]
    beside = ("libgcc_s.so.1",)
    assert look(elf(needed=needed, run_path="$ORIGIN"), beside=beside).musl_packages == ()
    assert look(elf(needed=needed), beside=beside).musl_packages == ("libgcc",)


def test_a_library_is_no_better_than_those_it_needs_beside_it() -> None:
    names = {"libtop.so": ["libmiddle.so"], "libmiddle.so": ["libbase.so"], "libbase.so": []}

    def verdicts(*needed: str, machine: int = 62) -> list[tuple[str | None, tuple[str, ...]]]:
        files = [
            look(
                elf(
                    needed=[*own, *(needed if name == "libbase.so" else ())],
                    run_path="$ORIGIN",
                    machine=machine if name == "libbase.so" else 62,
                ),
                tuple(names),
                f"x.jar!/lib/{name}",
            )
            for name, own in names.items()
        ]
        return [(native.musl_verdict, native.musl_packages) for native in with_companions(files)]

    assert verdicts("libc.so.6") == [("loads", ())] * 3
    assert verdicts("libgcc_s.so.1") == [("needs", ("libgcc",))] * 3
    assert verdicts("ld-linux-x86-64.so.2") == [("fails", ())] * 3
    assert verdicts("libhcnetsdk.so") == [("unknown", ())] * 3
    # for another architecture: not the one that is needed
    assert verdicts("ld-linux-aarch64.so.1", machine=183)[:2] == [("loads", ())] * 2


def test_the_jvm_s_own_libraries_and_symbols_are_there() -> None:
    found = look(elf(needed=["libjvm.so", "libc.so.6"], undefined=[("JNI_GetCreatedJavaVMs", "global")]))
    assert found.musl_verdict == "loads"


PLT, GOT, POINTER = 7, 6, 1  # R_X86_64_JUMP_SLOT, GLOB_DAT, 64


@pytest.mark.parametrize(
    ("relocations", "plt", "flags", "flags1", "verdict"),
    [
        ((), ((1, PLT),), 0, 0, "loads"),
        (((1, GOT),), (), 0, 0, "loads"),
        (((1, POINTER),), (), 0, 0, "fails"),
        ((), ((1, PLT),), 8, 0, "fails"),  # DF_BIND_NOW
        ((), ((1, PLT),), 0, 1, "fails"),  # DF_1_NOW
        (((1, GOT),), (), 0, 1, "fails"),
        ((), (), 0, 1, "loads"),  # nothing refers to it
    ],
)
def test_a_symbol_that_musl_lacks(
    relocations: tuple[tuple[int, int], ...],
    plt: tuple[tuple[int, int], ...],
    flags: int,
    flags1: int,
    verdict: str,
) -> None:
    data = elf(
        undefined=[("__snprintf_chk", "global"), GETPID],
        relocations=relocations,
        plt=plt,
        flags=flags,
        flags1=flags1,
    )
    found = look(data)
    assert (found.musl_verdict, found.undefined) == (verdict, ("__snprintf_chk",))
    assert "__snprintf_chk" in found.musl_reason


def test_a_weak_symbol_may_stay_undefined() -> None:
    found = look(elf(undefined=[("__snprintf_chk", "weak")], relocations=[(1, POINTER)], flags=8))
    assert (found.musl_verdict, found.undefined) == ("loads", ())


def test_a_symbol_that_a_constructor_calls_fails_even_when_lazy() -> None:
    found = look(elf(machine=183, undefined=[("__getauxval", "global")], plt=[(1, 1026)]))
    assert found.musl_verdict == "fails"


def test_versions_tell_whose_a_symbol_is() -> None:
    data = elf(
        needed=["libstdc++.so.6", "libc.so.6"],
        undefined=[("_ZSt4cout", "global"), ("__fprintf_chk", "global"), ("mystery", "global")],
        plt=[(1, PLT), (2, PLT), (3, PLT)],
        versions={
            "_ZSt4cout": ("libstdc++.so.6", "GLIBCXX_3.4"),
            "__fprintf_chk": ("libc.so.6", "GLIBC_2.3.4"),
        },
    )
    found = look(data)
    assert found.undefined == ("__fprintf_chk",)
    assert (found.libc, found.musl_verdict, found.musl_packages) == ("glibc", "needs", ("libstdc++",))


@pytest.mark.parametrize(
    ("wide", "big", "machine", "slot"), [(False, False, 3, 7), (True, True, 22, 11), (True, False, 183, 1026)]
)
def test_all_classes_and_byte_orders_are_read(wide: bool, big: bool, machine: int, slot: int) -> None:
    data = elf(
        wide=wide,
        big=big,
        machine=machine,
        needed=["libstdc++.so.6", "libc.so.6"],
        undefined=[GETPID, ("__strdup", "global")],
        plt=[(2, slot)],
        versions={"__strdup": ("libc.so.6", "GLIBC_2.2.5")},
    )
    found = look(data)
    assert found.needed == ("libstdc++.so.6", "libc.so.6")
    assert (found.undefined, found.musl_verdict) == (("__strdup",), "needs")


def test_thread_local_variables_in_the_initial_exec_model_fail() -> None:
    tpoff = 18  # R_X86_64_TPOFF64
    assert look(elf(tls=True, flags=0x10, relocations=[(0, tpoff)])).musl_verdict == "fails"
    assert look(elf(tls=True, flags=0x10)).musl_verdict == "loads"
    assert look(elf(tls=False, flags=0x10, relocations=[(0, tpoff)])).musl_verdict == "loads"


def test_initial_exec_variables_of_another_library_fail() -> None:
    data = elf(undefined=[("x", "global")], flags=0x10, relocations=[(1, 18)], needed=["libz.so.1"])
    assert look(data).musl_verdict == "fails"


@pytest.mark.parametrize(("machine", "indirect"), [(62, 37), (183, 1032)])
def test_functions_chosen_at_load_time_fail(machine: int, indirect: int) -> None:
    found = look(elf(machine=machine, plt=[(0, indirect)]))
    assert (found.musl_verdict, found.undefined) == ("fails", ())
    assert "ifunc" in found.musl_reason


@pytest.mark.parametrize("own", [{"own_hidden": True}, {"own_type": 10}])
@pytest.mark.parametrize(("kind", "verdict"), [(PLT, "loads"), (POINTER, "fails")])
def test_own_symbols_that_musl_does_not_see(own: dict[str, int], kind: int, verdict: str) -> None:
    found = look(elf(undefined=[GETPID], plt=[(2, kind)], **own))  # type: ignore[arg-type]
    assert (found.musl_verdict, found.undefined) == (verdict, ("Java_defined_here",))
    assert "its own Java_defined_here" in found.musl_reason
    assert look(elf(undefined=[GETPID], **own)).undefined == ()  # type: ignore[arg-type]
    assert look(elf(undefined=[GETPID], plt=[(2, kind)])).undefined == ()


def test_a_library_built_for_musl() -> None:
    found = look(
        elf(
            needed=["libc.musl-x86_64.so.1"],
            undefined=[("brand_new_in_musl", "global")],
            relocations=[(1, POINTER)],
        )
    )
    assert (found.libc, found.musl_verdict) == ("musl", "loads")
    assert look(elf(needed=["libc.so"])).libc == "musl"


def test_static_files_need_no_libc() -> None:
    found = look(elf(dynamic=False, kind=2))
    assert (found.libc, found.musl_verdict) == ("any", "loads")
    assert look(elf(needed=[])).libc == "any"
    itself = look(elf(needed=[], debug=True, relocations=[(0, 37)]))  # a static PIE relocates itself
    assert (itself.musl_verdict, itself.musl_reason) == ("loads", "statically linked")


def test_a_program_for_glibc_s_loader_fails_and_a_library_with_an_interpreter_does_not() -> None:
    loader = "/lib64/ld-linux-x86-64.so.2"
    assert look(elf(kind=2, interpreter=loader)).musl_verdict == "fails"
    assert look(elf(kind=3, interpreter=loader, flags1=0x08000000)).musl_verdict == "fails"
    assert look(elf(kind=3, interpreter=loader, debug=True)).musl_verdict == "fails"  # PIE of an old linker
    library = look(elf(kind=3, interpreter=loader))
    assert (library.musl_verdict, library.interpreter) == ("loads", loader)
    assert (
        look(elf(kind=2, interpreter="/lib/ld-musl-x86_64.so.1", needed=["libc.so"])).musl_verdict == "loads"
    )


def test_a_header_only_look_says_so() -> None:
    data = elf(machine=22)
    found = examine(lambda at, size: data[at : at + size], "x", None, len(data), (), deep=False)
    assert found is not None
    assert (found.musl_verdict, found.libc) == ("unknown", None)


def test_the_list_of_musl_s_symbols() -> None:
    exports = musl_exports()
    assert {"malloc", "pthread_create", "dlopen", "cosf", "fopen64", "__xstat64", "shm_open"} <= exports
    # glibc only, or never mapped by the loader
    assert exports.isdisjoint({"__snprintf_chk", "__strdup", "backtrace", "malloc_trim", "posix_fallocate64"})
    assert len(exports) > 1500


@pytest.mark.parametrize(
    ("glibc", "musl"),
    [
        (
            "org/sqlite/native/Linux/x86_64/libsqlitejdbc.so",
            "org/sqlite/native/Linux-Musl/x86_64/libsqlitejdbc.so",
        ),
        (
            "org/sqlite/native/Linux/x86_64/libsqlitejdbc.so",
            "org/sqlite/native/Linux-Alpine/x86_64/libsqlitejdbc.so",
        ),
        ("snappy/Linux/x86_64/libsnappyjava.so", "snappy/Linux/x86_64-musl/libsnappyjava.so"),
        ("librocksdbjni-linux64.so", "librocksdbjni-linux64-musl.so"),
        ("linux/x86_64/glibc/libaws-crt-jni.so", "linux/x86_64/musl/libaws-crt-jni.so"),
    ],
)
def test_the_file_for_musl_is_found_beside_the_one_for_glibc(glibc: str, musl: str) -> None:
    pair = [look(elf(), path=f"x.jar!/{name}") for name in (glibc, musl)]
    other = look(elf(machine=183), path=f"x.jar!/{glibc.replace('x86_64', 'aarch64')}")
    assert musl_twins([*pair, other]) == {f"x.jar!/{glibc}": f"x.jar!/{musl}"}


def test_unrelated_libraries_are_no_twins() -> None:
    jansi = look(elf(), path="x.jar!/Linux/x86_64/libjansi.so")
    sqlite = look(elf(needed=["libc.musl-x86_64.so.1"]), path="x.jar!/Linux-Musl/x86_64/libsqlitejdbc.so")
    assert musl_twins([jansi, sqlite]) == {}


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(4, len(SAMPLE) - 1), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x41])),
        max_size=6,
    ),
    st.integers(4, len(SAMPLE)),
)
def test_damage_gives_a_verdict_or_nothing(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(SAMPLE)
    for at, value in changes:
        data[at] = value
    cut = bytes(data[:length])
    found = examine(lambda at, size: cut[at : at + size] if at >= 0 else b"", "x", None, len(cut))
    assert found is None or found.musl_verdict in (None, "loads", "needs", "fails", "unknown")
