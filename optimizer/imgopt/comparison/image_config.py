"""Two image configs side by side: what a container gets from each, and which differences another base image explains.

Configs are parsed OCI image configs (`imgopt.images.model.Image.config`). Defaults that builders write out or leave
out (``WorkingDir`` "" or "/", ``User`` "" or "root") count as the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from imgopt.comparison.checks import Check, Verdict, check
from imgopt.images.model import STAND_IN
from imgopt.light.patterns import regex

OF_THE_BASE = "set by the base image, which is another one"
_JAVA_DIRECTORY = regex(r"java|jdk|jre|jvm|corretto|zulu|graal|openj9|dragonwell|bisheng|kona", re.IGNORECASE)
#: Every base has these, or does without them.
_SYSTEM_DIRECTORIES = frozenset(
    ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/games")
)
#: Variables by which images of Java runtimes tell what they are.
_BASE_VARIABLE = regex(
    r"JAVA_VERSION|JAVA_HOME|JRE_HOME|JDK_HOME|JAVA_URL\w*|JAVA_BASE_URL|JAVA_DEBIAN_VERSION|JAVA_ALPINE_VERSION|"
    r"JAVA_VERSION_\w+|JAVA_MAJOR_VERSION|JAVA_VENDOR|LIBERICA_\w+|CORRETTO_\w+|ZULU\w*|SAPMACHINE_\w+|BISHENG_\w+|"
    r"CA_CERTIFICATES_JAVA_VERSION|GLIBC_VERSION|ALPINE_GLIBC_\w+|"
    r"MAVEN_(?:HOME|CONFIG|VERSION)|GRADLE_(?:HOME|VERSION)|"
    r"container|SSL_CERT_FILE"
)
_LOCALE = ("LANG", "LC_ALL", "LC_CTYPE", "LANGUAGE")
_BASE_LABEL = regex(
    r"maintainer|MAINTAINER|org\.opencontainers\.image\..*|org\.label-schema\..*|io\.(?:buildah|k8s|openshift)\..*|"
    r"com\.redhat\..*|build-date|vcs-\w+|architecture|distribution-scope|release|summary|description|url|vendor|version|name"
)
#: Entry points of base images that start what they are given.
_PASS_ON = ("/__cacert_entrypoint.sh", "/usr/local/s2i/run", "docker-java-entrypoint")


def compare_configs(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Check, ...]:
    """One check for each part of the config that says how a container starts, environment variables one by one where
    they differ."""
    old, new = _config(before), _config(after)
    return (
        check("platform", _platform(before), _platform(after)),
        _entrypoint(old, new),
        check("Cmd", _words(old, "Cmd"), _words(new, "Cmd")),
        *_environment(_variables(old), _variables(new)),
        check("User", _user(old), _user(new)),
        check("WorkingDir", _directory(old), _directory(new)),
        check("ExposedPorts", _keys(old, "ExposedPorts"), _keys(new, "ExposedPorts")),
        check("Volumes", _keys(old, "Volumes"), _keys(new, "Volumes")),
        *_labels(_mapping(old, "Labels"), _mapping(new, "Labels")),
        check("Healthcheck", _health(old), _health(new)),
        check("StopSignal", _signal(old), _signal(new)),
        check("Shell", _words(old, "Shell") or ["/bin/sh", "-c"], _words(new, "Shell") or ["/bin/sh", "-c"]),
        check("OnBuild", _words(old, "OnBuild"), _words(new, "OnBuild")),
    )


def exposed_ports(config: Mapping[str, object]) -> tuple[int, ...]:
    """TCP ports that the image exposes."""
    found = (re.fullmatch(r"(\d+)/tcp", key) for key in _keys(_config(config), "ExposedPorts"))
    return tuple(int(match[1]) for match in found if match)


def environment_of(config: Mapping[str, object]) -> dict[str, str]:
    return _variables(_config(config))


def health_command(config: Mapping[str, object]) -> list[str] | None:
    """The image's health check as a command; None when it has none."""
    test = _health(_config(config)).get("Test")
    if not isinstance(test, list) or len(test) < 2:
        return None
    words = [str(word) for word in test[1:]]
    return ["/bin/sh", "-c", words[0]] if test[0] == "CMD-SHELL" else words


def start_words(config: Mapping[str, object]) -> list[str]:
    return [*_words(_config(config), "Entrypoint"), *_words(_config(config), "Cmd")]


def _entrypoint(old: Mapping[str, object], new: Mapping[str, object]) -> Check:
    before, after = _words(old, "Entrypoint"), _words(new, "Entrypoint")
    inner = [
        [] if words and words[0].endswith(_PASS_ON) and len(words) == 1 else words
        for words in (before, after)
    ]
    if before != after and inner[0] == inner[1]:
        return Check(
            "Entrypoint", before, after, "expected", "the base image's own, which starts what it is given"
        )
    return check("Entrypoint", before, after)


def _environment(old: Mapping[str, str], new: Mapping[str, str]) -> list[Check]:
    same = {name: value for name, value in old.items() if new.get(name) == value}
    found = [Check("Env", sorted(same), sorted(same), "same")] if same or not (old or new) else []
    locale = _locale(old, new)
    for name in sorted(old.keys() | new.keys()):
        if name in same:
            continue
        before, after = old.get(name), new.get(name)
        verdict: Verdict = "different"
        reason = None
        if name in _LOCALE:
            verdict, reason = locale
        elif name == "PATH":
            verdict, reason = _path(before or "", after or "")
        elif _BASE_VARIABLE.fullmatch(name):
            verdict, reason = "expected", OF_THE_BASE
        found.append(Check(f"Env {name}", before, after, verdict, reason))
    return found


def _path(before: str, after: str) -> tuple[Verdict, str | None]:
    there = set(after.split(":"))
    lost = [
        part
        for part in before.split(":")
        if part not in there | _SYSTEM_DIRECTORIES
        and not _JAVA_DIRECTORY.search(part)
        and not re.search(r"maven|gradle", part)
    ]
    if lost:
        return "different", f"{', '.join(lost)} is not searched any more"
    return "expected", "the base image keeps its Java elsewhere"


def _locale(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Verdict, str | None]:
    """Java takes its language from the locale and, before 18, the encoding of files."""
    (language, charset), (new_language, new_charset) = _effective_locale(old), _effective_locale(new)
    if charset != new_charset:
        return (
            "different",
            f"the encoding was {charset or 'that of the C locale'} and is {new_charset or 'that of the C locale'}",
        )
    if language != new_language:
        return "different", f"the language was {language} and is {new_language}"
    return "expected", "another name of the same language and encoding"


def _effective_locale(variables: Mapping[str, str]) -> tuple[str, str]:
    name = next((variables[key] for key in ("LC_ALL", "LC_CTYPE", "LANG") if variables.get(key)), "C")
    language, _, charset = name.partition("@")[0].partition(".")
    plain = language.partition("_")[0]
    return "en" if plain in ("C", "POSIX") else plain, charset.lower().replace("-", "")


def _labels(old: Mapping[str, object], new: Mapping[str, object]) -> list[Check]:
    same = sorted(name for name, value in old.items() if name in new and new[name] == value)
    found = [Check("Labels", same, same, "same")]
    for name in sorted(old.keys() | new.keys()):
        if name not in same and name != STAND_IN:
            verdict: Verdict = "expected" if _BASE_LABEL.fullmatch(name) else "different"
            reason = OF_THE_BASE if verdict == "expected" else None
            found.append(Check(f"Label {name}", old.get(name), new.get(name), verdict, reason))
    return found


def _config(image: Mapping[str, object]) -> Mapping[str, object]:
    return _mapping(image, "config")


def _mapping(config: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = config.get(key)
    return value if isinstance(value, Mapping) else {}


def _words(config: Mapping[str, object], key: str) -> list[str]:
    value = config.get(key)
    return [str(word) for word in value] if isinstance(value, list | tuple) else []


def _keys(config: Mapping[str, object], key: str) -> list[str]:
    names = (str(name) for name in _mapping(config, key))
    return sorted(f"{name}/tcp" if name.isdigit() else name for name in names)


def _variables(config: Mapping[str, object]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in _words(config, "Env"))
    return {name: value for name, _, value in pairs}


def _user(config: Mapping[str, object]) -> str:
    user = str(config.get("User") or "root")
    return "root" if user in ("0", "0:0", "root:root", "root:0", "0:root") else user


def _directory(config: Mapping[str, object]) -> str:
    return str(config.get("WorkingDir") or "/").rstrip("/") or "/"


def _signal(config: Mapping[str, object]) -> str:
    signal = str(config.get("StopSignal") or "SIGTERM").upper()
    return {"15": "SIGTERM", "TERM": "SIGTERM"}.get(signal, signal)


def _health(config: Mapping[str, object]) -> dict[str, object]:
    health = {key: value for key, value in _mapping(config, "Healthcheck").items() if value}
    return {} if health.get("Test") in (None, [], ["NONE"]) else health


def _platform(image: Mapping[str, object]) -> str:
    parts = (str(image.get(key) or "") for key in ("os", "architecture"))
    return "/".join(part for part in parts if part)
