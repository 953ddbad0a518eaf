"""The picture: a Dockerfile with its context, jars and base images, and what each stage and layer holds.

Facts only, built by `take_picture`; everything expensive is computed when it is first asked for and kept. What could
be changed is decided by functions of a picture, which `once` keeps with it.
"""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from imgopt import shell
from imgopt.dockerfile import Dockerfile, Edit, Instruction, Span, Stage, assignments, expand, parse, scopes
from imgopt.errors import ContextError, DockerfileError, JarError
from imgopt.files.opening import open_file
from imgopt.java.command import JavaCall, calls_in_argv, calls_in_script
from imgopt.light.records import dataclass, field, replace
from imgopt.picture.contents import File, Layer, StageContent, stage_contents
from imgopt.picture.paths import join, normal
from imgopt.picture.placing import fills_directory, names_archive, target_of
from imgopt.picture.platforms import built_for, predicted_for, pushed_together
from imgopt.picture.running import Process, Running
from imgopt.picture.scripts import ShellText, reader_of, script_of
from imgopt.picture.settings import Setting, settings
from imgopt.picture.written import Written, kind_of_sh, written_by

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.build_context.tree import Context
    from imgopt.java.build_facts import BuildFacts
    from imgopt.java.model import Jar
    from imgopt.options import Options

#: Start scripts larger than this are not read.
MAX_SCRIPT_BYTES = 256 * 1024


class Jars:
    """Jars read so far, shared by the pictures of the original and of its rewrite."""

    def __init__(self) -> None:
        self._read: dict[Path, Jar | JarError] = {}

    def __call__(self, path: Path) -> Jar | None:
        """The jar, or None when the file is none; the reason is kept in `problem`."""
        if path not in self._read:
            from imgopt.java.jar import read_jar

            try:
                self._read[path] = read_jar(path)
            except JarError as error:
                self._read[path] = error
        found = self._read[path]
        return None if isinstance(found, JarError) else found

    def known(self, path: Path) -> Jar | None:
        """The jar if it was read before; reads nothing."""
        found = self._read.get(path)
        return None if isinstance(found, JarError) else found

    def problem(self, path: Path) -> JarError | None:
        found = self._read.get(path)
        return found if isinstance(found, JarError) else None


@dataclass(frozen=True)
class StagePicture:
    """A stage with its lineage: ``root`` is the stage whose FROM names an image from outside."""

    stage: Stage
    index: int
    parent: StagePicture | None
    image: str | None  # the expanded image of FROM; None when a build argument without value is in it
    missing: tuple[str, ...]  # the arguments that have no value
    content: StageContent

    @property
    def root(self) -> StagePicture:
        return self.lineage[0]

    @cached_property
    def lineage(self) -> tuple[StagePicture, ...]:
        found = [self]
        while found[-1].parent:
            found.append(found[-1].parent)
        return tuple(reversed(found))

    @property
    def name(self) -> str:
        return self.stage.name or str(self.index)

    def instructions(self) -> Iterator[Instruction]:
        for stage in self.lineage:
            yield from stage.stage.instructions

    def triggers(self) -> tuple[Instruction, ...]:
        """What runs in builds on this image, and not in this one."""
        return tuple(instruction for instruction in self.instructions() if instruction.keyword == "ONBUILD")

    def last(self, keyword: str) -> Instruction | None:
        found = [instruction for instruction in self.instructions() if instruction.keyword == keyword]
        return found[-1] if found else None


@dataclass(frozen=True)
class Artifact:
    """The application's jar or war as the final stage receives it.

    ``instruction`` is the COPY or ADD in the final stage; ``path`` where the jar then stands in the image;
    ``jar`` the X-ray, when its bytes are at hand (what the build files tell otherwise is `Picture.build_facts`).
    """

    instruction: Instruction
    sources: tuple[str, ...]
    path: str | None
    file: Path | None
    jar: Jar | None
    from_stage: str | None
    started: bool  # a start command runs it
    matches: tuple[str, ...] = ()  # what its source names in the context


@dataclass(frozen=True)
class Silence:
    """``# imgopt: ignore=RULE,...: reason`` for the instruction that begins at ``line``."""

    rules: frozenset[str]
    line: int
    reason: str


@dataclass(frozen=True)
class Picture:
    document: Dockerfile
    context: Context | None
    options: Options
    jars: Jars = field(compare=False)
    found: dict[object, object] = field(default_factory=dict, init=False, compare=False, repr=False)
    _of_texts: dict[str, Picture] = field(default_factory=dict, init=False, compare=False, repr=False)

    def of_text(self, text: str) -> Picture:
        """What another text of the file makes. Each is looked at once, whoever asks: rules, rewrites and weights try the
        same texts. DockerfileError where it is no Dockerfile."""
        if text not in self._of_texts:
            other = replace(self, document=parse(text, self.path))
            object.__setattr__(other, "_of_texts", self._of_texts)
            self._of_texts[text] = other
        return self._of_texts[text]

    @property
    def path(self) -> str:
        return self.document.path

    @cached_property
    def scopes(self) -> tuple[Mapping[str, str | None], ...]:
        return scopes(self.document, self.options.build_args, self.platform)

    def scope(self, instruction: Instruction) -> Mapping[str, str | None]:
        return self.scopes[instruction.number]

    def expand(self, instruction: Instruction, text: str) -> str | None:
        """``text`` with the variables that this instruction sees, or None when one is not known."""
        return expand(text, self.scope(instruction), self.document.escape).value

    @cached_property
    def platform(self) -> str:
        """The platform the image is predicted for."""
        return predicted_for(self.document, self.options)

    @cached_property
    def platforms(self) -> tuple[str, ...]:
        """Every platform the file is evidently built for: a base image must have all of them."""
        return built_for(self.document, self.options)

    @cached_property
    def pushed(self) -> tuple[str, ...]:
        """The platforms whose images one push sends, `platform` first."""
        return pushed_together(self.document, self.options)

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """What is in force where each instruction stands, by its number."""
        return settings(self.document, self.scopes)

    @cached_property
    def contents(self) -> tuple[StageContent, ...]:
        return stage_contents(self.document, self.context, self.scopes, self.settings, self.jars)

    @cached_property
    def stages(self) -> tuple[StagePicture, ...]:
        pictures: list[StagePicture] = []
        by_name: dict[str, StagePicture] = {}
        for stage in self.document.stages:
            expansion = expand(stage.image.text, self.scope(stage.from_), self.document.escape)
            image = expansion.value or None
            parent = by_name.get(image.lower()) if image else None
            picture = StagePicture(
                stage, stage.index, parent, image, expansion.missing, self.contents[stage.index]
            )
            pictures.append(picture)
            if stage.name:
                by_name[stage.name.lower()] = picture
        return tuple(pictures)

    @cached_property
    def final(self) -> StagePicture:
        target = self.options.target
        if target is None:
            return self.stages[-1]
        for stage in self.stages:
            if stage.name.lower() == target.lower() or str(stage.index) == target:
                return stage
        names = ", ".join(stage.name for stage in self.stages)
        raise DockerfileError(f"there is no stage {target!r}", f"choose one of: {names}", path=self.path)

    @cached_property
    def base(self) -> Base:
        """The image from outside that the final stage stands on."""
        return self.base_of(self.final)

    def base_of(self, stage: StagePicture) -> Base:
        return self.identify(stage.root.image or "")

    def identify(self, image: str) -> Base:
        """What an image is, the user's own declarations first."""
        from imgopt.bases import identify

        return identify(image, self._declared)

    @cached_property
    def _declared(self) -> dict[str, dict[str, object]]:
        return {base.pattern: dict(base.facts) for base in self.options.bases}

    def used_elsewhere(self, stage: StagePicture) -> tuple[str, ...]:
        """Names of stages other than the final one that build on this stage."""
        return tuple(
            other.name
            for other in self.stages
            if other is not self.final and other is not stage and stage in other.lineage
        )

    def workdir_at(self, instruction: Instruction) -> str | None:
        """The directory in which an instruction works: None when a variable without value is in it. Images from outside
        are taken to start in ``/``, as those with nothing but Java do."""
        return self.settings[instruction.number].workdir

    def target_of(self, copy: Instruction) -> str | None:
        """Where a COPY puts things: the file itself or the directory it fills; None when it cannot be told."""
        return target_of(copy, self.workdir_at(copy), self.scope(copy), self.document.escape)

    def at_start(self, path: str) -> str:
        """Where a path leads that the start command names, as `StageContent` has it."""
        return join(self.final.content.workdir, path)

    def script_of(self, run: Instruction) -> ShellText:
        """The script of a RUN, whichever form it is written in."""
        return script_of(run, self.settings[run.number].shell)

    # the application

    def final_instructions(self) -> tuple[Instruction, ...]:
        return tuple(self.final.instructions())

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the final image above its base, in order."""
        return tuple(self.final.content.layers)

    def layer_of(self, instruction: Instruction) -> Layer | None:
        """The layer of the final image that an instruction makes."""
        return self._layer_of.get(instruction.number)

    @cached_property
    def _layer_of(self) -> dict[int, Layer]:
        return {layer.instruction.number: layer for layer in self.layers}

    @cached_property
    def environment(self) -> Mapping[str, str | None]:
        """The environment a container starts with, as far as the Dockerfile says."""
        found: dict[str, str | None] = {}
        for instruction in self.final.instructions():
            if instruction.keyword == "ENV":
                for assignment in assignments(instruction):
                    found[assignment.name] = self.expand(instruction, assignment.value or "")
        return found

    @cached_property
    def start_scripts(self) -> tuple[tuple[File, str], ...]:
        """Text files that the final stage copies, of the context or written by a here-document, or that a RUN of it
        writes, and that look like scripts or are handed to a shell."""
        handed = self._handed_to_shells
        scripts: list[tuple[File, str]] = []
        for file in self.known_files.values():
            if file.bytes is None or file.bytes > MAX_SCRIPT_BYTES:
                continue
            name = posixpath.basename(file.path)
            named = name.endswith((".sh", ".bash")) or name in handed
            if not named and "." in name:
                continue
            text = _text_of(file, named=named)
            if text is not None:
                scripts.append((file, text))
        return tuple(scripts)

    @cached_property
    def known_files(self) -> Mapping[str, File]:
        """The files of the final image that are known, by their paths: those of `StageContent`, and what RUN lines write,
        which has neither bytes nor text where that cannot be told."""
        files = dict(self.final.content.files)
        written: dict[str, File] = {}
        for instruction in self.final.instructions():
            layer = self.layer_of(instruction)
            if instruction.keyword != "RUN":
                for file in layer.files if layer is not None else ():
                    written.pop(file.path, None)
                continue
            for each in self._written(instruction):
                before = written.get(each.path)
                if each.changed and before is None:
                    continue
                text = each.text
                if text is not None and each.added:
                    before = before or files.get(each.path)
                    there = "" if before is None else _text_of(before, named=True)
                    text = None if there is None else there + text
                size = len(text.encode("utf-8", "surrogateescape")) if text is not None else None
                written[each.path] = File(each.path, size, text=text)
        return {**files, **written}

    def _written(self, run: Instruction) -> Iterator[Written]:
        read = self.script_of(run)
        if read.unread is not None or not read.shell:
            return iter(())
        name = posixpath.basename(read.shell[0])
        sh = name if name != "sh" else kind_of_sh(self.base) if self.base.os is not None else None
        return written_by(read.text, self.workdir_at(run), self.scope(run), sh)

    @cached_property
    def started_scripts(self) -> tuple[tuple[File, str], ...]:
        """Those of them that the container is seen to run: named by its commands, or by another of them. A project has
        more of them (mvnw, gradlew, the developers' own), which do not count."""
        said = [process.text for process in self.running.processes]
        waiting = list(self.start_scripts)
        found: list[tuple[File, str]] = []
        while said:
            text = said.pop()
            for script in [script for script in waiting if posixpath.basename(script[0].path) in text]:
                waiting.remove(script)
                said.append(script[1])
                found.append(script)
        return tuple(found)

    @cached_property
    def _handed_to_shells(self) -> frozenset[str]:
        """Names of the files that a command of the container gives to a shell to read: ``sh /opt/start``."""
        return frozenset(
            posixpath.basename(word.literal)
            for process in self.running.processes
            for each in shell.started(process.text)
            if each.command.program in shell.SHELLS
            for word in each.command.args[:1]
            if word.literal and not word.literal.startswith("-")
        )

    @cached_property
    def start_commands(self) -> tuple[Instruction, ...]:
        """The ENTRYPOINT and CMD in force."""
        entrypoint, command = self.final.last("ENTRYPOINT"), self.final.last("CMD")
        return tuple(instruction for instruction in (entrypoint, command) if instruction is not None)

    @cached_property
    def running(self) -> Running:
        """What runs in containers of the image. Those of other files that build another stage run another image."""
        final = self.final
        last = final is self.stages[-1]
        containers = tuple(
            each
            for each in self.options.built_for.containers
            if (each.target.lower() in (final.name.lower(), str(final.index)) if each.target else last)
        )
        return Running(
            entrypoint=final.last("ENTRYPOINT"),
            command=final.last("CMD"),
            healthcheck=final.last("HEALTHCHECK"),
            environment=self.environment,
            directory=final.content.workdir,
            base_entrypoint=self.base.entrypoint,
            containers=containers,
            unread=self.options.built_for.unread,
        )

    @cached_property
    def start_texts(self) -> tuple[tuple[Instruction | str, str], ...]:
        """The start commands as shell text, with the instruction or place that says each."""
        return tuple(dict.fromkeys((process.where, process.text) for process in self.running.starts))

    @cached_property
    def calls(self) -> tuple[JavaCall, ...]:
        """Every `java` call of the start commands and of the scripts they may run."""
        return tuple(dict.fromkeys(call for _, call in self.calls_by_source))

    @cached_property
    def calls_by_source(self) -> tuple[tuple[Instruction | str | File, JavaCall], ...]:
        """The same with where each stands: a start command's place, or a script."""
        found: list[tuple[Instruction | str | File, JavaCall]] = []
        for process in self.running.starts:
            found += [(process.where, call) for call in self.calls_of(process)]
        for environment in [process.environment for process in self.running.starts] or [self.environment]:
            for file, text in self.start_scripts:
                if reader_of(text) in (None, *shell.SHELLS):
                    calls = map(self._located, calls_in_script(text, environment, file.path))
                    found += [(file, call) for call in calls]
        return tuple(found)

    def calls_of(self, process: Process) -> tuple[JavaCall, ...]:
        """The `java` calls of one command, without those of scripts that it runs."""
        if process.words is not None:
            calls = calls_in_argv(process.words, process.environment)
        else:
            calls = calls_in_script(process.text, process.environment)
        return tuple(self._located(_in(call, process.directory)) for call in calls)

    def _located(self, call: JavaCall) -> JavaCall:
        """A call with the path of its jar: from where the script went before, and which file a pattern means."""
        if call.jar is None:
            return call
        jar = call.jar
        if not jar.startswith(("/", "$")) and call.directory != ".":
            jar = posixpath.join("$PWD" if call.directory is None else call.directory, jar)
        if call.pattern:
            there = self._meant(self.at_start(jar))
            return replace(call, jar=there or jar, pattern=there is None)
        return replace(call, jar=jar)

    def _meant(self, pattern: str) -> str | None:
        """The one file that a shell's pattern means; None where there may be others."""
        directory, recursive, name = pattern.partition("/**/")
        content = self.final.content
        if recursive:
            below = {file.path: posixpath.basename(file.path) for file in content.below(normal(directory))}
            found = [path for path, own in below.items() if _matches(name, own)]
        else:
            found = [path for path in content.matching(pattern.replace("[!", "[^")) if path in content.files]
        if len(found) != 1 or any(
            may_bring_jars(self.script_of(run)) for run in self.final.instructions() if run.keyword == "RUN"
        ):
            return None
        incomplete = any(
            not layer.complete and layer.instruction.keyword in ("COPY", "ADD") for layer in self.layers
        )
        return None if incomplete else found[0]

    @cached_property
    def base_script(self) -> str | None:
        """The base image's own start script, when the container starts through it: Red Hat's run-java.sh (also where
        the file sets no start command), Tomcat's catalina.sh."""
        if not self.start_commands:
            script = next((name for name in ("run-java.sh", "catalina.sh") if name in self.base.has), None)
            return script if self.base.entrypoint in ((), None) else None
        for _, text in self.start_texts:
            for command in shell.parse(text).commands:
                if command.program in ("run-java.sh", "catalina.sh") and command.program in self.base.has:
                    return command.program
        return None

    def commands(self) -> Iterator[tuple[Instruction | str, str]]:
        """Shell text of the final stage: of RUN, and of all that containers run, with the instruction or place."""
        for instruction in self.final.instructions():
            if instruction.keyword == "RUN":
                yield instruction, self.script_of(instruction).text
        yield from ((process.where, process.text) for process in self.running.checks)
        yield from self.start_texts

    @cached_property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every jar or war that a COPY or ADD of the final stage brings, application jars first."""
        found: list[Artifact] = []
        started = {self.at_start(call.jar) for call in self.calls if call.jar}
        started |= self._started_by_the_base()
        for instruction in self.final.stage.instructions:
            if (
                instruction.keyword not in ("COPY", "ADD")
                or len(instruction.words) < 2
                or instruction.heredocs
            ):
                continue
            artifact = self._artifact(instruction, started)
            if artifact is not None:
                found.append(artifact)
        return tuple(sorted(found, key=lambda artifact: not artifact.started))

    def _started_by_the_base(self) -> set[str]:
        """run-java.sh starts the jar that JAVA_APP_JAR names, or the one jar in /deployments."""
        if self.base_script != "run-java.sh" or self.environment.keys() & {"JAVA_APP_DIR", "JAVA_MAIN_CLASS"}:
            return set()
        if "JAVA_APP_JAR" in self.environment:
            named = self.environment["JAVA_APP_JAR"]
            return {join("/deployments", named)} if named else set()
        jars = [path for path in self.final.content.files if re.fullmatch(r"/deployments/[^/]+\.jar", path)]
        if jars:
            return set(jars) if len(jars) == 1 else set()
        copies = [
            instruction
            for instruction in self.final.instructions()
            if instruction.keyword in ("COPY", "ADD") and len(instruction.words) == 2
        ]
        targets = [self._place(instruction) for instruction in copies]
        there = {path for path in targets if path and re.fullmatch(r"/deployments/[^/]+\.jar", path)}
        return there if len(there) == 1 and len(copies) == 1 else set()

    def _place(self, instruction: Instruction) -> str | None:
        """Where a COPY of one file puts it, by its words alone."""
        source, target = (self.expand(instruction, word.text) for word in instruction.words)
        return self._target(instruction, source, target, set()) if source and target else None

    @cached_property
    def artifact(self) -> Artifact | None:
        """The application's jar: the one that is started, else the only one there is."""
        started = [artifact for artifact in self.artifacts if artifact.started]
        if started:
            return started[0] if len({artifact.instruction.number for artifact in started}) == 1 else None
        return self.artifacts[0] if len(self.artifacts) == 1 else None

    @cached_property
    def application_jars(self) -> tuple[Jar, ...]:
        """The archives whose code runs in the final image: copied whole, or unpacked by a stage before."""
        found = {artifact.jar.path: artifact.jar for artifact in self.artifacts if artifact.jar is not None}
        for file in self.final.content.files.values():
            jar = None
            if file.entry is not None:
                jar = file.entry[0]
            elif file.origin is not None and _is_archive(file):
                jar = self.jars(file.origin)
            if jar is not None:
                found.setdefault(jar.path, jar)
        return tuple(found.values())

    @cached_property
    def unread_artifacts(self) -> tuple[Artifact, ...]:
        """Jars that the final stage copies and that are not there to be read. The small jar that starts an
        unpacked application counts as read when the archive was."""
        unpacked = any(file.entry is not None for file in self.final.content.files.values())
        return tuple(
            artifact
            for artifact in self.artifacts
            if artifact.jar is None and not (unpacked and artifact.from_stage is not None)
        )

    def _artifact(self, instruction: Instruction, started: set[str]) -> Artifact | None:
        words = [self.expand(instruction, word.text) for word in instruction.words]
        sources = tuple(
            word if word is not None else instruction.words[n].text for n, word in enumerate(words[:-1])
        )
        layer = self.layer_of(instruction)
        jars = [
            (file, _place(file.path, file.origin.name if file.origin else "", started))
            for file in (layer.files if layer else ())
            if _is_archive(file)
        ]
        if not any(names_archive(source) for source in sources) and not any(
            place in started for _, place in jars
        ):
            return None
        path = None
        if len(jars) != 1 and words[-1] is not None and len(sources) == 1:
            path = self._target(instruction, sources[0], words[-1], started)
        likely = [(file, place) for file, place in jars if place in started] or jars
        file, path = (likely[0][0].origin, likely[0][1]) if len(likely) == 1 else (None, path)
        from_ = instruction.flag("from")
        if file is None and from_ is not None and len(sources) == 1:
            file = self.built_before(sources[0])
        jar = self.jars(file) if file is not None else None
        return Artifact(
            instruction=instruction,
            sources=sources,
            path=path,
            file=file,
            jar=jar,
            from_stage=from_.value if from_ is not None else None,
            started=any(place in started for _, place in jars) or path in started,
            matches=tuple(file.origin.name for file, _ in jars if file.origin is not None),
        )

    def _target(self, instruction: Instruction, source: str, target: str, started: set[str]) -> str | None:
        path = self.target_of(instruction)
        if path is None:
            return None
        name = source.rsplit("/", 1)[-1]
        if fills_directory(target, (source,)):
            return join(path, name) if not re.search(r"[*?\[$]", name) else None
        if path in self.final.content.directories:
            return normal(path + "/" + name)
        return _place(path, name, started)

    def built_before(self, source: str) -> Path | None:
        """A jar that another stage builds may lie in the context as well, built before: the same one, near enough
        to read its facts from."""
        if self.context is None:
            return None
        tail = re.search(
            r"(?:(?<![^/])[^/]+/)?(?:target|build/libs)/[^/]+[.*?\]](?:jar|war)$", normal("/" + source)
        )
        if tail is None:
            return None
        # Go takes ** in a name for *, and Python for a mistake
        pattern = re.sub(r"\*{2,}", "*", tail.group())
        for relative in (pattern, re.sub(r"^[^/]+/(?=target/|build/libs/)", "", pattern)):
            try:
                matches = sorted(
                    path
                    for path in self.context.root.glob(relative)
                    if path.is_file()
                    and not path.is_symlink()
                    and not path.name.endswith(("-sources.jar", "-javadoc.jar", "-plain.jar", "-tests.jar"))
                )
            except (OSError, ValueError):  # a name that no file can have
                return None
            if len(matches) == 1:
                return matches[0]
        return None

    @cached_property
    def build_facts(self) -> BuildFacts | None:
        """What pom.xml or Gradle's files beside the jar's source tell, when no jar is built."""
        if self.context is None:
            return None
        root = self.context.root
        candidates = [Path(self.path).parent, root] if self.path != "-" else [root]
        for instruction in self.final.stage.instructions:
            if instruction.keyword in ("COPY", "ADD"):
                for word in instruction.words[:-1]:
                    source = (self.expand(instruction, word.text) or "").lstrip("/")
                    module = re.split(r"(?:^|/)(?:target|build/libs)/", source)[0]
                    if module and module != source and ".." not in module:
                        candidates.insert(0, root / module)
                    candidates[:0] = self._project_in_stage(instruction, "/" + source)
        names = ("pom.xml", "build.gradle", "build.gradle.kts")
        for directory in candidates:
            if any((directory / name).is_file() for name in names):
                from imgopt.java.build_files import read_build_files, repository_of

                try:
                    facts = read_build_files(directory, repository_of(directory))
                except ContextError:
                    continue  # a broken build file tells nothing; the Dockerfile still gets its answer
                if facts is not None and facts.packaging != "pom":
                    return facts
        return None

    def _project_in_stage(self, instruction: Instruction, source: str) -> Iterator[Path]:
        """Where the context has the project that another stage builds, of which a COPY takes the jar at ``source``."""
        from imgopt.java.building import BUILD_FILES, is_output, project_of

        flag = instruction.flag("from")
        if flag is None or not is_output(source):
            return
        for stage in self.stages:
            if (flag.value or "").lower() in (stage.name.lower(), str(stage.index)):
                for name in sorted(BUILD_FILES):
                    file = stage.content.files.get(join(project_of(source), name))
                    if file is not None and file.origin is not None:
                        yield file.origin.parent

    @cached_property
    def touches(self) -> tuple[Instruction, ...]:
        """RUN lines of the final stage that only `touch` a jar: a new copy of it, and nothing else."""
        if not self.active("jar-stored-twice", 0):
            return ()
        return tuple(
            instruction
            for instruction in self.final.stage.instructions
            if instruction.keyword == "RUN"
            and not instruction.heredocs
            and _only_touches(self.script_of(instruction).text)
        )

    def removal(self, instruction: Instruction) -> Edit:
        """The edit that removes an instruction with its line end."""
        text = self.document.text
        start = text.rfind("\n", 0, instruction.span.start) + 1
        end = text.find("\n", instruction.span.end)
        return Edit(Span(start, len(text) if end < 0 else end + 1), "")

    # comments

    @cached_property
    def silences(self) -> tuple[Silence, ...]:
        found: list[Silence] = []
        if not self.options.silences:
            return ()
        starts = sorted(instruction.line for instruction in self.document.instructions)
        for comment in self.document.comments:
            match = re.match(r"#\s*imgopt:\s*ignore=([\w,\- ]+?)\s*(?::\s*(.*))?$", comment.text.strip())
            if match:
                at = bisect_right(starts, comment.line)
                line = starts[at] if at < len(starts) else 0
                names = frozenset(name.strip() for name in match.group(1).split(",") if name.strip())
                found.append(Silence(names, line, match.group(2) or ""))
        return tuple(found)

    @cached_property
    def ignored(self) -> str | None:
        """The reason of ``# imgopt: ignore-file`` ("" without one), or None."""
        if not self.options.silences:
            return None
        for comment in self.document.comments:
            match = re.match(r"#\s*imgopt:\s*ignore-file\s*(?::\s*(.*))?$", comment.text.strip())
            if match:
                return match.group(1) or ""
        return None

    def active(self, rule: str, line: int) -> bool:
        """Whether a rule may speak about the instruction at this line."""
        if self.options.select and rule not in self.options.select:
            return False
        if rule in self.options.ignore:
            return False
        return rule not in self._silenced.get(line, ())

    @cached_property
    def _silenced(self) -> dict[int, set[str]]:
        """The rules that may not speak, by lines."""
        found: dict[int, set[str]] = {}
        for silence in self.silences:
            found.setdefault(silence.line, set()).update(silence.rules)
        return found


Found = TypeVar("Found")


def once(analysis: Callable[[Picture], Found]) -> Callable[[Picture], Found]:
    """An analysis of a picture: made when somebody first asks, and kept with the picture."""

    @wraps(analysis)
    def found(picture: Picture) -> Found:
        if analysis not in picture.found:
            picture.found[analysis] = analysis(picture)
        return cast("Found", picture.found[analysis])

    return found


def _text_of(file: File, *, named: bool) -> str | None:
    """The text of a script; ``named``: its name or its use says that it is one, else ``#!`` does."""
    if file.text is not None:
        return file.text if named or file.text.startswith("#!") else None
    if file.origin is None:
        return None
    try:
        with open_file(file.origin) as stream:
            data = stream.read(2)
            if data != b"#!" and not named:
                return None
            data += stream.read(MAX_SCRIPT_BYTES)
    except OSError:
        return None
    return data.decode("utf-8", "replace") if b"\0" not in data else None


#: RUN commands that put no jar anywhere.
_NO_JARS = frozenset(
    "addgroup adduser apk apt apt-get cd chmod chown chgrp dnf echo export find groupadd ln ls locale-gen microdnf mkdir "
    "rm sed set touch true update-ca-certificates useradd usermod yum [ test".split()
)


def may_bring_jars(read: ShellText) -> bool:
    """Whether a RUN has commands that could put a jar, or classes, anywhere."""
    return read.script.broken or any(
        not command.words or command.program not in _NO_JARS for command in shell.all_commands(read.text)
    )


def _matches(pattern: str, name: str) -> bool:
    from imgopt.build_context.patterns import BadPattern, glob_match

    try:
        return glob_match(pattern.replace("[!", "[^"), name)
    except BadPattern:
        return False


def _is_archive(file: File) -> bool:
    """A jar or war, by the name it has in the image or in the context (``COPY target/app.jar /app``)."""
    return any(
        name.endswith((".jar", ".war")) for name in (file.path, file.origin.name if file.origin else "")
    )


def _place(path: str, name: str, started: set[str]) -> str | None:
    """Where an archive stands that a COPY brings to ``path``. Without a suffix that may be a directory of the base
    image as well as a file; a start command that names one of them tells."""
    if path.endswith((".jar", ".war")) or path in started:
        return path
    inside = join(path, name)
    return inside if inside in started else None


def _in(call: JavaCall, directory: str | None) -> JavaCall:
    """A call whose process begins in another directory than the image's own."""
    if directory is None or call.directory is None or call.jar is None:
        return call
    return replace(call, directory=join(directory, call.directory))


def _only_touches(text: str) -> bool:
    script = shell.parse(text)
    if not script.nodes or not script.plain:
        return False
    for command in script.commands:
        if command.program in ("sh", "bash") and len(command.args) == 2 and command.args[0].text == "-c":
            if not _only_touches(command.args[1].literal or ""):
                return False
        elif (
            command.program != "touch"
            or not command.args
            or not all(word.text.strip("\"'").endswith((".jar", ".war")) for word in command.args)
        ):
            return False
    return True


def take_picture(
    document: Dockerfile, context: Context | None, options: Options, jars: Jars | None = None
) -> Picture:
    return Picture(document, context, options, jars if jars is not None else Jars())
