"""The reader of layers against Python's tarfile and GNU tar, and against what is made to harm it."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from image_samples import layer, link

from imgopt.errors import InputError
from imgopt.files.tar import Entry, TarStream, clean

LONG = "deep/" * 30 + "name" * 30


def read(data: bytes, *, most_bytes: int = 1 << 40, most_entries: int = 1000) -> tuple[list[Entry], int]:
    stream = TarStream(io.BytesIO(data), "layer", most_bytes=most_bytes, most_entries=most_entries)
    return list(stream), stream.position


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_it_reads_what_tarfile_writes(format: int) -> None:
    files: dict[str, bytes | tarfile.TarInfo | None] = {
        "./usr/": None,
        "./usr/a": b"x" * 513,
        "prefix/" * 16 + "short": b"in the prefix of ustar",
        "empty": b"",
        "hard": link("usr/a"),
        "soft": link("../usr/a", tarfile.SYMTYPE),
        "dev/null": link("", tarfile.CHRTYPE),
        "dev/pipe": link("", tarfile.FIFOTYPE),
    }
    if format != tarfile.USTAR_FORMAT:
        files |= {LONG: b"long", "grüße-ß": b"unicode", "to-" + "l" * 120: link(LONG, tarfile.SYMTYPE)}
    data = layer(files, format)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        wanted = [(clean(each.name), each.size if each.isreg() else 0) for each in archive]
    entries, position = read(data)
    assert [(each.path, each.stored_bytes) for each in entries] == wanted
    assert position == len(data)
    kinds = {each.path: each.kind for each in entries}
    assert (kinds["/usr"], kinds["/hard"], kinds["/soft"], kinds["/dev/null"], kinds["/dev/pipe"]) == (
        "directory",
        "link",
        "symlink",
        "device",
        "device",
    )


@pytest.mark.parametrize("format", ["gnu", "posix"])
def test_sparse_files_count_what_is_stored(format: str, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        for at in range(40):  # more pieces than fit into GNU's first header
            file.seek(at * 1_000_000)
            file.write(b"data")
    (tmp_path / "after").write_bytes(b"after")
    subprocess.run(
        ["tar", "--sparse", f"--format={format}", "-cf", "sparse.tar", "sparse", "after"],
        cwd=tmp_path,
        check=True,
    )
    entries, _ = read((tmp_path / "sparse.tar").read_bytes())
    assert [each.path for each in entries] == ["/sparse", "/after"]
    assert entries[0].bytes == 39_000_004 and entries[0].stored_bytes < 400_000
    assert entries[1].stored_bytes == 5


def test_a_large_size_is_read_in_base_256() -> None:
    entry = tarfile.TarInfo("large")
    entry.size = 20 << 30
    header = entry.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(InputError, match="cut short"):
        read(header)
    with pytest.raises(InputError, match="claims to hold more than"):
        read(header, most_bytes=10 << 30)


def test_names_that_lead_out_are_kept_inside_and_told() -> None:
    entries, _ = read(
        layer({"../../etc/passwd": b"x", "/abs": b"y", "a/../b": b"z", "a/../../c": b"w", "..": None})
    )
    assert [(each.path, each.outside) for each in entries] == [
        ("/etc/passwd", True),
        ("/abs", False),
        ("/b", False),
        ("/c", True),
        ("/", True),
    ]


GOOD = layer({"a": b"x" * 2000, "b": b"y"})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (GOOD[:900], "cut short"),
        (GOOD[:513], "cut short"),
        (b"<!DOCTYPE html>" + b" " * 2000, "it is not a tar"),
        (GOOD[:2560] + b"\xff" * 512 + GOOD[3072:], "in it is"),
        (b"PK\3\4" + b"\1" * 600, "it is not a tar"),
    ],
)
def test_damage_is_an_error(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        read(data)
    assert str(error.value).startswith("layer: ")


def test_an_empty_layer_and_one_without_an_end_are_fine() -> None:
    assert read(b"") == ([], 0)
    assert read(b"\0" * 1024) == ([], 1024)
    assert [each.path for each in read(GOOD[:3072].rstrip(b"\0").ljust(3584, b"\0"))[0]] == ["/a", "/b"]


def test_a_header_cannot_claim_memory() -> None:
    """A PAX header of 8 GB, as a zip bomb could deliver it."""
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, 8 << 30
    tracemalloc.start()
    with pytest.raises(InputError, match="claims to be"):
        read(entry.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_files_without_end_are_an_error() -> None:
    data = layer([(f"f{number}", b"") for number in range(50)])
    with pytest.raises(InputError, match="more than 49 files"):
        read(data, most_entries=49)


@pytest.mark.parametrize("record", [b"12 path=x", b"x path=1\n", b"99 path=a\n", b"9 path a\n", b"0 a=b\n"])
def test_a_damaged_pax_header_is_an_error(record: bytes) -> None:
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, len(record)
    data = entry.tobuf(tarfile.GNU_FORMAT) + record.ljust(512, b"\0") + GOOD
    with pytest.raises(InputError, match="PAX header"):
        read(data)
