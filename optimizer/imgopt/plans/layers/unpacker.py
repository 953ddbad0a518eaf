"""Chooses the image that unpacks the application: one that the build has anyway, and a maintained one where there is
none.

Unpacking only moves files, so any Java that can run the jar's own jar mode will do. What counts is what a fresh agent
pulls for it, and that the stage does not begin with an image that nobody mends any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from imgopt.dockerfile import assignments, writing
from imgopt.dockerfile.faults import first_fault
from imgopt.finding import Reason, Refused, because
from imgopt.java.distributions import JavaKind
from imgopt.light.records import dataclass
from imgopt.picture import Picture, StagePicture
from imgopt.plans.base import installed_java, runtime
from imgopt.plans.base.java_version import java_needed
from imgopt.scales import Applicability

if TYPE_CHECKING:
    from imgopt.bases import Base

#: What holds the program `jar`.
JDKS: Final = ("jdk", "build")

#: The releases that are built for years, oldest first.
_LONG_LIVED = (8, 11, 17, 21, 25)


@dataclass(frozen=True)
class Unpacker:
    """``image``: as it is written behind FROM, with the ``platform`` flag before it; ``base`` is what is known of it.
    ``pulled``: what a fresh agent pulls for this stage alone; ``risk``: why that may not be there.
    """

    image: str
    base: Base
    platform: str | None = None
    pulled: str | None = None
    risk: Reason | None = None


def jdk(picture: Picture) -> Unpacker:
    """A JDK, which has the program `jar`, in an image with `find`. Refused where no image can be named at all."""
    found = _at_hand(picture, JDKS)
    if found is None:
        _require_image(picture)
        found = _maintained(picture, "jdk")
    return found


def java(picture: Picture) -> Unpacker:
    """Any Java: the image that the final stage stands on, in the rewrite as well, or else another one."""
    found = _target(picture) or _at_hand(picture, ("jre", "jdk", "build"))
    if found is None:
        _require_image(picture)
        found = _own(picture) or _maintained(picture, "jre")
    return found


def _target(picture: Picture) -> Unpacker | None:
    """The base that the final stage gets in place of its own."""
    choice = runtime.choose(picture)
    level = Applicability.UNSAFE if picture.options.unsafe else Applicability.SAFE
    target = choice.target
    if target is None or choice.applicability < level or not _unpacks(target, ("jre", "jdk"), 17):
        return None
    return Unpacker(writing.image(target.name), target, _platform(picture, picture.final.root))


def _own(picture: Picture) -> Unpacker | None:
    """A base of the author's own, which starts the application with the Java that it has."""
    root, base = picture.final.root, picture.base
    path = any(
        assignment.name == "PATH"
        for instruction in picture.final.instructions()
        if instruction.keyword == "ENV"
        for assignment in assignments(instruction)
    )
    artifact = picture.artifact
    started = artifact is not None and artifact.started
    if base.kind != "unknown" or installed_java.brought(picture) or path or not started:
        return None
    risk = because(
        "not-known", "{} unpacks the jar, for which it has to have java, sh, mv and touch", base.name
    )
    return Unpacker(_as_written(root), base, _platform(picture, root), risk=risk)


def _unpacks(base: Base, kinds: tuple[str, ...], oldest: int, *, or_unknown: bool = False) -> bool:
    return (
        base.kind in kinds
        and base.os not in ("windows", "distroless")
        and "sh" not in base.lacks
        and base.retired is None
        and (kinds != JDKS or "find" in base.has)
        and (base.java_major >= oldest if base.java_major is not None else or_unknown)
    )


def _require_image(picture: Picture) -> None:
    """What the stage is built on tells where images come from, and for which system."""
    root = picture.final.root
    if root.image is None:
        raise Refused(
            "the base comes from a build argument without a default ({}); give it with --build-arg",
            root.stage.image.text,
        )
    fault = first_fault(picture.document, picture.options.build_args)
    if fault is not None and fault.instruction is root.stage.from_:
        raise Refused("{} names no image as it is", fault.instruction)
    if picture.base.os == "windows":
        raise Refused("the image runs on Windows, and what unpacks the jar is written for sh")


def _at_hand(picture: Picture, kinds: tuple[str, ...]) -> Unpacker | None:
    """An image that the build pulls already: the final base, or that of another stage."""
    oldest = _oldest(picture)
    for stage in (picture.final.root, *reversed(picture.stages)):
        if stage.parent is not None or stage.image is None:
            continue
        base = picture.identify(stage.image)
        if _unpacks(base, kinds, oldest, or_unknown=stage is picture.final.root):
            return Unpacker(_as_written(stage), base, _platform(picture, stage))
    return None


def _oldest(picture: Picture) -> int:
    """The oldest Java that runs the jar's own jar mode, whatever the application needs beside it."""
    from imgopt.java.spring_boot import version_tuple

    artifact, facts = picture.artifact, picture.build_facts
    jar = artifact.jar if artifact is not None else None
    told = (
        jar.spring_boot if jar is not None else picture.options.spring_boot or (facts and facts.spring_boot)
    )
    version = version_tuple(told or None)
    return 8 if version is not None and version < (3, 0, 0) else 17


def _as_written(stage: StagePicture) -> str:
    """An ARG that holds the whole image or tag may get another default for the final stage."""
    written = stage.stage.image.text
    return writing.image(stage.image or "") if re.search(r"\$\{?\w+\}?$", written) else written


def _platform(picture: Picture, stage: StagePicture) -> str | None:
    flag = stage.stage.platform
    return picture.document.text[flag.span.start : flag.span.end] if flag is not None else None


def _maintained(picture: Picture, kind: JavaKind) -> Unpacker:
    """An image that is pulled for this stage alone, from where the file's own images come."""
    from imgopt.bases import mirror_has, on_mirror

    found = next(_candidates(picture, kind))
    base = picture.base
    beside = base if base.mirror is not None else _mirrored(picture) or base
    image = on_mirror(found, beside)
    risk: Reason | None = None
    if base.kind == "unknown" and not installed_java.find(picture):
        risk = because("not-known", "the build has to reach {}, with which the jar is unpacked", image.name)
    elif not mirror_has(beside, image):
        risk = because(
            "not-known",
            "the build has to reach {}, with which the jar is unpacked: whether {} has it is not known",
            image.name,
            beside.mirror or "",
        )
    return Unpacker(writing.image(image.name), image, pulled=_pulled(picture, image), risk=risk)


def _mirrored(picture: Picture) -> Base | None:
    """The base of another stage that comes from a mirror, where the final one says nothing of one."""
    bases = (picture.base_of(stage) for stage in picture.stages if stage.parent is None)
    known = picture.base.kind != "unknown"
    return None if known else next((base for base in bases if base.mirror is not None), None)


def _candidates(picture: Picture, kind: JavaKind) -> Iterator[Base]:
    """Images of the final base's family, then Temurin's, as new as the application needs."""
    from imgopt.bases import counterparts, identify

    base = picture.base
    libcs = dict.fromkeys((base.libc or "glibc", "glibc"))
    if base.java_major is not None:
        for libc in libcs:
            for found in counterparts(base, kind=kind, libc=libc, platforms=picture.platforms):
                tools = "find" in found.has if kind == "jdk" else "sh" not in found.lacks
                if tools and found.retired is None and found.family in (base.family, "eclipse-temurin"):
                    yield found
    installed = installed_java.unpacking_image(picture, kind)
    if installed is not None:
        yield installed
    needed = java_needed(picture)
    oldest = max(needed.major if needed is not None else 17, _oldest(picture))
    major = next((each for each in _LONG_LIVED if each >= oldest), _LONG_LIVED[-1])
    for suffix in ("-alpine", "") if base.libc == "musl" else ("",):
        image = identify(f"eclipse-temurin:{major}-{kind}{suffix}")
        if set(picture.platforms) <= set(image.platforms):
            yield image
    raise Refused(
        "no Java that is built for {} is known, to unpack the jar with", ", ".join(picture.platforms)
    )


def _pulled(picture: Picture, image: Base) -> str:
    from imgopt.bases import size_of
    from imgopt.units import megabytes

    size = size_of(image, picture.platform)
    if size is None or size.compressed_bytes is None:
        return image.name
    return f"{image.name} ({megabytes(size.compressed_bytes)})"
