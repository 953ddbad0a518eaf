"""Where a COPY or ADD puts things, as far as its words tell without the image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from imgopt.dockerfile import Instruction, expand
from imgopt.picture.paths import seen_from


def target_of(
    copy: Instruction, workdir: str | None, scope: Mapping[str, str | None], escape: str
) -> str | None:
    """The path that a COPY gives as its target, absolute: of the file itself, or of the directory that it fills. None
    where a variable without a value is in it, or where it is relative to a directory that is not known. Builders
    expand variables in the JSON form, too."""
    if not copy.words:
        return None
    return seen_from(workdir, expand(copy.words[-1].text, scope, escape).value)


def names_archive(source: str) -> bool:
    """Whether a source means jars or wars by its words: ``app.jar``, ``*.jar``, and ``*jar`` without the dot."""
    return re.search(r"(?:\.|[*?\]])[jw]ar$", source.strip("\"'")) is not None


def fills_directory(target: str, sources: Sequence[object]) -> bool:
    """Whether a COPY's words say that its target is a directory; otherwise the image decides, where one may be."""
    bare = target.strip("\"'")
    return bare.endswith(("/", "/.")) or bare in (".", "..") or len(sources) > 1
