"""What an image starts: the jars and directories of classes that its start command and the scripts on the way name.

Read generously: a path that a reached script names counts. What is missing here is only missed bytes of the
application, so what cannot be followed is told (`Start.unseen`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

if TYPE_CHECKING:
    from imgopt.inspection.filesystem import Filesystem, Node

ARCHIVES = (".jar", ".war", ".ear")
MOST_SCRIPTS = 20
#: Characters that are read, expanded and looked up on the way of one image; what comes after them is not seen.
MOST_STEPS = 5_000_000
#: Of what one look into the image costs, whatever the length of the path.
_LOOK = 50
#: Scripts within scripts, and defaults within defaults of a variable.
_MOST_DEPTH = 20
_MOST_DEFAULTS = 8
_MOST_DIRECTORIES = 20
_MOST_WORD = 32_768
#: What a start command goes through on its way.
_SHELLS = frozenset(("sh", "bash", "ash", "dash", "ksh", "busybox"))
_PASS_ON = frozenset(
    "tini dumb-init catatonit exec env nice gosu su-exec setpriv stdbuf time docker-init chroot nohup".split()
)
#: Their `-c` is followed by a script too.
_RUN_SCRIPTS = _SHELLS | {"su", "runuser"}
_STARTERS = _SHELLS | _PASS_ON
_BEFORE_A_USER = frozenset(("gosu", "su-exec", "chroot"))
#: What Cloud Native Buildpacks start: Spring Boot's launcher, in /workspace.
_BUILDPACKS = "/cnb/lifecycle/launcher"
_SCRIPT = regex(rb"#!\s*(?:/usr)?(?:/bin/)(?:env\s+(?:-S\s+)?)?(?:ba|da|a|k)?sh\b")
_CLASS_PATH = frozenset(("-cp", "-classpath", "--class-path"))
_MODULE_PATH = frozenset(("-p", "--module-path"))
#: They name jars that are not the application.
_AGENTS = ("-javaagent:", "-Xbootclasspath", "-agentpath:")
_WORD = regex(r"""(?:[^\s;&|()<>"'`]|"[^"\n]*"|'[^'\n]*'|\$\([^)\n]*\))+""")
_CLASS = regex(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+")
_NAME = regex(r"\w+")
_ASSIGNED = regex(r"[A-Za-z_]\w*=")
_OWN_SCRIPT = r"""[ \t]{1,9}(?:--[ \t]{1,9})?"?\$(?:0|\{0\}|\{?BASH_SOURCE(?:\[0\])?\}?)"?"""
_OWN_DIRECTORY = regex(
    rf"\$\([ \t]{{0,9}}dirname{_OWN_SCRIPT}[ \t]{{0,9}}\)|`dirname{_OWN_SCRIPT}`|\$\{{0%/\*\}}|"
    rf"""\$\([ \t]{{0,9}}dirname[ \t]{{1,9}}(?:--[ \t]{{1,9}})?"?\$\((?:readlink|realpath)(?:[ \t]-\w{{1,9}})?{_OWN_SCRIPT}\)"?\)"""
)
_CD_PWD = regex(
    r"""\$\([ \t]{0,9}cd[ \t]{1,9}(?:(?:--|-P)[ \t]{1,9})?"?([\w./@+-]{1,4096})"?(?:[ \t]{1,9}&?>[ \t]?/dev/null)?[ \t]{0,9}(?:&&|;)[ \t]{0,9}pwd(?:[ \t]-P)?[ \t]{0,9}\)"""
)
_BRACE = regex(r"[{}]")
#: `-c`, and together with others as in `bash -lc`.
_DASH_C = regex(r"-[a-z]*c")
_OPERATOR = regex(r":?[-=?+]")
_ASSIGNMENT = regex(
    r"""(?:^|[\s;&|])(?:export\s+|local\s+|readonly\s+)?([A-Za-z_]\w*)=("[^"\n]*"|'[^'\n]*'|[^\s;&|]*)"""
)


@dataclass(slots=True)
class Start:
    """``jars``: of those that are started, the paths as they lie in the image. ``classes``: directories on a class
    path; ``libraries``: jars on one; ``mains``: names that may be of main classes. ``boot``: Spring Boot's launcher is started from directories. ``unseen``: why it
    was not followed to its end; ``missing``: what is started and not in the image; ``strangers``: files of a start
    command that is neither Java nor a script; ``agents``: jars that are loaded beside the application."""

    jars: dict[str, None] = field(default_factory=dict)
    classes: dict[str, None] = field(default_factory=dict)
    libraries: dict[str, None] = field(default_factory=dict)
    mains: dict[str, None] = field(default_factory=dict)
    boot: bool = False
    java: bool = False
    unseen: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    strangers: dict[str, None] = field(default_factory=dict)
    agents: dict[str, None] = field(default_factory=dict)


def find_start(config: Any, files: Filesystem, read: Callable[[str], bytes | None]) -> Start:
    """``config``: the image's. ``read`` gives a small file of the image by its real path; None where it cannot."""
    return _Follower(config if isinstance(config, dict) else {}, files, read).run()


class _SpentError(Exception):
    """More was to be followed than anybody would write."""


class _Follower:
    def __init__(
        self, config: Mapping[str, Any], files: Filesystem, read: Callable[[str], bytes | None]
    ) -> None:
        self.files, self._read = files, read
        self.start = Start()
        self.workdir = str(config.get("WorkingDir") or "/")
        self.variables: dict[str, str] = {}
        for each in _list(config.get("Env")):
            name, _, value = each.partition("=")
            self.variables[name] = value
        self.words = [*_list(config.get("Entrypoint")), *_list(config.get("Cmd"))]
        self._seen: set[str] = set()
        self._scripts: set[str] = set()
        self._left = MOST_STEPS
        self._depth = 0
        self._directories = [self.workdir]
        self._resolved: dict[str, tuple[str, Node] | None] = {}
        self._by_name: dict[str, list[str]] | None = None

    def run(self) -> Start:
        if not self.words:
            self.start.unseen.append("it has no start command")
            return self.start
        try:
            self._follow()
        except _SpentError:
            self.start.unseen.append("its start scripts are too long to be followed to their end")
        if not self.start.java and not self.start.jars:
            self.start.unseen.append(f"what {self.words[0][:80]} starts cannot be followed")
        return self.start

    def _follow(self) -> None:
        if "CLASSPATH" in self.variables:
            self._class_path(self.variables["CLASSPATH"])
        self._first_program()
        self._take(self.words)
        for each in self.words[1:]:
            if any(blank in each for blank in " \n\t;") and each not in self._scripts:
                self._script(each)  # what a script of the image may evaluate
        for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"):
            if name in self.variables:
                self._take(["java", *self.variables[name].split()], literal=True)

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _SpentError

    def _resolve(self, path: str) -> tuple[str, Node] | None:
        self._spend(len(path))
        if path not in self._resolved:
            self._spend(_LOOK)
            self._resolved[path] = self.files.resolve(path, spend=self._spend)
        return self._resolved[path]

    def _first_program(self) -> None:
        """Whether what the container starts with is understood at all."""
        words = [self._expand(word) for word in self.words]
        at = 0
        while at < len(words) and (_base(words[at]) in _PASS_ON or words[at].startswith("-")):
            at += 1 + (_base(words[at]) in _BEFORE_A_USER)
        if at == len(words):
            return
        word = words[at]
        if _base(word) in _SHELLS or _base(word) in ("java", "java.exe") or word.lower().endswith(ARCHIVES):
            return
        places = [word] if "/" in word else [f"{each}/{word}" for each in self._path()]
        for place in places:
            found = self._real(place)
            if found is None:
                continue
            if found[0] == _BUILDPACKS:
                self.start.java = self.start.boot = True
                return
            if found[1].content is None:
                continue
            data = self._read(found[0])
            if data is not None and _SCRIPT.match(data):
                return
            break
        self.start.unseen.append(f"what {word[:80]} starts cannot be followed")
        for each in words[at:]:
            found = self._real(each) if len(each) < 4096 else None
            if found is not None and found[1].content is not None:
                self.start.strangers[found[0]] = None

    def _take(self, words: list[str], *, literal: bool = False) -> None:
        """One command, as its words are written; ``literal``: they come out of an expansion, and stand as they are."""
        expecting = ""
        before = ""
        shell = False
        pairs = [(word, written) for written in words for word in self._fields(written, literal=literal)]
        for at, (word, written) in enumerate(pairs):
            first = at == 0
            last, before = before, word
            if expecting == "script":
                self._run(written, word, literal=literal)
                expecting = ""
            elif expecting == "jar":
                self._jar(word, started=True)
                expecting = ""
            elif expecting == "directory":
                if not word.startswith("-"):
                    self._enter(word)
                    expecting = ""
            elif expecting:
                self._class_path(word, modules=expecting == "modules")
                expecting = ""
            elif shell and not self.start.java and _DASH_C.fullmatch(word):
                expecting = "script"
            elif word == "cd" and not self.start.java:
                expecting = "directory"
            elif word == "eval" and first:
                self._run(" ".join(words[1:]), " ".join(each for each, _ in pairs[1:]), literal=literal)
                return
            elif word == "-jar":
                self.start.java, expecting = True, "jar"
            elif word in _CLASS_PATH:
                self.start.java, expecting = True, "path"
            elif word in _MODULE_PATH and self.start.java:
                expecting = "modules"
            elif word.startswith(("--class-path=", "--module-path=")):
                self.start.java = True
                self._class_path(word.partition("=")[2], modules=word.startswith("--module"))
            elif word.startswith(_AGENTS):
                agent = word.partition(":")[2].partition("=")[0]
                self.start.agents |= dict.fromkeys(self._matching(agent))
            elif word.startswith("@") and len(word) > 1 and self.start.java:
                found = self._text(word[1:])
                if found is None:
                    self.start.unseen.append(f"the argument file {word[1:80]} cannot be read")
                else:
                    self._spend(len(found))
                    self._take(["java", *found.split()], literal=True)
            elif "org.springframework.boot.loader" in word:
                self.start.java = self.start.boot = True
            elif word.rpartition("/")[2] in ("java", "java.exe"):
                self.start.java = True
            elif any(blank in word for blank in " \n\t;"):
                continue
            elif word.lower().endswith(ARCHIVES):
                self._jar(word, started=first or _base(last) in _STARTERS)
            elif self.start.java and _CLASS.fullmatch(_base(word)):
                self.start.mains[_base(word)] = None
            elif _base(word) in _RUN_SCRIPTS:
                shell = True
            elif "/" in word or first or last == "--" or _base(last) in _STARTERS:
                self._program(word)

    def _run(self, written: str, expanded: str, *, literal: bool) -> None:
        """The argument of `sh -c`: its variables are those of the script that it is, unless it is one variable."""
        text = _unquoted(written)
        if literal or not any(blank in text for blank in " \n\t;"):
            self._script(expanded, literal=True)
        else:
            self._script(text)

    def _program(self, word: str) -> None:
        if _base(word) in _STARTERS:
            return
        places = [word] if "/" in word else [f"{each}/{word}" for each in self._path()]
        for place in places:
            text = self._text(place)
            if text is not None:
                self._script(_where(text, place if place.startswith("/") else self._absolutes(place)[0]))
                return

    def _path(self) -> list[str]:
        path = self.variables.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self._spend(len(path))
        return path.split(":")

    def _text(self, path: str) -> str | None:
        """A script's text, each once; None where there is none, or what is no text."""
        found = self._real(path)
        if found is None or found[1].content is None or found[0] in self._seen:
            return None
        self._seen.add(found[0])
        if len(self._seen) > MOST_SCRIPTS:
            self.start.unseen.append("its scripts start too many others")
            return None
        data = self._read(found[0])
        if data is None or b"\0" in data:
            return None
        return data.decode("utf-8", "replace")

    def _script(self, text: str, *, literal: bool = False) -> None:
        self._scripts.add(text)
        self._spend(len(text))
        if self._depth >= _MOST_DEPTH:
            self.start.unseen.append("its scripts start too many others")
            return
        self._depth += 1
        try:
            self._commands(text, literal=literal)
        finally:
            self._depth -= 1

    def _commands(self, text: str, *, literal: bool) -> None:
        text = re.sub(r"\\\r?\n", " ", text)
        text = re.sub(r"(?m)^[^\S\n]*#.*$", "", text)
        for name, value in _ASSIGNMENT.findall(text):
            if name not in self.variables:
                self.variables[name] = self._expand(value, literal=literal)
        for line in text.splitlines():
            for part in re.split(r"&&|\|\||[;|&]", line):
                words = [match[0] for match in _WORD.finditer(part)]
                words = list(dropwhile(_ASSIGNED.match, words))
                if words:
                    self._take(words, literal=literal)

    def _jar(self, word: str, *, started: bool) -> None:
        """``started``: else it is only named, as what a script tests for, lists or prints."""
        found = self._matching(word)
        if not found and started:
            why = f"{word[:120]} is started, and no file of the image is that"
            self.start.unseen.append(why)
            if "$" not in word and "`" not in word:
                self.start.missing.append(why)
        for path in found:
            self.start.jars[path] = None

    def _enter(self, directory: str) -> None:
        """Of ``cd``, which may be in a branch or a subshell: the directories before it stay possible."""
        found = self._real(directory)
        if found is None or found[1].children is None or found[0] in self._directories:
            return
        if len(self._directories) > _MOST_DIRECTORIES:
            self.start.unseen.append("its scripts change their directory too often")
            return
        self._directories.insert(0, found[0])

    def _real(self, path: str) -> tuple[str, Node] | None:
        """What a path means, from the directory that was entered last and has it."""
        return next(
            (found for each in self._absolutes(path) if (found := self._resolve(each)) is not None), None
        )

    def _class_path(self, text: str, *, modules: bool = False) -> None:
        for each in re.split(r"[:;]", text):
            if modules and each and not each.lower().endswith(ARCHIVES):
                self._class_path(f"{each}/*")
                continue
            if not each or each == "$CLASSPATH":
                continue
            if each.endswith("/*") or each == "*":
                directory = self._real(each[:-1] or ".")
                self._spend(len(directory[1].children or ()) if directory else 0)
                for name, node in (directory[1].children or {}).items() if directory else ():
                    if name.lower().endswith(".jar") and (node.content or node.target):
                        found = self._resolve(f"{directory[0]}/{name}" if directory else name)
                        if found is not None:
                            self.start.libraries[found[0]] = None
            elif each.lower().endswith(ARCHIVES):
                for path in self._matching(each):
                    self.start.libraries[path] = None
            else:
                found = self._real(each)
                if found is not None and found[1].children is not None:
                    self.start.classes[found[0]] = None
                elif "$" in each or "`" in each:
                    self.start.unseen.append(f"the class path {each[:80]} is not known before the start")

    def _matching(self, word: str) -> list[str]:
        """The files that a path or a glob means; one of the same name where a variable hides the directory."""
        if "$" not in word and "`" not in word:
            return list(dict.fromkeys(each for path in self._absolutes(word) for each in self._at(path)))
        last = word.rpartition("/")[2]
        if "$" in last or "`" in last or last.startswith("."):
            return []
        if self._by_name is None:
            self._by_name = {}
            for place, node in self.files.files():
                if node.content is not None:
                    self._by_name.setdefault(_base(place), []).append(place)
        found_by_name = self._by_name.get(last, [])
        self._spend(_LOOK + len(found_by_name))
        return found_by_name

    def _at(self, path: str) -> list[str]:
        """The files of an absolute path, which may be a glob."""
        if not any(mark in path for mark in "*?["):
            found = self._resolve(path)
            return [found[0]] if found is not None and found[1].content is not None else []
        directory, _, pattern = path.rpartition("/")
        inside = self._resolve(directory or "/")
        if inside is None or inside[1].children is None:
            return []
        self._spend(10 * (len(pattern) + len(inside[1].children) * (1 + pattern.count("*"))))
        names = [name for name in inside[1].children if fnmatchcase(name, pattern)]
        each = [self._resolve(f"{inside[0]}/{name}") for name in names]
        return [one[0] for one in each if one is not None and one[1].content is not None]

    def _absolutes(self, path: str) -> list[str]:
        if path.startswith("/"):
            return [path]
        return [f"{directory}/{path}" for directory in self._directories]

    def _fields(self, written: str, *, literal: bool) -> list[str]:
        """The words that one written word becomes: a variable outside quotes may hold several."""
        if literal or "$" not in written or any(mark in written for mark in "\"'`("):
            return [self._expand(written, literal=literal)]
        return self._expand(written).split() or [""]

    def _expand(self, word: str, *, literal: bool = False) -> str:
        self._spend(len(word) + 1)
        if len(word) > 1 and word[0] == word[-1] == "'":
            return word[1:-1]
        word = _unquoted(word)
        if literal or "$" not in word:
            return word
        if len(word) > _MOST_WORD:
            self.start.unseen.append("a word of its start scripts is too long to be followed")
            return word
        return self._values(word, 0)

    def _values(self, word: str, depth: int) -> str:
        """With what is known of its variables, read once from left to right; values stand as they are."""
        self._spend(len(word))
        parts: list[str] = []
        size = at = 0
        while True:
            dollar = word.find("$", at)
            if dollar < 0:
                break
            parts.append(word[at:dollar])
            value, at = self._value(word, dollar, depth)
            parts.append(value)
            size += len(parts[-1]) + len(parts[-2])
            self._spend(len(value))
            if size > _MOST_WORD:
                self.start.unseen.append("a word of its start scripts is too long to be followed")
                return word
        return "".join(parts) + word[at:]

    def _value(self, word: str, dollar: int, depth: int) -> tuple[str, int]:
        """What stands for the variable at ``dollar``, and where it ends."""
        braced = word.startswith("{", dollar + 1)
        name = _NAME.match(word, dollar + 1 + braced)
        if name is None:
            return "$", dollar + 1
        known = self.variables.get(name[0])
        if not braced:
            return known or word[dollar : name.end()], name.end()
        end = _closing(word, name.end())
        if end < 0:
            return word[dollar:], len(word)
        if known:
            return known, end + 1
        operator = _OPERATOR.match(word, name.end())
        if operator is None or depth >= _MOST_DEFAULTS:
            return word[dollar : end + 1], end + 1
        return self._values(word[operator.end() : end], depth + 1), end + 1


def _where(text: str, script: str) -> str:
    """A script with its own directory where it asks for that: ``$(dirname "$0")``, and ``$(cd … && pwd)``."""
    directory = script.rpartition("/")[0] or "/"
    if not re.fullmatch(r"[\w./@+-]+", directory):
        return text
    return _CD_PWD.sub(r"\1", _OWN_DIRECTORY.sub(directory, text))


def _closing(word: str, at: int) -> int:
    """Where the brace ends that is open at ``at``; -1 where it does not."""
    depth = 1
    for mark in _BRACE.finditer(word, at):
        depth += 1 if mark[0] == "{" else -1
        if depth == 0:
            return mark.start()
    return -1


def _unquoted(word: str) -> str:
    if re.search(r"\s", word):
        return word.strip("\"'")
    return word.replace('"', "").replace("'", "")


def _base(word: str) -> str:
    return word.rpartition("/")[2]


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
