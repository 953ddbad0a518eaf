"""A checkout has no jar: what its size is told from, and that nothing but figures rests on it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from boot_jar import noise
from command_line import Imgopt

DOCKERFILE = """FROM eclipse-temurin:17-jdk
WORKDIR /app
COPY target/app.jar app.jar
ENTRYPOINT ["java", "-jar", "app.jar"]
"""
BOOT = "org.springframework.boot"
PLUGIN = f"<build><finalName>app</finalName><plugins><plugin><groupId>{BOOT}</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>"
PARENT = f"<parent><groupId>{BOOT}</groupId><artifactId>spring-boot-starter-parent</artifactId><version>3.5.4</version></parent>"
#: Uneven, so that sums tell what is in them.
SIZES = {
    "web": 1_300_000,
    "core": 700_000,
    "logging": 410_000,
    "driver": 330_000,
    "own": 210_000,
    "junit": 90_000,
    "servlet": 80_000,
    "old": 70_000,
    "extra": 60_000,
}


def dependency(name: str, version: str | None = None, inner: str = "", group: str = "org.example") -> str:
    said = f"<version>{version}</version>" if version else ""
    return f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>{said}{inner}</dependency>"


def pom(name: str, inner: str = "", *, group: str = "org.example", version: str = "1.0") -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>{inner}</project>"
    )


class Store:
    """A local Maven repository of small libraries."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self,
        name: str,
        inner: str = "",
        *,
        group: str = "org.example",
        version: str = "1.0",
        jar: bool = True,
    ) -> None:
        folder = self.root.joinpath(*group.split("."), name, version)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}-{version}.pom").write_text(pom(name, inner, group=group, version=version))
        if jar:
            size = SIZES.get(name, 50_000)
            (folder / f"{name}-{version}.jar").write_bytes(noise(size, size + len(version)))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """In its usual place below the home directory."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for name in ("MAVEN_OPTS", "MAVEN_ARGS", "GRADLE_USER_HOME"):
        monkeypatch.delenv(name, raising=False)
    found = Store(home / ".m2" / "repository")
    managed = "".join(
        dependency(name, version)
        for name, version in (("web", "1.0"), ("core", "2.0"), ("driver", "1.0"), ("logging", "1.0"))
    )
    boms = dependency("bom", "1.0", "<type>pom</type><scope>import</scope>")
    found.add(
        "spring-boot-starter-parent",
        f"<dependencyManagement><dependencies>{boms}</dependencies></dependencyManagement>",
        group=BOOT,
        version="3.5.4",
        jar=False,
    )
    found.add(
        "bom",
        f"<dependencyManagement><dependencies>{managed}</dependencies></dependencyManagement>",
        jar=False,
    )
    logging = dependency("logging", inner="<scope>runtime</scope>")
    unwanted = dependency("junit", "1.0", "<scope>test</scope>") + dependency(
        "extra", "1.0", "<optional>true</optional>"
    )
    found.add("web", f"<dependencies>{dependency('core', '1.9')}{unwanted}</dependencies>")
    found.add(
        "core",
        f"<dependencies>{logging.replace('<artifactId>logging</artifactId>', '<artifactId>logging</artifactId><version>1.0</version>')}</dependencies>",
        version="2.0",
    )
    for name in ("logging", "driver", "own", "junit", "servlet", "old", "extra"):
        found.add(name)
    return found


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "Jenkinsfile").write_text("node { sh 'docker buildx build --push -t r.example/a:1 .' }\n")
    write(folder, dependency("web"))
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, dependencies: str, more: str = "") -> None:
    text = pom("app", f"<dependencies>{dependencies}</dependencies>{more}{PLUGIN}", group="com.shop").replace(
        "<groupId>com.shop</groupId>", f"{PARENT}<groupId>com.shop</groupId>", 1
    )
    (folder / "pom.xml").write_text(text)


def looked_at(imgopt: Imgopt, *arguments: str) -> dict[str, Any]:
    run = imgopt("suggest", "--format", "json", *arguments, "Dockerfile")
    assert run.code == 0, run.err
    (file,) = run.json["files"]
    found: dict[str, Any] = file
    return found


def known(file: dict[str, Any], when: str = "before") -> int:
    """What is known of the layer that the jar is copied into."""
    layers = file["prediction"][when]["layers"]
    return sum(each["compressed_bytes"] or 0 for each in layers if each["instruction"].startswith("COPY"))


def near(size: int) -> Any:
    """Compressed here, noise is as large as it was; each file has a header."""
    return pytest.approx(size, abs=3_000)


def test_the_libraries_of_a_local_repository_are_counted_and_the_rest_is_at_least(
    imgopt: Imgopt, store: Store, module: Path
) -> None:
    write(
        module,
        dependency("web")
        + dependency("driver", inner="<scope>runtime</scope>")
        + dependency("servlet", "1.0", "<scope>provided</scope>")
        + dependency("junit", "1.0", "<scope>test</scope>"),
    )
    file = looked_at(imgopt)
    # core by what the parent's BOM manages, not by what web asks for; logging of core; no test, no provided, no optional
    assert known(file) == near(sum(SIZES[name] for name in ("web", "core", "logging", "driver")))
    assert file["prediction"]["first_push_bytes"]["complete"] is False
    assert file["sized"] == (
        f"app.jar is not there; its 4 libraries (2.74 MB) are predicted from pom.xml and {store.root}; its own classes are "
        "not known"
    )
    # what the rewrite keeps from being sent again is known, and that there is more is said
    assert file["prediction"]["next_push_bytes"]["before"] == near(2_740_000)
    text = " ".join(imgopt("suggest", "Dockerfile").text.split())
    assert "sent by the next push at least 2.74 MB p unknown at least 2.74 MB" in text


def test_without_a_local_repository_nothing_is_made_up(imgopt: Imgopt, store: Store, module: Path) -> None:
    shutil.rmtree(store.root)
    file = looked_at(imgopt)
    assert (known(file), file["sized"]) == (0, None)
    text = " ".join(imgopt("suggest", "Dockerfile").text.split())
    assert "build it first (mvn package), or give --jar-size for the figures" in text


def test_what_is_not_found_is_named(imgopt: Imgopt, store: Store, module: Path) -> None:
    write(module, dependency("web") + dependency("absent", "7") + dependency("unmanaged"))
    shutil.rmtree(store.root / "org/example/logging")
    file = looked_at(imgopt)
    assert known(file) == near(SIZES["web"] + SIZES["core"])
    assert file["sized"].endswith(
        "not found there: org.example:absent:7, org.example:unmanaged, org.example:logging:1.0"
    )


@pytest.mark.parametrize(
    ("dependencies", "more", "expected"),
    [
        # excluded where it is brought, and below it
        (dependency("web", inner="<exclusions><exclusion><groupId>org.example</groupId><artifactId>core</artifactId></exclusion></exclusions>"), "", ["web"]),
        (dependency("web", inner="<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"), "", ["web"]),
        # a property, and an optional library of the application's own, which its archive holds
        (dependency("own", "${own.version}", "<optional>true</optional>"), "<properties><own.version>1.0</own.version></properties>", ["own"]),
        # two ways to one library: once
        (dependency("web") + dependency("logging"), "", ["web", "core", "logging"]),
        # what Spring Boot's plugin leaves out
        (dependency("web") + dependency("spring-boot-devtools", "3.5.4", group=BOOT), "", ["web", "core", "logging"]),
        # a pom and no jar
        (dependency("driver") + dependency("bom", "1.0", "<type>pom</type>"), "", ["driver"]),
    ],
)  # fmt: skip
def test_what_maven_would_take_is_taken(
    imgopt: Imgopt, store: Store, module: Path, dependencies: str, more: str, expected: list[str]
) -> None:
    store.add("spring-boot-devtools", group=BOOT, version="3.5.4")
    write(module, dependencies, more)
    assert known(looked_at(imgopt)) == near(sum(SIZES[name] for name in expected))


def test_the_nearest_of_two_versions_counts(imgopt: Imgopt, store: Store, module: Path) -> None:
    store.add("far", f"<dependencies>{dependency('old', '1.0')}</dependencies>")
    store.add("old", version="2.0", jar=False)
    (store.root / "org/example/old/2.0/old-2.0.jar").write_bytes(noise(500_000))
    write(module, dependency("far", "1.0") + dependency("old", "2.0"))
    assert known(looked_at(imgopt)) == near(50_000 + 500_000)


def test_a_library_that_moved_is_found_in_its_new_place(imgopt: Imgopt, store: Store, module: Path) -> None:
    moved = "<distributionManagement><relocation><artifactId>driver</artifactId></relocation></distributionManagement>"
    store.add("driver-old", moved, jar=False)
    write(module, dependency("driver-old", "1.0"))
    assert known(looked_at(imgopt)) == near(SIZES["driver"])


def test_another_module_brings_its_libraries_and_is_named_itself(
    imgopt: Imgopt, store: Store, module: Path
) -> None:
    (module / "common").mkdir()
    (module / "common" / "pom.xml").write_text(
        pom("common", f"<dependencies>{dependency('own', '1.0')}</dependencies>", group="com.shop")
    )
    write(module, dependency("common", "1.0", group="com.shop"), "<modules><module>common</module></modules>")
    file = looked_at(imgopt)
    assert known(file) == near(SIZES["own"])
    assert file["sized"].endswith("not found there: com.shop:common:1.0")


@pytest.mark.parametrize("place", ["settings", "MAVEN_OPTS", "MAVEN_ARGS", "maven.config"])
def test_the_repository_is_where_maven_has_it(
    imgopt: Imgopt, store: Store, module: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    elsewhere = module.parent / "elsewhere"
    store.root.rename(elsewhere)
    option = f"-Xmx1g -Dmaven.repo.local={elsewhere}"
    if place == "settings":
        (module.parent / "home/.m2/settings.xml").write_text(
            f'<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><localRepository>{elsewhere}</localRepository></settings>'
        )
    elif place == "maven.config":
        (module / ".mvn").mkdir()
        (module / ".mvn/maven.config").write_text(f"-T1\n{option.split()[1]}\n")
    else:
        monkeypatch.setenv(place, option)
    file = looked_at(imgopt)
    assert known(file) == near(sum(SIZES[name] for name in ("web", "core", "logging")))
    assert str(elsewhere) in file["sized"]


def test_gradles_cache_is_read_as_well(imgopt: Imgopt, store: Store, module: Path) -> None:
    cache = module.parent / "home/.gradle/caches/modules-2/files-2.1"
    for path in sorted(store.root.rglob("*.*")):
        if not path.is_file():
            continue
        group, name, version = ".".join(path.relative_to(store.root).parts[:-3]), *path.parts[-3:-1]
        folder = cache / group / name / version / ("0" * 30 + path.suffix[1:])
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    shutil.rmtree(store.root)
    (module / "pom.xml").unlink()
    (module / "build.gradle").write_text(
        "plugins { id 'java'; id 'org.springframework.boot' version '3.5.4' }\n"
        "dependencies { implementation 'org.example:core:2.0'\n  runtimeOnly 'org.example:driver:1.0' }\n"
    )
    (module / "Dockerfile").write_text(DOCKERFILE.replace("target/", "build/libs/"))
    file = looked_at(imgopt)
    assert known(file) == near(sum(SIZES[name] for name in ("core", "logging", "driver")))
    assert "predicted from build.gradle" in file["sized"]


@pytest.mark.parametrize(
    "kind", ["parents", "imports", "dependencies", "doctype", "garbage", "names", "fifo"]
)
def test_a_repository_that_leads_in_circles_or_astray_does_no_harm(
    imgopt: Imgopt, store: Store, module: Path, kind: str
) -> None:
    circle = (
        "<parent><groupId>org.example</groupId><artifactId>{}</artifactId><version>1.0</version></parent>"
    )
    imported = "<dependencyManagement><dependencies>{}</dependencies></dependencyManagement>"
    as_bom = "<type>pom</type><scope>import</scope>"
    write(module, dependency("driver") + dependency("bad", "1.0"))
    if kind == "parents":
        store.add("bad", circle.format("worse"))
        store.add("worse", circle.format("bad"))
    elif kind == "imports":
        store.add("bad", imported.format(dependency("worse", "1.0", as_bom)))
        store.add("worse", imported.format(dependency("bad", "1.0", as_bom)))
    elif kind == "dependencies":
        store.add("bad", f"<dependencies>{dependency('worse', '1.0')}</dependencies>")
        store.add("worse", f"<dependencies>{dependency('bad', '1.0')}</dependencies>")
    elif kind == "names":
        (module.parent / "secret.jar").write_bytes(noise(900_000))
        write(
            module,
            dependency("driver")
            + dependency("../../../secret", "1.0", group="..")
            + dependency("a/b", "1/../2"),
        )
    else:
        store.add("bad", jar=kind == "garbage")
        path = store.root / "org/example/bad/1.0/bad-1.0.pom"
        if kind == "doctype":
            path.write_text('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + path.read_text())
        elif kind == "garbage":
            path.write_bytes(b"\xff\x00<project")
        else:
            os.mkfifo(path.with_suffix(".jar"))
    assert SIZES["driver"] - 3_000 < known(looked_at(imgopt)) < SIZES["driver"] + 110_000


# --jar-size


def test_a_given_size_is_taken_for_the_figures_and_says_so(
    imgopt: Imgopt, store: Store, module: Path
) -> None:
    shutil.rmtree(store.root)
    file = looked_at(imgopt, "--jar-size", "150MB")
    assert known(file) == 150_000_000
    assert file["prediction"]["before"]["complete"] is True
    assert file["prediction"]["before"]["basis"] == "predicted"
    assert file["sized"] == "app.jar is not there; 150.0 MB is what --jar-size gives for it"
    # how much of it is the application's own is not known, so neither is what the rewrite leaves to be sent
    assert file["prediction"]["after"]["complete"] is False
    assert file["prediction"]["next_push_bytes"]["after"] < 1_000  # two directory entries


def test_a_given_size_and_known_libraries_tell_the_applications_own_part(
    imgopt: Imgopt, store: Store, module: Path
) -> None:
    file = looked_at(imgopt, "--jar-size", "3MB")
    sizes = file["prediction"]["next_push_bytes"]
    assert sizes["before"] == near(3_000_000)
    assert sizes["after"] == near(3_000_000 - sum(SIZES[name] for name in ("web", "core", "logging")))
    first = file["prediction"]["first_push_bytes"]
    assert first["complete"] is True


def test_one_time_for_all_trees_keeps_the_libraries(imgopt: Imgopt, store: Store, module: Path) -> None:
    """A file in the thin layout already."""
    copies = "".join(
        f"COPY --from=extract /x/out/{name}/ /\n" for name in ("dependencies", "snapshot-dependencies")
    )
    (module / "Dockerfile").write_text(
        "FROM eclipse-temurin:17-jre AS extract\nWORKDIR /x\nCOPY target/app.jar app.jar\n"
        "RUN java -Djarmode=tools -jar app.jar extract --layers --destination out --libraries /application/lib/ \\\n"
        " && mv out/application/app.jar app.jar && find out -exec touch -t 198002010000 {} +\n"
        f"FROM eclipse-temurin:17-jre\n{copies}"
        'COPY --from=extract /x/app.jar app.jar\nENTRYPOINT ["java", "-jar", "app.jar"]\n'
    )
    layers = looked_at(imgopt, "--jar-size", "3MB")["prediction"]["before"]["layers"]
    changing = {
        layer["instruction"].split("/")[3]: layer["changes_each_release"]
        for layer in layers
        if "/out/" in layer["instruction"]
    }
    assert changing == {"dependencies": False, "snapshot-dependencies": False}


def test_a_size_decides_nothing(imgopt: Imgopt, store: Store, module: Path) -> None:
    shutil.rmtree(store.root)
    one, other = looked_at(imgopt), looked_at(imgopt, "--jar-size", "150MB")
    assert one["rewrite"] == other["rewrite"]
    told = [
        [(each["rule"], each["severity"], each["fix"]) for each in file["findings"]] for file in (one, other)
    ]
    assert told[0] == told[1]
    assert "what it holds is not known" in " ".join(other["warnings"])


def test_a_jar_that_is_there_is_weighed_whatever_is_given(imgopt: Imgopt, store: Store, module: Path) -> None:
    from boot_jar import boot_jar

    (module / "target").mkdir()
    boot_jar(module / "target" / "app.jar")
    one, other = looked_at(imgopt), looked_at(imgopt, "--jar-size", "150MB")
    assert one == other
    assert one["sized"] is None


@pytest.mark.parametrize("size", ["150", "0MB", "-1MB", "many", "900000GB"])
def test_what_is_no_size_is_refused(imgopt: Imgopt, store: Store, module: Path, size: str) -> None:
    run = imgopt("suggest", f"--jar-size={size}", "Dockerfile")
    assert run.code == 2
    assert "error: " in run.err


def test_a_pipelines_report_says_where_its_figures_come_from(
    imgopt: Imgopt, store: Store, module: Path
) -> None:
    for arguments, words in (
        ((), "its 3 libraries (2.41 MB) are predicted from pom.xml"),
        (("--jar-size", "150MB"), "150.0 MB is what --jar-size gives for it"),
    ):
        for format in ("text", "markdown", "html"):
            said = " ".join(
                imgopt("suggest", "--format", format, *arguments, "Jenkinsfile")
                .text.replace("\\", "")
                .split()
            )
            assert words in said
        run = imgopt("suggest", "--format", "json", *arguments, "Jenkinsfile")
        release = run.json["files"][0]["pipeline"]["release"]
        assert words in release["sources"][0]
        assert release["first_push_bytes"]["before"]["complete"] is bool(arguments)


def test_the_gate_predicts_with_it_and_counts_no_layer_twice(
    imgopt: Imgopt, store: Store, module: Path
) -> None:
    def verdict(*arguments: str) -> int:
        return imgopt("gate", "--predict", *arguments, "Dockerfile").code

    assert verdict("--max-first-push", "400MB") == 3
    assert verdict("--max-first-push", "400MB", "--jar-size", "150MB") == 0
    assert verdict("--max-first-push", "300MB", "--jar-size", "150MB") == 1
    layers = looked_at(imgopt)["prediction"]["before"]["layers"]
    assert sum(each["instruction"].startswith("COPY") for each in layers) == 2
    run = imgopt("gate", "--predict", "--format", "json", "--max-layers", "100", "Dockerfile")
    shutil.rmtree(store.root)
    again = imgopt("gate", "--predict", "--format", "json", "--max-layers", "100", "Dockerfile")
    counted = [each.json["targets"][0]["budgets"][0]["actual"] for each in (run, again)]
    assert counted[0] == counted[1]


def record(folder: Path, images: dict[str, list[tuple[str, int]]]) -> None:
    """A baseline as the gate keeps it, named in the configuration."""
    entry = {
        "uncompressed_bytes": None,
        "compressed_here": False,
        "platform": "linux/amd64",
        "accepted": [],
        "parts": {},
    }
    document = {
        "imgopt_baseline": 1,
        "images": {
            name: {
                **entry,
                "compressed_bytes": sum(size for _, size in layers),
                "layers": [
                    {"diff_id": "", "command": command, "compressed_bytes": size, "uncompressed_bytes": None}
                    for command, size in layers
                ],
            }
            for name, layers in images.items()
        },
    }
    (folder / "image-sizes.json").write_text(json.dumps(document))
    (folder / "imgopt.toml").write_text('[gate]\nbaseline = "image-sizes.json"\n')


COPY = "COPY target/app.jar app.jar"


def test_what_the_last_release_weighed_is_taken_from_the_baseline(
    imgopt: Imgopt, store: Store, module: Path
) -> None:
    shutil.rmtree(store.root)
    record(module, {"r.example/shop/app": [("RUN x", 5), (f"{COPY} # buildkit", 77_000_000)]})
    file = looked_at(imgopt)
    assert known(file) == 77_000_000
    assert file["prediction"]["before"]["complete"] is True
    assert file["sized"] == (
        "app.jar is not there; what the last release of r.example/shop/app had in image-sizes.json is taken for it"
    )
    assert known(looked_at(imgopt, "--jar-size", "150MB")) == 150_000_000


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ({"r.example/shop/app": [("COPY other.jar app.jar", 77_000_000)]}, 0),
        # of several, the one that is called as the module
        ({"shop/repository": [(COPY, 77_000_000)], "shop/other": [(COPY, 1)]}, 77_000_000),
        ({"shop/one": [(COPY, 77_000_000)], "shop/other": [(COPY, 1)]}, 0),
        ({"a/repository": [(COPY, 77_000_000)], "b/repository": [(COPY, 1)]}, 0),
    ],
)
def test_another_images_release_is_not_taken(
    imgopt: Imgopt, store: Store, module: Path, images: dict[str, list[tuple[str, int]]], expected: int
) -> None:
    shutil.rmtree(store.root)
    record(module, images)
    assert known(looked_at(imgopt)) == expected


def test_a_baseline_that_cannot_be_read_is_none(imgopt: Imgopt, store: Store, module: Path) -> None:
    shutil.rmtree(store.root)
    record(module, {"shop/app": [(COPY, 77_000_000)]})
    (module / "image-sizes.json").write_text("{")
    assert known(looked_at(imgopt)) == 0


def test_a_built_image_has_its_own_size(imgopt: Imgopt, store: Store, module: Path) -> None:
    run = imgopt("gate", "--jar-size", "150MB", "image.tar")
    assert run.code == 2
    assert "--predict" in run.err
