"""A revision that an attached wiki saved: its trigger promises the number alone. Pure; knows no database.

Whoever serves the lane reads the rest from the wiki's tables (`outbox.mediawiki.revisions`): part of it is not there
yet when the edit commits.
"""

import re
from typing import Self

from pydantic import Field

from outbox.details import MOST, SourcePart, Timestamp, WikiId, read_payload

#: The key that only these payloads have; see `outbox.page_changes.HAS_KIND`.
HAS_SAVED_AT = re.compile(r'"saved_at"\s*:')


class SavedRevision(SourcePart):
    """The number of a revision, and when it was saved."""

    wiki: WikiId
    revision: int = Field(gt=0, le=MOST)
    #: By the database's clock; the revision's own timestamp is by that of a web server, or of long ago if it was
    #: imported or restored.
    saved_at: Timestamp

    @classmethod
    def decode(cls, payload: str) -> Self:
        """Read a payload back.

        Raises:
            UndecodableMessage: the payload is not a saved revision; the text names the fields, never their values.
        """
        return read_payload(cls, payload, "a saved revision")
