"""Checking events against the hand-written schemas of the emulated EventGate, with formats checked strictly."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

import worker.emulators.eventgate.endpoint

SCHEMAS = Path(worker.emulators.eventgate.endpoint.__file__).parent / "schemas"


def schema_of(uri: str) -> dict[str, Any]:
    """The schema that events name by *uri*, such as `/mediawiki/revision/score/3.0.0`."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{uri.removeprefix('/')}.json").read_text())
    return schema


@cache
def validator_of(uri: str) -> Draft7Validator:
    """A validator of events by their schema, dates by RFC 3339."""
    return Draft7Validator(schema_of(uri), format_checker=Draft7Validator.FORMAT_CHECKER)


def validated(payload: str) -> dict[str, Any]:
    """The event in *payload*; raises jsonschema's ValidationError where the schema it names refuses it."""
    event: dict[str, Any] = json.loads(payload)
    validator_of(event["$schema"]).validate(event)
    return event
