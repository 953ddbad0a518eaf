"""Fuzzes the Dockerfile parser with bytes: parse, render, variables, and the shell texts in it.

    python tests/fuzz/fuzz_dockerfile.py --seconds 3600

How it works and where results go: `fuzzing.py`. What must hold: `checks.check_dockerfile`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import fuzzing

_FRAGMENTS = (Path(__file__).parent / "fragments.txt").read_bytes().split(b"\n")[:-1]
_SIGNS = [
    *(b"\\", b"`", b"\n", b"\r\n", b"\r", b"\\\n", b"'", b'"', b"$", b"${", b"}", b"$(", b")", b"<<", b"<<-"),
    *(b"#", b"--", b"=", b"[", b"]", b",", b"&&", b";", b"|", b"\t", b" ", b"\xef\xbb\xbf", b"\xc2\xa0", b"\x85"),
    *(b"\xe3\x80\x80", b"\xff", b"\xed\xa0\x80", b"\0", b"\x0b", b"\x0c", b"\x1c", "é日".encode(), b"${A:-", b"${A//"),
]  # fmt: skip
_NESTED = [
    *((b'"$(', b')"'), (b"$(", b")"), (b"${A:-", b"}"), (b"(", b")"), (b"{ ", b"; }"), (b"if a; then ", b"; fi")),
    *((b"for a in b; do ", b"; done"), (b"case a in b) ", b";; esac"), (b'"${A:-', b'}"'), (b"`", b"`")),
    *((b"[", b"]"), (b'["', b'"]'), (b"$((", b"))"), (b"ONBUILD ", b""), (b"sh -c '", b"'"), (b"\\", b"")),
]  # fmt: skip


def mutate(data: bytes, most: int, chance: random.Random, bytewise: Callable[[bytes, int], bytes]) -> bytes:
    if chance.random() < 0.4:
        return bytewise(data, most)
    for _ in range(chance.choice((1, 1, 2, 3))):
        data = _changed(data, most, chance)
    return data


def _changed(data: bytes, most: int, chance: random.Random) -> bytes:
    kind = chance.randrange(10)
    at = chance.randint(0, len(data))
    if kind < 3:  # a line more
        at = data.rfind(b"\n", 0, at) + 1
        return data[:at] + chance.choice(_FRAGMENTS) + b"\n" + data[at:]
    if kind < 5:
        return data[:at] + chance.choice(_SIGNS) + data[at:]
    end = min(len(data), at + chance.choice((1, 3, 10, 40, 200)))
    if kind == 5:
        return data[:at] + data[end:]
    if kind == 6:  # the same again, now and then as often as there is room for
        room = max(0, most - len(data)) // max(1, end - at)
        times = chance.choice((10, 100, 1000, room) if chance.random() < 0.1 else (1, 2, 3))
        return data[:at] + data[at:end] * min(times, room) + data[at:]
    if kind == 7:
        before, after = chance.choice(_NESTED)
        depth = chance.choice((10, 100, 2000) if chance.random() < 0.1 else (1, 2))
        return data[:at] + before * depth + data[at:end] + after * depth + data[end:]
    if kind == 8:
        lines = data.split(b"\n")
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        return b"\n".join(lines)
    lines = data.split(b"\n")
    del lines[chance.randrange(len(lines))]
    return b"\n".join(lines)


def seeds() -> Iterator[bytes]:
    yield b"\n".join(_FRAGMENTS[:1])
    for fragment in _FRAGMENTS[1:]:
        yield b"FROM a\n" + fragment + b"\n"
    yield from (
        path.read_bytes() for path in (fuzzing.ROOT / "fixtures" / "cases").rglob("before.Dockerfile")
    )


def load() -> fuzzing.Target:
    from checks import check_dockerfile

    return fuzzing.Target("dockerfile", check_dockerfile, seeds, mutate, 200_000)


if __name__ == "__main__":
    fuzzing.main(__file__, load)
