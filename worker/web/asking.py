"""What the routes of the front door ask for, of whatever `worker/bootstrap.py` builds, and what they share."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

from worker.config.settings_sections import WebSettings
from worker.domain.answers import Answers, Stored
from worker.domain.models import ScoringModel
from worker.domain.scores import ScoreId
from worker.settings import Settings


class Asking(Protocol):
    """Asks for what the front door needs. No method blocks.

    Raises:
        RedisUnavailable: there is no way to ask.
    """

    async def answers(self, ids: Sequence[ScoreId], seconds: float) -> Answers:
        """Answers to *ids*, all of one wiki, within *seconds*."""

    async def cached(self, ids: Sequence[ScoreId]) -> Answers | None:
        """Answers to *ids* if all are there already, otherwise None."""

    def look(
        self,
        wiki: str,
        revisions: Sequence[int],
        models: Sequence[tuple[str, str]],
        tell: Callable[[Sequence[Stored] | None], None],
    ) -> None:
        """Have *tell* called with what is cached of *models*, each with its version, for each of *revisions* in turn.

        At once if all of it is remembered; with None if something is not there, or there is no way to look.
        """

    def known_versions(self, wiki: str) -> Mapping[str, str] | None:
        """The current versions of its models, if they need no waiting."""

    async def versions(self, wiki: str, seconds: float) -> Mapping[str, str] | None:
        """The current versions of its models; None if they did not come within *seconds*."""

    async def document(self, name: str, seconds: float, *ask: str) -> Any:
        """The document of that *name*, which workers make if they are asked for it as *ask* says; None if late."""


#: Wiki to its models by name, in the order of the settings.
Wikis = Mapping[str, Mapping[str, ScoringModel]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteContext:
    """Everything that the routes share."""

    wikis: Wikis
    asking: Asking
    settings: WebSettings
    #: Wiki to the language code by which Lift Wing knows it.
    languages: Mapping[str, str | None]
    #: Models whose scores can come with their features.
    with_features: Set[str]


def context_of(settings: Settings, asking: Asking) -> RouteContext:
    """What the routes share, from *settings*."""
    return RouteContext(
        wikis=settings.models_by_wiki(),
        asking=asking,
        settings=settings.web,
        languages={wiki: its.language for wiki, its in settings.wikis.items()},
        with_features=settings.models_with_features(),
    )
