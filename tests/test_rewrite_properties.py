"""Properties of the rewrite over generated Dockerfiles: it stays a Dockerfile, is idle the second time, and keeps
what the final stage promises."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import dockerfile as buildkit
import pytest
from boot_jar import boot_jar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgopt.build_context.tree import open_context
from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import Jars, take_picture
from imgopt.scales import Applicability
from imgopt.suggest.analyze import analyze, findings
from imgopt.suggest.dockerfile import report_file
from imgopt.suggest.result import FileReport
from imgopt.suggest.rewrite import rewrite
from imgopt.weigh.layers import Weigher
from imgopt_rules import ALL_RULES

BASES = st.sampled_from(
    ["eclipse-temurin:17-jdk", "eclipse-temurin:17-jre", "openjdk:17-jdk-slim", "openjdk:17", "amazoncorretto:17", "java:8",
     "openjdk:8-jdk-alpine", "eclipse-temurin:17-jre-alpine", "harbor.corp/library/openjdk:17-jdk", "mycorp/java:17", "alpine:3.20",
     "registry.access.redhat.com/ubi9/openjdk-17:1.21", "gcr.io/distroless/java17-debian12", "${BASE}", "debian:12"]
)  # fmt: skip
COPIES = st.sampled_from(
    ["COPY target/app.jar app.jar", "COPY target/app.jar /app.jar", "ADD target/*.jar /app/app.jar", "copy target/app.jar /srv/",
     "COPY --chown=1000:1000 target/app.jar /app.jar", "COPY --chown=app:app target/app.jar app.jar", 'COPY ["target/app.jar", "/app.jar"]',
     "ARG JAR_FILE=target/app.jar\nCOPY ${JAR_FILE} app.jar", "COPY \\\n  # the jar\n  target/app.jar \\\n\n  /app.jar", "COPY . /app", "COPY target/ /srv/", "COPY . ."]
)  # fmt: skip
STARTS = st.sampled_from(
    ['ENTRYPOINT ["java", "-jar", "app.jar"]', 'ENTRYPOINT ["java", "-Xmx1g", "-jar", "/app.jar"]', "CMD java $JAVA_OPTS -jar app.jar",
     'ENTRYPOINT ["sh", "-c", "exec java $JAVA_OPTS -jar /app.jar $0 $@"]', "ENTRYPOINT exec java -jar /srv/app.jar", "CMD java -jar /app/target/app.jar",
     'ENTRYPOINT ["java"]\nCMD ["-jar", "/app/app.jar"]', 'CMD ["/start.sh"]', "cmd sleep 3; java -jar app.jar", ""]
)  # fmt: skip
OTHERS = st.lists(
    st.sampled_from(
        ["EXPOSE 8080", "ENV TZ=Asia/Shanghai", "ENV LANG C.UTF-8", "VOLUME /tmp", "WORKDIR /app", "USER 1000", "# a comment",
         "RUN ln -sf /usr/share/zoneinfo/$TZ /etc/localtime", "RUN apt-get update && apt-get install -y curl", "LABEL a=b c='d e'",
         "HEALTHCHECK CMD curl -f http://localhost/ || exit 1", "RUN touch /app.jar", "RUN chown -R 1000 /app", "STOPSIGNAL SIGTERM",
         "RUN useradd app", "ARG X=1", "MAINTAINER me", "", "RUN <<EOF\necho hi\nEOF", "ONBUILD RUN true", "RUN unzip app.jar",
         "SHELL [\"/bin/bash\", \"-c\"]", "HEALTHCHECK NONE", "COPY conf /conf", "RUN jcmd 1 VM.version",
         "RUN apt-get install -y openjdk-17-jdk", "RUN apk add openjdk17 \\\n # Java\n openjdk17-jre", "COPY --from=eclipse-temurin:17 /opt/java/openjdk /opt/java/openjdk",
         "RUN apt-get update \\\n  && apt-get install -y \\\n    git # for the version", "RUN apt-get update",
         "RUN apt-get install -y unzip", "RUN set -e; apk update; apk add -U curl", "RUN yum install -y tar && yum makecache",
         "RUN curl -LO http://h/a.tgz && tar xzf a.tgz; ls", "RUN rm -rf /var/lib/apt/lists/*", "COPY target/*.jar /lib/",
         "RUN <<EOF\nset -e\napt-get update\napt-get install -y wget\nEOF"]
    ),
    max_size=6,
)  # fmt: skip


@lru_cache(maxsize=1)
def context() -> Path:
    root = Path(tempfile.mkdtemp(prefix="imgopt-properties-"))
    boot_jar(root / "target" / "app.jar")
    (root / "conf").mkdir()
    (root / "conf" / "application.yml").write_text("a: b\n")
    return root


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    yield
    import shutil

    shutil.rmtree(context())


JARS = Jars()
WEIGHER = Weigher(JARS)


def look(text: str, *, unsafe: bool) -> FileReport:
    options = Options(context=context(), unsafe=unsafe)
    return report_file(str(context() / "Dockerfile"), text.encode(), options, ALL_RULES, JARS, WEIGHER)


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    parts = [
        draw(
            st.sampled_from(
                ["", "ARG BASE=eclipse-temurin:17-jdk", "# syntax=docker/dockerfile:1", "# the service"]
            )
        )
    ]
    if draw(st.booleans()):
        parts += ["FROM maven:3.9-eclipse-temurin-17 AS build", "RUN true", ""]
    parts.append(f"FROM {draw(BASES)}{draw(st.sampled_from(['', ' AS runtime']))}")
    body = list(itertools.chain(draw(OTHERS), [draw(COPIES)], draw(OTHERS), [draw(STARTS)], draw(OTHERS)))
    text = "\n".join([*parts, *body]) + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text.replace("\n", "\r\n") if draw(st.booleans()) and "<<" not in text else text


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dockerfiles(), st.booleans())
def test_a_rewrite_is_a_dockerfile_and_final(text: str, unsafe: bool) -> None:
    report = look(text, unsafe=unsafe)
    after = report.rewrite.text
    if not report.rewrite.changed:
        assert after == text
        return
    buildkit.parse_string(after.replace("\r\n", "\n"))  # raises when BuildKit would refuse it
    again = look(after, unsafe=unsafe)
    assert not again.rewrite.changed, again.rewrite.text
    old, new = parse(text).stages[-1], parse(after).stages[-1]
    for keyword in (
        "USER",
        "WORKDIR",
        "EXPOSE",
        "VOLUME",
        "LABEL",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
        "ARG",
        "ONBUILD",
    ):
        kept = [instruction.text for instruction in old.instructions if instruction.keyword == keyword]
        assert [
            instruction.text for instruction in new.instructions if instruction.keyword == keyword
        ] == kept
    # a comment may move together with the line below it
    comments = sorted(comment.text for comment in parse(text).comments)
    assert sorted(comment.text for comment in parse(after).comments if comment.text in comments) == comments
    assert ("\r\n" in after) == ("\r\n" in text)
    assert after.replace("\r\n", "").count("\n") == 0 or "\r\n" not in text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dockerfiles())
def test_lines_outside_the_fixes_stay_in_order(text: str) -> None:
    """Every line of the original that no applied edit touches is in the rewrite, in the same order. One round of the
    rewrite: what a later round touches stands in the text that the one before it made."""
    document = parse(text, str(context() / "Dockerfile"))
    picture = take_picture(
        document, open_context(context(), context() / "Dockerfile"), Options(context=context()), JARS
    )
    said = analyze(picture, ALL_RULES)
    result = rewrite(document, said, Applicability.UNSAFE)
    touched: set[int] = set()
    for finding in findings(said):
        if finding.fix is not None and finding.rule in result.applied:
            for edit in finding.fix.edits:
                first = text.count("\n", 0, edit.span.start)
                last = text.count("\n", 0, max(edit.span.start, edit.span.end - 1))
                starts_line = text[: edit.span.start].endswith("\n") or not edit.span.start
                if edit.span.start != edit.span.end or "--from" in edit.replacement or not starts_line:
                    touched.update(range(first, last + 1))
    left = iter(result.text.split("\n"))
    for number, line in enumerate(text.split("\n")):
        if number not in touched:
            assert line in left, f"line {number + 1} is lost or out of order: {line!r}"
