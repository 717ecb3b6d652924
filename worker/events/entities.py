"""The page, the user and the revision of an edit, as events have them. Pure.

They hold only what the source says: a recentchange says little about its user, a page change nearly everything.
Source of the fields: mediawiki-extensions-EventBus includes/Serializers/MediaWiki/ @ 284b89a, and what of them an event
of 1.3.0 can carry: machinelearning/liftwing inference-services python/events.py @ bce944c0.
"""

from datetime import datetime

from outbox.details import PageLink, Person, PriorRevision
from outbox.edits import Edit
from worker.events.schemas import Page, Performer, PriorState, RedirectPageLink, Revision, User, written

#: The version of page/prediction_classification_change without central accounts, content namespaces and special pages.
OLDEST = "1.1.0"


def title_of(edit: Edit) -> str | None:
    """The title with its prefix and with underscores; None if only the number of its namespace is known."""
    return None if edit.is_namespace_in_english else _key(edit.title)


def performer_of(edit: Edit) -> Performer | None:
    """Who made the edit, for a score event; None if that is hidden."""
    if edit.user is None:
        return None
    return Performer(
        user_text=edit.user,
        user_groups=_groups(edit),
        user_is_bot=_is_bot(edit),
        user_id=edit.user_id,
        user_registration_dt=_moment(edit.user_registered_at),
        user_edit_count=edit.user_edit_count,
    )


def user_of(edit: Edit, version: str) -> User:
    """Who made the edit, for an event of *version* of the schema; without fields if that is hidden."""
    if edit.user is None:
        return User()
    return User(
        user_text=edit.user,
        user_id=edit.user_id,
        groups=_groups(edit),
        is_bot=_is_bot(edit),
        is_system=edit.user_is_system,
        is_temp=edit.is_temporary,
        registration_dt=_moment(edit.user_registered_at),
        edit_count=edit.user_edit_count,
        user_central_id=None if version == OLDEST else edit.user_central_id,
        wiki_id=None if version == OLDEST else edit.user_wiki,
    )


def page_of(edit: Edit, version: str) -> Page | None:
    """The page that was edited; None if its id or its title, which the schema requires, is not known."""
    title = title_of(edit)
    # The schema has no negative namespaces, and an edit has one only by mistake.
    if edit.page is None or title is None or edit.namespace < 0:
        return None
    link = edit.details.redirect_link if edit.details else None
    return Page(
        page_id=edit.page,
        page_title=title,
        namespace_id=edit.namespace,
        is_redirect=edit.is_redirect,
        namespace_is_content=edit.details.namespace_is_content if edit.details and version != OLDEST else None,
        redirect_page_link=_link(link, version) if link else None,
    )


def revision_of(edit: Edit, version: str) -> Revision:
    """The revision that the edit made. A known editor is visible; a missing name always means a hidden one."""
    details = edit.details
    editor = _person(details.editor, version) if details and details.editor else user_of(edit, version)
    return Revision(
        rev_id=edit.revision,
        rev_parent_id=edit.parent_revision or None,
        rev_dt=written(edit.timestamp),
        rev_sha1=details.sha1 if details else None,
        rev_size=edit.length,
        comment=details.comment if details else None,
        is_minor_edit=edit.is_minor,
        is_content_visible=details.is_content_visible if details else None,
        is_editor_visible=edit.user is not None,
        is_comment_visible=details.is_comment_visible if details else None,
        editor=editor if edit.user is not None else None,
    )


def prior_state_of(edit: Edit, version: str) -> PriorState | None:
    """The revision before the edit; for a recentchange only its id and size."""
    if edit.details and edit.details.prior_revision:
        return PriorState(revision=_prior(edit.details.prior_revision, version))
    if edit.parent_revision and edit.parent_length is not None:
        return PriorState(revision=Revision(rev_id=edit.parent_revision, rev_size=edit.parent_length))
    return None


def _groups(edit: Edit) -> list[str] | None:
    return None if edit.user_groups is None else list(edit.user_groups)


def _is_bot(edit: Edit) -> bool | None:
    """A recentchange without the flag may still be a bot's: the flag is on edits, and only if the bot asked for it."""
    return edit.is_bot or (False if edit.user_groups is not None else None)


def _person(person: Person, version: str) -> User:
    return User(
        user_text=person.name,
        user_id=person.id,
        groups=None if person.groups is None else list(person.groups),
        is_bot=person.is_bot,
        is_system=person.is_system,
        is_temp=person.is_temporary,
        registration_dt=_moment(person.registered_at),
        edit_count=person.edit_count,
        user_central_id=None if version == OLDEST else person.central_id,
        wiki_id=None if version == OLDEST else person.wiki,
    )


def _prior(prior: PriorRevision, version: str) -> Revision:
    return Revision(
        rev_id=prior.revision,
        rev_parent_id=prior.parent_revision or None,
        rev_dt=_moment(prior.timestamp),
        rev_sha1=prior.sha1,
        rev_size=prior.length,
        comment=prior.comment,
        is_minor_edit=prior.is_minor,
        is_content_visible=prior.is_content_visible,
        is_editor_visible=prior.is_editor_visible,
        is_comment_visible=prior.is_comment_visible,
        editor=_person(prior.editor, version) if prior.editor else None,
    )


def _link(link: PageLink, version: str) -> RedirectPageLink:
    has_namespace = link.namespace is not None and (link.namespace >= 0 or version != OLDEST)
    return RedirectPageLink(
        page_id=link.page,
        page_title=_key(link.title),
        namespace_id=link.namespace if has_namespace else None,
        is_redirect=link.is_redirect,
        interwiki_prefix=link.interwiki_prefix,
    )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else written(moment)


def _key(title: str) -> str:
    return title.replace(" ", "_")
