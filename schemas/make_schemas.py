"""Writes the JSON schemas of this folder (`make schemas`): of what `imgopt suggest`, `compare`, `gate` and `fleet` print
with `--format json`, and of `imgopt.toml`.

What is one of several words comes from the code: levels, bases, kinds of reasons, budgets, keys of the configuration, ids of
rules. How objects are nested stands here, and in suggest.schema.json for what all of them share; no object takes a field
that is not named, and the tests hold real output against them, so that a new field has to be written down.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

ROOT = Path(__file__).resolve().parent.parent
for source in ("optimizer", "rules"):
    sys.path.insert(0, str(ROOT / source))

from imgopt import config, finding, options, scales  # noqa: E402
from imgopt.comparison.behaviour import VerdictOfAll  # noqa: E402
from imgopt.fleet.figures import COLUMNS  # noqa: E402
from imgopt.gate.budgets import FORBIDDEN, NAMES, OF_FLEETS, Unit  # noqa: E402
from imgopt.scales import Applicability, Severity  # noqa: E402
from imgopt_rules import EVERY_RULE  # noqa: E402

HERE = Path(__file__).resolve().parent
DRAFT = "https://json-schema.org/draft/2020-12/schema"
PAGES = "https://raw.githubusercontent.com/imgopt/imgopt/main/schemas"
Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
TEXT: Schema = {"type": ["string", "null"]}
TRUTH: Schema = {"type": "boolean"}
PERHAPS: Schema = {"type": ["boolean", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
BYTES: Schema = {"type": ["integer", "null"], "minimum": 0}
SECONDS: Schema = {"type": ["number", "null"], "minimum": 0}
STRINGS: Schema = {"type": "array", "items": STRING}
ANY: Schema = {}


def one_of(words: Any) -> Schema:
    return {"enum": list(words)}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    return {"oneOf": [{"type": "null"}, schema]}


def named(items: Schema) -> Schema:
    return {"type": "object", "additionalProperties": items}


def fields(optional: dict[str, Schema] | None = None, **needed: Schema) -> Schema:
    """An object with these fields and no other."""
    return {
        "type": "object",
        "required": list(needed),
        "properties": {**needed, **(optional or {})},
        "additionalProperties": False,
    }


BASIS = one_of(get_args(scales.Basis))


def suggest() -> Schema:
    """As it stands, with the words that the code has today."""
    document: Schema = json.loads((HERE / "suggest.schema.json").read_text(encoding="utf-8"))
    document["required"] = ["schema_version", "tool", "errors"]
    # where nothing could be looked at, only the errors are said
    document["anyOf"] = [{"required": ["files"]}, {"properties": {"errors": {"minItems": 1}}}]
    found = document["$defs"]
    found["basis"] = BASIS
    found["applicability"] = one_of(each.label for each in sorted(Applicability, reverse=True))
    found["reason"]["properties"]["kind"] = one_of(get_args(finding.Kind))
    found["finding"]["properties"]["severity"] = one_of(each.value for each in Severity)
    return {"$schema": DRAFT, "$id": f"{PAGES}/suggest.schema.json", **document}


def _envelope(title: str, shared: tuple[str, ...], defs: dict[str, Schema], body: list[Schema]) -> Schema:
    """A document of one of several bodies, each with what every command's object begins with."""
    of_suggest = suggest()
    begin = {name: of_suggest["properties"][name] for name in ("schema_version", "tool", "errors")}
    for each in body:
        each["properties"] = {**begin, **each["properties"]}
        each["required"] = [*begin, *each["required"]]
    known = of_suggest["$defs"]
    return {
        "$schema": DRAFT,
        "$id": f"{PAGES}/{title}.schema.json",
        "title": f"imgopt {title} --format json, schema version 1",
        **(body[0] if len(body) == 1 else {"oneOf": body}),
        "$defs": {**{name: known[name] for name in shared}, **defs},
    }


def gate() -> Schema:
    layer = fields(
        number=COUNT,
        instruction=STRING,
        line={"type": ["integer", "null"], "minimum": 0},
        diff_id=TEXT,
        digest=TEXT,
        compressed_bytes=BYTES,
        uncompressed_bytes=BYTES,
        changes_each_release=PERHAPS,
        basis=BASIS,
    )
    figure: Schema = {"type": ["number", "array", "null"], "items": one_of(FORBIDDEN)}
    budget = fields(
        name=one_of(NAMES),
        limit=figure,
        limit_text=STRING,
        unit=one_of(each for each in get_args(Unit) if each != "growth"),
        bandwidth_bytes_per_s={"type": ["integer", "null"], "minimum": 1},
        actual=figure,
        passed=TRUTH,
        measured=TRUTH,
        basis=BASIS,
        source=STRING,
        message=STRING,
        details=STRINGS,
        remedies=STRINGS,
    )
    target = fields(
        target=STRING,
        name=STRING,
        platform=TEXT,
        predicted=TRUTH,
        passed=TRUTH,
        compressed_bytes=BYTES,
        uncompressed_bytes=BYTES,
        complete=TRUTH,
        basis=BASIS,
        uncompressed_basis=BASIS,
        wasted_bytes=BYTES,
        efficiency={"type": ["number", "null"], "minimum": 0, "maximum": 1},
        layers=many(layer),
        budgets=many(budget),
        skipped=many(one_of(NAMES)),
        notes=STRINGS,
    )
    failed = fields()  # nothing could be looked at: only the errors are said
    whole = fields(
        passed=TRUTH,
        targets=many(target),
        notes=STRINGS,
        baseline=or_null(fields(path=STRING, stale=STRINGS, updated=STRINGS)),
    )
    return _envelope("gate", ("error",), {}, [whole, failed])


def compare() -> Schema:
    pair = fields(before=BYTES, after=BYTES)
    seconds = fields(before=SECONDS, after=SECONDS)
    measured_pair = fields(before=BYTES, after=BYTES, basis=BASIS)
    identity = fields(
        reference=STRING,
        id=STRING,
        platform=STRING,
        architecture=STRING,
        base=TEXT,
        stand_in_for=TEXT,
        build_seconds=SECONDS,
    )
    layer = fields(
        instruction=STRING,
        line={"type": ["integer", "null"], "minimum": 0},
        compressed_bytes=BYTES,
        uncompressed_bytes=BYTES,
        changes_each_release=PERHAPS,
        changes_each_bump=PERHAPS,
        basis=BASIS,
        from_base=TRUTH,
        note=TEXT,
        diff_id=TEXT,
        blob_digest=TEXT,
    )
    image = fields(
        compressed_bytes=BYTES, uncompressed_bytes=BYTES, complete=TRUTH, basis=BASIS, layers=many(layer)
    )
    started = fields(start_seconds=SECONDS, memory_bytes=BYTES, starts=COUNT, basis=BASIS)
    behaviour = fields(
        alike=PERHAPS,
        measured=TRUTH,
        not_measured=STRINGS,
        verdict=one_of(get_args(VerdictOfAll)),
        ran=TRUTH,
        worked=TRUTH,
        checks=many(
            fields(name=STRING, before=ANY, after=ANY, same=TRUTH, verdict=STRING, reason=TEXT, remedy=TEXT)
        ),
        before=started,
        after=started,
        notes=STRINGS,
        before_log=TEXT,
        after_log=TEXT,
        limits=or_null(fields(memory_bytes=BYTES, pids=BYTES, new_privileges=TRUTH, why_none=TEXT)),
        not_run=TEXT,
    )
    release = fields(
        next_push_bytes=BYTES,
        basis=BASIS,
        layers=many(
            fields(
                index=COUNT,
                instruction=STRING,
                compressed_bytes=BYTES,
                uncompressed_bytes=BYTES,
                basis=BASIS,
                how=STRING,
                unstable=TRUTH,
                why=TEXT,
                differs=named(COUNT),
                entries=many({"type": "object"}),
            )
        ),
        total_layers=COUNT,
    )
    next_release = fields(
        kind=one_of(["boot-patch", "classes"]),
        changed=TEXT,
        before=or_null(release),
        after=or_null(release),
        why_not=TEXT,
        findings=named(many(fields(rule=STRING, severity=STRING, line=COUNT, message=STRING))),
    )
    push = fields(
        digest=STRING,
        sent_bytes=BYTES,
        already_there_bytes=BYTES,
        seconds=SECONDS,
        bytes_per_s={"type": ["number", "null"]},
        basis=BASIS,
        predicted=or_null(
            fields(
                sent_bytes=BYTES,
                complete=TRUTH,
                seconds=SECONDS,
                bandwidth_bytes_per_s={"type": ["number", "null"]},
                basis=BASIS,
            )
        ),
    )
    pushed = fields(
        repository=STRING,
        before=or_null(push),
        after=or_null(push),
        next_before=or_null(push),
        next_after=or_null(push),
        removed=ANY,
    )
    group = fields(files=COUNT, bytes=BYTES, largest=many(fields(path=STRING, bytes=BYTES)))
    file = suggest()["$defs"]["file"]["properties"]
    of_file = {name: file[name] for name in ("warnings", "rewrite", "findings", "prediction")}
    engine = fields(name=STRING, description=STRING)
    compared = fields(
        compared={"const": True},
        path=STRING,
        engine=engine,
        images=fields(before=identity, after=identity),
        before=image,
        after=image,
        first_push_bytes=pair,
        next_push_bytes=measured_pair,
        bump_push_bytes=measured_pair,
        push=many(
            fields(
                bandwidth_bytes_per_s=COUNT,
                first_push_s=seconds,
                next_push_s=seconds,
                bump_push_s=seconds,
                basis=BASIS,
            )
        ),
        behaviour=behaviour,
        next_release=or_null(next_release),
        pushed=or_null(pushed),
        difference=fields(
            same=group,
            other_layer=group,
            elsewhere=group,
            changed=group,
            only_before=group,
            only_after=group,
        ),
        notes=STRINGS,
        **of_file,
    )
    mended = fields(
        compared={"const": False},
        path=STRING,
        engine=engine,
        mended=fields(
            predicted={"type": "object"},
            seen={"type": "object"},
            rewrite={"type": "object"},
            not_measured=STRINGS,
        ),
        images=fields(after=identity),
        after=image,
        notes=STRINGS,
        **of_file,
    )
    nothing = fields(compared={"const": False}, file=ref("file"))
    shared = tuple(suggest()["$defs"])
    return _envelope("compare", shared, {}, [compared, mended, nothing, fields()])


def fleet() -> Schema:
    """Of `imgopt fleet`, of `--since`; those of `fleet plan`, `gate` and `push` are not described yet."""
    amount = fields(bytes=BYTES, basis=BASIS, complete=TRUTH)
    releases = ("first_push", "bump_push", "next_push")

    def by_column(columns: Any, each: Schema) -> Schema:
        return fields(**dict.fromkeys(columns, each))

    steps = ("now", "after", "planned")
    image = fields(
        dockerfile=STRING,
        context=STRING,
        build_args=named(STRING),
        target=TEXT,
        names=STRINGS,
        source=TEXT,
        by=TEXT,
        platforms=STRINGS,
        archive=or_null(fields(path=STRING, bytes=BYTES, spring_boot=TEXT, libraries=COUNT)),
        shared_bytes=BYTES,
        own_bytes=BYTES,
        findings=COUNT,
        rewritten=TRUTH,
        unplanned=ANY,
        **{f"{release}_bytes": by_column(steps, amount) for release in releases},
    )
    module = fields(
        name=STRING,
        directory=STRING,
        build_file=TEXT,
        tool=TEXT,
        profile=TEXT,
        problem=TEXT,
        needs=STRINGS,
        image=or_null(image),
        budget=ANY,
    )
    whole = fields(
        directory=STRING,
        modules=many(module),
        **{f"{release}_bytes": by_column(COLUMNS, amount) for release in releases},
        push=many(
            fields(
                bandwidth_bytes_per_s=COUNT,
                **{f"{release}_s": by_column(COLUMNS, SECONDS) for release in releases},
            )
        ),
        shares_base_now=PERHAPS,
        actions=many(
            fields(
                name=STRING,
                command=STRING,
                images=COUNT,
                first_push_bytes={"type": ["integer", "null"]},
                bump_push_bytes={"type": ["integer", "null"]},
                basis=BASIS,
                complete=TRUTH,
            )
        ),
        plan=fields(
            file=STRING,
            kept=TRUTH,
            groups=named(STRINGS),
            distance=by_column(releases, {"type": ["number", "null"]}),
        ),
        layers=many(fields(instruction=STRING, bytes=BYTES, basis=BASIS, from_base=TRUTH, modules=STRINGS)),
        drift=many(fields(artifact=STRING, versions=named(ANY), bytes=BYTES)),
        bases=or_null(fields(images=named(ANY), more_bytes=BYTES)),
        limits=many(
            fields(
                path=STRING,
                line=COUNT,
                text=STRING,
                seconds=SECONDS,
                images=COUNT,
                first_push_s=SECONDS,
                long_enough=ANY,
            )
        ),
        left_out=many(fields(what=STRING, why=STRING, module=TEXT)),
        warnings=STRINGS,
        bandwidth_source=STRING,
    )
    since = fields(
        since=fields(revision=STRING, commit=STRING, paths=COUNT),
        images=many(named(ANY)),
        warnings=STRINGS,
    )
    return _envelope("fleet", ("error",), {}, [whole, since, fields()])


_OF_TOP = {
    "platform": STRING,
    "runtime": one_of(options.RUNTIMES),
    "spring-boot": STRING,
    "bandwidth": {"type": ["string", "array"], "items": STRING, "minItems": 1},
    "unsafe": TRUTH,
    "fail-on": one_of(each.value for each in Severity),
}
_LIST: Schema = {"type": ["string", "array"], "items": STRING}


def imgopt_toml() -> Schema:
    """Every key that `imgopt.config` knows; KeyError for one that it has got and that nobody has described here."""
    rules: Schema = {"type": ["string", "array"], "items": one_of(rule.id for rule in EVERY_RULE)}
    kinds = get_type_hints(options.DeclaredBase)
    of_base = {
        "kind": one_of(each for each in get_args(get_args(kinds["kind"])[0])),
        "libc": one_of(each for each in get_args(get_args(kinds["libc"])[0])),
        "java": {"type": "integer"},
        **dict.fromkeys(("like", "os", "counterpart", "os_version", "user", "java_home"), STRING),
        **dict.fromkeys(("platforms", "has", "lacks"), _LIST),
    }
    limit: Schema = {"type": ["string", "number", "array"], "items": STRING}
    budgets = dict.fromkeys(NAMES, limit) | {"max-growth": {"type": [*limit["type"], "object"]}}
    some = {"type": "object", "properties": budgets, "additionalProperties": False}
    properties = {
        **{name: _OF_TOP[name] for name in config._TOP},
        "rules": fields({"select": rules, "ignore": rules}),
        "bases": named(fields({name: of_base[name] for name in config._BASE})),
        "build-args": named({"type": ["string", "integer"]}),
        "budgets": {"type": "object", "properties": budgets, "additionalProperties": some},
        "gate": fields({"baseline": STRING}),
        "push": fields({"mount-from": _LIST}),
        "fleet": fields(dict.fromkeys(OF_FLEETS, limit)),
    }
    return {
        "$schema": DRAFT,
        "$id": f"{PAGES}/imgopt.toml.schema.json",
        "title": "imgopt.toml, and [tool.imgopt] in pyproject.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def documents() -> dict[str, str]:
    """The text of each file of this folder, by its name."""
    made = {
        "suggest": suggest(),
        "gate": gate(),
        "compare": compare(),
        "fleet": fleet(),
        "imgopt.toml": imgopt_toml(),
    }
    return {
        f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in made.items()
    }


if __name__ == "__main__":
    for name, text in documents().items():
        (HERE / name).write_text(text, encoding="utf-8")
        print(f"schemas/{name}")
