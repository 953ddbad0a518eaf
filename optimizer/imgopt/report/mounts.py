"""Whether a registry mounts, and the way round where it does not: sentences, the same for people and for pull requests."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from imgopt.registry.result import Bandwidth, Mounts
from imgopt.report.layout import Line, dim, visible, wrapped
from imgopt.report.markdown import prose
from imgopt.units import duration, megabytes

_PRICE = (
    "price: one set of rights, one rule for what is kept and one quota for all modules; what expects a repository for each "
    "image (deployments, scanners) has to be told the tag"
)


def sentences(found: Bandwidth, mounts: Mounts) -> list[str]:
    """The answer first, then what to do."""
    said = [_answer(mounts)]
    if mounts.answer:
        said.append(
            f"several images: `imgopt push --all LIST` sends a layer once for all repositories{_of(mounts)}"
        )
    elif mounts.answer is None:
        said.append("to know it: --sibling REPO, a second repository here that this login may push to")
    else:
        said += [_one_repository(found), _saved(found, mounts), _PRICE]
    return said


def _of(mounts: Mounts) -> str:
    """As far as it was tried: a registry may mount inside a project only."""
    both = zip(mounts.source.split("/")[:-1], (mounts.into or "").split("/")[:-1], strict=False)
    common = "/".join(own for own, _ in takewhile(lambda pair: pair[0] == pair[1], both))
    return f" below {common}; --sibling REPO tries one that lies elsewhere" if common else ""


def _answer(mounts: Mounts) -> str:
    pair = f"tried with 1 kB, from {mounts.source} into {mounts.into}"
    if mounts.answer is None:
        return f"mounts: not known, because {mounts.why}" + (f" ({pair})" if mounts.into else "")
    return f"mounts: {'yes' if mounts.answer else 'no'}, {mounts.why} ({pair})"


def _one_repository(found: Bandwidth) -> str:
    return (
        "each repository is sent every layer, the base too. Advice: push all modules to one repository, the module in the tag "
        f"({found.target}:MODULE-1), where each layer is sent once"
    )


def _saved(found: Bandwidth, mounts: Mounts) -> str:
    if mounts.image_bytes is None:
        return f"saves: unknown, because {mounts.source} has no image whose layers could tell"
    seconds = duration(mounts.image_bytes / found.bytes_per_s)
    return (
        f"saves: what modules have in common, for each module but the first: of all layers of {mounts.source}:{mounts.tag} "
        f"at most {megabytes(mounts.image_bytes)}, {seconds} (the registry's manifest, at the rate measured here)"
    )


def text(found: Bandwidth, mounts: Mounts, width: int) -> list[Line]:
    lines: list[Line] = []
    for said in sentences(found, mounts):
        lines += wrapped(said, width, first=(("  ", ""),), indent=4)
    return lines + [dim(f"  stays there: {visible(each)}") for each in mounts.left]


def markdown(found: Bandwidth, mounts: Mounts) -> str:
    said = [*sentences(found, mounts), *(f"stays there: {each}" for each in mounts.left)]
    return "".join(f"- {prose(each)}\n" for each in said)


def mounts_object(found: Bandwidth, mounts: Mounts) -> dict[str, Any]:
    """``supported`` is null where it is not known, and then ``why`` says why; ``advice`` is empty but where it is false."""
    image = None
    if mounts.image_bytes is not None:
        image = {"tag": mounts.tag, "compressed_bytes": mounts.image_bytes}
    return {
        "supported": mounts.answer,
        "from": mounts.source,
        "into": mounts.into,
        "why": mounts.why,
        "left": list(mounts.left),
        "image": image,
        "advice": sentences(found, mounts)[1:] if mounts.answer is False else [],
        "basis": "unknown" if mounts.answer is None else "measured",
    }
