"""kaniko builds several images in one container: files of one get into another, and the build succeeds.

## Why it costs
kaniko builds in its own root file system, and is made to build one image in a container. What the stages of a Dockerfile
hand on stays under `/kaniko/0`, `/kaniko/1` and so on when the build is done, with `--cleanup` too. The next build in
the container finds it there: where its `COPY --from` takes a directory or a pattern of the same path, its image gets
the files of the one before. Measured with kaniko 1.24: the image of one Spring Boot module held 5 libraries and 5 classes
of another, on its class path. Without `--cleanup` the files of the image before lie there as well, and the second build
fails or loses a layer. Two builds at the same time in one container write into each other: each image gets files of the
other, both end with exit code 0, and no line of the script mends that.

The Dockerfiles that imgopt writes hand on below a path of the module's own, so that two modules do not mix. Two builds
of the same module still do: libraries of the older version stay beside those of the newer. Only emptying helps there.
Where a rewrite is proposed, its text is judged too, so that this is said before the rewrite is applied.

The maintained fork (github.com/osscontainertools/kaniko) removes what stages handed on before it writes there again, and
from 1.27 on `--cleanup` empties `/kaniko` as well; it is only named here where `--cleanup` is missing, or builds run
at the same time. (By its release notes; not measured.)

## What it looks at
Executors in the same container of the same pod or job: one after the other, in loops over modules, and in the branches
of `parallel`. A branch or a stage with its own agent or pod has its own container, and so has each
`docker run`. Where the Dockerfiles are at hand and nothing that is handed on can mix, nothing is said.
A line that empties /kaniko counts where it surely runs in between: in the body of a loop, not in front of it, and not
under a condition that the builds do not stand under. Of two stages or branches only one runs where their conditions
show it: `branch 'main'` and `not { branch 'main' }`, not two different variables.

## Fix safety
Advice only. The line removes only what kaniko left; do not remove `/kaniko` itself, which holds the executor.

## Example
    for module in orders billing; do
      /kaniko/executor --cleanup --context $module --destination registry.example/$module:1
    done
becomes
    for module in orders billing; do
      rm -rf /kaniko/[0-9]*
      /kaniko/executor --cleanup --context $module --destination registry.example/$module:1
    done
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Build, HandedOn, Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import beside
from imgopt.pipelines.tools import repository
from imgopt.pipelines.versions import executor, maintained
from imgopt.scales import Applicability, Severity

ID = "reused-kaniko"
EMPTY = "rm -rf /kaniko/[0-9]*"
_OWN = {
    "jenkins": "give each build its own pod",
    "gitlab": "give each image its own job",
    "github": "give each image its own job",
    "script": "give each image its own container",
    "make": "give each image its own container",
}


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    builds = [build for build in pipeline.builds if build.tool == "kaniko" and build.container is not None]
    told: set[tuple[str | None, str]] = set()
    for build in builds:
        for kind, finding in (
            ("at once", _at_once(pipeline, build, builds)),
            ("after", _after(pipeline, build)),
        ):
            if finding is not None and not told & {(build.container, kind), (build.container, "at once")}:
                told.add((build.container, kind))
                yield finding


def _at_once(pipeline: Pipeline, build: Build, builds: list[Build]) -> Finding | None:
    others = [
        other
        for other in builds
        if other is not build
        and other.container == build.container
        and (beside(build.place, other.place) or (build.place.background and other.place.background))
    ]
    of_unknown = build.place.repeated and (
        build.place.background or any(branch.of_unknown for branch in build.place.branches)
    )
    if not others and not (of_unknown and not build.place.lock):
        return None
    count = str(len(others) + 1) if others else "Several"
    return Finding(
        ID,
        Severity.HIGH,
        build.line,
        build.end_line,
        f"{count} kaniko builds run at the same time in one container and write into each other's root file system: each "
        "image may get files of the others, and all of them end with exit code 0",
        Fix(
            f"{_OWN[pipeline.system]}, or run them one after the other with `{EMPTY}` in front of each; no line fixes "
            "builds that run at the same time",
            Applicability.MANUAL,
        ),
    )


def _after(pipeline: Pipeline, build: Build) -> Finding | None:
    dirty = build.lacks("cleanup") and build.lacks("pre-cleanup")
    cleaned = _cleans(build)
    for other in build.earlier:
        if _same(build, other):
            continue
        takes = [] if cleaned else _takes(build.recipe.handed_on, other.recipe.handed_on)
        where = f"that built {_name(other)} in line {other.line}"
        brought = _takes(_then(build), _then(other)) if takes == [] and not cleaned else []
        if takes != [] or brought != [] or dirty:
            return _found(
                pipeline, build, takes if brought == [] else brought, dirty, where, then=brought != []
            )
    if build.place.repeated and not build.earlier and build not in pipeline.emptied:
        takes = None if not cleaned and build.recipe.handed_on != () else []
        where = "that built the one before, as the line runs several times"
        brought = _takes(_then(build), _then(build)) if takes == [] and not cleaned else []
        if takes is None or brought or dirty:
            return _found(pipeline, build, brought or takes, dirty, where, then=bool(brought))
    return None


def _then(build: Build) -> tuple[HandedOn, ...] | None:
    """What its stages hand on when the rewrite that is proposed, if there is one, is in place."""
    recipe = build.recipe
    return recipe.handed_on_then if recipe.handed_on_then is not None else recipe.handed_on


def _takes(mine: tuple[HandedOn, ...] | None, its: tuple[HandedOn, ...] | None) -> list[HandedOn] | None:
    """What an image would take of what the other one's build left; None where it is not known."""
    if mine is not None and not any(each.whole for each in mine):
        return []
    if mine is None or its is None:
        return None
    return [each for each in mine if any(each.takes_from(left) for left in its)]


def _found(
    pipeline: Pipeline,
    build: Build,
    takes: list[HandedOn] | None,
    dirty: bool,
    where: str,
    *,
    then: bool = False,
) -> Finding:
    """``then``: only with the rewrite that is proposed, whose lines `takes` counts."""
    message = f"kaniko builds {_name(build)} in the container {where}"
    if then:
        message += "; what stages hand on does not mix yet, but after the rewrite that imgopt proposes it"
    if takes:
        first = takes[0]
        file = f"the rewritten {build.recipe.path}" if then else build.recipe.path
        message += (
            f"{'' if then else ': what stages handed on'} stays in /kaniko/{first.stage}, with --cleanup too, and line "
            f"{first.line} of {file} takes all of {first.path}, so that the image gets files of the other one as well"
        )
    elif takes is None:
        message += (
            f"{'' if then else ': what stages hand on'} stays in /kaniko/0, /kaniko/1 and so on, with --cleanup too, and gets into this image "
            "where a COPY --from takes a directory or a pattern of the same path"
        )
    if dirty:
        message += (
            f"{';' if takes or takes is None else ':'} without --cleanup the files of the image before lie there"
            f"{' as well' if takes or takes is None else ''}, and the build fails or loses a layer"
        )
    line = f"put `{EMPTY}` in front of the executor in line {build.line}"
    flag = "add --cleanup to each executor"
    if then:
        line = f"before the rewrite is applied, {line}"
    steps = [flag] if dirty and takes == [] else [line, flag] if dirty else [line]
    return Finding(
        ID,
        Severity.MEDIUM if takes == [] else Severity.HIGH,
        build.line,
        build.end_line,
        message,
        Fix(f"{' and '.join(steps)}, or {_OWN[pipeline.system]}", Applicability.MANUAL),
    )


def _same(build: Build, other: Build) -> bool:
    """The same build once more, as a second try or for another output."""
    ways = (
        "destination",
        "tar-path",
        "tarPath",
        "no-push",
        "digest-file",
        "cleanup",
        "cache",
        "cache-repo",
        "cache-ttl",
    )
    one, two = (
        {name: values for name, values in each.flags.items() if name not in ways} for each in (build, other)
    )
    if one != two or build.recipe != other.recipe or build.place.directory != other.place.directory:
        return False
    known = build.recipe.path is not None or {*map(repository, build.names)} == {
        *map(repository, other.names)
    }
    return known and not any("$" in value for values in one.values() for value in values)


def _cleans(build: Build) -> bool:
    """A fork whose version is not known is taken for a current one."""
    return maintained(build.image or "") and executor(build.image).has("cleanup empties /kaniko") is not False


def _name(build: Build) -> str:
    if build.recipe.path is not None:
        return build.recipe.path
    return build.names[0] if build.names else "an image"
