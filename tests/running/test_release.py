"""The next release: its context, and what a registry that has the first one lacks of its image."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from private_docker import Engine
from start_forms import provide_bases
from test_rewrites_run import rewrite

from imgopt.build_context.tree import Context, open_context
from imgopt.comparison.next_release import Change, make_context, plan_change, with_one_more_class
from imgopt.comparison.release_difference import ReleaseDifference, release_difference, unstable_layers
from imgopt.dockerfile import parse
from imgopt.errors import MeasureError
from imgopt.java.next_jar import Unchangeable
from imgopt.options import Options
from imgopt.picture import Picture, take_picture
from imgopt.sources.open import open_image

FAT = 'FROM eclipse-temurin:17-jre\nCOPY target/app.jar app.jar\nENTRYPOINT ["java", "-jar", "app.jar"]\n'
BUILT = """\
FROM maven:3.9-eclipse-temurin-17 AS build
WORKDIR /src
COPY . .
RUN mvn -q package
FROM eclipse-temurin:17-jre
COPY --from=build /src/target/app.jar app.jar
ENTRYPOINT ["java", "-jar", "app.jar"]
"""
EXTRACTED = """\
FROM eclipse-temurin:17-jdk AS builder
WORKDIR /builder
COPY target/*.jar application.jar
RUN java -Djarmode=tools -jar application.jar extract --layers --launcher --destination extracted

FROM eclipse-temurin:17-jre
WORKDIR /application
COPY --from=builder /builder/extracted/dependencies/ ./
COPY --from=builder /builder/extracted/spring-boot-loader/ ./
COPY --from=builder /builder/extracted/snapshot-dependencies/ ./
COPY --from=builder /builder/extracted/application/ ./
ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]
"""
LIBRARIES_BESIDE = """\
FROM eclipse-temurin:17-jre
WORKDIR /app
COPY target/lib/ lib/
COPY target/classes/ classes/
ENTRYPOINT ["java", "-cp", "classes:lib/*", "example.web.Application"]
"""
SOURCE = "package example;\n\nclass Small {\n}\n"


def project(
    root: Path, dockerfile: str, files: dict[str, str] | None = None, jar: Path | None = None
) -> Path:
    root.mkdir(parents=True)
    (root / "Dockerfile").write_text(dockerfile)
    if jar is not None:
        (root / "target").mkdir()
        (root / "target" / jar.name).hardlink_to(jar)
    for name, text in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def picture_of(root: Path) -> Picture:
    document = parse((root / "Dockerfile").read_bytes(), str(root / "Dockerfile"))
    return take_picture(document, open_context(root, root / "Dockerfile"), Options(context=root))


def plan(root: Path) -> Change:
    change = plan_change(picture_of(root))
    assert isinstance(change, Change), change
    return change


def context_of(root: Path) -> Context:
    return open_context(root, root / "Dockerfile")


# --- what is changed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dockerfile", [FAT, EXTRACTED, FAT.replace("target/app.jar", "target/*.jar")])
def test_the_jar_of_the_context(dockerfile: str, app: Callable[..., Path], tmp_path: Path) -> None:
    change = plan(project(tmp_path / "p", dockerfile, jar=app("3.5.16")))
    assert (change.kind, change.path) == ("jar", "target/app.jar")
    assert change.description.startswith("BOOT-INF/classes/example/web/")
    assert change.description.endswith(" in target/app.jar differs")


def test_a_war(app: Callable[..., Path], tmp_path: Path) -> None:
    root = project(tmp_path / "p", FAT.replace("app.jar", "app.war"), jar=app("3.5.16", "war"))
    assert plan(root).description.startswith("WEB-INF/classes/example/web/")


def test_classes_that_lie_unpacked_in_the_context(app: Callable[..., Path], tmp_path: Path) -> None:
    names = ("classes/example/web/Application.class", "classes/example/web/Release.class", "lib/x.jar")
    root = project(tmp_path / "p", LIBRARIES_BESIDE, {f"target/{name}": "" for name in names})
    with zipfile.ZipFile(app("3.5.16")) as jar:
        data = jar.read("BOOT-INF/classes/example/web/Release.class")
    (root / "target/classes/example/web/Release.class").write_bytes(data)
    change = plan(root)
    assert (change.kind, change.path) == ("class", "target/classes/example/web/Release.class")
    target = tmp_path / "next"
    target.mkdir()
    make_context(context_of(root), change, target)
    assert (target / change.path).read_bytes() != data
    assert (root / change.path).read_bytes() == data


def test_sources_where_a_stage_builds_and_not_the_jar_that_an_earlier_build_left(
    app: Callable[..., Path], tmp_path: Path
) -> None:
    files = {
        "pom.xml": "<project/>",
        "src/main/java/example/Small.java": SOURCE,
        "src/test/java/T.java": SOURCE,
    }
    root = project(tmp_path / "p", BUILT, files, jar=app("3.5.16"))
    assert plan(root).path == "src/main/java/example/Small.java"
    copied = BUILT.replace("--from=build /src/target/app.jar", "target/app.jar")
    (root / "Dockerfile").write_text(copied)
    assert plan(root).kind == "jar"


def test_the_module_that_the_image_ships(tmp_path: Path) -> None:
    files = {f"{module}/src/main/java/example/A.java": SOURCE for module in ("api", "service", "web")}
    root = project(tmp_path / "p", BUILT.replace("/src/target/", "/src/service/target/"), files)
    assert plan(root).path == "service/src/main/java/example/A.java"
    (root / "Dockerfile").write_text(BUILT.replace("/src/target/app.jar", "/out/app.jar"))
    none = plan_change(picture_of(root))
    assert isinstance(none, Unchangeable)  # three modules, and nothing tells which
    (root / "web/src/main/java/example/WebApplication.java").write_text(
        "@SpringBootApplication\nclass WebApplication {}\n"
    )
    assert plan(root).path == "web/src/main/java/example/A.java"


def test_what_dockerignore_hides_is_not_changed(app: Callable[..., Path], tmp_path: Path) -> None:
    root = project(tmp_path / "p", FAT, {".dockerignore": "target\n"}, jar=app("3.5.16"))
    found = plan_change(picture_of(root))
    assert isinstance(found, Unchangeable)
    assert "neither a jar nor classes nor sources" in found.reason


@pytest.mark.parametrize(("name", "newline"), [("A.java", "\n"), ("A.java", "\r\n"), ("A.kt", "\n")])
def test_a_source_file_with_one_more_class(name: str, newline: str, tmp_path: Path) -> None:
    source = SOURCE.replace("\n", newline).encode().rstrip()
    changed = with_one_more_class(source, name)
    assert changed.startswith(source)
    assert changed.count(b"\r\n") == (changed.count(b"\n") if newline == "\r\n" else 0)
    if name.endswith(".java"):
        (tmp_path / "Small.java").write_bytes(changed)
        subprocess.run(["javac", "-d", str(tmp_path / "out"), str(tmp_path / "Small.java")], check=True)
        classes = {path.name for path in (tmp_path / "out/example").iterdir()}
        assert classes == {"Small.class", "ImgoptNextRelease.class"}


# --- the copy of the context -----------------------------------------------------------------------------------


def fingerprint(root: Path) -> dict[str, tuple[int, int, str]]:
    found = {}
    for path in sorted([root, *root.rglob("*")]):
        info = path.lstat()
        content = "" if not path.is_file() else hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path)] = (info.st_mode, info.st_mtime_ns, content)
    return found


@pytest.mark.parametrize("links", [True, False], ids=["hard-links", "copies"])
def test_the_copy_has_what_is_sent_and_the_users_tree_stays(
    links: bool, app: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        ".dockerignore": "*.md\nsecret\n!README.md\n",
        "README.md": "a",
        "b.md": "b",
        "secret/key": "k",
        "start.sh": "#!/bin/sh\n",
    }
    root = project(tmp_path / "p", FAT, files, jar=app("3.5.16"))
    (root / "link.sh").symlink_to("start.sh")
    (root / "start.sh").chmod(0o751)
    os.utime(root / "start.sh", (1_000_000_000, 1_000_000_000))
    os.utime(root, (1_100_000_000, 1_100_000_000))
    if not links:  # as across file systems
        monkeypatch.setattr(Path, "hardlink_to", _refuse)
    before = fingerprint(root)
    target = tmp_path / "next"
    target.mkdir()
    made = make_context(context_of(root), plan(root), target)
    assert made.root == target and made.dockerfile == root / "Dockerfile"
    names = {path.relative_to(target).as_posix() for path in target.rglob("*")}
    assert names == {
        ".dockerignore",
        "Dockerfile",
        "README.md",
        "link.sh",
        "start.sh",
        "target",
        "target/app.jar",
    }
    assert (target / "link.sh").readlink() == Path("start.sh")
    copy = (target / "start.sh").stat()
    assert (stat.S_IMODE(copy.st_mode), copy.st_mtime) == (0o751, 1_000_000_000)
    assert (copy.st_ino == (root / "start.sh").stat().st_ino) is links
    assert (target / "target/app.jar").stat().st_mtime > (root / "target/app.jar").stat().st_mtime
    shutil.rmtree(target)
    assert fingerprint(root) == before


def _refuse(self: Path, target: Path) -> None:
    raise OSError(18, "Invalid cross-device link")


def test_a_full_disk_is_said(
    app: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    root = project(tmp_path / "p", FAT, jar=app("3.5.16"))
    change = plan(root)
    (tmp_path / "next").mkdir()
    monkeypatch.setattr(Path, "hardlink_to", _refuse)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(MeasureError, match="No space left"):
        make_context(context_of(root), change, tmp_path / "next")


# --- measured --------------------------------------------------------------------------------------------------


def test_the_next_release_of_the_manuals_form_and_of_its_rewrite(
    app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    """The four COPY lines of Spring Boot's manual send everything again for the times of some directories."""
    root = project(tmp_path / "p", EXTRACTED, jar=app("3.5.16"))
    rewrite(root)
    found: dict[str, ReleaseDifference] = {}
    for name in ("Dockerfile", "Dockerfile.imgopt"):
        provide_bases(engine, root / name)
        change = plan(root)
        target = tmp_path / f"next-{name}"
        target.mkdir()
        make_context(context_of(root), change, target)
        saved = []
        for number, directory in enumerate((root, target), 1):
            tag = f"next-release:{number}"
            shutil.copyfile(root / name, directory / "Used")
            engine.build(directory, tag, dockerfile="Used", cache=False)
            saved.append(tmp_path / f"{name}-{number}.tar")
            with saved[-1].open("wb") as file:
                file.writelines(engine.client.images.get(tag).save(named=True))
        with open_image(str(saved[0])) as first, open_image(str(saved[1])) as second:
            found[name] = release_difference(first, second)
    before, after = found["Dockerfile"], found["Dockerfile.imgopt"]
    print(f"next release: {before.compressed_bytes:,} bytes before, {after.compressed_bytes:,} after")
    assert after.compressed_bytes <= 0.005 * before.compressed_bytes
    # what is left: the directory that WORKDIR makes has the time of the build
    assert sum(layer.compressed_bytes for layer in after.unstable) < 1000
    libraries = max(before.unstable, key=lambda layer: layer.compressed_bytes)
    assert libraries.compressed_bytes > 20_000_000 and libraries.difference is not None
    assert "nothing but the modification time of" in libraries.difference.cause
    assert libraries.difference.counts.keys() == {"mtime"}
    assert all(each.is_directory for each in libraries.difference.named)
    (finding, *_) = unstable_layers(before, lambda layer: 7)
    assert (finding.rule, finding.line) == ("unstable-layers", 7)
    changed = [layer for layer in before.layers if not layer.unstable]
    assert [sum(layer.difference.counts.get("content", 0) for layer in changed if layer.difference)] == [1]
    service = engine.start("next-release:2")
    try:
        service.wait()
        assert service.get("/hello?name=next").body.startswith("Hello, next!")
    finally:
        service.stop()
