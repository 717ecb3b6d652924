"""Checking events against the hand-written schema."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

SCHEMA = json.loads((Path(__file__).parent / "revision_score.schema.json").read_text())
VALIDATOR = Draft7Validator(SCHEMA, format_checker=Draft7Validator.FORMAT_CHECKER)


def validated(payload: str) -> dict[str, Any]:
    """The event in *payload*; raises jsonschema's ValidationError where the schema refuses it."""
    event: dict[str, Any] = json.loads(payload)
    VALIDATOR.validate(event)
    return event
