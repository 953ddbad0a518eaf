"""``.gitlab-ci.yml`` as steps: jobs with their scripts, images, services, timeouts, matrix and stage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, product

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.pipelines.around import Around
from imgopt.pipelines.model import (
    Action,
    Agent,
    Branch,
    ImageUse,
    Place,
    Step,
    Text,
    Timeout,
    architecture_of,
)
from imgopt.pipelines.yaml_tree import Node, documents, scalars

#: Keys of the outermost level that are no jobs.
_RESERVED = frozenset(
    "stages variables default include workflow image services cache before_script after_script spec types".split()
)
_MAX_ITEMS = 2_000
_MOST_INCLUDES = 50
_MAX_DEPTH = 12
_MAX_VISITS = 100_000  # of script items, those that an alias repeats counted each time
_MAX_JOBS = 64  # of a matrix
_MAX_STEPS = 1_000
_MAX_VARIABLES = 500
MAX_TEXT = 2_000_000  # characters of all scripts
_DURATION = regex(
    r"(\d+(?:\.\d+)?)\s*(months?|mos?|weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)?(?![a-z])"
)
_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_IMAGE = regex(r"(?<![\w.:/@$-])[\w.:/@$-]*kaniko-project/executor[\w.:@$-]*")


def read(
    text: str, path: str, around: Around | None = None
) -> tuple[list[Step | Action], list[ImageUse], bool]:
    """Steps, images that are named, and whether there was more than is looked at. ``around``: where included files are
    read from, and is told what is not followed. InputError when it is no YAML."""
    around = around or Around()
    steps: list[Step | Action] = []
    images: list[ImageUse] = []
    roots = documents(text, path)
    size = 0
    for root in roots:
        if root.kind != "mapping":
            continue
        _include(root, around)
        file = _File(root, around)
        for name, key, job in root.entries():
            if name in _RESERVED or name.startswith(".") or job.kind != "mapping" or len(steps) > _MAX_STEPS:
                continue
            for step in file.steps(name, key, job):
                size += len(step.script.text)
                if size > MAX_TEXT:
                    return steps, images, True
                steps.append(step)
        images += images_in(root)
    return steps, images, len(steps) > _MAX_STEPS


def images_in(root: Node) -> list[ImageUse]:
    """Where the archived kaniko's image is named."""
    found = []
    for node in scalars(root):
        if "kaniko-project/executor" in node.value:
            script = script_of(node)
            found += [ImageUse(m[0], script.line(m.start())) for m in _IMAGE.finditer(node.value)]
    return sorted(found, key=lambda use: use.line)


def _include(root: Node, around: Around) -> None:
    """Puts the local files that a file includes into it, itself winning; others are told."""
    listed = root.get("include")
    if listed is None:
        return
    for each in (listed.items if listed.kind == "sequence" else [listed])[:_MOST_INCLUDES]:
        local = each.value if each.kind == "scalar" else each.text("local")
        if not local or "://" in local or "*" in local:
            what = local or next(
                (value.value for _, _, value in each.entries() if value.kind == "scalar"), ""
            )
            around.not_followed(f"the included {what}", each)
            continue
        roots = around.roots(local.lstrip("/").removeprefix("./"), each)
        if roots is None:
            around.not_followed(f"the included {local}", each)
            continue
        around.deep += 1
        for included in roots:
            if included.kind == "mapping":
                _include(included, around)
                _merged(root, included, 0)
        around.deep -= 1


def _merged(root: Node, included: Node, depth: int) -> None:
    for key, value in included.pairs:
        own = root.index.get(key.value)
        if own is None:
            root.pairs.append((key, value))
        elif own.kind == value.kind == "mapping" and own is not value and depth < 2:
            _merged(own, value, depth + 1)
    root.__dict__.pop("index", None)


@dataclass
class _File:
    root: Node
    around: Around
    visits: int = 0

    def steps(self, name: str, key: Node, job: Node) -> Iterator[Step]:
        parts = [
            *self._script(job, "before_script"),
            *self._lines(job.get("script") or self._found(job, "script"), 0),
        ]
        parts = parts[:_MAX_ITEMS]
        if not parts:
            trigger = self._found(job, "trigger")
            if trigger is not None:
                self.around.not_followed(f"the pipeline that the job {name} triggers", key)
            elif job.get("extends") is not None and len(self._chain(job)) == 1:
                self.around.not_followed(f"what the job {name} extends, which is not in this file,", key)
            return
        script, spans = joined(parts)
        place = self._place(name, job)
        variables = {**self._variables(self.root), **self._variables(self._found(job, None))}
        for mapping in reversed(self._chain(job)):
            variables.update(self._variables(mapping))
        place = replace(place, variables=variables)
        spans = (*spans, (key.line, job.end_line))
        rows = self._matrix(job)
        if rows is None:
            yield Step(script, spans, place)
            return
        for number, row in enumerate(rows[:_MAX_JOBS]):
            branch = Branch(
                group_of("matrix", name), " ".join(value or "" for value in row.values()) or str(number + 1)
            )
            inside = (*place.branches, branch)
            limits = tuple(replace(limit) for limit in place.timeouts)
            yield Step(
                script,
                spans,
                replace(
                    place,
                    job=f"{name}#{number}",
                    branches=inside,
                    timeouts=limits,
                    variables={**variables, **row},
                ),
            )

    # what a job is made of

    def _chain(self, job: Node) -> list[Node]:
        """The job and what it extends, nearest first."""
        chain: list[Node] = []
        todo = [job]
        while todo and len(chain) < 30:
            node = todo.pop(0)
            if node in chain or node.kind != "mapping":
                continue
            chain.append(node)
            extends = node.get("extends")
            names = [] if extends is None else [extends] if extends.kind == "scalar" else extends.items
            # of several the last one wins
            todo += [found for each in reversed(names) if (found := self.root.get(each.value)) is not None]
        return chain

    def _found(self, job: Node, key: str | None) -> Node | None:
        if key is None:
            return None
        return next((value for node in self._chain(job) if (value := node.get(key)) is not None), None)

    def _setting(self, job: Node, key: str) -> Node | None:
        """A job's own, its template's, the default's or the file's."""
        found = self._found(job, key)
        if found is None and (default := self.root.get("default")) is not None:
            found = default.get(key)
        return found if found is not None else self.root.get(key)

    def _script(self, job: Node, key: str) -> list[Node]:
        return self._lines(self._setting(job, key), 0)

    def _lines(self, node: Node | None, depth: int) -> list[Node]:
        """The scalars of a script, its nested lists and ``!reference`` flattened."""
        self.visits += 1
        if node is None or depth > _MAX_DEPTH or self.visits > _MAX_VISITS:
            return []
        if node.tag == "!reference" and node.kind == "sequence":
            target: Node | None = self.root
            for item in node.items:
                target = target.get(item.value) if target is not None else None
            return self._lines(target, depth + 1)
        if node.kind == "scalar":
            return [node]
        lines: list[Node] = []
        for item in node.items:
            lines += self._lines(item, depth + 1)
            if len(lines) > _MAX_ITEMS:
                break
        return lines

    def _variables(self, node: Node | None) -> dict[str, str | None]:
        listed = node.get("variables") if node is not None else None
        if listed is None:
            return {}
        found: dict[str, str | None] = {}
        for name, _, value in islice(listed.entries(), _MAX_VARIABLES):
            text = value.value if value.kind == "scalar" else value.text("value")
            found[name] = None if text is None or "$" in text else text
        return found

    def _place(self, name: str, job: Node) -> Place:
        stage = self._found(job, "stage")
        of = f"{stage.value if stage is not None else 'test'} {self._after(name, 0) or ''}".rstrip()
        branches = (Branch(group_of("stage", of), name),)
        limits: list[Timeout] = []
        attempts = self._attempts(job)
        timeout = self._setting(job, "timeout")
        if timeout is not None and (seconds := duration(timeout.value)):
            limits.append(Timeout(seconds, timeout.line, f"timeout: {timeout.value}", "gitlab", attempts))
        variables = self._found(job, "variables")
        script = variables.get("RUNNER_SCRIPT_TIMEOUT") if variables is not None else None
        if script is not None and (seconds := duration(script.value)):
            shown = f"RUNNER_SCRIPT_TIMEOUT: {script.value}"
            limits.append(Timeout(seconds, script.line, shown, "gitlab", attempts))
        group = self._found(job, "resource_group")
        lock = group.value if group is not None and "CI_JOB" not in group.value else ""
        place = Place(name, tuple(limits), branches, lock, self._agent(job))
        return replace(place, attempts=attempts, anew=attempts > 1)

    def _attempts(self, job: Node) -> int:
        """``retry: 2`` and ``retry: {max: 2}``: a new job each time, unless it is for what is none of the script's."""
        retry = self._setting(job, "retry")
        if retry is None:
            return 1
        when = retry.get("when") if retry.kind == "mapping" else None
        causes = {each.value for each in (when, *when.items)} if when is not None else {"always"}
        if not causes & {"always", "script_failure", "job_execution_timeout"}:
            return 1
        text = retry.value if retry.kind == "scalar" else retry.text("max") or ""
        return 1 + int(text) if re.fullmatch(r"[0-2]", text) else 1

    def _after(self, name: str, depth: int) -> int:
        """How many jobs of its own stage are done before it, one after the other, by its needs."""
        job = self.root.get(name)
        needs = self._found(job, "needs") if job is not None and job.kind == "mapping" else None
        self.visits += 1
        if job is None or needs is None or depth > _MAX_DEPTH or self.visits > _MAX_VISITS:
            return 0
        before = []
        for each in needs.items[:50]:
            other = each.value if each.kind == "scalar" else each.text("job") or ""
            needed = self.root.get(other)
            if needed is not None and self._stage(needed) == self._stage(job):
                before.append(1 + self._after(other, depth + 1))
        return max(before, default=0)

    def _stage(self, job: Node) -> str:
        stage = self._found(job, "stage")
        return stage.value if stage is not None else "test"

    def _agent(self, job: Node) -> Agent:
        image = _image(self._setting(job, "image"))
        services = self._setting(job, "services")
        names = [_image(each) or "" for each in services.items] if services is not None else []
        dind = next((each for each in names if "dind" in each), None)
        fresh = "each job gets its own container" if image else None
        docker = "the job's Docker Engine (docker:dind) starts empty" if dind else None
        tags = self._setting(job, "tags")
        labels = [each.value for each in tags.items] if tags is not None else []
        return Agent(image, {}, fresh, docker, architecture=architecture_of(labels), engine=dind)

    def _matrix(self, job: Node) -> list[dict[str, str | None]] | None:
        parallel = self._found(job, "parallel")
        if parallel is None:
            return None
        if parallel.kind == "scalar":
            return None  # the same script on all of them: each does a part that is not known here
        rows: list[dict[str, str | None]] = []
        matrix = parallel.get("matrix")
        for entry in matrix.items if matrix is not None else ():
            axes = [
                (name, [item.value for item in value.items] if value.kind == "sequence" else [value.value])
                for name, _, value in entry.entries()
            ]
            for values in product(*(values for _, values in axes)):
                if len(rows) >= _MAX_JOBS:
                    return rows
                rows.append(dict(zip((name for name, _ in axes), values, strict=True)))
        return rows or None


def _image(node: Node | None) -> str | None:
    if node is None:
        return None
    return (node.value if node.kind == "scalar" else node.text("name")) or None


def group_of(kind: str, name: str) -> int:
    """A number for a stage or a matrix; a hash of Python's own would differ from run to run."""
    import zlib

    return zlib.crc32(f"{kind} {name}".encode("utf-8", "replace"))


def duration(text: str) -> float:
    """``3 hours 30 minutes``, ``1h 30m``, ``90 seconds``, ``3600`` in seconds; 0 for what is none of these."""
    text = text.strip().lower()
    if len(text) > 60:
        return 0.0
    total, at = 0.0, 0
    for match in _DURATION.finditer(text):
        if text[at : match.start()].strip(" ,and"):
            return 0.0
        unit = match[2] or "s"
        total += float(match[1]) * (2592000.0 if unit.startswith("mo") else _UNITS[unit[0]])
        at = match.end()
    return 0.0 if text[at:].strip() else total


# scripts in YAML


def script_of(node: Node) -> Text:
    """A scalar as a script: the lines of a block scalar are those below its header."""
    if node.moved:
        return Text(node.value, ((0, node.line),))
    if node.style not in ("|", ">"):
        return Text(node.value, ((0, node.line),))
    if node.style == ">":  # folded: which line a word came from is not kept
        return Text(node.value, ((0, node.line + 1),))
    breaks = []
    offset = 0
    for number, line in enumerate(node.value.split("\n")):
        breaks.append((offset, node.line + 1 + number))
        offset += len(line) + 1
    return Text(node.value, tuple(breaks))


def joined(parts: list[Node]) -> tuple[Text, tuple[tuple[int, int], ...]]:
    """The items of a script as one: what one sets, the next one sees."""
    texts: list[str] = []
    breaks: list[tuple[int, int]] = []
    size = 0
    for node in parts:
        script = script_of(node)
        breaks += [(size + offset, line) for offset, line in script.breaks]
        texts.append(script.text.rstrip("\n"))
        size += len(texts[-1]) + 1
    return Text("\n".join(texts), tuple(breaks)), tuple((node.line, node.end_line) for node in parts)
