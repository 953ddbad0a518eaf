"""Two layers' tars entry by entry: each way in which they can differ is told from the others."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tiny_image import TinyImage

from imgopt.comparison.layer_entries import compare_layers
from imgopt.comparison.release_difference import compare_images, release_difference
from imgopt.errors import InputError
from imgopt.images.model import Image

Entries = Mapping[str, dict[str, Any]]
PLAIN: dict[str, dict[str, Any]] = {
    "app": {"type": tarfile.DIRTYPE},
    "app/a.jar": {"data": b"aaaa"},
    "app/b.jar": {"data": b"bbbb"},
    "app/link": {"type": tarfile.SYMTYPE, "linkname": "a.jar"},
}


def tar(entries: Entries, form: int = tarfile.PAX_FORMAT) -> io.BytesIO:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, fields in entries.items():
            member = tarfile.TarInfo(name)
            data = fields.get("data", b"")
            member.size = len(data)
            for key, value in fields.items():
                if key != "data":
                    setattr(member, key, value)
            archive.addfile(member, io.BytesIO(data))
    target.seek(0)
    return target


def with_change(name: str, **fields: Any) -> Entries:
    return {**PLAIN, name: {**PLAIN[name], **fields}}


@pytest.mark.parametrize(
    ("after", "counts", "same", "cause"),
    [
        (with_change("app", mtime=9), {"mtime": 1}, True,
         "nothing but the modification time of 1 directory of 4 entries differs, e.g. app"),
        (with_change("app/a.jar", mtime=9), {"mtime": 1}, True,
         "nothing but the modification time of 1 of 4 entries differs, e.g. app/a.jar"),
        (with_change("app/a.jar", mtime=0.5), {"mtime": 1, "header": 1}, True, "modification time of 1 of 4"),
        (with_change("app/a.jar", mode=0o600), {"mode": 1}, True, "nothing but the mode of 1 of 4"),
        (with_change("app/a.jar", uid=7), {"owner": 1}, True, "nothing but the owner of"),
        (with_change("app/a.jar", uname="root"), {"owner": 1}, True, "nothing but the owner of"),
        (with_change("app/a.jar", pax_headers={"SCHILY.xattr.user.a": "b"}), {"xattrs": 1}, True, "extended attributes"),
        (with_change("app/a.jar", pax_headers={"atime": "5.5"}), {"access times": 1}, True, "PAX atime, ctime"),
        (with_change("app/a.jar", data=b"aaab"), {"content": 1}, False, "of 4 entries 1 have another content"),
        (with_change("app/link", linkname="b.jar"), {"link": 1}, False, "1 have another link"),
        ({**PLAIN, "app/c.jar": {"data": b"c"}}, {"added": 1}, False, "of 5 entries 1 are new"),
        ({k: v for k, v in PLAIN.items() if k != "app/a.jar"}, {"removed": 1}, False, "of 3 entries 1 are gone"),
        (dict(reversed(PLAIN.items())), {}, True, "the same 4 entries stand in another order"),
        (PLAIN, {}, True, "the bytes of the tar around them are not"),
    ],
)  # fmt: skip
def test_in_what_they_differ(after: Entries, counts: dict[str, int], same: bool, cause: str) -> None:
    found = compare_layers(tar(PLAIN), tar(after))
    assert dict(found.counts) == counts
    assert found.same_content is same
    assert cause in found.cause


def test_names_with_and_without_a_dot_are_the_same() -> None:
    dotted = {
        f"./{name}/" if "type" in each and each["type"] == tarfile.DIRTYPE else f"./{name}": each
        for name, each in PLAIN.items()
    }
    assert compare_layers(tar(PLAIN), tar(dotted)).same_content


def test_a_hundred_thousand_entries_in_bounded_memory() -> None:
    many = {f"usr/share/directory/of/some/length/{number:06}.txt": {"data": b"x"} for number in range(4_000)}
    later = {name: {**fields, "mtime": 5} for name, fields in many.items()}
    before, after = tar(many, tarfile.USTAR_FORMAT), tar(later, tarfile.USTAR_FORMAT)
    tracemalloc.start()
    try:
        found = compare_layers(before, after)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.counts == {"mtime": 4_000} and len(found.named) == 20
    assert peak / 4_000 < 1500  # bytes an entry: 150 MB for a hundred thousand


def test_a_damaged_tar_is_said() -> None:
    with pytest.raises(InputError, match="it is cut short"):
        compare_layers(tar(PLAIN), io.BytesIO(tar(PLAIN).getvalue()[:1200]))


def claims(kind: bytes, size: int, data: bytes = b"") -> io.BytesIO:
    """A header of a header: of a long name, or of PAX records, which claims a size."""
    member = tarfile.TarInfo("long")
    member.type, member.size = kind, size
    return io.BytesIO(member.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512))


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
def test_a_header_is_not_held_whatever_it_claims(kind: bytes) -> None:
    archive = claims(kind, 50_000_000, bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="a header in it claims to be 50,000,000 bytes long"):
            compare_layers(tar(PLAIN), archive)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_what_is_long_beside_a_header_is_kept_as_its_digest() -> None:
    """A megabyte of attributes for each of a million entries would be a terabyte."""
    long = {"SCHILY.xattr.user.a": "x" * 500_000}
    entries = {f"f{number}": {"data": b"", "pax_headers": long} for number in range(40)}
    other = {**entries, "f7": {"data": b"", "pax_headers": {"SCHILY.xattr.user.a": "y" * 500_000}}}
    before, after = tar(entries), tar(other)
    tracemalloc.start()
    try:
        found = compare_layers(before, after)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.counts == {"xattrs": 1}
    assert peak < 10_000_000


def test_layers_are_matched_by_what_made_them_and_counted_once() -> None:
    first = TinyImage({}, {"lib/a": "1"}, {"app/x": "1"})
    second = TinyImage({}, {"etc/new": "n"}, {"lib/a": "1"}, {"app/x": "2"}, {"etc/new": "n"})
    found = release_difference(named(first, "base", "COPY lib", "COPY file:aaaaaaaaaaaaaaaaaaaa in app"),
                               named(second, "base", "RUN new", "COPY lib", "COPY file:bbbbbbbbbbbbbbbbbbbb in app", "RUN new"))  # fmt: skip
    assert [(layer.index, layer.counterpart) for layer in found.layers] == [(1, None), (3, 2)]
    assert found.total_layers == 5
    assert found.layers[0].as_json()["why"] == "the first release has no such layer"
    assert found.layers[1].how == "the engine's own blob"
    assert found.compressed_bytes == sum(len(second.blobs[index] or b"") for index in (1, 3))


def test_layers_without_blobs_are_compressed_here() -> None:
    found = release_difference(
        TinyImage({}, {"a": "1"}, packed=False), TinyImage({}, {"a": "2" * 9000}, packed=False)
    )
    (layer,) = found.layers
    assert layer.how == "compressed here with zlib 6"
    assert 0 < layer.compressed_bytes < 1000
    assert layer.uncompressed_bytes == 20480


def test_what_lies_where_in_two_images() -> None:
    before = TinyImage({}, {"same": "s", "moved/from": "m", "changed": "1", "gone": "ggg"}, {"other": "o"})
    after = TinyImage({}, {"same": "s", "other": "o"}, {"moved/to": "m", "changed": "22", "new": "nnnn"})
    found = compare_images(before, after)
    assert ("same", 1) in found.same.largest
    assert found.other_layer.largest == (("other", 1),)
    assert found.elsewhere.largest == (("moved/to", 1),)
    assert found.changed.largest == (("changed", 2),)
    assert found.only_before.largest == (("gone", 3),)
    assert found.only_after.largest == (("new", 4),)


def named(image: TinyImage, *instructions: str) -> TinyImage:
    layers = tuple(
        replace(layer, created_by=text) for layer, text in zip(image.image.layers, instructions, strict=True)
    )
    image.image = Image(image.image.reference, image.image.config, image.image.config_bytes, layers)
    return image
