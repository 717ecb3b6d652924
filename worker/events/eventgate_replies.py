"""What an EventGate's reply says about the events that it was sent. Pure.

Source of the replies: wikimedia/eventgate routes/events.js 1.8.4.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from worker.domain.storable import storable
from worker.events.sinks import DeliveryFailure, EventFailed, EventRefused, OutgoingEvent, SinkUnavailable

#: What an EventGate says about an event whose schema or stream it does not know. Any other error is the EventGate's
#: fault.
ABOUT_THE_EVENT = re.compile(r"schema|stream|not allowed|unauthori[sz]ed", re.IGNORECASE)


class _Context(BaseModel):
    errors_text: str | None = None
    message: str | None = None

    model_config = ConfigDict(alias_generator=lambda name: {"errors_text": "errorsText"}.get(name, name))


class _Entry(BaseModel):
    event: Any = None
    context: _Context = _Context()

    @property
    def id(self) -> str | None:
        meta = self.event.get("meta") if isinstance(self.event, dict) else None
        identity = meta.get("id") if isinstance(meta, dict) else None
        return identity if isinstance(identity, str) else None


class Verdicts(BaseModel):
    """What the reply says about the events that were not accepted."""

    invalid: list[_Entry] = []
    error: list[_Entry] = []


_VERDICTS = TypeAdapter(Verdicts)


def verdicts_of(status: int, content: bytes) -> Verdicts | None:
    """The verdicts in a reply; None if it has none."""
    if status not in {207, 400, 500}:
        return None
    try:
        verdicts = _VERDICTS.validate_json(content)
    except ValidationError:
        return None
    return verdicts if verdicts.invalid or verdicts.error else None


def judged(
    batch: Sequence[int], events: Sequence[OutgoingEvent], verdicts: Verdicts, *, everything: bool, where: str
) -> dict[int, DeliveryFailure]:
    """Why events of *batch*, which holds places in *events*, were not accepted; *everything*: none of them was."""
    failures: dict[int, DeliveryFailure] = {}
    places: dict[str | None, list[int]] = {}
    for place in batch:
        places.setdefault(events[place].id, []).append(place)
    for entry in verdicts.invalid:
        reason = storable(entry.context.errors_text or "invalid")
        failures |= dict.fromkeys(places.get(entry.id, []), EventRefused(reason))
    for entry in verdicts.error:
        reason = storable(entry.context.message or "error")
        failure = EventFailed(reason) if ABOUT_THE_EVENT.search(reason) else SinkUnavailable(f"{where}: {reason}")
        failures |= dict.fromkeys(places.get(entry.id, []), failure)
    if everything or any(entry.id not in places for entry in [*verdicts.invalid, *verdicts.error]):
        # If an entry names none of our events, it is not known which of them it means.
        unnamed = EventFailed("it was not accepted, and the reply does not say why")
        failures |= {place: unnamed for place in batch if place not in failures}
    return failures


def is_about_the_request(status: int, content: bytes) -> bool:
    """Whether the request could not be read; then an EventGate answers 500 although 413 or 400 would be right."""
    return status == 500 and any(word in content for word in (b"PayloadTooLargeError", b"SyntaxError"))


def text_of(content: bytes) -> str:
    """The sentence in a problem document; empty without one."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    title = document.get("detail") or document.get("title") if isinstance(document, dict) else None
    return storable(str(title or ""))
