"""What findings save adds up to the difference between the image and its rewrite; no byte is told of two of them."""

from __future__ import annotations

from imgopt.suggest.result import FileReport


def assert_sums_close(report: FileReport) -> None:
    """Of every figure that is known whole. An applied finding that knows nothing of its bytes has to stand where a part
    of the image is not known."""
    prediction = report.prediction
    if prediction is None:
        return
    for name, before, after in (
        ("first_push_bytes", prediction.before.first_push, prediction.after.first_push),
        ("next_push_bytes", prediction.before.next_push, prediction.after.next_push),
    ):
        if not (before.complete and after.complete):
            continue
        assert before.value is not None and after.value is not None
        saved = [
            (finding, getattr(saving, name) or 0) for finding, saving in report.findings if saving is not None
        ]
        told = sum(count for finding, count in saved if finding.applied)
        assert told == before.value - after.value, (name, saved)
        assert sum(count for _, count in saved) <= before.value, (name, saved)
