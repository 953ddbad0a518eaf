"""The JSON of `imgopt suggest`: the contract's shape, for every report that the engine can give."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import report_samples as samples

from imgopt.errors import UsageError
from imgopt.report.json import REPLACED, envelope, rendered, suggestions
from imgopt.suggest.result import Report

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "suggest.schema.json").read_text(encoding="utf-8")
)
FILES = [samples.textbook(), samples.gaps(), samples.good(), samples.skipped()]


def parsed(report: Report) -> dict[str, Any]:
    document = json.loads(rendered(suggestions(report)).decode("utf-8"))
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    return dict(document)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_every_report_fits_the_schema(file: Any) -> None:
    assert parsed(samples.report(file, errors=True))["files"][0]["path"] == file.path


def test_the_schema_is_strict_enough_to_fail() -> None:
    document = suggestions(samples.report(samples.textbook()))
    document["files"][0]["prediction"]["first_push_bytes"]["before"] = "254 MB"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_the_contracts_fields() -> None:
    """What the contract names, where it names it."""
    document = parsed(samples.report(samples.textbook(), errors=True))
    assert document["schema_version"] == 1
    assert document["tool"]["name"] == "imgopt"
    assert document["errors"] == [
        {"path": "x/Dockerfile", "line": 3, "message": "unterminated heredoc <<EOF; close it with a line EOF"}
    ]
    file = document["files"][0]
    assert file["java"] == {
        "major": 21,
        "artifact": "target/order-service-1.4.0.jar",
        "kind": "spring-boot",
        "spring_boot": "3.5.4",
        "start_class": "com.example.order.OrderApplication",
        "source": "jar",
        "runs": None,
        "needs": None,
    }
    finding = file["findings"][0]
    assert finding["fix"]["applicability"] == "safe"
    assert finding["saves"] == {"first_push_bytes": 116_600_000, "next_push_bytes": 0, "basis": "catalogue"}
    assert file["rewrite"]["changed"] is True
    assert file["rewrite"]["text"] == samples.LAYERED
    prediction = file["prediction"]
    assert prediction["before"]["compressed_bytes"] == 253_973_558
    assert prediction["before"]["layers"][1]["changes_each_release"] is True
    assert prediction["push"][0] == {
        "bandwidth_bytes_per_s": 500_000,
        "first_push_s": {"before": 507.947, "after": 274.411, "complete": True},
        "next_push_s": {"before": 131.147, "after": 0.012, "complete": True},
        "bump_push_s": {"before": 131.147, "after": 130.811, "complete": True},
    }
    assert prediction["next_push_bytes"]["after"] == 5_803
    assert prediction["next_push_clients"][0]["bytes"]["after"] == 65_405_319


def test_a_sum_with_an_unknown_part_says_so() -> None:
    document = parsed(samples.report(samples.gaps()))
    prediction = document["files"][0]["prediction"]
    assert prediction["before"]["complete"] is False
    assert prediction["before"]["uncompressed_complete"] is False
    assert prediction["first_push_bytes"]["complete"] is False
    assert prediction["next_push_bytes"]["complete"] is True
    assert prediction["before"]["layers"][0]["compressed_bytes"] is None
    assert prediction["before"]["layers"][0]["basis"] == "unknown"


def test_bytes_that_are_not_utf8_still_give_valid_json() -> None:
    rewrite = replace(samples.textbook().rewrite, text="LABEL name=caf\udce9\n")
    file = replace(samples.textbook(), path="caf\udce9/Dockerfile", rewrite=rewrite)
    document = parsed(samples.report(file))
    assert document["files"][0]["rewrite"]["text"] == "LABEL name=caf\ufffd\n"
    assert document["files"][0]["path"] == "caf\ufffd/Dockerfile"
    assert REPLACED in document["files"][0]["warnings"]


def test_text_stays_readable_and_numbers_finite() -> None:
    data = rendered(suggestions(samples.report(samples.gaps())))
    assert "支付".encode() in data
    with pytest.raises(ValueError):
        rendered({"seconds": float("nan")})


def test_an_error_without_a_place() -> None:
    document = envelope([UsageError("there is no command 'sugest'", "did you mean suggest?")])
    assert document["errors"] == [
        {"path": None, "line": None, "message": "there is no command 'sugest'; did you mean suggest?"}
    ]
