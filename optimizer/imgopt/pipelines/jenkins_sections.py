"""What stands around the steps of a Jenkinsfile: agents, environment, parameters, options, limits, locks and directories."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imgopt.light.records import replace
from imgopt.pipelines.blocks import Block, Item, arguments, call_arguments, first_string, is_name, is_punct
from imgopt.pipelines.groovy_expressions import filled
from imgopt.pipelines.groovy_values import Either, Unknown, Value, text_or_none
from imgopt.pipelines.jenkins_agents import agent_of, container, pod_of
from imgopt.pipelines.jenkins_conditions import conditions_of
from imgopt.pipelines.jenkins_values import MAX_VALUES, MAX_VARIABLES, Here, Values
from imgopt.pipelines.model import Timeout
from imgopt.pipelines.registries import host_of
from imgopt.pipelines.tokens import Token
from imgopt.pipelines.tools import ROOT, tried

_PARAMETERS = frozenset(
    "string choice booleanParam text extendedChoice password activeChoice editableChoice".split()
)
_TIMES = {
    "NANOSECONDS": 1e-9,
    "MICROSECONDS": 1e-6,
    "MILLISECONDS": 1e-3,
    "SECONDS": 1.0,
    "MINUTES": 60.0,
    "HOURS": 3600.0,
    "DAYS": 86400.0,
}


class Sections(Values):
    """Sections of a declarative block, and the calls in front of a scripted one."""

    def _sections(self, block: Block, place: Here) -> Here:
        """What ``agent``, ``environment`` and ``options`` say for all of a block, wherever they stand in it."""
        for statement in block.statements:
            if not statement or not is_name(statement[0]) or isinstance(statement[0], Block):
                continue
            name = statement[0].text
            section = next((item for item in statement if isinstance(item, Block)), None)
            if name == "agent":
                here = place

                def said(items: Sequence[Item], here: Here = here) -> str:
                    return self.text(items, here) or first_string(items)

                place = replace(
                    place, agent=agent_of(statement, section, place.agent, self.reading.read, said)
                )
                place = self._other_container(place)
            elif section is None:
                continue
            elif name == "when":
                place = replace(place, conditions=(*place.conditions, *conditions_of(section)))
            elif name == "environment":
                place = replace(place, declared={**place.declared, **self._environment(section, place)})
            elif name == "parameters":
                for parameter in section.statements:
                    self._parameter(parameter, 0, place)
            elif name == "options":
                # in which order Jenkins puts them around the steps is its own: the limit is taken to be around all attempts
                for option in sorted(
                    section.statements, key=lambda each: bool(each) and is_name(each[0], "retry")
                ):
                    place = self._option(option, place)
        return place

    def _other_container(self, place: Here) -> Here:
        anew = place.anew or place.attempts > 1
        return replace(place, container=f"agent {self.reading.group()}", loop=0, anew=anew)

    def _environment(self, section: Block, place: Here) -> dict[str, Value]:
        known: dict[str, Value] = {}
        for statement in section.statements[:MAX_VARIABLES]:
            if len(statement) > 2 and is_punct(statement[1], "=") and isinstance(statement[0], Token):
                inside = replace(place, declared={**place.declared, **known})
                value = self.value(statement[2:], inside)
                known[statement[0].text] = (
                    value.named(statement[0].text) if isinstance(value, Unknown) else value
                )
        return known

    def _parameter(self, statement: list[Item], at: int, place: Here) -> None:
        """``choice(name: 'MODULE', choices: ['a', 'b'])`` and its like: the choices, or what is given usually."""
        kind = statement[at]
        if not isinstance(kind, Token) or kind.text not in _PARAMETERS or not self.machine.spend(100):
            return
        _, named = arguments(call_arguments(statement, at))
        name = self.text(named.get("name", []), place)
        if not name or len(self.machine.parameters) > MAX_VARIABLES:
            return
        usual = self.value(named["defaultValue"], place) if "defaultValue" in named else None
        choices = self.value(named["choices"], place) if "choices" in named else None
        if isinstance(choices, str):
            choices = [each.strip() for each in choices.split("\n") if each.strip()]
        which = self.machine.choice()
        value: Value = Unknown("is given when the build is started", f"params.{name}", given=True)
        if isinstance(choices, list) and choices and not any(isinstance(each, Unknown) for each in choices):
            value = Either(tuple(choices[:MAX_VALUES]), which)
        elif isinstance(usual, bool):
            value = Either((usual, not usual), which)
        elif isinstance(usual, str | int):
            value = Either((usual,), which, open=True)
        self.machine.parameters[name] = value

    def _option(self, option: list[Item], place: Here) -> Here:
        if option and isinstance(option[0], Token):
            if option[0].text == "timeout":
                return self._limited(place, call_arguments(option, 0), option[0].line)
            if option[0].text == "retry":
                return self._tried(place, call_arguments(option, 0))
            if option[0].text == "lock":
                return replace(place, lock=self._lock(call_arguments(option, 0), place) or place.lock)
        return place

    def _limited(self, place: Here, given: list[Item], line: int) -> Here:
        positional, named = arguments(given)
        number = (self.text(named.get("time") or (positional[0] if positional else []), place) or "").replace(
            "_", ""
        )
        unit = self.text(named.get("unit", []), place) or "MINUTES"
        activity = any(is_name(item, "true") for item in named.get("activity", []))
        if activity or not re.fullmatch(r"\d{1,9}", number) or unit.upper() not in _TIMES:
            return place
        shown = f"timeout(time: {number}, unit: '{unit}')"
        seconds = int(number) * _TIMES[unit.upper()]
        limit = Timeout(seconds, self.line or line, shown, "jenkins", place.attempts)
        return replace(place, timeouts=(*place.timeouts, limit)) if seconds > 0 else place

    def _tried(self, place: Here, given: Sequence[Item]) -> Here:
        """``retry(3)``, ``retry(count: 3, …)``"""
        positional, named = arguments(list(given))
        value = self.value(named.get("count") or (positional[0] if positional else []), place)
        count = value if isinstance(value, int) and 1 < value < 100 else 1
        return replace(place, attempts=tried(place.attempts, count))

    def _lock(self, given: list[Item], place: Here) -> str:
        """The name of a lock, "" where it is not known: it may be another one for each."""
        positional, named = arguments(given)
        part = named.get("resource") or named.get("label") or (positional[0] if positional else [])
        return self.text(part, place) or ""

    def _entered(self, block: Block, place: Here) -> Iterator[Here]:
        """What the call in front of a block means for what stands in it; once for each of several directories."""
        positional, named = arguments(block.args)
        first = self.value(positional[0], place) if positional else None
        text = text_or_none(first)
        if block.name == "timeout":
            yield self._limited(place, block.args, block.line)
        elif block.name == "retry":
            yield self._tried(place, block.args)
        elif block.name == "stage" and text:
            yield replace(place, job=f"{place.job}/{text}")
        elif block.name == "node" and text:
            yield self._other_container(place)
        elif block.name == "withRegistry":
            yield replace(place, registry=host_of(text or self.text(named.get("url", []), place) or ""))
        elif block.name == "dir":
            if "path" in named:
                first = self.value(named["path"], place)
            if isinstance(first, Unknown):
                place = replace(place, unknown=(*place.unknown, first.sentence))
            options = first.options if isinstance(first, Either) and not self.silent else (first,)
            for number, option in enumerate(options):
                which = first.which if isinstance(first, Either) and len(options) > 1 else 0
                choices = (*place.choices, *([(which, number)] if which else []))
                yield replace(place, directory=_below(place.directory, text_or_none(option)), choices=choices)
        elif block.name == "withEnv":
            yield replace(place, declared={**place.declared, **self._with_env(block.args, place)})
        elif block.name == "lock":
            yield replace(place, lock=self._lock(block.args, place) or place.lock)
        elif block.name == "container":
            name = text or self.text(named.get("name", []), place)
            image = place.agent.containers.get(name or "")
            inside = f"{place.container.partition('/')[0]}/{name or f'?{self.reading.group()}'}"
            yield replace(place, agent=replace(place.agent, image=image), container=inside)
        elif block.name == "podTemplate":
            yield self._other_container(replace(place, agent=pod_of(block, place.agent)))
        elif block.name == "inside":
            image = next(
                (
                    text_or_none(filled(item, self.names(place), self.machine)[0])
                    for item in block.header
                    if isinstance(item, Token) and item.kind == "string"
                ),
                None,
            )
            mounted = "docker.sock" in (text or "")
            yield self._other_container(replace(place, agent=container(image, text or "", mounted)))
        else:
            yield place

    def _with_env(self, items: Sequence[Item], place: Here) -> dict[str, Value]:
        found: dict[str, Value] = {}
        value = self.value(items, place)
        for each in value if isinstance(value, list) else []:
            if isinstance(text := text_or_none(each), str) and "=" in text:
                name, _, known = text.partition("=")
                found[name] = known
        for item in items:  # those whose values are not known
            if isinstance(item, Token) and item.kind == "string" and "=" in item.text:
                name = item.text.partition("=")[0]
                found.setdefault(name, Unknown("is set to what is not known", name))
        return found


def _below(directory: str | None, path: str | None) -> str | None:
    if path is not None and path.startswith(ROOT):
        return path.removeprefix(ROOT).strip("/")
    if directory is None or not path or path.startswith("/") or "$" in path:
        return None
    return f"{directory}/{path}".strip("/") if path != "." else directory
