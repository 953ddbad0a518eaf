"""What is not known is said, in every format, and never shown as nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from boot_jar import boot_jar, flat_jar, noise
from command_line import Imgopt

FORMATS = ("text", "json", "markdown", "html", "sarif", "junit", "github", "gitlab")
POM = """<project><parent><groupId>org.springframework.boot</groupId>
<artifactId>spring-boot-starter-parent</artifactId><version>3.5.4</version></parent>
<groupId>demo</groupId><artifactId>demo</artifactId><version>1.0</version><build><plugins><plugin>
<groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>
</project>"""
STARTS = 'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
RUNS = f"COPY target/app.jar /app.jar\n{STARTS}"
ALL_IN_ONE = """FROM maven:3.9-eclipse-temurin-21
WORKDIR /app
COPY pom.xml .
RUN mvn dependency:go-offline
COPY src ./src
RUN mvn clean package -DskipTests
CMD ["java", "-jar", "target/demo-1.0.jar"]
"""


def project(directory: Path, dockerfile: str, **files: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / ".git").mkdir()
    (directory / "Dockerfile").write_text(dockerfile)
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text)
    return directory


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_says_what_is_not_known_and_none_that_there_is_nothing(
    format: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    context = project(
        tmp_path / "shop", 'FROM registry.corp.io/jdk17:1\nCMD ["java", "-cp", "/app", "App"]\n'
    )
    run = imgopt("suggest", "--format", format, context)
    assert run.code == 0
    said = " ".join(run.text.split()).replace('\\"', '"').replace("&quot;", '"').replace("\\", "")
    assert "an image that is not known here" in said
    assert "registry.corp.io/jdk17:1" in said.replace("&#8203;", "")
    assert "eclipse-temurin:17-jdk" in said
    assert "nothing to" not in said
    if format == "github":
        assert "line=1," in run.text


@pytest.mark.parametrize("format", FORMATS)
def test_an_image_of_which_all_is_known_gets_its_all_clear(
    format: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    context = project(
        tmp_path / "shop",
        'FROM eclipse-temurin:17-jre-alpine\nCOPY App.class /app/\nCMD ["java", "-cp", "/app", "App"]\n',
    )
    (context / "App.class").write_bytes(noise(2_000))
    run = imgopt("suggest", "--format", format, context)
    assert "not known" not in run.text
    if format in ("text", "json", "markdown", "html"):
        assert "runs on a JRE; nothing to gain was found" in run.text


def test_a_base_that_was_declared_is_known(imgopt: Imgopt, tmp_path: Path) -> None:
    context = project(tmp_path / "shop", f"FROM registry.corp.io/jdk17:1\n{RUNS}")
    boot_jar(context / "target/app.jar")
    (asked,) = imgopt("suggest", "--format", "json", context).json["files"]
    (reason,) = asked["unknown"]
    assert reason["kind"] == "not-known" and reason["places"] == [{"line": 1, "of": "original"}]
    assert reason["text"] in asked["warnings"]
    # what the message says to write is what does it
    table = reason["text"].partition("what it is like: ")[2].partition(", for example")[0]
    (context / "imgopt.toml").write_text(table.replace(" with ", "\n") + "\n")
    (told,) = imgopt("suggest", "--format", "json", context).json["files"]
    assert told["unknown"] == []
    assert "jdk-runtime" in {each["rule"] for each in told["findings"]}


def test_no_jar_no_zeros(imgopt: Imgopt, tmp_path: Path) -> None:
    """The state of every fresh checkout: what to do, and no rows of "at least 0"."""
    context = project(
        tmp_path / "shop", f"FROM registry.corp.io/jre:1\nWORKDIR /work\n{RUNS}", pom_xml=POM, mvnw=""
    )
    for format in FORMATS:
        text = imgopt("suggest", "--format", format, context).text
        assert "at least 0" not in text and "≥0" not in text, format
    said = " ".join(imgopt("suggest", context).text.split())
    assert "image size and push times are not known" in said
    (file,) = imgopt("suggest", "--format", "json", context).json["files"]
    unknown = {"before": None, "after": None, "complete": False}
    for push in file["prediction"]["push"]:
        assert push["first_push_s"] == push["next_push_s"] == unknown


def test_a_known_base_below_an_unknown_jar_is_a_lower_bound(imgopt: Imgopt, tmp_path: Path) -> None:
    context = project(tmp_path / "shop", f"FROM eclipse-temurin:17-jre\n{RUNS}")
    text = imgopt("suggest", context).text
    assert "at least 115.6 MB" in text
    assert "sent by the next push" in text and "unknown" in text


def test_a_variable_without_a_value_is_no_empty_layer(imgopt: Imgopt, tmp_path: Path) -> None:
    text = (
        "FROM eclipse-temurin:17-jre-alpine\nARG MODULE{}\nCOPY ${{MODULE}}/target/*.jar /app.jar\n" + STARTS
    )
    context = project(tmp_path / "shop", text.format(""))
    boot_jar(context / "orders/target/orders.jar")
    (file,) = imgopt("suggest", "--format", "json", context).json["files"]
    before = file["prediction"]["before"]
    assert before["complete"] is False
    assert before["layers"][-1]["compressed_bytes"] is None
    (given,) = imgopt("suggest", "--format", "json", "--build-arg", "MODULE=orders", context).json["files"]
    assert given["prediction"]["before"]["complete"] is True
    assert given["prediction"]["before"]["layers"][-1]["compressed_bytes"] > 1_000_000


@pytest.mark.parametrize(
    ("command", "known"),
    [
        ("cp $FROM /copy.jar", False),
        ("mv /app.jar $TO", False),
        ("chown ${OWNER} /app.jar", False),
        ("chmod 0755 $JAR", False),
        ("touch $JAR", False),
        ("install -m 755 /app.jar /opt/app.jar", False),
        ("install -d -o 1000 /data", True),
        ("echo $GREETING", True),
        ("chmod 0755 /app.jar", True),
    ],
)
def test_a_command_on_files_that_a_variable_names_may_store_them_again(
    command: str, known: bool, imgopt: Imgopt, tmp_path: Path
) -> None:
    context = project(
        tmp_path / "shop",
        f"FROM eclipse-temurin:17-jre-alpine\nCOPY app.jar /app.jar\nRUN {command}\n{STARTS}",
    )
    boot_jar(context / "app.jar")
    (file,) = imgopt("suggest", "--format", "json", context).json["files"]
    run = next(
        each for each in file["prediction"]["before"]["layers"] if each["instruction"].startswith("RUN")
    )
    assert (run["compressed_bytes"] is not None) == known


def test_what_was_unknown_before_and_is_after_cancels_out(imgopt: Imgopt, tmp_path: Path) -> None:
    """The jar that nobody read is in both images; the JDK is in one. No share of a whole that nobody knows."""
    context = project(tmp_path / "shop", f"FROM eclipse-temurin:17-jdk\n{RUNS}", pom_xml=POM)
    run = imgopt("suggest", context)
    (row,) = (each for each in run.text.splitlines() if each.startswith("  image size"))
    assert row.split()[-3:] == ["least", "102.2", "MB"] and "%" not in run.text
    (row,) = (each for each in run.text.splitlines() if each.startswith("  sent by the next push"))
    assert row.split()[-3:] == ["unknown"] * 3
    markdown = imgopt("suggest", "--format", "markdown", context).text
    assert "at least 102.2 MB |" in markdown and "%" not in markdown


def test_what_is_known_as_a_whole_has_its_share(imgopt: Imgopt, tmp_path: Path) -> None:
    context = project(tmp_path / "shop", f"FROM eclipse-temurin:17-jdk\n{RUNS}")
    boot_jar(context / "target/app.jar")
    assert "%" in imgopt("suggest", context).text


def test_the_jdk_below_a_build_image_is_no_loss(imgopt: Imgopt, tmp_path: Path) -> None:
    """What the tool's image weighs is not known, but it stands on the JDK's."""
    context = project(tmp_path / "shop", ALL_IN_ONE, pom_xml=POM)
    (context / "src").mkdir()
    (context / "src/App.java").write_text("class App {}")
    run = imgopt("suggest", context)
    (row,) = (each for each in run.text.splitlines() if each.startswith("  image size"))
    row = row.replace("at least ", "≥")
    assert row.split() == "image size ≥230.1 MB p ≥121.1 MB p ≥109.0 MB".split()
    (file,) = imgopt("suggest", "--format", "json", context).json["files"]
    before = file["prediction"]["before"]
    known = [each["compressed_bytes"] for each in before["layers"] if each["compressed_bytes"] is not None]
    assert before["complete"] is False and before["compressed_bytes"] == sum(known)


def test_a_build_image_on_a_base_that_nobody_knows_says_unknown(imgopt: Imgopt, tmp_path: Path) -> None:
    context = project(
        tmp_path / "shop", ALL_IN_ONE.replace("maven:3.9-eclipse-temurin-21", "maven:3.9"), pom_xml=POM
    )
    text = imgopt("suggest", context).text
    assert "at least 0" not in text and re.search(r"\s-\d", text) is None


def test_two_jars_of_a_pattern_are_no_waste_of_the_context(imgopt: Imgopt, tmp_path: Path) -> None:
    """One of them is not in the image, but no line of an ignore file that keeps the pattern leaves it out."""
    context = project(
        tmp_path / "shop", f"FROM eclipse-temurin:17-jre-alpine\nCOPY build/libs/*.jar /app.jar\n{STARTS}"
    )
    boot_jar(context / "build/libs/demo-1.0.jar")
    flat_jar(context / "build/libs/demo-1.0-plain.jar", size=9_000_000)
    (file,) = imgopt("suggest", "--format", "json", context).json["files"]
    assert "unused-context" not in {each["rule"] for each in file["findings"]}
    assert any("2 archives" in each for each in file["warnings"])


def test_what_no_pattern_takes_is_waste_of_the_context(imgopt: Imgopt, tmp_path: Path) -> None:
    context = project(
        tmp_path / "shop", f"FROM eclipse-temurin:17-jre-alpine\nCOPY build/libs/*.jar /app.jar\n{STARTS}"
    )
    boot_jar(context / "build/libs/demo-1.0.jar")
    (context / "build/libs/old.zip").write_bytes(noise(9_000_000))
    (file,) = imgopt("suggest", "--format", "json", context).json["files"]
    assert "unused-context" in {each["rule"] for each in file["findings"]}


def test_build_files_above_the_context_are_read(imgopt: Imgopt, tmp_path: Path) -> None:
    """The parent of a reactor, in a checkout and in what was unpacked without its history."""
    parent = POM.replace("<artifactId>demo<", "<artifactId>shop<").replace(
        "<build>", "<packaging>pom</packaging><modules><module>orders</module></modules><build>"
    )
    child = """<project><parent><groupId>demo</groupId><artifactId>shop</artifactId><version>1.0</version></parent>
    <artifactId>orders</artifactId></project>"""
    for history in (True, False):
        top = tmp_path / f"history-{history}"
        (top / "orders").mkdir(parents=True)
        if history:
            (top / ".git").mkdir()
        (top / "pom.xml").write_text(parent)
        (top / "mvnw").touch()
        (top / "orders/pom.xml").write_text(child)
        (top / "orders/Dockerfile").write_text(
            f"FROM eclipse-temurin:17-jre\nCOPY target/*.jar /app.jar\n{STARTS}"
        )
        (file,) = imgopt("suggest", "--format", "json", top / "orders").json["files"]
        assert file["java"]["spring_boot"] == "3.5.4"
        assert any("build it first (./mvnw package)" in each for each in file["warnings"])


def test_a_parent_outside_of_the_checkout_is_none_of_ours(imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text(POM.replace("<artifactId>demo<", "<artifactId>shop<"))
    child = """<project><parent><groupId>demo</groupId><artifactId>shop</artifactId><version>1.0</version></parent>
    <artifactId>orders</artifactId></project>"""
    context = project(
        tmp_path / "orders",
        f"FROM eclipse-temurin:17-jre\nCOPY target/*.jar /app.jar\n{STARTS}",
        pom_xml=child,
    )
    (file,) = imgopt("suggest", "--format", "json", context).json["files"]
    assert file["java"]["spring_boot"] is None


@pytest.mark.parametrize(
    "name", ['corp/jdk"x', "corp/jdk]\n[x", "corp/\x1b[31mjdk", "\u202ecorp/jdk", "corp/jdk::error::"]
)
def test_a_hostile_name_is_shown_and_stays_a_name(name: str, imgopt: Imgopt, tmp_path: Path) -> None:
    context = project(tmp_path / "shop", f"ARG BASE\nFROM ${{BASE}}\n{RUNS}")
    for format in FORMATS:
        run = imgopt("suggest", "--format", format, "--build-arg", f"BASE={name}", context)
        assert run.code in (0, 2), format
        assert "\x1b" not in run.text and "\u202e" not in run.text
        if format == "json":
            json.loads(run.text)


def test_the_gate_measures_nothing_by_a_known_crumb(imgopt: Imgopt, tmp_path: Path) -> None:
    context = project(tmp_path / "shop", f"FROM registry.corp.io/jre:1\nWORKDIR /work\n{RUNS}")
    run = imgopt(
        "gate",
        "--predict",
        "--max-size",
        "200MB",
        "--max-next-push",
        "2 min at 0.5MB/s",
        context / "Dockerfile",
    )
    assert run.code == 3
    assert "at least 0" not in run.text and "at least <" not in run.text


def test_compare_says_that_nothing_is_known_where_it_would_compare_nothing(
    imgopt: Imgopt, tmp_path: Path
) -> None:
    context = project(tmp_path / "shop", 'FROM registry.corp.io/tool:1\nCMD ["/tool"]\n')
    run = imgopt("compare", context)
    assert "nothing was found" not in run.text
    assert "what could be saved is not known" in " ".join(run.text.split())


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        ("FROM nginx:1.27\nCOPY index.html /usr/share/nginx/html/\n", True),
        ("FROM scratch\nCOPY index.html /\n", True),
        ("FROM openjdk:8u181-jre-alpine3.7\nRUN apk add --no-cache curl\nCOPY index.html /\n", True),
        ("FROM nginx:1.27\nCOPY --from=registry.corp.io/pages:1 / /usr/share/nginx/html/\n", False),
        ("FROM nginx:1.27\nADD https://corp.io/site.tar.gz /tmp/\n", False),
        ("FROM registry.corp.io/web:1\nCOPY index.html /\n", False),
    ],
)
def test_an_all_clear_needs_what_rules_look_at_and_no_size_of_a_base(
    text: str, clear: bool, imgopt: Imgopt, tmp_path: Path
) -> None:
    context = project(tmp_path / "shop", text, index_html="<p>")
    run = imgopt("suggest", "--ignore", "retired-base", context)
    assert ("what could be saved is not known" in run.text) != clear
    assert ("nothing to" in run.text) == clear


def test_an_empty_directory_is_there(imgopt: Imgopt, tmp_path: Path) -> None:
    context = project(
        tmp_path / "shop", "FROM eclipse-temurin:17-jre-alpine\nCOPY data /data/\nCOPY . /all/\n"
    )
    (context / "data").mkdir()
    (file,) = imgopt("suggest", "--format", "json", context).json["files"]
    assert file["unknown"] == []


def test_a_module_without_a_value_is_not_waited_for(imgopt: Imgopt, tmp_path: Path) -> None:
    """What would help is the argument: neither a build nor the version of Spring Boot."""
    text = f"FROM eclipse-temurin:17-jre\nARG MODULE\nCOPY ${{MODULE}}/target/*.jar /app.jar\n{STARTS}"
    run = imgopt("suggest", project(tmp_path / "p", text))
    said = " ".join(run.text.split())
    assert said.count("--build-arg MODULE=VALUE") == 2
    assert "build it first" not in said and "--spring-boot" not in said


def test_a_from_that_names_no_image_is_not_to_be_declared(imgopt: Imgopt, tmp_path: Path) -> None:
    text = f"FROM alpine AS x\nARG TAG=17-jdk\nFROM eclipse-temurin:${{TAG}}\n{RUNS}"
    directory = project(tmp_path / "p", text)
    boot_jar(directory / "target" / "app.jar")
    said = " ".join(imgopt("suggest", directory).text.split())
    assert "line 3 names no image as it is" in said
    assert "[bases]" not in said


def test_what_is_still_sent_is_not_held_against_what_is_not_known(imgopt: Imgopt, tmp_path: Path) -> None:
    """The layer from a stage may hold anything, so what a release has to send is not known; what is sent again is."""
    boot_jar(tmp_path / "target" / "app.jar", libraries={"a.jar": noise(2_000_000)})
    text = (
        "FROM eclipse-temurin:17-jre AS x\nFROM eclipse-temurin:17-jre\nCOPY --from=x /opt/java/openjdk/release /tmp/release\n"
        'COPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    run = imgopt("suggest", project(tmp_path, text))
    assert re.search(
        r"still sent: at least \d\S+ MB at each release by docker push", " ".join(run.text.split())
    )
