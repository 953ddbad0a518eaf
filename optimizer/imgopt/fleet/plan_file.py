"""imgopt-fleet.toml: which group each artifact is in, without versions, so that a bump reshuffles no layers."""

from __future__ import annotations

import re
from pathlib import Path

from imgopt.errors import InputError
from imgopt.files.documents import parsed_toml
from imgopt.files.opening import read_file
from imgopt.fleet.plan import PREFIX, Plan
from imgopt.light.patterns import regex

NAME = "imgopt-fleet.toml"
_HEAD = """\
# Written by imgopt fleet plan, obeyed by the next one: a library stays in its group whatever version it has.
# Each group becomes a layer of every image that has one of its libraries, the first one lowest. A library that stands
# in none lies with its own module's. imgopt fleet plan --anew makes the groups anew.
"""
_MOST_BYTES = 1 << 20
_GROUP = regex(rf"{PREFIX}[A-Za-z0-9-]{{1,60}}")
_ARTIFACT = regex(r"[A-Za-z0-9][\w.-]{0,200}", re.ASCII)


def rendered(plan: Plan) -> str:
    order = ", ".join(f'"{name}"' for name in plan.groups)
    lines = [_HEAD, f"groups = [{order}]", "", "[libraries]"]
    width = max((len(artifact) for artifact in plan.group_of), default=0) + 2
    for artifact, name in sorted(plan.group_of.items()):
        quoted = f'"{artifact}"'
        lines.append(f'{quoted:<{width}} = "{name}"')
    return "\n".join(lines) + "\n"


def content(path: Path) -> bytes:
    """The file as it is, for what writes it anew. OSError."""
    return read_file(path, _MOST_BYTES + 1)


def read(path: Path) -> Plan | None:
    """The plan of a file; None where there is none. InputError where it is wrong."""
    if not path.exists():
        return None
    try:
        data = read_file(path, _MOST_BYTES + 1)
        document = parsed_toml(data[:_MOST_BYTES].decode("utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", "check it", path=str(path)) from error
    except (UnicodeDecodeError, ValueError) as error:
        raise _wrong(path, f"is not TOML: {error}") from error
    if len(data) > _MOST_BYTES:
        raise _wrong(path, f"is larger than {_MOST_BYTES:,} bytes")
    order, libraries = document.get("groups"), document.get("libraries", {})
    more = document.keys() - {"groups", "libraries"}
    if more:
        raise _wrong(path, f"has an unknown key {min(more)!r}")
    if not isinstance(order, list) or not all(
        isinstance(each, str) and _GROUP.fullmatch(each) for each in order
    ):
        raise _wrong(path, f'groups has to be a list of names like "{PREFIX}1"')
    if not isinstance(libraries, dict):
        raise _wrong(path, "[libraries] has to say an artifact's group")
    groups: dict[str, list[str]] = {name: [] for name in order}
    for artifact, name in libraries.items():
        if not _ARTIFACT.fullmatch(artifact):
            raise _wrong(path, f"{artifact!r} is not an artifact's name")
        if name not in groups:
            raise _wrong(path, f"{artifact} is in {name!r}, which groups does not name")
        groups[name].append(artifact)
    return Plan({name: tuple(sorted(artifacts)) for name, artifacts in groups.items()}, kept=True)


def _wrong(path: Path, what: str) -> InputError:
    return InputError(what, "fix it, or make it anew with imgopt fleet plan --anew", path=str(path))
