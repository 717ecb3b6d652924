"""Parts of an event, read leniently: a part that can't be read counts as missing. Pure."""

from typing import Any

from pydantic import ValidationError

from outbox.details import SourcePart


def part(event: dict[str, Any], name: str) -> dict[str, Any]:
    """The object called *name* in *event*; an empty one if it is anything else."""
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def readable(kind: type[SourcePart], fields: dict[str, Any]) -> dict[str, Any] | None:
    """Those of *fields* that *kind* takes; None if nothing is left of it.

    An invalid detail is left out; it is no reason to lose the edit.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        kind.model_validate(given)
    except ValidationError as error:
        wrong = {next(iter(each["loc"]), None) for each in error.errors(include_input=False)}
        rest = {name: value for name, value in given.items() if name not in wrong}
        return readable(kind, rest) if len(rest) < len(given) else None
    return given or None


def readable_title(value: object) -> object:
    """A database key as people read it; anything else is left for the validation to reject."""
    return value.replace("_", " ") if isinstance(value, str) else value
