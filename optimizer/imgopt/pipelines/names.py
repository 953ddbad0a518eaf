"""Which files are CI files, by name, and by content where somebody names the file."""

from __future__ import annotations

import re
from pathlib import PurePath

from imgopt.pipelines.model import System

_YAML = (".yml", ".yaml")


def system_of(path: PurePath) -> System | None:
    """``Jenkinsfile``, ``Jenkinsfile.*``, ``*.jenkinsfile``, ``.gitlab-ci.yml``, ``.github/workflows/*.yml``."""
    name = path.name.lower()
    if name == "jenkinsfile" or name.startswith("jenkinsfile.") or name.endswith(".jenkinsfile"):
        return "jenkins"
    if name in (".gitlab-ci.yml", ".gitlab-ci.yaml"):
        return "gitlab"
    if name.endswith(_YAML) and [part.lower() for part in path.parts[-3:-1]] == [".github", "workflows"]:
        return "github"
    return None


def system_of_given(path: PurePath, data: bytes) -> System | None:
    """The same for a file that somebody names: its content tells where its name does not."""
    known = system_of(path)
    if known is not None:
        return known
    name = path.name.lower()
    if name.endswith(".groovy"):
        return "jenkins"
    if not name.endswith(_YAML):
        return None
    if re.search(rb"(?m)^jobs\s*:", data) and re.search(rb"(?m)^[\"']?on[\"']?\s*:", data):
        return "github"
    return "gitlab" if re.search(rb"(?m)^(?:stages|include)\s*:|^\s+(?:script|extends)\s*:", data) else None
