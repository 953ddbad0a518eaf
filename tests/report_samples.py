"""Reports made by hand, as the engine gives them: the textbook case, one with gaps, a good file, a fleet."""

from __future__ import annotations

from dataclasses import replace

from imgopt.dockerfile import Edit, Span
from imgopt.errors import DockerfileError
from imgopt.finding import Declined, Finding, Fix, because
from imgopt.scales import Applicability, Severity
from imgopt.suggest.result import FileReport, JavaInfo, Report, RewriteResult, StageInfo
from imgopt.weigh.weights import ImageWeight, LayerWeight, Prediction, PushClient, PushTime, Saving

FAT = """\
FROM eclipse-temurin:21-jdk
COPY target/order-service-1.4.0.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
"""
LAYERED = """\
FROM eclipse-temurin:21-jre-alpine AS layers
COPY target/order-service-1.4.0.jar /app.jar
RUN java -Djarmode=tools -jar /app.jar extract --layers --launcher --destination /layers

FROM eclipse-temurin:21-jre-alpine
COPY --from=layers /layers/dependencies/ /
COPY --from=layers /layers/application/ /
ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]
"""
EDIT = (Edit(Span(5, 27), "eclipse-temurin:21-jre-alpine"),)

JDK = LayerWeight(
    "FROM eclipse-temurin:21-jdk", 0, 188_400_000, 412_000_000, False, "catalogue", True, "repo-info"
)
JRE = LayerWeight("FROM eclipse-temurin:21-jre-alpine", 0, 71_800_000, 176_000_000, False, "catalogue", True)
JAR = LayerWeight("COPY target/order-service-1.4.0.jar /app.jar", 2, 65_573_558, 72_161_280, True, "measured")
DEPENDENCIES = LayerWeight(
    "COPY --from=layers /layers/dependencies/ /",
    6,
    65_399_516,
    72_000_000,
    False,
    "predicted",
    changes_each_bump=True,
)
CLASSES = LayerWeight("COPY --from=layers /layers/application/ /", 7, 5_803, 117_000, True, "predicted")
UNKNOWN_BASE = LayerWeight("FROM registry.example/java:8", 0, None, None, False, "unknown", True)
UNKNOWN_RUN = LayerWeight("RUN apt-get update && apt-get install -y fonts", 3, None, None, False, "unknown")

DOCKER_PUSH = (
    "it knows no compressed digests; pull the last release first, or push with a tool that asks by digest"
)

RISK = "the registry must have that tag; start.sh calls jstack, which a JRE has not"
BUILDAH_PUSH = "push to an oci: directory and skopeo copy that"


def prediction(before: ImageWeight, after: ImageWeight, *rates: int) -> Prediction:
    """Seconds as bytes over bandwidth; None where nothing is known."""

    def seconds(count: int | None, rate: int) -> float | None:
        return None if count is None else count / rate

    push = tuple(
        PushTime(
            rate,
            (seconds(before.first_push.value, rate), seconds(after.first_push.value, rate)),
            (seconds(before.next_push.value, rate), seconds(after.next_push.value, rate)),
            (seconds(before.bump_push.value, rate), seconds(after.bump_push.value, rate)),
        )
        for rate in rates or (500_000, 1_000_000)
    )
    whole = [
        ImageWeight(tuple(layer for layer in image.layers if not layer.from_base))
        for image in (before, after)
    ]
    clients = (
        PushClient("docker push, fresh agent", whole[0].compressed, whole[1].compressed, DOCKER_PUSH),
        PushClient("buildah push, fresh agent", whole[0].compressed, whole[1].compressed, BUILDAH_PUSH),
    )
    return Prediction(before, after, push, clients)


def textbook() -> FileReport:
    jdk = Finding(
        "jdk-runtime",
        Severity.HIGH,
        1,
        1,
        "eclipse-temurin:21-jdk is a full JDK; eclipse-temurin:21-jre-alpine is enough to run",
        Fix("run on eclipse-temurin:21-jre-alpine", Applicability.SAFE, EDIT),
    )
    fat = Finding(
        "fat-jar-layer",
        Severity.HIGH,
        2,
        3,
        "one layer holds 137 libraries that rarely change and 64 classes that change with each release",
        Fix("extract the jar into layers", Applicability.SAFE, EDIT),
    )
    shell = Finding(
        "jar-stored-twice",
        Severity.LOW,
        2,
        2,
        "the jar is written again by RUN touch",
        solved_by="fat-jar-layer",
    )
    return FileReport(
        path="services/order/Dockerfile",
        context="services/order",
        context_note=None,
        platform="linux/amd64",
        stages=(StageInfo(None, "eclipse-temurin:21-jdk", True),),
        java=JavaInfo(
            21,
            "target/order-service-1.4.0.jar",
            "spring-boot",
            "3.5.4",
            "com.example.order.OrderApplication",
            "jar",
        ),
        findings=(
            (jdk, Saving(116_600_000, 0, "catalogue")),
            (fat, Saving(168_239, 65_567_755, "predicted")),
            (shell, None),
        ),
        rewrite=RewriteResult(True, "safe", LAYERED, (), ("jdk-runtime", "fat-jar-layer")),
        prediction=prediction(
            ImageWeight((JDK, JAR), spring_boot="3.5.4"),
            ImageWeight((JRE, DEPENDENCIES, CLASSES), spring_boot="3.5.4"),
        ),
        original=FAT,
    )


def gaps() -> FileReport:
    """A private base, a RUN of unknown size, one unsafe fix, one declined, facts from a build file."""
    text = "FROM registry.example/java:8\nCOPY target/*.jar /app.jar\nRUN apt-get update && apt-get install -y fonts\n"
    jdk = Finding(
        "jdk-runtime",
        Severity.MEDIUM,
        1,
        1,
        "registry.example/java:8 looks like a full JDK",
        Fix(
            "run on registry.example/java:8-jre",
            Applicability.UNSAFE,
            EDIT,
            because("not-known", RISK),
        ),
    )
    advice = Finding(
        "fat-jar-layer",
        Severity.HIGH,
        2,
        2,
        "the jar is one layer",
        Fix("build the jar first, so that its layers can be read", Applicability.MANUAL),
    )
    before = ImageWeight((UNKNOWN_BASE, JAR, UNKNOWN_RUN))
    return FileReport(
        path="legacy/支付/Dockerfile.[prod]",
        context="legacy",
        context_note="the nearest directory that has target/*.jar",
        platform="linux/amd64",
        stages=(StageInfo(None, "registry.example/java:8", True),),
        java=JavaInfo(8, "target/pay-1.0.jar", "spring-boot", "2.7.18", None, "pom.xml"),
        findings=((jdk, Saving(None, None, "unknown")), (advice, None)),
        rewrite=RewriteResult(
            False,
            "safe",
            text,
            (
                Declined(
                    "glibc-runtime", 1, because("certain", "libtcnative.so in netty-tcnative.jar needs glibc")
                ),
            ),
        ),
        prediction=prediction(before, before),
        original=text,
        warnings=("the glob target/*.jar matches nothing yet",),
    )


def good() -> FileReport:
    image = ImageWeight((JRE, DEPENDENCIES, CLASSES))
    return replace(
        textbook(),
        path="Dockerfile",
        context=".",
        findings=(),
        rewrite=RewriteResult(False, "safe", LAYERED, ()),
        prediction=prediction(image, image),
        original=LAYERED,
        good="this file is good: layered, on a JRE, nothing stored twice",
    )


def skipped() -> FileReport:
    return replace(good(), prediction=None, java=None, skipped="built by another team", good=None)


def fleet(modules: int = 13) -> tuple[FileReport, ...]:
    """Modules of 200 MB each: 134.4 MB of base and a jar of 65.6 MB."""
    base = replace(JDK, compressed_bytes=200_000_000 - 65_573_558)
    image = prediction(ImageWeight((base, JAR)), ImageWeight((JRE, DEPENDENCIES, CLASSES)))
    return tuple(
        replace(textbook(), path=f"modules/module-{number:02}/Dockerfile", prediction=image)
        for number in range(1, modules + 1)
    )


def report(*files: FileReport, errors: bool = False) -> Report:
    problem = DockerfileError(
        "unterminated heredoc <<EOF", "close it with a line EOF", path="x/Dockerfile", line=3
    )
    return Report(files, (problem,) if errors else (), "default, profile aliyun-personal", "2026-09-14")
