"""The README: one screen, in two languages with the same commands, with pages and a picture that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imgopt_rules import EVERY_RULE

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


def commands(path: Path) -> list[str]:
    """The lines of its blocks and its commands within a line, without comments: those are translated."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```|((?:^    [^\n]*\n)+)", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in "".join(block).splitlines()]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [re.sub(r"\s+#.*", "", line).strip() for line in lines] + re.findall(r"`([^`\n]+)`", prose)


def test_it_is_one_screen() -> None:
    assert len(READMES[0].read_text().split()) <= 900


def test_both_languages_have_the_same_commands() -> None:
    english, chinese = map(commands, READMES)
    assert english == chinese
    assert len(english) > 15


def test_both_have_the_same_sections_links_and_pictures() -> None:
    def shape(path: Path) -> tuple[int, list[str], int]:
        text = path.read_text(encoding="utf-8").replace("jenkins-kaniko.zh-CN.md", "jenkins-kaniko.md")
        links = [each for each in re.findall(r"\]\(([^)]+)\)", text) if not each.startswith("README")]
        return len(re.findall(r"(?m)^## ", text)), links, text.count("\n|")

    assert shape(READMES[0]) == shape(READMES[1])


@pytest.mark.parametrize(
    "path", [*READMES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda path: path.name
)
def test_what_it_links_to_is_there(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_it_counts_the_rules() -> None:
    for path in READMES:
        (number,) = re.findall(r"\[(\d+) (?:rules|条规则)\]", path.read_text(encoding="utf-8"))
        assert int(number) == len(EVERY_RULE)
