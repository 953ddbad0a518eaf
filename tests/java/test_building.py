from __future__ import annotations

import pytest

from imgopt import shell
from imgopt.java.building import builds, fetches_tools, is_input, is_output, project_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mvn package", True),
        ("./mvnw -q -DskipTests package", True),
        ("/opt/gradle/bin/gradle bootJar", True),
        ("$MAVEN_HOME/bin/mvn install", True),
        ("sh gradlew build", False),  # the shell is the program; what it runs is looked at by itself
        ("mvn -v", False),
        ("./gradlew --version", False),
        ("javac -d out Main.java", True),
        ("npm ci", True),
        ("mvn-run.sh", False),
        ("echo mvn package", False),
        ("$TOOL package", False),
    ],
)
def test_what_builds(text: str, expected: bool) -> None:
    (command,) = shell.parse(text).commands
    assert builds(command) is expected


@pytest.mark.parametrize(
    "path",
    [
        "pom.xml",
        "src/main/java/App.java",
        "src",
        "target/classes/App.class",
        "build/libs/app.jar",
        "build.gradle.kts",
        "settings.gradle",
        "gradle/libs.versions.toml",
        "gradlew.bat",
        ".mvn/jvm.config",
        "README.md",
        "LICENSE",
        "licence.txt",
        "Dockerfile.dev",
        "docker-compose.yml",
        "compose.prod.yaml",
        ".gitignore",
        ".dockerignore",
        ".github/workflows/ci.yml",
        "Jenkinsfile",
        "package-lock.json",
    ],
)
def test_inputs_of_a_build(path: str) -> None:
    assert is_input(path)


@pytest.mark.parametrize(
    "path",
    [
        "application.yml",
        "config/application.yml",
        "keystore.p12",
        ".env",
        "license.xml",  # libraries read their licence from such a file
        "security.policy",
        "static/index.html",
        "lib/driver.jar",
        "resources/pom.xml",
        "settings.xml",
        "app.jar",
        "start.sh",
    ],
)
def test_what_an_application_may_read(path: str) -> None:
    assert not is_input(path)


def test_output_and_its_project() -> None:
    assert is_output("/app/target/app.jar")
    assert is_output("/app/service/build/libs/service-1.0.war")
    assert not is_output("/app/target/lib/app.jar")
    assert not is_output("/app/app.jar")
    assert project_of("/app/target/app.jar") == "/app"
    assert project_of("/app/service/build/libs/*.jar") == "/app/service"
    assert project_of("/target/app.jar") == "/"


def test_downloads_of_build_tools() -> None:
    assert fetches_tools(
        ["-fsSL", "https://archive.apache.org/dist/maven/maven-3/3.9.9/apache-maven-3.9.9-bin.tar.gz"]
    )
    assert fetches_tools(["https://services.gradle.org/distributions/gradle-8.10-bin.zip"])
    assert not fetches_tools(
        ["https://repo1.maven.org/maven2/org/postgresql/postgresql/42.7.4/postgresql-42.7.4.jar"]
    )
    assert not fetches_tools(
        ["https://services.gradle.org/distributions/gradle-8.10-bin.zip", "https://example.com/agent.jar"]
    )
    assert not fetches_tools(["-o", "x"])
