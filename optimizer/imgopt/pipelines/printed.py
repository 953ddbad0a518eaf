"""What commands print and whether tests hold, where the file and the repository tell; None where they do not."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal, Protocol

from imgopt import shell
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.pipelines.checkout import resolved
from imgopt.pipelines.tools import ROOT, Arg
from imgopt.pipelines.words import Scope, Words

_MAX_LINES = 300
_MAX_TEXT = 20_000
_NUMBER = regex(r"\d{1,6}")


class Checkout(Protocol):
    """The files at hand."""

    def script(self, path: str, directory: str | None) -> str | None: ...
    def kind(self, path: str, directory: str | None) -> Literal["file", "directory"] | None: ...
    def matching(self, pattern: str, directory: str | None) -> list[str] | None: ...
    def walked(self, top: str, directory: str | None, name: str, wanted: str | None) -> list[str] | None: ...


@dataclass(frozen=True)
class Printer:
    """The commands of a substitution or in front of a pipe, where they stand: ``directory`` as a step's."""

    checkout: Checkout
    scope: Scope
    directory: str | None
    depth: int = 0

    def words(self) -> Words:
        return Words(self.scope, self.printed, self.files)

    def files(self, pattern: str) -> list[str] | None:
        return self.checkout.matching(pattern, self.directory)

    def printed(self, text: str) -> Arg | None:
        """What the commands of a ``$( … )`` print, without the line ends behind it."""
        if self.depth > 4 or len(text) > _MAX_TEXT:
            return None
        script = shell.parse(text)
        if script.broken:
            return None
        if text.lstrip().startswith("<") and len(script.commands) == 1:
            name = script.commands[0].redirects[0][1].text
            return _as_arg(self.checkout.script(self.words().value(name).value or "", self.directory))
        return replace(self, depth=self.depth + 1).output(script.tree, script)

    def output(self, nodes: Sequence[shell.Node], script: shell.Script) -> Arg | None:
        """What commands print, one after the other."""
        if not nodes or len(nodes) > 40:
            return None
        here = self
        parts: list[Arg] = []
        fed: Arg | None = None
        held = True  # the last test, or what ran: what stands behind || is done where it did not
        for node in nodes:
            if not isinstance(node, shell.Command) or not node.words:
                return None
            if not node.inner and ((node.operator == "||" and held) or (node.operator == "&&" and not held)):
                continue
            if node.words[0].text in ("[", "[[", "test"):
                told = holds([replace(node, operator="")], here, script.text)
                if told is None:
                    return None
                held = told
                continue
            held = True
            words = [arg for word in node.words for arg in here.words().fields(word.text)]
            name = words[0].value if words else None
            if name in ("cd", "pushd"):
                target = words[1].value if len(words) > 1 else None
                inside = resolved(target, here.directory) if target is not None else None
                if inside is None:
                    return None
                here = replace(here, directory="" if inside == "." else inside)
                continue
            printed = (
                here._filtered(words, fed)
                if node.operator in ("|", "|&") and fed is not None
                else here._source(words, _document(node, script, here.words()))
            )
            if printed is None:
                return None
            if node.follows in ("|", "|&"):
                fed = printed
            else:
                parts.append(printed)
                fed = None
        if fed is not None or not parts:
            return None
        text = "\n".join(part.text.rstrip("\n") for part in parts)[:_MAX_TEXT]
        return Arg(text, text if all(part.value is not None for part in parts) else None)

    def _source(self, words: list[Arg], document: str | None) -> Arg | None:
        name = (words[0].value or "").rsplit("/", 1)[-1] if words else ""
        plain = [word for word in words[1:] if not word.text.startswith("-")]
        values = [word.value for word in plain]
        if name == "echo":
            return _joined(
                words[1:] if not words[1:] or words[1].text not in ("-e", "-n") else words[2:], " "
            )
        if name == "printf":
            return _printf(words[1:])
        if name == "pwd":
            return None if self.directory is None else _as_arg(f"{ROOT}/{self.directory}".rstrip("/"))
        if name == "cat":
            if document is not None and not plain:
                return _as_arg(document)
            return _as_arg(
                self.checkout.script(values[0] or "", self.directory) if len(values) == 1 else None
            )
        if name in ("basename", "dirname") and values and values[0] is not None:
            return _as_arg(_named(name, values[0], values[1] if len(values) > 1 else None))
        if name in ("realpath", "readlink") and len(values) == 1 and values[0] is not None:
            inside = resolved(values[0], self.directory)
            return _as_arg(None if inside is None else posixpath.normpath(f"{ROOT}/{inside}"))
        if name == "git" and [word.value for word in words[1:]] == ["rev-parse", "--show-toplevel"]:
            return _as_arg(ROOT)
        if name == "seq" and all(value is not None and _NUMBER.fullmatch(value) for value in values):
            return _sequence([int(value or 0) for value in values])
        if name == "ls":
            return self._listed(words[1:], values)
        if name == "find":
            return self._found([word.value for word in words[1:]])
        if name in ("sort", "uniq", "grep", "awk", "sed", "cut", "head", "tail", "tr") and len(plain) > 1:
            last = values[-1]  # a filter of a file
            text = self.checkout.script(last or "", self.directory) if last else None
            return None if text is None else self._filtered(words[:-1], Arg(text, text))
        return None

    def _listed(self, options: list[Arg], values: list[str | None]) -> Arg | None:
        flags = "".join(word.text[1:] for word in options if word.text.startswith("-"))
        if set(flags) - set("d1") or any(value is None for value in values):
            return None
        names = [value for value in values if value is not None]
        if "d" in flags:
            return _as_arg("\n".join(names))
        if any(self.checkout.kind(name, self.directory) is None for name in names):
            return None
        inside = names[0].rstrip("/") + "/*" if len(names) == 1 else "*"
        found = [each.rsplit("/", 1)[-1] for each in self.checkout.matching(inside, self.directory) or ()]
        return _as_arg("\n".join(found) if len(names) < 2 else "\n".join(names))

    def _found(self, words: list[str | None]) -> Arg | None:
        tops: list[str] = []
        at = 0
        while at < len(words) and not (words[at] or "-").startswith(("-", "(", "!")):
            tops.append(words[at] or "")
            at += 1
        options = dict(zip(words[at::2], words[at + 1 :: 2], strict=False))
        name, kind = options.get("-name"), options.get("-type")
        if name is None or set(options) - {"-name", "-type", "-maxdepth", "-mindepth", "-print"}:
            return None
        found = [
            each
            for top in tops or ["."]
            for each in self.checkout.walked(top, self.directory, name, kind) or ()
            if not _too_deep(each, top, options.get("-maxdepth"))
        ]
        return _as_arg("\n".join(found) or None)

    def _filtered(self, words: list[Arg], fed: Arg) -> Arg | None:
        """What a filter makes of lines."""
        name = (words[0].value or "").rsplit("/", 1)[-1] if words else ""
        if fed.value is None or any(word.value is None for word in words):
            return None
        given = [word.value or "" for word in words[1:]]
        lines = fed.value.rstrip("\n").split("\n")[:_MAX_LINES]
        change = _filter(name, given)
        return None if change is None else _as_arg("\n".join(change(lines)))


def _document(node: shell.Command, script: shell.Script, words: Words) -> str | None:
    """What a here-document gives a command."""
    for sign, target in node.redirects:
        found = script.documents.get(target.start)
        if sign.lstrip("0") in ("<<", "<<-") and found is not None:
            return expanded(found, words).value
    return None


def expanded(document: shell.Document, words: Words) -> Arg:
    """A here-document's text with its variables."""
    if not document.expanded:
        return Arg(document.text, document.text)
    return words.value('"' + document.text.replace('"', '\\"') + '"')


def _as_arg(text: str | None) -> Arg | None:
    return None if text is None else Arg(text, text)


def _joined(words: Sequence[Arg], sign: str) -> Arg:
    text = sign.join(word.text for word in words)
    return Arg(text, text if all(word.value is not None for word in words) else None)


def _printf(words: list[Arg]) -> Arg | None:
    if not words or words[0].value is None:
        return None
    pattern = words[0].value.replace("\\n", "\n").replace("\\t", "\t")
    if len(words) == 1:
        return _as_arg(pattern) if "%" not in pattern else None
    holes = pattern.count("%s")
    if not holes or pattern.count("%") != holes:
        return None
    pieces = pattern.split("%s")
    text, known, rest = "", True, words[1:]
    for at in range(0, min(len(rest), _MAX_LINES), holes):
        row = rest[at : at + holes]
        known = known and all(word.value is not None for word in row)
        texts = [word.text for word in row] + [""] * (holes - len(row))
        text += "".join(piece + (texts[n] if n < holes else "") for n, piece in enumerate(pieces))
    return Arg(text, text if known else None)


def _named(how: str, path: str, suffix: str | None) -> str:
    bare = path.rstrip("/")
    if how == "dirname":
        return posixpath.dirname(bare) or "."
    name = bare.rsplit("/", 1)[-1]
    return name.removesuffix(suffix) if suffix and name != suffix else name


def _sequence(numbers: list[int]) -> Arg | None:
    if not 1 <= len(numbers) <= 2:
        return None
    first, last = (1, numbers[0]) if len(numbers) == 1 else numbers
    return _as_arg("\n".join(str(n) for n in islice(range(first, last + 1), _MAX_LINES)))


def _too_deep(path: str, top: str, most: str | None) -> bool:
    depth = path.removeprefix(top.rstrip("/")).count("/")
    return most is not None and most.isdigit() and depth > int(most)


_FIELDS = regex(r"-f(\d+)")
_COLUMN = regex(r"\{\s*print\s*\(?\$(\d+)\)?\s*;?\s*\}")

Change = Callable[[list[str]], list[str]]


def _filter(name: str, given: list[str]) -> Change | None:
    """A filter as a function on lines, where it is one of those that people put behind a list."""
    if name == "cat" and not given:
        return lambda lines: lines
    if name in ("sort", "uniq") and all(each in ("-u", "-V") for each in given):
        return (
            (lambda lines: sorted(set(lines))) if name == "sort" else lambda lines: list(dict.fromkeys(lines))
        )
    if name == "tr" and len(given) == 2 and all(len(_one(each)) == 1 for each in given):
        old, new = map(_one, given)
        return lambda lines: "\n".join(lines).replace(old, new).split("\n")
    if name == "grep" and len(given) == 2 and given[0] == "-v" and len(given[1]) < 60:
        return _without(given[1])
    if name in ("head", "tail") and len(given) <= 2:
        count = given[-1].lstrip("-n") if given else "10"
        if not count.isdigit():
            return None
        most = int(count)
        return (lambda lines: lines[:most]) if name == "head" else lambda lines: lines[-most:]
    if name == "cut":
        return _cut("".join(given))
    if name in ("awk", "gawk", "mawk") and given and (column := _COLUMN.fullmatch(given[-1].strip())):
        sign = re.fullmatch(r"-F\s*(?:'(.)'|\"(.)\"|(.))", "".join(given[:-1])) if given[1:] else None
        by = next((each for each in sign.groups() if each), None) if sign is not None else None
        at = int(column[1]) - 1
        if given[1:] and by is None:
            return None
        return lambda lines: [(line.split(by) + [""] * 20)[at] if 0 <= at < 20 else line for line in lines]
    if name == "xargs" and given and given[-1] in ("dirname", "basename"):
        return lambda lines: [_named(given[-1], each, None) for line in lines for each in line.split()]
    return None


def _one(text: str) -> str:
    return {"\\n": "\n", "[:space:]": " ", "\\t": "\t"}.get(text, text)


def _without(pattern: str) -> Change | None:
    """``grep -v``: of a text, or of one at the beginning or the end of a line."""
    bare = pattern.removeprefix("^").removesuffix("$")
    if re.search(r"[\\*.\[\]()|+?{}^$]", bare):
        return None
    if not bare:
        return lambda lines: [line for line in lines if line]
    if pattern.startswith("^"):
        return lambda lines: [line for line in lines if not line.startswith(bare)]
    return lambda lines: [line for line in lines if bare not in line]


def _cut(given: str) -> Change | None:
    sign, field = re.search(r"-d(.)", given), _FIELDS.search(given)
    if sign is None or field is None:
        return None
    by, at = sign[1], int(field[1]) - 1
    return lambda lines: [[*line.split(by), ""][min(at, line.count(by) + 1)] for line in lines]


# tests


def holds(nodes: Sequence[shell.Node], printer: Printer, text: str) -> bool | None:
    """Whether the condition of an `if` holds, from what the file sets for certain and what lies in the repository."""
    answers: list[bool | None] = []
    for node in nodes:
        if not isinstance(node, shell.Command) or not node.words or len(answers) > 8:
            return None
        answer = _test(node, printer)
        if answer is not None and text[max(0, node.start - 20) : node.start].rstrip().endswith("!"):
            answer = not answer
        if node.operator == "||":
            earlier = answers.pop() if answers else None
            answer = True if True in (earlier, answer) else None if None in (earlier, answer) else False
        answers.append(answer)
    return False if False in answers else None if None in answers or not answers else True


def _test(node: shell.Command, printer: Printer) -> bool | None:
    words = printer.words()
    found = [words.value(word.text) for word in node.words]
    if words.unsure or any(arg.value is None for arg in found):
        return None
    values = [arg.value or "" for arg in found]
    if values[0] in ("true", "false"):
        return values[0] == "true"
    if values[0] in ("[", "[[") and values[-1] in ("]", "]]"):
        inside = values[1:-1]
    elif values[0] == "test":
        inside = values[1:]
    else:
        return None
    negated = inside[:1] == ["!"]
    answer = _compared(inside[negated:], printer, node)
    return answer if answer is None or not negated else not answer


def _compared(values: list[str], printer: Printer, node: shell.Command) -> bool | None:
    if len(values) == 1:
        return bool(values[0])
    if len(values) == 2:
        if values[0] in ("-z", "-n"):
            return bool(values[1]) == (values[0] == "-n")
        if values[0] in ("-f", "-d", "-e"):
            of = printer.checkout.kind(values[1], printer.directory)
            if of is not None:
                return {"-f": "file", "-d": "directory"}.get(values[0], of) == of
            # what a build makes is not there yet; a Dockerfile is no such thing
            return False if "dockerfile" in values[1].lower() else None
        return None
    if len(values) == 3:
        one, sign, other = values
        if sign in ("=", "==", "!="):
            pattern = node.words[0].text == "[["
            equal = fits(one, other) if pattern and len(other) < 100 else one == other
            return equal == (sign != "!=")
        if sign in ("-eq", "-ne", "-gt", "-lt", "-ge", "-le") and one.isdigit() and other.isdigit():
            left, right = int(one[:9]), int(other[:9])
            told = {"-eq": left == right, "-ne": left != right, "-gt": left > right, "-lt": left < right}
            return told.get(sign, left >= right if sign == "-ge" else left <= right)
    return None


def fits(value: str, pattern: str) -> bool:
    """Whether a value is what a pattern of the shell stands for."""
    if pattern.count("*") > 10 or len(value) > 500:
        return False
    return re.compile(fnmatch.translate(pattern), re.DOTALL).match(value) is not None
