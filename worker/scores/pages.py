"""The pages of edits whose source told none, as `mediawiki.recentchange` on EventStreams: looked up, never made up."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from outbox import Claim, Edit
from outbox.mediawiki.reading import pages_of
from worker.config.wiki import Wiki


class PageSource(Protocol):
    """Knows the pages of revisions: the wiki's own tables, or whoever else can be asked."""

    async def pages_of(self, wiki: Wiki, revisions: Collection[int]) -> Mapping[int, int]:
        """Revision to the id of its page, as far as it is known. Never raises for one that is not."""


class OwnTables:
    """The wiki's own tables."""

    async def pages_of(self, wiki: Wiki, revisions: Collection[int]) -> Mapping[int, int]:
        return wiki.database.run(lambda session: pages_of(session, revisions))


async def with_pages(wiki: Wiki, edits: Mapping[Claim, Edit], sources: Sequence[PageSource]) -> dict[Claim, Edit]:
    """*edits*, those without a page with the one that the first of *sources* knows, which are asked in their order."""
    found: dict[int, int] = {}
    for source in sources:
        missing = {edit.revision for edit in edits.values() if edit.page is None} - found.keys()
        if missing:
            found |= await source.pages_of(wiki, missing)
    return {claim: _with_page(edit, found) for claim, edit in edits.items()}


def _with_page(edit: Edit, found: Mapping[int, int]) -> Edit:
    if edit.page is not None or edit.revision not in found:
        return edit
    return edit.model_copy(update={"page": found[edit.revision]})
