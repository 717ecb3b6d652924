"""What every client of scoring endpoints offers, whichever API it asks."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from worker.domain.scores import Answer, Hear, Sample, ScoreId, unheard
from worker.domain.thresholds import Statistic

#: How many edits are claimed for a probe.
PROBE_EDITS = 5


class ScoringClient(Protocol):
    """Asks an endpoint for scores. Never raises for a score that it did not get: `NoAnswer` is an answer, too."""

    async def score(self, ids: Sequence[ScoreId], hear: Hear = unheard) -> dict[ScoreId, Answer]:
        """Ask for *ids*, all of one wiki; returns an answer for every one of them.

        *hear* is called with final ones as soon as they come, in any thread.
        """

    async def versions(self, wiki: str, models: Sequence[str], sample: Sample | None) -> dict[str, str]:
        """Return the versions of *models* as far as the endpoint tells them; the *sample* may be scored to find out.

        Raises:
            EndpointUnavailable: the endpoint did not answer.
        """

    async def statistics(
        self, wiki: str, model: str, wanted: Sequence[Statistic]
    ) -> tuple[str, dict[Statistic, float | None]]:
        """Return the model's version, and the threshold that reaches each of *wanted*; None if none does.

        Raises:
            EndpointUnavailable: the endpoint did not answer, or has no statistics.
        """

    async def information(self, wiki: str, model: str, paths: Sequence[str]) -> dict[str, Any]:
        """Return what the endpoint tells about a model at these dotted *paths*, or all of it without any.

        Raises:
            InformationUnknown: it tells nothing at one of them.
            EndpointUnavailable: the endpoint did not answer.
        """

    def claim_size(self, wiki: str, models: Iterable[str]) -> int:
        """How many edits of *wiki* that need *models* it makes sense to claim now; asks nobody.

        0 while the endpoint, or all these models of that wiki, are to be left alone. Safe in any thread.
        """

    async def close(self) -> None:
        """Close the connections."""
