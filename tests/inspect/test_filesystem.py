"""What layers on top of one another show, and what they store for nobody."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from image_samples import Content, layer, link

from imgopt.files.tar import TarStream
from imgopt.inspection.filesystem import Filesystem

Layer = dict[str, Content] | list[tuple[str, Content]]


def stacked(*layers: Layer) -> Filesystem:
    files = Filesystem()
    for number, each in enumerate(layers):
        stream = TarStream(io.BytesIO(layer(each)), "layer", most_bytes=1 << 30, most_entries=1000)
        files.apply(number, list(stream))
    return files


def seen(files: Filesystem) -> dict[str, int]:
    return {path: node.size for path, node in files.files()}


def wasted(files: Filesystem) -> Iterable[tuple[str, int, bool, list[int]]]:
    return [(each.path, each.bytes, each.removed, each.layers) for each in files.wasted.values()]


def test_a_file_written_again() -> None:
    files = stacked({"a/b": b"x" * 10}, {"a/b": b"y" * 4}, {"a/b": b"z" * 3})
    assert seen(files) == {"/a/b": 3}
    assert wasted(files) == [("/a/b", 14, False, [0, 1, 2])]
    assert files.wasted_in == {0: 10, 1: 4}
    assert files.score.efficiency == 3 / 17
    assert files.score.dives_wasted_bytes == 17


def test_a_removed_file_and_a_removed_directory() -> None:
    files = stacked(
        {"a": b"x" * 10, "d": None, "d/b": b"y" * 20, "d/e/c": b"z" * 30},
        {".wh.a": b"", ".wh.d": b""},
    )
    assert seen(files) == {}
    assert list(wasted(files)) == [("/a", 10, True, [0, 1]), ("/d", 50, True, [0, 1])]
    assert files.wasted["/d"].files == 2
    # dive: the file's least size is 0; the directory's bytes count as its own on both sides, and are not called wasted
    assert files.score.efficiency == (20 + 30 + 50) / (10 + 20 + 30 + 50)
    assert files.score.dives_wasted_bytes == 10


def test_a_whiteout_hides_only_layers_below_wherever_it_stands() -> None:
    before = [("d/new", b"n" * 5), (".wh.d", b"")]
    for order in (before, before[::-1]):
        files = stacked({"d/old": b"o" * 7}, order)
        assert seen(files) == {"/d/new": 5}
        assert files.wasted_bytes == 7


def test_an_opaque_directory() -> None:
    files = stacked({"d/old": b"o" * 7, "d/s/older": b"p" * 8}, {"d/new": b"n", "d/.wh..wh..opq": b""})
    assert seen(files) == {"/d/new": 1}
    assert list(wasted(files)) == [("/d", 15, True, [0, 1])]


def test_whiteouts_of_nothing_and_bookkeeping_of_aufs() -> None:
    files = stacked(
        {"a": b"1"}, {".wh.gone": b"", "no/.wh..wh..opq": b"", ".wh..wh.aufs": b"", ".wh..wh.plnk": None}
    )
    assert seen(files) == {"/a": 1}
    assert files.wasted_bytes == 0 and files.score.efficiency == 1


def test_a_hard_link_keeps_the_bytes_alive() -> None:
    files = stacked({"a": b"x" * 10, "b": link("a")}, {".wh.a": b""})
    assert seen(files) == {"/b": 0} and files.wasted_bytes == 0
    files = stacked({"a": b"x" * 10, "b": link("./a")}, {".wh.a": b"", ".wh.b": b""})
    assert files.wasted_bytes == 10


@pytest.mark.parametrize(
    ("first", "second"), [({"a": b"12345"}, {"a/b": b"1"}), ({"a/b": b"12345"}, {"a": b"1"})]
)
def test_a_file_takes_the_place_of_a_directory_and_back(first: Layer, second: Layer) -> None:
    files = stacked(first, second)
    assert sum(seen(files).values()) == 1 and files.wasted_bytes == 5


def test_the_same_name_twice_in_one_layer() -> None:
    files = stacked([("a", b"1" * 9), ("./a", b"2" * 4)])
    assert seen(files) == {"/a": 4} and files.wasted_bytes == 9


def test_a_directory_that_is_only_touched_costs_nothing() -> None:
    files = stacked({"d": None, "d/a": b"1" * 9}, {"d": None, "d/b": b"2"})
    assert seen(files) == {"/d/a": 9, "/d/b": 1} and files.wasted_bytes == 0
