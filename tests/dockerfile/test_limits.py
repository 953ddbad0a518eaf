"""4 MiB of anything is read, or refused, in time and memory that grow with its size only.

Processor time, so that a busy machine does not matter; each takes about half a second on a slow one.
"""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress

import pytest

from imgopt.dockerfile import MAX_BYTES, expand, parse, scopes
from imgopt.errors import DockerfileError

FROM = b"FROM a\n"
# head, what is repeated up to 4 MiB, tail, whether it is accepted
BIG: dict[str, tuple[bytes, bytes, bytes, bool]] = {
    "blank lines": (FROM, b"\n", b"", True),
    "comments": (FROM, b"#\n", b"", False),
    "instructions": (FROM, b"RUN\n", b"", False),
    "stages": (b"", FROM, b"", False),
    "continuations": (FROM + b"RUN ", b"\\\n", b"", False),
    "comments in a continuation": (FROM + b"RUN \\\n", b"#\n", b"", False),
    "one heredoc": (FROM + b"RUN <<E\n", b"a\n", b"E\n", True),
    "lines that nearly close a heredoc": (FROM + b"RUN <<-E\n", b"\tEE\n", b"E\n", True),
    "an open heredoc": (FROM + b"RUN <<E\n", b" \t \n", b"", False),
    "heredocs": (FROM, b"RUN <<E\nE\n", b"", False),
    "long heredocs": (FROM, b"RUN <<E\n" + b"RUN a \\\n" * 2000 + b"E\n", b"", True),
    "arguments": (FROM + b"COPY ", b"a " * 30_000 + b"\\\n", b"", False),
    "pairs": (FROM + b"ENV ", b"a=b " * 15_000 + b"\\\n", b"", False),
    "escapes": (FROM + b"ENV a=", b"\\a" * 30_000 + b"\\\n", b"", True),
    "quotes": (FROM + b"ENV a=", b"''" * 30_000 + b"\\\n", b"", True),
    "flags": (FROM + b"RUN ", b"--a " * 15_000 + b"\\\n", b"", False),
    "quotes in a flag": (FROM + b"RUN --a=", b"''" * 30_000 + b"\\\n", b"", True),
    "JSON": (FROM + b"CMD [", b'"a",' * 15_000 + b"\\\n", b'"a"]', False),
    "open JSON": (FROM + b"CMD [", b'"aaaaaaaaaaaaaaaaaa",' * 3_000 + b"\\\n", b'"a"', False),
    "variables beside a heredoc": (FROM + b"RUN <<x ", b"${a" * 20_000 + b"\\\n", b"", False),
    "white space": (FROM, b"\r" * 60_000 + b"\n", b"", True),
    "no UTF-8": (FROM + b"RUN ", b"\xff" * 60_000 + b"\\\n", b"", True),
}


@pytest.mark.parametrize("name", BIG)
def test_four_mebibytes(name: str) -> None:
    head, unit, tail, accepted = BIG[name]
    data = head + unit * ((MAX_BYTES - len(head) - len(tail)) // len(unit)) + tail
    parse(FROM)  # imports
    start = time.process_time()
    try:
        assert parse(data).render() == data and accepted
    except DockerfileError as error:
        assert not accepted, error
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    "unit", [b"\\\n", b"a\\\\\n", b"# \\\n", b"CMD \\\x0b\n", b"\\" + b" " * 500 + b"x\n"]
)
def test_what_dockerfile_parse_is_given_stays_small_enough(unit: bytes) -> None:
    """Its own time grows with the square of a continuation's length."""
    data = FROM + b"RUN " + unit * (32_000 // len(unit))
    start = time.process_time()
    with suppress(DockerfileError):
        parse(data)
    assert time.process_time() - start < 2


def test_memory_stays_within_some_times_the_file() -> None:
    data = FROM + b"COPY " + b"a " * 30_000 + b"/b\n"
    parse(FROM)
    tracemalloc.start()
    parse(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * len(data)


def test_values_that_double_do_not_explode() -> None:
    text = "FROM a\nENV A=0123456789\n" + "ENV A=$A$A\n" * 1000
    start = time.process_time()
    *_, visible = scopes(parse(text + "RUN x\n"), {})
    assert visible["A"] is None  # longer than an environment variable can be
    assert time.process_time() - start < 4


def test_a_long_value_that_is_searched_often() -> None:
    text = "FROM a\nENV A=" + "a" * 60_000 + "\n" + "ENV B=${A%b*b}\n" * 5_000
    start = time.process_time()
    *_, visible = scopes(parse(text + "RUN x\n"), {})
    assert visible["A"] == "a" * 60_000 and visible["B"] is None  # given up
    assert time.process_time() - start < 8


def test_many_variables_stay_cheap() -> None:
    text = "FROM a AS s0\n" + "".join(f"ENV A{number}=$A{number - 1}x\n" for number in range(10_000))
    text += "".join(f"FROM s{number} AS s{number + 1}\nARG B{number}=$A1\n" for number in range(400))
    start = time.process_time()
    *_, visible = scopes(parse(text + "RUN x\n"), {})
    assert visible["B399"] is None and len(visible) == 10_400
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    "text",
    [
        "${A:-" * 20_000,
        "${A#" + "*a" * 20_000 + "*b}",
        "${A//" + "a*" * 200 + "b/x}",
        "$A" * 100_000,
        "${A//a/" + "b" * 10_000 + "}",
        "'" * 100_001,
    ],
)
def test_a_hostile_word_is_refused_or_expanded_soon(text: str) -> None:
    start = time.process_time()
    expand(text, {"A": "a" * 100_000})
    assert time.process_time() - start < 4
