"""Every Markdown report as GitHub and GitLab render it: CommonMark with tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import report_samples as samples
from boot_jar import boot_jar, elf, library
from command_line import Imgopt, imgopt
from image_samples import docker_archive, layer
from markdown_it import MarkdownIt
from markdown_it.token import Token
from test_caveats import DIFFERENT, OPEN, SAME, compared

from imgopt.comparison.behaviour import Behaviour
from imgopt.registry.result import PushedBlob, PushResult
from imgopt.report import comparison, markdown, push

__all__ = ["imgopt"]

RENDERER = MarkdownIt("commonmark").enable("table")


def texts(tokens: list[Token]) -> Iterator[str]:
    """What is read as words; code is what it is."""
    for token in tokens:
        for child in token.children or ():
            if child.type == "text":
                yield child.content


def cells(tokens: list[Token]) -> Iterator[list[list[str]]]:
    """Each table: its rows of cells, as they are read."""
    rows: list[list[str]] = []
    for before, token in zip([tokens[0], *tokens], tokens, strict=False):
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and before.type in ("td_open", "th_open"):
            rows[-1].append(token.content)
        elif token.type == "table_close":
            yield rows


def assert_reads_well(source: str) -> None:
    """One line and one table first; lists apart from each other, and from what is around them; no sign that was meant to
    mark something; no figure missing; what is folded away is closed again."""
    tokens = RENDERER.parse(source)
    for text in texts(tokens):
        assert "`" not in text and "**" not in text and "<details" not in text, text
    outer = [token for token in tokens if token.level == 0 and token.type not in ("html_block", "inline")]
    kinds = [token.type.removesuffix("_open") for token in outer if not token.type.endswith("_close")]
    assert kinds[0] in ("heading", "table"), kinds
    if "table" in kinds:
        assert kinds[: kinds.index("table")] in (
            [],
            ["heading"],
            ["heading", "paragraph"],
            ["heading", "heading"],
        )
    blocks = [token for token in tokens if token.level == 0 and not token.type.endswith("_close")]
    for one, other in pairwise(token.type.removesuffix("_open") for token in blocks):
        assert (one, other) != ("bullet_list", "bullet_list")
    # a list whose items have paragraphs ran into another one
    inside = 0
    for token in tokens:
        inside += token.type == "list_item_open"
        inside -= token.type == "list_item_close"
        if token.type == "paragraph_open" and inside:
            assert token.hidden, source
    for rows in cells(tokens):
        titles = rows[0]
        assert all(len(row) == len(titles) for row in rows)
        for row in rows[1:]:
            for title, cell in zip(titles[1:], row[1:], strict=True):
                assert cell or title in ("", "at"), (titles, row)
        assert all(titles[1:]) or titles == ["", ""], titles
    folded = " ".join(token.content for token in tokens if token.type == "html_block")
    assert folded.count("<details") == folded.count("</details>") == folded.count("<summary>")
    assert not re.search(r"</details>\S", source)


GAPS = (samples.textbook(), samples.gaps(), samples.good())


@pytest.mark.parametrize(
    "report",
    [
        samples.report(samples.textbook()),
        samples.report(samples.gaps(), errors=True),
        samples.report(samples.good()),
        samples.report(*GAPS),
        samples.report(*GAPS, samples.skipped(), errors=True),
        samples.report(*samples.fleet()),
        samples.report(
            replace(samples.textbook(), warnings=("`jlink` of line 3 | is not read", "say `--jar-size`"))
        ),
    ],
    ids=["textbook", "gaps", "good", "three", "mixed", "thirteen", "warnings"],
)
def test_suggest(report: samples.Report) -> None:
    shown = markdown.suggestions(report)
    assert_reads_well(shown)
    before = shown.partition("push, fresh agent")[0]
    assert before == shown or before.count("<details>") > before.count(
        "</details>"
    )  # clients are folded away


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    libraries = {
        "core-1.jar": library(size=3_000_000, seed=1),
        "core-2.jar": library(size=3_000, seed=2),
        "native-1.jar": library({"META-INF/native/libx.so": elf(("libc.so.6",))}, 4000, seed=3),
    }
    boot_jar(tmp_path / "app.jar", version="3.5.4", libraries=libraries)
    (tmp_path / "Dockerfile").write_text(
        "FROM eclipse-temurin:17-jdk\nCOPY app.jar /app.jar\nRUN chmod 640 /app.jar\n"
        'ENTRYPOINT ["java", "$JAVA_OPTS", "-jar", "/app.jar"]\n'
    )
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "Dockerfile").write_text("FROM eclipse-temurin:17-jre\nRUN echo `date`\n")
    docker_archive(
        tmp_path / "image.tar",
        [
            layer({"app/app.jar": (tmp_path / "app.jar").read_bytes(), "odd`|name": b"x" * 3000}),
            layer({"app/.wh.app.jar": b"", "../out": b"x"}),
        ],
    )
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "suggest Dockerfile",
        "suggest Dockerfile small/Dockerfile",
        "gate image.tar --max-size 1MB --max-waste 1% --forbid jdk",
        "gate image.tar --max-size 900MB",
        "gate --predict Dockerfile small/Dockerfile --max-size 100MB --max-next-push 2MB",
        "inspect image.tar",
        "inspect image.tar --depth 3",
        "jar app.jar",
        "explain jdk-runtime",
        "rules",
    ],
)
def test_what_is_written_here(imgopt: Imgopt, project: Path, command: str) -> None:
    run = imgopt(*command.split(), "--format", "markdown")
    assert run.text.strip(), run.err
    assert_reads_well(run.text)


@pytest.mark.parametrize("behaviour", [Behaviour((SAME,), True, True), Behaviour((DIFFERENT, OPEN), True)])
def test_compare(behaviour: Behaviour) -> None:
    shown = comparison.markdown(compared(samples.textbook(), behaviour))
    assert_reads_well(shown)
    assert "saved" in shown


def test_push() -> None:
    """A registry that refuses and mounts stands in tests/registry; here only the words are looked at."""
    blob = PushedBlob("sha256:3", "sha256:1", 5_000_000, "sent", 5_000_000)
    notes = ("use `--verify`", "an earlier run was cut")
    result = PushResult("a", "b", "linux/amd64", "sha256:2", (blob,), blob, 3, 1.0, 1.0, notes=notes)
    assert_reads_well(push.markdown(result))
