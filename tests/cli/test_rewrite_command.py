"""`imgopt rewrite`: where the new Dockerfile goes, and that nothing is lost on the way."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from imgopt.cli.files import write_file
from imgopt.errors import InputError
from imgopt.suggest.result import FileReport

Imgopt = Callable[..., Any]

OLD = b"FROM a\r\nLABEL caf\xe9\r\nRUN x"
NEW = b"FROM b\r\nLABEL caf\xe9\r\nRUN x"


def file_report(path: str | Path, old: bytes = OLD, new: bytes = NEW) -> FileReport:
    rewrite = replace(
        samples.textbook().rewrite,
        changed=old != new,
        text=new.decode("utf-8", "surrogateescape"),
        not_applied=(),
    )
    return replace(
        samples.textbook(),
        path=str(path),
        original=old.decode("utf-8", "surrogateescape"),
        rewrite=rewrite,
        findings=(),
    )


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def dockerfile(tmp_path: Path, answer: Any) -> Path:
    path = tmp_path / "Dockerfile"
    path.write_bytes(OLD)
    answer.report = samples.report(file_report(path))
    return path


def test_standard_output_is_the_text_and_nothing_else(imgopt: Imgopt, dockerfile: Path) -> None:
    run = imgopt("rewrite", str(dockerfile))
    assert (run.code, run.out, run.err) == (0, NEW, "")
    assert dockerfile.read_bytes() == OLD


def test_an_unchanged_file_is_printed_as_it_is(imgopt: Imgopt, answer: Any, dockerfile: Path) -> None:
    answer.report = samples.report(file_report(dockerfile, OLD, OLD))
    assert imgopt("rewrite", str(dockerfile)).out == OLD


def test_standard_input(imgopt: Imgopt, answer: Any, tmp_path: Path) -> None:
    import sys

    answer.report = samples.report(file_report("-"))
    source = tmp_path / "input"
    source.write_bytes(OLD)
    with source.open() as stdin:
        old, sys.stdin = sys.stdin, stdin
        try:
            run = imgopt("rewrite", "-")
        finally:
            sys.stdin = old
    assert (run.code, run.out) == (0, NEW)
    assert answer.stdin == OLD


def test_several_files_are_not_printed_after_each_other(imgopt: Imgopt, answer: Any, tmp_path: Path) -> None:
    answer.report = samples.report(file_report("a"), file_report("b"))
    for arguments in ([], ["--output", str(tmp_path / "out")]):
        run = imgopt("rewrite", *arguments, "a", "b")
        assert (run.code, run.out) == (2, b"")
        assert "--diff, --in-place or --check" in run.err
    assert not (tmp_path / "out").exists()


def test_diff(imgopt: Imgopt, dockerfile: Path) -> None:
    run = imgopt("rewrite", "--diff", str(dockerfile))
    assert run.code == 0
    assert b"-FROM a\r\n+FROM b\r\n" in run.out
    assert b"\x1b" not in run.out


def test_diff_of_several_files(imgopt: Imgopt, answer: Any) -> None:
    answer.report = samples.report(
        file_report("a/Dockerfile"), file_report("b/Dockerfile", OLD, OLD), file_report("c/Dockerfile")
    )
    run = imgopt("rewrite", "--diff", ".")
    assert run.out.count(b"--- a/") == 2
    assert b"b/b/Dockerfile" not in run.out


def test_check(imgopt: Imgopt, answer: Any, dockerfile: Path) -> None:
    run = imgopt("rewrite", "--check", str(dockerfile))
    assert run.code == 1
    assert run.text == f"{dockerfile} would change: jdk-runtime, fat-jar-layer\n"
    assert dockerfile.read_bytes() == OLD
    assert imgopt("rewrite", "--check", "--diff", str(dockerfile)).code == 1
    answer.report = samples.report(file_report(dockerfile, OLD, OLD))
    run = imgopt("rewrite", "--check", str(dockerfile))
    assert (run.code, run.out) == (0, b"")


def test_check_and_an_error(imgopt: Imgopt, answer: Any, dockerfile: Path) -> None:
    answer.report = samples.report(file_report(dockerfile), errors=True)
    assert imgopt("rewrite", "--check", ".").code == 2


def test_in_place(imgopt: Imgopt, dockerfile: Path) -> None:
    dockerfile.chmod(0o640)
    run = imgopt("rewrite", "--in-place", str(dockerfile))
    assert (run.code, run.out) == (0, b"")
    assert run.err == f"rewrote {dockerfile}: jdk-runtime, fat-jar-layer\n"
    assert dockerfile.read_bytes() == NEW
    assert dockerfile.stat().st_mode & 0o7777 == 0o640
    assert names(dockerfile.parent) == ["Dockerfile"]


def test_in_place_leaves_an_unchanged_file_alone(imgopt: Imgopt, answer: Any, dockerfile: Path) -> None:
    answer.report = samples.report(file_report(dockerfile, OLD, OLD))
    before = dockerfile.stat()
    run = imgopt("rewrite", "--in-place", str(dockerfile))
    assert (run.code, run.err) == (0, "nothing to change\n")
    after = dockerfile.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_in_place_refuses_a_file_that_changed_meanwhile(imgopt: Imgopt, dockerfile: Path) -> None:
    dockerfile.write_bytes(OLD + b"\nRUN mine")
    run = imgopt("rewrite", "--in-place", str(dockerfile))
    assert run.code == 2
    assert "it changed while imgopt was reading it; nothing was written" in run.err
    assert dockerfile.read_bytes() == OLD + b"\nRUN mine"
    assert names(dockerfile.parent) == ["Dockerfile"]


def test_in_place_refuses_a_file_that_vanished(imgopt: Imgopt, dockerfile: Path) -> None:
    dockerfile.unlink()
    assert imgopt("rewrite", "--in-place", str(dockerfile)).code == 2
    assert names(dockerfile.parent) == []


def test_in_place_goes_on_after_an_error(imgopt: Imgopt, answer: Any, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two", "three")]
    for path in paths:
        path.write_bytes(OLD)
    paths[1].write_bytes(b"changed")
    answer.report = samples.report(*map(file_report, paths))
    run = imgopt("rewrite", "--in-place", str(tmp_path))
    assert run.code == 2
    assert [path.read_bytes() for path in paths] == [NEW, b"changed", NEW]
    assert run.err.count("error: ") == 1


def test_a_link_is_written_through(imgopt: Imgopt, answer: Any, dockerfile: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "Dockerfile"
    link.symlink_to("../Dockerfile")
    answer.report = samples.report(file_report(link), file_report(dockerfile))
    assert imgopt("rewrite", "--in-place", str(tmp_path)).code == 0
    assert link.is_symlink() and dockerfile.read_bytes() == NEW


def test_a_read_only_file_is_one_clear_error(imgopt: Imgopt, dockerfile: Path) -> None:
    dockerfile.chmod(0o444)
    run = imgopt("rewrite", "--in-place", str(dockerfile))
    assert run.code == 2
    assert run.err == f"error: {dockerfile}: it is read-only; nothing was changed; chmod u+w {dockerfile}\n"
    assert dockerfile.read_bytes() == OLD


def test_a_read_only_directory_is_one_clear_error(tmp_path: Path) -> None:
    """As a user whom permissions bind: root would be let through."""
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "Dockerfile"
    file.write_bytes(OLD)
    root = os.geteuid() == 0
    if root:
        for each in (file, folder, *tmp_path.parents):
            if each.stat().st_uid == 0 and each != Path("/"):
                each.chmod(each.stat().st_mode | 0o755)
        os.chown(file, 65534, 65534)
        os.chown(folder, 65534, 65534)
        tmp_path.chmod(0o755)
    folder.chmod(0o555)
    try:
        if root:
            os.seteuid(65534)
        with pytest.raises(InputError) as error:
            write_file(str(file), NEW, expected=OLD)
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
    assert error.value.message == "its directory is read-only; nothing was changed"
    assert file.read_bytes() == OLD
    assert names(folder) == ["Dockerfile"]


@pytest.mark.parametrize("failing", ["replace", "fsync", "chmod"])
def test_a_failure_on_the_way_loses_nothing(
    dockerfile: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if failing == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, failing, fail)
    with pytest.raises(InputError, match="No space left on device; nothing was changed"):
        write_file(str(dockerfile), NEW, expected=OLD)
    monkeypatch.undo()
    assert dockerfile.read_bytes() == OLD
    assert names(dockerfile.parent) == ["Dockerfile"]


def test_output(imgopt: Imgopt, dockerfile: Path, tmp_path: Path) -> None:
    out = tmp_path / "Dockerfile.new"
    run = imgopt("rewrite", "--output", str(out), str(dockerfile))
    assert (run.code, run.out) == (0, b"")
    assert out.read_bytes() == NEW and dockerfile.read_bytes() == OLD
    umask = os.umask(0)
    os.umask(umask)
    assert out.stat().st_mode & 0o777 == 0o666 & ~umask


def test_output_to_where_nothing_can_be_written(imgopt: Imgopt, dockerfile: Path, tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "no" / "where", "its directory does not exist"),
        (tmp_path, "it is a directory"),
    ):
        run = imgopt("rewrite", "--output", str(path), str(dockerfile))
        assert run.code == 2
        assert said in run.err


def test_a_device_is_written_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write_file(str(pipe), NEW)
    assert reader.communicate()[0] == NEW
    assert pipe.is_fifo()


def test_json_beside_any_way_of_writing(imgopt: Imgopt, dockerfile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = imgopt("rewrite", "--format", "json", "--output", str(out), str(dockerfile))
    document = json.loads(run.text)
    assert document["files"][0]["rewrite"]["changed"] is True
    assert out.read_bytes() == NEW
    run = imgopt("rewrite", "--format", "json", "--check", str(dockerfile))
    assert run.code == 1 and json.loads(run.text)["files"]
    dockerfile.write_bytes(b"changed")
    run = imgopt("rewrite", "--format", "json", "--in-place", str(dockerfile))
    assert run.code == 2
    assert "it changed" in json.loads(run.text)["errors"][0]["message"]


def test_what_was_held_back_is_said_beside_the_text(imgopt: Imgopt, answer: Any) -> None:
    answer.report = samples.report(samples.gaps())
    run = imgopt("rewrite", "x")
    assert run.text == samples.gaps().original
    assert "glibc-runtime: libtcnative.so in netty-tcnative.jar needs glibc" in run.err
    assert "1 fix needs --unsafe: jdk-runtime" in run.err
    assert imgopt("rewrite", "-q", "x").err == ""
    answer.report = samples.report(samples.textbook())
    assert imgopt("rewrite", "x").err == ""
    assert "jdk-runtime, fat-jar-layer (safe)" in imgopt("rewrite", "-v", "x").err


def test_output_file_takes_what_would_be_printed(imgopt: Imgopt, dockerfile: Path, tmp_path: Path) -> None:
    out = tmp_path / "change.diff"
    run = imgopt("rewrite", "--diff", "--output-file", str(out), str(dockerfile))
    assert (run.code, run.out) == (0, b"")
    assert b"+FROM b\r\n" in out.read_bytes()
