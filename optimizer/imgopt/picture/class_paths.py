"""From where a container's virtual machines take code beside the application's jar, and what of it is in the image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import pairwise

from imgopt.dockerfile import Instruction
from imgopt.errors import JarError
from imgopt.java.command import JavaCall
from imgopt.light.records import dataclass
from imgopt.picture.java_options import JavaOption, covers, options_of
from imgopt.picture.paths import normal, seen_from
from imgopt.picture.picture import Picture, once

#: Options that hold such places, with what stands between two of them.
_PLACES = {
    "-cp": ":",
    "-classpath": ":",
    "--class-path": ":",
    "-p": ":",
    "--module-path": ":",
    "-Djava.ext.dirs": ":",
    "-Djava.endorsed.dirs": ":",
    "-Djava.library.path": ":",
    "-Dloader.path": ",",
}
_BOOT = ("-Xbootclasspath/a:", "-Xbootclasspath/p:")
_MOST_BYTES_OF_PROPERTIES = 64 * 1024


@dataclass(frozen=True)
class CodePlace:
    """A place that code comes from. ``written``: as it stands; ``path`` is None where that cannot be told. ``known``:
    everything there is in the image, as a file or by a COPY, and no volume lies over it."""

    where: Instruction | str
    written: str
    path: str | None
    known: bool


@once
def code_places(picture: Picture) -> tuple[CodePlace, ...]:
    """The places of class paths, of Spring Boot's loader.path, and of native libraries; agents are told by
    `running_options`."""
    found: dict[tuple[str, str | None], CodePlace] = {}
    for where, written, path in _written(picture):
        if (written, path) not in found:
            found[written, path] = CodePlace(where, written, path, _is_known(picture, path))
    return tuple(found.values())


def running_options(picture: Picture) -> Iterator[JavaOption]:
    """The options of the container's virtual machines: those of RUN lines are of the build."""
    for option in options_of(picture, picture.final):
        if not (isinstance(option.where, Instruction) and option.where.keyword == "RUN"):
            yield option
    start = picture.start_commands[0] if picture.start_commands else picture.final.stage.from_
    said: dict[JavaCall, Instruction | str] = {}
    for process in picture.running.starts:
        for call in picture.calls_of(process):
            said.setdefault(call, process.where)
    for call in picture.calls:
        words = [*call.options]
        if call.class_path is not None:
            words.append(f"-cp={call.class_path}")
        words += [f"-p={value}" for name, value in pairwise(words) if name == "-p"]
        for word in words:
            yield JavaOption(word, picture.final, said.get(call, start), picture.final.content.workdir)


def class_path_is_open(picture: Picture) -> bool:
    """Whether jars may come onto the class path that no `-jar` names."""
    return bool(code_places(picture)) or any("loader.path" in text for _, text in picture.start_scripts)


def _written(picture: Picture) -> Iterator[tuple[Instruction | str, str, str | None]]:
    by_properties = _starts_by_properties(picture)
    assigned = {
        name
        for _, text in picture.start_scripts
        for name in re.findall(r"(?m)^[ \t]*(?:export[ \t]+)?(\w+)=", text)
    }
    home: str | None = None
    for option in running_options(picture):
        if option.text.startswith("-Dloader.home="):
            home = option.value
    for option in running_options(picture):
        name = option.text.partition("=")[0]
        if name == "-Dloader.path" and not by_properties:
            continue  # Spring Boot's other launchers know no such property
        if name in _PLACES:
            parts = option.value.split(_PLACES[name])
        elif option.text.startswith(_BOOT):
            parts = option.text.partition(":")[2].split(":")
        else:
            continue
        for part in parts:
            place = _stripped(part)
            if place == "$":  # what is left of `$(command)`
                part = "$(…)"
            variables = re.findall(r"\$\{?(\w+)", place)
            if not place or variables in (["CLASSPATH"], ["LOADER_PATH"]) or assigned.intersection(variables):
                continue  # nothing, or what the script finds out by itself
            directory = option.directory if isinstance(option.where, str) else picture.final.content.workdir
            if name == "-Dloader.path" and home is not None:
                directory = None if "$" in home else seen_from(directory, home)
            yield option.where, part, None if "$" in place else seen_from(directory, place)
    for jar, written in _of_jars(picture, by_properties):
        place = _stripped(written)
        yield f"the jar {jar}", written, None if "$" in place else picture.at_start(place)


def _stripped(written: str) -> str:
    """The directory or file of an entry, "" for none: without wildcard, scheme and a path inside an archive."""
    bare = re.sub(r"^(?:jar:)?file:(?://(?=/))?", "", written.strip()).partition("!")[0]
    if bare in ("*", "./*"):
        return "."
    return re.sub(r"(?<=/)\*$", "", bare).rstrip("/") or bare[:1]


def _starts_by_properties(picture: Picture) -> bool:
    jars = picture.application_jars
    return (
        any((jar.launcher or "").endswith("PropertiesLauncher") for jar in jars)
        or any((call.main_class or "").endswith("PropertiesLauncher") for call in picture.calls)
        or not any(jar.launcher for jar in jars)
    )


def _of_jars(picture: Picture, by_properties: bool) -> Iterator[tuple[str, str]]:
    """What the manifest of the application's jar and its loader.properties name."""
    if not by_properties:
        return
    for jar in picture.application_jars:
        name = posixpath.basename(jar.path)
        if not (jar.launcher or "").endswith("PropertiesLauncher"):
            continue
        manifest = {key.lower(): value for key, value in jar.manifest.items()}
        for part in manifest.get("loader-path", "").split(","):
            if part.strip():
                yield name, part
        for entry in jar.entries:
            if posixpath.basename(entry.name) != "loader.properties":
                continue
            from imgopt.java.jar import OpenJar

            try:
                with OpenJar(jar) as opened:
                    text = opened.data(entry, _MOST_BYTES_OF_PROPERTIES).decode("utf-8", "replace")
            except JarError:
                continue
            for value in re.findall(r"(?m)^\s*loader\.path\s*[=: ]\s*(.*?)\s*$", text):
                for part in value.split(","):
                    yield name, part


def _is_known(picture: Picture, path: str | None) -> bool:
    if path is None:
        return False
    content = picture.final.content
    if picture.running.mount_over(path) is not None or any(
        covers(path, place) for _, place in picture.running.mounts
    ):
        return False
    if path in content.files:
        return True
    if any(covers(volume, path) or covers(path, volume) for volume in volumes(picture)):
        return False
    return any(covers(path, file) for file in content.files) or any(
        covers(target, path) or covers(path, target)
        for layer in picture.layers
        if not layer.complete and layer.instruction.keyword in ("COPY", "ADD")
        for target in (picture.target_of(layer.instruction),)
        if target not in (None, "/")
    )


def volumes(picture: Picture) -> Iterator[str]:
    """The directories that the image declares as volumes."""
    for instruction in picture.final.instructions():
        if instruction.keyword == "VOLUME":
            for path in instruction.json or tuple(word.text for word in instruction.words):
                value = picture.expand(instruction, path)
                if value is not None:
                    yield normal("/" + value)
