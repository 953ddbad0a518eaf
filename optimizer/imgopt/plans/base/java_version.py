"""Which Java the application needs, and which one runs it: each with what says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.finding import Reason, because
from imgopt.light.records import dataclass
from imgopt.picture import Picture, once
from imgopt.plans.base import installed_java

if TYPE_CHECKING:
    from imgopt.java.model import Jar


@dataclass(frozen=True)
class JavaVersion:
    """``source``: an image, package or archive that has it ("eclipse-temurin:17-jre"), or what asks for it ("its
    classes", "its launcher", "Spring Boot 3.5.4", "pom.xml")."""

    major: int
    source: str


@once
def java_running(picture: Picture) -> JavaVersion | None:
    """The Java of the final image. None where it is not known, or where there are several."""
    major = installed_java.java_major(picture)
    return JavaVersion(major, installed_java.java_name(picture)) if major is not None else None


@once
def java_needed(picture: Picture) -> JavaVersion | None:
    """The oldest Java that runs the application: by the jar where it is there, else by the build files."""
    from imgopt.java.spring_boot import java_needed as needed_by
    from imgopt.java.spring_boot import java_range

    asked = [JavaVersion(*found) for jar in _applications(picture) if (found := needed_by(jar)) is not None]
    if not asked:
        version = picture.options.spring_boot
        facts = picture.build_facts
        if facts is not None and facts.java_major is not None:
            asked.append(JavaVersion(facts.java_major, Path(facts.path).name))
        if version is None and facts is not None:
            version = facts.spring_boot
        line = java_range(version or "")
        if line is not None:
            asked.append(JavaVersion(line[0], f"Spring Boot {version}"))
    return max(asked, key=lambda each: each.major, default=None)


def _applications(picture: Picture) -> tuple[Jar, ...]:
    artifact = picture.artifact
    if artifact is not None and artifact.jar is not None:
        return (artifact.jar,)
    return tuple(jar for jar in picture.application_jars if jar.kind in ("spring-boot", "spring-boot-war"))


def too_old(picture: Picture) -> Reason | None:
    """Why the application does not start on the Java that it is given."""
    needed, running = java_needed(picture), java_running(picture)
    if needed is None or running is None or needed.major <= running.major:
        return None
    return because(
        "certain",
        "the application needs Java {} ({}) and does not start on {}, which has Java {}",
        needed.major,
        needed.source,
        running.source,
        running.major,
    )
