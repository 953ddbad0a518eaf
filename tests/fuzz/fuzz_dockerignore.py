"""Fuzzes the reader of ignore files, and asks what it has read for paths.

    python tests/fuzz/fuzz_dockerignore.py --seconds 3600

How it works and where results go: `fuzzing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import fuzzing
import texts

_LINES = (
    *(b"*", b"!**/*.jar", b"**/target/", b"target/*.original", b"!target/app.jar", b"# a", b" # a", b"/a/b/../c", b"a?b[a-c]*"),
    *(b"[[:alpha:]]x", b"\\!a", b"a\\ b", b"**", b"!", b"a|*b", b"{a,b}", b"a//b/.", b"..", b"**/a/**/b", b"[^a-z]", b"*a*b*c*d*"),
)  # fmt: skip
_SIGNS = (b"*", b"**", b"?", b"[", b"]", b"^", b"!", b"\\", b"/", b"|", b"\n", b" ", b"#", b"-", b"[:", b":]", b"(", b"$", b"\0", b"\xff", b"\\d", b"\r", b"\\x{")  # fmt: skip
_NESTED = ((b"[", b"]"), (b"**/", b""), (b"*a", b""), (b"a/", b""), (b"!a\n", b"\nb"), (b"\\", b""))
_PATHS = (
    "a",
    "a/b.jar",
    "target/classes/App.class",
    "d/" * 30 + "x",
    "a b",
    "aXb",
    "x" * 200,
    "a\n/b",
    "\udcff",
)


def seeds() -> Iterator[bytes]:
    yield b"\n".join(_LINES)
    yield from _LINES


def load() -> fuzzing.Target:
    from imgopt.build_context.patterns import read_ignore_file
    from imgopt.errors import ContextError
    from imgopt.text.foreign import visible

    def check(data: bytes) -> None:
        try:
            rules = read_ignore_file(data, ".dockerignore")
        except ContextError as error:
            assert len(visible(str(error)).splitlines()) == 1, str(error)
            assert error.line is not None
            return
        for path in _PATHS:
            matched, _ = rules.state(path)
            assert isinstance(matched, bool)
            rules.may_take_back_below(path)

    return fuzzing.Target("dockerignore", check, seeds, texts.mutator(_LINES, _SIGNS, _NESTED), 200_000)


if __name__ == "__main__":
    fuzzing.main(__file__, load)
