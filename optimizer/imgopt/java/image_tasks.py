"""What a call of Gradle does about images: the image tasks that the tasks of a call lead to, by ``dependsOn`` and ``finalizedBy``.

No build script is run: what stands there plainly counts, as in `imgopt.java.gradle`. A task that runs under a condition, or
that is named by an expression, is said to be not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from posixpath import normpath

from imgopt.java.build_facts import BUILD_FILES
from imgopt.java.gradle import blocks, inside, read_gradle, read_script, shallow, without_blocks
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

_MOST_TASKS = 200
_MOST_MODULES = 100
#: What the plugins of Gradle's own lead to.
_USUAL = {
    "build": ("assemble", "check"),
    "buildNeeded": ("build",),
    "buildDependents": ("build",),
    "assemble": ("jar", "bootJar", "war", "bootWar"),
    "check": ("test",),
}
_IMAGES = regex(r"\b(?:jib\w*|bootBuildImage|docker\w*Push\w*|docker\w*Build\w*|k8sPush|k8sBuild)\b")
#: A task as scripts name it: `tasks.named("x")`, `task x`, `tasks.x`, `x`.
_NAMED = (
    r"(?:tasks\s*\.\s*)?(?:(?:named|getByName|register|create|maybeCreate)\s*(?:<[^<>]{0,100}>)?\s*"
    r"\(\s*[\"'](?P<a>\w+)[\"'][^)]{0,300}\)|(?:getByPath|task)\b\s*\(?\s*[\"']?(?P<b>\w+)[\"']?(?:\([^)]{0,300}\)|[^()\n]{0,300}\))?|(?P<c>\w+))"
)
_HEADER = regex(
    r"(?:val\s+(?P<val>\w+)\s+by\s+tasks\b.*|" + _NAMED + r"\s*(?:\.\s*configure\s*)?)", re.DOTALL
)
_LINKED = regex(
    r"(?<![\w.])"
    + _NAMED
    + r"\s*(?:\.\s*get\(\)\s*)?\.\s*(?:dependsOn|finalizedBy)\b\s*(?P<what>[^\n;]{0,2000})"
)
_OWN = regex(r"(?<![\w.])(?:it\s*\.\s*)?(?:dependsOn|finalizedBy)\b\s*=?\s*(?P<what>[^\n;]{0,2000})")
_IN_HEADER = regex(r"\bdependsOn\s*:\s*(?P<what>\[[^\]]{0,2000}\]|[^,)]{0,300})")
_TASK = regex(
    r"[\"']:?(?:[\w.-]+:)*(?P<text>\w+)[\"']|(?:tasks|project\.tasks)\s*\.\s*(?:(?:named|getByName)\s*\(\s*[\"'](?P<named>\w+)[\"']\s*\)|(?P<dotted>\w+))"
    r"|(?P<bare>\b[A-Za-z]\w*)"
)
#: Another script that this one is put together with.
_APPLIED = regex(
    r"\bapply\s*\(?\s*from\s*[:=]\s*(?:rootProject\s*\.\s*(?P<root>file)\s*\(\s*|(?:project\s*\.\s*)?file\s*\(\s*)?"
    r"(?:\"(?P<double>[^\"\n]{0,500})\"|'(?P<single>[^'\n]{0,500})'|(?P<other>[^\n;)]{0,200}))"
)
_FROM_ROOT = regex(r"\$\{?(?:rootDir|rootProject\.(?:projectDir|rootDir)|project\.rootDir)\}?/")
_FROM_HERE = regex(r"\$\{?(?:projectDir|project\.projectDir)\}?/")
_MOST_APPLIED = 20
#: What a task runs.
_RUNS = regex(
    r"\b(docker|podman|nerdctl|buildah|skopeo)[\s\"',]{1,8}(?:(?:image|buildx|compose)[\s\"',]{1,8})?(push|build|bake|bud|copy)\b"
)
_PUBLISH = regex(r"(?<![\w.])publish\s*(?:=\s*|\.\s*set\s*\(\s*)true\b")


@dataclass(frozen=True)
class Reached:
    """``tasks``: of each module's directory below the repository, the tasks that run in it, in their order of running as
    far as it is told; ``publishes``: modules whose bootBuildImage sends what it makes; ``unknown``: why there may be more;
    ``doubtful``: what one of these tasks may do to images."""

    tasks: tuple[tuple[str, str], ...]
    publishes: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


@dataclass
class _Tasks:
    """The tasks of one module: what each leads to, and of those under a condition that it is not known."""

    next: dict[str, list[str]] = field(default_factory=dict)
    doubtful: dict[str, str] = field(default_factory=dict)


def reached_tasks(
    build_file: Path, root: Path, names: Sequence[str], without: Sequence[str]
) -> Reached | None:
    """What a call with these tasks leads to; ``names`` may begin with the path of a module. None where there is no such
    file. ContextError where it cannot be read."""
    facts = read_gradle(build_file, root)
    text = read_script(build_file, root)
    if facts is None or text is None:
        return None
    found: dict[tuple[str, str], None] = {}
    unknown: dict[str, None] = {}
    doubtful: dict[str, None] = {}
    applied = _Applied(build_file.parent, root, unknown)
    scripts_of_all = applied.to(text, build_file)
    shared = [
        body
        for each in scripts_of_all
        for header in ("subprojects\\b", "allprojects\\b")
        for body in inside(each, header)
    ]
    modules = {
        "": [
            part
            for each in scripts_of_all
            for part in (without_blocks(each, r"subprojects\b"), *inside(each, "allprojects\\b"))
        ]
    }
    for name in facts.modules[:_MOST_MODULES]:
        files = [build_file.parent / name / each for each in BUILD_FILES]
        there = [(script, file) for file in files if (script := read_script(file, root)) is not None]
        modules[name] = [*(each for script, file in there for each in applied.to(script, file)), *shared]
    publishes: set[str] = set()
    top = normpath(build_file.parent.resolve().relative_to(root.resolve()).as_posix())
    left = {each.rpartition(":")[2] for each in without}
    for name, scripts in modules.items():
        where = normpath(f"{top}/{name}") if name else top
        told = _tasks_of(scripts)
        if any(_PUBLISH.search(body) for each in scripts for body in _configured(each, "bootBuildImage")):
            publishes.add(where)
        for task in _run(told.next, _asked(names, name), left):
            found[where, task] = None
            if task in told.doubtful:
                said = f"{build_file.name} lets {task} run {told.doubtful[task]}, which is not followed"
                doubtful[said] = None
    return Reached(tuple(found), frozenset(publishes), tuple(unknown), tuple(doubtful))


@dataclass
class _Applied:
    """The scripts that others are put together with. ``unknown`` gets those that are not at hand."""

    top: Path
    root: Path
    unknown: dict[str, None]
    left: int = _MOST_APPLIED

    def to(self, script: str, file: Path) -> list[str]:
        """A script, and those that it applies."""
        found, todo, seen = [], [(script, file)], {file.resolve()}
        while todo:
            text, path = todo.pop(0)
            found.append(text)
            for match in _APPLIED.finditer(text):
                there = self._named(match, path)
                if there is not None and there.resolve() in seen:
                    continue
                self.left -= 1
                more = read_script(there, self.root) if there is not None and self.left >= 0 else None
                if more is None or there is None:
                    named = (match["double"] or match["single"] or match["other"] or "").strip()[:80]
                    self.unknown[f"{path.name} applies {named}, which is not read"] = None
                    continue
                seen.add(there.resolve())
                todo.append((more, there))
        return found

    def _named(self, match: re.Match[str], by: Path) -> Path | None:
        text = match["double"] or match["single"]
        if text is None or "://" in text or "\0" in text:
            return None
        start = by.parent
        for pattern, directory in ((_FROM_ROOT, self.top), (_FROM_HERE, by.parent)):
            if match["double"] is not None and (from_ := pattern.match(text)) is not None:
                start, text = directory, text[from_.end() :]
        if match["root"]:
            start = self.top
        return None if "$" in text else start / text


def _asked(names: Sequence[str], module: str) -> list[str]:
    """Of the tasks of a call those that run in a module: a name alone runs wherever there is one."""
    path = module.replace("/", ":")
    return [
        each.rpartition(":")[2]
        for each in names
        if ":" not in each or each.rpartition(":")[0].strip(":") == path
    ]


def _run(leads: Mapping[str, Sequence[str]], asked: Sequence[str], left: set[str]) -> list[str]:
    found: dict[str, None] = {}
    todo = list(asked)
    while todo and len(found) < _MOST_TASKS:
        task = todo.pop(0)
        if task in found or task in left:
            continue
        found[task] = None
        todo += [*leads.get(task, ()), *_USUAL.get(task, ())]
    return list(found)


def _tasks_of(scripts: Sequence[str]) -> _Tasks:
    told = _Tasks()
    for text in scripts:
        for match in _LINKED.finditer(shallow(text)):
            _link(told, match["a"] or match["b"] or match["c"], match["what"])
        for block in blocks(text):
            if (
                linked := _LINKED.match(block.header)
            ) is not None:  # build.dependsOn subprojects.collect { … }
                _link(told, linked["a"] or linked["b"] or linked["c"], f"${block.body}")
                continue
            header = _HEADER.fullmatch(block.header)
            name = (
                (header["val"] or header["a"] or header["b"] or header["c"]) if header is not None else None
            )
            if name is None:
                continue
            if name in ("tasks", "afterEvaluate", "gradle"):
                deeper = _tasks_of([block.body])
                for task, leads in deeper.next.items():
                    told.next.setdefault(task, []).extend(leads)
                told.doubtful.update(deeper.doubtful)
                continue
            for match in _IN_HEADER.finditer(block.header):
                _link(told, name, match["what"])
            if (runs := _RUNS.search(block.body)) is not None:
                told.doubtful[name] = f"{runs[1]} {runs[2]}"
            for match in _OWN.finditer(shallow(block.body)):
                _link(told, name, match["what"])
            for inner in blocks(block.body):
                if _OWN.match(inner.header):
                    _link(told, name, f"${inner.body}")
                if re.match(r"if\b|else\b|\}?\s*else\b", inner.header) and (
                    doubt := next(
                        (each for each in _OWN.finditer(inner.body) if _IMAGES.search(each["what"])), None
                    )
                ):
                    told.doubtful[name] = f"{_first(doubt['what'])} under a condition"
        for match in re.finditer(r"\btask\s+(\w+)\s*\(([^)]{0,2000})\)", text):
            for listed in _IN_HEADER.finditer(match[2]):
                _link(told, match[1], listed["what"])
    return told


def _link(told: _Tasks, name: str, what: str) -> None:
    literal = "$" not in what and not re.search(
        r"\.(?:collect|map|matching|filter|withType)\b|\bif\b|\?", what
    )
    if not literal:
        if (found := _IMAGES.search(what)) is not None:
            told.doubtful[name] = f"{found[0]} by an expression"
        return
    told.next.setdefault(name, []).extend(_listed(what))


def _listed(what: str) -> Iterator[str]:
    for match in _TASK.finditer(what[:2_000]):
        name = match["text"] or match["named"] or match["dotted"] or match["bare"]
        if name not in ("tasks", "project", "named", "getByName"):
            yield name


def _first(what: str) -> str:
    found = _IMAGES.search(what)
    return found[0] if found is not None else what.strip()[:40]


def _configured(text: str, task: str) -> list[str]:
    """What is said of a task, in blocks and by its name."""
    header = (
        rf"(?:tasks\s*\.\s*)?(?:{task}\b|(?:named|getByName)\s*(?:<[^<>]{{0,100}}>)?\s*\(\s*[\"']{task}[\"'])"
    )
    dotted = re.findall(rf"(?<![\w.])(?:tasks\s*\.\s*)?{task}\.([^\n;]{{0,2000}})", text)
    return [*inside(text, header), *dotted]
