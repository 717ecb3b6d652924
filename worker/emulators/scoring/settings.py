"""What can be set while the emulated scoring endpoint runs. Pure."""

import re
from bisect import bisect
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Annotated, Self, TypeVar

from pydantic import Field, field_validator

from worker.emulators.documents import Document
from worker.emulators.scoring.deployed import WIKIS
from worker.emulators.scoring.servers import MODELS, REVSCORING_MODELS
from worker.emulators.settings import CommonSettings, Failures, Header, Part

Named = TypeVar("Named", bound=Iterable[str])

WIKI_PATTERN = r"^[a-z0-9_]+$"
#: Version → how often it answers, relative to the others.
Weights = Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]


class Throttle(Part):
    """How many scoring calls a second are admitted, `burst` of them at once, and the Retry-After of the others' 429.

    Without a rate there is no limit.
    """

    requests_per_second: float | None = Field(default=None, gt=0)
    burst: int = Field(default=1, ge=1)
    retry_after: Header | None = "1"


class CallFault(Part):
    """What goes wrong with some scoring calls: those about these wikis, for one of these models.

    If none is named, all are meant. A server that hangs has endless latency: calls that wait for it go on as soon as
    any setting is changed.
    """

    wikis: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    latency_ms: float | None = Field(default=None, ge=0)
    failures: Failures | None = None

    def concerns(self, wiki: str | None, models: Iterable[str]) -> bool:
        """Return whether a call about *wiki* for *models* is one of those."""
        return (not self.wikis or wiki in self.wikis) and (not self.models or not self.models.isdisjoint(models))


class EmulatorSettings(CommonSettings):
    """Everything that can be set while the endpoint runs; revision ids hold for every wiki."""

    #: Whether every wiki has every model, be it a wiki of the originals or a made-up one.
    any_wiki: bool = False
    #: Wikis with every model otherwise; those of `deployed.WIKIS` have theirs, and any other has none.
    wikis: tuple[Annotated[str, Field(pattern=WIKI_PATTERN)], ...] = ("enwiki", "frwiki", "simplewiki")
    #: A client whose User-Agent holds one of these is refused, like one without a User-Agent.
    refused_agents: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    #: The first one that fits a call counts for it.
    troubles: tuple[CallFault, ...] = ()
    throttle: Throttle = Throttle()
    #: Scoring calls are refused while this many are in flight; None means no limit.
    capacity: int | None = Field(default=None, ge=0)
    #: Lift Wing calls need the Host header of the model's server, as inside Wikimedia's network.
    host_routing: bool = False
    missing_revisions: frozenset[int] = frozenset()
    broken_revisions: frozenset[int] = frozenset()
    versions: dict[str, str] = Field(default_factory=dict)
    #: A deployment under way: each call is answered by one replica, which runs one of these versions of a model. They
    #: are drawn from the seed, again after each change of settings. Models that are not named keep to `versions`.
    version_mix: dict[str, Weights] = Field(default_factory=dict)
    version_changes_scores: bool = False
    #: Models that no longer exist: 404 when named, left out of lists.
    vanished_models: frozenset[str] = frozenset()
    #: Calls for model information get 200 with broken information; calls for scores get scores.
    broken_info: bool = False
    #: Each call gets probabilities of its own, so that it shows which callers shared one call.
    varying_scores: bool = False

    @field_validator("versions", "version_mix", "vanished_models")
    @classmethod
    def _only_known_models(cls, models: Named) -> Named:
        unknown = sorted(set(models) - set(MODELS))
        if unknown:
            raise ValueError(f"no such model: {', '.join(unknown)}")
        return models

    def models_of(self, wiki: str) -> tuple[str, ...]:
        """Return the revscoring models that the endpoint has for *wiki*."""
        return _models_of(wiki, self.any_wiki or wiki in self.wikis, self.vanished_models)

    def version_of(self, model: str) -> str:
        """Return the version the endpoint claims to run of a known model."""
        return self.versions.get(model) or MODELS[model].version

    def trouble_of(self, wiki: str | None, models: Iterable[str]) -> CallFault | None:
        """Return the trouble that a call about *wiki* for *models* has, if any."""
        return next((trouble for trouble in self.troubles if trouble.concerns(wiki, models)), None)

    def of_call(self, number: int, replica: float) -> Self:
        """Return the settings that answer one call; *number* is different for each call, *replica* is in [0, 1)."""
        update: Document = {}
        if self.varying_scores:
            update["seed"] = (self.seed << 64) + number
        if self.version_mix:
            drawn = {model: _drawn(weights, replica) for model, weights in self.version_mix.items()}
            update["versions"] = self.versions | drawn
        return self.model_copy(update=update) if update else self


@lru_cache(maxsize=1024)
def _models_of(wiki: str, has_all: bool, vanished: frozenset[str]) -> tuple[str, ...]:
    has_all = has_all and re.fullmatch(WIKI_PATTERN, wiki) is not None
    found = (model for model in REVSCORING_MODELS if has_all or wiki in WIKIS[model])
    return tuple(model for model in found if model not in vanished)


def _drawn(weights: dict[str, float], share: float) -> str:
    sums = list(accumulate(weights.values()))
    return list(weights)[bisect(sums, share * sums[-1], hi=len(sums) - 1)]
