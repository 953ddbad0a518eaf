"""What a document says beyond what the oracle can check, and how it refuses what is no Dockerfile."""

from __future__ import annotations

import subprocess
import sys

import pytest

from imgopt.dockerfile import MAX_BYTES, Dockerfile, Flag, Instruction, Span, Word, assignments, parse
from imgopt.errors import DockerfileError


def last(text: str | bytes) -> Instruction:
    return parse(text if isinstance(text, bytes) else f"FROM a\n{text}").instructions[-1]


def source(document: Dockerfile, span: Span) -> str:
    return document.text[span.start : span.end]


def test_spans_of_a_small_file() -> None:
    text = "# syntax=docker/dockerfile:1\nARG V=17\n\nFROM --platform=linux/amd64 eclipse-temurin:$V AS Run # x\n"
    with pytest.raises(DockerfileError):  # a comment cannot follow an instruction
        parse(text)
    document = parse(text.replace(" # x", ""))
    arg, from_ = document.instructions
    assert arg.words == (Word("V=17", Span(33, 37)),)
    assert source(document, from_.span) == "FROM --platform=linux/amd64 eclipse-temurin:$V AS Run"
    assert source(document, from_.text_span) == from_.text == "eclipse-temurin:$V AS Run"
    platform = from_.flag("platform")
    assert platform == Flag("platform", "linux/amd64", Span(44, 66), Span(55, 66))
    assert from_.flag("chown") is None
    (stage,) = document.stages
    assert (stage.index, stage.name, stage.image.text, stage.platform) == (
        0,
        "run",
        "eclipse-temurin:$V",
        platform,
    )
    assert source(document, stage.image.span) == "eclipse-temurin:$V"
    assert (stage.line, stage.end_line, stage.instructions) == (4, 4, ())
    assert document.global_args == (arg,)
    assert document.directives == {"syntax": "docker/dockerfile:1"}
    assert document.text[document.directives_end :].startswith("ARG")
    assert document.comments == ()


def test_stages_hold_their_instructions_and_are_found() -> None:
    document = parse(
        "ARG A\nFROM a AS Build\nRUN x\nRUN y\\\n z\nFROM b\nFROM build AS build\nCOPY --from=0 a b\n"
    )
    assert [[each.keyword for each in stage.instructions] for stage in document.stages] == [
        ["RUN"] * 2,
        [],
        ["COPY"],
    ]
    assert [(stage.line, stage.end_line) for stage in document.stages] == [(2, 5), (6, 6), (7, 8)]
    assert document.stage("BUILD") is document.stages[2]
    assert document.stage("build", before=2) is document.stages[0]
    assert document.stage("1") is document.stages[1]
    for unknown in ("3", "-1", "+1", "1_0", "\u0661", "a", "", "9" * 5000):
        assert document.stage(unknown) is None


def test_flags() -> None:
    text = """FROM a\nCOPY --exclude="a=b c" --exclude=d\\=e\\ f --link --chown=j\u00fc --x= --=y g h\n"""
    document = parse(text)
    copy = document.instructions[-1]
    assert [
        (flag.name, flag.value, flag.value_span and source(document, flag.value_span)) for flag in copy.flags
    ] == [
        ("exclude", "a=b c", '"a=b c"'),
        ("exclude", "d=e f", "d\\=e\\ f"),
        ("link", None, None),
        ("chown", "j\u00c3\u00bc", "j\u00fc"),  # so BuildKit reads it, byte by byte
        ("x", "", ""),
        ("", "y", "y"),
    ]
    assert copy.flag("exclude") is copy.flags[1]
    assert copy.text == "g h"
    # the last byte of an a with grave accent is white space, taken alone
    copy = parse("FROM a\nCOPY --from=\u00e0b c d\n").instructions[-1]
    assert (copy.flags[0].value, copy.text) == ("\u00c3", "b c d")


def test_comments_are_those_between_and_inside_instructions_only() -> None:
    text = "# escape=`\n  # one\t \r\nFROM a\nRUN b `\n\t# two `\n  c <<E\n# not this\nE\n#three"
    document = parse(text)
    assert [(each.line, each.text) for each in document.comments] == [
        (2, "# one"),
        (5, "# two `"),
        (9, "#three"),
    ]
    assert all(source(document, each.span) == each.text for each in document.comments)


@pytest.mark.parametrize(
    ("data", "newline", "bom"),
    [
        (b"FROM a\nRUN b\n", "\n", False),
        (b"FROM a\r\nRUN b\r\nRUN c\n", "\r\n", False),
        (b"FROM a\r\nRUN b\n", "\n", False),
        (b"\xef\xbb\xbfFROM a", "\n", True),
    ],
)
def test_line_ends_and_byte_order_mark(data: bytes, newline: str, bom: bool) -> None:
    document = parse(data)
    assert (document.newline, document.bom, document.render()) == (newline, bom, data)


def test_words_of_the_json_form_cover_their_quotes() -> None:
    instruction = last('CMD ["java", \\\n  "-D\\u0061=\\"b\\"" ]\n')
    assert instruction.json == ("java", '-Da="b"')
    document = parse('FROM a\nCMD ["java", \\\n  "-D\\u0061=\\"b\\"" ]\n')
    assert [source(document, word.span) for word in instruction.words] == ['"java"', '"-D\\u0061=\\"b\\""']
    assert last("CMD []").json == () and last("CMD []").words == ()
    assert last(b'FROM a\nCMD ["\xe9\\ud800"]').json == ("\ufffd\ufffd",)


def test_offsets_in_the_text_lead_to_the_source_across_continuations() -> None:
    document = parse("FROM a\nRUN one \\\n  # two\n\n three\n")
    instruction = document.instructions[-1]
    assert instruction.text == "one  three"
    at = instruction.text.index("three")
    assert source(document, instruction.source_span(at, at + 5)) == "three"
    assert source(document, instruction.source_span(0, at + 1)) == "one \\\n  # two\n\n t"
    assert instruction.source_span(3, 3) == Span(14, 14)
    for start, end in [(-1, 2), (3, 2), (0, 11)]:
        with pytest.raises(ValueError, match="not inside"):
            instruction.source_span(start, end)


def test_an_instruction_without_argument_has_an_empty_place_for_it() -> None:
    assert last("RUN").text_span == Span(10, 10)
    assert last("RUN  --mount=a  \n").text_span == Span(21, 21)
    assert last("CMD\n").source_span(0, 0) == Span(10, 10)


def test_heredocs() -> None:
    document = parse("FROM a\nRUN <<-'A' cat <<B\n\tone\n\tA\n$two\nB\nRUN x\n")
    run = document.instructions[1]
    first, second = run.heredocs
    assert (first.tag, first.strip_tabs, first.expand, first.body) == ("A", True, False, "\tone\n")
    assert (second.tag, second.strip_tabs, second.expand, second.body) == ("B", False, True, "$two\n")
    assert source(document, run.span) == "RUN <<-'A' cat <<B\n\tone\n\tA\n$two\nB"
    assert source(document, run.text_span) == run.text == "<<-'A' cat <<B"
    assert (run.line, run.end_line) == (2, 6)
    trigger = last("ONBUILD RUN <<E\nx\nE\n")
    assert (
        trigger.trigger and trigger.heredocs == trigger.trigger.heredocs and trigger.heredocs[0].body == "x\n"
    )
    assert trigger.words == (Word("RUN <<E", Span(15, 22)),)


def test_a_heredoc_is_closed_by_its_tag_alone_on_a_line() -> None:
    assert last("RUN <<E\n E\nE \nEE\nxE\n\tE\nE\r\r\n").heredocs[0].body == " E\nE \nEE\nxE\n\tE\n"
    assert last("RUN <<-E\n\t E\n\t\tE").heredocs[0].body == "\t E\n"
    assert last("COPY <<E.*+ /x\nE.x+\nE.*+\n").heredocs[0].body == "E.x+\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ENV A=b", [("A", "b", "A=b", "b")]),
        ("ENV A=b \"C d\"='e f'", [("A", "b", "A=b", "b"), ('"C d"', "'e f'", "\"C d\"='e f'", "'e f'")]),
        ("ENV A b  c", [("A", "b  c", "A b  c", "b  c")]),
        ("ENV A=\\\n  b", [("A", "", "A=", ""), ("b", None, "b", None)]),
        ("ENV A=x\\\ny B=A=x", [("A", "xy", "A=x\\\ny", "x\\\ny"), ("B", "A=x", "B=A=x", "A=x")]),
        ("ARG A B= C=d", [("A", None, "A", None), ("B", "", "B=", ""), ("C", "d", "C=d", "d")]),
        ("LABEL a b=c", [("a", "b=c", "a b=c", "b=c")]),
        ("LABEL\tx.y=", [("x.y", "", "x.y=", "")]),
        ("RUN A=b", []),
        ("ARG", []),
    ],
)
def test_assignments(line: str, expected: list[tuple[str, str | None, str, str | None]]) -> None:
    if line == "ENV A=\\\n  b":
        with pytest.raises(DockerfileError, match="without a ="):
            last(line)
        return
    document = parse(f"FROM a\n{line}\n")
    found = assignments(document.instructions[-1])
    assert [
        (
            each.name,
            each.value,
            source(document, each.word.span),
            each.value_span and source(document, each.value_span),
        )
        for each in found
    ] == expected


REFUSED: list[tuple[bytes, int, str, str]] = [
    (b"", 1, "the file is empty", "FROM"),
    (b"\n \t\n", 1, "the file is empty", "FROM"),
    (b"\xef\xbb\xbf", 1, "the file is empty", "FROM"),
    (b"\n# FROM a\n", 1, "only comments", "FROM"),
    (b"# escape=`", 1, "the file is empty", "FROM"),
    (b"\n\nARG A\n", 3, "there is no FROM", "FROM"),
    (b"ARG A\nRUN x\nFROM a\n", 2, "RUN before the first FROM", "below a FROM"),
    (b"FROM a\nRUN x\n\0", 3, "NUL byte", "Dockerfile?"),
    ("FROM a\nRUN x\n".encode("utf-16"), 1, "UTF-16", "UTF-8"),
    ("FROM a\nRUN x\n".encode("utf-16-le"), 1, "UTF-16", "UTF-8"),
    ("FROM a\nRUN x\n".encode("utf-16-be"), 1, "UTF-16", "UTF-8"),
    (b"FROM a\n" * (MAX_BYTES // 7 + 1), 1, "more than 4 MiB", "Dockerfile?"),
    (b"FROM a\nRUN " + b"x" * 65532 + b"\n", 2, "longer than 65,535 bytes", "continuation"),
    (b"FROM a\nRUN <<EOF\nEOF\n\nRUN <<A <<B\nA\n", 5, "unterminated heredoc <<B", "close it with a line B"),
    (b"FROM a\nRUN <<EOF\n\n  EOF\n", 2, "unterminated heredoc <<EOF", "line 4 has blanks in front of it"),
    (b'FROM a\nRUN <<-"\tE"\n\tE\n', 2, "unterminated heredoc", "close it"),
    (b"FROM a\nRUN <<${X:-a b}\n", 2, "the here-document's tag", "plain word"),
    (b"FROM a\n\nFORM b\n", 3, "unknown instruction FORM", "did you mean FROM?"),
    (b"FROM a\nentripoint b\n", 2, "unknown instruction entripoint", "did you mean ENTRYPOINT?"),
    (b"FROM a\nRUN b\n    && c\n", 3, "unknown instruction &&", "the line above may lack a \\"),
    (b"# escape=`\nFROM a\nRUN b\n  -c\n", 4, "unknown instruction -c", "the line above may lack a `"),
    (b"FROM a\nRUN b &&\nadduser c\n", 3, "unknown instruction adduser", "the line above may lack a \\"),
    (b"FROM a\nRUN b\nmvn package\n", 3, "unknown instruction mvn", "the line above may lack a \\"),
    (b'FROM a\nCMD ["a",\n"b"]\n', 3, 'unknown instruction "b"]', "the line above may lack a \\"),
    (b"FROM a\nRUN b \\\\ \n  c\n", 3, "unknown instruction c", "two \\ at the end of line 2"),
    (
        b"FROM a\nRUN cat<<EOF\nx\nEOF\n",
        3,
        "unknown instruction x",
        "the << in line 2 begins no here-document",
    ),
    (b"FROM a\nRUN it's <<EOF\nx\nEOF\n", 3, "unknown instruction x", "quotes must match"),
    ("FROM a\nRUN\u00a0b\n".encode(), 2, "unknown instruction RUN\\xa0b", "U+00A0"),
    (b"FROM a\n\x1b[31m\n", 2, "unknown instruction \\x1b[31m", "line above"),
    (b"services:\n  web:\n", 1, "unknown instruction services:", "is this a Dockerfile?"),
    (b"<html>" + b"x" * 100, 1, "unknown instruction <html>" + "x" * 34, "is this a Dockerfile?"),
    (b"FROM a\nONBUILD FROM b\n", 2, "ONBUILD FROM is not allowed", "behind ONBUILD"),
    (b"FROM a\nONBUILD nothing\n", 2, "unknown instruction nothing", "is RUN missing?"),
    (b"FROM a\nONBUILD COPPY a b\n", 2, "unknown instruction COPPY", "did you mean COPY?"),
    (b"FROM\n", 1, "FROM with 0 arguments", "FROM image AS name"),
    (b"FROM a b\n", 1, "FROM with 2 arguments", "FROM image AS name"),
    (b"FROM a is b\n", 1, "FROM without AS: a is b", "FROM image AS name"),
    (b"FROM a\rRUN b\r", 1, "FROM without AS: a\\rRUN b", "single carriage returns"),
    (b"FROM a AS " + b"\x1b" * 60_000, 1, "not a stage name: \\x1b\\x1b", "begin it with a letter"),
    (b"FROM a AS 1st\n", 1, "not a stage name: 1st", "begin it with a letter"),
    (b"FROM a\nENV A\n", 2, "ENV without a value for A", "ENV name=value"),
    (b"FROM a\nLABEL a=b c\n", 2, "LABEL without a = in c", "quote"),
    (b'FROM a\nCMD ["a", 1]\n', 2, "CMD: the JSON form takes strings only", "double quotes"),
    (
        b"FROM a\nVOLUME " + b"[" * 5000 + b"]" * 5000,
        2,
        "VOLUME: the JSON form takes strings only",
        "double quotes",
    ),
    (b"# escape=x\nFROM a\n", 1, "escape character, not x", "`"),
    (b"# syntax=a\n# Syntax=b\nFROM a\n", 2, "a second syntax directive", "keep one"),
    (b"FROM a\n\\\n", 2, "continues nothing", "remove the line"),
    (b"FROM a\n" * 1001, 1001, "more than 1,000 stages", "Dockerfile?"),
]


@pytest.mark.parametrize(("data", "line", "message", "hint"), REFUSED, ids=[row[2] for row in REFUSED])
def test_refusals_say_where_what_and_what_to_do(data: bytes, line: int, message: str, hint: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse(data, "service/Dockerfile.prod")
    error = caught.value
    assert (error.path, error.line, error.exit_code) == ("service/Dockerfile.prod", line, 2)
    assert message in error.message
    assert error.hint and hint in error.hint
    assert len(str(error)) < 1000 and str(error).isprintable()


def test_the_longest_line_that_buildkit_takes() -> None:
    assert parse(b"FROM a\nRUN " + b"x" * 65531 + b"\n").instructions[-1].text == "x" * 65531
    assert parse(b"FROM a\nRUN " + b"x" * 65531).instructions[-1].text == "x" * 65531


def test_utf8_is_demanded_only_where_asked_for() -> None:
    data = b"FROM a\nLABEL a=caf\xe9\n"
    assert parse(data).render() == data
    with pytest.raises(DockerfileError) as caught:
        parse(data, strict_utf8=True)
    assert (caught.value.line, caught.value.message) == (2, "byte 0xe9 in column 12 is not UTF-8")
    assert parse("FROM é", strict_utf8=True).render() == "FROM é".encode()
    with pytest.raises(DockerfileError, match="U\\+D800 cannot be written"):
        parse("FROM a\n# \ud800")


def test_a_text_is_taken_as_well_as_bytes() -> None:
    document = parse("FROM a\r\n# caf\udce9\n", "x")
    assert (document.path, document.render()) == ("x", b"FROM a\r\n# caf\xe9\n")


def test_importing_loads_no_dockerfile_parse() -> None:
    code = "import sys, imgopt.dockerfile; print(*{'dockerfile_parse', 'logging'} & sys.modules.keys())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert run.stdout == "\n"
