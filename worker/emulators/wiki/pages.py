"""The pages of the emulated wiki, and titles as MediaWiki spells them. Pure.

Source: mediawiki/core includes/Title/MediaWikiTitleCodec.php, for what is done here to a title.
"""

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

INVALID = re.compile(r"[#<>\[\]|{}\x00-\x1f\x7f]")


class WikiPage(BaseModel):
    """A page, with its revisions, the oldest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1)
    page_id: int = Field(ge=1)
    revisions: tuple[int, ...] = Field(min_length=1)
    content_model: str = "wikitext"


def spelt(title: str) -> str | None:
    """Return *title* as the wiki spells it, with blanks and a capital; None for what can't be a title."""
    text = re.sub(r"[ _]+", " ", title).strip()
    if not text or INVALID.search(text):
        return None
    namespace, colon, name = text.partition(":")
    parts = [namespace.strip(), name.strip()] if colon else [text]
    return ":".join(part[:1].upper() + part[1:] for part in parts)


def namespace_of(title: str, namespaces: Mapping[str, int]) -> int:
    """Return the number of the namespace of a title in the wiki's spelling."""
    return namespaces.get(title.partition(":")[0], 0) if ":" in title else 0


class Pages:
    """All pages, by title and by revision."""

    def __init__(self) -> None:
        self._by_title: dict[str, WikiPage] = {}
        self._by_revision: dict[int, WikiPage] = {}

    def put(self, page: WikiPage) -> None:
        """Add *page*, or replace the one with its title."""
        self._by_title[spelt(page.title) or page.title] = page
        self._by_revision |= dict.fromkeys(page.revisions, page)

    def clear(self) -> None:
        """Forget all pages."""
        self._by_title.clear()
        self._by_revision.clear()

    def titled(self, title: str) -> WikiPage | None:
        """Return the page of that title, in the wiki's spelling."""
        return self._by_title.get(title)

    def of_revision(self, revision: int) -> WikiPage | None:
        """Return the page that has *revision*."""
        return self._by_revision.get(revision)
