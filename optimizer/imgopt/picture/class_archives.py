"""What a Java virtual machine writes down for its next start, and where the final image has it from.

CDS archives, AOT caches, OpenJ9's shared classes, CRaC's checkpoints: each is bound to the build of the virtual machine
that wrote it (of a JDK and the JRE linked from it neither takes the other's), and most to the class path and to the
times of its jars. Measured with 17.0.15 and 25: a directory on the class path ends the training run with exit code 1
("Cannot have non-empty directory in paths"), ``-Xshare:on`` and ``AOTMode=on`` end the start with it, and without them
the archive is passed over in silence.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice

from imgopt.dockerfile import Instruction
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture.java_options import JavaOption, covers, options_of
from imgopt.picture.paths import join, normal
from imgopt.picture.picture import Picture, StagePicture, once
from imgopt.picture.placing import fills_directory

CDS, AOT, SHARED, CHECKPOINT = "CDS archive", "AOT cache", "cache of shared classes", "checkpoint"
_READS = {
    "-XX:SharedArchiveFile": CDS,
    "-XX:AOTCache": AOT,
    "-XX:AOTConfiguration": AOT,
    "-XX:AOTLibrary": AOT,
    "-XX:CacheDataStore": AOT,
    "-XX:CRaCRestoreFrom": CHECKPOINT,
}
_WRITES = {
    "-XX:ArchiveClassesAtExit": CDS,
    "-XX:AOTCacheOutput": AOT,
    "-XX:CacheDataStore": AOT,
    "-XX:CRaCCheckpointTo": CHECKPOINT,
}
#: With this beside it, a virtual machine writes what the other option names.
_WRITTEN_WITH = {
    "-Xshare:dump": "-XX:SharedArchiveFile",
    "-XX:+AutoCreateSharedArchive": "-XX:SharedArchiveFile",
    "-XX:AOTMode=create": "-XX:AOTCache",
    "-XX:AOTMode=record": "-XX:AOTConfiguration",
}
_SUFFIXES = {".jsa": CDS, ".aot": AOT, ".aotconf": AOT}
#: Copies of copies double with each stage.
_MOST_IN_A_STAGE = 20
_TRAINING = regex(r"-Dspring\.context\.exit=onRefresh", re.IGNORECASE)


@dataclass(frozen=True)
class ClassArchive:
    """``named``: the line or file of the final image that names it or brings it. ``made``: the line, file or stage that
    makes it, None where nothing in the file does. ``trained``: the stage that it comes from, None for one of the final
    image's own virtual machine (``here``) or from elsewhere.
    """

    what: str
    named: Instruction | str
    made: Instruction | str | None
    trained: StagePicture | None = None
    here: bool = False
    carried: bool = False  # ``named`` is a COPY or ADD
    classes: bool = True  # bound to the application's class path


@once
def class_archives(picture: Picture) -> tuple[ClassArchive, ...]:
    """Every archive that a virtual machine of the final image writes or is given; those from elsewhere first."""
    own = options_of(picture, picture.final)
    written = list(_written(own))
    found = [
        ClassArchive(what, option.where, option.where, here=True, classes=what != SHARED)
        for option, what in written
    ]
    found += [
        ClassArchive(CDS, option.where, option.where, here=True)
        for option in own
        if option.text.startswith("-XX:SharedClassListFile=")
        and any(each.text == "-Xshare:dump" for each in own)
    ]
    if not found:
        found += [
            ClassArchive(CDS, option.where, option.where, here=True)
            for option in own
            if _TRAINING.match(option.text) and _in_a_run(option)
        ]
    brought = list(_brought(picture))
    ours = bool(found)
    found = brought + found
    if not brought and not ours:
        for option in own:
            what = _what(option, _READS)
            if what is not None:
                found.append(ClassArchive(what, option.where, None))
    return tuple(found)


def _in_a_run(option: JavaOption) -> bool:
    return isinstance(option.where, Instruction) and option.where.keyword == "RUN"


def _what(option: JavaOption, table: dict[str, str]) -> str | None:
    return table.get(option.text.partition("=")[0]) if option.value else None


def _written(options: tuple[JavaOption, ...]) -> Iterator[tuple[JavaOption, str]]:
    """The options by which something is written, with what."""
    beside = {_WRITTEN_WITH[option.text] for option in options if option.text in _WRITTEN_WITH}
    for option in options:
        name = option.text.partition("=")[0]
        what = _what(option, _WRITES) or (_READS[name] if name in beside and option.value else None)
        if what is not None:
            yield option, what
        elif option.text.startswith("-Xshareclasses:") and "none" not in option.text:
            yield option, SHARED


# what stages hand on


@dataclass(frozen=True)
class _Lying:
    """An archive in a stage. ``path`` is None where that cannot be told."""

    path: str | None
    what: str
    made: Instruction | str | None
    stage: StagePicture | None


def _brought(picture: Picture) -> Iterator[ClassArchive]:
    for copy, lying in _copied(picture, picture.final):
        yield ClassArchive(lying.what, copy, lying.made, lying.stage, carried=True)


@once
def _known(picture: Picture) -> dict[int, tuple[_Lying, ...]]:
    return {}


def _in_stage(picture: Picture, stage: StagePicture) -> tuple[_Lying, ...]:
    """The archives in a stage, each place once."""
    known = _known(picture)
    if stage.index not in known:
        places = {(lying.path, lying.what): lying for lying in _lying(picture, stage)}
        known[stage.index] = tuple(islice(places.values(), _MOST_IN_A_STAGE))
    return known[stage.index]


def _lying(picture: Picture, stage: StagePicture) -> Iterator[_Lying]:
    options = options_of(picture, stage)
    made = False
    for option, what in _written(options):
        made = True
        yield _Lying(_place(option, what), what, option.where, stage)
    if not made:
        for option in options:
            if _TRAINING.match(option.text) and _in_a_run(option):
                yield _Lying(None, CDS, option.where, stage)
    for _, lying in _copied(picture, stage):
        yield lying


def _place(option: JavaOption, what: str) -> str | None:
    if what != SHARED:
        return option.path
    named = re.search(r"cacheDir=([^,\s]+)", option.text)
    return normal(named[1]) if named is not None and named[1].startswith("/") else None


def _copied(picture: Picture, top: StagePicture) -> Iterator[tuple[Instruction, _Lying]]:
    """What COPY and ADD bring into a stage, from the context, from images and from other stages."""
    names = {name: stage for stage in picture.stages for name in (str(stage.index), stage.name.lower())}
    for stage in top.lineage:
        for copy in stage.stage.instructions:
            if copy.keyword not in ("COPY", "ADD") or len(copy.words) < 2:
                continue
            flag = copy.flag("from")
            origin = names.get((flag.value or "").lower()) if flag is not None else None
            if origin is None or origin.index >= stage.index:
                for what in _by_suffix(picture, copy):
                    yield copy, _Lying(_file_target(picture, copy), what, None, None)
                continue
            for lying in _in_stage(picture, origin):
                for moved in _moved(picture, copy, lying):
                    yield copy, moved


def _by_suffix(picture: Picture, copy: Instruction) -> set[str]:
    layer = picture.layer_of(copy)
    names = [picture.expand(copy, word.text) or word.text for word in copy.words]
    names += [file.path for file in (layer.files if layer is not None else ())]
    return {what for name in names for suffix, what in _SUFFIXES.items() if name.endswith(suffix)}


def _file_target(picture: Picture, copy: Instruction) -> str | None:
    target = picture.target_of(copy)
    return target if target is not None and target.endswith(tuple(_SUFFIXES)) else None


def _moved(picture: Picture, copy: Instruction, lying: _Lying) -> Iterator[_Lying]:
    """The archive where this COPY puts it; nothing where it leaves it behind."""
    layer = picture.layer_of(copy)
    for word in copy.words[:-1]:
        source = picture.expand(copy, word.text)
        if lying.path is None or source is None:
            # everything that is copied may be the archive, but for files that are known to be others
            if layer is None or not layer.complete or not layer.files:
                yield _Lying(None, lying.what, lying.made, lying.stage)
                return
            continue
        source = normal("/" + source)
        target = picture.target_of(copy)
        parts = lying.path.split("/")
        depth = source.count("/") + 1 if source != "/" else 1
        above = "/".join(parts[:depth]) or "/"
        if source != "/" and not _matches(above, source):
            continue
        below = "/".join(parts[depth:])
        if target is None:
            yield _Lying(None, lying.what, lying.made, lying.stage)
        elif below:
            yield _Lying(join(target, below), lying.what, lying.made, lying.stage)
        else:
            into = fills_directory(copy.words[-1].text, copy.words[:-1])
            name = posixpath.basename(lying.path)
            yield _Lying(join(target, name) if into else target, lying.what, lying.made, lying.stage)
        return


def _matches(path: str, pattern: str) -> bool:
    if "*" not in pattern and "?" not in pattern and "[" not in pattern:
        return covers(pattern, path)
    return fnmatchcase(path, pattern)


def brings_archives_alone(picture: Picture) -> tuple[Instruction, ...]:
    """The COPY and ADD lines of the final image that bring archives and nothing else, by their names."""
    return tuple(
        archive.named
        for archive in class_archives(picture)
        if archive.carried
        and isinstance(archive.named, Instruction)
        and all(word.text.endswith(tuple(_SUFFIXES)) for word in archive.named.words[:-1])
    )
