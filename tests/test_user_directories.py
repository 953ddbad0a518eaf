"""The cache below `$XDG_CACHE_HOME`: made for its owner only, and not used where somebody else may write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imgopt.comparison.compare import keep_sizes, known_sizes
from imgopt.registry.remembered import remember, remembered
from imgopt.registry.sessions import Notes, Session
from imgopt.registry.target import parse_target

TARGET = parse_target("registry.example/shop/api:1")
SESSION = Session("registry.example", "shop/api", "sha256:0", 9, "https://registry.example/upload/1", 3)
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def noted() -> tuple[list[str], Session | None, dict[str, tuple[int, int]]]:
    notes = Notes(SESSION.registry, SESSION.repository, SESSION.digest)
    return remembered(TARGET), notes.load(), known_sizes()


def note() -> None:
    remember([TARGET])
    notes = Notes(SESSION.registry, SESSION.repository, SESSION.digest)
    with notes.held(lambda: False):
        notes.save(SESSION)
    keep_sizes({"sha256:1": (1, 2)})


ALL = ([str(TARGET)], SESSION, {"sha256:1": (1, 2)})
NOTHING = ([], None, {})


def test_what_is_kept_is_found_again_and_its_owners_only(cache: Path) -> None:
    old = os.umask(0)
    try:
        note()
    finally:
        os.umask(old)
    assert noted() == ALL
    for each in (cache, *cache.rglob("*")):
        assert each.stat().st_mode & 0o077 == 0, each


@pytest.mark.parametrize("place", ["", "imgopt", "imgopt/uploads", "imgopt/pushed"])
def test_where_others_may_write_nothing_is_read_or_kept(place: str, cache: Path) -> None:
    note()
    files = {path: path.read_bytes() for path in cache.rglob("*") if path.is_file()}
    for path in files:
        path.unlink()
    (cache / place).chmod(0o777)
    note()
    kept = [path for path in cache.rglob("*") if path.is_file()]
    within = [path for path in kept if (cache / place) in path.parents]
    assert within == []
    for path, data in files.items():  # as somebody else could have left them
        path.write_bytes(data)
    found = noted()
    if place in ("", "imgopt"):
        assert found == NOTHING
    else:
        assert found[place.endswith("uploads")] in ([], None)


def test_a_directory_in_which_nobody_renames_what_others_have_is_one(cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o1777)
    note()
    assert noted() == ALL


@pytest.mark.skipif(not IS_ROOT, reason="only root may give a directory away")
@pytest.mark.parametrize("place", ["", "imgopt", "imgopt/pushed"])
def test_a_directory_of_somebody_else_is_not_used(place: str, cache: Path) -> None:
    note()
    os.chown(cache / place, 12345, 12345)
    assert remembered(TARGET) == []


@pytest.mark.skipif(not IS_ROOT, reason="only root may give a directory away")
@pytest.mark.parametrize(("group", "used"), [(0, True), (12345, False)])
def test_a_group_that_may_write_is_others_unless_it_is_the_owners(
    group: int, used: bool, cache: Path
) -> None:
    note()
    os.chown(cache / "imgopt", 0, group)
    (cache / "imgopt").chmod(0o775)
    assert noted() == (ALL if used else NOTHING)


@pytest.mark.skipif(not IS_ROOT, reason="only root may give a link away")
def test_a_link_is_its_owners_word(cache: Path, tmp_path: Path) -> None:
    """In a directory like /tmp somebody else may have made it, and leads it where they like."""
    note()
    (cache / "imgopt").rename(tmp_path / "elsewhere")
    (cache / "imgopt").symlink_to(tmp_path / "elsewhere")
    assert noted() == ALL
    os.chown(cache / "imgopt", 12345, 12345, follow_symlinks=False)
    assert noted() == NOTHING
