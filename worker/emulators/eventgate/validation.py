"""The event schemas of the emulated EventGate, and an event's errors in EventGate's words.

The schemas are our own, under `schemas/`. EventGate validates with AJV 6, whose errors and formats are rebuilt here.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, FormatChecker, ValidationError

from worker.emulators.documents import Document

ROOT = Path(__file__).parent / "schemas"
#: AJV's default formats: fast, and more lenient than the standards they are named for.
DATE_TIME = re.compile(
    r"\d{4}-[01]\d-[0-3]\d[t\s](?:[0-2]\d:[0-6]\d:[0-6]\d|23:59:60)(?:\.\d+)?(?:z|[+-]\d\d(?::?\d\d)?)",
    re.ASCII | re.IGNORECASE,
)
URI_REFERENCE = re.compile(r"(?!\\)[^\s#]*(?:#[^\\\s]*)?")
IDENTIFIER = re.compile(r"[a-z$_][a-z$_0-9]*", re.ASCII | re.IGNORECASE)

FORMATS = FormatChecker(())
FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or bool(DATE_TIME.fullmatch(value)))
FORMATS.checks("uri-reference")(lambda value: not isinstance(value, str) or bool(URI_REFERENCE.fullmatch(value)))

MESSAGES = {
    "enum": "should be equal to one of the allowed values",
    "format": 'should match format "{}"',
    "maxLength": "should NOT be longer than {} characters",
    "maximum": "should be <= {}",
    "minLength": "should NOT be shorter than {} characters",
    "minimum": "should be >= {}",
    "pattern": 'should match pattern "{}"',
    "type": "should be {}",
}
PARAMS = {"enum": "allowedValues", "format": "format", "pattern": "pattern", "type": "type"}


@dataclass(frozen=True, slots=True)
class EventSchema:
    """A schema that events may name, and its title: what a stream allows."""

    title: str
    validator: Draft7Validator

    def errors(self, event: object) -> list[Document]:
        """What is wrong with *event*, as AJV lists it."""
        return [each for error in self.validator.iter_errors(event) for each in _as_ajv(error)]


@cache
def event_schemas() -> Mapping[str, EventSchema]:
    """All schemas by the URI that events name in `$schema`; `latest` stands for the newest version of each."""
    schemas = {}
    for file in sorted(ROOT.rglob("*.json"), key=_version):
        schema = json.loads(file.read_text())
        found = EventSchema(schema["title"], Draft7Validator(schema, format_checker=FORMATS))
        schemas[schema["$id"]] = schemas[f"/{schema['title']}/latest"] = found
    return schemas


def _version(file: Path) -> list[int]:
    return [int(number) for number in file.stem.split(".")]


def _as_ajv(error: ValidationError) -> Iterator[Document]:
    keyword = str(error.validator)
    value: Any = error.validator_value
    schema: Any = error.schema
    instance: Any = error.instance
    if keyword == "required":
        # One error for each missing field, which only its message names.
        missing = next(name for name in value if error.message.startswith(repr(name)))
        yield _entry(error, {"missingProperty": missing}, f"should have required property '{missing}'")
    elif keyword == "additionalProperties":
        for surplus in (name for name in instance if name not in schema["properties"]):
            yield _entry(error, {"additionalProperty": surplus}, "should NOT have additional properties")
    else:
        yield _entry(error, {PARAMS.get(keyword, "limit"): value}, MESSAGES[keyword].format(value))


def _entry(error: ValidationError, params: Document, message: str) -> Document:
    return {
        "keyword": error.validator,
        "dataPath": _data_path(error.absolute_path),
        "schemaPath": "#/" + "/".join(map(str, error.absolute_schema_path)),
        "params": params,
        "message": message,
    }


def _data_path(path: Iterable[str | int]) -> str:
    """The path to a value as it would be written in JavaScript."""
    return "".join(map(_step, path))


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if IDENTIFIER.fullmatch(step) else f"['{step}']"
