"""Modules of one system have the same libraries: each is looked through and compressed once. Work is counted, not timed."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, elf, library
from command_line import Imgopt

from imgopt.compressing import Packed
from imgopt.java import jar as jars
from imgopt.java.jar import read_jar
from imgopt.weigh import layers

DOCKERFILE = (
    'FROM eclipse-temurin:17-jre-alpine\nCOPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
)
SHARED = {f"shared-{number}-1.0.jar": library(size=300_000, seed=number) for number in range(4)}


def module(root: Path, number: int, libraries: dict[str, bytes] | None = None) -> Path:
    directory = root / f"module-{number:02}"
    directory.mkdir(parents=True)
    boot_jar(directory / "app.jar", libraries=SHARED | (libraries or {}), application=f"module-{number}")
    (directory / "Dockerfile").write_text(DOCKERFILE)
    return directory / "app.jar"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Bytes that are compressed and directories of libraries that are looked through, from here on."""
    done = {"compressed": 0, "directories": 0}
    pack, look = layers.packed, jars._look_through

    def packed(chunks: Iterable[bytes], kind: Any = "other") -> Packed:
        def counted() -> Iterator[bytes]:
            for chunk in chunks:
                done["compressed"] += len(chunk)
                yield chunk

        return pack(counted(), kind)

    def look_through(directory: bytes) -> Any:
        done["directories"] += 1
        return look(directory)

    monkeypatch.setattr(layers, "packed", packed)
    monkeypatch.setattr(jars, "_look_through", look_through)
    jars._directories.clear()
    return done


def sizes(imgopt: Imgopt, root: Path) -> dict[str, Any]:
    run = imgopt("suggest", "--format", "json", str(root))
    assert run.code == 0, run.err
    return {
        Path(file["path"]).parent.name: file["prediction"]["first_push_bytes"] for file in run.json["files"]
    }


def test_thirteen_modules_cost_little_more_than_one(
    imgopt: Imgopt, tmp_path: Path, work: dict[str, int]
) -> None:
    for number in range(13):
        module(tmp_path / "all", number)
    module(tmp_path / "one", 0)
    alone = sizes(imgopt, tmp_path / "one")
    one = dict(work)
    work.update(compressed=0, directories=0)
    jars._directories.clear()
    together = sizes(imgopt, tmp_path / "all")
    assert len(together) == 13 and together["module-00"] == alone["module-00"]
    assert one["directories"] == work["directories"] > len(SHARED)
    libraries = sum(map(len, SHARED.values()))
    assert libraries < one["compressed"] < 1.05 * libraries
    # the libraries once, and of each module what lies around them
    assert work["compressed"] - libraries <= 13 * (one["compressed"] - libraries)


def test_a_library_of_one_module_is_weighed_for_it(
    imgopt: Imgopt, tmp_path: Path, work: dict[str, int]
) -> None:
    module(tmp_path, 0)
    module(tmp_path, 1, {"own-1.0.jar": library(size=400_000, seed=9)})
    module(tmp_path, 2, {"shared-0-1.0.jar": bytes(300_300)})  # the name of another's
    found = {name: size["before"] for name, size in sizes(imgopt, tmp_path).items()}
    assert found["module-01"] > found["module-00"] + 390_000
    assert found["module-02"] < found["module-00"] - 290_000


def claiming(jar: Path, library: str, crc32: int) -> None:
    """Has the jar's directory, and the header before the library, say another CRC-32 of it."""
    with zipfile.ZipFile(jar) as archive:
        entry = next(each for each in archive.infolist() if each.filename.endswith(f"/{library}"))
    data = bytearray(jar.read_bytes())
    at = data.rindex(b"PK\1\2", 0, data.rindex(entry.filename.encode()))
    data[at + 16 : at + 20] = data[entry.header_offset + 14 : entry.header_offset + 18] = struct.pack(
        "<I", crc32
    )
    jar.write_bytes(data)


@pytest.fixture
def told_alike(tmp_path: Path) -> Callable[[bytes], tuple[Path, Path]]:
    """Two modules that say the same of a library, name, size and CRC-32; in the first it is other content."""

    def make(other: bytes) -> tuple[Path, Path]:
        true = library(size=len(other) - len(library(size=0)), seed=5)
        assert len(true) == len(other)
        first = module(tmp_path, 0, {"alike-1.0.jar": other})
        second = module(tmp_path, 1, {"alike-1.0.jar": true})
        claiming(first, "alike-1.0.jar", zlib.crc32(true))
        with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
            name = "BOOT-INF/lib/alike-1.0.jar"
            assert one.getinfo(name).CRC == two.getinfo(name).CRC
            assert one.getinfo(name).file_size == two.getinfo(name).file_size
        return first, second

    return make


def test_a_jar_that_lies_about_a_library_is_not_believed_for_others(
    told_alike: Callable[[bytes], tuple[Path, Path]], imgopt: Imgopt, tmp_path: Path
) -> None:
    told_alike(library({"zeros.txt": bytes(300_000)}, size=1_000))
    together = sizes(imgopt, tmp_path)
    alone = sizes(imgopt, tmp_path / "module-01")
    assert together["module-01"] == alone["module-01"]
    assert together["module-00"]["before"] < together["module-01"]["before"] - 250_000


def test_what_a_jar_says_of_a_library_tells_nothing_of_its_native_code(
    told_alike: Callable[[bytes], tuple[Path, Path]],
) -> None:
    """Both orders: it is looked into, whatever a jar that was read before has under that name, size and CRC-32."""
    first, second = told_alike(library({"linux/libx.so": elf(("libresolv.so.2",))}, size=100_000))
    for order in ((first, second), (second, first)):
        jars._directories.clear()
        found = {path: read_jar(path).natives for path in order}
        assert [each.path.rpartition("/")[2] for each in found[first]] == ["libx.so"]
        assert found[second] == ()
