"""Reading edits from events: `mediawiki/recentchange` 1.x and `mediawiki/page/change` 1.x. Pure.

Source of the fields: wikimedia/schemas-event-primary jsonschema/mediawiki/recentchange and jsonschema/mediawiki/page.
"""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from outbox.edits import Edit, EditSource, PatrolStatus, is_address
from worker.incoming.titles import why_forbidden

PAGE_CHANGE = "/mediawiki/page/change/1"
KINDS = {"edit": EditSource.EDIT, "new": EditSource.NEW}
PAGE_CHANGE_KINDS = {"edit": EditSource.EDIT, "create": EditSource.NEW}
#: The groups that have the right `autopatrol` by default.
#: Source: mediawiki/core includes/MainConfigSchema.php GroupPermissions REL1_39.
AUTOPATROLLED_GROUPS = frozenset({"bot", "sysop"})


class NotAnEdit(ValueError):
    """An event is not an edit that can be saved; `kind` is the word under which it is counted."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def edit_of(line: str | bytes, *, autopatrolled_groups: Collection[str] = AUTOPATROLLED_GROUPS) -> Edit:
    """Read one event.

    In a recentchange `patrolled: true` at save time means autopatrolled; its absence means that the wiki does not
    patrol such edits. A page change does not say; users in one of *autopatrolled_groups* are autopatrolled. Without a
    namespace the title is taken whole, as MediaWiki takes a title whose prefix it does not know.

    Raises:
        NotAnEdit: not JSON, a canary, another kind of change, fields that are missing or invalid, or a title that
            MediaWiki forbids.
    """
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotAnEdit("not JSON", f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise NotAnEdit("not an event", "not a JSON object")
    if _part(event, "meta").get("domain") == "canary":
        raise NotAnEdit("canary", "a canary event, sent to watch the stream")
    schema = event.get("$schema")
    is_page_change = isinstance(schema, str) and schema.startswith(PAGE_CHANGE)
    kind, kinds = (event.get("page_change_kind"), PAGE_CHANGE_KINDS) if is_page_change else (event.get("type"), KINDS)
    if not isinstance(kind, str) or kind not in kinds:
        shown = kind[:40] if isinstance(kind, str) else None
        raise NotAnEdit("not an edit", f"a change of type {shown!r}, not an edit")
    fields = _fields_of_page_change(event, autopatrolled_groups) if is_page_change else _fields(event)
    try:
        edit = Edit.model_validate(fields | {"source": kinds[kind]})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise NotAnEdit(f"wrong {place}", f"{place}: {first['msg']}") from error
    if reason := why_forbidden(edit.title, edit.namespace):
        raise NotAnEdit("wrong title", f"title: MediaWiki forbids {edit.title[:80]!r} ({reason})")
    return edit


def _part(event: dict[str, Any], name: str) -> dict[str, Any]:
    part = event.get(name)
    return part if isinstance(part, dict) else {}


def _fields_of_page_change(event: dict[str, Any], autopatrolled_groups: Collection[str]) -> dict[str, Any]:
    page, revision, performer = _part(event, "page"), _part(event, "revision"), _part(event, "performer")
    title, groups = page.get("page_title"), performer.get("groups")
    groups = groups if isinstance(groups, list) else []
    is_trusted = any(isinstance(group, str) and group in autopatrolled_groups for group in groups)
    return {
        "wiki": event.get("wiki_id"),
        "revision": revision.get("rev_id"),
        "parent_revision": revision.get("rev_parent_id") or 0,
        "page": page.get("page_id"),
        "namespace": page.get("namespace_id", 0),
        "title": title.replace("_", " ") if isinstance(title, str) else title,
        "timestamp": revision.get("rev_dt"),
        "user": performer.get("user_text"),
        "user_id": performer.get("user_id"),
        "user_groups": groups or None,
        "user_edit_count": performer.get("edit_count"),
        "user_registered_at": performer.get("registration_dt"),
        "is_temporary": performer.get("is_temp"),
        "is_bot": performer.get("is_bot", False),
        "is_minor": revision.get("is_minor_edit", False),
        "is_anonymous": bool(performer) and not performer.get("user_id") and not performer.get("is_temp"),
        "is_redirect": page.get("is_redirect"),
        "patrol_status": PatrolStatus.AUTOPATROLLED if is_trusted else PatrolStatus.UNPATROLLED,
        "length": revision.get("rev_size"),
        "request_id": _part(event, "meta").get("request_id"),
    }


def _fields(event: dict[str, Any]) -> dict[str, Any]:
    revision, length = _part(event, "revision"), _part(event, "length")
    return {
        "wiki": event.get("wiki"),
        "revision": revision.get("new"),
        "parent_revision": revision.get("old") or 0,
        "change": event.get("id"),
        "page": event.get("page_id") or _page_of(event),
        "namespace": event.get("namespace", 0),
        "title": event.get("title"),
        "timestamp": _moment(event.get("timestamp")),
        # A recent change always has one; only a page change leaves out the performer where the user is hidden.
        "user": event.get("user") or "",
        "is_bot": event.get("bot", False),
        "is_minor": event.get("minor", False),
        # EventStreams does not say.
        "is_anonymous": event.get("anonymous", is_address(event.get("user"))),
        "patrol_status": PatrolStatus.AUTOPATROLLED if event.get("patrolled") else PatrolStatus.UNPATROLLED,
        "length": length.get("new"),
        "parent_length": length.get("old"),
        "request_id": _part(event, "meta").get("request_id"),
    }


def _moment(timestamp: object) -> datetime | object:
    """Seconds since 1970 as a moment; anything else is left for the validation to reject."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _page_of(event: dict[str, Any]) -> int | None:
    """EventStreams gives no page id; a number made from the title is enough for an emulated wiki."""
    title = event.get("title")
    if not isinstance(title, str):
        return None
    digest = 0
    for byte in f"{event.get('namespace', 0)}:{title}".encode(errors="replace"):
        digest = (digest * 31 + byte) % 2_000_000_011
    return digest + 1
