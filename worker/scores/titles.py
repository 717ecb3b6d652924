"""Titles that were read from a wiki's tables, where a namespace is a number: only the wiki knows its name."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from outbox import Claim, Edit
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable

#: Namespaces get other names when a wiki's settings change, so hardly ever.
KNOWN_SECONDS = 3600.0
#: How long a wiki that did not answer is not asked again.
UNKNOWN_SECONDS = 60.0


class SiteInfo(Protocol):
    """The part of a wiki's API that is used here."""

    async def namespaces(self) -> Mapping[int, str]:
        """The names of the namespaces by their numbers.

        Raises:
            EndpointUnavailable: the wiki gave no answer this time.
        """


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The names of the namespaces of wikis, as far as the addresses of their APIs are set; asked once an hour."""

    apis: Mapping[str, SiteInfo]
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, Mapping[int, str]]] = field(default_factory=dict)

    async def of(self, wiki: Wiki) -> Mapping[int, str]:
        """Number to name; empty if that is not known now."""
        until, names = self._known.get(wiki.id, (0.0, {}))
        if wiki.id not in self.apis or self.clock() < until:
            return names
        try:
            names, seconds = await self.apis[wiki.id].namespaces(), KNOWN_SECONDS
        except EndpointUnavailable as error:
            # What was known once is still better than nothing.
            seconds = UNKNOWN_SECONDS
            log.warning("namespaces_unavailable", wiki=wiki.id, error=str(error))
        self._known[wiki.id] = (self.clock() + seconds, names)
        return names


async def with_titles(wiki: Wiki, edits: Mapping[Claim, Edit], namespaces: Namespaces) -> dict[Claim, Edit]:
    """*edits*; each title with an English namespace gets the wiki's own name for it, if that is known."""
    names = await namespaces.of(wiki)
    return {claim: _with_title(edit, names) for claim, edit in edits.items()}


def _with_title(edit: Edit, names: Mapping[int, str]) -> Edit:
    if not edit.is_namespace_in_english or not names.get(edit.namespace):
        return edit
    title = f"{names[edit.namespace]}:{edit.title.partition(':')[2]}"
    return edit.model_copy(update={"title": title, "is_namespace_in_english": None})
