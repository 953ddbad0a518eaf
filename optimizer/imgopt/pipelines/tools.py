"""The command lines of image tools: their words as flags and arguments, and what is put in front of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace

#: Stands for the directory that a step runs in, and for the repository: both are known only on the agent.
HERE, ROOT = "/imgopt.here", "/imgopt.root"
#: In front of a variable of a Jenkinsfile that holds an image of the Docker plugin: a name that no registry sees.
PLUGIN = "plugin/"
#: What the systems call the repository's directory.
ROOTS = ("WORKSPACE", "CI_PROJECT_DIR", "GITHUB_WORKSPACE")

_FLAG = regex(r"[\"']?(--?[A-Za-z][\w-]*)[\"']?(=)?")
_VARIABLE = regex(r"\$\w+|\$\{\w+\}|\$@")
_DURATION = regex(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)")
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
    """A command after its wrappers: the limits around it, each with its seconds, its text and in how many attempts it
    stands, its words, the variables set for it, and how often it is tried."""

    words: tuple[Arg, ...]
    limits: tuple[tuple[float, str, int], ...]
    variables: Mapping[str, str | None]
    attempts: int = 1


@dataclass(frozen=True)
class Repeated:
    """A command that runs once for each: its words each time, and how many run at the same time. ``why``: what it is repeated
    for is not known, and the one line stands for all."""

    lines: tuple[tuple[Arg, ...], ...]
    at_once: int
    why: str | None = None


@dataclass(frozen=True)
class Parsed:
    flags: Mapping[str, tuple[str, ...]]
    rest: tuple[Arg, ...]
    open: bool = False  # a word may stand for flags that are not known

    def last(self, *names: str) -> str | None:
        found = [self.flags[name][-1] for name in names if name in self.flags]
        return found[-1] if found else None


#: Programs that run another one, and those of their options that have a value behind them.
_WRAPPERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("nice", "ionice", "exec", "nohup", "stdbuf", "doas", "eatmydata", "setsid"), ()),
    **dict.fromkeys(("chronic", "unbuffer", "caffeinate", "winpty", "travis_retry", "builtin"), ()),
    "sudo": ("-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U", "--user", "--group"),
    "command": (),
    "time": ("-f", "-o"),
}
_WRAPPERS["nice"] = ("-n",)
_WRAPPERS["ionice"] = ("-c", "-n", "-p")
_WRAPPERS["stdbuf"] = ("-i", "-o", "-e")
_WRAPPERS["exec"] = ("-a",)
#: Programs that run what stands behind their own words, by words that begin it.
_BEFORE = frozenset(
    "retry retry.sh with-retry with_retry flock doppler dotenv op aws-vault infisical wait-for-it.sh".split()
)
_TIMES = regex(r"(?:-t|-n|--times|--tries|--max-attempts|--attempts|--retries)(?:=?(\d+))?")
_MOST_ATTEMPTS = 1_000
_BEGIN = frozenset(
    "timeout docker podman buildah nerdctl skopeo crane docker-compose mvn ./mvnw ./gradlew gradle make bash sh".split()
)


def unwrapped(words: Sequence[Arg], variables: Mapping[str, str | None]) -> Line:
    """Takes ``sudo``, ``timeout 300``, ``env A=b``, ``nice`` and the like off the front, and a ``$SUDO`` that is not known."""
    limits: list[tuple[float, str, int]] = []
    attempts = 1
    extra = dict(variables)
    rest = list(words)
    for _ in range(12):
        if not rest:
            break
        if rest[0].value is None and _VARIABLE.fullmatch(rest[0].text) and _begins(rest[1:]):
            rest = rest[1:]
        name = (rest[0].value or "").rsplit("/", 1)[-1]
        if name == "busybox" and len(rest) > 1:
            rest = rest[1:]
        elif name == "timeout":
            limit, rest = _timeout(rest)
            if limit is not None:
                limits.append((*limit, attempts))
        elif name in _WRAPPERS:
            attempts = tried(attempts, 3 if name == "travis_retry" else 1)
            rest = _after_options(rest[1:], _WRAPPERS[name])
            rest = _assigned(rest, extra) if name == "sudo" else rest
        elif name == "env":
            rest = _assigned(_after_options(rest[1:], ("-u", "-C", "--chdir", "--unset")), extra)
        elif name in _BEFORE:
            begins = (n for n, word in enumerate(rest[1:], 1) if word.value in _BEGIN)
            at = next(
                begins, 2 if name == "retry" and len(rest) > 2 and (rest[1].value or "").isdigit() else 0
            )
            if not at:
                break
            if name.startswith(("retry", "with")):
                attempts = tried(attempts, _times(rest[1:at]))
            rest = rest[at:]
        else:
            break
    return Line(tuple(rest), tuple(limits), extra, attempts)


def tried(*attempts: int) -> int:
    """How often what stands in several repetitions is tried; 1000 where it is more."""
    found = 1
    for each in attempts:
        found = min(found * each, _MOST_ATTEMPTS)
    return found


def _times(words: Sequence[Arg]) -> int:
    """How often a ``retry`` with these options tries; 1 where they do not say it."""
    for word, behind in zip_longest(words, words[1:]):
        option = _TIMES.fullmatch(word.text)
        if option is not None:
            return _count(option[1] or (behind.text if behind is not None else ""))
    return _count(words[0].text) if words else 1


def _count(text: str) -> int:
    return int(text) if re.fullmatch(r"[1-9]\d{0,2}", text) else 1


def _begins(words: Sequence[Arg]) -> bool:
    """Whether a command stands there that builds or pushes."""
    return bool(words) and words[0].value in _BEGIN and words[0].value not in ("bash", "sh")


def _assigned(words: list[Arg], variables: dict[str, str | None]) -> list[Arg]:
    """Takes the ``A=b`` off the front, into the variables."""
    while words and re.match(r"[A-Za-z_]\w*=", words[0].text):
        key, _, value = words[0].known.partition("=")
        variables[key] = value
        words = words[1:]
    return words


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
        match = _FLAG.match(word.text.lstrip())  # YAML joins lines that end with a backslash to "\\ --flag"
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


_XARGS_VALUES = {
    "P": "P", "max-procs": "P", "n": "n", "max-args": "n", "L": "n", "max-lines": "n", "I": "I", "replace": "I",
    "d": "d", "delimiter": "d", "a": "a", "arg-file": "a", "s": "s", "E": "E", "i": "I", "j": "P", "jobs": "P",
}  # fmt: skip
_XARGS_OPTION = regex(r"-([PnLIdasEj])(.*)|--([a-z-]+)(?:=(.*))?|-(i)", re.DOTALL)
_MOST_REPEATED = 200


def repeated_for(words: Sequence[Arg], fed: Arg | None) -> Repeated | None:
    """What ``xargs`` or ``parallel`` runs, from what it reads; None for other programs."""
    program = (words[0].value or "").rsplit("/", 1)[-1] if words else ""
    if program not in ("xargs", "parallel"):
        return None
    options: dict[str, str] = {}
    at = 1
    while at < len(words) and words[at].text.startswith("-") and words[at].text != "-":
        match = _XARGS_OPTION.match(words[at].text)
        at += 1
        if match is None:
            continue
        name = _XARGS_VALUES.get(match[1] or match[3] or match[5] or "")
        value = match[2] if match[1] else match[4]
        if name is None:
            continue
        if not value and name == "I" and not match[1]:
            value = "{}"  # -i and --replace take it behind the sign alone
        elif not value and at < len(words):
            value = words[at].known
            at += 1
        options[name] = value or ""
    command = list(words[at:])
    marks = [number for number, word in enumerate(command) if word.text == ":::"]
    items: list[Arg] | None = None
    if marks and program == "parallel":
        items = command[marks[0] + 1 :]
        command = command[: marks[0]]
    elif fed is not None and "a" not in options:
        items = _items(fed, options, lines=program == "parallel")
    unknown = items is None or any(item.value is None and item.text.strip("$") == "" for item in items)
    holder = options.get("I") or ("{}" if program == "parallel" else None)
    size = int(options["n"][:4]) if options.get("n", "").isdigit() and int(options["n"][:4]) else 0
    several = 1 if holder or (program == "parallel" and not size) else size or _MOST_REPEATED
    listed = [Arg("$each", None)] if items is None or unknown else items[:_MOST_REPEATED]
    lines = [
        _line_for(command, listed[start : start + several], holder)
        for start in range(0, len(listed), several)
    ]
    at_once = options.get("P", "" if program == "parallel" else "1")
    most = int(at_once[:4]) if at_once.isdigit() else 0 if program == "parallel" else 2
    why = "what it is repeated for is not known here" if unknown else None
    return Repeated(tuple(lines), most or max(2, len(lines)), why)


def _items(fed: Arg, options: Mapping[str, str], *, lines: bool) -> list[Arg] | None:
    if fed.value is None and "$(" in fed.text:
        return None
    by = {"\\n": "\n", "\\0": "\0"}.get(options.get("d", ""), options.get("d", ""))
    if by:
        texts = fed.text.rstrip("\n").split(by)
    else:
        texts = fed.text.split("\n") if lines or "I" in options or "L" in options else fed.text.split()
    return [Arg(text, None if "$" in text and fed.value is None else text) for text in texts if text.strip()]


def _line_for(command: Sequence[Arg], items: Sequence[Arg], holder: str | None) -> tuple[Arg, ...]:
    if holder is None or not any(holder in word.text for word in command):
        return (*command, *items)
    given = items[0]
    filled = []
    for word in command:
        if holder not in word.text:
            filled.append(word)
            continue
        text = word.text.replace(holder, given.text)
        filled.append(Arg(text, text if word.value is not None and given.value is not None else None))
    return tuple(filled)


def behind_options(
    words: Sequence[Arg], with_value: frozenset[str]
) -> tuple[dict[str, list[str]], list[Arg]]:
    """A program's own options, with their values by name, and what stands behind them: its subcommand first."""
    options: dict[str, list[str]] = {}
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        name, equals, value = words[at].text.partition("=")
        at += 1
        if (cluster := re.fullmatch(r"-[it]+(\w)", name)) and f"-{cluster[1]}" in with_value:
            name = f"-{cluster[1]}"  # -itn shop
        if not equals and name in with_value and at < len(words):
            value = words[at].known
            at += 1
        options.setdefault(name, []).append(value)
    return options, list(words[at:])


@dataclass(frozen=True)
class MakeCall:
    """``make``'s words. ``at_once``: how many targets it makes at the same time."""

    targets: list[str]
    variables: dict[str, str]
    directories: list[Arg]
    file: str | None
    at_once: int


def make_call(words: Sequence[Arg]) -> MakeCall:
    call = MakeCall([], {}, [], None, 1)
    at = 0
    while at < len(words):
        text, word = words[at].text, words[at]
        at += 1
        option = re.fullmatch(r"(-C|--directory|-f|--file|--makefile|-j|--jobs|-I|-o|-l|-W)(?:=?(.+))?", text)
        if option is None:
            name, equals, value = text.partition("=")
            if equals and re.fullmatch(r"[A-Za-z_][\w.-]*[:?+]?", name):
                call.variables[name.rstrip(":?+")] = value
            elif not text.startswith("-"):
                call.targets.append(text)
            continue
        jobs = option[1] in ("-j", "--jobs")
        given = option[2]
        if given is None and at < len(words) and (not jobs or words[at].text.isdigit()):
            word = words[at]
            given = word.text
            at += 1
        elif given is not None:
            word = Arg(given, given if word.value is not None else None)
        if option[1] in ("-C", "--directory"):
            call.directories.append(word)
        elif option[1] in ("-f", "--file", "--makefile"):
            call = replace(call, file=given)
        elif jobs:
            call = replace(call, at_once=int(given[:4]) if given and given.isdigit() else 64)
    return call


KANIKOS_OWN = regex(
    r"[\"']?(?:--(?:destination|no-push|tar-path|tarPath|context|dockerfile)\b|-[dc](?![\w-]))"
)


def is_kaniko(words: Sequence[Arg]) -> bool:
    """Whether a command is kaniko's executor. Its images have /kaniko on the path, and some call it ``kaniko``: bare, it is
    it as well where flags of its own follow."""
    program = (words[0].value or "") if words else ""
    if program in ("executor", "kaniko"):
        return any(KANIKOS_OWN.match(word.text) for word in words[1:])
    return program.endswith("kaniko/executor") or program.rsplit("/", 1)[-1] == "kaniko-executor"


_RUN_BOOLS = frozenset(
    "rm privileged init interactive tty detach read-only publish-all quiet no-healthcheck oom-kill-disable help build "
    "sig-proxy no-deps service-ports use-aliases no-TTY remove-orphans quiet-pull quiet-build".split()
)
_RUN_SHORT_BOOLS = "itdPqT"


#: kubectl's options, and those of its ``exec``, that have a value.
KUBECTL_VALUES = frozenset(
    "-n --namespace -c --container -f --filename --context --kubeconfig --cluster --user -s --server --as --as-group --as-uid "
    "--token --username --password --cache-dir --certificate-authority --client-certificate --client-key --profile "
    "--profile-output --tls-server-name -v --v --vmodule --log-flush-frequency --pod-running-timeout --request-timeout".split()
)


@dataclass(frozen=True)
class Ran:
    """A command that starts a container (``run``) or runs something in one (``exec``): its words behind that one."""

    by: str  # docker, compose, kubectl
    does: str
    words: tuple[Arg, ...]
    line: int


@dataclass(frozen=True)
class Container:
    """What ``docker run`` starts: the image, the words behind it, its variables, and all of its options that have a value, by
    their names without dashes."""

    image: str
    words: list[Arg]
    variables: dict[str, str]
    options: dict[str, list[str]]

    def source(self, path: str) -> str | None:
        """What lies at a path of the container, where it is a directory of the machine."""
        found: dict[str, str] = {}
        for text in (*self.options.get("v", ()), *self.options.get("volume", ())):
            source, _, there = text.partition(":")
            found[there.partition(":")[0].rstrip("/")] = source
        for text in self.options.get("mount", ()):
            given = _of_mount(text)
            found[mount_target(text).rstrip("/")] = given.get("source") or given.get("src") or ""
        at = path.rstrip("/")
        while at and at not in found:
            at = at.rpartition("/")[0]
        source = found.get(at, "")
        return None if not at or not source or "$" in source else source + path.rstrip("/")[len(at) :]


def run_image(words: Sequence[Arg]) -> Container | None:
    """``docker run``'s words, that begin behind ``run``."""
    at = 0
    options: dict[str, list[str]] = {}
    while at < len(words):
        match = _FLAG.match(words[at].text)
        if match is None:
            return Container(words[at].known, list(words[at + 1 :]), _variables(options), options)
        name, value = match[1].lstrip("-"), words[at].known.partition("=")[2] if match[2] else ""
        given = bool(match[2]) or name in _RUN_BOOLS
        if not match[1].startswith("--"):
            cluster = words[at].known.strip("\"'")[1:].lstrip(_RUN_SHORT_BOOLS)  # -it, -itp 80:80, -p80:80
            name, value = cluster[:1], cluster[1:].removeprefix("=")
            given = not name or bool(value)
        if not given and at + 1 < len(words) and not words[at + 1].text.startswith("--"):
            at += 1
            value = words[at].known
        if name:
            options.setdefault(name, []).append(value)
        at += 1
    return None


def _variables(options: Mapping[str, Sequence[str]]) -> dict[str, str]:
    given = (*options.get("e", ()), *options.get("env", ()))
    return dict(text.partition("=")[::2] for text in given if "=" in text)


def _of_mount(text: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in text.split(","))


def mount_target(text: str) -> str:
    """Where ``--mount``'s value puts something in the container."""
    given = _of_mount(text)
    return given.get("target") or given.get("dst") or given.get("destination") or ""


def image_name(text: str) -> str:
    """An image's name as a key: quotes and braces away, so that ``"${IMAGE}:$TAG"`` is ``$IMAGE:$TAG``."""
    return re.sub(r"\$\{(\w+)\}", r"$\1", text.replace('"', "").replace("'", "")).removeprefix("docker://")


def repository(name: str) -> str:
    """An image's name without tag and digest."""
    name = name.partition("@")[0]
    path, slash, last = name.rpartition("/")
    bare, colon, _ = last.partition(":")
    return path + slash + bare if colon and "${" not in bare else name
