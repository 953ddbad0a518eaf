"""What in a Dockerfile only BuildKit understands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from imgopt.dockerfile import MAX_BYTES, Dockerfile, Instruction, parse
from imgopt.errors import DockerfileError
from imgopt.files.opening import read_file
from imgopt.light.patterns import regex

_FLAGS = {
    "RUN": ("mount", "network", "security", "device"),
    "COPY": ("link", "chmod", "parents", "exclude"),
    "ADD": ("link", "chmod", "checksum", "exclude", "keep-git-dir", "unpack"),
}
_PLATFORM_ARGUMENTS = regex(r"(?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT|STAGE)")


def needs_buildkit(dockerfile: Path) -> str | None:
    """Why the classic builder would refuse the file or read it otherwise, with the line; None when it would not.

    A file that cannot be read or parsed needs nothing: its builder shall say so.
    """
    if dockerfile.with_name(dockerfile.name + ".dockerignore").is_file():
        return f"{dockerfile.name}.dockerignore"
    try:
        document = parse(read_file(dockerfile, MAX_BYTES + 1), str(dockerfile))
    except (OSError, DockerfileError):
        return None
    return next(_reasons(document), None)


def _reasons(document: Dockerfile) -> Iterator[str]:
    if "syntax" in document.directives:
        yield "# syntax="
    for outer in document.instructions:
        instruction: Instruction = outer.trigger or outer
        if instruction.heredocs:
            yield f"the here-document in line {instruction.line}"
        for flag in instruction.flags:
            if flag.name in _FLAGS.get(instruction.keyword, ()):
                yield f"{instruction.keyword} --{flag.name} in line {instruction.line}"
        if instruction.keyword == "ADD" and any(
            re.match(r"(?:git@|git://|https?://\S+\.git(?:#|$))", word.text)
            for word in instruction.words[:-1]
        ):
            yield f"ADD of a git repository in line {instruction.line}"
        if instruction.keyword == "ARG" and any(
            _PLATFORM_ARGUMENTS.fullmatch(word.text) for word in instruction.words
        ):
            yield f"ARG {instruction.words[0].text} in line {instruction.line}"
