"""What a patch of Spring Boot sends of ten applications' libraries.

    PYTHONPATH=optimizer:rules:tests python tests/benchmarks/boot_patches.py DIRECTORY [NAME…]


Maven resolves each application (real dependencies, no code of its own) with the last three patches of its line, below DIRECTORY.
For each of the two steps: the libraries' bytes in one layer, as the rewrite splits them, and the bound: those files alone that are
new. Compressed as `imgopt.compressing` compresses jars; a layer is sent when its names or contents differ.
"""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from boot_jar import boot_jar

from imgopt.compressing import compressed, read_chunks
from imgopt.java.archive import Entry
from imgopt.java.boot_managed import Patch, table
from imgopt.java.jar import read_jar
from imgopt.java.model import Jar
from imgopt.java.spring_boot import layered
from imgopt.plans.layers import apart

BOOT = "org.springframework.boot:spring-boot-starter-"


@dataclass(frozen=True)
class Application:
    """``needs``: coordinates; ``group:artifact`` where Spring Boot knows the version, and starters by their last word."""

    name: str
    line: str
    needs: Sequence[str]


APPLICATIONS = (
    Application("hello", "4.1", ["webmvc", "actuator"]),
    Application("reactive", "3.5", ["webflux", "actuator", "org.springframework.data:spring-data-mongodb", "org.mongodb:mongodb-driver-reactivestreams", "org.springframework:spring-r2dbc", "org.postgresql:r2dbc-postgresql", "io.micrometer:micrometer-registry-prometheus"]),
    Application("orders", "3.4", ["web", "actuator", "data-jpa", "security", "validation", "org.postgresql:postgresql", "org.flywaydb:flyway-core", "org.flywaydb:flyway-database-postgresql", "org.springdoc:springdoc-openapi-starter-webmvc-ui:2.8.4"]),
    Application("admin", "2.7", ["web", "aop", "validation", "data-redis", "quartz", "com.baomidou:mybatis-plus-boot-starter:3.5.3.1", "com.alibaba:druid-spring-boot-starter:1.2.16", "com.alibaba.fastjson2:fastjson2:2.0.32", "cn.hutool:hutool-all:5.8.20", "com.github.xiaoymin:knife4j-openapi3-spring-boot-starter:4.1.0", "mysql:mysql-connector-java:8.0.33", "com.alibaba:easyexcel:3.3.2"]),
    Application("gateway", "3.2", ["actuator", "org.springframework.cloud:spring-cloud-starter-gateway:4.1.5", "org.springframework.cloud:spring-cloud-starter-loadbalancer:4.1.4", "org.springframework.cloud:spring-cloud-starter-circuitbreaker-reactor-resilience4j:3.1.2", "data-redis-reactive", "oauth2-resource-server"]),
    Application("reports", "3.1", ["web", "org.quartz-scheduler:quartz", "org.springframework:spring-context-support", "data-jpa", "com.oracle.database.jdbc:ojdbc11", "org.apache.poi:poi-ooxml:5.2.5", "mail", "org.apache.pdfbox:pdfbox:3.0.1"]),
    Application("events", "3.3", ["web", "actuator", "data-mongodb", "org.springframework.kafka:spring-kafka", "software.amazon.awssdk:s3:2.29.0", "io.micrometer:micrometer-tracing-bridge-otel", "io.opentelemetry:opentelemetry-exporter-otlp"]),
    Application("workflow", "3.5", ["web", "actuator", "thymeleaf", "data-jpa", "org.flowable:flowable-spring-boot-starter:7.1.0", "com.h2database:h2", "org.postgresql:postgresql"]),
    Application("search", "4.0", ["webmvc", "actuator", "co.elastic.clients:elasticsearch-java", "org.springframework.amqp:spring-rabbit", "data-jpa", "org.springframework:spring-context-support", "com.github.ben-manes.caffeine:caffeine", "org.apache.poi:poi-ooxml:5.4.1", "org.postgresql:postgresql"]),
    Application("platform", "3.5", ["web", "actuator", "data-jpa", "data-redis", "org.springframework.data:spring-data-mongodb", "org.mongodb:mongodb-driver-sync", "co.elastic.clients:elasticsearch-java", "security", "org.springframework.security:spring-security-oauth2-client", "org.springframework:spring-websocket", "org.quartz-scheduler:quartz", "com.rabbitmq:amqp-client", "org.springframework.kafka:spring-kafka", "org.redisson:redisson-spring-boot-starter:3.50.0", "org.apache.rocketmq:rocketmq-spring-boot-starter:2.3.3", "com.xuxueli:xxl-job-core:3.1.1", "org.apache.poi:poi-ooxml:5.4.1", "com.alibaba:druid-spring-boot-3-starter:1.2.27", "com.baomidou:mybatis-plus-spring-boot3-starter:3.5.12", "com.mysql:mysql-connector-j", "org.xerial:sqlite-jdbc", "com.aliyun.oss:aliyun-sdk-oss:3.18.2", "io.minio:minio:8.5.17", "cn.hutool:hutool-all:5.8.39", "org.apache.tika:tika-parsers-standard-package:3.2.1", "io.grpc:grpc-netty-shaded:1.75.0", "io.grpc:grpc-services:1.75.0"]),
)  # fmt: skip
_MODULE = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId><version>{0}</version></parent>
  <groupId>patches</groupId><artifactId>{1}-{0}</artifactId><version>1</version><dependencies>{2}</dependencies></project>
"""
_ALL = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>patches</groupId><artifactId>all</artifactId><version>1</version><packaging>pom</packaging><modules>{}</modules></project>
"""


def patches(line: str) -> list[str]:
    """The last three, oldest first."""
    newest = next(each for each in table().newest if each.rpartition(".")[0] == line)
    last = int(newest.rpartition(".")[2])
    return [f"{line}.{last - back}" for back in (2, 1, 0)]


def resolve(application: Application, directory: Path, repository: Path) -> list[Path]:
    """A directory of libraries for each patch."""
    found = [directory / patch / "lib" for patch in patches(application.line)]
    if all(each.is_dir() for each in found):
        return found

    def dependency(text: str) -> str:
        group, artifact, *version = (f"{BOOT}{text}" if ":" not in text else text).split(":")
        told = f"<version>{version[0]}</version>" if version else ""
        return f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>{told}</dependency>"

    directory.mkdir(parents=True, exist_ok=True)
    modules = patches(application.line)
    (directory / "pom.xml").write_text(_ALL.format("".join(f"<module>{each}</module>" for each in modules)))
    needs = "".join(map(dependency, application.needs))
    for patch in modules:
        (directory / patch).mkdir(exist_ok=True)
        (directory / patch / "pom.xml").write_text(_MODULE.format(patch, application.name, needs))
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    words = [
        "mvn",
        "-q",
        "-B",
        f"-Dmaven.repo.local={repository}",
        goal,
        "-DincludeScope=runtime",
        "-DoutputDirectory=lib",
    ]
    subprocess.run(words, cwd=directory, check=True, stdout=sys.stderr)
    return found


@dataclass(frozen=True)
class File:
    name: str
    digest: str
    bytes: int  # compressed


def files(directory: Path, known: dict[str, int]) -> dict[str, File]:
    found = {}
    for path in sorted(directory.glob("*.jar")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in known:
            known[digest] = compressed(read_chunks(path), "jar")
        found[path.name] = File(path.name, digest, known[digest])
    return found


Split = Callable[[str], object]


def sent(before: Mapping[str, File], after: Mapping[str, File], layer_of: Split) -> int:
    """Bytes of the layers that differ."""
    total = 0
    for layer in {layer_of(name) for name in after}:
        one, other = (
            {(each.name, each.digest) for each in side.values() if layer_of(each.name) == layer}
            for side in (before, after)
        )
        if one != other:
            total += sum(each.bytes for each in after.values() if layer_of(each.name) == layer)
    return total


def split_of(patch: str, directory: Path) -> Split:
    """The tree in which the rewrite puts each library, by what it says of the jar of the first patch."""
    found = apart.apart(*jar_of(patch, directory), [], [])
    if found is None:
        return lambda name: "dependencies"
    print(
        f"    apart: {' '.join(found.names)} ({found.bytes / 1e6:.1f} MB){', often' if found.often else ''}"
    )

    def tree(name: str) -> str:
        if name.startswith(tuple(f"{each}-" for each in found.names)):
            return apart.UNMANAGED_TREE
        often = found.often and name.startswith(tuple(f"{each}-" for each in apart.OFTEN))
        return apart.OFTEN_TREE if often else "dependencies"

    return tree


def jar_of(patch: str, directory: Path) -> tuple[Jar, list[tuple[str, tuple[Entry, ...]]]]:
    """An archive that holds these libraries, as the rewrite reads it, and its layers."""
    with tempfile.TemporaryDirectory() as made:
        jar = Path(made, "app.jar")
        boot_jar(
            jar,
            version=patch,
            libraries={path.name: path.read_bytes() for path in sorted(directory.glob("*.jar"))},
        )
        found = read_jar(jar)
    return found, list(layered(found))


def main() -> None:
    root, names = Path(sys.argv[1]).resolve(), sys.argv[2:]
    known: dict[str, int] = {}
    ratios: dict[str, list[float]] = {"one layer": [], "split": [], "predicted": []}
    for application in APPLICATIONS:
        if names and application.name not in names:
            continue
        print(f"{application.name}, Spring Boot {application.line}")
        directories = resolve(application, root / application.name, root / "repository")
        held = [files(directory, known) for directory in directories]
        steps = patches(application.line)
        tree = split_of(steps[0], directories[0])
        for at in range(2):
            before, after = held[at], held[at + 1]
            old = {each.digest for each in before.values()}
            bound = sum(each.bytes for each in after.values() if each.digest not in old)
            patch = Patch(steps[at])
            trees: dict[object, list[File]] = {}
            for each in after.values():
                trees.setdefault(tree(each.name), []).append(each)
            predicted = [
                found for found in trees.values() if patch.moves((each.name, None) for each in found)
            ]
            told = {
                "one layer": sent(before, after, lambda name: None),
                "split": sent(before, after, tree),
                "predicted": sum(each.bytes for found in predicted for each in found),
            }
            said = ", ".join(f"{name} {size / 1e6:.1f} ({size / bound:.2f})" for name, size in told.items())
            print(
                f"    {steps[at]} to {steps[at + 1]}: {len(after)} libraries, bound {bound / 1e6:.1f} MB, {said}"
            )
            for name, size in told.items():
                ratios[name].append(size / bound)
    for name, found in ratios.items():
        print(f"{name}: {statistics.median(found):.2f} times the bound in the median of {len(found)} steps")


if __name__ == "__main__":
    main()
