"""Repositories of several modules, as people lay them out: build files, Dockerfiles, CI files, archives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from boot_jar import boot_jar, library
from command_line import written

BOOT = "3.5.4"
RUN = 'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'


def pom(
    artifact: str,
    *,
    modules: Iterable[str] = (),
    needs: Iterable[str] = (),
    boot: bool = False,
    parent: str | None = "platform",
    relative: str = "../pom.xml",
    final_name: str | None = None,
    more: str = "",
) -> str:
    """A pom; ``boot``: its build repackages. Without a ``parent`` of its own it is the one that has Spring Boot's."""
    if parent is None:
        above = (
            "<parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId>"
            f"<version>{BOOT}</version><relativePath/></parent>"
        )
    else:
        above = (
            f"<parent><groupId>com.example</groupId><artifactId>{parent}</artifactId><version>1.0</version>"
            f"<relativePath>{relative}</relativePath></parent>"
        )
    listed = "".join(f"<module>{each}</module>" for each in modules)
    dependencies = "".join(
        f"<dependency><groupId>com.example</groupId><artifactId>{each}</artifactId><version>1.0</version></dependency>"
        for each in needs
    )
    plugin = "<plugin><groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin>"
    named = f"<finalName>{final_name}</finalName>" if final_name else ""
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
        f"  <modelVersion>4.0.0</modelVersion>\n  {above}\n"
        f"  <groupId>com.example</groupId><artifactId>{artifact}</artifactId><version>1.0</version>\n"
        + ("  <packaging>pom</packaging>\n" if listed else "")
        + (f"  <modules>{listed}</modules>\n" if listed else "")
        + (f"  <dependencies>{dependencies}</dependencies>\n" if dependencies else "")
        + f"  <build>{named}<plugins>{plugin if boot else ''}</plugins></build>\n{more}</project>\n"
    )


def dockerfile(source: str, base: str = "eclipse-temurin:21-jdk") -> str:
    return f"FROM {base}\nCOPY {source} /app.jar\n{RUN}"


def reactor(root: Path, modules: Mapping[str, Iterable[str]] | Iterable[str], **files: str) -> None:
    """A Maven reactor whose modules repackage, with what each needs of the others, and further files."""
    needs = dict(modules) if isinstance(modules, Mapping) else dict.fromkeys(modules, ())
    poms = {
        f"{name}/pom.xml": pom(
            name.rpartition("/")[2], boot=True, needs=of, relative="../" * (name.count("/") + 1) + "pom.xml"
        )
        for name, of in needs.items()
    }
    written(root, **{"pom.xml": pom("platform", modules=needs, parent=None), **poms, **files})


#: Libraries by artifact: version, bytes, seed. Spring Boot manages those of Spring.
LIBRARIES = {
    "spring-core": (BOOT, 900_000, 1),
    "spring-web": (BOOT, 700_000, 2),
    "tomcat-embed-core": ("10.1.43", 600_000, 3),
    "netty-buffer": ("4.1.123.Final", 500_000, 4),
    "hutool-all": ("5.8.38", 800_000, 5),
    "poi": ("5.4.1", 400_000, 6),
    "tiny": ("1.0", 3_000, 7),
}


def archive(
    path: Path, artifacts: Iterable[str], *, boot: str = BOOT, versions: Mapping[str, str] | None = None
) -> None:
    """A fat jar of the module with these libraries; ``versions`` of some of them that others have not."""
    libraries = {}
    for artifact in artifacts:
        version, size, seed = LIBRARIES[artifact]
        own = (versions or {}).get(artifact, version)
        libraries[f"{artifact}-{own}.jar"] = library(size=size, seed=seed if own == version else seed + 100)
    boot_jar(path, version=boot, libraries=libraries)


#: What the modules of `shop` hold.
MODULES = {
    "auth": ("spring-core", "spring-web", "tomcat-embed-core", "hutool-all", "tiny"),
    "order": ("spring-core", "spring-web", "tomcat-embed-core", "hutool-all", "poi"),
    "gateway": ("spring-core", "spring-web", "netty-buffer", "hutool-all"),
}


def shop(root: Path, **files: str) -> Path:
    """A reactor of three modules with archives, Dockerfiles beside them, and `order` made of `auth`."""
    reactor(
        root,
        {"auth": (), "order": ("auth",), "gateway": ()},
        **{f"{name}/Dockerfile": dockerfile("target/*.jar") for name in MODULES},
        **files,
    )
    for name, artifacts in MODULES.items():
        archive(root / name / "target" / f"{name}-1.0.jar", artifacts)
    return root
