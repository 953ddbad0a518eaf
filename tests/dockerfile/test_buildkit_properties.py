"""Generated Dockerfiles, read as BuildKit does; and what holds for any bytes."""

from __future__ import annotations

from buildkit_oracle import as_lines, newer_than_oracle, oracle, refused_later
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from imgopt.dockerfile import Dockerfile, Edit, Span, apply_edits, parse
from imgopt.dockerfile.parser import KEYWORDS
from imgopt.dockerfile.split import instruction_end, instruction_ends
from imgopt.errors import DockerfileError

# the same examples in every run: a difference found by chance is for the one who looks, not for who pushed last
many = settings(max_examples=600, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

LINE_BREAKS = ["\n", "\r\n", "\r\r\n"]
CONTINUED = [
    "\\\n",
    " \\\n    ",
    "\\ \t\n",
    "\\\r\n",
    "\\\n# c \\\n",
    "\\\n\n",
    " \\\n \t\n\t# c\n  ",
    "`\n",
    " `\n  ",
]
PIECES = [
    *[
        "a",
        "b",
        "/c",
        "d.jar",
        "x=y",
        "A=",
        "=",
        "NONE",
        "CMD",
        "AS",
        "as",
        "1",
        "[",
        "]",
        "{",
        "}",
        ",",
        "(",
        ")",
    ],
    *[
        '"',
        "'",
        '"e f"',
        "'g h'",
        '"i\\"j"',
        "\\",
        "\\\\",
        "`",
        "\\ ",
        '\\"',
        "\\$",
        "$",
        "$A",
        "${A}",
        "${A:-b}",
        "${",
    ],
    *[
        "#",
        "# c",
        "-",
        "--",
        "--from=a",
        "--chown='a b':c",
        '--x="',
        "--y=\\ z",
        "&&",
        "|",
        ";",
        ">f",
        "<",
        "<<<",
    ],
    *[
        "<<EOF",
        "<<-EOF",
        '<<"EOF"',
        "<<'E F'",
        "3<<X",
        "x<<EOF",
        "<<E\\OF",
        "EOF",
        "\\<<EOF",
        "<<$A",
        "<<${A}",
    ],
    *[
        '["a", "b"]',
        '["a"]',
        '[ "a" ,"\\u00e9\\n" ]',
        '["a", 1]',
        '["a",]',
        '["\\x"]',
        "[]",
        "é",
        "\u00a0",
        "\u3000",
        "日本",
    ],
    *["\v", "\f", "\r", "\t", "\x1c", "\x85", "\ufeff", "*.jar"],
]
BODIES = [
    "echo\n",
    "RUN a \\\n",
    "# c\n",
    "\n",
    "EOF \n",
    " EOF\n",
    "\tEOF\n",
    "EOF\n",
    "EOF\r\n",
    "E F\n",
    "X\n",
    "$A\n",
    "\n\n",
]
HEADS = [
    "",
    "",
    "",
    "\ufeff",
    "# escape=`\n",
    "# escape=\\\n",
    "# syntax=docker/dockerfile:1\n",
    "#escape = ` \r\n",
]
HEADS += [
    "# c\n# escape=`\n",
    "# syntax=\n# escape=`\n",
    "\n# escape=`\n",
    "# escape=x\n",
    "# escape=`\n# escape=`\n",
]
FROMS = [
    "FROM a\n",
    "FROM a\n",
    "from a as B\n",
    "ARG A=1\nFROM --platform=$A a\r\n",
    "FROM \\\n a \\\n\n# c\n AS b\n",
    "",
]

separators = st.sampled_from([" ", " ", " ", "", "  ", "\t", *CONTINUED])
keywords = st.sampled_from(sorted(KEYWORDS)).flatmap(lambda word: st.sampled_from([word, word, word.lower()]))


@st.composite
def instructions(draw: st.DrawFn) -> str:
    keyword = draw(st.one_of(keywords, keywords, keywords.map(lambda word: f"ONBUILD {word}")))
    if draw(st.integers(0, 30)) == 0:
        keyword = f"{keyword[:2]}\\\n{keyword[2:]}"
    parts = [keyword, draw(st.sampled_from([" ", " ", "\t ", " \\\n  ", "\\\n", ""]))]
    for _ in range(draw(st.integers(0, 6))):
        parts += [draw(st.sampled_from(PIECES)), draw(separators)]
    parts.append(draw(st.sampled_from([*LINE_BREAKS, *LINE_BREAKS, "\n\n", "\n  # c\n", "\n\\\n"])))
    if "<<" in "".join(parts):
        parts += draw(st.lists(st.sampled_from(BODIES), max_size=6))
    return "".join(parts)


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(HEADS)) + draw(st.sampled_from(FROMS))
    text += "".join(draw(st.lists(instructions(), max_size=5)))
    end = draw(st.sampled_from(["as it is", "cut", "\\", "CRLF", "more"]))
    if end == "cut":
        return text.rstrip("\r\n")
    if end == "CRLF":
        return text.replace("\r\n", "\n").replace("\n", "\r\n")
    return text + ("\\" if end == "\\" else "# c" if end == "more" else "")


@many
@given(dockerfiles())
@example("FROM a\nRUN <<A <<-B cat\nA\n\tB\n")
@example("FROM a\nENV A\u00a0b=c d\n")
def test_same_as_buildkit(text: str) -> None:
    assume(not newer_than_oracle(text))
    expected = oracle(text)
    try:
        document = parse(text)
    except DockerfileError as error:
        assert error.path and error.line and error.hint
        assert expected is None or refused_later(expected)
        return
    assert expected is not None and not refused_later(expected)
    assert as_lines(document) == expected


@many
@given(
    dockerfiles()
    | st.text(st.sampled_from("\\`\n \t\r\v#aA<'\"=[]$\x1c\u00a0"), max_size=40).map("FROM a\n".__add__)
)
def test_dockerfile_parse_and_its_correction_agree(text: str) -> None:
    try:
        document = parse(text)
    except DockerfileError:
        return
    ends = instruction_ends(text, document.directives_end, document.escape)
    for instruction in document.instructions:
        begin = text.rfind("\n", 0, instruction.span.start) + 1
        if begin in ends:
            assert ends[begin] == instruction_end(text, begin, document.escape, 1_000_000)


def parsed(data: bytes) -> Dockerfile | None:
    try:
        return parse(data)
    except DockerfileError as error:
        assert error.path and error.line and error.hint
        return None


@many
@given(st.binary(max_size=60).map(b"FROM a\n".__add__) | dockerfiles().map(lambda text: text.encode()))
@example(b"FROM a\n# \xff\xfe\nRUN --x=\xc3 \xa0 <<\xe9\n\xe9\n")
@example(b"\xef\xbb\xbfFROM a\r\nLABEL a=\xc3\xa0")
def test_every_byte_comes_back(data: bytes) -> None:
    document = parsed(data)
    if document:
        assert document.render() == data


@many
@given(dockerfiles())
def test_spans_cover_what_they_name(text: str) -> None:
    try:
        document = parse(text)
    except DockerfileError:
        return

    def source(span: Span) -> str:
        return document.text[span.start : span.end]

    line_ends = 0
    for instruction in document.instructions:
        assert source(instruction.span).rstrip("\r") == source(instruction.span)
        assert (
            instruction.line == 1 + text.count("\n", 0, instruction.span.start)
            or "\\\n" in text
            or "`\n" in text
        )
        assert instruction.end_line == 1 + text.count("\n", 0, instruction.span.end)
        assert instruction.span.start >= line_ends
        line_ends = instruction.span.end
        for at, sign in enumerate(instruction.text):
            assert source(instruction.source_span(at, at + 1)) == sign
        assert instruction.source_span(0, len(instruction.text)) == instruction.text_span
        if instruction.json is None:
            for word in instruction.words:
                if "\n" not in source(word.span) and not source(word.span).endswith(document.escape):
                    assert source(word.span) == word.text
        for flag in instruction.flags:
            assert source(flag.span).startswith("-")
            assert flag.value_span is None or flag.value_span.end == flag.span.end
        for heredoc in instruction.heredocs:
            assert source(heredoc.body_span) == heredoc.body
    for comment in document.comments:
        assert source(comment.span) == comment.text and comment.text.startswith("#")
        assert comment.line == 1 + text.count("\n", 0, comment.span.start)


@many
@given(dockerfiles(), st.data())
def test_an_edit_touches_only_its_span(text: str, data: st.DataObject) -> None:
    try:
        document = parse(text)
    except DockerfileError:
        return
    words = [word for instruction in document.instructions for word in instruction.words]
    assume(words)
    chosen = data.draw(
        st.lists(st.sampled_from(words), min_size=1, max_size=3, unique_by=lambda word: word.span)
    )
    edits = [Edit(word.span, f"<{number}>") for number, word in enumerate(chosen)]
    result = apply_edits(document.text, edits)
    rest = result
    at = 0
    for edit in sorted(edits, key=lambda edit: edit.span.start):
        kept = document.text[at : edit.span.start]
        assert rest.startswith(kept + edit.replacement)
        rest = rest[len(kept + edit.replacement) :]
        at = edit.span.end
    assert rest == document.text[at:]
