"""Who owns the working directory of each image, and whether the process may write into it."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from image_samples import Content, docker_archive, layer

from imgopt.comparison.working_directory import WorkingDirectory, compare_directories, working_directory
from imgopt.sources import open_image

PASSWD = b"root:x:0:0::/root:/bin/sh\nspring:x:100:101::/:/sbin/nologin\nroot2:x:0:0::/:/bin/sh\n"
GROUP = b"root:x:0:\nspring:x:101:\nshared:x:200:other,spring\n"
USERS: Mapping[str, Content] = {"etc/passwd": PASSWD, "etc/group": GROUP}


def directory(owner: int = 0, group: int = 0, mode: int = 0o755) -> tarfile.TarInfo:
    entry = tarfile.TarInfo()
    entry.type, entry.uid, entry.gid, entry.mode = tarfile.DIRTYPE, owner, group, mode
    return entry


def look(tmp_path: Path, *layers: Mapping[str, Content], user: str, path: str = "/app") -> WorkingDirectory:
    archive = docker_archive(
        tmp_path / "image.tar", [layer(each) for each in layers], WorkingDir=path, User=user
    )
    with open_image(str(archive)) as opened:
        return working_directory(opened)


@pytest.mark.parametrize(
    "user, entry, writable",
    [
        ("spring", directory(100, 101), True),
        ("spring:spring", directory(100, 101), True),
        ("spring", directory(), False),
        ("100", directory(100), True),
        ("1000", directory(), False),
        ("1000", directory(0, 0, 0o775), True),  # runc: the group of a number that is not listed is 0
        ("1000:1000", directory(0, 0, 0o775), False),
        ("spring", directory(0, 200, 0o775), True),
        ("spring:spring", directory(0, 200, 0o775), False),
        ("spring", directory(0, 0, 0o1777), True),
        ("100", directory(100, 0, 0o555), False),
        ("", directory(100), True),
        ("root2", directory(100), True),
    ],
)
def test_who_may_write(user: str, entry: tarfile.TarInfo, writable: bool, tmp_path: Path) -> None:
    assert look(tmp_path, USERS, {"app": entry}, user=user).writable is writable


def test_the_uppermost_layer_counts(tmp_path: Path) -> None:
    layers = [USERS, {"app": directory(100)}, {"app": directory(), "app/lib": None}]
    assert look(tmp_path, *layers, user="spring").writable is False
    assert look(tmp_path, *reversed(layers), user="spring").writable is True


@pytest.mark.parametrize("whiteout", [".wh.app", ".wh..wh..opq"])
def test_what_a_layer_takes_away_is_not_there(whiteout: str, tmp_path: Path) -> None:
    found = look(tmp_path, USERS, {"app": directory(100)}, {whiteout: b""}, user="100")
    assert (found.mode, found.writable) == (None, None)


def test_a_user_whom_nothing_knows(tmp_path: Path) -> None:
    found = look(tmp_path, {"app": directory(100)}, user="spring")
    assert found.writable is None and "spring" in (found.why or "")


def test_the_root_of_the_image(tmp_path: Path) -> None:
    assert look(tmp_path, USERS, user="spring", path="").writable is False
    assert look(tmp_path, USERS, user="", path="/").writable is True


def test_what_is_said_of_two(tmp_path: Path) -> None:
    own = look(tmp_path, USERS, {"app": directory(100)}, user="spring")
    roots = look(tmp_path, USERS, {"app": directory()}, user="spring")
    other = look(tmp_path, USERS, {"app": directory(100, 101)}, user="spring")
    assert compare_directories(own, own).verdict == "same"
    lost = compare_directories(own, roots)
    assert (lost.verdict, lost.reason) == ("different", "spring can no longer write there")
    assert compare_directories(roots, own).verdict == "expected"
    assert compare_directories(own, other).verdict == "expected"
