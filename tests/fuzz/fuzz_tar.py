"""Fuzzes the reader of images in tars: headers of all kinds, documents that name each other, compression around it.

    python tests/fuzz/fuzz_tar.py --seconds 3600

How it works and where results go: `fuzzing.py`.
"""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable, Iterator

import fuzzing

_SIZES = (0, 1, 511, 512, 513, 1 << 20, (1 << 20) + 1, 1 << 33, (1 << 33) - 1, -1)
_KINDS = b"01234567xgXLKSDNVM\0A"
_RECORDS = (
    *(b"path=manifest.json", b"path=", b"linkpath=../index.json", b"size=0", b"size=99999999999", b"size=-1", b"size=1_0"),
    *(b"GNU.sparse.major=1", b"GNU.sparse.minor=0", b"GNU.sparse.name=manifest.json", b"GNU.sparse.realsize=4", b"hdrcharset=BINARY"),
)  # fmt: skip
_WORDS = (
    b"sha256:",
    b'"size": 9',
    b'"size": ' + b"9" * 401,
    b"null",
    b"[]",
    b"{}",
    b'"layers"',
    b'"config"',
    b"-1",
    b"1e999",
    b"[" * 5000,
)


def mutate(data: bytes, most: int, chance: random.Random, bytewise: Callable[[bytes, int], bytes]) -> bytes:
    if chance.random() < 0.2:
        return bytewise(data, most)
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = _changed(data, chance)
    return data[:most]


def _changed(data: bytes, chance: random.Random) -> bytes:
    at = 512 * chance.randint(0, len(data) // 512)
    kind = chance.randrange(8)
    if kind < 2:  # a header more
        info = tarfile.TarInfo(chance.choice(("manifest.json", "index.json", "a", "../b", "/c", "x" * 90)))
        info.type = bytes([chance.choice(_KINDS)])
        info.linkname = chance.choice(("", "manifest.json", "../index.json", "a"))
        content = b""
        if info.type in (b"x", b"g", b"X"):
            for record in chance.sample(_RECORDS, chance.randint(1, 3)):
                length = len(record) + 3
                length += len(str(length)) - 1
                content += b"%d %b\n" % (length, record)
        elif info.type in (b"L", b"K"):
            content = b"n" * chance.choice((1, 100, 5000))
        info.size = len(content) if chance.random() < 0.8 else max(0, chance.choice(_SIZES))
        block = info.tobuf(tarfile.GNU_FORMAT) + content + b"\0" * (-len(content) % 512)
        return data[:at] + block * chance.choice((1, 1, 1, 2, 50)) + data[at:]
    if kind == 2:
        return data[:at] + data[at + 512 * chance.randint(1, 4) :]
    if kind == 3:
        return data[: chance.randint(0, len(data))]
    if kind == 4:
        other = 512 * chance.randint(0, len(data) // 512)
        return data[:at] + data[other : other + 512 * chance.randint(1, 6)] + data[at:]
    if kind == 5 and b"{" in data:  # a document, by as many bytes as before
        place = data.find(b"{", chance.randrange(len(data)))
        word = chance.choice(_WORDS)
        return data[: place + 1] + word + data[place + 1 + len(word) :] if place >= 0 else data
    return _with_checksum(data, at, chance)


def _with_checksum(data: bytes, at: int, chance: random.Random) -> bytes:
    """A header that lies, and whose sum is right."""
    header = bytearray(data[at : at + 512])
    if len(header) < 512:
        return data
    if chance.random() < 0.5:
        header[156] = chance.choice(_KINDS)
    else:
        size = chance.choice(_SIZES)
        header[124:136] = b"%011o\0" % size if 0 <= size < 1 << 33 else (b"\x80" if size >= 0 else b"\xff") + b"\0" * 3 + (size & ((1 << 64) - 1)).to_bytes(8, "big")  # fmt: skip
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return data[:at] + bytes(header) + data[at + 512 :]


def seeds() -> Iterator[bytes]:
    fuzzing.set_paths()
    import gzip

    from image_archives import Layout, docker_archive, tar_of

    layer = tar_of({"app/app.jar": b"x" * 100})
    plain = docker_archive({"1/layer.tar": layer}, [layer], links={"2/layer.tar": "../1/layer.tar"})
    yield plain
    yield docker_archive({"1/layer.tar": layer}, [layer])
    for suffix in ("+gzip", ""):
        layout = Layout()
        layout.top.append(layout.image([layer], suffix=suffix))
        layout.top.append(layout.image([layer], "arm64", suffix=suffix))
        yield tar_of(layout.everything())
        both = {**layout.everything(), "manifest.json": b"[]"}
        yield tar_of(both)
    yield gzip.compress(plain)
    yield gzip.compress(bytes(200_000))
    yield b""


def load() -> fuzzing.Target:
    from imgopt.errors import ImgoptError
    from imgopt.sources.open import from_archive

    def check(data: bytes) -> None:
        for platform in (None, "linux/arm64"):
            try:
                opened = from_archive(io.BytesIO(data), "app.tar", None, platform)
            except ImgoptError as error:
                assert error.exit_code in (2, 3), error
                continue
            try:
                for index in range(min(3, len(opened.image.layers))):
                    with opened.open_tar(index) as stream:
                        while stream.read(1 << 18):
                            pass
            except ImgoptError as error:
                assert error.exit_code in (2, 3), error
            finally:
                opened.close()

    return fuzzing.Target("tar", check, seeds, mutate, 200_000)


if __name__ == "__main__":
    fuzzing.main(__file__, load)
