"""The functions that make foreign text visible."""

from __future__ import annotations

import io
import json
import unicodedata
from typing import cast

import pytest
from hostile_names import NAMES, acts
from hypothesis import given
from hypothesis import strategies as st

from imgopt.cli.output import emit
from imgopt.report.layout import line, plain, safe
from imgopt.text.foreign import GuardedStream, acting, in_json, lines, visible

#: Any code point, those that matter more often, and the beginnings of commands.
TEXTS = st.lists(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Zs", "Cs", "Mn"]),
        st.sampled_from(["::", ":", "#", "##", "##[", "##vso[", "##teamcity[", "]", "\n", " ", "\ufe0f", "\u200d", "\u2764", "\U0001f468"]),
    )
).map("".join)  # fmt: skip


@given(TEXTS)
def test_visible(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert "\n" not in shown and "\t" not in shown
    assert acts(lines(shown).encode()) == []


@given(TEXTS)
def test_lines(text: str) -> None:
    shown = lines(text)
    assert lines(shown) == shown
    assert acts(shown.encode()) == []
    assert shown.count("\n") == text.count("\n")


#: JSON has no lone surrogates: `rendered` replaces them.
WHOLE = TEXTS.map(lambda text: text.encode("utf-8", "replace").decode())


@given(st.recursive(WHOLE, lambda each: st.lists(each) | st.dictionaries(WHOLE, each), max_leaves=5))
def test_json_says_the_same(document: object) -> None:
    for ascii_only in (False, True):
        text = in_json(json.dumps(document, ensure_ascii=ascii_only, indent=2))
        assert json.loads(text) == json.loads(json.dumps(document, ensure_ascii=ascii_only))
        assert acts(text.encode()) == []


@given(st.lists(st.one_of(TEXTS, st.just(""))))
def test_a_stream_that_is_written_in_pieces(parts: list[str]) -> None:
    stream = io.StringIO()
    guarded = GuardedStream(stream)
    for each in parts:
        guarded.write(each)
    assert acts(stream.getvalue().encode()) == []


@given(st.lists(st.lists(TEXTS)))
def test_lines_of_pieces(rows: list[list[str]]) -> None:
    assert acts(plain(safe(line(*each)) for each in rows).encode()) == []


@given(
    st.text(
        st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u3164\uffa0\u115f\u1160\u034f#:")
    )
)
def test_ordinary_text_stays(text: str) -> None:
    assert visible(text) == text == lines(text)
    assert acting(text) is None


@pytest.mark.parametrize(
    "text",
    ["中文名称", "Ünïcödé", "العربية", "עברית", "हिन्दी", "한국어", "⚠️ ❤️ ✅ ©️ ™️ ↔️", "👨‍💻 👩🏽‍🚀 🏳️‍🌈", "std::string", "a :: b", "[::1]:80",
     "## [x]", "#[x]", "─│┌→≥✓", "e\u0301", "\u3000x", "\u00a0x"],
)  # fmt: skip
def test_what_people_write_stays(text: str) -> None:
    assert unicodedata.normalize("NFC", visible(text)) == unicodedata.normalize("NFC", text)
    assert visible(text) == text == lines(text)


def test_how_it_is_written_out() -> None:
    assert visible("a\x1b[31m\x9b\u202e\U000e0041\udc9b\n") == r"a\x1b[31m\x9b\u202e\U000e0041\x9b\n"
    assert lines("  ::set-output::x\nx ##vso[y]") == "  \\x3a:set-output::x\nx \\x23#vso[y]"
    assert (
        lines("::error file=x::y\n::set-output::x", ("::error file=",))
        == "::error file=x::y\n\\x3a:set-output::x"
    )
    assert in_json('"##vso[\u202e\U000e0041"') == r'"\u0023#vso[\u202e\udb40\udc41"'


def test_a_renderer_that_forgets_is_safe(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit("\n".join(NAMES).encode("utf-8", "surrogateescape"), None)
    assert acts(capfdbinary.readouterr().out) == []


def test_a_terminal_keeps_our_colours_only() -> None:
    stream = io.StringIO()
    guarded = GuardedStream(stream, colours=True)
    guarded.write("\x1b[1;31mred\x1b[0m\x1b[2K\r\x1b[?25l\x1b]0;t\x07\x1b[6n\x9b1m")
    assert stream.getvalue() == "\x1b[1;31mred\x1b[0m\x1b[2K\r\x1b[?25l\\x1b]0;t\\x07\\x1b[6n\\x9b1m"
    with pytest.raises(TypeError):
        guarded.write(cast(str, b"x"))
