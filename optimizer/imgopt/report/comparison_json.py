"""`imgopt compare --format json`: the shape of the contract's before and after, measured, and what else was compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgopt.report.json import file_object
from imgopt.suggest.sentence import sentence

if TYPE_CHECKING:
    from imgopt.comparison.compare import Comparison, NextRelease, PredictedPush, Pushed
    from imgopt.comparison.measure import MeasuredImage
    from imgopt.registry.result import PushResult
    from imgopt.weigh.weights import PushTime

Object = dict[str, Any]


def comparison_object(found: Comparison) -> Object:
    """What stands beside the envelope."""
    file = file_object(found.file)
    return {
        "compared": True,
        "path": found.file.path,
        "engine": {"name": found.engine, "description": found.engine_description},
        "images": {
            "before": identity(found.before),
            "after": identity(found.after),
        },
        "before": image(found.before, found.next_release),
        "after": image(found.after, found.next_release),
        "first_push_bytes": _pair(found.before.compressed.value, found.after.compressed.value),
        "next_push_bytes": _next_bytes(found.next_release, patch=False),
        "bump_push_bytes": _next_bytes(found.next_release, patch=True),
        "push": [_times(found, each) for each in found.push],
        "behaviour": {**found.behaviour.as_json(), "not_run": found.not_run},
        "next_release": None if found.next_release is None else _next_release(found.next_release),
        "pushed": None if found.pushed is None else _pushed(found, found.pushed),
        "difference": found.difference.as_json(),
        "notes": list(found.notes),
        "warnings": file["warnings"],
        "rewrite": file["rewrite"],
        "findings": file["findings"],
        "prediction": file["prediction"],
    }


def identity(image: MeasuredImage) -> Object:
    return {
        "reference": image.reference,
        "id": image.image_id,
        "platform": image.platform,
        "architecture": image.platform.partition("/")[2],
        "base": image.base,
        "stand_in_for": image.stand_in,
        "build_seconds": round(image.build_seconds, 3),
    }


def image(image: MeasuredImage, release: NextRelease | None = None) -> Object:
    patch = release is not None and release.patch
    return {
        "compressed_bytes": image.compressed.value,
        "uncompressed_bytes": image.uncompressed.value,
        "complete": image.compressed.complete,
        "basis": image.compressed.basis,
        "layers": [
            {
                "instruction": layer.instruction,
                "line": layer.line,
                "compressed_bytes": layer.compressed_bytes,
                "uncompressed_bytes": layer.uncompressed_bytes,
                "changes_each_release": None if patch else layer.changes,
                "changes_each_bump": layer.changes if patch else None,
                "basis": layer.basis,
                "from_base": layer.from_base,
                "note": layer.note,
                "diff_id": layer.diff_id,
                "blob_digest": layer.blob_digest,
            }
            for layer in image.layers
        ],
    }


def _times(found: Comparison, push: PushTime) -> Object:
    measured = found.next_release is not None and found.next_release.before is not None
    return {
        "bandwidth_bytes_per_s": push.bandwidth_bytes_per_s,
        "first_push_s": _pair(*(_rounded(each) for each in push.first_push_s)),
        "next_push_s": _pair(*(_rounded(each) if measured else None for each in push.next_push_s)),
        "bump_push_s": _pair(*(_rounded(each) if measured else None for each in push.bump_push_s)),
        "basis": "predicted",
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _next_bytes(release: NextRelease | None, *, patch: bool) -> Object:
    release = release if release is not None and release.patch == patch else None
    before = release.before.compressed_bytes if release is not None and release.before is not None else None
    after = release.after.compressed_bytes if release is not None and release.after is not None else None
    return {**_pair(before, after), "basis": "unknown" if before is None else "measured"}


def _next_release(release: NextRelease) -> Object:
    return {
        "kind": "boot-patch" if release.patch else "classes",
        "changed": release.changed,
        "before": None if release.before is None else release.before.as_json(),
        "after": None if release.after is None else release.after.as_json(),
        "why_not": release.why,
        "findings": {
            which: [
                {
                    "rule": each.rule,
                    "severity": each.severity.value,
                    "line": each.line,
                    "message": sentence(each.message),
                }
                for each in findings
            ]
            for which, findings in release.unstable.items()
        },
    }


def _pushed(found: Comparison, pushed: Pushed) -> Object:
    predicted = found.predicted_pushes
    pushes: Object = dict.fromkeys(("before", "after", "next_before", "next_after"))
    for name, result in pushed.results.items():
        pushes[name] = _result(result, predicted.get(name))
    return {"repository": pushed.repository, **pushes, "removed": pushed.removed}


def _result(result: PushResult, predicted: PredictedPush | None) -> Object:
    return {
        "digest": result.digest,
        "sent_bytes": result.sent_bytes,
        "already_there_bytes": result.size - sum(blob.size for blob in result.blobs if blob.how == "sent"),
        "seconds": round(result.seconds, 3),
        "bytes_per_s": result.bytes_per_s,
        "basis": "measured",
        "predicted": None
        if predicted is None
        else {
            "sent_bytes": predicted.sent.value,
            "complete": predicted.sent.complete,
            "seconds": _rounded(predicted.seconds),
            "bandwidth_bytes_per_s": predicted.bytes_per_s,
            "basis": "predicted",
        },
    }


def _pair(before: Any, after: Any) -> Object:
    return {"before": before, "after": after}
