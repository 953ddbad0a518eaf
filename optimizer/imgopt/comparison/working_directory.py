"""Who owns the working directory of an image, and whether the process of a container may write into it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from imgopt.comparison.checks import Check
from imgopt.comparison.layer_entries import tar_of
from imgopt.files.tar import Metadata
from imgopt.images.model import OpenImage
from imgopt.light.records import dataclass, replace
from imgopt.users import name_of, number_in, uid_of

NAME = "working directory"
#: Nobody has more users.
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class WorkingDirectory:
    """``user`` as the config names it. ``owner`` and ``group`` are numbers, ``mode`` the permission bits, None where no layer
    has the directory: engines make it when a container starts. ``writable`` is None where it cannot be told, ``why`` says
    why."""

    path: str
    user: str
    owner: int | None
    group: int | None
    mode: int | None
    writable: bool | None
    why: str | None = None

    @property
    def shown(self) -> str:
        if self.mode is None:
            where = f"{self.path}, which no layer has"
        else:
            where = f"{self.path} of {self.owner}:{self.group}, mode {self.mode:04o}"
        may = {True: "can write there", False: "cannot write there", None: "may or may not write there"}
        return f"{where}; {self.user or 'root'} {may[self.writable]}"


def working_directory(opened: OpenImage) -> WorkingDirectory:
    """Of an image. Reads layers from the top one down until one has it. InputError when a layer is damaged."""
    found = opened.image.config.get("config")
    config = found if isinstance(found, Mapping) else {}
    path = posixpath.normpath("/" + str(config.get("WorkingDir") or "/").lstrip("/"))
    user = str(config.get("User") or "")
    wanted = {path.strip("/")} if path != "/" else set()
    uid, why = uid_of(user, None)
    if uid != 0:
        wanted |= {"etc/passwd", "etc/group"}
    members, contents = _newest(opened, wanted) if wanted else ({}, {})
    passwd, groups = (contents.get(name) for name in ("etc/passwd", "etc/group"))
    if uid is None:
        uid, why = uid_of(user, passwd)
    member = members.get(path.strip("/"))
    owner, group, mode = (None, None, None) if path != "/" else (0, 0, 0o755)
    if member is not None and member.type != b"5":
        return WorkingDirectory(path, user, None, None, None, None, f"{path} is not a directory")
    if member is not None:
        owner, group, mode = *member.owner[:2], member.mode & 0o7777
    if uid == 0:
        return WorkingDirectory(path, user, owner, group, mode, True)
    if uid is None or mode is None:
        return WorkingDirectory(
            path, user, owner, group, mode, None, why or "engines make it in ways of their own"
        )
    bit = 0o200 if uid == owner else 0o020 if group in _groups(user, uid, passwd, groups) else 0o002
    return WorkingDirectory(path, user, owner, group, mode, bool(mode & bit))


def compare_directories(before: WorkingDirectory, after: WorkingDirectory) -> Check:
    shown = before.shown, after.shown
    if before.writable is None or after.writable is None:
        if (before.owner, before.group, before.mode) == (after.owner, after.group, after.mode):
            return Check(NAME, *shown, "same")
        return Check(NAME, *shown, "unknown", before.why or after.why)
    if before.writable and not after.writable:
        return Check(NAME, *shown, "different", f"{before.user} can no longer write there")
    if after.writable and not before.writable:
        reason = f"{after.user} can write there as well; BuildKit gives it the directory in the original, too"
        return Check(NAME, *shown, "expected", reason)
    if before.shown == after.shown:
        return Check(NAME, *shown, "same")
    return Check(NAME, *shown, "expected", "another owner or mode, and the process may do the same there")


def _newest(opened: OpenImage, wanted: set[str]) -> tuple[dict[str, Metadata], dict[str, bytes]]:
    """Of each wanted path the entry that is seen in the end, and the contents of files."""
    members: dict[str, Metadata] = {}
    contents: dict[str, bytes] = {}
    hidden: set[str] = set()
    for index in reversed(range(len(opened.image.layers))):
        missing = wanted - members.keys() - hidden
        if not missing:
            break
        here: dict[str, Metadata] = {}
        gone: set[str] = set()
        with opened.open_tar(index) as stream:
            tar = tar_of(stream)
            for entry in tar:
                name = entry.path.strip("/")
                if name in missing:
                    header = tar.metadata()
                    here[name] = replace(header, type=b"5") if entry.kind == "directory" else header
                    if entry.kind == "file" and entry.stored_bytes <= _MOST_BYTES:
                        contents[name] = b"".join(tar.chunks())
                gone |= {path for path in missing if _hides(name, path)}
        members.update(here)
        hidden |= gone - here.keys()
    return members, contents


def _hides(name: str, path: str) -> bool:
    """Whether a whiteout of this name takes away what layers below have at ``path``."""
    directory, base = posixpath.split(name)
    if base == ".wh..wh..opq":
        return not directory or path.startswith(directory + "/")
    target = posixpath.join(directory, base.removeprefix(".wh."))
    return base.startswith(".wh.") and (path == target or path.startswith(target + "/"))


def _groups(user: str, uid: int, passwd: bytes | None, group: bytes | None) -> set[int]:
    """The groups of the process, as runc gives them: of USER:GROUP that one alone, else the user's own and those that
    list it; 0 for a number that /etc/passwd does not know."""
    rows = _rows(group)
    _, colon, named = user.partition(":")
    if colon and named:
        number = number_in(named)
        return {number} if number is not None else {gid for name, gid, _ in rows if name == named}
    name = name_of(user)
    found = {0}
    for row in _fields(passwd):
        if len(row) > 3 and (row[0] == name or number_in(row[2]) == uid):
            name, found = row[0], {number_in(row[3]) or 0}
            break
    return found | {gid for _, gid, members in rows if name in members}


def _fields(text: bytes | None) -> list[list[str]]:
    return [line.strip().split(":") for line in (text or b"").decode("utf-8", "replace").split("\n")]


def _rows(group: bytes | None) -> list[tuple[str, int, list[str]]]:
    rows = (row for row in _fields(group) if len(row) > 2)
    return [(row[0], number_in(row[2]) or 0, row[3].split(",") if len(row) > 3 else []) for row in rows]
