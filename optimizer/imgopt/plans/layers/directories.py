"""Who owns a directory that the final stage has before whole trees are copied over it, and how it stays theirs.

Measured: BuildKit gives the directory that a WORKDIR makes, and new ones above it, to the user in force; kaniko 1.24 the
directory alone, and takes it back with a COPY from a stage whose directory is root's; the classic builder and buildah
give it to root. A COPY of a tree gives the directories in it the
owner that they have there, on all of them. `COPY --chown` looks a user up as WORKDIR does, so one more COPY, of the empty
directory, gives it back without its number being known; the files stay root's, and so do the layers that modules
share.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from imgopt.dockerfile import Instruction
from imgopt.finding import Reason, Refused, because
from imgopt.light.records import dataclass
from imgopt.picture import Picture
from imgopt.picture.paths import join
from imgopt.picture.reach import contains
from imgopt.plans.waste.ownership import group_of, makes_group, names_directory, reowned_by
from imgopt.users import ROOT_NAMES

ROOT = "0:0"
#: Users of base images whose group has another name, by number: Debian's, Ubuntu's and Alpine's `nobody`.
_PART = r"(?:\$\w+|\$\{\w+\}|[\w.-])+"
_NUMBERS = {"nobody": "65534:65534"}


@dataclass(frozen=True)
class Owner:
    """``chown``: as `COPY --chown` takes it, at the place where ``given_by`` stands. ``given_by``: the instruction that
    made the directory; None where nothing of the file did."""

    chown: str
    given_by: Instruction | None = None

    @property
    def is_root(self) -> bool:
        return self.chown.partition(":")[0] in ROOT_NAMES

    def is_like(self, chown: str) -> bool:
        """Whether ``--chown=`` gives the same: a group that only one of them names is the user's own."""
        (user, _, group), (other, _, other_group) = self.chown.partition(":"), chown.partition(":")
        if user in ROOT_NAMES:
            return other in ROOT_NAMES
        return user == other and (group == other_group or not group or not other_group)


def owner_of(picture: Picture, directory: str, before: Instruction) -> Owner:
    """The owner that ``directory`` has in the final stage when ``before`` is reached. Refused where a RUN may have
    changed owner or mode, or where the user cannot be told."""
    user = picture.base.user or ""
    made: Owner | None = None
    for instruction in picture.final.instructions():
        if instruction is before:
            break
        if instruction.keyword == "USER":
            user = instruction.text
        elif instruction.keyword == "RUN" and (
            reowned_by(picture, instruction, directory) or names_directory(picture, instruction, directory)
        ):
            raise Refused(
                "{} prepares {}, whose owner or mode copying whole trees would change", instruction, directory
            )
        elif made is not None:
            continue
        elif instruction.keyword == "WORKDIR":
            value, workdir = picture.expand(instruction, instruction.text), picture.workdir_at(instruction)
            path = join(workdir, value) if value is not None and workdir is not None else None
            if path is None and _name(picture, instruction, user) not in ROOT_NAMES:
                raise Refused(
                    "which directory {} makes for {} cannot be determined",
                    instruction,
                    user,
                    kind="not-known",
                )
            if path is not None and contains(directory, path):
                made = Owner(user, instruction)
        elif instruction.keyword in ("COPY", "ADD"):
            place = picture.target_of(instruction)
            if place is not None and contains(directory, place):
                made = _by_copy(instruction)
    return made or Owner("")


def _by_copy(copy: Instruction) -> Owner:
    flag = copy.flag("chown")
    return Owner((flag.value or "") if flag is not None else "", copy)


def owner_given_by(picture: Picture, directory: str, copies: Sequence[Instruction]) -> Owner:
    """The owner that ``directory`` has behind ``copies`` as they stand: where nothing makes it before, the first of them
    does, with its own owner."""
    found = owner_of(picture, directory, copies[0])
    return found if found.given_by is not None else _by_copy(copies[0])


def _name(picture: Picture, instruction: Instruction, user: str) -> str | None:
    value = picture.expand(instruction, user)
    return value.partition(":")[0] if value is not None else None


def chown_for(picture: Picture, owner: Owner, at: Instruction) -> str:
    """What to write behind ``--chown=`` beside ``at``, so that every builder gives the directory to its owner. Refused
    where one may not find the group: the classic builder looks for one with the user's name."""
    if owner.is_root:
        return ROOT
    written = owner.chown
    made_by = owner.given_by
    value = picture.expand(made_by, written) if made_by is not None else written
    if value is None or (made_by is not None and picture.expand(at, written) != value):
        raise Refused("which user {} is cannot be determined", written, kind="not-known")
    if not re.fullmatch(rf"{_PART}(?::{_PART})?", written):
        raise Refused("the user {} is written in a form that is not moved", written)
    name, _, group = value.partition(":")
    if name in ROOT_NAMES:
        return ROOT
    if group or name.isdigit():
        return written
    if name in _NUMBERS:
        return _NUMBERS[name]
    runs = [
        other for other in picture.final.instructions() if other.keyword == "RUN" and other.number < at.number
    ]
    if name == picture.base.user or any(makes_group(picture, run, name) for run in runs):
        return written
    for run in runs:
        found = group_of(picture, run, name)
        if found is not None:
            return f"{written}:{found}"
    raise Refused(
        "which group {} has is decided by the image; name it, too (USER {}:GROUP)",
        name,
        name,
        kind="not-known",
    )


def unknown_owner(picture: Picture, directory: str, owner: Owner) -> Reason | None:
    """A base image that is not known may have the directory already, with an owner of its own."""
    last = picture.final.last("USER")
    starts_as_root = last is not None and _name(picture, last, last.text) in ROOT_NAMES
    if picture.base.kind != "unknown" or starts_as_root:
        return None
    return because(
        "not-known",
        "{} may have {} with its own owner, which copying whole trees would change; declare the image under [bases] in imgopt.toml",
        picture.base.name,
        directory,
    )


def above(directory: str) -> str:
    """The directory in which ``directory`` lies."""
    return posixpath.dirname(directory) or "/"
