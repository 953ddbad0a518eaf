"""Which images one call pushes, and where each goes: a list's lines, or archives that say it themselves."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from imgopt.bases.reference import parse_reference
from imgopt.errors import ImgoptError, InputError, UsageError
from imgopt.files.opening import read_file
from imgopt.images.model import OpenImage
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.registry.target import Place, check_place, parse_target
from imgopt.sources.open import Together, names_in, open_image, open_named
from imgopt.text.quoting import typed

#: A list has a line for each image.
MOST_LIST_BYTES = 1 << 20
#: More images than any call has; a directory of so many archives is some other directory.
MOST_IMAGES = 1000
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.zstd")
#: A quoted part may stand beside others, as in a shell. A backslash is one: it divides paths on Windows.
_WORD = regex(r"""(?:[^\s"']+|"[^"]*"|'[^']*')+""")
_QUOTED = regex(r"""([^\s"']+)|"([^"]*)"|'([^']*)'""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """``image``: what `open_image` takes. ``place``: where the line stands, ``push.txt:3``; else the archive.
    ``name``: of the image among several of an archive."""

    image: str
    target: str
    place: str
    name: str | None = None

    @property
    def spools(self) -> bool:
        """Whether opening it writes the image to the disk: a daemon's, or an archive that is compressed as a whole."""
        scheme, _, rest = self.image.partition(":")
        path = Path(rest if scheme == "oci" else self.image)
        try:
            if scheme == "oci" and not path.exists():
                path = Path(rest.rpartition(":")[0])
            return not path.is_dir() and not (path.is_file() and path.suffix == ".tar")
        except (OSError, ValueError):  # a name that no file can have: opening it says so
            return False

    @property
    def daemon_name(self) -> str | None:
        """Its name where it is a daemon's."""
        scheme, _, rest = self.image.partition(":")
        if scheme == "docker":
            return rest
        looks_like_a_path = self.image.startswith((".", "/", "~")) or self.image.lower().endswith(_ARCHIVES)
        try:
            is_path = scheme == "oci" or looks_like_a_path or Path(self.image).exists()
        except (OSError, ValueError):
            is_path = True
        return None if is_path else self.image


class Opening:
    """Opens the images of one call."""

    def __init__(self, images: Sequence[Wanted], platform: str | None) -> None:
        self._platform = platform
        names = [each.daemon_name for each in images if each.name is None]
        self._daemon = Together([name for name in names if name is not None])

    def open(self, image: Wanted) -> AbstractContextManager[OpenImage]:
        if image.name is not None:
            return open_named(image.image, image.name, self._platform)
        name = image.daemon_name
        return self._daemon.open(name, self._platform) if name else open_image(image.image, self._platform)

    def close(self) -> None:
        self._daemon.close()


class WrongLines(UsageError):
    """Several lines that cannot be understood; ``errors`` has each with its place."""

    def __init__(self, errors: Sequence[ImgoptError]) -> None:
        first = errors[0]
        super().__init__(first.message, first.hint, path=first.path, line=first.line)
        self.errors = tuple(errors)


def wanted(
    places: Sequence[str], standard_input: bytes | None = None, only_to: Sequence[Place] = ()
) -> list[Wanted]:
    """The images that files and directories name: each a list, an archive or layout that names its image, or a directory
    of these. ``-`` is a list on standard input, ``standard_input``. ``only_to``: where they may go, anywhere when it is empty.

    InputError (also `WrongLines`) where one of them cannot be understood: nothing is pushed then.
    """
    found: list[Wanted] = []
    errors: list[ImgoptError] = []
    for place in places:
        try:
            if place == "-":
                found += listed(standard_input or b"", "standard input")
            else:
                found += _at(Path(place), place)
        except WrongLines as wrong:
            errors += wrong.errors
        except InputError as error:
            errors.append(error)
    errors += _twice(found)
    errors += _elsewhere(found, only_to)
    if errors:
        raise WrongLines(errors)
    if not found:
        raise UsageError("--all names no image", "write a line for each: IMAGE REGISTRY/REPO:TAG")
    if len(found) > MOST_IMAGES:
        raise UsageError(f"--all names {len(found)} images", f"push at most {MOST_IMAGES} in one call")
    return found


def _at(path: Path, given: str) -> list[Wanted]:
    try:
        if path.is_dir():
            return _of_archive(given) if (path / "index.json").is_file() else _of_directory(path, given)
        data = read_file(path, MOST_LIST_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(
            "there is no such file or directory", "give a list, image archives or a directory", path=given
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"it cannot be read: {reason}", "check the path", path=given) from error
    if b"\0" in data[:4096] or given.lower().endswith(_ARCHIVES):
        return _of_archive(given)
    return listed(data, given)


# --- a list ---


def listed(data: bytes, name: str) -> list[Wanted]:
    """A list's lines, ``IMAGE REGISTRY/REPO:TAG`` each; ``#`` begins a comment, quotes keep blanks. Paths are those of
    the working directory. `WrongLines` with every line that is wrong."""
    if len(data) > MOST_LIST_BYTES:
        raise InputError("it is larger than 1 MiB", "give a list of images, a line each", path=name)
    found: list[Wanted] = []
    errors: list[ImgoptError] = []
    for number, raw in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        try:
            words = _words(raw.decode())
            if words:
                found.append(_wanted(words, name, number))
        except UnicodeDecodeError:
            errors.append(InputError("it is not UTF-8", "save the list as UTF-8", path=name, line=number))
        except InputError as error:
            errors.append(InputError(error.message, error.hint, path=name, line=number))
    if errors:
        raise WrongLines(errors)
    return found


def _words(line: str) -> list[str]:
    words: list[str] = []
    position = 0
    while (rest := line[position:].lstrip()) and not rest.startswith("#"):
        position = len(line) - len(rest)
        found = _WORD.match(line, position)
        if found is None or line[found.end() : found.end() + 1] in ("'", '"'):
            raise InputError("a quote is not closed", "close it on the same line")
        words.append("".join("".join(parts) for parts in _QUOTED.findall(found[0])))
        position = found.end()
    return words


def _wanted(words: Sequence[str], name: str, number: int) -> Wanted:
    if len(words) != 2:
        many = "one word" if len(words) == 1 else f"{len(words)} words"
        raise InputError(
            f"a line has an image and its target, not {many}",
            "write IMAGE REGISTRY/REPO:TAG, in quotes what has blanks",
        )
    image, target = words
    if not image:
        raise InputError("the image's name is empty", "write IMAGE REGISTRY/REPO:TAG")
    if "$" in target:
        raise InputError(
            f"nothing expands variables of a list ({typed(target)})", "expand the variable first"
        )
    parse_target(target)
    return Wanted(image, target, f"{name}:{number}")


# --- archives that say it themselves ---


def _of_directory(path: Path, given: str) -> list[Wanted]:
    def looked_at() -> Iterator[Path]:
        for entry in sorted(path.iterdir()):
            if entry.is_dir():
                if (entry / "index.json").is_file():
                    yield entry
            elif entry.name.lower().endswith(_ARCHIVES):
                yield entry

    entries = list(looked_at())
    if not entries:
        raise InputError(
            "there is no image in it (*.tar, *.tar.gz, *.tar.zst, OCI layouts)",
            "give the directory that holds the archives themselves, or a list",
            path=given,
        )
    found: list[Wanted] = []
    errors: list[ImgoptError] = []
    for entry in entries:
        try:
            found += _of_archive(str(entry))
        except WrongLines as wrong:
            errors += wrong.errors
        except InputError as error:
            errors.append(error)
    if errors:
        raise WrongLines(errors)
    return found


def _of_archive(given: str) -> list[Wanted]:
    return list(_named(given, names_in(given)))


def _named(given: str, images: Sequence[Sequence[str]]) -> Iterator[Wanted]:
    """Each image under its own full names. One without a registry would mean Docker Hub, which nobody has said."""
    line = f"write a list with a line {typed(given)} REGISTRY/REPO:TAG"
    for names in images:
        full = [name for name in names if _is_target(name)]
        if not full:
            called = (
                f"calls its image {typed(names[0])}, without a registry"
                if names
                else "has no name for its image"
            )
            raise InputError(f"it {called}, and so does not say where that goes", line, path=given)
        for name in full:
            yield Wanted(given, name, given, name if len(images) > 1 else None)


def _is_target(name: str) -> bool:
    try:
        reference = parse_reference(name)
    except InputError:
        return False
    return reference.registry is not None and reference.tag is not None and reference.digest is None


def _twice(found: Sequence[Wanted]) -> Iterator[InputError]:
    """Two images of one target: the second would take the first's place."""
    firsts: dict[str, Wanted] = {}
    for each in found:
        target = parse_target(each.target, default_tag="latest")
        first = firsts.setdefault(f"{target.name.lower()}/{target.repository}:{target.tag}", each)
        if first is not each:
            message = f"{typed(each.target)} is the target of {first.place}, too"
            yield _at_its_place(each, InputError(message, "give each image its own target"))


def _elsewhere(found: Sequence[Wanted], only_to: Sequence[Place]) -> Iterator[InputError]:
    """Targets that the call does not let be pushed to."""
    for each in found:
        try:
            check_place(parse_target(each.target, default_tag="latest"), only_to)
        except InputError as error:
            yield _at_its_place(each, error)


def _at_its_place(image: Wanted, error: InputError) -> InputError:
    place, colon, line = image.place.rpartition(":")
    numbered = bool(colon) and line.isdigit()
    error.path, error.line = (place, int(line)) if numbered else (image.place, None)
    return error
