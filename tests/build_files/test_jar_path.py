from __future__ import annotations

import pytest

from imgopt.java.build_facts import BuildFacts
from imgopt.java.build_files import jar_path_matches

MAVEN = BuildFacts("services/orders/pom.xml", "maven", artifact="target/orders-1.0.jar")
GRADLE = BuildFacts("build.gradle", "gradle", artifact="build/libs/demo-0.0.1-SNAPSHOT.jar")


@pytest.mark.parametrize(
    ("facts", "source", "expected"),
    [
        (MAVEN, "target/orders-1.0.jar", True),
        (MAVEN, "./target/orders-1.0.jar", True),
        (MAVEN, "/target/orders-1.0.jar", True),
        (MAVEN, "target/*.jar", True),
        (MAVEN, "target/orders-*.jar", True),
        (MAVEN, "*/target/*.jar", True),
        (MAVEN, "orders/target/*.jar", True),
        (MAVEN, "services/orders/target/orders-?.?.jar", True),
        (MAVEN, "*.jar", True),
        (MAVEN, "orders-1.0.jar", True),
        (MAVEN, "jar/orders-1.0.jar", True),  # copied there by a script
        (MAVEN, "jar/*.jar", False),
        (MAVEN, "stock/target/*.jar", False),
        (MAVEN, "target/stock-*.jar", False),
        (MAVEN, "target/orders.jar", False),
        (MAVEN, "target/*.war", False),
        (MAVEN, "target/*.jar.original", False),
        (MAVEN, "target", False),
        (MAVEN, "target/[", False),
        (MAVEN, "", False),
        (GRADLE, "build/libs/*.jar", True),
        (GRADLE, "build/libs/demo-0.0.1-SNAPSHOT.jar", True),
        (GRADLE, "app/build/libs/*-SNAPSHOT.jar", True),
        (GRADLE, "libs/*.jar", True),
        (GRADLE, "target/*.jar", False),
        (BuildFacts("a/pom.xml", "maven"), "target/*.jar", True),
        (BuildFacts("a/pom.xml", "maven"), "a/target/*.jar", True),
        (BuildFacts("a/pom.xml", "maven"), "b/target/*.jar", False),
        (BuildFacts("a/pom.xml", "maven"), "target/app.jar", False),  # its name is not known
        (BuildFacts("a/pom.xml", "maven"), "*.jar", False),
        (BuildFacts("a/pom.xml", "maven", packaging="war"), "target/*.jar", False),
        (BuildFacts("a/pom.xml", "maven", packaging="pom"), "target/*.jar", False),
        (BuildFacts("a/build.gradle", "gradle"), "build/libs/*.jar", True),
        (BuildFacts("a/pom.xml", "maven", artifact="../docker/app.jar"), "docker/app.jar", True),
    ],
)
def test_jar_path_matches(facts: BuildFacts, source: str, expected: bool) -> None:
    assert jar_path_matches(facts, source) is expected
