"""Properties of the split over generated Dockerfiles that build: the build stays as it was, the container is promised
the same, and nothing of the build is left in it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import dockerfile as buildkit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgopt.build_context.tree import open_context
from imgopt.dockerfile import Instruction, assignments, parse
from imgopt.options import Options
from imgopt.picture import Jars, Picture, take_picture
from imgopt.suggest.dockerfile import report_file
from imgopt.suggest.result import FileReport
from imgopt.weigh.layers import Weigher
from imgopt_rules import ALL_RULES, build_tools

BASES = ["maven:3.9-eclipse-temurin-17", "eclipse-temurin:17-jdk", "openjdk:17-jdk-slim", "maven:3-amazoncorretto-17",
         "maven:3.9-eclipse-temurin-21-alpine", "corp/jdk:17"]  # fmt: skip
BEFORE = ["ENV A=1", "ARG B=2", "ENV C=$B", "EXPOSE 8080", "LABEL x=y", "VOLUME /tmp", "# a comment", "", "USER root", "USER 1000",
          "WORKDIR /srv", "WORKDIR /app", "RUN apt-get update && apt-get install -y curl git", "RUN apt-get install -y maven",
          "RUN mkdir -p /app/logs && chown 1000 /app/logs", "RUN useradd app", "COPY config /etc/app", "RUN chmod +x mvnw", "STOPSIGNAL SIGTERM",
          'SHELL ["/bin/sh", "-c"]', "RUN ln -sf /usr/share/zoneinfo/UTC /etc/localtime", "HEALTHCHECK CMD wget -qO- localhost:8080", "RUN ls",
          "RUN rm -rf /var/lib/apt/lists/*", "RUN ./unknown.sh", "MAINTAINER me", "RUN echo hi > /etc/motd", "COPY --from=alpine:3 /etc/os-release /etc/os-release.alpine"]  # fmt: skip
COPIES = [
    "COPY . .",
    "COPY . /app",
    "COPY pom.xml mvnw ./\nCOPY .mvn .mvn\nCOPY src src",
    "COPY --chown=1000:1000 . .",
]
BUILDS = ["RUN mvn package", "RUN ./mvnw -q package", "RUN mvn -B package && rm -rf ~/.m2", "RUN mvn package\nRUN mv target/*.jar app.jar",
          "RUN mvn package && cp target/app.jar /opt/app.jar"]  # fmt: skip
AFTER = ["EXPOSE 9090", "ENV D=4", "USER 1000", "WORKDIR /app", "RUN chown -R 1000 /app", "RUN chmod +x start.sh", "# a word", "LABEL v=w",
         "RUN apt-get update && apt-get install -y fontconfig", "RUN rm -rf src", "COPY config config", "ARG E"]  # fmt: skip
STARTS = ['CMD ["java", "-jar", "target/app.jar"]', 'ENTRYPOINT ["java", "-jar", "/app/target/app.jar"]', "CMD java $JAVA_OPTS -jar app.jar",
          'ENTRYPOINT ["java", "-jar", "/opt/app.jar"]', 'ENTRYPOINT ["./start.sh"]', 'CMD ["java", "-jar", "/app/app.jar"]']  # fmt: skip
POM = """<project><parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId>
<version>3.5.4</version></parent><groupId>example</groupId><artifactId>app</artifactId><version>1</version><build><plugins><plugin>
<groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build></project>"""
FILES = {"pom.xml": POM, "mvnw": "#!/bin/sh\n", ".mvn/wrapper.properties": "", "src/main/java/App.java": "class App {}\n", "config/application.yml": "a: b\n",
         "start.sh": "#!/bin/sh\nexec java -jar target/app.jar\n", "unknown.sh": "#!/bin/sh\n", "README.md": "x\n"}  # fmt: skip


@lru_cache(maxsize=1)
def context() -> Path:
    root = Path(tempfile.mkdtemp(prefix="imgopt-splitting-"))
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    yield
    import shutil

    shutil.rmtree(context())


JARS = Jars()
WEIGHER = Weigher(JARS)


def look(text: str, *, alone: bool) -> FileReport:
    rules = [build_tools.check] if alone else ALL_RULES
    options = Options(context=context(), unsafe=True)
    return report_file(str(context() / "Dockerfile"), text.encode(), options, rules, JARS, WEIGHER)


def picture_of(text: str) -> Picture:
    path = context() / "Dockerfile"
    return take_picture(parse(text.encode(), str(path)), open_context(context(), path), Options(), JARS)


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    before = draw(st.lists(st.sampled_from(BEFORE), max_size=5))
    between = draw(st.lists(st.sampled_from(BEFORE), max_size=2))
    after = draw(st.lists(st.sampled_from(AFTER), max_size=4))
    name = draw(st.sampled_from(["", " AS app", " as build"]))
    body = [*before, draw(st.sampled_from(COPIES)), *between, draw(st.sampled_from(BUILDS))]
    rows = [f"FROM {draw(st.sampled_from(BASES))}{name}", draw(st.sampled_from(["WORKDIR /app", ""])), *body]
    if name and draw(st.booleans()):
        rows += ["", f"FROM {name.split()[-1]}"]
    text = "\n".join([*rows, *after, draw(st.sampled_from(STARTS))]) + draw(st.sampled_from(["", "\n"]))
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def building(instructions: list[Instruction]) -> list[tuple[str, str]]:
    """What of a stage makes a difference to what it builds."""
    keywords = ("RUN", "COPY", "ADD", "WORKDIR", "USER", "ENV", "ARG", "SHELL")
    return [(each.keyword, each.text) for each in instructions if each.keyword in keywords]


def last(instructions: list[Instruction], keyword: str) -> str | None:
    return next((each.text for each in reversed(instructions) if each.keyword == keyword), None)


def names(instructions: list[Instruction], keyword: str) -> set[str]:
    return {a.name for each in instructions if each.keyword == keyword for a in assignments(each)}


def words(instructions: list[Instruction], keyword: str) -> set[str]:
    return {word.text for each in instructions if each.keyword == keyword for word in each.words}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dockerfiles())
def test_a_split_keeps_what_is_built_and_what_is_promised(text: str) -> None:
    report = look(text, alone=True)
    after = report.rewrite.text
    if not report.rewrite.changed:
        assert after == text
        return
    buildkit.parse_string(after.replace("\r\n", "\n"))
    assert ("\r\n" in after) == ("\r\n" in text)
    before_picture, after_picture = picture_of(text), picture_of(after)
    old = list(before_picture.final.instructions())
    new = list(after_picture.final.instructions())

    # the container is promised the same
    for keyword in ("USER", "WORKDIR", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD", "SHELL"):
        if keyword == "WORKDIR":
            assert after_picture.final.content.workdir == before_picture.final.content.workdir
        else:
            assert last(new, keyword) == last(old, keyword), keyword
    for keyword in ("ENV", "LABEL"):
        assert names(new, keyword) == names(old, keyword)
    for keyword in ("EXPOSE", "VOLUME"):
        assert words(new, keyword) == words(old, keyword)
    assert after_picture.environment == before_picture.environment

    # the build is what it was, up to where the stage that runs takes over
    copy = next(
        each for each in reversed(new) if each.keyword == "COPY" and each.text.split()[0].endswith("app.jar")
    )
    source = copy.flag("from")
    assert source is not None
    stage = next(stage for stage in after_picture.stages if stage.name == source.value)
    kept = building(list(stage.instructions()))
    laid_out = next((n for n, (_, row) in enumerate(kept) if "/handed-on/" in row), None)
    if laid_out is not None:  # by root, when the build is done
        by_root = kept[laid_out - 1] == ("USER", "root") and kept[:laid_out] != building(old)[:laid_out]
        kept = kept[: laid_out - by_root]
    assert kept == building(old)[: len(kept)]
    assert any(re.search(r"mvnw? ", row) for _, row in kept)

    # nothing of the build is left
    assert not any(re.search(r"\bmvnw?\b|\bmaven\b|git", each.text) for each in new if each.keyword == "RUN")
    left = [
        path for path in after_picture.final.content.files if re.search(r"/src/|pom\.xml|mvnw|README", path)
    ]
    assert left == []
    for name in ("config/application.yml", "start.sh"):
        there = [path for path in before_picture.final.content.files if path.endswith(f"/{name}")]
        assert set(there) <= set(after_picture.final.content.files)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dockerfiles())
def test_a_split_file_is_final(text: str) -> None:
    for alone in (True, False):
        after = look(text, alone=alone).rewrite.text
        again = look(after, alone=alone)
        assert not again.rewrite.changed, again.rewrite.text


def test_the_generator_makes_files_that_are_split() -> None:
    """The properties above say nothing of files that stay as they are."""
    text = "\n".join([f"FROM {BASES[0]}", "WORKDIR /app", COPIES[0], BUILDS[0], STARTS[0]])
    assert look(text, alone=True).rewrite.changed
