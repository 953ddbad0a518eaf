"""The HTML reports in a browser: nothing is logged or asked for, and they can be read on a telephone, in the dark and aloud."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
from boot_jar import boot_jar, elf, library
from browser import Browser
from command_line import Imgopt, imgopt
from image_samples import docker_archive, layer
from test_caveats import DIFFERENT, OPEN, SAME, compared

from imgopt.comparison.behaviour import Behaviour
from imgopt.report import comparison_html, suggest_html

__all__ = ["imgopt"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium: sh tests/prepare.sh"),
]
PAGES = ("suggest", "folder", "gate", "inspect", "compare", "fleet")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def page(request: pytest.FixtureRequest, imgopt: Imgopt, tmp_path: Path) -> Path:
    """One report of each kind, as the commands write it; a comparison is made by hand, without an engine."""
    name = request.param
    written = tmp_path / f"{name}.html"
    libraries = {
        "core-1.jar": library(size=3_000_000, seed=1),
        "native-1.jar": library({"META-INF/native/libx.so": elf(("libc.so.6",))}, 4000, seed=3),
    }
    for module in ("orders", "prices"):
        boot_jar(tmp_path / module / "target" / "app.jar", version="3.5.4", libraries=libraries)
        (tmp_path / module / "Dockerfile").write_text(
            "FROM eclipse-temurin:17-jdk\nCOPY target/app.jar /app.jar\nRUN chmod 640 /app.jar\n"
            'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
        )
        (tmp_path / module / "pom.xml").write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId>"
            f"<artifactId>{module}</artifactId><version>1</version></project>"
        )
    jar = (tmp_path / "orders" / "target" / "app.jar").read_bytes()
    deep = {f"usr/share/doc/pack{n}/a-rather-long-name-of-a-file-{n}": b"x" * 3000 * n for n in range(9)}
    docker_archive(
        tmp_path / "image.tar",
        [
            layer(
                {
                    "app/app.jar": jar,
                    "opt/jdk/lib/modules": bytes(range(256)) * 9000,
                    "opt/old.zip": jar,
                    **deep,
                }
            ),
            layer({"opt/.wh.old.zip": b""}),
        ],
    )
    if name == "compare":
        written.write_text(
            comparison_html.page(compared(samples.textbook(), Behaviour((SAME, DIFFERENT, OPEN), True)))
        )
        return written
    if name == "folder":
        written.write_text(suggest_html.page(samples.report(*samples.fleet(), errors=True)))
        return written
    commands: dict[str, list[object]] = {
        "suggest": ["suggest", tmp_path / "orders" / "Dockerfile"],
        "gate": ["gate", tmp_path / "image.tar", "--max-size", "1MB", "--max-waste", "99%"],
        "inspect": ["inspect", tmp_path / "image.tar"],
        "fleet": ["fleet", tmp_path],
    }
    run = imgopt(*commands[name], "--format", "html", "--output-file", written)
    assert written.exists(), run.err
    return written


def trouble(browser: Browser) -> list[Any]:
    """What the page logged, and what it asked for besides itself."""
    logged = [
        each for each in browser.events if each["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled")
    ]
    asked = [
        each["params"]["request"]["url"]
        for each in browser.events
        if each["method"] == "Network.requestWillBeSent"
    ]
    return [*logged, *(url for url in asked if not url.startswith("file:")), *asked[1:]]


#: The contrast of every text with what is behind it, by WCAG 2; words in bars stand on their own colour.
_CONTRAST = """
(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const worst = [];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('svg')) continue;
    const found = ratio(rgb(getComputedStyle(element).color), behind(element));
    if (found < 4) worst.push([node.data.trim().slice(0, 40), found]);
  }
  for (const text of document.querySelectorAll('svg text')) {
    const rect = text.parentElement.querySelector('rect');
    if (!rect || text.parentElement.parentElement.tagName !== 'svg') continue;
    const found = ratio(rgb(getComputedStyle(text).fill), rgb(getComputedStyle(rect).fill));
    if (found < 4) worst.push([text.textContent.slice(0, 40), found]);
  }
  return worst;
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_it_can_be_read(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    assert trouble(browser) == []
    assert browser.value("document.documentElement.scrollWidth") <= width, "the page itself scrolls sideways"
    assert browser.value(_CONTRAST) == []


@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_it_can_be_read_aloud(browser: Browser, page: Path) -> None:
    """Headings go down one by one; columns and rows are named; pictures have words, and what scrolls can be reached."""
    browser.open(page, width=1000)
    levels = browser.value("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(then <= now + 1 for now, then in pairwise(levels)), levels
    assert browser.value("document.documentElement.lang") == "en"
    assert browser.value("document.querySelectorAll('main').length") == 1
    assert browser.value("[...document.querySelectorAll('th')].filter(e => !e.scope).length") == 0
    unnamed = (
        "[...document.querySelectorAll('table')].filter(e => !e.querySelector('thead th[scope=col]')).length"
    )
    assert browser.value(unnamed) == 0
    wordless = (
        "[...document.querySelectorAll('svg')].filter(e => !e.parentElement.closest('svg') && "
        "!e.getAttribute('aria-label') && e.getAttribute('aria-hidden') !== 'true').length"
    )
    assert browser.value(wordless) == 0
    tree = browser.ask("Accessibility.getFullAXTree")["nodes"]
    scrolls = "[...document.querySelectorAll('.wide,pre')].filter(e => e.scrollWidth > e.clientWidth && e.tabIndex < 0).length"
    assert browser.value(scrolls) == 0
    assert any(node.get("role", {}).get("value") == "heading" for node in tree)


@pytest.mark.parametrize("page", ("suggest", "compare", "gate"), indirect=True)
@pytest.mark.parametrize("width", [400, 1400])
def test_lengths_are_in_proportion(browser: Browser, page: Path, width: int) -> None:
    """Of all bars of one report, which show bytes on one scale."""
    browser.open(page, width=width)
    shown = browser.value(
        "[...document.querySelectorAll('figure > svg > svg')].map(e => [e.querySelector('title').textContent,"
        " e.querySelector('rect').getBoundingClientRect().width])"
    )
    scales = []
    for label, long in shown:
        size = re.match(r"([\d.]+) MB", label)
        if size is not None and float(size[1]) > 1:
            scales.append(long / float(size[1]))
    assert scales or page.name == "compare.html"
    assert all(scale == pytest.approx(scales[0], rel=0.05) for scale in scales), shown


@pytest.mark.parametrize("page", ("suggest", "folder", "gate", "compare", "inspect"), indirect=True)
def test_every_colour_is_in_the_legend(browser: Browser, page: Path) -> None:
    browser.open(page, width=1400)
    used = browser.value(
        "[...new Set([...document.querySelectorAll('figure > svg > svg > rect')].map(e => e.getAttribute('fill')))]"
    )
    told = browser.value(
        "[...new Set([...document.querySelectorAll('ul.legend rect')].map(e => e.getAttribute('fill')))]"
    )
    assert used and set(used) <= set(told)


@pytest.mark.parametrize("page", ("inspect",), indirect=True)
def test_the_map_agrees_with_its_legend(browser: Browser, page: Path) -> None:
    browser.open(page, width=1400)
    areas = browser.value(
        "[...document.querySelectorAll('figure svg[viewBox] > rect')].map(e => [e.getAttribute('fill'),"
        " e.getBBox().width * e.getBBox().height])"
    )
    entries = browser.value(
        "[...document.querySelectorAll('ul.legend li')].map(e => [e.querySelector('rect').getAttribute('fill'), e.textContent])"
    )
    told = {colour: float(size[1]) for colour, text in entries if (size := re.search(r"([\d.]+) MB$", text))}
    drawn = {colour: sum(area for fill, area in areas if fill == colour) for colour in told}
    assert len(told) > 2
    for colour, size in told.items():
        share, of_area = size / sum(told.values()), drawn[colour] / sum(drawn.values())
        assert of_area == pytest.approx(share, abs=0.05), (colour, share, of_area)
