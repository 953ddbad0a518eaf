"""Instructions that BuildKit parses and then refuses: a file with one of them does not build, so it is not rewritten.

The checks are those of BuildKit's instruction reader and of its COPY (0.34): numbers of arguments, flags, forms.
`check_stages` finds stages that no build can put in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from imgopt.dockerfile.document import Dockerfile, Instruction, Stage
from imgopt.dockerfile.variables import Scope, assignments, expand, scopes, variables_used
from imgopt.errors import DockerfileError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

_FLAGS = {
    "FROM": {"platform"},
    "COPY": {"from", "chown", "chmod", "link", "parents", "exclude"},
    "ADD": {"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"},
    "RUN": {"mount", "network", "security", "device"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
}


@dataclass(frozen=True)
class Fault:
    """Why the file does not build: the instruction, and what of it, as a sentence without its subject."""

    instruction: Instruction
    reason: str


def first_fault(document: Dockerfile, build_args: Mapping[str, str] | None = None) -> Fault | None:
    """The first instruction that BuildKit would refuse, or None."""
    stages = {stage.from_.number: stage for stage in document.stages}
    in_force = scopes(document, build_args or {})
    for instruction in document.instructions:
        if _is_template(instruction):
            return Fault(instruction, "has a template's {{ }}, which has to be filled in first")
        reason = next(_faults(instruction), None)
        if reason is None and instruction.number in stages:
            stage, scope = stages[instruction.number], in_force[instruction.number]
            reason = _no_image(document, stage, scope)
        if reason is not None:
            return Fault(instruction, f"{reason}; the file does not build as it is")
    return None


#: What is left of an image's name where a variable in it is empty: no engine takes it.
_NO_REFERENCE = regex(r"\s*|[:/@.-].*|.*[:/@]|.*(?://|:[.-]|[:@]{2}|/:).*")


def _no_image(document: Dockerfile, stage: Stage, scope: Scope) -> str | None:
    """Why FROM names no image: a variable that it does not see is empty there."""
    unseen = unseen_by_from(document, stage, scope)
    value = expand(stage.image.text, scope, document.escape).value
    if not unseen or value is None or _NO_REFERENCE.fullmatch(value) is None:
        return None
    return f"takes its image from {stage.image.text}, {unseen}"


def unseen_by_from(document: Dockerfile, stage: Stage, scope: Mapping[str, str | None]) -> str | None:
    """Which variable of a FROM is empty there because no ARG above the first FROM declares it, and what to do."""
    for name in variables_used(stage.image.text, document.escape):
        if name in scope or re.search(rf"\$\{{{name}:?[-+?]", stage.image.text):
            continue
        below = any(
            assignment.name == name
            for instruction in document.instructions
            if instruction.keyword == "ARG" and instruction not in document.global_args
            for assignment in assignments(instruction)
        )
        if below:
            return f"and {name} is empty there, because FROM does not see an ARG that stands below the first FROM: move it above"
        return f"and {name} is empty there, because no ARG above the first FROM declares it"
    return None


def _is_template(instruction: Instruction) -> bool:
    """``{{ x }}`` where a template engine would fill it in; a command may have such text in quotes for itself."""
    text = instruction.text
    if instruction.keyword in ("RUN", "HEALTHCHECK", "CMD", "ENTRYPOINT", "ONBUILD"):
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    return re.search(r"\{\{.*\}\}", text) is not None


def _faults(instruction: Instruction) -> Iterator[str]:
    keyword, words = instruction.keyword, instruction.words
    known = _FLAGS.get(keyword, set())
    for flag in instruction.flags:
        if flag.name not in known:
            yield f"has the flag --{flag.name}, which {keyword} does not know"
    if keyword in ("COPY", "ADD"):
        # a here-document is a source whose word stands in the line too
        if len(words) < 2:
            count = "one path" if words else "no path"
            yield f"gives {keyword} {count}; it takes a source and a destination"
        elif (
            len(words) > 2
            and not words[-1].text.strip("\"'").endswith(("/", ".", "}"))
            and ("$" not in words[-1].text)
        ):
            yield f"copies several sources to {words[-1].text}, which has to end with a slash then"
    elif keyword in ("EXPOSE", "VOLUME", "USER", "WORKDIR", "STOPSIGNAL", "ARG") and not (
        instruction.text.strip()
    ):
        yield f"gives {keyword} nothing"
    elif keyword == "HEALTHCHECK":
        kind = words[0].text.upper() if words else ""
        if kind not in ("CMD", "NONE"):
            yield f"gives HEALTHCHECK {kind or 'nothing'}; it takes CMD or NONE"
    elif keyword == "SHELL" and instruction.json is None:
        yield "gives SHELL something else than a JSON list"


def check_stages(document: Dockerfile) -> None:
    """Raises DockerfileError for stages that need each other, and for ``--from=N`` beyond the last stage."""
    names = {stage.name.lower(): stage.index for stage in document.stages if stage.name}
    needs: dict[int, set[int]] = {}
    for stage in document.stages:
        wanted = needs.setdefault(stage.index, set())
        for instruction in stage.instructions:
            flag = instruction.flag("from") if instruction.keyword in ("COPY", "ADD") else None
            if flag is None or not flag.value or "$" in flag.value:
                continue
            if flag.value.isdigit() and int(flag.value) >= len(document.stages):
                raise DockerfileError(
                    f"--from={flag.value} names a stage that is not there",
                    f"the last stage is {len(document.stages) - 1}; stages can have names (FROM ... AS name)",
                    path=document.path,
                    line=instruction.line,
                )
            number = int(flag.value) if flag.value.isdigit() else names.get(flag.value.lower())
            if number is not None:
                wanted.add(number)
        earlier = [other for other in document.stages[: stage.index] if other.name]
        parent = next(
            (o for o in reversed(earlier) if (o.name or "").lower() == stage.image.text.lower()), None
        )
        if parent is not None:
            wanted.add(parent.index)
    done: set[int] = set()
    path: list[int] = []
    todo = [(start, False) for start in needs]
    while todo:
        index, needs_done = todo.pop()
        if needs_done:
            done.add(path.pop())
        elif index in path:
            raise _circle(document, path[path.index(index) :])
        elif index not in done:
            path.append(index)
            todo += [(index, True), *((other, False) for other in needs[index])]


def _circle(document: Dockerfile, stages: list[int]) -> DockerfileError:
    names = [document.stages[index].name or str(index) for index in (*stages, stages[0])]
    return DockerfileError(
        f"stages need each other in a circle ({' -> '.join(names)})",
        "let one of them copy from a stage above it",
        path=document.path,
        line=document.stages[stages[0]].line,
    )
