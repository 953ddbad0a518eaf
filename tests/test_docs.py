"""The pages of docs/: built without a warning, one for each command and rule, with commands that are there."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Imgopt
from command_line import imgopt as imgopt

from imgopt.cli.app import COMMANDS, OF_FLEET
from imgopt_rules import EVERY_RULE

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("README*.md"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", target],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "WARNING" not in said, said
    return target


def text_of(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_each_command_has_a_page_of_its_help(site: Path) -> None:
    for command in COMMANDS:
        page = text_of(site / "commands" / command / "index.html")
        assert f"Usage: imgopt {command}" in page and "Exit codes" in page
    index = text_of(site / "commands" / "index.html")
    assert all(f"imgopt {command}" in index for command in COMMANDS)


def test_each_rule_has_a_page_of_its_docstring_and_a_row(site: Path) -> None:
    index = " ".join(text_of(site / "rules" / "index.html").split())
    for rule in EVERY_RULE:
        page = " ".join(text_of(site / "rules" / rule.id / "index.html").split())
        plain = " ".join(rule.summary.replace("`", "").split())
        assert plain in page and plain in index
        assert "Why it costs" in page and "Fix safety" in page


def test_no_page_asks_another_site_for_something(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*src="([^"]+)"', page.read_text(encoding="utf-8"))
        loaded += re.findall(
            r'<link[^>]*rel="stylesheet"[^>]*href="([^"]+)"', page.read_text(encoding="utf-8")
        )
        assert loaded and not [each for each in loaded if each.startswith(("http:", "https:", "//"))], page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_that_it_shows_are_there(page: Path, imgopt: Imgopt) -> None:
    shown = re.findall(r"(?m)(?:^|[`'$&| ])imgopt ([a-z]+)\b([^`\n#|;]*)", page.read_text(encoding="utf-8"))
    known: dict[str, str] = {}
    for command, rest in shown:
        if command not in COMMANDS:
            continue
        words = rest.split()
        if command == "fleet" and words and words[0] in OF_FLEET:
            command = f"fleet {words[0]}"
        if command not in known:
            known[command] = imgopt(*command.split(), "--help").text
        help = known[command]
        for option in re.findall(r"(?<=\s)--[a-z][a-z-]*", rest):
            found = re.search(rf"(?m)(^|[\s/,]){option}\b(?!-)", help)
            assert found or option in ("--debug",), (page.name, command, option)
