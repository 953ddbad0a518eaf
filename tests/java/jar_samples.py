"""Small archives, class files and native libraries made in the tests: no JDK, compiler or network is needed."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

MANIFEST = "META-INF/MANIFEST.MF"
WHEN = (2024, 5, 17, 12, 30, 8)


def manifest(**attributes: str) -> bytes:
    """`manifest(Main_Class="a.B")`: underscores stand for dashes; lines break after 72 bytes as jar tools do it."""
    text = "Manifest-Version: 1.0\r\n"
    for name, value in attributes.items():
        line = f"{name.replace('_', '-')}: {value}"
        text += line[:72] + "\r\n"
        for at in range(72, len(line), 71):
            text += " " + line[at : at + 71] + "\r\n"
    return (text + "\r\n").encode()


def zipped(entries: Mapping[str, bytes | None] | Sequence[tuple[str, bytes | None]]) -> bytes:
    """A zip: ``None`` makes a directory; nested archives are stored, all else is deflated."""
    buffer = io.BytesIO()
    pairs = entries.items() if isinstance(entries, Mapping) else entries
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in pairs:
            info = zipfile.ZipInfo(name, WHEN)
            stored = data is None or data.startswith(b"PK\3\4")
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, data or b"")
    return buffer.getvalue()


def library(group: str | None = None, artifact: str = "x", version: str = "1", **files: bytes) -> bytes:
    entries: dict[str, bytes | None] = {MANIFEST: manifest()}
    if group is not None:
        entries[f"META-INF/maven/{group}/{artifact}/pom.properties"] = (
            f"groupId={group}\nartifactId={artifact}\nversion={version}\n".encode()
        )
    entries[f"org/{artifact}/Some.class"] = class_file(f"org/{artifact}/Some")
    entries.update(files)
    return zipped(entries)


def class_file(
    name: str = "com/example/App",
    *,
    major: int = 61,
    classes: Iterable[str] = (),
    descriptors: Iterable[str] = (),
    strings: Iterable[str] = (),
) -> bytes:
    """A class file with these constants: class references, method descriptors, string constants."""
    pool: list[bytes] = []

    def utf8(text: str) -> int:
        data = text.encode()
        pool.append(b"\1" + struct.pack(">H", len(data)) + data)
        return len(pool)

    def reference(tag: int, *places: int) -> int:
        pool.append(struct.pack(f">B{len(places)}H", tag, *places))
        return len(pool)

    this = reference(7, utf8(name))
    above = reference(7, utf8("java/lang/Object"))
    pool.append(b"\5" + struct.pack(">q", 1 << 40))  # a long takes two places
    pool.append(b"")
    for other in classes:
        reference(7, utf8(other))
    for descriptor in descriptors:
        reference(12, utf8("call"), utf8(descriptor))
    for text in strings:
        reference(8, utf8(text))
    head = struct.pack(">LHHH", 0xCAFEBABE, 0, major, len(pool) + 1)
    return head + b"".join(pool) + struct.pack(">7H", 0x21, this, above, 0, 0, 0, 0)


LOADER = "org/springframework/boot/loader/"
NEW_LAUNCHER = "org.springframework.boot.loader.launch.JarLauncher"
OLD_LAUNCHER = "org.springframework.boot.loader.JarLauncher"


def boot_entries(
    version: str | None = "3.5.4",
    *,
    launcher: str = NEW_LAUNCHER,
    libraries: Mapping[str, bytes] | None = None,
    layers: str | None = "",
    class_path: bool = True,
    tools: str | None = "spring-boot-jarmode-tools",
    classes: Mapping[str, bytes] | None = None,
    extra: Mapping[str, bytes | None] | None = None,
    root: str = "BOOT-INF",
    **attributes: str,
) -> dict[str, bytes | None]:
    """What Spring Boot's plugins write. ``layers=""`` writes the default index, None none."""
    named = version or "3.5.4"
    if libraries is None:
        libraries = {
            f"spring-boot-{named}.jar": library(),
            "guava-32.1.3-jre.jar": library("com.google.guava", "guava"),
            "shop-model-1.0-SNAPSHOT.jar": library("com.example", "shop-model"),
        }
    libraries = dict(libraries)
    if tools is not None:
        libraries[f"{tools}-{named}.jar"] = library()
    lib = f"{root}/lib/"
    written = {"Main_Class": launcher, "Start_Class": "com.example.App"}
    if version is not None:
        written["Spring_Boot_Version"] = version
    written |= {"Spring_Boot_Classes": f"{root}/classes/", "Spring_Boot_Lib": lib}
    names = [f"{lib}{name}" for name in libraries]
    if class_path:
        written["Spring_Boot_Classpath_Index"] = f"{root}/classpath.idx"
    if layers is not None:
        written["Spring_Boot_Layers_Index"] = f"{root}/layers.idx"
    if layers == "":
        layers = "".join(
            f'- "{layer}":\n' + "".join(f'  - "{path}"\n' for path in paths)
            for layer, paths in {
                "dependencies": [name for name in names if "SNAPSHOT" not in name],
                "spring-boot-loader": ["org/"],
                "snapshot-dependencies": [name for name in names if "SNAPSHOT" in name],
                "application": [
                    f"{root}/classes/",
                    f"{root}/classpath.idx",
                    f"{root}/layers.idx",
                    "META-INF/",
                ],
            }.items()
        )
    package = LOADER + ("launch/" if ".launch." in launcher else "")
    modes = "JarModeRunner" if ".launch." in launcher else "jarmode/JarModeLauncher"
    entries: dict[str, bytes | None] = {
        "META-INF/": None,
        MANIFEST: manifest(**{**written, **attributes}),
        "org/": None,
        f"{package}JarLauncher.class": class_file(major=52),
        f"{package}{modes}.class": class_file(major=52),
        f"{root}/": None,
        f"{root}/classes/": None,
    }
    for name, data in (classes or {"com/example/App.class": class_file()}).items():
        entries[f"{root}/classes/{name}"] = data
    entries[f"{root}/classes/application.yml"] = b"server.port: 8080\n" * 20
    entries[lib] = None
    entries.update({f"{lib}{name}": data for name, data in libraries.items()})
    if class_path:
        entries[f"{root}/classpath.idx"] = "".join(f'- "{name}"\n' for name in names).encode()
    if layers is not None:
        entries[f"{root}/layers.idx"] = layers.encode()
    entries.update(extra or {})
    return entries


def write(path: Path, data: bytes | Mapping[str, bytes | None]) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else zipped(data))
    return path


def elf(
    *,
    needed: Sequence[str] = ("libc.so.6",),
    undefined: Sequence[tuple[str, str]] = (),
    wide: bool = True,
    big: bool = False,
    machine: int = 62,
    abi: int = 0,
    kind: int = 3,
    interpreter: str | None = None,
    flags: int = 0,
    flags1: int = 0,
    relocations: Sequence[tuple[int, int]] = (),
    plt: Sequence[tuple[int, int]] = (),
    tls: bool = False,
    versions: Mapping[str, tuple[str, str]] | None = None,
    note: tuple[str, int, bytes] | None = None,
    dynamic: bool = True,
    debug: bool = False,
    run_path: str | None = None,
    own_type: int = 2,
    own_hidden: bool = False,
) -> bytes:
    """An ELF file. ``undefined``: (name, binding: "global" or "weak"); their symbol indices start at 1.
    ``relocations`` and ``plt``: (symbol index, type). ``versions``: symbol name -> (library, version).
    The symbol behind the undefined ones is its own, of type ``own_type``, in an old version when ``own_hidden``.
    """
    order = ">" if big else "<"
    header_size, segment_size = (64, 56) if wide else (52, 32)
    word = "Q" if wide else "L"
    segments = 1 + bool(dynamic) + bool(interpreter) + tls + bool(note)
    strings = bytearray(b"\0")

    def text(value: str) -> int:
        at = strings.find(value.encode() + b"\0")
        if at < 0:
            at = len(strings)
            strings.extend(value.encode() + b"\0")
        return at

    def symbol(name: int, info: int, section: int) -> bytes:
        if wide:
            return struct.pack(order + "LBBHQQ", name, info, 0, section, 0, 0)
        return struct.pack(order + "LLLBBH", name, 0, 0, info, 0, section)

    names = [text(name) for name in needed]
    search = text(run_path or "")
    table = symbol(0, 0, 0)
    for name, binding in undefined:
        table += symbol(text(name), (1 if binding == "global" else 2) << 4 | 2, 0)
    table += symbol(text("Java_defined_here"), 1 << 4 | own_type, 1)
    count = len(undefined) + 2
    own_version = 0x8002 if own_hidden else 1
    versym = struct.pack(f"{order}{count}H", *([0] * (count - 1)), own_version)
    verneed = b""
    if versions:
        indices = {pair: 2 + number for number, pair in enumerate(dict.fromkeys(versions.values()))}
        listed = [indices.get(versions.get(name, ("", "")), 1) for name, _ in undefined]
        versym = struct.pack(f"{order}{count}H", 0, *listed, own_version)
        files = list(dict.fromkeys(file for file, _ in indices))
        for number, file in enumerate(files):
            own = [(version, index) for (owner, version), index in indices.items() if owner == file]
            step = 16 + 16 * len(own) if number + 1 < len(files) else 0
            verneed += struct.pack(order + "HHLLL", 1, len(own), text(file), 16, step)
            for place, (version, index) in enumerate(own):
                after = 16 if place + 1 < len(own) else 0
                verneed += struct.pack(order + "LHHLL", 0, 0, index, text(version), after)

    def relocation(number: int, type_: int) -> bytes:
        if wide:
            return struct.pack(order + "QQq", 0x1000, number << 32 | type_, 0)
        return struct.pack(order + "LLl", 0x1000, number << 8 | type_, 0)

    rela = b"".join(relocation(*item) for item in relocations)
    jmprel = b"".join(relocation(*item) for item in plt)
    hashes = struct.pack(order + ("4Q" if machine == 22 else "4L"), 1, count, 0, 0)  # s390x differs
    noted = b""
    if note is not None:
        owner = note[0].encode() + b"\0"
        noted = struct.pack(order + "3L", len(owner), len(note[2]), note[1]) + owner
        noted += b"\0" * (-len(noted) % 4) + note[2]
    body = bytearray()
    start = header_size + segments * segment_size

    def place(data: bytes) -> int:
        body.extend(b"\0" * (-(start + len(body)) % 8))
        at = start + len(body)
        body.extend(data)
        return at

    interp = (interpreter or "").encode() + b"\0"
    places = {
        "strings": place(bytes(strings)),
        "symbols": place(table),
        "hash": place(hashes),
        "versym": place(versym),
        "verneed": place(verneed),
        "rela": place(rela),
        "jmprel": place(jmprel),
        "interp": place(interp),
        "note": place(noted),
    }
    tags = [(1, at) for at in names]
    tags += [(5, places["strings"]), (10, len(strings)), (6, places["symbols"]), (4, places["hash"])]
    if rela:
        tags += [(7, places["rela"]), (8, len(rela))]
    if jmprel:
        tags += [(23, places["jmprel"]), (2, len(jmprel)), (20, 7)]
    if verneed or own_hidden:
        tags.append((0x6FFFFFF0, places["versym"]))
    if verneed:
        tags += [(0x6FFFFFFE, places["verneed"]), (0x6FFFFFFF, len(files))]
    if own_hidden:
        tags.append((0x6FFFFFFC, places["versym"]))  # what the definitions are is not read
    if run_path:
        tags.append((29, search))
    if debug:
        tags.append((21, 0))
    tags += [(30, flags), (0x6FFFFFFB, flags1), (0, 0)]
    section = b"".join(struct.pack(order + word * 2, tag, value) for tag, value in tags)
    dynamic_at = place(section)
    total = start + len(body)

    def segment(kind_: int, offset: int, size: int) -> bytes:
        if wide:
            return struct.pack(order + "LLQQQQQQ", kind_, 4, offset, offset, offset, size, size, 8)
        return struct.pack(order + "8L", kind_, offset, offset, offset, size, size, 4, 8)

    table_of_segments = segment(1, 0, total)
    if dynamic:
        table_of_segments += segment(2, dynamic_at, len(section))
    if interpreter:
        table_of_segments += segment(3, places["interp"], len(interp))
    if tls:
        table_of_segments += segment(7, dynamic_at, 8)
    if note:
        table_of_segments += segment(4, places["note"], len(noted))
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1, abi]) + b"\0" * 8
    form = order + "HHL" + word * 3 + "L6H"
    head = ident + struct.pack(
        form, kind, machine, 1, 0, header_size, 0, 0, header_size, segment_size, segments, 0, 0, 0
    )
    return head + table_of_segments + bytes(body)


def pe(machine: int = 0x8664) -> bytes:
    return (
        b"MZ"
        + b"\0" * 58
        + struct.pack("<L", 0x80)
        + b"\0" * 64
        + b"PE\0\0"
        + struct.pack("<H", machine)
        + b"\0" * 64
    )


def macho(cpu: int = 0x0100000C) -> bytes:
    return b"\xcf\xfa\xed\xfe" + struct.pack("<LLL", cpu, 0, 6) + b"\0" * 64


def fat_macho(*cpus: int) -> bytes:
    head = struct.pack(">LL", 0xCAFEBABE, len(cpus))
    return head + b"".join(struct.pack(">5L", cpu, 0, 4096, 10, 12) for cpu in cpus) + b"\0" * 64
