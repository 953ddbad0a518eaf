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

SPACES = [
    " ",
    " ",
    " ",
    "  ",
    "\t",
    "\\\n",
    " \\\n    ",
    "\\ \t\n ",
    " \\\r\n",
    " \\\n# c \\\n",
    " \\\n\n",
    " \\\n \t\n\t# c\n  ",
]
BREAKS = [*["\n"] * 8, "\r\n", "\r\n", "\r\r\n", "\n\n", "\n  # c\n", "\n\\\n", "\n# c \\\n"]
SOUP = [
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
        "1",
        "[",
        "]",
        "{",
        "}",
        ",",
        "(",
        ")",
        "*.jar",
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
        "x<<EOF",
        "\\<<EOF",
        "'<<EOF'",
        "é",
        "\u00a0",
        "\u3000",
        "日本",
        "\v",
        "\f",
        "\r",
        "\x1c",
        "\x85",
        "\ufeff",
    ],
]
VALUES = [
    "b",
    "",
    '"b c"',
    "'b c'",
    "b\\ c",
    '"b \\" c"',
    "$A",
    "${B:-c d}",
    "=b=",
    "b\\\nc",
    '"b \\\n c"',
    "é",
    "#",
    '"',
    "'",
    "\\\\",
]
ARRAYS = [
    '["a", "b"]',
    '["a"]',
    '[ "a" ,"\\u00e9\\n" ]',
    "[]",
    '["a", \\\n  "b"]',
    '["a", 1]',
    '["a",]',
    '["\\x"]',
    "['a']",
]
HEADS = [
    "",
    "",
    "# syntax=docker/dockerfile:1\n",
    "\ufeff",
    "# escape=`\n",
    "#escape = ` \r\n",
    "# escape=\\\n",
]
ODD_HEADS = [
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
LINES = [
    "echo\n",
    "RUN a \\\n",
    "# c\n",
    "\n",
    "\n\n",
    "EOF \n",
    " EOF\n",
    "\tEOF\n",
    "EOF\n",
    "FROM x\r\n",
    "$A\\\n",
]

spaces = st.sampled_from(SPACES)
soup = st.lists(st.tuples(st.sampled_from(SOUP), spaces | st.just("")).map("".join), max_size=6).map("".join)
pairs = st.tuples(st.sampled_from(["A", "b.c", "'d e'", "${A}_F"]), st.sampled_from(VALUES)).map("=".join)


@st.composite
def heredocs(draw: st.DrawFn) -> tuple[str, str]:
    """Arguments that announce here-documents, and the lines that follow."""
    arguments, bodies = [draw(st.just("cat") | soup)], []
    for tag in draw(st.lists(st.sampled_from(["EOF", "X", "E F", "e.sh", "$A"]), min_size=1, max_size=3)):
        quote = "'" if " " in tag else draw(st.sampled_from(["", "", "'", '"']))
        tabs = draw(st.sampled_from(["", "-"]))
        arguments += [draw(spaces), draw(st.sampled_from(["", "", "", "3"])), f"<<{tabs}{quote}{tag}{quote}"]
        bodies += draw(st.lists(st.sampled_from(LINES), max_size=3))
        bodies.append(("\t" if tabs else "") + tag + draw(st.sampled_from(["\n", "\n", "\r\n"])))
    arguments += [" ", draw(st.sampled_from(["", "/x/", "cat", "&& b"]))]
    return "".join(arguments), "".join(bodies)


@st.composite
def instructions(draw: st.DrawFn) -> str:
    keyword = written = draw(st.sampled_from(sorted(KEYWORDS)))
    if keyword == "ONBUILD":
        keyword = draw(st.sampled_from(sorted(KEYWORDS - {"FROM", "MAINTAINER", "ONBUILD"})))
        written = f"ONBUILD {keyword}"
    form = draw(st.sampled_from(["usual", "usual", "lower case", "split"]))
    if form == "lower case":
        written = written.lower()
    elif form == "split":
        written = f"{written[:2]}\\\n{written[2:]}"
    arguments, bodies = draw(soup), ""
    match keyword, draw(st.sampled_from(["usual", "usual", "array", "soup"])):
        case "FROM", _:
            arguments = draw(
                st.sampled_from(["a", "b AS c", "--platform=x b \\\n as D", "$A", "a b", "a AS 1"])
            )
        case "ENV" | "LABEL" | "ARG", "usual" | "array":
            arguments = draw(spaces).join(draw(st.lists(pairs, max_size=3)))
        case "HEALTHCHECK", "usual" | "array" as how:
            rest = arguments if how == "usual" else draw(st.sampled_from(ARRAYS))
            arguments = f"--interval=5s {draw(spaces)}{draw(st.sampled_from(['CMD', 'cmd', 'NONE']))} {rest}"
        case _, "array":
            arguments = draw(st.sampled_from(["", "", "--a=b "])) + draw(st.sampled_from(ARRAYS))
        case "RUN" | "COPY" | "ADD", "usual":
            arguments, bodies = draw(heredocs())
    return written + draw(spaces) + arguments + draw(st.sampled_from(["\n"] if bodies else BREAKS)) + bodies


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    body = draw(st.sampled_from(FROMS)) + "".join(draw(st.lists(instructions(), max_size=5)))
    head = draw(st.sampled_from(HEADS))
    if "`" in head:
        body = body.replace("\\\n", "`\n")
    if draw(st.sampled_from([False] * 15 + [True])):
        head = draw(st.sampled_from(ODD_HEADS))
    text = head + body
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
    refused, document = None, None
    try:
        document = parse(text)
    except DockerfileError as error:
        refused = error
    if newer_than_oracle(text, document):
        return
    expected = oracle(text)
    if refused:
        assert refused.path and refused.line and refused.hint
        assert expected is None or refused_later(expected)
    else:
        assert expected is not None and not refused_later(expected)
        assert document and as_lines(document) == expected


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

    line_end = 0
    for instruction in document.instructions:
        assert source(instruction.span).rstrip("\r") == source(instruction.span)
        # a lone continuation character above the keyword belongs to the instruction, but not to its span
        assert line_end < instruction.line <= 1 + text.count("\n", 0, instruction.span.start)
        assert instruction.end_line == 1 + text.count("\n", 0, instruction.span.end)
        line_end = instruction.end_line
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
