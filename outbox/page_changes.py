"""Changes of a page that are no edits: delete, undelete, move, visibility, protect. Pure; knows no database.

They are promised in the lane of edits, as messages of their own kind, so that every consumer hears of them in order.
Source of the kinds: mediawiki-extensions-EventBus includes/Serializers/MediaWiki/PageChangeEventSerializer.php @
284b89a; `protect` is MediaWiki's log type, which that stream does not have.
"""

import re
from enum import StrEnum
from typing import Self

from pydantic import Field

from outbox.details import MOST, MOST_SIGNED, SourcePart, Timestamp, Title, WikiId, read_payload
from outbox.edits import Edit

#: The key that only a page change has. Inside a JSON text a quote has a backslash before it, so no value looks like it.
HAS_KIND = re.compile(r'"kind"\s*:')


class PageChangeKind(StrEnum):
    """What was done to the page, as `page_change_kind` spells it."""

    DELETE = "delete"
    UNDELETE = "undelete"
    MOVE = "move"
    #: The page's current revision shows more or less than before; if it shows less, it is a suppression.
    VISIBILITY = "visibility_change"
    PROTECT = "protect"


class PageChange(SourcePart):
    """One page change; None for what the source does not say. Who did it and why is left out: nothing here needs it."""

    kind: PageChangeKind
    wiki: WikiId
    page: int = Field(gt=0, le=MOST)
    namespace: int = Field(ge=-2, le=MOST_SIGNED)
    #: With its namespace prefix, spaces for underscores; after the change.
    title: Title
    timestamp: Timestamp
    #: The page's current revision; for `visibility`, the revision that shows more or less.
    revision: int | None = Field(default=None, gt=0, le=MOST)
    #: The page's id before an undelete that gave it another one; the title of a moved page before the move.
    prior_page: int | None = Field(default=None, gt=0, le=MOST)
    prior_namespace: int | None = Field(default=None, ge=-2, le=MOST_SIGNED)
    prior_title: Title | None = None
    #: The redirect that a move left behind.
    redirect_page: int | None = Field(default=None, gt=0, le=MOST)
    is_content_visible: bool | None = None
    is_editor_visible: bool | None = None
    is_comment_visible: bool | None = None
    request_id: str | None = Field(default=None, max_length=128)

    @property
    def hides(self) -> frozenset[str]:
        """The fields of a revision's visibility that are off from now on."""
        switches = ("is_content_visible", "is_editor_visible", "is_comment_visible")
        return frozenset(name for name in switches if getattr(self, name) is False)

    def encode(self, *, ascii_only: bool = False) -> str:
        """The payload of a message in the edits' lane: JSON, without what is not known."""
        return self.model_dump_json(exclude_none=True, ensure_ascii=ascii_only)

    @classmethod
    def decode(cls, payload: str) -> Self:
        """Read a payload back.

        Raises:
            UndecodableMessage: the payload is not a page change; the text names the fields, never their values.
        """
        return read_payload(cls, payload, "a page change")


Promised = Edit | PageChange


def decode(payload: str) -> Promised:
    """Read a payload of the edits' lane back.

    Raises:
        UndecodableMessage: it is neither an edit nor a page change.
    """
    return PageChange.decode(payload) if HAS_KIND.search(payload) else Edit.decode(payload)
