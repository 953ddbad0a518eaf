"""The report for people, against snapshots, which ``pytest --update-cases`` writes anew."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import report_samples as samples

from imgopt.report import rules, terminal, text
from imgopt.report.layout import cells, plain, table, visible, width_of, wrapped
from imgopt.rule import Rule
from imgopt.suggest.result import Report

SNAPSHOTS = Path(__file__).parent / "snapshots"
AGAIN = ("services/order/Dockerfile",)

REPORTS = {
    "textbook": samples.report(samples.textbook()),
    "gaps": samples.report(samples.gaps()),
    "good": samples.report(samples.good()),
    "skipped": samples.report(samples.skipped()),
    "mixed": samples.report(samples.textbook(), samples.gaps(), samples.good(), samples.skipped()),
    "fleet": samples.report(*samples.fleet()),
}


@pytest.fixture
def same_as_snapshot(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    def compare(name: str, shown: str) -> None:
        path = SNAPSHOTS / name
        if request.config.getoption("--update-cases"):
            path.write_text(shown, encoding="utf-8", newline="\n")
        assert shown == path.read_text(encoding="utf-8")

    return compare


Compare = Callable[[str, str], None]


def shown(report: Report, **view: object) -> str:
    return plain(text.suggestions(report, text.View(again=AGAIN, **view)))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", REPORTS)
def test_suggest(name: str, width: int, same_as_snapshot: Compare) -> None:
    same_as_snapshot(f"{name}-{width}.txt", shown(REPORTS[name], width=width))


def test_suggest_verbose(same_as_snapshot: Compare) -> None:
    same_as_snapshot("textbook-verbose.txt", shown(REPORTS["textbook"], verbose=True))


def test_suggest_quiet(same_as_snapshot: Compare) -> None:
    same_as_snapshot("mixed-quiet.txt", shown(REPORTS["mixed"], quiet=True))


@pytest.mark.parametrize("width", [80, 100, 110])
@pytest.mark.parametrize("name", REPORTS)
def test_no_line_is_wider_than_the_window(name: str, width: int) -> None:
    for row in shown(REPORTS[name], width=width, verbose=True).splitlines():
        # a command to copy stays whole
        assert cells(row) <= width or "imgopt rewrite" in row


def test_colour_adds_nothing_but_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    lines = text.suggestions(REPORTS["mixed"], text.View(again=AGAIN))
    window = Window()
    terminal.show(lines, window)
    coloured = window.getvalue()
    assert "\x1b[" in coloured
    without = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [row.rstrip() for row in without.splitlines()] == plain(lines).splitlines()


class Window(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_the_users_thirteen_modules() -> None:
    """13 images of 200 MB: 87 minutes at 0.5 MB/s; where the registry mounts, the base they share is sent once."""
    said = shown(REPORTS["fleet"])
    rows = {row.split()[0]: row.split() for row in said.splitlines() if row.strip()}
    assert rows["together"][1:6] == ["986.9", "MB", "c", "922.1", "MB"]
    assert "else the first pushes are 2.60 GB → 1.78 GB (1.4 h → 1.0 h at 0.5 MB/s)" in " ".join(said.split())


def test_a_folder_is_read_from_the_top() -> None:
    """The totals and every file on the first screen, then each rule once; -v has the rest."""
    said = shown(samples.report(*samples.fleet(), errors=True)).splitlines()
    assert said[0].startswith("14 files: 39 findings, 13 would change, 1 could not be read")
    assert len(said) < 70
    first = next(number for number, row in enumerate(said) if row.startswith("high"))
    (error,) = [number for number, row in enumerate(said) if "unterminated heredoc" in row]
    assert (
        error < next(number for number, row in enumerate(said) if row.startswith("  together")) < first < 32
    )
    assert [row.split()[1:] for row in said if row[:6].strip() in ("high", "low")] == [
        ["jdk-runtime", "in", "13", "files"],
        ["fat-jar-layer", "in", "13", "files"],
        ["jar-stored-twice", "in", "13", "files"],
    ]
    assert "modules/module-01 " in said[3] and "..." not in "".join(said[3:17])
    assert len(shown(samples.report(*samples.fleet()), verbose=True).splitlines()) > 300


def test_a_long_name_keeps_both_ends() -> None:
    files = [
        replace(samples.textbook(), path=f"{'deep/' * 9}module-{number}/{'inside/' * 9}Dockerfile.{number}")
        for number in range(4)
    ]
    rows = shown(samples.report(*files)).splitlines()
    names = [row.split()[0] for row in rows if "..." in row and " MB c" in row]
    assert [name[:8] + name[-2:] for name in names] == [f"module-{number}.{number}" for number in range(4)]


def test_what_is_not_known_is_said() -> None:
    said = shown(REPORTS["gaps"])
    assert "at least 65.6 MB" in said
    assert "the base image, RUN in line 3 is unknown" in said
    assert "1 fix needs --unsafe: jdk-runtime" in said
    assert "no jar was read" in " ".join(said.split())


@pytest.mark.parametrize(
    ("first", "following", "said"),
    [
        (3_000_000, 1_000_000, "saves  3.00 MB on the first push, 1.00 MB on each next push (predicted)"),
        (
            -1_000_000,
            1_210_000,
            "saves  1.21 MB on each next push; costs 1.00 MB on the first push (predicted)",
        ),
        (-1_000_000, 0, "costs  1.00 MB on the first push (predicted)"),
        (None, 0, "saves  an unknown amount"),
        (0, 0, ""),
    ],
)
def test_what_a_fix_saves_and_costs(first: int | None, following: int, said: str) -> None:
    file = samples.textbook()
    finding, saving = next(each for each in file.findings if each[1] is not None)
    assert saving is not None
    saving = replace(
        saving, first_push_bytes=first, next_push_bytes=following, basis="predicted", platforms=()
    )
    text = shown(samples.report(replace(file, findings=((finding, saving),))), width=120)
    lines = [
        each.strip() for each in text.splitlines() if each.startswith(("        saves  ", "        costs  "))
    ]
    assert lines == ([said] if said else [])


def test_a_reason_is_said_once() -> None:
    said = " ".join(shown(REPORTS["gaps"]).split())
    assert said.count("start.sh calls jstack") == 1
    assert said.count("build the jar first") == 1
    assert said.count("needs glibc") == 1


def test_no_saving_is_claimed_when_the_old_base_is_unknown() -> None:
    """A known base in place of an unknown one: nobody can say that it is larger or smaller."""
    after = samples.prediction(
        samples.ImageWeight((samples.UNKNOWN_BASE, samples.JAR)),
        samples.ImageWeight((samples.JRE, samples.JAR)),
    )
    said = shown(samples.report(replace(samples.textbook(), prediction=after)))
    size = next(row for row in said.splitlines() if "image size" in row)
    assert size.endswith("unknown")


def test_the_default_bandwidth_is_called_so() -> None:
    assert "bandwidth: default, profile aliyun-personal" in shown(REPORTS["textbook"])
    asked = replace(REPORTS["textbook"], bandwidth_source="--bandwidth")
    assert "default" not in shown(asked)


def test_the_push_clients_are_named_only_when_it_matters() -> None:
    assert "still sent: 65.4 MB" in shown(REPORTS["textbook"])
    assert "still sent" not in shown(REPORTS["gaps"])  # the next push sends as much anyway
    verbose = " ".join(shown(REPORTS["textbook"], verbose=True).split())
    assert samples.DOCKER_PUSH in verbose


def test_dockerfile_text_cannot_act_on_the_terminal() -> None:
    finding, saving = samples.textbook().findings[0]
    evil = replace(finding, message="\x1b]0;owned\x07 [bold]not markup[/bold] \u202egnihton")
    window = Window()
    file = replace(samples.textbook(), path="a\x1b[2Jb", findings=((evil, saving),))
    terminal.show(text.suggestions(samples.report(file), text.View()), window)
    said = re.sub(r"\x1b\[[0-9;]*m", "", window.getvalue())
    assert "\x1b" not in said and "\x07" not in said and "\u202e" not in said
    assert "[bold]not markup[/bold]" in said


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk"])
def test_an_old_encoding_gets_likenesses_not_an_error(encoding: str) -> None:
    lines = text.suggestions(REPORTS["mixed"], text.View())
    said = terminal.encoded(lines, encoding).decode(encoding)
    assert ("支付" in said) == (encoding == "gbk")
    assert "order/Dockerfile" in said


def test_undecodable_bytes_are_written_out() -> None:
    assert visible("caf\udce9") == "caf\\xe9"
    assert visible("a\r\nb\tc") == "a\\r\\nb c"


def test_wide_characters_take_two_cells() -> None:
    assert cells("支付") == 4
    rows = [width_of(row) for row in table([("支付", "1"), ("ab", "22")])]
    assert len(set(rows)) == 1


def test_a_number_keeps_its_unit_and_a_name_stays_whole() -> None:
    rows = plain(wrapped("this saves some 12.5 MB in all", 20)).splitlines()
    assert any("12.5 MB" in row for row in rows)
    name = "registry.example.com/very/long/name:" + "x" * 80
    assert name in plain(wrapped(f"from {name} on", 40))


def test_rules_and_their_explanation(same_as_snapshot: Compare) -> None:
    documented = Documented("jdk-runtime", check_for_a_jdk)
    same_as_snapshot("rules.txt", plain(rules.listed([documented], 80)))
    same_as_snapshot("explain.txt", plain(rules.explained(documented, 80)))
    same_as_snapshot("explain.md", rules.explained_markdown(documented))


def check_for_a_jdk(picture: object) -> tuple[()]:
    return ()


class Documented(Rule):
    @property
    def documentation(self) -> str:
        return """The final stage runs on a JDK, though the application only needs a JRE.

## Why it costs
The compiler, jmods and debugging tools travel with every push and pull, although nothing in the
running application ever asks for them.

- the compiler
- jmods, which alone are
  tens of MB

    FROM eclipse-temurin:21-jdk     # before
    COPY [a-z]*.jar /

```dockerfile
FROM eclipse-temurin:21-jre-alpine
```

## Fix safety
Safe while nothing found here needs the JDK."""


def test_a_lower_bound_that_says_nothing_is_not_said() -> None:
    tiny = samples.ImageWeight(
        (samples.UNKNOWN_BASE, replace(samples.CLASSES, compressed_bytes=40, uncompressed_bytes=40))
    )
    said = shown(samples.report(replace(samples.good(), prediction=samples.prediction(tiny, tiny))))
    (size,) = [row for row in said.splitlines() if row.startswith("  image size")]
    assert size.split() == ["image", "size", "unknown"]
    assert "at least" not in said.partition("\n  p predicted")[0]


def test_one_unknown_file_does_not_hide_the_others() -> None:
    nothing = samples.ImageWeight((samples.UNKNOWN_BASE,))
    unknown = replace(samples.good(), prediction=samples.prediction(nothing, nothing))
    said = shown(samples.report(*samples.fleet(), unknown), width=100)
    (together,) = [row for row in said.splitlines() if row.startswith("  together ")]
    assert "at least 986.9 MB" in together
    (half,) = [row for row in said.splitlines() if row.startswith("    at 0.5 MB/s")]
    assert "at least 32.9 min" in half


def test_a_lower_bound_is_not_set_against_a_whole_figure() -> None:
    """ "at least 172.9 MB → 349.7 MB" reads as a loss; nobody knows whether it is one."""
    textbook = samples.textbook()
    known = textbook.prediction
    assert known is not None
    unknown = replace(samples.JDK, uncompressed_bytes=None)
    before = replace(known.before, layers=(unknown, *known.before.layers[1:]))
    said = shown(samples.report(replace(textbook, prediction=replace(known, before=before))))
    (unpacked,) = [row for row in said.splitlines() if row.startswith("    unpacked")]
    assert unpacked.split() == ["unpacked", "unknown", "248.1", "MB", "p", "unknown"]


def test_a_file_whose_changes_were_declined_is_not_called_good() -> None:
    rewrite = replace(samples.gaps().rewrite, not_applied=samples.gaps().rewrite.not_applied[:1])
    said = shown(samples.report(replace(samples.gaps(), findings=(), rewrite=rewrite)))
    assert "nothing to save" not in said and "needs glibc" in said


def test_a_file_without_java_gets_one_line() -> None:
    other = replace(samples.good(), java=None, good=None, clear=True, path="web/Dockerfile")
    said = shown(samples.report(other), width=100)
    assert said == "web/Dockerfile: no Java application recognised; nothing to save was found\n"
    warned = replace(other, warnings=("line 3 copies what is not there",))
    assert "image size" in shown(samples.report(warned))
    assert "image size" in shown(samples.report(other), verbose=True)
