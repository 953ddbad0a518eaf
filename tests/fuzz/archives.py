"""Zip archives as a fuzzer changes them: entries, archives in archives, and what the records of a zip lie about.

An archive is taken apart into `Part`s, changed and written again. Its records are true but for what `lies` holds.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

Bytewise = Callable[[bytes, int], bytes]

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_RECORD = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FIELDS = (  # of a directory record: offset, width
    *((8, 2), (10, 2), (12, 2), (14, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (34, 2), (42, 4)),
)  # fmt: skip
_NUMBERS = (0, 1, 2, 7, 8, 0x2D, 46, 0x7F, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 1 << 20)
_WIDE = (*_NUMBERS, 1 << 24, 1 << 30, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_NAMES = (
    *("META-INF/MANIFEST.MF", "meta-inf/manifest.mf", "BOOT-INF/layers.idx", "BOOT-INF/classpath.idx", "WEB-INF/web.xml"),
    *("BOOT-INF/classes/com/example/App.class", "BOOT-INF/classes/", "com/example/Main.class", "module-info.class"),
    *("BOOT-INF/lib/x-1.0.jar", "BOOT-INF/lib/x-1.0-SNAPSHOT.jar", "WEB-INF/lib/y-2.jar", "lib/z.jar", "a.war", "lib/"),
    *("META-INF/maven/g/a/pom.properties", "META-INF/versions/9/a.class", "linux-x86-64/libx.so", "libx.so.1", "x.dll"),
    *("Linux-Musl/x86_64/libx.so", "BOOT-INF/classes/blob", "../../etc/passwd", "/etc/passwd", "C:\\a", "a\0b", "", "/"),
    *("org/springframework/boot/loader/launch/JarLauncher.class", "org/springframework/boot/loader/JarLauncher.class"),
    *("BOOT-INF/lib/spring-boot-jarmode-tools-3.5.4.jar", "BOOT-INF/lib/spring-boot-3.5.4.jar", "é.class", "\udcff.jar"),
    *("org/springframework/boot/loader/jarmode/JarModeLauncher.class", "quarkus/quarkus-application.dat", "a" * 300),
)  # fmt: skip
_LINES = (
    *(b"Main-Class: a.B\n", b"Start-Class: com.example.App\r\n", b" continued\n", b"Class-Path: a.jar b%20c.jar ../d.jar\n"),
    *(b"Main-Class: org.springframework.boot.loader.launch.JarLauncher\n", b"Spring-Boot-Version: 3.5.4\n", b"\n", b":\n"),
    *(b"Main-Class: org.springframework.boot.loader.PropertiesLauncher\n", b"Spring-Boot-Lib: BOOT-INF/lib/\n", b"a\n"),
    *(b"Spring-Boot-Layers-Index: BOOT-INF/layers.idx\n", b"Spring-Boot-Classes: \n", b"Build-Jdk-Spec: 17\n", b" \n"),
    *(b"Main-Class: io.quarkus.bootstrap.runner.QuarkusEntryPoint\n", b"Main-Class: io.quarkus.runner.GeneratedMain\n"),
    *(b'- "dependencies":\n', b'  - "BOOT-INF/lib/"\n', b'- "a":\n  - ""\n', b"- a:\n  - b/\n", b"  - a/b/c/\n", b"\xef\xbb\xbf"),
    *(b"Spring-Boot-Layers-Index: META-INF/MANIFEST.MF\n", b"Multi-Release: true\n", b"Spring-Boot-Version: 2.1.0.RELEASE\n"),
    *(b"Spring-Boot-Classpath-Index: BOOT-INF/classpath.idx\n", b"version=1\n", b"X: \x1b[31m\n", b"\0", b"\xff"),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """``lies``: (offset, width, value) to be written over the directory record; ``shares``: the number of the part
    whose bytes this one claims, None for its own. ``raw``: the data are deflated already."""

    name: bytes
    data: bytes
    deflated: bool
    lies: tuple[tuple[int, int, int], ...] = ()
    shares: int | None = None
    raw: int | None = None
    comment: bytes = b""


@dataclass(frozen=True)
class Archive:
    parts: tuple[Part, ...]
    before: bytes = b""
    behind: bytes = b""
    wide: bool = False  # zip64, needed or not
    end_lies: tuple[tuple[int, int, int], ...] = field(default=())


def taken_apart(data: bytes, *, most: int = 2000) -> Archive | None:
    """None when the bytes are no archive that this module could have written."""
    end = data.rfind(b"PK\5\6")
    if end < 0 or end + _END.size > len(data):
        return None
    size, offset = struct.unpack_from("<LL", data, end + 12)
    at = end - size
    if at < 0:
        return None
    shift = max(0, at - offset)
    parts = []
    while at + 46 <= end and data.startswith(b"PK\1\2", at) and len(parts) < most:
        record = _RECORD.unpack_from(data, at)
        method, packed, length = record[4], record[8], record[10]
        name = data[at + 46 : at + 46 + length]
        local = record[16] + shift
        content = b""
        deflated = method == 8
        if data.startswith(b"PK\3\4", local) and local + 30 <= len(data):
            start = local + 30 + sum(struct.unpack_from("<HH", data, local + 26))
            content = data[start : start + packed]
            if deflated:
                try:
                    content = zlib.decompressobj(-15).decompress(content, 1 << 20)
                except zlib.error:
                    deflated = False
        parts.append(Part(name, content, deflated))
        at += 46 + sum(record[10:13])
    return Archive(tuple(parts), data[: min(shift, 4096)], data[end + _END.size :][:4096])


def put_together(archive: Archive) -> bytes:
    body = bytearray(archive.before)
    directory = bytearray()
    offsets: list[int] = []
    for number, part in enumerate(archive.parts):
        shared = part.shares if part.shares is not None and part.shares < number else None
        source = part if shared is None else archive.parts[shared]
        packed, crc = _packed(source)
        size = source.raw if source.raw is not None else len(source.data)
        method = 8 if source.deflated else 0
        offset = len(body) if shared is None else offsets[shared]
        offsets.append(offset)
        extra = struct.pack("<HH3Q", 1, 24, size, len(packed), offset) if archive.wide else b""
        if shared is None:
            body += _LOCAL.pack(b"PK\3\4", 20, 0, method, 0, 33, crc, len(packed), size, len(part.name), 0)
            body += part.name + packed
        record = bytearray(
            _RECORD.pack(
                *(b"PK\1\2", 20, 20, 0, method, 0, 33, crc, len(packed), size, len(part.name), 0, len(part.comment)),
                *(0, 0, 0, offset),
            )
        )  # fmt: skip
        if archive.wide:
            _lie(record, tuple((at, 4, 0xFFFFFFFF) for at in (20, 24, 42)))
            _lie(record, ((30, 2, len(extra)),))
        _lie(record, part.lies)
        directory += record + part.name + extra + part.comment
    count = min(len(archive.parts), 0xFFFF)
    end = bytearray(
        _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), len(body), len(archive.behind) & 0xFFFF)
    )
    if archive.wide:
        end64 = len(body) + len(directory)
        directory += _END64.pack(b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(body))
        directory += struct.pack("<4sLQL", b"PK\6\7", 0, end64, 1)
        _lie(end, ((8, 4, 0xFFFFFFFF), (12, 4, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF)))
    _lie(end, archive.end_lies)
    return bytes(body + directory + end) + archive.behind


def _lie(record: bytearray, lies: tuple[tuple[int, int, int], ...]) -> None:
    for offset, width, value in lies:
        record[offset : offset + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def _packed(part: Part) -> tuple[bytes, int]:
    if part.raw is not None:
        return part.data, 0
    data = part.data
    if part.deflated:
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        data = packer.compress(data) + packer.flush()
    return data, zlib.crc32(part.data)


def zeros(head: bytes, megabytes: int) -> tuple[bytes, int]:
    """``head`` and so many megabytes of zeros, deflated a thousand to one; and their size."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + _megabyte() * megabytes + packer.flush(), len(head) + (megabytes << 20)


@lru_cache(maxsize=1)
def _megabyte() -> bytes:
    """May be repeated as it is, behind a full flush."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)


def changed(archive: Archive, most: int, chance: random.Random, bytewise: Bytewise, deep: int = 0) -> Archive:
    """One change of an archive, ``most`` bytes being about what there is room for."""
    parts = list(archive.parts)
    if not parts:
        parts.append(Part(chance.choice(_NAMES).encode("utf-8", "surrogateescape"), b"", True))
    number = chance.randrange(len(parts))
    part = parts[number]
    kind = chance.randrange(16)
    if kind < 5:
        parts[number] = replace(part, data=_content(part, most, chance, bytewise, deep), raw=None)
    elif kind == 5:
        parts[number] = replace(part, name=_name(part.name, chance, bytewise))
    elif kind == 6:
        name = chance.choice(_NAMES).encode("utf-8", "surrogateescape")
        parts.insert(number, replace(chance.choice(parts), name=name))
    elif kind == 7:
        del parts[number]
    elif kind == 8:
        chance.shuffle(parts)
    elif kind == 9:
        parts[number] = replace(part, deflated=not part.deflated, raw=None)
    elif kind == 10:
        offset, width = chance.choice(_FIELDS)
        parts[number] = replace(part, lies=(*part.lies[-3:], (offset, width, chance.choice(_WIDE))))
    elif kind == 11:
        value = chance.choice(_WIDE)
        at = chance.choice(((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)))
        return replace(archive, end_lies=(*archive.end_lies[-2:], (*at, value)))
    elif kind == 12:  # one part many times, each with a name of its own, all sharing the bytes of the first
        times = min(
            chance.choice((2, 5, 10, 100, 1000) if chance.random() < 0.2 else (1, 2, 4)),
            most // (120 + len(part.name)),
        )
        stem, dot, suffix = part.name.rpartition(b".")
        names = [b"%s%d%s%s" % (stem or b"x", copy, dot, suffix) for copy in range(times)]
        shared = chance.random() < 0.7
        size = len(part.data) // (2 if part.deflated else 1)
        if not shared and size * times > most:
            shared = True
        parts += [replace(part, name=name, shares=number if shared else None) for name in names]
    elif kind == 13:
        data, size = zeros(
            part.data[:4096], chance.choice((1, 5, 40, 95) if chance.random() < 0.1 else (0, 1))
        )
        if len(data) < most:
            parts[number] = replace(part, data=data, raw=size, deflated=True)
    elif kind == 14:
        before = chance.choice(
            (b"", b"#!/bin/sh\n", b"PK\3\4", b"PK\5\6" + b"\0" * 18, b"\x7fELF", b"\0" * 70)
        )
        behind = chance.choice((b"", b"\n", b"PK\5\6", b"PK\5\6" + b"\0" * 18, b"PK\1\2", b"\0" * 30))
        return replace(archive, before=before, behind=behind, wide=chance.random() < 0.3)
    else:
        comment = chance.choice((b"UNPACK", b"UNPACK:aa", b"x" * 100, b"PK\1\2", b""))
        parts[number] = replace(part, comment=comment)
    return replace(archive, parts=tuple(parts))


def _name(name: bytes, chance: random.Random, bytewise: Bytewise) -> bytes:
    if chance.random() < 0.6:
        return chance.choice(_NAMES).encode("utf-8", "surrogateescape")
    if chance.random() < 0.3:
        return (name or b"a/") * chance.choice((2, 20, 200))
    return bytewise(name, len(name) + 20)


def _content(part: Part, most: int, chance: random.Random, bytewise: Bytewise, deep: int) -> bytes:
    data = part.data
    if deep < 3 and data.startswith(b"PK") and chance.random() < 0.7:
        inner = taken_apart(data)
        if inner is not None:
            return put_together(changed(inner, most, chance, bytewise, deep + 1))
    if data.startswith((b"\x7fELF", b"\xca\xfe\xba\xbe", b"MZ")) and chance.random() < 0.7:
        return with_numbers(data, chance)
    if part.name.endswith((b".MF", b".idx", b".properties")) or chance.random() < 0.1:
        lines = data.splitlines(keepends=True)
        at = chance.randint(0, len(lines))
        more = [chance.choice(_LINES)] * min(
            chance.choice((1, 5, 500, 200_000) if chance.random() < 0.1 else (1, 2)), 1 + most
        )
        return b"".join([*lines[:at], *more, *lines[at:]])
    if chance.random() < 0.1:
        return data * chance.choice((2, 10))
    return bytewise(data, len(data) + 50)


def with_numbers(data: bytes, chance: random.Random) -> bytes:
    """Some places set to numbers that sizes, counts and offsets like to go wrong with."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        width = chance.choice((1, 2, 2, 4, 4, 8))
        if len(changed) < width:
            return bytes(changed)
        span = len(changed) - width
        at = chance.randint(0, min(span, 600)) if chance.random() < 0.6 else chance.randint(0, span)
        at -= at % width if chance.random() < 0.8 else 0
        value = chance.choice(_WIDE) if chance.random() < 0.7 else chance.randint(0, len(data))
        order = "big" if data.startswith(b"\xca\xfe") or data[5:6] == b"\2" else "little"
        changed[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, order)  # type: ignore[arg-type]
    return bytes(changed)
