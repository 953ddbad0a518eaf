"""Repositories of several modules, as people lay them out: build files, Dockerfiles, CI files, archives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

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
