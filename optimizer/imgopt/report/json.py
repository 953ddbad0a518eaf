"""JSON as the contract fixes it: one object, UTF-8, no lone surrogates, no NaN."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imgopt import __version__
from imgopt.errors import ImgoptError
from imgopt.finding import Finding, Fix, Reason
from imgopt.light.patterns import regex
from imgopt.report.figures import weakest
from imgopt.scales import Sum
from imgopt.suggest.result import FileReport, JavaInfo, PipelineSummary, Release, Report, Steps
from imgopt.suggest.sentence import line_of, sentence
from imgopt.text.foreign import in_json
from imgopt.weigh.weights import ImageWeight, LayerWeight, Prediction, Saving

if TYPE_CHECKING:
    from imgopt.java.model import Jar
    from imgopt.plans.base.java_version import JavaVersion
    from imgopt.rule import Documented

Object = dict[str, Any]

#: Said when a Dockerfile's bytes cannot be told in JSON, so that nobody writes the text back.
REPLACED = "bytes that are not UTF-8 stand as U+FFFD in this object; imgopt rewrite writes them unchanged"


def rendered(document: Mapping[str, Any]) -> bytes:
    """The object as printed. Strings may hold undecodable bytes as surrogates; they become U+FFFD."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    return (in_json(_SURROGATE.sub("\ufffd", text)) + "\n").encode()


_SURROGATE = regex("[\ud800-\udfff]")


def envelope(errors: Sequence[ImgoptError], **content: Any) -> Object:
    """What every command's object begins with."""
    return {
        "schema_version": 1,
        "tool": {"name": "imgopt", "version": __version__},
        "errors": [error_object(error) for error in errors],
        **content,
    }


def error_object(error: ImgoptError) -> Object:
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    return {"path": error.path, "line": error.line, "message": message}


def suggestions(report: Report) -> Object:
    return envelope(
        report.errors,
        files=[file_object(file) for file in report.files],
        bandwidth_source=report.bandwidth_source,
        catalogue_date=report.catalogue_date,
    )


def file_object(file: FileReport) -> Object:
    warnings = list(file.warnings)
    if _SURROGATE.search(file.rewrite.text) or _SURROGATE.search(file.original):
        warnings.append(REPLACED)
    return {
        "path": file.path,
        "context": file.context,
        "context_note": file.context_note,
        "platform": file.platform,
        "platforms": list(file.platforms or (file.platform,)),
        "built_for": {
            "platforms": list(file.built_for.platforms),
            "sources": list(file.built_for.sources),
            "unknown": list(file.built_for.unknown),
        },
        "stages": [{"name": stage.name, "base": stage.base, "final": stage.final} for stage in file.stages],
        "java": None if file.java is None else _java(file.java),
        "findings": [_finding(finding, saving) for finding, saving in file.findings],
        "rewrite": {
            "changed": file.rewrite.changed,
            "applicability": file.rewrite.applicability,
            "text": file.rewrite.text,
            "applied": list(file.rewrite.applied),
            "rests_on": [
                {
                    "kind": fact.kind,
                    "what": fact.what,
                    "known": fact.known,
                    "how": fact.how,
                    "instead": fact.instead,
                }
                for fact in file.rewrite.rests_on
            ],
            "not_applied": [
                {
                    "rule": each.rule,
                    "line": each.line,
                    "why": sentence(each.why),
                    "reason": _reason(each.why),
                }
                for each in file.rewrite.not_applied
            ],
        },
        "prediction": None if file.prediction is None else _prediction(file.prediction),
        "warnings": warnings,
        "unknown": [_reason(each) for each in file.unknown],
        "good": file.good,
        "sized": file.sized,
        "skipped": file.skipped,
        **({} if file.pipeline is None else {"pipeline": _pipeline(file.pipeline)}),
    }


def _pipeline(pipeline: PipelineSummary) -> Object:
    """Only a CI file has it: what it pushes, before and after the rewrite of the Dockerfile."""
    return {
        "system": pipeline.system,
        "pushes": [
            {
                "line": push.line,
                "tool": push.tool,
                "image": push.image,
                "dockerfile": push.dockerfile,
                "unknown": push.unknown,
                "first_push_bytes": _sums(push.first_push.before, push.first_push.after),
                "next_push_bytes": _sums(push.next_push.before, push.next_push.after),
                "timeout_s": push.timeout_s,
                "at_once": push.at_once,
                "platforms": list(push.platforms),
            }
            for push in pipeline.pushes
        ],
        "release": None if pipeline.release is None else _release(pipeline.release),
        "unjudged": [{"why": why, "images": count} for why, count in pipeline.unjudged],
    }


def _release(release: Release) -> Object:
    """All that one run pushes: now (``before``), after the rewrites, and with the commands' findings mended as well."""
    return {
        "images": release.images,
        "at_once": release.at_once,
        "open": release.open,
        "bandwidth_assumed": release.assumed,
        "first_push_bytes": _steps(release.first),
        "next_push_bytes": _steps(release.following),
        "push": [
            {
                "bandwidth_bytes_per_s": rate,
                "first_push_s": _step_seconds(release.first, rate),
                "next_push_s": _step_seconds(release.following, rate),
            }
            for rate in release.rates
        ],
        "rewritten": release.rewritten,
        "mended": list(release.mended),
        "limits": [
            {
                "line": limit.line,
                "text": limit.text,
                "timeout_s": limit.seconds,
                "images": limit.images,
                "at_least": limit.at_least,
                "complete": {
                    key: dict(zip(_STEPS, each, strict=True))
                    for key, each in zip(("first_push", "next_push"), limit.complete, strict=True)
                },
                "first_push_s": dict(zip(_STEPS, limit.first, strict=True)),
                "next_push_s": dict(zip(_STEPS, limit.following, strict=True)),
                "enough_first_push_s": dict(zip(_STEPS, limit.enough_first, strict=True)),
                "enough_next_push_s": dict(zip(_STEPS, limit.enough_following, strict=True)),
            }
            for limit in release.limits
        ],
        "savings": [
            {
                "rules": list(each.rules),
                "dockerfiles": each.files,
                "first_push_bytes": each.first_push_bytes,
                "next_push_bytes": each.next_push_bytes,
                "basis": each.basis,
            }
            for each in release.savings
        ],
        "always": release.always,
        "chosen_by": list(release.chosen_by),
        "retries": list(release.retries),
        "sources": list(release.sources),
    }


_STEPS = ("before", "after", "advised")


def _steps(steps: Steps) -> Object:
    return {
        name: {"bytes": each.value, "basis": each.basis, "complete": each.complete}
        for name, each in zip(_STEPS, (steps.before, steps.after, steps.advised), strict=True)
    }


def _step_seconds(steps: Steps, rate: int) -> Object:
    sums = (steps.before, steps.after, steps.advised)
    return {
        name: None if each.value is None else round(each.value / rate, 1)
        for name, each in zip(_STEPS, sums, strict=True)
    }


def _java(java: JavaInfo) -> Object:
    return {
        "major": java.major,
        "artifact": java.artifact,
        "kind": java.kind,
        "spring_boot": java.spring_boot,
        "start_class": java.start_class,
        "source": java.source,
        "runs": _version(java.runs),
        "needs": _version(java.needs),
    }


def _version(version: JavaVersion | None) -> Object | None:
    return None if version is None else {"major": version.major, "source": version.source}


def _reason(reason: Reason) -> Object:
    """``places`` are those with a line in the text that is shown: the original's, or the rewrite's."""
    lines = [(line_of(place), place.text) for place in reason.places]
    return {
        "kind": reason.kind,
        "text": sentence(reason),
        "places": [{"line": line, "of": text} for line, text in dict.fromkeys(lines) if line is not None],
        "package": reason.package,
    }


def _why(fix: Fix) -> Object | None:
    """What could change, or what keeps the fix from being made here."""
    reason = fix.risk or fix.description
    return _reason(reason) if isinstance(reason, Reason) else None


def _finding(finding: Finding, saving: Saving | None) -> Object:
    fix = finding.fix
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "line": finding.line,
        "end_line": finding.end_line,
        "message": sentence(finding.message),
        "fix": None
        if fix is None
        else {
            "applicability": fix.applicability.label,
            "description": sentence(fix.description),
            "risk": sentence(fix.risk) if fix.risk is not None else None,
            "reason": _why(fix),
        },
        "applied": finding.applied,
        "solved_by": finding.solved_by,
        "saves": None
        if saving is None
        else {
            "first_push_bytes": saving.first_push_bytes,
            "next_push_bytes": saving.next_push_bytes,
            "basis": saving.basis,
            **({"platforms": list(saving.platforms)} if saving.platforms else {}),
        },
    }


def _prediction(prediction: Prediction) -> Object:
    before, after = prediction.before, prediction.after
    return {
        "before": _image(before),
        "after": _image(after),
        "push": [
            {
                "bandwidth_bytes_per_s": push.bandwidth_bytes_per_s,
                "first_push_s": _times(push.first_push_s, before.first_push, after.first_push),
                "next_push_s": _times(push.next_push_s, before.next_push, after.next_push),
                "bump_push_s": _times(push.bump_push_s, before.bump_push, after.bump_push),
            }
            for push in prediction.push
        ],
        "first_push_bytes": _sums(before.first_push, after.first_push),
        "next_push_bytes": _sums(before.next_push, after.next_push),
        "bump_push_bytes": _sums(before.bump_push, after.bump_push),
        "next_push_clients": [
            {"client": client.client, "bytes": _sums(client.before, client.after), "note": client.note}
            for client in prediction.clients
        ],
    }


def _image(image: ImageWeight) -> Object:
    """``complete`` and ``basis`` are those of the compressed bytes; the unpacked bytes have their own."""
    compressed, uncompressed = image.compressed, image.uncompressed
    return {
        "compressed_bytes": compressed.value,
        "uncompressed_bytes": uncompressed.value,
        "complete": compressed.complete,
        "basis": compressed.basis,
        "uncompressed_complete": uncompressed.complete,
        "uncompressed_basis": uncompressed.basis,
        "layers": [_layer(layer, image) for layer in image.layers],
        "elsewhere": [_layer(layer, image) for layer in image.elsewhere],
    }


def _layer(layer: LayerWeight, image: ImageWeight) -> Object:
    return {
        "instruction": layer.instruction,
        "line": layer.line,
        "compressed_bytes": layer.compressed_bytes,
        "uncompressed_bytes": layer.uncompressed_bytes,
        "changes_each_release": layer.changes_each_release,
        "changes_each_bump": None if image.spring_boot is None else layer in image.bumped,
        "basis": layer.basis,
        "from_base": layer.from_base,
        "note": layer.note,
    }


def _sums(before: Sum, after: Sum) -> Object:
    return {
        **_pair(before.value, after.value),
        "complete": before.complete and after.complete,
        "basis": weakest(before, after),
    }


def _pair(before: Any, after: Any) -> Object:
    return {"before": before, "after": after}


def _times(seconds: tuple[float | None, float | None], before: Sum, after: Sum) -> Object:
    """As good as the bytes that they are of; of a part that says nothing there are none."""
    told = [
        _seconds(value) if of.told is not None else None
        for value, of in zip(seconds, (before, after), strict=True)
    ]
    return {**_pair(*told), "complete": before.complete and after.complete}


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _needed(jar: Jar) -> Object | None:
    from imgopt.java.spring_boot import java_needed

    found = java_needed(jar)
    return None if found is None else {"major": found[0], "source": found[1]}


def jar_object(jar: Jar) -> Object:
    """One jar: what `imgopt jar --format json` prints under ``jar``."""
    from imgopt.report.jar import largest_libraries, layer_sizes

    return {
        "path": jar.path,
        "bytes": jar.bytes,
        "kind": jar.kind,
        "spring_boot": jar.spring_boot,
        "java": {
            "major": jar.java_major,
            "needed": _needed(jar),
            "hint": jar.java_hint,
            "multi_release": jar.multi_release,
        },
        "main_class": jar.main_class,
        "start_class": jar.start_class,
        "launcher": jar.launcher,
        "launch_script": jar.launch_script,
        "jarmode": jar.jarmode,
        "layers_index": jar.layers_index is not None,
        "class_path": list(jar.class_path),
        "layers": [
            {
                "name": layer.name,
                "files": layer.files,
                "bytes": layer.bytes,
                "uncompressed_bytes": layer.uncompressed_bytes,
            }
            for layer in layer_sizes(jar)
        ],
        "libraries": [_library(library) for library in largest_libraries(jar)],
        "duplicates": [[_library(library) for library in group] for group in jar.duplicates],
        "natives": [
            {
                "path": native.path,
                "library": native.library,
                "format": native.format,
                "os": native.os,
                "arch": native.arch,
                "libc": native.libc,
                "bytes": native.bytes,
                "musl": None
                if native.musl_verdict is None
                else {
                    "verdict": native.musl_verdict,
                    "packages": list(native.musl_packages),
                    "undefined": list(native.undefined),
                    "reason": native.musl_reason,
                },
            }
            for native in jar.natives
        ],
        "problems": list(jar.problems),
        "unsafe_names": list(jar.unsafe_names),
    }


def _library(library: Any) -> Object:
    return {
        "file": library.file,
        "path": library.path,
        "artifact": library.artifact,
        "version": library.version,
        "bytes": library.bytes,
        "snapshot": library.snapshot,
    }


def rule_object(rule: Documented) -> Object:
    return {"id": rule.id, "summary": rule.summary, "documentation": rule.documentation}
