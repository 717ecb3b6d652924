"""The fields of an edit in a `mediawiki/recentchange` event. Pure.

Source: mediawiki/core includes/recentchanges/RCFeed/MachineReadableRCFeedFormatter.php; EventBus leaves out nulls.
"""

from datetime import UTC, datetime
from typing import Any

from outbox.details import Details
from outbox.edits import PatrolStatus, is_address
from worker.incoming.parts import part, readable


def fields_of_recent_change(event: dict[str, Any]) -> dict[str, Any]:
    """The fields of the edit in *event*, not yet validated."""
    revision, length, user = part(event, "revision"), part(event, "length"), event.get("user")
    return {
        "wiki": event.get("wiki"),
        "revision": revision.get("new"),
        "parent_revision": revision.get("old") or 0,
        "change": event.get("id"),
        # EventStreams leaves it out.
        "page": event.get("page_id"),
        "namespace": event.get("namespace", 0),
        "title": event.get("title"),
        "timestamp": _moment(event.get("timestamp")),
        # Left out, null or empty where the user is suppressed.
        "user": None if user == "" else user,
        "is_bot": event.get("bot") or False,
        "is_minor": event.get("minor") or False,
        # EventStreams leaves it out.
        "is_anonymous": event.get("anonymous", is_address(user)),
        "patrol_status": PatrolStatus.AUTOPATROLLED if event.get("patrolled") else PatrolStatus.UNPATROLLED,
        "length": length.get("new"),
        "parent_length": length.get("old"),
        "request_id": part(event, "meta").get("request_id"),
        "details": readable(Details, {"comment": event.get("comment")}),
    }


def _moment(timestamp: object) -> datetime | object:
    """Seconds since 1970 as a moment; anything else is left for the validation to reject."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None
