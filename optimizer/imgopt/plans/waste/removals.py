"""Finds what a RUN removes though a layer below stored it: both stay in the image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.dockerfile import Instruction, writing
from imgopt.finding import Sentence, say
from imgopt.light.records import dataclass
from imgopt.picture import Picture, once
from imgopt.picture.builds import build_command
from imgopt.picture.contents import File
from imgopt.picture.paths import join
from imgopt.picture.placing import fills_directory
from imgopt.picture.reach import contains
from imgopt.text.quoting import Unwritable

if TYPE_CHECKING:
    from imgopt.picture.contents import Layer

#: Removing less than this in a later layer is not worth a line.
SMALLEST_BYTES = 100_000

_JARS = (".jar", ".war")
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_ARCHIVES = (*_TARS, *_JARS, ".zip", ".deb", ".rpm", ".apk", ".gz", ".xz", ".7z")
_INSTALL = {
    "apt-get": ("install",),
    "apt": ("install",),
    "apk": ("add",),
    "yum": ("install",),
    "dnf": ("install",),
    "microdnf": ("install",),
}
_REMOVE = {
    "apt-get": ("remove", "purge", "autoremove"),
    "apt": ("remove", "purge", "autoremove"),
    "apk": ("del",),
    "yum": ("remove", "erase", "autoremove"),
    "dnf": ("remove", "erase", "autoremove"),
    "microdnf": ("remove",),
}


@dataclass(frozen=True)
class Removal:
    """What one RUN removes of what one instruction below stored.

    ``names`` are paths or packages; ``files`` the known ones, without any the size is not known. ``moved``: they lie
    elsewhere now, stored again.
    """

    instruction: Instruction
    stored_by: Instruction
    names: tuple[str, ...]
    files: tuple[File, ...] = ()
    packages: bool = False
    moved: bool = False
    steady: bool = False  # the layer that stores them keeps its digest

    @property
    def bytes(self) -> int | None:
        return sum(file.bytes or 0 for file in self.files) if self.files else None


#: An image cannot have more than 127 layers; a file that would make many more is not looked through.
MOST_LAYERS = 256


@once
def removals(picture: Picture) -> tuple[Removal, ...]:
    """In the order of the RUNs; silent for a stage that builds the application, whose cure is another one."""
    if build_command(picture) is not None or len(picture.layers) > MOST_LAYERS:
        return ()
    found: list[Removal] = []
    for at, layer in enumerate(picture.layers):
        if layer.instruction.keyword != "RUN":
            continue
        below = picture.layers[:at]
        found += _known(layer, below)
        found += _unread(picture, layer, below)
        found += _packages(picture, layer.instruction)
    return tuple(found)


def _known(layer: Layer, below: Sequence[Layer]) -> Iterator[Removal]:
    by_layer: dict[int, list[File]] = {}
    for file in layer.removed:
        holder = next(
            (
                number
                for number in reversed(range(len(below)))
                if any(f.path == file.path for f in below[number].files)
            ),
            None,
        )
        if holder is not None:
            by_layer.setdefault(holder, []).append(file)
    for holder, files in by_layer.items():
        for moved in (False, True):
            some = [file for file in files if _lies_elsewhere(file, layer) is moved]
            if moved:
                some = [file for file in some if not file.path.endswith(_JARS)]  # told by jar-stored-twice
            if sum(file.bytes or 0 for file in some) < SMALLEST_BYTES:
                continue
            names = tuple(file.path for file in some)
            instruction = below[holder].instruction
            yield Removal(
                layer.instruction, instruction, names, tuple(some), moved=moved, steady=below[holder].steady
            )


def _lies_elsewhere(file: File, layer: Layer) -> bool:
    return any(
        (file.origin is not None and other.origin == file.origin)
        or (file.entry is not None and other.entry == file.entry)
        for other in layer.files
    )


def _unread(picture: Picture, layer: Layer, below: Sequence[Layer]) -> Iterator[Removal]:
    """Files that are not there to be read: of another stage, of a URL, or downloaded by a RUN below."""
    run = layer.instruction
    if layer.removed:
        return
    paths = [path for path in _removed_paths(picture, run) if path not in ("/", "/tmp", "/var", "/root")]
    if not paths:
        return
    for stored in below:
        instruction = stored.instruction
        if stored.complete or stored.files:
            continue
        made = _made(picture, instruction)
        names = tuple(name for name in made if any(_matches(path, name) for path in paths))
        if instruction.keyword != "RUN" and _from_context(instruction):
            names = tuple(name for name in names if name.endswith(_ARCHIVES))  # others may be small
        if names:
            yield Removal(run, instruction, names)


def _from_context(copy: Instruction) -> bool:
    return copy.flag("from") is None and not any("://" in word.text for word in copy.words[:-1])


def _matches(pattern: str, path: str) -> bool:
    if re.search(r"[*?\[]", pattern):
        return fnmatchcase(path, pattern)
    return contains(pattern, path)


def _removed_paths(picture: Picture, run: Instruction) -> list[str]:
    found: list[str] = []
    scope = picture.scope(run)
    cwd = picture.workdir_at(run)
    for command in _script(picture, run).commands:
        words = [word.value(scope) for word in command.args]
        if command.program == "cd":
            cwd = join(cwd or "/", words[0]) if words and words[0] and (cwd or words[0][0] == "/") else None
        if command.program != "rm" or command.depth or command.operator == "||":
            continue
        found += [
            join(cwd or "/", word)
            for word in words
            if word and not word.startswith("-") and (cwd or word.startswith("/"))
        ]
    return found


def _made(picture: Picture, instruction: Instruction) -> Iterator[str]:
    """Paths of files that a COPY of another stage, an ADD of a URL or a download of a RUN makes, as far as named."""
    if instruction.keyword in ("COPY", "ADD"):
        words = [picture.expand(instruction, word.text) for word in instruction.words]
        place = picture.target_of(instruction)
        if place is None or instruction.heredocs:
            return
        into = fills_directory(words[-1] or "", words[:-1])
        if not into and place not in picture.final.content.directories:
            if re.search(r"\.\w+$", place):
                yield place
            return
        for source in words[:-1]:
            name = posixpath.basename((source or "").split("?")[0])
            if re.search(r"\.\w+$", name):
                yield join(place, name)
    elif instruction.keyword == "RUN":
        yield from _downloads(picture, instruction)


def _downloads(picture: Picture, run: Instruction) -> Iterator[str]:
    """What `curl -o FILE`, `curl -O URL`, `wget -O FILE` and `wget URL` write, unless the same RUN removes it."""
    scope = picture.scope(run)
    cwd = picture.workdir_at(run)
    gone = _removed_paths(picture, run)
    for command in _script(picture, run).commands:
        words = [word.value(scope) or "" for word in command.args]
        if command.program == "cd":
            cwd = join(cwd or "/", words[0]) if words and words[0] and (cwd or words[0][0] == "/") else None
        if command.program not in ("curl", "wget") or cwd is None or command.follows == "|":
            continue
        named = [
            words[at + 1]
            for at, word in enumerate(words[:-1])
            if re.fullmatch(
                r"-\w*o|--output" if command.program == "curl" else r"-\w*O|--output-document", word
            )
        ]
        by_url = command.program == "wget" or any(
            re.fullmatch(r"-\w*O\w*|--remote-name", word) for word in words
        )
        if not named and by_url:
            named = [posixpath.basename(word.split("?")[0]) for word in words if "://" in word]
        for name in named:
            path = join(cwd, name)
            if name not in ("", "-") and not any(_matches(pattern, path) for pattern in gone):
                yield path


def _packages(picture: Picture, run: Instruction) -> Iterator[Removal]:
    gone = set(_words_of(picture, run, _REMOVE))
    if not gone:
        return
    here = set(_words_of(picture, run, _INSTALL))
    for other in picture.final.instructions():
        if other is run:
            return
        if other.keyword == "RUN":
            names = [
                name for name in _words_of(picture, other, _INSTALL) if name in gone and name not in here
            ]
            names = [name for name in names if name not in set(_words_of(picture, other, _REMOVE))]
            if names:
                yield Removal(run, other, tuple(dict.fromkeys(names)), packages=True)


def _words_of(picture: Picture, run: Instruction, verbs: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    for command in _script(picture, run).commands:
        words = [word.literal or "" for word in command.args]
        plain = [
            word
            for at, word in enumerate(words)
            if not word.startswith("-") or (at and words[at - 1] in ("-t", "--virtual"))
        ]
        if plain and plain[0] in verbs.get(command.program or "", ()):
            yield from (re.split(r"[=<>~]", word)[0] for word in plain[1:] if word)


def _script(picture: Picture, run: Instruction) -> shell.Script:
    return picture.script_of(run).script


# what helps


def advice(picture: Picture, removal: Removal) -> str | Sentence:
    """The form that keeps the removed things out of the image, for this case."""
    stored = removal.stored_by
    if removal.packages:
        return say(
            "remove them in the RUN that installs them ({}), or install them in their own stage",
            stored,
        )
    if stored.keyword == "RUN":
        return say("remove it in the RUN that makes it ({})", stored)
    if removal.moved:
        return say("copy to the final place in {}", stored)
    sources = [picture.expand(stored, word.text) or word.text for word in stored.words[:-1]]
    if any("://" in source for source in sources):
        return say("download, use and remove it in one RUN instead of the ADD of {}", stored)
    flag = stored.flag("from")
    if len(sources) > 1 or len(removal.names) > 1 or not re.search(r"\.\w+$", sources[0]):
        rest = (
            "leave the rest out in the stage before" if flag is not None else "list the rest in .dockerignore"
        )
        return say("let {} copy only what stays: name it, or {}", stored, rest)
    source = sources[0]
    uses = [command for command in _script(picture, removal.instruction).commands if command.program == "tar"]
    strips = any("--strip" in word.text for command in uses for word in command.args)
    if flag is None and source.endswith(_TARS) and uses and not strips:
        try:
            return (
                f"ADD {writing.pattern(source)} unpacks it without a copy of the archive; `tar` and `rm` go"
            )
        except Unwritable:
            return "use ADD, which unpacks it without a copy of the archive; `tar` and `rm` go"
    if re.search(r"[*?\[]", source):
        return "use it in a stage before, and copy the result (COPY --from)"
    origin = {"from_": flag.value or ""} if flag is not None else {}
    try:
        mount = writing.mount(type="bind", **origin, source=source, target=removal.names[0])
    except Unwritable:
        return "use it in a stage before, and copy the result (COPY --from)"
    return f"RUN {mount} reads it without storing it (BuildKit; `rm` goes); otherwise use it in a stage before, and copy the result"
