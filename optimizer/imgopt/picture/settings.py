"""What is in force where an instruction stands: the working directory, and the SHELL that reads a RUN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imgopt.dockerfile import Dockerfile, expand
from imgopt.light.records import dataclass, replace
from imgopt.picture.paths import seen_from
from imgopt.picture.scripts import SH


@dataclass(frozen=True)
class Setting:
    """``workdir`` is None when it cannot be told. Images from outside are taken to start in ``/``, and to have no SHELL
    of their own, as those with nothing but Java do."""

    workdir: str | None = "/"
    shell: tuple[str, ...] = SH


def settings(document: Dockerfile, scopes: Sequence[Mapping[str, str | None]]) -> tuple[Setting, ...]:
    """By the number of the instruction; of a WORKDIR or SHELL, what was in force before it."""
    found = [Setting()] * len(document.instructions)
    after: dict[str, Setting] = {}  # by the name of the stage
    for stage in document.stages:
        base = expand(stage.image.text, scopes[stage.from_.number], document.escape).value
        now = after.get((base or "").lower(), Setting())
        for each in stage.instructions:
            found[each.number] = now
            if each.keyword == "WORKDIR":
                path = expand(each.text, scopes[each.number], document.escape).value
                now = replace(now, workdir=seen_from(now.workdir, path))
            elif each.keyword == "SHELL" and each.json:
                now = replace(now, shell=each.json)
        if stage.name:
            after[stage.name.lower()] = now
    return tuple(found)
