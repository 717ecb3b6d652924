"""The fields of an edit in a `mediawiki/page/change` event. Pure.

Source: mediawiki-extensions-EventBus includes/Serializers/MediaWiki/ @ 284b89a.
"""

from collections.abc import Callable, Collection
from typing import Any

from outbox.details import Details, PageLink, Person, PriorRevision
from outbox.edits import PatrolStatus
from worker.incoming.parts import part, readable, readable_title

VISIBILITY = ("is_content_visible", "is_editor_visible", "is_comment_visible")


def fields_of_page_change(event: dict[str, Any], groups_of: Callable[[str], Collection[str]]) -> dict[str, Any]:
    """The fields of the edit in *event*, not yet validated."""
    page, revision, performer = part(event, "page"), part(event, "revision"), part(event, "performer")
    wiki, groups = event.get("wiki_id"), _groups(performer)
    trusted = groups_of(wiki) if isinstance(wiki, str) else ()
    is_trusted = any(isinstance(group, str) and group in trusted for group in groups)
    prior = _prior(part(part(event, "prior_state"), "revision")) or {}
    person = _person(performer) or {}
    return {
        "wiki": wiki,
        "revision": revision.get("rev_id"),
        "parent_revision": _parent(event, revision, prior),
        # A page change always has a page.
        "page": page.get("page_id") or 0,
        "namespace": page.get("namespace_id", 0),
        "title": readable_title(page.get("page_title")),
        "timestamp": revision.get("rev_dt"),
        "user": performer.get("user_text"),
        "user_id": performer.get("user_id"),
        "user_groups": groups or None,
        "user_edit_count": performer.get("edit_count"),
        "user_registered_at": performer.get("registration_dt"),
        "user_central_id": person.get("central_id"),
        "user_wiki": person.get("wiki"),
        "user_is_system": person.get("is_system"),
        "is_temporary": performer.get("is_temp"),
        "is_bot": performer.get("is_bot") or False,
        "is_minor": revision.get("is_minor_edit") or False,
        "is_anonymous": bool(performer) and not performer.get("user_id") and not performer.get("is_temp"),
        "is_redirect": page.get("is_redirect"),
        "patrol_status": PatrolStatus.AUTOPATROLLED if is_trusted else PatrolStatus.UNPATROLLED,
        "length": revision.get("rev_size"),
        "parent_length": prior.get("length") if _is_the_parent(prior, revision) else None,
        "request_id": part(event, "meta").get("request_id"),
        "details": _details(revision, page, performer, prior),
    }


def _details(
    revision: dict[str, Any], page: dict[str, Any], performer: dict[str, Any], prior: dict[str, Any]
) -> dict[str, Any] | None:
    link, editor = part(page, "redirect_page_link"), part(revision, "editor")
    is_another = _has_name(editor) and editor["user_text"] != performer.get("user_text")
    return readable(
        Details,
        _shown(revision)
        | {
            "editor": _person(editor) if is_another else None,
            "namespace_is_content": page.get("namespace_is_content"),
            "redirect_link": readable(
                PageLink,
                {
                    "title": readable_title(link.get("page_title")),
                    "page": link.get("page_id"),
                    "namespace": link.get("namespace_id"),
                    "is_redirect": link.get("is_redirect"),
                    "interwiki_prefix": link.get("interwiki_prefix"),
                },
            ),
            "prior_revision": prior or None,
        },
    )


def _prior(revision: dict[str, Any]) -> dict[str, Any] | None:
    return readable(
        PriorRevision,
        _shown(revision)
        | {
            "editor": _person(part(revision, "editor")),
            "revision": revision.get("rev_id"),
            "parent_revision": revision.get("rev_parent_id"),
            "timestamp": revision.get("rev_dt"),
            "length": revision.get("rev_size"),
            "is_minor": revision.get("is_minor_edit"),
        },
    )


def _shown(revision: dict[str, Any]) -> dict[str, Any]:
    visibility = {name: revision.get(name) for name in VISIBILITY}
    return {"sha1": revision.get("rev_sha1"), "comment": revision.get("comment")} | visibility


def _person(user: dict[str, Any]) -> dict[str, Any] | None:
    return readable(
        Person,
        {
            "name": user.get("user_text"),
            "id": user.get("user_id"),
            "groups": _groups(user) or None,
            "is_bot": user.get("is_bot"),
            "is_system": user.get("is_system"),
            "is_temporary": user.get("is_temp"),
            "edit_count": user.get("edit_count"),
            "registered_at": user.get("registration_dt"),
            "central_id": user.get("user_central_id"),
            "wiki": user.get("wiki_id"),
        },
    )


def _groups(user: dict[str, Any]) -> list[Any]:
    groups = user.get("groups")
    return groups if isinstance(groups, list) else []


def _has_name(user: dict[str, Any]) -> bool:
    return isinstance(user.get("user_text"), str)


def _parent(event: dict[str, Any], revision: dict[str, Any], prior: dict[str, Any]) -> Any:
    """The parent that the event names, or else the revision in its prior state."""
    parent = revision.get("rev_parent_id")
    if parent is None and event.get("page_change_kind") == "edit":
        parent = prior.get("revision")
    return parent or 0


def _is_the_parent(prior: dict[str, Any], revision: dict[str, Any]) -> bool:
    parent = revision.get("rev_parent_id")
    return parent is None or prior.get("revision") in (None, parent)
