"""What `apt-get install` brings because somebody only recommends it, and the install that leaves it out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.dockerfile import Edit
from imgopt.light.records import dataclass
from imgopt.os_packages import commands as packages
from imgopt.os_packages.apt_figures import REFERENCE, Packages, packages_of
from imgopt.picture.runs import Run, behind, runs_of

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.os_packages.commands import PackageCommand
    from imgopt.picture import Picture

#: Without it curl, wget and git refuse HTTPS: it is named in the install instead of being left out.
CERTIFICATES = "ca-certificates"


@dataclass(frozen=True)
class Recommended:
    """One RUN's recommended packages, largest first, as Debian packages them. ``here``: the figures are those of the
    base's own release. ``kept`` are the packages that the edits name, because the file needs them."""

    run: Run
    names: tuple[str, ...]
    deb_bytes: int
    figures: Packages
    here: bool
    kept: tuple[str, ...]
    edits: tuple[Edit, ...]


def recommended(picture: Picture) -> Iterator[Recommended]:
    """Every RUN of the final image that installs recommended packages of which figures are known."""
    base = picture.base
    if base.os not in ("debian", "ubuntu") or "APT::Install-Recommends" in picture.document.text:
        return
    own = packages_of(base.os_version) if base.os == "debian" else None
    figures = own or packages_of(REFERENCE)
    assert figures is not None
    sizes = figures.bytes
    used = _programs(picture)
    runs = [(run, _installs(run)) for run in runs_of(picture.final)]
    asked = {name for _, installs in runs for _, names in installs for name in names}
    present = asked | _all(asked, figures.needs)
    for run, installs in runs:
        extra: set[str] = set()
        wide: list[PackageCommand] = []
        for call, names in installs:
            if call.recommends and call.program in ("apt", "apt-get"):
                wide.append(call)
                extra |= _all({name for name in names if not _is_there(name, base)}, figures.recommends)
        extra = {name for name in extra - present if not _is_there(name, base)}
        kept = {name for name in extra if name == CERTIFICATES or packages.commands_of(name, "apt") & used}
        lost = extra - kept - _all(kept, figures.needs)
        present |= extra
        if lost:
            yield Recommended(
                run,
                tuple(sorted(lost, key=lambda name: (-sizes.get(name, 0), name))),
                sum(sizes.get(name, 0) for name in lost),
                figures,
                own is not None,
                tuple(sorted(kept)),
                _edits(picture, run, wide, sorted(kept)) if run.editable else (),
            )


def _all(names: Iterable[str], table: Mapping[str, frozenset[str]]) -> set[str]:
    return {each for name in names for each in table.get(name, ())}


def _installs(run: Run) -> list[tuple[PackageCommand, set[str]]]:
    """apt's installs, each with the packages that the RUN does not remove again."""
    calls = [call for call in map(packages.read, run.commands) if call is not None and call.manager == "apt"]
    removed = {name for call in calls if call.action == "remove" for name in call.names}
    return [(call, _names(call) - removed) for call in calls if call.action == "install"]


def _names(call: PackageCommand) -> set[str]:
    """The packages' bare names: `curl=7.88*`, `curl:amd64` and `curl/bookworm` are curl."""
    return {re.split(r"[=:/]", name)[0] for name in call.names if name and not name.startswith(("/", "./"))}


def _is_there(name: str, base: Base) -> bool:
    """Whether the base image brings the package."""
    commands = packages.commands_of(name, "apt")
    return name in base.has or (bool(commands) and commands <= base.has)


def _programs(picture: Picture) -> set[str]:
    """Every program that the final image's instructions and scripts call by name."""
    texts = [text for _, text in (*picture.commands(), *picture.start_scripts)]
    return {
        posixpath.basename(word)
        for text in texts
        for command in shell.parse(text).commands
        for word in (command.words[0].literal or "" if command.words else "",)
    }


def _edits(picture: Picture, run: Run, calls: list[PackageCommand], kept: list[str]) -> tuple[Edit, ...]:
    edits: list[Edit] = []
    for call in calls:
        assert call.verb is not None
        edits.append(behind(picture.document, run, call.verb.end, " --no-install-recommends"))
    if kept and calls[-1].packages:
        last = calls[-1].packages[-1]
        at = run.span(last.start, last.end)
        line = picture.document.text[picture.document.text.rfind("\n", 0, at.start) + 1 : at.start]
        separator = " "
        if run.heredoc is None and not line.strip() and at.start > run.instruction.keyword_span.end:
            separator = f" {picture.document.escape}{picture.document.newline}{line}"
        edits.append(behind(picture.document, run, last.end, "".join(separator + name for name in kept)))
    return tuple(edits)
