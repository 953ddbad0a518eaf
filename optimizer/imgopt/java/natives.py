"""Native libraries and programs inside jars: the platform from the header, and whether musl's loader takes them.

Headers decide, never file names: lz4-java ships a Windows DLL called ``liblz4-java.so``.

The musl rules are those of musl's loader (``ldso/dynlink.c``) under ``dlopen(…, RTLD_LAZY)``, which is how a JVM
opens a library. ``tests/java/test_musl_loader.py`` holds each against the real loader of Debian (12: musl 1.2.3,
13: 1.2.5):

* libc, libpthread, librt, libm, libdl, libutil and libxnet, with any suffix, are musl itself; every other needed
  name must be a file. glibc's ``ld-linux-*`` is none on Alpine.
* A library that was opened by its path, as a JVM does, is not known by its soname: another one that needs it must
  find it as a file of that name, on its own run path (``$ORIGIN``) or on the search path.
* An undefined global symbol that nothing offers ends the load when the library asks for immediate binding, or when
  the reference is neither a PLT nor a GOT slot. Other references are left open: the library loads, and the process
  dies when it calls that function. Weak symbols may stay undefined. Definitions of an old version (``name@VERSION``)
  and functions that are chosen at load time (ifunc) are none to musl, not even for the library that has them.
* Thread-local variables in the initial-exec model and functions chosen at load time are refused by ``dlopen``.

Not seen here: a constructor that calls what was left open kills the process at load (such a library has
``undefined`` symbols). Packed relocations (DT_RELR) need musl 1.2.4, Alpine 3.18.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace

Read = Callable[[int, int], bytes]
"""(offset, size) -> that many bytes of the file, fewer at its end."""

HEAD_BYTES = 4096
"""What `platform` wants to see of a file."""


@dataclass(frozen=True, slots=True)
class NativeLibrary:
    """A shared library or a program for one platform (a fat Mach-O: for several, ``arch`` joined with ``+``)."""

    path: str
    """``BOOT-INF/lib/x.jar!/a/b.so``, or the entry's name when it lies in the archive itself."""
    library: str | None
    """File name of the jar that holds it."""
    format: Literal["elf", "macho", "pe"]
    os: str
    arch: str
    """As in Docker platforms: amd64, arm64, 386, arm, ppc64le, s390x, riscv64 …"""
    libc: Literal["glibc", "musl", "any"] | None
    """``any``: needs no libc; None: not for Linux, or not examined."""
    needed: tuple[str, ...]
    undefined: tuple[str, ...]
    """Global symbols it refers to that musl does not have, or does not see, and that nothing else it needs is known
    to have."""
    interpreter: str | None
    bytes: int
    musl_verdict: Literal["loads", "needs", "fails", "unknown"] | None
    """On Alpine; ``needs``: once ``musl_packages`` are installed. None: not for Linux. ``loads`` and ``needs`` are no
    promise while ``undefined`` names something: the process dies when that is called."""
    musl_packages: tuple[str, ...]
    musl_reason: str
    musl_twin: str | None = None
    """Path of the file that the same jar carries for musl on this platform, when this one is for glibc."""


_MACHINES: Mapping[int, str] = {
    2: "sparc", 3: "386", 8: "mips", 18: "sparc", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 43: "sparc64",
    50: "ia64", 62: "amd64", 183: "arm64", 243: "riscv64", 258: "loong64",
}  # fmt: skip
_ABIS: Mapping[int, str] = {
    1: "hpux", 2: "netbsd", 3: "linux", 6: "solaris", 7: "aix", 9: "freebsd", 12: "openbsd",
}  # fmt: skip
_NOTES: Mapping[bytes, str] = {
    b"Android": "android", b"OpenBSD": "openbsd", b"NetBSD": "netbsd", b"FreeBSD": "freebsd",
}  # fmt: skip
_PE_MACHINES: Mapping[int, str] = {0x14C: "386", 0x8664: "amd64", 0xAA64: "arm64", 0x1C0: "arm", 0x1C4: "arm"}
_MACHO_CPUS: Mapping[int, str] = {
    7: "386", 0x01000007: "amd64", 12: "arm", 0x0100000C: "arm64", 18: "ppc", 0x01000012: "ppc64",
}  # fmt: skip

# Names musl's loader answers itself: "lib", one of these, anything.
_MUSL_ITSELF = regex(r"lib(c|pthread|rt|m|dl|util|xnet)\.")
_GLIBC_LOADER = regex(r"ld-linux.*\.so\.\d+|ld64\.so\.\d+|ld-lsb.*|ld\.so\.1")
_JVM_LIBRARIES = frozenset(
    f"lib{name}.so" for name in ("jvm", "java", "jawt", "awt", "jli", "jsig", "net", "nio", "verify", "zip")
)
_JVM_SYMBOLS = ("JNI_", "JVM_", "JNU_", "JAWT_", "_ITM_", "__gmon_start__")
# Alpine packages by the file name they bring.
_PACKAGES: Mapping[str, str] = {
    "libstdc++.so.6": "libstdc++",
    "libgcc_s.so.1": "libgcc",
    "libgomp.so.1": "libgomp",
    "libatomic.so.1": "libatomic",
    "libgfortran.so.5": "libgfortran",
    "libquadmath.so.0": "libquadmath",
    "libz.so.1": "zlib",
    "libbz2.so.1": "libbz2",
    "liblzma.so.5": "xz-libs",
    "libcrypt.so.1": "gcompat",
    "libresolv.so.2": "gcompat",
    "libuuid.so.1": "libuuid",
    "libfreetype.so.6": "freetype",
    "libfontconfig.so.1": "fontconfig",
    "libpng16.so.16": "libpng",
    "liblcms2.so.2": "lcms2",
    "libX11.so.6": "libx11",
    "libXext.so.6": "libxext",
    "libXi.so.6": "libxi",
    "libXrender.so.1": "libxrender",
    "libXtst.so.6": "libxtst",
    "libasound.so.2": "alsa-lib",
    "libkrb5.so.3": "krb5-libs",
    "libgssapi_krb5.so.2": "krb5-libs",
}
# Called from constructors, so that an open reference ends the JVM at load: by libgcc's out-of-line atomics on arm64,
# and by libquadmath.
_CALLED_AT_LOAD = frozenset({"__getauxval", "register_printf_modifier", "register_printf_specifier"})
# Relocations that musl leaves open when the symbol is missing and binding is lazy: PLT and GOT slots.
_LEFT_OPEN: Mapping[str, frozenset[int]] = {
    "amd64": frozenset({6, 7}),
    "arm64": frozenset({1025, 1026}),
    "386": frozenset({6, 7}),
    "arm": frozenset({21, 22}),
    "ppc64": frozenset({20, 21}),
    "ppc64le": frozenset({20, 21}),
    "s390x": frozenset({10, 11}),
    "riscv64": frozenset({5}),
    "loong64": frozenset({5}),
}
_INITIAL_EXEC: Mapping[str, frozenset[int]] = {
    "amd64": frozenset({18}),
    "arm64": frozenset({1030}),
    "386": frozenset({14, 37}),
    "arm": frozenset({19}),
    "riscv64": frozenset({11}),
    "s390x": frozenset({56}),
    "ppc64": frozenset({73}),
    "ppc64le": frozenset({73}),
}
# Relocations for functions that are chosen at load time; musl knows none of them on any architecture.
_INDIRECT: Mapping[str, int] = {
    "amd64": 37, "arm64": 1032, "386": 42, "arm": 160, "ppc64": 248, "ppc64le": 248, "s390x": 61, "riscv64": 58,
    "loong64": 12,
}  # fmt: skip
_MAX_SYMBOLS = 400_000
_MAX_TABLE_BYTES = 32 << 20
_MAX_NOTES = 64
_MAX_VERSIONS = 4096
# What is kept of one file. Real ones need some dozen libraries, and lack some dozen functions.
_MAX_NEEDED = 256
_MAX_KEPT_NAMES = 16_384  # characters


@lru_cache(maxsize=1)
def musl_exports() -> frozenset[str]:
    """Symbols a library finds in musl's libc."""
    text = (Path(__file__).parent / "musl_exports.txt").read_text(encoding="ascii")
    return frozenset(name for line in text.splitlines() if not line.startswith("#") for name in line.split())


@dataclass(frozen=True, slots=True)
class Platform:
    """What a file's header says: its format, operating system and architecture."""

    format: Literal["elf", "macho", "pe"]
    os: str
    arch: str


def platform(read: Read) -> Platform | None:
    """The platform of a native library or program, None for anything else. Reads the first few KiB only."""
    head = read(0, HEAD_BYTES)
    try:
        if head.startswith(b"\x7fELF"):
            return _elf_platform(head)
        if head.startswith(b"MZ"):
            (at,) = struct.unpack_from("<L", head, 0x3C)
            if at + 6 > len(head):
                head, at = read(at, 6), 0
            if head[at : at + 4] == b"PE\0\0":
                (machine,) = struct.unpack_from("<H", head, at + 4)
                return Platform("pe", "windows", _PE_MACHINES.get(machine, f"pe-{machine:#x}"))
            return None
        return _macho_platform(head)
    except struct.error:
        return None


def _macho_platform(head: bytes) -> Platform | None:
    order = {
        b"\xce\xfa\xed\xfe": "<",
        b"\xcf\xfa\xed\xfe": "<",
        b"\xfe\xed\xfa\xce": ">",
        b"\xfe\xed\xfa\xcf": ">",
    }
    if head[:4] in order:
        (cpu,) = struct.unpack_from(order[head[:4]] + "L", head, 4)
        return Platform("macho", "macos", _MACHO_CPUS.get(cpu, f"macho-{cpu:#x}"))
    if head[:4] in (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"):
        # Java class files begin with the same four bytes; there a version number of 45 or more follows.
        (count,) = struct.unpack_from(">L", head, 4)
        if 0 < count < 20:
            step = 20 if head[3] == 0xBE else 32
            cpus = [struct.unpack_from(">L", head, 8 + index * step)[0] for index in range(count)]
            return Platform(
                "macho", "macos", "+".join(_MACHO_CPUS.get(cpu, f"macho-{cpu:#x}") for cpu in cpus)
            )
    return None


@dataclass(frozen=True, slots=True)
class _Layout:
    """How to read the structures of one ELF file."""

    order: Literal["<", ">"]
    wide: bool
    machine: int
    abi: int
    kind: int
    segments: tuple[tuple[int, int, int, int], ...]
    """(type, file offset, virtual address, size in the file)"""

    def offset(self, address: int) -> int | None:
        for kind, offset, virtual, size in self.segments:
            if kind == 1 and virtual <= address < virtual + size:
                return address - virtual + offset
        return None


def _layout(read: Read) -> _Layout:
    """struct.error when the header is cut off or makes no sense."""
    head = read(0, HEAD_BYTES)
    wide = head[4:5] == b"\2"
    order: Literal["<", ">"] = ">" if head[5:6] == b"\2" else "<"
    kind, machine = struct.unpack_from(order + "HH", head, 16)
    abi = head[7]
    if wide:
        (table,) = struct.unpack_from(order + "Q", head, 32)
        step, count = struct.unpack_from(order + "HH", head, 54)
        form = struct.Struct(order + "LLQQQQQQ")
    else:
        (table,) = struct.unpack_from(order + "L", head, 28)
        step, count = struct.unpack_from(order + "HH", head, 42)
        form = struct.Struct(order + "8L")
    if count and step < form.size:
        raise struct.error("program headers too short")
    count = min(count, 128)
    if table + count * step > len(head):
        head, table = read(table, count * step), 0
    segments = []
    for index in range(count):
        fields = form.unpack_from(head, table + index * step)
        if wide:
            segments.append((fields[0], fields[2], fields[3], fields[5]))
        else:
            segments.append((fields[0], fields[1], fields[2], fields[4]))
    return _Layout(order, wide, machine, abi, kind, tuple(segments))


def _elf_platform(head: bytes) -> Platform:
    layout = _layout(lambda offset, size: head[offset : offset + size])
    arch = _MACHINES.get(layout.machine, f"elf-{layout.machine}")
    if arch == "ppc64" and layout.order == "<":
        arch = "ppc64le"
    elif arch == "mips":
        arch = f"mips{'64' if layout.wide else ''}{'le' if layout.order == '<' else ''}"
    elif arch == "riscv64" and not layout.wide:
        arch = "riscv32"
    system = _ABIS.get(layout.abi)
    if system is None or system == "linux":
        # Several systems write ABI 0; their notes tell them apart. An Android library may say Linux.
        notes = _MAX_NOTES
        for kind, offset, _, size in layout.segments:
            if kind == 4:
                noted, notes = _noted_system(head[offset : offset + size], layout.order, notes)
                system = noted or system
            elif kind == 0x65A3DBE6:
                system = "openbsd"
            elif 0x6FFFFFFA <= kind <= 0x6FFFFFFD:  # PT_SUNWBSS, PT_SUNWSTACK …
                system = "solaris"
    return Platform("elf", system or "linux", arch)


def _noted_system(notes: bytes, order: str, most: int) -> tuple[str | None, int]:
    """The system that the first ``most`` notes tell, and how many more notes may be read."""
    at = 0
    while at + 12 <= len(notes) and most > 0:
        most -= 1
        name_size, data_size, kind = struct.unpack_from(order + "3L", notes, at)
        name = notes[at + 12 : at + 12 + name_size].rstrip(b"\0")
        at += 12 + (name_size + 3 & ~3)
        if name in _NOTES:
            return _NOTES[name], most
        if name == b"GNU" and kind == 1 and data_size >= 16 and at + 4 <= len(notes):
            (system,) = struct.unpack_from(order + "L", notes, at)
            return {0: "linux", 2: "solaris", 3: "freebsd"}.get(system), most
        at += data_size + 3 & ~3
    return None, most


@dataclass(frozen=True, slots=True)
class _Dynamic:
    """The parts of a dynamic section that decide whether a loader takes the file."""

    needed: tuple[str, ...]
    program: bool
    missing: tuple[str, ...]
    unseen: tuple[str, ...]
    """Symbols it defines itself in a way that musl passes over."""
    fatal: tuple[str, ...]
    """Those of ``missing`` and ``unseen`` that end the load."""
    initial_exec: bool
    indirect: bool
    """Has functions that are chosen at load time."""
    looks_beside: bool
    """Searches the directory it lies in for what it needs."""
    versions: frozenset[str]
    solaris: bool


def examine(
    read: Read, path: str, library: str | None, size: int, beside: Collection[str] = (), deep: bool = True
) -> NativeLibrary | None:
    """Looks at one file. None when it is no native library or program.

    ``size`` is its length in bytes; ``beside`` are base names of the other native libraries in the same directory.
    What they need in turn is `with_companions`' part.
    ``deep=False`` stops at the header. Damaged files give verdict "unknown"; nothing is raised.
    """
    found = platform(read)
    if found is None:
        return None

    def result(
        os: str,
        libc: Literal["glibc", "musl", "any"] | None,
        verdict: Literal["loads", "needs", "fails", "unknown"] | None,
        reason: str,
        packages: tuple[str, ...] = (),
        needed: tuple[str, ...] = (),
        undefined: tuple[str, ...] = (),
        interpreter: str | None = None,
    ) -> NativeLibrary:
        return NativeLibrary(
            path, library, found.format, os, found.arch, libc, needed, undefined, interpreter, size,
            verdict, packages, reason,
        )  # fmt: skip

    if found.os != "linux":
        return result(found.os, None, None, f"for {found.os}")
    if not deep:
        return result("linux", None, "unknown", f"not looked into: {found.arch} was not asked for")
    try:
        layout = _layout(read)
        interpreter = _interpreter(read, layout)
        if interpreter is not None and "/system/" in interpreter:
            return result("android", None, None, "for android", interpreter=interpreter)
        dynamic = _dynamic(read, layout, found.arch)
    except (struct.error, ValueError, IndexError):
        return result("linux", None, "unknown", "its dynamic section cannot be read")
    if dynamic is None:
        # e_type 1 is an object file for a linker, which no loader reads
        reason = "an object file" if layout.kind == 1 else "statically linked"
        return result("linux", "any", "loads", reason, interpreter=interpreter)
    other = _other_system(dynamic, interpreter)
    if other is not None:
        return result(other, None, None, f"for {other}", needed=dynamic.needed, interpreter=interpreter)
    libc = _libc(dynamic, interpreter)
    if libc == "musl":  # a symbol not in the list is one of another release or architecture
        own = tuple(name for name in dynamic.fatal if name in dynamic.unseen)
        dynamic = replace(dynamic, missing=(), fatal=own)
    program = layout.kind == 2 or dynamic.program
    if program and interpreter is None and not dynamic.needed:  # it relocates itself
        return result("linux", "any", "loads", "statically linked")
    verdict, packages, reason = _musl_verdict(dynamic, interpreter if program else None, beside)
    undefined = tuple(sorted({*dynamic.missing, *dynamic.unseen}))
    return result("linux", libc, verdict, reason, packages, dynamic.needed, undefined, interpreter)


def _interpreter(read: Read, layout: _Layout) -> str | None:
    for kind, offset, _, size in layout.segments:
        if kind == 3 and 0 < size < 4096:
            return read(offset, size).split(b"\0")[0].decode("ascii", "replace")
    return None


def _other_system(dynamic: _Dynamic, interpreter: str | None) -> str | None:
    """Systems whose libraries say nothing in their header, told by the C library they want."""
    if interpreter is not None:
        if "ld-elf.so" in interpreter:
            return "freebsd"
        if interpreter.startswith(("/usr/lib/ld.so", "/lib/ld.so.1", "/usr/lib/amd64/ld.so")):
            return "solaris"
    names = set(dynamic.needed)
    if names & {"libc.so.1", "libdl.so.1", "libm.so.2"} or dynamic.solaris:
        return "solaris"
    if names & {"libc.so.7", "libm.so.5"}:
        return "freebsd"
    # Its thread-local errno is a symbol of its own; Linux has a function in its place.
    if "libc.so.8" in names or ("errno" in dynamic.missing and not dynamic.versions):
        return "dragonfly"
    if "libc.so.12" in names:
        return "netbsd"
    if any(re.fullmatch(r"libc\.so\.\d+\.\d+", name) for name in names):
        return "openbsd"
    if names & {"libdl.so", "libm.so", "liblog.so", "libandroid.so"}:  # musl has no such files, bionic does
        return "android"
    return None


def _libc(dynamic: _Dynamic, interpreter: str | None) -> Literal["glibc", "musl", "any"]:
    if "ld-musl" in (interpreter or "") or any(
        name == "libc.so" or name.startswith("libc.musl-") for name in dynamic.needed
    ):
        return "musl"
    if any(version.startswith("GLIBC_") for version in dynamic.versions) or any(
        _MUSL_ITSELF.match(name) or _GLIBC_LOADER.fullmatch(name) for name in dynamic.needed
    ):
        return "glibc"
    return "any"


def _table(read: Read, layout: _Layout, address: int, size: int) -> bytes:
    """A table at a virtual address. ValueError when it does not lie in the file or is absurdly large."""
    offset = layout.offset(address)
    if offset is None or size > _MAX_TABLE_BYTES:
        raise ValueError("no such table")
    data = read(offset, size)
    if len(data) < size:
        raise ValueError("table cut off")
    return data


class _Strings:
    """A string table. No linker writes many names over the same bytes, so all that are read may be a few times as
    long as the table; ValueError for more, and for what lies outside it.
    """

    def __init__(self, table: bytes) -> None:
        self._table = table
        self._left = 4 * len(table) + 4096

    def at(self, place: int) -> str:
        end = self._table.find(b"\0", place, place + 8192)  # mangled C++ names get long
        if end < 0:
            raise ValueError("string outside its table")
        self._left -= end - place
        if self._left < 0:
            raise ValueError("names that overlap")
        return self._table[place:end].decode("utf-8", "replace")


def _kept(names: Collection[str]) -> None:
    """ValueError when they are more than any linker writes."""
    if sum(map(len, names)) > _MAX_KEPT_NAMES:
        raise ValueError("names without end")


def _dynamic(read: Read, layout: _Layout, arch: str) -> _Dynamic | None:
    """None when there is no dynamic section. ValueError or struct.error when it is damaged."""
    place = next(((offset, size) for kind, offset, _, size in layout.segments if kind == 2), None)
    if place is None:
        return None
    data = read(place[0], min(place[1], 1 << 16))
    pairs = struct.Struct(layout.order + ("qQ" if layout.wide else "lL"))
    tags: dict[int, int] = {}
    needed_at: list[int] = []
    for at in range(0, len(data) - pairs.size + 1, pairs.size):
        tag, value = pairs.unpack_from(data, at)
        if tag == 0:
            break
        if tag == 1:
            needed_at.append(value)
            if len(needed_at) > _MAX_NEEDED:
                raise ValueError("libraries without end")
        else:
            tags.setdefault(tag, value)
    if not tags:
        raise ValueError("empty dynamic section")
    strings = _Strings(_table(read, layout, tags[5], tags.get(10, 0)) if 5 in tags else b"\0")
    needed = tuple(strings.at(place) for place in needed_at)
    _kept(needed)
    flags, flags1 = tags.get(30, 0), tags.get(0x6FFFFFFB, 0)
    immediate = 24 in tags or bool(flags & 8) or bool(flags1 & 1)
    versions = _needed_versions(read, layout, tags, strings)
    missing = _missing_symbols(read, layout, tags, strings, needed, versions)
    left_open = frozenset() if immediate else _LEFT_OPEN.get(arch, frozenset())
    refused = _INITIAL_EXEC.get(arch, frozenset()) if flags & 0x10 else frozenset()  # DF_STATIC_TLS
    indirect = _INDIRECT.get(arch)
    has_tls = any(kind == 7 for kind, _, _, _ in layout.segments)
    referred: set[int] = set()
    firm: set[int] = set()
    initial_exec = chosen = False
    for symbol, kind in _relocations(read, layout, tags):
        referred.add(symbol)
        if kind not in left_open:
            firm.add(symbol)
        if kind in refused and (symbol or has_tls):  # its own variables, or those of another library
            initial_exec = True
        if kind == indirect:
            chosen = True
    unseen = _unseen_symbols(read, layout, tags, strings, referred) if arch in _INDIRECT else {}
    search = tags.get(29, tags.get(15))  # DT_RUNPATH counts before DT_RPATH
    return _Dynamic(
        needed,
        program=bool(flags1 & 0x08000000) or 21 in tags,  # DF_1_PIE; DT_DEBUG, which only programs have
        missing=tuple(sorted(set(missing.values()))),
        unseen=tuple(sorted(set(unseen.values()))),
        fatal=tuple(sorted({name for symbol, name in (missing | unseen).items() if symbol in firm})),
        initial_exec=initial_exec,
        indirect=chosen,
        looks_beside=search is not None and _looks_beside(strings.at(search)),
        versions=frozenset(version for _, version in versions.values()),
        solaris=not tags.keys().isdisjoint((0x60000019, 0x6000001B)),  # DT_SUNW_STRPAD, DT_SUNW_LDMACH
    )


def _looks_beside(search: str) -> bool:
    """Whether a run path leads to the library's own directory. With any other variable in it musl drops it whole."""
    if re.search(r"\$(?!ORIGIN|\{ORIGIN\})", search):
        return False
    return any(re.fullmatch(r"\$(ORIGIN|\{ORIGIN\})(/+\.?)*", place) for place in search.split(":"))


def _needed_versions(
    read: Read, layout: _Layout, tags: Mapping[int, int], strings: _Strings
) -> dict[int, tuple[str, str]]:
    """Version index -> (library file, version name), as written by GNU linkers."""
    if 0x6FFFFFFE not in tags:
        return {}
    offset = layout.offset(tags[0x6FFFFFFE])
    if offset is None:
        raise ValueError("no version table")
    data = read(offset, 1 << 16)
    found: dict[int, tuple[str, str]] = {}
    at = total = 0
    for _ in range(min(tags.get(0x6FFFFFFF, 0), 1000)):
        _, count, file, first, step = struct.unpack_from(layout.order + "HHLLL", data, at)
        inner = at + first
        library = strings.at(file)
        for _ in range(count):
            total += 1
            if total > _MAX_VERSIONS:
                raise ValueError("versions without end")
            _, _, index, name, next_inner = struct.unpack_from(layout.order + "LHHLL", data, inner)
            found[index & 0x7FFF] = (library, strings.at(name))
            if next_inner == 0:
                break
            inner += next_inner
        if step == 0:
            break
        at += step
    return found


def _symbol_count(read: Read, layout: _Layout, tags: Mapping[int, int], entry_size: int) -> int:
    """How many symbols must be looked at to have seen all undefined ones.

    A GNU hash table holds the defined ones only, sorted behind the others, and says where they begin.
    """
    if 0x6FFFFEF5 in tags:
        offset = layout.offset(tags[0x6FFFFEF5])
        if offset is None:
            raise ValueError("no hash table")
        buckets, first, bloom, _ = struct.unpack_from(layout.order + "4L", read(offset, 16))
        start = offset + 16 + bloom * (8 if layout.wide else 4)
        if buckets <= _MAX_SYMBOLS and any(read(start, 4 * buckets)):
            return int(first)
    if 4 in tags:
        offset = layout.offset(tags[4])
        if offset is None:
            raise ValueError("no hash table")
        wide_words = layout.wide and layout.machine in (22, 0x9026)  # s390x and alpha use 64-bit words here
        word = struct.Struct(layout.order + ("QQ" if wide_words else "LL"))
        return int(word.unpack_from(read(offset, word.size))[1])
    # Nothing exported and no old hash table: linkers put the strings right behind the symbols.
    return max(0, tags.get(5, 0) - tags.get(6, 0)) // entry_size


def _missing_symbols(
    read: Read,
    layout: _Layout,
    tags: Mapping[int, int],
    strings: _Strings,
    needed: tuple[str, ...],
    versions: Mapping[int, tuple[str, str]],
) -> dict[int, str]:
    """Symbol index -> name of the undefined global symbols that only a libc other than musl has."""
    if 6 not in tags:
        return {}
    form = struct.Struct(layout.order + ("LBBHQQ" if layout.wide else "LLLBBH"))
    count = _symbol_count(read, layout, tags, form.size)
    if count > _MAX_SYMBOLS:
        raise ValueError("too many symbols")
    table = _table(read, layout, tags[6], count * form.size)
    if layout.wide:
        undefined = [
            (index, name)
            for index, (name, info, _, section, _, _) in enumerate(form.iter_unpack(table))
            if section == 0 and info >> 4 == 1 and name
        ]
    else:
        undefined = [
            (index, name)
            for index, (name, _, _, info, _, section) in enumerate(form.iter_unpack(table))
            if section == 0 and info >> 4 == 1 and name
        ]
    exports = musl_exports()
    absent = [(index, text) for index, at in undefined if (text := strings.at(at)) not in exports]
    if not absent:
        return {}
    version_of: tuple[int, ...] = ()
    if 0x6FFFFFF0 in tags and versions:
        version_of = struct.unpack(
            f"{layout.order}{count}H", _table(read, layout, tags[0x6FFFFFF0], 2 * count)
        )
    foreign = any(not (_MUSL_ITSELF.match(name) or _GLIBC_LOADER.fullmatch(name)) for name in needed)
    missing: dict[int, str] = {}
    for index, text in absent:
        if text.startswith(_JVM_SYMBOLS):
            continue
        file = versions.get(version_of[index] & 0x7FFF, (None,))[0] if version_of else None
        if file is None:
            # No version says whose it is: any other needed library may have it.
            if not foreign:
                missing[index] = text
        elif _MUSL_ITSELF.match(file) or _GLIBC_LOADER.fullmatch(file):
            missing[index] = text
    _kept(set(missing.values()))
    return missing


def _unseen_symbols(
    read: Read, layout: _Layout, tags: Mapping[int, int], strings: _Strings, referred: Collection[int]
) -> dict[int, str]:
    """Symbol index -> name of those among ``referred`` that the file defines, but that musl's look-up passes over.

    A default version of the same name, which musl would take instead, is not looked for.
    """
    if 6 not in tags or not any(referred):
        return {}
    form = struct.Struct(layout.order + ("LBBHQQ" if layout.wide else "LLLBBH"))
    last = max(referred)
    if last > _MAX_SYMBOLS:
        raise ValueError("too many symbols")
    table = _table(read, layout, tags[6], (last + 1) * form.size)
    versions: tuple[int, ...] = ()
    if 0x6FFFFFF0 in tags and 0x6FFFFFFC in tags:  # it has versions, and defines some
        size = 2 * (last + 1)
        versions = struct.unpack(f"{layout.order}{last + 1}H", _table(read, layout, tags[0x6FFFFFF0], size))
    found: dict[int, str] = {}
    for index in referred:
        fields = form.unpack_from(table, index * form.size)
        name, info, section = fields[0], fields[1 if layout.wide else 3], fields[3 if layout.wide else 5]
        if section == 0 or info >> 4 == 0:  # undefined, or local
            continue
        if info & 15 == 10 or (versions and versions[index] & 0x8000):  # STT_GNU_IFUNC; a hidden version
            found[index] = strings.at(name)
    return found


def _relocations(read: Read, layout: _Layout, tags: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """(symbol index, type) of all relocations but the relative ones that linkers sort to the front."""
    for address, length, addend, skipped in (
        (tags.get(7), tags.get(8, 0), True, tags.get(0x6FFFFFF9, 0)),
        (tags.get(17), tags.get(18, 0), False, tags.get(0x6FFFFFFA, 0)),
        (tags.get(23), tags.get(2, 0), tags.get(20) == 7, 0),
    ):
        if address is None or length == 0:
            continue
        if layout.wide:
            form = struct.Struct(layout.order + ("QQ8x" if addend else "QQ"))
        else:
            form = struct.Struct(layout.order + ("LL4x" if addend else "LL"))
        skipped = min(skipped, length // form.size)
        length = (length // form.size - skipped) * form.size
        table = _table(read, layout, address + skipped * form.size, length) if length else b""
        if layout.wide:
            for _, info in form.iter_unpack(table):
                yield info >> 32, info & 0xFFFFFFFF
        else:
            for _, info in form.iter_unpack(table):
                yield info >> 8, info & 0xFF


def _musl_verdict(
    dynamic: _Dynamic, interpreter: str | None, beside: Collection[str]
) -> tuple[Literal["loads", "needs", "fails", "unknown"], tuple[str, ...], str]:
    """Verdict, Alpine packages, reason. ``interpreter`` of a program only: a library's is not used."""
    if interpreter is not None and "ld-musl" not in interpreter:
        return "fails", (), f"a program for {interpreter}, which Alpine does not have"
    loaders = [name for name in dynamic.needed if _GLIBC_LOADER.fullmatch(name)]
    if loaders:
        return "fails", (), f"needs {loaders[0]}, which Alpine has with gcompat only"
    fatal = [name for name in dynamic.missing if name in dynamic.fatal or name in _CALLED_AT_LOAD]
    if fatal:
        return "fails", (), f"musl has no {_some(fatal)}"
    if dynamic.indirect:
        return "fails", (), "chooses functions at load time (ifunc), which musl does not support"
    unseen = [name for name in dynamic.unseen if name in dynamic.fatal]
    if unseen:
        return "fails", (), f"musl does not find its own {_some(unseen)} (an old version, or an ifunc)"
    if dynamic.initial_exec:
        return (
            "fails",
            (),
            "its thread-local variables use the initial-exec model, which musl's dlopen refuses",
        )
    stems = _stems(frozenset(beside))
    packages: set[str] = set()
    own: list[str] = []
    apart: list[str] = []
    unknown: list[str] = []
    for name in dynamic.needed:
        if _MUSL_ITSELF.match(name) or name in _JVM_LIBRARIES:
            continue
        if name in beside and dynamic.looks_beside:
            own.append(name)
        elif name in _PACKAGES:
            packages.add(_PACKAGES[name])
        elif name in beside or _stem(name) in stems:
            apart.append(name)
        else:
            unknown.append(name)
    if apart and not dynamic.looks_beside:
        reason = f"needs {_some(apart)} of the same archive, but has no run path ($ORIGIN) to it"
        return "fails", tuple(sorted(packages)), reason
    if apart:
        reason = f"needs {_some(apart)}, which lies beside it under another name"
        return "unknown", tuple(sorted(packages)), reason
    if unknown:
        return (
            "unknown",
            tuple(sorted(packages)),
            f"needs {_some(unknown)}; no Alpine package is known for it",
        )
    notes = []
    if packages:
        notes.append(f"needs the package{'s' if len(packages) > 1 else ''} {', '.join(sorted(packages))}")
    if own:
        notes.append(f"uses {_some(own)} of the same archive")
    if dynamic.missing:
        notes.append(f"would crash if it called {_some(dynamic.missing)}, which musl does not have")
    if dynamic.unseen:
        notes.append(f"would crash if it called its own {_some(dynamic.unseen)}, which musl does not find")
    return (
        ("needs" if packages else "loads"),
        tuple(sorted(packages)),
        "; ".join(notes) or "loads on musl as it is",
    )


@lru_cache(maxsize=4)
def _stems(names: frozenset[str]) -> frozenset[str]:
    return frozenset(map(_stem, names))


def _stem(name: str) -> str:
    """Jars often carry ``libx.so`` for the ``libx.so.1.2`` that is needed."""
    return name.partition(".so")[0]


def _some(names: Collection[str]) -> str:
    """At most three of them."""
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def with_companions(natives: Collection[NativeLibrary]) -> tuple[NativeLibrary, ...]:
    """The same libraries, each no better than those of its directory that it needs, and needing what they need."""
    found = {native.path: native for native in natives}
    for _ in range(len(found)):
        changed = {
            path: joined for path, native in found.items() if (joined := _joined(native, found)) != native
        }
        if not changed:
            break
        found.update(changed)
    return tuple(found[native.path] for native in natives)


def _joined(native: NativeLibrary, found: Mapping[str, NativeLibrary]) -> NativeLibrary:
    place = native.path[: -len(_base_name(native.path))]
    for name in native.needed if native.musl_verdict in ("loads", "needs") else ():
        other = found.get(place + name)
        if other is None or other.arch != native.arch or other.musl_verdict is None:
            continue
        if name in _PACKAGES and _PACKAGES[name] in native.musl_packages:  # not that file, but Alpine's
            continue
        if other.musl_verdict in ("fails", "unknown"):
            reason = f"needs {name} of the same archive: {other.musl_reason}"
            return replace(native, musl_verdict=other.musl_verdict, musl_reason=reason)
        packages = tuple(sorted({*native.musl_packages, *other.musl_packages}))
        if packages != native.musl_packages:
            reason = f"needs {name} of the same archive: {other.musl_reason}"
            return replace(native, musl_verdict="needs", musl_packages=packages, musl_reason=reason)
    return native


def _base_name(path: str) -> str:
    return path.rpartition("!/")[2].rpartition("/")[2]


_MUSL_WORD = regex(r"[-_./]?(?:musl|alpine)", re.IGNORECASE)
_GLIBC_WORD = regex(r"[-_./]?(?:glibc|gnu)(?![a-z])", re.IGNORECASE)


def musl_twins(natives: Collection[NativeLibrary]) -> dict[str, str]:
    """Path of a glibc file -> path of the file the same jar carries for musl on the same platform.

    Jars name it in different ways: ``Linux-Musl/x86_64/``, ``x86_64-musl/``, ``Linux-Alpine/``, ``…-musl.so``,
    ``x86_64/musl/`` beside ``x86_64/glibc/``.
    """
    for_musl: dict[tuple[str | None, str, str], str] = {}
    others: list[tuple[NativeLibrary, str]] = []
    for native in natives:
        if native.os != "linux" or native.format != "elf":
            continue
        place = native.path.rpartition("!/")[2]
        plain = _MUSL_WORD.sub("", place)
        if plain == place and native.libc != "musl":
            others.append((native, _GLIBC_WORD.sub("", place)))
            continue
        for name in (plain, plain.rpartition("/")[2]):
            for_musl.setdefault((native.library, native.arch, name), native.path)
    twins: dict[str, str] = {}
    for native, place in others:
        for name in (place, place.rpartition("/")[2]):
            twin = for_musl.get((native.library, native.arch, name))
            if twin is not None:
                twins[native.path] = twin
                break
    return twins
