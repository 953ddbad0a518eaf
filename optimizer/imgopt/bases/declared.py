"""The user's own images: the ``[bases]`` table of imgopt.toml.

::

    [bases."harbor.corp/base/jdk17:*"]      # what this image is like, and what to run on instead
    like = "eclipse-temurin:17-jdk-jammy"
    counterpart = "harbor.corp/base/jre17:latest"

    [bases."harbor.corp/base/jre17:*"]      # or said key by key
    kind = "jre"
    java = 17
    libc = "glibc"
    os = "ubuntu"

    [bases."harbor.corp/hub/*"]             # a mirror of Docker Hub, complete
    like = "*"

A pattern matches the whole name; ``*`` stands for any text. The first match in the table's order wins. With one
``*`` on both sides, `like` takes what the pattern's star matched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imgopt.bases.base import Base
from imgopt.bases.reference import parse_reference
from imgopt.errors import ConfigError, InputError
from imgopt.light.records import replace

_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "like": str,
    "kind": str,
    "java": int,
    "libc": str,
    "os": str,
    "os_version": str,
    "user": str,
    "java_home": str,
    "platforms": list,
    "has": list,
    "lacks": list,
    "counterpart": str,
}
_VALUES = {"kind": ("jdk", "jre", "os", "build", "other"), "libc": ("glibc", "musl")}


def check_declared(declared: Mapping[str, Mapping[str, object]]) -> None:
    """Check every entry of the ``[bases]`` table.

    Raises:
        ConfigError: an unknown key, a value of the wrong kind, or a `like` that is no image reference.
    """
    for pattern, entry in declared.items():
        _check(pattern, entry)


def _check(pattern: str, entry: object) -> None:
    where = f'[bases."{pattern}"]'
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where} is not a table", 'write it as [bases."image:*"] with a key a line')
    for key, value in entry.items():
        expected = _KEYS.get(key)
        if expected is None:
            from difflib import get_close_matches

            near = get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(_KEYS)}"
            raise ConfigError(f"{where}: unknown key {key!r}", hint)
        strings = expected is not list or (
            isinstance(value, list) and all(isinstance(item, str) for item in value)
        )
        if not isinstance(value, expected) or isinstance(value, bool) or not strings:
            kind = {str: "a string", int: "a whole number", list: "a list of strings"}[expected]  # type: ignore[index]
            raise ConfigError(f"{where}: {key} must be {kind}")
        if key in _VALUES and value not in _VALUES[key]:
            raise ConfigError(
                f"{where}: {key} cannot be {value!r}", f"choose one of {', '.join(_VALUES[key])}"
            )
        if key in ("like", "counterpart") and not (key == "like" and "*" in str(value)):
            try:
                parse_reference(str(value))
            except InputError as error:
                raise ConfigError(f"{where}: {key}: {error.message}", error.hint) from error
    if "like" not in entry and not {"kind", "counterpart"} & set(entry):
        raise ConfigError(f"{where} says nothing", "give it `like`, `kind` or `counterpart`")


def declared_base(name: str, declared: Mapping[str, Mapping[str, object]]) -> Base | None:
    """The `Base` that the first matching entry describes, or None when none matches.

    Raises:
        ConfigError: the matching entry is malformed.
    """
    from imgopt.bases.public import identify_public

    for pattern, entry in declared.items():
        star = re.fullmatch("(.*)".join(re.escape(part) for part in pattern.split("*")), name)
        if star is None:
            continue
        _check(pattern, entry)
        like = entry.get("like")
        base = identify_public(name)
        if isinstance(like, str):
            mirror = "*" in like
            if mirror:
                like = like.replace("*", star[1] if star.groups() else "", 1)
            alike = identify_public(like)
            # "harbor.corp/hub/library" for harbor.corp/hub/library/openjdk:8, as for a mirror that nobody declared.
            public = (alike.image or "") + str(replace(alike.reference, registry=None, repository=""))
            base = replace(
                alike,
                name=name,
                reference=base.reference,
                retired=alike.retired if mirror else None,
                mirror=name.removesuffix(public).rstrip("/") if mirror and name.endswith(public) else None,
                mirror_complete=mirror,
            )
            if not mirror:
                base = replace(base, image=None)
        else:
            base = replace(base, family="declared", image=None, hint_major=None)
        found = _with_keys(replace(base, declared=True), entry)
        if any(said.get("counterpart") == name for said in declared.values()):
            # what the user moves to stays, though something smaller is known
            return replace(found, declared_counterpart=name, counterpart=found)
        if found.declared_counterpart is None:
            return found
        others = {other: said for other, said in declared.items() if other != pattern}
        own = declared_base(found.declared_counterpart, others) or identify_public(found.declared_counterpart)
        return replace(found, counterpart=own)
    return None


def _with_keys(base: Base, entry: Mapping[str, object]) -> Base:
    fields: dict[str, Any] = {}
    for key, field in (
        ("kind", "kind"),
        ("java", "java_major"),
        ("libc", "libc"),
        ("os", "os"),
        ("os_version", "os_version"),
        ("user", "user"),
        ("java_home", "java_home"),
        ("counterpart", "declared_counterpart"),
    ):
        if key in entry:
            fields[field] = entry[key]
    if "platforms" in entry:
        fields["platforms"] = tuple(entry["platforms"])  # type: ignore[arg-type]
    if "has" in entry or "lacks" in entry:
        has, lacks = (frozenset(entry.get(key, ())) for key in ("has", "lacks"))  # type: ignore[call-overload]
        fields["has"] = (base.has - lacks) | has
        fields["lacks"] = (base.lacks - has) | lacks
    return replace(base, **fields)
