"""The jar of the next release: valid for Java, one class different, times as a build gives them, the rest untouched."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgopt.errors import JarError
from imgopt.java.archive import Entry
from imgopt.java.jar import read_jar
from imgopt.java.next_class import with_unused_constant
from imgopt.java.next_jar import Unchangeable, class_to_change, write_next_jar

READER = Path(__file__).parent / "JarReader.java"
LIBRARIES = ("spring-core", "tomcat-embed-core", "h2")
LIBRARY_TIMES = ("BOOT-INF/lib", "WEB-INF/lib", "org/springframework/boot/loader/")


def java(*arguments: str) -> str:
    done = subprocess.run(["java", "-Xverify:all", *arguments], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def next_of(jar: Path, target: Path) -> Entry:
    read = read_jar(jar)
    entry = class_to_change(read)
    assert isinstance(entry, Entry), entry
    write_next_jar(read, entry, target)
    return entry


def contents(jar: Path) -> dict[str, tuple[int, int, int, tuple[int, ...], bytes]]:
    """Name: CRC, size, method, time, extra field."""
    with zipfile.ZipFile(jar) as archive:
        assert archive.testzip() is None
        return {
            entry.filename: (entry.CRC, entry.file_size, entry.compress_type, entry.date_time, entry.extra)
            for entry in archive.infolist()
        }


SCRIPT = b"#!/bin/sh\nexec java -jar $0\n"


@pytest.mark.parametrize(
    ("spring_boot", "layout", "script"),
    [
        ("1.5.22.RELEASE", "jar", SCRIPT),
        ("2.7.18", "jar", b""),
        ("2.7.18", "zip", b""),
        ("3.5.16", "jar", SCRIPT),
        ("3.5.16", "war", b""),
        ("4.1.2", "jar", b""),
    ],
    ids=lambda value: value if isinstance(value, str) else "script-in-front" if value else "",
)
def test_one_class_differs_and_the_times_are_those_of_a_later_build(
    spring_boot: str, layout: str, script: bytes, app: Callable[..., Path], tmp_path: Path
) -> None:
    built = app(spring_boot, layout)
    jar, target = tmp_path / f"old{built.suffix}", tmp_path / f"new{built.suffix}"
    jar.write_bytes(
        script + built.read_bytes()
    )  # offsets as `cat` leaves them: the script is not counted in them
    entry = next_of(jar, target)
    assert "/classes/example/web/" in entry.name and not entry.name.endswith("Application.class")
    old, new = contents(jar), contents(target)
    assert list(new) == list(old)
    assert [name for name in old if new[name][:2] != old[name][:2]] == [entry.name]
    assert [name for name in old if new[name][2] != old[name][2]] == []  # stored stays stored
    for name in old:
        kept = not name.endswith("/") and name.startswith(LIBRARY_TIMES) and not name.endswith(".idx")
        assert (new[name][3] == old[name][3]) is kept, name
        assert new[name][3] >= old[name][3]
    assert target.read_bytes().startswith(script)
    said = java(str(READER), str(target))
    assert said.split()[:2] == ["entries", str(len(old))]
    assert ("streamed true" in said) is not bool(
        script
    )  # Java's stream reads no prefix, of the original neither


def test_spring_boots_own_loader_reads_it(app: Callable[..., Path], tmp_path: Path) -> None:
    """The loader has a zip reader of its own, which is stricter than Java's."""
    for spring_boot, mode in {"2.7.18": "layertools", "4.1.2": "tools"}.items():
        target = tmp_path / f"{spring_boot}.jar"
        next_of(app(spring_boot), target)
        lines = ["list"] if mode == "layertools" else ["list-layers"]
        assert "dependencies" in java(f"-Djarmode={mode}", "-jar", str(target), *lines)


def test_every_class_of_real_libraries_is_still_valid(app: Callable[..., Path], tmp_path: Path) -> None:
    """For the JVM, which checks the form of a class when it defines it; what failed before for another reason (a class
    that is not there) fails now as before."""
    with zipfile.ZipFile(app("3.5.16")) as fat:
        for library in LIBRARIES:
            (name,) = [
                n for n in fat.namelist() if n.startswith(f"BOOT-INF/lib/{library}-") and n.count("-") <= 5
            ]
            old, new = tmp_path / f"{library}.jar", tmp_path / f"{library}-new.jar"
            old.write_bytes(fat.read(name))
            classes = 0
            with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
                for entry in source.infolist():
                    data = source.read(entry)
                    if entry.filename.endswith(".class"):
                        changed = with_unused_constant(data, "unused")
                        assert len(changed) == len(data) + 3 + len("unused")
                        data, classes = changed, classes + 1
                    if not entry.filename.upper().endswith((".SF", ".RSA")):
                        target.writestr(entry, data)
            before, after = java(str(READER), str(old), "load"), java(str(READER), str(new), "load")
            assert classes > 300 and before.count(" loaded") > 100
            assert before == after


def test_the_same_constant_can_be_added_again(app: Callable[..., Path]) -> None:
    with zipfile.ZipFile(app("3.5.16")) as fat:
        data = fat.read("BOOT-INF/classes/example/web/Release.class")
    once = with_unused_constant(data, "x")
    assert len({data, once, with_unused_constant(once, "x")}) == 3


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=300)
def test_what_is_no_class_file_is_refused(data: bytes, magic: bool) -> None:
    if magic:
        data = b"\xca\xfe\xba\xbe" + data
    try:
        changed = with_unused_constant(data, "unused")
    except ValueError:
        return
    assert changed[8:10] == (int.from_bytes(data[8:10], "big") + 1).to_bytes(2, "big")


def test_a_full_constant_pool_is_refused() -> None:
    data = b"\xca\xfe\xba\xbe\0\0\0\x34\xff\xff" + b"\1\0\0" * 65534 + bytes(20)
    with pytest.raises(ValueError, match="full"):
        with_unused_constant(data, "x")


def small_jar(
    path: Path, release: bytes, *, change: Callable[[zipfile.ZipFile], None] | None = None, **entry: Any
) -> Path:
    """A jar whose start class and one more class lie at its root."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: example.web.Application\n\n")
        for name in ("Application", "Release"):
            with jar.open(
                zipfile.ZipInfo(f"example/web/{name}.class", (2026, 11, 26, 10, 0, 2)), "w", **entry
            ) as file:
                file.write(release)
        if change is not None:
            change(jar)
    return path


@pytest.fixture
def release(app: Callable[..., Path]) -> bytes:
    with zipfile.ZipFile(app("3.5.16")) as fat:
        return fat.read("BOOT-INF/classes/example/web/Release.class")


def test_zip64_and_comments_survive(release: bytes, tmp_path: Path) -> None:
    def comment(jar: zipfile.ZipFile) -> None:
        jar.comment = b"a comment"

    jar = small_jar(tmp_path / "a.jar", release, change=comment, force_zip64=True)
    entry = next_of(jar, tmp_path / "b.jar")
    assert entry.name == "example/web/Release.class"
    with zipfile.ZipFile(tmp_path / "b.jar") as new:
        assert new.testzip() is None
        assert new.comment == b"a comment"
    java(str(READER), str(tmp_path / "b.jar"))


def test_data_descriptors_behind_the_data(release: bytes, tmp_path: Path) -> None:
    """As `jar` and every writer to a stream makes them: sizes behind the data."""
    (tmp_path / "classes/example/web").mkdir(parents=True)
    for name in ("Application", "Release"):
        (tmp_path / f"classes/example/web/{name}.class").write_bytes(release)
    jar = tmp_path / "a.jar"
    subprocess.run(
        ["jar", "cfe", str(jar), "example.web.Application", "-C", str(tmp_path / "classes"), "."], check=True
    )
    assert b"PK\7\10" in jar.read_bytes()
    next_of(jar, tmp_path / "b.jar")
    contents(tmp_path / "b.jar")
    assert "streamed true" in java(str(READER), str(tmp_path / "b.jar"))


def test_a_reproducible_jar_keeps_its_times(app: Callable[..., Path], tmp_path: Path) -> None:
    fixed = tmp_path / "fixed.jar"
    with zipfile.ZipFile(app("3.5.16")) as old, zipfile.ZipFile(fixed, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            entry.date_time = (1980, 2, 1, 0, 0, 0)
            new.writestr(entry, data)
    next_of(fixed, tmp_path / "next.jar")
    assert {each[3] for each in contents(tmp_path / "next.jar").values()} == {(1980, 2, 1, 0, 0, 0)}


def test_what_cannot_be_changed_says_why(release: bytes, tmp_path: Path) -> None:
    def sign(jar: zipfile.ZipFile) -> None:
        jar.writestr("META-INF/KEY.SF", "Signature-Version: 1.0\n\n")
        jar.writestr("META-INF/KEY.RSA", b"block")

    def mark(jar: zipfile.ZipFile) -> None:
        jar.writestr("META-INF/BOOT.SF", "")  # Spring Boot's sign that a library in the jar is signed

    signed = class_to_change(read_jar(small_jar(tmp_path / "signed.jar", release, change=sign)))
    assert isinstance(signed, Unchangeable) and "signed" in signed.reason
    marked = class_to_change(read_jar(small_jar(tmp_path / "marked.jar", release, change=mark)))
    assert isinstance(marked, Entry)
    with zipfile.ZipFile(tmp_path / "empty.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: a.B\n\n")
    empty = class_to_change(read_jar(tmp_path / "empty.jar"))
    assert isinstance(empty, Unchangeable) and "no class of the application" in empty.reason
    broken = read_jar(small_jar(tmp_path / "broken.jar", b"no class"))
    entry = class_to_change(broken)
    assert isinstance(entry, Entry)
    with pytest.raises(JarError, match="cannot be changed: no class file"):
        write_next_jar(broken, entry, tmp_path / "never.jar")


def test_the_launch_script_of_the_build_plugin(app: Callable[..., Path], tmp_path: Path) -> None:
    """Its offsets count the script, unlike those of a jar behind `cat`."""
    if reason := apps.missing():
        pytest.skip(reason)
    built = tmp_path / "script.jar"
    jar = app("2.7.18")
    script = b"#!/bin/sh\n"
    with built.open("wb") as file:
        file.write(script)
        with zipfile.ZipFile(jar) as old, zipfile.ZipFile(file, "w") as new:
            for entry in old.infolist():
                new.writestr(entry, old.read(entry))
    next_of(built, tmp_path / "next.jar")
    assert (tmp_path / "next.jar").read_bytes().startswith(script)
    assert len(contents(tmp_path / "next.jar")) == len(contents(built))
