"""Fuzzes the jar reader with archives, ELF files, class files and indexes, changed so that they stay such for long.

    python tests/fuzz/fuzz_jar.py --seconds 3600

How it works and where results go: `fuzzing.py`. What must hold: `checks.check_jar`.
"""

from __future__ import annotations

import atexit
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import archives
import fuzzing


def mutate(data: bytes, most: int, chance: random.Random, bytewise: Callable[[bytes, int], bytes]) -> bytes:
    archive = archives.taken_apart(data)
    if archive is None or chance.random() < 0.15:
        if chance.random() < 0.5:
            return archives.with_numbers(data, chance)
        if chance.random() < 0.1:
            return data[: chance.randint(0, len(data))]
        return bytewise(data, most)
    for _ in range(chance.choice((1, 1, 2, 4))):
        archive = archives.changed(archive, most - len(data), chance, bytewise)
    written = archives.put_together(archive)
    return written if len(written) <= most else bytewise(data, most)


def seeds() -> Iterator[bytes]:
    fuzzing.set_paths()
    from jar_samples import (
        OLD_LAUNCHER,
        boot_entries,
        class_file,
        elf,
        fat_macho,
        library,
        macho,
        manifest,
        pe,
        zipped,
    )

    natives = {
        "linux-x86-64/libx.so": elf(
            needed=["libstdc++.so.6", "libc.so.6"], undefined=[("__strdup", "global")]
        ),
        "Linux-Musl/x86_64/liby.so": elf(needed=["libc.musl-x86_64.so.1"]),
        "Linux/x86_64/liby.so": elf(
            undefined=[("fcntl64", "global"), ("backtrace", "weak")],
            versions={"fcntl64": ("libc.so.6", "GLIBC_2.28")},
            relocations=[(1, 6), (2, 1)],
            plt=[(1, 7)],
            tls=True,
            flags=0x10,
        ),
        "linux-arm/libz.so": elf(wide=False, machine=40, interpreter="/lib/ld-linux.so.3"),
        "linux-s390x/libz.so": elf(big=True, machine=22, note=("GNU", 1, b"\0" * 16)),
        "win/x.dll": pe(),
        "mac/x.dylib": fat_macho(7, 12),
        "mac/y.dylib": macho(),
    }
    classes = {"com/example/App.class": class_file(classes=["java/awt/Font"], strings=["sun.misc.Unsafe"])}
    plain = zipped(boot_entries(classes=classes))
    libraries = {"spring-boot-3.5.4.jar": library(), "n-1.jar": library("g", "n", **natives)}
    yield plain
    yield zipped(
        boot_entries(libraries=libraries, extra={f"BOOT-INF/classes/{k}": v for k, v in natives.items()})
    )
    yield zipped(
        boot_entries("2.1.0.RELEASE", launcher=OLD_LAUNCHER, layers=None, class_path=False, tools=None)
    )
    yield zipped(
        boot_entries("2.7.18", launcher=OLD_LAUNCHER, root="WEB-INF", tools="spring-boot-jarmode-layertools")
    )
    yield b"#!/bin/bash\nexit 0\n" + plain
    yield zipped(
        {
            "META-INF/MANIFEST.MF": manifest(Main_Class="com.example.Main", Build_Jdk="17"),
            "com/example/Main.class": class_file("com/example/Main"),
            **{f"META-INF/maven/g/{name}/pom.properties": b"version=1\n" for name in "abc"},
            **natives,
        }
    )
    yield zipped({"META-INF/MANIFEST.MF": manifest(Main_Class="a.B", Class_Path="lib/a.jar lib/b%20c.jar")})
    quarkus = manifest(Main_Class="io.quarkus.bootstrap.runner.QuarkusEntryPoint")
    yield zipped({"META-INF/MANIFEST.MF": quarkus, "META-INF/": None})
    yield zipped({"WEB-INF/web.xml": b"<web-app/>", "WEB-INF/lib/n-1.jar": library("g", "n", **natives)})
    yield from natives.values()
    yield class_file(classes=["java/awt/Font", "[Ljava/awt/Color;"], descriptors=["(Lsun/misc/Unsafe;)V"])
    yield b'- "dependencies":\n  - "BOOT-INF/lib/"\n- "application":\n  - "BOOT-INF/classes/"\n'


def load() -> fuzzing.Target:
    from checks import check_jar

    folder = Path("/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())
    # the parent's number: workers that an input took down leave their file to the next one
    path = folder / f"imgopt-fuzz-{os.getppid()}.jar"
    atexit.register(path.unlink, missing_ok=True)
    return fuzzing.Target("jar", lambda data: check_jar(data, path), seeds, mutate, 200_000)


if __name__ == "__main__":
    fuzzing.main(__file__, load)
