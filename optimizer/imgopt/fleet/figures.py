"""What a fleet pushes, and what would be saved: each byte once, and what is not known never counted as nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from imgopt.fleet.plan import File
from imgopt.fleet.survey import Fleet, Weighed
from imgopt.fleet.weighing import Blob, once, summed
from imgopt.light.records import dataclass
from imgopt.scales import BASES, Basis, Sum, total
from imgopt.suggest.result import FileReport, ReleaseLimit

Release = Literal["first", "bump", "next"]
Column = Literal["now", "after", "planned", "best"]
RELEASES: tuple[Release, ...] = ("first", "bump", "next")
COLUMNS: tuple[Column, ...] = ("now", "after", "planned", "best")
#: A version more, or a base more, that costs less is not worth a line.
_LEAST_BYTES = 100_000


@dataclass(frozen=True)
class Action:
    """One thing to do. ``first`` and ``bump``: bytes less of a first push and of a patch, over the images of which all is known,
    each byte told by one action; None where none of them is."""

    name: Literal["mount", "rewrite", "plan"]
    first: int | None
    bump: int | None
    images: int  # that it changes
    basis: Basis
    complete: bool


@dataclass(frozen=True)
class Drift:
    """An artifact in several versions: ``versions`` with the modules that have each, ``bytes`` of all but the largest."""

    artifact: str
    versions: tuple[tuple[str, int], ...]
    bytes: int


@dataclass(frozen=True)
class Bases:
    """The bases after the rewrite, with the images on each. ``bytes``: more than the largest alone would be; None where a size
    is not known."""

    names: tuple[tuple[str, int], ...]
    bytes: int | None


@dataclass(frozen=True)
class Row:
    """A module with an image. ``shared``: bytes of libraries that another module has, too; ``own``: of its others and of its
    classes; None where its archive is not there."""

    weighed: Weighed
    archive: int | None
    shared: int | None
    own: int | None


@dataclass(frozen=True)
class Figures:
    """``sums``: of each release and column. ``shares_base_now``: CI pushes one by one from one daemon, which has the base
    mounted. ``distance``: how many times the new files of a patch it sends with the plan, None where that is not known."""

    sums: dict[tuple[Release, Column], Sum]
    shares_base_now: bool
    rows: tuple[Row, ...]
    actions: tuple[Action, ...]
    drift: tuple[Drift, ...]
    bases: Bases | None
    limits: tuple[tuple[str, ReleaseLimit], ...]
    distance: dict[Release, float | None]


def figures(fleet: Fleet) -> Figures:
    images = fleet.images
    shares = _shares_base(fleet.pipelines)
    sums: dict[tuple[Release, Column], Sum] = {}
    for release in RELEASES:
        sums[release, "now"] = _sum(_each([each.now for each in images], shares), release)
        sums[release, "after"] = _sum(_each([each.after for each in images], shares), release)
        sums[release, "planned"] = _sum(once(blob for each in images for blob in each.best), release)
        sums[release, "best"] = _bound(images, release)
    distance: dict[Release, float | None] = {}
    for release in RELEASES:
        planned, best = sums[release, "planned"], sums[release, "best"]
        known = planned.complete and best.complete and planned.value is not None and best.value
        distance[release] = (
            planned.value / best.value if known and planned.value is not None and best.value else None
        )
    limits = [
        (report.path, limit)
        for report in fleet.pipelines
        if report.pipeline is not None and report.pipeline.release is not None
        for limit in report.pipeline.release.limits
    ]
    return Figures(
        sums,
        shares,
        tuple(_rows(images)),
        tuple(_actions(fleet, shares)),
        tuple(_drift(images)),
        _bases(images),
        tuple(limits),
        distance,
    )


def _sum(blobs: Iterable[Blob], release: Release) -> Sum:
    """What a release sends of them."""
    blobs = list(blobs)
    if release == "first":
        return summed(blobs)
    if release == "next":
        return summed(blob for blob in blobs if blob.released)
    unknown = any(blob.bumped is None for blob in blobs)
    found = summed(blob for blob in blobs if blob.bumped)
    basis: Basis = found.basis if found.value is None else "predicted"
    if unknown and not found.value:
        return Sum(None, "unknown", False)
    return Sum(found.value, basis, found.complete and not unknown)


def _each(images: Iterable[Sequence[Blob]], shares_base: bool) -> list[Blob]:
    """The blobs as each repository gets its own; those of bases once where they are mounted."""
    blobs = [blob for image in images for blob in image]
    if not shares_base:
        return blobs
    own = [blob for blob in blobs if not blob.from_base]
    return [*once(blob for blob in blobs if blob.from_base), *own]


def _bound(images: Sequence[Weighed], release: Release) -> Sum:
    """Each base, each library and all that is an image's own once: no plan can send less."""
    parts: list[tuple[int | None, Basis]] = []
    complete = True
    libraries: dict[object, File] = {}
    blobs = once(blob for each in images for blob in each.best)
    if release == "first":
        parts += [(blob.bytes, blob.basis) for blob in blobs if blob.from_base]
    for each in images:
        known = {file.identity: file for _, file in each.libraries}
        own = [blob for blob in each.best if not blob.from_base]
        if release == "first":
            sent = own
        else:
            sent = [blob for blob in own if blob.released]
            complete = complete and (release == "next" or all(blob.bumped is not None for blob in own))
        names = {name for blob in sent for name in blob.holds}
        inside = {library.file for library, _ in each.libraries}
        in_layers = any(blob.holds for blob in own)
        held = inside & names if in_layers else inside
        size = summed(sent)
        packed = [file.bytes for library, file in each.libraries if library.file in held]
        complete = complete and size.complete and None not in packed
        if size.value is not None:
            parts.append((max(0, size.value - sum(count or 0 for count in packed)), size.basis))
        elif sent:
            parts.append((None, "unknown"))
        if release == "first":
            libraries.update(known)
        elif release == "bump":
            libraries.update({identity: file for identity, file in known.items() if file.moves})
    parts += [(file.bytes, "measured") for file in libraries.values()]
    found = total(parts)
    basis: Basis = "predicted" if release == "bump" and found.value is not None else found.basis
    return Sum(found.value, basis, found.complete and complete)


def _shares_base(pipelines: Sequence[FileReport]) -> bool:
    pushes = [push for each in pipelines if each.pipeline is not None for push in each.pipeline.pushes]
    return len(pushes) > 1 and all(push.tool == "docker" and not push.at_once for push in pushes)


def _rows(images: Sequence[Weighed]) -> Iterable[Row]:
    holders = Counter(
        identity for each in images for identity in {file.identity for _, file in each.libraries}
    )
    for each in images:
        if each.jar is None:
            yield Row(each, None, None, None)
            continue
        sizes = [(file.bytes, holders[file.identity] > 1) for _, file in each.libraries]
        if any(size is None for size, _ in sizes):
            yield Row(each, each.jar.bytes, None, None)
            continue
        shared = sum(size or 0 for size, several in sizes if several)
        yield Row(each, each.jar.bytes, shared, max(0, each.jar.bytes - shared))


def _actions(fleet: Fleet, shares: bool) -> Iterable[Action]:
    """In the order in which each is worth what it says."""
    images = [each for each in fleet.images if each.complete]
    if not images:
        return
    complete = len(images) == len(fleet.images)
    now = [blob for each in images for blob in each.now]
    after = [blob for each in images for blob in each.after]
    best = [blob for each in images for blob in each.best]
    steps = [_each([each.now for each in images], shares), once(now), once(after), once(best)]
    basis = max((blob.basis for blob in (*now, *after, *best)), key=BASES.index)
    changed = [
        len(images),
        sum(each.report.rewrite.changed for each in images),
        sum(each.report_then is not None for each in images),
    ]
    names: tuple[Literal["mount", "rewrite", "plan"], ...] = ("mount", "rewrite", "plan")
    for name, count, before, then in zip(names, changed, steps, steps[1:], strict=False):
        first, bump = (_less(_sum(before, release), _sum(then, release)) for release in ("first", "bump"))
        if (first or 0) >= _LEAST_BYTES or (bump or 0) >= _LEAST_BYTES:
            yield Action(name, first, bump, count, basis, complete)


def _less(before: Sum, after: Sum) -> int | None:
    if before.value is None or after.value is None or not (before.complete and after.complete):
        return None
    return before.value - after.value


def _drift(images: Sequence[Weighed]) -> Iterable[Drift]:
    versions: dict[str, dict[str, tuple[int, int]]] = {}
    for each in images:
        for library, file in each.libraries:
            if library.artifact is None or library.version is None:
                continue
            name = library.artifact + (f":{library.classifier}" if library.classifier else "")
            known = versions.setdefault(name, {})
            count, _ = known.get(library.version, (0, 0))
            known[library.version] = count + 1, file.bytes or 0
    found = []
    for name, known in versions.items():
        if len(known) > 1:
            sizes = sorted(size for _, size in known.values())
            told = tuple(sorted((version, count) for version, (count, _) in known.items()))
            found.append(Drift(name, told, sum(sizes[:-1])))
    return sorted((each for each in found if each.bytes), key=lambda each: (-each.bytes, each.artifact))


def _bases(images: Sequence[Weighed]) -> Bases | None:
    """None where all stand on one."""
    names: Counter[str] = Counter()
    blobs: dict[str, list[Blob]] = {}
    for each in images:
        base = [blob for blob in each.best if blob.from_base]
        if base:
            name = base[0].instruction.removeprefix("FROM ")
            names[name] += 1
            blobs.setdefault(name, base)
    if len(names) < 2:
        return None
    sizes = [summed(each) for each in blobs.values()]
    together = summed(once(blob for each in blobs.values() for blob in each))
    if together.value is None or not together.complete:
        return Bases(tuple(names.most_common()), None)
    return Bases(tuple(names.most_common()), together.value - max(size.value or 0 for size in sizes))


def per_image(weighed: Weighed) -> Callable[[Release, Column], Sum]:
    """What one image pushes by itself, into a registry that has nothing of it."""
    of = {"now": weighed.now, "after": weighed.after, "planned": weighed.best}

    def told(release: Release, column: Column) -> Sum:
        return _sum(of[column], release)

    return told


def sent_once(fleet: Fleet, release: Release) -> Sum:
    """What all images send as they are now, each blob once."""
    return _sum(once(blob for each in fleet.images for blob in each.now), release)
