"""What a container says, compared: HTTP answers and log lines, without what differs from one moment to the next."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

MAX_BODY_BYTES = 1 << 20
SHOWN_CHARACTERS = 400

_VARYING = (
    (regex(r"\x1b\[[0-9;]*m"), ""),
    (regex(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?"), "<time>"),
    (regex(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\w{3} \d\d|\d\d \w{3})[ \w:+]{0,40}\d{4}(?: [\d:]{8} \w+)?"), "<time>"),
    (regex(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (regex(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (regex(r"@[0-9a-f]{5,8}\b"), "@<id>"),
    (regex(r"\b(?:[0-9a-f]{12}|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\b"), "<id>"),
    (regex(r"\b\d+(?:\.\d+)?\s?(?:ms|s|seconds?|milliseconds?|minutes?)\b"), "<duration>"),
    (regex(r"\b1\d{9}(?:\d{3})?\b"), "<time>"),
    (regex(r"(?i)\bpid\b[ :=]+\d+"), "PID <number>"),
    (regex(r"(\bINFO|\bWARN|\bERROR|\bDEBUG|\bTRACE|\bFATAL)\s+\d+\s+---"), r"\1 <pid> ---"),
    # Spring Boot's first line names the jar or directory that it runs from, and frames of a stack theirs
    (regex(r"\((?:[^\s(]+ )?started by \S{1,100} in \S{1,4096}\)"), "(started)"),
    (regex(r"\s~?\[[^\]\s]*\]$"), ""),
    (
        regex(
            r": (?:Name or service not known|Name does not resolve|Temporary failure in name resolution|Try again|"
            r"No address associated with hostname|nodename nor servname provided, or not known)"
        ),
        ": <name not resolved>",  # each C library has its own words
    ),
    (regex(r"\b(Java|JVM|JDK|JRE)(?: version)?[ /]\"?\d+[\w.+-]*\"?"), r"\1 <version>"),
)  # fmt: skip
#: Of a stack: where it runs through the launcher and the JDK says nothing of the application.
_STACK_FRAME = regex(r"^\s+at [\w$./<>@-]+\(|^\s*\.\.\. \d+ (?:more|common frames omitted)")
_TOKEN = regex(r"\w+|\s+|[^\w\s]")
#: Figures of the machine at the moment, as Spring Boot's health check has them.
_OF_THE_MACHINE = frozenset(("free", "total", "usable", "used", "max", "uptime", "threshold"))
_ERROR = regex(
    r"\b\w*(?:Exception|Error)\b|\b(?:ERROR|FATAL|SEVERE)\b|Caused by|(?i:\bnot found\b|\bfailed\b|\bcannot\b|"
    r"\bunable to\b|\bno such file\b|\bpermission denied\b)"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. ``cut``: the body was longer than `MAX_BODY_BYTES`, of which this is the beginning."""

    status: int
    content_type: str
    body: bytes
    cut: bool = False

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def shown(self) -> str:
        """For people: status, type, the beginning of a text."""
        kind = self.content_type or "no content type"
        if b"\0" in self.body:
            return f"{self.status} {kind}, {len(self.body)} bytes"
        text = " ".join(self.text.split())
        return f"{self.status} {kind}: {text[:SHOWN_CHARACTERS]}{'…' if len(text) > SHOWN_CHARACTERS else ''}"


def difference(before: Sequence[Answer], after: Sequence[Answer]) -> str | None:
    """In what two images' answers to one question differ, in a few words; None when they do not.

    Each side answered once or more: what differs within a side varies by itself, and is not compared.
    """
    first, second = before[0], after[0]
    if first.status != second.status:
        return f"status {first.status} became {second.status}"
    if _kind(first) != _kind(second):
        return f"content type {first.content_type or '(none)'} became {second.content_type or '(none)'}"
    ours, theirs = [answer.body for answer in before], [answer.body for answer in after]
    if ours[0] == theirs[0]:
        return None
    documents = [_leaves(body) for body in (*ours, *theirs)]
    if all(document is not None for document in documents):
        return _json_difference(
            [d for d in documents[: len(ours)] if d is not None],
            [d for d in documents[len(ours) :] if d is not None],
        )
    if any(b"\0" in body for body in (ours[0], theirs[0])):
        return None if _varies(ours) or _varies(theirs) else "the bytes of the body"
    return _text_difference([_normal(body) for body in ours], [_normal(body) for body in theirs])


def varies_wholly(answers: Sequence[Answer]) -> bool:
    """The body is another one each time, so that only status and type could be compared."""
    texts = [_normal(answer.body) for answer in answers]
    return (
        len(set(texts)) > 1
        and any(_leaves(answer.body) is None for answer in answers)
        and len({len(_TOKEN.findall(text)) for text in texts}) > 1
    )


def normal_line(line: str) -> str:
    """A line of a log without times, durations, process numbers, ids and Java's version."""
    for pattern, instead in _VARYING:
        line = pattern.sub(instead, line)
    return " ".join(line.split())


def without_stacks(log: str) -> list[str]:
    """The lines of a log but for the frames of stack traces."""
    return [line for line in log.splitlines() if not _STACK_FRAME.match(line)]


def first_error(log: str) -> str | None:
    """The first line that speaks of an error, else the last line; normalised. None for an empty log."""
    lines = [line for line in log.splitlines() if line.strip()]
    for line in lines:
        if _ERROR.search(line) and not line.startswith("Picked up JAVA_TOOL_OPTIONS"):
            return normal_line(line)
    return normal_line(lines[-1]) if lines else None


def output_difference(before: Sequence[str], after: Sequence[str]) -> str | None:
    """The first line that one program printed and the other did not; None when they printed the same.

    Each side ran once or more: lines that not each run printed vary by themselves. The order of lines is not
    compared, because threads share the output.
    """
    ours, theirs = [_lines(log) for log in before], [_lines(log) for log in after]
    steady, all_ours = _common(ours), _united(ours)
    their_steady, all_theirs = _common(theirs), _united(theirs)
    for wanted, there, what in ((steady, all_theirs, "lacks"), (their_steady, all_ours, "adds")):
        for line, count in wanted.items():
            if there[line] < count:
                return f"the output {what}: {line[:SHOWN_CHARACTERS]}"
    return None


def _lines(log: str) -> Counter[str]:
    lines = (normal_line(each) for each in without_stacks(log))
    return Counter(line for line in lines if line)


def _common(counts: Sequence[Counter[str]]) -> Counter[str]:
    result = counts[0]
    for count in counts[1:]:
        result = result & count
    return result


def _united(counts: Sequence[Counter[str]]) -> Counter[str]:
    result = counts[0]
    for count in counts[1:]:
        result = result | count
    return result


def _kind(answer: Answer) -> str:
    return answer.content_type.replace(" ", "").lower()


def _varies(bodies: Sequence[bytes]) -> bool:
    return any(body != bodies[0] for body in bodies)


def _leaves(body: bytes) -> dict[str, object] | None:
    """A JSON document as its leaves by path; None when it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict | list):
        return None
    leaves: dict[str, object] = {}
    waiting: list[tuple[str, object]] = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += ((f"{path}.{key}", each) for key, each in value.items())
        elif isinstance(value, list) and value:
            waiting += ((f"{path}[{index}]", each) for index, each in enumerate(value))
        elif path:
            leaves[path] = value
    return leaves


def _json_difference(before: Sequence[dict[str, object]], after: Sequence[dict[str, object]]) -> str | None:
    varying = {
        path
        for side in (before, after)
        for each in side
        for path in each.keys() | side[0].keys()
        if each.get(path) != side[0].get(path)
    }
    for path in sorted(before[0].keys() | after[0].keys()):
        if path in varying:
            continue
        name = path.lstrip(".")
        if path not in after[0]:
            return f"{name} is missing"
        if path not in before[0]:
            return f"{name} is new"
        old, new = before[0][path], after[0][path]
        if not _alike(path, old, new):
            return f"{name}: {_short(old)} became {_short(new)}"
    return None


def _alike(path: str, old: object, new: object) -> bool:
    if old == new:
        return True
    if isinstance(old, str) and isinstance(new, str):
        return normal_line(old) == normal_line(new)
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    return numbers and path.rpartition(".")[2] in _OF_THE_MACHINE


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _normal(body: bytes) -> str:
    return "\n".join(normal_line(line) for line in body.decode("utf-8", "replace").splitlines())


def _text_difference(before: Sequence[str], after: Sequence[str]) -> str | None:
    if before[0] == after[0]:
        return None
    old, new = ([_TOKEN.findall(text) for text in side] for side in (before, after))
    if any(len(tokens) != len(side[0]) for side in (old, new) for tokens in side):
        return None  # another text each time: `varies_wholly` says so
    varying = {
        place
        for side in (old, new)
        for tokens in side
        for place, token in enumerate(tokens)
        if token != side[0][place]
    }
    if len(old[0]) == len(new[0]):
        for place, (token, other) in enumerate(zip(old[0], new[0], strict=True)):
            if token != other and place not in varying:
                beginning = "".join(old[0][max(0, place - 12) : place]).strip()
                return f"the text after {_short(beginning)}: {_short(token)} became {_short(other)}"
        return None
    return f"a text of {len(before[0])} characters became one of {len(after[0])}"
