"""What an image starts: the jars and directories of classes that its start command and the scripts on the way name.

Read generously: a path that a reached script names counts. What is missing here is only missed bytes of the
application, so what cannot be followed is told (`Start.unseen`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgopt.inspection.filesystem import Filesystem

ARCHIVES = (".jar", ".war", ".ear")
MOST_SCRIPTS = 20
_MOST_WORDS = 20_000
#: What a start command goes through on its way.
_SHELLS = frozenset(("sh", "bash", "ash", "dash", "ksh", "busybox"))
_PASS_ON = frozenset(
    "tini dumb-init catatonit exec env nice gosu su-exec setpriv stdbuf time docker-init chroot nohup".split()
)
_BEFORE_A_USER = frozenset(("gosu", "su-exec", "chroot"))
#: What Cloud Native Buildpacks start: Spring Boot's launcher, in /workspace.
_BUILDPACKS = "/cnb/lifecycle/launcher"
_SCRIPT = re.compile(rb"#!\s*(?:/usr)?(?:/bin/)(?:env\s+(?:-S\s+)?)?(?:ba|da|a|k)?sh\b")
_CLASS_PATH = frozenset(("-cp", "-classpath", "--class-path"))
_MODULE_PATH = frozenset(("-p", "--module-path"))
#: They name jars that are not the application.
_AGENTS = ("-javaagent:", "-Xbootclasspath", "-agentpath:")
_WORD = re.compile(r"""(?:[^\s;&|()<>"'`]|"[^"\n]*"|'[^'\n]*'|\$\([^)\n]*\))+""")
_CLASS = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?[-=?+]([^}]*))?\})")
_ASSIGNMENT = re.compile(
    r"""(?:^|[\s;&|])(?:export\s+|local\s+|readonly\s+)?([A-Za-z_]\w*)=("[^"\n]*"|'[^'\n]*'|[^\s;&|]*)"""
)


@dataclass(slots=True)
class Start:
    """``jars``: of those that are started, the paths as they lie in the image. ``classes``: directories on a class
    path; ``libraries``: jars on one; ``mains``: names that may be of main classes. ``boot``: Spring Boot's launcher is started from directories. ``unseen``: why it
    was not followed to its end; ``missing``: what is started and not in the image; ``strangers``: files of a start
    command that is neither Java nor a script."""

    jars: dict[str, None] = field(default_factory=dict)
    classes: dict[str, None] = field(default_factory=dict)
    libraries: dict[str, None] = field(default_factory=dict)
    mains: dict[str, None] = field(default_factory=dict)
    boot: bool = False
    java: bool = False
    unseen: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    strangers: dict[str, None] = field(default_factory=dict)


def find_start(config: Any, files: Filesystem, read: Callable[[str], bytes | None]) -> Start:
    """``config``: the image's. ``read`` gives a small file of the image by its real path; None where it cannot."""
    return _Follower(config if isinstance(config, dict) else {}, files, read).run()


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

    def run(self) -> Start:
        if not self.words:
            self.start.unseen.append("it has no start command")
            return self.start
        if "CLASSPATH" in self.variables:
            self._class_path(self.variables["CLASSPATH"])
        self._first_program()
        self._take(self.words)
        for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"):
            if name in self.variables:
                self._take(["java", *self.variables[name].split()])
        if not self.start.java and not self.start.jars:
            self.start.unseen.append(f"what {self.words[0][:80]} starts cannot be followed")
        return self.start

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
            found = self.files.resolve(self._absolute(place))
            if found is None:
                continue
            if found[0] == _BUILDPACKS:
                self.start.java = self.start.boot = True
                return
            data = self._read(found[0]) if found[1].content is not None else None
            if data is not None and data.startswith(b"#!") and _SCRIPT.match(data):
                return
        self.start.unseen.append(f"what {word[:80]} starts cannot be followed")
        for each in words[at:]:
            found = self.files.resolve(self._absolute(each)) if len(each) < 4096 else None
            if found is not None and found[1].content is not None:
                self.start.strangers[found[0]] = None

    def _take(self, words: list[str]) -> None:
        """One command, as words."""
        expecting = ""
        for at, written in enumerate(words[:_MOST_WORDS]):
            word = self._expand(written)
            if expecting == "jar":
                self._jar(word)
                expecting = ""
            elif expecting:
                self._class_path(word, modules=expecting == "modules")
                expecting = ""
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
                continue
            elif word.startswith("@") and len(word) > 1 and self.start.java:
                found = self._text(word[1:])
                if found is None:
                    self.start.unseen.append(f"the argument file {word[1:80]} cannot be read")
                else:
                    self._take(["java", *found.split()])
            elif "org.springframework.boot.loader" in word:
                self.start.java = self.start.boot = True
            elif word.rpartition("/")[2] in ("java", "java.exe"):
                self.start.java = True
            elif any(blank in word for blank in " \n\t;") and at:
                self._script(word)  # sh -c TEXT
            elif word.lower().endswith(ARCHIVES):
                self._jar(word)
            elif self.start.java and _CLASS.fullmatch(_base(word)):
                self.start.mains[_base(word)] = None
            elif (
                "/" in word or at == 0 or words[at - 1] == "--" or _base(words[at - 1]) in _SHELLS | _PASS_ON
            ):
                self._program(word)

    def _program(self, word: str) -> None:
        if _base(word) in _SHELLS or _base(word) in _PASS_ON:
            return
        places = [word] if "/" in word else [f"{each}/{word}" for each in self._path()]
        for place in places:
            text = self._text(place)
            if text is not None:
                self._script(text)
                return

    def _path(self) -> list[str]:
        return (
            self.variables.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        ).split(":")

    def _text(self, path: str) -> str | None:
        """A script's text, each once; None where there is none, or what is no text."""
        found = self.files.resolve(self._absolute(path))
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

    def _script(self, text: str) -> None:
        text = re.sub(r"\\\r?\n", " ", text)
        text = re.sub(r"(?m)^\s*#.*$", "", text)
        for name, value in _ASSIGNMENT.findall(text):
            if name not in self.variables:
                self.variables[name] = self._expand(value)
        for line in text.splitlines():
            for part in re.split(r"&&|\|\||[;|&]", line):
                words = [match[0] for match in _WORD.finditer(part)]
                while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0]):
                    words = words[1:]
                if words:
                    self._take(words)

    def _jar(self, word: str) -> None:
        found = self._matching(word)
        if not found:
            why = f"{word[:120]} is started, and no file of the image is that"
            self.start.unseen.append(why)
            if "$" not in word and "`" not in word:
                self.start.missing.append(why)
        for path in found:
            self.start.jars[path] = None

    def _class_path(self, text: str, *, modules: bool = False) -> None:
        for each in re.split(r"[:;]", text):
            if modules and each and not each.lower().endswith(ARCHIVES):
                self._class_path(f"{each}/*")
                continue
            if not each or each == "$CLASSPATH":
                continue
            if each.endswith("/*") or each == "*":
                directory = self.files.resolve(self._absolute(each[:-1] or "."))
                for name, node in (directory[1].children or {}).items() if directory else ():
                    if name.lower().endswith(".jar") and (node.content or node.target):
                        found = self.files.resolve(f"{directory[0]}/{name}" if directory else name)
                        if found is not None:
                            self.start.libraries[found[0]] = None
            elif each.lower().endswith(ARCHIVES):
                for path in self._matching(each):
                    self.start.libraries[path] = None
            else:
                found = self.files.resolve(self._absolute(each))
                if found is not None and found[1].children is not None:
                    self.start.classes[found[0]] = None
                elif "$" in each or "`" in each:
                    self.start.unseen.append(f"the class path {each[:80]} is not known before the start")

    def _matching(self, word: str) -> list[str]:
        """The files that a path or a glob means; one of the same name where a variable hides the directory."""
        path = self._absolute(word)
        if "$" not in word and "`" not in word:
            if not any(mark in word for mark in "*?["):
                found = self.files.resolve(path)
                return [found[0]] if found is not None and found[1].content is not None else []
            directory, _, pattern = path.rpartition("/")
            inside = self.files.resolve(directory or "/")
            if inside is None or inside[1].children is None:
                return []
            names = [name for name in inside[1].children if fnmatchcase(name, pattern)]
            each = [self.files.resolve(f"{inside[0]}/{name}") for name in names]
            return [one[0] for one in each if one is not None and one[1].content is not None]
        last = word.rpartition("/")[2]
        if "$" in last or "`" in last or last.startswith("."):
            return []
        return [path for path, node in self.files.files() if path.endswith(f"/{last}") and node.content]

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.workdir}/{path}"

    def _expand(self, word: str) -> str:
        if len(word) > 1 and word[0] == word[-1] == "'":
            return word[1:-1]
        word = word.replace('"', "").replace("'", "") if not re.search(r"\s", word) else word.strip("\"'")

        def value(match: re.Match[str]) -> str:
            known = self.variables.get(match[1] or match[2])
            return known if known else match[3] if match[3] is not None else match[0]

        return _VARIABLE.sub(value, word)


def _base(word: str) -> str:
    return word.rpartition("/")[2]


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
