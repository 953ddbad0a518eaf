"""The goals of Maven and the tasks of Gradle that make or push images, from their command lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imgopt.pipelines.model import Tool
from imgopt.pipelines.tools import Arg

#: Options with their values behind them.
_MAVEN_VALUES = frozenset(
    "-f --file -pl --projects -P --activate-profiles -s --settings -gs -T --threads -t -rf -b".split()
)
_GRADLE_VALUES = frozenset(
    "-p --project-dir -b --build-file -c -I -x --exclude-task --imageName --builder --image".split()
)
_TRUE = ("", "true")


@dataclass(frozen=True)
class Goal:
    """What a goal does: ``pushes`` or only builds; ``module``: the directory below the one it runs in, "" where none is named;
    ``dockerfile``: it builds the Dockerfile that lies there; ``image``: how the command line calls the image."""

    tool: Tool
    text: str
    pushes: bool
    builds: bool
    module: str = ""
    dockerfile: bool = False
    image: str | None = None


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
    if program in ("mvn", "mvnw", "mvnd", "mvn.cmd", "mvnw.cmd"):
        return _of_maven(words)
    if program in ("gradle", "gradlew", "gradlew.bat"):
        return _of_gradle(words)
    return []


def _of_maven(words: Sequence[Arg]) -> list[Goal]:
    options, rest = _options(words, _MAVEN_VALUES)
    set_ = {}
    for word in words:
        if word.text.startswith("-D"):
            name, _, value = word.text[2:].partition("=")
            set_[name] = value
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
            dockerfile = tool == "dockerfile-maven" and builds
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
        found.append(Goal(tool, word.text, pushes, builds, f"{directory}/{module}".strip("/"), False, named))
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
