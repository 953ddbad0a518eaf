"""``imgopt.toml``, or ``[tool.imgopt]`` in ``pyproject.toml``: found, read and checked once.

Every key is checked here, so that a typing mistake is an error with its file and line instead of an
option that silently does nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from imgopt.errors import ConfigError, InputError, UsageError
from imgopt.files.documents import parsed_toml
from imgopt.files.opening import read_file
from imgopt.light.records import dataclass, field, replace
from imgopt.text.spelling import choose_from

if TYPE_CHECKING:
    from imgopt.gate.budgets import BudgetTable, Limit
    from imgopt.options import DeclaredBase, Runtime
    from imgopt.scales import Severity

FILE_NAME = "imgopt.toml"
#: A configuration is a page of text; more is some other file.
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says; None or empty where it says nothing. ``bandwidth`` is as written.

    ``lines`` has the 1-based line of each key that was found, by its dotted name. ``passed_over`` are files that were
    found and belong to somebody whose word does not count.
    """

    path: str | None = None
    platform: str | None = None
    runtime: Runtime | None = None
    spring_boot: str | None = None
    bandwidth: tuple[str, ...] = ()
    unsafe: bool | None = None
    fail_on: Severity | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    bases: tuple[DeclaredBase, ...] = ()
    build_args: Mapping[str, str] = field(default_factory=dict)
    budgets: tuple[BudgetTable, ...] = ()
    fleet: tuple[Limit, ...] = ()  # of all modules together
    baseline: str | None = None
    mount_from: tuple[str, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()

    def where(self, key: str) -> str:
        """``imgopt.toml:3``: where a key is set, for reports; its whole path where that is not below the working directory."""
        name = self.path or FILE_NAME
        return f"{name}:{self.lines[key]}" if key in self.lines else name


def load(explicit: str | None, paths: Sequence[str]) -> Config:
    """The file given with ``--config``, else the first one from the first of ``paths`` upwards, else nothing.

    Upwards ends at the repository (`.git`). A file counts only when it belongs to the owner of that path, to oneself or
    to root: in ``/tmp`` anybody may put one above the work of others.
    ConfigError when it cannot be read, is no TOML, or has a key or value that means nothing.
    """
    if explicit is not None:
        text = _read(Path(explicit), explicit)
        if Path(explicit).name == "pyproject.toml" and not _mentions_imgopt(text):
            raise ConfigError(
                "there is no [tool.imgopt] table in it", "add one or give another file", path=explicit
            )
        return _parse(text, explicit)
    passed_over: list[str] = []
    start = _start(paths[0] if paths else ".")
    trusted = _trusted(start)
    for path in _candidates(start):
        if trusted is not None and not _owners(path) <= trusted:
            passed_over.append(_shown(path))
            continue
        text = _read(path, _shown(path))
        if path.name == FILE_NAME or _mentions_imgopt(text):
            return replace(_parse(text, _shown(path)), passed_over=tuple(passed_over))
    return Config(passed_over=tuple(passed_over))


def _start(first: str) -> Path:
    return Path.cwd() if first == "-" else Path(first).absolute()


def _trusted(start: Path) -> set[int] | None:
    """The users whose configuration counts; None where files have no owners."""
    if not hasattr(os, "geteuid"):
        return None
    for path in (start, *start.parents):
        with contextlib.suppress(OSError, ValueError):
            return {0, os.geteuid(), path.stat().st_uid}
    return {0, os.geteuid()}


def _owners(path: Path) -> set[int]:
    """Of the file, and of the link that leads to it."""
    try:
        return {path.stat().st_uid, path.lstat().st_uid}
    except OSError:  # gone meanwhile: reading it says so
        return set()


def _candidates(start: Path) -> Iterator[Path]:
    try:
        directory = start if start.is_dir() else start.parent
        for parent in (directory, *directory.parents):
            for name in (FILE_NAME, "pyproject.toml"):
                if (parent / name).is_file():
                    yield parent / name
            if os.path.lexists(parent / ".git"):
                return
    except (OSError, ValueError):  # an impossible path: reading it says so, with the path's own error
        return


def _shown(path: Path) -> str:
    """The path as a person in the working directory would write it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _read(path: Path, shown: str) -> str:
    try:
        if path.is_dir():
            raise ConfigError("it is a directory", "give a file", path=shown)
        data = read_file(path, MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError("there is no such file", "check --config", path=shown) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"it cannot be read: {reason}", "check the file", path=shown) from error
    if len(data) > MAX_BYTES:
        raise ConfigError("it is larger than 1 MiB", "give an imgopt.toml", path=shown)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "it is not UTF-8, as TOML must be", "save it as UTF-8", path=shown, line=line
        ) from error


def _mentions_imgopt(text: str) -> bool:
    """Whether a pyproject.toml has our table, without parsing other tools' configuration."""
    return bool(
        re.search(r"^[ \t]*\[\s*tool\s*\.\s*[\"']?imgopt\b", text, re.MULTILINE)
        or (
            re.search(r"^[ \t]*\[\s*tool\s*\]", text, re.MULTILINE)
            and re.search(r"^[ \t]*imgopt\b", text, re.MULTILINE)
        )
    )


def _parse(text: str, shown: str) -> Config:
    try:
        document = parsed_toml(text)
    except ValueError as error:  # TOMLDecodeError is one; a number of 5000 digits another
        line = re.search(r"line (\d+)", str(error))
        at = int(line[1]) if line else text.count("\n") + 1
        what = re.sub(r"\s*\((?:at|end).*\)$", "", str(error).partition("\n")[0])
        raise ConfigError(
            f"it is not valid TOML: {what[:1].lower()}{what[1:]}", "fix that line", path=shown, line=at
        ) from error
    prefix: tuple[str, ...] = ()
    if Path(shown).name == "pyproject.toml":
        prefix = ("tool", "imgopt")
        document = document.get("tool", {}).get("imgopt", {})
    return _Reader(shown, _lines(text), prefix).config(document)


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of each table header and each key at the start of a line; strings over several lines are skipped.

    TOML readers give no positions. A key inside an inline table is found by its outer key.
    """
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    quote: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if quote is not None:
            quote = None if quote in line else quote
            continue
        header = re.match(r"\s*\[\[?([^\]]+)\]", line)
        key = re.match(
            r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""",
            line,
        )
        if header and not key:
            table = _key_parts(header[1])
            found.setdefault(table, number)
        elif key:
            parts = (*table, *_key_parts(key[1]))
            for length in range(len(table) + 1, len(parts) + 1):
                found.setdefault(parts[:length], number)
            for mark in ('"""', "'''"):
                if line.count(mark) % 2:
                    quote = mark
    return found


def _key_parts(dotted: str) -> tuple[str, ...]:
    parts = re.findall(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""", dotted)
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in parts)


class _Reader:
    """Checks one document; ``prefix`` is where it stands in the file ("tool", "imgopt")."""

    def __init__(self, path: str, lines: Mapping[tuple[str, ...], int], prefix: tuple[str, ...]) -> None:
        self.path = path
        self.lines = lines
        self.prefix = prefix

    def config(self, document: object) -> Config:
        top = self.table(document, ())
        self.known(top, (), (*_TOP, "rules", "bases", "build-args", "budgets", "gate", "push", "fleet"))
        rules = self.table(top.get("rules", {}), ("rules",))
        self.known(rules, ("rules",), ("select", "ignore"))
        gate = self.table(top.get("gate", {}), ("gate",))
        self.known(gate, ("gate",), ("baseline",))
        push = self.table(top.get("push", {}), ("push",))
        self.known(push, ("push",), ("mount-from",))
        values: dict[str, Any] = {}
        for key, read in _TOP.items():
            if key in top:
                values[key.replace("-", "_")] = read(self, top[key], (key,))
        return Config(
            path=self.path,
            select=self.strings(rules.get("select", []), ("rules", "select")),
            ignore=self.strings(rules.get("ignore", []), ("rules", "ignore")),
            bases=tuple(self.bases(self.table(top.get("bases", {}), ("bases",)))),
            build_args=self.build_args(self.table(top.get("build-args", {}), ("build-args",))),
            budgets=tuple(self.budgets(self.table(top.get("budgets", {}), ("budgets",)))),
            fleet=tuple(self.fleet(self.table(top.get("fleet", {}), ("fleet",)))),
            baseline=self.string(gate["baseline"], ("gate", "baseline")) if "baseline" in gate else None,
            mount_from=self.repositories(push.get("mount-from", []), ("push", "mount-from")),
            lines={
                ".".join(key[len(self.prefix) :]): line
                for key, line in self.lines.items()
                if key[: len(self.prefix)] == self.prefix and len(key) > len(self.prefix)
            },
            **values,
        )

    def bases(self, table: Mapping[str, object]) -> Iterator[DeclaredBase]:
        if not table:
            return
        from imgopt.bases import check_declared
        from imgopt.options import DeclaredBase

        for pattern, value in table.items():
            key = ("bases", pattern)
            if not pattern.strip():
                self.fail(key, "an image name is missing", "write the image as it stands in FROM")
            entry = self.table(value, key)
            self.known(entry, key, _BASE)
            facts = {
                name: read(self, entry[name], (*key, name)) for name, read in _BASE.items() if name in entry
            }
            base = DeclaredBase(pattern=pattern, source=f"{self.path}:{self.line(key)}", **facts)
            try:
                check_declared({pattern: base.facts})
            except ConfigError as error:
                raise ConfigError(error.message, error.hint, path=self.path, line=self.line(key)) from error
            yield base

    def budgets(self, table: Mapping[str, object]) -> Iterator[BudgetTable]:
        """The default table first; a table below it, unless it is a budget's own, is for the images of its name."""
        if not table:
            return
        from imgopt.gate.budgets import NAMES, BudgetTable

        own = {name: value for name, value in table.items() if name in NAMES or not isinstance(value, dict)}
        if own:
            yield BudgetTable(None, tuple(self.limits(own, ("budgets",))))
        for pattern, value in table.items():
            if pattern not in own:
                key = ("budgets", pattern)
                yield BudgetTable(pattern, tuple(self.limits(self.table(value, key), key)))

    def fleet(self, table: Mapping[str, object]) -> Iterator[Limit]:
        if table:
            from imgopt.gate.budgets import OF_FLEETS

            self.known(table, ("fleet",), OF_FLEETS)
            yield from self.limits(table, ("fleet",))

    def limits(self, table: Mapping[str, object], key: tuple[str, ...]) -> Iterator[Limit]:
        from imgopt.gate.budgets import NAMES, parse_limit

        self.known(table, key, NAMES)
        for name, value in table.items():
            line = self.line((*key, name))
            try:
                yield parse_limit(name, value, f"{self.path}:{line}")
            except UsageError as error:
                raise ConfigError(error.message, error.hint, path=self.path, line=line) from error

    def build_args(self, table: Mapping[str, object]) -> dict[str, str]:
        values = {}
        for name, value in table.items():
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                self.fail(("build-args", name), f"build-args.{name} is {_kind(value)}", "put it in quotes")
            values[name] = str(value)
        return values

    def table(self, value: object, key: tuple[str, ...]) -> Mapping[str, object]:
        if not isinstance(value, dict):
            self.fail(key, f"{_name(key)} must be a table, not {_kind(value)}", f"write [{_name(key)}]")
        return cast("Mapping[str, object]", value)

    def known(
        self, table: Mapping[str, object], key: tuple[str, ...], names: Sequence[str] | Mapping[str, Any]
    ) -> None:
        for name in table:
            if name not in names:
                self.fail((*key, name), f"unknown key {_name((*key, name))!r}", choose_from(name, names))

    def string(self, value: object, key: tuple[str, ...]) -> str:
        if not isinstance(value, str):
            self.fail(key, f"{_name(key)} must be a string, not {_kind(value)}", "put it in quotes")
        return value

    def strings(self, value: object, key: tuple[str, ...]) -> tuple[str, ...]:
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(key, f"{_name(key)} must be a list of strings", f'write {key[-1]} = ["...", "..."]')
        return tuple(cast("list[str]", value))

    def repositories(self, value: object, key: tuple[str, ...]) -> tuple[str, ...]:
        names = self.strings(value, key)
        if not names:
            return ()
        from imgopt.bases.reference import parse_reference

        for name in names:
            try:
                parse_reference(name)
            except InputError as error:
                raise ConfigError(error.message, error.hint, path=self.path, line=self.line(key)) from error
        return names

    def boolean(self, value: object, key: tuple[str, ...]) -> bool:
        if not isinstance(value, bool):
            self.fail(key, f"{_name(key)} must be true or false, not {_kind(value)}", "write true or false")
        return value

    def integer(self, value: object, key: tuple[str, ...]) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, f"{_name(key)} must be a whole number, not {_kind(value)}", "write for example 17")
        return value

    def choice(self, value: object, key: tuple[str, ...], names: Sequence[str]) -> str:
        text = self.string(value, key)
        if text not in names:
            self.fail(key, f"{_name(key)} cannot be {text!r}", choose_from(text, names))
        return text

    def checked(self, value: object, key: tuple[str, ...], check: Callable[[str], object]) -> str:
        """A string that the command line's own check accepts; its error gets this file's line."""
        text = self.string(value, key)
        try:
            check(text)
        except UsageError as error:
            raise ConfigError(error.message, error.hint, path=self.path, line=self.line(key)) from error
        return text

    def line(self, key: tuple[str, ...]) -> int | None:
        """The line of the key, or of the nearest thing around it that has one."""
        for length in range(len(key), 0, -1):
            line = self.lines.get((*self.prefix, *key[:length]))
            if line is not None:
                return line
        return self.lines.get(self.prefix)

    def fail(self, key: tuple[str, ...], what: str, hint: str) -> NoReturn:
        raise ConfigError(what, hint, path=self.path, line=self.line(key))


def _name(key: tuple[str, ...]) -> str:
    return ".".join(key) or "the file"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    names = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def _platform(reader: _Reader, value: object, key: tuple[str, ...]) -> str:
    from imgopt.options import platform_name

    reader.checked(value, key, platform_name)
    return platform_name(cast(str, value))


def _spring_boot(reader: _Reader, value: object, key: tuple[str, ...]) -> str:
    from imgopt.options import spring_boot_version

    return reader.checked(value, key, spring_boot_version)


def _runtime(reader: _Reader, value: object, key: tuple[str, ...]) -> str:
    from imgopt.options import RUNTIMES

    return reader.choice(value, key, RUNTIMES)


def _bandwidth(reader: _Reader, value: object, key: tuple[str, ...]) -> tuple[str, ...]:
    from imgopt.bandwidths import bandwidth

    texts = reader.strings(value, key)
    for text in texts:
        reader.checked(text, key, bandwidth)
    return texts


def _fail_on(reader: _Reader, value: object, key: tuple[str, ...]) -> Severity:
    from imgopt.scales import Severity

    return Severity(reader.choice(value, key, [level.value for level in Severity]))


def _literal(field_name: str) -> Callable[[_Reader, object, tuple[str, ...]], str]:
    names = {"kind": ("jdk", "jre", "os", "build", "other"), "libc": ("glibc", "musl")}[field_name]
    return lambda reader, value, key: reader.choice(value, key, names)


#: Each key with the reader of its value; the order is the one in which errors name them.
_TOP: Mapping[str, Callable[[_Reader, object, tuple[str, ...]], Any]] = {
    "platform": _platform,
    "runtime": _runtime,
    "spring-boot": _spring_boot,
    "bandwidth": _bandwidth,
    "unsafe": _Reader.boolean,
    "fail-on": _fail_on,
}
_BASE: Mapping[str, Callable[[_Reader, object, tuple[str, ...]], Any]] = {
    "like": _Reader.string,
    "kind": _literal("kind"),
    "java": _Reader.integer,
    "libc": _literal("libc"),
    "os": _Reader.string,
    "counterpart": _Reader.string,
    "os_version": _Reader.string,
    "user": _Reader.string,
    "java_home": _Reader.string,
    "platforms": _Reader.strings,
    "has": _Reader.strings,
    "lacks": _Reader.strings,
}
