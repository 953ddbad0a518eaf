"""What a YAML file is: GitLab's and GitHub's by their content, others by name, so that none is taken for one of these two.

Lines are looked at, not a tree: a file that is no YAML, or not yet, has a kind all the same.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

GITLAB, GITHUB = "gitlab", "github"

#: Names and folders that tell, whatever stands in the file.
_NAMES = (
    (regex(r"(?:^|/)\.gitlab-ci\.ya?ml$|\.gitlab-ci\.ya?ml$"), GITLAB),
    (regex(r"(?:^|/)\.(?:github|gitea|forgejo)/workflows/[^/]+$"), GITHUB),
    (regex(r"(?:^|/)\.circleci/"), "CircleCI"),
    (regex(r"(?:^|/)\.?azure-pipelines[^/]*$|(?:^|/)\.azure-?pipelines/"), "Azure Pipelines"),
    (regex(r"(?:^|/)bitbucket-pipelines\.ya?ml$"), "Bitbucket Pipelines"),
    (regex(r"(?:^|/)\.drone\.ya?ml$"), "Drone"),
    (regex(r"(?:^|/)\.woodpecker(?:\.ya?ml$|/)"), "Woodpecker"),
    (regex(r"(?:^|/)\.travis\.ya?ml$"), "Travis CI"),
    (regex(r"(?:^|/)cloudbuild[^/]*$"), "Google Cloud Build"),
    (regex(r"(?:^|/)buildspec[^/]*$"), "AWS CodeBuild"),
    (regex(r"(?:^|/)\.?appveyor\.ya?ml$"), "AppVeyor"),
    (regex(r"(?:^|/)\.cirrus\.ya?ml$"), "Cirrus CI"),
    (regex(r"(?:^|/)\.buildkite/"), "Buildkite"),
    (regex(r"(?:^|/)codefresh[^/]*$"), "Codefresh"),
    (regex(r"(?:^|/)\.semaphore/"), "Semaphore"),
)
COMPOSE, ACTION, OBJECTS = "a Compose file", "a GitHub action", "a file of Kubernetes objects"
_KEY = regex(r"""["']?([\w.$/ -]{1,200}?)["']?[ \t]*:(?=[ \t]|$)""")
_MOST_LINES = 20_000
_FRAGMENTS = frozenset({"ci", ".ci", ".gitlab", "gitlab", ".gitlab-ci", "pipelines"})


def may_be_ci(path: PurePath) -> bool:
    """Whether a directory's file is worth a look into it: most YAML there is none of CI."""
    return by_name(path) is not None or path.parent.name.lower() in _FRAGMENTS


def by_name(path: PurePath) -> str | None:
    shown = "/".join(path.parts[-3:]).lower()
    return next((kind for name, kind in _NAMES if name.search(shown)), None)


def told(path: PurePath, text: str) -> str | None:
    """`GITLAB`, `GITHUB`, the name of a system that is not read, or what else it is; None where nothing tells."""
    return by_name(path) or _by_content(_outline(text), text)


@dataclass
class _Outline:
    """``keys``: those of the outermost level, and the ones directly below each. ``lists``: of which a list is the value."""

    keys: dict[str, set[str]] = field(default_factory=dict)
    lists: dict[str, set[str]] = field(default_factory=dict)
    deep: set[str] = field(default_factory=set)  # anywhere

    def has(self, *keys: str) -> bool:
        return any(key in self.keys for key in keys)

    def below(self, *keys: str) -> set[str]:
        return set().union(*(self.keys.get(key, set()) for key in keys))

    @property
    def items(self) -> set[str]:
        """The first keys of the entries of all lists."""
        return set().union(*self.lists.values())


def _outline(text: str) -> _Outline:
    found = _Outline()
    top, indent = "", 0
    for line in text.split("\n", _MOST_LINES)[:_MOST_LINES]:
        plain = line[:400].expandtabs(2)
        bare = plain.lstrip(" ")
        if not bare or bare[0] in "#%":
            continue
        depth = len(plain) - len(bare)
        item = bare.startswith("- ")
        key = _KEY.match(bare.removeprefix("- ").lstrip())
        name = key[1].strip() if key is not None else ""
        if depth == 0 and not item:
            top, indent = name, 0
            found.keys.setdefault(top, set())
            continue
        if item:
            found.lists.setdefault(top, set()).add(name)
        indent = indent or depth
        if name:
            found.deep.add(name)
            if depth == indent and not item:
                found.keys.setdefault(top, set()).add(name)
    return found


def _by_content(file: _Outline, text: str) -> str | None:
    if file.has("apiVersion") and file.has("kind"):
        if re.search(r"(?m)^apiVersion:\s*[\"']?tekton\.dev/", text):
            return "Tekton"
        return "Argo" if re.search(r"(?m)^apiVersion:\s*[\"']?argoproj\.io/", text) else OBJECTS
    if file.has("jobs") and file.has("on", "true"):
        return GITHUB
    if file.has("runs") and "using" in file.deep:
        return ACTION
    if file.has("pipelines") and "step" in file.items:
        return "Bitbucket Pipelines"
    if file.has("phases") and file.has("version"):
        return "AWS CodeBuild"
    if file.has("version") and file.has("jobs", "workflows", "orbs") and not file.has("services"):
        return "CircleCI"
    if _is_azure(file):
        return "Azure Pipelines"
    if file.has("stages") and "jobs" in file.deep and file.deep & {"runsOn", "step"}:
        return "Flow (云效)"
    if file.has("kind") and file.has("steps"):
        return "Drone"
    if file.has("language", "script", "before_install", "after_success") and not _has_jobs(file):
        return "Travis CI"
    if file.has("steps", "pipeline"):
        listed = file.lists.get("steps", set())
        if "image" in file.deep and not {"args", "entrypoint"} & file.deep:
            return "Woodpecker"
        return "Google Cloud Build" if listed & {"name", "id"} and "args" in file.deep else None
    if file.has("services") and "services" not in file.lists and not _has_jobs(file):
        return COMPOSE if file.deep & {"image", "build"} else None
    return GITLAB if _has_jobs(file) or file.has("stages") or _includes(file) else None


def _is_azure(file: _Outline) -> bool:
    if not file.has("trigger", "pool", "pr", "steps", "jobs", "stages", "resources", "extends"):
        return False
    if file.deep & {"vmImage"} or "task" in file.items:
        return True
    stages, jobs = file.lists.get("stages", set()), file.lists.get("jobs", set())
    return "stage" in stages or bool({"job", "deployment"} & jobs)


def _has_jobs(file: _Outline) -> bool:
    """Whether something of the outermost level reads as a job of GitLab."""
    names = file.keys.keys() - {"services", "steps", "pipelines", "stages", "jobs", "spec", "x-common"}
    return bool(file.below(*names) & {"script", "extends", "trigger", "run"}) and not file.has(
        "jobs", "phases"
    )


def _includes(file: _Outline) -> bool:
    return file.has("include") and bool(
        (file.items | file.below("include")) & {"local", "project", "template", "remote", "component"}
    )
