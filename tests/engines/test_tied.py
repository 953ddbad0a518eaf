"""What is tied together moves together: each fault is real in the rewrite of before, which is written out here, and the
rewrite of now builds, starts and answers.

The JRE image is linked from the JDK of the stand-in, as Temurin's are: the stand-in `jre` is that JDK itself without
some programs, and takes its archives.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Imgopt
from command_line import imgopt as imgopt
from private_docker import Engine, EngineError
from stand_ins import stand_in
from start_forms import provide_bases
from test_rewrites_run import rewrite

JDK, JRE, MUSL = "eclipse-temurin:17-jdk", "eclipse-temurin:17-jre", "eclipse-temurin:17-jre-alpine"
LINKED = f"""\
FROM {JDK} AS link
RUN jlink --add-modules ALL-MODULE-PATH --output /jre && /jre/bin/java -Xshare:dump
FROM {JRE}
COPY --from=link /jre /opt/java/linked
ENV JAVA_HOME=/opt/java/linked PATH=/opt/java/linked/bin:$PATH
"""
FAST = 'ENV JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"\n'
TRAINING = (
    "RUN java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ArchiveClassesAtExit=/app/app.jsa \\\n"
    "      -Dspring.context.exit=onRefresh -jar app.jar\n"
)
#: Six trainings: web and actuator alone take a fifth of the time.
SMALL = ("3.5.16", "jar", ("-Dreduced",))
#: -Xshare:on ends a start that cannot use the archive: without it the archive is passed over in silence.
START = 'ENTRYPOINT ["java", "-XX:SharedArchiveFile=/app/app.jsa", "-Xshare:on", "-jar", "app.jar"]\n'
TRAINED = (
    f"FROM {JDK} AS training\n{FAST}WORKDIR /app\nCOPY target/app.jar .\n{TRAINING}"
    f"FROM {JDK}\n{FAST}WORKDIR /app\nCOPY target/app.jar .\nCOPY --from=training /app/app.jsa .\n{START}"
)
BY_ENVIRONMENT = (
    f"FROM {JDK}\nWORKDIR /app\nCOPY target/app.jar app.jar\n{TRAINING}"
    'ENV JAVA_TOOL_OPTIONS="-XX:SharedArchiveFile=/app/app.jsa -Xshare:on -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"\n'
    'ENTRYPOINT ["java", "-jar", "app.jar"]\n'
)
LAYERED = f"""\
FROM {JDK} AS extract
WORKDIR /extract
COPY target/app.jar fat.jar
RUN java -Djarmode=tools -jar fat.jar extract --layers --launcher --destination layers \\
 && mkdir out && for layer in dependencies spring-boot-loader snapshot-dependencies application; do \\
      cp -a layers/$layer/. out || exit 1; done \\
 && (echo "Class-Path: /application/" && cat out/META-INF/MANIFEST.MF) > start.mf && jar cfm app.jar start.mf
"""


@pytest.fixture(scope="module")
def linked(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine with a JRE that is linked from the JDK under the name of the JRE image."""
    for name in (JDK, JRE, MUSL):
        stand_in(engine, name)
    before = engine.client.images.get(JRE)
    context = tmp_path_factory.mktemp("linked")
    (context / "Dockerfile").write_text(LINKED)
    engine.build(context, "linked-jre")
    engine.client.images.get("linked-jre").tag(JRE)
    yield engine
    before.tag(JRE)


def project(path: Path, jar: Path, text: str) -> Path:
    (path / "target").mkdir(parents=True)
    shutil.copy2(jar, path / "target" / "app.jar")
    (path / "Dockerfile").write_text(text)
    return path


def answers(engine: Engine, image: str, **options: object) -> None:
    service = engine.start(image, **options)  # type: ignore[arg-type]
    try:
        service.wait()
        assert service.get("/hello?name=imgopt").status == 200
    finally:
        service.stop()


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_the_stage_that_trained_the_archive_moves_along(
    builder: str, app: Callable[..., Path], linked: Engine, tmp_path: Path
) -> None:
    context = project(tmp_path / "project", app(*SMALL), TRAINED)
    if builder == "classic":
        stage, final = TRAINED.split(f"FROM {JDK}\n")
        (context / "Dockerfile.before").write_text(f"{stage}FROM {JRE}\n{final}")
        linked.build(context, "tied:before", dockerfile="Dockerfile.before")
        with pytest.raises(EngineError, match="Unable to use shared archive"):
            answers(linked, "tied:before")
    rewrite(context, "--runtime", "glibc")
    text = (context / "Dockerfile.imgopt").read_text()
    assert text.count(f"FROM {JRE}") == 2
    linked.build(context, "tied:after", dockerfile="Dockerfile.imgopt", buildkit=builder == "buildkit")
    answers(linked, "tied:after")


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_an_archive_keeps_its_class_path(
    builder: str, app: Callable[..., Path], linked: Engine, tmp_path: Path
) -> None:
    context = project(tmp_path / "project", app(*SMALL), BY_ENVIRONMENT)
    if builder == "classic":
        before = BY_ENVIRONMENT.replace(
            "COPY target/app.jar",
            "COPY --from=extract /extract/out /application\nCOPY --from=extract /extract/app.jar",
        )
        (context / "Dockerfile.before").write_text(LAYERED + before)
        with pytest.raises(EngineError, match="Cannot have non-empty directory in paths"):
            linked.build(context, "archive:before", dockerfile="Dockerfile.before")
    rewrite(context, "--runtime", "glibc")
    assert (context / "Dockerfile.imgopt").read_text() == BY_ENVIRONMENT.replace(JDK, JRE)
    linked.build(context, "archive:after", dockerfile="Dockerfile.imgopt", buildkit=builder == "buildkit")
    answers(linked, "archive:after")


PLUGIN = """\
public class Plugin implements org.springframework.context.ApplicationContextInitializer<
        org.springframework.context.ConfigurableApplicationContext> {
    public void initialize(org.springframework.context.ConfigurableApplicationContext context) {
        System.load("/srv/plugins/native.so");
    }
}
"""


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_a_plugin_from_a_volume_may_need_glibc(
    builder: str, app: Callable[..., Path], linked: Engine, tmp_path: Path
) -> None:
    """The plugin loads glibc's C++ library in a service that loads its plugins from a volume."""
    text = (
        f"FROM {JDK}\n{FAST}WORKDIR /srv\nCOPY target/app.jar app.jar\nVOLUME /srv/plugins\n"
        "ENTRYPOINT exec java $JAVA_OPTS -Dloader.path=plugins -jar app.jar\n"
    )
    context = project(tmp_path / "project", app("3.5.16", "zip"), text)
    jar, library = _plugin(context / "target" / "app.jar", tmp_path / "plugin")
    plugins = (
        "COPY plugins /srv/plugins\n"  # what the volume holds; a container of the tests has no other way in
    )
    (context / "plugins").mkdir()
    shutil.copy(jar, context / "plugins" / "plugin.jar")
    shutil.copy(library, context / "plugins" / "native.so")

    def with_plugins(dockerfile: str, tag: str) -> None:
        linked.build(context, "plain", dockerfile=dockerfile, buildkit=builder == "buildkit")
        (context / "Dockerfile.mounted").write_text(f"FROM plain\n{plugins}")
        linked.build(context, tag, dockerfile="Dockerfile.mounted")

    if builder == "classic":
        (context / "Dockerfile.before").write_text(text.replace(JDK, MUSL))
        with_plugins("Dockerfile.before", "plugin:before")
        with pytest.raises(EngineError, match="UnsatisfiedLinkError"):
            answers(linked, "plugin:before")
    rewrite(context)
    assert f"FROM {JRE}\n" in (context / "Dockerfile.imgopt").read_text()
    with_plugins("Dockerfile.imgopt", "plugin:after")
    answers(linked, "plugin:after")


def _plugin(application: Path, directory: Path) -> tuple[Path, Path]:
    """A jar with an initializer that Spring Boot finds, and a library that is built for glibc."""
    classes = directory / "classes"
    classes.mkdir(parents=True)
    with zipfile.ZipFile(application) as archive:
        names = [name for name in archive.namelist() if "/lib/spring-" in name]
        archive.extractall(directory, names)
    (directory / "Plugin.java").write_text(PLUGIN)
    path = ":".join(str(directory / name) for name in names)
    command = ["javac", "-cp", path, "-d", str(classes), str(directory / "Plugin.java")]
    subprocess.run(command, check=True)
    jar = directory / "plugin.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.write(classes / "Plugin.class", "Plugin.class")
        archive.writestr(
            "META-INF/spring.factories", "org.springframework.context.ApplicationContextInitializer=Plugin\n"
        )
    return jar, next(Path("/usr/lib").glob("*-linux-gnu/libstdc++.so.6"))


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
def test_a_launcher_of_java_17_does_not_start_on_java_8(
    builder: str, app: Callable[..., Path], engine: Engine, imgopt: Imgopt, tmp_path: Path
) -> None:
    """Compiled for Java 8, with a launcher of Java 17: what the report says of it is what Java 8 says, and on the Java that it
    names the rewrite starts."""
    text = (
        'FROM eclipse-temurin:8-jdk\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    jar = tmp_path / "app.jar"
    with zipfile.ZipFile(app("2.4.13")) as old, zipfile.ZipFile(jar, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "org/springframework/boot/loader/JarLauncher.class":
                data = data[:6] + (61).to_bytes(2, "big") + data[8:]
            new.writestr(entry, data)
    context = project(tmp_path / "project", jar, text)
    stand_in(engine, "eclipse-temurin:8-jdk")
    engine.build(context, "java-8", buildkit=builder == "buildkit")
    with pytest.raises(EngineError, match="UnsupportedClassVersionError"):
        answers(engine, "java-8")
    said = " ".join(imgopt("suggest", context).text.split())
    assert "the application needs Java 17 (its launcher) and does not start on eclipse-temurin:8-jdk" in said
    assert imgopt("rewrite", context / "Dockerfile").text == text

    (context / "Dockerfile").write_text(text.replace("8-jdk", "17-jdk"))
    rewrite(context, "--runtime", "glibc")
    provide_bases(engine, context / "Dockerfile.imgopt")
    engine.build(context, "java-17", dockerfile="Dockerfile.imgopt", buildkit=builder == "buildkit")
    answers(engine, "java-17")
