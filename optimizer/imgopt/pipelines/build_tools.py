"""The goals of Maven and the tasks of Gradle that make or push images, from their command lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from imgopt.java.image_goals import ImageGoal, MavenCall
from imgopt.java.pom import Asked
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.pipelines.model import Tool
from imgopt.pipelines.tools import ROOT, Arg

MAVEN = frozenset({"mvn", "mvnw", "mvnd", "mvn.cmd", "mvnw.cmd"})
GRADLE = frozenset({"gradle", "gradlew", "gradlew.bat"})
#: Options with their values behind them.
_MAVEN_VALUES = frozenset(
    "-f --file -pl --projects -P --activate-profiles -s --settings -gs --global-settings -T --threads -t --toolchains -rf "
    "--resume-from -b --builder -l --log-file -D --define".split()
)
_GRADLE_VALUES = frozenset(
    "-p --project-dir -b --build-file -c -I -x --exclude-task --imageName --builder --image".split()
)
_TRUE = ("", "true")


@dataclass(frozen=True)
class Goal:
    """What a goal does: ``pushes`` or only builds; ``module``: the directory below the one it runs in, "" where none is named;
    ``dockerfile``: it builds this one, with ``context``, both from that directory; ``image``: how it is called."""

    tool: Tool
    text: str
    pushes: bool
    builds: bool
    module: str = ""
    dockerfile: str | None = None
    image: str | None = None
    context: str = ""


#: Tasks and phases that a build may bind images to; others test, and look.
MAY_PUSH = regex(
    r"(?i)build|assemble|package|verify|install|integration-test|.*(?:publish|deploy|release|image|docker|push).*"
)
#: By plugin as goals name it, in its short form and by its artifact.
_PLUGINS: dict[str, Tool] = {
    "jib": "jib",
    "jib-maven-plugin": "jib",
    "spring-boot": "build-image",
    "spring-boot-maven-plugin": "build-image",
    "dockerfile": "dockerfile-maven",
    "dockerfile-maven-plugin": "dockerfile-maven",
    "docker": "docker-maven-plugin",
    "docker-maven-plugin": "docker-maven-plugin",
    "k8s": "jkube",
    "oc": "jkube",
    "kubernetes-maven-plugin": "jkube",
    "openshift-maven-plugin": "jkube",
}
_IMAGE = {
    "jib": ("jib.to.image", "image", "djib.to.image"),
    "build-image": ("spring-boot.build-image.imageName",),
    "docker-maven-plugin": ("docker.name", "imageName"),
}
_TASKS: dict[str, tuple[Tool, bool, bool]] = {
    "jib": ("jib", True, True),
    "jibDockerBuild": ("jib", False, True),
    "bootBuildImage": ("build-image", False, True),
    "dockerBuildImage": ("docker-maven-plugin", False, True),
    "dockerPushImage": ("docker-maven-plugin", True, False),
    "dockerPush": ("docker-maven-plugin", True, False),
    "dockerTagsPush": ("docker-maven-plugin", True, False),
    "k8sBuild": ("jkube", False, True),
    "k8sPush": ("jkube", True, False),
}


def goals(program: str, words: Sequence[Arg]) -> list[Goal]:
    """The goals of a command line that make or push images, in order; [] for other programs."""
    if program in MAVEN:
        return _of_maven(words)
    if program in GRADLE:
        return _of_gradle(words)
    return []


def maven_call(words: Sequence[Arg]) -> tuple[str, MavenCall]:
    """The pom, as the command line gives its place, and what is asked of it."""
    options, rest = _options(words, _MAVEN_VALUES)
    file = options.get("-f") or options.get("--file") or ""
    given = _properties(words)
    named = options.get("-P") or options.get("--activate-profiles") or ""
    named = named or next((word.known[2:] for word in words if re.match(r"-P[^=]", word.known)), "")
    profiles = [each.strip() for each in named.split(",") if each.strip()]
    off = [each for each in profiles if each[0] in "!-"]
    projects = options.get("-pl") or options.get("--projects") or ""
    call = MavenCall(
        tuple(word.known for word in rest),
        Asked(
            given,
            frozenset(each.lstrip("+?") for each in profiles if each not in off),
            frozenset(each.lstrip("!-?") for each in off),
        ),
        tuple(each.strip() for each in projects.split(",") if each.strip()),
        with_needed="-am" in options or "--also-make" in options,
        alone="-N" in options or "--non-recursive" in options,
        unknown=next((each for each in profiles if "$" in each), None),
    )
    return (file if file.endswith(".xml") or not file else f"{file.rstrip('/')}/pom.xml") or "pom.xml", call


def tool_of(plugin: str) -> Tool:
    """What a plugin of Maven is, by its artifact."""
    return _PLUGINS[plugin]


def goal_of(found: ImageGoal) -> Goal:
    """A goal that stands in a pom; its directory and its paths are the repository's."""
    where = f" in {found.phase}" if found.phase else ""
    text = f"{found.plugin}:{found.goal}{where}"
    file = None if found.dockerfile is None else f"{ROOT}/{found.dockerfile}"
    module = "" if found.module == "." else found.module
    tool = tool_of(found.plugin)
    return Goal(tool, text, found.pushes, found.builds, module, file, found.image, f"{ROOT}/{found.context}")


@dataclass(frozen=True)
class GradleCall:
    """``gradle``'s words: the directory that it is told to run in, its tasks and those that it leaves out."""

    directory: str
    tasks: tuple[str, ...]
    without: tuple[str, ...]


def gradle_call(words: Sequence[Arg]) -> GradleCall:
    options, rest = _options(words, _GRADLE_VALUES)
    pairs = pairwise(words)
    without = [behind.known for word, behind in pairs if word.text in ("-x", "--exclude-task")]
    directory = options.get("-p") or options.get("--project-dir") or ""
    return GradleCall(directory, tuple(word.known for word in rest), tuple(without))


def goal_of_task(module: str, task: str, *, publishes: bool) -> Goal | None:
    """A task that others lead to; None for one that is not about images."""
    known = _TASKS.get(task)
    if known is None:
        return None
    tool, pushes, builds = known
    where = "" if module == "." else module
    return Goal(tool, task, pushes or (publishes and tool == "build-image"), builds, where)


def _properties(words: Sequence[Arg]) -> dict[str, str]:
    """What ``-Dname=value`` and ``-D name=value`` set; a name alone is true."""
    found = {}
    for word, behind in zip(words, [*words[1:], Arg("", "")], strict=True):
        text = (
            behind.known
            if word.text in ("-D", "--define")
            else word.known[2:]
            if word.text.startswith("-D")
            else ""
        )
        name, equals, value = text.partition("=")
        if name:
            found[name] = value if equals else "true"
    return found


def _of_maven(words: Sequence[Arg]) -> list[Goal]:
    options, rest = _options(words, _MAVEN_VALUES)
    set_ = _properties(words)
    module = _module(options)
    found: list[Goal] = []
    for word in rest:
        plugin, _, goal = word.text.rpartition(":")
        *_, artifact = [part for part in plugin.split(":") if not re.match(r"\d", part)] or [""]
        goal = goal.partition("@")[0]
        tool = _PLUGINS.get(artifact)
        if tool is None:
            continue
        pushes, builds = _of_goal(tool, goal, set_)
        if pushes or builds:
            named = next((set_[name] for name in _IMAGE.get(tool, ()) if set_.get(name)), None)
            dockerfile = "" if tool == "dockerfile-maven" and builds else None
            found.append(Goal(tool, word.text, pushes, builds, module, dockerfile, named))
    if set_.get("quarkus.container-image.push") in _TRUE:
        found.append(Goal("jib", "-Dquarkus.container-image.push", True, True, module))
    return found


def _of_goal(tool: Tool, goal: str, set_: dict[str, str]) -> tuple[bool, bool]:
    """Whether a goal pushes, and whether it builds."""
    if tool == "jib":
        return goal == "build", goal in ("build", "dockerBuild", "buildTar")
    if tool == "build-image":
        made = goal in ("build-image", "build-image-no-fork")
        return made and set_.get("spring-boot.build-image.publish") in _TRUE, made
    pushes = goal == "push" or (goal == "build" and ("pushImage" in set_ or "pushImageTag" in set_))
    return pushes, goal in ("build", "build-nofork")


def _of_gradle(words: Sequence[Arg]) -> list[Goal]:
    options, rest = _options(words, _GRADLE_VALUES)
    publishes = any(word.text == "--publishImage" for word in words)
    named = next((options[name] for name in ("--imageName", "--image") if name in options), None)
    found = []
    for word in rest:
        path, _, task = word.text.rpartition(":")
        known = _TASKS.get(task)
        if known is None:
            continue
        tool, pushes, builds = known
        pushes = pushes or (tool == "build-image" and publishes)
        module = path.strip(":").replace(":", "/")
        directory = options.get("-p") or options.get("--project-dir") or ""
        found.append(Goal(tool, word.text, pushes, builds, f"{directory}/{module}".strip("/"), None, named))
    return found


def _options(words: Sequence[Arg], with_value: frozenset[str]) -> tuple[dict[str, str], list[Arg]]:
    options: dict[str, str] = {}
    rest: list[Arg] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if not word.text.startswith("-"):
            rest.append(word)
            continue
        name, equals, value = word.text.partition("=")
        if not equals and name in with_value and at < len(words):
            value = words[at].text
            at += 1
        options[name] = value
    return options, rest


def _module(options: dict[str, str]) -> str:
    """Where ``-f dir/pom.xml`` and ``-pl module`` run; "" for the directory itself."""
    file = options.get("-f") or options.get("--file") or ""
    folder = re.sub(r"(?:^|/)[^/]*\.xml$", "", file)
    projects = options.get("-pl") or options.get("--projects") or ""
    one = projects.strip(":") if "," not in projects else ""
    return f"{folder}/{one}".strip("/")
