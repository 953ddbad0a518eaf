"""The pull-request comment, against snapshots that ``pytest --update-cases`` writes anew."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import report_samples as samples

from imgopt.report.markdown import code, escaped, markdown_table, suggestions
from imgopt.suggest.result import Report

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("textbook", samples.report(samples.textbook())),
        (
            "mixed",
            samples.report(
                samples.textbook(), samples.gaps(), samples.good(), samples.skipped(), errors=True
            ),
        ),
        ("good", samples.report(samples.good())),
        ("nothing", samples.report(errors=True)),
    ],
)
def test_suggest(name: str, report: Report, request: pytest.FixtureRequest) -> None:
    path = SNAPSHOTS / f"{name}.md"
    shown = suggestions(report)
    if request.config.getoption("--update-cases"):
        path.write_text(shown, encoding="utf-8", newline="\n")
    assert shown == path.read_text(encoding="utf-8")


def test_the_diff_cannot_end_its_own_fence() -> None:
    rewrite = replace(samples.textbook().rewrite, text="RUN echo '````'\n</details>\n")
    shown = suggestions(samples.report(replace(samples.textbook(), rewrite=rewrite)))
    fence = re.search(r"^(`+)diff$", shown, re.MULTILINE)
    assert fence is not None and len(fence[1]) == 5
    assert shown.count("</details>") == 3  # the one in the fence, and those of the clients and the change


def test_a_comment_stays_below_githubs_limit() -> None:
    long = "".join(f"RUN echo {number}\n" for number in range(2000))
    rewrite = replace(samples.textbook().rewrite, text=long)
    files = [replace(samples.textbook(), path=f"{number}/Dockerfile", rewrite=rewrite) for number in range(5)]
    shown = suggestions(samples.report(*files))
    assert len(shown) < 65_536
    assert "run `imgopt rewrite --diff 4/Dockerfile`" in shown


def test_text_is_shown_as_it_is() -> None:
    assert escaped("a*b_c [x](y) <b> `q` #1 ${X}") == r"a\*b\_c \[x\](y) \<b\> \`q\` \#&#8203;1 \${X}"
    assert escaped("@team, GH-1") == "@&#8203;team, GH-&#8203;1"
    assert escaped("https://x www.x") == "https:&#8203;//x www&#8203;.x"
    assert escaped("/close &copy;") == r"\/close &amp;copy;"
    assert escaped("image@sha256:1") == "image@sha256:1"
    assert code("a`b") == "``a`b``"
    assert code("`a`") == "`` `a` ``"
    assert markdown_table(["x"], [["a|b"], [escaped("c|d")]]).splitlines()[2:] == [r"| a\|b |", r"| c\|d |"]
