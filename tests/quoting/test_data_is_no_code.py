"""Nothing that imgopt reads becomes code: not a jar's entries, its layers, its manifest, not a file, an argument, a
version or a directory. What can be written is written as the word that it is; what cannot is refused, with the reason.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from boot_jar import PADDING, boot_jar, library
from command_line import Imgopt
from stage_runner import carry_out

DOCKERFILE = 'FROM eclipse-temurin:17-jdk\nWORKDIR /app\nCOPY target/app.jar app.jar\nENTRYPOINT ["java", "-jar", "app.jar"]\n'
needs_jar = pytest.mark.skipif(shutil.which("jar") is None, reason="a JDK is not installed")


def rewritten(imgopt: Imgopt, folder: Path, *arguments: object, dockerfile: str = DOCKERFILE) -> str:
    (folder / "Dockerfile").write_text(dockerfile)
    run = imgopt("rewrite", *arguments, folder / "Dockerfile")
    assert run.code == 0, run.err
    return run.text


def why_not(imgopt: Imgopt, folder: Path, *arguments: object) -> str:
    run = imgopt("suggest", "--format", "json", *arguments, folder / "Dockerfile")
    assert run.code == 0, run.err
    (file,) = run.json["files"]
    (why,) = [entry["why"] for entry in file["rewrite"]["not_applied"] if entry["rule"] == "fat-jar-layer"]
    return str(why)


def unpacked(text: str, folder: Path, shell: str) -> Path:
    """The tree that the stage `extract` makes, seen as one: all layers copied to /."""
    root = folder / Path(shell).name
    root.mkdir()
    result = carry_out(text, "extract", folder, root, shell)
    assert result is not None and result.returncode == 0, result
    tree = root / "tree"
    for layer in sorted((root / "out").iterdir()):
        shutil.copytree(layer / "application", tree, dirs_exist_ok=True)
    assert not [*folder.rglob("PWNED*")]
    return tree


# a jar's layers


@pytest.mark.parametrize(
    "name",
    ["$(touch${IFS}PWNED)", "a b", "a;touch PWNED", "..", ".", "-x", "a/b", "/etc", "été", "x'", "*", "a\\", "`touch PWNED`", "x" * 101],
)  # fmt: skip
def test_a_layer_without_a_plain_name_is_not_unpacked(name: str, imgopt: Imgopt, tmp_path: Path) -> None:
    boot_jar(tmp_path / "target/app.jar", application=name)
    assert "extract" not in rewritten(imgopt, tmp_path)
    why = why_not(imgopt, tmp_path)
    assert "layers.idx calls a layer" in why and "not a plain name" in why


def test_layers_with_names_of_their_own_are_unpacked(imgopt: Imgopt, tmp_path: Path) -> None:
    boot_jar(tmp_path / "target/app.jar", application="our_code-2.0")
    assert "out/our_code-2.0/ /" in rewritten(imgopt, tmp_path)


# what the manifest says


@pytest.mark.parametrize("attribute", ["Spring-Boot-Lib", "Spring-Boot-Classes"])
@pytest.mark.parametrize(
    "value",
    ["../../etc/", "/etc/", "BOOT-INF/../../", "$(touch PWNED)/", "a b/", "lib|e touch PWNED\\n/", "lib", "a//b/", "./", "-x;touch PWNED/", "\\(x/"],
)  # fmt: skip
@pytest.mark.parametrize("version", ["3.5.4", "2.1.18.RELEASE"])
def test_directories_of_the_manifest_stay_in_the_archive(
    attribute: str, value: str, version: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    other = {"Spring-Boot-Lib": "BOOT-INF/classes", "Spring-Boot-Classes": "BOOT-INF/lib"}[attribute]
    extra = {f"{value}x{number}.jar": library(size=PADDING, seed=number) for number in (7, 8)}
    modern = {} if version > "3" else {"layered": False, "jarmode": None}
    manifest = {attribute: value}
    boot_jar(
        tmp_path / "target/app.jar",
        version=version,
        manifest=manifest,
        extra=extra if other else {},
        **modern,  # type: ignore[arg-type]
    )
    text = rewritten(imgopt, tmp_path)
    assert "extract" not in text and "touch" not in text


def test_an_index_that_the_manifest_names_is_only_read(imgopt: Imgopt, tmp_path: Path) -> None:
    boot_jar(tmp_path / "target/app.jar", manifest={"Spring-Boot-Layers-Index": "$(touch PWNED)"})
    assert "PWNED" not in rewritten(imgopt, tmp_path)


def test_a_launcher_of_any_name_is_no_part_of_a_start_command(imgopt: Imgopt, tmp_path: Path) -> None:
    boot_jar(tmp_path / "app.jar", launcher='x";touch PWNED;".JarLauncher')
    text = (
        "FROM eclipse-temurin:17-jdk AS build\nCOPY app.jar app.jar\nRUN java -Djarmode=tools -jar app.jar extract --layers --launcher\n"
        "FROM eclipse-temurin:17-jre\nCOPY --from=build /app/dependencies/ ./\n"
        "ENTRYPOINT java org.springframework.boot.loader.JarLauncher\n"
    )
    assert "PWNED" not in rewritten(imgopt, tmp_path, dockerfile=text)


# entries at the root of a jar

BY_PATH: Mapping[str, Any] = {"version": "2.2.13.RELEASE", "layered": False, "jarmode": None}
ENTRIES = [
    "App$1.class", "read me.txt", "it's.txt", 'say "x".txt', "back\\slash", "x-x", "@args", "@@args", "[a]", "*", "?", "~", "{a,b}", "!x", "#x",
    "$(touch PWNED)", "`touch PWNED`", "${HOME}", "a;touch PWNED;true/f", "a&touch PWNED", "<<EOF", "%s", "été.txt", " lead", "trail ", "x\\",
    "'$(touch PWNED)'", "=", "$'\\x41'",
]  # fmt: skip


@needs_jar
@pytest.mark.parametrize("escape", ["\\", "`"])
@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
def test_whatever_stands_at_the_root_of_a_jar_arrives(
    escape: str, shell: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    extra = {name: name.encode() for name in ENTRIES}
    boot_jar(tmp_path / "target/app.jar", extra=extra, **BY_PATH)
    text = rewritten(imgopt, tmp_path, dockerfile=f"# escape={escape}\n{DOCKERFILE}")
    tree = unpacked(text, tmp_path, shell)
    assert {name: (tree / name).read_bytes() for name in ENTRIES} == extra
    assert (tree / "BOOT-INF/classes/com/example/App.class").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("-C", "takes for an option"),
        ("--release9", "takes for an option"),
        ("-x", "takes for an option"),
        ("-Cx", "takes for an option"),
        # its launcher hands -J… to the virtual machine, wherever it stands
        ("-J-XX:OnOutOfMemoryError=touch PWNED", "takes for an option"),
        ("-J-version", "takes for an option"),
        ("a\nb", "cannot be written there"),
        ("a\rb", "cannot be written there"),
        ("\u202etxt", "cannot be written there"),
        ("a\x1bb/f", "cannot be written there"),
    ],
)
def test_an_entry_that_no_command_can_name_is_refused(
    name: str, reason: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    boot_jar(tmp_path / "target/app.jar", extra={name: b"x"}, **BY_PATH)
    assert "extract" not in rewritten(imgopt, tmp_path)
    assert reason in why_not(imgopt, tmp_path)


@pytest.mark.parametrize("jar", [BY_PATH, {}], ids=["by path", "by jarmode"])
def test_names_beyond_ascii_need_a_locale(jar: Mapping[str, Any], imgopt: Imgopt, tmp_path: Path) -> None:
    boot_jar(tmp_path / "target/app.jar", extra={"été.txt": b"x"}, **jar)
    text = DOCKERFILE.replace("eclipse-temurin:17-jdk", "mcr.microsoft.com/openjdk/jdk:17-ubuntu")
    only = ("--select", "fat-jar-layer")
    assert "extract" not in rewritten(imgopt, tmp_path, *only, dockerfile=text)
    assert "ENV LANG=C.UTF-8" in why_not(imgopt, tmp_path, *only)
    text = text.replace("WORKDIR", "ENV LANG=C.UTF-8\nWORKDIR")
    assert "extract" not in rewritten(
        imgopt, tmp_path, *only, dockerfile=text
    )  # where it is unpacked, it is not set
    text = text.replace("mcr.microsoft.com/openjdk/jdk:17-ubuntu", "eclipse-temurin:17-jdk")
    assert "extract" in rewritten(imgopt, tmp_path, *only, dockerfile=text)


@pytest.mark.parametrize("name", ["a b-1.0.jar", "50%.jar", "a#b.jar", "a?.jar", "é.jar"])
def test_a_class_path_lists_only_what_is_plain_in_a_url(name: str, imgopt: Imgopt, tmp_path: Path) -> None:
    libraries = {"z-1.0.jar": library(size=PADDING), name: library(seed=2)}
    libraries = dict(sorted(libraries.items(), reverse=True))  # an unpacked archive would have another order
    boot_jar(
        tmp_path / "target/app.jar",
        version="2.1.18.RELEASE",
        layered=False,
        jarmode=None,
        libraries=libraries,
    )
    assert "extract" not in rewritten(imgopt, tmp_path)
    assert "cannot stand in the Class-Path" in why_not(imgopt, tmp_path)


@needs_jar
@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
def test_a_real_application_keeps_what_stands_at_its_root(
    shell: str, app: Callable[..., Path], imgopt: Imgopt, tmp_path: Path
) -> None:
    """Spring Boot 2.7 whose layers.idx does not name two of the entries: its own tools refuse it, `jar` unpacks it."""
    (tmp_path / "target").mkdir()
    shutil.copy(app("2.7.18"), tmp_path / "target/app.jar")
    with zipfile.ZipFile(tmp_path / "target/app.jar", "a") as archive:
        archive.writestr("App$1.class", b"1")
        archive.writestr("read me.txt", b"2")
    text = rewritten(imgopt, tmp_path)
    assert "jar xf" in text
    tree = unpacked(text, tmp_path, shell)
    assert ((tree / "App$1.class").read_bytes(), (tree / "read me.txt").read_bytes()) == (b"1", b"2")


@needs_jar
def test_jarmode_unpacks_what_stands_at_the_root(
    app: Callable[..., Path], imgopt: Imgopt, tmp_path: Path
) -> None:
    (tmp_path / "target").mkdir()
    with (
        zipfile.ZipFile(app("3.5.16")) as old,
        zipfile.ZipFile(tmp_path / "target/app.jar", "w") as new,
    ):
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "BOOT-INF/layers.idx":
                data += b'  - "App$1.class"\n  - "read me.txt"\n'
            new.writestr(entry, data)
        new.writestr("App$1.class", b"1")
        new.writestr("read me.txt", b"2")
    text = rewritten(imgopt, tmp_path)
    assert "-Djarmode=tools" in text
    tree = unpacked(text, tmp_path, "/bin/sh")
    assert ((tree / "App$1.class").read_bytes(), (tree / "read me.txt").read_bytes()) == (b"1", b"2")
