from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgopt.bases import AMD64, ARM64, identify

DIGEST = "sha256:" + "ab" * 32

# name | family, kind, Java, libc, OS, OS version
JDKS = """
eclipse-temurin:17                              | eclipse-temurin jdk 17 glibc ubuntu 26.04
eclipse-temurin:8-jre                           | eclipse-temurin jre 8 glibc ubuntu 26.04
eclipse-temurin:21-jre-alpine                   | eclipse-temurin jre 21 musl alpine -
eclipse-temurin:21-jre-alpine-3.22              | eclipse-temurin jre 21 musl alpine 3.22
eclipse-temurin:25-alpine                       | eclipse-temurin jdk 25 musl alpine -
eclipse-temurin:17.0.5_8-jre-focal              | eclipse-temurin jre 17 glibc ubuntu 20.04
eclipse-temurin:8u362-b09-jre-jammy             | eclipse-temurin jre 8 glibc ubuntu 22.04
eclipse-temurin:8u302-b08                       | eclipse-temurin jdk 8 glibc ubuntu -
eclipse-temurin:11.0.14.1_1-jre-focal           | eclipse-temurin jre 11 glibc ubuntu 20.04
eclipse-temurin:17_35-jdk-alpine                | eclipse-temurin jdk 17 musl alpine -
eclipse-temurin:17-jre-ubi9-minimal             | eclipse-temurin jre 17 glibc ubi 9
eclipse-temurin:21-jdk-ubi10-minimal            | eclipse-temurin jdk 21 glibc ubi 10
eclipse-temurin:17-centos7                      | eclipse-temurin jdk 17 glibc centos 7
eclipse-temurin:17-jdk-nanoserver-ltsc2022      | eclipse-temurin jdk 17 - windows -
eclipse-temurin:latest                          | eclipse-temurin jdk - glibc ubuntu 26.04
eclipse-temurin                                 | eclipse-temurin jdk - glibc ubuntu 26.04
openjdk:8-jdk-alpine                            | openjdk jdk 8 musl alpine 3.9
openjdk:8-alpine                                | openjdk jdk 8 musl alpine 3.9
openjdk:8-jre-alpine3.9                         | openjdk jre 8 musl alpine 3.9
openjdk:8u201-jre-alpine                        | openjdk jre 8 musl alpine -
openjdk:8u92-jdk-alpine                         | openjdk jdk 8 musl alpine -
openjdk:8                                       | openjdk jdk 8 glibc debian 11
openjdk:8u292                                   | openjdk jdk 8 glibc debian -
openjdk:8u322-jdk-oracle                        | openjdk jdk 8 glibc oraclelinux -
openjdk:11-jre-slim                             | openjdk jre 11 glibc debian 11
openjdk:11-jre-slim-buster                      | openjdk jre 11 glibc debian 10
openjdk:11.0.2-jre-slim                         | openjdk jre 11 glibc debian -
openjdk:17                                      | openjdk jdk 17 glibc oraclelinux 8
openjdk:17.0.2-jdk                              | openjdk jdk 17 glibc oraclelinux 8
openjdk:17-jdk-oraclelinux7                     | openjdk jdk 17 glibc oraclelinux 7
openjdk:17-jdk-slim                             | openjdk jdk 17 glibc debian 11
openjdk:17-alpine                               | openjdk jdk 17 musl alpine 3.14
openjdk:17-ea-14-jdk-alpine                     | openjdk jdk 17 musl alpine -
openjdk:14                                      | openjdk jdk 14 glibc oraclelinux -
openjdk:9-jre                                   | openjdk jre 9 glibc debian -
openjdk:9-b181-jdk                              | openjdk jdk 9 glibc debian -
openjdk:21                                      | openjdk jdk 21 glibc oraclelinux -
openjdk:22-ea-7-jdk-slim-bookworm               | openjdk jdk 22 glibc debian 12
openjdk:17-jdk-windowsservercore                | openjdk jdk 17 - windows -
java                                            | java jdk - glibc debian -
java:8-jre                                      | java jre 8 glibc debian -
java:openjdk-8u111-alpine                       | java jdk 8 musl alpine -
amazoncorretto:17                               | amazoncorretto jdk 17 glibc amazonlinux 2023
amazoncorretto:17-al2-jdk                       | amazoncorretto jdk 17 glibc amazonlinux 2
amazoncorretto:17.0.7                           | amazoncorretto jdk 17 glibc amazonlinux -
amazoncorretto:8-alpine-jre                     | amazoncorretto jre 8 musl alpine -
amazoncorretto:21-alpine3.18-full               | amazoncorretto jdk 21 musl alpine 3.18
amazoncorretto:21-al2023-headless               | amazoncorretto jre 21 glibc amazonlinux 2023
amazoncorretto:8-al2023-jre                     | amazoncorretto jre 8 glibc amazonlinux 2023
amazoncorretto:8u362-alpine3.14-jre             | amazoncorretto jre 8 musl alpine 3.14
azul/zulu-openjdk:17-latest                     | zulu jdk 17 glibc ubuntu -
azul/zulu-openjdk:25-jdk-crac-latest            | zulu jdk 25 glibc ubuntu -
azul/zulu-openjdk-alpine:17-jre-headless-latest | zulu jre 17 musl alpine -
azul/zulu-openjdk-debian:17.0.6-17.40.19-jre    | zulu jre 17 glibc debian -
azul/zulu-openjdk-centos:8                      | zulu jdk 8 glibc centos -
azul/zulu-openjdk-distroless:17.0.7-17.42.19    | zulu jre 17 glibc distroless -
bellsoft/liberica-openjdk-alpine:17.0.11-cds    | liberica jdk 17 glibc alpine -
bellsoft/liberica-openjre-alpine-musl:22.0.1-10 | liberica jre 22 musl alpine -
bellsoft/liberica-openjre-debian:25-cds         | liberica jre 25 glibc debian -
bellsoft/liberica-openjdk-rocky:17              | liberica jdk 17 glibc rockylinux -
bellsoft/liberica-runtime-container:jre-25-stream-musl | liberica jre 25 musl alpaquita -
bellsoft/liberica-runtime-container:jdk-25-cds-slim-glibc | liberica jdk 25 glibc alpaquita -
ibm-semeru-runtimes:open-11-jdk                 | ibm-semeru-runtimes jdk 11 glibc ubuntu -
ibm-semeru-runtimes:open-17.0.14_7-jre-noble    | ibm-semeru-runtimes jre 17 glibc ubuntu 24.04
ibm-semeru-runtimes:open-8u332-b09-jre-focal    | ibm-semeru-runtimes jre 8 glibc ubuntu 20.04
ibmjava                                         | ibmjava jre 8 glibc ubuntu -
ibmjava:8-sdk                                   | ibmjava jdk 8 glibc ubuntu -
ibmjava:8-jre-alpine                            | ibmjava jre 8 - alpine -
sapmachine:21                                   | sapmachine jdk 21 glibc ubuntu -
sapmachine:21-jre-alpine-3.22                   | sapmachine jre 21 musl alpine 3.22
sapmachine:17-jdk-headless-ubuntu-22.04         | sapmachine jdk 17 glibc ubuntu 22.04
sapmachine:lts                                  | sapmachine jdk - glibc ubuntu -
mcr.microsoft.com/openjdk/jdk:17-ubuntu         | microsoft-openjdk jdk 17 glibc ubuntu -
mcr.microsoft.com/openjdk/jdk:21-distroless     | microsoft-openjdk jdk 21 glibc distroless -
mcr.microsoft.com/openjdk/jdk:17-mariner-cm2    | microsoft-openjdk jdk 17 glibc mariner -
ghcr.io/graalvm/jdk-community:21-ol9            | graalvm jdk 21 glibc oraclelinux 9
ghcr.io/graalvm/graalvm-ce:ol8-java17-22.3.3    | graalvm jdk 17 glibc oraclelinux 8
ghcr.io/graalvm/graalvm-ce:22.3.3               | graalvm jdk - glibc oraclelinux -
ghcr.io/graalvm/native-image-community:21       | graalvm build 21 glibc oraclelinux -
container-registry.oracle.com/graalvm/native-image:25 | graalvm build 25 glibc oraclelinux -
container-registry.oracle.com/java/jdk:17-ol8   | oracle-jdk jdk 17 glibc oraclelinux 8
container-registry.oracle.com/java/serverjre:8-oraclelinux8 | oracle-jdk jre 8 glibc oraclelinux 8
registry.access.redhat.com/ubi8/openjdk-17:1.11 | ubi-openjdk jdk 17 glibc ubi 8
registry.access.redhat.com/ubi9/openjdk-21-runtime:1.24-2.1777977956 | ubi-openjdk jre 21 glibc ubi 9
registry.access.redhat.com/ubi10/openjdk-21-runtime | ubi-openjdk jre 21 glibc ubi 10
gcr.io/distroless/java11-debian11               | distroless jre 11 glibc distroless debian11
gcr.io/distroless/java21-debian13:nonroot       | distroless jre 21 glibc distroless debian13
gcr.io/distroless/java21-debian13:debug         | distroless jdk 21 glibc distroless debian13
gcr.io/distroless/java17                        | distroless jre 17 glibc distroless -
gcr.io/distroless/java-debian10:11              | distroless jre 11 glibc distroless debian10
gcr.io/distroless/base-debian12                 | distroless os - glibc distroless debian12
gcr.io/distroless/static                        | distroless os - - distroless -
cgr.dev/chainguard/jre                          | chainguard jre - glibc wolfi -
cgr.dev/chainguard/jdk:latest-dev               | chainguard jdk - glibc wolfi -
cgr.dev/acme.com/jre:openjdk-17                 | chainguard jre 17 glibc wolfi -
alibabadragonwell/dragonwell:8-anolis           | dragonwell jdk 8 glibc anolis -
alibabadragonwell/dragonwell:17-alpine          | dragonwell jdk 17 musl alpine -
alibabadragonwell/dragonwell:17.0.13-standard-ga-ubuntu-slim | dragonwell jdk 17 glibc ubuntu -
registry.cn-hangzhou.aliyuncs.com/dragonwell/dragonwell:dragonwell-8.8.9_jdk8u302-ga_x86_64_slim | dragonwell jdk 8 - - -
adoptopenjdk:11-jre-hotspot                     | adoptopenjdk jre 11 glibc ubuntu -
adoptopenjdk:8u292-b10-jdk-openj9-focal         | adoptopenjdk jdk 8 glibc ubuntu -
adoptopenjdk/openjdk11:alpine-jre               | adoptopenjdk jre 11 glibc alpine -
adoptopenjdk/openjdk11:x86_64-alpine-jre-11.0.11_9 | adoptopenjdk jre 11 glibc alpine -
adoptopenjdk/openjdk8                           | adoptopenjdk jdk 8 glibc ubuntu -
adoptopenjdk/openjdk8-openj9:alpine-slim        | adoptopenjdk jdk 8 glibc alpine -
frolvlad/alpine-oraclejdk8:slim                 | frolvlad jdk 8 glibc alpine 3.9
frolvlad/alpine-java                            | frolvlad jdk 8 glibc alpine 3.9
anapsix/alpine-java:8_server-jre_unlimited      | anapsix jre 8 glibc alpine 3.8
anapsix/alpine-java:8u202b08_jdk                | anapsix jdk 8 glibc alpine 3.8
livingobjects/jre8                              | livingobjects jre 8 - - -
fabric8/java-jboss-openjdk8-jdk:1.5.4           | fabric8 jdk 8 glibc centos -
fabric8/java-alpine-openjdk11-jre               | fabric8 jre 11 musl alpine -
ubuntu/jre:8-22.04_edge                         | ubuntu-jre jre 8 glibc chiselled 22.04
"""

OTHERS = """
maven:3.8.6-openjdk-11-slim              | maven build 11 glibc debian -
maven:3.8.5-openjdk-17                   | maven build 17 glibc oraclelinux -
maven:3-jdk-8-alpine                     | maven build 8 musl alpine -
maven:3.9-eclipse-temurin-21-alpine      | maven build 21 musl alpine -
maven:3-eclipse-temurin-17               | maven build 17 glibc ubuntu -
maven:3-amazoncorretto-25-al2023         | maven build 25 glibc amazonlinux 2023
maven:3.9-ibm-semeru-17-noble            | maven build 17 glibc ubuntu 24.04
maven:latest                             | maven build - - - -
maven:3.9.6                              | maven build - - - -
gradle:8.5-jdk17                         | gradle build 17 glibc ubuntu -
gradle:jdk21-alpine                      | gradle build 21 musl alpine -
gradle:8-jdk17-corretto-al2023           | gradle build 17 glibc amazonlinux 2023
gradle:8-jdk21-graal                     | gradle build 21 glibc oraclelinux -
gradle                                   | gradle build - - - -
tomcat:8.0.51-jre8-alpine                | tomcat jre 8 musl alpine -
tomcat:11-jdk17                          | tomcat jdk 17 glibc - -
tomcat:10.1-jdk21-temurin-noble          | tomcat jdk 21 glibc ubuntu 24.04
tomcat:9                                 | tomcat other - glibc - -
jetty:12.1.6-jdk17-alpine-eclipse-temurin | jetty jdk 17 musl alpine -
jetty:11-jre17                           | jetty jre 17 glibc - -
jboss/wildfly                            | wildfly other - - - -
icr.io/appcafe/open-liberty:kernel-slim-java11-openj9-ubi | open-liberty other 11 glibc ubi -
alpine                                   | alpine os - musl alpine -
alpine:3.15.0                            | alpine os - musl alpine 3.15
debian:trixie-20260112-slim              | debian os - glibc debian 13
debian:10                                | debian os - glibc debian 10
ubuntu:jammy                             | ubuntu os - glibc ubuntu 22.04
ubuntu:24.04                             | ubuntu os - glibc ubuntu 24.04
centos:7                                 | centos os - glibc centos 7
rockylinux:9                             | rockylinux os - glibc rockylinux 9
almalinux:9-minimal                      | almalinux os - glibc almalinux 9
oraclelinux:10-slim                      | oraclelinux os - glibc oraclelinux 10
amazonlinux:2023                         | amazonlinux os - glibc amazonlinux 2023
fedora:40                                | fedora os - glibc fedora 40
registry.fedoraproject.org/fedora-minimal | fedora os - glibc fedora -
registry.access.redhat.com/ubi8/ubi-minimal:8.10 | ubi os - glibc ubi 8
registry.access.redhat.com/ubi9          | ubi os - glibc ubi 9
registry.access.redhat.com/ubi9-micro    | ubi os - glibc ubi 9
redhat/ubi9-minimal                      | ubi os - glibc ubi 9
openanolis/anolisos:8.8                  | anolis os - glibc anolis 8
busybox:musl                             | busybox os - musl busybox -
busybox                                  | busybox os - - busybox -
scratch                                  | scratch os - - scratch -
amd64/buildpack-deps:buster-curl         | buildpack-deps os - glibc debian 10
nginx:alpine                             | nginx other - musl alpine -
node:20                                  | node other - glibc debian -
python:3.12-windowsservercore            | python other - - windows -
quay.io/quarkus/ubi-quarkus-mandrel-builder-image:jdk-25 | quarkus build 25 glibc ubi -
quay.io/quarkus/ubi9-quarkus-micro-image:2.0 | quarkus os - glibc ubi -
mcr.microsoft.com/windows/servercore:1809 | windows os - - windows -
mcr.microsoft.com/powershell:nanoserver-1809 | windows os - - windows -
apache/skywalking-java-agent:8.10.0-java8 | skywalking-java-agent other - - - -
"""


def rows(table: str) -> list[tuple[str, str]]:
    pairs = [line.split("|") for line in table.strip().splitlines()]
    return [(name.strip(), " ".join(expected.split())) for name, expected in pairs]


@pytest.mark.parametrize(("name", "expected"), rows(JDKS + OTHERS.lstrip("\n")))
def test_families(name: str, expected: str) -> None:
    base = identify(name)
    shown = [base.family, base.kind, base.java_major, base.libc, base.os, base.os_version]
    assert " ".join("-" if value is None else str(value) for value in shown) == expected
    assert base.name == name
    assert base.mirror is None


@pytest.mark.parametrize(
    ("name", "major"),
    [
        ("zcx2001/myjdk:8-latest", 8),
        ("ghcr.io/openzipkin/java:25.0.2_p10-jre", 25),
        ("hmctspublic.azurecr.io/base/java:17-distroless", 17),
        ("registry.cn-hangzhou.aliyuncs.com/dockerhub_mirror/java:21-anolis", 21),
        ("harbor.corp/base/jdk1.8:latest", 8),
        ("ghcr.io/jitsi/base-java:latest", None),
        ("mcr.microsoft.com/vscode/devcontainers/java:0-17", None),
        ("someone/openjdk:17", 17),
        ("keking/kkfileview-base:4.4.0", None),
    ],
)
def test_private_images_stay_unknown_whatever_their_name_suggests(name: str, major: int | None) -> None:
    base = identify(name)
    assert (base.kind, base.family, base.java_major, base.libc) == ("unknown", "unknown", None, None)
    assert base.hint_major == major


@pytest.mark.parametrize(
    "name",
    [
        "eclipse-temurin:17-jre-alpin",
        "eclipse-temurin:9-jdk",
        "eclipse-temurin:17-jdk-bookworm",
        "openjdk:17-jre",
        "openjdk:17-jre-slim",
        "amazoncorretto:17-alpine-jre",
        "amazoncorretto:17-al2023-jre",
        "ibm-semeru-runtimes:open-17-jdk-alpine",
        "alpine:three",
        "bellsoft/liberica-runtime-container:jre-17",
    ],
)
def test_a_tag_that_was_never_published_is_not_known(name: str) -> None:
    base = identify(name)
    assert base.kind == "unknown"
    assert base.family in name
    assert base.note is not None


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("docker.io/library/openjdk:8-jdk", "openjdk:8-jdk"),
        ("docker.io/openjdk:8-jdk", "openjdk:8-jdk"),
        ("index.docker.io/library/eclipse-temurin:21-jre", "eclipse-temurin:21-jre"),
        ("registry.hub.docker.com/azul/zulu-openjdk:17", "azul/zulu-openjdk:17"),
    ],
)
def test_docker_hub_by_its_other_names(name: str, same_as: str) -> None:
    base, plain = identify(name), identify(same_as)
    assert (base.image, base.family, base.kind, base.libc, base.mirror) == (
        plain.image,
        plain.family,
        plain.kind,
        plain.libc,
        None,
    )


@pytest.mark.parametrize(
    ("name", "image", "mirror", "complete"),
    [
        (
            "public.ecr.aws/docker/library/maven:3-amazoncorretto-25-al2023",
            "maven",
            "public.ecr.aws/docker/library",
            True,
        ),
        (
            "public.ecr.aws/amazoncorretto/amazoncorretto:17",
            "amazoncorretto",
            "public.ecr.aws/amazoncorretto",
            False,
        ),
        ("harbor.corp/library/openjdk:8-jdk", "openjdk", "harbor.corp/library", False),
        ("hub.c.163.com/library/java:8-alpine", "java", "hub.c.163.com/library", False),
        ("localhost:5000/eclipse-temurin:17-jre", "eclipse-temurin", "localhost:5000", False),
        (
            "gitlab.corp/team/dependency_proxy/containers/openjdk:17",
            "openjdk",
            "gitlab.corp/team/dependency_proxy/containers",
            True,
        ),
        (
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/openjdk:17",
            "openjdk",
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library",
            True,
        ),
        (
            "harbor.corp/dockerhub-proxy/library/openjdk:17",
            "openjdk",
            "harbor.corp/dockerhub-proxy/library",
            True,
        ),
        ("jfrog.corp/docker-remote/openjdk:17", "openjdk", "jfrog.corp/docker-remote", True),
        (
            "registry.cn-hangzhou.aliyuncs.com/dockerhub_mirror/java:8",
            "java",
            "registry.cn-hangzhou.aliyuncs.com/dockerhub_mirror",
            False,
        ),
        ("m.daocloud.io/docker.io/library/openjdk:17", "openjdk", "m.daocloud.io/docker.io/library", False),
        (
            "m.daocloud.io/gcr.io/distroless/java17-debian12",
            "gcr.io/distroless/java17-debian12",
            "m.daocloud.io",
            False,
        ),
        (
            "nexus:8082/bellsoft/liberica-openjre-alpine:17",
            "bellsoft/liberica-openjre-alpine",
            "nexus:8082",
            False,
        ),
        (
            "harbor.corp/base/liberica-openjre-alpine:17",
            "bellsoft/liberica-openjre-alpine",
            "harbor.corp/base",
            False,
        ),
        (
            "registry.redhat.io/ubi9/openjdk-17:1.20",
            "registry.access.redhat.com/ubi9/openjdk-17",
            "registry.redhat.io",
            False,
        ),
    ],
)
def test_mirrors(name: str, image: str, mirror: str, complete: bool) -> None:
    base = identify(name)
    assert (base.image, base.mirror, base.mirror_complete) == (image, mirror, complete)
    assert base.kind != "unknown"


def test_one_architecture_namespaces_are_the_official_images() -> None:
    base = identify("arm64v8/eclipse-temurin:17-jre")
    assert (base.image, base.platforms) == ("eclipse-temurin", (ARM64,))


def test_digests() -> None:
    by_tag = identify(f"eclipse-temurin:17-jre@{DIGEST}")
    assert (by_tag.kind, by_tag.java_major, by_tag.pinned, by_tag.reference.digest) == (
        "jre",
        17,
        True,
        DIGEST,
    )
    assert identify("eclipse-temurin:17-jre").pinned is False
    bare = identify(f"centos@{DIGEST}")
    assert (bare.kind, bare.reference.tag, bare.pinned) == ("os", None, True)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("eclipse-temurin:17.0.5_8-jdk-focal", "17.0.5_8"),
        ("eclipse-temurin:8u502-b07", "8u502-b07"),
        ("openjdk:8u212-jre", "8u212"),
        ("openjdk:17.0.2-jdk", "17.0.2"),
        ("bellsoft/liberica-openjdk-debian:17.0.11-cds", "17.0.11"),
        ("java:openjdk-8u111-alpine", "8u111"),
    ],
)
def test_pinned_releases(name: str, version: str) -> None:
    base = identify(name)
    assert (base.pinned, base.java_version) == (True, version)


def test_windows_is_told_by_the_tag_too() -> None:
    assert identify("openjdk:11-jdk-windowsservercore-1809").os == "windows"
    assert identify("eclipse-temurin:21-jre-nanoserver").platforms == ("windows/amd64",)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("openjdk:8-jdk-alpine", "May 2019"),
        ("openjdk:8u292", "August 2022"),
        ("openjdk:11-jre-slim", "August 2022 (11.0.16)"),
        ("openjdk:17", "April 2022 (17.0.2)"),
        ("openjdk:17-alpine", "17-ea+14"),
        ("openjdk:17-jdk-alpine", "2021-08-06"),
        ("openjdk:18", "late 2022"),
        ("openjdk:21", "early-access"),
        ("openjdk:14", "deprecated"),
        ("openjdk:11-jdk-alpine", "early-access"),
        ("openjdk:8u322-jdk-oracle", "no longer built"),
        ("java:8", "2017-05-17"),
        ("adoptopenjdk:11-jre-hotspot", "2021"),
        ("adoptopenjdk/openjdk8:alpine-slim", "2021"),
        ("anapsix/alpine-java:8", "Alpine 3.8"),
        ("frolvlad/alpine-oraclejdk8", "8u202"),
        ("livingobjects/jre8", "tutorial"),
        ("gcr.io/distroless/java11-debian11", "no longer updated"),
        ("gcr.io/distroless/java17-debian12", "January 2026"),
        ("eclipse-temurin:20-jre", "August 2026"),
        ("eclipse-temurin:17-jre-focal", "focal"),
        ("maven:3.8.6-openjdk-11-slim", "2022"),
        ("ghcr.io/graalvm/graalvm-ce:ol8-java17-22.3.3", "22.3"),
    ],
)
def test_retired(name: str, says: str) -> None:
    retired = identify(name).retired
    assert retired is not None and says in retired


@pytest.mark.parametrize(
    "name",
    [
        "eclipse-temurin:17-jre",
        "eclipse-temurin:17.0.5_8-jre-focal",
        "eclipse-temurin:27-jre",
        "amazoncorretto:17",
        "gcr.io/distroless/java21-debian13",
        "maven:3-eclipse-temurin-17",
        "azul/zulu-openjdk-alpine:8",
        "alpine:3.8",
    ],
)
def test_not_retired(name: str) -> None:
    assert identify(name).retired is None


def test_names_that_lie() -> None:
    assert identify("bellsoft/liberica-openjdk-alpine:17").libc == "glibc"
    assert identify("bellsoft/liberica-openjdk-alpine-musl:17").libc == "musl"
    assert identify("openjdk:17-alpine").note == "an early-access build (17-ea+14), never a release"
    for name in ("eclipse-temurin:latest", "openjdk", "amazoncorretto:latest", "cgr.dev/chainguard/jre"):
        assert identify(name).java_major is None
    wolfi = identify("cgr.dev/chainguard/jdk:latest-dev")
    assert "apk" in wolfi.has and wolfi.libc == "glibc" and wolfi.os != "alpine"


@pytest.mark.parametrize(
    ("name", "has", "lacks"),
    [
        (
            "eclipse-temurin:17-jre-alpine",
            "sh wget tzdata fontconfig fonts awt jfr adduser apk",
            "bash curl jcmd jar useradd libgcc",
        ),
        ("eclipse-temurin:17-jdk-alpine", "jcmd jar javac jstack", "bash curl"),
        (
            "eclipse-temurin:17-jre",
            "bash curl wget fontconfig tzdata apt useradd",
            "jcmd jar javac jmap jps jstat jstack",
        ),
        ("eclipse-temurin:17-jre-ubi9-minimal", "microdnf wget tzdata fontconfig", "jcmd"),
        ("openjdk:8-jdk-alpine", "sh wget jar", "bash curl tzdata fontconfig fonts useradd"),
        ("openjdk:11-jre-slim", "bash apt", "curl wget fontconfig javac"),
        ("openjdk:8-jdk", "bash curl wget git unzip fontconfig apt jcmd", ""),
        ("openjdk:8-jre", "curl wget fontconfig", "javac"),
        ("openjdk:17", "microdnf", "apt"),
        ("eclipse-temurin:21-jdk-alpine", "jmods binutils libgcc", "bash"),
        ("eclipse-temurin:8-jdk-alpine", "jcmd", "libgcc"),
        ("eclipse-temurin:11-jdk-alpine", "jcmd jmods", "libgcc"),
        ("eclipse-temurin:17.0.8_7-jdk-alpine", "jcmd", "libgcc"),
        ("eclipse-temurin:25-jdk", "binutils", "jmods"),
        ("bellsoft/liberica-openjdk-alpine-musl:17", "javac", "jmods binutils"),
        ("amazoncorretto:25-al2023", "jmods javac", ""),
        ("amazoncorretto:8-alpine-jre", "sh apk", "bash curl libgcc"),
        ("amazoncorretto:17-al2023-headless", "bash dnf", "awt fonts"),
        ("amazoncorretto:17-al2023-headful", "awt", "javac"),
        ("bellsoft/liberica-openjre-alpine-musl:17", "apk", "bash tzdata fontconfig fonts"),
        ("azul/zulu-openjdk-alpine:17-jre-headless", "tzdata", "awt bash"),
        ("anapsix/alpine-java:8_server-jre", "bash", "curl"),
        ("gcr.io/distroless/java17-debian13", "fontconfig fonts awt", "sh bash busybox curl wget"),
        ("gcr.io/distroless/java17-debian13:debug", "sh busybox jcmd", "bash"),
        ("registry.access.redhat.com/ubi9/openjdk-17-runtime", "run-java.sh microdnf", "awt"),
        ("mcr.microsoft.com/openjdk/jdk:17-ubuntu", "apt jcmd", "curl wget"),
        ("maven:3-eclipse-temurin-17-alpine", "bash curl javac", "useradd"),
        ("alpine:3.20", "sh wget apk", "bash curl tzdata"),
    ],
)
def test_what_is_inside(name: str, has: str, lacks: str) -> None:
    base = identify(name)
    assert set(has.split()) <= base.has
    assert set(lacks.split()) <= base.lacks


def test_what_is_inside_a_pinned_temurin_depends_on_its_time() -> None:
    """fontconfig came by mid-2023, the entrypoint by mid-2024, GNU tools by mid-2025."""
    first, fonts, certificates, tools = (
        identify(f"eclipse-temurin:{version}-jre-alpine")
        for version in ("17.0.3_7", "17.0.7_7", "17.0.11_9", "17.0.15_6")
    )
    assert "tzdata" in first.has and {"fontconfig", "fonts"} <= first.lacks
    between = identify("eclipse-temurin:17.0.5_8-jre-alpine")
    assert "fonts" not in between.has | between.lacks
    assert "fonts" in fonts.has and fonts.entrypoint is None
    assert certificates.entrypoint == ("/__cacert_entrypoint.sh",) and "openssl" not in certificates.has
    assert "openssl" in tools.has
    # Java 8 and 11 count differently, the quarters are the same.
    assert "fonts" in identify("eclipse-temurin:8u372-b07-jre-alpine").has
    assert "fonts" not in identify("eclipse-temurin:8u362-b09-jre-alpine").has
    assert "fonts" in identify("eclipse-temurin:11.0.19_7-jre-alpine").has
    assert "fonts" in identify("eclipse-temurin:21_35-jre-alpine").has


def test_start_and_environment() -> None:
    temurin = identify("eclipse-temurin:21-jre-alpine")
    assert temurin.entrypoint == ("/__cacert_entrypoint.sh",)
    assert temurin.cmd == ()
    assert temurin.java_home == temurin.env["JAVA_HOME"] == "/opt/java/openjdk"
    assert temurin.env["LC_ALL"] == "en_US.UTF-8"
    assert identify("eclipse-temurin:21").cmd == ("jshell",)
    distroless = identify("gcr.io/distroless/java21-debian13:nonroot")
    assert (distroless.entrypoint, distroless.user, distroless.java_home) == (
        ("/usr/bin/java", "-jar"),
        "nonroot",
        None,
    )
    ubi = identify("registry.access.redhat.com/ubi9/openjdk-17:1.20")
    assert (ubi.user, ubi.entrypoint, ubi.java_home) == ("185", (), "/usr/lib/jvm/java-17")
    assert identify("openjdk:8-jre-alpine").java_home == "/usr/lib/jvm/java-1.8-openjdk/jre"
    assert identify("openjdk:11-jre-slim").java_home == "/usr/local/openjdk-11"
    assert identify("openjdk:11.0.2-jre-slim").java_home is None
    assert identify("openjdk:8u292").java_home == "/usr/local/openjdk-8"
    assert identify("openjdk:8u212-jre").java_home is None
    assert identify("openjdk:17-jdk-slim").java_home == "/usr/local/openjdk-17"
    assert identify("openjdk:17-jdk-slim").cmd == ("jshell",)
    assert identify("openjdk:8-jre").entrypoint == ()
    assert identify("openjdk:17").java_home == "/usr/java/openjdk-17"
    assert identify("amazoncorretto:8-alpine-jre").java_home == "/usr/lib/jvm/default-jvm/jre"
    assert identify("amazoncorretto:17").java_home == "/usr/lib/jvm/java-17-amazon-corretto"
    assert identify("amazoncorretto:17").entrypoint == ()
    assert identify("cgr.dev/chainguard/jre").user == "65532"
    assert (
        identify("ghcr.io/graalvm/jdk-community:21").java_home
        == "/usr/lib64/graalvm/graalvm-community-java21"
    )


def test_platforms() -> None:
    assert identify("eclipse-temurin:17-jre-alpine").platforms == (AMD64,)
    assert identify("eclipse-temurin:21-jre-alpine").platforms == (AMD64, ARM64)
    assert ARM64 in identify("eclipse-temurin:17-jre").platforms
    assert "linux/s390x" not in identify("eclipse-temurin:8-jre").platforms
    assert identify("sapmachine:21-jre-alpine").platforms == (AMD64,)
    assert identify("openjdk:8-jre-alpine").platforms == (AMD64, ARM64)


def test_what_ties_an_application_to_its_jdk() -> None:
    for name in (
        "ibm-semeru-runtimes:open-17-jre",
        "ibmjava:8-jre",
        "alibabadragonwell/dragonwell:8.20.21-extended-ga-anolis",
        "ghcr.io/graalvm/jdk-community:21",
        "registry.access.redhat.com/ubi9/openjdk-17",
        "container-registry.oracle.com/java/jdk:17-ol8",
        "adoptopenjdk:8-jre-openj9",
    ):
        assert identify(name).vendor_features, name
    assert identify("adoptopenjdk:8-jre-openj9").vm == "openj9"
    for name in (
        "openjdk:17",
        "eclipse-temurin:17",
        "alibabadragonwell/dragonwell:17.0.13-standard-ga-ubuntu",
    ):
        assert identify(name).vendor_features is None, name


@settings(deadline=None)
@given(st.text(max_size=80))
def test_no_name_is_an_error(name: str) -> None:
    assert identify(name).name == name


families = st.sampled_from([name.partition(":")[0] for name, _ in rows(JDKS + OTHERS.lstrip("\n"))])
words = st.sampled_from(
    [
        "8",
        "11",
        "17",
        "21",
        "25",
        "8u292",
        "17.0.5_8",
        "17.0.2",
        "b07",
        "jdk",
        "jre",
        "alpine",
        "alpine3.18",
        "slim",
        "jammy",
        "focal",
        "bullseye",
        "ea",
        "3.9",
        "latest",
        "headless",
        "al2023",
        "al2",
        "headful",
        "eclipse",
        "temurin",
        "openjdk",
        "corretto",
        "open",
        "ubi9",
        "minimal",
        "debug",
        "nonroot",
        "jdk17",
        "1.21",
        "cds",
        "musl",
    ]
)


@settings(deadline=None)
@given(families, st.lists(words, max_size=6))
def test_any_mixture_of_tag_words_is_read_or_refused(image: str, tag: list[str]) -> None:
    base = identify(f"{image}:{'-'.join(tag)}" if tag else image)
    assert not base.has & base.lacks
    if base.kind == "jre":
        assert not {"javac", "jcmd"} & base.has
    if base.java_version is not None:
        assert base.pinned


def test_only_the_families_met_are_loaded() -> None:
    code = (
        "import sys, imgopt.bases as b; b.identify('eclipse-temurin:17'); b.size_of(b.identify('alpine'), 'linux/amd64');"
        "print(*sorted({'imgopt.bases.families.vendors', 'imgopt.bases.families.abandoned', 'imgopt.bases.make_catalogue',"
        "'docker', 'rich', 'urllib.request'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert shown.stdout.strip() == ""
