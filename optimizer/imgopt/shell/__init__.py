"""Reads shell text (RUN, CMD and ENTRYPOINT in shell form, `sh -c` scripts, start scripts) into commands.

Read to be understood rather than run: simple commands with their words, the operators between them, the blocks around
them, the functions. What cannot be read is reported (``Script.broken``), and callers then decline instead of guessing.
Offsets count characters of the text that was given.
"""

from imgopt.shell.model import Block, Command, Document, Function, Loop, Node, Script, Word, flatten
from imgopt.shell.reader import parse
from imgopt.shell.running import (
    ARGUMENTS,
    SHELLS,
    Started,
    all_commands,
    first_word,
    redefined,
    shell_script,
    started,
    text_of,
    texts_of,
)

__all__ = [
    "ARGUMENTS",
    "SHELLS",
    "Block",
    "Command",
    "Document",
    "Function",
    "Loop",
    "Node",
    "Script",
    "Started",
    "Word",
    "all_commands",
    "first_word",
    "flatten",
    "parse",
    "redefined",
    "shell_script",
    "started",
    "text_of",
    "texts_of",
]
