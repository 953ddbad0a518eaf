"""The command that made a layer, as people know it: what builders wrap around it is taken off."""

from __future__ import annotations

from imgopt.light.patterns import regex

_NOP = regex(r"^/bin/sh -c #\(nop\)\s+")
_ARGS = regex(r"^\|\d+ .*? /bin/sh -c ")
_HASH = regex(r"\b(file|dir|multi):([0-9a-f]{12})[0-9a-f]{20,}")


def shown_command(created_by: str) -> str:
    """``COPY app.jar /app.jar``, ``RUN apt-get update``; "" stays "no command is recorded"."""
    text = " ".join(created_by.split())
    if not text:
        return "no command is recorded"
    text = text.removesuffix(" # buildkit").removesuffix(" # buildah")
    if _NOP.match(text):
        return _HASH.sub(r"\1:\2…", _NOP.sub("", text))
    text = _ARGS.sub("/bin/sh -c ", text)
    if text.startswith("RUN ") and " /bin/sh -c " in text[:400]:
        text = f"RUN {text.partition('/bin/sh -c ')[2]}"
    elif text.startswith("/bin/sh -c "):
        text = f"RUN {text.removeprefix('/bin/sh -c ')}"
    return text
