"""How the emulated EventGate judges one event: taken, invalid or in error. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from worker.emulators.documents import Document
from worker.emulators.eventgate.settings import EventGateSettings
from worker.emulators.eventgate.validation import event_schemas

REFUSED: Document = {
    "keyword": "emulator",
    "dataPath": "",
    "schemaPath": "#",
    "params": {},
    "message": "is refused because the settings of the emulator ask for it",
}


@dataclass(frozen=True, slots=True)
class JudgedEvent:
    """An event and its status; the context says why it was not taken."""

    event: object
    status: Literal["success", "invalid", "error"]
    context: Document

    def entry(self) -> Document:
        """The event's entry in a reply."""
        return {"status": self.status, "event": self.event, "context": self.context}


def judge(event: object, settings: EventGateSettings) -> JudgedEvent:
    """Judge an event by its schema and, where streams are set, by its stream.

    With streams set, an event without a stream is an error; otherwise a missing stream is for its schema to judge.
    """
    if not settings.checks_schemas:
        return JudgedEvent(event, "success", {})
    uri = value_of(event, "$schema")
    if uri is None:
        return in_error(event, "Field(s) $schema were missing from event and could not be extracted.")
    schema = event_schemas().get(uri) if isinstance(uri, str) and settings.has_schemas else None
    if schema is None:
        return in_error(event, f"Failed loading schema at {uri}")
    if settings.streams is not None:
        stream = value_of(event, "meta", "stream")
        if reason := _not_allowed(schema.title, stream, settings.streams):
            return in_error(event, reason)
    errors = schema.errors(event)
    return invalid(event, errors) if errors else JudgedEvent(event, "success", {})


def invalid(event: object, errors: list[Document]) -> JudgedEvent:
    """An event that is invalid, however often it is sent."""
    text = ", ".join(f"'{error['dataPath']}' {error['message']}" for error in errors)
    return JudgedEvent(event, "invalid", {"errors": errors, "errorsText": text})


def in_error(event: object, message: str) -> JudgedEvent:
    """An event that could not be judged or written."""
    return JudgedEvent(event, "error", {"message": message})


def value_of(event: object, *path: str) -> object:
    """The value at *path* in an event, which may be any JSON; None if there is none."""
    value = event
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _not_allowed(title: str, stream: object, streams: Mapping[str, str]) -> str | None:
    if stream is None:
        return "Field(s) meta.stream were missing from event and could not be extracted."
    allowed = streams.get(stream) if isinstance(stream, str) else None
    if allowed is None:
        return f"event is not allowed in stream; {stream} is not a configured stream."
    return None if title == allowed else f"event is not allowed in stream; schema title must be {allowed}."
