"""Names of Java packages and archives: what they bring, and what is none of them."""

from __future__ import annotations

import pytest

from imgopt.java.distributions import java_archive, java_archives_in, java_package, jdk_only_bytes


@pytest.mark.parametrize(
    ("manager", "name", "kind", "major", "jre"),
    [
        ("apt", "openjdk-17-jdk", "jdk", 17, "openjdk-17-jre"),
        ("apt", "openjdk-8-jdk-headless", "jdk", 8, "openjdk-8-jre-headless"),
        ("apt", "openjdk-11-jre-headless", "jre", 11, None),
        ("apt", "default-jdk", "jdk", 17, "default-jre"),
        ("apt", "default-jdk-headless", "jdk", 17, "default-jre-headless"),
        ("apk", "openjdk8", "jdk", 8, "openjdk8-jre"),
        ("apk", "openjdk21-jdk", "jdk", 21, "openjdk21-jre"),
        ("apk", "openjdk8-jre-base", "jre", 8, None),
        ("rpm", "java-1.8.0-openjdk-devel", "jdk", 8, "java-1.8.0-openjdk"),
        ("rpm", "java-17-openjdk-devel.x86_64", "jdk", 17, "java-17-openjdk.x86_64"),
        (
            "rpm",
            "java-17-openjdk-devel-17.0.9.0.9-1.el8",
            "jdk",
            17,
            "java-17-openjdk-17.0.9.0.9-1.el8",
        ),
        ("rpm", "java-11-openjdk-headless", "jre", 11, None),
        ("rpm", "java-17-amazon-corretto-devel", "jdk", 17, "java-17-amazon-corretto-headless"),
        ("rpm", "java-1.8.0-amazon-corretto-devel", "jdk", 8, "java-1.8.0-amazon-corretto"),
        ("rpm", "java-21-amazon-corretto", "jre", 21, None),
        ("apt", "temurin-21-jdk", "jdk", 21, "temurin-21-jre"),
        ("apt", "temurin-18-jdk", "jdk", 18, None),
        ("apt", "zulu17-jdk-headless", "jdk", 17, "zulu17-jre-headless"),
        ("apt", "zulu8-jdk", "jdk", 8, None),
        ("rpm", "msopenjdk-17", "jdk", 17, None),
    ],
)
def test_packages(manager: str, name: str, kind: str, major: int, jre: str | None) -> None:
    package = java_package(name, manager, "debian", "12")
    assert package is not None
    assert (package.kind, package.major, package.jre) == (kind, major, jre)


@pytest.mark.parametrize(
    ("manager", "name"),
    [
        ("apt", "openjdk-17-source"),
        ("apt", "openjdk17"),
        ("apk", "openjdk-17-jdk"),
        ("apk", "openjdk17-doc"),
        ("rpm", "java-17-openjdk-demo"),
        ("rpm", "java-17-openjdk-src"),
        ("apt", "java-common"),
    ],
)
def test_packages_that_bring_no_java(manager: str, name: str) -> None:
    assert java_package(name, manager, None, None) is None


def test_default_jdk_of_a_release_that_is_not_known() -> None:
    package = java_package("default-jdk", "apt", "ubuntu", None)
    assert package is not None
    assert (package.major, package.jre) == (None, "default-jre")


def test_a_full_jdk_weighs_more_than_a_headless_one() -> None:
    full = jdk_only_bytes("openjdk-17-jdk", 17, "debian", "12")
    headless = jdk_only_bytes("openjdk-17-jdk-headless", 17, "debian", "12")
    assert full is not None
    assert headless is not None
    assert (full[0], headless[0]) == (71_847_560 + 2_491_312, 71_847_560)
    assert jdk_only_bytes("openjdk-17-jdk", 17, "debian", None) is None
    assert jdk_only_bytes("temurin-17-jdk", 17, "debian", "12") is None


@pytest.mark.parametrize(
    ("name", "kind", "major"),
    [
        ("jdk-8u131-linux-x64.tar.gz", "jdk", 8),
        ("/opt/files/server-jre-8u161-linux-x64.tar.gz", "jre", 8),
        ("jdk1.8.0_131.tgz", "jdk", 8),
        ("jdk.tar.gz", "jdk", None),
        ("jdk8.tar.gz", "jdk", 8),
        ("jre-8u191-linux-x64.tar.gz", "jre", 8),
        ("jdk-8u202-linux-x64.rpm", "jdk", 8),
        ("jdk-11.0.2_linux-x64_bin.tar.gz", "jdk", 11),
        ("openjdk-17.0.2_linux-x64_bin.tar.gz", "jdk", 17),
        ("https://github.com/x/jdk-17.0.6%2B10/OpenJDK17U-jdk_x64_linux_hotspot_17.0.6_10.tar.gz", "jdk", 17),
        ("OpenJDK8U-jre_x64_linux_hotspot_8u362b09.tar.gz", "jre", 8),
        ("zulu8.54.0.21-ca-jdk8.0.292-linux_x64.tar.gz", "jdk", 8),
        ("zulu17.40.19-ca-jre17.0.6-linux_musl_x64.tar.gz", "jre", 17),
        ("amazon-corretto-17-x64-linux-jdk.tar.gz", "jdk", 17),
        ("bellsoft-jdk17.0.6+10-linux-amd64.tar.gz", "jdk", 17),
        ("ibm-semeru-open-jdk_x64_linux_17.0.5_8_openj9-0.35.0.tar.gz", "jdk", 17),
        ("Alibaba_Dragonwell_Standard_17.0.5.0.5+8_x64_linux.tar.gz", "jdk", 17),
        ("TencentKona8.0.8.b1_jdk_linux-x86_64_8u322.tar.gz", "jdk", 8),
    ],
)
def test_archives(name: str, kind: str, major: int | None) -> None:
    archive = java_archive(name)
    assert archive is not None
    assert (archive.kind, archive.major) == (kind, major)


@pytest.mark.parametrize(
    "name",
    [
        "jdk-8u131-docs-all.zip",
        "jdktools.tar.gz",
        "apache-skywalking-java-agent-8.8.0-jdk8.tgz",
        "app-jdk8.tar.gz",
        "graalvm-jdk-21_linux-x64_bin.tar.gz",
        "jdk-21.jar",
        "jdk",
    ],
)
def test_archives_that_hold_no_jdk(name: str) -> None:
    assert java_archive(name) is None


def test_archives_in_a_command() -> None:
    text = "curl -Lo /tmp/jdk.tgz https://x.org/a/OpenJDK17U-jdk_x64_linux_hotspot_17.0.6_10.tar.gz?x=1 && tar xf /tmp/jdk.tgz"
    assert {name: archive.major for name, archive in java_archives_in(text).items()} == {
        "jdk.tgz": None,
        "OpenJDK17U-jdk_x64_linux_hotspot_17.0.6_10.tar.gz": 17,
    }
