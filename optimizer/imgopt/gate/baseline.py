"""The baseline file: what each image was, kept in the repository. It shrinks by itself, and grows only when told to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from imgopt.errors import InputError, UsageError
from imgopt.files.documents import parsed_json
from imgopt.files.opening import read_file
from imgopt.gate.subject import Subject
from imgopt.light.records import dataclass, field, replace
from imgopt.text.spelling import choose_from

VERSION = 1
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    diff_id: str
    command: str
    compressed_bytes: int
    uncompressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A growth that somebody allowed. ``date`` reads 2026-11-26."""

    date: str
    reason: str
    from_bytes: int
    to_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One image: ``compressed_bytes`` is what it may weigh; ``layers`` and ``parts`` are those of the release that was
    recorded last. ``compressed_here``: from plain layers, which were compressed to be weighed. ``platform`` is "" in
    files that were written before there was one."""

    compressed_bytes: int
    uncompressed_bytes: int | None
    layers: tuple[Layer, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    accepted: tuple[Accepted, ...] = ()
    compressed_here: bool = False
    platform: str = ""


Baseline = dict[str, Entry]


def load(path: str) -> Baseline:
    """The file's entries; none when there is no file yet. InputError when it is no baseline."""
    return parsed(content(path), path)


def content(path: str) -> bytes | None:
    """The file's bytes; None when there is no file yet. InputError when it cannot be read."""
    try:
        return read_file(path, MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the baseline cannot be read: {reason}", "check the path", path=path) from error


def parsed(data: bytes | None, path: str) -> Baseline:
    """The entries of what `content` has read."""
    if data is None:
        return {}
    try:
        document = parsed_json(data)
        if document["imgopt_baseline"] != VERSION:
            raise InputError(
                f"it is a baseline of version {document['imgopt_baseline']!r}",
                "use the imgopt that wrote it",
                path=path,
            )
        return {str(name): _entry(value) for name, value in document["images"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            "it is not a baseline that imgopt wrote",
            "take it back from version control, or remove it and record the images anew with --update-baseline",
            path=path,
        ) from error


def _entry(value: Any) -> Entry:
    return Entry(
        _count(value["compressed_bytes"]),
        None if value["uncompressed_bytes"] is None else _count(value["uncompressed_bytes"]),
        tuple(
            Layer(
                str(each["diff_id"]),
                str(each["command"]),
                _count(each["compressed_bytes"]),
                None if each["uncompressed_bytes"] is None else _count(each["uncompressed_bytes"]),
            )
            for each in value["layers"]
        ),
        {str(path): _count(size) for path, size in value["parts"].items()},
        tuple(
            Accepted(
                str(each["date"]), str(each["reason"]), _count(each["from_bytes"]), _count(each["to_bytes"])
            )
            for each in value["accepted"]
        ),
        value.get("compressed_here") is True,
        str(value.get("platform", "")),
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("no count")
    return value


def rendered(baseline: Baseline) -> bytes:
    """The file's bytes: the same for the same entries, one line for each thing that may change, for readable diffs."""
    images = {
        name: {
            "compressed_bytes": entry.compressed_bytes,
            "uncompressed_bytes": entry.uncompressed_bytes,
            "compressed_here": entry.compressed_here,
            "platform": entry.platform,
            "accepted": [
                {
                    "date": each.date,
                    "reason": each.reason,
                    "from_bytes": each.from_bytes,
                    "to_bytes": each.to_bytes,
                }
                for each in entry.accepted
            ],
            "layers": [
                {
                    "diff_id": each.diff_id,
                    "command": each.command,
                    "compressed_bytes": each.compressed_bytes,
                    "uncompressed_bytes": each.uncompressed_bytes,
                }
                for each in entry.layers
            ],
            "parts": dict(sorted(entry.parts.items())),
        }
        for name, entry in sorted(baseline.items())
    }
    text = json.dumps({"imgopt_baseline": VERSION, "images": images}, indent=1, ensure_ascii=True)
    return (text + "\n").encode()


def recorded(subject: Subject, old: Entry | None) -> Entry | None:
    """The entry of a subject as it is now; None where its size is not known."""
    if subject.compressed.value is None or not subject.compressed.complete:
        return None
    layers = tuple(
        Layer(layer.diff_id or "", layer.command, layer.compressed_bytes or 0, layer.uncompressed_bytes)
        for layer in subject.layers
    )
    complete = subject.uncompressed.complete
    return Entry(
        subject.compressed.value,
        subject.uncompressed.value if complete else None,
        layers,
        subject.parts,
        old.accepted if old is not None else (),
        subject.compressed_here,
        subject.platform,
    )


def named_in(baseline: Baseline, subject: Subject) -> Subject:
    """The subject under the name that its entry has: an entry is one platform's, and names it where there are more."""
    own = f"{subject.name} ({subject.platform})"
    entry = baseline.get(subject.name)
    fits = entry is not None and entry.platform == subject.platform
    if own not in baseline and (fits or (not subject.several and (entry is None or not entry.platform))):
        return subject
    return replace(subject, name=own, names=(own, *subject.names))


def updated(
    baseline: Baseline, judged: Sequence[tuple[Subject, bool]], accept: Mapping[str, str], date: str
) -> tuple[Baseline, list[str]]:
    """The new baseline and what changed, in words. ``judged``: subjects, and whether their growth is within bounds.

    An image that is smaller takes its entry down; one that is larger leaves it where it is, unless ``accept`` has its
    name with a reason. Layers and parts are those of the release that was looked at, if it was not too large.
    UsageError for an accepted name that is not among the subjects.
    """
    result = dict(baseline)
    said: list[str] = []
    names = {subject.name: subject for subject, _ in judged}
    for each in accept:
        if each not in names and not any(each in subject.names for subject in names.values()):
            raise UsageError(
                f"--accept {each}: it is none of the images looked at", choose_from(each, list(names))
            )
    for subject, within in judged:
        old = baseline.get(subject.name)
        new = recorded(subject, old)
        if new is None:
            said.append(f"{subject.name}: its size is not known, it was not recorded")
            continue
        reason = next((accept[name] for name in subject.names if name in accept), None)
        if old is None:
            result[subject.name] = new
            said.append(
                f"{subject.name}: recorded" + (" for the first time, nothing to accept" if reason else "")
            )
        elif reason is not None and new.compressed_bytes > old.compressed_bytes:
            entry = Accepted(date, reason, old.compressed_bytes, new.compressed_bytes)
            result[subject.name] = replace(new, accepted=(*old.accepted, entry))
            said.append(f"{subject.name}: growth accepted: {reason}")
        elif new.compressed_bytes <= old.compressed_bytes:
            result[subject.name] = new
            if reason is not None:
                said.append(f"{subject.name}: it did not grow, nothing to accept")
            if new != old:
                said.append(
                    f"{subject.name}: "
                    + ("lowered" if new.compressed_bytes < old.compressed_bytes else "recorded")
                )
        elif within:
            result[subject.name] = replace(
                new,
                compressed_bytes=old.compressed_bytes,
                uncompressed_bytes=old.uncompressed_bytes,
                compressed_here=old.compressed_here,
            )
            if result[subject.name] != old:
                said.append(f"{subject.name}: the release is recorded; its limit stays")
        else:
            said.append(f'{subject.name}: not raised; --accept {subject.name} --reason "…" would')
    return result, said
