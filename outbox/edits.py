"""One saved edit: what was changed on a wiki, who changed it and how. Pure; knows no database."""

from enum import IntEnum, StrEnum
from ipaddress import ip_address
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from outbox.details import (
    MOST,
    MOST_LONG,
    MOST_SIGNED,
    Details,
    Group,
    Timestamp,
    Title,
    UserName,
    WikiId,
    read_payload,
)


class PatrolStatus(IntEnum):
    """`rc_patrolled`. Source: mediawiki/core includes/recentchanges/RecentChange.php, the PRC_* constants, REL1_39."""

    UNPATROLLED = 0
    PATROLLED = 1
    AUTOPATROLLED = 2


class EditSource(StrEnum):
    """`rc_source` of the changes that are edits; MediaWiki's other sources (log, categorize) are not."""

    EDIT = "mw.edit"
    NEW = "mw.new"


#: Fields that say who made the edit.
OF_THE_USER = {
    "user", "user_id", "user_groups", "user_edit_count", "user_registered_at", "is_anonymous", "is_temporary",
    "user_central_id", "user_is_system", "user_wiki",
}  # fmt: skip


class Edit(BaseModel):
    """One saved edit: what was changed, who changed it and how.

    Whitelisted fields only, so that no client address or user agent can slip into a payload, a log or an event.
    An anonymous editor's public user name is an IP address; no other field can hold one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Database name of the wiki, "enwiki".
    wiki: WikiId
    revision: int = Field(gt=0, le=MOST)
    #: 0 for the first revision of a page, and where the source has none.
    parent_revision: int = Field(default=0, ge=0, le=MOST)
    #: `rc_id` of the change if the wiki gave one; otherwise an emulated wiki numbers it itself.
    change: int | None = Field(default=None, gt=0, le=MOST_LONG)
    #: None if the source has none; an emulated wiki then looks up the title, or takes a number that no real wiki uses.
    page: int | None = Field(default=None, gt=0, le=MOST)
    namespace: int = Field(ge=-2, le=MOST_SIGNED)
    #: With its namespace prefix, spaces for underscores: "User:WP 1.0 bot/Tables".
    title: Title
    timestamp: Timestamp
    source: EditSource = EditSource.EDIT
    #: None if the wiki hides who made the edit.
    user: UserName | None = None
    is_bot: bool = False
    is_minor: bool = False
    is_anonymous: bool = False
    patrol_status: PatrolStatus = PatrolStatus.UNPATROLLED
    #: Size of the page in bytes after and before the edit; None if the wiki did not say.
    length: int | None = Field(default=None, ge=0, le=MOST_SIGNED)
    parent_length: int | None = Field(default=None, ge=0, le=MOST_SIGNED)
    #: More about the user and the page, if the wiki says it; passed on in the event.
    user_id: int | None = Field(default=None, ge=0, le=MOST)
    user_groups: tuple[Group, ...] | None = None
    user_edit_count: int | None = Field(default=None, ge=0, le=MOST)
    user_registered_at: Timestamp | None = None
    #: Id of the global account, the wiki whose account it is, and whether no person uses it.
    user_central_id: int | None = Field(default=None, ge=0, le=MOST_LONG)
    user_wiki: WikiId | None = None
    user_is_system: bool | None = None
    is_temporary: bool | None = None
    is_redirect: bool | None = None
    #: Id of the web request that saved the edit; passed on in the event for tracing.
    request_id: str | None = Field(default=None, max_length=128)
    #: What else a page change says.
    details: Details | None = None
    #: Whether the edit is promised again, since a sink has no event of it.
    is_reconciled: bool | None = None
    #: Whether the edit was read from the wiki's tables, where a namespace is a number: in `title` it has its English
    #: name, which need not be the wiki's.
    is_namespace_in_english: bool | None = None
    #: Since when some of its models have answered while others have not, and the models that were already announced on
    #: streams of their own. Written by whoever serves the lane.
    incomplete_since: Timestamp | None = None
    announced: tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _hides_all_of_a_hidden_user(cls, fields: Any) -> Any:
        """A source that hides the user's name may still tell other things about the user; these are dropped, too."""
        if not isinstance(fields, dict):
            return fields
        details = fields.get("details")
        given = details.model_dump(exclude_none=True) if isinstance(details, Details) else details
        given = given if isinstance(given, dict) else {}
        if fields.get("user") is not None and given.get("is_editor_visible") is not False:
            return fields
        shown = {name: value for name, value in fields.items() if name not in OF_THE_USER}
        return shown | ({"details": given | {"editor": None}} if given else {})

    @property
    def is_new_page(self) -> bool:
        """True only if the source said so: an edit without a known parent need not be the first of its page."""
        return self.source is EditSource.NEW

    def encode(self, *, ascii_only: bool = False) -> str:
        """The payload of a message in the edits' lane: JSON, unset and empty fields left out."""
        return self.model_dump_json(exclude_none=True, ensure_ascii=ascii_only)

    @classmethod
    def decode(cls, payload: str) -> Self:
        """Read a payload back.

        Raises:
            UndecodableMessage: the payload is not an edit; the text names the fields, never their values.
        """
        return read_payload(cls, payload, "an edit")


def is_address(name: object) -> bool:
    """Whether *name* is an IP address. To MediaWiki a user with such a name has no account."""
    try:
        return isinstance(name, str) and bool(ip_address(name))
    except ValueError:
        return False
