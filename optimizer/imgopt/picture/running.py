"""What runs in containers of an image: by the Dockerfile's own ENTRYPOINT, CMD, HEALTHCHECK and ENV, and by what Compose
files and manifests say instead of them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from imgopt.java.command import is_java
from imgopt.light.records import dataclass
from imgopt.options import Told
from imgopt.picture.paths import join, normal
from imgopt.picture.scripts import SH, command_text, shell_text

if TYPE_CHECKING:
    from imgopt.dockerfile import Instruction
    from imgopt.options import Container


@dataclass(frozen=True)
class Process:
    """A command that runs in a container. ``where``: the instruction, or the file and line, that says it; ``words``: those
    of the exec form, None where a shell reads ``text``; ``directory``: the one that it runs in, None for the image's own.
    """

    where: Instruction | str
    text: str
    words: tuple[str, ...] | None
    environment: Mapping[str, str | None]
    directory: str | None = None

    @property
    def bash(self) -> bool:
        return self.words is not None and posixpath.basename("".join(self.words[:1])) == "bash"


@dataclass(frozen=True)
class Running:
    """What a Dockerfile says of the containers of its image, and the ``containers`` that other files describe.
    ``base_entrypoint``: the base image's, None where it is not known."""

    entrypoint: Instruction | None
    command: Instruction | None
    healthcheck: Instruction | None
    environment: Mapping[str, str | None]
    directory: str
    base_entrypoint: tuple[str, ...] | None
    containers: tuple[Container, ...]
    unread: str | None = None  # where more is said of containers than was looked at

    @cached_property
    def starts(self) -> tuple[Process, ...]:
        """The commands that containers start with, the Dockerfile's own first. CMD alone is a command; behind an
        exec-form ENTRYPOINT it is arguments, and behind one in shell form it is ignored."""
        return tuple(self._starts())

    @cached_property
    def checks(self) -> tuple[Process, ...]:
        """What is run in containers beside that: health checks, probes, hooks."""
        own = self.healthcheck
        found = [Process(own, command_text(own), None, self.environment)] if own is not None else []
        for container in self.containers:
            environment = self._environment_of(container)
            found += [
                Process(check.where, shell_text(check.words), check.words, environment)
                for check in container.checks
            ]
        return tuple(found)

    @property
    def processes(self) -> tuple[Process, ...]:
        return (*self.starts, *self.checks)

    @cached_property
    def said_elsewhere(self) -> tuple[tuple[str, str], ...]:
        """The variables and commands that other files give to containers, as text, with the places."""
        return tuple(dict.fromkeys(self._said_elsewhere()))

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that describe containers."""
        return tuple(
            dict.fromkeys(where.rpartition(":")[0] for each in self.containers for where in each.places)
        )

    @cached_property
    def mounts(self) -> tuple[tuple[Told, str], ...]:
        """The paths over which containers have something laid, with who says so."""
        return tuple(
            (mount, normal("/" + mount.words[0]))
            for container in self.containers
            for mount in container.mounts
        )

    def mount_over(self, path: str) -> Told | None:
        """What is laid over a path, or over a directory above it; or may be, where not all was read."""
        if self.unread is not None:
            return Told(self.unread, ("what is not read there",))
        return next(
            (
                told
                for told, place in self.mounts
                if path == place or path.startswith(place.rstrip("/") + "/")
            ),
            None,
        )

    def _starts(self) -> Iterator[Process]:
        own = self._own_start(self.environment, None)
        if own is not None:
            yield own
        for container in self.containers:
            environment = self._environment_of(container)
            workdir = container.directory
            directory = join(self.directory, workdir.words[0]) if workdir is not None else None
            said = container.entrypoint or container.command
            words = self._words(container)
            if said is not None and words:
                yield Process(said.where, shell_text(words), words, environment, directory)
            elif said is None and (container.environment or directory is not None):
                again = self._own_start(environment, directory)
                if again is not None:
                    yield again

    def _said_elsewhere(self) -> Iterator[tuple[str, str]]:
        for container in self.containers:
            for variable in container.environment:
                if variable.value is not None:
                    yield variable.where, f"{variable.name}={variable.value}"
            for told in (container.entrypoint, container.command, *container.checks):
                if told is not None:
                    yield told.where, shell_text(told.words)

    def _environment_of(self, container: Container) -> Mapping[str, str | None]:
        """That of the image, and the container's own over it; None for values that are not known."""
        own = {
            each.name: None if each.value is None or "$" in each.value else each.value
            for each in container.environment
        }
        return {**self.environment, **own}

    def _own_start(self, environment: Mapping[str, str | None], directory: str | None) -> Process | None:
        instruction = self.entrypoint or self.command
        if instruction is None:
            return None
        if instruction.json is None:
            return Process(instruction, instruction.text, None, environment, directory)
        words = instruction.json
        if instruction is self.entrypoint and self.command is not None:
            words += self.command.json if self.command.json is not None else (*SH, self.command.text)
        elif instruction is self.command:
            words = (*self._java_of_the_base, *words)
        return Process(instruction, shell_text(words), words, environment, directory)

    @property
    def _java_of_the_base(self) -> tuple[str, ...]:
        """An entrypoint of the base image that is java itself, as distroless images have it; others pass their words on."""
        words = self.base_entrypoint or ()
        return words if words and is_java(words[0]) else ()

    def _words(self, container: Container) -> tuple[str, ...]:
        """As engines put them together: another entrypoint leaves the image's CMD out, another command takes its place."""
        command = container.command.words if container.command is not None else ()
        if container.entrypoint is not None:
            return container.entrypoint.words + command
        if self.entrypoint is None:
            return self._java_of_the_base + command
        if self.entrypoint.json is None:
            return (*SH, self.entrypoint.text)  # its shell takes no words
        return self.entrypoint.json + command
