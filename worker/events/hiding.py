"""Removing from events that were not sent yet what the wiki hides meanwhile. Pure."""

from typing import Any

from outbox.hiding import Hidden

#: Field of a revision's visibility to the fields of an event that are removed if it is off.
PARTS = {"is_editor_visible": "editor", "is_comment_visible": "comment", "is_content_visible": "rev_sha1"}
#: The version of this schema that requires a performer even if it is hidden.
WANTS_PERFORMER = "/prediction_classification_change/1.1.0"


def hide_in_event(event: dict[str, Any], hidden: Hidden) -> dict[str, Any] | None:
    """*event* without what is *hidden*; None if it is about another revision and page."""
    page = _part(event, "page").get("page_id", event.get("page_id"))
    revision, prior_state = _part(event, "revision"), _part(event, "prior_state")
    prior = _part(prior_state, "revision")
    is_meant = hidden.is_about(revision=revision.get("rev_id", event.get("rev_id")), page=page)
    of_prior = bool(prior) and hidden.is_about(revision=prior.get("rev_id"), page=page)
    if not (is_meant or of_prior):
        return None
    event = dict(event)
    if of_prior:
        event["prior_state"] = prior_state | {"revision": _shown(prior, hidden)}
    if is_meant and revision:
        event["revision"] = _shown(revision, hidden)
    if is_meant and "is_comment_visible" in hidden.switches:
        event.pop("comment", None)
    if is_meant and "is_editor_visible" in hidden.switches and event.pop("performer", None) is not None:
        event |= {"performer": {}} if str(event.get("$schema")).endswith(WANTS_PERFORMER) else {}
    return event


def _shown(revision: dict[str, Any], hidden: Hidden) -> dict[str, Any]:
    gone = {PARTS[switch] for switch in hidden.switches}
    return {name: value for name, value in revision.items() if name not in gone} | dict.fromkeys(hidden.switches, False)


def _part(event: dict[str, Any], name: str) -> dict[str, Any]:
    part = event.get(name)
    return part if isinstance(part, dict) else {}
