"""What an image will hold that can be forbidden, told from its Dockerfile before any build.

A rule that says nothing proves nothing: it may be silenced, or hold its tongue where its fix would not be safe. So
what is not there has to follow from the base image and from lines that are understood; the rest is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from imgopt.finding import Declined, Finding
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.os_packages import commands as packages
from imgopt.picture.runs import Run, runs_of
from imgopt.plans.base import installed_java
from imgopt.rule import Rule
from imgopt.suggest.analyze import analyze
from imgopt.suggest.sentence import sentence
from imgopt.users import name_of, uid_of

if TYPE_CHECKING:
    from imgopt.picture import Picture

_WATCHED = ("jdk-runtime", "installed-jdk", "build-tools", "package-cache")
#: Commands that bring neither a JDK nor tools nor a cache; package managers are read.
_HARMLESS = frozenset(
    "rm mkdir rmdir chown chmod chgrp ln echo printf touch useradd groupadd adduser addgroup usermod sed cat cp mv set "
    "export unset true false test [ [[ cd ls update-ca-certificates update-ca-trust locale-gen localedef keytool java jar "
    "ldconfig find tee id sleep date grep awk sort head tail cut tr wc env exec command dpkg-reconfigure setcap umask "
    "jarmode stat install curl wget sha256sum sha512sum md5sum gpg apk apt apt-get aptitude yum dnf microdnf : if".split()
)
_TOOL_PACKAGES = regex(
    r"(?:maven|gradle|ant|git|gcc|g\+\+|make|cmake|build-essential|build-base|gcc-c\+\+|npm|nodejs|yarn|clang|binutils|"
    r"alpine-sdk|musl-dev|autoconf|automake|@development.*)(?:-[\d.]+)?"
)
_JAVA_PACKAGE = regex(r"jdk|java|temurin|corretto|zulu|graalvm|semeru|liberica|microsoft-openjdk|sapmachine")
_TOOL_PLACES = regex(r"maven|gradle|/ant\b|/git\b|node_modules|/mvnd?\b|/gcc\b")
_JAVA_PLACES = regex(r"jvm|jdk|java")
#: Directories that hold most of an image.
_BROAD = frozenset(("/", "/usr", "/opt", "/usr/lib", "/usr/local", "/usr/share", "/lib", "/root", "/home"))
_USERS_OF_SYSTEMS = frozenset("nobody daemon bin mail www-data".split())


@dataclass(frozen=True)
class Foreseen:
    """``there``: a sentence for each that the image will have; ``untold``: why it cannot be told. What is in neither
    will not be in it."""

    there: Mapping[str, str]
    untold: Mapping[str, str]


def foresee(picture: Picture, rules: Sequence[Rule], said: Sequence[Finding | Declined]) -> Foreseen:
    """``said``: what the rules say of the picture; asked again where some of them were silenced."""
    options = picture.options
    if picture.silences or options.select or options.ignore or picture.ignored is not None:
        options = replace(options, select=(), ignore=(), silences=False)
        picture = replace(picture, options=options)
        said = analyze(picture, [rule for rule in rules if rule.id in _WATCHED])
    there: dict[str, str] = {}
    untold: dict[str, str] = {}
    _root(picture, there, untold)
    told: dict[str, str] = {}
    for entry in said:
        if isinstance(entry, Finding) and entry.rule in _WATCHED:
            told.setdefault(entry.rule, f"line {entry.line}: {sentence(entry.message)}")
    declined = {entry.rule for entry in said if isinstance(entry, Declined)}
    doubt = next(_doubts(picture), None)
    base = picture.base
    from_line = f"line {picture.final.root.stage.from_.line}: "
    _jdk(picture, told, doubt, there, untold)
    if "build-tools" in told:
        there["build-tools"] = told["build-tools"]
    elif base.kind == "build":
        there["build-tools"] = f"{from_line}{base.name} is an image to build with"
    elif tools := next(_tools(picture), None):
        there["build-tools"] = tools
    elif base.kind == "unknown":
        untold["build-tools"] = f"what {_name(picture)} holds is not known"
    elif "build-tools" in declined or doubt:
        untold["build-tools"] = doubt or "what the build leaves cannot be determined"
    if "package-cache" in told:
        there["package-cache"] = told["package-cache"]
    elif base.kind == "unknown":
        untold["package-cache"] = f"what {_name(picture)} holds is not known"
    elif "package-cache" in declined or doubt:
        untold["package-cache"] = doubt or "what the package manager leaves cannot be determined"
    return Foreseen(there, untold)


def _name(picture: Picture) -> str:
    return picture.final.root.image or "the base image"


def _jdk(
    picture: Picture,
    told: Mapping[str, str],
    doubt: str | None,
    there: dict[str, str],
    untold: dict[str, str],
) -> None:
    base = picture.base
    from_line = f"line {picture.final.root.stage.from_.line}: "
    brought = tuple(installed_java.brought(picture))
    jdk = next((java for java in brought if java.kind == "jdk"), None)
    if "jdk-runtime" in told or "installed-jdk" in told:
        there["jdk"] = told.get("jdk-runtime") or told["installed-jdk"]
    elif base.kind in ("jdk", "build") or "javac" in base.has:
        there["jdk"] = f"{from_line}{base.name} has a JDK"
    elif jdk is not None:
        there["jdk"] = f"line {jdk.instruction.line}: {jdk.name} is a JDK"
    elif not (base.kind == "jre" or "javac" in base.lacks or brought):
        untold["jdk"] = f"where the Java comes from is not seen, and what {_name(picture)} holds is not known"
    elif doubt is not None:
        untold["jdk"] = doubt


def _doubts(picture: Picture) -> Iterator[str]:
    """Lines that may bring anything."""
    for run in runs_of(picture.final):
        yield from _of_run(picture, run)
    for instruction in picture.final.instructions():
        if instruction.keyword not in ("COPY", "ADD"):
            continue
        words = [picture.expand(instruction, word.text) for word in instruction.words]
        sources, line = words[:-1], f"line {instruction.line}"
        flag = instruction.flag("from")
        if flag is None:
            for source in sources:
                if instruction.keyword == "ADD" and (source is None or "://" in source):
                    yield f"{line}: what {source or 'the ADD'} holds is not known"
                elif (
                    instruction.keyword == "ADD"
                    and source is not None
                    and re.search(r"\.(?:tar(?:\.\w+)?|tgz|tbz2?|txz)$", source)
                    and not any(java.instruction is instruction for java in installed_java.brought(picture))
                ):
                    yield f"{line}: what {source} unpacks to is not known"
            continue
        for source in sources:
            if flag.value is None or "$" in flag.value or source is None:
                yield f"{line}: what is copied is known only to the build"
                continue
            place = "/" + source.strip("/")
            known = any(java.instruction is instruction for java in installed_java.brought(picture))
            if known or not (place in _BROAD or _JAVA_PLACES.search(place) or _TOOL_PLACES.search(place)):
                continue
            if not place.endswith((".jar", ".war")):
                yield f"{line}: what --from={flag.value} has in {place} is not known"
    for file in picture.contents[picture.final.index].files.values():
        if re.search(r"/bin/javac$|/lib/tools\.jar$|\.jmod$|/lib/ct\.sym$", file.path):
            yield f"{file.path} comes from the build context, and looks like a JDK's"


def _of_run(picture: Picture, run: Run) -> Iterator[str]:
    line = f"line {run.line}"
    if run.script.broken:
        yield f"{line}: the RUN is not understood"
    scope = picture.scope(run.instruction)
    for command in run.commands:
        program = command.program
        if not command.words:
            continue
        if program is None or program not in _HARMLESS or (command.name or "").startswith("./"):
            yield f"{line}: what `{command.words[0].text[:40]}` leaves in the image is not known"
            continue
        call = packages.read(command)
        if call is None or call.action not in ("install", "upgrade"):
            continue
        for word in call.packages:
            name = word.value(scope)
            if name is None:
                yield f"{line}: which package {word.text[:40]} is, is known only to the build"
            elif _JAVA_PACKAGE.search(name) and not _seen(picture, run, name):
                yield f"{line}: whether {name} brings a JDK is not known"


def _seen(picture: Picture, run: Run, name: str) -> bool:
    found = installed_java.brought(picture)
    return re.search(r"jre|java-common|ca-certificates-java|headless", name) is not None or any(
        java.instruction is run.instruction for java in found
    )


def _tools(picture: Picture) -> Iterator[str]:
    """Build tools that a line brings, whether a rule would take them out or not."""
    for run in runs_of(picture.final):
        removed = {
            name
            for command in run.commands
            if (call := packages.read(command)) is not None and call.action == "remove"
            for name in call.names
        }
        for command in run.commands:
            call = packages.read(command)
            if (
                call is None
                or call.action != "install"
                or "--virtual" in call.options
                or "-t" in call.options
            ):
                continue
            for name in call.names:
                if name and name not in removed and _TOOL_PACKAGES.fullmatch(re.split("[=:]", name)[0]):
                    yield f"line {run.line}: {name} is installed"
    for instruction in picture.final.instructions():
        flag = instruction.flag("from")
        if instruction.keyword != "COPY" or flag is None or flag.value is None:
            continue
        origin = picture.document.stage(flag.value, len(picture.document.stages))
        base = (
            picture.identify(flag.value) if origin is None else picture.base_of(picture.stages[origin.index])
        )
        if base.kind == "build" and any(
            _TOOL_PLACES.search(word.text) and not word.text.endswith((".jar", ".war"))
            for word in instruction.words[:-1]
        ):
            yield f"line {instruction.line}: it copies build tools from {flag.value}"


def _root(picture: Picture, there: dict[str, str], untold: dict[str, str]) -> None:
    last = picture.final.last("USER")
    base = picture.base
    if last is None:
        scratch = (picture.final.root.stage.image.text or "").lower() == "scratch"
        if base.user is not None:
            _judge(picture, base.user, f"{base.name} runs as {base.user}", there, untold)
        elif scratch or base.kind in ("jdk", "jre", "build", "os"):
            there["root-user"] = "no USER is set after FROM"
        else:
            untold["root-user"] = f"no USER is set, and as whom {_name(picture)} runs is not known"
        return
    user = picture.expand(last, last.text.strip())
    if user is None or re.search(r"(?<!\\)\$", last.text):
        untold["root-user"] = f"line {last.line}: USER {last.text.strip()} is known only to the build"
        return
    _judge(picture, user, f"line {last.line}: USER is {last.text.strip()}", there, untold)


def _judge(picture: Picture, user: str, said: str, there: dict[str, str], untold: dict[str, str]) -> None:
    uid, why = uid_of(user, None)
    name = name_of(user)
    if uid is None and why is not None and not re.fullmatch(r"[+-]?\d+", name):
        uid, why = _named(picture, name)
    if uid == 0:
        there["root-user"] = said
    elif uid is None:
        untold["root-user"] = f"{said}: {why}"


def _named(picture: Picture, name: str) -> tuple[int | None, str | None]:
    """A user that a line makes, or that the base image is known to have; some number other than 0 where none is
    given."""
    base = picture.base
    for instruction in picture.final.instructions():
        if instruction.keyword in ("COPY", "ADD"):
            target = picture.expand(instruction, instruction.words[-1].text) or ""
            if re.fullmatch(r"/?(?:etc(?:/passwd)?)?/?", target) and any(
                re.search(r"passwd|/etc/?$|^/?$", word.text) for word in instruction.words[:-1]
            ):
                return None, f"line {instruction.line} may bring another /etc/passwd"
    found: int | None = None
    for run in runs_of(picture.final):
        if re.search(r"/etc/passwd|\busermod\b|\bvipw\b|\bnewusers\b", run.script.text):
            return None, f"line {run.line} changes users"
        scope = picture.scope(run.instruction)
        for command in run.commands:
            if command.program not in ("useradd", "adduser"):
                continue
            values = [word.value(scope) for word in command.args]
            if name not in values:
                continue
            found = 1000
            for at, (word, value) in enumerate(zip(command.args, values, strict=True)):
                match = re.match(r"(?:-[A-Za-z]*u|--uid)(?:=|$)?", word.text)
                if match is None:
                    continue
                number = value[match.end() :] if value else None
                if number == "" and at + 1 < len(values):
                    number = values[at + 1]
                uid = uid_of(number, None)[0] if number else None
                if uid is None:
                    return None, f"the number that line {run.line} gives {name} is not known"
                found = uid
    if found is not None:
        return found, None
    if base.user is not None and name == name_of(base.user):
        return 1000, None
    if name in _USERS_OF_SYSTEMS and base.kind in ("jdk", "jre", "build", "os"):
        return 1000, None
    if name == "nonroot" and "distroless" in _name(picture):
        return 65532, None
    return None, f"no line makes the user {name}; write USER as a number"
