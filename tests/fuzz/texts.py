"""Lines of a format, changed so that they stay nearly of it: what the fuzzers of text files share."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Mutate = Callable[[bytes, int, random.Random, Callable[[bytes, int], bytes]], bytes]


def mutator(lines: Sequence[bytes], signs: Sequence[bytes], nested: Sequence[tuple[bytes, bytes]]) -> Mutate:
    """``signs`` mean something in the format; ``nested`` are what opens and closes in it."""

    def mutate(
        data: bytes, most: int, chance: random.Random, bytewise: Callable[[bytes, int], bytes]
    ) -> bytes:
        if chance.random() < 0.3:
            return bytewise(data, most)
        for _ in range(chance.choice((1, 1, 2, 3))):
            data = changed(data, most, chance)
        return data[:most]

    def changed(data: bytes, most: int, chance: random.Random) -> bytes:
        kind = chance.randrange(8)
        at = chance.randint(0, len(data))
        end = min(len(data), at + chance.choice((1, 3, 10, 40, 200)))
        if kind < 2:
            at = data.rfind(b"\n", 0, at) + 1
            return data[:at] + chance.choice(lines) + b"\n" + data[at:]
        if kind < 4:
            return data[:at] + chance.choice(signs) + data[at:]
        if kind == 4:
            return data[:at] + data[end:]
        if kind == 5:  # the same again, now and then as often as there is room for
            room = max(0, most - len(data)) // max(1, end - at)
            times = chance.choice((10, 100, 1000, room) if chance.random() < 0.1 else (1, 2, 3))
            return data[:at] + data[at:end] * min(times, room) + data[at:]
        if kind == 6:
            before, after = chance.choice(nested)
            depth = chance.choice((10, 100, 2000) if chance.random() < 0.1 else (1, 2))
            return data[:at] + before * depth + data[at:end] + after * depth + data[end:]
        parts = data.split(b"\n")
        one, other = chance.randrange(len(parts)), chance.randrange(len(parts))
        parts[one], parts[other] = parts[other], parts[one]
        return b"\n".join(parts)

    return mutate
