"""The loops of a Jenkinsfile: which values they go over."""

from __future__ import annotations

from imgopt.pipelines.blocks import Block, Item, is_name, is_punct
from imgopt.pipelines.groovy_methods import bound, of_element
from imgopt.pipelines.groovy_values import Closure, Either, Unknown, Value
from imgopt.pipelines.jenkins_statements import receiver_of
from imgopt.pipelines.jenkins_values import MAX_VALUES, Here, Values
from imgopt.pipelines.tokens import Token

#: Loops by method: their closures run once for each element.
LOOPS = frozenset(
    "each collect collectEntries collectMany eachWithIndex eachParallel reverseEach times upto".split()
)
#: What runs in one round of a loop: the values of its closure's parameters.
Round = tuple[Value, ...]


class Loops(Values):
    """Lists, maps and counts that a loop goes over."""

    def _loop(self, block: Block, place: Here) -> list[Round] | Unknown | None:
        """The rounds of a loop; none (an empty list) where its list is empty so far, None where it is no loop."""
        if block.name == "for":
            return self._for(block, place)
        if block.name not in LOOPS:
            return None
        receiver = receiver_of(block)
        if not receiver:
            return None
        value = self.value(receiver, place)
        if block.name in ("times", "upto"):
            end = self.value(block.args, place) if block.args else None
            if isinstance(value, int) and block.name == "times":
                return [(number,) for number in range(min(value, MAX_VALUES))]
            if isinstance(value, int) and isinstance(end, int):
                return [(number,) for number in range(value, min(end + 1, value + MAX_VALUES))]
            return Unknown("is a number that is not known")
        rounds = self._elements(value, block)
        if block.name == "eachWithIndex" and isinstance(rounds, list):
            return [(*each, number) for number, each in enumerate(rounds)]
        return rounds

    def _elements(self, value: Value, block: Block | None) -> list[Round] | Unknown:
        if isinstance(value, Either):
            value = max(
                value.options,
                key=lambda each: len(each) if isinstance(each, list | dict) else 0,
                default=None,
            )
        closure = Closure(block, self.root) if block is not None else None
        if isinstance(value, dict) and not {"\0env", "\0params"} & {*value}:
            return [bound(closure, key, each) for key, each in value.items()]
        if isinstance(value, list):
            if closure is not None and block is not None and block.name != "eachWithIndex":
                return [of_element(closure, each) for each in value]
            return [(each,) for each in value]
        return value if isinstance(value, Unknown) else Unknown("is not a list that is known here")

    def _for(self, block: Block, place: Here) -> list[Round] | Unknown:
        """``for (x in list)``, ``for (String x : list)``, ``for (int i = 0; i < list.size(); i++)``"""
        words = block.args
        parts = [at for at, item in enumerate(words) if is_punct(item, ";")]
        if len(parts) == 2:
            begins, condition = words[: parts[0]], words[parts[0] + 1 : parts[1]]
            equals = next((at for at, item in enumerate(begins) if is_punct(item, "=")), None)
            condition = _turned(condition)
            less = next((at for at, item in enumerate(condition) if is_punct(item, "<")), None)
            if equals is None or less is None:
                return Unknown("is counted in a way that is not followed", "a loop")
            inclusive = less + 1 < len(condition) and is_punct(condition[less + 1], "=")
            start = self.value(begins[equals + 1 :], place)
            end = self.value(condition[less + 1 + inclusive :], place)
            if isinstance(end, Either):
                end = max((each for each in end.options if isinstance(each, int)), default=None)
            if isinstance(start, int) and isinstance(end, int):
                return [(number,) for number in range(start, min(end + inclusive, start + MAX_VALUES))]
            return (
                end
                if isinstance(end, Unknown)
                else Unknown("is counted to an end that is not known", "a loop")
            )
        at = next((n for n, item in enumerate(words) if is_name(item, "in") or is_punct(item, ":")), None)
        if at is None:
            return Unknown("is written in a way that is not read", "a loop")
        return self._elements(self.value(words[at + 1 :], place), None)

    def _variables(self, block: Block) -> tuple[str, ...]:
        if block.name != "for":
            return block.params or ("it",)
        names: list[str] = []
        for item in block.args:
            if is_name(item, "in") or any(is_punct(item, each) for each in (":", "=", ";")):
                break
            if isinstance(item, Token) and item.kind == "name":
                names.append(item.text)
        return (names[-1],) if names else ()


def _turned(condition: list[Item]) -> list[Item]:
    """``list.size() > i`` as ``i < list.size()``."""
    more = next((at for at, item in enumerate(condition) if is_punct(item, ">")), None)
    if not more:
        return condition
    sign = condition[more]
    equals = (
        condition[more + 1 : more + 2]
        if any(is_punct(each, "=") for each in condition[more + 1 : more + 2])
        else []
    )
    less = Token("punct", "<", sign.line, sign.line)
    return [*condition[more + 1 + len(equals) :], less, *equals, *condition[:more]]
