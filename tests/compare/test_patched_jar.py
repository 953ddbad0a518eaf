"""`imgopt compare --next-release boot-patch`: what a registry needs of the release with another patch of Spring Boot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import apps
import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt, imgopt
from json_schemas import fits
from private_docker import Engine
from test_mended import compare, open_builder, project

from imgopt.build_context.tree import open_context
from imgopt.comparison.next_patch import plan_built_patch
from imgopt.comparison.next_release import make_context, plan_patch
from imgopt.dockerfile import parse
from imgopt.java.next_jar import Unchangeable
from imgopt.options import Options
from imgopt.picture import Jars, Picture, take_picture

__all__ = ["imgopt"]
DOCKERFILE = """\
FROM eclipse-temurin:17-jre
COPY target/app.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
"""


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    boot_jar(tmp_path / "service/target/app.jar", version="3.5.4")
    (tmp_path / "service/Dockerfile").write_text(DOCKERFILE)
    context = open_context(tmp_path / "service", tmp_path / "service/Dockerfile")
    document = parse(DOCKERFILE, str(tmp_path / "service/Dockerfile"))
    return take_picture(document, context, Options(), Jars())


def test_the_given_jar_stands_in_place_of_that_of_the_context(picture: Picture, tmp_path: Path) -> None:
    given = tmp_path / "patched.jar"
    boot_jar(given, version="3.5.5")
    change = plan_patch(picture, given)
    assert not isinstance(change, Unchangeable) and picture.context is not None
    assert (change.kind, change.path) == ("patch", "target/app.jar")
    assert "Spring Boot 3.5.5" in change.description and "target/app.jar" in change.description
    before = (tmp_path / "service/target/app.jar").read_bytes()
    (tmp_path / "copy").mkdir()
    made = make_context(picture.context, change, tmp_path / "copy")
    assert (made.root / "target/app.jar").read_bytes() == given.read_bytes() != before
    assert (tmp_path / "service/target/app.jar").read_bytes() == before


@pytest.mark.parametrize(
    ("version", "manifest", "why"),
    [
        ("3.5.4", {}, "no other patch of one line"),
        ("3.4.9", {}, "no other patch of one line"),
        ("3.5.5", {"Start-Class": "com.example.Other"}, "is not the application"),
    ],
    ids=["same-patch", "another-line", "another-application"],
)
def test_it_has_to_be_the_same_application_with_another_patch(
    picture: Picture, tmp_path: Path, version: str, manifest: dict[str, str], why: str
) -> None:
    given = tmp_path / "patched.jar"
    boot_jar(given, version=version, manifest=manifest)
    change = plan_patch(picture, given)
    assert isinstance(change, Unchangeable) and why in change.reason


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--next-release", "boot-patch", "."), "give --patched-jar JAR"),
        ((".", "--next-release", "--patched-jar", "a.jar"), "--patched-jar is for --next-release boot-patch"),
        (("--patched-jar=a.jar", "."), "--patched-jar is for --next-release boot-patch"),
        (("--next-release=boot", "."), "boot-patch"),
    ],
)
def test_a_patch_needs_its_jar(
    imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    run = imgopt("compare", *arguments)
    assert run.code == 2 and said in run.err


POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>org.springframework.boot</groupId>
    <artifactId>spring-boot-starter-parent</artifactId>
    <version>3.5.15</version>
  </parent>
  <artifactId>app</artifactId>
  <version>3.5.15</version>
  <build><finalName>app</finalName><plugins><plugin>
    <groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId>
  </plugin></plugins></build>
</project>
"""
BUILT = """\
FROM eclipse-temurin:17-jre AS build
WORKDIR /src
COPY . .
RUN ./mvnw -q package
FROM eclipse-temurin:17-jre
COPY --from=build /src/target/app.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
"""


def built(root: Path, files: dict[str, str]) -> Picture:
    for name, text in {"src/main/java/App.java": "class App {}\n", "Dockerfile": BUILT, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    context = open_context(root, root / "Dockerfile")
    return take_picture(
        parse((root / "Dockerfile").read_text(), str(root / "Dockerfile")), context, Options(), Jars()
    )


GRADLE = "plugins {\n  id 'java'\n  id 'org.springframework.boot' version VERSION\n}\nversion = '3.5.4'\n"
FORMS = {
    "parent": ({"pom.xml": POM}, "3.5.16", {"pom.xml"}),
    "property": (
        {
            "pom.xml": POM.replace("3.5.15", "${boot}", 1).replace(
                "<artifactId>app<", "<properties><boot>3.5.4</boot></properties><artifactId>app<"
            )
        },
        None,  # whose name says nothing of Spring Boot
        set(),
    ),
    "bom": (
        {
            "pom.xml": "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>app</artifactId><version>1</version>\n"
            "<properties>\n<spring-boot.version>2.7.4</spring-boot.version>\n</properties>\n<dependencyManagement><dependencies><dependency>"
            "<groupId>org.springframework.boot</groupId><artifactId>spring-boot-dependencies</artifactId>"
            "<version>${spring-boot.version}</version><type>pom</type><scope>import</scope></dependency></dependencies></dependencyManagement></project>"
        },
        "2.7.5",
        {"pom.xml"},
    ),
    "gradle": ({"build.gradle": GRADLE.replace("VERSION", "'3.5.4'")}, "3.5.5", {"build.gradle"}),
    "gradle-properties": (
        {
            "settings.gradle": "pluginManagement {\n  plugins {\n    id 'org.springframework.boot' version \"${springBootVersion}\"\n  }\n}\n",
            "gradle.properties": "springBootVersion=3.5.4\n",
            "build.gradle": GRADLE.replace(" version VERSION", ""),
        },
        "3.5.5",
        {"gradle.properties"},
    ),
    "catalogue": (
        {
            "gradle/libs.versions.toml": '[versions]\nspring-boot = "3.4.1"\nother = "3.4.1"\n[plugins]\nboot = { id = "org.springframework.boot", version.ref = "spring-boot" }\n',
            "build.gradle.kts": "plugins {\n  java\n  alias(libs.plugins.boot)\n}\n",
        },
        "3.4.2",
        {"gradle/libs.versions.toml"},
    ),
    "newest": ({"pom.xml": POM.replace("3.5.15", "3.5.99")}, None, set()),
    "milestone": ({"pom.xml": POM.replace("3.5.15", "4.1.0-M1")}, None, set()),
    "no-build-file": ({}, None, set()),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_build_files_with_the_next_patch(form: str, tmp_path: Path) -> None:
    files, version, names = FORMS[form]
    change = plan_built_patch(built(tmp_path, files))
    if version is None:
        assert isinstance(change, Unchangeable)
        return
    assert not isinstance(change, Unchangeable), change.reason
    assert change.version == version and set(change.paths) == names
    assert f"Spring Boot {version} in" in change.description


def test_where_the_dockerfile_builds_nothing_the_next_patch_needs_its_jar(tmp_path: Path) -> None:
    change = plan_built_patch(built(tmp_path, {"pom.xml": POM, "Dockerfile": DOCKERFILE}))
    assert isinstance(change, Unchangeable) and "does not build it" in change.reason


def test_the_version_of_the_project_stays(tmp_path: Path) -> None:
    change = plan_built_patch(built(tmp_path, {"pom.xml": POM}))
    assert not isinstance(change, Unchangeable)
    ((_, text),) = change.texts
    assert text.decode() == POM.replace("3.5.15", "3.5.16", 1)


def test_a_dockerfile_that_builds_gets_the_next_patch_in_its_build_files(
    app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    """Engines have no network here, so what Maven made of both patches lies there, and a script takes it by the pom."""
    builder = open_builder("docker", None, engine)
    for base in ("17-jre", "17-jdk", "17-jre-alpine"):
        builder.provide(f"eclipse-temurin:{base}")
    root = tmp_path / "project"
    built(root, {"pom.xml": POM})
    wrapper = root / "mvnw"
    wrapper.write_text(
        "#!/bin/sh -e\nmkdir target && cp made/$(sed -n 's/.*<version>\\(.*\\)<.*/\\1/p' pom.xml | head -1).jar target/app.jar\n"
    )
    wrapper.chmod(0o755)
    (root / "made").mkdir()
    shutil.copy(app("3.5.16"), root / "made/3.5.16.jar")
    apps.changed(app("3.5.16"), root / "made/3.5.15.jar", moved=("spring-",), spring_boot="3.5.15")
    options = ("--next-release", "boot-patch", "--no-run", "--format", "json")
    done = compare(builder, engine, root, *options, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["next_release"]["kind"] == "boot-patch"
    assert answer["next_release"]["changed"] == "Spring Boot 3.5.16 in pom.xml"
    assert (
        answer["bump_push_bytes"]["basis"] == "measured" and answer["bump_push_bytes"]["before"] > 10_000_000
    )
    assert (root / "pom.xml").read_text() == POM


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_what_a_patch_sends_is_measured(
    name: str, request: pytest.FixtureRequest, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    builder = open_builder(name, request, engine)
    builder.provide("eclipse-temurin:17-jre")
    builder.provide("eclipse-temurin:17-jre-alpine")
    added = {"hutool-all-5.8.39.jar": library(size=5_000_000)}
    first = apps.changed(app("3.5.16"), tmp_path / "first.jar", added=added)
    given = apps.changed(first, tmp_path / "patched.jar", moved=("spring-",), spring_boot="3.5.15")
    root = project(tmp_path / "project", first, DOCKERFILE)
    options = ("--next-release", "boot-patch", "--patched-jar", str(given), "--no-run", "--format", "json")
    done = compare(builder, engine, root, *options, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    fits("compare", answer)
    sent = answer["bump_push_bytes"]
    assert answer["next_release"]["kind"] == "boot-patch" and sent["basis"] == "measured"
    assert 5_000_000 < sent["after"] < sent["before"] - 5_000_000
    assert answer["next_push_bytes"] == {"before": None, "after": None, "basis": "unknown"}
    layers = [each for each in answer["after"]["layers"] if not each["from_base"]]
    kept = [each["compressed_bytes"] for each in layers if each["changes_each_bump"] is False]
    assert any(5_000_000 < size < 5_100_000 for size in kept), layers
    assert all(each["changes_each_release"] is None for each in layers)
    predicted = answer["prediction"]["bump_push_bytes"]["after"]
    assert predicted >= sent["after"] * 0.97
