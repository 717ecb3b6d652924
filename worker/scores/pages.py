"""The pages of edits whose source has no page id, such as `mediawiki.recentchange`: looked up, never made up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from outbox import Claim, Edit
from outbox.mediawiki.reading import pages_of
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable


class PageSource(Protocol):
    """Knows the pages of revisions: the wiki's own tables, or its API."""

    async def pages_of(self, wiki: Wiki, revisions: Collection[int]) -> Mapping[int, int]:
        """Revision to the id of its page; those without a known page are left out."""


class OwnTables:
    """The wiki's own tables."""

    async def pages_of(self, wiki: Wiki, revisions: Collection[int]) -> Mapping[int, int]:
        return wiki.database.run(lambda connection: pages_of(connection, revisions))


class RevisionPages(Protocol):
    """The part of a wiki's API that is used here."""

    async def pages_of_revisions(self, revisions: Collection[int]) -> Mapping[int, int]:
        """The page ids of *revisions*; deleted ones are left out.

        Raises:
            EndpointUnavailable: the wiki gave no answer this time.
        """


@dataclass(frozen=True, slots=True)
class WikiApis:
    """The APIs of the wikis, as far as their addresses are set. One that does not answer knows no page this time."""

    apis: Mapping[str, RevisionPages]

    async def pages_of(self, wiki: Wiki, revisions: Collection[int]) -> Mapping[int, int]:
        if wiki.id not in self.apis:
            return {}
        try:
            return await self.apis[wiki.id].pages_of_revisions(revisions)
        except EndpointUnavailable as error:
            log.warning("page_ids_unavailable", wiki=wiki.id, error=str(error))
            return {}


async def with_pages(wiki: Wiki, edits: Mapping[Claim, Edit], sources: Sequence[PageSource]) -> dict[Claim, Edit]:
    """*edits*; each without a page gets the one from the first of *sources* that knows it."""
    found: dict[int, int] = {}
    wanted = {edit.revision for edit in edits.values() if edit.page is None}
    for source in sources:
        missing = wanted - found.keys()
        if missing:
            found |= await source.pages_of(wiki, missing)
    return {claim: _with_page(edit, found) for claim, edit in edits.items()}


def _with_page(edit: Edit, found: Mapping[int, int]) -> Edit:
    if edit.page is not None or edit.revision not in found:
        return edit
    return edit.model_copy(update={"page": found[edit.revision]})
