"""imgopt reads a Dockerfile as BuildKit does."""

from __future__ import annotations

from pathlib import Path

import pytest
from buildkit_oracle import as_lines, oracle, refused_later

from imgopt.dockerfile import parse
from imgopt.dockerfile.split import instruction_end, instruction_ends
from imgopt.errors import DockerfileError

REPOSITORY = Path(__file__).resolve().parents[2]
NASTY = Path(__file__).with_name("nasty")
CORPUS = REPOSITORY.parent / "shared" / "corpus"  # 384 files of public projects, where it exists

FILES = sorted(
    path
    for path in [
        *NASTY.glob("*.Dockerfile"),
        *(REPOSITORY / "fixtures").rglob("*Dockerfile*"),
        *CORPUS.rglob("*"),
    ]
    if path.is_file() and path.name not in ("INDEX.tsv", "README.md") and path.suffix != ".dockerignore"
)


def file_id(path: Path) -> str:
    return str(path.relative_to(CORPUS if path.is_relative_to(CORPUS) else REPOSITORY))


def dressed(data: bytes) -> dict[str, bytes]:
    """The same file as other editors save it."""
    unix = data.replace(b"\r\n", b"\n")
    return {
        "as it is": data,
        "CRLF": unix.replace(b"\n", b"\r\n"),
        "byte order mark": b"\xef\xbb\xbf" + data.removeprefix(b"\xef\xbb\xbf"),
        "no final line end": data.rstrip(b"\r\n"),
        "blank line at the end": data + b"\n\n",
        "a continuation at the end": data.rstrip(b"\r\n") + (b" `" if b"escape=`" in data else b" \\"),
    }


# read by newer BuildKits as the file's name says, by the oracle's 0.12.5 otherwise: see test_newer_than_the_oracle
NEWER = {"arguments.Dockerfile", "backtick.Dockerfile"}


@pytest.mark.parametrize("path", [path for path in FILES if path.name not in NEWER], ids=file_id)
def test_same_instructions_as_buildkit(path: Path) -> None:
    for how, data in dressed(path.read_bytes()).items():
        # the package takes no bytes that are not UTF-8; what they stand for is of no consequence here
        text = data.decode("utf-8", "replace")
        expected = oracle(text)
        if expected is None or refused_later(expected):
            with pytest.raises(DockerfileError):
                parse(text)
        else:
            assert as_lines(parse(text)) == expected, how


@pytest.mark.parametrize("path", FILES, ids=file_id)
def test_nothing_is_lost(path: Path) -> None:
    for how, data in dressed(path.read_bytes()).items():
        try:
            document = parse(data)
        except DockerfileError as error:
            assert error.path == "Dockerfile" and error.line and error.hint, how
            continue
        assert document.render() == data, how
        for instruction in document.instructions:
            assert document.text[instruction.span.start :].startswith(
                document.text[instruction.keyword_span.start : instruction.keyword_span.end]
            )
            for at, sign in enumerate(instruction.text):
                span = instruction.source_span(at, at + 1)
                assert document.text[span.start : span.end] == sign


@pytest.mark.parametrize("path", FILES, ids=file_id)
def test_dockerfile_parse_and_its_correction_agree(path: Path) -> None:
    data = path.read_bytes()
    try:
        document = parse(data)
    except DockerfileError:
        return  # its lines have no agreed meaning
    ends = instruction_ends(document.text, document.directives_end, document.escape)
    begins = [document.text.rfind("\n", 0, each.span.start) + 1 for each in document.instructions]
    for begin in begins:
        if begin in ends:
            assert ends[begin] == instruction_end(document.text, begin, document.escape, 1_000_000)


def test_dockerfile_parse_splits_plain_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise AssertionError("the correction was asked for a plain file")

    monkeypatch.setattr("imgopt.dockerfile.parser.instruction_end", refuse)
    text = "# escape=`\nARG A\nfrom a\n# c\nRUN a `\n # c `\n  b `  \n c\n\nCMD [ `\r\n 'a']\n"
    assert [(each.line, each.end_line) for each in parse(text).instructions] == [
        (2, 2),
        (3, 3),
        (5, 8),
        (10, 11),
    ]


@pytest.mark.parametrize(
    ("text", "keyword", "json", "flags", "words", "tags"),
    [
        ("FROM a\nRUN cat << EOF\nx\nEOF\n", "RUN", None, [], ["cat << EOF"], ["EOF"]),
        ("FROM a\nRUN cat <<-'E F' ${A#b} ${A/b/c}\nE F\n", "RUN", None, [], None, ["E F"]),
        ('FROM a\nCMD ["a"] && b\n', "CMD", None, [], ['["a"] && b'], []),
        ('FROM a\nCOPY ["a"] /b\n', "COPY", None, [], ['["a"]', "/b"], []),
        ("# check=skip=all\n# escape=`\nFROM a\nRUN a `\n b\n", "RUN", None, [], ["a  b"], []),
        ("# escape=`\nFROM a\nCOPY --from=C:\\x` y a b\n", "COPY", None, ["C:\\x y"], ["a", "b"], []),
        ('# escape=`\nFROM a\nCOPY --from="`"\\" a b\n', "COPY", None, ['"\\'], ["a", "b"], []),
    ],
)
def test_newer_than_the_oracle(
    text: str, keyword: str, json: object, flags: list[str], words: list[str] | None, tags: list[str]
) -> None:
    """BuildKit 0.34; 0.12.5 reads each of them differently."""
    instruction = parse(text).instructions[-1]
    assert (instruction.keyword, instruction.json) == (keyword, json)
    assert [flag.value for flag in instruction.flags] == flags
    assert words is None or [word.text for word in instruction.words] == words
    assert [heredoc.tag for heredoc in instruction.heredocs] == tags
    assert oracle(text) != as_lines(parse(text))
