"""What the container runs, the image that it can run on, and what that image has not."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from imgopt.dockerfile import Instruction, writing
from imgopt.finding import Reason, Refused, because
from imgopt.java import building
from imgopt.java.command import JavaCall, calls_in_script
from imgopt.os_packages import commands as packages
from imgopt.plans.splitting.effects import short, shown
from imgopt.shell import all_commands

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.picture import Picture

#: Images without a WORKDIR of their own: relative paths count from ``/``.
_AT_ROOT = frozenset(
    (
        "eclipse-temurin openjdk java amazoncorretto zulu liberica sapmachine ibm-semeru-runtimes "
        "microsoft-openjdk adoptopenjdk dragonwell maven debian ubuntu alpine"
    ).split()
)


class Obstacle(Refused):
    """Carries the reason why a stage is not split."""


def run_time_texts(picture: Picture) -> Iterator[tuple[str | Instruction, str]]:
    """What runs in the container, as shell text with where it stands: start command, health check, scripts."""
    for process in picture.running.processes:
        elsewhere = isinstance(process.where, str)  # a build tool there is a risk, which `risks` tells
        if not (elsewhere and _runs_build_tool(process.text)):
            yield process.where, process.text
    yield from ((f"the script {file.path}", text) for file, text in picture.started_scripts)


def _runs_build_tool(text: str) -> bool:
    return any(building.program_of(command) in building.TOOLS for command in all_commands(text))


def java_calls(picture: Picture) -> tuple[JavaCall, ...]:
    """Every `java` call of the start command and of the scripts that it runs."""
    found: list[JavaCall] = []
    for process in picture.running.starts:
        found += picture.calls_of(process)
    for _, text in picture.started_scripts:
        found += calls_in_script(text, picture.environment)
    return tuple(found)


def started_jar(picture: Picture) -> str:
    """The one jar that the container starts, as an absolute path."""
    where = picture.start_commands[0]
    jars: set[str] = set()
    for call in java_calls(picture):
        if call.jar is None and call.main_class is None:
            continue  # `java -version` and the like
        if call.jar is None:
            raise Obstacle("{} starts a class from a class path, not a jar", where)
        if re.search(r"[*?\[]", call.jar):
            raise Obstacle(
                "{} starts {}, and which file that is only shows when it runs",
                where,
                call.jar,
                kind="not-known",
            )
        if "$" in call.jar:
            raise Obstacle(
                "{} starts {}, whose value is not known beforehand", where, call.jar, kind="not-known"
            )
        jars.add(picture.at_start(call.jar.strip("\"'")))
    if len(jars) != 1:
        raise Obstacle("{} starts {}", where, "several jars" if jars else "no jar")
    jar = jars.pop()
    if re.search(r"[\"'\\]", jar):
        raise Obstacle("the path {} cannot be written in a COPY as it is", jar)
    if "/quarkus-app/" in jar:
        raise Obstacle("a Quarkus application is a whole directory, which is not split off")
    return jar


# what has to be so, whatever is done


def require_plain(picture: Picture) -> None:
    """The file can be taken apart, and what it starts is a Java application that needs no build tool."""
    if "{{" in picture.document.text:
        raise Obstacle("the file is a template ({{ }}), which has to be filled in first")
    if picture.final is not picture.stages[-1]:
        raise Obstacle("the stage asked for with --target is not the last one")
    root = picture.final.root
    if root.image is None:
        raise Obstacle("the base comes from a build argument without a default ({})", root.stage.image.text)
    if picture.base.os == "windows":
        raise Obstacle("the stage stands on Windows")
    for instruction in picture.final.instructions():
        if instruction.keyword == "ONBUILD":
            raise Obstacle("{} has an ONBUILD, which acts in images built on this one", instruction)
        if instruction.heredocs:
            raise Obstacle("{} has a here-document, which is not taken apart", instruction)
    if not picture.start_commands:
        raise Obstacle(
            "the file sets no ENTRYPOINT and no CMD, so what runs in the image cannot be determined",
            kind="not-known",
        )
    for where, text in run_time_texts(picture):
        for command in all_commands(text):
            if building.program_of(command) in building.TOOLS:
                raise Obstacle(
                    "{} calls `{}` when the container runs, which takes the build tools",
                    where,
                    shown(command),
                )
    if not java_calls(picture):
        first = picture.start_commands[0]
        raise Obstacle("{} starts `{}`, which is not seen to run java", first, short(first.text))


def require_known_directory(picture: Picture) -> None:
    """Relative paths must not depend on a working directory that an image sets."""
    if picture.base.family in _AT_ROOT:
        return
    for instruction in picture.final.instructions():
        if instruction.keyword == "WORKDIR":
            if (picture.expand(instruction, instruction.text) or "").startswith("/"):
                return
            break
        if instruction.keyword in ("COPY", "ADD", "RUN"):
            break
    raise Obstacle(
        "relative paths count from the working directory that {} sets; begin with an absolute WORKDIR",
        picture.base.name,
    )


# the image


def new_image(picture: Picture) -> tuple[str, Base]:
    """The image to run on as it is to be written, and what it is: the same, or the JDK below a build image."""
    from imgopt.bases.build_images import built_on

    root, base = picture.final.root, picture.base
    if base.kind != "build":
        return root.stage.image.text, base
    if "$" in root.stage.image.text and _depends_on_a_variable(picture):
        raise Obstacle("the Java version comes from a build argument ({})", root.stage.image.text)
    if base.reference.digest is not None:
        raise Obstacle(
            "{} is pinned by digest, and the digest of the JDK image below it is not known",
            base.name,
            kind="not-known",
        )
    if base.java_major is None and base.declared_counterpart is None:
        raise Obstacle("{} does not say which Java version it holds", base.name)
    found = built_on(base)
    if found is None or not set(picture.platforms) <= set(found.platforms or picture.platforms):
        raise Obstacle(
            "which JDK image {} is built on is not known; name a counterpart under [bases] in imgopt.toml",
            base.name,
            kind="not-known",
        )
    return writing.image(found.name), found


def named_user(picture: Picture, target: Base, instructions: Iterable[Instruction]) -> str | None:
    """The RUN that makes the build image's own user on ``target``; None where none of the instructions names it."""
    if picture.base.kind != "build" or picture.base.family != "gradle":
        return None
    for instruction in instructions:
        owner = instruction.flag("chown")
        named = (instruction.text if instruction.keyword == "USER" else "", (owner and owner.value) or "")
        run = picture.script_of(instruction).text if instruction.keyword == "RUN" else ""
        if any(re.match(r"gradle\b", name) for name in named) or re.search(
            r"\bgradle:|\bchown\b.*\bgradle\b", run
        ):
            return user_line(target)
    return None


def user_line(target: Base) -> str | None:
    """What makes Gradle's user as docker-gradle does, with its numbers; None where the image has no known way."""
    if target.os == "alpine":
        return "RUN addgroup --system --gid 1000 gradle && adduser --system --ingroup gradle --uid 1000 --shell /bin/ash gradle"
    if target.os not in ("debian", "ubuntu"):
        return None
    # Ubuntu has a user of its own with this number from 23.04 on, whose name and home Java would give to the application
    taken = target.os == "ubuntu" and (target.os_version is None or target.os_version >= "23")
    first = "if id ubuntu > /dev/null 2>&1; then userdel ubuntu; fi && " if taken else ""
    return (
        f"RUN {first}groupadd --system --gid 1000 gradle "
        "&& useradd --system --gid gradle --uid 1000 --shell /bin/bash --create-home gradle"
    )


def new_user_risk(target: Base) -> Reason:
    return because(
        "not-known",
        "the user gradle is made anew on {}, and what else its home has in the image with the build tools is not there",
        target.name,
    )


def _depends_on_a_variable(picture: Picture) -> bool:
    """Whether another value of the variables in FROM gives another JDK: the tool's version alone does not."""
    text = picture.final.root.stage.image.text
    others = [picture.identify(re.sub(r"\$\{[^}]*\}|\$\w+", value, text)) for value in ("3.9.6", "7")]
    base = picture.base
    return any(
        (other.family, other.vendor, other.java_major, other.os, other.os_version)
        != (base.family, base.vendor, base.java_major, base.os, base.os_version)
        for other in others
    )


def mirror_risk(picture: Picture, target: Base) -> Reason | None:
    from imgopt.bases import mirror_has

    base = picture.base
    if target is base or base.mirror is None or target.mirror is None or mirror_has(base, target):
        return None
    return because(
        "not-known",
        "{} has to exist: {} comes from {}, and whether that registry has it is not known",
        target.name,
        base.name,
        base.mirror,
    )


def require_no_build_image(picture: Picture, target: Base, instructions: Iterable[Instruction]) -> None:
    """Nothing that these instructions do, and nothing that runs, needs what a build image has beyond its JDK."""
    from imgopt.bases.build_images import ADDED_COMMANDS, ADDED_VARIABLES, has_command

    base = picture.base
    if base.kind != "build":
        return
    texts: list[tuple[str | Instruction, str]] = []
    for instruction in instructions:
        if instruction.keyword == "RUN":
            texts.append((instruction, picture.script_of(instruction).text))
        used = set(re.findall(r"\$\{?(\w+)", instruction.text)) & ADDED_VARIABLES - set(picture.environment)
        if used:
            raise Obstacle(
                "{} uses ${}, which {} sets and {} does not", instruction, min(used), base.name, target.name
            )
        owner = instruction.flag("chown")
        names = [instruction.text] if instruction.keyword == "USER" else [owner.value or ""] if owner else []
        named = base.family == "gradle" and any(re.match(r"gradle\b", name) for name in names)
        if named and user_line(target) is None:
            raise Obstacle("{} names gradle, a user of {} that {} lacks", instruction, base.name, target.name)
        if instruction.keyword == "SHELL" and instruction.json:
            texts.append((instruction, posixpath.basename(instruction.json[0])))
    installed: set[str] = set()
    for where, text in (*texts, *run_time_texts(picture)):
        if re.match(r"#!.*\bbash\b", text) and "bash" not in installed and not has_command("bash", target):
            raise Obstacle("{} runs in bash, which {} has and {} lacks", where, base.name, target.name)
        for command in all_commands(text):
            call = packages.read(command)
            for name in call.names if call is not None and call.action == "install" else ():
                if call is None or name is None or packages.known(name, call.manager) is None:
                    raise Obstacle(
                        "{} installs {}, and whether {} offers them so is not known",
                        where,
                        name or "packages",
                        target.name,
                        kind="not-known",
                    )
                installed |= packages.commands_of(name, call.manager)
            program = command.program or ""
            if program in ADDED_COMMANDS - installed and not has_command(program, target):
                raise Obstacle(
                    "{} calls `{}`, which {} has and {} is not known to have",
                    where,
                    program,
                    base.name,
                    target.name,
                    kind="not-known",
                )
