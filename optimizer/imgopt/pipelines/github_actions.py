"""Actions that build or push: their inputs as the command that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable

from imgopt.light.patterns import regex

Given = Callable[[str], str]

#: Their names say that they have to do with images, and they neither build nor push one.
_HARMLESS = regex(
    r"^docker/(?:login|setup-|metadata|scout)|login|^actions/|setup|scan|trivy|grype|hadolint|cosign|lint|prune|delete|cleanup"
    r"|cache|upload-|download-|release|pages|deploy|sbom|dockle|snyk|slack|notify|tag",
    re.IGNORECASE,
)
_MAY_PUSH = regex(
    r"docker|kaniko|buildah|buildx|podman|container|image|push|publish|jib|retry|ecr|acr", re.IGNORECASE
)
_RETRY = regex(r"(?:^|/)(?:retry|[\w-]*retry[\w-]*)(?:/|$)|wretry", re.IGNORECASE)


def may_push(name: str) -> bool:
    """Whether an action that nobody knows here may push an image, by its name."""
    return _MAY_PUSH.search(name) is not None and _HARMLESS.search(name) is None


def command_of(name: str, version: str, given: Given) -> tuple[str, ...] | None:
    """Of the action with that name; None where it is not known here."""
    if name == "docker/build-push-action":
        return _build_push(given, by_default=re.match(r"v?1(?:\.|$)", version) is not None)
    if name == "docker/bake-action":
        return _bake(given)
    if name == "redhat-actions/buildah-build":
        return _buildah(given)
    if name == "redhat-actions/push-to-registry":
        return (
            "podman",
            "push",
            _joined(given("registry"), f"{given('image')}:{given('tags').split(' ')[0]}"),
        )
    return _kaniko(given) if re.search(r"(?:^|[/-])kaniko(?:-action|-executor)?$", name) else None


def _build_push(given: Given, *, by_default: bool) -> tuple[str, ...]:
    """Its default context is the repository at GitHub. ``by_default``: pushed where nothing is said, with the repository as
    an input of its own, as by the first version."""
    words = ["docker", "buildx", "build"]
    for name, input_ in (("file", "file"), ("file", "dockerfile"), ("target", "target")):
        if given(input_):
            words += [f"--{name}", given(input_)]
    if may_be(given("push") or ("true" if by_default else "")):
        words.append("--push")
    repository = _joined(given("registry"), given("repository")) if by_default and given("repository") else ""
    tags = split(r"[\n,]", given("tags")) or (["latest"] if repository else [])
    for name in tags:
        words += ["--tag", f"{repository}:{name}" if repository else name]
    for name in split(r"[\s,]+", given("platforms")):
        words += ["--platform", name]
    inputs = (
        ("build-args", "build-arg"),
        ("build_args", "build-arg"),
        ("outputs", "output"),
        ("attests", "attest"),
    )
    for input_, flag in inputs:
        for value in split(r"\n", given(input_)):
            words += [f"--{flag}", value]
    for input_ in ("provenance", "sbom"):
        if given(input_):
            words.append(f"--{input_}={given(input_)}")
    return (*words, given("context") or (given("path") if by_default else "") or ".")


def _bake(given: Given) -> tuple[str, ...]:
    words = ["docker", "buildx", "bake"]
    for name in split(r"[\n,]", given("files")):
        words += ["--file", name]
    for value in split(r"\n", given("set")):
        words += ["--set", value]
    for input_ in ("provenance", "sbom"):
        if given(input_):
            words.append(f"--{input_}={given(input_)}")
    if may_be(given("push")):
        words.append("--push")
    return (*words, *split(r"[\s,]+", given("targets")))


def _buildah(given: Given) -> tuple[str, ...]:
    words = ["buildah", "bud"]
    for input_ in ("containerfiles", "dockerfiles"):
        for name in split(r"\n", given(input_)):
            words += ["--file", name]
    for tag in split(r"\s+", given("tags")) or ["latest"]:
        words += ["--tag", f"{given('image')}:{tag}"]
    if given("layers").lower() == "true":
        words.append("--layers")
    return (*words, given("context") or ".")


def _kaniko(given: Given) -> tuple[str, ...]:
    """The two spellings of inputs that are in use: those of build-push-action, and registry, image and tag."""
    image = given("image") or given("repository")
    names = [_joined(given("registry"), f"{image}:{given('tag') or 'latest'}")] if image else []
    names = names or split(r"[\n,]", given("tags"))
    words = ["docker", "run", given("executor") or given("kaniko_image") or "kaniko"]
    words += ["--context", given("context") or given("path") or "."]
    for input_ in ("file", "build_file", "dockerfile"):
        if given(input_):
            words += ["--dockerfile", given(input_)]
    for name in names:
        words += ["--destination", name]
    if not image and not may_be(
        given("push")
    ):  # of the first spelling; the other one pushes unless told not to
        words.append("--no-push")
    if given("cache").lower() == "true":
        words.append("--cache=true")
    repository = given("cache-repository") or given("cache_registry")
    words += [f"--cache-repo={repository}"] if repository else []
    words += ["--target", given("target")] if given("target") else []
    for input_ in ("kaniko-args", "extra_args"):
        words += split(r"\s+", given(input_))
    return tuple(words)


def retried(name: str, given: Given) -> tuple[str, float, str, int] | None:
    """The command of an action that tries it again, the seconds of each try (0: no limit), how that is said, and how many
    attempts there are."""
    if not _RETRY.search(name) or not given("command"):
        return None
    attempts = given("max_attempts") or given("attempt_limit") or given("retries")
    count = max(1, int(attempts)) if re.fullmatch(r"\d{1,3}", attempts) else 1
    for input_, seconds in (("timeout_minutes", 60.0), ("timeout_seconds", 1.0), ("time_out", 0.001)):
        text = given(input_)
        if re.fullmatch(r"\d{1,9}(?:\.\d{1,6})?", text) and float(text):
            return given("command"), float(text) * seconds, f"{input_}: {text}", count
    return given("command"), 0.0, "", count


def tags_of(images: str, version: str) -> list[str]:
    """What ``docker/metadata-action`` makes of its images: a name of each, with one of the tags."""
    found = []
    for each in split(r"\n", images) if "\n" in images or "=" in images else split(r",", images):
        given = dict(part.strip().partition("=")[::2] for part in each.split(",") if "=" in part)
        if given.get("enable", "").lower() != "false" and not each.startswith("#"):
            found.append(f"{given.get('name') or each.partition(',')[0].strip()}:{version}")
    return found


def split(pattern: str, text: str) -> list[str]:
    return [each.strip() for each in re.split(pattern, text) if each.strip()][:50]


def may_be(text: str) -> bool:
    """Whether an input is true, or a condition that may be."""
    return text.strip().lower() == "true" or "$" in text


def _joined(registry: str, name: str) -> str:
    host = registry.removeprefix("https://").strip("/")
    return f"{host}/{name}" if host and not name.startswith(f"{host}/") else name
