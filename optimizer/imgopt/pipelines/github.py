"""A GitHub workflow as steps: jobs with their runners, matrix, timeouts, ``run`` scripts and Docker's actions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from itertools import islice, product
from zlib import crc32

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.pipelines.around import Around
from imgopt.pipelines.github_actions import command_of, may_push, retried, tags_of
from imgopt.pipelines.gitlab import MAX_TEXT, group_of, images_in, script_of
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
from imgopt.pipelines.tools import tried
from imgopt.pipelines.yaml_tree import Node, documents

_EXPRESSION = regex(r"\$\{\{(.{0,400}?)\}\}", re.DOTALL)
_ENVIRONMENT = regex(r"\$\{([A-Za-z_]\w*)\}")
_HOSTED = regex(r"(?:ubuntu|windows|macos)-[\w.-]+$")
_MAX_JOBS = 64
_MAX_STEPS = 1_000

Values = dict[str, str | None]


def read(
    text: str, path: str, around: Around | None = None
) -> tuple[list[Step | Action], list[ImageUse], bool]:
    """Steps, images that are named, and whether there was more than is looked at. ``around``: where local actions and
    reusable workflows are read from, and is told what is not followed. InputError when it is no YAML."""
    around = around or Around()
    steps: list[Step | Action] = []
    images: list[ImageUse] = []
    for root in documents(text, path):
        jobs = root.get("jobs") if root.kind == "mapping" else None
        if jobs is None or jobs.kind != "mapping":
            continue
        levels = _levels(jobs)
        for name, key, job in jobs.entries():
            if job.kind == "mapping" and len(steps) <= _MAX_STEPS:
                steps += _Job(root, name, key, job, levels.get(name, 0), around).steps()
                size = sum(len(step.script.text) for step in steps if isinstance(step, Step))
                if size > MAX_TEXT:
                    return steps, images, True
        images += images_in(root)
    return steps, images, len(steps) > _MAX_STEPS


def _levels(jobs: Node) -> dict[str, int]:
    """How many jobs have to be done before each: those of one level run at once."""
    needs: dict[str, list[str]] = {}
    for name, _, job in jobs.entries():
        node = job.get("needs") if job.kind == "mapping" else None
        needs[name] = (
            [] if node is None else [node.value] if node.kind == "scalar" else [n.value for n in node.items]
        )
    levels = dict.fromkeys(needs, 0)
    for _ in range(min(len(needs), 50)):
        changed = False
        for name, before in needs.items():
            level = 1 + max((levels[each] for each in before if each in levels), default=-1)
            if level > levels[name] and level <= len(needs):
                levels[name], changed = level, True
        if not changed:
            break
    return levels


@dataclass
class _Job:
    root: Node
    name: str
    key: Node
    job: Node
    level: int
    around: Around
    inputs: Values = field(default_factory=dict)  # of a workflow that another one calls, as "inputs_name"

    def steps(self) -> list[Step | Action]:
        listed = self.job.get("steps")
        called = self.job.get("uses")
        if listed is None:
            return self._called(called) if called is not None and called.kind == "scalar" else []
        rows, at_once = self._matrix()
        rows = [{**self.inputs, **row} for row in rows]
        found: list[Step | Action] = []
        size = 0
        for number, row in enumerate(rows):
            if size > MAX_TEXT:
                break
            branches: tuple[Branch, ...] = (Branch(self.level, self.name),)
            if len(rows) > 1:
                branches = (
                    *branches,
                    Branch(1_000 + self.level, f"{number} " + " ".join(filter(None, row.values()))),
                )
            place = self._place(f"{self.name}#{number}", branches, row, at_once)
            for step in listed.items:
                if step.kind == "mapping" and len(found) <= _MAX_STEPS:
                    new = self._step(step, place, row)
                    size += sum(len(each.script.text) for each in new if isinstance(each, Step))
                    found += new
        return found

    def _called(self, uses: Node) -> list[Step | Action]:
        """The steps of a reusable workflow of this repository, in the line that uses it."""
        name = uses.value
        local = name.startswith(("./", ".github/"))
        roots = self.around.roots(posixpath.normpath(name), uses) if local else None
        if roots is None:
            self.around.not_followed(f"the workflow {name}", uses)
            return []
        found: list[Step | Action] = []
        rows, at_once = self._matrix()
        self.around.deep += 1
        for root in roots:
            jobs = root.get("jobs")
            if jobs is None or jobs.kind != "mapping":
                continue
            declared = _at(root, "on", "workflow_call", "inputs")
            levels = _levels(jobs)
            for number, row in enumerate(rows):
                inputs = _inputs(declared, self.job.get("with"), row, {})
                outer: tuple[Branch, ...] = (Branch(self.level, self.name),)
                if len(rows) > 1:
                    outer = (*outer, Branch(1_000 + self.level, f"#{number}"))
                for inner, key, job in jobs.entries():
                    if job.kind != "mapping" or len(found) > _MAX_STEPS:
                        continue
                    called = _Job(root, inner, key, job, levels.get(inner, 0), self.around, inputs)
                    for step in called.steps():
                        place = step.place
                        own = tuple(
                            replace(each, group=group_of(f"{self.name} {number}", str(each.group)))
                            for each in place.branches
                        )
                        lock = place.lock if at_once else self.name
                        job_name = f"{self.name}#{number}/{place.job}"
                        found.append(
                            replace(
                                step, place=replace(place, job=job_name, branches=(*outer, *own), lock=lock)
                            )
                        )
        self.around.deep -= 1
        return found

    def _place(self, job: str, branches: tuple[Branch, ...], row: Values, at_once: bool) -> Place:
        timeout = self.job.get("timeout-minutes")
        limits = (_limit(timeout, row),) if timeout is not None else ()
        runner = self.job.get("runs-on")
        labels = (
            []
            if runner is None
            else [runner.value]
            if runner.kind == "scalar"
            else [n.value for n in runner.items]
        )
        labels = [_filled(label, row) for label in labels]
        hosted = any(_HOSTED.match(label) for label in labels) and "self-hosted" not in labels
        fresh = "a hosted runner begins empty" if hosted else None
        container = self.job.get("container")
        image = None
        if container is not None:
            image = container.value if container.kind == "scalar" else container.text("image")
        variables = {**_variables(self.root.get("env"), row), **_variables(self.job.get("env"), row)}
        directory = self._directory(self.job, row)
        return Place(
            job,
            tuple(limit for limit in limits if limit is not None),
            branches,
            "" if at_once else self.name,
            Agent(image, {}, fresh, fresh, architecture=architecture_of(labels), hosted=hosted),
            variables,
            directory,
        )

    def _directory(self, node: Node, row: Values) -> str | None:
        for each in (node, self.root):
            defaults = each.get("defaults")
            run = defaults.get("run") if defaults is not None else None
            text = run.text("working-directory") if run is not None else None
            if text is not None:
                return _below(_filled(text, row))
        return ""

    def _step(self, step: Node, place: Place, row: Values) -> list[Step | Action]:
        timeout = step.get("timeout-minutes")
        limit = _limit(timeout, row) if timeout is not None else None
        if limit is not None:
            place = replace(place, timeouts=(*place.timeouts, limit))
        own = step.text("working-directory")
        if own is not None:
            place = replace(place, directory=_below(_filled(own, row)))
        place = replace(place, variables={**place.variables, **_variables(step.get("env"), row)})
        spans: tuple[tuple[int, int], ...] = ((step.line, step.end_line),)
        run, uses = step.get("run"), step.text("uses") or ""
        if run is not None and run.kind == "scalar":
            return [Step(_substituted(script_of(run), row), spans, place)]
        with_ = step.get("with")

        def given(name: str) -> str:
            return _known(
                _filled((with_.text(name) if with_ is not None else None) or "", row), place.variables
            )

        name, _, version = uses.partition("@")
        line = step.get("uses") or step
        spans = ((line.line, step.end_line), *spans)
        if uses.startswith("./"):
            return self._composite(uses, line, given, place)
        own_id = step.text("id")
        if name == "docker/metadata-action" and own_id is not None:
            output = f"steps.{own_id}.outputs"
            row[f"{output}.tags"] = "\n".join(tags_of(given("images"), _unknown(f"{output}.version")))
        words = command_of(name, version, given)
        if words is not None:
            return [Action(words, spans, place)]
        again = retried(name, given)
        command = with_.get("command") if with_ is not None else None
        if again is not None and command is not None:
            if again[1]:
                where = with_.get(again[2].partition(":")[0]) if with_ is not None else None
                limit = Timeout(again[1], (where or line).line, again[2], "github", again[3])
                place = replace(place, timeouts=(*place.timeouts, limit))
            place = replace(place, attempts=tried(place.attempts, again[3]))
            return [Step(_substituted(script_of(command), row), spans, place)]
        image = uses.removeprefix("docker://")
        if image != uses and "kaniko" in image and with_ is not None:
            args = _filled(with_.text("args") or "", row)
            words = ("docker", "run", image, *args.split()[:200])
            return [Action(words, spans, place)]
        if image == uses and may_push(name):
            self.around.not_followed(f"the action {uses}", line)
        return []

    def _composite(
        self, uses: str, line: Node, given: Callable[[str], str], place: Place
    ) -> list[Step | Action]:
        """The steps of an action of this repository, in the line that uses it."""
        folder = posixpath.normpath(uses)
        for name in ("action.yml", "action.yaml"):
            roots = self.around.roots(f"{folder}/{name}", line)
            if roots:
                break
        else:
            self.around.not_followed(f"the action {uses}", line)
            return []
        steps = _at(roots[0], "runs", "steps")
        if steps is None:
            self.around.not_followed(f"the action {uses}", line)
            return []
        inputs = _inputs(roots[0].get("inputs"), None, {}, {})
        inputs.update({key: given(key.removeprefix("inputs_")) or value for key, value in inputs.items()})
        found: list[Step | Action] = []
        self.around.deep += 1
        for step in steps.items:
            if step.kind == "mapping" and len(found) <= _MAX_STEPS:
                found += self._step(step, place, inputs)
        self.around.deep -= 1
        return found

    def _matrix(self) -> tuple[list[Values], bool]:
        """The values of each run, under the names that `_filled` gives them, and whether they run at once."""
        strategy = self.job.get("strategy")
        matrix = strategy.get("matrix") if strategy is not None else None
        if strategy is None or matrix is None:
            return [{}], True
        at_once = strategy.text("max-parallel") != "1"
        if matrix.kind != "mapping":
            return [{"?": None}], at_once
        axes: list[tuple[str, list[str | None]]] = []
        for name, _, value in matrix.entries():
            if name in ("include", "exclude"):
                continue
            known = value.kind == "sequence"
            axes.append(
                (name, [n.value if n.kind == "scalar" else None for n in value.items] if known else [None])
            )
        rows: list[Values] = []
        for values in product(*(values for _, values in axes)) if axes else ():
            if len(rows) >= _MAX_JOBS:
                break
            rows.append({f"matrix_{name}": value for (name, _), value in zip(axes, values, strict=True)})
        exclude = matrix.get("exclude")
        for entry in exclude.items if exclude is not None and exclude.kind == "sequence" else ():
            out = {f"matrix_{k}": v.value for k, _, v in entry.entries() if v.kind == "scalar"}
            rows = [row for row in rows if not out or any(row.get(k) != v for k, v in out.items())]
        include = matrix.get("include")
        for entry in include.items if include is not None and include.kind == "sequence" else ():
            row: Values = {
                f"matrix_{k}": v.value if v.kind == "scalar" else None for k, _, v in entry.entries()
            }
            fits = [r for r in rows if all(r[k] == v for k, v in row.items() if k in r)]
            if fits and any(k in fits[0] for k in row):
                for each in fits:
                    each.update(row)
            elif len(rows) < _MAX_JOBS:
                rows.append(row)
        return rows or [{}], at_once


def _at(node: Node, *keys: str) -> Node | None:
    found: Node | None = node
    for key in keys:
        found = found.get(key) if found is not None and found.kind == "mapping" else None
    return found


def _inputs(declared: Node | None, with_: Node | None, row: Values, variables: Values) -> Values:
    """What a called workflow or an action is given, its defaults where nothing is; None where that is not known."""
    found: Values = {}
    for name, _, spec in islice(declared.entries(), 500) if declared is not None else ():
        found[f"inputs_{name}"] = (spec.text("default") if spec.kind == "mapping" else None) or ""
    for name, _, value in (
        islice(with_.entries(), 500) if with_ is not None and with_.kind == "mapping" else ()
    ):
        text = _known(_filled(value.value, row), variables)
        found[f"inputs_{name}"] = None if "$" in text else text
    return found


def _limit(node: Node, row: Values) -> Timeout | None:
    text = _filled(node.value, row)
    if not re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", text) or not float(text):
        return None
    return Timeout(float(text) * 60, node.line, f"timeout-minutes: {text}", "github")


def _variables(node: Node | None, row: Values) -> Values:
    found: Values = {}
    for name, _, value in islice(node.entries(), 500) if node is not None and node.kind == "mapping" else ():
        text = _filled(value.value, row) if value.kind == "scalar" else ""
        found[name] = None if "$" in text or value.kind != "scalar" else text
    return found


def _below(path: str) -> str | None:
    path = path.removeprefix("${GITHUB_WORKSPACE}").strip("/") if path.startswith("${GITHUB") else path
    if path.startswith("/") or "$" in path or ".." in path.split("/"):
        return None
    return path.removeprefix("./").strip("/")


def _unknown(expression: str) -> str:
    """A shell variable that nobody knows: the same for the same expression, another one for another."""
    name = re.sub(r"\W+", "_", expression[:80]).strip("_")
    if name != expression.replace(".", "_"):
        name = f"{name}_{crc32(expression.encode()):08x}"  # `a-b` and `a_b` are two
    return f"${{{name if name[:1].isalpha() else f'expression_{name}'}}}"


def _filled(text: str, row: Values) -> str:
    """Expressions by what is known of them, else as a shell variable that nobody knows."""

    def value(match: re.Match[str]) -> str:
        inner = match[1].strip()
        scope, _, name = inner.partition(".")
        if scope == "matrix" and re.fullmatch(r"[\w-]+", name):
            known = row.get(f"matrix_{name}")
            return known if known is not None else _unknown(inner)
        if scope == "inputs" and f"inputs_{name}" in row:
            given = row[f"inputs_{name}"]
            return given if given is not None else _unknown(inner)
        if scope == "steps" and row.get(inner):
            return row[inner] or ""
        if inner == "github.workspace":
            return "${GITHUB_WORKSPACE}"
        if scope == "env" and name.isidentifier():
            return f"${{{name}}}"
        return _unknown(inner)

    return _EXPRESSION.sub(value, text) if "${{" in text else text


def _known(text: str, variables: Mapping[str, str | None]) -> str:
    """An input with the variables of the environment by their values, which no shell puts in."""
    for _ in range(3):
        text = _ENVIRONMENT.sub(lambda match: variables.get(match[1]) or match[0], text)
    return text


def _substituted(script: Text, row: Values) -> Text:
    """The expressions of a script filled in, line by line, so that each line stays known."""
    if "${{" not in script.text:
        return script
    lines: list[str] = []
    breaks: list[tuple[int, int]] = []
    offset = size = 0
    for line in script.text.split("\n"):
        breaks.append((size, script.line(offset)))
        offset += len(line) + 1
        lines.append(_filled(line, row))
        size += len(lines[-1]) + 1
    return Text("\n".join(lines), tuple(breaks))
