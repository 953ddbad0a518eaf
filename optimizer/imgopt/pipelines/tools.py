"""The command lines of image tools: their words as flags and arguments, and what is put in front of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Stands for the directory that a step runs in, and for the repository: both are known only on the agent.
HERE, ROOT = "/imgopt.here", "/imgopt.root"
#: What the systems call the repository's directory.
ROOTS = ("WORKSPACE", "CI_PROJECT_DIR", "GITHUB_WORKSPACE")

_FLAG = re.compile(r"[\"']?(--?[A-Za-z][\w-]*)[\"']?(=)?")
_VARIABLE = re.compile(r"\$\w+|\$\{\w+\}|\$@")
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

_KANIKO_BOOLS = frozenset(
    "cache cache-copy-layers cache-run-layers cleanup compressed-caching force ignore-var-run insecure "
    "insecure-pull log-timestamp no-push no-push-cache pre-cleanup preserve-context reproducible single-snapshot "
    "skip-default-registry-fallback skip-push-permission-check skip-tls-verify skip-tls-verify-pull "
    "skip-unused-stages use-new-run push-ignore-immutable-tag-errors dryrun materialize help".split()
)
_BUILD_BOOLS = frozenset(
    "no-cache pull push load q quiet rm force-rm squash compress layers tls-verify debug D all-tags a "
    "disable-content-trust squash-all stdin inherit-labels omit-history no-hosts remove-signatures all "
    "src-tls-verify dest-tls-verify src-no-creds dest-no-creds help h disable-compression".split()
)
_SHORT = {"f": "file", "t": "tag", "c": "context", "d": "destination", "o": "output", "q": "quiet"}


@dataclass(frozen=True)
class Arg:
    """A word: as written without its quotes, and its value, None when it depends on what is not known here."""

    text: str
    value: str | None

    @property
    def known(self) -> str:
        return self.value if self.value is not None else self.text


@dataclass(frozen=True)
class Line:
    """A command after its wrappers: the limits around it in seconds, its words, the variables set for it."""

    words: tuple[Arg, ...]
    limits: tuple[tuple[float, str], ...]
    variables: Mapping[str, str | None]


@dataclass(frozen=True)
class Parsed:
    flags: Mapping[str, tuple[str, ...]]
    rest: tuple[Arg, ...]
    open: bool = False  # a word may stand for flags that are not known

    def last(self, *names: str) -> str | None:
        found = [self.flags[name][-1] for name in names if name in self.flags]
        return found[-1] if found else None


def unwrapped(words: Sequence[Arg], variables: Mapping[str, str | None]) -> Line:
    """Takes ``sudo``, ``timeout 300``, ``env A=b``, ``nice`` and the like off the front."""
    limits: list[tuple[float, str]] = []
    extra = dict(variables)
    rest = list(words)
    for _ in range(12):
        if not rest:
            break
        name = (rest[0].value or "").rsplit("/", 1)[-1]
        if name == "busybox" and len(rest) > 1:
            rest = rest[1:]
        elif name == "timeout":
            limit, rest = _timeout(rest)
            if limit is not None:
                limits.append(limit)
        elif name in (
            "sudo",
            "nice",
            "ionice",
            "time",
            "exec",
            "command",
            "nohup",
            "stdbuf",
            "doas",
            "eatmydata",
        ):
            rest = _after_options(
                rest[1:], ("-n", "-u", "-g", "-c", "-o", "-e", "-i") if name != "time" else ()
            )
        elif name == "env":
            rest = _after_options(rest[1:], ("-u",))
            while rest and re.match(r"[A-Za-z_]\w*=", rest[0].text):
                key, _, value = rest.pop(0).known.partition("=")
                extra[key] = value
        elif name == "retry" and len(rest) > 2 and (rest[1].value or "").isdigit():
            rest = rest[2:]
        else:
            break
    return Line(tuple(rest), tuple(limits), extra)


def _after_options(words: list[Arg], with_value: tuple[str, ...]) -> list[Arg]:
    while words and words[0].text.startswith("-"):
        words = words[2:] if words[0].text in with_value else words[1:]
    return words


def _timeout(words: list[Arg]) -> tuple[tuple[float, str] | None, list[Arg]]:
    """The limit of coreutils' or BusyBox's ``timeout``, None where it is not known or 0, which is none."""
    at = 1
    given: str | None = None
    while at < len(words) and words[at].text.startswith("-"):
        option = words[at].text
        if option == "-t" and at + 1 < len(words):  # BusyBox before 1.30
            given = words[at + 1].value
            at += 2
        else:
            at += 2 if option in ("-k", "-s", "--kill-after", "--signal") else 1
    shown = " ".join(word.known for word in words[1 : at + (given is None)])
    if given is None:
        given = words[at].value if at < len(words) else None
        at += 1
    match = _DURATION.fullmatch(given or "")
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0
    return ((seconds, f"timeout {shown}") if 0 < seconds < 1e9 else None), words[at:]


def flags(words: Sequence[Arg], *, kaniko: bool = False) -> Parsed:
    """Flags by name without dashes, short ones by their long names, and what is no flag."""
    bools = _KANIKO_BOOLS if kaniko else _BUILD_BOOLS
    found: dict[str, list[str]] = {}
    rest: list[Arg] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        match = _FLAG.match(word.text)
        if match is None:
            rest.append(word)
            continue
        name = match[1].lstrip("-")
        name = _SHORT.get(name, name) if len(name) == 1 else name
        if match[2]:
            value = word.known.partition("=")[2]
        elif name in bools or at >= len(words) or (words[at].text.startswith("-") and words[at].text != "-"):
            value = ""
        else:
            value = words[at].known
            at += 1
        found.setdefault(name, []).append(value)
    unsure = any(word.value is None and _VARIABLE.fullmatch(word.text) for word in rest)
    return Parsed({name: tuple(values) for name, values in found.items()}, tuple(rest), unsure)


_KANIKOS_OWN = re.compile(r"[\"']?--(?:destination|no-push|tar-path|tarPath|context|dockerfile)\b")


def is_kaniko(words: Sequence[Arg]) -> bool:
    """Whether a command is kaniko's executor. Its images have /kaniko on the path: a bare ``executor`` is it as well
    where flags of its own follow."""
    program = (words[0].value or "") if words else ""
    if program == "executor":
        return any(_KANIKOS_OWN.match(word.text) for word in words[1:])
    return program.endswith("kaniko/executor") or program.rsplit("/", 1)[-1] == "kaniko-executor"


_RUN_BOOLS = frozenset("rm i t it ti d privileged init interactive tty detach read-only P q quiet".split())


def run_image(words: Sequence[Arg]) -> tuple[str, list[Arg], dict[str, str]] | None:
    """``docker run``'s image, the words after it, and its ``-e`` variables; words begin behind ``run``."""
    at = 0
    variables: dict[str, str] = {}
    while at < len(words):
        match = _FLAG.match(words[at].text)
        if match is None:
            return words[at].known, list(words[at + 1 :]), variables
        name = match[1].lstrip("-")
        value = words[at].known.partition("=")[2] if match[2] else ""
        if not match[2] and name not in _RUN_BOOLS and at + 1 < len(words):
            at += 1
            value = words[at].known
        if name in ("e", "env") and "=" in value:
            key, _, of = value.partition("=")
            variables[key] = of
        at += 1
    return None


def image_name(text: str) -> str:
    """An image's name as a key: quotes and braces away, so that ``"${IMAGE}:$TAG"`` is ``$IMAGE:$TAG``."""
    return re.sub(r"\$\{(\w+)\}", r"$\1", text.replace('"', "").replace("'", "")).removeprefix("docker://")


def repository(name: str) -> str:
    """An image's name without tag and digest."""
    name = name.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
