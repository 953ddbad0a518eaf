"""Fuzzes `suggest` and the rewrite as a whole with Dockerfiles that are put together from the forms of real ones.

    python tests/fuzz/fuzz_rewrites.py --seconds 1200
    python tests/fuzz/fuzz_rewrites.py --corpus FOLDER      also changes Dockerfiles found in there

An input is a `grammar.Sample` as JSON: a Dockerfile, the name of its context, options. What must hold is in `check`:
no exception but imgopt's own, no hang, and a rewrite that is a Dockerfile, final, and keeps what the image promises.
Hypothesis makes the smallest sample of each problem. Where results go: `fuzzing.py`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import fuzzing


class Wrong(AssertionError):
    """A subclass for each kind of problem: Hypothesis tells problems apart by their class."""


@cache
def wrong(kind: str) -> type[Wrong]:
    return type(kind, (Wrong,), {})


def load() -> fuzzing.Target:
    fuzzing.set_paths()
    from check_rewrites import check_sample
    from grammar import Sample

    def check(data: bytes) -> None:
        fields = json.loads(data)
        for name in ("select", "build_args"):
            fields[name] = tuple(tuple(item) if isinstance(item, list) else item for item in fields[name])
        check_sample(Sample(**fields))

    def mutate(*_: object) -> bytes:
        raise NotImplementedError

    return fuzzing.Target("rewrites", check, seeds, mutate, 100_000)


def seeds() -> Iterator[bytes]:
    from grammar import Sample

    text = 'FROM openjdk:17-jdk-slim\nCOPY target/app.jar app.jar\nENTRYPOINT ["java", "-jar", "app.jar"]\n'
    yield as_bytes(Sample(text, "boot", "none", "none", "auto", None, None, (), ()))


def as_bytes(sample: object) -> bytes:
    return json.dumps(dataclasses.asdict(sample), indent=1).encode()  # type: ignore[call-overload, no-any-return]


def hunt(target: fuzzing.Target, given: argparse.Namespace) -> int:
    import hypothesis
    from grammar import Sample, changed, samples

    from imgopt_rules import ALL_RULES

    texts = [
        path.read_text(errors="surrogateescape")
        for folder in given.corpus
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "dockerfile" in path.name.lower()
    ]
    rules = tuple(rule.id for rule in ALL_RULES)
    strategy = samples(rules, changed(texts)) if texts else samples(rules)
    settings = hypothesis.settings(
        max_examples=1000,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
    )
    begin, known, tried = time.time(), set[str](), 0
    seed = given.seed or random.SystemRandom().randrange(1, 1 << 31)
    print(f"rewrites: {given.seconds} s from seed {seed}", flush=True)
    last: list[tuple[fuzzing.Problem, bytes]] = []

    @settings
    @hypothesis.given(strategy)
    def attempt(sample: Sample) -> None:
        nonlocal tried
        if time.time() - begin > given.seconds:
            return
        tried += 1
        data = as_bytes(sample)
        problem = fuzzing.look(target.check, data)
        if problem is None or problem.name in known:
            return
        last[:] = [(problem, data)]
        if problem.kind != "crash":  # to make it smaller would take as long again, many times
            keep()
            return
        raise wrong(problem.name)(problem.detail)

    def keep() -> None:
        problem, data = last[0]
        known.add(problem.name)
        fuzzing.keep(target.name, problem, data)
        print(f"FOUND {problem.name} ({len(data)} bytes)", flush=True)

    while time.time() - begin < given.seconds:
        seed += 1
        try:
            hypothesis.seed(seed)(attempt)()
        except (Wrong, hypothesis.errors.Flaky):
            keep()
        print(f"{int(time.time() - begin)} s, {tried} samples", flush=True)
    print(f"rewrites: {tried} samples, {len(known)} problems")
    for name in sorted(known):
        print(f"  {fuzzing.home(target.name) / 'found' / name}")
    return 1 if known else 0


if __name__ == "__main__":
    Path(fuzzing.home("rewrites")).mkdir(parents=True, exist_ok=True)
    fuzzing.main(__file__, load, hunt)
