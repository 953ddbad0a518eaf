"""What the gate judges: an image that was measured, or one that a Dockerfile would make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from imgopt.gate.budgets import FORBIDDEN, Forbidden
from imgopt.inspection.places import NAMES, What
from imgopt.light.records import dataclass, field, replace
from imgopt.scales import SAID_BYTES, Basis, Sum
from imgopt.suggest.sentence import sentence
from imgopt.units import megabytes
from imgopt.users import name_of

if TYPE_CHECKING:
    from imgopt.inspection.image import Contents, InspectedLayer, Inspection
    from imgopt.suggest.result import FileReport
    from imgopt.weigh.weights import ImageWeight, LayerWeight

#: The parts of an image that are remembered to say what grew; smaller ones are not worth a name.
LEAST_PART_BYTES = 100_000
MOST_PARTS = 100
ATTESTATION = "attestation"
#: So little is left by tools that clean up behind themselves.
_TRACES: Mapping[Forbidden, int] = {"build-tools": 100_000, "package-cache": 64_000}


@dataclass(frozen=True, slots=True)
class Layer:
    """``line`` is the Dockerfile's, 0 where there is none. ``changes_each_release`` None: nobody can tell.

    ``stands_for``: the compressed bytes of the layers that this one is told instead of, where it is a whole base image;
    None where they are not known, () where it is one layer.
    """

    number: int
    command: str
    diff_id: str | None
    digest: str | None
    compressed_bytes: int | None
    uncompressed_bytes: int | None
    basis: Basis
    changes_each_release: bool | None
    line: int = 0
    stands_for: tuple[int, ...] | None = ()
    changes_each_bump: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """A rule of ``suggest`` that would save bytes, and how many. ``when``: of which budget ("first", "next",
    "unpacked")."""

    rule: str
    bytes: int | None
    when: str
    basis: Basis
    message: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """``name`` is its key in the baseline; ``names`` is what globs are held against. ``forbidden`` has, of what can
    be told, a sentence for what is there and None for what is not; ``untold`` why something cannot be told: of those
    names, and of ``next-push``; ``beside`` what is there that is not forbidden, and near to it. ``parts``: the largest files (and libraries in
    jars) with their bytes. ``path``: a Dockerfile, where it is predicted, and ``file`` what was said of it. ``several``: the target has more platforms;
    ``attached``: digests and bytes of the attestations that are pushed with it. Of a prediction ``elsewhere`` are the
    layers that further platforms add to the push, ``together`` how many platforms that one is of, and ``others`` the
    images of the further ones."""

    target: str
    name: str
    names: tuple[str, ...]
    layers: tuple[Layer, ...]
    compressed: Sum
    uncompressed: Sum
    wasted_bytes: int | None = None
    efficiency: float | None = None
    forbidden: Mapping[str, str | None] = field(default_factory=dict)
    untold: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    advice: tuple[Advice, ...] = ()
    wasted: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    rewritten: ImageWeight | None = None
    compressed_here: bool = False
    notes: tuple[str, ...] = ()
    file: FileReport | None = None
    platform: str = ""
    several: bool = False
    attached: tuple[tuple[str, int | None], ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[Layer, ...] = ()
    together: int = 1
    others: tuple[Subject, ...] = ()
    spring_boot: bool = False

    @property
    def pushed(self) -> tuple[Layer, ...]:
        """What a push of it sends."""
        return (*self.layers, *self.elsewhere)

    @property
    def bare(self) -> str:
        """The name without the platform that it has where there are several."""
        return self.name.removesuffix(f" ({self.platform})")

    @property
    def label(self) -> str:
        """The target, and of several platforms which one."""
        return f"{self.target} ({self.platform})" if self.several else self.target

    @property
    def predicted(self) -> bool:
        return self.path is not None

    @property
    def changing(self) -> tuple[Layer, ...] | None:
        """The layers that a release changes, by what they hold; None where it cannot be told."""
        if any(layer.changes_each_release is None for layer in self.pushed):
            return None
        return tuple(layer for layer in self.pushed if layer.changes_each_release) or None


def sent_once(layers: Iterable[Layer]) -> list[Layer]:
    """Each blob once, however many layers (of however many platforms) it is: as a registry stores it."""
    found: dict[object, Layer] = {}
    for layer in layers:
        found.setdefault(layer.digest or layer.diff_id or id(layer), layer)
    return list(found.values())


def attestations(subjects: Iterable[Subject]) -> list[Layer]:
    """The attestations that are pushed with images, as layers of no image."""
    attached = dict(each for subject in subjects for each in subject.attached)
    return [
        Layer(0, ATTESTATION, None, digest, size, size, "unknown" if size is None else "measured", True)
        for digest, size in attached.items()
    ]


def image_name(target: str, reference: str) -> str:
    """What an image is called in a baseline: without tag and digest, which change with each release."""
    if reference == target and not target.startswith("docker:") and _is_path(target):
        return target
    name = reference.removeprefix("docker:")
    last = name.rpartition("/")[2]
    if "@" in last or ":" in last or reference != target:
        name = name.partition("@")[0]
        head, slash, last = name.rpartition("/")
        bare = head + slash + last.partition(":")[0]
        if "/" in bare or ":" in name or target.startswith("docker:"):
            return bare
        return target  # a layout's tag alone names nothing
    return name


def _is_path(target: str) -> bool:
    from pathlib import Path

    try:
        return Path(target).exists()
    except (OSError, ValueError):
        return False


def of_image(found: Inspection, name: str | None) -> Subject:
    contents = found.contents
    key = name or image_name(found.target, found.reference)
    names = (
        key,
        found.target,
        found.target.removeprefix("docker:"),
        found.reference,
        found.target.rpartition("/")[2],
    )
    forbidden: dict[str, str | None] = {}
    untold: dict[str, str] = {}
    if found.root is None:
        untold["root-user"] = found.user_untold or "its user cannot be determined"
    else:
        forbidden["root-user"] = _root(found.user) if found.root else None
    if contents is None:
        untold |= dict.fromkeys(("jdk", *_TRACES, "next-push"), "the layers were not read")
    else:
        for what, least in _TRACES.items():
            forbidden[what] = _there(contents, found.layers, what, least)  # type: ignore[arg-type]
        forbidden["jdk"] = _jdk(contents, found.layers)
        if "application" in contents.untold:
            untold["next-push"] = contents.untold["application"]
        for name in (*_TRACES, "jdk"):
            why = contents.untold.get(name)  # type: ignore[arg-type]
            if why is not None and forbidden[name] is None:
                del forbidden[name]
                untold[name] = why
    return Subject(
        found.target,
        key,
        tuple(dict.fromkeys(names)),
        tuple(
            Layer(
                layer.number,
                layer.command,
                layer.diff_id,
                layer.digest,
                layer.compressed_bytes,
                layer.uncompressed_bytes,
                layer.basis,
                layer.changes_each_release,
                changes_each_bump=layer.changes_each_bump,
            )
            for layer in found.layers
        ),
        found.compressed,
        found.uncompressed,
        contents.wasted_bytes if contents is not None else None,
        contents.efficiency if contents is not None else None,
        forbidden,
        untold,
        _parts(found),
        tuple(_advice(found)),
        tuple((each.path, each.bytes) for each in contents.wasted[:5]) if contents is not None else (),
        compressed_here=found.compressed_here,
        notes=found.notes,
        platform=found.platform,
        several=bool(found.family.platforms),
        attached=found.family.attached,
        beside=_beside(contents),
        spring_boot=contents is not None and contents.spring_boot is not None,
    )


def _there(contents: Contents, layers: tuple[InspectedLayer, ...], what: What, least: int) -> str | None:
    size = contents.stored.get(what, 0)
    if size <= least:
        return None
    numbers = [
        layer.number for layer in layers if any(each.what == what and each.bytes for each in layer.holds)
    ]
    where = f"layer {', '.join(map(str, numbers))}"
    return f"{NAMES[what]} ({megabytes(size)}) lie in {where}"


def _jdk(contents: Contents, layers: tuple[InspectedLayer, ...]) -> str | None:
    """A compiler is enough, however few bytes are its own (a link has none)."""
    homes = [home for home in contents.homes if home.jdk]
    if not homes:
        return None
    size = contents.stored.get("jdk", 0)
    numbers = [str(layer.number) for layer in layers if any(each.what == "jdk" for each in layer.holds)]
    where = f", layer {', '.join(numbers)}" if numbers else ""
    shown = ", ".join(home.path or "/" for home in homes)
    gone = all(contents.files.resolve(home.sign) is None for home in homes)
    removed = "; a later layer removes it, and it is pushed all the same" if gone else ""
    amount = f" ({megabytes(size)})" if size else ""
    return f"a JDK{amount} lies in {shown}{where} (by {homes[0].sign}){removed}"


def _beside(contents: Contents | None) -> dict[str, str]:
    if contents is None or not contents.compiling:
        return {}
    first, *more = contents.compiling
    others = f" and {len(more)} more" if more else ""
    return {
        "jdk": f"its runtime holds the compiler's module ({first}{others}), as that of many a JRE does, and there is no javac"
    }


def _root(user: str) -> str:
    if not user:
        return "it runs as root: no USER is set"
    return f"it runs as {user}" + ("" if name_of(user) in ("root", "0") else ", which is root")


def _parts(found: Inspection) -> dict[str, int]:
    sizes: dict[str, int] = {}
    contents = found.contents
    if contents is None:
        return sizes
    for path, node in contents.files.files():
        if node.size >= LEAST_PART_BYTES:
            sizes[path] = node.size
    for each in contents.jars:
        if each.jar is not None:
            sizes |= {
                f"{each.path}!/{library.path}": library.bytes
                for library in each.jar.libraries
                if library.bytes >= LEAST_PART_BYTES
            }
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:MOST_PARTS]
    return {path: sizes[path] for path in sorted(largest)}


def _advice(found: Inspection) -> list[Advice]:
    """The rules whose waste is seen in the image itself; ``suggest`` on the Dockerfile says more exactly."""
    contents = found.contents
    if contents is None:
        return []
    advice: list[Advice] = []

    def add(rule: str, size: int, when: str, message: str) -> None:
        if size >= 1_000_000:
            advice.append(Advice(rule, size, when, "measured", message))

    stored = contents.stored
    add("jdk-runtime", stored.get("jdk", 0), "unpacked", "a JDK is in the image, a JRE is enough to run")
    add("build-tools", stored.get("build-tools", 0), "unpacked", "build tools are in the image")
    add("package-cache", stored.get("package-cache", 0), "unpacked", "package caches are in the image")
    for each in contents.wasted:
        last = found.layers[each.layers[-1]]
        command = last.command
        if each.removed:
            add(
                "deleted-later",
                each.bytes,
                "unpacked",
                f"{each.path} is removed in layer {last.number}, and stays below",
            )
            continue
        jar_again = each.path.endswith((".jar", ".war"))
        changed = any(word in command for word in ("chown", "chmod", "chgrp"))
        if changed or jar_again:
            rule = "recursive-chown" if changed else "jar-stored-twice"
            message = f"layer {last.number} stores {each.path} once more"
            add(rule, each.bytes, "unpacked", message)
            if jar_again and last.changes_each_release:  # then each release sends it twice
                add(rule, each.bytes, "next", message)
    for jar in contents.jars:
        if jar.jar is not None and jar.jar.kind in ("spring-boot", "spring-boot-war"):
            libraries = sum(library.bytes for library in jar.jar.libraries)
            add(
                "fat-jar-layer",
                libraries,
                "next",
                f"the libraries in {jar.path} are pushed again with each release",
            )
    return advice


def of_dockerfile(report: FileReport, name: str | None) -> Subject:
    """What a Dockerfile as it stands would make, by suggest's prediction."""
    prediction = report.prediction
    weight = prediction.before if prediction is not None else None
    seen = report.foreseen
    untold = dict(seen.untold) if seen is not None else {}
    there = dict(seen.there) if seen is not None else {}
    forbidden: dict[str, str | None] = {
        name: there.get(name) for name in FORBIDDEN if seen is not None and name not in untold
    }
    advice = []
    for finding, saving in report.findings:
        for when in ("first", "next"):
            count = None if saving is None else getattr(saving, f"{when}_push_bytes")
            if count is not None and count < SAID_BYTES:
                continue
            basis: Basis = saving.basis if saving is not None and count is not None else "unknown"
            advice.append(Advice(finding.rule, count, when, basis, sentence(finding.message), finding.line))
    key = name or report.path
    layers = weight.layers if weight is not None else ()
    unknown = Sum(None, "unknown", False)
    subject = Subject(
        report.path,
        key,
        tuple(dict.fromkeys((key, report.path))),
        _layers_of(layers),
        weight.compressed if weight is not None else unknown,
        weight.uncompressed if weight is not None else unknown,
        forbidden=forbidden,
        untold=untold,
        advice=tuple(advice),
        path=report.path,
        rewritten=prediction.after if prediction is not None and report.rewrite.changed else None,
        file=report,
        platform=report.platform,
        elsewhere=_layers_of(weight.elsewhere if weight is not None else ()),
        together=len(report.platforms) or 1,
        spring_boot=weight is not None and weight.spring_boot is not None,
    )
    others = tuple(
        replace(
            subject,
            platform=each.platforms[0],
            layers=_layers_of(each.layers),
            compressed=each.compressed,
            uncompressed=each.uncompressed,
        )
        for each in (weight.others if weight is not None else ())
    )
    return replace(subject, others=others)


def _layers_of(layers: Sequence[LayerWeight]) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            number,
            layer.instruction,
            None,
            None,
            layer.compressed_bytes,
            layer.uncompressed_bytes,
            layer.basis,
            layer.changes_each_release,
            layer.line,
            layer.base_layers if layer.from_base else (),
            layer.changes_each_bump,
        )
        for number, layer in _numbered(layers)
    )


def _numbered(layers: Sequence[LayerWeight]) -> Iterator[tuple[int, LayerWeight]]:
    """What is not known of a layer has its number."""
    number = 0
    for layer in layers:
        number += not layer.rest
        yield number, layer
