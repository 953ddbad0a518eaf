"""Whether a pipeline pushes all of its images whatever changed: what in it chooses among them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from imgopt.light.patterns import regex
from imgopt.pipelines.model import Pipeline, Push

#: `parameters { choice(name: 'M', …) }`, and what plugins add to it (extendedChoice, activeChoice, booleanParam).
_DECLARED = regex(
    r"\b(?:choice|string|text|booleanParam|extendedChoice|activeChoice(?:Param)?|listGitBranches|\w+Param(?:eter)?)\b"
    r"[\s(\[{]{0,20}(?:\$class\s*:[^,]{0,100},\s*)?name\s{0,20}(?:[:=]\s{0,20})?(?:\(\s{0,20})?(['\"])(\w{1,80})\1"
)
#: What reads a parameter.
_READ = regex(r"(?:\bparams\s*\??\.\s*|\bparams\s*\[\s*['\"]|\benv\s*\.\s*|\$\{?)(?:params\.)?(\w{1,80})\b")
_ABOUT_IMAGES = regex(
    r"module|service|component|image|project|subsystem|micro|^apps?(?:_|$)|_apps?$", re.IGNORECASE
)
_MOST_OF_A_DECLARATION = 4_000  # characters
_COMMENT = regex(r"^[^\S\n]*(?:#|//).*$", re.MULTILINE)
_BLOCK_COMMENT = regex(r"/\*(?:(?!/\*).){0,20000}?\*/", re.DOTALL)
#: What asks for the files that changed, by system, and how it is called.
_CHANGES = {
    "jenkins": (
        (regex(r"\bchangeset\b"), "changeset"),
        (regex(r"\bcurrentBuild\.changeSets\b"), "currentBuild.changeSets"),
    ),
    "gitlab": ((regex(r"^[^\S\n]*(?:-[^\S\n]*)?changes\s*:", re.MULTILINE), "changes:"),),
    "github": (
        (regex(r"^[^\S\n]*paths(?:-ignore)?\s*:", re.MULTILINE), "paths:"),
        (regex(r"\b(?:dorny/paths-filter|tj-actions/changed-files)\b"), "the files that changed"),
    ),
}
_GIT_DIFF = regex(r"\bgit\s+(?:diff|show|log|diff-tree|whatchanged)\b[^\n]{0,200}--name-(?:only|status)\b")


def chosen_by(pipeline: Pipeline, text: str) -> tuple[bool, tuple[str, ...]]:
    """Whether nothing in the file looks at what changed, and the names of what chooses among its images."""
    plain = _COMMENT.sub("", _BLOCK_COMMENT.sub("", text))
    changes = [name for pattern, name in _CHANGES.get(pipeline.system, ()) if pattern.search(plain)]
    if _GIT_DIFF.search(plain):
        changes.append("git diff")
    if changes:
        return False, tuple(changes)
    return True, tuple(
        _parameters(plain, pipeline.pushes) if pipeline.system == "jenkins" else _inputs(plain)
    )


def _parameters(text: str, pushes: Iterable[Push]) -> Iterator[str]:
    """Parameters of Jenkins that are called for what they choose, or whose choices are the modules; only those that
    something reads."""
    modules = {name for push in pushes if (name := _module(push))}
    told: set[str] = set()
    read = set(_READ.findall(text))
    for match in _DECLARED.finditer(text):
        name = match[2]
        end = text.find("\n\n", match.end(), match.end() + _MOST_OF_A_DECLARATION)
        following = _DECLARED.search(text, match.end())
        ends = [at for at in (end, following.start() if following else -1) if at >= 0]
        declared = text[match.end() : min(ends, default=match.end() + 500)]
        words = set(re.findall(r"[\w.-]+", declared))
        is_about = _ABOUT_IMAGES.search(name) is not None or len(words & modules) > 1
        if name not in told and is_about and name in read:
            told.add(name)
            yield name


def _inputs(text: str) -> Iterator[str]:
    """What a workflow is started with by hand."""
    for name in dict.fromkeys(re.findall(r"\b(?:github\.event\.)?inputs\.([\w-]{1,80})", text)):
        if _ABOUT_IMAGES.search(name):
            yield name


def _module(push: Push) -> str | None:
    """The directory of a push's Dockerfile."""
    return posixpath.basename(posixpath.dirname(push.recipe.path or "")) or None
