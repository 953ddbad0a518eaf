"""A GitHub workflow as steps: jobs with their runners, matrix, timeouts, ``run`` scripts and Docker's actions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product

from imgopt.pipelines.gitlab import MAX_TEXT, images_in, script_of
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
from imgopt.pipelines.yaml_tree import Node, documents

_EXPRESSION = re.compile(r"\$\{\{(.{0,400}?)\}\}", re.DOTALL)
_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_]\w*)\}")
_HOSTED = re.compile(r"(?:ubuntu|windows|macos)-[\w.-]+$")
_MAX_JOBS = 64
_MAX_STEPS = 1_000

Values = dict[str, str | None]


def read(text: str, path: str) -> tuple[list[Step | Action], list[ImageUse], bool]:
    """Steps, images that are named, and whether there was more than is looked at. InputError when it is no YAML."""
    steps: list[Step | Action] = []
    images: list[ImageUse] = []
    for root in documents(text, path):
        jobs = root.get("jobs") if root.kind == "mapping" else None
        if jobs is None or jobs.kind != "mapping":
            continue
        levels = _levels(jobs)
        for name, key, job in jobs.entries():
            if job.kind == "mapping" and len(steps) <= _MAX_STEPS:
                steps += _Job(root, name, key, job, levels.get(name, 0)).steps()
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

    def steps(self) -> list[Step | Action]:
        listed = self.job.get("steps")
        if listed is None:
            return []
        rows, at_once = self._matrix()
        found: list[Step | Action] = []
        size = 0
        for number, row in enumerate(rows):
            if size > MAX_TEXT:
                break
            branches: tuple[Branch, ...] = (Branch(self.level, self.name),)
            if len(rows) > 1:
                branches = (*branches, Branch(1_000 + self.level, " ".join(filter(None, row.values()))))
            place = self._place(f"{self.name}#{number}", branches, row, at_once)
            for step in listed.items:
                if step.kind == "mapping" and len(found) <= _MAX_STEPS:
                    new = self._step(step, place, row)
                    size += sum(len(each.script.text) for each in new if isinstance(each, Step))
                    found += new
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
        spans = ((step.line, step.end_line),)
        run, uses = step.get("run"), step.text("uses") or ""
        if run is not None and run.kind == "scalar":
            return [Step(_substituted(script_of(run), row), spans, place)]
        with_ = step.get("with")

        def given(name: str) -> str:
            return _known(
                _filled((with_.text(name) if with_ is not None else None) or "", row), place.variables
            )

        if uses.startswith("docker/build-push-action@") and with_ is not None:
            line = step.get("uses")
            assert line is not None
            return [Action(_build_push(given), ((line.line, step.end_line), *spans), place)]
        image = uses.removeprefix("docker://")
        if image != uses and "kaniko" in image and with_ is not None:
            args = _filled(with_.text("args") or "", row)
            words = ("docker", "run", image, *args.split()[:200])
            return [Action(words, spans, place)]
        return []

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


def _limit(node: Node, row: Values) -> Timeout | None:
    text = _filled(node.value, row)
    if not re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", text) or not float(text):
        return None
    return Timeout(float(text) * 60, node.line, f"timeout-minutes: {text}", "github")


def _build_push(given: Callable[[str], str], *, by_default: bool = False) -> tuple[str, ...]:
    """docker/build-push-action's inputs as the command that they stand for. Its default context is the repository at
    GitHub. ``by_default``: pushed where nothing is said, as by the first version of the action."""
    words = ["docker", "buildx", "build"]
    for name, input_ in (("file", "file"), ("file", "dockerfile"), ("target", "target")):
        if given(input_):
            words += [f"--{name}", given(input_)]
    if _may_be(given("push") or ("true" if by_default else "")):
        words.append("--push")
    for name in _split(r"[\n,]", given("tags")):
        repository = given("repository")  # of the first version: tags are tags alone
        host = f"{given('registry')}/" if repository and given("registry") else ""
        words += ["--tag", f"{host}{repository}:{name}" if repository else name]
    for name in _split(r"[\s,]+", given("platforms")):
        words += ["--platform", name]
    for input_, flag in (
        ("build-args", "build-arg"),
        ("build_args", "build-arg"),
        ("outputs", "output"),
        ("attests", "attest"),
    ):
        for value in _split(r"\n", given(input_)):
            words += [f"--{flag}", value]
    for input_ in ("provenance", "sbom"):
        if given(input_):
            words.append(f"--{input_}={given(input_)}")
    return (*words, given("context") or given("path") or ".")


def _split(pattern: str, text: str) -> list[str]:
    return [each.strip() for each in re.split(pattern, text) if each.strip()][:50]


def _may_be(text: str) -> bool:
    """Whether an input is true, or a condition that may be."""
    return text.strip().lower() == "true" or "$" in text


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


def _filled(text: str, row: Values) -> str:
    """Expressions by what is known of them, else as a shell variable that nobody knows."""

    def value(match: re.Match[str]) -> str:
        inner = match[1].strip()
        scope, _, name = inner.partition(".")
        if scope == "matrix" and re.fullmatch(r"[\w-]+", name):
            known = row.get(f"matrix_{name}")
            return known if known is not None else "${expression}"
        if inner == "github.workspace":
            return "${GITHUB_WORKSPACE}"
        if scope == "env" and name.isidentifier():
            return f"${{{name}}}"
        return "${expression}"

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
