"""A class file that is another one, and does the same: one more constant that nothing refers to (JVMS 4.4)."""

from __future__ import annotations

from imgopt.java.classfile import _MAGIC, _WIDTHS

MOST_CONSTANTS = 65_535
_UTF8 = 1
_TWO_PLACES = (5, 6)  # long and double


def with_unused_constant(data: bytes, text: str) -> bytes:
    """The class with a Utf8 constant (ASCII) behind its others, so that no index changes. ValueError for what is no
    class file, or has no room."""
    count, end = _pool(data)
    if count >= MOST_CONSTANTS:
        raise ValueError("the constant pool is full")
    encoded = text.encode("ascii")
    constant = bytes([_UTF8]) + len(encoded).to_bytes(2, "big") + encoded
    return data[:8] + (count + 1).to_bytes(2, "big") + data[10:end] + constant + data[end:]


def _pool(data: bytes) -> tuple[int, int]:
    """The constant pool's count, as it is written (one more than there are), and where it ends."""
    if len(data) < 10 or not data.startswith(_MAGIC):
        raise ValueError("no class file")
    count = int.from_bytes(data[8:10], "big")
    at, index = 10, 1
    try:
        while index < count:
            tag = data[at]
            at += 3 + int.from_bytes(data[at + 1 : at + 3], "big") if tag == _UTF8 else 1 + _WIDTHS[tag]
            index += 2 if tag in _TWO_PLACES else 1
    except (IndexError, KeyError) as error:
        raise ValueError("a damaged class file") from error
    if at + 8 > len(data):
        raise ValueError("a damaged class file")
    return count, at
