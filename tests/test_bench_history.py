"""What `make bench` says of figures that got worse, and keeps."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import history

BEST = {"date": "2026-11-01", "commit": "aaaaaaa", "start": "10.0", "corpus": "50.0", "jar": "", "modules": "60.0", "tar": "900.0"}  # fmt: skip
LATER = {"date": "2026-11-02", "commit": "bbbbbbb", "start": "10.9", "corpus": "40.0", "jar": "", "modules": "60.0", "tar": ""}  # fmt: skip


def test_what_is_more_than_a_tenth_above_the_best_is_said() -> None:
    now = {"start": 11.5, "corpus": 43.9, "jar": 500.0, "modules": 59.0}
    assert history.slower(now, [BEST, LATER]) == [
        "start is 15% slower than the best: 11.5, and 10.0 at aaaaaaa (2026-11-01)"
    ]
    assert history.slower({"start": 10.9, "corpus": 44.1}, [BEST, LATER]) == [
        "corpus is 10% slower than the best: 44.1, and 40.0 at bbbbbbb (2026-11-02)"
    ]
    assert history.slower(now, []) == []


def test_what_is_lost_in_small_steps_is_said() -> None:
    steps = [{**BEST, "start": f"{10 * 1.05**number:.1f}"} for number in range(4)]
    assert len(history.slower({"start": 12.0}, steps)) == 1


def test_a_row_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "history.tsv"
    file.write_text("\t".join(BEST) + "\n" + "\t".join(BEST.values()) + "\n")
    history.append("2026-11-03", "ccccccc+", {"start": 9.96, "tar": 700}, file)
    assert history.read(file)[-1] == {
        "date": "2026-11-03", "commit": "ccccccc+", "start": "10.0", "corpus": "", "jar": "", "modules": "", "tar": "700.0"
    }  # fmt: skip


def test_the_rows_that_are_kept_can_be_read() -> None:
    rows = history.read()
    for row in rows:
        assert list(row) == ["date", "commit", *history.FIGURES]
        assert all(not row[name] or float(row[name]) > 0 for name in history.FIGURES)
