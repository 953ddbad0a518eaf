"""Archives of images that nobody means well with: what their headers claim costs neither memory nor disk."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from pathlib import Path

import pytest
from bounds import bounded
from image_archives import docker_archive, packed, tar_of

from imgopt.errors import InputError
from imgopt.sources.open import MOST_INFLATION, open_image

LAYER = tar_of({"app/app.jar": b"x" * 100})
WHOLE = docker_archive({"1/layer.tar": LAYER}, [LAYER])
HUGE = 3 << 30


def header(kind: bytes, size: int, name: str = "a") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [b"x", b"g", b"X", b"L", b"K"])
def test_a_header_of_three_gigabytes(kind: bytes, tmp_path: Path) -> None:
    """A sparse file: it takes nothing on the disk, and would take all of the memory."""
    archive = tmp_path / "app.tar"
    with archive.open("wb") as file:
        file.write(header(kind, HUGE))
        file.seek(HUGE, os.SEEK_CUR)
        file.write(WHOLE)
    run = bounded("inspect", archive)
    assert run.returncode == 2, run.stderr[-500:]
    assert f"claims to be {HUGE:,} bytes long" in run.stderr


def test_a_map_of_holes_without_end(tmp_path: Path) -> None:
    """The map of a sparse file of version 1.0 is as long as it says, in lines."""
    records = b"".join(
        b"%d %s\n" % (len(line) + 3, line)
        for line in (
            b"GNU.sparse.major=1",
            b"GNU.sparse.minor=0",
            b"GNU.sparse.name=a",
            b"GNU.sparse.realsize=1",
        )
    )
    archive = tmp_path / "app.tar"
    with archive.open("wb") as file:
        file.write(header(b"x", len(records)) + records.ljust(512, b"\0"))
        file.write(header(b"0", HUGE) + b"999999999\n")
        file.truncate(HUGE + 2048)
        file.seek(HUGE + 2048)
        file.write(WHOLE)
    assert bounded("inspect", archive).returncode == 2


@pytest.mark.parametrize("kind", [b"x", b"L", b"g"])
def test_headers_of_headers(kind: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "app.tar"
    content = {b"x": b"11 path=ab\n", b"g": b"13 comment=a\n", b"L": b"ab"}[kind].ljust(512, b"\0")
    size = len(content.rstrip(b"\0"))
    archive.write_bytes((header(kind, size) + content) * 3000 + WHOLE)
    run = bounded("inspect", archive)
    assert run.returncode in (0, 2), run.stderr[-500:]


def test_contents_are_not_read_to_list_them(tmp_path: Path) -> None:
    """A layer of three gigabytes that the image does not name is passed over."""
    archive = tmp_path / "app.tar"
    with archive.open("wb") as file:
        file.write(header(b"0", HUGE, "other/layer.tar"))
        file.seek(HUGE, os.SEEK_CUR)
        file.write(WHOLE)
    with archive.open("rb") as opened:
        reads: list[int] = []

        class Counting(io.FileIO):
            def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
                count = super().readinto(buffer)
                reads.append(count)
                return count

        from imgopt.images.stores import Tar

        store = Tar(io.BufferedReader(Counting(opened.name)), "app.tar")
        assert store.find("manifest.json") is not None
        store.close()
    assert sum(reads) < 1 << 20


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_an_archive_that_inflates_a_thousand_times(form: str, tmp_path: Path) -> None:
    """2.9 MB are 2.9 GB: what is unpacked stays in proportion to what was given."""
    zeros = tar_of({"a": bytes(300 << 20)})
    if form == "gzip":
        data = gzip.compress(zeros, 9)
    else:
        zstd = pytest.importorskip("backports.zstd")
        data = zstd.compress(zeros)
    archive = tmp_path / "app.tar.gz"
    archive.write_bytes(data)
    spool = tmp_path / "spool"
    spool.mkdir()
    run = bounded("inspect", archive, environment={"TMPDIR": str(spool)})
    assert run.returncode == 2, run.stderr
    assert f"inflates more than {MOST_INFLATION} times" in run.stderr
    assert not [*spool.iterdir()]


def test_an_archive_of_much_that_is_alike_is_read(tmp_path: Path) -> None:
    """Small ones inflate as much as they like: a layer of zeros, as databases have them."""
    layer = tar_of({"data": bytes(20 << 20)})
    archive = tmp_path / "app.tar.gz"
    archive.write_bytes(packed(docker_archive({"1/layer.tar": layer}, [layer])))
    with open_image(str(archive)) as opened:
        assert len(opened.image.layers) == 1


@pytest.mark.parametrize(
    "name", ["a" * 5000, "a/" * 3000 + "x", "oci:" + "a" * 300, "./" + "a" * 300 + ".tar"]
)
def test_a_name_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    (tmp_path / "push.txt").write_text(f"{name} localhost:1/a:1\n")
    for run in (bounded("inspect", name), bounded("push", "--all", tmp_path / "push.txt")):
        assert run.returncode in (2, 3), run.stderr[-800:]
        assert len(run.stderr.splitlines()) < 5


def test_a_damaged_tar_has_its_name(tmp_path: Path) -> None:
    archive = tmp_path / "app.tar"
    archive.write_bytes(zlib.compress(b"x" * 600))
    with pytest.raises(InputError, match="not a readable tar"), open_image(str(archive)):
        raise AssertionError
