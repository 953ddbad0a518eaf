"""Output of imgopt held against the schemas that are published in schemas/."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"


@functools.cache
def schema(name: str) -> Any:
    """`suggest`, `compare`, `gate` or `imgopt.toml`."""
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))


def fits(name: str, document: Any) -> None:
    """jsonschema.ValidationError where it does not fit, with what of it does not."""
    validator = jsonschema.Draft202012Validator(schema(name))
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if error is not None:
        raise error
