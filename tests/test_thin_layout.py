"""Which jars get the thin layout of Spring Boot's own tools, and what keeps the launcher's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, class_file, library
from command_line import Imgopt
from command_line import imgopt as imgopt

START = 'ENTRYPOINT ["java", "-jar", "/app/app.jar"]\n'
FAT = f"FROM eclipse-temurin:17-jre\nWORKDIR /app\nCOPY target/app.jar app.jar\n{START}"
THIN = "extract --layers --destination out --libraries /application/lib/"
LOADER = "org/springframework/boot/loader/"


def rewritten(imgopt: Imgopt, directory: Path, jar: Mapping[str, Any], text: str = FAT) -> str:
    libraries = {"big-1.0.jar": library(size=1_200_000), **jar.get("libraries", {})}
    boot_jar(directory / "target" / "app.jar", **{**jar, "libraries": libraries})
    (directory / "Dockerfile").write_text(text)
    run = imgopt("rewrite", "--select", "fat-jar-layer", "--unsafe", directory / "Dockerfile")
    assert run.code == 0, run.err
    assert " AS extract" in run.text, run.text
    return run.text


@pytest.mark.parametrize("version", ["3.3.5", "3.5.16", "4.0.0", "4.1.2"])
def test_the_final_base_unpacks_it_and_starts_it_as_before(
    version: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    text = rewritten(imgopt, tmp_path, {"version": version})
    assert THIN in text
    assert "FROM eclipse-temurin:17-jre AS extract\n" in text
    assert text.endswith(START)
    assert len(text.splitlines()) - len(FAT.splitlines()) <= 10


@pytest.mark.parametrize(
    "jar",
    [
        {"references": ["java/net/URL"]},
        {"extra": {"META-INF/maven/a/b/pom.properties": b"version=1\n"}},
        {"extra": {"BOOT-INF/classes/logback.xml": b"<configuration/>"}},
        {"libraries": {"own-1.0.jar": library({"a/B.class": class_file("a/B")})}, "modules": ["own-1.0.jar"]},
        # it answers with the jar's own place, as before
        {"references": ["org/springframework/boot/system/ApplicationHome"]},
        {"references": ["jakarta/servlet/ServletContext"]},
        {"extra": {"BOOT-INF/classes/a.yml": b"mapper-locations: classpath*:mapper/**/*.xml\n"}},
        {
            "extra": {"BOOT-INF/classes/a.yml": b"mapper-locations: classpath*:**/mapper/*.xml\n"},
            "libraries": {"spring-core-6.2.1.jar": library()},
        },
        {
            "libraries": {
                "driver-1.0.jar": library(
                    {"META-INF/services/java.sql.Driver": b"a.B\n", "META-INF/services/org.a.B": b"a.C\n"}
                )
            }
        },
        {"extra": {"META-INF/services/java.nio.file.spi.FileSystemProvider": b"of the loader"}},
        {"manifest": {"Multi-Release": "true"}},
        {"libraries": {"thymeleaf-3.1.jar": library({"META-INF/resources/a.css": b""})}},
        # a released library that reads nested archives knows of all their layouts
        {"libraries": {"scanner-1.0.jar": library({"a/B.class": class_file("a/B", ["BOOT-INF/lib"])})}},
    ],
    ids=[
        *(
            "class",
            "description",
            "settings",
            "module",
            "home",
            "servlet",
            "pattern",
            "root pattern since 6.2",
        ),
        *("driver", "service of the loader", "no versions", "pages by the class path", "library"),
    ],
)
def test_what_an_application_has_beside_does_not_matter(
    jar: Mapping[str, Any], imgopt: Imgopt, tmp_path: Path
) -> None:
    assert THIN in rewritten(imgopt, tmp_path, jar)


@pytest.mark.parametrize(
    "jar",
    [
        {"version": "3.2.12", "jarmode": "layertools"},
        {"references": ["BOOT-INF/classes"]},
        {"references": ["jar:nested:/app"]},
        {"references": [f"{LOADER}launch/JarLauncher"]},
        {"references": ["java/security/CodeSource"]},
        {"references": ["java/net/URLClassLoader"]},
        {"references": ["Start-Class"]},
        {"references": ["jar:file:"]},
        {"references": ["codeSource"]},  # of a script or an expression
        {"references": ["org/reflections/util/ClasspathHelper"]},
        {"references": ["classpath*:#{root}/mapper/*.xml"]},
        {"extra": {"BOOT-INF/classes/reference.conf": b"templates = /BOOT-INF/classes/templates\n"}},
        {"references": ["jakarta/servlet/ServletContext", "getResourceAsStream"]},
        {"launcher": "org.springframework.boot.loader.launch.PropertiesLauncher"},
        {"extra": {"data/words.txt": b"at the root"}},
        {"extra": {"META-INF/x.txt": b"1", "BOOT-INF/classes/META-INF/x.txt": b"2"}},
        {"extra": {"BOOT-INF/classes/paths.properties": b"templates=/BOOT-INF/classes/templates\n"}},
        {
            "libraries": {"own-1.0.jar": library({"a/B.class": class_file("a/B", ["BOOT-INF/lib"])})},
            "modules": ["own-1.0.jar"],
        },
        {"libraries": {"own-1.0-SNAPSHOT.jar": library({"a/B.class": class_file("a/B", ["nested:"])})}},
        {"libraries": {"with blank-1.0.jar": library()}},
        {"libraries": {"spring-boot-devtools-3.5.4.jar": library()}},
        {"libraries": {"tomcat-embed-jasper-10.1.1.jar": library()}},
        {"libraries": {"jakarta.faces-4.0.1.jar": library()}},
        {
            "libraries": {
                "own-nio-1.jar": library({"META-INF/services/java.nio.file.spi.FileSystemProvider": b""})
            }
        },
        {"extra": {"BOOT-INF/classes/META-INF/services/java.lang.System$LoggerFinder": b"a.B\n"}},
        {
            "extra": {"BOOT-INF/classes/a.yml": b"mapper-locations: classpath*:**/mapper/*.xml\n"},
            "libraries": {"spring-core-6.1.21.jar": library()},
        },
        {"references": ["classpath*:/*/mapper/*.xml"]},
        {"extra": {"META-INF/A.SF": b"Signature-Version: 1.0\n"}},
        {
            "manifest": {"Multi-Release": "true"},
            "extra": {"BOOT-INF/classes/META-INF/versions/21/a/B.class": class_file("a/B")},
        },
        {"extra": {"BOOT-INF/classes/a.properties": b"server.servlet.register-default-servlet=true\n"}},
    ],
    ids=[
        *"version layout nested loader source loaders manifest url script reflections expression conf servlet properties root twice setting module snapshot".split(),
        *"blank devtools pages faces files logger search search-in-code signed versions default".split(),
    ],
)
def test_an_application_that_could_tell_keeps_its_launcher(
    jar: Mapping[str, Any], imgopt: Imgopt, tmp_path: Path
) -> None:
    text = rewritten(imgopt, tmp_path, jar)
    assert THIN not in text
    assert "jar cfm app.jar start.mf" in text


@pytest.mark.parametrize(
    "start",
    [
        'ENTRYPOINT ["java", "-javaagent:/agent.jar", "-jar", "/app/app.jar"]\n',
        "ENV JAVA_TOOL_OPTIONS=-javaagent:/agent.jar\n" + START,
        'ENTRYPOINT ["java", "-Dloader.path=/ext", "-jar", "/app/app.jar"]\n',
        "ENV LOADER_PATH=/ext\n" + START,
        "HEALTHCHECK CMD java -cp /app/app.jar org.springframework.boot.loader.launch.JarLauncher --check\n"
        + START,
        'ENTRYPOINT ["java", "-Djava.util.logging.manager=a.B", "-jar", "/app/app.jar"]\n',
        "ENV MYBATIS_MAPPERLOCATIONS=classpath*:**/mapper/*.xml\n" + START,
        'ENTRYPOINT ["java", "-Djava.util.logging.config.file=l.properties", "-jar", "/app/app.jar"]\n',
        'ENTRYPOINT ["java", "-Djava.protocol.handler.pkgs=a", "-jar", "/app/app.jar"]\n',
    ],
    ids="agent agent-in-the-environment option environment check logging search handlers protocols".split(),
)
def test_what_is_said_to_the_launcher_keeps_it(start: str, imgopt: Imgopt, tmp_path: Path) -> None:
    text = rewritten(imgopt, tmp_path, {}, FAT.replace(START, start))
    assert THIN not in text
    assert text.endswith(start)


@pytest.mark.parametrize(
    ("pattern", "thin"), [("classpath*:**/mapper/*.xml", False), ("classpath*:mapper/**/*.xml", True)]
)
def test_settings_that_lie_beside_the_jar_keep_it(
    pattern: str, thin: bool, imgopt: Imgopt, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "application.yml").write_text(f"mybatis:\n  mapper-locations: {pattern}\n")
    text = FAT.replace(START, f"COPY config/ config/\n{START}")
    assert (THIN in rewritten(imgopt, tmp_path, {}, text)) is thin


def test_a_container_that_starts_another_launcher_keeps_it(imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  a:\n    build: .\n    command: java -cp /app/app.jar org.springframework.boot.loader.launch.JarLauncher\n"
    )
    boot_jar(tmp_path / "target" / "app.jar")
    (tmp_path / "Dockerfile").write_text(FAT.replace("ENTRYPOINT", "CMD"))
    run = imgopt("rewrite", "--select", "fat-jar-layer", "--unsafe", tmp_path / "Dockerfile")
    assert THIN not in run.text


MODULE = {"libraries": {"ui-1.0.jar": library({"static/index.html": b"x"})}, "modules": ["ui-1.0.jar"]}

#: Layers with the names that a tree of the project's modules would get.
OWN_LAYERS = """\
- "modules":
  - "BOOT-INF/lib/big-1.0.jar"
- "own-modules":
  - "org/"
- "project-modules":
  - "BOOT-INF/lib/"
- "application":
  - "BOOT-INF/classes/"
  - "BOOT-INF/classpath.idx"
  - "BOOT-INF/layers.idx"
  - "META-INF/"
"""


def test_layers_that_are_called_as_the_modules_would_be(imgopt: Imgopt, tmp_path: Path) -> None:
    jar = {
        "version": "3.2.12",
        "jarmode": "layertools",
        "layered": False,
        "manifest": {"Spring-Boot-Layers-Index": "BOOT-INF/layers.idx"},
        "extra": {"BOOT-INF/layers.idx": OWN_LAYERS.encode()},
    }
    text = rewritten(imgopt, tmp_path, jar)
    for layer in ("modules", "own-modules", "project-modules", "application"):
        assert f"/out/{layer}/ /" in text


@pytest.mark.parametrize("version", ["9" * 5_400, "3." + "5" * 5_400 + ".1"])
def test_a_version_of_thousands_of_digits_is_none(version: str, imgopt: Imgopt, tmp_path: Path) -> None:
    boot_jar(tmp_path / "target" / "app.jar", manifest={"Spring-Boot-Version": version})
    (tmp_path / "Dockerfile").write_text(FAT)
    run = imgopt("suggest", "--spring-boot", version, tmp_path / "Dockerfile")
    assert run.code in (0, 2), run.err
    assert imgopt("suggest", tmp_path / "Dockerfile").code == 0


@pytest.mark.parametrize(
    ("jar", "served"),
    [
        (MODULE, "touch -c out/application/application/lib/*"),
        (
            {"libraries": {"ui-1.0-SNAPSHOT.jar": library({"META-INF/resources/x.js": b""})}},
            "touch -c out/snapshot-dependencies/application/lib/*",
        ),
        ({**MODULE, "modules": []}, None),  # a release: another one has another name
        ({"extra": {"BOOT-INF/classes/static/index.html": b"x"}}, None),  # in the application's jar
        ({"version": "3.2.12", "jarmode": "layertools", **MODULE}, "find out/application -exec touch {} +"),
        (
            {
                "version": "3.2.12",
                "jarmode": "layertools",
                "extra": {"BOOT-INF/classes/static/index.html": b"x"},
            },
            "find out/application -exec touch {} +",
        ),
        ({"version": "3.2.12", "jarmode": "layertools"}, None),
        (
            {
                "version": "2.2.1",
                "jarmode": None,
                "layered": False,
                "libraries": {"ui-1-SNAPSHOT.jar": library({"public/a": b""})},
            },
            "find out/snapshot-dependencies -exec touch {} +",
        ),
        (
            {
                "version": "2.4.1",  # which loses the order of the libraries: it is unpacked by path
                "jarmode": "layertools",
                "layered": False,
                "manifest": {
                    "Spring-Boot-Layers-Index": "BOOT-INF/layers.idx",
                    "Spring-Boot-Classpath-Index": "BOOT-INF/bare.idx",
                },
                "libraries": {"ui-1-SNAPSHOT.jar": library({"public/a": b""})},
                "extra": {
                    "BOOT-INF/layers.idx": OWN_LAYERS.encode(),
                    "BOOT-INF/bare.idx": b'- "big-1.0.jar"\n- "ui-1-SNAPSHOT.jar"\n',
                },
            },
            "find out/snapshot-dependencies -exec touch {} +",
        ),
    ],
    ids="module snapshot release classes unpacked unpacked-classes nothing without-index by-path".split(),
)
def test_browsers_hear_of_the_next_release(
    jar: Mapping[str, Any], served: str | None, imgopt: Imgopt, tmp_path: Path
) -> None:
    """Spring Boot serves files with the time of the jar that they lie in: with a fixed one a browser keeps its own."""
    text = rewritten(imgopt, tmp_path, jar)
    if served is None:
        assert "touch -c" not in text and "-exec touch {} +" not in text
        return
    assert served in text
    layer = "snapshot-dependencies" if "snapshot" in served else "application"
    lines = text.splitlines()
    copy = next(
        at
        for at, line in enumerate(lines)
        if line.startswith(f"COPY --from=extract /extract/{tmp_path.name}/out/{layer}/")
    )
    assert lines[copy].endswith(f"/out/{layer}/ /")
    assert lines.index("WORKDIR /app") < copy < len(lines) - 1  # beside the jar


def test_a_base_of_ones_own_unpacks_it_unsafely(imgopt: Imgopt, tmp_path: Path) -> None:
    base = "registry.corp.io/platform/java17:3"
    text = rewritten(imgopt, tmp_path, {}, FAT.replace("eclipse-temurin:17-jre", base))
    assert f"FROM {base} AS extract\nUSER root\n" in text
    why = imgopt("suggest", "--format", "json", tmp_path / "Dockerfile").json["files"][0]["rewrite"][
        "not_applied"
    ]
    assert f"needs --unsafe: {base} unpacks the jar, for which it has to have java, sh, mv and touch" in [
        each["why"] for each in why
    ]


def test_libraries_go_below_what_would_run_again_and_comments_stay(imgopt: Imgopt, tmp_path: Path) -> None:
    text = rewritten(
        imgopt,
        tmp_path,
        {},
        "FROM eclipse-temurin:17-jre\nRUN apt-get update\n# here it lies\nWORKDIR /app\n# the application\n"
        f"COPY target/app.jar app.jar\n{START}",
    )
    final = text[text.index("FROM eclipse-temurin:17-jre\n") :].splitlines()
    assert [line if line.startswith("#") else line.split(" ")[0] for line in final] == [
        "FROM",
        "RUN",
        "COPY",
        "COPY",
        "# here it lies",
        "WORKDIR",
        "# the application",
        "COPY",
        "ENTRYPOINT",
    ]
