"""Small archives in the shape of Spring Boot's, written with `zipfile`: for cases that need a jar but no JVM.

The real thing (built by Maven, unpacked and started) is tested in `tests/engines`.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FIXED = (1980, 2, 1, 0, 0, 0)
PADDING = 1_200_000  # layering starts at a megabyte: below that there is nothing to gain


def class_file(name: str, references: Sequence[str] = (), major: int = 61) -> bytes:
    """The least a class file needs to be read: its level and the classes it refers to."""
    names = [name, "java/lang/Object", *references]
    pool = b""
    for index, text in enumerate(names):
        data = text.encode()
        pool += b"\x01" + struct.pack(">H", len(data)) + data + b"\x07" + struct.pack(">H", 2 * index + 1)
    count = 2 * len(names) + 1
    return (
        b"\xca\xfe\xba\xbe"
        + struct.pack(">HHH", 0, major, count)
        + pool
        + struct.pack(">HHHHHHH", 0x21, 2, 4, 0, 0, 0, 0)
    )


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress, the same each time."""
    import random

    return random.Random(seed).randbytes(size)


def library(entries: Mapping[str, bytes] | None = None, size: int = 2_000, seed: int = 1) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {
            "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n\r\n",
            **(entries or {}),
        }.items():
            archive.writestr(zipfile.ZipInfo(name, FIXED), data)
        archive.writestr(zipfile.ZipInfo("blob.bin", FIXED), noise(size, seed))
    return buffer.getvalue()


def elf(needed: Sequence[str] = ("libc.so.6",), machine: int = 62) -> bytes:
    """A shared object for 64-bit Linux with a dynamic section that names what it needs."""
    strings = b"\0"
    offsets = []
    for name in needed:
        offsets.append(len(strings))
        strings += name.encode() + b"\0"
    dynamic = b"".join(struct.pack("<qQ", 1, offset) for offset in offsets)
    header, headers = 64, 2 * 56
    strtab = header + headers
    dyn = strtab + len(strings)
    dynamic += struct.pack("<qQ", 5, strtab) + struct.pack("<qQ", 10, len(strings)) + struct.pack("<qQ", 0, 0)
    total = dyn + len(dynamic)
    ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    ehdr = ident + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, header, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, total, total, 0x1000)
    phdr = struct.pack("<IIQQQQQQ", 2, 6, dyn, dyn, dyn, len(dynamic), len(dynamic), 8)
    return ehdr + load + phdr + strings + dynamic


def boot_jar(
    path: Path,
    *,
    version: str = "3.5.4",
    libraries: Mapping[str, bytes] | None = None,
    layered: bool = True,
    jarmode: str | None = "tools",
    launcher: str | None = None,
    references: Sequence[str] = (),
    major: int = 61,
    manifest: Mapping[str, str] | None = None,
    prefix: bytes = b"",
    war: bool = False,
    modules: Sequence[str] = (),
    application: str = "application",
    extra: Mapping[str, bytes] | None = None,
    launcher_major: int = 52,
) -> None:
    """Writes an executable archive. ``libraries``: file name -> bytes, in the order they shall have. ``extra``: further
    entries, which layers.idx does not name.

    ``modules``: those of them that layers.idx has in the last layer, ``application``, beside the classes.
    """
    parts = tuple(int(part) for part in version.split(".")[:2])
    kind = "WarLauncher" if war else "JarLauncher"
    package = "org.springframework.boot.loader" + (".launch" if parts >= (3, 2) else "")
    launcher = launcher or f"{package}.{kind}"
    top = "WEB-INF" if war else "BOOT-INF"
    libs = dict(
        libraries or {"big-1.0.jar": library(size=PADDING), f"spring-core-{version}.jar": library(seed=2)}
    )
    if jarmode:
        libs[f"spring-boot-jarmode-{jarmode}-{version}.jar"] = library(seed=3)
    attributes = {
        "Manifest-Version": "1.0",
        "Main-Class": launcher,
        "Start-Class": "com.example.App",
        "Spring-Boot-Version": version,
        "Spring-Boot-Classes": f"{top}/classes/",
        "Spring-Boot-Lib": f"{top}/lib/",
        **({"Spring-Boot-Layers-Index": f"{top}/layers.idx"} if layered else {}),
        **({"Spring-Boot-Classpath-Index": f"{top}/classpath.idx"} if parts >= (2, 3) else {}),
        **(manifest or {}),
    }
    snapshots = [name for name in libs if "SNAPSHOT" in name]
    snapshots = [name for name in snapshots if name not in modules]
    released = [name for name in libs if name not in snapshots and name not in modules]
    index = (
        '- "dependencies":\n'
        + "".join(f'  - "{top}/lib/{name}"\n' for name in released)
        + '- "spring-boot-loader":\n  - "org/"\n- "snapshot-dependencies":\n'
        + "".join(f'  - "{top}/lib/{name}"\n' for name in snapshots)
        + f'- "{application}":\n  - "{top}/classes/"\n  - "{top}/classpath.idx"\n  - "{top}/layers.idx"\n'
        + "".join(f'  - "{top}/lib/{name}"\n' for name in modules)
        + '  - "META-INF/"\n'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    buffer.write(prefix)
    with zipfile.ZipFile(buffer, "a" if prefix else "w", zipfile.ZIP_DEFLATED) as archive:

        def put(name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
            info = zipfile.ZipInfo(name, FIXED)
            info.compress_type = method
            archive.writestr(info, data)

        put(
            "META-INF/MANIFEST.MF",
            "".join(f"{key}: {value}\r\n" for key, value in attributes.items()).encode() + b"\r\n",
        )
        put(
            launcher.replace(".", "/") + ".class",
            class_file(launcher.replace(".", "/"), major=launcher_major),
        )
        if parts >= (2, 3):
            put(
                "org/springframework/boot/loader/jarmode/JarModeLauncher.class",
                class_file("JarModeLauncher", major=52),
            )
        put(f"{top}/classes/com/example/App.class", class_file("com/example/App", references, major))
        put(f"{top}/classes/application.yml", b"server:\n  port: 8080\n")
        for name, data in libs.items():
            put(f"{top}/lib/{name}", data, zipfile.ZIP_STORED)
        if parts >= (2, 3):
            put(f"{top}/classpath.idx", "".join(f'- "{top}/lib/{name}"\n' for name in libs).encode())
        if layered:
            put(f"{top}/layers.idx", index.encode())
        for name, data in (extra or {}).items():
            put(name, data)
    path.write_bytes(buffer.getvalue())


def flat_jar(path: Path, size: int = PADDING) -> None:
    """A shaded jar: one flat tree with the traces of several libraries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            zipfile.ZipInfo("META-INF/MANIFEST.MF", FIXED),
            "Manifest-Version: 1.0\r\nMain-Class: com.example.Main\r\n\r\n",
        )
        for name in ("com.google.guava/guava", "org.slf4j/slf4j-api", "com.example/app"):
            archive.writestr(zipfile.ZipInfo(f"META-INF/maven/{name}/pom.properties", FIXED), "version=1.0\n")
        archive.writestr(zipfile.ZipInfo("com/example/Main.class", FIXED), class_file("com/example/Main"))
        archive.writestr(zipfile.ZipInfo("blob.bin", FIXED), noise(size))
