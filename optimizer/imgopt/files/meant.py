"""Which command reads a file that was given to another one: the hint of an error that would else be a riddle."""

from __future__ import annotations

from pathlib import Path

DOCKERFILE = "it is a Dockerfile: imgopt suggest reads it, imgopt gate --predict judges it before any build"
DIRECTORY = (
    "a Dockerfile lies in it: imgopt suggest reads it, imgopt gate --predict judges it before any build"
)
JAR = "it is a jar: imgopt jar reads it, imgopt suggest the Dockerfile that copies it"
IMAGE = "it is an image: imgopt inspect reads it, imgopt gate judges it"


def meant(head: bytes, name: str = "") -> str | None:
    """The hint for a file by how it begins (some kB) and what it is called; None where it is none of these."""
    if head.startswith(b"PK\x03\x04"):
        return JAR
    if head[257:262] == b"ustar" or (head.startswith(b"\x1f\x8b") and ".tar" in Path(name).name):
        return IMAGE
    if b"\0" in head:
        return None
    for line in head.lstrip(b"\xef\xbb\xbf").splitlines():
        words = line.split()
        if words and not words[0].startswith(b"#"):
            # what may stand before FROM is an ARG
            dockerfile = len(words) > 1 and words[0].upper() in (b"FROM", b"ARG")
            return DOCKERFILE if dockerfile else None
    return None


def meant_directory(path: Path) -> str | None:
    """The hint for a directory that was taken for an image."""
    return DIRECTORY if (path / "Dockerfile").is_file() else None
