"""Instructions that BuildKit parses and then refuses: a file with one of them does not build, so it is not rewritten.

The checks are those of BuildKit's instruction reader and of its COPY (0.34): numbers of arguments, flags, forms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from imgopt.dockerfile import Dockerfile, Instruction

_FLAGS = {
    "FROM": {"platform"},
    "COPY": {"from", "chown", "chmod", "link", "parents", "exclude"},
    "ADD": {"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"},
    "RUN": {"mount", "network", "security", "device"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
}


@dataclass(frozen=True)
class Fault:
    """Why the file does not build, and where (1-based line)."""

    line: int
    reason: str


def first_fault(document: Dockerfile) -> Fault | None:
    """The first instruction that BuildKit would refuse, or None."""
    for instruction in document.instructions:
        if _is_template(instruction):
            return Fault(
                instruction.line,
                f"line {instruction.line} has a template's {{{{ }}}}, which has to be filled in first",
            )
        reason = next(_faults(instruction), None)
        if reason is not None:
            return Fault(
                instruction.line, f"line {instruction.line} {reason}; the file does not build as it is"
            )
    return None


def _is_template(instruction: Instruction) -> bool:
    """``{{ x }}`` where a template engine would fill it in; a command may have such text in quotes for itself."""
    text = instruction.text
    if instruction.keyword in ("RUN", "HEALTHCHECK", "CMD", "ENTRYPOINT", "ONBUILD"):
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    return re.search(r"\{\{.*\}\}", text) is not None


def _faults(instruction: Instruction) -> Iterator[str]:
    keyword, words = instruction.keyword, instruction.words
    known = _FLAGS.get(keyword, set())
    for flag in instruction.flags:
        if flag.name not in known:
            yield f"has the flag --{flag.name}, which {keyword} does not know"
    if keyword in ("COPY", "ADD"):
        # a here-document is a source whose word stands in the line too
        if len(words) < 2:
            count = "one path" if words else "no path"
            yield f"gives {keyword} {count}; it takes a source and a destination"
        elif (
            len(words) > 2
            and not words[-1].text.strip("\"'").endswith(("/", ".", "}"))
            and ("$" not in words[-1].text)
        ):
            yield f"copies several sources to {words[-1].text}, which has to end with a slash then"
    elif keyword in ("EXPOSE", "VOLUME", "USER", "WORKDIR", "STOPSIGNAL", "ARG") and not (
        instruction.text.strip()
    ):
        yield f"gives {keyword} nothing"
    elif keyword == "HEALTHCHECK":
        kind = words[0].text.upper() if words else ""
        if kind not in ("CMD", "NONE"):
            yield f"gives HEALTHCHECK {kind or 'nothing'}; it takes CMD or NONE"
    elif keyword == "SHELL" and instruction.json is None:
        yield "gives SHELL something else than a JSON list"
