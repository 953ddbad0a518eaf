"""What a registry's tags say about blobs is anybody's word: a push names what was made here, or read and compared.

The attacker may push tags to a real registry: each pairs the diff ID of a layer of ours with a blob of another content,
which every registry accepts.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import os
import random
import socket
import struct
import subprocess
import tarfile
import threading
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from image_archives import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, config_of, described, digest, docker_archive
from image_archives import tar_of as tar
from push_command import Command, Run
from registries import Proxy, Registry, Trouble
from test_push import pulled, request, skopeo

Release = Callable[..., Path]
EVIL = tar({"lib": b"evil"})
SIZE = 2_400_000


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return image(tmp_path / "ours.tar", layers_of(1))


def layers_of(number: int) -> list[bytes]:
    """Two large layers that all releases have, and a small one that changes."""
    noise = random.Random(7)
    return [
        tar({"base": noise.randbytes(SIZE)}),
        tar({"lib": noise.randbytes(SIZE // 2)}),
        tar({"app": b"%d" % number}),
    ]


def image(path: Path, layers: Sequence[bytes], **config: Any) -> Path:
    """As `docker save` writes it; ``config``: Labels and so on."""
    files = {f"{n}/layer.tar": layer for n, layer in enumerate(layers)}
    if not config:
        path.write_bytes(docker_archive(files, layers))
        return path
    data = config_of(layers, **config)
    listed = [{"Config": "config.json", "RepoTags": ["shop/api:7"], "Layers": [*files]}]
    path.write_bytes(tar({**files, "config.json": data, "manifest.json": json.dumps(listed).encode()}))
    return path


def put_blob(name: str, repository: str, data: bytes) -> None:
    start = request("POST", f"{name}/v2/{repository}/blobs/uploads/").headers["Location"]
    request("PUT", f"{start}&digest={digest(data)}".removeprefix("http://"), data)


def put_tag(
    name: str,
    repository: str,
    tag: str,
    layers: Sequence[bytes],
    blobs: Sequence[bytes],
    media_type: str = "",
) -> str:
    """An image whose config has the diff IDs of ``layers`` and whose manifest names ``blobs``; its digest."""
    config = config_of(layers)
    for data in (config, *blobs):
        put_blob(name, repository, data)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": described(config, OCI_CONFIG),
            "layers": [described(blob, media_type or f"{OCI_LAYER}+gzip") for blob in blobs],
        }
    ).encode()
    request("PUT", f"{name}/v2/{repository}/manifests/{tag}", manifest, OCI_MANIFEST)
    return digest(manifest)


def lie(name: str, repository: str, tag: str, blob: bytes | None = None, media_type: str = "") -> str:
    """A tag that pairs the second layer of ours with another blob."""
    ours = layers_of(1)
    wrong = gzip.compress(EVIL, mtime=0) if blob is None else blob
    return put_tag(
        name,
        repository,
        tag,
        [tar({"x": b"x"}), ours[1], tar({"y": b"y"})],
        [gzip.compress(tar({"x": b"x"}), mtime=0), wrong, gzip.compress(tar({"y": b"y"}), mtime=0)],
        media_type,
    )


def holds(name: str, repository: str, tag: str) -> bool:
    """Whether every layer of the image, read again from the registry, is the one of its diff ID."""
    manifest = pulled(name, repository, tag)

    def blob(entry: dict[str, Any]) -> bytes:
        with urllib.request.urlopen(f"http://{name}/v2/{repository}/blobs/{entry['digest']}") as response:
            return bytes(response.read())

    config = json.loads(blob(manifest["config"]))
    plain = [digest(zlib.decompressobj(47).decompress(blob(layer))) for layer in manifest["layers"]]
    return plain == config["rootfs"]["diff_ids"]


def hows(run: Run) -> list[str]:
    layers: Any = run.push["layers"]
    return [layer["how"] for layer in layers]


@pytest.mark.parametrize("way", ["its own tag", "a newer tag", "--known", "--mount-from", "the base's label"])
@pytest.mark.parametrize("option", [[], ["--verify"]], ids=["", "verify"])
def test_a_tag_that_lies_spoils_no_release(
    option: list[str], way: str, imgopt: Command, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    name = shared_registry.name
    arguments = list(option)
    config: dict[str, Any] = {}
    if way in ("its own tag", "a newer tag"):
        lie(name, repository, "1" if way == "its own tag" else "999")
    elif way == "--known":
        for number in range(6):
            put_tag(
                name,
                repository,
                f"9.{number}",
                [tar({"x": b"x"})],
                [gzip.compress(tar({"x": b"x"}), mtime=0)],
            )
        lie(name, repository, "0-old")
        arguments += ["--known", "0-old"]
    else:
        lie(name, f"{repository}-base", "17")
        if way == "--mount-from":
            arguments += ["--mount-from", f"{repository}-base"]
        else:
            config = {"Labels": {"org.opencontainers.image.base.name": f"{name}/{repository}-base:17"}}
    ours = image(tmp_path / "image.tar", layers_of(1), **config)
    run = imgopt("push", str(ours), f"{name}/{repository}:1", "--format", "json", *arguments)
    assert run.code == 0, run.err
    assert holds(name, repository, "1")
    assert hows(run) == ["sent", "sent", "sent"]
    notes = str(run.push["notes"])
    if option:
        assert "for layer 2 is not used: it holds something else" in notes
        assert 0 < int(str(run.push["read_bytes"])) < 1000
    elif way in ("its own tag", "a newer tag"):
        assert "nothing shows that it is this layer" in notes and "--verify" in notes
    if way == "--known" and not option:
        assert "without, it does nothing" in notes


@pytest.mark.parametrize("where", ["repository", "mount"])
def test_who_trusts_tags_may_get_anything(
    where: str, archive: Path, imgopt: Command, shared_registry: Registry, repository: str
) -> None:
    """As --trust-tags says: the tag's word counts, and the report says of which layers."""
    name = shared_registry.name
    other = f"{repository}-base" if where == "mount" else repository
    lie(name, other, "17")
    run = imgopt(
        *("push", str(archive), f"{name}/{repository}:1", "--trust-tags", "--format", "json"),
        *(("--mount-from", other) if where == "mount" else ()),
    )
    assert run.code == 0, run.err
    assert not holds(name, repository, "1")
    assert hows(run) == ["sent", "mounted" if where == "mount" else "present", "sent"]
    assert [each["shown_by"] for each in run.push["layers"]] == ["made", "tag", "made"]  # type: ignore[attr-defined]
    shown = imgopt("push", "--help").out
    assert "whoever may push a tag there" in " ".join(shown.replace("│", " ").split())


@pytest.mark.parametrize("parallel", ["1", "3"])
def test_a_lying_and_an_honest_tag(
    parallel: str,
    archive: Path,
    imgopt: Command,
    proxy: Proxy,
    shared_registry: Registry,
    repository: str,
    tmp_path: Path,
) -> None:
    """--verify reads both, which it says, and sends nothing that is there."""
    name = shared_registry.name
    skopeo(f"docker-archive:{image(tmp_path / 'first.tar', layers_of(0))}", f"docker://{name}/{repository}:1")
    lie(name, repository, "2")
    arguments = ("push", str(archive), f"{proxy.name}/{repository}:3", "--verify", "--format", "json")
    run = imgopt(*arguments, "--parallel", parallel)
    assert run.code == 0, run.err
    assert hows(run) == ["present", "present", "sent"] and holds(name, repository, "3")
    assert [each["shown_by"] for each in run.push["layers"]] == ["compared", "compared", "made"]  # type: ignore[attr-defined]
    assert proxy.sent() < 8000
    there = sum(each["size"] for each in pulled(name, repository, "3")["layers"][:2])
    assert there < int(str(run.push["read_bytes"])) < there + 1000
    text = imgopt("push", str(archive), f"{name}/{repository}:4", "--verify").out
    assert "read 3.60 MB to compare" in text and "already there, read and compared" in text


def test_a_blob_that_was_compared_is_mounted(
    archive: Path, imgopt: Command, proxy: Proxy, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    name = shared_registry.name
    skopeo(f"docker-archive:{archive}", f"docker://{name}/{repository}-base:1")
    run = imgopt(
        *("push", str(archive), f"{proxy.name}/{repository}:3", "--verify", "--format", "json"),
        *("--mount-from", f"{repository}-base"),
    )
    assert run.code == 0, run.err
    assert hows(run) == ["mounted", "mounted", "mounted"] and holds(name, repository, "3")
    assert proxy.sent() < 8000


@functools.cache
def bomb() -> bytes:
    return gzip.compress(bytes(500_000_000), mtime=0)


def member(plain: bytes, flags: int = 0, fields: bytes = b"") -> bytes:
    """A gzip member with a head of one's own, as RFC 1952 has it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    head = b"\x1f\x8b\x08" + bytes([flags, 0, 0, 0, 0, 0, 255]) + fields
    trailer = struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    return head + packer.compress(plain) + packer.flush() + trailer


OURS = layers_of(1)[1]
LONG_NAME = member(OURS, 8, b"n" * 5000 + b"\0")


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (bomb, "it unpacks to more than the layer"),
        (lambda: bomb()[:-9], "it unpacks to more than the layer"),
        (gzip.compress(OURS, mtime=0)[:-9], "cut short"),
        (gzip.compress(OURS, mtime=0)[:600_000], "cut short"),
        (gzip.compress(OURS, mtime=0) + b"junk", "damaged"),
        (gzip.compress(OURS, mtime=0) + bytes(512), "damaged"),
        (gzip.compress(OURS, mtime=0) + gzip.compress(b"\0", mtime=0), "it unpacks to more than the layer"),
        (gzip.compress(OURS[:-1], mtime=0), "it holds something else"),
        (b"\x1f\x8b" + bytes(5000), "damaged"),
        (OURS, "not the gzip of its media type"),
        (b"", "cut short"),
        (b"\x1f", "cut short"),
        (random.Random(2).randbytes(5_000_000), "longer than the layer could be"),
        (LONG_NAME, "not every unpacker"),
        (member(OURS[:9]) + member(OURS[9:], 16, b"c" * 512 + b"\0"), "not every unpacker"),
    ],
    ids=[
        *(
            "bomb",
            "cut bomb",
            "cut trailer",
            "cut",
            "junk",
            "padding",
            "second member",
            "shorter",
            "no deflate",
        ),
        *("plain", "empty", "a byte", "too long", "a long name", "a long comment later"),
    ],
)
def test_hostile_blobs_are_not_used(
    blob: bytes | Callable[[], bytes],
    why: str,
    archive: Path,
    imgopt: Command,
    shared_registry: Registry,
    repository: str,
) -> None:
    """Nor read further than the layer could be."""
    name = shared_registry.name
    blob = blob if isinstance(blob, bytes) else blob()
    lie(name, repository, "9", blob)
    run = imgopt("push", str(archive), f"{name}/{repository}:1", "--verify", "--format", "json")
    assert run.code == 0, run.err
    assert why in str(run.push["notes"])
    assert holds(name, repository, "1") and hows(run)[1] == "sent"
    assert int(str(run.push["read_bytes"])) <= min(len(blob), 3_500_000)


def fields(extra: int, name: int, comment: int) -> bytes:
    return struct.pack("<H", extra) + bytes(extra) + b"n" * name + b"\0" + b"c" * comment + b"\0"


def frame(window: int, **parameters: int) -> bytes:
    from backports import zstd

    options = {zstd.CompressionParameter.window_log: window, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=options)
    return packer.compress(OURS) + packer.flush()


def heads() -> Iterator[tuple[str, bytes, bool, str]]:
    from backports import zstd

    whole = zstd.compress(OURS)
    skipped = b"\x5e\x2a\x4d\x18\x05\0\0\0table"
    yield from (
        ("gzip", member(OURS), True, "plain"),
        ("gzip", member(OURS, 1), True, "text"),
        ("gzip", member(OURS, 28, fields(512, 511, 511)), True, "all that may be"),
        ("gzip", member(OURS) + member(b"", 4, struct.pack("<H", 26) + bytes(26)), True, "estargz"),
        ("gzip", member(OURS, 8, b"n" * 512 + b"\0"), False, "name"),
        ("gzip", member(OURS, 8, b"n" * 600), False, "name without end"),
        ("gzip", member(OURS, 16, b"n" * 512 + b"\0"), False, "comment"),
        ("gzip", member(OURS, 4, struct.pack("<H", 513) + bytes(513)), False, "extra"),
        ("gzip", member(OURS, 2), False, "checksum of the head"),
        ("gzip", member(OURS, 32), False, "reserved"),
        ("gzip", member(OURS) + member(b"", 8, b"n" * 512 + b"\0"), False, "later name"),
        ("zstd", whole, True, "zstd"),
        ("zstd", whole + skipped, True, "zstd:chunked"),
        ("zstd", frame(23), True, "8 MB"),
        ("zstd", frame(24), False, "16 MB"),
        ("zstd", frame(27), False, "128 MB"),
        ("zstd", whole + b"\x27\xb5\x2f\xfd" + bytes(20), False, "format of 2016"),
        ("zstd", whole + b"\x5e\x2a\x4d\x19" + bytes(20), False, "no frame"),
        ("zstd", b"\x28\xb5\x2f\xfd\x01\x58\x07" + bytes(20), False, "dictionary"),
        (
            "zstd",
            b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", (8 << 20) + 1) + bytes(20),
            False,
            "long content",
        ),
    )


@pytest.mark.parametrize("piece_bytes", [1, 1 << 16])
def test_heads_that_only_some_unpackers_take(piece_bytes: int) -> None:
    """However the network cuts them. Go's compress/gzip takes names below 512 bytes, zlib of any length."""
    from imgopt.registry import comparing

    for kind, blob, taken, what in heads():
        head = [blob[n : n + piece_bytes] for n in range(0, min(len(blob), 2000), piece_bytes)]
        pieces = [*head, blob[sum(map(len, head)) :]]
        try:
            plain: bytes | None = b"".join(comparing._plain(pieces, kind))  # type: ignore[arg-type]
        except comparing._Unlike:
            plain = None
        assert plain == (OURS if taken else None), what


def test_zstd_and_several_members_are_compared_too(
    archive: Path, imgopt: Command, shared_registry: Registry, repository: str
) -> None:
    """What buildkit and pgzip may write; in zstd a small blob can be a large bomb."""
    from backports import zstd

    name, half = shared_registry.name, len(OURS) // 2
    lie(name, repository, "1", zstd.compress(bytes(800_000_000)), f"{OCI_LAYER}+zstd")
    lie(name, repository, "2", zstd.compress(OURS) + b"\x28\xb5", f"{OCI_LAYER}+zstd")
    run = imgopt("push", str(archive), f"{name}/{repository}:a", "--verify", "--format", "json")
    assert "unpacks to more" in str(run.push["notes"]) and "cut short" in str(run.push["notes"])
    assert hows(run)[1] == "sent"
    for kind, blob in (
        ("gzip", gzip.compress(OURS[:half], mtime=0) + gzip.compress(OURS[half:], mtime=0)),
        ("zstd", zstd.compress(OURS[:half]) + zstd.compress(OURS[half:])),
    ):
        other = f"{repository}-{kind}"
        lie(name, other, "1", blob, f"{OCI_LAYER}+{kind}")
        imgopt.forget()
        run = imgopt("push", str(archive), f"{name}/{other}:2", "--verify", "--format", "json")
        assert run.code == 0, run.err
        assert hows(run) == ["sent", "present", "sent"], run.push["notes"]
        assert pulled(name, other, "2")["layers"][1]["mediaType"].endswith(kind)


def test_a_registry_that_gives_other_bytes(
    archive: Path, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """The right layer under a wrong digest: what others get for that digest is not what was read here."""
    blob = gzip.compress(EVIL, mtime=0)
    right = gzip.compress(OURS, mtime=0)
    lie(proxy.name, repository, "9", blob)
    proxy.troubles = [Trouble("GET", digest(blob), times=None, status=200, body=right[: len(blob)])]
    run = imgopt("push", str(archive), f"{proxy.name}/{repository}:1", "--verify", "--format", "json")
    proxy.troubles = []
    assert run.code == 0, run.err
    assert "is not used" in str(run.push["notes"])
    assert holds(proxy.name, repository, "1")


@contextmanager
def dripping() -> Iterator[int]:
    """Answers every GET of a blob with a byte now and then, without end: no real registry does."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve(connection: socket.socket) -> None:
        try:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\x1f\x8b")
            while not stop.wait(0.02):
                connection.sendall(b"\x08")
        except OSError:
            pass
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        listener.close()


def test_a_blob_that_has_no_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from imgopt.images.model import Descriptor
    from imgopt.registry import comparing
    from imgopt.registry.client import Access, Client
    from imgopt.registry.target import parse_target

    monkeypatch.setattr(comparing, "PATIENCE_SECONDS", 0.2)
    with dripping() as port:
        client = Client(parse_target(f"127.0.0.1:{port}/shop/api"), Access(plain_http=True))
        client.authority.base = f"http://127.0.0.1:{port}"
        blob = Descriptor(f"{OCI_LAYER}+gzip", f"sha256:{'0' * 64}", 1_000_000)
        found = comparing.compared(client, "shop/api", blob, f"sha256:{'1' * 64}", 2_000_000)
        client.close()
    assert found.unlike is not None and found.read_bytes < 100_000


def test_only_some_blobs_are_read_for_a_layer(
    archive: Path, imgopt: Command, shared_registry: Registry, repository: str
) -> None:
    """Whoever pushes many tags makes nobody read them all."""
    name = shared_registry.name
    for number in range(5):
        lie(name, repository, str(number), gzip.compress(tar({"lib": b"%d" % number}), mtime=0))
    run = imgopt("push", str(archive), f"{name}/{repository}:a", "--verify", "--format", "json")
    assert str(run.push["notes"]).count("is not used") == 3
    assert holds(name, repository, "a")


# --- the base


def base_and_application(name: str, repository: str, tmp_path: Path) -> tuple[str, Path]:
    """The base in the registry with another tool's gzip: its digest there. And an application on it."""
    layers = layers_of(1)
    skopeo(f"docker-archive:{image(tmp_path / 'base.tar', layers[:1])}", f"docker://{name}/{repository}:17")
    return pulled(name, repository, "17")["digest"], image(tmp_path / "app.tar", layers)


def test_the_base_that_from_pins(
    imgopt: Command, proxy: Proxy, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    """Its layers are named by its own manifest: neither compressed nor read nor sent."""
    name, base = shared_registry.name, f"{repository}-base"
    pinned, ours = base_and_application(name, base, tmp_path)
    arguments = ("push", str(ours), f"{proxy.name}/{repository}:1", "--format", "json")
    run = imgopt(*arguments, "--base", f"{proxy.name}/{base}@{pinned}")
    assert run.code == 0, run.err
    assert hows(run) == ["mounted", "sent", "sent"] and holds(name, repository, "1")
    packed: Any = run.push["compressed_here"]
    assert packed["uncompressed_bytes"] == sum(map(len, layers_of(1)[1:]))
    again = imgopt(*arguments, "--base", f"{base}@{pinned}")
    assert hows(again) == ["present", "present", "present"] and again.push["digest"] == run.push["digest"]


def test_a_base_that_is_no_base_of_this_image(
    archive: Path, imgopt: Command, shared_registry: Registry, repository: str
) -> None:
    """A manifest that pairs a layer of ours in another place: the image does not begin so."""
    name = shared_registry.name
    pinned = lie(name, f"{repository}-base", "17")
    arguments = ("push", str(archive), f"{name}/{repository}:1", "--format", "json")
    run = imgopt(*arguments, "--base", f"{repository}-base@{pinned}")
    assert run.code == 0, run.err
    assert "does not begin with the layers of" in str(run.push["notes"])
    assert hows(run) == ["sent", "sent", "sent"] and holds(name, repository, "1")
    run = imgopt(*arguments, "--base", f"{repository}-base@sha256:{'0' * 64}")
    assert run.code == 0 and "nothing is taken from the base: " in str(run.push["notes"])


def test_a_registry_that_gives_another_base(
    imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """For the pinned digest a manifest that lies: its bytes are not those of the digest."""
    base = f"{repository}-base"
    pinned, ours = base_and_application(proxy.name, base, tmp_path)
    wrong = gzip.compress(EVIL, mtime=0)
    lying = put_tag(proxy.name, base, "lie", layers_of(1)[:1], [wrong])
    with urllib.request.urlopen(
        urllib.request.Request(
            f"http://{proxy.name}/v2/{base}/manifests/{lying}", headers={"Accept": OCI_MANIFEST}
        )
    ) as response:
        body = response.read()
    headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": pinned}
    proxy.troubles = [
        Trouble("GET", f"manifests/{pinned}", times=None, status=200, headers=headers, body=body)
    ]
    run = imgopt("push", str(ours), f"{proxy.name}/{repository}:1", "--base", f"{base}@{pinned}")
    proxy.troubles = []
    assert run.code == 0 and "nothing is taken from the base" in run.err, run.err
    assert holds(proxy.name, repository, "1")


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("library/jre:17", "names no digest"),
        ("library/jre", "names no digest"),
        ("library/jre@sha256:12", "malformed digest"),
        ("library/jre:17@md5:" + "0" * 32, "names no digest"),
        ("other.test/library/jre@sha256:" + "0" * 64, "is not in the registry"),
        ("UPPER@sha256:" + "0" * 64, "is not an image reference"),
    ],
)
def test_a_base_must_be_pinned(base: str, message: str, archive: Path, imgopt: Command) -> None:
    run = imgopt("push", str(archive), "127.0.0.1:1/shop/api:1", "--base", base)
    assert run.code == 2 and message in run.err and run.err.count("\n") == 1, run.err


def test_verify_and_trust_contradict_each_other(archive: Path, imgopt: Command) -> None:
    run = imgopt("push", str(archive), "127.0.0.1:1/shop/api:1", "--verify", "--trust-tags")
    assert run.code == 2 and "contradict each other" in run.err


# --- what a registry says when it is asked


@pytest.mark.parametrize("length", ["right", "wrong", "none"])
@pytest.mark.parametrize("place", ["target", "source", "config"])
def test_a_registry_that_has_what_it_lacks(
    place: str, length: str, archive: Path, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """A cache that remembers, a clean-up: HEAD says 200, and the manifest is refused for want of the blob."""
    first = imgopt("push", str(archive), f"{proxy.name}/{repository}-first:1", "--format", "json")
    layers: Any = first.push["layers"]
    config: Any = first.push["config"]
    layer = config if place == "config" else layers[1]
    size = layer["compressed_bytes"] + (length == "wrong")
    path = f"/{repository}-{'source' if place == 'source' else 'x'}/blobs/{layer['digest']}"
    headers = {} if length == "none" else {"Content-Length": str(size)}
    proxy.troubles = [Trouble("HEAD", path, times=1, status=200, headers=headers, body=bytes(size))]
    if length == "none":
        proxy.troubles[0].headers = {"Transfer-Encoding": "chunked"}
    imgopt.forget()
    run = imgopt(
        *("push", str(archive), f"{proxy.name}/{repository}-x:1", "--format", "json"),
        *(("--mount-from", f"{repository}-source") if place == "source" else ()),
    )
    assert run.code == 0, run.err
    assert holds(proxy.name, f"{repository}-x", "1")
    sent: Any = run.push["config"] if place == "config" else run.push["layers"][1]  # type: ignore[index]
    assert sent["how"] == "sent"


def test_a_registry_that_always_lies(archive: Path, imgopt: Command, proxy: Proxy, repository: str) -> None:
    """It has everything, it says, and refuses the manifest in any case: one more try, then its own words."""
    body = b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}'
    proxy.troubles = [Trouble("PUT", "/manifests/", times=None, status=404, body=body)]
    run = imgopt("push", str(archive), f"{proxy.name}/{repository}:1", "--format", "json")
    assert run.code == 3 and "blob unknown to registry" in run.err and "Traceback" not in run.err
    puts = [each for each in proxy.seen if each.method == "PUT" and "/manifests/" in each.path]
    assert len(puts) == 1  # everything was sent by this very run: nothing could be different
    run = imgopt("push", str(archive), f"{proxy.name}/{repository}:1", "--format", "json")
    assert run.code == 3
    assert len([each for each in proxy.seen if each.method == "PUT" and "/manifests/" in each.path]) == 3


def test_a_mount_that_was_none(archive: Path, imgopt: Command, proxy: Proxy, repository: str) -> None:
    """The registry says that it mounted a blob, and lacks it."""
    assert imgopt("push", str(archive), f"{proxy.name}/{repository}:1").code == 0
    proxy.troubles = [Trouble("POST", "mount=", times=None, status=201)]
    other = f"{repository}-other"
    run = imgopt(
        *("push", str(archive), f"{proxy.name}/{other}:1", "--mount-from", repository, "--format", "json")
    )
    assert run.code == 0, run.err
    assert "answers 201 to a mount, but does not have the blob" in run.out
    assert holds(proxy.name, other, "1")


@pytest.mark.parametrize(
    "document",
    [
        b'{"layers": [{"mediaType": "x", "digest": "sha256:DIGEST", "size": 1e999}], "config": CONFIG}',
        b'{"layers": [{"mediaType": "x", "digest": "sha256:DIGEST", "size": -1}], "config": CONFIG}',
        b'{"layers": [{"mediaType": "x", "digest": "../../x", "size": 1}], "config": CONFIG}',
        b'{"layers": [[]], "config": CONFIG}',
        b'{"layers": [{}], "config": {"digest": "sha256:DEEP"}}',
        b'{"manifests": [{"platform": {"os": [], "architecture": {}}, "digest": 3}, 7]}',
    ],
)
@pytest.mark.parametrize("option", ["--verify", "--trust-tags"])
def test_manifests_of_any_shape(
    option: str, document: bytes, archive: Path, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    """No registry of ours would store them; others give what they like."""
    deep = b"[" * 200_000
    config = config_of([layers_of(1)[0]])
    for data in (deep, config):
        put_blob(proxy.name, repository, data)
    for name, data in ((b"DIGEST", config), (b"DEEP", deep)):
        document = document.replace(b"sha256:" + name, digest(data).encode())
    document = document.replace(b"CONFIG", json.dumps(described(config, OCI_CONFIG)).encode())
    tags = b'{"tags": ["odd", "../../../x?n=", "a\\nb\\u001b[31m", "' + b"t" * 500 + b'"]}'
    proxy.troubles = [
        Trouble(
            "GET",
            "/manifests/odd",
            times=None,
            status=200,
            headers={"Content-Type": OCI_MANIFEST},
            body=document,
        ),
        Trouble("GET", "/tags/list", times=None, status=200, body=tags),
    ]
    run = imgopt("push", str(archive), f"{proxy.name}/{repository}:1", option)
    assert run.code == 0, run.err
    asked = {each.path.rpartition("/manifests/")[2] for each in proxy.seen if "/manifests/" in each.path}
    assert all(each in ("1", "odd") or each.startswith(("sha256:", "3")) for each in asked), asked
    proxy.troubles = []
    assert holds(proxy.name, repository, "1")


# --- odd layers


def test_layers_that_are_equal_empty_or_mixed(
    imgopt: Command, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    empty = tar({})
    layers = [empty, OURS, empty, OURS, b""]
    ours = image(tmp_path / "odd.tar", layers)
    name = shared_registry.name
    run = imgopt("push", str(ours), f"{name}/{repository}:1", "--format", "json")
    assert run.code == 0, run.err
    assert hows(run) == ["sent", "sent", "present", "present", "sent"] and holds(name, repository, "1")
    again = imgopt("push", str(ours), f"{name}/{repository}:2", "--format", "json", "--verify")
    assert hows(again) == ["present"] * 5 and again.push["read_bytes"] == 0


# --- what compressing costs, and the same bytes everywhere


def test_what_compressing_took_is_said(
    archive: Path, imgopt: Command, shared_registry: Registry, repository: str
) -> None:
    target = f"{shared_registry.name}/{repository}:1"
    first = imgopt("push", str(archive), target, "--format", "json").push
    packed: Any = first["compressed_here"]
    assert packed["uncompressed_bytes"] == sum(map(len, layers_of(1)))
    assert 0.01 < packed["processor_s"] < 30
    again = imgopt("push", str(archive), target)
    assert "compressed 3.62 MB here in" in again.out and "of processor time" in again.out
    assert "compressed 3.62 MB here in" in imgopt("push", str(archive), target, "--format", "markdown").out


def test_the_bytes_are_zlib_s(
    imgopt: Command, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    """The digest on another machine, or after an update: else every layer would be sent once more."""
    if "ng" in zlib.ZLIB_RUNTIME_VERSION:
        pytest.skip("this Python has zlib-ng, which compresses otherwise")
    words = random.Random(5)
    text = b" ".join(b"%x" % words.getrandbits(words.randrange(1, 24)) for _ in range(100_000))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("text")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    ours = image(tmp_path / "text.tar", [buffer.getvalue()])
    run = imgopt("push", str(ours), f"{shared_registry.name}/{repository}:1", "--format", "json")
    layers: Any = run.push["layers"]
    assert hashlib.sha256(text).hexdigest().startswith("168f3e5d4a9763dd")
    assert layers[0]["digest"] == ("sha256:81129e18ea2e2bbcf2b68e57111cef50632526bbe959e9d72ee7447c92ad1338")


def test_skopeo_pulls_what_was_pushed(
    archive: Path, imgopt: Command, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    """It compares each blob with its diff ID when it unpacks one for a docker archive."""
    name = shared_registry.name
    lie(name, repository, "999")
    assert imgopt("push", str(archive), f"{name}/{repository}:1").code == 0
    subprocess.run(
        [
            *("skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"),
            *(f"docker://{name}/{repository}:1", f"docker-archive:{tmp_path}/pulled.tar"),
        ],
        check=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with tarfile.open(tmp_path / "pulled.tar") as pulled_again:
        found = {digest(pulled_again.extractfile(each).read()) for each in pulled_again if each.isfile()}  # type: ignore[union-attr]
    assert {digest(each) for each in layers_of(1)} <= found
