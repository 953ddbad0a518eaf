"""What a registry that has the first release still needs of the next one: measured, with nothing cached."""

from __future__ import annotations

import json
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import apps
import pytest
from builders import Bases
from private_docker import Engine, Layer
from start_forms import FORMS, context, provide_bases
from test_rewrites_run import rewrite


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
@pytest.mark.parametrize("spring_boot", ["2.7.18"])  # 3.5: test_releases.py, on every builder
def test_only_the_application_travels_with_the_next_release(
    spring_boot: str, builder: str, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    form = FORMS[0]
    first = app(spring_boot)
    second = apps.next_release(first, tmp_path / first.name)
    new_bytes: dict[str, int] = {}
    for dockerfile in ("Dockerfile", "Dockerfile.imgopt"):
        releases: list[dict[str, Layer]] = []
        for number, jar in enumerate((first, second), 1):
            project = context(tmp_path / f"{dockerfile}-{number}", jar, form, "eclipse-temurin:17-jdk")
            rewrite(project)
            provide_bases(engine, project / dockerfile)
            tag = f"release:{number}"
            engine.build(project, tag, dockerfile=dockerfile, cache=False, buildkit=builder == "buildkit")
            layers = engine.layers(tag, wanted=lambda index: index > 0)  # the first one is the base
            releases.append({layer.diff_id: layer for layer in layers if layer})
        before, after = releases
        new = [layer for digest, layer in after.items() if digest not in before]
        new_bytes[dockerfile] = sum(layer.compressed_bytes for layer in new)
        if dockerfile == "Dockerfile.imgopt":
            libraries = [
                e[0] for layer in new for e in layer.entries if "/lib/" in e[0] and e[0].endswith(".jar")
            ]
            assert libraries == [], "a layer of libraries changed with one class: " + why(before, new)
    saved = f"{new_bytes['Dockerfile']:,} bytes before, {new_bytes['Dockerfile.imgopt']:,} after"
    print(f"next release, {builder}, Spring Boot {spring_boot}: {saved}")
    assert new_bytes["Dockerfile.imgopt"] <= 0.005 * new_bytes["Dockerfile"], saved


def test_modules_of_the_project_do_not_travel_with_the_classes(
    app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    """layers.idx keeps them in the layer of the classes: here Thymeleaf stands for modules of the project."""
    first = _with_modules(app("3.5.16"), tmp_path / "app.jar", "thymeleaf")
    (tmp_path / "next").mkdir()
    second = apps.next_release(first, tmp_path / "next" / first.name)
    releases: list[dict[str, Layer]] = []
    for number, jar in enumerate((first, second), 1):
        project = context(tmp_path / str(number), jar, FORMS[0], "eclipse-temurin:17-jdk")
        rewrite(project)
        provide_bases(engine, project / "Dockerfile.imgopt")
        engine.build(project, f"modules:{number}", dockerfile="Dockerfile.imgopt", cache=False)
        layers = engine.layers(f"modules:{number}", wanted=lambda index: index > 0)
        releases.append({layer.diff_id: layer for layer in layers if layer})
    service = engine.start("modules:2", ())
    try:
        service.wait()
        answer = service.get("/page")  # a page that Thymeleaf makes
    finally:
        service.stop()
    assert answer.status == 200
    before, after = releases
    assert any("thymeleaf" in entry[0] for layer in after.values() for entry in layer.entries)
    new = [layer for digest, layer in after.items() if digest not in before]
    assert not any("thymeleaf" in entry[0] for layer in new for entry in layer.entries), why(before, new)
    assert sum(layer.compressed_bytes for layer in new) < 20_000


LAYERED = """\
FROM eclipse-temurin:17-jre-alpine AS builder
WORKDIR /builder
COPY target/app.jar app.jar
RUN java -Djarmode=tools -jar app.jar extract --layers --destination extracted

FROM eclipse-temurin:17-jre-alpine
WORKDIR /application
COPY --from=builder /builder/extracted/dependencies/ ./
COPY --from=builder /builder/extracted/spring-boot-loader/ ./
COPY --from=builder /builder/extracted/snapshot-dependencies/ ./
COPY --from=builder /builder/extracted/application/ ./
ENTRYPOINT ["java", "-jar", "app.jar"]
"""
LAUNCHER = LAYERED.replace("--layers", "--layers --launcher").replace(
    '"-jar", "app.jar"', '"org.springframework.boot.loader.launch.JarLauncher"'
)


@pytest.mark.parametrize(
    "builder, dockerfile", [("classic", LAUNCHER), ("buildkit", LAYERED)], ids=["classic", "buildkit-thin"]
)
def test_modules_of_a_file_that_layers_already_stay_in_the_registry(
    builder: str, dockerfile: str, app: Callable[..., Path], engine: Engine, bases: Bases, tmp_path: Path
) -> None:
    """What a registry gets of the second release: steady trees alone would send the modules with the classes."""
    first = _with_modules(app("3.5.16"), tmp_path / "app.jar", "thymeleaf")
    (tmp_path / "next").mkdir()
    second = apps.next_release(first, tmp_path / "next" / first.name)
    with zipfile.ZipFile(first) as jar:
        modules = sum(entry.compress_size for entry in jar.infolist() if "lib/thymeleaf" in entry.filename)
    sent: dict[str, int] = {}
    for name in ("Dockerfile", "Dockerfile.imgopt"):
        releases: list[dict[str, int]] = []
        for number, release in enumerate((first, second), 1):
            project = tmp_path / f"{name}-{number}"
            (project / "target").mkdir(parents=True)
            (project / "target" / "app.jar").hardlink_to(release)
            (project / "Dockerfile").write_text(dockerfile)
            rewrite(project)
            provide_bases(engine, project / name)
            repository = f"modules/{builder}/{name.lower().replace('.', '-')}"
            tag = f"{bases.address}/{repository}:{number}"
            engine.build(project, tag, dockerfile=name, cache=False, buildkit=builder == "buildkit")
            engine.push(tag)
            releases.append(_blobs(bases.address, repository, str(number)))
        before, after = releases
        sent[name] = sum(size for digest, size in after.items() if digest not in before)
    service = engine.start(tag, ())
    try:
        service.wait()
        answer = service.get("/page")  # a page that Thymeleaf makes
    finally:
        service.stop()
    assert answer.status == 200
    said = f"{sent['Dockerfile']:,} bytes before, {sent['Dockerfile.imgopt']:,} after"
    print(f"next release, {builder}, {modules:,} bytes of modules: {said}")
    assert sent["Dockerfile"] > 20_000_000
    assert sent["Dockerfile.imgopt"] < 30_000 < modules, said


def _blobs(registry: str, repository: str, tag: str) -> dict[str, int]:
    """The layers of a pushed image: digest -> bytes, as the registry has them."""
    request = urllib.request.Request(f"http://{registry}/v2/{repository}/manifests/{tag}")
    request.add_header("Accept", "application/vnd.docker.distribution.manifest.v2+json")
    with urllib.request.urlopen(request) as answer:
        return {layer["digest"]: layer["size"] for layer in json.load(answer)["layers"]}


def _with_modules(jar: Path, target: Path, name: str) -> Path:
    """The jar with the libraries called ``name…`` in the application's layer, as Spring Boot has the project's own."""
    with zipfile.ZipFile(jar) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "BOOT-INF/layers.idx":
                lines = data.decode().splitlines(keepends=True)
                own = [line for line in lines if f"lib/{name}" in line]
                assert own
                data = "".join([line for line in lines if line not in own] + own).encode()
            new.writestr(entry, data)
    return target


UNPACKED = """\
FROM eclipse-temurin:17-jdk AS build
COPY target/app.jar app.jar
RUN mkdir -p target/dependency && (cd target/dependency; jar -xf /app.jar)

FROM eclipse-temurin:17-jre-alpine
ARG DEPENDENCY=/target/dependency
COPY --from=build ${DEPENDENCY}/BOOT-INF/lib /app/lib
COPY --from=build ${DEPENDENCY}/META-INF /app/META-INF
COPY --from=build ${DEPENDENCY}/BOOT-INF/classes /app
ENTRYPOINT ["java", "-cp", "app:app/lib/*", "example.web.Application"]
"""
LIBRARIES_BESIDE = """\
FROM eclipse-temurin:17-jre-alpine
WORKDIR /app
COPY target/lib/ lib/
COPY target/classes/ classes/
ENTRYPOINT ["java", "-cp", "classes:lib/*", "example.web.Application"]
"""


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
@pytest.mark.parametrize(
    "dockerfile", [UNPACKED, LIBRARIES_BESIDE], ids=["unpacked-by-jar", "libraries-beside"]
)
def test_layers_that_others_unpacked_become_steady(
    dockerfile: str, builder: str, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    """Libraries that the file unpacks with `jar xf`, or that the build lays beside the classes: they kept no digest."""
    first = app("3.5.16")
    second = apps.next_release(first, tmp_path / first.name)
    new_bytes: dict[str, int] = {}
    for name in ("Dockerfile", "Dockerfile.imgopt"):
        releases: list[dict[str, Layer]] = []
        for number, jar in enumerate((first, second), 1):
            project = tmp_path / f"{name}-{number}"
            (project / "target").mkdir(parents=True)
            (project / "target" / "app.jar").hardlink_to(jar)
            (project / "Dockerfile").write_text(dockerfile)
            if "target/lib/" in dockerfile:
                _lay_beside(jar, project / "target")
            rewrite(project)
            provide_bases(engine, project / name)
            tag = f"beside:{number}"
            engine.build(project, tag, dockerfile=name, cache=False, buildkit=builder == "buildkit")
            layers = engine.layers(tag, wanted=lambda index: index > 0)  # the first one is the base
            releases.append({layer.diff_id: layer for layer in layers if layer})
        before, after = releases
        new_bytes[name] = sum(
            layer.compressed_bytes for digest, layer in after.items() if digest not in before
        )
    service = engine.start("beside:2", ())
    try:
        service.wait()
        answer = service.get("/hello?name=imgopt")
    finally:
        service.stop()
    assert answer.status == 200
    saved = f"{new_bytes['Dockerfile']:,} bytes before, {new_bytes['Dockerfile.imgopt']:,} after"
    print(f"next release, {builder}: {saved}")
    assert new_bytes["Dockerfile.imgopt"] <= 0.005 * new_bytes["Dockerfile"], saved


def _lay_beside(jar: Path, target: Path) -> None:
    """As `mvn package dependency:copy-dependencies` on a fresh agent: every file has the time of this build."""
    with zipfile.ZipFile(jar) as archive:
        for entry in archive.infolist():
            for prefix, directory in (("BOOT-INF/lib/", "lib"), ("BOOT-INF/classes/", "classes")):
                name = entry.filename.removeprefix(prefix)
                if entry.filename.startswith(prefix) and name and not entry.is_dir():
                    file = target / directory / name
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(archive.read(entry))


def why(before: dict[str, Layer], new: list[Layer]) -> str:
    """The tar entries by which the new layers differ from those of the first release."""
    known = {entry for layer in before.values() for entry in layer.entries}
    return "; ".join(str(entry) for layer in new for entry in layer.entries if entry not in known)[:2000]
