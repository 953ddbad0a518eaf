"""What Groovy's methods and properties of texts, lists and maps give, as far as pipelines use them."""

from __future__ import annotations

import re
from collections.abc import Callable

from imgopt.pipelines.groovy_values import (
    LONGEST_TEXT,
    MOST_VALUES,
    Closure,
    Either,
    Unknown,
    Value,
    fitting,
    joined,
    shown,
    text_or_none,
    truth,
)

Run = Callable[..., Value]
_SPACE = r"\s+"


def member(value: Value, name: str) -> Value:
    """``value.name``"""
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list):
        if name in ("length", "size"):
            return len(value)
        return [member(each, name) for each in value]  # Groovy spreads it
    if isinstance(value, str) and name in ("length", "size"):
        return len(value)
    return None if value is None else Unknown(f"has a {name} that is not followed")


def element(value: Value, index: Value) -> Value:
    """``value[index]``"""
    if isinstance(index, Unknown):
        return index
    if isinstance(index, Either):
        return _of_each(value, index)
    if isinstance(value, dict):
        key = text_or_none(index)
        return value.get(key) if key is not None else None
    if isinstance(value, list | str):
        if isinstance(index, int):
            return value[index] if -len(value) <= index < len(value) else None
        if isinstance(index, list) and all(isinstance(each, int) for each in index):
            picked = [
                value[each] for each in index if isinstance(each, int) and -len(value) <= each < len(value)
            ]
            return "".join(map(str, picked)) if isinstance(value, str) else list(picked)
    return None if value is None else Unknown("is an element that is not followed")


def _of_each(value: Value, index: Either) -> Value:
    """What a choice picks from a map; where nothing is there for one of them, what is for the others."""
    found: Value = None
    for option in index.options:
        found = joined(found, element(value, option), index.which)
    return found


def called(value: Value, name: str, given: list[Value], run: Run, choice: Callable[[], int]) -> Value:
    """``value.name(given)``, ``run`` calling closures."""
    if isinstance(value, dict):
        return _of_map(value, name, given, run, choice)
    if isinstance(value, list):
        return _of_list(value, name, given, run, choice)
    if isinstance(value, str):
        return _of_text(value, name, given, run)
    if isinstance(value, int) and name in ("toString", "toInteger", "intValue"):
        return str(value) if name == "toString" else value
    if value is None:
        return None
    if name in ("toString", "toBoolean"):
        return shown(value)
    return Unknown(f"is asked for {name}(), which is not followed")


def _closure(given: list[Value]) -> Value:
    return next((each for each in given if isinstance(each, Closure)), None)


def bound(closure: Value, key: str, value: Value) -> tuple[Value, ...]:
    """What a closure gets of an entry of a map: both where it takes two, else the entry."""
    if isinstance(closure, Closure) and len(closure.block.params) > 1:
        return (key, value)
    return ({"key": key, "value": value},)


def of_element(closure: Closure, each: Value) -> tuple[Value, ...]:
    """What a closure gets of an element of a list: its parts where it takes several."""
    if isinstance(each, list) and len(closure.block.params) > 1:
        return tuple(each)
    return (each,)


def _of_map(
    value: dict[str, Value], name: str, given: list[Value], run: Run, choice: Callable[[], int]
) -> Value:
    closure = _closure(given)
    entries = list(value.items())[:MOST_VALUES]
    if name in ("get", "getAt", "getOrDefault"):
        found = element(value, given[0]) if given else None
        return given[1] if found is None and len(given) > 1 else found
    if name in ("keySet", "keys"):
        return list(value)
    if name == "values":
        return list(value.values())
    if name == "entrySet":
        return [{"key": key, "value": each} for key, each in entries]
    if name in ("size", "length"):
        return len(value)
    if name == "isEmpty":
        return not value
    if name == "containsKey":
        key = text_or_none(given[0]) if given and not isinstance(given[0], Either) else None
        return key in value if key is not None else Unknown("is a condition that is not known")
    if name in ("put", "putAt") and len(given) == 2:
        key = text_or_none(given[0])
        if key is not None and len(value) < MOST_VALUES:
            value[key] = fitting(value, given[1])
        return None
    if name == "putAll" and given and isinstance(given[0], dict):
        value.update({key: fitting(value, each) for key, each in given[0].items()})
        return None
    if name in ("plus",) and given and isinstance(given[0], dict):
        return {**value, **given[0]}
    if name in ("subMap",) and given and isinstance(given[0], list):
        return {str(key): value[str(key)] for key in given[0] if str(key) in value}
    if name in ("sort", "toSorted", "clone", "asImmutable"):
        return value
    if closure is None:
        return Unknown(f"is asked for {name}(), which is not followed")
    if name in ("findAll", "grep"):
        return {
            key: each for key, each in entries if truth(run(closure, *bound(closure, key, each))) is not False
        }
    if name == "find":
        for key, each in entries:
            if truth(run(closure, *bound(closure, key, each))) is not False:
                return {"key": key, "value": each}
        return None
    results = [run(closure, *bound(closure, key, each)) for key, each in entries]
    return _made(name, [{"key": key, "value": each} for key, each in entries], results, value)


def _made(name: str, elements: list[Value], results: list[Value], value: Value) -> Value:
    if name in ("collect", "collectMany"):
        if name == "collectMany":
            return [part for each in results if isinstance(each, list) for part in each][:MOST_VALUES]
        return results
    if name == "collectEntries":
        made: dict[str, Value] = {}
        for result in results:
            if isinstance(result, dict):
                made.update(result)
            elif (
                isinstance(result, list) and len(result) == 2 and (key := text_or_none(result[0])) is not None
            ):
                made[key] = result[1]
        return made
    if name in ("any", "every"):
        holds = [truth(each) for each in results]
        decided = name == "any"
        if decided in holds:
            return decided
        return not decided if None not in holds else Unknown("is a condition that is not known")
    if name in ("each", "eachWithIndex", "reverseEach"):
        return value
    if name == "groupBy":
        groups: dict[str, Value] = {}
        for element_, result in zip(elements, results, strict=True):
            key = text_or_none(result)
            if key is None:
                return Unknown("is grouped by what is not known")
            group = groups.setdefault(key, [])
            if isinstance(group, list):
                group.append(element_)
        return groups
    return Unknown(f"is asked for {name}(), which is not followed")


def _of_list(value: list[Value], name: str, given: list[Value], run: Run, choice: Callable[[], int]) -> Value:
    closure = _closure(given)
    plain: list[Value] = [each for each in given if not isinstance(each, Closure)]
    if name in ("add", "push", "leftShift", "addAll", "plus"):
        added = (
            plain[-1:]
            if name != "addAll"
            else (plain[-1] if plain and isinstance(plain[-1], list) else plain[-1:])
        )
        if name == "plus":
            return [*value, *(plain[0] if plain and isinstance(plain[0], list) else plain)][:MOST_VALUES]
        value += [fitting(value, each) for each in added][: max(0, MOST_VALUES - len(value))]
        return True
    if name in ("size", "length"):
        return len(value)
    if name == "isEmpty":
        return not value
    if name in ("get", "getAt"):
        return element(value, plain[0]) if plain else None
    if name in ("first", "head"):
        return value[0] if value else None
    if name == "last":
        return value[-1] if value else None
    if name in ("tail", "drop"):
        count = plain[0] if plain and isinstance(plain[0], int) else 1
        return value[count:]
    if name == "take":
        return value[: plain[0]] if plain and isinstance(plain[0], int) else value
    if name == "join":
        texts = [shown(each) for each in value]
        by = text_or_none(plain[0]) if plain else ""
        unknown = next((each for each in texts if isinstance(each, Unknown)), None)
        text = (by or "").join(map(str, texts))
        return unknown or (text if len(text) <= LONGEST_TEXT else Unknown("is a very long text"))
    if name in ("contains", "containsAll"):
        if any(isinstance(each, Unknown | Either) for each in (*value, *plain)) or not plain:
            return Unknown("is a condition that is not known")
        return plain[0] in value if name == "contains" else all(each in value for each in _listed(plain[0]))
    if name in (
        "reverse",
        "toList",
        "asList",
        "clone",
        "asImmutable",
        "flatten",
        "unique",
        "toSet",
        "toUnique",
        "iterator",
    ):
        return _rearranged(value, name)
    if name in ("sort", "toSorted"):
        return (
            sorted(value, key=str)
            if closure is None and all(isinstance(each, str) for each in value)
            else value
        )
    if name in ("minus", "removeAll") and plain:
        return [each for each in value if each not in _listed(plain[0])]
    if name == "remove" and plain:
        gone = plain[0]
        if isinstance(gone, int) and 0 <= gone < len(value):
            return value.pop(gone)
        if gone in value:
            value.remove(gone)
        return True
    if name == "collate" and plain and isinstance(plain[0], int) and plain[0] > 0:
        return [value[at : at + plain[0]] for at in range(0, len(value), plain[0])]
    if name == "toString":
        return shown(value)
    if name in ("findAll", "grep") and closure is None:
        return [each for each in value if truth(each) is not False]
    if not isinstance(closure, Closure):
        return Unknown(f"is asked for {name}(), which is not followed")
    return _with_closure(value, name, closure, plain, run, choice)


def _with_closure(
    value: list[Value], name: str, closure: Closure, plain: list[Value], run: Run, choice: Callable[[], int]
) -> Value:
    elements = value[:MOST_VALUES]
    if name in ("findAll", "removeIf", "retainAll", "takeWhile"):
        keep = name != "removeIf"
        return [
            each for each in elements if truth(run(closure, *of_element(closure, each))) is not (not keep)
        ]
    if name in ("find", "findResult"):
        found: Value = None
        for each in elements:
            result = run(closure, *of_element(closure, each))
            holds = truth(result)
            if holds:
                return each if name == "find" and found is None else (found if name == "find" else result)
            if holds is None:
                found = each if found is None else found
        return found
    if name == "inject":
        total = plain[0] if plain else (elements[0] if elements else None)
        for each in elements if plain else elements[1:]:
            total = run(closure, total, each)
        return total
    if name == "sort":
        return value
    if name == "eachWithIndex" or (name == "withIndex"):
        results = [run(closure, each, number) for number, each in enumerate(elements)]
    else:
        results = [run(closure, *of_element(closure, each)) for each in elements]
    return _made(name, elements, results, value)


def _listed(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _rearranged(value: list[Value], name: str) -> Value:
    if name == "reverse":
        return value[::-1]
    if name == "flatten":
        flat: list[Value] = []
        for each in value:
            flat += each if isinstance(each, list) else [each]
        return flat[:MOST_VALUES]
    if name in ("unique", "toSet", "toUnique"):
        once: list[Value] = []
        for each in value:
            if each not in once:
                once.append(each)
        return once
    return list(value)


def _of_text(value: str, name: str, given: list[Value], run: Run) -> Value:
    unknown = next((each for each in given if isinstance(each, Unknown)), None)
    if unknown is not None:
        return unknown
    texts = [text_or_none(each) or "" for each in given if not isinstance(each, Closure)]
    closure = _closure(given)
    if name in ("trim", "strip"):
        return value.strip()
    if name in ("stripIndent", "stripMargin"):
        return _unindented(value) if name == "stripIndent" else re.sub(r"(?m)^[ \t]*\|", "", value)
    if name in ("toLowerCase", "toUpperCase", "capitalize", "toString", "intern", "normalize"):
        changed = {
            "toLowerCase": value.lower(),
            "toUpperCase": value.upper(),
            "capitalize": value[:1].upper() + value[1:],
        }
        return changed.get(name, value)
    if name in ("split", "tokenize"):
        return _split(value, texts[0] if texts else None, pattern=name == "split")
    if name in ("readLines", "eachLine", "lines"):
        return list(value.splitlines())
    if name in ("replace", "replaceAll", "replaceFirst") and len(texts) == 2:
        return _replaced(value, name, *texts)
    if name in ("startsWith", "endsWith", "contains", "equals", "equalsIgnoreCase") and texts:
        answers = {
            "startsWith": value.startswith(texts[0]),
            "endsWith": value.endswith(texts[0]),
            "contains": texts[0] in value,
            "equals": value == texts[0],
            "equalsIgnoreCase": value.lower() == texts[0].lower(),
        }
        return answers[name]
    if name in ("isEmpty", "isBlank"):
        return not value if name == "isEmpty" else not value.strip()
    if name in ("length", "size"):
        return len(value)
    if name in ("toInteger", "toLong", "asInteger"):
        return int(value) if re.fullmatch(r"-?\d{1,11}", value.strip()) else Unknown("is not a number")
    if name == "toBoolean":
        return value.strip().lower() in ("true", "y", "1")
    if name in ("substring", "take", "drop"):
        numbers = [each for each in given if isinstance(each, int)]
        if len(numbers) == len(given) and numbers:
            if name == "take":
                return value[: numbers[0]]
            return value[numbers[0] : numbers[1] if len(numbers) > 1 and name == "substring" else None]
    if name in ("concat", "plus") and texts:
        return value + texts[0]
    if name in ("minus",) and texts:
        return value.replace(texts[0], "", 1)
    if name in ("execute", "eachMatch") or closure is not None:
        return Unknown(f"is asked for {name}(), which is not followed")
    if name in ("lastIndexOf", "indexOf") and texts:
        return value.rfind(texts[0]) if name == "lastIndexOf" else value.find(texts[0])
    return Unknown(f"is asked for {name}(), which is not followed")


def _split(value: str, by: str | None, *, pattern: bool) -> Value:
    if by is None or by in (" ", r"\s+", r"\s", r"\n", "\n", r"\r?\n"):
        parts = value.split() if by is None or by not in ("\n", r"\n", r"\r?\n") else value.split("\n")
    elif not pattern:
        parts = [each for each in re.split(f"[{re.escape(by)}]", value) if each]
    else:
        plain = _plain(by)
        if plain is None:
            return Unknown("is divided at a pattern, which is not followed")
        spaced, separator = plain
        parts = value.split(separator) if separator else list(value)
        parts = [each.strip() for each in parts] if spaced else parts
    while parts and not parts[-1]:
        parts.pop()  # as Java's split
    return list(parts[:MOST_VALUES])


def _plain(pattern: str) -> tuple[bool, str] | None:
    r"""A pattern of `split` that is one text with or without blanks around it: ``,``, ``\\|``, ``\s*,\s*``, ``[,]``."""
    spaced = False
    for blank in (r"\s*", r"\s+"):
        if pattern.startswith(blank) or pattern.endswith(blank):
            spaced = True
        pattern = pattern.removeprefix(blank).removesuffix(blank)
    if re.fullmatch(r"\[[^\]\\^]\]", pattern):
        pattern = pattern[1]
        return spaced, pattern
    if re.search(r"(?<!\\)[.*+?()\[\]{}|^$]", pattern):
        return None
    return spaced, re.sub(r"\\(.)", r"\1", pattern)


def _replaced(value: str, name: str, old: str, new: str) -> Value:
    if name == "replace":
        return value.replace(old, new)[:LONGEST_TEXT] if old else value
    plain = _plain(old)
    if plain is None or plain[0] or not plain[1]:
        kept = re.fullmatch(r"\[([^\]\\]+)\]\+?", old)
        if kept is None:
            return Unknown("is changed by a pattern, which is not followed")
        return Unknown("is changed by a pattern, which is not followed")
    return value.replace(plain[1], new, 1 if name == "replaceFirst" else -1)[:LONGEST_TEXT]


def _unindented(value: str) -> str:
    lines = value.split("\n")
    margins = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    least = min(margins, default=0)
    return "\n".join(line[least:] for line in lines)
