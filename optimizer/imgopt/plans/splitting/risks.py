"""What could make a difference to an application that no longer runs beside its sources."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from imgopt.errors import ContextError
from imgopt.finding import Reason, because
from imgopt.java import building
from imgopt.java.sources import is_code, reads_its_project
from imgopt.plans.splitting.effects import shown
from imgopt.plans.splitting.project import Project, below
from imgopt.plans.splitting.stage import Stage, run_time_user
from imgopt.shell import all_commands
from imgopt.users import ROOT_NAMES

if TYPE_CHECKING:
    from pathlib import Path


def risk(project: Project, stage: Stage) -> Reason | None:
    """The first difference that the split could make, as a sentence; None when it is shown that there is none."""
    return (
        _unread(project, stage)
        or _read_beside_it(project)
        or _started_otherwise(project)
        or _owner(project)
        or _contents(project)
    )


def _place(project: Project) -> str:
    return next((home for home in project.homes if below(project.workdir, home)), project.homes[0])


def _sources(project: Project) -> list[tuple[str, Path]]:
    found = []
    for file in project.sources:
        name = project.relative(file.path)
        web = any(below(file.path, home) for home in project.web_homes)
        of_the_build = name.startswith(("buildSrc/", "build-logic/", ".mvn/")) or name.endswith(".gradle.kts")
        if file.origin is not None and not web and not of_the_build and "/" in name:
            found.append((name, file.origin))
    return found


def _unread(project: Project, stage: Stage) -> Reason | None:
    if stage.unseen is None and any(is_code(name) for name, _ in _sources(project)):
        return None
    return because(
        "unseen",
        "the application may read other files of {}, which stay behind in the build stage",
        _place(project),
    )


def _read_beside_it(project: Project) -> Reason | None:
    names = {"src", "target", "build"} | {
        file.path[len(home.rstrip("/")) + 1 :].partition("/")[0]
        for file in project.sources
        for home in project.homes
        if below(file.path, home)
    }
    found = reads_its_project(_sources(project), project.homes, names)
    if found is None:
        return None
    return because("certain", "{}, and {} stays behind in the build stage", found, _place(project))


def _started_otherwise(project: Project) -> Reason | None:
    """A file beside this one that has a build tool run in the container."""
    for where, text in project.picture.running.said_elsewhere:
        for command in all_commands(text):
            if building.program_of(command) in building.TOOLS:
                return because(
                    "certain", "{} calls `{}`, which the image would no longer have", where, shown(command)
                )
    return None


def _owner(project: Project) -> Reason | None:
    """A user who is not root may have owned, and so been able to write, what the build left."""
    user = run_time_user(project)
    if user in ROOT_NAMES:
        return None
    for line in project.before:
        owner = line.instruction.flag("chown") if line.instruction.keyword in ("COPY", "ADD") else None
        if owner is not None and (owner.value or "").partition(":")[0] not in ROOT_NAMES:
            return because(
                "certain",
                "{} gives the project to {}; the application, run as {}, may write there",
                line.where,
                owner.value or "",
                user,
            )
        if line.instruction.keyword != "RUN":
            continue
        if line.user not in ROOT_NAMES:
            return because(
                "certain",
                "{} runs as {}, and the application may write to what that leaves",
                line.where,
                line.user,
            )
        for call in project.calls(line):
            if call.program in ("chown", "chgrp") and project.jar in call.paths[1:]:
                return because(
                    "certain",
                    "{} changes the owner of {}, which a COPY gives to root",
                    line.where,
                    project.jar,
                )
    return None


def _contents(project: Project) -> Reason | None:
    """Whether the jar is known to hold its libraries."""
    picture = project.picture
    file = picture.final.content.files.get(project.jar)
    jar = picture.jars(file.origin) if file is not None and file.origin is not None else None
    if jar is not None and jar.kind in ("spring-boot", "spring-boot-war", "shaded"):
        return None
    if _is_repackaged(project):
        return None
    return because(
        "not-known",
        "whether {} holds its libraries or needs files beside it is not known",
        posixpath.basename(project.jar),
    )


def _is_repackaged(project: Project) -> bool:
    from imgopt.java.build_files import read_build_files

    context = project.picture.context
    made = project.made_from() or project.jar
    if context is None or made.endswith("-plain.jar"):
        return False
    directory = building.project_of(made)
    for file in project.sources:
        if (
            file.origin is not None
            and posixpath.dirname(file.path) == directory
            and posixpath.basename(file.path) in building.BUILD_FILES
        ):
            try:
                facts = read_build_files(file.origin.parent, context.root)
            except ContextError:
                continue
            if facts is not None:
                return bool(facts.repackaged)
    return False
