"""What a file is, by its name and what stands in it: the one place that tells a CI file from a Dockerfile and from others.

`kind_of` decides; `worth_a_look` says for which names a directory's files are read before they are asked about.
"""

from __future__ import annotations

import fnmatch
import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.pipelines import yaml_kinds

if TYPE_CHECKING:
    from imgopt.pipelines.model import System

_YAML = (".yml", ".yaml")
#: Of a file; what tells a kind stands in its beginning or nowhere, long comments and pods in front of it included.
LOOKED_AT = 200_000


@dataclass(frozen=True)
class Kind:
    """A CI file: of a ``system`` that is read, or of one that is not, by its name (``unread``: "CircleCI"). ``sure``: its
    content or its name says so; otherwise it is taken for one only where somebody names it."""

    system: System | None = None
    unread: str | None = None
    sure: bool = True
    other: str | None = None  # it is none of CI, but this


_JENKINS, _GITLAB, _GITHUB = Kind("jenkins"), Kind("gitlab"), Kind("github")


def kind_of(path: PurePath, data: bytes | None = None) -> Kind | None:
    """What kind of CI file this is, None where it is none or cannot be told.

    ``data`` is what stands in it; None: only its name is known. A Dockerfile's usual names are the caller's to know.
    """
    return _jenkins(path, data) or _yaml(path, data) or _script(path, data)


def worth_a_look(path: PurePath) -> bool:
    """Whether a file of a searched directory may be a CI file, so that its content is asked for."""
    name = path.name.lower()
    if name.endswith(_YAML):
        return kind_of(path) is not None or yaml_kinds.may_be_ci(path)
    return (
        kind_of(path) is not None or _maybe_jenkins(name) or is_makefile(name) or name.endswith(_SHELL_ENDS)
    )


# Jenkins

#: They have "jenkinsfile" in their names and are something else: notes about one, tests of one.
_FOREIGN = regex(
    r"\.(?:md|adoc|rst|txt|html?|ya?ml|json|toml|xml|properties|sh|bash|ps1|bat|py|js|ts|go|java|kt|kts|gradle|tf|hcl|png|svg"
    r"|jpe?g|gif|zip|gz|log|orig|rej|swp)$"
)
_GROOVY = (".groovy", ".gvy", ".jenkins")
_COMMENT = regex(r"/\*.*?(?:\*/|\Z)|^[ \t]*(?://|#!)[^\n]*", re.DOTALL | re.MULTILINE)
#: Calls at the beginning of a line that only Jenkins has, or that in other Groovy stand in other company.
_CALLS = regex(
    r"""^[ \t]*(?:
        pipeline[ \t\n]*\{
      | podTemplate[ \t]*[({]
      | @Library\b
      | library[ \t(]+(?:identifier[ \t]*:[ \t]*)?['"]
      | node[ \t]*(?:\{|\([^\n)]*\)[ \t\n]*\{|['"][^\n]*['"][ \t]*\{)
      | stage[ \t]*(?:\(|['"])[^\n]*\{
      | properties[ \t]*\(?[ \t]*\[
      | withCredentials[ \t]*\(?[ \t]*\[
    )""",
    re.VERBOSE | re.MULTILINE,
)
_STEPS = regex(
    r"""(?:^|[\s{;])(?:sh|stage|checkout|container|script|steps|stages|docker\.build)\b[ \t]*[({'"\s]"""
)
_SHELL = regex(r"""^[^\n'"/]{0,200}\bsh[ \t(]+(?:(?:script|label)[ \t]*:[ \t]*)?['"\w]""", re.MULTILINE)
_STEP_OF_A_LIBRARY = regex(r"^[ \t]*(?:def|void|Map|String|Object)[ \t]+call[ \t]*\(", re.MULTILINE)
_DOCKERFILE = regex(r"^[ \t]*(?:FROM|ARG)[ \t]+\S", re.MULTILINE | re.IGNORECASE)


def _maybe_jenkins(name: str) -> bool:
    return name.endswith(_GROOVY) or ("jenkins" in name and not _FOREIGN.search(name))


def _jenkins(path: PurePath, data: bytes | None) -> Kind | None:
    name = path.name.lower()
    if name in ("jenkinsfile", "jenkinsfile.groovy") or name.endswith(".jenkinsfile"):
        return _JENKINS
    if name.startswith("jenkinsfile.") and not _FOREIGN.search(name):
        return _JENKINS
    if data is None or name.endswith((*_YAML, ".gradle", ".kts", ".hcl", ".tf")):
        return None
    if _reads_as_jenkins(path, data):
        return _JENKINS
    if name.endswith(_GROOVY) or ("jenkinsfile" in name and not _DOCKERFILE.search(_text(data))):
        return Kind("jenkins", sure=False)
    return None


def _reads_as_jenkins(path: PurePath, data: bytes) -> bool:
    text = _COMMENT.sub("", _text(data))
    found = _CALLS.search(text)
    if found is None and path.suffix.lower() in _GROOVY:  # a step of a library, or what `load` loads
        in_library = path.parent.name == "vars" and _STEP_OF_A_LIBRARY.search(text) is not None
        return in_library or _SHELL.search(text) is not None
    if found is None:
        return False
    if _DOCKERFILE.search(text, 0, found.start()):
        return False
    begins = found[0].split()[0]
    return begins.startswith(("@Library", "podTemplate")) or _STEPS.search(text) is not None


def _text(data: bytes) -> str:
    return data[:LOOKED_AT].decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")


# scripts and Makefiles

_SHELL_ENDS = (".sh", ".bash")
_SHEBANG = regex(r"#!\s*\S*/(?:env\s+(?:-S\s+)?)?(?:ba|da|z|k|a)?sh\b")
#: A command line that makes or pushes images, not a word about one; with bounds, as the text is anybody's.
_IMAGES = regex(
    r"""(?:^|[\s;&|(@"'$}/])(?:
        (?:docker|podman|nerdctl|buildah|img|\$[({]?\w+[)}]?)(?:[ \t]+-\S+(?:[ \t]+[^\s-]\S*)?){0,20}[ \t]+
        (?:(?:image|buildx|builder|compose(?:[ \t]+-\S+[ \t]+\S+){0,20})[ \t]+)?(?:build|push|bud|bake)\b
      | docker-compose(?:[ \t]+-\S+[ \t]+\S+){0,20}[ \t]+(?:build|push)\b
      | (?:/?kaniko/)?executor[ \t]+-
      | kaniko-project/executor
      | skopeo[ \t]+(?:-\S+[ \t]+){0,20}copy\b | crane[ \t]+(?:push|copy|cp)\b | buildctl\b[^\n]{0,500}\bbuild\b
      | pack[ \t]+build\b
      | (?:mvnw?|gradlew?)\b[^\n]{0,500}(?:\b(?:jib|dockerfile|docker|k8s|oc):\w+|:build-image|\bbootBuildImage|\bjib\b)
    )""",
    re.VERBOSE | re.MULTILINE,
)
_REMARK = regex(r"^[ \t]*#[^\n]*|\\\n", re.MULTILINE)


def is_makefile(name: str) -> bool:
    lower = name.lower()
    return (
        lower in ("makefile", "gnumakefile") or lower.endswith(".mk") or fnmatch.fnmatch(lower, "makefile.*")
    )


def _script(path: PurePath, data: bytes | None) -> Kind | None:
    """A script or a Makefile that makes or pushes images; one that does not where somebody names it."""
    if data is None:
        return None
    name = path.name.lower()
    makes = is_makefile(name)
    if not makes and not name.endswith(_SHELL_ENDS) and not _SHEBANG.match(_text(data)):
        return None
    sure = _IMAGES.search(_REMARK.sub(" ", _text(data))) is not None
    return Kind("make" if makes else "script", sure=sure)


# YAML


def _yaml(path: PurePath, data: bytes | None) -> Kind | None:
    if not path.name.lower().endswith(_YAML):
        return None
    told = yaml_kinds.by_name(path) if data is None else yaml_kinds.told(path, _text(data))
    if told == yaml_kinds.GITLAB:
        return _GITLAB
    if told == yaml_kinds.GITHUB:
        return _GITHUB
    if told is not None and told[0].isupper():
        return Kind(unread=told)
    if data is None or _DOCKERFILE.search(_text(data)):
        return None
    return Kind(other=told or "YAML of no CI system that is known")
