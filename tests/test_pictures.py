"""The README's picture is what the program prints today: `make pictures` draws it anew."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_picture_is_current() -> None:
    spec = importlib.util.spec_from_file_location("make_pictures", ROOT / "docs" / "make_pictures.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    there = maker.PICTURE.read_text(encoding="utf-8")
    assert "jdk-runtime" in maker.shown(there)
    assert maker.shown(there) == maker.shown(maker.picture()), "make pictures"
    assert set(re.findall(r"https?://[\w./-]+", there)) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",  # in a comment
    }, "a picture asks no other site"
