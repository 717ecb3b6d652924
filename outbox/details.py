"""What a page change says about an edit beyond its own fields: comment, what is hidden, prior state. Pure.

Everything is optional: None if the source does not say it. Consumers pass it on or leave it out, and never guess it.
Source of the fields: mediawiki-extensions-EventBus includes/Serializers/MediaWiki/ @ 284b89a (page/change 1.11.0).
"""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from outbox.errors import UndecodableMessage

Payload = TypeVar("Payload", bound=BaseModel)

#: The first wiki went online in January 2001. A time outside this range comes from a wrong unit or a broken clock.
EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
#: The largest values of MediaWiki's INT UNSIGNED columns, of its signed ones, and of 64-bit ones as far as we use them.
MOST, MOST_SIGNED, MOST_LONG = 2**32 - 1, 2**31 - 1, 2**63 - 1


def _in_utc(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"not between {EARLIEST:%Y} and {LATEST:%Y}")
    return moment.astimezone(UTC)


def _in_255_bytes(name: str) -> str:
    if len(name.encode()) > 255:
        raise ValueError("longer than 255 bytes")
    return name


Timestamp = Annotated[AwareDatetime, AfterValidator(_in_utc)]
UserName = Annotated[str, AfterValidator(_in_255_bytes), Field(min_length=1)]
Group = Annotated[str, Field(min_length=1, max_length=255)]
#: MediaWiki keeps 500 characters; a longer one was saved by other software.
Comment = Annotated[str, Field(max_length=65_535)]
Title = Annotated[str, Field(min_length=1, max_length=300)]
WikiId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+$")]


def read_payload(kind: type[Payload], payload: str, what: str) -> Payload:
    """Read a message's payload back; *what* says of which kind it is.

    Raises:
        UndecodableMessage: it is not; the text names the fields, never their values.
    """
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        # Only the top field is named: a name below it may be a key that somebody made up.
        reasons = "; ".join(f"{next(iter(e['loc']), 'payload')}: {e['msg']}" for e in error.errors())
        raise UndecodableMessage(f"the payload is not {what}: {reasons}") from error


class SourcePart(BaseModel):
    """A part of what a source says; like the edit itself it is frozen and has whitelisted fields only."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(SourcePart):
    """A user entity: somebody other than the user who made the edit."""

    name: UserName | None = None
    id: int | None = Field(default=None, ge=0, le=MOST)
    groups: tuple[Group, ...] | None = None
    is_bot: bool | None = None
    is_system: bool | None = None
    is_temporary: bool | None = None
    edit_count: int | None = Field(default=None, ge=0, le=MOST)
    registered_at: Timestamp | None = None
    #: Id of the global account, and the wiki whose account it is.
    central_id: int | None = Field(default=None, ge=0, le=MOST_LONG)
    wiki: WikiId | None = None


class PageLink(SourcePart):
    """The target of a redirect."""

    #: With its namespace prefix, spaces for underscores.
    title: Title
    page: int | None = Field(default=None, gt=0, le=MOST)
    namespace: int | None = Field(default=None, ge=-2, le=MOST_SIGNED)
    is_redirect: bool | None = None
    interwiki_prefix: str | None = Field(default=None, min_length=1, max_length=64)


#: Part of a revision to the field that says whether everybody may see that part.
SHOWN_IF = {"comment": "is_comment_visible", "editor": "is_editor_visible", "sha1": "is_content_visible"}


class _Shown(SourcePart):
    """What a revision shows; what it hides is dropped, even if the source gave it."""

    sha1: str | None = Field(default=None, min_length=1, max_length=64)
    comment: Comment | None = None
    is_content_visible: bool | None = None
    is_editor_visible: bool | None = None
    is_comment_visible: bool | None = None
    editor: Person | None = None

    @model_validator(mode="before")
    @classmethod
    def _drops_what_is_hidden(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        hidden = {part for part, switch in SHOWN_IF.items() if fields.get(switch) is False}
        return {name: value for name, value in fields.items() if name not in hidden}


class PriorRevision(_Shown):
    """The revision before the edit; if only its visibility changed, only the fields that differ."""

    revision: int | None = Field(default=None, gt=0, le=MOST)
    #: 0 if it was the first of its page.
    parent_revision: int | None = Field(default=None, ge=0, le=MOST)
    timestamp: Timestamp | None = None
    length: int | None = Field(default=None, ge=0, le=MOST_SIGNED)
    is_minor: bool | None = None


class Details(_Shown):
    """What a page change says about the revision that an edit made, its page, and the prior state.

    `editor` is set only if the revision names another user than the edit does, as an imported revision may.
    """

    namespace_is_content: bool | None = None
    redirect_link: PageLink | None = None
    prior_revision: PriorRevision | None = None
