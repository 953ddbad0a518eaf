"""Which images a change makes anew: from git's changed paths to modules, to those that are made of them, to their images."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from imgopt.dockerfile import parse
from imgopt.errors import InputError, MeasureError, UsageError
from imgopt.fleet.images import Found, Image
from imgopt.fleet.modules import Repository
from imgopt.java.building import BUILD_FILES
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.options import Options
from imgopt.suggest.dockerfile import open_context_of, read_dockerfile

#: Files that go into no image, wherever they lie outside of sources.
_DOCUMENTS = regex(
    r"(?i)(?:^|/)(?:readme|changelog|contributing|security|code_of_conduct|licen[cs]e|notice|authors)(?:[.-][\w.-]*)?$"
    r"|(?:^|/)\.(?:gitignore|gitattributes|editorconfig|mailmap)$|(?:^|/)\.(?:idea|vscode|devcontainer)/"
    r"|^docs?/|^\.github/(?:issue_template|pull_request_template|codeowners|dependabot|funding)"
)
#: More changed paths than this are a new repository: everything is touched.
_MOST_PATHS = 100_000
_MOST_REASONS = 3


@dataclass(frozen=True)
class Touched:
    """An image that the change makes anew; ``why``: the paths or modules that it comes from, as a sentence's end."""

    image: Image
    why: str


@dataclass(frozen=True)
class Change:
    """``commit``: what the working tree was compared with, the last one that it has in common with ``revision``."""

    revision: str
    commit: str
    paths: tuple[str, ...]
    touched: tuple[Touched, ...]


def touched_since(repository: Repository, found: Found, revision: str) -> Change:
    """The images that are made anew of what changed since a revision, untracked files included. InputError where the
    directory is no checkout of git or has no such commit."""
    commit, paths = changed_paths(repository.root, revision)
    return Change(revision, commit, tuple(paths), tuple(_touched(repository, found, paths)))


# git


def changed_paths(directory: Path, revision: str) -> tuple[str, list[str]]:
    """The commit that is compared with, and the paths below a directory that differ from it."""
    if not revision or revision.startswith("-") or "\0" in revision or len(revision) > 1_000:
        raise UsageError(
            f"--since {revision!r} is not a revision", "give a commit, a tag or a branch: origin/main"
        )
    try:
        prefix = _git(directory, "rev-parse", "--show-prefix").decode(errors="surrogateescape").strip("\n")
    except _GitFailed as error:
        raise InputError(
            f"is not a checkout that git can read: {error}", "run it in the repository", path=str(directory)
        ) from error
    try:
        name = f"{revision}^{{commit}}"
        wanted = (
            _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", name).decode().strip()
        )
    except (_GitFailed, UnicodeDecodeError) as error:
        raise InputError(
            f"git has no commit {revision!r}",
            "fetch it first (a CI checkout is often shallow)",
            path=str(directory),
        ) from error
    try:
        base = _git(directory, "merge-base", wanted, "HEAD").decode().strip()
    except _GitFailed:  # nothing in common, or a shallow checkout
        base = wanted
    how = ("--relative", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
    try:
        changed = _git(directory, "diff", *how, base, "--")
        new = _git(directory, "ls-files", "--others", "--exclude-standard", "-z")
    except _GitFailed as error:
        raise MeasureError(
            f"git could not compare: {error}", "see git status", path=str(directory)
        ) from error
    names = {
        each.decode(errors="surrogateescape") for data in (changed, new) for each in data.split(b"\0") if each
    }
    for each in _git(directory, "diff", *how[1:], base, "--").split(b"\0") if prefix else ():
        path = each.decode(errors="surrogateescape")
        folder, _, file = path.rpartition("/")
        if prefix.startswith(f"{folder}/" if folder else "") and file in BUILD_FILES:
            names.add(f"{'../' * prefix.count('/')}{path}")  # a parent above the directory
    return base, sorted(names)[:_MOST_PATHS]


class _GitFailed(Exception):
    pass


def _git(directory: Path, *arguments: str) -> bytes:
    """What git says. Nothing that a repository configures is run: no pager, no monitor of the file system, no hooks."""
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false")
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
    }
    try:
        done = subprocess.run(
            ["git", *safe, *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    except (OSError, ValueError) as error:
        raise _GitFailed(f"git cannot be run ({getattr(error, 'strerror', None) or error})") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _GitFailed(said[-1].removeprefix("fatal: ")[:200] if said else f"exit code {done.returncode}")
    return done.stdout


# paths to images


def _touched(repository: Repository, found: Found, paths: Sequence[str]) -> list[Touched]:
    root = repository.root.resolve()
    files: dict[str, list[Image]] = {}
    for image in found.images:
        files.setdefault(_relative(image.dockerfile, root), []).append(image)
    other_folders = {posixpath.dirname(each.what) for each in found.left_out if each.module is None} - {
        "",
        ".",
    }
    own_folders = {posixpath.dirname(name): images for name, images in files.items()}
    all_of: str | None = None
    modules: dict[str, list[str]] = {}
    directly: dict[str, list[str]] = {}
    for path in paths:
        if _DOCUMENTS.search(path) and "/src/" not in f"/{path}":
            continue
        if path in files:
            for image in files[path]:
                directly.setdefault(image.module.directory, []).append(path)
            continue
        module = repository.holding(posixpath.dirname(path) or ".")
        if module is not None and module.directory != ".":
            modules.setdefault(module.directory, []).append(path)
            continue
        folder = _nearest(path, own_folders.keys() | other_folders)
        if folder is not None:
            for image in own_folders.get(folder, ()):
                directly.setdefault(image.module.directory, []).append(path)
        elif module is not None and _is_alone(repository):
            modules.setdefault(".", []).append(path)
        else:
            all_of = all_of or path
    reasons: dict[str, list[str]] = {}
    for directory, changed in modules.items():
        for user in repository.dependents([directory]):
            said = changed if user == directory else [f"made of {directory}"]
            reasons.setdefault(user, []).extend(said)
    touched = []
    for image in found.images:
        directory = image.module.directory
        why = [
            *directly.get(directory, ()),
            *sorted(reasons.get(directory, ()), key=lambda s: s.startswith("made of ")),
        ]
        if all_of is not None:
            why.append(f"{all_of} touches all")
        if why:
            more = f" and {len(why) - _MOST_REASONS} more" if len(why) > _MOST_REASONS else ""
            touched.append(Touched(image, ", ".join(why[:_MOST_REASONS]) + more))
    return touched


def _is_alone(repository: Repository) -> bool:
    return len(repository.modules) == 1


def _nearest(path: str, folders: set[str]) -> str | None:
    folder = posixpath.dirname(path)
    while folder and folder not in (".", ".."):
        if folder in folders:
            return folder
        folder = posixpath.dirname(folder)
    return None


def _relative(path: Path, root: Path) -> str:
    real = path.parent.resolve() / path.name
    return real.relative_to(root).as_posix() if real.is_relative_to(root) else str(real)


def matrix_entry(image: Image, root: Path) -> dict[str, str]:
    """What a CI job needs to build an image; build arguments as lines of ``K=V``."""
    top = root.resolve()
    context = image.context if image.context is not None else _context(image)
    return {
        "module": image.module.name,
        "directory": image.module.directory,
        "dockerfile": _relative(image.dockerfile, top),
        "context": _relative(context, top),
        "target": image.target or "",
        "build-args": "\n".join(f"{name}={value}" for name, value in image.args),
        "image": next((re.sub(r":[^:/]*$", "", name) for name in image.names if "$" not in name), ""),
    }


def _context(image: Image) -> Path:
    """Where the files are that it copies."""
    document = parse(read_dockerfile(image.dockerfile), str(image.dockerfile))
    context, _ = open_context_of(document, Options(build_args=dict(image.args)))
    return context.root if context is not None else image.dockerfile.parent
