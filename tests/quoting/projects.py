"""Projects that have one name in them, somewhere: in a jar, in a file's path, in an argument, in a label.

Each is what somebody could have, written the way Docker and a shell want that name to be written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from boot_jar import PADDING, boot_jar, library

JDK = "FROM eclipse-temurin:17-jdk\n"
START = 'ENTRYPOINT ["java", "-jar", "app.jar"]\n'
BY_PATH: Mapping[str, Any] = {"version": "2.2.13.RELEASE", "layered": False, "jarmode": None}


def docker(text: str) -> str:
    """A word for Docker's lexer."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def listed(*words: str) -> str:
    return json.dumps(list(words), ensure_ascii=False)


@dataclass(frozen=True)
class Project:
    """``jars``: by path, how to make them; ``files``: other files. ``words``: arguments of the command line."""

    dockerfile: str
    jars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    words: Sequence[str] = ()

    def make(self, root: Path) -> None:
        for path, options in self.jars.items():
            write(
                root / path,
                _jar(
                    json.dumps(options, default=lambda each: each.decode("latin-1"), sort_keys=True),
                    **options,
                ),
            )
        for path, data in self.files.items():
            write(root / path, data)
        write(root / "Dockerfile", self.dockerfile.encode("utf-8", "surrogateescape"))


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


_MADE: dict[str, bytes] = {}


def _jar(key: str, **options: Any) -> bytes:
    if key not in _MADE or len(_MADE) > 50:
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            boot_jar(Path(directory, "app.jar"), **options)
            _MADE[key] = Path(directory, "app.jar").read_bytes()
    return _MADE[key]


@lru_cache(maxsize=8)
def _library(size: int, seed: int) -> bytes:
    return library(size=size, seed=seed)


PLAIN = {"target/app.jar": {}}


def entry(name: str) -> Project:
    return Project(
        f"{JDK}COPY target/app.jar app.jar\n{START}", {"target/app.jar": {**BY_PATH, "extra": {name: b"x"}}}
    )


def directory_of_entries(name: str) -> Project:
    jar = {**BY_PATH, "extra": {f"{name}/a.txt": b"x", f"{name}/b/c.txt": b"y"}}
    return Project(f"{JDK}COPY target/app.jar app.jar\n{START}", {"target/app.jar": jar})


def layer(name: str) -> Project:
    return Project(
        f"{JDK}COPY target/app.jar app.jar\n{START}",
        {"target/app.jar": {"application": name.replace('"', "'")}},
    )


def library_of_the_jar(name: str) -> Project:
    """Listed by the small jar itself: the launcher of this version would sort the libraries."""
    libraries = {"z-1.0.jar": _library(PADDING, 1), f"{name}.jar": _library(2000, 2)}
    jar = {"version": "2.1.18.RELEASE", "layered": False, "jarmode": None, "libraries": libraries}
    return Project(f"{JDK}COPY target/app.jar app.jar\n{START}", {"target/app.jar": jar})


def manifest(name: str) -> Project:
    value = f"{name}/".replace("\n", "").replace("\r", "")[:60]
    jar = {
        "manifest": {
            "Spring-Boot-Lib": value,
            "Spring-Boot-Layers-Index": value,
            "Implementation-Title": value,
        }
    }
    return Project(f"{JDK}COPY target/app.jar app.jar\n{START}", {"target/app.jar": jar})


def launcher(name: str) -> Project:
    jar = {"launcher": f"{name}.JarLauncher".replace("/", "")}
    text = (
        f"{JDK.strip()} AS build\nWORKDIR /app\nCOPY target/app.jar app.jar\n"
        "RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --destination .\n"
        "FROM eclipse-temurin:17-jre\nCOPY --from=build /app/dependencies/ /app/\nCOPY --from=build /app/application/ /app/\n"
        "ENTRYPOINT java org.springframework.boot.loader.JarLauncher\n"
    )
    return Project(text, {"target/app.jar": jar})


def argument(name: str) -> Project:
    start = f"ENTRYPOINT {listed('java', '-jar', f'/opt/{name}.jar')}\n"
    return Project(
        f"{JDK}ARG NAME={docker(f'{name}.jar')}\nCOPY target/app.jar /opt/${{NAME}}\n{start}", PLAIN
    )


def variable(name: str) -> Project:
    start = f"ENTRYPOINT {listed('java', '-jar', f'/opt/{name}.jar')}\n"
    return Project(
        f"{JDK}ENV NAME {docker(f'{name}.jar')}\nCOPY target/app.jar /opt/${{NAME}}\n{start}", PLAIN
    )


def build_argument(name: str) -> Project:
    start = f"ENTRYPOINT {listed('java', '-jar', f'/opt/{name}.jar')}\n"
    text = f"{JDK}ARG NAME=app.jar\nCOPY target/app.jar /opt/$NAME\n{start}"
    return Project(text, PLAIN, words=("--build-arg", f"NAME={name}.jar"))


def variable_in_the_source(name: str) -> Project:
    text = f"{JDK}ARG DIR={docker(name)}\nCOPY ${{DIR}}/app.jar app.jar\n{START}"
    return Project(text, {f"{name}/app.jar": {}})


def target_directory(name: str) -> Project:
    start = f"ENTRYPOINT {listed('java', '-jar', f'/{name}/app.jar')}\n"
    return Project(f"{JDK}COPY {listed('target/app.jar', docker(f'/{name}/'))}\n{start}", PLAIN)


def name_of_the_jar(name: str) -> Project:
    start = f"ENTRYPOINT {listed('java', '-jar', f'/opt/{name}.jar')}\n"
    pattern = (
        name.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
        if any(c in name for c in "*?[")
        else name
    )
    if pattern != name:
        pattern = pattern.replace("\\", "\\\\")
    return Project(
        f"{JDK}COPY {listed(docker(f'target/{pattern}.jar'), '/opt/')}\n{start}", {f"target/{name}.jar": {}}
    )


def working_directory(name: str) -> Project:
    return Project(f"{JDK}WORKDIR /{docker(name)}\nCOPY target/app.jar app.jar\n{START}", PLAIN)


def beside_its_sources(name: str) -> Project:
    start = f"ENTRYPOINT {listed('java', '-jar', f'/app/{name}.jar')}\n"
    files = {f"target/{name}-sources.jar": _library(200_000, 5)}
    return Project(f"{JDK}COPY target/*.jar /app/\n{start}", {f"target/{name}.jar": {}}, files)


LIBRARIES = {
    "lib/a-1.0.jar": _library(PADDING, 1),
    "lib/b-1.0.jar": _library(2000, 2),
    "lib/c-1-SNAPSHOT.jar": _library(2000, 3),
}


def libraries_of_the_context(name: str) -> Project:
    text = f'{JDK}COPY {listed("lib/", docker(f"/srv/{name}/"))}\nCOPY classes /app/classes\nENTRYPOINT ["java", "-cp", "/app/classes", "A"]\n'
    return Project(text, files={**LIBRARIES, "classes/A.class": b"x"})


def libraries_by_an_argument(name: str) -> Project:
    text = f'{JDK}ARG PLACE={docker(name)}\nCOPY lib/ /srv/$PLACE/\nENTRYPOINT ["java", "-cp", "/app/classes", "A"]\n'
    return Project(text, files=dict(LIBRARIES))


def unpacked_by_jarmode(name: str) -> Project:
    places = [
        f"COPY --from=build {listed(docker(f'/{name}/{each}/'), docker(f'/{name}/'))}\n"
        for each in ("dependencies", "spring-boot-loader", "snapshot-dependencies", "application")
    ]
    text = (
        f"{JDK.strip()} AS build\nWORKDIR /{docker(name)}\nCOPY target/app.jar app.jar\n"
        "RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --destination .\n"
        f"FROM eclipse-temurin:17-jre-alpine\n{''.join(places)}"
        'ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]\n'
    )
    return Project(text, PLAIN)


def unpacked_by_jar(name: str) -> Project:
    text = (
        f"{JDK.strip()} AS build\nWORKDIR /{docker(name)}\nCOPY target/app.jar app.jar\nRUN jar xf app.jar\n"
        f"FROM eclipse-temurin:17-jre-alpine\nCOPY --from=build {listed(docker(f'/{name}/BOOT-INF/lib'), docker(f'/opt/{name}/lib'))}\n"
        f"COPY --from=build {listed(docker(f'/{name}/BOOT-INF/classes'), '/app/classes')}\n"
        f"ENTRYPOINT {listed('java', '-cp', f'/app/classes:/opt/{name}/lib/*', 'com.example.App')}\n"
    )
    return Project(text, PLAIN)


POM = b"<project><groupId>a</groupId><artifactId>a</artifactId><version>1</version></project>"


def built_in_the_image(name: str) -> Project:
    start = f"ENTRYPOINT {listed('java', '-jar', f'target/{name}.jar')}\n"
    text = f"FROM maven:3.9-eclipse-temurin-17\nWORKDIR /src\nLABEL a={docker(name)}\nCOPY . .\nRUN mvn package\n{start}"
    return Project(
        text,
        files={
            "pom.xml": POM,
            "src/main/java/A.java": b"class A {}",
            f"{name}.yml": b"a: b",
            f"conf/{name}": b"x",
        },
    )


def carried_directory(name: str) -> Project:
    text = 'FROM maven:3.9-eclipse-temurin-17\nWORKDIR /src\nCOPY . .\nRUN mvn package\nENTRYPOINT ["java", "-jar", "target/a.jar"]\n'
    return Project(
        text,
        files={
            "pom.xml": POM,
            "src/main/java/A.java": b"class A {}",
            f"{name}/a.conf": b"x",
            f"{name}/b/c": b"x",
        },
    )


def whole_target(name: str) -> Project:
    text = (
        f"FROM maven:3.9-eclipse-temurin-17 AS build\nWORKDIR /{docker(name)}\nCOPY . .\nRUN mvn package\n"
        f"FROM eclipse-temurin:17-jre-alpine\nWORKDIR /app\nCOPY --from=build {listed(docker(f'/{name}/target'), '/app/target')}\n"
        'ENTRYPOINT ["java", "-jar", "/app/target/a.jar"]\n'
    )
    return Project(text, files={"pom.xml": POM})


def whole_context(name: str) -> Project:
    start = f"ENTRYPOINT {listed('java', '-jar', f'/app/{name}/app.jar')}\n"
    return Project(
        f"{JDK}COPY . /app/\n{start}",
        {f"{name}/app.jar": {}},
        {f".git/{name}": _library(300_000, 8), f"{name}.log": b"x" * 300_000},
    )


def idle_in_the_context(name: str) -> Project:
    return Project(f"{JDK}COPY target/app.jar app.jar\n{START}", PLAIN, {f"{name}/big.bin": b"x" * 9_000_000})


def removed_later(name: str) -> Project:
    text = f"{JDK}COPY {listed(docker(f'{name}.zip'), docker(f'/tmp/{name}.zip'))}\nRUN rm -rf {docker(f'/tmp/{name}.zip')}\nCOPY target/app.jar app.jar\n{START}"
    return Project(text, PLAIN, {f"{name}.zip": _library(400_000, 9)})


def owned(name: str) -> Project:
    text = f"{JDK}RUN useradd -u 1000 {docker(name)}\nWORKDIR /app\nCOPY target/app.jar app.jar\nRUN chown -R {docker(f'{name}:{name}')} /app\nUSER {docker(name)}\n{START}"
    return Project(text, PLAIN)


def user_of_the_system(name: str) -> Project:
    text = f"{JDK}RUN groupadd -g 1000 {docker(name)} && useradd -u 1000 -g {docker(name)} -d {docker(f'/{name}')} -c {docker(name)} {docker(name)}\nCOPY target/app.jar app.jar\n{START}"
    return Project(text, PLAIN)


def package(name: str) -> Project:
    return Project(
        f"{JDK}RUN apt-get update && apt-get install -y curl {docker(name)}\nCOPY target/app.jar app.jar\n{START}",
        PLAIN,
    )


def downloaded(name: str) -> Project:
    text = f"{JDK}RUN curl -o {docker(f'/opt/{name}.tgz')} http://h/a.tgz && tar xzf {docker(f'/opt/{name}.tgz')} -C /opt\nCOPY target/app.jar app.jar\n{START}"
    return Project(text, PLAIN)


def locale(name: str) -> Project:
    return Project(
        f"FROM openjdk:17-jdk-slim\nENV LC_CTYPE={docker(name)}\nCOPY target/app.jar app.jar\n{START}", PLAIN
    )


def label(name: str) -> Project:
    return Project(
        f"{JDK}LABEL {docker(name)}={docker(name)} org.opencontainers.image.title={docker(name)}\nCOPY target/app.jar app.jar\n{START}",
        PLAIN,
    )


def version_of_the_build(name: str) -> Project:
    import xml.sax.saxutils as xml

    value = xml.escape(name)
    pom = (
        f"<project><groupId>a</groupId><artifactId>{value}</artifactId><version>{value}</version><parent><groupId>org.springframework.boot</groupId>"
        f"<artifactId>spring-boot-starter-parent</artifactId><version>3.5.{value}</version></parent><properties><java.version>{value}</java.version></properties>"
        f"<build><finalName>{value}</finalName></build></project>"
    )
    text = f"ARG BASE={docker(f'eclipse-temurin:{name}')}\nFROM $BASE\nCOPY target/*.jar app.jar\n{START}"
    return Project(text, files={"pom.xml": pom.encode("utf-8", "surrogatepass")})


def name_of_the_base(name: str) -> Project:
    text = f"ARG BASE=eclipse-temurin:17-jdk\nFROM $BASE\nCOPY target/app.jar app.jar\n{START}"
    return Project(text, PLAIN, words=("--build-arg", f"BASE=eclipse-temurin:17-jdk{name}"))


def shared_by_modules(name: str) -> Project:
    text = f"{JDK}ARG MODULE={docker(name)}\nCOPY ${{MODULE}}/target/app.jar app.jar\n{START}"
    return Project(text, {f"{name}/target/app.jar": {}})


def platform(name: str) -> Project:
    return Project(
        f"FROM --platform=linux/amd64 eclipse-temurin:17-jdk\n# {name.splitlines()[0] if name.splitlines() else ''}\nCOPY --chown=1000:1000 target/app.jar app.jar\n{START}",
        PLAIN,
    )


EVERY: tuple[Callable[[str], Project], ...] = (
    entry, directory_of_entries, layer, library_of_the_jar, manifest, launcher, argument, variable, build_argument, variable_in_the_source,
    target_directory, name_of_the_jar, working_directory, beside_its_sources, libraries_of_the_context, libraries_by_an_argument,
    unpacked_by_jarmode, unpacked_by_jar, built_in_the_image, carried_directory, whole_target, whole_context, idle_in_the_context, removed_later,
    owned, user_of_the_system, package, downloaded, locale, label, version_of_the_build, name_of_the_base, shared_by_modules, platform,
)  # fmt: skip
