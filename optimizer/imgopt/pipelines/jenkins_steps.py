"""The steps of a Jenkinsfile that run something: `sh` in all its forms, and the Docker plugin's `build` and `push`."""

from __future__ import annotations

from dataclasses import fields

from imgopt.light.records import replace
from imgopt.pipelines.blocks import Block, Item, arguments, call_arguments, is_name, is_punct
from imgopt.pipelines.groovy_text import Script, script_of
from imgopt.pipelines.groovy_values import text_or_none
from imgopt.pipelines.jenkins_values import MAX_STEPS, MAX_VARIABLES, Here, Values
from imgopt.pipelines.model import Action, Place, Step, Text
from imgopt.pipelines.tokens import Token
from imgopt.pipelines.tools import PLUGIN

_MAX_TEXT = 2_000_000  # characters of all scripts


class Steps(Values):
    """What runs, kept in the order in which it does."""

    def _shell(self, statement: list[Item], at: int, place: Here) -> None:
        given = call_arguments(statement, at)
        if not given or (at and is_punct(statement[at - 1], ".")):
            return
        positional, named = arguments(given)
        part = named.get("script") or (positional[0] if positional and not named else None)
        if not part or (at + 1 < len(statement) and is_punct(statement[at + 1], "=")):
            return
        token = statement[at]
        assert isinstance(token, Token)
        self.at = place
        script = script_of(part, self.names(place), self.machine)
        last = max((item.end_line for item in given), default=token.line)
        span = (self.line, self.line) if self.line else (token.line, last)
        self._add_script(script, span, place)

    def _add_script(self, script: Script, span: tuple[int, int], place: Here) -> None:
        for unknown in script.lacking:
            self._lacks(span, unknown.sentence)
        if not script.forms:
            for unknown in script.lacking:
                self._lacks((0, 0), f"what sh runs in line {span[0]} is not known: {unknown.sentence}")
            return
        for number, text in enumerate(script.forms):
            choices = (*place.choices, *([(script.which, number)] if script.which else []))
            said = Text(text.text, ((0, self.line),)) if self.line else text
            self._add(Step(said, (span,), replace(place, choices=choices)))

    def _lacks(self, span: tuple[int, int], sentence: str) -> None:
        if len(self.reading.lacking) < MAX_VARIABLES:
            self.reading.lacking[span, sentence] = None

    def _add(self, step: Step | Action) -> None:
        if self.silent:
            return
        self.reading.walked += 1
        if isinstance(step, Step):
            self.reading.text += len(step.script.text)
            if self.reading.text > _MAX_TEXT:
                self.reading.walked = MAX_STEPS
        if self.reading.walked < MAX_STEPS:
            place = step.place
            assert isinstance(place, Here)
            for sentence in place.unknown:
                self._lacks(step.spans[0], sentence)
            self.reading.steps.append(replace(step, place=self._plain(place)))

    def _plain(self, place: Here) -> Place:
        """With the environment that a shell gets there."""
        known = {name: each for name, each in self.environment.names.items() if name != "WORKSPACE"}
        values = {**self.machine.parameters, **known, **place.declared}
        variables = {**place.variables, **{name: text_or_none(each) for name, each in values.items()}}
        own = {each.name: getattr(place, each.name) for each in fields(Place)}
        return Place(**{**own, "variables": variables})

    def _docker_plugin(self, statement: list[Item], place: Here) -> None:
        """``def app = docker.build('name', '-f x .')`` and ``app.push('tag')``."""
        for at in range(len(statement) - 2):
            one, dot, two = statement[at : at + 3]
            if not (is_name(one) and is_punct(dot, ".") and is_name(two)):
                continue
            assert isinstance(one, Token) and isinstance(two, Token)
            if two.text not in ("build", "push", "image"):
                continue
            positional, _ = arguments(call_arguments(statement, at + 2))
            span = (self.line or one.line, self.line or two.line)
            if one.text == "docker" and two.text == "build":
                words = [self._argument_text(part, span, place) for part in positional[:2]]
                name = (words[0] if words else None) or "image"
                rest = words[1].split() if len(words) > 1 and words[1] is not None else ["."]
                full = _qualified(name, place)
                names = (full, *_set_to(statement, at))
                tags = [word for each in dict.fromkeys((name, *names)) for word in ("-t", each)]
                self._add(Action(("docker", "build", *tags, *rest), (span,), place))
                if any(is_name(item, "push") for item in statement[at + 3 : at + 60]):
                    self._add(Action(("docker", "push", full), (span,), place))
            elif one.text == "docker" and two.text == "image" and len(positional) == 1:
                image = self._argument_text(positional[0], span, place)
                if image is None:
                    continue
                full = _qualified(image, place)
                for called in _set_to(statement, at):
                    self._add(Action(("docker", "tag", full, called), (span,), place))
                if any(is_name(item, "push") for item in statement[at + 3 : at + 60]):
                    if full != image:
                        self._add(Action(("docker", "tag", image, full), (span,), place))
                    self._add(Action(("docker", "push", full), (span,), place))
            elif two.text == "push" and one.text != "docker" and len(positional) <= 1:
                runs = at + 3 < len(statement) and is_punct(statement[at + 3], "(")
                if runs and not (at and isinstance(statement[at - 1], Block)):
                    host = (place.registry,) if place.registry else ()
                    self._add(Action(("docker", "push", f"{PLUGIN}{one.text}", *host), (span,), place))

    def _argument_text(self, part: list[Item], span: tuple[int, int], place: Here) -> str | None:
        self.at = place
        script = script_of(part, self.names(place), self.machine)
        for unknown in script.lacking:
            self._lacks(span, unknown.sentence)
        return script.forms[0].text if script.forms else None


def _qualified(name: str, place: Here) -> str:
    """An image's name as the Docker plugin pushes it inside of `withRegistry`."""
    return name if not place.registry or name.startswith(f"{place.registry}/") else f"{place.registry}/{name}"


def _set_to(statement: list[Item], at: int) -> tuple[str, ...]:
    """What stands for the variable that is set to what begins there, if one is."""
    target = statement[at - 2] if at > 1 and is_punct(statement[at - 1], "=") else None
    return (f"{PLUGIN}{target.text}",) if isinstance(target, Token) else ()
