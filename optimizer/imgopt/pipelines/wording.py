"""The words that rules for CI files share: amounts, times, the names of pushes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from imgopt.pipelines.model import Push, Recipe, Timeout
from imgopt.pipelines.sending import Pair
from imgopt.scales import Sum
from imgopt.units import duration, megabytes, rate

#: A limit should leave this much above the predicted time: links are not even.
MARGIN = 1.25
RUN_TOOLS = {
    "kaniko": "kaniko",
    "docker": "docker push",
    "buildx": "docker buildx build --push",
    "buildctl": "buildctl",
    "buildah": "buildah push",
    "podman": "podman push",
    "skopeo": "skopeo copy",
    "nerdctl": "nerdctl push",
    "img": "img push",
    "crane": "crane push",
    "jib": "Jib",
    "build-image": "Spring Boot's build-image",
    "docker-maven-plugin": "docker-maven-plugin",
    "dockerfile-maven": "dockerfile-maven-plugin",
    "jkube": "JKube",
    "pack": "pack build --publish",
}


def known(each: Sum) -> bool:
    return each.told is not None


def amount(each: Sum) -> str:
    """``65.6 MB``, ``at least 65.6 MB``, ``an unknown amount``."""
    if each.told is None:
        return "an unknown amount"
    return megabytes(each.told) if each.complete else f"at least {megabytes(each.told)}"


def less(one: Sum, other: Sum) -> bool:
    """Whether an amount that is fully known is less than another."""
    return one.value is not None and one.complete and other.value is not None and one.value < other.value


def instead(push: Push, lacking: Pair, sent: Sum, how: str) -> str:
    """``; with `how` and the rewrite of a/Dockerfile it is 0.006 MB, and one of the two alone changes nothing``, where that is less
    and known."""
    if not less(lacking.after, sent):
        return ""
    told = f"; with {how}"
    if push.recipe.rewritten:
        told += f" and the rewrite of {push.recipe.path}"
    told += f" it is {amount(lacking.after)}"
    alone = lacking.before
    if push.recipe.rewritten and alone.complete and alone.value is not None and not less(alone, sent):
        told += ", and one of the two alone changes nothing"
    return told


def time(seconds: float, of: Sum) -> str:
    return duration(seconds) if of.complete else f"at least {duration(seconds)}"


def at(bytes_per_s: int) -> str:
    return f"at {rate(bytes_per_s)}"


def enough(seconds: float) -> int:
    """Whole minutes, in seconds, that leave a margin."""
    return max(60, math.ceil(seconds * MARGIN / 60) * 60)


def limit_text(timeout: Timeout, seconds: int) -> str:
    """Another limit, as the file would write it. ``seconds`` are whole minutes."""
    minutes = seconds // 60
    if timeout.by == "shell":
        return f"timeout {seconds}"
    if timeout.by == "jenkins":
        return f"timeout(time: {minutes}, unit: 'MINUTES')"
    if timeout.by == "github":
        return f"timeout-minutes: {minutes}"
    return f"timeout: {minutes} minutes"


def images(pushes: Sequence[Push]) -> str:
    """``a/Dockerfile``, ``a/Dockerfile and b/Dockerfile``, ``13 images``."""
    paths = list(dict.fromkeys(push.recipe.path for push in pushes if push.recipe.path))
    if len(pushes) > 2 or len(paths) > 2:
        return f"{len(pushes)} images"
    named = " and ".join(paths) if paths else "the image"
    platforms = list(dict.fromkeys(each for push in pushes for each in push.recipe.platforms))
    return f"{named} for {' and '.join(platforms)}" if len(platforms) > 1 else named


def unknown(push: Push) -> str:
    recipe = push.recipe
    if recipe.why is None and recipe.unseen is not None:
        return f"{recipe.path}: {recipe.unseen}"
    return recipe.why or "what it sends is not known"


def reasons(recipes: Iterable[Recipe]) -> tuple[tuple[str, int], ...]:
    """Why a part of what images weigh is not known, each reason once, and of how many images it is said."""
    found: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        why = recipe.why or recipe.unseen
        if why is not None:
            found.setdefault(why, []).append(recipe)
    told = []
    for why, group in found.items():
        more = f" and {len(group) - 1} more" if len(group) > 1 else ""
        path = f"{group[0].path}{more}: " if group[0].why is None else ""
        told.append((f"{path}{why}", len(group)))
    return tuple(told)
