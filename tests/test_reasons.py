"""Reasons are data: what is said names instructions, and the line is that of the text that is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Imgopt
from command_line import imgopt as imgopt
from test_cases import FOLDERS, look, name_of

from imgopt.dockerfile import Dockerfile, Edit, Instruction, Span, apply_edits, parse
from imgopt.finding import Declined, Finding, Place, Refused, Sentence, because, listed, say
from imgopt.suggest.result import FileReport
from imgopt.suggest.rounds import Rounds
from imgopt.suggest.sentence import line_of, sentence

POM = """<project><modelVersion>4.0.0</modelVersion><parent><groupId>org.springframework.boot</groupId>
<artifactId>spring-boot-starter-parent</artifactId><version>3.4.1</version></parent><groupId>example</groupId>
<artifactId>app</artifactId><version>1</version><properties><java.version>21</java.version></properties><build>
<finalName>app</finalName><plugins><plugin><groupId>org.springframework.boot</groupId>
<artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build></project>"""
SINGLE_STAGE = """FROM maven:3.9-eclipse-temurin-21
WORKDIR /build
COPY pom.xml .
COPY src src
RUN mvn -B package
{}EXPOSE 8080
ENTRYPOINT ["java", "-jar", "/build/target/app.jar"]
"""
INSTALL = "RUN apt-get update && apt-get install -y curl\n"


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is built with Maven in the only stage of its Dockerfile."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pom.xml").write_text(POM)
    (tmp_path / "src/main/java/example").mkdir(parents=True)
    (tmp_path / "src/main/java/example/App.java").write_text("package example; class App {}\n")
    (tmp_path / "Dockerfile").write_text(SINGLE_STAGE.format(INSTALL))
    return tmp_path


def named(text: str, original: str, rewrite: str) -> list[Instruction]:
    """The instructions that a sentence names, looked up as a reader does: in the original, or where it says "of the
    rewrite" in what is printed."""
    found = []
    for line, of_rewrite in re.findall(r"\bline (\d+)( of the rewrite)?", text):
        shown = parse(rewrite if of_rewrite else original)
        found += [each for each in shown.instructions if each.line == int(line)]
    return found


def test_a_single_stage_maven_file_is_told_the_line_of_its_own_run(imgopt: Imgopt, maven: Path) -> None:
    """What is found in the stage that the rewrite adds: the line in the message is the one a reader finds."""
    (file,) = imgopt("suggest", "--format", "json", "Dockerfile").json["files"]
    printed = imgopt("rewrite", "Dockerfile").text
    original = (maven / "Dockerfile").read_text()
    order = next(each for each in file["findings"] if each["rule"] == "layer-order")
    for text in (order["message"], order["fix"]["description"]):
        (run,) = named(text, original, printed)
        assert run.keyword == "RUN" and "apt-get install -y curl" in run.text
    assert imgopt("suggest", "Dockerfile").text.count("of the rewrite") == 0


def test_what_only_the_rewrite_has_is_told_with_its_line_there(imgopt: Imgopt, maven: Path) -> None:
    """The COPY that brings the jar into the added stage: no line of the original."""
    change = "RUN useradd -u 1001 app && chown -R app /opt/x\n"
    (maven / "Dockerfile").write_text(
        SINGLE_STAGE.format(
            "RUN mkdir -p /opt/x && mv target/app.jar /opt/x/app.jar\n" + change + INSTALL
        ).replace("/build/target/app.jar", "/opt/x/app.jar")
    )
    options = ("--ignore", "fat-jar-layer")
    (file,) = imgopt("suggest", "--format", "json", *options, "Dockerfile").json["files"]
    printed = imgopt("rewrite", *options, "Dockerfile").text
    fix = next(each for each in file["findings"] if each["rule"] == "jar-stored-twice")["fix"]
    assert "of the rewrite" in fix["description"]
    (copy,) = named(fix["description"], file["rewrite"]["text"], printed)
    assert (copy.keyword, copy.words[-1].text) == ("COPY", "/opt/x/app.jar")
    assert fix["reason"]["places"] == [{"line": copy.line, "of": "rewrite"}]


# over all cases


def said(report: FileReport) -> Iterator[str | Sentence]:
    """Everything that findings and what was declined say."""
    for finding, _ in report.findings:
        yield finding.message
        if finding.fix is not None:
            yield finding.fix.description
            if finding.fix.risk is not None:
                yield finding.fix.risk
    for entry in report.rewrite.not_applied:
        yield entry.why


def words(instruction: Instruction) -> tuple[str, str]:
    return instruction.keyword, instruction.text


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_each_line_that_is_named_is_that_of_the_instruction(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "orders"  # what a case has beside it stays in this test's directory
    root.mkdir()
    report = look(folder, root, (folder / "before.Dockerfile").read_bytes(), only=None)
    texts = {"original": parse(report.original), "rewrite": parse(report.rewrite.text)}
    for each in said(report):
        parts = each.parts if isinstance(each, Sentence) else (each,)
        written = " ".join(part for part in parts if isinstance(part, str))
        assert not re.search(r"\blines? \d", written), f"a number that names no place: {written}"
        for place in each.places if isinstance(each, Sentence) else ():
            assert place.text != "between", sentence(each)
            line = line_of(place)
            there = next(other for other in texts[place.text].instructions if other.line == line)
            assert words(there) == words(place.instruction)
            assert re.search(rf"\blines? .*\b{line}\b", sentence(each))


# in the formats


def fixes_and_reasons(file: dict[str, Any]) -> dict[str, dict[str, Any]]:
    declined = {each["rule"]: each["reason"] for each in file["rewrite"]["not_applied"]}
    fixes = {each["rule"]: each["fix"]["reason"] for each in file["findings"] if each["fix"]}
    return declined | {rule: reason for rule, reason in fixes.items() if reason}


@pytest.mark.parametrize(
    ("text", "rule", "kind", "lines", "package"),
    [
        ("FROM eclipse-temurin:17-jdk\nRUN jcmd 1 help\n", "jdk-runtime", "certain", [2], None),
        ('FROM eclipse-temurin:17-jdk\nCMD ["/run.sh"]\n', "jdk-runtime", "unseen", [2], None),
        (
            "FROM eclipse-temurin:17-jre\nCOPY app.jar /a.jar\nHEALTHCHECK CMD bash -c true\n"
            'CMD ["java", "-jar", "/a.jar"]\n',
            "glibc-runtime",
            "lacks-package",
            [3],
            "bash",
        ),
        ("FROM eclipse-temurin:17-jdk@sha256:" + "0" * 64 + "\n", "jdk-runtime", "not-known", [], None),
    ],
)
def test_a_reason_says_its_kind_and_its_lines(
    imgopt: Imgopt,
    tmp_path: Path,
    text: str,
    rule: str,
    kind: str,
    lines: list[int],
    package: str | None,
) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    (file,) = imgopt("suggest", "--format", "json", tmp_path / "Dockerfile").json["files"]
    reason = fixes_and_reasons(file)[rule]
    assert (reason["kind"], reason["package"]) == (kind, package)
    assert reason["places"] == [{"line": line, "of": "original"} for line in lines]
    strings = [each["why"] for each in file["rewrite"]["not_applied"]]
    strings += [each["fix"]["risk"] or each["fix"]["description"] for each in file["findings"] if each["fix"]]
    assert reason["text"] in strings


def test_what_waits_for_unsafe_says_so(imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM eclipse-temurin:17-jdk\nCMD ["/run.sh"]\n')
    (file,) = imgopt("suggest", "--format", "json", tmp_path / "Dockerfile").json["files"]
    waiting = next(each for each in file["rewrite"]["not_applied"] if each["rule"] == "jdk-runtime")
    (finding,) = (each for each in file["findings"] if each["rule"] == "jdk-runtime")
    assert waiting["reason"]["kind"] == "needs-unsafe"
    assert waiting["why"] == f"needs --unsafe: {finding['fix']['risk']}"
    assert finding["fix"]["reason"]["kind"] == "unseen"


def test_sarif_relates_the_lines_that_a_message_names(imgopt: Imgopt, maven: Path) -> None:
    (run,) = imgopt("suggest", "Dockerfile", "--format", "sarif").json["runs"]
    order = next(each for each in run["results"] if each["ruleId"] == "layer-order")
    (related,) = order["relatedLocations"]
    assert related["physicalLocation"]["region"] == {"startLine": 6, "endLine": 6}
    assert "line 6" in order["message"]["text"]
    assert all(each["relatedLocations"] for each in run["results"] if "relatedLocations" in each)


# between rounds

BEFORE = "FROM a\nRUN one\nRUN two\nRUN two\nCMD x\n"


def first(document: Dockerfile, text: str) -> Instruction:
    return next(each for each in document.instructions if each.text == text)


def through(*steps: list[tuple[str, str]]) -> Rounds:
    """Rounds whose edits replace the first place where a text stands."""
    texts, edits = [BEFORE], []
    for step in steps:
        made = []
        for old, new in step:
            at = texts[-1].index(old)
            made.append(Edit(Span(at, at + len(old)), new))
        edits.append(made)
        texts.append(apply_edits(texts[-1], made))
    return Rounds([parse(text) for text in texts], edits)


def shown(rounds: Rounds, number: int, text: str) -> str:
    place = Place(first(rounds.documents[number], text))
    return sentence(say("{}", rounds.shown(place, number)))


@pytest.mark.parametrize(
    ("steps", "number", "text", "expected"),
    [
        ([[("FROM a\n", "FROM b\n# note\n")]], 1, "one", "line 2"),
        ([[("RUN one\n", "RUN zero\nRUN one more\n")]], 1, "one more", "line 3 of the rewrite"),
        ([[("one", "one && three")]], 1, "one && three", "line 2"),
        ([[("RUN one\n", ""), ("CMD x", "RUN one\nCMD x")]], 1, "one", "line 2"),
        ([[("RUN one", "RUN new")], [("FROM a", "FROM a AS b\nRUN top")]], 1, "new", "line 3 of the rewrite"),
        ([[("RUN one", "RUN new")], [("RUN new\nRUN two", "RUN all")]], 1, "new", "`RUN new`"),
        (
            [[("RUN one", "RUN new")], [("RUN new\n", ""), ("CMD", "USER y\nRUN new\nCMD")]],
            1,
            "new",
            "line 5 of",
        ),
        ([[("RUN one\n", "")], [("RUN two\n", "")], [("FROM a", "FROM c")]], 2, "two", "line 4"),
    ],
    ids=["moves down", "only there", "edited", "moved", "moves on", "gone", "moved on", "three rounds"],
)
def test_where_an_instruction_is_shown(
    steps: list[list[tuple[str, str]]], number: int, text: str, expected: str
) -> None:
    assert shown(through(*steps), number, text).startswith(expected)


def test_of_two_with_the_same_words_neither_is_guessed() -> None:
    """Both RUN lines are written anew: which of the original's a new one is cannot be told, so the rewrite's counts."""
    rounds = through([("RUN two\nRUN two\n", "RUN two\nRUN three\nRUN two\n")])
    assert shown(rounds, 1, "two") == "line 3 of the rewrite"


# no text is made of a reason but where it is shown


def test_a_sentence_is_no_text() -> None:
    run = parse(BEFORE).instructions[1]
    for spoken in (say("{} calls it", run), because("certain", "{} calls it", run)):
        with pytest.raises(TypeError, match="sentence"):
            str(spoken)
        with pytest.raises(TypeError, match="sentence"):
            f"{spoken}"
        assert sentence(spoken) == "line 2 calls it"
    with pytest.raises(TypeError, match="sentence"):
        str(Refused("{} calls it", run))
    with pytest.raises(ValueError, match="1 values"):
        say("no place", run)


@pytest.mark.parametrize("value", ["{}", "{0}", "{{x}}", "%s", "line 7", "\n", ""])
def test_values_are_said_as_they_are(value: str) -> None:
    run = parse(BEFORE).instructions[1]
    inner = say("{} has {}", run, value)
    assert sentence(because("unseen", "{}; {} too", inner, value)) == f"line 2 has {value}; {value} too"


def test_lists_of_lines() -> None:
    instructions = parse(BEFORE).instructions
    assert sentence(listed(instructions[1:2])) == "line 2"
    assert sentence(listed(instructions[1:3])) == "lines 2 and 3"
    assert sentence(listed(instructions[1:4])) == "lines 2, 3 and 4"


def test_finding_and_declined_hold_reasons() -> None:
    """What asks a reason asks its kind: a plain string has none."""
    assert Declined.__annotations__["why"] == "Reason"
    assert Finding.__annotations__["message"] == "str | Sentence"
    assert json.dumps(because("contradicts", "x").kind) == '"contradicts"'
