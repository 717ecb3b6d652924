"""A wiki's own HTTP APIs, action and REST: one client, to which consumers add their calls.

The limits, the deadline and the circuit of that wiki's API hold for every call. Requests have `maxlag`, as those of
batch jobs should, so a busy wiki is spared. Source of the shapes: mediawiki/core includes/Api/ApiMain.php @ 62ceaf8,
ApiPageSet.php, ApiQueryRevisions.php, ApiQuerySiteinfo.php, includes/Rest/ResponseFactory.php @ 00c5c3f and
Rest/Handler/PageContentHelper.php @ 27dca90.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import quote

from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.endpoints.bisecting import RequestRefused
from worker.endpoints.client import Endpoint
from worker.endpoints.wiki_replies import ApiError, ApiReply, QueryReply, QueryResult, RestPage, RestPageReply
from worker.lanes.loops import HttpLoop

#: Values in one request of a client without higher limits.
MOST_VALUES = 50
#: Bytes of all titles in one request's URL; servers take some 8,000 in all.
MOST_BYTES = 6000
#: The separator of several values, which also stands before the first of them; no title can hold it.
SEPARATOR = "\x1f"
#: Characters that no title can hold: some signs, control characters, and halves of characters.
NOT_IN_TITLES = re.compile("[#<>\\[\\]|{}\\x00-\\x1f\\x7f\ud800-\udfff]")
#: In bytes, namespace and all; a page's own title has 255.
LONGEST_TITLE = 600
#: Errors that pass by themselves.
THROTTLES = {"maxlag", "ratelimited"}
OUTAGES = {"readonly"}


class WikiApi:
    """The API of one wiki; its calls may be awaited in any event loop."""

    def __init__(self, endpoint: Endpoint, wiki: str, loop: HttpLoop, *, maxlag: int) -> None:
        #: Made inside *loop*.
        self._endpoint = endpoint
        self._wiki = wiki
        self._loop = loop
        self._maxlag = maxlag

    async def pages_of_titles(self, titles: Collection[str]) -> dict[str, int]:
        """The page ids of *titles*, which may have blanks or underscores; titles without a page are left out.

        Titles are with their namespaces. A redirect is a page of its own.

        Raises:
            EndpointUnavailable: the wiki gave no answer this time.
        """
        return await self._loop.call(self._pages_of_titles(titles))

    async def pages_of_revisions(self, revisions: Collection[int]) -> dict[int, int]:
        """The page ids of *revisions*, except deleted ones and those of deleted pages.

        Raises as `pages_of_titles`.
        """
        return await self._loop.call(self._pages_of_revisions(revisions))

    async def namespaces(self) -> dict[int, str]:
        """The names of the wiki's namespaces, with spaces, by their numbers.

        Raises as `pages_of_titles`.
        """
        return await self._loop.call(self._namespaces())

    async def page(self, title: str) -> RestPage | None:
        """What the REST API says about the page *title*, in the wiki's spelling; None if there is none.

        Raises as `pages_of_titles`.
        """
        return await self._loop.call(self._page(title))

    async def close(self) -> None:
        """Close the connections."""
        await self._loop.call(self._endpoint.close())

    async def _pages_of_titles(self, titles: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        # As the wiki itself does: in its replies other forms are encoded.
        asked = {title: unicodedata.normalize("NFC", title) for title in titles}
        for batch in batches_of_titles(asked.values()):
            reply = await self._query({"prop": "info", "titles": SEPARATOR + SEPARATOR.join(batch)})
            pages = {page.title: page.pageid for page in reply.pages if page.pageid}
            spelt = {each.from_: each.to for each in reply.normalized}
            found |= {title: page for title in batch if (page := pages.get(spelt.get(title, title)))}
        return {title: found[form] for title, form in asked.items() if form in found}

    async def _pages_of_revisions(self, revisions: Collection[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        wanted = sorted({revision for revision in revisions if revision > 0})
        for start in range(0, len(wanted), MOST_VALUES):
            batch = wanted[start : start + MOST_VALUES]
            query = {"prop": "revisions", "rvprop": "ids", "revids": "|".join(map(str, batch))}
            for page in (await self._query(query)).pages:
                found |= {each.revid: page.pageid for each in page.revisions if page.pageid and each.revid in batch}
        return found

    async def _namespaces(self) -> dict[int, str]:
        reply = await self._query({"meta": "siteinfo", "siprop": "namespaces"})
        return {each.id: each.name for each in reply.namespaces.values()}

    async def _query(self, params: Mapping[str, str]) -> QueryResult:
        always = {"action": "query", "format": "json", "formatversion": "2", "maxlag": str(self._maxlag)}
        reply = await self._endpoint.question(
            "/api.php", QueryReply, wiki=self._wiki, params={**always, **params}, judge=self._judge
        )
        return reply.query

    def _judge(self, reply: ApiReply, retry_after: float | None) -> None:
        if reply.error is not None:
            text = f"{self._endpoint.settings.url}/api.php: {reply.error.code}: {reply.error.info}"
            raise _as_failure(reply.error, text, retry_after, self._wiki)

    async def _page(self, title: str) -> RestPage | None:
        if not _can_be_title(title):
            return None
        path = f"/rest.php/v1/page/{quote(title.replace(' ', '_'), safe='')}/bare"
        try:
            # A redirect's own page, not its target's.
            reply = await self._endpoint.question(
                path, RestPageReply, wiki=self._wiki, params={"redirect": "no"}, is_answer=_has_no_page
            )
        except RequestRefused as error:
            if _has_no_page(error):
                return None
            raise
        # A system message that nobody edited has a text, but no page.
        return reply if reply.id else None


def batches_of_titles(titles: Iterable[str]) -> Iterator[list[str]]:
    """Cut *titles* into requests; one that can't be a title is left out, since it would be refused. Pure."""
    batch: list[str] = []
    size = 0
    for title in dict.fromkeys(titles):
        if not _can_be_title(title):
            continue
        length = len(quote(SEPARATOR + title, safe=""))
        if batch and (len(batch) == MOST_VALUES or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(title)
        size += length
    if batch:
        yield batch


def _has_no_page(error: RequestRefused) -> bool:
    """Whether there is no such page; another 404 means that there is no such API, or that somebody else answers."""
    return error.status == 404 and bool(error.sentence) and "rest-no-match" not in error.sentence


def _can_be_title(title: str) -> bool:
    return bool(title.strip(" _")) and not NOT_IN_TITLES.search(title) and len(title.encode()) < LONGEST_TITLE


def cure_of_api(status: int, wiki: str, *, is_in_its_words: bool) -> str:
    """What an operator can do about a refusal by the API of *wiki*."""
    if status in {401, 403, 407}:
        return f"set endpoint.contact if it wants to know who asks, and let this machine read {wiki}"
    if status in {408, 504}:
        return f"if it does not pass by itself, raise wiki_api.timeout_seconds, or see why {wiki} is slow"
    if 500 <= status < 600:
        return f"if it does not pass by itself, see the log of {wiki}"
    if is_in_its_words:
        return f"see what {wiki} says, or correct wikis.{wiki}.api_url"
    return f"correct wikis.{wiki}.api_url, or the server at that address"


def _as_failure(error: ApiError, text: str, retry_after: float | None, wiki: str) -> EndpointUnavailable:
    if error.code in THROTTLES:
        return EndpointUnavailable(text, Failure.THROTTLED, retry_after)
    if error.code in OUTAGES:
        return EndpointUnavailable(text, Failure.OUTAGE, retry_after)
    if error.code.startswith("internal_api_error"):
        return EndpointUnavailable(text, Failure.TRANSIENT, retry_after)
    return EndpointUnavailable(f"{text}; {cure_of_api(200, wiki, is_in_its_words=True)}", Failure.REFUSED, retry_after)
