"""`gate --predict`: what a Dockerfile would make is judged by what its lines show, and a silenced rule shows nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt

JRE = "FROM eclipse-temurin:17-jre"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "target").mkdir()
    boot_jar(
        tmp_path / "target/app.jar", version="3.5.4", libraries={"core-1.jar": library(size=9_000, seed=1)}
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "Dockerfile"


def code(imgopt: Imgopt, service: Path, text: str, what: str, *more: str) -> tuple[int, str]:
    service.write_text(f'{text}\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n')
    run = imgopt("gate", "--predict", service, "--forbid", what, "--format", "json", *more)
    return run.code, run.text


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        *((f"{JRE}\nUSER {user}", 1) for user in (
            "root", '"root"', "'root'", "'0'", '"0"', "00", "+0", "-0", "0:0", "root:root", '""', '"0":1000', "r\\oot", ":5",
        )),
        (JRE, 1),
        *((f"{JRE}\nUSER {user}", 0) for user in ("1000", "'1000'", "1000:0", "+5", "nobody")),
        (f"{JRE}\nRUN useradd spring\nUSER spring", 0),
        (f"{JRE}\nRUN groupadd -g 5 app && useradd -r -u 1001 -g app app\nUSER app:app", 0),
        (f"{JRE}\nRUN adduser -S -u 1001 spring\nUSER spring", 0),
        (f"{JRE}\nRUN useradd -o -u 0 spring\nUSER spring", 1),
        (f"{JRE}\nRUN useradd -u0 -o spring\nUSER spring", 1),
        (f"{JRE}\nRUN useradd --uid=0 -o spring\nUSER spring", 1),
        (f"{JRE}\nRUN adduser -D -u +0 spring\nUSER 'spring'", 1),
        (f"{JRE}\nARG N\nRUN useradd -u $N spring\nUSER spring", 3),
        (f"{JRE}\nRUN useradd spring && usermod -o -u 0 spring\nUSER spring", 3),
        (f"{JRE}\nRUN echo 'spring:x:0:0::/:' >> /etc/passwd\nUSER spring", 3),
        (f"{JRE}\nRUN useradd spring\nCOPY passwd /etc/passwd\nUSER spring", 3),
        (f"{JRE}\nUSER spring", 3),
        (f"{JRE}\nARG U=root\nUSER $U", 3),
        (f"{JRE}\nUSER ${{U:-0}}", 3),
        (f"{JRE}\nUSER 1000\nUSER 0", 1),
        (f"{JRE} AS base\nUSER 0\nFROM base\nRUN true", 1),
        ("FROM harbor.corp/base:1", 3),
        ("FROM harbor.corp/base:1\nUSER app", 3),
        ("FROM scratch", 1),
    ],
)  # fmt: skip
def test_root(imgopt: Imgopt, service: Path, lines: str, wanted: int) -> None:
    (service.parent / "passwd").write_text("spring:x:0:0::/:\n")
    assert code(imgopt, service, lines, "root-user")[0] == wanted


@pytest.mark.parametrize(
    ("lines", "what", "wanted"),
    [
        # silenced rules
        ("FROM debian:12\n# imgopt: ignore=package-cache\nRUN apt-get update && apt-get install -y curl", "package-cache", 1),
        ("# imgopt: ignore=jdk-runtime\nFROM eclipse-temurin:17-jdk", "jdk", 1),
        ("# imgopt: ignore=build-tools\nFROM maven:3-eclipse-temurin-17", "build-tools", 1),
        (f"{JRE}\n# imgopt: ignore=installed-jdk\nRUN apt-get update && apt-get install -y openjdk-17-jdk", "jdk", 1),
        # a JDK beside the base's JRE
        (f"{JRE}\nRUN apt-get update && apt-get install -y openjdk-17-jdk-headless", "jdk", 1),
        (f"{JRE}\nCOPY --from=eclipse-temurin:17-jdk /opt/java/openjdk /opt/other", "jdk", 1),
        (f"{JRE}\nCOPY --from=harbor.corp/tools /opt/java /opt/java", "jdk", 3),
        (f"{JRE}\nCOPY --from=harbor.corp/tools / /", "jdk", 3),
        (f"{JRE}\nCOPY --from=maven:3-eclipse-temurin-17 /opt/java/openjdk /opt/jdk", "jdk", 3),
        (f"{JRE}\nRUN curl -s https://get.sdkman.io | bash", "jdk", 3),
        (f"{JRE}\nRUN curl -sL https://corp/x.tgz | tar xz -C /opt", "jdk", 3),
        (f"{JRE}\nRUN ./setup.sh", "jdk", 3),
        (f"{JRE}\nARG P\nRUN apt-get install -y $P", "jdk", 3),
        (f"{JRE}\nADD https://corp/things.bin /opt/", "jdk", 3),
        (f"{JRE}\nCOPY tool/ /opt/tool/", "jdk", 3),
        # tools
        (f"{JRE}\nRUN apt-get update && apt-get install -y maven git", "build-tools", 1),
        (f"{JRE}\nRUN apk add --no-cache build-base", "build-tools", 1),
        (f"{JRE}\nCOPY --from=maven:3-eclipse-temurin-17 /usr/share/maven /opt/maven", "build-tools", 1),
        (f"{JRE}\nRUN ./install-gradle", "build-tools", 3),
        (f"{JRE}\nRUN pip install x", "package-cache", 3),
        # what is understood holds
        (JRE, "jdk,build-tools,package-cache", 0),
        (f"{JRE}\nRUN mkdir /app && chown 1000 /app", "jdk,build-tools,package-cache", 0),
        (f"{JRE}\nRUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*",
         "jdk,build-tools,package-cache", 0),
        (f"{JRE}\nRUN curl -fsSLo /otel.jar https://corp/otel.jar", "jdk,build-tools", 0),
        ("FROM maven:3-eclipse-temurin-17 AS build\nRUN mvn package\n" + JRE +
         "\nCOPY --from=build /src/target/x.jar /x.jar", "jdk,build-tools,package-cache", 0),
    ],
)  # fmt: skip
def test_jdk_tools_and_caches(imgopt: Imgopt, service: Path, lines: str, what: str, wanted: int) -> None:
    (service.parent / "tool/bin").mkdir(parents=True)
    (service.parent / "tool/bin/javac").write_bytes(b"\x7fELF")
    found, text = code(imgopt, service, lines, what)
    assert found == wanted, text


def test_rules_that_are_ignored_or_not_selected_show_nothing(imgopt: Imgopt, service: Path) -> None:
    for rules in ('ignore = ["package-cache", "jdk-runtime"]', 'select = ["fat-jar-layer"]'):
        (service.parent / "imgopt.toml").write_text(f"[rules]\n{rules}\n")
        assert code(imgopt, service, "FROM debian:12\nRUN apt-get update", "package-cache")[0] == 1
        assert code(imgopt, service, "FROM eclipse-temurin:17-jdk", "jdk")[0] == 1


def test_a_file_that_is_skipped_is_not_judged_and_does_not_pass(imgopt: Imgopt, service: Path) -> None:
    skipped = "# imgopt: ignore-file: later\nFROM eclipse-temurin:17-jdk"
    found, text = code(imgopt, service, skipped, "jdk")
    assert found == 3 and "skipped by # imgopt: ignore-file" in text
    other = service.parent / "other.Dockerfile"
    other.write_text(
        f'{JRE}\nUSER 1000\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    run = imgopt("gate", "--predict", service.parent, "--forbid", "jdk")
    assert run.code == 0 and "skipped by # imgopt: ignore-file" in " ".join(run.text.split())
