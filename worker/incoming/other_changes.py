"""The fields of a page change that is no edit, in `page/change` and `revision/visibility-change` events. Pure.

Source: mediawiki-extensions-EventBus includes/Serializers/MediaWiki/PageChangeEventSerializer.php and
includes/EventFactory.php @ 284b89a.
"""

from typing import Any

from outbox.page_changes import PageChange, PageChangeKind
from worker.incoming.page_changes import VISIBILITY
from worker.incoming.parts import part, readable, readable_title


def fields_of_other_change(event: dict[str, Any]) -> dict[str, Any]:
    """The fields of the change in *event*, not yet validated."""
    page, revision, prior = part(event, "page"), part(event, "revision"), part(part(event, "prior_state"), "page")
    needed = {
        "kind": event.get("page_change_kind"),
        "wiki": event.get("wiki_id"),
        "page": page.get("page_id"),
        "namespace": page.get("namespace_id", 0),
        "title": readable_title(page.get("page_title")),
        # The event's own time, since at a delete or a suppression the revision is older.
        "timestamp": event.get("dt") or part(event, "meta").get("dt"),
        "revision": revision.get("rev_id"),
        **{name: revision.get(name) for name in VISIBILITY},
    }
    further = {
        "prior_page": prior.get("page_id"),
        "prior_namespace": prior.get("namespace_id"),
        "prior_title": readable_title(prior.get("page_title")),
        "redirect_page": part(event, "created_redirect_page").get("page_id"),
        "request_id": part(event, "meta").get("request_id"),
    }
    return readable(PageChange, needed | further) or needed


def fields_of_visibility_change(event: dict[str, Any]) -> dict[str, Any]:
    """The fields of a visibility change of any revision; an event of `page/change` is about the current one only."""
    visibility, meta = part(event, "visibility"), part(event, "meta")
    return {
        "kind": PageChangeKind.VISIBILITY,
        "wiki": event.get("database"),
        "page": event.get("page_id"),
        "namespace": event.get("page_namespace", 0),
        "title": readable_title(event.get("page_title")),
        # The revision's own time is older.
        "timestamp": meta.get("dt") or event.get("dt"),
        "revision": event.get("rev_id"),
        "is_content_visible": visibility.get("text"),
        "is_editor_visible": visibility.get("user"),
        "is_comment_visible": visibility.get("comment"),
        "request_id": meta.get("request_id"),
    }
