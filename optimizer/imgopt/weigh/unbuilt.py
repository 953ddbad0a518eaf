"""What is known of the size of an application whose archive is not built yet. It is for figures alone: a size shows nothing
of what an archive holds, and nothing that is called safe rests on it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.picture.contents import SMALL_LAYER_BYTES, File
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.dockerfile import Instruction
    from imgopt.options import Recorded
    from imgopt.picture import Picture
    from imgopt.picture.contents import Layer

#: What a layer holds of an archive: all of it, or one of the layers that Spring Boot unpacks it into.
Part = Literal["whole", "dependencies", "snapshot-dependencies", "spring-boot-loader", "application"]
_PARTS: tuple[Part, ...] = ("dependencies", "snapshot-dependencies", "spring-boot-loader", "application")
_MOST_NAMED = 3
_IS_SNAPSHOT = regex(r"-SNAPSHOT(?:-[\w.]+)?\.jar$")


@dataclass(frozen=True)
class Unbuilt:
    """One application's archive. ``copies``: the instruction that brings it whole, None in a rewrite of the file; ``given``:
    its bytes as the command line says them; ``libraries``: files of a local repository that it will hold, all of them where
    ``complete``; ``recorded``: compressed bytes of the last release's layers, by their commands; ``said``: where the figures come from, a sentence."""

    copies: Instruction | None
    given: int | None
    libraries: tuple[File, ...]
    complete: bool
    said: str
    recorded: Mapping[str, int] = field(default_factory=dict)

    def last_release(self, instruction: Instruction) -> int | None:
        """What the layer of an instruction weighed in the last release that a baseline has."""
        return self.recorded.get(_command(f"{instruction.keyword} {instruction.text}"))

    def libraries_of(self, part: Part) -> tuple[File, ...]:
        if part == "whole":
            return self.libraries
        if part not in ("dependencies", "snapshot-dependencies"):
            return ()
        return tuple(
            file
            for file in self.libraries
            if bool(_IS_SNAPSHOT.search(file.path)) == (part != "dependencies")
        )

    def told(self, part: Part, packed: int | None) -> list[tuple[int | None, str]]:
        """Compressed bytes of a part, piece by piece, None for what is not known, and where each is from. ``packed``: of its
        libraries."""
        libraries = [] if packed is None else [(packed, _LIBRARIES)]
        unknown: list[tuple[int | None, str]] = [(None, "")]
        if part == "snapshot-dependencies" and not libraries and (self.complete or self.given is not None):
            return [(SMALL_LAYER_BYTES, "directory entries")]
        if self.given is None:
            whole = part in ("dependencies", "snapshot-dependencies") and bool(libraries) and self.complete
            return [*libraries, *([] if whole else unknown)]
        apart = bool(self.libraries) and self.complete
        own = max(0, self.given - sum(file.bytes or 0 for file in self.libraries))
        if part == "whole":  # its libraries pack as well as they do in a layer of their own
            return [(packed + own if apart and packed is not None else self.given, _GIVEN)]
        if part == "spring-boot-loader":
            return [(SMALL_LAYER_BYTES, "its classes are counted with the application's")]
        if part == "application":
            return [(own, f"{_GIVEN}, without the libraries")] if apart else unknown
        if part == "dependencies" and not apart:
            return [(self.given, f"{_GIVEN}; how much of it is the application's own is not known")]
        return [*libraries]


_LIBRARIES = "the libraries of an archive that is not built yet"
_GIVEN = "as --jar-size gives it"


def unbuilt(picture: Picture) -> Unbuilt | None:
    """None where the archive is there, where the file takes more than one, and where nothing tells its size."""
    if picture.application_jars or len(picture.artifacts) != 1:
        return None
    (artifact,) = picture.artifacts
    if artifact.jar is not None or artifact.file is not None or len(artifact.sources) != 1:
        return None
    given = picture.options.jar_size
    name = posixpath.basename(artifact.sources[0]) if "*" not in artifact.sources[0] else artifact.sources[0]
    facts = picture.build_facts
    found = None
    if facts is not None:
        from imgopt.java.local_libraries import libraries_of

        found = libraries_of(facts)
    last = None if given is not None else _last_release(picture)
    if given is None and found is None and last is None:
        return None
    said: list[str] = []
    if given is not None:
        said.append(f"{name} is not there; {megabytes(given)} is what --jar-size gives for it")
    if last is not None:
        said.append(
            f"{name} is not there; what the last release of {last.name} had in {last.source} is taken for it"
        )
    if found is not None and facts is not None:
        size = sum(_size(path) for path in found.jars)
        count = len(found.jars)
        what = f"its {count} libraries" if count != 1 else "its one library"
        said.append(
            f"{'' if said else f'{name} is not there; '}{what} ({megabytes(size)}) are predicted from "
            f"{Path(facts.path).name} and {found.where}"
        )
        if given is None and last is None:
            said.append("its own classes are not known")
        if found.missing:
            more = len(found.missing) - _MOST_NAMED
            named = ", ".join(found.missing[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
            said.append(f"not found there: {named}")
    libraries = tuple(
        File(f"/BOOT-INF/lib/{path.name}", _size(path), origin=path, releases=False)
        for path in (found.jars if found is not None else ())
    )
    return Unbuilt(
        artifact.instruction,
        given,
        libraries,
        found is not None and not found.missing,
        "; ".join(said),
        {_command(command): size for command, size in last.layers.items()} if last is not None else {},
    )


def _command(text: str) -> str:
    """A command as histories have it, without what builders add, and the instruction that it is of, alike."""
    return " ".join(text.removesuffix("# buildkit").split())


def _last_release(picture: Picture) -> Recorded | None:
    """The one image of the baseline that was made by this file: its layers' commands stand in it, and it is called as the
    module is, or is the only one."""
    artifact = picture.artifacts[0].instruction
    command = _command(f"{artifact.keyword} {artifact.text}")
    made = [
        each for each in picture.options.recorded if any(_command(known) == command for known in each.layers)
    ]
    if len(picture.options.recorded) == 1:
        return made[0] if made else None
    module = posixpath.basename(str(Path(picture.path).absolute().parent))
    named = [
        each
        for each in made
        if (name := each.name.rpartition("/")[2].partition(" ")[0])
        and (module == name or module.endswith(f"-{name}"))
    ]
    return named[0] if len(named) == 1 else None


def parts_of(picture: Picture, layer: Layer) -> tuple[Part, ...]:
    """What a layer of the picture, or of a rewrite of it, holds of the archive; () for anything else."""
    instruction = layer.instruction
    if layer.files or instruction.keyword not in ("COPY", "ADD") or len(instruction.words) < 2:
        return ()
    if len(instruction.words) == 2 and any(each.instruction is instruction for each in picture.artifacts):
        return ("whole",)
    if instruction.flag("from") is None:
        return ()
    names = [posixpath.basename(source.rstrip("/")) for source in _sources(picture, instruction)]
    found = tuple(part for name in names for part in _PARTS if part == name)
    return found if len(found) == len(names) else ()


def _sources(picture: Picture, instruction: Instruction) -> list[str]:
    return [picture.expand(instruction, word.text) or "" for word in instruction.words[:-1]]


def keeps_digest(picture: Picture, layer: Layer, part: Part) -> bool:
    """Whether the layer of an unpacked archive's part is the same blob in the next release: it is copied to the root, and the
    stage before fixes the times of all that lies in it."""
    if part not in ("dependencies", "snapshot-dependencies", "spring-boot-loader"):
        return False
    instruction = layer.instruction
    if picture.expand(instruction, instruction.words[-1].text) != "/":
        return False
    flag = instruction.flag("from")
    stage = next(
        (
            each
            for each in picture.stages
            if flag is not None and (flag.value or "").lower() in (each.name.lower(), str(each.index))
        ),
        None,
    )
    if stage is None:
        return False
    source = next(
        each for each in _sources(picture, instruction) if posixpath.basename(each.rstrip("/")) == part
    )
    named = "|".join(
        map(re.escape, (part, posixpath.basename(posixpath.dirname(source.rstrip("/"))) or part))
    )
    touched = re.compile(rf"\bfind\b[^&|;]*[\s/](?:{named})/?[\x22']?\s[^&|;]*\btouch\b[^&|;]*\s-\w*[dt]\b")
    return any(each.keyword == "RUN" and touched.search(each.text) for each in stage.stage.instructions)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
