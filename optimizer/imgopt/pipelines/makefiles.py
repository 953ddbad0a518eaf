"""Makefiles: variables, rules and what a target runs, as far as the file and the repository tell.

A variable that is not set is the environment's: it stays in the recipe as ``${NAME}``, which is what the shell sees of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.pipelines.checkout import resolved
from imgopt.pipelines.model import Text
from imgopt.pipelines.printed import Printer
from imgopt.pipelines.tools import ROOT, Arg
from imgopt.pipelines.words import Scope, closing

NAMES = ("GNUmakefile", "makefile", "Makefile")
_MAX_TEXT = 200_000
_MAX_VALUE = 20_000
_MAX_DEPTH = 20
_MAX_EXPANSIONS = 20_000
_MOST_TARGETS = 500
_MOST_INCLUDED = 10
_ASSIGNED = regex(
    r"(?:export[ \t]+|override[ \t]+)*([A-Za-z_][\w.-]*)[ \t]*(\?|\+|::?:?|!)?=[ \t]*(.*)", re.DOTALL
)
_RULE = regex(r"([^:=#]{1,2000}?)[ \t]*(::?)(?!=)[ \t]*(.*)", re.DOTALL)
_CONDITION = regex(r"[ ]*(ifeq|ifneq|ifdef|ifndef|else|endif)\b[ \t]*(.*)")
_NAME = regex(r"[\w.-]+")
_REFERENCE = regex(r"\$[({][^(){}]*[)}]")
_FUNCTION = regex(
    r"(shell|foreach|patsubst|subst|addprefix|addsuffix|notdir|dir|basename|wildcard|strip|firstword|lastword|word|words|"
    r"filter|filter-out|sort|if|or|and|call|eval|info|warning|error|abspath|realpath|value|findstring|join)[ \t]+"
)


@dataclass
class _Variable:
    text: str
    simple: bool  # expanded where it stands
    given: bool = False  # by the command line: the file does not change it
    default: bool = False  # with ?=


@dataclass
class _Rule:
    line: int
    prerequisites: str
    recipe: list[tuple[int, str]] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    pattern: str | None = None  # of the targets, of a static pattern rule


@dataclass(frozen=True)
class Target:
    """What a target runs: its prerequisites first, then each line in a shell of its own."""

    name: str
    prerequisites: tuple[Target, ...]
    lines: tuple[Text, ...]


@dataclass
class Makefile:
    """``printer``: of the directory that make runs in; ``given``: variables of the command line; ``environment``: those that
    it inherits."""

    printer: Printer
    path: str
    given: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    variables: dict[str, _Variable] = field(default_factory=dict)
    rules: dict[str, _Rule] = field(default_factory=dict)
    patterns: list[tuple[str, _Rule]] = field(default_factory=list)
    first: str | None = None
    one_shell: bool = False
    phony: set[str] = field(default_factory=set)  # pattern rules are none of theirs
    expansions: int = 0
    included: int = 0

    # reading

    def read(self, text: str, *, line_of: int | None = None) -> None:
        """``line_of``: the one line of the file that all of it stands in, of a text that is made by it."""
        for name, value in self.given.items():
            self.variables.setdefault(name, _Variable(value, True, given=True))
        lines = list(_joined_lines(text[:_MAX_TEXT]))
        at = 0
        current: list[_Rule] = []
        taken: list[bool] = []  # of the conditionals around: whether this arm is read
        while at < len(lines):
            number, line = lines[at]
            number = line_of if line_of is not None else number
            at += 1
            condition = _CONDITION.fullmatch(line.split("\n")[0]) if not line.startswith("\t") else None
            if condition is not None:
                self._condition(condition[1], condition[2], taken)
                continue
            if not all(taken):
                continue
            if line.startswith("\t"):
                for rule in current:
                    rule.recipe.append((number, line[1:]))
                continue
            if line.startswith("define "):
                at = self._define(lines, at, line)
                continue
            bare = _without_comment(line).strip()
            if bare:
                current = self._statement(bare, number, current)

    def _define(self, lines: Sequence[tuple[int, str]], at: int, line: str) -> int:
        name = line.split()[1] if len(line.split()) > 1 else ""
        end = at
        while end < len(lines) and lines[end][1].strip() != "endef":
            end += 1
        self.variables[name] = _Variable("\n".join(text for _, text in lines[at:end]), False)
        return end + 1

    def _statement(self, line: str, number: int, current: list[_Rule]) -> list[_Rule]:
        include = re.fullmatch(r"[-s]?include[ \t]+(.*)", line, re.DOTALL)
        if include is not None:
            for name in self.expanded(include[1]).split():
                text = self.printer.checkout.script(name, self.printer.directory)
                self.included += 1
                if text is not None and self.included <= _MOST_INCLUDED:
                    self.read(text)
            return []
        assigned = _ASSIGNED.fullmatch(line)
        if assigned is not None:
            self._assign(assigned[1], assigned[2] or "", assigned[3])
            return current
        rule = _RULE.fullmatch(line) if not line.startswith("$(eval") else None
        if rule is None:
            made = self.expanded(line)
            if "\n" in made or (":" in made and made != line):
                self.read(made, line_of=number)
            return current
        return self._rule(rule, number)

    def _assign(self, name: str, sign: str, text: str) -> None:
        before = self.variables.get(name)
        if before is not None and before.given:
            return
        if sign == "?":
            inherited = self.environment.get(name)
            if before is None and inherited is not None:
                self.variables[name] = _Variable(inherited.replace("$", "$$"), True)
            elif before is None and name not in self.environment:
                self.variables[name] = _Variable(text, False, default=True)
        elif sign == "+" and before is not None:
            joined = f"{before.text} {text if not before.simple else self.expanded(text)}"
            self.variables[name] = replace(before, text=joined[:_MAX_VALUE])
        elif sign == "!":
            self.variables[name] = _Variable(self._function("shell", text, 0), True)
        elif sign.startswith(":"):
            self.variables[name] = _Variable(self.expanded(text), True)
        else:
            self.variables[name] = _Variable(text[:_MAX_VALUE], False)

    def _rule(self, rule: re.Match[str], number: int) -> list[_Rule]:
        targets = self.expanded(rule[1]).split()
        rest, semicolon, own = rule[3].partition(";")
        if targets[:1] == [".ONESHELL"]:
            self.one_shell = True
        specific = _ASSIGNED.fullmatch(rest.strip())
        found: list[_Rule] = []
        static = None
        masked = _REFERENCE.sub(lambda match: "x" * len(match[0]), rest)
        if specific is None and ":" in masked and "%" in rest:
            at = masked.index(":")
            static, rest = rest[:at], rest[at + 1 :]
        if targets[:1] == [".PHONY"]:
            self.phony |= set(self.expanded(rest).split())
        for target in targets[:_MOST_TARGETS]:
            if target.startswith(".") and target[1:].isupper():
                continue
            known = self.rules.get(target)
            if "%" in target and static is None:
                known = None
            made = known or _Rule(number, "")
            if known is None and "%" in target and static is None:
                self.patterns.append((target, made))
            elif known is None and len(self.rules) < _MOST_TARGETS:
                self.rules[target] = made
                self.first = self.first or target
            if specific is not None:
                made.variables.append(rest.strip())
                continue
            made.prerequisites = f"{made.prerequisites} {rest}"
            made.pattern = static.strip() if static is not None else made.pattern
            if semicolon and own.strip():
                made.recipe.append((number, own.strip()))
            if not made.recipe:
                made.line = number
            found.append(made)
        return found

    def _condition(self, word: str, rest: str, taken: list[bool]) -> None:
        if word == "endif":
            del taken[-1:]
        elif word == "else":
            if taken:
                inner = _CONDITION.fullmatch(rest.strip()) if rest.strip() else None
                taken[-1] = not taken[-1] and (inner is None or self._holds(inner[1], inner[2]))
        elif len(taken) < _MAX_DEPTH:
            taken.append(self._holds(word, rest))

    def _holds(self, word: str, rest: str) -> bool:
        """What the file says; a variable that nothing sets is taken to be empty, as make does."""
        if word in ("ifdef", "ifndef"):
            name = self.expanded(rest).strip()
            there = bool(self.variables.get(name) and self.variables[name].text) or bool(
                self.environment.get(name)
            )
            return there == (word == "ifdef")
        match = re.fullmatch(r"\((.*),(.*)\)|[\"'](.*)[\"']\s+[\"'](.*)[\"']", rest.strip()[:2_000])
        if match is None:
            return True
        one, other = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
        left, right = (re.sub(r"\$\{[\w.]+\}", "", self.expanded(each)).strip() for each in (one, other))
        return (left == right) == (word == "ifeq")

    # values

    def expanded(self, text: str, own: Mapping[str, str] | None = None, depth: int = 0) -> str:
        """A text with its variables and functions; ``$$`` stays for the shell to read, as `$`."""
        found: list[str] = []
        at, size = 0, 0
        own = own or {}
        while at < len(text) and size < _MAX_VALUE:
            sign = text.find("$", at)
            if sign < 0:
                found.append(text[at:])
                break
            piece = text[at:sign]
            following = text[sign + 1 : sign + 2]
            if following == "$":
                piece += "$$"
                at = sign + 2
            elif following in ("(", "{") and following:
                end = closing(text, sign + 1)
                piece += self._value(text[sign + 2 : end - 1], own, depth)
                at = end
            else:
                piece += self._named(following, own, depth) if following else ""
                at = sign + 2
            found.append(piece)
            size += len(piece)
        return "".join(found)[:_MAX_VALUE]

    def _value(self, inside: str, own: Mapping[str, str], depth: int) -> str:
        self.expansions += 1 + len(inside) // 50  # the text is looked through for where it ends
        if depth > _MAX_DEPTH or self.expansions > _MAX_EXPANSIONS:
            return ""
        function = _FUNCTION.match(inside)
        if function is not None:
            return self._function(function[1], inside[function.end() :], depth + 1, own)
        name = self.expanded(inside, own, depth + 1) if "$" in inside else inside
        bare, colon, change = name.partition(":")
        if colon and "=" in change:
            old, _, new = change.partition("=")
            if "%" not in old:
                old, new = f"%{old}", f"%{new}"
            return _patsubst(old, new, self._named(bare, own, depth))
        return self._named(name, own, depth)

    def _named(self, name: str, own: Mapping[str, str], depth: int) -> str:
        if name in own:
            return own[name]
        if name == "MAKE":
            return "make"
        if name in ("CURDIR", "PWD"):
            return f"{ROOT}/{self.printer.directory or ''}".rstrip("/")
        if name == "MAKEFILE_LIST":
            return self.path
        variable = self.variables.get(name)
        if variable is not None:
            if variable.given or variable.simple:
                return variable.text
            return self.expanded(variable.text, own, depth + 1) if depth < _MAX_DEPTH else ""
        inherited = self.environment.get(name)
        if inherited is not None:
            return inherited.replace("$", "$$")
        if not _NAME.fullmatch(name):
            return ""
        return "$${" + re.sub(r"\W", "_", name) + "}"

    def _function(self, name: str, rest: str, depth: int, own: Mapping[str, str] | None = None) -> str:
        own = own or {}
        expand = partial(self.expanded, own=own, depth=depth)
        parts = _arguments(rest)
        if name == "foreach" and len(parts) >= 3:
            body = ",".join(parts[2:])
            words = expand(parts[1]).split()[:200]
            variable = expand(parts[0]).strip()
            return " ".join(self.expanded(body, {**own, variable: each}, depth) for each in words)
        if name in ("if", "or", "and"):
            return self._chosen(name, parts, expand)
        if name == "call":
            given = [expand(part).strip() for part in parts]
            template = self.variables.get(given[0] if given else "")
            arguments = {str(n): each for n, each in enumerate(given)}
            return "" if template is None else self.expanded(template.text, {**own, **arguments}, depth)
        if name == "eval":
            self.read(expand(rest).replace("$$", "$"))
            return ""
        if name in ("info", "warning", "error"):
            return ""
        if name == "shell":
            return self._shell(expand(rest))
        values = [expand(part) for part in parts]
        return _text_function(name, values, self.printer)

    def _chosen(self, name: str, parts: list[str], expand: Callable[[str], str]) -> str:
        values = []
        if name == "if":
            test = re.sub(r"\$\$\{\w+\}", "", expand(parts[0])).strip()
            return expand(
                parts[1] if test and len(parts) > 1 else parts[2] if not test and len(parts) > 2 else ""
            )
        for part in parts:
            values.append(expand(part).strip())
            if bool(values[-1]) == (name == "or"):
                break
        return values[-1] if values else ""

    def _shell(self, text: str) -> str:
        printed = self.printer.printed(text.replace("$$", "$"))
        if printed is None or printed.value is None:
            return "$$(" + " ".join(text.split())[:60] + ")"
        return " ".join(printed.value.split()).replace("$", "$$")

    # targets

    def target(self, name: str, seen: set[str], depth: int = 0) -> Target | None:
        """What a target runs that was not made yet; None where the file has no such rule."""
        if depth > _MAX_DEPTH:
            return None
        found = self._of(name)
        if found is None:
            return None
        rule, stem = found
        seen.add(name)
        before = dict(self.variables)
        for text in rule.variables:
            if (assigned := _ASSIGNED.fullmatch(text)) is not None:
                self._assign(assigned[1], assigned[2] or "", assigned[3])
        own = {"*": stem, "@": name}
        listed = self.expanded(rule.prerequisites, own).replace("|", " ").replace("%", stem).split()
        own["<"], own["^"] = listed[0] if listed else "", " ".join(listed)
        made = [
            each
            for prerequisite in listed[:_MOST_TARGETS]
            if prerequisite not in seen and (each := self.target(prerequisite, seen, depth + 1)) is not None
        ]
        lines = tuple(each for number, text in rule.recipe for each in self._line(number, text, own))
        if self.one_shell and lines:
            lines = (Text("\n".join(each.text for each in lines), lines[0].breaks[:1]),)
        self.variables = before
        return Target(name, tuple(made), lines)

    def _of(self, name: str) -> tuple[_Rule, str] | None:
        rule = self.rules.get(name)
        if rule is not None and (rule.recipe or name in self.phony):
            return rule, _stem(rule.pattern, name) or ""
        for pattern, each in self.patterns:
            stem = _stem(pattern, name)
            if stem is not None and each.recipe:
                more = f"{each.prerequisites} {rule.prerequisites if rule is not None else ''}"
                return replace(each, prerequisites=more), stem
        return None if rule is None else (rule, "")

    def _line(self, number: int, text: str, own: Mapping[str, str]) -> list[Text]:
        """A line of a recipe as the shell gets it, its parts on lines of their own with their numbers."""
        parts = text.split("\n")
        whole = [part for part in parts if part.count("(") == part.count(")")]
        if len(whole) != len(parts):
            parts = [text.replace("\\\n", " ")]
        breaks, size, pieces = [], 0, []
        for offset, part in enumerate(parts):
            bare = part.lstrip("\t@-+ ") if not offset else part
            piece = self.expanded(bare, own).replace("$$", "$")
            breaks.append((size, number + offset))
            pieces.append(piece)
            size += len(piece) + 1
        joined = "\n".join(pieces)
        if not joined.strip() or joined.lstrip().startswith("#"):
            return []
        if "\\\n" not in text and "\n" in joined:  # a define: each of its lines has its own shell
            return [
                Text(each.lstrip("\t@-+ "), ((0, number),)) for each in joined.split("\n") if each.strip()
            ]
        return [Text(joined, tuple(breaks))]

    def roots(self) -> list[str]:
        """The targets that no other one needs, in order."""
        needed = {each for rule in self.rules.values() for each in self.expanded(rule.prerequisites).split()}
        called = {
            word
            for rule in (*self.rules.values(), *(rule for _, rule in self.patterns))
            for _, text in rule.recipe
            if "$(MAKE)" in text or "${MAKE}" in text or re.search(r"\bmake\b", text)
            for word in re.split(r"[\s;&|]+", text)
        }
        found = [name for name in self.rules if name not in needed and name not in called]
        return found or list(self.rules)[:1]


def at_hand(printer: Printer, file: str | None) -> tuple[str, str] | None:
    """The Makefile of a directory, or the one that is named: its path and its text."""
    for name in (file,) if file is not None else NAMES:
        text = printer.checkout.script(name, printer.directory)
        if text is not None:
            return name, text
    return None


def read(
    printer: Printer, path: str, text: str, given: Mapping[str, str], environment: Mapping[str, str | None]
) -> Makefile:
    plain = replace(printer, scope=Scope({name: Arg(value, value) for name, value in given.items()}))
    made = Makefile(plain, path, given, environment)
    made.read(text)
    return made


def _joined_lines(text: str) -> list[tuple[int, str]]:
    """The lines with their numbers; those that a backslash joins are one, with the line ends in it."""
    found: list[tuple[int, str]] = []
    start = 1
    parts: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not parts:
            start = number
        parts.append(line)
        if line.endswith("\\") and not line.endswith("\\\\"):
            continue
        recipe = parts[0].startswith("\t")
        whole = "\n".join(parts) if recipe else " ".join(part.rstrip("\\").strip() for part in parts)
        found.append((start, whole if recipe or len(parts) > 1 else line))
        parts = []
    if parts:
        found.append((start, " ".join(part.rstrip("\\") for part in parts)))
    return found


def _without_comment(line: str) -> str:
    return re.split(r"(?<!\\)#", line, maxsplit=1)[0]


def _arguments(text: str) -> list[str]:
    """The arguments of a function, by the commas that stand in no parentheses."""
    found, depth, start = [], 0, 0
    for at, char in enumerate(text):
        if char in "({":
            depth += 1
        elif char in ")}":
            depth -= 1
        elif char == "," and depth == 0:
            found.append(text[start:at])
            start = at + 1
    return [*found, text[start:]]


def _stem(pattern: str | None, name: str) -> str | None:
    """What ``%`` stands for; None where the name is none of the pattern's."""
    head, _, tail = (pattern or "").partition("%")
    fits = name.startswith(head) and name.endswith(tail) and len(name) > len(head) + len(tail)
    return name[len(head) : len(name) - len(tail)] if fits else None


def _patsubst(old: str, new: str, text: str) -> str:
    return " ".join(
        new.replace("%", stem, 1) if (stem := _stem(old, word)) is not None else word for word in text.split()
    )


def _text_function(name: str, values: list[str], printer: Printer) -> str:
    last = values[-1] if values else ""
    words = last.split()
    if name == "patsubst" and len(values) == 3:
        return _patsubst(values[0].strip(), values[1].strip(), last)
    if name == "subst" and len(values) == 3:
        return last.replace(values[0], values[1])[:_MAX_VALUE] if values[0] else last
    if name in ("addprefix", "addsuffix") and len(values) == 2:
        first = values[0]
        return " ".join(first + word if name == "addprefix" else word + first for word in words)
    if name == "notdir":
        return " ".join(word.rsplit("/", 1)[-1] for word in words).strip()
    if name == "dir":
        return " ".join(f"{word.rpartition('/')[0]}/" if "/" in word else "./" for word in words)
    if name == "basename":
        return " ".join(re.sub(r"\.[^./]*$", "", word) for word in words)
    if name == "wildcard":
        return " ".join(each for word in words for each in _wild(printer, word))
    if name in ("firstword", "lastword"):
        return (words[:1] if name == "firstword" else words[-1:] or [""])[0] if words else ""
    if name == "word" and len(values) == 2 and values[0].strip().isdigit():
        return "".join(words[int(values[0].strip()[:4]) - 1 : int(values[0].strip()[:4])])
    if name == "words":
        return str(len(words))
    if name in ("filter", "filter-out") and len(values) == 2:
        patterns = values[0].split()
        return " ".join(word for word in words if _one_of(word, patterns) == (name == "filter"))
    if name == "sort":
        return " ".join(sorted(set(words)))
    if name in ("abspath", "realpath"):
        inside = [resolved(word, printer.directory) for word in words]
        return " ".join(f"{ROOT}/{each}".removesuffix("/.") for each in inside if each is not None)
    if name == "findstring" and len(values) == 2:
        return values[0] if values[0] in last else ""
    return " ".join(words)


def _one_of(word: str, patterns: Sequence[str]) -> bool:
    return any(word == each or ("%" in each and _stem(each, word) is not None) for each in patterns[:100])


def _wild(printer: Printer, word: str) -> list[str]:
    if not re.search(r"[*?\[]", word):
        return [word] if printer.checkout.kind(word, printer.directory) is not None else []
    return printer.files(word) or []
