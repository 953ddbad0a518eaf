"""The shell text of an instruction, whichever form it is written in."""

from __future__ import annotations

import re

from imgopt.dockerfile import Instruction
from imgopt.shell import shell_script


def script_of(instruction: Instruction) -> str:
    """RUN, CMD, ENTRYPOINT or HEALTHCHECK as one piece of shell text."""
    if instruction.json is not None:
        return shell_text(instruction.json)
    text = instruction.text
    if instruction.keyword == "HEALTHCHECK":
        text = re.sub(r"^\s*(CMD|NONE)\b\s*", "", text, flags=re.IGNORECASE)
        if text.startswith("["):
            import json

            try:
                return " ".join(_quoted(str(word)) for word in json.loads(text))
            except ValueError:
                return text
    return text


def shell_text(argv: tuple[str, ...]) -> str:
    """An exec-form command as shell text; of ``sh -c SCRIPT`` the script."""
    inner = shell_script(argv)
    return inner if inner is not None else " ".join(_quoted(word) for word in argv)


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./$*{}\-]+", word) else "'" + word.replace("'", "'\\''") + "'"
