"""For gadgets: stored scores as the action API gives them, `oresscores` of revisions and `meta=ores`.

Source: mediawiki/extensions/ORES includes/Hooks/Api @ e8804727.
"""

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from outbox.details import MOST
from worker.web.handling import Handling
from worker.web.questions import MOST_REVISIONS, Parameters
from worker.web.refusals import TIMED_OUT, Refusal, unknown_wiki
from worker.web.replies import reply

#: Lists of the action API that can have scores; here each is a list of the revisions that were asked for.
LISTS = {"recentchanges", "watchlist", "usercontribs", "allrevisions"}


class GadgetRoutes:
    """`/w/<wiki>/api.php`, for what the action API tells about scores."""

    def __init__(self, handling: Handling) -> None:
        self._handling = handling
        self._context = handling.context

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/w/{wiki}/api.php", self._handling.at(self.query), methods=["GET", "POST"])]

    async def query(self, request: Request, parameters: Parameters) -> Response:
        wiki = request.path_params["wiki"]
        if wiki not in self._context.wikis:
            raise unknown_wiki(wiki, self._context.wikis)
        asked = await self._handling.form(request, parameters)
        if asked.get("action") not in {None, "query"}:
            raise Refusal(400, "Unrecognized value for parameter 'action'. Only 'query' is answered here.")
        found: dict[str, Any] = {}
        if "ores" in asked.several("meta", str):
            found["ores"] = await self._document(wiki, "thresholds", "thresholds") | {
                "baseurl": str(request.base_url),
                "wikiid": wiki,
            }
        document: dict[str, Any] = {"batchcomplete": True}
        if (revisions := _revisions(asked)) is not None:
            document |= await self._scores(wiki, asked, revisions, found)
        return reply(document | {"query": found}, parameters)

    async def _scores(
        self, wiki: str, asked: Parameters, revisions: Sequence[int], found: dict[str, Any]
    ) -> dict[str, Any]:
        """Put the scores of *revisions* into *found*; returns the revisions without a page."""
        text = json.dumps(sorted(revision for revision in revisions if 0 < revision <= MOST))
        stored: dict[str, dict[str, Any]] = await self._document(wiki, f"stored:{text}", "stored", text)
        entries = {revision: stored.get(str(revision), {}) for revision in revisions}
        shown = {
            revision: {"revid": revision, "oresscores": each.get("scores") or []} for revision, each in entries.items()
        }
        if lists := LISTS.intersection(asked.several("list", str)):
            found |= {name: list(shown.values()) for name in sorted(lists)}
            return {}
        pages: dict[int, list[Any]] = {}
        for revision, each in entries.items():
            if "page" in each:
                pages.setdefault(each["page"], []).append(shown[revision])
        found["pages"] = [{"pageid": page, "revisions": revisions} for page, revisions in pages.items()]
        bad = {
            str(revision): {"revid": revision, "missing": True}
            for revision, each in entries.items()
            if "page" not in each
        }
        return {"badrevids": bad} if bad else {}

    async def _document(self, wiki: str, name: str, *ask: str) -> dict[str, Any]:
        kind, *rest = ask
        seconds = self._context.settings.timeout_seconds
        found: dict[str, Any] | None = await self._context.asking.document(f"{wiki}:{name}", seconds, kind, wiki, *rest)
        if found is None:
            raise Refusal(504, TIMED_OUT)
        return found


def _revisions(asked: Parameters) -> list[int] | None:
    if "revids" not in asked:
        return None
    revisions = asked.several("revids", int)
    if len(revisions) > MOST_REVISIONS:
        raise Refusal(400, f"Too many values for 'revids' parameter.  Max of {MOST_REVISIONS}.")
    return revisions
