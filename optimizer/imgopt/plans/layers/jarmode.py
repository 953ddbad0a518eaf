"""Calls of Spring Boot's jarmode in a Dockerfile, and the archive they unpack."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from imgopt import shell
from imgopt.dockerfile import Instruction
from imgopt.java.jarmode import Extract, archive_at, mode_of, modes_for, modes_of, read_extract
from imgopt.light.records import dataclass
from imgopt.picture import Picture, once
from imgopt.picture.paths import join
from imgopt.plans.layers import layering


@dataclass(frozen=True)
class LayeredJar:
    """What an extracting stage unpacks. ``jarmodes``: the modes this Spring Boot version knows, best first."""

    spring_boot: str | None
    launcher: str | None
    jarmodes: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class JarmodeCall:
    """One ``java -Djarmode=MODE -jar JAR extract …`` of a RUN."""

    instruction: Instruction
    command: shell.Command
    mode: str
    jar: str  # the path as the stage sees it
    workdir: str

    @cached_property
    def extract(self) -> Extract | None:
        """What it is asked for; None where a word is known only to the build, or it is no ``extract``."""
        words = [word.literal for word in self.command.words]
        at = archive_at(words)
        after = words[at + 1 :] if at is not None else []
        return (
            read_extract(self.mode, [word for word in after if word is not None])
            if None not in after
            else None
        )

    @property
    def destination(self) -> str | None:
        """The directory that gets one subdirectory per layer, as an absolute path; None without layers."""
        asked = self.extract
        if asked is None or asked.fault is not None or asked.layers is None:
            return None
        return join(self.workdir, asked.directory(self.jar))

    @property
    def conditional(self) -> bool:
        return self.command.depth > 0 or self.command.operator == "||"


@once
def extractions(picture: Picture) -> tuple[tuple[JarmodeCall, int], ...]:
    """Every jarmode call with the index of its stage."""
    return tuple(_calls(picture))


def _calls(picture: Picture) -> Iterator[tuple[JarmodeCall, int]]:
    for stage in picture.stages:
        for instruction in stage.instructions():
            workdir = picture.workdir_at(instruction)
            if (
                workdir is None  # then nobody knows what it unpacks, and to where
                or instruction.keyword != "RUN"
                or "jarmode" not in instruction.text
                or instruction.json is not None
            ):
                continue
            for command in shell.parse(instruction.text).commands:
                words = [word.value(picture.scope(instruction)) for word in command.words]
                at = archive_at(words)
                mode = mode_of([word or "" for word in words[:at]])
                if mode is None or at is None:
                    continue
                path = words[at]
                yield (
                    JarmodeCall(instruction, command, mode, join(workdir, path or "app.jar"), workdir),
                    stage.index,
                )


@once
def layered_jar(picture: Picture) -> LayeredJar | None:
    """The archive that the file's jarmode calls unpack, or what the build files tell of it. None where the file
    does not layer its jar itself."""
    if not layering.plan(picture).layered:
        return None
    from imgopt.java.spring_boot import is_known_launcher, launcher_for

    for call, index in extractions(picture):
        file = picture.stages[index].content.files.get(call.jar)
        jar = picture.jars(file.origin) if file is not None and file.origin is not None else None
        if jar is not None and jar.kind.startswith("spring-boot"):
            # a class of the author's own may be called anything
            launcher = jar.launcher if is_known_launcher(jar.launcher) else None
            return LayeredJar(jar.spring_boot, launcher, modes_of(jar), jar.path)
    version = picture.options.spring_boot
    facts = picture.build_facts
    if version is None and facts is not None:
        version = facts.spring_boot
    if version is None:
        return None
    war = facts is not None and facts.packaging == "war"
    launcher = launcher_for(version, war) if facts is None or facts.loader is None else None
    return LayeredJar(version, launcher, modes_for(version), facts.path if facts else "--spring-boot")
