"""Where each instruction ends. dockerfile-parse splits the file; this module alone corrects it.

dockerfile-parse 2.0.1 agrees with BuildKit on plain files. It does not on these, and for these alone
`instruction_end` decides:

- It knows no here-documents: what it finds from a body on is looked up only where an instruction really
  begins, so a body that looks like instructions is never seen, and one it misread is split again here.
- A blank line ends its continuation; BuildKit skips blank lines there.
- A doubled escape character at the end of a line continues it; BuildKit takes it literally. So does an escape
  character followed by white space other than blanks and tabs.
- A continuation that the end of the file cuts off is dropped, and so is a keyword without argument in a last
  line without line end.
- It looks for the escape directive under its own rules (not after a byte order mark or ``# check=``); it is
  told the escape character in a first line that the file does not have.
- It opens a path not ending in ``Dockerfile`` as a folder, and decodes strictly: it is given text, not a path.
- Python counts four control characters (U+001C to U+001F) as white space, BuildKit does not.
- Its time grows with the square of a continuation's length: above `LIMIT` it is not asked.

Only its line ranges are used: its values lose the white space, quotes and line breaks that spans must keep.
"""

from __future__ import annotations

import io
import re
from itertools import accumulate

from imgopt.light.patterns import regex

LIMIT = 32 * 1024  # characters; four times the largest of 384 Dockerfiles of public Java projects

# Go's unicode.IsSpace, which BuildKit trims lines with
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

_ONLY_PYTHONS_SPACE = regex("[\x1c-\x1f]")


def instruction_ends(text: str, start: int, escape: str) -> dict[int, int]:
    """What dockerfile-parse finds right: the offset of a first line -> the end of the last line.

    ``start`` is the offset of the line after the parser directives. Line ends are not part of the range.
    """
    if len(text) - start > LIMIT or _ONLY_PYTHONS_SPACE.search(text, start):
        return {}
    from dockerfile_parse import DockerfileParser

    # the second line ends the directives, whatever the file says next
    header = [f"# escape={escape}\n", "#\n"]
    body = io.StringIO("".join(header) + text[start:])
    lines = text[start:].split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=start))
    sign = re.escape(escape)
    misread = re.compile(rf"{sign}{sign}[^\S\n]*$|{sign}(?![ \t]*\r*$)[^\S\n]*$|\n[^\S\n]*\Z", re.MULTILINE)
    ends = {}
    for item in DockerfileParser(fileobj=body).structure:
        if item["instruction"] != "COMMENT" and not misread.search(item["content"].removesuffix("\n")):
            first, last = item["startline"] - len(header), item["endline"] - len(header)
            ends[starts[first]] = starts[last + 1] - 1
    return ends


def instruction_end(text: str, start: int, escape: str, most: int) -> int:
    """The end of the instruction whose first line begins at ``start``, here-documents not counted.

    After ``most`` further lines it stops looking.
    """
    end = _line_end(text, start)
    continued = continues(text[start:end], escape)
    while continued and most and end + 1 < len(text):  # a line end at the very end begins no further line
        most -= 1
        start, end = end + 1, _line_end(text, end + 1)
        line = text[start:end].lstrip(WHITE_SPACE)
        if line and not line.startswith("#"):
            continued = continues(line, escape)
    return end


def continues(line: str, escape: str) -> bool:
    """Whether the next line belongs to this one: its last sign but blanks is a single escape character."""
    line = line.rstrip("\r\n").rstrip(" \t")
    return line.endswith(escape) and not line.endswith(escape * 2)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
