"""What is followed of start scripts has an end, in steps and in memory, whatever they are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from imgopt.files.tar import Entry
from imgopt.inspection.filesystem import Filesystem, Node
from imgopt.inspection.start import MOST_STEPS, Start, find_start

JAR = "exec java -jar /opt/app/shop.jar\n"


class Counted(Filesystem):
    """Counts how often all files are gone through."""

    def __init__(self) -> None:
        super().__init__()
        self.walks = 0

    def files(self) -> Iterator[tuple[str, Node]]:
        self.walks += 1
        return super().files()


def follow(script: str, *, names: int = 0, env: tuple[str, ...] = ()) -> tuple[Start, Counted]:
    files = Counted()
    paths = ["/opt/app/shop.jar", "/run.sh", *(f"/d{number}/q.jar" for number in range(names))]
    files.apply(0, [Entry(path, "file", 9, 9) for path in paths])
    config = {"Entrypoint": ["/run.sh"], "Env": ["PATH=/usr/bin", *env]}
    return find_start(config, files, lambda _: f"#!/bin/sh\n{script}".encode()), files


@pytest.mark.parametrize(
    "script",
    [
        'JAVA_OPTS="-Xmx512m $JAVA_OPTS"\nexec java $JAVA_OPTS -jar /opt/app/shop.jar\n',
        'JAVA_OPTS="${JAVA_OPTS} -Xmx512m"\nexec java $JAVA_OPTS -jar /opt/app/shop.jar\n',
        'A="x $B"\nB="y $A"\necho "$A" "$B"\n' + JAR,
        'A="x; sh -c \\"$A\\""\nsh -c "$A"\neval "$A"\n' + JAR,
        'A="sh -c $A"\neval $A\nsh -c "$A; x"\n' + JAR,
        'CMD="java -jar /opt/app/shop.jar"\nexec $CMD\n',
        'CMD="exec java -jar /opt/app/shop.jar"\nsh -c "$CMD"\n',
        'CMD="exec java -jar /opt/app/shop.jar"\neval "$CMD"\n',
        'exec su app -c "java -jar /opt/app/shop.jar"\n',
        'exec gosu app bash -lc "cd / && java -jar /opt/app/shop.jar"\n',
        "exec java -jar ${A:-/opt/app/${B:-shop}.jar}\n",
    ],
)
def test_variables_that_name_themselves_or_hold_commands_end(script: str) -> None:
    start, _ = follow(script, env=('E=x "$E" y',))
    assert list(start.jars) == ["/opt/app/shop.jar"] and not start.unseen


def test_a_word_that_doubles_stays_small() -> None:
    doubling = "V0=xxxxxxxxxx\n" + "".join(f"V{n}=$V{n - 1}$V{n - 1}\n" for n in range(1, 22))
    tracemalloc.start()
    start, _ = follow(doubling + JAR)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000 and list(start.jars) == ["/opt/app/shop.jar"]
    assert "a word of its start scripts is too long to be followed" in start.unseen


def test_names_are_indexed_once() -> None:
    start, files = follow("java -jar $X/q.jar\n" * 50 + JAR, names=20)
    assert files.walks == 1 and len(start.jars) == 21


@pytest.mark.parametrize(
    "script",
    [
        "java -jar $X/q.jar\n" * 4_000,
        "x\n" * (MOST_STEPS // 10),
        "A=b " * (MOST_STEPS // 4),
    ],
    ids=["many files for each line", "many programs", "many assignments"],
)
def test_what_is_too_long_to_be_followed_is_told(script: str) -> None:
    start, _ = follow(script + JAR, names=2_000)
    assert "its start scripts are too long to be followed to their end" in start.unseen


@pytest.mark.parametrize(
    "script",
    [
        "${a-" * 8_000 + "\n",
        "echo " + "${a-" * 8_000 + "}" * 8_000 + "\n",
        "\n" * 300_000,
        "A=b " * 100_000 + "\n",
        "$" * 30_000 + "\n",
        "\"'" * 50_000 + "\n",
        "$(" * 50_000 + "\n",
    ],
)
def test_text_that_is_slow_to_read_in_a_wrong_way_is_read_on(script: str) -> None:
    start, _ = follow(script + JAR)
    assert "/opt/app/shop.jar" in start.jars
