"""Stages that a file copies from and does not have: the one that unpacks the jar, and the one that builds it.

Without them the build looks for images of their names. What they should hold is certain where one jar fits: it is taken
from the build context, unpacked as its version can, and what the final stage says of it moves there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from imgopt import shell
from imgopt.dockerfile import Edit, Instruction, Span, apply_edits, parse, writing
from imgopt.errors import ContextError, DockerfileError
from imgopt.files.opening import read_file
from imgopt.finding import Reason, Refused, Sentence, Word, because, listed, say
from imgopt.java.build_files import repository_of
from imgopt.java.building import is_output, project_of
from imgopt.java.model import Jar
from imgopt.java.spring_boot import DEFAULT_LAYERS, version_tuple
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.picture import Picture, once
from imgopt.picture.paths import normal
from imgopt.plans.layers.layering import stage_start
from imgopt.plans.layers.unpacking import broken
from imgopt.text.quoting import Unwritable

_NAME = regex(r"[a-z][\w-]*|\d+")
_DIRECTORY = "/extract"
_COMMAND_FILES = (
    "*.yml", "*.yaml", "*.hcl", "docker-bake*.json", "Jenkinsfile*", "Makefile", "*.sh", ".gitlab-ci.yml",
    ".github/workflows/*.y*ml", ".circleci/*.yml", "ci/*", "scripts/*.sh", "jenkins/*",
)  # fmt: skip
_MOST_BYTES = 256 * 1024


@dataclass(frozen=True)
class Missing:
    """COPY lines from stages that are not there. ``names`` in the order of the file; ``later``: those that come below.
    ``edits`` add them, ``added`` says each part; ``risk`` what is assumed, None where all of it was read. Without edits
    ``why_not`` says what is missing for them."""

    copies: tuple[Instruction, ...]
    names: tuple[str, ...]
    later: tuple[str, ...]
    edits: tuple[Edit, ...] = ()
    added: Sentence | None = None
    risk: Reason | None = None
    why_not: Reason | None = None

    @property
    def message(self) -> str:
        names = " and ".join(self.names)
        if len(self.names) > 1:
            return f"stages {names} are not in the file, so the build looks for images of these names"
        what = "comes later in the file" if self.later else "is not in the file"
        return f"stage {names} {what}, so the build looks for an image of that name"


@once
def missing_stages(picture: Picture) -> Missing | None:
    """What the file copies of an unpacked application, or of a build's output, from stages that it has not."""
    copies: list[Instruction] = []
    names: list[str] = []
    above: set[str] = set()
    for stage in picture.stages:
        for instruction in stage.stage.instructions:
            name = _missing_name(picture, instruction, stage.index, above)
            if name is not None:
                copies.append(instruction)
                names.append(name)
        above |= {stage.name.lower()}
    if not copies:
        return None
    unique = tuple(dict.fromkeys(names))
    later = tuple(
        name
        for name in unique
        if any(name in (each.name.lower(), str(each.index)) for each in picture.stages)
    )
    found = Missing(tuple(copies), unique, later)
    try:
        return _Adding(picture, found).plan()
    except Refused as error:
        return replace(found, why_not=error.reason)
    except Unwritable as error:
        return replace(found, why_not=because("certain", "{}", str(error)))


def _missing_name(picture: Picture, copy: Instruction, index: int, above: set[str]) -> str | None:
    flag = copy.flag("from") if copy.keyword in ("COPY", "ADD") else None
    if flag is None or not flag.value or "$" in flag.value:
        return None
    name = flag.value.lower()
    if name in above or (name.isdigit() and int(name) < index) or not _NAME.fullmatch(name):
        return None
    sources = [picture.expand(copy, word.text) or "" for word in copy.words[:-1]]
    of_a_jar = any(
        posixpath.basename(normal("/" + source)) in DEFAULT_LAYERS
        or (source.endswith((".jar", ".war")) and is_output(normal("/" + source)))
        for source in sources
    )
    return name if of_a_jar else None


#: What a project's own Gradle is started with: its script fetches the version that the project was made for.
_WRAPPER = ("gradlew", "gradle/wrapper/gradle-wrapper.jar", "gradle/wrapper/gradle-wrapper.properties")


def _build(tool: str, spring_boot: str, major: int, *, wrapped: bool) -> tuple[str, str, str]:
    """The command that builds, the image that has it, and what is assumed of it besides."""
    if tool == "maven":
        return "mvn -B -DskipTests package", f"maven:3-eclipse-temurin-{major}", ""
    if wrapped:
        return (
            "sh gradlew --no-daemon bootJar",
            f"eclipse-temurin:{major}-jdk",
            " can download its Gradle and",
        )
    version = version_tuple(spring_boot) or (0, 0, 0)
    gradle = 9 if major >= 25 else 8 if version >= (2, 7, 0) else 7
    if gradle == 7 and major > 17:
        raise Refused("no Gradle is known that builds Spring Boot {} and runs on Java {}", spring_boot, major)
    return "gradle --no-daemon bootJar", f"gradle:{gradle}-jdk{major}", f" of Gradle {gradle}"


class _LeftOut(Refused):
    """The jar lies in the context's directory, and is not sent to the builder."""


class _Adding:
    def __init__(self, picture: Picture, missing: Missing) -> None:
        self.picture, self.missing = picture, missing
        self.final = picture.final.stage.instructions
        self.layers = [copy for copy in missing.copies if self._layer(copy) is not None]
        self.jars = [copy for copy in missing.copies if copy not in self.layers]
        self.newline = picture.document.newline

    def _layer(self, copy: Instruction) -> str | None:
        source = self.picture.expand(copy, copy.words[0].text) if len(copy.words) == 2 else None
        name = posixpath.basename(normal("/" + (source or "")))
        return name if name in DEFAULT_LAYERS else None

    def _name(self, copy: Instruction) -> str:
        flag = copy.flag("from")
        return (flag.value or "").lower() if flag is not None else ""

    def plan(self) -> Missing:
        picture, missing = self.picture, self.missing
        unpacks = {self._name(copy) for copy in self.layers}
        builds = {self._name(copy) for copy in self.jars}
        if missing.later:
            raise Refused(
                "stage {} comes below the COPY lines that need it: move it above them", missing.later[0]
            )
        if len(unpacks) != 1 or len(builds) > 1 or unpacks & builds:
            raise Refused("several things can be meant by {}", " and ".join(missing.names))
        if any(copy not in self.final for copy in missing.copies) or len(self.jars) > 1:
            raise Refused("several stages of the file copy from what is not in it")
        if picture.context is None:
            raise Refused("there is no build context to look for the jar in", kind="not-known")
        if any(name.isdigit() for name in missing.names):
            raise Refused("a number names no stage that could be added")
        for name in missing.names:
            giver = _given_by(picture, name)
            if giver is not None:
                raise Refused("{} may give the build something called {}", giver, name, kind="not-known")
        image = picture.final.stage.image.text
        if picture.base.kind not in ("jdk", "jre") or picture.final.parent is not None:
            raise Refused(
                "whether {} can unpack a jar is not known",
                picture.final.root.image or image,
                kind="not-known",
            )
        try:
            found = self._with_jar()
        except _LeftOut:
            if picture.build_facts is None:
                raise
            found = None
        return found or self._with_build()

    # the two ways

    def _with_jar(self) -> Missing | None:
        picture, context = self.picture, self.picture.context
        if context is None:
            return None
        from imgopt.java.spring_boot import extraction, is_known_launcher

        wanted = self._source() or "/app/target/*.jar"
        file = picture.built_before(wanted)
        if file is None and not self.jars:
            file = picture.built_before("/app/build/libs/*.jar")
        jar = picture.jars(file) if file is not None else None
        if file is None or jar is None:
            return None
        can = extraction(jar)
        if not is_known_launcher(jar.launcher) or can.mode is None or not can.layers:
            raise Refused(
                "{} cannot be unpacked by its jarmode: {}", file.name, can.blocked or "it has no layers.idx"
            )
        relative = file.relative_to(context.root).as_posix()
        path = self._pattern(relative)
        builder: list[str] = []
        what: list[Word] = []
        if self.jars:
            target = writing.word(posixpath.dirname(normal("/" + wanted)).rstrip("/") + "/")
            name = self._name(self.jars[0])
            builder = [f"FROM scratch AS {name}", f"COPY {path} {target}"]
            what.append(f"stage {name}, with {relative} of the build context")
            path = f"--from={name} {self.jars[0].words[0].text}"
        return self._made(builder, path, jar, can.mode, what, None)

    def _with_build(self) -> Missing:
        from imgopt.java.jarmode import modes_for, supposed_jar

        picture, facts = self.picture, self.picture.build_facts
        source = self._source()
        if facts is None or facts.spring_boot is None or source is None or facts.loader is not None:
            raise Refused(
                "no single jar that fits is in the build context, and no build file there states the version of Spring Boot",
                kind="not-known",
            )
        modes = modes_for(facts.spring_boot)
        major = picture.base.java_major
        project = project_of(normal("/" + source))
        tool = "maven" if "/target/" in source else "gradle"
        if (
            not modes
            or facts.packaging != "jar"
            or facts.tool != tool
            or major is None
            or picture.base.mirror
        ):
            raise Refused("how {} builds the jar is not known", Path(facts.path).name, kind="not-known")
        name = self._name(self.jars[0])
        self._require_sources(Path(facts.path).name)
        build, image, more = _build(tool, facts.spring_boot, major, wrapped=self._sends(_WRAPPER))
        builder = [f"FROM {image} AS {name}", f"WORKDIR {writing.word(project)}", "COPY . .", f"RUN {build}"]
        what: list[Word] = [f"stage {name}, which runs `{build}` in {image}"]
        risk = because(
            "not-known",
            "no jar is at hand: it is assumed that `{}`{} makes one jar where {} takes it, by Spring Boot {} of {} with its "
            "default layers; tests are not run",
            build,
            more,
            self.jars[0],
            facts.spring_boot,
            Path(facts.path).name,
        )
        jar = supposed_jar(facts.spring_boot)
        return self._made(builder, f"--from={name} {self.jars[0].words[0].text}", jar, modes[0], what, risk)

    def _sends(self, paths: Iterable[str]) -> bool:
        """Whether the builder gets all of these files of the build context."""
        from imgopt.build_context.tree import resolve

        context = self.picture.context
        if context is None:
            return False
        try:
            return all(
                any(not each.is_directory for each in resolve(context, [path], destination="/"))
                for path in paths
            )
        except ContextError:  # a link that leads out of it
            return False

    def _require_sources(self, build_file: str) -> None:
        context = self.picture.context
        there = [
            path for path in (build_file, "src") if context is not None and (context.root / path).exists()
        ]
        left_out = next((path for path in there if not self._sends([path])), None)
        if left_out is not None:
            raise Refused("the build context leaves {} out, which a build there needs", left_out)

    def _source(self) -> str | None:
        return self.picture.expand(self.jars[0], self.jars[0].words[0].text) if self.jars else None

    def _pattern(self, relative: str) -> str:
        """The jar's path in the context: as a pattern where that means this file alone, because its name has a version."""
        context = self.picture.context
        directory, name = posixpath.split(relative)
        if context is not None and re.search(r"\d", name):
            others = [path for path in (context.root / directory).glob("*.jar") if path.is_file()]
            if len(others) == 1:
                return writing.pattern(posixpath.join(directory, "*.jar"))
        return writing.source(relative)

    # the text

    def _made(
        self, builder: Sequence[str], source: str, jar: Jar, mode: str, what: list[Word], risk: Reason | None
    ) -> Missing:
        picture, document = self.picture, self.picture.document
        extract = self._name(self.layers[0])
        options = " --layers --launcher" if mode == "tools" else ""
        made = "mkdir layers && " if mode == "layertools" else ""
        image = document.text[picture.final.stage.image.span.start : picture.final.stage.image.span.end]
        stage = [
            f"FROM {image} AS {extract}",
            f"WORKDIR {_DIRECTORY}",
            f"COPY {source} app.jar",
            f"RUN {made}java -Djarmode={mode} -jar app.jar extract{options} --destination layers",
        ]
        moved = [*self.jars, *self._unpacking_runs()]
        text = "".join(line + self.newline for line in (*builder, *([""] if builder else []), *stage, ""))
        at = stage_start(picture)
        edits = [Edit(Span(at, at), text)]
        edits += [picture.removal(instruction) for instruction in moved]
        for copy in self.layers:
            word, old = copy.words[0], copy.words[0].text.strip("\"'")
            new = f"{_DIRECTORY}/layers/{self._layer(copy)}" + ("/" if old.endswith("/") else "")
            edits.append(Edit(word.span, new if copy.json is None else writing.json_word(new)))
        what.append(f"stage {extract}, which unpacks it into {_DIRECTORY}/layers")
        parts: list[Word] = list(what)
        if moved:
            parts.append(say("{} {} there", listed(moved), "move" if len(moved) > 1 else "moves"))
        first = self.layers[0]
        if picture.workdir_at(first) == "/" and not (picture.target_of(first) or "/x").strip("/"):
            start = document.text.rfind("\n", 0, first.span.start) + 1
            edits.append(Edit(Span(start, start), f"WORKDIR /application{self.newline}"))
            parts.append("WORKDIR /application")
        if not picture.start_commands:
            end = len(document.text)
            line: str = "" if document.text.endswith("\n") else self.newline
            line += f'ENTRYPOINT ["java", {writing.json_word(jar.launcher or "")}]{self.newline}'
            edits.append(Edit(Span(end, end), line))
            parts.append(f"ENTRYPOINT with {jar.launcher}, the jar's launcher")
        self._check(edits, jar)
        added = say("; ".join("{}" for _ in parts), *parts)
        added = say(
            "add {} (an image called {} that the builder may have cannot be seen from here)",
            added,
            " or ".join(self.missing.names),
        )
        return replace(self.missing, edits=tuple(edits), added=added, risk=risk)

    def _unpacking_runs(self) -> Iterator[Instruction]:
        for run in self.final:
            if run.keyword == "RUN" and "jarmode" in run.text:
                read = self.picture.script_of(run)
                if not read.script.plain or len(shell.all_commands(read.text)) != 1:
                    raise Refused("{} does more than unpack the jar", run)
                yield run

    def _check(self, edits: Sequence[Edit], jar: Jar) -> None:
        """The text that comes of it must have no fault of its own."""
        try:
            text = apply_edits(self.picture.document.text, edits)
            after = replace(self.picture, document=parse(text, self.picture.document.path))
        except (ValueError, DockerfileError) as error:
            raise Refused("the rewrite would be no Dockerfile ({})", str(error)) from error
        if missing_stages(after) is not None:
            raise Refused("stages would still be missing")
        faults = [each for each in broken(after) if each.mend is None]
        if faults:
            raise Refused("{}", faults[0].fault.message)
        read = {file.entry[0].path for file in after.final.content.files.values() if file.entry is not None}
        if jar.path and jar.path not in read:
            raise _LeftOut("the build context leaves the jar out")


def _given_by(picture: Picture, name: str) -> str | None:
    """A file with build commands that may give a build context, or make an image, of this name."""
    if picture.context is None:
        return None
    top, here = repository_of(picture.context.root), picture.context.root
    context = re.compile(rf"""(?<![\w-]){re.escape(name)}["']?\s*[=:]""")
    tagged = re.compile(rf"""(?:-t|--tag|image:)[ =]*["']?{re.escape(name)}["':\s]""")
    for directory in dict.fromkeys((here, top)):
        for pattern in _COMMAND_FILES:
            for path in sorted(directory.glob(pattern))[:100]:
                try:
                    text = read_file(path, _MOST_BYTES).decode("utf-8", "replace")
                except OSError:
                    continue
                of_contexts = re.search(r"build-contexts?\b|additional_contexts|\bcontexts\b", text)
                if (of_contexts and context.search(text)) or tagged.search(text):
                    return path.name
    return None
