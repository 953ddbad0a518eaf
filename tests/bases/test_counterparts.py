from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_identify import JDKS, OTHERS, rows

from imgopt.bases import AMD64, ARM64, Base, counterparts, identify, mirror_has, on_mirror
from imgopt.bases.counterparts import Wanted

BOTH = (AMD64, ARM64)


def names(
    name: str, kind: Wanted = "jre", libc: str = "musl", platforms: tuple[str, ...] = (AMD64,)
) -> list[str]:
    assert libc in ("musl", "glibc")
    found = counterparts(
        identify(name), kind=kind, libc="musl" if libc == "musl" else "glibc", platforms=platforms
    )
    return [base.name for base in found]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("openjdk:8-jdk-alpine", "eclipse-temurin:8-jre-alpine"),
        ("openjdk:17-jdk-slim", "eclipse-temurin:17-jre-alpine"),
        ("openjdk:17-alpine", "eclipse-temurin:17-jre-alpine"),
        ("openjdk:21", "eclipse-temurin:21-jre-alpine"),
        ("openjdk:8u292", "eclipse-temurin:8-jre-alpine"),
        ("openjdk:17.0.2-jdk", "eclipse-temurin:17.0.2_8-jre-alpine"),
        ("openjdk:8u322-jdk", "eclipse-temurin:8u322-b06-jre-alpine"),
        ("openjdk:8u312-jdk", "eclipse-temurin:8-jre-alpine"),
        ("java:8", "eclipse-temurin:8-jre-alpine"),
        ("eclipse-temurin:17", "eclipse-temurin:17-jre-alpine"),
        ("eclipse-temurin:21.0.8_9-jdk-jammy", "eclipse-temurin:21.0.8_9-jre-alpine"),
        ("eclipse-temurin:21.0.7_6-jdk-alpine-3.21", "eclipse-temurin:21.0.7_6-jre-alpine-3.21"),
        ("eclipse-temurin:17_35-jdk", "eclipse-temurin:17-jre-alpine"),
        ("eclipse-temurin:20-jdk", "azul/zulu-openjdk-alpine:20-jre-latest"),
        ("amazoncorretto:8", "amazoncorretto:8-alpine-jre"),
        ("amazoncorretto:17", "eclipse-temurin:17-jre-alpine"),
        ("azul/zulu-openjdk-alpine:8", "azul/zulu-openjdk-alpine:8-jre"),
        ("bellsoft/liberica-openjdk-alpine:17", "bellsoft/liberica-openjre-alpine-musl:17"),
        (
            "bellsoft/liberica-runtime-container:jdk-25-cds-slim-musl",
            "bellsoft/liberica-runtime-container:jre-25-cds-slim-musl",
        ),
        ("sapmachine:21", "sapmachine:21-jre-alpine"),
        ("openjdk:15-alpine", "azul/zulu-openjdk-alpine:15-jre-latest"),
        ("maven:3.8.6-openjdk-11-slim", "eclipse-temurin:11-jre-alpine"),
        ("gradle:8-jdk21", "eclipse-temurin:21-jre-alpine"),
    ],
)
def test_musl_on_amd64(name: str, first: str) -> None:
    assert names(name)[0] == first


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "openjdk:8-jdk-alpine",
            [
                "amazoncorretto:8-alpine-jre",
                "bellsoft/liberica-openjre-alpine-musl:8",
            ],
        ),
        ("openjdk:11-jre-slim", ["bellsoft/liberica-openjre-alpine-musl:11"]),
        ("eclipse-temurin:17", ["bellsoft/liberica-openjre-alpine-musl:17"]),
        ("openjdk:18", []),
    ],
)
def test_musl_on_arm64_has_no_temurin_before_21(name: str, expected: list[str]) -> None:
    assert names(name, platforms=BOTH) == expected
    assert names(name, platforms=(ARM64,)) == expected
    assert names("openjdk:21", platforms=BOTH)[0] == "eclipse-temurin:21-jre-alpine"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("openjdk:17-jdk-slim", "eclipse-temurin:17-jre-jammy"),
        ("openjdk:8-jdk", "eclipse-temurin:8-jre-jammy"),
        ("openjdk:17", "eclipse-temurin:17-jre-ubi9-minimal"),
        ("openjdk:17.0.2-jdk-slim", "eclipse-temurin:17.0.2_8-jre-focal"),
        ("eclipse-temurin:17", "eclipse-temurin:17-jre"),
        ("eclipse-temurin:21-jdk-noble", "eclipse-temurin:21-jre-noble"),
        ("eclipse-temurin:17-jdk-focal", "eclipse-temurin:17-jre-jammy"),
        ("eclipse-temurin:17.0.5_8-jdk-focal", "eclipse-temurin:17.0.5_8-jre-focal"),
        ("eclipse-temurin:8u412-b08", "eclipse-temurin:8u412-b08-jre"),
        ("amazoncorretto:17", "amazoncorretto:17-al2023-headful"),
        ("amazoncorretto:8", "amazoncorretto:8-al2023-jre"),
        ("amazoncorretto:17.0.7-al2023", "amazoncorretto:17.0.7-al2023-headful"),
        ("azul/zulu-openjdk:17-latest", "azul/zulu-openjdk:17-jre-latest"),
        ("azul/zulu-openjdk-debian:17.0.6-17.40.19", "azul/zulu-openjdk-debian:17.0.6-17.40.19-jre"),
        ("bellsoft/liberica-openjdk-debian:17.0.11-cds", "bellsoft/liberica-openjre-debian:17.0.11-cds"),
        ("bellsoft/liberica-openjdk-alpine:17", "bellsoft/liberica-openjre-alpine:17"),
        ("frolvlad/alpine-oraclejdk8:slim", "bellsoft/liberica-openjre-alpine:8"),
        ("ibm-semeru-runtimes:open-17-jdk-jammy", "ibm-semeru-runtimes:open-17-jre-jammy"),
        ("ibmjava:8-sdk", "ibmjava:8-jre"),
        ("sapmachine:21", "sapmachine:21-jre"),
        ("tomcat:10-jdk17", "tomcat:10-jre17"),
        ("tomcat:9.0-jdk11-temurin-jammy", "tomcat:9.0-jre11-temurin-jammy"),
        ("tomcat:9.0.73-jdk17-temurin", "tomcat:9.0.73-jre17-temurin"),
        (
            "registry.access.redhat.com/ubi9/openjdk-21:1.21",
            "registry.access.redhat.com/ubi9/openjdk-21-runtime:1.21",
        ),
        (
            "registry.access.redhat.com/ubi9/openjdk-21:1.24-2.177",
            "registry.access.redhat.com/ubi9/openjdk-21-runtime:1.24",
        ),
        ("gcr.io/distroless/java17-debian11:nonroot", "gcr.io/distroless/java17-debian13:nonroot"),
        ("gcr.io/distroless/java11-debian11", "eclipse-temurin:11-jre-jammy"),
        ("alibabadragonwell/dragonwell:8-anolis", "eclipse-temurin:8-jre-ubi9-minimal"),
        ("mcr.microsoft.com/openjdk/jdk:17-ubuntu", "eclipse-temurin:17-jre-jammy"),
        ("maven:3.9-amazoncorretto-17", "amazoncorretto:17-al2023-headful"),
    ],
)
def test_glibc_keeps_the_package_manager(name: str, first: str) -> None:
    assert names(name, libc="glibc")[0] == first


@pytest.mark.parametrize(
    ("name", "libc", "first"),
    [
        ("openjdk:17-jdk-alpine", "musl", "eclipse-temurin:17-jdk-alpine"),
        ("openjdk:17", "glibc", "eclipse-temurin:17-jdk-ubi9-minimal"),
        ("openjdk:8-jdk", "glibc", "eclipse-temurin:8-jdk-jammy"),
        ("adoptopenjdk:11-jdk-hotspot", "glibc", "eclipse-temurin:11-jdk-jammy"),
    ],
)
def test_a_jdk_for_a_retired_jdk(name: str, libc: str, first: str) -> None:
    assert names(name, "jdk", libc)[0] == first


@pytest.mark.parametrize(
    "name",
    [
        "openjdk:14",
        "openjdk:9-jre",
        "openjdk:7-jdk",
        "adoptopenjdk:14-jre-hotspot",
        "openjdk",
        "eclipse-temurin:latest",
        "java",
        "tomcat:9-jdk11-corretto",
        "tomcat:9.0.50-jdk11",
        "tomcat:10",
        "jboss/wildfly",
        "ghcr.io/graalvm/jdk-community:21",
        "mcr.microsoft.com/windows/servercore:1809",
        "eclipse-temurin:17-jdk-nanoserver",
        "alpine:3.20",
        "harbor.corp/base/jdk17",
        "eclipse-temurin:${TAG}",
    ],
)
def test_nothing_is_known(name: str) -> None:
    for kind in ("jre", "jdk"):
        for libc in ("musl", "glibc"):
            assert names(name, "jre" if kind == "jre" else "jdk", libc) == []


def test_pinned_ones_come_first_and_are_marked() -> None:
    found = counterparts(
        identify("eclipse-temurin:17.0.5_8-jdk-focal"), kind="jre", libc="musl", platforms=[AMD64]
    )
    assert [(base.pinned, base.name) for base in found[:2]] == [
        (True, "eclipse-temurin:17.0.5_8-jre-alpine"),
        (False, "eclipse-temurin:17-jre-alpine"),
    ]
    # Where the pinned one does not exist, what comes is not pinned, so that a caller can say so.
    found = counterparts(
        identify("eclipse-temurin:17.0.5_8-jdk-focal"), kind="jre", libc="musl", platforms=BOTH
    )
    assert not any(base.pinned for base in found)


def test_an_unused_focal_is_not_offered_to_one_who_pinned_it() -> None:
    assert "eclipse-temurin:17-jre-focal" not in names("eclipse-temurin:17.0.5_8-jdk-focal", libc="glibc")


all_names = st.sampled_from([name for name, _ in rows(JDKS + OTHERS.lstrip("\n"))])
majors = st.sampled_from(
    [
        "7",
        "8",
        "9",
        "10",
        "11",
        "12",
        "14",
        "15",
        "16",
        "17",
        "18",
        "19",
        "20",
        "21",
        "22",
        "23",
        "24",
        "25",
        "26",
        "27",
    ]
)
made = st.builds(
    lambda image, major, rest: image.format(major) + rest,
    st.sampled_from(
        [
            "openjdk:{}",
            "openjdk:{}-jdk",
            "eclipse-temurin:{}",
            "eclipse-temurin:{}-jdk",
            "eclipse-temurin:{}-jre",
            "amazoncorretto:{}",
            "azul/zulu-openjdk-alpine:{}",
            "azul/zulu-openjdk:{}-latest",
            "bellsoft/liberica-openjdk-alpine:{}",
            "bellsoft/liberica-openjdk-debian:{}",
            "ibm-semeru-runtimes:open-{}-jdk",
            "sapmachine:{}-jdk",
            "registry.access.redhat.com/ubi9/openjdk-{}",
            "registry.access.redhat.com/ubi8/openjdk-{}",
            "gcr.io/distroless/java{}-debian12",
            "maven:3-eclipse-temurin-{}",
            "gradle:8-jdk{}",
        ]
    ),
    majors,
    st.sampled_from(["", "-alpine", "-slim", "-jammy", "-focal", "-al2023", "-ubi9-minimal", "-noble"]),
)


@settings(deadline=None)
@given(
    all_names | made,
    st.sampled_from(["jre", "jdk"]),
    st.sampled_from(["musl", "glibc"]),
    st.sets(st.sampled_from([AMD64, ARM64, "linux/s390x"]), max_size=3),
)
def test_every_counterpart_is_what_was_asked_for(
    name: str, kind: Wanted, libc: str, platforms: set[str]
) -> None:
    base = identify(name)
    found = counterparts(base, kind=kind, libc="musl" if libc == "musl" else "glibc", platforms=platforms)
    seen = set()
    for candidate in found:
        assert candidate.name not in seen and candidate.name != base.name
        seen.add(candidate.name)
        assert candidate.kind == kind and candidate.libc == libc
        assert candidate.java_major == base.java_major
        assert platforms <= set(candidate.platforms)
        assert candidate.mirror is None and "-ea" not in candidate.name
        assert candidate == identify(candidate.name)  # the tag obeys its family's grammar
        if candidate.pinned and candidate.java_version:
            assert base.java_version is not None
            assert candidate.java_version.startswith(base.java_version.partition("_")[0])
        if base.retired is None:
            assert candidate.retired is None
    maintained = [candidate for candidate in found if candidate.retired is None]
    assert found[: len(maintained)] == tuple(maintained)  # a frozen one of the same family comes last
    assert all(candidate.family == base.family for candidate in found[len(maintained) :])
    pinned = [candidate.pinned for candidate in maintained]
    assert pinned == sorted(pinned, reverse=True)


def test_mirrors_keep_their_prefix() -> None:
    def moved(base: str, counterpart: str) -> tuple[str, bool]:
        own, other = identify(base), identify(counterpart)
        there = on_mirror(other, own)
        assert there.kind == other.kind
        return there.name, mirror_has(own, other)

    jre, liberica = "eclipse-temurin:17-jre", "bellsoft/liberica-openjre-alpine-musl:17"
    assert moved("openjdk:17", jre) == (jre, True)
    assert moved("docker.io/library/openjdk:17", jre) == (jre, True)
    assert moved("public.ecr.aws/docker/library/openjdk:17", jre) == (
        f"public.ecr.aws/docker/library/{jre}",
        True,
    )
    assert moved("public.ecr.aws/docker/library/openjdk:17", liberica)[1] is False
    proxy = "gitlab.corp/team/dependency_proxy/containers"
    assert moved(f"{proxy}/openjdk:17", jre) == (f"{proxy}/{jre}", True)
    assert moved("harbor.corp/library/openjdk:17", jre) == (f"harbor.corp/library/{jre}", False)
    assert moved("harbor.corp/library/openjdk:17", liberica) == (f"harbor.corp/{liberica}", False)
    assert moved("harbor.corp/azul/zulu-openjdk:17", jre) == (f"harbor.corp/library/{jre}", False)
    assert moved("public.ecr.aws/amazoncorretto/amazoncorretto:17", "amazoncorretto:17-al2023-headful") == (
        "public.ecr.aws/amazoncorretto/amazoncorretto:17-al2023-headful",
        True,
    )
    assert moved("public.ecr.aws/amazoncorretto/amazoncorretto:17", jre)[1] is False


def test_a_counterpart_is_a_base_like_any_other() -> None:
    (best, *_) = counterparts(identify("openjdk:17-jdk-slim"), kind="jre", libc="musl", platforms=[AMD64])
    assert isinstance(best, Base)
    assert "bash" in best.lacks and best.java_home == "/opt/java/openjdk"
