"""The kinds of endpoints; a further one is a client in a file beside this one and an entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.domain.models import LiftWingServer, ScoringModel
from worker.endpoints.client import Endpoint
from worker.endpoints.lift_wing import FindPages, LiftWingClient
from worker.endpoints.ores import OresClient
from worker.endpoints.scoring_client import ScoringClient

#: Wiki to the language code that Lift Wing knows it by.
Languages = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointKind:
    """One API that scores can be had from."""

    #: Its name in messages.
    title: str
    open: Callable[[Endpoint, Mapping[str, ScoringModel], Languages, FindPages], ScoringClient]
    #: Whether it can resolve formulas of thresholds.
    tells_statistics: bool
    #: Whether it can send the features of a score along with it.
    gives_features: bool
    #: The kinds of model servers it has.
    servers: frozenset[LiftWingServer]


KINDS: Mapping[str, EndpointKind] = {
    "ores": EndpointKind(
        title="ORES",
        open=lambda endpoint, _models, _languages, _find_pages: OresClient(endpoint),
        tells_statistics=True,
        gives_features=True,
        servers=frozenset({LiftWingServer.REVSCORING}),
    ),
    "lift_wing": EndpointKind(
        title="Lift Wing",
        open=LiftWingClient,
        tells_statistics=False,
        gives_features=False,
        servers=frozenset(LiftWingServer),
    ),
}
