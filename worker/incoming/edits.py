"""Reading edits and other changes of pages from events, each in a format of MediaWiki's listed here. Pure.

Source of the fields: wikimedia/schemas-event-primary jsonschema/mediawiki/recentchange, page/change and
revision/visibility-change.
"""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from outbox.details import MOST
from outbox.edits import Edit, EditSource
from outbox.page_changes import PageChange, PageChangeKind, Promised
from worker.config.autopatrolled_groups import usual_groups
from worker.incoming.other_changes import fields_of_other_change, fields_of_visibility_change
from worker.incoming.page_changes import fields_of_page_change
from worker.incoming.recent_changes import fields_of_recent_change
from worker.incoming.streams import WHAT_IS_READ
from worker.incoming.titles import why_forbidden

KINDS = {"edit": EditSource.EDIT, "new": EditSource.NEW}
PAGE_CHANGE_KINDS = {"edit": EditSource.EDIT, "create": EditSource.NEW}

Message = TypeVar("Message", Edit, PageChange)
#: The groups whose members are autopatrolled on a wiki.
GroupsOf = Callable[[str], Collection[str]]
Read = Callable[[dict[str, Any], GroupsOf], Promised]


class NotAnEdit(ValueError):
    """An event is no edit that can be saved; it is counted under `kind`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class OtherStream(NotAnEdit):
    """An event has a schema that is not read; so have all others of its stream."""

    def __init__(self, schema: str) -> None:
        super().__init__("other stream", f"an event of schema {schema[:80]}, which is not read; {WHAT_IS_READ}")


def edit_of(line: str | bytes, *, groups_of: GroupsOf = usual_groups) -> Edit:
    """Read one event of an edit; raises as `promised_of`, and `NotAnEdit` for any other change of a page."""
    found = promised_of(line, groups_of=groups_of)
    if isinstance(found, PageChange):
        raise NotAnEdit("not an edit", f"a change of type {found.kind.value!r}, not an edit")
    return found


def promised_of(line: str | bytes, *, groups_of: GroupsOf = usual_groups) -> Promised:
    """Read one event, in UTF-8: an edit, or another change of a page.

    In a recentchange `patrolled: true` at save time means autopatrolled; without the field, the wiki does not patrol
    such edits. A page change does not have it; there, users in one of the wiki's *groups_of* are autopatrolled. Without
    a namespace the whole title is taken, as in MediaWiki a title whose prefix is unknown.

    Raises:
        OtherStream: the schema is not read.
        NotAnEdit: it is not JSON, a canary, or another kind of change; or a field is missing or invalid, or MediaWiki
            forbids the title.
    """
    event = event_in(line)
    schema = event.get("$schema")
    if not isinstance(schema, str) or not schema.startswith("/"):
        return _of_recent_change(event, groups_of)
    version = f"{schema.removesuffix('.yaml')}."
    read = next((read for format_, read in FORMATS.items() if version.startswith(format_)), None)
    if read is None:
        raise OtherStream(schema)
    return read(event, groups_of)


def event_in(line: str | bytes) -> dict[str, Any]:
    """The event in *line*.

    Raises:
        NotAnEdit: it is not JSON in UTF-8, not a JSON object, or a canary.
    """
    try:
        event = json.loads(line.decode() if isinstance(line, bytes) else line)
    except (ValueError, RecursionError) as error:
        raise NotAnEdit("not JSON", f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise NotAnEdit("not an event", "not a JSON object")
    meta = event.get("meta")
    if isinstance(meta, dict) and meta.get("domain") == "canary":
        raise NotAnEdit("canary", "a canary event, sent to watch the stream")
    return event


def _valid(kind: type[Message], fields: dict[str, Any]) -> Message:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        revision = fields.get("revision")
        if place == "revision" and isinstance(revision, int) and revision > MOST:
            reason = f"revision {revision} is more than the column oresc_rev holds, which ends at {MOST}"
        else:
            reason = f"{place}: {first['msg']}"
        raise NotAnEdit(f"wrong {place}", reason) from error


def _of_recent_change(event: dict[str, Any], _groups_of: GroupsOf) -> Edit:
    source = _source(event.get("type"), KINDS)
    return _edit(fields_of_recent_change(event), source)


def _of_page_change(event: dict[str, Any], groups_of: GroupsOf) -> Promised:
    kind = event.get("page_change_kind")
    if kind in list(PageChangeKind):
        return _valid(PageChange, fields_of_other_change(event))
    source = _source(kind, PAGE_CHANGE_KINDS)
    return _edit(fields_of_page_change(event, groups_of), source)


def _of_visibility_change(event: dict[str, Any], _groups_of: GroupsOf) -> PageChange:
    return _valid(PageChange, fields_of_visibility_change(event))


def _source(kind: object, kinds: Mapping[str, EditSource]) -> EditSource:
    if isinstance(kind, str) and kind in kinds:
        return kinds[kind]
    shown = kind[:40] if isinstance(kind, str) else None
    raise NotAnEdit("not an edit", f"a change of type {shown!r}, not an edit")


def _edit(fields: dict[str, Any], source: EditSource) -> Edit:
    edit = _valid(Edit, fields | {"source": source})
    if reason := why_forbidden(edit.title, edit.namespace):
        raise NotAnEdit("wrong title", f"title: MediaWiki forbids {repr(edit.title)[:100]} ({reason})")
    return edit


#: How the `$schema` of an event begins, and what reads it; an event without one is read as a recentchange.
FORMATS: Mapping[str, Read] = {
    "/mediawiki/recentchange/1.": _of_recent_change,
    "/mediawiki/page/change/1.": _of_page_change,
    "/mediawiki/revision/visibility-change/1.": _of_visibility_change,
}
