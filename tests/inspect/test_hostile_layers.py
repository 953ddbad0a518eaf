"""Layers that nobody's tool wrote: whatever the bytes are, the reader ends with entries or with one error."""

from __future__ import annotations

import io
import random
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_samples import Content, layer, link

from imgopt.errors import InputError
from imgopt.files.tar import TarStream, clean, leads_out
from imgopt.inspection.filesystem import Filesystem

SEEDS = [
    layer(
        {"a": b"x" * 700, "b/c": b"y", "s": link("a", b"2"), "h": link("a"), "n" * 180: b"1", ".wh.z": b""},
        format,
    )
    for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
]


def read(data: bytes) -> Filesystem:
    files = Filesystem()
    for number in range(2):
        stream = TarStream(io.BytesIO(data), "layer", most_bytes=1 << 24, most_entries=500)
        files.apply(number, list(stream))
        assert stream.position <= len(data)
    return files


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_end_in_entries_or_in_an_error(seed: int) -> None:
    noise = random.Random(seed)
    for _ in range(400):
        data = bytearray(noise.choice(SEEDS))
        for _ in range(noise.randint(1, 6)):
            data[noise.randrange(len(data))] = noise.choice((0, 0xFF, 0x80, 0x2F, 0x37, noise.randrange(256)))
        for at in range(0, len(data) - 512, 512):  # so that flips reach beyond the checksum
            if noise.random() < 0.8:
                header = bytes(data[at : at + 148]) + b" " * 8 + bytes(data[at + 156 : at + 512])
                data[at + 148 : at + 156] = b"%06o\0 " % sum(header)
        if noise.random() < 0.3:
            del data[noise.randrange(len(data)) :]
        try:
            read(bytes(data))
        except InputError as error:
            assert str(error).startswith("layer: ")


NAMES = st.text("ab./", max_size=12)


@given(NAMES)
@settings(max_examples=500)
def test_a_clean_path_never_leaves_the_root(name: str) -> None:
    path = clean(name)
    assert path.startswith("/") and "//" not in path
    assert not {".", ".."} & set(path.split("/"))
    assert path == "/" or not path.endswith("/")
    if leads_out(name):
        assert ".." in name


PATHS = st.sampled_from(["a", "a/b", "a/b/c", "a/.wh.b", ".wh.a", "a/.wh..wh..opq", "b", ".wh.b", "b/c"])
ENTRIES = st.lists(st.tuples(PATHS, st.one_of(st.none(), st.binary(max_size=9))), max_size=7)


@given(st.lists(ENTRIES, min_size=1, max_size=4))
@settings(max_examples=400, deadline=None)
def test_every_stored_byte_is_seen_or_wasted(layers: list[list[tuple[str, bytes | None]]]) -> None:
    files = Filesystem()
    stored = 0
    for number, entries in enumerate(layers):
        content: list[tuple[str, Content]] = [
            (path, (data or b"") if "/.wh." in f"/{path}" else data) for path, data in entries
        ]
        read_entries = list(
            TarStream(io.BytesIO(layer(content)), "layer", most_bytes=1 << 20, most_entries=99)
        )
        stored += sum(each.stored_bytes for each in read_entries if "/.wh." not in each.path)
        files.apply(number, read_entries)
    seen = sum(node.size for _, node in files.files())
    assert seen + files.wasted_bytes == stored
    assert files.wasted_bytes == sum(each.bytes for each in files.wasted.values())
    assert 0 <= files.score.efficiency <= 1
