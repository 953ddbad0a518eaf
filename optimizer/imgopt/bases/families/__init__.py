"""Which reader knows which repository. Repositories are written as on Docker Hub, others with their registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module

from imgopt.bases.families.common import Reader

# repository -> "module:reader"; a module is imported only when one of its images turns up.
_EXACT: Mapping[str, str] = {
    "eclipse-temurin": "temurin:temurin",
    "openjdk": "openjdk:openjdk",
    "java": "openjdk:library_java",
    "amazoncorretto": "vendors:corretto",
    "azul/zulu-openjdk": "vendors:zulu",
    "azul/zulu-openjdk-alpine": "vendors:zulu",
    "azul/zulu-openjdk-debian": "vendors:zulu",
    "azul/zulu-openjdk-centos": "vendors:zulu",
    "azul/zulu-openjdk-distroless": "vendors:zulu",
    "bellsoft/liberica-runtime-container": "vendors:liberica_runtime_container",
    "ibm-semeru-runtimes": "vendors:semeru",
    "ibmjava": "vendors:ibmjava",
    "sapmachine": "vendors:sapmachine",
    "mcr.microsoft.com/openjdk/jdk": "vendors:microsoft",
    "alibabadragonwell/dragonwell": "vendors:dragonwell",
    "adoptopenjdk": "abandoned:adoptopenjdk",
    "frolvlad/alpine-java": "abandoned:frolvlad",
    "frolvlad/alpine-oraclejdk8": "abandoned:frolvlad",
    "anapsix/alpine-java": "abandoned:anapsix",
    "livingobjects/jre8": "abandoned:livingobjects",
    "ubuntu/jre": "runtimes:chiselled_jre",
    "maven": "others:maven",
    "gradle": "others:gradle",
    "tomcat": "others:tomcat",
    "jetty": "others:jetty",
    "jboss/wildfly": "others:server",
    "quay.io/wildfly/wildfly": "others:server",
    "open-liberty": "others:server",
    "websphere-liberty": "others:server",
    "tomee": "others:server",
    "payara/micro": "others:server",
    "payara/server-full": "others:server",
    "alpine": "others:alpine",
    "debian": "others:debian",
    "ubuntu": "others:ubuntu",
    "busybox": "others:busybox",
    "scratch": "others:scratch",
    "buildpack-deps": "others:buildpack_deps",
    "apache/skywalking-java-agent": "others:agent",
}
_RPM = (
    "centos rockylinux almalinux oraclelinux amazonlinux fedora redhat/ubi8 redhat/ubi9 redhat/ubi10 "
    "redhat/ubi8-minimal redhat/ubi9-minimal redhat/ubi10-minimal redhat/ubi8-micro redhat/ubi9-micro "
    "redhat/ubi10-micro rockylinux/rockylinux rockylinux/rockylinux-minimal quay.io/centos/centos "
    "registry.fedoraproject.org/fedora registry.fedoraproject.org/fedora-minimal openanolis/anolisos "
    "openeuler/openeuler container-registry.oracle.com/os/oraclelinux"
)
_NEIGHBOURS = "nginx httpd node python golang rust php ruby redis mysql mariadb postgres mongo rabbitmq haproxy caddy docker memcached"

# (prefix, pattern of the rest, reader): a repository is compared with one pattern at most, so few are compiled.
_PREFIXES: tuple[tuple[str, str, str], ...] = (
    ("bellsoft/liberica-open", r"(?:jdk|jre)-[a-z-]+", "vendors:liberica"),
    ("adoptopenjdk/openjdk", r"\d+(?:-openj9)?", "abandoned:adoptopenjdk"),
    ("fabric8/java-", r".+", "abandoned:fabric8"),
    ("ghcr.io/graalvm/", r".+", "vendors:graalvm"),
    ("container-registry.oracle.com/graalvm/", r".+", "vendors:graalvm"),
    ("container-registry.oracle.com/java/", r".+", "vendors:oracle_jdk"),
    ("registry.access.redhat.com/ubi", r"\d+/openjdk-\d+(?:-runtime)?", "runtimes:ubi_openjdk"),
    ("registry.access.redhat.com/ubi", r"(?:\d+/ubi)?\d*(?:-minimal|-micro|-init)?", "others:rpm"),
    ("gcr.io/distroless/", r".+", "runtimes:distroless"),
    (
        "cgr.dev/",
        r"[^/]+/(?:jdk|jre|jdk-lts|jre-lts|wolfi-base|static|glibc-dynamic|busybox)",
        "runtimes:chainguard",
    ),
    ("quay.io/quarkus/", r".+", "others:quarkus"),
    ("icr.io/appcafe/", r"(?:open|websphere)-liberty", "others:server"),
    ("mcr.microsoft.com/", r"windows(?:/.+)?|powershell|dotnet/framework/.+", "others:windows"),
)


def reader_of(repository: str) -> Reader | None:
    """Reader for a public repository, or None. Modules load on demand: a Dockerfile names two or three families."""
    where = _EXACT.get(repository)
    if where is None and repository in _RPM.split():
        where = "others:rpm"
    if where is None and repository in _NEIGHBOURS.split():
        where = "others:neighbour"
    if where is None:
        where = next(
            (
                reader
                for prefix, rest, reader in _PREFIXES
                if repository.startswith(prefix) and re.fullmatch(rest, repository[len(prefix) :])
            ),
            None,
        )
    if where is None:
        return None
    module, _, name = where.partition(":")
    reader: Reader = getattr(import_module(f"{__name__}.{module}"), name)
    return reader
