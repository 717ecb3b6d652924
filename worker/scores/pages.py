"""The pages of edits whose source told none, as `mediawiki.recentchange` on EventStreams: looked up, never made up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from outbox import Claim, Edit
from outbox.mediawiki.reading import pages_of
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable


class PageSource(Protocol):
    """Knows the pages of revisions: the wiki's own tables, or whoever else can be asked."""

    async def pages_of(self, wiki: Wiki, revisions: Collection[int]) -> Mapping[int, int]:
        """Revision to the id of its page, as far as it is known. Never raises for one that is not."""


class OwnTables:
    """The wiki's own tables."""

    async def pages_of(self, wiki: Wiki, revisions: Collection[int]) -> Mapping[int, int]:
        return wiki.database.run(lambda session: pages_of(session, revisions))


class RevisionPages(Protocol):
    """What a wiki's API tells, as far as it is asked here."""

    async def pages_of_revisions(self, revisions: Collection[int]) -> Mapping[int, int]:
        """The page ids of *revisions*; those that are gone lack.

        Raises:
            EndpointUnavailable: the wiki gave no answer this time.
        """


@dataclass(frozen=True, slots=True)
class WikiApis:
    """The APIs of those wikis whose address is set, by wiki. One that gives no answer knows nothing, this time."""

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
    """*edits*, those without a page with the one that the first of *sources* knows, which are asked in their order."""
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
